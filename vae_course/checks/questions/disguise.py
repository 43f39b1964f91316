"""Task 7: a decoder in disguise, with the same p(x) and other axes."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import kind, require, run
from vae_course.checks.judging.seeded import seeded

MANY = 20_000
ERRORS = 7  # standard errors of room
DIRECTIONS = 20  # from which draws are looked at
CALLS = 60  # of an answer that may draw its turn by chance
CLOSEST = math.cos(math.radians(10))  # of a new axis to an old one


class Decoder:
    """(rows, d) -> (rows, d + 2) pixels between 0 and 1, from which z can be read again."""

    def __init__(self, g: Generator, latent_dim: int):
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


SHIFTED = "You shift the latents: the middle of the prior goes elsewhere, so other pictures come."
LOST = "A part of the latent space is lost: pictures that the old decoder draws never come."
CORRELATED = (
    "Your new latents reach the old decoder correlated. Under the prior they are not, so some "
    "pictures come more often than before."
)
STRETCHED = (
    "You stretch or shrink the latents: what was rare before comes often now, or the reverse."
)
SAME_AXES = (
    "It draws the same pictures as often. But each axis still shows what an axis showed: you left "
    "them, exchanged them, or turned them round."
)
NOT_ITS_PICTURE = (
    "Your decoder makes pictures that the old one cannot make. Change z, not the picture."
)
AGAIN = "The same z gives another picture when your decoder is called again. Choose once, outside."
OTHER_ROWS = "The picture of a z changes with the other rows. Each must depend on its own z alone."
FAR_OUT = "Far out your decoder gives one picture for two z. Is something clamped?"
PRIOR = "What reaches the old decoder is not drawn from the prior any more: "
LENGTHS = f"{PRIOR}the lengths of its vectors do not vary as they should."
SLANTED = f"{PRIOR}seen from a slant, its numbers are not normally distributed."
NOT_ALWAYS = ", now and then. Look at what chance has given you, and draw again if need be"


def made_by(change: Callable) -> Callable:
    """A learner's decoder: `change(z)` goes into the old one."""
    return lambda decode, latent_dim: lambda z: decode(change(z))


def mixed(d: int) -> Tensor:
    """A turn by 45 degrees of neighbours, one pair after the other."""
    turn, root = torch.eye(d).double(), math.sqrt(0.5)
    for j in range(d - 1):
        turn[:, j : j + 2] = (
            turn[:, j : j + 2] @ torch.tensor([[root, root], [-root, root]]).double()
        )
    return turn


def by_chance(z: Tensor) -> Tensor:
    return z @ torch.linalg.qr(torch.randn(z.shape[1], z.shape[1]).double()).Q


def one_size(z: Tensor) -> Tensor:
    return torch.cat([z[:, :1], z[:, 1:].sign() * z[:, :1].abs()], 1)


def crowded(z: Tensor) -> Tensor:
    """As long as before, but in the plane of the first two more often near the diagonals."""
    angle = torch.atan2(z[:, 1], z[:, 0])
    angle = angle - 0.24 * torch.sin(4 * angle)
    turned = z[:, :2].norm(dim=1, keepdim=True) * torch.stack([angle.cos(), angle.sin()], 1)
    return torch.cat([turned, z[:, 2:]], 1)


SLIPS = {
    SAME_AXES: made_by(lambda z: z.flip(1)),
    SHIFTED: made_by(lambda z: z + 1),
    STRETCHED: made_by(lambda z: 2 * z),
    CORRELATED: made_by(lambda z: z + z.mean(1, keepdim=True)),
    LOST: made_by(lambda z: z.mean(1, keepdim=True).expand(z.shape)),
    NOT_ITS_PICTURE: lambda decode, d: lambda z: 1 - decode(z @ mixed(d)),
    AGAIN: made_by(by_chance),
    OTHER_ROWS: made_by(lambda z: z - z.mean(0)),
    FAR_OUT: made_by(lambda z: z.clamp(-4.5, 4.5) @ mixed(z.shape[1])),
    f"{PRIOR}its mean is not 0.": made_by(lambda z: z.exp() - 1),
    f"{PRIOR}its variance is not 1.": made_by(lambda z: z**3 / 3),
    f"{PRIOR}its numbers go together.": made_by(lambda z: z[:, :1].sign() * z.abs()),
    LENGTHS: made_by(lambda z: one_size(z) @ mixed(z.shape[1])),
    SLANTED: made_by(crowded),
}


@trial(slips=SLIPS, praise="Every picture is as likely as before, and no axis means what it meant.")
def disguise(answer: Callable, seed: int | None) -> None:
    """`answer(decode, latent_dim)`: a decoder with the same p(x), and other axes.

    Many answers are right: what reaches `decode` must again be N(0, I), and no new axis may be
    within 10 degrees of an old one.
    """
    g = fresh(seed)
    for latent_dim in (2, 3, 5):
        require_disguise(answer, latent_dim, g)


