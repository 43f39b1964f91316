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
    changed_options,
    compared,
    cost_text,
    done,
    duration,
    epochs_text,
    experiments,
    explained,
    explains,
    mean_over_seeds,
    name_of,
    named,
    published_text,
    read_records,
    read_rows,
    spread_text,
    summary,
    table,
    verdict,
    with_error,
    with_experiments,
)

UNBROKEN = "\u00a0"  # a space at which no line ends
SHOWN = 8  # looks at a run on its way


def circumstances(name: str, records: list[dict]) -> list[str]:
    """How models were measured, and what it took, of the row `name` and its experiments."""
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
    seeds = [f"seed {one['seed']}" for one in records]
    whose = ["" if one["row"] == name else f"`{one['row']}`, " for one in records]
    head = ["run", *(f"{who}{seed}" for who, seed in zip(whose, seeds, strict=True))]
    return table(head, [[fact, *map(say, records)] for fact, say in facts.items()])


def pixels_text(seed: int | None) -> str:
    return "as in the file" if seed is None else f"drawn once, with seed {seed}"


def reference(source: Path, name: str) -> list[str]:
    row = next((row for row in _rows(source) if row["row"] == name), None)
    if row is None:
        raise ValueError(f"no row of reference.yml is called {name!r}")
    records = read_records(row, source / "runs")
    who = f"[{row['source']}]({row['link']})" if "link" in row else row["source"]
    lines = [
        f"{who}. The model: {row['model']}. Pixels: {row['pixels']}.",
        "",
        *(compared(row, records) if row["published"] else priors(source, name)),
        "",
        "Where our run differs:",
        "",
        *(f"- {text}" for text in row["differs"]),
        "",
    ]
    if not records:
        command = f"make reference ROW={name} SEED={row['seeds'][0]}"
        return [*lines, f"**{NOT_RUN.capitalize()}** yet. `{command}` does it."]
    for one in records:
        lines += on_the_way(one)
    of_experiments = [(one, read_records(one, source / "runs")) for one in experiments(row)]
    for one, found in of_experiments:
        lines += experiment(row, records, one, found)
    everything = [*records, *(each for _, found in of_experiments for each in found)]
    commands = [one["command"] for one in everything]
    shown = ["```sh", *commands, "```", "", "To train, the first of these runs", "", "```sh"]
    lines += [
        "How it was done, and what it took:",
        "",
        *circumstances(name, everything),
        "",
        "To repeat it:",
        "",
        *shown,
    ]
    return [*lines, *on_several_lines(records[0]["training"]), "```"]


def on_several_lines(command: str, width: int = 72) -> list[str]:
    """A command that goes on in the next line before an option: no page is as wide as all of it."""
    first, *options = command.split(" --")
    lines = [first]
    for option in options:
        if len(lines[-1]) + len(option) + len(" -- \\") > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" --{option}"
    return lines


def experiment(row: dict, records: list[dict], one: dict, found: list[dict]) -> list[str]:
    """What was changed, what came of it, and whether that is where a difference comes from."""
    lines = [f"**An experiment**: {one['experiment']}. {changed_options(row, one)}.", ""]
    lines += [*compared(one, found), ""]
    for each in found:
        lines += on_the_way(each)
    for sentence in explained(row, records, found):
        lines += [sentence, ""]
    if not done(found):
        command = f"make reference ROW={one['row']} SEED={one['seeds'][0]}"
        lines += [f"{'Not finished' if found else NOT_RUN.capitalize()}: `{command}` goes on.", ""]
    return lines


