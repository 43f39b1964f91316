"""Task 1: a Gaussian likelihood with all its constants."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import SIZES, fresh, normal, uniform
from vae_course.checks.judging.together import Then

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
SHAPES = (1, 3), (), (5, 1), (6,), (3, 4)  # of log_std
ASTRAY = (
    "It is right for moderate σ, but not where log σ is -6 or 20. Is something clamped, or "
    "is a small number added inside a logarithm or below a fraction?"
)


def ordinary(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(x, mean, log_std), with a σ for all, for each picture, for each pixel, and for each."""
    g, cases = fresh(seed), []
    for (batch, pixels), shape in zip((*SIZES, (3, 4)), SHAPES, strict=True):
        pair = normal(g, batch, pixels), normal(g, batch, pixels)
        log_std = uniform(g, batch, pixels, low=-1.5, high=0.8).flatten()
        cases.append((*pair, log_std[: math.prod(shape)].reshape(shape)))
    return cases


def extreme(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of every picture a σ of its own; x is 0, so that a float32 inside is as good as ever.

    With a small σ, the distance is such that the logarithm of the density is near 0: there no
    relative tolerance hides a small number. (`gaussian_nll_loss` is right down to log σ = -6.9.)
    """
    g = fresh(seed)
    log_std = torch.tensor([[-6.0], [20.0]]).double() + uniform(g, 2, 2, high=0.5)
    distance = torch.cat([(-2 * (log_std[:1] + HALF_LOG_2PI)).sqrt(), normal(g, 1, 2)])
    far = uniform(g, 1, 2, low=15, high=40)
    return [(0 * distance, distance * log_std.exp(), log_std), (0 * far, far, 0 * far)]


def each(x, mean, s, *, by=2.0, half=0.5, log=1.0, constant=1.0, power=2):
    """log N(x; mean, std²) of each pixel, with knobs."""
    squares = half * (x - mean) ** power * torch.exp(-by * s)
    return -squares - log * s - constant * HALF_LOG_2PI


def once(log: bool, constant: bool):
    """Log σ or the constant, or both, added after the sum over pixels."""

    def slip(x, mean, s):
        total = each(x, mean, s, log=not log, constant=not constant).sum(1)
        if log:
            total = total - (s.sum(-1) if s.ndim else s)
        return total - constant * HALF_LOG_2PI

    return slip


def own_constants(x, mean, s):
    """Both added as often as log_std has numbers for a picture."""
    count = s.shape[-1] if s.ndim else 1
    total = each(x, mean, s, log=0, constant=0).sum(1)
    return total - (s.sum(-1) if s.ndim else s) - count * HALF_LOG_2PI


ONCE = (
    "A constant is counted once for the picture. Every pixel has a density of its own, also where "
    "one σ serves them all: the constants come once a pixel."
)
slip = turned(each, lambda nats: nats.sum(1))
SLIPS = {
    "Half of log 2π is missing. It changes no gradient here, but without it this is no density, "
    "and nothing to compare with another likelihood.": slip(constant=0),
    "The log σ is missing: σ could grow without a price.": slip(log=0),
    "Both constants are missing, log σ and the one with 2π: this is a squared error.": (
        slip(log=0, constant=0)
    ),
    "This treats log σ as log σ², so your density is too wide or too narrow. What does `log_std` "
    "stand for?": slip(by=1, log=0.5),
    "The squared distance is divided by σ. It must be measured in units of σ, then squared.": (
        slip(by=1)
    ),
    "The squared distance is not divided by anything: it must be measured in units of σ.": (
        slip(by=0)
    ),
    "The squared distance is multiplied by σ², not divided.": slip(by=-2),
    "A ½ is missing in front of the squared distance.": slip(half=1),
    "The squared distance has the wrong sign: far from the mean, a density is low.": (
        slip(half=-0.5)
    ),
    "The distance is not squared.": slip(power=1),
    "The sign of log σ is wrong: a wider density is lower.": slip(log=-1),
    "log σ has a ½ too many. The ½ that you may have seen there belongs to log σ².": slip(log=0.5),
    "log σ counts twice. It is log σ that comes in, not log σ².": slip(log=2),
    "Is the ½ missing in front of log 2π?": slip(constant=2),
    "log 2π has the wrong sign.": slip(constant=-1),
    "You averaged over the pixels. Independent pixels add their nats.": (
        slip(lambda nats: nats.mean(1))
    ),
    "You summed over the batch, not over the pixels, which are dimension 1.": (
        slip(lambda nats: nats.sum(0))
    ),
    "These are densities. The logarithm is missing.": Then(torch.exp),
    ONCE: once(log=True, constant=True),
    ONCE + " Or once for each number of log σ.": own_constants,
    ONCE + " (It is the one with 2π.)": once(log=False, constant=True),
    ONCE + " (It is log σ.)": once(log=True, constant=False),
}


@check(
    cases=ordinary,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("mean", "log_std"),
    praise="A density with all its constants, for one σ, one a picture, and one a pixel.",
)
def gaussian(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log N(x; mean, std²), (batch, pixels) -> (batch,), nats. `log_std` broadcasts to x."""
    return Normal(mean, log_std.exp()).log_prob(x).sum(1)
