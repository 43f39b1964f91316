"""Task 7: the log of an average of K weights that no float can hold."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Then

ASTRAY = (
    "It is right for weights near 1, but not for e^-2000 or e^1000, which no float can hold, or "
    "not where two pictures, or two draws, of a batch lie so far apart. Stay with logarithms all "
    "the way, and do not cut them off."
)
ORDINARY = {(3, 5): -3.0, (1, 4): 1.0, (6, 1): 0.0, (2, 6): -2.0}
EXTREME = {
    (4, 2): -2000.0,
    (2, 5): 1000.0,
    (3, 4): torch.tensor([-2000.0, 0.0, 1000.0, -900.0]),  # pictures that lie apart
    (4, 3): torch.tensor([[-2000.0], [-30.0], [0.0], [-900.0]]),  # and draws
}


def cases(seed: int | None, offsets: dict) -> list[tuple[Tensor]]:
    g = fresh(seed)
    return [(normal(g, *shape, scale=2.0) + offset,) for shape, offset in offsets.items()]


def average(log_w: Tensor) -> Tensor:
    largest = log_w.detach().amax(0)  # only moves the numbers to where exp is harmless
    columns = (log_w - largest).unbind(1)
    return largest + torch.stack([w.exp().mean() for w in columns]).log()


def log(number: int) -> float:
    return torch.tensor(float(number)).double().log()


SLIPS = {
    "This is the sum of the weights, not their average: something with K is missing.": (
        lambda w: w.logsumexp(0)
    ),
    "This averages the logarithms: it is the ELBO, less noisy, and not the bound with K draws. "
    "Average the weights first.": lambda w: w.mean(0),
    "This sums the logarithms: it is the log of the product of the weights.": lambda w: w.sum(0),
    "You averaged over the pictures. The draws are the first dimension.": (
        lambda w: average(w.T.contiguous())
    ),
    "You divided by the number of pictures, not by the number of draws.": (
        lambda w: w.logsumexp(0) - log(w.shape[1])
    ),
    "You divided by the number of all weights, not by the number of draws.": (
        lambda w: w.logsumexp(0) - log(w.numel())
    ),
    "You averaged over draws and pictures in one go.": lambda w: average(w.reshape(-1, 1))[0],
    "You subtract K itself from a logarithm. Is that what an average does?": (
        lambda w: w.logsumexp(0) - len(w)
    ),
    "The number of draws enters with the wrong sign.": lambda w: w.logsumexp(0) + log(len(w)),
    "You divide the logarithm by K. Which quantity is it that gets averaged?": (
        lambda w: w.logsumexp(0) / len(w)
    ),
    "You divide by K - 1. An average of K weights divides by K.": (
        lambda w: w.logsumexp(0) - log(max(len(w) - 1, 1))
    ),
    "You divide by the square root of K. An average divides by K.": (
        lambda w: w.logsumexp(0) - log(len(w)) / 2
    ),
    "These are averages of weights. The logarithm is missing.": Then(torch.exp),
    "This is the largest weight alone.": lambda w: w.max(0).values,
    "The largest log weight was taken out, and not put back.": lambda w: average(w) - w.max(),
    "The largest log weight of each picture was taken out, and not put back.": (
        lambda w: average(w) - w.max(0).values
    ),
    "The largest log weight of each picture was taken out, and put back twice, or subtracted "
    "where it belongs added.": lambda w: average(w) + w.max(0).values,
}


@check(
    cases=lambda seed: cases(seed, ORDINARY),
    extreme=lambda seed: cases(seed, EXTREME),
    astray=ASTRAY,
    slips=SLIPS,
    gradients=("log_w",),
    praise="The bound with K draws, safe for weights that no float can hold.",
)
def bound(log_w: Tensor) -> Tensor:
    """The log of the average of exp(log_w), (K, batch) -> (batch,), nats."""
    return average(log_w)
