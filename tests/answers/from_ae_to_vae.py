"""Answers to the exercises of chapter 2, right in different styles, and wrong in known ways."""

import math

import numpy as np
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior

LOG_2PI = math.log(2 * math.pi)


# This check draws 20 000 pictures' z, a third of a second.
SEEDS = {"loss": 20, "build": 3}


def likelihood(x, p, s, *, half=0.5, power=2, log=1, constant=1):
    per_pixel = -half * (x - p) ** 2 * torch.exp(-power * s) - log * s - constant * 0.5 * LOG_2PI
    return per_pixel.flatten(1).sum(1)


def kl(m, s):
    return (0.5 * ((2 * s).exp() + m**2 - 1) - s).sum(1)


def elbo(x, p, sx, m, s, *, rec=likelihood, cost=kl, total=lambda r, k: r - k):
    r, k = rec(x, p, sx), cost(m, s)
    return total(r, k), r, k


def elbo_by_distributions(x, p, sx, m, s):
    r = Independent(Normal(p, sx.exp()), 3).log_prob(x)
    prior = Independent(Normal(torch.zeros_like(m), torch.ones_like(m)), 1)
    k = kl_divergence(Independent(Normal(m, s.exp()), 1), prior)
    return r - k, r, k


def elbo_by_loops(x, p, sx, m, s):
    totals, recs, kls = [], [], []
    for i in range(len(x)):
        r = 0
        for a, b in zip(x[i].flatten(), p[i].flatten(), strict=True):
            r = r + torch.log(torch.exp(-(((a - b) / sx.exp()) ** 2) / 2)) - sx - LOG_2PI / 2
        k = sum((torch.exp(2 * v) + u**2 - 1) / 2 - v for u, v in zip(m[i], s[i], strict=True))
        recs.append(r)
        kls.append(k)
        totals.append(r - k)
    return torch.stack(totals), torch.stack(recs), torch.stack(kls)


def elbo_by_objectives(x, p, sx, m, s):
    r, k = gaussian_log_likelihood(x, p, sx), kl_standard_normal(m, s)
    return r - k, r, k


def small_number(m, s):
    return 0.5 * ((2 * s).exp() + m**2 - 1) - (s.exp() + 1e-8).log()


def piece(**options):
    return lambda x, p, s: likelihood(x, p, s, **options)


def in_place(x, p, sx, m, s):
    x -= p
    return elbo(x, 0 * p, sx, m, s)


def draw(m, s):
    return m + s.exp() * torch.randn_like(m)


def loss(model, x, *, draw=draw, likelihood=likelihood, total=lambda r, k: -(r - k).mean()):
    m, s = model.encode(x)
    out = model.decode(draw(m, s))
    return total(likelihood(x, out.mean, out.log_std), kl(m, s))


def loss_by_distributions(model, x):
    m, s = model.encode(x)
    q = Normal(m, s.exp())
    p = model.decode(q.rsample())
    r = Normal(p.mean, p.log_std.exp()).log_prob(x).sum((1, 2, 3))
    return (kl_divergence(q, Normal(0.0, 1.0)).sum(1) - r).mean()


def loss_by_objectives(model, x):
    q = model.encode(x)
    p = model.decode(sample_posterior(*q))
    elbos = gaussian_log_likelihood(x, p.mean, p.log_std) - kl_standard_normal(*q)
    return -elbos.sum() / len(x)


def loss_by_samples(model, x):
    """The KL by the same draw: more noise, the same expectation."""
    q = Normal(*(f(t) for f, t in zip((lambda t: t, torch.exp), model.encode(x), strict=True)))
    z = q.rsample()
    p = model.decode(z)
    r = Normal(p.mean, p.log_std.exp()).log_prob(x).flatten(1).sum(1)
    return -(r + Normal(0.0, 1.0).log_prob(z).sum(1) - q.log_prob(z).sum(1)).mean()


