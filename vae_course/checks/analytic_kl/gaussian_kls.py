"""The KL between Gaussians, with room for slips, and the names of the slips."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.inputs import fresh, uniform

BLIND = "The minimum stays right, the curvature does not: chapter 4 measures this very slip."
SLIP = f"You use log σ as if it were log σ². {BLIND}"
REVERSED = "This is KL(p ‖ q), the other way round. Over which of the two is the average taken?"
PER_BATCH = "These are slopes of the average over the batch. Here every example has its own KL."


def to_prior(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, std²) ‖ N(0, I)), (batch, latent_dim) -> (batch,)."""
    return kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)


def between(mean_q: Tensor, log_std_q: Tensor, mean_p: Tensor, log_std_p: Tensor) -> Tensor:
    """KL(q ‖ p) of two diagonal Gaussians, (batch, latent_dim) -> (batch,)."""
    return kl_divergence(Normal(mean_q, log_std_q.exp()), Normal(mean_p, log_std_p.exp())).sum(1)


def shallow(seed: int | None) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (2, 2), near N(0, I), so that a floor under small KL is seen."""
    g = fresh(seed)
    return tuple(uniform(g, 2, 2, low=0.03, high=0.06) for _ in range(2))


def shallow_pair(seed: int | None) -> tuple[Tensor, ...]:
    """The same for two Gaussians that are near each other, and away from N(0, I)."""
    mean, log_std = shallow(seed)
    return 1.5 + mean, log_std - 1, torch.full_like(mean, 1.5), torch.full_like(mean, -1.0)


def extreme(seed: int | None) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (3, 4): what an encoder gives when training has only begun, or gone astray.

    One σ is always so small that a 1e-8 in a logarithm is seen.
    """
    g = fresh(seed)
    mean, log_std = uniform(g, 3, 4, low=-20, high=20), uniform(g, 3, 4, low=-6.0, high=4.0)
    log_std[:, 0] = -9.0
    return mean, log_std


def each(mean, log_std, *, by=2.0, half=0.5, log=1.0, one=1.0, power=2):
    """The KL of each latent, with room for slips."""
    return half * (torch.exp(by * log_std) + mean**power - one) - log * log_std


KL_MISTAKES = {
    SLIP: lambda m, s: each(m, s, by=1, log=0.5).sum(1),
    f"{SLIP} A ½ is missing, too.": lambda m, s: each(m, s, by=1, half=1).sum(1),
    f"In the term with the variance you use log σ as if it were log σ². {BLIND}": (
        lambda m, s: each(m, s, by=1).sum(1)
    ),
    "You averaged over the latents. Independent latents add their nats.": (
        lambda m, s: each(m, s).mean(1)
    ),
    "You summed over the batch, not over the latents. Each example has a KL of its own.": (
        lambda m, s: each(m, s).sum(0)
    ),
    "A ½ is missing. It belongs to all terms but the logarithm.": (
        lambda m, s: each(m, s, half=1).sum(1)
    ),
    "The sign of the logarithm is wrong: a narrow posterior knows more, and must cost more.": (
        lambda m, s: each(m, s, log=-1).sum(1)
    ),
    "The logarithm is missing: then the narrowest posterior would be the cheapest.": (
        lambda m, s: each(m, s, log=0).sum(1)
    ),
    "The logarithm has a ½ too many. The ½ that you may have seen there belongs to log σ².": (
        lambda m, s: each(m, s, log=0.5).sum(1)
    ),
    "The logarithm counts twice. It is log σ that the encoder gives, not log σ².": (
        lambda m, s: each(m, s, log=2).sum(1)
    ),
    "A constant is missing: where q is the prior, the KL must be 0.": (
        lambda m, s: each(m, s, one=0).sum(1)
    ),
    "The term with μ is wrong: a mean of -1 must cost as much as a mean of 1.": (
        lambda m, s: each(m, s, power=1).sum(1)
    ),
    "The term with μ is missing: a posterior far from 0 must cost.": (
        lambda m, s: each(0 * m, s).sum(1)
    ),
    REVERSED: lambda m, s: kl_divergence(Normal(0.0, 1.0), Normal(m, s.exp())).sum(1),
}


