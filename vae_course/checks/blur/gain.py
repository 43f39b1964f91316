"""Task 5: what a linear VAE multiplies each principal direction with."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.together import Then

ASTRAY = (
    "It is right where λ is well above 0, but not at 0 or just below it, where rounding puts the λ "
    "of a pixel that never changes, or where all numbers are tiny. There you divide by 0, or two "
    "signs cancel, or something that you add counts. Decide first which directions pass."
)


def spectra(seed: int | None) -> list[tuple[Tensor, float]]:
    """(eigenvalues, std), on both sides of σ², far and near."""
    g, cases = fresh(seed), []
    for n, (low, high) in ((7, (0.3, 0.6)), (5, (1.5, 2.5)), (9, (0.7, 0.85))):
        std = uniform(g, 1, low=low, high=high).item()
        shares = torch.tensor([4.0, 1.1, 0.8, 0.4]).double()
        shares = torch.cat([shares, uniform(g, n - 4, low=0.2, high=6.0)])
        eigenvalues = std**2 * shares
        cases.append((eigenvalues if cases else eigenvalues.sort(descending=True).values, std))
    return cases


def rounded(seed: int | None) -> list[tuple[Tensor, float]]:
    """The same, with eigenvalues that rounding has put at 0 or below; and tiny ones, and large."""
    noise = torch.tensor([1e-17, 0.0, -1e-17, -3e-16]).double()
    mild = spectra(seed)
    scaled = [(by**2 * eigenvalues, by * std) for by in (1e-5, 300.0) for eigenvalues, std in mild]
    return [(torch.cat([eigenvalues, noise]), std) for eigenvalues, std in mild] + scaled


def kept(formula, below=torch.zeros_like):
    """`formula` where a direction passes, and `below` elsewhere."""
    return lambda lam, std: torch.where(lam > std**2, formula(lam, std), below(lam))


SLIPS = {
    "Below σ² the gain must not be negative: the direction is switched off.": (
        lambda lam, std: 1 - std**2 / lam
    ),
    "You take the size of a negative gain. Such a direction is switched off.": (
        lambda lam, std: (1 - std**2 / lam).abs()
    ),
    "σ is compared with a variance. λ is in squared units.": (
        lambda lam, std: (1 - std / lam).clamp(min=0)
    ),
    "The fraction is upside down: the largest λ must have the largest gain.": (
        lambda lam, std: (1 - lam / std**2).clamp(min=0)
    ),
    "This is the share that is lost, not the gain.": Then(lambda gain: 1 - gain),
    "This is the gain squared: what is left of the variance.": Then(torch.square),
    "This is the root of the gain.": Then(torch.sqrt),
    "This is the filter for pictures with added noise. Here λ is the variance of the pictures as "
    "they are, and the model counts σ² into it.": lambda lam, std: lam / (lam + std**2),
    "All or nothing: but a direction that passes loses something, too.": (
        lambda lam, std: (lam > std**2).to(lam)
    ),
    "This is a variance, not a factor: what the decoder adds along each direction.": (
        lambda lam, std: (lam - std**2).clamp(min=0)
    ),
    "These are the nats that a direction gets, not its gain.": (
        lambda lam, std: (lam / std**2).log().clamp(min=0) / 2
    ),
    "You compare λ with σ where you cut, and with σ² where you do not.": (
        lambda lam, std: torch.where(lam > std, 1 - std**2 / lam, 0 * lam)
    ),
    "Below σ² the gain must be 0, not λ.": kept(lambda lam, std: 1 - std**2 / lam, lambda lam: lam),
    "Below σ² the gain must be 0, not 1.": (
        kept(lambda lam, std: 1 - std**2 / lam, torch.ones_like)
    ),
    "Your condition is the wrong way round: large λ must pass.": (
        lambda lam, std: torch.where(lam > std**2, 0 * lam, 1 - std**2 / lam)
    ),
    "The fraction is upside down, where you do not cut.": kept(lambda lam, std: 1 - lam / std**2),
    "In the fraction, roots stand where σ² and λ belong.": (
        kept(lambda lam, std: 1 - std / lam.sqrt())
    ),
    "The fraction is squared: σ⁴ and λ² stand where σ² and λ belong.": (
        kept(lambda lam, std: 1 - std**4 / lam**2)
    ),
    "Of the directions that pass, this is the share that is lost.": (
        kept(lambda lam, std: std**2 / lam)
    ),
    "The sign of the fraction is wrong: noise makes no direction larger.": (
        kept(lambda lam, std: 1 + std**2 / lam)
    ),
    "Where you do not cut, this is the filter for pictures with added noise.": (
        kept(lambda lam, std: lam / (lam + std**2))
    ),
    "You sort the gains. Each belongs to its own direction.": (
        Then(lambda gains: gains.sort(descending=True).values)
    ),
}


@check(
    cases=spectra,
    extreme=rounded,
    astray=ASTRAY,
    slips=SLIPS,
    praise="Coarse shapes pass almost whole, fine detail is cut. Nothing is made larger.",
)
def gain(eigenvalues: Tensor, std: float) -> Tensor:
    """The gains, (n,) -> (n,). Here: best weight, posterior mean, decoder."""
    gains = []
    for value in eigenvalues.tolist():
        weight = math.sqrt(max(value - std**2, 0.0))  # of the best linear VAE, chapter 8
        gains.append(weight * (weight / (weight**2 + std**2)))  # decoder times posterior mean
    return torch.tensor(gains, dtype=eigenvalues.dtype)
