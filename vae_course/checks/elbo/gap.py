"""Task 6: log p(x), and the gap below it, in the linear VAE."""

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course.checks.elbo.posterior import cases, conditioned
from vae_course.checks.judging.check import check


def evidence_and_gap(x, weight, bias, variance, mean, log_std):
    """log p(x), and log p(x) minus (reconstruction minus KL to the prior)."""
    log_p = evidence_of(x, weight, bias, variance)
    at_mean = Normal(mean @ weight.T + bias, variance**0.5).log_prob(x).sum(1)
    spread = (torch.exp(2 * log_std) @ weight.square().T).sum(1)  # of the pictures under q
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
    return log_p, log_p - (at_mean - spread / (2 * variance) - kl)


def evidence_of(x: Tensor, weight: Tensor, bias: Tensor, variance: float) -> Tensor:
    """log p(x): x is normal, with the covariance of weight z and that of the noise."""
    return _normal(bias, weight @ weight.T + variance * torch.eye(len(weight)).to(x)).log_prob(x)


def _diagonal(mean, log_std):
    return _normal(mean, torch.diag_embed(torch.exp(2 * log_std)))


def _normal(mean, covariance):
    return MultivariateNormal(mean, covariance, validate_args=False)  # half of the check's time


def independent(x: Tensor, weight: Tensor, bias: Tensor, variance: float) -> Tensor:
    std = (weight.square().sum(1) + variance).sqrt()
    return Normal(bias, std).log_prob(x).sum(1)


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


LOG_P = "In log p(x), "
GAP = "The second result, which should be the gap, "
SLIPS = {
    GAP + "is the KL the other way round: its mean must run over q, from which the ELBO draws.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(p, q))
    ),
    GAP + "is the KL to the prior. That is a term of the ELBO, not what is lost.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(q, _prior(q)))
    ),
    GAP + "is the ELBO itself. The gap is what is missing to log p(x).": (
        _gap(lambda log_p, gap, q, p: log_p - gap)
    ),
    GAP + "drops the posterior's correlations: q is diagonal, p(z|x) is not.": (
        _gap(lambda log_p, gap, q, p: kl_divergence(q, _only_diagonal(p)))
    ),
    GAP + "uses σ where a covariance has σ²: log σ is not log σ².": lambda x, w, b, v, m, s: (
        evidence_and_gap(x, w, b, v, m, s / 2)
    ),
    LOG_P + "the noise of the likelihood has the wrong size.": (
        _evidence(lambda x, w, b, v: evidence_of(x, w, b, v**2))
    ),
    LOG_P + "you take the square root of the noise's variance.": (
        _evidence(lambda x, w, b, v: evidence_of(x, w, b, v**0.5))
    ),
    LOG_P + "the bias is missing.": (_evidence(lambda x, w, b, v: evidence_of(x, w, 0 * b, v))),
    LOG_P + "z is left out: this is the noise around the bias alone.": (
        _evidence(lambda x, w, b, v: evidence_of(x, 0 * w, b, v))
    ),
    LOG_P + "z is put at the posterior's mean, not integrated over.": _evidence(
        lambda x, w, b, v: evidence_of(x - conditioned(x, w, b, v)[0] @ w.T, 0 * w, b, v)
    ),
    GAP + "is minus the ELBO. The gap is what is missing to log p(x).": (
        _gap(lambda log_p, gap, q, p: gap - log_p)
    ),
    GAP + "compares posteriors with another mean: is the bias missing there?": (
        lambda x, w, b, v, m, s: (
            evidence_of(x, w, b, v),
            kl_divergence(_diagonal(m, s), _normal(*conditioned(x, w, 0 * b, v))),
        )
    ),
    LOG_P + "stands the density, not its logarithm.": (
        _evidence(lambda *case: evidence_of(*case).exp())
    ),
    LOG_P + "you averaged over the pixels. Nats add up.": (
        _evidence(lambda x, w, b, v: evidence_of(x, w, b, v) / x.shape[1])
    ),
    LOG_P + "the pixels are taken for independent. They share z.": (
        _evidence(lambda x, w, b, v: independent(x, w, b, v))
    ),
}


@check(
    cases=cases,
    slips=SLIPS,
    results=("log p(x)", "the gap"),
    praise="log p(x), less your gap, is reconstruction minus KL to the prior: one ELBO, two ways.",
)
def gap(
    x: Tensor, weight: Tensor, bias: Tensor, variance: float, mean: Tensor, log_std: Tensor
) -> tuple[Tensor, Tensor]:
    """log p(x) and log p(x) - ELBO for q(z|x) = N(mean, std²), diagonal: (batch,) each."""
    return evidence_and_gap(x, weight, bias, variance, mean, log_std)
