"""Log densities of pictures and latents with room for slips, and the names of the slips."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.nn.functional import logsigmoid

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def _each(x, mean, log_std, *, by=2.0, half=0.5, log=1.0, constant=1.0):
    """log N(x; mean, std²) of each pixel."""
    squares = half * (x - mean) ** 2 * torch.exp(-by * log_std)
    return -squares - log * log_std - constant * HALF_LOG_2PI


def _summed(**slip):
    return lambda x, m, s: _each(x, m, s, **slip).sum(1)


def _once(x, m, s):
    """Log σ and the constant added after the sum over pixels."""
    return _each(x, m, s, log=0, constant=0).sum(1) - (s + HALF_LOG_2PI if s.ndim == 0 else _own(s))


def _own(s):
    return s.sum(-1) + HALF_LOG_2PI * s.shape[-1]


ONCE = (
    "A constant is counted once for the picture. Every pixel has a density of its own, also where "
    "one σ serves them all: the constants come once a pixel."
)
GAUSSIAN_MISTAKES = {
    "Half of log 2π is missing. It changes no gradient here, but without it this is no density, "
    "and nothing to compare with another likelihood.": _summed(constant=0),
    "The log σ is missing: σ could grow without a price.": _summed(log=0),
    "Both constants are missing, log σ and the one with 2π: this is a squared error.": (
        _summed(log=0, constant=0)
    ),
    "This treats log σ as log σ², so your density is too wide or too narrow. What does `log_std` "
    "stand for?": (lambda x, m, s: _each(x, m, s / 2).sum(1)),
    "The squared distance is divided by σ. It must be measured in units of σ, then squared.": (
        _summed(by=1)
    ),
    "The squared distance is not divided by anything: it must be measured in units of σ.": (
        _summed(by=0)
    ),
    "The squared distance is multiplied by σ², not divided.": _summed(by=-2),
    "A ½ is missing in front of the squared distance.": _summed(half=1),
    "The sign of log σ is wrong: a wider density is lower.": _summed(log=-1),
    "Is the ½ missing in front of log 2π?": _summed(constant=2),
    "log 2π has the wrong sign.": _summed(constant=-1),
    "You averaged over the pixels. Independent pixels add their nats.": (
        lambda x, m, s: _each(x, m, s).mean(1)
    ),
    "You summed over the batch, not over the pixels, which are dimension 1.": (
        lambda x, m, s: _each(x, m, s).sum(0)
    ),
    "These are densities. The logarithm is missing.": lambda x, m, s: _each(x, m, s).sum(1).exp(),
    ONCE: _once,
    ONCE + " (It is the one with 2π.)": (
        lambda x, m, s: _each(x, m, s, constant=0).sum(1) - HALF_LOG_2PI
    ),
    ONCE + " (It is log σ.)": (
        lambda x, m, s: _each(x, m, s, log=0).sum(1) - (s.sum(-1) if s.ndim else s)
    ),
}

BERNOULLI_MISTAKES = {
    "Black pixels are left out: where x is 0, the chance of that counts, too.": (
        lambda x, a: (x * logsigmoid(a)).sum(1)
    ),
    "White pixels are left out: where x is 1, the chance of that counts, too.": (
        lambda x, a: ((1 - x) * logsigmoid(-a)).sum(1)
    ),
    "x and 1 - x are swapped: a large logit means a white pixel.": (
        lambda x, a: (x * logsigmoid(-a) + (1 - x) * logsigmoid(a)).sum(1)
    ),
    "This is the cross-entropy, a loss: a log-likelihood has the other sign.": (
        lambda x, a: -(x * logsigmoid(a) + (1 - x) * logsigmoid(-a)).sum(1)
    ),
    "You averaged over the pixels (the default of PyTorch's losses). Pixels add their nats.": (
        lambda x, a: (x * logsigmoid(a) + (1 - x) * logsigmoid(-a)).mean(1)
    ),
    "This is averaged over everything, and minus the log-likelihood: the default of PyTorch's "
    "losses. Here each picture has its own sum.": (
        lambda x, a: -(x * logsigmoid(a) + (1 - x) * logsigmoid(-a)).mean()
    ),
    "This is averaged over everything. Here each picture has its own sum.": (
        lambda x, a: (x * logsigmoid(a) + (1 - x) * logsigmoid(-a)).mean()
    ),
    "You summed over the batch, not over the pixels, which are dimension 1.": (
        lambda x, a: (x * logsigmoid(a) + (1 - x) * logsigmoid(-a)).sum(0)
    ),
    "The sigmoid is applied twice: what comes in are logits, and the loss takes logits.": (
        lambda x, a: (x * logsigmoid(a.sigmoid()) + (1 - x) * logsigmoid(-a.sigmoid())).sum(1)
    ),
    "These are probabilities. The logarithm is missing.": (
        lambda x, a: (x * a.sigmoid() + (1 - x) * (-a).sigmoid()).sum(1)
    ),
}


def joint(x: Tensor, z: Tensor, decode: Callable, log_std: float) -> Tensor:
    """log p(x|z) + log p(z) by torch.distributions: (K, batch)."""
    return _likelihood(x, z, decode, log_std) + _prior(z)


def _likelihood(x, z, decode, log_std):
    return Independent(Normal(decode(z), math.exp(log_std)), 1).log_prob(x)


def _prior(z):
    return Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)


JOINT_MISTAKES = {
    "This is log p(x|z) alone. The joint needs the prior of z, too.": _likelihood,
    "This is log p(z) alone. The joint needs the likelihood of x, too.": lambda x, z, f, s: _prior(
        z
    ),
    "The prior is subtracted. A product of densities is a sum of logarithms.": (
        lambda x, z, f, s: _likelihood(x, z, f, s) - _prior(z)
    ),
    "The constant of the prior is missing: the log of a density, not only its square.": (
        lambda x, z, f, s: joint(x, z, f, s) + z.shape[-1] * HALF_LOG_2PI
    ),
    "The constant of the likelihood is missing.": (
        lambda x, z, f, s: joint(x, z, f, s) + x.shape[-1] * (s + HALF_LOG_2PI)
    ),
    "Both constants with 2π are missing.": (
        lambda x, z, f, s: joint(x, z, f, s) + (x.shape[-1] + z.shape[-1]) * HALF_LOG_2PI
    ),
    "No constant is there, neither of the prior nor of the likelihood.": lambda x, z, f, s: (
        joint(x, z, f, s) + (x.shape[-1] + z.shape[-1]) * HALF_LOG_2PI + x.shape[-1] * s
    ),
    "You averaged over the latents. Independent latents add their nats.": (
        lambda x, z, f, s: _likelihood(x, z, f, s) + _prior(z) / z.shape[-1]
    ),
    "You averaged over the pixels. Independent pixels add their nats.": (
        lambda x, z, f, s: _likelihood(x, z, f, s) / x.shape[-1] + _prior(z)
    ),
    "You averaged over pixels and latents. Independent numbers add their nats.": (
        lambda x, z, f, s: _likelihood(x, z, f, s) / x.shape[-1] + _prior(z) / z.shape[-1]
    ),
    "This treats log σ as log σ². What does `log_std` stand for?": (
        lambda x, z, f, s: joint(x, z, f, s / 2)
    ),
    "You summed over the draws. Keep one number for each draw and each picture.": (
        lambda x, z, f, s: joint(x, z, f, s).sum(0)
    ),
    "You averaged over the draws. Keep one number for each draw and each picture.": (
        lambda x, z, f, s: joint(x, z, f, s).mean(0)
    ),
    "These are densities. The logarithm is missing.": lambda x, z, f, s: joint(x, z, f, s).exp(),
}
