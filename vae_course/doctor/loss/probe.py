"""What a loss is made of, found by calling it: no reading of code, no asking.

A loss is `loss(images, decoded, mean, spread)`. The probe holds all but one argument fixed, calls
it on made-up numbers in double precision, and fits its values with known formulas.
"""

import math
from dataclasses import dataclass, replace

import torch

from vae_course.doctor.loss.caller import ROUNDING, Frame, Loss, Probe
from vae_course.doctor.loss.families import (
    KL,
    KL_OF_LOG_STD,
    KL_OF_LOG_VAR,
    NONE,
    PICTURE_FAMILIES,
    UNKNOWN,
    Family,
    rescaled,
)
from vae_course.doctor.loss.prior import KlToPrior, kls_to

POINTS = 16
FITS = 1e-3  # largest relative residual of a formula that fits; those that do reach 1e-6
POINT, POSTERIOR = ("point",), ("mean", "spread")


@dataclass(frozen=True)
class Term:
    """A fitted part of the loss: `weights` of each feature per example, and how sums are taken.

    `family` is the formula, `NONE` (no influence, no weights) or `UNKNOWN` (no weights either).
    `batch_power` is 0 where the loss averages over the batch and 1 where it sums. `rest` is the
    value with all features at 0. `piecewise`: the weights hold far from the prior, and nearer to
    it the loss is another one (a capacity, free bits). `even`: it grows evenly with the batch.
    `squared`: which share of it, at 16 examples, grows as the batch squared, where it is not even.
    `noise`: how far its weights may be off, where the loss draws random numbers.
    `mixed`: an example's part depends on the others of its batch.
    """

    family: Family
    weights: tuple[float, ...]
    rest: float
    batch_power: int
    piecewise: bool = False
    even: bool = True
    squared: float = 0.0
    noise: float = 0.0
    mixed: bool = False

    @property
    def understood(self) -> bool:
        """One formula holds for each example by itself, everywhere."""
        return bool(self.weights) and not self.piecewise and not self.mixed


@dataclass(frozen=True)
class LossLaw:
    """The two terms of a loss; `constant` is the loss less both terms.

    `sign` is -1 where the function is an ELBO, to be maximised; the terms are then those of its
    negative. `probe` is what called the loss.
    """

    reconstruction: Term
    kl: Term
    constant: float
    sign: int
    probe: Probe

    @property
    def terms(self) -> tuple[Term, Term]:
        return self.reconstruction, self.kl

    @property
    def known(self) -> int:
        """How many of the two terms are understood."""
        return sum(term.understood for term in self.terms)

    def at_batch(self, size: int) -> "LossLaw":
        """The law at a batch of that size, where one term is summed and the other averaged."""
        terms = [
            replace(t, weights=tuple(size**t.batch_power * w for w in t.weights), batch_power=0)
            for t in self.terms
        ]
        return replace(self, reconstruction=terms[0], kl=terms[1])


def probe_loss(loss: Loss, frame: Frame, count: int = 2) -> LossLaw:
    """What `loss` is made of. Raises ValueError for an answer that is no loss."""
    probe = Probe(loss, frame, count)
    reconstruction, kl = _reconstruction(probe), _kl(probe)
    constant = _constant(probe, reconstruction, kl)
    falls = [t.weights[0] < 0 for t in (reconstruction, kl) if t.weights]
    sign = -1 if len(falls) == 2 and all(falls) else 1
    return LossLaw(_turned(reconstruction, sign), _turned(kl, sign), sign * constant, sign, probe)


def _turned(term: Term, sign: int) -> Term:
    return replace(term, weights=tuple(sign * w for w in term.weights), rest=sign * term.rest)


def _reconstruction(probe: Probe) -> Term:
    # One seed: what is drawn for the latents is then the same at all points.
    points = [_picture_point(probe, (i + 1) / POINTS) | {"seed": 0} for i in range(POINTS)]
    scaled = probe.answer.scale is not None
    families = [f for f in PICTURE_FAMILIES if scaled or f.scale is None]
    extra = rescaled(probe.frame.low, probe.frame.high)
    return _fit(probe, points, families + extra, POINT)


def _picture_point(probe: Probe, reach: float) -> dict:
    at = probe.middle()
    x, target = (probe.random(at["x"].shape, 0.05, 0.95) for _ in range(2))
    at |= {"x": x, "point": x + reach * (target - x)}
    if at["scale"] is not None:
        at["scale"] = probe.random(at["scale"].shape, -0.7, 0.7)
    return at


def _kl(probe: Probe) -> Term:
    """The term on the encoder's answer, near the prior and far from it."""
    rest = _quiet_rest(probe)
    families = [KL_OF_LOG_STD, KL_OF_LOG_VAR] if probe.noisy else [KL]
    points = [_posterior_point(probe, rest) for _ in range(POINTS)]
    if probe.frame.prior is not None:
        like = torch.zeros((), device=probe.frame.device)
        term = _fit(probe, points, kls_to(probe.frame.prior, like), POSTERIOR)
        if term.family is not UNKNOWN:
            return _whole_kl(term)
        return _whole_kl(_fit(probe, points, families, POSTERIOR))
    near = _fit(probe, points, families, POSTERIOR)
    far = _fit(probe, [_far_point(probe, rest) for _ in range(POINTS)], families, POSTERIOR)
    return _whole_kl(replace(far, piecewise=True) if _is_piecewise(near, far) else near)


def _quiet_rest(probe: Probe) -> dict:
    """A perfect reconstruction, if the loss is finite there: small terms show beside it."""
    rest = probe.middle()
    perfect = rest | {"point": rest["x"]}
    return perfect if math.isfinite(probe.value(perfect)) else rest


