"""Of the theme's files, what the pages use: icons, their names in the style sheet, no sources.

Font Awesome brings two thousand icons, and the pages have some twenty. Which they are is read from
the built pages, their scripts and style sheets.
"""

import re
from pathlib import Path

import pydata_sphinx_theme
from beside_pages import tidy
from smaller_fonts import write_subset
from sphinx.application import Sphinx

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
FONTS = "vendor/fontawesome/webfonts"
STYLE = "styles/pydata-sphinx-theme.css"
# A font in a format that no browser of today asks for; icons drawn a second time, by a script;
# cells that would run on a server elsewhere; what was there before scripts were made small.
UNUSED = (f"{FONTS}/*.ttf", "scripts/fontawesome.js*", "sphinx-thebe.*", "**/*.map")

NAME = re.compile(r"\bfa-[a-z0-9-]+")
NAMED = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"([^"]+)"\}')
QUOTED = re.compile(r':\s*"([^"]{1,7})"')
ESCAPE = re.compile(r"\\([0-9a-f]{1,6})")


def names_in(*texts: str) -> set[str]:
    """The names of icons, as classes have them: fa-list."""
    return {name for text in texts for name in NAME.findall(text)}


def without_other_icons(style: str, names: set[str]) -> str:
    """The style sheet without the icons that are not in `names`."""

    def needed(rule: re.Match) -> str:
        return rule[0] if names & set(NAME.findall(rule[1])) else ""

    return NAMED.sub(needed, style)


def icons_in(style: str) -> set[str]:
    """The icons, as characters, that a style sheet can show."""
    quoted = QUOTED.findall(style)
    read = {ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) for text in quoted}
    return {text for text in read if len(text) == 1}


def cut_icons(static: Path, names: set[str]) -> None:
    """The style sheet and the fonts in the folder `static`, cut to the icons in `names`."""
    style = without_other_icons((THEME / STYLE).read_text(encoding="utf-8"), names)
    (static / STYLE).write_text(style, encoding="utf-8")
    others = [path for path in static.glob("**/*.css") if path != static / STYLE]
    icons = icons_in(style + "".join(path.read_text(encoding="utf-8") for path in others))
    for font in (THEME / FONTS).glob("*.woff2"):
        write_subset(font, static / FONTS / font.name, icons)


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for pattern in UNUSED:
        for file in (out / "_static").glob(pattern):
            file.unlink()
    texts = [*out.glob("**/*.html"), *out.glob("_static/**/*.js")]
    cut_icons(out / "_static", names_in(*(path.read_text(encoding="utf-8") for path in texts)))
    tidy(out)


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
