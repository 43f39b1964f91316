import copy
import math
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from vae_course.models import VAE
from vae_course.training import adam, fit


class Centre(nn.Module):
    """One learned point."""

    def __init__(self, *start):
        super().__init__()
        self.point = nn.Parameter(torch.tensor(start))


def squared_distance(model, x):
    return (x - model.point).square().sum(1).mean()


def negative_elbo(model, x):
    result = model.elbo(x)
    return {"loss": -result.total.mean(), "kl": result.kl.mean()}


def quick_fit(model, loss, images, **options):
    return fit(model, loss, images, **{"progress": False, "device": "cpu"} | options)


class Recorder:
    """A loss that keeps what it was given."""

    def __init__(self):
        self.batches, self.modes = [], []

    def __call__(self, model, x):
        self.batches.append(x.flatten().tolist())
        self.modes.append(model.training)
        return squared_distance(model, x)


def recorded_batches(n=10, **options):
    recorder = Recorder()
    history = quick_fit(Centre(0.0), recorder, torch.arange(float(n))[:, None], **options)
    assert len(history) == len(recorder.batches)
    return recorder.batches


def weights(model):
    return torch.cat([values.detach().flatten() for values in model.parameters()])


# ---- It minimises


def test_the_mean_of_the_data_is_found():
    x = torch.randn(50, 3) + torch.tensor([2.0, -1.0, 0.5])
    model = Centre(0.0, 0.0, 0.0)
    quick_fit(model, squared_distance, x, steps=600, batch_size=50, lr=0.05)
    torch.testing.assert_close(model.point.detach(), x.mean(0), atol=1e-3, rtol=0)


def test_the_key_loss_is_what_is_minimised():
    x, model = torch.randn(50, 1) + 2, Centre(0.0)

    def loss(model, x):
        return {"decoy": (model.point + 5).square().sum(), "loss": squared_distance(model, x)}

    quick_fit(model, loss, x, steps=600, batch_size=50, lr=0.05)
    assert model.point.item() == pytest.approx(x.mean().item(), abs=1e-3)


@pytest.mark.parametrize(("options", "length"), [({}, 1e-3), ({"lr": 0.25}, 0.25)])
def test_the_first_step_is_as_long_as_the_learning_rate(options, length):
    model = Centre(0.0)  # Adam's first step is lr times the sign of the gradient
    quick_fit(model, squared_distance, torch.full((4, 1), 3.0), steps=1, **options)
    assert model.point.item() == pytest.approx(length, rel=1e-4)


def test_steps_follow_adam_on_fresh_gradients():
    model, x = Centre(0.0), torch.full((4, 1), 3.0)
    quick_fit(model, squared_distance, x, steps=20, lr=0.1)
    point, m, v = 0.0, 0.0, 0.0  # Kingma & Ba 2015, Algorithm 1
    for t in range(1, 21):
        slope = 2 * (point - 3)
        m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
        point -= 0.1 * m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert model.point.item() == pytest.approx(point, rel=1e-4)


@pytest.mark.parametrize(("device", "fused"), [("cpu", True), ("cuda", True), ("mps", None)])
def test_adam_is_fused_where_every_version_of_torch_has_it(device, fused):
    made = adam(Centre(0.0), 0.1, torch.device(device))
    assert made.defaults["fused"] is fused and made.defaults["lr"] == 0.1


def test_fit_takes_the_adam_of_its_device(monkeypatch):
    asked = []

    def keep(model, lr, device):
        asked.append((lr, str(device)))
        return adam(model, lr, device)

    monkeypatch.setattr("vae_course.training.adam", keep)
    quick_fit(Centre(0.0), squared_distance, torch.ones(4, 1), steps=1, lr=0.25)
    assert asked == [(0.25, "cpu")]


def test_frozen_parameters_stay():
    model = VAE((1, 2, 2), 1, hidden=(4,))
    model.encoder.requires_grad_(False)
    before = copy.deepcopy(model)
    quick_fit(model, negative_elbo, torch.rand(8, 1, 2, 2), steps=3)
    assert torch.equal(weights(model.encoder), weights(before.encoder))
    assert not torch.equal(weights(model.decoder), weights(before.decoder))


# ---- Randomness


def trained(start, seed):
    model = copy.deepcopy(start)
    history = quick_fit(model, negative_elbo, IMAGES, epochs=3, batch_size=8, seed=seed)
    return weights(model), history["loss"]


