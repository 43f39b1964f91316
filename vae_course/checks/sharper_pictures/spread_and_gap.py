"""Task 1: what features cost the average picture, in two parts."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal


def pictures_behind(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(weights, features, of_average): for M z, of N pictures, with F features."""
    g, cases = fresh(seed), []
    for draws, count, features in ((4, 6, 3), (1, 3, 5), (5, 4, 1), (3, 8, 2)):
        weights = normal(g, draws, count).softmax(1)
        each = normal(g, count, features) + 0.5
        cases.append((weights, each, weights @ each + 0.7 * normal(g, draws, features)))
    return cases


def spread(weights, features, average=None):
    mean = weights @ features
    return weights @ features.square().sum(1) - mean.square().sum(1)


def gap(weights, features, average, reduce=lambda parts: parts.sum(1)):
    return reduce((weights @ features - average).square())


def both(first=spread, second=gap):
    return lambda *case: (first(*case), second(*case))


SLIPS = {
    "The first is the whole cost of the average: spread and gap together. Give the parts.": both(
        lambda *case: spread(*case) + gap(*case)
    ),
    "The first weighs all pictures alike. The weights of z belong there, too.": both(
        lambda w, f, a: (f - f.mean(0)).square().sum(1).mean() * torch.ones_like(w[:, 0])
    ),
    "The first is half of the spread: no ½ belongs to a variance.": both(
        lambda *case: spread(*case) / 2
    ),
    "The first is what one drawn picture costs: twice the spread.": both(
        lambda *case: 2 * spread(*case)
    ),
    "The first averages over features. A squared distance is a sum.": both(
        lambda w, f, a: spread(w, f) / f.shape[1]
    ),
    "The second averages over features. A squared distance is a sum.": both(
        second=lambda *case: gap(*case, reduce=lambda parts: parts.mean(1))
    ),
    "The second is a distance. Square it.": both(second=lambda *case: gap(*case).sqrt()),
    "The second compares with a plain average of the features. Weigh them.": both(
        second=lambda w, f, a: (f.mean(0) - a).square().sum(1)
    ),
    "The second is the mean distance of each picture's features from those of the average: that "
    "is spread and gap together.": both(second=lambda *case: spread(*case) + gap(*case)),
    "The second sums over z as well. Return one number for each.": (
        lambda *case: (spread(*case), gap(*case).sum())
    ),
    "The second has no square: features of either sign cancel.": both(
        second=lambda w, f, a: (w @ f - a).sum(1)
    ),
    "The first lacks the features' own mean: this is a mean square, not a variance.": both(
        lambda w, f, a: w @ f.square().sum(1)
    ),
}


@check(
    cases=pictures_behind,
    slips=SLIPS,
    results=("the spread", "the gap"),
    praise="Only the gap is a reason to be sharp. For linear features it is 0.",
)
def spread_and_gap(weights: Tensor, features: Tensor, of_average: Tensor) -> tuple[Tensor, Tensor]:
    """(M, N), (N, F), (M, F) -> two (M,). Here: from squared distances of pairs."""
    pairs = (features[:, None] - features).square().sum(2)  # (N, N)
    spreads = torch.stack([(w[:, None] * w * pairs).sum() / 2 for w in weights])
    cost = torch.stack(
        [
            sum(share * (f - average).square().sum() for share, f in zip(w, features, strict=True))
            for w, average in zip(weights, of_average, strict=True)
        ]
    )
    return spreads, cost - spreads
