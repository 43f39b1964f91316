"""Drawn faces: 64x64 colour portraits with known factors, at hand where CelebA may not be.

`sample_factors` draws what a face is like, `render_faces` paints it, `draw_faces` does both, and
takes the picture with a camera whose sensor adds noise. So a pixel is `render_faces(factors)` plus
noise of a known std, and no model of these pictures can honestly claim a smaller one.
To change one factor alone, render `{**factors, "smile": torch.ones(n)}`.
"""

import numpy as np
import torch

from vae_course.data.drawn.face_parts import LAYERS
from vae_course.data.drawn.factors import checked_factors, random_streams
from vae_course.data.drawn.portrait import SIZE, new_portrait

NOISE = 0.02  # std of the camera's noise, in units of the pixels' range
# Paint from 0 to 1 is shown from 0.05 to 0.92: noise has room at both ends, and is not cut off.
BLACK, CONTRAST = np.float32(0.05), np.float32(0.87)
CHUNK = 32  # faces painted at a time: few enough for their buffers to stay in the L2 cache
GLASSES = 0.4  # the share of faces that wear them
RANGES = {  # lowest, likeliest and highest value of each triangular factor
    "smile": (-1.0, 0.6, 1.0),
    "turn": (-1.0, 0.0, 1.0),
    "brow": (-1.0, 0.0, 1.0),
    "face_width": (-1.0, 0.0, 1.0),
    "shift_x": (-1.5, 0.0, 1.5),
    "shift_y": (-1.5, 0.0, 1.5),
}
LOW = {  # each of these factors is as likely anywhere from this value to 1
    "light": -1.0,
    "hair_length": 0.0,
    "fringe": 0.0,
    "parting": -1.0,
    **dict.fromkeys(("skin", "hair_colour", "eye_colour", "clothes", "background"), 0.0),
}
SHAPES = dict.fromkeys(("glasses", *RANGES, *LOW), ())

PALETTES = {  # of a factor from 0 to 1, in even steps: red, green and blue in percent
    "skin": "40,25,18 55,36,25 71,49,35 84,63,47 94,77,63 99,87,77",
    "hair_colour": "30,26,48 16,13,14 31,20,15 50,31,18 70,36,17 85,60,27 95,82,52 86,85,84",
    "eye_colour": "42,23,11 52,38,19 36,50,26 26,52,56 30,50,75",
    "clothes": "20,48,52 36,62,52 93,74,36 91,50,40 76,42,55 48,42,66 26,36,58",
    "background": "98,86,76 98,92,76 84,93,80 76,90,93 82,84,96 94,84,93",
}


def sample_factors(n, *, seed, split):
    """Draw what n faces are like. The splits are independent; n faces begin with any fewer.

    Returns a dict of tensors (n,), glasses int64 and the rest float32. Left and right are the
    viewer's. No two factors depend on each other.

    glasses: 1 where they are worn, else 0;
    smile: -1 a frown to 1 a broad smile that shows teeth;
    turn: of the head, -1 left to 1 right;
    brow: -1 lowered to 1 raised;
    face_width: -1 narrow to 1 wide, 1.4 pixels either side for each unit;
    shift_x, shift_y: of the whole, pixels to the right and down;
    light: where it comes from, -1 left to 1 right;
    hair_length: 0 above the ears to 1 on the shoulders;
    fringe: 0 a high forehead to 1 hair down to the brows;
    parting: -1 hair falls left, to 1 right;
    skin: 0 deep to 1 light;
    hair_colour: 0 blue-black, brown, red, blond, to 1 white;
    eye_colour: 0 brown, green, to 1 blue;
    clothes, background: 0 to 1, places in a palette.
    Raises ValueError for n < 1, seed < 0 or an unknown split.
    """
    rng = random_streams(SHAPES, n, seed=seed, split=split)
    factors = {"glasses": (rng["glasses"].random(n) < GLASSES).astype(np.int64)}
    for name, (low, likely, high) in RANGES.items():
        factors[name] = rng[name].triangular(low, likely, high, n).astype(np.float32)
    for name, low in LOW.items():
        factors[name] = rng[name].uniform(low, 1, n).astype(np.float32)
    return {name: torch.from_numpy(values) for name, values in factors.items()}


