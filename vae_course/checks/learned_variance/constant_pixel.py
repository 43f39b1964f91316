"""Task 7: nats that a constant pixel earns, without noise and with it."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.learned_variance.likelihood import HALF_LOG_2PI


def widths(seed: int | None) -> list[tuple[Tensor, int]]:
    """(log_std, levels): σ from 0.2 to 3 grey levels; and far below one, and far above 1."""
    g = fresh(seed)
    counts = [torch.randint(a, b, (1,), generator=g).item() for a, b in ((3, 6), (4, 9), (9, 99))]
    cases = [
        (uniform(g, n, low=-1.6, high=1.1) - math.log(m), m)
        for n, m in zip((1, 4, 3), counts, strict=True)
    ]
    return [*cases, (torch.tensor([-9.0, 0.7, 4.0], dtype=torch.float64), 256)]


def each(log_std, levels, *, spread=1 / 12, half=0.5, by=2.0, per=2.0, log=1.0, constant=1.0,
         steps=0, always=None):  # fmt: skip
    """Both numbers with knobs; `spread` is the noise's second moment in grey levels²."""
    clean = -log * log_std - constant * HALF_LOG_2PI
    noise = spread / ((always or levels) + steps) ** per * torch.exp(-by * log_std)
    return clean, clean - half * noise


def _log_of_average(log_std, levels):
    u = ((torch.arange(2001, dtype=torch.float64) + 0.5) / 2001 - 0.5) / levels
    densities = Normal(0.0, log_std.exp()[:, None]).log_prob(u)
    return each(log_std, levels)[0], densities.logsumexp(1) - math.log(2001)


slip = turned(each, lambda pair: pair)
SLIPS = {
    "The noise changes nothing in your second number. But then it would not punish a small σ.": (
        slip(spread=0)
    ),
    "Both lack the constant with π. Without it these are not nats of a density.": (
        slip(constant=0)
    ),
    "In both, log 2π counts twice what it should: which power of 2π is in the density?": (
        slip(constant=2)
    ),
    "The sign of log σ is wrong: the smaller σ is, the more a sure pixel earns.": slip(log=-1),
    "log σ² stands where log σ belongs.": slip(log=2),
    "log σ has a ½ too many.": slip(log=0.5),
    "log σ is missing: then all σ would earn the same.": slip(log=0),
    "In both, you use log σ as if it were log σ².": (lambda s, n: each(s / 2, n)),
    "The first is right. In the second the ½ in front of the squares is missing.": slip(half=1),
    "The first is right. The noise lies between 0 and one level: its width is no variance.": (
        slip(spread=1.0)
    ),
    "The first is right. In the second the decoder paints the lower edge of the noise. Its middle "
    "earns more.": slip(spread=1 / 3),
    "The first is right. In the second, a square is divided by σ. What is the unit of a square?": (
        slip(by=1)
    ),
    "The first is right. In the second the squares are not divided by σ².": slip(by=0),
    "The first is right. A variance goes with the square of the noise's width.": slip(per=1),
    "The first is right. In the second the noise is as wide as a pixel's whole range. How wide is "
    "one level?": slip(per=0),
    "The first is right. In the second the noise is as wide as if there were one level fewer.": (
        slip(steps=-1)
    ),
    "The first is right. The second has a standard deviation where a variance belongs.": (
        slip(spread=12**-0.5, per=1)
    ),
    "The first is right. The second has half the noise's width where its standard deviation "
    "belongs.": slip(spread=1 / 4),
    "The first is right. In the second there are always 256 levels.": slip(always=256),
    "The first is right. In the second you average the density, and not its logarithm.": (
        _log_of_average
    ),
    "Noise makes errors, and errors cost: the sign of the second's last term is wrong.": (
        slip(half=-0.5)
    ),
    "The second is only what the noise costs. What is left of the first?": (
        lambda s, n: (each(s, n)[0], each(s, n, log=0, constant=0)[1])
    ),
    "These are densities. The logarithm is missing.": (
        lambda s, n: tuple(part.exp() for part in each(s, n))
    ),
}


@check(
    cases=widths,
    slips=SLIPS,
    results=("the pixel without noise", "the pixel with noise"),
    praise="Without noise the nats rise without end as σ falls. With it, there is a top.",
)
def constant_pixel(log_std: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Without noise, and averaged over it, (N,) each. Here: by trying the noise on a grid.

    It is even between 0 and one of `levels` grey levels; the decoder paints its middle.
    """
    u = (torch.arange(2001, dtype=torch.float64) + 0.5) / 2001 / levels
    std = log_std.exp()[:, None]
    return Normal(0.0, std).log_prob(0 * std)[:, 0], Normal(u.mean(), std).log_prob(u).mean(1)
