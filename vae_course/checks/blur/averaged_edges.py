"""The average of edges at uncertain places: an oracle, and slips with their names."""

import math

import torch
from torch import Tensor


def edge(places: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """The oracle: Python's erfc, and its finite differences."""
    step = 1e-4 * tau
    low, at, high = (
        torch.tensor([_white(t + d, tau) for t in places.tolist()], dtype=places.dtype)
        for d in (-step, 0, step)
    )
    return at, (high - low) / (2 * step)


def _white(t: float, tau: float) -> float:
    return math.erfc(-t / (tau * math.sqrt(2))) / 2


def _ramp(*, brightness=torch.special.ndtr, unit=lambda tau: tau, slope=None):
    """Φ(t/τ) and its slope, with room for slips; `slope(t / τ, τ)`."""

    def ramp(places, tau):
        u = places / unit(tau)
        steep = _bell(u) / unit(tau) if slope is None else slope(u, tau)
        return brightness(u), steep

    return ramp


def _bell(u: Tensor) -> Tensor:
    return torch.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)


MISTAKES = {
    "Black and white are swapped: far to the left it must be dark.": (
        _ramp(brightness=lambda u: torch.special.ndtr(-u), slope=lambda u, tau: -_bell(u) / tau)
    ),
    "The brightness is mirrored: far to the left it must be dark.": (
        _ramp(brightness=lambda u: torch.special.ndtr(-u))
    ),
    "τ² stands where a standard deviation belongs.": _ramp(unit=lambda tau: tau**2),
    "√τ stands where a standard deviation belongs. τ is not a variance.": _ramp(unit=math.sqrt),
    "τ is not used.": _ramp(unit=lambda tau: 1.0),
    "The slope is one in t/τ. By the chain rule, in t it has another factor.": (
        _ramp(slope=lambda u, tau: _bell(u))
    ),
    "Your slope is the one in the middle, everywhere. It must fall to both sides.": (
        _ramp(slope=lambda u, tau: _bell(0 * u) / tau)
    ),
    "The slope lacks the constant of the normal density: it must integrate to one.": (
        _ramp(slope=lambda u, tau: torch.exp(-(u**2) / 2) / tau)
    ),
    "In the slope, the constant of the normal density lacks its root.": (
        _ramp(slope=lambda u, tau: _bell(u) / (tau * math.sqrt(2 * math.pi)))
    ),
    "In the slope, τ stands where τ² belongs: it is a standard deviation.": (
        _ramp(slope=lambda u, tau: _bell(u * math.sqrt(tau)) / math.sqrt(tau))
    ),
    "The exponent of the slope lacks its ½.": (
        _ramp(slope=lambda u, tau: torch.exp(-(u**2)) / (tau * math.sqrt(2 * math.pi)))
    ),
    "In the slope, the exponent lacks τ.": (_ramp(slope=lambda u, tau: _bell(u * tau) / tau)),
    "The slope is still a logarithm.": (_ramp(slope=lambda u, tau: (_bell(u) / tau).log())),
    "The slope has the wrong sign: it gets brighter to the right.": (
        _ramp(slope=lambda u, tau: -_bell(u) / tau)
    ),
    "The slope is multiplied by τ. A wider ramp must be less steep.": (
        _ramp(slope=lambda u, tau: _bell(u) * tau)
    ),
    "erf runs from -1 to 1. Brightness must run from 0 to 1.": (
        _ramp(brightness=lambda u: torch.erf(u / math.sqrt(2)))
    ),
    "erf belongs to a bell with another width: something with √2 is missing.": (
        _ramp(brightness=lambda u: (1 + torch.erf(u)) / 2)
    ),
    "This is a logistic curve. Close, but the edge's place is normally distributed.": (
        _ramp(
            brightness=torch.sigmoid,
            slope=lambda u, tau: torch.sigmoid(u) * torch.sigmoid(-u) / tau,
        )
    ),
    "The brightness is a logistic curve, but the edge's place is normally distributed.": (
        _ramp(brightness=torch.sigmoid)
    ),
    "The brightness is a stretched logistic curve: close, but no normal distribution.": (
        _ramp(brightness=lambda u: torch.sigmoid(1.702 * u))
    ),
    "They stand in the wrong order: first the brightness.": lambda p, tau: _ramp()(p, tau)[::-1],
    "This is one edge at 0, not the average of many.": (
        _ramp(brightness=lambda u: (u > 0).double(), slope=lambda u, tau: 0 * u)
    ),
}
