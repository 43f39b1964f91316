"""Train and measure as others did, and record it beside what they published.

    python tools/reference.py                   lists the rows
    python tools/reference.py cs236 --seed 0    trains, measures, writes book/runs/cs236-0.json

The rows are in book/src/reference.yml. A run that was killed, in training or in measuring, goes
on where it was. What it needs for that is in _build/reference/<row>-<seed>.
"""

import argparse
import csv
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import torch
from reference_priors import with_priors
from reference_training import BEST, planned, seeded, train_in_stages, training_arguments
from run_records import (
    compared,
    cost_text,
    epochs_text,
    named,
    read_records,
    read_rows,
    summary,
    with_experiments,
)
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm

from vae_course.claims import machine
from vae_course.evaluation import estimate, estimate_elbo, importance_weighted_bounds
from vae_course.models.picture_vae import PictureVAE
from vae_course.train.batches import TEST_NOISE, load_pictures, seed_of
from vae_course.train.checkpoint import load_model, read_checkpoint, replace_file
from vae_course.train.loop import CHECKPOINT

ROOT = Path(__file__).resolve().parents[1]

ROWS, RECORDS, WORK = ROOT / "book/src/reference.yml", ROOT / "book/runs", ROOT / "_build/reference"
ELBO_DRAWS = 10
DRAWS = 1_000_000  # in one piece of a measurement; a kill loses a piece at most
AT_ONCE = 1_000  # pictures decoded: what fits into a processor's cache takes half the time


def measure(
    model: PictureVAE, pictures: Tensor, seed: int, importance: list[int], folder: Path
) -> dict:
    """The ELBO, its parts, and a bound for each number of `importance` samples, as
    [mean, standard error], nats per picture."""
    with seeded(seed_of(seed, TEST_NOISE)):
        found = estimate_elbo(model, pictures, n_samples=ELBO_DRAWS)
    signs = {"minus_elbo": ("total", -1), "reconstruction": ("reconstruction", -1), "kl": ("kl", 1)}
    measured = {
        name: [sign * found[ours].mean, found[ours].standard_error]
        for name, (ours, sign) in signs.items()
    }
    for n_samples in importance:
        mean, error = estimate(bounds_in_pieces(model, pictures, n_samples, seed, folder))
        measured[f"minus_bound_{n_samples}"] = [-mean, error]
    return measured


def importance_samples(row: dict) -> list[int]:
    names = [one["measure"] for one in row["published"] if "bound" in one["measure"]]
    own = [row["importance"]] if "importance" in row else []
    return own + [int(name.removeprefix("minus_bound_")) for name in names]


