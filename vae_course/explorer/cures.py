"""Answers to the same codes: how sharp they are, what they cost, and a filter beside them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.evaluation import laplacian_variance
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure

SHOWN = 8  # pictures in a row
STEP = 0.05  # of the filter's strength


def cures(
    images: Tensor, answers: dict[str, Tensor], *, strength: float, std: float, caption: str
) -> LiveFigure:
    """Grey `images` (N, 1, H, W), and what decoders answer to their codes, by name, as large.

    The figure starts with a filter of the first answer: it moves each pixel away from the average
    of itself and its neighbours, `strength` times. Squared error and sharpness are measured on all
    pictures; sharpness is the variance of the Laplacian, relative to `images`. Nats are what
    log N(x; answer, std² I) loses against the first answer, per picture.

    Raises ValueError for fewer than two answers, other shapes, or numbers that are not positive.
    """
    if len(answers) < 2:
        raise ValueError(f"cures are compared, so give at least 2 answers, not {len(answers)}")
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"expected grey pictures (N, 1, H, W), but got {tuple(images.shape)}")
    for name, answer in answers.items():
        if answer.shape != images.shape:
            came = tuple(answer.shape)
            raise ValueError(f"{name} should be as large as the pictures, but is {came}")
    if strength <= 0 or std <= 0:
        raise ValueError(f"strength and std must be positive, but are {strength} and {std}")
    soft = next(iter(answers.values()))
    away = soft - F.avg_pool2d(soft, 3, 1, 1, count_include_pad=False)
    detail = laplacian_variance(images.double()).mean()

    def error(answer: Tensor) -> float:
        return (answer.double() - images).square().flatten(1).sum(1).mean().item()

    def sharpness(answer: Tensor) -> float:
        return (laplacian_variance(answer.double()).mean() / detail).item()

    points = {name: (error(answer), sharpness(answer)) for name, answer in answers.items()}
    curve = [_quadratic(lambda s, of=of: of(soft.double() + s * away)) for of in (error, sharpness)]
    return LiveFigure(
        kind="cures",
        name="What makes an answer sharp, and what it costs",
        caption=caption,
        alt="Sharpness against squared error: a point for each of "
        f"{', '.join(answers)}, and a curve that rises from the first: a filter, ever stronger. "
        "A dashed line marks the sharpness of real pictures.",
        still=_still(points, curve, strength),
        data={
            "names": list(answers),
            "points": list(points.values()),
            "curve": curve,
            "start": strength,
            "step": STEP,
            "nats": 1 / (2 * std**2),
            "images": packing.bytes8(images[:SHOWN]),
            "soft": packing.float32(soft[:SHOWN]),
            "answers": [packing.bytes8(answer[:SHOWN]) for answer in answers.values()],
            "shape": [len(images[:SHOWN]), *images.shape[2:]],
        },
    )


def _quadratic(value: Callable[[float], float]) -> list[float]:
    """a, b, c of a + b s + c s², from three values."""
    zero, one, two = (value(s) for s in (0.0, 1.0, 2.0))
    return [zero, (4 * one - two - 3 * zero) / 2, (two - 2 * one + zero) / 2]


def _still(points: dict[str, tuple[float, float]], curve: list, strength: float) -> Figure:
    made, (axis,) = plotting.figure(6, 3.4)
    s = torch.linspace(0, 1.5 * strength, 50)
    axis.plot(*(a + b * s + c * s**2 for a, b, c in curve), "--", label="filter")
    for (name, place), mark in zip(points.items(), "osDP^vX*" * len(points), strict=False):
        axis.plot(*place, mark, label=name)
    axis.axhline(1, color="black", ls=":", lw=1, label="real pictures")
    axis.set(xlabel="squared error", ylabel="sharpness, relative to real pictures")
    axis.legend(fontsize=9)
    return made
