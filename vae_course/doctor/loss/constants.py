"""The constants of a loss: complete, left out, or none that a likelihood has."""

import math

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.families import HALF_LOG_2PI
from vae_course.doctor.loss.probe import LossLaw
from vae_course.doctor.report import Finding, number


def judge_constant(law: LossLaw, pixels: int, latents: int) -> list[Finding]:
    """Is the loss's constant that of its likelihood, or none, or something else?"""
    term = law.reconstruction
    if not math.isfinite(law.constant) or law.known < 2 or term.weights[0] <= 0:
        return []
    unit = term.family.unit(term.weights[0], pixels)
    right, short = term.family.constants(unit, pixels)
    if constant_matches(law.constant, right, law, latents, kl_whole=True):
        return []
    if constant_matches(law.constant, [*right, *short], law, latents):
        evidence = f"The constant of the loss is {number(law.constant)} nats."
        return [finding("constants_left_out", "note", evidence)]
    whole = unit * pixels * HALF_LOG_2PI
    if constant_matches(law.constant, right, law, latents, slack=0.01 * whole):
        evidence = f"The constant is {number(law.constant)} nats, near the right one."
        return [finding("constants_left_out", "note", evidence)]
    share = (law.constant - _kl_constants(law, latents)[0]) / whole
    evidence = (
        f"The constant of the loss is {number(law.constant)} nats a picture, {number(share)} times "
        f"D/2 log 2π with D = {pixels} pixels."
    )
    return [finding("constant_wrong", "warning", evidence)]


def constant_matches(constant, candidates, law, latents, kl_whole=False, slack=0.0):
    parts = _kl_constants(law, latents)[: 1 if kl_whole else 2]
    sums = [first + second for first in candidates for second in parts]
    return any(abs(constant - s) < 1e-3 * (1 + abs(s)) + slack for s in sums)


def _kl_constants(law: LossLaw, latents: int) -> tuple[float, float]:
    """-½ for each latent, whole or left out."""
    weight = law.kl.weights[0] if law.kl.weights else 0.0
    return -weight * latents, 0.0
