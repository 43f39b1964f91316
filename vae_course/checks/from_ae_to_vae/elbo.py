"""The terms of the ELBO and the moments of the aggregate posterior, and the slips on the way."""

import functools
import math

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)


def elbo_pieces(x: Tensor, picture: Tensor, log_std_x: Tensor, mean: Tensor, log_std: Tensor):
    """total, reconstruction and KL of each picture, by torch.distributions."""
    reconstruction = Normal(picture, log_std_x.exp()).log_prob(x).sum((1, 2, 3))
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
    return reconstruction - kl, reconstruction, kl


def weighted(pieces):
    """The three pieces with unequal weights: in their plain sum, the KL and its slopes cancel."""

    @functools.wraps(pieces)
    def weigh(*case):
        return tuple(k * piece for k, piece in enumerate(pieces(*case), start=1))

    return weigh


def _likelihood(x, picture, s, *, half=0.5, power=2.0, log=1.0, constant=1.0):
    squares = ((x - picture) ** 2 * torch.exp(-power * s)).sum((1, 2, 3))
    pixels = x[0].numel()
    return -half * squares - pixels * (log * s + constant * 0.5 * math.log(2 * math.pi))


def _kl(mean, log_std, *, by=2.0, half=0.5, log=1.0):
    return (half * (torch.exp(by * log_std) + mean**2 - 1) - log * log_std).sum(1)


def _slip(rec=None, kl=None, total=lambda rec, kl: rec - kl, **options):
    """The three pieces with another reconstruction, KL or total."""

    def pieces(x, picture, log_std_x, mean, log_std):
        r = _likelihood(x, picture, log_std_x, **options)
        k = _kl(mean, log_std)
        r = rec(r, x, picture, log_std_x) if rec else r
        k = kl(k, mean, log_std) if kl else k
        return total(r, k), r, k

    return pieces


LOG_VARIANCE = "log σ is treated as log σ². The variance is not exp(log σ)."

ELBO_MISTAKES = {
    "The total adds the KL. A posterior far from the prior must cost.": _slip(
        total=lambda rec, kl: rec + kl
    ),
    "Your pieces are right; the total is minus the ELBO. The sign for training comes later.": _slip(
        total=lambda rec, kl: kl - rec
    ),
    "The KL has the wrong sign: it is never negative.": _slip(
        kl=lambda k, *_: -k, total=lambda rec, kl: rec + kl
    ),
    "The KL has the wrong sign, and so the total has, too.": _slip(kl=lambda k, *_: -k),
    "The reconstruction has the wrong sign: it is a log-likelihood, not an error.": _slip(
        rec=lambda r, *_: -r
    ),
    "You averaged the reconstruction over the pixels: log-likelihoods add up.": _slip(
        rec=lambda r, x, *_: r / x[0].numel()
    ),
    "You averaged the KL over the latents. Independent latents add their nats.": _slip(
        kl=lambda k, mean, _: k / mean.shape[1]
    ),
    "Both pieces are averaged, over pixels and over latents. Both are sums.": _slip(
        rec=lambda r, x, *_: r / x[0].numel(), kl=lambda k, mean, _: k / mean.shape[1]
    ),
    "The ½ is missing in front of the squared error.": _slip(half=1.0),
    "The squared error is divided by σ_x; look at the exponent of the normal density.": _slip(
        power=1.0
    ),
    "The squared error is not divided by anything: this is right for σ_x = 1 only.": _slip(
        power=0.0
    ),
    "The log σ_x of each pixel is missing in the reconstruction.": _slip(log=0.0),
    "log σ_x counts once per picture. It counts for each pixel.": _slip(
        rec=lambda r, x, p, s: r + (x[0].numel() - 1) * s
    ),
    "The sign of log σ_x is wrong: a wide density is a low one.": _slip(log=-1.0),
    "The constant with π is missing. It matters where nats are compared.": _slip(constant=0.0),
    "log σ_x and the constant with π are missing in the reconstruction.": _slip(
        log=0.0, constant=0.0
    ),
    "This is the squared error, not a log-likelihood.": _slip(
        half=1.0, power=0.0, log=0.0, constant=0.0
    ),
    f"In the reconstruction, {LOG_VARIANCE}": _slip(power=1.0, log=0.5),
    f"In the KL, {LOG_VARIANCE}": _slip(kl=lambda _, m, s: _kl(m, s, by=1.0, log=0.5)),
    "In the KL, the ½ is missing in front of the squares.": _slip(
        kl=lambda _, m, s: _kl(m, s, half=1.0)
    ),
    "In the KL, the sign of log σ is wrong: a narrow posterior must cost.": _slip(
        kl=lambda _, m, s: _kl(m, s, log=-1.0)
    ),
    "They stand in the wrong order: the total comes first.": (
        lambda *a: (elbo_pieces(*a)[1], elbo_pieces(*a)[2], elbo_pieces(*a)[0])
    ),
    "Return three things: the total and both pieces. Yours is the total alone.": (
        lambda *a: elbo_pieces(*a)[0]
    ),
}


