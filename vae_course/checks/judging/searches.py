"""The lowest point of a function, found by trying: an oracle that needs no derivative."""

from collections.abc import Callable

import torch
from torch import Tensor

POINTS, ZOOMS = 41, 6


def lowest(function: Callable, low: Tensor, high: Tensor) -> Tensor:
    """Where `function` is lowest between `low` and `high`, number by number, each of any shape.

    `function` gets POINTS candidates, (POINTS, *shape), and returns as many values, each of which
    depends on its own candidate only. It must have one valley.
    """
    share = torch.linspace(0, 1, POINTS, dtype=torch.float64).reshape(-1, *[1] * low.ndim)
    least, most = low, high
    for _ in range(ZOOMS):
        points = low + (high - low) * share
        best = points.gather(0, function(points).argmin(0, keepdim=True))[0]
        width = (high - low) / (POINTS - 1)
        low, high = torch.maximum(best - width, least), torch.minimum(best + width, most)
    return best
