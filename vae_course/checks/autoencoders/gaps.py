"""Task 6: the share of draws that lie in gaps between the codes."""

import numpy as np
import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal


def share_in_gaps(
    train_codes, test_codes, draws, *, pick="min", level=0.9, limit=None, order=2, axis=1
):
    """Share of draws farther from all training codes than 9 in 10 test codes; room for slips."""

    def company(points):
        steps = points.numpy()[:, None] - train_codes.numpy()[None]
        return getattr(np.linalg.norm(steps, ord=order, axis=2), pick)(axis)

    usual = np.sort(company(test_codes))
    limit = limit(usual) if limit else usual[round(level * (len(usual) - 1))]
    return torch.tensor((company(draws) > limit).mean(), dtype=torch.float64)


def _pairs(train_codes, test_codes, draws):
    """Of all pairs of a draw and a training code, the share that is farther apart than usual."""
    to_draws, to_tests = (torch.cdist(points, train_codes) for points in (draws, test_codes))
    return (to_draws > to_tests.min(1).values.quantile(0.9)).double().mean()


SLIPS = {
    "For you every draw lies in a gap. Does something lie at distance 0 from itself here, or do "
    "you ask whether *some* training code is far away, not whether all are?": (
        lambda *_: torch.tensor(1.0)
    ),
    "For you no draw lies in a gap, so your limit is too large. Which distances is it taken from, "
    "and over which dimension is the nearest code sought?": lambda *_: torch.tensor(0.0),
    "This is a percentage. A share lies between 0 and 1.": lambda *a: 100 * share_in_gaps(*a),
    "You count pairs of a draw and a training code. A draw counts once: is its nearest far?": (
        _pairs
    ),
    "Your limit is the mean of the distances. Nine in ten must be below it.": (
        lambda *a: share_in_gaps(*a, limit=np.mean)
    ),
    "For each training code you seek its nearest draw. It is each draw that needs company.": (
        lambda *a: share_in_gaps(*a, axis=0)
    ),
    "This is the share with company. How many have none?": lambda *a: 1 - share_in_gaps(*a),
    "This is how many, not which share.": lambda a, b, c: share_in_gaps(a, b, c) * len(c),
    "This is the distance to the farthest code, not to the nearest.": (
        lambda *a: share_in_gaps(*a, pick="max")
    ),
    "You take the mean distance to all training codes. Company is the nearest one.": (
        lambda *a: share_in_gaps(*a, pick="mean")
    ),
    "You measure company by the draws themselves, not by the test codes.": (
        lambda a, b, c: share_in_gaps(a, c, c)
    ),
    "Training codes and test codes are swapped.": lambda a, b, c: share_in_gaps(b, a, c),
    "Test codes and draws are swapped.": lambda a, b, c: share_in_gaps(a, c, b),
    "Nine in ten test codes must be below your limit; yours has one in ten below it.": (
        lambda *a: share_in_gaps(*a, level=0.1)
    ),
    "Your limit is the median; nine in ten test codes must be below it.": (
        lambda *a: share_in_gaps(*a, level=0.5)
    ),
    "Your limit is the largest distance of a test code; nine in ten must be below it.": (
        lambda *a: share_in_gaps(*a, level=1.0)
    ),
    "These are sums of absolute differences. A distance is the usual, straight one.": (
        lambda *a: share_in_gaps(*a, order=1)
    ),
}


def cases(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """With 10 k + 1 codes, every convention for the quantile gives the same code."""
    g, found = fresh(seed), []
    for n_train, n_test, n_draws, d in ((21, 61, 121, 2), (31, 71, 101, 3), (41, 51, 141, 4)):
        centres = normal(g, 4, d, scale=2.0)
        case = (
            centres[torch.randint(4, (n,), generator=g)] + normal(g, n, d, scale=scale)
            for n, scale in ((n_train, 0.5), (n_test, 0.5), (n_draws, 0.6))
        )
        found.append(tuple(case))
    return found


@check(
    cases=cases,
    slips=SLIPS,
    praise="NumPy counts the same share. Without gaps it would be one in ten.",
)
def gaps(train_codes: Tensor, test_codes: Tensor, draws: Tensor) -> Tensor:
    """Share of the draws that lie in gaps, a number, with the distances of all pairs."""
    return share_in_gaps(train_codes, test_codes, draws)
