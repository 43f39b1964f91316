"""The best VAE for two images: when its posteriors part, and what that is worth."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.exact.quadrature import normal_quadrature


class TwoImages(NamedTuple):
    """The best VAE with one latent for two images: posteriors N(±mean, std²).

    `half_distance` a = ‖x₁ - x₂‖ / 2 in units of the decoder's standard deviation. The best decoder
    answers with the posterior-weighted average: midpoint + a tanh(mean z / std²) towards x₁.
    """

    half_distance: float
    mean: float
    std: float

    def kl(self) -> float:
        """KL of each posterior to N(0, 1), nats."""
        mean, std = torch.tensor([self.mean, self.std], dtype=torch.float64)
        return kl_divergence(Normal(mean, std), Normal(torch.zeros_like(mean), 1.0)).item()

    def distortion(self) -> float:
        """E ‖x - decoded‖² / 2, in units of the decoder's variance: nats."""
        wrong = 1 - torch.tanh(self._draws() * self.mean / self.std**2)
        return 0.5 * self.half_distance**2 * self._average(wrong**2)

    def mutual_information(self) -> float:
        """What z tells about which image it was: nats, at most log 2."""
        log_odds = 2 * self._draws() * self.mean / self.std**2
        return math.log(2) - self._average(torch.nn.functional.softplus(-log_odds))

    def overlap(self) -> float:
        """The chance that a draw is on the other image's side of zero: Φ(-mean / std)."""
        other_side = torch.tensor(-self.mean / self.std, dtype=torch.float64)
        return Normal(0.0, 1.0).cdf(other_side).item()

    def _draws(self) -> Tensor:
        return self.mean + self.std * normal_quadrature(201)[0]

    def _average(self, values: Tensor) -> float:
        return (normal_quadrature(201)[1] * values).sum().item()


def fit_two_images(half_distance: float) -> TwoImages:
    """The optimum over mean and std, on a grid of means that is refined around the best.

    At an optimum mean² + std² = 1 (shift and scale of z cost the decoder nothing), so one number
    is left to find. It is 0, a collapsed posterior, if and only if half_distance ≤ 1.
    """
    low, high = 0.0, 1 - 1e-9
    for _ in range(12):
        means = np.linspace(low, high, 65).tolist()
        fits = [TwoImages(half_distance, m, math.sqrt(1 - m * m)) for m in means]
        best = min(range(65), key=lambda k: fits[k].kl() + fits[k].distortion())
        low, high = means[max(best - 2, 0)], means[min(best + 2, 64)]
    return fits[best]
