"""The model that a run's settings describe."""

from collections.abc import Sequence

import torch

from vae_course.models import VAE, ConvolutionalVAE, TransformerVAE
from vae_course.models.picture_vae import PictureVAE
from vae_course.train.run import Run


def build_model(run: Run, image_shape: Sequence[int]) -> PictureVAE:
    """The model with the weights it starts from, which depend on --seed alone.

    The global random state is left alone. Raises ValueError for settings that the model refuses.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(run.seed)
        return _model_class(run)(
            tuple(image_shape),
            run.latent_dim,
            likelihood=run.likelihood,
            std=run.std,
            lowest_std=run.lowest_std,
            highest_std=run.highest_std,
            **_own_settings(run),
        )


def _model_class(run: Run) -> type[PictureVAE]:
    if run.model == "convolutional":
        return ConvolutionalVAE
    if run.model == "transformer":
        return TransformerVAE
    return VAE


def _own_settings(run: Run) -> dict:
    if run.model == "convolutional":
        return {"channels": run.channels}
    if run.model == "transformer":
        return {
            name: getattr(run, name) for name in ("patch", "width", "depth", "heads", "place_maps")
        }
    return {"hidden": run.hidden, "activation": run.activation}
