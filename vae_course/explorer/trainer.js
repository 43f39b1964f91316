// Trains a model in slices of time and posts what it looks like. It runs in a worker or, where
// workers are forbidden, in the page; like the laboratory it needs nothing around it.
function trainer(lab, post, { slice, rest }) {
  const EVERY = 70, CALM = 500, SHOWN = 7, DRAWN = 21, PLANE = 9, WINDOW = 2.5; // ms, ms, pictures ...
  let model, knobs, run, until, timer, going = false, calm = false, last = 0, peak = 0, fastest = Infinity, report;

  // Of two pictures there are no others like them; else what was never trained on.
  const judged = () => (knobs.pictures === 2 ? [0, 2] : [lab.seen, lab.count]);
  const usable = ({ mean }, axes) => axes.map((j) => mean[j] ?? 0);

  // The latents that the plane shows: the two whose means vary most.
  function axesOf(moments) {
    const varied = moments.map(([m, second], j) => [second - m * m, j]).sort((a, b) => b[0] - a[0]);
    return varied.slice(0, 2).map(([, j]) => j).sort((a, b) => a - b);
  }

  const median = (values) => Float64Array.from(values).sort()[values.length >> 1];

  // How many of the prior's draws are further from every code than nine in ten new pictures are.
  function gaps(places, codes) {
    if (knobs.pictures === 2) return NaN;
    const nearest = (a) => Math.sqrt(codes.reduce((best, b) => {
      let away = 0;
      for (let j = 0; j < a.length; j++) away += (a[j] - b[j]) ** 2;
      return Math.min(best, away);
    }, Infinity));
    const far = Float64Array.from(places, nearest).sort()[Math.floor(0.9 * places.length)];
    const { normal } = lab.random(11);
    const draws = Array.from({ length: 200 }, () => Array.from({ length: model.latents }, normal));
    return draws.filter((z) => nearest(z) > far).length / draws.length;
  }

  function measure() {
    const [from, to] = judged(), unseen = model.evaluate(from, to, knobs);
    const means = (a, b) => model.posteriors(a, b).map(({ mean }) => mean);
    return {
      ...unseen, seen: model.evaluate(0, Math.min(knobs.pictures, 100), knobs), steps: model.steps(), peak, fastest,
      second: unseen.moments.map(([, square, , variance]) => square + (knobs.noise ? variance : 0)),
      sigma: median(unseen.moments.map(([, , sigma]) => sigma)), klShare: report?.klShare ?? 0,
      inGaps: unseen.active ? gaps(means(from, to), means(0, Math.min(knobs.pictures, lab.seen))) : NaN,
    };
  }

  // Pictures beside each other, `across` to a row. Each is copied before the next is painted.
  function sheet(count, across, paint) {
    const side = Math.sqrt(lab.pixels), wide = across * side, made = new Float32Array(count * lab.pixels);
    for (let n = 0; n < count; n++) {
      const pixels = paint(n), corner = Math.floor(n / across) * wide * side + (n % across) * side;
      for (let p = 0; p < lab.pixels; p++) made[corner + Math.floor(p / side) * wide + (p % side)] = pixels[p];
    }
    return made;
  }

  function planeAt(axes, window, n) {
    if (model.latents === 1) return [((2 * n) / (PLANE * PLANE - 1) - 1) * window]; // row by row
    const place = Array(model.latents).fill(0), step = (k) => ((2 * k) / (PLANE - 1) - 1) * window;
    place[axes[0]] = step(n % PLANE);
    place[axes[1]] = -step(Math.floor(n / PLANE));
    return place;
  }

  function snapshot(arrived = false) {
    const values = measure(), axes = axesOf(values.moments), [from, to] = judged();
    const codes = model.posteriors(from, to), { normal } = lab.random(3);
    const places = codes.flatMap((code) => usable(code, axes));
    const widest = places.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    // With a KL that holds the codes, the prior's window; without, one that has room for them.
    const window = knobs.kl !== "off" ? WINDOW : Math.max(WINDOW, Math.ceil(1.1 * widest));
    const first = Array.from({ length: SHOWN }, (_, n) => from + (n % (to - from)));
    const rebuilt = first.map((i) => model.posteriors(i, i + 1)[0].mean);
    const z = Array.from({ length: DRAWN }, () => Array.from({ length: model.latents }, normal));
    return {
      run, arrived, going, values, axes, window,
      means: Float32Array.from(places),
      stds: Float32Array.from(codes.flatMap(({ logs }) => axes.map((j) => Math.exp(logs[j])))),
      plane: sheet(PLANE * PLANE, PLANE, (n) => model.paintAt(planeAt(axes, window, n))),
      shown: sheet(SHOWN, SHOWN, (n) => lab.images.subarray(first[n] * lab.pixels, (first[n] + 1) * lab.pixels)),
      rebuilt: sheet(SHOWN, SHOWN, (n) => model.paintAt(rebuilt[n])),
      drawn: sheet(DRAWN, SHOWN, (n) => model.paintAt(z[n])),
    };
  }

  function step() {
    const start = performance.now();
    report = model.step(knobs);
    fastest = Math.min(fastest, performance.now() - start);
    peak = Math.max(peak, report.kl);
  }

  function work() {
    const due = last + (calm ? CALM : EVERY), end = Math.min(performance.now() + slice, due);
    do step();
    while (performance.now() < end && model.steps() < until);
    const arrived = model.steps() >= until;
    if (arrived) going = false;
    if (arrived || performance.now() >= due) {
      post(snapshot(arrived));
      last = performance.now();
    }
    if (going) timer = setTimeout(work, rest);
  }

  const orders = {
    start: (message) => {
      ({ run, knobs, until, calm } = message);
      [model, going, peak, report] = [lab.create(message.latents, message.seed), false, 0, undefined];
    },
    knobs: (message) => ({ knobs } = message),
    go: (message) => {
      ({ until } = message);
      going = true;
    },
    pause: () => (going = false),
    step: () => step(),
    rescale: () => model.rescale(knobs),
  };

  // Orders: start, knobs, go, pause, step, rescale. After each comes a snapshot.
  return {
    receive(message) {
      clearTimeout(timer);
      orders[message.order](message);
      if (going) timer = setTimeout(work, 0);
      else post(snapshot());
    },
    // All steps at once, and what came of them: for tests.
    train(message) {
      orders.start(message);
      while (model.steps() < until) step();
      return measure();
    },
    model: () => model,
  };
}
