"""The words of the course: each leads to a section that there is."""

import re
from pathlib import Path

import glossary
import pytest
import yaml
from docutils import nodes
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[1]
ENTRIES = yaml.safe_load((ROOT / "book" / glossary.FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["term"])
def test_the_section_is_in_the_source_of_the_page(entry):
    source = (ROOT / f"book/src/{entry['page']}.py").read_text(encoding="utf-8")
    headings = re.findall(r"^#{1,3} (.+)$", source, re.MULTILINE)
    assert headings.count(entry["section"]) == 1


def test_a_word_stands_for_one_thing():
    words = [name.lower() for entry in ENTRIES for name in glossary.names(entry)]
    assert len(words) == len(set(words)) > 80
    assert sum("says" in entry for entry in ENTRIES) >= 25


def test_what_an_entry_says_begins_as_a_sentence_and_ends_as_one():
    for entry in ENTRIES:
        if says := entry.get("says"):
            assert re.match(r"[A-Z]", says) and says.endswith("."), entry["term"]


def page(*titles):
    sections = [
        nodes.section("", nodes.title("", title), ids=[f"id{i}"]) for i, title in enumerate(titles)
    ]
    return nodes.document(None, None, "", *sections)


def test_a_section_is_found_by_its_title_however_its_quotes_are_set():
    document = page("Sum or mean?", "The prior’s “hole”")
    assert glossary.find(document, 'The prior\'s "hole"', "x")["ids"] == ["id1"]
    with pytest.raises(ExtensionError, match="x has no section “Mean”"):
        glossary.find(document, "Mean", "x")
