"""Task 2: the average of edges at uncertain places, and its slope."""

import math

import torch
from torch import Tensor

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform


def edges(seed: int | None) -> list[tuple[Tensor, float]]:
    """(places, tau), of several widths, on both sides of 1."""
    g = fresh(seed)
    spans = ((0.3, 0.7), (1.5, 2.0), (2.5, 4.0))
    taus = [uniform(g, 1, low=low, high=high).item() for low, high in spans]
    return [(tau * normal(g, n, scale=1.2), tau) for n, tau in zip((5, 1, 8), taus, strict=True)]


def averaged(places, tau, *, brightness=torch.special.ndtr, unit=lambda tau: tau, slope=None):
    """Φ(t/τ) and its slope, with room for slips; `slope(t / τ, τ)`."""
    u = places / unit(tau)
    steep = bell(u) / unit(tau) if slope is None else slope(u, tau)
    return brightness(u), steep


def bell(u: Tensor) -> Tensor:
    return torch.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)


def units(brightness=lambda tau: tau, slope=lambda tau: tau):
    """Another unit for one of the two."""
    return lambda places, tau: (
        torch.special.ndtr(places / brightness(tau)),
        bell(places / slope(tau)) / slope(tau),
    )


ramp = turned(averaged, lambda pair: pair)
SLIPS = {
    "Black and white are swapped: far to the left it must be dark.": (
        ramp(brightness=lambda u: torch.special.ndtr(-u), slope=lambda u, tau: -bell(u) / tau)
    ),
    "The brightness is mirrored: far to the left it must be dark.": (
        ramp(brightness=lambda u: torch.special.ndtr(-u))
    ),
    "τ² stands where a standard deviation belongs.": ramp(unit=lambda tau: tau**2),
    "√τ stands where a standard deviation belongs. τ is not a variance.": ramp(unit=math.sqrt),
    "τ is not used.": ramp(unit=lambda tau: 1.0),
    "The slope is one in t/τ. By the chain rule, in t it has another factor.": (
        ramp(slope=lambda u, tau: bell(u))
    ),
    "Your slope is the one in the middle, everywhere. It must fall to both sides.": (
        ramp(slope=lambda u, tau: bell(0 * u) / tau)
    ),
    "The slope lacks the constant of the normal density: it must integrate to one.": (
        ramp(slope=lambda u, tau: torch.exp(-(u**2) / 2) / tau)
    ),
    "In the slope, the constant of the normal density lacks its root.": (
        ramp(slope=lambda u, tau: bell(u) / (tau * math.sqrt(2 * math.pi)))
    ),
    "In the slope, τ stands where τ² belongs: it is a standard deviation.": (
        ramp(slope=lambda u, tau: bell(u * math.sqrt(tau)) / math.sqrt(tau))
    ),
    "The exponent of the slope lacks its ½.": (
        ramp(slope=lambda u, tau: torch.exp(-(u**2)) / (tau * math.sqrt(2 * math.pi)))
    ),
    "In the slope, the exponent lacks τ.": (ramp(slope=lambda u, tau: bell(u * tau) / tau)),
    "The slope is still a logarithm.": (ramp(slope=lambda u, tau: (bell(u) / tau).log())),
    "The slope is multiplied by τ. A wider ramp must be less steep.": (
        ramp(slope=lambda u, tau: bell(u) * tau)
    ),
    "erf runs from -1 to 1. Brightness must run from 0 to 1.": (
        ramp(brightness=lambda u: torch.erf(u / math.sqrt(2)))
    ),
    "erf belongs to a bell with another width: something with √2 is missing.": (
        ramp(brightness=lambda u: (1 + torch.erf(u)) / 2)
    ),
    "This is a logistic curve. Close, but the edge's place is normally distributed.": (
        ramp(
            brightness=torch.sigmoid,
            slope=lambda u, tau: torch.sigmoid(u) * torch.sigmoid(-u) / tau,
        )
    ),
    "The brightness is a logistic curve, but the edge's place is normally distributed.": (
        ramp(brightness=torch.sigmoid)
    ),
    "The brightness is a stretched logistic curve: close, but no normal distribution.": (
        ramp(brightness=lambda u: torch.sigmoid(1.702 * u))
    ),
    "This is one edge at 0, not the average of many.": (
        ramp(brightness=lambda u: (u > 0).double(), slope=lambda u, tau: 0 * u)
    ),
    "In the brightness, τ² stands where a standard deviation belongs.": units(lambda tau: tau**2),
    "In the brightness, √τ stands where a standard deviation belongs.": units(math.sqrt),
    "In the brightness, τ is not used.": units(lambda tau: 1.0),
    "In the slope, τ² stands where a standard deviation belongs.": (
        units(slope=lambda tau: tau**2)
    ),
    "In the slope, τ is not used.": units(slope=lambda tau: 1.0),
    "The slope is Φ(1 - Φ). That is the slope of a logistic curve, not of Φ.": (
        ramp(slope=lambda u, tau: torch.special.ndtr(u) * torch.special.ndtr(-u))
    ),
    "The second is the slope of the slope: it is differentiated once too often.": (
        ramp(slope=lambda u, tau: -u * bell(u) / tau**2)
    ),
}


@check(
    cases=edges,
    slips=SLIPS,
    results=("the brightness", "the slope"),
    praise="A step has become a ramp. Its slope in the middle falls as τ grows.",
)
def edge(places: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Brightness and slope of an edge at N(0, τ²), averaged; (n,) each.

    Here: Python's erfc, and its finite differences.
    """
    step = 1e-4 * tau
    low, at, high = (
        torch.tensor([white(t + d, tau) for t in places.tolist()], dtype=places.dtype)
        for d in (-step, 0, step)
    )
    return at, (high - low) / (2 * step)


def white(t: float, tau: float) -> float:
    return math.erfc(-t / (tau * math.sqrt(2))) / 2
