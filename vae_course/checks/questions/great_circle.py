"""Task 1: a walk on the great circle between two vectors."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import as_tensors, require, run

SIZES = ((3, 2), (2, 5), (4, 8))
ASTRAY = (
    "It is right for vectors at an angle, but not where both point the same way. There the angle "
    "is 0, so 0 is divided by 0; and rounding can put a cosine above 1."
)


def walks(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """(start, end, t) of several lengths, at acute angles and at obtuse ones."""
    g = fresh(seed)
    apart = [walk(g, *size, low) for size, low in zip(SIZES, (0.1, 0.6, 0.1), strict=True)]
    start, end, _ = apart[2]
    near = start + 0.1 * across(start, end)  # 6 degrees: a straight line is not good enough
    return [*apart, (start, near, 0.4), (start, end, 0.0), (start, end, 1.0)]


def same_way(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """Such that some rows point the same way."""
    g, mixed = fresh(seed), []
    for size in SIZES[:2]:
        start, end, t = walk(g, *size, 0.3)
        scale = uniform(g, len(start), 1, low=0.5, high=2.5)
        mixed.append((start.repeat(3, 1), torch.cat([start, scale * start, end]), t))
    return mixed


def keep_the_batch(answer: Callable, cases: list[tuple]) -> None:
    """One pair alone has no value that tells slips apart, but a shape."""
    start, end, t = cases[0]
    (found, *_) = as_tensors(run(answer, (start[:1], end[:1], t), ("start", "end", "t")))
    require(
        found.ndim != start.ndim - 1,
        "For a batch of one pair your result is no batch any more: keep its first dimension.",
    )


def walk(g: torch.Generator, batch: int, latents: int, low: float) -> tuple:
    """No pair of rows on nearly one line, where the great circle is not clear."""
    start, end = normal(g, 2, batch, latents)
    while (F.cosine_similarity(start, end, dim=1).abs() > 0.98).any():
        start, end = normal(g, 2, batch, latents)
    sides = torch.where(torch.arange(batch) % 2 == 0, -1.0, 1.0).double()[:, None]
    end = end * (sides * (start * end).sum(1, keepdim=True)).sign()  # obtuse, acute, obtuse, …
    scale = uniform(g, batch, 1, low=0.5, high=2.5)
    return start, scale * end, uniform(g, 1, low=low, high=low + 0.3).item()


def across(start: Tensor, end: Tensor) -> Tensor:
    """At right angles to `start`, towards `end`, and as long as `start`."""
    length = start.norm(dim=1, keepdim=True)
    along = (start * end).sum(1, keepdim=True) / length**2 * start
    return length * F.normalize(end - along, dim=1)


def angle(a: Tensor, b: Tensor, dim: int = -1) -> Tensor:
    return torch.acos(F.cosine_similarity(a, b, dim=dim).clamp(-1, 1)).unsqueeze(dim)


def even_steps(start, end, t, *, angle=angle, swap=False, divide=True, unit=False) -> Tensor:
    """The usual weights, with room for slips."""
    omega = angle(start, end)
    first, last = (F.normalize(v, dim=1) if unit else v for v in (start, end))
    if swap:
        first, last = last, first
    total = torch.sin((1 - t) * omega) * first + torch.sin(t * omega) * last
    return total / torch.sin(omega) if divide else total


def straight(a, b, t):
    return (1 - t) * a + t * b


by_angle = turned(even_steps, lambda point: point)
SLIPS = {
    "This is the straight line. Between draws it passes where no draw is.": straight,
    "You walk from the end to the start: t = 0 must give the start.": by_angle(swap=True),
    "The division is missing: t = 0 must give the start.": by_angle(divide=False),
    "These weights make the way back another one than the way there, as the page shows.": (
        lambda a, b, t: t * a + math.sqrt(1 - t**2) * b
    ),
    "These weights make the way back another one than the way there, as the page shows. The end "
    "and the start are right.": lambda a, b, t: math.sqrt(1 - t**2) * a + t * b,
    "The squares of your weights add up to one. That keeps the length only for vectors at a right "
    "angle.": lambda a, b, t: math.sqrt(1 - t) * a + math.sqrt(t) * b,
    "You turn by a right angle in all. The angle between two draws is seldom that.": (
        lambda a, b, t: math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b
    ),
    "Your result has length 1: the lengths of start and end are lost.": by_angle(unit=True),
    "A straight line, stretched to length 1: the lengths are lost, and the angles are uneven.": (
        lambda a, b, t: F.normalize(straight(a, b, t), dim=1)
    ),
    "A straight line, stretched to the right length: but then equal steps of t are not equal "
    "angles.": lambda a, b, t: (
        F.normalize(straight(a, b, t), dim=1)
        * straight(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    ),
    "Straight between the directions, which is not an even turn.": lambda a, b, t: (
        straight(F.normalize(a, dim=1), F.normalize(b, dim=1), t)
        * straight(a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t)
    ),
    "You found one angle for the whole batch. Each pair has its own.": by_angle(
        angle=lambda a, b: angle(a.flatten(), b.flatten())
    ),
    "Your angle runs over the batch. It is one between vectors, which are rows.": by_angle(
        angle=lambda a, b: angle(a, b, dim=0)
    ),
    "You take the cosine for the angle.": by_angle(
        angle=lambda a, b: F.cosine_similarity(a, b, dim=1)[:, None]
    ),
    "You call vectors at a small angle parallel. The straight line will do only where the angle is "
    "next to 0.": lambda a, b, t: torch.where(
        F.cosine_similarity(a, b, dim=1)[:, None] > 0.99, straight(a, b, t), by_angle()(a, b, t)
    ),
    "You walk half the angle only.": by_angle(angle=lambda a, b: angle(a, b) / 2),
    "The sine of an angle in degrees? torch counts in radians.": by_angle(
        angle=lambda a, b: torch.rad2deg(angle(a, b))
    ),
    "You divide by the angle. Divide by what makes both ends right.": lambda a, b, t: (
        by_angle(divide=False)(a, b, t) / angle(a, b)
    ),
    "You take t itself for an angle. It is the share of the angle between the two.": (
        lambda a, b, t: math.cos(t) * a + math.sin(t) * b
    ),
    "You walk twice the angle.": by_angle(angle=lambda a, b: 2 * angle(a, b)),
    "You average the angles. Each pair has its own.": by_angle(
        angle=lambda a, b: angle(a, b).mean()
    ),
    "You take the size of the cosine. An angle can be above 90 degrees.": by_angle(
        angle=lambda a, b: torch.acos(F.cosine_similarity(a, b, dim=1).abs())[:, None]
    ),
}


@check(
    cases=walks,
    before=keep_the_batch,
    extreme=same_way,
    astray=ASTRAY,
    slips=SLIPS,
    praise="Even angles, both ends, the same way back, and from Bob to Bob it stays with Bob.",
)
def great_circle(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The point at t, (batch, d) -> (batch, d); where both point the same way, a straight line.

    Here: each row by itself, turned in the plane of its two vectors.
    """
    return torch.stack([in_their_plane(a, b, t) for a, b in zip(start, end, strict=True)])


def in_their_plane(a: Tensor, b: Tensor, t: float) -> Tensor:
    first = a / a.norm()
    off = b - (b @ first) * first
    if off.norm() < 1e-9 * b.norm():  # the same direction: the limit is the straight line
        return (1 - t) * a + t * b
    angle = math.atan2(off.norm(), b @ first)
    # Coordinates in the plane: a is at angle 0, b at `angle`, and the point is to be at t · angle.
    corners = torch.stack([at(0.0), at(angle)], 1).to(a)
    shares = torch.linalg.solve(corners, at(t * angle).to(a))
    return shares[0] * a + shares[1] * b


def at(angle: float) -> Tensor:
    return torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
