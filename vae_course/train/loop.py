"""The training loop, on Lightning Fabric."""

import math
import time
from pathlib import Path

import torch
from tqdm import tqdm

from vae_course.evaluation import estimate_elbo
from vae_course.train.batches import TEST_NOISE, Batches, load_pictures, seed_of
from vae_course.train.build import build_model
from vae_course.train.checkpoint import Checkpoint, write_checkpoint
from vae_course.train.logs import Records, write_run_json
from vae_course.train.objective import NAMES, Objective, share_optimal_std
from vae_course.train.run import Run
from vae_course.train.schedules import beta_at, learning_rate_at, total_steps

CHECKPOINT = "checkpoint.safetensors"


class TrainingStopped(RuntimeError):
    """Training cannot go on; the last good checkpoint is kept, and the message says the rest."""


def train(run: Run, started: Checkpoint | None, command: str) -> None:
    """Train to the end of `run`, from `started` or from the beginning, and fill run.out.

    Raises ModuleNotFoundError without lightning-fabric, ValueError for settings that do not fit
    the pictures, TrainingStopped for a loss that is not finite or a disk that is full.
    """
    # Before other processes exist: a download is done once, and a mistake is reported once.
    require_lightning()
    pictures = load_pictures(run)
    model = started.model() if started else build_model(run, pictures.train.shape[1:])
    total = total_steps(run, len(pictures.train) // run.batch_size)
    require_growth(started, total, len(pictures.train))
    fabric = launch(run)
    Training(run, fabric, model, pictures, total, started, command).go()


def require_lightning() -> None:
    try:
        import lightning_fabric  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "training needs Lightning Fabric: pip install lightning-fabric tensorboard "
            "(or pip install '.[train]' in the course's folder)"
        ) from error


