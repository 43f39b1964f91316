import pytest
import torch

from vae_course.evaluation.sharpness import laplacian_variance
from vae_course.exact import fit_linear_vae
from vae_course.exact.waves import (
    coloured,
    expected_laplacian_variance,
    linear_wave_vae,
    natural_power,
)


def test_natural_power_by_hand():
    power = natural_power(4)
    # cycles 0, 1, -2, -1: squared frequencies of the first two rows
    shape = torch.tensor([[0, 1, 1 / 4, 1], [1, 1 / 2, 1 / 5, 1 / 2]]).double()
    assert torch.allclose(power[:2] / power[0, 1], shape)
    assert power.mean().item() == pytest.approx(1) and torch.allclose(power, power.T)


def test_coloured_noise_has_the_power_and_the_variance():
    power = natural_power(6)
    pictures = coloured(torch.randn(20_000, 36).double(), power)
    assert pictures.var().item() == pytest.approx(1, rel=0.03)
    found = torch.fft.fft2(pictures.view(-1, 6, 6)).abs().square().mean(0) / 36
    assert torch.allclose(found, power, rtol=0.06, atol=1e-9)


def test_flat_power_leaves_noise_alone():
    noise = torch.randn(3, 25).double()
    assert torch.allclose(coloured(noise, torch.ones(5, 5).double()), noise)


@pytest.mark.parametrize("variance", [0.05, 0.5])
def test_linear_vae_has_the_marginal_that_the_eigenvalues_give(variance):
    power = natural_power(5)
    model = linear_wave_vae(power, variance)
    covariance = model.weight @ model.weight.T + variance * torch.eye(25)
    found = torch.linalg.eigvalsh(covariance)
    assert torch.allclose(found, power.clamp(min=variance).flatten().sort().values)
    # ... and its directions are those of the data: the general fit, given many pictures, agrees.
    data = coloured(torch.randn(40_000, 25).double(), power)
    fitted = fit_linear_vae(data, 25, variance)
    assert torch.allclose(
        fitted.weight @ fitted.weight.T, model.weight @ model.weight.T, atol=0.05 * power.max()
    )


def test_expected_laplacian_variance_against_pictures():
    power = natural_power(12)
    pictures = coloured(torch.randn(4_000, 144).double(), power).view(-1, 1, 12, 12)
    # The mean over the rim's inside is not quite zero, so the variance is a little smaller.
    found = laplacian_variance(pictures).mean().item()
    assert found == pytest.approx(expected_laplacian_variance(power).item(), rel=0.015)
    white = torch.full((9, 9), 0.3).double()
    assert expected_laplacian_variance(white).item() == pytest.approx(20 * 0.3)