def sample(decode, d, n, *, prior=torch.randn, scale=torch.exp, noise=torch.randn_like):
    out = decode(prior(n, d))
    return out.mean + scale(out.log_std) * noise(out.mean)


def sample_by_distributions(decode, d, n):
    out = decode(Normal(torch.zeros(d), torch.ones(d)).sample((n,)))
    return Normal(out.mean, out.log_std.exp()).sample()


def sample_by_loops(decode, d, n):
    pictures = []
    for _ in range(n):
        mean, log_std = decode(torch.randn(1, d))
        pictures.append(torch.normal(mean, log_std.exp().expand_as(mean)))
    return torch.cat(pictures)


def two_decodes(decode, d, n):
    mean = decode(torch.randn(n, d)).mean
    return mean + decode(torch.randn(n, d)).log_std.exp() * torch.randn_like(mean)


def seeded(function):
    """The function with a seed set inside."""

    def always_the_same(*given):
        torch.manual_seed(0)
        return function(*given)

    return always_the_same


def shared(shape):
    return lambda mean: torch.randn(*(len(mean) if k < 0 else k for k in shape)).expand_as(mean)


def repeat_z(decode, d, n):
    z = torch.randn(n, d)
    out = decode(z)
    noise = torch.cat([z, torch.randn(n, 12 - d)], 1)
    return out.mean + out.log_std.exp() * noise.reshape(out.mean.shape)


def reconstruct(encode, decode, x):
    return decode(encode(x).mean).mean


def reconstruct_each(encode, decode, x):
    return torch.cat([decode(encode(one[None])[0])[0] for one in x])


def reconstruct_unpacked(encode, decode, x):
    mean, _ = encode(x)
    picture, _ = decode(mean)
    return picture


def noisy(e, d, x):
    out = reconstruct(e, d, x)
    return out + d(e(x).mean).log_std.exp() * torch.randn_like(out)


def moments(m, s):
    second = (m**2 + (2 * s).exp()).mean(0)
    return m.mean(0), second - m.mean(0) ** 2


def moments_total(m, s):
    return m.mean(0), m.var(0, correction=0) + s.exp().square().mean(0)


def moments_loops(m, s):
    means, variances = [], []
    for a, b in zip(m.T, s.T, strict=True):
        mean = sum(a) / len(a)
        second = sum(u * u + math.e ** (2 * v) for u, v in zip(a, b, strict=True)) / len(a)
        means.append(mean)
        variances.append(second - mean * mean)
    return torch.stack(means), torch.stack(variances)


def moments_by_distributions(m, s):
    even = Categorical(torch.ones(m.shape[1], len(m), dtype=m.dtype))
    mixture = MixtureSameFamily(even, Normal(m.T, s.T.exp()))
    return mixture.mean, mixture.variance


def per_latent(m, s):
    return (0.5 * ((2 * s).exp() + m**2 - 1) - s).mean(0)


def needed(m, s, share, *, each=per_latent):
    k = each(m, s)
    held = k.sort(descending=True).values.cumsum(0) / k.sum()
    return k, (held < share).sum() + 1


def needed_by_loop(m, s, share):
    k = kl_divergence(Normal(m, s.exp()), Normal(0.0, 1.0)).mean(0)
    left, held, count = sorted(k.tolist()), 0.0, 0
    while held < share * k.sum():
        held += left.pop()
        count += 1
    return k, count


def needed_by_search(m, s, share):
    k = torch.stack([kl(a[:, None], b[:, None]).mean() for a, b in zip(m.T, s.T, strict=True)])
    held = torch.cumsum(torch.sort(k / k.sum(), descending=True)[0], 0)
    return k, int(torch.searchsorted(held, share)) + 1


def ink(decode, z):
    return decode(z).mean.flatten(1).sum(1)


