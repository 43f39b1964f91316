"""Task 4: what a decoder gains by painting a pixel in another grey than the mean."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform


def pixels(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """(x, f, c): pixels whose mean is far from ½, on both sides, and weights on both sides of 1."""
    g, cases = fresh(seed), []
    for pictures, greys, low, high, c in ((5, 7, 0, 0.5, 0.3), (9, 4, 0.4, 1, 3), (4, 6, 0, 1, 8)):
        x = uniform(g, pictures, low=low, high=high)
        weight = c * uniform(g, 1, low=0.8, high=1.2).item()
        cases.append((x, uniform(g, greys), weight))
    return cases


def heavy(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """e^±4000, which no float can hold."""
    g = fresh(seed)
    apart = torch.cat([uniform(g, 3, high=0.1), uniform(g, 3, low=0.9)])
    alike = uniform(g, 4, low=0.45, high=0.5)
    return [(apart, uniform(g, 5), 20_000.0), (alike, uniform(g, 3, high=0.1), 20_000.0)]


def exponents(x: Tensor, f: Tensor, c: float, middle: Callable = Tensor.mean) -> Tensor:
    return c * (x[:, None] - middle(x)) ** 2 - c * (x[:, None] - f) ** 2


def slip(reduce: Callable, **how) -> Callable:
    return lambda x, f, c: reduce(exponents(x, f, c, **how))


def log_of_average(values: Tensor) -> Tensor:
    return values.exp().mean(0).log()


SLIPS = {
    "You average the exponents. That is the average of the logarithms of r; asked for is the "
    "logarithm of its average.": slip(lambda values: values.mean(0)),
    "This is the average of r itself. Its logarithm is missing.": (
        slip(lambda values: values.exp().mean(0))
    ),
    "You sum r over the pictures. Average it.": slip(lambda values: values.exp().sum(0).log()),
    "You average over the greys. Each grey has a gain of its own.": (
        slip(lambda values: values.exp().mean(1).log())
    ),
    "This is one number for all greys. Each grey has a gain of its own.": (
        slip(lambda values: log_of_average(values).mean())
    ),
    "The weight c is not used.": lambda x, f, c: log_of_average(exponents(x, f, 1.0)),
    "The sign of the exponent is turned: where f is worse than the mean, r must be small.": (
        slip(lambda values: log_of_average(-values))
    ),
    "The mean of the pixel is not ½ here. Take the average of `x`.": (
        slip(log_of_average, middle=lambda x: 0.5)
    ),
    "You compare with an all-black pixel, not with the mean.": (
        slip(log_of_average, middle=lambda x: 0.0)
    ),
    "The error of the mean is missing in the exponent.": (
        lambda x, f, c: log_of_average(-c * (x[:, None] - f) ** 2)
    ),
    "You use the size of the error, not its square.": lambda x, f, c: log_of_average(
        c * (x[:, None] - x.mean()).abs() - c * (x[:, None] - f).abs()
    ),
}


@check(
    cases=pixels,
    extreme=heavy,
    astray="It is right for moderate c, but not for 20 000, where r is e^4000 or e^-4000. Stay "
    "with logarithms until it is safe: take out the largest exponent, or let `logsumexp` do it.",
    slips=SLIPS,
    praise="Up to c = 2 no pixel has anything to gain. Beyond, some have.",
)
def gain(x: Tensor, f: Tensor, c: float) -> Tensor:
    """log of the average of exp(c (x - m)² - c (x - f)²) over pictures, (F,), one by one."""
    mean, found = math.fsum(x.tolist()) / len(x), []
    for grey in f.tolist():
        powers = [c * ((value - mean) ** 2 - (value - grey) ** 2) for value in x.tolist()]
        top = max(powers)
        average = math.fsum(math.exp(power - top) for power in powers) / len(powers)
        found.append(top + math.log(average))
    return torch.tensor(found, dtype=x.dtype)
