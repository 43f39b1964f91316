"""What a process computes of a step, as the module that DDP wraps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vae_course.models.observation import Decoded
from vae_course.models.picture_vae import PictureVAE
from vae_course.objectives import (
    Gaussian,
    gaussian_log_likelihood,
    importance_weighted_bound,
    kl_standard_normal,
    sample_posterior,
)

NAMES = ("loss", "reconstruction", "kl", "variance", "squared_error", "posterior_variance")


class Objective(nn.Module):
    """The ELBO. `forward` returns the (6,) means over a process's share of the batch, as `NAMES`.

    Shares have equal size, so the mean over processes is that over the global batch, and DDP's
    mean of the processes' gradients is the gradient of it. `average` takes the mean of a number
    over processes: std="optimal" is the RMSE of the global batch. `pixel_weights` (H, W) say how
    many times each pixel of a Gaussian p(x|z) counts in the loss, and there alone.
    """

    def __init__(
        self,
        model: PictureVAE,
        average: Callable[[Tensor], Tensor] | None = None,
        pixel_weights: Tensor | None = None,
        kl: str = "formula",
    ):
        super().__init__()
        self.model, self.average, self.kl = model, average or (lambda own: own), kl
        self.register_buffer("pixel_weights", pixel_weights, persistent=False)

    def forward(self, x: Tensor, noise: Tensor, beta: float, measured: bool = True) -> Tensor:
        """`noise` (1, share, latent_dim) is the ε of each picture in `x` (share, C, H, W).

        Only the first three means where nothing is to be `measured`: the others cost time.
        """
        (epsilon,) = noise
        posterior = self.model.encode(x)
        z = sample_posterior(*posterior, epsilon)
        decoded = self.model.decode(z)
        fitted = decoded
        if self.model.observation.takes_std_of_batch:
            fitted = self.model.fitted(decoded, self.average(_squared_error(x, decoded)))
        reconstruction = fitted.log_likelihood(x)
        kl = kl_standard_normal(*posterior)
        counted = reconstruction
        if self.pixel_weights is not None:
            counted = _weighted(fitted, x, self.pixel_weights)
        paid = kl if self.kl == "formula" else posterior.log_likelihood(z) - _log_prior(z)
        loss = -(counted - beta * paid).mean()  # over the batch
        means = [loss, reconstruction.mean(), kl.mean()]
        return torch.stack(means + _measures(x, decoded, posterior) if measured else means)


class ImportanceWeightedObjective(Objective):
    """The importance-weighted bound of K draws (Burda et al. 2015, Eq. 8), for a `beta` of 1.

    Its gradient goes through the weights, too: a draw counts by its share of all weights.
    The reconstruction is averaged over draws.
    """

    def forward(self, x: Tensor, noise: Tensor, beta: float, measured: bool = True) -> Tensor:
        """`noise` (K, share, latent_dim) is the ε of each draw, K of them for each picture."""
        draws = len(noise)
        posterior = self.model.encode(x)
        each = Gaussian(*(part.repeat(draws, 1) for part in posterior))
        z = sample_posterior(*each, noise.flatten(0, 1))
        decoded, x = self.model.decode(z), x.repeat(draws, *[1] * (x.ndim - 1))
        log_likelihood = decoded.log_likelihood(x)
        log_weights = log_likelihood + _log_prior(z) - each.log_likelihood(z)
        loss = -importance_weighted_bound(log_weights.unflatten(0, (draws, -1))).mean()
        means = [loss, log_likelihood.mean(), kl_standard_normal(*posterior).mean()]
        return torch.stack(means + _measures(x, decoded, posterior) if measured else means)


def _log_prior(z: Tensor) -> Tensor:
    """Of N(0, I): (batch, latent_dim) -> (batch,)."""
    return gaussian_log_likelihood(z, torch.zeros_like(z), 0.0)


def _weighted(fitted: Gaussian, x: Tensor, weights: Tensor) -> Tensor:
    """The log likelihood of each picture, (batch,), with pixels that count more or less."""
    each = torch.distributions.Normal(fitted.mean, fitted.log_std.exp()).log_prob(x)
    return (weights * each).flatten(1).sum(1)


def _measures(x: Tensor, decoded: Decoded, posterior: Gaussian) -> list[Tensor]:
    """Over pixels and batch, then over latents and batch.

    With std="optimal" the decoder's variance is that of the moving average, as in eval mode.
    """
    of_posterior = (2 * posterior.log_std.detach()).exp().mean()
    return [decoded.variance.detach().mean(), _squared_error(x, decoded), of_posterior]


def _squared_error(x: Tensor, decoded: Decoded) -> Tensor:
    """The mean over pixels and batch."""
    return (x - decoded.mean).detach().square().mean()
