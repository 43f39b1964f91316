"""Checks of the exercises of chapter 6, MSE or a learned variance."""

from collections.abc import Callable

import sympy
import torch
from torch import Tensor

from vae_course.checks.judging.extremes import agree_safely
from vae_course.checks.judging.inputs import fresh
from vae_course.checks.judging.running import kind, praise, require, require_something
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.verdict import agree
from vae_course.checks.learned_variance import hidden_noise, pixel_bounds, shared_noise

ASTRAY = (
    "It is right for moderate σ, but not where log σ is -9, or 4. Is something clamped, or added "
    "to the variance? Or made positive? A density may be above 1, and then the loss is below 0."
)
SIGMA, MSE = sympy.symbols("sigma mse", positive=True)


def likelihood(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, mean, log_std)`: -log N(x; mean, std²), (batch, C, H, W) -> (batch,), nats.

    `log_std` is one number, a tensor. Raises NotYet with the diagnosis of a wrong answer. The
    oracle is torch.distributions.
    """
    cases, right = shared_noise.likelihood_cases(seed), shared_noise.minus_log_likelihood
    extreme, slopes = shared_noise.extreme_likelihood_cases(seed), ("mean", "log_std")
    mistakes = shared_noise.LIKELIHOOD_MISTAKES
    agree_safely(ASTRAY, answer, right, cases, extreme, mistakes, gradients=slopes)
    praise("Values and slopes agree with torch.distributions. With this loss σ can be learned.")


def optimum(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(loss, sigma, mse)`: σ²/MSE where `loss`, an expression, is lowest: an expression.

    Raises NotYet. The oracle tries many σ, for a fixed MSE.
    """
    g = fresh(seed)
    drawn = torch.randint(5, 9, (2,), generator=g) / torch.tensor([4.0, 2.0])
    weights = [(1.0, 0.5), (0.5, 0.5), tuple(drawn.tolist())]  # the right one, a slip, another
    agree(_applied(answer), _valley, weights, OPTIMUM_MISTAKES)
    praise("1 for the right formula, 2 for the slips. A line of algebra finds them.")


def _applied(answer: Callable) -> Callable:
    """The answer on log_weight · log σ + error_weight · MSE/σ² + 1, as a number."""

    def applied(log_weight, error_weight):
        a, b = sympy.Rational(log_weight), sympy.Rational(error_weight)
        found = answer(a * sympy.log(SIGMA) + b * MSE / SIGMA**2 + 1, SIGMA, MSE)
        require_something(found)
        single = not isinstance(found, list | tuple | set | dict)
        require(single, f"Return one expression, σ²/MSE. Yours is {kind(found)}: unpack it.")
        found = sympy.sympify(found)
        found = sympy.simplify(found) if found.free_symbols else found
        left = sorted(map(str, found.free_symbols))
        require(not left, f"Yours still holds {left}, but σ²/MSE is a number. Simplify it?")
        return float(found)

    return applied if callable(answer) else answer


def _valley(log_weight: float, error_weight: float) -> Tensor:
    mse, low = 0.37, torch.tensor(-4.0, dtype=torch.float64)
    at = lowest(lambda s: log_weight * s + error_weight * mse * torch.exp(-2 * s), low, low + 8)
    return torch.exp(2 * at) / mse


OPTIMUM_MISTAKES = {
    "This is the answer for the right formula. Look at the loss that you are given.": (
        lambda a, b: 1.0
    ),
    "This is the answer for a slip. Look at the loss that you are given.": lambda a, b: 2.0,
    "This is σ over the RMSE. The task asks for squares.": lambda a, b: _valley(a, b).sqrt(),
    "This is MSE/σ², upside down.": lambda a, b: 1 / _valley(a, b),
    "This is RMSE/σ: upside down, and not squared.": lambda a, b: _valley(a, b) ** -0.5,
    "This is the height of the lowest point, or a slope. The task asks where it is.": lambda a, b: (
        0
    ),
    "You squared once too often.": lambda a, b: _valley(a, b) ** 2,
}


def best_std(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, from_means, from_draws)`: the log σ of the highest likelihood, one number.

    x and from_means (N, C, H, W), from_draws (K, N, C, H, W). Raises NotYet. The oracle tries many
    σ with torch.distributions.
    """
    cases = shared_noise.error_cases(seed)
    right, mistakes = shared_noise.best_log_std, shared_noise.STD_MISTAKES
    agree(answer, right, cases, mistakes, within=1e-4)
    praise("No other σ gives these draws a higher likelihood: it is measured, not chosen.")


def hidden_std(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(c, beta, pixels, latents, batch, squares, kl, wanted)`: the hidden σ, and a new c.

    `squares` and `kl` are "mean", "sum" or "example". Raises NotYet. The oracle writes the loss
    down and takes its slopes.
    """
    cases, mistakes = hidden_noise.cases(seed), hidden_noise.MISTAKES
    agree(answer, hidden_noise.hidden, cases, mistakes)
    praise("You can read σ off any such program, and say which c it should have had.")


def weighted_loss(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mse, kl, c, beta, pixels)`: the ELBO in nats of what c · MSE + β · KL trains, (N,).

    mse and kl (N,). Raises NotYet. The oracle is torch.distributions.
    """
    agree(answer, hidden_noise.elbo, hidden_noise.logged_cases(seed), hidden_noise.ELBO_MISTAKES)
    praise("Back in nats per picture. Now this program can be compared with others.")


def floor(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x)`: the least binary cross-entropy that grey pictures allow, (N, C, H, W) -> (N,).

    Raises NotYet. The oracle is torch.distributions.
    """
    agree(answer, pixel_bounds.floor, pixel_bounds.grey_pictures(seed), pixel_bounds.FLOOR_MISTAKES)
    praise("A perfect decoder pays this much, and for black and white pixels it pays nothing.")


def constant_pixel(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(log_std, levels)`: nats that a black pixel earns, without and with noise, (N,) each.

    The noise is even between 0 and one of `levels` grey levels; the decoder paints its middle.
    Raises NotYet. The oracle averages over a grid.
    """
    cases, mistakes = pixel_bounds.constant_cases(seed), pixel_bounds.EARNED_MISTAKES
    agree(answer, pixel_bounds.earned, cases, mistakes)
    praise("Without noise the nats rise without end as σ falls. With it, there is a top.")
