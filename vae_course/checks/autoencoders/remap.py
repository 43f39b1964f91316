"""Task 4: other codes, the same pictures."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.autoencoders.linear import two_functions
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import require


def networks(g: torch.Generator, batch: int, latent_dim: int, pixels: int) -> tuple:
    """encode, decode, an invertible matrix, pictures and codes."""
    inwards, outwards = normal(g, pixels, latent_dim), normal(g, latent_dim, pixels)
    left, right = (torch.linalg.qr(normal(g, latent_dim, latent_dim)).Q for _ in range(2))
    matrix = left * uniform(g, latent_dim, low=1.5, high=2.5) @ right
    x, z = uniform(g, batch, pixels), normal(g, batch, latent_dim)
    return lambda x: torch.tanh(x @ inwards), lambda z: torch.sin(z @ outwards), matrix, x, z


def remapped(encode, decode, matrix, x, z, *, there=None, back=None):
    """New codes of x, and what is decoded from these and from z, with room for slips."""
    there = matrix if there is None else there
    back = torch.linalg.inv(matrix) if back is None else back
    codes = torch.stack([there @ code for code in encode(x)])
    return codes, *(decode(torch.stack([back @ code for code in c])) for c in (codes, z))


SLIPS = {
    "The decoder does not undo the matrix.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, back=torch.eye(len(m)).double())
    ),
    "The codes are unchanged, but your decoder undoes the matrix.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, there=torch.eye(len(m)).double())
    ),
    "Nothing has changed: these are the old encoder and decoder.": (
        lambda e, d, m, *a: remapped(
            e, d, m, *a, there=torch.eye(len(m)).double(), back=torch.eye(len(m)).double()
        )
    ),
    "Your codes are transposed: codes are rows here, so think about the side of the matrix.": (
        lambda e, d, m, *a: remapped(e, d, m.T, *a)
    ),
    "Your encoder is right. Your decoder undoes the transposed matrix: codes are rows here.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, back=torch.linalg.inv(m).T)
    ),
    "Your decoder is right, your encoder is transposed: codes are rows here.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, there=m.T)
    ),
    "The transpose undoes a rotation, but not a stretch.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, back=m.T)
    ),
    "The transpose undoes a rotation, but not a stretch, and here even the side is wrong.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, back=m)
    ),
    "They are swapped: your encoder undoes the matrix, your decoder applies it.": (
        lambda e, d, m, *a: remapped(e, d, m, *a, there=torch.linalg.inv(m), back=m)
    ),
}


def cases(seed: int | None) -> list[tuple]:
    g = fresh(seed)
    return [networks(g, *size) for size in ((3, 2, 5), (1, 3, 4), (4, 4, 6), (6, 1, 3))]


def through(answer: Callable) -> Callable:
    """New codes, and what the new decoder makes of these and of any code."""

    def both(encode, decode, matrix, x, z):
        new_encode, new_decode = two_functions(answer(encode, decode, matrix))
        codes = new_encode(x)
        require(isinstance(codes, Tensor), "Your new encode must return a tensor.")
        return codes, new_decode(codes), new_decode(z)

    return both


@check(
    cases=cases,
    read=through,
    names=("encode", "decode", "matrix", "x", "z"),
    slips=SLIPS,
    results=("the new code", "the reconstruction", "the picture decoded from another code"),
    ordered=False,
    praise="Other codes, the same pictures: the loss cannot tell the two autoencoders apart.",
)
def remap(encode: Callable, decode: Callable, matrix: Tensor, x: Tensor, z: Tensor):
    """New codes of x, and what is decoded from these and from z."""
    return remapped(encode, decode, matrix, x, z)
