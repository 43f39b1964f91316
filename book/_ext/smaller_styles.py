"""Style sheets cut to what the pages use.

A rule stays if each class and each name of an element that it asks for stands in a page or in a
script, as a word: so what a script adds later keeps its look, too. Rules that ask for tags alone
stay. Custom properties stay that a style sheet reads, or whose names stand in a page or a script.
"""

import re
from collections.abc import Iterable

import tinycss2
from tinycss2.ast import AtRule, QualifiedRule

WORD = re.compile(r"[\w-]+")
NAMES = re.compile(r"[.#]((?:[\w-]|\\.)+)")
NESTED = {"media", "supports", "layer", "container"}
# What a selector says that an element is not, or may be, asks for nothing.
MAYBE = {"not", "is", "where", "has"}
READ = re.compile(r"var\(\s*(--[\w-]+)")
PROPERTY = re.compile(r"(?<=[{;])\s*(--[\w-]+)\s*:[^;{}\"']*(?:;|(?=\}))")


def words_in(texts: Iterable[str]) -> set[str]:
    """All words of pages and scripts; what a class or an id is called is among them."""
    return {word for text in texts for word in WORD.findall(text)}


def cut_style(style: str, words: set[str]) -> str:
    """`style` without the rules that ask for a class or an id that is not in `words`."""
    rules = tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True)
    return "".join(_cut_rule(rule, words) for rule in rules)


def cut_properties(style: str, read: set[str]) -> str:
    """`style` without the custom properties (--name) that are not in `read`."""
    return PROPERTY.sub(lambda found: found[0] if found[1] in read else "", style)


def properties_read(style: str) -> set[str]:
    """The custom properties that `style` reads, as var(--name)."""
    return set(READ.findall(style))


def _cut_rule(rule, words: set[str]) -> str:
    if isinstance(rule, AtRule) and rule.lower_at_keyword in NESTED and rule.content is not None:
        inner = cut_style(tinycss2.serialize(rule.content), words)
        head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
        return f"{head}{{{inner}}}" if inner else ""
    if not isinstance(rule, QualifiedRule):
        return rule.serialize()
    kept = [one for one in _alternatives(rule.prelude) if _asked(one) <= words]
    if not kept:
        return ""
    selectors = ",".join(tinycss2.serialize(one).strip() for one in kept)
    return f"{selectors}{{{tinycss2.serialize(rule.content).strip()}}}"


def _alternatives(prelude: list) -> list[list]:
    """The selectors between commas, as lists of tokens."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _asked(selector: list) -> set[str]:
    plain = [t for t in selector if getattr(t, "lower_name", "") not in MAYBE]
    names = NAMES.findall(tinycss2.serialize([t for t in plain if t.type != "[] block"]))
    return {re.sub(r"\\(.)", r"\1", name) for name in names}
