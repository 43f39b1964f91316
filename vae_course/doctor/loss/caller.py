"""`Loss`: somebody's loss, called so that no call is felt. `Probe`: calls it on made-up numbers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.doctor.dice import same_draws
from vae_course.doctor.kept import Kept
from vae_course.doctor.patient import Patient, read_picture, rebuild


class Loss:
    """A loss, each time as if it had never been called: the same draws, and all put back after."""

    def __init__(self, loss: Callable, kept: Kept | None = None):
        self.loss, self.kept = loss, kept or Kept(loss)

    def __call__(self, x: Tensor, decoded, mean: Tensor, spread: Tensor):
        try:
            with torch.enable_grad(), same_draws(device=x.device):
                return self.loss(x.clone(), *map(_alive, (decoded, mean, spread)))
        finally:
            self.kept.restore()


class Probe:
    """Calls the loss on made-up numbers: `count` equal copies of one example at a time."""

    def __init__(self, loss: Loss, patient: Patient):
        self.loss, self.patient = loss, patient
        self.posterior = patient.posterior(patient.pictures[:2])
        self.picture = read_picture(patient.template)
        self.generator = torch.Generator().manual_seed(0)
        self.dtype = torch.float64
        self._try_double()

    def _try_double(self):
        """Some losses hold float32 weights of their own."""
        try:
            self.value(self.middle())
        except RuntimeError as error:
            if "dtype" not in str(error) and "Double" not in str(error):
                raise
            self.dtype = torch.float32

    def middle(self) -> dict[str, Tensor | None]:
        """One example with every argument at a plain value."""
        shape = self.patient.pictures.shape[1:]
        scale = self.picture.scale
        return {
            "x": torch.full(shape, 0.6),
            "point": torch.full(shape, 0.4),
            "scale": None if scale is None else torch.zeros(self._scale_shape()),
            "mean": torch.zeros(self.posterior.mean.shape[1:]),
            "spread": torch.zeros(self.posterior.mean.shape[1:]),
        }

    def _scale_shape(self):
        scale = self.picture.scale
        per_example = scale.ndim > 0 and scale.shape[0] == 2 and scale.ndim > 1
        return scale.shape[1:] if per_example else scale.shape

    def value(self, at: dict[str, Tensor | None], count: int = 2) -> float:
        """The loss of `count` equal examples; a value per example is averaged."""
        device = self.patient.pictures.device
        raw = {k: None if v is None else v.to(device, self.dtype) for k, v in at.items()}
        point = self._copies(raw["point"], count).reshape(count, *self.picture.point.shape[1:])
        scale = raw["scale"]
        if scale is not None and self.picture.scale.shape != scale.shape:
            scale = self._copies(scale, count)
        decoded = rebuild(self.patient.template, point, scale)
        x, mean, spread = (self._copies(raw[key], count) for key in ("x", "mean", "spread"))
        return scalar(self.loss(x, decoded, mean, spread), count)

    @staticmethod
    def _copies(value: Tensor, count: int) -> Tensor:
        return value.expand(count, *value.shape)

    def random(self, shape, low: float, high: float) -> Tensor:
        drawn = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return low + (high - low) * drawn

    def batch_power(self, a: dict, b: dict) -> int:
        """0 if the difference between two points is averaged over the batch, 1 if summed."""
        small = self.value(a, 2) - self.value(b, 2)
        large = self.value(a, 4) - self.value(b, 4)
        return 0 if small == 0 else round(math.log2(max(large / small, 1e-9)))


def _alive(answer):
    """As a network answers in training: with gradients, and no leaf, so that it can be written."""
    if isinstance(answer, Tensor):
        return answer.detach().requires_grad_().clone()
    parts = [_alive(part) for part in answer]
    return type(answer)(*parts) if hasattr(answer, "_fields") else type(answer)(parts)


def scalar(result, count: int) -> float:
    """The loss's answer as a float: a scalar, (batch,), a dict with "loss", or a tuple's first.

    Raises ValueError for another shape, and for a number that is not finite.
    """
    if isinstance(result, dict):
        result = result.get("loss")
    if isinstance(result, tuple | list):
        result = result[0]
    result = torch.as_tensor(result).detach().double()
    if tuple(result.shape) not in ((), (1,), (count,)):
        raise ValueError(
            f"the loss must return a scalar or one value per example, ({count},) here, but "
            f"returned {tuple(result.shape)}"
        )
    if not torch.isfinite(result).all():
        raise ValueError(
            "the loss is not finite for pixels and outputs between 0.05 and 0.95 and spreads "
            "between -1.5 and 1; if your encoder returns a standard deviation itself, let "
            "encode return its logarithm"
        )
    return result.mean().item()
