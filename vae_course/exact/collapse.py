"""Why a mean over pixels collapses a VAE: the proof of chapter 7, one function for each step.

`loss(x, painted)` is the error of one pixel, `squared_error` or `cross_entropy`, without any sum.
Pictures x are flat, (N, D). A decoder paints K pictures, (K, D), which the prior chooses evenly.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Dirichlet

PixelLoss = Callable[[Tensor, Tensor], Tensor]


def squared_error(x: Tensor, painted: Tensor) -> Tensor:
    """(x - painted)², pixel by pixel; the shapes broadcast."""
    return (x - painted).square()


def cross_entropy(x: Tensor, painted: Tensor) -> Tensor:
    """-x log p - (1 - x) log(1 - p), p = `painted` in [0, 1], pixel by pixel; shapes broadcast."""
    return -torch.xlogy(x, painted) - torch.xlogy(1 - x, 1 - painted)


def implied_std(weight: float, pixels: int) -> float:
    """The decoder's std that `weight` · mean((x - x̂)²) over D pixels stands for: √(D / 2 c)."""
    return math.sqrt(pixels / (2 * weight))


def best_loss(errors: Tensor) -> Tensor:
    """Error + KL of each picture with the best encoder: errors (N, K) -> (N,), nats.

    -log (1/K) Σ_k exp(-error_k), which is the minimum over q of E_q[error] + KL(q ‖ even).
    """
    return math.log(errors.shape[1]) - (-errors).logsumexp(1)


def slack_of_each_line(loss: PixelLoss, x: Tensor, painted: Tensor, log_q: Tensor) -> list[float]:
    """The least by which each line of the proof holds; none is negative if it is right.

    x (N, D), the whole data set; painted (K, D); log_q (N, K), an encoder. Line 1: the best
    encoder. 2: Jensen. 3: one pixel at a time. 4: one pixel. Last: this decoder, with its best
    encoder, against the mean picture.
    """
    per_pixel, constant = loss(x[:, None], painted), loss(x, x.mean(0))  # (N, K, D), (N, D)
    errors, best = per_pixel.mean(2), best_loss(per_pixel.mean(2))
    kl = (log_q.exp() * (log_q + math.log(len(painted)))).sum(1)
    log_r = constant[:, None] - per_pixel
    r = log_r.mean(2).exp()  # (N, K)
    slack = (
        (log_q.exp() * errors).sum(1) + kl - best,
        r.mean().log() - r.mean(1).log().mean(),
        log_r.exp().mean(2) - r,
        1 - log_r.exp().mean(0),  # over pictures
        best.mean() - constant.mean(),
    )
    return [line.min().item() for line in slack]


def random_pixels(n: int, values: int = 4) -> tuple[Tensor, Tensor]:
    """Random distributions of one pixel: `values` in [0, 1] and their chances, each (n, values).

    The first half has only black and white. No chance is below 1e-5: where a pixel is white but
    for a chance of 1e-8, half of the digits of 1 - mean are lost.
    """
    x = torch.rand(n, values, dtype=torch.float64)
    x[: n // 2] = x[: n // 2].round()
    concentration = torch.full((values,), 0.5, dtype=torch.float64)
    chances = Dirichlet(concentration).sample((n,)) + 2e-5
    return x, chances / chances.sum(1, keepdim=True)


def pixel_gain(
    loss: PixelLoss, values: Tensor, chances: Tensor, painted: Tensor, weight: float = 1.0
) -> Tensor:
    """log of the average of r = exp(weight · (loss(x, m) - loss(x, f))) over one pixel: (M, F).

    M pixels with V `values` x and their `chances`, each (M, V), and the mean m; F values f are
    `painted`, (F,). Line 4 of the proof says: never above 0, for squares as long as
    weight · range² ≤ 2.
    """
    mean = (chances * values).sum(1, keepdim=True)
    log_r = weight * (loss(values, mean)[..., None] - loss(values[..., None], painted))
    return (chances.log()[..., None] + log_r).logsumexp(1)
