"""The training loop: steps in all processes, records in process 0."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vae_course.evaluation import estimate_elbo
from vae_course.models.picture_vae import PictureVAE
from vae_course.train.batches import (
    TEST_NOISE,
    Batches,
    load_pictures,
    load_pixel_weights,
    seed_of,
)
from vae_course.train.build import build_model
from vae_course.train.checkpoint import (
    Checkpoint,
    read_checkpoint,
    replace_file,
    write_checkpoint,
)
from vae_course.train.logs import Records, write_run_json
from vae_course.train.moments import moments_of, optimizer_of, restore_moments
from vae_course.train.objective import NAMES, ImportanceWeightedObjective, Objective
from vae_course.train.opening import say_opening
from vae_course.train.outcome import in_words, measure, sheet
from vae_course.train.processes import TrainingStopped, in_process_zero, launch, require_lightning
from vae_course.train.run import Run
from vae_course.train.schedules import beta_at, learning_rate_at, total_steps

CHECKPOINT = "checkpoint.safetensors"
SHEET = "sheet.png"


def train(run: Run, started: Checkpoint | None, command: str) -> None:
    """Train to the end of `run`, from `started` or from the beginning, and fill run.out.

    Raises ModuleNotFoundError without lightning-fabric, ValueError for settings that do not fit
    the pictures, TrainingStopped for a loss that is not finite or a disk that is full.
    """
    # Before other processes exist: a download is done once, and a mistake is reported once.
    require_lightning()
    pictures = load_pictures(run)
    load_pixel_weights(run, pictures.train.shape[1:])
    model = started.model() if started else first_model(run, pictures.train.shape[1:])
    require_growth(run, started, len(pictures.train))
    Training(run, launch(run), model, pictures, started, command).go()


def first_model(run: Run, image_shape: torch.Size) -> PictureVAE:
    """What a run starts from: new weights, or those in run.init. Raises as `read_checkpoint`."""
    model = build_model(run, image_shape)
    return read_checkpoint(run.init).fill(model) if run.init else model


def require_growth(run: Run, started: Checkpoint | None, pictures: int) -> None:
    """ValueError for a resumed run that is to end earlier than it was to."""
    if started is None:
        return
    before, now = (total_steps(each, pictures // each.batch_size) for each in (started.run, run))
    if now < before:
        raise ValueError(f"the run is {before} steps long; it can grow, but not shrink to {now}")


class Training:
    """A run in progress, in one of its processes."""

    def __init__(self, run, fabric, model, pictures, started, command):
        self.run, self.fabric, self.model = run, fabric, model
        self.pictures, self.command, self.out = pictures, command, Path(run.out)
        self.batches = Batches(pictures.train, run)
        self.total = total_steps(run, self.batches.per_epoch)
        self.step = started.step if started else 0
        self.saved = started.step if started else None
        # What earlier processes worked counts, too.
        self.clock = time.monotonic() - (started.seconds if started else 0.0)
        self._set_up()
        if started:  # after the set-up, which may have made the weights float64
            model.load_state_dict(started.weights)
            restore_moments(model, self.optimizer.optimizer, started.moments, started.step)

    def _set_up(self) -> None:
        average = partial(self.fabric.all_reduce, reduce_op="mean")
        bound = ImportanceWeightedObjective if self.run.importance_samples > 1 else Objective
        weights = load_pixel_weights(self.run, self.model.shape)
        average = average if self.run.processes > 1 else None
        objective = bound(self.model, average, weights, self.run.kl)
        optimizer = optimizer_of(self.run, self.model, self.fabric.device)
        self.objective, self.optimizer = self.fabric.setup(objective, optimizer)

    def go(self) -> None:
        try:
            self._go()
        except TrainingStopped as error:
            kept = f"The checkpoint of step {self.saved} is kept, and --resume goes on from it"
            kept = "Nothing was saved" if self.saved is None else kept
            raise TrainingStopped(f"{error}. {kept}") from error

    def _go(self) -> None:
        in_process_zero(self.fabric, self.begin)
        self.take_steps()
        in_process_zero(self.fabric, self._close)

    def take_steps(self) -> None:
        """Those that are left, with their records."""
        self.model.train()
        for step in self._with_progress(range(self.step + 1, self.total + 1)):
            self.step = step
            report = self._descend()
            if self._is_due(self.run.log_every, self.run.eval_every, self.run.save_every):
                in_process_zero(self.fabric, self._record, report)

    def _with_progress(self, steps: range) -> Iterable[int]:
        if not (self.run.progress and self.fabric.is_global_zero):
            return steps
        return tqdm(steps, initial=self.step, total=self.total, leave=False, mininterval=0.5)

    def _descend(self) -> dict[str, float]:
        """One step, taken only once all processes know that the loss is finite."""
        run, step, fabric = self.run, self.step, self.fabric
        share = self.batches.share(step, fabric.global_rank, fabric.world_size)
        x, noise = (fabric.to_device(part) for part in share)
        beta = beta_at(run, step)
        lr = learning_rate_at(run, step, self.total, self.batches.per_epoch)
        means = self.objective(x, noise, beta, self._is_due(run.log_every))
        self.optimizer.zero_grad()
        fabric.backward(means[0])
        report = self._report(means)
        if run.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), run.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        return report | {"beta": beta, "lr": lr}

    def _report(self, means: Tensor) -> dict[str, float]:
        """Means over the global batch, the same in every process."""
        overall = self.fabric.all_reduce(means.detach().clone(), reduce_op="mean").tolist()
        report = dict(zip(NAMES, overall, strict=False))  # three of them, or all
        if not math.isfinite(report["loss"]):
            values = ", ".join(f"{name} = {value:.4g}" for name, value in report.items())
            raise TrainingStopped(
                f"the loss is not finite at step {self.step} ({values}); lower --lr, or set --clip"
            )
        return report

    def _is_due(self, *intervals: int) -> bool:
        return any(n and self.step % n == 0 for n in intervals)

    # ---- What process 0 does

    def begin(self) -> None:
        """A checkpoint from the first moment on: whatever happens, --resume works."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.saved is None:
            self._save()
        self.records = Records(self.out, self.step, self.run.logger == "tensorboard")
        say_opening(self.run, self.model, *self.pictures, self.total)

    def _record(self, report: dict[str, float]) -> None:
        """Logs, then the checkpoint: none of its rows is missing, and --resume drops later ones."""
        if self._is_due(self.run.log_every):
            self.records.train(self._place() | _with_roots(report))
        if self._is_due(self.run.eval_every):
            self._evaluate()
        if self._is_due(self.run.save_every):
            self._save()

    def _close(self) -> None:
        if self.records.eval.last < self.step:
            self._evaluate()
        if self.saved < self.step:
            self._save()
        self.records.close()
        with self._seeded():
            outcome = measure(self.run, self.model, *self.pictures)
        replace_file(self.out / SHEET, sheet(outcome))
        print(f"{in_words(outcome)}\n{self.out / SHEET} shows pictures.")

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """The same random numbers each time, and all others as if none had been drawn."""
        device = self.fabric.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed_of(self.run.seed, TEST_NOISE))
            yield

    def _place(self) -> dict[str, float]:
        return {"step": self.step, "epoch": round(self.step / self.batches.per_epoch, 4)}

    def _evaluate(self) -> None:
        """The ELBO, whatever beta is, with the same noise each time."""
        with self._seeded():
            found = estimate_elbo(self.model, self.pictures.test.to(self.model.log_std))
        row = self._place()
        for name, (mean, error) in found.items():
            name = "elbo" if name == "total" else name
            row |= {name: mean, f"{name}_se": error}
        self.records.test(row)

    def _save(self) -> None:
        """The checkpoint, and run.json beside it. Raises TrainingStopped for damaged weights."""
        model, seconds = self.model, time.monotonic() - self.clock
        weights, moments = model.state_dict(), moments_of(model, self.optimizer.optimizer)
        if not all(values.isfinite().all() for values in (weights | moments).values()):
            raise TrainingStopped(
                f"the weights are not finite after step {self.step}; lower --lr, or set --clip"
            )
        state = Checkpoint(self.run, model.shape, self.step, seconds, weights, moments)
        write_checkpoint(self.out / CHECKPOINT, state)
        self.saved = self.step
        progress = {"step": self.step, "total_steps": self.total, "seconds": round(seconds, 2)}
        write_run_json(self.out, self.run, self.command, model, progress)


def _with_roots(report: dict[str, float]) -> dict[str, float]:
    """Roots of means of squares: σ and the RMSE, in units of the pixels, and σ of the posterior."""
    roots = {"std": "variance", "rmse": "squared_error", "posterior_std": "posterior_variance"}
    kept = {k: v for k, v in report.items() if k not in roots.values()}
    return kept | {root: math.sqrt(report[square]) for root, square in roots.items()}
