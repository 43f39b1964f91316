"""Water over the eigenvalues: which latents of a linear VAE drown, and what that does."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.exact import gaussian_rate, optimal_kl, spectrum
from vae_course.exact.rate_distortion import RateDistortion
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure

SHOWN = 8  # pictures, and latents, in a row
LEVELS = (-2.5, 0.5)  # of the water, in powers of ten
MOST = 100  # pixels: each has a latent


def water_level(
    images: Tensor,
    *,
    caption: str,
    start: float = 1.0,
    others: dict[str, list[RateDistortion]] | None = None,
) -> LiveFigure:
    """The best linear VAE of grey `images` (N, 1, H, W) for each σ_x²: exact, by their eigenvalues.

    The water, σ_x², begins at `start`. `others` are marked on the plane of rate and distortion.
    Raises ValueError for pictures that are not grey, or of more than 100 pixels.
    """
    if images.ndim != 4 or images.shape[1] != 1 or images[0].numel() > MOST:
        raise ValueError(
            f"expected grey pictures (N, 1, H, W) of at most {MOST} pixels, "
            f"but got {tuple(images.shape)}"
        )
    flat, others = images.flatten(1), others or {}
    eigenvalues, directions = spectrum(flat)
    return LiveFigure(
        kind="water",
        name="Water over the eigenvalues: latents that drown, rate and distortion",
        caption=caption,
        alt="Left, eigenvalues as falling bars on a logarithmic axis, with water that covers the "
        "lower ones. Right, the rate against the distortion, a falling convex curve, with a point "
        "at that level of the water.",
        still=_still(eigenvalues, others),
        data={
            "eigenvalues": packing.float32(eigenvalues),
            "directions": packing.rows(directions.T, bits=12),
            "mean": packing.float32(flat.mean(0)),
            "shown": packing.bytes8(images[:SHOWN]),
            "shape": [min(SHOWN, len(images)), *images.shape[2:]],
            "levels": LEVELS,
            "start": start,
            "others": others,
        },
    )


def _still(eigenvalues: Tensor, others: dict[str, list[RateDistortion]]) -> Figure:
    made, (bars, plane) = plotting.figure(8, 3, columns=2)
    level = eigenvalues[len(eigenvalues) // 8].item()
    bars.bar(range(1, len(eigenvalues) + 1), eigenvalues.tolist(), color=plotting.COLOURS[0])
    bars.axhspan(10 ** LEVELS[0], level, color=plotting.COLOURS[4], alpha=0.6)
    bars.set(yscale="log", ylim=(10 ** LEVELS[0], 10 ** LEVELS[1]))
    bars.set(xlabel="latent", ylabel="eigenvalue, and water")
    levels = torch.logspace(*LEVELS, 60, dtype=torch.float64)
    left = [eigenvalues.clamp(max=h.item()).sum().item() for h in levels]
    plane.plot(left, [gaussian_rate(eigenvalues, d) for d in left])
    at = eigenvalues.clamp(max=level).sum(), optimal_kl(eigenvalues, level).sum()
    plane.plot(*at, "o", color=plotting.COLOURS[5])
    for (name, points), marker in zip(others.items(), "s^D", strict=False):
        plane.plot([p.distortion for p in points], [p.rate for p in points], marker, label=name)
    if others:
        plane.legend(fontsize=9)
    plane.set(xlabel="distortion: squared error", ylabel="rate: KL in nats")
    return made
