"""Numbers that describe a trained model, measured on pictures it did not train on."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import Prior
from vae_course.objectives import (
    Elbo,
    Gaussian,
    gaussian_log_likelihood,
    importance_weighted_bound,
    kl_standard_normal,
    sample_posterior,
)

# Distances from draws to posteriors at once: 128 MB in float64.
DISTANCES = 16_000_000


class Estimate(NamedTuple):
    """A mean over pictures and its standard error, both in the unit of what was averaged."""

    mean: float
    standard_error: float


def estimate(values: Tensor) -> Estimate:
    """The mean of independent values (N,) and its standard error: std / √N.

    Raises ValueError for fewer than two values, which have no standard error.
    """
    if len(values) < 2:
        raise ValueError(f"a standard error needs at least 2 values, but got {len(values)}")
    return Estimate(values.mean().item(), (values.std() / len(values) ** 0.5).item())


@torch.no_grad()
def encode_all(model: PictureVAE, images: Tensor, batch_size: int = 1000) -> Gaussian:
    """q(z|x) of every picture: mean and log_std, each (N, latent_dim)."""
    parts = [model.encode(batch) for batch in images.split(batch_size)]
    return Gaussian(*(torch.cat(part) for part in zip(*parts, strict=True)))


@torch.no_grad()
def estimate_elbo(
    model: PictureVAE, images: Tensor, *, n_samples: int = 1, batch_size: int = 1000
) -> dict[str, Estimate]:
    """ELBO, reconstruction and KL averaged over `images` (N, C, H, W), in nats per example.

    The standard error counts both the choice of pictures and the draws of z. The model is
    measured in eval mode, with the std it stored, and returns to the mode it was in.
    Raises ValueError for fewer than two pictures, which have no standard error.
    """
    if len(images) < 2:
        raise ValueError(f"a standard error needs at least 2 pictures, but got {len(images)}")
    with _eval_mode(model):
        parts = [model.elbo(batch, n_samples=n_samples) for batch in images.split(batch_size)]
    columns = (torch.cat(column) for column in zip(*parts, strict=True))
    return {name: estimate(column) for name, column in zip(Elbo._fields, columns, strict=True)}


@torch.no_grad()
def importance_weighted_bounds(
    model: PictureVAE,
    images: Tensor,
    n_samples: int,
    *,
    posterior: Gaussian | None = None,
    at_once: int = 16_000,
    progress: bool = True,
) -> Tensor:
    """log (1/K) Σ_k p(x, z_k) / q(z_k|x) with K = `n_samples` draws from q(z|x), per picture.

    (N, C, H, W) -> (N,), nats; average them with `estimate`. q is the encoder's, or `posterior`
    (N, latent_dim) if given: any q gives a bound. K = 1 is the ELBO; the expectation rises to
    log p(x) with K, and the value for K = 5000 is what papers call the log-likelihood
    (Burda et al. 2015, Eq. 8). Memory does not grow with K: no more than `at_once` pictures are
    decoded at a time; 16 000 of 784 pixels are 50 MB in each of a few buffers. Raises ValueError
    for `n_samples` < 1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, but is {n_samples}")
    # Few pictures with many draws each, or many pictures with few.
    draws = min(n_samples, at_once)
    size = max(at_once // draws, 1)
    with _eval_mode(model):
        posterior = posterior or encode_all(model, images)
        batches = list(
            zip(images.split(size), *(part.split(size) for part in posterior), strict=True)
        )
        bounds = [
            _bound_of_batch(model, x, Gaussian(*q), n_samples, draws)
            for x, *q in _with_progress(batches, progress)
        ]
    return torch.cat(bounds)


def _bound_of_batch(
    model: PictureVAE, x: Tensor, posterior: Gaussian, n_samples: int, draws: int
) -> Tensor:
    """The bound for a few pictures, in chunks of `draws` samples each: (batch,)"""
    bounds, counts = [], []
    for done in range(0, n_samples, draws):
        counts.append(min(draws, n_samples - done))
        bounds.append(importance_weighted_bound(_log_weights(model, x, posterior, counts[-1])))
    # Chunk means of the weights, weighted by their share of the draws.
    shares = torch.tensor(counts, dtype=x.dtype, device=x.device) / n_samples
    return (torch.stack(bounds) + shares.log()[:, None]).logsumexp(0)


def _log_weights(model: PictureVAE, x: Tensor, posterior: Gaussian, draws: int) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) for `draws` z of each picture: (draws, batch)."""
    mean, log_std = (part.repeat(draws, 1) for part in posterior)
    z = sample_posterior(mean, log_std)
    log_likelihood = model.log_likelihood(x.repeat(draws, *[1] * (x.ndim - 1)), z)
    log_w = log_likelihood + model.prior.log_prob(z) - gaussian_log_likelihood(z, mean, log_std)
    return log_w.reshape(draws, len(x))


class KlSplit(NamedTuple):
    """mean KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z)), in nats."""

    mean_kl: float
    mutual_information: Estimate
    aggregate_kl: Estimate


@torch.no_grad()
def split_mean_kl(
    posterior: Gaussian, *, prior: Prior | None = None, n_samples: int = 4, progress: bool = True
) -> KlSplit:
    """Split the mean KL of N posteriors (N, latent_dim) in two (Hoffman & Johnson 2016, Eq. 6).

    The N pictures count as the whole data set: the aggregate posterior q(z) is the even mixture
    of their posteriors, so I(x; z) ≤ log N. I is estimated with `n_samples` draws for each
    picture; the standard errors are those of the draws. The mean KL is exact.

    Raises ValueError for fewer than two draws, which have no standard error.
    """
    if n_samples < 2:
        raise ValueError(f"a standard error needs at least 2 draws, but n_samples is {n_samples}")
    mean, log_std = (part.double() for part in posterior)
    draws, kls = [], []
    for _ in _with_progress(range(n_samples), progress):
        z = sample_posterior(mean, log_std)
        own = gaussian_log_likelihood(z, mean, log_std)
        draws.append(own - _log_aggregate(z, mean, log_std))
        if prior is not None:
            kls.append(own - prior.log_prob(z.to(posterior.mean.dtype)))
    gains = torch.stack(draws)  # (n_samples, N): log q(z|x) - log q(z)
    error = (gains.var(0).mean() / gains.numel()).sqrt().item()
    kl = torch.stack(kls) if kls else kl_standard_normal(mean, log_std)
    mean_kl = kl.mean().item()
    information = gains.mean().item()
    return KlSplit(mean_kl, Estimate(information, error), Estimate(mean_kl - information, error))


def _log_aggregate(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log (1/N) Σ_i q(z|x_i): (M, d) and N posteriors -> (M,)"""
    precision = torch.exp(-2 * log_std)
    constant = 0.5 * (mean**2 * precision).sum(1) + log_std.sum(1)
    constant = constant + 0.5 * mean.shape[1] * math.log(2 * math.pi)
    # The square, multiplied out, is two matrix products; in float64 nothing is lost by it.
    parts = [
        (part @ (mean * precision).T - 0.5 * part**2 @ precision.T - constant).logsumexp(1)
        for part in z.split(max(DISTANCES // len(mean), 1))
    ]
    return torch.cat(parts) - math.log(len(mean))


def kl_per_latent(model: PictureVAE, images: Tensor) -> Tensor:
    """KL(q(z_j|x) ‖ N(0, 1)) averaged over `images`: (latent_dim,), nats (Kingma & Welling 2013).

    To N(0, 1) whatever prior the model has: only a factorised prior splits into latents.
    """
    mean, log_std = encode_all(model, images)
    one_at_a_time = kl_standard_normal(mean.reshape(-1, 1), log_std.reshape(-1, 1))
    return one_at_a_time.reshape(mean.shape).mean(0)  # over pictures


def active_units(model: PictureVAE, images: Tensor, threshold: float = 0.01) -> int:
    """How many latents the encoder uses: Var_x(mean_j) > threshold (Burda et al. 2015, Sec. 5.2).

    An unused latent has the same posterior for every picture, so its mean does not vary.
    """
    return int((encode_all(model, images).mean.var(0) > threshold).sum())


@contextmanager
def _eval_mode(model: PictureVAE) -> Iterator[None]:
    """Eval mode, and back to the mode it was in, whatever happens."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def _with_progress(items: Sequence, progress: bool) -> Iterable:
    # The bar removes itself, and TQDM_DISABLE=1 keeps it out of pages that are being built.
    return tqdm(items, leave=False, mininterval=0.5) if progress else items
