"""Task 6: the least binary cross-entropy that grey pictures allow."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.learned_variance.likelihood import PICTURES


def grey(seed: int | None) -> list[tuple[Tensor]]:
    g = fresh(seed)
    return [(uniform(g, *shape, low=0.02, high=0.98),) for shape in PICTURES]


def black_and_white(seed: int | None) -> list[tuple[Tensor]]:
    """Pictures whose floor is 0; and some that have one grey pixel."""
    g = fresh(seed)
    pure = (uniform(g, 3, 1, 2, 2) < 0.5).double()
    pure[0, 0, 0, 0], pure[0, 0, 0, 1] = 0.0, 1.0
    mixed = pure.clone()
    mixed[:, 0, 1, 1] = uniform(g, 3, low=0.3, high=0.7)
    return [(pure,), (mixed,)]


def each(x, *, chance=None, ink=1.0, black=1.0, base=1.0):
    """The nats of each pixel, with knobs."""
    p = x if chance is None else chance(x)
    return -(ink * torch.xlogy(x, p) + black * torch.xlogy(1 - x, 1 - p)) / base


slip = turned(each, lambda nats: nats.sum((1, 2, 3)))
SLIPS = {
    "You averaged over the pixels. Their nats add.": slip(lambda nats: nats.mean((1, 2, 3))),
    "You summed over the channels, but averaged over the rest. Each number of a picture counts.": (
        slip(lambda nats: nats.sum(1).mean((1, 2)))
    ),
    "This is in bits. The loss is in nats: which logarithm does it use?": slip(base=math.log(2)),
    "Only the part of the ink is there. A grey pixel is also partly black.": slip(black=0.0),
    "Only the black part is there. A grey pixel is also partly ink.": slip(ink=0.0),
    "The part of the ink has the wrong sign.": slip(ink=-1.0),
    "The black part has the wrong sign.": slip(black=-1.0),
    "The picture went in as logits. The decoder would give its logits; you have its chances.": (
        lambda x: binary_cross_entropy_with_logits(x, x, reduction="none").sum((1, 2, 3))
    ),
    "This is the loss of an even guess, ½ for every pixel. A decoder can do better.": (
        slip(chance=lambda x: 0 * x + 0.5)
    ),
    "This says that there is no floor. Try one grey pixel.": slip(ink=0.0, black=0.0),
    "This is the floor for one picture for all. The decoder may give each its own.": (
        lambda x: binary_cross_entropy(x.mean(0).expand_as(x), x, reduction="none").sum((1, 2, 3))
    ),
    "This is the entropy of the average pixel, times their number. Each pixel has its own.": (
        lambda x: each(x.mean((1, 2, 3))) * x[0].numel()
    ),
    "Here the decoder paints all channels alike. It may give each its own.": (
        slip(chance=lambda x: x.mean(1, keepdim=True).expand_as(x))
    ),
    "Only the first channel counts. Each number of a picture is a pixel of its own.": (
        slip(lambda nats: nats[:, 0].sum((1, 2)))
    ),
    "This is a variance, not an entropy.": lambda x: (x * (1 - x)).sum((1, 2, 3)),
    "This is one number for each pixel. The loss is one for each picture.": slip(lambda nats: nats),
}


@check(
    cases=grey,
    extreme=black_and_white,
    astray="It is right for grey pixels, but not where some are exactly 0 or 1. Such a pixel costs "
    "nothing: 0 log 0 is 0. Is it NaN, or moved away from 0 and 1, or is something added?",
    slips=SLIPS,
    strictly=1e-5,
    praise="A perfect decoder pays this much, and for black and white pixels it pays nothing.",
)
def floor(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N,), nats."""
    return Bernoulli(x).entropy().sum((1, 2, 3))
