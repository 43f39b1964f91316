"""The book in one file: as an ePub, and as one long page to be printed.

There are no scripts in either. Live figures give way to their stills, and what an e-reader gets is
well-formed.
"""

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

WHOLE = {"epub", "singlehtml"}


def still(body: str) -> str:
    """The body of a page with still figures alone, in the strict form that e-readers ask for."""
    soup = BeautifulSoup(body, "html.parser")
    for live in soup.select(".lf-stage, .course-live style, .walk label"):
        live.decompose()
    for script in soup("script"):
        script.decompose()
    return str(soup)


def without_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if app.builder.name in WHOLE and "body" in context:
        context["body"] = still(context["body"])


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", without_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
