"""How few latents hold a share of the KL, and the slips on the way to that number."""

import math
from itertools import combinations

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.inputs import normal, uniform


def _each(mean: Tensor, log_std: Tensor) -> Tensor:
    q, p = (Normal(*pair, validate_args=False) for pair in ((mean, log_std.exp()), (0.0, 1.0)))
    return kl_divergence(q, p)


def shares(mean: Tensor, log_std: Tensor) -> Tensor:
    """What each latent holds of the mean KL: (latent_dim,), 1 together."""
    kl = _each(mean, log_std).mean(0)
    return kl / kl.sum()


def with_shares(g: torch.Generator) -> list[tuple[Tensor, Tensor, float]]:
    """(mean, log_std, share): the share lies halfway between two sums, so no rounding decides.

    Latents that hold least come first, but for the one that holds most, which is in the middle: so
    an answer that takes them as they come, or from the wrong end, keeps another number.
    """
    cases = []
    for n, d, kept in ((3, 5, 1), (2, 4, 3), (6, 1, 1), (1, 3, 2), (4, 6, 3)):
        use = uniform(g, d, low=0.6, high=1.4)
        mean, log_std = normal(g, n, d) * use, uniform(g, n, d, low=-1.5, high=0.8) * use
        order = shares(mean, log_std).argsort()
        most = order[-1:]
        order = torch.cat([order[1 : d // 2 + 1], most, order[d // 2 + 1 : -1], order[:1]])[-d:]
        mean, log_std = mean[:, order], log_std[:, order]
        held = shares(mean, log_std).sort(descending=True).values.cumsum(0)
        held = torch.cat([torch.zeros(1), held])
        cases.append((mean, log_std, float(held[kept - 1 : kept + 1].mean())))
    return cases


def fewest(mean: Tensor, log_std: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """KL of each latent, and the size of the smallest subset that holds `share` of their sum."""
    kl = _each(mean, log_std).mean(0)
    each = kl.tolist()
    sizes = [
        size
        for size in range(len(each) + 1)
        for subset in combinations(each, size)
        if sum(subset) >= share * sum(each)
    ]
    return kl, torch.tensor(min(sizes))


def _count(kl: Tensor, share: float) -> Tensor:
    """How many of the first latents hold the share, in the order in which they come."""
    return (kl.cumsum(0) < share * kl.sum()).sum() + 1


def _slip(*, each=lambda m, s: _each(m, s).mean(0), count=None):
    """`each`: the KL of each latent; `count`: their number."""
    count = count or (lambda kl, share: _count(kl.sort(descending=True).values, share))
    return lambda m, s, share: (each(m, s), count(each(m, s), share))


def _swapped(m, s, share):
    kl, count = fewest(m, s, share)
    return count, kl


SHARE_MISTAKES = {
    "You count all latents.": _slip(count=lambda kl, share: torch.tensor(len(kl))),
    "You take the latents in the order in which they come. Which of them hold most?": _slip(
        count=_count
    ),
    "You begin with the latents that hold least.": _slip(
        count=lambda kl, share: _count(kl.sort().values, share)
    ),
    "You stop one latent too early: what you keep holds less than the share.": _slip(
        count=lambda kl, share: _count(kl.sort(descending=True).values, share) - 1
    ),
    "You keep one latent more than needed.": _slip(
        count=lambda kl, share: _count(kl.sort(descending=True).values, share) + 1
    ),
    "You compare with nats. `share` is a part of the sum.": _slip(
        count=lambda kl, share: (kl.sort(descending=True).values.cumsum(0) < share).sum() + 1
    ),
    "You count the latents that hold more than the share each. Together they must.": _slip(
        count=lambda kl, share: (kl > share * kl.sum()).sum()
    ),
    "You count as if every latent held the same. Look at what each of them holds.": _slip(
        count=lambda kl, share: torch.tensor(math.ceil(share * len(kl)))
    ),
    "Your KL is summed over the pictures. It must be the mean.": _slip(
        each=lambda m, s: _each(m, s).sum(0)
    ),
    "Your KL is that of each picture: (batch,). Which dimension are the latents?": _slip(
        each=lambda m, s: _each(m, s).sum(1)
    ),
    "Your KL is that of each picture, averaged over its latents.": _slip(
        each=lambda m, s: _each(m, s).mean(1)
    ),
    "This treats log σ as log σ²: the minimum is right, the curvature is not.": _slip(
        each=lambda m, s: (0.5 * (s.exp() + m**2 - 1 - s)).mean(0)
    ),
    "The ½ is missing in front of the squares.": _slip(
        each=lambda m, s: (torch.exp(2 * s) + m**2 - 1 - s).mean(0)
    ),
    "This is the KL of the average posterior: first the KL of each picture, then the mean.": _slip(
        each=lambda m, s: _each(m.mean(0), s.mean(0))
    ),
    "Your KL is a share of the sum. It must be in nats.": lambda m, s, share: (
        shares(m, s),
        fewest(m, s, share)[1],
    ),
    "They stand in the wrong order: first the KL.": _swapped,
}
