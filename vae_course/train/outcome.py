"""What a run says at its end: numbers on test pictures, and a sheet of pictures to look at."""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.evaluation import encode_all, estimate_elbo
from vae_course.latents import rescale
from vae_course.models.picture_vae import PictureVAE
from vae_course.objectives import sample_posterior
from vae_course.train.batches import PIXELS, binarize, generator
from vae_course.train.run import Run

# Pictures that are enough to re-scale by, to look for a neighbour in, and to measure errors on.
MANY = 5_000
SOME = 1_000
DRAWS = 100  # for the mean distance
SHOWN = 10


class Codes(NamedTuple):
    """What depends on the scale of the codes."""

    kl: float
    second_moment: float  # E[μ² + σ²], averaged over latents: 1 where codes and prior agree
    draws: Tensor  # means of p(x|z) for z from the prior
    distance: float  # theirs to the nearest training picture, relative to that of test pictures


class Outcome(NamedTuple):
    """Measured on test pictures; in nats per picture, or in units of the pixels."""

    elbo: float
    elbo_error: float
    reconstruction: float
    std: float
    rmse: float
    trained: Codes
    rescaled: Codes | None
    pictures: Tensor
    reconstructions: Tensor


def training_pictures(run: Run, train: Tensor) -> Tensor:
    """Those that re-scaling goes by, as the model sees them."""
    images = train[:MANY]
    if run.binarize == "each-step":
        return binarize(images, generator(run.seed, PIXELS))
    return images


def rescaled(run: Run, model: PictureVAE, train: Tensor) -> tuple[PictureVAE, float]:
    """A copy of `model` that is re-scaled, and by how many nats its mean KL fell."""
    model = copy.deepcopy(model)
    found = rescale(model, training_pictures(run, train).to(model.log_std.dtype))
    return model, found.nats


@torch.no_grad()
def measure(run: Run, model: PictureVAE, train: Tensor, test: Tensor) -> Outcome:
    """The model as it is and, unless --no-rescale, re-scaled. It stays as it is, in eval mode."""
    model = copy.deepcopy(model).eval()
    test = test.to(model.log_std)
    found = estimate_elbo(model, test)  # first, so that its noise is that of eval.csv
    z = torch.randn(DRAWS, model.latent_dim)
    some = test[:SOME]
    decoded = model.decode(sample_posterior(*model.encode(some)))
    return Outcome(
        *found["total"],
        found["reconstruction"].mean,
        decoded.variance.mean().sqrt().item(),
        (some - decoded.mean).square().mean().sqrt().item(),
        _codes(model, train, test, z),
        _codes(rescaled(run, model, train)[0], train, test, z) if run.rescale else None,
        test[:SHOWN],
        model.reconstruct(test[:SHOWN]),
    )


def _codes(model: PictureVAE, train: Tensor, test: Tensor, z: Tensor) -> Codes:
    posterior = encode_all(model, test)
    second = (posterior.mean.square() + posterior.variance).mean()
    draws = model.decode(z.to(posterior.mean)).mean
    near, usual = (_to_nearest(images, train[:MANY]) for images in (draws, test[:DRAWS]))
    distance = near / usual if usual else math.nan  # all of these test pictures were trained on
    return Codes(model.kl(posterior).mean().item(), second.item(), draws, distance)


def _to_nearest(images: Tensor, train: Tensor) -> float:
    train = train.to(images)
    return torch.cdist(images.flatten(1), train.flatten(1)).min(1).values.mean().item()


def sheet(outcome: Outcome) -> bytes:
    """A PNG: test pictures, what the model makes of them, and draws from the prior."""
    from vae_course import plotting  # matplotlib is needed here alone, at the very end

    rows = {"test pictures": outcome.pictures, "reconstructions": outcome.reconstructions}
    rows["draws\nas trained"] = outcome.trained.draws[:SHOWN]
    if outcome.rescaled:
        rows["the same\nre-scaled"] = outcome.rescaled.draws[:SHOWN]
        rows["more,\nre-scaled"] = outcome.rescaled.draws[SHOWN : 2 * SHOWN]
    return plotting.png(plotting.draw_rows(rows))[0]


def in_words(outcome: Outcome) -> str:
    """A table with a column for each of the two models."""
    both = [codes for codes in (outcome.trained, outcome.rescaled) if codes]
    lines = [
        ["", "as trained", "re-scaled"],
        ["ELBO, nats", *(f"{outcome.reconstruction - codes.kl:.1f}" for codes in both)],
        ["KL, nats", *(f"{codes.kl:.1f}" for codes in both)],
        ["E[μ² + σ²], to be 1", *(f"{codes.second_moment:.2f}" for codes in both)],
        ["draws astray", *(f"{codes.distance:.2f}" for codes in both)],
    ]
    table = [
        f"{name:22s}" + "".join(f"{value:>12s}" for value in values[: len(both)])
        for name, *values in lines
    ]
    return "\n".join(
        [
            "On the test pictures:",
            *table,
            f"The ELBO has a standard error of {outcome.elbo_error:.1f}. p(x|z) has σ "
            f"{outcome.std:.3g}, and its mean is off by {outcome.rmse:.3g} (RMSE).",
            "Draws astray: how far a picture drawn from the prior is from the nearest training "
            "picture, in units of how far a test picture is.",
        ]
    )
