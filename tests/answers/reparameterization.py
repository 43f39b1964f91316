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


def in_second(change):
    def answer(*case):
        slope, std, noise = each(*case)
        return slope.mean(0), change(slope, std, noise).mean(0)

    return answer


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


def with_baseline(baseline, sign=-1):
    return lambda r, q: sign * ((r - baseline(r)).detach() * q).mean()


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
WRONG = {
    "draw": [
        (lambda m, s: Normal(m, s.exp()).sample(), "No slope reaches `mean` or `log_std`"),
        (lambda m, s: torch.normal(m, s.exp()).detach(), "No slope reaches `mean` or `log_std`"),
        (lambda m, s: draw(m, 2 * s), "multiplied by σ²"),
        (lambda m, s: draw(m, s / 2), "log σ as log σ²"),
        (lambda m, s: m + s * torch.randn_like(m), "multiplied by log σ"),
        (lambda m, s: draw(m, -s), "divided by σ"),
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
        (
            lambda m, s: m + torch.nn.functional.softplus(s) * torch.randn_like(m),
            "slope of z in log_std is wrong",
        ),
        (lambda m, s: m * (1 + s.exp() * torch.randn_like(m)), "slope of z in the mean"),
    ],
    "slopes": [
        (lambda f, m, s, e: slopes(f, m, s, e[:1]), "It is right for"),
        (lambda f, m, s, e: slopes(f, m, s, e.mean(0, keepdim=True)), "It is right for"),
        (lambda *case: (each(*case)[0], math.prod(each(*case))), "kept every draw"),
        (lambda f, m, s, e: tuple(p / len(m) for p in slopes(f, m, s, e)), "It is right for"),
        (slopes_in_std, "slope in σ"),
        (lambda f, m, s, e: tuple(len(e) * p for p in slopes(f, m, s, e)), "summed over the draws"),
        (in_second(lambda slope, std, e: slope * std), "lacks the noise"),
        (in_second(lambda slope, std, e: slope), "lacks the noise and σ"),
        (in_second(lambda slope, std, e: slope * std**2 * e), "σ² where"),
        (in_second(lambda slope, std, e: slope * std * e / 2), "log σ as log σ²"),
        (in_second(lambda slope, std, e: -slope * std * e), "wrong sign"),
        (lambda *case: tuple(p.mean(0) for p in score(*case)), "score-function estimates"),
        (lambda f, m, s, e: slopes(f, m, s, 0 * e), "at the mean"),
        (lambda *case: slopes(*case)[::-1], "order"),
        (slopes_of_sample, "RuntimeError"),
        (lambda *case: slopes(*case)[0], "shape"),
        (lambda *case: (each(*case)[0], each(*case)[0] * each(*case)[2]), "shape"),
        (lambda f, m, s, e: slopes(f, m, s, torch.randn_like(e)), "draw none of your own"),
        (lambda f, m, s, e: tuple(-p for p in slopes(f, m, s, e)), "sign is wrong"),
    ],
    "score": [
        (lambda *case: score_autograd(*case, detach_z=False), "undoes the score"),
        (lambda *case: score_autograd(*case, detach_f=False), "through z into f"),
        (lambda *case: score_autograd(*case, detach_f=False, detach_z=False), "nowhere"),
        (lambda *case: score_autograd(*case, by_std=True), "slope in σ"),
        (lambda *case: tuple(p.mean(0) for p in score(*case)), "averaged over the draws"),
        (lambda *case: tuple(p.sum(0) for p in score(*case)), "summed over the draws"),
        (of_score(lambda a, b, f, std, e: (a / len(e), b / len(e))), "number of draws"),
        (of_score(lambda a, b, f, std, e: (e / std, e**2 - 1)), "f is missing"),
        (of_score(lambda a, b, f, std, e: (a, f * e**2)), "constant is missing"),
        (of_score(lambda a, b, f, std, e: (f * e, b)), "σ is missing"),
        (of_score(lambda a, b, f, std, e: (f * e / std**2, b)), "a σ too many"),
        (lambda *case: (each(*case)[0], math.prod(each(*case))), "pathwise estimates"),
        (of_score(lambda a, b, f, std, e: (b, a)), "order"),
        (of_score(lambda a, b, f, std, e: (a, -b)), "wrong sign"),
        (of_score(lambda a, b, f, std, e: (-a, -b)), "sign is wrong"),
        (of_score(lambda a, b, f, std, e: a), "shape"),
        (of_score(lambda a, b, f, std, e: ((f - f.mean()) * e / std, b)), None),
        (
            of_score(lambda a, b, f, std, e: (a - f.mean() * a / f, b - f.mean() * b / f)),
            "baseline is taken off",
        ),
        (lambda f, m, s, e: score(f, m, s, torch.randn_like(e)), "draw none of your own"),
        (of_score(lambda a, b, f, std, e: (a, b.sum(1, keepdim=True).expand_as(e))), "right for"),
        (of_score(lambda a, b, f, std, e: (a, f * (e**2 - 1) / std**2)), "units of σ"),
    ],
    "variances": [
        (lambda mu, sigma: variances_by_moments(mu, sigma, squared=0), "average squares"),
        (of_variances(lambda a, b, mu, sigma: (a, b + 4 * mu**2)), "second is an average square"),
        (of_variances(lambda a, b, mu, sigma: (a + 4 * mu**2, b)), "first is an average square"),
        (lambda mu, sigma: (2 * mu, 2 * mu), "averages of the estimates"),
        (of_variances(lambda a, b, mu, sigma: (sympy.sqrt(a), sympy.sqrt(b))), "deviations"),
        (of_variances(lambda a, b, mu, sigma: (a, b * sigma**2)), "lacks its σ"),
        (of_variances(lambda a, b, mu, sigma: (a, b / sigma**2)), "one σ too many"),
        (of_variances(lambda a, b, mu, sigma: (a, 15 * sigma**2)), "μ = 0 only"),
        (of_variances(lambda a, b, mu, sigma: (b, a)), "order"),
        (of_variances(lambda a, b, mu, sigma: a), "2 SymPy expressions"),
        (
            of_variances(lambda a, b, mu, sigma: (4 * mu**2 * sigma**2 + 2 * sigma**4, b)),
            "variance of z²",
        ),
        (of_variances(lambda a, b, mu, sigma: (a, b + sympy.Symbol("b"))), "of its own: b"),
        (
            lambda mu, sigma: variances_by_moments(
                mu, sigma, second=lambda z, e: (z**2 - mu**2 - sigma**2) * e / sigma
            ),
            "average of f off",
        ),
        (
            lambda mu, sigma: variances_by_moments(
                mu, sigma, second=lambda z, e: (z**2 - mu**2 - 3 * sigma**2) * e / sigma
            ),
            "best one",
        ),
        (of_variances(lambda a, b, mu, sigma: (4, 30)), "numbers of the chapter"),
        (lambda mu, sigma: variances(mu, sympy.Integer(1)), "Both hold at σ = 1 only"),
        (lambda mu, sigma: tuple(v / 100 for v in variances(mu, sigma)), None),
    ],
    "surrogate": [
        (with_baseline(others, sign=1), "wrong sign"),
        (lambda r, q: -((r - others(r)) * q).mean(), "reward is not detached"),
        (lambda r, q: -((r - others(r).detach()) * q).mean(), "the reward is not"),
        (with_baseline(lambda r: r.mean(0)), "own reward"),
        (with_baseline(lambda r: r.mean()), "own reward"),
        (with_baseline(lambda r: r.mean(1, keepdim=True)), "own reward"),
        (with_baseline(lambda r: others(r.T).T), "other pictures"),
        (with_baseline(lambda r: 0), "no baseline"),
        (lambda r, q: -(r * q).mean(), "no baseline, and"),
        (with_baseline(lambda r: r.sum(0) - r), "sum of the other draws"),
        (with_baseline(lambda r: (r.sum(0) - r) / len(r)), "number of all draws"),
        (lambda r, q: r.numel() * surrogate(r, q), "summed over draws and pictures"),
        (lambda r, q: len(r) * surrogate(r, q), "summed over the draws"),
        (lambda r, q: r.shape[1] * surrogate(r, q), "summed over the pictures"),
        (lambda r, q: surrogate(r, q.detach()), "No slope reaches `log_q`"),
        (lambda r, q: surrogate(r, q).item(), "a float"),
        (lambda r, q: -((r - others(r)).detach() * q).mean(0), "one number"),
        (lambda r, q: -(((r - r.mean(0)) / r.std(0)).detach() * q).mean(), None),
        (lambda r, q: -((r.detach() - others(r)) * q).mean(), "but the baseline is not"),
        (lambda r, q: surrogate(r, q) + r.mean(), None),
        (with_baseline(lambda r: r.roll(1, 0)), "It is right for"),
        (with_baseline(lambda r: r.median(0).values), None),
        (surrogate_in_place, "in place"),
        (lambda r, q: -((r - others(r)).detach() * q.exp()).mean(), "exponentiated"),
    ],
    "best_baseline": [
        (lambda f, s: f.mean(), "average reward"),
        (lambda f, s: f.median(), "middle reward"),
        (lambda f, s: (f * s).mean() / (s**2).mean(), "weighted by the score."),
        (lambda f, s: (f * s.abs()).mean() / s.abs().mean(), "the score's size"),
        (lambda f, s: (f * s**2).mean(), "add up to one"),
        (lambda f, s: (f * s**2).sum(), "add up to one"),
        (lambda f, s: (f / s**2).sum() / (1 / s**2).sum(), "count least"),
        (lambda f, s: (f * s).mean(), "estimate of the slope"),
        (lambda f, s: f.min(), "smallest"),
        (lambda f, s: 0.0, "none"),
        (lambda f, s: f * s**2 / (s**2).mean(), "shape"),
        (lambda f, s: -best(f, s), "sign"),
        (lambda f, s: (f * s**4).mean() / (s**4).mean(), None),
        (lambda f, s: torch.cov(torch.stack([f, s**2]))[0, 1] / torch.var(s**2), None),
        (lambda f, s: best(f, s) * len(f) / (len(f) - 1), None),
        (lambda f, s: best(f, s) + f.mean(), "too large by the average reward"),
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
    ],
}
