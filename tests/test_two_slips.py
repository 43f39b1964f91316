"""Two slips in one answer are both named, whichever way one comes on top of the other."""

import pytest

from vae_course.checks import NotYet
from vae_course.checks.judging.check import Check, turned
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Given, Then


def cases(seed):
    g = fresh(seed)
    return [(normal(g, *size), normal(g, *size)) for size in ((2, 3), (4, 2))]


def formula(a, b, *, two=2.0, power=2):
    return two * a**power + b


def right(a, b):
    return (2 * a**2 + b).sum(1), (a * b.exp()).mean()


slip = turned(formula, lambda each: each.sum(1))
SLIPS = {
    "no two": lambda a, b: (formula(a, b, two=1.0).sum(1), right(a, b)[1]),
    "no b": lambda a, b: (formula(a, 0 * b).sum(1), right(a, b)[1]),
    "averaged": Then(lambda both: (both[0] / 3, both[1])),
    "rooted": Then(lambda both: (both[0].abs().sqrt(), both[1])),
    "swapped": Given(lambda a, b: (b, a)),
    "second a sum": lambda a, b: (right(a, b)[0], (a * b.exp()).sum()),
    "second in another shape": lambda a, b: (right(a, b)[0], (a * b.exp()).mean(0)),
}
TOLD = [
    (lambda a, b: ((a**2).sum(1), right(a, b)[1]), ("no two", "no b")),  # terms
    (lambda a, b: ((2 * a**2 + b).sum(1) / 3, right(a, b)[1]), ("averaged",)),
    (lambda a, b: ((a**2 + b).sum(1) / 3, right(a, b)[1]), ("no two", "averaged")),  # factors
    (lambda a, b: ((2 * b**2 + a).sum(1) / 3, right(b, a)[1]), ("swapped", "averaged")),
    (lambda a, b: ((2 * b**2).sum(1), right(b, a)[1]), ("swapped", "no b")),
    (lambda a, b: ((a**2 + b).sum(1).abs().sqrt(), right(a, b)[1]), ("no two", "rooted")),
    (lambda a, b: ((a**2 + b).sum(1), (a * b.exp()).sum()), ("no two", "second a sum")),
    (lambda a, b: ((a**2 + b).sum(1), (a * b.exp()).mean(0)), ("no two", "another shape")),
]


@pytest.mark.parametrize("answer, told", TOLD)
def test_both_are_named(answer, told):
    check = Check(right, cases=cases, slips=SLIPS, praise="Right.")
    for seed in range(5):
        with pytest.raises(NotYet) as caught:
            check(answer, seed=seed)
        assert all(part in str(caught.value) for part in told)
        assert ("two slips" in str(caught.value)) == (len(told) == 2)


def test_knobs_of_one_formula_are_turned_together():
    slips = {"no two": slip(two=1.0), "cubed": slip(power=3), "averaged": slip(lambda e: e.mean(1))}
    check = Check(slip(), cases=cases, slips=slips, praise="Right.")
    for answer, told in (
        (lambda a, b: (a**3 + b).sum(1), ("no two", "cubed")),
        (lambda a, b: (2 * a**3 + b).mean(1), ("cubed", "averaged")),
    ):
        with pytest.raises(NotYet) as caught:
            check.judge(answer, seed=0)
        assert all(part in str(caught.value) for part in told)


def test_three_slips_and_strange_formulas_are_not_taken_for_two():
    check = Check(right, cases=cases, slips=SLIPS, praise="Right.")
    for strange in (
        lambda a, b: ((a**2).sum(1) / 3, right(a, b)[1]),
        lambda a, b: ((2 * a**2 + b.sin()).sum(1), right(a, b)[1]),
        lambda a, b: ((a**2 + b).sum(1), (a * b).mean()),
    ):
        with pytest.raises(NotYet) as caught:
            check(strange, seed=0)
        assert "two slips" not in str(caught.value)


def test_what_slips_change_is_computed_once():
    """A learner waits for this: a search for pairs asks for the right results again and again."""
    calls = []

    def counted(a, b):
        calls.append(a)
        return right(a, b)

    changes = {f"times {n}": Then(lambda both, n=n: (n * both[0], both[1])) for n in range(3, 40)}
    check = Check(counted, cases=cases, slips=changes, praise="Right.")
    with pytest.raises(NotYet, match="The shapes are right"):
        check(lambda a, b: (right(a, b)[0].exp(), right(a, b)[1]), seed=0)
    assert len(calls) < len(changes)  # one for each case, and a few to compare and to describe
