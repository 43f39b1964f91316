// An edge (or stroke) at a place that scatters by tau: the average over places, exactly.
const HALF = 6, WIDTH = 241;
const places = span(-HALF, HALF, WIDTH);
const step = (t, tau) => (tau > 0 ? normalCdf(t / tau) : t > 0 ? 1 : t < 0 ? 0 : 0.5);
const profiles = [
  step,
  (t, tau) => step(t + data.stroke / 2, tau) - step(t - data.stroke / 2, tau),
];
// Nine places, evenly spread in probability, in units of tau: found by bisection.
const quantiles = span(1 / 18, 17 / 18, 9).map((chance) => {
  let [low, high] = [-4, 4];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < chance) low = middle;
    else high = middle;
  }
  return low;
});

const panels = add(stage, "div", { class: "panels" });
const panel = add(panels, "div", { class: "panel wide" });
add(panel, "p", { class: "title" }, "nine that may have been");
const many = canvas(panel, WIDTH, 9, "Nine possible pictures, one above the other", "strip");
add(panel, "p", { class: "title" }, "their average, over all places");
const average = canvas(panel, WIDTH, 1, "The average, as a strip of grey", "strip");
const axes = plot(panel, { x: [-HALF, HALF], y: [0, 1.05], height: 190, width: 400, alone: true,
  name: "Profile of the average", yLabel: "grey",
  xLabel: "place t, in pixels", xTicks: span(-HALF, HALF, 7).map((t) => [t, show(t, 0)]) });
const sharp = axes.curve([], "plain dashed");
const curve = axes.curve([]);

const say = speaker(stage);
const controls = add(stage, "div", { class: "controls" });
const control = slider(controls, {
  name: "τ", spoken: "τ, in pixels", low: 0, high: 3, step: 0.05, start: data.start,
  text: (v) => `${show(v)} px`,
}, (tau) => move(tau, shape));
choice(controls, "shape", ["edge", "stroke"], (index) => move(now, index));

function words(tau, shape) {
  const profile = profiles[shape];
  if (shape === 1) return `the stroke's brightest place is at ${show(profile(0, tau))}, where it was 1.`;
  if (tau === 0) return "the edge is a step.";
  const slope = 1 / (tau * Math.sqrt(2 * Math.PI));
  const wide = show(1 / slope, 1);
  return `the edge is a ramp about ${wide} pixels wide, its slope in the middle ${show(slope)}.`;
}

let now = data.start, shape = 0;
const move = publish(
  {
    state: () => ({ tau: now, shape: ["edge", "stroke"][shape] }),
    profile: (t) => profiles[shape](t, now),
  },
  (tau, which) => {
    [now, shape] = [tau, which];
    const profile = profiles[shape], values = places.map((t) => profile(t, tau));
    average.paint(values);
    many.paint(quantiles.flatMap((u) => places.map((t) => profile(t - u * tau, 0))));
    curve.setAttribute("d", axes.path(places.map((t, i) => [t, values[i]])));
    sharp.setAttribute("d", axes.path(places.map((t) => [t, profile(t, 0)])));
    control.set(tau);
    say(`τ = ${show(tau)} pixels: ${words(tau, shape)}`);
  });
move(data.start, 0);
ready();
