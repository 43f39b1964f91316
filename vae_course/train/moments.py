"""Adam's moments by the names of the weights, and back."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTS = ("exp_avg", "exp_avg_sq")


def moments_of(model: nn.Module, adam: Optimizer) -> dict[str, Tensor]:
    """{"exp_avg.<weight>": …, "exp_avg_sq.<weight>": …}, empty before the first step."""
    return {
        f"{moment}.{name}": adam.state[weight][moment]
        for name, weight in model.named_parameters()
        for moment in MOMENTS
        if weight in adam.state
    }


def restore_moments(
    model: nn.Module, adam: Optimizer, moments: dict[str, Tensor], step: int
) -> None:
    """The inverse, after `step` steps. Raises ValueError where a moment is missing."""
    if step == 0:
        return
    names = [name for name, _ in model.named_parameters()]
    missing = [f"{m}.{n}" for n in names for m in MOMENTS if f"{m}.{n}" not in moments]
    if missing:
        raise ValueError(
            f"the checkpoint lacks {len(missing)} of Adam's moments ({missing[0]}, …): an exported "
            "model cannot be resumed"
        )
    state = {
        number: {"step": torch.tensor(float(step))} | {m: moments[f"{m}.{name}"] for m in MOMENTS}
        for number, name in enumerate(names)
    }
    adam.load_state_dict({"state": state, "param_groups": adam.state_dict()["param_groups"]})
