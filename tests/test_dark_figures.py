"""Figures for dark pages, and what a figure says about itself."""

import base64
import io
import re

import dark_figures
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vae_course import plotting


def shown(made):
    page = plotting.show(made, caption="c", alt="a").data
    data = re.search('base64,([^"]+)', page)[1]
    return page, Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


@pytest.fixture
def with_picture():
    """A line beside a picture of one odd colour that stands nowhere else."""
    made, (left, right) = plotting.figure(6, 3, columns=2)
    left.plot([0, 1], [0, 1])
    right.imshow(np.full((4, 4, 3), (10, 200, 30), np.uint8))
    right.set_axis_off()
    return shown(made)


def test_a_figure_says_where_its_pictures_are(with_picture):
    page, figure = with_picture
    (place,) = re.findall('data-pictures="([^"]*)"', page)
    x, y, w, h = map(float, place.split())
    green = (np.asarray(figure) == (10, 200, 30)).all(2)
    rows, columns = green.any(1).nonzero()[0], green.any(0).nonzero()[0]
    there = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    said = [x * figure.width, y * figure.height, (x + w) * figure.width, (y + h) * figure.height]
    assert said == pytest.approx(there, abs=2)


def test_paper_is_dark_ink_is_light_and_pictures_stay(with_picture):
    page, figure = with_picture
    made = np.asarray(dark_figures.dark(figure, re.search('data-pictures="([^"]*)"', page)[1]))
    before = np.asarray(figure)
    assert tuple(made[2, 2]) == (0x14, 0x18, 0x1E)
    green, kept = ((each == (10, 200, 30)).all(2) for each in (before, made))
    assert kept.sum() > 0.98 * green.sum() > 10_000  # all but the edge
    black = (before == 0).all(2)
    assert black.sum() > 100 and made[black].min() > 230


@pytest.mark.parametrize("width", [5, 6.1, 6.3, 7])
@pytest.mark.parametrize("shade", [0, 0.4])
def test_a_picture_has_no_bright_edge(width, shade):
    pictures = torch.full((6, 1, 28, 28), shade)
    page = plotting.tiles(pictures, 6, width=width, caption="c", alt="a").data
    data, places = re.search('base64,([^"]+).*data-pictures="([^"]*)"', page).groups()
    figure = Image.open(io.BytesIO(base64.b64decode(data)))
    made = np.asarray(dark_figures.dark(figure, places))
    assert made.max() <= max(0x1E, round(255 * shade))  # no lighter than paper and picture


@pytest.mark.parametrize("colour", [c for c in plotting.COLOURS if c != "#bfbfbf"])
def test_colours_keep_their_hue_and_can_be_seen_on_dark_paper(colour):
    rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    made = dark_figures.dark(Image.new("RGB", (1, 1), rgb), "").getpixel((0, 0))
    hues = [Image.new("RGB", (1, 1), c).convert("HSV").getpixel((0, 0)) for c in (rgb, made)]
    if hues[0][1] > 20:
        assert abs(hues[0][0] - hues[1][0]) <= 8
    linear = [(c / 255) ** 2.2 for c in made]
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert (luminance + 0.05) / (0.0091 + 0.05) > 3


def test_a_page_gets_each_figure_twice():
    made, (axis,) = plotting.figure(2, 1)
    axis.plot([0, 1])
    page, _ = shown(made)
    twice = dark_figures.in_both_themes(f"<p>{page}</p>")
    assert re.findall('<img class="([^"]*)"', twice) == ["in-light", "in-dark"]
    assert len(set(re.findall('src="([^"]*)"', twice))) == 2 and twice.count('alt="a"') == 2
    assert dark_figures.in_both_themes("<img src='x.png'>") == "<img src='x.png'>"


@pytest.mark.parametrize(("size", "narrowest"), [(12, 10 / 16), (9, 10 / 12), (6, 1)])
def test_no_type_gets_smaller_than_can_be_read(size, narrowest):
    made, (axis,) = plotting.figure(8, 2)
    axis.set_axis_off()
    axis.text(0, 0, "large", fontsize=20)
    axis.text(0.5, 0.5, "small", fontsize=size)
    page, _ = shown(made)
    width, least = (
        int(re.search(rf"; {name}: (\d+)px", page)[1]) for name in ("width", "min-width")
    )
    assert least / width == pytest.approx(narrowest, abs=0.01)


def test_pictures_without_type_shrink_freely():
    made, (axis,) = plotting.figure(8, 2)
    axis.imshow([[0, 1]])
    axis.set_axis_off()
    assert "min-width: 0px" in shown(made)[0]
    plt.close("all")
