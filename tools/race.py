"""How long until −ELBO ≤ 100 on MNIST? Two recipes and the leanest loop, on two threads.

    python tools/race.py [rounds]

Each contestant trains to the end of its recipe, on pixels that are drawn anew at each step. The
clock counts the steps alone. Then the 10 000 test pictures, drawn once, are measured, with one
draw of z each. The contestants take turns; with several rounds the seeds differ.

- `row cs236`: `python -m vae_course.train` with the arguments of that row of
  book/src/reference.yml.
- `short`: the same program with SHORT, whose learning rate falls to 0.
- `short, lean`: SHORT in a loop written by hand, the `lean` of tools/bench.py.
"""

import contextlib
import io
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

import torch
from bench import lean_steps
from reference import ROWS, read_rows
from reference_training import seeded, training_arguments
from run_records import table
from tqdm import tqdm

from vae_course.evaluation import Estimate, estimate_elbo
from vae_course.models.picture_vae import PictureVAE
from vae_course.train.batches import Pictures, load_pictures
from vae_course.train.build import build_model
from vae_course.train.command_line import parser, settings_of
from vae_course.train.loop import Training
from vae_course.train.processes import launch
from vae_course.train.run import Run
from vae_course.train.schedules import learning_rate_at, total_steps

GOAL = 100.0  # nats per picture
SHORT = """--data mnist --binarize each-step --likelihood bernoulli --hidden 300 300
--activation relu --latent-dim 20 --batch-size 100 --lr 2e-3 --schedule cosine --steps 16000"""


def run_of(words: list[str]) -> Run:
    return Run(**settings_of(parser().parse_args(words)))


def by_script(run: Run, pictures: Pictures) -> tuple[float, PictureVAE]:
    """Seconds of the steps of the command, with their logs, and what they trained."""
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        run = replace(run, out=out, accelerator="cpu", progress=False)
        model = build_model(run, pictures.train.shape[1:])
        training = Training(run, launch(run), model, pictures, None, "")
        training.begin()
        start = perf_counter()
        training.take_steps()
        return perf_counter() - start, model


def by_hand(run: Run, pictures: Pictures) -> tuple[float, PictureVAE]:
    model = build_model(run, pictures.train.shape[1:])
    per_epoch = len(pictures.train) // run.batch_size
    total = total_steps(run, per_epoch)
    with seeded(run.seed):
        seconds = lean_steps(
            model.encoder,
            model.decoder,
            pictures.train,
            run.batch_size,
            run.binarize == "each-step",
            total,
            lambda step: learning_rate_at(run, step, total, per_epoch),
        )
    return seconds, model


def contestants() -> dict[str, tuple[Run, Callable]]:
    (row,) = (row for row in read_rows(ROWS) if row["row"] == "cs236")
    short = run_of(SHORT.split())
    return {
        "short, lean": (short, by_hand),
        "short": (short, by_script),
        "row cs236": (run_of(training_arguments(row, 0, "unused", None)), by_script),
    }


def loss_of(model: PictureVAE, pictures: Pictures) -> Estimate:
    with seeded(0):
        elbo = estimate_elbo(model, pictures.test)["total"]
    return Estimate(-elbo.mean, elbo.standard_error)


def line(name: str, seed: int, run: Run, seconds: float, loss: Estimate) -> list[str]:
    reached = "yes" if loss.mean <= GOAL else "no"
    shown = f"{loss.mean:.2f} ± {loss.standard_error:.2f}"
    return [name, f"{seed}", f"{run.steps}", f"{seconds:.0f} s", shown, reached]


def main(rounds: int) -> None:
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    print(f"{platform.machine()}, {torch.get_num_threads()} threads")
    print(f"load before the start {os.getloadavg()[0]:.1f}", flush=True)
    body = []
    turns = [(seed, *one) for seed in range(rounds) for one in contestants().items()]
    for seed, name, (run, how) in tqdm(turns, leave=False):
        run = replace(run, seed=seed)
        pictures = load_pictures(run)
        seconds, model = how(run, pictures)
        body.append(line(name, seed, run, seconds, loss_of(model, pictures)))
    head = ["contestant", "seed", "steps", "time", "−ELBO", f"≤ {GOAL:g}"]
    print("\n".join(table(head, body)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
