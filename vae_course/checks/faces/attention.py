"""Task 8: attention, of one head."""

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Given

# (batch, tokens, width): no two of these numbers are mixed up in all of them.
SIZES = ((2, 5, 3), (3, 4, 7), (4, 2, 6))

ASTRAY = (
    "It is right for small questions and keys, but not where they fit so well that exp gives "
    "infinity. `softmax` subtracts the largest number first; so should you."
)


def tokens(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Questions, keys and values, long enough for a softmax that takes sides."""
    g = fresh(seed)
    return [tuple(normal(g, *size, scale=1.5) for _ in range(3)) for size in SIZES]


def far_away(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The same, with products in the thousands."""
    return [(60 * q, 60 * k, v) for q, k, v in tokens(seed)]


def attending(
    fit: Callable = lambda q, k: q @ k.mT,
    scale: Callable = lambda q: math.sqrt(q.shape[2]),
    share: Callable = lambda scores: scores.softmax(2),
) -> Callable:
    """Attention with one of its three steps changed."""
    return lambda q, k, v: share(fit(q, k) / scale(q)) @ v


SLIPS = {
    "The root of the width is missing: divide the products by it before the softmax.": (
        attending(scale=lambda q: 1)
    ),
    "The products are divided by the width itself. Take its root.": (
        attending(scale=lambda q: q.shape[2])
    ),
    "The products are multiplied by the root of the width. Divide by it.": (
        attending(scale=lambda q: q.shape[2] ** -0.5)
    ),
    "You divide by the root of the number of tokens. It is the width that makes products large.": (
        attending(scale=lambda q: math.sqrt(q.shape[1]))
    ),
    "The softmax goes over the wrong axis: each *question* shares out a weight of 1 over the keys, "
    "along the last axis.": attending(share=lambda scores: scores.softmax(1)),
    "The softmax goes over the pictures of the batch. Each picture is alone.": (
        attending(share=lambda scores: scores.softmax(0))
    ),
    "The softmax is missing: the products themselves are taken for weights.": (
        attending(share=lambda scores: scores)
    ),
    "You take a sigmoid of each product. Weights of one question must sum to 1: softmax.": (
        attending(share=lambda scores: scores.sigmoid())
    ),
    "You take exp, and do not divide by the sum. Weights of one question must sum to 1.": (
        attending(share=lambda scores: scores.exp())
    ),
    "Each token takes one value alone, the best. A softmax mixes.": (
        attending(share=lambda s: F.one_hot(s.argmax(2), s.shape[2]).to(s))
    ),
    "The root divides the weights after the softmax: then they do not sum to 1. Divide before.": (
        lambda q, k, v: (q @ k.mT).softmax(2) / math.sqrt(q.shape[2]) @ v
    ),
    "Questions and keys have changed places.": Given(lambda q, k, v: (k, q, v)),
    "The keys are mixed, not the values.": Given(lambda q, k, v: (q, k, k)),
    "The questions are mixed, not the values.": Given(lambda q, k, v: (q, k, q)),
    "Questions are compared with values. Compare them with keys.": (
        Given(lambda q, k, v: (q, v, v))
    ),
    "Questions are compared with each other. Compare them with keys.": (
        Given(lambda q, k, v: (q, q, v))
    ),
    "Keys are compared with each other. Compare questions with them.": (
        Given(lambda q, k, v: (k, k, v))
    ),
    "These are the weights. Mix the values with them.": (
        lambda q, k, v: (q @ k.mT / math.sqrt(q.shape[2])).softmax(2)
    ),
    "The token is added already. That is the block's task; here only what attention gives.": (
        lambda q, k, v: attending()(q, k, v) + q
    ),
    "All values are averaged alike: the weights do not depend on questions and keys.": (
        lambda q, k, v: v.mean(1, keepdim=True).expand_as(v)
    ),
}


@check(
    cases=tokens,
    extreme=far_away,
    astray=ASTRAY,
    slips=SLIPS,
    praise="Every token asked, and took over what fitted. That is a head of a transformer.",
)
def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """(batch, tokens, width) three times -> the same. Here: torch's own."""
    return F.scaled_dot_product_attention(q, k, v)
