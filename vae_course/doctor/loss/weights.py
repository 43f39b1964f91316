"""What a loss says about itself: its weights, turned into σ and β, and the slips in it."""

import math
from dataclasses import dataclass

import torch

from vae_course.doctor.advice import finding
from vae_course.doctor.behaviour.symptoms import Behaviour
from vae_course.doctor.loss.constants import (
    SQUARES,
    canonical_weight,
    constant_matches,
    gaussian_constant,
    judge_constant,
    laplace_constant,
)
from vae_course.doctor.loss.formulas import GAUSSIAN
from vae_course.doctor.loss.kl import judge_kl
from vae_course.doctor.loss.probe import LossLaw, Term
from vae_course.doctor.patient import Patient
from vae_course.doctor.report import Finding, number

SIMPLE = (0.5, 1, 2, 4)  # a half more or less is how formulas differ, not a chosen weight
FACTOR = 2  # a fixed σ further than this from the measured error counts as off


@dataclass(frozen=True)
class Scales:
    """The weights of a loss in the ELBO's own unit, nats summed over one example.

    `reconstruction` is 1 for a Bernoulli or Gaussian log-likelihood (σ = 1 if it is fixed), `kl`
    is 1 for the KL. `sigma` is the fixed σ (or, for absolute errors, Laplace's scale) if β is
    `beta`, None where there is none; `knob` is true where β and σ cannot be told apart.
    """

    reconstruction: float
    kl: float
    beta: float
    sigma: float | None
    knob: bool


def weigh(law: LossLaw, pixels: int, latents: int, meant: float) -> Scales | None:
    """The scales of a loss in which both terms were recognised, else None.

    A squared error c Σ(x - x̂)² with β_KL · KL is the Gaussian with σ² = β_KL / (2 c β).
    """
    term, kl = law.reconstruction, law.kl
    if not term.weights or not kl.weights or min(term.weights[0], kl.weights[0]) <= 0:
        return None
    weight, beta_kl = canonical_weight(term, pixels), 2 * kl.weights[0]
    if term.family in SQUARES:
        sigma = weight**-0.5
        if constant_matches(law.constant, [gaussian_constant(sigma, pixels)], law, latents):
            return Scales(weight, beta_kl, beta_kl, sigma, False)
        return Scales(weight, beta_kl, meant, (beta_kl / meant / weight) ** 0.5, True)
    if term.family == "absolute":
        if constant_matches(law.constant, [laplace_constant(1 / weight, pixels)], law, latents):
            return Scales(weight, beta_kl, beta_kl, 1 / weight, False)
        return Scales(weight, beta_kl, meant, beta_kl / meant / weight, True)
    return Scales(weight, beta_kl, beta_kl / weight, None, False)


def judge_loss(
    law: LossLaw, patient: Patient, seen: Behaviour, meant: float
) -> tuple[list[Finding], dict[str, float | str]]:
    """All findings on the loss, and its weights as measurements; `meant` is the declared β."""
    sizes = patient.pixels, seen.mean.shape[1]
    found = judge_terms(law) + judge_kl(law.kl)
    found += judge_decoder_scale(law.reconstruction)
    found += judge_constant(law, *sizes)
    scales = weigh(law, *sizes, meant)
    error = seen.absolute if law.reconstruction.family == "absolute" else seen.rmse
    found += judge_weights(law, scales, *sizes, error, meant)
    found += _second_sigmoid(law, patient)
    numbers = {"reconstruction term": law.reconstruction.family.replace("_", " ")}
    if scales is not None:
        numbers["β, the KL's weight"] = scales.beta
        if scales.sigma is not None:
            numbers["σ that the loss stands for"] = scales.sigma
    return found, numbers


def _second_sigmoid(law, patient) -> list[Finding]:
    if law.reconstruction.family not in ("bernoulli_logits", "squares_of_logits"):
        return []
    point = patient.picture(patient.posterior(patient.pictures).mean).point
    low, high = (part.item() for part in torch.aminmax(point))
    if low < 0 or high > 1:
        return []
    evidence = f"The loss takes logits, but all outputs lie from {number(low)} to {number(high)}."
    return [finding("sigmoid_twice", "error", evidence)]


