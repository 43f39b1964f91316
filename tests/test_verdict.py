"""The machinery under the checks, with a task of its own: double and add one."""

import pytest
import sympy
import torch

from vae_course.checks import NotYet
from vae_course.checks.judging.check import check
from vae_course.checks.judging.expressions import evaluated
from vae_course.checks.judging.running import as_tensors, describe, run
from vae_course.checks.judging.verdict import agree

CASES = [(torch.tensor([1.0, 2.0]).double(),), (torch.tensor([3.0, -1.0, 4.0]).double(),)]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def right(x):
    return 2 * x + 1


def verdict(answer, oracle=right, cases=CASES, mistakes=None, **how):
    with pytest.raises(NotYet) as caught:
        agree(answer, oracle, cases, mistakes, **how)
    assert str(caught.value).startswith("✗")
    return str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        right,
        lambda x: x + x + 1,
        lambda x: [2 * number + 1 for number in x],
        lambda x: [2 * number.item() + 1 for number in x],
        lambda x: 2 * x.numpy() + 1,
        lambda x: 2 * x.to(DEVICE) + 1,
    ],
)
def test_a_right_answer_in_any_dress(answer):
    agree(answer, right, CASES)


def test_a_list_is_as_good_as_a_tuple():
    agree(lambda x: [x, x.sum()], lambda x: (x, x.sum()), CASES)
    assert len(as_tensors([1.0, 2.0])) == 1


@pytest.mark.parametrize(
    "answer, part",
    [
        (lambda x: -2 * x - 1, "sign"),
        (lambda x: 4 * x + 2, "twice"),
        (lambda x: x + 0.5, "half"),
        (lambda x: (2 * x + 1).sum(0), "summed over the batch"),
        (lambda x: (2 * x + 1).mean(0), "averaged over the batch"),
        (lambda x: 2 * x, "too low by the same number everywhere, between 1 and 10"),
        (lambda x: 3 * (2 * x + 1), "times the same number everywhere, between 1 and 10"),
        (lambda x: -(2 * x + 1) / 30, "between 0.01 and 0.1, and negative"),
        (lambda x: 2 * x[:1] + 1, r"must have shape (2,), but yours has (1,)"),
        (lambda x: (2 * x + 1)[None], r"must have shape (2,), but yours has (1, 2)"),
        (lambda x: (2 * x + 1).float(), "float64 came in"),
        (lambda x: 2 * x + 1 + 0 * x.log(), "NaN"),
        (lambda x: 2 * x + 1 + (len(x) == 3), "depends on these"),
        (lambda x: x.mul_(2).add_(1), "in place"),
        (lambda x: x**2, "Yours begins with 1 for x of shape (2,)"),
        (lambda x: None, "returns None"),
        (lambda x: {}, "returns a dict"),
        (lambda x: x / "2", "TypeError"),
    ],
)
def test_what_is_said_of_a_wrong_answer(answer, part):
    assert part in verdict(answer)


def test_the_same_sizes_are_not_blamed():
    cases = [(torch.tensor([1.0, 2.0]),), (torch.tensor([-1.0, 2.0]),)]
    assert "wrong for others of the same size" in verdict(lambda x: 2 * x.abs() + 1, cases=cases)


def test_a_value_at_fault_is_found_by_further_inputs():
    def more():
        return [(torch.tensor([a, b]).double(),) for a in (-2.0, 0.5, 7.0) for b in (1.0, 8.0)]

    cases = [(torch.tensor([1.0, 2.0]).double(),), (torch.tensor([3.0, 9.0, 4.0]).double(),)]
    said = verdict(lambda x: 2 * x.clamp(max=5) + 1, cases=cases, more=more)
    assert "same size" in said and "where `x` is large" in said
    said = verdict(lambda x: 2 * x + 1 + (len(x) == 3), cases=cases, more=more)
    assert "depends on these" in said


def test_the_result_that_is_wrong_is_shown():
    said = verdict(lambda x: (x, x**2), lambda x: (x, x**3))
    assert "Result 1 is right. But result 2 is not: too large in some places" in said
    pair = {"results": ("the slope", "the bend"), "names": ()}
    said = verdict(lambda x: (x + 1, x), lambda x: (x, x), **pair)
    assert "The bend is right. But the slope is not: too large everywhere." in said
    assert "Return 2 things, in a tuple: the slope, the bend; yours is one alone" in verdict(
        lambda x: x, lambda x: (x, x), **pair
    )


