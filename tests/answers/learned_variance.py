"""Answers to the exercises of chapter 6, right in different styles, and wrong in known ways."""

import math
from functools import cache

import sympy
import torch
import torch.nn.functional as F
from torch.distributions import Bernoulli, Independent, Normal

LOG_2PI = math.log(2 * math.pi)


def nll(x, mean, log_std):
    return -Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))


def nll_independent(x, mean, log_std):
    std = log_std.exp().expand_as(mean)
    return -Independent(Normal(mean, std), 3).log_prob(x)


def nll_by_loss(x, mean, log_std):
    variance = torch.exp(2 * log_std).expand_as(x)
    return F.gaussian_nll_loss(mean, x, variance, full=True, eps=0, reduction="none").sum((1, 2, 3))


def nll_loops(x, mean, log_std):
    totals = []
    for picture, painted in zip(x, mean, strict=True):
        total = 0
        for a, b in zip(picture.flatten(), painted.flatten(), strict=True):
            total = total + (a - b) ** 2 / (2 * torch.exp(log_std) ** 2) + log_std + LOG_2PI / 2
        totals.append(total)
    return torch.stack(totals)


def nll_by_sse(x, mean, log_std, *, half=0.5, by=2, log=1.0, constant=1.0):
    pixels = x[0].numel()
    sse = ((x - mean) ** 2).flatten(1).sum(1)
    return half * sse / log_std.exp() ** by + pixels * (log * log_std + constant * LOG_2PI / 2)


def nll_in_place(x, mean, log_std):
    x -= mean
    return nll(x, 0 * x, log_std)


def slip(**how):
    return lambda x, m, s: nll_by_sse(x, m, s, **how)


@cache  # SymPy takes its time
def lowest(loss, sigma, mse):
    return sympy.solve(sympy.diff(loss, sigma), sigma)[0] ** 2 / mse


def lowest_in_variance(loss, sigma, mse):
    v = sympy.Symbol("v", positive=True)
    (best,) = sympy.solve(loss.subs(sigma, sympy.sqrt(v)).diff(v), v)
    return float(best / mse)


def lowest_by_coefficients(loss, sigma, mse):
    terms = sympy.expand(loss)
    return 2 * terms.coeff(mse / sigma**2) / terms.coeff(sympy.log(sigma))


def log_rmse(x, made):
    return (x - made).square().mean().sqrt().log()


def log_rmse_loops(x, from_means, from_draws):
    squares = [(draw - x).pow(2).flatten() for draw in from_draws]
    return 0.5 * math.log(torch.cat(squares).mean())


def log_std_by_newton(x, from_means, from_draws):
    s = torch.zeros((), dtype=x.dtype, requires_grad=True)
    for _ in range(60):
        loss = -Normal(from_draws, s.exp()).log_prob(x).mean()
        (slope,) = torch.autograd.grad(loss, s, create_graph=True)
        (bend,) = torch.autograd.grad(slope, s)
        s = (s - (slope / bend).clamp(-1, 1)).detach().requires_grad_()
    return s.detach()


def hidden(
    c, beta, pixels, latents, batch, squares, kl, wanted, *, by_pixels=True, by_latents=True
):
    def share(how, n):
        return {"mean": 1 / (n * batch), "sum": 1.0, "example": 1 / batch}[how]

    of_squares, of_kl = share(squares, pixels if by_pixels else 1), share(kl, latents)
    of_kl = of_kl if by_latents else share(kl, 1)
    variance = beta * of_kl / (2 * c * of_squares)
    return math.sqrt(variance), c * variance / wanted**2


def hidden_twice(c, beta, pixels, latents, batch, squares, kl, wanted):
    std = hidden(c, beta, pixels, latents, batch, squares, kl, 1.0)[0]
    unit = hidden(1, beta, pixels, latents, batch, squares, kl, 1.0)[0]
    return torch.tensor(std), torch.tensor((unit / wanted) ** 2)


def hidden_by_counts(c, beta, pixels, latents, batch, squares, kl, wanted):
    scale = 1.0
    if squares == "mean":
        scale *= pixels * batch
    elif squares == "example":
        scale *= batch
    if kl == "mean":
        scale /= latents * batch
    elif kl == "example":
        scale /= batch
    needed = beta * scale / 2
    return (needed / c) ** 0.5, needed / wanted**2


def chapter_only(c, beta, pixels, latents, batch, squares, kl, wanted):
    return math.sqrt(beta * pixels / (2 * c)), beta * pixels / (2 * wanted**2)


