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
    n, width = 120, 16 / 120
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
        (lambda x, m, s: pixels(x, m, s, constant=0).sum(1), "Half of log 2π is missing"),
        (lambda x, m, s: pixels(x, m, s, log=0).sum(1), "log σ is missing"),
        (lambda x, m, s: pixels(x, m, s, log=0, constant=0).sum(1), "Both constants"),
        (lambda x, m, s: Normal(m, (s / 2).exp()).log_prob(x).sum(1), "log σ as log σ²"),
        (lambda x, m, s: pixels(x, m, s, by=1).sum(1), "divided by σ"),
        (lambda x, m, s: pixels(x, m, s, by=0).sum(1), "not divided"),
        (lambda x, m, s: pixels(x, m, s, by=-2).sum(1), "multiplied by σ²"),
        (lambda x, m, s: pixels(x, m, s, half=1).sum(1), "½ is missing in front of the squared"),
        (lambda x, m, s: pixels(x, m, s, log=-1).sum(1), "sign of log σ"),
        (lambda x, m, s: gaussian(x, m, s) / x.shape[1], "averaged over the pixels"),
        (lambda x, m, s: pixels(x, m, s).sum(0), "not over the pixels"),
        (lambda x, m, s: gaussian(x, m, s).mean(), "averaged over the batch"),
        (lambda x, m, s: -gaussian(x, m, s), "sign is wrong"),
        (
            lambda x, m, s: pixels(x, m, s, constant=0).sum(1) - HALF_LOG_2PI,
            "once a pixel",
        ),
        (
            lambda x, m, s: pixels(x, m, s, log=0).sum(1) - (s.sum(-1) if s.ndim else s),
            "once a pixel",
        ),
        (lambda x, m, s: gaussian(x, m, s).exp(), "logarithm is missing"),
        (lambda x, m, s: gaussian(x, m, s.mean()), "depends on"),
        (lambda x, m, s: gaussian(x, m, s.flatten()[0]), "depends on"),
        (lambda x, m, s: gaussian(x, m.detach(), s), "no gradient reaches `mean`"),
        (lambda x, m, s: gaussian(x, m, s.clamp(-1, 1)), None),
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
        (lambda x, a: -bernoulli(x, a), "cross-entropy"),
        (lambda x, a: F.binary_cross_entropy_with_logits(a, x), "averaged over everything"),
        (lambda x, a: bernoulli(x, a) / x.shape[1], "averaged over the pixels"),
        (lambda x, a: bernoulli(x, a).mean(), "averaged over the batch"),
        (lambda x, a: bernoulli(x.T, a.T), "not over the pixels"),
        (lambda x, a: bernoulli(1 - x, a), "swapped"),
        (lambda x, a: (x * F.logsigmoid(a)).sum(1), "Black pixels"),
        (lambda x, a: bernoulli(x, a.sigmoid()), "twice"),
        (lambda x, a: (x * a.log() + (1 - x) * (1 - a).log()).sum(1), "NaN"),
        (lambda x, a: (x * a.sigmoid() + (1 - x) * (1 - a.sigmoid())).sum(1), "logarithm"),
        (lambda x, a: bernoulli(x, a.detach()), "no gradient"),
        (lambda x, a: bernoulli(x, a.clamp(-30, 30)), "beyond ±1000"),
        (lambda x, a: bernoulli(x.float(), a.float()), "float64"),
    ],
    "log_joint": [
        (lambda *case: parts(*case)[0].sum(-1), "alone. The joint needs the prior"),
        (lambda *case: parts(*case)[1].sum(-1), "alone. The joint needs the likelihood"),
        (lambda *case: parts(*case)[0].sum(-1) - parts(*case)[1].sum(-1), "subtracted"),
        (
            lambda *case: parts(*case)[0].sum(-1) - 0.5 * case[1].square().sum(-1),
            "constant of the prior",
        ),
        (
            lambda x, z, f, s: joint_formula(x, z, f, s) + x.shape[-1] * (s + HALF_LOG_2PI),
            "constant of the likelihood",
        ),
        (
            lambda x, z, f, s: (
                -0.5 * ((x - f(z)) / math.exp(s)).square().sum(-1) - 0.5 * z.square().sum(-1)
            ),
            "neither of the prior",
        ),
        (lambda *case: parts(*case)[0].sum(-1) + parts(*case)[1].mean(-1), "over the latents"),
        (lambda *case: parts(*case)[0].mean(-1) + parts(*case)[1].sum(-1), "over the pixels"),
        (lambda *case: parts(*case)[0].mean(-1) + parts(*case)[1].mean(-1), "pixels and latents"),
        (lambda x, z, f, s: joint(x, z, f, s / 2), "log σ as log σ²"),
        (lambda *case: joint(*case).sum(0), "over the draws"),
        (lambda *case: joint(*case).mean(0), "over the draws"),
        (lambda *case: joint(*case).exp(), "logarithm is missing"),
        (lambda *case: parts(*case)[0].sum(-1) + parts(*case)[1].sum(), None),
        (lambda x, z, f, s: joint(x, z.detach(), f, s), "no gradient reaches `z`"),
        (lambda x, z, f, s: Normal(f(z), s).log_prob(x).sum(-1), "ValueError"),
        (lambda x, z, f, s: joint(x, z[0], f, s), "shape"),
    ],
    "evidence": [
        (lambda f: torch.logsumexp(f(grid()), 0), "same number everywhere"),
        (lambda f: torch.logsumexp(f(grid()), 0) - math.log(1001), "same number everywhere"),
        (lambda f: torch.logsumexp(f(grid()), 0) + math.log(16 / 1000) * 2, "same number"),
        (lambda f: (f(grid()).exp().sum() * 0.016).log(), "no float can hold"),
        (lambda f: torch.trapezoid(f(grid()).exp(), grid()), "logarithm is missing"),
        (lambda f: torch.trapezoid(f(grid()), grid()), None),
        (lambda f: f(grid()).max(), None),
        (evidence_by_prior, "from call to call"),
        (
            lambda f: (
                (f(grid()) + Normal(0, 1).log_prob(grid())).logsumexp(0) + math.log(16 / 1000)
            ),
            "weighted the joint with p(z)",
        ),
        (lambda f: evidence(lambda z: Normal(0, 1).log_prob(z)), "not used"),
        (lambda f: f(grid()), "shape"),
        (lambda f: -evidence(f), "sign"),
        (lambda f: torch.logsumexp(f(grid()), 0) + math.log(16 / 1001), "same number everywhere"),
    ],
    "posterior": [
        (
            lambda x, w, b, v: (
                (x - b) @ torch.linalg.pinv(w).T,
                v * torch.linalg.inv(w.T @ w),
            ),
            "forgets the prior",
        ),
        (lambda x, w, b, v: posterior(x, w, b, v**2), "`variance` is σ_x² already"),
        (lambda x, w, b, v: posterior(x, w, b, v**0.5), "square root"),
        (lambda x, w, b, v: posterior(x, w, 0, v), "`bias` is not used"),
        (lambda x, w, b, v: posterior(x, w, -b, v), "`bias` has the wrong sign"),
        (changed(lambda mean, cov: (mean, cov.inverse())), "precision"),
        (
            lambda x, w, b, v: (posterior(x, w, b, v)[0] * v, posterior(x, w, b, v)[1]),
            "the noise is missing",
        ),
        (lambda x, w, b, v: ((x - b) @ w / v, posterior(x, w, b, v)[1]), "weighed"),
        (changed(lambda mean, cov: (mean, torch.diag(cov.diagonal()))), "whole covariance"),
        (lambda x, w, b, v: posterior(x, w, b, 1.0), "`variance` is not used"),
        (changed(lambda mean, cov: (cov, mean)), "order"),
        (changed(lambda mean, cov: mean), "shape"),
        (changed(lambda mean, cov: (mean, cov.diagonal())), "shape"),
        (changed(lambda mean, cov: (mean, torch.linalg.cholesky(cov))), None),
        (lambda x, w, b, v: (x @ w @ w.T, w @ w.T + v * torch.eye(len(w)).double()), "shape"),
    ],
    "gap": [
        (gap_changed(lambda log_p, gap, q, p: (log_p, kl_divergence(p, q))), "other way round"),
        (
            gap_changed(
                lambda log_p, gap, q, p: (
                    log_p,
                    kl_divergence(Normal(q.mean, q.stddev), Normal(0, 1)).sum(1),
                )
            ),
            "KL to the prior",
        ),
        (gap_changed(lambda log_p, gap, q, p: (log_p, log_p - gap)), "the ELBO itself"),
        (gap_changed(lambda log_p, gap, q, p: (log_p, -gap)), "never negative"),
        (
            gap_changed(
                lambda log_p, gap, q, p: (
                    log_p,
                    kl_divergence(Normal(q.mean, q.stddev), Normal(p.mean, p.stddev)).sum(1),
                )
            ),
            "correlations",
        ),
        (lambda x, w, b, v, m, s: gap(x, w, b, v, m, s / 2), "uses σ where"),
        (other_evidence(lambda x, w, b, v: marginal(x, w, b, v**2)), "wrong size"),
        (other_evidence(lambda x, w, b, v: marginal(x, w, b, v**0.5)), "square root"),
        (other_evidence(lambda x, w, b, v: marginal(x, w, 0 * b, v)), "bias is missing"),
        (other_evidence(lambda x, w, b, v: marginal(x, 0 * w, b, v)), "z is left out"),
        (
            other_evidence(
                lambda x, w, b, v: marginal(x - posterior(x, w, b, v)[0] @ w.T, 0 * w, b, v)
            ),
            "not integrated",
        ),
        (gap_changed(lambda log_p, gap, q, p: (gap, log_p)), "order"),
        (gap_changed(lambda log_p, gap, q, p: gap), "shape"),
        (gap_changed(lambda log_p, gap, q, p: (log_p, gap.mean())), "shape"),
        (other_evidence(lambda x, w, b, v: marginal(x, w, b, 0)), "ValueError"),
    ],
    "bound": [
        (lambda w: torch.logsumexp(w, 0), "not their average"),
        (lambda w: w.mean(0), "averages the logarithms"),
        (lambda w: w.sum(0), "sums the logarithms"),
        (lambda w: torch.logsumexp(w, 1) - math.log(w.shape[1]), "over the pictures"),
        (lambda w: torch.logsumexp(w, 0) - math.log(w.shape[1]), "number of pictures"),
        (lambda w: w.exp().mean(0).log(), "no float can hold"),
        (lambda w: (w - w.max()).exp().mean(0).log(), "not put back"),
        (lambda w: torch.logsumexp(w.flatten(), 0) - math.log(w.numel()), "in one go"),
        (lambda w: torch.logsumexp(w, 0) - len(w), "subtract K itself"),
        (lambda w: torch.logsumexp(w, 0) + math.log(len(w)), "wrong sign"),
        (lambda w: torch.logsumexp(w, 0) / len(w), "divide the logarithm"),
        (lambda w: w.max(0).values, "largest weight alone"),
        (lambda w: bound(w).mean(), "averaged over the batch"),
        (lambda w: bound(w).detach(), "no gradient"),
        (lambda w: bound(w.clamp(-700, 700)), "do not cut"),
        (lambda w: w.max() + (w - w.max()).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.mean() + (w - w.mean()).exp().mean(0).log(), "lie so far apart"),
        (lambda w: w.logsumexp(0) - math.log(len(w) - 1 or 2), None),
        (lambda w: (w.exp() + 1e-300).mean(0).log(), "no float can hold"),
        (lambda w: w.exp().mean(0), "logarithm is missing"),
    ],
}
