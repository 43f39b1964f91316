"""The pictures, or rows of a table, before anything is done with them."""

import torch
from torch import Tensor

from vae_course.doctor.advice import finding
from vae_course.doctor.report import Finding, number

LARGE = 20.0  # standardised numbers and pixels in -1..1 stay below


def judge_numbers(pictures: Tensor) -> list[Finding]:
    """Numbers that are not finite: nothing can be learned from them."""
    bad = ~torch.isfinite(pictures)
    if not bad.any():
        return []
    evidence = f"{int(bad.sum())} numbers of the pictures are NaN or infinite"
    if pictures.ndim == 2 and bad.all(0).any():
        columns = bad.all(0).nonzero().flatten().tolist()
        evidence += (
            f", all of column {', '.join(map(str, columns[:5]))}: a constant column, divided by "
            "its standard deviation 0, becomes NaN"
        )
    return [finding("pictures_not_finite", "error", evidence + ".")]


def judge_scale_of_input(pictures: Tensor, works: bool) -> list[Finding]:
    """Raw scales: bytes, or columns in units of their own. `works`: the model copes with them."""
    x = pictures.float()
    largest = x.abs().max().item()
    if largest <= LARGE:
        return []
    if x.ndim == 2:
        std = x.std(0)
        std = std[std > 0]
        if len(std) > 1 and std.max() > 100 * std.min():
            evidence = (
                f"The columns' standard deviations run from {number(std.min().item())} to "
                f"{number(std.max().item())}: one loss cannot weigh them all."
            )
            return [finding("pictures_unscaled", "warning", evidence)]
    if works:
        return []
    evidence = f"The numbers run from {number(x.min().item())} to {number(x.max().item())}."
    return [finding("pictures_unscaled", "warning", evidence)]


def judge_columns(pictures: Tensor) -> list[Finding]:
    """Columns of a table that never change. Rows of pixels in 0..1 may have dark rims."""
    if pictures.ndim != 2 or (pictures.min() >= 0 and pictures.max() <= 1):
        return []
    constant = (pictures == pictures[:1]).all(0)
    if not constant.any():
        return []
    evidence = f"{int(constant.sum())} of {pictures.shape[1]} columns hold one number throughout."
    return [finding("constant_columns", "note", evidence)]
