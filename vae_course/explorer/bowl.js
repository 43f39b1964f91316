// The KL of N(mean, std²) from N(0, 1), and the slip that takes log std for log variance.
const kl = (mean, logStd) => (Math.exp(2 * logStd) + mean ** 2 - 1 - 2 * logStd) / 2;
const slip = (mean, logStd) => (Math.exp(logStd) + mean ** 2 - 1 - logStd) / 2;

const MEANS = [-2, 2], LOGS = [-2, 1.5], SIZE = { width: 230, height: 220 };
const panels = add(stage, "div", { class: "panels" });
const bowls = [["KL", kl], ["slip", slip]].map(([title, formula]) => {
  const panel = add(panels, "div", { class: "panel small" });
  add(panel, "p", { class: "title" }, `${title}, in nats`);
  const axes = plot(panel, { ...SIZE, x: MEANS, y: LOGS, name: `${title} over μ and log σ`, xLabel: "μ",
    yLabel: "log σ" });
  data.levels.forEach((level, i) => contour(axes, formula, level, i % 2 ? -1 : 1));
  axes.dot(0, 0, "three", 4);
  const name = `μ and log σ, in the plane of the ${title}: arrow keys move it`;
  return { axes, place: handle(axes, name, (...at) => move(...at)) };
});

// mean² = 2 (level - formula at mean 0): both sides of one closed line.
// Its level stands on one side, those of its neighbours on the other: there is little room.
function contour(axes, formula, level, side) {
  const right = span(...LOGS, 400)
    .map((log) => [2 * (level - formula(0, log)), log])
    .filter(([square]) => square >= 0)
    .map(([square, log]) => [Math.sqrt(square), log]);
  const left = right.map(([mean, log]) => [-mean, log]).reverse();
  const closed = axes.path([...right, ...left]) + "Z";
  add(axes.sheet, "path", { class: "curve plain", d: closed });
  if (level > data.levels[0] && Math.sqrt(2 * level) < MEANS[1]) {
    axes.note(side * Math.sqrt(2 * level), 0, level).setAttribute("y", axes.at(0, 0)[1] - 3);
  }
}

const third = add(panels, "div", { class: "panel small" });
add(third, "p", { class: "title" }, "posterior and prior");
const bells = plot(third, { ...SIZE, x: [-4, 4], y: [0, 1.2], name: "Densities of posterior and prior",
  xLabel: "z", yLabel: "density" });
const places = span(-4, 4, 201);
const bell = (mean, std) => places.map((z) => [z, normalDensity(z, mean, std)]);
bells.curve(bell(0, 1), "two dashed");
const posterior = bells.curve([]);

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const sliders = [["μ", MEANS], ["log σ", LOGS]].map(([name, [low, high]], axis) => slider(controls, {
  name, low, high, step: 0.05, start: data.start[axis], text: (v) => show(v),
}, (value) => move(...now.map((old, i) => (i === axis ? value : old)))));

let now = data.start;
const move = publish(
  { state: () => ({ mean: now[0], logStd: now[1], kl: kl(...now), slip: slip(...now) }) },
  (mean, logStd) => {
    now = [mean, logStd];
    for (const { place } of bowls) place(mean, logStd);
    sliders[0].set(mean);
    sliders[1].set(logStd);
    posterior.setAttribute("d", bells.path(bell(mean, Math.exp(logStd))));
    say(`μ = ${show(mean)}, log σ = ${show(logStd)} (σ = ${show(Math.exp(logStd))}): ` +
      `KL ${show(kl(...now))} nats, slip ${show(slip(...now))} nats.`);
  });
move(...data.start);
ready();
