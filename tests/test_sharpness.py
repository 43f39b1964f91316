import math

import numpy as np
import pytest
import torch

from vae_course.evaluation.sharpness import laplacian_variance, power_by_frequency


def doubles(*shape):
    return torch.randn(shape, dtype=torch.float64)


def by_hand(picture):
    """Variance of the Laplacian of one (H, W) picture, pixel by pixel."""
    height, width = picture.shape
    found = [
        picture[i - 1, j] + picture[i + 1, j] + picture[i, j - 1] + picture[i, j + 1]
        - 4 * picture[i, j]
        for i in range(1, height - 1)
        for j in range(1, width - 1)
    ]  # fmt: skip
    return np.var(found)


@pytest.mark.parametrize("shape", [(4, 1, 6, 6), (3, 3, 5, 8), (1, 2, 3, 4), (2, 1, 3, 3)])
def test_variance_of_the_laplacian_pixel_by_pixel(shape):
    images = doubles(*shape)
    expected = [np.mean([by_hand(plane) for plane in image.numpy()]) for image in images]
    assert laplacian_variance(images).tolist() == pytest.approx(expected, rel=1e-9)


def test_ramps_and_bowls_have_no_detail():
    across = torch.arange(9.0).expand(9, 9)
    for smooth in (across, 2 * across - 3 * across.T + 1, across**2 + across.T**2):
        assert laplacian_variance(smooth[None, None]).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("std", [0.1, 1.0, 3.0])
def test_white_noise_has_twenty_times_its_variance(std):
    # 4² + 1 + 1 + 1 + 1 = 20
    found = laplacian_variance(std * doubles(2_000, 1, 20, 20)).mean().item()
    assert found == pytest.approx(20 * std**2, rel=0.01)


@pytest.mark.parametrize("cycles", [1, 3, 8])
def test_a_plane_wave(cycles):
    # 16 whole periods of it lie inside the rim; second difference of cos(kx): (2 cos k - 2) cos(kx)
    k = 2 * math.pi * cycles / 16
    wave = torch.cos(k * torch.arange(18, dtype=torch.float64) + 0.3).expand(18, 18)
    inner = torch.cos(k * torch.arange(1, 17, dtype=torch.float64) + 0.3)
    expected = (2 * math.cos(k) - 2) ** 2 * inner.square().mean().item()
    assert laplacian_variance(wave[None, None]).item() == pytest.approx(expected, rel=1e-9)


def test_squares_with_contrast_and_ignores_brightness():
    images = doubles(3, 2, 7, 7)
    assert torch.allclose(laplacian_variance(3 * images + 5), 9 * laplacian_variance(images))


def test_each_picture_counts_alone():
    images = doubles(5, 2, 7, 7)
    alone = torch.cat([laplacian_variance(image[None]) for image in images])
    assert torch.allclose(laplacian_variance(images), alone)


@pytest.mark.parametrize("size", [6, 7, 16])
def test_power_against_numpy_wave_by_wave(size):
    images = doubles(4, 2, size, size)
    rings = {}
    for picture in images.flatten(0, 1).numpy():
        for (u, v), value in np.ndenumerate(np.fft.fft2(picture)):
            u, v = min(u, size - u), min(v, size - v)
            rings.setdefault(round(math.sqrt(u * u + v * v)), []).append(abs(value) ** 2 / size**2)
    frequencies, power = power_by_frequency(images)
    assert frequencies.tolist() == list(range(size // 2 + 1))
    expected = [np.mean(rings[f]) for f in frequencies.tolist()]
    assert power.tolist() == pytest.approx(expected, rel=1e-9)


def test_white_noise_has_its_variance_at_each_frequency():
    _, power = power_by_frequency(0.5 * doubles(4_000, 1, 8, 8))
    assert torch.allclose(power, torch.full_like(power, 0.25), rtol=0.08)


def test_a_wave_is_found_at_its_frequency():
    wave = torch.cos(2 * math.pi * 3 * torch.arange(16.0) / 16).expand(1, 1, 16, 16)
    _, power = power_by_frequency(wave)
    assert power.argmax() == 3
    assert power[[0, 1, 2, 4, 5, 6, 7, 8]].max() < 1e-9


def test_float32_stays_float32():
    images = torch.rand(2, 1, 8, 8)
    assert laplacian_variance(images).dtype == power_by_frequency(images)[1].dtype == torch.float32


def test_what_is_no_batch_of_pictures_is_refused():
    with pytest.raises(ValueError, match=r"at least 3 x 3 pixels.*\(2, 1, 2, 9\)"):
        laplacian_variance(torch.zeros(2, 1, 2, 9))
    with pytest.raises(ValueError, match=r"\(batch, C, H, W\).*\(28, 28\)"):
        laplacian_variance(torch.zeros(28, 28))
    with pytest.raises(ValueError, match=r"\(batch, C, H, W\).*\(1, 8, 8\)"):
        power_by_frequency(torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match=r"square.*\(1, 1, 8, 6\)"):
        power_by_frequency(torch.zeros(1, 1, 8, 6))
