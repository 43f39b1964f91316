"""Formulas are set when the book is built: a page holds them as MathML when it arrives.

Browsers draw MathML by themselves and screen readers read it, so no script is needed. The package
math-core translates; a formula that it does not understand stops the build. The glyphs are those
of STIX Two Math, from the package ziamath, cut to the characters on the pages. A displayed formula
is cut where a line may end, since browsers do not break lines within MathML.
"""

import html
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from unicodedata import name, normalize
from xml.etree import ElementTree

from docutils import nodes
from fontTools.ttLib import TTFont
from math_core import LatexError, LatexToMathML
from smaller_fonts import write_subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

FONT = Path(find_spec("ziamath").origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"
WOFF, LICENCE = "_static/stix-two-math.woff2", "_static/stix-two-math.LICENCE.txt"
MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
# Planck's constant is the italic h.
ITALIC = {chr(0x210E), *(chr(i) for i in range(0x1D400, 0x1D800) if " ITALIC " in name(chr(i), ""))}
ITALIC = {one for one in ITALIC if "BOLD" not in name(one) and "SANS" not in name(one)}
ENTITY = re.compile(r"&(?!lt;|gt;|amp;|quot;|#)\w+;")

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
SCRIPTS = {f"{{{NAMESPACE}}}{tag}" for tag in ("msub", "msup", "msubsup")}
ElementTree.register_namespace("", NAMESPACE)
RELATIONS, SUMS = set("=≠<>≤≥≈∼≔→⇒⟹⇔⟺"), {"+", "−"}
OPENING, CLOSING = set("([{⟨"), set(")]}⟩")


@cache  # one formula in three stands more than once
def mathml(tex: str, displayed: bool = False) -> str:
    """A formula as MathML; one that is displayed may be several pieces. Raises LatexError."""
    if displayed:  # SymPy says so again, which would put all of it into one box
        tex = tex.removeprefix(r"\displaystyle")
    if r"\\" in tex and r"\begin{" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    converter = LatexToMathML(xml_namespace=True, fancy_error=False)
    made = converter.convert_with_local_state(tex, displaystyle=displayed)
    made = ENTITY.sub(lambda entity: html.unescape(entity[0]), made)
    return _with_line_ends(made) if displayed else made


def _with_line_ends(formula: str) -> str:
    """The formula in pieces: cut before relations, + and − outside of brackets, at wide spaces."""
    row, depth, norm = [], 0, False
    rows = [row]
    for part in ElementTree.fromstring(formula):
        text = _sign(part)
        depth += (text in OPENING) - (text in CLOSING)
        norm ^= depth == 0 and text == "‖"
        # math-core sets the spaces of a sign that stands before its number to 0.
        may_break = text in RELATIONS or (text in SUMS and part.get("lspace") != "0")
        if row and not depth and not norm and (may_break or _is_wide(part)):
            rows.append(row := [])
            part.set("form", "infix")
        row.append(part)
    return f"<span>{''.join(map(_piece, rows))}</span>"


def _piece(row: list[ElementTree.Element]) -> str:
    """What may begin a line. A wide space before it is one that no line begins or ends with."""
    wide, row = (True, row[1:]) if _is_wide(row[0]) else (False, row)
    math = ElementTree.Element(f"{{{NAMESPACE}}}math", {"displaystyle": "true"})
    math.extend(row)
    before = '</span><span class="wide"> </span><span>' if wide else "<wbr />"
    return before + ElementTree.tostring(math, encoding="unicode")


def _sign(part: ElementTree.Element) -> str:
    """The sign that a part is, or carries a power: ) of )²."""
    if part.tag in SCRIPTS:
        part = part[0]
    return (part.text or "") if part.tag == f"{{{NAMESPACE}}}mo" else ""


def _is_wide(part: ElementTree.Element) -> bool:
    return part.tag == f"{{{NAMESPACE}}}mspace" and float(part.get("width", "0em")[:-2]) >= 1


# ---- Sphinx


def set_formula(translator, node: nodes.Node, displayed: bool) -> str:
    try:
        return mathml(node.astext().strip(), displayed)
    except LatexError as error:
        where = translator.builder.current_docname
        raise ExtensionError(f"{where}: {node.astext()!r} is no formula: {error}") from error


def inline(translator, node: nodes.math) -> None:
    translator.body.append(f'<span class="math">{set_formula(translator, node, False)}</span>')
    raise nodes.SkipNode


def block(translator, node: nodes.math_block) -> None:
    # Where it is wider than the page it scrolls, and the keyboard must be able to.
    translator.body.append(translator.starttag(node, "div", CLASS="math", tabindex="0"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(set_formula(translator, node, True) + "</div>\n")
    raise nodes.SkipNode


def drawn(pages: list[str]) -> set[str]:
    """The characters that the formulas of `pages` need: single letters are drawn in italics."""
    formulas = "".join(one for page in pages for one in MATH.findall(page))
    written = set(html.unescape(re.sub("<[^>]*>", "", formulas)))
    written.add("√")  # <msqrt> draws it
    plain = {normalize("NFKC", one) for one in written}  # ϕ and φ are one letter here
    return written | {one for one in ITALIC if normalize("NFKC", one) in plain}


def write_font(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    pages = [page.read_text(encoding="utf-8") for page in out.glob("**/*.html")]
    write_subset(FONT, out / WOFF, drawn(pages))
    names = TTFont(FONT)["name"]
    (out / LICENCE).write_text("\n\n".join(names.getDebugName(i) for i in (1, 0, 13)) + "\n")


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("formulas", (inline, None), (block, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
