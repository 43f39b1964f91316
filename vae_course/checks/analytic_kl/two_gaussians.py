"""Task 4: KL(q ‖ p) of any two diagonal Gaussians."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.analytic_kl.kl import (
    ASTRAY,
    AVERAGED,
    LOG_VAR,
    REVERSED,
    extreme,
    kl,
    shallow,
)  # fmt: skip
from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import posteriors


def pairs(seed: int | None) -> list[tuple[Tensor, ...]]:
    """Of every size; and two near each other, away from N(0, I)."""
    mean, log_std = shallow(seed)
    near = 1.5 + mean, log_std - 1, torch.full_like(mean, 1.5), torch.full_like(mean, -1.0)
    both = zip(posteriors(seed), posteriors(_other(seed)), strict=True)
    return [near, *((*q, *p) for q, p in both)]


def astray_pairs(seed: int | None) -> list[tuple[Tensor, ...]]:
    """q astray in one way and p in another; and two that are near each other, and both narrow."""
    p = [part.roll(1, 0) for part in extreme(_other(seed))]
    (mean, log_std), zero = (part[-2:] for part in extreme(seed)), torch.zeros(2, 4).double()
    mean, log_std = (mean / 20).tanh() * torch.exp(zero - 9), (log_std / 6).tanh() - 9
    return [(*extreme(seed), *p), (mean, log_std, zero, zero - 9)]


def _other(seed: int | None) -> int | None:
    return None if seed is None else seed + 1


def between(mean_q, log_std_q, mean_p, log_std_p):
    return kl_divergence(Normal(mean_q, log_std_q.exp()), Normal(mean_p, log_std_p.exp())).sum(1)


def each(mq, sq, mp, sp, *, by=2.0, half=0.5, log=1.0, one=1.0, spread=2.0):
    """KL(q ‖ p) of each latent, with knobs."""
    squares = torch.exp(spread * (sq - sp)) + (mq - mp) ** 2 * torch.exp(-by * sp) - one
    return half * squares + log * (sp - sq)


slip = turned(each, lambda kl: kl.sum(1))
SLIPS = {
    REVERSED: lambda mq, sq, mp, sp: between(mp, sp, mq, sq),
    "p is not used: this is the KL to N(0, I).": lambda mq, sq, mp, sp: kl.right(mq, sq),
    "The mean of p is not used.": lambda mq, sq, mp, sp: between(mq, sq, 0 * mp, sp),
    "The spread of p is not used.": lambda mq, sq, mp, sp: between(mq, sq, mp, 0 * sp),
    "The distance of the means is not measured in units of p. A wide p forgives it, a narrow p "
    "does not.": slip(by=0.0),
    "The distance of the means is squared, but what it is divided by is not.": slip(by=1.0),
    "The distance of the means is measured in units of q. Who has to explain whom?": (
        lambda mq, sq, mp, sp: (each(mq, sq, mq, sp) + 0.5 * ((mq - mp) * torch.exp(-sq)) ** 2).sum(
            1
        )
    ),
    "The logarithms have the wrong sign: a q that is narrower than p knows more, and costs.": (
        slip(log=-1.0)
    ),
    "The logarithms are missing: a q that is narrower than p must cost.": slip(log=0.0),
    "The logarithms have a ½ too many. It would belong to variances.": slip(log=0.5),
    "A ½ is missing. It belongs to all terms but the logarithms.": slip(half=1.0),
    "log σ_q is divided by log σ_p. The log of a ratio is a difference of logs.": (
        lambda mq, sq, mp, sp: (each(mq, sq, mp, sp, log=0.0) + sp / sq).sum(1)
    ),
    "log σ_q is divided by log σ_p, upside down. The log of a ratio is a difference of logs.": (
        lambda mq, sq, mp, sp: (each(mq, sq, mp, sp, log=0.0) + sq / sp).sum(1)
    ),
    "log σ_q is divided by log σ_p. The log of a ratio is a difference of logs, and its sign is "
    "minus.": lambda mq, sq, mp, sp: (each(mq, sq, mp, sp, log=0.0) - sq / sp).sum(1),
    "A constant is missing: for q = p the KL must be 0.": slip(one=0.0),
    "In one term the ratio of the spreads stands without its square.": slip(spread=1.0),
    AVERAGED: slip(lambda kl: kl.mean(1)),
    LOG_VAR: lambda mq, sq, mp, sp: between(mq, sq / 2, mp, sp / 2),
}


@check(
    cases=pairs,
    extreme=astray_pairs,
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("mean_q", "log_std_q", "mean_p", "log_std_p"),
    praise="Right for any two diagonal Gaussians. With p = N(0, I) it is the KL you know.",
)
def two_gaussians(mean_q: Tensor, log_std_q: Tensor, mean_p: Tensor, log_std_p: Tensor) -> Tensor:
    """KL(q ‖ p), (batch, latent_dim) -> (batch,)."""
    return between(mean_q, log_std_q, mean_p, log_std_p)
