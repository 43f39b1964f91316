"""An edge and a stroke whose place is known up to an error, and the blur that this makes."""

import torch
from matplotlib.figure import Figure
from torch.distributions import Normal

from vae_course import plotting
from vae_course.explorer.fragment import LiveFigure

STROKE = 2.0  # pixels wide
START = 0.7


def edge_blur() -> LiveFigure:
    """The average of an edge, and of a stroke, over places that scatter by τ pixels: exact."""
    return LiveFigure(
        kind="blur",
        name="Blur of an edge and of a stroke against the uncertainty of its place",
        caption="Above, nine of the edges (or strokes) that may have been in the picture. In the "
        "middle, their average. Below, its profile: Φ(t / τ) for an edge, and a difference of two "
        f"such curves for a stroke {STROKE:g} pixels wide.",
        alt="Profiles of an edge and of a stroke, averaged over three uncertainties of its place. "
        "The edge turns from a step into a ramp; the stroke gets wider and fainter.",
        still=_still(),
        data={"stroke": STROKE, "start": START},
    )


def _still() -> Figure:
    made, (edge, stroke) = plotting.figure(8, 3, columns=2)
    t = torch.linspace(-6, 6, 241)
    for tau, style in ((0.1, "-"), (0.7, "--"), (2.0, ":")):
        chance = Normal(0.0, tau).cdf
        edge.plot(t, chance(t), style, label=f"τ = {tau}")
        stroke.plot(t, chance(t + STROKE / 2) - chance(t - STROKE / 2), style, label=f"τ = {tau}")
    edge.set(title="edge", xlabel="place $t$ [pixels]", ylabel="average grey")
    stroke.set(title="stroke", xlabel="place $t$ [pixels]")
    edge.legend()
    return made
