"""The workflow does what `make` does, and nothing besides."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
TARGETS = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_is_a_target_of_make():
    commands = [step["run"] for step in STEPS if "run" in step]
    lines = (ROOT / ".ci/run").read_text().splitlines()
    commands += [line for line in lines if line.startswith("make")]
    for command in commands:
        made = re.fullmatch(r"make (\w+)( \w+=\S+)?", command)
        assert command == "bash .ci/run" or made[1] in TARGETS
    assert {"make test", "make book", "make newest"} <= set(commands)


def test_actions_are_official():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)


def test_it_runs_weekly_with_the_newest_versions():
    on = WORKFLOW[True]  # YAML reads "on" as yes
    (when,) = on["schedule"]
    assert len(when["cron"].split()) == 5 and when["cron"].split()[-1].isdigit()
    assert "schedule" not in WORKFLOW["jobs"]["newest"]["if"]
    assert WORKFLOW["jobs"]["course"]["if"] == "github.event_name != 'schedule'"


def test_only_publishing_may_write():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    writing = {name for name, job in WORKFLOW["jobs"].items() if "permissions" in job}
    assert writing == {"publish"}
    assert "refs/heads/main" in WORKFLOW["jobs"]["publish"]["if"]
