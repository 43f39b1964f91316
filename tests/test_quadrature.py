import numpy as np
import pytest
import torch
from torch.distributions import Normal

from vae_course.exact import quadrature_bound

PRIOR = Normal(0.0, 1.0)


def log_normal(x, mean, variance):
    return -((x - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2


@pytest.mark.parametrize(("k", "expected"), [(1, -1.918939), (2, -1.653474)])
def test_quadrature_has_the_known_values(k, expected):
    assert quadrature_bound(1.0, k, PRIOR) == pytest.approx(expected, abs=1e-6)


def test_quadrature_of_two_draws_is_the_integral_over_both():
    u = np.arange(-9, 9, 0.02)
    z = 0.2 + 0.9 * u
    chance = 0.02 * np.exp(log_normal(u, 0, 1))
    log_w = log_normal(z, 0, 1) + log_normal(0.7, z, 0.8**2) - log_normal(z, 0.2, 0.9**2)
    both = np.logaddexp(log_w[:, None], log_w) - np.log(2)
    result = quadrature_bound(0.7, 2, Normal(0.2, 0.9), std=0.8)
    assert result == pytest.approx(chance @ both @ chance, abs=1e-7)


def test_quadrature_of_three_draws_is_the_average_of_many():
    z = torch.randn(10**6, 3, dtype=torch.float64)
    log_w = log_normal(1, z, 1) + log_normal(z, 0, 1) - log_normal(z, 0, 1)
    bounds = log_w.exp().mean(1).log()
    error = bounds.std().item() / 1000
    assert quadrature_bound(1.0, 3, PRIOR) == pytest.approx(bounds.mean().item(), abs=5 * error)


@pytest.mark.parametrize(("x", "std", "q"), [(1.0, 1.0, PRIOR), (-0.7, 0.8, Normal(0.5, 0.6))])
def test_bounds_rise_towards_the_evidence(x, std, q):
    bounds = [quadrature_bound(x, k, q, std) for k in (1, 2, 3)]
    evidence = log_normal(x, 0, 1 + std**2)
    assert bounds[0] < bounds[1] < bounds[2] < evidence
    assert x < 0 or evidence == pytest.approx(-1.515512, abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(("x", "std"), [(0.1, 1.0), (-2.3, 0.7)])
def test_with_the_exact_posterior_every_bound_is_the_evidence(x, std, k):
    variance = torch.tensor(std**2 / (1 + std**2), dtype=torch.float64)
    q = Normal(x * variance / std**2, variance.sqrt())
    expected = log_normal(x, 0, 1 + std**2)
    assert quadrature_bound(x, k, q, std) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("k", [0, 4])
def test_quadrature_refuses_other_numbers_of_draws(k):
    with pytest.raises(ValueError, match=f"1, 2 or 3 samples, but n_samples is {k}"):
        quadrature_bound(1.0, k, PRIOR)
