"""Checks of the exercises of chapter 4, the analytic KL."""

from collections.abc import Callable

import torch

from vae_course.checks.analytic_kl import gaussian_kls
from vae_course.checks.judging.expressions import evaluated
from vae_course.checks.judging.extremes import agree_safely
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform
from vae_course.checks.judging.running import as_tensors, praise, require, run
from vae_course.checks.judging.verdict import agree, same

ASTRAY = (
    "It is right for moderate σ, but not where log σ is -9, and the means are near 20. Is "
    "something clamped, or added inside a logarithm or below a fraction?"
)


def kl(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std)`: KL(N(mean, std²) ‖ N(0, I)), (batch, latent_dim) -> (batch,), nats.

    Raises NotYet with the diagnosis of a wrong answer. The oracle is torch.distributions.
    """
    agree_safely(
        ASTRAY,
        answer,
        gaussian_kls.to_prior,
        [gaussian_kls.shallow(seed), *posteriors(seed)],
        [gaussian_kls.extreme(seed)],
        gaussian_kls.KL_MISTAKES,
        gradients=("mean", "log_std"),
    )
    praise("Your KL agrees with torch.distributions, values and gradients, for every size tried.")


def derivatives(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mu, sigma)`: ∂KL/∂μ and ∂KL/∂σ of one latent, SymPy expressions in these symbols.

    Raises NotYet. The oracle is autograd through torch.distributions, at random points.
    """
    g = fresh(seed)
    points = normal(g, 12), uniform(g, 12, low=0.3, high=2.5)
    mistakes = gaussian_kls.DERIVATIVE_MISTAKES
    agree(evaluated(answer, 2), gaussian_kls.in_sigma, [points], mistakes)
    praise("Both derivatives are right. They vanish at μ = 0, σ = 1: there the KL is smallest.")


def gradient(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std)`: ∂KL/∂mean and ∂KL/∂log_std, each (batch, latent_dim), by hand.

    Raises NotYet. The oracle is autograd through torch.distributions.
    """
    right, mistakes = gaussian_kls.in_log_std, gaussian_kls.GRADIENT_MISTAKES
    agree(answer, right, posteriors(seed), mistakes)
    praise("Autograd finds the same: the mean is pulled to 0, and log_std to 0, where σ = 1.")


def two_gaussians(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean_q, log_std_q, mean_p, log_std_p)`: KL(q ‖ p), (batch, latent_dim) -> (batch,).

    Raises NotYet. The oracle is torch.distributions.
    """
    other = None if seed is None else seed + 1
    pairs = zip(posteriors(seed), posteriors(other), strict=True)
    agree_safely(
        ASTRAY,
        answer,
        gaussian_kls.between,
        [gaussian_kls.shallow_pair(seed), *((*q, *p) for q, p in pairs)],
        [(*gaussian_kls.extreme(seed), *gaussian_kls.extreme(other))],
        gaussian_kls.PAIR_MISTAKES,
        gradients=("mean_q", "log_std_q", "mean_p", "log_std_p"),
    )
    praise("Right for any two diagonal Gaussians. With p = N(0, I) it is the KL you know.")


def curvatures(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(kl)`: ∂²/∂mean² and ∂²/∂log_std² of a `kl(mean, log_std)` of numbers, at (0, 0).

    Raises NotYet. Tried on the KL, on the slip with the same minimum, and on a random bowl.
    """
    known = _bowls(seed)
    _require_digits(answer, known)
    cases, mistakes = [(kl,) for kl in known], _curvature_mistakes(known)
    agree(answer, lambda kl: known[kl], cases, mistakes, within=1e-3)
    praise("(1, 2) for the KL, (1, ½) for the slip: this test sees what the minimum hides.")


def _bowls(seed: int | None) -> dict[Callable, tuple]:
    """Functions of (mean, log_std), and both of their curvatures at (0, 0)."""
    g = fresh(seed)
    a, b = uniform(g, 1, low=0.6, high=0.7).item(), uniform(g, 1, low=0.8, high=0.9).item()
    bowls = {
        gaussian_kls.each: (1.0, 2.0),
        lambda m, s: gaussian_kls.each(m, s, by=1, log=0.5): (1.0, 0.5),
        lambda m, s: a * m**2 + b * s**2 + m * s + 0.3 * s + m**3 + s**3: (2 * a, 2 * b),
    }
    return {kl: tuple(torch.tensor(pair).double()) for kl, pair in bowls.items()}


def _require_digits(answer: Callable, known: dict[Callable, tuple]) -> None:
    """Two numbers for every function, which are right for all of them, or for none."""
    got = [as_tensors(run(answer, (kl,), ("kl",)), 2) for kl in known]
    require(
        all(len(pair) == 2 and pair[0].ndim == pair[1].ndim == 0 for pair in got),
        "Return two numbers, in a tuple: first the second derivative in the mean, then the one in "
        "log_std.",
    )
    right, near = (
        [same(a, b, w) for a, b in zip(got, known.values(), strict=True)] for w in (1e-3, 0.05)
    )
    require(
        all(right) or not all(near),
        "You are close, but three digits are not right. A step that is too large sees the next "
        "bend, and one that is too small drowns in rounding: how many digits has your float?",
    )
    require(
        all(right) or not any(right),
        "It is right for one `kl` and wrong for another. Either your step is too large or too "
        "small, or something in your code knows one function only.",
    )


def _curvature_mistakes(known: dict[Callable, tuple]) -> dict[str, Callable]:
    def first(kl):
        zeros = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        return tuple(torch.autograd.grad(kl(*zeros), zeros)[0])

    return {
        "They stand in the wrong order: first the mean.": lambda kl: known[kl][::-1],
        "These are first derivatives.": first,
        "Both are the second derivative in the mean.": lambda kl: (known[kl][0],) * 2,
        "Both are the second derivative in log_std.": lambda kl: (known[kl][1],) * 2,
    }
