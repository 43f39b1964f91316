import lighter_site
from fontTools.ttLib import TTFont

STYLE = (
    '.fa-list:before{content:"\\f03a"}.fa-plus:before,.fa-add:before{content:"\\2b"}'
    '.fa-sun:before{content:"\\f185"}.a:after{content:"\\f107";color:red}:root{--bell:"\uf0f3"}'
    '.b{content:"More";font:"Font"}'
)


def test_icons_are_read_from_the_style():
    assert lighter_site.icons_in(STYLE) == {"\uf03a", "+", "\uf185", "\uf107", "\uf0f3"}


def test_the_fonts_hold_what_is_used_and_little_else(tmp_path):
    (tmp_path / "course.css").write_text('.mine:before{content:"\\f185"}')
    words = {"fa-list", "fa-github", "mine"}
    lighter_site.cut_icons(
        tmp_path, lighter_site.icons_in(lighter_site.cut_styles(tmp_path, words))
    )
    fonts = {path.name: path for path in tmp_path.glob("**/*.woff2")}
    solid = TTFont(fonts["fa-solid-900.woff2"]).getBestCmap()
    assert {0xF03A, 0xF185} <= solid.keys() and len(solid) < 40
    assert 0xF09B in TTFont(fonts["fa-brands-400.woff2"]).getBestCmap()
    assert sum(path.stat().st_size for path in fonts.values()) < 15_000
    style, whole = (
        "".join(path.read_text(encoding="utf-8") for path in folder.glob("**/*.css"))
        for folder in (tmp_path, lighter_site.THEME)
    )
    assert ".fa-list:before" in style and ".fa-anchor:before" not in style
    assert len(style) < 0.35 * len(whole)


def test_the_theme_is_where_it_is_looked_for():
    assert (lighter_site.THEME / "styles/pydata-sphinx-theme.css").is_file()
    assert len(list((lighter_site.THEME / lighter_site.FONTS).glob("*.woff2"))) >= 3
