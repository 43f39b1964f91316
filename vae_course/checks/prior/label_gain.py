"""Task 5: what a label is worth to the prior, in nats."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Then

ASTRAY = (
    "It is right for ordinary densities, but not for e^-1800 or e^900, which no float can hold. "
    "Stay with logarithms: `logsumexp` adds densities without leaving them."
)


def votes(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """(log_p, labels): log p(z|y) for each of K labels, (N, K); the true one is mostly likely."""
    g, cases = fresh(seed), []
    for count, kinds in ((7, 4), (5, 10), (9, 3)):
        labels = torch.randint(kinds, (count,), generator=g)
        log_p = 2 * normal(g, count, kinds) - 3
        log_p[torch.arange(count), labels] += 1.5
        cases.append((log_p, labels))
    return cases


def out_of_range(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    return [(log_p + far, y) for far in (-1800.0, 900.0) for log_p, y in votes(seed)]


def own(log_p, y):
    return log_p[torch.arange(len(y)), y]


SLIPS = {
    "Each label has the share 1/K of the mixture: log K nats are missing.": (
        lambda log_p, y: (own(log_p, y) - log_p.logsumexp(1)).mean()
    ),
    "You average the logarithms over the labels. Average the densities.": (
        lambda log_p, y: (own(log_p, y) - log_p.mean(1)).mean()
    ),
    "You compare with the likeliest label. Without a label, all of them count.": (
        lambda log_p, y: (own(log_p, y) - log_p.max(1).values).mean()
    ),
    "You sum over the codes. Average over them.": (
        lambda log_p, y: label_gain.right(log_p, y) * len(y)
    ),
    "This is log p(z|y), the right label's density. What is it without the label?": (
        lambda log_p, y: own(log_p, y).mean()
    ),
    "The sign is wrong: the label helps, on average.": Then(lambda nats: -nats),
    "This is in bits.": Then(lambda nats: nats / math.log(2)),
    "You average densities over the codes before you take the logarithm.": (
        lambda log_p, y: own(log_p, y).exp().mean().log() - log_p.exp().mean().log()
    ),
    "You take the ratio of densities, not its logarithm.": (
        lambda log_p, y: (
            (own(log_p, y) - log_p.logsumexp(1) + math.log(log_p.shape[1])).exp().mean()
        )
    ),
    "You leave the true label out of the mixture.": (
        lambda log_p, y: (
            own(log_p, y)
            - log_p.scatter(1, y[:, None], -math.inf).logsumexp(1)
            + math.log(log_p.shape[1])
        ).mean()
    ),
}


@check(
    cases=votes,
    extreme=out_of_range,
    strictly=1e-5,
    astray=ASTRAY,
    slips=SLIPS,
    praise="Never more than log K: a label cannot tell more.",
)
def label_gain(log_p: Tensor, labels: Tensor) -> Tensor:
    """One number. Here: log K, less the surprise at the label, a classifier's cross-entropy."""
    surprise = torch.nn.functional.cross_entropy(log_p, labels)
    return math.log(log_p.shape[1]) - surprise
