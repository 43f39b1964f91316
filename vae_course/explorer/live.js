// What all live figures share. `root` is the figure, `data` its numbers; nothing leaves this scope.
const stage = root.querySelector(".lf-stage");
const parser = document.createElement("div");
parser.innerHTML = "<svg></svg>";
const SVG = parser.firstChild.namespaceURI; // asked for, since no address may stand in a page

// Themes have rules for names such as row and badge, so each of our classes gets a prefix.
const prefixed = (names) => names.trim().split(/\s+/).map((name) => `lf-${name}`).join(" ");

function add(parent, tag, attributes = {}, text) {
  const inSvg = tag === "svg" || parent.namespaceURI === SVG;
  const made = inSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, name === "class" ? prefixed(value) : value);
  }
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}

// ---- Narrow screens: two panels beside each other at half width, drawn for it and not shrunk.
const narrow = matchMedia("(max-width: 600px)").matches;

// ---- Numbers

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const span = (low, high, n) => Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

function show(value, digits = 2) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// "a 7", "an 8"
const withArticle = (number) => `${/^(8|11$|18$)/.test(number) ? "an" : "a"} ${number}`;

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);

// Grey values of 4 bits, two to a byte.
const nibbles = (text) => Float32Array.from(Array.from(bytes(text)).flatMap((byte) => [byte >> 4, byte & 15]),
  (level) => level / 15);

// Whole numbers, highest bit first, with a scale for each row of `inputs`; `bits` is how many bits
// each has, in all rows or row by row.
function matrix(packed, inputs) {
  if (typeof packed === "string") return floats(packed);
  const source = bytes(packed.rows), scale = floats(packed.scale);
  const made = new Float32Array(scale.length * inputs);
  for (let row = 0, i = 0, at = 0, buffer = 0, have = 0; row < scale.length; row++) {
    const bits = packed.bits[row] ?? packed.bits;
    for (const end = i + inputs; i < end; i++) {
      for (; have < bits; have += 8) buffer = (buffer << 8) | source[at++];
      have -= bits;
      made[i] = ((buffer >> have) - 2 ** (bits - 1)) * scale[row];
      buffer &= 2 ** have - 1;
    }
  }
  return made;
}

function errorFunction(x) {
  // Its series near 0, and a continued fraction where that is slow: right to about 1e-12.
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  let sum = 0;
  if (size < 2.5) {
    for (let n = 0, term = size; n < 60; n++, term *= (-size * size) / n) sum += term / (2 * n + 1);
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  for (let k = 60; k > 0; k--) sum = k / 2 / (size + sum);
  return Math.sign(x) * (1 - Math.exp(-size * size) / ((size + sum) * Math.sqrt(Math.PI)));
}

const normalCdf = (x) => (1 + errorFunction(x / Math.SQRT2)) / 2;
const normalDensity = (x, mean, std) =>
  Math.exp(-(((x - mean) / std) ** 2) / 2) / (std * Math.sqrt(2 * Math.PI));

// Normal numbers from a small generator with a fixed seed (mulberry32), by Box and Muller's way.
function normals(n) {
  let seed = 1;
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Array.from({ length: n }, () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

// ---- A decoder: layers as network.py packs them, z -> outputs

const ACTIVATIONS = {
  relu: (x) => (x > 0 ? x : 0),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

function linear(layer) {
  const bias = floats(layer.bias), n = layer.inputs, weight = matrix(layer.weight, n);
  return (input) => {
    const output = new Float64Array(bias.length);
    for (let row = 0, at = 0; row < output.length; row++) {
      let sum = bias[row];
      for (let i = 0; i < n; i++) sum += weight[at++] * input[i];
      output[row] = sum;
    }
    return output;
  };
}

function network(layers) {
  const steps = layers.map((layer) =>
    layer.kind === "linear" ? linear(layer) : (input) => input.map(ACTIVATIONS[layer.kind]));
  return (z) => steps.reduce((values, step) => step(values), Float64Array.from(z));
}

// ---- Pictures

function canvas(parent, width, height, name, kind = "picture") {
  const made = add(parent, "canvas", { width, height, class: kind, role: "img", "aria-label": name });
  const context = made.getContext("2d"), pixels = context.createImageData(width, height);
  pixels.data.fill(255);
  // Grey values, or with three channels red, green and blue of each pixel.
  made.paint = (values, channels = 1) => {
    for (let i = 0; i < width * height; i++) {
      for (let k = 0; k < 3; k++) {
        pixels.data[4 * i + k] = Math.round(255 * clamp(values[channels * i + (k % channels)], 0, 1));
      }
    }
    context.putImageData(pixels, 0, 0);
  };
  return made;
}

// Pictures (count · height · width), one after the other -> one sheet with them side by side.
function sideBySide(values, [count, height, width]) {
  return Float32Array.from(values, (_, i) => {
    const row = Math.floor(i / (count * width)), column = i % (count * width);
    return values[(Math.floor(column / width) * height + row) * width + (column % width)];
  });
}

// ---- Controls, and what a screen reader hears

// A native slider. `text` says a value in words; `set` moves it without calling `onMove`.
function slider(parent, { name, spoken, low, high, step, start, text }, onMove) {
  const row = add(parent, "div", { class: "row" }), label = add(row, "label");
  add(label, "span", { class: "name" }, name);
  const input = add(label, "input", { type: "range", min: low, max: high, step, "aria-label": spoken ?? name });
  const value = add(row, "span", { class: "value", "aria-hidden": "true" });
  const set = (number) => {
    input.value = number;
    value.textContent = text(number);
    input.setAttribute("aria-valuetext", text(number));
  };
  input.addEventListener("input", () => onMove(Number(input.value)));
  set(start);
  return { set, input };
}

// Radio buttons. `options` are the texts; onChoose is called with the number of the chosen one. What
// comes back chooses one without calling it.
function choice(parent, name, options, onChoose, start = 0) {
  const row = add(parent, "div", { class: "row choice", role: "radiogroup", "aria-label": name });
  add(row, "span", { class: "name", "aria-hidden": "true" }, name);
  const inputs = options.map((text, index) => {
    const label = add(row, "label");
    const input = add(label, "input", { type: "radio", name: `${root.id}-${name}` });
    input.checked = index === start;
    add(label, "span", {}, text);
    input.addEventListener("change", () => onChoose(index));
    return input;
  });
  return (index) => (inputs[index].checked = true);
}

// A line that is seen at once, and spoken when the moves have paused.
function speaker(parent) {
  const seen = add(parent, "p", { class: "readout", "aria-hidden": "true" });
  const spoken = add(parent, "p", { class: "spoken", "aria-live": "polite" });
  let timer;
  return (text) => {
    seen.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => (spoken.textContent = text), 500);
  };
}

// `redraw` with the time that it took on record; `state` is what tests may read.
function publish(state, redraw) {
  root.explorer = { ...state, lastMove: 0 };
  return (...where) => {
    const start = performance.now();
    redraw(...where);
    root.explorer.lastMove = performance.now() - start;
  };
}

function ready() {
  stage.hidden = false;
  root.classList.add("lf-on"); // hides the still picture, which stays if a script fails before
}
