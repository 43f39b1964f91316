"""Answers to the exercises of chapter 11, right in different styles, and wrong in known ways."""

import math

import numpy as np
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence


def gain(z, mean, covariance):
    standard = Normal(0.0, 1.0).log_prob(z).sum(1)
    return (MultivariateNormal(mean, covariance).log_prob(z) - standard).mean()


def gain_by_formula(z, mean, covariance):
    off = z - mean
    squares = (off @ torch.linalg.inv(covariance) * off).sum(1)
    return 0.5 * (z.square().sum(1) - squares - covariance.logdet()).mean()


def gain_by_numpy(z, mean, covariance):
    root = np.linalg.cholesky(covariance.numpy())
    white = np.linalg.solve(root, (z - mean).numpy().T)
    gains = ((z.numpy() ** 2).sum(1) - (white**2).sum(0)) / 2 - np.log(np.diag(root)).sum()
    return float(gains.mean())


def gain_of_root(z, mean, covariance):
    """The covariance taken for its root."""
    fitted = MultivariateNormal(mean, scale_tril=torch.tril(covariance))
    return (fitted.log_prob(z) - Normal(0.0, 1.0).log_prob(z).sum(1)).mean()


def rescaled(mean, log_std):
    v = mean.var(0, correction=0) + (2 * log_std).exp().mean(0)
    return (mean - mean.mean(0)) / v.sqrt(), log_std - v.log() / 2


def rescaled_by_moments(mean, log_std):
    m, std = mean.mean(0), log_std.exp()
    scale = ((mean**2 + std**2).mean(0) - m**2).sqrt()
    return (mean - m) / scale, (std / scale).log()


def rescaled_by_loops(mean, log_std):
    new_mean, new_log = mean.clone(), log_std.clone()
    for j in range(mean.shape[1]):
        m = sum(mean[:, j]) / len(mean)
        v = sum((mean[:, j] - m) ** 2 + log_std[:, j].exp() ** 2) / len(mean)
        new_mean[:, j] = (mean[:, j] - m) / v**0.5
        new_log[:, j] = log_std[:, j] - math.log(v) / 2
    return new_mean, new_log


def target(noise, z, t):
    return torch.lerp(noise, z, t[:, None].expand_as(z)), z - noise


def target_by_loops(noise, z, t):
    rows = [(1 - s) * e + s * c for e, c, s in zip(noise, z, t.tolist(), strict=True)]
    return torch.stack(rows), z - noise


def target_by_way(noise, z, t):
    way = z - noise
    return noise + t.unsqueeze(1) * way, way


def label_gain(log_p, labels):
    return (math.log(log_p.shape[1]) + log_p.log_softmax(1).gather(1, labels[:, None])).mean()


def label_gain_by_loops(log_p, labels):
    total = 0
    for row, label in zip(log_p, labels.tolist(), strict=True):
        top = row.max()
        total += row[label] - (top + (row - top).exp().mean().log())
    return total / len(labels)


def label_gain_by_one_hot(log_p, labels):
    own = (torch.nn.functional.one_hot(labels, log_p.shape[1]) * log_p).sum(1)
    return (own - log_p.logsumexp(1)).mean() + math.log(log_p.shape[1])


def unsafe_label_gain(log_p, labels):
    p = log_p.exp()
    return (p[torch.arange(len(labels)), labels] / p.mean(1)).log().mean()


def hole(v):
    return kl_divergence(Normal(torch.zeros_like(v), v.sqrt()), Normal(0.0, 1.0))


def highest_hole(a, variance):
    return hole(1 + (variance - 1) * a.prod())


def highest_hole_by_loops(a, variance):
    v = variance
    for share in a.tolist():
        v = share * v + (1 - share)
    return (v - 1 - math.log(v)) / 2


def highest_hole_by_logs(a, variance):
    v = 1 + (variance - 1) * a.log().sum().exp()
    return 0.5 * (v - 1) - v.sqrt().log()


RIGHT = {
    "gain": [gain, gain_by_formula, gain_by_numpy],
    "rescaled": [rescaled, rescaled_by_moments, rescaled_by_loops],
    "scale_factor": [
        lambda codes: 1 / codes.std(),
        lambda codes: 1 / codes.numpy().std(),
        lambda codes: ((codes - codes.mean()) ** 2).mean() ** -0.5,
    ],
    "target": [target, target_by_loops, target_by_way],
    "label_gain": [label_gain, label_gain_by_loops, label_gain_by_one_hot],
    "highest_hole": [highest_hole, highest_hole_by_loops, highest_hole_by_logs],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "gain": [
        (gain_of_root, None),
        (lambda *case: -gain(*case), "sign"),
        (lambda z, m, c: MultivariateNormal(m, c).log_prob(z).mean(), "did not take off"),
        (lambda z, m, c: gain(z, 0 * m, c), "subtract the mean"),
        (lambda z, m, c: gain(z, m, c.diagonal().diag()), "correlated"),
        (lambda z, m, c: gain(z, m, c) * len(z), "sum over the codes"),
        (lambda z, m, c: -gain(z, m, c) / math.log(2), BOTH),
    ],
    "rescaled": [
        (lambda m, s: ((m - m.mean(0)) / m.std(0, correction=0), s), None),
        (lambda m, s: (rescaled(m, s)[0], s), "log σ has to move"),
        (lambda m, s: (m / rescaled(m, s)[0].abs(), s), None),
        (lambda m, s: rescaled(m, s - 100), None),
        (lambda m, s: rescaled(m, s)[0], None),
    ],
    "scale_factor": [
        (lambda codes: codes.std(), "wide codes get wider"),
        (lambda codes: 1 / codes.var(), "variance"),
        (lambda codes: 0.18215, None),
        (lambda codes: 1 / codes.square().mean() ** 0.5, "second moment"),
        (lambda codes: 1 / codes.std((0, 2, 3)), "each channel"),
    ],
    "target": [
        (lambda e, z, t: target(z, e, t), None),
        (lambda e, z, t: (target(e, z, t)[0], e - z), "sign of the velocity"),
        (lambda e, z, t: (target(e, z, t)[0], z - target(e, z, t)[0]), "way that is left"),
        (lambda e, z, t: ((1 - t) * e.T + t * z.T, z - e), None),
        (lambda e, z, t: (target(e, z, t)[0], z), "Take off where"),
    ],
    "label_gain": [
        (unsafe_label_gain, "logsumexp"),
        (lambda p, y: label_gain(p, y) - math.log(p.shape[1]), "log K nats"),
        (lambda p, y: -label_gain(p, y), "sign"),
        (lambda p, y: label_gain(p, y) * len(y), "Average over them"),
        (lambda p, y: math.log(p.shape[1]), None),
        (lambda p, y: label_gain(p, 0 * y), None),
    ],
    "highest_hole": [
        (lambda a, v: highest_hole(a[:1], v), "first level"),
        (lambda a, v: 2 * highest_hole(a, v), "½"),
        (lambda a, v: hole(v * a.prod()), "forget the noise"),
        (lambda a, v: 0.0, None),
        (lambda a, v: highest_hole(a, v**0.5), None),
    ],
}
