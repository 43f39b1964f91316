"""Formulas as a reader has them: without scripts, whole on a phone, read aloud."""

import pytest
from built import BOOK, PAGES

WITH_FORMULAS = [name for name in PAGES if '<math xmlns="' in (BOOK / name).read_text("utf-8")]
DISPLAYED = [
    name for name in WITH_FORMULAS if '<div class="math' in (BOOK / name).read_text("utf-8")
]

# Those that reach beyond their box, or their box beyond the screen.
CUT = """() => [...document.querySelectorAll("div.math")].filter((e) =>
    e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight
    || e.getBoundingClientRect().right > innerWidth)
    .map((e) => e.textContent.slice(0, 60))"""
FONT = """document.fonts.load('16px "STIX Two Math"', "\u222b").then((all) => all.length)"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def phone(browser):
    """A small one, and without scripts: what it shows was in the page when it arrived."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, java_script_enabled=False
    )
    yield context.new_page()
    context.close()


def test_there_are_formulas():
    assert len(WITH_FORMULAS) > 15 and len(DISPLAYED) > 8


@pytest.mark.parametrize("name", DISPLAYED)
def test_no_displayed_formula_is_cut_on_a_phone(name, phone, site):
    phone.goto(f"{site}/{name}")
    assert phone.evaluate(CUT) == []


def test_formulas_have_their_own_font(phone, site):
    phone.goto(f"{site}/03_elbo.html")
    assert phone.evaluate(FONT) == 1


def test_each_formula_is_one_for_screen_readers(phone, site):
    phone.goto(f"{site}/03_elbo.html")
    heard = phone.context.new_cdp_session(phone).send("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in heard if not node["ignored"]]
    written = phone.locator("main math").count()
    assert roles.count("MathMLMath") == written > 50
