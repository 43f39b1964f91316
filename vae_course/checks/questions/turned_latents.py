"""Is one decoder another one in disguise: the same pictures, as often, but other axes?"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal
from vae_course.checks.judging.running import kind, require, run
from vae_course.checks.judging.seeded import seeded

MANY = 4000
ERRORS = 7  # standard errors of room
CLOSEST = math.cos(math.radians(10))  # of a new axis to an old one


class Decoder:
    """(rows, d) -> (rows, d + 2) pixels between 0 and 1, from which z can be read again."""

    def __init__(self, g: torch.Generator, latent_dim: int):
        left = torch.linalg.qr(normal(g, latent_dim + 2, latent_dim)).Q.T
        self.weight = left * torch.linspace(0.15, 0.3, latent_dim).double()[:, None]
        self.bias = normal(g, latent_dim + 2)

    def __call__(self, z: Tensor) -> Tensor:
        size = len(self.weight)
        shape = tuple(z.shape) if isinstance(z, Tensor) else kind(z)
        right = isinstance(z, Tensor) and z.ndim == 2 and z.shape[1] == size
        require(right, f"Your z came to `decode` as {shape}; it takes rows of {size} numbers.")
        return torch.sigmoid(z.double() @ self.weight + self.bias)

    def read(self, pictures: Tensor) -> Tensor:
        return (torch.logit(pictures) - self.bias) @ torch.linalg.pinv(self.weight)


def require_disguise(answer: Callable, latent_dim: int, g: torch.Generator) -> None:
    """Raise NotYet unless `answer(decode, latent_dim)` is `decode` after a turn of the latents."""
    decode = Decoder(g, latent_dim)
    new = run(answer, (decode, latent_dim), ("decode", "latent_dim"))
    require(new is not None, "Your function returns None. Does it end with `return`?")
    require(callable(new), f"Return a decoder: a function of z. Yours returns {kind(new)}.")
    zero, axes = torch.zeros(1, latent_dim).double(), 2 * torch.eye(latent_dim).double()
    draws = normal(g, MANY, latent_dim)
    at_zero, at_axes, at_draws = (_latents(new, decode, z) for z in (zero, axes, draws))
    _require_rows(new, decode, draws, at_draws)
    turn = (at_axes - at_zero) / 2  # rows: where the axes go, if the map is linear
    if torch.allclose(at_draws, at_zero + draws @ turn, atol=1e-6):
        _require_turn(at_zero, turn)
    else:
        _require_prior(at_draws)
    _require_new_axes(at_axes)


def _latents(new: Callable, decode: Decoder, z: Tensor, seed: int = 1) -> Tensor:
    """The z that the old decoder needs for the pictures of the new one."""
    pictures = run(seeded(new, seed), (z,), ("z",))
    require(pictures is not None, "The decoder that you return gives None for z.")
    expected = len(z), decode.weight.shape[1]
    shape = tuple(pictures.shape) if isinstance(pictures, Tensor) else kind(pictures)
    require(shape == expected, f"For z {tuple(z.shape)} expected pictures {expected}; got {shape}.")
    says = "Your decoder makes pictures that the old one cannot make. Change z, not the picture."
    inside = bool(((pictures > 0) & (pictures < 1)).all())
    require(inside, says)
    latents = decode.read(pictures.double())
    require(torch.allclose(decode(latents), pictures.double(), atol=1e-6), says)
    return latents


def _require_rows(new: Callable, decode: Decoder, draws: Tensor, at_draws: Tensor) -> None:
    again, first = (_latents(new, decode, z, seed) for z, seed in ((draws, 2), (draws[:1], 1)))
    require(
        torch.allclose(again, at_draws, atol=1e-6),
        "The same z gives another picture when your decoder is called again. Choose once, outside.",
    )
    require(
        torch.allclose(first, at_draws[:1], atol=1e-6),
        "The picture of a z changes with the other rows. Each must depend on its own z alone.",
    )


def _require_turn(shift: Tensor, turn: Tensor) -> None:
    """z -> shift + z turn keeps N(0, I) if the shift is 0 and the turn orthogonal."""
    require(
        shift.abs().max().item() < 1e-5,
        "You shift the latents: the middle of the prior goes elsewhere, so other pictures come.",
    )
    square = turn.T @ turn
    off = square - torch.diag(square.diagonal())
    require(
        torch.linalg.svdvals(turn).min().item() > 1e-5,
        "A part of the latent space is lost: pictures that the old decoder draws never come.",
    )
    require(
        off.abs().max().item() < 1e-5,
        "Your new latents reach the old decoder correlated. Under the prior they are not, so some "
        "pictures come more often than before.",
    )
    require(
        (square.diagonal() - 1).abs().max().item() < 1e-5,
        "You stretch or shrink the latents: what was rare before comes often now, or the reverse.",
    )


def _require_prior(z: Tensor) -> None:
    """(MANY, d) with the moments of N(0, I)."""
    says = "What reaches the old decoder is not drawn from the prior any more: "
    spread = z.var(0)
    require(z.mean(0).abs().max().item() < ERRORS / MANY**0.5, f"{says}its mean is not 0.")
    require(
        (spread - 1).abs().max().item() < ERRORS * (2 / MANY) ** 0.5,
        f"{says}its variance is not 1.",
    )
    off = torch.corrcoef(z.T) - torch.eye(z.shape[1])
    require(off.abs().max().item() < ERRORS / MANY**0.5, f"{says}its numbers go together.")
    room = ERRORS * (96 / MANY) ** 0.5
    require(((z**4).mean(0) - 3).abs().max().item() < room, f"{says}its tails are wrong.")
    lengths = z.square().sum(1)
    wide = 2 * z.shape[1]
    require(
        abs(lengths.var().item() / wide - 1) < 0.5,
        f"{says}the lengths of its vectors do not vary as they should.",
    )


def _require_new_axes(at_axes: Tensor) -> None:
    """No axis may show what an old axis shows."""
    cosines = (at_axes / at_axes.norm(dim=1, keepdim=True)).abs()
    require(
        not torch.allclose(cosines, cosines.round(), atol=1e-5),
        "It draws the same pictures as often. But each axis still shows what an axis showed: you "
        "left them, exchanged them, or turned them round.",
    )
    close = (cosines.max(1).values > CLOSEST).nonzero().flatten().tolist()
    require(
        not close,
        f"It draws the same pictures as often. But for latent_dim = {len(at_axes)} axis "
        f"{[j + 1 for j in close][:1]} still is within 10 degrees of an old one.",
    )
