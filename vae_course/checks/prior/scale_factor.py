"""Task 3: the scale factor of a latent diffusion, one number for all codes."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Then


def maps(seed: int | None) -> list[tuple[Tensor]]:
    """(codes,), (N, channels, height, width): channels differ in mean and spread."""
    g, cases = fresh(seed), []
    for count, channels, side, unit in ((40, 4, 8, 5.5), (30, 3, 9, 0.02), (50, 2, 8, 1.0)):
        spread = uniform(g, channels, low=0.3, high=2.0)[:, None, None]
        shift = uniform(g, channels, low=0.5, high=1.5)[:, None, None]
        shift[0] = -0.5 * shift[0]
        cases.append((unit * (normal(g, count, channels, side, side) * spread + shift),))
    return cases


SLIPS = {
    "This is the standard deviation. Multiplied by it, wide codes get wider.": Then(
        lambda f: 1 / f
    ),
    "This is one over the variance.": Then(lambda f: f**2),
    "You take the second moment about 0. The standard deviation is about the mean.": (
        lambda codes: 1 / codes.square().mean().sqrt()
    ),
    "You average the channels' own standard deviations. That forgets that their means differ.": (
        lambda codes: 1 / codes.transpose(0, 1).flatten(1).std(1).mean()
    ),
    "You pool the channels' own variances. That forgets that their means differ.": (
        lambda codes: 1 / codes.transpose(0, 1).flatten(1).var(1).mean().sqrt()
    ),
    "This is one number for each channel. One for all is asked for.": (
        lambda codes: 1 / codes.transpose(0, 1).flatten(1).std(1)
    ),
    "You average the standard deviations of single places.": lambda codes: 1 / codes.std(0).mean(),
    "This is one over the mean size of the codes, not over their standard deviation.": (
        lambda codes: 1 / codes.abs().mean()
    ),
    "These are the codes themselves, scaled. The factor is asked for.": (
        lambda codes: codes / codes.std()
    ),
}


@check(
    cases=maps,
    slips=SLIPS,
    within=1e-3,
    praise="That is all that 0.18215 is: one over the spread of somebody's codes.",
)
def scale_factor(codes: Tensor) -> Tensor:
    """One number. Here: half the mean squared distance of two numbers is their variance."""
    numbers = codes.flatten().sort().values
    n = len(numbers)
    # Σ over pairs of (a - b)² = n Σ a² - (Σ a)², in whole sums that no mean enters.
    pairs = n * math.fsum(v * v for v in numbers.tolist()) - math.fsum(numbers.tolist()) ** 2
    return torch.tensor(n / math.sqrt(pairs), dtype=codes.dtype)
