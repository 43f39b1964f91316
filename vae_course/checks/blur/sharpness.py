"""Task 1: the variance of each picture's Laplacian."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform

FOUR = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


ADDED = ((0.0, 1.0, 0.0), (1.0, 4.0, 1.0), (0.0, 1.0, 0.0))


EIGHT = ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0))


SUMMED = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0))


ACROSS = ((0.0, 0.0, 0.0), (1.0, -2.0, 1.0), (0.0, 0.0, 0.0))


DOWN = ((0.0, 1.0, 0.0), (0.0, -2.0, 0.0), (0.0, 1.0, 0.0))


def bowls(seed: int | None) -> list[tuple[Tensor]]:
    """Noisy pictures on curved ground, so that their Laplacian is not 0 on average."""
    g, cases = fresh(seed), []
    for batch, height, width in ((3, 5, 7), (1, 6, 4), (4, 4, 9), (2, 8, 8)):
        down, across = torch.arange(height).double()[:, None], torch.arange(width).double()
        bend = uniform(g, batch, 1, 1, low=0.2, high=0.5)
        cases.append((normal(g, batch, height, width) + bend * (down**2 + across**2) + 6,))
    return cases


def laplacian(pictures, weights=FOUR, rim=None):
    planes = pictures[:, None]
    if rim:
        planes = F.pad(planes, (1, 1, 1, 1), mode=rim)
    return F.conv2d(planes, torch.tensor(weights, dtype=pictures.dtype)[None, None])[:, 0]


def variance(weights=FOUR, rim=None, ddof=0):
    return lambda pictures: laplacian(pictures, weights, rim).flatten(1).var(1, correction=ddof)


RIM = "Your variance counts the rim, where a neighbour is missing: "


SLIPS = {
    RIM + "zeros stand outside, and they look like an edge.": variance(rim="constant"),
    RIM + "you repeat the outermost pixels.": variance(rim="replicate"),
    RIM + "you mirror the picture.": variance(rim="reflect"),
    RIM + "you take the pixel from the opposite side.": variance(rim="circular"),
    "You add the pixel itself. A flat grey must give 0 everywhere.": variance(ADDED),
    "The pixel itself is not in it. A flat grey must give 0 everywhere.": variance(SUMMED),
    "You compare with eight neighbours. This Laplacian has four.": variance(EIGHT),
    "You look across only, not up and down.": variance(ACROSS),
    "You look up and down only, not across.": variance(DOWN),
    "You add the variances of both directions. Add the two first: in some pixels they cancel.": (
        lambda p: variance(ACROSS)(p) + variance(DOWN)(p)
    ),
    "You compare with the mean of the neighbours. Add them up instead.": (
        lambda p: variance()(p) / 16
    ),
    "This is a standard deviation. The number asked for is a variance.": (
        lambda p: variance()(p).sqrt()
    ),
    "This is the mean square: the mean of the Laplacian is still in it, but an evenly bent grey "
    "is not sharp.": lambda p: laplacian(p).square().flatten(1).mean(1),
    "This is the sum of squares: it grows with the size of the picture.": (
        lambda p: laplacian(p).square().flatten(1).sum(1)
    ),
    "You sum the squared deviations. Average them, or large pictures look sharper.": (
        lambda p: variance()(p) * laplacian(p)[0].numel()
    ),
    "This is the mean size of the Laplacian, not its variance.": (
        lambda p: laplacian(p).abs().flatten(1).mean(1)
    ),
    "You divide by one pixel less (`correction=1`). The task divides by their number.": (
        variance(ddof=1)
    ),
    "This is one variance over all pictures together. Each picture has its own.": (
        lambda p: laplacian(p).var(correction=0)
    ),
    "This is the variance of the grey itself. Where is the Laplacian?": (
        lambda p: p.flatten(1).var(1, correction=0)
    ),
    "This is the variance of the grey inside the rim. Where is the Laplacian?": (
        lambda p: p[:, 1:-1, 1:-1].flatten(1).var(1, correction=0)
    ),
    "The variance runs over the pictures. Take it over the pixels of each.": (
        lambda p: laplacian(p).var(0, correction=0)
    ),
}


@check(
    cases=bowls,
    slips=SLIPS,
    praise="One number for each picture, whatever its height and width, and no invented borders.",
)
def sharpness(pictures: Tensor) -> Tensor:
    """(batch, H, W) -> (batch,), without the rim. Here: second differences down and across."""
    down = pictures.diff(n=2, dim=1)[:, :, 1:-1]
    across = pictures.diff(n=2, dim=2)[:, 1:-1]
    return (down + across).var((1, 2), correction=0)