def in_sigma(mu: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of one latent's KL in μ and in σ, by autograd."""
    mean, std = mu.clone().requires_grad_(), sigma.clone().requires_grad_()
    total = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum()
    return torch.autograd.grad(total, (mean, std))


DERIVATIVE_MISTAKES = {
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
    REVERSED: lambda m, s: (m / s**2, 1 / s - (1 + m**2) / s**3),
    "They stand in the wrong order: first μ, then σ.": lambda m, s: (s - 1 / s, m),
    "The first has the wrong sign.": lambda m, s: (-m, s - 1 / s),
    "The second has the wrong sign.": lambda m, s: (m, 1 / s - s),
}


def in_log_std(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of the KL in the encoder's outputs, by autograd, (batch, latent_dim) each."""
    given = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    return torch.autograd.grad(to_prior(*given).sum(), given)


GRADIENT_MISTAKES = {
    "The second is the derivative in σ. In log σ the chain rule gives another factor.": (
        lambda m, s: (m, s.exp() - 1 / s.exp())
    ),
    "The second is the derivative in σ². In log σ the chain rule gives more factors.": (
        lambda m, s: (m, (1 - torch.exp(-2 * s)) / 2)
    ),
    SLIP: lambda m, s: (m, (s.exp() - 1) / 2),
    f"In the second you use log σ as if it were log σ². {BLIND}": lambda m, s: (m, s.exp() - 1),
    "In the second a ½ is left over. What becomes of a 2 in an exponent, differentiated?": (
        lambda m, s: (m, torch.exp(2 * s) / 2 - 1)
    ),
    "In the second, the slope of the logarithm is missing.": lambda m, s: (m, torch.exp(2 * s)),
    "In the second, the logarithm is not differentiated: its argument is still there.": (
        lambda m, s: (m, torch.exp(2 * s) - s)
    ),
    "The second has the wrong sign.": lambda m, s: (m, 1 - torch.exp(2 * s)),
    "The first has the wrong sign.": lambda m, s: (-m, torch.exp(2 * s) - 1),
    PER_BATCH: lambda m, s: (m / len(m), (torch.exp(2 * s) - 1) / len(m)),
    "They stand in the wrong order: first the mean.": lambda m, s: (torch.exp(2 * s) - 1, m),
}


def each_pair(mq, sq, mp, sp, *, by=2.0, half=0.5, log=1.0, one=1.0, spread=2.0):
    """KL(q ‖ p) of each latent, with room for slips."""
    squares = torch.exp(spread * (sq - sp)) + (mq - mp) ** 2 * torch.exp(-by * sp) - one
    return half * squares + log * (sp - sq)


def _pair_slip(**how):
    return lambda *case: each_pair(*case, **how).sum(1)


PAIR_MISTAKES = {
    REVERSED: lambda mq, sq, mp, sp: between(mp, sp, mq, sq),
    "p is not used: this is the KL to N(0, I).": lambda mq, sq, mp, sp: to_prior(mq, sq),
    "The mean of p is not used.": lambda mq, sq, mp, sp: between(mq, sq, 0 * mp, sp),
    "The spread of p is not used.": lambda mq, sq, mp, sp: between(mq, sq, mp, 0 * sp),
    "The distance of the means is not measured in units of p. A wide p forgives it, a narrow p "
    "does not.": _pair_slip(by=0.0),
    "The distance of the means is squared, but what it is divided by is not.": _pair_slip(by=1.0),
    "The distance of the means is measured in units of q. Who has to explain whom?": (
        lambda mq, sq, mp, sp: (
            each_pair(mq, sq, mq, sp) + 0.5 * ((mq - mp) * torch.exp(-sq)) ** 2
        ).sum(1)
    ),
    "The logarithms have the wrong sign: a q that is narrower than p knows more, and costs.": (
        _pair_slip(log=-1.0)
    ),
    "The logarithms are missing: a q that is narrower than p must cost.": _pair_slip(log=0.0),
    "The logarithms have a ½ too many. It would belong to variances.": _pair_slip(log=0.5),
    "A ½ is missing. It belongs to all terms but the logarithms.": _pair_slip(half=1.0),
    "A constant is missing: for q = p the KL must be 0.": _pair_slip(one=0.0),
    "In one term the ratio of the spreads stands without its square.": _pair_slip(spread=1.0),
    "You averaged over the latents. Independent latents add their nats.": (
        lambda *case: each_pair(*case).mean(1)
    ),
    SLIP: lambda mq, sq, mp, sp: between(mq, sq / 2, mp, sp / 2),
}
