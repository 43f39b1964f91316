"""Checks of the exercises of chapter 8, latents that live: one module a task."""

from vae_course.checks.latents_that_live.free_bits import free_bits
from vae_course.checks.latents_that_live.linear import linear
from vae_course.checks.latents_that_live.rate import rate
from vae_course.checks.latents_that_live.schedule import schedule
from vae_course.checks.latents_that_live.two_pictures import two_pictures

__all__ = ["free_bits", "linear", "rate", "schedule", "two_pictures"]