def bounds_in_pieces(
    model: PictureVAE, pictures: Tensor, n_samples: int, seed: int, folder: Path
) -> Tensor:
    """`importance_weighted_bounds`, (N,). Pieces that are in `folder` are not measured again."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = pictures.split(max(1, DRAWS // n_samples))
    for number, piece in enumerate(tqdm(pieces, desc=f"K = {n_samples}", leave=False)):
        path = folder / f"{n_samples}-{number}.safetensors"
        if not path.exists():
            begun = time.perf_counter()
            with seeded(seed_of(seed, n_samples, number)):
                bounds = importance_weighted_bounds(
                    model, piece, n_samples, at_once=AT_ONCE, progress=False
                )
            seconds = torch.tensor(time.perf_counter() - begun)
            replace_file(path, save({"bounds": bounds, "seconds": seconds}))
    done = [load_file(folder / f"{n_samples}-{n}.safetensors") for n in range(len(pieces))]
    return torch.cat([one["bounds"] for one in done])


def seconds_of_pieces(folder: Path) -> float:
    return sum(load_file(path)["seconds"].item() for path in folder.rglob("*.safetensors"))


def epochs_of(row: dict, folder: Path) -> list[float]:
    """How many are done, and how many there are to do."""
    with open(folder / "eval.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    done = float(last["epoch"])
    steps = planned(row, "steps")
    all_of_them = done * steps / int(last["step"]) if steps else planned(row, "epochs")
    return [round(done, 1), round(all_of_them, 1)]


def curve(folder: Path) -> list[list[float]]:
    """Of the test pictures: [epoch, −ELBO, standard error] at the end of each stage."""
    with open(folder / "eval.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return [[float(r["epoch"]), -float(r["elbo"]), float(r["elbo_se"])] for r in rows]


def chosen_epoch(row: dict, stages: list[dict]) -> int | None:
    """The epoch whose model is measured; None: the last."""
    return min(stages, key=lambda one: one["validation"])["end"] if "choose_every" in row else None


def cpu_seconds_an_epoch(stages: list[dict]) -> float | None:
    """From the stages that no kill has cut short; None where there are none of whole epochs."""
    ends = [stage["end"] for stage in stages]
    if None in ends:
        return None
    spans = [
        (end - before, stage["cpu_seconds"])
        for before, end, stage in zip([0, *ends], ends, stages, strict=False)
    ]
    known = [(epochs, seconds) for epochs, seconds in spans if seconds is not None]
    if not known:
        return None
    return round(sum(seconds for _, seconds in known) / sum(epochs for epochs, _ in known), 3)


def record(row: dict, seed: int, until: int | None = None) -> dict:
    """Train and measure what is not done yet; everything to tell and to repeat it.

    The bounds that were published are measured once the training is over: they take long.
    """
    folder = WORK / f"{row.get('trained_as', row['row'])}-{seed}"
    stages = train_in_stages(row, seed, folder, until)
    checkpoint = folder / (BEST if "choose_every" in row else CHECKPOINT)
    run = read_checkpoint(checkpoint).run
    train, pictures = load_pictures(run)  # of the test, binarized once with the data's seed
    pieces = folder / f"pieces-{hashlib.sha256(checkpoint.read_bytes()).hexdigest()[:12]}"
    done, planned_epochs = epochs = epochs_of(row, folder)
    importance = importance_samples(row) if done >= planned_epochs else []
    model = load_model(checkpoint)
    measured = measure(model, pictures, seed, importance, pieces)
    priors = {
        name: measure(other, pictures, seed, importance, pieces / name)
        for name, other in (with_priors(row, model, run, train) if "priors" in row else ())
    }
    shown = training_arguments(
        row, seed, folder.relative_to(WORK.parents[1]), f"$VAE_COURSE_DATA/{row.get('file')}"
    ) + (["--epochs", str(until)] if until else [])
    cpu = [stage["cpu_seconds"] for stage in stages]
    return {
        "row": row["row"],
        "seed": seed,
        "command": f"make reference ROW={row['row']} SEED={seed}"
        + (f" EPOCHS={until}" if until else ""),
        "training": f"python -m vae_course.train {' '.join(shown)}",
        "arguments": row["arguments"],
        "epochs": epochs,
        "curve": curve(folder),
        "chosen_epoch": chosen_epoch(row, stages),
        "test_pictures": len(pictures),
        "test_pixels_seed": run.data_seed if run.binarize != "no" else None,
        "elbo_draws": ELBO_DRAWS,
        "measured": measured,
        **({"priors": priors} if priors else {}),
        "training_seconds": json.loads((folder / "run.json").read_text())["seconds"],
        "training_cpu_seconds": None if None in cpu else round(sum(cpu), 1),
        "cpu_seconds_an_epoch": cpu_seconds_an_epoch(stages),
        "measuring_seconds": round(seconds_of_pieces(pieces), 4),
        "machine": machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def listed(rows: list[dict]) -> str:
    lines = ["make reference ROW=… SEED=… trains and measures one of these, on one thread:"]
    width = max(len(row["row"]) for row in with_experiments(rows))
    for row in with_experiments(rows):
        records = read_records(row, RECORDS)
        so_far = "; ".join(f"seed {one['seed']}: {epochs_text(one, plain=True)}" for one in records)
        lines += [
            f"  {row['row']:{width}s} {named(row)}: {row['model']}",
            f"  {'':{width}s} one seed: {cost_text(records)}",
            f"  {'':{width}s} epochs done: {so_far or 'none'}; seeds to do: {row['seeds']}",
        ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    rows = read_rows(ROWS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    to_run = {row["row"]: row for row in with_experiments(rows)}
    parser.add_argument("row", nargs="?", choices=list(to_run))
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, noise (default 0)")
    parser.add_argument("--epochs", type=int, help="stop there; a later call goes on")
    options = parser.parse_args(argv)
    if options.row is None:
        print(listed(rows))
        return 0
    row = to_run[options.row]
    try:
        result = record(row, options.seed, options.epochs)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    path = RECORDS / f"{row['row']}-{options.seed}.json"
    replace_file(path, (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode())
    print("\n".join(compared(row, [result])))
    print(f"wrote {path}. For README.md: {summary([(r, read_records(r, RECORDS)) for r in rows])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
