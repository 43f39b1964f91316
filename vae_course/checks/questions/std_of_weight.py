"""Task 5: the σ behind a weight in front of the KL."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform


def losses(seed: int | None) -> list[tuple[float, tuple[int, ...], bool]]:
    """(weight, shape, averaged), σ on both sides of 1."""
    g = fresh(seed)
    spans = (
        ((3, 4, 6), True, 0.002, 0.015),
        ((1, 7, 7), True, 0.002, 0.015),
        ((3, 4, 6), False, 0.15, 0.8),
        ((2, 5, 3), False, 0.15, 0.8),
        ((2, 3, 4), True, 20.0, 50.0),
        ((1, 6, 2), False, 20.0, 50.0),
    )
    return [
        (uniform(g, 1, low=low, high=high).item(), shape, averaged)
        for shape, averaged, low, high in spans
    ]


def behind(by=lambda d, averaged: d if averaged else 1, *, two=2.0, power=0.5):
    return lambda weight, shape, averaged: torch.tensor(
        (weight * by(math.prod(shape), averaged) / two) ** power, dtype=torch.float64
    )


SLIPS = {
    "This is σ², not σ.": behind(power=1.0),
    "In the density the squared error has a factor ½, which you forget.": behind(two=1.0),
    "The ½ of the density goes the other way.": behind(two=0.5),
    "You treat an averaged error as a summed one: the number of pixels matters.": (
        behind(lambda d, averaged: 1)
    ),
    "You treat a summed error as an averaged one.": behind(lambda d, averaged: d),
    "Averaged and summed are swapped.": behind(lambda d, averaged: 1 if averaged else d),
    "The number of pixels goes the other way.": behind(lambda d, a: 1 / d if a else 1),
    "You forget the channels: each of them is averaged, too.": lambda w, shape, averaged: behind()(
        w, shape[1:], averaged
    ),
    "The weight goes the other way: a heavier KL is a wider likelihood.": (
        lambda w, shape, averaged: behind()(1 / w, shape, averaged)
    ),
    "σ falls with your weight, but a heavier KL is a wider likelihood.": behind(power=-0.5),
    "This is log σ.": lambda *case: behind()(*case).log(),
}


@check(
    cases=losses,
    slips=SLIPS,
    praise="A weight in front of the KL is a σ in disguise. Is this the one you would choose?",
)
def std_of_weight(weight: float, shape: tuple[int, ...], averaged: bool) -> Tensor:
    """σ_x behind squared error + weight · KL, one number. Here: slopes in a pixel, by autograd."""
    x, mean = torch.zeros(shape).double(), torch.ones(shape).double().requires_grad_()
    loss = F.mse_loss(mean, x, reduction="mean" if averaged else "sum") / weight
    (slope,) = torch.autograd.grad(loss, mean)
    return slope.mean().rsqrt()  # -log N(x; mean, σ²) has the slope (mean - x) / σ²
