"""Task 1: what a Gaussian prior gains over N(0, I), in nats."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Then


def priors(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(codes, mean, covariance): correlated latents, and codes that are not those of the prior."""
    g, cases = fresh(seed), []
    for count, latents in ((7, 3), (5, 1), (4, 4), (9, 2)):
        root = normal(g, latents, latents) / latents**0.5
        covariance = root @ root.T + uniform(g, latents, low=0.3, high=1.5).diag()
        codes = normal(g, count, latents, scale=1.5) + uniform(g, latents, low=0.2, high=1.0)
        cases.append((codes, uniform(g, latents, low=0.3, high=1.5), covariance))
    return cases


def per_code(
    z, mean, covariance, *, log_det=0.5, square=0.5, centred=True, origin=1.0, inverted=True,
    full=True,
):  # fmt: skip
    off = z - mean if centred else z
    matrix = covariance if full else covariance.diagonal().diag()
    inverse = torch.linalg.inv(matrix) if inverted else matrix
    squares = ((off @ inverse) * off).sum(1)
    return -square * squares - log_det * matrix.logdet() + origin * 0.5 * z.square().sum(1)


slip = turned(per_code, lambda gains: gains.mean())
SLIPS = {
    "The sign is wrong: a prior that fits the codes better gains nats.": Then(lambda g: -g),
    "You sum over the codes. Average over them.": slip(lambda gains: gains.sum()),
    "The logarithm of the determinant is missing, or cancelled: a wide density is a low one.": (
        slip(log_det=0)
    ),
    "The ½ in front of log det is missing.": slip(log_det=1.0),
    "The log det has the wrong sign: a wide density is a low one.": slip(log_det=-0.5),
    "You forget to subtract the mean of the prior from the codes.": slip(centred=False),
    "This is what the codes cost under the new prior. You did not take off log N(z; 0, I).": (
        lambda z, mean, covariance: (
            per_code(z, mean, covariance, origin=0.0).mean()
            - 0.5 * z.shape[1] * math.log(2 * math.pi)
        )
    ),
    "The two constants ½ d log 2π cancel, but the square of z under N(0, I) stays.": slip(
        origin=0.0
    ),
    "You multiply with the covariance where its inverse belongs.": slip(inverted=False),
    "You use the variances alone. The latents are correlated.": slip(full=False),
    "You divide by the number of latents, too. Nats add up over latents.": (
        lambda z, mean, covariance: gain.right(z, mean, covariance) / z.shape[1]
    ),
    "This is in bits.": Then(lambda g: g / math.log(2)),
}


@check(
    cases=priors,
    slips=SLIPS,
    praise="So many nats of ELBO, and no reconstruction has changed.",
)
def gain(codes: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """One number. Here: along the covariance's own axes, each a normal distribution by itself."""
    variances, axes = torch.linalg.eigh(covariance)
    along = (codes - mean) @ axes
    ours = sum(Normal(0.0, v.sqrt()).log_prob(c) for v, c in zip(variances, along.T, strict=True))
    theirs = sum(Normal(0.0, 1.0).log_prob(c) for c in codes.T)
    return (ours - theirs).mean()
