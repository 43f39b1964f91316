import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from vae_course.exact import (
    LinearVAE,
    TwoImages,
    fit_linear_vae,
    fit_two_images,
    optimal_kl,
    quadrature_bound,
    spectrum,
)

# (pixels, latents)
ON_A_GRID = [(1, 1), (3, 1), (2, 2), (3, 2)]
LARGER = [(7, 4), (3, 3), (2, 4)]


def doubles(*shape):
    return torch.randn(shape, dtype=torch.float64)


def random_model(pixels, latents, variance=0.4):
    return LinearVAE(doubles(pixels, latents), doubles(pixels), variance)


def random_q(latents, kind):
    """Normal distributions for four pictures, their standard deviations about 0.6 to 1."""
    factor = 0.3 * doubles(4, latents, latents)
    covariance = factor @ factor.mT + 0.3 * torch.eye(latents).double()
    if kind == "diagonal":
        covariance = covariance * torch.eye(latents)
    return MultivariateNormal(
        0.7 * doubles(4, latents), covariance[0] if kind == "one" else covariance
    )


def log_normal(x, mean, variance):
    return -((x - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2


def latent_grid(latents):
    """Evenly spaced z (M, latents), log p(z) (M,), and the volume of one cell."""
    step = 0.01 if latents == 1 else 0.08
    z = np.stack(np.meshgrid(*[np.arange(-10, 10, step)] * latents), -1).reshape(-1, latents)
    return z, log_normal(z, 0, 1).sum(1), step**latents


def log_likelihoods(model, x, z):
    """log p(x|z) of N pictures for M values of z: (N, M)"""
    mean = z @ model.weight.numpy().T + model.bias.numpy()
    return log_normal(x.numpy()[:, None], mean, model.variance).sum(-1)


def conditioned(model, x):
    """p(z|x) by conditioning the joint normal of (x, z) on x: means (N, d) and covariance."""
    weight = model.weight.numpy()
    gain = weight.T @ np.linalg.inv(weight @ weight.T + model.variance * np.eye(len(weight)))
    return (x - model.bias).numpy() @ gain.T, np.eye(weight.shape[1]) - gain @ weight


def kl_of_normals(mean, covariance, other_mean, other_covariance):
    other = np.linalg.inv(other_covariance)
    distance = (other_mean - mean) @ other @ (other_mean - mean)
    log_det = np.linalg.slogdet(other_covariance)[1] - np.linalg.slogdet(covariance)[1]
    return (np.trace(other @ covariance) + distance - len(mean) + log_det) / 2


# ---- The linear VAE


@pytest.mark.parametrize(("pixels", "latents"), ON_A_GRID)
def test_log_marginal_is_the_integral_over_z(pixels, latents):
    model, x = random_model(pixels, latents), doubles(4, pixels)
    z, log_prior, cell = latent_grid(latents)
    joint = log_likelihoods(model, x, z) + log_prior
    expected = np.logaddexp.reduce(joint, axis=1) + np.log(cell)
    assert model.log_marginal(x).numpy() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("pixels", "latents"), ON_A_GRID)
def test_posterior_is_likelihood_times_prior_normalised(pixels, latents):
    model, x = random_model(pixels, latents), doubles(4, pixels)
    z, log_prior, _ = latent_grid(latents)
    joint = np.exp(log_likelihoods(model, x, z) + log_prior)
    share = joint / joint.sum(1, keepdims=True)
    posterior = model.posterior(x)
    assert posterior.mean.numpy() == pytest.approx(share @ z, abs=1e-10)
    for chances, mean, covariance in zip(
        share, posterior.mean, posterior.covariance_matrix, strict=True
    ):
        spread = z - mean.numpy()
        assert covariance.numpy() == pytest.approx((spread.T * chances) @ spread, abs=1e-10)


@pytest.mark.parametrize(("pixels", "latents"), LARGER)
def test_posterior_is_the_joint_normal_given_x(pixels, latents):
    model, x = random_model(pixels, latents), doubles(4, pixels)
    mean, covariance = conditioned(model, x)
    posterior = model.posterior(x)
    assert posterior.mean.shape == (4, latents)
    assert np.allclose(posterior.mean, mean, atol=1e-10)
    assert np.allclose(posterior.covariance_matrix, covariance, atol=1e-10)


@pytest.mark.parametrize(("pixels", "latents"), LARGER)
def test_bayes_rule_holds_at_any_z(pixels, latents):
    model, x, z = random_model(pixels, latents), doubles(4, pixels), doubles(5, latents)
    joint = log_likelihoods(model, x, z.numpy()) + log_normal(z.numpy(), 0, 1).sum(1)
    for k in range(5):
        evidence = joint[:, k] - model.posterior(x).log_prob(z[k]).numpy()
        assert model.log_marginal(x).numpy() == pytest.approx(evidence, abs=1e-9)


@pytest.mark.parametrize("kind", ["full", "diagonal", "one"])
@pytest.mark.parametrize(("pixels", "latents"), ON_A_GRID)
def test_elbo_is_the_average_over_q(pixels, latents, kind):
    model, x, q = random_model(pixels, latents), doubles(4, pixels), random_q(latents, kind)
    z, log_prior, cell = latent_grid(latents)
    log_q = q.log_prob(torch.from_numpy(z)[:, None]).numpy().T
    chances = np.exp(log_q) * cell
    reconstruction = (chances * log_likelihoods(model, x, z)).sum(1)
    kl = (chances * (log_q - log_prior)).sum(1)
    result = model.elbo(x, q)
    assert result.reconstruction.numpy() == pytest.approx(reconstruction, abs=1e-9)
    assert result.kl.numpy() == pytest.approx(kl, abs=1e-9)
    assert result.total.numpy() == pytest.approx(reconstruction - kl, abs=1e-9)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
@pytest.mark.parametrize(("pixels", "latents"), LARGER)
def test_evidence_is_elbo_plus_kl_to_the_posterior(pixels, latents, kind):
    model, x, q = random_model(pixels, latents), doubles(4, pixels), random_q(latents, kind)
    mean, covariance = conditioned(model, x)
    gap = [
        kl_of_normals(q.mean[i].numpy(), q.covariance_matrix[i].numpy(), mean[i], covariance)
        for i in range(4)
    ]
    result = model.elbo(x, q).total.numpy() + gap
    assert model.log_marginal(x).numpy() == pytest.approx(result, abs=1e-10)


@pytest.mark.parametrize("start", range(2))
def test_no_optimiser_finds_a_better_diagonal_q(start):
    model, x = random_model(6, 3), doubles(4, 6)
    torch.manual_seed(start)
    mean, log_std = doubles(4, 3).requires_grad_(), doubles(4, 3).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [mean, log_std], max_iter=200, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss():
        optimiser.zero_grad()
        q = MultivariateNormal(mean, torch.diag_embed((2 * log_std).exp()))
        value = -model.elbo(x, q).total.sum()
        value.backward()
        return value

    optimiser.step(loss)
    best = model.best_diagonal(x)
    found = torch.diag_embed((2 * log_std).exp())
    assert np.allclose(best.mean, mean.detach(), atol=1e-4)
    assert np.allclose(best.covariance_matrix, found.detach(), atol=1e-4)


@pytest.mark.parametrize(("angle", "gap"), [(0, 0), (22.5, 0.022095), (45, 0.043254)])
def test_turned_latents_cost_a_diagonal_q_the_known_gap(angle, gap):
    # Eigenvalues 9.145 and 5.057 of the data, variance 1; ½ (Σ log P_jj - log |P|), P the precision
    turn = math.radians(angle)
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    scale = torch.tensor([9.145 - 1, 5.057 - 1]).sqrt()
    weight = torch.cat([torch.diag(scale) @ rotation, torch.zeros(3, 2)])
    model, x = LinearVAE(weight, torch.zeros(5), 1.0), doubles(4, 5)
    lost = model.log_marginal(x) - model.elbo(x, model.best_diagonal(x)).total
    assert lost.numpy() == pytest.approx(np.full(4, gap), abs=2e-5)


@pytest.mark.parametrize("relative_error", [0.1, 0.3])
@pytest.mark.parametrize(("pixels", "latents"), ON_A_GRID)
def test_draws_needed_is_the_relative_variance_over_the_square(pixels, latents, relative_error):
    model, x = random_model(pixels, latents), doubles(4, pixels)
    z, log_prior, cell = latent_grid(latents)
    chances = np.exp(log_prior) * cell
    likelihood = np.exp(log_likelihoods(model, x, z))
    first, second = likelihood @ chances, likelihood**2 @ chances
    expected = (second - first**2) / first**2 / relative_error**2
    assert np.allclose(model.draws_needed(x, relative_error), expected, rtol=1e-8)


def test_that_many_draws_have_a_relative_error_of_ten_percent():
    model, x = LinearVAE(torch.tensor([[2.0]]), torch.zeros(1), 0.25), torch.tensor([[1.0]])
    n = round(model.draws_needed(x).item())
    likelihood = Normal(2 * torch.randn(5000, n), 0.5).log_prob(torch.tensor(1.0)).exp()
    error = likelihood.mean(1) / model.log_marginal(x).exp() - 1
    assert error.std().item() == pytest.approx(0.1, rel=5 / math.sqrt(2 * 5000))


SINGLE = {
    "log_marginal": lambda model, x: model.log_marginal(x),
    "posterior": lambda model, x: model.posterior(x).mean,
    "best_diagonal": lambda model, x: model.best_diagonal(x).covariance_matrix,
    "elbo": lambda model, x: model.elbo(x, MultivariateNormal(x[:, :3], EYE.to(x) / 4)),
    "draws_needed": lambda model, x: model.draws_needed(x),
    "spectrum": lambda model, x: spectrum(x),
    "fit": lambda model, x: tuple(fit_linear_vae(x, 2)),
    "optimal_kl": lambda model, x: optimal_kl(x[0].abs(), 0.1),
    "quadrature": lambda model, x: quadrature_bound(0.1, 2, Normal(x[0, 0], x[0, 1].abs()), 0.7),
}
EYE = torch.eye(3)


@pytest.mark.parametrize("call", SINGLE.values(), ids=SINGLE)
def test_single_precision_is_computed_in_double(call):
    weight, bias, x = torch.randn(6, 3), torch.randn(6), torch.randn(9, 6)
    result = call(LinearVAE(weight, bias, 0.4), x)
    expected = call(LinearVAE(weight.double(), bias.double(), 0.4), x.double())
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


# ---- Fitting it


def correlated(n, pixels):
    return doubles(n, pixels) @ doubles(pixels, pixels) + 5


@pytest.mark.parametrize(("n", "pixels"), [(30, 5), (4, 7)])
def test_spectrum_has_the_singular_values_of_centred_data(n, pixels):
    x = correlated(n, pixels)
    values, vectors = spectrum(x)
    _, singular, rows = np.linalg.svd(x.numpy() - x.numpy().mean(0))
    expected = np.zeros(pixels)
    expected[: len(singular)] = singular**2 / n
    assert np.allclose(values, expected) and (values >= 0).all()
    rank = min(n - 1, pixels)
    overlap = np.abs(rows[:rank] @ vectors.numpy()[:, :rank])  # eigenvectors have no sign
    assert np.allclose(overlap, np.eye(rank), atol=1e-6)
    assert np.allclose(vectors.T @ vectors, np.eye(pixels))


@pytest.mark.parametrize("variance", [None, 0.01, 8.0])
def test_fit_is_the_top_of_the_likelihood(variance):
    x = correlated(40, 6)
    model = fit_linear_vae(x, 3, variance)
    assert variance is None or model.variance == variance

    parts = [model.weight, model.bias, torch.tensor(model.variance, dtype=torch.float64)]
    for part in parts[: 3 if variance is None else 2]:
        part.requires_grad_()
    best = LinearVAE(*parts).log_marginal(x).mean()
    best.backward()
    for part in parts:
        assert part.grad is None or part.grad.abs().max() < 1e-9

    for _ in range(100):
        weight, bias = model.weight + 0.1 * doubles(6, 3), model.bias + 0.1 * doubles(6)
        other = variance or model.variance * math.exp(0.1 * doubles(1))
        assert LinearVAE(weight, bias, other).log_marginal(x).mean() < best


def test_learned_variance_is_the_mean_of_what_is_left_out():
    x = correlated(40, 6)
    left_out = np.linalg.svd(x.numpy() - x.numpy().mean(0))[1][2:]
    assert fit_linear_vae(x, 2).variance == pytest.approx(np.mean(left_out**2) / 40, rel=1e-10)


def test_inactive_latents_change_nothing():
    x = doubles(500, 6) * torch.tensor([3.0, 2.0, 0.5, 0.5, 0.4, 0.3])
    small, large = fit_linear_vae(x, 2, 1.0), fit_linear_vae(x, 6, 1.0)
    assert (large.weight[:, :2].norm(dim=0) > 1).all() and (large.weight[:, 2:] == 0).all()
    torch.testing.assert_close(large.log_marginal(x), small.log_marginal(x))


@pytest.mark.parametrize(
    ("latents", "variance", "most"), [(0, None, 5), (6, None, 5), (0, 1.0, 6), (7, 1.0, 6)]
)
def test_fit_refuses_an_impossible_number_of_latents(latents, variance, most):
    with pytest.raises(ValueError, match=f"between 1 and {most}, but is {latents}"):
        fit_linear_vae(correlated(9, 6), latents, variance)


def test_fit_allows_the_largest_possible_number_of_latents():
    x = correlated(9, 6)
    assert [len(fit_linear_vae(x, *options).weight.T) for options in ((5,), (6, 1.0))] == [5, 6]


@pytest.mark.parametrize("variance", [None, 4.0])
def test_optimal_kl_is_the_mean_kl_of_the_fitted_posteriors(variance):
    x = correlated(40, 6)
    model = fit_linear_vae(x, 4, variance)
    mean, covariance = conditioned(model, x)
    stds = np.sqrt(np.diag(covariance))
    expected = [
        np.mean([kl_of_normals(m[[j]], np.diag(stds[[j]] ** 2), 0, np.eye(1)) for m in mean])
        for j in range(4)
    ]
    result = optimal_kl(spectrum(x)[0], model.variance)
    assert result.shape == (6,)
    assert np.allclose(result[:4], expected, atol=1e-12)
    assert (result[:4].min() == 0) == (variance == 4)


def test_optimal_kl_of_a_pixel_that_never_varies_is_zero():
    assert optimal_kl(torch.tensor([math.e**2, 1, 0.5, 0]), 1.0).tolist() == pytest.approx(
        [1, 0, 0, 0]
    )


def test_aggregate_posterior_of_the_fit_is_the_prior():
    x = correlated(40, 6)
    posterior = fit_linear_vae(x, 3).posterior(x)
    spread = np.cov(posterior.mean.numpy(), rowvar=False, bias=True)
    assert np.allclose(posterior.mean.mean(0), 0, atol=1e-10)
    assert np.allclose(spread + posterior.covariance_matrix[0].numpy(), np.eye(3), atol=1e-10)


# ---- Importance-weighted bounds by quadrature

PRIOR = Normal(0.0, 1.0)


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
    z = doubles(10**6, 3)
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


# ---- Two images, at +a and -a: the decoder's answer is their average, weighted by q(image|z)


def chance_of_the_first(z, mean, std):
    log_odds = log_normal(z, mean, std**2) - log_normal(z, -mean, std**2)
    return np.exp(-np.logaddexp(0, -log_odds))


TWO = [TwoImages(2, 0.88, 0.47), TwoImages(0.7, 0.3, 1.2), TwoImages(30, 0.97, 0.24)]
TWO += [TwoImages(1.5, 0, 1), TwoImages(5, 1.5, 0.4)]


@pytest.mark.parametrize("two", TWO, ids=str)
def test_two_images_agree_with_integrals_over_z(two):
    z, cell = np.arange(-12, 12, 0.001), 0.001
    log_qs = [log_normal(z, sign * two.mean, two.std**2) for sign in (1, -1)]
    q = np.exp(log_qs[0])
    first = chance_of_the_first(z, two.mean, two.std)
    answer = first * two.half_distance - (1 - first) * two.half_distance

    kl = (q * (log_qs[0] - log_normal(z, 0, 1))).sum() * cell
    assert two.kl() == pytest.approx(kl, abs=1e-10)
    distortion = (q * (two.half_distance - answer) ** 2 / 2).sum() * cell
    assert two.distortion() == pytest.approx(distortion, abs=1e-8)

    aggregate = np.logaddexp(*log_qs) - np.log(2)
    information = sum((np.exp(own) * (own - aggregate)).sum() * cell / 2 for own in log_qs)
    assert two.mutual_information() == pytest.approx(information, abs=1e-9)
    assert information <= np.log(2)
    wrong_side = math.erfc(two.mean / two.std / math.sqrt(2)) / 2
    assert two.overlap() == pytest.approx(wrong_side, rel=1e-9)


def best_by_brute_force(half_distance):
    """Loss, mean and std of the best of all means and stds, on a grid that is refined."""
    u = np.linspace(-8, 8, 321)[:, None, None]
    chance = np.exp(-(u**2) / 2)
    chance /= chance.sum()
    low, high = np.array([0.0, 0.1]), np.array([1.5, 1.5])
    for _ in range(10):
        mean, std = np.meshgrid(*np.linspace(low, high, 21).T, indexing="ij")
        z = mean + std * u
        missed = 2 * half_distance * (1 - chance_of_the_first(z, mean, std))
        kl = log_normal(z, mean, std**2) - log_normal(z, 0, 1)
        loss = (chance * (missed**2 / 2 + kl)).sum(0)
        k = np.unravel_index(loss.argmin(), loss.shape)
        best, width = np.array([mean[k], std[k]]), (high - low) / 8
        low, high = np.maximum(best - width, [0, 0.1]), best + width
    return loss.min(), *best


@pytest.mark.parametrize("half_distance", [0.9, 0.99, 1.01, 1.05, 1.5, 3, 30])
def test_fit_finds_the_best_of_all_means_and_stds(half_distance):
    loss, mean, std = best_by_brute_force(half_distance)
    two = fit_two_images(half_distance)
    assert two.half_distance == half_distance
    assert two.mean == pytest.approx(mean, abs=1e-4)
    assert two.std == pytest.approx(std, abs=1e-4)
    assert two.kl() + two.distortion() == pytest.approx(loss, abs=1e-8)
    assert mean**2 + std**2 == pytest.approx(1, abs=1e-4)
    assert (two.mean > 1e-3) == (half_distance > 1)


@pytest.mark.parametrize(
    ("half_distance", "loss", "mean", "std", "overlap", "kl", "information"),
    [
        (1.01, 0.50995, 0.1431, 0.9897, 0.4425, 0.0103, 0.0103),
        (1.20, 0.66722, 0.6520, 0.7582, 0.1949, 0.2768, 0.2724),
        (2.00, 0.93625, 0.8809, 0.4733, 0.03137, 0.7480, 0.6111),
        (3.00, 1.06593, 0.9186, 0.3951, 0.01004, 0.9285, 0.6657),
    ],
)
def test_fit_has_the_known_values(half_distance, loss, mean, std, overlap, kl, information):
    two = fit_two_images(half_distance)
    found = (two.kl() + two.distortion(), two.mean, two.std, two.overlap(), two.kl())
    assert found == pytest.approx((loss, mean, std, overlap, kl), abs=1e-4)
    assert two.mutual_information() == pytest.approx(information, abs=1e-4)
