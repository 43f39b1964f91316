"""All findings on a loss that was understood: its terms, their signs, sums and weights."""

import math

import torch

from vae_course.doctor.advice import finding
from vae_course.doctor.behaviour.symptoms import Behaviour
from vae_course.doctor.loss.constants import judge_constant
from vae_course.doctor.loss.doubts import judge_doubts
from vae_course.doctor.loss.families import NONE, UNKNOWN
from vae_course.doctor.loss.kl import judge_kl
from vae_course.doctor.loss.prior import KlToPrior, judge_own_prior
from vae_course.doctor.loss.probe import LossLaw, Term
from vae_course.doctor.loss.weights import Scales, Weighed, judge_weights, weigh
from vae_course.doctor.patient import Patient
from vae_course.doctor.report import Finding, number

GROWTH = ("is averaged over the batch", "is summed over the batch", "grows as the batch squared")


def judge_law(law: LossLaw) -> list[Finding]:
    """What the loss alone shows, without a model."""
    pixels, latents = law.probe.frame.pixels, law.probe.frame.latents
    found = judge_terms(law) + judge_doubts(law) + judge_decoder_scale(law.reconstruction)
    if law.probe.frame.prior is not None:
        found = [f for f in found if f.name not in ("kl_unknown", "kl_wrong_form")]
        found += judge_own_prior(law.kl)
    if law.kl.understood and (
        law.probe.frame.prior is None or isinstance(law.kl.family, KlToPrior)
    ):
        found += judge_kl(law.kl, law.kl.noise)
    return found + judge_constant(law, pixels, latents)


def judge_use(
    law: LossLaw, patient: Patient, seen: Behaviour, meant: float, learned: bool = True
) -> tuple[list[Finding], dict[str, float | str]]:
    """The weights beside the measured error, and as measurements; `meant` is the declared β.

    `learned`: training has left its first steps.
    """
    found = _second_sigmoid(law, patient)
    scales, numbers = weights_of(law, meant)
    if scales is not None:
        sizes = patient.pixels, seen.mean.shape[1]
        error = law.reconstruction.family.error(seen)
        weighed = Weighed(scales, *sizes, error, meant, law.kl.noise, learned=learned)
        found += judge_weights(weighed)
    return found, numbers


def weights_of(law: LossLaw, meant: float) -> tuple[Scales | None, dict[str, float | str]]:
    """The weights in nats, where both terms are understood, and as measurements."""
    frame = law.probe.frame
    scales = weigh(law, frame.pixels, frame.latents, meant)
    numbers = {"reconstruction term": law.reconstruction.family.name.replace("_", " ")}
    if scales is not None:
        numbers["β, the KL's weight"] = scales.beta
        if scales.sigma is not None:
            numbers["σ that the loss stands for"] = scales.sigma
    return scales, numbers


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
    found = []
    for name, term in zip(("reconstruction", "kl"), law.terms, strict=True):
        if term.family is NONE:
            found.append(finding(f"{name}_missing", "error", _missing(name)))
        if term.family is UNKNOWN:
            found.append(finding(f"{name}_unknown", "note", "No known formula fits its values."))
    if law.reconstruction.weights and law.reconstruction.weights[0] < 0:
        weight = number(law.reconstruction.weights[0])
        found.append(
            finding("reconstruction_wrong_sign", "error", f"The error's weight is {weight}.")
        )
    if law.kl.piecewise:
        weight = number(2 * law.kl.weights[0])
        evidence = (
            f"Far from the prior it is {weight} KL plus a constant, near it another function."
        )
        found.append(finding("kl_piecewise", "note", evidence))
    if law.probe.noisy:
        evidence = f"Two calls differ; its weights are read to about {law.kl.noise:.0%}."
        found.append(finding("loss_draws_noise", "note", evidence))
    if law.sign < 0:
        found.append(finding("loss_to_maximise", "note", "Both terms have a negative weight."))
    return found + _judge_batch(law)


def _missing(name: str) -> str:
    what = {"reconstruction": "the decoder's output", "kl": "the mean and the spread"}[name]
    return f"Other values of {what} leave the loss as it is."


def _judge_batch(law: LossLaw) -> list[Finding]:
    terms = zip(("reconstruction", "term on the latents"), law.terms, strict=True)
    there = [(name, term) for name, term in terms if term.family is not NONE and term.even]
    powers = {max(0, min(2, term.batch_power)) for _, term in there}
    squared = [
        (name, term.squared)
        for name, term in zip(("reconstruction", "term on the latents"), law.terms, strict=True)
        if term.squared > 0.01
    ]
    if squared:
        name, share = squared[0]
        evidence = (
            f"A part of the {name} grows as the batch squared: {share:.0%} of it at 16 examples. "
            "The other parts do not."
        )
        return [finding("batch_reductions_differ", "error", evidence)]
    if len(powers) > 1 or 2 in powers:
        how = [f"the {name} {GROWTH[max(0, min(2, t.batch_power))]}" for name, t in there]
        evidence = f"{', '.join(how).capitalize()}."
        return [finding("batch_reductions_differ", "error", evidence)]
    if powers == {1}:
        evidence = "Four equal pictures have twice the loss of two."
        return [finding("loss_summed_over_batch", "note", evidence)]
    return []


def at_training_batch(law: LossLaw, size: int | None) -> tuple[LossLaw, list[Finding]]:
    """The law at the batch size that it is made for, if one term holds it as a constant.

    `size` is what the user said; else it is the whole number at which the weights are plain.
    """
    powers = {term.batch_power for term in law.terms if term.family is not NONE and term.even}
    if powers != {0, 1}:
        return law, []
    size = size or _written_size(law)
    if size is None:
        return law, []
    evidence = (
        f"One term is summed over the batch, the other averaged: they are in balance at batches "
        f"of {size}, and at no other."
    )
    return law.at_batch(size), [finding("batch_size_in_loss", "note", evidence)]


def _written_size(law: LossLaw) -> int | None:
    """The batch size, of 8 or more, that would give the KL a plain weight."""
    if law.known < 2 or law.reconstruction.weights[0] <= 0 or law.kl.weights[0] <= 0:
        return None
    unit = law.reconstruction.family.unit(law.reconstruction.weights[0], law.probe.frame.pixels)
    beta = 2 * law.kl.weights[0] / unit  # at a batch of 1
    summed = law.kl.batch_power > law.reconstruction.batch_power
    free = law.reconstruction.family.sigma(1.0) is not None  # a half may belong to σ
    for plain in (1, 0.5, 2) if free else (1,):
        size = plain / beta if summed else beta / plain
        if size > 7.5 and abs(size / round(size) - 1) < 1e-5:
            return round(size)
    return None


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
