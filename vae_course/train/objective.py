"""What a process computes of a step, as the module that DDP wraps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vae_course.models.observation import Decoded
from vae_course.models.picture_vae import PictureVAE
from vae_course.objectives import kl_standard_normal, sample_posterior

NAMES = ("loss", "reconstruction", "kl", "variance", "squared_error")


class Objective(nn.Module):
    """`forward` returns the (5,) means over a process's share of the batch, in order of `NAMES`.

    Shares have equal size, so the mean over processes is that over the global batch, and DDP's
    mean of the processes' gradients is the gradient of it. `average` takes the mean of a number
    over processes: std="optimal" is the RMSE of the global batch.
    """

    def __init__(self, model: PictureVAE, average: Callable[[Tensor], Tensor] | None = None):
        super().__init__()
        self.model, self.average = model, average or (lambda own: own)

    def forward(self, x: Tensor, noise: Tensor, beta: float, measured: bool = True) -> Tensor:
        """`noise` (share, latent_dim) is the ε of each picture in `x` (share, C, H, W).

        Only the first three means where nothing is to be `measured`: the others cost time.
        """
        posterior = self.model.encode(x)
        decoded = self.model.decode(sample_posterior(*posterior, noise))
        fitted = decoded
        if self.model.observation.takes_std_of_batch:
            fitted = self.model.fitted(decoded, self.average(_squared_error(x, decoded)))
        reconstruction = fitted.log_likelihood(x)
        kl = kl_standard_normal(*posterior)
        loss = -(reconstruction - beta * kl).mean()  # over the batch
        means = [loss, reconstruction.mean(), kl.mean()]
        if not measured:
            return torch.stack(means)
        # Over pixels and batch. With std="optimal" that of the moving average, as in eval mode.
        variance = decoded.variance.detach().mean()
        return torch.stack([*means, variance, _squared_error(x, decoded)])


def _squared_error(x: Tensor, decoded: Decoded) -> Tensor:
    """The mean over pixels and batch."""
    return (x - decoded.mean).detach().square().mean()
