"""Checks of the exercises of chapter 3, the ELBO: one module a task."""

from vae_course.checks.elbo.bernoulli import bernoulli
from vae_course.checks.elbo.bound import bound
from vae_course.checks.elbo.evidence import evidence
from vae_course.checks.elbo.gap import gap
from vae_course.checks.elbo.gaussian import gaussian
from vae_course.checks.elbo.log_joint import log_joint
from vae_course.checks.elbo.posterior import posterior

__all__ = ["bernoulli", "bound", "evidence", "gap", "gaussian", "log_joint", "posterior"]
