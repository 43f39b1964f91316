"""Answers to the exercises of chapter 13: right ones in several styles, and wrong ones."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence


def two(loss, pixels, latents, unit, batch=1, at=0.3, to=0.8, by=1.0):
    x = torch.full((batch, pixels), at, dtype=torch.float64)
    y = torch.full((batch, pixels), to, dtype=torch.float64)
    m = torch.zeros(batch, latents, dtype=torch.float64)
    b = (loss(x, x, m + by, m) - loss(x, x, m, m)) / (latents * by**2 / 2)
    c = (loss(x, y, m, m) - loss(x, x, m, m)) / (unit(x, y) - unit(x, x))
    return b, c


def squares(x, y):
    return ((x - y) ** 2).sum(1).mean()


def cross(x, y):
    return F.binary_cross_entropy(y, x, reduction="none").sum(1).mean()


def std(loss, pixels, latents, **how):
    b, c = two(loss, pixels, latents, squares, **how)
    return (b / c / 2) ** 0.5


def std_by_gradients(loss, pixels, latents):
    x = torch.full((1, pixels), 0.4).double()
    y = torch.full((1, pixels), 0.7).double().requires_grad_()
    m = torch.ones(1, latents).double().requires_grad_()
    by_y, by_m = torch.autograd.grad(loss(x, y, m, torch.zeros_like(m)), (y, m))
    return (by_m[0, 0] * 0.3 / by_y[0, 0]).sqrt()


def std_single(loss, pixels, latents):
    b, c = two(lambda *given: loss(*(t.float() for t in given)), pixels, latents, squares)
    return float((b / (2 * c)).sqrt())


def beta(loss, pixels, latents, **how):
    b, c = two(loss, pixels, latents, cross, **how)
    return b / c


def beta_by_distributions(loss, pixels, latents):
    x = torch.ones(1, pixels).double()
    m = torch.zeros(1, latents).double()
    losses = [loss(x, p * x, m, m) for p in (0.9, 0.2)]
    nats = [-Bernoulli(p * x).log_prob(x).sum() for p in (0.9, 0.2)]
    wide = m + 1.5  # log σ²
    kl = kl_divergence(Normal(m, (wide / 2).exp()), Normal(0.0, 1.0)).sum()
    moved = loss(x, 0.9 * x, m, wide) - losses[0]
    return (moved / kl) * (nats[1] - nats[0]) / (losses[1] - losses[0])


def by_hand(x, y, mean, log_std, std):
    squares = ((x - y) ** 2).flatten(1).sum(1) / (2 * std**2)
    kl = (0.5 * (mean**2 + torch.exp(2 * log_std) - 1) - log_std).sum(1)
    return (squares + kl).mean()


def by_sums(x, y, mean, log_std, std):
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum()
    return (F.mse_loss(y, x, reduction="sum") / (2 * std**2) + kl) / len(x)


def by_means(x, y, mean, log_std, std):
    pixels, latents = x[0].numel(), mean.shape[1]
    kl = (0.5 * (mean**2 + (2 * log_std).exp() - 1) - log_std).mean()
    return pixels * F.mse_loss(y, x) / (2 * std**2) + latents * kl


def minus_elbo(x, y, mean, log_var, std=0.1):
    nll = (x - y) ** 2 / (2 * std**2) + math.log(std) + 0.5 * math.log(2 * math.pi)
    kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
    return (nll.flatten(1).sum(1) + kl.flatten(1).sum(1)).mean()


def with_distributions(x, y, mean, log_var):
    decoder = Independent(Normal(y, 0.25), x.ndim - 1)
    q, p = Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)
    return -(decoder.log_prob(x) - kl_divergence(q, p).sum(1)).mean()


def with_gaussian_nll(x, y, mean, log_var):
    nll = F.gaussian_nll_loss(y, x, torch.full_like(x, 0.04), full=True, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
    return (nll + kl) / x.shape[0]


RIGHT = {
    "std_behind": [std, std_by_gradients, std_single, lambda f, D, d: std(f, D, d, by=2.0)],
    "weight_behind": [
        beta,
        beta_by_distributions,
        lambda f, D, d: beta(f, D, d, at=0.6, to=0.1, by=3.0),
    ],
    "repaired": [by_hand, by_sums, by_means],
    "sound": [minus_elbo, with_distributions, with_gaussian_nll],
}
WRONG = {
    "std_behind": [
        (lambda f, D, d: std(f, D, d) ** 2 * 2, "two slips"),
        (lambda f, D, d: min(std(f, D, d), 1.0), None),
        (lambda f, D, d: std(lambda *t: f(*(u[0] for u in t)), D, d), "stopped with"),
    ],
    "weight_behind": [
        (lambda f, D, d: beta(f, D, d).clamp(max=1), None),
        (lambda f, D, d: 1 / beta(f, D, d) / 2, "two slips"),
    ],
    "repaired": [
        (lambda x, y, m, s, std: by_hand(x, y.detach(), m, s, std), "no gradient"),
        (lambda x, y, m, s, std: by_hand(x, y, m, s, 2 * std), None),
        (lambda x, y, m, s, std: by_hand(x, y, m, s, std).item(), "no gradient"),
    ],
    "sound": [
        (lambda x, y, m, s: (x - y).square().mean() + 0.1 * (m**2).mean(), None),
        (lambda x, y, m, s: minus_elbo(x, y, m, s) + 0.3, None),
        (lambda x, y, m, s: minus_elbo(x, y, m, s.detach()), "no gradient"),
        (lambda x, y, m, s: minus_elbo(x, y.detach(), m, s), "no gradient"),
        (lambda x, y, m, s: minus_elbo(x, y, m, s).item(), "one number"),
        (lambda x, y, m, s: minus_elbo(x, y, m, s).expand(len(x)), "one number"),
        (lambda x, y, m, s: minus_elbo(x, x, m, s), "Another y"),
        (lambda x, y, m, s: minus_elbo(x, y, m, s, std=2.0), "It stands for σ = 2"),
        (lambda x, y, m, s: minus_elbo(x, y, m, s, std=0.002), "Choose one from"),
    ],
}  # fmt: skip
