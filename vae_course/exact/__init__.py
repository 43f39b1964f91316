"""Closed forms to compare with."""

from vae_course.exact import collapse, waves
from vae_course.exact.best_decoder import best_decoder
from vae_course.exact.linear import LinearVAE, fit_linear_vae, optimal_kl, spectrum
from vae_course.exact.quadrature import quadrature_bound
from vae_course.exact.rate_distortion import (
    RateDistortion,
    gaussian_rate,
    linear_rate_distortion,
    source_with_spectrum,
)
from vae_course.exact.two_images import TwoImages, fit_two_images

__all__ = [
    "LinearVAE",
    "RateDistortion",
    "TwoImages",
    "best_decoder",
    "collapse",
    "fit_linear_vae",
    "fit_two_images",
    "gaussian_rate",
    "linear_rate_distortion",
    "optimal_kl",
    "quadrature_bound",
    "source_with_spectrum",
    "spectrum",
    "waves",
]
