"""Answers to the exercises of chapter 9, right in different styles, and wrong in known ways."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Independent, Normal

KERNEL = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])


def filtered(pictures, kernel=KERNEL, padding=0):
    return F.conv2d(pictures[:, None], kernel.to(pictures)[None, None], padding=padding)[:, 0]


def by_convolution(pictures):
    return filtered(pictures).var((1, 2), correction=0)


def by_numpy(pictures):
    x = pictures.numpy()
    rolled = sum(np.roll(x, step, axis) for step in (-1, 1) for axis in (1, 2)) - 4 * x
    return torch.from_numpy(rolled[:, 1:-1, 1:-1].var(axis=(1, 2)))


def by_loops(pictures):
    found = []
    for x in pictures:
        inside = [
            x[i - 1, j] + x[i + 1, j] + x[i, j - 1] + x[i, j + 1] - 4 * x[i, j]
            for i in range(1, len(x) - 1)
            for j in range(1, len(x[0]) - 1)
        ]
        mean = sum(inside) / len(inside)
        found.append(sum((value - mean) ** 2 for value in inside) / len(inside))
    return torch.stack(found)


def rolled(pictures):
    near = sum(pictures.roll(step, dim) for step in (-1, 1) for dim in (1, 2))
    return (near - 4 * pictures).var((1, 2), correction=0)


def centred_in_place(pictures):
    pictures -= pictures.mean()
    return by_convolution(pictures)


def edge(places, tau):
    return Normal(0, tau).cdf(places), Normal(0, tau).log_prob(places).exp()


def edge_by_autograd(places, tau):
    t = places.clone().requires_grad_()
    bright = (1 + torch.erf(t / (tau * 2**0.5))) / 2
    return bright.detach(), torch.autograd.grad(bright.sum(), t)[0]


def edge_by_loops(places, tau):
    bright = [math.erfc(-t / tau / math.sqrt(2)) / 2 for t in places.tolist()]
    steep = [math.exp(-((t / tau) ** 2) / 2) / tau / math.sqrt(2 * math.pi) for t in places]
    return torch.tensor(bright).to(places), torch.tensor(steep).to(places)


def by_draws(places, tau):
    """The average of 20 000 pictures."""
    bright = (tau * torch.randn(20_000, 1) < places).to(places).mean(0)
    return bright, edge(places, tau)[1]


def log_q(z, mean, log_std):
    return Independent(Normal(mean, log_std.exp()), 1).log_prob(z[:, None])


def best(z, mean, log_std, pictures):
    return log_q(z, mean, log_std).softmax(1) @ pictures


def best_by_largest(z, mean, log_std, pictures):
    logs = -((z[:, None] - mean) ** 2 / (2 * torch.exp(2 * log_std))).sum(-1) - log_std.sum(-1)
    weights = (logs - logs.max(1, keepdim=True).values).exp()
    return weights @ pictures / weights.sum(1, keepdim=True)


def best_by_loops(z, mean, log_std, pictures):
    out = torch.zeros(len(z), pictures.shape[1], dtype=z.dtype)
    for m in range(len(z)):
        logs = torch.zeros(len(pictures), dtype=z.dtype)
        for i in range(len(pictures)):
            logs[i] = Normal(mean[i], log_std[i].exp()).log_prob(z[m]).sum()
        total = torch.logsumexp(logs, 0)
        for i in range(len(pictures)):
            out[m] += torch.exp(logs[i] - total) * pictures[i]
    return out


def best_by_mixture(z, mean, log_std, pictures):
    """Each weight is a slope of log Σ q."""
    logs = log_q(z, mean, log_std).requires_grad_()
    (weights,) = torch.autograd.grad(logs.logsumexp(1).sum(), logs)
    return weights @ pictures


def unsafe(z, mean, log_std, pictures, eps=0.0):
    q = log_q(z, mean, log_std).exp()
    return q @ pictures / (q.sum(1, keepdim=True) + eps)


def shifted_by_all(z, mean, log_std, pictures):
    """One shift for all z: safe only while the z are alike."""
    q = torch.exp(log_q(z, mean, log_std) - log_q(z, mean, log_std).max())
    return q @ pictures / q.sum(1, keepdim=True)


def shifted_by_mean(z, mean, log_std, pictures):
    """The mean is no safe shift: the largest may be far above it."""
    q = torch.exp(log_q(z, mean, log_std) - log_q(z, mean, log_std).mean(1, keepdim=True))
    return q @ pictures / q.sum(1, keepdim=True)


def number_by_categorical(logs):
    return Categorical(logits=logs).entropy().exp()


def number_by_loops(logs):
    out = []
    for row in logs.tolist():
        parts = [math.exp(v - max(row)) for v in row]
        shares = [part / sum(parts) for part in parts]
        out.append(math.exp(-sum(w * math.log(w) for w in shares if w > 0)))
    return torch.tensor(out, dtype=logs.dtype)


def number_by_base_2(logs):
    w = logs.log_softmax(1)
    return 2 ** -(w.exp() * w / math.log(2)).sum(1)


def number_unsafe(logs):
    w = logs.softmax(1)
    return torch.exp(-(w * w.log()).sum(1))


def number_without_softmax(logs):
    w = logs.exp() / logs.exp().sum(1, keepdim=True)
    return torch.special.entr(w).sum(1).exp()


def h(logs):
    return Categorical(logits=logs).entropy()


def gain_where(lam, std):
    return torch.where(lam > std**2, 1 - std**2 / lam, 0.0)


def gain_loops(lam, std):
    return torch.tensor([1 - std**2 / v if v > std**2 else 0.0 for v in lam.tolist()]).to(lam)


def gain_clamped_before(lam, std):
    return 1 - std**2 / lam.clamp(min=std**2)


def gain_of_the_first(lam, std):
    """Right only where eigenvalues come sorted."""
    count = int((lam > std**2).sum())
    return torch.cat([1 - std**2 / lam[:count], torch.zeros_like(lam[count:])])


def gain_by_matrices(lam, std):
    weight = torch.diag((lam - std**2).clamp(min=0).sqrt())
    inner = weight.T @ weight + std**2 * torch.eye(len(lam)).to(lam)
    return (weight @ torch.linalg.solve(inner, weight.T)).diagonal()


def detail(pictures):
    return by_convolution(pictures).mean()


def noise(samples, means):
    return ((detail(samples) - detail(means)) / 20).sqrt()


def noise_pooled(samples, means):
    apart = filtered(samples).var().item() - filtered(means).var().item()
    return math.sqrt(apart / 20)


def noise_by_spread(samples, means):
    """Noise adds to the variance of the pixels, too."""
    return (samples.var((1, 2)).mean() - means.var((1, 2)).mean()).sqrt()


def ndtr(u):
    return torch.special.ndtr(u)


def behind_one_shift(logs):
    """One maximum for all z: safe only while the z are alike."""
    w = (logs - logs.max()).exp()
    return torch.special.entr(w / w.sum(1, keepdim=True)).sum(1).exp()


def bounded(low, high):
    return lambda z, m, s, x: best(z, m, s.clamp(low, high), x)


RIGHT = {
    "sharpness": [by_convolution, by_numpy, by_loops],
    "edge": [edge, edge_by_autograd, edge_by_loops],
    "best_picture": [best, best_by_largest, best_by_loops, best_by_mixture],
    "pictures_behind": [number_by_categorical, number_by_loops, number_by_base_2],
    "gain": [gain_where, gain_loops, gain_clamped_before, gain_by_matrices],
    "noise_std": [noise, noise_pooled, noise_by_spread],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "sharpness": [
        (lambda p: by_convolution(p) / p.var((1, 2)), None),
        (lambda p: by_convolution(p.clamp(0, 255)), None),
        (lambda p: filtered(p, KERNEL.abs()).std((1, 2), correction=0), "two slips"),
        (lambda p: filtered(p, padding=1).var((1, 2)), "two slips"),
        (lambda p: filtered(p, KERNEL / 4).std((1, 2), correction=0), "two slips"),
        (lambda p: by_convolution(p).mean(), "averaged over the batch"),
        (lambda p: by_convolution(p.float()), "float64"),
        (centred_in_place, "in place"),
        (filtered, "shape"),
        (lambda p: by_convolution(p[:, :6]), "depends on these"),
        (lambda p: F.conv2d(p, KERNEL[None, None]).var((1, 2)), "stopped with"),
    ],
    "edge": [
        (by_draws, "draws"),
        (lambda t, tau: (ndtr(-t / tau), -edge(t, tau)[1] * tau), None),
        (lambda t, tau: (torch.erf(t / tau / 2**0.5), edge(t / tau, 1.0)[1]), "two slips"),
        (lambda t, tau: (edge(t, tau)[0], (-(t**2) / 2).exp() / tau), "two slips"),
        (lambda t, tau: (edge(t.abs(), tau)[0], edge(t, tau)[1]), None),
        (lambda t, tau: edge(t, tau)[0], "shape"),
    ],
    "best_picture": [
        (unsafe, "0 is divided by 0"),
        (shifted_by_mean, "no float can"),
        (lambda z, m, s, x: torch.nan_to_num(unsafe(z, m, s, x)), "no float can"),
        (lambda z, m, s, x: log_q(z, m, s).clamp(-700, 700).softmax(1) @ x, "no float can"),
        (lambda *a: unsafe(*a, eps=1e-300), "no small number"),
        (shifted_by_all, "no float can"),
        (bounded(-5, 20), "clamp nothing"),
        (bounded(-20, 2), "clamp nothing"),
        (lambda z, m, s, x: best(z, m, s, x.clamp(0, 1)), None),
        (lambda z, m, s, x: best(z, m, (s.exp() + 1e-8).log(), x), "no small number"),
        (lambda z, m, s, x: -best(z, m, s / 2, x), "two slips"),
        (
            lambda z, m, s, x: (-((z[:, None] - m) ** 2) / s.exp()).mean(2).softmax(1) @ x,
            None,
        ),
        (
            lambda z, m, s, x: x[torch.multinomial(log_q(z, m, s).softmax(1), 1)[:, 0]],
            "draws",
        ),
        (lambda z, m, s, x: best(z, m, s, x).float(), "float64"),
        (lambda z, m, s, x: log_q(z, m, s).softmax(1), "shape"),
        (lambda z, m, s, x: Normal(m, s).log_prob(z[:, None]).sum(2).softmax(1) @ x, "ValueError"),
    ],
    "pictures_behind": [
        (number_unsafe, "0 times the logarithm of 0"),
        (number_without_softmax, "e^-2000"),
        (behind_one_shift, "e^-2000"),
        (lambda q: number_by_categorical(q.clamp(-700, 700)), "e^-2000"),
        (lambda q: h(q.T).exp() / math.log(2), None),
        (lambda q: torch.special.entr(q.softmax(0)).sum(1), "two slips"),
        (lambda q: h(q).mean(), "two slips"),
        (lambda q: h(q).exp().mean(), "averaged over the batch"),
        (lambda q: (q.softmax(1) > 0.01).double().sum(1), None),
    ],
    "gain": [
        (lambda lam, std: (1 - std**2 / lam).clamp(min=0), "two signs cancel"),
        (gain_of_the_first, None),
        (lambda lam, std: gain_where(lam, std)[lam > std**2], "shape"),
        (lambda lam, std: (1 - std**2 / (lam + 1e-3)).clamp(min=0), None),
        (lambda lam, std: (1 - std**2 / (lam + 1e-8)).clamp(min=0), "all numbers are tiny"),
        (lambda lam, std: (1 - std**2 / lam.clamp(min=1e-8)).clamp(min=0), "all numbers are tiny"),
        (lambda lam, std: gain_where(lam.clamp(max=1e4), std), "all numbers are tiny"),
        (lambda lam, std: (1 - std / lam).clamp(min=0) ** 2, "two slips"),
        (lambda lam, std: gain_where(lam, std) ** 2 * 2, "two slips"),
        (lambda lam, std: gain_where(lam, std).float(), "float64"),
    ],
    "noise_std": [
        (lambda s, m: ((detail(m) - detail(s)) / 20).sqrt(), "NaN"),
        (lambda s, m: (s - m).std(), "stopped with"),
        (lambda s, m: ((detail(s) - detail(m)) / 24).sqrt(), None),
        (lambda s, m: 12.0, None),
        (lambda s, m: noise(s, m) * torch.ones(3), "shape"),
        (lambda s, m: (detail(s) / 16).sqrt(), None),
    ],
}
