"""Slips within a KL, read from the four weights that the probe fitted."""

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.probe import Term
from vae_course.doctor.report import Finding, number


def kl_meaning(kl: Term) -> str | None:
    """What the KL takes the spread for: "log_std", "log_var", or None if it shows neither."""
    if not kl.weights:
        return None
    _, double, single, _ = kl.weights
    if abs(single) < 0.01 * abs(double):
        return "log_std"
    return "log_var" if abs(double) < 0.01 * abs(single) else None


def judge_kl(kl: Term, noise: float = 0.0) -> list[Finding]:
    """Signs and factors within the KL, read from its four weights, which may be off by `noise`."""
    meaning = kl_meaning(kl)
    if not kl.weights:
        return []
    mean, double, single, log = kl.weights
    spread = double + single  # one of them is 0, if the form is known
    if min(mean, spread, -log) < -1e-9 * max(map(abs, kl.weights)):
        return [finding("kl_wrong_sign", "error", _signs(mean, spread, log))]
    if meaning is None or mean == 0 or log == 0:
        return [finding("kl_wrong_form", "error", _kl_formula(kl.weights))]
    within = max(0.03, 4 * noise)
    double_log = 2 if meaning == "log_std" else 1
    ratios = mean / spread, -log / (double_log * spread)
    if all(abs(ratio - 1) < within for ratio in ratios):
        return []
    halves = any(abs(ratio / f - 1) < within for ratio in ratios for f in (0.5, 2))
    lowest = f"It is lowest at σ = {number(ratios[1] ** 0.5)} instead of 1"
    evidence = f"{_kl_formula(kl.weights)} {lowest}."
    return [finding("kl_missing_half" if halves else "kl_wrong_form", "error", evidence)]


def _signs(mean, spread, log):
    wrong = [
        name for name, bad in (("μ²", mean < 0), ("σ²", spread < 0), ("log σ", log > 0)) if bad
    ]
    which = "all its terms" if len(wrong) == 3 else f"the term in {' and '.join(wrong)}"
    return f"The sign of {which} is turned."


def _kl_formula(weights) -> str:
    names = ("μ²", "exp(2s)", "exp(s)", "s")
    terms = [
        f"{number(weight)} {name}"
        for weight, name in zip(weights, names, strict=True)
        if abs(weight) > 1e-3 * max(map(abs, weights))
    ]
    return f"With s for the spread, the loss holds {' + '.join(terms)} a latent."
