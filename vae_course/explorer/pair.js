// Two pictures, one latent: the optimum of vae_course.exact, found here again for each distance.
const NODES = span(-8, 8, 201);
const WEIGHTS = NODES.map((e) => Math.exp((-e * e) / 2));
const TOTAL = WEIGHTS.reduce((a, b) => a + b);

// KL + distortion in nats, for posteriors N(±mean, std²) with mean² + std² = 1.
function parts(mean, a) {
  const variance = 1 - mean * mean, std = Math.sqrt(variance);
  let wrong = 0;
  for (let i = 0; i < NODES.length; i++) {
    wrong += WEIGHTS[i] * (1 - Math.tanh(((mean + std * NODES[i]) * mean) / variance)) ** 2;
  }
  return { kl: -Math.log(std), distortion: ((a * a) / 2) * (wrong / TOTAL) };
}

// Golden section: between 0 and 1 the loss has one dip.
function best(a) {
  const loss = (mean) => {
    const { kl, distortion } = parts(mean, a);
    return kl + distortion;
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [0, 1 - 1e-9], [left, right] = [1 - golden, golden];
  let [atLeft, atRight] = [loss(left), loss(right)];
  while (high - low > 1e-7) {
    if (atLeft < atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = loss(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = loss(right);
    }
  }
  const mean = a <= 1 ? 0 : (low + high) / 2; // up to 1 the optimum is collapsed
  return { mean, std: Math.sqrt(1 - mean * mean), ...parts(mean, a) };
}

const apart = ({ mean, std }) => Math.tanh((mean / std) ** 2);
const HALVES = [0.5, 1, ...span(Math.log(1.002), Math.log(12), 70).map(Math.exp)];
const SHARES = HALVES.map((a) => [a, apart(best(a))]);

const pictures = data.pictures.map(floats);
const average = pictures[0].map((value, i) => (value + pictures[1][i]) / 2);
const half = pictures[0].map((value, i) => (value - pictures[1][i]) / 2);
const blend = (share) => average.map((value, i) => value + share * half[i]);

const top = add(stage, "div", { class: "panels" });
const sheets = ["goes in", "comes out"].map((title) => {
  const panel = add(top, "div", { class: "panel small" });
  add(panel, "p", { class: "title" }, title);
  const row = add(panel, "div", { class: "row center" });
  return ["first", "second"].map((which) =>
    canvas(row, data.width, data.height, `${which} picture: ${title}`));
});
const middle = add(stage, "div", { class: "panels" });
const SIZE = { width: 300, height: 200 }, LARGEST = 0.6 * data.distance, START = 0.4 * data.distance;
const axes = plot(add(middle, "div", { class: "panel" }), { ...SIZE, x: [0, LARGEST], y: [0, 1.05],
  name: "Outputs apart against the noise", xLabel: "σₓ", yLabel: narrow ? "apart (share)" : "outputs apart (share)" });
const edge = axes.curve([], "plain dashed"), curve = axes.curve([]);
const SMALLEST = 0.05 * data.distance;
const point = handle(axes, "σₓ on the curve: arrow keys to the left and right move it",
  (value) => move(Math.max(value, SMALLEST), scale));
const bells = plot(add(middle, "div", { class: "panel" }), { ...SIZE, x: [-3, 3], y: [0, 2.6],
  name: "The two posteriors", xLabel: "z", yLabel: "posteriors" });
const lines = [bells.curve([]), bells.curve([], "two dashed")];
const places = span(-3, 3, 241);

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const noise = slider(controls, {
  name: "σₓ", low: SMALLEST, high: LARGEST, step: data.distance / 200, start: START,
  text: (v) => show(v),
}, (value) => move(value, scale));
const far = slider(controls, {
  name: "distance", spoken: "distance of the pictures", low: 0.1, high: 1, step: 0.02, start: 1,
  text: (v) => show(v * data.distance, 1),
}, (value) => move(std, value));

let std = START, scale = 1, found;
const move = publish(
  { state: () => ({ noise: std, distance: scale * data.distance, ...found }), best },
  (noiseStd, share) => {
    [std, scale] = [noiseStd, share];
    const distance = scale * data.distance, a = distance / 2 / std;
    found = { a, ...best(a) };
    found.apart = apart(found);
    found.mixUp = normalCdf(-found.mean / found.std);
    [1, -1].forEach((sign, i) => {
      sheets[0][i].paint(blend(sign * scale));
      sheets[1][i].paint(blend(sign * scale * found.apart));
      const bell = places.map((z) => [z, normalDensity(z, sign * found.mean, found.std)]);
      lines[i].setAttribute("d", bells.path(bell));
    });
    curve.setAttribute("d", axes.path(SHARES.map(([each, y]) => [distance / 2 / each, y])));
    edge.setAttribute("d", axes.path([[distance / 2, 0], [distance / 2, 1.05]]));
    point(std, found.apart);
    noise.set(std);
    far.set(scale);
    const outcome = found.mean === 0
      ? "both outputs are the average, the KL is 0."
      : `the outputs are ${show(100 * found.apart, 0)} % of that apart, the KL is ${show(found.kl)} nats, ` +
        `and ${show(100 * found.mixUp, 1)} % of the draws paint the other one.`;
    say(`σₓ = ${show(std)}, distance ${show(distance, 1)}: ${outcome}`);
  });
move(std, scale);
ready();
