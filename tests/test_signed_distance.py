import numpy as np
import pytest

from vae_course.data.drawn.signed_distance import (
    band,
    ellipse,
    inside,
    line,
    mix,
    paint,
    soft,
    spot,
)


def fine(n=101):
    """A pixel's place, and what n thin slices of it see."""
    return (np.arange(n) + 0.5) / n - 0.5


@pytest.mark.parametrize(("rx", "ry"), [(5, 5), (14, 18), (3.6, 2.9), (25, 20)])
def test_an_ellipse_is_as_far_as_its_nearest_dot(rx, ry):
    """Within a pixel of the edge: what covers a pixel partly, and nothing else."""
    angle = np.linspace(0, 2 * np.pi, 20_001)
    dots = rx * np.cos(angle) + 1j * ry * np.sin(angle)
    around = np.linspace(0, 2 * np.pi, 50)
    for away in (-0.5, -0.2, 0.0, 0.3, 0.5):
        edge = rx * np.cos(around) + 1j * ry * np.sin(around)
        normal = np.cos(around) / rx + 1j * np.sin(around) / ry
        z = edge + away * normal / np.abs(normal)
        nearest = np.abs(z[:, None] - dots).min(1) * np.sign(away)
        assert np.abs(ellipse(z.real, z.imag, rx, ry) - nearest).max() < 0.1
    assert ellipse(0.0, 0.0, rx, ry) < -1  # its middle is inside, without a warning


def test_inside_is_the_share_of_a_pixel_beside_a_straight_edge():
    for distance in (-2, -0.5, -0.3, 0.0, 0.1, 0.45, 3):
        share = (distance + fine() < 0).mean()
        assert inside(distance) == pytest.approx(share, abs=0.01)


def test_a_band_is_the_share_of_a_pixel_between_two_edges():
    y = np.arange(-4.0, 5.0)
    for top, bottom in ((-1.7, 2.2), (0.1, 0.4), (-0.4, 0.4), (2.5, 2.5), (1.0, -1.0)):
        share = [((top < one + fine(1001)) & (one + fine(1001) < bottom)).mean() for one in y]
        assert np.allclose(band(y, top, bottom), share, atol=0.002)


def test_a_line_has_its_width():
    x = np.arange(-8.0, 9.0)
    for width in (0.4, 1.0, 1.15, 3.0):
        for off in (0.0, 0.3, 0.5):
            assert line(x - off, width).sum() == pytest.approx(width, abs=0.16)


def test_soft_edges_and_spots_fall_smoothly_from_1_to_0():
    x = np.linspace(-6, 6, 1201)
    for fall in (soft(x, 4), spot(np.maximum(x, -1) + 1, 0, 4, 2)):
        assert fall[0] == 1 and fall[-1] == 0 and (np.diff(fall) <= 0).all()
        assert np.abs(np.diff(fall, 2)).max() < 1e-3  # no kink in what the eye sees as shade
    assert soft(0.0, 4) == 0.5 and spot(0, 2, 4, 2) == 0 and spot(4, 0, 4, 2) == 0


def test_paint_covers_in_proportion():
    canvas = np.full((2, 3, 4, 5), 0.2)
    cover = np.zeros((2, 4, 5))
    cover[1, 2, 3], cover[0, 0, 0] = 1, 0.25
    red, blue = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    paint(canvas, cover, np.stack([red, blue])[:, :, None, None])
    assert np.allclose(canvas[1, :, 2, 3], blue)
    assert np.allclose(canvas[0, :, 0, 0], [0.4, 0.15, 0.15])
    assert canvas[0, :, 1:].min() == canvas[0, :, 1:].max() == 0.2


def test_mix_goes_from_dark_to_light():
    dark, light = np.zeros((1, 3, 1, 1)), np.array([1.0, 0.5, 0.2])[None, :, None, None]
    mixed = mix(dark, light, np.array([[[0, 0.5, 1]]]))
    assert np.allclose(mixed[0, :, 0].T, [[0, 0, 0], [0.5, 0.25, 0.1], [1, 0.5, 0.2]])
