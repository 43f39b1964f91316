"""Answers to the exercises of chapter 7, right in different styles, and wrong in known ways."""

import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence


def each_kl(mean, log_std):
    return kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))


def units(mean, log_std, threshold):
    return each_kl(mean, log_std).mean(0), int((mean.var(0) > threshold).sum())


def units_loops(mean, log_std, threshold):
    kls, count = [], 0
    for m, s in zip(mean.T, log_std.T, strict=True):
        total = sum((math.exp(2 * b) + a * a - 1) / 2 - b for a, b in zip(m, s, strict=True))
        kls.append(total / len(m))
        middle = sum(m) / len(m)
        count += bool(sum((a - middle) ** 2 for a in m) / len(m) > threshold)
    return torch.stack(kls), count


def units_moments(mean, log_std, threshold):
    log_var = 2 * log_std
    kl = -0.5 * (1 + log_var - mean.pow(2) - log_var.exp()).mean(dim=0)
    moved = mean.square().mean(0) - mean.mean(0).square()
    return kl, torch.count_nonzero(moved > threshold)


def units_by_numpy(mean, log_std, threshold):
    m, s = mean.numpy(), log_std.numpy()
    kl = (np.exp(2 * s) + m**2 - 1 - 2 * s).mean(axis=0) / 2
    return kl, sum(1 for j in range(m.shape[1]) if m[:, j].var(ddof=1) > threshold)


def counted(count):
    return lambda m, s, t: (units(m, s, t)[0], count(m, s, t).sum())


def priced(kl):
    return lambda m, s, t: (kl(m, s), units(m, s, t)[1])


def constant(x):
    p = x.mean(0)
    return p, ((x - p) ** 2).mean(), F.binary_cross_entropy(p.expand_as(x), x)


def constant_by_variance(x):
    p = x.sum(0) / len(x)
    entropy = -torch.xlogy(p, p) - torch.xlogy(1 - p, 1 - p)
    return p, x.var(0, unbiased=False).mean(), entropy.mean()


def constant_loops(x):
    p = torch.stack(list(x)).mean(0)
    mse = sum(F.mse_loss(p, picture) for picture in x) / len(x)
    bce = sum(F.binary_cross_entropy(p, picture) for picture in x) / len(x)
    return p, mse, bce


def constant_at(picture):
    def painted(x):
        p = picture(x).clamp(0, 1).expand_as(x)
        return p[0], F.mse_loss(p, x), F.binary_cross_entropy(p, x)

    return painted


def half_of(picture):
    """Another picture, and a ½ before its squared error."""

    def painted(x):
        p, mse, bce = constant_at(picture)(x)
        return p, mse / 2, bce

    return painted


def measured(change):
    return lambda x: change(x, *constant(x))


def prices(loss, pixels, batch):
    """What an error costs, and a code."""
    zero, x = torch.zeros(batch, 2), torch.zeros(batch, pixels)

    def black(z):
        return torch.zeros(len(z), pixels)

    error = loss(x + 1, black, zero, zero) - loss(x, black, zero, zero)
    code = loss(x, black, zero + 2, zero) - loss(x, black, zero, zero)
    return float(error), float(code)


def draw(loss, dtype=torch.float32):
    kept = []
    mean = torch.full((3, 2), 50.0, dtype=dtype).requires_grad_()

    def decode(z):
        kept.append(z)
        return torch.zeros(3, 5, dtype=dtype) + 0 * z.sum()

    loss(torch.zeros(3, 5, dtype=dtype), decode, mean, torch.full_like(mean, -2.0).detach())
    return kept[0]


def diagnose(loss):
    z = draw(loss)
    if z.abs().max() < 25:
        return "prior draw"
    if not z.requires_grad:
        return "detached"
    (one, code), (two, more) = prices(loss, 8, 4), prices(loss, 16, 12)
    if math.isclose(one, two, rel_tol=1e-3):
        return "pixel mean"
    if math.isclose(more, 3 * code, rel_tol=1e-3):
        return "batch sum"
    return "healthy"


def diagnose_by_code_price(loss):
    """The KL is known in nats: 2 for each latent at a mean of 2 and σ = 1."""
    error, code = prices(loss, 7, 5)
    if abs(code - 4.0) > 0.1:
        return "batch sum"
    if prices(loss, 70, 5)[0] < 5 * error:
        return "pixel mean"
    z = draw(loss, torch.float64)
    if z.mean() < 40:
        return "prior draw"
    return "healthy" if z.requires_grad else "detached"


