"""Answers to the exercises of chapter 1, right in different styles, and wrong in known ways."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import MultivariateNormal, Normal

# This check trains a network for each right answer, a quarter of a second.
SEEDS = {"nonlinear": 20}


def error(x, r):
    return (x - r).square().flatten(1).sum(1)


def error_by_loops(x, r):
    totals = []
    for one, other in zip(x, r, strict=True):
        total = 0
        for a, b in zip(one.flatten(), other.flatten(), strict=True):
            total = total + (a - b) ** 2
        totals.append(total)
    return torch.stack(totals)


def error_by_distributions(x, r):
    log_prob = Normal(r, 1.0).log_prob(x).sum((1, 2, 3))
    return -2 * log_prob - x[0].numel() * torch.log(torch.tensor(2 * torch.pi).double())


def error_in_place(x, r):
    x -= r
    return x.square().flatten(1).sum(1)


def by_svd(x, d):
    mean = x.mean(0)
    v = torch.linalg.svd(x - mean).Vh[:d].T
    return lambda new: (new - mean) @ v, lambda z: z @ v.T + mean


def by_eigh(x, d, scale=3.0):
    """Other axes: scaled, and the last direction first."""
    mean = x.mean(0)
    v = torch.linalg.eigh(torch.cov(x.T))[1][:, -d:]
    return lambda new: (new - mean) @ v * scale, lambda z: z / scale @ v.T + mean


def by_alternating(x, d):
    """No decomposition: best decoder, best encoder, and so on. Bias in the codes, too."""
    mean, v = x.mean(0), torch.randn(x.shape[1], d, dtype=x.dtype)
    for _ in range(300):
        z = torch.linalg.lstsq(v, (x - mean).T).solution.T
        v = torch.linalg.lstsq(z, x - mean).solution.T
    inverse = torch.linalg.pinv(v)
    return lambda new: (new - mean) @ inverse.T + 1, lambda z: (z - 1) @ v.T + mean


def as_layers(x, d):
    """Two linear layers with the weights of PCA."""
    mean, v = x.mean(0), torch.linalg.svd(x - x.mean(0)).Vh[:d]
    encode, decode = nn.Linear(len(mean), d).double(), nn.Linear(d, len(mean)).double()
    with torch.no_grad():
        for layer, weight, bias in ((encode, v, -(v @ mean)), (decode, v.T, mean)):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    return encode, decode


def clamped(x, d):
    encode, decode = by_svd(x, d)
    return encode, lambda z: decode(z).clamp(0, 1)


def in_place_codes(x, d):
    encode, decode = by_svd(x, d)
    return (lambda new: 2 * encode(new)), lambda z: decode(z.div_(2))


class InNumpy:
    def __init__(self, x, d):
        self.mean = x.numpy().mean(0)
        self.v = np.linalg.svd(x.numpy() - self.mean)[2][:d]

    def encode(self, new):
        return torch.from_numpy((new.numpy() - self.mean) @ self.v.T)

    def decode(self, z):
        return torch.from_numpy(z.numpy() @ self.v + self.mean)


def in_numpy(x, d):
    model = InNumpy(x, d)
    return model.encode, model.decode


def pieces(x, d, *, centre=1, subtract=1, add=1, v=None, unit=None):
    """The linear autoencoder, with a switch for every slip."""
    mean = x.mean(0)
    if v is None:
        v = torch.linalg.svd(x - centre * mean).Vh[:d].T
    unit = 1 if unit is None else unit
    return (lambda n: (n - subtract * mean) / unit @ v), (lambda z: z @ v.T * unit + add * mean)


def curved_codes(x, d):
    encode, decode = by_svd(x, d)
    return lambda new: torch.sinh(encode(new)), lambda z: decode(torch.asinh(z))


def vh(x):
    return torch.linalg.svd(x - x.mean(0)).Vh


def nets(pixels, d, hidden=32, bend=nn.ReLU, last=nn.Identity, code=nn.Identity):
    encoder = nn.Sequential(nn.Linear(pixels, hidden), bend(), nn.Linear(hidden, d), code())
    decoder = nn.Sequential(nn.Linear(d, hidden), bend(), nn.Linear(hidden, pixels), last())
    return encoder, decoder


def deep(pixels, d):
    def mlp(*sizes):
        layers = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), nn.Tanh()]
        return nn.Sequential(*layers[:-1])

    return mlp(pixels, 64, 16, d), mlp(d, 16, 64, pixels)


class Net(nn.Module):
    def __init__(self, inputs, outputs, *, unused=False, detach=False, noise=0.0, registered=True):
        super().__init__()
        layers = [nn.Linear(inputs, 24), nn.Linear(24, outputs)]
        self.layers = nn.ModuleList(layers) if registered else layers
        self.extra = nn.Linear(2, 2) if unused else None
        self.detach, self.noise = detach, noise

    def forward(self, x):
        hidden = torch.nn.functional.gelu(self.layers[0](x))
        hidden = hidden.detach() if self.detach else hidden
        out = self.layers[1](hidden)
        return out + self.noise * torch.randn_like(out)


class First(Net):
    """Looks at the first `count` inputs only."""

    def __init__(self, count, inputs, outputs):
        super().__init__(inputs, outputs)
        self.mask = (torch.arange(inputs) < count).float()

    def forward(self, x):
        return super().forward(x * self.mask)


def with_batchnorm(pixels, d):
    encoder, decoder = nets(pixels, d)
    encoder.insert(1, nn.BatchNorm1d(32))
    return encoder, decoder


def frozen(pixels, d):
    encoder, decoder = nets(pixels, d)
    encoder.requires_grad_(False)
    return encoder, decoder


class Mixes(Net):
    def forward(self, x):
        out = super().forward(x)
        return out - out.mean(0)


def map_rows(e, d, m):
    back = torch.linalg.inv(m)
    return lambda x: e(x) @ m.T, lambda w: d(w @ back.T)


def map_solve(e, d, m):
    return lambda x: (m @ e(x).T).T, lambda w: d(torch.linalg.solve(m, w.T).T)


def map_loops(e, d, m):
    def there(x):
        return torch.stack([torch.mv(m, z) for z in e(x)])

    def back(codes):
        return d(torch.stack([torch.linalg.lstsq(m, w[:, None]).solution[:, 0] for w in codes]))

    return there, back


def eye(m):
    return torch.eye(len(m), dtype=m.dtype)


inv = torch.linalg.inv


def drawn(codes, noise):
    return codes.mean(0) + noise @ torch.linalg.cholesky(torch.cov(codes.T)).T


def drawn_by_eigh(codes, noise):
    values, vectors = torch.linalg.eigh(torch.cov(codes.T))
    return codes.mean(0) + (noise * values.clamp(min=0).sqrt()) @ vectors.T


def drawn_by_distributions(codes, noise):
    normal = MultivariateNormal(codes.mean(0), torch.cov(codes.T))
    return torch.stack([normal.loc + normal.scale_tril @ row for row in noise])


def drawn_by_svd(codes, noise):
    c = codes - codes.mean(0)
    _, s, v = torch.linalg.svd(c, full_matrices=False)
    return codes.mean(0) + noise @ torch.diag(s / (len(c) - 1) ** 0.5) @ v


def root(codes):
    return torch.linalg.cholesky(torch.cov(codes.T)).T


def nearest(points, others):
    return torch.cdist(points, others).min(1).values


def in_gaps(train, test, draws):
    return (nearest(draws, train) > nearest(test, train).quantile(0.9)).double().mean()


def in_gaps_numpy(train, test, draws):
    def company(points):
        return np.array([np.linalg.norm(train.numpy() - p, axis=1).min() for p in points.numpy()])

    return float(np.mean(company(draws) > np.quantile(company(test), 0.9)))


def in_gaps_sorted(train, test, draws):
    def company(point):
        return (train - point).norm(dim=1).min().item()

    limit = sorted(map(company, test))[int(0.9 * len(test))]
    return sum(company(draw) > limit for draw in draws) / len(draws)


RIGHT = {
    "squared_error": [
        error,
        error_by_loops,
        error_by_distributions,
        lambda x, r: torch.einsum("bchw,bchw->b", x - r, x - r),
        lambda x, r: F.mse_loss(r, x, reduction="none").sum(dim=[1, 2, 3]),
    ],
    "linear": [by_svd, by_eigh, by_alternating, in_numpy, as_layers],
    "nonlinear": [
        nets,
        deep,
        lambda pixels, d: (Net(pixels, d), Net(d, pixels)),
        lambda pixels, d: nets(pixels, d, last=nn.Sigmoid, bend=nn.ELU),
        with_batchnorm,
        lambda pixels, d: nets(pixels, d, bend=nn.Tanh, hidden=64),
        lambda pixels, d: list(
            nets(pixels, d, bend=lambda: nn.Sequential(nn.SiLU(), nn.Dropout()))
        ),
    ],
    "remap": [
        map_rows,
        map_solve,
        map_loops,
        lambda e, d, m: [lambda x: F.linear(e(x), m), lambda w: d(F.linear(w, inv(m)))],
    ],
    "matched": [
        drawn,
        drawn_by_eigh,
        drawn_by_distributions,
        drawn_by_svd,
        lambda c, n: torch.stack([c.mean(0) + root(c).T @ row for row in n]),
    ],
    "gaps": [
        in_gaps,
        in_gaps_numpy,
        in_gaps_sorted,
        lambda a, b, c: (nearest(c, a) >= nearest(b, a).quantile(0.9)).float().mean().item(),
    ],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "squared_error": [
        (lambda x, r: error(x, r).mean(), "averaged over the batch"),
        (lambda x, r: error(x, r).sum(), "summed over the batch"),
        (lambda x, r: 0.5 * error(x, r), "half"),
        (lambda x, r: -error(x, r), "minus"),
        (lambda x, r: (x - r).square().sum((1, 2)), "shape"),
        (lambda x, r: error(x, r.detach()), "no gradient"),
        (lambda x, r: error(x, r).float(), "float64"),
        (lambda x, r: error(x[:4], r[:4]), "shape"),
        (lambda x, r: error(x[:, :1], r[:, :1]), "depends on"),
        (error_in_place, "in place"),
        (lambda x, r: (x - r).square().flatten(0).sum(1), "IndexError"),
        (lambda x, r: torch.log(x - r).exp().square().flatten(1).sum(1), "NaN"),
    ],
    "linear": [
        (lambda x, d: pieces(x, d, v=vh(x)[: d + 1].T), "Your encode makes"),
        (lambda x, d: pieces(x, d, v=vh(x)[:2].T), "Your encode makes"),
        (lambda x, d: (by_svd(x, d)[0], lambda z: by_svd(x, d)[1](z)[:, :-1]), "decode makes"),
        (curved_codes, "encode is not linear"),
        (clamped, "decode is not linear"),
        (in_place_codes, "changes its input `codes`"),
        (lambda x, d: pieces(x, d, v=torch.pca_lowrank(x, d)[2]), None),
        (lambda x, d: pieces(x, d, v=torch.eye(x.shape[1], d).double()), None),
        (lambda x, d: by_svd(x.flip(1), d), None),
        (lambda x, d: by_svd(x, d)[0], "two functions"),
        (lambda x, d: (by_svd(x, d)[0](x), by_svd(x, d)[1]), "two functions"),
        (lambda x, d: (lambda new: None, by_svd(x, d)[1]), "must return a tensor"),
    ],
    "nonlinear": [
        (lambda pixels, d: nets(pixels, d, bend=nn.Identity), "encoder is linear"),
        (lambda pixels, d: (nets(pixels, d)[0], nn.Linear(d, pixels)), "decoder is linear"),
        (lambda pixels, d: nets(pixels, 3), "encoder makes"),
        (lambda pixels, d: nets(pixels, d)[::-1], "stopped with RuntimeError"),
        (lambda pixels, d: nets(16, d), "RuntimeError"),
        (lambda pixels, d: nn.Sequential(*nets(pixels, d)), "in a tuple"),
        (lambda pixels, d: (nets(pixels, d)[0], lambda z: z), "nn.Module"),
        (lambda pixels, d: nets(pixels, d, code=nn.ReLU), "exactly 0"),
        (lambda pixels, d: nets(pixels, d, code=nn.Sigmoid), "stay between 0 and 1,"),
        (lambda pixels, d: nets(pixels, d, code=nn.Tanh), "stay between -1 and 1,"),
        (lambda pixels, d: nets(pixels, d, code=nn.Softplus), "stay between 0 and"),
        (lambda pixels, d: nets(pixels, d, code=nn.ELU), "stay between -1 and"),
        (lambda pixels, d: nets(pixels, d, code=lambda: nn.Hardtanh(-3, 3)), "stop growing"),
        (lambda pixels, d: nets(pixels, d, code=lambda: nn.Hardtanh(-3, 1e9)), "stop growing"),
        (
            lambda pixels, d: (
                nn.Sequential(nn.ReLU(), nn.Linear(pixels, d)),
                nets(pixels, d)[1],
            ),
            "encoder is linear on the numbers",
        ),
        (lambda pixels, d: (First(9, pixels, d), Net(d, pixels)), "pixels, only 9 make"),
        (lambda pixels, d: (Net(pixels, d), First(1, d, pixels)), "of a code, only 1 make"),
        (lambda pixels, d: nets(pixels, d, bend=lambda: nn.LeakyReLU(1.0)), "encoder is linear"),
        (lambda pixels, d: [net.double() for net in nets(pixels, d)], "dtype"),
        (lambda pixels, d: nets(pixels, d, code=lambda: nn.Softmax(1)), "vary in"),
        (lambda pixels, d: nets(pixels, d, code=lambda: nn.Softmax(0)), "another batch"),
        (lambda pixels, d: (Mixes(pixels, d), Net(d, pixels)), "another batch"),
        (lambda pixels, d: (Net(pixels, d, unused=True), Net(d, pixels)), "`extra.weight`"),
        (lambda pixels, d: (Net(pixels, d, detach=True), Net(d, pixels)), "No gradient"),
        (lambda pixels, d: (Net(pixels, d, noise=1.0), Net(d, pixels)), "draws nothing"),
        (lambda pixels, d: (Net(pixels, d, registered=False), Net(d, pixels)), "no weights"),
        (frozen, "No gradient"),
        (lambda pixels, d: nets(pixels, d, last=lambda: nn.Softmax(1)), "short training"),
        (lambda pixels, d: nets(pixels, d, bend=nn.Sigmoid, hidden=1), None),
        (lambda pixels, d: nets(pixels, d, last=nn.Softplus, code=lambda: nn.Dropout(1.0)), None),
    ],
    "remap": [
        (lambda e, d, m: (lambda x: e(x @ m.T), lambda w: d(w @ inv(m).T)), "RuntimeError"),
        (lambda e, d, m: (lambda x: m @ e(x), d), "RuntimeError"),
        (lambda e, d, m: map_rows(e, d, m)[0], "two functions"),
        (lambda e, d, m: (map_rows(e, d, m)[0], lambda w: d(w.copy_(w @ inv(m).T))), "in place"),
        (lambda e, d, m: (lambda x: e(x) @ m.T, lambda w: d(w @ (1 / m).T)), "(1, 1)"),
        (lambda e, d, m: (lambda x: e(x) * m.diagonal(), lambda w: d(w / m.diagonal())), None),
        (lambda e, d, m: (map_rows(e, d, m)[0], lambda w: d(w @ inv(m).T).float()), "float64"),
    ],
    "matched": [
        (lambda c, n: drawn(c, n) + (0.9 - 1) * (n @ root(c)), None),
        (lambda c, n: drawn(c, torch.randn_like(n)), "All randomness"),
        (lambda c, n: drawn(c, n - n.mean(0)), "its own row"),
        (lambda c, n: c.mean(0).expand_as(n), "do not depend"),
        (lambda c, n: drawn(c, n.mul_(2) / 2), "changes its input `noise`"),
        (lambda c, n: drawn(c, n)[0], "one draw for each row"),
        (lambda c, n: drawn(c, n).sum(), "one draw for each row"),
        (lambda c, n: drawn(c, n).float(), "float64"),
        (lambda c, n: c[torch.randint(len(c), (len(n),))], "All randomness"),
    ],
    "gaps": [
        (lambda a, b, c: nearest(c, a) > nearest(b, a).quantile(0.9), "shape"),
        (lambda a, b, c: (nearest(a, c) > nearest(b, a).quantile(0.9)).double().mean(), None),
    ],
}
