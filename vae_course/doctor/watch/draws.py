"""z = mean + std * noise, found among the calls of a step."""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vae_course.doctor.watch.made import SHAPES, SMOOTH, Made

NORMAL, FLAT = {"randn", "randn_like", "normal", "normal_like"}, {"rand", "rand_like", "uniform"}
_COPIES = (
    "to cuda cpu float double half type type_as clone "
    "contiguous reshape expand repeat permute transpose getitem detach requires_grad"
)
COPIES = frozenset(_COPIES.split())


@dataclass(frozen=True)
class Noise:
    """Numbers that were drawn, times `factor` and times each of `scales`."""

    tensor: Tensor
    flat: bool
    size: int
    factor: float = 1.0
    scales: tuple = ()


@dataclass(frozen=True, eq=False)
class Draw:
    """One z = mean + std * noise.

    `mean` and `spread` are what the encoder returned, before anything was done number by number;
    `std` is what multiplied the noise, None where that was a plain number. `by_spread`,
    `z_by_spread` are dstd/dspread and dz/dspread. `steps` are the calls from the spread to the std,
    `mean_by` the call that made the mean. `size` counts the noise, `factor` multiplies it.
    """

    mean: Tensor
    spread: Tensor | None
    std: Tensor | None
    z: Tensor
    flat: bool
    size: int
    factor: float
    mean_by: str
    steps: tuple[str, ...] = ()
    by_spread: Tensor | None = None
    z_by_spread: Tensor | None = None

    @property
    def learns(self) -> bool:
        """The noise's size comes from a network."""
        return self.spread is not None


@dataclass
class Dice:
    """Remembers which memory holds noise, whatever it is called by."""

    noise: dict[int, Noise] = field(default_factory=dict)

    def note(self, name: str, args: tuple, kwargs: dict, parts: list, result: Tensor):
        """A `Draw`, if this call made z."""
        if name in NORMAL and parts and not _in_place(parts, result) and name == "normal":
            return self._drawn_whole(args, kwargs, parts, result)
        if name in NORMAL | FLAT and result.is_floating_point():
            factor = _deviation(args, kwargs) if name == "normal" else 1.0
            self.noise[_memory(result)] = Noise(result, name in FLAT, result.numel(), factor)
            return None
        noisy = [self._noise(part.tensor) for part in parts]
        if sum(n is not None for n in noisy) != 1:
            return None
        noise = next(n for n in noisy if n is not None)
        others = [part for part, n in zip(parts, noisy, strict=True) if n is None]
        numbers = [a for a in (*args, *kwargs.values()) if isinstance(a, int | float)]
        if name in COPIES:
            self.noise[_memory(result)] = replace(noise, tensor=result, size=noise.size)
        elif name in ("mul", "div"):
            self.noise[_memory(result)] = _scaled(noise, name, others, numbers, result)
        elif name == "addcmul" and len(others) == 2:
            return _draw(others[0], replace(noise, scales=(others[1],)), result)
        elif name in ("add", "sub") and others and result.numel() == others[0].tensor.numel():
            self.noise.pop(_memory(result), None)  # it may have been added in place
            return _draw(others[0], noise, result)
        elif name in ("add", "sub") and others and others[0].tensor.requires_grad:
            return _draw(others[0], noise, result)
        return None

    def _noise(self, tensor: Tensor) -> Noise | None:
        return self.noise.get(_memory(tensor)) if tensor.numel() else None

    def _drawn_whole(self, args, kwargs, parts, result) -> Draw | None:
        """torch.normal(mean, std), and Normal.sample: no gradient passes."""
        if isinstance(args[0], Tensor) and len(parts) == 2:
            noise = Noise(result, False, result.numel(), 1.0, (parts[1],))
            return _draw(parts[0], noise, result)
        return None


def _draw(mean: Made, noise: Noise, z: Tensor) -> Draw | None:
    first = list(mean.back(SHAPES))[-1] if mean.tensor.requires_grad else mean.source(SHAPES)
    if not first.tensor.requires_grad:
        return None
    draw = Draw(first.tensor, None, None, z, noise.flat, noise.size, noise.factor, first.name)
    if not noise.scales:
        return draw
    std = max(noise.scales, key=lambda part: part.tensor.numel())
    stages = list(std.back(SHAPES | SMOOTH)) if std.tensor.requires_grad else [std]
    values = math.prod(part.tensor.detach() for part in noise.scales) * abs(noise.factor)
    draw = replace(draw, std=values)
    spread = stages[-1].tensor
    if not spread.requires_grad:
        source = std.source(SHAPES | SMOOTH)
        return replace(draw, spread=source.tensor) if source.tensor.requires_grad else draw
    names = tuple(stage.name for stage in stages[:-1])
    draw = replace(draw, spread=spread, steps=(*names, stages[-1].name))
    if not (z.requires_grad and torch.is_grad_enabled()) or spread.numel() != z.numel():
        return draw
    (by,) = torch.autograd.grad(std.tensor.sum(), spread, retain_graph=True)
    (z_by,) = torch.autograd.grad(z.sum(), spread, retain_graph=True)
    return replace(draw, by_spread=by.detach(), z_by_spread=z_by.detach())


def _scaled(noise: Noise, name: str, others: list, numbers: list, result: Tensor) -> Noise:
    factor, scales = noise.factor, noise.scales
    for number in numbers:
        factor = factor * number if name == "mul" else factor / number
    for part in others:
        if part.tensor.numel() == 1 and not part.tensor.requires_grad:
            factor *= part.tensor.item()
        else:
            scales = (*scales, part)
    return replace(noise, tensor=result, factor=factor, scales=scales)


def _deviation(args: tuple, kwargs: dict) -> float:
    """The standard deviation that normal_ or torch.normal was given as a number."""
    plain = [a for a in args if isinstance(a, int | float)]
    return float(kwargs.get("std", plain[1] if len(plain) > 1 else 1.0))


def _in_place(parts: list, result: Tensor) -> bool:
    return parts[0].tensor is result


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
