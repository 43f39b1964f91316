"""Which known mistake, or which two, explain every result of an answer."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from vae_course.checks.judging.running import NotYet, as_tensors, copy
from vae_course.checks.judging.together import Then, two_slips

Tensors = tuple[Tensor, ...]
Tolerance = float | tuple[float, float]
Slips = dict[str, Callable]  # what to say -> what such a learner's function computes

# What comes of a slip where it cannot be made.
CANNOT = ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError


def same(a: Tensors, b: Tensors, within: Tolerance) -> bool:
    """Equal number of parts, equal shapes, and values that agree.

    `within` is the tolerance, absolute or relative; or a pair, the relative and the absolute one.
    """
    relative, absolute = within if isinstance(within, tuple) else (within, within)
    return len(a) == len(b) and all(
        x.shape == y.shape and torch.allclose(x.double(), y.double(), rtol=relative, atol=absolute)
        for x, y in zip(a, b, strict=True)
    )


class Results:
    """What slips give for the cases. What many of them change (`Then`) is computed once."""

    def __init__(self, cases: Sequence[tuple]):
        self.cases, self._changed = cases, {}

    def of(self, slip: Callable) -> Iterator[Tensors | None]:
        """Of one case after the other; None where the slip cannot be made."""
        for number in range(len(self.cases)):
            try:
                yield as_tensors(self._value(slip, number))
            except (NotYet, *CANNOT):
                yield None

    def _value(self, slip: Callable, number: int):
        if isinstance(slip, Then):
            before = self._value(slip.function, number)
            # The function is held, so that no other gets its id.
            self._changed[id(slip.function), number] = slip.function, before
            return slip.change(before)
        _, value = self._changed.get((id(slip), number), (None, None))
        return slip(*map(copy, self.cases[number])) if value is None else value


def known_mistake(
    known: Slips,
    cases: Sequence[tuple],
    got: Sequence[Tensors],
    within: Tolerance,
    results: Results | None = None,
) -> str | None:
    """The first known mistake that explains every result."""
    results = results or Results(cases)
    for says, wrong in known.items():
        if all(
            result is not None and same(result, a, within)
            for result, a in zip(results.of(wrong), got, strict=True)
        ):
            return says
    return None


def two_mistakes(known, results: Results, got, want, within) -> str | None:
    """Two known mistakes that explain every result together."""
    found = two_slips(known, results.of, got, want, lambda a, b: same(a, b, within))
    return found and "There are two slips in it. {} And: {}".format(*found)


def usual_mistakes(right: Callable, names: Sequence[str] = ()) -> Slips:
    """Slips that can happen to any function whose first dimension is the batch.

    `names` of its results, where there are several: each of them may be twice or half too large.
    """

    def changed(change):
        def all_parts(found):  # one result stays one, so that another change can follow
            parts = tuple(change(part) for part in as_tensors(found))
            return parts if isinstance(found, tuple) else parts[0]

        return Then(all_parts, right)

    def over_batch(change):  # a number has none, and NaN agrees with nothing
        return changed(lambda part: change(part, 0) if part.ndim else part * torch.nan)

    batch = "Return one number per example: the mean over the batch belongs in the training loop."
    return {
        "The sign is wrong: yours is minus the right value.": changed(lambda t: -t),
        "Yours is twice the right value. Is a ½ missing?": changed(lambda t: 2 * t),
        "Yours is half the right value. Is there a ½ too many?": changed(lambda t: t / 2),
        f"You averaged over the batch. {batch}": over_batch(torch.mean),
        f"You summed over the batch, too. {batch}": over_batch(torch.sum),
    } | {
        says.format(name): Then(partial(_times, i, factor), right)
        for i, name in enumerate(names)
        for factor, says in FACTORS.items()
    }


FACTORS = {
    2.0: "Of your results, {} is twice too large. Is a ½ missing?",
    0.5: "Of your results, {} is half of what it should be. Is there a ½ too many?",
}


def _times(index: int, factor: float, found: Tensors) -> Tensors:
    return tuple(factor * part if i == index else part for i, part in enumerate(found))


def mistakes_of_parts(right: Callable, names: Sequence[str]) -> Slips:
    """Slips that can happen to any answer with several results, called `names`."""
    if not names:
        return {}

    def minus(i):
        return lambda found: tuple(-part if j == i else part for j, part in enumerate(found))

    order = Then(lambda found: tuple(found)[::-1], right)
    signs = {f"The sign of {name} is wrong.": minus(i) for i, name in enumerate(names)}
    return {f"They stand in the wrong order: first {names[0]}.": order} | {
        says: Then(sign, right) for says, sign in signs.items()
    }
