"""Answers to the exercises of chapter 3, right in different styles, and wrong in known ways."""

import math

import torch
from torch.distributions import (
    Bernoulli,
    Independent,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.nn import functional as F

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def gaussian(x, mean, log_std):
    return Independent(Normal(mean, log_std.exp().expand_as(x)), 1).log_prob(x)


def gaussian_formula(x, mean, log_std):
    per_pixel = -0.5 * ((x - mean) / log_std.exp()) ** 2 - log_std - HALF_LOG_2PI
    return per_pixel.sum(1)


def gaussian_loops(x, mean, log_std):
    log_std, totals = torch.broadcast_to(log_std, x.shape), []
    for i in range(len(x)):
        total = 0
        for j in range(x.shape[1]):
            variance = math.e ** (2 * log_std[i, j])
            square = (x[i, j] - mean[i, j]) ** 2
            total = total - square / (2 * variance) - 0.5 * torch.log(2 * math.pi * variance)
        totals.append(total)
    return torch.stack(totals)


def gaussian_by_loss(x, mean, log_std):
    variance = (2 * log_std).exp().expand_as(x)
    return -F.gaussian_nll_loss(mean, x, variance, full=True, reduction="none").sum(-1)


def pixels(x, mean, log_std, *, by=2, half=0.5, log=1.0, constant=1.0):
    squares = half * (x - mean) ** 2 / (by * log_std).exp()
    return -squares - log * log_std - constant * HALF_LOG_2PI


def gaussian_in_place(x, mean, log_std):
    x -= mean
    return Normal(0.0, log_std.exp()).log_prob(x).sum(1)


def bernoulli(x, logits):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


def bernoulli_loops(x, logits):
    rows = [
        sum(F.logsigmoid(a) if pixel else F.logsigmoid(-a) for pixel, a in zip(*row, strict=True))
        for row in zip(x, logits, strict=True)
    ]
    return torch.stack(rows)


def by_chance(x, logits, small=0.0):
    p = logits.sigmoid()
    return (x * (p + small).log() + (1 - x) * (1 - p + small).log()).sum(1)


def joint(x, z, decode, log_std):
    mean = decode(z)
    likelihood = Normal(mean, math.exp(log_std)).log_prob(x).sum(-1)
    return likelihood + Normal(0, 1).log_prob(z).sum(-1)


def joint_loops(x, z, decode, log_std):
    latents = z.shape[-1]
    prior = MultivariateNormal(torch.zeros(latents).double(), torch.eye(latents).double())
    noise = torch.tensor(log_std).double()
    return torch.stack([gaussian(x, decode(one), noise) + prior.log_prob(one) for one in z])


def joint_formula(x, z, decode, log_std):
    squares = ((x - decode(z)) / math.exp(log_std)).square().sum(-1) + z.square().sum(-1)
    numbers = x.shape[-1] + z.shape[-1]
    return -squares / 2 - x.shape[-1] * log_std - numbers * HALF_LOG_2PI


def parts(x, z, decode, log_std):
    likelihood = Normal(decode(z), math.exp(log_std)).log_prob(x)
    return likelihood, Normal(0, 1).log_prob(z)


def grid(n=1001):
    return torch.linspace(-8, 8, n, dtype=torch.float64)


def evidence(log_joint):
    z = grid()
    return torch.logsumexp(log_joint(z), 0) + math.log(z[1] - z[0])


def evidence_trapezoids(log_joint):
    logs = log_joint(grid(801))
    return logs.max() + torch.trapezoid((logs - logs.max()).exp(), grid(801)).log()


def evidence_loops(log_joint):
    n, width = 160, 16 / 160
    logs = [log_joint(torch.tensor([-8 + (i + 0.5) * width]))[0].item() for i in range(n)]
    highest = max(logs)
    return highest + math.log(sum(math.exp(v - highest) for v in logs) * width)


def evidence_by_prior(log_joint):
    z = torch.randn(10_000).double()
    return torch.logsumexp(log_joint(z), 0) - math.log(10_000)


def posterior(x, weight, bias, variance):
    precision = torch.eye(weight.shape[1]).double() + weight.T @ weight / variance
    covariance = torch.linalg.inv(precision)
    return (x - bias) @ weight @ covariance / variance, covariance


def posterior_by_solve(x, weight, bias, variance):
    marginal = weight @ weight.T + variance * torch.eye(len(weight)).double()
    gain = torch.linalg.solve(marginal, weight).T  # (d, D)
    return (x - bias) @ gain.T, torch.eye(weight.shape[1]).double() - gain @ weight


def posterior_loops(x, weight, bias, variance):
    def log_joint(z, one):
        return joint(one, z, lambda z: z @ weight.T + bias, 0.5 * math.log(variance))

    zero, means = torch.zeros(weight.shape[1]).double(), []
    for one in x:  # one step of Newton's method ends at the top of a parabola
        hessian = torch.autograd.functional.hessian(lambda z, one=one: log_joint(z, one), zero)
        slope = torch.autograd.functional.jacobian(lambda z, one=one: log_joint(z, one), zero)
        means.append(-torch.linalg.solve(hessian, slope))
    return torch.stack(means), -torch.linalg.inv(hessian)


def changed(change):
    """The posterior, and what `change` makes of it."""

    def answer(x, w, b, v):
        return change(*posterior(x, w, b, v))

    return answer


def marginal(x, weight, bias, variance):
    covariance = weight @ weight.T + variance * torch.eye(len(weight)).double()
    return MultivariateNormal(bias, covariance).log_prob(x)


def both(x, w, b, v, mean, log_std):
    q = MultivariateNormal(mean, torch.diag_embed((2 * log_std).exp()))
    return q, MultivariateNormal(*posterior(x, w, b, v))


def gap(x, w, b, v, mean, log_std):
    return marginal(x, w, b, v), kl_divergence(*both(x, w, b, v, mean, log_std))


def gap_by_elbo(x, w, b, v, mean, log_std):
    variance = (2 * log_std).exp()
    noise = torch.tensor(0.5 * math.log(v)).double()
    spread = (variance @ (w**2).T).sum(1) / (2 * v)
    reconstruction = gaussian(x, mean @ w.T + b, noise) - spread
    kl = 0.5 * (variance + mean**2 - 1 - 2 * log_std).sum(1)
    log_p = marginal(x, w, b, v)
    return log_p, log_p - reconstruction + kl


def gap_loops(x, w, b, v, mean, log_std):
    means, covariance = posterior(x, w, b, v)
    precision, found = torch.linalg.inv(covariance), []
    for m, s, mu in zip(mean, log_std, means, strict=True):
        trace = (precision.diagonal() * (2 * s).exp()).sum()
        away = (m - mu) @ precision @ (m - mu)
        found.append(0.5 * (trace + away - len(m) + covariance.logdet()) - s.sum())
    return marginal(x, w, b, v), torch.stack(found)


def gap_changed(change):
    """`change(log_p, gap, q, p)`."""
    return lambda *case: change(*gap(*case), *both(*case))


def other_evidence(of):
    return lambda x, w, b, v, m, s: (of(x, w, b, v), gap(x, w, b, v, m, s)[1])


def bound(log_w):
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))


