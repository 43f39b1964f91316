"""`doctor.watch`: what one step shows, and that the step does not feel it."""

import contextlib
import sys
import types
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Variable
from torch.distributions import Bernoulli, Normal, kl_divergence

from vae_course import doctor
from vae_course.doctor.lightning import doctor_callback

PIXELS, BATCH = 49, 32
NOISE = torch.Generator().manual_seed(0)
GREY = (torch.rand(320, PIXELS, generator=NOISE) * 0.9) ** 2
BINARY = (GREY > 0.3).float()


def plain_draw(m, s):
    return m + (0.5 * s).exp() * torch.randn_like(m)


class Model(nn.Module):
    """What tutorials write: forward returns (reconstruction, mean, log_var, z)."""

    def __init__(self, draw=plain_draw, heads=lambda m, s: (m, s), end=torch.sigmoid, latents=3):
        super().__init__()
        self.up, self.down = nn.Linear(PIXELS, 16), nn.Linear(latents, 16)
        self.mean, self.log_var = nn.Linear(16, latents), nn.Linear(16, latents)
        self.out, self.log_std = nn.Linear(16, PIXELS), nn.Parameter(torch.tensor(-1.0))
        self.draw, self.heads, self.end = draw, heads, end

    def forward(self, x):
        h = self.up(x).relu()
        m, s = self.heads(self.mean(h), self.log_var(h))
        z = self.draw(m, s)
        return self.end(self.out(self.down(z).relu())), m, s, z


def kl(m, s):
    return 0.5 * (m**2 + s.exp() - 1 - s).sum(1)


def cross(x, p):
    return F.binary_cross_entropy(p, x, reduction="none").sum(1)


def squares(x, p):
    return (x - p).square().sum(1)


def sound(x, p, m, s, z, net):
    return (cross(x, p) + kl(m, s)).mean()


def train(net, loss, x=BINARY, steps=10, when=None):
    """The last step watched; the report's maker and the weights at the end."""
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(steps):
        batch = x[torch.randint(len(x), (BATCH,))]
        with doctor.watch(net, when=step == steps - 1 if when is None else when) as seen:
            value = loss(batch, *net(batch), net)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    return seen


def names(loss, *how, x=BINARY, beta=1.0, **more):
    torch.manual_seed(0)
    return train(Model(*how, **more), loss, x).report(beta=beta).names


# ---- Left in peace


def by_hand(x, p, m, s, z, net):
    p = p.clamp(1e-6, 1 - 1e-6)
    return (kl(m, s) - (x * p.log() + (1 - x) * (1 - p).log()).sum(1)).mean()


def with_distributions(x, p, m, s, z, net):
    posterior = Normal(m, (s / 2).exp())
    divergence = kl_divergence(posterior, Normal(torch.zeros_like(m), torch.ones_like(m)))
    return (divergence.sum(1) - Bernoulli(p).log_prob(x).sum(1)).mean()


def at_a_draw(x, p, m, s, z, net):
    log_q = Normal(m, (s / 2).exp()).log_prob(z).sum(1)
    return (cross(x, p) + log_q - Normal(0.0, 1.0).log_prob(z).sum(1)).mean()


def learned(x, p, m, s, z, net):
    nll = 0.5 * ((x - p) / net.log_std.exp()) ** 2 + net.log_std
    return (nll.sum(1) + kl(m, s)).mean()


def learned_normal(x, p, m, s, z, net):
    return (kl(m, s) - Normal(p, net.log_std.exp()).log_prob(x).sum(1)).mean()


def learned_nll(x, p, m, s, z, net):
    var = (2 * net.log_std).exp().expand_as(p)
    return F.gaussian_nll_loss(p, x, var, reduction="sum") / len(x) + kl(m, s).mean()


def optimal(x, p, m, s, z, net):
    return 0.5 * PIXELS * (x - p).square().mean().log() + kl(m, s).mean()


def capacity(x, p, m, s, z, net):
    return cross(x, p).mean() + 30 * (kl(m, s).mean() - 9).abs()


def free_bits(x, p, m, s, z, net):
    return cross(x, p).mean() + (kl(m, s) / 3).clamp(min=0.5).mean()


def tiny(x, p, m, s, z, net):
    return (20 * squares(x, p) + 1e-6 * kl(m, s)).mean()


def summed(x, p, m, s, z, net):
    return cross(x, p).sum() + kl(m, s).sum()


@pytest.mark.parametrize("loss", [sound, summed, by_hand, with_distributions, at_a_draw, capacity,
                                  free_bits])  # fmt: skip
