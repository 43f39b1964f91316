"""Task 3: the same slopes by the score, without that of f."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.together import Then
from vae_course.checks.reparameterization.slopes import (
    RESULTS,
    cases,
    of_draws,
    over_draws,
    require_given_noise,
)


def estimates(f: Callable, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """f(z) times the slope of log q(z), by autograd: (N, d) each."""
    z = mean + log_std.exp() * noise
    # A copy of the parameters for each draw, so that each gets a slope of its own.
    given = [part.expand_as(noise).clone().requires_grad_() for part in (mean, log_std)]
    log_q = Normal(given[0], given[1].exp(), validate_args=False).log_prob(z).sum()
    return tuple(f(z)[:, None] * slope for slope in torch.autograd.grad(log_q, given))


def _changed(change):
    """The estimates changed by `change(in_mean, in_log_std, f(z), std, ε)`."""

    def slip(f, mean, log_std, noise):
        std = log_std.exp()
        value = f(mean + std * noise)[:, None]
        return change(value * noise / std, value * (noise**2 - 1), value, std, noise)

    return slip


def _plus_path(f, mean, log_std, noise):
    """What autograd makes of f(z) log q(z) when z is detached in log q, but not in f."""
    std = log_std.exp()
    z = mean + std * noise
    path = of_draws(f, mean, log_std, noise) * Normal(mean, std, validate_args=False).log_prob(
        z
    ).sum(1, keepdim=True)
    in_mean, in_log_std = estimates(f, mean, log_std, noise)
    return in_mean + path, in_log_std + path * std * noise


def _through_z(f, mean, log_std, noise, attached_f=False):
    """What autograd makes of f(z) log q(z) when z is not detached in log q."""
    value = f(mean + log_std.exp() * noise)[:, None]
    in_mean, in_log_std = 0 * value * noise, -value * torch.ones_like(noise)
    if not attached_f:
        return in_mean, in_log_std
    ours = estimates(f, mean, log_std, noise)
    both = _plus_path(f, mean, log_std, noise)
    return in_mean + both[0] - ours[0], in_log_std + both[1] - ours[1]


def _less_average(f):
    """The share of f(z) that is left when its average over the draws is taken off."""
    return (f - f.mean()) / f


DRAWS = "Here every draw keeps its own estimate, so that one can see how they scatter."
SLIPS = {
    "z is not detached, so the slope runs through the draw into log q, and undoes the score.": (
        _through_z
    ),
    "z is detached nowhere: the slope runs through the draw, into f and into log q.": (
        lambda *case: _through_z(*case, attached_f=True)
    ),
    "The slope also runs through z into f. Its value must count as a plain number.": _plus_path,
    f"You averaged over the draws. {DRAWS}": Then(over_draws(lambda t: t.mean(0))),
    f"You summed over the draws. {DRAWS}": Then(over_draws(lambda t: t.sum(0))),
    "You divided by the number of draws. Every draw is an estimate of its own.": (
        _changed(lambda a, b, f, std, e: (a / len(e), b / len(e)))
    ),
    "The second is the estimate of the slope in σ. In log σ there is another factor.": (
        _changed(lambda a, b, f, std, e: (a, b / std))
    ),
    "This is the score alone: f is missing.": _changed(lambda a, b, f, std, e: (a / f, b / f)),
    "Your f has lost its sign. It may be below 0.": (
        _changed(lambda a, b, f, std, e: (a * f.sign(), b * f.sign()))
    ),
    "In the second, a constant is missing: the score must average to zero.": (
        _changed(lambda a, b, f, std, e: (a, f * e**2))
    ),
    "In the first, σ is missing: a narrow q has a steep log density.": (
        _changed(lambda a, b, f, std, e: (f * e, b))
    ),
    "In the first, there is a σ too many below the line. ε is z - μ in other units.": (
        _changed(lambda a, b, f, std, e: (f * e / std**2, b))
    ),
    "In the first, the noise is missing.": _changed(lambda a, b, f, std, e: (f / std + 0 * e, b)),
    "In the second, something is divided by σ². Measured in units of σ, z - μ is ε.": (
        _changed(lambda a, b, f, std, e: (a, b / std**2))
    ),
    "The second treats log σ as log σ².": _changed(lambda a, b, f, std, e: (a, b / 2)),
    "In the second, ε is not squared.": _changed(lambda a, b, f, std, e: (a, f * (e - 1))),
    "A baseline is taken off: the average of f. The task asks for none.": (
        _changed(lambda a, b, f, std, e: (_less_average(f) * a, _less_average(f) * b))
    ),
    "In the first, a baseline is taken off: the average of f. The task asks for none.": (
        _changed(lambda a, b, f, std, e: (_less_average(f) * a, b))
    ),
    "In the second, a baseline is taken off: the average of f. The task asks for none.": (
        _changed(lambda a, b, f, std, e: (a, _less_average(f) * b))
    ),
    "These are pathwise estimates: they use the slope of f.": lambda f, m, s, e: (
        of_draws(f, m, s, e),
        of_draws(f, m, s, e) * s.exp() * e,
    ),
}


@check(
    cases=cases,
    before=require_given_noise,
    slips=SLIPS,
    results=RESULTS,
    praise="One estimate for each draw, and no slope of f was needed.",
)
def score(f: Callable, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Score-function estimates of every draw, (N, d) each, for f (N, d) -> (N,), noise (N, d)."""
    return estimates(f, mean, log_std, noise)
