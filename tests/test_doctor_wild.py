"""Losses as public code writes them: right ones are left in peace, slips are named.

The models are untrained and linear: what a loss says about itself needs no training.
"""

import math
from collections import namedtuple

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from vae_course.doctor import examine

PIXELS, LATENTS = 25, 3
NOISE = torch.Generator().manual_seed(0)
GREY = torch.rand(60, PIXELS, generator=NOISE)
BINARY = (GREY > 0.5).float()


def linear(inputs, outputs):
    weight = torch.randn(inputs, outputs, generator=NOISE) / inputs**0.5
    return lambda v: v @ weight.to(v)


up, down = linear(PIXELS, 2 * LATENTS), linear(LATENTS, PIXELS)


def encode(x):
    return up(x.flatten(1)).chunk(2, 1)


def paint(z):
    return down(z)


def decode(z):
    return down(z).sigmoid()


def kl(m, s):
    """(batch,), s is log σ²."""
    return 0.5 * (m**2 + s.exp() - 1 - s).sum(1)


def cross(x, p):
    return F.binary_cross_entropy(p, x, reduction="none").flatten(1).sum(1)


def squares(x, u):
    return ((x - u) ** 2).flatten(1).sum(1)


def told(loss, images=BINARY, decode=decode, encode=encode, spread="log_var", **more):
    return examine(encode, decode, images, loss, spread=spread, **more)


# ---- Right, and left in peace


def monte_carlo(x, p, m, s):
    z = m + (s / 2).exp() * torch.randn_like(m)
    log_q = Normal(m, (s / 2).exp(), validate_args=False).log_prob(z).sum(1)
    return (cross(x, p) + log_q - Normal(0.0, 1.0).log_prob(z).sum(1)).mean()


def total_correlation(x, p, m, s):
    """KL as I + TC + the rest, at a draw, q(z) estimated within the batch; TC counts 6 times."""
    z = m + (s / 2).exp() * torch.randn_like(m)
    pairs = Normal(m, (s / 2).exp(), validate_args=False).log_prob(z[:, None])  # (B, B, d)
    each = pairs.logsumexp(1).sum(1) - m.shape[1] * math.log(len(m))
    joint = pairs.sum(2).logsumexp(1) - math.log(len(m))
    own = pairs.diagonal().sum(0)
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    return (cross(x, p) + (own - joint) + 6 * (joint - each) + each - prior).mean()


def discrepancy(x, p, m, s):
    """A maximum mean discrepancy in place of the KL."""
    z, prior = m + (s / 2).exp() * torch.randn_like(m), torch.randn_like(m)

    def near(a, b):
        return (-((a[:, None] - b) ** 2).sum(2) / m.shape[1]).exp().mean()

    return cross(x, p).mean() + 10 * (near(z, z) + near(prior, prior) - 2 * near(z, prior))


def free_bits(x, p, m, s):
    each = (0.5 * (m**2 + s.exp() - 1 - s)).mean(0)
    return cross(x, p).mean() + each.clamp(min=0.25).sum()


def hyperbolic(x, p, m, s):
    return (cross((x + 1) / 2, (p + 1) / 2) + kl(m, s)).mean()


def scores(x, p, m, s):
    total = cross(x, p).mean() + kl(m, s).mean()
    return total, cross(x, p).mean(), kl(m, s).mean()


Output = namedtuple("Output", "loss parts")


def with_sigma(x, p, m, std):
    return (cross(x, p) + 0.5 * (m**2 + std**2 - 1 - 2 * std.log()).sum(1)).mean()


def with_variance(x, p, m, var):
    return (cross(x, p) + 0.5 * (m**2 + var - 1 - var.log()).sum(1)).mean()


def positive(x):
    mean, raw = encode(x)
    return mean, F.softplus(raw)


def in_place(x, p, m, s):
    term = kl(m, s)
    return (cross(x, p) + term.add_(m.mul_(0).sum(1))).mean()


