"""Answers that draw: what must hold of a draw that slopes pass through."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal
from vae_course.checks.judging.running import as_tensors, require, run

NAMES = ("mean", "log_std")


def require_slopes(answer: Callable, case: tuple, number: int, g: torch.Generator) -> None:
    """One z of the right shape and kind, with slope 1 in the mean and z - mean in log_std."""
    mean, log_std = case
    z = _drawn(answer, case, number)
    require(
        z.shape == mean.shape,
        f"For `mean` of shape {tuple(mean.shape)} your draw has shape {tuple(z.shape)}. Every "
        "latent of every picture needs one number.",
    )
    require(torch.isfinite(z.double()).all().item(), "Your draw holds NaN or infinity.")
    require(
        z.dtype == mean.dtype,
        f"{mean.dtype} came in and {z.dtype} came out. Make the noise with the dtype of `mean`.",
    )
    pull = normal(g, *mean.shape)
    z, *found = run(seeded(_pulled(answer, pull), number), case, NAMES)
    in_mean, in_log_std = found
    require(
        in_mean is not None or in_log_std is not None,
        "No slope reaches `mean` or `log_std`. `.sample()`, `torch.normal`, `.detach()` and "
        "`torch.no_grad()` return a z that does not know where it came from.",
    )
    for slope, name in zip(found, NAMES, strict=True):
        require(
            slope is not None and bool((slope != 0).any()),
            f"No slope reaches `{name}`: it is detached on the way, or not used.",
        )
    require(
        _close(in_mean, pull),
        "The slope of z in the mean is wrong. Shift the mean, and every draw shifts along.",
    )
    unit = log_std.exp()  # else a wrong slope of a very small σ would not be seen
    away, in_log_std = pull * (z - mean) / unit, in_log_std / unit
    for says, slope in SCALES.items():
        require(not _close(in_log_std, slope(away, log_std)), says)
    require(
        _close(in_log_std, away),
        "The slope of z in log_std is wrong. Let log_std rise a little: by which factor must a "
        "draw move away from its mean? Small numbers that are added, and clamps, change it.",
    )


def require_single_precision(answer: Callable, case: tuple, number: int) -> None:
    """What comes out in float32 where float32 goes in, as in every network."""
    z = _drawn(answer, tuple(part.float() for part in case), number)
    require(
        z.dtype == torch.float32,
        f"float32 came in and {z.dtype} came out. Make the noise with the dtype of `mean`.",
    )


SCALES = {
    "The noise is multiplied by σ². That is the unit of z², not of z.": lambda a, s: 2 * a,
    "This treats log σ as log σ²: `log_std` is the log of the standard deviation.": (
        lambda a, s: a / 2
    ),
    "The noise is multiplied by log σ. The network gives the logarithm: go back to σ first.": (
        lambda a, s: a / s
    ),
    "The noise is divided by σ: a wide posterior would give narrow draws.": lambda a, s: -a,
}


def require_noise(answer: Callable, case: tuple, numbers: list[int]) -> None:
    """(z - mean) / std is N(0, 1), independent over latents, pictures and calls."""
    mean, log_std = case
    first, again = ((_drawn(answer, case, n) - mean) / log_std.exp() for n in numbers)
    require(
        not _close(first, again),
        "Called twice, your function gives the same draw. Is there any noise in it, or a fixed "
        "seed?",
    )
    rows, columns = _close(first[:1], first), _close(first[:, :1], first)
    require(not (rows and columns), "There is one ε for everything. Each number needs its own.")
    require(not rows, "All pictures of a batch share their ε. Each picture needs its own.")
    require(not columns, "All latents of a picture share one ε. Each latent needs its own.")
    moments = {
        "the mean of ε is not 0": (first, 1.0),
        "ε has not the spread of N(0, 1)": (first**2 - 1, 2.0),
        "ε is not normal: it has the right spread, and the wrong shape": (first**4 - 3, 96.0),
        "ε of one picture tells about the next": (first * first.roll(1, 0), 1.0),
        "ε of one latent tells about the next": (first * first.roll(1, 1), 1.0),
        "ε of one call tells about the next": (first * again, 1.0),
    }
    for says, (values, variance) in moments.items():
        room = 7 * (variance / values.numel()) ** 0.5
        require(
            abs(values.mean().item()) < room, f"Your draws are not those of N(mean, std²): {says}."
        )
    require(
        first.abs().max().item() > 3.2,  # 27 are expected in 20 000
        "Your draws are not those of N(mean, std²): among 20 000 of them none is far out. Is ε "
        "clamped?",
    )


def _drawn(answer, case, number):
    return as_tensors(run(seeded(answer, number), case, NAMES))[0]


def seeded(answer, number):
    """`answer` with torch's generator at `number`; to be called by `run`, which puts it back."""

    def seeded(*case):
        torch.default_generator.manual_seed(number)
        return answer(*case)

    return seeded if callable(answer) else answer


def _pulled(answer, pull):
    def pulled(*case):
        given = [part.requires_grad_() for part in case]
        z = answer(*given)
        if not z.requires_grad:
            return z, None, None
        slopes = torch.autograd.grad((z * pull).sum(), given, allow_unused=True)
        for part in case:
            part.requires_grad_(False)
        return z.detach(), *slopes

    return pulled


def _close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-5, atol=1e-5)
