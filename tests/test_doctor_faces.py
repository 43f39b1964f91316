"""Where people meet the doctor beside `examine`: before training, in a shell, in a log."""

import json
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F

from vae_course.doctor import check_loss
from vae_course.doctor.__main__ import main
from vae_course.doctor.report import KEYS

SHAPES = (1, 28, 28), (16,)


def kl(m, s):
    return 0.5 * (m**2 + s.exp() - 1 - s).sum(1)


def cross(x, p):
    return F.binary_cross_entropy(p, x, reduction="none").flatten(1).sum(1)


def gaussian(x, decoded, m, s):
    mean, log_std = decoded
    nll = -torch.distributions.Normal(mean, log_std.exp()).log_prob(x).flatten(1).sum(1)
    return (nll + kl(m, s)).mean()


LOSSES = {
    "right": (lambda x, p, m, s: (cross(x, p) + kl(m, s)).mean(), (), {}),
    "σ from the decoder": (gaussian, (), {"decoded": (torch.zeros(2, 1, 28, 28), torch.zeros(()))}),
    "Σ squares": (lambda x, u, m, s: (((x - u) ** 2).flatten(1).sum(1) + kl(m, s)).mean(), (), {}),
    "mean of squares": (
        lambda x, u, m, s: F.mse_loss(u, x) + kl(m, s).mean(), ("mean_for_sum",), {},
    ),
    "mean cross-entropy": (
        lambda x, p, m, s: F.binary_cross_entropy(p, x) + kl(m, s).mean(), ("mean_for_sum",), {},
    ),
    "KL × 1e-3": (
        lambda x, p, m, s: (cross(x, p) + 1e-3 * kl(m, s)).mean(), ("unexplained_kl_weight",), {},
    ),
    "KL × 4, declared": (
        lambda x, p, m, s: (cross(x, p) + 4 * kl(m, s)).mean(), (), {"beta": 4.0},
    ),
    "no KL": (lambda x, p, m, s: cross(x, p).mean(), ("kl_missing",), {}),
    "log σ for log σ²": (
        lambda x, p, m, s: (cross(x, p) + kl(m, s)).mean(), ("log_std_as_log_var",),
        {"spread": "log_std"},
    ),
    "mean of log cosh": (
        lambda x, u, m, s: torch.cosh(u - x).log().mean() + kl(m, s).mean(),
        ("reconstruction_too_weak",), {},
    ),
    "kl.item()": (
        lambda x, p, m, s: cross(x, p).mean() + kl(m, s).mean().item(),
        ("loss_without_gradient",), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_checked_before_there_is_a_model(name):
    loss, says, more = LOSSES[name]
    assert check_loss(loss, *SHAPES, **more).names == says


def test_a_check_takes_about_a_second():
    loss, *_ = LOSSES["right"]
    started = time.process_time()
    check_loss(loss, *SHAPES)
    assert time.process_time() - started < 1.5


def test_a_dictionary_for_a_logger_has_one_level_and_plain_keys():
    loss, *_ = LOSSES["mean of squares"]
    report = check_loss(loss, *SHAPES)
    flat = report.to_dict()
    assert all(key.isascii() and " " not in key for key in [*flat, *KEYS.values()])
    assert all(isinstance(value, float | int | str) for value in flat.values())
    assert (flat["healthy"], flat["errors"], flat["pixels"]) == (False, 1, 784)
    assert flat["implied_sigma"] == pytest.approx(392**0.5)  # c = 1 / D and 1 / 2σ² = c
    assert "784 pixels" in flat["finding/mean_for_sum"]
    assert report.without("mean_for_sum").healthy


BUILD = """
import torch, torch.nn.functional as F
weight = torch.randn(25, 6, generator=torch.Generator().manual_seed(0))
def loss(x, p, m, s):
    kl = 0.5 * (m**2 + s.exp() - 1 - s).sum(1)
    return F.binary_cross_entropy(p, x) + kl.mean()
def build():
    return {
        "encode": lambda x: (x @ weight).chunk(2, 1),
        "decode": lambda z: (z @ weight[:, :3].T).sigmoid(),
        "images": torch.rand(60, 25).round(),
        "loss": loss,
    }
def broken():
    return {"encode": 1 / 0}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(BUILD, encoding="utf-8")
    return path


def test_a_shell_gets_an_exit_status_and_json(file, capsys):
    assert main([f"{file}:build"]) == 1
    assert "mean_for_sum" in capsys.readouterr().out
    assert main([f"{file}:build", "--ignore", "mean_for_sum", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True
    assert main([f"{file}:broken"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["mine.py"], ["nothing.py:build"], ["{file}:build", "--ignore", "x"]]
)
def test_a_shell_is_told_what_was_expected(words, file):
    with pytest.raises(SystemExit) as left:
        main([word.format(file=file) for word in words])
    assert left.value.code == 2


@pytest.mark.slow
def test_the_module_runs(file):
    command = [sys.executable, "-m", "vae_course.doctor", f"{file}:build"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1 and done.stdout.startswith("1 error: mean_for_sum."), done.stderr
