"""The best picture that any decoder could draw for a given encoder: a weighted average."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.objectives import Gaussian


class BestDecoder(NamedTuple):
    """`weights` (M, N): the probability that z came from each picture. `mean`: their average."""

    weights: Tensor
    mean: Tensor


@torch.no_grad()
def best_decoder(z: Tensor, posterior: Gaussian, pictures: Tensor) -> BestDecoder:
    """What minimises the mean squared error for fixed q(z|x_i) of N equally likely pictures.

    For z (M, d), posteriors (N, d) and pictures (N, C, H, W): the weights w_i = q(z|x_i) / Σ_k
    q(z|x_k), (M, N), of Bayes' rule, and Σ_i w_i x_i, (M, C, H, W).

    Raises ValueError where the numbers of pictures or of latents do not fit.
    """
    mean, log_std = torch.broadcast_tensors(*posterior)
    if z.ndim != 2 or mean.shape != (len(pictures), z.shape[1]):
        raise ValueError(
            f"expected z (M, d) and posteriors ({len(pictures)}, d) for {len(pictures)} pictures, "
            f"but z is {tuple(z.shape)} and the posteriors are {tuple(mean.shape)}"
        )
    log_q = torch.zeros(len(z), len(pictures), dtype=z.dtype, device=z.device)
    for j in range(z.shape[1]):  # one latent at a time: (M, N, d) would be large
        standardised = (z[:, j, None] - mean[:, j]) * torch.exp(-log_std[:, j])
        log_q -= 0.5 * standardised.square() + log_std[:, j]
    weights = log_q.softmax(1)
    average = weights @ pictures.flatten(1)
    return BestDecoder(weights, average.unflatten(1, pictures.shape[1:]))
