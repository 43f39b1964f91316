"""Task 2: the best constant picture, which a collapsed VAE paints, and its two errors."""

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    mse_loss,
)

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.together import Then


def pictures(seed: int | None) -> list[tuple]:
    """Pictures with one pixel that is always black and one that is always white."""
    g = fresh(seed)
    cases = []
    for shape in ((3, 1, 2, 3), (7, 1, 1, 4), (4, 3, 2, 2)):
        x = uniform(g, *shape) ** 2  # mostly dark, so that the middle one is not the average
        x[:, 0, 0, 0], x[:, -1, -1, -1] = 0.0, 1.0
        cases.append((x,))
    return cases


def _cross_entropy(p, x):
    p, x = torch.broadcast_tensors(p, x)
    return binary_cross_entropy(p, x, reduction="none")


def _with_nan(p, x):
    return -(x * p.log() + (1 - x) * (1 - p).log())


def _painted(picture=lambda x: x.mean(0), mse=None, bce=None):
    """The three results for another picture, or with another error."""

    def painted(x):
        p = picture(x).expand_as(x)
        return (
            picture(x),
            mse(p, x) if mse else mse_loss(p, x),
            bce(p, x) if bce else binary_cross_entropy(p, x),
        )

    return painted


SLIPS = {
    "This is the middle picture, which is best for absolute errors.": _painted(
        lambda x: x.median(0).values
    ),
    "This is halfway between the darkest and the brightest. Every picture counts.": _painted(
        lambda x: (x.amax(0) + x.amin(0)) / 2
    ),
    "This is the root of the average square. Which average makes (x - a)² smallest?": _painted(
        lambda x: x.square().mean(0).sqrt()
    ),
    "You averaged over the channels, too. The decoder may give each its own.": _painted(
        lambda x: x.mean((0, 1)).expand_as(x[0])
    ),
    "You averaged over the pixels, too. The decoder may paint each pixel as it likes.": _painted(
        lambda x: x.mean().expand_as(x[0])
    ),
    "This is one of the pictures. Which is closest to all of them?": _painted(lambda x: x[0]),
    "This is plain grey. The decoder may paint each pixel as it likes.": _painted(
        lambda x: torch.full_like(x[0], 0.5)
    ),
    "This is black. The decoder may paint what it likes.": _painted(lambda x: 0 * x[0]),
    "The picture is right, the squared error is summed over pixels. Here it is a mean.": _painted(
        mse=lambda p, x: mse_loss(p, x) * x[0].numel()
    ),
    "The picture is right. Both errors are sums over pixels; here they are means.": _painted(
        mse=lambda p, x: mse_loss(p, x) * x[0].numel(),
        bce=lambda p, x: binary_cross_entropy(p, x) * x[0].numel(),
    ),
    "The picture is right. Both errors are sums over everything; here they are means.": _painted(
        mse=lambda p, x: mse_loss(p, x, reduction="sum"),
        bce=lambda p, x: binary_cross_entropy(p, x, reduction="sum"),
    ),
    "The picture is right. Both errors are sums over the pictures; here they are means.": _painted(
        mse=lambda p, x: mse_loss(p, x) * len(x),
        bce=lambda p, x: binary_cross_entropy(p, x) * len(x),
    ),
    "The picture is right, the cross-entropy is summed over pixels. Here it is a mean.": _painted(
        bce=lambda p, x: binary_cross_entropy(p, x) * x[0].numel()
    ),
    "The picture is right. The second has a ½, which a plain squared error has not.": _painted(
        mse=lambda p, x: mse_loss(p, x) / 2
    ),
    "The picture is right. The second is a root: the loss has none.": _painted(
        mse=lambda p, x: mse_loss(p, x).sqrt()
    ),
    "The second is divided by N - 1. A loss is an average over all pictures.": _painted(
        mse=lambda p, x: x.var(0).mean()
    ),
    "The third is the cross-entropy of a perfect decoder, not that of a constant picture.": (
        _painted(bce=lambda p, x: binary_cross_entropy(x, x))
    ),
    "The third has picture and chance the wrong way round.": _painted(
        bce=lambda p, x: binary_cross_entropy(x, p)
    ),
    "The third counts ink only. A pixel is also partly black.": _painted(
        bce=lambda p, x: -torch.xlogy(x, p).mean()
    ),
    "The third takes the picture for logits. It holds chances.": _painted(
        bce=binary_cross_entropy_with_logits
    ),
    "The third rounds the pictures to black and white. Take them as they are.": _painted(
        bce=lambda p, x: binary_cross_entropy(p, x.round())
    ),
    "The third leaves out what is NaN. A pixel that never changes costs 0, and it counts.": (
        _painted(bce=lambda p, x: _with_nan(p, x).nanmean())
    ),
    "The third moves the chances too far away from 0 and 1. There the cost must be 0.": _painted(
        bce=lambda p, x: binary_cross_entropy(p.clamp(1e-3, 1 - 1e-3), x)
    ),
    "The errors stand in the wrong order: first that of the squares.": (
        Then(lambda found: (found[0], found[2], found[1]), _painted())
    ),
    "The errors are one for each picture. A training curve shows their mean.": _painted(
        mse=lambda p, x: (p - x).square().mean((1, 2, 3)),
        bce=lambda p, x: _cross_entropy(p, x).mean((1, 2, 3)),
    ),
}


@check(
    cases=pictures,
    slips=SLIPS,
    results=("the picture", "the squared error", "the cross-entropy"),
    praise="A loss that stands still at such a number tells you what the decoder paints.",
)
def constant(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best constant picture, (C, H, W), of (N, C, H, W), and the errors of the best ones.

    Here: by search in each pixel.
    """
    black = torch.zeros_like(x[0])

    def average(error):
        return lambda p: error(p[:, None], x).mean(1)  # over pictures

    def squares(p, x):
        return (p - x) ** 2

    best = lowest(average(squares), black, black + 1)
    grey = lowest(average(_cross_entropy), black, black + 1)
    return best, squares(best, x).mean(), _cross_entropy(grey, x).mean()
