"""Averages under the posterior over pictures: inputs, oracles, and slips with their names."""

import math

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from vae_course.checks.judging.inputs import normal, uniform


def overlapping(g: torch.Generator) -> list[tuple]:
    """(z, mean, log_std, pictures) such that several pictures may have sent each z."""
    cases = []
    for draws, count, latents, pixels in ((4, 6, 2, 5), (1, 3, 1, 7), (5, 4, 3, 2), (3, 8, 4, 6)):
        posterior = normal(g, count, latents), uniform(g, count, latents, low=-0.7, high=0.6)
        cases.append((normal(g, draws, latents), *posterior, uniform(g, count, pixels)))
    return cases


def out_of_range(g: torch.Generator) -> list[tuple]:
    """The same, with densities near e^-1800 and e^900, and still several pictures for each z.

    In the last case two pictures are near each z, and the others e^1800 times less likely.
    """
    lengths = torch.tensor([[60.0], [90.0], [1.0]]).double()  # no one shift is safe for all z
    far = lengths * torch.nn.functional.normalize(normal(g, 3, 2), dim=1)
    wide = 0.02 * normal(g, 5, 2), 2e-4 * normal(g, 5, 2)
    narrow = 2e-4 * normal(g, 4, 280), -4.5 + 2e-3 * normal(g, 4, 280)
    near = math.exp(-4.5) * torch.tensor([[0.8], [4.0]]).double() * normal(g, 2, 280)
    others = torch.tensor([0.0, 0.0, 60.0, -60.0, 60.0]).double()[:, None]
    some = others + 0.1 * normal(g, 5, 2), 0.1 * normal(g, 5, 2)
    return [
        (far, *wide, uniform(g, 5, 4)),
        (near, *narrow, uniform(g, 4, 6)),
        (normal(g, 2, 2), *some, uniform(g, 5, 3)),
    ]


def best_picture(z: Tensor, mean: Tensor, log_std: Tensor, pictures: Tensor) -> Tensor:
    """The oracle: one z at a time, with torch.distributions and Python numbers."""
    posteriors, rows = Independent(Normal(mean, log_std.exp()), 1), []
    for one in z:
        weights = _weights(posteriors.log_prob(one).tolist())
        rows.append(sum(w * picture for w, picture in zip(weights, pictures, strict=True)))
    return torch.stack(rows)


def _weights(logs: list[float]) -> list[float]:
    parts = [math.exp(log - max(logs)) for log in logs]
    return [part / math.fsum(parts) for part in parts]


def _log_q(z, mean, log_std, *, half=0.5, power=1.0, log=1.0):
    distance = (z[:, None] - mean) * torch.exp(-power * log_std)
    return -half * distance**2 - log * log_std  # (M, N, d)


def _density(z, mean, log_std):
    return Independent(Normal(mean, log_std.exp()), 1).log_prob(z[:, None]).exp()  # (M, N)


def _average(weigh=lambda logs: logs.softmax(1), reduce=lambda logs: logs.sum(-1), **slip):
    return lambda z, mean, log_std, pictures: (
        weigh(reduce(_log_q(z, mean, log_std, **slip))) @ pictures
    )


def _shares(values):
    return values / values.sum(1, keepdim=True)


