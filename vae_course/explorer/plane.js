// Codes in a plane, one panel for each model. z moves, and the decoder draws what is there.
// The colours of plotting.py; the lightest is darker here, and black turns white on a dark page.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800",
  "var(--black)", "#7f7f7f", "#a6a6a6"];
const row = add(stage, "div", { class: "panels" });
const panels = data.panels.map(panel);

const move = publish(
  {
    state: () => panels.map(({ name, z, nearest }) => ({ name, z, nearest })),
    decode: (z, index = 0) => Array.from(panels[index].decode(z)),
  },
  (panel, z) => {
    panel.z = z;
    panel.picture.paint(panel.decode(z));
    panel.place(...z);
    panel.sliders.forEach(({ set }, axis) => set(z[axis]));
    panel.nearest = nearest(panel.codes, z);
    panel.say(describe(panel));
  });
for (const each of panels) move(each, each.z);
ready();

function panel(spec) {
  const box = add(row, "div", { class: "panel" });
  add(box, "p", { class: "title" }, spec.name);
  const sides = spec.middle.map((middle) => [middle - spec.half, middle + spec.half]);
  const axes = plot(box, { x: sides[0], y: sides[1], height: 290, name: `Plane of the ${spec.name}`,
    xLabel: "z₁", yLabel: "z₂", alone: data.panels.length === 1 });
  const codes = columns(spec.codes), help = "arrow keys move it, with Shift in larger steps";
  cloud(axes, codes, spec.circles);
  const made = { ...spec, codes, z: spec.middle, decode: network(spec.layers) };
  made.place = handle(axes, `z of the ${spec.name}: ${help}`, (...z) => move(made, z));

  // Where there is room beside a plane, the picture is large; else it lies below, with the controls.
  const room = data.panels.length === 1 && !narrow;
  const where = room ? add(row, "div", { class: "panel small" }) : box;
  const below = room ? where : add(where, "div", { class: "row below" });
  const name = `Decoded by the ${spec.name}`;
  if (room) add(below, "p", { class: "title" }, "decoded");
  made.picture = canvas(below, data.width, data.height, name, room ? "sheet" : "picture");
  const controls = add(below, "div", { class: "grow" });
  made.sliders = sides.map(([low, high], axis) => slider(controls, {
    name: ["z₁", "z₂"][axis], spoken: `${["z₁", "z₂"][axis]} of the ${spec.name}`, low, high,
    step: (high - low) / 200, start: spec.middle[axis], text: (v) => show(v),
  }, (value) => move(made, made.z.map((old, i) => (i === axis ? value : old)))));
  made.say = speaker(where);
  return made;
}

// Packed as two rows, all z₁ and then all z₂; wanted as pairs.
function columns(packed) {
  const n = data.labels.length, rows = matrix(packed, n);
  return Float32Array.from(rows, (_, i) => rows[(i % 2) * n + (i >> 1)]);
}

// All points of a digit are one path: lines of no length with round ends.
function cloud(axes, codes, circles) {
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  for (const radius of circles) {
    axes.curve(span(0, 2 * Math.PI, 90).map((a) => [radius * Math.cos(a), radius * Math.sin(a)]), "plain dashed");
  }
  const badges = [];
  COLOURS.forEach((colour, digit) => {
    const mine = data.labels.flatMap((label, i) => (label === digit ? [[codes[2 * i], codes[2 * i + 1]]] : []));
    if (!mine.length) return;
    const d = mine.map((point) => `${axes.path([point])}h0`).join("");
    add(axes.sheet, "path", { class: "dots", d, style: `stroke: ${colour}` });
    badges.push([colour, digit, middle(mine.map(([a]) => a)), middle(mine.map(([, b]) => b))]);
  });
  for (const [colour, digit, a, b] of badges) {
    const badge = axes.dot(a, b, "badge", 8);
    badge.setAttribute("style", `stroke: ${colour}`);
    const text = axes.note(a, b, digit);
    text.setAttribute("class", "lf-digit");
    text.setAttribute("dy", 4);
  }
}

function nearest(codes, [a, b]) {
  let best = { index: 0, distance: Infinity };
  for (let i = 0; 2 * i < codes.length; i++) {
    const distance = Math.hypot(codes[2 * i] - a, codes[2 * i + 1] - b);
    if (distance < best.distance) best = { index: i, distance };
  }
  return { ...best, label: data.labels[best.index] };
}

function describe({ z, nearest, reach }) {
  const gap = nearest.distance > reach ? ", so z is in a gap" : "";
  return `z = (${show(z[0])}, ${show(z[1])}). Nearest code: ${withArticle(nearest.label)}, ` +
    `${show(nearest.distance)} away${gap}.`;
}
