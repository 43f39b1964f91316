"""The doctor's instruments: each reading against a value known without it."""

import ast
import math
import re
import sys
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from vae_course import doctor
from vae_course.doctor import examine
from vae_course.doctor.advice import ADVICE, finding
from vae_course.doctor.behaviour.pictures import judge_blur, judge_overlap
from vae_course.doctor.behaviour.sampling import probe_sampling
from vae_course.doctor.examination import _frame
from vae_course.doctor.loss.caller import Loss
from vae_course.doctor.loss.probe import probe_loss
from vae_course.doctor.patient import Patient
from vae_course.doctor.report import CHAPTERS, Report, number
from vae_course.evaluation.sharpness import laplacian_variance
from vae_course.models import VAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

PIXELS, LATENTS = 25, 3
Pair = namedtuple("Pair", "mean log_std")


class Rows(nn.Module):
    """Linear, flat pictures (N, 25), 3 latents; `scale` is what the decoder returns beside."""

    def __init__(self, scale=None):
        super().__init__()
        self.up, self.down = nn.Linear(PIXELS, 2 * LATENTS), nn.Linear(LATENTS, PIXELS)
        self.scale = scale

    def encode(self, x):
        return self.up(x).chunk(2, dim=1)

    def decode(self, z):
        return self.down(z) if self.scale is None else (self.down(z), self.scale(z))


def law_of(loss, scale=None):
    model = Rows(scale)
    return probe_loss(
        Loss(loss), _frame(Patient(model.encode, model.decode, torch.rand(60, PIXELS)))
    )


def kl(mean, log_std):
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return kl_divergence(Normal(mean, log_std.exp()), prior).sum(1)


def silent(x, decoded, mean, log_std):
    return kl(mean, log_std).mean()


# ---- The probe of the loss


PICTURE_TERMS = {
    "squares": (lambda x, u: F.mse_loss(u, x), 1 / PIXELS),
    "squares_of_logits": (lambda x, u: 3 * ((x - u.sigmoid()) ** 2).sum(1).mean(), 3.0),
    "absolute": (lambda x, u: -Laplace(u, 0.25).log_prob(x).sum(1).mean(), 4.0),
    "log_squares": (lambda x, u: 7 * ((x - u) ** 2).mean(1).log().mean(), 7.0),
    "bernoulli_logits": (
        lambda x, u: -Bernoulli(logits=u, validate_args=False).log_prob(x).sum(1).mean(),
        1.0,
    ),
    "bernoulli_probabilities": (lambda x, u: F.binary_cross_entropy(u, x), 1 / PIXELS),
}


@pytest.mark.parametrize("family", PICTURE_TERMS)
def test_the_probe_reads_family_and_weight_of_the_reconstruction(family):
    term, weight = PICTURE_TERMS[family]
    law = law_of(lambda x, u, m, s: term(x, u) + kl(m, s).mean())
    assert law.reconstruction.family.name == family
    assert law.reconstruction.weights[0] == pytest.approx(weight, rel=1e-5)


