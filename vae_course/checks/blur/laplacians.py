"""Sharpness for the checks: second differences, slips on the way, and noise read off pictures."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.inputs import normal, uniform

FOUR = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
ADDED = ((0.0, 1.0, 0.0), (1.0, 4.0, 1.0), (0.0, 1.0, 0.0))
EIGHT = ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0))
SUMMED = ((0.0, 1.0, 0.0), (1.0, 0.0, 1.0), (0.0, 1.0, 0.0))
ACROSS = ((0.0, 0.0, 0.0), (1.0, -2.0, 1.0), (0.0, 0.0, 0.0))
DOWN = ((0.0, 1.0, 0.0), (0.0, -2.0, 0.0), (0.0, 1.0, 0.0))


def bowls(g: torch.Generator) -> list[tuple[Tensor]]:
    """Noisy pictures on curved ground, so that their Laplacian is not 0 on average."""
    cases = []
    for batch, height, width in ((3, 5, 7), (1, 6, 4), (4, 4, 9), (2, 8, 8)):
        down, across = torch.arange(height).double()[:, None], torch.arange(width).double()
        bend = uniform(g, batch, 1, 1, low=0.2, high=0.5)
        cases.append((normal(g, batch, height, width) + bend * (down**2 + across**2) + 6,))
    return cases


def sharpness(pictures: Tensor) -> Tensor:
    """The oracle: second differences down and across."""
    down = pictures.diff(n=2, dim=1)[:, :, 1:-1]
    across = pictures.diff(n=2, dim=2)[:, 1:-1]
    return (down + across).var((1, 2), correction=0)


def _laplacian(pictures, weights=FOUR, rim=None):
    planes = pictures[:, None]
    if rim:
        planes = F.pad(planes, (1, 1, 1, 1), mode=rim)
    return F.conv2d(planes, torch.tensor(weights, dtype=pictures.dtype)[None, None])[:, 0]


def _variance(weights=FOUR, rim=None, ddof=0):
    return lambda pictures: _laplacian(pictures, weights, rim).flatten(1).var(1, correction=ddof)


RIM = "Your variance counts the rim, where a neighbour is missing: "
SHARPNESS_MISTAKES = {
    RIM + "zeros stand outside, and they look like an edge.": _variance(rim="constant"),
    RIM + "you repeat the outermost pixels.": _variance(rim="replicate"),
    RIM + "you mirror the picture.": _variance(rim="reflect"),
    RIM + "you take the pixel from the opposite side.": _variance(rim="circular"),
    "You add the pixel itself. A flat grey must give 0 everywhere.": _variance(ADDED),
    "The pixel itself is not in it. A flat grey must give 0 everywhere.": _variance(SUMMED),
    "You compare with eight neighbours. This Laplacian has four.": _variance(EIGHT),
    "You look across only, not up and down.": _variance(ACROSS),
    "You look up and down only, not across.": _variance(DOWN),
    "You add the variances of both directions. Add the two first: in some pixels they cancel.": (
        lambda p: _variance(ACROSS)(p) + _variance(DOWN)(p)
    ),
    "You compare with the mean of the neighbours. Add them up instead.": (
        lambda p: _variance()(p) / 16
    ),
    "This is a standard deviation. The number asked for is a variance.": (
        lambda p: _variance()(p).sqrt()
    ),
    "This is the mean square: the mean of the Laplacian is still in it, but an evenly bent grey "
    "is not sharp.": lambda p: _laplacian(p).square().flatten(1).mean(1),
    "This is the sum of squares: it grows with the size of the picture.": (
        lambda p: _laplacian(p).square().flatten(1).sum(1)
    ),
    "You sum the squared deviations. Average them, or large pictures look sharper.": (
        lambda p: _variance()(p) * _laplacian(p)[0].numel()
    ),
    "This is the mean size of the Laplacian, not its variance.": (
        lambda p: _laplacian(p).abs().flatten(1).mean(1)
    ),
    "You divide by one pixel less (`correction=1`). The task divides by their number.": (
        _variance(ddof=1)
    ),
    "This is one variance over all pictures together. Each picture has its own.": (
        lambda p: _laplacian(p).var(correction=0)
    ),
    "This is the variance of the grey itself. Where is the Laplacian?": (
        lambda p: p.flatten(1).var(1, correction=0)
    ),
    "This is the variance of the grey inside the rim. Where is the Laplacian?": (
        lambda p: p[:, 1:-1, 1:-1].flatten(1).var(1, correction=0)
    ),
    "The variance runs over the pictures. Take it over the pixels of each.": (
        lambda p: _laplacian(p).var(0, correction=0)
    ),
}


def noisy_pictures(
    g: torch.Generator, side: int, half: int, std: float, share: float
) -> tuple[Tensor, Tensor]:
    """Samples (2·half), decoder means (half), with noise of `std` σ; grey from 0 to 255.

    Each mean gets a draw of noise and its negative, and the noise is scaled until its own sharpness
    is 20 σ². So σ follows from the two average sharpnesses exactly. The means come shuffled, and
    their own sharpness is `share` of the noise's.
    """
    angles = uniform(g, half, 2, 1, low=0.6, high=1.2)
    down, across = angles.mul(torch.arange(side).double()).unbind(1)
    phase = uniform(g, half, 1, 1, high=2 * math.pi)
    waves = torch.cos(down[:, :, None] + across[:, None, :] + phase)
    means = 120 + waves * (share * 20 * std**2 / sharpness(waves).mean()).sqrt()
    noise = normal(g, half, side, side)
    noise = noise * (20 * std**2 / sharpness(noise).mean()).sqrt()
    order = torch.randperm(half, generator=g)
    return torch.cat([means + noise, means - noise]), means[order]


def _from_sharpness(by=20.0, *, root=torch.sqrt):
    return lambda s, m: root((sharpness(s).mean() - sharpness(m).mean()) / by)


NOISE_MISTAKES: dict[str, Callable] = {
    "This is the variance of the noise. The task asks for its standard deviation.": (
        _from_sharpness(root=lambda v: v)
    ),
    "Your noise is too wide: you take all the sharpness of samples for noise. Their means have "
    "some, too.": lambda s, m: (sharpness(s).mean() / 20).sqrt(),
    "You divide by the sum of the weights' sizes. In a variance they enter in another way.": (
        _from_sharpness(8.0)
    ),
    "Only the pixel itself is counted. Its neighbours bring noise of their own.": (
        _from_sharpness(16.0)
    ),
    "Only the neighbours are counted. The pixel itself brings noise, too.": _from_sharpness(4.0),
    "You count five pixels with equal weights.": _from_sharpness(5.0),
    "This is the noise of the Laplacian. How much wider is it than that of a pixel?": (
        _from_sharpness(1.0)
    ),
    "You divide after the root. What must be divided is a variance.": _from_sharpness(400.0),
    "You subtract standard deviations. Independent noise adds to the variance.": (
        lambda s, m: (sharpness(s).mean().sqrt() - sharpness(m).mean().sqrt()) / math.sqrt(20)
    ),
    "You subtract the average roots. Independent noise adds to the variance.": (
        lambda s, m: (sharpness(s).sqrt().mean() - sharpness(m).sqrt().mean()) / math.sqrt(20)
    ),
    "You sum over the pictures, of which there are more in one set than in the other.": (
        lambda s, m: ((sharpness(s).sum() - sharpness(m).sum()) / 20).sqrt()
    ),
    "This is the spread of the samples' pixels: most of it is picture, not noise.": (
        lambda s, m: s.std()
    ),
    "You subtract the spreads of the pixels. Independent noise adds to the variance.": (
        lambda s, m: s.std() - m.std()
    ),
}