def test_right_losses_on_binary_pixels(loss):
    assert names(loss) == ()


@pytest.mark.parametrize("loss", [learned, learned_normal, learned_nll, optimal, tiny])
def test_right_losses_on_grey_pixels(loss):
    assert names(loss, x=GREY) == ()


def test_a_label_beside_the_picture_and_an_announced_beta():
    class Conditional(Model):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(PIXELS + 10, 16)

        def forward(self, x):
            label = F.one_hot(x[:, :10].argmax(1), 10).float()
            return super().forward(torch.cat([x, label], 1))

    torch.manual_seed(0)
    seen = train(Conditional(), lambda x, p, m, s, z, n: (cross(x, p) + 4 * kl(m, s)).mean())
    assert seen.report(beta=4.0).names == ()
    assert seen.report().names == ("unexplained_kl_weight",)


LEARNED = {  # one number: log σ, log σ², σ itself, and the precision
    "log σ": lambda e, t: 0.5 * (e / t.exp()) ** 2 + t,
    "log σ²": lambda e, t: 0.5 * e**2 * (-t).exp() + 0.5 * t,
    "σ": lambda e, t: 0.5 * e**2 / (0.3 - t) ** 2 + (0.3 - t).log(),
}


@pytest.mark.parametrize("weight", [1.0, 4.0, 0.25])
@pytest.mark.parametrize("form", LEARNED.values(), ids=LEARNED)
def test_a_weight_beside_one_learned_sigma(form, weight):
    def loss(x, p, m, s, z, net):
        return (form(x - p, net.log_std).sum(1) + weight * kl(m, s)).mean()

    seen = train(Model(), loss, GREY)
    assert seen.report().measurements["β, the KL's weight"] == pytest.approx(weight, rel=1e-3)
    assert seen.report().names == (() if weight == 1 else ("unexplained_kl_weight",))
    assert seen.report(beta=weight).names == ()


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_a_sigma_with_a_factor_is_read_beside_weight_1_and_else_refused(weight):
    def loss(x, p, m, s, z, net):
        nll = (x - p) ** 2 * (0.5 * (-2 * net.log_std).exp()) + net.log_std
        return (nll.sum(1) + weight * kl(m, s)).mean()

    report = train(Model(), loss, GREY).report()
    assert ("reconstruction_unknown" in report.notes) == (weight != 1)
    assert report.names == ()


def old_style(m, s):
    std = s.mul(0.5).exp_()
    return Variable(std.data.new(std.size()).normal_()).mul(std).add_(m)


def added(m, s):
    return torch.addcmul(m, (s / 2).exp(), torch.randn(m.shape))


DRAWS = [old_style, added, lambda m, s: Normal(m, (s / 2).exp()).rsample()]


@pytest.mark.parametrize("draw", DRAWS)
def test_ways_to_draw(draw):
    assert names(sound, draw) == ()


def test_a_softplus_that_gives_sigma_itself_is_no_slip():
    def loss(x, p, m, std, z, net):
        return (cross(x, p) + kl(m, 2 * std.log())).mean()

    draw = lambda m, std: m + std * torch.randn_like(m)  # noqa: E731
    assert names(loss, draw, lambda m, s: (m, F.softplus(s))) == ()


# ---- Slips


def with_kl(formula):
    return lambda x, p, m, s, z, net: (cross(x, p) + formula(m, s)).mean()


def both(reconstruction, weight, reduce):
    return lambda x, p, m, s, z, net: reconstruction(p, x) + weight * reduce(kl(m, s))


LOSSES = [
    (both(F.mse_loss, 1, torch.sum), GREY, "mean_for_sum"),
    (both(F.mse_loss, 1, torch.sum), GREY, "batch_reductions_differ"),
    (both(F.mse_loss, 1, torch.mean), GREY, "mean_for_sum"),
    (both(F.binary_cross_entropy, 1, torch.mean), BINARY, "mean_for_sum"),
    (with_kl(lambda m, s: kl(m, s) / 3), BINARY, "mean_for_sum"),
    (with_kl(lambda m, s: 0.001 * kl(m, s)), BINARY, "unexplained_kl_weight"),
    (with_kl(lambda m, s: -kl(m, s)), BINARY, "kl_wrong_sign"),
    (with_kl(lambda m, s: 2 * kl(m, s)), BINARY, "kl_missing_half"),
    (with_kl(lambda m, s: (0.5 * (m**2 + s.exp() - 1) - s).sum(1)), BINARY, "kl_missing_half"),
    (with_kl(lambda m, s: (0.5 * (m**2 + s**2 - (s**2 + 1e-8).log() - 1)).sum(1)), BINARY,
     "kl_wrong_form"),
    (with_kl(lambda m, s: kl(m, 2 * s)), BINARY, "log_var_as_log_std"),
    (with_kl(lambda m, s: kl(m.mean(0, True), s.mean(0, True))), BINARY, "examples_mixed"),
    (with_kl(lambda m, s: kl(m - m.mean(0), s)), BINARY, "examples_mixed"),
    (with_kl(lambda m, s: kl(m, s).mean().item()), BINARY, "kl_missing"),
    (with_kl(lambda m, s: 0.0), BINARY, "kl_missing"),
    (sound, GREY, "bernoulli_on_grey"),
    (lambda x, p, m, s, z, net: F.binary_cross_entropy_with_logits(p, x, reduction="sum")
     + kl(m, s).sum(), BINARY, "sigmoid_twice"),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "x", "name"), LOSSES)
def test_slips_in_a_loss(loss, x, name):
    assert name in names(loss, x=x)[:2]


FLAWED_DRAWS = [
    (lambda m, s: m + (s / 2).exp(), "sample_without_noise"),
    (lambda m, s: m + 0.01 * (s / 2).exp() * torch.randn_like(m), "sample_wrong_noise"),
    (lambda m, s: m + (s / 2).exp() * torch.rand_like(m), "sample_wrong_noise"),
    (lambda m, s: m + (s / 2).exp() * torch.randn(1, 3), "sample_wrong_noise"),
    (lambda m, s: m + (s / 2).exp() * torch.randn(BATCH, 1), "sample_wrong_noise"),
    (lambda m, s: m + s.exp() * torch.randn_like(m), "log_std_as_log_var"),
    (lambda m, s: Normal(m, (s / 2).exp()).sample(), "sample_not_reparameterized"),
]


@pytest.mark.parametrize(("draw", "name"), FLAWED_DRAWS)
def test_slips_in_a_draw(draw, name):
    assert names(sound, draw)[:1] == (name,)


FLAWED_HEADS = [
    (lambda m, s: (m, F.softplus(s)), "spread_bounded"),
    (lambda m, s: (m, s.relu()), "spread_bounded"),
    (lambda m, s: (m, s.tanh()), "spread_bounded"),
    (lambda m, s: (m.tanh(), s), "mean_bounded"),
    (lambda m, s: (m, m), "spread_is_mean"),
]


@pytest.mark.parametrize(("heads", "name"), FLAWED_HEADS)
def test_slips_in_a_head(heads, name):
    assert names(sound, plain_draw, heads)[:1] == (name,)


def test_numbers_that_are_not_finite():
    bad = BINARY.clone()
    bad[:, 3] = torch.nan
    loss = lambda x, p, m, s, z, net: (squares(x, p) + kl(m, s)).mean()  # noqa: E731
    assert names(loss, x=bad)[0] == "pictures_not_finite"


# ---- What it cannot express


def test_several_posteriors_are_refused():
    class Ladder(Model):
        def forward(self, x):
            out, m, s, z = super().forward(x)
            second = plain_draw(self.mean(self.down(z).relu()), s)
            return self.end(self.out(self.down(second))), m, s, second

    seen = train(Ladder(), sound)
    with pytest.raises(ValueError, match="hierarchy"):
        seen.report()


def test_several_draws_for_each_example_are_refused():
    many = lambda m, s: m + (s / 2).exp() * torch.randn(5, *m.shape)  # noqa: E731
    loss = lambda x, p, m, s, z, net: squares(x, p).mean() + kl(m, s).mean()  # noqa: E731
    with pytest.raises(ValueError, match="importance-weighted"):
        train(Model(many), loss).report()


def test_discrete_codes_are_refused():
    def nearest(m, s):
        book = torch.linspace(-1, 1, 5)
        code = book[(m[..., None] - book).abs().argmin(-1)]
        return m + (code - m).detach()

    loss = lambda x, p, m, s, z, net: cross(x, p).mean()  # noqa: E731
    with pytest.raises(ValueError, match="discrete codes"):
        train(Model(nearest), loss).report()


def test_a_step_without_backward_is_refused():
    net = Model()
    with doctor.watch(net) as seen:
        net(BINARY[:8])
    with pytest.raises(ValueError, match="no backward"):
        seen.report()


# ---- Nothing is changed


