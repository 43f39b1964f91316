"""`Made`: a tensor of a step, and the call that it came from."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

_SHAPES = (
    "view reshape flatten unflatten squeeze unsqueeze contiguous clone expand view_as "
    "expand_as broadcast_to float double to type type_as"
)
SHAPES = frozenset(_SHAPES.split())
_SMOOTH = (
    "exp sqrt rsqrt pow square log log1p log2 mul div rdiv neg reciprocal softplus clamp clip "
    "clamp_min clamp_max add sub rsub sigmoid logsigmoid tanh relu relu6 leaky_relu elu silu "
    "gelu hardtanh abs expm1 exp2"
)
SMOOTH = frozenset(_SMOOTH.split())


@dataclass(frozen=True, eq=False)
class Made:
    """A tensor, the call that made it, and the tensors that it was made from, number by number."""

    tensor: Tensor
    name: str
    parts: tuple["Made", ...] = ()

    def back(self, through: set[str]) -> Iterator["Made"]:
        """Itself, and what it was made from one number at a time, by the calls in `through`."""
        yield self
        here = self
        while here.name in through:
            live = [part for part in here.parts if part.tensor.requires_grad]
            if len(live) != 1 or live[0].tensor.numel() != here.tensor.numel():
                return
            here = live[0]
            yield here

    def source(self, through: set[str]) -> "Made":
        """What it was made from by these calls, under no_grad too."""
        here = self
        while here.name in through and here.parts and not here.tensor.requires_grad:
            here = here.parts[0]
        return here
