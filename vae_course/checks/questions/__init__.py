"""Checks of the exercises on questions people ask: one module a task."""

from vae_course.checks.questions.bits_per_dimension import bits_per_dimension
from vae_course.checks.questions.disguise import disguise
from vae_course.checks.questions.great_circle import great_circle
from vae_course.checks.questions.mix_up import mix_up
from vae_course.checks.questions.reductions import reductions
from vae_course.checks.questions.report import report
from vae_course.checks.questions.std_of_weight import std_of_weight

__all__ = [
    "bits_per_dimension",
    "disguise",
    "great_circle",
    "mix_up",
    "reductions",
    "report",
    "std_of_weight",
]
