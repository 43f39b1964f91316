"""Checks of the exercises of chapter 1, autoencoders."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.autoencoders.code_clouds import (
    GAP_MISTAKES,
    MATCHED_MISTAKES,
    known_moments,
    moments_of,
    share_in_gaps,
)
from vae_course.checks.autoencoders.code_maps import REMAP_MISTAKES, networks, remapped
from vae_course.checks.autoencoders.linear_codes import (
    LINEAR_MISTAKES,
    linear_output,
    pca,
    spread_out,
    two_functions,
)
from vae_course.checks.autoencoders.nonlinear_networks import (
    built,
    error_left,
    require_free_codes,
    require_gradients,
    require_network,
)
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import praise, require
from vae_course.checks.judging.verdict import agree

# One picture, one channel, one row, one column; never all pictures as large as the batch.
PICTURES = ((1, 1, 3, 4), (4, 1, 2, 5), (5, 3, 1, 2), (2, 2, 6, 1))


def squared_error(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, reconstruction)`: both (batch, C, H, W) -> squared error of each, (batch,).

    Raises NotYet with the diagnosis of a wrong answer. The oracle is torch.distributions.
    """
    g = fresh(seed)
    cases = [(uniform(g, *size), normal(g, *size)) for size in PICTURES]
    agree(answer, _error, cases, ERROR_MISTAKES, gradients=("reconstruction",))
    praise("One number per picture, right for every size tried, and its gradient is right, too.")


def _error(x: Tensor, reconstruction: Tensor) -> Tensor:
    # -log N(x; r, ½) is the squared distance and a constant.
    normal = Normal(reconstruction, 0.5**0.5)
    return (normal.log_prob(reconstruction) - normal.log_prob(x)).sum((1, 2, 3))


ERROR_MISTAKES = {
    "You averaged over the pixels. Every pixel counts in full.": (
        lambda x, r: (x - r).square().mean((1, 2, 3))
    ),
    "You averaged over everything: one number for the whole batch.": (
        lambda x, r: (x - r).square().mean()
    ),
    "This is the distance. The error is its square, so there is no root.": (
        lambda x, r: (x - r).flatten(1).norm(dim=1)
    ),
    "You take absolute differences. They must be squared.": (
        lambda x, r: (x - r).abs().sum((1, 2, 3))
    ),
    "You square the sum. Positive and negative differences cancel before they are squared.": (
        lambda x, r: (x - r).sum((1, 2, 3)).square()
    ),
    "Nothing is squared: positive and negative differences cancel.": (
        lambda x, r: (x - r).sum((1, 2, 3))
    ),
    "Nothing is squared: positive and negative differences cancel, and the order is reversed.": (
        lambda x, r: (r - x).sum((1, 2, 3))
    ),
    "This is the difference of the squares, not the square of the difference.": (
        lambda x, r: (x.square() - r.square()).sum((1, 2, 3))
    ),
    "A dimension is left over: channels count as pixels, too.": (
        lambda x, r: (x - r).square().sum((2, 3))
    ),
    "Height and width are two dimensions; you summed over one of them.": (
        lambda x, r: (x - r).square().sum(3)
    ),
    "Yours are single pixels: nothing is summed.": lambda x, r: (x - r).square(),
}


