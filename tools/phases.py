"""Make one target after the other and say what each took: python tools/phases.py TARGET…

Targets with a + between them are made at once: one that uses one core only leaves the other idle.
What the first says is seen as it comes, what the others say after it.

The first target that fails is the last. The table comes in either case, and is kept in
_build/phases. CPU seconds are those of everything that a target ran (but not of a browser, which
is nobody's child), so they tell a slow target from a busy machine.
"""

import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).resolve().parents[1] / "_build/phases"


class Phase(NamedTuple):
    target: str
    seconds: float
    cpu: float
    status: int = 0  # of make


def run(targets: list[str]) -> list[Phase]:
    """Make the targets, up to the first that fails."""
    done = []
    for target in targets:
        print(f"==== make {target}", flush=True)
        start = time.perf_counter(), _cpu_seconds()
        status = _make(*target.split("+"))
        took = time.perf_counter() - start[0], _cpu_seconds() - start[1]
        done.append(Phase(target, *took, status))
        if status:
            break
    return done


def _make(shown, *others):
    """The status of the first that failed, 0 if none did."""
    with ExitStack() as stack:
        logs = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        beside = [_start(target, log) for target, log in zip(others, logs, strict=True)]
        statuses = [process.wait() for process in (_start(shown), *beside)]
        for target, log in zip(others, logs, strict=True):
            log.seek(0)
            print(f"---- make {target}\n{log.read()}", flush=True)
    return next(filter(None, statuses), 0)


def _start(target, log=None):
    command = ["make", "--no-print-directory", target]
    return subprocess.Popen(command, stdout=log, stderr=log and subprocess.STDOUT)


def _cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(done: list[Phase]) -> str:
    whole = Phase("all", sum(p.seconds for p in done), sum(p.cpu for p in done))
    lines = [f"{'phase':16}{'min:s':>8}{'CPU s':>8}"]
    for target, seconds, cpu, status in [*done, whole]:
        minutes, rest = divmod(round(seconds), 60)
        lines.append(f"{target:16}{minutes:5}:{rest:02}{cpu:8.0f}{' FAILED' * (status > 0)}")
    return "\n".join(lines)


def main() -> int:
    done = run(sys.argv[1:])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(table(done) + "\n", encoding="utf-8")
    print(f"\n{table(done)}", flush=True)
    return done[-1].status


if __name__ == "__main__":
    sys.exit(main())
