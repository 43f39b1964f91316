"""Task 3: log σ with a smooth lower bound."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.verdict import known_mistake

NEAR = 0.01  # of raw far above the bound, and of the bound far below it
FAR = 6.0
STEP = 0.02  # between two values of raw
SHARPEST = 0.2  # what the slope may change by in a step; a kink changes it at once
HUGE = 1000.0
DEEP = 30.0  # below the bound, where a slope must still lead up


def floors(seed: int | None) -> list[tuple[Tensor, float]]:
    """(raw, lowest): raw from 12 below the bound to 12 above, (2, 3, 200)."""
    g = fresh(seed)
    steps = STEP * torch.arange(-600, 600).double()
    spans = ((-5.0, -4.0), (-2.5, -1.5), (0.5, 1.5))
    bounds = [uniform(g, 1, low=low, high=high).item() for low, high in spans]
    shift = STEP * uniform(g, 1).item()
    return [((lowest + shift + steps).view(2, 3, -1), lowest) for lowest in bounds]


SLIPS = {
    "Below the bound nothing changes any more, so no slope leads back up: a σ that has fallen "
    "too low stays there. It must rise everywhere.": lambda raw, low: raw.clamp(min=low),
    "This is raw itself, without a bound.": lambda raw, low: raw,
    "This is σ, not log σ.": lambda raw, low: raw.exp(),
    "This keeps log σ above 0, wherever the bound is.": lambda raw, low: F.softplus(raw),
    "It bends at 0, not at the bound: far above the bound it is not raw.": (
        lambda raw, low: low + F.softplus(raw)
    ),
    "It is the distance to the bound. Add the bound again.": lambda raw, low: F.softplus(raw - low),
    "The bound is added where it should be subtracted, or the reverse.": (
        lambda raw, low: low + F.softplus(raw + low)
    ),
    "The signs of the bound are swapped.": lambda raw, low: F.softplus(raw + low) - low,
    "It grows as fast as exp. Far above the bound it should be raw.": (
        lambda raw, low: low + (raw - low).exp()
    ),
    "It bends at 0, and grows as fast as exp. Far above the bound it should be raw.": (
        lambda raw, low: low + raw.exp()
    ),
    "It cannot rise more than 1 above the bound.": lambda raw, low: low + torch.sigmoid(raw - low),
    "It cannot rise more than 1 above the bound, and bends at 0.": (
        lambda raw, low: low + torch.sigmoid(raw)
    ),
    "It is a bound from above: your values never exceed it.": (
        lambda raw, low: low - F.softplus(low - raw)
    ),
    "It cuts off what lies above the bound.": lambda raw, low: raw.clamp(max=low),
    "Below the bound it rises again when raw falls: the slope has the wrong sign there.": (
        lambda raw, low: low + (raw - low).abs()
    ),
    "You compare σ with a bound for log σ.": (
        lambda raw, low: torch.log(torch.clamp(raw.exp(), min=low))
    ),
    "You compare σ with a bound for log σ, and return σ.": (
        lambda raw, low: torch.clamp(raw.exp(), min=low)
    ),
    "Below the bound it still falls, only slower.": (
        lambda raw, low: low + F.leaky_relu(raw - low)
    ),
    "Below the bound it falls on, to one less.": lambda raw, low: low + F.elu(raw - low),
    "In the middle it dips below the bound, and it does not rise everywhere.": (
        lambda raw, low: low + F.gelu(raw - low)
    ),
    "It dips below the bound, and it does not rise everywhere.": (
        lambda raw, low: low + F.silu(raw - low)
    ),
}


@trial(
    slips=SLIPS,
    praise="σ stays above its bound, and wherever it is, a slope can lead it back.",
)
def bounded_log_std(answer: Callable, seed: int | None) -> None:
    """`answer(raw, lowest)`, of raw's shape: values, slopes and limits, in float64."""
    names, given = ["raw", "lowest"], floors(seed)
    got = [as_tensors(run(answer, case, names)) for case in given]
    says = known_mistake(SLIPS, given, got, 1e-6)
    require(says is None, says or "")
    for (raw, lowest), found in zip(given, got, strict=True):
        require_values(raw, lowest, found)
        require_slopes(answer, raw, lowest)
    require_far_values(answer, given[0][1])
    require_deep_slope(answer, given[0][1])


