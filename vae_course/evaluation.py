"""Numbers that describe a trained model, measured on pictures it did not train on."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.models import VAE
from vae_course.objectives import Elbo, Gaussian, kl_standard_normal


class Estimate(NamedTuple):
    """A mean over pictures and its standard error, both in the unit of what was averaged."""

    mean: float
    standard_error: float


@torch.no_grad()
def encode_all(model: VAE, images: Tensor, batch_size: int = 1000) -> Gaussian:
    """q(z|x) of every picture: mean and log_std, each (N, latent_dim)."""
    parts = [model.encode(batch) for batch in images.split(batch_size)]
    return Gaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


@torch.no_grad()
def estimate_elbo(
    model: VAE, images: Tensor, *, n_samples: int = 1, batch_size: int = 1000
) -> dict[str, Estimate]:
    """ELBO, reconstruction and KL averaged over `images` (N, C, H, W), in nats per example.

    The standard error counts both the choice of pictures and the draws of z. The model is
    measured in eval mode, with the std it stored, and returns to the mode it was in.
    Raises ValueError for fewer than two pictures, which have no standard error.
    """
    if len(images) < 2:
        raise ValueError(f"a standard error needs at least 2 pictures, but got {len(images)}")
    was_training = model.training
    model.eval()
    parts = [model.elbo(batch, n_samples=n_samples) for batch in images.split(batch_size)]
    model.train(was_training)
    columns = (torch.cat(column) for column in zip(*parts, strict=True))
    return {
        name: Estimate(column.mean().item(), (column.std() / len(images) ** 0.5).item())
        for name, column in zip(Elbo._fields, columns, strict=True)
    }


def kl_per_latent(model: VAE, images: Tensor) -> Tensor:
    """KL(q(z_j|x) ‖ N(0, 1)) averaged over `images`: (latent_dim,), nats (Kingma & Welling 2013)"""
    mean, log_std = encode_all(model, images)
    one_at_a_time = kl_standard_normal(mean.reshape(-1, 1), log_std.reshape(-1, 1))
    return one_at_a_time.reshape(mean.shape).mean(0)  # over pictures


def active_units(model: VAE, images: Tensor, threshold: float = 0.01) -> int:
    """How many latents the encoder uses: Var_x(mean_j) > threshold (Burda et al. 2015, Sec. 5.2).

    An unused latent has the same posterior for every picture, so its mean does not vary.
    """
    return int((encode_all(model, images).mean.var(0) > threshold).sum())


class Vote(NamedTuple):
    """What the nearest real pictures say of each picture: the winning label, and its share."""

    label: Tensor
    share: Tensor


def nearest_label_vote(
    pictures: Tensor, real: Tensor, labels: Tensor, neighbours: int = 10
) -> Vote:
    """Do the `neighbours` nearest of the `real` pictures agree on what each picture is?

    (M, C, H, W) against (N, C, H, W) with integer labels (N,) -> labels (M,) int64 and shares
    (M,) between 1 / neighbours and 1. A blend of two digits splits the vote. `real` must not hold
    the pictures themselves. Raises ValueError if there are too few real pictures.
    """
    if len(real) < neighbours:
        raise ValueError(f"expected at least {neighbours} real pictures, but got {len(real)}")
    distances = torch.cdist(pictures.flatten(1), real.flatten(1))
    nearest = distances.topk(neighbours, largest=False).indices  # (M, neighbours)
    votes = F.one_hot(labels[nearest].long()).sum(1)  # (M, classes)
    return Vote(votes.argmax(1), votes.max(1).values / neighbours)


class DigitScore(NamedTuple):
    """`unanimous`: share of pictures on which all neighbours agree, in [0, 1].

    `kinds`: effective number of labels among the winners, exp of their entropy; 1 means that
    every picture is of one kind, however good it is.
    """

    unanimous: float
    kinds: float

    def __str__(self) -> str:
        return f"unanimous {self.unanimous:.2f}, kinds of digits {self.kinds:.1f}"


def digit_score(pictures: Tensor, real: Tensor, labels: Tensor) -> DigitScore:
    """How many of the pictures (M, C, H, W) are clearly one digit, and of how many kinds they are.

    Pixels are clipped to [0, 1] first, as they are when they are shown. Raises ValueError as
    `nearest_label_vote` does.
    """
    vote = nearest_label_vote(pictures.clamp(0, 1), real, labels)
    frequency = vote.label.bincount() / len(vote.label)
    kinds = torch.special.entr(frequency).sum().exp()
    return DigitScore((vote.share == 1).double().mean().item(), kinds.item())


def matched_gaussian(codes: Tensor, noise: Tensor) -> Tensor:
    """Standard normal `noise` (M, d), moved to the mean and covariance of `codes` (N, d): (M, d)"""
    return codes.mean(0) + noise @ torch.linalg.cholesky(torch.cov(codes.T)).T
