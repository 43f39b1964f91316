"""What models accept: pictures, codes and sizes, or an error that says what was expected."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flat(x: Tensor, shape: tuple[int, ...], network: nn.Module) -> Tensor:
    """(batch, *shape) -> (batch, D), for `network` to read.

    Raises ValueError for another shape, TypeError for numbers that the network cannot read.
    """
    if tuple(x.shape[1:]) != shape:
        expected = ", ".join(map(str, ("batch", *shape)))
        raise ValueError(f"expected pictures ({expected}), but got {tuple(x.shape)}")
    _require_readable(x, network)
    return x.flatten(1)


def _require_readable(x: Tensor, network: nn.Module) -> None:
    if not x.is_floating_point():
        raise TypeError(
            f"pictures must be floating-point numbers, but came as {x.dtype}; bytes from 0 to 255 "
            "become float32 in [0, 1] by images.float() / 255"
        )
    weight = next(network.parameters(), x)
    # 16 bits are a matter for autocast.
    if x.dtype != weight.dtype and torch.float64 in (x.dtype, weight.dtype):
        raise TypeError(
            f"pictures came as {x.dtype}, but the model's weights are {weight.dtype}; make them "
            f"alike with images.to({weight.dtype}), or with model.to({x.dtype})"
        )


def require_codes(z: Tensor, latent_dim: int) -> Tensor:
    """`z` itself. Raises ValueError unless it is (batch, latent_dim)."""
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise ValueError(f"expected codes (batch, {latent_dim}), but got {tuple(z.shape)}")
    return z


def require_sizes(**sizes: Sequence[int]) -> None:
    """Raises ValueError naming the first of `sizes` that is no list of positive whole numbers."""
    for name, values in sizes.items():
        listed = values if isinstance(values, Sequence) else [None]
        if not all(isinstance(value, int) and value >= 1 for value in listed):
            raise ValueError(f"{name} must be positive whole numbers, but is {values}")


def require_shape(shape: Sequence[int], latent_dim: int) -> None:
    """Raises ValueError unless `shape` is a tuple of positive whole numbers, and `latent_dim` one.

    It is that of one example: (C, H, W) for a picture, (12,) for a row of a table.
    """
    if not isinstance(shape, Sequence) or len(shape) == 0:
        raise ValueError(
            "shape must be that of one example, as (channels, height, width) or (columns,), but is "
            f"{shape}"
        )
    require_sizes(shape=shape, latent_dim=[latent_dim])


def require_picture_shape(shape: Sequence[int], latent_dim: int) -> None:
    """Raises ValueError unless `shape` is (C, H, W), and as `require_shape` does."""
    require_shape(shape, latent_dim)
    if len(shape) != 3:
        raise ValueError(f"shape must be (channels, height, width), but is {tuple(shape)}")
