"""`python -m vae_course.train`, run: processes, kills, full disks, logs."""

import copy
import csv
import errno
import io
import json
import math
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Bernoulli, Normal, kl_divergence

from vae_course.data import load_images
from vae_course.latents import rescale
from vae_course.models import VAE, StandardNormal
from vae_course.train import load_model, logs
from vae_course.train.__main__ import main
from vae_course.train.batches import Batches, load_pictures
from vae_course.train.build import build_model
from vae_course.train.checkpoint import read_checkpoint, replace_file
from vae_course.train.loop import Training
from vae_course.train.objective import NAMES, ImportanceWeightedObjective, Objective
from vae_course.train.outcome import in_words, measure, sheet
from vae_course.train.run import Run

pytestmark = pytest.mark.slow

TINY = "--n-train 256 --n-test 32 --batch-size 32 --hidden 16 --latent-dim 3 --accelerator cpu"
TINY = [*TINY.split(), "--log-every", "2", "--no-progress"]


def train(out, *words):
    return main([*TINY, "--out", str(out), *words])


def resume(out, *words):
    return main(["--resume", "--out", str(out), *words])


def checkpoint(out):
    return read_checkpoint(out / "checkpoint.safetensors")


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def run_python(*words, **options):
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def assert_same_bits(out, other):
    a, b = checkpoint(out), checkpoint(other)
    assert a.step == b.step and a.weights.keys() == b.weights.keys()
    assert all(a.weights[k].equal(b.weights[k]) for k in a.weights)
    assert all(a.moments[k].equal(b.moments[k]) for k in a.moments | b.moments)
    for name in ("log.csv", "eval.csv"):
        assert (out / name).read_text() == (other / name).read_text()


# ---- Several processes


# Two processes that find each other by address, as on two machines, here at the same one. They are
# forked once all is imported, which takes longer than all else; `--devices 2` starts them anew.
TWO_MACHINES = """
import os, sys
import lightning_fabric
from vae_course.train.__main__ import main

child = os.fork()
os.environ["NODE_RANK"] = "0" if child else "1"
status = main([*sys.argv[1:], "--nodes", "2"])
if child == 0:
    os._exit(status)
sys.exit(status or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_on_two_machines(*words):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    return run_python("-c", TWO_MACHINES, *words, env=os.environ | address)


def test_two_processes_take_the_steps_of_one(tmp_path):
    """Everything that could differ between processes, in float64.

    A sum over two halves is rounded otherwise than over the whole. In float64 that is 1e-16 of a
    gradient; Adam divides by the gradient's size, so even one of 1e-9 moves its weight by
    1e-3 · 1e-7. In float32 the same could be a whole step of 1e-3, as large as a real mistake.
    """
    words = ["--steps", "6", "--std", "optimal", "--binarize", "each-step", "--clip", "5"]
    words += ["--precision", "64-true", "--warm-up-steps", "4", "--eval-every", "2"]
    done = run_on_two_machines(*TINY, *words, "--out", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    for said in ("digits: 256 pictures", "On the test pictures:", "sheet.png shows"):
        assert done.stdout.count(said) == 1  # by one process
    assert train(tmp_path / "one", *words) == 0
    one, two = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    for ours, theirs in ((one.weights, two.weights), (one.moments, two.moments)):
        assert all(value.dtype == torch.float64 for value in ours.values())
        for name, value in ours.items():
            torch.testing.assert_close(theirs[name], value, rtol=1e-8, atol=1e-10)
    for name in ("log.csv", "eval.csv"):
        one, two = rows(tmp_path / "one" / name), rows(tmp_path / "two" / name)
        assert len(one) == len(two) == 3
        for ours, theirs in zip(one, two, strict=True):
            assert {k: float(v) for k, v in theirs.items()} == pytest.approx(
                {k: float(v) for k, v in ours.items()}, rel=1e-6
            )


# ---- Killed, and resumed

KILLED = """
import os, signal, sys
from vae_course.train import {module} as module
from vae_course.train.__main__ import main

def kill(*arguments):
    if arguments{where}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

