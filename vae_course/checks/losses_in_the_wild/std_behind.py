"""Task 1: the σ that a loss with squared errors stands for."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.together import Then
from vae_course.checks.losses_in_the_wild.programs import (
    Program,
    costs,
    programs,
    squares,
    stds,
)


def losses(seed: int | None) -> list[tuple[Program, int, int]]:
    """(loss, pixels, latents), σ from 0.2 to 5."""
    return programs(squares, 1 / (2 * stds(seed) ** 2), seed)


def of_costs(pair: tuple[Tensor, Tensor]) -> Tensor:
    return (pair[0] / (2 * pair[1])).sqrt()


read = turned(costs, of_costs)
SLIPS = {
    "This is σ², not σ.": Then(torch.square),
    "In the density the squared error has a factor ½, which you forget.": (
        read(lambda pair: (pair[0] / pair[1]).sqrt())
    ),
    "This is 1/σ: b and c stand the wrong way round.": Then(torch.reciprocal),
    "This is log σ.": Then(torch.log),
    "It is too small by the root of 2: the ½ counts twice, or a mean that goes from 0 to 1 in a "
    "latent counts as 1 nat.": (read(nats=lambda d: d)),
    "You count the nats of one latent. How many did you move?": read(nats=lambda d: 0.5),
    "You divide by the mean squared error. Its sum over the pixels is one nat's counterpart.": (
        read(reduce=torch.mean)
    ),
    "You divide by the distance, not by its square.": read(unit=lambda x, y: (x - y).abs()),
    "You take the loss itself. It holds a constant, and only a difference is free of it.": (
        read(differences=False)
    ),
    "You leave b out. A factor in front of the whole loss changes c, but not σ.": (
        read(lambda pair: (0.5 / pair[1]).sqrt())
    ),
}


@check(
    cases=losses,
    slips=SLIPS,
    within=1e-3,
    praise="Read without its code. Any sum, any mean and any constant went into two numbers.",
)
def std_behind(loss: Program, pixels: int, latents: int) -> Tensor:
    """σ_x, one number. Here: as the loss was made."""
    return torch.tensor(loss.price, dtype=torch.float64).mul(2).rsqrt()
