"""The canvas of drawn faces: coordinates that shift and turn with the head, and windows of them.

Lengths are pixels. The origin is the picture's middle, moved by the shift; x points right, y down.
u is where a pixel's surface would be on a head that looks straight ahead: what is drawn in u and
y turns with the head, and narrows on the side that turns away.
"""

from dataclasses import dataclass, replace

import numpy as np

from vae_course.data.drawn.signed_distance import ellipse

SIZE = 64
TURN = 0.25  # sine of the largest turn of the head
ROUND = np.float32(19)  # radius of the cylinder on which the features turn
HEAD_Y, HEAD_HIGH, HEAD_WIDE = -3.0, 18.0, 14.0  # centre and half-axes


@dataclass(frozen=True)
class Portrait:
    """m pictures being painted: canvas (m, 3, h, w); x and u (m, 1, w); y (m, h, 1);
    factors f (m, 1, 1); colours ink (m, 3, 1, 1)."""

    canvas: np.ndarray
    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    f: dict[str, np.ndarray]
    ink: dict[str, np.ndarray]

    def window(self, top, bottom, side=SIZE // 2):
        """A view of rows top to bottom and `side` columns either side of the middle, to be fast."""
        middle = SIZE // 2
        rows, columns = slice(middle + top, middle + bottom), slice(middle - side, middle + side)
        return replace(
            self,
            canvas=self.canvas[:, :, rows, columns],
            x=self.x[..., columns],
            y=self.y[:, rows],
            u=self.u[..., columns],
        )


def new_portrait(canvas, f, ink):
    """canvas (m, 3, 64, 64), still to be painted; f: factors (m,); ink: colours (m, 3)."""
    f = {name: values.astype(np.float32)[:, None, None] for name, values in f.items()}
    ink = {name: rgb[:, :, None, None] for name, rgb in ink.items()}
    pixel = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)
    x, y = pixel - f["shift_x"], pixel[:, None] - f["shift_y"]
    sin = TURN * f["turn"]
    depth = np.sqrt(np.maximum(ROUND * ROUND - x * x, 25))
    u = x * np.sqrt(np.maximum(1 - sin * sin, 0)) - depth * sin
    return Portrait(canvas, x, y, u, f, ink)


def head_width(f):
    return HEAD_WIDE + 1.4 * f["face_width"]


def head_distance(p, margin=0.0):
    """An egg: narrower towards the chin, which leads the turn."""
    down = (p.y - HEAD_Y) / HEAD_HIGH
    narrow = 1 - 0.22 * np.square(np.maximum(down, 0)) + 0.04 * np.minimum(down, 0)
    x = p.x - p.f["turn"] * (0.9 + 0.8 * down)
    return ellipse(x, p.y - HEAD_Y, head_width(p.f) * narrow + margin, HEAD_HIGH + margin)


def daylight(p, wide, high, y=HEAD_Y):
    """How lit a round body is, 0 to 1: from the light's side, from above and from the front."""
    across, down = p.x / wide, (p.y - y) / high
    light = 0.5 * p.f["light"] * across - 0.12 * down + 0.72
    return np.clip(light - 0.14 * (across * across + down * down), 0, 1)
