"""Figures in one style, each with a caption and a description."""

from vae_course.plotting.figures import (
    COLOURS,
    DPI,
    STYLE,
    curves,
    draw_codes,
    draw_graph,
    draw_rows,
    draw_tiles,
    figure,
    latent_plane,
    png,
    rows,
    show,
    tile,
    tiles,
)

__all__ = [
    "COLOURS",
    "DPI",
    "STYLE",
    "curves",
    "draw_codes",
    "draw_graph",
    "draw_rows",
    "draw_tiles",
    "figure",
    "latent_plane",
    "png",
    "rows",
    "show",
    "tile",
    "tiles",
]
