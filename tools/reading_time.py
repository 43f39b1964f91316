"""How long a page takes to read, measured from the page itself.

Two hundred words a minute, 20 seconds for a formula on a line of its own, 4 for a visible line of
code. Figures and outputs are not counted.
"""

import re

from folding import FOLDED
from nbformat import NotebookNode

WORDS_A_MINUTE = 200
SECONDS_A_FORMULA = 20
SECONDS_A_LINE = 4

FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)
SYMBOLS = re.compile(r"\$[^$]*\$")
NO_PROSE = re.compile(r"<!--.*?-->|\]\([^)]*\)|```.*?```", re.DOTALL)
WORD = re.compile(r"\w[\w'’-]*")


def minutes(cells: list[NotebookNode]) -> int:
    """The reading time, to five minutes."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    lines = sum(map(code_lines, cells))
    seconds = len(FORMULA.findall(text)) * SECONDS_A_FORMULA + lines * SECONDS_A_LINE
    whole = words(text) / WORDS_A_MINUTE + seconds / 60
    return max(5, 5 * round(whole / 5))


def words(text: str) -> int:
    """Words of prose in a text in Markdown: formulas in a line count as one, addresses not."""
    prose = NO_PROSE.sub(" ", FORMULA.sub(" ", text))
    return len(WORD.findall(SYMBOLS.sub(" symbol ", prose)))


def code_lines(cell: NotebookNode) -> int:
    """Lines of code that a reader meets: not those that are folded or removed."""
    unseen = {FOLDED, "remove-cell", "remove-input"} & set(cell.metadata.get("tags", []))
    if cell.cell_type != "code" or unseen:
        return 0
    lines = map(str.strip, cell.source.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


def write_below_title(cells: list[NotebookNode]) -> None:
    """Say it in the first cell, below the title of the page."""
    said = f"\\1\n\n*About {minutes(cells)} minutes to read.*"
    cells[0].source = re.sub(r"^(# .+)$", said, cells[0].source, count=1, flags=re.MULTILINE)
