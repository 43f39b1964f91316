"""Write the notebooks of the course from their sources: book/src/NAME.py -> book/NAME.ipynb.

    python tools/notebooks.py           write what has changed, remove what has no source
    python tools/notebooks.py --check   only name what is out of date, and fail if there is any

A notebook holds no outputs, and its bytes depend on its source alone: the id of a cell is a hash
of the cell's text.
"""

import argparse
import hashlib
import sys
from collections import Counter
from pathlib import Path

import jupytext
import nbformat

ROOT = Path(__file__).resolve().parents[1]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook_text(source: Path, root: Path = ROOT) -> str:
    """The notebook that belongs to a py:percent file, as the text of its .ipynb.

    Raises ValueError unless the first cell is Markdown, where the note for editors goes.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    if not notebook.cells or notebook.cells[0].cell_type != "markdown":
        raise ValueError(f"{source}: the first cell must be Markdown, with the title")
    edit = source.relative_to(root).as_posix()
    first = notebook.cells[0]
    first.source = f"<!-- Generated: edit {edit}, then run `make notebooks`. -->\n\n{first.source}"
    for cell in notebook.cells:
        cell.metadata.pop("cell_marker", None)  # how the source quotes its text
    _set_ids(notebook.cells)
    notebook.metadata = nbformat.from_dict(METADATA)
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
    right = {
        book / f"{source.stem}.ipynb": notebook_text(source, root)
        for source in sorted((book / "src").glob("*.py"))
    }
    stale = {path: text for path, text in right.items() if _read(path) != text}
    return stale | {path: None for path in sorted(book.glob("*.ipynb")) if path not in right}


def _read(path: Path) -> str | None:
    # Bytes, so that Windows line ends count as a difference.
    return path.read_bytes().decode() if path.exists() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if out of date")
    check = parser.parse_args().check
    stale = out_of_date()
    for path, text in stale.items():
        print(("out of date: " if check else "wrote " if text else "removed ") + path.name)
        if not check and text is None:
            path.unlink()
        elif not check:
            path.write_bytes(text.encode())
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
