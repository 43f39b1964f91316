"""Task 2: a Bernoulli likelihood that stays finite where the decoder is certain."""

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import logsigmoid

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import SIZES, fresh, normal, uniform
from vae_course.checks.judging.together import Given, Then

ASTRAY = (
    "It is right for small logits, but not for logits beyond ±1000. There sigmoid is exactly 0 "
    "or 1, and its logarithm is lost; a small number added to it, or a clamp, only hides that. "
    "Do not go through the probability."
)


def ordinary(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    g = fresh(seed)
    return [((uniform(g, *s) < 0.5).double(), normal(g, *s, scale=1.5)) for s in SIZES]


def extreme(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """Sure and right, sure and wrong, each picture on its own; and sure by halves.

    Where the decoder is sure and right, only an absolute tolerance could hide a number added.
    """
    g = fresh(seed)
    a = 1000 * torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]).double() + normal(g, 4, 2)
    x = torch.tensor([[1.0], [0.0], [0.0], [1.0]]).double().expand(4, 2).clone()
    halves = torch.tensor([[12.0], [-12.0], [40.0], [-40.0]]).double() + normal(g, 4, 2)
    return [(x, a), (x, halves)]


def each(x, a, *, white=1.0, black=1.0, log=logsigmoid):
    """log p(x) of each pixel, with knobs."""
    return white * x * log(a) + black * (1 - x) * log(-a)


slip = turned(each, lambda nats: nats.sum(1))
SLIPS = {
    "Black pixels are left out: where x is 0, the chance of that counts, too.": slip(black=0.0),
    "White pixels are left out: where x is 1, the chance of that counts, too.": slip(white=0.0),
    "The term of the black pixels has the wrong sign.": slip(black=-1.0),
    "The term of the white pixels has the wrong sign.": slip(white=-1.0),
    "x and 1 - x are swapped: a large logit means a white pixel.": Given(lambda x, a: (x, -a)),
    "This is the cross-entropy, a loss: a log-likelihood has the other sign.": (
        slip(lambda nats: -nats.sum(1))
    ),
    "You averaged over the pixels (the default of PyTorch's losses). Pixels add their nats.": (
        slip(lambda nats: nats.mean(1))
    ),
    "This is averaged over everything, and minus the log-likelihood: the default of PyTorch's "
    "losses. Here each picture has its own sum.": slip(lambda nats: -nats.mean()),
    "This is averaged over everything. Here each picture has its own sum.": (
        slip(lambda nats: nats.mean())
    ),
    "You summed over the batch, not over the pixels, which are dimension 1.": (
        slip(lambda nats: nats.sum(0))
    ),
    "The sigmoid is applied twice: what comes in are logits, and the loss takes logits.": (
        Given(lambda x, a: (x, a.sigmoid()))
    ),
    "These are probabilities. The logarithm is missing.": slip(log=torch.sigmoid),
    "This is the chance of the picture. The logarithm is missing.": Then(torch.exp),
}


@check(
    cases=ordinary,
    extreme=extreme,
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("logits",),
    praise="Right, and safe: even logits of ±1000 give finite nats and finite gradients.",
)
def bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x) of pixels in {0, 1}, (batch, pixels) -> (batch,), nats."""
    return Bernoulli(logits=logits).log_prob(x).sum(1)
