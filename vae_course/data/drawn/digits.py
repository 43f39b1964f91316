"""Drawn digits: 28x28 pen strokes with known factors, at hand where MNIST may not be.

`sample_factors` draws how each digit is written, `render_digits` inks it, `draw_digits` does both.
To change one factor alone, render `{**factors, "slant": factors["slant"] + 0.3}`.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.data.drawn.factors import checked_factors, random_streams

SIZE = 28
HEIGHT = 17.0  # pixels the pen's centre travels down at scale 1: MNIST's 20 less a pen's width
SEGMENTS = 28  # straight pieces a digit: about 0.1 pixel off the curve, 0.3 in tight bends
CONTROLS = 14  # control points, at most, in a template
CHUNK = 128  # images inked at a time: few enough for their buffers to stay in the L2 cache
WOBBLE = 0.95  # pixels, standard deviation of a control point along each axis
RANGES = {  # lowest, likeliest and highest value of each triangular factor
    "slant": (-0.3, 0.12, 0.55),
    "rotation": (-0.25, 0.0, 0.25),
    "scale": (0.8, 1.0, 1.08),
    "aspect": (0.75, 1.08, 1.35),
    "width": (1.6, 2.7, 3.9),
    "shift_x": (-1.0, 0.0, 1.0),
    "shift_y": (-1.0, 0.0, 1.0),
}
SHAPES = dict.fromkeys(("digit", "style", *RANGES), ()) | {"wobble": (CONTROLS, 2)}

# Three ways to write each digit, the commonest first. Control points "x,y" in percent of the
# digit's height, y down, in the order of writing; "|" lifts the pen. Equal points are one, so that
# a corner stays closed when the points wobble.
STYLE_ODDS = (0.5, 0.3, 0.2)
TEMPLATES = (
    "40,2 20,9 6,36 9,72 26,97 48,90 62,60 59,24 44,5 30,4",  # 0 round
    "36,0 20,14 10,42 10,74 22,98 38,94 50,66 50,32 42,8 30,4",  # narrow
    "52,12 30,2 10,24 4,58 18,94 44,96 62,66 60,28 40,10 22,20",  # a tail across the top
    "30,0 30,50 30,100",  # 1 bare
    "10,24 24,12 32,0 | 32,0 31,50 30,100",  # flag
    "12,20 24,10 32,0 | 32,0 31,50 30,98 | 8,98 30,98 54,97",  # flag and foot
    "8,22 22,4 44,3 55,20 47,45 27,73 6,97 | 6,97 32,95 64,96",  # 2 straight foot
    "8,24 24,3 46,4 55,22 47,48 30,76 12,95 2,86 14,76 34,88 50,97 66,88",  # looped foot
    "6,18 26,2 48,10 50,30 36,60 8,96 | 8,96 28,90 46,97 64,90",  # swan
    "8,14 26,1 48,7 51,26 38,42 22,47 | 22,47 46,51 57,72 44,94 22,99 4,87",  # 3 round
    "8,4 32,4 56,3 | 56,3 42,22 28,40 | 28,40 52,48 58,70 46,93 22,99 4,88",  # flat top
    "8,10 30,1 48,11 44,32 28,46 18,45 28,42 48,52 55,74 42,95 22,99 4,92",  # looped waist
    "14,2 10,28 6,54 | 6,54 34,54 64,50 | 52,8 50,40 48,70 46,100",  # 4 open
    "48,0 26,30 2,66 | 2,66 34,65 70,62 | 48,0 49,34 48,68 47,100",  # closed
    "10,4 6,30 10,50 30,53 52,40 | 56,2 52,36 47,68 42,100",  # round
    "16,6 13,26 11,44 | 11,44 32,37 52,48 55,70 42,93 22,99 6,89 | 16,6 36,5 56,3",  # 5
    "60,4 40,3 22,7 14,26 18,42 38,50 52,64 46,88 26,99 4,92",  # one sweep, like an S
    "20,4 16,22 10,46 | 10,46 32,42 50,54 52,76 38,95 20,99 6,93 | 20,4 39,5 57,4",  # square
    "46,0 26,18 12,42 6,70 16,95 38,97 52,80 44,62 26,60 9,76",  # 6 curved back
    "42,0 28,22 14,48 5,74 17,98 38,97 51,80 41,62 22,66 7,83",  # straight back, low loop
    "56,8 36,2 16,24 5,58 14,91 38,98 56,80 50,58 28,54 8,70",  # hooked
    "6,7 32,6 60,3 | 60,3 46,36 34,68 26,100",  # 7 plain
    "6,6 32,6 60,4 | 60,4 46,36 34,68 26,100 | 16,54 36,51 58,48",  # barred
    "4,20 9,6 32,6 54,4 58,14 47,40 35,70 30,100",  # hooked, with a round corner
    "50,12 30,1 12,14 18,36 38,54 52,76 38,97 16,93 8,75 22,56 42,38 53,20 48,8",  # 8 from an S
    "30,46 12,33 14,10 32,0 50,11 47,34 30,46 | 30,46 10,60 8,86 30,100 53,87 51,60 30,46",
    "54,8 34,0 20,16 26,38 40,58 44,82 28,99 12,84 20,60 36,42 52,24",  # narrow, open top
    "54,14 34,2 14,13 9,34 24,47 44,36 54,14 | 54,14 52,42 50,70 48,100",  # 9 straight stem
    "54,16 34,1 14,12 8,34 24,48 44,38 54,16 | 54,16 54,46 50,76 34,98 10,92",  # curled tail
    "54,18 38,2 18,8 8,28 22,46 42,38 56,14 | 56,14 51,42 42,70 30,100",  # small head
)


def _catmull_rom(pieces):
    """Weights (pieces + 1, 4) of four points, for places along the curve between the inner two."""
    t = np.arange(pieces + 1) / pieces
    u = 1 - t
    weights = -t * u * u, 2 - t * t * (5 - 3 * t), 2 - u * u * (5 - 3 * u), -u * t * t
    return np.stack(weights, axis=1) / 2


def _compile(text):
    """Control points (C, 2) in pixels; their shares in the segments' two ends (C, 2, SEGMENTS)."""
    strokes = [[tuple(map(float, p.split(","))) for p in s.split()] for s in text.split("|")]
    points = list(dict.fromkeys(point for stroke in strokes for point in stroke))  # each once
    places = _in_pixels(points)
    spans = [span for stroke in strokes for span in _spans([points.index(p) for p in stroke])]
    shares = []
    for span, pieces in zip(spans, _pieces(places, spans), strict=True):
        curve = _catmull_rom(pieces) @ np.eye(CONTROLS)[span]  # (pieces + 1, CONTROLS)
        shares.append(np.stack([curve[:-1], curve[1:]]))
    ends = np.concatenate(shares, axis=1)
    return np.pad(places, ((0, CONTROLS - len(places)), (0, 0))), ends.transpose(2, 0, 1)


