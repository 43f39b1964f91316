"""Task 5: draws from the normal distribution that matches a cloud of codes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vae_course.checks.autoencoders.linear import spread_out
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
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


SLIPS = {
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


def cases(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    g = fresh(seed)
    sizes = ((7, 2, 1), (12, 5, 4), (9, 3, 6))
    return [(spread_out(g, n, d), normal(g, rows, d)) for n, d, rows in sizes]


@check(
    cases=cases,
    read=moments_of,
    slips=SLIPS,
    results=("the mean of your draws", "their covariance", "how straight the map is"),
    ordered=False,
    praise="Mean and covariance of your draws are exactly those of the codes.",
)
def matched(codes: Tensor, noise: Tensor):
    """Mean and covariance that noise (n, d) gets, by NumPy; which root of it is used is free."""
    return known_moments(codes, noise)
