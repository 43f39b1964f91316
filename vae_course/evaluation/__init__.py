"""Numbers that describe a trained model, and pictures."""

from vae_course.evaluation.bounds import (
    Estimate,
    KlSplit,
    active_units,
    encode_all,
    estimate,
    estimate_elbo,
    importance_weighted_bounds,
    kl_per_latent,
    split_mean_kl,
)
from vae_course.evaluation.factor_reader import fit_reader
from vae_course.evaluation.recognition import digit_score, nearest_label_vote
from vae_course.evaluation.sharpness import laplacian_variance, power_by_frequency
from vae_course.evaluation.similarity import amplitudes, ssim

__all__ = [
    "Estimate",
    "KlSplit",
    "active_units",
    "amplitudes",
    "digit_score",
    "encode_all",
    "estimate",
    "estimate_elbo",
    "fit_reader",
    "importance_weighted_bounds",
    "kl_per_latent",
    "laplacian_variance",
    "nearest_label_vote",
    "power_by_frequency",
    "split_mean_kl",
    "ssim",
]
