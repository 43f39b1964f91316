"""Are these pictures digits? What the nearest real pictures say."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Vote(NamedTuple):
    """What the nearest real pictures say of each picture: the winning label, and its share."""

    label: Tensor
    share: Tensor


def nearest_label_vote(
    pictures: Tensor, real: Tensor, labels: Tensor, neighbours: int = 10
) -> Vote:
    """Do the `neighbours` nearest of the `real` pictures agree on what each picture is?

    (M, C, H, W) against (N, C, H, W) with integer labels (N,) -> labels (M,) int64 and shares
    (M,) between 1 / neighbours and 1. A blend of two digits splits the vote. `real` must not hold
    the pictures themselves. Raises ValueError if there are too few real pictures.
    """
    if len(real) < neighbours:
        raise ValueError(f"expected at least {neighbours} real pictures, but got {len(real)}")
    distances = torch.cdist(pictures.flatten(1), real.flatten(1))
    nearest = distances.topk(neighbours, largest=False).indices  # (M, neighbours)
    votes = F.one_hot(labels[nearest].long()).sum(1)  # (M, classes)
    return Vote(votes.argmax(1), votes.max(1).values / neighbours)


class DigitScore(NamedTuple):
    """`unanimous`: share of pictures on which all neighbours agree, in [0, 1].

    `kinds`: effective number of labels among the winners, exp of their entropy; 1 means that
    every picture is of one kind, however good it is.

    `clear`: as `unanimous`, but a label counts for no more than its share of the real pictures.
    So a model cannot gain by one good picture drawn again and again, nor by black ones, whose
    neighbours agree, too: black pictures of one kind get about a tenth.
    """

    unanimous: float
    kinds: float
    clear: float

    def __str__(self) -> str:
        return (
            f"clear {self.clear:.2f} (unanimous {self.unanimous:.2f}, "
            f"kinds of digits {self.kinds:.1f})"
        )


def digit_score(pictures: Tensor, real: Tensor, labels: Tensor) -> DigitScore:
    """How many of the pictures (M, C, H, W) are clearly one digit, and of how many kinds they are.

    Pixels are clipped to [0, 1] first, as they are when they are shown. Copies of real pictures
    score best of all: what is new must be looked at elsewhere. Raises ValueError as
    `nearest_label_vote` does.
    """
    vote = nearest_label_vote(pictures.clamp(0, 1), real, labels)
    unanimous, everyone = vote.share == 1, int(labels.max()) + 1
    kinds = torch.special.entr(_frequency(vote.label, len(pictures), everyone)).sum().exp()
    found = _frequency(vote.label[unanimous], len(pictures), everyone)
    clear = torch.minimum(found, _frequency(labels, len(labels), everyone)).sum()
    return DigitScore(unanimous.double().mean().item(), kinds.item(), clear.item())


def _frequency(labels: Tensor, out_of: int, kinds: int) -> Tensor:
    return labels.long().bincount(minlength=kinds).double() / out_of
