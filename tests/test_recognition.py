import numpy as np
import pytest
import torch

from vae_course.evaluation.recognition import DigitScore, digit_score, nearest_label_vote
from vae_course.latents import matched_gaussian


def row_pictures(rows):
    return torch.as_tensor(rows, dtype=torch.float32)[:, None, None, :]


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


@pytest.mark.parametrize(
    ("counts", "clear"),
    [
        ([10], 0.1),  # one kind again and again
        ([3] * 10, 1),
        ([5, 15], 0.2),
        ([1, 1, 1, 1, 1, 15], 0.35),  # 5/20 are below their tenth, 15/20 count as a tenth
    ],
)
def test_a_label_is_clear_up_to_its_share_of_the_real_pictures(counts, clear):
    which = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    score = digit_score(row_pictures(torch.eye(10)[which]), REAL, LABELS)
    assert score.clear == pytest.approx(clear) and score.unanimous == 1


def test_a_label_that_is_frequent_may_be_drawn_frequently():
    keep = torch.cat([torch.arange(12), torch.arange(12, 48)])  # 12 zeros, 36 others
    score = digit_score(row_pictures(KINDS[:40]), REAL[keep], LABELS[keep])
    assert score.clear == pytest.approx(3 * 0.25 + 4 / 40)


def test_a_blend_is_clear_of_nothing():
    blend = row_pictures(0.5 * (KINDS[:1] + KINDS[-1:]))
    assert digit_score(blend, REAL, LABELS).clear == 0


def test_a_score_is_printed_in_words():
    words = "clear 0.50 (unanimous 0.88, kinds of digits 10.0)"
    assert str(DigitScore(0.875, 9.96, 0.5)) == words


# ---- Random codes like those of an autoencoder


def test_matched_noise_has_the_mean_and_covariance_of_the_codes():
    codes = torch.randn(500, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + 2
    origin = matched_gaussian(codes, torch.zeros(1, 3, dtype=torch.float64))
    assert np.allclose(origin, codes.numpy().mean(0))
    spread = matched_gaussian(codes, torch.eye(3, dtype=torch.float64)) - origin
    assert np.allclose(spread.T @ spread, np.cov(codes.numpy(), rowvar=False))
    assert matched_gaussian(codes, torch.randn(7, 3, dtype=torch.float64)).shape == (7, 3)
