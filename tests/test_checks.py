"""Every check: right answers of every style pass, wrong ones get the name of their mistake."""

import importlib
import inspect
import os
import pkgutil
from collections import defaultdict

import answers
import numpy as np
import pytest
import sympy
import torch

from vae_course.checks import NotYet

PAGES = sorted(module.name for module in pkgutil.iter_modules(answers.__path__))
SEEDS = int(os.environ.get("VAE_COURSE_CHECK_SEEDS", 8))  # 200 once a week


def checks_of(page):
    module = importlib.import_module(f"vae_course.checks.{page}")
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    functions = inspect.getmembers(module, inspect.isfunction)  # not yet one file a task
    return {
        name: function
        for name, function in functions
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def some_now(few, rest):
    """Which seeds to try: a few always, the rest once a week."""
    more = pytest.param(range(few, few + rest), marks=[pytest.mark.slow, pytest.mark.weekly])
    return pytest.mark.parametrize("seeds", [range(few), more], ids=["few", "more"])


TRAIN = {("autoencoders", "nonlinear"), ("from_ae_to_vae", "build")}  # each answer, so: slow


def cases(kind):
    """(page, task, entry) for every answer of a kind, RIGHT or WRONG."""
    return [
        pytest.param(
            *(page, task, entry),
            id=f"{page}-{task}-{number}",
            marks=[pytest.mark.slow] * ((page, task) in TRAIN),
        )
        for page in PAGES
        for task, listed in getattr(importlib.import_module(f"answers.{page}"), kind).items()
        for number, entry in enumerate(listed)
    ]


TASKS = [(page, task) for page in PAGES for task in checks_of(page)]


def slips_of(page, task):
    """What to say -> a wrong answer of that kind."""
    return getattr(checks_of(page)[task], "slips", {})


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
    assert len(tried.RIGHT[task]) >= 3
    assert len(tried.WRONG[task]) + len(slips_of(page, task)) >= 6


@some_now(1, 9)
@pytest.mark.parametrize("page, task, answer", cases("RIGHT"))
def test_right_answers_pass(page, task, answer, seeds, capsys):
    for seed in seeds:
        checks_of(page)[task](answer, seed=seed)
    assert capsys.readouterr().out.count("✓") == len(seeds)


@pytest.mark.slow
@pytest.mark.parametrize("page, task", TASKS)
def test_no_seed_gives_a_false_verdict(page, task):
    check, tried = checks_of(page)[task], importlib.import_module(f"answers.{page}")
    most = getattr(tried, "SEEDS", {}).get(task, 200)  # fewer where a check trains
    for seed in range(max(2, most * SEEDS // 200)):
        check(tried.RIGHT[task][0], seed=seed)
        with pytest.raises(NotYet):
            check(tried.WRONG[task][seed % len(tried.WRONG[task])][0], seed=seed)


@some_now(1, 4)
@pytest.mark.parametrize("page, task, entry", cases("WRONG"))
def test_wrong_answers_fail_by_name(page, task, entry, seeds):
    answer, part = entry  # what its diagnosis must say, or None where it has none
    for seed in seeds:
        with pytest.raises(NotYet) as caught:
            checks_of(page)[task](answer, seed=seed)
        assert part is None or part in str(caught.value)


SLIPS = [
    pytest.param(check, says, slip, id=f"{page}-{task}-{number}")
    for page, task in TASKS
    for check in [checks_of(page)[task]]
    for number, (says, slip) in enumerate(slips_of(page, task).items())
]


@some_now(1, 2)
@pytest.mark.parametrize("check, says, slip", SLIPS)
def test_a_slip_is_told_by_its_own_sentence(check, says, slip, seeds):
    for seed in seeds:
        with pytest.raises(NotYet) as caught:
            check.judge(slip, seed=seed)
        assert says in str(caught.value)


# A right answer with one part of its result 2 % too large is wrong. Where there is more room, why?
LOOSE = {  # tried with 10 %
    ("blur", "noise_std"): "4 % are allowed, as the task says",
    ("from_ae_to_vae", "loss"): "one draw of z for each picture leaves noise",
    ("from_ae_to_vae", "sample"): "its two widths are measured on draws",
}
FREE = {
    ("autoencoders", "nonlinear"): "any network that learns will do",
    ("from_ae_to_vae", "build"): "any VAE that learns will do",
    ("from_ae_to_vae", "typical_and_bright"): "any z of a range will do",
    ("reparameterization", "counter_example"): "a factor makes it no worse",
    ("posterior_collapse", "diagnosis"): "its results are words",
    ("questions", "reductions"): "its results are words",
    ("faces", "slip"): "its results are words",
}
SLOPES = {("reparameterization", "surrogate")}  # judged by its slopes; its value is free


def off(result, factor, slopes):
    """A result times `factor`; a whole number plus one; of a function, what it returns.

    Gradients stay right without `slopes`: a value must be found wrong by itself.
    """
    if isinstance(result, list):
        return [off(part, factor, slopes) for part in result]
    if callable(result):
        return lambda *given: off(result(*given), factor, slopes)
    if isinstance(result, int) or getattr(result, "dtype", None) == torch.int64:
        return result + 1
    assert isinstance(result, torch.Tensor | np.ndarray | float | sympy.Expr)
    if slopes or not isinstance(result, torch.Tensor):
        return factor * result
    return result + (factor - 1) * result.detach()


def with_part_off(answer, part, *how):
    def nearly(*given):
        result = answer(*given)
        if not isinstance(result, tuple):
            return off(result, *how)
        return tuple(off(r, *how) if i == part else r for i, r in enumerate(result))

    return nearly


def parts_of(check, answer):
    """Of how many parts the result is."""
    sizes = []

    def noted(*given):
        result = answer(*given)
        sizes.append(len(result) if isinstance(result, tuple) else 1)
        return result

    check(noted, seed=0)
    return max(sizes)


@some_now(1, 4)
@pytest.mark.parametrize("page, task", [task for task in TASKS if task not in FREE])
def test_near_misses_fail(page, task, seeds):
    check, right = checks_of(page)[task], importlib.import_module(f"answers.{page}").RIGHT[task][0]
    how = 1.1 if (page, task) in LOOSE else 1.02, (page, task) in SLOPES
    for part in range(parts_of(check, right)):
        for seed in seeds:
            with pytest.raises(NotYet) as caught:
                check(with_part_off(right, part, *how), seed=seed)
            assert "stopped with" not in str(caught.value)  # it was judged, it did not crash


def test_room_is_given_to_tasks_that_are_there():
    assert {*LOOSE, *FREE, *SLOPES, *TRAIN} <= set(TASKS) and not {*LOOSE} & {*FREE}


@pytest.mark.parametrize("page, task", TASKS)
def test_what_is_no_answer_gets_a_message(page, task):
    for answer, part in ANYWHERE:
        with pytest.raises(NotYet, match=part):
            checks_of(page)[task](answer, seed=0)


def test_four_of_five_wrong_answers_are_named(record_property):
    """80 % is what is promised. That each name is given, the tests above show."""
    named = defaultdict(list)
    for page, task in TASKS:
        named[f"{page}.{task}"] += [True] * len(slips_of(page, task))
    for case in cases("WRONG"):
        page, task, (_, part) = case.values
        named[f"{page}.{task}"].append(part is not None)
    for task, hits in named.items():
        record_property("table", f"{task:40s} {sum(hits):3d} of {len(hits)} wrong answers named")
    every = [hit for hits in named.values() for hit in hits]
    record_property("table", f"{'all':40s} {sum(every):3d} of {len(every)}")
    assert sum(every) >= 0.8 * len(every)
