"""Figures for dark pages: light and dark change places, hues and pictures stay.

A figure says where in it there are pictures (vae_course.plotting.show): a photograph of a face in
swapped colours would be another photograph.
"""

import base64
import io
import re
from math import ceil, floor

import numpy as np
from PIL import Image

FIGURE = re.compile(
    r'<img (?P<source>src="data:image/png;base64,(?P<png>[^"]*)")'
    r'(?P<rest>[^>]*? data-pictures="(?P<pictures>[^"]*)"[^>]*>)'
)
PALE = 1.4
SNAPPED = 2  # pixels of a picture that may lie beyond its place: it is drawn on whole ones
PAPER = np.array([0x14, 0x18, 0x1E]) / 255  # as under live figures


def in_both_themes(page: str) -> str:
    """Each figure of the course twice, for light and for dark pages; a style sheet shows one."""
    return FIGURE.sub(_twice, page)


def _twice(figure: re.Match) -> str:
    light = Image.open(io.BytesIO(base64.b64decode(figure["png"])))
    made = io.BytesIO()
    dark(light, figure["pictures"]).save(made, "png")
    data = base64.b64encode(made.getvalue()).decode()
    source = f'src="data:image/png;base64,{data}"'
    kinds = (("in-light", figure["source"]), ("in-dark", source))
    return "".join(f'<img class="{kind}" {source}{figure["rest"]}' for kind, source in kinds)


def dark(figure: Image.Image, pictures: str) -> Image.Image:
    """The figure in dark. `pictures` are "left top width height; …", in parts of the figure."""
    colours = np.asarray(figure.convert("RGB"), dtype=float) / 255
    # In HSL, hue and saturation stay and the lightness is swapped, what is pale a little less.
    light = (colours.max(2, keepdims=True) + colours.min(2, keepdims=True)) / 2
    swapped = 1 - light**PALE
    room = (1 - abs(2 * swapped - 1)) / (1 - abs(2 * light - 1)).clip(1e-3)
    swapped = swapped + room * (colours - light)
    made = PAPER + swapped * (1 - PAPER)
    height, width, _ = colours.shape
    for place in filter(None, pictures.split("; ")):
        x, y, w, h = map(float, place.split())
        rows, beside = _inside(y * height, (y + h) * height)
        columns, above = _inside(x * width, (x + w) * width)
        made[rows, columns] = colours[rows, columns]
        # What is not paper at its edge belongs to the picture: swapped, it would be a bright line.
        edge = beside, above
        ink = (colours[edge] < 1).any(2)
        made[edge][ink] = colours[edge][ink]
    return Image.fromarray((255 * made).round().clip(0, 255).astype(np.uint8))


def _inside(low: float, high: float) -> tuple[slice, slice]:
    """The pixels that are wholly between two places, and those with the edges."""
    first, end = max(ceil(low), 0), floor(high)
    return slice(first, end), slice(max(first - SNAPPED, 0), end + SNAPPED)
