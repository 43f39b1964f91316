"""Tests of a loss that need no formula: gradients, strangers in the batch, the prior, the gain."""

import math

import torch
from torch import Tensor

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.caller import ROUNDING, Probe
from vae_course.doctor.loss.families import UNKNOWN
from vae_course.doctor.loss.probe import POINT, POSTERIOR, LossLaw
from vae_course.doctor.report import Finding, number

WORDS = {POINT: "the decoder's output", POSTERIOR: "the encoder's mean and spread"}
REACHES = (4, 16), (100, 400)  # the second is beyond any capacity
SHIFTS = (-2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0)


def judge_doubts(law: LossLaw) -> list[Finding]:
    """What is wrong whatever the formulas are."""
    return judge_gradients(law) + judge_mixing(law) + judge_prior(law)


def judge_gradients(law: LossLaw) -> list[Finding]:
    """Terms that are counted and never trained: autograd against a finite difference."""
    for moved in (POINT, POSTERIOR):
        shares = [_share_with_gradient(law.probe, moved) for _ in range(3)]
        if any(share is None or abs(share - 1) < 0.05 for share in shares):
            continue
        share = sorted(shares)[1]
        if abs(share) < 1e-6:
            evidence = f"The loss changes with {WORDS[moved]}, but has no gradient there."
            return [finding("loss_without_gradient", "error", evidence)]
        evidence = (
            f"Of the loss's slope in {WORDS[moved]} autograd sees {number(share)} times what a "
            "small step measures."
        )
        return [finding("loss_without_gradient", "warning", evidence)]
    return []


def _share_with_gradient(probe: Probe, moved: tuple) -> float | None:
    """Autograd's slope in a random direction over the measured one; None where that is 0."""
    at = _somewhere(probe) | {"seed": 0}
    direction = {key: probe.random(at[key].shape, -1.0, 1.0) for key in moved}
    step = 1e-4 if probe.dtype == torch.float64 else 1e-2
    up, down = (
        probe.value(at | {k: at[k] + way * step * v for k, v in direction.items()})
        for way in (1, -1)
    )
    measured = (up - down) / (2 * step)
    blurred = 100 * ROUNDING[probe.dtype] * (1 + abs(up)) / step
    if not math.isfinite(measured) or abs(measured) <= blurred:
        return None
    try:
        slopes = probe.slopes(at, moved)
    except RuntimeError:  # an in-place change that autograd refuses, say
        return None
    given = sum((slopes[k] * v).sum().item() for k, v in direction.items() if slopes[k] is not None)
    return given / measured


def _somewhere(probe: Probe) -> dict:
    """One example with nothing at a special place."""
    at = probe.middle()
    ranges = {"x": (0.05, 0.95), "point": (0.05, 0.95), "mean": (-1.0, 1.0), "spread": (-1.0, 0.5)}
    return at | {key: probe.random(at[key].shape, *ends) for key, ends in ranges.items()}


def judge_mixing(law: LossLaw) -> list[Finding]:
    """Does an example's loss depend on the others of its batch, and is its own part lost in it?"""
    probe = law.probe
    mixed = {moved for moved in (POINT, POSTERIOR) if probe.noisy or is_mixed(law, moved)}
    lost = [
        words
        for moved, is_lost, words in (
            (POINT, _pairs_are_lost, "it is no lower where each picture meets its own output"),
            (
                POSTERIOR,
                _places_are_lost,
                "means or spreads may lie anywhere if their average stays",
            ),
            (POSTERIOR, _all_may_move, "all means may move together for nothing"),
            (POSTERIOR, _one_is_free, "the mean of one example may lie anywhere"),
        )
        if moved in mixed and is_lost(law)
    ]
    if lost:
        evidence = f"The loss mixes the examples of a batch: {', and '.join(lost)}."
        return [finding("examples_mixed", "error", evidence)]
    if mixed and not probe.noisy:
        evidence = "The loss of a batch is not the average of the losses of its examples."
        return [finding("examples_mixed", "note", evidence)]
    return []


def is_mixed(law: LossLaw, moved: tuple) -> bool:
    """Is a batch of different examples worth something else than its examples one by one?

    Not asked of a loss that draws noise, or that is made for one batch size.
    """
    probe = law.probe
    if probe.noisy or probe.count != 2:
        return False
    rest = _somewhere(probe)
    others = [rest | _only(_somewhere(probe), moved) for _ in range(4)]
    together = probe.together(others)
    alone = [probe.value(at, 4) for at in others]
    size = max(alone) - min(alone) + abs(together - alone[0])
    average = sum(alone) / 4
    rounding = 1e4 * ROUNDING[probe.dtype] * (1 + abs(together))
    return abs(together - average) > 1e-5 * size + rounding


def _only(at: dict, moved: tuple) -> dict:
    keys = ("x", "point") if moved == POINT else moved
    return {key: at[key] for key in keys}


def _pairs_are_lost(law: LossLaw) -> bool:
    """Is the loss as low, or lower, when each picture meets another picture's output?"""
    probe, rest = law.probe, _somewhere(law.probe)
    if not law.reconstruction.weights and law.reconstruction.family is not UNKNOWN:
        return False
    pictures = [probe.random(rest["x"].shape, 0.05, 0.95) for _ in range(4)]

    def met(shift):
        outputs = pictures[shift:] + pictures[:shift]
        return law.sign * probe.together(
            [rest | {"x": x, "point": u} for x, u in zip(pictures, outputs, strict=True)]
        )

    own, others = met(0), [met(shift) for shift in (1, 2, 3)]
    return min(others) <= own + 1e-6 * (max(others) - own) + 1e-9 * abs(own)


