import math
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from vae_course.evaluation import (
    active_units,
    encode_all,
    estimate,
    estimate_elbo,
    importance_weighted_bounds,
    kl_per_latent,
    split_mean_kl,
)
from vae_course.evaluation import bounds as evaluation
from vae_course.exact import LinearVAE, quadrature_bound
from vae_course.models import VAE
from vae_course.objectives import Gaussian


def linear_vae(mean_weight, log_std, mean_bias=0.0, **options):
    """Pictures (1, 1, P) -> means x @ mean_weight.T + mean_bias, and the same log_std for all."""
    mean_weight = torch.as_tensor(mean_weight)
    latents, pixels = mean_weight.shape
    model = VAE((1, 1, pixels), latents, hidden=(), **options)
    with torch.no_grad():
        model.encoder[0].weight[:latents] = mean_weight
        model.encoder[0].weight[latents:] = 0
        model.encoder[0].bias[:latents] = torch.as_tensor(mean_bias)
        model.encoder[0].bias[latents:] = torch.as_tensor(log_std)
    return model.eval()


def row_pictures(rows):
    return torch.as_tensor(rows, dtype=torch.float32)[:, None, None, :]


ALTERNATING = row_pictures([[-1.0], [1.0]] * 50)


# ---- The encoder's answers


@pytest.mark.parametrize("batch_size", [1, 3, 7, 1000])
def test_encode_all_keeps_the_order_whatever_the_batch_size(batch_size):
    x = torch.arange(7.0)
    model = linear_vae([[1.0], [-2.0]], [0.5, -0.5], [10.0, 0.0])
    mean, log_std = encode_all(model, row_pictures(x[:, None]), batch_size=batch_size)
    torch.testing.assert_close(mean, torch.stack([x + 10, -2 * x], dim=1))
    torch.testing.assert_close(log_std, torch.tensor([0.5, -0.5]).expand(7, 2))
    assert not mean.requires_grad


@pytest.mark.parametrize(("threshold", "expected"), [(0.01, 2), (0.005, 3), (0.5, 1), (5, 0)])
def test_active_units_counts_means_whose_variance_is_above_the_threshold(threshold, expected):
    # Variances (times 100/99): 0, 0.0081, 0.0121, 1. The offset and the std must not count.
    model = linear_vae([[0.0], [0.09], [-0.11], [1.0]], [2.0, 0, 0, -3], [7.0, 0, 0, 7])
    assert active_units(model, ALTERNATING, threshold) == expected


def test_active_units_has_the_threshold_of_burda_unless_told():
    assert active_units(linear_vae([[0.09], [0.11]], 0.0), ALTERNATING) == 1


def test_kl_per_latent_has_the_values_worked_out_on_paper():
    # Means ±1 with std 1; 0 with log std 1; the prior; 0 and 2 by turns with std 1; all at once.
    model = linear_vae(
        [[1.0], [0.0], [0.0], [1.0], [1.0]], [0.0, 1, 0, 0, 1], [0.0, 0.0, 0.0, 1.0, 1.0]
    )
    expected = torch.tensor([0.5, 2.194528, 0, 1, 3.194528])
    result = kl_per_latent(model, ALTERNATING)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def test_kl_per_latent_adds_up_to_the_kl_of_the_elbo():
    model, x = linear_vae(torch.randn(4, 6), torch.randn(4)), torch.rand(50, 1, 1, 6)
    total = kl_per_latent(model, x).sum().item()
    assert total == pytest.approx(estimate_elbo(model, x)["kl"].mean, rel=1e-5)


# ---- The ELBO of many pictures


def test_estimated_elbo_has_mean_and_standard_error_of_the_pictures():
    # log std -30: z is the posterior mean, so that each picture's terms are known.
    model, x = linear_vae(torch.randn(2, 3), -30.0, std=0.5), torch.rand(9, 1, 1, 3)
    flat = x.flatten(1)
    z = flat @ model.encoder[0].weight[:2].T
    decoded = z @ model.decoder[0].weight.T + model.decoder[0].bias
    reconstruction = Normal(decoded, 0.5).log_prob(flat).sum(1)
    kl = (0.5 * (z.square() - 1) + 30).sum(1)
    expected = {"total": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}
    result = estimate_elbo(model, x)
    assert result.keys() == expected.keys()
    for name, values in expected.items():
        values = values.detach().double().numpy()
        assert result[name].mean == pytest.approx(values.mean(), rel=1e-5)
        assert result[name].standard_error == pytest.approx(
            np.std(values, ddof=1) / math.sqrt(9), rel=1e-3
        )


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_estimated_elbo_does_not_depend_on_the_batch_size(batch_size):
    model, x = linear_vae(torch.randn(2, 3), -30.0, std=0.5), torch.rand(9, 1, 1, 3)
    whole = estimate_elbo(model, x, batch_size=9)
    for name, part in estimate_elbo(model, x, batch_size=batch_size).items():
        assert part == pytest.approx(whole[name], rel=1e-4)


