"""Task 6: the least rate at which normal pictures have a given squared error."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.together import Then

# How many eigenvalues, the share of them all that may be lost, and how large they are.
KINDS = (
    (3, 0.01, 1.0),  # nothing under water
    (6, 0.6, 1.0),
    (5, 0.85, 1.0),
    (1, 0.3, 1.0),
    (4, 1.3, 1.0),  # more may be lost than there is
    (5, 0.2, 1e3),
    (4, 0.5, 1e-3),
)


def spectra(seed: int | None) -> list[tuple[Tensor, float]]:
    """(eigenvalues, distortion): nothing under water, some, nearly all, and all.

    The eigenvalues fall so steeply that those which drown make others drown.
    """
    g = fresh(seed)
    cases = []
    for count, share, unit in KINDS:
        values = uniform(g, count, low=0.9, high=1.1) * 3.0 ** -torch.arange(count).double()
        values = values * uniform(g, 1, low=1.5, high=3.0) * unit
        if count > 3:
            values[-1] = 0.0
        values = values[torch.randperm(count, generator=g)]
        cases.append((values, share * values.sum().item()))
    return cases


def highest_line(eigenvalues: Tensor, distortion: float) -> tuple[Tensor, Tensor]:
    """Of all lines that touch the curve, one for each level: where the highest is, and its level.

    The curve is convex, so none of them is above it, and no equation for the level is solved.
    """

    def minus_line(log_level):
        level = log_level.exp()
        above = (eigenvalues / level[..., None]).clamp(min=1).log().sum(-1) / 2
        left = torch.minimum(eigenvalues, level[..., None]).sum(-1)
        return -(above + (left - distortion) / (2 * level))

    top = eigenvalues.max().log()
    best = lowest(minus_line, top - 13, top + 3)
    return -minus_line(best), best.exp()


def _nats(e, level, *, half=0.5, cut=True):
    nats = half * (e / level).log()
    return (nats.clamp(min=0) if cut else nats).sum()


def _drowned_once(e, t):
    low = e <= t / len(e)
    return e.max() if low.all() else (t - e[low].sum()) / (~low).sum()


def _in_use(e):
    return e[e > 0]


SLIPS = {
    "You take the distortion for the water level. It is what is lost, over all eigenvalues.": (
        lambda e, t: _nats(e, t)
    ),
    "You share the distortion evenly. An eigenvalue cannot lose more than it has, so the others "
    "must lose more.": lambda e, t: _nats(e, t / len(e)),
    "You share the distortion evenly among the eigenvalues above 0. None can lose more than it "
    "has.": lambda e, t: _nats(_in_use(e), t / len(_in_use(e))),
    "You share it evenly, and some eigenvalues come out with a negative rate.": (
        lambda e, t: _nats(_in_use(e), t / len(_in_use(e)), cut=False)
    ),
    "Every eigenvalue loses the same share of itself. It is cheaper to drown the small ones.": (
        lambda e, t: max(len(_in_use(e)) * 0.5 * math.log(e.sum().item() / t), 0.0)
    ),
    "A ½ is missing.": Then(lambda nats: 2 * nats),
    "This is in bits.": Then(lambda nats: nats / math.log(2)),
    "You let the small ones drown once, and share the rest evenly. Then more of them may drown.": (
        lambda e, t: _nats(e, _drowned_once(e, t))
    ),
    "This is a logarithm to base 10. Nats have the natural one.": (
        Then(lambda nats: nats / math.log(10))
    ),
    "You average over the eigenvalues. Their nats add.": lambda e, t: rate.right(e, t) / len(e),
    "You return the water level. The task asks for the rate.": (
        lambda e, t: highest_line(e, t)[1].clamp(max=e.max())
    ),
    "Some eigenvalues come out with a negative rate: what is under water costs nothing.": (
        lambda e, t: _nats(_in_use(e), highest_line(e, t)[1].clamp(max=e.max()), cut=False)
    ),
}


@check(
    cases=spectra,
    extreme=spectra,
    strictly=1e-4,
    astray="Close, but not right to four digits: your water level is too coarse. Where little may "
    "be lost, it is a small part of the largest eigenvalue, and that may itself be small.",
    slips=SLIPS,
    within=0.01,
    praise="This is Shannon's curve. No code for normal pictures does better.",
)
def rate(eigenvalues: Tensor, distortion: float) -> Tensor:
    """Nats, to four digits. Here: the highest of all straight lines below the curve."""
    return highest_line(eigenvalues, distortion)[0].clamp(min=0)
