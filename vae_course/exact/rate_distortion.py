"""The least rate for a distortion: of a Gaussian source, and of linear VAEs, in closed form.

The rate is the mean KL in nats. The distortion is the mean squared error, summed over pixels.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.exact.linear import LinearVAE, optimal_kl


class RateDistortion(NamedTuple):
    """`rate` in nats per picture, `distortion` a squared error per picture."""

    rate: float
    distortion: float


def linear_rate_distortion(model: LinearVAE, x: Tensor) -> RateDistortion:
    """Of flat pictures x (N, D), on average, under a linear VAE's true posterior: no sampling."""
    posterior = model.posterior(x)
    weight, mean = model.weight.double(), posterior.mean
    covariance = posterior.covariance_matrix[0]  # the same for every picture
    left = (x.double() - model.bias.double() - mean @ weight.T).square().sum(1)  # (N,)
    distortion = left.mean() + (weight @ covariance @ weight.T).trace()
    second_moments = mean.square().sum(1).mean() + covariance.trace()
    rate = 0.5 * (second_moments - len(covariance) - torch.logdet(covariance))
    return RateDistortion(rate.item(), distortion.item())


def gaussian_rate(eigenvalues: Tensor, distortion: float) -> float:
    """The least rate at which a Gaussian source has this distortion: nats.

    Reverse water-filling: Σ ½ log(λ_j / level) over λ_j > level, where Σ min(λ_j, level) is the
    distortion (Cover & Thomas 2006, Theorem 10.3.3). Raises ValueError unless 0 < distortion.
    """
    eigenvalues = eigenvalues.double()
    if not distortion > 0:
        raise ValueError(f"the distortion must be above 0, but is {distortion}")
    if distortion >= eigenvalues.sum().item():
        return 0.0  # the mean picture does it for nothing
    low, high = 0.0, eigenvalues.max().item()
    for _ in range(200):
        level = (low + high) / 2
        left = eigenvalues.clamp(max=level).sum().item()
        low, high = (low, level) if left > distortion else (level, high)
    return optimal_kl(eigenvalues, high).sum().item()


def source_with_spectrum(
    n: int, eigenvalues: Tensor, directions: Tensor, mean: Tensor | float = 0.0
) -> Tensor:
    """`n` draws (n, D), float64, whose covariance has exactly these eigenvalues.

    `eigenvalues` (k,), `directions` (D, k) orthonormal columns. Normal draws, whitened first, so
    that mean and covariance (over n) come out without a sampling error.
    Raises ValueError unless n > k.
    """
    if n <= len(eigenvalues):
        raise ValueError(f"{len(eigenvalues)} eigenvalues need more than {n} draws")
    draws = torch.randn(n, len(eigenvalues), dtype=torch.float64)
    left, _, right = torch.linalg.svd(draws - draws.mean(0), full_matrices=False)
    white = math.sqrt(n) * left @ right  # its covariance is I
    return mean + (white * eigenvalues.double().sqrt()) @ directions.double().T
