"""The layers of a drawn face, from the background to the glasses: each paints over the last.

Numbers are pixels from the origin of `portrait`, unless they are shares from 0 to 1.
"""

import numpy as np

from vae_course.data.drawn.portrait import HEAD_HIGH, daylight, head_distance, head_width
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

EYE_X, EYE_Y = 6.4, -1.0
MOUTH_Y = 8.4
TOP, NAPE = np.float32(19.5), np.float32(10)  # of the hair, from the level of the temples


def backdrop(p):
    glow = 1 - (np.square(p.x) + np.square(p.y + 6)) / 2600
    p.canvas[:] = mix(p.ink["background_dark"], p.ink["background"], glow)


# ---- hair


def hair_distance(p):
    """A cap about the skull, its lower half drawn out to the length of the hair."""
    length = p.f["hair_length"]
    below = np.maximum(p.y + 6, 0)
    y = np.minimum(p.y + 6, 0) + below - np.minimum(below, 21 * length)
    wide = head_width(p.f) + 2.4 + 0.09 * length * below
    return ellipse(p.x + 1.3 * p.f["turn"], y, wide, np.where(p.y < -6, TOP, NAPE))


def hairline_distance(p):
    """Above the hairline, which drops beside the face, and follows fringe and parting."""
    fringe, length = p.f["fringe"], p.f["hair_length"]
    u = p.u / head_width(p.f)
    sides = np.square(u * u)
    drop = 12 + 9 * length
    height = -16.5 + 6 * fringe + 6 * p.f["parting"] * u * (1 - 0.5 * u * u) + drop * sides
    slope = (6 * p.f["parting"] + 4 * drop * u * u * u) / head_width(p.f)
    return (p.y - height) / np.sqrt(1 + slope * slope)


def hair_behind(p):
    p = p.window(-28, 28, 24)
    cover = inside(
        hair_distance(p) + 0.5
    )  # within the hair in front: an edge painted twice would be hard
    paint(p.canvas, cover, mix(p.ink["hair_dark"], p.ink["hair_light"], 0.4 * daylight(p, 18, 40)))


def hair_shadow(p):
    p = p.window(-24, 18, 20)
    shadow = soft(hairline_distance(p) - 1.5, 4) * inside(head_distance(p))
    paint(p.canvas, 0.3 * shadow, p.ink["skin_dark"])


def hair_in_front(p):
    p = p.window(-28, 28, 24)
    distance = hair_distance(p)
    gloss = spot(0, distance + 5.5, 1, 4) * soft(p.y + 7, 14)
    shade = daylight(p, 18, 28) + 0.4 * gloss - 0.15
    cover = inside(np.maximum(distance, hairline_distance(p)))
    paint(p.canvas, cover, mix(p.ink["hair_dark"], p.ink["hair_light"], shade))


# ---- body and head


def body_distance(p):
    return ellipse(p.x, p.y - 41, 25, 20)


def shoulders(p):
    p = p.window(9, 32)
    body = body_distance(p)
    shade = daylight(p, 26, 30, y=26)
    paint(p.canvas, inside(body), mix(p.ink["clothes_dark"], p.ink["clothes"], shade))
    collar = line(ellipse(p.x, p.y - 20, 9, 6), 1.8) * inside(body)
    paint(p.canvas, 0.7 * collar, p.ink["clothes"])


def neck(p):
    p = p.window(2, 30, 14)
    flare = 0.03 * np.square(np.maximum(p.y - 14, 0))
    column = np.maximum(np.abs(p.x) - 5.3 - flare, np.abs(p.y - 13) - 9)
    neckline = np.maximum(ellipse(p.x, p.y - 20, 8.6, 5.4), body_distance(p))
    skin = mix(p.ink["skin_dark"], p.ink["skin"], daylight(p, 12, 40, y=20))
    paint(p.canvas, inside(np.minimum(column, neckline)), skin)
    chin = soft(head_distance(p) - 2.5, 5)
    paint(p.canvas, 0.8 * chin * inside(column), p.ink["skin_dark"])


def ears(p):
    p = p.window(-8, 12, 24)
    x = np.abs(p.x + 1.4 * p.f["turn"]) - head_width(p.f)
    shade = daylight(p, 18, 24)
    paint(
        p.canvas, inside(ellipse(x, p.y, 2.3, 3.9)), mix(p.ink["skin_dark"], p.ink["skin"], shade)
    )
    paint(p.canvas, 0.5 * spot(x - 0.3, p.y, 2, 3), p.ink["skin_dark"])


