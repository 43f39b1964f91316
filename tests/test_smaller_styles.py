"""Which rules of a style sheet stay, told from small sheets whose right cut is plain to see."""

import pytest
import smaller_styles
from smaller_styles import cut_properties, cut_style, properties_read

WORDS = smaller_styles.words_in(['<p class="used fa-list" id="here">', 'add("later")'])


@pytest.mark.parametrize(
    "style",
    [
        ".used{color:red}",
        "p>b~i[class*=other]{color:red}",
        '.later .used:hover::before{content:".other}"}',
        "#here.fa-list{color:red}",
        ".used:not(.other){color:red}",
        ":is(.other,.used){color:red}",
        "@media (width<9px){.used{color:red}}",
        "@font-face{src:url(a.b)}",
        "@keyframes other{from{color:red}}",
        ":root{--a:1}",
        ".used{background:url(\"data:image/svg+xml,<svg viewBox='0 0 9 9'/>;}{\")}",
    ],
)
def test_what_a_page_or_a_script_names_stays(style):
    assert cut_style(style, WORDS) == style


@pytest.mark.parametrize(
    "style",
    [
        ".other{color:red}",
        ".used .other{color:red}",
        ".us{color:red}",
        ".used-other{color:red}",
        "p#there{color:red}",
        "@media print{.other{color:red}@supports (a:b){.other{color:red}}}",
        "/* a note */",
    ],
)
def test_what_none_names_goes(style):
    assert cut_style(f"{style}p{{color:red}}", WORDS) == "p{color:red}"


def test_a_rule_keeps_those_of_its_selectors_that_are_named():
    assert cut_style(".other, .used ,b{color:red}", WORDS) == ".used,b{color:red}"


def test_properties_stay_that_are_read():
    style = ':root{--a:1;--b:2px;--c:url("x;y");color:var( --a)}p{--b: 3}'
    assert properties_read(style) == {"--a"}
    assert cut_properties(style, {"--a"}) == ':root{--a:1;--c:url("x;y");color:var( --a)}p{}'
