// One trained model for each stop of the slider: its reconstructions, and its place on the curve.
const [count, height, width] = data.shape;
const sheet = (packed) => sideBySide(Float32Array.from(bytes(packed), (value) => value / 255), data.shape);

const panels = add(stage, "div", { class: "panels" });
const sheets = add(panels, "div", { class: "panel alone" });
const [inputs, outputs] = ["goes in", "comes out"].map((title) => {
  add(sheets, "p", { class: "title" }, title);
  return canvas(sheets, count * width, height, `${count} pictures: ${title}`, "sheet");
});
inputs.paint(sheet(data.inputs));
const decoded = data.stops.map(({ pictures }) => sheet(pictures));

const most = (name) => 1.1 * Math.max(...data.stops.map((stop) => stop[name]));
const axes = plot(add(panels, "div", { class: "panel alone" }), {
  x: [0, most("distortion")], y: [0, most("rate")], height: 220, alone: true, name: "Rate against distortion",
  xLabel: "distortion: squared error", yLabel: "rate: KL in nats",
});
axes.curve(data.stops.map(({ distortion, rate }) => [distortion, rate]));
for (const { distortion, rate } of data.stops) axes.dot(distortion, rate, "", 4);
// On the curve: to the nearest model, and by the arrow keys from one to the next.
const away = ([x, y], stop) => Math.hypot(...axes.at(stop.distortion, stop.rate).map((v, i) => v - [x, y][i]));
const nearest = (...place) => data.stops.map((stop) => away(axes.at(...place), stop))
  .reduce((best, each, i, all) => (each < all[best] ? i : best), 0);
const here = handle(axes, "The model on the curve: arrow keys go to the next one",
  (...place) => move(nearest(...place)),
  (right, up) => move(clamp(now + right - up, 0, data.stops.length - 1)));

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const text = (index) => show(data.stops[index].std, 3).replace(/0+$/, "");
const control = slider(controls, { name: "σₓ", low: 0, high: data.stops.length - 1, step: 1,
  start: data.stops.length >> 1, text }, (index) => move(index));

let now;
const move = publish({ state: () => ({ index: now, ...data.stops[now], pictures: undefined }) }, (index) => {
  now = index;
  const { rate, distortion, active } = data.stops[index];
  outputs.paint(decoded[index]);
  here(distortion, rate);
  control.set(index);
  say(`σₓ = ${text(index)}: KL ${show(rate, 1)} nats, squared error ${show(distortion, 1)} ` +
    `(${show(Math.sqrt(distortion / (height * width)))} per pixel), ${active} of ${data.latents} latents active.`);
});
move(data.stops.length >> 1);
ready();
