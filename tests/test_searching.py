"""A second build, which reads only what has changed, must leave the search as it was."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ":orphan:\n\n{}\n=========\n\n.. index:: {}\n\nIts text.\n"


def words(folder):
    """The words of the index that the built search knows."""
    script = (folder / "html/searchindex.js").read_text(encoding="utf-8")
    return list(json.loads(script[script.index("{") : script.rindex("}") + 1])["indexentries"])


@pytest.mark.slow
def test_a_second_build_finds_the_words_of_the_index_too(tmp_path):
    path = f"import sys\nsys.path.append({str(ROOT / 'book/_ext')!r})\n"
    (tmp_path / "conf.py").write_text(f"{path}extensions = ['searching']\n", encoding="utf-8")
    (tmp_path / "index.rst").write_text(PAGE.format("Front", "front"), encoding="utf-8")
    (tmp_path / "kept.rst").write_text(PAGE.format("Kept", "scaling factor"), encoding="utf-8")
    build = [sys.executable, "-m", "sphinx", "-q", str(tmp_path), str(tmp_path / "html")]
    for title in ("Other", "Changed"):
        (tmp_path / "other.rst").write_text(PAGE.format(title, "other"), encoding="utf-8")
        subprocess.run(build, check=True)
        assert set(words(tmp_path)) == {"front", "scaling factor", "other"}
