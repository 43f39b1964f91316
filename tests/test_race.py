"""The race to −ELBO ≤ 100, in miniature: both loops train the model that is measured."""

from dataclasses import replace

import pytest
import race
import torch
from torch.nn.utils import parameters_to_vector

from vae_course.evaluation import Estimate
from vae_course.train.batches import load_pictures
from vae_course.train.build import build_model
from vae_course.train.run import Run

RUN = Run(
    n_train=256,
    n_test=100,
    binarize="each-step",
    likelihood="bernoulli",
    hidden=(32,),
    latent_dim=3,
    batch_size=64,
    lr=5e-3,
    schedule="cosine",
    steps=80,
)


def test_both_loops_train_and_the_rate_falls_to_nothing():
    pictures = load_pictures(RUN)
    before = race.loss_of(build_model(RUN, (1, 28, 28)), pictures).mean
    losses = {}
    for how in (race.by_hand, race.by_script):
        state = torch.random.get_rng_state()
        seconds, model = how(RUN, pictures)
        assert torch.equal(torch.random.get_rng_state(), state) and seconds > 0
        losses[how.__name__] = race.loss_of(model, pictures).mean
    assert max(losses.values()) < 0.5 * before  # 543 nats, at 0.5 for every pixel
    assert losses["by_hand"] == pytest.approx(losses["by_script"], rel=0.05)


def test_one_step_by_hand_is_a_step_of_adam_with_that_rate():
    run = replace(RUN, steps=1, lr=0.25, schedule="constant")
    model = build_model(run, (1, 28, 28))
    before = parameters_to_vector(model.parameters())
    _, after = race.by_hand(run, load_pictures(run))
    moved = (parameters_to_vector(after.parameters()) - before).abs()
    assert moved.max().item() == pytest.approx(0.25, rel=1e-3)  # Adam's first step is its rate


@pytest.mark.parametrize(("loss", "reached"), [(99.99, "yes"), (100.0, "yes"), (100.01, "no")])
def test_a_line_says_whether_the_goal_was_reached(loss, reached):
    found = race.line("one", 3, replace(RUN, steps=7), 12.4, Estimate(loss, 0.31))
    assert found == ["one", "3", "7", "12 s", f"{loss:.2f} ± 0.31", reached]


def test_the_contestants_share_pictures_and_goal():
    runs = [run for run, _ in race.contestants().values()]
    assert {(run.data, run.binarize, run.likelihood) for run in runs} == {
        ("mnist", "each-step", "bernoulli")
    }
    assert {run.lr for run in runs if run.schedule == "constant"} == {1e-3}
