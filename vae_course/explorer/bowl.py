"""The KL of a posterior from the prior, as a bowl over μ and log σ, and the bowl of a slip."""

import torch
from matplotlib.figure import Figure

from vae_course import plotting
from vae_course.explorer.fragment import LiveFigure

LEVELS = (0.05, 0.2, 0.5, 1, 2, 3)


def kl_bowl() -> LiveFigure:
    """KL(N(μ, σ²) ‖ N(0, 1)) in nats over μ and log σ, and the same with log σ for log σ²."""
    return LiveFigure(
        kind="bowl",
        name="The KL and its slip over the mean and the log standard deviation",
        caption="Move the point, in either plane or by the sliders. The slip has log σ where "
        "log σ² belongs. Posterior and prior: the prior is dashed.",
        alt="Contours of the KL and of the slip over μ and log σ, both lowest at the origin. The "
        "slip's contours run far up and down: it is flat in log σ.",
        still=_still(),
        data={"levels": LEVELS, "start": [0, 1]},
    )


def _still() -> Figure:
    made, panels = plotting.figure(7, 3.2, columns=2)
    mean, log_std = torch.linspace(-2, 2, 121)[None, :], torch.linspace(-2, 1.5, 121)[:, None]
    for axis, name, s in zip(panels, ("KL", "slip"), (2 * log_std, log_std), strict=True):
        values = (s.exp() + mean**2 - 1 - s) / 2  # s is log σ², or what is taken for it
        drawn = axis.contour(mean[0], log_std[:, 0], values, levels=LEVELS, colors="black")
        axis.clabel(drawn, fontsize=8, fmt="%g")
        axis.plot(0, 0, "o", color=plotting.COLOURS[5])
        axis.set(title=f"{name} [nats]", xlabel=r"$\mu$", ylabel=r"$\log \sigma$")
    return made
