"""The σ that hides in c · squared error + β · KL, and the slips of those who look for it."""

import math
from itertools import product

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.exact.collapse import implied_std

REDUCTIONS = ("mean", "sum", "example")
SIZES = ((6, 2, 5), (11, 3, 7), (13, 5, 2))  # pixels, latents, batch: no two alike


def cases(seed: int | None) -> list[tuple]:
    """(c, beta, pixels, latents, batch, squares, kl, wanted), every pair of reductions once."""
    g = fresh(seed)
    numbers = uniform(g, 9, 3, low=0.3, high=0.8).tolist()
    return [
        (20 * c, 6 * beta, *SIZES[i % 3], squares, kl, wanted)
        for i, ((squares, kl), (c, beta, wanted)) in enumerate(
            zip(product(REDUCTIONS, repeat=2), numbers, strict=True)
        )
    ]


def _reduced(each: Tensor, how: str) -> Tensor:
    """What a program does with (batch, n) numbers."""
    return {"mean": each.mean(), "sum": each.sum(), "example": each.sum(1).mean()}[how]


def hidden(c, beta, pixels, latents, batch, squares, kl, wanted) -> tuple[Tensor, Tensor]:
    """σ and the c for `wanted`, from the slopes of the loss, written down and differentiated."""
    ones = {"dtype": torch.float64, "requires_grad": True}
    picture, mean = torch.ones(batch, pixels, **ones), torch.ones(batch, latents, **ones)
    loss = c * _reduced(picture**2, squares) + beta * _reduced(0.5 * mean**2, kl)
    at_picture, at_mean = torch.autograd.grad(loss, (picture, mean))
    # The slopes of squares / 2σ² + KL, for pictures of 1 to be painted black, are 1 / σ² and 1.
    variance = at_mean[0, 0] / at_picture[0, 0]
    return variance.sqrt(), c * variance / wanted**2


def _slip(*, std=lambda v: v**0.5, beta=1.0, half=0.5, latents=True, batches="both", pixels=True,
          again=lambda c, v, w: c * v / w**2):  # fmt: skip
    """The two results from a variance with something forgotten."""

    def slipped(c, b, D, d, M, squares, kl, wanted):
        def share(how, n, counts_batch):
            M_ = M if counts_batch else 1
            return {"mean": 1 / (n * M_), "sum": 1.0, "example": 1 / M_}[how]

        left = share(squares, D if pixels else 1, batches in ("both", "squares"))
        right = share(kl, d if latents else 1, batches in ("both", "kl"))
        variance = b**beta * right / left * half / c
        return std(variance), again(c, variance, wanted)

    return slipped


MISTAKES = {
    "The first is σ², not σ.": _slip(std=lambda v: v),
    "The first is 1/σ². A large c stands for a small σ.": _slip(std=lambda v: 1 / v),
    "The first is 1/σ. A large c stands for a small σ.": _slip(std=lambda v: v**-0.5),
    "A ½ is missing: in the log-likelihood the squares are divided by more than σ².": _slip(half=1),
    "A ½ too many: it must come in once.": _slip(half=0.25),
    "β is ignored. A dearer KL stands for a larger σ.": _slip(beta=0),
    "β is on the wrong side. A dearer KL makes squares matter less: does σ rise or fall?": (
        _slip(beta=-1)
    ),
    "β comes in squared.": _slip(beta=2),
    "The number of latents is ignored. A KL that is averaged over them is a smaller KL.": (
        _slip(latents=False)
    ),
    "The number of pixels is ignored. Squares that are averaged over them are smaller squares.": (
        _slip(pixels=False)
    ),
    "Neither the pixels nor the latents are counted.": _slip(pixels=False, latents=False),
    "The batch is ignored. It drops out only where both terms treat it the same way.": (
        _slip(batches="none")
    ),
    "The batch is counted in the squares only. What does the KL do with it?": (
        _slip(batches="squares")
    ),
    "The batch is counted in the KL only. What do the squares do with it?": _slip(batches="kl"),
    "σ is right, the new c is not: it moves the wrong way. For a smaller σ, does c rise or fall?": (
        _slip(again=lambda c, v, w: c * w**2 / v)
    ),
    "σ is right, the new c is not: c goes with the variance, not with σ.": (
        _slip(again=lambda c, v, w: c * v**0.5 / w)
    ),
    "σ is right. The second is only the factor by which c changes.": (
        _slip(again=lambda c, v, w: v / w**2)
    ),
    "σ is right. The new c forgets what the program does with sums and means.": (
        lambda c, b, D, d, M, s, k, w: (
            _slip()(c, b, D, d, M, s, k, w)[0],
            implied_std(1, D) ** 2 * b / w**2,
        )
    ),
    "They stand in the wrong order: first σ.": lambda *case: hidden(*case)[::-1],
}


