"""The table of what the parts of `make test` took."""

import pytest

pytestmark = pytest.mark.slow
MAKEFILE = """
idle:
\t@sleep 0.6
busy:
\t@python -c "import time; [0 for _ in iter(lambda: time.process_time() > 0.6, True)]"
bad:
\t@exit 7
later:
\t@touch later
loud:
\t@echo loud; sleep 0.3; test -e later && echo at once
"""


@pytest.fixture
def phases(tmp_path, monkeypatch):
    import phases  # here: on Windows, which has no make, it cannot be imported

    (tmp_path / "Makefile").write_text(MAKEFILE)
    monkeypatch.chdir(tmp_path)
    return phases


def test_seconds_and_cpu_seconds_are_told_apart(phases):
    idle, busy = phases.run(["idle", "busy"])
    assert (idle.target, idle.status, busy.target, busy.status) == ("idle", 0, "busy", 0)
    assert idle.seconds > 0.6 > 0.3 > idle.cpu
    assert busy.seconds + 0.05 >= busy.cpu > 0.6


def test_the_first_failure_is_the_last_phase(phases, tmp_path):
    idle, bad = phases.run(["idle", "bad", "later"])
    assert idle.status == 0 and bad.status == 2  # make's
    assert not (tmp_path / "later").exists()


def test_two_at_once_and_what_the_second_says_comes_whole(phases, tmp_path, capfd):
    (both,) = phases.run(["later+loud"])
    assert both.status == 0
    said = capfd.readouterr().out
    assert said.endswith("---- make loud\nloud\nat once\n\n")


@pytest.mark.parametrize("targets", ["bad+later", "later+bad"])
def test_of_two_either_can_fail_and_both_are_made(phases, tmp_path, targets):
    done = phases.run([targets, "idle"])
    assert [phase.status for phase in done] == [2]
    assert (tmp_path / "later").exists()


def test_the_table(phases):
    done = [phases.Phase("quick", 59.6, 3.2), phases.Phase("long", 754, 1400.0, 2)]
    head, *lines = phases.table(done).splitlines()
    assert head.split() == ["phase", "min:s", "CPU", "s"]
    assert [line.split() for line in lines] == [
        ["quick", "1:00", "3"],
        ["long", "12:34", "1400", "FAILED"],
        ["all", "13:34", "1403"],
    ]


def test_a_failure_is_make_s_and_the_table_is_kept(phases, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("phases.OUT", tmp_path / "new/phases")
    monkeypatch.setattr("sys.argv", ["phases.py", "bad"])
    assert phases.main() == 2
    assert "FAILED" in (tmp_path / "new/phases").read_text()
    assert (tmp_path / "new/phases").read_text() in capsys.readouterr().out
