"""A prior of one's own: the KL to it, by draws, is one more formula that the probe can weigh."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from vae_course.doctor.advice import finding
from vae_course.doctor.dice import same_draws
from vae_course.doctor.loss.families import NONE, Family
from vae_course.doctor.report import Finding, number

DRAWS = 1024  # a power of 2, as Sobol's points want it
POWERS = {"log_std": 1.0, "log_var": 0.5}  # std = exp(power · spread)


def own_prior(prior: Any, owner: Any, shape: torch.Size, like: Tensor) -> Any | None:
    """`prior`, or that of `owner`, if it is none but N(0, I); None for N(0, I) itself.

    `shape` is that of one z. Raises TypeError for what is no prior, ValueError for densities of a
    wrong shape.
    """
    if prior is None:
        found = getattr(owner, "prior", None)
        prior = found if _is_prior(found) else None
    elif not _is_prior(prior):
        raise TypeError(
            "prior must have log_prob(z) -> (N,) and sample(n) -> (N, ...), as those of "
            f"models.priors and of torch.distributions have, but is {prior!r}"
        )
    if prior is None:
        return None
    generator = torch.Generator().manual_seed(0)
    z = 2 * torch.randn(64, *shape, generator=generator).to(like)
    found = log_density(prior, z)
    normal = Normal(0.0, 1.0).log_prob(z).reshape(64, -1).sum(1).double().cpu()
    return None if torch.allclose(found, normal, rtol=1e-4, atol=1e-3) else prior


def _is_prior(thing: Any) -> bool:
    return all(callable(getattr(thing, name, None)) for name in ("log_prob", "sample"))


def log_density(prior: Any, z: Tensor) -> Tensor:
    """log p(z) of (N, ...): (N,), in double precision, without gradients."""
    with torch.no_grad():
        found = prior.log_prob(z)
    if found.shape == z.shape:  # a Normal for each latent
        found = found.reshape(len(z), -1).sum(1)
    if found.shape != z.shape[:1]:
        raise ValueError(
            f"prior.log_prob must return one number for each z, ({len(z)},), but returned "
            f"{tuple(found.shape)} for {tuple(z.shape)}"
        )
    return found.double().cpu()


def draws_of(prior: Any, count: int) -> Tensor:
    """(count, d) draws, flattened, in double precision."""
    with torch.no_grad(), same_draws():
        drawn = prior.sample((count,) if isinstance(prior, Distribution) else count)
    return drawn.reshape(count, -1).double().cpu()


@dataclass(frozen=True)
class KlToPrior(Family):
    """b · E_q[log q(z) - log p(z)], for q with standard deviations exp(power · spread).

    The entropy of q has a formula; log p is averaged over the same `DRAWS` of noise everywhere.
    """

    prior: Any = None
    meaning: str = "log_std"
    like: Tensor | None = None  # device and dtype of z

    def averaged(self, at: dict) -> tuple[float, float]:
        """The KL, and its standard error if the draws were independent (Sobol's do better)."""
        mean, log_std = at["mean"].double(), POWERS[self.meaning] * at["spread"].double()
        noise = _noise(mean.numel()).reshape(DRAWS, *mean.shape)
        z = (mean + log_std.exp() * noise).to(self.like)
        entropy = (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum()
        values = -log_density(self.prior, z)
        return (values.mean() - entropy).item(), (values.std() / DRAWS**0.5).item()

    def feature(self, at: dict) -> list[float]:
        return [self.averaged(at)[0]]

    def blur(self, points):
        found = torch.tensor([self.averaged(at) for at in points[::4]], dtype=torch.float64)
        return (found[:, 1].square().mean().sqrt() / found[:, 0].std()).item()


def _noise(d: int) -> Tensor:
    engine = torch.quasirandom.SobolEngine(d, scramble=True, seed=0)
    uniform = engine.draw(DRAWS, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
    return Normal(0.0, 1.0).icdf(uniform)


def kls_to(prior: Any, like: Tensor) -> list[KlToPrior]:
    """One for each meaning of the spread."""
    made = [KlToPrior("to your prior", prior=prior, meaning=m, like=like) for m in POWERS]
    return [replace(one, features=one.feature) for one in made]


def judge_own_prior(term) -> list[Finding]:
    """Is the term on the posterior a multiple of the KL to the prior that was given?"""
    if isinstance(term.family, KlToPrior) or term.family is NONE:
        return []
    what = "No multiple of the KL to your prior fits it"
    if term.weights:
        mean, double, single, log = term.weights
        plain = math.isclose(mean, double + single, rel_tol=0.05) and log < 0
        form = "the KL to N(0, I)" if plain else "another formula"
        what = f"It is {form}, times {number(2 * mean)}, and your prior is not N(0, I)"
    evidence = f"{what}: E_q[log q(z) - log p(z)] was averaged over {DRAWS} draws of z."
    return [finding("kl_wrong_form", "error", evidence)]
