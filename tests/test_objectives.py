import math
import re

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal, kl_divergence

from vae_course.objectives import (
    Bernoulli,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    importance_weighted_bound,
    kl_standard_normal,
    sample_posterior,
)

SHAPES = [(1, 1), (5, 3), (1, 1, 4, 4), (5, 3, 4, 2)]


def doubles(*shape):
    return torch.randn(shape, dtype=torch.float64)


def per_example(values):
    """Sum over all but the batch, one example at a time."""
    return torch.stack([example.sum() for example in values])


# ---- Gaussian log-likelihood


@pytest.mark.parametrize("shape", SHAPES)
def test_gaussian_agrees_with_torch_distributions(shape):
    x, mean, log_std = doubles(*shape), doubles(*shape), doubles(*shape)
    expected = per_example(Normal(mean, log_std.exp()).log_prob(x))
    result = gaussian_log_likelihood(x, mean, log_std)
    assert result.shape == shape[:1]
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("log_std", [-1.2, 0, torch.tensor(-1.2)])
def test_gaussian_accepts_one_log_std_for_all(log_std):
    x, mean = torch.randn(5, 3, 4, 2), torch.randn(5, 3, 4, 2)
    expected = per_example(Normal(mean, math.exp(log_std)).log_prob(x))
    torch.testing.assert_close(gaussian_log_likelihood(x, mean, log_std), expected)


@pytest.mark.parametrize(
    "shape",
    [(3, 4, 2), (1, 3, 1, 1), (5, 1, 1, 1), (5, 3, 4, 2)],
    ids=["per pixel", "per channel", "per image", "full"],
)
def test_gaussian_broadcasts_log_std(shape):
    x, mean, log_std = torch.randn(5, 3, 4, 2), torch.randn(5, 3, 4, 2), torch.randn(shape)
    expected = per_example(Normal(mean, log_std.exp().expand(5, 3, 4, 2)).log_prob(x))
    torch.testing.assert_close(gaussian_log_likelihood(x, mean, log_std), expected)


def test_gaussian_integrates_to_one_over_a_line():
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None]
    density = gaussian_log_likelihood(x, torch.full_like(x, 0.7), math.log(1.6)).exp()
    assert density.sum().item() * 0.01 == pytest.approx(1, abs=1e-9)


def test_gaussian_integrates_to_one_over_a_plane():
    line = torch.linspace(-8, 8, 321, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    mean = torch.tensor([0.5, -1.0], dtype=torch.float64).expand_as(x)
    log_std = torch.tensor([0.4, 1.1], dtype=torch.float64).log()
    density = gaussian_log_likelihood(x, mean, log_std).exp()
    assert density.sum().item() * 0.05**2 == pytest.approx(1, abs=1e-9)


def test_gaussian_of_one_pixel_two_standard_deviations_off():
    x, mean = torch.tensor([[5.0]]), torch.tensor([[-1.0]])
    # -(6 / 3)²/2 - log 3 - log(2π)/2
    result = gaussian_log_likelihood(x, mean, math.log(3)).item()
    assert result == pytest.approx(-4.017551, abs=2e-6)


@pytest.mark.parametrize("log_std_shape", [(), (3, 1, 1), (2, 3, 2, 2)])
def test_gaussian_gradients(log_std_shape):
    x, mean = doubles(2, 3, 2, 2).requires_grad_(), doubles(2, 3, 2, 2).requires_grad_()
    log_std = doubles(*log_std_shape).requires_grad_()
    assert gradcheck(gaussian_log_likelihood, (x, mean, log_std))


# ---- Bernoulli log-likelihood


@pytest.mark.parametrize("shape", SHAPES)
def test_bernoulli_agrees_with_torch_distributions_on_black_and_white(shape):
    x, logits = (doubles(*shape) > 0).double(), 3 * doubles(*shape)
    expected = per_example(TorchBernoulli(logits=logits).log_prob(x))
    result = bernoulli_log_likelihood(x, logits)
    assert result.shape == shape[:1]
    torch.testing.assert_close(result, expected)


def test_bernoulli_on_grey_pixels_is_minus_the_cross_entropy():
    x, p = torch.rand(5, 6, dtype=torch.float64), torch.rand(5, 6, dtype=torch.float64)
    expected = per_example(x * p.log() + (1 - x) * (1 - p).log())
    torch.testing.assert_close(bernoulli_log_likelihood(x, p.logit()), expected)


def test_bernoulli_sums_to_one_over_all_pictures():
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).double()
    logits = doubles(4).expand(16, 4)
    total = bernoulli_log_likelihood(pictures, logits).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-12)