def by_search(decode, d, *, n=5000, largest=True, seen=slice(None)):
    z = torch.randn(n, d)
    z = d**0.5 * z / z.norm(dim=1, keepdim=True)
    seen = decode(z).mean[:, seen].flatten(1).sum(1)
    return z[seen.argsort(descending=largest)[0]]


def by_filter(decode, d):
    z = torch.randn(20_000, d)
    length = z.norm(dim=1)
    z = z[(length > length.quantile(0.3)) & (length < length.quantile(0.7))]
    return z[ink(decode, z).argmax()]


def by_ascent(decode, d):
    """Gradient ascent on the sphere, from a few hundred starts."""
    z = torch.randn(300, d, requires_grad=True)
    for _ in range(30):
        on_sphere = d**0.5 * z / z.norm(dim=1, keepdim=True)
        (slope,) = torch.autograd.grad(ink(decode, on_sphere).sum(), z)
        z = (z + slope).detach().requires_grad_()
    on_sphere = d**0.5 * z / z.norm(dim=1, keepdim=True)
    return on_sphere[ink(decode, on_sphere).argmax()]


def best_direction(decode, d):
    """One step from the centre, along the slope."""
    z = torch.zeros(1, d, requires_grad=True)
    return torch.autograd.grad(ink(decode, z).sum(), z)[0][0]


def rescale(m, s, w, b):
    centre, v = moments(m, s)
    root = v.sqrt()
    nats = 0.5 * (v + centre**2 - 1 - v.log()).sum()
    return (m - centre) / root, s - root.log(), w * root, b + w @ centre, nats


def rescale_by_kl(m, s, w, b):
    centre, v = moments(m, s)
    new = (m - centre) * v.rsqrt(), s - 0.5 * v.log()
    return *new, w * v.sqrt(), (w * centre).sum(1) + b, (kl(m, s) - kl(*new)).mean()


def rescale_by_loops(m, s, w, b):
    m, s, w, b = m.clone(), s.clone(), w.clone(), b.clone()
    nats = 0.0
    for j in range(m.shape[1]):
        centre = m[:, j].mean()
        v = ((m[:, j] - centre) ** 2 + (2 * s[:, j]).exp()).mean()
        nats += 0.5 * (v + centre**2 - 1 - v.log())
        b += w[:, j] * centre
        w[:, j] *= v.sqrt()
        m[:, j] = (m[:, j] - centre) / v.sqrt()
        s[:, j] -= v.log() / 2
    return m, s, w, b, nats


def small(inputs, outputs, *, hidden=0):
    if not hidden:
        return torch.nn.Linear(inputs, outputs)
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, outputs)
    )


def draw_code(m, s):
    return m + s.exp() * torch.randn_like(m)


def build(x, d, std, *, steps=1500, lr=2e-2, code=draw_code, r=1.0, k=1.0, hidden=0, factor=2):
    encoder, decoder = small(x.shape[1], 2 * d, hidden=hidden), small(d, x.shape[1], hidden=hidden)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=lr)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - step / steps)
        batch = x[torch.randint(len(x), (256,))]
        m, s = encoder(batch).chunk(2, dim=1)
        error = (batch - decoder(code(m, s))).square().sum(1) / (factor * std**2)
        loss = (r * error + k * kl(m, s)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder, decoder


def build_curved(x, d, std):
    return build(x, d, std, hidden=32, lr=1e-2)


def build_by_distributions(x, d, std):
    encoder, decoder = small(x.shape[1], 2 * d), small(d, x.shape[1])
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-2)
    for _ in range(1500):
        m, s = encoder(x).chunk(2, dim=1)
        q = Normal(m, s.exp())
        log_p = Normal(decoder(q.rsample()), std).log_prob(x).sum(1)
        loss = (kl_divergence(q, Normal(0.0, 1.0)).sum(1) - log_p).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder, decoder


