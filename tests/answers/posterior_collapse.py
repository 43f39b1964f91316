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


def by_prices(loss):
    """No two prices are compared: each has a limit of its own."""
    error, code = prices(loss, 10, 5)
    if error < 3:
        return "pixel mean"
    if code > 10:
        return "batch sum"
    return diagnose(loss)


def gain(x, f, c):
    exponent = c * (x[:, None] - x.mean()) ** 2 - c * (x[:, None] - f) ** 2
    return torch.logsumexp(exponent, 0) - math.log(len(x))


def gain_expanded(x, f, c):
    step = f - x.mean()
    powers = c * (2 * step * (x[:, None] - x.mean()) - step**2)
    top = powers.amax(0)
    return top + (powers - top).exp().mean(0).log()


def gain_by_numpy(x, f, c):
    x, f = x.numpy()[:, None], f.numpy()
    powers = c * ((x - x.mean()) ** 2 - (x - f) ** 2)
    return torch.from_numpy(np.logaddexp.reduce(powers, axis=0) - np.log(len(x)))


def shifted_by_all(x, f, c):
    powers = c * (x[:, None] - x.mean()) ** 2 - c * (x[:, None] - f) ** 2
    return powers.amin() + (powers - powers.amin()).exp().mean(0).log()


RIGHT = {
    "gain": [gain, gain_expanded, gain_by_numpy],
    "units": [units_moments, units, units_loops, units_by_numpy],
    "constant": [constant, constant_by_variance, constant_loops],
    "diagnosis": [diagnose, diagnose_by_code_price, diagnose_by_gradients],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "gain": [
        (lambda x, f, c: (gain(x, f, c).exp() + 1e-6).log(), None),
        (lambda x, f, c: gain(x, f, c).clamp(min=-30), "20 000"),
        (lambda x, f, c: gain(x, f, min(c, 100)), "20 000"),
        (lambda x, f, c: gain(x, f, c).clamp(max=0), None),
        (shifted_by_all, "20 000"),
        (lambda x, f, c: gain(x, f, c).mean(), "one number for all greys"),
        (lambda x, f, c: gain(x, f, 2 * c), None),
    ],
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
}
