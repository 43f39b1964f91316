"""Checks of the exercises of chapter 7, posterior collapse."""

from collections.abc import Callable

import torch

from vae_course.checks.judging.inputs import fresh
from vae_course.checks.judging.running import praise
from vae_course.checks.judging.verdict import agree
from vae_course.checks.posterior_collapse import (
    annealing,
    broken_scripts,
    constant_pictures,
    latent_use,
    picture_pairs,
    water_levels,
)


def units(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std, threshold)`: KL of each latent, (latent_dim,), and number in use.

    mean and log_std (N, latent_dim). Raises NotYet with the diagnosis of a wrong answer. The
    oracles are torch.distributions and all pairs of pictures.
    """
    agree(answer, latent_use.units, latent_use.latent_cases(seed), latent_use.UNIT_MISTAKES)
    praise("A latent with a large KL and a mean that never varies did not fool you.")


def constant(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x)`: the best constant picture (C, H, W), its MSE and its cross-entropy, two means.

    x (N, C, H, W). Raises NotYet. The oracle searches each pixel.
    """
    cases, mistakes = constant_pictures.cases(seed), constant_pictures.MISTAKES
    agree(answer, constant_pictures.constant, cases, mistakes)
    praise("A loss that stands still at such a number tells you what the decoder paints.")


def diagnosis(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(loss)`: the name of the fault of a loss(x, decode, mean, log_std).

    Raises NotYet. Tried on ten scripts in random order, two of each of four faults and two healthy.
    """
    broken_scripts.require_diagnoses(answer, fresh(seed))
    praise("All ten, two of them healthy. Your tests found by numbers what the eye overlooks.")


def two_pictures(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x1, x2)`: the σ and the c at which the best VAE stops telling two pictures apart.

    Both (C, H, W). Raises NotYet. The oracles are an eigenvalue of the covariance, and slopes.
    """
    agree(answer, picture_pairs.threshold, picture_pairs.cases(seed), picture_pairs.MISTAKES)
    praise("Known before any training: for a larger σ, or a smaller c, the average is best.")


def linear(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(eigenvalues, latent_dim, variance)`: how many active, and their KLs, largest first.

    The KLs are (latent_dim,). Raises NotYet. The oracle searches the strength of each latent.
    """
    cases, mistakes = water_levels.linear_cases(seed), water_levels.LINEAR_MISTAKES
    agree(answer, water_levels.linear, cases, mistakes)
    praise("Latent by latent, as the best linear VAE has them.")


def rate(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(eigenvalues, distortion)`: the least rate of normal pictures, in nats.

    Four digits. Raises NotYet. The oracle is the highest of all straight lines below the curve.
    """
    cases, mistakes = water_levels.rate_cases(seed), water_levels.RATE_MISTAKES
    agree(answer, water_levels.rate, cases, mistakes, within=0.01)
    water_levels.require_digits(answer, cases[:1])  # where the level is lowest
    praise("This is Shannon's curve. No code for normal pictures does better.")


def schedule(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(steps)`: a β for each step that begins at 0, rises gently and ends at 1.

    Raises NotYet. Properties only: a straight rise is as good as a curved one.
    """
    drawn = torch.randint(30, 400, (1,), generator=fresh(seed)).item()
    for count in (*annealing.STEPS, drawn):
        annealing.require_schedule(answer, count)
    praise("Free at first, then the ELBO itself, with a gentle way between the two.")
