"""Answers to the exercises on questions people ask, right in many styles, and wrong ones."""

import math
import statistics

import torch
import torch.nn.functional as F
from torch.distributions import (
    AffineTransform,
    Normal,
    TransformedDistribution,
    Uniform,
    kl_divergence,
)


def walk(start, end, t, safe=True):
    cosine = F.cosine_similarity(start, end, dim=1)[:, None]
    angle = torch.acos(cosine.clamp(-1 + 1e-9, 1 - 1e-9) if safe else cosine)
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)


def walk_loops(start, end, t):
    rows = []
    for a, b in zip(start, end, strict=True):
        cosine = (a @ b / a.norm() / b.norm()).item()
        angle = math.acos(max(-1, min(1, cosine)))
        if angle < 1e-6:
            rows.append(a + t * (b - a))
        else:
            first, last = math.sin((1 - t) * angle), math.sin(t * angle)
            rows.append((first * a + last * b) / math.sin(angle))
    return torch.stack(rows)


def walk_with_threshold(start, end, t):
    """As in a function that has been copied very often."""
    cosine = (F.normalize(start, dim=1) * F.normalize(end, dim=1)).sum(1, keepdim=True)
    angle = torch.arccos(cosine.clamp(-1, 1))
    curve = torch.sin(angle - t * angle) / torch.sin(angle) * start
    curve = curve + torch.sin(t * angle) / torch.sin(angle) * end
    return torch.where(cosine > 0.9995, torch.lerp(start, end, t), curve)


def walk_half_angles(start, end, t):
    """The angle from lengths, which is accurate for small ones."""
    a, b = F.normalize(start, dim=1), F.normalize(end, dim=1)
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))[:, None]
    flat = angle < 1e-7
    bottom = torch.sin(angle) + flat
    first = torch.where(flat, 1 - t, torch.sin((1 - t) * angle) / bottom)
    return first * start + torch.where(flat, t, torch.sin(t * angle) / bottom) * end


def line(start, end, t):
    return start + t * (end - start)


def straightened(angle):
    def answer(a, b, t):
        omega = angle(a, b)
        return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)

    return answer


def stretched(a, b, t):
    return F.normalize(line(a, b, t), dim=1) * line(
        a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True), t
    )


def report(elbo):
    values = elbo.mean(0)
    return values.mean(), values.std() / len(values) ** 0.5


def report_loops(elbo):
    values = [sum(column) / len(column) for column in elbo.T.tolist()]
    mean = sum(values) / len(values)
    square = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(square / len(values))


def report_statistics(elbo):
    values = elbo.mean(0).tolist()
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


def report_numpy(elbo):
    values = elbo.numpy().mean(axis=0)
    return values.mean(), values.std() / math.sqrt(len(values) - 1)


def bits(elbo, shape, scale):
    size = math.prod(shape)
    return (math.log(scale) - elbo / size) / math.log(2)


def bits_loops(elbo, shape, scale):
    size = 1
    for side in shape:
        size *= side
    found = [math.log2(scale) - nats / size * math.log2(math.e) for nats in elbo.tolist()]
    return torch.tensor(found, dtype=elbo.dtype)


def bits_distributions(elbo, shape, scale):
    """One pixel, with a flat density of the same height, stretched."""
    height = (elbo / math.prod(shape)).exp()
    flat = Uniform(torch.zeros_like(height), 1 / height)
    stretched = TransformedDistribution(flat, AffineTransform(0.0, scale))
    return -stretched.log_prob(scale / (2 * height)) / math.log(2)


def mix_up(bob, alice, log_std):
    return torch.special.ndtr(-((alice - bob) / log_std.exp()).norm(dim=1) / 2)


def mix_up_loops(bob, alice, log_std):
    chances = []
    for b, a, s in zip(bob, alice, log_std.exp(), strict=True):
        square = sum(((a[j] - b[j]) / s[j]).item() ** 2 for j in range(len(b)))
        chances.append((1 + math.erf(-math.sqrt(square) / 2 / math.sqrt(2))) / 2)
    return torch.tensor(chances, dtype=bob.dtype)


def mix_up_distributions(bob, alice, log_std):
    kl = kl_divergence(Normal(bob, log_std.exp()), Normal(alice, log_std.exp())).sum(1)
    return Normal(kl, (2 * kl).sqrt()).cdf(torch.zeros_like(kl))