def test_the_standard_error_counts_the_draws_of_z():
    model, x = linear_vae(torch.randn(2, 3), 0.0, std=0.5), torch.rand(1, 1, 1, 3)
    same = x.expand(4000, 1, 1, 3)
    errors = [
        estimate_elbo(model, same, n_samples=n)["reconstruction"].standard_error for n in (1, 16)
    ]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_estimates_repeat_within_their_standard_error():
    model, x = linear_vae(torch.randn(2, 3), 0.0, std=0.5), torch.rand(1, 1, 1, 3)
    same = x.expand(200, 1, 1, 3)
    estimates = [estimate_elbo(model, same)["total"] for _ in range(300)]
    spread = np.std([estimate.mean for estimate in estimates])
    typical = np.mean([estimate.standard_error for estimate in estimates])
    assert typical == pytest.approx(spread, rel=0.2)


def test_the_elbo_is_that_of_beta_one():
    result = estimate_elbo(linear_vae([[1.0]], 1.0), ALTERNATING)
    assert result["total"].mean == pytest.approx(
        result["reconstruction"].mean - result["kl"].mean, rel=1e-5
    )


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("n", [0, 1])
def test_one_picture_has_no_standard_error(n, likelihood):
    with pytest.raises(ValueError, match=f"at least 2 pictures, but got {n}"):
        estimate_elbo(linear_vae([[1.0]], 0.0, likelihood=likelihood), ALTERNATING[:n])


def test_estimate_is_the_mean_and_its_standard_error():
    # Deviations -3, -1, 0, 4 from 5: variance 26 / 3, over 4.
    mean, error = estimate(torch.tensor([2.0, 4.0, 5.0, 9.0]))
    assert (mean, error) == (5, pytest.approx(math.sqrt(26 / 12)))


@pytest.mark.parametrize("n", [0, 1])
def test_one_value_has_no_standard_error(n):
    with pytest.raises(ValueError, match=f"at least 2 values, but got {n}"):
        estimate(torch.ones(n))


# ---- Importance-weighted bounds


def exact_vae(shape=(2, 1, 2), std=0.5):
    """A linear VAE whose encoder is the exact posterior, and log p(x) as a function."""
    pixels = math.prod(shape)
    model = VAE(shape, 2, hidden=(), std=std)
    directions = torch.linalg.qr(torch.randn(pixels, 2)).Q  # orthogonal: diagonal posterior
    weight, bias = directions * torch.tensor([1.5, 0.4]), torch.randn(pixels)
    variance = 1 / (1 + weight.square().sum(0) / std**2)
    with torch.no_grad():
        model.decoder[0].weight[:], model.decoder[0].bias[:] = weight, bias
        to_mean = variance[:, None] * weight.T / std**2
        model.encoder[0].weight[:] = torch.cat([to_mean, torch.zeros(2, pixels)])
        model.encoder[0].bias[:] = torch.cat([-to_mean @ bias, variance.log() / 2])
    marginal = MultivariateNormal(bias, weight @ weight.T + std**2 * torch.eye(pixels))
    return model, lambda x: marginal.log_prob(x.flatten(1))


def toy_vae(q_mean, q_log_std):
    """One pixel: p(x|z) = N(z, 1), q(z|x) = N(q_mean, q_std²), as in `quadrature_bound`."""
    model = linear_vae([[0.0]], q_log_std, q_mean, std="unit")
    with torch.no_grad():
        model.decoder[0].weight[:], model.decoder[0].bias[:] = 1, 0
    return model


def bounds_of(model, images, n_samples, **options):
    return importance_weighted_bounds(model, images, n_samples, **{"progress": False} | options)


