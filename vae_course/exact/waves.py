"""Stationary pictures: independent waves, their variance given by frequency, like 1/f² photographs.

Their principal directions are waves, so that the linear VAE has a closed form at any size. A
`power` is (N, N) as `torch.fft.fft2` orders it; its mean is the variance of a pixel.
"""

import math

import torch
from torch import Tensor

from vae_course.exact.linear import LinearVAE


def natural_power(size: int) -> Tensor:
    """Power 1/f² at f cycles per picture, none at f = 0: (size, size), pixels of variance 1."""
    cycles = _cycles(size)
    squared = cycles[:, None] ** 2 + cycles**2
    power = torch.where(squared > 0, 1 / squared.clamp(min=1), 0.0)
    return power / power.mean()


def coloured(noise: Tensor, power: Tensor) -> Tensor:
    """White noise (M, N·N) with its waves scaled to this power: (M, N·N)."""
    waves = torch.fft.fft2(noise.unflatten(1, power.shape)) * power.sqrt()
    return torch.fft.ifft2(waves).real.flatten(1)


def linear_wave_vae(power: Tensor, variance: float) -> LinearVAE:
    """The best linear VAE of this noise variance for such pictures, with as many latents as pixels.

    A wave of power λ has the weight √(λ - variance), or 0 where λ is less (Tipping & Bishop 1999,
    Eq. 7).
    """
    pixels = torch.eye(power.numel(), dtype=power.dtype)
    weight = coloured(pixels, (power - variance).clamp(min=0))  # symmetric
    return LinearVAE(weight, torch.zeros(len(pixels), dtype=power.dtype), variance)


def expected_laplacian_variance(power: Tensor) -> Tensor:
    """Mean square of the Laplacian of such pictures, a number.

    The Laplacian multiplies a wave with angles a and b per pixel by 2 cos a + 2 cos b - 4.
    """
    cosine = torch.cos(2 * math.pi * _cycles(len(power)) / len(power))
    return (power * (2 * cosine[:, None] + 2 * cosine - 4) ** 2).mean()


def _cycles(size: int) -> Tensor:
    return torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
