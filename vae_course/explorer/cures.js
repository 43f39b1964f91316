// Answers to the same codes in the plane of error and sharpness, and a filter of the first one.
const [count, height, width] = data.shape, FILTER = data.names.length;
const sheet = (values) => sideBySide(values, data.shape);
const grey = (packed) => sheet(Float32Array.from(bytes(packed), (value) => value / 255));

// How far each pixel is from the average of itself and those around it that are in the picture.
const soft = floats(data.soft);
const away = soft.map((value, i) => {
  const pixel = i % (height * width), row = Math.floor(pixel / width), column = pixel % width;
  let [sum, number] = [0, 0];
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, height - 1); r++) {
    for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, width - 1); c++) {
      sum += soft[i - pixel + r * width + c];
      number++;
    }
  }
  return value - sum / number;
});
const filtered = (strength) => sheet(soft.map((value, i) => value + strength * away[i]));

const strongest = Math.ceil((1.5 * data.start) / data.step) * data.step;
const onCurve = (s) => data.curve.map(([a, b, c]) => a + b * s + c * s * s);
const strengths = span(0, strongest, Math.round(strongest / data.step) + 1);
const curve = strengths.map(onCurve);

const panels = add(stage, "div", { class: "panels" });
const sheets = add(panels, "div", { class: "panel alone" });
const [inputs, outputs] = ["pictures", "answers to their codes"].map((title) => {
  add(sheets, "p", { class: "title" }, title);
  return canvas(sheets, count * width, height, `${count} pictures: ${title}`, "sheet");
});
inputs.paint(grey(data.images));
const answers = data.answers.map(grey);

const all = [...data.points, ...curve];
const [errors, heights] = [0, 1].map((i) => all.map((point) => point[i]));
const [least, most] = [Math.min(...errors), Math.max(...errors)];
const axes = plot(add(panels, "div", { class: "panel alone" }), {
  x: [least - 0.1 * (most - least), most + 0.1 * (most - least)], y: [0, 1.12 * Math.max(...heights)], height: 220,
  alone: true, name: "Sharpness against squared error", xLabel: "squared error", yLabel: "sharpness, real = 1",
});
axes.curve([[axes.x[0], 1], [axes.x[1], 1]], "plain dashed");
axes.curve(curve, "dashed");
// A name stands where its point is off the curve, and never outside of the plot.
const named = [];
data.points.forEach(([error, sharp], i) => {
  axes.dot(error, sharp, ["", "two", "three"][i % 3], 5);
  const label = axes.note(error, sharp, data.names[i]), [x, y] = axes.at(error, sharp);
  const cheaper = error < (curve.find(([, height]) => height >= sharp) ?? curve.at(-1))[0] - 1e-6;
  const far = error > (least + most) / 2, wide = 6.5 * data.names[i].length;
  label.setAttribute("text-anchor", "start");
  const from = cheaper || far ? Math.max(x - wide - 5, axes.at(axes.x[0], 0)[0] + 4) : x + 9;
  // On no number of the axis, and on no other name.
  const lines = (cheaper ? [-9, 14, -22, 28] : [14, -9, 28, -22]).map((away) => y + away);
  const line = lines.find((each) => each < axes.at(0, 0)[1] - 4 &&
    named.every(([a, b]) => Math.abs(a - from) > 110 || Math.abs(b - each) > 12)) ?? lines[0];
  label.setAttribute("x", from);
  label.setAttribute("y", line);
  named.push([from, line]);
});
// To the nearest point or place on the curve; by the arrow keys along the curve.
const places = [...data.points.map((point, i) => [point, i, undefined]),
  ...curve.map((point, i) => [point, FILTER, strengths[i]])];
const nearest = (a, b) => {
  const [x, y] = axes.at(a, b);
  const far = ([point]) => Math.hypot(axes.at(...point)[0] - x, axes.at(...point)[1] - y);
  return places.reduce((best, each) => (far(each) < far(best) ? each : best));
};
const here = handle(axes, "The answer in the plane: arrow keys change the filter's strength",
  (a, b) => { const [, which, s] = nearest(a, b); move(which, s ?? strength); },
  (right, up) => move(FILTER, strength + (right + up) * data.step));

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const check = choice(controls, "answer", [...data.names, "filter"], (index) => move(index, strength), FILTER);
const control = slider(controls, { name: "strength", spoken: "strength of the filter", low: 0, high: strongest,
  step: data.step, start: data.start, text: (v) => show(v) }, (value) => move(FILTER, value));

let now, strength = data.start;
const place = () => (now === FILTER ? onCurve(strength) : data.points[now]);
const name = () => (now === FILTER ? "filter" : data.names[now]);
const lost = () => data.nats * (place()[0] - data.points[0][0]);
const move = publish(
  { state: () => ({ name: name(), strength, error: place()[0], sharpness: place()[1], lost: lost() }) },
  (which, to) => {
    [now, strength] = [which, clamp(Math.round(to / data.step) * data.step, 0, strongest)];
    outputs.paint(now === FILTER ? filtered(strength) : answers[now]);
    here(...place());
    check(now);
    control.set(strength);
    const nats = lost(), word = nats < 0 ? "gained" : "lost";
    say(`${name()}${now === FILTER ? `, ${show(strength)} times` : ""}: squared error ${show(place()[0])}, ` +
      `sharpness ${show(place()[1])}` + (now ? `, ${show(Math.abs(nats), 1)} nats ${word}.` : "."));
  });
move(FILTER, data.start);
ready();
