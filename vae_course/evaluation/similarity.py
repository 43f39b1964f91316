"""Two ways to compare pictures other than the squared error: SSIM, and amplitudes alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 7  # pixels
# (0.01 L)² and (0.03 L)² for pixels in [0, 1], L = 1: they keep flat, dark windows from 0 / 0.
STABILISERS = (1e-4, 9e-4)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of pictures in [0, 1], averaged over windows of 7 x 7 pixels.

    Two (batch, C, H, W) that broadcast -> (batch,), from -1 to 1; 1 means equal. Windows weigh all
    their pixels alike, and variances are over N (Wang et al. 2004, Eq. 13).

    Raises ValueError for pictures smaller than a window.
    """
    x, y = torch.broadcast_tensors(x, y)
    if x.ndim != 4 or min(x.shape[2:]) < WINDOW:
        raise ValueError(
            f"expected pictures (batch, C, H, W) of at least {WINDOW} x {WINDOW} pixels, "
            f"but got {tuple(x.shape)}"
        )
    a, b, aa, bb, ab = (F.avg_pool2d(v, WINDOW, 1) for v in (x, y, x * x, y * y, x * y))
    brightness = (2 * a * b + STABILISERS[0]) / (a * a + b * b + STABILISERS[0])
    variances = (aa - a * a) + (bb - b * b)
    pattern = (2 * (ab - a * b) + STABILISERS[1]) / (variances + STABILISERS[1])
    return (brightness * pattern).flatten(1).mean(1)


def amplitudes(x: Tensor) -> Tensor:
    """How strong each wave is, and not where: |Fourier transform| of (..., H, W), same shape.

    Scaled so that the sum of squares is that of the pixels. A shift around the rim changes nothing.
    """
    return torch.fft.fft2(x, norm="ortho").abs()
