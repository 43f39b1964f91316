"""The linear-Gaussian model for the checks: its oracles, and slips with their names."""

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course.checks.judging.inputs import fresh, normal, uniform


def cases(seed: int | None) -> list[tuple]:
    """(x, weight, bias, variance, mean, log_std), q(z|x) = N(mean, std²)."""
    g = fresh(seed)
    found = []
    for batch, pixels, latents in ((1, 3, 2), (4, 5, 1), (3, 2, 2), (5, 6, 3)):
        weight, bias = normal(g, pixels, latents), normal(g, pixels)
        log_std = uniform(g, batch, latents, low=-1.5, high=-0.3)
        variance = uniform(g, 1, low=0.2, high=0.6).item()
        q = normal(g, batch, latents), log_std
        found.append((normal(g, batch, pixels, scale=2.0), weight, bias, variance, *q))
    return found


def conditioned(x: Tensor, weight: Tensor, bias: Tensor, variance: float) -> tuple[Tensor, Tensor]:
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


def evidence_and_gap(
    x: Tensor, weight: Tensor, bias: Tensor, variance: float, mean: Tensor, log_std: Tensor
) -> tuple[Tensor, Tensor]:
    """log p(x), and log p(x) minus (reconstruction minus KL to the prior)."""
    log_p = evidence(x, weight, bias, variance)
    at_mean = Normal(mean @ weight.T + bias, variance**0.5).log_prob(x).sum(1)
    spread = (torch.exp(2 * log_std) @ weight.square().T).sum(1)  # of the pictures under q
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
    return log_p, log_p - (at_mean - spread / (2 * variance) - kl)


def evidence(x: Tensor, weight: Tensor, bias: Tensor, variance: float) -> Tensor:
    """log p(x): x is normal, with the covariance of weight z and that of the noise."""
    return _normal(bias, weight @ weight.T + variance * torch.eye(len(weight)).to(x)).log_prob(x)


def _diagonal(mean, log_std):
    return _normal(mean, torch.diag_embed(torch.exp(2 * log_std)))


def _normal(mean, covariance):
    return MultivariateNormal(mean, covariance, validate_args=False)  # half of the check's time


def _with_precision(change):
    """The posterior from a precision that `change(weight, variance)` gives, right or not."""

    def slip(x, w, b, v):
        covariance = torch.linalg.inv(change(w, v))
        return (x - b) @ w @ covariance / v, covariance

    return slip


def _eye(w):
    return torch.eye(w.shape[1]).to(w)


POSTERIOR_MISTAKES = {
    "This forgets the prior: without it the posterior would be the likelihood alone.": (
        _with_precision(lambda w, v: w.T @ w / v)
    ),
    "The noise has the wrong size: `variance` is σ_x² already.": (
        lambda x, w, b, v: conditioned(x, w, b, v**2)
    ),
    "The noise has the wrong size: you take the square root of `variance`.": (
        lambda x, w, b, v: conditioned(x, w, b, v**0.5)
    ),
    "`bias` is not used. z explains what is left of x without it.": (
        lambda x, w, b, v: conditioned(x, w, 0 * b, v)
    ),
    "`bias` has the wrong sign.": lambda x, w, b, v: conditioned(x, w, -b, v),
    "The mean is right. But the second is the precision: its inverse is asked for.": (
        lambda x, w, b, v: (conditioned(x, w, b, v)[0], conditioned(x, w, b, v)[1].inverse())
    ),
    "The covariance is right. In the mean, the noise is missing.": (
        lambda x, w, b, v: (conditioned(x, w, b, v)[0] * v, conditioned(x, w, b, v)[1])
    ),
    "The covariance is right. But the mean is only what the likelihood says: it must be weighed "
    "with that covariance.": lambda x, w, b, v: ((x - b) @ w / v, conditioned(x, w, b, v)[1]),
    "The mean is right. The second must be the whole covariance: latents may be correlated.": (
        lambda x, w, b, v: (
            conditioned(x, w, b, v)[0],
            conditioned(x, w, b, v)[1].diagonal().diag(),
        )
    ),
    "`variance` is not used: a noisy picture says less about z.": (
        lambda x, w, b, v: conditioned(x, w, b, 1.0)
    ),
    "The noise is missing in the precision: a noisy picture says less about z.": (
        _with_precision(lambda w, v: _eye(w) + w.T @ w)
    ),
    "They stand in the wrong order: first the mean.": (
        lambda x, w, b, v: conditioned(x, w, b, v)[::-1]
    ),
}


def _parts(x, w, b, v, m, s):
    """log p(x), gap, q and the true posterior."""
    mean, covariance = conditioned(x, w, b, v)
    pair = evidence_and_gap(x, w, b, v, m, s)
    return *pair, _diagonal(m, s), _normal(mean, covariance)


def _gap(of):
    """log p(x) is right, and the gap is `of(log p(x), gap, q, posterior)`."""

    def slip(*case):
        parts = _parts(*case)
        return parts[0], of(*parts)

    return slip


def _evidence(of):
    """The gap is right, and log p(x) is `of(x, weight, bias, variance)`."""
    return lambda *case: (of(*case[:4]), evidence_and_gap(*case)[1])


def _prior(q):
    return _normal(torch.zeros_like(q.mean), torch.eye(q.mean.shape[1]).to(q.mean))


def _only_diagonal(p):
    return _normal(p.mean, torch.diag(p.covariance_matrix.diagonal(dim1=-2, dim2=-1)[0]))


LOG_P = "The gap is right. In log p(x), "
GAP = "log p(x) is right. The second "
GAP_MISTAKES = {
    GAP + "is the KL the other way round: its mean must run over q, from which the ELBO draws.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(p, q))
    ),
    GAP + "is the KL to the prior. That is a term of the ELBO, not what is lost.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(q, _prior(q)))
    ),
    GAP + "is the ELBO itself. The gap is what is missing to log p(x).": (
        _gap(lambda log_p, gap, q, p: log_p - gap)
    ),
    GAP + "has the wrong sign: a gap is never negative.": _gap(lambda log_p, gap, q, p: -gap),
    GAP + "drops the posterior's correlations: q is diagonal, p(z|x) is not.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(q, _only_diagonal(p)))
    ),
    GAP + "uses σ where a covariance has σ²: log σ is not log σ².": lambda x, w, b, v, m, s: (
        evidence_and_gap(x, w, b, v, m, s / 2)
    ),
    LOG_P + "the noise of the likelihood has the wrong size.": (
        _evidence(lambda x, w, b, v: evidence(x, w, b, v**2))
    ),
    LOG_P + "you take the square root of the noise's variance.": (
        _evidence(lambda x, w, b, v: evidence(x, w, b, v**0.5))
    ),
    LOG_P + "the bias is missing.": (_evidence(lambda x, w, b, v: evidence(x, w, 0 * b, v))),
    LOG_P + "z is left out: this is the noise around the bias alone.": (
        _evidence(lambda x, w, b, v: evidence(x, 0 * w, b, v))
    ),
    LOG_P + "z is put at the posterior's mean, not integrated over.": _evidence(
        lambda x, w, b, v: evidence(x - conditioned(x, w, b, v)[0] @ w.T, 0 * w, b, v)
    ),
    "They stand in the wrong order: first log p(x).": (lambda *case: evidence_and_gap(*case)[::-1]),
}
