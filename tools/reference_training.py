"""Train a row of book/src/reference.yml with `vae_course.train`, in stages that survive a kill."""

import hashlib
import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from vae_course.data.stored.files import search_roots
from vae_course.data.stored.npz import read_array
from vae_course.evaluation import estimate_elbo
from vae_course.train.__main__ import main as train
from vae_course.train.checkpoint import export_model, load_model, replace_file
from vae_course.train.loop import CHECKPOINT

BEST = "best.safetensors"


def training_arguments(row: dict, seed: int, out: Path | str, file: Path | str | None) -> list[str]:
    """The arguments of `python -m vae_course.train`. `file` is where the row's own file is."""
    data = ["--data", str(file)] if "file" in row else []
    return [*data, *shlex.split(row["arguments"]), "--seed", str(seed), "--out", str(out)]


def find_file(row: dict) -> Path | None:
    """Where the row's own file is. Raises ValueError where it is not, or is another."""
    if "file" not in row:
        return None
    places = [root / row["file"] for root in search_roots()]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        looked = " or ".join(map(str, places))
        raise ValueError(f"{row['row']} needs the file {looked}; get it from {row['get']}")
    if hashlib.sha256(found.read_bytes()).hexdigest() != row["sha256"]:
        raise ValueError(f"{found} is damaged, or another: its sha256 is not {row['sha256']}")
    return found


def planned(row: dict, unit: str) -> int | None:
    """How many "steps" or "epochs" the row trains for; None where it counts in the other."""
    words = shlex.split(row["arguments"])
    return int(words[words.index(f"--{unit}") + 1]) if f"--{unit}" in words else None


def stage_ends(row: dict, until: int | None = None) -> list[int | None]:
    """The epochs at which training stops for a moment; None: only at the end of its steps.

    Raises ValueError for an `until` that the row cannot stop at.
    """
    epochs = planned(row, "epochs")
    if until is not None and (epochs is None or until < 1):
        counts = f"{epochs} epochs" if epochs else "steps, not epochs"
        raise ValueError(f"{row['row']} trains for {counts}; it cannot stop at epoch {until}")
    if epochs is None:
        return [None]
    last = min(until or epochs, epochs)
    ends = row.get("stop_after") or range(0, last, row.get("choose_every", epochs))
    return [end for end in ends if 0 < end < last] + [last]


def train_in_stages(row: dict, seed: int, folder: Path, until: int | None = None) -> list[dict]:
    """Train, or go on; for each stage its end, processor time and loss on validation pictures.

    Raises ValueError where a run is on its way beyond `until`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, notes = find_file(row), folder / "stages.json"
    stages = json.loads(notes.read_text()) if notes.exists() else []
    begun = [stage["end"] for stage in stages if not stage["done"]]
    if until and begun and begun[0] > until:
        raise ValueError(f"{folder} is on its way to epoch {begun[0]}; go on with that, or more")
    for end in stage_ends(row, until):
        if any(stage["end"] == end and stage["done"] for stage in stages):
            continue
        started = (folder / CHECKPOINT).exists()
        whole = not started or (stages != [] and stages[-1]["done"])
        stages = [stage for stage in stages if stage["done"]] + [{"end": end, "done": False}]
        replace_file(notes, json.dumps(stages).encode())
        stages[-1] |= _train_one(row, seed, folder, file, end, started)
        stages[-1] |= {"done": True} | ({} if whole else {"cpu_seconds": None})
        if "choose_every" in row:
            stages[-1]["validation"] = _keep_if_best(folder, file, stages[:-1])
        replace_file(notes, json.dumps(stages).encode())
    return stages


def _train_one(row, seed, folder, file, end, started) -> dict:
    """Raises SystemExit where `train` has failed, and said why."""
    arguments = training_arguments(row, seed, folder, file)
    if end:
        arguments += ["--epochs", str(end)]  # the last one counts
    begun = time.process_time()
    if train(arguments + ["--resume"] * started):
        raise SystemExit(1)
    return {"cpu_seconds": time.process_time() - begun}


def _keep_if_best(folder: Path, file: Path, before: list[dict]) -> float:
    """-ELBO of the validation pictures, always with the same noise."""
    pictures = read_array(file, "valid").float().div_(255)
    with seeded(0):
        loss = -estimate_elbo(load_model(folder / CHECKPOINT), pictures)["total"].mean
    if all(loss < stage["validation"] for stage in before):
        export_model(folder / CHECKPOINT, folder / BEST)
    return loss


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed`; the global state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield
