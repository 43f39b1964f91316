"""Checks of the exercises of chapter 5, the reparameterization trick: one module a task."""

from vae_course.checks.reparameterization.best_baseline import best_baseline
from vae_course.checks.reparameterization.counter_example import counter_example
from vae_course.checks.reparameterization.draw import draw
from vae_course.checks.reparameterization.score import score
from vae_course.checks.reparameterization.slopes import slopes
from vae_course.checks.reparameterization.surrogate import surrogate
from vae_course.checks.reparameterization.variances import variances

__all__ = [
    "best_baseline",
    "counter_example",
    "draw",
    "score",
    "slopes",
    "surrogate",
    "variances",
]