def diagnose_by_gradients(loss):
    """At mean 0 the KL has no slope: what is left in `mean` came through the decoder."""
    mean = torch.zeros(64, 2, requires_grad=True)
    weight = torch.ones(2, 3)
    value = loss(torch.ones(64, 3), lambda z: z @ weight, mean, torch.full((64, 2), -1.0))
    slope = torch.autograd.grad(value, mean)[0]
    if slope.abs().max() > 1e-6:
        (one, code), (two, more) = prices(loss, 6, 2), prices(loss, 18, 6)
        return "pixel mean" if two < 1.1 * one else "batch sum" if more > 2 * code else "healthy"
    zero = mean.detach()
    near, far = (
        loss(torch.zeros(64, 3), lambda z: z @ weight, m + zero, zero) for m in (0.0, 1000.0)
    )
    return "detached" if float(far - near) > 1.05e6 else "prior draw"  # the KL alone: 1e6


def renamed(names):
    return lambda loss: names.get(diagnose(loss), diagnose(loss))


def no_grad_wanted(loss):
    """Forgets that the mean must require a gradient."""
    kept = []
    loss(torch.zeros(2, 3), lambda z: kept.append(z) or z.sum() * torch.zeros(2, 3),
         torch.full((2, 2), 50.0), torch.zeros(2, 2))  # fmt: skip
    if kept[0].max() < 25:
        return "prior draw"
    return "detached" if not kept[0].requires_grad else diagnose(loss)


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


def by_prices(loss):
    """No two prices are compared: each has a limit of its own."""
    error, code = prices(loss, 10, 5)
    if error < 3:
        return "pixel mean"
    if code > 10:
        return "batch sum"
    return diagnose(loss)


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


RIGHT = {
    "units": [units_moments, units, units_loops, units_by_numpy],
    "constant": [constant, constant_by_variance, constant_loops],
    "diagnosis": [diagnose, diagnose_by_code_price, diagnose_by_gradients],
    "two_pictures": [threshold, threshold_by_c, threshold_loops],
    "linear": [linear, linear_loops, linear_distributions],
    "rate": [rate_by_sorting, rate, rate_by_grid],
    "schedule": [straight, by_linspace, cosine, steepest],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "units": [
        (counted(lambda m, s, t: m[: len(m) // 2].var(0) > t), None),
        (lambda m, s, t: (each_kl(m, s).mean(0), int((m.var(0) > t).any())), None),
        (priced(lambda m, s: each_kl(m, (s.exp() + 1e-8).log()).mean(0)), "right for moderate"),
        (priced(lambda m, s: each_kl(m, s.clamp(-10, 10)).mean(0)), "right for moderate"),
        (priced(lambda m, s: each_kl(m.clamp(-10, 10), s).mean(0)), "right for moderate"),
        (priced(lambda m, s: each_kl(m, s).mean(0).clamp(min=0.02)), "right for"),
        (lambda m, s, t: (each_kl(m, s / 2).mean(0), (m.std(0) > t).sum()), BOTH),
        (priced(lambda m, s: each_kl(m, s / 2).sum(0)), BOTH),
        (priced(lambda m, s: (2 * each_kl(m, s) + 3 * s).mean(0)), BOTH),
        (lambda m, s, t: ((m.var(0) <= t).sum(), each_kl(m, s).mean(0)), BOTH),
    ],
    "constant": [
        # one grey for all channels
        (
            measured(lambda x, p, a, b: (p, a, -(x * p.log() + (1 - x) * (1 - p).log()).mean())),
            "NaN",
        ),
        (measured(lambda x, p, a, b: p), "shape"),
        (measured(lambda x, p, a, b: (p, a / 2, -b)), BOTH),
        (measured(lambda x, p, a, b: (p, b, a.sqrt())), BOTH),
        (half_of(lambda x: x.median(0).values), BOTH),
        (measured(lambda x, p, a, b: (p[:1].expand_as(p), a, b)), "It is right for"),
        (
            measured(
                lambda x, p, a, b: (
                    p,
                    a,
                    F.binary_cross_entropy(p.clamp(1e-4, 1 - 1e-4).expand_as(x), x),
                )
            ),
            None,
        ),
    ],
    "diagnosis": [
        (lambda loss: "pixel mean", "of every script"),
        (lambda loss: "healthy", "of every script"),
        (lambda loss: "mean over pixels", "none of the five names"),
        (lambda loss: 2, "Return a name"),
        (renamed({"detached": "prior draw"}), "moves with the encoder's mean"),
        (renamed({"prior draw": "detached"}), "never sees"),
        (renamed({"batch sum": "healthy"}), "do not see"),
        (renamed({"detached": "healthy"}), "do not see"),
        (renamed({"pixel mean": "batch sum", "batch sum": "pixel mean"}), "has every pixel twice"),
        (renamed({"healthy": "batch sum"}), "KL stays as it is"),
        (no_grad_wanted, "a slope does reach"),
        (
            lambda loss: random.choice(
                ("pixel mean", "batch sum", "detached", "prior draw", "healthy")
            ),
            "You say",
        ),
        (by_prices, "You say"),
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
