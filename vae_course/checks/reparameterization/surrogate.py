"""Task 5: a loss that is only good for its slopes, which are looked at one by one."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import describe, kind, require, require_something, run
from vae_course.checks.judging.together import Then
from vae_course.checks.judging.wording import Tried

NAMES = ("reward", "log_q")


def draws(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """(reward, log_q), (draws, batch) each; at last rewards of hundreds of nats."""
    g = fresh(seed)
    shapes = ((2, 3, 3.0), (4, 2, 3.0), (3, 5, 3.0), (5, 5, 300.0))
    return [
        (normal(g, *s, scale=scale) + 4 * normal(g, 1), normal(g, *s) - 3) for *s, scale in shapes
    ]


def of_many_latents(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """The same where exp(log q) is 0 in every float, and where it is infinite."""
    g = fresh(seed)
    return [(normal(g, 3, 2, scale=3.0), normal(g, 3, 2, scale=10.0) + far) for far in (-2e3, 2e3)]


def pulled(answer: Callable) -> Callable:
    """`answer`'s slopes in log_q and in reward; 0 where there is none."""

    def slopes(reward, log_q):
        _require_plain(answer, (reward, log_q))
        given = [part.clone().requires_grad_() for part in (log_q, reward)]
        loss = answer(given[1], given[0])
        require(
            loss.requires_grad,
            "No slope reaches `log_q`: the whole loss is detached. Detach what counts as a number.",
        )
        found = torch.autograd.grad(loss, given, allow_unused=True)
        require(found[0] is not None, "No slope reaches `log_q`: it is detached, or not used.")
        return tuple(torch.zeros_like(log_q) if part is None else part for part in found)

    return slopes


def _require_plain(answer: Callable, case: tuple) -> None:
    """One number comes back, and the arguments are left as they were."""
    loss = run(answer, case, NAMES)
    require_something(loss)
    require(
        isinstance(loss, Tensor), f"A loss is a tensor, but your function returns {kind(loss)}."
    )
    require(
        loss.shape == (),
        f"A loss is one number, but yours has shape {tuple(loss.shape)}. Average over draws and "
        "pictures at the end.",
    )


def others(reward):
    """The average of the other draws of a picture."""
    return (reward.sum(0) - reward) / (len(reward) - 1)


def _other_pictures(reward):
    return (reward.sum(1, keepdim=True) - reward) / max(reward.shape[1] - 1, 1)


def none(reward):
    return 0 * reward


def written(reward, log_q, *, baseline=others, detached="all", spread=False, of_q=None, over=None):
    """The slopes of a loss, with knobs. `over`: what is done with (draws, batch) numbers."""

    def loss(reward, log_q):
        fixed = reward.detach()
        less = reward if detached in ("nothing", "baseline") else fixed
        taken = baseline(reward if detached in ("nothing", "reward") else fixed)
        inside = (less - taken) / (fixed.std(0) if spread else 1)
        return (over or torch.mean)(-inside * (of_q(log_q) if of_q else log_q))

    return pulled(loss)(reward, log_q)


slip = turned(written, lambda slopes: slopes)
ITSELF = (
    "The baseline holds the draw's own reward, so it depends on the draw that it judges. The "
    "estimate is then wrong on average: leave this draw out."
)
SLIPS = {
    "The slope has the wrong sign: the optimizer goes downhill, the reward must go up.": (
        Then(lambda found: (-found[0], found[1]))
    ),
    "The reward is not detached: log q would become a weight in the slope of the decoder.": (
        slip(detached="nothing")
    ),
    "The baseline is detached, but the reward is not: log q would become a weight in the slope of "
    "the decoder.": slip(detached="baseline"),
    "The reward is detached, but the baseline is not, and it is made of rewards.": (
        slip(detached="reward")
    ),
    "The baseline is the average of all draws. " + ITSELF: slip(baseline=lambda r: r.mean(0)),
    "The baseline is the average of everything. " + ITSELF: slip(baseline=lambda r: r.mean()),
    "The baseline is the average over the pictures. " + ITSELF: (
        slip(baseline=lambda r: r.mean(1, keepdim=True))
    ),
    "The baseline is the middle reward of all draws. " + ITSELF: (
        slip(baseline=lambda r: r.median(0).values)
    ),
    "The baseline comes from the other pictures. Take the other draws of the same one.": (
        slip(baseline=_other_pictures)
    ),
    "The baseline is one of the other draws, not the average of them all.": (
        slip(baseline=lambda r: r.roll(1, 0))
    ),
    "There is no baseline.": slip(baseline=none),
    "The baseline is the sum of the other draws, not their average.": (
        slip(baseline=lambda r: r.sum(0) - r)
    ),
    "The others are divided by the number of all draws. How many are the others?": (
        slip(baseline=lambda r: (r.sum(0) - r) / len(r))
    ),
    "The baseline has the wrong sign.": slip(baseline=lambda r: -others(r)),
    "You summed over draws and pictures: average over both.": slip(over=torch.sum),
    "You summed over the draws: average over draws and over pictures.": (
        slip(over=lambda t: t.sum(0).mean())
    ),
    "You summed over the pictures: average over draws and over pictures.": (
        slip(over=lambda t: t.mean(0).sum())
    ),
    "log q is exponentiated. The score is the slope of log q, not of q.": slip(of_q=torch.exp),
    "You divide by the spread of the rewards. Then the slope is no longer that of the average "
    "reward.": slip(spread=True),
}


def of_slopes(tried: list[Tried]) -> str:
    """What can be said of a loss by its slopes, where no slip explains them."""
    if any(bool(one.got[1].any()) for one in tried):
        return (
            "A slope reaches `reward`: somewhere the loss depends on it without `.detach()`. Only "
            "`log_q` may get one."
        )
    one = next(one for one in tried if not one.fits)
    at = (one.got[0] - one.want[0]).abs().argmax()
    ours, right = (parts[0].flatten()[at].item() for parts in (one.got, one.want))
    way = "too large" if ours > right else "too small"
    return (
        f"For {describe(one.case, NAMES)}, the slope of your loss in one entry of `log_q` is "
        f"{ours:.4g}, {way}. On which entries of `reward` does it depend, and on which should it?"
    )


@check(
    cases=draws,
    extreme=of_many_latents,
    astray="It is right where log q is near -3, but not where it is 2000 or -2000, as that of many "
    "latents can be. There exp(log q) is 0 or infinite: stay with the logarithm.",
    slips=SLIPS,
    read=pulled,
    otherwise=of_slopes,
    praise="Its slopes are the estimates. Each draw is judged by the others, never by itself.",
)
def surrogate(reward: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
    """A loss to be minimised, from (draws, batch) each. Here: its slopes in log_q and in reward."""
    slope, (draws, batch) = torch.zeros_like(log_q), log_q.shape
    for k in range(draws):
        for i in range(batch):
            others = [reward[j, i] for j in range(draws) if j != k]
            slope[k, i] = (sum(others) / len(others) - reward[k, i]) / (draws * batch)
    return slope, torch.zeros_like(reward)
