"""Each story of the playground is told where its chapter speaks of it."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import stories
from docutils import nodes

from vae_course import explorer
from vae_course.explorer.stories import STORIES

SOURCES = Path(__file__).parents[1] / "book/src"
LINK = re.compile(r"\[([^\]]+)\]\(playground\.ipynb\)")


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_its_chapter_leads_to_it(story):
    (chapter,) = SOURCES.glob(f"{story.chapter:02}_*.py")
    assert story.title in LINK.findall(chapter.read_text(encoding="utf-8"))


def test_a_chapter_s_links_name_a_story():
    told = {story.title for story in STORIES.values()}
    for chapter in SOURCES.glob("[0-9]*.py"):
        assert set(LINK.findall(chapter.read_text(encoding="utf-8"))) <= told, chapter.name


def test_on_a_page_the_link_opens_the_story():
    builder = SimpleNamespace(format="html", get_relative_uri=lambda _, to: f"{to}.html")
    texts = {STORIES["mean"].title: "playground.html", "Playground": "playground.html"}
    texts[STORIES["beta"].title] = "elsewhere.html"  # another page of that name
    links = [nodes.reference("", text, refuri=uri) for text, uri in texts.items()]
    page = nodes.paragraph("", "", *links)
    stories.lead_to_stories(SimpleNamespace(builder=builder), page, "07_posterior_collapse")
    addresses = [link["refuri"] for link in links]
    assert addresses == ["playground.html#live-story-mean", "playground.html", "elsewhere.html"]
    assert 'id="live-story-mean"' in explorer.playground()._repr_html_()
