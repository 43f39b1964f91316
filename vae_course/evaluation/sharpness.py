"""How much fine detail pictures hold: the variance of the Laplacian, and power by frequency."""

import torch
import torch.nn.functional as F
from torch import Tensor

# A pixel's four neighbours minus four times the pixel: the second differences along both axes.
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def laplacian_variance(images: Tensor) -> Tensor:
    """Variance of the Laplacian over the pixels of each picture: (batch, C, H, W) -> (batch,).

    In units of the pixels squared; averaged over channels. Pixels at the rim, which lack a
    neighbour, are left out (Pertuz et al. 2013, operator LAP4). Fine detail raises it, wanted or
    not: white noise of variance s² adds 20 s².

    Raises ValueError unless the pictures are (batch, C, H, W) with H and W at least 3.
    """
    _require_pictures(images, smallest=3)
    kernel = torch.tensor(LAPLACIAN, dtype=images.dtype, device=images.device)
    planes = images.flatten(0, 1).unsqueeze(1)  # (batch·C, 1, H, W)
    filtered = F.conv2d(planes, kernel[None, None]).flatten(1)
    return filtered.var(1, correction=0).unflatten(0, images.shape[:2]).mean(1)  # over channels


def power_by_frequency(images: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies in cycles per picture (F,), and the mean power of a pixel's wave there (F,).

    The squared modulus of the Fourier transform of (batch, C, N, N) over N², averaged over
    pictures, channels and the ring of waves whose frequency rounds to 0, 1, 2, ... N/2. White noise
    of variance s² has power s² at each frequency.

    Raises ValueError unless the pictures are (batch, C, N, N).
    """
    _require_pictures(images, smallest=1)
    size = images.shape[-1]
    if images.shape[-2] != size:
        raise ValueError(f"expected square pictures, but got {tuple(images.shape)}")
    power = torch.fft.fft2(images).abs().square().mean((0, 1)) / size**2  # (N, N)
    cycles = torch.fft.fftfreq(size, 1 / size, device=images.device)
    ring = torch.hypot(cycles[:, None], cycles).round().long().flatten()
    sums = torch.zeros(int(ring.max()) + 1, dtype=power.dtype, device=images.device)
    mean = sums.index_add(0, ring, power.flatten()) / ring.bincount()
    kept = size // 2 + 1  # rings beyond lie in the corners only
    return torch.arange(kept, device=images.device), mean[:kept]


def _require_pictures(images: Tensor, smallest: int) -> None:
    if images.ndim != 4 or min(images.shape[2:]) < smallest:
        raise ValueError(
            f"expected pictures (batch, C, H, W) of at least {smallest} x {smallest} pixels, "
            f"but got {tuple(images.shape)}"
        )
