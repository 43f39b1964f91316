"""Task 1: KL(N(mean, std²) ‖ N(0, I))."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, posteriors, uniform

BLIND = "The minimum stays right, the curvature does not: chapter 4 measures this very slip."
LOG_VAR = f"You use log σ as if it were log σ². {BLIND}"
REVERSED = "This is KL(p ‖ q), the other way round. Over which of the two is the average taken?"
AVERAGED = "You averaged over the latents. Independent latents add their nats."
ASTRAY = (
    "It is right for moderate σ, but not where log σ is -9 or -40 or 15, or the means are near 20. "
    "Is something clamped, or added inside a logarithm or below a fraction?"
)


def shallow(seed: int | None) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (2, 2), near N(0, I), so that a floor under small KL is seen."""
    g = fresh(seed)
    return tuple(uniform(g, 2, 2, low=0.03, high=0.06) for _ in range(2))


def extreme(seed: int | None) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (5, 4): what an encoder gives when training has only begun, or gone astray.

    Each example goes astray in one way only, so that no large term hides the slip in a small one: a
    1e-8 in a logarithm is seen where log σ is -9, and a far smaller number where it is -40.
    """
    g = fresh(seed)
    mean, log_std = uniform(g, 5, 4, low=-1, high=1), uniform(g, 5, 4, low=-0.5, high=0.5)
    log_std[0], log_std[1], log_std[2] = -9.0, -40.0, 15.0
    mean[3] = torch.tensor([20.0, -20.0, 20.0, -20.0]) + 5 * mean[3]  # on both sides
    log_std[4] = uniform(g, 4, low=-6.0, high=4.0)
    return mean, log_std


def each(mean, log_std, *, by=2.0, half=0.5, log=1.0, one=1.0, power=2, mu=1.0):
    """The KL of each latent, with knobs."""
    return half * (torch.exp(by * log_std) + mu * mean**power - one) - log * log_std


slip = turned(each, lambda kl: kl.sum(1))
SLIPS = {
    LOG_VAR: slip(by=1, log=0.5),
    f"{LOG_VAR} A ½ is missing, too.": slip(by=1, half=1),
    f"In the term with the variance you use log σ as if it were log σ². {BLIND}": slip(by=1),
    AVERAGED: slip(lambda kl: kl.mean(1)),
    "You summed over the batch, not over the latents. Each example has a KL of its own.": (
        slip(lambda kl: kl.sum(0))
    ),
    "A ½ is missing. It belongs to all terms but the logarithm.": slip(half=1),
    "The sign of the logarithm is wrong: a narrow posterior knows more, and must cost more.": (
        slip(log=-1)
    ),
    "The logarithm is missing: then the narrowest posterior would be the cheapest.": slip(log=0),
    "The logarithm has a ½ too many. The ½ that you may have seen there belongs to log σ².": (
        slip(log=0.5)
    ),
    "The logarithm counts twice. It is log σ that the encoder gives, not log σ².": slip(log=2),
    "A constant is missing: where q is the prior, the KL must be 0.": slip(one=0),
    "The term with μ is wrong: a mean of -1 must cost as much as a mean of 1.": slip(power=1),
    "The term with μ is missing: a posterior far from 0 must cost.": slip(mu=0),
    REVERSED: lambda m, s: kl_divergence(Normal(0.0, 1.0), Normal(m, s.exp())).sum(1),
}


@check(
    cases=lambda seed: [shallow(seed), *posteriors(seed)],
    extreme=lambda seed: [extreme(seed)],
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("mean", "log_std"),
    praise="Your KL agrees with torch.distributions, values and gradients, for every size tried.",
)
def kl(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, std²) ‖ N(0, I)), (batch, latent_dim) -> (batch,), nats."""
    return kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
