"""Checks of the exercises of chapter 9, questions people ask."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.extremes import agree_safely
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import praise
from vae_course.checks.judging.verdict import agree
from vae_course.checks.questions import (
    doublings,
    great_circles,
    mix_ups,
    reported_numbers,
    turned_latents,
)


def great_circle(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(start, end, t)`: the point at t on the great circle, (batch, d) -> (batch, d).

    Where both point the same way: on the straight line. Raises NotYet with the diagnosis of a wrong
    answer. The oracle turns each row in the plane of its two vectors.
    """
    agree_safely(
        "It is right for vectors at an angle, but not where both point the same way. There the "
        "angle is 0, so 0 is divided by 0; and rounding can put a cosine above 1.",
        *(answer, great_circles.great_circle),
        *great_circles.walks(fresh(seed)),
        great_circles.MISTAKES,
    )
    praise("Even angles, both ends, the same way back, and from Bob to Bob it stays with Bob.")


def report(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(elbo)`: mean and its standard error over pictures, from ELBO (draws, pictures).

    Raises NotYet. The oracle is Python's statistics module.
    """
    tables = reported_numbers.tables(fresh(seed))
    agree(answer, reported_numbers.report, tables, reported_numbers.REPORT_MISTAKES)
    praise("A number that others can compare with theirs, and how far to trust it.")


def bits_per_dimension(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(elbo, shape, scale)`: bits per dimension, grey in steps of 1, (batch,) -> (batch,).

    `elbo` is in nats per picture, with pixels divided by `scale`. Raises NotYet. The oracle is the
    width of a flat density.
    """
    cases = reported_numbers.densities(fresh(seed))
    agree(answer, reported_numbers.bits, cases, reported_numbers.BITS_MISTAKES)
    praise("The same model gets the same number, however its pixels were scaled.")


def mix_up(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(bob, alice, log_std)`: chance that Bob's z is likelier under Alice, (batch,).

    Two posteriors with the same σ, all (batch, latent_dim). Raises NotYet. The oracle is their KL
    divergence and Python's erfc.
    """
    agree(answer, mix_ups.chance, mix_ups.cases(fresh(seed)), mix_ups.MISTAKES)
    praise("Only the distance in units of σ counts, however many latents it is spread over.")


def std_of_weight(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(weight, shape, averaged)`: σ_x behind squared error + weight · KL, one number.

    The squared error of a picture of `shape` is averaged or summed over its pixels. Raises NotYet.
    The oracle compares slopes in a pixel by autograd.
    """
    g = fresh(seed)
    cases = []
    for shape, averaged in (
        ((3, 4, 6), True),
        ((1, 7, 7), True),
        ((3, 4, 6), False),
        ((2, 5, 3), False),
    ):
        low, high = (0.002, 0.015) if averaged else (0.15, 0.8)
        cases.append((uniform(g, 1, low=low, high=high).item(), shape, averaged))
    agree(answer, _std_of_weight, cases, WEIGHT_MISTAKES)
    praise("A weight in front of the KL is a σ in disguise. Is this the one you would choose?")


def _std_of_weight(weight: float, shape: tuple, averaged: bool) -> Tensor:
    x, mean = torch.zeros(shape).double(), torch.ones(shape).double().requires_grad_()
    loss = F.mse_loss(mean, x, reduction="mean" if averaged else "sum") / weight
    (slope,) = torch.autograd.grad(loss, mean)
    return slope.mean().rsqrt()  # -log N(x; mean, σ²) has the slope (mean - x) / σ²


def _behind(by=lambda d, averaged: d if averaged else 1, *, two=2.0, power=0.5):
    return lambda weight, shape, averaged: torch.tensor(
        (weight * by(math.prod(shape), averaged) / two) ** power, dtype=torch.float64
    )


WEIGHT_MISTAKES = {
    "This is σ², not σ.": _behind(power=1.0),
    "In the density the squared error has a factor ½, which you forget.": _behind(two=1.0),
    "The ½ of the density goes the other way.": _behind(two=0.5),
    "You treat an averaged error as a summed one: the number of pixels matters.": (
        _behind(lambda d, averaged: 1)
    ),
    "You treat a summed error as an averaged one.": _behind(lambda d, averaged: d),
    "Averaged and summed are swapped.": _behind(lambda d, averaged: 1 if averaged else d),
    "The number of pixels goes the other way.": _behind(lambda d, a: 1 / d if a else 1),
    "You forget the channels: each of them is averaged, too.": lambda w, shape, averaged: _behind()(
        w, shape[1:], averaged
    ),
    "The weight goes the other way: a heavier KL is a wider likelihood.": (
        lambda w, shape, averaged: _behind()(1 / w, shape, averaged)
    ),
    "σ falls with your weight, but a heavier KL is a wider likelihood.": _behind(power=-0.5),
    "This is log σ.": lambda *case: _behind()(*case).log(),
}


def reductions(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(loss, x, y)`: "sum" or "mean" over the batch, and over the pixels, of any loss.

    Raises NotYet. Tried on twelve losses whose reductions are known: large, small and negative.
    """
    g = fresh(seed)
    known, seen = doublings.losses(g), {}
    cases = [(loss, *doublings.pictures(g)) for loss in known]

    def right(loss, x, y):
        return known[loss]

    agree(doublings.coded(answer, seen), right, cases, doublings.mistakes(known, seen))
    praise("It saw through twelve losses without reading one. Try it on your own.")


def disguise(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(decode, latent_dim)`: a decoder with the same p(x), and other axes.

    Raises NotYet. Many answers are right: what reaches `decode` must again be N(0, I), and no new
    axis may be within 10 degrees of an old one.
    """
    g = fresh(seed)
    for latent_dim in (2, 5):
        turned_latents.require_disguise(answer, latent_dim, g)
    praise("Every picture is as likely as before, and no axis means what it meant.")
