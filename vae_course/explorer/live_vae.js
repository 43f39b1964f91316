// A VAE to train: a story sets the knobs, a worker trains, and ten times a second comes a snapshot.
root.explorer?.shut?.(); // a phone that was turned draws the figure anew

const SIDE = data.pictures.width, PIXELS = SIDE * SIDE, SEEN = data.pictures.seen;
// The colours of plotting.py; the lightest is darker here, and black turns white on a dark page.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800",
  "var(--black)", "#7f7f7f", "#a6a6a6"];

let story, knobs, seed = 1, run = 0, until = 0, going = false, away = false, touched = false;
let latest, history = [], onNext;

// ---- What is seen

const bar = add(stage, "div", { class: "bar" });
const stories = pick(bar, "Story", Object.entries(data.stories).map(([key, { title, chapter }]) =>
  [key, `${title} (chapter ${chapter})`]), (key) => tell(key));
const press = (name, kind, onPress, parent = bar) => {
  const made = add(parent, "button", { type: "button", class: kind }, name);
  made.addEventListener("click", onPress);
  return made;
};
const runButton = press("Run", "run", () => (going ? pause() : go()));
const stepButton = press("Step", "", () => order("step"));
press("Restart", "", () => restart());
press("Re-scale", "", () => rescale());

const watch = add(stage, "p", { class: "watch" });
const code = add(stage, "p", { class: "code" });
const [noise, reduction, kind] = [
  ["z = mean + ", "Noise in z", [[true, "std * noise"], [false, "0"]], "noise"],
  [" loss = nll.", "Over pixels", [[true, "sum"], [false, "mean"]], "sum"],
  ["(1) + β * ", "KL", [["right", "kl"], ["slip", "kl(log σ for log σ²)"], ["off", "0"]], "kl"],
].map(([text, name, options, knob], i) => {
  if (i === 1) add(code, "br");
  code.append(text.trimStart());
  return pick(code, name, options, (value) => turn({ [knob]: value }));
});

const grid = add(stage, "div", { class: "lab" });
const panel = (title) => {
  const made = add(grid, "div");
  made.heading = add(made, "p", { class: "title" }, title);
  return made;
};
const planePanel = panel(""), sheetPanel = panel("decoded there");
const SMALL = { width: 165, height: narrow ? 150 : 165, least: 0, compact: true }; // four in a row, or two
const across = 9, sheet = canvas(sheetPanel, across * SIDE, across * SIDE, "Decoded plane", "sheet");
const rows = panel("");
const shown = canvas(rows, 7 * SIDE, SIDE, "Pictures that go in", "sheet");
if (!narrow) add(rows, "p", { class: "title" }, "comes out");
const rebuilt = canvas(rows, 7 * SIDE, SIDE, "The same, reconstructed", "sheet");
add(rows, "p", { class: "title" }, "draws of N(0, I)");
const drawn = canvas(rows, 7 * SIDE, 3 * SIDE, "Decoded draws of N(0, I)", "sheet");
const curvePanel = panel("");
add(curvePanel.heading, "span", { style: "color: var(--one)" }, "squared error");
const klHeading = add(curvePanel.heading, "span", { style: "color: var(--two)" });

const numbers = add(stage, "dl", { class: "numbers" });
const cells = Array.from({ length: 8 }, () => {
  const cell = add(numbers, "div");
  return [add(cell, "dt"), add(cell, "dd")];
});
const say = speaker(stage);

const details = add(stage, "details", { class: "knobs" });
details.open = !narrow;
add(details, "summary", {}, "More knobs");
const more = add(details, "div", { class: "more" });
const latents = labelled("latents", [[1, "1"], [2, "2"], [8, "8"]], (value) => turn({ latents: value }, true));
const trained = labelled("pictures", [[2, "2"], [25, "25"], [SEEN, "all"]], (value) => turn({ pictures: value }, true));
const learned = tick("learn σₓ", (on) => turn({ learned: on }));
const anneal = tick("anneal β", (on) => turn({ anneal: on ? 120 : 0 }));
const keepScale = tick("keep re-scaling", (on) => turn({ keepScale: on }));
const controls = add(details, "div", { class: "controls" });
const seeds = slider(controls, { name: "seed", low: 1, high: 20, step: 1, start: 1, text: (v) => `${v}` },
  (v) => {
    seed = v;
    restart();
  });
const spread = slider(controls, { name: "σₓ", spoken: "σₓ, of a pixel", low: -1.5, high: 0.5, step: 0.01,
  start: 0, text: (v) => show(10 ** v) }, (v) => turn({ std: 10 ** v, learned: false }));
const beta = slider(controls, { name: "β", low: -1, high: 2, step: 0.05, start: 0,
  text: (v) => show(10 ** v, v < 0.95 ? 2 : 0) }, (v) => turn({ beta: 10 ** v }));

