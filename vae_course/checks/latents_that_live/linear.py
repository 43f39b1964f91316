"""Task 5: which latents of the best linear VAE are active, and their KLs."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.searches import lowest
from vae_course.checks.judging.together import Then


def spectra(seed: int | None) -> list[tuple]:
    """(eigenvalues, latent_dim, variance), in any order, with more or fewer latents than needed.

    σ² is below 1, and above; the last eigenvalues lie far apart.
    """
    g = fresh(seed)
    cases = []
    for above, below, latents, unit in (
        (4, 2, 3, 1.0),
        (2, 4, 5, 1.0),
        (1, 3, 2, 1.0),
        (0, 4, 2, 1.0),
        (3, 1, 4, 1.0),
        (3, 2, 5, 8.0),
    ):
        variance = unit * uniform(g, 1, low=0.2, high=0.6).item()
        high, low = uniform(g, above, low=1.2, high=9), uniform(g, below, low=0.1, high=0.8)
        if unit == 1:
            high[:1] = variance**-0.25  # an eigenvalue between σ² and σ
        else:
            low[:1] = 0.7  # one between 1 and σ²
        values = variance * torch.cat([low, high])
        if cases:  # in the first case those to be left out come first; then any order
            values = values[torch.randperm(len(values), generator=g)]
        cases.append((values, latents, variance))
    variance = uniform(g, 1, low=0.2, high=0.6).item()
    far = variance * torch.tensor([1e-4, 1e4, 3.0, 90.0], dtype=torch.float64)
    return [*cases, (far, 3, variance)]


def above(e, d, v):
    return (e > v).sum().clamp(max=d)


def each(e, d, v, *, half=0.5, cut=True, power=1.0, one=0.0, ordered=True, largest=True,
         count=above):  # fmt: skip
    """Both results, with knobs."""
    values = e.sort(descending=largest).values if ordered else e
    nats = half * (one + values[:d] / v**power).log()
    return count(e, d, v), nats.clamp(min=0) if cut else nats


slip = turned(each, lambda pair: pair)
SLIPS = {
    "Some of your KLs are negative. A latent that does not pay is switched off.": slip(cut=False),
    "You count eigenvalues that the model has no latents for.": slip(
        count=lambda e, d, v: (e > v).sum()
    ),
    "You compare eigenvalues with σ. They are variances.": slip(
        count=lambda e, d, v: ((e > v**0.5).sum()).clamp(max=d)
    ),
    "You compare eigenvalues with σ, in the count and in the KL. They are variances.": slip(
        count=lambda e, d, v: ((e > v**0.5).sum()).clamp(max=d), power=0.5
    ),
    "In the KL you divide by σ. Eigenvalues are variances.": slip(power=0.5),
    "In the KL you divide by σ⁴: `variance` is squared already.": slip(power=2),
    "In the KL a ½ is missing.": slip(half=1.0),
    "Your KL is that of a latent whose strength squared is λ. At the optimum the noise has a share "
    "in λ, too.": slip(one=1.0),
    "Your KL is in bits.": slip(half=0.5 / math.log(2)),
    "You take the eigenvalues in the order in which they come. Which does the model choose?": (
        slip(ordered=False)
    ),
    "You count among the first eigenvalues as they come. Which does the model choose?": slip(
        count=lambda e, d, v: (e[:d] > v).sum()
    ),
    "Your KLs are right, but not the largest first.": (
        Then(lambda found: (found[0], found[1].flip(0)))
    ),
    "Your KL grows in proportion to what stands out above the noise. It grows more slowly.": (
        lambda e, d, v: (linear.right(e, d, v)[0], (linear.right(e, d, v)[1] * 2).expm1() / 2)
    ),
    "You take the smallest eigenvalues. Which does the model choose?": slip(largest=False),
    "You keep one latent alive where none of them pays.": slip(
        count=lambda e, d, v: ((e > v).sum()).clamp(min=1, max=d)
    ),
    "You take the noise off λ before the logarithm. It is λ itself that is compared with it.": (
        lambda e, d, v: (linear.right(e, d, v)[0], each((e - v).clamp(min=1e-12), d, v)[1])
    ),
    "Your KLs are averaged. The task asks for each.": (
        Then(lambda found: (found[0], found[1].mean()))
    ),
    "You count all latents.": slip(count=lambda e, d, v: d),
    "You count the latents that are switched off.": slip(
        count=lambda e, d, v: d - ((e > v).sum()).clamp(max=d)
    ),
    "Your KLs are all there are, also those for which the model has no latent.": (
        lambda e, d, v: (linear.right(e, d, v)[0], linear.right(e, len(e), v)[1])
    ),
    "Your KLs are summed. The task asks for each.": (
        Then(lambda found: (found[0], found[1].sum()))
    ),
}


@check(
    cases=spectra,
    slips=SLIPS,
    results=("the number of active latents", "the KL of each"),
    praise="Latent by latent, as the best linear VAE has them.",
)
def linear(eigenvalues: Tensor, latent_dim: int, variance: float) -> tuple[Tensor, Tensor]:
    """How many latents are active, and their KLs, (latent_dim,), largest first.

    Here: from the strength of each latent, found by search.
    """
    chosen = eigenvalues.sort(descending=True).values[:latent_dim]

    def cost(strength):  # minus log p(x) along an eigenvector, but for a constant
        return 0.5 * ((strength + variance).log() + chosen / (strength + variance))

    strength = lowest(cost, torch.zeros_like(chosen), chosen + variance)  # squared
    strength = torch.where(strength < 1e-7, torch.zeros_like(strength), strength)
    posterior = 1 / (1 + strength / variance)
    spread = chosen * strength * posterior**2 / variance**2  # of the posterior's mean
    kl = 0.5 * (posterior + spread - 1 - posterior.log())
    return (strength > 0).sum(), kl
