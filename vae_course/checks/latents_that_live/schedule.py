"""Task 7: an annealing schedule: where it begins and ends, and how it rises."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.running import as_tensors, require, run

STEPS = (*range(20, 121), 300, 999, 5000)  # any rounding shows at one of them
ROUNDING = 1e-6  # what float32 may add or take away
STEEPEST = 4  # per length of the run; a straight rise between the flat parts has 1.8


@trial(praise="Free at first, then the ELBO itself, with a gentle way between the two.")
def schedule(answer: Callable, seed: int | None = None) -> None:
    """`answer(steps)`: a β for each step that begins at 0, rises gently and ends at 1.

    Properties only: a straight rise is as good as a curved one. There is no chance in it.
    """
    for steps in STEPS:
        require_schedule(answer, steps)


def require_schedule(answer: Callable, steps: int) -> None:
    """`answer(steps)`: one β for each step, as the task describes it."""
    (betas,) = as_tensors(run(_listed(answer), (steps,), ("steps",)))
    where, betas = f"For steps = {steps},", betas.double()
    require(
        betas.shape == (steps,),
        f"{where} expected one β for each step, shape ({steps},), but yours has "
        f"{tuple(betas.shape)}.",
    )
    require(torch.isfinite(betas).all().item(), f"{where} some β is NaN or infinite.")
    require(betas.min().item() >= -ROUNDING, f"{where} a β is negative: that pays for a large KL.")
    require(
        betas.max().item() <= 1 + ROUNDING,
        f"{where} a β is above 1. Then the KL counts more than in the ELBO.",
    )
    require(
        bool((betas.diff() >= -ROUNDING).all()),
        f"{where} β falls somewhere. This one is asked to rise only.",
    )
    require(
        _is(1, betas).any().item(),
        f"{where} no β is exactly 1, so it is not the ELBO that you end up with.",
    )
    require(
        _is(0, betas[0]).item(),
        f"{where} the first β is not 0. The codes should be free at first.",
    )
    require(
        bool(_is(0, betas[: steps // 10]).all()),
        f"{where} β leaves 0 too early: the codes need the first tenth to spread.",
    )
    require(
        bool(_is(1, betas[-(steps // 3) :]).all()),
        f"{where} β reaches 1 too late: the last third should train the ELBO itself.",
    )
    require(
        betas.diff().max().item() <= STEEPEST / steps + ROUNDING,
        f"{where} β jumps by {betas.diff().max().item():.2g} in one step. Let it rise gently, over "
        "the time that is left between the two ends.",
    )


def _listed(answer: Callable) -> Callable:
    """A list of numbers or of tensors, as one tensor."""

    def listed(steps):
        found = answer(steps)
        if not isinstance(found, list | tuple):
            return found
        require(
            all(map(_number, found)),
            "Your list holds something that is no number. Return one β for each step.",
        )
        return torch.tensor([float(beta) for beta in found], dtype=torch.float64)

    return listed if callable(answer) else answer


def _number(beta) -> bool:
    return np.ndim(beta) == 0 and isinstance(beta, int | float | Tensor | np.number)


def _is(number: float, betas: Tensor) -> Tensor:
    return (betas - number).abs() <= ROUNDING
