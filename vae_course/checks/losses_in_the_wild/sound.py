"""Task 4: -ELBO with a σ of the learner's choice."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import kind, require, require_something, run
from vae_course.checks.judging.verdict import agree

NAMES = ("x", "y", "mean", "log_var")
SIZES = (((1, 3, 4), 5, 4), ((12,), 3, 6), ((2, 2, 3), 2, 3))
FLAT = "Another y leaves it as it is: where is the likelihood?"
FAR = "It stands for σ = {:.3g}. Choose one from 0.01 to 0.5, for pixels from 0 to 1."


def loss(x, y, mean, log_var, *, std=0.1, over="sum", latents="sum", beta=1.0, constants=1.0,
         log_std=1.0, half=0.5, log=1.0, batch="mean", sign=1, by=1.0):  # fmt: skip
    """-ELBO of a Gaussian with σ = `std`, with knobs."""
    constant = log_std * math.log(std) + math.log(2 * math.pi) / 2
    each = half * (x - y).square() / std**2 + constants * constant
    kl = (mean.square() + (by * log_var).exp() - 1 - log * log_var) / 2
    terms = getattr(each.flatten(1), over)(1) + beta * getattr(kl.flatten(1), latents)(1)
    return sign * getattr(terms, batch)()


KNOBS = {
    "The squares and constants are a mean over pixels. A pixel's nats add up.": {"over": "mean"},
    "The KL is a mean over latents. Each latent costs.": {"latents": "mean"},
    "It is summed over the batch, and should be averaged.": {"batch": "sum"},
    "It rises as the model gets better: this is the ELBO. Which sign has a loss?": {"sign": -1},
    "The constants of the Gaussian are left out.": {"constants": 0.0},
    "The constant log σ is left out.": {"log_std": 0.0},
    "log σ² stands where log σ belongs.": {"log_std": 2.0},
    "The KL counts twice.": {"beta": 2.0},
    "The KL counts half.": {"beta": 0.5},
    "There is no KL in it.": {"beta": 0.0},
    "In the KL, the sign of log σ² is wrong.": {"log": -1.0},
    "In the KL, the logarithm has a factor 2 too many: `log_var` is log σ².": {"log": 2.0},
    "The KL takes log σ² for log σ.": {"log": 2.0, "by": 2.0},
}


@trial(
    slips={says: partial(loss, **knobs) for says, knobs in KNOBS.items()},
    praise="It is -ELBO, in nats of one example. Now let the doctor look.",
)
def sound(answer: Callable, seed: int | None) -> None:
    """`answer(x, y, mean, log_var)`: -ELBO for a σ of the learner's choice, constants included.

    The σ is read from what one unit of squared error costs.
    """
    cases = batches(seed)
    rises = [rise(answer, case) for case in cases]
    std = std_of(rises, cases)
    slips = {
        says: partial(loss, std=std_of(rises, cases, **knobs), **knobs)
        for says, knobs in KNOBS.items()
    }

    def right(x: Tensor, y: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        nll = -Normal(y, std).log_prob(x).flatten(1).sum(1)
        kl = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0))
        return (nll + kl.flatten(1).sum(1)).mean()

    agree(answer, right, cases, slips, gradients=("y", "mean", "log_var"), within=1e-4)
    require(0.0099 <= std <= 0.505, FAR.format(std))


def batches(seed: int | None) -> list[tuple[Tensor, ...]]:
    g = fresh(seed)
    return [
        (
            uniform(g, n, *shape),
            uniform(g, n, *shape),
            normal(g, n, latents),
            uniform(g, n, latents, low=-2.0, high=1.0),
        )
        for shape, latents, n in SIZES
    ]


def rise(answer: Callable, case: tuple[Tensor, ...]) -> float:
    """How much dearer y is than x itself."""
    x, y, *rest = case
    values = []
    for decoded in (y, x):
        value = run(answer, (x, decoded, *rest), NAMES)
        require_something(value)
        right = isinstance(value, Tensor) and value.ndim == 0
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else kind(value)
        require(right, f"Return one number, a tensor without dimensions. Yours is {got}.")
        values.append(value.item())
    difference = values[0] - values[1]
    require(math.isfinite(difference) and abs(difference) > 1e-12, FLAT)
    return difference


def std_of(rises: list[float], cases: list[tuple[Tensor, ...]], **knobs) -> float:
    """The σ for which the formula with these knobs rises as the answer does."""
    known = [
        loss(*case, std=1.0, **knobs) - loss(case[0], *case[:1], *case[2:], std=1.0, **knobs)
        for case in cases
    ]
    ratios = torch.stack(known).abs() / torch.tensor(rises, dtype=torch.float64).abs()
    return ratios.median().sqrt().item()
