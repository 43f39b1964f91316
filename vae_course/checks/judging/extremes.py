"""An answer on ordinary inputs, and then on numbers that no float can hold."""

import inspect
from collections.abc import Callable, Sequence

from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.verdict import agree, same


def agree_safely(
    says: str,
    answer: Callable,
    right: Callable,
    mild: Sequence[tuple],
    extreme: Sequence[tuple],
    mistakes: dict[str, Callable],
    **how,
) -> None:
    """`agree` on mild cases; then on extreme ones, where `says` is the diagnosis."""
    agree(answer, right, mild, mistakes, **how)
    for case in extreme:
        got = as_tensors(run(answer, case, list(inspect.signature(right).parameters)))
        require(same(got, as_tensors(right(*case)), 1e-6), says)
    agree(answer, right, extreme, **how)
