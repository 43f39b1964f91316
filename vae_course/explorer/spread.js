// One draw, one estimate of the slope in the mean: three estimators, exact spreads beside them.
const DRAWS = 200, W = data.omega;
const noise = normals(DRAWS);

// E cos(a z) is cos(a mean) exp(-a² std² / 2); with ε² inside, a factor 1 - a² std² more.
const wave = (a, mean, std) => Math.cos(a * mean) * Math.exp(-(((a * std) ** 2) / 2));
const waveSquared = (a, mean, std) => wave(a, mean, std) * (1 - (a * std) ** 2);
// f, its slope, and exactly: the slope of E f in the mean, E f'², E f² ε² and E f ε².
const FUNCTIONS = [
  {
    name: "z²", f: (z) => z * z, slope: (z) => 2 * z, y: [-1, 10],
    exact: (m, s) => ({
      slope: 2 * m, path: 4 * (m * m + s * s),
      square: m ** 4 + 18 * m * m * s * s + 15 * s ** 4, baseline: m * m + 3 * s * s,
    }),
  },
  {
    name: `cos ${W}z`, f: (z) => Math.cos(W * z), slope: (z) => -W * Math.sin(W * z), y: [-1.2, 1.6],
    exact: (m, s) => ({
      slope: -W * Math.sin(W * m) * Math.exp(-(((W * s) ** 2) / 2)),
      path: (W * W * (1 - wave(2 * W, m, s))) / 2,
      square: (1 + waveSquared(2 * W, m, s)) / 2, baseline: waveSquared(W, m, s),
    }),
  },
];

function exactly({ exact }, m, s) {
  const { slope, path, square, baseline } = exact(m, s);
  const seconds = [path, square / s ** 2, (square - baseline ** 2) / s ** 2]; // second moments
  return { slope, baseline, stds: seconds.map((each) => Math.sqrt(Math.max(each - slope ** 2, 0))) };
}

const ESTIMATORS = [["pathwise", "one"], ["score", "two"], ["score, best b", "three"]];
const estimates = ({ f, slope }, m, s, b) => [
  (e) => slope(m + s * e),
  (e) => (f(m + s * e) * e) / s,
  (e) => ((f(m + s * e) - b) * e) / s,
].map((estimator) => noise.map(estimator));

const panels = add(stage, "div", { class: "panels" });
const [first, second] = ["draws of z, on f", "estimates of the slope in μ"].map((title) => {
  const panel = add(panels, "div", { class: "panel" });
  add(panel, "p", { class: "title" }, title);
  return add(panel, "div");
});
const places = span(-4, 4, 161);
let left, curve, bell, marks;
function frame(which) {
  first.replaceChildren();
  left = plot(first, { x: [-4, 4], y: which.y, name: "Draws of z on f", xLabel: "z", yLabel: "f(z)" });
  left.curve(places.map((z) => [z, which.f(z)]), "plain");
  bell = left.curve([], "dashed");
  marks = add(left.sheet, "path", { class: "dots one" });
}
const EDGE = 25;
const right = plot(second, { x: [-EDGE, EDGE], y: [0, 3], name: "Estimates of the slope",
  xLabel: "estimate", yLabel: "", yTicks: [] });
const truth = right.curve([], "plain dashed");
const rows = ESTIMATORS.map(([name, colour], i) => {
  right.note(-EDGE, 2.8 - i, name).setAttribute("text-anchor", "start");
  return add(right.sheet, "path", { class: `dots ${colour}` });
});
const dots = (axes, points) => points.map((point) => `${axes.path([point])}h0`).join("");

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const sliders = [["σ", 0.1, 2, 1], ["μ", -2, 2, 0]].map(([name, low, high, axis]) => slider(controls, {
  name, low, high, step: 0.02, start: data.start[axis], text: (v) => show(v),
}, (value) => (axis ? move(now[0], value, index) : move(value, now[1], index))));
choice(controls, "f", FUNCTIONS.map(({ name }) => name), (chosen) => {
  frame(FUNCTIONS[chosen]);
  move(...now, chosen);
});

let now = data.start, index = 0, found;
const move = publish(
  {
    state: () => ({ mean: now[0], std: now[1], f: index, ...found }),
    noise: () => noise,
    estimates: () => estimates(FUNCTIONS[index], ...now, found.baseline),
  },
  (mean, std, chosen) => {
    [now, index] = [[mean, std], chosen];
    const which = FUNCTIONS[index];
    found = exactly(which, mean, std);
    const draws = noise.slice(0, 60).map((e) => mean + std * e);
    marks.setAttribute("d", dots(left, draws.map((z) => [z, which.f(z)])));
    const height = (which.y[1] - which.y[0]) * 0.6 * Math.min(std, 1);
    bell.setAttribute("d", left.path(places.map((z) =>
      [z, which.y[0] + height * normalDensity(z, mean, std)])));
    estimates(which, mean, std, found.baseline).forEach((values, i) => rows[i].setAttribute("d",
      dots(right, values.map((value, k) => [clamp(value, -EDGE, EDGE), 2.55 - i - 0.45 * (k / DRAWS)]))));
    truth.setAttribute("d", right.path([[found.slope, 0], [found.slope, 3]]));
    sliders[0].set(std);
    sliders[1].set(mean);
    const spreads = ESTIMATORS.map(([name], i) => `${name} ${show(found.stds[i])}`).join("; ");
    say(`σ = ${show(std)}, μ = ${show(mean)}: slope ${show(found.slope)}. Std of one estimate: ${spreads}.`);
  });
frame(FUNCTIONS[0]);
move(...data.start, 0);
ready();
