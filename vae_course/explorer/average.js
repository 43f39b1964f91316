// Bayes' rule over the pictures at z, and what the best decoder and the trained one make of it.
const [height, width] = data.shape, size = height * width, n = data.labels.length;
const pictures = nibbles(data.pictures); // (n · size)
const codes = matrix(data.codes, n), stds = matrix(data.stds, n); // all z₁, then all z₂
const decode = network(data.layers);

function weightsAt(z) {
  const logs = data.labels.map((_, i) => [0, 1].reduce((sum, axis) => {
    const std = stds[axis * n + i];
    return sum - (((z[axis] - codes[axis * n + i]) / std) ** 2) / 2 - Math.log(std);
  }, 0));
  const most = Math.max(...logs), each = logs.map((log) => Math.exp(log - most));
  const total = each.reduce((a, b) => a + b);
  return each.map((weight) => weight / total);
}

function averageWith(weights) {
  const sum = new Float64Array(size);
  weights.forEach((weight, i) => {
    if (weight > 1e-6) for (let k = 0; k < size; k++) sum[k] += weight * pictures[i * size + k];
  });
  return sum;
}

add(stage, "p", { class: "task" }, "Drag z until the average gets sharp.");
const panels = add(stage, "div", { class: "panels" });
const sides = data.middle.map((middle) => [middle - data.half, middle + data.half]);
const axes = plot(add(panels, "div", { class: "panel alone" }), { x: sides[0], y: sides[1], width: 300,
  height: narrow ? 160 : 270, alone: true, name: "Plane of the codes", xLabel: "z₁", yLabel: "z₂" });
const points = data.labels.map((_, i) => `${axes.path([[codes[i], codes[n + i]]])}h0`).join("");
add(axes.sheet, "path", { class: "dots soft", d: points });
const rings = Array.from({ length: data.shown }, () => axes.dot(0, 0, "open"));

const right = add(panels, "div", { class: "panel alone" });
add(right, "p", { class: "title" }, "may have sent z, most likely first");
const row = add(right, "div", { class: "row center tight" });
const likely = rings.map((_, i) => {
  const box = add(row, "div", { class: "cell" });
  return { picture: canvas(box, width, height, `Number ${i + 1}`, "sheet"), share: add(box, "p", { class: "share" }) };
});
const below = add(right, "div", { class: "row center" });
const [average, decoded] = [narrow ? "average" : "average of all", "decoder"].map((title) => {
  const box = add(below, "div", { class: "half" });
  add(box, "p", { class: "title" }, title);
  return canvas(box, width, height, title, "sheet");
});

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const sliders = sides.map(([low, high], axis) => slider(controls, {
  name: ["z₁", "z₂"][axis], low, high, step: (high - low) / 200, start: data.start[axis], text: (v) => show(v),
}, (value) => move(...now.map((old, i) => (i === axis ? value : old)))));
const place = handle(axes, "z: arrow keys move it, with Shift in larger steps", (...z) => move(...z));

// The labels of what may have sent z: the three most likely, if above a tenth.
function kinds(weights) {
  const shares = {};
  weights.forEach((weight, i) => (shares[data.labels[i]] = (shares[data.labels[i]] ?? 0) + weight));
  const most = Object.entries(shares).filter(([, share]) => share > 0.1).sort(([, a], [, b]) => b - a);
  return most.slice(0, 3).map(([label, share]) => `${show(100 * share, 0)} % ${withArticle(label)}`).join(", ");
}

let now, found;
const move = publish({ state: () => found, decode: (z) => Array.from(decode(z)) }, (...z) => {
  now = z;
  const weights = weightsAt(z), entropy = weights.reduce((sum, w) => (w > 0 ? sum - w * Math.log(w) : sum), 0);
  const order = weights.map((_, i) => i).sort((a, b) => weights[b] - weights[a]).slice(0, data.shown);
  found = { z, number: Math.exp(entropy), largest: order, weights: order.map((i) => weights[i]) };
  order.forEach((i, rank) => {
    likely[rank].picture.paint(pictures.subarray(i * size, (i + 1) * size));
    likely[rank].share.textContent = `${show(100 * weights[i], 0)} %`;
    const [cx, cy] = axes.at(codes[i], codes[n + i]);
    const ring = { cx, cy, r: 2 + 14 * Math.sqrt(weights[i]) };
    for (const [name, value] of Object.entries(ring)) rings[rank].setAttribute(name, value);
  });
  average.paint(averageWith(weights));
  decoded.paint(decode(z));
  place(...z);
  sliders.forEach(({ set }, axis) => set(z[axis]));
  say(`z = (${show(z[0])}, ${show(z[1])}): about eᴴ = ${show(found.number, 1)} of ${n} pictures may have ` +
    `sent it, ${kinds(weights)}.`);
});
move(...data.start);
ready();
