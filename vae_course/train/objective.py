"""What a process computes of a step, as the module that DDP wraps."""

import torch
from torch import Tensor, nn

from vae_course.models.picture_vae import PictureVAE
from vae_course.objectives import Bernoulli, Gaussian

NAMES = ("loss", "reconstruction", "kl", "variance", "squared_error")


class Objective(nn.Module):
    """`forward` returns the (5,) means over a process's share of the batch, in order of `NAMES`.

    Shares have equal size, so the mean over processes is that over the global batch, and DDP's
    mean of the processes' gradients is the gradient of it.
    """

    def __init__(self, model: PictureVAE):
        super().__init__()
        self.model, self.decoded = model, None
        self.encode, self.decode = model.encode, model.decode
        model.encode, model.decode = self._encode, self._decode

    def forward(self, x: Tensor, noise: Tensor, beta: float) -> Tensor:
        elbo = self.model.elbo(x, beta=beta, noise=noise)
        decoded, self.decoded = self.decoded, None
        with torch.no_grad():
            variance = variance_of(decoded).mean()  # over pixels and batch
            squared_error = (x - decoded.mean).square().mean()
        means = [-elbo.total.mean(), elbo.reconstruction.mean(), elbo.kl.mean()]  # over the batch
        return torch.stack([*means, variance, squared_error])

    # A sum of 12 000 pixels in bfloat16 would be off by dozens of nats. So what the networks say is
    # turned into float32 before anything is summed; under autocast it then stays so.

    def _encode(self, x: Tensor) -> Gaussian:
        return _widened(self.encode(x))

    def _decode(self, z: Tensor) -> Gaussian | Bernoulli:
        self.decoded = _widened(self.decode(z))
        return self.decoded


def _widened(distribution):
    """bfloat16 as float32; float32 and float64 as they are."""
    parts = (part.float() if part.dtype == torch.bfloat16 else part for part in distribution)
    return type(distribution)(*parts)


def variance_of(decoded: Gaussian | Bernoulli) -> Tensor:
    """σ² of p(x|z) per pixel; of a Bernoulli, p (1 - p)."""
    if isinstance(decoded, Bernoulli):
        return decoded.mean * (1 - decoded.mean)
    return torch.exp(2 * decoded.log_std)


def share_optimal_std(model: PictureVAE, fabric) -> None:
    """std="optimal" is the RMSE of the global batch, of which a process sees its share."""
    own = model._optimal_log_std

    def of_global_batch(x: Tensor, mean: Tensor) -> Tensor:
        squares = (x - mean).detach().square().mean()
        rmse = fabric.all_reduce(squares, reduce_op="mean").sqrt()
        return own(rmse, torch.zeros_like(rmse))

    model._optimal_log_std = of_global_batch
