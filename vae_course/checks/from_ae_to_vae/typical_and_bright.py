"""Task 7: a z of usual length, whose picture has much ink. Any such z will do."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import kind, require, require_something, run
from vae_course.objectives import Gaussian

SIZES = 6, 10, 16, 24
CALLS = 3  # with each decoder: a lucky draw is no answer
DRAWS = 8000


def curved_decoder(g: torch.Generator, latent_dim: int) -> Callable:
    """decode: (rows, latent_dim) -> Gaussian over small colour pictures, float32.

    Where the second and third channel are bright, the first is dark.
    """
    inwards = normal(g, latent_dim, 16, scale=latent_dim**-0.5).float()
    outwards = normal(g, 16, 12, scale=0.5).float().unflatten(1, (3, 2, 2))
    tilt = normal(g, 16, 1, scale=0.5).float()
    channels = torch.tensor([-1.5, 1.0, 2.0]).reshape(3, 1, 1)

    def decode(z):
        hidden = torch.tanh(z.float() @ inwards)
        tilted = (hidden @ tilt)[:, :, None, None] * channels
        mean = torch.sigmoid(torch.einsum("nh,hcij->ncij", hidden, outwards) + tilted)
        return Gaussian(mean, torch.tensor(-1.2))

    return decode


def ink(decode: Callable, z: Tensor) -> Tensor:
    """The sum over the pixels of each decoded mean: (rows,)"""
    return decode(z).mean.sum((1, 2, 3))


def found(answer: Callable, decode: Callable, latent_dim: int, start: int) -> Tensor:
    """The z of an answer, (latent_dim,), if it is one."""

    def search(decode, latent_dim):
        torch.manual_seed(start)
        return answer(decode, latent_dim)

    names = ("decode", "latent_dim")
    z = run(search if callable(answer) else answer, (decode, latent_dim), names)
    require_something(z)
    require(isinstance(z, Tensor), f"Return z as a tensor, not {kind(z)}.")
    says = f"One z has the shape {(latent_dim,)}, but yours is {tuple(z.shape)}."
    require(z.shape == (latent_dim,), says)
    z = z.detach().float()
    require(torch.isfinite(z).all().item(), "Your z holds NaN or infinity.")
    return z


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
    require(
        darker >= 0.95,
        f"Only {darker:.0%} of prior pictures have less ink than yours. Do you look at all "
        "channels, and at enough places?",
    )


def _on_sphere(decode, latent_dim, *, radius=1.0, way=1.0, of=lambda mean: mean.sum((1, 2, 3))):
    z = torch.randn(4000, latent_dim)
    z = radius * latent_dim**0.5 * z / z.norm(dim=1, keepdim=True)
    return z[(way * of(decode(z).mean)).argmax()]


SLIPS = {
    "Your z is too near the centre.": lambda decode, d: _on_sphere(decode, d, radius=0.2),
    "Your z lies farther out than draws of the prior do": (
        lambda decode, d: _on_sphere(decode, d, radius=3.0)
    ),
    "This picture has very little ink. Did you search the wrong way?": (
        lambda decode, d: _on_sphere(decode, d, way=-1.0)
    ),
    "Do you look at all channels": lambda decode, d: torch.ones(d),
}


@trial(
    slips=SLIPS,
    praise="A likely length, and more ink than 95 of 100 pictures: a place the prior reaches.",
)
def typical_and_bright(answer: Callable, seed: int | None) -> None:
    """`answer(decode, latent_dim)`: a z, (latent_dim,).

    Its length must be that of nine in ten prior draws, and its picture must have more ink than
    those of 95 in 100.
    """
    g = fresh(seed)
    for latent_dim in SIZES:
        decode = curved_decoder(g, latent_dim)
        prior = torch.randn(DRAWS, latent_dim, generator=g)
        lengths, inks = prior.norm(dim=1), ink(decode, prior)
        for _ in range(CALLS):
            z = found(answer, decode, latent_dim, int(torch.randint(2**31, (1,), generator=g)))
            require_usual_length(z.norm().item(), lengths)
            require_ink(ink(decode, z[None]).item(), inks)
