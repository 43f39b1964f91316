"""`watch`: one ordinary training step, looked at from outside, and what it shows.

No functions to hand over, no order of arguments: whatever the step computes is seen while it is
computed. The line z = mean + std * noise is found by its noise; the weights of the loss are read
from the gradients at the mean, the spread and the output.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property

from torch import Tensor, nn

from vae_course.doctor.advice import finding
from vae_course.doctor.examination import sorted_report
from vae_course.doctor.loss.prior import own_prior
from vae_course.doctor.report import Finding, Report, number
from vae_course.doctor.watch.draws import Draw
from vae_course.doctor.watch.judged import judge_draw, judge_heads, judge_step, judge_target
from vae_course.doctor.watch.trace import Trace
from vae_course.doctor.watch.weights import Weights, read_weights

CANNOT = "; the doctor judges one Gaussian posterior against a normal prior, and cannot judge this"


class Seen:
    """What a watched step showed: `mean`, `spread`, `std`, `z`, `pictures`, `output`, `loss`.

    Tensors as the step computed them, detached; None where none was found. `spread` is what the
    network returned, before exp and the like. `gradients` maps each parameter's name to the norm
    of its gradient after the step, None where it got none. `report()` judges.
    """

    def __init__(self, model: nn.Module):
        self._trace, self._names = Trace(), dict(model.named_parameters())
        self._training, self._model = model.training, model
        self.gradients: dict[str, float | None] = {}

    @property
    def mean(self) -> Tensor | None:
        return None if self._draw is None else self._draw.mean.detach()

    @property
    def spread(self) -> Tensor | None:
        return None if self._draw is None or not self._draw.learns else self._draw.spread.detach()

    @property
    def std(self) -> Tensor | None:
        return None if self._draw is None else self._draw.std

    @property
    def z(self) -> Tensor | None:
        return None if self._draw is None else self._draw.z.detach()

    @property
    def pictures(self) -> Tensor | None:
        return None if self._trace.meeting is None else self._trace.meeting.target

    @property
    def output(self) -> Tensor | None:
        """What the decoder returned, as the loss takes it."""
        return None if self._draw is None else self._weights.output

    @property
    def batch_size(self) -> int | None:
        return None if self._draw is None else len(self._draw.mean)

    @property
    def loss(self) -> float | None:
        """What backward was called on; several calls are added."""
        losses = self._trace.losses
        return float(sum(value.double().sum() for value in losses)) if losses else None

    @property
    def _draw(self) -> Draw | None:
        draws = self._trace.draws
        return next((draw for draw in draws if draw.learns), draws[0] if draws else None)

    @cached_property
    def _weights(self) -> Weights:
        return read_weights(self._trace, self._draw)

    def report(self, *, beta: float = 1.0) -> Report:
        """Judge the step; `beta` is the KL weight that you mean to use.

        One step shows the loss, the sampling line, the heads and the batch. How the latents of all
        pictures lie, and whether the model has arrived, it does not show: that is `examine`.

        Raises ValueError for a step that it cannot judge: no backward, several posteriors, codes
        that are chosen, or several draws for each example.
        """
        self._require()
        if not self._trace.draws:
            evidence = (
                "In this step nothing of the form mean + std * noise was computed from a network's "
                "answer."
            )
            return sorted_report(
                [finding("sample_without_noise", "error", evidence)], {"pixels D": 0}
            )
        if broken := self._broken():
            return sorted_report(broken, {"latents d": self._latents})
        return self._judged(beta)

    def _require(self) -> None:
        trace = self._trace
        if trace.failure is not None and not trace.draws:
            raise ValueError(f"the step could not be followed: {trace.failure!r}")
        if not trace.losses:
            raise ValueError(
                "no backward was seen: let the watched block hold a whole step, forward, "
                "loss.backward() and optimizer.step(); compiled models must be watched uncompiled"
            )
        if trace.discrete and not any(draw.learns for draw in trace.draws):
            calls = ", ".join(sorted(trace.discrete))
            raise ValueError(f"the step chooses discrete codes ({calls}){CANNOT}")
        if not trace.draws and not self._training:
            raise ValueError("no noise was drawn: the model is in eval mode; call model.train()")
        learned = [draw for draw in trace.draws if draw.learns]
        if len({id(draw.mean) for draw in learned}) > 1:
            raise ValueError(
                f"z is drawn in {len(learned)} places, from several posteriors: a hierarchy, or a "
                f"sequence of latents{CANNOT}"
            )
        draw = self._draw
        if draw is not None and own_prior(None, self._model, draw.mean.shape[1:], draw.mean):
            raise ValueError(
                "the model's prior is not N(0, I), and the gradients of one step do not show the "
                "KL to it: examine(encode, decode, images, loss, prior=...) judges it"
            )
        if draw is not None and (
            len(learned) > 1
            or draw.z.numel() > draw.mean.numel()
            or draw.mean_by in ("repeat", "repeat_interleave")
        ):
            raise ValueError(
                "z is drawn several times for each example: an importance-weighted bound, or an "
                f"average over draws{CANNOT}"
            )

    @property
    def _latents(self) -> int:
        return self._draw.mean[0].numel()

    def _broken(self) -> list[Finding]:
        bad = [name for name, norm in self.gradients.items() if norm is not None and norm != norm]
        if self.loss == self.loss and abs(self.loss) < float("inf") and not bad:
            return []
        evidence = f"The loss is {number(self.loss)}; {len(bad)} parameters have NaN gradients."
        found = [finding("not_finite", "error", evidence)]
        if self.pictures is not None:
            found += judge_target(self._weights, self.pictures)
        return found

    def _judged(self, beta: float) -> Report:
        draw, weights, x = self._draw, self._weights, self.pictures
        found = judge_draw(draw) + judge_heads(draw)
        if not draw.z.requires_grad:
            return sorted_report(found, {"latents d": self._latents})
        numbers, error, trained = {"latents d": self._latents}, None, False
        pixels = 0
        if x is not None:
            pixels = x.numel() // self.batch_size
            found += judge_target(weights, x)
            error, flat = self._errors(weights, x)
            numbers |= {"pixels D": pixels, "RMSE at sampled z": error}
            numbers["RMSE of the mean picture"], trained = flat, error < 0.9 * flat
        sizes = self.batch_size, pixels, self._latents
        on_loss, measured = judge_step(
            weights, draw, sizes, error, beta, trained, self._trace.bends
        )
        std = self.std
        if std is not None and std.shape == draw.mean.shape:
            kl = 0.5 * (std**2 + self.mean**2 - 1) - std.log()
            numbers["KL, nats a picture"] = (kl.sum() / self.batch_size).item()
        return sorted_report(found + on_loss, numbers | measured)

    def _errors(self, weights: Weights, x: Tensor) -> tuple[float, float]:
        """RMSE of the output and of the batch's mean picture."""
        output = weights.output
        if weights.reconstruction.family.logits:
            output = output.sigmoid()
        error = (output.detach().reshape(x.shape) - x).square().mean().sqrt().item()
        rows = x.reshape(self.batch_size, -1)
        return error, rows.var(0, correction=0).mean().sqrt().item()


