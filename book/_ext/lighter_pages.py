"""What the theme writes into every page, mended: no outside address, less weight, names for all.

Each function takes the text of a page and gives it back changed. They are applied where the
templates have been filled in, since the theme has no place for such changes.
"""

import re

from sphinx.application import Sphinx

ICON_SCRIPT = re.compile(r'\s*<script[^>]*src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
THEBE = re.compile(
    r"\s*<script>const THEBE_JS_URL.*?</script>"
    r'|\s*<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"></script>'
    r'|\s*<link[^>]*href="[^"]*sphinx-thebe\.css[^"]*" />'
)
VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>')
UNNAMED = re.compile(r'(<a class="[^"]*" href="[^"]*">)(.*?)</a><details([^>]*)><summary>')


def without_icon_script(page: str) -> str:
    """1.5 MB that draw the icons a second time: the style sheet has them, as a font."""
    return ICON_SCRIPT.sub("", page)


def without_thebe(page: str) -> str:
    """Cells that run in the page need a server elsewhere, and the script names its address."""
    return THEBE.sub("", page)


def one_viewport(page: str) -> str:
    """Three tools declare the viewport; the first says all."""
    first, *_ = VIEWPORT.findall(page) or [""]
    return VIEWPORT.sub("", page).replace("<head>", f"<head>{first}", 1)


def named_toggles(page: str) -> str:
    """The arrow that unfolds a chapter in the sidebar gets a name for screen readers."""
    return UNNAMED.sub(r'\1\2</a><details\3><summary aria-label="Pages of “\2”">', page)


def listed_papers(page: str) -> str:
    """The bibliography is a list, and its entries are items. Their own role is out of use."""
    return page.replace('role="doc-biblioentry"', 'role="listitem"')


def prompts_that_speak(page: str) -> str:
    """What unfolds a cell is called by the words that it shows."""
    return page.replace('<summary aria-label="Toggle hidden content">', "<summary>")


MENDS = (
    without_icon_script,
    without_thebe,
    one_viewport,
    named_toggles,
    listed_papers,
    prompts_that_speak,
)


def mend(page: str) -> str:
    for change in MENDS:
        page = change(page)
    return page


def wrap_templates(app: Sphinx) -> None:
    templates = getattr(app.builder, "templates", None)  # none when no HTML is written
    if templates:
        render = templates.render
        templates.render = lambda name, context: (
            mend(render(name, context)) if name.endswith(".html") else render(name, context)
        )


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", wrap_templates)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
