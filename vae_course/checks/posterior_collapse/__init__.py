"""Checks of the exercises of chapter 7, posterior collapse: one module a task."""

from vae_course.checks.posterior_collapse.constant import constant
from vae_course.checks.posterior_collapse.diagnosis import diagnosis
from vae_course.checks.posterior_collapse.linear import linear
from vae_course.checks.posterior_collapse.rate import rate
from vae_course.checks.posterior_collapse.schedule import schedule
from vae_course.checks.posterior_collapse.two_pictures import two_pictures
from vae_course.checks.posterior_collapse.units import units

__all__ = ["constant", "diagnosis", "linear", "rate", "schedule", "two_pictures", "units"]