original = module.{target}
module.{target} = kill
main(sys.argv[1:])
"""
KILLS = {
    "in a step": {"module": "batches", "target": "Batches.share", "where": "[1] == 9"},
    # The new checkpoint lies beside the old one, whole, and the log is ahead of it.
    "in a save": {
        "module": "checkpoint",
        "target": "os.replace",
        "where": "[1].name.startswith('check') and os.path.exists(sys.argv[-1] + '/log.csv')",
    },
}
WORDS = "--steps 16 --save-every 5 --eval-every 4 --std optimal --binarize each-step --clip 2"
WORDS = [*WORDS.split(), "--schedule", "cosine", "--warm-up-steps", "11"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(out, *WORDS) == 0
    return out


@pytest.mark.parametrize(("where", "steps"), [("in a step", 5), ("in a save", 0)])
def test_killed_and_resumed_is_as_if_never_killed(tmp_path, uninterrupted, where, steps):
    out = tmp_path / "killed"
    done = run_python("-c", KILLED.format(**KILLS[where]), *TINY, *WORDS, "--out", str(out))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoint(out).step == steps
    assert rows(out / "log.csv")[-1]["step"] in ("8", "4")  # after the checkpoint
    seconds = checkpoint(out).seconds
    with open(out / "log.csv", "a") as log:
        log.write("10,1.25,7")  # a row that was cut short
    assert resume(out) == 0
    assert_same_bits(out, uninterrupted)
    assert checkpoint(out).seconds > seconds
    assert sorted(os.listdir(out)) == sorted(os.listdir(uninterrupted))


def test_a_run_that_grows_is_as_if_it_had_been_longer(tmp_path):
    assert train(tmp_path / "long", "--epochs", "2") == 0
    assert train(tmp_path / "short", "--steps", "8") == 0
    assert resume(tmp_path / "short", "--epochs", "2") == 0
    a, b = checkpoint(tmp_path / "long"), checkpoint(tmp_path / "short")
    assert a.step == 16 and all(a.weights[k].equal(b.weights[k]) for k in a.weights)


def test_rmsprop_is_that_of_torch_and_resumes_to_the_bit(tmp_path):
    words = ["--optimizer", "rmsprop", "--likelihood", "bernoulli", "--binarize", "once"]
    assert train(tmp_path / "whole", "--steps", "6", *words) == 0
    assert train(tmp_path / "part", "--steps", "4", *words) == 0
    assert resume(tmp_path / "part", "--steps", "6") == 0
    whole, part = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "part")
    for ours, theirs in ((whole.weights, part.weights), (whole.moments, part.moments)):
        assert ours.keys() == theirs.keys() and all(ours[k].equal(theirs[k]) for k in ours)
    run = whole.run
    pictures, model = load_pictures(run).train, build_model(run, (1, 28, 28))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, centered=True)
    for step in range(1, 7):
        x, (noise,) = Batches(pictures, run).share(step, 0, 1)
        optimizer.zero_grad()
        (-model.elbo(x, noise=noise[None]).total.mean()).backward()
        optimizer.step()
    for name, weight in whole.weights.items():
        torch.testing.assert_close(model.state_dict()[name], weight)


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    assert train(tmp_path / "a", "--steps", "3") == 0
    names = ("checkpoint.safetensors", "log.csv", "eval.csv")
    before = [(tmp_path / "a" / name).read_bytes() for name in names]
    assert resume(tmp_path / "a") == 0
    assert [(tmp_path / "a" / name).read_bytes() for name in names] == before


# ---- Refused


def test_a_folder_with_a_run_is_not_written_over(tmp_path, capsys):
    assert train(tmp_path, "--steps", "1") == 0
    assert train(tmp_path, "--steps", "1") == 1
    assert "already holds a run; --resume" in capsys.readouterr().err


def test_resuming_with_other_settings_says_which(tmp_path, capsys):
    assert train(tmp_path, "--steps", "2") == 0
    assert resume(tmp_path, "--lr", "0.5", "--hidden", "16", "--beta", "3") == 1
    message = capsys.readouterr().err
    assert "--lr was 0.001, now 0.5" in message and "--beta was 1.0, now 3.0" in message
    assert "hidden" not in message
    assert resume(tmp_path, "--steps", "1") == 1
    assert "not shrink to 1" in capsys.readouterr().err
    assert resume(tmp_path / "none") == 1
    assert "to resume" in capsys.readouterr().err


def test_a_setting_of_another_model_is_refused(tmp_path, capsys):
    assert train(tmp_path / "a", "--steps", "1", "--patch", "4") == 1
    assert "--patch is for --model transformer" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_damaged_checkpoint_is_not_resumed_from(tmp_path, capsys):
    assert train(tmp_path, "--steps", "1") == 0
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert resume(tmp_path, "--steps", "2") == 1
    assert "not a whole safetensors file" in capsys.readouterr().err


def test_an_exported_model_is_not_resumed_from(tmp_path, capsys):
    assert train(tmp_path / "a", "--steps", "2") == 0
    (tmp_path / "b").mkdir()
    path = tmp_path / "b" / "checkpoint.safetensors"
    assert main(["--out", str(tmp_path / "a"), "--export", str(path)]) == 0
    assert resume(tmp_path / "b", "--steps", "3") == 1
    assert "lacks" in capsys.readouterr().err


# ---- What stops a run


def test_a_full_disk_stops_the_run_and_keeps_the_last_checkpoint(tmp_path, monkeypatch, capsys):
    def full(path, content):
        if b'"step": "4"' in content or b'"step":"4"' in content:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        replace_file(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("vae_course.train.checkpoint.replace_file", full)
        assert train(tmp_path / "a", "--steps", "6", "--save-every", "2") == 1
    message = capsys.readouterr().err
    assert "checkpoint.safetensors: No space left on device" in message
    assert "The checkpoint of step 2 is kept" in message
    assert resume(tmp_path / "a") == 0
    assert train(tmp_path / "b", "--steps", "6") == 0
    assert_same_bits(tmp_path / "a", tmp_path / "b")


def test_a_full_disk_under_the_log_stops_the_run(tmp_path, monkeypatch, capsys):
    def full(self, row):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(logs.CsvLog, "write", full)
    assert train(tmp_path, "--steps", "6") == 1
    assert "No space left on device. The checkpoint of step 0 is kept" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch, capsys):
    share = Batches.share

    def with_nan(self, step, rank, processes):
        x, noise = share(self, step, rank, processes)
        return x, noise * math.nan if step == 5 else noise

    monkeypatch.setattr(Batches, "share", with_nan)
    assert train(tmp_path, "--steps", "9", "--save-every", "2") == 1
    message = capsys.readouterr().err
    assert "not finite at step 5 (loss = nan" in message and "step 4 is kept" in message
    kept = checkpoint(tmp_path)
    assert kept.step == 4 and all(value.isfinite().all() for value in kept.weights.values())


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch, capsys):
    descend = Training._descend

    def spoil(self):
        report = descend(self)
        if self.step == 4:
            next(self.model.parameters()).data[0] = math.inf
        return report

    monkeypatch.setattr(Training, "_descend", spoil)
    assert train(tmp_path, "--steps", "9", "--save-every", "2") == 1
    assert "weights are not finite after step 4" in capsys.readouterr().err
    assert checkpoint(tmp_path).step == 2


# ---- What is computed and written


@pytest.mark.parametrize("options", [{"std": "unit"}, {"likelihood": "bernoulli"}], ids=str)
def test_the_report_is_that_of_torch_distributions(options):
    model = VAE((1, 3, 3), 2, hidden=(5,), **options)
    x, noise = torch.rand(4, 1, 3, 3).round(), torch.randn(1, 4, 2)
    mean, log_std = model.encode(x)
    posterior = Normal(mean, log_std.exp())
    decoded = model.decode(posterior.mean + posterior.stddev * noise[0])
    p = Normal(decoded.mean, 1.0) if "std" in options else Bernoulli(logits=decoded.logits)
    reconstruction = p.log_prob(x).sum((1, 2, 3)).mean()
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1).mean()
    expected = [0.5 * kl - reconstruction, reconstruction, kl, p.variance.mean()]
    expected.append((x - p.mean).square().mean())
    expected.append(posterior.variance.mean())
    found = Objective(model)(x, noise, 0.5)
    assert torch.equal(found[:3], Objective(model)(x, noise, 0.5, measured=False))
    assert NAMES[:5] == ("loss", "reconstruction", "kl", "variance", "squared_error")
    assert NAMES[5:] == ("posterior_variance",)
    torch.testing.assert_close(found, torch.stack(expected))


def by_hand(model, x, noise):
    """The bound of each picture and the mean log p(x|z), one draw after another, in float64."""
    mean, log_std = (part.double() for part in model.encode(x))
    q, weights, log_p = Normal(mean, log_std.exp()), 0, []
    for epsilon in noise.double():
        z = q.mean + q.stddev * epsilon
        logits = model.decode(z.float()).logits.double()
        log_p.append(Bernoulli(logits=logits).log_prob(x.double()).sum((1, 2, 3)))
        log_ratio = (Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)).sum(1)
        weights = weights + (log_p[-1] + log_ratio).exp()  # 9 pixels: no underflow
    return (weights / len(noise)).log(), torch.stack(log_p), kl_divergence(q, Normal(0.0, 1.0))


def test_the_importance_weighted_bound_is_that_by_hand():
    model = VAE((1, 3, 3), 2, hidden=(5,), likelihood="bernoulli")
    x, noise = torch.rand(4, 1, 3, 3).round(), torch.randn(3, 4, 2)
    bound, log_p, kl = by_hand(model, x, noise)
    found = ImportanceWeightedObjective(model)(x, noise, 1.0)
    assert torch.equal(found[:3], ImportanceWeightedObjective(model)(x, noise, 1.0, False))
    expected = torch.stack([-bound.mean(), log_p.mean(), kl.sum(1).mean()])
    torch.testing.assert_close(found[:3].double(), expected, rtol=1e-5, atol=1e-5)
    weights = list(model.parameters())
    ours = torch.autograd.grad(found[0], weights)
    theirs = torch.autograd.grad(expected[0], weights)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_run_trains_with_the_bound_that_it_was_told(tmp_path):
    words = "--likelihood bernoulli --binarize once --steps 1 --log-every 1 --importance-samples 3"
    assert train(tmp_path, *words.split()) == 0
    run = checkpoint(tmp_path).run
    pictures, model = load_pictures(run).train, build_model(run, (1, 28, 28))
    x, noise = Batches(pictures, run).share(1, 0, 1)
    (row,) = rows(tmp_path / "log.csv")
    bound = ImportanceWeightedObjective(model)(x, noise, 1.0)[0].item()
    elbos = [Objective(model)(x, epsilon[None], 1.0)[0].item() for epsilon in noise]
    assert float(row["loss"]) == pytest.approx(bound, rel=1e-5)
    assert bound < sum(elbos) / 3  # by Jensen's inequality


def test_the_kl_of_one_draw_is_that_by_hand():
    # With one draw the bound is log p(x|z) + log p(z) - log q(z|x), whose KL no formula knows.
    model = VAE((1, 3, 3), 2, hidden=(5,), likelihood="bernoulli")
    x, noise = torch.rand(4, 1, 3, 3).round(), torch.randn(1, 4, 2)
    bound, log_p, kl = by_hand(model, x, noise)
    found = Objective(model, kl="draw")(x, noise, 1.0)
    assert torch.equal(found[1:], Objective(model)(x, noise, 1.0)[1:])  # reports stay
    torch.testing.assert_close(found[0].double(), -bound.mean(), rtol=1e-5, atol=1e-5)
    weights = list(model.parameters())
    ours = torch.autograd.grad(found[0], weights, retain_graph=True)
    theirs = torch.autograd.grad(-bound.mean(), weights, retain_graph=True)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    half = Objective(model, kl="draw")(x, noise, 0.5)[0]
    torch.testing.assert_close(half.double(), -(bound + log_p[0]).mean() / 2)
    many, noise = x.repeat(1000, 1, 1, 1), torch.randn(1, 4000, 2)
    away = Objective(model, kl="draw")(many, noise, 1.0) - Objective(model)(many, noise, 1.0)
    assert abs(away[0]) < 0.06  # on average it is the formula's value


def test_a_run_trains_with_the_kl_that_it_was_told(tmp_path):
    words = "--likelihood bernoulli --binarize once --steps 1 --log-every 1 --kl draw"
    assert train(tmp_path, *words.split()) == 0
    run = checkpoint(tmp_path).run
    pictures, model = load_pictures(run).train, build_model(run, (1, 28, 28))
    x, noise = Batches(pictures, run).share(1, 0, 1)
    (row,) = rows(tmp_path / "log.csv")
    told = Objective(model, kl="draw")(x, noise, 1.0)[0].item()
    assert float(row["loss"]) == pytest.approx(told, rel=1e-5)
    assert float(row["loss"]) != pytest.approx(Objective(model)(x, noise, 1.0)[0].item(), rel=1e-5)


@pytest.mark.parametrize("std", [0.5, "per_pixel", "optimal"])
def test_pixel_weights_count_in_the_loss_alone(std):
    model = VAE((2, 3, 4), 2, hidden=(5,), std=std)
    x, noise, weights = torch.rand(4, 2, 3, 4), torch.randn(1, 4, 2), 3 * torch.rand(3, 4)
    plain, even, found = (
        Objective(copy.deepcopy(model), None, each)(x, noise, 0.5)
        for each in (None, torch.ones(3, 4), weights)
    )
    torch.testing.assert_close(even, plain)
    assert torch.equal(found[1:], plain[1:])  # what is reported stays what it was
    mean, log_std = model.encode(x)
    decoded = model.decode(mean + log_std.exp() * noise[0])
    if std == "optimal":  # the batch's
        decoded = decoded._replace(log_std=(x - decoded.mean).square().mean().sqrt().log())
    lost = torch.zeros(())
    for c in range(2):
        for row in range(3):
            for column in range(4):
                at = (slice(None), c, row, column)
                sigma = decoded.log_std.exp().expand_as(x)[at]
                log_prob = Normal(decoded.mean[at], sigma).log_prob(x[at]).mean()
                lost = lost - weights[row, column] * log_prob
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(found[0], lost + 0.5 * kl)


def test_pixel_weights_come_from_a_file(tmp_path, capsys):
    np.save(tmp_path / "even.npy", np.ones((28, 28)))
    np.save(tmp_path / "wrong.npy", np.ones((28, 27)))
    np.save(tmp_path / "zero.npy", np.zeros((28, 28)))
    for name in ("wrong", "zero"):
        words = ["--steps", "2", "--pixel-weights", str(tmp_path / f"{name}.npy")]
        assert train(tmp_path / name, *words) == 1
        assert "must hold positive numbers (28, 28)" in capsys.readouterr().err
        assert not (tmp_path / name).exists()
    assert train(tmp_path / "plain", "--steps", "2") == 0
    words = ["--steps", "2", "--pixel-weights", str(tmp_path / "even.npy")]
    assert train(tmp_path / "even", *words) == 0
    ours, plain = (rows(tmp_path / name / "log.csv")[-1] for name in ("even", "plain"))
    assert float(ours["loss"]) == pytest.approx(float(plain["loss"]), rel=1e-5)


def test_sums_are_float32_where_networks_are_bfloat16():
    model = VAE((3, 32, 32), 64, hidden=(8,), std="per_pixel")
    x, noise, said = torch.rand(4, 3, 32, 32), torch.randn(1, 4, 64), {}
    for name in ("encode", "decode"):  # what the networks say, as it is
        own = getattr(model, name)
        setattr(model, name, lambda v, own=own, name=name: said.setdefault(name, own(v)))
    with torch.autocast("cpu", torch.bfloat16):
        found = dict(zip(NAMES, Objective(model)(x, noise, 1.0), strict=True))
    assert {part.dtype for one in said.values() for part in one} == {torch.bfloat16}
    q, p = (Normal(one.mean.double(), one.log_std.double().exp()) for one in said.values())
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    assert found["kl"].item() == pytest.approx(kl.item(), rel=1e-5)
    log_prob = p.log_prob(x.double()).sum((1, 2, 3)).mean()
    assert found["reconstruction"].item() == pytest.approx(log_prob.item(), rel=1e-5)


@pytest.mark.parametrize("words", ["--std per_pixel", "--likelihood bernoulli --binarize once"])
def test_bfloat16_trains_on_a_cpu(tmp_path, words):
    words = [*words.split(), "--precision", "bf16-mixed", "--steps", "2"]
    assert train(tmp_path / "a", *words) == 0
    (row,) = rows(tmp_path / "a" / "log.csv")
    assert math.isfinite(float(row["loss"])) and float(row["kl"]) > 0
    weights = checkpoint(tmp_path / "a").weights.values()
    assert {value.dtype for value in weights} == {torch.float32}


def test_the_logs_say_what_the_run_did(tmp_path):
    words = ["--steps", "20", "--eval-every", "8", "--std", "0.5", "--logger", "tensorboard"]
    assert train(tmp_path, *words, "--warm-up-steps", "10", "--beta", "4") == 0
    log = rows(tmp_path / "log.csv")
    assert [row["step"] for row in log] == [str(step) for step in range(2, 21, 2)]
    assert [float(row["beta"]) for row in log[:6]] == pytest.approx([0.8, 1.6, 2.4, 3.2, 4, 4])
    for row in ({k: float(v) for k, v in row.items()} for row in log):
        assert row["epoch"] == row["step"] / 8 and row["std"] == pytest.approx(0.5)
        assert row["loss"] == pytest.approx(row["beta"] * row["kl"] - row["reconstruction"])
        # log N(x; mean, σ²) summed over 784 pixels, from the RMSE
        squares = 784 * (row["rmse"] / 0.5) ** 2
        constant = 784 * math.log(0.5 * math.sqrt(2 * math.pi))
        assert row["reconstruction"] == pytest.approx(-squares / 2 - constant, rel=1e-5)
        # of 3 latents, KL ≥ Σ ½ (σ² - 1 - log σ²): none can have σ = 0, or one far above 1
        assert 0 < row["posterior_std"] < 2
    measured = rows(tmp_path / "eval.csv")
    assert [row["step"] for row in measured] == ["8", "16", "20"]
    for row in measured:  # the ELBO itself, not with beta
        assert float(row["elbo"]) == pytest.approx(float(row["reconstruction"]) - float(row["kl"]))
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["settings"]["std"] == 0.5 and "--warm-up-steps 10" in told["command"]
    assert told["step"] == 20 and told["seconds"] > 0 and told["torch"] == torch.__version__
    layers = [(784, 16), (16, 6), (3, 16), (16, 784)]
    assert told["parameters"] == sum((a + 1) * b for a, b in layers)
    assert os.listdir(tmp_path / "tensorboard")


def test_training_teaches_and_leaves_the_random_state_alone(tmp_path):
    before = torch.random.get_rng_state()
    assert train(tmp_path, "--steps", "60", "--lr", "0.005", "--eval-every", "30") == 0
    assert torch.equal(torch.random.get_rng_state(), before)
    first, last = (float(row["elbo"]) for row in rows(tmp_path / "eval.csv"))
    assert last > first + 2


# ---- What is said, and what comes out


def test_a_run_says_what_it_found_and_what_it_does(tmp_path, capsys):
    assert train(tmp_path / "a", "--steps", "2", "--binarize", "once") == 0
    said = capsys.readouterr()
    assert said.out.startswith(
        "digits: 256 pictures to train on, 32 to test on, 28 x 28 pixels, grey, each pixel drawn "
        "as 0 or 1.\n"
    )
    weights = sum((a + 1) * b for a, b in [(784, 16), (16, 6), (3, 16), (16, 784)])
    assert f"mlp, 3 latents, {weights:,} weights. p(x|z) is Gaussian, and σ is the RMSE" in said.out
    assert "2 steps of 32 pictures, 0.25 epochs" in said.out
    assert said.err == ""
    assert train(tmp_path / "b", "--steps", "1", "--likelihood", "bernoulli") == 0
    said = capsys.readouterr()
    assert "p(x|z) is Bernoulli." in said.out and "σ is the RMSE" not in said.out


@pytest.mark.parametrize(
    ("std", "words", "warned"),
    [("unit", "σ is 1.", 1), ("1", "σ is 1.0.", 1), ("0.3", "σ is 0.3.", 0), ("shared", "one", 0)],
)
def test_a_std_of_one_is_warned_of(tmp_path, capsys, std, words, warned):
    assert train(tmp_path, "--steps", "1", "--std", std) == 0
    said = capsys.readouterr()
    assert words in said.out and said.err.count("warning: σ = 1 says") == warned


def test_a_folder_of_pictures_is_told_of(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for number in range(12):
        size = (70 + number, 200 - number)
        Image.new("L", size, 20 * number).save(tmp_path / "mine" / f"{number}.png")
    words = ["--data", str(tmp_path / "mine"), "--steps", "1", "--batch-size", "2"]
    words += ["--accelerator", "cpu", "--hidden", "4", "--no-progress"]
    assert main([*words, "--n-train", "8", "--n-test", "2", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "mine: 8 pictures to train on, 2 to test on, 64 x 64 pixels, colour." in said
    assert "70 to 81 pixels wide and 189 to 200 high" in said
    assert "the shorter side was made 64 pixels long" in said and "grey became colour" in said


def table_of(said):
    """The numbers in the rows of the summary, by the first word of the row."""
    lines = said.split("On the test pictures:\n")[1].splitlines()[1:5]
    return {
        line.split()[0].strip(","): [float(word) for word in line[22:].split()] for line in lines
    }


def test_the_summary_is_that_of_the_checkpoint_and_of_it_rescaled(tmp_path, capsys):
    assert train(tmp_path, "--steps", "60", "--lr", "0.005") == 0
    said = capsys.readouterr().out
    table, (row,) = table_of(said), rows(tmp_path / "eval.csv")
    pictures = load_images("digits", n_train=256, n_test=32)
    model = checkpoint(tmp_path).model().eval()
    assert table["ELBO"][0] == pytest.approx(float(row["elbo"]), abs=0.06)
    assert f"standard error of {float(row['elbo_se']):.1f}" in said
    for column in (0, 1):
        q = Normal(model.encode(pictures.test).mean, model.encode(pictures.test).log_std.exp())
        kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().item()
        assert table["KL"][column] == pytest.approx(kl, abs=0.06)
        moment = (q.mean.square() + q.variance).mean().item()
        assert table["E[μ²"][column] == pytest.approx(moment, abs=0.006)
        rescale(model, pictures.train)
    gains = [after - before for before, after in (table["ELBO"], table["KL"])]
    assert gains[0] == pytest.approx(-gains[1], abs=0.11) and gains[0] > 0.2
    assert abs(table["E[μ²"][1] - 1) < 0.3 < abs(table["E[μ²"][0] - 1)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_the_outcome_is_measured_right():
    torch.manual_seed(0)
    model = VAE((1, 4, 4), 2, hidden=(5,), std=0.3)
    train, test = torch.rand(200, 1, 4, 4), torch.rand(3000, 1, 4, 4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = measure(Run(steps=1), model, train, test)
    assert model.training and all(before[k].equal(v) for k, v in model.state_dict().items())
    assert found.std == pytest.approx(0.3)
    assert torch.equal(found.reconstructions, model.reconstruct(test[:10]))
    q = model.encode(test)
    drawn = Normal(q.mean, q.log_std.exp()).sample()
    rmse = (test - model.decode(drawn).mean).square().mean().sqrt().item()
    assert found.rmse == pytest.approx(rmse, rel=0.05)
    for codes in (found.trained, found.rescaled):
        each = [min(math.dist(a, b) for b in train.flatten(1).tolist()) for a in some(codes.draws)]
        usual = [min(math.dist(a, b) for b in train.flatten(1).tolist()) for a in some(test[:100])]
        assert codes.distance == pytest.approx(sum(each) / sum(usual), rel=1e-4)
    assert not torch.equal(found.trained.draws, found.rescaled.draws)
    assert found.rescaled.second_moment == pytest.approx(1, abs=0.1)
    assert measure(Run(steps=1, rescale=False), model, train, test).rescaled is None


def some(images):
    return images.flatten(1).tolist()


def test_without_rescaling_there_is_one_column_and_no_second_row_of_draws():
    model, x = VAE((1, 4, 4), 2, hidden=(5,)), torch.rand(20, 1, 4, 4)
    plain, both = (measure(Run(steps=1, rescale=r), model, x, x) for r in (False, True))
    assert "re-scaled" not in in_words(plain) and "re-scaled" in in_words(both)
    assert math.isnan(plain.trained.distance)  # it was trained on the pictures it is tested on
    heights = [Image.open(io.BytesIO(sheet(each))).height for each in (plain, both)]
    assert heights[1] / heights[0] == pytest.approx(5 / 3, rel=0.1)


def test_the_checkpoint_is_as_trained_and_the_export_rescaled(tmp_path, capsys):
    words = ["--steps", "30", "--lr", "0.005", "--binarize", "each-step"]
    assert train(tmp_path / "a", *words) == 0
    assert train(tmp_path / "b", *words, "--no-rescale") == 0
    a, b = checkpoint(tmp_path / "a").weights, checkpoint(tmp_path / "b").weights
    assert all(a[name].equal(b[name]) for name in a)
    for out, switch in (("a", []), ("b", []), ("a", ["--no-rescale"])):
        file = str(tmp_path / f"{out}{len(switch)}")
        assert main(["--out", str(tmp_path / out), "--export", file, *switch]) == 0
    assert "a0 is re-scaled by 256 training pictures: the KL fell by" in capsys.readouterr().out
    moved, plain, also_plain = (load_model(tmp_path / name) for name in ("a0", "b0", "a1"))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, a[name]) and torch.equal(value, also_plain.state_dict()[name])
    x = load_images("digits", n_train=256, n_test=32).train
    torch.testing.assert_close(moved.reconstruct(x), plain.reconstruct(x), rtol=0, atol=1e-5)
    for model, least in ((moved, 0), (plain, 0.3)):
        q = model.encode(torch.bernoulli(x, generator=torch.Generator().manual_seed(0)))
        off = ((q.mean.square() + (2 * q.log_std).exp()).mean(0) - 1).abs().max().item()
        assert (off < 0.1) if not least else (off > least)


def test_an_export_without_its_pictures_says_what_to_do(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for number in range(12):
        Image.new("L", (64, 64), 20 * number).save(tmp_path / "mine" / f"{number}.png")
    words = ["--data", str(tmp_path / "mine"), "--steps", "1", "--batch-size", "2", "--hidden", "4"]
    words += ["--n-test", "2", "--accelerator", "cpu", "--no-progress", "--out"]
    assert main([*words, str(tmp_path / "out")]) == 0
    (tmp_path / "mine").rename(tmp_path / "moved")
    export = ["--out", str(tmp_path / "out"), "--export", str(tmp_path / "model")]
    assert main(export) == 1
    assert "--no-rescale exports without" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    assert main([*export, "--no-rescale"]) == 0 and (tmp_path / "model").exists()


@pytest.mark.parametrize("fused", [True, None])
def test_a_device_without_fused_adam_trains(tmp_path, monkeypatch, fused):
    made = []
    original = torch.optim.Adam

    def keep(*arguments, **options):
        made.append(options["fused"])
        return original(*arguments, **options)

    monkeypatch.setattr(torch.optim, "Adam", keep)
    if not fused:  # as if the processor were a Mac's GPU, and torch the oldest that may be
        monkeypatch.setattr("vae_course.training.FUSED", ())
    assert train(tmp_path, "--steps", "2") == 0
    assert made == [fused]


def test_an_export_with_a_prior_is_a_better_model_with_the_same_reconstructions(tmp_path):
    out, files = str(tmp_path / "run"), [str(tmp_path / name) for name in ("plain", "fitted")]
    small = ["--n-train", "300", "--n-test", "200", "--hidden", "32", "--std", "0.2"]
    assert main(["--steps", "60", "--latent-dim", "3", "--out", out, *small]) == 0
    for file, more in zip(files, ([], ["--prior", "mixture"]), strict=True):
        assert main(["--out", out, "--export", file, *more]) == 0
    plain, fitted = map(load_model, files)
    x = load_images("digits", n_train=300, n_test=200).train
    assert torch.equal(plain.reconstruct(x), fitted.reconstruct(x))
    z = fitted.encode(x).sample()
    gain = fitted.prior.log_prob(z) - plain.prior.log_prob(z)  # 0 for a prior as it is made
    assert gain.mean() > 3 * gain.std() / 300**0.5 > 0
    # The weights of such a file are a start like any other; the run trains with N(0, I).
    again = ["--steps", "1", "--latent-dim", "3", "--init", files[1], *small]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    assert isinstance(load_model(tmp_path / "again/checkpoint.safetensors").prior, StandardNormal)


def test_a_prior_without_an_export_or_re_scaling_is_refused(tmp_path, capsys):
    out = ["--out", str(tmp_path / "run")]
    assert main(["--steps", "1", "--prior", "mixture", *out]) == 1
    assert "--prior goes with --export" in capsys.readouterr().err
    assert main(["--steps", "1", "--n-train", "200", "--n-test", "20", *out]) == 0
    refused = ["--export", str(tmp_path / "x"), "--prior", "mixture", "--no-rescale"]
    assert main([*out, *refused]) == 1 and not (tmp_path / "x").exists()
    assert "leave --no-rescale out" in capsys.readouterr().err