def covariance(x, p, m, s):
    """The covariance of all codes together drawn to the identity, beside the KL."""
    centred = m - m.mean(0, keepdim=True)
    whole = centred.T @ centred / len(m) + torch.diag(s.exp().mean(0))
    return (cross(x, p) + kl(m, s)).mean() + 5 * (
        whole - torch.eye(len(whole)).to(m)
    ).square().sum()


RIGHT = {
    "covariance of the codes": (covariance, {}),
    "KL at a draw made in the loss": (monte_carlo, {}),
    "total correlation": (total_correlation, {}),
    "maximum mean discrepancy": (discrepancy, {}),
    "sum / 64 and a mean": (lambda x, p, m, s: cross(x, p).sum() / 64 + kl(m, s).mean(), {}),
    "mean and sum / (128 D)": (
        lambda x, p, m, s: F.binary_cross_entropy(p, x) + kl(m, s).sum() / (128 * PIXELS),
        {},
    ),
    "sum and mean, batch size said": (
        lambda x, p, m, s: cross(x, p).sum() / 7 + kl(m, s).mean(),
        {"batch_size": 7},
    ),
    "made for one batch size": (
        lambda x, p, m, s: (cross(x.view(10, PIXELS), p) + kl(m, s)).mean(),
        {"batch_size": 10},
    ),
    "(total, parts)": (scores, {}),
    "an object with .loss": (lambda *a: Output(scores(*a)[0], 1), {}),
    "a dict of one": (lambda *a: {"elbo": scores(*a)[0]}, {}),
    "(loss, logs)": (lambda *a: (scores(*a)[0], {"step": 3}), {}),
    "a value per example": (lambda x, p, m, s: cross(x, p) + kl(m, s), {}),
    "capacity": (lambda x, p, m, s: cross(x, p).mean() + 30 * (kl(m, s).mean() - 25).abs(), {}),
    "free bits": (free_bits, {}),
    "pixels -1..1 in the loss's own scale": (
        lambda x, p, m, s: (cross((x + 1) / 2, p) + kl(m, s)).mean(),
        {"images": 2 * BINARY - 1},
    ),
    "pixels and outputs -1..1": (
        hyperbolic,
        {"images": 2 * BINARY - 1, "decode": lambda z: down(z).tanh()},
    ),
    "pixels 0..255 in the loss's own scale": (
        lambda x, p, m, s: (cross(x / 255, p) + kl(m, s)).mean(),
        {"images": 255 * BINARY, "encode": lambda x: encode(x / 255)},
    ),
    "σ itself": (with_sigma, {"encode": positive, "spread": None}),
    "σ itself, said": (with_sigma, {"encode": positive, "spread": "std"}),
    "σ² itself": (with_variance, {"encode": positive, "spread": None}),
    "gradients inside": (
        lambda x, p, m, s: (cross(x, p) + kl(m, s)).mean()
        + 0 * torch.autograd.grad(cross(x, p).sum(), p)[0].norm(),
        {},
    ),
    "softly bounded log σ": (
        lambda x, d, m, s: (
            -Normal(d[0], (F.softplus(d[1] + 6) - 6).exp()).log_prob(x).sum(1) + kl(m, s)
        ).mean(),
        {"images": GREY, "decode": lambda z: (paint(z), torch.tensor(-1.0))},
    ),
    "a few parameters more": (
        lambda x, p, m, s, beta=1.0, *, scale=1.0: (cross(x, p) + beta * scale * kl(m, s)).mean(),
        {},
    ),
    "one latent, (N,)": (
        lambda x, p, m, s: (cross(x, p) + 0.5 * (m**2 + s.exp() - 1 - s)).mean(),
        {
            "encode": lambda x: (encode(x)[0][:, 0], encode(x)[1][:, 0]),
            "decode": lambda z: (z[:, None] * torch.linspace(-1, 1, PIXELS)).sigmoid(),
        },
    ),
    "before training": (lambda x, p, m, s: (cross(x, p) + kl(m, s)).mean(), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_loss_is_left_in_peace(name):
    loss, more = RIGHT[name]
    assert told(loss, **more).names == ()


@pytest.mark.parametrize(
    "pixels, weight", [(3072, 1e-4), (3072, 1e-6), (3072, 1e-8), (49_152, 1e-4), (49_152, 1e-8)]
)
def test_a_small_weight_of_the_kl_is_seen(pixels, weight):
    first, second = linear(pixels, 8), linear(4, pixels)
    images = torch.rand(50, pixels, generator=NOISE)

    def loss(x, p, m, s):
        return squares(x, p).mean() + weight * kl(m, s).mean()

    def seen(**more):
        return examine(
            lambda x: first(x).chunk(2, 1), second, images, loss, spread="log_var", **more
        )

    assert seen(beta=weight).names == ()
    report = seen()
    assert report.names == ("unexplained_kl_weight",)


# ---- Slips


def of_the_average(x, p, m, s):
    return cross(x, p).mean() + kl(m.mean(0, True), s.mean(0, True)).sum()


def of_average_pictures(x, u, m, s):
    return ((u.mean(0) - x.mean(0)) ** 2).sum() + kl(m, s).mean()


def squared_for_exp(m, s):
    return 0.5 * (m**2 + s**2 - (s**2 + 1e-9).log() - 1).sum(1)


def squared_for_doubled(m, s):
    return 0.5 * ((2 * s).exp() + m**2 - 1 + s**2).sum(1)


def std_for_its_log(m, s):
    std = (s / 2).exp()
    return -0.5 * (1 + 2 * std - m**2 - (2 * std).exp()).sum(1)


def without_gradient(x, p, m, s):
    with torch.no_grad():
        term = kl(m, s).mean()
    return cross(x, p).mean() + term


SLIPS = {
    "KL of the batch's average": (of_the_average, "examples_mixed", {}),
    "KL of the batch's average spread": (
        lambda x, p, m, s: cross(x, p).mean() + kl(m, s.mean(0, True).expand_as(s)).mean(),
        "examples_mixed", {},
    ),
    "KL of means less the batch's average": (
        lambda x, p, m, s: (cross(x, p) + kl(m - m.mean(0), s)).mean(), "examples_mixed", {},
    ),
    "KL of the first example": (
        lambda x, p, m, s: cross(x, p).mean() + kl(m, s)[0], "examples_mixed", {},
    ),
    "error of the average picture": (of_average_pictures, "examples_mixed", {"images": GREY}),
    "another picture's output": (
        lambda x, p, m, s: (cross(x.roll(1, 0), p) + kl(m, s)).mean(), "examples_mixed", {},
    ),
    "kl.item()": (
        lambda x, p, m, s: cross(x, p).mean() + kl(m, s).mean().item(), "loss_without_gradient", {},
    ),
    "KL under no_grad": (without_gradient, "loss_without_gradient", {}),
    "output detached": (
        lambda x, p, m, s: (cross(x, p.detach()) + kl(m, s)).mean(), "loss_without_gradient", {},
    ),
    "mean of log cosh": (
        lambda x, u, m, s: torch.cosh(u - x).log().mean() + kl(m, s).mean(),
        "reconstruction_too_weak", {"images": GREY},
    ),
    "1 - cosine": (
        lambda x, u, m, s: (1 - F.cosine_similarity(x, u)).mean() + kl(m, s).mean(),
        "reconstruction_too_weak", {"images": GREY},
    ),
    "(reconstruction, pictures)": (
        lambda r, x, m, s: (cross(x, r) + kl(m, s)).mean(), "arguments_swapped", {},
    ),
    "kl(log_var, mean)": (
        lambda x, p, m, s: (cross(x, p) + kl(s, m)).mean(), "arguments_swapped", {},
    ),
    "by keyword order": (
        lambda mu, logvar, recon, target: (cross(target, recon) + kl(mu, logvar)).mean(),
        "arguments_swapped", {},
    ),
    "sum and mean": (
        lambda x, p, m, s: cross(x, p).sum() + kl(m, s).mean(), "batch_reductions_differ", {},
    ),
    "noisy KL, tenfold": (
        lambda x, p, m, s: 10 * monte_carlo(x, p, m, s) - 9 * cross(x, p).mean(),
        "unexplained_kl_weight", {},
    ),
    "KL × 1e-6 beside a cross-entropy": (
        lambda x, p, m, s: (cross(x, p) + 1e-6 * kl(m, s)).mean(), "unexplained_kl_weight", {},
    ),
    "a constant after all": (
        lambda x, p, m, s: cross(x, p).mean() + (kl(m, s) / 5000).clamp(min=1).mean(),
        "kl_missing", {},
    ),
    "KL × 0": (lambda x, p, m, s: (cross(x, p) + 0 * kl(m, s)).mean(), "kl_missing", {}),
} | {
    form.__name__: (
        lambda x, p, m, s, form=form: (cross(x, p) + form(m, s)).mean(), "kl_wrong_form", {},
    )
    for form in (squared_for_exp, squared_for_doubled, std_for_its_log)
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_named_first(name):
    loss, says, more = SLIPS[name]
    if "images" in more:
        more = more | {"decode": paint}
    assert told(loss, **more).names[:1] == (says,)


# ---- Questions, where there is a choice


@pytest.mark.parametrize(
    "loss, match",
    [
        (lambda *a: scores(*a)[1:], "2 parts.*sum"),
        (lambda *a: {"elbo": scores(*a)[0], "kl": 1}, "without \"loss\".*elbo"),
        (lambda *a: None, "None"),
        (lambda x, p, m: 0, "takes.*x, p, m.*wrap it"),
        (lambda x, p, m, s: cross(x.view(64, -1), p).mean(), "batch_size="),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_asked(loss, match):
    with pytest.raises((ValueError, TypeError), match=match):
        told(loss)


def test_rescaling_is_offered_where_the_kl_is_right_and_its_nats_are_right():
    wide, images = 7.0, torch.randn(2000, PIXELS)

    def spread_out(x):
        return wide * x[:, :LATENTS] + 2, torch.full((len(x), LATENTS), -4.0)

    def loss(x, u, m, s):
        return (squares(x, u) / 2 + kl(m, s)).mean()

    report = told(loss, images=images, encode=spread_out, decode=lambda z: paint(z / wide))
    assert "aggregate_misses_prior" in report.notes
    m, v = 2.0, wide**2 + math.exp(-4)
    nats = LATENTS * 0.5 * (v + m**2 - 1 - math.log(v))
    said = float(report["aggregate_misses_prior"].evidence.split("save ")[1].split(" nats")[0])
    assert said == pytest.approx(nats, rel=0.1)
    assert "latents.rescale" in report["aggregate_misses_prior"].fix


# ---- What the encoder, the decoder and the sampling line can say


def test_a_spread_that_is_cut_off_from_the_weights():
    head = torch.nn.Linear(PIXELS, 2 * LATENTS)
    whole = lambda x: head(x).chunk(2, 1)  # noqa: E731
    cut = lambda x: (whole(x)[0], whole(x)[1].detach())  # noqa: E731
    constant = lambda x: (whole(x)[0], torch.zeros(len(x), LATENTS))  # noqa: E731
    for changed, named in ((whole, False), (cut, True), (constant, False)):
        report = examine(changed, decode, BINARY, spread="log_var")
        assert ("loss_without_gradient" in report.names) == named


SAYINGS = {
    "softplus": (lambda m, s: (m, F.softplus(s)), "spread_bounded"),
    "ReLU on the spread": (lambda m, s: (m, s.relu()), "spread_bounded"),
    "sigmoid": (lambda m, s: (m, s.sigmoid()), "spread_bounded"),
    "tanh on the spread": (lambda m, s: (m, s.tanh()), "spread_bounded"),
    "tanh on the mean": (lambda m, s: (m.tanh(), s), "mean_bounded"),
    "ReLU on the mean": (lambda m, s: (m.relu(), s), "mean_bounded"),
    "one head": (lambda m, s: (m, m), "spread_is_mean"),
    "as it is": (lambda m, s: (m, s), ""),
    "clamped at -30 and 20": (lambda m, s: (m, s.clamp(-30, 20)), ""),
    "softly bounded from below": (lambda m, s: (m, F.softplus(s + 5) - 5), ""),
    "no spread of its own": (lambda m, s: (m, torch.zeros_like(m)), ""),
}


@pytest.mark.parametrize("name", SAYINGS)
def test_what_the_encoder_cannot_say(name):
    change, says = SAYINGS[name]
    report = examine(lambda x: change(*encode(x)), decode, BINARY, spread="log_var")
    assert [n for n in report.names if "bounded" in n or "is_mean" in n] == [says] * bool(says)


STANDARD = torch.randn(200, PIXELS, generator=NOISE)
ENDS = {
    "ReLU": (lambda out: out.relu(), STANDARD, True),
    "sigmoid": (lambda out: out.sigmoid(), STANDARD, True),
    "tanh": (lambda out: out.tanh(), STANDARD, True),
    "linear": (lambda out: out, STANDARD, False),
    "tanh on -1..1": (lambda out: out.tanh(), 2 * BINARY - 1, False),
    "ReLU on pixels": (lambda out: out.relu(), GREY, False),
    "bytes": (lambda out: out.sigmoid(), 255 * GREY, True),
}


@pytest.mark.parametrize("name", ENDS)
def test_numbers_that_the_decoder_cannot_reach(name):
    end, images, outside = ENDS[name]
    report = examine(encode, lambda z: end(5 * down(z)), images, spread="log_var")
    assert ("pixels_out_of_range" in report.names) == outside


def test_the_input_is_looked_at_first():
    gap = STANDARD.clone()
    gap[:, 3] = math.nan
    report = examine(encode, paint, gap)
    assert report.names == ("pictures_not_finite",) and "column 3" in report.findings[0].evidence
    raw = STANDARD * torch.logspace(-2, 3, PIXELS)
    assert examine(encode, paint, raw).names[0] == "pictures_unscaled"
    # Bytes that made the encoder explode: the cause stands before the symptom.
    report = examine(lambda x: (encode(x)[0] / 0, encode(x)[1]), paint, 255 * GREY)
    assert report.names == ("pictures_unscaled", "not_finite")
    flat = STANDARD.clone()
    flat[:, 3] = 1
    assert "constant_columns" in examine(encode, paint, flat).notes


@pytest.mark.parametrize("dtype, cure", [(torch.uint8, "/ 255"), (torch.bool, r"images\.float")])
def test_pictures_that_are_no_floats_are_refused_with_the_cure(dtype, cure):
    with pytest.raises(TypeError, match=cure):
        examine(encode, decode, (255 * BINARY).to(dtype))


def test_half_precision_is_examined():
    report = told(lambda x, p, m, s: (cross(x, p) + kl(m, s)).mean(), BINARY.bfloat16(),
                  test_images=GREY.round().bfloat16())  # fmt: skip
    assert report.names == ("test_in_train",)


@pytest.mark.parametrize(
    "noise, words",
    [
        (lambda m: torch.randn(len(m), 1), "several latents"),
        (lambda m: torch.randn(1, *m.shape[1:]), "whole batch"),
    ],
)
def test_noise_that_is_shared(noise, words):
    report = examine(encode, decode, BINARY, sample=lambda m, s: m + (s / 2).exp() * noise(m))
    assert report.names[0] == "sample_wrong_noise"
    assert words in report.findings[0].evidence
