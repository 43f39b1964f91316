import base64
import io
import re

import beside_pages
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from vae_course.explorer import kl_bowl
from vae_course.plotting import show


def png(pixels, mode="RGB"):
    made = io.BytesIO()
    Image.fromarray(pixels, mode).save(made, format="png")
    return made.getvalue()


def page_with(*parts):
    return f"<html><head></head><body>{''.join(parts)}</body></html>"


@pytest.fixture
def put(tmp_path):
    return lambda page: beside_pages.put_beside(page, tmp_path, lambda path: f"../{path}")


@pytest.fixture
def figure():
    made, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, 1], [1, 3])
    return show(made, caption="A line.", alt="It rises.").data


def test_a_picture_becomes_a_file_of_the_same_pixels(put, figure, tmp_path):
    page = put(page_with(figure))
    (name,) = re.findall(r'<img class="in-light" src="\.\./(_beside/\w+\.webp)"', page)
    data = re.search(r"base64,([^\"]+)", figure)[1]
    before = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    after = Image.open(tmp_path / name).convert("RGB")
    assert after.size == before.size and "base64" not in page
    assert np.abs(np.asarray(after, int) - np.asarray(before, int)).mean() < 2
    assert (tmp_path / name).stat().st_size < len(data)
    assert f'width="{before.width}" height="{before.height}"' in page
    assert 'alt="It rises."' in page


def test_a_photograph_loses_what_no_eye_sees_and_lines_lose_nothing():
    ramp = np.linspace(0, 255, 200)
    noise = np.random.default_rng(0).normal(0, 6, (200, 200, 3))
    photo = (ramp[None, :, None] / 2 + ramp[:, None, None] / 2 + noise).clip(0, 255)
    lines = np.full((200, 200, 3), 255, np.uint8)
    lines[::20] = (0, 114, 178)
    for pixels, exact in ((photo.astype(np.uint8), False), (lines, True)):
        made = np.asarray(Image.open(io.BytesIO(beside_pages.webp(png(pixels)))))
        off = np.abs(made.astype(int) - pixels)
        assert off.mean() < 8 and (off.max() == 0) == exact


def test_what_is_transparent_stays_so():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    made = Image.open(io.BytesIO(beside_pages.webp(png(pixels, "RGBA"))))
    assert (np.asarray(made)[..., 3] == pixels[..., 3]).all()


def test_all_pictures_wait(put, figure):
    page = put(page_with(kl_bowl()._repr_html_(), figure, figure))
    pictures = re.findall("<img[^>]*>", page)
    assert len(pictures) == 5  # the still of a live figure, and two figures in light and in dark
    assert all('loading="lazy"' in tag for tag in pictures)


def test_a_picture_within_a_drawing_stays_within(put):
    film = base64.b64encode(png(np.zeros((4, 40, 3), np.uint8))).decode()
    page = put(page_with(f'<svg><image width="9" href="data:image/png;base64,{film}"/></svg>'))
    assert re.search(r'<svg><image width="9" href="\.\./_beside/\w+\.webp"/></svg>', page)


def test_the_script_of_a_live_figure_waits_in_a_file(put, tmp_path):
    figures = [kl_bowl()._repr_html_() for _ in range(2)]
    page = put(page_with("<script>const mine = 1</script>", *figures))
    names = re.findall(r'<figure class="course-live" data-script="\.\./([^"]+)" id="live-', page)
    scripts = [re.search(r"<script>(.*)</script>", one, re.DOTALL)[1] for one in figures]
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in names] == scripts
    mine, loader = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    assert mine == "const mine = 1" and "IntersectionObserver" in loader


def test_a_page_without_figures_is_left_alone(put, tmp_path):
    page = page_with('<img src="a.png">', "<script>const mine = 1</script>")
    assert put(page) == page and not list(tmp_path.iterdir())


def test_files_of_earlier_builds_go(put, figure, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/page.html").write_text(put(page_with(figure)), encoding="utf-8")
    put(page_with(kl_bowl()._repr_html_()))
    assert len(list(tmp_path.glob("_beside/*"))) == 4
    beside_pages.tidy(tmp_path)
    assert len(list(tmp_path.glob("_beside/*"))) == 2


def test_a_file_that_is_there_is_not_made_again(put, figure, tmp_path):
    put(page_with(figure))
    file = min(tmp_path.glob("_beside/*"))
    file.write_bytes(b"here")
    put(page_with(figure))
    assert file.read_bytes() == b"here"


def test_lines_may_have_few_colours_and_pictures_keep_theirs():
    rng = np.random.default_rng(0)
    lines = np.full((120, 200, 3), 255, np.uint8)
    lines[::8] = rng.integers(0, 256, (15, 200, 1))  # thin, and of all greys
    noise = rng.integers(0, 256, (120, 200, 3)).astype(np.uint8)
    for pixels, few in ((lines, True), (noise, False)):
        made = Image.open(io.BytesIO(beside_pages.webp(png(pixels)))).convert("RGB")
        assert (len(made.getcolors(100_000)) <= 32) == few
    made = np.asarray(Image.open(io.BytesIO(beside_pages.webp(png(lines)))).convert("RGB"), int)
    assert abs(made - lines).max() <= 8