def _posterior_point(probe: Probe, rest: dict) -> dict:
    width, shift = probe.random((), 0.2, 1.7), probe.random((), -0.5, 0.5)
    shape = rest["mean"].shape
    mean = width * probe.random(shape, -1.0, 1.0)
    return rest | {"mean": mean, "spread": _spread(probe, shape, shift)}


def _spread(probe, shape, shift):
    return (shift + probe.random(shape, -1.0, 0.5)).clamp(-1.5, 1.0)


def _far_point(probe: Probe, rest: dict) -> dict:
    """Every mean so far out that each latent costs many nats, and all together at least 30."""
    shape = rest["mean"].shape
    reach = max(5.0, (80 / max(1, shape.numel())) ** 0.5)
    sign = probe.random(shape, -1.0, 1.0).sign()
    mean = sign * reach * probe.random(shape, 1.0, 1.3)
    return rest | {"mean": mean, "spread": _spread(probe, shape, probe.random((), -0.5, 0.5))}


def _is_piecewise(near: Term, far: Term) -> bool:
    if not far.weights or far.weights[0] <= 0:
        return False
    return not near.weights or near.weights[0] * far.weights[0] < 0


def _whole_kl(term: Term) -> Term:
    """Four weights, where the fit had three, or one: those of the same multiple of a KL."""
    if isinstance(term.family, KlToPrior):
        (b,) = term.weights
        of_std, of_var = (0.5 * b, 0.5 * b, 0.0, -b), (0.5 * b, 0.0, 0.5 * b, -0.5 * b)
        return replace(term, weights=of_std if term.family.meaning == "log_std" else of_var)
    if term.family is KL_OF_LOG_STD:
        mean, double, log = term.weights
        return replace(term, family=KL, weights=(mean, double, 0.0, log))
    if term.family is KL_OF_LOG_VAR:
        mean, single, log = term.weights
        return replace(term, family=KL, weights=(mean, 0.0, single, log))
    return term


def _fit(probe: Probe, points: list[dict], families: list[Family], moved: tuple) -> Term:
    """The family of least residual, its weights per example, and how the batch is reduced.

    `moved` are the arguments in which the points differ.
    """
    draws = torch.stack([probe.draws([at], probe.count) for at in points])  # (points, seeds)
    values = draws.mean(1)
    if not torch.isfinite(values).all():
        raise ValueError(NOT_FINITE)
    rounding = ROUNDING[probe.dtype] * values.abs().max().item()
    if values.max() - values.min() <= 8 * rounding:
        return Term(
            NONE if _is_silent(probe, points[0], moved) else UNKNOWN, (), values.mean().item(), 0
        )
    far = max(range(1, len(points)), key=lambda i: abs(values[i] - values[0]).item())
    power = probe.batch_power(points[far], points[0])
    even, power = power is not None, power or 0
    noise = _noise(draws)
    squared = 0.0 if even or probe.noisy else probe.squared_share(points[far], points[0])
    values, rounding = values / probe.count**power, rounding / probe.count**power
    fits = [_least_squares(family.features, points, values) for family in families]
    best = min(range(len(fits)), key=lambda i: fits[i][0])
    residual, weights = fits[best]
    blurred = min(0.05, 10 * rounding / values.std().item())
    blur = families[best].blur(points)
    if residual > max(FITS, blurred, 2 * noise, 2 * blur):
        return Term(UNKNOWN, (), values.mean().item(), power, even=even, squared=squared)
    return Term(
        families[best], tuple(weights[:-1]), weights[-1], power, even=even, noise=noise + blur
    )


def _noise(draws: torch.Tensor) -> float:
    """How far averages over the seeds (points, seeds) are off, over how much they vary."""
    if draws.shape[1] == 1:
        return 0.0
    halves = draws[:, ::2].mean(1) - draws[:, 1::2].mean(1)  # twice the error of all
    return (0.5 * halves.std() / draws.mean(1).std()).item()


def _is_silent(probe: Probe, at: dict, moved: tuple) -> bool:
    """The loss has no slope either; a term may be too small to show in its values."""
    try:
        slopes = probe.slopes(at, moved)
    except RuntimeError:  # a loss that cannot be differentiated shows its values alone
        return True
    return all(slope is None or not slope.any() for slope in slopes.values())


NOT_FINITE = (
    "the loss is not finite for pixels and outputs between 0.05 and 0.95 and spreads between -1.5 "
    "and 1; if your encoder returns a standard deviation itself, let encode return its logarithm, "
    'or say spread="std"'
)


def _least_squares(features, points, values):
    """Relative residual and weights, the constant last."""
    rows = [[*features(at), 1.0] for at in points]
    design = torch.tensor(rows, dtype=torch.float64)
    if not torch.isfinite(design).all():
        return math.inf, [0.0] * design.shape[1]
    size = design.norm(dim=0).clamp(min=1e-30)
    # gelsd: features may be collinear, with one latent or one pixel say.
    solved = torch.linalg.lstsq(design / size, values[:, None], driver="gelsd").solution
    residual = (values - (design / size @ solved)[:, 0]).norm() / (values - values.mean()).norm()
    return residual.item(), (solved[:, 0] / size).tolist()


def _constant(probe: Probe, *terms: Term) -> float:
    """The loss at rest, per example, less the features of both terms there; nan if unknown."""
    powers = {term.batch_power for term in terms}
    known = all(term.weights and not term.piecewise for term in terms)
    if len(powers) > 1 or not known or probe.noisy or probe.frame.prior is not None:
        return math.nan
    at = probe.middle()
    value = probe.value(at) / probe.count ** powers.pop()
    for term in terms:
        value -= sum(w * f for w, f in zip(term.weights, term.family.features(at), strict=True))
    return value
