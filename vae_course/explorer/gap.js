// A normal q over the true posterior of one pixel: log p(x) = ELBO + gap, and the bounds of K draws.
const { power, x, noise, draws } = data, MANY = draws.length > 1;
const MEANS = [-2.5, 2.5], STDS = [0.2, 1.5], TOP = 2.4, BELOW = 3.5;
const peakOf = (std) => 1 / (std * Math.sqrt(2 * Math.PI));

const logNormal = (value, mean, std) =>
  -(((value - mean) / std) ** 2) / 2 - Math.log(std) - Math.log(2 * Math.PI) / 2;
const logJoint = (z) => logNormal(z, 0, 1) + logNormal(x, z ** power, noise);
const FINE = span(-8, 8, 3201);
const logP = Math.log(FINE.reduce((sum, z) => sum + Math.exp(logJoint(z)), 0) * (FINE[1] - FINE[0]));

// Averages over q: z = mean + std · noise for evenly spaced noises.
const NOISES = span(-8.5, 8.5, 341);
const CHANCE = NOISES.map((e) => 0.05 * normalDensity(e, 0, 1));
// log S is the integral of exp(-e^v) - exp(-S e^v) over all v. S is a sum of K independent weights, so
// the average of the last term is a power of its average for one. Far out larger steps will do.
const PLACES = span(-25, 145, 285).map((u) => ({ v: 15 * Math.sinh(u / 15), step: (170 / 284) * Math.cosh(u / 15) }));
// The bounds for all numbers of draws. One draw, the ELBO, needs no such integral.
function bounds(mean, std) {
  const logW = NOISES.map((e) => logJoint(mean + std * e) - logNormal(mean + std * e, mean, std));
  const average = (values) => values.reduce((sum, value, i) => sum + CHANCE[i] * value, 0);
  const elbo = average(logW);
  if (!MANY) return [elbo];
  const made = draws.map(() => 0);
  for (const { v, step } of PLACES) {
    let one = 0;
    for (let i = 0; i < logW.length; i++) {
      const size = logW[i] + v; // beyond 4, exp(-exp(size)) is nothing
      if (size < 4) one += CHANCE[i] * Math.exp(-Math.exp(size));
    }
    draws.forEach((k, i) => (made[i] += step * (Math.exp(-k * Math.exp(v)) - one ** k)));
  }
  return [elbo, ...made.slice(1)];
}

add(stage, "p", { class: "title" }, data.task);
const SIZE = { width: 300, height: 200 };
// A plot under a title, whose words have the colours of the curves.
function titled(row, kind, words, options) {
  const panel = add(row, "div", { class: `panel ${kind}` }), title = add(panel, "p", { class: "title" });
  for (const [text, colour] of words) add(title, "span", { style: `color: var(--${colour})` }, text);
  return plot(panel, options);
}

const upper = add(stage, "div", { class: "panels" }), ink = (text) => [text, "ink"];
const bells = titled(upper, "", [["p(z|x)", "three"], ink(" and "), ["q", "two"]],
  { ...SIZE, x: MEANS, y: [0, TOP], name: "q over the true posterior", xLabel: "z", yLabel: "density" });
const places = span(...MEANS, 201);
bells.curve(places.map((z) => [z, Math.exp(logJoint(z) - logP)]), "three");
const curve = bells.curve([], "two");
const top = handle(bells, "The top of q: arrow keys left and right move its mean, up makes it narrower",
  (mean, height) => move(mean, clamp(1 / (height * Math.sqrt(2 * Math.PI)), ...STDS), chosen));

const beside = MANY
  ? titled(upper, "", [["bound", "one"], ink(" of K draws")], { ...SIZE, x: [-0.15, 3.4],
      y: [logP - BELOW, logP + 0.5], name: "Bound over the number of draws", xLabel: "K", yLabel: "nats",
      xTicks: [1, 10, 100, 1000].map((k) => [Math.log10(k), k]) })
  : titled(upper, "", [["log w", "one"], ink(" + "), ["log q/p", "two"]],
      { ...SIZE, x: MEANS, y: [-6, 4], name: "log w and log q / p over z", xLabel: "z", yLabel: "nats" });
