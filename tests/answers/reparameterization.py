"""Answers to the exercises of chapter 5, right in different styles, and wrong in known ways."""

import math
from functools import cache

import sympy
import torch
from torch.distributions import Independent, Normal


def draw(mean, log_std):
    return mean + log_std.exp() * torch.randn_like(mean)


def draw_loops(mean, log_std):
    columns = []
    for j in range(mean.shape[1]):
        noise = torch.randn(len(mean), dtype=mean.dtype)
        columns.append(mean[:, j] - math.e ** log_std[:, j] * noise)
    return torch.stack(columns, 1)


def draw_by_quantiles(mean, log_std):
    u = torch.rand_like(mean).clamp(1e-12, 1 - 1e-12)
    return mean + torch.exp(log_std) * math.sqrt(2) * torch.erfinv(2 * u - 1)


def draw_in_place(mean, log_std):
    mean += log_std.exp() * torch.randn_like(mean)
    return mean


def with_noise(make):
    return lambda m, s: m + s.exp() * make(m)


def fixed_seed(m):
    torch.manual_seed(0)
    return torch.randn_like(m)


def blended(m):
    """The right spread of every ε, but neighbours share a part."""
    noise = torch.randn_like(m)
    return (noise + noise.roll(1, 1)) / math.sqrt(2)


