import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book/src").glob("*.py"))


def load_tool(root):
    spec = importlib.util.spec_from_file_location("notebooks", root / "tools/notebooks.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


FIRST = r'''# %% [markdown]
r"""
# 1 · The first

Text with $\mu$.
"""

# %%
same = 1

# %% tags=["hide-input"]
print("é")

# %%
same = 1
'''
SECOND = '''# %% [markdown]
"""
# 2 · The second
"""

# %%
other = 2

# %%
same = 1
'''


@pytest.fixture
def course(tmp_path):
    """A course of two chapters, with the generator in its place."""
    (tmp_path / "tools").mkdir()
    for tool in ("notebooks", "exercises", "folding", "reading_time", "repository"):
        shutil.copy(ROOT / f"tools/{tool}.py", tmp_path / "tools")
    (tmp_path / "_config.yml").write_text('repository:\n  url: ""\n')
    (tmp_path / "book/src").mkdir(parents=True)
    (tmp_path / "book/src/01_first.py").write_text(FIRST, encoding="utf-8")
    (tmp_path / "book/src/02_second.py").write_text(SECOND, encoding="utf-8")
    return tmp_path


@pytest.fixture
def generate(course, monkeypatch):
    """Run the generator as the command line does, and return its exit status."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["notebooks.py", *arguments])
        return load_tool(course).main()

    return run


def cells(course, name):
    """The cells that come from the source: all but the one that installs the package."""
    notebook = json.loads((course / f"book/{name}.ipynb").read_text(encoding="utf-8"))
    return without_install(notebook["cells"])


def without_install(cells):
    folded = {"tags": ["remove-cell"], "jupyter": {"source_hidden": True}}
    assert "find_spec" in text(cells[1]) and cells[1]["metadata"] == folded
    return cells[:1] + cells[2:]


def text(cell):
    return "".join(cell["source"])


def bytes_of(course):
    return {path.name: path.read_bytes() for path in (course / "book").glob("*.ipynb")}


# ---- What is written


def test_a_notebook_for_each_source_and_no_other(course, generate, capsys):
    (course / "book/03_gone.ipynb").write_text("{}")
    assert generate() == 0
    assert bytes_of(course).keys() == {"01_first.ipynb", "02_second.ipynb"}
    assert capsys.readouterr().out.splitlines() == [
        "wrote 01_first.ipynb",
        "wrote 02_second.ipynb",
        "removed 03_gone.ipynb",
    ]


def test_cells_hold_the_text_of_the_source(course, generate):
    generate()
    first, *rest = cells(course, "01_first")
    assert (first["cell_type"], first["metadata"]) == ("markdown", {})
    title, time = "# 1 · The first", "*About 5 minutes to read.*"
    assert text(first).endswith(f"\n\n{title}\n\n{time}\n\nText with $\\mu$.")
    assert [(cell["cell_type"], text(cell)) for cell in rest] == [
        ("code", "same = 1"),
        ("code", 'print("é")'),
        ("code", "same = 1"),
    ]
    assert [cell["metadata"].get("tags") for cell in rest] == [None, ["hide-input"], None]


def test_the_first_cell_names_the_file_to_edit(course, generate):
    generate()
    note = text(cells(course, "02_second")[0]).splitlines()[0]
    assert note.startswith("<!--") and note.endswith("-->")
    assert "edit book/src/02_second.py" in note


def test_there_are_no_outputs(course, generate):
    generate()
    for cell in cells(course, "01_first") + cells(course, "02_second"):
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_metadata_names_the_kernel_and_no_version(course, generate):
    generate()
    notebook = json.loads((course / "book/01_first.ipynb").read_text(encoding="utf-8"))
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)


@pytest.mark.slow
def test_written_again_every_byte_is_the_same(course, generate):
    generate()
    first = bytes_of(course)
    for path in (course / "book").glob("*.ipynb"):
        path.unlink()
    subprocess.run(
        [sys.executable, course / "tools/notebooks.py"],
        env=os.environ | {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0"},
        cwd=course / "tools",
        check=True,
        capture_output=True,
    )
    assert bytes_of(course) == first
    assert all(data.endswith(b"}\n") and b"\r" not in data for data in first.values())


# ---- Ids


def test_an_id_is_a_hash_of_the_text(course, generate):
    generate()
    ids = {text(cell): cell["id"] for cell in cells(course, "02_second")}
    assert ids["other = 2"] == hashlib.sha256(b"code\nother = 2\n1").hexdigest()[:12]


def test_equal_cells_have_different_ids(course, generate):
    generate()
    ids = [cell["id"] for cell in cells(course, "01_first")]
    assert len(set(ids)) == len(ids) == 4


def test_a_cell_keeps_its_id_wherever_it_stands(course, generate):
    generate()
    ids = {name: [c["id"] for c in cells(course, name)] for name in ("01_first", "02_second")}
    assert ids["01_first"][1] == ids["02_second"][2]
    source = course / "book/src/02_second.py"
    source.write_text(SECOND.replace("# %%\nother", "# %%\nnew = 3\n\n# %%\nother"))
    generate()
    later = [cell["id"] for cell in cells(course, "02_second")]
    assert later[:1] + later[2:] == ids["02_second"] and later[1] not in ids["02_second"]


def test_text_and_code_with_the_same_words_have_different_ids(course, generate):
    source = course / "book/src/02_second.py"
    source.write_text(SECOND + '\n# %% [markdown]\n"""\nother = 2\n"""\n')
    generate()
    ids = [cell["id"] for cell in cells(course, "02_second") if text(cell) == "other = 2"]
    assert len(set(ids)) == 2


# ---- What is out of date


def stale(course):
    return {path.name: right for path, right in load_tool(course).out_of_date().items()}


def test_nothing_is_out_of_date_after_writing(course, generate, capsys):
    generate()
    capsys.readouterr()
    assert stale(course) == {}
    assert generate("--check") == generate() == 0
    assert capsys.readouterr().out == ""


def spoil_source(course):
    path = course / "book/src/01_first.py"
    path.write_text(path.read_text(encoding="utf-8").replace("same = 1", "same = 2", 1), "utf-8")


def spoil_output(course):
    path = course / "book/01_first.ipynb"
    notebook = path.read_text(encoding="utf-8")
    path.write_text(notebook.replace('"execution_count": null', '"execution_count": 1', 1), "utf-8")


def spoil_line_ends(course):
    path = course / "book/01_first.ipynb"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def spoil_last_line_end(course):
    path = course / "book/01_first.ipynb"
    path.write_bytes(path.read_bytes().rstrip())


def remove(course):
    (course / "book/01_first.ipynb").unlink()


@pytest.mark.parametrize(
    "spoil", [spoil_source, spoil_output, spoil_line_ends, spoil_last_line_end, remove]
)
def test_a_difference_is_reported_and_mended(spoil, course, generate, capsys):
    generate()
    spoil(course)
    capsys.readouterr()
    before = bytes_of(course)
    (right,) = stale(course).items()
    assert generate("--check") == 1 and bytes_of(course) == before
    assert capsys.readouterr().out == "out of date: 01_first.ipynb\n"
    generate()
    assert (course / "book/01_first.ipynb").read_bytes() == right[1].encode()
    assert right[0] == "01_first.ipynb" and stale(course) == {}


def test_a_notebook_without_source_is_reported_and_left_alone(course, generate):
    generate()
    (course / "book/src/02_second.py").unlink()
    assert stale(course) == {"02_second.ipynb": None}
    assert generate("--check") == 1 and (course / "book/02_second.ipynb").exists()


@pytest.mark.parametrize("source", ["# %%\nprint(1)\n", ""], ids=["code first", "empty"])
def test_a_source_must_begin_with_markdown(source, course):
    (course / "book/src/02_second.py").write_text(source)
    with pytest.raises(ValueError, match=r"02_second\.py.*Markdown"):
        load_tool(course).out_of_date()


# ---- The chapters of this course

# What only Sphinx and MyST understand, and Colab shows as it stands.
SPHINX = re.compile(
    r"^\s*(```+|~~~+|:::+)\s*\{"  # directives: ```{note}
    r"|\{[a-z][\w:.+-]*\}`"  # roles: {ref}`place`
    r"|^\([\w-]+\)=\s*$"  # targets: (place)=
    r"|^\s*:::"  # colon fences
    r"|\{\{.*\}\}"  # substitutions
    r"|^\s*\.\. [a-z-]+::",  # reStructuredText
    re.MULTILINE,
)


def test_the_pattern_finds_what_only_sphinx_understands():
    for wrong in (
        "```{note}\nx\n```",
        "see {ref}`place`",
        "{cite:p}`kingma`",
        "text\n(place)=\n# Title",
        ":::{tip}",
        ".. note:: x",
    ):
        assert SPHINX.search(wrong), wrong
    for right in (
        "$\\mathcal{N}(\\mu)$ and `code`",
        "```python\nx = {1}\n```",
        "$f(x)= y$",
        "[chapter 1](01.ipynb)",
        "a {set} of `things`",
        "$\\frac{\\text{ref}}{2}$",
    ):
        assert not SPHINX.search(right), right


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    """The cells of one chapter, as its source gives them."""
    (written,) = load_tool(ROOT).notebooks_of(request.param).values()
    return without_install(json.loads(written)["cells"])


def code_of(chapter, but=()):
    """The lines of each code cell, except cells with a tag in `but`."""
    cells = [cell for cell in chapter if cell["cell_type"] == "code"]
    return [
        text(cell).splitlines()
        for cell in cells
        if not set(but) & set(cell["metadata"].get("tags", ()))
    ]


def is_code(line):
    return bool(line.strip()) and not line.strip().startswith("#")


def test_the_committed_notebooks_are_up_to_date():
    names = [path.name for path in load_tool(ROOT).out_of_date()]
    assert not names, "run `make notebooks`"


def test_there_are_chapters():
    assert len(CHAPTERS) >= 2


@pytest.fixture
def visible(chapter):
    """The cells whose code is not folded, each a list of lines."""
    return code_of(chapter, but=["hide-input"])


# The whole VAE, to be copied in one piece.
ONE_SCREEN = {"02_from_ae_to_vae": 40}


def test_few_visible_cells_are_longer_than_25_lines(visible, request):
    longest = ONE_SCREEN.get(request.node.callspec.id, 25)
    lengths = sorted(sum(map(is_code, lines)) for lines in visible)
    assert lengths[-1] <= longest and lengths[-2] <= 25


CAPTION = re.compile(r"\s*(caption=|alt=|[rf]?\")")


# The largest system of the course: its curves, its parts, its audit and its walks are on one page.
# And a ladder of priors that is climbed with two models, to a second stage trained at three scales.
FOLDED = {"10_faces": 415, "11_prior": 415}


def test_a_reader_meets_few_lines_of_code(chapter, visible, request):
    assert sum(map(is_code, sum(visible, []))) <= 120
    # Folded ones are read, too. Their captions and descriptions are read on the page.
    everything = [line for line in sum(code_of(chapter), []) if not CAPTION.match(line)]
    assert sum(map(is_code, everything)) <= FOLDED.get(request.node.callspec.id, 350)


def test_no_visible_line_is_wider_than_a_page(visible):
    assert not [line for line in sum(visible, []) if len(line) > 88]


def text_of(chapter):
    return "\n\n".join(text(cell) for cell in chapter if cell["cell_type"] == "markdown")


def test_a_chapter_reads_well_outside_sphinx(chapter):
    assert not SPHINX.findall(text_of(chapter))


def test_formulas_have_no_doubled_backslashes(chapter):
    # They come from a text in """ in place of r""".
    assert not re.findall(r"[^\\]\\\\[a-zA-Z]{2,}", text_of(chapter))