def mixture(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each latent under the even mixture, by torch.distributions."""
    even = Categorical(logits=torch.zeros(len(mean), dtype=mean.dtype))
    mixed = MixtureSameFamily(even, Independent(Normal(mean, log_std.exp()), 1))
    return mixed.mean, mixed.variance


def _moments(mean, log_std, *, average=lambda t: t.mean(0), by=2.0, spread=1.0, apart=None):
    variance = spread * average(torch.exp(by * log_std))
    if apart is None:
        apart = mean.square().mean(0) - mean.mean(0) ** 2
    return average(mean), variance + apart


MIXTURE_MISTAKES = {
    "This is the second moment. The square of the mean is not subtracted.": (
        lambda m, s: _moments(m, s, apart=m.square().mean(0))
    ),
    "The spread of each posterior is missing: you have the variance of the means.": (
        lambda m, s: _moments(m, s, spread=0.0)
    ),
    "The spread of the means is missing: you average the variances of the posteriors.": (
        lambda m, s: _moments(m, s, apart=0.0)
    ),
    "You add standard deviations where variances belong: σ is not σ².": (
        lambda m, s: _moments(m, s, by=1.0)
    ),
    "You square the mean of σ. First square, then average.": (
        lambda m, s: (m.mean(0), s.exp().mean(0) ** 2 + _moments(m, s, spread=0.0)[1])
    ),
    "You add log σ, not a variance.": (
        lambda m, s: (m.mean(0), s.mean(0) + _moments(m, s, spread=0.0)[1])
    ),
    "The second is the standard deviation, not the variance.": (
        lambda m, s: (m.mean(0), _moments(m, s)[1].sqrt())
    ),
    "The variance of the means is over N - 1. The N posteriors are all of q(z), so divide by N.": (
        lambda m, s: _moments(m, s, apart=m.var(0))
    ),
    "The mean is subtracted, not its square.": (
        lambda m, s: _moments(m, s, apart=m.square().mean(0) - m.mean(0))
    ),
    "You subtract the mean of μ², not the square of the mean.": (
        lambda m, s: _moments(m, s, apart=0 * m[0])
    ),
    "You averaged over the latents, dimension 1. Each latent has moments of its own.": (
        lambda m, s: (m.mean(1), (m.square() + torch.exp(2 * s)).mean(1) - m.mean(1) ** 2)
    ),
    "You summed over the posteriors. The mixture is even: their average.": (
        lambda m, s: (m.sum(0), (m.square() + torch.exp(2 * s)).sum(0) - m.sum(0) ** 2)
    ),
    "The mean is summed over the posteriors, and their variances are added up. The mixture is "
    "even: all are averages.": (lambda m, s: (m.sum(0), len(m) * _moments(m, s)[1])),
    "They stand in the wrong order: first the mean.": lambda m, s: _moments(m, s)[::-1],
    "You averaged over the latents as well. Each latent has moments of its own.": (
        lambda m, s: tuple(part.mean() for part in _moments(m, s))
    ),
    "This is the second moment alone; the mean is missing.": (
        lambda m, s: (m.square() + torch.exp(2 * s)).mean(0)
    ),
}
