"""What comes out of a printer."""

import re

import pytest

pytestmark = pytest.mark.slow


def sides(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_recipe_prints_on_both_sides_of_one_sheet(browser, site, paper):
    page = browser.new_page()
    page.goto(f"{site}/recipe.html")
    printed = page.pdf(
        format=paper, margin=dict.fromkeys(("top", "right", "bottom", "left"), "1cm")
    )
    page.close()
    assert sides(printed) == 2
