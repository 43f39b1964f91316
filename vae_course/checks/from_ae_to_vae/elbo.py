"""Task 1: the ELBO of each picture, and both of its pieces."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform
from vae_course.checks.judging.together import Then

CHANNELS = 2, 1, 2, 3
LOG_VARIANCE = "log σ is treated as log σ². The variance is not exp(log σ)."
ASTRAY = (
    "It is right for moderate σ, but not where log σ is -40, -9, -7 or 20. Is something clamped, "
    "or is a small number added inside a logarithm or below a fraction?"
)


def ordinary(seed: int | None) -> list[tuple[Tensor, ...]]:
    """(x, picture, log_std_x, mean, log_std), grey and colour."""
    g, cases = fresh(seed), []
    for (mean, log_std), channels in zip(posteriors(seed), CHANNELS, strict=True):
        shape = len(mean), channels, 3, 2
        log_std_x = uniform(g, 1, low=-1.4, high=-0.5)[0]
        cases.append((uniform(g, *shape), normal(g, *shape), log_std_x, mean, log_std))
    return cases


def extreme(seed: int | None) -> list[tuple[Tensor, ...]]:
    """Very sure and very unsure, each picture in its own way, so that no term hides another.

    The pictures are black, so that a float32 inside is as good as ever.
    """
    g, cases = fresh(seed), []
    for log_std_x, far in ((-7.0, 1.0), (8.0, 30.0)):
        picture = math.exp(log_std_x) * normal(g, 3, 2, 3, 2)
        log_std = torch.tensor([[-40.0, -39.0], [-9.0, -9.0], [20.0, 19.0]]).double()
        mean = far * normal(g, 3, 2)
        cases.append((0 * picture, picture, torch.tensor(log_std_x).double(), mean, log_std))
    return cases


def pieces(
    x,
    picture,
    s,
    mean,
    log_std,
    *,
    half=0.5,
    power=2.0,
    log=1.0,
    logs=1.0,
    constant=1.0,
    over=lambda each: each.sum((1, 2, 3)),
    rec=1.0,
    kl_half=0.5,
    by=2.0,
    kl_log=1.0,
    across=lambda each: each.sum(1),
    kl=1.0,
    signs=(1.0, -1.0),
):
    """Total, reconstruction and KL, with knobs. `logs` is the share of pixels with a log σ_x."""
    squares = half * (x - picture) ** 2 * torch.exp(-power * s)
    r = rec * over(-squares - log * logs * s - constant * 0.5 * math.log(2 * math.pi))
    k = kl * across(kl_half * (torch.exp(by * log_std) + mean**2 - 1) - kl_log * log_std)
    return signs[0] * r + signs[1] * k, r, k


def log_once(x, picture, s, mean, log_std):
    return pieces(x, picture, s, mean, log_std, logs=1 / x[0].numel())


slip = turned(pieces, lambda found: found)
SLIPS = {
    "The total adds the KL. A posterior far from the prior must cost.": slip(signs=(1.0, 1.0)),
    "Your pieces are right; the total is minus the ELBO. The sign for training comes later.": (
        slip(signs=(-1.0, 1.0))
    ),
    "The KL has the wrong sign: it is never negative.": slip(kl=-1.0, signs=(1.0, 1.0)),
    "The KL has the wrong sign, and so the total has, too.": slip(kl=-1.0),
    "The reconstruction has the wrong sign: it is a log-likelihood, not an error.": slip(rec=-1.0),
    "You averaged the reconstruction over the pixels: log-likelihoods add up.": (
        slip(over=lambda each: each.mean((1, 2, 3)))
    ),
    "You averaged the reconstruction over the channels. A channel counts as a pixel does.": (
        slip(over=lambda each: each.mean(1).sum((1, 2)))
    ),
    "You averaged the KL over the latents. Independent latents add their nats.": (
        slip(across=lambda each: each.mean(1))
    ),
    "The ½ is missing in front of the squared error.": slip(half=1.0),
    "The squared error is divided by σ_x; look at the exponent of the normal density.": (
        slip(power=1.0)
    ),
    "The squared error is not divided by anything: this is right for σ_x = 1 only.": (
        slip(power=0.0)
    ),
    "The squared error is multiplied by σ_x², not divided.": slip(power=-2.0),
    "The log σ_x of each pixel is missing in the reconstruction.": slip(log=0.0),
    "log σ_x counts once per picture. It counts for each pixel.": log_once,
    "The sign of log σ_x is wrong: a wide density is a low one.": slip(log=-1.0),
    "log σ_x has a ½ too many or a 2: that would be for log σ².": slip(log=2.0),
    "The constant with π is missing. It matters where nats are compared.": slip(constant=0.0),
    "The constant with π has the wrong sign.": slip(constant=-1.0),
    "The constant with π is twice what it should be: is its ½ missing?": slip(constant=2.0),
    "This is the squared error, not a log-likelihood.": (
        slip(half=1.0, power=0.0, log=0.0, constant=0.0)
    ),
    "This is the squared error, not a log-likelihood, and an error at that: a plus.": (
        slip(half=1.0, power=0.0, log=0.0, constant=0.0, rec=-1.0)
    ),
    f"In the reconstruction, {LOG_VARIANCE}": slip(power=1.0, log=0.5),
    f"In the KL, {LOG_VARIANCE}": slip(by=1.0, kl_log=0.5),
    "In the KL, the ½ is missing in front of the squares.": slip(kl_half=1.0),
    "In the KL, the sign of log σ is wrong: a narrow posterior must cost.": slip(kl_log=-1.0),
    "In the KL, log σ is missing: a narrow posterior must cost.": slip(kl_log=0.0),
    "In the KL, the exponent of σ² has lost its 2: what comes in is log σ.": slip(by=1.0),
    "They stand in the wrong order: the total comes first.": (
        Then(lambda found: (found[1], found[2], found[0]))
    ),
    "KL and reconstruction are exchanged: the reconstruction stands in the middle.": (
        Then(lambda found: (found[0], found[2], found[1]))
    ),
    "Return three things: the total and both pieces. Yours is the total alone.": (
        Then(lambda found: found[0])
    ),
}


@check(
    cases=ordinary,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    results=("the total", "the reconstruction", "the KL"),
    ordered=False,  # they have sentences of their own
    gradients=("picture", "log_std_x", "mean", "log_std"),
    praise="Three numbers per picture, in nats, and all agree with torch.distributions.",
)
def elbo(x: Tensor, picture: Tensor, log_std_x: Tensor, mean: Tensor, log_std: Tensor):
    """ELBO, reconstruction and KL of each picture: x (batch, C, H, W) -> (batch,) each, nats."""
    reconstruction = Normal(picture, log_std_x.exp()).log_prob(x).sum((1, 2, 3))
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
    return reconstruction - kl, reconstruction, kl
