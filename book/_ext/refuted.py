"""The directive `refuted`: sentences from elsewhere, the checks that refute them, the right form.

The sentences and the texts of the checks are in a file beside the chapters. The checks' values are
looked up in the plain text of what the chapters showed, once all pages have been read; a check
that no cell has shown is an error.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

from vae_course.claims.wording import typeset

# A false sentence is no heading: it would stand in the contents, and in what a search finds.
ITEM = """\
::::{{container}} refuted
:::{{container}} said
**✗ You read:** “{said}”
:::
:::{{container}} right
**✓ Right:** {right}
:::
```{{raw}} html
<details class="claims"><summary>{summary}</summary>
```
```text
{checks}
```
```{{raw}} html
</details>
```
::::
"""


def page_text(items: list[dict]) -> str:
    """The body of the page in Markdown; checks are still without their values."""
    parts = []
    for chapter, group in groupby(items, key=lambda item: item["chapter"]):
        parts.append(f"## {heading(chapter)}\n\nFrom [](/{chapter}.ipynb).\n")
        for item in group:
            checks = "\n".join(unmeasured(chapter, text) for text in item["checks"])
            summary = "The check" if len(item["checks"]) == 1 else "The checks"
            texts = {"said": item["said"], "right": item["right"]}
            parts.append(ITEM.format(checks=checks, summary=summary, **texts))
    return "\n".join(parts)


def heading(chapter: str) -> str:
    number = chapter.split("_")[0].lstrip("0")  # 12b is the second page of chapter 12
    return f"Chapter {number}" if number[:1].isdecimal() else chapter.capitalize()


def unmeasured(chapter: str, text: str) -> str:
    return f"{chapter} ✓ {text}"


def measured(line: str, printed: dict[str, Iterable[str]]) -> str:
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
    """Give the checks their values, and each item a link to the section that checks it."""
    if docname != getattr(app.env, "refuted_page", None):
        return
    printed = {}
    for block in list(doctree.findall(nodes.literal_block)):
        lines = block.astext().splitlines()
        chapter = lines[0].split(" ", 1)[0]
        if chapter not in printed:
            printed[chapter] = printed_in(app.env.get_doctree(chapter))
        found = [measured(line, printed) for line in lines]
        block.rawsource, block[:] = "\n".join(found), [nodes.Text("\n".join(found))]
        section = printed[chapter][found[0]]
        link = nodes.reference("", section.next_node(nodes.title).astext(), internal=True)
        link["refuri"] = app.builder.get_relative_uri(docname, chapter) + f"#{section['ids'][0]}"
        block.parent += nodes.paragraph("", "Checked in ", link, classes=["where"])


def printed_in(chapter: nodes.document) -> dict[str, nodes.section]:
    """The lines that a chapter's cells have printed, each with the section it stands in."""
    return {
        line: section_of(block)
        for block in chapter.findall(nodes.literal_block)
        for line in block.astext().splitlines()
    }


def section_of(node: nodes.Node) -> nodes.section:
    while not isinstance(node, nodes.section):
        node = node.parent
    return node


def outdated(app: Sphinx, env, added, changed, removed) -> list[str]:
    """The values may be new whenever a chapter is."""
    page = getattr(env, "refuted_page", None)
    return [page] if page in env.found_docs and (added or changed) else []


def setup(app: Sphinx) -> dict:
    app.add_directive("refuted", Refuted)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", fill_in)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
