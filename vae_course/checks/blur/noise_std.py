"""Task 6: σ of the pixel noise, from pictures with other z in both sets."""

import math

import torch
from torch import Generator, Tensor

from vae_course.checks.blur.sharpness import sharpness
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Then

detail = sharpness.right


def two_noises(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """No one number, and no other spread of the pixels, is right for both."""
    g = fresh(seed)
    small, large = uniform(g, 1, low=6, high=9).item(), uniform(g, 1, low=13, high=20).item()
    return [noisy_pictures(g, 20, 30, small, 0.4), noisy_pictures(g, 16, 45, large, 0.9)]


def noisy_pictures(
    g: Generator, side: int, half: int, std: float, share: float
) -> tuple[Tensor, Tensor]:
    """Samples (2·half), decoder means (half), with noise of `std` σ; grey from 0 to 255.

    Each mean gets a draw of noise and its negative, and the noise is scaled until its own sharpness
    is 20 σ². So σ follows from the two average sharpnesses exactly. The means come shuffled; their
    own sharpness is `share` of the noise's, and differs from picture to picture.
    """
    angles = uniform(g, half, 2, 1, low=0.6, high=1.2)
    down, across = angles.mul(torch.arange(side).double()).unbind(1)
    phase = uniform(g, half, 1, 1, high=2 * math.pi)
    size = uniform(g, half, 1, 1, high=2)
    waves = size * torch.cos(down[:, :, None] + across[:, None, :] + phase)
    means = 120 + waves * (share * 20 * std**2 / detail(waves).mean()).sqrt()
    noise = normal(g, half, side, side)
    noise = noise * (20 * std**2 / detail(noise).mean()).sqrt()
    order = torch.randperm(half, generator=g)
    return torch.cat([means + noise, means - noise]), means[order]


def from_sharpness(by=20.0):
    return lambda s, m: ((detail(s).mean() - detail(m).mean()) / by).sqrt()


SLIPS = {
    "This is the variance of the noise. The task asks for its standard deviation.": (
        Then(torch.square)
    ),
    "Your noise is too wide: you take all the sharpness of samples for noise. Their means have "
    "some, too.": lambda s, m: (detail(s).mean() / 20).sqrt(),
    "You divide by the sum of the weights' sizes. In a variance they enter in another way.": (
        from_sharpness(8.0)
    ),
    "Only the pixel itself is counted. Its neighbours bring noise of their own.": (
        from_sharpness(16.0)
    ),
    "Only the neighbours are counted. The pixel itself brings noise, too.": from_sharpness(4.0),
    "You count five pixels with equal weights.": from_sharpness(5.0),
    "This is the noise of the Laplacian. How much wider is it than that of a pixel?": (
        from_sharpness(1.0)
    ),
    "You count grey from 0 to 1. Here it runs from 0 to 255.": Then(lambda std: std / 255),
    "You divide after the root. What must be divided is a variance.": from_sharpness(400.0),
    "You subtract standard deviations. Independent noise adds to the variance.": (
        lambda s, m: (detail(s).mean().sqrt() - detail(m).mean().sqrt()) / math.sqrt(20)
    ),
    "You subtract the average roots. Independent noise adds to the variance.": (
        lambda s, m: (detail(s).sqrt().mean() - detail(m).sqrt().mean()) / math.sqrt(20)
    ),
    "You sum over the pictures, of which there are more in one set than in the other.": (
        lambda s, m: ((detail(s).sum() - detail(m).sum()) / 20).sqrt()
    ),
    "This is the spread of the samples' pixels: most of it is picture, not noise.": (
        lambda s, m: s.std()
    ),
    "You subtract the spreads of the pixels. Independent noise adds to the variance.": (
        lambda s, m: s.std() - m.std()
    ),
    "You subtract pictures of the two sets from each other, but their z are not the same.": (
        lambda s, m: (s[: len(m)] - m).std()
    ),
    "You add the two. The means bring no noise: what they have must go.": (
        lambda s, m: ((detail(s).mean() + detail(m).mean()) / 20).sqrt()
    ),
    "You divide one by the other. Independent noise adds to the variance.": (
        lambda s, m: (detail(s).mean() / detail(m).mean()).sqrt()
    ),
}


@check(
    cases=two_noises,
    slips=SLIPS,
    within=0.04,
    praise="You have read σ off the pictures. What looks sharp in a sample is largely noise.",
)
def noise_std(samples: Tensor, means: Tensor) -> Tensor:
    """σ from samples and means, (batch, H, W), other numbers of them; 4 % are allowed.

    Here: the check knows which samples share a mean. Half their difference is the noise itself.
    """
    plus, minus = samples.chunk(2)
    return ((plus - minus) / 2).square().mean().sqrt()
