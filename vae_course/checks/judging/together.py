"""Two slips in one answer, each of which is known alone.

Whether one comes on top of the other is said by the slip, where it is a change of the result, of
the arguments, or of a formula with knobs. Other pairs are told from their values: two changed
terms add up, two changed factors multiply, and of several results each has its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import torch
from torch import Tensor

Results = list[tuple[Tensor, ...] | None]  # of every case; None where a slip cannot be made


@dataclass(frozen=True)
class Then:
    """A slip with the result in hand: `change(result)`. Right up to there."""

    change: Callable
    function: Callable | None = None  # None until it is known what to change

    def __call__(self, *case):
        return self.change(self.function(*case))

    def on(self, function: Callable) -> "Then":
        return replace(self, function=function)


@dataclass(frozen=True)
class Given:
    """A slip with the arguments in hand: `change(*case)` gives others."""

    change: Callable
    function: Callable | None = None

    def __call__(self, *case):
        return self.function(*self.change(*case))

    def on(self, function: Callable) -> "Given":
        return replace(self, function=function)


@dataclass(frozen=True)
class Turned:
    """`formula(*case, **knobs)`, and then `reduce` if it is given, or `usually`."""

    formula: Callable
    usually: Callable
    reduce: Callable | None
    knobs: dict

    def __call__(self, *case):
        return (self.reduce or self.usually)(self.formula(*case, **self.knobs))

    def on(self, other: Callable) -> "Turned | None":
        """Both, where they are of one formula and do not turn the same knob."""
        fits = isinstance(other, Turned) and other.formula is self.formula
        if not fits or (self.reduce and other.reduce) or self.knobs.keys() & other.knobs.keys():
            return None
        return replace(self, reduce=self.reduce or other.reduce, knobs=self.knobs | other.knobs)


def two_slips(
    known: dict[str, Callable],
    results_of: Callable[[Callable], Iterator],
    got: Results,
    want: Results,
    same: Callable,
) -> tuple[str, str] | None:
    """The sentences of two known slips that together explain every result, if there are such.

    `results_of(function)` gives one case after the other, `same(a, b)` compares those of one case.
    """

    def explains(function):
        return function is not None and _all(same, results_of(function), got)

    for (says, one), (also, other) in permutations(known.items(), 2):
        if hasattr(one, "on") and explains(one.on(other)):
            return also, says
    alone = {says: list(results_of(slip)) for says, slip in known.items()}
    alone = {says: results for says, results in alone.items() if None not in results}
    for (says, one), (also, other) in combinations(alone.items(), 2):
        for both in _by_value(one, other, got, want, same):
            if _all(same, both, got):
                return says, also
    return None


def _all(same, ours: Iterable, theirs: Results) -> bool:
    return all(a is not None and same(a, b) for a, b in zip(ours, theirs, strict=True))


def _by_value(one: Results, other: Results, got, want, same) -> Iterator[Iterable]:
    """What both slips would give: changed terms, changed factors, one result each.

    One case after the other, since most pairs are out with the first.
    """
    rows = list(zip(one, other, want, strict=True))
    if all(_shapes(a) == _shapes(b) == _shapes(w) for a, b, w in rows):
        for both in (_added, _multiplied):
            yield (tuple(map(both, *row)) for row in rows)
    if len({len(parts) for row in rows for parts in row}) == 1:
        yield (tuple(_apart(*parts, same) for parts in zip(*row, strict=True)) for row in rows)


def _added(a: Tensor, b: Tensor, right: Tensor) -> Tensor:
    return a.double() + b.double() - right.double()


def _multiplied(a: Tensor, b: Tensor, right: Tensor) -> Tensor:
    a, b, right = a.double(), b.double(), right.double()
    return torch.where(right == 0, a + b, a * b / right)  # what is 0 has no factor


def _apart(a: Tensor, b: Tensor, right: Tensor, same) -> Tensor:
    """The one that is wrong; NaN where both are."""
    if same((a,), (right,)):
        return b
    return a if same((b,), (right,)) else torch.full_like(right, torch.nan, dtype=torch.float64)


def _shapes(parts: Sequence[Tensor]) -> list[torch.Size]:
    return [part.shape for part in parts]
