import html
import re
from io import StringIO
from xml.etree import ElementTree

import formulas
import pytest
from fontTools.ttLib import TTFont
from math_core import LatexError
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError


def pieces(tex):
    """What may stand on lines of their own, each as text without spaces."""
    found = re.findall("<math.*?</math>", formulas.mathml(tex, displayed=True))
    return [text(piece) for piece in found]


def text(piece):
    return "".join(ElementTree.fromstring(piece).itertext()).replace("\u2061", "")


@pytest.mark.parametrize(
    "tex, lines",
    [
        ("a = b + c", ["a", "=b", "+c"]),
        ("-a - b", ["−a", "−b"]),
        (r"\log p(x) \le u", ["logp(x)", "≤u"]),
        (r"(a + b)^2 = \bigl[c - d\bigr]", ["(a+b)2", "=[c−d]"]),
        (r"\left(a + b\right) + c", ["(a+b)", "+c"]),
        (r"\|a - b\|^2 - c", ["‖a−b‖2", "−c"]),
        (r"\operatorname{KL}(q \| p) - c", ["KL(q‖p)", "−c"]),
        (r"\frac{a + b}{c}", ["a+bc"]),
        (r"a \quad b \, c", ["a", "bc"]),
        (r"\displaystyle - \log{\left(a \right)} - \frac{b}{2}", ["−log(a)", "−b2"]),
    ],
)
def test_a_line_ends_before_a_sign_outside_of_brackets(tex, lines):
    assert pieces(tex) == lines


def test_pieces_together_are_the_formula():
    tex = r"p(x) = \int p(x \mid z)\,p(z)\,dz + \sqrt{(a - b)^2} \ge 0 \qquad\text{if } a < b"
    assert "".join(pieces(tex)) == text(formulas.mathml(tex))


def test_a_wide_space_is_one_that_a_line_can_lose():
    made = formulas.mathml(r"a \quad b", displayed=True)
    assert made.count('<span class="wide"> </span>') == 1 and "mspace" not in made


def test_two_lines_are_set_as_a_table():
    made = formulas.mathml(r"a &= b \\ &= c", displayed=True)
    assert len(re.findall("<mtr>", made)) == 2


def test_there_are_no_names_of_characters_that_xml_does_not_know():
    made = formulas.mathml(r"\log a < b \& c")
    assert set(re.findall(r"&\w+;", made)) <= {"&lt;", "&amp;"} and "\u2061" in made


def test_a_letter_is_drawn_in_italics_and_a_root_with_its_sign():
    page = formulas.mathml(r"\phi + h + \sqrt{2}")
    assert formulas.drawn([page, "<p>w</p>"]) >= {"ϕ", "\U0001d719", "ℎ", "√", "2", "+"}
    assert "w" not in formulas.drawn([page, "<p>w</p>"])
    assert all(one.isprintable() for one in formulas.drawn([page]) - {"\u2061"})


def test_no_formula_but_a_right_one():
    for wrong in (r"\frac{a", r"\nosuch", "a^b^c"):
        with pytest.raises(LatexError):
            formulas.mathml(wrong)


@pytest.fixture
def build(tmp_path):
    """Build a page of one line, and give back the folder of the pages."""

    def build_(line):
        (tmp_path / "index.rst").write_text(f"Title\n=====\n\n{line}\n", encoding="utf-8")
        options = {"extensions": ["formulas"], "html_math_renderer": "formulas"}
        out = tmp_path / "out"
        app = Sphinx(tmp_path, None, out, tmp_path / "trees", "html", options, status=StringIO())
        app.build()
        return out

    return build_


def test_a_page_has_its_formula_and_the_glyphs(build):
    out = build(r":math:`\phi \le \sqrt{2}` and *more*")
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "≤" in html.unescape(re.search("<math.*?</math>", page)[0])
    assert "mathjax" not in page.lower()
    font = TTFont(out / formulas.WOFF)
    assert {0x1D719, ord("√"), ord("≤")} <= font.getBestCmap().keys() and "MATH" in font
    assert (out / formulas.WOFF).stat().st_size < 20_000
    licence = (out / formulas.LICENCE).read_text(encoding="utf-8")
    assert "STIX" in licence and "Open Font License" in licence


def test_a_wrong_formula_stops_the_build(build):
    with pytest.raises(ExtensionError, match="index: .*frac"):
        build(r":math:`\frac{a`")
