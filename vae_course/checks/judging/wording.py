"""What can be said of an answer whose mistake is not known: where it is wrong, and which way."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_course.checks.judging.naming import Tensors, Tolerance, same
from vae_course.checks.judging.running import describe

BOUNDS = 0.01, 0.1, 1, 10


@dataclass(frozen=True)
class Tried:
    """A case, what the answer gave for it, and what is right."""

    case: tuple
    got: Tensors
    want: Tensors
    within: Tolerance

    @property
    def fits(self) -> bool:
        return same(self.got, self.want, self.within)


def difference(
    tried: list[Tried], more: list[Tried], names: Sequence[str], results: Sequence[str]
) -> str:
    """`more` are further tries, to tell what the size of the input does from what its values do."""
    wrong = next(one for one in tried if not one.fits)
    told = any(not callable(value) for value in wrong.case[: len(names)])
    where = f"for {describe(wrong.case, names)}" if told else ""
    if _shapes(wrong.got) != _shapes(wrong.want):
        return _another_shape(wrong, where, results)
    good = next((one for one in tried if one.fits), None)
    if good:
        return _right_elsewhere(good, wrong, tried + more, names)
    gaps = _flat(tried, lambda a, b: a - b)
    if len(gaps) > 1 and gaps.std() < 1e-5 * gaps.abs().max():
        way = "high" if gaps.mean() > 0 else "low"
        return (
            f"Yours is too {way} by the same number everywhere, {_size(gaps.abs().max())}: look at "
            "the constants."
        )
    ratios = _flat(tried, lambda a, b: a / b)
    if len(ratios) > 1 and ratios.std() < 1e-5 * ratios.abs().max():
        return (
            "Yours is the right value times the same number everywhere, "
            f"{_size(ratios.abs().max())}{', and negative' if ratios.max() < 0 else ''}. What is "
            "counted too often, or divided by too much?"
        )
    return _values(tried, wrong, where, results)


def _another_shape(wrong: Tried, where: str, results: Sequence[str]) -> str:
    shapes, expected = _shapes(wrong.got), _shapes(wrong.want)
    if results and len(wrong.got) != len(wrong.want):
        count = len(wrong.got) if len(wrong.got) > 1 else "one alone"
        return (
            f"Return {len(results)} things, in a tuple: {', '.join(results)}; yours is {count}, of "
            f"shape {shapes}."
        )
    begin = f"{where[:1].upper()}{where[1:]} the" if where else "The"
    return f"{begin} result must have shape {expected}, but yours has {shapes}."


def _right_elsewhere(good: Tried, wrong: Tried, every: list[Tried], names: Sequence[str]) -> str:
    one, other = describe(good.case, names), describe(wrong.case, names)
    by_size: dict[tuple, set[bool]] = {}
    for each in every:
        sizes = tuple(v.shape if isinstance(v, Tensor) else None for v in each.case)
        by_size.setdefault(sizes, set()).add(each.fits)
    mixed = any(len(fits) == 2 for fits in by_size.values())
    if not mixed and one == other:
        return "It is right for some inputs, but not for those of another size. What depends on it?"
    if not mixed:
        return f"It is right for {one}, but not for {other}. What in your code depends on these?"
    return (
        "It is right for some inputs, and wrong for others of the same size, so look at what "
        f"happens to the values{_where(every, names)}. Is something cut off, rounded, or right for "
        "one sign only?"
    )


def _rows_right(one: Tried) -> Tensor:
    """For each row of the results, of dimension 0, whether it is right."""
    rows = torch.ones(1, dtype=torch.bool)
    relative, absolute = one.within if isinstance(one.within, tuple) else (one.within,) * 2
    for a, b in zip(one.got, one.want, strict=False):
        if a.shape == b.shape and a.numel():
            close = torch.isclose(a.double(), b.double(), rtol=relative, atol=absolute)
            close = close.reshape(len(a), -1).all(1) if a.ndim else close.reshape(1)
            rows = rows & close if len(rows) in (1, len(close)) else close
    return rows


def _where(every: list[Tried], names: Sequence[str]) -> str:
    """The argument that is largest, or smallest, in all rows that are wrong."""
    for index, name in enumerate(names):
        for says, end in (("large", torch.amax), ("small", lambda t, d: -torch.amin(t, d))):
            right, wrong = [], []
            for one in every:
                rows = _rows_right(one)
                value = one.case[index]
                if isinstance(value, Tensor) and value.ndim and len(value) == len(rows) > 1:
                    ends = end(value.double().flatten(1) if value.ndim > 1 else value[:, None], 1)
                elif isinstance(value, Tensor | float | int) and len(rows):
                    ends = end(torch.as_tensor(value).double().reshape(1, -1), 1).expand(len(rows))
                else:
                    break
                right += ends[rows].tolist()
                wrong += ends[~rows].tolist()
            else:
                if len(right) > 2 and len(wrong) > 2 and min(wrong) > max(right):
                    return f", where `{name}` is {says}"
    return ""


def _values(tried: list[Tried], wrong: Tried, where: str, results: Sequence[str]) -> str:
    fine = [
        all(same((one.got[i],), (one.want[i],), one.within) for one in tried)
        for i in range(len(wrong.want))
    ]
    at = fine.index(False) if False in fine else 0
    gaps = _flat(tried, lambda a, b: a - b, at)
    way = "too large" if gaps.min() > 0 else "too small" if gaps.max() < 0 else ""
    way = f"{way} everywhere" if way else "too large in some places, too small in others"
    if len(fine) == 1:
        return f"The shape is right, the values are not: {way}. {_begins(wrong, 0, 'Yours', where)}"
    name = results[at] if results else f"result {at + 1}"
    others = [results[i] if results else f"result {i + 1}" for i, good in enumerate(fine) if good]
    good = f"{_and(others)} {'is' if len(others) == 1 else 'are'} right. But {name}"
    name = good if others else name
    return f"The shapes are right. {name[:1].upper()}{name[1:]} is not: {way}."


def _begins(wrong: Tried, at: int, which: str, where: str) -> str:
    first = wrong.got[at].flatten()[0].item()
    return f"{which} begins with {first:.4g}{where and ' '}{where}."


def _flat(tried: list[Tried], change, part: int | None = None) -> Tensor:
    pairs = [
        (a, b)
        for one in tried
        for i, (a, b) in enumerate(zip(one.got, one.want, strict=True))
        if part in (None, i)
    ]
    return torch.cat([change(a.double(), b.double()).flatten() for a, b in pairs])


def _size(number: Tensor) -> str:
    for low, high in zip((0, *BOUNDS), (*BOUNDS, None), strict=True):
        if high is None:
            return f"more than {low}"
        if number < high:
            return f"between {low} and {high}" if low else f"less than {high}"
    raise AssertionError


def _and(words: Sequence[str]) -> str:
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def _shapes(parts: Tensors) -> str:
    return " and ".join(str(tuple(part.shape)) for part in parts)
