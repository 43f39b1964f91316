"""`claim`: a statement of the course, computed and compared, that fails the build when false.

A chapter opens with `begin(name)` and closes with `summary()`.
"""

import html
import json
import math
import os
import platform
import time
from pathlib import Path

import torch
from IPython.display import HTML

from vae_course.claims.shown import show, table
from vae_course.claims.wording import line

_chapter = {"name": "", "started": time.perf_counter(), "claims": []}


def begin(name: str) -> int:
    """Open chapter `name`: forget earlier claims, start the clock, seed torch.

    Returns the base seed, `VAE_COURSE_SEED` (0 if unset). Raises ValueError if that is no
    whole number ≥ 0.
    """
    text = os.environ.get("VAE_COURSE_SEED") or "0"
    if not text.isdecimal():
        raise ValueError(f"VAE_COURSE_SEED must be a whole number ≥ 0, but is {text!r}")
    _chapter.update(name=name, started=time.perf_counter(), claims=[])
    torch.manual_seed(int(text))
    return int(text)


def claim(
    text: str,
    value: float | torch.Tensor,
    *,
    equals: float | None = None,
    within: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    shown: bool = False,
) -> None:
    """Show `value` beside what `text` says of it, and raise AssertionError if that is false.

    Give `equals` with an absolute tolerance `within`, or `at_least`, or `at_most`, or both of
    these. A value that is not finite never holds. A notebook shows the claims of a cell as one
    line: the number of the one that is `shown`, else of the first, and the others folded. With
    `VAE_COURSE_CLAIMS` set, one JSON line (notebook, name, value, bound, holds, margin) is
    appended to that file first.

    Raises ValueError for bounds that make no sense.
    """
    value = float(value.detach() if isinstance(value, torch.Tensor) else value)
    bound = _bound(equals, within, at_least, at_most)
    margin = _margin(value, bound)
    record = {
        "notebook": _chapter["name"],
        "name": text,
        "value": value,
        "bound": bound,
        "holds": margin >= 0,
        "margin": margin,
    }
    _log(record)
    record["shown"] = shown
    show(record)
    if not record["holds"]:
        raise AssertionError(line(record))
    _chapter["claims"].append(record)


def summary() -> HTML:
    """All claims of the chapter, folded, and what it took to run."""
    seconds = time.perf_counter() - _chapter["started"]
    claims = _chapter["claims"]
    cost = f"This page took about {seconds:.0f} s to run, on {machine()}."
    said = f"<summary>✓ All {len(claims)} checks of this page</summary>"
    return HTML(
        f'<details class="claims">{said}{table(claims)}</details><p>{html.escape(cost)}</p>'
    )


def machine() -> str:
    """The machine in words, for every timing that is shown."""
    threads = torch.get_num_threads()
    device = f"{platform.machine()}, {threads} CPU thread{'s' * (threads > 1)}"
    if torch.cuda.is_available():
        device += f", {torch.cuda.get_device_name()}"
    return device


def _bound(equals, within, at_least, at_most) -> dict[str, float]:
    given = {"equals": equals, "within": within, "at_least": at_least, "at_most": at_most}
    bound = {key: float(limit) for key, limit in given.items() if limit is not None}
    if set(bound) not in (
        {"equals", "within"}, {"at_least"}, {"at_most"}, {"at_least", "at_most"}
    ):  # fmt: skip
        raise ValueError(
            "give equals with within, or at_least, or at_most, or both of these, "
            f"but got {bound or 'none of them'}"
        )
    if bound.get("within", 0) < 0 or not all(map(math.isfinite, bound.values())):
        raise ValueError(f"the bounds must be finite and within ≥ 0, but are {bound}")
    return bound


def _margin(value: float, bound: dict[str, float]) -> float:
    """How far the value is inside its bound, in its own unit; negative outside."""
    if not math.isfinite(value):
        return -math.inf
    if "equals" in bound:
        return bound["within"] - abs(value - bound["equals"])
    slack = []
    if "at_least" in bound:
        slack.append(value - bound["at_least"])
    if "at_most" in bound:
        slack.append(bound["at_most"] - value)
    return min(slack)


def _log(record: dict) -> None:
    if path := os.environ.get("VAE_COURSE_CLAIMS"):
        # JSON knows neither NaN nor infinity.
        finite = {
            key: None if isinstance(entry, float) and not math.isfinite(entry) else entry
            for key, entry in record.items()
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, ensure_ascii=False) + "\n")
