"""The directive `refuted`: sentences from elsewhere, the checks that refute them, the right form.

The sentences and the texts of the checks are in a file beside the chapters. The checks' values are
looked up in the plain text of what the chapters showed, once all pages have been read; a check
that no cell has shown is an error.
"""

import re
from itertools import groupby
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from vae_course.claims.wording import typeset

ITEM = "\n".join(
    ("### “{said}”", "", "```text", "{checks}", "```", "", "**Right:** {right}", "")
)  # fmt: skip


def page_text(items: list[dict]) -> str:
    """The body of the page in Markdown; checks are still without their values."""
    parts = []
    for chapter, group in groupby(items, key=lambda item: item["chapter"]):
        parts.append(f"## {heading(chapter)}\n\nFrom [](/{chapter}.ipynb).\n")
        for item in group:
            checks = "\n".join(unmeasured(chapter, text) for text in item["checks"])
            parts.append(ITEM.format(said=item["said"], checks=checks, right=item["right"]))
    return "\n".join(parts)


def heading(chapter: str) -> str:
    number = chapter[:2]
    return f"Chapter {int(number)}" if number.isdecimal() else chapter.capitalize()


def unmeasured(chapter: str, text: str) -> str:
    return f"{chapter} ✓ {text}"


def measured(line: str, printed: dict[str, list[str]]) -> str:
    """What a chapter printed for an unmeasured line. Raises LookupError if it printed none."""
    chapter, claim = line.split(" ", 1)
    pattern = re.compile(re.escape(typeset(claim)) + r": [−\d].*")
    found = [text for text in printed[chapter] if pattern.fullmatch(text)]
    if not found:
        raise LookupError(f"refuted.yml: no cell of {chapter} printed “{claim}: …”")
    return found[0]


class Refuted(Directive):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        source = Path(env.srcdir) / self.arguments[0]
        env.note_dependency(str(source))
        items = yaml.safe_load(source.read_text(encoding="utf-8"))
        env.refuted_page = env.docname
        body = nodes.section()
        lines = StringList(page_text(items).splitlines(), str(source))
        self.state.nested_parse(lines, self.content_offset, body, match_titles=True)
        return body.children


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if docname != getattr(app.env, "refuted_page", None):
        return
    printed = {}
    for block in doctree.findall(nodes.literal_block):
        lines = block.astext().splitlines()
        for chapter in {line.split(" ", 1)[0] for line in lines} - printed.keys():
            printed[chapter] = printed_in(app.env.get_doctree(chapter))
        text = "\n".join(measured(line, printed) for line in lines)
        block.rawsource, block[:] = text, [nodes.Text(text)]


def printed_in(chapter: nodes.document) -> list[str]:
    blocks = chapter.findall(nodes.literal_block)
    return [line for block in blocks for line in block.astext().splitlines()]


def outdated(app: Sphinx, env, added, changed, removed) -> list[str]:
    """The values may be new whenever a chapter is."""
    page = getattr(env, "refuted_page", None)
    return [page] if page in env.found_docs and (added or changed) else []


def setup(app: Sphinx) -> dict:
    app.add_directive("refuted", Refuted)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", fill_in)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
