"""Task 2: the slopes of one latent's KL in μ and in σ, by SymPy."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.analytic_kl.kl import BLIND, REVERSED
from vae_course.checks.judging.check import check
from vae_course.checks.judging.expressions import evaluated
from vae_course.checks.judging.inputs import fresh, normal, uniform


def points(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    g = fresh(seed)
    return [(normal(g, 12), uniform(g, 12, low=0.3, high=2.5))]


SLIPS = {
    "These are derivatives of 2 KL: a ½ is missing.": lambda m, s: (2 * m, 2 * (s - 1 / s)),
    "A ½ is missing in your KL. It belongs to all terms but the logarithm.": (
        lambda m, s: (2 * m, 2 * s - 1 / s)
    ),
    "The second is the derivative in log σ. Differentiate in σ.": lambda m, s: (m, s**2 - 1),
    "The second is the derivative in σ². Differentiate in σ.": lambda m, s: (m, (1 - s**-2) / 2),
    "In the second, the logarithm has the wrong sign. Is the KL lowest at σ = 1?": (
        lambda m, s: (m, s + 1 / s)
    ),
    "In the second, the slope of the logarithm is missing.": lambda m, s: (m, s),
    "In the second, the logarithm has a ½ too many. Is the KL lowest at σ = 1?": (
        lambda m, s: (m, s - 0.5 / s)
    ),
    f"You use σ as if it were σ². {BLIND}": lambda m, s: (m, (1 - 1 / s) / 2),
    "These are second derivatives. Differentiate once.": lambda m, s: (0 * m + 1, 1 + s**-2),
    "In the second you use σ as if it were log σ.": lambda m, s: (m, torch.exp(2 * s) - 1),
    "The first is the square of μ or half of it. Differentiate it, too.": (
        lambda m, s: (m**2 / 2, s - 1 / s)
    ),
    REVERSED: lambda m, s: (m / s**2, 1 / s - (1 + m**2) / s**3),
}


@check(
    cases=points,
    slips=SLIPS,
    results=("the slope in μ", "the slope in σ"),
    read=lambda answer: evaluated(answer, 2),
    praise="Both derivatives are right. They vanish at μ = 0, σ = 1: there the KL is smallest.",
)
def derivatives(mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """∂KL/∂μ and ∂KL/∂σ of one latent, SymPy expressions in these symbols. Here by autograd."""
    mean, std = mu.clone().requires_grad_(), sigma.clone().requires_grad_()
    total = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum()
    return torch.autograd.grad(total, (mean, std))
