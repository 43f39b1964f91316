"""On a phone nothing is cut off without a sign: what is too wide wraps, or scrolls and fades.

And a live figure is on one screen, with what moves it.
"""

import pytest
from built import PAGES, often
from test_pages import SMALL_TYPE

PHONES = {"390 pixels": (390, 844), "360 pixels": (360, 740)}
pytestmark = pytest.mark.slow

# What the theme hides, draws or lays out in its own way: formulas and drawings scale or wrap.
CUT = """() => {
  const found = [], root = document.documentElement;
  const aside = "svg, math, .visually-hidden, .sr-only, .lf-spoken, .onlyprint, [aria-hidden=true]";
  const clips = (e) => /auto|scroll|hidden|clip/.test(getComputedStyle(e).overflowX);
  const tooSmall = (e) => clips(e) && e.scrollWidth > e.clientWidth + 1;
  for (const e of document.querySelectorAll("main *")) {
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || e.closest(aside)) continue;
    if (!e.checkVisibility({ visibilityProperty: true })) continue;
    const say = (what) => found.push(`${what}: ${e.tagName}.${e.className} ` +
      `${e.scrollWidth} in ${e.clientWidth}: ${e.textContent.trim().slice(0, 60)}`);
    if (tooSmall(e) && !/INPUT|BUTTON|IMG|CANVAS/.test(e.tagName)) {
      const scrolls = /auto|scroll/.test(getComputedStyle(e).overflowX);
      const faded = getComputedStyle(e).maskImage !== "none";
      if (!scrolls || !faded) say("no sign");
    } else if (box.right > innerWidth + 1) {
      let around = e.parentElement;
      while (around && around !== root && !tooSmall(around)) around = around.parentElement;
      if (!around || around === root) say("beyond the edge");
    }
  }
  return found;
}"""
# How far it is, in each live figure, from the first to the last of what moves and what moves it.
# Controls stick to the lower edge of the screen; here they stand where they would without that.
REACH = """async () => {
  const reach = [];
  for (const figure of document.querySelectorAll(".course-live")) {
    figure.scrollIntoView({ block: "center", behavior: "instant" });
    while (!figure.matches(".lf-on")) await new Promise((done) => setTimeout(done, 20));
    figure.querySelectorAll(".lf-controls").forEach((e) => { e.style.position = "static"; });
    const parts = ".lf-stage :is(canvas, svg, input, button, select, summary)";
    const boxes = [...figure.querySelectorAll(parts)].filter((e) => e.checkVisibility())
      .map((e) => e.getBoundingClientRect());
    reach.push(Math.max(...boxes.map((e) => e.bottom)) - Math.min(...boxes.map((e) => e.top)));
  }
  return reach;
}"""
BARS = 100  # pixels of the screen that are the browser's


@pytest.fixture(scope="module")
def phone(browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", [pytest.param(name, marks=often(name)) for name in PAGES])
def test_nothing_is_cut_off_without_a_sign(name, phone, site):
    phone.goto(f"{site}/{name}", wait_until="domcontentloaded")
    for width, height in PHONES.values():
        phone.set_viewport_size({"width": width, "height": height})
        phone.wait_for_timeout(150)  # the signs follow the size
        assert phone.evaluate(CUT) == []
        assert phone.evaluate(SMALL_TYPE) == []
        assert max(phone.evaluate(REACH), default=0) <= height - BARS


def test_what_scrolls_has_an_arrow_until_it_is_scrolled(phone, site):
    phone.goto(f"{site}/02_from_ae_to_vae.html")
    box = phone.locator("pre.goes-on").first
    box.scroll_into_view_if_needed()
    arrows = phone.locator(".goes-on-sign").count()
    assert arrows > 3
    box.evaluate("e => { e.classList.add('mine'); e.scrollLeft = 1e4; }")
    phone.wait_for_function("!document.querySelector('.mine').matches('.goes-on')")
    assert phone.locator(".goes-on-sign").count() == arrows - 1
    assert "came-from" in phone.locator(".mine").get_attribute("class")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_have_the_colours_of_the_theme(phone, site, theme):
    phone.goto(f"{site}/09_blur.html")
    phone.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    kinds = ("in-light", "in-dark")
    seen = [phone.locator(f"img.{kind}").first.is_visible() for kind in kinds]
    assert seen == [theme == "light", theme == "dark"]
