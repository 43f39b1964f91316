"""The workflow does what `make` does and README says, and nothing besides."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE)
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOBS = WORKFLOW["jobs"]
AT_EACH_PUSH = {"unit", "elsewhere", "pages"}
# Where there is no make.
PLAIN = ["pip install -r requirements.txt --editable .", 'pytest -m "not slow"']


def commands(job):
    """What a job runs, with one line for each target that its matrix has."""
    lines = [step["run"] for step in JOBS[job]["steps"] if "run" in step]
    targets = JOBS[job].get("strategy", {}).get("matrix", {}).get("target", [""])
    return [line.replace("${{ matrix.target }}", target) for line in lines for target in targets]


def recipe(target):
    """The commands of a target, with those of the targets that it asks for."""
    needs, lines = re.search(rf"^{target}:(.*)\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE).groups()
    done = [line for need in needs.split() if need in TARGETS for line in recipe(need)]
    for line in lines.splitlines():
        asked = re.search(r"(?:phases\.py|\$\(MAKE\)) (.*)", line)
        more = [recipe(word) for word in re.split("[ +]", asked[1])] if asked else [[line.strip()]]
        done += [command for commands in more for command in commands]
    return done


def test_every_command_is_a_target_of_make_or_stands_in_the_readme():
    for job in JOBS:
        for command in commands(job):
            made = re.fullmatch(r"make (\w+)( \w+=\S+)?", command)
            assert (made and made[1] in TARGETS) or command in PLAIN
    for line in PLAIN:
        assert f"\n{line}" in README


def test_two_jobs_at_each_push_do_what_make_test_does():
    ours = [command.split()[1] for job in ("unit", "pages") for command in commands(job)]
    done = [line for target in ours for line in recipe(target)]
    assert set(recipe("test")) <= set(done)


def test_the_visitors_two_commands_are_tested():
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test", "make book"]


def test_the_oldest_python_that_is_promised_and_others_are_tried():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = re.search(r'requires-python = ">=(.*)"', pyproject)[1]
    tried = JOBS["unit"]["strategy"]["matrix"]["python"]
    assert oldest == tried[0] and len(tried) == 2
    assert int(tried[1].split(".")[1]) > int(oldest.split(".")[1])


def test_systems_without_make_run_what_make_quick_runs():
    assert commands("elsewhere") == PLAIN
    systems = JOBS["elsewhere"]["strategy"]["matrix"]["system"]
    assert {name.split("-")[0] for name in systems} == {"macos", "windows"}
    assert PLAIN[1] in recipe("quick")


def test_before_a_commit_runs_what_make_quick_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    assert hooks == recipe("quick")


def test_no_page_is_published_before_every_job_has_passed():
    assert set(JOBS["publish"]["needs"]) == AT_EACH_PUSH
    assert set(JOBS) == AT_EACH_PUSH | {"publish", "weekly"}


def test_actions_are_official():
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@v\d+", name) for name in used)


@pytest.mark.parametrize("job", sorted(AT_EACH_PUSH))
def test_downloads_are_kept(job):
    (python,) = [s["with"] for s in JOBS[job]["steps"] if "setup-python" in s.get("uses", "")]
    assert python["cache"] == "pip"
    assert (ROOT / python["cache-dependency-path"]).exists()


def test_what_a_push_makes_pointless_is_stopped():
    concurrency = WORKFLOW["concurrency"]
    assert concurrency["cancel-in-progress"] is True
    assert "github.ref" in concurrency["group"] and "github.event_name" in concurrency["group"]


def test_all_and_the_newest_versions_run_weekly():
    on = WORKFLOW[True]  # YAML reads "on" as yes
    (when,) = on["schedule"]
    assert len(when["cron"].split()) == 5 and when["cron"].split()[-1].isdigit()
    assert "schedule" not in JOBS["weekly"]["if"]
    assert commands("weekly") == ["make all", "make newest"]
    for job in AT_EACH_PUSH:
        assert JOBS[job]["if"] == "github.event_name != 'schedule'"


def test_only_publishing_may_write():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    writing = {name for name, job in JOBS.items() if "permissions" in job}
    assert writing == {"publish"}
    assert "refs/heads/main" in JOBS["publish"]["if"]
