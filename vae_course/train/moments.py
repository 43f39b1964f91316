"""The optimizer of a run, and its moments by the names of the weights, and back."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop

from vae_course.train.run import Run
from vae_course.training import adam


def optimizer_of(run: Run, model: nn.Module, device: torch.device) -> Optimizer:
    if run.optimizer == "rmsprop":
        return RMSprop(model.parameters(), lr=run.lr, centered=True)
    return adam(model, run.lr, device)


def _names(optimizer: Optimizer) -> tuple[str, str]:
    """Of the moments that it keeps of each weight: running means of g and g²."""
    if isinstance(optimizer, RMSprop):
        return "grad_avg", "square_avg"
    return "exp_avg", "exp_avg_sq"


def moments_of(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """{"exp_avg.<weight>": …, "exp_avg_sq.<weight>": …} of Adam, empty before the first step."""
    return {
        f"{moment}.{name}": optimizer.state[weight][moment]
        for name, weight in model.named_parameters()
        for moment in _names(optimizer)
        if weight in optimizer.state
    }


def restore_moments(
    model: nn.Module, optimizer: Optimizer, moments: dict[str, Tensor], step: int
) -> None:
    """The inverse, after `step` steps. Raises ValueError where a moment is missing."""
    if step == 0:
        return
    names, kinds = [name for name, _ in model.named_parameters()], _names(optimizer)
    missing = [f"{m}.{n}" for n in names for m in kinds if f"{m}.{n}" not in moments]
    if missing:
        raise ValueError(
            f"the checkpoint lacks {len(missing)} of the optimizer's moments ({missing[0]}, …): an "
            "exported model cannot be resumed"
        )
    state = {
        number: {"step": torch.tensor(float(step))} | {m: moments[f"{m}.{name}"] for m in kinds}
        for number, name in enumerate(names)
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
