"""How a check works: run an answer on fresh inputs, compare it with an oracle, name the mistake.

A mistake is named by what it computes: each known slip is written out as a function, and an answer
that agrees with it on every input is told so. Two slips at once are looked for, too.
"""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vae_course.checks.judging.naming import (
    Results,
    Slips,
    Tolerance,
    known_mistake,
    same,
    two_mistakes,
    usual_mistakes,
)
from vae_course.checks.judging.running import (
    NotYet,
    as_tensors,
    copy,
    describe,
    require,
    run,
)
from vae_course.checks.judging.seeded import seeded
from vae_course.checks.judging.wording import Tried, difference

EXACTLY = 1e-4  # of two slips, however much room an answer has: pairs are many
DRAWN = (
    "Your result is another one at every call: it comes from draws. A number without chance is "
    "asked for."
)

__all__ = ["agree", "known_mistake", "same"]


def agree(
    answer: Callable,
    right: Callable,
    cases: Sequence[tuple],
    mistakes: Slips | None = None,
    *,
    more: Callable[[], Sequence[tuple]] = tuple,
    names: Sequence[str] | None = None,
    results: Sequence[str] = (),
    gradients: Sequence[str] = (),
    otherwise: Callable[[list[Tried]], str | None] | None = None,
    within: Tolerance = 1e-5,
) -> None:
    """Raise NotYet unless `answer` gives what `right` gives on every case (a tuple of arguments).

    Each case is run with the random numbers that torch has at the call.

    `mistakes`: what to say -> the function that a learner who made this mistake has written.
    `more()` gives further cases, which only help to say what is wrong.
    `names` of the arguments and of the `results` are used in messages; by default the arguments
    are called as those of `right`; if `names` is empty, nothing is said of them.
    `otherwise(tried)` has the word before the general message. `gradients` names the arguments
    (float tensors) whose gradients must be right, too. `within` is the tolerance, absolute or
    relative, or a pair of both: the relative one comes first.
    """
    arguments = list(inspect.signature(right).parameters)
    names = arguments if names is None else list(names)
    tried = [_try(answer, right, case, names, within) for case in cases]
    _require_finite(tried, names)
    if not all(one.fits for one in tried):
        got = [one.got for one in tried]
        known = {**(mistakes or {}), **usual_mistakes(right, results)}
        found = Results(cases)
        says = known_mistake(known, cases, got, within, found)
        exactly = within if isinstance(within, tuple) else min(within, EXACTLY)
        says = says or two_mistakes(known, found, got, [one.want for one in tried], exactly)
        says = says or _drawn(answer, right, cases[0], names)
        says = says or (otherwise and otherwise(tried))
        if not says:
            further = _further(answer, right, more(), names, within)
            says = difference(tried, further, names, results)
        require(False, says)
    _require_precision(tried)
    if gradients:
        for case in cases:
            _require_gradients(answer, right, case, [arguments.index(n) for n in gradients])


def _try(answer, right, case, names, within) -> Tried:
    want = as_tensors(right(*case))
    return Tried(case, as_tensors(run(answer, case, names), len(want)), want, within)


def _further(answer, right, cases, names, within) -> list[Tried]:
    found = []
    for case in cases:
        try:
            found.append(_try(answer, right, case, names, within))
        except NotYet:  # it would have a message of its own, but this case was not asked for
            continue
    return found


def _drawn(answer: Callable, right: Callable, case: tuple, names: Sequence[str]) -> str | None:
    """What to say of an answer that depends on chance where the right one does not."""

    def depends(function):
        first, second = (as_tensors(run(seeded(function, n), case, names)) for n in (1, 2))
        return not same(first, second, 1e-9)

    return DRAWN if depends(answer) and not depends(right) else None


def _finite(parts: tuple[Tensor, ...]) -> bool:
    return all(torch.isfinite(part.double()).all() for part in parts)


def _require_finite(tried: list[Tried], names: Sequence[str]) -> None:
    for one in tried:
        where = f" for {describe(one.case, names)}" if names else ""
        require(
            _finite(one.got) or not _finite(one.want),
            f"Your result holds NaN or infinity{where}. Look for a log, a root or a division of "
            "something that can be 0 or negative, and for exp of something large.",
        )


def _require_precision(tried: list[Tried]) -> None:
    for one in tried:
        for ours, right in zip(one.got, one.want, strict=True):
            require(
                right.dtype != torch.float64 or ours.dtype == torch.float64 or not ours.ndim,
                f"The values are right, but float64 came in and {ours.dtype} came out. Make new "
                "tensors with the dtype of the input (`torch.zeros_like(x)`, `x.new_zeros(…)`).",
            )


def _require_gradients(answer: Callable, right: Callable, case: tuple, which: list[int]) -> None:
    """Compare the slopes of a weighted sum of the results in some arguments."""
    names = list(inspect.signature(right).parameters)
    ours = _slopes(right, case, which)
    try:
        theirs = _slopes(answer, case, which)
    except RuntimeError:  # NumPy refuses a tensor that needs a gradient
        theirs = [None] * len(which)
    for name, wanted, found in zip([names[i] for i in which], ours, theirs, strict=True):
        require(
            found is not None,
            f"The values are right, but no gradient reaches `{name}`: something on the way is "
            "detached (`.detach()`, `.item()`, `.numpy()`, `torch.tensor(…)`, `torch.no_grad()`).",
        )
        require(
            torch.isfinite(found).all().item() or not torch.isfinite(wanted).all().item(),
            f"The values are right, but the gradient in `{name}` holds NaN or infinity. It comes "
            "back through every step: through a root at 0, a logarithm or a division that you "
            "later cut off or replace.",
        )
        require(
            torch.allclose(wanted.double(), found.double(), rtol=1e-4, atol=1e-5),
            f"The values are right, but the gradient in `{name}` is not: part of it is detached, "
            "or something is cut off or rounded on the way.",
        )


def _slopes(function: Callable, case: tuple, which: list[int]) -> list[Tensor | None]:
    given = [copy(value) for value in case]
    asked = [given[i].requires_grad_() for i in which]
    with torch.random.fork_rng(devices=[]):
        out = function(*given)
    parts = [p for p in (out if isinstance(out, tuple | list) else (out,)) if isinstance(p, Tensor)]
    # In a plain sum, slopes of two results, or of two examples, could cancel.
    total = sum((p * _weights(p, k)).sum() for k, p in enumerate(parts))
    if not isinstance(total, Tensor) or not total.requires_grad:
        return [None] * len(which)
    return list(torch.autograd.grad(total, asked, allow_unused=True))


def _weights(part: Tensor, k: int) -> Tensor:
    steps = torch.linspace(1, 1.5, part.numel(), dtype=torch.float64, device=part.device)
    return ((k + 1) * steps).reshape(part.shape)
