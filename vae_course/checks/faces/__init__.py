"""Checks of the exercises of chapter 10, faces with a transformer: one module a task."""

from vae_course.checks.faces.arrived import arrived
from vae_course.checks.faces.attention import attention
from vae_course.checks.faces.bounded_log_std import bounded_log_std
from vae_course.checks.faces.direction import direction
from vae_course.checks.faces.patches import patches
from vae_course.checks.faces.positions import positions
from vae_course.checks.faces.slip import slip
from vae_course.checks.faces.two_ratios import two_ratios

__all__ = [
    "arrived",
    "attention",
    "bounded_log_std",
    "direction",
    "patches",
    "positions",
    "slip",
    "two_ratios",
]
