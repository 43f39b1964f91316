"""What the theme writes into every page, mended: no outside address, less weight, names for all.

Each function takes the text of a page and gives it back changed. They are applied where the
templates have been filled in, since the theme has no place for such changes.
"""

import re
from pathlib import Path

from beside_pages import put_beside
from sphinx.application import Sphinx

ICON_SCRIPT = re.compile(r'\s*<script[^>]*src="[^"]*scripts/fontawesome\.js[^"]*"></script>')
BOOTSTRAP = re.compile(
    r'\s*<link[^>]*href="[^"]*scripts/bootstrap\.js[^"]*" />'
    r'|\s*<script[^>]*src="[^"]*scripts/bootstrap\.js[^"]*"></script>'
)
THEBE = re.compile(
    r"\s*<script>const THEBE_JS_URL.*?</script>"
    r'|\s*<script[^>]*src="[^"]*sphinx-thebe\.js[^"]*"></script>'
    r'|\s*<link[^>]*href="[^"]*sphinx-thebe\.css[^"]*" />'
)
SEARCH = re.compile(
    r'\s*<script[^>]*src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)
# What tells a page with cards and tabs, or with notes that unfold, and the files for these parts.
PARTS = (
    (
        re.compile(r'class="(?:[^"]* )?sd-'),
        re.compile(
            r'\s*<link[^>]*href="[^"]*sphinx-design\.min\.css[^"]*" />'
            r'|\s*<script[^>]*src="[^"]*design-tabs\.js[^"]*"></script>'
        ),
    ),
    (
        re.compile(r'class="(?:[^"]* )?toggle[ "]|class="(?=[^"]*\badmonition\b)[^"]*\bdropdown\b'),
        re.compile(
            r'\s*<link[^>]*href="[^"]*togglebutton\.css[^"]*" />'
            r'|\s*<script[^>]*src="[^"]*togglebutton\.js[^"]*"></script>'
            r"|\s*<script>(?:let toggle|var togglebutton)[^<]*</script>"
        ),
    ),
)
SCRIPT = re.compile(r"\s*<script\b(?! data-cfasync).*?</script>", re.DOTALL)
VIEWPORT = re.compile(r'<meta name="viewport"[^>]*>')
UNNAMED = re.compile(r'(<a class="[^"]*" href="[^"]*">)(.*?)</a><details([^>]*)><summary>')


def without_icon_script(page: str) -> str:
    """1.5 MB that draw the icons a second time: the style sheet has them, as a font."""
    return ICON_SCRIPT.sub("", page)


def without_bootstrap(page: str) -> str:
    """80 kB that unfold menus and draw names of buttons: menus.js and the browser do it."""
    return BOOTSTRAP.sub("", page)


def without_thebe(page: str) -> str:
    """Cells that run in the page need a server elsewhere, and the script names its address."""
    return THEBE.sub("", page)


def search_where_it_is_used(page: str) -> str:
    """The index of all words, on the page that searches in it: forms elsewhere lead there."""
    return page if 'id="search-results"' in page else SEARCH.sub("", page)


def without_unused_parts(page: str) -> str:
    """Scripts and styles of parts that a page does not have."""
    for used, files in PARTS:
        page = page if used.search(page) else files.sub("", page)
    return page


def scripts_last(page: str) -> str:
    """Scripts of the head come after all that is to be read, in the same order."""
    if 'id="search-results"' in page:  # its own script, further down, needs them
        return page
    head, end, body = page.partition("</head>")
    scripts = "".join(SCRIPT.findall(head))
    if not scripts:
        return page
    return SCRIPT.sub("", head) + end + body.replace("</body>", f"{scripts}\n</body>", 1)


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
    without_bootstrap,
    without_thebe,
    search_where_it_is_used,
    without_unused_parts,
    scripts_last,
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
    if not templates:
        return
    fill_in = templates.render

    def render(name: str, context: dict) -> str:
        page = fill_in(name, context)
        if not name.endswith(".html"):
            return page
        page = mend(page)
        if app.builder.name != "html":  # an e-book is one file, with all its pictures
            return page
        return put_beside(page, Path(app.outdir), lambda path: context["pathto"](path, 1))

    templates.render = render


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", wrap_templates)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
