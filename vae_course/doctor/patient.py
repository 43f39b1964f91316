"""The model under examination: its functions, called carefully, and its answers in one form."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

STD_NAMES = ("log_std", "logstd", "log_sigma", "logsigma", "log_scale")
VAR_NAMES = ("log_var", "logvar", "log_variance")
PLAIN_NAMES = {  # a spread that is no logarithm
    "std": ("std", "sigma", "stddev", "scale"),
    "var": ("var", "variance", "sigma2"),
}


class Posterior(NamedTuple):
    """`mean` and `spread` as the encoder returned them, (N, ...) each.

    `meaning` is "log_std", "log_var", "std" or "var" if the encoder's answer has named fields,
    else None.
    """

    mean: Tensor
    spread: Tensor
    meaning: str | None


class Picture(NamedTuple):
    """The decoder's answer: `point` is a mean or logits, `scale` its log std or log variance.

    `point` has the size of the pictures. `scale` is None where the decoder gives none. `meaning`
    is "logits", "log_std", "log_var" or None, from the names of the answer's fields.
    """

    point: Tensor
    scale: Tensor | None
    meaning: str | None


def read_posterior(answer) -> Posterior:
    """The encoder's answer as a `Posterior`. Raises TypeError or ValueError if it is no pair."""
    _require_one_gaussian(answer)
    if not _is_tensors(answer, 2):
        raise TypeError(
            "encode must return two tensors, (mean, log_std) or (mean, log_var), but returned "
            f"{describe(answer)}; wrap it: lambda x: (mean_of(x), log_std_of(x))"
        )
    mean, spread = (part.detach() for part in answer)
    try:
        spread = spread.expand_as(mean)
    except RuntimeError:
        raise ValueError(
            "encode must return a mean and a spread of one shape, but returned "
            f"{tuple(mean.shape)} and {tuple(spread.shape)}"
        ) from None
    return Posterior(mean, spread, _meaning(answer))


CANNOT = "; the doctor examines one Gaussian posterior against one prior, and cannot express this"


def _require_one_gaussian(answer) -> None:
    """Raises TypeError for what no pair of mean and spread can stand for."""
    if isinstance(answer, Tensor):
        parts = [answer]
    else:
        parts = list(answer) if isinstance(answer, tuple | list) else []
    whole = [part for part in parts if isinstance(part, Tensor)]
    if any(not part.is_floating_point() and part.ndim for part in whole):
        raise TypeError(f"encode returned whole numbers: discrete codes{CANNOT}")
    nested = [part for part in parts if isinstance(part, tuple | list) and len(part) >= 2]
    if len(nested) >= 2 and all(_is_tensors(part, len(part)) for part in nested):
        raise TypeError(
            f"encode returned {len(nested)} groups of tensors: several posteriors, a hierarchy"
            f"{CANNOT}"
        )


def read_picture(answer) -> Picture:
    """The decoder's answer as a `Picture`. Raises TypeError if it is neither one nor two."""
    if isinstance(answer, Tensor):
        return Picture(answer.detach(), None, None)
    if _is_tensors(answer, 1):
        named = getattr(answer, "_fields", ("",))[0]
        return Picture(answer[0].detach(), None, "logits" if named == "logits" else None)
    if _is_tensors(answer, 2):
        return Picture(answer[0].detach(), answer[1].detach(), _meaning(answer))
    raise TypeError(
        "decode must return a tensor (the mean, or logits) or a pair (mean, log_std), but "
        f"returned {describe(answer)}; wrap it: lambda z: decoder(z).mean"
    )


def rebuild(template, point: Tensor, scale: Tensor | None):
    """An answer of the decoder's own type with other numbers in it, for the loss to see."""
    if isinstance(template, Tensor):
        return point
    parts = (point,) if scale is None else (point, scale)
    return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)


