"""A reader's own VAE, examined: `examine(encode, decode, images, loss)` says what is wrong with it.

The doctor calls functions and reads numbers, never code. `advice.ADVICE` lists what it can find.
"""

from vae_course.doctor.examination import examine
from vae_course.doctor.report import Finding, Report

__all__ = ["Finding", "Report", "examine"]
