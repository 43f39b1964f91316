"""Checks of the exercises of chapter 13, losses in the wild: one module a task."""

from vae_course.checks.losses_in_the_wild.repaired import repaired
from vae_course.checks.losses_in_the_wild.sound import sound
from vae_course.checks.losses_in_the_wild.std_behind import std_behind
from vae_course.checks.losses_in_the_wild.weight_behind import weight_behind

__all__ = ["repaired", "sound", "std_behind", "weight_behind"]
