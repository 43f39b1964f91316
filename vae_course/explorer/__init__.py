"""Live figures: they run in the page without a kernel, in the book, in Jupyter and in Colab alike.

Each function returns a `LiveFigure`, one HTML fragment with its own script and numbers. Where
scripts are off, and in print, a still picture stands in its place.
"""

from vae_course.explorer.average import best_picture
from vae_course.explorer.blur import edge_blur
from vae_course.explorer.bowl import kl_bowl
from vae_course.explorer.calculator import loss_calculator
from vae_course.explorer.cures import cures
from vae_course.explorer.fragment import LiveFigure
from vae_course.explorer.gap import elbo_gap
from vae_course.explorer.ladder import Rung, prior_ladder
from vae_course.explorer.live_vae import playground
from vae_course.explorer.noise import noise_slider
from vae_course.explorer.pair import two_images
from vae_course.explorer.plane import latent_plane
from vae_course.explorer.smile import asked_smile
from vae_course.explorer.spread import gradient_spread
from vae_course.explorer.water import water_level

__all__ = [
    "LiveFigure",
    "Rung",
    "asked_smile",
    "best_picture",
    "cures",
    "edge_blur",
    "elbo_gap",
    "gradient_spread",
    "kl_bowl",
    "latent_plane",
    "loss_calculator",
    "noise_slider",
    "playground",
    "prior_ladder",
    "two_images",
    "water_level",
]
