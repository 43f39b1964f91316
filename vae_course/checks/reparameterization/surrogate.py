"""Task 5: a loss that is only good for its slopes, which are looked at one by one."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import kind, require, require_something, run

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


def _loss(baseline, *, times=-1.0, detached="all", reduce=torch.mean):
    def loss(reward, log_q):
        b = baseline(reward)
        inside = (reward - b).detach() if detached == "all" else reward - b
        inside = reward - b.detach() if detached == "baseline" else inside
        inside = reward.detach() - b if detached == "reward" else inside
        return reduce(times * inside * log_q)

    return pulled(loss)


def _others(reward):
    """The average of the other draws of a picture."""
    return (reward.sum(0) - reward) / (len(reward) - 1)


def _other_pictures(reward):
    return (reward.sum(1, keepdim=True) - reward) / max(reward.shape[1] - 1, 1)


ITSELF = (
    "The baseline holds the draw's own reward, so it depends on the draw that it judges. The "
    "estimate is then wrong on average: leave this draw out."
)
SLIPS = {
    "The slope has the wrong sign: the optimizer goes downhill, the reward must go up.": (
        _loss(_others, times=1.0)
    ),
    "The reward is not detached: log q would become a weight in the slope of the decoder.": (
        _loss(_others, detached="nothing")
    ),
    "The baseline is detached, but the reward is not: log q would become a weight in the slope of "
    "the decoder.": _loss(_others, detached="baseline"),
    "The reward is detached, but the baseline is not, and it is made of rewards.": (
        _loss(_others, detached="reward")
    ),
    "The baseline is the average of all draws. " + ITSELF: _loss(lambda r: r.mean(0)),
    "The baseline is the average of everything. " + ITSELF: _loss(lambda r: r.mean()),
    "The baseline is the average over the pictures. " + ITSELF: (
        _loss(lambda r: r.mean(1, keepdim=True))
    ),
    "The baseline is the middle reward of all draws. " + ITSELF: (
        _loss(lambda r: r.median(0).values)
    ),
    "The baseline comes from the other pictures. Take the other draws of the same one.": (
        _loss(_other_pictures)
    ),
    "The baseline is one of the other draws, not the average of them all.": (
        _loss(lambda r: r.roll(1, 0))
    ),
    "There is no baseline.": _loss(lambda r: 0 * r),
    "There is no baseline, and the reward is not detached.": _loss(
        lambda r: 0 * r, detached="nothing"
    ),
    "The baseline is the sum of the other draws, not their average.": (
        _loss(lambda r: r.sum(0) - r)
    ),
    "The others are divided by the number of all draws. How many are the others?": (
        _loss(lambda r: (r.sum(0) - r) / len(r))
    ),
    "You summed over draws and pictures: average over both.": _loss(_others, reduce=torch.sum),
    "You summed over the draws: average over draws and over pictures.": (
        _loss(_others, reduce=lambda t: t.sum(0).mean())
    ),
    "You summed over the pictures: average over draws and over pictures.": (
        _loss(_others, reduce=lambda t: t.mean(0).sum())
    ),
    "log q is exponentiated. The score is the slope of log q, not of q.": (
        pulled(lambda r, q: -((r - _others(r)).detach() * q.exp()).mean())
    ),
    "The baseline has the wrong sign.": _loss(lambda r: -_others(r)),
    "You divide by the spread of the rewards. Then the slope is no longer that of the average "
    "reward.": pulled(lambda r, q: -(((r - _others(r)) / r.std(0)).detach() * q).mean()),
    "You divide by the spread of the rewards, and the baseline is the average of all draws.": (
        pulled(lambda r, q: -(((r - r.mean(0)) / r.std(0)).detach() * q).mean())
    ),
}


@check(
    cases=draws,
    extreme=of_many_latents,
    astray="It is right where log q is near -3, but not where it is 2000 or -2000, as that of many "
    "latents can be. There exp(log q) is 0 or infinite: stay with the logarithm.",
    slips=SLIPS,
    read=pulled,
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