SCALES = {
    "one number": lambda z: torch.tensor(0.3),
    "one a picture": lambda z: 0.1 * z[:, :1],
    "one a pixel": lambda z: 0.1 * z[:, :1].expand(-1, PIXELS),
    "one a pixel for all pictures": lambda z: torch.zeros(1, PIXELS),
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("family, half", [("gaussian_log_std", 1.0), ("gaussian_log_var", 0.5)])
def test_the_probe_reads_a_decoder_that_returns_its_scale(scale, family, half):
    def loss(x, decoded, m, s):
        mean, spread = decoded
        nll = -Normal(mean, (half * spread).exp()).log_prob(x)
        return (2 * nll.sum(1) + kl(m, s)).mean()

    law = law_of(loss, scale)
    assert law.reconstruction.family.name == family
    assert law.reconstruction.weights == pytest.approx((1.0, 2 * half), rel=1e-5)
    assert law.constant == pytest.approx(PIXELS * math.log(2 * math.pi) - LATENTS / 2, rel=1e-4)


@pytest.mark.parametrize("half, weights", [(1.0, (0.5, 0.5, 0, -1)), (0.5, (0.5, 0, 0.5, -0.5))])
def test_the_probe_reads_the_weights_of_the_kl(half, weights):
    law = law_of(lambda x, u, m, s: (F.mse_loss(u, x) + 3 * kl(m, half * s)).mean())
    assert law.kl.weights == pytest.approx([3 * w for w in weights], abs=1e-5)


@pytest.mark.parametrize("reduce, power", [(torch.mean, 0), (torch.sum, 1), (lambda v: v, 0)])
def test_the_probe_reads_the_reduction_over_the_batch(reduce, power):
    law = law_of(lambda x, u, m, s: reduce(((x - u) ** 2).sum(1) + kl(m, s)))
    assert (law.reconstruction.batch_power, law.kl.batch_power) == (power, power)
    assert law.reconstruction.weights[0] == pytest.approx(1.0, rel=1e-5)
    assert law.kl.weights[0] == pytest.approx(0.5, rel=1e-5)


def test_the_probe_knows_what_it_does_not_know():
    law = law_of(lambda x, u, m, s: ((x - u) ** 4).sum() + (m**4).sum() + s.abs().sum())
    assert (law.reconstruction.family.name, law.kl.family.name) == ("unknown", "unknown")
    law = law_of(silent)
    assert (law.reconstruction.family.name, law.kl.family.name) == ("none", "gaussian")


def test_the_probe_turns_an_elbo():
    law = law_of(lambda x, u, m, s: -((x - u) ** 2).sum(1) - kl(m, s))
    assert law.sign == -1
    assert law.reconstruction.weights[0] == pytest.approx(1.0, rel=1e-5)


def test_the_probe_serves_a_loss_that_holds_float32_weights():
    layer = nn.Linear(PIXELS, 1)
    law = law_of(lambda x, u, m, s: 0 * layer(x).mean() + F.mse_loss(u, x) + kl(m, s).mean())
    assert law.kl.weights == pytest.approx((0.5, 0.5, 0, -1), abs=1e-2)


def test_the_probe_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    law_of(lambda x, u, m, s: F.mse_loss(u, x) + kl(m, s).mean() + 0 * torch.randn(()))
    model = Rows()
    state = torch.get_rng_state()
    examine(model.encode, model.decode, torch.zeros(60, PIXELS), silent)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(before, state)  # the models above did draw


# ---- The probe of the sampling function


@pytest.mark.parametrize(
    "sample, meaning, names",
    [
        (sample_posterior, "log_std", []),
        (lambda m, s: Normal(m, (0.5 * s).exp()).rsample(), "log_var", []),
        (lambda m, s: Normal(m, s.exp()).sample(), "log_std", ["sample_not_reparameterized"]),
        (lambda m, s: m + s.detach().exp() * torch.randn_like(m), "log_std",
         ["sample_not_reparameterized"]),
        (lambda m, s: m, None, ["sample_without_noise"]),
        (lambda m, s: m + (2 * s).exp() * torch.randn_like(m), None, ["sample_wrong_noise"]),
        (lambda m, s: m + s.exp() * torch.rand_like(m), None, ["sample_wrong_noise"]),
    ],
)  # fmt: skip
def test_the_probe_of_the_sampling_function(sample, meaning, names):
    read, found = probe_sampling(sample, torch.Size([4]))
    assert read == meaning
    assert [f.name for f in found] == names


def test_a_sampling_function_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="must return z of the mean's shape"):
        probe_sampling(lambda m, s: m[:, :1], torch.Size([4]))


# ---- Weights in words


def implied_sigma(loss):
    model = Rows()
    report = examine(model.encode, model.decode, torch.rand(60, PIXELS), loss)
    return report, report.measurements.get("σ that the loss stands for")


@pytest.mark.parametrize("weight", [0.3, 1.0, 50.0])
def test_a_weight_is_turned_into_the_sigma_it_stands_for(weight):
    # c·mean squares + KL: the slope of the loss in the squares is that of N(x̂, σ²) with
    # 1 / 2σ² = c / D.
    _, sigma = implied_sigma(lambda x, u, m, s: weight * F.mse_loss(u, x) + kl(m, s).mean())
    assert sigma == pytest.approx((PIXELS / (2 * weight)) ** 0.5, rel=1e-4)


def test_the_weight_of_the_kl_and_of_the_error_are_one_knob():
    squares = lambda x, u: ((x - u) ** 2).sum(1).mean()  # noqa: E731
    _, a = implied_sigma(lambda x, u, m, s: squares(x, u) / 0.02 + kl(m, s).mean())
    _, b = implied_sigma(lambda x, u, m, s: 5 * squares(x, u) + 0.1 * kl(m, s).mean())
    assert (a, b) == (pytest.approx(0.1, rel=1e-4), pytest.approx(0.1, rel=1e-4))


def test_a_kl_weight_on_plain_squares_is_named_as_what_was_set():
    def loss(x, u, m, s):
        return (0.5 * ((x - u) ** 2).sum(1) + 100 * kl(m, s)).mean()

    report, sigma = implied_sigma(loss)
    assert report.names[0] == "unexplained_kl_weight"
    assert sigma == pytest.approx(10, rel=1e-4)


def test_silent_beta_of_two_means():
    def loss(x, u, m, s):
        return F.binary_cross_entropy_with_logits(u, x) + kl(m, s).mean() / LATENTS

    model = Rows()
    pictures = (torch.rand(60, PIXELS) > 0.5).float()
    report = examine(model.encode, model.decode, pictures, loss)
    assert report.measurements["β, the KL's weight"] == pytest.approx(PIXELS / LATENTS, rel=1e-4)
    assert "25 pixels and a mean over 3 latents" in report["mean_for_sum"].evidence


