"""What one training step computes: each torch call, seen from outside, and what it was made of."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vae_course.doctor.watch.draws import Dice, Draw
from vae_course.doctor.watch.made import SHAPES, SMOOTH, Made

PLAIN = {
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "rtruediv": "rdiv",
    "rdiv": "rdiv",
    "radd": "add",
    "iadd": "add",
    "rmul": "mul",
    "imul": "mul",
    "multiply": "mul",
    "subtract": "sub",
    "isub": "sub",
    "itruediv": "div",
    "negative": "neg",
    "hardsigmoid": "sigmoid",
}
LOSSES = {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "gaussian_nll_loss",
    "sub",
    "rsub",
    "mul",
}
DISCRETE = {"argmin", "gumbel_softmax", "multinomial", "one_hot"}
BENDS = {"clamp", "clip", "clamp_min", "clamp_max", "abs", "maximum", "max", "relu", "where"}


@dataclass(frozen=True, eq=False)
class Meeting:
    """The first call in which an output meets the pictures; `outputs` may be any of its stages."""

    outputs: tuple[Made, ...]
    target: Tensor


class Trace(TorchFunctionMode):
    """Looks on while a step runs, changes no result, and draws nothing.

    `draws`: places where z = mean + std * noise was computed. `meeting`: where the decoder's
    output meets the pictures. `scales`: what the error is divided by, if that learns. `losses`:
    what backward was called on. `discrete`: calls that choose one of several codes. `bends`: the
    loss has a kink, as a capacity has, or free bits. `failure`: what this class could not follow.
    """

    def __init__(self):
        super().__init__()
        self.draws: list[Draw] = []
        self.meeting: Meeting | None = None
        self.scales: list[Made] = []
        self.losses: list[Tensor] = []
        self.discrete: set[str] = set()
        self.bends = False
        self.gradients: dict[int, Tensor] = {}
        self.failure: Exception | None = None
        self._made: dict[int, Made] = {}
        self._dice = Dice()
        self._errors: set[int] = set()
        self._given: set[int] = set()  # sizes of what came from outside
        self._handles: list = []
        self._open = True

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "backward" and args and isinstance(args[0], Tensor):
            self.losses.append(args[0].detach().clone())
            self._open = self._open and not self.draws
        result = func(*args, **kwargs)
        if self._open and name not in ("__get__", "size", "dim", "__len__"):
            try:
                self._note(name, args, kwargs, result)
            except Exception as error:  # the step is the user's, and goes on
                self.failure = self.failure or error
        return result

    def close(self) -> None:
        """Take all hooks away and forget what is not needed."""
        for handle in self._handles:
            handle.remove()
        self._made.clear()
        self._dice = Dice()

    def made(self, tensor: Tensor) -> Made:
        return self._made.get(id(tensor)) or Made(tensor, "given")

    def watch(self, tensor: Tensor) -> None:
        """Keep the gradient that will reach a tensor."""
        if not tensor.requires_grad or id(tensor) in self.gradients:
            return
        self.gradients[id(tensor)] = torch.zeros(())

        def keep(slope):
            self.gradients[id(tensor)] = self.gradients[id(tensor)] + slope.detach()

        self._handles.append(tensor.register_hook(keep))

    def gradient(self, tensor: Tensor) -> Tensor:
        """What reached it, flat, in double precision; zeros where nothing did."""
        slope = self.gradients.get(id(tensor), torch.zeros(()))
        return slope.expand(tensor.shape).reshape(-1).double().cpu()

    def _note(self, name: str, args: tuple, kwargs: dict, result) -> None:
        plain = PLAIN.get(name.strip("_"), name.strip("_"))
        parts = [self.made(a) for a in _tensors((*args, *kwargs.values()))]
        if plain in DISCRETE:
            self.discrete.add(plain)
        if plain == "broadcast_tensors":
            for before, after in zip(_tensors(args), result, strict=False):
                self._made[id(after)] = Made(after, "expand", (self.made(before),))
        if isinstance(result, tuple | list):
            for part in result:
                if isinstance(part, Tensor) and id(part) not in self._made:
                    self._made[id(part)] = Made(part, plain)
        if not isinstance(result, Tensor):
            return
        if not self.draws:
            self._given |= {p.tensor.numel() for p in parts if _from_outside(p)}
        draw = self._dice.note(plain, args, kwargs, parts, result)
        if draw is not None and self.meeting is None:
            self._follow(draw)
        elif self.draws:
            self._meet(plain, parts, result)
        kept = parts if plain in SHAPES | SMOOTH else []
        self._made[id(result)] = Made(result, plain, tuple(kept))

    def _follow(self, draw: Draw) -> None:
        self.draws.append(draw)
        for tensor in (draw.z, draw.mean, draw.spread):
            if tensor is not None:
                self.watch(tensor)

    def _meet(self, plain: str, parts: list[Made], result: Tensor) -> None:
        if plain in BENDS and result.requires_grad:
            few = len(self.draws[0].z) if plain == "relu" else self.draws[0].z.numel()
            self.bends |= result.numel() <= few
        if plain != "add" and any(id(part.tensor) in self._errors for part in parts):
            self._errors.add(id(result))
            others = [part for part in parts if id(part.tensor) not in self._errors]
            if plain in ("mul", "div"):
                self._scale(part for part in others if part.tensor.requires_grad)
        live = [part for part in parts if part.tensor.requires_grad]
        fixed = [part for part in parts if not part.tensor.requires_grad]
        if self.meeting is not None or plain not in LOSSES or not live or not fixed:
            return
        output, target = live[0], fixed[0].tensor
        known = {id(t) for draw in self.draws for t in (draw.mean, draw.spread, draw.z)}
        stages = tuple(output.back(SHAPES | SMOOTH))
        fits = target.numel() == output.tensor.numel() and target.numel() in self._given
        if not fits or not target.is_floating_point() or known & {id(s.tensor) for s in stages}:
            return
        self.meeting = Meeting(stages, target.detach().clone())
        for stage in stages:
            self.watch(stage.tensor)
        if plain != "mul":
            self._errors.add(id(result))
        if plain == "gaussian_nll_loss":
            self._scale(live[1:])

    def _scale(self, parts: Iterable[Made]) -> None:
        """What the error is multiplied with, and what that was made of."""
        for part in parts:
            self.scales.append(part)
            for step in part.back(SHAPES | SMOOTH):
                self.watch(step.tensor)


def _tensors(values) -> list[Tensor]:
    """The tensors among arguments, and in the lists among them."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += [part for part in value if isinstance(part, Tensor)]
    return found


def _from_outside(part: Made) -> bool:
    tensor = part.tensor
    return tensor.is_floating_point() and not tensor.requires_grad and tensor.numel() > 1
