"""Answers to the exercises of chapter 4, right in different styles, and wrong in known ways."""

import math

import sympy
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence


def by_distributions(mean, log_std):
    posterior = Independent(Normal(mean, log_std.exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    return kl_divergence(posterior, prior)


def by_loops(mean, log_std):
    totals = []
    for m, s in zip(mean, log_std, strict=True):
        total = 0
        for j in range(len(m)):
            total = total + (math.e ** (2 * s[j]) + m[j] * m[j] - 1) / 2 - s[j]
        totals.append(total)
    return torch.stack(totals)


def by_log_var(mean, log_std):
    log_var = 2 * log_std
    return -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp(), dim=-1)


def in_place(mean, log_std):
    log_std *= 2
    return -0.5 * torch.sum(1 + log_std - mean.pow(2) - log_std.exp(), dim=-1)


def kl_sympy(mu, sigma):
    return (sigma**2 + mu**2 - 1) / 2 - sympy.log(sigma)


def kl_from_variance(mu, sigma):
    variance = sympy.Symbol("v", positive=True)
    kl = (variance + mu**2 - 1 - sympy.log(variance)) / 2
    return mu, (2 * sigma * kl.diff(variance)).subs(variance, sigma**2).simplify()


def by_autograd(mean, log_std):
    given = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    return torch.autograd.grad(by_log_var(*given).sum(), given)


def pair(mq, sq, mp, sp):
    return (sp - sq + ((2 * sq).exp() + (mq - mp) ** 2) / (2 * (2 * sp).exp()) - 0.5).sum(-1)


def pair_loops(mq, sq, mp, sp):
    return torch.stack(
        [
            sum(kl_divergence(Normal(*q), Normal(*p)) for q, p in zip(zip(a, b), zip(c, d)))  # noqa: B905
            for a, b, c, d in zip(mq, sq.exp(), mp, sp.exp(), strict=True)
        ]
    )


def pair_distributions(mq, sq, mp, sp):
    return kl_divergence(Independent(Normal(mq, sq.exp()), 1), Independent(Normal(mp, sp.exp()), 1))


def by_hessian(kl):
    zero = torch.zeros((), dtype=torch.float64)
    h = torch.autograd.functional.hessian(kl, (zero, zero))
    return h[0][0], h[1][1]


def by_differences(kl, h=1e-3):
    def f(i, j):
        return float(kl(torch.tensor(i * h).double(), torch.tensor(j * h).double()))

    return (f(1, 0) - 2 * f(0, 0) + f(-1, 0)) / h**2, (f(0, 1) - 2 * f(0, 0) + f(0, -1)) / h**2


def by_grad_of_grad(kl):
    zeros = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(kl(*zeros), zeros, create_graph=True)
    return tuple(torch.autograd.grad(first[i], zeros, retain_graph=True)[0][i] for i in (0, 1))


def by_steps(kl, h=1e-3, forward=0):
    """Second differences; `forward` moves all three points to the right."""
    zero = torch.zeros((), dtype=torch.float64)

    def second(line):
        return sum(w * line((k + forward) * h) for k, w in ((-1, 1), (0, -2), (1, 1))) / h**2

    return second(lambda t: kl(zero + t, zero)), second(lambda t: kl(zero, zero + t))


def without_middle(kl, h=1e-3):
    """Right where kl is 0 at (0, 0)."""

    def f(i, j):
        return kl(torch.tensor(i * h).double(), torch.tensor(j * h).double())

    return (f(1, 0) + f(-1, 0)) / h**2, (f(0, 1) + f(0, -1)) / h**2


def tiny(number):
    return lambda m, s: (0.5 * ((2 * s).exp() + m**2 - 1) - (s.exp() + number).log()).sum(1)


def with_small_number(mean, log_std):
    variance = log_std.exp() ** 2
    return -0.5 * (1 + torch.log(variance + 1e-8) - mean**2 - variance).sum(1)


def by_draw(mean, log_std):
    q = Normal(mean, log_std.exp())
    z = q.rsample()
    return (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1)


def by_matrices(mean, log_std):
    q = MultivariateNormal(mean, scale_tril=torch.diag_embed(log_std.exp()))
    prior = MultivariateNormal(0 * mean, torch.eye(mean.shape[1], dtype=mean.dtype))
    return kl_divergence(q, prior)


RIGHT = {
    "kl": [by_distributions, by_loops, by_log_var, by_matrices],
    "derivatives": [
        lambda mu, sigma: (mu, sigma - 1 / sigma),
        lambda mu, sigma: [kl_sympy(mu, sigma).diff(s) for s in (mu, sigma)],
        kl_from_variance,
    ],
    "gradient": [
        lambda m, s: (m, torch.exp(2 * s) - 1),
        by_autograd,
        lambda m, s: [1.0 * m, (s.exp() - 1) * (s.exp() + 1)],
    ],
    "two_gaussians": [pair, pair_loops, pair_distributions],
    "curvatures": [
        by_hessian,
        by_differences,
        by_grad_of_grad,
        lambda kl: list(by_steps(kl, 1e-4)),
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "kl": [
        (lambda m, s: by_log_var(m, s).mean(), "averaged over the batch"),
        (lambda m, s: -by_log_var(m, s), "sign is wrong"),
        (lambda m, s: 2 * by_log_var(m, s), "twice"),
        (lambda m, s: by_log_var(m, s).detach(), "no gradient"),
        (lambda m, s: by_log_var(m.detach(), s), "no gradient reaches `mean`"),
        (lambda m, s: by_log_var(m, s).float(), "float64"),
        (lambda m, s: by_log_var(m, s).sum(), "summed over the batch"),
        (lambda m, s: kl_divergence(Normal(m, s.exp()), Normal(0.0, 1.0)), "shape"),
        (lambda m, s: by_log_var(m[:4], s[:4]), "shape"),
        (lambda m, s: by_log_var(m[:, :2], s[:, :2]), "It is right for"),
        (in_place, "in place"),
        (with_small_number, "Is something clamped"),
        (lambda m, s: by_log_var(m, s.clamp(-5, 2)), "Is something clamped"),
        (tiny(1e-8), "added inside a logarithm"),
        (tiny(1e-12), "added inside a logarithm"),
        (lambda m, s: by_log_var(m, s.clamp(-15, 10)), "Is something clamped"),
        (lambda m, s: by_log_var(m, s.clamp(max=10)), "Is something clamped"),
        (lambda m, s: by_log_var(m.clamp(-15, 15), s), "Is something clamped"),
        (lambda m, s: by_log_var(m, s) + (0 * m).sqrt().sum(1), "holds NaN"),
        (lambda m, s: (0.5 * (s.exp() + m**2 - 1) - 2 * s).sum(1), "two slips"),
        (lambda m, s: (0.5 * ((2 * s).exp() + m**2 - 1) - s).sum(1, keepdim=True), "shape"),
        (lambda m, s: (0.5 * ((2 * s).exp() + m**2 - 1) - s).clamp(min=0.01).sum(1), None),
        (by_draw, None),
        (lambda m, s: kl_divergence(Normal(m, s), Normal(0.0, 1.0)).sum(1), "ValueError"),
        (lambda m, s: (0.5 * (s**2 + m**2 - 1) - s.log()).sum(1), "NaN"),
    ],
    "derivatives": [
        (lambda mu, sigma: kl_sympy(mu, sigma), "2 SymPy expressions"),
        (lambda mu, sigma: (sympy.Symbol("x"), sigma - 1 / sigma), "of its own: x"),
        (lambda mu, sigma: (-mu, 1 / sigma - sigma), "sign"),
        (lambda mu, sigma: (0, 0), None),
    ],
    "gradient": [
        (lambda m, s: (2 * m, 2 * (2 * s).exp() - 2), "twice"),
        (lambda m, s: m, "shape"),
        (lambda m, s: tuple(p.float() for p in by_autograd(m, s)), "float64"),
        (lambda m, s: tuple(p.sum(1) for p in by_autograd(m, s)), "shape"),
        (lambda m, s: (m, 2 * s), None),
        (lambda m, s: (-m, 2 * (2 * s).exp() - 1), None),
        (lambda m, s: (2 * m, (2 * s).exp()), None),
    ],
    "two_gaussians": [
        (lambda mq, sq, mp, sp: pair(mq, sq, mp, sp).mean(), "averaged over the batch"),
        (lambda mq, sq, mp, sp: pair(mq.detach(), sq, mp, sp), "no gradient"),
        (lambda mq, sq, mp, sp: pair(mq, sq, mp, sp.detach()), "reaches `log_std_p`"),
        (
            lambda mq, sq, mp, sp: (
                sp - sq + ((2 * sq).exp() + (mq - mp) ** 2) / (2 * (2 * sp).exp() + 1e-8) - 0.5
            ).sum(1),
            "Is something clamped",
        ),
        (lambda mq, sq, mp, sp: by_log_var(mq, sq) - by_log_var(mp, sp), None),
        (
            lambda mq, sq, mp, sp: pair(mq, sq, mp, sp) + ((sp.exp() + 1e-8).log() - sp).sum(1),
            "added inside a logarithm",
        ),
        (lambda mq, sq, mp, sp: pair(mq, sq, mp, sp.clamp(-8, 8)), "Is something clamped"),
        (lambda mq, sq, mp, sp: -pair(mp, sp, mq, sq), "two slips"),
        (lambda mq, sq, mp, sp: (pair(mq, sq, mp, sp) + pair(mp, sp, mq, sq)) / 2, None),
    ],
    "curvatures": [
        (lambda kl: tuple(v / 2 for v in by_hessian(kl)), "half"),
        (lambda kl: (1.0, 2.0), "wrong for another"),
        (lambda kl: by_hessian(kl)[0], "two numbers"),
        (lambda kl: tuple(2 * v for v in by_hessian(kl)), "twice"),
        (lambda kl: by_steps(kl, h=0.2), "three digits"),
        (lambda kl: by_steps(kl, forward=1), "three digits"),
        (lambda kl: by_steps(kl, h=1e-8), None),
        (lambda kl: by_hessian(lambda m, s: kl(m + 1, s)), None),
        (without_middle, "wrong for another"),
        (lambda kl: by_hessian(lambda m, s: kl(m, s + 1)), None),
        (lambda kl: torch.stack(by_hessian(kl)), "two numbers"),
    ],
}
