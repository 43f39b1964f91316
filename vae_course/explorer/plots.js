// Plots with axes, and points in them to be moved.

function ticks(low, high, parts) {
  const raw = (high - low) / parts, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((each) => each * power >= raw * 0.99) * power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    [(first + i) * step, show((first + i) * step, digits)]);
}

// About how wide digits are in a plot, whose type is 12 units high.
const widthOf = (text) => 6.7 * text.length - 3.4 * text.split(".").length + 3.4;

// Axes from low to high. `at` turns numbers into places, `path` a list of points into a path.
// On a narrow screen a plot is half as wide as the figure, unless it stands alone in its row.
const HALF_ROW = 150, WHOLE_ROW = 310;
let plots = 0; // of all that were drawn, so that no name of a clip comes again
function plot(parent, { x, y, name, xLabel, yLabel, xTicks, yTicks, width = 300, height = 240, alone, least = 165,
  compact = narrow && !alone }) {
  const parts = compact ? 3 : 4, heights = (yTicks ?? ticks(...y, parts)).map(([b, text]) => [b, String(text)]);
  const [margin, right, top, bottom] = compact ? [32, 6, 6, 32] : [44, 10, 8, 36];
  const left = Math.max(margin, (yLabel ? 20 : 6) + Math.max(...heights.map(([, text]) => widthOf(text)), 0));
  if (narrow) {
    const room = alone ? WHOLE_ROW : HALF_ROW;
    [width, height] = [room, Math.round(Math.max((room * height) / width, least))];
  }
  const svg = add(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": name });
  const inner = { width: width - left - right, height: height - top - bottom };
  const at = (a, b) => [
    left + ((a - x[0]) / (x[1] - x[0])) * inner.width,
    top + ((y[1] - b) / (y[1] - y[0])) * inner.height,
  ];
  const clip = `${root.id}-clip-${++plots}`;
  add(add(add(svg, "defs"), "clipPath", { id: clip }), "rect", { x: left, y: top, ...inner });
  const scale = add(svg, "g", { "aria-hidden": "true" });
  for (const [value, text] of xTicks ?? ticks(...x, parts)) {
    add(scale, "path", { class: "grid", d: `M${at(value, y[0])}V${top}` });
    add(scale, "text", { x: at(value, 0)[0], y: height - bottom + 16, "text-anchor": "middle" }, text);
  }
  for (const [value, text] of heights) {
    add(scale, "path", { class: "grid", d: `M${at(x[0], value)}H${width - right}` });
    add(scale, "text", { x: left - 5, y: at(0, value)[1] + 4, "text-anchor": "end" }, text);
  }
  const turned = `translate(11 ${top + inner.height / 2}) rotate(-90)`;
  add(scale, "text", { x: left + inner.width / 2, y: height - 4, "text-anchor": "middle" }, xLabel);
  add(scale, "text", { transform: turned, "text-anchor": "middle" }, yLabel);
  add(scale, "rect", { class: "frame", x: left, y: top, ...inner });
  const sheet = add(svg, "g", { "clip-path": `url(#${clip})`, "aria-hidden": "true" });
  const notes = [];
  const place = (a, b) => at(a, b).map((v) => v.toFixed(1));
  const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${place(a, b)}`).join("");
  // Bars [a, low, high] in one path, each 0.7 wide.
  const bars = (all) => all.map(([a, low, high]) =>
    path([[a - 0.35, low], [a - 0.35, high], [a + 0.35, high], [a + 0.35, low]]) + "Z").join("");
  return {
    svg, at, x, y, sheet, path, bars, notes,
    value: (px, py) => [
      x[0] + ((px - left) / inner.width) * (x[1] - x[0]),
      y[1] - ((py - top) / inner.height) * (y[1] - y[0]),
    ],
    curve: (points, kind = "") => add(sheet, "path", { class: `curve ${kind}`, d: path(points) }),
    dot: (a, b, kind = "", r = 5) => {
      const [cx, cy] = at(a, b);
      return add(sheet, "circle", { class: `dot ${kind}`, cx, cy, r });
    },
    note: (a, b, text) => {
      const [left, top] = at(a, b);
      notes.push([left, top, widthOf(String(text)) / 2 + 6]);
      return add(sheet, "text", { x: left, y: top, "text-anchor": "middle" }, text);
    },
  };
}

// A point in a plot to be dragged, or moved by the arrow keys. On a touch screen only the point
// itself catches a drag, so that the page still scrolls; a tap moves the point anywhere. Where
// `onArrow` is given, the arrow keys call it with the steps to the right and up, and no more.
function handle(where, name, onMove, onArrow) {
  const { svg, x, y, at } = where;
  const knob = add(svg, "g", { class: "handle", tabindex: 0, role: "application", "aria-label": name });
  for (const [kind, r] of [["reach", 22], ["ring", 9], ["core", 3]]) add(knob, "circle", { class: kind, r });
  const hint = add(knob, "text", { class: "hint" }, "drag me");
  // It stands where it lies on no other text: above the point, below it, or to a side.
  const SIDES = [["middle", 0, -14], ["middle", 0, 24], ["start", 14, 4], ["end", -14, 4]];
  const stand = (left, top) => {
    const { width, height } = svg.viewBox.baseVal, half = 22;
    return SIDES.find(([anchor, dx, dy]) => {
      const x = left + dx + { start: half, middle: 0, end: -half }[anchor], y = top + dy - 4;
      return x > half && x < width - half && y > 6 && y < height - 6 && where.notes.every(([a, b, around]) =>
        Math.abs(x - a) > half + around || Math.abs(y - b) > 15);
    }) ?? SIDES[top < 25 ? 1 : 0];
  };
  let place = [0, 0], dragging = false;
  const move = (a, b) => {
    hint.remove();
    place = [clamp(a, ...x), clamp(b, ...y)];
    onMove(...place);
  };
  const follow = (event) => {
    const box = svg.getBoundingClientRect(), size = svg.viewBox.baseVal;
    move(...where.value(((event.clientX - box.left) * size.width) / box.width,
      ((event.clientY - box.top) * size.height) / box.height));
  };
  svg.classList.add("lf-drag");
  svg.addEventListener("pointerdown", (event) => {
    if (event.button || (event.pointerType === "touch" && !knob.contains(event.target))) return;
    dragging = true;
    svg.setPointerCapture(event.pointerId);
    knob.focus({ preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => dragging && follow(event));
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => (dragging = false));
  svg.addEventListener("click", follow); // a tap; after a drag, the same place again
  knob.addEventListener("keydown", (event) => {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    const arrow = arrows[event.key];
    if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (onArrow) return onArrow(...arrow);
    const far = event.shiftKey ? 0.1 : 0.02;
    move(place[0] + arrow[0] * far * (x[1] - x[0]), place[1] + arrow[1] * far * (y[1] - y[0]));
  });
  return (a, b) => {
    place = [a, b];
    const [left, top] = at(a, b);
    knob.setAttribute("transform", `translate(${left} ${top})`);
    if (!hint.isConnected) return;
    const [anchor, dx, dy] = stand(left, top);
    for (const [name, value] of Object.entries({ "text-anchor": anchor, x: dx, y: dy })) hint.setAttribute(name, value);
  };
}

