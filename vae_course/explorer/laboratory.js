// A VAE with one hidden layer on each side, trained by hand: `random` and `laboratory` need
// nothing around them, for their text also becomes that of a worker.

// Uniform numbers in [0, 1) and normal ones, the same for a seed (mulberry32, Box and Muller).
function random(seed) {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// `pictures` as playground.py packs them: first those to train on, then those that are never seen.
function laboratory(random, pictures) {
  const HIDDEN = 64, BATCH = 100, RATE = 3e-3, LOWEST = -7; // the lowest log σ
  const PIXELS = pictures.width ** 2, SEEN = pictures.seen, FIRST_MOMENT = 0.9, SECOND_MOMENT = 0.999;
  const HALF_LOG_TAU = Math.log(2 * Math.PI) / 2;
  const images = unpack(pictures.text, pictures.levels), count = images.length / PIXELS;
  const { starts, places, inks } = inked();

  // A digit of base 16 is a grey value; the letters after f stand for 1 to 46 black pixels.
  function unpack(text, levels) {
    const letters = "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", values = [];
    for (const letter of text) {
      const run = letters.indexOf(letter) + 1;
      if (run) for (let i = 0; i < run; i++) values.push(0);
      else values.push(parseInt(letter, 16) / (levels - 1));
    }
    return Float64Array.from(values);
  }

  // Four pixels in five are black and count for nothing in the encoder: lists of the others.
  function inked() {
    const starts = [0], places = [], inks = [];
    images.forEach((ink, at) => {
      if (ink) {
        places.push(at % PIXELS);
        inks.push(ink);
      }
      if (at % PIXELS === PIXELS - 1) starts.push(places.length);
    });
    return { starts: Int32Array.from(starts), places: Int32Array.from(places), inks: Float64Array.from(inks) };
  }

  // Weights as torch has them, but w1, w3, w4 transposed: (inputs, outputs).
  function numbers(latents) {
    const sizes = { w1: PIXELS * HIDDEN, b1: HIDDEN, w2: 2 * latents * HIDDEN, b2: 2 * latents,
      w3: latents * HIDDEN, b3: HIDDEN, w4: HIDDEN * PIXELS, b4: PIXELS, logStd: 1 };
    const flat = new Float64Array(Object.values(sizes).reduce((a, b) => a + b)), made = { flat };
    let at = 0;
    for (const [name, size] of Object.entries(sizes)) made[name] = flat.subarray(at, (at += size));
    return made;
  }

  // ReLU; fills `units` with those that are not silent, and returns how many they are.
  function rectify(hidden, units) {
    let n = 0;
    for (let k = 0; k < HIDDEN; k++) {
      if (hidden[k] > 0) units[n++] = k;
      else hidden[k] = 0;
    }
    return n;
  }

  // ---- The loops in which the time goes. They are here, not in `create`, so that an engine
  // compiles them once for all models.

  // Picture i -> the hidden layer before its ReLU. Four pixels at once.
  function readInk(hidden, w1, i) {
    const end = starts[i + 1];
    for (let at = starts[i]; at < end; at += 4) {
      const p = places[at] * HIDDEN, u = inks[at];
      let q = p, r = p, s = p, v = 0, w = 0, x = 0;
      if (at + 1 < end) { q = places[at + 1] * HIDDEN; v = inks[at + 1]; }
      if (at + 2 < end) { r = places[at + 2] * HIDDEN; w = inks[at + 2]; }
      if (at + 3 < end) { s = places[at + 3] * HIDDEN; x = inks[at + 3]; }
      for (let k = 0; k < HIDDEN; k++) {
        hidden[k] += u * w1[p + k] + v * w1[q + k] + w * w1[r + k] + x * w1[s + k];
      }
    }
  }

  function readInkBack(g1, dHidden, units, n, i) {
    const end = starts[i + 1];
    for (let at = starts[i]; at < end; at++) {
      const from = places[at] * HIDDEN, ink = inks[at];
      for (let m = 0; m < n; m++) g1[from + units[m]] += ink * dHidden[units[m]];
    }
  }

  // The n units that are not silent -> pixels. Four units at once.
  function paintInk(out, w4, hidden, units, n) {
    let m = 0;
    for (; m + 3 < n; m += 4) {
      const k = units[m], l = units[m + 1], o = units[m + 2], q = units[m + 3];
      const a = hidden[k], b = hidden[l], c = hidden[o], d = hidden[q];
      const ka = k * PIXELS, lb = l * PIXELS, oc = o * PIXELS, qd = q * PIXELS;
      for (let p = 0; p < PIXELS; p++) {
        out[p] += a * w4[ka + p] + b * w4[lb + p] + c * w4[oc + p] + d * w4[qd + p];
      }
    }
    for (; m < n; m++) {
      const a = hidden[units[m]], from = units[m] * PIXELS;
      for (let p = 0; p < PIXELS; p++) out[p] += a * w4[from + p];
    }
  }

  function paintInkBack(dOut, w4, g4, hidden, dHidden, units, n) {
    let m = 0;
    for (; m + 3 < n; m += 4) {
      const k = units[m], l = units[m + 1], o = units[m + 2], q = units[m + 3];
      const a = hidden[k], b = hidden[l], c = hidden[o], d = hidden[q];
      const ka = k * PIXELS, lb = l * PIXELS, oc = o * PIXELS, qd = q * PIXELS;
      let s = 0, t = 0, u = 0, v = 0;
      for (let p = 0; p < PIXELS; p++) {
        const g = dOut[p];
        s += g * w4[ka + p];
        t += g * w4[lb + p];
        u += g * w4[oc + p];
        v += g * w4[qd + p];
        g4[ka + p] += a * g;
        g4[lb + p] += b * g;
        g4[oc + p] += c * g;
        g4[qd + p] += d * g;
      }
      dHidden[k] = s;
      dHidden[l] = t;
      dHidden[o] = u;
      dHidden[q] = v;
    }
    for (; m < n; m++) {
      const k = units[m], a = hidden[k], from = k * PIXELS;
      let s = 0;
      for (let p = 0; p < PIXELS; p++) {
        s += dOut[p] * w4[from + p];
        g4[from + p] += a * dOut[p];
      }
      dHidden[k] = s;
    }
  }

  function adamStep(p, g, m, v, steps) {
    const rate = RATE / (1 - FIRST_MOMENT ** steps), scale = 1 / Math.sqrt(1 - SECOND_MOMENT ** steps);
    for (let i = 0; i < p.length; i++) {
      m[i] = FIRST_MOMENT * m[i] + (1 - FIRST_MOMENT) * g[i];
      v[i] = SECOND_MOMENT * v[i] + (1 - SECOND_MOMENT) * g[i] * g[i];
      p[i] -= (rate * m[i]) / (Math.sqrt(v[i]) * scale + 1e-8);
    }
  }

  // Knobs: sum (or the mean over pixels), std (σ of a pixel), learned, beta, kl ("right", "slip",
  // "off"), noise. They may change from step to step.
  function create(latents, seed) {
    const weights = numbers(latents), slope = numbers(latents);
    const momentum = numbers(latents), square = numbers(latents);
    const { uniform, normal } = random(seed);
    const inputs = { w1: PIXELS, b1: PIXELS, w2: HIDDEN, b2: HIDDEN, w3: latents, b3: latents, w4: HIDDEN, b4: HIDDEN };
    for (const [name, n] of Object.entries(inputs)) { // torch's default
      weights[name].forEach((_, i) => (weights[name][i] = (2 * uniform() - 1) / Math.sqrt(n)));
    }
    const { w1, b1, w2, b2, w3, b3, w4, b4, logStd } = weights;
    const read = new Float64Array(HIDDEN), readers = new Int32Array(HIDDEN), dRead = new Float64Array(HIDDEN);
    const paint = new Float64Array(HIDDEN), painters = new Int32Array(HIDDEN), dPaint = new Float64Array(HIDDEN);
    const mean = new Float64Array(latents), logs = new Float64Array(latents), z = new Float64Array(latents);
    const heads = new Float64Array(2 * latents), dHeads = new Float64Array(2 * latents), dz = new Float64Array(latents);
    const output = new Float64Array(PIXELS);
    let steps = 0, readCount = 0, paintCount = 0;

    // Fills mean and logs of picture i.
    function encode(i) {
      read.set(b1);
      readInk(read, w1, i);
      readCount = rectify(read, readers);
      for (let j = 0; j < 2 * latents; j++) {
        let sum = b2[j];
        for (let n = 0; n < readCount; n++) sum += w2[j * HIDDEN + readers[n]] * read[readers[n]];
        heads[j] = sum;
      }
      for (let j = 0; j < latents; j++) {
        mean[j] = heads[j];
        logs[j] = Math.max(heads[latents + j], LOWEST);
      }
    }

    // z -> output.
    function decode() {
      paint.set(b3);
      for (let j = 0; j < latents; j++) {
        for (let k = 0; k < HIDDEN; k++) paint[k] += z[j] * w3[j * HIDDEN + k];
      }
      paintCount = rectify(paint, painters);
      output.set(b4);
      paintInk(output, w4, paint, painters, paintCount);
    }

    // The slope in `output` goes back to dz, and into `slope`.
    function decodeBack() {
      for (let p = 0; p < PIXELS; p++) slope.b4[p] += output[p];
      paintInkBack(output, w4, slope.w4, paint, dPaint, painters, paintCount);
      dz.fill(0);
      for (let n = 0; n < paintCount; n++) {
        const k = painters[n], g = dPaint[k];
        slope.b3[k] += g;
        for (let j = 0; j < latents; j++) {
          dz[j] += g * w3[j * HIDDEN + k];
          slope.w3[j * HIDDEN + k] += g * z[j];
        }
      }
    }

    // The slope in `dHeads`, of picture i, goes into `slope`.
    function encodeBack(i) {
      dRead.fill(0);
      for (let j = 0; j < 2 * latents; j++) {
        const g = dHeads[j];
        slope.b2[j] += g;
        for (let n = 0; n < readCount; n++) {
          const k = readers[n];
          dRead[k] += g * w2[j * HIDDEN + k];
          slope.w2[j * HIDDEN + k] += g * read[k];
        }
      }
      for (let n = 0; n < readCount; n++) slope.b1[readers[n]] += dRead[readers[n]];
      readInkBack(slope.w1, dRead, readers, readCount, i);
    }

    const klOf = (mu, log, kind) => (kind === "slip" // log σ where log σ² belongs
      ? (mu * mu + Math.exp(log) - 1 - log) / 2 : (mu * mu + Math.exp(2 * log) - 1) / 2 - log);
    const stdOf = (knobs) => (knobs.learned ? Math.exp(logStd[0]) : knobs.std);
    const squaredError = (i) => {
      let sum = 0;
      for (let p = 0, at = i * PIXELS; p < PIXELS; p++) sum += (images[at + p] - output[p]) ** 2;
      return sum;
    };
    const negativeLogLikelihood = (error, std) => error / (2 * std * std) + PIXELS * (Math.log(std) + HALF_LOG_TAU);

    // The loss of a batch, its two parts in nats, and its gradient in `slope`. `noise` holds
    // `latents` numbers for each picture.
    function differentiate(batch, noise, knobs) {
      slope.flat.fill(0);
      const std = stdOf(knobs), share = (knobs.sum ? 1 : 1 / PIXELS) / batch.length;
      const beta = knobs.kl === "off" ? 0 : knobs.beta / batch.length;
      let nll = 0, kl = 0, fromPictures = 0, fromKl = 0;
      batch.forEach((i, b) => {
        encode(i);
        for (let j = 0; j < latents; j++) {
          z[j] = mean[j] + (knobs.noise ? Math.exp(logs[j]) * noise[b * latents + j] : 0);
        }
        decode();
        const error = squaredError(i);
        nll += negativeLogLikelihood(error, std);
        if (knobs.learned) slope.logStd[0] += share * (PIXELS - error / (std * std));
        const back = share / (std * std);
        for (let p = 0, at = i * PIXELS; p < PIXELS; p++) output[p] = back * (output[p] - images[at + p]);
        decodeBack();
        for (let j = 0; j < latents; j++) {
          const sigma = Math.exp(logs[j]), drawn = knobs.noise ? dz[j] * sigma * noise[b * latents + j] : 0;
          const bend = knobs.kl === "slip" ? (sigma - 1) / 2 : sigma * sigma - 1;
          const free = heads[latents + j] > LOWEST ? 1 : 0;
          kl += klOf(mean[j], logs[j], knobs.kl);
          dHeads[j] = dz[j] + beta * mean[j];
          dHeads[latents + j] = free * (drawn + beta * bend);
          fromPictures += dz[j] ** 2 + drawn ** 2;
          fromKl += (beta * mean[j]) ** 2 + (beta * bend) ** 2;
        }
        encodeBack(i);
      });
      nll /= batch.length;
      kl /= batch.length;
      const [g, h] = [Math.sqrt(fromPictures), Math.sqrt(fromKl)];
      return { loss: nll * (knobs.sum ? 1 : 1 / PIXELS) + beta * batch.length * kl, nll, kl, klShare: h / (g + h) };
    }

    function adam() {
      adamStep(weights.flat, slope.flat, momentum.flat, square.flat, ++steps);
    }

    // Every picture once before any comes again.
    let queue = [];
    function nextBatch(n) {
      const batch = [];
      while (batch.length < BATCH) {
        if (!queue.length) {
          queue = Array.from({ length: n }, (_, i) => i);
          for (let i = n - 1; i > 0; i--) {
            const j = Math.floor(uniform() * (i + 1));
            [queue[i], queue[j]] = [queue[j], queue[i]];
          }
        }
        batch.push(queue.pop());
      }
      return batch;
    }

    // One step. With `anneal` β is 0 for so many steps, and rises for as many.
    function step(knobs) {
      const batch = nextBatch(knobs.pictures);
      const noise = Float64Array.from({ length: BATCH * latents }, normal);
      const part = knobs.anneal ? Math.min(Math.max(steps / knobs.anneal - 1, 0), 1) : 1;
      const report = differentiate(batch, noise, { ...knobs, beta: part * knobs.beta });
      adam();
      if (knobs.keepScale && steps % 50 === 0) rescale(knobs);
      return report;
    }

    // ---- What a model does, without noise of its own: the same draws each time.

    const everSame = random(7), draws = Float64Array.from({ length: 8 * count }, everSame.normal);
    const posteriors = (from, to) => Array.from({ length: to - from }, (_, n) => {
      encode(from + n);
      return { mean: Array.from(mean), logs: Array.from(logs) };
    });
    const paintAt = (place) => {
      z.fill(0);
      z.set(place);
      decode();
      return output;
    };

    // Averages over pictures from ... to, in nats or in squared grey values.
    function evaluate(from, to, knobs) {
      const n = to - from, std = stdOf(knobs), moments = Array.from({ length: latents }, () => [0, 0, 0, 0]);
      const sums = new Float64Array(PIXELS), squares = new Float64Array(PIXELS);
      let nll = 0, kl = 0, error = 0, errorDrawn = 0;
      for (let i = from; i < to; i++) {
        encode(i);
        z.set(mean);
        decode();
        error += squaredError(i) / n;
        for (let p = 0; p < PIXELS; p++) {
          sums[p] += output[p] / n;
          squares[p] += output[p] ** 2 / n;
        }
        for (let j = 0; j < latents; j++) {
          const sigma = Math.exp(logs[j]);
          z[j] = mean[j] + sigma * draws[8 * i + j];
          kl += klOf(mean[j], logs[j]) / n;
          [mean[j], mean[j] ** 2, sigma, sigma ** 2].forEach((each, m) => (moments[j][m] += each / n));
        }
        decode();
        const drawn = squaredError(i);
        errorDrawn += drawn / n;
        nll += negativeLogLikelihood(drawn, std) / n;
      }
      let spread = 0;
      for (let p = 0; p < PIXELS; p++) spread += squares[p] - sums[p] ** 2;
      const active = moments.filter(([m, s]) => s - m * m > 0.01).length; // Burda et al. 2015
      return { nll, kl, elbo: -nll - kl, error, errorDrawn, moments, active, spread, std };
    }

    // Each latent gets the mean and the scale at which the KL of the loss is least; pictures stay.
    function rescale(knobs) {
      const { moments } = evaluate(0, knobs.pictures, knobs);
      moments.forEach(([m, second, sigma, variance], j) => {
        const spread = second - m * m;
        // right: E[μ² + σ²] = 1. Slip: E[σ + 2 μ²] = 1.
        const scale = knobs.kl === "slip" ? (sigma + Math.sqrt(sigma * sigma + 8 * spread)) / 2
          : Math.sqrt(spread + (knobs.noise ? variance : 0));
        if (!(scale > 0)) return;
        const log = latents + j;
        b2[j] -= m;
        for (let k = 0; k < HIDDEN; k++) {
          b3[k] += m * w3[j * HIDDEN + k];
          momentum.w3[j * HIDDEN + k] -= m * momentum.b3[k]; // as its slope, once z is less by m
        }
        b2[log] -= Math.log(scale);
        for (const [values, power] of [[weights, 1], [momentum, -1], [square, -2]]) {
          const c = scale ** power; // Adam remembers slopes, which change the other way
          values.b2[j] /= c;
          for (let k = 0; k < HIDDEN; k++) {
            values.w2[j * HIDDEN + k] /= c;
            values.w3[j * HIDDEN + k] *= c;
          }
        }
      });
    }

    return { weights, slope, momentum, square, steps: () => steps, differentiate, adam, step, nextBatch, evaluate, rescale, posteriors,
      paintAt, latents };
  }

  return { create, random, images, count, seen: SEEN, pixels: PIXELS, batch: BATCH };
}
