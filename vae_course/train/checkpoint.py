"""Checkpoints: one safetensors file with weights, the optimizer's moments, and settings."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vae_course import __version__
from vae_course.evaluation import encode_all
from vae_course.latents import rescale
from vae_course.models.picture_vae import PictureVAE
from vae_course.models.priors import PRIORS
from vae_course.train.build import build_model
from vae_course.train.run import Run

FORMAT = "vae_course checkpoint"
VERSION = 1


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message says why and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` steps and `seconds` of work. `moments` is empty in an exported model."""

    run: Run
    image_shape: tuple[int, ...]
    step: int
    seconds: float
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]  # as `moments_of` names them
    prior: str | None = None  # one of PRIORS, in an exported model that has one

    def model(self) -> PictureVAE:
        """The model with these weights. Raises CheckpointError where they do not fit."""
        model = build_model(self.run, self.image_shape)
        if self.prior:
            model.prior = PRIORS[self.prior](model.latent_dim)
        return self.fill(model)

    def fill(self, model: PictureVAE) -> PictureVAE:
        """`model` itself, with these weights, but for those of a prior that it does not have.

        Raises CheckpointError where they do not fit.
        """
        own = model.state_dict().keys()
        fitting = {k: v for k, v in self.weights.items() if k in own or not k.startswith("prior.")}
        try:
            model.load_state_dict(fitting)
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights do not fit the model that the settings describe: {error}"
            ) from error
        return model


def load_model(path: str | os.PathLike) -> PictureVAE:
    """The model in a checkpoint or an exported file, on the CPU, in eval mode.

    Raises FileNotFoundError, and CheckpointError for a file that is not a whole checkpoint of
    this program, or of a newer version of it.
    """
    return read_checkpoint(path).model().eval()


def export_model(
    checkpoint: str | os.PathLike,
    path: str | os.PathLike,
    images: Tensor | None = None,
    *,
    prior: str | None = None,
) -> float:
    """Write the weights of `checkpoint` alone, float32, to `path`: a third of the size.

    Re-scaled by `images` (N, C, H, W), if given: returns by how many nats the mean KL fell. A
    `prior`, "gaussian", "mixture" or "flow", is then fitted to their codes, and written, too.
    Raises ValueError for another word, and for a prior without images.
    """
    if prior is not None and (prior not in PRIORS or images is None):
        raise ValueError(f"a prior is one of {', '.join(PRIORS)}, fitted to images; not {prior!r}")
    trained = read_checkpoint(checkpoint)
    model = trained.model()
    nats = 0.0 if images is None else rescale(model, images).nats
    if prior is not None:
        model.prior = PRIORS[prior](model.latent_dim).fit(encode_all(model, images))
    write_checkpoint(path, replace(trained, weights=model.state_dict(), moments={}, prior=prior))
    return nats


def write_checkpoint(path: str | os.PathLike, checkpoint: Checkpoint) -> None:
    """Write all or nothing: what was at `path` stays until the new file is on the disk."""
    tensors = {f"model.{name}": value for name, value in checkpoint.weights.items()}
    optimizer = checkpoint.run.optimizer
    tensors |= {f"{optimizer}.{name}": value for name, value in checkpoint.moments.items()}
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "settings": checkpoint.run.to_json(),
        "image_shape": json.dumps(checkpoint.image_shape),
        "step": str(checkpoint.step),
        "seconds": str(checkpoint.seconds),
        "vae_course": __version__,
    }
    if checkpoint.prior:
        metadata["prior"] = checkpoint.prior
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    replace_file(path, save(tensors, metadata))


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Replace `path` as one act. Raises OSError, for instance on a full disk; nothing is left."""
    path = Path(path)
    # Always the same name, so that a killed process leaves one such file at most.
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read and check a file. Raises as `load_model` does."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}; expected a checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _require_format(path, metadata)
            # Cloned: else the old file is held, and fills the disk, when a new one replaces it.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}
            return _checkpoint(metadata, tensors)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({error}): cut short, damaged or of another "
            "kind; copy it again, or start the run anew"
        ) from error
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} lacks a part of a checkpoint: {error!r}") from error


def _require_format(path, metadata: dict[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was not written by vae_course.train: its metadata has the format "
            f"{metadata.get('format')!r}, not {FORMAT!r}"
        )
    if int(metadata["version"]) > VERSION:
        raise CheckpointError(
            f"{path} has format version {metadata['version']}, written by vae_course "
            f"{metadata.get('vae_course')}; this one reads up to {VERSION}: update vae_course"
        )


def _checkpoint(metadata: dict[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
    def part(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    run = _settings(metadata["settings"])
    return Checkpoint(
        run=run,
        image_shape=tuple(json.loads(metadata["image_shape"])),
        step=int(metadata["step"]),
        seconds=float(metadata["seconds"]),
        weights=part("model."),
        moments=part(f"{run.optimizer}."),
        prior=_known_prior(metadata.get("prior")),
    )


def _known_prior(name: str | None) -> str | None:
    if name is not None and name not in PRIORS:
        raise CheckpointError(f"the checkpoint has a prior {name!r}; known are {', '.join(PRIORS)}")
    return name


def _settings(text: str) -> Run:
    try:
        return Run.from_json(text)
    except ValueError as error:
        raise CheckpointError(f"the checkpoint's settings are not usable: {error}") from error
