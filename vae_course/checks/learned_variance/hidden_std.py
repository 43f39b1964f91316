"""Task 4: the σ that hides in c · squared errors + β · KL."""

from itertools import product

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Given

REDUCTIONS = ("mean", "sum", "example")


def programs(seed: int | None) -> list[tuple]:
    """(c, beta, pixels, latents, batch, squares, kl, wanted), every pair of reductions once.

    No two of the three sizes are alike.
    """
    g = fresh(seed)
    numbers = uniform(g, 9, 3, low=-1.5, high=1.5).exp().tolist()  # below 1 and above
    made = []
    for (squares, kl), (c, beta, wanted) in zip(
        product(REDUCTIONS, repeat=2), numbers, strict=True
    ):
        sizes = (2 + torch.randperm(12, generator=g)[:3]).tolist()
        c = c * (10 if len(made) % 2 else 1e-3)  # for a σ below 1, or above
        made.append((c, beta, *sizes, squares, kl, wanted))
    return made


def read_off(
    c, b, D, d, M, squares, kl, wanted, *, power=0.5, beta=1.0, half=0.5, latents=True, pixels=True,
    in_squares=True, in_kl=True, of_mean=True, new="c",
):  # fmt: skip
    """Both results, with knobs."""

    def share(how, n, counts):
        m = M if counts else 1
        return {"mean": 1 / (n * (m if of_mean else 1)), "sum": 1.0, "example": 1 / m}[how]

    left, right = (
        share(squares, D if pixels else 1, in_squares),
        share(kl, d if latents else 1, in_kl),
    )
    variance = b**beta * right / left * half / c
    again = {
        "c": c * variance / wanted**2,
        "wrong way": c * wanted**2 / variance,
        "root": c * variance**0.5 / wanted,
        "factor": variance / wanted**2,
        "chapter": 0.5 * D * b / wanted**2,
    }
    return variance**power, again[new]


slip = turned(read_off, lambda pair: pair)


def _words(change):
    return Given(lambda c, b, D, d, M, s, k, w: (c, b, D, d, M, *change(s, k), w), read_off)


def _as(word, taken_for):
    return _words(lambda *words: (taken_for if w == word else w for w in words))


SLIPS = {
    "The first is σ², not σ.": slip(power=1),
    "The first is 1/σ². A large c stands for a small σ.": slip(power=-1),
    "The first is 1/σ. A large c stands for a small σ.": slip(power=-0.5),
    "A ½ is missing: in the log-likelihood the squares are divided by more than σ².": slip(half=1),
    "A ½ too many: it must come in once.": slip(half=0.25),
    "β is ignored. A dearer KL stands for a larger σ.": slip(beta=0),
    "β is on the wrong side. A dearer KL makes squares matter less: does σ rise or fall?": (
        slip(beta=-1)
    ),
    "β comes in squared.": slip(beta=2),
    "The number of latents is ignored. A KL that is averaged over them is a smaller KL.": (
        slip(latents=False)
    ),
    "The number of pixels is ignored. Squares that are averaged over them are smaller squares.": (
        slip(pixels=False)
    ),
    "Neither the pixels nor the latents are counted.": slip(pixels=False, latents=False),
    "The batch is ignored. It drops out only where both terms treat it the same way.": (
        slip(in_squares=False, in_kl=False)
    ),
    "The batch is counted in the squares only. What does the KL do with it?": slip(in_kl=False),
    "The batch is counted in the KL only. What do the squares do with it?": (
        slip(in_squares=False)
    ),
    'With "mean" you leave the batch out. It averages over that, too.': slip(of_mean=False),
    'You take "example" for "sum". It averages over the batch.': _as("example", "sum"),
    'You take "example" for "mean". It sums over pixels or latents.': _as("example", "mean"),
    "You take the word for the squares for that of the KL, and the other way round.": (
        _words(lambda squares, kl: (kl, squares))
    ),
    "The word for the squares decides on both. The KL has a word of its own.": (
        _words(lambda squares, kl: (squares, squares))
    ),
    "The word for the KL decides on both. The squares have a word of their own.": (
        _words(lambda squares, kl: (kl, kl))
    ),
    "You divide by the sizes where you should multiply, and the other way round.": (
        lambda c, b, D, d, M, s, k, w: read_off(c, b, 1 / D, 1 / d, 1 / M, s, k, w)
    ),
    "This is the chapter's case, whatever the words say. Here each word has a factor of its own.": (
        lambda c, b, D, d, M, s, k, w: read_off(c, b, D, d, M, "mean", "example", w, of_mean=False,
                                                in_kl=False)
    ),
    "σ is right, the new c is not: it moves the wrong way. For a smaller σ, does c rise or fall?": (
        slip(new="wrong way")
    ),
    "σ is right, the new c is not: c goes with the variance, not with σ.": slip(new="root"),
    "σ is right. The second is only the factor by which c changes.": slip(new="factor"),
    "σ is right. The new c forgets what the program does with sums and means.": (
        slip(new="chapter")
    ),
}  # fmt: skip


@check(
    cases=programs,
    slips=SLIPS,
    results=("the hidden σ", "the new c"),
    praise="You can read σ off any such program, and say which c it should have had.",
)
def hidden_std(c, beta, pixels, latents, batch, squares, kl, wanted) -> tuple[Tensor, Tensor]:
    """σ, and the c for `wanted`. Here: from the slopes of the loss, written down.

    `squares` and `kl` are "mean", "sum" or "example".
    """

    def reduced(each, how):
        return {"mean": each.mean(), "sum": each.sum(), "example": each.sum(1).mean()}[how]

    ones = {"dtype": torch.float64, "requires_grad": True}
    picture, mean = torch.ones(batch, pixels, **ones), torch.ones(batch, latents, **ones)
    loss = c * reduced(picture**2, squares) + beta * reduced(0.5 * mean**2, kl)
    at_picture, at_mean = torch.autograd.grad(loss, (picture, mean))
    # The slopes of squares / 2σ² + KL, for pictures of 1 to be painted black, are 1 / σ² and 1.
    variance = at_mean[0, 0] / at_picture[0, 0]
    return variance.sqrt(), c * variance / wanted**2
