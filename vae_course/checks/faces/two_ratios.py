"""Task 4: σ over RMSE, and the second moment of codes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform

SIZES = (((3, 2, 4, 5), 3), ((1, 3, 2, 2), 4), ((5, 1, 3, 4), 2))


ASTRAY = (
    "It is right for moderate σ, but not where log σ is near -9, 4 or 8. Is something clamped, or "
    "added inside a root or below a fraction?"
)


def models(seed: int | None) -> list[tuple[Tensor, ...]]:
    """(x, mean, log_std, q_mean, q_log_std); σ differs from pixel to pixel, errors do not add up
    to 0, and the codes are not centred."""
    g, cases = fresh(seed), []
    for shape, latents in SIZES:
        x = uniform(g, *shape)
        log_std = uniform(g, *shape, low=-3.0, high=0.3)
        codes = (shape[0], latents)
        q = normal(g, *codes) + 0.7, uniform(g, *codes, low=-2.0, high=0.5)
        cases.append((x, x - 0.1 + normal(g, *shape, scale=0.3), log_std, *q))
    return cases


def far_from_one(seed: int | None) -> list[tuple[Tensor, ...]]:
    """The same, with σ and errors near e^-9 or e^4, and codes that are as wide as e^4 or e^8."""
    found = []
    for by, (x, mean, log_std, q_mean, q_log_std) in zip(
        (-8.0, 5.0, -8.0), models(seed), strict=True
    ):
        codes = 4.0 if by < 0 else 8.0
        error = (mean - x) * math.exp(by)
        found.append((0 * x, error, log_std + by, q_mean * math.exp(codes), q_log_std + codes))
    return found


def rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


def first(ratio: Callable) -> Callable:
    """`ratio(σ, error)`, each of the pictures' shape."""
    return lambda x, m, s, *q: (ratio(s.exp(), x - m), two_ratios.right(x, m, s, *q)[1])


def second(moment: Callable) -> Callable:
    """`moment(μ, σ)`, each (batch, latents)."""
    return lambda x, m, s, *q: (two_ratios.right(x, m, s, *q)[0], moment(q[0], q[1].exp()))


def per_picture(std, error):
    means = (v.square().flatten(1).mean(1) for v in (std, error))
    return torch.div(*means).sqrt().mean()


