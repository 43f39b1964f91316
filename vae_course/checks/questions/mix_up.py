"""Task 4: how often a z of Bob's is likelier to be Alice's."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import SIZES, fresh, normal, uniform
from vae_course.checks.judging.together import Given, Then

ASTRAY = (
    "It is right for moderate σ, but not where log σ is -12 or 5. Is something clamped, or added "
    "below a fraction?"
)


def pairs(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(bob, alice, log_std), each (batch, latent_dim)."""
    g = fresh(seed)
    return [
        (normal(g, *size), normal(g, *size) + 0.3, uniform(g, *size, low=-0.5, high=0.9))
        for size in SIZES
    ]


def far_from_one(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """σ near e^-12 and e^5, and Alice one σ or two away."""
    g, cases = fresh(seed), []
    for middle in (-12.0, 5.0):
        log_std = middle + uniform(g, 3, 2)
        bob = 0.1 * normal(g, 3, 2) * log_std.exp()
        cases.append((bob, bob + normal(g, 3, 2) * log_std.exp(), log_std))
    return cases


def chance(b, a, s, *, reduce=lambda u: u.norm(dim=1), half=0.5, power=1.0, of=torch.special.ndtr):
    return of(-half * reduce((b - a) * torch.exp(-power * s)))


wrong_side = turned(chance, lambda chances: chances)
SLIPS = {
    "You go all the way to Alice. Where does her half begin?": wrong_side(half=1.0),
    "You halve the distance twice.": wrong_side(half=0.25),
    "One σ for all latents: each latent has its own.": (
        lambda b, a, s: torch.special.ndtr(-(b - a).norm(dim=1) / s.exp().mean(1) / 2)
    ),
    "One log σ for all latents: each latent has its own.": (
        Given(lambda b, a, s: (b, a, s.mean(1, keepdim=True)))
    ),
    "One σ for the whole batch: each example has its own.": (
        Given(lambda b, a, s: (b, a, s.mean(0, keepdim=True)))
    ),
    "This is a logistic curve. The distance to the border is normally distributed.": (
        wrong_side(of=torch.sigmoid)
    ),
    "This is the chance that all is well. It must be below one half.": (
        Then(lambda chances: 1 - chances)
    ),
    "σ is not used.": wrong_side(power=0.0),
    "The distance is divided by σ². It must be in units of σ.": wrong_side(power=2.0),
    "This treats log σ as log σ².": wrong_side(power=0.5),
    "The distance is multiplied by σ.": wrong_side(power=-1.0),
    "You divide by log σ. The network gives a logarithm.": (
        lambda b, a, s: torch.special.ndtr(-((b - a) / s).norm(dim=1) / 2)
    ),
    "You add the distances in each latent. The straight distance goes across.": (
        wrong_side(reduce=lambda u: u.abs().sum(1))
    ),
    "You add signed distances, which can cancel.": wrong_side(reduce=lambda u: u.sum(1)),
    "You add signed distances, which can cancel. At the end it is too late for their size.": (
        wrong_side(reduce=lambda u: u.sum(1).abs())
    ),
    "You average the latents. Each of them helps to tell the two apart.": (
        wrong_side(reduce=lambda u: u.square().mean(1).sqrt())
    ),
    "You average the distances in each latent. Each latent helps to tell the two apart.": (
        wrong_side(reduce=lambda u: u.abs().mean(1))
    ),
    "A root is missing: a distance is not its square.": wrong_side(
        reduce=lambda u: u.square().sum(1)
    ),
    "You take the largest distance in a latent. All of them count.": (
        wrong_side(reduce=lambda u: u.abs().max(1).values)
    ),
    "You multiply chances of the latents. It takes no mix-up in *every* latent.": (
        lambda b, a, s: torch.special.ndtr(-((b - a).abs() * torch.exp(-s)) / 2).prod(1)
    ),
    "You averaged chances over the latents.": (
        lambda b, a, s: torch.special.ndtr(-((b - a).abs() * torch.exp(-s)) / 2).mean(1)
    ),
    "This is a density, not a chance.": (
        wrong_side(of=lambda u: torch.exp(-(u**2) / 2) / math.sqrt(2 * math.pi))
    ),
    "This counts both tails. Alice is on one side only.": (
        wrong_side(of=lambda u: 2 * torch.special.ndtr(u))
    ),
    "erfc belongs to a bell with another width: something with √2 is missing.": (
        wrong_side(of=lambda u: torch.special.erfc(-u) / 2)
    ),
    "This is the logarithm of the chance.": Then(torch.log),
    "You averaged over the batch, and gave all the same. Each example has its own chance.": (
        Then(lambda chances: chances.mean().expand(len(chances)))
    ),
    "You found one distance for the whole batch. Each pair has its own.": (
        wrong_side(reduce=lambda u: u.norm().expand(len(u)))
    ),
    "You multiply chances of the latents, with their signs. Only the straight line counts.": (
        lambda b, a, s: torch.special.ndtr((b - a) * torch.exp(-s) / 2).prod(1)
    ),
    "You divide by the length of all σ. Each latent has its own.": (
        lambda b, a, s: torch.special.ndtr(-(b - a).norm(dim=1) / s.exp().norm(dim=1) / 2)
    ),
}


@check(
    cases=pairs,
    extreme=far_from_one,
    astray=ASTRAY,
    slips=SLIPS,
    praise="Only the distance in units of σ counts, however many latents it is spread over.",
)
def mix_up(bob: Tensor, alice: Tensor, log_std: Tensor) -> Tensor:
    """The chance, (batch, latent_dim) -> (batch,). Here: the KL divergence, and Python's erfc."""
    # log q_Alice - log q_Bob at Bob's z is normal, with mean -KL and variance 2 KL.
    kl = kl_divergence(Normal(bob, log_std.exp()), Normal(alice, log_std.exp())).sum(1)
    chances = [math.erfc(math.sqrt(each) / 2) / 2 for each in kl.tolist()]
    return torch.tensor(chances, dtype=bob.dtype)
