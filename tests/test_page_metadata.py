"""What a shared link shows, and where a page leads."""

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import page_metadata
import pytest
import reading_order
import searching
from docutils import nodes
from PIL import Image


def document(*paragraphs):
    section = nodes.section("", nodes.title("", "T"), *paragraphs)
    return nodes.document(None, None, "", section)


LONG = "The first sentence is long enough to say what this page is about. "


def test_a_description_is_whole_sentences_of_the_first_paragraph_that_has_some():
    short = nodes.paragraph("", "About 5 minutes.")
    own = nodes.paragraph("", LONG + "How to open it.", classes=["open-here"])
    text = nodes.paragraph("", f"{LONG}And at the end\nof it you can")
    assert page_metadata.description(document(short, own, text)) == LONG.strip()
    assert page_metadata.description(document(short)) == page_metadata.SUMMARY
    assert page_metadata.description(None) == page_metadata.SUMMARY


def test_a_long_paragraph_is_cut_after_a_sentence():
    text = page_metadata.description(document(nodes.paragraph("", LONG * 9)))
    assert text == (LONG * 3).strip() and len(text) <= page_metadata.LONGEST


def test_a_formula_becomes_its_letters():
    formula = nodes.math("", r"\sigma_x")
    text = nodes.paragraph("", "", nodes.Text("So far we set the deviation "), formula)
    text += nodes.Text(" by hand, and never said why.")
    found = page_metadata.description(document(text))
    assert found == "So far we set the deviation σx by hand, and never said why."


def tags(page="03_elbo", base="", title="3 · The <b>ELBO</b>"):
    config = SimpleNamespace(html_title="Course", html_baseurl=base, root_doc="index")
    context = {"title": title, "pageurl": base and f"{base}{page}.html"}
    page_metadata.add_tags(SimpleNamespace(config=config), page, "page.html", context, None)
    return context


def test_tags_name_addresses_only_where_there_is_one():
    without, base = tags()["metatags"], "https://owner.github.io/name/"
    assert "http" not in without and "og:image" not in without and "og:description" in without
    there = tags(base=base)["metatags"]
    assert f'"og:image" content="{base}_static/card.png"' in there
    assert f'"og:url" content="{base}03_elbo.html"' in there


def test_the_front_page_says_its_title_once():
    assert tags("index")["docstitle"] == "" and "docstitle" not in tags()
    assert tags("index")["theme_logo"]["text"] and "theme_logo" not in tags()  # the link home


def test_the_sitemap_lists_each_page():
    tree = ElementTree.fromstring(page_metadata.sitemap("https://a.b/c/", ["index", "03_elbo"]))
    assert [url[0].text for url in tree] == [
        "https://a.b/c/index.html",
        "https://a.b/c/03_elbo.html",
    ]


def test_the_card_is_a_picture_with_the_title_on_paper(tmp_path):
    page_metadata.draw_card(tmp_path / "x/card.png", "Variational auto-encoders, checked")
    card = Image.open(tmp_path / "x/card.png").convert("L")
    assert card.size == page_metadata.CARD_SIZE
    paper = np.asarray(card)[:, 640:]
    inked = (paper < 128).any(axis=0).nonzero()[0]
    assert inked[0] > 15 and inked[-1] < paper.shape[1] - 15  # nothing runs over the edge
    assert (tmp_path / "x/card.png").stat().st_size < 150_000


# ---- Where a page leads

RELATIONS = {
    "index": [None, None, "1"],
    "1": [None, "index", "exercises/1"],
    "exercises/1": [None, "1", "solutions/1"],
    "solutions/1": [None, "exercises/1", "2"],
    "2": [None, "solutions/1", "solutions/2"],
    "solutions/2": [None, "2", None],
}


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("1", "index", "exercises/1"),
        ("exercises/1", "1", "2"),
        ("solutions/1", "exercises/1", "2"),
        ("2", "exercises/1", None),
    ],
)
def test_next_and_previous_pass_the_solutions_by(page, before, after):
    assert reading_order.neighbour(RELATIONS, page, reading_order.PREVIOUS) == before
    assert reading_order.neighbour(RELATIONS, page, reading_order.NEXT) == after


@pytest.mark.parametrize("url", ["", "https://github.com/owner/name"])
def test_an_exercise_says_how_to_open_it(url):
    options = {"repository_url": url} if url else {}
    config = SimpleNamespace(html_theme_options=options)
    app = SimpleNamespace(builder=SimpleNamespace(name="html"), config=config)
    text = document(nodes.paragraph("", "x"))
    reading_order.say_how_to_open(app, text, "exercises/03_elbo")
    links = [link["refuri"] for link in text.findall(nodes.reference)]
    file = "exercises/03_elbo.ipynb"
    outside = [
        f"https://colab.research.google.com/github/owner/name/blob/main/book/{file}",
        f"{url}/blob/main/book/{file}",
    ]
    assert links == [f"../_sources/{file}"] + (outside if url else [])
    assert f"jupyter lab book/{file}" in text.astext()
    chapter = document(nodes.paragraph("", "x"))
    reading_order.say_how_to_open(app, chapter, "03_elbo")
    assert "jupyter lab" not in chapter.astext()


def test_solutions_are_not_searched():
    pages = {"03_elbo": {}, "exercises/03_elbo": {}, "solutions/03_elbo": {}}
    env = SimpleNamespace(found_docs=set(pages), metadata=pages)
    assert searching.hide_solutions(None, env) == []
    assert [page for page, data in pages.items() if "nosearch" in data] == ["solutions/03_elbo"]


def test_every_extension_is_in_the_configuration():
    root = Path(__file__).parents[1]
    config = (root / "_config.yml").read_text(encoding="utf-8")
    for file in (root / "book/_ext").glob("*.py"):
        if "def setup(" in file.read_text(encoding="utf-8"):
            assert f"\n    {file.stem}: book/_ext\n" in config
