"""Losses as they are found, with known σ or β: sums or means, a factor, a constant."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.inputs import fresh, uniform


def squares(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).square()


def cross(x: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy(y, x, reduction="none")


@dataclass(frozen=True, eq=False)
class Program:
    """loss(x, y, mean, log_var) for `pixels` and `latents`: factor (error · price + KL + constant).

    x and y (batch, pixels), mean and log_var (batch, latents). `summed` over the batch, or a mean.
    """

    error: Callable
    price: float
    factor: float
    constant: float
    pixels: int
    latents: int
    summed: bool

    def __call__(self, x: Tensor, y: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        sizes = [tuple(t.shape) for t in (x, y, mean, log_var)]
        n = len(x)
        if sizes != 2 * [(n, self.pixels)] + 2 * [(n, self.latents)]:
            raise ValueError(
                f"this loss takes x and y of shape (batch, {self.pixels}), mean and log_var of "
                f"shape (batch, {self.latents}), but got {', '.join(map(str, sizes))}"
            )
        kl = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)
        each = self.price * self.error(x, y).sum(1) + kl + self.constant
        return self.factor * (each.sum() if self.summed else each.mean())


def programs(error: Callable, prices: Tensor, seed: int | None) -> list[tuple[Program, int, int]]:
    """(loss, pixels, latents) for each price of one unit of error, in nats."""
    g, made = fresh(seed), []
    for number, price in enumerate(prices.tolist()):
        pixels, latents = (torch.randperm(9, generator=g)[:2] + 3).tolist()
        # As with a mean over pixels, a mean over latents, or sums.
        factor = (1 / pixels, 1 / latents, 3.0)[number % 3]
        constant = uniform(g, 1, low=2, high=9).item() * (-1) ** number
        made.append((Program(error, price, factor, constant, pixels, latents, number < 2), pixels,
                     latents))  # fmt: skip
    return made


def pictures(pixels: int) -> tuple[Tensor, Tensor]:
    """A picture and another answer of the decoder, (1, pixels) each, inside 0..1."""
    steps = torch.linspace(0.2, 0.8, pixels, dtype=torch.float64)[None]
    return steps, steps.flip(1) * 0.9 + 0.02


def costs(loss: Program, pixels: int, latents: int, *, unit=squares, reduce=torch.sum,
          nats=lambda d: d / 2, differences=True) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(b, c) by two differences, with knobs for what goes wrong."""
    (x, y), zero = pictures(pixels), torch.zeros(1, latents, dtype=torch.float64)
    near, far = loss(x, x, zero, zero), loss(x, y, zero, zero)
    moved = loss(x, x, zero + 1, zero)
    least = near if differences else 0.0
    rise = reduce(unit(x, y)) - (reduce(unit(x, x)) if differences else 0.0)
    return (moved - least) / nats(latents), (far - least) / rise


def stds(seed: int | None) -> Tensor:
    return uniform(fresh(seed), 6, low=math.log(0.2), high=math.log(5)).exp()


def weights(seed: int | None) -> Tensor:
    return uniform(fresh(seed), 6, low=math.log(0.05), high=math.log(20)).exp()
