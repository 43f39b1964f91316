"""Answers to the exercises of chapter 8, right in different styles, and wrong in known ways."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence


def threshold(x1, x2):
    std = (x1 - x2).square().sum().sqrt() / 2
    return std, x1.numel() / (2 * std**2)


def threshold_by_c(x1, x2):
    c = 2 / F.mse_loss(x1, x2)
    return (x1.numel() / (2 * c)).sqrt(), c


def threshold_loops(x1, x2):
    pairs = zip(x1.flatten().tolist(), x2.flatten().tolist(), strict=True)
    squares = sum((a - b) ** 2 for a, b in pairs)
    return math.sqrt(squares / 4), 2 * x1.numel() / squares


def at_distance(distance, c=lambda s, D: D / (2 * s**2)):
    return lambda a, b: (distance(a, b), c(distance(a, b), a.numel()))


def half(a, b):
    return (a - b).norm() / 2


def linear(eigenvalues, latent_dim, variance):
    top = torch.topk(eigenvalues, latent_dim).values
    return int((top > variance).sum()), 0.5 * torch.log((top / variance).clamp(min=1.0))


def linear_loops(eigenvalues, latent_dim, variance):
    kls = []
    for value in sorted(eigenvalues.tolist(), reverse=True)[:latent_dim]:
        kls.append(math.log(value / variance) / 2 if value > variance else 0.0)
    return sum(kl > 0 for kl in kls), torch.tensor(kls, dtype=eigenvalues.dtype)


def linear_distributions(eigenvalues, latent_dim, variance):
    """By the posterior that the best linear VAE has, averaged over its means."""
    top = eigenvalues.sort(descending=True).values[:latent_dim].clamp(min=variance)
    std, spread = (variance / top).sqrt(), 1 - variance / top
    at_zero = kl_divergence(Normal(torch.zeros_like(std), std), Normal(0.0, 1.0))
    return (eigenvalues > variance).sum().clamp(max=latent_dim), at_zero + spread / 2


def linear_slip(*, half=0.5, cut=True, power=1.0, one=0.0, order=True, count=None):
    def slipped(e, d, v):
        top = (e.sort(descending=True).values if order else e)[:d]
        kl = half * torch.log(one + top / v**power)
        return (count or (lambda e, d, v: linear(e, d, v)[0]))(e, d, v), kl.clamp(
            min=0
        ) if cut else kl

    return slipped


def bisected(eigenvalues, distortion):
    low, high = 0.0, eigenvalues.max().item()
    for _ in range(60):
        level = (low + high) / 2
        if eigenvalues.clamp(max=level).sum() > distortion:
            high = level
        else:
            low = level
    return high


def rate(eigenvalues, distortion):
    return torch.log((eigenvalues / bisected(eigenvalues, distortion)).clamp(min=1)).sum() / 2


def rate_by_sorting(eigenvalues, distortion):
    """Drown the smallest until the rest can share what is left evenly."""
    values = sorted(eigenvalues.tolist())
    if distortion >= sum(values):
        return 0.0
    for k in range(len(values)):
        level = (distortion - sum(values[:k])) / (len(values) - k)
        if level <= values[k]:
            return sum(0.5 * math.log(value / level) for value in values[k:])


def rate_by_grid(eigenvalues, distortion):
    levels = torch.linspace(1e-4, 1, 40_001, dtype=torch.float64) * eigenvalues.max()
    lost = torch.zeros_like(levels)
    for value in eigenvalues:
        lost = lost + torch.minimum(levels, value)
    k = int(torch.searchsorted(lost, min(distortion, lost[-1].item())).clamp(1, 40_000))
    part = (min(distortion, lost[-1].item()) - lost[k - 1]) / (lost[k] - lost[k - 1])
    level = levels[k - 1] + part * (levels[k] - levels[k - 1])
    return sum(0.5 * math.log(max(value / level, 1.0)) for value in eigenvalues.tolist())


def at_level(level, *, half=0.5, cut=True):
    def slipped(e, t):
        nats = half * (e[e > 0] / level(e, t)).log()
        return (nats.clamp(min=0) if cut else nats).sum()

    return slipped


def bisected_from(high, until):
    """The rate by bisection between 0 and `high`, until the interval is small."""

    def slipped(eigenvalues, distortion):
        low, top = 0.0, high
        while top - low > until:
            level = (low + top) / 2
            low, top = (
                (low, level) if eigenvalues.clamp(max=level).sum() > distortion else (level, top)
            )
        return torch.log((eigenvalues / top).clamp(min=1)).sum() / 2

    return slipped


def straight(steps):
    return [min(max((t / steps - 0.1) / 0.5, 0.0), 1.0) for t in range(steps)]


def by_linspace(steps):
    first, last = math.ceil(steps / 10), math.ceil(steps / 3)
    rise = torch.linspace(0, 1, steps - first - last)
    return torch.cat([torch.zeros(first), rise, torch.ones(last)])


def cosine(steps):
    t = (torch.arange(steps, dtype=torch.float64) / steps - 0.1) / 0.55
    beta = 0.5 - 0.5 * torch.cos(math.pi * t.clamp(0, 1))
    return torch.where(t >= 1, torch.ones_like(beta), torch.where(t <= 0, 0 * beta, beta)).numpy()


def steepest(steps):
    """As steep as is allowed, in float32."""
    return ((torch.arange(steps) / steps - 0.1) * 4).clamp(0, 1)


def cyclical(steps):
    return torch.cat([by_linspace(steps - steps // 4), by_linspace(steps // 4)])


def free_bits(kl, floor):
    return kl.mean(0).clamp(min=floor).sum()


def free_bits_maximum(kl, floor):
    return torch.maximum(kl.mean(0), torch.tensor(floor).to(kl)).sum()


def free_bits_relu(kl, floor):
    return ((kl.mean(0) - floor).relu() + floor).sum()


def free_bits_loops(kl, floor):
    total = 0
    for column in kl.T:
        average = sum(column) / len(column)
        total = total + (average if average > floor else floor)
    return total


RIGHT = {
    "free_bits": [free_bits, free_bits_maximum, free_bits_relu, free_bits_loops],
    "two_pictures": [threshold, threshold_by_c, threshold_loops],
    "linear": [linear, linear_loops, linear_distributions],
    "rate": [rate_by_sorting, rate, rate_by_grid],
    "schedule": [straight, by_linspace, cosine, steepest],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "free_bits": [
        (lambda kl, floor: kl.mean(0).clamp(min=floor).sum().item(), "no gradient"),
        (lambda kl, floor: kl.detach().mean(0).clamp(min=floor).sum(), "no gradient"),
        (lambda kl, floor: kl.mean(0).clamp(min=floor), "shape"),
        (lambda kl, floor: kl.clamp(min=floor).mean(0).sum(), "picture by picture"),
        (lambda kl, floor: kl.mean(0).clamp(max=floor).sum(), "smaller of both"),
        (lambda kl, floor: kl.mean(1).clamp(min=floor).sum(), None),
        (lambda kl, floor: -kl.mean(0).clamp(min=floor).sum(), "sign"),
        (lambda kl, floor: kl.mean(0).clamp(min=1.02 * floor).sum(), None),
    ],
    "two_pictures": [
        (lambda a, b: threshold(a, b)[0], "shape"),
        # no channels
        (at_distance(lambda a, b: ((a - b).square().sum() + 1e-8).sqrt() / 2), "It is right for"),
        (at_distance(lambda a, b: (a - b).norm(), lambda s, D: D / s**2), BOTH),
        (lambda a, b: (a.numel() / half(a, b) ** 2, half(a, b)), BOTH),
        (at_distance(lambda a, b: (a - b).square().mean().sqrt()), BOTH),
        (at_distance(lambda a, b: (a - b).norm().clamp(min=0.1) / 2), "It is right for"),
    ],
    "linear": [
        (linear_slip(count=lambda e, d, v: (linear(e, d, v)[1] > 0.3).sum()), None),
        (linear_slip(half=1 / math.log(2)), BOTH),
        (linear_slip(count=lambda e, d, v: d, half=1.0), BOTH),
        (linear_slip(order=False, half=1.0), BOTH),
        (linear_slip(count=lambda e, d, v: (e > min(v, 1)).sum().clamp(max=d)), "It is right for"),
        (lambda e, d, v: (linear(e, d, v)[0], linear(e, d, v)[1].clamp(max=4)), "It is right for"),
    ],
    "rate": [
        (lambda e, t: (0.5 * (e / bisected(e, t)).log()).sum(), "NaN or infinity"),
        (lambda e, t: -rate(e, t), "sign"),
        (lambda e, t: (e / bisected(e, t)).clamp(min=1).log() / 2, "shape"),
        (at_level(lambda e, t: 1.002 * bisected(e, t)), "Close, but"),
        (at_level(lambda e, t: e.mean()), None),
        (bisected_from(10.0, 1e-12), "It is right for"),
        (bisected_from(1e4, 1e-4), None),
        (lambda e, t: 2 * rate(e, t) / math.log(2), BOTH),
        (lambda e, t: -rate(e, t) / math.log(2), BOTH),
        (lambda e, t: at_level(lambda e, t: t / len(e), half=1.0)(e, t), BOTH),
    ],
    "schedule": [
        (cyclical, "falls"),
        (lambda steps: torch.linspace(0, 1, steps), "too early"),
        (lambda steps: torch.ones(steps), "first β is not 0"),
        (lambda steps: torch.zeros(steps), "exactly 1"),
        (lambda steps: [0.0] * (steps // 2) + [1.0] * (steps - steps // 2), "jumps"),
        (lambda steps: by_linspace(steps).flip(0), "falls"),
        (lambda steps: 0.99 * by_linspace(steps), "exactly 1"),
        (lambda steps: 4 * by_linspace(steps), "above 1"),
        (lambda steps: 2 * by_linspace(steps) - 1, "negative"),
        (lambda steps: by_linspace(steps)[1:], "one β for each step"),
        (lambda steps: (torch.arange(steps) / steps / 0.9 - 0.1).clamp(0, 1), "exactly 1"),
        (lambda steps: by_linspace(steps).round(), "jumps"),
        (lambda steps: 0.5, "one β for each step"),
        (
            lambda steps: ((torch.arange(steps) - steps // 10) / (0.8 * steps)).clamp(0, 1),
            "too late",
        ),
        (lambda steps: by_linspace(20), "one β for each step"),
        (lambda steps: ((torch.arange(steps) / steps - 0.1) * 8).clamp(0, 1), "jumps"),
        (lambda steps: [[beta] for beta in straight(steps)], "no number"),
        (lambda steps: [0.0] * 2 + straight(steps)[2:] if steps == 20 else straight(20), "one β"),
        (lambda steps: [b if b < 1 else 0.999 for b in straight(steps)], "exactly 1"),
    ],
}
