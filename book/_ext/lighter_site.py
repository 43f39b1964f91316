"""Of the theme's files, what the pages use: rules of style sheets, icons, no sources.

The theme brings five thousand rules and Font Awesome two thousand icons, and the pages use few of
them. Which they are is read from the built pages and their scripts.
"""

import re
from pathlib import Path

import pydata_sphinx_theme
from beside_pages import tidy
from smaller_fonts import write_subset
from smaller_styles import cut_properties, cut_style, properties_read, words_in
from sphinx.application import Sphinx

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
# In the theme that Python 3.10 gets, the folder is named after a version, too.
FONTS = next(THEME.glob("vendor/fontawesome/**/webfonts")).relative_to(THEME).as_posix()
# A font in a format that no browser of today asks for; icons drawn a second time, by a script;
# cells that would run on a server elsewhere; what was there before scripts were made small.
UNUSED = (
    f"{FONTS}/*.ttf",
    "scripts/fontawesome.js*",
    "scripts/bootstrap.js*",
    "sphinx-thebe.*",
    "**/*.map",
)

QUOTED = re.compile(r':\s*"([^"]{1,7})"')
ESCAPE = re.compile(r"\\([0-9a-f]{1,6})")


def icons_in(style: str) -> set[str]:
    """The icons, as characters, that a style sheet can show."""
    quoted = QUOTED.findall(style)
    read = {ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) for text in quoted}
    return {text for text in read if len(text) == 1}


def cut_styles(static: Path, words: set[str]) -> str:
    """The style sheets in the folder `static`, cut to what `words` name. Gives them all as one."""
    sheets = {path: path.read_text(encoding="utf-8") for path in static.glob("**/*.css")}
    # The theme's own are read where they come from: here they may be cut already.
    for path in THEME.glob("**/*.css"):
        sheets[static / path.relative_to(THEME)] = path.read_text(encoding="utf-8")
    sheets = {path: cut_style(style, words) for path, style in sheets.items()}
    read = words | properties_read("".join(sheets.values()))
    for path, style in sheets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(cut_properties(style, read), encoding="utf-8")
    return "".join(sheets.values())


def cut_icons(static: Path, icons: set[str]) -> None:
    """The fonts in the folder `static`, cut to `icons`."""
    for font in (THEME / FONTS).glob("*.woff2"):
        write_subset(font, static / FONTS / font.name, icons)


def finish(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for pattern in UNUSED:
        for file in (out / "_static").glob(pattern):
            file.unlink()
    texts = [path for kind in ("html", "js") for path in out.glob(f"**/*.{kind}")]
    words = words_in(path.read_text(encoding="utf-8") for path in texts)
    cut_icons(out / "_static", icons_in(cut_styles(out / "_static", words)))
    tidy(out)


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", finish, priority=900)  # after the theme has written its own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
