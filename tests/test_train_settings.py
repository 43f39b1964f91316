"""Settings, schedules, batches: what a run does before anything is trained."""

import itertools
import math
import os
import subprocess
import sys
from dataclasses import fields

import pytest
import torch

from vae_course.train.batches import Batches, binarize, generator, load_pictures
from vae_course.train.command_line import parser, require_own_model, settings_of
from vae_course.train.run import Run
from vae_course.train.schedules import beta_at, learning_rate_at, total_steps

UNUSUAL = Run(
    data="some/folder", n_train=100, binarize="once", model="transformer", std=0.3, patch=4,
    hidden=(7, 5, 3), channels=(2,), epochs=3, batch_size=6, beta=2.0, clip=0.5, devices=3,
    precision="bf16-mixed", progress=False, rescale=False,
)  # fmt: skip


# ---- Settings


def test_settings_survive_json():
    assert Run.from_json(UNUSUAL.to_json()) == UNUSUAL
    assert UNUSUAL != Run(steps=1)


def test_a_bernoulli_run_of_an_older_version_is_read():
    text = Run(steps=1, likelihood="bernoulli").to_json().replace('"std": null', '"std": "unit"')
    assert '"unit"' in text and Run.from_json(text).std is None
    old = Run(steps=1, std="unit").to_json()
    assert Run.from_json(old).std == "unit"


def test_settings_survive_the_command_line():
    words = "--data some/folder --n-train 100 --binarize once --model transformer --std 0.3"
    words += " --patch 4 --hidden 7 5 3 --channels 2 --epochs 3 --batch-size 6 --beta 2 --clip 0.5"
    words += " --devices 3 --precision bf16-mixed --no-progress"
    words += " --no-rescale"
    assert Run(**settings_of(parser().parse_args(words.split()))) == UNUSUAL
    assert settings_of(parser().parse_args(["--rescale"])) == {"rescale": True}


def test_only_what_is_given_is_a_setting():
    assert settings_of(parser().parse_args(["--lr", "0.1"])) == {"lr": 0.1}


def test_help_names_every_setting_and_its_default():
    text = " ".join(parser().format_help().split())
    for one in fields(Run):
        switched_off = one.name in ("progress", "rescale")
        option = ("--no-" if switched_off else "--") + one.name.replace("_", "-")
        assert f" {option} " in text.split("options:")[1], option
        default = one.default
        shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        # A switch is off unless it is given.
        assert default is None or one.type is bool or f"(default: {shown})" in text


def test_the_examples_in_the_help_are_runs():
    lines = parser().epilog.replace("\\\n", " ").splitlines()
    commands = [line.split("vae_course.train ")[1] for line in lines if "python -m" in line]
    runs = [settings_of(parser().parse_args(command.split())) for command in commands]
    assert len(runs) == 4
    for given in runs:
        if set(given) != {"out"}:  # the one that exports
            Run(**given)


