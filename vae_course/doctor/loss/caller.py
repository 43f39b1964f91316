"""`Loss`: somebody's loss, called so that no call is felt. `Probe`: calls it on made-up numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_course.doctor.dice import same_draws
from vae_course.doctor.kept import Kept
from vae_course.doctor.loss.answer import numbers, which_part
from vae_course.doctor.loss.order import DOCTORS
from vae_course.doctor.patient import read_picture, rebuild

ROUNDING = {torch.float64: 2e-16, torch.float32: 1e-7}
NOISY_COUNT, NOISY_SEEDS = 64, 24  # a loss may compare all pairs of a batch


class Loss:
    """A loss, each time as if it had never been called: the same draws, and all put back after.

    `order` says which of (pictures, decoded, mean, spread) each of its arguments is. With
    `positive` it wants exp(spread). `take` finds the number that is minimised in its answer.
    """

    def __init__(self, loss: Callable, kept: Kept | None = None):
        self.loss, self.kept = loss, kept or Kept(loss)
        self.order, self.positive, self.take = DOCTORS, False, None

    def read(self, order: tuple[int, ...], positive: bool) -> "Loss":
        """The same loss, read in another way."""
        other = Loss(self.loss, self.kept)
        other.order, other.positive = order, positive
        return other

    def raw(self, x: Tensor, decoded, mean: Tensor, spread: Tensor, seed: int = 0):
        """Its answer, as it comes."""
        try:
            with torch.enable_grad(), same_draws(seed, x.device):
                mean, spread = alive(mean), alive(spread)
                given = (x.clone(), alive(decoded), mean, spread.exp() if self.positive else spread)
                return self.loss(*(given[i] for i in self.order))
        finally:
            self.kept.restore()

    def __call__(self, x: Tensor, decoded, mean: Tensor, spread: Tensor, seed: int = 0) -> Tensor:
        """() or (batch,), with its gradients; the numbers of the loss in double precision."""
        answer = self.raw(x, decoded, mean, spread, seed)
        take = self.take or which_part([answer], len(x))
        with torch.enable_grad():
            return numbers(take(answer), len(x))


def alive(answer):
    """As a network answers in training: with gradients, and no leaf, so that it can be written."""
    if isinstance(answer, Tensor):
        return (answer if answer.requires_grad else answer.detach().requires_grad_()).clone()
    parts = [alive(part) for part in answer]
    return type(answer)(*parts) if hasattr(answer, "_fields") else type(answer)(parts)


@dataclass(frozen=True)
class Frame:
    """The shapes that a loss meets: of one picture and one mean, and an answer of decode to two.

    `low`, `high`: the range of the pictures. `prior`: None for N(0, I).
    """

    picture: torch.Size
    mean: torch.Size
    template: object
    device: torch.device
    low: float = 0.0
    high: float = 1.0
    prior: object = None

    @property
    def pixels(self) -> int:
        return self.picture.numel()

    @property
    def latents(self) -> int:
        return self.mean.numel()


class Probe:
    """Calls the loss on `count` equal copies of one made-up example, or on several.

    `noisy`: the loss draws random numbers; values are then averages over many draws. `dtype` is
    double unless the loss holds float32 weights of its own.
    """

    def __init__(self, loss: Loss, frame: Frame, count: int = 2):
        self.loss, self.frame = loss, frame
        self.answer = read_picture(frame.template)
        self.generator = torch.Generator().manual_seed(0)
        self.dtype, self.count, self.seeds = torch.float64, count, 1
        self._try_double()
        at = self.middle()
        at |= {"mean": at["mean"] + 0.5, "spread": at["spread"] - 0.5}
        once, again = (self.value(at | {"seed": seed}) for seed in (0, 1))
        self.noisy = bool(abs(once - again) > 1e-6 * (1 + abs(once)))
        if self.noisy:
            self.count, self.seeds = NOISY_COUNT, NOISY_SEEDS

    def _try_double(self):
        """Some losses hold float32 weights of their own."""
        try:
            self._settle()
        except RuntimeError as error:
            if "dtype" not in str(error) and "Double" not in str(error):
                raise
            self.dtype = torch.float32
            self._settle()

    def _settle(self):
        """Find the part of the answer that is minimised."""
        answers = []
        for _ in range(12):
            at = self.middle()
            at |= {k: self.random(at[k].shape, 0.2, 0.8) for k in ("x", "point", "mean", "spread")}
            answers.append(self.loss.raw(*self._arguments(self._copies(at, self.count))))
        self.loss.take = which_part(answers, self.count)

    def middle(self) -> dict[str, Tensor | None]:
        """One example with every argument at a plain value."""
        shape = self.frame.picture
        scale = self.answer.scale
        return {
            "x": torch.full(shape, 0.6),
            "point": torch.full(shape, 0.4),
            "scale": None if scale is None else torch.zeros(self._scale_shape()),
            "mean": torch.zeros(self.frame.mean),
            "spread": torch.zeros(self.frame.mean),
        }

    def _scale_shape(self):
        scale = self.answer.scale
        per_example = scale.ndim > 0 and scale.shape[0] == 2 and scale.ndim > 1
        return scale.shape[1:] if per_example else scale.shape

    def value(self, at: dict, count: int | None = None) -> float:
        """The loss of equal examples; a value per example is averaged. It may be infinite."""
        return self.together([at], count or self.count)

    def together(self, examples: list[dict], count: int | None = None) -> float:
        """The loss of a batch of these examples, repeated in turn up to `count`."""
        return self.draws(examples, count or len(examples)).mean().item()

    def draws(self, examples: list[dict], count: int) -> Tensor:
        """The same, one value for each seed."""
        seeds = [examples[0]["seed"]] if "seed" in examples[0] else range(self.seeds)
        arguments = self._arguments(self._stack(examples, count))
        values = [self.loss(*arguments, seed=seed).detach().mean().item() for seed in seeds]
        return torch.tensor(values, dtype=torch.float64)

    def slopes(self, at: dict, keys: tuple[str, ...]) -> dict[str, Tensor | None]:
        """Gradients with respect to equal copies of `keys`, added over the copies; None: none."""
        batch = self._copies(at, self.count)
        leaves = {key: batch[key].requires_grad_() for key in keys}
        with torch.enable_grad():
            value = self.loss(*self._arguments(batch)).mean()
            if not value.requires_grad:
                return dict.fromkeys(keys)
            found = torch.autograd.grad(value, [*leaves.values()], allow_unused=True)
        return {
            k: None if g is None else g.sum(0).double().cpu()
            for k, g in zip(keys, found, strict=True)
        }

    def random(self, shape, low: float, high: float) -> Tensor:
        drawn = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return low + (high - low) * drawn

    def batch_power(self, a: dict, b: dict) -> int | None:
        """p if the difference between two examples grows as the batch to the power p, else None."""
        try:
            large = self.value(a, 2 * self.count) - self.value(b, 2 * self.count)
        except RuntimeError:  # made for one batch size
            return None
        ratio = large / (self.value(a) - self.value(b))
        power = round(math.log2(max(ratio, 1e-9)))
        return power if abs(ratio / 2**power - 1) < (0.25 if self.noisy else 0.01) else None

    def squared_share(self, a: dict, b: dict) -> float:
        """Which share of the difference, at 16 examples, grows as the batch squared; 0 if unclear.

        The difference must be d0 + d1 n + d2 n² at n = 2, 4, 8 and 16 examples.
        """
        counts = torch.tensor([2.0, 4.0, 8.0, 16.0], dtype=torch.float64)
        try:
            grown = [self.value(a, int(n)) - self.value(b, int(n)) for n in counts]
        except RuntimeError:  # made for one batch size
            return 0.0
        grown = torch.tensor(grown, dtype=torch.float64)
        design = torch.stack([torch.ones(4, dtype=torch.float64), counts, counts**2], 1)
        solved = torch.linalg.lstsq(design, grown[:, None]).solution[:, 0]
        if (design @ solved - grown).abs().max() > 1e-6 * grown.abs().max():
            return 0.0
        return (solved[2] * 256 / grown[3]).item()

    def _copies(self, at: dict, count: int) -> dict:
        return self._stack([at], count)

    def _stack(self, examples: list[dict], count: int) -> dict:
        """Each entry as (count, ...) numbers that nobody else holds."""
        device, batch = self.frame.device, {}
        for key in ("x", "point", "scale", "mean", "spread"):
            values = [at[key] for at in examples]
            if values[0] is None:
                batch[key] = None
                continue
            stacked = torch.stack(list(values)).to(device, self.dtype)
            times = -(-count // len(stacked))
            batch[key] = stacked.repeat(times, *[1] * (stacked.ndim - 1))[:count].detach()
        return batch

    def _arguments(self, batch: dict) -> tuple:
        point = batch["point"]
        point = point.reshape(len(point), *self.answer.point.shape[1:])
        scale = batch["scale"]
        if scale is not None and scale.shape[1:] == self.answer.scale.shape:
            scale = scale[0]  # one for all examples
        return (
            batch["x"],
            rebuild(self.frame.template, point, scale),
            batch["mean"],
            batch["spread"],
        )
