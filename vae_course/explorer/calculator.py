"""The σ_x that a loss stands for, as noise on a picture, and the latents that are worth it."""

import math

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.exact import spectrum
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure

SIDE = 28
# D: the side of the picture as it is drawn, its channels, and the side of what is measured. A grey
# picture on a black canvas with three channels varies three times as much along each direction, and
# with each pixel four times, twelve times as much.
SIZES = {196: (14, 1, 14), 784: (28, 1, 28), 3_072: (32, 3, 28), 12_288: (64, 3, 28)}
STILL = (1, 400, 4_000, 40_000)  # factors in front of the mean squared error


def loss_calculator(
    images: Tensor,
    *,
    caption: str,
    pixels: int = 784,
    reduce: str = "mean",
    c: float = 1.0,
    beta: float = 1.0,
) -> LiveFigure:
    """c times the squared error, plus β times the KL: the σ_x that it stands for.

    `images` (N, 1, 28, 28) are measured, and the first two shown. A latent of the best linear VAE
    lives where the eigenvalue of their covariance is above σ_x². It starts with `pixels` (196, 784,
    3072 or 12288) and a `reduce` over them ("mean" or "sum"). Raises ValueError for anything else.
    """
    if images.ndim != 4 or images.shape[1:] != (1, SIDE, SIDE):
        raise ValueError(f"expected grey pictures (N, 1, 28, 28), but got {tuple(images.shape)}")
    if pixels not in SIZES or reduce not in ("mean", "sum"):
        raise ValueError(
            f"expected pixels in {list(SIZES)} and a mean or a sum, but got {pixels} and {reduce!r}"
        )
    measured = {s: F.avg_pool2d(images, SIDE // s) for s in (14, SIDE)}
    spectra = {s: spectrum(made.flatten(1))[0] for s, made in measured.items()}
    return LiveFigure(
        kind="calculator",
        name="The noise that a loss stands for, and the latents that are worth it",
        caption=caption,
        alt="A picture under four strengths of noise, from snow to a light grain, and the "
        "variances of pictures along their main directions as falling bars. The noise of the plain "
        "mean squared error lies far above all bars; that of larger factors cuts through them or "
        "lies below.",
        still=_still(images[0, 0], spectra[SIDE]),
        data={
            "sizes": [
                {"pixels": total, "side": side, "channels": channels, "measured": base}
                for total, (side, channels, base) in SIZES.items()
            ],
            "pictures": {
                s: [packing.bytes8(one) for one in made[:2]] for s, made in measured.items()
            },
            "spectra": {s: packing.float32(values) for s, values in spectra.items()},
            "start": {"pixels": pixels, "reduce": reduce, "c": c, "beta": beta},
        },
    )


def _still(picture: Tensor, eigenvalues: Tensor) -> Figure:
    made, (sheet, axis) = plotting.figure(9, 3, columns=2, width_ratios=(1.5, 1))
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    variances = {c: picture.numel() / (2 * c) for c in STILL}
    noisy = [(picture + math.sqrt(v) * noise).clamp(0, 1)[None] for v in variances.values()]
    plotting.draw_tiles(sheet, torch.stack(noisy), len(noisy), "c = 1, 400, 4000, 40 000")
    axis.bar(range(1, 41), eigenvalues[:40].tolist(), color=plotting.COLOURS[0])
    for c, variance in variances.items():
        axis.axhline(variance, color=plotting.COLOURS[5], linewidth=1)
        place = {"xy": (1.02, variance), "xycoords": ("axes fraction", "data")}
        axis.annotate(f"c = {c:g}", **place, va="center", fontsize=9, annotation_clip=False)
    axis.set(yscale="log", xlabel="latent", ylabel=r"variance, and $\sigma_x^2$")
    return made
