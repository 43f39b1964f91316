import math

import numpy as np
import pytest
import torch

from vae_course.exact import (
    LinearVAE,
    fit_linear_vae,
    gaussian_rate,
    linear_rate_distortion,
    source_with_spectrum,
    spectrum,
)

EIGENVALUES = torch.tensor([2.0, 1.0, 0.3])


def least_rate(eigenvalues, distortion):
    """Σ ½ log(λ / d), the least over a grid of what is left of each direction, d ≤ λ."""
    lam = np.asarray(eigenvalues, dtype=float)
    first, second = (np.linspace(0, value, 3001)[1:] for value in lam[:2])
    third = distortion - first[:, None] - second
    left = np.where((third > 0) & (third <= lam[2]), third, np.nan)
    rates = np.log(lam[0] / first)[:, None] + np.log(lam[1] / second) + np.log(lam[2] / left)
    return 0.5 * np.nanmin(rates)


@pytest.mark.parametrize("distortion", [0.05, 0.3, 1.0, 2.0, 3.2])
def test_the_gaussian_rate_is_the_least(distortion):
    expected = least_rate(EIGENVALUES, distortion)
    assert gaussian_rate(EIGENVALUES, distortion) == pytest.approx(expected, abs=1e-3)


def test_the_order_of_the_eigenvalues_does_not_matter():
    expected = gaussian_rate(EIGENVALUES, 0.7)
    assert gaussian_rate(EIGENVALUES.flip(0), 0.7) == pytest.approx(expected, rel=1e-12)


def test_all_of_the_variance_costs_nothing():
    total = EIGENVALUES.double().sum().item()
    assert gaussian_rate(EIGENVALUES, total) == gaussian_rate(EIGENVALUES, 10.0) == 0
    assert gaussian_rate(EIGENVALUES, 0.99 * total) > 0


@pytest.mark.parametrize("distortion", [0.0, -1.0, math.nan])
def test_a_distortion_that_is_not_positive_is_refused(distortion):
    with pytest.raises(ValueError, match="above 0"):
        gaussian_rate(EIGENVALUES, distortion)


def test_a_source_has_exactly_the_spectrum_asked_for():
    directions = torch.linalg.qr(torch.randn(7, 3, dtype=torch.float64)).Q
    mean = torch.randn(7, dtype=torch.float64)
    x = source_with_spectrum(50, EIGENVALUES, directions, mean).numpy()
    expected = directions.numpy() @ np.diag(EIGENVALUES.double()) @ directions.numpy().T
    np.testing.assert_allclose(x.mean(0), mean, atol=1e-12)
    np.testing.assert_allclose(np.cov(x.T, bias=True), expected, atol=1e-12)


def test_a_source_is_random_and_normal():
    first, second = (source_with_spectrum(5000, torch.ones(1), torch.eye(1)) for _ in range(2))
    assert not torch.equal(first, second)
    assert (first**4).mean().item() == pytest.approx(3, abs=0.4)  # 1.8 if it were uniform


def test_a_source_needs_more_draws_than_eigenvalues():
    with pytest.raises(ValueError, match="more than 3"):
        source_with_spectrum(3, EIGENVALUES, torch.eye(3))


# ---- Of a linear VAE


def test_a_linear_vae_agrees_with_draws_from_its_posterior():
    model = LinearVAE(torch.randn(5, 2), torch.randn(5), 0.3)
    x = torch.randn(6, 5).double()
    q = model.posterior(x)
    z = q.sample((40_000,))
    squares = (x - z @ model.weight.double().T - model.bias.double()).square().sum(-1)
    prior = torch.distributions.Normal(0.0, 1.0)
    rates = q.log_prob(z) - prior.log_prob(z).sum(-1)
    rate, distortion = linear_rate_distortion(model, x)
    assert distortion == pytest.approx(squares.mean().item(), rel=0.01)
    assert rate == pytest.approx(rates.mean().item(), rel=0.01)


@pytest.mark.parametrize("variance", [0.02, 0.2, 1.5])
def test_the_best_linear_vae_is_on_the_gaussian_curve(variance):
    directions = torch.linalg.qr(torch.randn(6, 3, dtype=torch.float64)).Q
    x = source_with_spectrum(100, EIGENVALUES, directions)
    rate, distortion = linear_rate_distortion(fit_linear_vae(x, 5, variance), x)
    assert rate == pytest.approx(least_rate(EIGENVALUES, distortion), abs=1e-3)
    assert distortion == pytest.approx(spectrum(x)[0].clamp(max=variance).sum().item(), rel=1e-9)
