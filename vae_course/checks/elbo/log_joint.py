"""Task 3: the joint, log p(x|z) + log p(z), for K draws of z."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from vae_course.checks.elbo.gaussian import HALF_LOG_2PI
from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform

ASTRAY = (
    "It is right for moderate σ and z, but not where log σ is -9 or 6, or z is near 30. Is "
    "something clamped, or is a small number added?"
)


def case(g, draws, batch, pixels, latents, log_std, far=1.0) -> tuple:
    weight, z = normal(g, latents, pixels), normal(g, draws, batch, latents, scale=far)
    return normal(g, batch, pixels), z, lambda z: torch.tanh(z @ weight), log_std


def ordinary(seed: int | None) -> list[tuple]:
    """(x, z, decode, log_std)."""
    g = fresh(seed)
    sizes = ((1, 3, 4, 2), (5, 1, 2, 3), (3, 2, 6, 1), (2, 4, 3, 5))
    return [case(g, *size, uniform(g, 1, low=-1.2, high=-0.3).item()) for size in sizes]


def extreme(seed: int | None) -> list[tuple]:
    """Sure and unsure; x lies within a few σ of the mean, so that no term hides another."""
    g, cases = fresh(seed), []
    for log_std, far in ((-9.0, 1.0), (6.0, 1.0), (0.0, 30.0)):
        _, z, _, _ = case(g, 2, 3, 2, 2, log_std, far)
        x = math.exp(log_std) * normal(g, 3, 2)
        cases.append((x, z, lambda z: 0 * z, log_std))
    return cases


def pieces(
    x,
    z,
    decode,
    s,
    *,
    by=2.0,
    half=0.5,
    log=1.0,
    constant=1.0,
    pixels=lambda nats: nats.sum(-1),
    x_counts=1.0,
    z_half=0.5,
    z_constant=1.0,
    latents=lambda nats: nats.sum(-1),
    z_counts=1.0,
):
    """log p(x|z) + log p(z), with knobs."""
    squares = half * (x - decode(z)) ** 2 * math.exp(-by * s)
    likelihood = pixels(-squares - log * s - constant * HALF_LOG_2PI)
    prior = latents(-z_half * z**2 - z_constant * HALF_LOG_2PI)
    return x_counts * likelihood + z_counts * prior


slip = turned(pieces, lambda nats: nats)
SLIPS = {
    "This is log p(x|z) alone. The joint needs the prior of z, too.": slip(z_counts=0.0),
    "This is log p(z) alone. The joint needs the likelihood of x, too.": slip(x_counts=0.0),
    "The prior is subtracted. A product of densities is a sum of logarithms.": slip(z_counts=-1.0),
    "The likelihood has the wrong sign: it is no error.": slip(x_counts=-1.0),
    "The constant of the prior is missing: the log of a density, not only its square.": (
        slip(z_constant=0.0)
    ),
    "The constants of the likelihood are missing, log σ and the one with 2π.": (
        slip(log=0.0, constant=0.0)
    ),
    "The constant with 2π of the likelihood is missing.": slip(constant=0.0),
    "The log σ of each pixel is missing.": slip(log=0.0),
    "The sign of log σ is wrong: a wider density is lower.": slip(log=-1.0),
    "Both constants with 2π are missing.": slip(constant=0.0, z_constant=0.0),
    "No constant is there, neither of the prior nor of the likelihood.": (
        slip(log=0.0, constant=0.0, z_constant=0.0)
    ),
    "A ½ is missing in front of the squared distance of x.": slip(half=1.0),
    "A ½ is missing in front of the square of z.": slip(z_half=1.0),
    "The square of z has the wrong sign: far from 0, the prior is low.": slip(z_half=-0.5),
    "The squared distance of x is divided by σ. It must be measured in units of σ, then squared.": (
        slip(by=1.0)
    ),
    "The squared distance of x is not measured in units of σ.": slip(by=0.0),
    "You averaged over the latents. Independent latents add their nats.": (
        slip(latents=lambda nats: nats.mean(-1))
    ),
    "You averaged over the pixels. Independent pixels add their nats.": (
        slip(pixels=lambda nats: nats.mean(-1))
    ),
    "You averaged over pixels and latents. Independent numbers add their nats.": (
        slip(latents=lambda nats: nats.mean(-1), pixels=lambda nats: nats.mean(-1))
    ),
    "The prior is summed over all draws and pictures, too. Sum over its last dimension alone.": (
        slip(latents=lambda nats: nats.sum())
    ),
    "This treats log σ as log σ². What does `log_std` stand for?": slip(by=1.0, log=0.5),
    "You summed over the draws. Keep one number for each draw and each picture.": (
        slip(lambda nats: nats.sum(0))
    ),
    "You averaged over the draws. Keep one number for each draw and each picture.": (
        slip(lambda nats: nats.mean(0))
    ),
    "These are densities. The logarithm is missing.": slip(torch.exp),
}


@check(
    cases=ordinary,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("z",),
    praise="One number for each draw and each picture. Everything else in this chapter uses it.",
)
def log_joint(x: Tensor, z: Tensor, decode: Callable, log_std: float) -> Tensor:
    """(batch, pixels), (K, batch, latent_dim), the mean's function and a number -> (K, batch)."""
    likelihood = Independent(Normal(decode(z), math.exp(log_std)), 1).log_prob(x)
    return likelihood + Independent(Normal(torch.zeros_like(z), torch.ones_like(z)), 1).log_prob(z)
