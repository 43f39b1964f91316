"""Every paper that a chapter links to is in the bibliography, and the other way round."""

import re
import unicodedata
from pathlib import Path

import cited_papers
import pytest
import yaml
from docutils import nodes

ROOT = Path(__file__).parents[1]
BIB = ROOT / "book/references.bib"
LINK = re.compile(r"\[([^\]]*)\]\((https?://[^)\s]+)\)")
# Links that are no papers: tools, and public code that a chapter speaks of.
TOOLS = ("https://www.sympy.org", "https://nbgrader.readthedocs.io", "https://github.com/")
SOURCES = [*(ROOT / "book/src").glob("**/*.py"), *(ROOT / "book").glob("*.md")]


def links():
    """(text, address, file) of every link to a paper."""
    found = [(*m, p.name) for p in SOURCES for m in LINK.findall(p.read_text(encoding="utf-8"))]
    return [link for link in found if not link[1].startswith(TOOLS)]


def test_every_paper_that_is_cited_is_in_the_bibliography():
    papers = cited_papers.entries(BIB)
    assert [link for link in links() if link[1] not in papers] == []


def test_every_paper_in_the_bibliography_is_cited():
    cited = {url for _, url, _ in links()}
    assert cited_papers.entries(BIB).keys() - cited == set()


def test_a_link_names_the_first_author_and_a_year():
    papers = cited_papers.entries(BIB)
    for text, url, name in links():
        _, entry = papers[url]
        first = entry.persons["author"][0]
        author = " ".join(first.prelast_names + first.last_names)  # van den Oord
        assert text.startswith(author), (text, name)
        if year := re.search(r"\d{4}", text):
            # A preprint is often a year older than its printed version.
            assert 0 <= int(entry.fields["year"]) - int(year[0]) <= 1, (text, name)


def test_entries_are_whole():
    for key, entry in cited_papers.entries(BIB).values():
        place = "journal" if entry.type == "article" else "booktitle"
        assert all(entry.fields[field] for field in ("title", "year", "url", place)), key
        author = "".join(entry.persons["author"][0].last_names).lower()
        plain = unicodedata.normalize("NFKD", author)  # í is i and an accent
        assert key == re.sub(r"[^a-z]", "", plain) + entry.fields["year"]


def test_two_papers_with_one_address_are_an_error(tmp_path):
    twice = "@misc{a, url = {https://x}}\n@misc{b, url = {https://x}}\n"
    (tmp_path / "x.bib").write_text(twice)
    with pytest.raises(ValueError, match="b and a have the same url"):
        cited_papers.entries(tmp_path / "x.bib")


class App:
    """As much of Sphinx as the extension asks for."""

    srcdir = ROOT / "book"

    class builder:
        format = "html"

        @staticmethod
        def get_relative_uri(here, there):
            return f"{'../' * here.count('/')}{there}.html"


@pytest.mark.parametrize("page, up", [("03_elbo", ""), ("exercises/03_elbo", "../")])
def test_on_a_page_a_link_to_a_paper_leads_to_its_entry(page, up):
    there, elsewhere = "https://arxiv.org/abs/1312.6114", "https://example.org"
    links = [nodes.reference(refuri=url) for url in (there, elsewhere)]
    document = nodes.paragraph("", "", *links)
    cited_papers.lead_to_entries(App, document, page)
    assert links[0]["refuri"] == f"{up}bibliography.html#ref-kingma2014"
    assert links[0]["reftitle"] == "Auto-Encoding Variational Bayes"
    assert links[1]["refuri"] == elsewhere


def test_the_bibliography_leads_to_the_papers():
    link = nodes.reference(refuri="https://arxiv.org/abs/1312.6114")
    cited_papers.lead_to_entries(App, nodes.paragraph("", "", link), cited_papers.PAGE)
    assert link["refuri"] == "https://arxiv.org/abs/1312.6114"


def test_the_settings_know_the_bibliography():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    assert config["bibtex_bibfiles"] == ["references.bib"]
    assert config["sphinx"]["config"]["bibtex_cite_id"] == "ref-{key}"
