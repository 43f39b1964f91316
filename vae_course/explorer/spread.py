"""The draws z = μ + σε, and how far both estimators of the slope in μ scatter."""

import torch
from matplotlib.figure import Figure

from vae_course import plotting
from vae_course.explorer.fragment import LiveFigure

OMEGA = 5  # of the wave


def gradient_spread() -> LiveFigure:
    """Estimates of the slope of E f(z) in μ from one draw each, for f = z² and f = cos(5z)."""
    return LiveFigure(
        kind="spread",
        name="Draws of z and the scatter of the gradient estimates",
        caption="Draws of z = μ + σε, on f: the ε stay. Move σ, and each draw moves along. "
        "Estimates of the slope in μ: one from each draw. The dashed line is the right answer.",
        alt="The exact standard deviations of three estimators of the slope in the mean, over σ, "
        "for μ = 1. The pathwise one is smallest, the score function's largest, with its best "
        "baseline in between.",
        still=_still(),
        data={"omega": OMEGA, "start": [1, 0.5]},
    )


def _still() -> Figure:
    made, (axis,) = plotting.figure(6, 3)
    std = torch.linspace(0.1, 2, 96)
    score = (1 / std**2 + 14 + 15 * std**2).sqrt()  # at a mean of 1
    for name, values in {
        "pathwise": 2 * std,
        "score function": score,
        "score function, best baseline": (8 + 6 * std**2).sqrt(),
    }.items():
        axis.plot(std, values, label=name)
    axis.set(xlabel=r"$\sigma$", ylabel="std of an estimate", title="$f(z) = z^2$, $\\mu = 1$")
    axis.legend()
    return made
