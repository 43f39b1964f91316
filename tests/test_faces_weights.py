"""The tool that says which pixels of drawn faces should count more in a training's loss."""

import faces_weights
import pytest
import torch


def test_only_what_is_asked_for_counts_more():
    assert torch.equal(faces_weights.weights(0, 0, 0), torch.ones(64, 64))
    mouth = faces_weights.weights(16, 0, 0)
    assert mouth.min() == 1 and mouth.max() == pytest.approx(17)
    assert (mouth[52:] == 1).all() and mouth[:34].max() < 10  # the chin; lids move a little, too
    brows = faces_weights.weights(0, 0, 5)
    assert brows.max() == pytest.approx(6) and (brows[32:] == 1).all()
    both = faces_weights.weights(16, 0, 5)
    assert torch.allclose(both, mouth + brows - 1)


def test_eyes_are_two_and_lie_between_brows_and_mouth():
    mouth, eyes, brows = (
        (faces_weights.weights(*(float(i == k) for i in range(3))) - 1) for k in range(3)
    )
    rows = torch.arange(64.0)
    heights = [(part.sum(1) * rows).sum() / part.sum() for part in (brows, eyes, mouth)]
    assert heights[0] + 2 < heights[1] < heights[2] - 5
    left, middle, right = eyes[:, 20:30], eyes[:, 30:34], eyes[:, 34:44]
    assert min(left.max(), right.max()) > 1.5 * middle.max()