// A native select; its values may be of any kind.
function pick(parent, name, options, onChoose) {
  const made = add(parent, "select", { "aria-label": name });
  for (const [, text] of options) add(made, "option", {}, text);
  made.addEventListener("change", () => onChoose(options[made.selectedIndex][0]));
  return { set: (value) => (made.selectedIndex = options.findIndex(([each]) => each === value)) };
}

function labelled(name, options, onChoose) {
  const label = add(more, "label", {}, name);
  return pick(label, name, options, onChoose);
}

function tick(name, onTurn) {
  const label = add(more, "label"), input = add(label, "input", { type: "checkbox" });
  label.append(name);
  input.addEventListener("change", () => onTurn(input.checked));
  return { set: (on) => (input.checked = on) };
}

// ---- The worker, or the page in its place

// Where a policy forbids workers, some browsers say so at once and some later, and some never.
function hire() {
  let orders = [], worker, here;
  const inPage = () => {
    if (here) return;
    clearTimeout(patience);
    worker?.terminate();
    worker = undefined;
    here = trainer(laboratory(random, data.pictures), arrive, { slice: 10, rest: 16 });
    for (const each of orders) here.receive(each);
  };
  const patience = setTimeout(() => inPage(), 4000);
  try {
    const text = `"use strict";\n${random}\n${laboratory}\n${trainer}
      const own = trainer(laboratory(random, ${JSON.stringify(data.pictures)}), (m) => postMessage(m), { slice: 40, rest: 0 });
      onmessage = (event) => own.receive(event.data);
      postMessage("ready");`;
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    worker = new Worker(address);
    worker.onerror = (event) => {
      event.preventDefault();
      inPage();
    };
    worker.onmessage = ({ data: message }) => {
      if (message !== "ready") return arrive(message);
      clearTimeout(patience);
      URL.revokeObjectURL(address);
      orders.forEach((each) => worker.postMessage(each));
      orders = undefined; // from here on they go directly
    };
  } catch {
    inPage();
  }
  return {
    send: (message) => {
      if (here) here.receive(message);
      else if (orders) orders.push(message);
      else worker.postMessage(message);
    },
    where: () => (here ? "page" : "worker"),
    leave: () => {
      clearTimeout(patience);
      if (here) here.receive({ order: "pause" });
      worker?.terminate();
    },
  };
}

let hand;
function order(name, more = {}) {
  hand ??= hire();
  hand.send({ order: name, run, ...more });
}

// ---- What can be done

const settings = () => ({ latents: knobs.latents, seed, knobs, until,
  calm: matchMedia("(prefers-reduced-motion: reduce)").matches });

function tell(key) {
  story = key;
  knobs = { ...data.knobs, ...data.stories[key].knobs };
  restart();
}

// A new model, untrained.
function restart() {
  [run, going, away, touched, latest, history, onNext] = [run + 1, false, false, false, undefined, [], undefined];
  until = data.stories[story].steps;
  order("start", settings());
  redraw();
}

function turn(change, anew = false) {
  knobs = { ...knobs, ...change };
  touched = true;
  if (anew) {
    restart();
    touched = true;
  } else order("knobs", { knobs });
  redraw();
}

function go() {
  if (latest && latest.values.steps >= until) until += data.stories[story].steps;
  going = true;
  order("go", { until });
  redraw();
}

function pause() {
  going = false;
  order("pause");
  redraw();
}

function rescale() {
  const before = latest?.values;
  onNext = (after) => {
    touched = true;
    if (!before || going) return;
    const [name, key] = knobs.noise ? ["the KL", "kl"] : ["the draws in a gap", "inGaps"];
    say(`Re-scaled: the pictures stay, ${name} went from ${show(before[key])} to ${show(after[key])}.`);
  };
  order("rescale");
}

// ---- Drawing

let axes, axesFor, chart, chartFor;

