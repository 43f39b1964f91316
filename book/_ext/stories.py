"""A link to the playground whose text is the title of a story opens the page with that story.

In a notebook it is an ordinary link to another one, where a reader chooses the story.
"""

from docutils import nodes
from sphinx.application import Sphinx

from vae_course.explorer.live_vae import address_of
from vae_course.explorer.stories import STORIES

PAGE = "playground"


def lead_to_stories(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html" or docname == PAGE:
        return
    page = app.builder.get_relative_uri(docname, PAGE)
    told = {story.title: address_of(key) for key, story in STORIES.items()}
    for link in doctree.findall(nodes.reference):
        if link.get("refuri") == page and link.astext() in told:
            link["refuri"] = f"{page}#{told[link.astext()]}"


def setup(app: Sphinx) -> dict:
    app.connect("doctree-resolved", lead_to_stories)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
