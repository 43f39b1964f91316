"""Task 5: the name of what is wrong with a loss, from two numbers."""

from collections.abc import Callable

import torch

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import kind, require, require_something, run

NAMES = {(1.0, 1.0): "right", (2**0.5, 1.0): "likelihood", (1.0, 0.5): "kl", (2**0.5, 0.5): "both"}

ALL = (*NAMES.values(), "unknown")

FIRST, SECOND = 0.1, 0.2  # how far off a training is, at most


def trainings(seed: int | None) -> list[tuple[float, float, str]]:
    """(σ/RMSE, E[μ²+σ²], name), in random order, on both sides of each limit and close to it."""
    g, made = fresh(seed), []
    for (ratio, moment), name in NAMES.items():
        for high, wide in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            near, far, farther = (
                uniform(g, 2, low=low, high=low + 0.04).tolist() for low in (0.95, 1.02, 1.3)
            )
            for first, second, known in (
                (near[0], near[1], name),
                (far[0], near[1], "unknown"),
                (near[0], far[1], "unknown"),
                (farther[0], 0.0, "unknown"),
                (0.0, farther[1], "unknown"),
            ):
                off = 1 + high * FIRST * first, 1 + wide * SECOND * second
                made.append((ratio * off[0], moment * off[1], known))
        for first, second in (uniform(g, 2, low=-0.5, high=0.5).tolist(), (0.8, 0.45)):
            made.append((ratio * (1 + FIRST * first), moment * (1 + SECOND * second), name))
    for ratio, moment in NAMES:  # and what a ratio of variances, or the inverse, would be
        wild = uniform(g, 4, low=0.96, high=1.04).tolist()
        ratios, moments = (0.5**0.5 * wild[0], 2 * wild[1]), (0.25 * wild[2], 2 * wild[3])
        made += [(r, moment, "unknown") for r in ratios] + [(ratio, m, "unknown") for m in moments]
    return [made[i] for i in torch.randperm(len(made), generator=g)]


def relative(found: float, predicted: float) -> float:
    return abs(found / predicted - 1)


def absolute(found: float, predicted: float) -> float:
    return abs(found - predicted)


def nearest(
    first: Callable = lambda ratio: ratio,
    second: Callable = lambda moment: moment,
    known: dict = NAMES,
    limits: tuple[float, float] = (FIRST, SECOND),
    off: tuple[Callable, Callable] = (relative, relative),
) -> Callable:
    """The name whose pair is within the task's limits, of numbers that are changed before."""

    def name(ratio, moment):
        for (r, m), found in known.items():
            if off[0](first(ratio), r) <= limits[0] and off[1](second(moment), m) <= limits[1]:
                return found
        return "unknown"

    return name


def renamed(**names: str) -> Callable:
    return lambda ratio, moment: names.get(found := nearest()(ratio, moment), found)


def two_limits(ratio, moment):
    return {(0, 0): "right", (1, 0): "likelihood", (0, 1): "kl", (1, 1): "both"}[
        ratio > 1.2, moment < 0.7
    ]


SLIPS = {
    '"likelihood" and "kl" are swapped. Which of the two numbers looks at σ of the pixels?': (
        renamed(likelihood="kl", kl="likelihood")
    ),
    '"right" and "both" are swapped.': renamed(right="both", both="right"),
    "Two limits are not enough: a number can also be far too small, or far too large. Then neither "
    "formula explains it.": two_limits,
    "You expect 2 from a missing 2. That is σ² over MSE; the ratio is one of roots.": (
        nearest(known={(2.0 if r > 1 else 1.0, m): name for (r, m), name in NAMES.items()})
    ),
    "The first ratio is taken the other way round: the slip makes σ too large.": (
        nearest(lambda ratio: 1 / ratio)
    ),
    "You expect a first ratio below 1: the slip makes σ too large.": (
        nearest(known={(0.5**0.5 if r > 1 else 1.0, m): name for (r, m), name in NAMES.items()})
    ),
    "The second is taken the other way round: the slip makes codes too small.": (
        nearest(second=lambda moment: 1 / moment)
    ),
    "You expect a second number above 1: the slip makes codes too small.": (
        nearest(known={(r, 2.0 if m < 1 else 1.0): name for (r, m), name in NAMES.items()})
    ),
    "You expect ¼ from the slip in the KL. Is it a square twice over?": (
        nearest(known={(r, 0.25 if m < 1 else 1.0): name for (r, m), name in NAMES.items()})
    ),
    "For `moment` you allow 0.2, whatever is predicted. The task allows 20 % of that.": (
        nearest(off=(relative, absolute))
    ),
    "For `ratio` you allow 0.1, whatever is predicted. The task allows 10 % of that.": (
        nearest(off=(absolute, relative))
    ),
    "You allow 0.1 and 0.2, whatever is predicted. The task allows 10 % and 20 % of that.": (
        nearest(off=(absolute, absolute))
    ),
    "You allow 10 % for both. For `moment` it is 20 %.": nearest(limits=(FIRST, FIRST)),
    "You allow 20 % for both. For `ratio` it is 10 %.": nearest(limits=(SECOND, SECOND)),
    "The two limits are swapped: 10 % belong to `ratio`, 20 % to `moment`.": (
        nearest(limits=(SECOND, FIRST))
    ),
    "You divide by what was measured. The task counts in per cent of what is predicted.": (
        nearest(off=(lambda found, predicted: relative(predicted, found),) * 2)
    ),
    'You never find both slips: you stop at the first one. Ask for "both" first.': (
        renamed(both="likelihood")
    ),
    'You never find both slips: you stop at the second one. Ask for "both" first.': (
        renamed(both="kl")
    ),
    "You look at the first number only.": lambda ratio, moment: nearest()(ratio, 1.0),
    "You look at the second number only.": lambda ratio, moment: nearest()(1.0, moment),
    "The two numbers are swapped.": lambda ratio, moment: nearest()(moment, ratio),
}


@trial(
    slips=SLIPS,
    praise="You named every loss without reading one, and said so where you could not know.",
)
def slip(answer: Callable, seed: int | None) -> None:
    """`answer(ratio, moment)`: the name, tried on trainings whose loss is known."""
    listed = trainings(seed)
    said = [name_said(answer, ratio, moment) for ratio, moment, _ in listed]
    require(
        len(set(said)) > 1,
        f"You say {said[0]!r} of every training. The check brings all kinds, in random order.",
    )
    for says, wrong in SLIPS.items():
        known = [wrong(ratio, moment) for ratio, moment, _ in listed]
        require(said != known or known == [name for *_, name in listed], says)
    for (ratio, moment, name), told in zip(listed, said, strict=True):
        hint = (
            "Is your limit too narrow? One name predicts numbers as near as the task allows."
            if told == "unknown"
            else "How far may each number be from what that predicts? Which way is it off?"
        )
        require(told == name, f"You say {told!r} of {ratio:.3f} and {moment:.3f}. {hint}")


def name_said(answer: Callable, ratio: float, moment: float) -> str:
    said = run(answer, (ratio, moment), ("ratio", "moment"))
    require_something(said)
    require(isinstance(said, str), f"Return a name, a string. Yours is {kind(said)}.")
    require(said in ALL, f"{said!r} is none of the five names: {', '.join(map(repr, ALL))}.")
    return said
