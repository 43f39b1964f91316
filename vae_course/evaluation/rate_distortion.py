"""What a code costs and what it leaves undone: rate and distortion, measured.

The rate is the mean KL in nats. The distortion is the mean squared error, summed over pixels, of
decoded draws of z.
"""

import math

import torch
from torch import Tensor

from vae_course.evaluation import encode_all
from vae_course.exact import RateDistortion
from vae_course.models.picture_vae import PictureVAE
from vae_course.objectives import sample_posterior


@torch.no_grad()
def measure(model: PictureVAE, images: Tensor, *, n_samples: int = 1) -> RateDistortion:
    """Mean KL(q(z|x) ‖ p(z)) and mean Σ (x - decoded)² of `images` (N, C, H, W), as two floats.

    `n_samples` draws of z for each picture (Alemi et al. 2018, Sec. 2, with a squared error).
    Raises ValueError for `n_samples` < 1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, but is {n_samples}")
    posterior = encode_all(model, images)
    draws = [sample_posterior(*posterior) for _ in range(n_samples)]
    errors = [(images - model.decode(z).mean).square().flatten(1).sum(1) for z in draws]
    distortion = torch.stack(errors).mean(0)  # over draws, not over pictures
    return RateDistortion(model.kl(posterior, draws).mean().item(), distortion.mean().item())


def pixel_error(model: PictureVAE, images: Tensor) -> float:
    """The root mean squared error of a pixel in decoded draws of z: what σ_x should be."""
    return math.sqrt(measure(model, images).distortion / images[0].numel())
