"""Task 1: which latents are in use, and what each costs."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform

# How the mean of a latent varies, in units of the threshold; where its mean is; how wide q is.
LATENTS = (
    (60.0, 0.3, 0.2),  # in use
    (0.3, 0.0, 0.9),  # varies too little, though its std is above the threshold
    (0.01, 1.5, 0.8),  # far from 0, and the same for every picture
    (0.05, 0.0, 0.15),  # narrow, and the same for every picture
    (4.0, -0.4, 0.5),  # in use
    (0.3, 0.15, 0.7),
    (1.6, 0.12, 1.0),  # in use, though its KL is below the threshold
    (1e-4, 0.0, 1.0),  # collapsed: its KL is nearly 0
)
# How many pictures, which latents, and between what the threshold lies: no number of one's own
# serves them all.
CASES = (
    (30, range(8), (0.07, 0.1)),
    (25, (4,), (0.008, 0.015)),
    (40, (3, 0, 2), (0.02, 0.035)),
    (21, (5, 1), (0.22, 0.28)),
)


def encoded(seed: int | None) -> list[tuple]:
    """(mean, log_std, threshold); no variance is near the threshold."""
    g = fresh(seed)
    cases = []
    for case, (count, chosen, (low, high)) in enumerate(CASES):
        threshold = uniform(g, 1, low=low, high=high).item()
        order = [chosen[i] for i in torch.randperm(len(chosen), generator=g)]
        variance, middle, width = torch.tensor([LATENTS[j] for j in order], dtype=torch.float64).T
        noise = _uneven(normal(g, count, len(order)), quiet=case < 2)
        noise = (noise - noise.mean(0)) / noise.std(0, unbiased=False)
        mean = middle + noise * (variance * threshold).sqrt()
        log_std = width.log() + uniform(g, count, len(order), low=-0.1, high=0.1)
        cases.append((mean, log_std, threshold))
    return cases


def _uneven(noise: Tensor, quiet: bool) -> Tensor:
    """Noise that is quiet in the first half, or has a first picture far from all others."""
    noise = noise.clone()
    if quiet:
        noise[: len(noise) // 2] *= 0.05
    else:
        noise[0] = 4.0
    return noise


def _each(mean, log_std):
    prior = Normal(0.0, 1.0, validate_args=False)
    return kl_divergence(Normal(mean, log_std.exp(), validate_args=False), prior)


def far_from_prior(seed: int | None) -> list[tuple]:
    """The same where σ is far below 1 or far above, and means are near 20 and -20."""
    g = fresh(seed)
    mean, log_std = uniform(g, 12, 4, low=15, high=25), uniform(g, 12, 4, low=-1, high=1)
    mean[:, 1] = -20.0
    mean[:6, 2] *= -1
    return [(mean, log_std + torch.tensor([-20.0, 4.0, -9.0, 0.0]).double(), 0.05)]


def _slip(*, kl=lambda m, s: _each(m, s).mean(0), count=lambda m, s, t: (m.var(0) > t).sum()):
    return lambda m, s, t: (kl(m, s), count(m, s, t))


SLIPS = {
    "You count all latents.": _slip(count=lambda m, s, t: m.shape[1]),
    "You compare a standard deviation with the threshold. It is one for variances.": _slip(
        count=lambda m, s, t: (m.std(0) > t).sum()
    ),
    "You count where the average of μ² is large. A mean that is far from 0, and the same for every "
    "picture, says nothing.": _slip(count=lambda m, s, t: (m.square().mean(0) > t).sum()),
    "You count where the mean is far from 0. Does it vary from picture to picture?": _slip(
        count=lambda m, s, t: (m.mean(0).abs() > t).sum()
    ),
    "You count the variance of draws. Draws differ because they are drawn: leave σ out.": _slip(
        count=lambda m, s, t: (m.var(0) + torch.exp(2 * s).mean(0) > t).sum()
    ),
    "You count where the KL is above the threshold. A posterior that is the same for every picture "
    "may have a large KL.": _slip(count=lambda m, s, t: (_each(m, s).mean(0) > t).sum()),
    "You count where σ is small, not where μ varies.": _slip(
        count=lambda m, s, t: (s.exp().mean(0) < 1 - t).sum()
    ),
    "You count the latents that are *not* in use.": _slip(
        count=lambda m, s, t: (m.var(0) <= t).sum()
    ),
    "You ask for a large KL, too. In use is what varies, whatever it costs.": _slip(
        count=lambda m, s, t: ((m.var(0) > t) & (_each(m, s).mean(0) > t)).sum()
    ),
    "You measure from the first picture. A variance measures from the mean of them all.": _slip(
        count=lambda m, s, t: ((m - m[0]).square().mean(0) > t).sum()
    ),
    "The second is which latents are in use. The task asks how many.": _slip(
        count=lambda m, s, t: m.var(0) > t
    ),
    "In the KL, log σ has lost its sign: it is that of 1/σ.": _slip(
        kl=lambda m, s: _each(m, -s).mean(0)
    ),
    "In the KL, a constant is missing: where q is the prior, it must be 0.": _slip(
        kl=lambda m, s: _each(m, s).mean(0) + 0.5
    ),
    "In the KL, the term with μ is missing.": _slip(kl=lambda m, s: _each(0 * m, s).mean(0)),
    "In the KL, μ is averaged before it is squared.": _slip(
        kl=lambda m, s: _each(m.mean(0), s).mean(0)
    ),
    "Your KL is that of one picture. Average over all of them.": _slip(
        kl=lambda m, s: _each(m, s)[0]
    ),
    "You use a threshold of your own. Take the one that you are given.": _slip(
        count=lambda m, s, t: (m.var(0) > 0.01).sum()
    ),
    "The second is the variance of each latent. How many are above the threshold?": _slip(
        count=lambda m, s, t: m.var(0)
    ),
    "You take the variance over the latents of a picture. Which dimension are the pictures?": (
        _slip(count=lambda m, s, t: (m.var(1, unbiased=False) > t).sum())
    ),
    "Your KL is summed over the pictures. It must be the mean.": _slip(
        kl=lambda m, s: _each(m, s).sum(0)
    ),
    "Your KL is one for each picture. Average over the pictures, and keep the latents.": _slip(
        kl=lambda m, s: _each(m, s).sum(1)
    ),
    "Your KL is one number for all latents. Keep them apart, so that you see which are in use.": (
        _slip(kl=lambda m, s: _each(m, s).sum(1).mean())
    ),
    "This treats log σ as log σ²: the variance is not exp(log σ).": _slip(
        kl=lambda m, s: _each(m, s / 2).mean(0)
    ),
    "In the KL, the ½ is missing in front of the squares.": _slip(
        kl=lambda m, s: (torch.exp(2 * s) + m**2 - 1 - s).mean(0)
    ),
    "In the KL, log σ has the wrong sign: a narrow posterior must cost.": _slip(
        kl=lambda m, s: (_each(m, s) + 2 * s).mean(0)
    ),
    "In the KL, log σ is missing: then nothing keeps σ away from 0.": _slip(
        kl=lambda m, s: (_each(m, s) + s).mean(0)
    ),
    "This is the KL the other way round. The mean is taken over the posterior.": _slip(
        kl=lambda m, s: kl_divergence(Normal(0.0, 1.0), Normal(m, s.exp())).mean(0)
    ),
    "This is the KL of the average posterior: first the KL of each picture, then the mean.": _slip(
        kl=lambda m, s: _each(m.mean(0), s.mean(0))
    ),
    "The number of latents in use is missing.": lambda *case: units.right(*case)[0],
}


@check(
    cases=encoded,
    extreme=far_from_prior,
    strictly=1e-5,
    astray="It is right for moderate μ and σ, but not where μ is near 20 or -20, and log σ between "
    "-20 and 4. Is something clamped, or added inside a logarithm?",
    slips=SLIPS,
    results=("the KL of each latent", "the number in use"),
    praise="A latent with a large KL and a mean that never varies did not fool you.",
)
def units(mean: Tensor, log_std: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """KL of each latent, (latent_dim,), and how many are in use, of (N, latent_dim) each.

    Here: by torch.distributions, and by the distances of all pairs of pictures.
    """
    i, j = torch.triu_indices(len(mean), len(mean), 1)
    variance = (mean[i] - mean[j]).square().mean(0) / 2
    return _each(mean, log_std).mean(0), (variance > threshold).sum()
