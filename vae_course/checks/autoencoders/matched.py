"""The cloud of codes: draws with its moments, and its gaps, with the slips on the way to both."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vae_course.checks.judging.running import require, require_something, require_unchanged


def moments_of(answer: Callable) -> Callable:
    """(codes, noise) -> mean and covariance that `answer` gives to N(0, I), without drawing.

    A map noise -> mean + noise M gives the covariance MᵀM; its rows are read off at unit vectors.
    """

    def moments(codes, noise):
        units = torch.eye(codes.shape[1], dtype=codes.dtype)
        found = [
            _draws(answer, codes, part)
            for part in (noise, noise, noise[:1], torch.zeros_like(noise[:1]), units)
        ]
        draws, again, first, mean, steps = (part.double() for part in found)
        require(
            torch.allclose(draws, again, equal_nan=True),
            "The same noise gives other draws when your function is called again. All randomness "
            "must come from `noise`.",
        )
        require(
            torch.allclose(draws[:1], first),
            "A draw changes with the other rows of `noise`: each must depend on its own row alone.",
        )
        root = steps - mean
        require(root.any().item(), "Your draws do not depend on `noise` at all.")
        parts = mean[0], root.T @ root, draws - mean - noise @ root
        return tuple(part.to(found[0].dtype) for part in parts)

    return moments if callable(answer) else answer


def _draws(answer, codes, noise):
    given = codes.clone(), noise.clone()
    draws = answer(*given)  # not by `run`, which would give the same random numbers every time
    require_unchanged(("codes", "noise"), (codes, noise), given)
    require_something(draws)
    require(isinstance(draws, Tensor), "Return the draws as a tensor.")
    require(
        draws.shape == noise.shape,
        f"From noise of shape {tuple(noise.shape)} come draws of shape {tuple(draws.shape)}: "
        "return one draw for each row.",
    )
    return draws


def known_moments(codes: Tensor, noise: Tensor, *, root=None, mean=None):
    """Mean and covariance of the codes, and that the map does not bend, with room for slips."""
    mean = codes.mean(0) if mean is None else mean
    square = _cov(codes) if root is None else root.T @ root
    return mean, square, torch.zeros_like(noise)


def _cov(codes: Tensor, ddof: int = 1) -> Tensor:
    return torch.from_numpy(np.cov(codes.numpy(), rowvar=False, ddof=ddof))


def _cholesky(codes: Tensor) -> Tensor:
    return torch.linalg.cholesky(_cov(codes))


def _stretched(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Stretches along the eigenvectors of the covariance, as a matrix, and the eigenvectors."""
    values, vectors = torch.linalg.eigh(_cov(codes))
    return torch.diag(values.sqrt()), vectors


def _around_0(codes: Tensor) -> Tensor:
    return torch.linalg.cholesky(codes.T @ codes / len(codes)).T


MATCHED_MISTAKES = {
    "You multiply by the covariance. It belongs to squares; the draws need a root of it.": (
        lambda c, n: known_moments(c, n, root=_cov(c))
    ),
    "A triangular root has two sides, and draws are rows here: yours is the wrong side.": (
        lambda c, n: known_moments(c, n, root=_cholesky(c))
    ),
    "Each number has the right variance, but yours are not correlated as the codes are.": (
        lambda c, n: known_moments(c, n, root=torch.diag(c.std(0)))
    ),
    "You multiply by the variances, where standard deviations are due; no correlation, either.": (
        lambda c, n: known_moments(c, n, root=torch.diag(c.var(0)))
    ),
    "Your draws have the right variances along the axes of the code. They belong along the "
    "eigenvectors.": lambda c, n: known_moments(c, n, root=_stretched(c)[0]),
    "Your eigenvectors turn the draws the wrong way: they are columns, and draws are rows.": (
        lambda c, n: known_moments(c, n, root=torch.mm(*_stretched(c)))
    ),
    "Your covariance is N - 1 times too large: singular values grow with the number of codes.": (
        lambda c, n: known_moments(c, n, root=_cholesky(c).T * (len(c) - 1) ** 0.5)
    ),
    "This undoes the covariance, as one would to whiten the codes. Here white noise is given.": (
        lambda c, n: known_moments(c, n, root=torch.linalg.inv(_cholesky(c)).T)
    ),
    "These are draws from N(0, I): nothing of the codes is in them.": (
        lambda c, n: known_moments(c, n, root=torch.eye(c.shape[1]).double(), mean=0 * c[0])
    ),
    "Your draws have the right mean, but the covariance of the noise.": (
        lambda c, n: known_moments(c, n, root=torch.eye(c.shape[1]).double())
    ),
    "Your draws have the right covariance, but their mean is 0.": (
        lambda c, n: known_moments(c, n, mean=0 * c[0])
    ),
    "You divide by N. Take the covariance that `torch.cov` gives.": (
        lambda c, n: known_moments(c, n, root=torch.linalg.cholesky(_cov(c, ddof=0)).T)
    ),
    "Your covariance is taken around 0. It must be around the mean of the codes.": (
        lambda c, n: known_moments(c, n, root=_around_0(c))
    ),
    "This is the correlation of the codes: their scale is lost.": (
        lambda c, n: known_moments(c, n, root=_cholesky((c - c.mean(0)) / c.std(0)).T)
    ),
    "The mean is multiplied by the root, too: add it last.": (
        lambda c, n: known_moments(c, n, mean=c.mean(0) @ _cholesky(c).T)
    ),
}


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


GAP_MISTAKES = {
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
