import base64
import io
import re
from html.parser import HTMLParser

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from vae_course.plotting import figures as plotting


@pytest.fixture(autouse=True)
def no_figures_left():
    plt.close("all")
    yield
    plt.close("all")


class Page(HTMLParser):
    """The attributes of each tag, and the text."""

    def __init__(self, page):
        super().__init__()
        self.attributes, self.text = {}, ""
        self.feed(page.data)

    def handle_starttag(self, tag, attributes):
        assert tag not in self.attributes
        self.attributes[tag] = dict(attributes)

    def handle_data(self, text):
        self.text += text


def picture_in(page):
    """The rendered picture as grey values (height, width), 0 to 255."""
    head, data = Page(page).attributes["img"]["src"].split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))


# ---- Tiles


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("n", "columns"), [(6, 3), (5, 3), (1, 1), (4, 1), (2, 5), (7, 7)])
def test_each_picture_is_where_it_belongs(channels, n, columns):
    images = torch.rand(n, channels, 4, 5)
    grid = plotting.tile(images, columns)
    rows = (n + columns - 1) // columns
    assert grid.shape == (rows * 4, columns * 5, channels)
    for k in range(rows * columns):
        top, left = 4 * (k // columns), 5 * (k % columns)
        cell = grid[top : top + 4, left : left + 5]
        expected = images[k] if k < n else torch.zeros(channels, 4, 5)
        for channel in range(channels):
            assert torch.equal(cell[:, :, channel], expected[channel])


def test_pixels_are_clipped_and_the_pictures_left_alone():
    images = torch.tensor([-3.0, 0.25, 1.5, 1.0]).reshape(1, 1, 2, 2).requires_grad_()
    grid = plotting.tile(images, 1)
    assert grid.flatten().tolist() == [0, 0.25, 1, 1] and not grid.requires_grad
    assert images.flatten().tolist() == [-3, 0.25, 1.5, 1]


def test_tiles_are_shown_on_one_scale_from_black_to_white():
    half = plotting.tiles(torch.full((1, 1, 8, 8), 0.5), 1, width=1, caption="c", alt="a")
    height, width = picture_in(half).shape
    assert abs(int(picture_in(half)[height // 2, width // 2]) - 127) <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_shows_rows_from_the_top_and_columns_from_the_left(channels):
    images = torch.zeros(6, channels, 8, 8)
    images[1], images[3] = 1.0, 0.5
    page = picture_in(plotting.tiles(images, 3, width=3, caption="c", alt="a"))
    below, right = np.nonzero(page < 200)  # within the white border
    sheet = page[below.min() : below.max() + 1, right.min() : right.max() + 1]
    height, width = sheet.shape
    assert height / width == pytest.approx(2 / 3, abs=0.02)
    centres = sheet[height // 4 :: height // 2, width // 6 :: width // 3][:2, :3].astype(int)
    assert np.abs(centres - [[0, 255, 0], [127, 0, 0]]).max() <= 2


def test_a_sheet_keeps_colours():
    images = torch.zeros(1, 3, 8, 8)
    images[:, 0], images[:, 2] = 1.0, 0.5
    _, axis = plotting.figure(1, 1)
    plotting.draw_tiles(axis[0], images, 1, title="the title")
    shown = axis[0].images[0].get_array()
    assert shown.shape == (8, 8, 3) and np.allclose(shown, [1.0, 0.0, 0.5])
    assert axis[0].get_title() == "the title"
    assert len(axis[0].get_xticks()) == len(axis[0].get_yticks()) == 0


@pytest.fixture
def kept(monkeypatch):
    """The figures that would have been shown, with their texts."""
    figures = []
    monkeypatch.setattr(plotting, "show", lambda made, **texts: figures.append((made, texts)))
    return figures


def test_rows_have_one_axis_and_one_label_each(kept):
    pictures = {"original": torch.zeros(4, 1, 5, 5), "copy": torch.ones(4, 1, 5, 5)}
    plotting.rows(pictures, caption="c", alt="a")
    ((made, texts),) = kept
    assert texts == {"caption": "c", "alt": "a"}
    assert [axis.get_ylabel() for axis in made.axes] == ["original", "copy"]
    for axis, images in zip(made.axes, pictures.values(), strict=True):
        shown = axis.images[0].get_array()
        assert shown.shape == (5, 20) and (shown == images[0, 0, 0, 0].item()).all()


# ---- Figures


def test_a_figure_has_its_size_axes_and_style():
    made, axes = plotting.figure(6, 2, columns=3, sharey=True)
    assert tuple(made.get_size_inches()) == (6, 2) and len(axes) == 3
    assert axes == made.axes and not axes[0].spines["top"].get_visible()


def test_ten_digits_have_ten_colours():
    assert len(set(plotting.COLOURS)) == 10


NASTY = "a \"b\" & 'c' <img onerror=x> p < q"


def test_caption_and_alt_are_escaped():
    page = Page(plotting.show(plotting.figure(1, 1)[0], caption="C " + NASTY, alt="A " + NASTY))
    assert page.attributes.keys() == {"figure", "div", "img", "figcaption"}
    assert page.attributes["img"]["alt"] == "A " + NASTY
    assert page.text.endswith(". C " + NASTY)


def test_figures_are_numbered_and_keep_their_number(monkeypatch):
    monkeypatch.setattr(plotting, "_numbers", {})

    def shown(caption):
        return Page(plotting.show(plotting.figure(1, 1)[0], caption=caption, alt="a")).text

    texts = list(map(shown, ("first", "second", "first", "third")))
    assert texts == ["Figure 1. first", "Figure 2. second", "Figure 1. first", "Figure 3. third"]


@pytest.mark.parametrize("texts", [("", "a"), ("c", ""), (" \n", "a"), ("c", "\t")], ids=repr)
def test_caption_and_alt_must_say_something(texts):
    with pytest.raises(ValueError, match="caption and an alt text"):
        plotting.show(plotting.figure(1, 1)[0], caption=texts[0], alt=texts[1])


@pytest.mark.parametrize("missing", ["caption", "alt"])
def test_caption_and_alt_are_asked_for(missing):
    texts = {"caption": "c", "alt": "a"}
    del texts[missing]
    with pytest.raises(TypeError, match=missing):
        plotting.show(plotting.figure(1, 1)[0], **texts)


def test_no_figure_is_left_open():
    images = torch.rand(3, 1, 5, 5)
    plotting.show(plotting.figure(1, 1)[0], caption="c", alt="a")
    plotting.tiles(images, 2, caption="c", alt="a")
    plotting.rows({"one": images, "two": images}, caption="c", alt="a")
    assert plt.get_fignums() == []


def test_the_picture_is_about_as_wide_as_the_figure_and_sharper_than_the_page():
    page = plotting.show(plotting.figure(5, 2)[0], caption="c", alt="a")
    style = Page(page).attributes["img"]["style"]
    shown = int(re.search(r"; width: (\d+)px", style).group(1))
    height, width = picture_in(page).shape
    assert shown == pytest.approx(5 * 96, rel=0.05)
    assert width / height == pytest.approx(2.5, rel=0.05) and width > 1.5 * shown


def test_curves_have_one_plot_each(kept):
    series = {"loss": torch.tensor([3.0, 1.0, 2.0]), "kl": torch.tensor([0.0, 4.0, 5.0])}
    plotting.curves(series, xlabel="step", caption="c", alt="a")
    ((made, texts),) = kept
    assert texts == {"caption": "c", "alt": "a"}
    assert [axis.get_title() for axis in made.axes] == ["loss", "kl"]
    for axis, values in zip(made.axes, series.values(), strict=True):
        assert axis.lines[0].get_ydata().tolist() == values.tolist()
        assert axis.get_xlabel() == "step"


# ---- Codes


def test_codes_are_drawn_in_their_colour_with_the_digit_at_the_median():
    codes = torch.tensor([[0.0, 0, 9], [1, 5, 9], [2, 1, 9], [-4, -4, 9]])
    labels = torch.tensor([3, 3, 3, 7])
    _, (axis,) = plotting.figure(2, 2)
    plotting.draw_codes(axis, codes.requires_grad_(), labels)
    drawn = {
        matplotlib.colors.to_hex(cloud.get_facecolor()[0]): cloud.get_offsets().tolist()
        for cloud in axis.collections
    }
    assert drawn == {
        plotting.COLOURS[3]: [[0, 0], [1, 5], [2, 1]],
        plotting.COLOURS[7]: [[-4, -4]],
    }
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        "3": (1, 1),
        "7": (-4, -4),
    }


def test_the_latent_plane_has_a_cloud_with_circles_and_a_square_sheet(kept):
    codes, labels = torch.tensor([[0.0, 1], [2, 3]]), torch.tensor([0, 0])
    pictures = torch.rand(9, 1, 4, 4)
    plotting.latent_plane(codes, labels, pictures, circles=(1, 2), caption="c", alt="a")
    ((made, texts),) = kept
    cloud, sheet = made.axes
    assert texts == {"caption": "c", "alt": "a"}
    assert cloud.collections[0].get_offsets().tolist() == codes.tolist()
    assert [(patch.center, patch.radius) for patch in cloud.patches] == [((0, 0), 1), ((0, 0), 2)]
    assert not any(patch.get_fill() for patch in cloud.patches)
    shown = sheet.images[0].get_array()
    assert shown.shape == (12, 12) and np.array_equal(shown[4:8, :4], pictures[3, 0])


def test_a_graph_has_its_boxes_and_an_arrow_for_each_pair():
    made, (axis,) = plotting.figure(4, 2)
    nodes = {"a": (0, 0, "first"), "b": (1, 0, "second"), "e": (1, -1, "noise")}
    plotting.draw_graph(axis, "a title", "e", "ab eb", "ba", **nodes)
    boxes = {text.get_text(): text.get_bbox_patch() for text in axis.texts if text.get_text()}
    assert boxes.keys() == {"first", "second", "noise"} and axis.get_title() == "a title"
    round_ones = {
        text for text, box in boxes.items() if box.get_boxstyle().__class__.__name__ == "Circle"
    }
    assert round_ones == {"noise"}
    arrows = [text for text in axis.texts if not text.get_text()]
    ways = [(*arrow.xyann, *arrow.xy, arrow.arrow_patch.get_linestyle()) for arrow in arrows]
    # Two arrows between the same boxes are kept apart; upright ones need not be.
    assert ways == [(0, 0.1, 1, 0.1, "solid"), (1, -1, 1, 0, "solid"), (1, -0.1, 0, -0.1, "--")]
    plt.close(made)
