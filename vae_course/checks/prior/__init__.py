"""Checks of the exercises of chapter 11, the prior's hole: one module a task."""

from vae_course.checks.prior.gain import gain
from vae_course.checks.prior.highest_hole import highest_hole
from vae_course.checks.prior.label_gain import label_gain
from vae_course.checks.prior.rescaled import rescaled
from vae_course.checks.prior.scale_factor import scale_factor
from vae_course.checks.prior.target import target

__all__ = ["gain", "highest_hole", "label_gain", "rescaled", "scale_factor", "target"]
