import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from vae_course.exact.collapse import (
    best_loss,
    cross_entropy,
    implied_std,
    pixel_gain,
    random_pixels,
    slack_of_each_line,
    squared_error,
)

BOTH = pytest.mark.parametrize("loss", [squared_error, cross_entropy])


def doubles(*shape):
    return torch.rand(shape, dtype=torch.float64)


def test_the_losses_are_those_of_torch():
    x, painted = doubles(3, 4), doubles(3, 4)
    expected = -Bernoulli(painted).log_prob(x.round())
    torch.testing.assert_close(cross_entropy(x.round(), painted), expected)
    mse = torch.nn.functional.mse_loss(x, painted, reduction="none")
    torch.testing.assert_close(squared_error(x, painted), mse)
    grey = torch.nn.functional.binary_cross_entropy(painted, x, reduction="none")
    torch.testing.assert_close(cross_entropy(x, painted), grey)


def test_cross_entropy_of_a_certain_pixel_is_zero():
    certain = torch.tensor([0.0, 1.0])
    assert cross_entropy(certain, certain).tolist() == [0, 0]


@pytest.mark.parametrize(("weight", "pixels"), [(1, 784), (6000, 3072), (0.5, 1)])
def test_the_implied_std_makes_weight_and_likelihood_agree(weight, pixels):
    x, decoded = doubles(5, pixels), doubles(5, pixels)
    likelihood = Normal(decoded, implied_std(weight, pixels)).log_prob(x).sum(1)
    total = likelihood + weight * (x - decoded).square().mean(1)
    assert (total - total[0]).abs().max().item() < 1e-8  # a constant


def test_no_encoder_is_better_than_the_best():
    errors = 3 * doubles(4, 6)
    logits = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)

    def losses():
        q = logits.softmax(1)
        return (q * errors + q * (6 * q).log()).sum(1)  # E_q[error] + KL(q ‖ even)

    def closure():
        search.zero_grad()
        total = losses().sum()
        total.backward()
        return total

    search.step(closure)
    torch.testing.assert_close(best_loss(errors), losses().detach(), atol=1e-8, rtol=0)


# ---- The proof


@BOTH
def test_every_line_holds_for_random_pictures_and_decoders(loss):
    for n, codes, pixels in ((2, 2, 1), (5, 3, 4), (20, 30, 10)):
        x, painted = doubles(n, pixels), doubles(codes, pixels).clamp(0.01, 0.99)
        log_q = torch.randn(n, codes, dtype=torch.float64).log_softmax(1)
        slack = slack_of_each_line(loss, x, painted, log_q)
        assert len(slack) == 5 and min(slack) >= -1e-12


@BOTH
def test_painting_the_mean_picture_leaves_no_slack(loss):
    x = doubles(6, 5)
    even = torch.full((6, 3), -math.log(3), dtype=torch.float64)
    slack = slack_of_each_line(loss, x, x.mean(0).expand(3, -1), even)
    np.testing.assert_allclose(slack, 0, atol=1e-12)


def test_slack_against_a_calculation_by_hand():
    # One pixel, two pictures, 0 and 1. Two codes paint 0 and 1; the encoder always says "first".
    x = painted = torch.tensor([[0.0], [1.0]]).double()
    log_q = torch.tensor([[1.0, 1e-300], [1.0, 1e-300]], dtype=torch.float64).log()
    slack = slack_of_each_line(squared_error, x, painted, log_q)
    best = -math.log((1 + math.exp(-1)) / 2)  # of either picture: errors 0 and 1
    right, wrong = math.exp(0.25), math.exp(0.25 - 1)
    expected = [math.log(2) - best, 0.0, 0.0, 1 - (right + wrong) / 2, best - 0.25]
    np.testing.assert_allclose(slack, expected, atol=1e-12)


def test_without_the_mean_over_pixels_a_line_fails():
    def summed(x, painted):  # as if each of the 40 pixels counted in full
        return 40 * squared_error(x, painted)

    x = doubles(3, 40).round()
    log_q = torch.full((3, 3), -math.log(3)).double()
    slack = slack_of_each_line(summed, x, x, log_q)
    assert slack[3] < 0 and slack[4] < -1


# ---- One pixel


def test_random_pixels_are_distributions():
    values, chances = random_pixels(100)
    torch.testing.assert_close(chances.sum(1), torch.ones(100).double())
    assert values.shape == chances.shape == (100, 4)
    assert set(values[:50].flatten().tolist()) == {0, 1}
    assert values.min() >= 0 and values.max() <= 1 and len(values[50:].unique()) == 200
    assert chances.min() >= 0 and chances.max() > 0.9


@pytest.mark.parametrize("weight", [0.5, 1.0, 4.0])
def test_an_even_black_and_white_pixel_is_a_hyperbolic_cosine(weight):
    painted = torch.linspace(-1, 2, 31).double()
    values, chances = torch.tensor([[0.0, 1.0]]).double(), torch.full((1, 2), 0.5).double()
    delta = painted.numpy() - 0.5
    expected = np.log(np.cosh(weight * delta)) - weight * delta**2
    found = pixel_gain(squared_error, values, chances, painted, weight)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_the_gain_of_cross_entropy_is_an_average():
    values, chances = torch.tensor([[0.2, 0.9]]).double(), torch.tensor([[0.3, 0.7]]).double()
    mean, f = 0.3 * 0.2 + 0.7 * 0.9, 0.4
    r = [(f / mean) ** x * ((1 - f) / (1 - mean)) ** (1 - x) for x in (0.2, 0.9)]
    found = pixel_gain(cross_entropy, values, chances, torch.tensor([f]).double()).item()
    assert found == pytest.approx(math.log(0.3 * r[0] + 0.7 * r[1]))
