"""Fresh random inputs for the checks: new ones at every call, or those of a given seed."""

import torch
from torch import Tensor

# One of each: a single example, a single dimension, more of one than of the other.
SIZES = ((1, 3), (4, 1), (5, 2), (2, 6))


def fresh(seed: int | None) -> torch.Generator:
    """A generator of its own, so that a check never moves the learner's random numbers."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
        return generator
    return generator.manual_seed(seed)


def normal(generator: torch.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """float64, N(0, scale²)."""
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def uniform(generator: torch.Generator, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """float64, between `low` and `high`."""
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


def posteriors(seed: int | None, sizes=SIZES) -> list[tuple[Tensor, Tensor]]:
    """(mean, log_std) of every size, away from the values at which slips cannot be seen."""
    generator = fresh(seed)
    return [
        (normal(generator, *size), uniform(generator, *size, low=-1.5, high=0.8)) for size in sizes
    ]
