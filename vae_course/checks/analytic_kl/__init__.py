"""Checks of the exercises of chapter 4, the analytic KL: one module a task."""

from vae_course.checks.analytic_kl.curvatures import curvatures
from vae_course.checks.analytic_kl.derivatives import derivatives
from vae_course.checks.analytic_kl.gradient import gradient
from vae_course.checks.analytic_kl.kl import kl
from vae_course.checks.analytic_kl.two_gaussians import two_gaussians

__all__ = ["curvatures", "derivatives", "gradient", "kl", "two_gaussians"]
