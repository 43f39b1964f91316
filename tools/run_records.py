"""Recorded runs of `make reference`: read them, and judge them by what was published."""

import json
import math
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


def read_rows(path: Path) -> list[dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


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
    for one in row["published"]:
        value, error = record["measured"][one["measure"]]
        if not (math.isfinite(value) and math.isfinite(error) and error >= 0):
            raise ValueError(f"{one['measure']} is {value} ± {error}")


# ---- Words


def name_of(measure: str) -> str:
    """As on the page of notation: L with K as its index."""
    digits = measure.removeprefix("minus_bound_")
    return NAMES.get(measure) or "−L" + digits.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def published_text(one: dict) -> str:
    about = "≈ " if one.get("about") else ""
    return f"{about}{one['value']}" + (f" ± {one['within']}" if "within" in one else "")


def finished(record: dict) -> bool:
    done, planned = record["epochs"]
    return done >= planned


def verdict(one: dict, record: dict) -> str:
    """In the range or not; where the source has none, the difference. Nothing before the end."""
    difference = record["measured"][one["measure"]][0] - one["value"]
    if not finished(record):
        return ""
    if "within" not in one:
        return f"({difference:+.2f})".replace("-", "−")
    if abs(difference) <= one["within"]:
        return "✓"
    return "✗ above" if difference > 0 else "✗ below"


def measured_text(one: dict, record: dict) -> str:
    value, error = record["measured"][one["measure"]]
    return f"{value:.2f} ± {error:.2f} {verdict(one, record)}".rstrip()


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def epochs_text(record: dict) -> str:
    done, planned = (f"{epochs:g}" for epochs in record["epochs"])
    return done if finished(record) else f"{done} of {planned}: **not finished**"


def table(head: list[str], body: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def compared(row: dict, records: list[dict]) -> list[str]:
    """What was published beside what we measured, one column a seed."""
    by_seed = dict.fromkeys(row["seeds"]) | {one["seed"]: one for one in records}
    head = ["nats per picture", "published", *(f"seed {seed}" for seed in by_seed)]
    body = [
        [name_of(one["measure"]), published_text(one)]
        + [measured_text(one, record) if record else NOT_RUN for record in by_seed.values()]
        for one in row["published"]
    ]
    return table(head, body)
