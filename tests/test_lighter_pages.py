import lighter_pages
import pytest

ICONS = (
    '<link href="a.css" />\n  <script defer src="_static/scripts/fontawesome.js?digest=5"></script>'
)
THEBE = """<script src="doctools.js"></script>
    <script>const THEBE_JS_URL = "https://unpkg.com/x.js"; const a = ".thebe"</script>
    <script async="async" src="_static/sphinx-thebe.js?v=c1"></script>
    <link rel="stylesheet" type="text/css" href="_static/sphinx-thebe.css?v=4f" />
    <script>const mine = 1</script>"""
VIEW = '<meta name="viewport" content="width=device-width" />'
TOGGLE = '<a class="reference internal" href="03_elbo.html">3 · The ELBO</a><details><summary>'


def test_the_second_set_of_icons_goes():
    assert lighter_pages.without_icon_script(ICONS) == '<link href="a.css" />'


def test_scripts_for_menus_go():
    link = '<link rel="preload" as="script" href="../_static/scripts/bootstrap.js?digest=5" />'
    script = '<script defer src="../_static/scripts/bootstrap.js?digest=5"></script>'
    theme = '<script defer src="../_static/scripts/pydata-sphinx-theme.js?digest=5"></script>'
    assert lighter_pages.without_bootstrap(f"{link}\n{script}\n{theme}") == f"\n{theme}"


def test_thebe_goes_and_its_neighbours_stay():
    left = lighter_pages.without_thebe(THEBE)
    assert "thebe" not in left.lower() and "https:" not in left
    assert "doctools.js" in left and "mine = 1" in left


HEAD = """<html><head><script data-cfasync="false">theme()</script>
<script src="_static/doctools.js?v=9"></script>
<script>DOCTOOLS.page = 'x';</script>
<link rel="stylesheet" href="_static/sphinx-design.min.css?v=6" />
<script data-sd-tabs="a" src="_static/design-tabs.js?v=fc"></script>
<script>var togglebuttonSelector = '.toggle, .admonition.dropdown';</script>
<script src="_static/togglebutton.js?v=b8"></script>
<script src="../_static/searchtools.js"></script>
<script src="../searchindex.js"></script>
</head><body><p>text</p>PART<script defer src="theme.js"></script></body></html>"""


def test_the_index_of_words_is_loaded_where_words_are_searched():
    assert "search" not in lighter_pages.mend(HEAD)
    results = HEAD.replace("PART", '<div id="search-results"></div>')
    assert lighter_pages.search_where_it_is_used(results) == results
    assert lighter_pages.scripts_last(results) == results


@pytest.mark.parametrize(
    "part, left",
    [
        ('<div class="a toggle-b dropdown"></div>', []),
        ('<div class="sd-card"></div>', ["sphinx-design", "design-tabs"]),
        (
            '<div class="note admonition dropdown"></div>',
            ["togglebuttonSelector", "togglebutton.js"],
        ),
        ('<div class="a toggle"></div>', ["togglebuttonSelector", "togglebutton.js"]),
    ],
)
def test_parts_that_a_page_does_not_have_bring_no_files(part, left):
    page = lighter_pages.without_unused_parts(HEAD.replace("PART", part))
    names = ["sphinx-design", "design-tabs", "togglebuttonSelector", "togglebutton.js"]
    assert [name for name in names if name in page] == left


def test_scripts_come_after_the_text_in_their_order_before_those_that_wait():
    page = lighter_pages.mend(HEAD)
    places = [page.index(text) for text in ("theme()", "<p>", "doctools", "DOCTOOLS", "</body>")]
    assert places == sorted(places) and places[0] < page.index("</head>") < places[1]
    assert page.count("<script") == 4


def test_one_viewport_stays():
    page = f"<head>\n{VIEW}{VIEW}<title>x</title>{VIEW}</head>"
    assert lighter_pages.one_viewport(page) == f"<head>{VIEW}\n<title>x</title></head>"
    assert lighter_pages.one_viewport("<p>none</p>") == "<p>none</p>"


def test_a_toggle_is_named_after_its_chapter():
    named = lighter_pages.named_toggles(TOGGLE + "</summary>")
    assert '<summary aria-label="Pages of “3 · The ELBO”">' in named


def test_papers_are_items_of_a_list():
    entry = '<div role="list"><div id="ref-x" role="doc-biblioentry">'
    assert lighter_pages.listed_papers(entry) == '<div role="list"><div id="ref-x" role="listitem">'


@pytest.mark.parametrize("text", [ICONS, THEBE, TOGGLE, HEAD, f"<head>{VIEW}</head>"])
def test_mended_twice_is_mended_once(text):
    once = lighter_pages.mend(text)
    assert lighter_pages.mend(once) == once


def test_what_unfolds_a_cell_is_called_as_it_reads():
    prompt = '<summary aria-label="Toggle hidden content">\n<p>Solution</p>'
    assert lighter_pages.mend(prompt) == "<summary>\n<p>Solution</p>"
