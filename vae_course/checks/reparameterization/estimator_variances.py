"""Variances of both estimators for f = z², by integration, and slips with their names."""

import torch
from torch import Tensor


def _moments(
    mu: Tensor, sigma: Tensor, in_sigma: bool = False, baseline=0.0
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


def variances(mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Variances of both estimates of the slope in mu, by integration."""
    return tuple(variance for _, variance in _moments(mu, sigma))


def _second_moments(mu, sigma):
    return tuple(mean**2 + variance for mean, variance in _moments(mu, sigma))


def _with_baseline(mu, sigma, baseline):
    return tuple(variance for _, variance in _moments(mu, sigma, baseline=baseline))


MISTAKES = {
    "These are average squares. A variance also takes off the square of the average.": (
        _second_moments
    ),
    "The second is an average square. A variance also takes off the square of the average.": (
        lambda m, s: (variances(m, s)[0], _second_moments(m, s)[1])
    ),
    "The first is an average square. A variance also takes off the square of the average.": (
        lambda m, s: (_second_moments(m, s)[0], variances(m, s)[1])
    ),
    "These are the averages of the estimates, not their variances.": (
        lambda m, s: tuple(mean for mean, _ in _moments(m, s))
    ),
    "These are the variances of the slopes in σ. The slope in μ is asked for.": (
        lambda m, s: tuple(variance for _, variance in _moments(m, s, in_sigma=True))
    ),
    "The second has a baseline: it is taken with the average of f off.": (
        lambda m, s: _with_baseline(m, s, m**2 + s**2)
    ),
    "The second has a baseline: it is taken with the best one.": (
        lambda m, s: _with_baseline(m, s, m**2 + 3 * s**2)
    ),
    "These are standard deviations.": lambda m, s: tuple(v.sqrt() for v in variances(m, s)),
    "In the second, the score lacks its σ: a narrow q has a steep log density.": (
        lambda m, s: (variances(m, s)[0], variances(m, s)[1] * s**2)
    ),
    "In the second, there is one σ too many below the line. ε is z - μ in other units.": (
        lambda m, s: (variances(m, s)[0], variances(m, s)[1] / s**2)
    ),
    "The second holds at μ = 0 only.": lambda m, s: (variances(m, s)[0], variances(0 * m, s)[1]),
    "The second holds at σ = 1 only.": (
        lambda m, s: (variances(m, s)[0], variances(m, torch.ones_like(s))[1])
    ),
    "Both hold at σ = 1 only.": lambda m, s: variances(m, torch.ones_like(s)),
    "These are numbers of the chapter, which hold at μ = σ = 1 only.": (
        lambda m, s: variances(torch.ones_like(m), torch.ones_like(s))
    ),
    "The first is the variance of z², not of its slope.": (
        lambda m, s: (4 * m**2 * s**2 + 2 * s**4, variances(m, s)[1])
    ),
    "They stand in the wrong order: first the pathwise one.": lambda m, s: variances(m, s)[::-1],
}
