"""What models accept: pictures, codes and sizes, or an error that says what was expected."""

from collections.abc import Sequence

from torch import Tensor


def flat(x: Tensor, image_shape: tuple[int, ...]) -> Tensor:
    """Pictures (batch, C, H, W) -> (batch, D). Raises ValueError for pictures of another shape."""
    if tuple(x.shape[1:]) != image_shape:
        expected = ", ".join(map(str, image_shape))
        raise ValueError(f"expected pictures (batch, {expected}), but got {tuple(x.shape)}")
    return x.flatten(1)


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


def require_picture_sizes(image_shape: Sequence[int], latent_dim: int) -> None:
    """Raises ValueError unless `image_shape` is (C, H, W) and all are positive whole numbers."""
    require_sizes(image_shape=image_shape, latent_dim=[latent_dim])
    if len(image_shape) != 3:
        raise ValueError(f"image_shape must be (channels, height, width), but is {image_shape}")
