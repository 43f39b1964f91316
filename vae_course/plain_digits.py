"""Drawn digits that differ in chosen factors alone: the same hand, the same pen."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.digits import RANGES, sample_factors


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
