"""Name the repository, or forget its name:

    python tools/repository.py https://github.com/owner/name
    python tools/repository.py ""

The address stands in `_config.yml`. Everything else follows: buttons, the site's own address and
README here, the first code cell of every notebook by tools/notebooks.py. `make repository URL=…`
runs both.
"""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "<the address of this repository>"
COLAB = "https://colab.research.google.com"

INSTALL = """\
# Where the course's package is missing (in Colab), install it. Torch stays as it is.
import importlib.util, subprocess, sys

if importlib.util.find_spec("vae_course") is None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "git+{url}"]
    if subprocess.run(pip, capture_output=True, start_new_session=True).returncode:
        raise ImportError("vae_course could not be installed from {url}. "
                          "Is there a network? Run this cell again.")
    importlib.invalidate_caches()"""

ASK = """\
# Where the course's package is missing, say how to get it.
import importlib.util

if importlib.util.find_spec("vae_course") is None:
    raise ImportError("vae_course is missing. In a terminal, go to your copy of the course and run "
                      "`pip install .`. In Colab, run `!pip install git+ADDRESS` in a new cell, "
                      "with the address you have the course from. Then run this cell again.")"""


def address(root: Path = ROOT) -> str:
    """The repository's address in `_config.yml`, "" while there is none."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"] or ""


def install_cell(url: str) -> str:
    """The first code cell of a notebook."""
    return INSTALL.format(url=url) if url else ASK


def checked(url: str) -> str:
    """`url` in the form that pip and Colab need. Raises ValueError for other addresses."""
    url = url.strip().removesuffix("/").removesuffix(".git")
    if url and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(f"expected https://github.com/owner/name, but got {url!r}")
    return url


def site(url: str) -> str:
    """Where GitHub Pages serves the book of the repository, "" without one."""
    if not url:
        return ""
    owner, name = url.split("/")[-2:]
    home = f"https://{owner.lower()}.github.io/"
    return home if name.lower() == home.split("/")[2] else f"{home}{name}/"


def rename(url: str, root: Path = ROOT) -> None:
    """Write `url` into `_config.yml`, with or without buttons, and into the README."""
    before = address(root) or PLACEHOLDER
    config = root / "_config.yml"
    text = config.read_text(encoding="utf-8")
    values = {"url": url, "colab_url": COLAB if url else "", "baseurl": site(url)}
    for key, value in values.items():
        text = _set(text, key, f'"{value}"')
    text = _set(text, "use_repository_button", "true" if url else "false")
    config.write_text(text, encoding="utf-8")
    readme = root / "README.md"
    there = readme.read_text(encoding="utf-8")
    readme.write_text(there.replace(before, url or PLACEHOLDER), encoding="utf-8")


def _set(text: str, key: str, value: str) -> str:
    changed, times = re.subn(rf"^(  {key}: ).*$", rf"\g<1>{value}", text, flags=re.MULTILINE)
    if times != 1:
        raise ValueError(f"_config.yml needs one line `  {key}: …`, but has {times}")
    return changed


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    try:
        url = checked(sys.argv[1])
    except ValueError as error:
        print(error)
        return 1
    rename(url)
    print(f"The repository is {url or 'not named'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