def head(p):
    p = p.window(-24, 20, 20)
    distance = head_distance(p)
    nose = (p.u - p.f["turn"]) * p.f["light"] * spot(p.u - p.f["turn"], p.y - 1.5, 3.2, 6)
    shade = daylight(p, head_width(p.f), HEAD_HIGH) + 0.16 * nose
    paint(p.canvas, inside(distance), mix(p.ink["skin_dark"], p.ink["skin"], shade))


def cheeks(p):
    p = p.window(-4, 14, 22)
    smile = p.f["smile"]
    across = np.abs(p.u) - 8.2
    blush = spot(across, p.y - 5 + 0.8 * smile, 4.6, 3.8) * (0.36 + 0.14 * smile)
    paint(p.canvas, blush * inside(head_distance(p)), p.ink["blush"])


# ---- features


def brows(p):
    p = p.window(-18, 0, 20)
    across = (np.abs(p.u) - EYE_X) / 4.2
    brow = p.f["brow"]
    arch = EYE_Y - 6 - 1.2 * brow + 1.3 * across * across - 0.7 * brow * (1 - across)
    half = np.clip(2 - 2 * across * across, 0, 0.85) * (1 - 0.25 * across)
    paint(p.canvas, 0.9 * band(p.y, arch - half, arch + half), p.ink["brow"])


def eyes(p):
    p = p.window(-8, 6, 20)
    across, down = np.abs(p.u) - EYE_X, p.y - EYE_Y
    lower = 2.9 - 0.7 * np.maximum(p.f["smile"], 0)
    outline = ellipse(across, down, 3.6, np.where(down < 0, np.float32(3.0), lower))
    white = inside(outline)
    shade = 1 - 0.25 * soft(down + 1.6, 2)
    paint(p.canvas, white, mix(p.ink["eye_shadow"], p.ink["eye_white"], shade))
    gaze = p.u - np.copysign(EYE_X, p.u) - 0.8 * p.f["turn"]
    paint(p.canvas, white * inside(ellipse(gaze, down, 2.5, 2.5)), p.ink["iris"])
    paint(p.canvas, white * inside(ellipse(gaze, down, 1.3, 1.3)), p.ink["pupil"])
    glint = inside(ellipse(gaze - 0.8 * p.f["light"], down + 0.9, 0.75, 0.75))
    paint(p.canvas, 0.95 * white * glint, p.ink["eye_white"])
    lash = line(outline, 1.1) * soft(down + 0.6, 2.4)
    paint(p.canvas, lash, p.ink["pupil"])


def nose(p):
    p = p.window(-2, 12, 14)
    u = p.u - 1.2 * p.f["turn"]
    paint(p.canvas, 0.75 * spot(u, p.y - 4.4, 3.3, 1.7), p.ink["skin_dark"])
    paint(p.canvas, 0.5 * spot(u - 0.7 * p.f["light"], p.y - 2.4, 1.8, 1.8), p.ink["shine"])


def mouth(p):
    p = p.window(1, 19, 16)
    smile = p.f["smile"]
    across = p.u / (5.1 + 0.5 * smile)
    bow = np.maximum(1 - across * across, 0)
    opened = np.square(np.maximum(smile + 0.1, 0))
    ends = np.clip((1 - np.abs(across)) * 5 + 0.5, 0, 1)
    upper = MOUTH_Y + 3.2 * smile * (0.4 - np.square(np.minimum(np.abs(across), 1)))
    lower = upper + (0.45 + 2.1 * opened) * bow
    lips = band(p.y, upper - 0.2 - 0.9 * bow, lower + 0.2 + 1.2 * bow) * ends
    paint(p.canvas, lips, p.ink["lips"])
    paint(p.canvas, band(p.y, upper, lower) * ends, p.ink["mouth"])
    paint(p.canvas, band(p.y, upper, upper + 1.3 * opened * bow) * ends, p.ink["eye_white"])


def glasses(p):
    p = p.window(-11, 9, 22)
    worn = p.f["glasses"]
    beside, down = np.abs(p.u), p.y - EYE_Y
    lens = ellipse(beside - EYE_X, down - 0.2, 5.1, 4.9)
    paint(p.canvas, worn * 0.16 * inside(lens), p.ink["eye_white"])
    bridge = band(down, -1.6, -0.6) * inside(beside - 1.6)
    bare = inside(np.maximum(head_distance(p, 1), -hairline_distance(p)))
    arms = band(down, -1.7, -0.7) * inside(11.2 - beside) * bare
    frame = np.maximum(line(lens, 1.15), np.maximum(bridge, arms))
    paint(p.canvas, worn * frame, p.ink["frame"])


LAYERS = (
    *(backdrop, hair_behind, shoulders, neck, ears, head, cheeks),
    *(eyes, nose, mouth, brows, hair_shadow, hair_in_front, glasses),
)
