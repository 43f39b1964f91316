"""Task 2: where a loss is lowest in σ, by SymPy."""

from collections.abc import Callable
from functools import cache

import sympy
import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh
from vae_course.checks.judging.running import (
    as_tensors,
    kind,
    require,
    require_something,
    run,
)
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.together import Then
from vae_course.checks.judging.wording import Tried

SIGMA, MSE = sympy.symbols("sigma mse", positive=True)
AT_SIGMA, AT_MSE = 0.83, (0.21, 0.37, 1.9)  # what is put in where an answer still holds a symbol


def losses(seed: int | None) -> list[tuple[sympy.Expr]]:
    """a log σ + b MSE/σ² + a constant: the right one, a slip of the chapter, and another."""
    g = fresh(seed)
    a, b = (torch.randint(5, 9, (2,), generator=g) / torch.tensor([4.0, 2.0])).tolist()
    weights = (1, "1/2", 1), ("1/2", "1/2", 0), (a, b, -2)
    return [(_loss(*map(sympy.Rational, three)),) for three in weights]


def _loss(a, b, constant):
    return a * sympy.log(SIGMA) + b * MSE / SIGMA**2 + constant


def numbers(answer: Callable) -> Callable:
    """What the answer is at each MSE of AT_MSE."""

    def applied(loss):
        found = answer(loss, SIGMA, MSE)
        require_something(found)
        single = not isinstance(found, list | tuple | set | dict)
        require(single, f"Return one expression, σ²/MSE. Yours is {kind(found)}: unpack it.")
        found = sympy.sympify(found)
        foreign = sorted(map(str, found.free_symbols - {SIGMA, MSE}))
        require(
            not foreign,
            f"Yours holds symbols of its own, {', '.join(foreign)}. Use those that your function "
            "is given.",
        )
        at = [_number(found, {SIGMA: AT_SIGMA, MSE: mse}) for mse in AT_MSE]
        require(
            not any(_is_zero(loss, value, mse) for value, mse in zip(at, AT_MSE, strict=True)),
            "You look for the σ at which the loss is 0. Where it is lowest, its *slope* is 0.",
        )
        require(all(value.imag == 0 for value in at), "Yours is not a real number.")
        return torch.tensor([value.real for value in at], dtype=torch.float64)

    return applied if callable(answer) else answer


def _number(expression, values) -> complex:
    return complex(expression.subs(values).evalf())


def _is_zero(loss, found: complex, mse: float) -> bool:
    """Is the loss 0 where σ²/MSE, σ², σ/MSE or σ is what was found?"""
    places = (found * mse) ** 0.5, found**0.5, found * mse, found
    return any(
        place != 0 and abs(_number(loss, {SIGMA: place, MSE: mse})) < 1e-9 for place in places
    )


THE_LOSS = "Look at the loss that you are given."
REMEMBERED = {
    1: f"This is the answer for the right formula. {THE_LOSS}",
    2: f"This is the answer for a slip. {THE_LOSS}",
}


def require_no_memory(answer: Callable, cases: list[tuple]) -> None:
    """No number of the chapter, whatever the loss is."""
    got = [as_tensors(run(answer, case, ())) for case in cases]
    for number, says in REMEMBERED.items():
        require(not all(bool((value == number).all()) for (value,) in got), says)


def of_symbols(tried: list[Tried]) -> str | None:
    """A symbol is left where the answer is another one at another MSE."""
    if all(torch.allclose(one.got[0], one.got[0][:1]) for one in tried):
        return None
    return (
        "Yours still holds a symbol, but σ²/MSE is a number. Simplify it, or look at what you "
        "divide by what."
    )


def _each_mse(value: Callable) -> Callable:
    """`value(σ, MSE, loss)` at the right σ, for each MSE."""

    def slip(loss):
        mse = torch.tensor(AT_MSE, dtype=torch.float64)
        return value((valley(loss) * mse).sqrt(), mse, loss)

    return slip


def _slope(std, mse, loss):
    slope = sympy.lambdify((SIGMA, MSE), loss.diff(SIGMA), "math")
    return torch.tensor([slope(AT_SIGMA, m) for m in AT_MSE], dtype=torch.float64)


SLIPS = {
    "This is σ over the RMSE. The task asks for squares.": Then(torch.sqrt),
    "This is MSE/σ², upside down.": Then(torch.reciprocal),
    "This is the height of the lowest point, or a slope. The task asks where it is.": (
        _each_mse(lambda std, mse, loss: 0 * mse)
    ),
    "You squared once too often.": Then(torch.square),
    "This is σ/MSE: what you divide is not squared.": (_each_mse(lambda std, mse, loss: std / mse)),
    "This is σ², not yet divided by MSE.": _each_mse(lambda std, mse, loss: std**2),
    "This is σ. The task asks for σ²/MSE.": _each_mse(lambda std, mse, loss: std),
    "This is σ²/RMSE. An MSE is a square already.": (
        _each_mse(lambda std, mse, loss: std**2 / mse.sqrt())
    ),
    "This is σ²/MSE². An MSE is a square already.": (
        _each_mse(lambda std, mse, loss: (std / mse) ** 2)
    ),
    "This is σ² times MSE. Divide by it.": _each_mse(lambda std, mse, loss: std**2 * mse),
    "This is σ times MSE. Square σ, and divide.": _each_mse(lambda std, mse, loss: std * mse),
    "This is the derivative itself. Where is it zero?": _each_mse(_slope),
}


@cache
def valley(loss: sympy.Expr) -> Tensor:
    """σ²/MSE where `loss` is lowest, at each MSE of AT_MSE: many σ are tried."""
    height = sympy.lambdify((SIGMA, MSE), loss, "numpy")
    mse = torch.tensor(AT_MSE, dtype=torch.float64)

    def tried(log_std):
        return torch.as_tensor(height(log_std.exp().numpy(), mse.numpy()))

    low = torch.full_like(mse, -4.0)
    return torch.exp(2 * lowest(tried, low, low + 8)) / mse


@check(
    cases=losses,
    before=require_no_memory,
    otherwise=of_symbols,
    slips=SLIPS,
    read=numbers,
    praise="1 for the right formula, 2 for the slips. A line of algebra finds them.",
)
def optimum(loss: sympy.Expr) -> Tensor:
    """σ²/MSE where `loss`, an expression in SIGMA and MSE, is lowest. Here: many σ are tried."""
    return valley(loss)