def in_pairs(m):
    """Half of the pictures have what the other half has, with the other sign."""
    noise = torch.randn_like(m)[: (len(m) + 1) // 2]
    return torch.cat([noise, -noise])[: len(m)]


def every_other(m):
    """Latents that are two apart share their ε."""
    noise = torch.randn_like(m)
    noise[:, 2:] = noise[:, :-2].clone()
    return noise


def slopes(f, mean, log_std, noise):
    mean, log_std = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    return torch.autograd.grad(f(mean + log_std.exp() * noise).mean(), (mean, log_std))


def slopes_by_chain_rule(f, mean, log_std, noise):
    z = (mean + log_std.exp() * noise).requires_grad_()
    (slope,) = torch.autograd.grad(f(z).mean(), z)
    return slope.sum(0), (slope * noise).sum(0) * log_std.exp()


def slopes_by_jacobian(f, mean, log_std, noise):
    def average(m, s):
        return f(m + s.exp() * noise).sum() / len(noise)

    return torch.autograd.functional.jacobian(average, (mean, log_std))


def slopes_loops(f, mean, log_std, noise):
    totals = [0, 0]
    for one in noise:
        for i, part in enumerate(slopes(f, mean, log_std, one[None])):
            totals[i] = totals[i] + part / len(noise)
    return tuple(totals)


def each(f, mean, log_std, noise):
    """f', σ and ε of each draw."""
    z = (mean + log_std.exp() * noise).requires_grad_()
    return torch.autograd.grad(f(z).sum(), z)[0], log_std.exp(), noise


def slopes_in_std(f, mean, log_std, noise):
    mean, std = mean.clone().requires_grad_(), log_std.exp().requires_grad_()
    return torch.autograd.grad(f(mean + std * noise).mean(), (mean, std))


def slopes_of_sample(f, mean, log_std, noise):
    mean, log_std = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    z = (mean + log_std.exp() * noise).detach()
    return torch.autograd.grad(f(z).mean(), (mean, log_std))


def score(f, mean, log_std, noise):
    std = torch.exp(log_std)
    value = f(mean + std * noise)[:, None]  # (N, 1)
    return value * noise / std, value * (noise**2 - 1)


def score_autograd(
    f, mean, log_std, noise, *, detach_f=True, detach_z=True, value_only=False, by_std=False
):
    mean = mean.expand_as(noise).clone().requires_grad_()
    second = log_std.expand_as(noise).clone()
    second = (second.exp() if by_std else second).requires_grad_()
    std = second if by_std else second.exp()
    z = mean + std * noise
    value = f(z.detach() if detach_f else z)
    log_q = Independent(Normal(mean, std), 1).log_prob(z.detach() if detach_z else z)
    return torch.autograd.grad((value * log_q).sum(), (mean, second))


def score_loops(f, mean, log_std, noise):
    in_mean, in_log_std = torch.zeros_like(noise), torch.zeros_like(noise)
    for n in range(len(noise)):
        z = mean + log_std.exp() * noise[n]
        height = f(z.reshape(1, -1))[0]
        for j in range(len(mean)):
            variance = torch.exp(2 * log_std[j])
            in_mean[n, j] = height * (z[j] - mean[j]) / variance
            in_log_std[n, j] = height * ((z[j] - mean[j]) ** 2 / variance - 1)
    return in_mean, in_log_std


def of_score(change):
    """`change(first, second, f(z), σ, ε)`."""

    def answer(f, mean, log_std, noise):
        value = f(mean + log_std.exp() * noise)[:, None]
        return change(*score(f, mean, log_std, noise), value, log_std.exp(), noise)

    return answer


def variances(mu, sigma):
    return 4 * sigma**2, mu**4 / sigma**2 + 14 * mu**2 + 15 * sigma**2


MOMENTS = (1, 0, 1, 0, 3, 0, 15)


def average(expression, e):
    terms = sympy.Poly(sympy.expand(expression), e).terms()
    return sum(factor * MOMENTS[power] for (power,), factor in terms)


def variances_by_moments(mu, sigma, *, first=None, second=None, squared=1):
    e = sympy.Symbol("e", real=True)
    z = mu + sigma * e
    estimates = first or 2 * z, second(z, e) if second else z**2 * e / sigma
    return tuple(average(g**2, e) - squared * average(g, e) ** 2 for g in estimates)


@cache
def moment(k):
    e = sympy.Symbol("e", real=True)
    density = sympy.exp(-(e**2) / 2) / sympy.sqrt(2 * sympy.pi)
    return sympy.integrate(e**k * density, (e, -sympy.oo, sympy.oo))


def variances_by_integrals(mu, sigma):
    e = sympy.Symbol("e", real=True)
    z = mu + sigma * e

    def mean(g):
        g = sympy.expand(g)
        return sum(g.coeff(e, k) * moment(k) for k in range(7))

    return [sympy.expand(mean(g**2) - mean(g) ** 2) for g in (2 * z, z**2 * e / sigma)]


def of_variances(change):
    return lambda mu, sigma: change(*variances(mu, sigma), mu, sigma)


def others(reward):
    return (reward.sum(0, keepdim=True) - reward) / (len(reward) - 1)


def surrogate(reward, log_q):
    return -((reward - others(reward)).detach() * log_q).mean()


def surrogate_loops(reward, log_q):
    total, (draws, batch) = 0, reward.shape
    for i in range(batch):
        for k in range(draws):
            rest = [reward[j, i].item() for j in range(draws) if j != k]
            total = total - (reward[k, i].item() - sum(rest) / len(rest)) * log_q[k, i]
    return total / (draws * batch)


def surrogate_rescaled(reward, log_q):
    with torch.no_grad():
        centred = (reward - reward.mean(0)) * len(reward) / (len(reward) - 1)
    return -(centred * log_q).mean(0).mean()


def surrogate_in_place(reward, log_q):
    reward -= others(reward)
    return -(reward.detach() * log_q).mean()


def best(reward, score):
    return (reward * score**2).mean() / (score**2).mean()


def best_by_covariance(reward, score):
    both = torch.cov(torch.stack([reward * score, score]))
    return both[0, 1] / both[1, 1]


def best_by_search(reward, score):
    low, high = reward.min().item(), reward.max().item()
    for _ in range(60):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        worse_a = ((reward - a) * score).var() > ((reward - b) * score).var()
        low, high = (a, high) if worse_a else (low, b)
    return (low + high) / 2


def triangle(z):
    return 4 * (5 * z - torch.floor(5 * z) - 0.5).abs() - 1


RIGHT = {
    "draw": [
        draw,
        lambda m, s: Normal(m, s.exp()).rsample(),
        lambda m, s: torch.addcmul(m, s.exp(), torch.normal(torch.zeros_like(m), 1.0)),
        draw_loops,
        draw_by_quantiles,
    ],
    "slopes": [
        slopes,
        lambda *case: list(slopes(*case)),
        slopes_by_chain_rule,
        slopes_by_jacobian,
        slopes_loops,
    ],
    "score": [score, score_autograd, score_loops],
    "variances": [variances, variances_by_moments, variances_by_integrals],
    "surrogate": [surrogate, surrogate_loops, surrogate_rescaled],
    "best_baseline": [best, lambda f, s: float(best(f, s)), best_by_covariance, best_by_search],
    "counter_example": [
        lambda z: torch.sin(30 * z),
        lambda z: torch.cos(25 * z) + 0.5 * torch.sin(60 * z + 1),
        triangle,
        lambda z: 0.01 * torch.sin(60 * z) + 0.001 * z,
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "draw": [
        (lambda m, s: Normal(m, s.exp()).sample(), "No slope reaches `mean` or `log_std`"),
        (lambda m, s: torch.normal(m, s.exp()).detach(), "No slope reaches `mean` or `log_std`"),
        (lambda m, s: draw(m, s.detach()), "No slope reaches `log_std`"),
        (lambda m, s: draw(m.detach(), s), "No slope reaches `mean`"),
        (lambda m, s: s.exp() * torch.randn_like(m), "No slope reaches `mean`"),
        (with_noise(lambda m: torch.randn(m.shape[1])), "All pictures of a batch"),
        (with_noise(lambda m: torch.randn(len(m), 1)), "All latents of a picture"),
        (with_noise(lambda m: torch.randn(())), "one ε for everything"),
        (with_noise(torch.ones_like), "the same draw"),
        (with_noise(fixed_seed), "the same draw"),
        (with_noise(torch.rand_like), "mean of ε is not 0"),
        (with_noise(lambda m: (torch.rand_like(m) - 0.5) * 12**0.5), "not normal"),
        (with_noise(lambda m: 2 * torch.randn_like(m)), "spread"),
        (with_noise(lambda m: torch.randn_like(m).clamp(-3, 3)), "clamped"),
        (with_noise(lambda m: torch.randn(m.shape, dtype=torch.float64)), "float32 came in"),
        (
            lambda m, s: m + ((2 * s).exp() + 1e-8).sqrt() * torch.randn_like(m),
            "in log_std is wrong",
        ),
        (lambda m, s: draw(m, s.clamp(-5, 2)), "in log_std is wrong"),
        (with_noise(blended), "one latent tells"),
        (draw_in_place, "in place"),
        (lambda m, s: draw(m, s).float(), "float64"),
        (lambda m, s: draw(m, s).sum(1), "shape"),
        (lambda m, s: m + torch.randn_like(m), "No slope reaches `log_std`"),
        (lambda m, s: Normal(m, s).rsample(), "ValueError"),
        (lambda m, s: m * (1 + s.exp() * torch.randn_like(m)), "slope of z in the mean"),
        (lambda m, s: draw(m, s.clamp(-10, 5)), "clamps"),
        (lambda m, s: draw(m, torch.log(s.exp() + 1e-10)), "Small numbers that are added"),
        (with_noise(lambda m: torch.randn_like(m).clamp(-3.5, 3.5)), "clamped"),
        (with_noise(lambda m: torch.randn_like(m).abs() * m.sign()), "ε depends on the mean"),
        (
            lambda m, s: m + s.exp() * torch.randn_like(m).abs() * (s + 0.3).sign(),
            "sign of ε depends",
        ),
        (with_noise(in_pairs), "one picture tells"),
        (with_noise(every_other), "one latent tells"),
    ],
    "slopes": [
        (slopes_in_std, "slope in σ"),
        (slopes_of_sample, "RuntimeError"),
        (lambda *case: slopes(*case)[0], "shape"),
        (lambda *case: (each(*case)[0], each(*case)[0] * each(*case)[2]), "kept every draw"),
        (lambda f, m, s, e: slopes(f, m, s, torch.randn_like(e)), "draw none of your own"),
        (lambda f, m, s, e: tuple(-p for p in slopes(f, m, s, e)), "sign is wrong"),
        (lambda f, m, s, e: slopes(f, m, s.clamp(-6, 4), e), "It is right for"),
        (lambda f, m, s, e: tuple(p.abs() for p in slopes(f, m, s, e)), None),
        (lambda f, m, s, e: tuple(len(e) * p for p in slopes(f, m, s, e))[::-1], BOTH),
        (lambda f, m, s, e: tuple(len(e) * p for p in slopes_in_std(f, m, s, e)), BOTH),
    ],
    "score": [
        (lambda *case: score_autograd(*case, detach_z=False), "undoes the score"),
        (lambda *case: score_autograd(*case, detach_f=False), "through z into f"),
        (lambda *case: score_autograd(*case, detach_f=False, detach_z=False), "nowhere"),
        (lambda *case: score_autograd(*case, by_std=True), "slope in σ"),
        (lambda *case: (each(*case)[0], math.prod(each(*case))), "pathwise estimates"),
        (of_score(lambda a, b, f, std, e: a), "shape"),
        (lambda f, m, s, e: score(f, m, s, torch.randn_like(e)), "draw none of your own"),
        (of_score(lambda a, b, f, std, e: (a, b.sum(1, keepdim=True).expand_as(e))), "right for"),
        (lambda f, *rest: score(lambda z: f(z).abs(), *rest), "lost its sign"),
        (lambda f, m, s, e: score(f, m, s.clamp(-6, 4), e), "It is right for"),
        (of_score(lambda a, b, f, std, e: (f * e, f * e**2)), BOTH),
        (
            lambda *case: tuple(p.mean(0) for p in score_autograd(*case, by_std=True)),
            "averaged over the draws",
        ),
    ],
    "variances": [
        (lambda mu, sigma: variances_by_moments(mu, sigma, squared=0), "average squares"),
        (of_variances(lambda a, b, mu, sigma: a), "2 SymPy expressions"),
        (of_variances(lambda a, b, mu, sigma: (a, b + sympy.Symbol("b"))), "of its own: b"),
        (
            lambda mu, sigma: variances_by_moments(
                mu, sigma, second=lambda z, e: (z**2 - mu**2 - sigma**2) * e / sigma
            ),
            "average of f off",
        ),
        (lambda mu, sigma: tuple(v / 100 for v in variances(mu, sigma)), None),
        (of_variances(lambda a, b, mu, sigma: (a, b - mu**2 / 100)), None),
        (lambda mu, sigma: variances(sympy.Symbol("mu"), sigma), "of its own: mu"),
        (of_variances(lambda a, b, mu, sigma: (a, -b)), "sign of the one by the score"),
        (of_variances(lambda a, b, mu, sigma: (a / 2, 15 * sigma**2)), BOTH),
        (of_variances(lambda a, b, mu, sigma: (b + 4 * mu**2, a + 4 * mu**2)), BOTH),
    ],
    "surrogate": [
        (lambda r, q: surrogate(r, q.detach()), "No slope reaches `log_q`"),
        (lambda r, q: surrogate(r, q).item(), "a float"),
        (lambda r, q: -((r - others(r)).detach() * q).mean(0), "one number"),
        (lambda r, q: surrogate(r, q) + r.mean(), None),
        (surrogate_in_place, "in place"),
        (lambda r, q: -((r - others(r)).detach() * (q.exp() / q.exp().detach())).mean(), "2000"),
        (lambda r, q: surrogate(r, q.exp().log()), "2000"),
        (lambda r, q: surrogate(r.clamp(-9, 9), q), "slope of your loss"),
        (lambda r, q: ((r - others(r)).detach() * q).sum(), BOTH),
        (lambda r, q: -((r - r.mean(0)) * q).mean(), BOTH),
        (lambda r, q: -(((r - r.mean(0)) / r.std(0)).detach() * q).mean(), BOTH),
        (lambda r, q: -(r * q).sum(), "A slope reaches `reward`"),
    ],
    "best_baseline": [
        (lambda f, s: f * s**2 / (s**2).mean(), "shape"),
        (lambda f, s: -best(f, s), "sign"),
        (lambda f, s: best(f.abs(), s), "lost their sign"),
        (lambda f, s: (f * s**2).sum() / ((s**2).sum() + 1e-8), "It is right for"),
        (lambda f, s: best(f, s.clamp(-1, 1)), None),
        (lambda f, s: 1.002 * best(f, s), None),
        (lambda f, s: (f * s.abs()).sum(), BOTH),
        (lambda f, s: (f.abs() * s**2).sum(), BOTH),
    ],
    "counter_example": [
        (torch.square, "The first must be"),
        (torch.cos, "The first must be"),
        (lambda z: torch.ones_like(z), "no slope"),
        (lambda z: 3 * z, "does not vary"),
        (torch.sign, "jumps"),
        (lambda z: (z > 0).double(), "no slope"),
        (lambda z: torch.frac(10 * z), "jumps"),
        (lambda z: torch.cos(30 * z) + 10, "offset"),
        (lambda z: torch.sin(3 * z), "The first must be"),
        (lambda z: torch.sin(30 * z.detach()), "no slope"),
        (lambda z: torch.sin(30 * z).sum(), "one value for each z"),
        (lambda z: torch.sin(30 * (z - z.mean())), "each z alone"),
        (lambda z: torch.sin(30 * z) + 0 * z.log(), "NaN"),
        (lambda z: torch.sin(30 * z) + torch.randn_like(z), "each z alone"),
        (lambda z: torch.sin(30 * z) + torch.floor(3 * z), "jumps"),
        (lambda z: torch.sin(30 * z) + 0.05 * torch.sign(z - 0.1), "jumps"),
        (lambda z: torch.sin(1e5 * z), "faster than"),
        (lambda z: torch.sin(5 * z), "The first must be"),
        (lambda z: torch.sin(30 * z) + 10 * torch.exp(-((2 * z) ** 2)), "The first must be"),
        (lambda z: torch.sin(30 * z) + 10 * torch.exp(-((2 * z - 2) ** 2)), "The first must be"),
    ],
}
