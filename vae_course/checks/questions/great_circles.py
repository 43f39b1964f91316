"""Walks on a great circle for the checks: inputs, an oracle, and slips with their names."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.inputs import normal, uniform

SIZES = ((3, 2), (1, 5), (4, 8))


def walks(g: torch.Generator) -> tuple[list[tuple], list[tuple]]:
    """(start, end, t) of several lengths; and such that some rows point the same way."""
    apart, mixed = [], []
    for size, low in zip(SIZES, (0.1, 0.6, 0.1), strict=True):
        start, end = _pair(g, *size)
        scale = uniform(g, len(start), 1, low=0.5, high=2.5)
        t = uniform(g, 1, low=low, high=low + 0.3).item()
        apart.append((start, scale * end, t))
        mixed.append((start.repeat(3, 1), torch.cat([start, scale * start, end]), t))
    start, end, _ = apart[2]
    near = start + 0.1 * _across(start, end)  # 6 degrees: a straight line is not good enough
    return [*apart, (start, near, 0.4), (start, end, 0.0), (start, end, 1.0)], mixed[:2]


def _across(start: Tensor, end: Tensor) -> Tensor:
    """At right angles to `start`, towards `end`, and as long as `start`."""
    length = start.norm(dim=1, keepdim=True)
    along = (start * end).sum(1, keepdim=True) / length**2 * start
    return length * F.normalize(end - along, dim=1)


def _pair(g: torch.Generator, batch: int, latents: int) -> Tensor:
    """Two batches; no pair of rows on nearly one line, where the great circle is not clear."""
    pair = normal(g, 2, batch, latents)
    while (F.cosine_similarity(*pair, dim=1).abs() > 0.98).any():
        pair = normal(g, 2, batch, latents)
    return pair


def great_circle(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The oracle: each row by itself, turned in the plane of its two vectors."""
    return torch.stack([_turned(a, b, t) for a, b in zip(start, end, strict=True)])


def _turned(a: Tensor, b: Tensor, t: float) -> Tensor:
    first = a / a.norm()
    off = b - (b @ first) * first
    if off.norm() < 1e-9 * b.norm():  # the same direction: the limit is the straight line
        return (1 - t) * a + t * b
    angle = math.atan2(off.norm(), b @ first)
    # Coordinates in the plane: a is at angle 0, b at `angle`, and the point is to be at t · angle.
    corners = torch.stack([_at(0.0), _at(angle)], 1).to(a)
    shares = torch.linalg.solve(corners, _at(t * angle).to(a))
    return shares[0] * a + shares[1] * b


def _at(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)


def _angle(a: Tensor, b: Tensor, dim: int = -1) -> Tensor:
    return torch.acos(F.cosine_similarity(a, b, dim=dim).clamp(-1, 1)).unsqueeze(dim)


def _by_angle(angle=_angle, *, swap=False, divide=True, unit=False) -> Callable:
    """The usual weights, with room for slips."""

    def walk(start, end, t):
        omega = angle(start, end)
        first, last = (F.normalize(v, dim=1) if unit else v for v in (start, end))
        if swap:
            first, last = last, first
        total = torch.sin((1 - t) * omega) * first + torch.sin(t * omega) * last
        return total / torch.sin(omega) if divide else total

    return walk


def _straight(a, b, t):
    return (1 - t) * a + t * b


MISTAKES = {
    "This is the straight line. Between draws it passes where no draw is.": _straight,
    "You walk from the end to the start: t = 0 must give the start.": _by_angle(swap=True),
    "The division is missing: t = 0 must give the start.": _by_angle(divide=False),
    "These weights make the way back another one than the way there, as chapter 9 shows.": (
        lambda a, b, t: t * a + math.sqrt(1 - t**2) * b
    ),
    "These weights make the way back another one than the way there, as chapter 9 shows. The end "
    "and the start are right.": lambda a, b, t: math.sqrt(1 - t**2) * a + t * b,
    "The squares of your weights add up to one. That keeps the length only for vectors at a right "
    "angle.": lambda a, b, t: math.sqrt(1 - t) * a + math.sqrt(t) * b,
    "You turn by a right angle in all. The angle between two draws is seldom that.": (
        lambda a, b, t: math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b
    ),
    "Your result has length 1: the lengths of start and end are lost.": _by_angle(unit=True),
    "A straight line, stretched to length 1: the lengths are lost, and the angles are uneven.": (
        lambda a, b, t: F.normalize(_straight(a, b, t), dim=1)
    ),
    "A straight line, stretched to the right length: but then equal steps of t are not equal "
    "angles.": lambda a, b, t: (
        F.normalize(_straight(a, b, t), dim=1)
        * _straight(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    ),
    "Straight between the directions, which is not an even turn.": lambda a, b, t: (
        _straight(F.normalize(a, dim=1), F.normalize(b, dim=1), t)
        * _straight(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    ),
    "You found one angle for the whole batch. Each pair has its own.": _by_angle(
        lambda a, b: _angle(a.flatten(), b.flatten())
    ),
    "Your angle runs over the batch. It is one between vectors, which are rows.": _by_angle(
        lambda a, b: _angle(a, b, dim=0)
    ),
    "You take the cosine for the angle.": _by_angle(
        lambda a, b: F.cosine_similarity(a, b, dim=1)[:, None]
    ),
    "You call vectors at a small angle parallel. The straight line will do only where the angle is "
    "next to 0.": lambda a, b, t: torch.where(
        F.cosine_similarity(a, b, dim=1)[:, None] > 0.99, _straight(a, b, t), _by_angle()(a, b, t)
    ),
    "You walk half the angle only.": _by_angle(lambda a, b: _angle(a, b) / 2),
    "The sine of an angle in degrees? torch counts in radians.": _by_angle(
        lambda a, b: torch.rad2deg(_angle(a, b))
    ),
    "You divide by the angle. Divide by what makes both ends right.": lambda a, b, t: (
        _by_angle(divide=False)(a, b, t) / _angle(a, b)
    ),
}
