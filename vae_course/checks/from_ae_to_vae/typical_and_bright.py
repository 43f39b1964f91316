"""Random decoders, and whether a z is a likely one whose picture has much ink."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal
from vae_course.checks.judging.running import require
from vae_course.objectives import Gaussian


def curved_decoder(g: torch.Generator, latent_dim: int) -> Callable:
    """decode: (rows, latent_dim) -> Gaussian over small pictures, float32."""
    inwards = normal(g, latent_dim, 16, scale=latent_dim**-0.5).float()
    outwards = normal(g, 16, 12, scale=0.5).float()
    tilt = normal(g, 16, 1, scale=0.3).float()

    def decode(z):
        hidden = torch.tanh(z.float() @ inwards)
        mean = torch.sigmoid(hidden @ outwards + hidden @ tilt).unflatten(1, (1, 3, 4))
        return Gaussian(mean, torch.tensor(-1.2))

    return decode


def ink(decode: Callable, z: Tensor) -> Tensor:
    """The sum over the pixels of each decoded mean: (rows,)"""
    return decode(z).mean.sum((1, 2, 3))


def require_usual_length(length: float, lengths: Tensor) -> None:
    """As long as nine in ten of `lengths`."""
    low, high = lengths.quantile(0.05).item(), lengths.quantile(0.95).item()
    require(
        length > low,
        "Your z is too near the centre. The density is highest there, but hardly any draw lies "
        "there. How long are draws from the prior?",
    )
    require(
        length < high,
        "Your z lies farther out than draws of the prior do, where the decoder never learned.",
    )


def require_ink(ink: float, inks: Tensor) -> None:
    """More than 95 in 100 of `inks`."""
    darker = (inks < ink).double().mean().item()
    require(darker > 0.05, "This picture has very little ink. Did you search the wrong way?")
    require(darker >= 0.95, f"Only {darker:.0%} of prior pictures have less ink than yours.")
