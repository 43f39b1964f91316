import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from vae_course.exact import LinearVAE, fit_linear_vae, optimal_kl, quadrature_bound, spectrum

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
