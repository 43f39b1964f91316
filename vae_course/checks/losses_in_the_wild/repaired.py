"""Task 3: a loss of one line with four slips, repaired."""

from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform

SIZES = (((3, 1, 4, 5), 2), ((5, 2, 3, 3), 6), ((2, 3, 2, 4), 4))


def batches(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor, Tensor, float]]:
    """(x, y, mean, log_std, std) of three sizes."""
    g = fresh(seed)
    return [
        (
            uniform(g, *shape),
            uniform(g, *shape),
            normal(g, shape[0], latents),
            uniform(g, shape[0], latents, low=-1.5, high=-0.3),
            uniform(g, 1, low=0.2, high=0.7).item(),
        )
        for shape, latents in SIZES
    ]


def loss(x, y, mean, log_std, std, *, over="sum", latents="sum", half=0.5, root=2, two=2.0,
         log=1.0, kl=1.0, kl_half=0.5):  # fmt: skip
    """The two terms of each example, (batch,) each, with knobs."""
    squares = half * (x - y).square().flatten(1) / std**root
    each = kl_half * (mean.square() + (two * log_std).exp() - 1) - log * log_std
    return getattr(squares, over)(1), kl * getattr(each, latents)(1)


def averaged(terms):
    return (terms[0] + terms[1]).mean()


slip = turned(loss, averaged)
SLIPS = {
    "The squares still are a mean over pixels. Each pixel counts.": slip(over="mean"),
    "The KL still is a mean over latents. Each latent costs.": slip(latents="mean"),
    "Both terms still are means over the parts of an example.": slip(over="mean", latents="mean"),
    "The squares lack the ½ of the Gaussian.": slip(half=1.0),
    "The squares are divided by σ, not by its square.": slip(root=1),
    "The squares do not know σ.": slip(root=0),
    "The KL uses log σ as if it were log σ².": slip(two=1.0, log=0.5),
    "The exponential has log σ where log σ² belongs.": slip(two=1.0),
    "In the KL, log σ has a ½ too many.": slip(log=0.5),
    "In the KL, the ½ in front of μ² + σ² - 1 is missing.": slip(kl_half=1.0),
    "The KL has the wrong sign.": slip(kl=-1.0),
    "There is no KL in it.": slip(kl=0.0),
    "It is summed over the batch, and should be averaged.": slip(lambda t: (t[0] + t[1]).sum()),
    "The squares are averaged over the batch, the KL is summed.": (
        slip(lambda t: t[0].mean() + t[1].sum())
    ),
    "The KL is averaged over the batch, the squares are summed.": (
        slip(lambda t: t[0].sum() + t[1].mean())
    ),
    "There is one number for each example. Average them.": slip(lambda t: t[0] + t[1]),
}


@check(
    cases=batches,
    slips=SLIPS,
    gradients=("y", "mean", "log_std"),
    praise="Both terms are in nats of one example, and σ is the one that was said.",
)
def repaired(x: Tensor, y: Tensor, mean: Tensor, log_std: Tensor, std: float) -> Tensor:
    """The loss, one number. Here: by torch.distributions; without log σ_x and ½ log 2π."""
    against = Normal(y, std)
    nll = against.log_prob(y.detach()) - against.log_prob(x)  # constants drop out
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    return (nll.flatten(1).sum(1) + kl.flatten(1).sum(1)).mean()