def test_no_message_holds_the_difference():
    # Who is told how far off a constant is can subtract it.
    assert "7.25" not in verdict(lambda x: 2 * x + 8.25)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: 2 * x.detach() + 1,
        lambda x: torch.tensor(x.tolist()).double() * 2 + 1,
        lambda x: 2 * x.numpy() + 1,
    ],
)
def test_no_gradient_is_said_and_not_raised(answer):
    assert "no gradient reaches `x`" in verdict(answer, gradients=("x",))


def test_a_gradient_of_nan_is_not_called_detached():
    said = verdict(lambda x: 2 * x + 1 + (0 * x).sqrt(), gradients=("x",))
    assert "the gradient in `x` holds NaN" in said and "detached" not in said


def test_a_gradient_is_asked_for_in_every_case():
    def first(x):
        return 2 * (x if len(x) == 3 else x.detach()) + 1

    assert "no gradient" in verdict(first, gradients=("x",))


def test_gradients_of_two_results_do_not_cancel():
    def swapped(x):
        return x.detach() + 2 * x - 2 * x.detach(), -x.detach() + 0 * x

    assert "gradient in `x` is not" in verdict(swapped, lambda x: (x, -x), gradients=("x",))


def test_part_of_a_gradient_is_not_enough():
    assert "part of it is detached" in verdict(lambda x: x + x.detach() + 1, gradients=("x",))


def test_a_known_mistake_is_named():
    mistakes = {"You forgot to double.": lambda x: x + 1}
    assert "You forgot to double." in verdict(lambda x: 1 + x, mistakes=mistakes)


def test_order_and_sign_of_results_come_for_free():
    oracle = check(
        cases=lambda seed: CASES, praise="", results=("the slope", "the bend"),
        slips={"Not doubled.": lambda x: (x, 1 + x**3)},
    )(lambda x: (2 * x, 1 + x**3))  # fmt: skip
    for answer, part in (
        (lambda x: (1 + x**3, 2 * x), "first the slope"),
        (lambda x: (2 * x, -1 - x**3), "sign of the bend"),
        (lambda x: (1 + x**3, x), "Not doubled. And: They stand in the wrong order"),
        (lambda x: (x, -1 - x**3), "Not doubled. And: The sign of the bend"),
    ):
        with pytest.raises(NotYet, match=part):
            oracle(answer)


def test_the_stub_that_was_met_is_named():
    def first_task(x):
        raise NotImplementedError

    assert "`first_task` is not written yet" in verdict(lambda x: first_task(x))
    assert "`first_task` is not written yet" in verdict(first_task)
    unsupported = lambda x: (_ for _ in ()).throw(NotImplementedError("no such operator"))  # noqa: E731
    assert "no such operator" in verdict(unsupported)


def test_the_learners_random_numbers_are_left_alone():
    before = torch.random.get_rng_state()
    run(lambda x: x + torch.randn(2), CASES[0], ("x",))
    assert torch.equal(before, torch.random.get_rng_state())


def test_arguments_in_words():
    case = (torch.ones(2, 3), torch.tensor(1.5), 3, True, (1, 28, 28), "sum", right)
    assert describe(case, "abcdefg") == (
        "a of shape (2, 3), b = 1.5, c = 3, d = True, e = (1, 28, 28), f = 'sum'"
    )
    assert describe((right,), ("f",)) == "its arguments"


def test_foreign_symbols_are_refused_even_under_the_same_name():
    with pytest.raises(NotYet, match="mu"):
        evaluated(lambda mu, sigma: (sympy.Symbol("mu"),), 1)(*CASES[0], *CASES[0])
    (value,) = evaluated(lambda mu, sigma: (sympy.Derivative(mu**2, mu),), 1)(*CASES[0], *CASES[0])
    assert torch.equal(value, 2 * CASES[0][0])


def test_draws_are_told_where_none_are_asked_for():
    cases = [(torch.tensor([1.0, 2.0]),)]
    assert "from draws" in verdict(lambda x: 2 * x + torch.rand(2), cases=cases)
    assert "from draws" not in verdict(lambda x: 2 * x + torch.arange(2), cases=cases)

    def drawn(x):
        return x + torch.rand(2)

    assert "from draws" not in verdict(lambda x: drawn(x) ** 2, drawn, cases=cases)
