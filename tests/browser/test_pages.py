"""Every page of the built book as a reader meets it: wide and narrow, light and dark.

A page is loaded once. Its window is then made narrow and its colours dark, as a reader does who
turns a phone at night. Each change gets two looks, which show both widths and both themes, and
once a week there are all four.
"""

import json
import re

import pytest
from built import PAGES, often

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LOOKS = {
    "wide light": (WIDE, "light"),
    "narrow dark": (NARROW, "dark"),
    "wide dark": (WIDE, "dark"),
    "narrow light": (NARROW, "light"),
}

pytestmark = pytest.mark.slow

SETTLED = "document.fonts.ready.then(() => null)"
# Those that are not set when the page arrives, or that a browser does not take for mathematics.
FORMULAS = """() => [...document.querySelectorAll(".math")].filter((e) => {
    const math = e.querySelector("math");
    return !math || !(math instanceof MathMLElement) || !math.getBoundingClientRect().width;
}).map((e) => e.textContent)"""
# Loading lazily is fine, never arriving is not.
PICTURES = """async () => {
    const seen = [...document.images].filter((e) => !e.closest("[hidden], noscript"));
    seen.forEach((e) => { e.loading = "eager"; });
    await Promise.allSettled(seen.map((e) => e.decode()));
    return seen.filter((e) => !e.naturalWidth || !e.alt.trim())
        .map((e) => (e.getAttribute("src") || "").slice(0, 80) + " alt: " + e.alt);
}"""
# Still figures whose smallest type is drawn smaller here than ten pixels, and how small.
SMALL_TYPE = """() => [...document.querySelectorAll("img[data-type]")]
  .filter((e) => e.dataset.type > 0 && e.checkVisibility())
  .map((e) => [e.dataset.type * e.getBoundingClientRect().width / parseFloat(e.style.width), e.alt])
  .filter(([size]) => size < 9.9)"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
LOADED = """performance.getEntriesByType("resource").map((e) => e.name)"""

# axe looks at every element, and code and formulas are thousands that differ in nothing it tests.
# So in code one piece of each colour and place is left, and of formulas and of the rows of a table
# the first five.
THINNED = """() => {
    const seen = new Set();
    for (const piece of document.querySelectorAll("pre span")) {
        const kind = [piece.className, piece.parentElement.className,
            !!piece.closest(".cell_output")].join();
        if (seen.has(kind)) piece.replaceWith(...piece.childNodes);
        seen.add(kind);
    }
    document.querySelectorAll("pre").forEach((e) => e.normalize());
    document.querySelectorAll("tbody tr:nth-child(n + 6)").forEach((e) => e.remove());
    [...document.querySelectorAll("math")].slice(5).forEach((e) => e.replaceChildren());
}"""
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
    "preload": False,  # it would load style sheets again, from wrong places
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.xdist_group(n), *often(n)]) for n in PAGES],
)
def page(request, tab, site):
    """One page, loaded wide and light, with what it asked for and complained about."""
    tab.requests, tab.complaints = [], []
    tab.set_viewport_size(WIDE)
    tab.emulate_media(color_scheme="light")
    tab.goto(f"{site}/{request.param}")
    tab.evaluate(SETTLED)
    tab.name = request.param
    return tab


def test_there_are_pages():
    assert len(PAGES) > 30


def test_it_loads_without_complaint_from_this_site_alone(page, site):
    assert page.complaints == []
    outside = [url for url in page.requests if not url.startswith((site, "data:", "blob:"))]
    assert outside == []


def test_all_mathematics_is_set(page):
    assert page.evaluate(FORMULAS) == []
    assert not [url for url in page.evaluate(LOADED) if re.search("mathjax|katex", url.lower())]
    text = page.inner_text("main")
    assert "$$" not in text and "\\(" not in text and "\\[" not in text


def test_every_picture_is_there_and_described(page):
    assert page.evaluate(PICTURES) == []


@pytest.mark.parametrize("size, colours", LOOKS.values(), ids=LOOKS)
def test_it_fits_and_is_accessible(size, colours, page, axe):
    page.set_viewport_size(size)
    page.wait_for_timeout(400)  # the theme lets the keyboard scroll what has become too wide
    page.emulate_media(color_scheme=colours)
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=colours)
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(SMALL_TYPE) == []
    assert axe(page) == []


@pytest.fixture(scope="session")
def axe():
    """Run axe-core on a page; returns its violations of level A and AA as text."""
    from axe_playwright_python.base import AXE_SCRIPT

    def run(page):
        # Not while colours are still changing.
        page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
        page.evaluate(THINNED)
        if not page.evaluate("!!window.axe"):
            page.evaluate(AXE_SCRIPT)
        found = page.evaluate(f"axe.run({json.dumps(AXE)})")["violations"]
        return [
            f"{rule['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
            for rule in found
            for node in rule["nodes"][:3]
        ]

    return run


def test_axe_finds_what_is_wrong(tab, site, axe):
    tab.emulate_media(color_scheme="light")
    tab.goto(f"{site}/04_analytic_kl.html")
    tab.evaluate("document.querySelector('main figure img').removeAttribute('alt')")
    tab.evaluate("document.querySelector('main p').style.color = '#ccc'")
    assert {line.split(":")[0] for line in axe(tab)} == {"image-alt", "color-contrast"}


def test_search_finds_posterior_collapse(tab, site):
    tab.goto(f"{site}/search.html?q=posterior+collapse")
    chapter = tab.locator("ul.search li a[href*='07_posterior_collapse.html']").first
    chapter.wait_for()
    assert "Posterior collapse" in chapter.inner_text()


@pytest.mark.parametrize(
    "query, leads_to",
    {
        "reparametrization": "05_reparameterization.html#the-first-estimator",
        "reparameterisation": "05_reparameterization.html#the-first-estimator",
        "KL increases": "questions.html#my-kl-rises",
        "0.18215": "questions.html#what-is-0-18215",
        "log_var": "04_analytic_kl.html#a-check-that-is-blind",
        "why is my loss negative": "questions.html#my-loss-is-negative",
        "prior hole": "02_from_ae_to_vae.html#the-same-question",
        "posterior collapse": "07_posterior_collapse.html#",
        "glossary": "glossary.html",
    }.items(),
)
def test_search_leads_to_the_section(tab, site, query, leads_to):
    tab.goto(f"{site}/search.html?q={query.replace(' ', '+')}")
    first = tab.locator("ul.search li").first
    first.locator(".context").wait_for()
    assert first.locator("a").first.get_attribute("href").startswith(leads_to)


def test_what_a_search_shows_is_text_of_pages_and_no_solution(tab, site):
    tab.goto(f"{site}/search.html?q=sigma")
    tab.wait_for_function("document.querySelectorAll('ul.search .context').length > 10")
    excerpts = tab.locator("ul.search .context").all_inner_texts()
    assert not [text for text in excerpts if "\\" in text or ".ipynb" in text or ".md" in text]
    assert not tab.locator("ul.search a[href*='solutions/']").count()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_menu_of_downloads_unfolds_and_folds(size, tab, site):
    tab.set_viewport_size(size)
    tab.goto(f"{site}/03_elbo.html", wait_until="load")
    button, menu = tab.get_by_label("Download this page"), tab.locator(".dropdown-menu")

    def shown():
        tab.mouse.move(0, 0)  # where the mouse is over the button, the menu shows anyhow
        assert menu.is_visible() == (button.get_attribute("aria-expanded") == "true")
        return menu.is_visible()

    assert not shown()
    button.click()
    assert shown()
    box = menu.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    menu.get_by_text(".ipynb").click(trial=True)  # nothing covers it
    tab.mouse.click(8, size["height"] - 100)
    assert not shown()
    button.press("Enter")
    tab.keyboard.press("Tab")
    assert shown() and menu.evaluate("e => e.contains(document.activeElement)")
    tab.keyboard.press("Escape")
    assert not shown() and button.evaluate("e => e === document.activeElement")
    button.click()
    assert shown()
    button.click()
    assert not shown()
    assert tab.evaluate("typeof bootstrap") == "undefined"  # nobody else saw to it


def test_a_phone_can_open_the_menu(tab, site):
    tab.set_viewport_size(NARROW)
    tab.goto(f"{site}/03_elbo.html")
    tab.evaluate(SETTLED)
    assert tab.evaluate(OVERFLOW) <= 0
    tab.locator("button.primary-toggle").first.click()
    tab.locator("#pst-primary-sidebar-modal a[href='notation.html']").wait_for()
