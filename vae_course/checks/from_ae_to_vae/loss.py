"""Task 2: the training loss with one draw of z for each picture.

The model is linear, so that loss and slopes are known in closed form.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import kind, require, require_something
from vae_course.objectives import Gaussian

# No product of some of these sizes is that of others, so that each average has its own name.
BATCH, SHAPE, LATENTS = 20_000, (3, 2, 4), 2
PIXELS = 24
STEEP = 5  # so many times steeper, and noisier, is the slope in the decoder's log σ


class Probe:
    """encode and decode like those of `VAE`, for pictures (batch, 3, 2, 4), float64.

    `mean_bias`, `log_std` (LATENTS,), `log_std_x` () and `bias` (PIXELS,) stand for all weights.
    """

    def __init__(self, g: torch.Generator):
        self.inwards = normal(g, PIXELS, LATENTS, scale=0.15)
        rows = torch.linalg.qr(normal(g, PIXELS, LATENTS)).Q
        self.weight = rows * uniform(g, LATENTS, low=0.9, high=1.2)
        self.averages = None
        self.start = int(torch.randint(2**31, (1,), generator=g))
        self.forget()

    def forget(self, *weights: Tensor) -> None:
        self.mean_bias, self.log_std, self.log_std_x, self.bias = weights or [None] * 4
        self.seen: list[Tensor] = []

    def encode(self, x: Tensor) -> Gaussian:
        mean = x.flatten(1) @ self.inwards + self.mean_bias
        return Gaussian(mean, self.log_std.expand_as(mean))

    def decode(self, z: Tensor) -> Gaussian:
        self.seen.append(z.detach().clone())
        return Gaussian((z @ self.weight.T + self.bias).unflatten(1, SHAPE), self.log_std_x)

    def noise(self, z: Tensor, x: Tensor) -> Tensor | None:
        """ε of what came to the decoder for x or for the first of x, if it is a draw for each."""
        mean, log_std = self.encode(x[: len(z)])
        fits = z.shape == mean.shape and len(z) in (len(x), len(x) // 4)
        return ((z - mean) * torch.exp(-log_std)).detach() if fits else None


def cases(seed: int | None) -> list[tuple]:
    """(probe, x, mean_bias, log_std, log_std_x, bias)."""
    g = fresh(seed)
    x, means = uniform(g, BATCH, *SHAPE), normal(g, LATENTS, scale=0.5)
    log_std, log_std_x = (
        uniform(g, LATENTS, low=-1.0, high=-0.8),
        uniform(g, 1, low=-0.9, high=-0.6),
    )
    return [(Probe(g), x, means, log_std, log_std_x[0], normal(g, PIXELS, scale=0.2) + 0.5)]


def measured(loss: Callable, probe: Probe, x: Tensor, weights: tuple) -> tuple[Tensor, ...]:
    """`loss(probe, x)` and its slopes in the weights."""
    weights = tuple(weight.clone().requires_grad_() for weight in weights)
    probe.forget(*weights)
    value = loss(probe, x)
    require(
        value.requires_grad,
        "No gradient reaches the encoder: something is detached (`.detach()`, `.item()`, "
        "`torch.no_grad()`), so nothing would be learned.",
    )
    slopes = torch.autograd.grad(value, weights, materialize_grads=True)
    means, spreads, log_std_x, bias = slopes
    return value.detach(), means, spreads, log_std_x / STEEP, bias


def drawn(answer: Callable) -> Callable:
    """What a learner's loss gives on a batch, if it draws as it should."""

    def judged(probe, x, *weights):
        probe.forget(*weights)
        torch.manual_seed(probe.start + 1)
        part = _number(answer(probe, x[: len(x) // 4]))
        before = probe.seen
        torch.manual_seed(probe.start)
        found = measured(lambda *_: _number(answer(probe, x)), probe, x, weights)
        require(
            not 3.5 < found[0].item() / part.item() < 4.5,
            "Four times as many pictures give four times the loss: you summed over the batch. "
            "The learning rate would depend on the batch size.",
        )
        require_draws([probe.noise(z, x) for z in before + probe.seen])
        return found

    return judged


def require_draws(noises: list[Tensor | None]) -> None:
    """The ε of two calls: of each picture, each latent and each call its own."""
    for noise in noises:
        if noise is None or not noise.std().item() > 1e-6:  # the loss itself tells what is wrong
            return
        require(
            noise.std(0).max().item() > 1e-6,
            "All pictures of a batch get the same noise. Each picture needs a draw of its own.",
        )
        require(
            noise.std(1).max().item() > 1e-6,
            "All latents of a picture get the same noise. In the posterior each has its own.",
        )
    head = [noise[:100] for noise in noises]
    require(
        len(head) < 2 or not torch.allclose(head[0], head[1]),
        "The same noise comes at every call: is a seed set inside your function? Training would "
        "see one draw for ever.",
    )


def _number(value) -> Tensor:
    require_something(value)
    require(isinstance(value, Tensor), f"Return a tensor, not {kind(value)}.")
    require(
        value.ndim == 0,
        "The loss is one number for the whole batch, that of an average picture; yours has shape "
        f"{tuple(value.shape)}.",
    )
    return value


def averages(probe: Probe, x: Tensor) -> tuple[Tensor, ...]:
    """Of x, all that loss and slopes depend on, when z = mean + noise(log_std) ε."""
    if probe.averages is None:
        codes = x.flatten(1) @ probe.inwards
        left = x.flatten(1) - codes @ probe.weight.T
        probe.averages = (
            left.square().sum(1).mean(),
            left.mean(0),
            codes.square().mean(0),
            codes.mean(0),
        )
    return probe.averages


def expected(
    probe,
    x,
    *weights,
    rec=-1.0,
    kl=1.0,
    pixels=1,
    latents=1,
    noise=torch.exp,
    stop_rec=0,
    stop_kl=0,
):
    """Loss and slopes on average over z, with knobs."""
    squares, left, squared_codes, codes = averages(probe, x)

    def value(probe, _):
        mean, s, s_x = probe.mean_bias, probe.log_std, probe.log_std_x
        ahead = probe.weight @ mean + probe.bias
        apart = squares - 2 * left @ ahead + ahead @ ahead
        apart = apart + (probe.weight * noise(s)).square().sum()
        r = -apart * torch.exp(-2 * s_x) / 2 - PIXELS * (s_x + math.log(2 * math.pi) / 2)
        moment = squared_codes + 2 * codes * mean + mean**2
        k = (0.5 * (torch.exp(2 * s) + moment - 1) - s).sum()
        r, k = (r.detach() if stop_rec else r), (k.detach() if stop_kl else k)
        return rec * r / pixels + kl * k / latents

    return measured(value, probe, x, weights)


def detached(probe, x, *weights):
    """The slopes when z is: only the decoder sees the reconstruction."""
    value, _, _, *decoder = expected(probe, x, *weights)
    _, *encoder = expected(probe, x, *weights, rec=0.0)
    return value, *encoder[:2], *decoder


slip = turned(expected, lambda found: found)
C, H, W = SHAPE
SLIPS = {
    "This is the mean ELBO itself. An optimiser minimises: think about the sign.": (
        slip(rec=1.0, kl=-1.0)
    ),
    "You add the KL to the reconstruction. Running away from the prior must cost.": slip(kl=-1.0),
    "One term has the wrong sign: your loss falls when the reconstruction gets worse.": (
        slip(rec=1.0)
    ),
    "The KL is missing: this is the loss of an autoencoder with noisy codes.": slip(kl=0.0),
    "The reconstruction is missing: this loss does not look at the pictures.": slip(rec=0.0),
    "You averaged the reconstruction over the pixels, but the KL over nothing.": (
        slip(pixels=PIXELS)
    ),
    "You averaged the reconstruction over the channels. Channels are summed, as pixels are.": (
        slip(pixels=C)
    ),
    "You averaged the reconstruction over rows and columns. All pixels are summed.": (
        slip(pixels=H * W)
    ),
    "You averaged the reconstruction over the rows or the columns. All pixels are summed.": (
        slip(pixels=H)
    ),
    "You averaged the reconstruction over the columns. All pixels are summed.": slip(pixels=W),
    "You averaged the KL over the latents. It is a sum.": slip(latents=LATENTS),
    "Both terms are averaged over dimensions. They are sums, in nats per picture.": (
        slip(pixels=PIXELS, latents=LATENTS)
    ),
    "The KL counts twice.": slip(kl=2.0),
    "No gradient comes back through z. Is it drawn by `sample`, or detached?": detached,
    "The reconstruction is detached: its gradient is missing.": slip(stop_rec=1),
    "The KL is detached: its gradient is missing.": slip(stop_kl=1),
    "You decode the posterior mean. The loss needs a draw from the posterior.": (
        slip(noise=lambda s: 0 * s)
    ),
    "Your noise has the variance as its standard deviation.": (
        slip(noise=lambda s: torch.exp(2 * s))
    ),
    "You use log_std as if it were the standard deviation.": slip(noise=lambda s: s),
    "Your noise is not scaled: z must spread as the posterior does.": slip(
        noise=lambda s: 1 + 0 * s
    ),
    "You treat log σ as log σ² in the draw: your noise is too wide or too narrow.": (
        slip(noise=lambda s: torch.exp(s / 2))
    ),
}


@check(
    cases=cases,
    read=drawn,
    slips=SLIPS,
    results=(
        "the loss",
        "its slope in the posterior's mean",
        "its slope in the posterior's log σ",
        "its slope in the decoder's log σ",
        "its slope in the decoder's mean",
    ),
    ordered=False,
    within=(0.0, 0.15),
    praise="Loss and gradients are those of the exact ELBO, up to the noise of the draws.",
)
def loss(
    probe: Probe, x: Tensor, mean_bias: Tensor, log_std: Tensor, log_std_x: Tensor, bias: Tensor
):
    """The loss and its slopes, of a learner's `answer(model, x)`, a 0-dim tensor."""

    def value(probe, x):
        (mean, s), std_x, weight = probe.encode(x), probe.log_std_x.exp(), probe.weight
        at_mean = Normal(mean @ weight.T + probe.bias, std_x).log_prob(x.flatten(1)).sum(1)
        spread = (weight * s[0].exp()).square().sum() / (2 * std_x**2)  # of the pictures
        kl = kl_divergence(Normal(mean, s.exp()), Normal(0.0, 1.0)).sum(1)
        return (kl - at_mean + spread).mean()

    return measured(value, probe, x, (mean_bias, log_std, log_std_x, bias))
