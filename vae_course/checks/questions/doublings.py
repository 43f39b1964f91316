"""Losses with every pair of reductions, and a doubling test's slips with their names."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal, uniform
from vae_course.checks.judging.running import require, require_something

WORDS = ("mean", "sum")
ROUNDED = " If you did test them: rounding moves each a little, so do not ask for equality."
EQUALITY = (ROUNDED, "", ROUNDED)  # one word for all is what a test for equality gives
SHAPES = ((3, 2, 4, 5), (2, 1, 6, 3), (4, 3, 2, 2))


def coded(answer: Callable, seen: dict[Callable, Tensor]) -> Callable:
    """`answer`, which returns two words, as a function of two numbers that it also notes."""

    def codes(loss, x, y):
        found = answer(loss, x, y)
        require_something(found)
        right = isinstance(found, tuple | list) and len(found) == 2
        right = right and all(isinstance(part, str) and part in WORDS for part in found)
        require(right, 'Return two words, each "sum" or "mean": the batch first, then the pixels.')
        seen[loss] = torch.tensor([WORDS.index(part) for part in found])
        return seen[loss]

    return codes if callable(answer) else answer


def losses(g: torch.Generator) -> dict[Callable, Tensor]:
    """Losses of pictures (batch, C, H, W), and what they do: 0 mean, 1 sum; batch, pixels."""
    known = {}
    costs = (lambda d: d**2, lambda d: d.abs(), lambda d: 50 * d**2 - 40)
    for cost, size in zip(costs, (1e-10, 300.0, 1.0), strict=True):  # the last one is negative
        for batch in (0, 1):
            for pixels in (0, 1):
                factor = size * uniform(g, 1, low=0.5, high=2).item()
                tilt = 1 - 2 * ((batch + pixels) % 2)
                loss = _loss(cost, factor, batch, pixels, tilt)
                known[loss] = torch.tensor([batch, pixels])
    return known


def _loss(cost, factor, batch, pixels, tilt):
    """One loss. In place of chance rounding, it is off by some 1e-12 that grows with the size.

    So a test for equality fails every time, and not now and then; `tilt` says up or down.
    """
    reduce = (torch.mean, torch.sum)

    def loss(x, y):
        if x.ndim != 4 or x.shape != y.shape:
            raise ValueError(
                f"the loss compares two batches of pictures, but got {tuple(x.shape)} "
                f"and {tuple(y.shape)}"
            )
        each = reduce[pixels](cost(x - y).flatten(1), 1)  # one number for each picture
        return factor * reduce[batch](each) * (1 + tilt * 1e-12 * math.log2(x.numel()))

    return loss


def pictures(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two batches that differ by at most 0.4 in a pixel."""
    shape = SHAPES[int(torch.randint(len(SHAPES), (1,), generator=g))]
    x = uniform(g, *shape)
    return x, x + 0.4 * torch.tanh(normal(g, *shape))


BATCH, PIXELS = (2, 1, 1, 1), (1, 1, 2, 1)


def _test(batch=BATCH, pixels=PIXELS):
    """The doubling test, of the wrong thing."""

    def found(loss, x, y):
        old = loss(x, y)
        news = (loss(x.repeat(copies), y.repeat(copies)) for copies in (batch, pixels))
        return torch.tensor([int(new / old > 1.5) for new in news])

    return found


def _values(loss, x, y):
    double = int(loss(2 * x, 2 * y) / loss(x, y) > 1.5)
    return torch.tensor([double, double])


def mistakes(known: dict[Callable, Tensor], seen: dict[Callable, Tensor]) -> dict[str, Callable]:
    """What to say -> the answer that it is said of; `known` holds the right ones.

    What depends on rounding cannot be written as a function: the last ones look at all that the
    answer said, in `seen`.
    """

    def where(pattern):
        def told(loss, x, y):
            wrong, want = (torch.stack(list(part)) for part in _wrong(known, seen))
            return seen[loss] if pattern(wrong, want == 1) else 1 - seen[loss]

        return told

    return {
        "They stand in the wrong order: first the batch.": lambda f, x, y: known[f].flip(0),
        "The two words are swapped: which of them grows with the number of things?": (
            lambda f, x, y: 1 - known[f]
        ),
        "The batch is right. For the pixels, the two words are swapped.": (
            lambda f, x, y: torch.stack([known[f][0], 1 - known[f][1]])
        ),
        "The pixels are right. For the batch, the two words are swapped.": (
            lambda f, x, y: torch.stack([1 - known[f][0], known[f][1]])
        ),
        "Both words tell of the batch. Double the pixels, too.": _test(BATCH, BATCH),
        "Both words tell of the pixels. Double the batch, too.": _test(PIXELS, PIXELS),
        "To test the pixels you double the batch as well. Change one thing at a time.": (
            _test(BATCH, (2, 1, 2, 1))
        ),
        "To test the batch you double the pixels as well. Change one thing at a time.": (
            _test((2, 1, 2, 1), PIXELS)
        ),
        "You double both at once. Change one thing at a time.": _test((2, 1, 2, 1), (2, 1, 2, 1)),
        "You double the *values* of the pixels. Double their number.": _values,
        **{
            f'You answer "{WORDS[batch]}" and "{WORDS[pixels]}" to every loss.'
            + EQUALITY[batch + pixels]: (lambda f, x, y, pair=(batch, pixels): torch.tensor(pair))
            for batch in (0, 1)
            for pixels in (0, 1)
        },
        "It is wrong for small losses. Is your limit or tolerance an absolute number? Let it grow "
        "with the loss.": where(lambda wrong, sums: not wrong[4:].any()),
        "It is wrong for negative losses: a negative sum becomes smaller when it doubles.": (
            where(lambda wrong, sums: not wrong[:8].any())
        ),
        "It is right for sums of positive losses only: a negative sum becomes smaller when it "
        "doubles, and rounding moves a mean a little.": where(
            lambda wrong, sums: wrong[8:][sums[8:]].all() and not wrong[:8][sums[:8]].any()
        ),
        "It takes some means for sums. Rounding moves a mean a little: do not ask for equality.": (
            where(lambda wrong, sums: not wrong[sums].any())
        ),
        "It takes some sums for means. Rounding moves a sum a little: do not ask for exactly twice "
        "as much.": where(lambda wrong, sums: not wrong[~sums].any()),
        "It is wrong for some losses. Ask only how a loss changes when there are twice as many of "
        "the same things.": where(lambda wrong, sums: True),
    }


def _wrong(known, seen):
    """Of every loss, in the order of `losses`: which words are wrong, and the right ones."""
    return (seen[loss] != known[loss] for loss in known), known.values()
