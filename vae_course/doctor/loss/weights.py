"""What a loss says about itself: its weights, turned into σ and β, and the slips in it."""

import math
from dataclasses import dataclass

import torch

from vae_course.doctor.advice import finding
from vae_course.doctor.behaviour.symptoms import Behaviour
from vae_course.doctor.loss.constants import constant_matches, judge_constant
from vae_course.doctor.loss.families import NONE, UNKNOWN
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
    family, beta_kl = term.family, 2 * kl.weights[0]
    unit = family.unit(term.weights[0], pixels)
    sigma = family.sigma(unit)
    if sigma is None:
        return Scales(unit, beta_kl, beta_kl / unit, None, False)
    if constant_matches(law.constant, [family.normaliser(sigma, pixels)], law, latents):
        return Scales(unit, beta_kl, beta_kl, sigma, False)
    return Scales(unit, beta_kl, meant, family.sigma(unit * meant / beta_kl), True)


def judge_loss(
    law: LossLaw, patient: Patient, seen: Behaviour, meant: float
) -> tuple[list[Finding], dict[str, float | str]]:
    """All findings on the loss, and its weights as measurements; `meant` is the declared β."""
    sizes = patient.pixels, seen.mean.shape[1]
    found = judge_terms(law) + judge_kl(law.kl)
    found += judge_decoder_scale(law.reconstruction)
    found += judge_constant(law, *sizes)
    scales = weigh(law, *sizes, meant)
    if scales is not None:
        error = law.reconstruction.family.error(seen)
        found += judge_weights(Weighed(scales, *sizes, error, meant))
    found += _second_sigmoid(law, patient)
    numbers = {"reconstruction term": law.reconstruction.family.name.replace("_", " ")}
    if scales is not None:
        numbers["β, the KL's weight"] = scales.beta
        if scales.sigma is not None:
            numbers["σ that the loss stands for"] = scales.sigma
    return found, numbers


def _second_sigmoid(law, patient) -> list[Finding]:
    if not law.reconstruction.family.logits:
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
        if term.family is NONE:
            found.append(finding(f"{name}_missing", "error", _missing(name)))
        if term.family is UNKNOWN:
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
    powers = [t.batch_power for t in (law.reconstruction, law.kl) if t.family is not NONE]
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
    if term.family.scale is None or term.weights[0] <= 0:
        return []
    error, log = term.weights
    factor = (2 if term.family.scale == "log_std" else 1) * error / log if log > 0 else math.inf
    if abs(factor - 1) < 0.05:
        return []
    evidence = (
        f"With r for a squared error, the likelihood is best at σ² = {number(factor)} r instead "
        f"of r, so σ ends at {number(factor**0.5)} times the error."
    )
    return [finding("log_std_missing_half", "error", evidence)]


@dataclass(frozen=True)
class Weighed:
    """The weights of a loss beside what they are compared with.

    `error` is the measured RMSE (for absolute errors the mean absolute error); `meant` the β that
    the user declared.
    """

    scales: Scales
    pixels: int
    latents: int
    error: float
    meant: float

    @property
    def as_meant(self) -> bool:
        sigma = self.scales.sigma
        fits = sigma is None or 1 / FACTOR <= sigma / self.error <= FACTOR
        return fits and _is(self.scales.beta, (self.meant,), 0.05)

    @property
    def means(self) -> list[str]:
        """What a mean was taken over, where a sum belongs."""
        scales, d = self.scales, self.latents
        over_pixels = _is(scales.reconstruction * self.pixels) and not _is(scales.kl * self.pixels)
        over_latents = d > 2 and not _is(scales.kl) and _is(scales.kl * d)
        counted = ((over_pixels, f"{self.pixels} pixels"), (over_latents, f"{d} latents"))
        return [f"a mean over {what}" for taken, what in counted if taken]

    @property
    def beta_off(self) -> bool:
        """β is read from the loss, and is not the one that was meant."""
        return not self.scales.knob and not _is(self.scales.beta, (self.meant,), 0.05)

    @property
    def counts_twice(self) -> bool:
        return not self.means and self.beta_off and _is(self.scales.beta / self.meant, (2,))

    @property
    def chosen(self) -> bool:
        """Somebody set the KL's weight: it is no plain number, and the reconstruction's is one."""
        kl, reconstruction = self.scales.kl, self.scales.reconstruction
        over_latents = self.latents > 2 and _is(kl * self.latents)
        plain = _is(kl) or over_latents or _is(kl * self.pixels)
        beside = _is(reconstruction) or _is(reconstruction * self.pixels)
        return not plain and (beside or not self.scales.knob)

    @property
    def unexplained(self) -> bool:
        return not self.counts_twice and (self.chosen or (self.beta_off and not self.means))

    def __str__(self) -> str:
        scales = self.scales
        beta, sigma = number(scales.beta), scales.sigma
        if sigma is None:
            return f"The KL counts β = {beta} times against the log-likelihood."
        if not scales.knob:
            return f"β = {beta}, σ = {number(sigma)}, error {number(self.error)}."
        other = number(scales.kl / scales.reconstruction)
        return (
            f"The weights stand for σ = {number(sigma)} with β = {beta}, or for σ = 1 with "
            f"β = {other}; the measured error is {number(self.error)}."
        )


RULES = (  # (finding, severity, whether it holds, what is said before the weights)
    ("mean_for_sum", "error", lambda w: w.means, lambda w: f"There is {' and '.join(w.means)}. "),
    ("kl_missing_half", "error", lambda w: w.counts_twice, lambda w: "It counts twice. "),
    ("unexplained_kl_weight", "warning", lambda w: w.unexplained, lambda w: ""),
)


def judge_weights(weighed: Weighed) -> list[Finding]:
    """Means for sums, a KL weight out of nowhere; if none of them, a fixed σ that is off."""
    if weighed.as_meant:
        return []
    found = [
        finding(name, severity, words(weighed) + str(weighed))
        for name, severity, holds, words in RULES
        if holds(weighed)
    ]
    return found or [finding("sigma_not_rmse", "warning", str(weighed))]


def _is(value: float, options: tuple[float, ...] = SIMPLE, within: float = 0.01) -> bool:
    return any(abs(value / option - 1) < within for option in options)
