// c times the squared error, plus β times the KL: the noise that this takes for granted.
const LATENTS = 40, LOW = -3, HIGH = 4; // bars, and powers of ten on their axis
const FACTORS = [-1, 6], BETAS = [-6, 2];
const spectra = Object.fromEntries(Object.entries(data.spectra).map(([side, packed]) => [side, floats(packed)]));
const noise = normals(2 * 3 * 64 * 64);
const rounded = (value) => Number(value.toPrecision(2));
const plain = (value) => // three digits, and never 1e-7
  value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value)))).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

// A picture in the middle of a black canvas, each pixel as often as it fits; then per channel.
function drawn(small, { side, channels, measured }) {
  const times = Math.floor(side / measured), rim = (side - times * measured) / 2;
  return Float32Array.from({ length: side * side * channels }, (_, i) => {
    const place = Math.floor(i / channels);
    const [row, column] = [Math.floor(place / side), place % side].map((v) => Math.floor((v - rim) / times));
    const inside = Math.min(row, column) >= 0 && Math.max(row, column) < measured;
    return inside ? small[row * measured + column] / 255 : 0;
  });
}

const SIZES = data.sizes.map((size) => {
  const times = size.channels * Math.floor(size.side / size.measured) ** 2;
  const variances = spectra[size.measured].map((value) => value * times);
  const rmse = Math.sqrt(variances.reduce((a, b) => a + b) / size.pixels);
  return { ...size, variances, rmse, pictures: data.pictures[size.measured].map((packed) => drawn(bytes(packed), size)) };
});

const loss = add(stage, "p", { class: "title" });
add(stage, "p", { class: "task" }, "Raise c until you recognise the pictures.");
const panels = add(stage, "div", { class: "panels" });
const left = add(panels, "div", { class: "panel small" });
const title = add(left, "p", { class: "title" });
const rows = data.pictures[SIZES[0].measured].map(() => add(left, "div", { class: "row center" }));
const right = add(panels, "div", { class: "panel" });
add(right, "p", { class: "title" }, "which latents can live");
const powers = [[-3, "10⁻³"], [-1, "0.1"], [1, "10"], [3, "10³"]];
const axes = plot(right, { x: [0, LATENTS + 1], y: [LOW, HIGH], yTicks: powers, width: 320, height: 240,
  name: "Variances along the main directions, and the noise", xLabel: "latent",
  yLabel: narrow ? "" : "variance" });
const alive = add(axes.sheet, "path", { class: "bars" });
const dead = add(axes.sheet, "path", { class: "bars dead" });
const line = axes.curve([], "two"), note = axes.note(0, 0, "σₓ²");
note.setAttribute("class", "lf-hint");
const knob = handle(axes, "σₓ² as a line over the variances: arrow keys change c",
  (_, power) => move({ c: factor(10 ** clamp(power, LOW, HIGH)) }),
  (side, up) => move({ c: step(now.c, -(side + up)) }));

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
choice(controls, "D", SIZES.map(({ pixels }) => String(pixels)), (index) => move({ size: SIZES[index] }),
  SIZES.findIndex(({ pixels }) => pixels === data.start.pixels));
const REDUCED = ["mean", "sum"];
choice(controls, "squares", REDUCED.map((kind) => `${kind} over D`), (index) => move({ reduce: REDUCED[index] }),
  REDUCED.indexOf(data.start.reduce));
const logSlider = (name, spoken, [low, high], key) => slider(controls, { name, spoken, low, high, step: 0.02,
  start: Math.log10(data.start[key]), text: (power) => plain(rounded(10 ** power)) },
(power) => move({ [key]: rounded(10 ** power) }));
const sliders = {
  c: logSlider("c", "c, the factor of the squared error", FACTORS, "c"),
  beta: logSlider("β", "β, the factor of the KL", BETAS, "beta"),
};

// Minus the ELBO has SSE / 2σ² + KL: divide the loss by β, and compare what stands before the SSE.
const before = () => (now.reduce === "mean" ? now.size.pixels : 1) * now.beta;
const factor = (variance) => clamp(rounded(before() / (2 * variance)), ...FACTORS.map((power) => 10 ** power));
const step = (value, times) => clamp(rounded(value * 10 ** (0.1 * times)), ...FACTORS.map((power) => 10 ** power));

function describe({ std, living }) {
  const { size, reduce } = now;
  const large = std > 1 ? ", more than from black to white"
    : std > size.rmse ? `, and the mean picture is off by only ${plain(size.rmse)}` : "";
  const formula = `σₓ² = ${reduce === "mean" ? "βD / 2c" : "β / 2c"} = ${plain(std ** 2)}`;
  const left = living ? `${living} latent${living > 1 ? "s" : ""} of a linear VAE` : "No latent of a linear VAE";
  return `${formula}: σₓ is ${plain(std)}${large}. ${left} can live.`;
}

let sheets;
function redraw(size) {
  title.textContent = `${size.channels > 1 ? `${size.channels} × ` : ""}${size.side} × ${size.side}, clean and noisy`;
  sheets = size.pictures.map((picture, i) => {
    rows[i].replaceChildren();
    const [clean, noisy] = ["The decoder's mean", "A picture as the loss expects it"].map((name) =>
      canvas(rows[i], size.side, size.side, name));
    clean.paint(picture, size.channels);
    return noisy;
  });
}
const noisy = (picture, i) => picture.map((value, k) => value + found.std * noise[i * picture.length + k]);

let now = { reduce: data.start.reduce, c: data.start.c, beta: data.start.beta }, found;
const move = publish(
  {
    state: () => ({ ...now, size: undefined, pixels: now.size.pixels, ...found }),
    noise: () => Array.from(noise),
  },
  (change) => {
    if (change.size) redraw(change.size);
    now = { ...now, ...change };
    const { size, reduce, c, beta } = now, variance = before() / (2 * c);
    const living = size.variances.filter((value) => value > variance).length;
    found = { variance, std: Math.sqrt(variance), living };
    size.pictures.forEach((picture, i) => sheets[i].paint(noisy(picture, i), size.channels));
    const heights = Array.from(size.variances.slice(0, LATENTS), (value) => Math.log10(Math.max(value, 1e-9)));
    const bars = heights.map((height, i) => [i + 1, LOW - 1, height]);
    alive.setAttribute("d", axes.bars(bars.slice(0, living)));
    dead.setAttribute("d", axes.bars(bars.slice(living)));
    const height = clamp(Math.log10(variance), LOW, HIGH), [x, y] = axes.at(LATENTS, height);
    line.setAttribute("d", axes.path([[0, height], [LATENTS + 1, height]]));
    const place = { x, y: height > 3 ? y + 16 : y - 8, "text-anchor": "end" };
    for (const [name, value] of Object.entries(place)) note.setAttribute(name, value);
    knob(0.25 * LATENTS, height);
    sliders.c.set(Math.log10(c));
    sliders.beta.set(Math.log10(beta));
    loss.textContent = `loss = ${plain(c)} · ${reduce} of squares + ${plain(beta)} · KL`;
    say(describe(found));
  });
move({ size: SIZES.find(({ pixels }) => pixels === data.start.pixels) });
ready();
