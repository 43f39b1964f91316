"""`ConvolutionalVAE`: each layer halves or doubles the picture."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from vae_course.models.inputs import require_picture_shape, require_sizes
from vae_course.models.observation import ObservationModel, observation_model
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import Prior

# Four by four pixels at a time, two pixels on: each layer halves height and width, or doubles them.
HALF: dict[str, Any] = {"kernel_size": 4, "stride": 2, "padding": 1}


class ConvolutionalVAE(PictureVAE):
    """A VAE with convolutional networks; likelihood, std and prior as in `PictureVAE`.

    `channels` are those of the encoder's layers, which the decoder has in reverse. Each layer
    halves height and width (the decoder's double them).

    Raises ValueError for unknown options, sizes that are not positive whole numbers, and pictures
    that cannot be halved that often.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        *,
        channels: Sequence[int] = (32, 64, 128),
        likelihood: str | ObservationModel = "gaussian",
        std: str | float | None = None,
        prior: Prior | None = None,
        **bounds: Any,
    ):
        require_picture_shape(shape, latent_dim)
        require_sizes(channels=channels)
        colours, height, width = shape
        observation = observation_model(likelihood, std, **bounds)
        small = _halved(height, width, len(channels))
        encoder = _encoder((colours, *channels), small, shape, latent_dim)
        outputs = colours * observation.outputs_per_pixel
        decoder = _decoder((outputs, *channels), small, latent_dim)
        super().__init__(shape, latent_dim, encoder, decoder, likelihood=observation, prior=prior)


def _halved(height: int, width: int, times: int) -> tuple[int, int]:
    if times == 0 or height % 2**times or width % 2**times:
        raise ValueError(
            f"{times} layers need a height and a width that are multiples of {2**times}, and at "
            f"least one layer, but pictures are {height} x {width}; give other channels"
        )
    return height // 2**times, width // 2**times


def _encoder(channels, small, shape, latent_dim) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Unflatten(1, tuple(shape))]
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, **HALF), nn.ReLU()]
    features = channels[-1] * small[0] * small[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 2 * latent_dim))


def _decoder(channels, small, latent_dim) -> nn.Sequential:
    features = channels[-1] * small[0] * small[1]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, features),
        nn.Unflatten(1, (channels[-1], *small)),
    ]
    for after, before in reversed([*pairwise(channels)]):
        layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, **HALF)]
    return nn.Sequential(*layers, nn.Flatten())