def linear(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, latent_dim)`: encode and decode, the best linear ones for x (N, pixels).

    Raises NotYet. The oracle is the SVD, compared by reconstructions of new pictures: the axes of
    the codes are free.
    """
    g = fresh(seed)
    sizes = ((12, 4, 1, 3), (20, 5, 2, 1), (15, 7, 4, 6))
    cases = [
        (spread_out(g, n, pixels), latent_dim, normal(g, new, pixels, scale=2.0))
        for n, pixels, latent_dim, new in sizes
    ]

    def rebuild(x, latent_dim, new):
        encode, decode = two_functions(answer(x, latent_dim))
        codes = linear_output(encode, "encode", new, latent_dim)
        linear_output(decode, "decode", codes, x.shape[1])
        return decode(codes)

    agree(rebuild if callable(answer) else answer, pca, cases, LINEAR_MISTAKES, within=1e-3)
    praise("No linear autoencoder does better: yours reconstructs new pictures exactly like PCA.")


def nonlinear(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(pixels, latent_dim)`: an encoder and a decoder, nonlinear modules, untrained.

    Raises NotYet. Sizes, curvature and gradients are tried, then a short training on pictures of a
    bump that moves, where it must beat the best constant picture.
    """
    g = fresh(seed)
    start = int(torch.randint(2**31, (1,), generator=g))
    for pixels, latent_dim in ((16, 3), (9, 1), (12, 2)):
        encoder, decoder = built(answer, pixels, latent_dim, start)
        x = normal(g, 128, pixels, scale=3.0).float()
        codes = require_network(encoder, "encoder", x, latent_dim)
        require_free_codes(encoder, x, codes)
        z = normal(g, 128, latent_dim, scale=3.0).float()
        require_network(decoder, "decoder", z, pixels)
        require_gradients(encoder, decoder, uniform(g, 64, pixels).float())
    place = uniform(g, 64, 1, high=pixels - 1.0)
    bumps = torch.exp(-0.2 * (torch.arange(pixels) - place) ** 2).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start)  # for dropout
        left = error_left(encoder, decoder, bumps)
    require(
        left < 0.6,
        f"Sizes and gradients are right, but after a short training its error is {left:.0%} of "
        "that of a constant picture. Can its output reach every pixel value between 0 and 1, and "
        "are its hidden layers wide enough?",
    )
    praise(f"It learns: after a short training, {left:.0%} of a constant picture's error is left.")


def remap(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(encode, decode, matrix)`: a pair with the codes `matrix` z and the same pictures.

    Raises NotYet. Tried on curved networks and on matrices that are neither symmetric nor
    orthogonal; the new decoder must be right for any code.
    """
    g = fresh(seed)
    cases = [networks(g, *size) for size in ((3, 2, 5), (1, 3, 4), (4, 4, 6), (6, 1, 3))]

    def through(encode, decode, matrix, x, z):
        new_encode, new_decode = two_functions(answer(encode, decode, matrix))
        codes = new_encode(x)
        require(isinstance(codes, Tensor), "Your new encode must return a tensor.")
        return codes, new_decode(codes), new_decode(z)

    agree(through if callable(answer) else answer, remapped, cases, REMAP_MISTAKES)
    praise("Other codes, the same pictures: the loss cannot tell the two autoencoders apart.")


def matched(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(codes, noise)`: noise (n, d) ~ N(0, I) to draws with the moments of codes (N, d).

    Raises NotYet. No statistics: the map from noise to draws is taken apart, and its mean and
    covariance are compared with NumPy's. Which root of the covariance is used is free.
    """
    g = fresh(seed)
    cases = [
        (spread_out(g, n, d), normal(g, rows, d))
        for n, d, rows in ((7, 2, 1), (12, 5, 4), (9, 3, 6))
    ]

    agree(moments_of(answer), known_moments, cases, MATCHED_MISTAKES)
    praise("Mean and covariance of your draws are exactly those of the codes.")


def gaps(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(train_codes, test_codes, draws)`: share of the draws that lie in gaps, a number.

    Raises NotYet. The oracle is NumPy, with the distances of all pairs.
    """
    g = fresh(seed)
    cases = []
    # With 10 k + 1 codes, every convention for the quantile gives the same code.
    for n_train, n_test, n_draws, d in ((21, 61, 121, 2), (31, 71, 101, 3), (41, 51, 141, 4)):
        centres = normal(g, 4, d, scale=2.0)
        case = (
            centres[torch.randint(4, (n,), generator=g)] + normal(g, n, d, scale=scale)
            for n, scale in ((n_train, 0.5), (n_test, 0.5), (n_draws, 0.6))
        )
        cases.append(tuple(case))
    agree(answer, share_in_gaps, cases, GAP_MISTAKES)
    praise("NumPy counts the same share. Without gaps it would be one in ten.")
