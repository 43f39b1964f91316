"""`Autoencoder` and `VAE`, with fully connected networks."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from vae_course.models.inputs import flat, require_codes, require_shape, require_sizes
from vae_course.models.observation import ObservationModel, observation_model
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import Prior

ACTIVATIONS = {"relu": nn.ReLU, "elu": nn.ELU, "tanh": nn.Tanh}


def mlp(sizes: Sequence[int], activation: str = "relu") -> nn.Sequential:
    """Linear layers with `activation` between them: (batch, sizes[0]) -> (batch, sizes[-1]).

    Raises ValueError for an activation that is not in `ACTIVATIONS`.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {list(ACTIVATIONS)}, but is {activation!r}")
    layers = [nn.Linear(sizes[0], sizes[1])]
    for inputs, outputs in pairwise(sizes[1:]):
        layers += [ACTIVATIONS[activation](), nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


class Autoencoder(nn.Module):
    """An encoder to a code of `latent_dim` numbers, and a decoder back to a picture.

    `shape` is that of one example, as (C, H, W) or (12,). `hidden` are the widths of the encoder's
    hidden layers, which the decoder has in reverse.

    Raises ValueError for sizes that are not positive whole numbers.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, *, hidden: Sequence[int] = (512, 512)
    ):
        super().__init__()
        require_shape(shape, latent_dim)
        require_sizes(hidden=hidden)
        self.shape, self.latent_dim = tuple(shape), latent_dim
        pixels = math.prod(shape)
        self.encoder = mlp([pixels, *hidden, latent_dim])
        self.decoder = mlp([latent_dim, *reversed(hidden), pixels])

    def encode(self, x: Tensor) -> Tensor:
        """(batch, *shape) -> codes (batch, latent_dim)."""
        return self.encoder(flat(x, self.shape, self.encoder))

    def decode(self, z: Tensor) -> Tensor:
        """Codes (batch, latent_dim) -> pictures (batch, *shape), not clipped to [0, 1]."""
        return self.decoder(require_codes(z, self.latent_dim)).unflatten(1, self.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """(batch, *shape) -> (batch, *shape): through the bottleneck and back."""
        return self.decode(self.encode(x))


class VAE(PictureVAE):
    """A VAE with fully connected networks; likelihood, std and prior as in `PictureVAE`.

    `hidden` are the widths of the encoder's hidden layers, which the decoder has in reverse;
    `activation` between them is "relu", "elu" or "tanh".

    Raises ValueError for unknown options and sizes that are not positive whole numbers.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        *,
        hidden: Sequence[int] = (512, 512),
        activation: str = "relu",
        likelihood: str | ObservationModel = "gaussian",
        std: str | float | None = None,
        prior: Prior | None = None,
        **bounds: Any,
    ):
        require_shape(shape, latent_dim)
        require_sizes(hidden=hidden)
        observation = observation_model(likelihood, std, **bounds)
        pixels = math.prod(shape)
        encoder = mlp([pixels, *hidden, 2 * latent_dim], activation)
        outputs = pixels * observation.outputs_per_pixel
        decoder = mlp([latent_dim, *reversed(hidden), outputs], activation)
        super().__init__(shape, latent_dim, encoder, decoder, likelihood=observation, prior=prior)
