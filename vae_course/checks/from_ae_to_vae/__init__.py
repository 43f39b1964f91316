"""Checks of the exercises of chapter 2, from autoencoder to VAE: one module a task."""

from vae_course.checks.from_ae_to_vae.aggregate import aggregate
from vae_course.checks.from_ae_to_vae.build import build
from vae_course.checks.from_ae_to_vae.elbo import elbo
from vae_course.checks.from_ae_to_vae.latents_needed import latents_needed
from vae_course.checks.from_ae_to_vae.loss import loss
from vae_course.checks.from_ae_to_vae.reconstruct import reconstruct
from vae_course.checks.from_ae_to_vae.rescale import rescale
from vae_course.checks.from_ae_to_vae.sample import sample
from vae_course.checks.from_ae_to_vae.typical_and_bright import typical_and_bright

__all__ = [
    "aggregate",
    "build",
    "elbo",
    "latents_needed",
    "loss",
    "reconstruct",
    "rescale",
    "sample",
    "typical_and_bright",
]
