"""Other priors for a trained model, fitted to the codes of its training pictures."""

import copy
from collections.abc import Iterator

from torch import Tensor

from vae_course.evaluation import encode_all
from vae_course.latents import rescale
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import PRIORS
from vae_course.train.batches import PIXELS, binarize, generator
from vae_course.train.run import Run

RESCALED = "rescaled"


def with_priors(
    row: dict, model: PictureVAE, run: Run, train: Tensor
) -> Iterator[tuple[str, PictureVAE]]:
    """Copies of `model`: re-scaled, then with each of the row's priors in turn.

    Encoder and decoder stay, and only the codes of training pictures (N, C, H, W) are looked at.
    """
    if run.binarize == "each-step":
        train = binarize(train, generator(run.seed, PIXELS))
    model = copy.deepcopy(model)
    rescale(model, train)
    yield RESCALED, model
    posterior = encode_all(model, train)
    for name in row["priors"]:
        model.prior = PRIORS[name](model.latent_dim).fit(posterior, seed=run.seed)
        yield name, model
