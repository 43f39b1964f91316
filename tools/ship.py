"""Put a trained model into the package: python tools/ship.py faces runs/faces-1 runs/faces-2

The runs of the training script are given in the order in which they were done, each started from
the weights of the one before (--init). Weights, record and log go to vae_course/checkpoints, for
`vae_course.shipped`. The record is the last run's run.json, with the last row of its eval.csv under
"test" and the runs before it under "earlier"; "tested" has the ELBO on test pictures over all runs.
Log and "tested" have the steps of all runs in one count.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from vae_course.train import export_model

LOGGED = ("step", "reconstruction", "kl", "std", "rmse", "posterior_std")
TESTED = ("step", "elbo", "reconstruction", "kl")
CHECKPOINTS = Path(__file__).parent.parent / "vae_course" / "checkpoints"


def ship(name: str, runs: list[Path], folder: Path = CHECKPOINTS) -> None:
    """Raises ValueError for a last run that is not at its end."""
    *earlier, record = (json.loads((run / "run.json").read_text()) for run in runs)
    if record["step"] < record["total_steps"]:
        said = f"{runs[-1]} is at step {record['step']} of {record['total_steps']}"
        raise ValueError(f"{said}: finish it with --resume")
    *_, last = _rows(runs[-1] / "eval.csv")
    record["test"] = {column: float(value) for column, value in last.items()}
    record["earlier"] = earlier
    steps = [each["step"] for each in (*earlier, record)]
    tested = [{c: float(row[c]) for c in TESTED} for row in _joined("eval.csv", runs, steps)]
    record["tested"] = {column: [row[column] for row in tested] for column in TESTED}
    folder.mkdir(exist_ok=True)
    export_model(runs[-1] / "checkpoint.safetensors", folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    with open(folder / f"{name}.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, LOGGED, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(_joined("log.csv", runs, steps))


def _joined(name: str, runs: list[Path], steps: list[int]) -> Iterator[dict]:
    """The rows of all runs, with steps in one count; the steps of each run are given."""
    for run, before, count in zip(runs, _sums(steps), steps, strict=True):
        # What a stopped run logged after its checkpoint is not in the weights.
        rows = (row for row in _rows(run / name) if int(row["step"]) <= count)
        yield from ({**row, "step": before + int(row["step"])} for row in rows)


def _sums(steps: list[int]) -> Iterator[int]:
    """How many steps were done before each run."""
    return (sum(steps[:place]) for place in range(len(steps)))


def _rows(path: Path) -> list[dict]:
    return list(csv.DictReader(path.read_text().splitlines()))


if __name__ == "__main__":
    ship(sys.argv[1], [Path(run) for run in sys.argv[2:]])
