"""One HTML fragment for a live figure: style, still picture, caption, script and data in one."""

import base64
import html
import json
import re
import uuid
from dataclasses import dataclass, field
from importlib.resources import files

from matplotlib.figure import Figure

from vae_course import plotting

DPI = 100  # of a still, which stands in: it need not weigh much

# A phone that is turned gets the figure drawn for its new width.
AGAIN = """\
draw();
matchMedia("(max-width: 600px)").addEventListener("change", () => {
  root.querySelector(".lf-stage").replaceChildren();
  draw();
});
"""


@dataclass(frozen=True)
class LiveFigure:
    """A figure that a script named `kind`.js draws from `data`, and a `still` that stands for it.

    `name` is what a screen reader calls the live part, `alt` says what is seen in the still.
    `data` is anything that JSON can hold. `parts` are more scripts, and styles, which it needs.
    An address with #live-… for one of `places` leads to it.
    The still is closed once it is drawn.
    Raises ValueError if a text is empty.
    """

    kind: str
    name: str
    caption: str
    alt: str
    still: Figure = field(repr=False)
    data: dict = field(repr=False)
    parts: tuple[str, ...] = field(default=(), repr=False)
    places: tuple[str, ...] = ()

    def __post_init__(self):
        for text in ("name", "caption", "alt"):
            if not getattr(self, text).strip():
                raise ValueError(f"a live figure needs a {text}, but it is empty")
        object.__setattr__(self, "_still", _picture(self.still, self.alt))

    def _repr_html_(self) -> str:
        # A new id each time: the same figure may be shown twice on a page.
        own, name = f"live-{uuid.uuid4().hex[:8]}", html.escape(self.name)
        caption = html.escape(plotting.numbered(self.caption))
        places = "".join(f'<span id="live-{place}"></span>' for place in self.places)
        return (
            f'<figure class="course-live" id="{own}"><style>{self._style(own)}</style>'
            f"{places}"
            f'<div class="lf-stage" role="group" aria-label="{name}" hidden></div>'
            f"{self._still}<figcaption>{caption}</figcaption>"
            f"<script>{self._script(own)}</script></figure>"
        )

    def _style(self, own: str) -> str:
        styles = ["live.css", *(part for part in self.parts if part.endswith(".css"))]
        return "".join(map(_asset, styles)).replace("&", f"#{own}")

    def _script(self, own: str) -> str:
        # JSON is JavaScript, but for one thing: "<" could end the script.
        numbers = json.dumps(self.data).replace("<", "\\u003c")
        # In JupyterLab an output may be shown twice, so the script looks around itself before the
        # id.
        find = (
            f'document.currentScript?.closest(".course-live") ?? document.getElementById("{own}")'
        )
        scripts = [part for part in self.parts if part.endswith(".js")]
        body = map(_asset, ("live.js", "plots.js", *scripts, f"{self.kind}.js"))
        drawn = "\n".join(['"use strict";', *body])
        return (
            f"((root, data) => {{\nconst draw = () => {{\n{drawn}}};\n{AGAIN}}})({find}, {numbers})"
        )


def _picture(still: Figure, alt: str) -> str:
    png, width = plotting.png(still, DPI)
    source = base64.b64encode(png).decode()
    return (
        f'<img class="lf-still" src="data:image/png;base64,{source}" alt="{html.escape(alt)}" '
        f'style="width: {width * 96 / DPI:.0f}px">'
    )


def _asset(name: str) -> str:
    """A script or a style, without what no browser needs: indentation and lines of comment."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return re.sub(r"^\s*(//.*)?\n?", "", text, flags=re.MULTILINE)
