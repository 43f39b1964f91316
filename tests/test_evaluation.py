import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from vae_course.evaluation import (
    DigitScore,
    active_units,
    digit_score,
    encode_all,
    estimate_elbo,
    kl_per_latent,
    matched_gaussian,
    nearest_label_vote,
)
from vae_course.models import VAE


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


@pytest.mark.parametrize("n", [0, 1])
def test_one_picture_has_no_standard_error(n):
    with pytest.raises(ValueError, match=f"at least 2 pictures, but got {n}"):
        estimate_elbo(linear_vae([[1.0]], 0.0), ALTERNATING[:n])


# ---- Votes of the neighbours


@pytest.mark.parametrize("neighbours", [1, 4, 10])
def test_votes_agree_with_a_loop_over_all_pairs(neighbours):
    pictures, real = torch.rand(30, 3, 2, 2), torch.rand(200, 3, 2, 2)
    labels = torch.randint(0, 4, (200,))
    label, share = nearest_label_vote(pictures, real, labels, neighbours)
    assert label.dtype == torch.int64 and label.shape == share.shape == (30,)
    for i in range(30):
        distances = [float(((pictures[i] - other) ** 2).sum()) for other in real]
        votes = np.bincount([int(labels[j]) for j in np.argsort(distances)[:neighbours]])
        assert share[i].item() == pytest.approx(votes.max() / neighbours)
        assert votes[label[i]] == votes.max()


def test_ten_neighbours_vote_unless_told():
    real = row_pictures([[float(i)] for i in range(20)])
    labels = torch.tensor([1] * 6 + [3] * 14)
    label, share = nearest_label_vote(row_pictures([[-1.0]]), real, labels)
    assert (label.item(), share.item()) == (1, pytest.approx(0.6))


def test_votes_need_enough_real_pictures():
    real, labels = torch.rand(9, 1, 2, 2), torch.zeros(9, dtype=torch.int64)
    with pytest.raises(ValueError, match="at least 10 real pictures, but got 9"):
        nearest_label_vote(torch.rand(3, 1, 2, 2), real, labels)
    with pytest.raises(ValueError, match="at least 10 real pictures, but got 9"):
        digit_score(torch.rand(3, 1, 2, 2), real, labels)


# ---- Are they digits?

# Ten kinds of picture: kind k has pixel k white. Twelve copies of each, slightly apart.
KINDS = torch.eye(10).repeat_interleave(12, 0)
REAL = row_pictures(KINDS + 0.01 * torch.rand(120, 10, generator=torch.Generator().manual_seed(0)))
LABELS = torch.arange(10).repeat_interleave(12)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([30], 1),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 5], 1),
        ([7] * 10, 10),
        ([4, 0, 4], 2),
        ([5, 15], 1.754765),  # exp(-(¼ log ¼ + ¾ log ¾))
    ],
)
def test_kinds_is_the_effective_number_of_labels(counts, expected):
    which = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    score = digit_score(row_pictures(torch.eye(10)[which]), REAL, LABELS)
    assert score.kinds == pytest.approx(expected, rel=1e-5)
    assert score.unanimous == 1


def test_unanimous_is_the_share_of_pictures_on_which_all_agree():
    blend = 0.5 * (KINDS[0] + KINDS[-1])  # as far from twelve zeros as from twelve nines
    pictures = row_pictures(torch.stack([KINDS[0], blend, KINDS[50], blend]))
    vote = nearest_label_vote(pictures, REAL, LABELS)
    assert (vote.share == 1).tolist() == [True, False, True, False]
    assert digit_score(pictures, REAL, LABELS).unanimous == 0.5


@pytest.mark.parametrize("picture", [[5.0, 1, 1], [0.0, -5, 1]], ids=["too bright", "too dark"])
def test_digits_are_judged_as_they_are_shown(picture):
    # As they are, both are nearest to (1, 0, 0). Clipped, both are nearest to (0, 1, 1).
    real = row_pictures([[1.0, 0, 0]] * 10 + [[0.0, 1, 1]] * 10)
    labels = torch.tensor([0] * 10 + [1] * 10)
    pictures = row_pictures([picture, [0.0, 1, 1]])
    assert nearest_label_vote(pictures, real, labels).label.tolist() == [0, 1]
    assert digit_score(pictures, real, labels).kinds == pytest.approx(1)


def test_a_score_is_printed_in_words():
    assert str(DigitScore(0.875, 9.96)) == "unanimous 0.88, kinds of digits 10.0"


# ---- Random codes like those of an autoencoder


def test_matched_noise_has_the_mean_and_covariance_of_the_codes():
    codes = torch.randn(500, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + 2
    origin = matched_gaussian(codes, torch.zeros(1, 3, dtype=torch.float64))
    assert np.allclose(origin, codes.numpy().mean(0))
    spread = matched_gaussian(codes, torch.eye(3, dtype=torch.float64)) - origin
    assert np.allclose(spread.T @ spread, np.cov(codes.numpy(), rowvar=False))
    assert matched_gaussian(codes, torch.randn(7, 3, dtype=torch.float64)).shape == (7, 3)


@pytest.mark.parametrize("training", [True, False])
def test_estimates_are_made_in_eval_mode_and_leave_the_model_as_it_was(training):
    model = VAE((1, 2, 2), 1, hidden=(), std="optimal").train(training)
    stored = model.log_std.clone()
    modes = []
    model.encoder.register_forward_hook(lambda *_: modes.append(model.training))
    estimate_elbo(model, torch.rand(10, 1, 2, 2))
    assert modes == [False] and model.training is training
    assert torch.equal(model.log_std, stored)
