"""A link to a paper leads to its entry on the bibliography page.

Chapters cite by ordinary links to the papers, which Colab and Jupyter show as they are. On the
pages, a link whose address is the `url` of an entry in references.bib becomes a link to that entry.
"""

from pathlib import Path

from docutils import nodes
from pybtex.database import Entry, parse_file
from pybtex.richtext import Text
from sphinx.application import Sphinx

PAGE = "bibliography"


def entries(bib: Path) -> dict[str, tuple[str, Entry]]:
    """The papers by their address: url -> key, entry. Raises ValueError if two share one."""
    papers = {}
    for key, entry in parse_file(str(bib), bib_format="bibtex").entries.items():
        url = entry.fields["url"]
        if url in papers:
            raise ValueError(f"{key} and {papers[url][0]} have the same url, {url}")
        papers[url] = key, entry
    return papers


def lead_to_entries(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if docname == PAGE or app.builder.format != "html":
        return
    papers = entries(Path(app.srcdir) / "references.bib")
    page = app.builder.get_relative_uri(docname, PAGE)
    for link in doctree.findall(nodes.reference):
        if link.get("refuri") in papers:
            key, entry = papers[link["refuri"]]
            link["refuri"], link["internal"] = f"{page}#ref-{key}", True
            link["reftitle"] = Text.from_latex(entry.fields["title"]).render_as("text")


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", lead_to_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
