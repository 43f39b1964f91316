"""SymPy expressions as functions of tensors."""

from collections.abc import Callable

import sympy
import torch

from vae_course.checks.judging.running import require, require_something

SYMBOLS = sympy.Symbol("mu", real=True), sympy.Symbol("sigma", positive=True)


def evaluated(answer: Callable, count: int) -> Callable:
    """`answer(mu, sigma)`, which returns `count` expressions, as a function of tensors."""

    def evaluate(mu, sigma):
        found = answer(*SYMBOLS)
        require_something(found)
        right = isinstance(found, tuple | list) and len(found) == count
        require(right, f"Return {count} SymPy expressions in mu and sigma, in a tuple.")
        return tuple(_values(expression, mu, sigma) for expression in found)

    return evaluate if callable(answer) else answer


def _values(expression, mu, sigma):
    expression = sympy.sympify(expression).doit()
    foreign = sorted(map(str, expression.free_symbols - set(SYMBOLS)))
    require(
        not foreign,
        f"Your expression has symbols of its own: {', '.join(foreign)}. Use the two that your "
        "function is given, not new ones, even of the same name.",
    )
    function = sympy.lambdify(SYMBOLS, expression, "math")
    points = zip(mu.tolist(), sigma.tolist(), strict=True)
    return torch.tensor([float(function(*point)) for point in points], dtype=mu.dtype)
