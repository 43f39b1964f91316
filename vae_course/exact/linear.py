"""Closed forms to compare with, in float64: the linear VAE, a bound by quadrature, two images.

Whatever comes in is computed in double precision; nats throughout.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course.objectives import Elbo


class LinearVAE(NamedTuple):
    """p(z) = N(0, I), p(x|z) = N(weight z + bias, variance I): probabilistic PCA.

    `weight` (D, d), `bias` (D,), `variance` a positive number (Tipping & Bishop 1999). Pictures
    x are flat here, (batch, D). A wrong width raises torch's own error.
    """

    weight: Tensor
    bias: Tensor
    variance: float

    def log_marginal(self, x: Tensor) -> Tensor:
        """log p(x), x ~ N(bias, weight weightᵀ + variance I): (batch, D) -> (batch,), nats."""
        return self._marginal(self.variance).log_prob(x.double())

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """p(z|x): means (batch, d), and one covariance for every x (Tipping & Bishop, Eq. 7)."""
        weight = self.weight.double()
        precision = self._precision()
        residual = (x.double() - self.bias.double()) @ weight / self.variance
        return MultivariateNormal(
            torch.linalg.solve(precision, residual.T).T, torch.inverse(precision)
        )

    def best_diagonal(self, x: Tensor) -> MultivariateNormal:
        """The q(z|x) with a diagonal covariance that has the largest ELBO.

        The posterior's mean, and one over the diagonal of its precision (Bishop 2006, Sec. 10.1.2).
        """
        covariance = torch.diag(1 / self._precision().diagonal())
        return MultivariateNormal(self.posterior(x).mean, covariance)

    def elbo(self, x: Tensor, q: MultivariateNormal) -> Elbo:
        """ELBO of x (batch, D) under q(z|x), no sampling: three (batch,) tensors, nats."""
        weight = self.weight.double()
        q = MultivariateNormal(q.mean.double(), q.covariance_matrix.double())
        residual = x.double() - self.bias.double() - q.mean @ weight.T
        spread = (weight @ q.covariance_matrix @ weight.T).diagonal(dim1=-2, dim2=-1).sum(-1)
        squares = residual.square().sum(-1) + spread  # E_q ‖x - weight z - bias‖²
        normaliser = 0.5 * x.shape[-1] * math.log(2 * math.pi * self.variance)
        reconstruction = -0.5 * squares / self.variance - normaliser
        latents = torch.eye(weight.shape[1], dtype=torch.float64)
        kl = kl_divergence(q, MultivariateNormal(torch.zeros(len(latents)).double(), latents))
        return Elbo(reconstruction - kl, reconstruction, kl)

    def draws_needed(self, x: Tensor, relative_error: float = 0.1) -> Tensor:
        """How many z ~ p(z) estimate p(x) = E p(x|z) to this error: (batch, D) -> (batch,).

        Relative variance over error², with E p(x|z)² = (4π variance)^(-D/2) N(x; bias,
        weight weightᵀ + ½ variance I), since the square of a normal density is one again.
        """
        constant = -0.5 * x.shape[-1] * math.log(4 * math.pi * self.variance)
        log_second = constant + self._marginal(self.variance / 2).log_prob(x.double())
        return torch.expm1(log_second - 2 * self.log_marginal(x)) / relative_error**2

    def _precision(self) -> Tensor:
        weight = self.weight.double()
        return torch.eye(weight.shape[1]).double() + weight.T @ weight / self.variance

    def _marginal(self, variance: float) -> MultivariateNormal:
        weight = self.weight.double()
        noise = variance * torch.eye(len(weight)).double()
        return MultivariateNormal(self.bias.double(), weight @ weight.T + noise)


def spectrum(x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of the covariance of x (N, D), largest first (D,), and eigenvectors (D, D).

    The covariance of maximum likelihood: over N, not N - 1. Eigenvectors are columns.
    """
    centred = x.double() - x.double().mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
    return values.flip(0).clamp(min=0), vectors.flip(1)


def fit_linear_vae(x: Tensor, latent_dim: int, variance: float | None = None) -> LinearVAE:
    """The linear VAE of highest likelihood for x (N, D) (Tipping & Bishop 1999, Eqs. 7 and 8).

    With `variance` None it is learned, too: the mean of the eigenvalues that are left out.
    Raises ValueError unless 1 ≤ latent_dim ≤ D (< D if the variance is learned).
    """
    most = x.shape[1] - (variance is None)
    if not 1 <= latent_dim <= most:
        raise ValueError(f"latent_dim must be between 1 and {most}, but is {latent_dim}")
    values, vectors = spectrum(x)
    if variance is None:
        variance = values[latent_dim:].mean().item()
    scale = (values[:latent_dim] - variance).clamp(min=0).sqrt()  # an inactive latent has none
    return LinearVAE(vectors[:, :latent_dim] * scale, x.double().mean(0), variance)


def optimal_kl(eigenvalues: Tensor, variance: float) -> Tensor:
    """Mean KL of each latent of the best linear VAE: ½ log(λ_j / variance), 0 if inactive; nats.

    A latent is active where λ_j > variance (Lucas et al. 2019, Sec. 4).
    """
    return 0.5 * (eigenvalues.double() / variance).log().clamp(min=0)


def quadrature_bound(
    x: float, n_samples: int, q: Normal, std: float = 1.0, nodes: int = 60
) -> float:
    """E log (1/K) Σ_k w_k for p(z) = N(0, 1), p(x|z) = N(z, std²) and K = n_samples draws from q.

    Nats, by quadrature in K dimensions, with nodes^K points. K = 1 is the ELBO
    (Burda et al. 2015, Eq. 8). Raises ValueError unless K is 1, 2 or 3.
    """
    if n_samples not in (1, 2, 3):
        raise ValueError(f"quadrature is for 1, 2 or 3 samples, but n_samples is {n_samples}")
    points, weights = _normal_quadrature(nodes)
    q = Normal(q.mean.double(), q.stddev.double())
    z = q.mean + q.stddev * points
    picture = torch.tensor(x, dtype=torch.float64)
    log_joint = Normal(0.0, 1.0).log_prob(z) + Normal(z, std).log_prob(picture)
    log_w = log_joint - q.log_prob(z)
    grid = torch.cartesian_prod(*[log_w] * n_samples).reshape(-1, n_samples)
    chance = torch.cartesian_prod(*[weights] * n_samples).reshape(-1, n_samples).prod(1)
    return (chance * (grid.logsumexp(1) - math.log(n_samples))).sum().item()


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
        return self.mean + self.std * _normal_quadrature(201)[0]

    def _average(self, values: Tensor) -> float:
        return (_normal_quadrature(201)[1] * values).sum().item()


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


@lru_cache
def _normal_quadrature(nodes: int) -> tuple[Tensor, Tensor]:
    """Points and weights for averages over N(0, 1).

    Evenly spaced: next to tanh and logsumexp, whose poles are close, Gauss-Hermite errs more.
    """
    points = torch.linspace(-8, 8, nodes, dtype=torch.float64)
    return points, torch.softmax(-0.5 * points**2, 0)
