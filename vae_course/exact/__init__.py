"""Closed forms to compare with."""

from vae_course.exact import collapse, waves
from vae_course.exact.best_decoder import best_decoder
from vae_course.exact.linear import (
    LinearVAE,
    TwoImages,
    fit_linear_vae,
    fit_two_images,
    optimal_kl,
    quadrature_bound,
    spectrum,
)

__all__ = [
    "LinearVAE",
    "TwoImages",
    "best_decoder",
    "collapse",
    "fit_linear_vae",
    "fit_two_images",
    "optimal_kl",
    "quadrature_bound",
    "spectrum",
    "waves",
]
