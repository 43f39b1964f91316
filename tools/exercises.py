"""Student, teacher and solution notebooks from one source, by nbgrader's own preprocessors.

In a source, an answer is a cell with a function that has `### BEGIN SOLUTION` and `### END
SOLUTION` inside; the check of a task is the next cell that begins with `check.`, and the name of
the check is the name of the task. nbgrader's metadata follow from that.
"""

import copy
import re

from folding import fold
from nbformat import NotebookNode
from nbgrader.preprocessors import CheckCellMetadata, ClearSolutions, ComputeChecksums, LockCells

BEGIN = "### BEGIN SOLUTION"
POINTS = 1  # a task


def solution(notebook: NotebookNode) -> NotebookNode:
    """The notebook with every answer: the source version of an nbgrader assignment.

    Raises ValueError where an answer has no check, or a check no answer.
    """
    notebook = copy.deepcopy(notebook)
    answer = None
    for cell in notebook.cells:
        if cell.cell_type == "code" and BEGIN in cell.source:
            if answer:
                raise ValueError(f"no check after the answer {answer.source.splitlines()[0]!r}")
            answer = cell
        elif cell.cell_type == "code" and (check := re.match(r"check\.(\w+)\(", cell.source)):
            if not answer:
                raise ValueError(f"no answer before {check[0]}…)")
            _mark(answer, f"{check[1]}-answer", solution=True)
            _mark(cell, check[1], grade=True)
            answer = None
    if answer:
        raise ValueError(f"no check after the answer {answer.source.splitlines()[0]!r}")
    return notebook


def student(solved: NotebookNode) -> NotebookNode:
    """What nbgrader releases: stubs for answers, and checks that cannot be edited."""
    notebook = copy.deepcopy(solved)
    for step in (LockCells, ClearSolutions, CheckCellMetadata, ComputeChecksums):
        notebook, _ = step().preprocess(notebook, {})
    return notebook


def page(solved: NotebookNode, name: str) -> NotebookNode:
    """The solutions as a page of the book: each answer one click away."""
    notebook = copy.deepcopy(solved)
    for cell in notebook.cells:
        marks = cell.metadata.pop("nbgrader", {})
        if marks.get("solution"):
            fold(cell, "Solution")
        elif marks.get("grade"):
            cell.metadata["tags"] = ["verdict"]  # a sentence, which the page may wrap
    _set_title(notebook.cells[0], name)
    return notebook


def _set_title(cell: NotebookNode, name: str) -> None:
    title = re.search(r"^# Exercises( \d+)? · (.+)$", cell.source, re.MULTILINE)
    if not title:
        raise ValueError(f"{name}: the title must read `# Exercises N · Topic`, or without N")
    number = title[1] or ""
    cell.source = cell.source[: title.start()] + (
        f"# Solutions{number} · {title[2]}\n\nOne answer to each task of "
        f"[exercises{number}](../exercises/{name}.ipynb). Others are right, too: the checks "
        "compare what your function does, not how it is written. Try first, then unfold."
    )


def _mark(cell: NotebookNode, name: str, *, grade: bool = False, solution: bool = False) -> None:
    cell.metadata["nbgrader"] = {
        "grade": grade,
        "grade_id": name,
        "locked": grade,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    } | ({"points": POINTS} if grade else {})