@pytest.mark.parametrize("shape", [(2, 1, 2), (5,)], ids=["pictures", "a table"])
@pytest.mark.parametrize("n_samples", [1, 2, 7, 100])
def test_with_the_exact_posterior_every_bound_is_the_evidence(n_samples, shape):
    model, evidence = exact_vae(shape)
    x = torch.randn(20, *shape)
    result = bounds_of(model, x, n_samples)
    assert not result.requires_grad
    torch.testing.assert_close(result, evidence(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_samples", [1, 2, 3])
@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (0.8, -0.6)])
def test_bounds_average_to_those_by_quadrature(mean, log_std, n_samples):
    x = torch.ones(20000, 1, 1, 1)
    average, error = estimate(bounds_of(toy_vae(mean, log_std), x, n_samples))
    expected = quadrature_bound(1.0, n_samples, Normal(mean, math.exp(log_std)))
    assert average == pytest.approx(expected, abs=5 * error)


def test_bounds_start_at_the_elbo_and_rise_to_the_evidence():
    (model, evidence), x = exact_vae(), torch.randn(1, 2, 1, 2)
    with torch.no_grad():
        model.encoder[0].bias[2:] += torch.tensor([0.5, -0.2])
    mean, log_std = (part.detach()[0] for part in model.encode(x))
    linear = LinearVAE(*(part.detach() for part in model.decoder.parameters()), variance=0.25)
    q = MultivariateNormal(mean, torch.diag((2 * log_std).exp()))
    elbo = linear.elbo(x.flatten(1), q).total.item()

    many = x.expand(4000, 2, 1, 2)
    rising = [estimate(bounds_of(model, many, k)) for k in (1, 4, 16, 64, 256)]
    assert rising[0].mean == pytest.approx(elbo, abs=5 * rising[0].standard_error)
    for low, high in pairwise(rising):
        assert high.mean > low.mean
    assert rising[-1].mean == pytest.approx(evidence(x).item(), abs=0.01)


def test_bounds_of_a_bernoulli_decoder():
    model = linear_vae([[0.5, -0.5, 0.3]], 0.2, -0.8, likelihood="bernoulli")
    x = row_pictures([[1.0, 0.0, 1.0]])
    mean, log_std = (part.item() for part in model.encode(x))
    z = torch.arange(-8, 8, 0.01)[:, None]
    log_likelihood = Bernoulli(logits=model.decoder(z)).log_prob(x.flatten(1)).sum(1)
    joint = log_likelihood.detach() + Normal(0.0, 1.0).log_prob(z[:, 0])
    log_q = Normal(mean, math.exp(log_std)).log_prob(z[:, 0])
    elbo = (log_q.exp() * (joint - log_q)).sum().item() * 0.01

    average, error = estimate(bounds_of(model, x.expand(20000, 1, 1, 3), 1))
    assert average == pytest.approx(elbo, abs=5 * error)
    evidence = joint.logsumexp(0).item() + math.log(0.01)
    assert bounds_of(model, x, 50000).item() == pytest.approx(evidence, abs=0.02)


def test_a_posterior_can_be_given_in_place_of_the_encoder():
    (model, evidence), x = exact_vae(), torch.randn(7, 2, 1, 2)
    exact = Gaussian(*(part.detach() for part in model.encode(x)))
    torch.nn.init.constant_(model.encoder[0].weight, math.nan)
    result = bounds_of(model, x, 3, posterior=exact)
    torch.testing.assert_close(result, evidence(x), atol=1e-4, rtol=0)


# ---- in pieces

PIECES = [(5, 10, 7), (5, 10, 25), (5, 10, 1), (50, 1, 16), (3, 4, 4)]


@pytest.mark.parametrize(("n", "n_samples", "rows"), PIECES)
def test_bounds_in_pieces_are_right(n, n_samples, rows):
    (model, evidence), x = exact_vae(), torch.randn(n, 2, 1, 2)
    torch.testing.assert_close(
        bounds_of(model, x, n_samples, at_once=rows), evidence(x), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 10, 25])
def test_every_draw_counts_the_same_in_whatever_piece_it_comes(monkeypatch, rows):
    log_weights, used = 3 * torch.randn(10, 1), []

    def next_draws(model, x, posterior, draws):
        used.append(draws)
        return log_weights[sum(used) - draws : sum(used)]

    monkeypatch.setattr(evaluation, "_log_weights", next_draws)
    expected = np.log(np.mean(np.exp(log_weights.double().numpy())))
    assert bounds_of(
        exact_vae()[0], torch.zeros(1, 2, 1, 2), 10, at_once=rows
    ).item() == pytest.approx(expected)
    assert sum(used) == 10


