"""A face with three knobs: the smile that is asked for, and the one that a reader sees."""

from collections.abc import Mapping
from itertools import product

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.data.drawn.faces import render_faces
from vae_course.evaluation.factor_reader import FactorReader
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure
from vae_course.models.picture_vae import PictureVAE

STOPS = {"glasses": (0, 1), "turn": (-0.8, 0.0, 0.8), "smile": (-0.8, -0.4, 0.0, 0.4, 0.8)}
SHAPE = tuple(map(len, STOPS.values()))


@torch.no_grad()
def asked_smile(
    model: PictureVAE,
    reader: FactorReader,
    codes: Tensor,
    directions: Mapping[str, Tensor],
    factors: Mapping[str, Tensor],
    *,
    caption: str,
) -> LiveFigure:
    """Drawn faces with other smiles, turns and glasses: decoded from moved codes, and painted.

    `codes` (n, latent_dim) are those of faces with `factors` (n,) each. `directions` say how a
    code moves, (latent_dim,), for one unit of smile, of turn and of glasses. The first face is
    shown; a needle and a ring show the smile that the reader sees, its mean over all n. It starts
    with a turned head and no smile, where the reader sees most that differs from painted faces.
    Raises ValueError for a direction that is missing.
    """
    if missing := STOPS.keys() - directions.keys():
        raise ValueError(f"a direction is missing: {', '.join(sorted(missing))}")
    first, read = in_every_state(model, reader, codes, directions, factors)
    seen = {kind: torch.tensor(values).view(SHAPE) for kind, values in read.items()}
    start = _most_apart(seen)
    return LiveFigure(
        kind="smile",
        name="A smile that is asked for, and the smile that a reader sees",
        caption=caption,
        alt="Two panels, for decoded and for painted faces: the smile that a reader sees, against "
        "the one that was asked for, in one line for each turn of the head, and a dashed diagonal.",
        still=_still(seen),
        data={
            "sheet": packing.webp(torch.stack(first["decoded"] + first["painted"]), SHAPE[2]),
            "size": first["painted"][0].shape[-1],
            "faces": len(codes),
            "stops": STOPS,
            "read": {kind: [round(v, 3) for v in values] for kind, values in read.items()},
            "start": start[::-1],
        },
    )


@torch.no_grad()
def in_every_state(
    model: PictureVAE,
    reader: FactorReader,
    codes: Tensor,
    directions: Mapping[str, Tensor],
    factors: Mapping[str, Tensor],
) -> tuple[dict[str, list[Tensor]], dict[str, list[float]]]:
    """The first face and the mean smile that is read, decoded and painted, state by state."""
    first: dict[str, list[Tensor]] = {"decoded": [], "painted": []}
    read: dict[str, list[float]] = {"decoded": [], "painted": []}
    for state in product(*STOPS.values()):  # the smile changes fastest
        for kind, pictures in _both(model, codes, directions, factors, state).items():
            first[kind].append(pictures[0])
            read[kind].append(reader.read(pictures)["smile"].mean().item())
    return first, read


def _both(model, codes, directions, factors, state) -> dict[str, Tensor]:
    """All faces in one state, decoded from their moved codes and painted."""
    asked = {k: torch.full_like(factors[k], v) for k, v in zip(STOPS, state, strict=True)}
    moves = sum((asked[k] - factors[k])[:, None] * directions[k] for k in asked)
    painted = render_faces({**factors, **asked})
    return {"decoded": model.decode(codes + moves).mean, "painted": painted}


def _most_apart(seen: Mapping[str, Tensor]) -> tuple[int, int, int]:
    """Glasses, turn and smile where no smile is asked for on a turned head: numbers of stops."""
    neutral, ends = STOPS["smile"].index(0), (0, SHAPE[1] - 1)
    apart = (seen["decoded"] - seen["painted"])[:, ends, neutral].abs()
    glasses, end = divmod(int(apart.argmax()), len(ends))
    return glasses, ends[end], neutral


def _still(seen: Mapping[str, Tensor]) -> Figure:
    """Faces without glasses."""
    made, axes = plotting.figure(6.5, 2.6, columns=2)
    for axis, (kind, values) in zip(axes, seen.items(), strict=True):
        for turn, line in zip(STOPS["turn"], values[0], strict=True):
            axis.plot(STOPS["smile"], line, "o-", label=f"turn {turn}")
        axis.plot(STOPS["smile"], STOPS["smile"], "--", color="grey")
        axis.set(title=kind, xlabel="smile asked for", ylabel="smile seen", ylim=(-1.2, 1.2))
    axes[0].legend()
    return made
