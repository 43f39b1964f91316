"""What the search finds, and what it shows of a page.

Solutions are not searched: an excerpt of one would give its answer away. An excerpt is taken from
the prose of a page, not from its menus, its lists of contents or its code.
"""

import pickle
from pathlib import Path

from docutils import nodes
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx

EXCERPTS = """
document.addEventListener("DOMContentLoaded", () => {
  const wholePage = Search.htmlToText;
  const around = ".bd-header-article, #jb-print-docs-body, .prev-next-area, .highlight, figure, " +
    "script, style";
  Search.htmlToText = (page, anchor) => {
    const parsed = new DOMParser().parseFromString(page, "text/html");
    for (const piece of parsed.querySelectorAll(around)) piece.remove();
    return wholePage(parsed.documentElement.outerHTML, anchor);
  };
});
"""


def hide_solutions(app: Sphinx, env) -> list[str]:
    for page in env.found_docs:
        if page.startswith("solutions/"):
            env.metadata[page]["nosearch"] = True
    return []


def shorten_excerpts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.Node):
    if page == "search":
        app.add_js_file(None, body=EXCERPTS, priority=900)


def keep_index_entries(app: Sphinx, error: Exception | None) -> None:
    """Sphinx stores what it knows before it indexes: the next build would find no such word."""
    if error is None and app.builder.name == "html":
        with (Path(app.doctreedir) / ENV_PICKLE_FILENAME).open("wb") as file:
            pickle.dump(app.env, file, pickle.HIGHEST_PROTOCOL)


def setup(app: Sphinx) -> dict:
    app.connect("env-updated", hide_solutions)
    app.connect("html-page-context", shorten_excerpts)
    app.connect("build-finished", keep_index_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
