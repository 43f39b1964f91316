"""Task 7: a counter-example to "the pathwise estimator always has less variance"."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import as_tensors, require, run

POINTS = 20_001
FACTOR = 10.0  # how much quieter the score function must be
MEANS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
STDS = (0.5, 0.7, 1.0, 1.4, 2.0)


@trial(
    praise="Right on average, and there the score function is the quieter one. No law, then.",
)
def counter_example(answer: Callable, seed: int | None = None) -> None:
    """`answer(z)`: values f(z), (N,) -> (N,), for which the score function is quieter.

    Both estimators are integrated over a grid, for many N(mean, std²): they must agree on average,
    and the pathwise variance must be ten times the other.
    """
    g = fresh(seed)
    inside = uniform(g, 5, low=-2, high=2).tolist(), uniform(g, 5, low=0.5, high=2).tolist()
    require_each_alone(answer, g)
    for mean, std in [*zip(*inside, strict=True), *product(MEANS, STDS)]:
        require_counter_example(answer, mean, std)


def require_counter_example(answer: Callable, mean: float, std: float) -> None:
    """Raise NotYet unless, at N(mean, std²), the score function is right and much quieter."""
    noise = torch.linspace(-6, 6, POINTS, dtype=torch.float64)
    z = mean + std * noise
    weight = torch.softmax(-(noise**2) / 2, 0)
    values = _values(answer, z)
    slope = _slope(answer, z)
    path, score = (_moments(v, weight) for v in (slope, values * noise / std))
    where = f"At μ = {mean:.3g}, σ = {std:.3g}: "
    size = (values.abs().max() + 1e-9).item() / std
    require_no_jump(z, values, slope)
    require(
        abs(path[0] - score[0]) < 2e-3 * size + 5e-3 * path[1] ** 0.5,
        f"{where}the pathwise estimate is wrong on average: it is {path[0]:.3g}, the score "
        f"function's {score[0]:.3g}. Does your f wiggle faster than this check can see?",
    )
    require(
        path[1] > 1e-9 * size**2,
        f"{where}the pathwise estimate does not vary at all, because the slope of your f is the "
        "same everywhere. Make the slope change from draw to draw.",
    )
    if FACTOR * score[1] < path[1]:
        return
    quietest = _moments((values - values @ weight) * noise / std, weight)
    require(
        FACTOR * quietest[1] >= path[1],
        f"{where}your f is on the right way, but it is far from 0 on average, and the score "
        "function pays for that height. Take the offset off.",
    )
    require(
        False,
        f"{where}the variances are {path[1]:.3g} (pathwise) and {score[1]:.3g} (score function). "
        f"The first must be {FACTOR:.0f} times the second. What makes the slope of f large while "
        "its values stay small?",
    )


def require_no_jump(z: Tensor, values: Tensor, slope: Tensor) -> None:
    """From one z to the next, f must change as its slope says; a kink may be off by its angle."""
    step = (z[1] - z[0]).item()
    height = (values.max() - values.min()).item()
    require(
        step * slope.abs().max().item() <= 0.05 * height + 1e-9,
        "Your f changes faster than this check can see: stay below sin(60 z).",
    )
    change, expected = values.diff(), step * (slope[1:] + slope[:-1]) / 2
    off = (change - expected).abs()
    allowed = 0.6 * step * (slope.max() - slope.min()) + 1e-9 * values.abs().max()
    require(
        bool((off <= allowed).all()),
        f"Your f jumps near z = {z[off.argmax()].item():.3g}. A slope does not tell of a jump, so "
        "the pathwise estimate is wrong on average.",
    )


def require_each_alone(answer: Callable, g: torch.Generator) -> None:
    """Raise NotYet where f(z) depends on the other z, on their order, or on chance."""
    z = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    order = torch.randperm(len(z), generator=g)[: len(z) // 2]
    require(
        torch.allclose(_values(answer, z[order]), _values(answer, z)[order], rtol=1e-6, atol=1e-6),
        "f must be a function of each z alone: the same z gave another value when other z stood "
        "beside it, or when it was asked again.",
    )


def _values(answer: Callable, z: Tensor) -> Tensor:
    (values,) = as_tensors(run(answer, (z,), ("z",)))[:1]
    require(
        values.shape == z.shape,
        f"f must give one value for each z: (N,) came in, {tuple(values.shape)} came out.",
    )
    require(torch.isfinite(values).all().item(), "f(z) is NaN or infinite somewhere.")
    return values.detach().double()


def _slope(answer: Callable, z: Tensor) -> Tensor:
    def slope(z):
        total = answer(z.requires_grad_()).sum()
        require(
            total.requires_grad,
            "f has no slope in z. Build it from operations of torch, without `.detach()`: the "
            "pathwise estimator needs one, and a step or a constant has none.",
        )
        found = torch.autograd.grad(total, z)[0]
        z.requires_grad_(False)
        return found

    slopes = run(slope, (z,), ("z",))
    require(torch.isfinite(slopes).all().item(), "The slope of f is NaN or infinite somewhere.")
    return slopes.double()


def _moments(values: Tensor, weight: Tensor) -> tuple[float, float]:
    mean = values @ weight
    return mean.item(), ((values - mean) ** 2 @ weight).item()
