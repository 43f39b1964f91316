"""Task 6: does a loss sum or average, found by doubling?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import require, require_something, run

WORDS = ("mean", "sum")
REDUCE = {"mean": torch.mean, "sum": torch.sum}
BOTH = [(batch, pixels) for batch in WORDS for pixels in WORDS]
SHAPES = ((3, 2, 4, 5), (2, 1, 6, 3), (4, 3, 2, 2))
Words = tuple[str, str]  # of the batch, of the pixels


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss of pictures (batch, C, H, W) with known reductions.

    In place of chance rounding, it is off by some 1e-12 that grows with the size. So a test for
    equality fails every time, and not now and then; `tilt` says up or down.
    """

    cost: Callable[[Tensor], Tensor]
    factor: float
    words: Words
    tilt: int

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape != y.shape:
            raise ValueError(
                f"the loss compares two batches of pictures, but got {tuple(x.shape)} "
                f"and {tuple(y.shape)}"
            )
        over_batch, over_pixels = (REDUCE[word] for word in self.words)
        each = over_pixels(self.cost(x - y).flatten(1), 1)  # one number for each picture
        return self.factor * over_batch(each) * (1 + self.tilt * 1e-12 * math.log2(x.numel()))


def losses(seed: int | None) -> list[tuple[Loss, Tensor, Tensor]]:
    """(loss, x, y): tiny losses, large ones, negative ones, each with all pairs of words."""
    g, cases = fresh(seed), []
    costs = (lambda d: d**2, lambda d: d.abs(), lambda d: 50 * d**2 - 400)
    for cost, size in zip(costs, (1e-10, 300.0, 1.0), strict=True):
        for words in BOTH:
            factor = size * uniform(g, 1, low=0.5, high=2).item()
            tilt = 1 if len(set(words)) == 1 else -1
            falls = ((word == "sum") == (size < 1) for word in words)
            cases.append((Loss(cost, factor, words, tilt), *pictures(g, *falls)))
    return cases


def pictures(g: Generator, in_batch: bool, in_picture: bool) -> tuple[Tensor, Tensor]:
    """Two batches, and errors that fall from picture to picture and from pixel to pixel, or grow.

    So the first part of them says nothing of the whole: a sum looks like a mean, and a mean like a
    sum, for tiny losses; for large ones, the last part misleads in the same way.
    """
    shape = SHAPES[int(torch.randint(len(SHAPES), (1,), generator=g))]
    x, error = uniform(g, *shape), uniform(g, *shape, low=0.3, high=0.4)
    for dim, falls in enumerate((in_batch, in_picture, in_picture, in_picture)):
        slope = 8.0 ** -torch.linspace(0, 1, shape[dim]).double()
        slope = slope if falls else slope.flip(0)
        error = error * slope.view([-1 if dim == k else 1 for k in range(4)])
    return x, x + error * (uniform(g, *shape) - 0.5).sign()


BATCH, PIXELS, SIZE = (2, 1, 1, 1), (1, 1, 2, 1), (2, 1, 2, 1)
ROUNDED = " If you did test them: rounding moves each a little, so do not ask for equality."


def doubled(batch=BATCH, pixels=PIXELS, sums=lambda new, old: new / old > 1.5) -> Callable:
    """The doubling test, of the wrong thing, or with the wrong question."""

    def found(loss, x, y):
        old = loss(x, y)
        news = (loss(x.repeat(copies), y.repeat(copies)) for copies in (batch, pixels))
        return tuple(WORDS[bool(sums(new, old))] for new in news)

    return found


def other(word: str) -> str:
    return WORDS[word == "mean"]


def half(loss, x, y) -> Words:
    """The whole against its first half."""
    few, short = (len(x) + 1) // 2, (x.shape[2] + 1) // 2
    parts = (x[:few], y[:few]), (x[:, :, :short], y[:, :, :short])
    return tuple(WORDS[bool(loss(x, y) / loss(*part) > 1.5)] for part in parts)


