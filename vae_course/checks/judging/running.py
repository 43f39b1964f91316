"""Running a learner's function: whatever comes of it is a value or one tidy message."""

import traceback
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class NotYet(AssertionError):
    """The verdict on an answer that is not right yet: one message, and no traceback of ours."""

    def _render_traceback_(self) -> list[str]:  # what IPython shows in place of a traceback
        return [str(self)]


def require(holds: bool, says: str) -> None:
    """Raise NotYet with `says` unless `holds`."""
    if not holds:
        raise NotYet(f"✗ Not yet. {says}")


def praise(says: str) -> None:
    """What a right answer gets."""
    print(f"✓ {says}")


def run(answer: Callable, case: tuple, names: Sequence[str]):
    """The answer on its own copies of the arguments; whatever goes wrong becomes a message."""
    require(callable(answer), f"This check expects a function, but got {kind(answer)}.")
    given = [copy(value) for value in case]
    try:
        with torch.random.fork_rng(devices=[]):
            result = answer(*given)
    except NotYet:
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and not error.args:
            raise NotYet(_unwritten(error)) from None
        raise NotYet(
            f"✗ Not yet. Called with {describe(case, names)}, your function stopped with "
            f"{type(error).__name__}: {error}"
        ) from None
    require_unchanged(names, case, given)
    return result


def _unwritten(error: NotImplementedError) -> str:
    """Names the stub that was met: a task may call the function of another one."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return (
        f"✗ `{frame.f_code.co_name}` is not written yet. Replace its line `raise "
        "NotImplementedError` with your answer, run its cell, then run this one again."
    )


def require_unchanged(names, case, given) -> None:
    unnamed = ["x"] * (len(case) - len(names))
    for name, before, after in zip((*names, *unnamed), case, given, strict=False):
        require(
            not isinstance(before, Tensor) or torch.equal(before, after),
            f"Your function changes its input `{name}` in place. The caller still needs it: write "
            f"`{name} = {name} * 2`, not `{name} *= 2`.",
        )


def require_something(value) -> None:
    require(value is not None, "Your function returns None. Does it end with `return`?")


def as_tensors(value, count: int = 1) -> tuple[Tensor, ...]:
    """A tensor, number, array or list, or a tuple of these, as a tuple of tensors.

    A list stands for a tuple where `count` > 1 parts are expected, and it has as many.
    """
    require_something(value)
    if isinstance(value, list) and count > 1 and len(value) == count:
        value = tuple(value)
    parts = value if isinstance(value, tuple) else (value,)
    try:
        return tuple(_as_tensor(part).cpu() for part in parts)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(
            f"✗ Not yet. Your function returns {kind(value)}; this check expects a tensor or a "
            "number, or a tuple of these."
        ) from None


def _as_tensor(part) -> Tensor:
    if not isinstance(part, list):
        return torch.as_tensor(part)
    if part and all(isinstance(number, Tensor) for number in part):
        return torch.stack(part)
    return torch.as_tensor(part, dtype=torch.float64)  # Python's numbers are that exact


def describe(case: tuple, names: Sequence[str]) -> str:
    """The arguments in words: `mean` of shape (3, 2), and so on."""
    told = [pair for pair in zip(names, case, strict=False) if not callable(pair[1])]
    return ", ".join(f"{name} {_short(value)}" for name, value in told) or "its arguments"


def _short(value) -> str:
    if isinstance(value, Tensor) and value.ndim:
        return f"of shape {tuple(value.shape)}"
    if isinstance(value, str | bool | tuple):
        return f"= {value!r}"
    return f"= {float(value):.4g}" if isinstance(value, int | float | Tensor) else kind(value)


def kind(value) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def copy(value):
    return value.detach().clone() if isinstance(value, Tensor) else value
