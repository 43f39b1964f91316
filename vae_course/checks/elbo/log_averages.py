"""Logs of integrals and of averages for the checks: oracles, and slips with their names."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.inputs import normal, uniform


def mixture(g: torch.Generator, offset: float) -> Callable:
    """A log density over z with three humps, plus `offset`."""
    centres = torch.cat([-uniform(g, 1, low=2.5, high=3.2), uniform(g, 2, low=-2, high=3.2)])
    stds = torch.cat([uniform(g, 1, low=0.7, high=0.9), uniform(g, 2, low=0.2, high=0.9)])
    logs = torch.log_softmax(normal(g, 3, scale=0.5), 0)

    def log_joint(z):
        z = torch.as_tensor(z, dtype=torch.float64)
        return offset + (Normal(centres, stds).log_prob(z[..., None]) + logs).logsumexp(-1)

    return log_joint


def _on_grid(log_joint: Callable) -> tuple[Tensor, Tensor]:
    z = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    return z, log_joint(z)


def _twice_the_prior(log_joint: Callable) -> Tensor:
    z, logs = _on_grid(log_joint)
    return (logs + Normal(0.0, 1.0).log_prob(z) + torch.log(z[1] - z[0])).logsumexp(0)


EVIDENCE_MISTAKES = {
    "You weighted the joint with p(z). The joint holds p(z) already.": _twice_the_prior,
    "This is the integral itself. Its logarithm is missing.": (
        lambda log_joint: (_on_grid(log_joint)[1].exp() * 0.01).sum()
    ),
    "This integrates N(z; 0, 1) alone: `log_joint` is not used.": lambda f: torch.zeros(
        ()
    ).double(),
}


def bound(log_w: Tensor) -> Tensor:
    """The log of the average of exp(log_w), (K, batch) -> (batch,)."""
    largest = log_w.detach().amax(0)  # only moves the numbers to where exp is harmless
    columns = (log_w - largest).unbind(1)
    return largest + torch.stack([w.exp().mean() for w in columns]).log()


BOUND_MISTAKES = {
    "This is the sum of the weights, not their average: something with K is missing.": (
        lambda w: w.logsumexp(0)
    ),
    "This averages the logarithms: it is the ELBO, less noisy, and not the bound with K draws. "
    "Average the weights first.": lambda w: w.mean(0),
    "This sums the logarithms: it is the log of the product of the weights.": lambda w: w.sum(0),
    "You averaged over the pictures. The draws are the first dimension.": (
        lambda w: bound(w.T.contiguous())
    ),
    "You divided by the number of pictures, not by the number of draws.": (
        lambda w: w.logsumexp(0) - torch.tensor(float(w.shape[1])).log()
    ),
    "You averaged over draws and pictures in one go.": lambda w: bound(w.reshape(-1, 1))[0],
    "You subtract K itself from a logarithm. Is that what an average does?": (
        lambda w: w.logsumexp(0) - len(w)
    ),
    "The number of draws enters with the wrong sign.": (
        lambda w: w.logsumexp(0) + torch.tensor(float(len(w))).log()
    ),
    "You divide the logarithm by K. Which quantity is it that gets averaged?": (
        lambda w: w.logsumexp(0) / len(w)
    ),
    "These are averages of weights. The logarithm is missing.": lambda w: bound(w).exp(),
    "This is the largest weight alone.": lambda w: w.max(0).values,
    "The largest log weight was taken out, and not put back.": lambda w: bound(w) - w.max(),
    "The largest log weight of each picture was taken out, and not put back.": (
        lambda w: bound(w) - w.max(0).values
    ),
}
