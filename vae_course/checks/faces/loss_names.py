"""Trainings with a right or a wrong loss, and what an answer took for what."""

from collections.abc import Callable

import torch
from torch import Generator

from vae_course.checks.judging.inputs import uniform
from vae_course.checks.judging.running import kind, require, require_something, run

NAMES = {(1.0, 1.0): "right", (2**0.5, 1.0): "likelihood", (1.0, 0.5): "kl", (2**0.5, 0.5): "both"}
ALL = (*NAMES.values(), "unknown")
FIRST, SECOND = 0.1, 0.2  # how far off a training is, at most


def trainings(g: Generator) -> list[tuple[float, float, str]]:
    """(σ/RMSE, E[μ²+σ²], name), in random order; the known ones reach to the edges."""
    made = []
    for (ratio, moment), name in NAMES.items():
        for high, wide in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            off = uniform(g, 2, low=0.7, high=0.98).tolist()
            pair = ratio * (1 + high * FIRST * off[0]), moment * (1 + wide * SECOND * off[1])
            made.append((*pair, name))
        near = uniform(g, 2, low=-0.5, high=0.5).tolist()
        made.append((ratio * (1 + FIRST * near[0]), moment * (1 + SECOND * near[1]), name))
    for ratio, moment in NAMES:  # and what a ratio of variances, or the inverse, would be
        wild = uniform(g, 4, low=0.96, high=1.04).tolist()
        ratios, moments = (0.5**0.5 * wild[0], 2 * wild[1]), (0.25 * wild[2], 2 * wild[3])
        made += [(r, moment, "unknown") for r in ratios] + [(ratio, m, "unknown") for m in moments]
    return [made[i] for i in torch.randperm(len(made), generator=g)]


def _nearest(first: Callable = lambda r: r, second: Callable = lambda m: m, known=None) -> Callable:
    """The name whose pair is within the task's limits, of numbers that are changed before."""

    def name(ratio, moment):
        for (r, m), found in (known or NAMES).items():
            fits = abs(first(ratio) / r - 1) <= FIRST and abs(second(moment) / m - 1) <= SECOND
            if fits:
                return found
        return "unknown"

    return name


def _renamed(**names: str) -> Callable:
    return lambda ratio, moment: names.get(found := _nearest()(ratio, moment), found)


def _limits(ratio, moment):
    return {(0, 0): "right", (1, 0): "likelihood", (0, 1): "kl", (1, 1): "both"}[
        ratio > 1.2, moment < 0.7
    ]


MISTAKES = {
    '"likelihood" and "kl" are swapped. Which of the two numbers looks at σ of the pixels?': (
        _renamed(likelihood="kl", kl="likelihood")
    ),
    '"right" and "both" are swapped.': _renamed(right="both", both="right"),
    "Two limits are not enough: a number can also be far too small, or far too large. Then neither "
    "formula explains it.": _limits,
    "You expect 2 from a missing 2. That is σ² over MSE; the ratio is one of roots.": (
        _nearest(known={(2.0 if r > 1 else 1.0, m): name for (r, m), name in NAMES.items()})
    ),
    "The first ratio is taken the other way round: the slip makes σ too large.": (
        _nearest(lambda ratio: 1 / ratio)
    ),
    "You expect a first ratio below 1: the slip makes σ too large.": (
        _nearest(known={(0.5**0.5 if r > 1 else 1.0, m): name for (r, m), name in NAMES.items()})
    ),
    "The second is taken the other way round: the slip makes codes too small.": (
        _nearest(second=lambda moment: 1 / moment)
    ),
    "You expect a second number above 1: the slip makes codes too small.": (
        _nearest(known={(r, 2.0 if m < 1 else 1.0): name for (r, m), name in NAMES.items()})
    ),
    "You expect ¼ from the slip in the KL. Is it a square twice over?": (
        _nearest(known={(r, 0.25 if m < 1 else 1.0): name for (r, m), name in NAMES.items()})
    ),
    'You never find both slips: you stop at the first one. Ask for "both" first.': (
        _renamed(both="likelihood")
    ),
    'You never find both slips: you stop at the second one. Ask for "both" first.': (
        _renamed(both="kl")
    ),
    "You look at the first number only.": lambda ratio, moment: _nearest()(ratio, 1.0),
    "You look at the second number only.": lambda ratio, moment: _nearest()(1.0, moment),
    "The two numbers are swapped.": lambda ratio, moment: _nearest()(moment, ratio),
}


def require_names(answer: Callable, g: Generator) -> None:
    """The right name for each training."""
    listed = trainings(g)
    said = [_name(answer, ratio, moment) for ratio, moment, _ in listed]
    require(
        len(set(said)) > 1,
        f"You say {said[0]!r} of every training. The check brings all kinds, in random order.",
    )
    for says, wrong in MISTAKES.items():
        known = [wrong(ratio, moment) for ratio, moment, _ in listed]
        require(said != known or known == [name for *_, name in listed], says)
    for (ratio, moment, name), told in zip(listed, said, strict=True):
        hint = (
            "Is your limit too narrow? One name predicts numbers as near as the task allows"
            if told == "unknown"
            else "How far may each number be from what that predicts?"
        )
        require(told == name, f"You say {told!r} of {ratio:.3f} and {moment:.3f}. {hint}")


def _name(answer: Callable, ratio: float, moment: float) -> str:
    said = run(answer, (ratio, moment), ("ratio", "moment"))
    require_something(said)
    require(isinstance(said, str), f"Return a name, a string. Yours is {kind(said)}.")
    require(said in ALL, f"{said!r} is none of the five names: {', '.join(map(repr, ALL))}.")
    return said
