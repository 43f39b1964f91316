"""Task 4: the effective number of pictures behind a z."""

import math

import torch
from torch import Tensor

from vae_course.checks.blur.best_picture import weights
from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Then

ASTRAY = (
    "It is right for ordinary densities, but not for e^-2000 or e^1000, or not for a picture whose "
    "weight is exactly 0. Such a picture adds nothing, but 0 times the logarithm of 0 is NaN."
)


def ordinary(seed: int | None) -> list[tuple[Tensor]]:
    """log q of N pictures for M z."""
    g = fresh(seed)
    return [(normal(g, *size, scale=1.3) - 0.7,) for size in ((3, 5), (1, 4), (4, 2), (2, 7))]


def out_of_range(seed: int | None) -> list[tuple[Tensor]]:
    """The same, of what exp turns into 0 or infinity."""
    g = fresh(seed)
    levels = torch.tensor([[0.0], [-2000.0], [900.0]]).double()  # no one shift is safe for all z
    hard = [normal(g, 3, 6) - 2000, normal(g, 2, 5) + 1000, normal(g, 3, 5) + levels]
    some = normal(g, 4, 8)
    some[:, [1, 4]] -= 3000  # weights of exactly 0
    return [(logs,) for logs in (*hard, some)]


def doubt(log_q, dim=1):
    return torch.special.entr(log_q.softmax(dim)).sum(dim)


SLIPS = {
    "This is the entropy itself. A number of pictures is not counted in nats.": Then(torch.log),
    "This is the entropy in bits, not a number of pictures.": Then(torch.log2),
    "The sign of the entropy is wrong: a number below 1 is no number of pictures.": (
        Then(lambda number: 1 / number)
    ),
    "You take 2 to the power of nats. The base must fit the logarithm.": (
        Then(lambda number: 2 ** number.log())
    ),
    "You take e to the power of bits. The base must fit the logarithm.": (
        Then(lambda number: number.log2().exp())
    ),
    "This comes from the sum of squared weights: another effective number, without entropy.": (
        lambda q: 1 / q.softmax(1).square().sum(1)
    ),
    "This comes from the largest weight alone. Entropy counts all of them.": (
        lambda q: 1 / q.softmax(1).max(1).values
    ),
    "Your weights add up to one over the z. For each z they must do so over the pictures.": (
        lambda q: torch.special.entr(q.softmax(0)).sum(1).exp()
    ),
    "You count the z behind a picture. Count the pictures behind a z.": (
        lambda q: doubt(q, 0).exp()
    ),
    "Your weights do not add up to one: q itself is no probability of a picture.": (
        lambda q: torch.special.entr(q.exp()).sum(1).exp()
    ),
    "You average w log w over the pictures. An entropy is a sum.": (
        lambda q: (doubt(q) / q.shape[1]).exp()
    ),
    "You average log w with equal weights. In an entropy likely pictures count more.": (
        lambda q: (-q.log_softmax(1).mean(1)).exp()
    ),
    "You compare with log N: this is what z tells, not the doubt that is left.": (
        lambda q: q.shape[1] / doubt(q).exp()
    ),
    "This is the number of all pictures.": lambda q: 0 * q[:, 0] + q.shape[1],
    "You averaged the entropy over the z. Return one number for each.": (
        lambda q: doubt(q).mean().exp()
    ),
    "You take log q for the logarithm of a weight. Weights are q, divided by their sum.": (
        lambda q: (-(q.softmax(1) * q).sum(1)).exp()
    ),
    "You take log q for the logarithm of a weight, and the minus stands outside of exp.": (
        lambda q: -(q.softmax(1) * q).sum(1).exp()
    ),
    "This is the entropy as a share of log N, not a number of pictures.": (
        lambda q: doubt(q) / math.log(q.shape[1])
    ),
    "You take 10 to the power of nats. The base must fit the logarithm.": (
        Then(lambda number: 10 ** number.log())
    ),
}


@check(
    cases=ordinary,
    extreme=out_of_range,
    astray=ASTRAY,
    slips=SLIPS,
    praise="1 when z gives its picture away, N when it tells nothing.",
)
def pictures_behind(log_q: Tensor) -> Tensor:
    """e^entropy of the pictures' probabilities, log q(z|x_i) (M, N) -> (M,).

    Here: powers of the weights, multiplied, one z at a time, in Python numbers.
    """
    numbers = []
    for logs in log_q.tolist():
        numbers.append(math.prod((1 / w) ** w for w in weights(logs) if w > 0))
    return torch.tensor(numbers, dtype=log_q.dtype)
