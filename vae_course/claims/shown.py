"""Claims as a page shows them: one line for all of a cell, which unfolds to a table.

In a kernel the line is a display that each further claim of the cell updates, so it needs no end
of a cell, and what a cell claimed before it failed stays there. Elsewhere each claim is printed.
"""

import html

from IPython import get_ipython
from IPython.display import display

from vae_course.claims.wording import describe, line, measured, typeset

HEAD = "<tr><th></th><th>Check</th><th>Measured</th><th>Must be</th></tr>"
LEFT = ' style="text-align: left"'  # Jupyter aligns cells to the right


class _Cell:
    """The claims of the cell that runs, and where they are displayed."""

    def __init__(self):
        self.records, self.place, self.shell = [], None, None

    def forget(self, *_):
        self.records, self.place = [], None

    def add(self, record: dict, shell) -> None:
        if shell is not self.shell:
            shell.events.register("pre_run_cell", self.forget)
            self.shell = shell
        self.records.append(record)
        shown = {
            "text/plain": "\n".join(map(line, self.records)),
            "text/html": folded(self.records),
        }
        if self.place:
            self.place.update(shown, raw=True)
        else:
            self.place = display(shown, raw=True, display_id=True)


_cell = _Cell()


def show(record: dict) -> None:
    """Add a claim to what the running cell shows. One that fails is told by its error, too."""
    shell = get_ipython()
    if hasattr(shell, "kernel"):
        _cell.add(record, shell)
    elif record["holds"]:
        print(line(record))


def folded(records: list[dict]) -> str:
    """One line of HTML for the claims of a cell; a false one unfolds it."""
    false = sum(not record["holds"] for record in records)
    if len(records) == 1:
        return f'<div class="claims">{html.escape(line(records[0]))}</div>'
    if false:
        text = f"✗ false: {false} of {len(records)} checks"
    else:
        text = f"✓ {len(records)} checks: {_told(_main(records))}"
    opened = " open" if false else ""
    body = f"<summary>{text}</summary>{table(records)}"
    return f'<details class="claims"{opened}>{body}</details>'


def table(records: list[dict]) -> str:
    """Name, value and bound of each claim."""
    rows = "".join(map(_row, records))
    return f"<table><thead>{HEAD}</thead><tbody>{rows}</tbody></table>"


def _main(records):
    """The claim that the text speaks of: marked as such, or the first."""
    return next((record for record in records if record["shown"]), records[0])


def _told(record):
    name, value = html.escape(typeset(record["name"])), html.escape(measured(record))
    return f"{name}: <strong>{value}</strong>"


def _row(record):
    mark = "✓" if record["holds"] else "✗"
    cells = (mark, typeset(record["name"]), measured(record), describe(record["bound"]))
    return f"<tr>{''.join(f'<td{LEFT}>{html.escape(cell)}</td>' for cell in cells)}</tr>"
