"""The exercise notebooks as a learner meets them."""

from pathlib import Path

import exercises
import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "book/src/exercises").glob("*.py"))
PAGES = [path.stem for path in SOURCES]
RUN_OFTEN = {"04_analytic_kl"}  # the others once a week


def read(folder, page):
    return nbformat.read(ROOT / f"book/{folder}/{page}.ipynb", as_version=4)


def tasks(notebook):
    return [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def page(request):
    return request.param.stem


def test_four_to_nine_tasks(page):
    assert 4 <= len(tasks(read("exercises", page))) <= 9


def test_every_task_has_an_aim_and_hints(page):
    texts = [c.source for c in read("exercises", page).cells if c.source.startswith("## Task")]
    assert len(texts) == len(tasks(read("exercises", page)))
    for text in texts:
        assert "**Aim:**" in text
        assert text.count("<details><summary>Hint") >= 2


def test_no_answer_is_in_the_student_notebook(page):
    solved = [c for c in read("solutions", page).cells if exercises.BEGIN in c.source]
    stubs = "".join(c.source for c in read("exercises", page).cells if c.cell_type == "code")
    assert "SOLUTION" not in stubs
    for cell in solved:
        region = cell.source.split(exercises.BEGIN)[1].split("### END")[0]
        assert region.strip() not in stubs


def test_answers_are_folded_on_the_page(page):
    solutions = read("solutions", page)
    for cell in solutions.cells:
        tags = cell.metadata.get("tags", [])
        assert ("hide-input" in tags) == (exercises.BEGIN in cell.source)
        lab, words = cell.metadata.get("jupyter", {}), cell.metadata.get("mystnb", {})
        # The cell that installs the package is on no page, and folded in JupyterLab.
        folded = exercises.BEGIN in cell.source or "remove-cell" in tags
        assert lab.get("source_hidden", False) == folded
        assert (words.get("code_prompt_show") == "Solution") == (exercises.BEGIN in cell.source)
    assert sum(exercises.BEGIN in cell.source for cell in solutions.cells) == len(
        tasks(read("exercises", page))
    )
    assert "# Solutions " in solutions.cells[0].source
    assert f"(../exercises/{page}.ipynb)" in solutions.cells[0].source


def test_chapter_exercises_and_solutions_lead_to_one_another(page):
    chapter = (ROOT / f"book/src/{page}.py").read_text("utf-8")
    assert f"(exercises/{page}.ipynb)" in chapter
    assert f"(../{page}.ipynb)" in read("exercises", page).cells[0].source
    assert f"(../solutions/{page}.ipynb)" in read("exercises", page).cells[0].source
    assert SOURCES and f"exercises/{page}" in (ROOT / "_toc.yml").read_text("utf-8")


def test_every_chapter_has_exercises():
    pages = {path.stem for path in (ROOT / "book/src").glob("*.py")}
    to_be_used = {"recipe", "your_own_data", "playground"}
    second_pages = {"12b_richer_codes"}  # of a chapter whose exercises go with both
    assert {path.stem for path in SOURCES} == pages - to_be_used - second_pages


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[] if p in RUN_OFTEN else pytest.mark.weekly) for p in PAGES],
)
def test_a_student_notebook_stops_at_its_first_stub_with_a_message(page, tmp_path):
    notebook = read("exercises", page)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True)
    client.execute(cwd=str(tmp_path))  # all cells, as a learner may do who skips a task
    errors = [(c, o) for c in notebook.cells for o in c.get("outputs", []) if "ename" in o]
    assert [cell.source for cell, _ in errors] == [cell.source for cell in tasks(notebook)]
    for _, error in errors:
        assert error.ename == "NotYet"
        assert error.traceback == [error.evalue]  # our own frames are of no use to a learner
        assert "not written yet" in error.evalue


SOURCE = '''# %% [markdown]
"""
# Exercises
"""

# %%
def answer():
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION

# %%
check.task(answer)
'''


@pytest.mark.parametrize(
    "missing, part", [("check.task(answer)", "no check"), ("### BEGIN SOLUTION", "no answer")]
)
def test_an_answer_and_its_check_come_together(missing, part):
    notebook = jupytext.reads(SOURCE.replace(missing, ""), fmt="py:percent")
    with pytest.raises(ValueError, match=part):
        exercises.solution(notebook)


def test_a_page_of_solutions_needs_the_title_of_an_exercise():
    with pytest.raises(ValueError, match="Exercises N"):
        exercises.page(jupytext.reads(SOURCE, fmt="py:percent"), "04_topic")


def test_a_student_gets_the_stub_and_keeps_the_rest():
    solved = exercises.solution(jupytext.reads(SOURCE, fmt="py:percent"))
    stub = exercises.student(solved)
    assert stub.cells[1].source.splitlines() == [
        "def answer():",
        "    # YOUR CODE HERE",
        "    raise NotImplementedError()",
    ]
    assert stub.cells[2].source == "check.task(answer)"
    assert not stub.cells[2].metadata.editable
    assert "BEGIN SOLUTION" in solved.cells[1].source  # the solution is left as it was
