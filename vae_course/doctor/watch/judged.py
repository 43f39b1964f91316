"""What one training step shows: findings."""

import math
from dataclasses import replace

import torch

from vae_course.doctor.advice import finding
from vae_course.doctor.behaviour.inputs import judge_scale_of_input
from vae_course.doctor.behaviour.pictures import judge_bernoulli, judge_grey
from vae_course.doctor.loss.families import NONE, UNKNOWN
from vae_course.doctor.loss.kl import judge_kl
from vae_course.doctor.loss.probe import LossLaw
from vae_course.doctor.loss.spread import read_spread
from vae_course.doctor.loss.weights import SIMPLE, Scales, Weighed, judge_weights
from vae_course.doctor.report import Finding, number
from vae_course.doctor.watch.draws import Draw
from vae_course.doctor.watch.weights import Weights, meaning_of

BOUNDS_BELOW = {"softplus", "relu", "sigmoid", "abs", "relu6", "square"}
BOUNDS = {"tanh", "sigmoid", "relu", "relu6", "hardtanh", "softplus"}


def judge_draw(draw: Draw) -> list[Finding]:
    """The line that draws z."""
    if not draw.z.requires_grad:
        evidence = "z comes without gradient: it was drawn by .sample(), or under no_grad."
        return [finding("sample_not_reparameterized", "error", evidence)]
    found = []
    if draw.flat:
        found.append(_noise("Its noise is uniform, between 0 and 1."))
    elif draw.size < draw.z.numel():
        found.append(_noise(f"{draw.size} numbers of noise serve {draw.z.numel()} latents."))
    return found


def _noise(evidence: str) -> Finding:
    return finding("sample_wrong_noise", "error", evidence)


def judge_heads(draw: Draw) -> list[Finding]:
    """What the encoder can say."""
    found = []
    spread = draw.spread
    if spread is not None and spread.shape == draw.mean.shape and torch.equal(spread, draw.mean):
        found.append(
            finding("spread_is_mean", "error", "The spread is the mean, number for number.")
        )
    after, exponential = [], False
    for step in draw.steps:  # from the std back to the encoder's answer
        if exponential:
            after.append(step)
        exponential |= step in ("exp", "exp2", "expm1")
    if bad := BOUNDS_BELOW & set(after):
        evidence = f"A {bad.pop()} stands before the exponential: σ is never below 1."
        found.append(finding("spread_bounded", "error", evidence))
    elif "tanh" in after:
        evidence = "A tanh stands before the exponential."
        found.append(finding("spread_bounded", "warning", evidence))
    if draw.mean_by in BOUNDS:
        evidence = f"The means come out of a {draw.mean_by}."
        found.append(finding("mean_bounded", "warning", evidence))
    return found


def judge_target(weights: Weights, target) -> list[Finding]:
    """The pictures that the output is compared with."""
    if not torch.isfinite(target).all():
        bad = int((~torch.isfinite(target)).sum())
        evidence = f"{bad} numbers of the pictures are not finite."
        return [finding("pictures_not_finite", "error", evidence)]
    family, found = weights.reconstruction.family, judge_scale_of_input(target, works=False)
    if family.binary:
        found += judge_bernoulli(target) or judge_grey(target)
    if family.logits and weights.output_by == "sigmoid":
        evidence = "The loss takes logits, and the output comes out of a sigmoid."
        found.append(finding("sigmoid_twice", "error", evidence))
    return found


def judge_step(weights: Weights, draw: Draw, sizes, error, beta, trained, bends):
    """Findings on the loss, and its weights as measurements.

    sizes (batch, D, d); error: the RMSE of this batch; trained: better than the mean picture
    """
    batch, pixels, latents = sizes
    found, numbers = _terms(weights, bends), {}
    numbers["reconstruction term"] = weights.reconstruction.family.name.replace("_", " ")
    kl = weights.kl
    if kl.weights and kl.weights[0] < 0 and bends:
        return [*found, _bent("Its weight is negative in this step, and it has a kink")], numbers
    if kl.weights:
        on_kl = judge_kl(kl)
        _, factor = meaning_of(draw)
        if on_kl and weights.meaning is None and abs(factor - 1) > 1e-3:
            on_kl = [_noise(f"Its noise is {number(factor)} times what the KL is paid for.")]
        law = LossLaw(weights.reconstruction, kl, math.nan, 1, None)
        if draw.by_spread is not None and not on_kl:
            on_kl += read_spread(None, weights.meaning or "log_std", law, None)[1]
        numbers["spread read as"] = weights.meaning or "σ, from the sampling line"
        found += on_kl
    scales, uneven = _scales(weights, batch, pixels, latents, beta)
    if scales is None:
        return found, numbers
    if uneven:
        found.append(finding("batch_reductions_differ", "error", uneven))
    numbers["β, the KL's weight"] = scales.beta
    if scales.sigma is not None:
        numbers["σ that the loss stands for"] = scales.sigma
        if not trained:
            error = min(max(scales.sigma, 0.01), 0.5)
    weighed = Weighed(scales, pixels, latents, error, beta, 0.0, trained)
    on_weights = judge_weights(weighed)
    if bends and any(f.name == "unexplained_kl_weight" for f in on_weights):
        on_weights = [_bent(f"Its weight is {number(scales.beta)} in this step, and it has a kink")]
    if trained and scales.sigma is not None and scales.sigma < error:  # the error may still fall
        on_weights = [
            replace(f, severity="note") if f.name == "sigma_not_rmse" else f for f in on_weights
        ]
    return found + on_weights, numbers


