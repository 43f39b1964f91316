"""Task 2: posteriors re-scaled, so that all codes together have mean 0 and variance 1."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform


def posteriors(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    """(mean, log_std), each (N, d): σ counts in the variance of the codes, and varies."""
    g, cases = fresh(seed), []
    for count, latents in ((6, 3), (4, 1), (9, 2), (3, 5)):
        scale, shift = uniform(g, latents, low=0.4, high=2.5), uniform(g, latents, low=0.4, high=2)
        mean = normal(g, count, latents) * scale + shift
        cases.append((mean, uniform(g, count, latents, low=-1.0, high=0.7)))
    return cases


def both(mean, log_std, *, correction=0, share=1.0, root=0.5, centred=True, moved=True, dim=0,
         spread=torch.square, middle=True):  # fmt: skip
    centre = mean.mean(dim) if centred else 0 * mean.mean(0)
    about = mean.mean(dim) if middle else 0 * mean.mean(0)
    variance = (mean - about).square().sum(0) / (len(mean) - correction)
    if dim is None:
        variance = (mean - about).square().mean()
    variance = variance + share * spread(log_std.exp()).mean(dim)
    scale = variance**root
    return (mean - centre) / scale, log_std - scale.log() if moved else log_std.clone()


slip = turned(both, lambda pair: pair)
SLIPS = {
    "You take the variance of the means. A code has the noise of its posterior on top.": (
        slip(share=0.0)
    ),
    "You divide by the variance. The standard deviation is its root.": slip(root=1.0),
    "You do not move the codes to mean 0.": slip(centred=False),
    "log σ has to move as well: σ is divided by the same number.": slip(moved=False),
    "Your variance of the means divides by N - 1. These pictures are all there are: N.": (
        slip(correction=1)
    ),
    "You add the mean of σ where that of σ² belongs.": slip(spread=lambda std: std),
    "You take one mean and one scale for all latents. Each has its own.": slip(dim=None),
    "You take the second moment about 0, not the variance about the mean.": slip(middle=False),
    "You multiply by the standard deviation. Divide.": slip(root=-0.5),
    "You divide σ, not log σ: your second result is σ.": (
        lambda m, s: (both(m, s)[0], both(m, s)[1].exp())
    ),
    "From log σ you subtract √v, not its logarithm.": (
        lambda m, s: (both(m, s)[0], s - (both(m, s)[1] - s).neg().exp())
    ),
    "You divide log σ by √v. Dividing σ means to subtract a logarithm.": (
        lambda m, s: (both(m, s)[0], s / (s - both(m, s)[1]).exp())
    ),
}


@check(
    cases=posteriors,
    slips=SLIPS,
    results=("mean", "log_std"),
    praise="E[μ] = 0 and E[μ² + σ²] = 1, in every latent, and the decoder can undo it.",
)
def rescaled(mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Each (N, d). Here: two points at μ ± σ have the mean and the variance of the posterior."""
    std = log_std.exp()
    points = torch.cat([mean - std, mean + std])
    centre, scale = points.mean(0), points.std(0, correction=0)
    low, high = ((points - centre) / scale).chunk(2)
    return (low + high) / 2, ((high - low) / 2).log()