BEST_MISTAKES = {
    "The density has a factor 1/σ for each latent. It differs from picture to picture, so it does "
    "not cancel.": _average(log=0.0),
    "You measure distances without σ: each posterior has its own.": _average(power=0.0, log=0.0),
    "You measure distances without σ. It stands in the exponent, too.": _average(power=0.0),
    "A ½ is missing in the exponent of the density.": _average(half=1.0),
    "This treats log σ as log σ². The network gives log σ.": _average(power=0.5, log=0.5),
    "The squared distance is divided by σ; what belongs there is a variance.": _average(power=0.5),
    "The sign of log σ is wrong: a narrow posterior has a high density.": _average(log=-1.0),
    "You average over the latents. For independent latents densities are multiplied.": (
        _average(reduce=lambda logs: logs.mean(-1))
    ),
    "You add the densities of the latents. For independent latents they are multiplied.": (
        _average(_shares, lambda logs: logs.exp().sum(-1))
    ),
    "Your weights add up to one over the z. For each z they must do so over the pictures.": (
        _average(lambda logs: logs.softmax(0))
    ),
    "Your weights do not add up to one: the division is missing.": (
        lambda z, mean, log_std, pictures: _density(z, mean, log_std) @ pictures
    ),
    "Your weights do not add up to one: neither the division nor the constants are there.": (
        _average(torch.exp)
    ),
    "This is a sum divided by the number of pictures. Divide by the sum of the weights.": (
        lambda z, mean, log_std, pictures: _density(z, mean, log_std) @ pictures / len(pictures)
    ),
    "Softmax takes logarithms. You gave it the densities themselves.": (
        lambda z, mean, log_std, pictures: _density(z, mean, log_std).softmax(1) @ pictures
    ),
    "You weight with logarithms. Weights are probabilities.": (
        _average(lambda logs: logs.log_softmax(1))
    ),
    "The sign is wrong: pictures far from z weigh most.": _average(lambda logs: (-logs).softmax(1)),
    "This is the one most likely picture. The best answer to a squared error is an average.": (
        _average(lambda logs: torch.eye(logs.shape[1]).to(logs)[logs.argmax(1)])
    ),
    "This is the plain average: z is not used.": (
        _average(lambda logs: torch.ones_like(logs) / logs.shape[1])
    ),
}


def log_densities(g: torch.Generator) -> tuple[list[tuple], list[tuple]]:
    """log q of N pictures for M z: ordinary ones, and ones that exp turns into 0 or infinity."""
    sizes = ((3, 5), (1, 4), (4, 2), (2, 7))
    mild = [(normal(g, *size, scale=1.3) - 0.7,) for size in sizes]
    hard = [normal(g, 3, 6) - 2000, normal(g, 2, 5) + 1000, normal(g, 4, 8)]
    hard[2][:, [1, 4]] -= 3000  # weights of exactly 0
    return mild, [(logs,) for logs in hard]


def effective_number(log_q: Tensor) -> Tensor:
    """The oracle: one z at a time, in Python numbers."""
    numbers = []
    for logs in log_q.tolist():
        weights = [w for w in _weights(logs) if w > 0]
        numbers.append(math.prod((1 / w) ** w for w in weights))
    return torch.tensor(numbers, dtype=log_q.dtype)


def _doubt(log_q, dim=1):
    return torch.special.entr(log_q.softmax(dim)).sum(dim)


NUMBER_MISTAKES = {
    "This is the entropy itself. A number of pictures is not counted in nats.": _doubt,
    "This is the entropy in bits, not a number of pictures.": lambda q: _doubt(q) / math.log(2),
    "The sign of the entropy is wrong: a number below 1 is no number of pictures.": (
        lambda q: (-_doubt(q)).exp()
    ),
    "You take 2 to the power of nats. The base must fit the logarithm.": lambda q: 2 ** _doubt(q),
    "You take e to the power of bits. The base must fit the logarithm.": (
        lambda q: (_doubt(q) / math.log(2)).exp()
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
        lambda q: _doubt(q, 0).exp()
    ),
    "Your weights do not add up to one: q itself is no probability of a picture.": (
        lambda q: torch.special.entr(q.exp()).sum(1).exp()
    ),
    "You average w log w over the pictures. An entropy is a sum.": (
        lambda q: (_doubt(q) / q.shape[1]).exp()
    ),
    "You average log w with equal weights. In an entropy likely pictures count more.": (
        lambda q: (-q.log_softmax(1).mean(1)).exp()
    ),
    "You compare with log N: this is what z tells, not the doubt that is left.": (
        lambda q: q.shape[1] / _doubt(q).exp()
    ),
    "This is the number of all pictures.": lambda q: 0 * q[:, 0] + q.shape[1],
    "You averaged the entropy over the z. Return one number for each.": (
        lambda q: _doubt(q).mean().exp()
    ),
}
