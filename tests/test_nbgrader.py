"""The exercises in a real nbgrader course, an assignment a chapter: released, handed in, graded.

All are released. One is graded for each change, the others once a week: a grading runs three
notebooks.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import notebooks
import pytest
from nbgrader.api import Gradebook

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.stem for path in (ROOT / "book/src/exercises").glob("*.py"))
GRADED_OFTEN = {"04_analytic_kl"}
pytestmark = pytest.mark.slow
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "vae"
c.ExecutePreprocessor.timeout = 120
"""


def nbgrader(course, *arguments):
    command = [sys.executable, "-m", "nbgrader", *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "JUPYTER_CONFIG_DIR": str(course)}
    done = subprocess.run(command, cwd=course, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def hand_in(course, student, page, notebook):
    path = course / f"submitted/{student}/{page}/{page}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def half_done(stubs, solved):
    """The stubs with every other answer filled in; also how many that are."""
    answers = {c.metadata.nbgrader.grade_id: c.source for c in solved.cells if is_answer(c)}
    done = 0
    for number, cell in enumerate(filter(is_answer, stubs.cells)):
        if number % 2 == 0:
            cell.source, done = answers[cell.metadata.nbgrader.grade_id], done + 1
    return stubs, done


def is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """With every assignment released."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(CONFIG)
    notebooks.write_assignments(folder)
    nbgrader(folder, "generate_assignment", "*")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_release_is_the_student_notebook(page, course):
    released = nbformat.read(course / f"release/{page}/{page}.ipynb", as_version=4)
    ours = nbformat.read(ROOT / f"book/exercises/{page}.ipynb", as_version=4)
    assert [cell.source for cell in released.cells] == [cell.source for cell in ours.cells]
    marks = [[cell.metadata.get("nbgrader") for cell in nb.cells] for nb in (released, ours)]
    assert marks[0] == marks[1]


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[] if p in GRADED_OFTEN else pytest.mark.weekly) for p in PAGES],
)
def test_marks_are_for_right_answers_alone(page, course):
    """Three students hand in all, half, and nothing."""
    source = nbformat.read(course / f"source/{page}/{page}.ipynb", as_version=4)
    released = nbformat.read(course / f"release/{page}/{page}.ipynb", as_version=4)
    half, done = half_done(copy.deepcopy(released), source)
    hand_in(course, "all", page, source)
    hand_in(course, "none", page, released)
    hand_in(course, "half", page, half)
    nbgrader(course, "autograde", page)
    expected = {"all": len(list(filter(is_answer, source.cells))), "half": done, "none": 0}
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        scores = {who: book.find_submission_notebook(page, page, who).score for who in expected}
    assert 0 < expected["half"] < expected["all"]
    assert scores == expected


def test_those_graded_often_are_there():
    assert GRADED_OFTEN <= set(PAGES)


def test_no_assignment_is_written_over(course):
    before = {path: path.read_bytes() for path in course.rglob("source/*/*.ipynb")}
    first = min(before)
    first.write_text("edited by a teacher")
    with pytest.raises(FileExistsError, match=first.name):
        notebooks.write_assignments(course)
    assert first.read_text() == "edited by a teacher"
    first.write_bytes(before[first])
