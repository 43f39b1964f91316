"""Task 4: log p(x) by a sum over one latent."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.verdict import same

ASTRAY = (
    "It is right for a joint near 1, but not near e^-2000 or e^1000, which no float can hold. Stay "
    "with logarithms all the way."
)


class Joint:
    """log p(x, z) over z: humps, plus a log evidence. It remembers where it was asked."""

    def __init__(self, centres: Tensor, stds: Tensor, logs: Tensor, evidence: float):
        self.hump, self.logs, self.evidence = Normal(centres, stds), logs.log_softmax(0), evidence
        self.asked: list[Tensor] = []

    def __call__(self, z):
        z = torch.as_tensor(z, dtype=torch.float64)
        self.asked.append(z.detach().flatten())
        return self.evidence + (self.hump.log_prob(z[..., None]) + self.logs).logsumexp(-1)

    def grid(self) -> tuple[Tensor, float]:
        """Where it was asked last, in order, and the step; or a grid of its own."""
        z = torch.cat(self.asked).unique() if self.asked else torch.linspace(-8, 8, 1001).double()
        return z, (z[-1] - z[0]).item() / max(len(z) - 1, 1)


def mixture(g: torch.Generator, evidence: float) -> Joint:
    """Three humps; one of them is as narrow as a joint may be."""
    centres = torch.cat([-uniform(g, 1, low=2.5, high=3.2), uniform(g, 2, low=-2, high=3.2)])
    stds = torch.cat([uniform(g, 1, low=0.7, high=0.9), uniform(g, 2, low=0.2, high=0.9)])
    return Joint(centres, stds, normal(g, 3, scale=0.5), evidence)


def ordinary(seed: int | None) -> list[tuple[Joint]]:
    g = fresh(seed)
    offsets = uniform(g, 3) * 5 + torch.tensor([-8.0, -20.0, 3.0])
    return [(mixture(g, offset.item()),) for offset in offsets]


def extreme(seed: int | None) -> list[tuple[Joint]]:
    g = fresh(seed)
    return [(mixture(g, offset),) for offset in (-2000.0, 1000.0)]


def require_steps(answer: Callable, cases: list[tuple[Joint]]) -> None:
    """No draws; and points close enough for a hump of width 0.1, at several places."""
    first, second = (as_tensors(run(_seeded(answer, n), cases[0], ())) for n in (1, 2))
    require(
        same(first, second, 1e-9),
        "Your answer changes from call to call, so it is made of draws. With one latent a sum over "
        "evenly spaced z is far more accurate.",
    )
    [(joint,)] = cases[:1]
    if not same(first, as_tensors(evidence.right(joint)), 1e-6):
        return  # it has a message of its own
    for place in torch.linspace(-0.08, 0.08, 5).tolist() + [5.0, -6.5, 7.2]:
        hump = Joint(
            torch.tensor([place]).double(), torch.tensor([0.1]).double(), torch.zeros(1), 0.0
        )
        (found,) = as_tensors(run(answer, (hump,), ()))
        require(
            abs(found.item()) < 1e-4,
            "It is right for wide humps, but not for every one of width 0.1, which lie anywhere "
            "between -8 and 8. Are your points close enough, and do they reach far enough?",
        )


def _seeded(answer: Callable, seed: int) -> Callable:
    def draw(joint):
        torch.manual_seed(seed)
        return answer(joint)

    return draw


def twice_the_prior(joint: Joint) -> Tensor:
    z = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    inside = joint.evidence + (joint.hump.log_prob(z[:, None]) + joint.logs).logsumexp(-1)
    return (inside + Normal(0.0, 1.0).log_prob(z)).logsumexp(0) + math.log(0.01)


def off_by(change: Callable) -> Callable:
    """log p(x) and `change(number of points, step)` of the grid on which the learner asked."""

    def slip(joint):
        z, step = joint.grid()
        return torch.tensor(joint.evidence + change(len(z), step), dtype=torch.float64)

    return slip


SLIPS = {
    "You weighted the joint with p(z). The joint holds p(z) already.": twice_the_prior,
    "This is the integral itself. Its logarithm is missing.": (
        lambda joint: torch.tensor(math.exp(joint.evidence)).double()
    ),
    "This integrates N(z; 0, 1) alone: `log_joint` is not used.": lambda joint: torch.zeros(()),
    "The heights are added, but a strip has a width, too.": off_by(lambda n, step: -math.log(step)),
    "The heights are averaged. An integral is their sum times the width of a strip.": (
        off_by(lambda n, step: -math.log(step) - math.log(n))
    ),
    "The heights are averaged, over their number less one. An integral is their sum times the "
    "width of a strip.": off_by(lambda n, step: -math.log(step) - math.log(n - 1)),
    "The width enters with the wrong sign: a product is a sum of logarithms.": (
        off_by(lambda n, step: -2 * math.log(step))
    ),
    "The width enters twice.": off_by(lambda n, step: math.log(step)),
    "The width is not in the logarithm: inside the sum it is a factor, so its log is added.": (
        off_by(lambda n, step: step - math.log(step))
    ),
    "The width is a little too small: n points have n - 1 gaps between them.": (
        off_by(lambda n, step: math.log((n - 1) / n))
    ),
    "The width is a little too large: n points have n - 1 gaps between them.": (
        off_by(lambda n, step: math.log((n + 1) / n))
    ),
    "You multiply by the whole length of the grid, not by the width of a strip.": (
        off_by(lambda n, step: math.log(n - 1))
    ),
    "This is the largest value of the joint, not its integral.": (
        lambda joint: (
            joint.evidence
            + (joint.hump.log_prob(joint.grid()[0][:, None]) + joint.logs).logsumexp(-1)
        ).max()
    ),
}


@check(
    cases=ordinary,
    before=require_steps,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    within=1e-6,
    praise="You have integrated numbers as small as e^-2000. With ten latents this would not do.",
)
def evidence(log_joint: Joint) -> Tensor:
    """log ∫ p(x, z) dz of a function (N,) -> (N,), for one picture and one latent."""
    return torch.tensor(log_joint.evidence, dtype=torch.float64)
