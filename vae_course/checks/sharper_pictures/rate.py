"""Task 3: what codes cost under odds that are fitted to other codes."""

import math
from collections import Counter

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform


def books(seed: int | None) -> list[tuple[Tensor, Tensor, int]]:
    """(codes, new, levels): some levels are rare, and one is in `new` alone."""
    g, cases = fresh(seed), []
    for many, fresh_ones, d, levels in ((30, 4, 3, 5), (9, 6, 1, 3), (40, 1, 6, 4), (5, 5, 2, 7)):
        spots = [
            (uniform(g, n, d) ** (1.5 + torch.arange(d)) * levels).long().clamp(max=levels - 1)
            for n in (many, fresh_ones)
        ]
        spots[0].clamp_(max=levels - 2)
        spots[1][0, 0] = levels - 1  # never seen
        cases.append((*spots, levels))
    return cases


def priced(
    codes,
    new,
    levels,
    *,
    more=1.0,
    total=lambda levels: levels,
    log=torch.log,
    pool=False,
    of_new=False,
    sign=-1,
):
    seen = new if of_new else codes
    counts = torch.nn.functional.one_hot(seen, levels).double().sum(0)  # (d, levels)
    if pool:
        counts = counts.sum(0).expand_as(counts)
    odds = (counts + more) / (counts.sum(1, keepdim=True) + more * total(levels))
    return sign * log(odds).gather(1, new.T).T  # (batch, d)


nats = turned(priced, lambda each: each.sum(1))
SLIPS = {
    "The odds do not add up to one: with one more of each level, the total grows by all levels.": (
        nats(total=lambda levels: 0)
    ),
    "The total grows by 1. It must grow by one for each level.": nats(total=lambda levels: 1),
    "These are bits. A natural logarithm gives nats.": nats(log=torch.log2),
    "All positions share one table of odds. Each has its own.": nats(pool=True),
    "You count the new codes themselves. Odds that have seen the answer are no prior.": (
        nats(of_new=True)
    ),
    "The sign is wrong: a code costs a positive number of nats.": nats(sign=1),
    "You average over the positions. A code is all of its positions: add them.": nats(
        lambda each: each.mean(1)
    ),
    "You average over the batch. Return the cost of each code.": nats(
        lambda each: each.sum(1).mean()
    ),
    "This is the bound: all levels taken for equally likely.": lambda codes, new, levels: (
        torch.full((len(new),), new.shape[1] * math.log(levels)).double()
    ),
    "This is the entropy of the odds, the same for each code. Ask what these codes cost.": (
        lambda codes, new, levels: sum(
            -(odds * odds.log()).sum()
            for odds in (torch.nn.functional.one_hot(codes, levels).double().sum(0) + 1)
            / (len(codes) + levels)
        ).expand(len(new))
    ),
    "You multiply probabilities, and take no logarithm.": nats(lambda each: (-each).exp().prod(1)),
}


@check(
    cases=books,
    slips=SLIPS,
    praise="Better odds, fewer nats. A prior that sees the neighbours would save more.",
)
def rate(codes: Tensor, new: Tensor, levels: int) -> Tensor:
    """(N, d) and (batch, d), whole numbers from 0 -> (batch,), nats. Here: counted one by one."""
    cost = []
    for row in new.tolist():
        each = []
        for place, level in enumerate(row):
            often = Counter(codes[:, place].tolist())
            each.append(math.log(len(codes) + levels) - math.log(often[level] + 1))
        cost.append(math.fsum(each))
    return torch.tensor(cost, dtype=torch.float64)
