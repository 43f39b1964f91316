"""Task 8: the codes re-scaled to the prior's mean and variance, and the decoder with them."""

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform

SIZES = (5, 2, 3), (4, 1, 2), (7, 3, 4)  # pictures, latents, units of the decoder's first layer


def cases(seed: int | None) -> list[tuple[Tensor, ...]]:
    """(mean, log_std, weight, bias), with clouds off the centre and of all widths."""
    g = fresh(seed)
    return [
        (
            normal(g, n, d) * uniform(g, d, low=0.5, high=3.0) + normal(g, d, scale=0.8),
            uniform(g, n, d, low=-1.5, high=-0.3),
            normal(g, units, d),
            normal(g, units),
        )
        for n, d, units in SIZES
    ]


def changed(
    mean,
    log_std,
    weight,
    bias,
    *,
    variance=lambda m, s: m.var(0, correction=0) + torch.exp(2 * s).mean(0),
    centre=lambda m: m.mean(0),
    scale=torch.sqrt,
    narrower=lambda s, scale: s - scale.log(),
    undo=lambda w, scale: w * scale,
    shift=lambda w, b, m, scale: b + w @ m,
):
    m, wide = centre(mean), scale(variance(mean, log_std))
    new = (mean - m) / wide, narrower(log_std, wide)
    nats = _mean_kl(mean, log_std) - _mean_kl(*new)
    return *new, undo(weight, wide), shift(weight, bias, m, wide), nats


def _mean_kl(mean: Tensor, log_std: Tensor) -> Tensor:
    return kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1).mean()


slip = turned(changed, lambda found: found)
SLIPS = {
    "The spread of each posterior is missing: v is the variance of the means and the mean of σ².": (
        slip(variance=lambda m, s: m.var(0, correction=0))
    ),
    "The spread of the means is missing: v is the variance of the means and the mean of σ².": (
        slip(variance=lambda m, s: torch.exp(2 * s).mean(0))
    ),
    "You took the second moment for the variance: the square of the mean is not subtracted.": (
        slip(variance=lambda m, s: (m**2 + torch.exp(2 * s)).mean(0))
    ),
    "The variance of the means is over N - 1. These N posteriors are all there are: divide by N.": (
        slip(variance=lambda m, s: m.var(0) + torch.exp(2 * s).mean(0))
    ),
    "You divide by the variance. Codes are divided by their standard deviation.": (
        slip(scale=lambda v: v)
    ),
    "The codes are not centred: the mean is to become 0, too.": (
        slip(centre=lambda m: 0 * m.mean(0))
    ),
    "log σ stays as it was. A posterior becomes narrower with the cloud, by log √v.": (
        slip(narrower=lambda s, scale: s)
    ),
    "You divide log σ by √v. It is σ that is divided: log √v is subtracted from log σ.": (
        slip(narrower=lambda s, scale: s / scale)
    ),
    "You add log √v to log σ. A wide cloud becomes narrower.": (
        slip(narrower=lambda s, scale: s + scale.log())
    ),
    "The weights are divided by √v, as the codes are. The decoder must undo it.": (
        slip(undo=lambda w, scale: w / scale)
    ),
    "The weights stay as they were: the decoder would read other codes than before.": (
        slip(undo=lambda w, scale: w)
    ),
    "The bias stays as it was: what the centre of the cloud gave is lost.": (
        slip(shift=lambda w, b, m, scale: b)
    ),
    "The bias takes W m with the new weights. The old ones met the old codes.": (
        slip(shift=lambda w, b, m, scale: b + (w * scale) @ m)
    ),
    "W m is subtracted from the bias. It was taken out of the codes, so it comes back here.": (
        slip(shift=lambda w, b, m, scale: b - w @ m)
    ),
}


@check(
    cases=cases,
    slips=SLIPS,
    results=("the mean", "log σ", "the weight", "the bias", "the nats"),
    praise="Every reconstruction is the same, and the cloud has the prior's mean and variance.",
)
def rescale(mean: Tensor, log_std: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
    """New mean, log_std, weight and bias, and how many nats the mean KL falls by."""
    second = (mean.square() + log_std.exp().square()).mean(0)
    centre = mean.mean(0)
    wide = (second - centre.square()).sqrt()
    new = (mean - centre) / wide, torch.log(log_std.exp() / wide)
    nats = _mean_kl(mean, log_std) - _mean_kl(*new)
    layer = weight @ torch.diag(wide), torch.addmv(bias, weight, centre)
    return *new, *layer, nats
