"""Soft-edged shapes from signed distances (pixels, negative inside), as arrays that broadcast.

Each operation here is exact in the sense of IEEE 754, so that no pixel depends on what is computed
beside it: arithmetic and square roots only, no exponentials, sines or matrix products.
Source: https://iquilezles.org/articles/distfunctions2d/ and .../articles/distance/.
"""

import numpy as np


def ellipse(x, y, rx, ry):
    """Distance to the ellipse about the origin, right to first order: (q - 1) / |gradient of q|."""
    x, y = x / rx, y / ry
    slope = np.square(x / rx) + np.square(y / ry)
    return (x * x + y * y - 1) / (2 * np.sqrt(slope) + 1e-6)


def inside(distance):
    """1 inside, 0 outside, over the one pixel about the edge."""
    return np.clip(0.5 - distance, 0, 1)


def soft(distance, width):
    """1 inside, 0 outside, smoothly over `width` pixels about the edge."""
    t = np.clip(0.5 - distance / width, 0, 1)
    return t * t * (3 - 2 * t)


def band(y, top, bottom):
    """The share of a pixel's height at y that lies between top and bottom."""
    return np.maximum(np.clip(bottom - y + 0.5, 0, 1) - np.clip(top - y + 0.5, 0, 1), 0)


def line(distance, width):
    """The outline, `width` pixels wide, however thin."""
    return band(distance, -width / 2, width / 2)


def spot(x, y, rx, ry):
    """1 at the origin, and smoothly to 0 at the ellipse."""
    return np.square(np.maximum(1 - np.square(x / rx) - np.square(y / ry), 0))


def mix(dark, light, share):
    """Colours (m, 3, 1, 1) and a share (m, h, w) of the light one -> (m, 3, h, w)."""
    colour = (light - dark) * share[:, None]
    colour += dark
    return colour


def paint(canvas, cover, colour):
    """Lay a colour over canvas (m, 3, h, w), in place, where cover (m, h, w) is above 0."""
    change = colour - canvas
    change *= cover[:, None]
    canvas += change
