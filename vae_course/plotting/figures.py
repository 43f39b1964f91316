"""Figures in one style, each with a caption and a description for those who cannot see it."""

import base64
import html
import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Ellipse
from matplotlib.text import Text
from PIL import Image
from torch import Tensor

# Ten colours for ten digits, told apart in the common kinds of colour blindness: Okabe & Ito's
# eight (yellow darkened for a white page), and two greys.
COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
    "#d55e00", "#b8a800", "#000000", "#7f7f7f", "#bfbfbf",
)  # fmt: skip

DPI = 160  # sharp on a phone's dense screen
# Pixels: no type gets smaller, however narrow the screen. A figure that would have to, scrolls.
READABLE = 10

STYLE = {
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 11,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "legend.frameon": False,
}


plt.rcParams.update(STYLE)

_numbers: dict[str, int] = {}  # of the page that this kernel runs, by caption


def figure(width: float, height: float, columns: int = 1, **options) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches with `columns` axes side by side, in our style."""
    made, axes = plt.subplots(1, columns, figsize=(width, height), squeeze=False, **options)
    return made, list(axes[0])


def show(made: Figure, *, caption: str, alt: str) -> HTML:
    """The figure as a picture in the page, with its caption under it and `alt` read aloud.

    `alt` says what is seen. Raises ValueError if either text is empty.
    """
    if not caption.strip() or not alt.strip():
        raise ValueError("a figure needs a caption and an alt text that says what is seen")
    picture, pixels = png(made)
    width, smallest = pixels * 96 / DPI, smallest_type(made)
    narrowest = min(width, width * READABLE / smallest) if smallest else 0
    look = f"max-width: 100%; width: {width:.0f}px; min-width: {narrowest:.0f}px; background: white"
    return HTML(
        '<figure class="course-figure" style="margin: 1em 0; text-align: center">'
        '<div class="course-sheet" style="overflow-x: auto">'
        f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}" '
        f'alt="{html.escape(alt)}" data-pictures="{pictures_in(made)}" '
        f'data-type="{smallest:.1f}" style="{look}"></div>'
        f"<figcaption>{html.escape(numbered(caption))}</figcaption></figure>"
    )


def smallest_type(made: Figure) -> float:
    """The height of the smallest type in a figure that is shown at full width, in pixels."""
    texts = (text for text in made.findobj(Text) if text.get_visible() and text.get_text().strip())
    return min((text.get_fontsize() for text in texts), default=0) * 96 / 72


def pictures_in(made: Figure) -> str:
    """Where the figure shows pictures: "left top width height; …", in parts of the saved figure.

    A dark page has figures in other colours, but pictures must stay as they are.
    """
    pad = plt.rcParams["savefig.pad_inches"]
    sheet = made.get_tightbbox().padded(pad)
    places = []
    for image in made.findobj(AxesImage):
        box = image.get_window_extent()
        x, y = box.x0 / made.dpi - sheet.x0, sheet.y1 - box.y1 / made.dpi
        inches = (x, y, box.width / made.dpi, box.height / made.dpi)
        sides = (sheet.width, sheet.height) * 2
        places.append(" ".join(f"{a / b:.4f}" for a, b in zip(inches, sides, strict=True)))
    return "; ".join(places)


def numbered(caption: str) -> str:
    """The caption with the figure's number on its page, counted in the order they are shown.

    A figure that is shown again, as its cell runs again, keeps its number.
    """
    return f"Figure {_numbers.setdefault(caption, len(_numbers) + 1)}. {caption}"


def png(made: Figure, dpi: int = DPI) -> tuple[bytes, int]:
    """The figure as a small PNG, and its width in pixels; the figure is closed."""
    drawn, small = io.BytesIO(), io.BytesIO()
    made.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight")
    plt.close(made)  # or the notebook would show it a second time, without its description
    # A palette of 256 colours makes the file a third as large, and no eye sees the difference.
    picture = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    return small.getvalue(), picture.width


def tile(images: Tensor, columns: int) -> Tensor:
    """(N, C, H, W) -> one picture (rows·H, columns·W, C) in [0, 1]; missing cells stay black."""
    n, channels, height, width = images.shape
    rows = -(-n // columns)
    cells = torch.zeros(rows * columns, channels, height, width)
    cells[:n] = images.detach().cpu().clamp(0, 1)
    grid = cells.unflatten(0, (rows, columns))  # (rows, columns, C, H, W)
    return grid.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)


def draw_tiles(axis: Axes, images: Tensor, columns: int, title: str = "") -> None:
    """`images` (N, C, H, W) in rows of `columns` on `axis`, pixels clipped to [0, 1]."""
    grid = tile(images, columns).numpy()
    axis.imshow(grid if grid.shape[2] == 3 else grid[..., 0], cmap="gray", vmin=0, vmax=1)
    axis.set(title=title, xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def tiles(images: Tensor, columns: int, *, width: float = 7, caption: str, alt: str) -> HTML:
    """A sheet of pictures (N, C, H, W), `columns` to a row."""
    rows = -(-len(images) // columns)
    height = width * rows * images.shape[2] / (columns * images.shape[3])
    made, (axis,) = figure(width, height)
    draw_tiles(axis, images, columns)
    return show(made, caption=caption, alt=alt)


def rows(pictures: dict[str, Tensor], *, caption: str, alt: str, width: float = 7) -> HTML:
    """One labelled row of pictures (N, C, H, W) for each entry, all with the same N."""
    return show(draw_rows(pictures, width=width), caption=caption, alt=alt)


def draw_rows(pictures: dict[str, Tensor], *, width: float = 7) -> Figure:
    """The figure of `rows`."""
    _, _, height, breadth = next(iter(pictures.values())).shape
    columns = max(map(len, pictures.values()))
    # About a fifth of the width goes to the labels.
    each = 0.8 * width * height / (columns * breadth) + 0.06
    made, axes = plt.subplots(
        len(pictures), 1, figsize=(width, each * len(pictures)), squeeze=False
    )
    for axis, (label, images) in zip(axes[:, 0], pictures.items(), strict=True):
        draw_tiles(axis, images, len(images))
        axis.set_ylabel(label, rotation=0, ha="right", va="center")
    return made


def draw_codes(axis: Axes, codes: Tensor, labels: Tensor) -> None:
    """The first two coordinates of codes (N, d), with each digit written at its median."""
    for digit in labels.unique().tolist():
        mine = codes[labels == digit].detach().cpu()
        axis.scatter(mine[:, 0], mine[:, 1], s=3, alpha=0.5, linewidths=0, color=COLOURS[digit])
    _name_digits(axis, codes, labels)


def draw_posteriors(axis: Axes, mean: Tensor, log_std: Tensor, labels: Tensor) -> None:
    """An ellipse of one standard deviation for each q(z|x), mean and log_std (N, 2).

    Each digit is written at its median; the axes are even and hold every mean.
    """
    stds = log_std.exp()
    for place, std, label in zip(mean.tolist(), stds.tolist(), labels.tolist(), strict=True):
        look = {"fill": False, "color": COLOURS[label], "linewidth": 0.8}
        axis.add_patch(Ellipse(place, 2 * std[0], 2 * std[1], **look))
    _name_digits(axis, mean, labels)
    half = 1.1 * mean.abs().max().item()
    axis.set(xlim=(-half, half), ylim=(-half, half))


def _name_digits(axis: Axes, codes: Tensor, labels: Tensor) -> None:
    for digit in labels.unique().tolist():
        x, y = codes[labels == digit, :2].detach().cpu().median(0).values.tolist()
        box = {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": COLOURS[digit]}
        axis.text(x, y, str(digit), ha="center", va="center", fontsize=10.5, bbox=box)
    axis.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")


def latent_plane(
    codes: Tensor, labels: Tensor, pictures: Tensor, *, circles=(), caption: str, alt: str
) -> HTML:
    """A cloud of codes (N, 2) beside a square sheet of pictures decoded from that plane.

    `circles` are radii of dashed circles around the origin.
    """
    made, (cloud, sheet) = figure(9.5, 4.6, columns=2)
    draw_codes(cloud, codes, labels)
    for radius in circles:
        cloud.add_patch(plt.Circle((0, 0), radius, fill=False, linestyle="--", color="grey"))
    draw_tiles(sheet, pictures, round(len(pictures) ** 0.5), title="the plane, decoded")
    return show(made, caption=caption, alt=alt)


def curves(series: dict[str, Tensor], *, xlabel: str, caption: str, alt: str) -> HTML:
    """One small plot beside the other for each (N,) series, titled by its name."""
    made, axes = figure(9.5, 2.8, columns=len(series))
    for axis, (title, values) in zip(axes, series.items(), strict=True):
        axis.plot(values)
        axis.set(title=title, xlabel=xlabel)
    return show(made, caption=caption, alt=alt)


def bars(
    values: dict[str, float], colours: Sequence[str], *, xlabel: str, caption: str, alt: str
) -> HTML:
    """A labelled horizontal bar with its number for each of the `values`, from the top down."""
    made, (axis,) = figure(6.4, 0.4 * len(values) + 0.3)
    axis.bar_label(axis.barh(list(values), list(values.values()), color=colours), fmt=" {:.2f}")
    axis.invert_yaxis()
    axis.set(xlabel=xlabel)
    return show(made, caption=caption, alt=alt)


def two_spans(
    series: dict[str, Tensor], early: int, *, xlabel: str, caption: str, alt: str
) -> HTML:
    """A column for each (N,) series, titled by its name: its first `early` values, then all."""
    made, axes = plt.subplots(2, len(series), figsize=(9.5, 4.2))
    for column, (title, values) in zip(axes.T, series.items(), strict=True):
        for axis, last in zip(column, (early, len(values)), strict=True):
            axis.plot(values[:last], linewidth=0.8)
            axis.set(xlim=(0, last), xticks=(0, last))
        column[0].set_title(title, fontsize=11)
        column[1].set_xlabel(xlabel)
    return show(made, caption=caption, alt=alt)


def draw_graph(axis: Axes, title: str, random: str, forward: str, back: str, **nodes) -> None:
    """A computation graph: boxes for the `nodes`, a grey circle for the one named `random`.

    Each node is x, y, text under a name of one letter. Values run along the pairs in `forward`
    ("ab bc"), slopes along the dashed arrows in `back`.
    """
    for name, (x, y, text) in nodes.items():
        shape, colour = ("circle", "#dddddd") if name == random else ("round", "white")
        box = {"boxstyle": f"{shape},pad=0.5", "facecolor": colour}
        axis.text(x, y, text, ha="center", va="center", bbox=box)
    slope = {"linestyle": "--", "color": COLOURS[5]}
    for pairs, look, shift in ((forward, {}, 0.1), (back, slope, -0.1)):
        for a, b in pairs.split():
            (x0, y0, _), (x1, y1, _) = nodes[a], nodes[b]
            up = shift if y0 == y1 else 0  # two arrows between the same boxes, side by side
            arrow = {"arrowstyle": "->", "linewidth": 1.5, "shrinkA": 24, "shrinkB": 24} | look
            axis.annotate("", xy=(x1, y1 + up), xytext=(x0, y0 + up), arrowprops=arrow)
    axis.set(xlim=(-0.3, 3.4), ylim=(-1.1, 0.4), title=title)
    axis.set_axis_off()
