"""Known formulas for the terms of a loss: what a probe can weigh, and what a weight then means."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Family:
    """A formula: `features` turns one example into numbers, and a loss is a weighted sum of them.

    `logits`: the decoder's output needs a sigmoid to be a picture. `binary`: made for pixels 0 and
    1. `scale`: what the decoder's own scale is taken for, "log_std" or "log_var", or None where the
    formula takes none.
    """

    name: str
    features: Callable[[dict], list[float]] = lambda at: []
    logits: bool = False
    binary: bool = False
    scale: str | None = None

    def picture(self, point):
        """What the decoder's output stands for, in pixels."""
        return point.sigmoid() if self.logits else point

    def unit(self, weight: float, pixels: int) -> float:
        """How many log-likelihoods `weight` stands for (of σ = 1, where σ is fixed)."""
        return weight

    def sigma(self, unit: float) -> float | None:
        """The fixed σ (or Laplace's scale) that so many log-likelihoods of σ = 1 stand for."""
        return None

    def blur(self, points: list[dict]) -> float:
        """How far the features may be off, over how much they vary; 0 for a formula."""
        return 0.0

    def normaliser(self, sigma: float, pixels: int) -> float:
        """The constant of a whole likelihood with the fixed scale `sigma`, nats an example."""
        return 0.0

    def error(self, seen) -> float:
        """The measured error that a fixed scale is compared with: of a `Behaviour`."""
        return seen.rmse

    def constants(self, unit: float, pixels: int) -> tuple[list[float], list[float]]:
        """Constants of the whole likelihood, and those that leave something harmless out."""
        return [0.0], []


class Squares(Family):
    """c Σ(x - x̂)²: a Gaussian with σ² = 1 / 2c."""

    def unit(self, weight, pixels):
        return 2 * weight

    def sigma(self, unit):
        return unit**-0.5

    def normaliser(self, sigma, pixels):
        return pixels * (math.log(sigma) + HALF_LOG_2PI)

    def constants(self, unit, pixels):
        summed = self.normaliser(self.sigma(unit), pixels)
        averaged = self.normaliser(self.sigma(unit * pixels), pixels) / pixels
        log_scale = summed - pixels * HALF_LOG_2PI
        return [summed, averaged], [0.0, log_scale, unit * pixels * HALF_LOG_2PI]


class Absolute(Family):
    """c Σ|x - x̂|: a Laplace with scale 1 / c."""

    def sigma(self, unit):
        return 1 / unit

    def error(self, seen):
        return seen.absolute

    def normaliser(self, sigma, pixels):
        return pixels * math.log(2 * sigma)

    def constants(self, unit, pixels):
        whole = self.normaliser(self.sigma(unit), pixels)
        return [whole], [0.0, whole - pixels * math.log(2)]


class LogSquares(Family):
    """c log Σ(x - x̂)²: a Gaussian whose σ is the error itself; c = D/2 is one likelihood."""

    def unit(self, weight, pixels):
        return 2 * weight / pixels

    def constants(self, unit, pixels):
        base = -0.5 * unit * pixels * math.log(pixels)
        half = 0.5 * unit * pixels
        return [base + unit * pixels * HALF_LOG_2PI + half], [0.0, base, base + half]


class OwnScale(Family):
    """A Gaussian whose σ the decoder returns. The weights are those of the error and of Σ log."""

    def unit(self, weight, pixels):
        return 2 * weight

    def constants(self, unit, pixels):
        return [unit * pixels * HALF_LOG_2PI], [0.0]


@dataclass(frozen=True)
class Rescaled(Family):
    """`base` on pictures that the loss brings from `low`..`high` to 0..1 first.

    `both`: it rescales the decoder's output, too.
    """

    base: Family = Family("none")
    low: float = 0.0
    high: float = 1.0
    both: bool = False

    def picture(self, point):
        if self.both:
            return point
        return self.low + (self.high - self.low) * self.base.picture(point)

    def unit(self, weight, pixels):
        return self.base.unit(weight, pixels)


def rescaled(low: float, high: float) -> list[Family]:
    """The families of pictures in 0..1, for pictures that run from about `low` to `high`."""
    scales = [
        (a, b)
        for a, b in ((-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
        if abs(low - a) < 0.1 * (b - a) and abs(high - b) < 0.1 * (b - a)
    ]
    return [
        _rescale(family, a, b, both)
        for a, b in scales
        for family in PICTURE_FAMILIES
        if family.binary or (family.name.startswith("squares"))
        for both in ((False, True) if family.binary and not family.logits else (False,))
    ]


def _rescale(base: Family, low: float, high: float, both: bool) -> Rescaled:
    def features(at):
        moved = ("x", "point") if both else ("x",)
        return base.features(at | {key: (at[key] - low) / (high - low) for key in moved})

    return Rescaled(
        base.name,
        features,
        base.logits,
        base.binary,
        None,
        base=base,
        low=low,
        high=high,
        both=both,
    )


def _kl(at):
    """Σμ², Σexp(2s), Σexp(s), Σs"""
    mean, s = at["mean"], at["spread"]
    return [term.sum().item() for term in (mean**2, (2 * s).exp(), s.exp(), s)]


def _squares(at):
    return [((at["x"] - at["point"]) ** 2).sum().item()]


def _scale(at):
    """The decoder's scale, one a pixel."""
    scale, x = at["scale"], at["x"]
    return scale.reshape(x.shape) if scale.numel() == x.numel() else scale.expand(1, *x.shape)[0]


def _scaled_squares(power):
    def features(at):
        scale = _scale(at)
        squares = (at["x"] - at["point"]) ** 2 * torch.exp(-power * scale)
        return [squares.sum().item(), scale.sum().item()]

    return features


def _cross_entropy(at):
    return [F.binary_cross_entropy(at["point"], at["x"], reduction="sum").item()]


def _after_sigmoid(features):
    return lambda at: features(at | {"point": at["point"].sigmoid()})


NONE = Family("none")  # no influence on the loss
UNKNOWN = Family("unknown")  # no formula fits
KL = Family("gaussian", _kl)
# Where values are noisy exp(2s) and exp(s) cannot be told apart within one fit.
KL_OF_LOG_STD = Family("gaussian", lambda at: [_kl(at)[i] for i in (0, 1, 3)])
KL_OF_LOG_VAR = Family("gaussian", lambda at: [_kl(at)[i] for i in (0, 2, 3)])
PICTURE_FAMILIES = (
    Squares("squares", _squares),
    Squares("squares_of_logits", _after_sigmoid(_squares), logits=True),
    Absolute("absolute", lambda at: [(at["x"] - at["point"]).abs().sum().item()]),
    LogSquares("log_squares", lambda at: [math.log(_squares(at)[0])]),
    Family("bernoulli_logits", _after_sigmoid(_cross_entropy), logits=True, binary=True),
    Family("bernoulli_probabilities", _cross_entropy, binary=True),
    OwnScale("gaussian_log_std", _scaled_squares(2.0), scale="log_std"),
    OwnScale("gaussian_log_var", _scaled_squares(1.0), scale="log_var"),
)
