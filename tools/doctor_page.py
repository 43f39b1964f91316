"""Write book/doctor.md, from book/src/doctor.md and the doctor's findings themselves.

python tools/doctor_page.py           writes it
python tools/doctor_page.py --check   exit status 1 if it is not up to date
"""

import re
import sys
from pathlib import Path

from vae_course.doctor.advice import ADVICE
from vae_course.doctor.evidence import EVIDENCE
from vae_course.doctor.report import CHAPTERS

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGE, HEAD = BOOK / "doctor.md", BOOK / "src/doctor.md"  # the second is what stands first

PARTS = {  # the first finding of each part
    "pictures_not_finite": "The pictures",
    "arguments_swapped": "How the loss is called, and what trains",
    "spread_is_mean": "What the encoder can say",
    "reconstruction_missing": "The terms of the loss",
    "mean_for_sum": "The weights",
    "log_std_missing_half": "The likelihood",
    "sample_not_reparameterized": "The sampling line",
    "constant_columns": "Notes",
    "not_finite": "What the trained model shows",
}


def page() -> str:
    """The whole page. Raises KeyError for a finding that says nothing of its evidence."""
    parts = [HEAD.read_text(encoding="utf-8")]
    for name, (title, consequence, change, chapter) in ADVICE.items():
        if name in PARTS:
            parts.append(f"## {PARTS[name]}\n")
        measured, right = EVIDENCE[name]
        parts.append(
            f"### {title}\n\n"
            f"`{name}`\n\n"
            f"- **Symptom.** {consequence}\n"
            f"- **Evidence.** {measured}\n"
            f"- **Looks like it, and is right:** {right}.\n"
            f"- **Change.** {_code(change)}\n"
            f"- **Read.** [{CHAPTERS[chapter]}]({chapter}.ipynb)\n"
        )
    return "\n".join(parts)


def _code(change: str) -> str:
    """One line of code stands as code; words stay words."""
    line = re.fullmatch(r"[\w.]+ = .*|[\w.]+\(.*\)|loss=.*", change)
    return f"`{change}`" if line else f"{change}."


def main(words: list[str]) -> int:
    if "--check" in words:
        fresh = PAGE.read_text(encoding="utf-8") == page()
        return 0 if fresh else print("run python tools/doctor_page.py") or 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