def require_growth(started: Checkpoint | None, total: int, pictures: int) -> None:
    if started is None:
        return
    before = total_steps(started.run, pictures // started.run.batch_size)
    if total < before:
        raise ValueError(
            f"the run is {before} steps long and can grow, but not shrink to {total} steps"
        )


def launch(run: Run):
    """All processes of the run; this one goes on as one of them."""
    from lightning_fabric import Fabric

    fabric = Fabric(
        accelerator=run.accelerator,
        devices=run.devices,
        num_nodes=run.nodes,
        strategy="ddp" if run.processes > 1 else "auto",
        precision=run.precision,
    )
    fabric.launch()
    return fabric


class Training:
    """A run in progress, in one process. What writes or measures is done by process 0 alone."""

    def __init__(self, run, fabric, model, pictures, total, started, command):
        self.run, self.fabric, self.model, self.total = run, fabric, model, total
        self.test, self.command = pictures.test, command
        self.batches = Batches(pictures.train, run)
        self.step = started.step if started else 0
        self.saved = self.step if started else None
        self.seconds, self.clock = started.seconds if started else 0.0, time.monotonic()
        self.out = Path(run.out)
        # std="optimal" is the RMSE of the whole batch, however many processes share it.
        if run.std == "optimal" and run.processes > 1:
            share_optimal_std(model, fabric)
        adam = torch.optim.Adam(model.parameters(), lr=run.lr, fused=True)
        self.objective, self.adam = fabric.setup(Objective(model), adam)
        if started:
            self._restore(started)

    def _restore(self, started: Checkpoint) -> None:
        """Weights and moments as they were, in the precision they had."""
        self.model.load_state_dict(started.weights)
        if not started.adam:
            return  # nothing was learned yet
        moments = {
            number: {
                "step": torch.tensor(float(started.step)),
                "exp_avg": started.adam[f"exp_avg.{name}"],
                "exp_avg_sq": started.adam[f"exp_avg_sq.{name}"],
            }
            for number, (name, _) in enumerate(self.model.named_parameters())
        }
        groups = self.adam.optimizer.state_dict()["param_groups"]
        self.adam.optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def go(self) -> None:
        self._in_process_zero(self._open)
        todo = range(self.step + 1, self.total + 1)
        self.model.train()
        for step in self._with_progress(todo):
            self.step = step
            self._descend()
        self._in_process_zero(self._close)

    def _with_progress(self, todo: range):
        if not (self.run.progress and self.fabric.is_global_zero):
            return todo
        return tqdm(todo, initial=self.step, total=self.total, leave=False, mininterval=0.5)

    def _descend(self) -> None:
        """One step. Adam moves only once all processes know that the loss is finite."""
        run, step = self.run, self.step
        share = self.batches.share(step, self.fabric.global_rank, self.fabric.world_size)
        x, noise = (self.fabric.to_device(part) for part in share)
        beta = beta_at(run, step)
        lr = learning_rate_at(run, step, self.total, self.batches.per_epoch)
        means = self.objective(x, noise, beta)
        report = self._report(means)
        self.adam.zero_grad()
        self.fabric.backward(means[0])
        if run.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), run.clip)
        for group in self.adam.param_groups:
            group["lr"] = lr
        self.adam.step()
        if self._is_due(run.log_every, run.save_every, run.eval_every):
            self._in_process_zero(self._record, report | {"beta": beta, "lr": lr})

    def _report(self, means) -> dict[str, float]:
        """Means over the global batch, the same in every process."""
        overall = self.fabric.all_reduce(means.detach(), reduce_op="mean").tolist()
        report = dict(zip(NAMES, overall, strict=True))
        if not math.isfinite(report["loss"]):
            values = ", ".join(f"{name} = {value:.4g}" for name, value in report.items())
            raise TrainingStopped(
                f"the loss is not finite at step {self.step} ({values}); lower --lr, or set "
                f"--clip. The checkpoint of step {self.saved} is kept"
            )
        return report

    def _is_due(self, *intervals: int) -> bool:
        return any(n and self.step % n == 0 for n in intervals)

    # ---- What process 0 does

    def _in_process_zero(self, work, *arguments) -> None:
        """Its failure is everyone's: no process waits for one that has stopped."""
        failure = None
        if self.fabric.is_global_zero:
            try:
                work(*arguments)
            except OSError as error:
                failure = (
                    f"cannot write to {self.out} at step {self.step}: {error.strerror or error}. "
                    f"The last good checkpoint is of step {self.saved}; make room, and go on with "
                    "--resume"
                )
        failure = self.fabric.broadcast(failure)
        if failure:
            raise TrainingStopped(failure)

    def _open(self) -> None:
        """A checkpoint from the first moment on: whatever happens, --resume works."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.saved is None:
            self._save()
        # Opened after the checkpoint: a new run has no rows to keep, an old one those up to it.
        self.records = Records(self.out, self.step, self.run.logger == "tensorboard")

    def _record(self, report: dict[str, float]) -> None:
        """Logs, then the checkpoint: none of its rows is missing, and --resume drops later ones."""
        run = self.run
        if self._is_due(run.log_every):
            self.records.train(self._row(report))
        if self._is_due(run.eval_every):
            self._evaluate()
        if self._is_due(run.save_every):
            self._save()

    def _close(self) -> None:
        if not self._is_due(self.run.eval_every):
            self._evaluate()
        if self.saved != self.step:
            self._save()
        self.records.close()

    def _row(self, report: dict[str, float]) -> dict[str, float]:
        report = self._place() | report
        report["std"] = math.sqrt(report.pop("variance"))
        report["rmse"] = math.sqrt(report.pop("squared_error"))
        return report

    def _place(self) -> dict[str, float]:
        return {"step": self.step, "epoch": round(self.step / self.batches.per_epoch, 4)}

    def _evaluate(self) -> None:
        """The ELBO, whatever beta is, with the same noise each time."""
        test, device = self.test, self.fabric.device
        cuda = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(seed_of(self.run.seed, TEST_NOISE))
            found = estimate_elbo(self.model, test.to(device, next(self.model.parameters()).dtype))
        names = {"total": "elbo", "reconstruction": "reconstruction", "kl": "kl"}
        row = self._place()
        for ours, theirs in names.items():
            row[theirs], row[f"{theirs}_se"] = found[ours]
        self.records.test(row)

    def _save(self) -> None:
        weights = self.model.state_dict()
        seconds = self.seconds + time.monotonic() - self.clock
        shape = tuple(self.model.image_shape)
        checkpoint = Checkpoint(self.run, shape, self.step, seconds, weights, self._moments())
        write_checkpoint(self.out / CHECKPOINT, checkpoint)
        self.saved = self.step
        parameters = sum(p.numel() for p in self.model.parameters())
        write_run_json(
            self.out,
            self.run,
            self.command,
            self.fabric.device,
            parameters,
            step=self.step,
            total=self.total,
            seconds=round(seconds, 2),
        )

    def _moments(self) -> dict[str, torch.Tensor]:
        state = self.adam.state
        return {
            f"{moment}.{name}": state[weight][moment]
            for name, weight in self.model.named_parameters()
            for moment in ("exp_avg", "exp_avg_sq")
            if weight in state
        }
