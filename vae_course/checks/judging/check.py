"""`Check`: an oracle with inputs and named slips, to be called with a learner's function.

The oracle has the signature that the answer must have. A slip is what a learner who made that
mistake has written: a function of the same arguments.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import update_wrapper

from vae_course.checks.judging.naming import Slips, Tolerance, mistakes_of_parts, same
from vae_course.checks.judging.running import as_tensors, praise, require, run
from vae_course.checks.judging.together import Given, Then, Turned
from vae_course.checks.judging.verdict import agree

FURTHER = range(1, 4)  # seeds of further cases, which help to say what is wrong


class Check:
    """`check(answer, seed=None)` prints praise, or raises NotYet with a diagnosis.

    cases    seed -> arguments on which to compare, a list of tuples
    slips    what to say -> what such a learner's function computes; tried in this order, and then
             in pairs; `Then(change)` and `Given(change)` change what the oracle gives or gets
    praise   for a right answer
    read     the learner's function -> a function of a case, where it is not one already
    before   (answer, cases) -> None: raises NotYet for what must be said before values are compared
    otherwise  (tried) -> what to say where no slip explains the results, or None
    extreme  seed -> more cases, on which every difference gets the diagnosis `astray`; `strictly`
             is the tolerance there
    results  names of the results, where there are several
    ordered  whether their order and signs are the learner's, and so may be wrong
    names    of the arguments, for messages; none where `read` stands between, unless they are given
    `gradients` and `within` as in `agree`.
    """

    def __init__(
        self,
        right: Callable,
        *,
        cases: Callable,
        praise: str,
        slips: Slips | None = None,
        read: Callable | None = None,
        before: Callable | None = None,
        otherwise: Callable | None = None,
        extreme: Callable | None = None,
        astray: str = "",
        strictly: float = 1e-6,
        results: Sequence[str] = (),
        ordered: bool = True,
        names: Sequence[str] | None = None,
        gradients: Sequence[str] = (),
        within: Tolerance = 1e-5,
    ):
        self.right, self.cases, self.praise = right, cases, praise
        self.read, self.before = read, before
        self.extreme, self.astray, self.strictly = extreme, astray, strictly
        known = (slips or {}) | mistakes_of_parts(right, results if ordered else ())
        self.slips = {
            says: slip.on(right) if isinstance(slip, Then | Given) and not slip.function else slip
            for says, slip in known.items()
        }
        self.how = {
            "names": () if read and names is None else names,
            "results": results,
            "gradients": gradients,
            "otherwise": otherwise,
            "within": within,
        }
        update_wrapper(self, right)

    def __call__(self, answer: Callable, *, seed: int | None = None) -> None:
        self.judge(self.read(answer) if self.read and callable(answer) else answer, seed=seed)
        praise(self.praise)

    def judge(self, answer: Callable, *, seed: int | None = None) -> None:
        """Raise NotYet unless `answer`, a function of a case, does what the oracle does."""
        cases = self.cases(seed)
        if self.before and callable(answer):
            self.before(answer, cases)
        agree(answer, self.right, cases, self.slips, more=lambda: self._more(seed), **self.how)
        if self.extreme:
            self._be_safe(answer, self.extreme(seed))

    def _be_safe(self, answer: Callable, cases: list[tuple]) -> None:
        names = self.how["names"]
        names = list(inspect.signature(self.right).parameters) if names is None else names
        for case in cases:
            want = as_tensors(self.right(*case))
            got = as_tensors(run(answer, case, names), len(want))
            require(same(got, want, self.strictly), self.astray)
        agree(answer, self.right, cases, **self.how)

    def _more(self, seed: int | None) -> list[tuple]:
        seeds = [None if seed is None else seed + k for k in FURTHER]
        return [case for further in seeds for case in self.cases(further)]


def check(**how) -> Callable[[Callable], Check]:
    """Decorates an oracle."""
    return lambda right: Check(right, **how)


class Trial:
    """The same for a task with many right answers: no oracle, but properties that must hold.

    `properties(answer, seed)` raises NotYet where one of them does not, and may return the praise;
    `slips` as in `Check`, each of them what such a learner has written.
    """

    def __init__(self, properties: Callable, *, praise: str = "", slips: Slips | None = None):
        self.properties, self.praise, self.slips = properties, praise, slips or {}
        update_wrapper(self, properties)

    def __call__(self, answer: Callable, *, seed: int | None = None) -> None:
        praise(self.judge(answer, seed=seed) or self.praise)

    def judge(self, answer: Callable, *, seed: int | None = None) -> str | None:
        """Raise NotYet unless `answer` has the properties; the praise, if they give one."""
        return self.properties(answer, seed)


def trial(**how) -> Callable[[Callable], Trial]:
    """Decorates the properties."""
    return lambda properties: Trial(properties, **how)


def turned(formula: Callable, reduce: Callable) -> Callable:
    """`slip(log=0)` is `formula` with one of its knobs turned; `reduce` sums what it gives."""
    return lambda change=None, **knobs: Turned(formula, reduce, change, knobs)


def part(index: int, value: Callable) -> Callable:
    """`slip(right)` gives the right results, but for one, which is `value(*case)`."""
    return lambda right: (
        lambda *case: tuple(
            value(*case) if i == index else result for i, result in enumerate(right(*case))
        )
    )
