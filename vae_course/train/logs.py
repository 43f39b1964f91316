"""What a run writes beside its checkpoint: log.csv, eval.csv, run.json, TensorBoard."""

import csv
import io
import json
import os
import platform
from pathlib import Path

import torch
from torch import nn

from vae_course import __version__
from vae_course.train.checkpoint import replace_file
from vae_course.train.run import Run

LOG = (
    "step",
    "epoch",
    "loss",
    "reconstruction",
    "kl",
    "beta",
    "lr",
    "std",
    "rmse",
    "posterior_std",
)
EVAL = ("step", "epoch", "elbo", "elbo_se", "reconstruction", "reconstruction_se", "kl", "kl_se")


class CsvLog:
    """A CSV file with one row per measured step; rows after step `last` are dropped at first."""

    def __init__(self, path: Path, columns: tuple[str, ...], last: int):
        self.path, self.columns = path, columns
        kept = [row for row in _rows(path, columns) if int(row["step"]) <= last]
        self.last = int(kept[-1]["step"]) if kept else 0
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        replace_file(path, text.getvalue().encode())

    def write(self, row: dict) -> None:
        """Raises OSError where the row does not reach the disk."""
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
            file.flush()
            os.fsync(file.fileno())
        self.last = row["step"]


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict]:
    """The whole rows; a kill may have cut the last one short."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return [row for row in csv.DictReader(io.StringIO(whole)) if None not in row.values()]


class Records:
    """All logs of a run, in the folder `out`. Process 0 alone has one."""

    def __init__(self, out: Path, step: int, tensorboard: bool):
        self.log = CsvLog(out / "log.csv", LOG, step)
        self.eval = CsvLog(out / "eval.csv", EVAL, step)
        self.tensorboard = _tensorboard(out, step) if tensorboard else None

    def train(self, row: dict) -> None:
        self._write(self.log, "train", row)

    def test(self, row: dict) -> None:
        self._write(self.eval, "test", row)

    def _write(self, log: CsvLog, prefix: str, row: dict) -> None:
        log.write(row)
        if self.tensorboard:
            values = {f"{prefix}/{name}": value for name, value in row.items() if name != "step"}
            self.tensorboard.log_metrics(values, row["step"])

    def close(self) -> None:
        if self.tensorboard:
            self.tensorboard.finalize("success")


def _tensorboard(out: Path, step: int):
    from lightning_fabric.loggers import TensorBoardLogger

    # What was logged after the checkpoint will be logged again.
    return TensorBoardLogger(out, name="", version="tensorboard", purge_step=step + 1)


def write_run_json(out: Path, run: Run, command: str, model: nn.Module, progress: dict) -> None:
    """Everything needed to tell and repeat what was done. `progress`: step, seconds."""
    content = {
        "settings": json.loads(run.to_json()),
        "command": command,
        "machine": _machine(next(model.parameters()).device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "vae_course": __version__,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        **progress,
    }
    replace_file(out / "run.json", (json.dumps(content, indent=2) + "\n").encode())


def _machine(device: torch.device) -> dict:
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