const first = beside.curve([]), second = MANY ? beside.dot(0, 0, "", 5) : beside.curve([], "two dashed");
beside.curve(beside.x.map((end) => [end, logP]), "plain");

// From the left edge to the ELBO, on to what K draws give, and what is missing.
const sum = [ink("log p(x) = "), ["ELBO", "one"], ...(MANY ? [ink(" + "), ["K draws", "three"]] : []),
  ink(" + "), ["gap", "two"]];
const line = titled(add(stage, "div", { class: "panels" }), "wide alone", sum, {
  x: [logP - BELOW, logP + 0.3], y: [0, 1], width: 460, height: 72, least: 72, alone: true, yTicks: [],
  name: "log p(x) as ELBO and gap", xLabel: "nats", yLabel: "" });
const PARTS = [["ELBO", "one"], [MANY ? "K draws" : "", "three"], ["gap", "two"]].map(([name, colour]) => ({
  name, rect: add(line.sheet, "rect", { style: `fill: var(--${colour})` }),
  text: add(line.sheet, "text", { style: "fill: var(--paper)", "text-anchor": "middle" }, name),
}));
line.curve([[logP, 0], [logP, 1]], "").setAttribute("style", "stroke: var(--ink)");

function bar(stops) {
  PARTS.forEach(({ name, rect, text }, i) => {
    const [from, to] = [stops[i], stops[i + 1]].map((stop) => line.at(clamp(stop, line.x[0], logP), 0)[0]);
    const [[, high], [, low]] = [line.at(0, 0.85), line.at(0, 0.15)];
    for (const [key, value] of Object.entries({ x: from, y: high, width: Math.max(to - from, 0), height: low - high })) {
      rect.setAttribute(key, value);
    }
    text.setAttribute("x", (from + to) / 2);
    text.setAttribute("y", (high + low) / 2 + 4);
    text.textContent = to - from > 7 * name.length + 6 ? name : "";
  });
}

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const sliders = [["μ", MEANS], ["σ", STDS]].map(([name, [low, high]], axis) => slider(controls, {
  name, low, high, step: 0.01, start: data.start[axis], text: (v) => show(v),
}, (value) => move(...(axis ? [now[0], value] : [value, now[1]]), chosen)));
const control = MANY && slider(controls, { name: "K", spoken: "number K of draws", low: 0, high: draws.length - 1,
  step: 1, start: 0, text: (index) => String(draws[index]) }, (index) => move(...now, index));

let now = data.start, chosen = 0, found;
const move = publish(
  { state: () => ({ mean: now[0], std: now[1], draws: draws[chosen], logP, bounds: found }), bounds },
  (mean, std, index) => {
    [now, chosen, found] = [[mean, std], index, bounds(mean, std)];
    curve.setAttribute("d", bells.path(places.map((z) => [z, normalDensity(z, mean, std)])));
    top(mean, peakOf(std));
    if (MANY) {
      first.setAttribute("d", beside.path(found.map((value, i) => [Math.log10(draws[i]), value])));
      const [cx, cy] = beside.at(Math.log10(draws[index]), found[index]);
      second.setAttribute("cx", cx);
      second.setAttribute("cy", cy);
      control.set(index);
    } else {
      const logW = places.map((z) => [z, logJoint(z) - logNormal(z, mean, std)]);
      first.setAttribute("d", beside.path(logW));
      second.setAttribute("d", beside.path(logW.map(([z, value]) => [z, logP - value])));
    }
    bar([line.x[0], found[0], found[index], logP]);
    sliders[0].set(mean);
    sliders[1].set(std);
    const many = index ? ` ${draws[index]} draws: ${show(found[index])}.` : "";
    say(`log p(x) = ${show(logP)} nats. ELBO: ${show(found[0])}.${many} Gap: ${show(logP - found[index])} nats.`);
  });
move(...data.start, 0);
ready();