def _terms(weights: Weights, bends: bool) -> list[Finding]:
    found, kl, reconstruction = [], weights.kl, weights.reconstruction
    if kl.family is NONE and bends:
        found.append(_bent("It has no gradient in this step, and a kink"))
    elif kl.family is NONE:
        evidence = (
            "Nothing reaches the encoder but through z: there is no term on the posterior, or one "
            "without gradient (.item(), .detach(), no_grad)."
        )
        found.append(finding("kl_missing", "error", evidence))
    if weights.mixed:
        found.append(finding("examples_mixed", "error", weights.mixed))
    elif weights.repels:
        evidence = (
            "A descent step on it drives σ further away from 1 where it is not 1, the prior's."
        )
        found.append(finding("kl_wrong_form", "warning", evidence))
    elif kl.family is UNKNOWN:
        evidence = (
            "Its gradient is none that a KL has, or too small to be read beside the rest. "
            "check_loss reads the smallest weights."
        )
        found.append(finding("kl_unknown", "note", evidence))
    if reconstruction.family is NONE:
        evidence = "No gradient reaches what the decoder returned."
        found.append(finding("reconstruction_missing", "error", evidence))
    if reconstruction.family is UNKNOWN:
        evidence = "No output was seen whose gradient a known likelihood has."
        found.append(finding("reconstruction_unknown", "note", evidence))
    if reconstruction.weights and reconstruction.weights[0] < 0:
        weight = number(reconstruction.weights[0])
        evidence = f"The error's weight is {weight}."
        found.append(finding("reconstruction_wrong_sign", "error", evidence))
    return found


def _bent(evidence: str) -> Finding:
    return finding("kl_piecewise", "note", evidence + ", as a capacity has, or free bits.")


def _scales(weights: Weights, batch: int, pixels: int, latents: int, beta: float):
    """The weights for one example, and words, if the two terms are not reduced alike.

    A step shows weights of the batch's sum; a term that was averaged has them B times smaller.
    """
    kl, term = weights.kl, weights.reconstruction
    if not (kl.weights and term.weights) or min(kl.weights[0], term.weights[0]) <= 0:
        return None, ""
    beta_kl, unit = 2 * kl.weights[0], term.family.unit(term.weights[0], pixels)
    fixed = term.family.sigma(1.0) is not None
    times = _averaged(beta_kl, unit, (batch, pixels, latents), beta)
    other, uneven = times, ""
    if times == 1 and _plain(unit * batch * pixels) and not _plain(unit * pixels):
        other = batch
        uneven = "The reconstruction is averaged over the batch, the term on the latents summed."
    beta_kl, unit = beta_kl * times, unit * other
    if not fixed:
        return Scales(unit, beta_kl, beta_kl / unit, None, False), uneven
    sigma = term.family.sigma(unit * beta / beta_kl)
    if uneven:  # what it stands for in this batch
        sigma = term.family.sigma(unit / batch * beta / beta_kl)
    return Scales(unit, beta_kl, beta, sigma, True), uneven


def _plain(value: float, options=SIMPLE) -> bool:
    return any(abs(value / option - 1) < 0.01 for option in options)


def _averaged(beta_kl: float, unit: float, sizes, beta: float) -> float:
    """What turns the weights of this step into those of one example: 1, B, or neither."""
    batch, pixels, latents = sizes
    for times in (batch, 1):
        if any(_plain(beta_kl * times * n, (*SIMPLE, beta)) for n in (1, latents)):
            return times
    for times in (batch, 1):
        if any(_plain(unit * times * n) for n in (1, pixels)):
            return times
    return beta / beta_kl  # a loss that was scaled as a whole: by accumulation, or for float16
