"""What a loss is made of, found by calling it: no reading of code, no asking.

A loss is `loss(images, decoded, mean, spread)`. The probe holds all but one argument fixed, calls
it on made-up numbers in double precision, and fits its values with known formulas.
"""

import math
from dataclasses import dataclass, replace

import torch

from vae_course.doctor.loss.caller import Loss, Probe
from vae_course.doctor.loss.families import KL, NONE, PICTURE_FAMILIES, UNKNOWN, Family
from vae_course.doctor.patient import Patient

POINTS = 16
FITS = 1e-3  # largest relative residual of a formula that fits; those that do reach 1e-6


@dataclass(frozen=True)
class Term:
    """A fitted part of the loss: `weights` of each feature per example, and how sums are taken.

    `family` is the formula, `NONE` (no influence, no weights) or `UNKNOWN` (no weights either).
    `batch_power` is 0 where the loss averages over the batch and 1 where it sums.
    `rest` is the value with all features at 0.
    """

    family: Family
    weights: tuple[float, ...]
    rest: float
    batch_power: int


@dataclass(frozen=True)
class LossLaw:
    """The two terms of a loss; `value_at_rest` is the loss less both terms, its constants.

    `sign` is -1 where the function is an ELBO, to be maximised; the terms are then those of its
    negative.
    """

    reconstruction: Term
    kl: Term
    constant: float
    sign: int


def probe_loss(loss: Loss, patient: Patient) -> LossLaw:
    """What `loss` is made of. Raises ValueError for an answer that is no loss."""
    probe = Probe(loss, patient)
    reconstruction, kl = _reconstruction(probe), _kl(probe)
    constant = _constant(probe, reconstruction, kl)
    falls = [t.weights[0] < 0 for t in (reconstruction, kl) if t.weights]
    sign = -1 if len(falls) == 2 and all(falls) else 1
    return LossLaw(_turned(reconstruction, sign), _turned(kl, sign), sign * constant, sign)


def _turned(term: Term, sign: int) -> Term:
    return replace(term, weights=tuple(sign * w for w in term.weights), rest=sign * term.rest)


def _reconstruction(probe: Probe) -> Term:
    points = [_picture_point(probe, (i + 1) / POINTS) for i in range(POINTS)]
    scaled = probe.picture.scale is not None
    return _fit(probe, points, [f for f in PICTURE_FAMILIES if scaled or f.scale is None])


def _picture_point(probe: Probe, reach: float) -> dict:
    at = probe.middle()
    x, target = (probe.random(at["x"].shape, 0.05, 0.95) for _ in range(2))
    at |= {"x": x, "point": x + reach * (target - x)}
    if at["scale"] is not None:
        at["scale"] = probe.random(at["scale"].shape, -0.7, 0.7)
    return at


def _kl(probe: Probe) -> Term:
    points = []
    for _ in range(POINTS):
        at = probe.middle()
        width, shift = probe.random((), 0.2, 1.7), probe.random((), -0.5, 0.5)
        shape = at["mean"].shape
        at["mean"] = width * probe.random(shape, -1.0, 1.0)
        at["spread"] = (shift + probe.random(shape, -1.0, 0.5)).clamp(-1.5, 1.0)
        points.append(at)
    return _fit(probe, points, [KL])


def _fit(probe: Probe, points: list[dict], families: list[Family]) -> Term:
    """The family of least residual, its weights per example, and how the batch is reduced."""
    values = torch.tensor([probe.value(at) for at in points], dtype=torch.float64)
    if values.std() < 1e-7 * (1 + values.abs().mean()):
        return Term(NONE, (), values.mean().item(), 0)
    far = max(range(1, len(points)), key=lambda i: abs(values[i] - values[0]).item())
    power = probe.batch_power(points[far], points[0])
    values = values / 2**power  # two examples a call
    fits = [_least_squares(family.features, points, values) for family in families]
    best = min(range(len(fits)), key=lambda i: fits[i][0])
    residual, weights = fits[best]
    if residual > FITS:
        return Term(UNKNOWN, (), values.mean().item(), power)
    return Term(families[best], tuple(weights[:-1]), weights[-1], power)


def _least_squares(features, points, values):
    """Relative residual and weights, the constant last."""
    rows = [[*features(at), 1.0] for at in points]
    design = torch.tensor(rows, dtype=torch.float64)
    size = design.norm(dim=0).clamp(min=1e-30)
    # gelsd: features may be collinear, with one latent or one pixel say.
    solved = torch.linalg.lstsq(design / size, values[:, None], driver="gelsd").solution
    residual = (values - (design / size @ solved)[:, 0]).norm() / (values - values.mean()).norm()
    return residual.item(), (solved[:, 0] / size).tolist()


def _constant(probe: Probe, *terms: Term) -> float:
    """The loss at rest, per example, less the features of both terms there; nan if unknown."""
    powers = {term.batch_power for term in terms}
    if len(powers) > 1 or not all(term.weights for term in terms):
        return math.nan
    at = probe.middle()
    value = probe.value(at) / 2 ** powers.pop()
    for term in terms:
        value -= sum(w * f for w, f in zip(term.weights, term.family.features(at), strict=True))
    return value
