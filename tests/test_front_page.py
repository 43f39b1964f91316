"""The figure of the front page, and its first screen."""

import re
from pathlib import Path
from xml.etree import ElementTree

import beside_pages
import front_page
import nbformat
import pytest
import torch

ROOT = Path(__file__).parents[1]
FIGURE = front_page.OUT.read_text(encoding="utf-8")


def test_it_moves_without_its_script_and_asks_nobody():
    before, script = FIGURE.split("<script>")
    assert "animation:" in before and 'class="lf-stage"' in before
    text = re.sub(r'"[A-Za-z0-9+/=]{40,}"', '""', script)  # packed numbers
    assert not re.search(r"https?:|url\((?!#)", before + text)
    assert len(before) < 100_000 and len(script) < 180_000


@pytest.mark.parametrize("name", ["live.js", "plots.js", "plane.js"])
def test_its_scripts_are_those_of_today(name):
    """Else: python tools/front_page.py"""
    script = (ROOT / "vae_course/explorer" / name).read_text(encoding="utf-8")
    lines = [line.strip() for line in script.splitlines() if "//" not in line]
    assert len(lines) > 50 and not [line for line in lines if line not in FIGURE]


def test_its_script_lies_beside_the_page(tmp_path):
    page = beside_pages.put_beside(f"<body>{FIGURE}</body>", tmp_path, str)
    assert re.search(
        r'<figure class="course-live" data-script="_beside/\w+\.js" id="live-\w+">', page
    )
    assert len(page) < 100_000


def test_who_wants_no_motion_gets_none_and_all_others_can_stop_it():
    still = FIGURE.split("prefers-reduced-motion: reduce")[1].split("@media")[0]
    assert ":is(.walk-place, .walk-film)" in still and "animation: none" in still
    assert 'input type="checkbox"' in FIGURE and "animation-play-state: paused" in FIGURE


def test_it_is_described():
    (svg,) = re.findall(r'<svg viewBox[^>]*role="img"[^>]*>', FIGURE)
    assert len(re.search(r'aria-label="([^"]*)"', svg)[1]) > 100
    assert "<figcaption>" in FIGURE


def test_points_stand_where_their_codes_are():
    codes = torch.tensor([[1.0, 0.5], [-1.0, 0.0], [9.0, 0.0]])
    drawn = ElementTree.fromstring(f"<g>{front_page.points(codes, torch.tensor([0, 1, 1]))}</g>")
    places = [[(c.get("cx"), c.get("cy")) for c in group] for group in drawn]
    unit = front_page.SCALE
    # Up is up, and what lies outside of the picture is left out.
    assert places[:2] == [[(str(unit), str(-round(unit / 2)))], [(str(-unit), "0")]]


def test_the_first_screen_says_what_a_reader_will_be_able_to_do():
    page = (ROOT / "book/index.md").read_text(encoding="utf-8")
    before, after = page.split("_static/latent_walk.html")
    assert "you can" in before and len(before) < 900 and "## Chapters" in after


ROWS = re.findall(r"^\| .*\]\(.* \|$", (ROOT / "book/index.md").read_text("utf-8"), re.MULTILINE)


def minutes_of(page):
    """How long a page says it takes."""
    cells = nbformat.read(ROOT / "book" / page, as_version=4).cells
    return int(re.search(r"About (\d+) minutes", "".join(cell.source for cell in cells))[1])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_a_way_through_takes_as_long_as_its_pages_say(row):
    *_, promised = row.strip("| ").split("|")
    pages = re.findall(r"\]\((.*?\.ipynb)\)", row)
    assert int(promised) == pytest.approx(sum(map(minutes_of, pages)), rel=0.15)


def test_there_are_three_ways():
    assert len(ROWS) == 3 + 7 + 2
