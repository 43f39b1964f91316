"""Task 6: the hole of a diffusion's highest level."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Given, Then


def schedules(seed: int | None) -> list[tuple[Tensor, float]]:
    """(a, variance): few levels, so that the hole is large enough to see; data wide and narrow."""
    g = fresh(seed)
    return [
        (uniform(g, levels, low=0.5, high=0.95), uniform(g, 1, low=low, high=2 * low).item())
        for levels, low in ((3, 4.0), (1, 2.0), (5, 0.1), (2, 30.0))
    ]


def hole(v):
    return 0.5 * (v - 1 - v.log())


SLIPS = {
    "This is the variance of the highest level, not its KL to N(0, 1).": (
        lambda a, variance: 1 + (variance - 1) * a.prod()
    ),
    "A ½ is missing in the KL.": Then(lambda nats: 2 * nats),
    "You multiply the variance by √a at each level. A factor of √a on z is one of a on variance.": (
        lambda a, variance: hole(_after(a, variance, lambda a: a.sqrt(), lambda a: 1 - a))
    ),
    "You multiply the variance by a². A factor of √a on z is one of a on its variance.": (
        lambda a, variance: hole(_after(a, variance, lambda a: a**2, lambda a: 1 - a))
    ),
    "You add noise with the variance √(1 - a). It has that standard deviation.": (
        lambda a, variance: hole(_after(a, variance, lambda a: a, lambda a: (1 - a).sqrt()))
    ),
    "You forget the noise that each level adds.": (lambda a, variance: hole(variance * a.prod())),
    "You stop after the first level.": Given(lambda a, variance: (a[:1], variance)),
    "You leave the last level out.": Given(lambda a, variance: (a[:-1], variance)),
    "You take `variance` for a standard deviation.": Given(lambda a, variance: (a, variance**2)),
    "The KL is the wrong way round: expectations are over the level's own distribution.": (
        lambda a, variance: _reversed(1 + (variance - 1) * a.prod())
    ),
    "This is in bits.": Then(lambda nats: nats / math.log(2)),
    "Your KL takes the variance for σ: log σ² = 2 log σ.": (
        lambda a, variance: (
            0.5 * ((1 + (variance - 1) * a.prod()) - 1) - (1 + (variance - 1) * a.prod()).log()
        )
    ),
}


def _after(a, variance, keep, add):
    v = torch.as_tensor(variance, dtype=a.dtype)
    for share in a:
        v = keep(share) * v + add(share)
    return v


def _reversed(v):
    return 0.5 * (1 / v - 1 + v.log())


@check(
    cases=schedules,
    slips=SLIPS,
    praise="Enough levels, and whatever x was, the highest is N(0, 1). No prior had to be learned.",
)
def highest_hole(a: Tensor, variance: float) -> Tensor:
    """One number, nats. Here: z_K = c x + noise, with c and the noise's own shares summed up."""
    kept = torch.cat([a.flip(0).cumprod(0).flip(0)[1:], a.new_ones(1)])  # of each level's noise
    spread = a.prod() * variance + (kept * (1 - a)).sum()
    return kl_divergence(Normal(0.0, spread.sqrt()), Normal(torch.zeros_like(spread), 1.0))
