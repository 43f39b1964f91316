"""Bring codes and prior together: noise moved to where the codes are, or the codes re-scaled."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_course.latents.linear_layers import Codec, heads, readers


def matched_gaussian(codes: Tensor, noise: Tensor) -> Tensor:
    """Standard normal `noise` (M, d), moved to the mean and covariance of `codes` (N, d): (M, d)"""
    return codes.mean(0) + noise @ torch.linalg.cholesky(torch.cov(codes.T)).T


class Rescaled(NamedTuple):
    """What `rescale` did: the mean KL fell by `nats`; the latents had this mean and std, (d,)."""

    nats: float
    mean: Tensor
    std: Tensor


@torch.no_grad()
def rescale(model: Codec, images: Tensor, *, batch_size: int = 1000) -> Rescaled:
    """Give the codes of `images` (N, ...) mean 0 and variance 1 in each latent, in closed form.

    With m = E[μ] and v = Var(μ) + E[σ²] of a latent, its posterior (μ, σ) becomes
    ((μ - m) / √v, σ / √v), and the decoder undoes it: reconstructions stay as they are. The KL,
    averaged over `images`, falls by ½ Σ (v + m² - 1 - log v) = KL(N(m, diag v) ‖ N(0, I)) nats.
    Afterwards E[μ] = 0 and E[μ² + σ²] = 1.

    Works for a module whose `encode` gives (mean, log_std), each (N, d), as the outputs of linear
    layers, and whose `decode` reads z in linear layers. Weights change in place, and nothing else:
    not the mode, not the random state. An optimizer that goes on afterwards knows nothing of it.

    Raises ValueError for fewer than two images, for what is no model, and where codes or layers do
    not allow it; the model is then untouched.
    """
    if not isinstance(images, Tensor) or not hasattr(model, "encode"):
        came = f"{type(model).__name__} and {type(images).__name__}"
        raise ValueError(
            f"re-scaling needs a model with encode and decode, and a tensor: not {came}"
        )
    prior = getattr(model, "prior", None)
    if prior is not None and not hasattr(prior, "kl"):
        raise ValueError(
            f"re-scaling moves the codes, and this model's prior, a {type(prior).__name__}, was "
            "fitted to them where they are: re-scale first, then fit the prior"
        )
    if len(images) < 2:
        raise ValueError(f"re-scaling needs at least 2 images, but got {len(images)}")
    with _in_eval_mode(model):
        codes = [_posterior(model, batch) for batch in images.split(batch_size)]
        mean, log_std = (torch.cat(part).cpu().double() for part in zip(*codes, strict=True))
        centre = mean.mean(0)
        variance = mean.var(0, correction=0) + log_std.exp().square().mean(0)
        _require_spread(centre, variance)
        _move(model, images[:batch_size], centre, variance.sqrt())
    nats = 0.5 * (variance + centre**2 - 1 - variance.log()).sum().item()
    return Rescaled(nats, centre.to(codes[0][0]), variance.sqrt().to(codes[0][0]))


@contextmanager
def _in_eval_mode(model: Codec) -> Iterator[None]:
    """Afterwards every part of the model has its own mode again, and randomness its old state."""
    modes = {part: part.training for part in model.modules()}
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            model.eval()
            yield
        finally:
            for part, mode in modes.items():
                part.training = mode


def _posterior(model: Codec, images: Tensor) -> tuple[Tensor, Tensor]:
    found = model.encode(images.to(next(model.parameters()).device))
    if not isinstance(found, tuple) or len(found) != 2 or any(part.ndim != 2 for part in found):
        raise ValueError(
            "re-scaling needs an encode(images) that gives (mean, log_std), each (batch, d), but "
            f"it gave a {type(found).__name__}; a plain autoencoder has no posterior to re-scale"
        )
    return found


def _require_spread(centre: Tensor, variance: Tensor) -> None:
    unusable = ~(centre.isfinite() & variance.isfinite() & (variance > 0))
    if unusable.any():
        latent = int(unusable.nonzero()[0])
        raise ValueError(
            f"latent {latent} has mean {centre[latent]:.4g} and variance {variance[latent]:.4g} "
            "over these images; re-scaling needs finite numbers, and a variance that is not 0"
        )


def _move(model: Codec, images: Tensor, centre: Tensor, scale: Tensor) -> None:
    """Rewrite the layers, then see on `images` that this did what it should; or put all back."""
    mean, log_std = _posterior(model, images)
    # Noise, so that what is decoded depends on mean and log_std alike.
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0)).to(mean)
    decoded = _decoded(model, mean, log_std, noise)
    changes = _rewritten(model, images[:2], noise[:2], centre, scale)
    kept = [(weight, weight.clone()) for weight, _ in changes]
    expected = (mean - centre.to(mean)) / scale.to(mean), log_std - scale.log().to(mean)
    try:
        for weight, value in changes:
            weight.copy_(value)
        after = _posterior(model, images)
        _require_close((*after, *_decoded(model, *after, noise)), (*expected, *decoded))
    except BaseException:
        for weight, value in kept:
            weight.copy_(value)
        raise


def _decoded(model: Codec, mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
    found = model.decode(mean + log_std.exp() * noise)
    return tuple(found) if isinstance(found, tuple) else (found,)


WHAT_IT_TAKES = (
    "mean and log_std must be the outputs, as they are, of linear layers with a bias, and what "
    "reads z first in decode must be such layers, too; none of them may serve anything else"
)


def _require_close(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    """Half of the digits of the numbers' type must agree: rounding stays far below."""
    for one, other in zip(found, expected, strict=True):
        bound = math.sqrt(torch.finfo(other.dtype).eps) * (1 + other.abs().max())
        if not ((one - other).abs() <= bound).all():
            raise ValueError(
                "re-scaling would change what this model encodes or decodes, so it was left as it "
                f"is: {WHAT_IT_TAKES}"
            )


def _rewritten(
    model: Codec, images: Tensor, z: Tensor, centre: Tensor, scale: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Each weight and bias that has to change, with its new value in float64."""
    images = images.to(z.device)
    giving, reading = heads(model, images), readers(model, z)
    layers = [layer for layer, _ in giving] + reading
    weights = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    # Neither None nor computed from other weights.
    usable = all(isinstance(weight, nn.Parameter) for weight in weights)
    if len(giving) < 2 or not reading or not usable:
        raise ValueError(f"this model cannot be re-scaled: {WHAT_IT_TAKES}")
    new = {weight: weight.to("cpu", torch.float64, copy=True) for weight in weights}
    (for_mean, own), (for_log_std, other) = giving
    new[for_mean.weight][own] /= scale[:, None]
    new[for_mean.bias][own] -= centre
    new[for_mean.bias][own] /= scale
    new[for_log_std.bias][other] -= scale.log()
    for layer in reading:
        new[layer.bias] += new[layer.weight] @ centre
        new[layer.weight] *= scale
    return list(new.items())
