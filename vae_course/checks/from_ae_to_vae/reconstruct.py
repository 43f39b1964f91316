"""Task 4: one picture for one picture, with nothing left to chance."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import require
from vae_course.checks.judging.together import Then
from vae_course.objectives import Gaussian

SHAPE = 2, 3, 2  # channels, height, width


def networks(g: torch.Generator, batch: int, latent_dim: int) -> tuple[Callable, Callable, Tensor]:
    """encode, decode and pictures (batch, 2, 3, 2). Codes go to ±10, and pixels beyond [0, 1]."""
    inwards, outwards = normal(g, 12, latent_dim), normal(g, latent_dim, 12)

    def encode(x):
        code = x.flatten(1) @ inwards
        return Gaussian(3 * code, -1 - torch.sigmoid(code))

    def decode(z):
        picture = (0.5 + 1.5 * torch.sin(z @ outwards + 0.5)).unflatten(1, SHAPE)
        return Gaussian(picture, torch.tensor(-1.0, dtype=picture.dtype))

    return encode, decode, uniform(g, batch, *SHAPE)


def cases(seed: int | None) -> list[tuple[Callable, Callable, Tensor]]:
    g = fresh(seed)
    return [networks(g, *size) for size in ((3, 2), (1, 3), (4, 1))]


def steady(answer: Callable) -> Callable:
    """The answer, which must give the same picture when it is asked twice."""

    def twice(encode, decode, x):
        first, second = answer(encode, decode, x), answer(encode, decode, x)
        require(
            not isinstance(first, Tensor) or torch.equal(first, second),
            "The same picture comes back different when your function is called again: something "
            "is drawn. The best single answer draws nothing.",
        )
        return first

    return twice


SLIPS = {
    "You return the distribution p(x|z). A picture to show is one number for each pixel.": (
        lambda e, d, x: tuple(d(e(x).mean))
    ),
    "You decode log σ. Which number of the posterior says where it lies?": (
        lambda e, d, x: d(e(x).log_std).mean
    ),
    "You decode σ. Which number of the posterior says where it lies?": (
        lambda e, d, x: d(e(x).log_std.exp()).mean
    ),
    "You decode mean plus standard deviation: one particular draw, not the middle.": (
        lambda e, d, x: d(e(x).mean + e(x).log_std.exp()).mean
    ),
    "You decode mean plus log σ. Which number of the posterior says where it lies?": (
        lambda e, d, x: d(e(x).mean + e(x).log_std).mean
    ),
    "You add the decoder's standard deviation to its mean.": Then(lambda out: out + math.exp(-1)),
    "You add the decoder's log σ to its mean.": Then(lambda out: out - 1),
    "You cut the pixels off. Show what the decoder says, even where it leaves [0, 1].": (
        Then(lambda out: out.clamp(0, 1))
    ),
    "You cut the pixels off at 0. Show what the decoder says, even where it leaves [0, 1].": (
        Then(lambda out: out.clamp(min=0))
    ),
    "You cut the pixels off at 1. Show what the decoder says, even where it leaves [0, 1].": (
        Then(lambda out: out.clamp(max=1))
    ),
    "You squash the decoder's mean. It is the picture already, not a logit.": (
        Then(lambda out: out.sigmoid())
    ),
    "These are the pictures that came in.": lambda e, d, x: x,
    "This is the code. It is not decoded yet.": lambda e, d, x: e(x).mean,
    "You decode the prior's mean: nothing of the pictures is left.": (
        lambda e, d, x: d(0 * e(x).mean).mean
    ),
    "You average the codes over the batch: every picture has its own.": (
        lambda e, d, x: d(e(x).mean.mean(0).expand(len(x), -1)).mean
    ),
}


@check(
    cases=cases,
    read=steady,
    names=("encode", "decode", "x"),
    slips=SLIPS,
    praise="The same picture every time: the decoder's mean at the posterior's mean.",
)
def reconstruct(encode: Callable, decode: Callable, x: Tensor) -> Tensor:
    """The decoder's mean at the posterior mean, picture by picture, of the shape of x."""
    return torch.stack([decode(encode(one[None])[0])[0][0] for one in x])
