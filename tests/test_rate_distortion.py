import math

import numpy as np
import pytest
import torch

from vae_course.evaluation.rate_distortion import measure, pixel_error
from vae_course.models import VAE


def linear_model(std=0.5):
    """A VAE without hidden layers with random weights, and the same as matrices."""
    vae = VAE((1, 2, 3), 2, hidden=(), std=std).requires_grad_(False)
    vae.encoder[0].bias[2:] -= 0.5
    return vae, vae.encoder[0], vae.decoder[0]


def test_measured_rate_and_distortion_agree_with_matrices():
    vae, encoder, decoder = linear_model()
    images = torch.rand(40, 1, 2, 3)
    rate, distortion = measure(vae, images, n_samples=3000)
    out = encoder(images.flatten(1)).double().numpy()
    mean, std = out[:, :2], np.exp(out[:, 2:])
    weight, bias = decoder.weight.double().numpy(), decoder.bias.double().numpy()
    left = images.flatten(1).double().numpy() - mean @ weight.T - bias
    expected = (left**2).sum(1) + (std**2 @ weight.T**2).sum(1)  # E ‖x - Wz - b‖²
    assert rate == pytest.approx(
        np.mean(((std**2 + mean**2 - 1) / 2 - np.log(std)).sum(1)), rel=1e-5
    )
    assert distortion == pytest.approx(expected.mean(), rel=0.01)


def test_the_pixel_error_is_a_root_mean_square():
    vae, _, decoder = linear_model()
    decoder.weight.zero_()
    decoder.bias.fill_(0.25)
    images = torch.cat([torch.zeros(3, 1, 2, 3), torch.ones(1, 1, 2, 3)])
    expected = math.sqrt((3 * 0.25**2 + 0.75**2) / 4)
    assert pixel_error(vae, images) == pytest.approx(expected, rel=1e-6)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="n_samples"):
        measure(linear_model()[0], torch.rand(2, 1, 2, 3), n_samples=0)
