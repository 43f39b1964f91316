"""Task 1: the variance of each picture's Laplacian."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Then

FOUR = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


ADDED = ((0.0, 1.0, 0.0), (1.0, 4.0, 1.0), (0.0, 1.0, 0.0))


EIGHT = ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0))


ONCE = ((0.0, 1.0, 0.0), (1.0, -1.0, 1.0), (0.0, 1.0, 0.0))
SUMMED = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0))


ACROSS = ((0.0, 0.0, 0.0), (1.0, -2.0, 1.0), (0.0, 0.0, 0.0))


DOWN = ((0.0, 1.0, 0.0), (0.0, -2.0, 0.0), (0.0, 1.0, 0.0))


def bowls(seed: int | None) -> list[tuple[Tensor]]:
    """Noisy pictures on curved ground, so that their Laplacian is not 0 on average.

    Grey may be counted from -1 to 1, from 0 on, or from 0 to 255.
    """
    g, cases = fresh(seed), []
    for shape, middle, size in (
        ((3, 5, 7), -6, 1),
        ((1, 6, 4), 6, 1),
        ((4, 4, 9), 0, 0.1),
        ((2, 8, 8), 100, 60),
    ):
        batch, height, width = shape
        down, across = torch.arange(height).double()[:, None], torch.arange(width).double()
        bowl = uniform(g, batch, 1, 1, low=0.2, high=0.5) * (down**2 + across**2)
        cases.append((middle + size * (normal(g, *shape) + bowl),))
    return cases


def laplacian(pictures, weights=FOUR, rim=None):
    planes = pictures[:, None]
    if rim:
        planes = F.pad(planes, (1, 1, 1, 1), mode=rim)
    return F.conv2d(planes, torch.tensor(weights, dtype=pictures.dtype)[None, None])[:, 0]


def variance(laplacians: Tensor) -> Tensor:
    return laplacians.flatten(1).var(1, correction=0)


slip = turned(laplacian, variance)
RIM = "Your variance counts the rim, where a neighbour is missing: "


SLIPS = {
    RIM + "zeros stand outside, and they look like an edge.": slip(rim="constant"),
    RIM + "you repeat the outermost pixels.": slip(rim="replicate"),
    RIM + "you mirror the picture.": slip(rim="reflect"),
    RIM + "you take the pixel from the opposite side.": slip(rim="circular"),
    "You add the pixel itself. A flat grey must give 0 everywhere.": slip(weights=ADDED),
    "The pixel itself is not in it. A flat grey must give 0 everywhere.": slip(weights=SUMMED),
    "You subtract the pixel itself once. A flat grey must give 0 everywhere.": slip(weights=ONCE),
    "You compare with eight neighbours. This Laplacian has four.": slip(weights=EIGHT),
    "You look across only, not up and down.": slip(weights=ACROSS),
    "You look up and down only, not across.": slip(weights=DOWN),
    "You add the variances of both directions. Add the two first: in some pixels they cancel.": (
        lambda p: variance(laplacian(p, ACROSS)) + variance(laplacian(p, DOWN))
    ),
    "You compare with the mean of the neighbours. Add them up instead.": Then(lambda v: v / 16),
    "This is a standard deviation. The number asked for is a variance.": Then(torch.sqrt),
    "This is the mean square: the mean of the Laplacian is still in it, but an evenly bent grey "
    "is not sharp.": slip(lambda each: each.square().flatten(1).mean(1)),
    "This is the sum of squares: it grows with the size of the picture.": (
        slip(lambda each: each.square().flatten(1).sum(1))
    ),
    "You sum the squared deviations. Average them, or large pictures look sharper.": (
        slip(lambda each: variance(each) * each[0].numel())
    ),
    "This is the mean size of the Laplacian, not its variance.": (
        slip(lambda each: each.abs().flatten(1).mean(1))
    ),
    "You divide by one pixel less (`correction=1`). The task divides by their number.": (
        slip(lambda each: each.flatten(1).var(1))
    ),
    "This is one variance over all pictures together. Each picture has its own.": (
        slip(lambda each: each.var(correction=0))
    ),
    "You subtract one mean of all pictures. Each picture has its own.": (
        slip(lambda each: (each - each.mean()).square().flatten(1).mean(1))
    ),
    "The mean is the one in each row. Take the variance over all pixels of the picture.": (
        slip(lambda each: each.var(2, correction=0).mean(1))
    ),
    "This is the variance of the grey itself. Where is the Laplacian?": (
        lambda p: p.flatten(1).var(1, correction=0)
    ),
    "This is the variance of the grey inside the rim. Where is the Laplacian?": (
        lambda p: p[:, 1:-1, 1:-1].flatten(1).var(1, correction=0)
    ),
    "The variance runs over the pictures. Take it over the pixels of each.": (
        slip(lambda each: each.var(0, correction=0))
    ),
    "This is the mean size of the deviations. A variance squares them.": (
        slip(lambda each: (each - each.mean((1, 2), keepdim=True)).abs().mean((1, 2)))
    ),
    "You look at first differences of neighbours, at slopes. The Laplacian compares a pixel with "
    "all four at once.": lambda p: sum(p.diff(dim=dim).var((1, 2), correction=0) for dim in (1, 2)),
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
