"""Checks of the exercises of chapter 3, the ELBO."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from vae_course.checks.elbo import linear_gaussian as linear
from vae_course.checks.elbo.densities import (
    BERNOULLI_MISTAKES,
    GAUSSIAN_MISTAKES,
    JOINT_MISTAKES,
    joint,
)
from vae_course.checks.elbo.log_averages import BOUND_MISTAKES, EVIDENCE_MISTAKES, mixture
from vae_course.checks.elbo.log_averages import bound as weights_averaged
from vae_course.checks.judging.extremes import agree_safely
from vae_course.checks.judging.inputs import SIZES, fresh, normal, uniform
from vae_course.checks.judging.running import as_tensors, praise, require, run
from vae_course.checks.judging.seeded import seeded
from vae_course.checks.judging.verdict import agree, same


def gaussian(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, mean, log_std)`: log N(x; mean, std²), (batch, pixels) -> (batch,), nats.

    `log_std` broadcasts to `x`. Raises NotYet with the diagnosis of a wrong answer. The oracle is
    torch.distributions.
    """
    g = fresh(seed)
    cases = []
    shapes = ((1, 3), (), (5, 1), (6,), (3, 4))
    for (batch, pixels), shape in zip((*SIZES, (3, 4)), shapes, strict=True):
        pair = normal(g, batch, pixels), normal(g, batch, pixels)
        log_std = uniform(g, batch, pixels, low=-1.5, high=0.8).flatten()
        cases.append((*pair, log_std[: math.prod(shape)].reshape(shape)))
    agree(answer, _gaussian, cases, GAUSSIAN_MISTAKES, gradients=("mean", "log_std"))
    praise("A density with all its constants, for one σ, one a picture, and one a pixel.")


def _gaussian(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return Normal(mean, log_std.exp()).log_prob(x).sum(1)


def bernoulli(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, logits)`: log p(x) of pixels in {0, 1}, (batch, pixels) -> (batch,), nats.

    Raises NotYet. The oracle is torch.distributions, with logits of ±1000, too.
    """
    g = fresh(seed)
    mild = [((uniform(g, *s) < 0.5).double(), normal(g, *s, scale=1.5)) for s in SIZES]
    sure = [(x, 1000 * logits.sign() + logits) for x, logits in mild]
    agree_safely(
        "It is right for small logits, but not for logits beyond ±1000. There sigmoid is exactly 0 "
        "or 1, and its logarithm is lost; a small number added to it, or a clamp, only hides that. "
        "Do not go through the probability.",
        *(answer, _bernoulli, mild, sure, BERNOULLI_MISTAKES),
        gradients=("logits",),
    )
    praise("Right, and safe: even logits of ±1000 give finite nats and finite gradients.")


def _bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    return Bernoulli(logits=logits).log_prob(x).sum(1)


def log_joint(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, z, decode, log_std)`: log p(x|z) + log p(z) for K draws of z, (K, batch), nats.

    x (batch, pixels), z (K, batch, latent_dim), `decode` gives the mean of a Gaussian likelihood,
    `log_std` is a number. Raises NotYet. The oracle is torch.distributions.
    """
    g = fresh(seed)
    cases = []
    for draws, batch, pixels, latents in ((1, 3, 4, 2), (5, 1, 2, 3), (3, 2, 6, 1), (2, 4, 3, 5)):
        weight, log_std = normal(g, latents, pixels), uniform(g, 1, low=-1.2, high=-0.3).item()
        x, z = normal(g, batch, pixels), normal(g, draws, batch, latents)
        cases.append((x, z, lambda z, w=weight: torch.tanh(z @ w), log_std))
    agree(answer, joint, cases, JOINT_MISTAKES, gradients=("z",))
    praise("One number for each draw and each picture. Everything else in this chapter uses it.")


def evidence(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(log_joint)`: log ∫ p(x, z) dz for one picture and one latent; log_joint (N,) -> (N,).

    Raises NotYet. Tried on mixtures whose integral is known, with e^-2000 and e^1000 in front.
    """
    g = fresh(seed)
    offsets = (uniform(g, 5) * 5 + torch.tensor([-8.0, -20.0, 3.0, -2000.0, 1000.0])).tolist()
    known = {mixture(g, offset): offset for offset in offsets}
    cases = [(log_joint,) for log_joint in known]
    first, second = (as_tensors(run(seeded(answer, n), cases[0], ["log_joint"])) for n in (1, 2))
    require(
        same(first, second, 1e-9),
        "Your answer changes from call to call, so it is made of draws. With one latent a sum over "
        "evenly spaced z is far more accurate.",
    )

    def right(log_joint):
        return torch.tensor(known[log_joint], dtype=torch.float64)

    agree_safely(
        "It is right for a joint near 1, but not near e^-2000 or e^1000, which no float can "
        "hold. Stay with logarithms all the way.",
        *(answer, right, cases[:3], cases[3:], EVIDENCE_MISTAKES),
        within=1e-6,
    )
    praise("You have integrated numbers as small as e^-2000. With ten latents this would not do.")


def posterior(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, weight, bias, variance)`: mean (batch, d) and covariance (d, d) of p(z|x).

    The model is p(z) = N(0, I), p(x|z) = N(weight z + bias, variance I). Raises NotYet. The oracle
    writes down the joint normal distribution of z and x, and conditions it.
    """
    cases = [case[:4] for case in linear.cases(seed)]
    agree(answer, linear.conditioned, cases, linear.POSTERIOR_MISTAKES)
    praise("This is p(z|x) itself. Its covariance is the same for every picture.")


def gap(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, weight, bias, variance, mean, log_std)`: log p(x) and log p(x) - ELBO, (batch,).

    q(z|x) = N(mean, std²) is diagonal. Raises NotYet. The oracle for the gap is the ELBO in its
    other form, reconstruction minus KL to the prior.
    """
    agree(answer, linear.evidence_and_gap, linear.cases(seed), linear.GAP_MISTAKES)
    praise("log p(x), less your gap, is reconstruction minus KL to the prior: one ELBO, two ways.")


def bound(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(log_w)`: the log of the average of K weights, (K, batch) -> (batch,), nats.

    Raises NotYet. Weights are e^-2000, e^1000 and 1, also in one batch.
    """
    g = fresh(seed)
    ordinary = {(3, 5): -3.0, (1, 4): 1.0, (6, 1): 0.0, (2, 6): -2.0}
    extreme = {(4, 2): -2000.0, (2, 5): 1000.0, (3, 4): torch.tensor([-2000.0, 0, 1000, -900])}
    mild, hard = (
        [(normal(g, *shape, scale=2.0) + offset,) for shape, offset in shapes.items()]
        for shapes in (ordinary, extreme)
    )
    agree_safely(
        "It is right for weights near 1, but not for e^-2000 or e^1000, which no float can hold, "
        "or not where two pictures of a batch lie so far apart. Stay with logarithms all the way, "
        "and do not cut them off.",
        *(answer, weights_averaged, mild, hard, BOUND_MISTAKES),
        gradients=("log_w",),
    )
    praise("The bound with K draws, safe for weights that no float can hold.")
