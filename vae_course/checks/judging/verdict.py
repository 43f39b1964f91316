"""How a check works: run an answer on fresh inputs, compare it with an oracle, name the mistake.

A mistake is named by what it computes: each known slip is written out as a function, and an answer
that agrees with it on every input is told so.
"""

import inspect
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vae_course.checks.judging.running import NotYet, as_tensors, copy, describe, require, run
from vae_course.checks.judging.together import Then, two_slips


def agree(
    answer: Callable,
    right: Callable,
    cases: Sequence[tuple],
    mistakes: dict[str, Callable] | None = None,
    *,
    gradients: Sequence[str] = (),
    within: float = 1e-5,
) -> None:
    """Raise NotYet unless `answer` gives what `right` gives on every case (a tuple of arguments).

    Each case is run with the random numbers that torch has at the call.

    `mistakes`: what to say -> the function that a learner who made this mistake has written.
    `gradients` names the arguments (float tensors) whose gradients must be right, too. `within` is
    the tolerance, absolute or relative.
    """
    names = list(inspect.signature(right).parameters)
    want = [as_tensors(right(*case)) for case in cases]
    got = [as_tensors(run(answer, c, names), len(w)) for c, w in zip(cases, want, strict=True)]
    require_finite(got, want, cases, names)
    fits = [same(a, b, within) for a, b in zip(got, want, strict=True)]
    if not all(fits):
        known = {**(mistakes or {}), **usual_mistakes(right)}
        says = known_mistake(known, cases, got, within)
        says = says or two_mistakes(known, cases, got, want, within)
        require(False, says or difference(got, want, cases, names, fits))
    require_precision(got, want)
    for name in gradients:
        require_gradient(answer, right, cases[-1], names, name)


def same(a: tuple[Tensor, ...], b: tuple[Tensor, ...], within: float) -> bool:
    """Equal number of parts, equal shapes, and values that agree."""
    return len(a) == len(b) and all(
        x.shape == y.shape and torch.allclose(x.double(), y.double(), rtol=within, atol=within)
        for x, y in zip(a, b, strict=True)
    )


def known_mistake(known, cases, got, within) -> str | None:
    """The first known mistake that explains every result."""
    for says, wrong in known.items():
        if all(_agrees(wrong, case, a, within) for case, a in zip(cases, got, strict=True)):
            return says
    return None


def two_mistakes(known, cases, got, want, within) -> str | None:
    """Two known mistakes that explain every result together."""

    def results_of(slip):
        return (_result(slip, case) for case in cases)

    found = two_slips(known, results_of, got, want, lambda a, b: same(a, b, within))
    return found and "There are two slips in it. {} And: {}".format(*found)


def difference(got, want, cases, names, fits) -> str:
    """What can be said of an answer whose mistake is not known."""
    at = fits.index(False)
    where = describe(cases[at], names)
    shapes, expected = _shapes(got[at]), _shapes(want[at])
    if shapes != expected:
        return f"For {where} the result must have shape {expected}, but yours has {shapes}."
    if any(fits):
        good = describe(cases[fits.index(True)], names)
        return f"It is right for {good}, but not for {where}. {_what_differs(good, where)}"
    if off_by_a_constant(got, want):
        return "Yours is off by the same number everywhere: look at the constants."
    return f"The shape is right, the values are not. {_wrong_part(got[at], want[at])} for {where}."


def _what_differs(good: str, where: str) -> str:
    if good == where:  # the same sizes, other values
        return "The sizes are the same, so look at what happens to the values."
    return "What in your code depends on these?"


def off_by_a_constant(got, want) -> bool:
    """Is every value of the answer off by the same number?"""
    pairs = [
        (a, b)
        for ours, theirs in zip(got, want, strict=True)
        for a, b in zip(ours, theirs, strict=True)
    ]
    gaps = torch.cat([(a.double() - b.double()).flatten() for a, b in pairs])
    return len(gaps) > 1 and bool(gaps.std() < 1e-5 * gaps.abs().max())


