"""Pictures through random curved networks and back, and the slips on the way."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal, uniform
from vae_course.checks.judging.running import require
from vae_course.objectives import Gaussian


def networks(g: torch.Generator, batch: int, latent_dim: int) -> tuple[Callable, Callable, Tensor]:
    """encode, decode and pictures (batch, 2, 1, 3)."""
    inwards, outwards = normal(g, 6, latent_dim), normal(g, latent_dim, 6)

    def encode(x):
        code = x.flatten(1) @ inwards
        return Gaussian(torch.tanh(code), -1 - torch.sigmoid(code))

    def decode(z):
        picture = torch.sin(z @ outwards + 0.5).unflatten(1, (2, 1, 3))
        return Gaussian(picture, torch.tensor(-1.0, dtype=picture.dtype))

    return encode, decode, uniform(g, batch, 2, 1, 3)


def steady(answer: Callable) -> Callable:
    """The answer, which must give the same picture when it is asked twice."""

    def twice(encode, decode, x):
        first, second = answer(encode, decode, x), answer(encode, decode, x)
        require(
            not isinstance(first, Tensor) or torch.equal(first, second),
            "The same picture comes back different when your function is called again: something "
            "is drawn. The best single answer draws nothing.",
        )
        return first

    return twice if callable(answer) else answer


def reconstructed(encode, decode, x):
    """The decoder's mean at the posterior mean, picture by picture."""
    return torch.stack([decode(encode(one[None])[0])[0][0] for one in x])


RECONSTRUCTION_MISTAKES = {
    "You return the distribution p(x|z). A picture to show is one number for each pixel.": (
        lambda e, d, x: tuple(d(e(x).mean))
    ),
    "You decode log σ. Which number of the posterior says where it lies?": (
        lambda e, d, x: d(e(x).log_std).mean
    ),
    "You decode σ. Which number of the posterior says where it lies?": (
        lambda e, d, x: d(e(x).log_std.exp()).mean
    ),
    "You decode mean plus standard deviation: one particular draw, not the middle.": (
        lambda e, d, x: d(e(x).mean + e(x).log_std.exp()).mean
    ),
    "You add the decoder's standard deviation to its mean.": (
        lambda e, d, x: d(e(x).mean).mean + d(e(x).mean).log_std.exp()
    ),
    "You cut the pixels off. Show what the decoder says, even where it leaves [0, 1].": (
        lambda e, d, x: d(e(x).mean).mean.clamp(0, 1)
    ),
    "These are the pictures that came in.": lambda e, d, x: x,
    "This is the code. It is not decoded yet.": lambda e, d, x: e(x).mean,
    "You decode the prior's mean: nothing of the pictures is left.": (
        lambda e, d, x: d(0 * e(x).mean).mean
    ),
    "You average the codes over the batch: every picture has its own.": (
        lambda e, d, x: d(e(x).mean.mean(0).expand(len(x), -1)).mean
    ),
}
