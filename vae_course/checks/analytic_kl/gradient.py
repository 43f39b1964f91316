"""Task 3: the slopes of the KL in the encoder's outputs, by hand."""

import torch
from torch import Tensor

from vae_course.checks.analytic_kl.kl import BLIND, LOG_VAR, kl
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import posteriors

SLIPS = {
    "The second is the derivative in σ. In log σ the chain rule gives another factor.": (
        lambda m, s: (m, s.exp() - 1 / s.exp())
    ),
    "The second is the derivative in σ². In log σ the chain rule gives more factors.": (
        lambda m, s: (m, (1 - torch.exp(-2 * s)) / 2)
    ),
    LOG_VAR: lambda m, s: (m, (s.exp() - 1) / 2),
    f"In the second you use log σ as if it were log σ². {BLIND}": lambda m, s: (m, s.exp() - 1),
    "In the second a ½ is left over. What becomes of a 2 in an exponent, differentiated?": (
        lambda m, s: (m, torch.exp(2 * s) / 2 - 1)
    ),
    "In the second a 2 is left over. The 2 of the exponent meets the ½ in front of it.": (
        lambda m, s: (m, 2 * torch.exp(2 * s) - 1)
    ),
    "In the second, the logarithm counts half.": lambda m, s: (m, torch.exp(2 * s) - 0.5),
    "In the second, the logarithm counts twice.": lambda m, s: (m, torch.exp(2 * s) - 2),
    "In the second, the sign of the logarithm's slope is wrong.": (
        lambda m, s: (m, torch.exp(2 * s) + 1)
    ),
    "In the first a 2 is left over. The 2 of the square meets the ½ in front of it.": (
        lambda m, s: (2 * m, torch.exp(2 * s) - 1)
    ),
    "In the first a ½ is left over.": lambda m, s: (m / 2, torch.exp(2 * s) - 1),
    "The first is not differentiated: its square is still there.": (
        lambda m, s: (m**2 / 2, torch.exp(2 * s) - 1)
    ),
    "In the second, the slope of the logarithm is missing.": lambda m, s: (m, torch.exp(2 * s)),
    "In the second, the logarithm is not differentiated: its argument is still there.": (
        lambda m, s: (m, torch.exp(2 * s) - s)
    ),
    "These are slopes of the average over the batch. Here every example has its own KL.": (
        lambda m, s: (m / len(m), (torch.exp(2 * s) - 1) / len(m))
    ),
}


@check(
    cases=posteriors,
    slips=SLIPS,
    results=("the mean's slope", "the slope in log σ"),
    praise="Autograd finds the same: the mean is pulled to 0, and log_std to 0, where σ = 1.",
)
def gradient(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """∂KL/∂mean and ∂KL/∂log_std, each (batch, latent_dim), by hand. Here by autograd."""
    given = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    return torch.autograd.grad(kl.right(*given).sum(), given)
