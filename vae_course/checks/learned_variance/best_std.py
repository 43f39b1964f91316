"""Task 3: the best σ, and which reconstruction gives it."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.together import Given, Then
from vae_course.checks.learned_variance.likelihood import PICTURES


def errors(seed: int | None, size: float = 1.0) -> list[tuple]:
    """(x, from_means, from_draws): pictures and their reconstructions, the second with K draws."""
    g = fresh(seed)
    cases = []
    for draws, shape in zip((3, 2, 5, 4), PICTURES, strict=True):
        each = uniform(g, shape[0], 1, 1, 1, low=0.05, high=0.4)  # some pictures come out worse
        x = uniform(g, *shape)
        means = x + size * (each * normal(g, *shape) + 0.1)
        cases.append((x, means, means + size * 2 * each * normal(g, draws, *shape)))
    return cases


def log_rmse(x: Tensor, from_means: Tensor, from_draws: Tensor) -> Tensor:
    return (x - from_draws).square().mean().log() / 2


def _squares(change):
    """`change` of the squared errors, (K, N, C, H, W)."""
    return lambda x, m, z: change((x - z).square())


SLIPS = {
    "These are reconstructions of the posterior's mean. Which z does the ELBO average over?": (
        Given(lambda x, m, z: (x, m, m), log_rmse)
    ),
    "This is log σ². It has no ½, or no root.": Then(lambda t: 2 * t, log_rmse),
    "This is half of log σ: a root too many.": Then(lambda t: t / 2, log_rmse),
    "This is σ. The task asks for its logarithm.": Then(torch.exp, log_rmse),
    "This is σ², neither a root nor a logarithm of it.": Then(lambda t: (2 * t).exp(), log_rmse),
    "This is a logarithm to base 10. Take the natural one.": (
        Then(lambda t: t / math.log(10), log_rmse)
    ),
    "This is a logarithm to base 2. Take the natural one.": (
        Then(lambda t: t / math.log(2), log_rmse)
    ),
    "You average the draws before you square. Then their spread is lost; it is an error, too.": (
        Given(lambda x, m, z: (x, m, z.mean(0)), log_rmse)
    ),
    "You take one draw only. The others are as good.": (
        Given(lambda x, m, z: (x, m, z[0]), log_rmse)
    ),
    "You compare the two reconstructions with each other. Where do the pictures come in?": (
        Given(lambda x, m, z: (m, m, z), log_rmse)
    ),
    "You sum over the draws. Each of them is a reconstruction of its own: average.": (
        _squares(lambda e: e.sum(0).mean().log() / 2)
    ),
    "You average a root of each draw. One σ for all: the mean comes before the root.": (
        _squares(lambda e: e.flatten(1).mean(1).sqrt().mean().log())
    ),
    "You average a logarithm of each draw. One σ for all: the mean comes before the logarithm.": (
        _squares(lambda e: e.flatten(1).mean(1).log().mean() / 2)
    ),
    "You average a root of each picture. One σ for all: the mean comes first, over everything.": (
        _squares(lambda e: e.mean((2, 3, 4)).sqrt().mean().log())
    ),
    "You average the logarithms. One σ for all: the mean comes before the logarithm.": (
        _squares(lambda e: e.mean((2, 3, 4)).log().mean() / 2)
    ),
    "You average the logarithm of each pixel's error. The mean comes before the logarithm.": (
        _squares(lambda e: e.log().mean() / 2)
    ),
    "You sum over the pixels. σ belongs to one pixel.": (
        _squares(lambda e: e.sum((2, 3, 4)).mean().log() / 2)
    ),
    "You sum over everything. σ belongs to one pixel.": _squares(lambda e: e.sum().log() / 2),
    "You divide by one less than there are numbers. The highest likelihood has a plain mean.": (
        _squares(lambda e: (e.sum() / (e.numel() - 1)).log() / 2)
    ),
    "This is the mean absolute error. A normal density asks for squares.": (
        _squares(lambda e: e.sqrt().mean().log())
    ),
    "This is a standard deviation, which takes the average error away. An error that is the same "
    "everywhere is an error.": lambda x, m, z: (x - z).std(unbiased=False).log(),
    "This is a standard deviation of the errors over N - 1, which takes the average error away.": (
        lambda x, m, z: (x - z).std().log()
    ),
    "This is the σ of the slips: too large by a root. Where does the ½ belong?": (
        Then(lambda t: t + math.log(2) / 2, log_rmse)
    ),
    "One σ serves all pictures, and you return one for each.": (
        _squares(lambda e: e.mean((0, 2, 3, 4)).log() / 2)
    ),
    "One σ serves all pixels, and you return one for each.": (
        _squares(lambda e: e.mean((0, 1)).log() / 2)
    ),
}


@check(
    cases=errors,
    extreme=lambda seed: errors(seed, size=2e-3),
    astray="It is right for large errors, but not for errors near 0.001. Is something added before "
    "the logarithm, or clamped?",
    slips=SLIPS,
    within=1e-4,
    strictly=1e-4,
    praise="No other σ gives these draws a higher likelihood: it is measured, not chosen.",
)
def best_std(x: Tensor, from_means: Tensor, from_draws: Tensor) -> Tensor:
    """The log σ of the highest likelihood, one number. Here: many σ are tried.

    x and from_means (N, C, H, W), from_draws (K, N, C, H, W).
    """

    def average(log_std):
        s = log_std.reshape(-1, 1, 1, 1, 1, 1)
        return -Normal(from_draws, s.exp(), validate_args=False).log_prob(x).flatten(1).mean(1)

    low = torch.tensor(-12.0, dtype=torch.float64)
    return lowest(average, low, low + 15)
