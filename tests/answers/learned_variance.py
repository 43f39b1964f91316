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


def no_batch(c, beta, D, d, M, squares, kl, wanted):
    return hidden(c, beta, D, d, 1, squares, kl, wanted)


def no_beta(c, beta, *rest):
    return hidden(c, 1.0, *rest)


def upside_down_beta(c, beta, *rest):
    return hidden(c, 1 / beta, *rest)


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


def log_of_average(log_std, levels):
    u = ((torch.arange(2001).double() + 0.5) / 2001 - 0.5) / levels
    density = Normal(0.0, log_std.exp()[:, None]).log_prob(u).exp().mean(1)
    return -log_std - LOG_2PI / 2, density.log()


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
WRONG = {
    "likelihood": [
        (slip(log=0.5, constant=1), "in front of log σ, too"),
        (slip(log=0.5, constant=0), "in front of both"),
        (slip(half=1.0), "½ is missing"),
        (slip(half=1.0, constant=0), "½ and the constant"),
        (slip(constant=0), "constant with π is missing"),
        (slip(log=0), "log σ is missing"),
        (slip(log=0, constant=0), "log σ and the constant"),
        (slip(log=-1), "sign of log σ"),
        (slip(by=1), "divided by σ"),
        (slip(by=0), "not divided"),
        (slip(by=1, log=0.5), "log σ as log σ²"),
        (lambda x, m, s: -nll(x, m, s), "log-likelihood"),
        (lambda x, m, s: nll(x, m, s) / x[0].numel(), "averaged over the pixels"),
        (lambda x, m, s: nll(x, m, s).mean(), "averaged over the batch"),
        (lambda x, m, s: nll(x, m, s).sum(), "summed over the batch"),
        (lambda x, m, s: nll(x, m, s) - (x[0].numel() - 1) * s, "once per picture"),
        (
            lambda x, m, s: (
                F.mse_loss(m, x, reduction="none").mean((1, 2, 3)) / (2 * (2 * s).exp())
                + x[0].numel() * (s + LOG_2PI / 2)
            ),
            "squared error is a mean",
        ),
        (lambda x, m, s: nll(x, m, s.detach()), "no gradient reaches `log_std`"),
        (lambda x, m, s: nll(x, m.detach(), s), "no gradient reaches `mean`"),
        (lambda x, m, s: nll(x, m, s).float(), "float64"),
        (lambda x, m, s: -Normal(m, s.exp()).log_prob(x), "shape"),
        (lambda x, m, s: -Normal(m, s).log_prob(x).sum((1, 2, 3)), "ValueError"),
        (lambda x, m, s: nll(x, m, 0.5 * torch.log((2 * s).exp() + 1e-8)), "not where log σ is -9"),
        (lambda x, m, s: nll(x, m, s.clamp(-6, 2)), "not where log σ is -9"),
        (lambda x, m, s: nll(x, m, s).abs(), None),
        (
            lambda x, m, s: nll(x, m, s) - (x[0].numel() - 1) * LOG_2PI / 2,
            "counts once per picture",
        ),
        (nll_in_place, "in place"),
        (lambda x, m, s: nll(x, m, s) + F.mse_loss(m, x), None),
    ],
    "optimum": [
        (lambda loss, sigma, mse: 1, "right formula"),
        (lambda loss, sigma, mse: sympy.Integer(2), "for a slip"),
        (lambda loss, sigma, mse: sympy.sqrt(lowest(loss, sigma, mse)), "over the RMSE"),
        (lambda loss, sigma, mse: 1 / lowest(loss, sigma, mse), "upside down"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) * mse, "still holds"),
        (lambda loss, sigma, mse: sympy.solve(loss.diff(sigma), sigma), "one expression"),
        (lambda loss, sigma, mse: sympy.solve(loss.diff(sigma), sigma)[0] / mse, "still holds"),
        (lambda loss, sigma, mse: loss.diff(sigma), "still holds"),
        (lambda loss, sigma, mse: sympy.Integer(0), "height"),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) / 2, "half"),
        (lambda loss, sigma, mse: [lowest(loss, sigma, mse)], "one expression"),
        (
            lambda loss, sigma, mse: lowest(loss.subs(mse, 1), sigma, sympy.Integer(1)) ** 2,
            "too often",
        ),
        (lambda loss, sigma, mse: lowest(loss, sigma, mse) + 1, None),
    ],
    "best_std": [
        (lambda x, m, z: log_rmse(x, m), "posterior's mean"),
        (lambda x, m, z: 2 * log_rmse(x, z), "log σ²"),
        (lambda x, m, z: log_rmse(x, z).exp(), "This is σ."),
        (lambda x, m, z: (x - z).square().mean(), "This is σ²"),
        (lambda x, m, z: log_rmse(x, z.mean(0)), "before you square"),
        (lambda x, m, z: log_rmse(x, z[0]), "one draw"),
        (lambda x, m, z: (x - z).square().mean((2, 3, 4)).sqrt().mean().log(), "root of each"),
        (lambda x, m, z: (x - z).square().sum((2, 3, 4)).mean().sqrt().log(), "over the pixels"),
        (lambda x, m, z: (x - z).abs().mean().log(), "absolute"),
        (lambda x, m, z: (x - z).std().log(), "standard deviation"),
        (lambda x, m, z: (x - z).square().mean((0, 2, 3, 4)).log() / 2, "one for each"),
        (lambda x, m, z: log_rmse(x, z) + math.log(2) / 2, "slips"),
        (lambda x, m, z: log_rmse(m, z), "with each other"),
        (lambda x, m, z: log_rmse(x, z) + math.log(len(z)) / 2, "sum over the draws"),
        (
            lambda x, m, z: torch.stack([log_rmse(x, d) for d in z]).exp().mean().log(),
            "root of each",
        ),
        (lambda x, m, z: torch.stack([log_rmse(x, d) for d in z]).mean(), "logarithm of each"),
        (lambda x, m, z: log_rmse(x, z)[None], "shape"),
        (lambda x, m, z: 0.5 * ((x - z).square().sum() / (z.numel() - 1)).log(), None),
        (lambda x, m, z: (x - z).abs().log().mean(), None),
    ],
    "hidden_std": [
        (chapter_only, "not for"),
        (hidden_changed(std=lambda s: s**2), "σ², not σ"),
        (hidden_changed(std=lambda s: 1 / s), "1/σ"),
        (no_beta, "β is ignored"),
        (upside_down_beta, "wrong side"),
        (without(by_latents=False), "number of latents"),
        (without(by_pixels=False), "number of pixels"),
        (without(by_pixels=False, by_latents=False), "Neither"),
        (no_batch, "The batch is ignored"),
        (hidden_changed(lambda s: s / 2**0.5, lambda new, *_: new / 2), "too many"),
        (hidden_changed(lambda s: s * 2**0.5, lambda new, *_: 2 * new), "½ is missing"),
        (hidden_changed(again=lambda new, c, s, w: c * w**2 / s**2), "wrong way"),
        (hidden_changed(again=lambda new, c, s, w: c * s / w), "with the variance"),
        (hidden_changed(again=lambda new, c, s, w: new / c), "factor by which"),
        (lambda *case: hidden(*case)[::-1], "order"),
        (lambda *case: hidden(*case)[0], "shape"),
        (lambda c, b, D, d, M, s, k, w: hidden(c, b, D, d, M, k, s, w), "It is right for"),
        (
            lambda *case: hidden(*case[:5], *("sum" if w == "example" else w for w in case[5:])),
            "It is right for",
        ),
    ],
    "weighted_loss": [
        (elbo_slip(beta_in_squares=False), "not divided by its β"),
        (elbo_slip(beta_in_squares=False, beta_in_kl=True), "still in front of the KL"),
        (lambda mse, kl, c, b, D: -c * mse - b * kl, "minus the loss"),
        (elbo_slip(beta_in_kl=True), "still weighted"),
        (elbo_slip(log=0, constant=0), "constants are missing"),
        (elbo_slip(log=0), "log σ is missing"),
        (elbo_slip(constant=0), "constant with π"),
        (elbo_slip(log=2), "log σ²"),
        (elbo_slip(log=-1), "sign of log σ"),
        (elbo_slip(beta_in_std=False), "forgets β."),
        (elbo_slip(beta_in_std=False, beta_in_squares=False), "so do the squares"),
        (lambda *case: -elbo(*case), "minus the ELBO"),
        (lambda mse, kl, *rest: elbo(mse, -kl, *rest), "KL has the wrong sign"),
        (lambda mse, kl, *rest: elbo(mse, 0 * kl, *rest), "reconstruction term alone"),
        (lambda *case: elbo(*case).mean(), "averaged over the batch"),
        (lambda *case: elbo(*case) / case[-1], "per pixel"),
        (lambda mse, kl, c, b, D: elbo(mse.sqrt(), kl, c, b, D), None),
        (lambda mse, kl, c, b, D: elbo(mse, kl.mean() + 0 * kl, c, b, D), "It is right for"),
        (lambda mse, kl, c, b, D: -D / 2 * torch.log(2 * math.pi * math.e * mse) - kl, None),
    ],
    "floor": [
        (floor_nan, "NaN"),
        (lambda x: floor(x) / x[0].numel(), "averaged over the pixels"),
        (lambda x: floor(x).mean(), "averaged over the batch"),
        (lambda x: floor(x) / math.log(2), "bits"),
        (lambda x: -torch.xlogy(x, x).sum((1, 2, 3)), "partly black"),
        (lambda x: -floor(x), "sign"),
        (
            lambda x: F.binary_cross_entropy_with_logits(x, x, reduction="none").sum((1, 2, 3)),
            "as logits",
        ),
        (lambda x: torch.zeros(len(x)).double(), "no floor"),
        (lambda x: torch.full((len(x),), x[0].numel() * math.log(2)).double(), "even guess"),
        (lambda x: (x * (1 - x)).sum((1, 2, 3)), "variance"),
        (lambda x: F.binary_cross_entropy(x, x, reduction="none"), "each pixel"),
        (lambda x: floor(x.clamp(0.05, 0.95)), None),
        (lambda x: floor(x.clamp(1e-4, 1 - 1e-4)), None),
        (lambda x: -(x * x.log()).nan_to_num().sum((1, 2, 3)), "partly black"),
        (lambda x: floor(x.round()), "no floor"),
        (lambda x: floor(x[:, :1]), "It is right for"),
        (lambda x: floor(x).float(), "float64"),
    ],
    "constant_pixel": [
        (earned_slip(constant=0), "constant with π"),
        (earned_slip(half=1), "½ in front of the squares"),
        (earned_slip(spread=1), "width is no variance"),
        (earned_slip(spread=1 / 3), "lower edge"),
        (earned_slip(by=1), "square is divided by σ"),
        (earned_slip(by=0), "not divided by σ²"),
        (earned_slip(power=1), "square of the noise's width"),
        (earned_slip(spread=0), "changes nothing"),
        (earned_slip(half=-0.5), "errors cost"),
        (earned_slip(spread=12**-0.5, power=1), "standard deviation where"),
        (lambda s, n: (s - LOG_2PI / 2, earned(s, n)[1] + 2 * s), "sign of log σ"),
        (lambda s, n: earned(s, n)[::-1], "order"),
        (lambda s, n: tuple(part.exp() for part in earned(s, n)), "densities"),
        (lambda s, n: earned(s, n - 1), "one level fewer"),
        (lambda s, n: earned(s, n)[0], "shape"),
        (earned_slip(spread=1 / 4), "half the noise's width"),
        (lambda s, n: (earned(s, n)[0], earned(s, 256)[1]), "always 256 levels"),
        (log_of_average, "average the density"),
        (lambda s, n: tuple(part.mean() for part in earned(s, n)), "averaged over the batch"),
        (lambda s, n: (earned(s, n)[0], 0 * s + math.log(n * (6 / math.pi / math.e) ** 0.5)), None),
    ],
}
