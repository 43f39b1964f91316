"""The page of what is wrong elsewhere: each check is one of the chapter it names."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
import refuted
import yaml
from docutils import nodes

ROOT = Path(__file__).parents[1]
CHAPTERS = len(list((ROOT / "book/src").glob("[0-9]*.py"))) + 1  # and the page of questions
ITEMS = yaml.safe_load((ROOT / "book/src/refuted.yml").read_text(encoding="utf-8"))
SAID = [item["said"] for item in ITEMS]


def claims_of(chapter):
    """Patterns of the texts that a chapter's source can claim."""
    tree = ast.parse((ROOT / f"book/src/{chapter}.py").read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args]
    texts = [c.args[0] for c in calls if getattr(c.func, "id", "") == "claim"]
    if any(isinstance(text, ast.Name) for text in texts):
        texts += ast.walk(tree)  # a name that a loop runs through: any text of the chapter
    return [pattern(text) for text in texts if pattern(text)]


def pattern(text):
    """A regular expression for a text or an f-string, "" for anything else."""
    if isinstance(text, ast.Constant):
        return re.escape(text.value) if isinstance(text.value, str) else ""
    pieces = text.values if isinstance(text, ast.JoinedStr) else []
    known = [isinstance(piece, ast.Constant) for piece in pieces]
    parts = [re.escape(p.value) if k else ".+" for p, k in zip(pieces, known, strict=True)]
    return "".join(parts) if any(known) else ""


@pytest.mark.parametrize("item", ITEMS, ids=SAID)
def test_every_check_is_a_claim_of_its_chapter(item):
    possible = claims_of(item["chapter"])
    for check in item["checks"]:
        assert any(re.fullmatch(claim, check) for claim in possible), check
    assert item["checks"]


def test_the_items_are_whole_and_in_the_order_of_the_chapters():
    assert len(ITEMS) >= 20 and len(set(SAID)) == len(SAID)
    assert all(item.keys() == {"chapter", "said", "checks", "right"} for item in ITEMS)
    chapters = [item["chapter"] for item in ITEMS]
    assert chapters == sorted(chapters) and len(set(chapters)) == CHAPTERS


def test_each_chapter_has_one_heading_and_each_item_its_checks():
    text = refuted.page_text(ITEMS)
    headings = re.findall(r"^## .*$", text, re.MULTILINE)
    assert len(headings) == len(set(headings)) == CHAPTERS
    for item in ITEMS:
        assert f"✗ You read:** “{item['said']}”" in text
        assert f"✓ Right:** {item['right']}" in text
    assert text.count("✓") == len(ITEMS) + sum(len(item["checks"]) for item in ITEMS)


def test_no_false_sentence_is_a_heading():
    headings = re.findall(r"^#+ (.*)$", refuted.page_text(ITEMS), re.MULTILINE)
    assert not [said for said in SAID for heading in headings if said[:20] in heading]


def test_a_line_is_in_the_innermost_section_that_holds_it():
    inner = nodes.section("", nodes.literal_block("", "✓ A: 1 (1 ± 0)\n✓ B: 2 (2 ± 0)"))
    outer = nodes.section("", nodes.literal_block("", "x"), inner)
    found = refuted.printed_in(nodes.document(None, None, "", outer))
    assert found == {"x": outer, "✓ A: 1 (1 ± 0)": inner, "✓ B: 2 (2 ± 0)": inner}


SHOWN = ["✓ A", "✓ A: 2 (at least 1)", "✓ A, too: 3 (3 ± 1)", "✓ E − p: 0, exact to rounding"]
PRINTED = defaultdict(list, {"03_elbo": [*SHOWN, "✓ A: the rest: −1 (at most 0)"]})


def test_a_check_gets_its_value_from_what_its_chapter_printed():
    assert refuted.measured("03_elbo ✓ A", PRINTED) == "✓ A: 2 (at least 1)"
    assert refuted.measured("03_elbo ✓ A, too", PRINTED) == "✓ A, too: 3 (3 ± 1)"
    assert refuted.measured("03_elbo ✓ E - p", PRINTED) == "✓ E − p: 0, exact to rounding"
    assert refuted.measured("03_elbo ✓ A: the rest", PRINTED) == "✓ A: the rest: −1 (at most 0)"


@pytest.mark.parametrize("line", ["03_elbo ✓ B", "03_elbo ✓ A,", "04_analytic_kl ✓ A"])
def test_a_check_that_nobody_printed_is_an_error(line):
    with pytest.raises(LookupError, match="no cell"):
        refuted.measured(line, PRINTED)
