"""Task 4: the σ and the c at which the best VAE stops telling two pictures apart."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform


def pairs(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """Two pictures of some sizes; the last two are nearly black, and so nearly alike."""
    g = fresh(seed)
    sizes = (
        ((1, 2, 3), 1.0),
        ((1, 1, 7), 1.0),
        ((3, 2, 2), 1.0),
        ((1, 5, 5), 1.0),
        ((1, 3, 2), 1e-3),
    )
    return [(uniform(g, *s, high=high), uniform(g, *s, high=high)) for s, high in sizes]


def _from(distance=lambda a, b: (a - b).norm() / 2, c=None):
    """σ from a distance, and c from it as it should be, or by another rule."""
    rule = c or (lambda s, D: D / (2 * s**2))
    return lambda a, b: (distance(a, b), rule(distance(a, b), a.numel()))


SLIPS = {
    "You compare σ with the whole distance. The mean picture lies in the middle.": _from(
        lambda a, b: (a - b).norm()
    ),
    "The first is a variance, not σ.": _from(lambda a, b: (a - b).square().sum() / 4),
    "The first is a variance, not σ, though c is right.": (
        lambda a, b: (two_pictures.right(a, b)[0] ** 2, two_pictures.right(a, b)[1])
    ),
    "Your distance is a mean over the pixels. How far apart two pictures are is a sum.": _from(
        lambda a, b: (a - b).square().mean().sqrt() / 2
    ),
    "Your distance adds absolute differences. A normal density asks for squares.": _from(
        lambda a, b: (a - b).abs().sum() / 2
    ),
    "Your distance is halved as a square. Is it halved before it is squared, or after?": _from(
        lambda a, b: (a - b).norm() / math.sqrt(2)
    ),
    "Your distance lacks its root.": _from(lambda a, b: (a - b).square().sum() / 2),
    "You divide by 4 where the distance is not squared any more.": _from(
        lambda a, b: (a - b).norm() / 4
    ),
    "σ is right, c is not: it lacks a ½.": _from(c=lambda s, D: D / s**2),
    "σ is right. In c the number of pixels is missing, though the error is a mean over them.": (
        _from(c=lambda s, D: 1 / (2 * s**2))
    ),
    "σ is right. c is upside down: a larger c stands for a smaller σ.": _from(
        c=lambda s, D: 2 * s**2 / D
    ),
    "σ is right. c goes with the variance, not with σ.": _from(c=lambda s, D: D / (2 * s)),
    "σ is right. c has a ½ too many.": _from(c=lambda s, D: D / (4 * s**2)),
    "σ is right. c is that for an MSE between the two pictures. How far is each from the picture "
    "that is painted?": _from(c=lambda s, D: D**2 / (8 * s**2)),
    "σ is right. c goes with the whole distance, not with σ.": _from(c=lambda s, D: D / (8 * s**2)),
    "σ is right. In c each channel counts as one picture: count all numbers of a picture.": (
        lambda a, b: (_from()(a, b)[0], a[0].numel() / (2 * _from()(a, b)[0] ** 2))
    ),
    "This is the largest difference of a pixel. How far apart two pictures are is a sum.": _from(
        lambda a, b: (a - b).abs().max() / 2
    ),
    "You add the differences before you square them, so that they cancel.": _from(
        lambda a, b: (a - b).sum().abs() / 2
    ),
    "You compare the lengths of the pictures. Two pictures of one length may be far apart.": _from(
        lambda a, b: (a.norm() - b.norm()).abs() / 2
    ),
    "This is the length of the average picture. How far from it are the two?": _from(
        lambda a, b: (a + b).norm() / 2
    ),
}


@check(
    cases=pairs,
    slips=SLIPS,
    results=("the noise σ", "the factor c"),
    praise="Known before any training: for a larger σ, or a smaller c, the average is best.",
)
def two_pictures(x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
    """σ and c of two pictures, (C, H, W) each. Here: from the covariance, and from slopes."""
    x = torch.stack([x1, x2]).flatten(1)
    std = torch.linalg.eigvalsh(torch.cov(x.T, correction=0))[-1].sqrt()
    off = torch.ones(x.shape[1], dtype=x.dtype, requires_grad=True)
    nats, mean = -Normal(0.0, std).log_prob(off).sum(), off.square().mean()
    (of_nats,), (of_mean,) = (torch.autograd.grad(part, off) for part in (nats, mean))
    return std, (of_nats / of_mean)[0]