def test_bernoulli_with_logits_zero_costs_log_2_per_pixel():
    result = bernoulli_log_likelihood(torch.rand(3, 1, 28, 28), torch.zeros(3, 1, 28, 28))
    torch.testing.assert_close(result, torch.full((3,), -784 * math.log(2)))


def test_bernoulli_stays_finite_for_huge_logits():
    x, logits = torch.tensor([[1.0], [0.0]]), torch.tensor([[-1000.0], [-1000.0]])
    assert bernoulli_log_likelihood(x, logits).tolist() == [-1000, 0]


def test_bernoulli_gradients():
    x = torch.rand(2, 3, 2, dtype=torch.float64).mul(0.8).add(0.1)
    assert gradcheck(bernoulli_log_likelihood, (x, doubles(2, 3, 2).requires_grad_()))


def test_mean_of_a_bernoulli_is_its_probability():
    logits = doubles(4, 3)
    torch.testing.assert_close(Bernoulli(logits).mean, TorchBernoulli(logits=logits).probs)


# ---- KL


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (5, 7)])
def test_kl_agrees_with_torch_distributions(shape):
    mean, log_std = doubles(*shape), doubles(*shape)
    result = kl_standard_normal(mean, log_std)
    assert result.shape == shape[:1]
    torch.testing.assert_close(
        result, per_example(kl_divergence(Normal(mean, log_std.exp()), Normal(0, 1)))
    )


@pytest.mark.parametrize(
    ("mean", "log_std", "expected"),
    [(0, 0, 0), (0, 1, 2.194528), (0, -1, 0.567668), (3, 0, 4.5), (-3, 0, 4.5)],
)
def test_kl_has_the_value_worked_out_on_paper(mean, log_std, expected):
    result = kl_standard_normal(torch.full((1, 1), float(mean)), torch.full((1, 1), float(log_std)))
    assert result.item() == pytest.approx(expected, abs=1e-6)


def test_kl_is_zero_only_at_the_prior():
    assert kl_standard_normal(torch.zeros(3, 8), torch.zeros(3, 8)).tolist() == [0, 0, 0]
    assert (kl_standard_normal(0.01 + doubles(10_000, 1), doubles(10_000, 1)) > 0).all()


def test_kl_is_symmetric_in_the_mean():
    mean, log_std = torch.randn(100, 4), torch.randn(100, 4)
    assert torch.equal(kl_standard_normal(mean, log_std), kl_standard_normal(-mean, log_std))


def test_kl_is_the_sum_over_its_latents():
    mean, log_std = doubles(6, 4), doubles(6, 4)
    parts = [kl_standard_normal(mean[:, [j]], log_std[:, [j]]) for j in range(4)]
    torch.testing.assert_close(kl_standard_normal(mean, log_std), sum(parts))


@pytest.mark.parametrize("log_std", [-0.5, torch.tensor(-0.5), torch.full((4,), -0.5)])
def test_kl_broadcasts_log_std(log_std):
    mean = torch.randn(6, 4)
    expected = kl_divergence(Normal(mean, math.exp(-0.5)), Normal(0, 1)).sum(1)
    torch.testing.assert_close(kl_standard_normal(mean, log_std), expected)


def test_kl_agrees_with_a_monte_carlo_estimate():
    mean = torch.tensor([0.8, -1.5], dtype=torch.float64)
    std = torch.tensor([0.3, 1.4], dtype=torch.float64)
    z = mean + std * doubles(200_000, 2)
    log_ratio = (Normal(mean, std).log_prob(z) - Normal(0, 1).log_prob(z)).sum(1)
    standard_error = log_ratio.std().item() / math.sqrt(len(z))
    result = kl_standard_normal(mean[None], std.log()[None]).item()
    assert abs(result - log_ratio.mean().item()) < 5 * standard_error < 0.05


def test_kl_gradients():
    assert gradcheck(
        kl_standard_normal, (doubles(3, 4).requires_grad_(), doubles(3, 4).requires_grad_())
    )


# ---- Samples of the posterior

