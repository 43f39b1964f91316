"""Where a page leads: “Next” passes the solutions by, and an exercise says how to open it.

From a chapter a reader goes to its exercises and on to the next chapter. Solutions lie beside that
way, a link away.
"""

from docutils import nodes
from sphinx.application import Sphinx

PREVIOUS, NEXT = 1, 2  # in Sphinx's list of parent, previous and next
ASIDE = "solutions/"
COLAB = "https://colab.research.google.com"


def neighbour(relations: dict[str, list], page: str, way: int) -> str | None:
    """The nearest page in one direction that is no solution, None at the end of the book."""
    page = relations[page][way]
    while page and page.startswith(ASIDE):
        page = relations[page][way]
    return page


def lead_on(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.Node) -> None:
    relations = getattr(app.builder, "relations", {})
    if page not in relations:
        return
    for name, way in (("prev", PREVIOUS), ("next", NEXT)):
        other = neighbour(relations, page, way)
        context[name] = other and {
            "link": app.builder.get_relative_uri(page, other),
            "title": app.builder.render_partial(app.env.titles[other])["title"],
        }


def say_how_to_open(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Under the title of an exercise: it is a notebook, and there are ways to work in it."""
    if not page.startswith("exercises/") or app.builder.name != "html":
        return
    file = f"{page}.ipynb"
    ways = [link("Download it", f"../_sources/{file}")]
    if url := app.config.html_theme_options.get("repository_url"):
        colab = url.replace("https://github.com", f"{COLAB}/github", 1)
        ways.append(link("open it in Colab", f"{colab}/blob/main/book/{file}"))
        ways.append(link("see it in the repository", f"{url}/blob/main/book/{file}"))
    ways = [part for way in ways for part in (way, nodes.Text(", "))]
    run = nodes.literal("", f"jupyter lab book/{file}")
    words = ["This page is a notebook to work in. ", "or in your copy of the course run ", "."]
    first, last, stop = map(nodes.Text, words)
    text = nodes.paragraph("", "", first, *ways, last, run, stop, classes=["open-here"])
    doctree.next_node(nodes.title).parent.insert(1, text)


def link(text: str, to: str) -> nodes.reference:
    return nodes.reference("", text, refuri=to)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", lead_on)
    app.connect("doctree-resolved", say_how_to_open)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
