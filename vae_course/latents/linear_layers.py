"""Which linear layers of a model give the codes, and which read them: found by watching it work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn


class Codec(Protocol):
    """An `nn.Module` with `encode`, images -> (mean, log_std), each (batch, d), and `decode`."""

    def encode(self, x: Tensor, /) -> tuple[Tensor, Tensor]: ...
    def decode(self, z: Tensor, /) -> Any: ...
    def modules(self) -> Iterator[nn.Module]: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def eval(self) -> Any: ...


class Call(NamedTuple):
    """What a layer was given and what it gave, in one forward pass."""

    layer: nn.Linear
    given: Tensor
    gave: Tensor


class Head(NamedTuple):
    """The outputs `own` of `layer`, which are the mean or the log std of the codes."""

    layer: nn.Linear
    own: slice


def heads(model: Codec, images: Tensor) -> list[Head]:
    """Those of mean and log_std: two, or fewer where a linear layer does not give them."""
    with _watched(model) as calls:
        posterior = model.encode(images)
    return [found for values in posterior for found in _giving(values, calls)[:1]]


def readers(model: Codec, z: Tensor) -> list[nn.Linear]:
    """The linear layers that are given `z` (batch, d) as it is."""
    with _watched(model) as calls:
        model.decode(z)
    return list(dict.fromkeys(call.layer for call in calls if _same(call.given, z)))


def _giving(values: Tensor, calls: list[Call]) -> list[Head]:
    """Heads of which `values` (batch, d) are all outputs, the first d or the last d."""
    size = values.shape[1]
    return [
        Head(call.layer, slice(start, start + size))
        for call in calls
        for start in (0, call.gave.shape[-1] - size)
        if _same(call.gave[..., start : start + size], values)
    ]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one, other)


@contextmanager
def _watched(model: Codec) -> Iterator[list[Call]]:
    """A list that fills with the calls of linear layers, in the order in which they happen."""
    calls: list[Call] = []

    def note(layer, given, gave):
        calls.extend(Call(layer, one, gave) for one in given)

    layers = [part for part in model.modules() if isinstance(part, nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
