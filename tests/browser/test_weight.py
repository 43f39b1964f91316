"""What travels to a reader: each page in a browser that has seen none, and compressed."""

import gzip
import re
import threading
from functools import cache, partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pydata_sphinx_theme
import pytest
from browser.conftest import Quiet
from built import BOOK, PAGES, often
from fontTools.ttLib import TTFont

# Bytes: a page down to its foot, with its live figures, and all files together.
PAGE, SITE = 450_000, 15_000_000
TEXT = {".html", ".css", ".js", ".svg"}

# To the foot of the page, slowly enough for what comes near to be asked for.
READ = """async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
        scrollTo({ top: y, behavior: "instant" });
        await new Promise((done) => setTimeout(done, 30));
    }
}"""

# The icons of a page as characters, with the weight and the family that they are drawn in.
ICONS = """() => [...document.querySelectorAll("*")]
    .flatMap((e) => ["::before", "::after"].map((part) => getComputedStyle(e, part)))
    .filter((style) => style.fontFamily.includes("Font Awesome") && /^".+"$/.test(style.content))
    .map(({ fontFamily, fontWeight, content }) =>
        [fontFamily.includes("Brands"), fontWeight, content.slice(1, -1)])
"""

pytestmark = pytest.mark.slow


@cache
def compressed(path):
    return gzip.compress(path.read_bytes(), 6)


class Compressing(Quiet):
    """Texts travel compressed, as from GitHub Pages and every other web server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = BOOK / self.path.split("?")[0].lstrip("/")
        if path.suffix not in TEXT or not path.is_file():
            return super().do_GET()
        content = compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def server():
    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressing, directory=str(BOOK)))
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


@pytest.fixture
def fresh(browser):
    """Pages of browsers that have seen nothing."""
    contexts = []

    def fresh_(**options):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 800}, **options))
        return contexts[-1].new_page()

    yield fresh_
    for context in contexts:
        context.close()


def transferred(tab):
    """Bytes on the way, headers included, by address: filled as they come."""
    client, addresses, sent = tab.context.new_cdp_session(tab), {}, {}

    def ask(event):
        addresses[event["requestId"]] = event["request"]["url"]

    def arrive(event):
        sent[addresses[event["requestId"]]] = event["encodedDataLength"]

    client.on("Network.requestWillBeSent", ask)
    client.on("Network.loadingFinished", arrive)
    client.send("Network.enable")
    return sent


@pytest.mark.parametrize("name", [pytest.param(name, marks=often(name)) for name in PAGES])
def test_a_page_is_light_down_to_its_foot(name, fresh, server, record_property):
    tab = fresh()
    sent = transferred(tab)
    tab.goto(f"{server}/{name}", wait_until="networkidle")
    at_first = sum(sent.values())
    tab.evaluate(READ)
    tab.wait_for_load_state("networkidle")
    tab.wait_for_timeout(300)
    figures = [size for url, size in sent.items() if re.search(r"/_beside/\w+\.js$", url)]
    total = sum(sent.values())
    assert tab.locator("[data-script]:not(.lf-on)").count() == 0  # all of it has been seen
    text = f"{at_first / 1e3:4.0f} kB, to its foot {total / 1e3:4.0f}"
    record_property("table", f"{name:40} {text}, of it live figures {sum(figures) / 1e3:4.0f}")
    heaviest = sorted(((size, url.rsplit("/", 1)[1]) for url, size in sent.items()), reverse=True)
    assert total <= PAGE, heaviest[:6]


def test_the_weight_of_the_site(record_property):
    total = sum(path.stat().st_size for path in BOOK.glob("**/*") if path.is_file())
    record_property("table", f"{'the whole site':40} {total / 1e6:5.1f} MB raw")
    assert total < SITE


@pytest.mark.parametrize("name", ["index.html", "03_elbo.html", "search.html"])
def test_every_icon_is_in_its_font(name, fresh, server):
    tab = fresh()
    tab.goto(f"{server}/{name}", wait_until="networkidle")
    shown = tab.evaluate(ICONS)
    assert len(shown) > 20
    assert [icon for icon in shown if ord(icon[2]) not in glyphs(*icon[:2])] == []


# Of the theme's selectors those that find something in the page, whatever is pointed at or focused,
# and those of them that its style sheets no longer have.
LOST = r"""async (style) => {
    const selectors = (list) => [...list].flatMap((rule) =>
        rule.selectorText?.split(/,\s*(?![^(]*\))/) ?? selectors(rule.cssRules ?? []));
    const whole = selectors((await new CSSStyleSheet().replace(style)).cssRules);
    const own = [...document.styleSheets].find((sheet) => /pydata-sphinx-theme/.test(sheet.href));
    const left = selectors(own.cssRules);
    const times = (list, text) => list.filter((one) => one === text).length;
    const anyhow = (text) => text.replace(/::?[a-z-]+(?![a-z(-])/g, "") || "*";
    const plain = [...new Set(whole)].filter((text) => !/[(]|[\s>+~]:/.test(text));
    const found = plain.filter((text) => document.querySelector(anyhow(text)));
    const lost = found.filter((text) => times(left, text) < times(whole, text));
    return { found: found.length, lost };
}"""


@pytest.mark.parametrize("name", ["index.html", "03_elbo.html", "search.html"])
def test_no_rule_of_the_theme_that_a_page_uses_is_cut(name, fresh, server):
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
    style = (theme / "styles/pydata-sphinx-theme.css").read_text(encoding="utf-8")
    tab = fresh()
    tab.goto(f"{server}/{name}", wait_until="networkidle")
    told = tab.evaluate(LOST, style)
    assert told["found"] > 100
    assert told["lost"] == []


@cache
def glyphs(brands, weight):
    name = "fa-brands-400" if brands else f"fa-{'solid' if weight == '900' else 'regular'}-{weight}"
    return TTFont(BOOK / f"_static/vendor/fontawesome/webfonts/{name}.woff2").getBestCmap()


@pytest.fixture(params=["served", "opened as a file"])
def place(request, server):
    return server if request.param == "served" else BOOK.as_uri()


def test_a_live_figure_comes_when_it_comes_near(place, fresh):
    tab = fresh()
    asked, troubles = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.goto(f"{place}/02_from_ae_to_vae.html", wait_until="load")
    figure = tab.locator("[data-script]").last
    mine = figure.get_attribute("data-script")
    still = figure.locator(".lf-still").get_attribute("src")
    assert not [url for url in asked if url.endswith((mine, still))]
    figure.scroll_into_view_if_needed()
    tab.wait_for_selector(".lf-on .lf-stage svg")
    assert figure.evaluate("root => root.explorer.state()")
    tab.wait_for_timeout(300)
    assert [url.endswith(mine) for url in asked].count(True) == 1
    assert not [url for url in asked if url.endswith(still)]  # it is for print
    assert troubles == []


@pytest.mark.parametrize("how", ["no scripts", "its script is lost", "print"])
def test_where_a_figure_cannot_live_stands_its_still(how, fresh, server):
    tab = fresh(java_script_enabled=how != "no scripts")
    if how == "its script is lost":
        tab.route(re.compile("_beside/.*js"), lambda route: route.abort())
    tab.goto(f"{server}/04_analytic_kl.html", wait_until="load")
    figure = tab.locator(".course-live").first
    if how == "print":
        tab.emulate_media(media="print")
    still = figure.locator(".lf-still")
    figure.scroll_into_view_if_needed()
    still.wait_for(state="visible")
    tab.wait_for_load_state("networkidle")
    assert figure.locator("canvas, svg").first.is_visible() is False
    if how != "no scripts":
        tab.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=still.element_handle())