@contextmanager
def watch(
    model: nn.Module, *, when: bool = True, tell: Callable[[Report], None] | None = None
) -> Iterator[Seen]:
    """Look at one ordinary training step: `with watch(model) as seen:` around it.

        with doctor.watch(model) as seen:
            loss = your_loss(model(x), x)
            loss.backward()
            optimizer.step()
        print(seen.report())

    In a loop, one line: `with doctor.watch(model, when=step == 500, tell=print):` looks at step 500
    alone. With `when` false nothing is installed.

    What the doctor cannot judge is a warning there, so that a long training goes on; `report()`
    raises it as ValueError.

    Nothing is changed: the step computes what it would compute, draws what it would draw, and no
    hook is left behind. Cost: a watched step takes about twice as long (measured on small
    networks, where it weighs most), and holds what its arithmetic made until it ends.
    """
    seen = Seen(model)
    with seen._trace if when else nullcontext():
        try:
            yield seen
        finally:
            seen.gradients = {
                name: None if p.grad is None else p.grad.detach().norm().item()
                for name, p in (seen._names.items() if when else ())
            }
            seen._trace.close()
    if when and tell is not None:
        _tell(seen, tell)


def _tell(seen: Seen, tell: Callable[[Report], None]) -> None:
    try:
        report = seen.report()
    except (ValueError, RuntimeError) as refusal:  # the second from torch, on shapes not foreseen
        warnings.warn(f"the doctor cannot judge this step: {refusal}", stacklevel=4)
        return
    tell(report)


__all__ = ["Seen", "watch"]
