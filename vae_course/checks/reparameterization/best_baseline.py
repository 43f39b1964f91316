"""Task 6: the baseline that leaves the least noise."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal


def draws(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """(reward, score), (N,) each, scores with average 0 exactly, as it should be.

    Rewards lie above 0, below it, and on both sides; the scores of a very wide q are small.
    """
    g = fresh(seed)
    cases = []
    for half, sign, unit in ((2, 1, 1.0), (5, -1, 1.0), (40, 1, 1.0), (3, 1, 1e4)):
        noise = normal(g, half)
        noise = torch.cat([noise, -noise])
        mean, std, height = normal(g, 3).exp().tolist()
        cases.append((sign * ((mean + std * noise) ** 2 + height), noise / std / unit))
    score = normal(g, 9)
    return [*cases, (normal(g, 9, scale=3.0), score - score.mean())]


def average(reward, score, *, power=2, weights="one", rewards=None):
    """Of rewards weighted by a power of the score's size; `weights` is what they add up to."""
    reward = rewards(reward) if rewards else reward
    each = score.abs() ** power
    total = (reward * each).sum()
    return (
        total
        / {
            "one": each.sum(),
            "N": 1.0,
            "mean": len(reward),
            "too much": each.sum() * (1 - 1 / len(reward)),
        }[weights]
    )


slip = turned(average, lambda number: number)
SLIPS = {
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
        slip(power=1)
    ),
    "Rewards are weighted by the fourth power of the score. Which power stands in a variance?": (
        slip(power=4)
    ),
    "The weights do not add up to one: if all rewards are 7, then b must be 7.": (
        slip(weights="mean")
    ),
    "The weights are summed, but do not add up to one: if all rewards are 7, b must be 7.": (
        slip(weights="N")
    ),
    "The weights add up to N / (N - 1): if all rewards are 7, then b must be 7.": (
        slip(weights="too much")
    ),
    "Your rewards are squared. The reward stands in the average as it is.": (
        slip(rewards=torch.square)
    ),
    "Draws with a large score count least here. Are they the quiet ones?": (slip(power=-2)),
    "Your rewards have lost their sign. They may be below 0.": (slip(rewards=torch.abs)),
    "It is too large by the average reward: did you take it off before, and put it back?": (
        lambda f, s: average(f, s) + f.mean()
    ),
    "It is too small by the average reward: did you take it off before, and not put it back?": (
        lambda f, s: average(f, s) - f.mean()
    ),
    "This is the slope of a straight line through rewards over squared scores. It is not what is "
    "asked for.": lambda f, s: torch.cov(torch.stack([f, s**2]))[0, 1] / torch.var(s**2),
    "This is the estimate of the slope, not a baseline.": lambda f, s: (f * s).mean(),
    "This is the smallest reward.": lambda f, s: f.min(),
    "A baseline of 0 is none.": lambda f, s: 0 * f[0],
}


@check(
    cases=draws,
    slips=SLIPS,
    within=1e-4,
    praise="No other constant is quieter, not even the average reward.",
)
def best_baseline(reward: Tensor, score: Tensor) -> Tensor:
    """The b for which (reward - b) · score varies least, from (N,) each.

    Here: the lowest point of a parabola through three variances.
    """
    low, middle, high = (((reward - b) * score).var() for b in (-1.0, 0.0, 1.0))
    return (low - high) / (2 * (low + high - 2 * middle))
