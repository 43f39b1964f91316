"""The constants of a loss: complete, left out, or none that a likelihood has."""

import math

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.formulas import GAUSSIAN
from vae_course.doctor.loss.probe import LossLaw, Term
from vae_course.doctor.report import Finding, number

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
SQUARES = ("squares", "squares_of_logits")
BERNOULLI = ("bernoulli_logits", "bernoulli_probabilities")


def canonical_weight(term: Term, pixels: int) -> float:
    first = term.weights[0]
    if term.family in (*SQUARES, *GAUSSIAN):
        return 2 * first
    return 2 * first / pixels if term.family == "log_squares" else first


def judge_constant(law: LossLaw, pixels: int, latents: int) -> list[Finding]:
    """Is the loss's constant that of its likelihood, or none, or something else?"""
    term = law.reconstruction
    if not math.isfinite(law.constant) or not term.weights or term.weights[0] <= 0:
        return []
    right, short = _allowed_constants(law.reconstruction, pixels)
    if constant_matches(law.constant, right, law, latents, kl_whole=True):
        return []
    if constant_matches(law.constant, [*right, *short], law, latents):
        evidence = f"The constant of the loss is {number(law.constant)} nats."
        return [finding("constants_left_out", "note", evidence)]
    unit = canonical_weight(law.reconstruction, pixels) * pixels * HALF_LOG_2PI
    kl_part = _kl_constants(law, latents)[0]
    evidence = (
        f"The constant of the loss is {number(law.constant)} nats a picture, "
        f"{number((law.constant - kl_part) / unit)} times D/2 log 2π with D = {pixels} pixels."
    )
    return [finding("constant_wrong", "warning", evidence)]


def _allowed_constants(term: Term, pixels: int) -> tuple[list[float], list[float]]:
    """Complete constants, and those in which something harmless is left out."""
    weight = canonical_weight(term, pixels)
    whole = weight * pixels * HALF_LOG_2PI
    if term.family in BERNOULLI:
        return [0.0], []
    if term.family == "log_squares":
        base = -term.weights[0] * math.log(pixels)
        return [base + whole + weight * pixels / 2], [0.0, base, base + weight * pixels / 2]
    if term.family in SQUARES:
        summed = gaussian_constant(weight**-0.5, pixels)
        averaged = gaussian_constant((weight * pixels) ** -0.5, pixels) / pixels
        return [summed, averaged], [0.0, whole]
    if term.family == "absolute":
        return [laplace_constant(1 / weight, pixels)], [0.0]
    return [whole], [0.0]


def gaussian_constant(sigma: float, pixels: int) -> float:
    return pixels * (math.log(sigma) + HALF_LOG_2PI)


def laplace_constant(scale: float, pixels: int) -> float:
    return pixels * math.log(2 * scale)


def constant_matches(constant, candidates, law, latents, kl_whole=False):
    parts = _kl_constants(law, latents)[: 1 if kl_whole else 2]
    sums = [first + second for first in candidates for second in parts]
    return any(abs(constant - s) < 1e-3 * (1 + abs(s)) for s in sums)


def _kl_constants(law: LossLaw, latents: int) -> tuple[float, float]:
    """-½ for each latent, whole or left out."""
    weight = law.kl.weights[0] if law.kl.weights else 0.0
    return -weight * latents, 0.0
