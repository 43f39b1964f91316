"""What happens in a `TransformerVAE`, as a figure."""

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.axes import Axes
from torch import Tensor

from vae_course.plotting import COLOURS, figure, show

WIDTH, HEIGHT = 10.4, 2.5  # inches, and the units of the drawing
STATIONS = (2.15, 3.35, 4.85, 6.35, 7.55)  # where the columns in the middle stand
ARROWS = ((1.5, 1.9), (2.4, 2.8), (3.9, 4.25), (5.45, 6.1), (6.6, 7.0), (8.1, 8.6))
PATCHES = 5  # tokens that are drawn, for all of them


def transformer_figure(picture: Tensor, patch: int, *, caption: str, alt: str) -> HTML:
    """A face (3, H, W) cut into patches, tokens, attention, z, and all the way back."""
    made, (axis,) = figure(WIDTH, HEIGHT)
    axis.set(xlim=(0, WIDTH), ylim=(0.1, 0.1 + HEIGHT), aspect="equal")
    axis.set_axis_off()
    for x, title in ((0.1, "x, in patches"), (8.7, "patches of means,\nand of log σₓ")):
        _face(axis, picture, patch, x, title)
    tokens, blocks, code, places, back = STATIONS
    _tokens(axis, tokens, summary=True, text="tokens + positions,\non top the summary")
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
    axis.text(x + side / 2, 0.75, title, ha="center", va="top", fontsize=9)


def _tokens(axis: Axes, x: float, *, summary: bool, text: str) -> None:
    for row in range(PATCHES + summary):
        top = summary and row == PATCHES
        place = (x - 0.15, 0.95 + 0.25 * row)
        colour = COLOURS[1] if top else COLOURS[4]
        axis.add_patch(plt.Rectangle(place, 0.3, 0.19, facecolor=colour, edgecolor="black"))
    axis.text(x, 0.75, text, ha="center", va="top", fontsize=9)


def _box(axis: Axes, x: float, text: str) -> None:
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white"}
    axis.text(x, 1.6, text, ha="center", va="center", fontsize=10, bbox=box)
