"""What happens in an autoencoder, a VAE and a `TransformerVAE`, as figures."""

import matplotlib.pyplot as plt
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from torch import Tensor

from vae_course.plotting import COLOURS, figure, show

TYPE = 11.5  # points: the widest drawing is shown at two thirds of its width
WIDTH, HEIGHT = 10.4, 2.5  # inches, and the units of the drawing
STATIONS = (2.15, 3.35, 4.85, 6.35, 7.55)  # where the columns in the middle stand
ARROWS = ((1.5, 1.9), (2.4, 2.8), (3.9, 4.25), (5.45, 6.1), (6.6, 7.0), (8.1, 8.6))
MIDDLE = 1.4  # the height at which the figures of chapters 1 and 2 run
SKETCHED = ((-1.3, 0.2, 0.5, 0.3), (0.2, -0.9, 0.3, 0.6), (1.2, 0.7, 0.6, 0.4))  # x, y, stds
PATCHES = 5  # tokens that are drawn, for all of them


def transformer_figure(picture: Tensor, patch: int, *, caption: str, alt: str) -> HTML:
    """A face (3, H, W) cut into patches, tokens, attention, z, and all the way back."""
    made, (axis,) = figure(WIDTH, HEIGHT)
    axis.set(xlim=(0, WIDTH), ylim=(0.1, 0.1 + HEIGHT), aspect="equal")
    axis.set_axis_off()
    for x, title in ((0.1, "x, in patches"), (8.7, "patches of means,\nand of log σₓ")):
        _face(axis, picture, patch, x, title)
    tokens, blocks, code, places, back = STATIONS
    _tokens(axis, tokens, summary=True, text="tokens with\npositions, and\nthe summary")
    _box(axis, blocks, "attention\nblocks")
    _box(axis, code, "μ, log σ\n\n$z = μ + σ ε$")
    _tokens(axis, places, summary=False, text="z at each place\n+ positions")
    _box(axis, back, "attention\nblocks")
    for start, end in ARROWS:
        arrow = {"arrowstyle": "->", "linewidth": 1.5}
        axis.annotate("", xy=(end, 1.6), xytext=(start, 1.6), arrowprops=arrow)
    return show(made, caption=caption, alt=alt)


def _face(axis: Axes, picture: Tensor, patch: int, x: float, title: str) -> None:
    side, cells = 1.3, picture.shape[-1] // patch
    inset = axis.inset_axes((x, 0.95, side, side), transform=axis.transData)
    inset.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy())
    for line in range(1, cells):
        for draw in (inset.axhline, inset.axvline):
            draw(line * patch - 0.5, color="white", linewidth=0.6)
    inset.set(xticks=[], yticks=[])
    axis.text(x + side / 2, 0.75, title, ha="center", va="top", fontsize=TYPE)


def _tokens(axis: Axes, x: float, *, summary: bool, text: str) -> None:
    for row in range(PATCHES + summary):
        top = summary and row == PATCHES
        place = (x - 0.15, 0.95 + 0.25 * row)
        colour = COLOURS[1] if top else COLOURS[4]
        axis.add_patch(plt.Rectangle(place, 0.3, 0.19, facecolor=colour, edgecolor="black"))
    axis.text(x, 0.75, text, ha="center", va="top", fontsize=TYPE)


def _box(axis: Axes, x: float, text: str, y: float = 1.6) -> None:
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white"}
    axis.text(x, y, text, ha="center", va="center", fontsize=TYPE, bbox=box)


def hourglass_figure(picture: Tensor, code: Tensor, rebuilt: Tensor, **texts: str) -> HTML:
    """A grey picture (1, H, W), its code (d,) as bars, and what the decoder makes of it.

    `texts` are the caption and the alt text, as `show` takes them.
    """
    made, (axis,) = _canvas(8.2, 2.5)
    _grey(axis, picture, (0.1, 0.75), "$x$: 784 pixels")
    _funnel(axis, (1.7, 3.2), (0.65, 0.3), "encoder\n$e_\\phi$")
    _bars(axis, code, (3.4, 0.9), f"$z$: {len(code)} numbers")
    _funnel(axis, (4.9, 6.4), (0.3, 0.65), "decoder\n$f_\\theta$")
    _grey(axis, rebuilt, (6.7, 0.75), "$\\hat{x}$: 784 pixels")
    return show(made, **texts)


