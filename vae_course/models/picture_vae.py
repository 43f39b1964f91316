"""`PictureVAE`: a variational auto-encoder of pictures, around any encoder and decoder."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.models.inputs import flat, require_codes, require_shape
from vae_course.models.observation import Decoded, ObservationModel, observation_model
from vae_course.models.priors import Prior, StandardNormal, require_prior
from vae_course.objectives import Elbo, Gaussian, sample_posterior


class PictureVAE(nn.Module):
    """q(z|x) and p(x|z) are diagonal. `VAE` is the one to start with.

    `shape` is that of one example: (C, H, W) for a picture of D = C·H·W pixels, or (12,) for a row
    of a table. `encoder` maps flat pictures (batch, D) to (batch, 2 latent_dim), all means before
    all log stds. `decoder` maps (batch, latent_dim) to
    (batch, D · outputs_per_pixel(std)): all means or logits, then what log std is made from.

    `likelihood` is "gaussian" or "bernoulli", or an `ObservationModel`. For a Gaussian, `std` is
    the decoder's standard deviation: "optimal" if nothing is said (the RMSE of the batch, which
    maximises the likelihood: Rybkin et al. 2021), "shared" (one learned number), a positive number,
    "unit" (1, hardly ever what you want), or "per_pixel" (the decoder predicts it, between
    `lowest_std` and `highest_std`, in units of the pixels' range; a decoder that may be very unsure
    of a hard detail hardly tries to draw it).

    `prior` is p(z), N(0, I) if nothing is said: a module with `log_prob(z)` and `sample(n)`, of
    `models.priors` or your own. It can be set later, `model.prior = GaussianMixture(8).fit(q)`.

    Raises ValueError for unknown options and sizes that are not positive whole numbers, TypeError
    for a prior that is no such module.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        likelihood: str | ObservationModel = "gaussian",
        std: str | float | None = None,
        prior: Prior | None = None,
        **bounds: Any,
    ):
        super().__init__()
        require_shape(shape, latent_dim)
        self.prior = StandardNormal(latent_dim) if prior is None else require_prior(prior)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        self.encoder, self.decoder = encoder, decoder
        self.observation = observation_model(likelihood, std, **bounds)
        start = torch.tensor(self.observation.starting_log_std)
        if self.observation.learns_std:
            self.log_std = nn.Parameter(start)
        else:
            self.register_buffer("log_std", start)

    @property
    def likelihood(self) -> str:
        """The kind of p(x|z), in one word."""
        return self.observation.likelihood

    @property
    def std(self) -> str | float | None:
        """How the decoder's standard deviation comes about, as given; None if there is none."""
        return self.observation.std

    def encode(self, x: Tensor) -> Gaussian:
        """q(z|x): (batch, *shape) -> mean and log_std, each (batch, latent_dim)."""
        mean, log_std = self.encoder(flat(x, self.shape, self.encoder)).chunk(2, dim=1)
        return Gaussian(mean, log_std)

    def decode(self, z: Tensor) -> Decoded:
        """p(x|z): (batch, latent_dim) -> a distribution over (batch, *shape).

        `.mean` is the picture to show. The Gaussian's `log_std` is a single number unless
        std="per_pixel", when it has the shape of the picture.
        """
        outputs = self.decoder(require_codes(z, self.latent_dim))
        return self.observation.decoded(outputs, self.shape, self.log_std)

    def fitted(self, decoded: Decoded, squared_error: Tensor) -> Decoded:
        """`decoded` as training takes it: std="optimal" then is the root of `squared_error`, the
        mean over batch and pixels, and a moving average of it is kept for eval mode."""
        return self.observation.fitted(decoded, squared_error, self.log_std)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) for pictures (batch, *shape) and one z each: (batch,), nats per example."""
        decoded = self.decode(z)
        if self.training and self.observation.takes_std_of_batch:
            decoded = self.fitted(decoded, (x - decoded.mean).detach().square().mean())
        return decoded.log_likelihood(x)

    def elbo(
        self, x: Tensor, n_samples: int = 1, beta: float = 1.0, noise: Tensor | None = None
    ) -> Elbo:
        """E_q[log p(x|z)] - beta KL(q(z|x) ‖ p(z)), with `n_samples` draws of z for the first term,
        and for the second where the prior has no formula.

        (batch, *shape) -> three (batch,) tensors, nats per example (Kingma & Welling 2013, Eq. 3;
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
        draws = [sample_posterior(*posterior, one) for one in each]
        likelihoods = [self.log_likelihood(x, z) for z in draws]
        reconstruction = torch.stack(likelihoods).mean(0)  # over draws, not over the batch
        kl = self.kl(posterior, draws)
        return Elbo(reconstruction - beta * kl, reconstruction, kl)

    def kl(self, posterior: Gaussian, draws: Sequence[Tensor] = ()) -> Tensor:
        """KL(q(z|x) ‖ p(z)) of posteriors (batch, latent_dim): (batch,), nats per example.

        By the prior's own formula if it has one. Else log q(z|x) - log p(z), averaged over `draws`
        from the posteriors, each (batch, latent_dim); one is made here if there are none. Such an
        average may be negative for a single picture.
        """
        if formula := getattr(self.prior, "kl", None):
            return formula(*posterior)
        draws = draws or [sample_posterior(*posterior)]
        gaps = [posterior.log_likelihood(z) - self.prior.log_prob(z) for z in draws]
        return torch.stack(gaps).mean(0)  # over draws

    @torch.no_grad()
    def sample(self, n: int, *, noise: bool = True) -> Tensor:
        """`n` draws from the model, z ~ p(z) then x ~ p(x|z): (n, *shape), not clipped.

        With noise=False, the mean of p(x|z) in place of a draw: smoother, and what papers show.
        """
        decoded = self.decode(self.prior.sample(n))
        return decoded.sample() if noise else decoded.mean

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """The decoder's mean at the posterior mean: (batch, *shape) -> (batch, *shape)."""
        return self.decode(self.encode(x).mean).mean
