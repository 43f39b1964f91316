"""Task 4: the KL of each of two levels of latents."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform


def levels(seed: int | None) -> list[tuple[Tensor, ...]]:
    """Mean and log std of q(z2|x), of q(z1|x,z2) and of p(z1|z2); the levels differ in size."""
    g, cases = fresh(seed), []
    for batch, top, low in ((4, 2, 5), (1, 3, 1), (5, 1, 4), (3, 4, 2)):
        spreads = [uniform(g, batch, size, low=-1.5, high=0.6) for size in (top, low, low)]
        means = [normal(g, batch, size) for size in (top, low, low)]
        cases.append(tuple(p for pair in zip(means, spreads, strict=True) for p in pair))
    return cases


def kl(mean, log_std, to_mean, to_log_std, *, half=0.5, log=1.0, less=1.0, width=2.0):
    ratio = (width * (log_std - to_log_std)).exp()
    distance = ((mean - to_mean) * (-to_log_std).exp()).square()
    return (half * (ratio + distance - less) + log * (to_log_std - log_std)).sum(1)


def standard(mean, log_std, **knobs):
    zero = torch.zeros_like(mean)
    return kl(mean, log_std, zero, zero, **knobs)


def levels_of(on_top=standard, below=kl):
    return lambda m2, s2, m1, s1, mp, sp: (on_top(m2, s2), below(m1, s1, mp, sp))


SLIPS = {
    "The lower level is compared with N(0, I). Its prior is p(z₁|z₂).": levels_of(
        below=lambda m, s, mp, sp: standard(m, s)
    ),
    "Below, the two are swapped: KL(q‖p) averages over q.": levels_of(
        below=lambda m, s, mp, sp: kl(mp, sp, m, s)
    ),
    "On top, the two are swapped: KL(q‖p) averages over q.": levels_of(
        lambda m, s: kl(torch.zeros_like(m), torch.zeros_like(s), m, s)
    ),
    "Both levels treat log σ as log σ².": levels_of(
        lambda m, s: standard(m, s / 2),
        lambda m, s, mp, sp: kl(m, s / 2, mp, sp / 2),
    ),
    "Below, the distance of the means is not divided by the prior's variance.": levels_of(
        below=lambda m, s, mp, sp: (
            0.5 * ((2 * (s - sp)).exp() + (m - mp).square() - 1) + sp - s
        ).sum(1)
    ),
    "Below, the means do not count. The prior has a mean, too, but it need not be the same.": (
        levels_of(below=lambda m, s, mp, sp: kl(m, s, m, sp))
    ),
    "Below, the prior's mean is taken for 0.": levels_of(
        below=lambda m, s, mp, sp: kl(m, s, torch.zeros_like(mp), sp)
    ),
    "Below, the prior's σ is taken for 1.": levels_of(
        below=lambda m, s, mp, sp: kl(m, s, mp, torch.zeros_like(sp))
    ),
    "Both levels average over the latents. The KLs of independent latents add up.": (
        lambda m2, s2, m1, s1, mp, sp: (
            standard(m2, s2) / m2.shape[1],
            kl(m1, s1, mp, sp) / m1.shape[1],
        )
    ),
    "Below, the logarithms are missing.": levels_of(below=lambda *four: kl(*four, log=0.0)),
    "On top, the logarithm is missing.": levels_of(lambda m, s: standard(m, s, log=0.0)),
    "The second is the sum of both. Return one number for each level.": (
        lambda m2, s2, m1, s1, mp, sp: (
            standard(m2, s2),
            standard(m2, s2) + kl(m1, s1, mp, sp),
        )
    ),
}


@check(
    cases=levels,
    slips=SLIPS,
    results=("the KL on top", "the KL below"),
    gradients=("mean2", "log_std2", "mean1", "log_std1", "prior_mean", "prior_log_std"),
    praise="Their sum is the rate. How it is split is settled by the networks, not by the data.",
)
def two_levels(
    mean2: Tensor,
    log_std2: Tensor,
    mean1: Tensor,
    log_std1: Tensor,
    prior_mean: Tensor,
    prior_log_std: Tensor,
) -> tuple[Tensor, Tensor]:
    """Each (batch, d) of its level -> two (batch,), nats. Here: torch.distributions."""
    top, low = Normal(mean2, log_std2.exp()), Normal(mean1, log_std1.exp())
    prior = Normal(prior_mean, prior_log_std.exp())
    on_top = kl_divergence(top, Normal(torch.zeros_like(mean2), 1.0)).sum(1)
    return on_top, kl_divergence(low, prior).sum(1)