SMALL = (
    "It is wrong for small losses. Is your limit or tolerance an absolute number? Let it grow with "
    "the loss."
)
NEGATIVE = "It is wrong for negative losses: a negative sum becomes smaller when it doubles."
POSITIVE = (
    "It is right for sums of positive losses only: a negative sum becomes smaller when it doubles, "
    "and rounding moves a mean a little."
)
MEANS = (
    "It takes some means for sums. Rounding moves a mean a little: do not ask for equality, and "
    "change nothing but the number of things."
)
SUMS = (
    "It takes some sums for means. Rounding moves a sum a little: do not ask for exactly twice as "
    "much, and change nothing but the number of things."
)
SOME = (
    "It is wrong for some losses. Ask only how a loss changes when there are twice as many of the "
    "same things."
)
SLIPS = {
    "They stand in the wrong order: first the batch.": lambda f, x, y: doubled()(f, x, y)[::-1],
    "The two words are swapped: which of them grows with the number of things?": (
        lambda f, x, y: tuple(map(other, doubled()(f, x, y)))
    ),
    "The batch is right. For the pixels, the two words are swapped.": (
        lambda f, x, y: (doubled()(f, x, y)[0], other(doubled()(f, x, y)[1]))
    ),
    "The pixels are right. For the batch, the two words are swapped.": (
        lambda f, x, y: (other(doubled()(f, x, y)[0]), doubled()(f, x, y)[1])
    ),
    "Both words tell of the batch. Double the pixels, too.": doubled(BATCH, BATCH),
    "Both words tell of the pixels. Double the batch, too.": doubled(PIXELS, PIXELS),
    "To test the pixels you double the batch as well. Change one thing at a time.": (
        doubled(BATCH, SIZE)
    ),
    "To test the batch you double the pixels as well. Change one thing at a time.": (
        doubled(SIZE, PIXELS)
    ),
    "You double both at once. Change one thing at a time.": doubled(SIZE, SIZE),
    "You double the *values* of the pixels. Double their number.": (
        lambda f, x, y: (WORDS[bool(f(2 * x, 2 * y) / f(x, y) > 1.5)],) * 2
    ),
    **{
        f'You answer "{batch}" and "{pixels}" to every loss.{ROUNDED * (batch == pixels)}': (
            lambda f, x, y, words=(batch, pixels): words
        )
        for batch, pixels in BOTH
    },
    "You compare with a part of the pictures, or of a picture. Other pixels have other errors, so "
    "a part is no half of the loss. Use the same things twice.": half,
    SMALL: doubled(sums=lambda new, old: abs(new - old) > 1e-6),
    NEGATIVE: doubled(sums=lambda new, old: new > 1.5 * old),
    POSITIVE: doubled(sums=lambda new, old: new > old),
    MEANS: doubled(sums=lambda new, old: abs(new) > abs(old)),
    SUMS: doubled(sums=lambda new, old: new / old >= 2),
}


@trial(slips=SLIPS, praise="It saw through twelve losses without reading one. Try it on your own.")
def reductions(answer: Callable, seed: int | None) -> None:
    """`answer(loss, x, y)`: "sum" or "mean" over the batch, and over the pixels, of any loss."""
    cases = losses(seed)
    said = [words(run(answer, case, ("loss", "x", "y"))) for case in cases]
    known = [loss.words for loss, *_ in cases]
    for says, slip in SLIPS.items():
        require(said == known or said != [slip(*case) for case in cases], says)
    require(said == known, pattern(said, known))


def words(found) -> Words:
    require_something(found)
    right = isinstance(found, tuple | list) and len(found) == 2
    right = right and all(isinstance(part, str) and part in WORDS for part in found)
    require(right, 'Return two words, each "sum" or "mean": the batch first, then the pixels.')
    return tuple(found)


def pattern(said: Sequence[Words], known: Sequence[Words]) -> str:
    """What can be said of an answer that is no known slip: for which losses is it wrong?"""
    sums = torch.tensor([[word == "sum" for word in pair] for pair in known])
    wrong = torch.tensor([[word == "sum" for word in pair] for pair in said]) != sums
    if not wrong[4:].any():
        return SMALL
    if not wrong[:8].any():
        return NEGATIVE
    if wrong[8:][sums[8:]].all() and not wrong[:8][sums[:8]].any():
        return POSITIVE
    if not wrong[sums].any():
        return MEANS
    return SUMS if not wrong[~sums].any() else SOME
