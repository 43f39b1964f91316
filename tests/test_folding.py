"""What the generator folds by itself, what it calls it, and how long it says that a page takes."""

import folding
import pytest
import reading_time
from nbformat.v4 import new_code_cell, new_markdown_cell

IMPORTS = "\n".join(f"import module_{number}" for number in range(6))
FIGURE = "plotting.tiles(x, 5, caption='c', alt='a')"


def folded(source, **metadata):
    """The tags, the words, and what JupyterLab and Colab know, of a cell with this code."""
    cell = new_code_cell(source, metadata=metadata)
    folding.fold_what_is_not_read([cell])
    lab, colab = cell.metadata.get("jupyter"), cell.metadata.get("cellView")
    return cell.metadata.get("tags", []), cell.metadata.get("mystnb"), lab, colab


@pytest.mark.parametrize(
    "source, words",
    [
        ("claim('a', 1, at_least=0)", "Code of these checks"),
        ("# why\nclaim('a', 1, at_least=0)\nclaim('b', 2, at_least=0)", "Code of these checks"),
        ("for a in b:\n    if a:\n        claim(a, 1, at_least=0)", "Code of these checks"),
        (IMPORTS, "Imports"),
        (f"{IMPORTS}\nseed = begin('x')", "Imports"),
        (f"{IMPORTS}\n{FIGURE}", "Imports, and the code of this figure"),
    ],
)
def test_what_is_folded_without_being_asked(source, words):
    prompts = {"code_prompt_show": words, "code_prompt_hide": words}
    tags = ["hide-input", "checks"] if "checks" in words else ["hide-input"]
    assert folded(source) == (tags, prompts, {"source_hidden": True}, "form")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# claim('a', 1, at_least=0)",
        "loss = f(x)\nclaim('a', loss, at_least=0)",
        "for a in b:\n    loss = a\n    claim('a', loss, at_least=0)",
        "if a:\n    claim('a', 1, at_least=0)\nelse:\n    print(a)",
        "reclaim(1)",
        FIGURE,
        IMPORTS.split("\n", 1)[1],
    ],
)
def test_what_stays_open(source):
    assert folded(source) == ([], None, None, None)


@pytest.mark.parametrize(
    "source, words",
    [
        (FIGURE, "Code of this figure"),
        ("explorer.kl_bowl()", "Code of this figure"),
        (f"claim('a', 1, at_least=0)\n{FIGURE}", "Code of this figure, and the checks"),
        ("loss = f(x)\nclaim('a', loss, at_least=0)", "Code of these checks"),
        ("summary()", "Code of these checks"),
        ("x = f(y)", "Code"),
    ],
)
def test_what_is_asked_to_be_folded_is_called_by_what_it_is(source, words):
    tags, prompts, lab, colab = folded(source, tags=["hide-input", "other"])
    checks = ["checks"] if words == "Code of these checks" else []
    assert tags == ["hide-input", "other", *checks]
    assert lab == {"source_hidden": True} and colab == "form"
    assert prompts == {"code_prompt_show": words, "code_prompt_hide": words}


def test_text_is_left_alone():
    cell = new_markdown_cell("claim('a', 1, at_least=0)")
    folding.fold_what_is_not_read([cell])
    assert cell.metadata == {}


# ---- The reading time


def page(*, words=0, formulas=0, lines=0, folded=0):
    """A page with so much of everything."""
    text = "<!-- do not count this -->\n\n# Title\n\n" + "word, " * (words - 1)
    cells = [
        new_markdown_cell(text + "\n$$\na + b\n$$\n" * formulas),
        new_code_cell("x = 1\n\n# no line\n" * lines),
        new_code_cell("x = 1\n" * folded, metadata={"tags": ["hide-input"]}),
        new_code_cell("x = 1\n" * 100, metadata={"tags": ["remove-cell"]}),
    ]
    return cells


@pytest.mark.parametrize(
    "much, minutes",
    [
        ({"words": 10}, 5),
        ({"words": 2000}, 10),
        ({"words": 2000, "folded": 200}, 10),
        ({"words": 2000, "lines": 150}, 20),
        ({"words": 2000, "formulas": 30}, 20),
        ({"words": 4000, "lines": 75, "formulas": 15}, 30),
    ],
)
def test_words_formulas_and_visible_lines_take_their_time(much, minutes):
    assert reading_time.minutes(page(**much)) == minutes


@pytest.mark.parametrize(
    "text, number",
    [
        ("Two words.", 2),
        ("A [link text](address.ipynb#place) is two words of link.", 8),
        ("Let $a + b + c$ be one.", 4),
        ("It's a well-known name.", 4),
        ("$$\na + b\n$$", 0),
        ("```text\n✓ not prose: 1\n```", 0),
        ("<!-- a note -->", 0),
    ],
)
def test_words_are_those_of_prose(text, number):
    assert reading_time.words(text) == number


def test_it_stands_below_the_title():
    cells = page(words=2000)
    reading_time.write_below_title(cells)
    assert "# Title\n\n*About 10 minutes to read.*\n\nword" in cells[0].source
    assert cells[0].source.count("About") == 1