def _colour(name, place):
    """Places (m,) in a palette -> (m, 3) float32, straight from one of its colours to the next."""
    stops = np.array([c.split(",") for c in PALETTES[name].split()], dtype=float) / 100
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(place, at, c) for c in stops.T], axis=1).astype(np.float32)


def _tint(colour, share, other):
    """`share` of the way from colours (m, 3) to another one, in percent."""
    return colour + np.float32(share) * (np.array(other, np.float32) / 100 - colour)


def _inks(f):
    """Every colour that the parts of m faces are painted in, (m, 3) each."""
    skin, hair, eye, clothes, background = (_colour(name, f[name]) for name in PALETTES)
    fixed = {
        "eye_white": (99, 98, 96),
        "eye_shadow": (66, 68, 78),
        "pupil": (12, 9, 11),
        "mouth": (42, 12, 15),
        "frame": (18, 17, 24),
    }
    return {
        "skin": _tint(skin, 0.06, (100, 96, 86)),
        "skin_dark": _tint(skin, 0.48, (42, 14, 18)),
        "shine": _tint(skin, 0.45, (100, 97, 90)),
        "blush": _tint(skin, 0.4, (96, 36, 34)),
        "lips": _tint(skin, 0.6, (78, 22, 28)),
        "hair_light": _tint(hair, 0.2, (100, 92, 80)),
        "hair_dark": _tint(hair, 0.62, (9, 5, 13)),
        "brow": _tint(hair, 0.5, (14, 8, 9)),
        "iris": eye,
        "clothes": _tint(clothes, 0.08, (100, 98, 90)),
        "clothes_dark": _tint(clothes, 0.45, (14, 10, 26)),
        "background": _tint(background, 0.2, (100, 100, 98)),
        "background_dark": _tint(background, 0.22, (42, 40, 62)),
    } | {name: np.tile(np.array(c, np.float32) / 100, (len(skin), 1)) for name, c in fixed.items()}


def render_faces(factors):
    """Paint n faces, given a dict as `sample_factors` returns it -> (n, 3, 64, 64) float32.

    Without noise: the mean of what a camera sees, in [0.05, 0.92]. The same factors give the same
    bits in any batch.
    Raises ValueError for a factor that is missing or misshapen, or glasses neither 0 nor 1.
    """
    factors = checked_factors(factors, SHAPES)
    if not np.isin(factors["glasses"], (0, 1)).all():
        raise ValueError(f"expected glasses to be 0 or 1, got {factors['glasses']}")
    images = np.empty((len(factors["glasses"]), 3, SIZE, SIZE), dtype=np.float32)
    inks = _inks(factors)
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        f, ink = ({k: v[chunk] for k, v in values.items()} for values in (factors, inks))
        portrait = new_portrait(images[chunk], f, ink)
        for layer in LAYERS:
            layer(portrait)
    np.clip(images, 0, 1, out=images)
    images *= CONTRAST
    images += BLACK
    return torch.from_numpy(images)


def draw_faces(n, *, seed, split, noise=NOISE):
    """Sample and paint n faces -> images (n, 3, 64, 64), factors, and add the camera's noise.

    Each pixel gets its own, Gaussian with std `noise`; n faces begin with any fewer. Values stay in
    [0, 1]: at 0.02, what is cut off begins more than 4 std away, next to nothing.
    Raises as `sample_factors`, and ValueError for noise that is no number from 0 up.
    """
    if not 0 <= noise < np.inf:
        raise ValueError(f"expected noise of a std from 0 up, got {noise}")
    factors = sample_factors(n, seed=seed, split=split)
    images = render_faces(factors)
    if noise:
        _expose(
            images.numpy(), noise, random_streams((*SHAPES, "noise"), n, seed=seed, split=split)
        )
    return images, factors


def _expose(images, noise, rng):
    """Add noise in place, face by face: the stream gives each face its own part of it."""
    for image in images:
        image += np.float32(noise) * rng["noise"].standard_normal(image.shape, dtype=np.float32)
        np.clip(image, 0, 1, out=image)
