"""Task 2: rounding to a few levels, with a gradient that goes straight through."""

from contextlib import suppress

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import require


def outputs_of_encoders(seed: int | None) -> list[tuple[Tensor, int]]:
    """(y, levels), with odd numbers of levels."""
    g = fresh(seed)
    sizes = (((4, 3), 5), ((1, 8), 3), ((6, 1), 7), ((3, 5), 9))
    return [(normal(g, *size, scale=1.2), levels) for size, levels in sizes]


def through(y, levels, *, squash=torch.tanh, to=torch.round, straight=True, unit=None):
    half = (levels - 1) / 2
    smooth = half * squash(y)
    rounded = to(smooth)
    if straight:
        rounded = smooth + (rounded - smooth).detach()
    return rounded / (half if unit is None else unit(levels))


# Right on the way forward.
SLOPES = {
    "The values are right, but no gradient reaches the encoder: rounding has slope 0.": (
        lambda y, levels: through(y, levels, straight=False) + 0 * y
    ),
    "The values are right, but the gradient is that of y itself. Only the rounding is skipped on "
    "the way back, and tanh is not.": lambda y, levels: y + (through(y, levels) - y).detach(),
    "The values are right, but the gradient is too large by half the levels: the division is "
    "skipped on the way back.": lambda y, levels: (
        through(y, levels).detach() + (levels - 1) / 2 * (torch.tanh(y) - torch.tanh(y).detach())
    ),
}
SLIPS = {
    "Nothing is rounded.": lambda y, levels: torch.tanh(y),
    "You round, but do not divide: the codes must lie between -1 and 1.": (
        lambda y, levels: through(y, levels, unit=lambda n: 1)
    ),
    "You scale by levels / 2. Then the outermost are levels of their own: one or two too many.": (
        lambda y, levels: (
            ((s := levels / 2 * torch.tanh(y)) + (s.round() - s).detach()) / (levels / 2)
        )
    ),
    "You round before you scale: only -1, 0 and 1 are left.": (
        lambda y, levels: (s := torch.tanh(y)) + (s.round() - s).detach()
    ),
    "You cut, and do not round: floor moves each code to the level below it.": (
        lambda y, levels: through(y, levels, to=torch.floor)
    ),
    "You cut, and do not round: trunc moves each code towards 0.": (
        lambda y, levels: through(y, levels, to=torch.trunc)
    ),
    "tanh is missing. Without it a code can leave the levels.": (
        lambda y, levels: through(y, levels, squash=lambda y: y)
    ),
    "You clamp where tanh is asked for.": (
        lambda y, levels: through(y, levels, squash=lambda y: y.clamp(-1, 1))
    ),
    "You use a sigmoid. It lies between 0 and 1, and the levels between -1 and 1.": (
        lambda y, levels: through(y, levels, squash=torch.sigmoid)
    ),
}


class Straight(torch.autograd.Function):
    """Rounds on the way forward, and does nothing on the way back."""

    @staticmethod
    def forward(context, values):
        return torch.floor(values + 0.5)

    @staticmethod
    def backward(context, slope):
        return slope


def slope(function, y, levels):
    """What it gives, and the gradient of the sum of its squares in y; None where it breaks."""
    y = y.clone().requires_grad_()
    with suppress(Exception):  # what is wrong then is said where values are compared
        codes = function(y, levels)
        return codes.detach(), torch.autograd.grad(codes.square().sum(), y)[0]


def look_at_slopes(answer, cases):
    """Name the slips that only the gradient shows: values are compared first, and without it."""
    for says, slip in SLOPES.items():
        pairs = [(slope(answer, *case), slope(slip, *case)) for case in cases]
        alike = [ours and all(map(torch.allclose, ours, slips)) for ours, slips in pairs]
        require(not all(alike), says)


@check(
    cases=outputs_of_encoders,
    slips=SLOPES | SLIPS,
    before=look_at_slopes,
    gradients=("y",),
    praise="Whole levels on the way forward, and an encoder that can still learn.",
)
def quantize(y: Tensor, levels: int) -> Tensor:
    """(batch, d) -> the nearest of `levels` even steps from -1 to 1, with tanh's slope.

    Here: with an autograd function of its own.
    """
    steps = levels - 1
    up = (1 + torch.tanh(y)) / 2 * steps  # between 0 and levels - 1
    return 2 * Straight.apply(up) / steps - 1