class Patient:
    """The functions and pictures under examination.

    `pictures` are (N, ...). Answers come without gradients, `at_once` pictures at a time. With
    `positive` the encoder's spread is σ or σ² itself, and is turned into its logarithm here.
    `prior` is None for N(0, I).
    """

    def __init__(self, encode: Callable, decode: Callable, pictures: Tensor, at_once: int = 500):
        self.encode, self.decode, self.pictures, self.at_once = encode, decode, pictures, at_once
        self.positive, self.prior = False, None
        self.template = self._first(encode, decode)
        read = read_picture(self.template)
        if read.point.numel() != pictures[:2].numel():
            raise ValueError(
                "decode must return pictures of the size that encode takes, "
                f"{tuple(pictures.shape[1:])}, but returned {tuple(read.point.shape[1:])}"
            )
        self.pixels = pictures[0].numel()

    def _first(self, encode: Callable, decode: Callable):
        """What decode answers to two pictures. Raises ValueError, in words, if either fails."""
        two, name = self.pictures[:2], "encode"
        try:
            mean = self.posterior(two).mean
            name, two = "decode", mean
            return quietly(decode, mean)
        except RuntimeError as error:
            raise ValueError(
                f"{name} failed at {tuple(two.shape)}: {in_short(error)}. It "
                "is called with batches of any size, and with one z for each example; if it is "
                "made for several draws (an importance-weighted bound), the doctor cannot express "
                "this"
            ) from error

    def posterior(self, pictures: Tensor) -> Posterior:
        """q(z|x) for pictures (N, ...), in the encoder's own shape."""
        parts = [read_posterior(quietly(self.encode, x)) for x in pictures.split(self.at_once)]
        spread = torch.cat([part.spread for part in parts])
        spread = spread.log() if self.positive else spread
        return Posterior(torch.cat([part.mean for part in parts]), spread, parts[0].meaning)

    def picture(self, z: Tensor) -> Picture:
        """p(x|z) for z (N, ...): `point` in the pictures' shape, `scale` broadcastable to it."""
        parts = [read_picture(quietly(self.decode, part)) for part in z.split(self.at_once)]
        point = torch.cat([part.point for part in parts]).reshape(-1, *self.pictures.shape[1:])
        scale = parts[0].scale
        if scale is not None:
            whole = [_one_a_pixel(part.scale, part.point) for part in parts]
            scale = torch.cat(whole).reshape(point.shape)
        return Picture(point, scale, parts[0].meaning)


def quietly(function: Callable, argument: Tensor):
    """`function(argument)` without gradients, unless it asks for some inside."""
    try:
        with torch.no_grad():
            return function(argument)
    except RuntimeError as error:
        if "grad" not in str(error):
            raise
        with torch.enable_grad():
            return function(argument)


def in_short(error: Exception) -> str:
    """Its name and the first line of what it says. An `assert` and a stub often say nothing."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])


def describe(answer) -> str:
    """The type and shapes of an answer, for an error message."""
    if isinstance(answer, Tensor):
        return f"one tensor {tuple(answer.shape)}"
    if isinstance(answer, tuple | list):
        return f"{len(answer)} values ({', '.join(type(part).__name__ for part in answer)})"
    return type(answer).__name__


def _one_a_pixel(scale: Tensor, point: Tensor) -> Tensor:
    """`scale`, expanded to the shape of `point`; one number a picture may come as (N, 1)."""
    if scale.numel() == len(point) > 1:
        scale = scale.reshape(-1, *[1] * (point.ndim - 1))
    return scale.expand_as(point)


def _is_tensors(answer, count: int) -> bool:
    listed = isinstance(answer, tuple | list) and len(answer) == count
    return listed and all(isinstance(part, Tensor) for part in answer)


def _meaning(answer) -> str | None:
    named = getattr(answer, "_fields", ("", ""))[1].lower()
    names = {"log_std": STD_NAMES, "log_var": VAR_NAMES, **PLAIN_NAMES}
    return next((meaning for meaning, known in names.items() if named in known), None)
