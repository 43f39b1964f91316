"""Task 5: the ELBO in nats of what c · MSE + β · KL trains."""

import math

from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Then
from vae_course.exact.collapse import implied_std


def logged(seed: int | None) -> list[tuple]:
    """(mse, kl, c, beta, pixels), the first two (N,). β is above 1, and below. At last a σ above 1,
    and one so small that densities, and the ELBO, are high."""
    g = fresh(seed)
    made = []
    for number, pixels, unit in (
        (1, 5, 1.0),
        (4, 12, 1.0),
        (3, 50, 1.0),
        (3, 7, 12.0),
        (2, 60, 0.03),
    ):
        std = unit * uniform(g, 1, low=0.15, high=0.4).item()
        beta = uniform(g, 1, low=2.0, high=5.0).item() ** (-1 if number == 3 else 1)
        mse, kl = uniform(g, number, low=0.01, high=0.3), uniform(g, number, low=0.5, high=9.0)
        made.append((unit**2 * mse, kl, beta * pixels / (2 * std**2), beta, pixels))
    return made


def written(mse, kl, c, b, D, *, power=1, half=0.5, in_squares=None, squares=1.0, error=1.0,
            in_kl=0, kl_times=1.0, log=1.0, constant=1.0, counted="pixels"):  # fmt: skip
    """The ELBO, with knobs. `power` is that of β in σ², `in_squares` and `in_kl` that of β there.

    Where `in_squares` is None, the squares have the σ² of the logarithm, right or wrong.
    """
    variance = b**power * D * half / c
    of_squares = variance if in_squares is None else b**in_squares * D / (2 * c)
    squares, kl_times = (
        {"once less": 1 / D, "once more": D}.get(times, times) for times in (squares, kl_times)
    )
    constants = 0.5 * log * math.log(variance) + constant * 0.5 * math.log(2 * math.pi)
    constants = constants * {"pixels": D, "picture": 1}[counted]
    return -squares * D * mse**error / (2 * of_squares) - kl_times * b**in_kl * kl - constants


slip = turned(written, lambda nats: nats)
SLIPS = {
    "The weighted loss is not divided by its β, so its squares are not in nats.": (
        slip(in_squares=0)
    ),
    "This is minus the loss, with constants: β is still in front of the KL.": (
        slip(in_kl=1, in_squares=0)
    ),
    "This is minus the loss. The terms that hold σ, and nothing else, are missing.": (
        slip(in_kl=1, in_squares=0, log=0, constant=0)
    ),
    "The squares are those of the mean, and the rest is a sum: MSE stands where SSE belongs.": (
        slip(squares="once less")
    ),
    "The squares are multiplied by the number of pixels once too often.": (
        slip(squares="once more")
    ),
    "The KL is divided by the number of pixels. It came in nats per picture.": (
        slip(kl_times="once less")
    ),
    "The squares lack the ½ of the log-likelihood.": slip(squares=2.0),
    "In the squares, MSE is squared once more. It is a square already.": slip(error=2),
    "In the squares stands the root of MSE. The log-likelihood has squares.": slip(error=0.5),
    "The KL is still weighted. In the ELBO it counts once, whatever it was trained with.": (
        slip(in_kl=1)
    ),
    "The KL is divided by β. It came in nats.": slip(in_kl=-1),
    "The constants are missing: log σ and π, for each pixel. Without them no two σ compare.": (
        slip(log=0, constant=0)
    ),
    "log σ is missing. Two programs with other c have other σ, so it is needed to compare them.": (
        slip(log=0)
    ),
    "The constant with π is missing, so these nats cannot be compared with anybody's.": (
        slip(constant=0)
    ),
    "log 2π counts twice what it should: which power of 2π is in the density?": slip(constant=2),
    "log σ² stands where log σ belongs.": slip(log=2),
    "log σ has a ½ too many.": slip(log=0.5),
    "The sign of log σ is wrong: a smaller σ gives a higher density.": slip(log=-1),
    "Your σ forgets β, but only in its logarithm.": slip(power=0, in_squares=1),
    "Your σ forgets β.": slip(power=0),
    "Your σ² has β on the wrong side.": slip(power=-1),
    "Your σ² has β on the wrong side, but only in the logarithm.": slip(power=-1, in_squares=1),
    "Your σ² lacks a ½.": slip(half=1),
    "Your σ² lacks a ½, but only in the logarithm.": slip(half=1, in_squares=1),
    "The constants count once per picture. They count for each pixel.": slip(counted="picture"),
    "This is the reconstruction term alone. What does the code cost?": slip(kl_times=0),
    "The KL has the wrong sign: a code must cost.": slip(kl_times=-1),
    "This is minus the ELBO, a loss.": Then(lambda nats: -nats),
    "This is the ELBO per pixel. Nats are counted per picture.": (
        lambda mse, kl, c, b, D: written(mse, kl, c, b, D) / D
    ),
    "You take the best σ of each picture, from its MSE. The program was trained for another.": (
        lambda mse, kl, c, b, D: -D / 2 * (2 * math.pi * math.e * mse).log() - kl
    ),
    "The KL is averaged over the pictures. Each has its own.": (
        lambda mse, kl, *rest: written(mse, kl.mean(), *rest)
    ),
}


@check(
    cases=logged,
    slips=SLIPS,
    praise="Back in nats per picture. Now this program can be compared with others.",
)
def weighted_loss(mse: Tensor, kl: Tensor, c, beta, pixels) -> Tensor:
    """The ELBO, (N,), of pictures that are off by √MSE in each pixel, by torch.distributions."""
    std = implied_std(c / beta, pixels)
    off = mse.sqrt()[:, None].expand(-1, pixels)
    return Normal(0.0, std).log_prob(off).sum(1) - kl
