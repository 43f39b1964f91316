"""What is examined is afterwards as it was before."""

import functools
import random
import warnings
from queue import SimpleQueue

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from vae_course.doctor import examine

PIXELS, LATENTS = 25, 3
PICTURES = torch.rand(60, PIXELS, generator=torch.Generator().manual_seed(0))


class Normed(nn.Module):
    """Batch normalisation and dropout; `calls` is counted in Python."""

    def __init__(self):
        super().__init__()
        self.up = nn.Sequential(
            nn.Linear(PIXELS, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2 * LATENTS)
        )
        self.down, self.calls = nn.Linear(LATENTS, PIXELS), 0

    def encode(self, x):
        self.calls += 1
        return self.up(x).chunk(2, 1)

    def decode(self, z):
        return self.down(z)


def squares(x, decoded, mean, log_std):
    kl = 0.5 * ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std).sum(1)
    return (((x - decoded) ** 2).sum(1) + kl).mean()


class Box:
    __slots__ = ("inside",)


def snapshot(model):
    """All that training would miss: numbers, modes, gradients, hooks, counters."""
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    slopes = {k: None if p.grad is None else p.grad.clone() for k, p in model.named_parameters()}
    wishes = [p.requires_grad for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    hooks = [len(m._forward_hooks) for m in model.modules()]
    return tensors, slopes, wishes, modes, hooks, getattr(model, "calls", 0)


def assert_same(before, after):
    for a, b in zip(before[:2], after[:2], strict=True):
        assert a.keys() == b.keys()
        assert all(a[k] is b[k] or torch.equal(a[k], b[k]) for k in a)
    assert before[2:] == after[2:]


MODEL = None  # as in a notebook


def by_global_name(model):
    global MODEL
    MODEL = model
    return lambda x: MODEL.encode(x)


def by_two_functions(model):
    inner = by_global_name(model)

    def outer(x):
        return inner(x)

    return outer


def in_a_container(model):
    box = Box()
    box.inside = {"models": [(model,)]}
    return lambda x: box.inside["models"][0][0].encode(x)


def as_default(model):
    return lambda x, model=model: model.encode(x)


def decorated(model):
    @functools.wraps(model.encode)
    def encode(*inputs):
        return model.encode(*inputs)

    return encode


WAYS = {
    "bound method": lambda model: model.encode,
    "partial": lambda model: functools.partial(Normed.encode, model),
    "global name": by_global_name,
    "function of a function": by_two_functions,
    "container": in_a_container,
    "default": as_default,
    "decorated": decorated,
    "compiled": lambda model: torch.compile(model.encode, backend="eager"),
    "parallel": lambda model: lambda x: nn.DataParallel(model).module.encode(x),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_model_is_left_as_it_was_however_it_is_reached(way):
    model = Normed().train()
    model.up[3].eval()
    model.down.weight.requires_grad_(False)
    squares(PICTURES, model.decode(model.encode(PICTURES)[0]), *model.encode(PICTURES)).backward()
    before = snapshot(model)
    report = examine(way(model), model.decode, PICTURES, squares)
    assert_same(before, snapshot(model))
    assert "not_deterministic" not in report.names  # it did rest: there was no dropout


def test_a_traced_module_is_left_as_it_was():
    model = Normed().train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dropout makes two traces differ
        traced = torch.jit.trace(model.up, PICTURES, check_trace=False)
    before = snapshot(traced)
    examine(lambda x: traced(x).chunk(2, 1), model.decode, PICTURES, squares)
    assert_same(before, snapshot(traced))


def test_what_user_code_does_to_a_model_is_undone():
    model = Normed()

    def encode(x):
        model.up[1].register_forward_hook(lambda *_: None)
        model.up[0].weight.requires_grad_(False)
        with torch.no_grad():
            model.up[0].weight.mul_(0.99)
        model.up[3].weight.data.add_(0.01)  # not counted as a change by torch
        return model.encode(x)

    before = snapshot(model)
    examine(encode, model.decode, PICTURES, squares)
    assert_same(before, snapshot(model))


def test_gradients_and_momentum_of_a_loss_that_trains_a_critic_are_as_before():
    critic = nn.Linear(PIXELS, 1)
    optimizer = torch.optim.Adam(critic.parameters())
    model = Normed()

    def loss(x, decoded, mean, log_std):
        score = critic(decoded.detach().float()).mean()
        score.backward()
        optimizer.step()
        return squares(x, decoded, mean, log_std)

    before = snapshot(critic)
    examine(model.encode, model.decode, PICTURES, loss)
    assert_same(before, snapshot(critic))
    assert optimizer.state == {}


STEP = 0


class Counting:
    total = 0

    def __init__(self):
        self.steps, self.seen = 0, []

    def __call__(self, *inputs):
        self.steps += 1
        self.seen.append(inputs)
        type(self).total += 1
        self.new = 1
        return squares(*inputs)


def test_counters_of_a_loss_stand_where_they_stood():
    model, counting, local, array = Normed(), Counting(), 0, numpy.zeros(3)
    generator, dice = torch.Generator().manual_seed(3), random.Random(3)
    states = generator.get_state(), dice.getstate()

    def loss(*inputs):
        global STEP
        nonlocal local
        STEP, local = STEP + 1, local + 1
        array[0] += 1
        noise = torch.rand((), generator=generator) + dice.random()
        return counting(*inputs) + 0 * noise

    examine(model.encode, model.decode, PICTURES, loss)
    assert (STEP, local, array.tolist()) == (0, 0, [0, 0, 0])
    assert (counting.steps, counting.seen, Counting.total) == (0, [], 0)
    assert not hasattr(counting, "new")
    assert torch.equal(generator.get_state(), states[0]) and dice.getstate() == states[1]


def test_an_annealed_weight_is_read_as_it_stands_now():
    model, steps = Normed(), [299]

    def loss(x, decoded, mean, log_std):
        steps[0] += 1
        kl = 0.5 * ((2 * log_std).exp() + mean**2 - 1 - 2 * log_std).sum(1)
        return (F.binary_cross_entropy_with_logits(decoded, x, reduction="none").sum(1)
                + steps[0] / 1000 * kl).mean()  # fmt: skip

    report = examine(model.encode, model.decode, PICTURES.round(), loss)
    assert report.measurements["β, the KL's weight"] == pytest.approx(0.3, rel=1e-4)
    assert steps == [299]


def test_global_random_states_are_as_before():
    model = Normed()

    def sample(mean, log_std):
        return mean + log_std.exp() * torch.randn_like(mean) * (1 + 0 * numpy.random.rand())

    def loss(*inputs):
        return squares(*inputs) + 0 * random.random() + 0 * numpy.random.rand()

    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = numpy.random.get_state()[1].copy()
    examine(model.encode, model.decode, PICTURES, loss, sample=sample)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state
    assert (numpy.random.get_state()[1] == numpy_state).all()


def test_all_is_as_before_when_the_examination_fails():
    model = Normed().train()
    before = snapshot(model)
    with pytest.raises(TypeError):
        examine(model.encode, lambda z: {"mean": model.decode(z)}, PICTURES)
    assert_same(before, snapshot(model))


def test_what_cannot_be_put_back_is_said_before_anything_is_called():
    model, steps = Normed(), iter(range(10_000))

    def loss(*inputs):
        next(steps)
        return squares(*inputs)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="an iterator.*cannot put that back"):
            examine(model.encode, model.decode, PICTURES, loss)
        assert next(steps) == 0
        examine(model.encode, model.decode, PICTURES, squares)  # nothing to say here


def test_at_most_as_many_pictures_are_looked_at_as_was_asked():
    model, sizes = Normed(), SimpleQueue()  # a list would be put back

    def encode(x):
        sizes.put(len(x))
        return model.encode(x)

    examine(encode, model.decode, torch.rand(500, PIXELS), most=90, at_once=40)
    seen = {sizes.get() for _ in range(sizes.qsize())}
    assert seen == {2, 40, 10, 24}  # two at first; 90 are 40, 40 and 10; 64 are 40 and 24


def test_a_network_that_asks_for_gradients_inside_can_be_examined():
    model = Normed()

    def encode(x):
        x = x.detach().requires_grad_()
        mean, log_std = model.encode(x)
        (slope,) = torch.autograd.grad(mean.sum(), x, retain_graph=True)
        return mean, log_std + 0 * slope.sum()

    def loss(x, decoded, mean, log_std):
        error = ((x - decoded) ** 2).sum()
        return squares(x, decoded, mean, log_std) + 0 * torch.autograd.grad(error, decoded)[0].sum()

    examine(encode, model.decode, PICTURES, loss)
