"""`fit`: a training loop that knows neither the model nor the loss."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from tqdm import tqdm

# What has a fused Adam in every torch that pyproject.toml allows; Macs (mps) got theirs later.
FUSED = ("cpu", "cuda")

Loss = Callable[[nn.Module, Tensor], Tensor | dict[str, Tensor]]


class History:
    """What the loss reported at every step, by name: `history["loss"]` is a (steps,) tensor."""

    def __init__(self, reports: list[dict[str, Tensor]]):
        self.values = {
            name: torch.stack([report[name] for report in reports]).cpu() for name in reports[0]
        }

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.values:
            raise KeyError(f"the loss reported {sorted(self.values)}, not {name!r}")
        return self.values[name]

    def __len__(self) -> int:
        return len(self.values["loss"])

    def final(self, name: str, last: int = 50) -> float:
        """The mean over the last `last` steps: one step alone is noisy."""
        return self[name][-last:].mean().item()


def fit(
    model: nn.Module,
    loss: Loss,
    images: Tensor,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> History:
    """Minimise `loss(model, batch)` with Adam over shuffled batches of `images`.

    `loss` returns a scalar, or a dict of scalars of which `"loss"` is minimised and all are
    recorded. Give `epochs` or `steps`, not both. The model trains on `device` (default: a GPU
    if there is one) and returns to where it was, in the mode it was in. The result depends on
    `seed` and the number of threads alone, and the global random state is left as it was.

    Raises ValueError for arguments that make no sense, FloatingPointError naming the step at
    which the loss is not finite; the weights are then those before that step.
    """
    total = _count_steps(images, epochs, steps, batch_size)
    home, device = _device_of(model), torch.device(device or _best_device())
    was_training = model.training
    # All GPUs: manual_seed seeds every one of them.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        try:
            batches = _shuffled_batches(images.to(device), batch_size, seed)
            model.to(device).train()
            reports = _descend(model, loss, batches, total, adam(model, lr, device), progress)
        finally:
            model.to(home).train(was_training)
    return History(reports)


def adam(model: nn.Module, lr: float, device: torch.device) -> torch.optim.Adam:
    """Adam for a model on `device`, as fast as it is there."""
    return torch.optim.Adam(model.parameters(), lr=lr, fused=device.type in FUSED or None)


def _descend(model, loss, batches, total, optimizer, progress) -> list[dict[str, Tensor]]:
    reports = []
    # The bar removes itself, and TQDM_DISABLE=1 keeps it out of pages that are being built.
    bar = tqdm(range(total), leave=False, mininterval=0.5) if progress else range(total)
    for step in bar:
        report = _named(loss(model, next(batches)))
        _require_finite(report, step)
        optimizer.zero_grad()
        report["loss"].backward()
        optimizer.step()
        reports.append({name: value.detach() for name, value in report.items()})
    return reports


def _shuffled_batches(images: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Every image once an epoch, in a new order each time, without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for chosen in order.split(batch_size):
            yield images[chosen]


def _count_steps(images: Tensor, epochs: int | None, steps: int | None, batch_size: int) -> int:
    if not isinstance(images, Tensor) or images.ndim < 2 or len(images) == 0:
        came = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"images must be a tensor (N, ...) with N ≥ 1, but came as {came}")
    if (epochs is None) == (steps is None):
        raise ValueError(f"give either epochs or steps, but got epochs={epochs}, steps={steps}")
    for name, count in {"batch_size": batch_size, "epochs": epochs, "steps": steps}.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, but is {count}")
    return steps or (epochs or 0) * math.ceil(len(images) / batch_size)


def _named(result: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    report = result if isinstance(result, dict) else {"loss": result}
    if not all(isinstance(value, Tensor) for value in report.values()):
        types = {name: type(value).__name__ for name, value in report.items()}
        raise ValueError(f"the loss must return tensors, to be differentiated, not {types}")
    shapes = {name: tuple(value.shape) for name, value in report.items()}
    if "loss" not in report or any(shapes.values()):
        raise ValueError(
            "the loss must return a scalar, or a dict of scalars with the key 'loss', but "
            f"returned shapes {shapes}; average over the batch with .mean()"
        )
    return report


def _require_finite(report: dict[str, Tensor], step: int) -> None:
    if not math.isfinite(report["loss"].item()):
        values = ", ".join(f"{name} = {value.item():.4g}" for name, value in report.items())
        raise FloatingPointError(
            f"the loss is not finite at step {step} ({values}); "
            "look for a log of zero or a std that vanishes, or lower the learning rate"
        )


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