def _in_pixels(points):
    """From hundredths of the height to pixels, the middle of the digit at the origin."""
    places = np.array(points) * HEIGHT / 100
    return places - (places.min(axis=0) + places.max(axis=0)) / 2


def _spans(stroke):
    """Four neighbouring points for each stretch of a curve; the ends are their own neighbours."""
    padded = [stroke[0], *stroke, stroke[-1]]
    return [padded[k : k + 4] for k in range(len(padded) - 3)]


def _pieces(places, spans):
    """How many straight segments each span gets: one, and of the rest by its length."""
    lengths = [np.linalg.norm(places[end] - places[start]) for _, start, end, _ in spans]
    travelled = np.cumsum([0, *lengths])
    spare = np.round(travelled / travelled[-1] * (SEGMENTS - len(spans)))
    return 1 + np.diff(spare).astype(int)


POINTS, PENS = zip(*map(_compile, TEMPLATES), strict=True)
POINTS, PENS = np.stack(POINTS), np.stack(PENS, axis=-1)


def sample_factors(n, *, seed, split):
    """Draw how n digits are written. The splits are independent; n digits begin with any fewer.

    Returns a dict of tensors, labels int64 and the rest float32:
    digit, style (n,): 0-9, and 0-2 for which of the digit's templates;
    slant (n,): pixels that the top leans right for each pixel of height;
    rotation (n,): radians, positive counter-clockwise as seen;
    scale, aspect (n,): 1 is a digit about 20 pixels high, as wide as its template;
    width (n,): of the pen, pixels; shift_x, shift_y (n,): pixels to the right and down;
    wobble (n, C, 2): displacement (x, y) of each control point, pixels at scale 1.
    Raises ValueError for n < 1, seed < 0 or an unknown split.
    """
    rng = random_streams(SHAPES, n, seed=seed, split=split)
    style = rng["style"].choice(len(STYLE_ODDS), n, p=STYLE_ODDS)
    factors = {"digit": rng["digit"].integers(0, 10, n), "style": style}
    for name, (low, likely, high) in RANGES.items():
        factors[name] = rng[name].triangular(low, likely, high, n).astype(np.float32)
    white = rng["wobble"].standard_normal((n, CONTROLS + 2, 2))
    drift = white[:, :-2] + white[:, 1:-1] + white[:, 2:]  # neighbours share it: a hand, not noise
    factors["wobble"] = (WOBBLE * drift / np.sqrt(3)).astype(np.float32)
    return {name: torch.from_numpy(values) for name, values in factors.items()}