def judge_terms(law: LossLaw) -> list[Finding]:
    """Terms that are missing or of the wrong sign, and how the batch is reduced."""
    found, terms = [], (law.reconstruction, law.kl)
    for name, term in zip(("reconstruction", "kl"), terms, strict=True):
        if term.family == "none":
            found.append(finding(f"{name}_missing", "error", _missing(name)))
        if term.family == "unknown":
            found.append(finding(f"{name}_unknown", "note", "No known formula fits its values."))
    if law.reconstruction.weights and law.reconstruction.weights[0] < 0:
        weight = number(law.reconstruction.weights[0])
        found.append(
            finding("reconstruction_wrong_sign", "error", f"The error's weight is {weight}.")
        )
    if law.sign < 0:
        found.append(finding("loss_to_maximise", "note", "Both terms have a negative weight."))
    return found + _judge_batch(law)


def _missing(name: str) -> str:
    what = {"reconstruction": "the decoder's output", "kl": "the mean and the spread"}[name]
    return f"Other values of {what} leave the loss as it is."


def _judge_batch(law: LossLaw) -> list[Finding]:
    powers = [t.batch_power for t in (law.reconstruction, law.kl) if t.family != "none"]
    if len(set(powers)) > 1:
        how = [("averaged", "summed")[bool(power)] for power in powers]
        evidence = f"The reconstruction is {how[0]} over the batch, the KL {how[1]}."
        return [finding("batch_reductions_differ", "error", evidence)]
    if powers and powers[0] == 1:
        evidence = "Four equal pictures have twice the loss of two."
        return [finding("loss_summed_over_batch", "note", evidence)]
    return []


def judge_decoder_scale(term: Term) -> list[Finding]:
    """Is the likelihood best at σ² = the squared error? For a decoder that returns its σ."""
    if term.family not in GAUSSIAN or term.weights[0] <= 0:
        return []
    error, log = term.weights
    factor = (2 if term.family == "gaussian_log_std" else 1) * error / log if log > 0 else math.inf
    if abs(factor - 1) < 0.05:
        return []
    evidence = (
        f"With r for a squared error, the likelihood is best at σ² = {number(factor)} r instead "
        f"of r, so σ ends at {number(factor**0.5)} times the error."
    )
    return [finding("log_std_missing_half", "error", evidence)]


def judge_weights(
    law: LossLaw, scales: Scales | None, pixels: int, latents: int, error: float, meant: float
) -> list[Finding]:
    """Means for sums, a KL weight out of nowhere, and a fixed σ that is not the error.

    `error` is the measured RMSE (for absolute errors the mean absolute error); `meant` the β that
    the user declared.
    """
    if scales is None:
        return []
    fits = _is(scales.beta, (meant,), 0.05) and _sigma_fits(scales.sigma, error)
    if fits:
        return []
    over_pixels = _is(scales.reconstruction * pixels) and not _is(scales.kl * pixels)
    over_latents = latents > 2 and not _is(scales.kl) and _is(scales.kl * latents)
    means = ["pixels"] * over_pixels + ["latents"] * over_latents
    chosen = not (_is(scales.kl) or over_latents or _is(scales.kl * pixels))
    found, words = [], _knob(scales, error)
    if means:
        counts = {"pixels": pixels, "latents": latents}
        said = " and ".join(f"a mean over {counts[name]} {name}" for name in means)
        found.append(finding("mean_for_sum", "error", f"There is {said}. {words}"))
    beta_off = not scales.knob and not _is(scales.beta, (meant,), 0.05)
    if not means and beta_off and _is(scales.beta / meant, (2,)):
        found.append(finding("kl_missing_half", "error", f"It counts twice. {words}"))
    elif (chosen and _is_knob_of_beta(scales, pixels)) or (beta_off and not means):
        found.append(finding("unexplained_kl_weight", "warning", words))
    if not found:
        found.append(finding("sigma_not_rmse", "warning", words))
    return found


def _is_knob_of_beta(scales, pixels):
    """The reconstruction has a plain weight, so that the KL's weight is the one that was set."""
    return not scales.knob or _is(scales.reconstruction) or _is(scales.reconstruction * pixels)


def _knob(scales: Scales, error: float) -> str:
    if scales.sigma is None:
        return f"The KL counts β = {number(scales.beta)} times against the log-likelihood."
    if not scales.knob:
        return f"β = {number(scales.beta)}, σ = {number(scales.sigma)}, error {number(error)}."
    other = number(scales.kl / scales.reconstruction)
    return (
        f"The weights stand for σ = {number(scales.sigma)} with β = {number(scales.beta)}, or for "
        f"σ = 1 with β = {other}; the measured error is {number(error)}."
    )


def _sigma_fits(sigma: float | None, error: float) -> bool:
    return sigma is None or 1 / FACTOR <= sigma / error <= FACTOR


def _is(value: float, options: tuple[float, ...] = SIMPLE, within: float = 0.01) -> bool:
    return any(abs(value / option - 1) < within for option in options)
