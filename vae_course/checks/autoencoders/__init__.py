"""Checks of the exercises of chapter 1, autoencoders: one module a task."""

from vae_course.checks.autoencoders.gaps import gaps
from vae_course.checks.autoencoders.linear import linear
from vae_course.checks.autoencoders.matched import matched
from vae_course.checks.autoencoders.nonlinear import nonlinear
from vae_course.checks.autoencoders.remap import remap
from vae_course.checks.autoencoders.squared_error import squared_error

__all__ = ["gaps", "linear", "matched", "nonlinear", "remap", "squared_error"]
