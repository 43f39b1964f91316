"""The gap of the bound: q over the true posterior, and what more draws can do for it."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.distributions import Normal

from vae_course import plotting
from vae_course.explorer.fragment import LiveFigure

# One latent, p(z) = N(0, 1), and one pixel x with p(x|z) = N(z^power, noise²).
ONE = {"power": 1, "x": 1.0, "noise": 1.0, "draws": [1], "start": [0.5, 0.2]}
TWO = {"power": 2, "x": 1.5, "noise": 0.5, "start": [1.1, 0.22]}
TWO["draws"] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
WIDE = (0.0, 0.75)  # mean and std of a q over both humps

CAPTIONS = {
    1: "Line 3 for one latent and one pixel. Drag the top of q: to the sides for its mean, up for "
    "a smaller σ. The curves of line 2 bend with q; the grey line, their sum log p(x), stays.",
    2: "A decoder that paints the same pixel for z and −z, so the posterior has two humps. Drag "
    "the top of q, and raise the number K of draws. The bar: the ELBO, what K draws add, the gap.",
}
TASKS = {
    1: "q knows the best z: its gap is 0.80 nats. The prior knows nothing: 0.40. Close the gap.",
    2: "No normal q has a smaller gap. Raise K: it stays. Lay q over both humps, and raise K.",
}
ALTS = {
    1: "A narrow bell q over the wide true posterior, around the same place. Beside it log w, a "
    "valley, its mirror image log q(z|x) / p(z|x), a hill, and their sum, a flat line.",
    2: "The gap over the number of draws, both axes logarithmic. A q on one of two humps starts at "
    "0.74 nats and ends at 0.69; a q over both starts at 1.6 and falls to 0.01 at a hundred draws.",
}


def elbo_gap(humps: int = 1) -> LiveFigure:
    """log p(x) = ELBO + gap for a normal q, where the true posterior has one hump, or two.

    With two, K draws tighten the bound (Burda et al. 2015, Eq. 8). All is in nats, for one latent
    and one pixel. Raises ValueError for another number of humps.
    """
    if humps not in TASKS:
        raise ValueError(f"a posterior here has 1 or 2 humps, but humps is {humps}")
    return LiveFigure(
        kind="gap",
        name="The ELBO and its gap for a q that can be moved over the true posterior",
        caption=CAPTIONS[humps],
        alt=ALTS[humps],
        still=_one_still() if humps == 1 else _two_still(),
        data={**(ONE if humps == 1 else TWO), "task": TASKS[humps]},
    )


def log_joint(z: Tensor, power: int, x: float, noise: float) -> Tensor:
    """log p(z) + log p(x|z) in nats, of the shape of z."""
    return Normal(0.0, 1.0).log_prob(z) + Normal(z**power, noise).log_prob(torch.as_tensor(x))


def bound(n_samples: int, q: Normal, power: int, x: float, noise: float) -> float:
    """E log (1/K) Σ_k w_k with K = n_samples draws from q, in nats, without a draw.

    For a positive sum S, log S = ∫ (exp(-e^v) - exp(-S e^v)) dv over all v, and the average of
    exp(-S e^v) over independent w is a power of that over one.
    """
    noises = torch.linspace(-8.5, 8.5, 341, dtype=torch.float64)
    chance, z = torch.softmax(-0.5 * noises**2, 0), q.mean + q.stddev * noises
    log_w = log_joint(z, power, x, noise) - q.log_prob(z)
    u = torch.arange(-25, 145, 0.5, dtype=torch.float64)
    v, step = 15 * torch.sinh(u / 15), 0.5 * torch.cosh(u / 15)  # far out larger steps will do
    one = (-(v[:, None] + log_w).exp()).exp() @ chance  # E exp(-w e^v)
    return (step * ((-n_samples * v.exp()).exp() - one**n_samples)).sum().item()


def evidence(power: int, x: float, noise: float) -> float:
    """log p(x) in nats, by a sum over a grid."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    return (log_joint(z, power, x, noise).logsumexp(0) + math.log(z[1] - z[0])).item()


def _setting(scene: dict) -> tuple:
    return scene["power"], scene["x"], scene["noise"]


def _one_still() -> Figure:
    made, (bells, lines) = plotting.figure(8, 3, columns=2)
    z = torch.linspace(-1.5, 2.5, 300, dtype=torch.float64)
    log_p, q = evidence(*_setting(ONE)), Normal(*ONE["start"])
    joint = log_joint(z, *_setting(ONE))
    bells.plot(z, (joint - log_p).exp(), label="$p(z|x)$")
    bells.plot(z, q.log_prob(z).exp(), "--", label="$q(z|x)$")
    bells.set(xlabel="$z$", ylabel="density")
    bells.legend()
    log_w = joint - q.log_prob(z)
    lines.plot(z, log_w, label=r"$\log w(z)$")
    lines.plot(z, log_p - log_w, "--", label=r"$\log q(z|x) / p(z|x)$")
    lines.axhline(log_p, color="black", label=r"sum: $\log p(x)$")
    lines.set(xlabel="$z$", ylabel="nats", ylim=(-6, 4))
    lines.legend(loc="upper right")
    return made


def _two_still() -> Figure:
    made, (axes,) = plotting.figure(6, 3)
    log_p = evidence(*_setting(TWO))
    for name, at, style in (("on one hump", TWO["start"], "o-"), ("over both", WIDE, "s--")):
        gaps = [log_p - bound(K, Normal(*at), *_setting(TWO)) for K in TWO["draws"]]
        axes.loglog(TWO["draws"], gaps, style, label=f"q {name}")
    axes.set(xlabel="$K$", ylabel="gap in nats")
    axes.legend()
    return made
