"""What one does with codes: walk between them, and bring them and the prior together."""

from vae_course.latents.matching import Rescaled, matched_gaussian, rescale
from vae_course.latents.walks import great_circle, straight_line

__all__ = ["Rescaled", "great_circle", "matched_gaussian", "rescale", "straight_line"]
