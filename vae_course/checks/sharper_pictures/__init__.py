"""Checks of the exercises of chapter 12, sharper pictures: one module a task."""

from vae_course.checks.sharper_pictures.mask import mask
from vae_course.checks.sharper_pictures.quantize import quantize
from vae_course.checks.sharper_pictures.rate import rate
from vae_course.checks.sharper_pictures.spread_and_gap import spread_and_gap
from vae_course.checks.sharper_pictures.two_levels import two_levels

__all__ = ["mask", "quantize", "rate", "spread_and_gap", "two_levels"]
