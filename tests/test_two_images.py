import math

import numpy as np
import pytest

from vae_course.exact import TwoImages, fit_two_images


def log_normal(x, mean, variance):
    return -((x - mean) ** 2) / (2 * variance) - np.log(2 * np.pi * variance) / 2


# Two images, at +a and -a: the decoder's answer is their average, weighted by q(image|z)


def chance_of_the_first(z, mean, std):
    log_odds = log_normal(z, mean, std**2) - log_normal(z, -mean, std**2)
    return np.exp(-np.logaddexp(0, -log_odds))


TWO = [TwoImages(2, 0.88, 0.47), TwoImages(0.7, 0.3, 1.2), TwoImages(30, 0.97, 0.24)]
TWO += [TwoImages(1.5, 0, 1), TwoImages(5, 1.5, 0.4)]


@pytest.mark.parametrize("two", TWO, ids=str)
def test_two_images_agree_with_integrals_over_z(two):
    z, cell = np.arange(-12, 12, 0.001), 0.001
    log_qs = [log_normal(z, sign * two.mean, two.std**2) for sign in (1, -1)]
    q = np.exp(log_qs[0])
    first = chance_of_the_first(z, two.mean, two.std)
    answer = first * two.half_distance - (1 - first) * two.half_distance

    kl = (q * (log_qs[0] - log_normal(z, 0, 1))).sum() * cell
    assert two.kl() == pytest.approx(kl, abs=1e-10)
    distortion = (q * (two.half_distance - answer) ** 2 / 2).sum() * cell
    assert two.distortion() == pytest.approx(distortion, abs=1e-8)

    aggregate = np.logaddexp(*log_qs) - np.log(2)
    information = sum((np.exp(own) * (own - aggregate)).sum() * cell / 2 for own in log_qs)
    assert two.mutual_information() == pytest.approx(information, abs=1e-9)
    assert information <= np.log(2)
    wrong_side = math.erfc(two.mean / two.std / math.sqrt(2)) / 2
    assert two.overlap() == pytest.approx(wrong_side, rel=1e-9)


def best_by_brute_force(half_distance):
    """Loss, mean and std of the best of all means and stds, on a grid that is refined."""
    u = np.linspace(-8, 8, 321)[:, None, None]
    chance = np.exp(-(u**2) / 2)
    chance /= chance.sum()
    low, high = np.array([0.0, 0.1]), np.array([1.5, 1.5])
    for _ in range(10):
        mean, std = np.meshgrid(*np.linspace(low, high, 21).T, indexing="ij")
        z = mean + std * u
        missed = 2 * half_distance * (1 - chance_of_the_first(z, mean, std))
        kl = log_normal(z, mean, std**2) - log_normal(z, 0, 1)
        loss = (chance * (missed**2 / 2 + kl)).sum(0)
        k = np.unravel_index(loss.argmin(), loss.shape)
        best, width = np.array([mean[k], std[k]]), (high - low) / 8
        low, high = np.maximum(best - width, [0, 0.1]), best + width
    return loss.min(), *best


@pytest.mark.parametrize("half_distance", [0.9, 0.99, 1.01, 1.05, 1.5, 3, 30])
def test_fit_finds_the_best_of_all_means_and_stds(half_distance):
    loss, mean, std = best_by_brute_force(half_distance)
    two = fit_two_images(half_distance)
    assert two.half_distance == half_distance
    assert two.mean == pytest.approx(mean, abs=1e-4)
    assert two.std == pytest.approx(std, abs=1e-4)
    assert two.kl() + two.distortion() == pytest.approx(loss, abs=1e-8)
    assert mean**2 + std**2 == pytest.approx(1, abs=1e-4)
    assert (two.mean > 1e-3) == (half_distance > 1)


@pytest.mark.parametrize(
    ("half_distance", "loss", "mean", "std", "overlap", "kl", "information"),
    [
        (1.01, 0.50995, 0.1431, 0.9897, 0.4425, 0.0103, 0.0103),
        (1.20, 0.66722, 0.6520, 0.7582, 0.1949, 0.2768, 0.2724),
        (2.00, 0.93625, 0.8809, 0.4733, 0.03137, 0.7480, 0.6111),
        (3.00, 1.06593, 0.9186, 0.3951, 0.01004, 0.9285, 0.6657),
    ],
)
def test_fit_has_the_known_values(half_distance, loss, mean, std, overlap, kl, information):
    two = fit_two_images(half_distance)
    found = (two.kl() + two.distortion(), two.mean, two.std, two.overlap(), two.kl())
    assert found == pytest.approx((loss, mean, std, overlap, kl), abs=1e-4)
    assert two.mutual_information() == pytest.approx(information, abs=1e-4)
