"""Two pictures and one latent: their distance against σ_x decides what comes out."""

import math

from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.exact import TwoImages
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure


def two_images(first: Tensor, second: Tensor, *, caption: str) -> LiveFigure:
    """The best VAE for two grey pictures (1, H, W) and one latent, solved in the page.

    Raises ValueError unless both are grey, of one shape, and different.
    """
    if first.ndim != 3 or first.shape[0] != 1 or first.shape != second.shape:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise ValueError(f"expected two grey pictures (1, H, W), but got {shapes}")
    distance = (first - second).norm().item()
    if distance == 0:
        raise ValueError("the two pictures are the same, so nothing could tell them apart")
    return LiveFigure(
        kind="pair",
        name="What the best VAE paints for two pictures, against the decoder's noise",
        caption=caption,
        alt="How far apart the outputs for two pictures are, against σ_x. The curve starts at one, "
        "falls ever more steeply, and is zero from half of the pictures' distance on.",
        still=_still(distance),
        data={
            "pictures": [packing.float32(first), packing.float32(second)],
            "height": first.shape[1],
            "width": first.shape[2],
            "distance": distance,
        },
    )


def distance_for(mean: float) -> float:
    """The half distance, in units of σ_x, at which this posterior mean in (0, 1) is the best.

    Where the loss -½ log(1 - mean²) + half_distance² · distortion has no slope in the mean. To go
    this way is much faster than `fit_two_images`, which looks for the mean.
    """
    step = 1e-4 * (1 - mean)
    below, above = (
        TwoImages(1.0, m, math.sqrt(1 - m * m)).distortion() for m in (mean - step, mean + step)
    )
    return math.sqrt(mean / (1 - mean**2) * 2 * step / (below - above))


def _still(distance: float) -> Figure:
    made, (axis,) = plotting.figure(6, 3.2)
    means = [0.05 + 0.9 * k / 30 for k in range(31)]
    stds = [0.6 * distance] + [distance / 2 / distance_for(mean) for mean in means] + [0]
    apart = [0] + [math.tanh(mean**2 / (1 - mean**2)) for mean in means] + [1]
    axis.plot(stds, apart)
    axis.axvline(distance / 2, linestyle="--", color="grey")
    axis.set(xlabel=r"$\sigma_x$", ylabel="outputs apart (share)")
    return made
