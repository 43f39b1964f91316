"""One σ for all pixels: its likelihood, its best value, and the slips on the way."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.searches import lowest

PICTURES = ((1, 1, 2, 3), (4, 1, 1, 2), (2, 3, 2, 2), (5, 1, 2, 2))
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def likelihood_cases(seed: int | None) -> list[tuple]:
    """(x, mean, log_std): two batches of pictures and one number."""
    g = fresh(seed)
    sizes = uniform(g, len(PICTURES), low=-1.6, high=-0.4)
    return [(uniform(g, *s), uniform(g, *s), t) for s, t in zip(PICTURES, sizes, strict=True)]


def extreme_likelihood_cases(seed: int | None) -> list[tuple]:
    """The same with a σ far below 1, where the density is high and the loss below 0, or above."""
    g, shape = fresh(seed), (3, 1, 2, 2)
    made = []
    for log_std in (-9.0, 4.0):
        x = uniform(g, *shape)
        size = torch.tensor(log_std, dtype=torch.float64)
        made.append((x, x + size.exp() * normal(g, *shape), size))
    return made


def minus_log_likelihood(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return -Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))


def _each(x, mean, s, *, half=0.5, by=2.0, log=1.0, constant=1.0):
    """The nats of each pixel, with room for slips."""
    return half * (x - mean) ** 2 * torch.exp(-by * s) + log * s + constant * HALF_LOG_2PI


def _summed(front=1.0, once=0.0, **slip):
    """`once`: what is added to the sum over pixels, in log σ."""
    return lambda x, m, s: front * _each(x, m, s, **slip).sum((1, 2, 3)) + once * s


LIKELIHOOD_MISTAKES = {
    "The ½ stands in front of log σ, too. That is a slip of the chapter, and a hidden β.": (
        _summed(log=0.5)
    ),
    "The ½ is in front of both, which is a slip of the chapter, and the constant is missing.": (
        _summed(log=0.5, constant=0)
    ),
    "The ½ is missing in front of the squares: the σ that you learn would be too large.": (
        _summed(half=1)
    ),
    "The ½ and the constant with π are missing.": _summed(half=1, constant=0),
    "The constant with π is missing. No slope needs it, but without it these nats cannot be "
    "compared with anybody's.": _summed(constant=0),
    "log 2π counts twice what it should: which power of 2π is in the density?": _summed(constant=2),
    "log σ is missing: then σ grows without end, because nothing stops it.": _summed(log=0),
    "log σ and the constant are missing. With a σ that is learned, neither is optional.": (
        _summed(log=0, constant=0)
    ),
    "The sign of log σ is wrong: a wide density is a low one, so a large σ must cost.": (
        _summed(log=-1)
    ),
    "The constant with π counts once per picture. Each pixel has a density of its own.": (
        lambda x, m, s: _each(x, m, s, constant=0).sum((1, 2, 3)) + HALF_LOG_2PI
    ),
    "log σ counts once per picture. One σ serves all pixels, but each pixel pays for it.": (
        _summed(log=0, once=1)
    ),
    "This treats log σ as log σ²: the variance is not exp(log σ).": _summed(by=1, log=0.5),
    "The squares are divided by σ. What is the unit of a square?": (_summed(by=1)),
    "The squares are not divided by anything: this is right for σ = 1 only.": _summed(by=0),
    "The squares are multiplied by σ², not divided.": _summed(by=-2),
    "You averaged over the pixels. That is the slip that switches a code off: nats add up.": (
        lambda x, m, s: _each(x, m, s).mean((1, 2, 3))
    ),
    "Your squared error is a mean over the pixels, and the rest is a sum.": (
        lambda x, m, s: (
            _each(x, m, s, half=0).sum((1, 2, 3))
            + _each(x, m, s, log=0, constant=0).mean((1, 2, 3))
        )
    ),
    "This is the log-likelihood. A loss falls when the pictures get better: look at the sign.": (
        _summed(front=-1)
    ),
}


def error_cases(seed: int | None) -> list[tuple]:
    """(x, from_means, from_draws): pictures and their reconstructions, the second with K draws."""
    g = fresh(seed)
    cases = []
    for draws, shape in zip((3, 2, 5, 4), PICTURES, strict=True):
        each = uniform(g, shape[0], 1, 1, 1, low=0.05, high=0.4)  # some pictures come out worse
        x = uniform(g, *shape)
        means = x + each * normal(g, *shape) + 0.1
        cases.append((x, means, means + 2 * each * normal(g, draws, *shape)))
    return cases


def best_log_std(x: Tensor, from_means: Tensor, from_draws: Tensor) -> Tensor:
    """Where the average log-likelihood over all draws is highest, by search."""

    def average(log_std):
        s = log_std.reshape(-1, 1, 1, 1, 1, 1)
        return -Normal(from_draws, s.exp(), validate_args=False).log_prob(x).flatten(1).mean(1)

    low = torch.tensor(-7.0, dtype=torch.float64)
    return lowest(average, low, low + 10)


def _log_rmse(x: Tensor, made: Tensor) -> Tensor:
    return (x - made).square().mean().log() / 2


STD_MISTAKES = {
    "These are reconstructions of the posterior's mean. Which z does the ELBO average over?": (
        lambda x, m, z: _log_rmse(x, m)
    ),
    "This is log σ². It has no ½, or no root.": lambda x, m, z: 2 * _log_rmse(x, z),
    "This is log σ² of the posterior's means: two slips.": lambda x, m, z: 2 * _log_rmse(x, m),
    "This is σ. The task asks for its logarithm.": lambda x, m, z: _log_rmse(x, z).exp(),
    "This is σ², neither a root nor a logarithm of it.": lambda x, m, z: (
        2 * _log_rmse(x, z)
    ).exp(),
    "You average the draws before you square. Then their spread is lost; it is an error, too.": (
        lambda x, m, z: _log_rmse(x, z.mean(0))
    ),
    "You take one draw only. The others are as good.": lambda x, m, z: _log_rmse(x, z[0]),
    "You compare the two reconstructions with each other. Where do the pictures come in?": (
        lambda x, m, z: _log_rmse(m, z)
    ),
    "You sum over the draws. Each of them is a reconstruction of its own: average.": (
        lambda x, m, z: _log_rmse(x, z) + math.log(len(z)) / 2
    ),
    "You average a root of each draw. One σ for all: the mean comes before the root.": (
        lambda x, m, z: (x - z).square().flatten(1).mean(1).sqrt().mean().log()
    ),
    "You average a logarithm of each draw. One σ for all: the mean comes before the logarithm.": (
        lambda x, m, z: (x - z).square().flatten(1).mean(1).log().mean() / 2
    ),
    "You average a root of each picture. One σ for all: the mean comes first, over everything.": (
        lambda x, m, z: (x - z).square().mean((2, 3, 4)).sqrt().mean().log()
    ),
    "You average the logarithms. One σ for all: the mean comes before the logarithm.": (
        lambda x, m, z: (x - z).square().mean((2, 3, 4)).log().mean() / 2
    ),
    "You sum over the pixels. σ belongs to one pixel.": (
        lambda x, m, z: (x - z).square().sum((2, 3, 4)).mean().log() / 2
    ),
    "You sum over everything. σ belongs to one pixel.": (
        lambda x, m, z: (x - z).square().sum().log() / 2
    ),
    "This is the mean absolute error. A normal density asks for squares.": (
        lambda x, m, z: (x - z).abs().mean().log()
    ),
    "This is a standard deviation, which takes the average error away. An error that is the same "
    "everywhere is an error.": lambda x, m, z: (x - z).std(unbiased=False).log(),
    "This is a standard deviation of the errors over N - 1, which takes the average error away.": (
        lambda x, m, z: (x - z).std().log()
    ),
    "This is the σ of the slips: too large by a root. Where does the ½ belong?": (
        lambda x, m, z: _log_rmse(x, z) + math.log(2) / 2
    ),
    "One σ serves all pictures, and you return one for each.": (
        lambda x, m, z: (x - z).square().mean((0, 2, 3, 4)).log() / 2
    ),
    "One σ serves all pixels, and you return one for each.": (
        lambda x, m, z: (x - z).square().mean((0, 1)).log() / 2
    ),
}
