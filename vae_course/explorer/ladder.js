// Draws of one prior over the codes. A draw is picked in the plane, among the pictures, or by slider.
const [height, width] = data.shape, size = height * width, columns = 8;
const codes = matrix(data.codes, data.points);
const rungs = data.rungs.map((rung) => ({
  ...rung, draws: matrix(rung.draws, rung.count), pictures: nibbles(rung.pictures),
}));

const panels = add(stage, "div", { class: "panels" });
const sides = data.middle.map((middle) => [middle - data.half, middle + data.half]);
const axes = plot(add(panels, "div", { class: "panel alone" }), { x: sides[0], y: sides[1], width: 300,
  height: narrow ? 170 : 270, least: 0, alone: true, name: "Codes, and draws over them",
  xLabel: "first direction", yLabel: "second direction" });
const dots = (xy, n) => Array.from({ length: n }, (_, i) => `${axes.path([[xy[i], xy[n + i]]])}h0`).join("");
add(axes.sheet, "path", { class: "dots soft", d: dots(codes, data.points) });
const drawn = add(axes.sheet, "path", { class: "dots two" });

const right = add(panels, "div", { class: "panel alone" });
add(right, "p", { class: "title" }, "drawn and decoded");
const [cellHeight, cellWidth] = [height + 2, width + 2], lines = Math.ceil(data.shown / columns);
const sheet = canvas(right, columns * cellWidth, lines * cellHeight, `${data.shown} draws, decoded`, "sheet");
sheet.addEventListener("click", (event) => {
  const box = sheet.getBoundingClientRect();
  const [column, line] = [(event.clientX - box.left) / box.width * columns, (event.clientY - box.top) / box.height * lines];
  move(rung, clamp(Math.floor(line) * columns + Math.floor(column), 0, data.shown - 1));
});

// Each picture in a frame, and that of the picked one white.
function framed(pictures, picked) {
  const wide = columns * cellWidth;
  return Float32Array.from({ length: wide * lines * cellHeight }, (_, at) => {
    const [y, x] = [Math.floor(at / wide), at % wide], [line, column] = [Math.floor(y / cellHeight), Math.floor(x / cellWidth)];
    const i = line * columns + column, [row, place] = [(y % cellHeight) - 1, (x % cellWidth) - 1];
    const inside = row >= 0 && row < height && place >= 0 && place < width;
    return inside ? pictures[i * size + row * width + place] ?? 0 : i === picked ? 1 : 0.25;
  });
}

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
choice(controls, "prior", rungs.map(({ name }) => name), (index) => move(index, draw), data.start);
const control = slider(controls, { name: "draw", low: 1, high: data.shown, step: 1, start: 1, text: (v) => `${v} of ${data.shown}` },
  (value) => move(rung, value - 1));
const where = (i) => [rungs[rung].draws[i], rungs[rung].draws[rungs[rung].count + i]];
const away = (i, [x, y]) => Math.hypot(where(i)[0] - x, where(i)[1] - y);
const nearest = (...place) => span(0, data.shown - 1, data.shown).reduce((best, i) => (away(i, place) < away(best, place) ? i : best), 0);
const knob = handle(axes, "The draw: arrow keys go to the next one", (...place) => move(rung, nearest(...place)),
  (across, up) => move(rung, clamp(draw + across - up, 0, data.shown - 1)));

const percent = (share) => `${show(100 * share, 0)} %`;
const gained = (nats) => `${nats < -0.005 ? "" : "+"}${show(nats)}`;
let rung, draw;
const move = publish({ state: () => ({ rung: rungs[rung].name, draw, place: where(draw) }) }, (index, picked) => {
  if (index !== rung) drawn.setAttribute("d", dots(rungs[index].draws, rungs[index].count));
  [rung, draw] = [index, picked];
  const { name, nats, error, unanimous, kinds, pictures } = rungs[rung];
  sheet.paint(framed(pictures, draw));
  knob(...where(draw));
  control.set(draw + 1);
  const first = rung ? ` (${rungs[0].name}: ${percent(rungs[0].unanimous)})` : "";
  say(`${name}: ${gained(nats)} ± ${show(error)} nats; ${percent(unanimous)} of draws unanimous${first}; ` +
    `${show(kinds, 1)} kinds. Ringed: draw ${draw + 1}.`);
});
move(data.start, 0);
ready();
