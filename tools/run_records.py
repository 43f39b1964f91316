"""Recorded runs of `make reference`: read them, and judge them by what was published."""

import json
import math
import statistics
from pathlib import Path

import yaml

NEEDED = {
    "row": str,
    "seed": int,
    "command": str,
    "training": str,
    "arguments": str,
    "epochs": list,
    "test_pictures": int,
    "test_pixels_seed": (int, type(None)),
    "elbo_draws": int,
    "measured": dict,
    "training_seconds": (int, float),
    "measuring_seconds": (int, float),
    "machine": str,
    "torch": str,
}
NAMES = {"minus_elbo": "−ELBO", "kl": "KL", "reconstruction": "reconstruction"}
NOT_RUN = "not run"
AT_THE_END = "at the end"
NEAR = 3  # standard errors
ROUNDED = 0.5  # what "about 99" may mean


def read_rows(path: Path) -> list[dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def experiments(row: dict) -> list[dict]:
    """The row's experiments, each as a row: the row's own, with what the experiment changes."""
    kept = {key: value for key, value in row.items() if key != "experiments"}
    return [kept | one for one in row.get("experiments", [])]


def with_experiments(rows: list[dict]) -> list[dict]:
    """Everything that can be run: each row, and its experiments after it."""
    return [one for row in rows for one in (row, *experiments(row))]


def read_records(row: dict, folder: Path) -> list[dict]:
    """The row's records, by seed. Raises ValueError for one that is not whole or of another row."""
    paths = folder.glob(f"{row['row']}-*.json")
    return sorted((read_record(row, path) for path in paths), key=lambda one: one["seed"])


def read_record(row: dict, path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        _require_whole(row, record, path.stem)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no record to show ({error}); repeat the run") from error
    return record


def _require_whole(row: dict, record: dict, name: str) -> None:
    for key, kind in NEEDED.items():
        if not isinstance(record[key], kind):
            raise TypeError(f"{key} is {record[key]!r}")
    if name != f"{record['row']}-{record['seed']}":
        raise ValueError(f"it is of {record['row']}, seed {record['seed']}")
    if record["arguments"] != row["arguments"]:
        raise ValueError("the row has other arguments by now")
    done, planned = record["epochs"]
    if not 0 < done <= planned:
        raise ValueError(f"{done} of {planned} epochs")
    needed = {one["measure"] for one in row["published"]} if finished(record) else set()
    for name in {"minus_elbo"} | needed | record["measured"].keys():
        value, error = record["measured"][name]
        if not (math.isfinite(value) and math.isfinite(error) and error >= 0):
            raise ValueError(f"{name} is {value} ± {error}")


# ---- Words


def name_of(measure: str) -> str:
    """As on the page of notation: L with K as its index."""
    digits = measure.removeprefix("minus_bound_")
    return NAMES.get(measure) or "−L" + digits.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def named(row: dict) -> str:
    """A row by its source, an experiment by what it changes, too."""
    return f"{row['source']}, {row['experiment']}" if "experiment" in row else row["source"]


def published_text(one: dict) -> str:
    if "within" in one:
        return f"{one['value']} ± {one['within']}"
    return f"≈ {one['value']}" if one.get("about") else f"{one['value']:.2f}"


def finished(record: dict) -> bool:
    done, planned = record["epochs"]
    return done >= planned


def missed_by(one: dict, mean: float) -> float:
    """How far outside of what was published: below it less than 0, above it more, inside 0."""
    away = mean - one["value"]
    allowed = one.get("within", ROUNDED if one.get("about") else 0)
    return math.copysign(max(abs(away) - allowed, 0), away)


def verdict(one: dict, records: list[dict]) -> str:
    """Of the mean over seeds, and nothing before the end. Lower is better for bounds."""
    mean, error = mean_over_seeds(one["measure"], records)
    missed = missed_by(one, mean)
    if missed == 0:
        return "✓ to its rounding" if one.get("about") else "✓ in the range"
    if abs(missed) <= NEAR * error:
        return f"✓ within {NEAR} standard errors"
    bounds = "minus" in one["measure"]  # the parts of the ELBO pay for each other
    word = ("better" if missed < 0 else "worse") if bounds else "lower" if missed < 0 else "higher"
    return f"{word} by {abs(missed):.1f}"


def is_near(one: dict, records: list[dict]) -> bool:
    return verdict(one, records).startswith("✓")


def explains(one: dict, records: list[dict], changed: list[dict]) -> bool:
    """Whether the records of an experiment have the published number that the row's miss.

    It takes both: they are within three standard errors, and less than half of what the row misses
    is left.
    """
    over, after = done(records), done(changed)
    if not over or not after or is_near(one, over) or not is_near(one, after):
        return False
    return missed_in_nats(one, after) < missed_in_nats(one, over) / 2


def missed_in_nats(one: dict, records: list[dict]) -> float:
    return abs(missed_by(one, mean_over_seeds(one["measure"], records)[0]))


def explained(row: dict, records: list[dict], changed: list[dict]) -> list[str]:
    """Whether what an experiment has `changed` is where the row's differences come from: a sentence
    for each published number that the row misses."""
    over, after, sentences = done(records), done(changed), []
    for one in row["published"]:
        if not over or is_near(one, over):
            continue
        name, missed = name_of(one["measure"]), f"{missed_in_nats(one, over):.2f}"
        if not after:
            sentences.append(f"Whether it explains the difference in {name} is open.")
            continue
        text = f"the row misses the published {name} by {missed}, and the experiment by "
        text += f"{missed_in_nats(one, after):.2f}"
        if explains(one, records, changed):
            text = f"**It explains the difference**: {text}, within {NEAR} standard errors."
        else:
            text = f"**It does not explain the difference**: {text}."
        sentences.append(text)
    return sentences


def options(arguments: str) -> dict[str, str]:
    """{"--lr": "1e-3", …}"""
    words = [part.split(maxsplit=1) for part in arguments.split("--")[1:]]
    return {f"--{name}": " ".join(values).strip() for name, *values in words}


def changed_options(row: dict, experiment: dict) -> str:
    """What an experiment's arguments have in place of the row's."""
    old, new = options(row["arguments"]), options(experiment["arguments"])
    texts = []
    for name in old | new:
        before, after = (f"`{name} {each[name]}`" if name in each else "" for each in (old, new))
        if before == after:
            continue
        if not after:
            texts.append(f"no {before}")
        else:
            texts.append(f"{after} in place of {before}" if before else after)
    return ", ".join(texts)


def mean_over_seeds(measure: str, records: list[dict]) -> tuple[float, float]:
    """The mean, and its standard error: of the test pictures, which all seeds have in common, and
    of the seeds. With one seed nobody knows theirs."""
    values, errors = zip(*(one["measured"][measure] for one in records), strict=True)
    of_pictures = statistics.mean(errors)
    of_seeds = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return statistics.mean(values), math.hypot(of_pictures, of_seeds)


def with_error(mean: float, error: float) -> str:
    return f"{mean:.2f} ± {error:.2f}"


def spread_text(measure: str, records: list[dict]) -> str:
    """From the least to the greatest; of one seed there is none."""
    values = [one["measured"][measure][0] for one in records]
    if len(values) < 2:
        return "one seed"
    return f"{min(values):.2f} to {max(values):.2f}, {len(values)} seeds"


def measured_text(measure: str, record: dict) -> str:
    if measure not in record["measured"]:
        return AT_THE_END
    return with_error(*record["measured"][measure])


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def epochs_text(record: dict, plain: bool = False) -> str:
    done, planned = (f"{epochs:g}" for epochs in record["epochs"])
    if finished(record):
        return done
    return f"{done} of {planned}" if plain else f"{done} of {planned}: **not finished**"


def table(head: list[str], body: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def compared(row: dict, records: list[dict]) -> list[str]:
    """What was published beside what we measured, one column a seed."""
    head = ["nats per picture", "published", *(f"seed {one['seed']}" for one in records)]
    over, body = done(records), []
    for one in row["published"]:
        name = one["measure"]
        cells = [name_of(name), published_text(one), *(measured_text(name, r) for r in records)]
        if over:
            cells += [with_error(*mean_over_seeds(name, over)), verdict(one, over)]
        body.append(cells if records else [*cells, NOT_RUN])
    return table(head + (["mean", "verdict"] if over else [] if records else ["ours"]), body)


def summary(rows: list[tuple[dict, list[dict]]]) -> str:
    """What was run of the published rows, in numbers."""
    published = [(row["source"], records) for row, records in rows if row["published"]]
    whole = [
        f"{source} ({count(len(done(records)), 'seed')})"
        for source, records in published
        if done(records)
    ]
    parts = [
        f"{source} ({epochs_text(records[-1], plain=True)} epochs)"
        for source, records in published
        if records and not done(records)
    ]
    text = f"{len(whole)} of {count(len(published), 'row')} repeated to the end: {', '.join(whole)}"
    return text + (f"; on the way: {', '.join(parts)}" if parts else "") + "."


def count(number: int, word: str) -> str:
    return f"{number} {word}" + "s" * (number != 1)


def done(records: list[dict]) -> list[dict]:
    return [one for one in records if finished(one)]


def cost_text(records: list[dict]) -> str:
    """Of one seed, from start to end, from the records; of part of a run, in proportion."""
    if not records:
        return "nobody has timed it"
    whole, parts = done(records), [one for one in records if not finished(one)]
    if whole:
        training = statistics.median(map(training_time, whole))
        measuring = statistics.median(one["measuring_seconds"] for one in whole)
        return f"training {duration(training)}, measuring {duration(measuring)}"
    longest = max(parts, key=lambda one: one["epochs"][0])
    reached, planned = longest["epochs"]
    an_epoch = longest.get("cpu_seconds_an_epoch") or training_time(longest) / reached
    return f"training about {duration(an_epoch * planned)}"


def training_time(record: dict) -> float:
    """Of the processor, where that is known."""
    return record.get("training_cpu_seconds") or record["training_seconds"]