IMAGES = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def test_the_same_seed_gives_the_same_bits():
    start = VAE((1, 4, 4), 2, hidden=(8,), std=0.3)
    first = trained(start, seed=4)
    torch.manual_seed(999)
    torch.rand(7)
    again = trained(start, seed=4)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_another_seed_gives_another_result():
    start = VAE((1, 4, 4), 2, hidden=(8,), std=0.3)
    first, other = trained(start, seed=4), trained(start, seed=5)
    assert not torch.equal(first[0], other[0]) and not torch.equal(first[1], other[1])


def test_the_seed_governs_the_draws_within_the_loss_too():
    draws = []

    def loss(model, x):
        draws.append(torch.rand(()).item())
        return squared_distance(model, x)

    for seed in (0, 0, 1):
        quick_fit(Centre(0.0), loss, torch.ones(4, 1), steps=2, seed=seed)
    assert draws[:2] == draws[2:4] and len(set(draws)) == 4


def test_the_global_random_state_is_left_alone():
    start = VAE((1, 4, 4), 2, hidden=(8,))
    before = torch.get_rng_state()
    trained(start, seed=4)
    assert torch.equal(torch.get_rng_state(), before)


# ---- Batches


def test_every_image_is_used_once_an_epoch_in_a_new_order():
    batches = recorded_batches(10, epochs=3, batch_size=4)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    epochs = [sum(batches[i : i + 3], []) for i in (0, 3, 6)]
    assert all(sorted(order) == list(range(10)) for order in epochs)
    assert all(order != sorted(order) for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_order_depends_on_the_seed_alone():
    first = recorded_batches(10, epochs=1, seed=3)
    torch.manual_seed(77)
    assert recorded_batches(10, epochs=1, seed=3) == first
    assert recorded_batches(10, epochs=1, seed=4) != first


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({"epochs": 2, "batch_size": 4}, [4, 4, 2, 4, 4, 2]),
        ({"epochs": 2, "batch_size": 5}, [5, 5, 5, 5]),
        ({"epochs": 2, "batch_size": 100}, [10, 10]),
        ({"steps": 4, "batch_size": 4}, [4, 4, 2, 4]),
        ({"steps": 1, "batch_size": 1}, [1]),
    ],
)
def test_number_and_size_of_batches(options, sizes):
    assert [len(batch) for batch in recorded_batches(10, **options)] == sizes


def test_a_batch_has_128_images_unless_told():
    assert [len(batch) for batch in recorded_batches(130, epochs=1)] == [128, 2]


def test_the_images_are_left_alone():
    images = torch.arange(10.0)[:, None]
    quick_fit(Centre(0.0), squared_distance, images, epochs=2, batch_size=4)
    assert images.flatten().tolist() == list(range(10))


# ---- History


def test_history_holds_what_the_loss_reported():
    values = iter([3.0, 1.0, 4.0, 1.5])

    def loss(model, x):
        return {"loss": 0 * model.point.sum() + next(values), "size": torch.tensor(len(x))}

    history = quick_fit(Centre(0.0), loss, torch.ones(6, 1), steps=4, batch_size=4)
    assert len(history) == 4
    assert history["loss"].tolist() == [3, 1, 4, 1.5] and not history["loss"].requires_grad
    assert history["size"].tolist() == [4, 2, 4, 2]
    assert history.final("loss", last=2) == 2.75
    assert history.final("loss") == 2.375


def test_final_averages_the_last_fifty_steps():
    numbers = iter(range(100))

    def loss(model, x):
        return 0 * model.point.sum() + next(numbers)

    history = quick_fit(Centre(0.0), loss, torch.ones(4, 1), steps=100)
    assert history.final("loss") == 74.5


def test_a_plain_scalar_is_recorded_as_loss():
    history = quick_fit(Centre(1.0), squared_distance, torch.full((4, 1), 3.0), steps=3)
    assert history["loss"].shape == (3,)
    assert history["loss"][0].item() == 4


def test_an_unknown_name_is_refused_with_the_known_ones():
    model = VAE((1, 4, 4), 2, hidden=(8,))
    history = quick_fit(model, negative_elbo, IMAGES, steps=1)
    with pytest.raises(KeyError, match="'kl', 'loss'.*'reconstruction'"):
        history["reconstruction"]


# ---- The model comes back as it was


class Traveller(Centre):
    """Notes where it is sent, and stays."""

    def __init__(self):
        super().__init__(0.0)
        self.visited = []

    def to(self, device):
        self.visited.append(str(device))
        return self


def fail(model, x):
    raise RuntimeError("the loss is broken")


