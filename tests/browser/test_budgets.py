"""What a chapter may ask of its reader: pictures soon and often, little code, not too many words.

Measured on the built pages at the size of a small laptop, with what is folded left folded. Pictures
are asked of pages that are read from top to bottom, not of those in which one looks something up.
"""

import pytest
from built import PAGES, ROOT
from test_pages import SETTLED

SCREEN = {"width": 1280, "height": 720}
SEEN = 100  # pixels of a picture that make one look at it
LOOKED_UP = ("recipe", "questions")


def pages(names):
    return [pytest.param(f"{n}.html", marks=pytest.mark.xdist_group(f"{n}.html")) for n in names]


CHAPTERS = sorted(source.stem for source in (ROOT / "book/src").glob("*.py"))
each = pytest.mark.parametrize("chapter", pages(CHAPTERS), indirect=True)
each_that_is_read = pytest.mark.parametrize(
    "chapter", pages(name for name in CHAPTERS if name not in LOOKED_UP), indirect=True
)

pytestmark = pytest.mark.slow

MEASURE = """async () => {
    const page = document.querySelector("article.bd-article");
    const images = [...page.querySelectorAll("img")];
    images.forEach((e) => { e.loading = "eager"; });
    await Promise.allSettled(images.map((e) => e.decode()));
    const box = (e) => {
        const { top, bottom, height } = e.getBoundingClientRect();
        return { top: top + scrollY, bottom: bottom + scrollY, height };
    };
    const figures = [...page.querySelectorAll("figure")].filter((e) => box(e).height > 0);
    const sources = [...page.querySelectorAll(".cell_input pre")]
        .filter((e) => e.checkVisibility());
    const prose = page.cloneNode(true);
    const none = ".cell, .math, math, figure, table, pre, script, style, .headerlink";
    prose.querySelectorAll(none).forEach((e) => e.remove());
    return {
        end: box(page).bottom,
        figures: figures.map(box),
        captions: figures.map((e) => e.querySelector("figcaption").textContent.trim()),
        code: sources.flatMap((e) => e.textContent.split("\\n")).map((line) => line.trimEnd()),
        words: prose.textContent.match(/[\\p{L}\\p{N}][\\p{L}\\p{N}'’-]*/gu).length,
    };
}"""


@pytest.fixture(scope="module")
def chapter(request, tab, site):
    """What a chapter is made of, from top to bottom, in pixels from the top of the page."""
    tab.set_viewport_size(SCREEN)
    tab.emulate_media(color_scheme="light")
    tab.goto(f"{site}/{request.param}")
    tab.evaluate(SETTLED)
    return tab.evaluate(MEASURE)


def gaps(chapter):
    """What lies before, between and after the pictures, in screens."""
    ends = [0, *(figure["bottom"] for figure in chapter["figures"])]
    starts = [*(figure["top"] for figure in chapter["figures"]), chapter["end"]]
    return [(start - end) / SCREEN["height"] for end, start in zip(ends, starts, strict=True)]


def lines_of_code(chapter):
    return [line for line in chapter["code"] if line and not line.lstrip().startswith("#")]


def test_every_chapter_is_built():
    assert {f"{name}.html" for name in CHAPTERS} <= set(PAGES)


@each_that_is_read
def test_the_first_screen_has_a_picture(chapter):
    assert chapter["figures"][0]["top"] <= SCREEN["height"] - SEEN


@each_that_is_read
def test_four_screens_on_there_is_another_picture(chapter):
    assert max(gaps(chapter)) <= 4


@each
def test_a_reader_meets_few_lines_of_code_and_none_is_cut_off(chapter):
    lines = lines_of_code(chapter)
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 88


@each
def test_it_has_at_most_four_thousand_words(chapter):
    assert chapter["words"] <= 4_000


@each
def test_its_figures_are_numbered_from_top_to_bottom(chapter):
    told = [caption.split(". ")[0] for caption in chapter["captions"]]
    assert told == [f"Figure {number}" for number in range(1, len(told) + 1)]