def test_a_watched_training_is_the_same_to_the_last_bit():
    ends = []
    for when in (False, True):
        torch.manual_seed(0)
        net = Model()
        seen = train(net, with_distributions, steps=5, when=when)
        ends.append([*[p.detach().clone() for p in net.parameters()], torch.get_rng_state()])
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        ends[-1] += [g.clone() for g in grads]
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))
    assert not any(module._forward_hooks or module._backward_hooks for module in net.modules())
    assert seen._trace._handles == [] or not seen._trace.draws[-1].z._backward_hooks
    assert net.training


def test_what_was_seen_is_what_the_step_computed():
    torch.manual_seed(0)
    net, kept = Model(), {}

    def loss(x, p, m, s, z, net):
        kept.update(x=x, p=p, m=m, s=s, z=z)
        return sound(x, p, m, s, z, net)

    seen = train(net, loss, steps=2)
    pairs = (seen.mean, kept["m"]), (seen.spread, kept["s"]), (seen.z, kept["z"])
    pairs += (seen.pictures, kept["x"]), (seen.std, (kept["s"] / 2).exp())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert seen.batch_size == BATCH and seen.gradients["log_std"] is None
    assert seen.gradients["up.weight"] == net.up.weight.grad.norm().item()
    assert seen.loss == pytest.approx(loss(kept["x"], kept["p"], kept["m"], kept["s"], 0, 0).item())


def test_an_error_inside_leaves_no_mode_behind():
    def theirs(net):
        with doctor.watch(net):
            net(BINARY[:4])
            raise RuntimeError("theirs")

    with pytest.raises(RuntimeError, match="theirs"):
        theirs(Model())
    assert torch.overrides._get_current_function_mode() is None


def test_one_line_in_a_loop():
    told, net = [], Model()
    for step in range(3):
        with doctor.watch(net, when=step == 1, tell=told.append):
            sound(BINARY[:8], *net(BINARY[:8]), net).backward()
    assert [report.healthy for report in told] == [True]


def test_a_loop_goes_on_where_the_doctor_cannot_judge():
    told, net, losses = [], Model(draw=lambda m, s: m).eval(), []
    for step in range(3):
        expected = pytest.warns(UserWarning, match="cannot judge.*eval") if step == 1 else None
        watching = doctor.watch(net, when=step == 1, tell=told.append)
        with expected or contextlib.nullcontext(), watching:
            losses.append(sound(BINARY[:8], *net(BINARY[:8]), net))
            losses[-1].backward()
    assert len(losses) == 3 and told == []


# ---- Lightning, by a stand-in: it is not installed here


class StandInTrainer:
    """Calls hooks as Lightning 2 does."""

    def __init__(self, callbacks):
        self.callbacks, self.global_step, self.logged = callbacks, 0, []
        self.logger = types.SimpleNamespace(log_metrics=lambda x, step: self.logged.append(x))

    def fit(self, net, loss, steps):
        optimizer = torch.optim.SGD(net.parameters(), 1e-3)
        for i in range(steps):
            batch = BINARY[:BATCH]
            for callback in self.callbacks:
                callback.on_train_batch_start(self, net, batch, i)
            optimizer.zero_grad()
            loss(batch, *net(batch), net).backward()
            optimizer.step()
            self.global_step += 1
            for callback in self.callbacks:
                callback.on_train_batch_end(self, net, None, batch, i)


@pytest.fixture
def lightning(monkeypatch):
    package = types.ModuleType("lightning")
    package.pytorch = types.ModuleType("lightning.pytorch")
    package.pytorch.Callback = type("Callback", (), {"state_key": "x"})
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", package.pytorch)
    return package.pytorch.Callback


def test_the_callback_watches_now_and_then(lightning):
    callback = doctor_callback(first=2, every=3)
    assert isinstance(callback, lightning)
    trainer = StandInTrainer([callback])
    with pytest.warns(UserWarning, match="unexplained_kl_weight") as caught:
        trainer.fit(Model(), with_kl(lambda m, s: 0.01 * kl(m, s)), 9)
    assert list(callback.reports) == [2, 5, 8] and len(caught) == 1
    assert trainer.logged[0]["doctor/warnings"] == 1
    assert torch.overrides._get_current_function_mode() is None


def test_the_callback_says_nothing_of_a_right_model(lightning):
    callback = doctor_callback(first=0, every=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StandInTrainer([callback]).fit(Model(), sound, 2)
    assert callback.reports[1].healthy


def test_without_lightning_the_callback_says_what_is_missing(monkeypatch):
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install lightning"):
        doctor_callback()