@pytest.mark.slow
def test_without_lightning_there_is_help_and_a_command_to_install_it(tmp_path):
    code = f"""
import sys
sys.modules["lightning_fabric"] = None  # as if it were not installed
from vae_course.train.__main__ import main
assert main(["--steps", "1", "--n-train", "128", "--out", {str(tmp_path / "a")!r}]) == 1
main(["--help"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert "--latent-dim" in done.stdout
    assert done.stderr.startswith("error:") and "pip install lightning-fabric" in done.stderr
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give --steps or --epochs"),
        ({"steps": 1, "epochs": 1}, "not both"),
        ({"steps": 0}, "--steps must be more than 0, not 0"),
        ({"steps": 1, "lr": -1.0}, "--lr must be more than 0"),
        ({"steps": 1, "lr": math.nan}, "--lr must be"),
        ({"steps": 1, "hidden": (5, 0)}, "--hidden must be"),
        ({"steps": 1, "model": "gan"}, "mlp, convolutional, transformer, not 'gan'"),
        ({"steps": 1, "batch_size": 10, "devices": 2, "nodes": 2}, "4 processes"),
        ({"schedule": "burda", "lr_warm_up": 5}, "burda has no warm-up"),
        ({"steps": 1, "schedule": "milestones", "gamma": 0.0}, "--gamma must be more than 0"),
        ({"steps": 1, "schedule": "milestones", "milestones": (5, 0)}, "--milestones must be"),
        ({"steps": 1, "importance_samples": 0}, "--importance-samples must be more than 0"),
        ({"steps": 1, "importance_samples": 5}, "needs a σ that does not come from the batch"),
        (
            {"steps": 1, "importance_samples": 5, "likelihood": "bernoulli", "beta": 2.0},
            "--importance-samples 5 needs --beta 1 without --warm-up-steps",
        ),
        (
            {"steps": 1, "importance_samples": 5, "likelihood": "bernoulli", "warm_up_steps": 9},
            "--importance-samples 5 needs --beta 1 without --warm-up-steps",
        ),
        (
            {"steps": 1, "importance_samples": 5, "likelihood": "bernoulli", "kl": "draw"},
            "--kl draw is for --importance-samples 1, not 5",
        ),
        ({"steps": 1, "kl": "none"}, "formula, draw, not 'none'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Run(**settings)


# ---- Schedules


def test_burda_is_eight_stages_of_three_to_the_i_epochs():
    run, per_epoch = Run(schedule="burda", lr=1e-3), 2
    assert total_steps(run, per_epoch) == 3280 * per_epoch
    rates = [learning_rate_at(run, step, 6560, per_epoch) for step in range(1, 6561)]
    stages = [(rate, len(list(same))) for rate, same in itertools.groupby(rates)]
    assert [length for _, length in stages] == [2, 6, 18, 54, 162, 486, 1458, 4374]
    expected = [1e-3, 7.1969e-4, 5.1795e-4, 3.7276e-4, 2.6827e-4, 1.9307e-4, 1.3895e-4, 1e-4]
    assert [rate for rate, _ in stages] == pytest.approx(expected, rel=1e-4)


def test_milestones_are_those_of_torch():
    run = Run(epochs=9, schedule="milestones", milestones=(2, 5, 6), gamma=10 ** (-1 / 5), lr=0.3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5, 6], gamma=10 ** (-1 / 5))
    expected = []
    for _ in range(9):  # epochs of 4 steps
        expected += 4 * theirs.get_last_lr()
        optimizer.step()
        theirs.step()
    rates = [learning_rate_at(run, step, 36, 4) for step in range(1, 37)]
    assert rates == pytest.approx(expected) and len(set(expected)) == 4


@pytest.mark.parametrize("words", ["--gamma 0.5", "--milestones 3 4"])
def test_milestones_without_their_schedule_are_refused(words):
    given = settings_of(parser().parse_args(["--steps", "1", *words.split()]))
    with pytest.raises(ValueError, match=f"{words.split()[0]} is for --schedule milestones"):
        require_own_model(Run(**given), given)
    given["schedule"] = "milestones"
    require_own_model(Run(**given), given)


def test_cosine_rises_then_falls_symmetrically():
    run = Run(steps=109, schedule="cosine", lr=0.2, lr_warm_up=10)
    rates = [learning_rate_at(run, step, 109, 7) for step in range(1, 110)]
    assert rates[:10] == pytest.approx([0.02 * i for i in range(1, 11)])
    falling = rates[9:]  # 100 steps from 0.2; a step later it would be 0
    assert all(a > b > 0 for a, b in itertools.pairwise(falling))
    assert falling[50] == pytest.approx(0.1)
    sums = [a + b for a, b in zip(falling[1:], reversed(falling[1:]), strict=True)]
    assert sums == pytest.approx([0.2] * 99)
    assert falling[25] == pytest.approx(0.2 * (2 + math.sqrt(2)) / 4)  # cos² of an eighth turn


def test_constant_is_constant_and_epochs_are_steps():
    run = Run(epochs=3, lr=0.5)
    assert {learning_rate_at(run, step, 30, 10) for step in range(1, 31)} == {0.5}
    assert total_steps(run, 10) == 30 and total_steps(Run(steps=7), 10) == 7


def test_beta_rises_in_a_straight_line():
    run = Run(steps=9, beta=2.0, warm_up_steps=4)
    assert [beta_at(run, step) for step in range(1, 7)] == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]
    assert beta_at(Run(steps=9, beta=2.0), 1) == 2.0


# ---- Batches

NUMBERED = torch.arange(50.0)[:, None, None, None] / 50


def batches(images=NUMBERED, **settings):
    return Batches(images, Run(**{"steps": 1, "batch_size": 12, "latent_dim": 3} | settings))


def test_shares_of_any_number_of_processes_make_the_same_batch():
    whole, noise = batches().share(3, 0, 1)
    for processes in (2, 3, 4):
        parts = [batches().share(3, rank, processes) for rank in range(processes)]
        assert torch.equal(torch.cat([x for x, _ in parts]), whole)
        assert torch.equal(torch.cat([e for _, e in parts], dim=1), noise)
    assert whole.shape == (12, 1, 1, 1) and noise.shape == (1, 12, 3)


def test_shares_of_several_draws_make_the_same_batch():
    settings = {"importance_samples": 5, "likelihood": "bernoulli"}
    _, noise = batches(**settings).share(3, 0, 1)
    parts = [batches(**settings).share(3, rank, 3)[1] for rank in range(3)]
    assert noise.shape == (5, 12, 3) and torch.equal(torch.cat(parts, dim=1), noise)
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(noise, 2))


def test_binarized_shares_make_the_same_batch():
    images = torch.rand(20, 1, 3, 3)
    whole, _ = batches(images, binarize="each-step").share(2, 0, 1)
    shares = [batches(images, binarize="each-step").share(2, r, 3)[0] for r in range(3)]
    assert torch.equal(torch.cat(shares), whole)


def test_no_picture_comes_twice_in_an_epoch_and_orders_differ():
    own = batches()
    first, second = (
        [own.share(s, 0, 1)[0] for s in steps] for steps in ((1, 2, 3, 4), (5, 6, 7, 8))
    )
    for epoch in (first, second):
        assert len(set(torch.cat(epoch).flatten().tolist())) == 48
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_steps_and_seeds_have_noise_of_their_own():
    draws = [batches(seed=seed).share(step, 0, 1)[1] for seed in (0, 1) for step in (1, 2)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(draws, 2))
    noise = torch.cat([batches(latent_dim=500).share(step, 0, 1)[1] for step in range(1, 9)])
    assert noise.mean().abs() < 5 / math.sqrt(noise.numel())
    assert (noise.var() - 1).abs() < 5 * math.sqrt(2 / noise.numel())


def test_a_batch_at_a_step_does_not_depend_on_those_before():
    own = batches()
    for step in range(1, 10):
        last = own.share(step, 0, 1)
    assert all(torch.equal(a, b) for a, b in zip(last, batches().share(9, 0, 1), strict=True))


def test_binarized_pixels_have_the_mean_of_the_grey_ones():
    grey = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0]).expand(40_000, 5)
    drawn = binarize(grey, generator(0, 0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    errors = (drawn.mean(0) - grey[0]).abs()
    assert (errors <= 5 * (grey[0] * (1 - grey[0]) / len(grey)).sqrt()).all()


def test_each_step_draws_pixels_anew_and_once_draws_them_once():
    grey = torch.full((12, 1, 8, 8), 0.5)
    first, second = (batches(grey, binarize="each-step").share(s, 0, 1)[0] for s in (1, 2))
    assert not torch.equal(first, second)
    settings = {"steps": 1, "n_train": 40, "n_test": 20, "batch_size": 20}
    once, again, other = (
        load_pictures(Run(**settings, binarize="once", data_seed=seed, seed=7))
        for seed in (0, 0, 1)
    )
    for part in (once.train, once.test):
        assert set(part.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(once.train, again.train) and not torch.equal(once.train, other.train)
    each = load_pictures(Run(**settings, binarize="each-step"))
    assert torch.equal(each.test, once.test) and len(each.train.unique()) > 2


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="--batch-size 30 is more than the 20 pictures"):
        load_pictures(Run(steps=1, n_train=20, n_test=5, batch_size=30))
    with pytest.raises(ValueError, match="--n-test must be 2 or more"):
        load_pictures(Run(steps=1, n_train=20, n_test=1, batch_size=10))
