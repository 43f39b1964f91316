"""Task 4: the variances of both estimates of the slope of E z² in μ, by SymPy."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.expressions import evaluated
from vae_course.checks.judging.inputs import fresh, normal, uniform


def points(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    g = fresh(seed)
    return [(normal(g, 9), uniform(g, 9, low=0.3, high=2.5))]


def moments(
    mu: Tensor, sigma: Tensor, *, in_sigma: bool = False, baseline=0.0
) -> list[tuple[Tensor, Tensor]]:
    """Mean and variance of the pathwise and of the score-function estimate, for f = z²."""
    e = torch.linspace(-10, 10, 801, dtype=torch.float64)
    weight = torch.softmax(-(e**2) / 2, 0)
    z = mu[:, None] + sigma[:, None] * e
    score = (e**2 - 1 if in_sigma else e) / sigma[:, None]
    found = []
    for values in (
        2 * z * (e if in_sigma else 1),
        (z**2 - torch.as_tensor(baseline)[..., None]) * score,
    ):
        mean = values @ weight
        found.append((mean, (values - mean[:, None]) ** 2 @ weight))
    return found


def integrated(mu, sigma, **how):
    return tuple(variance for _, variance in moments(mu, sigma, **how))


def _squares(mu, sigma):
    return tuple(mean**2 + variance for mean, variance in moments(mu, sigma))


def _first(value):
    return lambda m, s: (value(m, s), integrated(m, s)[1])


def _second(value):
    return lambda m, s: (integrated(m, s)[0], value(m, s))


SLIPS = {
    "These are average squares. A variance also takes off the square of the average.": _squares,
    "The second is an average square. A variance also takes off the square of the average.": (
        _second(lambda m, s: _squares(m, s)[1])
    ),
    "The first is an average square. A variance also takes off the square of the average.": (
        _first(lambda m, s: _squares(m, s)[0])
    ),
    "These are the averages of the estimates, not their variances.": (
        lambda m, s: tuple(mean for mean, _ in moments(m, s))
    ),
    "These are the variances of the slopes in σ. The slope in μ is asked for.": (
        lambda m, s: integrated(m, s, in_sigma=True)
    ),
    "The second has a baseline: it is taken with the average of f off.": (
        lambda m, s: integrated(m, s, baseline=m**2 + s**2)
    ),
    "The second has a baseline: it is taken with the best one.": (
        lambda m, s: integrated(m, s, baseline=m**2 + 3 * s**2)
    ),
    "These are standard deviations.": lambda m, s: tuple(v.sqrt() for v in integrated(m, s)),
    "In the second, the score lacks its σ: a narrow q has a steep log density.": (
        _second(lambda m, s: integrated(m, s)[1] * s**2)
    ),
    "In the second, there is one σ too many below the line. ε is z - μ in other units.": (
        _second(lambda m, s: integrated(m, s)[1] / s**2)
    ),
    "The second holds at μ = 0 only.": _second(lambda m, s: integrated(0 * m, s)[1]),
    "The second holds at σ = 1 only.": _second(lambda m, s: integrated(m, torch.ones_like(s))[1]),
    "Both hold at σ = 1 only.": lambda m, s: integrated(m, torch.ones_like(s)),
    "These are numbers of the chapter, which hold at μ = σ = 1 only.": (
        lambda m, s: integrated(torch.ones_like(m), torch.ones_like(s))
    ),
    "The first is the variance of z², not of its slope.": (
        _first(lambda m, s: 4 * m**2 * s**2 + 2 * s**4)
    ),
    "The first is the variance of z, not of 2z. A factor comes out of a variance squared.": (
        _first(lambda m, s: s**2)
    ),
    "In the first, a factor of 2 came out of the variance as it is. It comes out squared.": (
        _first(lambda m, s: 2 * s**2)
    ),
}


@check(
    cases=points,
    slips=SLIPS,
    results=("the pathwise one", "the one by the score"),
    read=lambda answer: evaluated(answer, 2),
    praise="Far from 0 the score function pays for the height of f; the pathwise one does not.",
)
def variances(mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Of 2z and of z²ε/σ, SymPy expressions in these symbols. Here by integration over a grid."""
    return integrated(mu, sigma)
