"""σ over RMSE and the second moment of codes, by other means; and the slips with their names."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vae_course.checks.judging.inputs import normal, uniform

SIZES = (((3, 2, 4, 5), 3), ((1, 3, 2, 2), 4), ((5, 1, 3, 4), 2))


def models(g: Generator) -> list[tuple[Tensor, ...]]:
    """(x, mean, log_std, q_mean, q_log_std); σ differs from pixel to pixel, errors do not add up
    to 0, and the codes are not centred."""
    cases = []
    for shape, latents in SIZES:
        x = uniform(g, *shape)
        log_std = uniform(g, *shape, low=-3.0, high=0.3)
        codes = (shape[0], latents)
        q = normal(g, *codes) + 0.7, uniform(g, *codes, low=-2.0, high=0.5)
        cases.append((x, x - 0.1 + normal(g, *shape, scale=0.3), log_std, *q))
    return cases


def two_ratios(x, mean, log_std, q_mean, q_log_std) -> tuple[Tensor, Tensor]:
    """The oracle: lengths of vectors, and moments of the mixture of all posteriors."""
    stds = [math.exp(value) for value in log_std.flatten().tolist()]
    ratio = math.hypot(*stds) / math.dist(x.flatten().tolist(), mean.flatten().tolist())
    each = Categorical(torch.ones(len(q_mean)).to(q_mean))
    mixture = MixtureSameFamily(each, Normal(q_mean.T, q_log_std.exp().T))
    return torch.tensor(ratio).to(x), (mixture.variance + mixture.mean**2).mean()


def _rms(values: Tensor) -> Tensor:
    return values.square().mean().sqrt()


def _first(ratio: Callable) -> Callable:
    """`ratio(σ, error)`, each of the pictures' shape."""
    return lambda x, m, s, *q: (ratio(s.exp(), x - m), two_ratios(x, m, s, *q)[1])


def _second(moment: Callable) -> Callable:
    """`moment(μ, σ)`, each (batch, latents)."""
    return lambda x, m, s, *q: (two_ratios(x, m, s, *q)[0], moment(q[0], q[1].exp()))


def _per_picture(std, error):
    means = (v.square().flatten(1).mean(1) for v in (std, error))
    return torch.div(*means).sqrt().mean()


MISTAKES = {
    "In the first, σ is averaged before it is squared. A few uncertain pixels weigh more than that "
    "in a root mean square.": _first(lambda s, e: s.mean() / _rms(e)),
    "In the first, log σ is averaged. Take the root of the mean square of σ itself.": (
        _first(lambda s, e: s.log().mean().exp() / _rms(e))
    ),
    "In the first, you use log σ as if it were log σ².": (
        _first(lambda s, e: _rms(s.sqrt()) / _rms(e))
    ),
    "In both, you use log σ as if it were log σ².": lambda x, m, s, q, t: two_ratios(
        x, m, s / 2, q, t / 2
    ),
    "In both, σ is still a logarithm.": lambda x, m, s, q, t: (
        _rms(s) / _rms(x - m),
        (q**2 + t**2).mean(),
    ),
    "In the first, σ is still a logarithm.": _first(lambda s, e: _rms(s.log()) / _rms(e)),
    "The first is a ratio of variances: its root is missing.": (
        _first(lambda s, e: (_rms(s) / _rms(e)) ** 2)
    ),
    "The first is upside down: σ over the error.": _first(lambda s, e: _rms(e) / _rms(s)),
    "In the first, each pixel is divided by itself, and then averaged. Average first: σ² over all "
    "pixels, squared errors over all pixels.": _first(lambda s, e: (s / e.abs()).mean()),
    "In the first, you look at error/σ, pixel by pixel. That is another question, which a right "
    "loss answers with 1, too.": _first(lambda s, e: _rms(e / s)),
    "In the first, the inverse of error/σ, pixel by pixel, is another question, which a right loss "
    "answers with 1, too.": _first(lambda s, e: 1 / _rms(e / s)),
    "In the first, every picture has its own ratio. Average over all pictures before you divide.": (
        _first(_per_picture)
    ),
    "In the first, the error is an average size. RMSE is the root of the mean square.": (
        _first(lambda s, e: _rms(s) / e.abs().mean())
    ),
    "In the first, mean sizes stand where root mean squares belong, above and below.": (
        _first(lambda s, e: s.mean() / e.abs().mean())
    ),
    "In the first, the root of the error is missing: this is σ over MSE.": (
        _first(lambda s, e: _rms(s) / _rms(e) ** 2)
    ),
    "In the first, the root of σ² is missing: this is σ² over RMSE.": (
        _first(lambda s, e: _rms(s) ** 2 / _rms(e))
    ),
    "In the first, the mean error is subtracted. An error that all pixels share is an error.": (
        _first(lambda s, e: _rms(s) / e.std(correction=0))
    ),
    "In the first, the mean error is subtracted (`std`). An error that all pixels share is one.": (
        _first(lambda s, e: _rms(s) / e.std())
    ),
    "In the second, μ is averaged before it is squared: then codes on both sides cancel.": (
        _second(lambda m, s: (m.mean(0) ** 2 + (s**2).mean(0)).mean())
    ),
    "In the second, μ² is a variance around the mean. The prior's middle is 0: square μ itself.": (
        _second(lambda m, s: (m.var(0, correction=0) + (s**2).mean(0)).mean())
    ),
    "In the second, you use log σ as if it were log σ².": _second(lambda m, s: (m**2 + s).mean()),
    "In the second, σ is still a logarithm.": _second(lambda m, s: (m**2 + s.log() ** 2).mean()),
    "In the second, σ is averaged before it is squared.": (
        _second(lambda m, s: (m**2 + s.mean(0) ** 2).mean())
    ),
    "In the second, σ² is missing: a draw spreads, too.": _second(lambda m, s: (m**2).mean()),
    "In the second, μ² is missing.": _second(lambda m, s: (s**2).mean()),
    "The second is summed over the latents. Average them.": (
        _second(lambda m, s: (m**2 + s**2).sum(1).mean())
    ),
    "The second is one for each latent. Average them, too.": (
        _second(lambda m, s: (m**2 + s**2).mean(0))
    ),
    "The second is one for each picture. Average over the pictures, too.": (
        _second(lambda m, s: (m**2 + s**2).mean(1))
    ),
    "In the second, a 1 is subtracted: this is a slope. The task asks for the sum that should be "
    "1.": _second(lambda m, s: (m**2 + s**2 - 1).mean()),
    "The second is a root.": _second(lambda m, s: (m**2 + s**2).mean().sqrt()),
    "The second is 2μ² + σ, which should be 1 for the wrong KL.": (
        _second(lambda m, s: (2 * m**2 + s).mean())
    ),
    "They stand in the wrong order: first σ over RMSE.": lambda *case: two_ratios(*case)[::-1],
}
