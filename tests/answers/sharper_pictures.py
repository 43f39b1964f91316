"""Answers to the exercises of chapter 12, right in different styles, and wrong in known ways."""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Independent, Normal, kl_divergence


def parts(weights, features, of_average):
    mean = weights @ features
    spread = weights @ features.square().sum(1) - mean.square().sum(1)
    return spread, (mean - of_average).square().sum(1)


def parts_around_the_mean(weights, features, of_average):
    mean = (weights[:, :, None] * features).sum(1)  # (M, F)
    off = (features - mean[:, None]).square()  # (M, N, F)
    return (weights[:, :, None] * off).sum((1, 2)), F.mse_loss(
        mean, of_average, reduction="none"
    ).sum(1)


def parts_by_loops(weights, features, of_average):
    spreads, gaps = [], []
    for w, average in zip(weights, of_average, strict=True):
        mean = sum(share * f for share, f in zip(w, features, strict=True))
        spreads.append(
            sum(share * ((f - mean) ** 2).sum() for share, f in zip(w, features, strict=True))
        )
        gaps.append(((mean - average) ** 2).sum())
    return torch.stack(spreads), torch.stack(gaps)


def straight_through(y, levels):
    half = (levels - 1) / 2
    smooth = half * y.tanh()
    return (smooth + (smooth.round() - smooth).detach()) / half


def straight_after_division(y, levels):
    half = (levels - 1) / 2
    smooth = torch.tanh(y)
    return smooth + ((half * smooth).round() / half - smooth).detach()


def straight_by_adding_zero(y, levels):
    half = (levels - 1) / 2
    with torch.no_grad():
        code = torch.round(half * torch.tanh(y)) / half
    slope = torch.tanh(y)
    return code + slope - slope.detach()


def odds_of(codes, levels):
    counts = F.one_hot(codes, levels).double().sum(0)
    return (counts + 1) / (len(codes) + levels)  # (d, levels)


def nats(codes, new, levels):
    return -odds_of(codes, levels).log().gather(1, new.T).sum(0)


def nats_by_categorical(codes, new, levels):
    return -Categorical(probs=odds_of(codes, levels)).log_prob(new).sum(1)


def nats_by_loops(codes, new, levels):
    cost = torch.zeros(len(new), dtype=torch.float64)
    for j in range(new.shape[1]):
        often = codes[:, j].bincount(minlength=levels) + 1
        for i, level in enumerate(new[:, j].tolist()):
            cost[i] -= math.log(often[level] / often.sum())
    return cost


def nats_in_place(codes, new, levels):
    new *= 1
    return nats(codes, new, levels)


def by_hand(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std):
    top = 0.5 * ((2 * log_std2).exp() + mean2**2 - 1) - log_std2
    var, prior_var = (2 * log_std1).exp(), (2 * prior_log_std).exp()
    low = 0.5 * ((var + (mean1 - prior_mean) ** 2) / prior_var - 1) + prior_log_std - log_std1
    return top.sum(1), low.sum(1)


def by_distributions(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std):
    def normal(mean, log_std):
        return Independent(Normal(mean, log_std.exp()), 1)

    nothing = torch.zeros_like(mean2)
    return (
        kl_divergence(normal(mean2, log_std2), normal(nothing, nothing)),
        kl_divergence(normal(mean1, log_std1), normal(prior_mean, prior_log_std)),
    )


def by_moving(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std):
    """The lower level in units of its prior: then that is N(0, I)."""

    def standard(mean, log_std):
        return (0.5 * (torch.expm1(2 * log_std) + mean.square()) - log_std).sum(1)

    scale = torch.exp(-prior_log_std)
    low = standard((mean1 - prior_mean) * scale, log_std1 - prior_log_std)
    return standard(mean2, log_std2), low


def by_draws(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std):
    q = Normal(mean1, log_std1.exp())
    z = q.sample((20_000,))
    p = Normal(prior_mean, prior_log_std.exp())
    low = (q.log_prob(z) - p.log_prob(z)).mean(0).sum(1)
    return by_hand(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std)[0], low


def by_places(pixels, each, window):
    place = torch.arange(pixels).repeat_interleave(each)
    back = place[:, None] - torch.arange(pixels)
    return (back > 0) & (back <= window)


def by_triangles(pixels, each, window):
    ones = torch.ones(pixels, pixels, dtype=torch.float64)
    band = ones.tril(-1) - ones.tril(-1 - window)
    return band.repeat_interleave(each, dim=0)


def by_filling(pixels, each, window):
    allowed = torch.zeros(pixels * each, pixels)
    for row in range(pixels * each):
        pixel = row // each
        allowed[row, max(pixel - window, 0) : pixel] = 1
    return allowed


RIGHT = {
    "spread_and_gap": [parts, parts_around_the_mean, parts_by_loops],
    "quantize": [straight_through, straight_after_division, straight_by_adding_zero],
    "rate": [nats, nats_by_categorical, nats_by_loops],
    "two_levels": [by_hand, by_distributions, by_moving],
    "mask": [by_places, by_triangles, by_filling],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "spread_and_gap": [
        (lambda w, f, a: parts(w, f, a)[0], "shape"),
        (lambda w, f, a: parts(w, f, w @ f), None),
        (lambda w, f, a: tuple(part.mean() for part in parts(w, f, a)), None),
    ],
    "quantize": [
        (lambda y, levels: y.round(), None),
        (lambda y, levels: straight_through(y, levels + 2), None),
        (lambda y, levels: straight_through(y, levels)[0], "shape"),
    ],
    "rate": [
        (lambda c, n, levels: nats(c, n, levels).sum(), "summed over the batch"),
        (lambda c, n, levels: nats(n, c[: len(n)], levels), None),
        (lambda c, n, levels: nats(c, n, levels) / math.log(2) / n.shape[1], "two slips"),
        (lambda c, n, levels: nats(c, n, levels).float(), "float64"),
    ],
    "two_levels": [
        (by_draws, "draws"),
        (lambda *p: sum(by_hand(*p)), "shape"),
        (lambda *p: tuple(kl.mean() for kl in by_hand(*p)), "averaged over the batch"),
        (lambda *p: by_hand(*p[:4], *p[2:4]), None),
    ],
    "mask": [
        (lambda pixels, each, window: by_places(pixels, 1, window), "shape"),
        (lambda pixels, each, window: ~by_places(pixels, each, window + 1), "two slips"),
        (lambda pixels, each, window: by_filling(pixels, each, 2), None),
    ],
}
