"""Task 1: a draw of z that slopes pass through. What must hold of it, and of its noise."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform
from vae_course.checks.judging.running import as_tensors, require, run
from vae_course.checks.judging.seeded import seeded

NAMES = ("mean", "log_std")
NOISE = 20_000, 10  # pictures and latents

# What to say -> what the noise is multiplied by, in place of σ.
SCALES = {
    "The noise is multiplied by σ². That is the unit of z², not of z.": lambda s: torch.exp(2 * s),
    "This treats log σ as log σ²: `log_std` is the log of the standard deviation.": (
        lambda s: torch.exp(s / 2)
    ),
    "The noise is multiplied by log σ. The network gives the logarithm: go back to σ first.": (
        lambda s: s
    ),
    "The noise is divided by σ: a wide posterior would give narrow draws.": lambda s: torch.exp(-s),
    "The noise is multiplied by a softplus of log σ. A logarithm is undone by exp.": softplus,
}


def drawn(scale: Callable) -> Callable:
    """What a learner has written who takes `scale` for σ."""
    return lambda mean, log_std: mean + scale(log_std) * torch.randn_like(mean)


@trial(
    slips={says: drawn(scale) for says, scale in SCALES.items()},
    praise="The right distribution, and both slopes are exact: randomness comes from the side.",
)
def draw(answer: Callable, seed: int | None = None) -> None:
    """`answer(mean, log_std)`: one draw of z from N(mean, std²), all (batch, latent_dim).

    The slopes must be exact; the moments are those of N(0, 1), within 7 standard errors.
    """
    g = fresh(seed)
    numbers = torch.randint(2**31, (2,), generator=g).tolist()
    cases = posteriors(seed)
    for case in [*cases, _extreme(g)]:
        require_slopes(answer, case, numbers[0], g)
    require_single_precision(answer, cases[-1], numbers[0])
    case = normal(g, *NOISE), uniform(g, *NOISE, low=-1.5, high=0.8)
    require_noise(answer, case, numbers)


def _extreme(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """(mean, log_std), (2, 3), with σ far below 1 and far above: any clamp or addition is seen."""
    log_std = [[-9.0, 4.0, 15.0], [-20.0, -9.0, 0.5]]
    return normal(g, 2, 3), torch.tensor(log_std, dtype=torch.float64)


def require_slopes(answer: Callable, case: tuple, number: int, g: torch.Generator) -> None:
    """One z of the right shape and kind, with slope 1 in the mean and z - mean in log_std."""
    mean, log_std = case
    z = _one(answer, case, number)
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
    for says, scale in SCALES.items():
        require(not _close(in_log_std, away * _growth(scale, log_std)), says)
    require(
        _close(in_log_std, away),
        "The slope of z in log_std is wrong. Let log_std rise a little: by which factor must a "
        "draw move away from its mean? Small numbers that are added, and clamps, change it.",
    )


def _growth(scale: Callable, log_std: Tensor) -> Tensor:
    """By which factor a draw moves away from its mean where `scale` stands for σ."""
    s = log_std.clone().requires_grad_()
    return torch.autograd.grad(scale(s).abs().log().sum(), s)[0]


def require_single_precision(answer: Callable, case: tuple, number: int) -> None:
    """What comes out in float32 where float32 goes in, as in every network."""
    z = _one(answer, tuple(part.float() for part in case), number)
    require(
        z.dtype == torch.float32,
        f"float32 came in and {z.dtype} came out. Make the noise with the dtype of `mean`.",
    )


def require_noise(answer: Callable, case: tuple, numbers: list[int]) -> None:
    """(z - mean) / std is N(0, 1), independent over latents, pictures, calls, and of q."""
    mean, log_std = case
    first, again = ((_one(answer, case, n) - mean) / log_std.exp() for n in numbers)
    require(
        not _close(first, again),
        "Called twice, your function gives the same draw. Is there any noise in it, or a fixed "
        "seed?",
    )
    rows, columns = _close(first[:1], first), _close(first[:, :1], first)
    require(not (rows and columns), "There is one ε for everything. Each number needs its own.")
    require(not rows, "All pictures of a batch share their ε. Each picture needs its own.")
    require(not columns, "All latents of a picture share one ε. Each latent needs its own.")
    side, width = mean.sign(), (log_std - log_std.median()).sign()
    moments = {
        "the sign of ε depends on the mean": (first * side, 1.0),
        "the sign of ε depends on log_std": (first * width, 1.0),
        "the mean of ε is not 0": (first, 1.0),
        "ε has not the spread of N(0, 1)": (first**2 - 1, 2.0),
        "ε is not normal: it has the right spread, and the wrong shape": (first**4 - 3, 96.0),
        "ε of one call tells about the next": (first * again, 1.0),
        "the size of ε depends on the mean": ((first**2 - 1) * side, 2.0),
        "the size of ε depends on log_std": ((first**2 - 1) * width, 2.0),
    }
    for says, (values, variance) in moments.items():
        _require_like_noise(says, abs(values.mean().item()), (variance / values.numel()) ** 0.5)
    pictures, latents = first.shape
    between = (first.T @ first / pictures - torch.eye(latents)).abs()
    between.fill_diagonal_(0)
    _require_like_noise("ε of one latent tells about another", between.max().item(), pictures**-0.5)
    later = _later(first).abs().max().item()
    _require_like_noise("ε of one picture tells about another", later, first.numel() ** -0.5)
    require(
        first.abs().max().item() > 3.9,  # 19 are expected in 200 000
        f"Your draws are not those of N(mean, std²): among {first.numel()} of them none is far "
        "out. Is ε clamped?",
    )


def _require_like_noise(says: str, size: float, standard_error: float) -> None:
    says = f"Your draws are not those of N(mean, std²): {says}."
    require(size < 7 * standard_error, says)


def _later(noise: Tensor) -> Tensor:
    """The average product of two pictures that are 1, 2, … apart, around the end of the batch."""
    power = torch.fft.rfft(noise, dim=0).abs() ** 2
    return torch.fft.irfft(power, len(noise), dim=0)[1:].mean(1) / len(noise)


def _one(answer, case, number):
    return as_tensors(run(seeded(answer, number), case, NAMES))[0]


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