def vae_figure(picture: Tensor, mean: Tensor, drawn: Tensor, **texts: str) -> HTML:
    """A VAE on its way: a grey picture (1, H, W), q(z|x), a draw, the decoder's mean, a draw of x.

    `mean` and `drawn` (1, H, W) are the mean of p(x|z) and a draw from it.
    """
    made, (axis,) = _canvas(10.4, 2.6)
    _grey(axis, picture, (0.1, 0.75), "$x$")
    _funnel(axis, (1.6, 2.9), (0.65, 0.4), "encoder\n$\\phi$")
    _box(axis, 3.65, "$\\mu_j,\\ \\log\\sigma_j$", MIDDLE)
    _box(axis, 5.25, "draw\n$z = \\mu + \\sigma\\,\\varepsilon$", MIDDLE)
    _funnel(axis, (6.3, 7.6), (0.4, 0.65), "decoder\n$\\theta$")
    _grey(axis, mean, (7.65, 0.75), "mean of $p(x|z)$")
    _grey(axis, drawn, (9.05, 0.75), "one draw from it")
    for start, end in ((2.95, 3.1), (4.2, 4.5), (6.0, 6.25)):
        arrow = {"arrowstyle": "->", "linewidth": 1.5}
        axis.annotate("", xy=(end, MIDDLE), xytext=(start, MIDDLE), arrowprops=arrow)
    axis.text(3.65, 0.6, "$q(z|x)$: one for\neach picture", ha="center", va="top", fontsize=TYPE)
    return show(made, **texts)


def point_or_distribution_figure(pictures: Tensor, **texts: str) -> HTML:
    """A sketch: three grey pictures (3, 1, H, W) go to points, and to ellipses with draws in them.

    Where they go is made up. `texts` are the caption and the alt text, as `show` takes them.
    """
    made, axes = figure(8.6, 3, columns=2)
    generator = torch.Generator().manual_seed(0)
    for axis, title in zip(axes, ("autoencoder: a point", "VAE: a distribution"), strict=True):
        axis.set(xlim=(-3.3, 2.2), ylim=(-1.5, 2), title=title, aspect="equal")
        axis.set_axis_off()
        for row, (x, y, *stds) in enumerate(SKETCHED):
            colour = COLOURS[row]
            inset = axis.inset_axes((-3.2, 0.9 - 1.1 * row, 1, 1), transform=axis.transData)
            inset.imshow(pictures[row, 0].numpy(), cmap="gray")
            inset.set(xticks=[], yticks=[])
            arrow = {"arrowstyle": "->", "color": colour}
            axis.annotate("", xy=(x - 0.1, y), xytext=(-2.15, 1.4 - 1.1 * row), arrowprops=arrow)
            if axis is axes[0]:
                axis.plot(x, y, "o", color=colour)
                continue
            width, height = (2 * std for std in stds)
            axis.add_patch(Ellipse((x, y), width, height, color=colour, alpha=0.25, linewidth=0))
            draws = torch.randn(12, 2, generator=generator) * torch.tensor(stds) / 2
            axis.plot(x + draws[:, 0], y + draws[:, 1], ".", color=colour, markersize=4)
    return show(made, **texts)


def _canvas(width: float, height: float):
    made, (axis,) = figure(width, height)
    axis.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axis.set_axis_off()
    return made, (axis,)


def _grey(axis: Axes, picture: Tensor, corner: tuple[float, float], title: str) -> None:
    side = 1.3
    inset = axis.inset_axes((*corner, side, side), transform=axis.transData)
    inset.imshow(picture[0].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
    inset.set(xticks=[], yticks=[])
    axis.text(corner[0] + side / 2, corner[1] - 0.1, title, ha="center", va="top", fontsize=TYPE)


def _funnel(axis: Axes, ends: tuple[float, float], halves: tuple[float, float], text: str) -> None:
    """A trapezium between two places, with half its height at each end."""
    (left, right), (first, last) = ends, halves
    corners = [(left, -first), (left, first), (right, last), (right, -last)]
    points = [(x, MIDDLE + y) for x, y in corners]
    axis.add_patch(plt.Polygon(points, facecolor="#e8e8e8", edgecolor="black"))
    axis.text((left + right) / 2, MIDDLE, text, ha="center", va="center", fontsize=TYPE)


def _bars(axis: Axes, code: Tensor, corner: tuple[float, float], title: str) -> None:
    inset = axis.inset_axes((*corner, 1.3, 1.1), transform=axis.transData)
    inset.bar(range(len(code)), code.tolist(), color=COLOURS[0])
    inset.axhline(0, color="black", linewidth=0.6)
    inset.set_axis_off()
    axis.text(corner[0] + 0.65, corner[1] - 0.25, title, ha="center", va="top", fontsize=TYPE)