function drawPlane({ axes: own, window, means, stds }) {
  const flat = knobs.latents === 1, two = knobs.pictures === 2;
  const names = own.map((j) => `z${"₁₂₃₄₅₆₇₈"[j]}`), wanted = [window, ...names].join();
  const labels = two ? data.pair : data.labels;
  if (axesFor !== wanted) {
    axesFor = wanted;
    planePanel.querySelector("svg")?.remove();
    const rowOf = (digit) => window * (1 - (2 * digit + 1) / 10);
    axes = plot(planePanel, { x: [-window, window], y: [-window, window], ...SMALL,
      name: "Plane of the codes", xLabel: names[0], yLabel: flat ? "digit" : names[1],
      ...(flat ? { yTicks: span(0, 9, 10).map((d) => [rowOf(d), d]) } : {}) });
    axes.rowOf = rowOf;
    if (!flat) for (const r of [1, 2]) axes.curve(circle(r), "plain dashed");
    axes.paths = COLOURS.map((colour) => ["ellipse", "dots"].map((name) =>
      add(axes.sheet, "path", { class: name, style: `stroke: ${colour}` })));
  }
  const unit = axes.at(1, 0)[0] - axes.at(0, 0)[0], ellipses = !deterministic();
  const text = COLOURS.map(() => ["", ""]), n = labels.length;
  for (let i = 0; i < n; i++) {
    const digit = Number(labels[i]), wide = own.length;
    const [x, y] = axes.at(means[i * wide], flat ? axes.rowOf(digit) : means[i * wide + 1]).map((v) => v.toFixed(1));
    text[digit][1] += `M${x},${y}h0`;
    if (!ellipses || (i % 3 && !flat)) continue;
    const rx = unit * stds[i * wide], ry = flat ? 5 : unit * stds[i * wide + 1];
    const arc = `a${rx.toFixed(1)},${ry.toFixed(1)} 0 1 0 `;
    text[digit][0] += `M${(x - rx).toFixed(1)},${y}${arc}${(2 * rx).toFixed(1)},0${arc}${(-2 * rx).toFixed(1)},0`;
  }
  text.forEach((pair, digit) => pair.forEach((d, i) => axes.paths[digit][i].setAttribute("d", d)));
}

function circle(r) {
  return span(0, 2 * Math.PI, 90).map((a) => [r * Math.cos(a), r * Math.sin(a)]);
}

function drawCurves() {
  const highest = 12, end = Math.max(until, 1);
  if (chartFor !== end) {
    chartFor = end;
    curvePanel.querySelector("svg")?.remove();
    chart = plot(curvePanel, { x: [0, 1.08 * end], y: [0, highest], ...SMALL, xLabel: "steps",
      yLabel: "", xTicks: [0, end / 2, end].map((t) => [t, t]), name: "Squared error, dashed on what was trained on, and KL" });
    chart.lines = ["plain dashed", "", "two"].map((kind) => chart.curve([], kind));
  }
  [2, 1, 3].forEach((column, i) => {
    const points = history.map((row) => [row[0], Math.min(row[column], 2 * highest)]).filter(([, y]) => y >= 0);
    chart.lines[i].setAttribute("d", points.length ? chart.path(points) : "");
  });
}

// A plain autoencoder: nothing says what its σ should be.
const deterministic = () => !knobs.noise && knobs.kl === "off";

// σ of the Gaussian whose ELBO has the same optimum as the loss, if it has one.
function standsFor(std) {
  if (!knobs.noise || knobs.kl === "slip") return "no σ";
  return knobs.kl === "off" ? "0" : show(std * Math.sqrt(knobs.beta * (knobs.sum ? 1 : PIXELS)));
}

function drawNumbers(v) {
  const digits = (value) => (Math.abs(value) >= 1000 ? 0 : value < 0.1 && value > 0 ? 4 : 1);
  const nats = (value) => `${show(value, digits(value))} nats`;
  const several = (values) => (values.length > 2 ? `${show(Math.min(...values))} … ${show(Math.max(...values))}`
    : values.map((each) => show(each)).join(", "));
  const [left, right] = knobs.noise ? [["ELBO", nats(v.elbo)], ["ELBO, seen", nats(v.seen.elbo)]]
    : [["error", show(v.error)], ["error, seen", show(v.seen.error)]];
  if (knobs.pictures === 2) right.splice(0, 2, "squared error", show(v.error)); // all are seen
  const terms = [left, right, ...(knobs.noise ? [["log p(x|z)", nats(-v.nll)], ["KL", nats(v.kl)]]
    : [["ELBO", "none"], ["draws in a gap", share(v.inGaps)]])];
  const moment = [knobs.noise ? "E[μ² + σ²]" : "E[μ²]", several(v.second)];
  [...terms, moment, ["active latents", `${v.active} of ${knobs.latents}`],
    ["stands for σ =", standsFor(v.std)], ["KL in gradient", share(v.klShare)],
  ].forEach((texts, i) => texts.forEach((text, j) => (cells[i][j].textContent = text)));
}

const share = (value) => (Number.isFinite(value) ? `${show(100 * value, 0)} %` : "none");

// ---- Outcomes

const MEASURES = {
  second: (v) => Math.max(...v.second),
  spoilt: (v) => v.errorDrawn / v.error,
  memorised: (v) => v.seen.elbo - v.elbo,
};
const measured = (v, name) => (MEASURES[name] ?? ((each) => each[name]))(v);