SLIPS = {
    "In the first, σ is averaged before it is squared. A few uncertain pixels weigh more than that "
    "in a root mean square.": first(lambda s, e: s.mean() / rms(e)),
    "In the first, log σ is averaged. Take the root of the mean square of σ itself.": (
        first(lambda s, e: s.log().mean().exp() / rms(e))
    ),
    "In the first, you use log σ as if it were log σ².": (
        first(lambda s, e: rms(s.sqrt()) / rms(e))
    ),
    "In both, you use log σ as if it were log σ².": lambda x, m, s, q, t: two_ratios.right(
        x, m, s / 2, q, t / 2
    ),
    "In both, σ is still a logarithm.": lambda x, m, s, q, t: (
        rms(s) / rms(x - m),
        (q**2 + t**2).mean(),
    ),
    "In the first, σ is still a logarithm.": first(lambda s, e: rms(s.log()) / rms(e)),
    "The first is a ratio of variances: its root is missing.": (
        first(lambda s, e: (rms(s) / rms(e)) ** 2)
    ),
    "The first is upside down: σ over the error.": first(lambda s, e: rms(e) / rms(s)),
    "In the first, each pixel is divided by itself, and then averaged. Average first: σ² over all "
    "pixels, squared errors over all pixels.": first(lambda s, e: (s / e.abs()).mean()),
    "In the first, you look at error/σ, pixel by pixel. That is another question, which a right "
    "loss answers with 1, too.": first(lambda s, e: rms(e / s)),
    "In the first, the inverse of error/σ, pixel by pixel, is another question, which a right loss "
    "answers with 1, too.": first(lambda s, e: 1 / rms(e / s)),
    "In the first, every picture has its own ratio. Average over all pictures before you divide.": (
        first(per_picture)
    ),
    "In the first, the error is an average size. RMSE is the root of the mean square.": (
        first(lambda s, e: rms(s) / e.abs().mean())
    ),
    "In the first, mean sizes stand where root mean squares belong, above and below.": (
        first(lambda s, e: s.mean() / e.abs().mean())
    ),
    "In the first, the root of the error is missing: this is σ over MSE.": (
        first(lambda s, e: rms(s) / rms(e) ** 2)
    ),
    "In the first, the root of σ² is missing: this is σ² over RMSE.": (
        first(lambda s, e: rms(s) ** 2 / rms(e))
    ),
    "In the first, the mean error is subtracted. An error that all pixels share is an error.": (
        first(lambda s, e: rms(s) / e.std(correction=0))
    ),
    "In the first, the mean error is subtracted (`std`). An error that all pixels share is one.": (
        first(lambda s, e: rms(s) / e.std())
    ),
    "In the second, μ is averaged before it is squared: then codes on both sides cancel.": (
        second(lambda m, s: (m.mean(0) ** 2 + (s**2).mean(0)).mean())
    ),
    "In the second, μ² is a variance around the mean. The prior's middle is 0: square μ itself.": (
        second(lambda m, s: (m.var(0, correction=0) + (s**2).mean(0)).mean())
    ),
    "In the second, you use log σ as if it were log σ².": second(lambda m, s: (m**2 + s).mean()),
    "In the second, σ is still a logarithm.": second(lambda m, s: (m**2 + s.log() ** 2).mean()),
    "In the second, σ is averaged before it is squared.": (
        second(lambda m, s: (m**2 + s.mean(0) ** 2).mean())
    ),
    "In the second, σ² is missing: a draw spreads, too.": second(lambda m, s: (m**2).mean()),
    "In the second, μ² is missing.": second(lambda m, s: (s**2).mean()),
    "The second is summed over the latents. Average them.": (
        second(lambda m, s: (m**2 + s**2).sum(1).mean())
    ),
    "The second is one for each latent. Average them, too.": (
        second(lambda m, s: (m**2 + s**2).mean(0))
    ),
    "The second is one for each picture. Average over the pictures, too.": (
        second(lambda m, s: (m**2 + s**2).mean(1))
    ),
    "In the second, a 1 is subtracted: this is a slope. The task asks for the sum that should be "
    "1.": second(lambda m, s: (m**2 + s**2 - 1).mean()),
    "The second is a root.": second(lambda m, s: (m**2 + s**2).mean().sqrt()),
    "The second is 2μ² + σ, which should be 1 for the wrong KL.": (
        second(lambda m, s: (2 * m**2 + s).mean())
    ),
    "In the second, μ and σ are added before they are squared.": (
        second(lambda m, s: (m + s).square().mean())
    ),
    "In the second, sizes stand where squares belong.": second(lambda m, s: (m.abs() + s).mean()),
    "In the first, σ² is summed over the pixels. Average it, as you do with the error.": (
        first(lambda s, e: s.norm() / rms(e))
    ),
}


@check(
    cases=models,
    extreme=far_from_one,
    astray=ASTRAY,
    slips=SLIPS,
    results=("the ratio of σ to RMSE", "the moment"),
    praise="Two numbers from any model. Both are 1 after training with the right loss.",
)
def two_ratios(x, mean, log_std, q_mean, q_log_std) -> tuple[Tensor, Tensor]:
    """σ over RMSE, and the mean of μ² + σ²: (batch, C, H, W) and (batch, latent_dim).

    Here: lengths of vectors, and moments of the mixture of all posteriors.
    """
    stds = [math.exp(value) for value in log_std.flatten().tolist()]
    ratio = math.hypot(*stds) / math.dist(x.flatten().tolist(), mean.flatten().tolist())
    each = Categorical(torch.ones(len(q_mean)).to(q_mean))
    mixture = MixtureSameFamily(each, Normal(q_mean.T, q_log_std.exp().T))
    return torch.tensor(ratio).to(x), (mixture.variance + mixture.mean**2).mean()