def require_disguise(answer: Callable, latent_dim: int, g: Generator) -> None:
    """Raise NotYet unless `answer(decode, latent_dim)` is `decode` after a turn of the latents."""
    decode = Decoder(g, latent_dim)
    new = made(answer, decode, latent_dim)
    zero, axes = torch.zeros(1, latent_dim).double(), 2 * torch.eye(latent_dim).double()
    draws = normal(g, MANY, latent_dim)
    at_zero, at_axes, at_draws = (latents(new, decode, z) for z in (zero, axes, draws))
    require_rows(new, decode, draws, at_draws)
    turn = (at_axes - at_zero) / 2  # rows: where the axes go, if the map is linear
    if torch.allclose(at_draws, at_zero + draws @ turn, atol=1e-6):
        require_turn(at_zero, turn)
    else:
        require_prior(at_draws, g)
    far, farther = (latents(new, decode, by * axes) for by in (3.0, 3.5))
    require((far - farther).abs().max(1).values.min().item() > 1e-3, FAR_OUT)
    require_new_axes(at_axes)
    for number in range(CALLS if latent_dim == 2 else 1):
        again = made(seeded(answer, number), decode, latent_dim)
        require_new_axes(latents(again, decode, axes), NOT_ALWAYS)


def made(answer: Callable, decode: Decoder, latent_dim: int) -> Callable:
    new = run(answer, (decode, latent_dim), ("decode", "latent_dim"))
    require(new is not None, "Your function returns None. Does it end with `return`?")
    require(callable(new), f"Return a decoder: a function of z. Yours returns {kind(new)}.")
    return new


def latents(new: Callable, decode: Decoder, z: Tensor, seed: int = 1) -> Tensor:
    """The z that the old decoder needs for the pictures of the new one."""
    pictures = run(seeded(new, seed), (z,), ("z",))
    require(pictures is not None, "The decoder that you return gives None for z.")
    expected = len(z), decode.weight.shape[1]
    shape = tuple(pictures.shape) if isinstance(pictures, Tensor) else kind(pictures)
    require(shape == expected, f"For z {tuple(z.shape)} expected pictures {expected}; got {shape}.")
    inside = bool(((pictures > 0) & (pictures < 1)).all())
    require(inside, NOT_ITS_PICTURE)
    latents = decode.read(pictures.double())
    require(torch.allclose(decode(latents), pictures.double(), atol=1e-6), NOT_ITS_PICTURE)
    return latents


def require_rows(new: Callable, decode: Decoder, draws: Tensor, at_draws: Tensor) -> None:
    again, first = (latents(new, decode, z, seed) for z, seed in ((draws, 2), (draws[:1], 1)))
    require(torch.allclose(again, at_draws, atol=1e-6), AGAIN)
    require(torch.allclose(first, at_draws[:1], atol=1e-6), OTHER_ROWS)


def require_turn(shift: Tensor, turn: Tensor) -> None:
    """z -> shift + z turn keeps N(0, I) if the shift is 0 and the turn orthogonal."""
    require(shift.abs().max().item() < 1e-5, SHIFTED)
    square = turn.T @ turn
    off = square - torch.diag(square.diagonal())
    require(torch.linalg.svdvals(turn).min().item() > 1e-5, LOST)
    require(off.abs().max().item() < 1e-5, CORRELATED)
    require((square.diagonal() - 1).abs().max().item() < 1e-5, STRETCHED)


def require_prior(z: Tensor, g: Generator) -> None:
    """(MANY, d) draws of N(0, I): moments, lengths, and projections on random directions."""
    latent_dim, room, gap = z.shape[1], ERRORS / MANY**0.5, 3 / MANY**0.5
    spread = z.var(0)
    require(z.mean(0).abs().max().item() < room, f"{PRIOR}its mean is not 0.")
    require((spread - 1).abs().max().item() < 2**0.5 * room, f"{PRIOR}its variance is not 1.")
    off = torch.corrcoef(z.T) - torch.eye(latent_dim)
    require(off.abs().max().item() < room, f"{PRIOR}its numbers go together.")
    half = torch.tensor(latent_dim / 2).double()
    lengths = torch.special.gammainc(half, z.square().sum(1, keepdim=True) / 2)
    require(from_uniform(lengths) < gap, LENGTHS)
    directions = F.normalize(normal(g, latent_dim, DIRECTIONS), dim=0)
    require(from_uniform(torch.special.ndtr(z @ directions)) < gap, SLANTED)


def from_uniform(values: Tensor) -> float:
    """Kolmogorov and Smirnov's distance from U(0, 1), the largest of all columns."""
    steps = (torch.arange(len(values)) + 0.5)[:, None] / len(values)
    return (values.sort(0).values - steps).abs().max().item()


def require_new_axes(at_axes: Tensor, always: str = "") -> None:
    """No axis may show what an old axis shows."""
    cosines = (at_axes / at_axes.norm(dim=1, keepdim=True)).abs()
    require(not torch.allclose(cosines, cosines.round(), atol=1e-5), SAME_AXES)
    close = (cosines.max(1).values > CLOSEST).nonzero().flatten().tolist()
    require(
        not close,
        f"It draws the same pictures as often. But for latent_dim = {len(at_axes)} axis "
        f"{[j + 1 for j in close][:1]} still is within 10 degrees of an old one{always}.",
    )
