"""The doctor's certainty follows the state of training, and its memory has a bound."""

import math

import pytest
import torch
import torch.nn.functional as F

from vae_course.doctor import check_loss, examine

PIXELS, LATENTS = 25, 3
NOISE = torch.Generator().manual_seed(0)
PICTURES = (torch.rand(200, PIXELS, generator=NOISE) < torch.linspace(0.1, 0.9, PIXELS)).float()
FLAT = PICTURES.mean(0).logit()
UP = torch.randn(PIXELS, 2 * LATENTS, generator=NOISE) / PIXELS**0.5
DOWN = torch.randn(LATENTS, PIXELS, generator=NOISE)


def encoder(size):
    return lambda x: (size * x @ UP.to(x)).chunk(2, 1)


def paint(z):
    """The mean picture, whatever z is, but for a trace: after the first steps of training."""
    return (FLAT.to(z) + 1e-3 * z @ DOWN.to(z)).sigmoid()


def kl(m, s):
    return 0.5 * (m**2 + s.exp() - 1 - s).sum(1)


def cross(x, p):
    return F.binary_cross_entropy(p, x, reduction="none").sum(1)


def right(x, p, m, s):
    return (cross(x, p) + kl(m, s)).mean()


def averaged(x, p, m, s):
    return F.binary_cross_entropy(p, x) + kl(m, s).mean()


def test_one_picture_under_a_right_loss_is_a_note():
    report = examine(encoder(0.3), paint, PICTURES, right, spread="log_var")
    assert report.names == () and "decoder_ignores_z" in report.notes
    assert "train on" in report["decoder_ignores_z"].evidence


def test_one_picture_under_a_mean_is_an_error():
    report = examine(encoder(0.3), paint, PICTURES, averaged, spread="log_var")
    assert report.names[0] == "mean_for_sum" and "decoder_ignores_z" in report.names


@pytest.mark.parametrize(("size", "severity"), [(1e-3, "warning"), (0.5, "note")])
def test_one_picture_without_a_loss_is_a_warning_once_it_rests(size, severity):
    report = examine(encoder(size), paint, PICTURES, spread="log_var")
    assert report["decoder_ignores_z"].severity == severity


def test_a_part_that_grows_as_the_batch_squared_is_named():
    def loss(x, p, m, s):
        return cross(x, p).sum() + kl(m, s).sum() + 0.05 * (m.T @ m).square().sum()

    evidence = check_loss(loss, (PIXELS,), (LATENTS,))["batch_reductions_differ"].evidence
    assert evidence.startswith("A part of the term on the latents grows as the batch squared")


def test_a_gaussian_without_its_log_two_pi_is_complete_enough():
    log_std = math.log(0.2)

    def loss(x, u, m, s):
        nll = 0.5 * ((x - u) / math.exp(log_std)) ** 2 + log_std
        return (nll.sum(1) + kl(m, s)).mean()

    report = check_loss(loss, (PIXELS,), (LATENTS,))
    assert "constant_wrong" not in report.names and "constants_left_out" in report.notes


def test_memory_bounds_how_many_pictures_are_looked_at(capsys):
    def encode(x):
        print(len(x))  # a list would be put back as it was
        return encoder(0.3)(x)

    bytes_of_80 = 80 * 12 * PICTURES[0].nbytes
    examine(encode, paint, PICTURES, gigabytes=bytes_of_80 / 2**30)
    assert max(map(int, capsys.readouterr().out.split())) == 80
