import os

import pytest
import torch

if not os.environ.get("MPLBACKEND"):
    os.environ["MPLBACKEND"] = "Agg"


@pytest.fixture(autouse=True)
def fixed_random_numbers():
    """Every test draws the same numbers, whatever ran before it.

    `torch.manual_seed` would do the same on the CPU, and note a traceback for each kind of
    accelerator that is not there, which takes longer than many a test.
    """
    torch.default_generator.manual_seed(0)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no core is idle in the end.

    A file's tests stay in one process, as they share what they trained; those of the checks, which
    share nothing and are half of the work, go where there is time.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.path.name != "test_checks.py" and item.path.parent.name == "tests":
            item.add_marker(pytest.mark.xdist_group(item.path.name))


def pytest_terminal_summary(terminalreporter):
    """Lines that tests recorded with `record_property("table", line)`."""
    rows = [
        value
        for key in ("passed", "failed")
        for report in terminalreporter.stats.get(key, [])
        for name, value in report.user_properties
        if name == "table" and report.when == "call"
    ]
    if rows:
        terminalreporter.section("tables")
        terminalreporter.write_line("\n".join(rows))