function judge(v, outcome) {
  const value = measured(v, outcome.measure), { at_least: low, at_most: high } = outcome;
  const right = (low === null || value >= low) && (high === null || value <= high);
  const bounds = [[low, "at least"], [high, "at most"]].filter(([bound]) => bound !== null)
    .map(([bound, text]) => `${text} ${bound}`).join(", ");
  return { right, value, text: `${right ? "✓" : "✗"} ${outcome.text}: ${show(value, outcome.digits)} (${bounds})` };
}

function sentence() {
  const { steps = 0 } = latest?.values ?? {}, { outcomes, steps: enough } = data.stories[story];
  if (!steps) return `Untrained: σₓ = ${show(knobs.std)}, β = ${show(knobs.beta)}. Run trains ${until} steps.`;
  if (going) return `Step ${steps} of ${until}.`;
  if (latest.arrived && !touched && steps === enough) {
    return outcomes.map((each) => judge(latest.values, each).text).join(" · ");
  }
  const { elbo, error, kl } = latest.values;
  const terms = knobs.noise ? `ELBO ${show(elbo, 1)} nats, KL ${show(kl)} nats` : `squared error ${show(error)}`;
  return `After ${steps} steps: ${terms}, ${latest.values.active} of ${knobs.latents} latents active.`;
}

// ---- A snapshot arrives

function arrive(message) {
  if (message.run !== run) return; // of the model before
  latest = message;
  if (message.arrived) going = false;
  const { values } = message, before = history.at(-1);
  if (!before || values.steps > before[0]) {
    history.push([values.steps, values.error, values.seen.error, knobs.noise ? values.kl : NaN]);
  }
  redraw();
  onNext?.(values);
  onNext = undefined;
}

let lab;
const redraw = publish({
  state: () => ({ story, knobs, seed, until, going, away, where: hand?.where(), ...latest?.values,
    means: latest && Array.from(latest.means), outcomes: latest && data.stories[story].outcomes.map((each) => judge(latest.values, each)) }),
  shut: () => {
    eye.disconnect();
    document.removeEventListener("visibilitychange", look);
    removeEventListener("hashchange", listen);
    hand?.leave();
  },
  laboratory: () => (lab ??= laboratory(random, data.pictures)),
  // A story from beginning to end, in the page and without a picture.
  train: (key, number, steps = data.stories[key].steps) => {
    lab ??= laboratory(random, data.pictures);
    const all = { ...data.knobs, ...data.stories[key].knobs };
    const values = trainer(lab, () => {}, { slice: 0, rest: 0 })
      .train({ latents: all.latents, seed: number, knobs: all, until: steps });
    return { values, outcomes: data.stories[key].outcomes.map((each) => judge(values, each)) };
  },
}, () => {
  runButton.textContent = going ? "Pause" : latest?.arrived ? "Go on" : "Run";
  stepButton.disabled = going;
  watch.textContent = data.stories[story].watch;
  stories.set(story);
  noise.set(knobs.noise);
  reduction.set(knobs.sum);
  kind.set(knobs.kl);
  latents.set(knobs.latents);
  trained.set(knobs.pictures);
  learned.set(knobs.learned);
  anneal.set(knobs.anneal > 0);
  keepScale.set(knobs.keepScale);
  beta.set(Math.log10(knobs.beta));
  seeds.set(seed);
  planePanel.heading.textContent = deterministic() ? "codes" : "posteriors";
  rows.heading.textContent = `${narrow ? "in, out" : "goes in"}${knobs.pictures === 2 ? "" : ", unseen"}`;
  klHeading.textContent = knobs.noise ? " · KL" : "";
  spread.set(Math.log10(knobs.learned && latest ? latest.values.std : knobs.std));
  say(sentence());
  if (!latest) return;
  drawPlane(latest);
  sheet.paint(latest.plane);
  shown.paint(latest.shown);
  rebuilt.paint(latest.rebuilt);
  drawn.paint(latest.drawn);
  drawCurves();
  drawNumbers(latest.values);
});

// Out of sight it rests, and goes on when it is seen again.
let inSight = false, begun = false;
function look() {
  if (!root.isConnected) return root.explorer.shut();
  const seen = inSight && !document.hidden;
  if (seen && !begun) {
    begun = true;
    order("start", settings());
  }
  if (!seen && going) {
    pause();
    away = true;
  } else if (seen && away) {
    away = false;
    go();
  }
}

// The story that the address of the page asks for, if it does.
const asked = () => {
  const key = location.hash.replace("#live-story-", "");
  return key in data.stories ? key : undefined;
};
const listen = () => asked() && tell(asked());
addEventListener("hashchange", listen);

story = asked() ?? data.story;
knobs = { ...data.knobs, ...data.stories[story].knobs };
[run, until] = [1, data.stories[story].steps];
redraw();
ready();
const eye = new IntersectionObserver((entries) => {
  inSight = entries.at(-1).isIntersecting;
  look();
});
eye.observe(root);
document.addEventListener("visibilitychange", look);
