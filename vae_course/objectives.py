"""Log-likelihoods, KL and bounds: one pure function per equation.

Every result is in nats per example, shape (batch,): summed over all other dimensions,
constants included, and never averaged over the batch. The mean over the batch is yours to
write, where your reader can see it. Numbers of 16 bits are made 32 bits wide before anything is
summed: a sum of 12 000 pixels in bfloat16 would be off by dozens of nats.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Gaussian(NamedTuple):
    """A diagonal normal distribution; `log_std` may be smaller, as long as it broadcasts."""

    mean: Tensor
    log_std: Tensor

    @property
    def variance(self) -> Tensor:
        """Of the shape of `log_std`."""
        return torch.exp(2 * _wide(self.log_std))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """`gaussian_log_likelihood` of `x`: (batch,)"""
        return gaussian_log_likelihood(x, self.mean, self.log_std)

    def sample(self) -> Tensor:
        """One draw, of the shape of `mean`."""
        return self.mean + self.log_std.exp() * torch.randn_like(self.mean)


class Bernoulli(NamedTuple):
    """Independent yes-or-no pixels; `logits` are log(p / (1 - p))."""

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def variance(self) -> Tensor:
        p = _wide(self.logits).sigmoid()
        return p * (1 - p)

    def log_likelihood(self, x: Tensor) -> Tensor:
        """`bernoulli_log_likelihood` of `x`: (batch,)"""
        return bernoulli_log_likelihood(x, self.logits)

    def sample(self) -> Tensor:
        """One draw of zeros and ones, of the shape of `logits`."""
        return torch.bernoulli(self.mean)


class Elbo(NamedTuple):
    """`total` = `reconstruction` - beta * `kl`; each (batch,), nats per example."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def gaussian_log_likelihood(x: Tensor, mean: Tensor, log_std: Tensor | float) -> Tensor:
    """log N(x; mean, std²), summed over pixels: (batch, ...) -> (batch,), nats per example.

    Each pixel adds -½ ((x - mean) / std)² - log std - ½ log 2π (Kingma & Welling 2013, App. C.2).
    `log_std` is a number, or a tensor that broadcasts to the shape of `x`.

    Raises ValueError for shapes that do not fit, TypeError for values that are not floats.
    """
    log_std = _scale_for(x, log_std, "x")
    _require_same_shape(x=x, mean=mean)
    x, mean = _wide(x), _wide(mean)
    squares = ((x - mean) * torch.exp(-log_std)).square()
    # Kept apart from the squares: where one log_std serves all pixels this costs next to nothing.
    normaliser = (log_std + 0.5 * math.log(2 * math.pi)).expand_as(x)
    return -0.5 * squares.flatten(1).sum(1) - normaliser.flatten(1).sum(1)


def bernoulli_log_likelihood(x: Tensor, logits: Tensor) -> Tensor:
    """Σ x log p + (1 - x) log(1 - p), p = sigmoid(logits): (batch, ...) -> (batch,), nats.

    A probability only for x in {0, 1}; grey pixels give minus the cross-entropy, which has no
    normalising constant (Kingma & Welling 2013, App. C.1).

    Raises ValueError for pixels outside [0, 1] or shapes that differ, TypeError for non-floats.
    """
    _require_floats(x=x, logits=logits)
    _require_same_shape(x=x, logits=logits)
    low, high = torch.aminmax(x.detach())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"a Bernoulli likelihood expects pixels in [0, 1], but x runs from {low:.4g} to "
            f"{high:.4g}; scale the pictures to [0, 1], or choose a Gaussian likelihood"
        )
    per_pixel = F.binary_cross_entropy_with_logits(_wide(logits), _wide(x), reduction="none")
    return -per_pixel.flatten(1).sum(1)


def kl_standard_normal(mean: Tensor, log_std: Tensor | float) -> Tensor:
    """KL(N(mean, std²) ‖ N(0, I)): (batch, latent_dim) -> (batch,), nats per example.

    Each latent adds ½ (std² + mean² - 1) - log std (Kingma & Welling 2013, App. B).
    `log_std` is the log of the standard deviation, not of the variance, and broadcasts to `mean`.

    Raises ValueError for shapes that do not fit, TypeError for values that are not floats.
    """
    log_std = _scale_for(mean, log_std, "mean")
    per_latent = 0.5 * (torch.exp(2 * log_std) + _wide(mean) ** 2 - 1) - log_std
    return per_latent.flatten(1).sum(1)


def sample_posterior(mean: Tensor, log_std: Tensor | float, noise: Tensor | None = None) -> Tensor:
    """z = mean + std · ε, ε ~ N(0, I): one draw through which gradients reach both arguments.

    The reparameterization trick (Kingma & Welling 2013, Sec. 2.4). Same shape as `mean`, as is
    `noise`, the ε to use if you have drawn it already.

    Raises ValueError for shapes that do not fit, TypeError for values that are not floats.
    """
    log_std = _scale_for(mean, log_std, "mean")
    if noise is None:
        noise = torch.randn_like(mean)
    _require_same_shape(mean=mean, noise=noise)
    z = _wide(mean) + torch.exp(log_std) * _wide(noise)
    return z.to(torch.promote_types(mean.dtype, noise.dtype))


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """log (1/K) Σ_k w_k for log-weights log p(x, z_k) - log q(z_k|x): (K, batch) -> (batch,).

    Nats per example. K = 1 is the ELBO; the expectation rises to log p(x) with K
    (Burda et al. 2015, Eq. 8).

    Raises ValueError unless there are two dimensions and K ≥ 1, TypeError for non-floats.
    """
    _require_floats(log_weights=log_weights)
    if log_weights.ndim != 2 or log_weights.shape[0] == 0:
        raise ValueError(
            f"log_weights must be (K, batch) with K ≥ 1, but came as {tuple(log_weights.shape)}"
        )
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])


def _scale_for(values: Tensor, log_std: Tensor | float, name: str) -> Tensor:
    """`log_std` as a tensor that broadcasts to `values`, or an error that says why it cannot."""
    _require_floats(**{name: values})
    if isinstance(log_std, int | float):
        log_std = torch.as_tensor(float(log_std), dtype=values.dtype, device=values.device)
    _require_floats(log_std=log_std)
    _require_batch(values, name)
    if not _fits(log_std.shape, values.shape):
        raise ValueError(
            f"log_std must broadcast to {name}, which is {tuple(values.shape)}, but came as "
            f"{tuple(log_std.shape)}; one value per image is (batch, 1, ..., 1)"
        )
    return _wide(log_std)


def _fits(shape: torch.Size, whole: torch.Size) -> bool:
    """Whether a tensor of `shape` broadcasts to `whole`, and to nothing larger."""
    pairs = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(own in (1, other) for own, other in pairs)


def _wide(values: Tensor) -> Tensor:
    """bfloat16 and float16 as float32; float32 and float64 as they are."""
    return values.float() if values.dtype.itemsize < 4 else values


def _require_floats(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            came = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a floating-point tensor, but came as {came}")


def _require_batch(values: Tensor, name: str) -> None:
    if values.ndim < 2:
        raise ValueError(
            f"{name} must be (batch, ...) with at least two dimensions, but came as "
            f"{tuple(values.shape)}; a single example is values[None]"
        )


def _require_same_shape(**tensors: Tensor) -> None:
    (first, a), (second, b) = tensors.items()
    _require_floats(**tensors)
    _require_batch(a, first)
    if a.shape != b.shape:
        raise ValueError(
            f"{first} and {second} must have the same shape, but are {tuple(a.shape)} and "
            f"{tuple(b.shape)}"
        )
