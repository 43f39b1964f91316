"""Task 5: the true posterior of the linear VAE."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform


def cases(seed: int | None) -> list[tuple]:
    """(x, weight, bias, variance, mean, log_std), q(z|x) = N(mean, std²)."""
    g = fresh(seed)
    found = []
    sizes = ((1, 3, 2), (4, 5, 1), (3, 2, 2), (5, 6, 3), (2, 3, 3))
    ranges = ((0.2, 0.6),) * 3 + ((2.0, 5.0), (1e-4, 1e-3))  # of the noise: exact, and hardly any
    turn = int(torch.randint(len(sizes), (1,), generator=g))  # no size has a noise of its own
    ranges = ranges[turn:] + ranges[:turn]
    for (batch, pixels, latents), (low, high) in zip(sizes, ranges, strict=True):
        weight, bias = normal(g, pixels, latents), normal(g, pixels)
        log_std = uniform(g, batch, latents, low=-1.5, high=-0.3)
        variance = uniform(g, 1, low=low, high=high).item()
        q = normal(g, batch, latents), log_std
        found.append((normal(g, batch, pixels, scale=2.0), weight, bias, variance, *q))
    return found


def conditioned(x, weight, bias, variance):
    """Mean and covariance of z given x, from the covariance of z and x together."""
    pixels, latents = weight.shape
    eye_z, eye_x = torch.eye(latents).to(weight), torch.eye(pixels).to(weight)
    z_and_x = (
        torch.cat([eye_z, weight]),
        torch.cat([weight.T, weight @ weight.T + variance * eye_x]),
    )
    precision = torch.linalg.inv(torch.cat(z_and_x, 1))
    covariance = torch.linalg.inv(precision[:latents, :latents])
    return -(x - bias) @ (covariance @ precision[:latents, latents:]).T, covariance


def pieces(
    x,
    weight,
    bias,
    variance,
    *,
    prior=1.0,
    shift=1.0,
    noise=lambda v: v,
    squares=lambda w: w.T @ w,
    covariance_of=torch.linalg.inv,
    weigh=None,
):
    """Mean and covariance by way of the precision, with knobs."""
    v, eye = noise(variance), torch.eye(weight.shape[1]).to(weight)
    precision = prior * eye + squares(weight) / v
    covariance = torch.linalg.inv(precision)
    pull = (x - shift * bias) @ weight / v
    mean = pull @ covariance if weigh is None else weigh(pull, precision, covariance, v)
    return mean, covariance_of(precision)


def divided(x, weight, bias, variance):
    """The noise is missing in the precision, but not in the pull."""
    covariance = torch.linalg.inv(torch.eye(weight.shape[1]).to(weight) + weight.T @ weight)
    return (x - bias) @ weight @ covariance / variance, covariance


MEAN = "In the mean, "
COVARIANCE = "In the covariance, "
slip = turned(pieces, lambda found: found)
SLIPS = {
    "This forgets the prior: without it the posterior would be the likelihood alone.": (
        slip(prior=0.0)
    ),
    "The prior is subtracted. What it knows of z is added to what x says.": slip(prior=-1.0),
    "The noise has the wrong size: `variance` is σ_x² already.": slip(noise=lambda v: v**2),
    "The noise has the wrong size: you take the square root of `variance`.": (
        slip(noise=lambda v: v**0.5)
    ),
    "You multiply by `variance` where you should divide.": slip(noise=lambda v: 1 / v),
    "`variance` is not used: a noisy picture says less about z.": slip(noise=lambda v: 1.0),
    "The noise is missing in the precision: a noisy picture says less about z.": divided,
    "`bias` is not used. z explains what is left of x without it.": slip(shift=0.0),
    "`bias` has the wrong sign.": slip(shift=-1.0),
    f"{COVARIANCE}one step is missing: this is the precision, and its inverse is asked for.": (
        slip(covariance_of=lambda precision: precision)
    ),
    f"{COVARIANCE}everything off the diagonal is missing: latents may be correlated.": (
        slip(covariance_of=lambda precision: torch.linalg.inv(precision).diagonal().diag())
    ),
    f"{COVARIANCE}each number is inverted by itself. The inverse of a matrix is another thing.": (
        slip(covariance_of=lambda precision: 1 / precision)
    ),
    f"{COVARIANCE}a root was taken: this is its Cholesky factor.": (
        slip(covariance_of=lambda precision: torch.linalg.cholesky(torch.linalg.inv(precision)))
    ),
    f"{COVARIANCE}only the prior is left.": (
        slip(covariance_of=lambda precision: torch.eye(len(precision)).to(precision))
    ),
    f"{MEAN}the noise is missing.": slip(weigh=lambda pull, p, c, v: v * pull @ c),
    f"{MEAN}the noise is missing, and it is not weighed with the covariance.": (
        slip(weigh=lambda pull, p, c, v: v * pull)
    ),
    f"{MEAN}the covariance is missing. It is only what the likelihood says, and must be weighed.": (
        slip(weigh=lambda pull, p, c, v: pull)
    ),
    f"{MEAN}you weigh with the precision. Its inverse, the covariance, belongs there.": (
        slip(weigh=lambda pull, p, c, v: pull @ p)
    ),
}


@check(
    cases=lambda seed: [case[:4] for case in cases(seed)],
    slips=SLIPS,
    results=("the mean", "the covariance"),
    praise="This is p(z|x) itself. Its covariance is the same for every picture.",
)
def posterior(x: Tensor, weight: Tensor, bias: Tensor, variance: float) -> tuple[Tensor, Tensor]:
    """Mean (batch, d) and covariance (d, d) of p(z|x) for p(x|z) = N(weight z + bias, variance)."""
    return conditioned(x, weight, bias, variance)
