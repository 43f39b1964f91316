"""Checks of the exercises of chapter 10, faces with a transformer."""

from collections.abc import Callable

from vae_course.checks.faces import (
    arrivals,
    loss_names,
    loss_ratios,
    patch_orders,
    place_waves,
    smiles,
    smooth_floors,
)
from vae_course.checks.judging.inputs import fresh
from vae_course.checks.judging.running import praise
from vae_course.checks.judging.verdict import agree


def patches(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(images, patch)`: (batch, C, H, W) -> (batch, patches, C·patch²), row by row.

    Raises NotYet with the diagnosis of a wrong answer. The oracle cuts slices.
    """
    cases = patch_orders.cases(fresh(seed))
    agree(answer, patch_orders.patches, cases, patch_orders.MISTAKES)
    praise("A sequence of tokens, ready for a linear map. No pixel is lost, none is in two.")


def positions(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(rows, columns, width)`: sines and cosines of every place, (rows · columns, width).

    Raises NotYet. The oracle turns a complex number, step by step.
    """
    cases = place_waves.cases(fresh(seed))
    agree(answer, place_waves.positions, cases, place_waves.MISTAKES)
    praise("Each place has an address of its own, and neighbours have similar ones.")


def bounded_log_std(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(raw, lowest)`: log σ with a smooth lower bound, of raw's shape.

    Raises NotYet. Many answers are right: values, slopes and limits are tested, in float64.
    """
    smooth_floors.require_floor(answer, seed)
    praise("σ stays above its bound, and wherever it is, a slope can lead it back.")


def two_ratios(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, mean, log_std, q_mean, q_log_std)`: σ over RMSE, and mean of μ² + σ².

    The first three (batch, C, H, W), the others (batch, latent_dim); two numbers. Raises NotYet.
    The oracles are lengths of vectors, and torch.distributions' moments of a mixture.
    """
    cases = loss_ratios.models(fresh(seed))
    agree(answer, loss_ratios.two_ratios, cases, loss_ratios.MISTAKES)
    praise("Two numbers from any model. Both are 1 after training with the right loss.")


def slip(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(ratio, moment)`: the name of what is wrong with a loss, from its two ratios.

    Raises NotYet. Tried on trainings whose loss is known.
    """
    loss_names.require_names(answer, fresh(seed))
    praise("You named every loss without reading one, and said so where you could not know.")


def direction(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(codes, smiles, glasses)`: a smile without glasses, (N, d) and (N,) bool -> (d,).

    Raises NotYet. The oracle is least squares with an interaction.
    """
    agree(answer, smiles.direction, smiles.faces(fresh(seed)), smiles.MISTAKES)
    praise("A smile, and nothing of the glasses that so often come with it here.")


def arrived(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(before, after, wanted, asked)`: how much arrived, where, and what else came.

    Readings (faces, factors); three numbers. Raises NotYet. The oracle is Python's statistics.
    """
    agree(answer, arrivals.arrived, arrivals.readings(fresh(seed)), arrivals.MISTAKES)
    praise(
        "A picture shows that it worked once. Your three numbers say how often, and at what price."
    )
