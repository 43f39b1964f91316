"""Task 5: which pixels the hidden numbers of an autoregressive decoder may see."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh
from vae_course.checks.judging.together import Then


def sizes(seed: int | None) -> list[tuple[int, int, int]]:
    """(pixels, each, window)."""
    g = fresh(seed)

    def some(low, high):
        return int(torch.randint(low, high + 1, (), generator=g))

    return [
        (some(6, 9), some(2, 3), some(2, 4)),
        (some(5, 8), 1, some(3, 4)),
        (some(4, 6), some(2, 4), 20),
        (some(7, 9), 2, 1),
    ]


def cut(
    pixels, each, window, *, owner=None, may=lambda back, window: (back > 0) & (back <= window)
):
    hidden = torch.arange(pixels * each)
    place = hidden // each if owner is None else owner(hidden, pixels, each)
    return may(place[:, None] - torch.arange(pixels), window).double()


cuts = turned(cut, lambda mask: mask)
SLIPS = {
    "A pixel sees itself: then it need not be predicted.": cuts(
        may=lambda back, window: (back >= 0) & (back <= window)
    ),
    "A pixel sees itself, and the window is one too short: count the pixels before it.": cuts(
        may=lambda back, window: (back >= 0) & (back < window)
    ),
    "The window is one too short.": cuts(may=lambda back, window: (back > 0) & (back < window)),
    "The window is one too long.": cuts(may=lambda back, window: (back > 0) & (back <= window + 1)),
    "You look ahead: later pixels are not drawn yet.": cuts(
        may=lambda back, window: (back < 0) & (-back <= window)
    ),
    "You look to both sides. Later pixels are not drawn yet.": cuts(
        may=lambda back, window: (back != 0) & (back.abs() <= window)
    ),
    "The window is not used.": cuts(may=lambda back, window: back > 0),
    "This is what must be cut. A one is for what may be seen.": Then(lambda mask: 1 - mask),
    "Hidden numbers of one pixel must lie side by side, and yours are spread.": cuts(
        owner=lambda hidden, pixels, each: hidden % pixels
    ),
    "The mask is lying on its side: rows are hidden numbers, columns are pixels.": Then(
        lambda mask: mask.transpose(0, -1)
    ),
    "This sees what is far away, and not what is near.": cuts(
        may=lambda back, window: back > window
    ),
}


def as_numbers(answer):
    """A mask may come as booleans, too, or in any precision."""

    def numbers(*case):
        given = answer(*case)
        return given.double() if isinstance(given, Tensor) else given

    return numbers


@check(
    cases=sizes,
    read=as_numbers,
    names=("pixels", "each", "window"),
    slips=SLIPS,
    praise="No pixel sees itself or what comes after it. So the factors make a density.",
)
def mask(pixels: int, each: int, window: int) -> Tensor:
    """(pixels · each, pixels), ones and zeros, float64. Here: filled one by one."""
    allowed = torch.zeros(pixels * each, pixels, dtype=torch.float64)
    for pixel in range(pixels):
        for earlier in range(max(0, pixel - window), pixel):
            allowed[each * pixel : each * (pixel + 1), earlier] = 1
    return allowed