def hidden_changed(std=lambda s: s, again=lambda new, c, s, w: new):
    def changed(c, beta, D, d, M, squares, kl, wanted):
        s, new = hidden(c, beta, D, d, M, squares, kl, wanted)
        return std(s), again(new, c, s, wanted)

    return changed


def without(**how):
    return lambda *case: hidden(*case, **how)


def no_half_no_beta(c, beta, *rest):
    variance = 2 * hidden(c, 1.0, *rest)[0] ** 2
    return math.sqrt(variance), c * variance / rest[-1] ** 2


def elbo(mse, kl, c, beta, pixels):
    std = math.sqrt(beta * pixels / (2 * c))
    return -pixels * (mse / (2 * std**2) + math.log(std) + 0.5 * LOG_2PI) - kl


def elbo_from_loss(mse, kl, c, beta, pixels):
    constants = 0.5 * pixels * math.log(math.pi * beta * pixels / c)
    return -(c * mse + beta * kl) / beta - constants


def elbo_distributions(mse, kl, c, beta, pixels):
    likelihood = Normal(0.0, (beta * pixels / 2 / c) ** 0.5)
    return torch.stack(
        [pixels * likelihood.log_prob(m.sqrt()) - k for m, k in zip(mse, kl, strict=True)]
    )


def elbo_slip(*, beta_in_std=True, beta_in_squares=True, beta_in_kl=False, log=1, constant=1):
    def slipped(mse, kl, c, beta, pixels):
        variance = (beta if beta_in_std else 1) * pixels / (2 * c)
        squares = c * mse / (beta if beta_in_squares else 1)
        constants = pixels / 2 * (log * math.log(variance) + constant * LOG_2PI)
        return -squares - constants - (beta if beta_in_kl else 1) * kl

    return slipped


def in_log(change):
    """The ELBO with `change(log σ)` for log σ."""

    def slipped(mse, kl, c, beta, pixels):
        log_std = 0.5 * math.log(beta * pixels / (2 * c))
        return elbo(mse, kl, c, beta, pixels) + pixels * (log_std - change(log_std))

    return slipped


def floor(x):
    return F.binary_cross_entropy(x, x, reduction="none").sum((1, 2, 3))


def floor_loops(x):
    def nats(p):
        return 0.0 if p in (0.0, 1.0) else -p * math.log(p) - (1 - p) * math.log(1 - p)

    return torch.tensor([sum(map(nats, picture.flatten().tolist())) for picture in x]).double()


def floor_distributions(x):
    return Independent(Bernoulli(x), 3).entropy()


def floor_by_trying(x):
    p = torch.linspace(0, 1, 100_001, dtype=x.dtype)
    pixels = x.flatten()[:, None]
    best = (-torch.xlogy(pixels, p) - torch.xlogy(1 - pixels, 1 - p)).amin(1)
    return best.reshape(len(x), -1).sum(1)


def floor_nan(x):
    return -(x * x.log() + (1 - x) * (1 - x).log()).sum((1, 2, 3))


def earned(log_std, levels):
    without = -log_std - LOG_2PI / 2
    return without, without - (-2 * log_std).exp() / (24 * levels**2)


def earned_distributions(log_std, levels):
    std, zero = log_std.exp(), torch.zeros_like(log_std)
    u = (torch.arange(5001).double() + 0.5) / 5001 / levels
    middle = 1 / (2 * levels)
    dithered = torch.stack([Normal(middle, s).log_prob(u).mean() for s in std])
    return Normal(zero, std).log_prob(zero), dithered


def earned_loops(log_std, levels):
    pairs = []
    for s in log_std.tolist():
        clean = math.log(1 / (math.exp(s) * math.sqrt(2 * math.pi)))
        pairs.append((clean, clean - 1 / 12 / (levels * math.exp(s)) ** 2 / 2))
    first, second = zip(*pairs, strict=True)
    return torch.tensor(first).double(), torch.tensor(second).double()


def earned_slip(*, spread=1 / 12, by=2, half=0.5, constant=1.0, power=2):
    def slipped(log_std, levels):
        without = -log_std - constant * LOG_2PI / 2
        return without, without - half * spread / levels**power / log_std.exp() ** by

    return slipped