def test_constants_that_are_complete_are_not_mentioned_and_missing_ones_are_a_note():
    def loss(constant):
        def nll(x, decoded, m, s):
            squares = ((x - decoded) ** 2).sum(1) / (2 * 0.3**2)
            return (squares + constant + kl(m, s)).mean()

        return nll

    whole = PIXELS * (math.log(0.3) + 0.5 * math.log(2 * math.pi))
    for constant, place in ((whole, None), (0.0, "notes"), (7.0, "names")):
        report, _ = implied_sigma(loss(constant))
        assert ("constants_left_out" in report.notes) == (place == "notes")
        assert ("constant_wrong" in report.names) == (place == "names")


# ---- The course's own model, its named answers, modes


def course_loss(x, decoded, mean, log_std):
    return (kl_standard_normal(mean, log_std) - gaussian_log_likelihood(x, *decoded)).mean()


def test_names_of_the_fields_settle_what_the_spread_is():
    vae = VAE((1, 5, 5), 3, hidden=(8,))
    images = torch.rand(60, 1, 5, 5)
    report = examine(vae.encode, vae.decode, images, course_loss)
    assert "spread_unknown" not in report.notes
    wrong = examine(vae.encode, vae.decode, images, lambda x, d, m, s: course_loss(x, d, m, s / 2))
    assert "log_std_as_log_var" in wrong.names


def test_dropout_is_put_to_rest_and_every_mode_comes_back():
    vae = VAE((1, 5, 5), 3, hidden=(8,)).train()
    vae.encoder.insert(0, nn.Dropout(0.5))
    vae.decoder.eval()
    report = examine(vae.encode, lambda z: vae.decode(z), torch.rand(60, 1, 5, 5), course_loss)
    assert "not_deterministic" not in report.names
    assert vae.training and vae.encoder.training and not vae.decoder.training


def test_pixels_that_the_loss_refuses_are_a_finding_and_no_crash():
    def loss(x, u, m, s):
        return F.binary_cross_entropy(u, x, reduction="none").sum(1).mean() + kl(m, s).mean()

    model = Rows()
    decode = lambda z: model.decode(z).sigmoid()  # noqa: E731
    report = examine(model.encode, decode, 2 * torch.rand(60, PIXELS) - 1, loss)
    assert "pixels_out_of_range" in report.names


def test_a_few_test_pictures_in_a_large_training_set_are_found():
    model, images = Rows(), torch.rand(5000, PIXELS)
    mixed = torch.cat([torch.rand(190, PIXELS), images[-10:]])
    assert "test_in_train" in examine(model.encode, model.decode, images, test_images=mixed).names
    fresh = torch.rand(200, PIXELS)
    report = examine(model.encode, model.decode, images, test_images=fresh)
    assert "test_in_train" not in report.names


def test_small_binary_pictures_may_repeat_by_themselves():
    # Of 256 kinds of picture nearly each is in both sets, and in each set more than once.
    kinds = (torch.arange(256)[:, None] >> torch.arange(8)) % 2.0
    train, test = (kinds[torch.randint(256, (n,))] for n in (2_000, 500))
    assert judge_overlap(train, test) == []


def test_a_latent_is_in_use_if_its_mean_varies_by_more_than_a_hundredth():
    def encode(x):
        mean = x[:, :3] * torch.tensor([1.0, 0.15, 0.07])  # variances 1, 0.0225, 0.0049
        return mean, torch.zeros_like(mean)

    report = examine(encode, Rows().decode, torch.randn(2000, PIXELS), spread="log_std")
    assert report.measurements["latents in use"] == 2
    assert "collapsed_latents" in report.notes


def test_fine_detail_is_the_variance_of_the_laplacian():
    pictures = torch.rand(60, 2, 9, 7)
    for blurred in (pictures, 0.8 * pictures):
        ratio = laplacian_variance(blurred).mean() / laplacian_variance(pictures).mean()
        seen = SimpleNamespace(reconstructions=blurred)
        evidence = [f.evidence for f in judge_blur(pictures, seen)]
        assert evidence == [] if ratio > 0.9 else f" {ratio:.0%} " in evidence[0]


# ---- The report


def test_a_report_in_words_and_in_html():
    model = Rows()
    report = examine(model.encode, model.decode, torch.rand(60, PIXELS), silent)
    assert report.names[0] == "reconstruction_missing"
    assert not report.healthy
    for text in (str(report), report.to_html()):
        assert "Other values of the decoder" in text
        assert CHAPTERS["03_elbo"] in text
    page = report._repr_html_()
    assert "<script" not in page and "color" not in page and "href" not in page
    assert 'href="../03_elbo.html"' in report.to_html("..")
    with pytest.raises(KeyError, match="reconstruction_missing"):
        report["nothing"]


