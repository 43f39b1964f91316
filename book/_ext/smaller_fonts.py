"""A font cut to the characters that the pages use, as woff2."""

from collections.abc import Iterable
from pathlib import Path

from fontTools import subset

OPTIONS = {
    "flavor": "woff2",
    "hinting": False,
    "name_IDs": [0, 1, 2, 3, 4, 5, 6, 13, 14],  # who made it, and under which licence
}


def write_subset(font: Path, to: Path, characters: Iterable[str]) -> None:
    """`font` with the glyphs of `characters` alone, what they are composed of included.

    A character that the font does not have is left to another font of the reader's.
    """
    options = subset.Options(**OPTIONS)
    cut = subset.Subsetter(options)
    cut.populate(text="".join(sorted(characters)))
    whole = subset.load_font(str(font), options)
    cut.subset(whole)
    to.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(whole, str(to), options)
