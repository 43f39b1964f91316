// Water at σₓ² over the eigenvalues λ. The best linear VAE has its latents along the eigenvectors.
const [count, height, width] = data.shape, size = height * width;
const eigenvalues = Array.from(floats(data.eigenvalues)), directions = matrix(data.directions, size);
const mean = floats(data.mean), [LOW, HIGH] = data.levels;
const along = (j) => directions.subarray(j * size, (j + 1) * size);
const pictures = Float32Array.from(bytes(data.shown), (value) => value / 255);
const coefficients = span(0, count - 1, count).map((n) => eigenvalues.map((_, j) =>
  along(j).reduce((sum, value, i) => sum + value * (pictures[n * size + i] - mean[i]), 0)));

const total = (values) => values.reduce((a, b) => a + b, 0);
const rate = (level) => total(eigenvalues.map((value) => Math.max(Math.log(value / level) / 2, 0)));
const distortion = (level) => total(eigenvalues.map((value) => Math.min(value, level)));

// What comes out is the mean picture and 1 - level / λ of the way along each direction.
function rebuilt(level) {
  const gains = eigenvalues.map((value) => Math.max(1 - level / value, 0));
  return Float32Array.from(pictures, (_, place) => {
    const n = Math.floor(place / size), i = place % size;
    return gains.reduce((sum, gain, j) =>
      gain ? sum + gain * coefficients[n][j] * directions[j * size + i] : sum, mean[i]);
  });
}
// The decoder's columns, √(λ - level) long: grey where a latent changes nothing.
function columns(level) {
  const most = Math.max(...directions.subarray(0, count * size).map(Math.abs)) * Math.sqrt(eigenvalues[0]);
  return Float32Array.from({ length: count * size }, (_, place) => {
    const length = Math.sqrt(Math.max(eigenvalues[Math.floor(place / size)] - level, 0));
    return 0.5 + (0.5 * length * directions[place]) / most;
  });
}

add(stage, "p", { class: "task" }, "Lower the water until latents come up.");
const top = add(stage, "div", { class: "panels" }), sheets = add(top, "div", { class: "panel alone" });
const strip = (title) => {
  add(sheets, "p", { class: "title" }, title);
  return canvas(sheets, count * width, height, title, "sheet");
};
strip("goes in").paint(sideBySide(pictures, data.shape));
const outputs = strip("comes out"), painters = strip(`what the first ${count} latents paint`);

const middle = add(stage, "div", { class: "panels" }), SIZE = { width: 300, height: 220 };
const seen = Math.max(eigenvalues.filter((value) => value > 10 ** LOW).length, 10); // the others stay wet
const powers = span(Math.ceil(LOW), Math.floor(HIGH), Math.floor(HIGH) - Math.ceil(LOW) + 1);
const axes = plot(add(middle, "div", { class: "panel" }), { ...SIZE, x: [0, seen + 1], y: [LOW, HIGH],
  yTicks: powers.map((power) => [power, String(Number((10 ** power).toPrecision(1)))]),
  name: "Eigenvalues under water", xLabel: "latent", yLabel: narrow ? "" : "eigenvalue" });
const dry = add(axes.sheet, "path", { class: "bars" }), wet = add(axes.sheet, "path", { class: "bars dead" });
const water = add(axes.sheet, "path", { class: "water" }), surface = axes.curve([]);
const onWater = handle(axes, "The water over the eigenvalues: arrow keys up and down move it",
  (_, power) => move(power), (right, up) => move(now + 0.05 * (right + up)));

const plane = plot(add(middle, "div", { class: "panel" }), { ...SIZE, x: [0, 1.05 * total(eigenvalues)],
  y: [0, 1.05 * rate(10 ** LOW)], name: "Rate against distortion",
  xLabel: narrow ? "distortion" : "distortion: squared error", yLabel: narrow ? "rate" : "rate: KL in nats" });
plane.curve(span(LOW, HIGH, 80).map((power) => [distortion(10 ** power), rate(10 ** power)]));
Object.entries(data.others).forEach(([name, points], i) => {
  const kind = ["three", "two"][i % 2], key = plane.note(0.97 * plane.x[1], plane.y[1] * (0.9 - 0.1 * i), name);
  key.setAttribute("text-anchor", "end");
  key.setAttribute("style", `fill: var(--${kind})`);
  for (const [rate, lost] of points) plane.dot(lost, rate, kind, 4);
});
// Down to the level at which as much is lost: it grows with the water, so halve the interval.
function levelFor(lost) {
  let [low, high] = [LOW, HIGH];
  for (let i = 0; i < 40; i++) {
    if (distortion(10 ** ((low + high) / 2)) < lost) low = (low + high) / 2;
    else high = (low + high) / 2;
  }
  return low;
}
const onCurve = handle(plane, "The linear VAE on the curve: arrow keys move it",
  (lost) => move(levelFor(lost)), (right, up) => move(now + 0.05 * (right - up)));

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const control = slider(controls, { name: "σₓ²", spoken: "σₓ², the level of the water", low: LOW, high: HIGH,
  step: 0.02, start: Math.log10(data.start), text: (power) => show(10 ** power, power < -1 ? 4 : 2),
}, (power) => move(power));

let now, found;
const move = publish({ state: () => found }, (power) => {
  now = clamp(power, LOW, HIGH);
  const level = 10 ** now, living = eigenvalues.filter((value) => value > level).length;
  found = { level, living, rate: rate(level), distortion: distortion(level) };
  outputs.paint(sideBySide(rebuilt(level), data.shape));
  painters.paint(sideBySide(columns(level), data.shape));
  const tops = eigenvalues.map((value) => Math.log10(Math.max(value, 1e-9)));
  dry.setAttribute("d", axes.bars(tops.slice(0, living).map((top, j) => [j + 1, now, top])));
  wet.setAttribute("d", axes.bars(tops.map((top, j) => [j + 1, LOW - 1, Math.min(top, now)])));
  water.setAttribute("d", axes.path([[0, LOW], [0, now], [seen + 1, now], [seen + 1, LOW]]));
  surface.setAttribute("d", axes.path([[0, now], [seen + 1, now]]));
  onWater(0.7 * seen, now);
  onCurve(found.distortion, found.rate);
  control.set(now);
  const alive = living ? `${living} of ${size} latents live`
    : "all latents have drowned, and every picture comes out the same";
  say(`Water at σₓ² = ${show(level, level < 0.1 ? 4 : 2)} (σₓ = ${show(Math.sqrt(level))}): ${alive}. ` +
    `Rate ${show(found.rate)} nats, distortion ${show(found.distortion)}.`);
});
move(Math.log10(data.start));
ready();
