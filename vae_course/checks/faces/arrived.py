"""Task 7: whether a change arrived, and what came with it."""

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Given

THIRD = 1 / 3
NEAR_LIMITS = (-0.45, -0.1, 0.1, 0.25, 0.325, 0.342, 0.42, 0.7, 1.3)


def readings(seed: int | None) -> list[tuple[Tensor, Tensor, int, float]]:
    """(before, after, wanted, asked): factors on scales of their own, moves near every limit."""
    g, cases = fresh(seed), []
    for count, factors, wanted, asked, low, high, side in (
        (21, 4, 1, 1.3, 0.4, 0.9, -1),  # low and high: so that the mean move is not what was asked
        (34, 3, 2, -0.8, 1.2, 3.5, 1),  # side: what else came went up, or down
        (16, 5, 0, 0.4, 0.4, 1.8, -1),
    ):
        scale = uniform(g, factors, low=0.3, high=4.0)
        scale[wanted] = abs(asked) / 3  # so that it moves more than any other, in stds
        drift = -uniform(g, factors, low=0.05, high=0.3)
        drift[(wanted + 1) % factors] = side * uniform(g, 1, low=0.6, high=0.9).item()  # the worst
        before = standard(normal(g, count, factors)) * scale + normal(g, factors)
        moves = (0.8 * standard(normal(g, count, factors)) + drift) * scale
        share = uniform(g, count, low=low, high=high)
        share[: len(NEAR_LIMITS)] = torch.tensor(NEAR_LIMITS).double()
        moves[:, wanted] = asked * share[torch.randperm(count, generator=g)]
        cases.append((before, before + moves, wanted, asked))
    return cases


def standard(values: Tensor) -> Tensor:
    return (values - values.mean(0)) / values.std(0)


def part(index: int, value: Callable) -> Callable:
    """The three results, with one from `value(before, after, wanted, asked)`."""

    def found(*case):
        return tuple(value(*case) if i == index else v for i, v in enumerate(arrived.right(*case)))

    return found


def moved(before, after, wanted):
    return (after - before)[:, wanted]


def share(limit: Callable) -> Callable:
    """Share of faces for which `limit(move, asked)` holds."""
    return part(1, lambda b, a, w, asked: limit(moved(b, a, w), asked).to(b).mean())


def worst(value: Callable, leave_out: bool = True) -> Callable:
    """The largest `value(before, after)`, one for each of the other factors."""

    def worst(before, after, wanted, asked):
        if leave_out:
            before, after = others(before, wanted), others(after, wanted)
        return value(before, after).max()

    return part(2, worst)


def others(readings, wanted):
    return torch.cat([readings[:, :wanted], readings[:, wanted + 1 :]], 1)


def drift(before, after):
    return (after - before).mean(0).abs() / before.std(0)


