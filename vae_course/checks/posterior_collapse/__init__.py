"""Checks of the exercises of chapter 7, posterior collapse: one module a task."""

from vae_course.checks.posterior_collapse.constant import constant
from vae_course.checks.posterior_collapse.diagnosis import diagnosis
from vae_course.checks.posterior_collapse.gain import gain
from vae_course.checks.posterior_collapse.units import units

__all__ = ["constant", "diagnosis", "gain", "units"]