RIGHT = {
    "likelihood": [nll, nll_by_loss, nll_independent, nll_loops, nll_by_sse],
    "optimum": [lowest, lowest_in_variance, lowest_by_coefficients],
    "best_std": [
        lambda x, m, z: log_rmse(x, z),
        lambda x, m, z: float(log_rmse(x, z)),
        log_rmse_loops,
        log_std_by_newton,
    ],
    "hidden_std": [hidden, lambda *case: list(hidden(*case)), hidden_twice, hidden_by_counts],
    "weighted_loss": [elbo, elbo_from_loss, elbo_distributions],
    "floor": [
        floor,
        lambda x: floor(x.clamp(1e-9, 1 - 1e-9)),
        floor_loops,
        floor_distributions,
        floor_by_trying,
    ],
    "constant_pixel": [
        earned,
        lambda *case: list(earned(*case)),
        earned_distributions,
        earned_loops,
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
BOTH = "There are two slips in it"
WRONG = {
    "likelihood": [
        (slip(log=0.5, constant=0), BOTH),
        (slip(half=1.0, constant=0), BOTH),
        (slip(log=0, constant=0), BOTH),
        (lambda x, m, s: nll(x, m, s).mean(), "averaged over the batch"),
        (lambda x, m, s: nll(x, m, s).sum(), "summed over the batch"),
        (lambda x, m, s: nll(x, m, s.detach()), "no gradient reaches `log_std`"),
        (lambda x, m, s: nll(x, m.detach(), s), "no gradient reaches `mean`"),
        (lambda x, m, s: nll(x, m, s).float(), "float64"),
        (lambda x, m, s: -Normal(m, s.exp()).log_prob(x), "shape"),
        (lambda x, m, s: -Normal(m, s).log_prob(x).sum((1, 2, 3)), "ValueError"),
        (lambda x, m, s: nll(x, m, 0.5 * torch.log((2 * s).exp() + 1e-8)), "not where log σ is -9"),
        (lambda x, m, s: nll(x, m, s.clamp(-6, 2)), "not where log σ is -9"),
        (lambda x, m, s: nll(x, m, s).abs(), None),
        (nll_in_place, "in place"),
        (lambda x, m, s: nll(x, m, s) + F.mse_loss(m, x), None),
        (lambda x, m, s: nll(x, m, s.clamp(-9, 4)), "not where log σ is -9 or -20"),
        (lambda x, m, s: nll(x, m, torch.log(s.exp() + 1e-8)), "not where log σ is -9 or -20"),
        (lambda x, m, s: nll(x, m.clamp(0, 1), s), None),
        (lambda x, m, s: nll(x, x + (m - x).clamp(-1, 1), s), None),
        (lambda x, m, s: nll(x[:, :1], m[:, :1], s), "It is right for"),
        (lambda x, m, s: nll_by_sse(x, m, s, log=0, constant=0) + s, BOTH),
        (lambda x, m, s: nll_by_sse(x, m, s, by=1, log=0), BOTH),
        (lambda x, m, s: -nll_by_sse(x, m, s, constant=0), BOTH),
        (lambda x, m, s: nll_by_sse(x, m, s, log=0.5) / x[0].numel(), BOTH),
        (
            lambda x, m, s: nll(x, m, s.detach()) + x[0].numel() * (s - s.detach()),
            "the gradient in",
        ),
    ],
    "optimum": [
        (lambda loss, sigma, mse: 1, "right formula"),
        (lambda loss, sigma, mse: sympy.Integer(2), "for a slip"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) * mse, "not yet divided"),
        (lambda loss, sigma, mse: sympy.solve(loss.diff(sigma), sigma), "one expression"),
        (lambda loss, sigma, mse: sympy.solve(loss.diff(sigma), sigma)[0] / mse, "not squared"),
        (lambda loss, sigma, mse: loss.diff(sigma), "derivative itself"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) / 2, "half"),
        (lambda loss, sigma, mse: [lowest(loss, sigma, mse)], "one expression"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) + 1, None),
        (lambda loss, sigma, mse: sympy.solve(loss, sigma)[0] ** 2 / mse, "its *slope* is 0"),
        (lambda loss, sigma, mse: sympy.solve(loss, sigma)[0], "its *slope* is 0"),
        (lambda loss, sigma, mse: 1 / sympy.sqrt(lowest(loss, sigma, mse)), BOTH),
        (lambda loss, sigma, mse: 2 * lowest(loss, sigma, mse) ** 2, BOTH),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) + mse, "still holds"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) + sympy.Symbol("a"), "of its own, a"),
        (lambda loss, sigma, mse: "σ", "of its own, σ"),
    ],
    "best_std": [
        (lambda x, m, z: log_rmse(x, z)[None], "shape"),
        (lambda x, m, z: ((x - z).square().mean() + 1e-8).log() / 2, "near 0.001"),
        (lambda x, m, z: log_rmse(x, z).clamp(min=-5), "near 0.001"),
        (lambda x, m, z: log_rmse(x, z).clamp(min=-1.6), "right for"),
        (lambda x, m, z: 2 * log_rmse(x, m), BOTH),
        (lambda x, m, z: log_rmse(x, z.mean(0)).exp(), BOTH),
        (lambda x, m, z: log_rmse(x, z[0]) + math.log(2) / 2, BOTH),
        (lambda x, m, z: log_rmse(x, z[..., :1]), None),
        (lambda x, m, z: log_rmse(x[:, :1], z[:, :, :1]), None),
    ],
    "hidden_std": [
        (chapter_only, "chapter's case"),
        (lambda *case: hidden(*case)[0], "shape"),
        (hidden_changed(lambda s: s**2, lambda new, c, s, w: new / c), BOTH),
        (no_half_no_beta, BOTH),
        (lambda c, b, D, d, M, *rest: hidden(c, b, D, d, 1, *rest, by_latents=False), BOTH),
        (hidden_changed(std=lambda s: min(s, 1.0)), None),
        (hidden_changed(again=lambda new, c, s, w: new * w), None),
        (lambda c, b, *rest: hidden(c, max(b, 1.0), *rest), None),
        (lambda *case: hidden(*case[:-1], min(case[-1], 1.0)), None),
    ],
    "weighted_loss": [
        (lambda *case: elbo(*case).mean(), "averaged over the batch"),
        (lambda mse, kl, c, b, D: elbo_slip(constant=0)(mse / D, kl, c, b, D), BOTH),
        (lambda mse, kl, c, b, D: -elbo_slip(log=2)(mse, kl, c, b, D), BOTH),
        (elbo_slip(beta_in_std=False, beta_in_squares=False, constant=0), BOTH),
        (lambda mse, kl, c, b, D: elbo_slip(beta_in_kl=True, log=0)(mse, kl, c, b, D), BOTH),
        (in_log(abs), "right for"),
        (lambda *case: elbo(*case).clamp(max=0), "right for"),
        (lambda mse, kl, *rest: elbo(mse.clamp(max=1), kl, *rest), "right for"),
        (lambda mse, kl, c, b, D: elbo(mse, kl, c, max(b, 1.0), D), None),
    ],
    "floor": [
        (floor_nan, "NaN"),
        (lambda x: floor(x).mean(), "averaged over the batch"),
        (lambda x: -floor(x), "sign"),
        (lambda x: floor(x.clamp(0.05, 0.95)), None),
        (lambda x: floor(x.clamp(1e-4, 1 - 1e-4)), None),
        (lambda x: floor(x.round()), "no floor"),
        (lambda x: floor(x).float(), "float64"),
        (lambda x: floor(x.clamp(1e-6, 1 - 1e-6)), "exactly 0 or 1"),
        (lambda x: floor(x.clamp(0.01, 0.99)), "exactly 0 or 1"),
        (lambda x: -(x * (x + 1e-4).log() + (1 - x) * (1 - x + 1e-4).log()).sum((1, 2, 3)), None),
        (lambda x: floor(x).clamp(min=1e-3), "exactly 0 or 1"),
        (lambda x: floor(x) / x[0].numel() / math.log(2), BOTH),
        (lambda x: torch.xlogy(x, x).sum((1, 2, 3)) / math.log(2), None),
        (lambda x: -floor(x) / math.log(2), BOTH),
    ],
    "constant_pixel": [
        (lambda s, n: earned(s, n)[0], "shape"),
        (lambda s, n: tuple(part.mean() for part in earned(s, n)), "averaged over the batch"),
        (lambda s, n: (earned(s, n)[0], 0 * s + math.log(n * (6 / math.pi / math.e) ** 0.5)), None),
        (lambda s, n: earned(-s.abs(), n), "right for"),
        (lambda s, n: earned(s.clamp(-6, 2), n), "right for"),
        (lambda s, n: earned((s.exp() + 1e-6).log(), n), None),
        (lambda s, n: (-s, earned_slip(constant=0, half=1)(s, n)[1]), BOTH),
        (lambda s, n: tuple(-part for part in earned_slip(constant=0)(s, n)), BOTH),
        (lambda s, n: earned_slip(spread=1, half=1)(s, n), BOTH),
    ],
}
