"""Task 2: the best linear autoencoder, PCA."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import require, require_something, run


def spread_out(g: torch.Generator, n: int, pixels: int) -> Tensor:
    """(n, pixels): spreads that differ by a third from one direction to the next, mean not 0."""
    scores = normal(g, n, pixels)
    scores = torch.linalg.qr(scores - scores.mean(0)).Q * n**0.5 * 1.4 ** -torch.arange(pixels)
    return scores @ torch.linalg.qr(normal(g, pixels, pixels)).Q.T + uniform(g, pixels, low=0.5)


def two_functions(found) -> tuple[Callable, Callable]:
    """What an answer returned, if that is a pair of functions."""
    require_something(found)
    two = isinstance(found, tuple | list) and len(found) == 2 and all(map(callable, found))
    require(two, "Return two functions, the one that encodes and the one that decodes.")
    return tuple(found)


def linear_output(function: Callable, name: str, inputs: Tensor, width: int) -> Tensor:
    """`function(inputs)`, of the right shape, from a function without a bend."""
    out = run(function, (inputs,), ("pictures" if name == "encode" else "codes",))
    require(isinstance(out, Tensor), f"Your {name} must return a tensor.")
    shape = (len(inputs), width)
    says = f"Your {name} makes {tuple(out.shape)} of {tuple(inputs.shape)}; expected {shape}."
    require(out.shape == shape, says)
    bend = function(3 * inputs) - 3 * out + 2 * function(0 * inputs)
    flat = torch.allclose(bend, torch.zeros_like(bend), atol=1e-3)
    require(
        flat or not torch.isfinite(bend).all(),  # NaN has a message of its own
        f"Your {name} is not linear: three times the step must give three times as much.",
    )
    return out


def pca(
    x, latent_dim, pictures, *, centre=1.0, subtract=1.0, add=1.0, pick=None, unit=None, weigh=None
):
    """Reconstructions of `new` by the best linear autoencoder for x, with room for slips."""
    mean = x.mean(0)
    unit = torch.ones_like(mean) if unit is None else unit(x)
    _, sizes, directions = torch.linalg.svd((x - centre * mean) / unit, full_matrices=False)
    kept = directions[:latent_dim] if pick is None else pick(directions, latent_dim)
    codes = (pictures - subtract * mean) / unit @ kept.T
    codes = codes if weigh is None else weigh(codes, sizes[:latent_dim])
    return codes @ kept * unit + add * mean


def _own_grey(pictures: Tensor) -> Tensor:
    return pictures - pictures.mean(1, keepdim=True)


slip = turned(pca, lambda pictures: pictures)
SLIPS = {
    "The mean is not taken into account: the pictures vary around it, not around 0.": (
        slip(centre=0, subtract=0, add=0)
    ),
    "The directions are those of the pictures around 0. They vary around their mean.": (
        slip(centre=0)
    ),
    "The mean is missing in the reconstruction.": slip(add=0),
    "Your encoder does not subtract the mean that your decoder adds.": (slip(subtract=0)),
    "Mean neither subtracted nor added: your directions are right, their origin is not.": (
        slip(subtract=0, add=0)
    ),
    "These directions vary least. In which order do the eigenvalues or singular values come?": (
        slip(pick=lambda v, d: v[-d:])
    ),
    "You took columns where directions are rows, or rows where they are columns.": (
        slip(pick=lambda v, d: v[:, :d].T)
    ),
    "You took rows of the matrix of eigenvectors. Look up where it keeps one eigenvector.": (
        lambda x, *a: pca(x, *a, pick=lambda _, d: torch.linalg.eigh(torch.cov(x.T))[1][-d:])
    ),
    "You subtract one grey value, the mean over everything. Every pixel has a mean of its own.": (
        lambda x, d, new: (
            pca(x - x.mean(), d, new - x.mean(), centre=0, subtract=0, add=0) + x.mean()
        )
    ),
    "You subtract from each picture its own mean grey. The mean is taken over the pictures.": (
        lambda x, d, new: pca(_own_grey(x), d, _own_grey(new), centre=0, subtract=0, add=0)
    ),
    "You use the mean of the pictures to encode. It must be that of the pictures learned from.": (
        lambda x, d, new: pca(x, d, new - new.mean(0) + x.mean(0))
    ),
    "You encode with the new pictures' mean, and decode with it, too. A decoder cannot know it.": (
        lambda x, d, new: pca(x, d, new - new.mean(0) + x.mean(0)) - x.mean(0) + new.mean(0)
    ),
    "You divide each pixel by its standard deviation. The squared error counts pixels alike.": (
        slip(unit=lambda x: x.std(0))
    ),
    "Your codes are divided by the singular values, and the decoder does not undo it.": (
        slip(weigh=lambda codes, sizes: codes / sizes)
    ),
    "Your codes are multiplied by the singular values, and the decoder does not undo it.": (
        slip(weigh=lambda codes, sizes: codes * sizes)
    ),
    "Your reconstruction is always the mean: the code is not used.": (
        lambda x, d, new: x.mean(0).expand_as(new)
    ),
    "The last number of your code is not used.": lambda x, d, new: pca(x, d - 1, new),
}


def cases(seed: int | None) -> list[tuple[Tensor, int, Tensor]]:
    """(x, latent_dim, new pictures)."""
    g = fresh(seed)
    return [
        (spread_out(g, n, pixels), latent_dim, normal(g, new, pixels, scale=2.0))
        for n, pixels, latent_dim, new in ((12, 4, 1, 3), (20, 5, 2, 1), (15, 7, 4, 6))
    ]


def rebuilt(answer: Callable) -> Callable:
    """What the two functions of an answer make of new pictures."""

    def rebuild(x, latent_dim, new):
        encode, decode = two_functions(answer(x, latent_dim))
        codes = linear_output(encode, "encode", new, latent_dim)
        linear_output(decode, "decode", codes, x.shape[1])
        return decode(codes)

    return rebuild


@check(
    cases=cases,
    read=rebuilt,
    names=("x", "latent_dim"),
    slips=SLIPS,
    within=1e-3,
    praise="No linear autoencoder does better: yours reconstructs new pictures exactly like PCA.",
)
def linear(x: Tensor, latent_dim: int, new: Tensor) -> Tensor:
    """Reconstructions of new pictures, (batch, pixels): the axes of the codes are free."""
    return pca(x, latent_dim, new)
