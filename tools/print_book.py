"""Print the book that is one long page:

    python tools/print_book.py _build/singlehtml/index.html to.pdf

A Chromium does it, as it prints pages; headings become the outline of the PDF.
"""

import shutil
import subprocess
import sys
from pathlib import Path

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
)
# As root, in a container, Chromium has no sandbox. The page asks nobody for anything.
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--no-pdf-header-footer", "--generate-pdf-document-outline", "--timeout=300000"),
)


def main() -> int:
    page, to = map(Path, sys.argv[1:3])
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        print("There is no Chromium to print with (on Debian: apt-get install chromium).")
        return 1
    out = f"--print-to-pdf={to.resolve()}"
    subprocess.run([browser, *OPTIONS, out, page.resolve().as_uri()], check=True)
    print(f"wrote {to}, {to.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
