"""Checkpoints: what is written is read, and what is not one is refused."""

import errno
import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vae_course.models import VAE
from vae_course.train import CheckpointError, export_model, load_model
from vae_course.train import checkpoint as module
from vae_course.train.build import build_model
from vae_course.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from vae_course.train.run import Run

RUN = Run(steps=5, hidden=(6,), latent_dim=2, std="shared", batch_size=4)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    model = build_model(RUN, (1, 4, 4))
    moments = {
        f"{moment}.{name}": torch.rand_like(weight)
        for name, weight in model.named_parameters()
        for moment in ("exp_avg", "exp_avg_sq")
    }
    state = Checkpoint(RUN, (1, 4, 4), 3, 1.5, model.state_dict(), moments)
    write_checkpoint(path, state)
    return path, state


def altered(path, **changes):
    """The same file with other metadata."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | changes
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    save_file(tensors, path, {k: v for k, v in metadata.items() if v is not None})


def test_what_is_written_is_read(written):
    path, state = written
    found = read_checkpoint(path)
    assert (found.run, found.image_shape, found.step, found.seconds) == (RUN, (1, 4, 4), 3, 1.5)
    for ours, theirs in ((found.weights, state.weights), (found.moments, state.moments)):
        assert set(ours) == set(theirs) and all(ours[k].equal(theirs[k]) for k in ours)
    assert os.listdir(path.parent) == [path.name]


def test_load_model_is_the_model_in_eval_mode(written):
    path, state = written
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    model = load_model(path)
    assert torch.equal(torch.random.get_rng_state(), before)
    by_hand = VAE((1, 4, 4), 2, hidden=(6,), std="shared")
    by_hand.load_state_dict(state.weights)
    x = torch.rand(3, 1, 4, 4)
    assert not model.training and torch.equal(model.reconstruct(x), by_hand.reconstruct(x))


@pytest.mark.parametrize("model", ["mlp", "convolutional", "transformer"])
def test_every_kind_of_model_comes_back(tmp_path, model):
    run = Run(steps=1, model=model, latent_dim=3, hidden=(5,), activation="elu", channels=(4, 8),
              patch=4, width=8, depth=1, heads=2, std="per_pixel", seed=3)  # fmt: skip
    built = build_model(run, (3, 8, 8))
    weights = built.state_dict()
    write_checkpoint(tmp_path / "a", Checkpoint(run, (3, 8, 8), 0, 0.0, weights, {}))
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(load_model(tmp_path / "a").reconstruct(x), built.eval().reconstruct(x))
    again, other = build_model(run, (3, 8, 8)), build_model(replace(run, seed=4), (3, 8, 8))
    assert all(weights[k].equal(v) for k, v in again.state_dict().items())
    assert not all(weights[k].equal(v) for k, v in other.state_dict().items())


def test_an_exported_model_has_weights_alone_in_float32(written, tmp_path):
    path, state = written
    write_checkpoint(
        path, replace(state, weights={k: v.double() for k, v in state.weights.items()})
    )
    export_model(path, tmp_path / "small.safetensors")
    with safe_open(tmp_path / "small.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    assert set(tensors) == {f"model.{name}" for name in state.weights}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    model = load_model(tmp_path / "small.safetensors").state_dict()
    assert all(model[k].equal(v) for k, v in state.weights.items())


@pytest.mark.slow
def test_reading_needs_no_lightning(written):
    code = (
        "import sys; sys.modules['lightning_fabric'] = None; from vae_course.train import "
        f"load_model; print(load_model({str(written[0])!r}).latent_dim)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr


# ---- Refused


def refused(path, *words):
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"epoch,loss\n1,2\n", b"\x80\x02}q\x00." * 99])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    refused(tmp_path / "a", str(tmp_path / "a"), "not a whole safetensors file")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_a_truncated_file_is_refused(written, share):
    path, _ = written
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "not a whole safetensors file", "cut short")


def test_a_file_of_another_program_is_refused(tmp_path):
    for metadata in ({}, {"format": "pt"}):
        save_file({"weight": torch.zeros(3)}, tmp_path / "a", metadata)
        refused(tmp_path / "a", "was not written by vae_course.train")


def test_a_newer_format_is_refused(written):
    altered(written[0], version="2", vae_course="9.0")
    refused(written[0], "format version 2", "vae_course 9.0", "update")


def test_settings_of_another_version_are_refused(written):
    altered(written[0], settings=json.dumps({"steps": 1, "flow": "real-nvp"}))
    refused(written[0], "does not know: ['flow']")
    altered(written[0], settings=None)
    refused(written[0], "lacks", "settings")


def test_weights_that_do_not_fit_the_settings_are_refused(written):
    altered(written[0], settings=replace(RUN, hidden=(7,)).to_json())
    refused(written[0], "weights do not fit", "encoder.0.weight")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*nothing.safetensors"):
        load_model(tmp_path / "nothing.safetensors")


# ---- A full disk


class FullDisk(io.FileIO):
    """Takes half of what comes."""

    def write(self, content):
        super().write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_last_good_checkpoint(written, monkeypatch):
    path, state = written
    monkeypatch.setattr(module, "open", FullDisk, raising=False)
    with pytest.raises(OSError, match="No space left on device.*checkpoint.safetensors"):
        write_checkpoint(path, replace(state, step=4))
    assert read_checkpoint(path).step == 3
    assert os.listdir(path.parent) == [path.name]
