"""A ladder of priors as a switch: codes, draws of one prior over them, and what is decoded."""

from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure
from vae_course.models import VAE

CODES, POINTS, SHOWN = 600, 300, 24  # codes; points of draws; draws that are decoded
BITS = 10


class Rung(NamedTuple):
    """A prior, measured: `draws` (n, d) of it, the `nats` that it gains on held-out codes with
    their standard `error`, the share of `unanimous` draws in [0, 1] and their `kinds` (see
    `evaluation.digit_score`)."""

    draws: Tensor
    nats: float
    error: float
    unanimous: float
    kinds: float


@torch.no_grad()
def prior_ladder(
    model: VAE, codes: Tensor, rungs: dict[str, Rung], directions: Tensor, *, start: str, caption
) -> LiveFigure:
    """`codes` (N, d) of grey pictures, and each rung's draws over them, along two `directions`
    (d, 2) of the codes. The rung `start` is shown first.

    Raises ValueError for fewer than two rungs, for one that has fewer than 24 draws, for a start
    that is no rung, for directions of another shape, and for colour.
    """
    _check(model, codes, rungs, directions, start)
    codes = codes[:CODES] @ directions
    middle, half = (codes.amax(0) + codes.amin(0)) / 2, 0.6 * (codes.amax(0) - codes.amin(0)).max()
    first = rungs[start]
    return LiveFigure(
        kind="ladder",
        name="A ladder of priors: draws over the codes, and their pictures",
        caption=caption,
        alt=f"Codes as grey points with draws from {start} over them as coloured ones, and "
        f"{SHOWN} decoded draws.",
        still=_still(codes, first.draws[:POINTS] @ directions, decoded(model, first), start),
        data={
            "codes": packing.rows(codes.T, BITS),
            "points": len(codes),
            "middle": middle.tolist(),
            "half": half.item(),
            "shape": list(model.shape[1:]),
            "shown": SHOWN,
            "start": list(rungs).index(start),
            "rungs": [_packed(name, rung, model, directions) for name, rung in rungs.items()],
        },
    )


def _check(model, codes, rungs, directions, start) -> None:
    if len(rungs) < 2:
        raise ValueError(f"a ladder needs at least 2 rungs, but got {len(rungs)}")
    if start not in rungs:
        raise ValueError(f"start must be one of {', '.join(rungs)}, but is {start!r}")
    if few := [name for name, rung in rungs.items() if len(rung.draws) < SHOWN]:
        raise ValueError(f"each rung needs at least {SHOWN} draws, but {few[0]} has fewer")
    if directions.shape != (codes.shape[1], 2):
        raise ValueError(
            f"directions must be ({codes.shape[1]}, 2), but came as {tuple(directions.shape)}"
        )
    if len(model.shape) != 3 or model.shape[0] != 1:
        raise ValueError(f"expected a model of grey pictures (1, H, W), but got {model.shape}")


def decoded(model: VAE, rung: Rung) -> Tensor:
    """Means of the decoder for the draws that are shown: (SHOWN, 1, H, W)."""
    return model.decode(rung.draws[:SHOWN]).mean


def _packed(name: str, rung: Rung, model: VAE, directions: Tensor) -> dict:
    draws = rung.draws[:POINTS]
    return {
        "name": name,
        "draws": packing.rows((draws @ directions).T, BITS),
        "count": len(draws),
        "pictures": packing.nibbles(decoded(model, rung)),
        **{key: getattr(rung, key) for key in ("nats", "error", "unanimous", "kinds")},
    }


def _still(codes: Tensor, draws: Tensor, pictures: Tensor, name: str) -> Figure:
    made, (plane, sheet) = plotting.figure(7, 2.9, columns=2)
    plane.scatter(*codes.T, s=2, color="0.7")
    plane.scatter(*draws.T, s=3, color=plotting.COLOURS[1])
    plane.set(xticks=(), yticks=(), aspect="equal", title=f"codes, and draws: {name}")
    plotting.draw_tiles(sheet, pictures, 6)
    return made
