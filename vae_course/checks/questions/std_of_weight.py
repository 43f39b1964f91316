"""Task 5: the σ behind a weight in front of the KL."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Given, Then


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


def factors(weight, shape, averaged, *, by=lambda d, averaged: d if averaged else 1, two=2.0):
    std = math.sqrt(weight * by(math.prod(shape), averaged) / two)
    return torch.tensor(std, dtype=torch.float64)


behind = turned(factors, lambda std: std)
SLIPS = {
    "This is σ², not σ.": Then(torch.square),
    "In the density the squared error has a factor ½, which you forget.": behind(two=1.0),
    "The ½ of the density goes the other way.": behind(two=0.5),
    "You treat an averaged error as a summed one: the number of pixels matters.": (
        behind(by=lambda d, averaged: 1)
    ),
    "You treat a summed error as an averaged one.": behind(by=lambda d, averaged: d),
    "Averaged and summed are swapped.": behind(by=lambda d, averaged: 1 if averaged else d),
    "The number of pixels goes the other way.": behind(by=lambda d, a: 1 / d if a else 1),
    "You forget the channels: each of them is averaged, too.": (
        Given(lambda weight, shape, averaged: (weight, shape[1:], averaged))
    ),
    "You take 784 pixels, whatever the shape.": behind(by=lambda d, a: 784 if a else 1),
    "You divide by 2 after the root. It belongs below it.": (
        lambda w, shape, averaged: behind()(w, shape, averaged) / math.sqrt(2)
    ),
    "The weight goes the other way: a heavier KL is a wider likelihood.": (
        Given(lambda weight, shape, averaged: (1 / weight, shape, averaged))
    ),
    "σ falls with your weight, but a heavier KL is a wider likelihood.": Then(torch.reciprocal),
    "This is log σ.": Then(torch.log),
    "You divide by the number of pixels, averaged or not.": behind(by=lambda d, averaged: 1 / d),
    "The number of pixels stands outside of the root.": lambda weight, shape, averaged: (
        behind(by=lambda d, averaged: 1)(weight, shape, averaged)
        * (math.prod(shape) if averaged else 1)
    ),
    "You add up the sides of a picture. The number of its pixels is their product.": (
        Given(lambda weight, shape, averaged: (weight, (sum(shape),), averaged))
    ),
    "This is the weight itself.": lambda weight, shape, averaged: torch.tensor(weight).double(),
    "The weight is squared.": (Given(lambda weight, shape, averaged: (weight**2, shape, averaged))),
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
