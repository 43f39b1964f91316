"""Task 2: the slope of an average, along the path."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.seeded import seeded
from vae_course.checks.judging.verdict import same

NAMES = ("f", "mean", "log_std", "noise")
RESULTS = ("the slope in the mean", "the slope in log_std")


def cases(seed: int | None) -> list[tuple]:
    """(f, mean, log_std, noise), f (N, d) -> (N,) with slopes that differ from latent to latent.

    One f is below 0 nearly everywhere. The last q is far narrower than 1 in one latent, and far
    wider in another, so that a clamp is seen; its means are small, so that none swallows σ.
    """
    g = fresh(seed)
    found = []
    for draws, latents, sign in ((1, 3, 1), (6, 1, -1), (4, 5, 1)):
        q = normal(g, latents), uniform(g, latents, low=-1.2, high=-0.3)
        found.append((_hill(g, latents, sign), *q, normal(g, draws, latents)))
    wide = torch.tensor([-8.0, 4.5], dtype=torch.float64)
    found.append((_hill(g, 2, 1), normal(g, 2, scale=1e-4), wide, normal(g, 5, 2)))
    return found


def _hill(g, latents, sign):
    a, b, c = normal(g, latents), normal(g, latents), 1 + uniform(g, 1)
    return lambda z: sign * (torch.cos(z @ a) + (z @ b) ** 2 / latents + z @ a + c)


def require_given_noise(answer: Callable, cases: list[tuple]) -> None:
    """The same arguments give the same result, whatever torch's generator is at."""
    found = [as_tensors(run(seeded(answer, number), cases[2], NAMES)) for number in (1, 2)]
    require(
        same(*found, 1e-9),
        "Called twice with the same arguments, your function gives two results. The noise is one "
        "of the arguments: draw none of your own.",
    )


def of_draws(f, mean, log_std, noise):
    """f'(z) of each draw (N, d)."""
    z = (mean + log_std.exp() * noise).requires_grad_()
    return torch.autograd.grad(f(z).sum(), z)[0]


def each(f, mean, log_std, noise, *, in_std=1, in_noise=1, half=1.0, at_noise=1.0):
    """Slopes of every draw in mean and log_std, (N, d) each, with knobs."""
    slope = of_draws(f, mean, log_std, at_noise * noise)
    return slope, half * slope * torch.exp(in_std * log_std) * (at_noise * noise) ** in_noise


def over_draws(reduce):
    return lambda pair: tuple(map(reduce, pair))


def _by_score(f, mean, log_std, noise):
    value, std = f(mean + log_std.exp() * noise)[:, None], log_std.exp()
    return (value * noise / std).mean(0), (value * (noise**2 - 1)).mean(0)


slip = turned(each, over_draws(lambda t: t.mean(0)))
SLIPS = {
    "You summed over the draws. Estimate the slope of the average.": (
        slip(over_draws(lambda t: t.sum(0)))
    ),
    "You kept every draw. Estimate the slope of the average.": slip(over_draws(lambda t: t)),
    "The second is the slope in σ. In log σ the chain rule gives another factor.": slip(in_std=0),
    "The second lacks the noise: how far a draw moves with σ depends on its ε.": slip(in_noise=0),
    "The second lacks the noise and σ: it is the slope in the mean.": slip(in_std=0, in_noise=0),
    "The second treats log σ as log σ².": slip(half=0.5),
    "The second has σ² where the chain rule gives σ.": slip(in_std=2),
    "The second is divided by σ, where the chain rule multiplies.": slip(in_std=-1),
    "In the second, ε is squared.": slip(in_noise=2),
    "These are score-function estimates. Here f has a slope: use it.": _by_score,
    "The slopes are taken at the mean, not at the draws.": slip(at_noise=0.0),
    "The draws are averaged before f sees them. Average f(z), not z.": (
        lambda f, m, s, e: differences(f, m, s, e.mean(0, keepdim=True))
    ),
    "You use the first draw only. Average over all of them.": (
        lambda f, m, s, e: differences(f, m, s, e[:1])
    ),
    "You averaged over the latents, too. Average f over the draws, and over nothing else.": (
        lambda f, m, s, e: tuple(part / len(m) for part in differences(f, m, s, e))
    ),
}


def differences(f: Callable, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """By moving each number a little."""

    def average(m, s):
        return f(m + s.exp() * noise).mean()

    step = 1e-5 * torch.eye(len(mean)).to(mean)
    in_mean = [average(mean + h, log_std) - average(mean - h, log_std) for h in step]
    in_log_std = [average(mean, log_std + h) - average(mean, log_std - h) for h in step]
    return torch.stack(in_mean) / 2e-5, torch.stack(in_log_std) / 2e-5


@check(
    cases=cases,
    before=require_given_noise,
    slips=SLIPS,
    results=RESULTS,
    praise="Finite differences find the same. The slope got through every draw.",
)
def slopes(f: Callable, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes of the average f(mean + std · noise) in mean and log_std, (d,) each.

    f (N, d) -> (N,), noise (N, d). Here by finite differences.
    """
    return differences(f, mean, log_std, noise)
