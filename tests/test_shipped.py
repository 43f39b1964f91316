"""The model that comes with the course, and the tool that puts it there."""

import csv
import json

import pytest
import ship
import torch

from vae_course.data import load_images
from vae_course.train import __main__ as script
from vae_course.train import load_model
from vae_course.train.shipped import FOLDER, load_shipped


@pytest.fixture(scope="module")
def shipped():
    return load_shipped("faces")


def test_the_model_is_the_one_that_its_record_describes(shipped):
    settings = shipped.record["settings"]
    assert shipped.model.shape == (3, 64, 64) and not shipped.model.training
    assert shipped.model.latent_dim == settings["latent_dim"]
    count = sum(values.numel() for values in shipped.model.parameters())
    assert count == shipped.record["parameters"]
    assert shipped.record["step"] == shipped.record["total_steps"] == settings["steps"]
    assert shipped.record["seconds"] > 0 and shipped.record["command"].startswith("python -m")


def test_the_recorded_numbers_come_out_again(shipped):
    """A part of the test pictures, as the script draws them: within five standard errors."""
    settings, test = shipped.record["settings"], shipped.record["test"]
    pictures = load_images("faces", n_train=1, n_test=100, seed=settings["data_seed"]).test
    torch.manual_seed(0)
    with torch.no_grad():
        elbo = shipped.model.elbo(pictures)
    for name, values in (("elbo", elbo.total), ("kl", elbo.kl)):
        error = values.std().item() / 100**0.5
        assert values.mean().item() == pytest.approx(test[name], abs=5 * error), name


def test_the_log_is_that_of_the_whole_training(shipped):
    log, runs = shipped.log, [*shipped.record["earlier"], shipped.record]
    assert log["step"][-1] == sum(run["step"] for run in runs)
    assert (log["step"].diff() > 0).all()
    assert set(log) == {"step", "reconstruction", "kl", "std", "rmse", "posterior_std"}
    assert log["rmse"][-10:].mean() < 0.5 * log["rmse"][0]


def test_the_test_curve_ends_with_the_recorded_test(shipped):
    tested, test = shipped.record["tested"], shipped.record["test"]
    runs = [*shipped.record["earlier"], shipped.record]
    assert tested["step"][-1] == sum(run["step"] for run in runs)
    assert [tested[name][-1] for name in ("elbo", "kl")] == [test["elbo"], test["kl"]]
    assert sorted(tested["step"]) == tested["step"] and len(tested["step"]) > 5


def test_it_is_small_enough_to_ship():
    size = sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file())
    assert size < 15e6


def test_a_name_that_is_not_shipped():
    with pytest.raises(ValueError, match="ships the models faces, but not 'cats'"):
        load_shipped("cats")


SMALL = "--data digits --n-train 16 --n-test 8 --hidden 8 --latent-dim 2 --batch-size 8"


def run_script(out, more):
    words = f"{SMALL} --log-every 1 --save-every 2 --no-progress --out {out} {more}".split()
    assert script.main(words) == 0
    return out


def test_two_runs_become_a_shipped_model(tmp_path, monkeypatch):
    first = run_script(tmp_path / "first", "--steps 4 --std unit")
    start = first / "checkpoint.safetensors"
    second = run_script(tmp_path / "second", f"--steps 3 --std unit --lr 1e-9 --init {start}")
    folder = tmp_path / "checkpoints"
    ship.ship("tiny", [first, second], folder)
    monkeypatch.setattr("vae_course.train.shipped.FOLDER", folder)
    model, record, log = load_shipped("tiny")
    *_, last = csv.DictReader((second / "eval.csv").read_text().splitlines())
    assert record["test"]["elbo"] == float(last["elbo"])
    assert [run["step"] for run in (*record["earlier"], record)] == [4, 3]
    assert log["step"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert record["tested"]["step"] == [4, 7]  # each run is tested at its end
    assert record["tested"]["elbo"][-1] == record["test"]["elbo"]
    # A learning rate of next to nothing: --init had brought the first run's weights.
    for name, values in load_model(start).state_dict().items():
        assert torch.allclose(values, model.state_dict()[name], atol=1e-6), name


def test_what_a_stopped_run_logged_after_its_checkpoint_is_left_out(tmp_path):
    first = run_script(tmp_path / "first", "--steps 4")
    record = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps(record | {"step": 2}))
    second = run_script(tmp_path / "second", "--steps 1")
    ship.ship("tiny", [first, second], tmp_path / "checkpoints")
    rows = csv.DictReader((tmp_path / "checkpoints/tiny.csv").read_text().splitlines())
    assert [int(row["step"]) for row in rows] == [1, 2, 3]


def test_an_unfinished_run_is_not_shipped(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"step": 3, "total_steps": 9}))
    with pytest.raises(ValueError, match="step 3 of 9"):
        ship.ship("tiny", [tmp_path], tmp_path / "checkpoints")
    assert not (tmp_path / "checkpoints").exists()


def test_weights_of_another_model_do_not_start_a_run(tmp_path, capsys):
    start = run_script(tmp_path / "first", "--steps 1") / "checkpoint.safetensors"
    words = f"{SMALL} --steps 1 --hidden 9 --init {start} --out {tmp_path / 'second'}".split()
    assert script.main(words) == 1
    assert "do not fit the model that the settings describe" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()
