"""Task 3: bits per dimension, for grey in steps of 1."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Then


def densities(seed: int | None) -> list[tuple[Tensor, tuple[int, ...], float]]:
    """(elbo, shape, scale): nats of pictures whose pixels were divided by `scale`."""
    g, cases = fresh(seed), []
    for batch, shape, scale in (
        (4, (3, 4, 5), 255.0),
        (1, (1, 8, 7), 127.5),
        (3, (2, 6, 1), 15.0),
        (2, (3, 2, 2), 1.0),
        (2, (3, 40, 40), 255.0),  # thousands of nats, which no exp can hold
        (2, (1, 4, 3), 0.25),
    ):
        signs = 1 - 2 * (torch.arange(batch) % 2)  # likely pictures and unlikely ones
        per_pixel = signs * uniform(g, batch, low=0.2, high=2.5)
        cases.append((per_pixel * math.prod(shape), shape, scale))
    return cases


def per_dimension(elbo, shape, scale, *, size=math.prod, grey=math.log, sign=-1.0, base=2.0):
    return (sign * elbo / size(shape) + grey(scale)) / math.log(base)


bits = turned(per_dimension, lambda bits: bits)
SLIPS = {
    "This is in nats, not in bits.": Then(lambda bits: bits * math.log(2)),
    "You multiply where nats become bits: fewer bits than nats?": (
        Then(lambda bits: bits * math.log(2) ** 2)
    ),
    "Your logarithm has base 10. A bit is one of two.": Then(lambda bits: bits * math.log10(2)),
    "You ignore the scale: a density depends on the unit in which grey is counted.": (
        bits(grey=lambda scale: 0.0)
    ),
    "The scale has the wrong sign: a density over a wider range of numbers is lower.": (
        bits(grey=lambda scale: -math.log(scale))
    ),
    "You forget the channels: each of them has a number of its own.": (
        bits(size=lambda shape: math.prod(shape[1:]))
    ),
    "The ELBO has the wrong sign: likely pictures take few bits.": bits(sign=1.0),
    "Likely pictures take few bits: yours is minus that, and the scale has not its sign.": (
        lambda e, d, s: (e / math.prod(d) - math.log(s)) / math.log(2)
    ),
    "This is for the whole picture. Divide by the number of dimensions.": (
        lambda e, d, s: bits()(e, d, s) * math.prod(d)
    ),
    "The scale enters once a picture. It stretches each dimension.": (
        lambda e, d, s: (-e + math.log(s)) / math.prod(d) / math.log(2)
    ),
    "The scale enters D times a dimension. It stretches each dimension once.": (
        lambda e, d, s: (-e / math.prod(d) + math.prod(d) * math.log(s)) / math.log(2)
    ),
    "The ELBO is not divided by the number of dimensions, the scale is counted for one.": (
        lambda e, d, s: (-e + math.log(s)) / math.log(2)
    ),
    "You add nats of the scale to bits.": lambda e, d, s: (
        bits(grey=lambda v: 0.0)(e, d, s) + math.log(s)
    ),
    "You divide by the scale itself. In a logarithm a factor is added.": (
        lambda e, d, s: -e / math.prod(d) / math.log(2) / s
    ),
    "You multiply by the scale itself. In a logarithm a factor is added.": (
        lambda e, d, s: -e / math.prod(d) / math.log(2) * s
    ),
    "You take `scale` + 1. Pixels were divided by `scale`.": bits(grey=lambda v: math.log(v + 1)),
    "The scale is taken as 255, whatever it is.": bits(grey=lambda v: math.log(255)),
    "The scale is taken as 256, whatever it is.": bits(grey=lambda v: math.log(256)),
    "The scale is squared.": bits(grey=lambda scale: 2 * math.log(scale)),
    "You take the root of the scale.": bits(grey=lambda scale: math.log(scale) / 2),
    "You add the scale itself, not its logarithm.": lambda e, d, s: (
        -e / math.prod(d) / math.log(2) + s
    ),
    "The ELBO is still in nats, the scale is in bits.": (
        lambda e, d, s: -e / math.prod(d) + math.log2(s)
    ),
    "You multiply the ELBO where nats become bits: fewer bits than nats?": (
        lambda e, d, s: -e / math.prod(d) * math.log(2) + math.log2(s)
    ),
    "Nats become bits twice.": Then(lambda bits: bits / math.log(2)),
    "You add up the sides of a picture. The number of its dimensions is their product.": (
        bits(size=sum)
    ),
    "You forget the width of the picture.": bits(size=lambda shape: math.prod(shape[:2])),
}


@check(
    cases=densities,
    slips=SLIPS,
    praise="The same model gets the same number, however its pixels were scaled.",
)
def bits_per_dimension(elbo: Tensor, shape: tuple[int, ...], scale: float) -> Tensor:
    """For unscaled pixels, (batch,) -> (batch,); `elbo` is in nats per picture.

    Here: a flat density with that many nats is so many grey values wide.
    """
    widths = [math.exp(-nats / math.prod(shape)) * scale for nats in elbo.tolist()]
    return torch.tensor([math.log2(width) for width in widths], dtype=elbo.dtype)
