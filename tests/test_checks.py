"""Every check: right answers of every style pass, wrong ones get the name of their mistake."""

import importlib
import inspect
import pkgutil
from collections import defaultdict

import answers
import pytest

from vae_course.checks import NotYet

PAGES = sorted(module.name for module in pkgutil.iter_modules(answers.__path__))
SEEDS = 200


def checks_of(page):
    module = importlib.import_module(f"vae_course.checks.{page}")
    functions = inspect.getmembers(module, inspect.isfunction)
    return {
        name: function
        for name, function in functions
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def cases(kind):
    """(page, task, entry) for every answer of a kind, RIGHT or WRONG."""
    return [
        pytest.param(page, task, entry, id=f"{page}-{task}-{number}")
        for page in PAGES
        for task, listed in getattr(importlib.import_module(f"answers.{page}"), kind).items()
        for number, entry in enumerate(listed)
    ]


TASKS = [(page, task) for page in PAGES for task in checks_of(page)]


def nothing(*_):
    pass


def unwritten(*_):
    raise NotImplementedError


def breaks(*_):
    raise KeyError("z")


ANYWHERE = [
    (nothing, "None"),
    (unwritten, "not written yet"),
    (breaks, "KeyError"),
    ("a string", "expects a function"),
]


@pytest.mark.parametrize("page, task", TASKS)
def test_enough_answers_are_tried(page, task):
    tried = importlib.import_module(f"answers.{page}")
    assert len(tried.RIGHT[task]) >= 3 and len(tried.WRONG[task]) >= 6


@pytest.mark.parametrize("page, task, answer", cases("RIGHT"))
def test_right_answers_pass(page, task, answer, capsys):
    for seed in range(10):
        checks_of(page)[task](answer, seed=seed)
    assert capsys.readouterr().out.count("✓") == 10


@pytest.mark.parametrize("page, task", TASKS)
def test_no_seed_gives_a_false_verdict(page, task):
    check, tried = checks_of(page)[task], importlib.import_module(f"answers.{page}")
    for seed in range(getattr(tried, "SEEDS", {}).get(task, SEEDS)):  # fewer where a check trains
        check(tried.RIGHT[task][0], seed=seed)
        with pytest.raises(NotYet):
            check(tried.WRONG[task][seed % len(tried.WRONG[task])][0], seed=seed)


@pytest.mark.parametrize("page, task, entry", cases("WRONG"))
def test_wrong_answers_fail_by_name(page, task, entry):
    answer, part = entry  # what its diagnosis must say, or None where it has none
    for seed in range(5):
        with pytest.raises(NotYet) as caught:
            checks_of(page)[task](answer, seed=seed)
        assert part is None or part in str(caught.value)


@pytest.mark.parametrize("page, task", TASKS)
def test_what_is_no_answer_gets_a_message(page, task):
    for answer, part in ANYWHERE:
        with pytest.raises(NotYet, match=part):
            checks_of(page)[task](answer, seed=0)


def test_four_of_five_wrong_answers_are_named(record_property):
    """80 % is what is promised. That each name is given, the test above shows."""
    named = defaultdict(list)
    for case in cases("WRONG"):
        page, task, (_, part) = case.values
        named[f"{page}.{task}"].append(part is not None)
    for task, hits in named.items():
        record_property("table", f"{task:40s} {sum(hits):3d} of {len(hits)} wrong answers named")
    every = [hit for hits in named.values() for hit in hits]
    record_property("table", f"{'all':40s} {sum(every):3d} of {len(every)}")
    assert sum(every) >= 0.8 * len(every)
