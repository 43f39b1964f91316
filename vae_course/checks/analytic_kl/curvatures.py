"""Task 5: curvatures of any KL at (0, 0), from numbers."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.analytic_kl.kl import each
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.verdict import same


class Bowl:
    """A function of (mean, log_std) whose curvatures at (0, 0) are known."""

    def __init__(self, function: Callable, in_mean: float, in_log_std: float):
        self.function = function
        self.curvatures = tuple(torch.tensor((in_mean, in_log_std)).double())

    def __call__(self, mean, log_std):
        return self.function(mean, log_std)


def bowls(seed: int | None) -> list[tuple[Bowl]]:
    """The KL, the slip with the same minimum, and a random bowl, which is not 0 at (0, 0)."""
    g = fresh(seed)
    a, b = uniform(g, 1, low=0.6, high=0.7).item(), uniform(g, 1, low=0.8, high=0.9).item()

    def random(m, s):
        return 3 + a * m**2 + b * s**2 + m * s + 0.3 * s + 0.4 * m + m**3 + s**3

    slip = Bowl(lambda m, s: each(m, s, by=1, log=0.5), 1.0, 0.5)
    return [(Bowl(each, 1.0, 2.0),), (slip,), (Bowl(random, 2 * a, 2 * b),)]


def require_digits(answer: Callable, cases: list[tuple[Bowl]]) -> None:
    """Two numbers for every function, which are right for all of them, or for none."""
    got = [as_tensors(run(answer, case, ("kl",)), 2) for case in cases]
    require(
        all(len(pair) == 2 and pair[0].ndim == pair[1].ndim == 0 for pair in got),
        "Return two numbers, in a tuple: first the second derivative in the mean, then the one in "
        "log_std.",
    )
    known = [bowl.curvatures for (bowl,) in cases]
    right, near = ([same(a, b, w) for a, b in zip(got, known, strict=True)] for w in (1e-3, 0.05))
    require(
        all(right) or not all(near),
        "You are close, but three digits are not right. A step that is too large sees the next "
        "bend, and one that is too small drowns in rounding: how many digits has your float?",
    )
    require(
        all(right) or not any(right),
        "It is right for one `kl` and wrong for another. Either your step is too large or too "
        "small, or something in your code knows one function only.",
    )


def slopes(kl: Bowl) -> tuple[Tensor, ...]:
    zeros = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    return tuple(torch.autograd.grad(kl(*zeros), zeros)[0])


SLIPS = {
    "They stand in the wrong order: first the mean.": lambda kl: kl.curvatures[::-1],
    "These are first derivatives.": slopes,
    "Both are the second derivative in the mean.": lambda kl: (kl.curvatures[0],) * 2,
    "Both are the second derivative in log_std.": lambda kl: (kl.curvatures[1],) * 2,
}


@check(
    cases=bowls,
    before=require_digits,
    slips=SLIPS,
    within=1e-3,
    praise="(1, 2) for the KL, (1, ½) for the slip: this test sees what the minimum hides.",
)
def curvatures(kl: Callable) -> tuple[Tensor, Tensor]:
    """∂²/∂mean² and ∂²/∂log_std² of a `kl(mean, log_std)` of numbers, at (0, 0)."""
    return kl.curvatures
