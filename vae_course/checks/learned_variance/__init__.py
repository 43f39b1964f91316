"""Checks of the exercises of chapter 6, MSE or a learned variance: one module a task."""

from vae_course.checks.learned_variance.best_std import best_std
from vae_course.checks.learned_variance.constant_pixel import constant_pixel
from vae_course.checks.learned_variance.floor import floor
from vae_course.checks.learned_variance.hidden_std import hidden_std
from vae_course.checks.learned_variance.likelihood import likelihood
from vae_course.checks.learned_variance.optimum import optimum
from vae_course.checks.learned_variance.weighted_loss import weighted_loss

__all__ = [
    "best_std",
    "constant_pixel",
    "floor",
    "hidden_std",
    "likelihood",
    "optimum",
    "weighted_loss",
]
