"""An autoencoder, and VAEs that differ in their networks alone."""

from vae_course.models.convolutional import ConvolutionalVAE
from vae_course.models.fully_connected import ACTIVATIONS, VAE, Autoencoder, mlp
from vae_course.models.observation import (
    LOWEST_LOG_STD,
    LOWEST_STD,
    STDS,
    ObservationModel,
    outputs_per_pixel,
)
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import (
    Flow,
    FullGaussian,
    GaussianMixture,
    Prior,
    StandardNormal,
)
from vae_course.models.transformer import TransformerVAE

__all__ = [
    "ACTIVATIONS",
    "Autoencoder",
    "ConvolutionalVAE",
    "Flow",
    "FullGaussian",
    "GaussianMixture",
    "LOWEST_LOG_STD",
    "LOWEST_STD",
    "ObservationModel",
    "PictureVAE",
    "Prior",
    "STDS",
    "StandardNormal",
    "TransformerVAE",
    "VAE",
    "mlp",
    "outputs_per_pixel",
]
