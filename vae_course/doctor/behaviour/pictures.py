"""What the pictures themselves show: range, grey, twins, and fine detail that is lost."""

import math
from collections import Counter

import torch
from torch import Tensor

from vae_course.doctor.advice import finding
from vae_course.doctor.behaviour.symptoms import Behaviour
from vae_course.doctor.report import Finding, number


def judge_pictures(
    pictures: Tensor,
    seen: Behaviour,
    reach: tuple[float, float],
    bernoulli: bool,
    low: float = 0.0,
    high: float = 1.0,
) -> list[Finding]:
    """All findings on training pictures (N, ...).

    `reach`: the least and the largest number that the decoder can say. `bernoulli`: the likelihood
    is for 0 and 1, to which the loss brings `low` and `high` first.
    """
    units = (pictures.float() - low) / (high - low)
    found = judge_bernoulli(units) if bernoulli else judge_reach(pictures.float(), reach)
    if bernoulli and not found:
        found += judge_grey(units)
    return found + judge_blur(pictures, seen)


def judge_bernoulli(pictures: Tensor) -> list[Finding]:
    """Pixels that are no probabilities."""
    low, high = (part.item() for part in torch.aminmax(pictures))
    if low >= 0 and high <= 1:
        return []
    evidence = f"The pixels run from {number(low)} to {number(high)}; a Bernoulli takes 0 to 1."
    return [finding("pixels_out_of_range", "error", evidence)]


def judge_reach(pictures: Tensor, reach: tuple[float, float]) -> list[Finding]:
    """Pixels beyond 0, 1 or ±1, where a ReLU, a sigmoid or a tanh ends what the decoder can say."""
    low, high = (part.item() for part in torch.aminmax(pictures))
    bottom, top = reach
    slack = 0.05 * (high - low) + 1e-6
    tanh = -1 - 1e-6 <= bottom < -0.9 and 0.9 < top <= 1 + 1e-6
    floor = -1.0 if tanh else 0.0 if bottom >= 0 else -math.inf
    ceiling = 1.0 if floor > -math.inf and top <= 1 + 1e-6 else math.inf
    below = (pictures < floor - slack).double().mean().item()
    above = (pictures > ceiling + slack).double().mean().item()
    if below + above < 0.01:
        return []
    evidence = (
        f"The pixels run from {number(low)} to {number(high)}, the outputs can only reach from "
        f"{number(bottom)} to {number(top)}; {below + above:.0%} of the pixels lie outside."
    )
    return [finding("pixels_out_of_range", "error", evidence)]


def judge_grey(pictures: Tensor) -> list[Finding]:
    """For a Bernoulli likelihood: pixels that are neither 0 nor 1."""
    grey = ((pictures > 0.01) & (pictures < 0.99)).double().mean().item()
    if grey < 0.01:
        return []
    p = pictures.double().clamp(0, 1)
    floor = (torch.special.entr(p) + torch.special.entr(1 - p)).flatten(1).sum(1).mean().item()
    evidence = (
        f"{grey:.0%} of the pixels are grey. Even a perfect reconstruction would cost "
        f"{number(floor)} nats a picture."
    )
    return [finding("bernoulli_on_grey", "warning", evidence)]


def judge_blur(pictures: Tensor, seen: Behaviour) -> list[Finding]:
    """Fine detail in reconstructions against the pictures'; only for pictures (N, C, H, W)."""
    if pictures.ndim != 4 or min(pictures.shape[-2:]) < 3:
        return []
    ours, theirs = (_fine_detail(x) for x in (seen.reconstructions, pictures))
    kept = ours / max(theirs, 1e-12)
    if kept > 0.9:
        return []
    evidence = f"They keep {kept:.0%} of the pictures' fine detail (variance of the Laplacian)."
    return [finding("blur", "note", evidence)]


def _fine_detail(x: Tensor) -> float:
    """Variance of the Laplacian of pictures (N, C, H, W), over the pixels inside; their mean."""
    beside = x[..., 1:-1, :-2] + x[..., 1:-1, 2:] + x[..., :-2, 1:-1] + x[..., 2:, 1:-1]
    return (beside - 4 * x[..., 1:-1, 1:-1]).flatten(2).var(2, correction=0).mean().item()


def _fingerprint(picture: Tensor) -> int:
    wide = picture.float() if picture.dtype == torch.bfloat16 else picture  # numpy has none
    return hash(wide.numpy().tobytes())


def judge_overlap(train: Tensor, test: Tensor) -> list[Finding]:
    """Test pictures that are, pixel for pixel, among the training pictures."""
    known = Counter(map(_fingerprint, train.detach().cpu()))
    shared = sum(_fingerprint(row) in known for row in test.detach().cpu())
    # Small pictures in black and white repeat by themselves.
    twins = sum(count for count in known.values() if count > 1) / len(train)
    if shared <= (0.01 + 2 * twins) * len(test):
        return []
    evidence = (
        f"{shared} of {len(test)} test pictures are also training pictures; within the training "
        f"pictures {twins:.1%} have a twin."
    )
    return [finding("test_in_train", "error", evidence)]
