"""What the encoder and the decoder can say at all: their answers where they are pushed hard."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.doctor.advice import finding
from vae_course.doctor.patient import Patient, Posterior
from vae_course.doctor.report import Finding, number

PUSH = 30.0
SOME = 64  # pictures that are pushed
EXACT = 1e-6


def judge_encoder(patient: Patient, posterior: Posterior) -> list[Finding]:
    """A last layer that keeps the mean or the spread from values that they need."""
    if torch.equal(posterior.mean, posterior.spread):
        evidence = "The spread is the mean, number for number: both come from one head."
        return [finding("spread_is_mean", "error", evidence)]
    if stuck := _without_gradient(patient):
        return [finding("loss_without_gradient", "error", stuck)]
    means, spreads = _pushed_answers(patient, posterior)
    found = _judge_mean(means)
    # A positive spread is no logarithm, and was turned into one: it has no bound to look for.
    return found if patient.positive else found + _judge_spread(spreads)


def _without_gradient(patient: Patient) -> str:
    """Words, if one of the encoder's two answers is cut off from its weights and the other not."""
    try:
        with torch.enable_grad():
            answer = patient.encode(patient.pictures[:2])
    except RuntimeError:
        return ""
    learn = [part.requires_grad for part in answer]
    cut = [
        name
        for name, part, learns in zip(("mean", "spread"), answer, learn, strict=True)
        if not learns and part.ndim and not (part == part[:1]).all()
    ]
    if not (any(learn) and cut):
        return ""
    return f"The encoder's {cut[0]} comes without gradient, as after detach()."


def _judge_spread(spreads: Tensor) -> list[Finding]:
    low, high = _ends(spreads)
    if 0 <= low <= 0.05 and high > 2 * low + 1e-3:
        evidence = (
            f"However the encoder is pushed, its spread is never below {number(low)}: the noise "
            "cannot fall below σ = 1, as after a softplus, ReLU or sigmoid on a logarithm."
        )
        return [finding("spread_bounded", "error", evidence)]
    if _fills(low, high, -1.0, 1.0):
        evidence = f"The spread is bound to {number(low)} .. {number(high)}, as after a tanh."
        return [finding("spread_bounded", "warning", evidence)]
    return []


def _judge_mean(means: Tensor) -> list[Finding]:
    low, high = _ends(means)
    zeros = (means == 0).double().mean().item()
    if low == 0 and zeros > 0.01 and high > 0:
        evidence = f"No mean is negative and {zeros:.0%} are 0, as after a ReLU."
    elif _fills(low, high, -1.0, 1.0) or _fills(low, high, 0.0, 1.0):
        evidence = f"The means are bound to {number(low)} .. {number(high)}, as after a tanh or σ."
    else:
        return []
    return [finding("mean_bounded", "warning", evidence)]


def _fills(low: float, high: float, bottom: float, top: float) -> bool:
    """All values lie within the two bounds, and come to both, as where a tanh is pushed."""
    inside = low >= bottom - EXACT and high <= top + EXACT
    return inside and low < bottom + 2e-3 and high > top - 2e-3


def _pushed_answers(patient: Patient, posterior: Posterior) -> tuple[Tensor, Tensor]:
    """All means and all spreads, of the pictures and of what is far outside them, flat."""
    x = patient.pictures[:SOME]
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
    answers = [posterior]
    for pushed in (PUSH * x, -PUSH * x, PUSH * noise):
        try:
            answers.append(patient.posterior(pushed))
        except (RuntimeError, ValueError, IndexError):  # made for pictures alone
            continue
    means = torch.cat([answer.mean.flatten().float() for answer in answers])
    spreads = torch.cat([answer.spread.flatten().float() for answer in answers])
    return means[means.isfinite()], spreads[spreads.isfinite()]


def decoder_reach(patient: Patient, posterior: Posterior, see: Callable) -> tuple[float, float]:
    """The least and the largest output, for z as encoded and for z far out."""
    z = posterior.mean[:SOME]
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z)
    outputs = []
    for pushed in (posterior.mean, PUSH * z, -PUSH * z, PUSH * noise):
        try:
            outputs.append(see(patient.picture(pushed).point).flatten().float())
        except (RuntimeError, ValueError, IndexError):
            continue
    reached = torch.cat(outputs)
    return _ends(reached[reached.isfinite()])


def _ends(values: Tensor) -> tuple[float, float]:
    low, high = torch.aminmax(values)
    return low.item(), high.item()
