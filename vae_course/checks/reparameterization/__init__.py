"""Checks of the exercises of chapter 5, the reparameterization trick."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.expressions import evaluated
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform
from vae_course.checks.judging.running import praise
from vae_course.checks.judging.verdict import agree
from vae_course.checks.reparameterization import (
    estimator_variances,
    noise_draws,
    pathwise,
    score_function,
    surrogates,
    wiggles,
)


def draw(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std)`: one draw of z from N(mean, std²) that slopes pass through.

    Raises NotYet with the diagnosis of a wrong answer. The slopes must be exact; the moments are
    those of N(0, 1), within 7 standard errors.
    """
    g = fresh(seed)
    numbers = torch.randint(2**31, (2,), generator=g).tolist()
    cases = posteriors(seed)
    for case in [*cases, _extreme(g)]:
        noise_draws.require_slopes(answer, case, numbers[0], g)
    noise_draws.require_single_precision(answer, cases[-1], numbers[0])
    shape = 2_000, 10
    case = normal(g, *shape), uniform(g, *shape, low=-1.5, high=0.8)
    noise_draws.require_noise(answer, case, numbers)
    praise("The right distribution, and both slopes are exact: randomness comes from the side.")


def _extreme(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (2, 2), with a σ far below 1 and one far above."""
    return normal(g, 2, 2), torch.tensor([[-9.0, 4.0], [0.5, -9.0]], dtype=torch.float64)


def slopes(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(f, mean, log_std, noise)`: slopes of the average f(z) in mean and log_std, (d,) each.

    f (N, d) -> (N,), noise (N, d). Raises NotYet. The oracle is finite differences.
    """
    cases = pathwise.cases(seed)
    pathwise.require_given_noise(answer, cases[-1])
    agree(answer, pathwise.differences, cases, pathwise.MISTAKES)
    praise("Finite differences find the same. The slope got through every draw.")


def score(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(f, mean, log_std, noise)`: score-function estimates of every draw, (N, d) each.

    f (N, d) -> (N,), noise (N, d). Raises NotYet. The oracle is autograd through log q.
    """
    cases = pathwise.cases(seed)
    pathwise.require_given_noise(answer, cases[-1])
    agree(answer, score_function.estimates, cases, score_function.MISTAKES)
    praise("One estimate for each draw, and no slope of f was needed.")


def variances(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mu, sigma)`: variances of both estimates of the slope of E z² in mu, expressions.

    Raises NotYet. The oracle is integration over a grid, at random points.
    """
    g = fresh(seed)
    points, mistakes = (
        (normal(g, 9), uniform(g, 9, low=0.3, high=2.5)),
        estimator_variances.MISTAKES,
    )
    agree(evaluated(answer, 2), estimator_variances.variances, [points], mistakes)
    praise("Far from 0 the score function pays for the height of f; the pathwise one does not.")


def surrogate(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(reward, log_q)`: a loss whose slopes are the score-function estimates, negated.

    Both (draws, batch). Raises NotYet. The oracle is a loop over draws and pictures.
    """
    g = fresh(seed)
    shapes = ((2, 3), (4, 2), (3, 5), (5, 5))
    cases = [(normal(g, *s, scale=3.0) + 4 * normal(g, 1), normal(g, *s) - 3) for s in shapes]
    for case in cases:
        surrogates.require_plain(answer, case)
    right, mistakes = surrogates.leave_one_out, surrogates.MISTAKES
    agree(surrogates.pulled(answer), right, cases, mistakes)
    praise("Its slopes are the estimates. Each draw is judged by the others, never by itself.")


def best_baseline(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(reward, score)`: the number b for which (reward - b) · score varies least.

    Both (N,). Raises NotYet. The oracle is the lowest point of a parabola
    through three variances.
    """
    g = fresh(seed)
    cases = []
    for half in (2, 5, 40):
        noise = normal(g, half)
        noise = torch.cat([noise, -noise])  # the score averages to 0 exactly, as it should
        mean, std, height = normal(g, 3).exp().tolist()
        cases.append(((mean + std * noise) ** 2 + height, noise / std))
    agree(answer, _vertex, cases, BASELINE_MISTAKES, within=1e-4)
    praise("No other constant is quieter, not even the average reward.")


def _vertex(reward: Tensor, score: Tensor) -> Tensor:
    low, middle, high = (((reward - b) * score).var() for b in (-1.0, 0.0, 1.0))
    return (low - high) / (2 * (low + high - 2 * middle))


BASELINE_MISTAKES = {
    "This is the average reward. It helps, but draws with a large score matter more.": (
        lambda f, s: f.mean()
    ),
    "This is the sum of the rewards.": lambda f, s: f.sum(),
    "This is the middle reward. It helps, but draws with a large score matter more.": (
        lambda f, s: f.median()
    ),
    "Rewards are weighted by the score. Which power of it stands in a variance?": (
        lambda f, s: (f * s).mean() / (s**2).mean()
    ),
    "Rewards are weighted by the score's size. Which power of it stands in a variance?": (
        lambda f, s: (f * s.abs()).mean() / s.abs().mean()
    ),
    "The weights do not add up to one: if all rewards are 7, then b must be 7.": (
        lambda f, s: (f * s**2).mean()
    ),
    "The weights are summed, but do not add up to one: if all rewards are 7, b must be 7.": (
        lambda f, s: (f * s**2).sum()
    ),
    "Draws with a large score count least here. Are they the quiet ones?": (
        lambda f, s: (f / s**2).mean() / (1 / s**2).mean()
    ),
    "It is too large by the average reward: did you take it off before, and put it back?": (
        lambda f, s: _vertex(f, s) + f.mean()
    ),
    "This is the estimate of the slope, not a baseline.": lambda f, s: (f * s).mean(),
    "This is the smallest reward.": lambda f, s: f.min(),
    "A baseline of 0 is none.": lambda f, s: 0 * f[0],
}


def counter_example(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(z)`: values f(z), (N,) -> (N,), for which the score function is quieter.

    Raises NotYet. Both estimators are integrated over a grid, for several N(mean, std²): they must
    agree on average, and the pathwise variance must be ten times the other.
    """
    g = fresh(seed)
    corners = [(m, s) for m in (-2.0, 2.0) for s in (0.5, 2.0)]
    inside = uniform(g, 1, low=-2, high=2).item(), uniform(g, 1, low=0.5, high=2).item()
    wiggles.require_each_alone(answer, g)
    for mean, std in [inside, *corners]:
        wiggles.require_counter_example(answer, mean, std)
    praise("Right on average, and there the score function is the quieter one. No law, then.")
