"""Task 5: free bits, a penalty that charges a latent only beyond a floor."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform


def batches(seed: int | None) -> list[tuple[Tensor, float]]:
    """KLs (batch, latents) whose averages lie on both sides of the floor, far and near.

    In each latent some pictures are above the floor and some below, so that the order of
    averaging and comparing is seen.
    """
    g, cases = fresh(seed), []
    for batch, latents in ((6, 5), (9, 3), (4, 8)):
        floor = uniform(g, 1, low=0.3, high=0.7).item()
        middle = uniform(g, latents, low=0.4, high=0.9) * floor
        middle[::2] = uniform(g, len(middle[::2]), low=1.1, high=3.0) * floor
        cases.append((scattered(g, batch, middle), floor))
    return cases


def scattered(g: torch.Generator, batch: int, averages: Tensor) -> Tensor:
    """KLs (batch, latents) that differ from picture to picture, and have these averages."""
    share = uniform(g, batch, len(averages), low=0.02, high=1.0)
    return averages * share / share.mean(0)


def summed(penalty: Callable) -> Callable:
    """`penalty(averages (latents,), floor)`, summed over the latents."""
    return lambda kl, floor: penalty(kl.mean(0), floor).sum()


def larger(values: Tensor, floor: float) -> Tensor:
    return torch.where(values > floor, values, torch.full_like(values, floor))


SLIPS = {
    "You compare picture by picture, and average afterwards. Average over the batch first.": (
        lambda kl, floor: larger(kl, floor).mean(0).sum()
    ),
    "You average over the latents. Their nats add up.": (
        lambda kl, floor: larger(kl.mean(0), floor).mean()
    ),
    "You sum over the batch. Average over it first.": (
        lambda kl, floor: larger(kl.sum(0), floor).sum()
    ),
    "You take the smaller of both. A latent below the floor must cost the floor.": summed(
        lambda values, floor: torch.where(values < floor, values, torch.full_like(values, floor))
    ),
    "You charge only what is above the floor. That has the right slopes, but the task asks for the "
    "floor below it and for the KL itself above it.": summed(
        lambda values, floor: (values - floor).relu()
    ),
    "You add the floor to every latent.": summed(lambda values, floor: values + floor),
    "You charge the distance from the floor: then a latent below it is pushed up.": summed(
        lambda values, floor: (values - floor).abs()
    ),
    "The floor changes nothing with you. Each latent has a floor of its own.": summed(
        lambda values, floor: values
    ),
    "A latent below the floor costs nothing with you. It must cost the floor.": summed(
        lambda values, floor: torch.where(values > floor, values, torch.zeros_like(values))
    ),
}


@check(
    cases=batches,
    slips=SLIPS,
    gradients=("kl",),
    praise="Below the floor a latent is free: nothing pushes it down. Log the real KL, too.",
)
def free_bits(kl: Tensor, floor: float) -> Tensor:
    """Σ_j max(floor, mean over the batch of KL_j), one number."""
    averages = kl.mean(0)
    return sum((value if value > floor else value * 0 + floor) for value in averages)
