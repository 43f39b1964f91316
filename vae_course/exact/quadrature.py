"""Averages over N(0, 1) by quadrature, and importance-weighted bounds that need no draws."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.distributions import Normal


def quadrature_bound(
    x: float, n_samples: int, q: Normal, std: float = 1.0, nodes: int = 60
) -> float:
    """E log (1/K) Σ_k w_k for p(z) = N(0, 1), p(x|z) = N(z, std²) and K = n_samples draws from q.

    Nats, by quadrature in K dimensions, with nodes^K points. K = 1 is the ELBO
    (Burda et al. 2015, Eq. 8). Raises ValueError unless K is 1, 2 or 3.
    """
    if n_samples not in (1, 2, 3):
        raise ValueError(f"quadrature is for 1, 2 or 3 samples, but n_samples is {n_samples}")
    points, weights = normal_quadrature(nodes)
    q = Normal(q.mean.double(), q.stddev.double())
    z = q.mean + q.stddev * points
    picture = torch.tensor(x, dtype=torch.float64)
    log_joint = Normal(0.0, 1.0).log_prob(z) + Normal(z, std).log_prob(picture)
    log_w = log_joint - q.log_prob(z)
    grid = torch.cartesian_prod(*[log_w] * n_samples).reshape(-1, n_samples)
    chance = torch.cartesian_prod(*[weights] * n_samples).reshape(-1, n_samples).prod(1)
    return (chance * (grid.logsumexp(1) - math.log(n_samples))).sum().item()


@lru_cache
def normal_quadrature(nodes: int) -> tuple[Tensor, Tensor]:
    """Points and weights for averages over N(0, 1).

    Evenly spaced: next to tanh and logsumexp, whose poles are close, Gauss-Hermite errs more.
    """
    points = torch.linspace(-8, 8, nodes, dtype=torch.float64)
    return points, torch.softmax(-0.5 * points**2, 0)
