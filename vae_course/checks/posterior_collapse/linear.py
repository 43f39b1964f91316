"""Latents and nats from eigenvalues, by search; and the slips on the way."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.verdict import same


def linear_cases(seed: int | None) -> list[tuple]:
    """(eigenvalues, latent_dim, variance), in any order, with more or fewer latents than needed."""
    g = fresh(seed)
    cases = []
    for above, below, latents in ((4, 2, 3), (2, 4, 5), (1, 3, 2), (0, 4, 2), (3, 1, 4)):
        variance = uniform(g, 1, low=0.2, high=0.6).item()
        high, low = uniform(g, above, low=1.2, high=9), uniform(g, below, low=0.1, high=0.8)
        high[:1] = variance**-0.25  # an eigenvalue between σ² and σ
        values = variance * torch.cat([low, high])
        if cases:  # in the first case those to be left out come first; then any order
            values = values[torch.randperm(len(values), generator=g)]
        cases.append((values, latents, variance))
    return cases


def linear(eigenvalues: Tensor, latent_dim: int, variance: float) -> tuple[Tensor, Tensor]:
    """The number of active latents and their KLs, from strengths found by search."""
    chosen = eigenvalues.sort(descending=True).values[:latent_dim]

    def cost(strength):  # minus log p(x) along an eigenvector, but for a constant
        return 0.5 * ((strength + variance).log() + chosen / (strength + variance))

    strength = lowest(cost, torch.zeros_like(chosen), chosen + variance)  # squared
    strength = torch.where(strength < 1e-7, torch.zeros_like(strength), strength)
    posterior = 1 / (1 + strength / variance)
    spread = chosen * strength * posterior**2 / variance**2  # of the posterior's mean
    kl = 0.5 * (posterior + spread - 1 - posterior.log())
    return (strength > 0).sum(), kl


def _kls(values, d, v, *, half=0.5, cut=True, power=1.0, one=0.0, ordered=True, largest=True):
    values = values.sort(descending=largest).values if ordered else values
    nats = half * (one + values[:d] / v**power).log()
    return nats.clamp(min=0) if cut else nats


def _line(count=lambda e, d, v: ((e > v).sum()).clamp(max=d), **slip):
    return lambda e, d, v: (count(e, d, v), _kls(e, d, v, **slip))


LINEAR_MISTAKES = {
    "Some of your KLs are negative. A latent that does not pay is switched off.": _line(cut=False),
    "You count eigenvalues that the model has no latents for.": _line(
        count=lambda e, d, v: (e > v).sum()
    ),
    "You compare eigenvalues with σ. They are variances.": _line(
        count=lambda e, d, v: ((e > v**0.5).sum()).clamp(max=d)
    ),
    "You compare eigenvalues with σ, in the count and in the KL. They are variances.": _line(
        count=lambda e, d, v: ((e > v**0.5).sum()).clamp(max=d), power=0.5
    ),
    "In the KL you divide by σ. Eigenvalues are variances.": _line(power=0.5),
    "In the KL you divide by σ⁴: `variance` is squared already.": _line(power=2),
    "In the KL a ½ is missing.": _line(half=1.0),
    "Your KL is that of a latent whose strength squared is λ. At the optimum the noise has a share "
    "in λ, too.": _line(one=1.0),
    "Your KL is in bits.": _line(half=0.5 / math.log(2)),
    "You take the eigenvalues in the order in which they come. Which does the model choose?": (
        _line(ordered=False)
    ),
    "You count among the first eigenvalues as they come. Which does the model choose?": _line(
        count=lambda e, d, v: (e[:d] > v).sum()
    ),
    "Your KLs are right, but not the largest first.": (
        lambda e, d, v: (linear(e, d, v)[0], linear(e, d, v)[1].flip(0))
    ),
    "Your KL grows in proportion to what stands out above the noise. It grows more slowly.": (
        lambda e, d, v: (linear(e, d, v)[0], (linear(e, d, v)[1] * 2).expm1() / 2)
    ),
    "You take the smallest eigenvalues. Which does the model choose?": _line(largest=False),
    "You count all latents.": _line(count=lambda e, d, v: d),
    "You count the latents that are switched off.": _line(
        count=lambda e, d, v: d - ((e > v).sum()).clamp(max=d)
    ),
    "Your KLs are all there are, also those for which the model has no latent.": (
        lambda e, d, v: (linear(e, d, v)[0], linear(e, len(e), v)[1])
    ),
    "Your KLs are summed. The task asks for each.": (
        lambda e, d, v: (linear(e, d, v)[0], linear(e, d, v)[1].sum())
    ),
    "They stand in the wrong order: first how many.": lambda *case: linear(*case)[::-1],
}


def rate_cases(seed: int | None) -> list[tuple]:
    """(eigenvalues, distortion): nothing under water, some, nearly all, and all.

    The eigenvalues fall so steeply that those which drown make others drown.
    """
    g = fresh(seed)
    cases = []
    for count, share in ((3, 0.01), (6, 0.6), (5, 0.85), (1, 0.3), (4, 1.3)):
        values = uniform(g, count, low=0.9, high=1.1) * 3.0 ** -torch.arange(count).double()
        values = values * uniform(g, 1, low=1.5, high=3.0)
        if count > 3:
            values[-1] = 0.0
        values = values[torch.randperm(count, generator=g)]
        cases.append((values, share * values.sum().item()))
    return cases


def _highest_line(eigenvalues: Tensor, distortion: float) -> tuple[Tensor, Tensor]:
    """Of all lines that touch the curve, one for each level: where the highest is, and its level.

    The curve is convex, so none of them is above it, and no equation for the level is solved.
    """

    def minus_line(log_level):
        level = log_level.exp()
        above = (eigenvalues / level[..., None]).clamp(min=1).log().sum(-1) / 2
        left = torch.minimum(eigenvalues, level[..., None]).sum(-1)
        return -(above + (left - distortion) / (2 * level))

    low = torch.tensor(-12.0, dtype=torch.float64)
    best = lowest(minus_line, low, low + 16)
    return -minus_line(best), best.exp()


def rate(eigenvalues: Tensor, distortion: float) -> Tensor:
    return _highest_line(eigenvalues, distortion)[0].clamp(min=0)


def require_digits(answer: Callable, cases: list[tuple]) -> None:
    """Four digits, of an answer that is right to about two."""
    for case in cases:
        got = as_tensors(run(answer, case, ("eigenvalues", "distortion")))
        require(
            same(got, as_tensors(rate(*case)), 1e-4),
            "Close, but not right to four digits: your water level is too coarse. Where little may "
            "be lost, it is a small part of the largest eigenvalue.",
        )


def _nats(e, level, *, half=0.5, cut=True):
    nats = half * (e / level).log()
    return (nats.clamp(min=0) if cut else nats).sum()


def _drowned_once(e, t):
    low = e <= t / len(e)
    return e.max() if low.all() else (t - e[low].sum()) / (~low).sum()


def _in_use(e):
    return e[e > 0]


RATE_MISTAKES = {
    "You take the distortion for the water level. It is what is lost, over all eigenvalues.": (
        lambda e, t: _nats(e, t)
    ),
    "You share the distortion evenly. An eigenvalue cannot lose more than it has, so the others "
    "must lose more.": lambda e, t: _nats(e, t / len(e)),
    "You share the distortion evenly among the eigenvalues above 0. None can lose more than it "
    "has.": lambda e, t: _nats(_in_use(e), t / len(_in_use(e))),
    "You share it evenly, and some eigenvalues come out with a negative rate.": (
        lambda e, t: _nats(_in_use(e), t / len(_in_use(e)), cut=False)
    ),
    "Every eigenvalue loses the same share of itself. It is cheaper to drown the small ones.": (
        lambda e, t: max(len(_in_use(e)) * 0.5 * math.log(e.sum().item() / t), 0.0)
    ),
    "A ½ is missing.": lambda e, t: 2 * rate(e, t),
    "This is in bits.": lambda e, t: rate(e, t) / math.log(2),
    "You let the small ones drown once, and share the rest evenly. Then more of them may drown.": (
        lambda e, t: _nats(e, _drowned_once(e, t))
    ),
    "You return the water level. The task asks for the rate.": (
        lambda e, t: _highest_line(e, t)[1].clamp(max=e.max())
    ),
    "Some eigenvalues come out with a negative rate: what is under water costs nothing.": (
        lambda e, t: _nats(_in_use(e), _highest_line(e, t)[1].clamp(max=e.max()), cut=False)
    ),
}
