"""The built pages as text: where do links lead, and which addresses do pages name?"""

import re
from functools import cache
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup
from built import BOOK, PAGES, ROOT
from repository import COLAB, address

HERE = "http://here/"
pytestmark = pytest.mark.slow


@cache
def parsed(name):
    return BeautifulSoup((BOOK / name).read_bytes(), "html.parser")


@cache
def anchors(name):
    page = parsed(name)
    return {tag["id"] for tag in page.find_all(id=True)} | {
        t["name"] for t in page("a", {"name": 1})
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_internal_link_leads_somewhere(name):
    targets = {urljoin(HERE + name, a["href"]) for a in parsed(name).find_all("a", href=True)}
    lost = [url for url in targets if url.startswith(HERE) and not there(url)]
    assert lost == []


def there(url):
    parts = urlsplit(url)
    name, anchor = unquote(parts.path.lstrip("/")) or "index.html", unquote(parts.fragment)
    if not (BOOK / name).is_file():
        return False
    return not anchor or not name.endswith(".html") or anchor in anchors(name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_nothing_from_elsewhere(name):
    """No address but in links that a reader may follow."""
    page = parsed(name)
    asked = [tag.get("src") or "" for tag in page.find_all(src=True)]
    asked += [
        tag["href"] for tag in page.find_all("link", href=True) if tag["rel"] != ["canonical"]
    ]
    asked += re.findall(r"https?://\S+", " ".join(tag.get_text() for tag in page("script")))
    assert [url for url in asked if re.match(r"https?:|//", url)] == []


@pytest.mark.parametrize("name", PAGES)
def test_links_have_names_and_ids_are_unique(name):
    page = parsed(name)
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert len(page("meta", {"name": "viewport"})) == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_s_page_has_a_launch_button_if_there_is_a_repository(name):
    """A button that leads nowhere is worse than none."""
    notebook = f"book/{name.removesuffix('.html')}.ipynb"
    there = address().replace("https://github.com", f"{COLAB}/github", 1)
    right = [f"{there}/blob/main/{notebook}"] if address() and (ROOT / notebook).exists() else []
    links = [a["href"] for a in parsed(name).find_all("a", href=True)]
    assert [url for url in links if url.startswith(COLAB)] == right


@pytest.mark.parametrize("name", PAGES)
def test_no_dollars_are_left_around_a_formula(name):
    """Sphinx has turned each $…$ into a formula, except in code, where dollars belong."""
    main = BeautifulSoup((BOOK / name).read_bytes(), "html.parser").find("main")
    for tag in main.find_all(["pre", "code", "script", "style"]):
        tag.decompose()
    assert re.findall(r"\$[^$\n]+\$", main.get_text()) == []


def test_next_leads_through_the_whole_book_and_past_the_solutions():
    name, seen = "index.html", []
    while name:
        seen.append(name)
        following = parsed(name).find("link", rel="next")
        name = urljoin(HERE + name, following["href"]).removeprefix(HERE) if following else None
    assert not [name for name in seen if name.startswith("solutions/")]
    rest = {name for name in PAGES if not name.startswith(("solutions/", "search", "genindex"))}
    assert len(seen) == len(set(seen)) and set(seen) == rest


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_is_about(name):
    page = parsed(name)
    about = page.find("meta", {"name": "description"})["content"]
    assert 50 < len(about) < 400 and "\\" not in about
    assert page.find("meta", property="og:description")["content"] == about
    title = page.title.get_text().split(" — ")
    assert len(title) == len(set(title)) <= 2


def test_pages_differ_in_what_they_are_about():
    texts = [parsed(n).find("meta", {"name": "description"})["content"] for n in PAGES]
    assert len(set(texts)) > 0.6 * len(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_to_the_repository_if_there_is_one(name):
    links = [a["href"] for a in parsed(name).find_all("a", href=True)]
    assert (address() in links) == bool(address())


def test_the_index_is_not_empty():
    assert len(parsed("genindex.html").find("main").find_all("a", href=True)) > 80
