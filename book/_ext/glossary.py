"""The directive `words`: a glossary, whose words the search and the index know, too.

Each entry of the file names the page and the section that explains its word. There the word and its
other names become entries of the index, from which Sphinx's search takes what leads to a section.
"""

from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

FILE = "src/glossary.yml"


@cache
def entries(source: Path) -> list[dict]:
    return yaml.safe_load(source.read_text(encoding="utf-8"))


def names(entry: dict) -> list[str]:
    return [entry["term"], *entry.get("also", [])]


class Words(Directive):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        source = Path(env.srcdir) / self.arguments[0]
        env.note_dependency(str(source))
        listed = nodes.definition_list(classes=["words"])
        for item in sorted(entries(source), key=lambda item: item["term"].casefold()):
            if "says" in item:
                listed += self.listed(item, str(source))
        return [listed]

    def listed(self, item: dict, source: str) -> nodes.Node:
        anchor = "word-" + nodes.make_id(item["term"])
        also = f" Also: *{', '.join(item['also'])}*." if "also" in item else ""
        says = nodes.definition()
        self.state.nested_parse(StringList([item["says"] + also], source), 0, says)
        where = {
            "page": item["page"],
            "section": item["section"],
            "refdoc": self.state.document.settings.env.docname,
        }
        link = addnodes.pending_xref(
            "", nodes.inline(), reftype="word", reftarget=item["term"], **where
        )
        says += nodes.paragraph("", "", link, classes=["where"])
        return nodes.definition_list_item("", nodes.term("", item["term"], ids=[anchor]), says)


class IndexWords(SphinxTransform):
    """Entries of the index at the sections that the glossary names."""

    default_priority = 500  # the domains read the index at 850

    def apply(self, **_) -> None:
        source = Path(self.env.srcdir) / FILE
        mine = [each for each in entries(source) if each["page"] == self.env.docname]
        if mine:
            self.env.note_dependency(str(source))
        for entry in mine:
            section = find(self.document, entry["section"], self.env.docname)
            listed = [("single", name, section["ids"][0], "main", None) for name in names(entry)]
            section.insert(1, addnodes.index(entries=listed, inline=False))


def find(document: nodes.document, title: str, page: str) -> nodes.section:
    """The section of that title. Raises ExtensionError if the page has none."""
    for section in document.findall(nodes.section):
        if plain(section.next_node(nodes.title).astext()) == plain(title):
            return section
    raise ExtensionError(f"{FILE}: {page} has no section “{title}”")


def plain(title: str) -> str:
    """Quotation marks and apostrophes may have become typographic on the page."""
    return title.translate(str.maketrans("’“”", '\'""'))


def lead_to_section(app: Sphinx, env, node: addnodes.pending_xref, inner: nodes.Node):
    if node.get("reftype") != "word":
        return None
    page = node["page"]
    section = find(env.get_doctree(page), node["section"], page)
    title = f"{env.titles[page].astext()} › {node['section']}"
    to = app.builder.get_relative_uri(node["refdoc"], page) + "#" + section["ids"][0]
    return nodes.reference("", title, refuri=to, internal=True)


def setup(app: Sphinx) -> dict:
    app.add_directive("words", Words)
    app.add_transform(IndexWords)
    app.connect("missing-reference", lead_to_section)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
