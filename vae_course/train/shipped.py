"""Models that come with the course: weights, the record of their training, and its log."""

import csv
import json
from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.models.picture_vae import PictureVAE
from vae_course.train import load_model

FOLDER = resources.files("vae_course") / "checkpoints"


class Shipped(NamedTuple):
    """What tools/ship.py put together. `record` is the run.json of the training script, with the
    last row of its eval.csv under "test", and under "earlier" the runs whose weights it started
    from; under "tested" is a list for each of step, elbo, reconstruction and kl, on test pictures,
    over all runs. `log` has a tensor (rows,) for each of step, reconstruction, kl, std, rmse and
    posterior_std on training batches. Steps are counted over all runs."""

    model: PictureVAE
    record: dict
    log: dict[str, Tensor]


def load_shipped(name: str) -> Shipped:
    """The model `name` in eval mode, what is known of its training, and the curves.

    Raises ValueError for a name that the course does not ship.
    """
    names = sorted(path.name.removesuffix(".safetensors") for path in _weights())
    if name not in names:
        raise ValueError(f"the course ships the models {', '.join(names)}, but not {name!r}")
    with resources.as_file(FOLDER / f"{name}.safetensors") as path:
        model = load_model(path)
    record = json.loads((FOLDER / f"{name}.json").read_text())
    rows = list(csv.DictReader((FOLDER / f"{name}.csv").read_text().splitlines()))
    log = {column: torch.tensor([float(row[column]) for row in rows]) for column in rows[0]}
    return Shipped(model, record, log)


def _weights():
    return [path for path in FOLDER.iterdir() if path.name.endswith(".safetensors")]
