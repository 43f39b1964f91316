import math

import pytest
import torch

from vae_course.latents import great_circle, straight_line


def rotation(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


@pytest.mark.parametrize("degrees", [1, 30, 90, 150, 179])
def test_great_circle_is_a_rotation_at_even_speed(degrees):
    start = torch.tensor([0.6, -0.8], dtype=torch.float64)
    end = rotation(math.radians(degrees)) @ start
    walk = great_circle(start, end, 5)
    for step, point in enumerate(walk):
        turned = rotation(math.radians(degrees) * step / 4) @ start
        assert torch.allclose(point, turned, atol=1e-9)


def test_great_circle_keeps_the_length_and_meets_both_ends_of_every_pair():
    start, end = torch.nn.functional.normalize(torch.randn(2, 50, 64), dim=-1)
    walk = great_circle(start, end, 7)
    assert walk.shape == (7, 50, 64)
    assert torch.allclose(walk.norm(dim=-1), torch.ones(7, 50), atol=1e-5)
    assert torch.allclose(walk[0], start, atol=1e-5) and torch.allclose(walk[-1], end, atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 4, 4)])
def test_straight_line_is_lerp(shape):
    start, end = torch.randn(2, *shape)
    walk = straight_line(start, end, 5)
    assert walk.shape == (5, *shape)
    for t, point in zip((0, 0.25, 0.5, 0.75, 1), walk, strict=True):
        assert torch.allclose(point, torch.lerp(start, end, t), atol=1e-6)


@pytest.mark.parametrize("walk", [straight_line, great_circle])
def test_bad_walks_are_refused(walk):
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        walk(torch.randn(3), torch.randn(4), 5)
    with pytest.raises(ValueError, match="at least 2 steps.*got 1"):
        walk(torch.randn(3), torch.randn(3), 1)


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0])
def test_no_single_great_circle_between_points_on_a_line_through_the_origin(factor):
    start = torch.randn(6)
    with pytest.raises(ValueError, match="one line through the origin"):
        great_circle(start, factor * start, 5)
