"""Write the notebooks of the course from their sources.

    python tools/notebooks.py             write what has changed, remove what has no source
    python tools/notebooks.py --check     only name what is out of date, and fail if there is any
    python tools/notebooks.py --nbgrader FOLDER    write the exercises for an nbgrader course

book/src/NAME.py gives book/NAME.ipynb; book/src/exercises/NAME.py gives two, the student's in
book/exercises/ and the page with answers in book/solutions/. A notebook holds no outputs, and its
bytes depend on its source and the repository's address alone: the id of a cell is a hash of the
cell's text. The first code cell installs the package where it is missing; pages do not show it.
What is not read is folded (folding.py), and a chapter says how long it takes (reading_time.py).
"""

import argparse
import hashlib
import sys
from collections import Counter
from pathlib import Path

import jupytext
import nbformat
from exercises import page, solution, student
from folding import fold_what_is_not_read
from reading_time import write_below_title
from repository import address, install_cell

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("", "exercises/", "solutions/")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebooks_of(source: Path, root: Path = ROOT) -> dict[Path, str]:
    """The notebooks that a py:percent file gives: path -> the text of the .ipynb."""
    notebook, name = read_source(source, root), f"{source.stem}.ipynb"
    if source.parent.name != "exercises":
        write_below_title(notebook.cells)
        return {root / "book" / name: as_text(notebook)}
    solved = solution(notebook)
    return {
        root / "book/solutions" / name: as_text(page(solved, source.stem)),
        root / "book/exercises" / name: as_text(student(solved)),
    }


def write_assignments(course: Path, root: Path = ROOT) -> None:
    """The source version of each exercise, in an nbgrader course: an assignment a chapter.

    Raises FileExistsError, before anything is written, where an assignment is there already.
    """
    sources = sorted((root / "book/src/exercises").glob("*.py"))
    paths = [course / "source" / source.stem / f"{source.stem}.ipynb" for source in sources]
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} exists; move it away, or choose another folder")
    for source, path in zip(sources, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_text(solution(read_source(source, root))).encode())


def read_source(source: Path, root: Path = ROOT) -> nbformat.NotebookNode:
    """A py:percent file as a notebook, with a note for editors and the cell that installs.

    Raises ValueError unless the first cell is Markdown, where the note goes.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    if not notebook.cells or notebook.cells[0].cell_type != "markdown":
        raise ValueError(f"{source}: the first cell must be Markdown, with the title")
    edit = source.relative_to(root).as_posix()
    first = notebook.cells[0]
    first.source = f"<!-- Generated: edit {edit}, then run `make notebooks`. -->\n\n{first.source}"
    for cell in notebook.cells:
        for key in ("cell_marker", "lines_to_next_cell"):  # how the source is written
            cell.metadata.pop(key, None)
    fold_what_is_not_read(notebook.cells)
    install = nbformat.v4.new_code_cell(install_cell(address(root)))
    install.metadata |= {"tags": ["remove-cell"], "jupyter": {"source_hidden": True}}
    notebook.cells.insert(1, install)
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def as_text(notebook: nbformat.NotebookNode) -> str:
    """The .ipynb file, with ids that depend on the cells' texts alone."""
    _set_ids(notebook.cells)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _set_ids(cells: list) -> None:
    seen = Counter()
    for cell in cells:
        text = f"{cell.cell_type}\n{cell.source}"
        seen[text] += 1  # two cells with the same text still need different ids
        cell.id = hashlib.sha256(f"{text}\n{seen[text]}".encode()).hexdigest()[:12]


def out_of_date(root: Path = ROOT) -> dict[Path, str | None]:
    """The notebooks that differ from what their sources give: path -> right text, None for none."""
    book = root / "book"
    right = {}
    for source in sorted((book / "src").rglob("*.py")):
        right |= notebooks_of(source, root)
    stale = {path: text for path, text in right.items() if _read(path) != text}
    there = [path for folder in FOLDERS for path in sorted(book.glob(f"{folder}*.ipynb"))]
    return stale | {path: None for path in there if path not in right}


def _read(path: Path) -> str | None:
    # Bytes, so that Windows line ends count as a difference.
    return path.read_bytes().decode() if path.exists() else None


def update(check: bool) -> int:
    """Write what is out of date, or only name it; how many notebooks that are."""
    stale = out_of_date()
    for path, text in stale.items():
        verb = "out of date:" if check else "wrote" if text else "removed"
        print(verb, path.relative_to(ROOT / "book"))
        if not check and text is None:
            path.unlink()
        elif not check:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
    return len(stale)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if out of date")
    parser.add_argument("--nbgrader", type=Path, metavar="FOLDER", help="an nbgrader course")
    options = parser.parse_args()
    if not options.nbgrader:
        return int(update(options.check) > 0 and options.check)
    try:
        write_assignments(options.nbgrader)
    except FileExistsError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
