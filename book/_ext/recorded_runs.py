"""The directive `recorded-run`: tables made from recorded runs, so that no number is typed.

    ```{recorded-run} reference cs236
    ```

`KINDS` says which kinds there are. Each is a function from the folder of the book's sources and
the rest of the argument to lines of Markdown; it raises ValueError for a record that it cannot
use, which stops the build. A run that is missing is shown as such.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# The tool that makes the records knows how they are read, too.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
from run_records import (
    NOT_RUN,
    compared,
    duration,
    epochs_text,
    measured_text,
    name_of,
    published_text,
    read_records,
    read_rows,
    table,
)


def circumstances(records: list[dict]) -> list[str]:
    """How a model was measured, and what it took."""
    facts = {
        "test pictures": lambda one: f"{one['test_pictures']}",
        "their pixels": lambda one: pixels_text(one["test_pixels_seed"]),
        "draws of z for the −ELBO": lambda one: f"{one['elbo_draws']} a picture",
        "epochs": epochs_text,
        "the model is that of epoch": lambda one: f"{one.get('chosen_epoch') or 'the last'}",
        "training": lambda one: duration(one["training_seconds"]),
        "of that, processor time": lambda one: duration(one.get("training_cpu_seconds")),
        "measuring": lambda one: duration(one["measuring_seconds"]),
        "machine": lambda one: one["machine"],
        "torch": lambda one: one["torch"],
    }
    head = ["run", *(f"seed {one['seed']}" for one in records)]
    return table(head, [[name, *map(say, records)] for name, say in facts.items()])


def pixels_text(seed: int | None) -> str:
    return "as in the file" if seed is None else f"drawn once, with seed {seed}"


def reference(source: Path, name: str) -> list[str]:
    row = next((row for row in _rows(source) if row["row"] == name), None)
    if row is None:
        raise ValueError(f"no row of reference.yml is called {name!r}")
    records = read_records(row, source / "runs")
    lines = [
        f"[{row['source']}]({row['link']}). The model: {row['model']}. Pixels: {row['pixels']}.",
        "",
        *compared(row, records),
        "",
        "Where our run differs:",
        "",
        *(f"- {text}" for text in row["differs"]),
        "",
    ]
    if not records:
        command = f"make reference ROW={name} SEED={row['seeds'][0]}"
        return [*lines, f"**{NOT_RUN.capitalize()}** yet. `{command}` does it."]
    commands = [one["command"] for one in records]
    shown = ["```sh", *commands, "```", "", "To train, the first of these runs", "", "```sh"]
    lines += [
        "How it was done, and what it took:",
        "",
        *circumstances(records),
        "",
        "To repeat it:",
        "",
        *shown,
    ]
    return [*lines, records[0]["training"], "```"]


def overview(source: Path, _: str) -> list[str]:
    """One line a row, with the first measure that was published."""
    body = []
    for row in _rows(source):
        records, first = read_records(row, source / "runs"), row["published"][0]
        ours = "; ".join(measured_text(first, one) for one in records)
        epochs = "; ".join(dict.fromkeys(map(epochs_text, records)))
        who = [row["source"], name_of(first["measure"]), published_text(first)]
        body.append([*who, ours or f"**{NOT_RUN}**", epochs or "0"])
    return table(["source", "nats per picture", "published", "ours", "epochs"], body)


def cost(source: Path, _: str) -> list[str]:
    """What all runs of all rows took together."""
    records = [one for row in _rows(source) for one in read_records(row, source / "runs")]
    seconds = sum(one["training_seconds"] + one["measuring_seconds"] for one in records)
    return [f"The {len(records)} runs on this page took {duration(seconds)} together."]


def _rows(source: Path) -> list[dict]:
    return read_rows(source / "src/reference.yml")


KINDS: dict[str, Callable[[Path, str], list[str]]] = {
    "reference": reference,
    "overview": overview,
    "cost": cost,
}


# ---- Sphinx


class RecordedRun(Directive):
    required_arguments, optional_arguments = 1, 1

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        env.pages_of_runs = getattr(env, "pages_of_runs", set()) | {env.docname}
        kind, name = [*self.arguments, ""][:2]
        if kind not in KINDS:
            raise ExtensionError(f"recorded-run: {kind!r} is none of {', '.join(KINDS)}")
        try:
            lines = KINDS[kind](Path(env.srcdir), name)
        except ValueError as error:
            raise ExtensionError(f"recorded-run: {error}") from error
        body = nodes.section()
        self.state.nested_parse(StringList(lines, kind), self.content_offset, body)
        return body.children


def outdated(app: Sphinx, env, added, changed, removed) -> list[str]:
    """Records come and go without the page being changed."""
    return sorted(getattr(env, "pages_of_runs", set()) & env.found_docs)


def setup(app: Sphinx) -> dict:
    app.add_directive("recorded-run", RecordedRun)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
