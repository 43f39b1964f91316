"""Priors behind one interface: densities that are densities, fits that find what is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    MixtureSameFamily,
    MultivariateNormal,
    kl_divergence,
)

from vae_course.evaluation import (
    encode_all,
    estimate,
    estimate_elbo,
    importance_weighted_bounds,
    rate_distortion,
    split_mean_kl,
)
from vae_course.exact import fit_linear_vae, source_with_spectrum
from vae_course.latents import rescale
from vae_course.models import (
    VAE,
    Flow,
    FullGaussian,
    GaussianMixture,
    PictureVAE,
    Prior,
    StandardNormal,
)
from vae_course.models.priors import PRIORS
from vae_course.objectives import Gaussian

EACH = {"standard": StandardNormal, **PRIORS}
each_prior = pytest.mark.parametrize("build", EACH.values(), ids=EACH)


@pytest.fixture(scope="module")
def two_hills():
    """2 000 posteriors in two dimensions around (-2, 0) and (2, 1), a quarter and the rest."""
    g = torch.Generator().manual_seed(0)
    right = torch.rand(2000, 1, generator=g) < 0.75
    centre = torch.where(right, torch.tensor([2.0, 1.0]), torch.tensor([-2.0, 0.0]))
    mean = centre + 0.4 * torch.randn(2000, 2, generator=g)
    return Gaussian(mean, torch.full_like(mean, math.log(0.3)))


def fitted(build, posterior):
    torch.manual_seed(0)
    prior = build(2)
    if build is Flow:
        return Flow(2, width=32, depth=2).fit(posterior, steps=400, lr=1e-2)
    return prior.fit(posterior) if hasattr(prior, "fit") else prior


@pytest.fixture(scope="module")
def fits(two_hills):
    return {name: fitted(build, two_hills) for name, build in EACH.items()}


def on_grid(prior, reach=8, count=161):
    """Σ density · area over a plane of points, and its first two moments."""
    axis = torch.linspace(-reach, reach, count)
    points = torch.cartesian_prod(axis, axis)
    weights = prior.log_prob(points).detach().double().exp() * (axis[1] - axis[0]) ** 2
    mean = weights @ points.double()
    return weights.sum(), mean, (points.double() * weights[:, None]).T @ points.double()


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_density_integrates_to_one_and_is_that_of_the_draws(fits, name):
    prior = fits[name]
    total, mean, second = on_grid(prior)
    assert total.item() == pytest.approx(1, abs=2e-3)
    torch.manual_seed(1)
    z = prior.sample(20_000).double()
    assert z.shape == (20_000, 2) and isinstance(prior, Prior)
    assert (z.mean(0) - mean).abs().max() < 0.06
    assert (z.T @ z / len(z) - second).abs().max() < 0.12


@pytest.mark.slow
def test_what_is_fitted_comes_closer_and_closer(fits, two_hills):
    z = two_hills.sample()
    nats = {name: prior.log_prob(z).mean().item() for name, prior in fits.items()}
    assert nats["standard"] + 0.5 < nats["gaussian"] < nats["mixture"] - 0.2
    assert nats["gaussian"] + 0.2 < nats["flow"] < nats["mixture"] + 0.1


def test_a_mixture_finds_the_two_hills_it_was_given(two_hills):
    prior = GaussianMixture(2, components=2).fit(two_hills)
    order = prior.means[:, 0].argsort()
    assert torch.allclose(prior.logits.exp()[order], torch.tensor([0.25, 0.75]), atol=0.03)
    assert torch.allclose(prior.means[order], torch.tensor([[-2.0, 0], [2, 1]]), atol=0.06)
    covariance = (prior.scale_trils @ prior.scale_trils.mT)[order]
    assert torch.allclose(covariance, (0.4**2 + 0.3**2) * torch.eye(2).expand(2, 2, 2), atol=0.03)
    # Against a sum of densities by hand.
    z = two_hills.sample()[:50]
    parts = [
        MultivariateNormal(m, scale_tril=s)
        for m, s in zip(prior.means, prior.scale_trils, strict=True)
    ]
    shares = prior.logits.softmax(0)
    by_hand = sum(w * part.log_prob(z).exp() for w, part in zip(shares, parts, strict=True)).log()
    assert torch.allclose(prior.log_prob(z), by_hand, atol=1e-4)


def test_a_mixture_of_one_is_the_gaussian(two_hills):
    z = two_hills.sample()
    one, whole = GaussianMixture(2, 1).fit(two_hills, ridge=0), FullGaussian(2).fit(two_hills)
    assert (one.log_prob(z) - whole.log_prob(z)).abs().max() < 0.2  # one draw against all


def test_the_gaussian_has_the_moments_of_the_aggregate(two_hills):
    prior = FullGaussian(2).fit(two_hills)
    torch.manual_seed(0)
    z = torch.cat([two_hills.sample() for _ in range(50)])
    assert torch.allclose(prior.mean, z.mean(0), atol=0.02)
    assert torch.allclose(prior.distribution.covariance_matrix, torch.cov(z.T), atol=0.02)


class Affine(nn.Module):
    """dz/dt = A z + b: z(1) = e^A (z(0) + …), whose density torch knows."""

    def __init__(self, matrix, shift):
        super().__init__()
        self.matrix, self.shift = matrix, shift

    def forward(self, z, t):
        return z @ self.matrix.T + self.shift


def test_the_flow_is_the_change_of_variables_for_an_affine_field():
    matrix = torch.tensor([[0.3, 0.8, 0.0], [-0.5, 0.1, 0.2], [0.0, 0.4, -0.6]])
    shift = torch.tensor([1.0, -0.5, 0.2])
    prior = Flow(3, steps=50)
    prior.velocity = Affine(matrix, shift)
    # One matrix exponential gives e^A and the drift, as the equation is linear in (z, 1).
    whole = torch.zeros(4, 4)
    whole[:3, :3], whole[:3, 3] = matrix, shift
    moved = torch.matrix_exp(whole)
    known = MultivariateNormal(moved[:3, 3], moved[:3, :3] @ moved[:3, :3].T)
    z = known.sample((40,))
    assert torch.allclose(prior.log_prob(z), known.log_prob(z), atol=1e-3)
    draws = prior.sample(20_000)
    assert torch.allclose(draws.mean(0), known.mean, atol=0.06)
    assert torch.allclose(torch.cov(draws.T), known.covariance_matrix, atol=0.1)


def test_the_flow_moves_back_what_the_gaussian_made_white(two_hills):
    """With a velocity of 0 the flow is the Gaussian itself, whatever its scale."""
    wide = Gaussian(50 + 1000 * two_hills.mean, two_hills.log_std)
    prior, gaussian = Flow(2, steps=3), FullGaussian(2).fit(wide)
    prior.gaussian.fit(wide)
    prior.velocity = Affine(torch.zeros(2, 2), torch.zeros(2))
    z = wide.sample()[:20]
    assert torch.allclose(prior.log_prob(z), gaussian.log_prob(z), atol=1e-4)
    assert torch.allclose(torch.cov(prior.sample(5000).T), torch.cov(z.T), rtol=1)


@each_prior
def test_a_prior_keeps_device_and_dtype_and_the_random_state(build, two_hills):
    state = torch.get_rng_state()
    prior = build(2)
    if hasattr(prior, "fit") and build is not Flow:
        prior.fit(two_hills)
        assert torch.equal(torch.get_rng_state(), state)
    prior.double()
    z = prior.sample(3)
    assert z.dtype == torch.float64 and prior.log_prob(z).shape == (3,)


def test_an_autoencoder_has_codes_without_spread():
    codes = torch.randn(200, 2)
    points = Gaussian(codes, torch.full_like(codes, -math.inf))
    covariance = FullGaussian(2).fit(points).distribution.covariance_matrix
    assert torch.allclose(covariance, torch.cov(codes.T, correction=0), atol=1e-5)
    assert GaussianMixture(2, 3).fit(points).log_prob(codes).isfinite().all()


# ---- In a model


class Line(nn.Module):
    """Mean and log std of the best linear VAE, stretched: the decoder undoes it."""

    def __init__(self, known, x, stretch, shift):
        super().__init__()
        self.known, self.stretch, self.shift = known, stretch, shift
        variance = known.best_diagonal(x).covariance_matrix.diagonal(dim1=-2, dim2=-1)[0]
        self.log_std = (variance.sqrt() * stretch).log().float()

    def forward(self, x):
        mean = self.known.posterior(x).mean.float() * self.stretch + self.shift
        return torch.cat([mean, self.log_std.expand_as(mean)], 1)


def stretched(stretch, shift):
    """The best linear VAE of Gaussian data with its codes moved, so that all is known: the data's
    entropy is what the ELBO must be under the right prior, and the hole is a KL of two normals."""
    strengths = torch.tensor([2.0, 0.9]).double()
    x = source_with_spectrum(3_000, strengths, torch.eye(6)[:, :2].double(), torch.zeros(6))
    known = fit_linear_vae(x, 2, variance=0.2)
    stretch, shift = torch.tensor(stretch), torch.tensor(shift)
    decoder = nn.Linear(2, 6)
    weight = (known.weight / stretch).float()
    decoder.weight.data, decoder.bias.data = weight, known.bias.float() - weight @ shift
    model = PictureVAE((6,), 2, Line(known, x, stretch, shift), decoder, std=math.sqrt(0.2))
    return model.requires_grad_(False), known, x.float()


def test_the_gain_of_a_prior_is_the_hole_of_the_linear_case():
    stretch, shift = [2.0, 0.5], [1.0, -0.3]
    model, known, x = stretched(stretch, shift)
    torch.manual_seed(0)
    before = estimate_elbo(model, x, n_samples=20)
    moved = MultivariateNormal(torch.tensor(shift), torch.tensor(stretch).square().diag())
    standard = MultivariateNormal(torch.zeros(2), torch.eye(2))
    hole = kl_divergence(moved, standard).item()
    model.prior = FullGaussian(2).fit(encode_all(model, x))
    after = estimate_elbo(model, x, n_samples=20)
    assert after["total"].mean - before["total"].mean == pytest.approx(hole, abs=0.03)
    gap = after["reconstruction"].mean - before["reconstruction"].mean
    assert gap == pytest.approx(0, abs=0.05)
    # The posterior is exact, so the bound is tight, and no prior gains more.
    assert after["total"].mean == pytest.approx(known.log_marginal(x).mean().item(), abs=0.03)
    mixture = GaussianMixture(2, 8).fit(encode_all(model, x))
    z = encode_all(model, x).sample()
    assert abs((mixture.log_prob(z) - model.prior.log_prob(z)).mean()) < 0.05


def test_every_number_of_a_model_follows_its_prior():
    """The same model twice: codes moved and the prior with them, or nothing moved at all."""
    plain, known, x = stretched([1.0, 1.0], [0.0, 0.0])
    model, _, _ = stretched([2.0, 0.5], [1.0, -0.3])
    model.prior = FullGaussian(2).fit(encode_all(plain, x))
    model.prior.mean.copy_(torch.tensor([1.0, -0.3]))
    model.prior.scale_tril.copy_(torch.tensor([2.0, 0.5]).diag())
    for measure in (
        lambda m: importance_weighted_bounds(m, x[:300], 5, progress=False).mean().item(),
        lambda m: rate_distortion.measure(m, x[:300]).rate,
        lambda m: m.elbo(x[:300], noise=torch.zeros(1, 300, 2)).reconstruction.mean().item(),
    ):
        found = []
        for each in (plain, model):
            torch.manual_seed(0)
            found.append(measure(each))
        assert found[0] == pytest.approx(found[1], abs=0.05)
    torch.manual_seed(0)
    split = split_mean_kl(encode_all(model, x), prior=model.prior, n_samples=2, progress=False)
    assert split.aggregate_kl.mean == pytest.approx(0, abs=0.1)
    wide = split_mean_kl(encode_all(model, x), n_samples=2, progress=False)
    assert wide.aggregate_kl.mean > split.aggregate_kl.mean + 0.5
    pictures = model.sample(20_000, noise=False)
    assert torch.allclose(torch.cov(pictures.T), (known.weight @ known.weight.T).float(), atol=0.1)


def test_the_kl_of_a_prior_without_a_formula_is_averaged_over_the_draws_of_the_bound():
    torch.manual_seed(0)
    model, x = VAE((3,), 2, hidden=(4,), std=0.5), torch.rand(5, 3)
    exact = model.elbo(x).kl

    class WithoutFormula(nn.Module):
        def log_prob(self, z):
            return MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(z)

        def sample(self, n):
            return torch.zeros(n, 2)

    model.prior = WithoutFormula()
    with torch.no_grad():
        found = [model.elbo(x, n_samples=20).kl for _ in range(20)]
    for one, kls in zip(exact, torch.stack(found, 1), strict=True):
        error = estimate(kls)
        assert abs(error.mean - one.item()) < 5 * error.standard_error
    assert torch.equal(model.sample(4, noise=False)[0], model.decode(torch.zeros(1, 2)).mean[0])


def test_the_bounds_of_a_mixture_are_those_of_the_mixture_that_it_makes(two_hills):
    """With a linear decoder p(x) is a mixture of normal distributions, and torch has it."""
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(3, 4), nn.Linear(2, 3)
    encoder.weight.data.zero_()
    encoder.bias.data = torch.tensor([0.0, 0.0, 0.7, 0.7])  # q is wide, whatever x
    prior = GaussianMixture(2, components=2).fit(two_hills)
    model = PictureVAE((3,), 2, encoder, decoder, std=0.5, prior=prior).requires_grad_(False)
    w, spread = decoder.weight, prior.scale_trils @ prior.scale_trils.mT
    parts = MultivariateNormal(
        prior.means @ w.T + decoder.bias, w @ spread @ w.T + 0.25 * torch.eye(3)
    )
    known = MixtureSameFamily(Categorical(logits=prior.logits), parts)
    x = known.sample((20,))
    bound = importance_weighted_bounds(model, x, 10_000, progress=False)
    assert torch.allclose(bound, known.log_prob(x), atol=0.1)
    elbo = estimate_elbo(model, x, n_samples=200)
    one = importance_weighted_bounds(model, x.repeat(200, 1), 1, progress=False)
    assert elbo["total"].mean == pytest.approx(one.mean().item(), abs=0.5)
    assert elbo["total"].mean < known.log_prob(x).mean() - 1  # such a q is far from the posterior
    model.prior = StandardNormal(2)
    other = importance_weighted_bounds(model, x, 10_000, progress=False)
    assert (other - known.log_prob(x)).abs().max() > 0.5


@each_prior
def test_a_prior_travels_with_its_model(build, two_hills):
    model = VAE((3,), 2, hidden=(4,), prior=build(2))
    other = VAE((3,), 2, hidden=(4,), prior=build(2))
    with torch.no_grad():
        for value in model.prior.state_dict().values():
            value.mul_(1.1)
    other.load_state_dict(model.state_dict())
    z = torch.randn(4, 2)
    assert torch.equal(model.prior.log_prob(z), other.prior.log_prob(z))
    assert [*VAE((3,), 2, hidden=(4,)).state_dict()] == [
        name for name in model.state_dict() if not name.startswith("prior.")
    ]


def test_what_is_no_prior_is_refused():
    for wrong in (FullGaussian, 3, torch.nn.Linear(2, 2)):
        with pytest.raises(TypeError, match=r"log_prob\(z\)"):
            VAE((3,), 2, prior=wrong)
    model = VAE((3,), 2, hidden=(4,), prior=FullGaussian(2))
    with pytest.raises(ValueError, match="re-scale first, then fit the prior"):
        rescale(model, torch.rand(9, 3))
