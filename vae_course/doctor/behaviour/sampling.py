"""What a sampling function does with (mean, spread), found by calling it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.doctor.advice import finding
from vae_course.doctor.dice import same_draws
from vae_course.doctor.report import Finding

DRAWS = 4000


def probe_sampling(sample: Callable, shape: torch.Size) -> tuple[str | None, list[Finding]]:
    """What `sample(mean, spread) -> z` takes the spread for, and what is wrong with it.

    `shape` is that of one mean, without the batch. The meaning is "log_std", "log_var", or None
    if the noise follows neither.
    """
    (low, shared), (high, _) = (_noise(sample, shape, spread) for spread in (-1.0, 1.0))
    if shared:
        return None, [finding("sample_wrong_noise", "error", shared)]
    if high < 1e-6:
        return None, [finding("sample_without_noise", "error", "Its noise is 0.")]
    found = _gradients(sample, shape)
    power = math.log(high / max(low, 1e-12)) / 2  # std = middle · exp(power · spread)
    middle = (low * high) ** 0.5
    for meaning, expected in (("log_std", 1.0), ("log_var", 0.5)):
        if abs(power - expected) < 0.1 and abs(middle - 1) < 0.1:
            return meaning, found
    evidence = (
        f"Its noise is {middle:.2f} · exp({power:.2f} · spread); expected is exp(spread) for "
        "log σ, exp(½ spread) for log σ²."
    )
    return None, [*found, finding("sample_wrong_noise", "error", evidence)]


def _noise(sample, shape, spread) -> tuple[float, str]:
    """The noise's standard deviation; words, if one number serves several latents or examples."""
    first, again = (_drawn(sample, shape, spread, seed) for seed in (0, 1))
    size = first.std(0).mean().item()
    if size < 1e-6 and not torch.equal(first, again):
        return size, "One noise is drawn for the whole batch: all examples get the same."
    if first.shape[1] > 1 and size > 0 and torch.corrcoef(first.T)[0, 1:].abs().max() > 0.9:
        return size, "One noise serves several latents of an example; each needs its own."
    return size, ""


def _drawn(sample, shape, spread, seed) -> Tensor:
    """(DRAWS, d) draws around 0."""
    mean = torch.zeros(DRAWS, *shape)
    with same_draws(seed):
        drawn = sample(mean, torch.full_like(mean, spread))
    if not isinstance(drawn, Tensor) or drawn.shape != mean.shape:
        raise ValueError(
            f"sample(mean, spread) must return z of the mean's shape {tuple(mean.shape)}, but "
            f"returned {getattr(drawn, 'shape', type(drawn).__name__)}"
        )
    return drawn.detach().reshape(DRAWS, -1)


def _gradients(sample, shape) -> list[Finding]:
    """Does a gradient pass through z to both arguments?"""
    inputs = {name: torch.zeros(8, *shape, requires_grad=True) for name in ("mean", "spread")}
    with torch.enable_grad(), same_draws():
        z = sample(*inputs.values())
        slopes = [None, None]
        if z.requires_grad:
            slopes = torch.autograd.grad(
                z.square().sum() + z.sum(), [*inputs.values()], allow_unused=True
            )
    stuck = [
        name
        for name, slope in zip(inputs, slopes, strict=True)
        if slope is None or not slope.abs().sum() > 0
    ]
    if not stuck:
        return []
    evidence = f"Its gradient with respect to the {' and the '.join(stuck)} is 0 or missing."
    return [finding("sample_not_reparameterized", "error", evidence)]