@pytest.mark.parametrize(("n", "n_samples", "rows"), PIECES)
def test_no_more_than_rows_are_decoded_at_once_and_not_much_fewer(n, n_samples, rows):
    (model, _), decoded = exact_vae(), []
    model.decoder.register_forward_hook(lambda module, z, result: decoded.append(len(result)))
    bounds_of(model, torch.randn(n, 2, 1, 2), n_samples, at_once=rows)
    assert max(decoded) <= rows and sum(decoded) == n * n_samples
    assert np.mean(decoded) >= rows / 2


@pytest.mark.parametrize("n_samples", [0, -1])
def test_a_bound_needs_a_draw(n_samples):
    with pytest.raises(ValueError, match=f"at least 1, but is {n_samples}"):
        importance_weighted_bounds(exact_vae()[0], torch.rand(2, 2, 1, 2), n_samples)


# ---- The mode of the model

MEASURES = {
    "elbo": estimate_elbo,
    "bounds": lambda model, images: bounds_of(model, images, 3),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("training", [True, False])
def test_measures_are_made_in_eval_mode_and_leave_the_model_as_it_was(training, measure):
    model = VAE((1, 2, 2), 1, hidden=(), std="optimal").train(training)
    stored = model.log_std.clone()
    modes = []
    for part in (model.encoder, model.decoder):
        part.register_forward_hook(lambda *_: modes.append(model.training))
    measure(model, torch.rand(10, 1, 2, 2))
    assert modes == [False, False] and model.training is training
    assert torch.equal(model.log_std, stored)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("training", [True, False])
def test_the_mode_returns_even_when_decoding_fails(training, measure):
    model = VAE((1, 2, 2), 1, hidden=()).train(training)
    model.decoder = torch.nn.Linear(9, 9)
    with pytest.raises(RuntimeError):
        measure(model, torch.rand(10, 1, 2, 2))
    assert model.training is training


# ---- The mean KL in two parts


def posteriors(n, latents):
    """Some close together, some far apart; wide and narrow."""
    log_std = torch.empty(n, latents, dtype=torch.float64).uniform_(-2.5, -0.3)
    return Gaussian(torch.randn(n, latents, dtype=torch.float64), log_std)


def split(posterior, n_samples=4, **options):
    return split_mean_kl(posterior, n_samples=n_samples, **{"progress": False} | options)


def parts_on_a_line(posterior):
    """I(x; z) and KL(q(z) ‖ p(z)) of posteriors with one latent, by integration."""
    mean, std = posterior.mean.numpy(), posterior.log_std.exp().numpy()
    z, cell = np.arange(-8, 8, 0.002), 0.002
    log_q = -((z - mean) ** 2) / (2 * std**2) - np.log(std) - np.log(2 * np.pi) / 2
    log_prior = -(z**2) / 2 - np.log(2 * np.pi) / 2
    aggregate = np.logaddexp.reduce(log_q) - np.log(len(mean))
    information = (np.exp(log_q) * (log_q - aggregate)).sum(1).mean() * cell
    return information, (np.exp(aggregate) * (aggregate - log_prior)).sum() * cell


def test_the_parts_are_the_integrals_over_a_line():
    posterior = posteriors(20, 1)
    information, aggregate = parts_on_a_line(posterior)
    result = split(posterior, 1000)
    error = result.mutual_information.standard_error
    assert 0 < error < 0.01 and error == result.aggregate_kl.standard_error
    assert result.mean_kl == pytest.approx(information + aggregate, abs=1e-8)
    assert result.mutual_information.mean == pytest.approx(information, abs=5 * error)
    assert result.aggregate_kl.mean == pytest.approx(aggregate, abs=5 * error)


@pytest.mark.parametrize("n_samples", [2, 4])
def test_the_standard_error_is_the_spread_of_repeated_estimates(n_samples):
    posterior = posteriors(40, 1)
    truth, _ = parts_on_a_line(posterior)
    estimates = [split(posterior, n_samples).mutual_information for _ in range(300)]
    scores = [(mean - truth) / error for mean, error in estimates]
    assert abs(np.mean(scores)) < 5 / math.sqrt(300)
    assert np.std(scores) == pytest.approx(1, abs=0.2)


def test_the_parts_agree_with_a_mixture_of_torch_distributions():
    posterior = posteriors(30, 3)
    each = Independent(Normal(posterior.mean, posterior.log_std.exp()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(30)), each)
    z = each.sample((1000,))
    gains = (each.log_prob(z) - mixture.log_prob(z)).mean(1)  # over the pictures
    result = split(posterior, 200)
    error = math.hypot(gains.std() / math.sqrt(1000), result.mutual_information.standard_error)
    assert error < 0.02
    assert result.mutual_information.mean == pytest.approx(gains.mean().item(), abs=5 * error)
    expected = torch.distributions.kl_divergence(
        each, Independent(Normal(torch.zeros(30, 3).double(), 1.0), 1)
    )
    assert result.mean_kl == pytest.approx(expected.mean().item())
    both = result.mutual_information.mean + result.aggregate_kl.mean
    assert both == pytest.approx(result.mean_kl, abs=1e-12)


@pytest.mark.parametrize("log_std", [0.7, -1.0, math.log(1e-3)])
def test_identical_posteriors_tell_nothing(log_std):
    posterior = Gaussian(torch.full((50, 2), 0.4), torch.full((50, 2), log_std))
    result = split(posterior)
    assert result.mutual_information == pytest.approx((0, 0), abs=1e-8)
    assert result.aggregate_kl.mean == pytest.approx(result.mean_kl, abs=1e-8)
    per_latent = (math.exp(2 * log_std) + 0.16 - 1) / 2 - log_std
    assert result.mean_kl == pytest.approx(2 * per_latent, rel=1e-6)


@pytest.mark.parametrize("std", [1.0, 1e-3])
@pytest.mark.parametrize(("kinds", "copies"), [(60, 1), (60, 5), (550, 2)])
def test_posteriors_far_apart_tell_which_kind_it_was(kinds, copies, std):
    mean = 30 * std * torch.arange(kinds).repeat(copies)[:, None].double()
    posterior = Gaussian(mean, torch.full_like(mean, math.log(std)))
    result = split(posterior, 2)
    assert result.mutual_information == pytest.approx((math.log(kinds), 0), abs=1e-5)


def test_aggregate_density_of_thousands_of_points_is_that_of_a_mixture():
    posterior, z = posteriors(50, 2), torch.randn(2300, 2, dtype=torch.float64)
    each = Independent(Normal(posterior.mean, posterior.log_std.exp()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(50)), each)
    torch.testing.assert_close(evaluation._log_aggregate(z, *posterior), mixture.log_prob(z))


def test_parts_of_single_precision_are_computed_in_double():
    posterior = Gaussian(*(part.float().requires_grad_() for part in posteriors(20, 2)))
    torch.manual_seed(1)
    single = split(posterior)
    torch.manual_seed(1)
    assert single == split(Gaussian(*(part.detach().double() for part in posterior)))


@pytest.mark.parametrize("n_samples", [0, 1])
def test_parts_need_two_draws(n_samples):
    with pytest.raises(ValueError, match=f"at least 2 draws, but n_samples is {n_samples}"):
        split_mean_kl(posteriors(5, 1), n_samples=n_samples)


# ---- Progress

# In a process of its own: tqdm reads TQDM_DISABLE when it is imported, and `make` sets it.
SCRIPT = """
import torch
from vae_course.evaluation import importance_weighted_bounds, split_mean_kl
from vae_course.models import VAE
images = torch.rand(4, 1, 2, 2)
model = VAE((1, 2, 2), 1, hidden=())
importance_weighted_bounds(model, images, 3, progress={progress})
split_mean_kl(model.encode(images), progress={progress})
"""


def shown(progress, **environment):
    """What the two long runs write, without the setting of `make`."""
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(progress=progress)],
        env=env | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


@pytest.mark.slow
def test_a_bar_is_shown_and_removed():
    text = shown(True)
    assert "0/1 " in text and "0/4 " in text  # one batch of pictures, four draws
    assert text.rstrip("\n").split("\n")[-1].strip() == ""


@pytest.mark.slow
def test_a_bar_can_be_turned_off_by_argument_and_from_outside():
    assert shown(False) == shown(True, TQDM_DISABLE="1") == ""
