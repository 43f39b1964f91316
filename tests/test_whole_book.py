"""The book in one file: what an e-reader or a printer gets."""

from xml.etree import ElementTree

import whole_book

from vae_course.explorer import kl_bowl


def test_a_live_figure_becomes_its_still_and_is_well_formed():
    body = f"<p>a<br>b &amp; c</p>{kl_bowl()._repr_html_()}<script>if (1 < 2) x()</script>"
    tree = ElementTree.fromstring(f"<div>{whole_book.still(body)}</div>")
    tags = [each.tag for each in tree.iter()]
    assert "script" not in tags and "style" not in tags and tags.count("img") == 1
    assert "lf-stage" not in ElementTree.tostring(tree, encoding="unicode")
    assert tree.find(".//figcaption").text