def bound_by_largest(log_w):
    largest = log_w.max(0, keepdim=True).values
    return largest[0] + (log_w - largest).exp().mean(0).log()


def bound_loops(log_w):
    found = []
    for i in range(log_w.shape[1]):
        total = log_w[0, i]
        for k in range(1, len(log_w)):
            total = torch.logaddexp(total, log_w[k, i])
        found.append(total - math.log(len(log_w)))
    return torch.stack(found)


RIGHT = {
    "gaussian": [gaussian_formula, gaussian, gaussian_loops, gaussian_by_loss],
    "bernoulli": [
        bernoulli,
        lambda x, a: Independent(Bernoulli(logits=a), 1).log_prob(x),
        bernoulli_loops,
        lambda x, a: (x * a - F.softplus(a)).sum(1),
    ],
    "log_joint": [joint, joint_loops, joint_formula],
    "evidence": [
        evidence,
        evidence_trapezoids,
        evidence_loops,
        lambda f: [evidence(f).item()][0],
    ],
    "posterior": [posterior, posterior_by_solve, posterior_loops],
    "gap": [gap, gap_by_elbo, gap_loops],
    "bound": [
        bound,
        bound_by_largest,
        bound_loops,
        lambda w: (w - math.log(len(w))).logsumexp(dim=0),
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "gaussian": [
        (lambda x, m, s: gaussian(x, m, s).mean(), "averaged over the batch"),
        (lambda x, m, s: -gaussian(x, m, s), "sign is wrong"),
        (lambda x, m, s: gaussian(x, m, s.mean()), "depends on"),
        (lambda x, m, s: gaussian(x, m, s.flatten()[0]), "depends on"),
        (lambda x, m, s: gaussian(x, m.detach(), s), "no gradient reaches `mean`"),
        (lambda x, m, s: gaussian(x, m, s.clamp(-1, 1)), None),
        (lambda x, m, s: gaussian(x, m, s.clamp(-2, 2)), "Is something clamped"),
        (lambda x, m, s: gaussian(x, m, s.clamp(-5, 5)), "Is something clamped"),
        (lambda x, m, s: gaussian(x, m, s.clamp(max=10)), "Is something clamped"),
        (lambda x, m, s: gaussian(x, m, (s.exp() + 1e-8).log()), "small number"),
        (lambda x, m, s: pixels(x, m, s, log=-1, constant=-1).sum(1), "two slips"),
        (lambda x, m, s: pixels(x, m, s, half=1).mean(1), "two slips"),
        (lambda x, m, s: gaussian(x, m, s) + (0 * m).sqrt().sum(1), "holds NaN"),
        (lambda x, m, s: gaussian(x, m, s).float(), "float64"),
        (lambda x, m, s: gaussian(x, m, s.detach()), "no gradient reaches `log_std`"),
        (lambda x, m, s: Normal(m, s).log_prob(x).sum(1), "ValueError"),
        (gaussian_in_place, "in place"),
        (lambda x, m, s: Normal(m, s.exp()).log_prob(x), "shape"),
    ],
    "bernoulli": [
        (by_chance, "beyond ±1000"),
        (lambda x, a: by_chance(x, a, 1e-8), "beyond ±1000"),
        (lambda x, a: (x * a - torch.log1p(a.exp())).sum(1), "beyond ±1000"),
        (lambda x, a: bernoulli(x, a).mean(), "averaged over the batch"),
        (lambda x, a: (x * a.log() + (1 - x) * (1 - a).log()).sum(1), "NaN"),
        (lambda x, a: bernoulli(x, a.detach()), "no gradient"),
        (lambda x, a: bernoulli(x, a.clamp(-30, 30)), "beyond ±1000"),
        (lambda x, a: bernoulli(x, a.clamp(max=100)), "beyond ±1000"),
        (lambda x, a: bernoulli(x, a.clamp(min=-100)), "beyond ±1000"),
        (lambda x, a: bernoulli(x, a).clamp(min=-100), "beyond ±1000"),
        (lambda x, a: -F.binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(1), "±1000"),
        (lambda x, a: F.binary_cross_entropy_with_logits(-a, x), "two slips"),
        (lambda x, a: bernoulli(x.float(), a.float()), "float64"),
    ],
    "log_joint": [
        (lambda x, z, f, s: joint(x, z, f, max(s, -5.0)), "Is something clamped"),
        (lambda x, z, f, s: joint(x, z, f, min(s, 2.0)), "Is something clamped"),
        (lambda x, z, f, s: joint(x, z.clamp(-8, 8), f, s), "Is something clamped"),
        (lambda *case: parts(*case)[0].mean(-1) - parts(*case)[1].sum(-1), "two slips"),
        (lambda x, z, f, s: joint(x, z.detach(), f, s), "no gradient reaches `z`"),
        (lambda x, z, f, s: Normal(f(z), s).log_prob(x).sum(-1), "ValueError"),
        (lambda x, z, f, s: joint(x, z[0], f, s), "shape"),
    ],
    "evidence": [
        (lambda f: (f(grid()).exp().sum() * 0.016).log(), "no float can hold"),
        (lambda f: torch.trapezoid(f(grid()), grid()), None),
        (lambda f: torch.logsumexp(f(grid(101)), 0) + math.log(0.16), "close enough"),
        (lambda f: torch.logsumexp(f(grid(51)), 0) + math.log(0.32), "close enough"),
        (lambda f: torch.logsumexp(f(grid() / 2), 0) + math.log(0.008), None),
        (lambda f: torch.logsumexp(f(grid()[:700]), 0) + math.log(0.016), None),
        (lambda f: torch.logsumexp(f(grid(999)), 0) - math.log(1000), "averaged"),
        (evidence_by_prior, "from call to call"),
        (lambda f: f(grid()), "shape"),
        (lambda f: -evidence(f), "sign"),
    ],
    "posterior": [
        (changed(lambda mean, cov: mean), "shape"),
        (changed(lambda mean, cov: (mean, cov.diagonal())), "shape"),
        (lambda x, w, b, v: (posterior(x, w, 0, v)[0], posterior(x, w, b, v)[1].inverse()), "two"),
        (
            lambda x, w, b, v: changed(lambda m, c: (m @ c.inverse() @ c.inverse(), c.inverse()))(
                x, w, b, v
            ),
            "two slips",
        ),
        (lambda x, w, b, v: posterior(x, w, b, min(v, 1.0)), "values"),
        (lambda x, w, b, v: posterior(x, w, b, max(v, 0.01)), "values"),
        (lambda x, w, b, v: (x @ w @ w.T, w @ w.T + v * torch.eye(len(w)).double()), "shape"),
    ],
    "gap": [
        (gap_changed(lambda log_p, gap, q, p: gap), "shape"),
        (gap_changed(lambda log_p, gap, q, p: (log_p, gap.mean())), "shape"),
        (other_evidence(lambda x, w, b, v: marginal(x, w, b, 0)), "ValueError"),
        (
            gap_changed(lambda log_p, gap, q, p: (log_p.exp(), kl_divergence(p, q))),
            "two slips",
        ),
        (lambda x, w, b, v, m, s: (marginal(x, w, 0 * b, v), gap(x, w, b, v, m, s / 2)[1]), "two"),
        (lambda x, w, b, v, m, s: gap(x, w, b, min(v, 1.0), m, s), None),
        (gap_changed(lambda log_p, gap, q, p: (log_p, gap + gap)), None),
    ],
    "bound": [
        (lambda w: w.exp().mean(0).log(), "no float can hold"),
        (lambda w: bound(w).mean(), "averaged over the batch"),
        (lambda w: bound(w).detach(), "no gradient"),
        (lambda w: bound(w.clamp(-700, 700)), "do not cut"),
        (lambda w: w.max() + (w - w.max()).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.mean() + (w - w.mean()).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.logsumexp(0) - math.log(len(w) - 1 or 2), None),
        (lambda w: (w.exp() + 1e-300).mean(0).log(), "no float can hold"),
        (lambda w: w.amin(0) + (w - w.amin(0)).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.mean(0) + (w - w.mean(0)).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w[0] + (w - w[0]).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.sum(0) - w.max(0).values, None),
    ],
}
