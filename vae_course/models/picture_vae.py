"""`PictureVAE`: a variational auto-encoder of pictures, around any encoder and decoder."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_course.models.inputs import flat, require_codes, require_picture_sizes
from vae_course.objectives import (
    Bernoulli,
    Elbo,
    Gaussian,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_standard_normal,
    sample_posterior,
)

STDS = ("unit", "shared", "optimal", "per_pixel")

# A pixel that is the same in every picture would push its log std to -infinity.
LOWEST_LOG_STD = -6.0
LOWEST_STD = math.exp(LOWEST_LOG_STD)


class PictureVAE(nn.Module):
    """q(z|x) and p(x|z) are diagonal, the prior p(z) is N(0, I). `VAE` is the one to start with.

    `image_shape` is (C, H, W), D = C·H·W pixels. `encoder` maps flat pictures (batch, D) to
    (batch, 2 latent_dim), all means before all log stds. `decoder` maps (batch, latent_dim) to
    (batch, D · outputs_per_pixel(std)): all means or logits, then what log std is made from.

    `likelihood` is "gaussian" or "bernoulli". For a Gaussian, `std` is the decoder's standard
    deviation: a positive number, "unit" (1), "shared" (one learned number), "optimal" (the RMSE
    of the batch, which maximises the likelihood: Rybkin et al. 2021), or "per_pixel" (the decoder
    predicts it, between `lowest_std` and `highest_std`, in units of the pixels' range; a decoder
    that may be very unsure of a hard detail hardly tries to draw it).

    Raises ValueError for unknown options and sizes that are not positive whole numbers.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        likelihood: str = "gaussian",
        std: str | float = "unit",
        lowest_std: float = LOWEST_STD,
        highest_std: float | None = None,
    ):
        super().__init__()
        require_picture_sizes(image_shape, latent_dim)
        if likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(f"likelihood must be gaussian or bernoulli, but is {likelihood!r}")
        if likelihood == "bernoulli" and std != "unit":
            raise ValueError(f"std={std!r} is for a Gaussian likelihood; a Bernoulli one has none")
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        self.likelihood, self.std = likelihood, std
        self.log_std_range = _log_std_range(lowest_std, highest_std)
        self.encoder, self.decoder = encoder, decoder
        start = torch.tensor(_starting_log_std(std))
        if std == "shared":
            self.log_std = nn.Parameter(start)
        else:
            self.register_buffer("log_std", start)

    def encode(self, x: Tensor) -> Gaussian:
        """q(z|x): (batch, C, H, W) -> mean and log_std, each (batch, latent_dim)."""
        mean, log_std = self.encoder(flat(x, self.image_shape)).chunk(2, dim=1)
        return Gaussian(mean, log_std)

    def decode(self, z: Tensor) -> Gaussian | Bernoulli:
        """p(x|z): (batch, latent_dim) -> a distribution over (batch, C, H, W).

        `.mean` is the picture to show. The Gaussian's `log_std` is a single number unless
        std="per_pixel", when it has the shape of the picture.
        """
        out = self.decoder(require_codes(z, self.latent_dim))
        if self.likelihood == "bernoulli":
            return Bernoulli(out.unflatten(1, self.image_shape))
        if self.std != "per_pixel":
            return Gaussian(out.unflatten(1, self.image_shape), self.log_std)
        mean, raw = (part.unflatten(1, self.image_shape) for part in out.chunk(2, dim=1))
        return Gaussian(mean, self._bounded(raw))

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) for pictures (batch, C, H, W) and one z each: (batch,), nats per example."""
        decoded = self.decode(z)
        if isinstance(decoded, Bernoulli):
            return bernoulli_log_likelihood(x, decoded.logits)
        if self.std == "optimal" and self.training:
            decoded = Gaussian(decoded.mean, self._optimal_log_std(x, decoded.mean))
        return gaussian_log_likelihood(x, decoded.mean, decoded.log_std)

    def elbo(
        self, x: Tensor, n_samples: int = 1, beta: float = 1.0, noise: Tensor | None = None
    ) -> Elbo:
        """E_q[log p(x|z)] - beta KL(q(z|x) ‖ p(z)), with `n_samples` draws of z for the first term.

        (batch, C, H, W) -> three (batch,) tensors, nats per example (Kingma & Welling 2013, Eq. 3;
        beta: Higgins et al. 2017). `noise` (n_samples, batch, latent_dim) is the ε of each draw,
        and drawn here if not given. Raises ValueError for `n_samples` < 1, or noise of another
        shape.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, but is {n_samples}")
        expected = (n_samples, len(x), self.latent_dim)
        if noise is not None and tuple(noise.shape) != expected:
            raise ValueError(f"noise must be {expected}, but came as {tuple(noise.shape)}")
        posterior = self.encode(x)
        each = [None] * n_samples if noise is None else noise
        draws = [self.log_likelihood(x, sample_posterior(*posterior, one)) for one in each]
        reconstruction = torch.stack(draws).mean(0)  # over draws, not over the batch
        kl = kl_standard_normal(*posterior)
        return Elbo(reconstruction - beta * kl, reconstruction, kl)

    @torch.no_grad()
    def sample(self, n: int, *, noise: bool = True) -> Tensor:
        """`n` draws from the model, z ~ p(z) then x ~ p(x|z): (n, C, H, W), not clipped.

        With noise=False, the mean of p(x|z) in place of a draw: smoother, and what papers show.
        """
        decoded = self.decode(torch.randn(n, self.latent_dim, device=self.log_std.device))
        if not noise:
            return decoded.mean
        if isinstance(decoded, Bernoulli):
            return torch.bernoulli(decoded.mean)
        return decoded.mean + decoded.log_std.exp() * torch.randn_like(decoded.mean)

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoder's mean at the posterior mean: (batch, C, H, W) -> (batch, C, H, W)."""
        return self.decode(self.encode(x).mean).mean

    def _bounded(self, raw: Tensor) -> Tensor:
        """Any numbers -> log stds within their range, with a slope everywhere."""
        lowest, highest = self.log_std_range
        if highest is None:
            return lowest + F.softplus(raw - lowest)
        return lowest + (highest - lowest) * raw.sigmoid()

    def _optimal_log_std(self, x: Tensor, mean: Tensor) -> Tensor:
        """log RMSE of this batch; a moving average of it serves in eval mode."""
        # Detached: at its optimum the likelihood has no slope in log std.
        rmse = (x - mean).detach().square().mean().sqrt()
        log_std = rmse.log().clamp(min=LOWEST_LOG_STD)
        self.log_std.lerp_(log_std, 0.05)
        return log_std


def outputs_per_pixel(std: str | float) -> int:
    """How many numbers a decoder gives for each pixel: its mean, and its log std if it has one."""
    return 2 if std == "per_pixel" else 1


def _starting_log_std(std: str | float) -> float:
    if std in STDS:
        return 0.0
    return _log_of_positive("std", std, f" or one of {STDS}")


def _log_std_range(lowest: float, highest: float | None) -> tuple[float, float | None]:
    low = _log_of_positive("lowest_std", lowest)
    if highest is None:
        return low, None
    high = _log_of_positive("highest_std", highest)
    if low >= high:
        raise ValueError(f"lowest_std, {lowest}, must be less than highest_std, {highest}")
    return low, high


def _log_of_positive(name: str, value: float, alternative: str = "") -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number{alternative}, but is {value!r}")
    return math.log(value)