def test_text_from_outside_is_escaped():
    page = Report((finding("blur", "note", "<b>&"),), {"<i>": "<u>"}).to_html()
    assert "<b>" not in page and "&lt;b&gt;&amp;" in page and "<i>" not in page


def test_a_clean_bill_is_said():
    report = Report((finding("blur", "note", "-"),), {"D": 1.0})
    assert report.healthy and report.names == () and report.notes == ("blur",)
    assert str(report).startswith("A clean bill")


def test_chapters_have_the_names_they_go_by():
    for chapter, name in CHAPTERS.items():
        page = Path(__file__).parents[1] / f"book/src/{chapter}.py"
        number, title = re.search(
            r"^# (\d+) · (.+)$", page.read_text("utf-8"), re.MULTILINE
        ).groups()
        assert name == f"Chapter {number}, {title.split(':')[0]}"


def test_every_advice_names_a_chapter_and_holds_three_sentences():
    for title, consequence, change, chapter in ADVICE.values():
        assert chapter in CHAPTERS
        assert all((title, consequence, change))


@pytest.mark.parametrize("value, text", [(0.0, "0"), (1e-5, "1.00e-05"), (3072.0, "3,072")])
def test_numbers_are_short(value, text):
    assert number(value) == text


# ---- Errors


def wordless(error):
    """A function that raises `error` and says nothing, as a stub does."""

    def raises(*_):
        raise error

    return raises


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"encode": lambda x: x}, TypeError, "encode must return two tensors.*one tensor"),
        ({"encode": lambda x: (x, x, x)}, TypeError, "3 values"),
        ({"encode": lambda x: (x[:, :3], x[:, :2])}, ValueError, "one shape"),
        ({"decode": lambda z: z}, ValueError, "decode must return pictures of the size"),
        ({"decode": lambda z: {"mean": z}}, TypeError, "decode must return a tensor.*dict"),
        ({"images": torch.zeros(60, 25, dtype=torch.uint8)}, TypeError, "images must be.*floats"),
        ({"images": torch.zeros(10, 25)}, ValueError, "at least 50"),
        ({"test_images": [1]}, TypeError, "test_images must be.*list"),
        ({"spread": "sd"}, ValueError, "one of log_std, log_var, std, var"),
        ({"beta": 0.0}, ValueError, "beta must be positive"),
        ({"loss": lambda x, u, m, s: (x - u) ** 2}, ValueError, "one value per example"),
        ({"loss": lambda x, u, m, s: s.log().sum()}, ValueError, "not finite.*logarithm"),
        ({"loss": wordless(NotImplementedError)}, ValueError, "raised NotImplementedError; it was"),
        ({"loss": wordless(AssertionError)}, ValueError, "raised AssertionError; it was"),
        (
            {"decode": wordless(RuntimeError)},
            ValueError,
            "decode failed at .*: RuntimeError. It is",
        ),
    ],
)
def test_bad_input_is_named(change, error, match):
    model = Rows()
    given = {"encode": model.encode, "decode": model.decode, "images": torch.rand(60, PIXELS)}
    with pytest.raises(error, match=match):
        examine(**(given | change))


# ---- The rooms


def test_the_doctor_imports_nothing_but_torch():
    folder = Path(doctor.__file__).parent
    imported = {
        name.partition(".")[0]
        for file in folder.rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body  # where it is imported
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
        if not name.startswith("vae_course.doctor")
    }
    assert imported - sys.stdlib_module_names == {"torch"}


# ---- The real size


def test_two_thousand_pictures_of_the_real_size_take_less_than_20_seconds():
    vae = VAE((1, 28, 28), 16, std="optimal")
    images = torch.rand(2000, 1, 28, 28)
    fit(vae, lambda m, x: -m.elbo(x).total.mean(), images, steps=3, progress=False)
    started = time.process_time()
    examine(vae.encode, vae.decode, images, course_loss, test_images=images.flip(0))
    assert time.process_time() - started < 20


CANNOT_EXPRESS = [
    (lambda x: (x[:, :3].long(), x[:, :3]), lambda z: z, "discrete codes"),
    (lambda x: [(x[:, :3], x[:, :3]), (x[:, :2], x[:, :2])], lambda z: z, "a hierarchy"),
    (lambda x: (x[:, :3], x[:, :3]), lambda z: z.view(-1, 5, 3).mean(1), "importance-weighted"),
]


@pytest.mark.parametrize(("encode", "decode", "words"), CANNOT_EXPRESS)
def test_what_the_doctor_cannot_express_is_refused_by_name(encode, decode, words):
    with pytest.raises((TypeError, ValueError), match=words):
        examine(encode, decode, torch.rand(60, 9))