def usual_mistakes(right: Callable) -> dict[str, Callable]:
    """Slips that can happen to any function whose first dimension is the batch."""

    def changed(change):
        return Then(lambda found: tuple(change(part) for part in as_tensors(found)), right)

    def over_batch(change):
        return changed(lambda part: change(part, 0) if part.ndim else -part)  # a number has none

    batch = "Return one number per example: the mean over the batch belongs in the training loop."
    return {
        "The sign is wrong: yours is minus the right value.": changed(lambda t: -t),
        "Yours is twice the right value. Is a ½ missing?": changed(lambda t: 2 * t),
        "Yours is half the right value. Is there a ½ too many?": changed(lambda t: t / 2),
        f"You averaged over the batch. {batch}": over_batch(torch.mean),
        f"You summed over the batch, too. {batch}": over_batch(torch.sum),
    }


def require_finite(got, want, cases, names) -> None:
    for a, b, case in zip(got, want, cases, strict=True):
        bad = any(not torch.isfinite(t.double()).all() for t in a)
        require(
            not bad or any(not torch.isfinite(t.double()).all() for t in b),
            f"Your result holds NaN or infinity for {describe(case, names)}. Look for a log, a "
            "root or a division of something that can be 0 or negative, and for exp of something "
            "large.",
        )


def require_precision(got, want) -> None:
    for a, b in zip((t for p in got for t in p), (t for p in want for t in p), strict=True):
        require(
            b.dtype != torch.float64 or a.dtype == torch.float64 or not a.ndim,
            f"The values are right, but float64 came in and {a.dtype} came out. Make new tensors "
            "with the dtype of the input (`torch.zeros_like(x)`, `x.new_zeros(…)`).",
        )


def require_gradient(answer, right, case, names, name) -> None:
    """Compare the slopes of the summed result in one argument."""
    ours = _slope(right, case, names.index(name))
    try:
        theirs = _slope(answer, case, names.index(name))
    except RuntimeError:  # NumPy refuses a tensor that needs a gradient
        theirs = None
    require(
        theirs is not None,
        f"The values are right, but no gradient reaches `{name}`: something on the way is detached "
        "(`.detach()`, `.item()`, `.numpy()`, `torch.tensor(…)`, `torch.no_grad()`).",
    )
    require(
        torch.allclose(ours.double(), theirs.double(), rtol=1e-4, atol=1e-5),
        f"The values are right, but the gradient in `{name}` is not: part of it is detached.",
    )


def _slope(function, case, index):
    given = [copy(value) for value in case]
    given[index].requires_grad_()
    with torch.random.fork_rng(devices=[]):
        out = function(*given)
    parts = out if isinstance(out, tuple | list) else (out,)
    total = sum(part.sum() for part in parts if isinstance(part, Tensor))
    if not isinstance(total, Tensor) or not total.requires_grad:
        return None
    return torch.autograd.grad(total, given[index], allow_unused=True)[0]


def _agrees(wrong: Callable, case: tuple, got: tuple[Tensor, ...], within: float) -> bool:
    result = _result(wrong, case)
    return result is not None and same(result, got, within)


def _result(slip: Callable, case: tuple) -> tuple[Tensor, ...] | None:
    try:
        return as_tensors(slip(*[copy(value) for value in case]))
    except (NotYet, ArithmeticError, RuntimeError, ValueError, IndexError, TypeError):
        return None  # the slip cannot be made here


def _shapes(parts: tuple[Tensor, ...]) -> str:
    return " and ".join(str(tuple(part.shape)) for part in parts)


def _wrong_part(got: tuple[Tensor, ...], want: tuple[Tensor, ...]) -> str:
    """How the result that is farthest off begins."""
    gaps = [(a.double() - b.double()).abs().max().item() for a, b in zip(got, want, strict=True)]
    at = gaps.index(max(gaps))
    which = f"Result {at + 1} of {len(got)}" if len(got) > 1 else "Yours"
    return f"{which} begins with {got[at].flatten()[0].item():.4g}"