DRAWS = 200_000


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (3.0, 0.2), (-1.0, 5.0)])
def test_samples_have_the_mean_and_std_asked_for(mean, std):
    z = sample_posterior(torch.full((DRAWS, 1), mean), math.log(std))
    assert z.shape == (DRAWS, 1)
    assert abs(z.mean().item() - mean) < 5 * std / math.sqrt(DRAWS)
    assert abs(z.std().item() - std) < 5 * std / math.sqrt(2 * DRAWS)


def test_samples_are_normal():
    z = sample_posterior(torch.zeros(DRAWS, 1), 0.0)
    for quantile in (-2.0, -1.0, 0.0, 0.5, 1.5):
        p = Normal(0.0, 1.0).cdf(torch.tensor(quantile)).item()
        share = (z < quantile).double().mean().item()
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / DRAWS)


def test_samples_are_drawn_apart_for_each_example_and_latent():
    z = sample_posterior(torch.zeros(DRAWS // 4, 4), torch.zeros(DRAWS // 4, 4))
    off_diagonal = torch.corrcoef(z.T) - torch.eye(4)
    assert off_diagonal.abs().max() < 5 / math.sqrt(DRAWS / 4)
    assert z.unique().numel() > 0.9 * z.numel()


def test_each_latent_gets_its_own_mean_and_std():
    mean, log_std = torch.tensor([1.0, -2.0]), torch.tensor([-1.0, 1.0])
    z = sample_posterior(mean.expand(DRAWS, 2), log_std)
    error = 5 * log_std.exp() / math.sqrt(DRAWS)
    assert ((z.mean(0) - mean).abs() < error).all()
    assert ((z.std(0) - log_std.exp()).abs() < error).all()


def test_gradients_through_samples_have_the_right_expectation():
    mean = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    log_std = torch.tensor(-0.7, dtype=torch.float64, requires_grad=True)
    z = sample_posterior(mean.expand(DRAWS, 1), log_std)
    by_mean, by_log_std = torch.autograd.grad(z.square().mean(), (mean, log_std))
    # E z² = mean² + std²; per draw the gradients are 2 z and 2 z (z - mean).
    std = math.exp(-0.7)
    assert abs(by_mean.item() - 2 * 1.5) < 5 * 2 * std / math.sqrt(DRAWS)
    spread = 2 * std * math.sqrt(1.5**2 + 2 * std**2)
    assert abs(by_log_std.item() - 2 * std**2) < 5 * spread / math.sqrt(DRAWS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_keep_dtype_and_leave_their_arguments_alone(dtype):
    mean, log_std = torch.randn(4, 3, dtype=dtype), torch.randn(4, 3, dtype=dtype)
    before = mean.clone(), log_std.clone()
    assert sample_posterior(mean, log_std).dtype == dtype
    assert sample_posterior(mean, -1.0).dtype == dtype
    assert torch.equal(mean, before[0]) and torch.equal(log_std, before[1])


# ---- Importance-weighted bound


def test_bound_with_one_sample_is_that_sample():
    log_weights = torch.randn(1, 6)
    torch.testing.assert_close(importance_weighted_bound(log_weights), log_weights[0])


def test_bound_of_equal_weights_is_that_weight():
    log_weights = torch.tensor([-3.0, 0.0, 250.0]).expand(7, 3)
    torch.testing.assert_close(importance_weighted_bound(log_weights), log_weights[0])


@pytest.mark.parametrize("shift", [0, 1000, -1000])
def test_bound_neither_overflows_nor_underflows(shift):
    # (1 + 2 + 9) / 3 = 4 and (5 + 1 + 0) / 3 = 2
    weights = torch.tensor([[1, 5], [2, 1], [9, 0]], dtype=torch.float64)
    expected = torch.tensor([math.log(4), math.log(2)], dtype=torch.float64) + shift
    torch.testing.assert_close(importance_weighted_bound(weights.log() + shift), expected)


def test_bound_when_one_weight_outweighs_all():
    log_weights = torch.tensor([[-1000.0], [1000.0], [0.0], [-math.inf]])
    expected = torch.tensor([1000 - math.log(4)])
    torch.testing.assert_close(importance_weighted_bound(log_weights), expected)


def test_bound_gradients():
    assert gradcheck(importance_weighted_bound, (doubles(4, 3).requires_grad_(),))


# The toy: p(z) = N(0, 1), p(x|z) = N(z, 1), x = 1, and the prior as q, so w = p(x|z).
LOG_P = -1.515512  # log N(1; 0, 2)


def toy_log_weights(z):
    return Normal(z, 1.0).log_prob(torch.tensor(1.0, dtype=z.dtype))


@pytest.mark.parametrize(("k", "expected"), [(1, -1.918939), (2, -1.653474)])
def test_bound_of_the_toy_by_numerical_integration(k, expected):
    line = torch.linspace(-9, 9, 181, dtype=torch.float64)
    z = torch.cartesian_prod(*[line] * k).reshape(-1, k).T  # every k-tuple: (k, 181^k)
    probability = (Normal(0.0, 1.0).log_prob(z).sum(0)).exp() * 0.1**k
    bound = (probability * importance_weighted_bound(toy_log_weights(z))).sum().item()
    assert bound == pytest.approx(expected, abs=1e-6)


def test_bound_of_the_toy_rises_to_log_p():
    estimates, errors = {}, {}
    for k in (1, 2, 8, 1000):
        bounds = importance_weighted_bound(toy_log_weights(doubles(k, 500_000 // k)))
        estimates[k] = bounds.mean().item()
        errors[k] = bounds.std().item() / math.sqrt(len(bounds))
    assert abs(estimates[1] - -1.918939) < 5 * errors[1] < 0.01
    assert abs(estimates[2] - -1.653474) < 5 * errors[2] < 0.01
    assert list(estimates.values()) == sorted(estimates.values())
    # What is missing at K = 1000 is about Var(w) / (2 K E[w]²) = 0.0002.
    assert abs(estimates[1000] - LOG_P) < 5 * errors[1000] + 5e-4 < 0.006


# ---- What holds for all of them

PAIRS = {
    "gaussian": lambda a, b: gaussian_log_likelihood(a, b, 0.5 * b),
    "bernoulli": lambda a, b: bernoulli_log_likelihood(a.sigmoid(), b),
    "kl": kl_standard_normal,
}


@pytest.mark.parametrize("objective", PAIRS.values(), ids=PAIRS)
def test_examples_do_not_affect_one_another(objective):
    a, b = doubles(6, 5), doubles(6, 5)
    alone = torch.cat([objective(a[[i]], b[[i]]) for i in range(6)])
    torch.testing.assert_close(objective(a, b), alone)


def test_bounds_of_different_examples_do_not_affect_one_another():
    log_weights = doubles(4, 6)
    alone = torch.cat([importance_weighted_bound(log_weights[:, [i]]) for i in range(6)])
    torch.testing.assert_close(importance_weighted_bound(log_weights), alone)


@pytest.mark.parametrize("objective", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept_and_arguments_are_left_alone(objective, dtype):
    a, b = torch.randn(2, 4, 3, dtype=dtype)
    before = a.clone(), b.clone()
    assert objective(a, b).dtype == dtype
    assert torch.equal(a, before[0]) and torch.equal(b, before[1])


@pytest.mark.parametrize("objective", PAIRS.values(), ids=PAIRS)
def test_gradients_of_one_example_stay_with_it(objective):
    a, b = doubles(3, 4), doubles(3, 4).requires_grad_()
    (slope,) = torch.autograd.grad(objective(a, b)[1], b)
    assert (slope[1] != 0).all() and (slope[[0, 2]] == 0).all()


# ---- Errors

ones = torch.ones
WRONG_SHAPES = {
    "gaussian, another mean": (
        lambda: gaussian_log_likelihood(ones(4, 3), ones(4, 2), 0.0),
        ["x", "mean", "(4, 3)", "(4, 2)"],
    ),
    "gaussian, a mean that would broadcast": (
        lambda: gaussian_log_likelihood(ones(4, 3), ones(1, 3), 0.0),
        ["(4, 3)", "(1, 3)"],
    ),
    "gaussian, one picture without batch": (
        lambda: gaussian_log_likelihood(ones(3), ones(3), 0.0),
        ["x", "(3,)"],
    ),
    "gaussian, one log_std per image": (
        lambda: gaussian_log_likelihood(ones(4, 1, 2, 3), ones(4, 1, 2, 3), ones(4)),
        ["log_std", "(4, 1, 2, 3)", "(4,)", "(batch, 1, ..., 1)"],
    ),
    "gaussian, log_std larger than x": (
        lambda: gaussian_log_likelihood(ones(4, 3), ones(4, 3), ones(2, 4, 3)),
        ["log_std", "(4, 3)", "(2, 4, 3)"],
    ),
    "bernoulli, other logits": (
        lambda: bernoulli_log_likelihood(ones(4, 3), ones(4, 2)),
        ["x", "logits", "(4, 3)", "(4, 2)"],
    ),
    "bernoulli, one picture without batch": (
        lambda: bernoulli_log_likelihood(ones(3), ones(3)),
        ["x", "(3,)"],
    ),
    "kl, another log_std": (
        lambda: kl_standard_normal(ones(4, 3), ones(4, 2)),
        ["log_std", "mean", "(4, 3)", "(4, 2)"],
    ),
    "kl, a mean smaller than log_std": (
        lambda: kl_standard_normal(ones(1, 3), ones(4, 3)),
        ["log_std", "mean", "(1, 3)", "(4, 3)"],
    ),
    "kl, one mean without batch": (lambda: kl_standard_normal(ones(3), ones(3)), ["mean", "(3,)"]),
    "sample, another log_std": (
        lambda: sample_posterior(ones(4, 3), ones(3, 4)),
        ["log_std", "mean", "(4, 3)", "(3, 4)"],
    ),
    "sample, one mean without batch": (
        lambda: sample_posterior(ones(3), ones(3)),
        ["mean", "(3,)"],
    ),
    "bound, one dimension": (lambda: importance_weighted_bound(ones(5)), ["log_weights", "(5,)"]),
    "bound, three dimensions": (lambda: importance_weighted_bound(ones(2, 3, 4)), ["(2, 3, 4)"]),
    "bound, no samples": (lambda: importance_weighted_bound(ones(0, 4)), ["(0, 4)", "K ≥ 1"]),
}


@pytest.mark.parametrize(("call", "named"), WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_wrong_shapes_are_refused_by_name(call, named):
    with pytest.raises(ValueError) as error:
        call()
    assert all(word in str(error.value) for word in named), error.value


whole, bytes_ = torch.ones(4, 3, dtype=torch.int64), torch.ones(4, 3, dtype=torch.uint8)
WRONG_TYPES = {
    "gaussian x": (lambda: gaussian_log_likelihood(bytes_, ones(4, 3), 0.0), "x.*torch.uint8"),
    "gaussian mean": (lambda: gaussian_log_likelihood(ones(4, 3), whole, 0.0), "mean.*torch.int64"),
    "gaussian log_std": (
        lambda: gaussian_log_likelihood(ones(4, 3), ones(4, 3), whole),
        "log_std.*torch.int64",
    ),
    "gaussian log_std None": (
        lambda: gaussian_log_likelihood(ones(4, 3), ones(4, 3), None),
        "log_std.*NoneType",
    ),
    "gaussian x a list": (lambda: gaussian_log_likelihood([[1.0]], ones(1, 1), 0.0), "x.*list"),
    "bernoulli x": (lambda: bernoulli_log_likelihood(bytes_, ones(4, 3)), "x.*torch.uint8"),
    "bernoulli logits": (
        lambda: bernoulli_log_likelihood(ones(4, 3), whole),
        "logits.*torch.int64",
    ),
    "kl mean": (lambda: kl_standard_normal(whole, ones(4, 3)), "mean.*torch.int64"),
    "kl log_std": (lambda: kl_standard_normal(ones(4, 3), whole), "log_std.*torch.int64"),
    "sample mean": (lambda: sample_posterior(whole, ones(4, 3)), "mean.*torch.int64"),
    "sample log_std": (lambda: sample_posterior(ones(4, 3), whole), "log_std.*torch.int64"),
    "bound": (lambda: importance_weighted_bound(whole), "log_weights.*torch.int64"),
}


@pytest.mark.parametrize(("call", "named"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_values_that_are_not_floats_are_refused_by_name(call, named):
    with pytest.raises(TypeError, match=named):
        call()


@pytest.mark.parametrize(("low", "high"), [(-0.5, 1), (0, 255), (-1, 1), (math.nan, 1)])
def test_bernoulli_refuses_pixels_outside_zero_to_one(low, high):
    x = torch.tensor([[0.5, low, high]])
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\]") as error:
        bernoulli_log_likelihood(x, torch.zeros(1, 3))
    found = re.search(r"from (\S+) to ([^;]+);", str(error.value)).groups()
    assert math.isnan(low) or [float(number) for number in found] == [low, high]


def test_bernoulli_accepts_zero_and_one_exactly():
    result = bernoulli_log_likelihood(torch.tensor([[0.0, 1.0]]), torch.tensor([[-50.0, 50.0]]))
    assert result.item() == pytest.approx(0, abs=1e-20)