def mix_up_by_draws(bob, alice, log_std):
    """Close only."""
    q_bob, q_alice = Normal(bob, log_std.exp()), Normal(alice, log_std.exp())
    z = q_bob.sample((4000,))
    return (q_alice.log_prob(z).sum(-1) > q_bob.log_prob(z).sum(-1)).to(bob).mean(0)


def mix_up_turned(bob, alice, log_std):
    return Normal(0.0, 1.0).cdf(-(((bob - alice) / log_std.exp()) ** 2).sum(-1).sqrt() / 2)


def apart(b, a, s):
    return (a - b) / s.exp()


def cdf(u):
    return torch.special.ndtr(-u)


def behind(weight, shape, averaged):
    return math.sqrt(weight * (math.prod(shape) if averaged else 1) / 2)


def behind_loops(weight, shape, averaged):
    size = 1
    for side in shape if averaged else ():
        size = size * side
    return (0.5 * weight * size) ** 0.5


def behind_by_distributions(weight, shape, averaged):
    """A Gaussian of width 1 has half the squared error; the rest is in the weight."""
    x = torch.full(shape, 2.0).double()
    home_made = (x**2).mean() if averaged else (x**2).sum()
    nll = Normal(torch.zeros_like(x), 1.0).log_prob(0 * x) - Normal(0 * x, 1.0).log_prob(x)
    return (nll.sum() * weight / home_made).sqrt()


def doubled(loss, x, y, copies=((2, 1, 1, 1), (1, 1, 1, 2)), test=lambda n, o: n / o > 1.5):
    found = [test(loss(x.repeat(c), y.repeat(c)), loss(x, y)) for c in copies]
    return tuple("sum" if larger else "mean" for larger in found)


def doubled_by_cat(loss, x, y):
    old = float(loss(x, y))
    words = []
    for dim in (0, 1):  # channels are pixels, too
        new = float(loss(torch.cat([x, x], dim), torch.cat([y, y], dim)))
        words.append("mean" if abs(new - old) < 0.1 * abs(old) else "sum")
    return words


def doubled_by_isclose(loss, x, y):
    return doubled(loss, x, y, test=lambda n, o: not math.isclose(n, o))


def halves(loss, x, y, first=None):
    """The whole against a part, which has other errors."""
    n, h = first or (len(x) + 1) // 2, first or (x.shape[2] + 1) // 2
    parts = (x[:n], y[:n]), (x[:, :, :h], y[:, :, :h])
    return tuple("sum" if loss(x, y) / loss(*part) > 1.5 else "mean" for part in parts)


def halved(loss, x, y):
    """Take things away: one picture, shown alone and three times."""
    one = x[:1], y[:1]
    three = loss(*(part.expand(3, -1, -1, -1) for part in one)) / loss(*one)
    wide = loss(*(part.repeat_interleave(3, 3) for part in one)) / loss(*one)
    return ["mean" if ratio < 2 else "sum" for ratio in (three, wide)]


def turned(make, after=None):
    def answer(decode, latent_dim):
        matrix = make(latent_dim)
        return lambda z: (after or (lambda p: p))(decode(z @ matrix.to(z)))

    return answer


def cosines(d):
    """Rows of the discrete cosine transform."""
    k, n = torch.arange(d).double()[:, None], torch.arange(d).double()
    rows = torch.cos(math.pi * (n + 0.5) * k / d) * math.sqrt(2 / d)
    return torch.cat([rows[:1] / math.sqrt(2), rows[1:]])


def pairwise(d):
    """45 degrees in the plane of each two neighbours."""
    turn, root = torch.eye(d).double(), math.sqrt(0.5)
    for j in range(d - 1):
        step = torch.eye(d).double()
        step[j : j + 2, j : j + 2] = torch.tensor([[root, root], [-root, root]])
        turn = turn @ step
    return turn


def by_chance(d):
    while True:
        turn = torch.linalg.qr(torch.randn(d, d).double()).Q
        if turn.abs().max() < 0.98:
            return turn


def by_exponential(d):
    tilt = torch.triu(torch.ones(d, d).double(), 1) * math.pi / (2 * d)
    return torch.matrix_exp(tilt - tilt.T)