RIGHT = {
    "rescale": [rescale, rescale_by_kl, rescale_by_loops],
    "build": [build, build_curved, build_by_distributions],
    "elbo": [
        elbo,
        elbo_by_distributions,
        elbo_by_loops,
        elbo_by_objectives,
        lambda *a: [part.double() for part in elbo(*(value.float() for value in a))],
    ],
    "loss": [loss, loss_by_distributions, loss_by_objectives, loss_by_samples],
    "sample": [sample, sample_by_distributions, sample_by_loops],
    "reconstruct": [reconstruct, reconstruct_each, reconstruct_unpacked],
    "aggregate": [
        moments,
        moments_total,
        moments_loops,
        moments_by_distributions,
        lambda m, s: (m.numpy().mean(0), m.numpy().var(0) + np.exp(2 * s.numpy()).mean(0)),
    ],
    "latents_needed": [
        needed,
        needed_by_loop,
        needed_by_search,
        lambda m, s, share: needed(m.float().double(), s.float().double(), share),
    ],
    "typical_and_bright": [by_search, by_filter, by_ascent],
}

# Each with a part of the diagnosis that names the mistake, or None where it has no name.
WRONG = {
    "rescale": [
        (lambda *a: (*rescale(*a)[:4], -rescale(*a)[4]), None),
        (lambda *a: rescale(*a)[:4], None),
        (lambda m, s, w, b: (*rescale(m, s, w, b)[:2], w, b, rescale(m, s, w, b)[4]), None),
    ],
    "build": [
        (lambda *a: build(*a, steps=1), None),
        (lambda *a: build(*a, k=0.0), "Is the KL in the loss"),
        (lambda *a: build(*a, k=0.5), None),
        (lambda *a: build(*a, r=1 / 6), "far wider"),
        (lambda *a: build(*a, r=1 / 60), "say nothing"),
        (lambda *a: build(*a, code=lambda m, s: m), None),
        (lambda *a: build(*a, code=lambda m, s: draw_code(m, s).detach()), "say nothing"),
        (lambda *a: build(*a, k=-1.0), None),
        (lambda *a: build(*a)[0], "Return two networks"),
        (lambda *a: build(*a)[::-1], "RuntimeError"),
        (lambda *a: build(*a, factor=1), None),
    ],
    "elbo": [
        (lambda *a: tuple(t.mean() for t in elbo(*a)), "averaged over the batch"),
        (lambda *a: tuple(t.sum() for t in elbo(*a)), "summed over the batch"),
        (lambda x, p, *a: elbo(x, p.detach(), *a), "no gradient reaches `picture`"),
        (lambda x, p, sx, *a: elbo(x, p, sx.item() + 0 * x[0, 0, 0, 0], *a), "reaches `log_std_x`"),
        (
            lambda x, p, sx, m, s: elbo(
                x, p, sx, m, s, cost=lambda m, s: kl(m, s.detach()) - s.sum(1) + s.sum(1).detach()
            ),
            "gradient in `log_std`",
        ),
        (lambda x, p, sx, m, s: elbo(x, p, sx, m, s.detach()), "no gradient reaches `log_std`"),
        (lambda *a: tuple(t.float() for t in elbo(*a)), "float64"),
        (lambda x, p, *a: elbo(x[:, :1], p[:, :1], *a), "depends on"),
        (lambda *a: elbo(*a, rec=lambda x, p, s: likelihood(x, p, s.exp())), None),
        (in_place, "in place"),
        (lambda *a: elbo(*a, cost=lambda m, s: small_number(m, s).sum(1)), "small number"),
        (lambda *a: elbo(*a, cost=lambda m, s: kl(m, s.clamp(-10, 10))), "Is something clamped"),
        (lambda *a: elbo(*a, cost=lambda m, s: kl(m, s.clamp(max=10))), "Is something clamped"),
        (lambda *a: elbo(*a, rec=lambda x, p, s: likelihood(x, p, s.clamp(-6, 6))), "clamped"),
        (lambda *a: elbo(*a, rec=lambda x, p, s: likelihood(x, p, s.clamp(max=2))), "clamped"),
        (
            lambda *a: elbo(*a, rec=piece(half=1), cost=lambda m, s: kl(m, s) + 2 * s.sum(1)),
            "two slips",
        ),
        (lambda *a: elbo(*a, rec=piece(half=1, log=0, constant=0)), None),
        (
            lambda *a: elbo(*a, rec=lambda *b: likelihood(*b) + (0 * b[1]).sqrt().sum((1, 2, 3))),
            "holds NaN",
        ),
    ],
    "loss": [
        (lambda *a: loss(*a, total=lambda r, k: (k - r).sum()), "learning rate"),
        (lambda *a: loss(*a, total=lambda r, k: k - r), "one number for the whole batch"),
        (lambda *a: loss(*a, total=lambda r, k: (k - r).mean().item()), "Return a tensor"),
        (lambda *a: loss(*a, total=lambda r, k: (k - r).mean().detach()), "No gradient"),
        (lambda *a: loss(*a, draw=lambda m, s: m + s.exp() * torch.rand_like(m)), None),
        (lambda *a: loss(*a, total=lambda r, k: (4 * k - r).mean()), None),
        (lambda *a: loss(*a, draw=lambda m, s: m + s.exp() * torch.randn(2)), "get the same noise"),
        (
            lambda *a: loss(*a, draw=lambda m, s: m + s.exp() * torch.randn(len(m), 1)),
            "All latents",
        ),
        (seeded(loss), "same noise comes at every call"),
        (lambda *a: loss(*a, likelihood=lambda x, p, s: likelihood(x, p, s.detach())), None),
        (lambda *a: loss(*a, likelihood=lambda x, p, s: likelihood(x, p, s / 2)), None),
        (lambda *a: loss(*a, draw=lambda m, s: m, total=lambda r, k: -r.mean()), "two slips"),
    ],
    "sample": [
        (lambda decode, d, n: decode(torch.randn(n, d)), "distribution p(x|z)"),
        (lambda *a: sample(*a, noise=torch.rand_like), "mean 0"),
        (lambda *a: sample(*a, noise=shared((-1, 1, 1, 1))), "share their noise"),
        (lambda *a: sample(*a, noise=shared((1, 3, 2, 2))), "same noise"),
        (lambda *a: sample(*a, noise=shared((-1, 1, 2, 2))), "channels of a picture share"),
        (lambda *a: sample(*a, prior=torch.rand), "torch.rand"),
        (lambda *a: sample(*a, prior=lambda n, d: 2 * torch.randn(n, d)), "not the prior"),
        (lambda *a: sample(*a, prior=lambda n, d: 2 * torch.rand(n, d) - 1), "not the prior"),
        (lambda *a: sample(*a, prior=lambda n, d: torch.randn(1, d).expand(n, d)), "same z"),
        (lambda *a: sample(*a, prior=lambda n, d: torch.randn(n, 1).expand(n, d)), "on its own"),
        (lambda *a: sample(*a, prior=lambda n, d: torch.zeros(n, d)), "same z come back"),
        (seeded(sample), "same z come back"),
        (lambda *a: sample(*a, prior=lambda n, d: torch.randn(d, n)), "one row of"),
        (lambda *a: sample(*a, prior=lambda n, d: torch.randn(d)), "one row of"),
        (lambda *a: sample(*a)[:1].repeat(a[2], 1, 1, 1), "pictures are the same"),
        (lambda decode, d, n: sample(decode, d, 1), "expected pictures"),
        (lambda decode, d, n: torch.randn(n, 3, 2, 2), "never calls"),
        (two_decodes, "rows of z"),
        (lambda decode, d, n: torch.clamp(sample(decode, d, n), 0, 1), "cut off"),
        (lambda *a: sample(*a, prior=lambda n, d: 12**0.5 * (torch.rand(n, d) - 0.5)), "no tails"),
        (repeat_z, None),
        (lambda *a: sample(*a, scale=lambda s: s.clamp(min=-4).exp()), "too wide"),
        (lambda *a: sample(*a, scale=lambda s: s.clamp(max=2).exp()), "too narrow"),
        (lambda *a: sample(*a, scale=lambda s: s.exp() + 1e-3), "too wide"),
    ],
    "reconstruct": [
        (lambda e, d, x: d(draw(*e(x))).mean, "something is drawn"),
        (noisy, "something is drawn"),
        (lambda e, d, x: d(e(x)).mean, "TypeError"),
        (lambda e, d, x: d(e(x).mean).log_std, "shape"),
        (lambda e, d, x: reconstruct(e, d, x).mean(0), "averaged over the batch"),
        (lambda e, d, x: reconstruct(e, d, x).float(), "float64"),
        (lambda e, d, x: d(seeded(draw)(*e(x))).mean, None),
        (lambda e, d, x: d(e(x).mean.clamp(-3, 3)).mean, None),
        (lambda e, d, x: d(e(x).mean).mean[:, :1].expand_as(x), None),
        (lambda e, d, x: d(e(x).log_std).mean.clamp(0, 1), "two slips"),
    ],
    "aggregate": [
        (lambda m, s: tuple(t.float() for t in moments(m, s)), "float64"),
        (lambda m, s: moments(m, s.clamp(-5, 5)), "cut off"),
        (lambda m, s: moments(m, s.clamp(max=3)), "cut off"),
        (lambda m, s: moments(m.clamp(-10, 10), s), "cut off"),
        (lambda m, s: (m.mean(0), moments(m, s / 2)[1].sqrt()), "two slips"),
    ],
    "latents_needed": [
        (lambda *a: needed(*a)[1], "shape"),
        (lambda m, s, share: needed(m, s, share**2), None),
        (
            lambda m, s, share: needed(m, s, share, each=lambda m, s: small_number(m, s).mean(0)),
            "small number",
        ),
        (lambda m, s, share: needed(m, s.clamp(-10, 10), share), "Is something clamped"),
        (lambda m, s, share: needed(m.clamp(-9, 9), s, share), "Is something clamped"),
        (lambda m, s, share: needed(m, s.clamp(max=2), share), "Is something clamped"),
        (lambda m, s, share: (needed(m, s / 2, share)[0], 1), None),
    ],
    "typical_and_bright": [
        (lambda decode, d: torch.zeros(d), "near the centre"),
        (lambda decode, d: 0.1 * by_search(decode, d), "near the centre"),
        (lambda decode, d: 3 * by_search(decode, d), "farther out"),
        (lambda decode, d: by_search(decode, d) / d**0.5, "near the centre"),
        (lambda decode, d: d**0.5 * by_search(decode, d), "farther out"),
        (lambda decode, d: by_search(decode, d)[None], "has the shape"),
        (lambda decode, d: decode(by_search(decode, d)[None]).mean[0], "has the shape"),
        (lambda decode, d: ink(decode, by_search(decode, d)[None]).item(), "as a tensor"),
        (lambda decode, d: ink(decode, torch.randn(500, d)).argmax(), "has the shape"),
        (lambda decode, d: by_search(decode, 2), "RuntimeError"),
        (lambda decode, d: torch.full((d,), math.nan), "NaN"),
        (lambda decode, d: d**0.5 * torch.nn.functional.one_hot(torch.tensor(0), d).float(), None),
        (lambda decode, d: by_search(decode, d).tolist(), "as a tensor"),
        (best_direction, None),
        (lambda decode, d: by_search(decode, d, n=20), None),
        (lambda decode, d: by_search(decode, d, seen=slice(0, 1)), None),
        (lambda decode, d: d**0.5 * torch.nn.functional.normalize(torch.randn(d), dim=0), None),
    ],
}
