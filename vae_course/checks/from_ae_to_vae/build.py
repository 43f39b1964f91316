"""Task 9: a whole VAE, trained. Judged by what it can do, against an optimum in closed form."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.running import kind, require, require_something, run

N, PIXELS, LATENTS, STD = 1000, 6, 2, 0.5
VARIANCES = 3.0, 3.0  # of two directions: alike, so that any rotation of z is as good
WITHIN = 0.12  # nats below the optimum; half or twice the KL costs more
DRAWS = 20


def pictures(g: torch.Generator) -> Tensor:
    """(N, PIXELS), normally distributed, float32: two wide directions, the rest is noise."""
    directions = torch.linalg.qr(normal(g, PIXELS, PIXELS)).Q
    stds = torch.tensor(VARIANCES + (STD**2,) * (PIXELS - LATENTS)).double().sqrt()
    return (normal(g, N, PIXELS) * stds @ directions.T + normal(g, PIXELS, scale=0.3)).float()


def optimum(x: Tensor) -> tuple[float, float]:
    """The mean ELBO of the best linear VAE, and Σ log σ_j of its posteriors.

    Its ELBO is log p(x), and p(x) is normal (Tipping & Bishop 1999).
    """
    spread = torch.linalg.eigvalsh(torch.cov(x.double().T, correction=0)).flip(0)
    kept, left = spread[:LATENTS], spread[LATENTS:]
    exponent = kept.log().sum() + LATENTS + (math.log(STD**2) + left / STD**2).sum()
    log_p = -0.5 * (PIXELS * math.log(2 * math.pi) + exponent)
    return log_p.item(), 0.5 * (STD**2 / kept).log().sum().item()


def reached(mean: Tensor, log_std: Tensor, decoder: Callable, x: Tensor) -> float:
    """The mean ELBO, in nats per picture."""
    posterior = Normal(mean, log_std.exp())
    terms = [Normal(decoder(posterior.sample()), STD).log_prob(x).sum(1) for _ in range(DRAWS)]
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    return (torch.stack(terms).mean(0) - kl).mean().item()


@trial(praise="It is as good as any linear VAE can be, and its draws vary as the pictures do.")
def build(answer: Callable, seed: int | None) -> None:
    """`answer(x, d, sigma_x)` trains a VAE and gives (encoder, decoder).

    encoder: (batch, D) -> (batch, 2d), all means before all log σ.
    decoder: (batch, d) -> (batch, D), the mean of p(x|z).
    """
    g = fresh(seed)
    x = pictures(g)
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=g)))
    made = run(answer, (x, LATENTS, STD), ("x", "d", "sigma_x"))
    require_something(made)
    pair = isinstance(made, tuple | list) and len(made) == 2 and all(map(callable, made))
    require(pair, f"Return two networks, encoder and decoder, not {kind(made)}.")
    encoder, decoder = made
    with torch.no_grad():
        judge(encoder, decoder, x)


def judge(encoder: Callable, decoder: Callable, x: Tensor) -> None:
    encoded = _tensor(run(encoder, (x,), ("x",)), (N, 2 * LATENTS), "The encoder")
    at_zero = run(decoder, (torch.zeros(3, LATENTS),), ("z",))
    _tensor(at_zero, (3, PIXELS), "The decoder")
    mean, log_std = encoded.chunk(2, dim=1)
    best, narrow = optimum(x)
    require(
        mean.var(0).sum().item() > 0.3,
        "The posterior means hardly vary from picture to picture: the codes say nothing. Does a "
        "gradient come back to the encoder through z? Are both terms sums, of pixels and latents?",
    )
    wide = (mean.square() + torch.exp(2 * log_std)).mean().item()
    require(
        wide < 2,
        f"Codes have a second moment of {wide:.1f}, and the prior has 1: nothing holds them there. "
        "Is the KL in the loss, with the right sign?",
    )
    width = log_std.sum(1).mean().item() - narrow
    require(
        width > -0.4,
        "The posteriors are far narrower than the best ones: narrow costs too little. Is the "
        "KL in the loss, whole and as a sum? Is the squared error divided by 2σ_x²?",
    )
    require(
        width < 0.6,
        "The posteriors are far wider than the best ones: precision does not pay. Is z drawn with "
        "σ? Is the squared error summed over the pixels, and divided by 2σ_x²? Was it trained "
        "long enough?",
    )
    found = reached(mean, log_std, decoder, x)
    require(
        found > best - WITHIN,
        f"The ELBO is {found:.2f} nats, and {best:.2f} can be reached. If both terms and the draw "
        "are right, train longer, or with another learning rate.",
    )
    drawn = decoder(torch.randn(4 * N, LATENTS))
    ratio = ((drawn.var(0).sum() + PIXELS * STD**2) / x.var(0).sum()).item()
    require(
        0.75 < ratio < 1.3,
        f"Draws from the prior have {ratio:.2f} times the variance of the pictures.",
    )


def _tensor(value, shape: tuple[int, ...], whose: str) -> Tensor:
    require(isinstance(value, Tensor), f"{whose} must give a tensor, not {kind(value)}.")
    says = f"{whose} must give the shape {shape} here, but gives {tuple(value.shape)}."
    require(tuple(value.shape) == shape, says)
    require(value.isfinite().all().item(), f"{whose} gives NaN or infinity: training diverged.")
    return value
