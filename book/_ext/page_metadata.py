"""What a search engine and a shared link show of a page: description, title, card and address.

Where the site has an address (`baseurl` in _config.yml), pages name it and there is a sitemap.
"""

import html
import re
import unicodedata
from pathlib import Path

import matplotlib.pyplot as plt
from docutils import nodes
from sphinx.application import Sphinx

from vae_course import plotting
from vae_course.data import load_images

SHORTEST, LONGEST = 50, 200  # characters of a description; search engines show about 160
GREEK = {
    name.rpartition(" ")[2].lower(): chr(code)
    for code in range(0x3B1, 0x3CA)
    if (name := unicodedata.name(chr(code)).replace("LAMDA", "LAMBDA")).count(" ") == 3
}
CARD, CARD_SIZE = "_static/card.png", (1200, 630)
SUMMARY = "Build variational auto-encoders in PyTorch, read their numbers, and check every claim."


def description(doctree: nodes.document | None) -> str:
    """Whole sentences of the first paragraph that has some, as plain text."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section) and not paragraph["classes"]:
            text = whole_sentences(as_text(paragraph))
            if len(text) >= SHORTEST:
                return text
    return SUMMARY


def as_text(node: nodes.Node) -> str:
    """Its words on one line. Of a formula, the letters."""
    pieces = (
        letters(piece.astext()) if isinstance(piece.parent, nodes.math) else piece.astext()
        for piece in node.findall(nodes.Text)
    )
    return " ".join("".join(pieces).split())


def letters(tex: str) -> str:
    r"""`\sigma_x` -> `σx`: names of Greek letters become letters, the rest of TeX goes."""
    greek = re.sub(r"\\(?:var)?([A-Za-z]+)", lambda name: GREEK.get(name[1], name[1] + " "), tex)
    return re.sub(r"[\\{}_^$,]", "", greek)


def whole_sentences(text: str) -> str:
    """As many sentences as fit, at least one."""
    first, *more = re.findall(r".+?[.?!](?= |$)", text) or [""]
    for sentence in more:
        if len(first + sentence) > LONGEST:
            break
        first += sentence
    return first


def add_tags(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    title, site, base = context.get("title", ""), app.config.html_title, app.config.html_baseurl
    front = page == app.config.root_doc
    if front:
        context["docstitle"] = ""  # or the browser's tab would say it twice
        context["theme_logo"] = {**context.get("theme_logo", {}), "text": plain(site)}
    about = description(doctree)
    tags = {
        "og:title": plain(title),
        "og:site_name": plain(site or title),
        "og:type": "website" if front else "article",
        "og:description": about,
    }
    if base:
        width, height = map(str, CARD_SIZE)
        tags |= {"og:url": context.get("pageurl") or base, "og:image": base + CARD}
        tags |= {"og:image:width": width, "og:image:height": height}
    names = {"description": about, "twitter:card": "summary_large_image"}
    lines = [tag("name", *each) for each in names.items()]
    lines += [tag("property", *each) for each in tags.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(lines)


def plain(title: str) -> str:
    return html.unescape(title)


def tag(kind: str, name: str, content: str) -> str:
    return f'<meta {kind}="{name}" content="{html.escape(content)}" />'


# ---- Files


def write_files(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    draw_card(out / CARD, app.config.html_title)
    if base:
        pages = sorted(app.env.found_docs)
        (out / "sitemap.xml").write_text(sitemap(base, pages), encoding="utf-8")


def sitemap(base: str, pages: list[str]) -> str:
    urls = "\n".join(f"<url><loc>{html.escape(f'{base}{page}.html')}</loc></url>" for page in pages)
    schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f'{head}\n<urlset xmlns="{schema}">\n{urls}\n</urlset>\n'


def draw_card(to: Path, title: str) -> None:
    """The picture beside a shared link: forty-nine drawn digits, and the title."""
    digits = load_images("digits", n_train=49, n_test=1, seed=0).train
    width, height = CARD_SIZE
    made = plt.figure(figsize=(width / 100, height / 100), dpi=100, layout="none")
    sheet = made.add_axes((0, 0, height / width, 1))
    sheet.imshow(plotting.tile(digits, 7)[..., 0].numpy(), cmap="gray", aspect="auto")
    sheet.set_axis_off()
    left, words = height / width + 0.04, title.replace(" ", "\n", 1).replace(", ", ",\n")
    made.text(left, 0.6, words, fontsize=40, fontweight="bold", va="center")
    made.text(
        left, 0.22, "A course in PyTorch.\nEvery claim is computed.", fontsize=26, va="center"
    )
    to.parent.mkdir(exist_ok=True)
    made.savefig(to)
    plt.close(made)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
