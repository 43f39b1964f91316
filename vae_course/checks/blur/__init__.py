"""Checks of the exercises of chapter 9, why outputs are blurry: one module a task."""

from vae_course.checks.blur.best_picture import best_picture
from vae_course.checks.blur.edge import edge
from vae_course.checks.blur.gain import gain
from vae_course.checks.blur.noise_std import noise_std
from vae_course.checks.blur.pictures_behind import pictures_behind
from vae_course.checks.blur.sharpness import sharpness

__all__ = ["best_picture", "edge", "gain", "noise_std", "pictures_behind", "sharpness"]