def _place(points, f):
    """Control points (m, C, 2) about the origin -> x, y (m, C), pixels of the image."""
    f = {name: f[name].astype(np.float64)[:, None] for name in RANGES}
    y = points[..., 1] * f["scale"]
    x = points[..., 0] * f["scale"] * f["aspect"] - f["slant"] * y
    cos, sin, middle = np.cos(f["rotation"]), np.sin(f["rotation"]), (SIZE - 1) / 2
    return x * cos + y * sin + f["shift_x"] + middle, y * cos - x * sin + f["shift_y"] + middle


def _segments(f):
    """Factors of m digits -> x and y of both ends of their segments, each (2, SEGMENTS, m)."""
    template = np.ravel_multi_index((f["digit"], f["style"]), (10, len(STYLE_ODDS)))
    pens = np.take(PENS, template, axis=-1)
    placed = _place(POINTS[template] + f["wobble"], f)
    return [sum(pen * point for pen, point in zip(pens, v.T, strict=True)) for v in placed]


def _frames(x, y):
    """Each segment's own axes, from its middle: what a pixel's column and row add to its offset
    along, then across, four (SEGMENTS, 28, m); and the half lengths (SEGMENTS, m)."""
    dx, dy = (x[1] - x[0])[:, None], (y[1] - y[0])[:, None]
    length = np.sqrt(dx * dx + dy * dy)
    dot = length == 0  # has no direction: any will do
    cos, sin = (dx + dot) / (length + dot), dy / (length + dot)
    pixel = np.arange(SIZE)[:, None]
    right, down = pixel - (x[0] + x[1])[:, None] / 2, pixel - (y[0] + y[1])[:, None] / 2
    frames = right * cos, down * sin, -right * sin, down * cos, length[:, 0] / 2
    return [v.astype(np.float32) for v in frames]


def _ink(f):
    """Factors of m digits -> (m, 28, 28), from 0 to 1 over the one pixel about the pen's edge.

    Images lie innermost until the end, for long plain rows. Each operation here is exact, and sums
    are in a fixed order, so that no pixel depends on what is computed beside it.
    """
    nearest = np.float32(np.inf)
    for column, row, column_across, row_across, half in zip(*_frames(*_segments(f)), strict=True):
        along = np.maximum(np.abs(column + row[:, None]) - half, 0)
        across = column_across + row_across[:, None]
        nearest = np.minimum(nearest, along * along + across * across)
    edge = f["width"].astype(np.float32) / 2 + 0.5
    return np.clip(edge - np.sqrt(nearest), 0, 1).transpose(2, 0, 1)


def render_digits(factors):
    """Ink n digits, given a dict as `sample_factors` returns it -> (n, 1, 28, 28) float32.

    The same factors give the same bits in any batch and on any number of threads.
    Raises ValueError for a factor that is missing or misshapen, or a digit or style out of range.
    """
    factors = checked_factors(factors, SHAPES)
    images = np.empty((len(factors["digit"]), 1, SIZE, SIZE), dtype=np.float32)
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        images[chunk, 0] = _ink({name: values[chunk] for name, values in factors.items()})
    return torch.from_numpy(images)


def draw_digits(n, *, seed, split):
    """Sample and ink n digits -> images (n, 1, 28, 28), factors. Raises as `sample_factors`."""
    factors = sample_factors(n, seed=seed, split=split)
    return render_digits(factors), factors


def plain_factors(
    n: int, vary: Sequence[str] = ("digit",), *, seed: int, split: str
) -> dict[str, Tensor]:
    """Factors of n digits, drawn for those named in `vary`; for `render_digits`.

    Every other factor is the same for all: the commonest style, no wobble, the likeliest value of
    the rest. Raises ValueError for an unknown factor, and as `sample_factors`.
    """
    drawn = sample_factors(n, seed=seed, split=split)
    if unknown := [name for name in vary if name not in drawn]:
        raise ValueError(f"expected factors among {', '.join(drawn)}, but got {unknown}")
    plain = {name: torch.zeros_like(values) for name, values in drawn.items()}
    plain |= {name: torch.full_like(drawn[name], RANGES[name][1]) for name in RANGES}
    return plain | {name: drawn[name] for name in vary}


def as_numbers(factors: dict[str, Tensor], names: Sequence[str]) -> Tensor:
    """The named factors as inputs of a network, (n, columns): float32, side by side.

    A digit has ten columns, one of them 1 and the rest 0. Any other has one: -1 and 1 are the ends
    of its range. Raises ValueError for a name that is neither "digit" nor in `RANGES`.
    """
    columns = []
    for name in names:
        if name == "digit":
            columns.append(F.one_hot(factors[name], 10).float())
        elif name in RANGES:
            low, _, high = RANGES[name]
            columns.append((2 * factors[name][:, None] - low - high) / (high - low))
        else:
            raise ValueError(f"expected digit or one of {', '.join(RANGES)}, but got {name!r}")
    return torch.cat(columns, 1)
