// Faces decoded and painted beforehand, on one sheet: a row for each turn and glasses, first the decoded ones.
const { size, faces, read, start } = data, { smile: smiles, turn: turns } = data.stops;
const MOST = 1.25; // the ends of the scale
const KINDS = [["decoded", "two"], ["painted", "three"]], WEARS = ["no glasses", "glasses"];
const looks = (turn) => (turn < 0 ? "to the left" : turn > 0 ? "to the right" : "straight ahead");

add(stage, "p", { class: "task" }, "No smile is asked for (▲), only a turned head. What does the needle say? " +
  "Turn the head back; then ask for a smile.");
const panels = add(stage, "div", { class: "panels" });
const papers = KINDS.map(([kind, colour]) => {
  const panel = add(panels, "div", { class: "panel face" });
  add(panel, "p", { class: "title", style: `color: var(--${colour})` }, kind);
  return canvas(panel, size, size, `The face, ${kind}`, "sheet");
});

// A dial: the needle is what the reader sees on decoded faces, a ring the same on painted ones.
const panel = add(panels, "div", { class: "panel alone" }), title = add(panel, "p", { class: "title" });
for (const [text, colour] of [["▲ asked", "ink"], [" · "], ["╱ decoded", "two"], [" · "], ["○ painted", "three"]]) {
  add(title, "span", { style: `color: var(--${colour ?? "soft"})` }, text);
}
const dial = add(panel, "svg", { viewBox: "0 0 300 150", role: "img", "aria-label": "Smile, asked for and seen" });
const at = (smile, radius) => {
  const angle = (Math.PI * (1 - clamp(smile, -MOST, MOST) / MOST)) / 2;
  return [150 + radius * Math.cos(angle), 140 - radius * Math.sin(angle)];
};
const line = (points) => points.map((point, i) => `${i ? "L" : "M"}${point.map((v) => v.toFixed(2))}`).join("");
add(dial, "path", { class: "frame", d: line(span(-MOST, MOST, 61).map((smile) => at(smile, 108))) });
for (const smile of [-1, -0.5, 0, 0.5, 1]) {
  add(dial, "path", { class: "frame", d: line([at(smile, 104), at(smile, 112)]) });
}
const needle = add(dial, "path", { class: "curve two", style: "stroke-width: 4; stroke-linecap: round" });
const ring = add(dial, "circle", { class: "dot open", r: 6, style: "stroke: var(--three)" });
const mark = add(dial, "path", { style: "fill: var(--ink)" });
add(dial, "circle", { class: "dot two", cx: 150, cy: 140, r: 6 });
for (const smile of [-1, -0.5, 0, 0.5, 1]) { // over the needle
  const [x, y] = at(smile, 88);
  add(dial, "text", { class: "hint", x, y: y + 4, "text-anchor": "middle" }, show(smile, 1));
}

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const stop = (name, values, axis, text) => slider(controls, { name, low: 0, high: values.length - 1, step: 1,
  start: start[axis], text: (index) => text(values[index]) }, (index) => move(...now.with(axis, index)));
const sliders = [stop("smile", smiles, 0, (smile) => show(smile, 1)), stop("turn", turns, 1, (turn) => show(turn, 1))];
choice(controls, "wears", WEARS, (index) => move(...now.with(2, index)), start[2]);

let now = start, seen;
const sheet = new Image();
const move = publish({ state: () => ({ now, asked: smiles[now[0]], ...seen }) }, (smile, turn, worn) => {
  now = [smile, turn, worn];
  const row = worn * turns.length + turn, picture = row * smiles.length + smile;
  seen = { decoded: read.decoded[picture], painted: read.painted[picture] };
  papers.forEach((paper, kind) => paper.getContext("2d").drawImage(sheet,
    smile * size, (kind * WEARS.length * turns.length + row) * size, size, size, 0, 0, size, size));
  needle.setAttribute("d", line([[150, 140], at(seen.decoded, 104)]));
  const [cx, cy] = at(seen.painted, 108), asked = smiles[smile];
  ring.setAttribute("cx", cx);
  ring.setAttribute("cy", cy);
  mark.setAttribute("d", line([at(asked, 112), at(asked - 0.05, 124), at(asked + 0.05, 124)]) + "Z");
  sliders.forEach(({ set }, axis) => set(now[axis]));
  say(`Asked: smile ${show(asked, 1)}, ${looks(turns[turn])}, ${WEARS[worn]}. Seen (mean of ${faces} faces): ` +
    `${show(seen.decoded)} decoded, ${show(seen.painted)} painted.`);
});
sheet.onload = () => move(...now); // until then the papers are blank
sheet.src = `data:image/webp;base64,${data.sheet}`;
move(...start);
ready();
