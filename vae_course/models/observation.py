"""Observation models: what p(x|z) is, given what a decoder says. One class for each kind.

A new likelihood is one more class here, or one of your own: `VAE(..., likelihood=YourPixels())`.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from vae_course.objectives import Bernoulli, Gaussian

# A pixel that is the same in every picture would push its log std to -infinity.
LOWEST_LOG_STD = -6.0
LOWEST_STD = math.exp(LOWEST_LOG_STD)


class Decoded(Protocol):
    """p(x|z) of a batch: `Gaussian`, `Bernoulli`, or one of your own."""

    @property
    def mean(self) -> Tensor: ...
    @property
    def variance(self) -> Tensor: ...
    def log_likelihood(self, x: Tensor, /) -> Tensor: ...
    def sample(self) -> Tensor: ...


class ObservationModel:
    """What the kinds have in common. The model that has one keeps `log_std`, a single number."""

    likelihood: str
    std: str | float | None = None
    outputs_per_pixel = 1
    starting_log_std = 0.0
    learns_std = False  # log_std is a parameter
    takes_std_of_batch = False  # `fitted` does something

    def decoded(self, outputs: Tensor, shape: Sequence[int], log_std: Tensor) -> Decoded:
        """What the decoder says, (batch, outputs_per_pixel · D), as p(x|z) of (batch, *shape)."""
        raise NotImplementedError

    def fitted(self, decoded: Decoded, squared_error: Tensor, log_std: Tensor) -> Decoded:
        """p(x|z) as training takes it. `squared_error` is the mean over batch and pixels."""
        return decoded


class BernoulliPixels(ObservationModel):
    """Pixels are 0 or 1, and the decoder says logits."""

    likelihood = "bernoulli"

    def decoded(self, outputs: Tensor, shape: Sequence[int], log_std: Tensor) -> Decoded:
        return Bernoulli(outputs.unflatten(1, shape))


class GaussianPixels(ObservationModel):
    """A Gaussian around what the decoder says; the kinds differ in its standard deviation."""

    likelihood = "gaussian"

    def decoded(self, outputs: Tensor, shape: Sequence[int], log_std: Tensor) -> Decoded:
        return Gaussian(outputs.unflatten(1, shape), log_std)


class FixedStd(GaussianPixels):
    """As wide as told. Raises ValueError unless `std` is a positive number."""

    def __init__(self, std: float):
        self.starting_log_std = _log_of_positive("std", std, f" or one of {STDS}")
        self.std = std


class SharedStd(GaussianPixels):
    """One learned number for all pixels."""

    std, learns_std = "shared", True


class OptimalStd(GaussianPixels):
    """The RMSE of the batch, which maximises its likelihood (Rybkin et al. 2021)."""

    std, takes_std_of_batch = "optimal", True

    def fitted(self, decoded: Decoded, squared_error: Tensor, log_std: Tensor) -> Decoded:
        """With the batch's own std, of which `log_std` keeps a moving average, for eval mode."""
        # No gradient: at its optimum the likelihood has no slope in log std.
        of_batch = squared_error.detach().sqrt().log().clamp(min=LOWEST_LOG_STD)
        log_std.lerp_(of_batch, 0.05)
        return Gaussian(decoded.mean, of_batch)


class StdPerPixel(GaussianPixels):
    """Predicted by the decoder, after all means, between two bounds in units of the pixels' range.

    Raises ValueError for bounds that are not positive numbers, the lowest first.
    """

    std, outputs_per_pixel = "per_pixel", 2

    def __init__(self, lowest_std: float = LOWEST_STD, highest_std: float | None = None):
        self.lowest = _log_of_positive("lowest_std", lowest_std)
        self.highest = None if highest_std is None else _log_of_positive("highest_std", highest_std)
        if self.highest is not None and self.lowest >= self.highest:
            raise ValueError(
                f"lowest_std, {lowest_std}, must be less than highest_std, {highest_std}"
            )

    def decoded(self, outputs: Tensor, shape: Sequence[int], log_std: Tensor) -> Decoded:
        mean, raw = (part.unflatten(1, shape) for part in outputs.chunk(2, dim=1))
        return Gaussian(mean, self._bounded(raw))

    def _bounded(self, raw: Tensor) -> Tensor:
        """Any numbers -> log stds within their range, with a slope everywhere."""
        if self.highest is None:
            return self.lowest + F.softplus(raw - self.lowest)
        return self.lowest + (self.highest - self.lowest) * raw.sigmoid()


# The words of readers, who may also say a number.
STDS = ("unit", "shared", "optimal", "per_pixel")


def observation_model(
    likelihood: str | ObservationModel = "gaussian",
    std: str | float | None = None,
    lowest_std: float = LOWEST_STD,
    highest_std: float | None = None,
) -> ObservationModel:
    """The object for what readers say, as `PictureVAE` describes it. Raises ValueError as it does.

    A `likelihood` that is an object already is it.
    """
    if likelihood == "gaussian":
        return _gaussian("optimal" if std is None else std, StdPerPixel(lowest_std, highest_std))
    if likelihood != "bernoulli" and not isinstance(likelihood, ObservationModel):
        raise ValueError(f"likelihood must be gaussian or bernoulli, but is {likelihood!r}")
    if std is not None:
        raise ValueError(f"std={std!r} is for a Gaussian likelihood; a Bernoulli one has none")
    return BernoulliPixels() if isinstance(likelihood, str) else likelihood


def _gaussian(std: str | float, per_pixel: StdPerPixel) -> GaussianPixels:
    words = dict(zip(STDS, (FixedStd(1.0), SharedStd(), OptimalStd(), per_pixel), strict=True))
    if isinstance(std, str) and std in words:
        return words[std]
    return FixedStd(std)  # type: ignore[arg-type]  # which refuses any other word


def outputs_per_pixel(std: str | float) -> int:
    """How many numbers a decoder gives for each pixel: its mean, and its log std if it has one."""
    return observation_model(std=std).outputs_per_pixel


def _log_of_positive(name: str, value: object, alternative: str = "") -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number{alternative}, but is {value!r}")
    return math.log(value)
