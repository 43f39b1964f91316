"""Task 2: sines and cosines of every place of a grid."""

import cmath
import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform

WIDTHS = (8, 12, 16, 8)


def grids(seed: int | None) -> list[tuple[int, int, int]]:
    """(rows, columns, width), more of the one or of the other, and a single row."""
    g = fresh(seed)
    few, many, more = (int(uniform(g, 1, low=low, high=low + 3).item()) for low in (2, 5, 8))
    sizes = ((few, many), (many, few), (1, more), (few, more))
    return [(*size, width) for size, width in zip(sizes, WIDTHS, strict=True)]


def powers(divide: Callable, base: float = 1e4) -> Callable:
    """`divide(width)`: what i is divided by, in the exponent."""
    return lambda width: base ** (-torch.arange(width // 4).double() / divide(width))


def grid(rows: int, columns: int) -> Tensor:
    """Row and column of every place, (2, rows · columns)."""
    places = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack(places).flatten(1).double()


RIGHT = powers(lambda width: width / 4)


def table(
    rows,
    columns,
    width,
    *,
    places: Callable = grid,
    frequencies: Callable = RIGHT,
    arrange: Callable = lambda sr, cr, sc, cc: torch.cat([sr, cr, sc, cc], 1),
) -> Tensor:
    """`arrange` gets sin and cos of the row, then of the column, each (places, width / 4)."""
    row, column = (p[:, None] * frequencies(width) for p in places(rows, columns))
    return arrange(row.sin(), row.cos(), column.sin(), column.cos())


slip = turned(table, lambda table: table)


def in_turn(sr, cr, sc, cc):
    pairs = (torch.stack(pair, 2).flatten(1) for pair in ((sr, cr), (sc, cc)))
    return torch.cat(list(pairs), 1)


def linear(width):
    return 10_000.0 ** -torch.linspace(0, 1, width // 4).double()


SLIPS = {
    "Row and column are swapped inside a position: first the row.": (
        slip(places=lambda r, c: grid(r, c).flip(0))
    ),
    "The places run down the columns. Go along the first row, then the next.": (
        slip(places=lambda r, c: grid(c, r).flip(0))
    ),
    "You count as if a row had as many places as there are rows. It has one for each column.": (
        slip(places=lambda r, c: grid(c, r))
    ),
    "The frequencies fall too slowly: how many of them are there? i must run over them all until "
    "1/10000 is near.": slip(frequencies=powers(lambda width: width / 2)),
    "The frequencies fall far too slowly: i is divided by the whole width.": (
        slip(frequencies=powers(lambda width: width))
    ),
    "The exponent has a 2 too many: the frequencies fall too fast.": (
        slip(frequencies=powers(lambda width: width / 8))
    ),
    "Your last frequency is 1/10000 itself. By the formula it is not reached.": (
        slip(frequencies=linear)
    ),
    "i starts at 1, so that the fastest wave is missing.": (
        slip(frequencies=lambda w: RIGHT(w) * 1e4 ** (-4 / w))
    ),
    "The frequencies grow: the exponent lacks its minus.": slip(
        frequencies=powers(lambda width: -width / 4)
    ),
    "The frequencies run from slow to fast. The first is the fast one.": (
        slip(frequencies=lambda w: RIGHT(w).flip(0))
    ),
    "The base is 1000, not 10000.": slip(frequencies=powers(lambda w: w / 4, 1e3)),
    "The base is 100000, not 10000.": slip(frequencies=powers(lambda w: w / 4, 1e5)),
    "The angles are taken as degrees. torch counts in radians, and so does the task.": (
        slip(places=lambda r, c: torch.deg2rad(grid(r, c)))
    ),
    "You turn the angles into degrees. torch counts in radians.": (
        slip(places=lambda r, c: torch.rad2deg(grid(r, c)))
    ),
    "There is a 2π too many: f is an angle for each step.": (
        slip(places=lambda r, c: 2 * math.pi * grid(r, c))
    ),
    "There is a π too many: f is an angle for each step.": (
        slip(places=lambda r, c: math.pi * grid(r, c))
    ),
    "Sine and cosine alternate. Here all sines of the row come first.": slip(arrange=in_turn),
    "Sine and cosine are swapped.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([cr, sr, cc, sc], 1))
    ),
    "Both sines stand before both cosines. First all that belongs to the row.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([sr, sc, cr, cc], 1))
    ),
    "There are sines only: twice the same. Two places half a wave apart need the cosine.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([sr, sr, sc, sc], 1))
    ),
    "You count rows and columns from 1.": slip(places=lambda r, c: grid(r, c) + 1),
    "You stretch rows and columns to 0 to 1. The formula counts patches.": (
        slip(places=lambda r, c: grid(r, c) / torch.tensor([r - 1, c - 1])[:, None].clamp(min=1))
    ),
    "You divide row and column by their numbers. The formula counts patches.": (
        slip(places=lambda r, c: grid(r, c) / torch.tensor([r, c])[:, None])
    ),
    "You number the patches, and leave rows and columns out: two that lie one above the other "
    "are far apart then.": slip(places=lambda r, c: torch.arange(r * c).expand(2, -1).double()),
    "The waves of row and column are added up. They stand side by side.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([sr + sc, cr + cc], 1))
    ),
    "The places are still a grid. Return one row for each place.": (
        lambda rows, columns, width: positions.right(rows, columns, width).view(
            rows, columns, width
        )
    ),
    "There are cosines only: twice the same. Two places on either side need the sine.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([cr, cr, cc, cc], 1))
    ),
    "The row stands where the column belongs, too: both halves are alike.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([sr, cr, sr, cr], 1))
    ),
    "The column stands where the row belongs, too: both halves are alike.": (
        slip(arrange=lambda sr, cr, sc, cc: torch.cat([sc, cc, sc, cc], 1))
    ),
    "Your frequencies fall by equal steps. By the formula they fall by equal factors.": (
        slip(frequencies=lambda width: torch.linspace(1, 1e-4, width // 4).double())
    ),
}


@check(
    cases=grids,
    slips=SLIPS,
    praise="Each place has an address of its own, and neighbours have similar ones.",
)
def positions(rows: int, columns: int, width: int) -> Tensor:
    """(rows · columns, width), float32. Here: e^{i·place·f} as a power of one turn."""
    turns = [cmath.exp(1j * math.exp(-math.log(1e4) * 4 * i / width)) for i in range(width // 4)]
    table = []
    for place in range(rows * columns):
        waves = [[turn**steps for turn in turns] for steps in divmod(place, columns)]
        table.append([part for wave in waves for part in parts(wave)])
    return torch.tensor(table)


def parts(wave: list[complex]) -> list[float]:
    return [w.imag for w in wave] + [w.real for w in wave]
