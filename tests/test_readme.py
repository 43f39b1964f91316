"""README and CONTRIBUTING name what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TARGETS = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_map_has_every_room_of_the_package():
    table = README.split("| Room |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `([\w.]+)/?` \|", table, re.MULTILINE)
    there = {
        path.name
        for path in (ROOT / "vae_course").iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    }
    assert sorted(named) == sorted(there)
    assert len(named) <= 14


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_what_they_name_is_there(text):
    ours = r"(?:book|tools|tests|vae_course|\.github|\.ci)"
    paths = {path for path in re.findall(rf"`({ours}/[\w/.]*)`", text) if "topic" not in path}
    paths |= set(re.findall(r"\]\(((?!http)[^)#]+)\)", text))
    paths |= set(re.findall(rf"(?:pytest|--nbval-lax) ({ours}/[\w./]+)", text))
    rooms = r"(?:data|evaluation|exact|models|doctor|explorer|train)"
    paths |= {f"vae_course/{path}" for path in re.findall(rf"`({rooms}/[\w/.]*)`", text)}
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_make_knows_what_they_make(text):
    made = set(re.findall(r"(?:`|^)make (\w+)", text, re.MULTILINE))
    assert len(made) > 5 and made <= set(TARGETS)
