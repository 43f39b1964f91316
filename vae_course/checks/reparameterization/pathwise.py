"""Slopes of an average along the path: the oracle, and slips with their names."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.verdict import same
from vae_course.checks.reparameterization.noise_draws import seeded

NAMES = ("f", "mean", "log_std", "noise")


def cases(seed: int | None) -> list[tuple]:
    """(f, mean, log_std, noise), f (N, d) -> (N,) with slopes that differ from latent to latent."""
    g = fresh(seed)
    found = []
    for draws, latents in ((1, 3), (6, 1), (4, 5)):
        q = normal(g, latents), uniform(g, latents, low=-1.2, high=-0.3)
        found.append((_hill(g, latents), *q, normal(g, draws, latents)))
    return found


def _hill(g, latents):
    a, b, c = normal(g, latents), normal(g, latents), 1 + uniform(g, 1)
    return lambda z: torch.cos(z @ a) + (z @ b) ** 2 / latents + z @ a + c


def differences(f: Callable, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of the average of f in mean and log_std, by moving each of them a little."""

    def average(m, s):
        return f(m + s.exp() * noise).mean()

    step = 1e-5 * torch.eye(len(mean)).to(mean)
    in_mean = [average(mean + h, log_std) - average(mean - h, log_std) for h in step]
    in_log_std = [average(mean, log_std + h) - average(mean, log_std - h) for h in step]
    return torch.stack(in_mean) / 2e-5, torch.stack(in_log_std) / 2e-5


def require_given_noise(answer: Callable, case: tuple) -> None:
    """The same arguments give the same result, whatever torch's generator is at."""
    found = [as_tensors(run(seeded(answer, number), case, NAMES)) for number in (1, 2)]
    require(
        same(*found, 1e-9),
        "Called twice with the same arguments, your function gives two results. The noise is one "
        "of the arguments: draw none of your own.",
    )


def of_draws(f, mean, log_std, noise):
    """f'(z) of each draw (N, d)."""
    z = (mean + log_std.exp() * noise).requires_grad_()
    return torch.autograd.grad(f(z).sum(), z)[0]


def _second(change):
    """The first slope is right; the second is the average of `change(f'(z), std, ε)`."""

    def slip(f, mean, log_std, noise):
        slope = of_draws(f, mean, log_std, noise)
        return slope.mean(0), change(slope, log_std.exp(), noise).mean(0)

    return slip


def _both(change):
    """Both slopes from f'(z), std and ε of every draw."""

    def slip(f, mean, log_std, noise):
        slope, std = of_draws(f, mean, log_std, noise), log_std.exp()
        return change(slope, slope * std * noise)

    return slip


def _by_score(f, mean, log_std, noise):
    value, std = f(mean + log_std.exp() * noise)[:, None], log_std.exp()
    return (value * noise / std).mean(0), (value * (noise**2 - 1)).mean(0)


MISTAKES = {
    "You summed over the draws. Estimate the slope of the average.": (
        _both(lambda a, b: (a.sum(0), b.sum(0)))
    ),
    "The second is the slope in σ. In log σ the chain rule gives another factor.": (
        _second(lambda slope, std, noise: slope * noise)
    ),
    "The second lacks the noise: how far a draw moves with σ depends on its ε.": (
        _second(lambda slope, std, noise: slope * std)
    ),
    "The second lacks the noise and σ: it is the slope in the mean.": (
        _second(lambda slope, std, noise: slope)
    ),
    "The second treats log σ as log σ².": _second(
        lambda slope, std, noise: slope * std * noise / 2
    ),
    "The second has σ² where the chain rule gives σ.": (
        _second(lambda slope, std, noise: slope * std**2 * noise)
    ),
    "The second has the wrong sign.": _second(lambda slope, std, noise: -slope * std * noise),
    "These are score-function estimates. Here f has a slope: use it.": _by_score,
    "The slopes are taken at the mean, not at the draws.": (
        lambda f, m, s, e: (of_draws(f, m, s, 0 * e).mean(0), 0 * m)
    ),
    "You kept every draw. Estimate the slope of the average.": _both(lambda a, b: (a, b)),
    "They stand in the wrong order: first the mean.": _both(lambda a, b: (b.mean(0), a.mean(0))),
}
