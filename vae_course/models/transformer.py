"""`TransformerVAE`: pictures as sequences of patches (Dosovitskiy et al. 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.models.inputs import require_picture_shape, require_sizes
from vae_course.models.observation import ObservationModel, observation_model
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import Prior


class TransformerVAE(PictureVAE):
    """A VAE whose networks attend over patches; likelihood, std and prior as in `PictureVAE`.

    The picture is cut into squares of `patch` pixels. Each becomes a token of `width` numbers, and
    `depth` blocks of attention with `heads` heads follow, in the encoder and in the decoder. The
    decoder puts one linear map of z at every place, or with `place_maps` one of its own at each,
    which costs weights and learns faster.

    Raises ValueError for unknown options, sizes that are not positive whole numbers, a picture that
    patches do not fill, and a width that heads or positions do not divide.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        *,
        patch: int = 8,
        width: int = 256,
        depth: int = 4,
        heads: int = 4,
        place_maps: bool = False,
        likelihood: str | ObservationModel = "gaussian",
        std: str | float | None = None,
        prior: Prior | None = None,
        **bounds: Any,
    ):
        require_picture_shape(shape, latent_dim)
        require_sizes(patch=[patch], width=[width], depth=[depth], heads=[heads])
        _require_fit(shape, patch, width, heads)
        observation = observation_model(likelihood, std, **bounds)
        blocks = {"patch": patch, "width": width, "depth": depth, "heads": heads}
        encoder = Encoder(shape, latent_dim, **blocks)
        outputs = observation.outputs_per_pixel
        decoder = Decoder(shape, latent_dim, outputs, place_maps=place_maps, **blocks)
        super().__init__(shape, latent_dim, encoder, decoder, likelihood=observation, prior=prior)


class Encoder(nn.Module):
    """Flat pictures (batch, C·H·W) -> (batch, 2 latent_dim), read from a summary token."""

    def __init__(self, shape, latent_dim, *, patch, width, depth, heads):
        super().__init__()
        channels, *size = shape
        self.unflatten = nn.Unflatten(1, tuple(shape))
        # One linear map for every patch: a convolution that steps from patch to patch.
        self.embed = nn.Conv2d(channels, width, patch, stride=patch)
        self.register_buffer("positions", sincos_positions(size, patch, width), persistent=False)
        self.summary = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = attention_blocks(width, depth, heads)
        self.head = nn.Linear(width, 2 * latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(self.unflatten(x)).flatten(2).transpose(1, 2) + self.positions
        summary = self.summary.expand(len(x), 1, -1)
        return self.head(self.blocks(torch.cat([summary, tokens], dim=1))[:, 0])


class Decoder(nn.Module):
    """z (batch, latent_dim) -> (batch, outputs·C·H·W): z at each place, then attention."""

    def __init__(self, shape, latent_dim, outputs, *, patch, width, depth, heads, place_maps):
        super().__init__()
        channels, *size = shape
        self.rows = size[0] // patch
        positions = sincos_positions(size, patch, width)
        self.register_buffer("positions", positions, persistent=False)
        maps = len(positions) if place_maps else 1
        self.spread = nn.Sequential(
            nn.Linear(latent_dim, maps * width), nn.Unflatten(1, (maps, width))
        )
        self.blocks = attention_blocks(width, depth, heads)
        self.head = nn.Linear(width, outputs * channels * patch**2)
        self.join = nn.PixelShuffle(patch)  # (outputs·C·patch², rows, columns) -> pictures

    def forward(self, z: Tensor) -> Tensor:
        tokens = self.spread(z) + self.positions
        patches = self.head(self.blocks(tokens)).transpose(1, 2)  # (batch, numbers, patches)
        return self.join(patches.unflatten(2, (self.rows, -1))).flatten(1)


def attention_blocks(width: int, depth: int, heads: int) -> nn.Sequential:
    """`depth` pre-norm blocks and a last norm: (batch, tokens, width) -> the same shape."""

    def block():
        return nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip

    # Not nn.TransformerEncoder: it copies one block, so that all would start from equal weights.
    return nn.Sequential(*(block() for _ in range(depth)), nn.LayerNorm(width))


def sincos_positions(size: Sequence[int], patch: int, width: int) -> Tensor:
    """Where each patch lies, (patches, width), row by row: sines and cosines of row and column.

    A quarter of the numbers each: sin and cos of row · f, then of column · f, for frequencies f
    from 1 down to 1/10000 (Vaswani et al. 2017, Sec. 3.5, along both axes).
    """
    frequencies = 10_000 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, column = torch.meshgrid(
        *(torch.arange(length // patch, dtype=torch.float64) for length in size), indexing="ij"
    )
    waves = [place.flatten()[:, None] * frequencies for place in (row, column)]
    return torch.cat([part for wave in waves for part in (wave.sin(), wave.cos())], dim=1).float()


def _require_fit(shape: Sequence[int], patch: int, width: int, heads: int) -> None:
    _, height, breadth = shape
    if height % patch or breadth % patch:
        raise ValueError(
            f"patches of {patch} x {patch} do not fill pictures of {height} x {breadth}; "
            "choose a patch that divides both"
        )
    if width % heads or width % 4:
        raise ValueError(
            f"width must be a multiple of heads ({heads}) and of 4 (sine and cosine of row and "
            f"column), but is {width}"
        )
