"""Task 3: the best picture for a z, an average under the posterior over pictures."""

import math

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Given

ASTRAY = (
    "It is right for ordinary densities, but not for e^-1800 or e^900, which no float can hold. "
    "Then 0 is divided by 0, or infinity by infinity. Only ratios of densities matter: stay with "
    "logarithms until they are safe, add no small number, and clamp nothing."
)


def overlapping(seed: int | None) -> list[tuple]:
    """(z, mean, log_std, pictures) such that several pictures may have sent each z."""
    g, cases = fresh(seed), []
    for draws, count, latents, pixels in ((4, 6, 2, 5), (1, 3, 1, 7), (5, 4, 3, 2), (3, 8, 4, 6)):
        posterior = normal(g, count, latents), uniform(g, count, latents, low=-0.7, high=0.6)
        cases.append((normal(g, draws, latents), *posterior, normal(g, count, pixels)))
    return cases


def out_of_range(seed: int | None) -> list[tuple]:
    """The same, with densities near e^-1800 and e^900, and still several pictures for each z.

    In one case two pictures are near each z, and the others e^1800 times less likely. In the last
    two, σ is near e^-10 and e^5.
    """
    g = fresh(seed)
    lengths = torch.tensor([[60.0], [90.0], [1.0]]).double()  # no one shift is safe for all z
    far = lengths * torch.nn.functional.normalize(normal(g, 3, 2), dim=1)
    wide = 0.02 * normal(g, 5, 2), 2e-4 * normal(g, 5, 2)
    narrow = 2e-4 * normal(g, 4, 280), -4.5 + 2e-3 * normal(g, 4, 280)
    near = math.exp(-4.5) * torch.tensor([[0.8], [4.0]]).double() * normal(g, 2, 280)
    others = torch.tensor([0.0, 0.0, 60.0, -60.0, 60.0]).double()[:, None]
    some = others + 0.1 * normal(g, 5, 2), 0.1 * normal(g, 5, 2)
    return [
        (far, *wide, normal(g, 5, 4)),
        (near, *narrow, normal(g, 4, 6)),
        (normal(g, 2, 2), *some, normal(g, 5, 3)),
        *(_all_times(*pair) for pair in zip((-10.0, 5.0), overlapping(seed)[::2], strict=True)),
    ]


def _all_times(log: float, case: tuple) -> tuple[Tensor, ...]:
    """All latents e^log times as large."""
    z, mean, log_std, pictures = case
    return z * math.exp(log), mean * math.exp(log), log_std + log, pictures


def weights(logs: list[float]) -> list[float]:
    parts = [math.exp(log - max(logs)) for log in logs]
    return [part / math.fsum(parts) for part in parts]


def log_q(z, mean, log_std, *, half=0.5, power=1.0, log=1.0):
    distance = (z[:, None] - mean) * torch.exp(-power * log_std)
    return -half * distance**2 - log * log_std  # (M, N, d)


def density(z, mean, log_std):
    return Independent(Normal(mean, log_std.exp()), 1).log_prob(z[:, None]).exp()  # (M, N)


def weighted(
    z, mean, log_std, pictures, *, weigh=lambda q: q.softmax(1), reduce=lambda q: q.sum(-1), **slip
):
    return weigh(reduce(log_q(z, mean, log_std, **slip))) @ pictures


def shares(values):
    return values / values.sum(1, keepdim=True)


average = turned(weighted, lambda pictures: pictures)
SLIPS = {
    "The density has a factor 1/σ for each latent. It differs from picture to picture, so it does "
    "not cancel.": average(log=0.0),
    "You measure distances without σ: each posterior has its own.": average(power=0.0, log=0.0),
    "You measure distances without σ. It stands in the exponent, too.": average(power=0.0),
    "A ½ is missing in the exponent of the density.": average(half=1.0),
    "This treats log σ as log σ². The network gives log σ.": average(power=0.5, log=0.5),
    "The squared distance is divided by σ; what belongs there is a variance.": average(power=0.5),
    "The sign of log σ is wrong: a narrow posterior has a high density.": average(log=-1.0),
    "You average over the latents. For independent latents densities are multiplied.": (
        average(reduce=lambda logs: logs.mean(-1))
    ),
    "You add the densities of the latents. For independent latents they are multiplied.": (
        average(weigh=shares, reduce=lambda logs: logs.exp().sum(-1))
    ),
    "Your weights add up to one over the z. For each z they must do so over the pictures.": (
        average(weigh=lambda logs: logs.softmax(0))
    ),
    "Your weights do not add up to one: the division is missing.": (
        lambda z, mean, log_std, pictures: density(z, mean, log_std) @ pictures
    ),
    "Your weights do not add up to one: neither the division nor the constants are there.": (
        average(weigh=torch.exp)
    ),
    "This is a sum divided by the number of pictures. Divide by the sum of the weights.": (
        lambda z, mean, log_std, pictures: density(z, mean, log_std) @ pictures / len(pictures)
    ),
    "Softmax takes logarithms. You gave it the densities themselves.": (
        lambda z, mean, log_std, pictures: density(z, mean, log_std).softmax(1) @ pictures
    ),
    "You weight with logarithms. Weights are probabilities.": (
        average(weigh=lambda logs: logs.log_softmax(1))
    ),
    "The sign is wrong: pictures far from z weigh most.": average(
        weigh=lambda logs: (-logs).softmax(1)
    ),
    "This is the one most likely picture. The best answer to a squared error is an average.": (
        average(weigh=lambda logs: torch.eye(logs.shape[1]).to(logs)[logs.argmax(1)])
    ),
    "This is the plain average: z is not used.": (
        average(weigh=lambda logs: torch.ones_like(logs) / logs.shape[1])
    ),
    "The squares of your weights add up to one. The weights themselves must.": (
        average(weigh=lambda logs: torch.nn.functional.normalize(logs.exp(), dim=1))
    ),
    "You take exp of the spread twice, or of what is a σ already.": (
        Given(lambda z, mean, log_std, pictures: (z, mean, log_std.exp(), pictures))
    ),
    "The distance in the exponent is not squared.": lambda z, mean, log_std, pictures: (
        (-((z[:, None] - mean) * torch.exp(-log_std)).norm(dim=2)).softmax(1) @ pictures
    ),
    "You average over the pictures once more: the weights add up to one already.": (
        average(weigh=lambda logs: logs.softmax(1) / logs.shape[1])
    ),
}


@check(
    cases=overlapping,
    extreme=out_of_range,
    astray=ASTRAY,
    slips=SLIPS,
    praise="No decoder has a smaller squared error for these posteriors, on these pictures.",
)
def best_picture(z: Tensor, mean: Tensor, log_std: Tensor, pictures: Tensor) -> Tensor:
    """Σ_i w_i(z) x_i for q(z|x_i): z (M, d), mean and log_std (N, d), pictures (N, pixels).

    Here: one z at a time, with torch.distributions and Python numbers.
    """
    posteriors, rows = Independent(Normal(mean, log_std.exp()), 1), []
    for one in z:
        each = weights(posteriors.log_prob(one).tolist())
        rows.append(sum(w * picture for w, picture in zip(each, pictures, strict=True)))
    return torch.stack(rows)