SLIPS = {
    "`before` and `after` are swapped.": (
        Given(lambda before, after, wanted, asked: (after, before, wanted, asked))
    ),
    "The first is not divided by what was asked.": (
        part(0, lambda b, a, w, asked: moved(b, a, w).mean())
    ),
    "The first counts readings, not moves: subtract what was read before.": (
        part(0, lambda b, a, w, asked: a[:, w].mean() / asked)
    ),
    "The first counts moves without their sign: a face that loses its smile is no success.": (
        part(0, lambda b, a, w, asked: (moved(b, a, w) / asked).abs().mean())
    ),
    "The first is a median. The task asks for a mean.": (
        part(0, lambda b, a, w, asked: (moved(b, a, w) / asked).median())
    ),
    "The first is upside down: what arrived, over what was asked.": (
        part(0, lambda b, a, w, asked: asked / moved(b, a, w).mean())
    ),
    "The share is wrong where less of a factor is asked for, with `asked` below 0. Divide by it "
    "first, then compare.": share(lambda move, asked: move > asked / 3),
    "The share counts moves in either direction. A face that loses its smile is no success.": (
        share(lambda move, asked: (move / asked).abs() > THIRD)
    ),
    "The share counts every face that moved the right way, however little.": (
        share(lambda move, asked: move / asked > 0)
    ),
    "The share counts faces where all that was asked arrived. A third is enough.": (
        share(lambda move, asked: move / asked > 1)
    ),
    "The share counts faces with half of what was asked. A third is enough.": (
        share(lambda move, asked: move / asked > 0.5)
    ),
    "The share compares with a third of the mean move, not with a third of what was asked.": (
        share(lambda move, asked: move / move.mean() > THIRD)
    ),
    "The share compares with a third, not with a third of what was asked.": (
        share(lambda move, asked: move > THIRD)
    ),
    "The second is a number of faces. Give their share.": (
        part(1, lambda b, a, w, asked: arrived.right(b, a, w, asked)[1] * len(b))
    ),
    "The second is a percentage. Give a share between 0 and 1.": (
        part(1, lambda b, a, w, asked: 100 * arrived.right(b, a, w, asked)[1])
    ),
    "The second is the share of the faces where it did *not* arrive.": (
        part(1, lambda b, a, w, asked: 1 - arrived.right(b, a, w, asked)[1])
    ),
    "The third counts the wanted factor among what else came.": worst(drift, leave_out=False),
    "In the third, moves lose their sign before they are averaged. Then noise of the reader counts "
    "as a move.": worst(lambda b, a: (a - b).abs().mean(0) / b.std(0)),
    "The third misses what went *down*: take the size of the mean move.": (
        worst(lambda b, a: (a - b).mean(0) / b.std(0))
    ),
    "The third misses what went *up*: take the size of the mean move.": (
        worst(lambda b, a: -(a - b).mean(0) / b.std(0))
    ),
    "The third is in the units of each factor. Divide by its standard deviation over the faces.": (
        worst(lambda b, a: (a - b).mean(0).abs())
    ),
    "The third divides by a variance. Take the standard deviation.": (
        worst(lambda b, a: (a - b).mean(0).abs() / b.var(0))
    ),
    "The third divides by the spread of the moves. Take that of the factor before.": (
        worst(lambda b, a: (a - b).mean(0).abs() / (a - b).std(0))
    ),
    "The third divides by the spread after the move. Take that of the factor before.": (
        worst(lambda b, a: (a - b).mean(0).abs() / a.std(0))
    ),
    "The third divides by the number of faces in its standard deviation. The task divides by one "
    "less, as torch does.": (worst(lambda b, a: (a - b).mean(0).abs() / b.std(0, correction=0))),
    "The third is an average over the other factors. One that came along is enough: take the "
    "largest.": worst(lambda b, a: drift(b, a).mean()),
    "The third is a sum over the other factors. Take the largest.": (
        worst(lambda b, a: drift(b, a).sum())
    ),
    "The third is one for each factor. Take the largest.": (
        part(2, lambda b, a, w, asked: drift(others(b, w), others(a, w)))
    ),
    "The first is divided by the size of what was asked. It may be less that was asked for.": (
        part(0, lambda b, a, w, asked: moved(b, a, w).mean() / abs(asked))
    ),
    "The first is a sum over the faces. Take the mean.": (
        part(0, lambda b, a, w, asked: moved(b, a, w).sum() / asked)
    ),
    "The first is an average over all factors. Only one was wanted.": (
        part(0, lambda b, a, w, asked: (a - b).mean() / asked)
    ),
    "The share counts faces with two thirds of what was asked. A third is enough.": (
        share(lambda move, asked: move / asked > 2 / 3)
    ),
    "The third says which factor came, not how much of it.": (
        worst(lambda b, a: drift(b, a).argmax().to(b))
    ),
    "The third is the smallest. Take the largest.": worst(lambda b, a: drift(b, a).min()),
    "The third divides by one spread of all factors. Each has its own.": (
        worst(lambda b, a: (a - b).mean(0).abs() / b.std())
    ),
}


@check(
    cases=readings,
    slips=SLIPS,
    results=("how much of it arrived", "the share of faces", "what else came"),
    praise="A picture shows that it worked once. Your three numbers say how often, and at what "
    "price.",
)
def arrived(before: Tensor, after: Tensor, wanted: int, asked: float) -> tuple[Tensor, ...]:
    """How much arrived, where, and what else came, of (faces, factors).

    Here: Python's statistics, face by face.
    """
    columns = list(zip(before.T.tolist(), after.T.tolist(), strict=True))
    shares = [(b - a) / asked for a, b in zip(*columns.pop(wanted), strict=True)]
    others = [
        abs(statistics.fmean(new) - statistics.fmean(old)) / statistics.stdev(old)
        for old, new in columns
    ]
    found = statistics.fmean(shares), sum(s > THIRD for s in shares) / len(shares), max(others)
    return tuple(torch.tensor(value, dtype=before.dtype) for value in found)
