"""Walks from one point to another: straight, and along a great circle."""

import torch
from torch import Tensor


def straight_line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """(1 - t) start + t end at `steps` even values of t from 0 to 1: (steps, *start.shape)."""
    _require_pair(start, end, steps)
    t = torch.linspace(0, 1, steps, dtype=start.dtype).view(-1, *[1] * start.ndim)
    return (1 - t) * start + t * end


def great_circle(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """From `start` to `end` (..., d) in even angles about the origin: (steps, ..., d).

    With the angle ω between the two, the weights are sin((1 - t) ω) / sin ω and sin(t ω) / sin ω
    (Shoemake 1985). Points of one length keep it. Raises ValueError where the angle is 0 or 180°,
    so that no single great circle joins the two.
    """
    _require_pair(start, end, steps)
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=-1).unsqueeze(-1)
    if (cosine.abs() > 1 - 1e-6).any():
        raise ValueError("start and end lie on one line through the origin; walk straight instead")
    omega = torch.acos(cosine)
    t = torch.linspace(0, 1, steps, dtype=start.dtype).view(-1, *[1] * start.ndim)
    return (torch.sin((1 - t) * omega) * start + torch.sin(t * omega) * end) / torch.sin(omega)


def _require_pair(start: Tensor, end: Tensor, steps: int) -> None:
    if start.shape != end.shape:
        raise ValueError(
            "start and end must have the same shape, but are "
            f"{tuple(start.shape)} and {tuple(end.shape)}"
        )
    if steps < 2:
        raise ValueError(f"a walk needs at least 2 steps, its two ends, but got {steps}")