def whirl(decode, latent_dim):
    """Not linear: turns by an angle that depends on the length, which does not change."""

    def new(z):
        angle = math.pi / 4 - 0.2 + 0.1 * z.norm(dim=1, keepdim=True)
        z = z @ cosines(latent_dim) if latent_dim > 2 else z
        a, b = z[:, :1], z[:, 1:2]
        spun = [angle.cos() * a - angle.sin() * b, angle.sin() * a + angle.cos() * b, z[:, 2:]]
        return decode(torch.cat(spun, 1))

    return new


def one_size(decode, latent_dim):
    """Each latent is N(0, 1), and none are correlated. But all have the same size."""

    def new(z):
        z = z @ cosines(latent_dim).to(z)
        return decode(torch.cat([z[:, :1], z[:, 1:].sign() * z[:, :1].abs()], 1))

    return new


def first_two(d):
    turn = torch.eye(d).double()
    turn[:2, :2] = cosines(2)
    return turn


def slightly(d):
    tilt = torch.triu(torch.full((d, d), 0.05).double(), 1)
    return torch.matrix_exp(tilt - tilt.T)


def skewed(d):
    return torch.linalg.cholesky(0.5 * torch.eye(d) + 0.5).double()


RIGHT = {
    "great_circle": [walk_loops, walk, walk_with_threshold, walk_half_angles],
    "report": [report, report_loops, report_statistics, report_numpy],
    "bits_per_dimension": [bits, bits_loops, bits_distributions],
    "mix_up": [mix_up, mix_up_loops, mix_up_distributions, mix_up_turned],
    "std_of_weight": [behind, behind_loops, behind_by_distributions],
    "reductions": [doubled, doubled_by_cat, halved, doubled_by_isclose],
    "disguise": [
        turned(cosines),
        turned(pairwise),
        turned(by_chance),
        turned(by_exponential),
        whirl,
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "great_circle": [
        (lambda a, b, t: walk(a, b, t, safe=False), "0 is divided by 0"),
        (straightened(lambda a, b: torch.acos((a * b).sum(1, keepdim=True))), "NaN"),
        (
            straightened(lambda a, b: torch.acos(F.cosine_similarity(a, b, dim=1))[:, None] + 0.1),
            None,
        ),
        (
            lambda a, b, t: torch.where(
                F.cosine_similarity(a, b)[:, None] > 1 - 1e-9, a, walk(a, b, t)
            ),
            "both point the same way",
        ),
        (lambda a, b, t: torch.stack([walk(a, b, s) for s in (0, t, 1)]), "shape"),
        (lambda a, b, t: walk(a, b, t).squeeze(), "batch"),
        (  # an angle above 90 degrees has another one with the same sine
            straightened(
                lambda a, b: torch.asin(
                    (1 - F.cosine_similarity(a, b, dim=1) ** 2).clamp(0, 1).sqrt()
                )[:, None]
            ),
            None,
        ),
        (
            straightened(lambda a, b: torch.acos(F.cosine_similarity(a, b, dim=1).abs())[:, None]),
            None,
        ),
        (
            lambda a, b, t: (
                walk(b, a, t) * torch.sin(torch.acos(F.cosine_similarity(a, b)))[:, None]
            ),
            "two slips",
        ),
    ],
    "report": [
        (lambda e: (-e.abs().mean(), report(e)[1]), None),
        (lambda e: (-e.mean(), e.std() / e.numel() ** 0.5), "two slips"),
        (lambda e: (e.mean(0).sum(), e.mean(0).std()), "two slips"),
        (lambda e: (report(e)[1] * 2, e.mean()), "two slips"),
        (lambda e: e.mean(), "shape"),
    ],
    "bits_per_dimension": [
        (lambda e, d, s: bits(e, d, s).mean(), "averaged over the batch"),
        (lambda e, d, s: bits(e, d, s).float(), "float64"),
        (lambda e, d, s: bits(e, d, s).clamp(min=0), None),
        (lambda e, d, s: bits(e, d, s).abs(), None),
        (lambda e, d, s: bits(e, d, max(s, 1)), None),
        (lambda e, d, s: bits(-e, d, s) * math.log(2), "two slips"),
        (lambda e, d, s: bits(e, d[1:], 1), "two slips"),
        (lambda e, d, s: (math.log(s) - e) / math.prod(d), "two slips"),
    ],
    "mix_up": [
        (lambda b, a, s: mix_up(b, a, s).mean(), "averaged over the batch"),
        (lambda b, a, s: cdf(apart(b, a, s).abs() / 2), "shape"),
        (mix_up_by_draws, "draws"),
        (lambda b, a, s: mix_up(b, a, s.clamp(-5, 20)), "moderate σ"),
        (lambda b, a, s: mix_up(b, a, s.clamp(-20, 2)), "moderate σ"),
        (lambda b, a, s: cdf(((b - a) / (s.exp() + 1e-8)).norm(dim=1) / 2), "below a fraction"),
        (lambda b, a, s: 1 - mix_up(b, a, s / 2), "two slips"),
        (lambda b, a, s: 2 * cdf(apart(b, a, s).norm(dim=1)), "two slips"),
        (lambda b, a, s: cdf(apart(b, a, 0 * s).abs().sum(1) / 2), "two slips"),
        (lambda b, a, s: mix_up(b, a, s).float(), "float64"),
    ],
    "std_of_weight": [
        (lambda w, d, a: behind(w, d, a) * torch.ones(d), "shape"),
        (lambda w, d, a: min(behind(w, d, a), 1.0), None),
        (lambda w, d, a: behind(min(w, 1.0), d, a), None),
        (lambda w, d, a: behind(2 * w, d, False), "two slips"),
        (lambda w, d, a: behind(w, d, not a) ** 2, "two slips"),
        (lambda w, d, a: math.log(behind(w, d[1:], a)), "two slips"),
    ],
    "reductions": [
        (
            lambda f, x, y: ("sum" if f(x.repeat(2, 1, 1, 1), y) > f(x, y) else "mean",) * 2,
            "stopped with ValueError",
        ),
        (lambda f, x, y: doubled(f, x, y)[0], "two words"),
        (lambda f, x, y: tuple(word == "sum" for word in doubled(f, x, y)), "two words"),
        (
            lambda f, x, y: ("sum" if f(x, y).abs() > 1 else "mean", doubled(f, x, y)[1]),
            "some losses",
        ),
        (lambda f, x, y: halves(f, x, y, first=1), None),
        (lambda f, x, y: (doubled(f, x, y)[0], halves(f, x, y)[1]), None),
        (lambda f, x, y: halves(f, x.flip(0, 2), y.flip(0, 2)), None),
    ],
    "disguise": [
        (lambda decode, d: decode, "still shows"),
        (turned(lambda d: torch.linalg.qr(torch.randn(d, d).double()).Q), "now and then"),
        (lambda decode, d: lambda z: decode(z.clamp(-4, 4) @ cosines(d)), "Far out"),
        (lambda decode, d: lambda z: decode((z + 0.1 * z.abs()) @ cosines(d)), "prior"),
        (lambda decode, d: lambda z: decode(z.flip(1)), "exchanged"),
        (lambda decode, d: lambda z: decode(-z), "turned them round"),
        (lambda decode, d: lambda z: decode(2 * z), "stretch or shrink"),
        (lambda decode, d: lambda z: decode(z + 1), "shift"),
        (turned(lambda d: torch.randn(d, d).double()), "correlated"),
        (turned(skewed), "correlated"),
        (turned(lambda d: 1.02 * cosines(d)), "stretch or shrink"),
        (turned(lambda d: torch.ones(d, d).double()), "lost"),
        (turned(lambda d: cosines(d) * (torch.arange(d) > 0).double()), "lost"),
        (turned(first_two), "within 10 degrees"),
        (turned(slightly), "within 10 degrees"),
        (turned(cosines, lambda p: 1 - p), "cannot make"),
        (turned(cosines, lambda p: p.flip(1)), "cannot make"),
        (lambda decode, d: lambda z: decode(z @ by_chance(d)), "called again"),
        (lambda decode, d: lambda z: decode(F.normalize(z, dim=1) * d**0.5), "prior"),
        (one_size, "lengths of its vectors"),
        (lambda decode, d: lambda z: decode((z - z.mean(0)) @ cosines(d)), "other rows"),
        (lambda decode, d: decode(torch.randn(4, d) @ cosines(d).float()), "Return a decoder"),
        (lambda decode, d: lambda z: decode(torch.tanh(z) @ cosines(d)), "variance is not 1"),
        (lambda decode, d: lambda z: decode(z @ cosines(2)), "stopped with RuntimeError"),
        (lambda decode, d: lambda z: decode(z[:, :1].expand(-1, d)), "lost"),
        (lambda decode, d: lambda z: decode(z).T, "got"),
    ],
}
