"""A callback for Lightning: the doctor looks at one training step now and then.

Lightning is imported when the callback is made, and not before.
"""

import warnings
from contextlib import ExitStack

from vae_course.doctor.report import Report
from vae_course.doctor.watch import watch


class Steps:
    """Watches the steps `first`, `first + every`, ...; what `doctor_callback` hands to Lightning.

    `reports` maps a step to what was found. Errors and warnings are given as Python warnings, once
    each; numbers go to the trainer's logger under "doctor/".
    """

    def __init__(self, first: int = 20, every: int = 1000, beta: float = 1.0):
        self.first, self.every, self.beta = first, every, beta
        self.reports: dict[int, Report] = {}
        self._told: set[str] = set()
        self._watched = None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx, *more) -> None:
        step = trainer.global_step
        if step < self.first or (step - self.first) % self.every or step in self.reports:
            return
        self._stack = ExitStack()
        self._watched = self._stack.enter_context(watch(pl_module))
        self._step = step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, *more) -> None:
        if self._watched is None:
            return
        seen, self._watched = self._watched, None
        self._stack.close()
        try:
            report = seen.report(beta=self.beta)
        except ValueError as refusal:
            warnings.warn(f"the doctor cannot judge this model: {refusal}", stacklevel=2)
            self.first = float("inf")
            return
        self.reports[self._step] = report
        self._tell(report)
        if trainer.logger is not None:
            trainer.logger.log_metrics(_numbers(report), step=self._step)

    def on_exception(self, trainer, pl_module, exception) -> None:
        """Nothing is left behind if the step fails."""
        if self._watched is not None:
            self._watched = None
            self._stack.close()

    def _tell(self, report: Report) -> None:
        for finding in report.findings:
            if finding.severity != "note" and finding.name not in self._told:
                self._told.add(finding.name)
                warnings.warn(str(finding), stacklevel=3)


def _numbers(report: Report) -> dict[str, float]:
    flat = report.to_dict()
    return {f"doctor/{k}": float(v) for k, v in flat.items() if isinstance(v, int | float)}


def doctor_callback(first: int = 20, every: int = 1000, beta: float = 1.0):
    """A Lightning callback: `Trainer(callbacks=[doctor_callback()])`.

    It watches step `first` and then each `every`-th, where a step takes about twice as long; other
    steps cost one comparison of numbers. Raises ImportError if neither `lightning` nor
    `pytorch_lightning` is installed.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback
        except ImportError as missing:
            raise ImportError("doctor_callback needs Lightning: pip install lightning") from missing
    return type("DoctorCallback", (Steps, Callback), {})(first, every, beta)
