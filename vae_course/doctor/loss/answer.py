"""What a loss answered: which part of it is minimised, as numbers."""

from collections.abc import Callable

import torch
from torch import Tensor

ASK = (
    "; say which number is minimised: loss=lambda *a: sum(yours(*a)), or yours(*a)[0], or "
    'yours(*a)["name"]'
)


def which_part(answers: list, count: int) -> Callable:
    """What takes the loss out of an answer, found on answers to several batches of `count`.

    A number, a dict's "loss", and a tuple's first entry where it is a weighted sum of the others
    are taken. Raises ValueError for what leaves a choice.
    """
    first = answers[0]
    if isinstance(first, Tensor | float | int):
        return lambda answer: answer
    if first is None:
        raise ValueError("the loss returned None: does it return its value?")
    if isinstance(getattr(first, "loss", None), Tensor):
        return lambda answer: answer.loss
    if isinstance(first, dict):
        if "loss" in first or len(first) == 1:
            key = "loss" if "loss" in first else next(iter(first))
            return lambda answer: answer[key]
        raise ValueError(f'the loss returned a dict without "loss", of {list(first)}{ASK}')
    if isinstance(first, tuple | list) and first and _is_number(first[0], count):
        others = [i for i in range(1, len(first)) if _is_number(first[i], count)]
        if not others or _is_sum(answers, others):
            return lambda answer: answer[0]
    what = f"{len(first)} parts" if isinstance(first, tuple | list) else type(first).__name__
    raise ValueError(f"the loss returned {what}, and the first is no sum of the others{ASK}")


def numbers(value, count: int) -> Tensor:
    """A scalar, or one value an example, in double precision. Raises ValueError for others."""
    value = torch.as_tensor(value).double()
    if tuple(value.shape) not in ((), (1,), (count,)):
        raise ValueError(
            f"the loss must return a scalar or one value per example, ({count},) here, but "
            f"returned {tuple(value.shape)}"
        )
    return value


def _is_number(part, count: int) -> bool:
    if isinstance(part, Tensor):
        return tuple(part.shape) in ((), (1,), (count,))
    return isinstance(part, float | int)


def _is_sum(answers: list, others: list[int]) -> bool:
    """Is the first part a weighted sum of the others, over all the answers?"""
    rows = torch.tensor(
        [[torch.as_tensor(a[i]).detach().double().mean() for i in (0, *others)] for a in answers]
    ).double()
    design = torch.cat([rows[:, 1:], torch.ones(len(rows), 1).double()], 1)
    solved = torch.linalg.lstsq(design, rows[:, :1], driver="gelsd").solution
    left = (rows[:, :1] - design @ solved).norm()
    spread = (rows[:, 0] - rows[:, 0].mean()).norm()
    return bool(spread > 0 and left < 1e-5 * spread)
