"""Task 6: the KL of each latent, and how few latents hold a share of it."""

import math
from itertools import combinations

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform

ASTRAY = (
    "It is right for moderate σ, but not where log σ is -40, -9 or 5, or a mean is 30. Is "
    "something clamped, or is a small number added inside a logarithm or below a fraction?"
)


def each_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    q, p = (Normal(*pair, validate_args=False) for pair in ((mean, log_std.exp()), (0.0, 1.0)))
    return kl_divergence(q, p)


def shares(mean: Tensor, log_std: Tensor) -> Tensor:
    """What each latent holds of the mean KL: (latent_dim,), 1 together."""
    kl = each_kl(mean, log_std).mean(0)
    return kl / kl.sum()


def count(kl: Tensor, share: float) -> Tensor:
    """How many of the first latents hold the share, in the order in which they come."""
    return (kl.cumsum(0) < share * kl.sum()).sum() + 1


def falling(kl: Tensor) -> Tensor:
    return kl.sort(descending=True).values


WAYS = {
    "": lambda kl, share: count(falling(kl), share),  # the right one
    "You count all latents.": lambda kl, share: torch.tensor(len(kl)),
    "You take the latents in the order in which they come. Which of them hold most?": count,
    "You begin with the latents that hold least.": (
        lambda kl, share: count(kl.sort().values, share)
    ),
    "You stop one latent too early: what you keep holds less than the share.": (
        lambda kl, share: count(falling(kl), share) - 1
    ),
    "You keep one latent more than needed.": lambda kl, share: count(falling(kl), share) + 1,
    "You compare with nats. `share` is a part of the sum.": (
        lambda kl, share: (falling(kl).cumsum(0) < share).sum() + 1
    ),
    "You count the latents that hold more than the share each. Together they must.": (
        lambda kl, share: (kl > share * kl.sum()).sum()
    ),
    "You count as if every latent held the same. Look at what each of them holds.": (
        lambda kl, share: torch.tensor(math.ceil(share * len(kl)))
    ),
    "You round the share of the number of latents, as if every latent held the same.": (
        lambda kl, share: torch.tensor(max(1, round(share * len(kl))))
    ),
    "The number is that of the latents you can do without.": (
        lambda kl, share: len(kl) - count(falling(kl), share)
    ),
}


def told_apart(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """Cases in which no way of counting gives the same numbers as another."""
    g = fresh(seed)
    while True:
        cases = with_shares(g)
        kls = [each_kl(m, s).mean(0) for m, s, _ in cases]
        numbers = {
            tuple(int(way(kl, share)) for kl, (_, _, share) in zip(kls, cases, strict=True))
            for way in WAYS.values()
        }
        if len(numbers) == len(WAYS):
            return cases


def with_shares(g: torch.Generator) -> list[tuple[Tensor, Tensor, float]]:
    """(mean, log_std, share): the share lies halfway between two sums, so no rounding decides.

    Latents that hold least come first, but for the one that holds most, which is in the middle: so
    an answer that takes them as they come, or from the wrong end, keeps another number. One latent
    may hold nearly all, so that `share` times the number of latents says nothing; and one is dead.
    """
    cases = []
    # pictures, latents, how many are needed, how much more the strongest holds, how many are dead
    for n, d, kept, ahead, dead in (
        (3, 5, 1, 3, 0), (2, 4, 3, 1, 0), (6, 1, 1, 1, 0), (1, 3, 3, 1, 0), (4, 6, 2, 1, 1),
        (3, 7, 1, 6, 2),
    ):  # fmt: skip
        use = uniform(g, d, low=0.6, high=1.4)
        use[d - dead :] = 0
        mean, log_std = normal(g, n, d) * use, uniform(g, n, d, low=-1.5, high=0.8) * use
        mean[:, 0] += ahead - 1.0
        order = shares(mean, log_std).argsort()
        most = order[-1:]
        order = torch.cat([order[1 : d // 2 + 1], most, order[d // 2 + 1 : -1], order[:1]])[-d:]
        mean, log_std = mean[:, order], log_std[:, order]
        held = shares(mean, log_std).sort(descending=True).values.cumsum(0)
        held = torch.cat([torch.zeros(1), held])
        cases.append((mean, log_std, float(held[kept - 1 : kept + 1].mean())))
    return cases


def extreme(seed: int | None) -> list[tuple[Tensor, Tensor, float]]:
    """A latent for every kind of posterior that has gone astray."""
    g = fresh(seed)
    mean, log_std = normal(g, 3, 5), torch.tensor([-40.0, -9.0, 5.0, 0.1, 0.0]).double()
    mean[:, 3] += 30
    log_std = log_std.expand(3, 5).clone()
    held = shares(mean, log_std).sort(descending=True).values.cumsum(0)
    return [(mean, log_std, float(held[0] / 2))]


def pair(
    mean,
    log_std,
    share,
    *,
    each=each_kl,
    reduce=lambda kl: kl.mean(0),
    number=lambda kl, share: count(falling(kl), share),
):
    """KL of each latent and their number, with knobs."""
    kl = reduce(each(mean, log_std))
    return kl, number(kl, share)


slip = turned(pair, lambda found: found)
SLIPS = {says: slip(number=way) for says, way in WAYS.items() if says} | {
    "Your KL is summed over the pictures. It must be the mean.": slip(reduce=lambda kl: kl.sum(0)),
    "Your KL is that of each picture: (batch,). Which dimension are the latents?": (
        slip(reduce=lambda kl: kl.sum(1))
    ),
    "Your KL is that of each picture, averaged over its latents.": (
        slip(reduce=lambda kl: kl.mean(1))
    ),
    "This treats log σ as log σ²: the minimum is right, the curvature is not.": (
        slip(each=lambda m, s: each_kl(m, s / 2))
    ),
    "The ½ is missing in front of the squares.": (
        slip(each=lambda m, s: torch.exp(2 * s) + m**2 - 1 - s)
    ),
    "The sign of log σ is wrong in your KL: a narrow posterior must cost.": (
        slip(each=lambda m, s: each_kl(m, s) + 2 * s)
    ),
    "A constant is missing in your KL: where q is the prior, it must be 0.": (
        slip(each=lambda m, s: each_kl(m, s) + 0.5)
    ),
    "This is the KL of the average posterior: first the KL of each picture, then the mean.": (
        slip(each=lambda m, s: each_kl(m.mean(0, keepdim=True), s.mean(0, keepdim=True)))
    ),
    "Your KL is a share of the sum. It must be in nats.": (
        slip(lambda found: (found[0] / found[0].sum(), found[1]))
    ),
    "Your KL is sorted. It must stand in the order of the latents.": (
        slip(lambda found: (falling(found[0]), found[1]))
    ),
    "Your KL is added up. It must be that of each latent on its own.": (
        slip(lambda found: (falling(found[0]).cumsum(0), found[1]))
    ),
}


@check(
    cases=told_apart,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    results=("the KL", "the number"),
    praise="No smaller set of latents holds that share: all of them were tried.",
)
def latents_needed(mean: Tensor, log_std: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """KL of each latent (latent_dim,), and the size of the smallest subset that holds `share`."""
    kl = each_kl(mean, log_std).mean(0)
    each = kl.tolist()
    sizes = [
        size
        for size in range(len(each) + 1)
        for subset in combinations(each, size)
        if sum(subset) >= share * sum(each)
    ]
    return kl, torch.tensor(min(sizes))
