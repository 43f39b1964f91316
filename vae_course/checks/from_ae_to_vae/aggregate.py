"""Task 5: mean and variance of each latent under the aggregate posterior."""

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform

MIXTURES = (4, 1), (5, 2), (2, 6), (7, 3)  # of one posterior, a mixture is no mixture
ASTRAY = (
    "It is right for moderate values, but not where all means are equal and log σ is -9, or where "
    "means lie 50 apart and log σ is 4. Is something cut off?"
)


def extreme(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """Narrow posteriors in one place; and wide ones, far apart."""
    g = fresh(seed)
    one_place = normal(g, 1, 3).expand(4, 3).clone(), torch.full((4, 3), -9.0).double()
    apart = uniform(g, 4, 3, low=-50, high=50), uniform(g, 4, 3, low=3.8, high=4.2)
    return [one_place, apart]


def moments(
    mean,
    log_std,
    *,
    average=lambda t: t.mean(0),
    spread=lambda s, average: average(torch.exp(2 * s)),
    apart=lambda m, average: average(m.square()) - average(m) ** 2,
):
    """Mean, and variance as the posteriors' own and what their means add."""
    return average(mean), spread(log_std, average) + apart(mean, average)


slip = turned(moments, lambda found: found)
SLIPS = {
    "This is the second moment. The square of the mean is not subtracted.": (
        slip(apart=lambda m, average: average(m.square()))
    ),
    "The spread of each posterior is missing: you have the variance of the means.": (
        slip(spread=lambda s, average: 0.0)
    ),
    "The spread of the means is missing: you average the variances of the posteriors. Or is the "
    "mean of μ² subtracted, where the square of the mean belongs?": (
        slip(apart=lambda m, average: 0.0)
    ),
    "You add standard deviations where variances belong: σ is not σ².": (
        slip(spread=lambda s, average: average(s.exp()))
    ),
    "You square the mean of σ. First square, then average.": (
        slip(spread=lambda s, average: average(s.exp()) ** 2)
    ),
    "You add log σ, not a variance.": slip(spread=lambda s, average: average(s)),
    "The spread of the posteriors is subtracted. It makes q(z) wider.": (
        slip(spread=lambda s, average: -average(torch.exp(2 * s)))
    ),
    "σ² is e to the 2 log σ. Your exponent has another factor.": (
        slip(spread=lambda s, average: average(torch.exp(4 * s)))
    ),
    "The second is the standard deviation, not the variance.": (
        slip(lambda found: (found[0], found[1].sqrt()))
    ),
    "The variance of the means is over N - 1. The N posteriors are all of q(z), so divide by N.": (
        slip(apart=lambda m, average: m.var(0))
    ),
    "The whole variance is over N - 1. The N posteriors are all of q(z), so divide by N.": (
        lambda m, s: (m.mean(0), moments(m, s)[1] * len(m) / (len(m) - 1))
    ),
    "The mean is subtracted, not its square.": (
        slip(apart=lambda m, average: average(m.square()) - average(m))
    ),
    "The variance is the square of the right one's sum of parts: σ and the spread of the means are "
    "added before they are squared.": (
        lambda m, s: (m.mean(0), (s.exp().mean(0) + m.std(0, correction=0)) ** 2)
    ),
    "You averaged over the latents, dimension 1. Each latent has moments of its own.": (
        slip(average=lambda t: t.mean(1))
    ),
    "You summed over the posteriors. The mixture is even: their average.": (
        slip(average=lambda t: t.sum(0))
    ),
    "The mean is summed over the posteriors, and their variances are added up. The mixture is "
    "even: all are averages.": lambda m, s: (m.sum(0), len(m) * moments(m, s)[1]),
    "You averaged over the latents as well. Each latent has moments of its own.": (
        slip(lambda found: tuple(part.mean() for part in found))
    ),
    "This is the second moment alone; the mean is missing.": (
        lambda m, s: (m.square() + torch.exp(2 * s)).mean(0)
    ),
    "This is the variance alone; the mean is missing.": slip(lambda found: found[1]),
}


@check(
    cases=lambda seed: posteriors(seed, MIXTURES),
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    results=("the mean", "the variance"),
    praise="Right: q(z) is wider than its posteriors, because their means lie apart.",
)
def aggregate(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance under the even mixture: (N, latent_dim) -> (latent_dim,) each."""
    even = Categorical(logits=torch.zeros(len(mean), dtype=mean.dtype))
    mixed = MixtureSameFamily(even, Independent(Normal(mean, log_std.exp()), 1))
    return mixed.mean, mixed.variance
