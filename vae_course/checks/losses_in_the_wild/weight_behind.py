"""Task 2: the β that a loss with a cross-entropy stands for."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.together import Then
from vae_course.checks.losses_in_the_wild.programs import (
    Program,
    costs,
    cross,
    programs,
    squares,
    weights,
)


def losses(seed: int | None) -> list[tuple[Program, int, int]]:
    """(loss, pixels, latents), β from 0.05 to 20."""
    return programs(cross, 1 / weights(seed), seed)


def of_crosses(loss: Program, pixels: int, latents: int, **knobs) -> tuple[Tensor, Tensor]:
    return costs(loss, pixels, latents, **{"unit": cross, **knobs})


read = turned(of_crosses, lambda pair: pair[0] / pair[1])
SLIPS = {
    "This is 1/β: a dearer KL is a larger β.": Then(torch.reciprocal),
    "This is half of β. A cross-entropy has no ½ in front.": Then(lambda t: t / 2),
    "This is the root of β: it is no σ.": Then(torch.sqrt),
    "The mean went from 0 to 1 in each latent, and you count too few nats for it.": (
        read(nats=lambda d: 0.5)
    ),
    "You count one nat where the mean of a latent went from 0 to 1, or one for all latents.": (
        read(nats=lambda d: 1.0)
    ),
    "You divide by squared errors. This loss counts a cross-entropy.": read(unit=squares),
    "You divide by the mean cross-entropy. The ELBO has its sum over the pixels.": (
        read(reduce=torch.mean)
    ),
    "You take the losses themselves. They hold a constant, and only differences are free of it.": (
        read(differences=False)
    ),
    "This is b alone. Divide it by what a nat of cross-entropy costs.": read(lambda pair: pair[0]),
    "This is log β.": Then(torch.log),
}


@check(
    cases=losses,
    slips=SLIPS,
    within=1e-3,
    praise="A β, whatever the author called it. Is it the one of the text beside it?",
)
def weight_behind(loss: Program, pixels: int, latents: int) -> Tensor:
    """β, one number. Here: as the loss was made."""
    return torch.tensor(1 / loss.price, dtype=torch.float64)
