"""Numbers, bounds and claims in words, as a reader is told them."""

import math
import re

ROUNDING = 1e-9  # what float64 leaves of an identity, with much to spare
TIGHT = 1e-5  # a tolerance that is there for rounding alone
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Four digits, as one writes them: −0.5, 12 346, 3.6 × 10⁻⁹."""
    size = abs(value)
    if value and math.isfinite(value) and not 1e-4 <= size < 1e7:
        digits, power = f"{value:.3e}".split("e")
        power = f"10{str(int(power)).translate(SUPERSCRIPT)}"
        text = f"{float(digits):g} × {power}".replace("1 × ", "") if size else "0"
    elif 9999.5 <= size < math.inf:
        text = f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def describe(bound: dict[str, float]) -> str:
    """A bound in words: "2 ± 0.5", "exactly 2", "at least 1, at most 3"."""
    words = {"at_least": "at least {}", "at_most": "at most {}"}
    if bound.get("within") == 0:
        return f"exactly {number(bound['equals'])}"
    if "equals" in bound:
        return around(bound["equals"], bound["within"])
    return ", ".join(words[key].format(number(limit)) for key, limit in bound.items())


def around(middle: float, within: float) -> str:
    """Two digits of what it may be off by, and in the middle none behind them: 0.994 ± 0.0076."""
    off = float(f"{within:.2g}")
    decimals = max(-int(f"{off:e}".split("e")[1]) + 1, 0)
    return f"{number(round(middle, decimals))} ± {number(off)}"


def is_rounding(value: float, bound: dict[str, float]) -> bool:
    """Does an identity hold, and all that is measured is what rounding leaves of it?"""
    if set(bound) == {"at_most"}:  # of something that is never negative
        target, tolerance = 0.0, bound["at_most"]
    else:
        target, tolerance = bound.get("equals", math.nan), bound.get("within", 0)
    scale = max(1.0, abs(target))
    return 0 < tolerance <= TIGHT * scale and abs(value - target) <= ROUNDING * scale


def measured(record: dict) -> str:
    """The value of a claim, with what there is to say about its digits."""
    value, bound = record["value"], record["bound"]
    if record["holds"] and is_rounding(value, bound):
        return f"{number(bound.get('equals', 0.0))}, exact to rounding"
    if not record["holds"] and number(value) in map(number, bound.values()):
        return repr(value)  # what is wrong is behind the fourth digit
    return number(value)


def typeset(name: str) -> str:
    """What a claim is about, with true minus signs and an ellipsis."""
    return re.sub(r"(?<![^\s(\[=,])-(?=[\s\d(])", "−", name).replace("...", "…")


def line(record: dict) -> str:
    """A claim in one line of plain text."""
    text = measured(record)
    if "rounding" not in text:
        text += f" ({describe(record['bound'])})"
    mark = "✓" if record["holds"] else "✗"
    return f"{mark} {typeset(record['name'])}: {text}"
