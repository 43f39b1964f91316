"""Where the built book is, and what it takes to open it in a browser."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOK = Path(os.environ.get("VAE_COURSE_PAGES") or ROOT / "_build/html")
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
# No sandbox: as root, in a container, Chromium has none. Nothing but this machine has a name.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def what_is_missing() -> str:
    """Why these tests cannot run here, "" if they can."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed (pip install -r requirements.txt)"
    if not find_browser():
        return "there is no Chromium (on Debian: apt-get install chromium)"
    return "" if (BOOK / "index.html").exists() else f"{BOOK} has no pages (make book)"


def find_browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


# What a reader can open, without the theme's own pieces.
PAGES = [
    path.relative_to(BOOK).as_posix()
    for path in sorted(BOOK.glob("**/*.html"))
    if "_static" not in path.parts
]

# The names of this chapter are the longest.
ONE_OF_EACH = "05_reparameterization.html"


def often(name: str) -> list:
    """Exercises are all made alike, and so are solutions: one for each change, all once a week."""
    alike = name.startswith(("exercises/", "solutions/")) and not name.endswith(ONE_OF_EACH)
    return [pytest.mark.weekly] if alike else []
