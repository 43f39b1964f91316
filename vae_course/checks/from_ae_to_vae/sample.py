"""Task 3: draws from the model, judged by their moments, with seven standard errors of room."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import kind, require, require_something, run
from vae_course.objectives import Gaussian

SHAPE = 3, 2, 2
MANY = 4000
WILD = -5.5, 4.0  # log σ where limits of a learner's own would be seen
ERRORS = 7  # standard errors; a moment strays so far once in 10¹¹ draws


# What to say -> the standard deviation of such a learner's noise, from log σ.
SCALES = {
    "You return the mean of p(x|z). A draw has noise.": lambda s: 0 * s,
    "Your noise has the variance as its standard deviation.": lambda s: torch.exp(2 * s),
    "Your noise is too wide: is log σ taken for log σ² on the way?": lambda s: torch.exp(s / 2),
    "You multiply the noise by log σ.": lambda s: s,
    "Your noise is not scaled: its standard deviation is 1.": lambda s: 1 + 0 * s,
    "Your noise is divided by σ.": lambda s: torch.exp(-s),
}


def _by(scale: Callable) -> Callable:
    def answer(decode, latent_dim, n):
        mean, log_std = decode(torch.randn(n, latent_dim))
        return mean + scale(log_std) * torch.randn_like(mean)

    return answer


class Decoder:
    """A random decoder, (rows, latent_dim) -> Gaussian, that remembers what it was asked."""

    def __init__(self, g: torch.Generator, latent_dim: int, log_std: float | None = None):
        self.weight = normal(g, latent_dim, 12).float()
        # Here σ, σ², √σ, |log σ|, 1/σ and 1 are far from one another.
        usual = uniform(g, 1, low=-1.6, high=-1.2)[0].float()
        self.log_std = usual if log_std is None else torch.tensor(log_std)
        self.seen = []

    def __call__(self, z: Tensor) -> Gaussian:
        shape = tuple(z.shape) if isinstance(z, Tensor) else kind(z)
        right = isinstance(z, Tensor) and z.ndim == 2 and z.shape[1] == len(self.weight)
        require(
            right,
            f"Your z came to the decoder as {shape}; it takes one row of {len(self.weight)} "
            "numbers for each picture.",
        )
        self.seen.append(z.detach().clone())
        return Gaussian(self.again(z), self.log_std)

    def again(self, z: Tensor) -> Tensor:
        """The mean of p(x|z)."""
        return torch.sin(z.float() @ self.weight).unflatten(1, SHAPE)


def drawn(answer: Callable, g: torch.Generator, latent_dim: int, n: int, log_std=None):
    """The decoder, the z it got (n, latent_dim) and the n pictures of an answer."""
    decode = Decoder(g, latent_dim, log_std)
    start = int(torch.randint(2**31, (1,), generator=g))

    def draw(decode, latent_dim, n):
        torch.manual_seed(start)
        return answer(decode, latent_dim, n)

    names = ("decode", "latent_dim", "n")
    pictures = run(draw if callable(answer) else answer, (decode, latent_dim, n), names)
    require_something(pictures)
    require(
        not isinstance(pictures, Gaussian),
        "You return the distribution p(x|z). Return pictures drawn from it.",
    )
    shape = tuple(pictures.shape) if isinstance(pictures, Tensor) else kind(pictures)
    require(shape == (n, *SHAPE), f"For n = {n}, expected pictures {(n, *SHAPE)}; got {shape}.")
    require(bool(decode.seen), "Your function never calls `decode`.")
    z = torch.cat(decode.seen)
    require(len(z) == n, f"{n} pictures need {n} rows of z, but {len(z)} were decoded.")
    require(torch.isfinite(pictures).all().item(), "Your pictures hold NaN or infinity.")
    return decode, z, pictures


def require_new(first: tuple, second: tuple) -> None:
    """Two results of `drawn`: another z, unless n and latent_dim are too small to tell."""
    require(
        not torch.equal(first[1], second[1]),
        "The same z come back at every call. Is a seed set inside your function, or is nothing "
        "drawn?",
    )


def require_whole(pictures: Tensor) -> None:
    """(MANY, …): not one picture many times, and not cut off at a lowest or highest value."""
    require(pictures.std(0).max().item() > 1e-6, "All your pictures are the same. Draw each anew.")
    ends = torch.stack(torch.aminmax(pictures)).reshape(2, *[1] * pictures.ndim)
    require(
        (pictures == ends).float().mean((1, 2, 3, 4)).max().item() < 0.005,
        "Your pixels are cut off at their ends. A draw is kept as it comes, even outside [0, 1].",
    )


def require_prior(z: Tensor) -> None:
    """(MANY, latent_dim) from N(0, I)."""
    require(z.std(0).max().item() > 1e-6, "All your pictures have the same z. Draw one for each.")
    require(
        z.std(1).max().item() > 1e-6,
        "All numbers in a z are the same. Draw each of them on its own.",
    )
    mean = z.mean(0).abs().max().item()
    require(
        mean < ERRORS / MANY**0.5,
        f"Your z has the mean {mean:.2f}. Does `torch.rand` draw from the prior?",
    )
    spread = z.var(0)
    require(
        (spread - 1).abs().max().item() < ERRORS * (2 / MANY) ** 0.5,
        f"Your z has a standard deviation of {spread.mean().sqrt():.2f}, which is not the prior's.",
    )
    _require_unrelated(z, "The numbers in your z go together; under the prior they do not.")
    require(
        (z**4).mean().item() > 2.5,
        "Mean and variance of z fit, but it has no tails: this is no normal distribution.",
    )


def require_noise(noise: Tensor, z: Tensor, log_std: Tensor) -> None:
    """Noise (MANY, …) with one standard deviation, of each pixel and each picture its own."""
    noise, std = noise.flatten(1), log_std.exp().item()
    measured = noise.square().mean().sqrt().item()
    require(
        measured < 1e-5 or noise.std(0).min().item() > 0.1 * measured,
        "All pictures get the same noise. Draw it for each of them.",
    )
    require(
        abs(noise.mean().item()) < ERRORS * max(measured, 1e-6) / MANY**0.5,
        "Your noise does not have the mean 0. Or does the mean of p(x|z) come from another z?",
    )
    for says, scale in SCALES.items():
        value = abs(float(scale(log_std)))
        require(abs(measured - value) > 0.04 * value + 1e-5, says)
    noise = noise / measured
    _require_unrelated(
        noise, "The pixels or channels of a picture share their noise. Draw one for each of them."
    )
    _require_unrelated(torch.cat([noise, z], 1), "The noise repeats z. Draw it anew.")
    require(
        abs(measured / std - 1) < ERRORS * (0.5 / noise.numel()) ** 0.5,
        f"The noise of your pictures has {measured / std:.2f} times the right standard deviation.",
    )
    require((noise**4).mean().item() > 2.5, "Your noise has no tails: it is not normal.")


def _require_unrelated(values: Tensor, says: str) -> None:
    """No two columns of (MANY, k) are correlated."""
    if values.shape[1] > 1:
        off = torch.corrcoef(values.T) - torch.eye(values.shape[1])
        require(off.abs().max().item() < ERRORS / MANY**0.5, says)


@trial(
    slips={says: _by(scale) for says, scale in SCALES.items()},
    praise="z comes from the prior, and every pixel has its own noise, as wide as it should be.",
)
def sample(answer: Callable, seed: int | None) -> None:
    """`answer(decode, latent_dim, n)`: n draws from the model, noise included, (n, C, H, W).

    Judged by what came to the decoder and by what was added to its mean.
    """
    g = fresh(seed)
    drawn(answer, g, 4, 1)
    require_new(drawn(answer, g, 2, 5), drawn(answer, g, 2, 5))
    decode, z, pictures = drawn(answer, g, 3, MANY)
    require_prior(z)
    require_whole(pictures)
    require_noise(pictures - decode.again(z), z, decode.log_std)
    for log_std in WILD:
        decode, z, pictures = drawn(answer, g, 3, MANY, log_std)
        ratio = ((pictures - decode.again(z)).std() / math.exp(log_std)).item()
        require(
            abs(ratio - 1) < 0.04,
            f"Your noise is right for moderate σ, but not for log σ = {log_std}, where it is "
            f"{'too wide' if ratio > 1 else 'too narrow'}. Is something cut off?",
        )