def logged_cases(seed: int | None) -> list[tuple]:
    """(mse, kl, c, beta, pixels), the first two (N,)."""
    g = fresh(seed)
    made = []
    for number, pixels in ((1, 5), (4, 12), (3, 50)):
        std, beta = uniform(g, 1, low=0.1, high=0.4).item(), uniform(g, 1, low=2.0, high=5.0).item()
        mse, kl = uniform(g, number, low=0.01, high=0.3), uniform(g, number, low=0.5, high=9.0)
        made.append((mse, kl, beta * pixels / (2 * std**2), beta, pixels))
    return made


def elbo(mse, kl, c, beta, pixels) -> Tensor:
    """By torch.distributions: pictures that are off by √MSE in each pixel."""
    std = implied_std(c / beta, pixels)
    off = mse.sqrt()[:, None].expand(-1, pixels)
    return Normal(0.0, std).log_prob(off).sum(1) - kl


def _logged(
    *, power=1.0, sign=1.0, kl_by=0.0, fit_by=1.0, half=0.5, log=1.0, constant=1.0, fit=1.0
):
    """The ELBO from the log, with room for slips; `power` is that of β in σ²."""

    def slipped(mse, kl, c, b, D):
        variance = b**power * D * half / c
        constants = D * (log * 0.5 * math.log(variance) + constant * 0.5 * math.log(2 * math.pi))
        return -sign * fit * c * mse / b**fit_by - b**kl_by * kl - constants

    return slipped


ELBO_MISTAKES = {
    "The weighted loss is not divided by its β, so its squares are not in nats.": _logged(fit_by=0),
    "This is minus the loss, with constants: β is still in front of the KL.": (
        _logged(kl_by=1, fit_by=0)
    ),
    "This is minus the loss. The terms that hold σ, and nothing else, are missing.": (
        _logged(kl_by=1, fit_by=0, log=0, constant=0)
    ),
    "The KL is still weighted. In the ELBO it counts once, whatever it was trained with.": (
        _logged(kl_by=1)
    ),
    "The KL is divided by β. It came in nats.": _logged(kl_by=-1),
    "The constants are missing: log σ and π, for each pixel. Without them no two σ compare.": (
        _logged(log=0, constant=0)
    ),
    "log σ is missing. Two programs with other c have other σ, so it is needed to compare them.": (
        _logged(log=0)
    ),
    "The constant with π is missing, so these nats cannot be compared with anybody's.": (
        _logged(constant=0)
    ),
    "log σ² stands where log σ belongs.": _logged(log=2),
    "The sign of log σ is wrong: a smaller σ gives a higher density.": _logged(log=-1),
    "Your σ forgets β.": _logged(power=0),
    "Your σ forgets β, and so do the squares.": _logged(power=0, fit_by=0),
    "Your σ² has β on the wrong side.": _logged(power=-1),
    "Your σ² lacks a ½.": _logged(half=1),
    "The constants count once per picture. They count for each pixel.": (
        lambda mse, kl, c, b, D: -c * mse / b - kl - 0.5 * math.log(2 * math.pi * b * D / (2 * c))
    ),
    "This is the reconstruction term alone. What does the code cost?": (
        lambda mse, kl, *rest: elbo(mse, 0 * kl, *rest)
    ),
    "The KL has the wrong sign: a code must cost.": lambda mse, kl, *rest: elbo(mse, -kl, *rest),
    "This is minus the ELBO, a loss.": lambda *case: -elbo(*case),
    "This is the ELBO per pixel. Nats are counted per picture.": (
        lambda mse, kl, c, b, D: elbo(mse, kl, c, b, D) / D
    ),
}