def require_values(raw: Tensor, lowest: float, found: tuple[Tensor, ...]) -> None:
    require(
        len(found) == 1 and found[0].shape == raw.shape,
        f"Return one tensor of raw's shape, {tuple(raw.shape)}. Yours: "
        f"{' and '.join(str(tuple(part.shape)) for part in found)}.",
    )
    (value,) = found
    require(value.dtype == raw.dtype, f"float64 came in and {value.dtype} came out.")
    above = raw - lowest
    require(bool(torch.isfinite(value).all()), "Some value is NaN or infinite.")
    require(
        bool((value >= lowest - 1e-9).all()),
        f"Some values lie below the bound, by up to {(lowest - value).max().item():.2g}.",
    )
    off = (value - raw)[above >= FAR].abs().max().item()
    require(off <= NEAR, f"{FAR:g} or more above the bound it is {off:.2g} away from raw.")
    off = (value - lowest)[above <= -FAR].max().item()
    require(off <= NEAR, f"{FAR:g} or more below the bound it is {off:.2g} above the bound.")
    rise, close = value.flatten().diff(), above.flatten()[:-1] > -1
    require(  # farther below, rounding may hide a rise: there the gradient must show it
        bool((rise >= -1e-12).all() and (rise[close] > 0).all()),
        "Somewhere it does not rise: two different values of raw give the same value, or the "
        "larger one the smaller value.",
    )


def require_slopes(answer: Callable, raw: Tensor, lowest: float) -> None:
    slope = slope_of(answer, raw, lowest)
    require(
        slope is not None,
        "The values are right, but no gradient reaches `raw`: something on the way is detached.",
    )
    slope, rise = slope.flatten(), values(answer, raw, lowest).flatten().diff() / STEP
    jump = torch.maximum(slope.diff().abs(), rise.diff().abs().max().expand(1)).max().item()
    require(jump <= SHARPEST, "It has a kink: the slope jumps. Let it bend gently.")
    require(
        torch.allclose((slope[1:] + slope[:-1]) / 2, rise, atol=0.02),
        "The values are right, but the gradient in `raw` is not the slope of what you return: part "
        "of it is detached.",
    )
    require(bool((slope > 0).all()), "Somewhere the gradient in `raw` is not above 0.")


def values(answer: Callable, raw: Tensor, lowest: float) -> Tensor:
    with torch.no_grad():
        return as_tensors(answer(raw.clone(), lowest))[0].double()


def slope_of(answer: Callable, raw: Tensor, lowest: float) -> Tensor | None:
    given = raw.clone().requires_grad_()
    try:
        value = answer(given, lowest)
    except RuntimeError:  # NumPy refuses a tensor that needs a gradient
        return None
    if not isinstance(value, Tensor) or not value.requires_grad:
        return None
    return torch.autograd.grad(value.sum(), given)[0]


def require_deep_slope(answer: Callable, lowest: float) -> None:
    slope = slope_of(answer, torch.tensor([lowest - DEEP]).double(), lowest)
    require(
        slope is not None and slope.item() > 0,
        f"{DEEP:g} below the bound the gradient in `raw` is 0: a σ that has fallen so low stays "
        "there.",
    )


def require_far_values(answer: Callable, lowest: float) -> None:
    raw = torch.tensor([-HUGE, HUGE]).double()
    (value,) = as_tensors(run(answer, (raw, lowest), ["raw", "lowest"]))
    require(
        torch.allclose(value.double(), torch.tensor([lowest, HUGE]).double(), atol=NEAR),
        f"It is right for ordinary values, but not for raw = {HUGE:g} or {-HUGE:g}: e^{HUGE:g} is "
        "more than a float can hold. torch has functions that avoid it.",
    )
