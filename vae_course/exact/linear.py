"""The linear VAE, with whatever of it is known in closed form: probabilistic PCA.

Whatever comes in is computed in float64; nats throughout.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

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
