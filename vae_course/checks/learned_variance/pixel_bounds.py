"""What a grey or a constant pixel can earn at best, and the slips on the way to that number."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.learned_variance.shared_noise import PICTURES

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def grey_pictures(seed: int | None) -> list[tuple]:
    """Pictures with grey pixels, one of 0 and one of 1."""
    g = fresh(seed)
    made = [uniform(g, *shape, low=0.02, high=0.98) for shape in PICTURES]
    for x in made:
        x[0, 0, 0, 0], x[-1, 0, -1, -1] = 0.0, 1.0
    return [(x,) for x in made]


def floor(x: Tensor) -> Tensor:
    return Bernoulli(x).entropy().sum((1, 2, 3))


def _entropy(x: Tensor) -> Tensor:
    return binary_cross_entropy(x, x, reduction="none")


FLOOR_MISTAKES = {
    "You averaged over the pixels. Their nats add.": lambda x: _entropy(x).mean((1, 2, 3)),
    "This is in bits. The loss is in nats: which logarithm does it use?": (
        lambda x: _entropy(x).sum((1, 2, 3)) / math.log(2)
    ),
    "Only the part of the ink is there. A grey pixel is also partly black.": (
        lambda x: -torch.xlogy(x, x).sum((1, 2, 3))
    ),
    "Only the black part is there. A grey pixel is also partly ink.": (
        lambda x: -torch.xlogy(1 - x, 1 - x).sum((1, 2, 3))
    ),
    "The picture went in as logits. The decoder would give its logits; you have its chances.": (
        lambda x: binary_cross_entropy_with_logits(x, x, reduction="none").sum((1, 2, 3))
    ),
    "This is the loss of an even guess, ½ for every pixel. A decoder can do better.": (
        lambda x: 0 * x.sum((1, 2, 3)) + x[0].numel() * math.log(2)
    ),
    "This says that there is no floor. Try one grey pixel.": lambda x: 0 * x.sum((1, 2, 3)),
    "This is the floor for one picture for all. The decoder may give each its own.": (
        lambda x: binary_cross_entropy(x.mean(0).expand_as(x), x, reduction="none").sum((1, 2, 3))
    ),
    "This is the entropy of the average pixel, times their number. Each pixel has its own.": (
        lambda x: _entropy(x.mean((1, 2, 3))) * x[0].numel()
    ),
    "This is a variance, not an entropy.": lambda x: (x * (1 - x)).sum((1, 2, 3)),
    "This is one number for each pixel. The loss is one for each picture.": _entropy,
}


def constant_cases(seed: int | None) -> list[tuple]:
    """(log_std, levels): σ from 0.2 to 3 grey levels."""
    g = fresh(seed)
    counts = [torch.randint(a, b, (1,), generator=g).item() for a, b in ((3, 6), (4, 9), (9, 99))]
    ranges = [
        uniform(g, n, low=-1.6, high=1.1) - math.log(m)
        for n, m in zip((1, 4, 3), counts, strict=True)
    ]
    return list(zip(ranges, counts, strict=True))


def earned(log_std: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Without noise, and averaged over it, on a grid."""
    u = (torch.arange(2001, dtype=torch.float64) + 0.5) / 2001 / levels
    std = log_std.exp()[:, None]
    return Normal(0.0, std).log_prob(0 * std)[:, 0], Normal(u.mean(), std).log_prob(u).mean(1)


def _earned(*, spread=1 / 12, half=0.5, by=2.0, per=2.0, log=1.0, constant=1.0, steps=0):
    """Both numbers with room for slips; `spread` is the noise's second moment in grey levels²."""

    def slipped(log_std, levels):
        clean = -log * log_std - constant * HALF_LOG_2PI
        noise = spread / (levels + steps) ** per * torch.exp(-by * log_std)
        return clean, clean - half * noise

    return slipped


def _log_of_average(log_std, levels):
    u = ((torch.arange(2001, dtype=torch.float64) + 0.5) / 2001 - 0.5) / levels
    densities = Normal(0.0, log_std.exp()[:, None]).log_prob(u).exp()
    return _earned()(log_std, levels)[0], densities.mean(1).log()


EARNED_MISTAKES = {
    "The noise changes nothing in your second number. But then it would not punish a small σ.": (
        _earned(spread=0)
    ),
    "Both lack the constant with π. Without it these are not nats of a density.": (
        _earned(constant=0)
    ),
    "The sign of log σ is wrong: the smaller σ is, the more a sure pixel earns.": _earned(log=-1),
    "log σ² stands where log σ belongs.": _earned(log=2),
    "log σ has a ½ too many.": _earned(log=0.5),
    "The first is right. In the second the ½ in front of the squares is missing.": _earned(half=1),
    "The first is right. The noise lies between 0 and one level: its width is no variance.": (
        _earned(spread=1.0)
    ),
    "The first is right. In the second the decoder paints the lower edge of the noise. Its middle "
    "earns more.": _earned(spread=1 / 3),
    "The first is right. In the second, a square is divided by σ. What is the unit of a square?": (
        _earned(by=1)
    ),
    "The first is right. In the second the squares are not divided by σ².": _earned(by=0),
    "The first is right. A variance goes with the square of the noise's width.": _earned(per=1),
    "The first is right. In the second the noise is as wide as if there were one level fewer.": (
        _earned(steps=-1)
    ),
    "The first is right. The second has a standard deviation where a variance belongs.": (
        _earned(spread=12**-0.5, per=1)
    ),
    "The first is right. The second has half the noise's width where its standard deviation "
    "belongs.": _earned(spread=1 / 4),
    "The first is right. In the second there are always 256 levels.": (
        lambda s, n: (_earned()(s, n)[0], _earned()(s, 256)[1])
    ),
    "The first is right. In the second you average the density, and not its logarithm.": (
        _log_of_average
    ),
    "Noise makes errors, and errors cost: the sign of the second's last term is wrong.": (
        _earned(half=-0.5)
    ),
    "These are densities. The logarithm is missing.": (
        lambda s, n: tuple(part.exp() for part in _earned()(s, n))
    ),
    "They stand in the wrong order: first the pixel without noise.": (
        lambda s, n: _earned()(s, n)[::-1]
    ),
}