def on_the_way(record: dict) -> list[str]:
    """The loss after some of the epochs, as a table; none where it was looked at once."""
    points = record.get("curve", [])
    if len(points) < 2:
        return []
    step = -(-len(points) // SHOWN)
    kept = points[::-1][::step][::-1]
    head = [f"seed {record['seed']}, epoch", *(f"{epoch:g}" for epoch, _, _ in kept)]
    losses = ["−ELBO, test pictures", *(with_error(mean, error) for _, mean, error in kept)]
    return [*table(head, [losses]), ""]


def priors(source: Path, name: str) -> list[str]:
    """The same model with one prior after another, one line each, of the first seed."""
    row = next(row for row in _rows(source) if row["row"] == name)
    records = [one for one in read_records(row, source / "runs") if "priors" in one]
    if not records:
        return [f"**{NOT_RUN.capitalize()}** yet. `make reference ROW={name}` does it."]
    (first, *_), bound = records, f"minus_bound_{row['importance']}"
    names = ["minus_elbo", "kl", "reconstruction", bound]
    lines = {"as trained": first["measured"]} | first["priors"]
    body = [
        [PRIOR_NAMES.get(prior, prior), *(with_error(*found[one]) for one in names)]
        for prior, found in lines.items()
    ]
    return table(["prior", *map(name_of, names)], body)


PRIOR_NAMES = {
    "as trained": "N(0, I), as trained",
    "rescaled": "N(0, I), codes re-scaled",
    "gaussian": "one Gaussian with a covariance",
    "mixture": "a mixture of 50 Gaussians",
    "flow": "a flow",
}


def overview(source: Path, kind: str) -> list[str]:
    """One line a row: "elbo", or "nll", the bound with the most importance samples."""
    if kind not in OVERVIEWS:
        raise ValueError(f"an overview is of {' or '.join(OVERVIEWS)}, not of {kind!r}")
    body = []
    for row in _rows(source):
        chosen = [one for one in row["published"] if OVERVIEWS[kind] in one["measure"]]
        if chosen:
            records = read_records(row, source / "runs")
            others = [read_records(one, source / "runs") for one in experiments(row)]
            body.append(_overview_line(row, chosen[-1], records, others))
    head = ["source", "nats", "published", "ours", "verdict", "over seeds", "pixels"]
    return table(head, body)


OVERVIEWS = {"elbo": "minus_elbo", "nll": "minus_bound"}


def _overview_line(row: dict, one: dict, records: list[dict], others: list) -> list[str]:
    over, name = done(records), one["measure"]
    who = [f"[{row['source']}]({row['link']})", name_of(name), published_text(one)]
    if over:
        mean = with_error(*mean_over_seeds(name, over)).replace(" ", UNBROKEN)
        spread = spread_text(name, over)
        why = ", explained" if any(explains(one, records, each) for each in others) else ""
        return [*who, f"**{mean}**", verdict(one, over) + why, spread, row["pixels"]]
    so_far = "; ".join(f"{epochs_text(each, plain=True)} epochs" for each in records)
    how_far = f"not finished: {so_far}" if records else f"**{NOT_RUN}**"
    return [*who, "", how_far, "", row["pixels"]]


def in_short(source: Path, _: str) -> list[str]:
    return [summary([(row, read_records(row, source / "runs")) for row in _rows(source)])]


def cost(source: Path, _: str) -> list[str]:
    """What one seed of each row takes, and what all runs took together."""
    to_run = with_experiments(_rows(source))
    rows = [(row, read_records(row, source / "runs")) for row in to_run]
    records = [one for _, found in rows for one in found]
    seconds = sum(one["training_seconds"] + one["measuring_seconds"] for one in records)
    body = [
        [named(row), cost_text(found), f"{len(done(found))} of {len(row['seeds'])}"]
        for row, found in rows
    ]
    together = f"The {len(records)} runs on this page took {duration(seconds)} together."
    return [*table(["source", "one seed", "seeds done"], body), "", together]


def _rows(source: Path) -> list[dict]:
    return read_rows(source / "src/reference.yml")


KINDS: dict[str, Callable[[Path, str], list[str]]] = {
    "reference": reference,
    "priors": priors,
    "overview": overview,
    "cost": cost,
    "summary": in_short,
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