def _places_are_lost(law: LossLaw) -> bool:
    """Can the posteriors of a batch move apart for nothing?"""
    probe, rest = law.probe, law.probe.middle()
    if not law.kl.weights and law.kl.family is not UNKNOWN:
        return False
    parts = torch.stack([probe.random(rest["mean"].shape, 0.5, 1.0) for _ in range(4)])
    parts = torch.cat([parts, -parts])  # their average is 0

    def grows(key, near, far):
        low, high = (
            law.sign
            * probe.together(
                [rest | {key: reach * part} for part in parts], probe.count if probe.noisy else None
            )
            for reach in (near, far)
        )
        return high - low > 1e-6 * (1 + abs(low)) * (1e4 if probe.noisy else 1) * _unit(law)

    free_spreads = (
        not probe.noisy and _depends_on(probe, "spread") and not grows("spread", 1.0, 3.0)
    )
    return free_spreads or not grows("mean", 1.0, 4.0)


def _all_may_move(law: LossLaw) -> bool:
    """Does the same shift of all means cost nothing, as after a batch's average is taken off?"""
    rest = law.probe.middle()["mean"]
    apart = [law.probe.random(rest.shape, -1.0, 1.0) for _ in range(4)]
    return not any(
        _dearer(law, [mean + near for mean in apart], [mean + far for mean in apart])
        for near, far in REACHES
    )


def _one_is_free(law: LossLaw) -> bool:
    """Is there a place in the batch whose mean is not counted?"""
    rest = law.probe.middle()["mean"]

    def alone(place, reach):
        return [rest + reach * (place == other) for other in range(4)]

    return not all(
        any(_dearer(law, alone(place, near), alone(place, far)) for near, far in REACHES)
        for place in range(4)
    )


def _dearer(law: LossLaw, near: list[Tensor], far: list[Tensor]) -> bool:
    """Do the means `far` cost more than `near`? Yes for a loss that draws noise: not asked."""
    probe, rest = law.probe, law.probe.middle()
    if probe.noisy:
        return True
    low, high = (
        law.sign * probe.together([rest | {"mean": mean} for mean in means])
        for means in (near, far)
    )
    unit = max(map(abs, law.kl.weights), default=1.0)  # that of the mean alone may be 0
    return high - low > 1e-6 * (1 + abs(low)) * min(1.0, unit)


def _depends_on(probe: Probe, key: str) -> bool:
    rest = probe.middle()
    return probe.value(rest) != probe.value(rest | {key: rest[key] + 1})


def _unit(law: LossLaw) -> float:
    return min(1.0, abs(law.kl.weights[0])) if law.kl.weights else 1.0


def judge_prior(law: LossLaw) -> list[Finding]:
    """A term without a formula: is it least where the posterior is the prior?"""
    probe = law.probe
    if law.kl.family is not UNKNOWN or probe.noisy:
        return []
    rest = probe.middle()
    at_prior = law.sign * probe.value(rest)
    costs = {
        (key, shift): law.sign * probe.value(rest | {key: rest[key] + shift})
        for key in POSTERIOR
        for shift in SHIFTS
    }
    finite = {place: cost for place, cost in costs.items() if math.isfinite(cost)}
    if not finite or not max(finite.values()) > min(finite.values()):
        return []
    (key, shift), least = min(finite.items(), key=lambda item: item[1])
    slack = 1e-6 * (max(finite.values()) - least)
    if math.isfinite(at_prior) and least >= at_prior - slack:
        return []
    evidence = (
        "No formula of a KL fits, and it is not least at the prior (μ = 0, log σ = 0): it is "
        f"lower at {key} = {number(shift)} in all latents. It is not a KL from N(0, 1)."
    )
    return [finding("kl_wrong_form", "warning", evidence)]


def judge_gain(law: LossLaw, pictures: Tensor, outputs: Tensor) -> list[Finding]:
    """A reconstruction without a formula: how many nats there are to gain from the latents.

    Between the mean picture and the true one, in nats of this loss's own KL; `outputs` are
    reconstructions of `pictures`, (N, ...) each.
    """
    unit = nat(law)
    if law.reconstruction.family is not UNKNOWN or not unit or law.probe.count != 2:
        return []
    probe, rest = law.probe, law.probe.middle()
    x, best = pictures[:32].double().cpu(), outputs[:32].double().cpu()
    x, best = x.reshape(-1, *rest["x"].shape), best.reshape(-1, *rest["x"].shape)

    def cost(points):
        examples = [rest | {"x": a, "point": b} for a, b in zip(x, points, strict=True)]
        return law.sign * probe.together(examples) / len(x) ** law.reconstruction.batch_power

    flat = min(cost(y.mean(0).expand_as(y)) for y in (x, best))
    gain = (flat - min(cost(x), cost(best))) / unit
    if not gain < 1:
        return []
    evidence = (
        f"From the mean picture to the picture itself there are {number(gain)} nats to gain, in "
        "the KL's own unit: no latent can pay for itself."
    )
    return [finding("reconstruction_too_weak", "error", evidence)]


def nat(law: LossLaw) -> float | None:
    """How much one nat of KL counts in the loss, per example; None where it counts nothing."""
    if law.kl.weights:
        return 2 * law.kl.weights[0] if law.kl.weights[0] > 0 else None
    if law.kl.family is not UNKNOWN:
        return None
    probe, rest = law.probe, law.probe.middle()
    far = {"mean": torch.full_like(rest["mean"], 2.0)}  # two nats a latent
    bill = law.sign * (probe.value(rest | far) - probe.value(rest)) / (2 * probe.frame.latents)
    bill /= probe.count**law.kl.batch_power
    return bill if math.isfinite(bill) and bill > 0 else None
