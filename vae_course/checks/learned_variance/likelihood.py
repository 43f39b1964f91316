"""Task 1: minus the log-likelihood of pictures under one σ for all pixels."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Then

PICTURES = ((1, 1, 2, 3), (4, 1, 1, 2), (2, 3, 2, 2), (5, 1, 2, 2))
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
EXTREMES = (-9.0, 4.0, -20.0, 20.0)


def pictures(seed: int | None) -> list[tuple]:
    """(x, mean, log_std): two batches of pictures, the second not from 0 to 1, and one number."""
    g = fresh(seed)
    sizes = uniform(g, len(PICTURES), low=-1.6, high=-0.4)
    return [
        (uniform(g, *s), uniform(g, *s, low=-1.0, high=2.0), t)
        for s, t in zip(PICTURES, sizes, strict=True)
    ]


def extreme(seed: int | None) -> list[tuple]:
    """The same with a σ far below 1, where the density is high and the loss below 0, or above."""
    g, shape = fresh(seed), (3, 1, 2, 2)
    made = []
    for log_std in EXTREMES:
        x = uniform(g, *shape)
        size = torch.tensor(log_std, dtype=torch.float64)
        made.append((x, x + size.exp() * normal(g, *shape), size))
    return made


def each(x, mean, s, *, half=0.5, by=2.0, log=1.0, constant=1.0, squares=1.0):
    """The nats of each pixel, with knobs. ONCE is the share of a pixel in what counts once."""
    log, constant, squares = (
        1 / x[0].numel() if knob == ONCE else knob for knob in (log, constant, squares)
    )
    fit = squares * half * (x - mean) ** 2 * torch.exp(-by * s)
    return fit + log * s + constant * HALF_LOG_2PI


ONCE = "once per picture"
slip = turned(each, lambda nats: nats.sum((1, 2, 3)))
SLIPS = {
    "The ½ stands in front of log σ, too. That is a slip of the chapter, and a hidden β.": (
        slip(log=0.5)
    ),
    "The ½ is missing in front of the squares: the σ that you learn would be too large.": (
        slip(half=1.0)
    ),
    "The constant with π is missing. No slope needs it, but without it these nats cannot be "
    "compared with anybody's.": slip(constant=0.0),
    "log 2π counts twice what it should: which power of 2π is in the density?": slip(constant=2.0),
    "log σ is missing: then σ grows without end, because nothing stops it.": slip(log=0.0),
    "The sign of log σ is wrong: a wide density is a low one, so a large σ must cost.": (
        slip(log=-1.0)
    ),
    "log σ counts twice. It is log σ that you are given, not log σ².": slip(log=2.0),
    "The constant with π counts once per picture. Each pixel has a density of its own.": (
        slip(constant=ONCE)
    ),
    "log σ counts once per picture. One σ serves all pixels, but each pixel pays for it.": (
        slip(log=ONCE)
    ),
    "This treats log σ as log σ²: the variance is not exp(log σ).": slip(by=1.0, log=0.5),
    "Everywhere σ² stands where σ belongs: exp(log σ) is σ already.": (slip(by=4.0, log=2.0)),
    "The squares are divided by σ. What is the unit of a square?": slip(by=1.0),
    "The squares are not divided by anything: this is right for σ = 1 only.": slip(by=0.0),
    "The squares are multiplied by σ², not divided.": slip(by=-2.0),
    "You averaged over the pixels. That is the slip that switches a code off: nats add up.": (
        slip(lambda nats: nats.mean((1, 2, 3)))
    ),
    "You summed over the channels, but averaged over the rest. Each number of a picture counts.": (
        slip(lambda nats: nats.sum(1).mean((1, 2)))
    ),
    "Your squared error is a mean over the pixels, and the rest is a sum.": slip(squares=ONCE),
    "Your error is an average size. A normal density asks for squares.": (
        lambda x, m, s: each(x, x + (x - m).abs().sqrt(), s).sum((1, 2, 3))
    ),
    "This is the log-likelihood. A loss falls when the pictures get better: look at the sign.": (
        Then(lambda nats: -nats)
    ),
}


@check(
    cases=pictures,
    extreme=extreme,
    astray="It is right for moderate σ, but not where log σ is -9 or -20, or 4, or 20. Is anything "
    "clamped, or added to the variance? Or made positive? A density may be above 1, and then the "
    "loss is below 0.",
    slips=SLIPS,
    gradients=("mean", "log_std"),
    praise="Values and slopes agree with torch.distributions. With this loss σ can be learned.",
)
def likelihood(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """-log N(x; mean, std²), (batch, C, H, W) -> (batch,), nats; `log_std` is one number."""
    return -Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))