@pytest.mark.parametrize("training", [True, False])
def test_training_happens_in_train_mode_and_the_mode_comes_back(training):
    model, recorder = nn.Sequential(Centre(0.0)).train(training), Recorder()

    def loss(model, x):
        return recorder(model[0], x)

    quick_fit(model, loss, torch.ones(4, 1), steps=2)
    assert recorder.modes == [True, True]
    assert (model.training, model[0].training) == (training, training)


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_random_state_come_back_after_an_error(training):
    model = Centre(0.0).train(training)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="broken"):
        quick_fit(model, fail, torch.ones(4, 1), steps=2)
    assert model.training == training
    assert torch.equal(torch.get_rng_state(), before)


def test_model_and_batches_go_to_the_device_and_the_model_returns():
    model, devices = Traveller(), []

    def loss(model, x):
        devices.append(x.device.type)
        return model.point.square().sum()

    quick_fit(model, loss, torch.ones(4, 1), steps=2, device="meta")
    assert model.visited == ["meta", "cpu"] and devices == ["meta", "meta"]


def test_the_model_returns_after_an_error():
    model = Traveller()
    with pytest.raises(RuntimeError, match="broken"):
        quick_fit(model, fail, torch.ones(4, 1), steps=2, device="meta")
    assert model.visited == ["meta", "cpu"]


# ---- Errors


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_step(bad):
    def loss(model, x):
        values = {"loss": squared_distance(model, x), "kl": torch.tensor(float(len(steps)))}
        steps.append(values["loss"].item())
        if len(steps) == 4:
            values["loss"] = values["loss"] * bad
        return values

    x, steps, model = torch.randn(8, 1), [], Centre(5.0)
    with pytest.raises(FloatingPointError, match=rf"step 3 \(loss = {bad}, kl = 3\)"):
        quick_fit(model, loss, x, steps=6, batch_size=3)
    steps, clean = [], Centre(5.0)
    quick_fit(clean, loss, x, steps=3, batch_size=3)
    assert model.point.item() == clean.point.item() != 5


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (lambda model, x: (x - model.point).square().sum(1), r"scalar.*'loss': \(4,\).*mean"),
        (lambda model, x: {"loss": model.point.sum(), "kl": x}, r"scalar.*'kl': \(4, 1\)"),
        (lambda model, x: {"total": model.point.sum()}, r"key 'loss'.*'total'"),
    ],
    ids=["one value per image", "one value per image beside the loss", "no loss"],
)
def test_the_loss_must_return_scalars(loss, named):
    model = Centre(1.0)
    with pytest.raises(ValueError, match=named):
        quick_fit(model, loss, torch.ones(4, 1), steps=1)
    assert model.point.item() == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "epochs=None, steps=None"),
        ({"epochs": 2, "steps": 3}, "epochs=2, steps=3"),
        ({"epochs": 0}, "epochs .* 0"),
        ({"steps": 0}, "steps .* 0"),
        ({"steps": -1}, "steps .* -1"),
        ({"steps": 1, "batch_size": 0}, "batch_size .* 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, named):
    with pytest.raises(ValueError, match=named):
        quick_fit(Centre(0.0), squared_distance, torch.ones(4, 1), **options)


@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.ones(4), r"\(4,\)"),
        (torch.ones(0, 1, 4, 4), r"\(0, 1, 4, 4\)"),
        ([torch.ones(1, 4, 4)], "list"),
    ],
)
def test_images_that_make_no_sense_are_refused(images, named):
    with pytest.raises(ValueError, match=f"images.*{named}"):
        quick_fit(Centre(0.0), squared_distance, images, steps=1)


# ---- Progress

SCRIPT = """
import sys, torch
from vae_course.training import fit
for progress in (False, True):
    print("progress", progress, file=sys.stderr)
    fit(torch.nn.Linear(1, 1), lambda model, x: model(x).mean(), torch.ones(4, 1), steps=3,
        device="cpu", progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("disabled", [False, True])
def test_a_bar_is_shown_unless_told_or_disabled(disabled):
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=env | ({"TQDM_DISABLE": "1"} if disabled else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    without, with_bar = done.stderr.removeprefix("progress False\n").split("progress True\n")
    assert done.stdout == without == ""
    assert with_bar == "" if disabled else "0/3" in with_bar


def test_a_bar_is_the_default(monkeypatch):
    shown = []
    monkeypatch.setattr("vae_course.training.tqdm", lambda steps, **_: shown.append(steps) or steps)
    fit(Centre(0.0), squared_distance, torch.ones(4, 1), steps=3, device="cpu")
    assert shown == [range(3)]


def test_a_loss_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="tensors.*float"):
        fit(nn.Linear(1, 1), lambda model, x: 1.0, torch.rand(4, 1), steps=1, progress=False)
