"""What does a picture show? Factors of drawn pictures, read from their pixels by a linear map."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class FactorReader(NamedTuple):
    """Made by `fit_reader`. A judge of a VAE's pictures that has seen only drawn ones."""

    names: list[str]
    weights: Tensor  # (features, len(names))
    features: Tensor  # (features,), their means
    factors: Tensor  # (len(names),), their means

    def read(self, pictures: Tensor) -> dict[str, Tensor]:
        """Pictures (N, C, H, W) -> each factor by name, (N,), in its own unit."""
        values = (_features(pictures) - self.features) @ self.weights + self.factors
        return dict(zip(self.names, values.T, strict=True))


def fit_reader(
    pictures: Tensor, factors: Mapping[str, Tensor], *, ridge: float = 1e-3
) -> FactorReader:
    """The linear map with the least squared error from pictures (N, C, H, W) to factors (N,).

    Pixels are averaged two by two. `ridge` is a penalty on the weights, as a share of the features'
    mean square (Hoerl & Kennard 1970). Raises ValueError for factors that are not (N,).
    """
    for name, values in factors.items():
        if values.shape != pictures.shape[:1]:
            raise ValueError(
                f"expected one number of {name} for each of {len(pictures)} pictures, "
                f"but got {tuple(values.shape)}"
            )
    seen = _features(pictures).double()  # in float32 a small ridge would drown in rounding
    wanted = torch.stack([values.double() for values in factors.values()], 1)
    centred, targets = seen - seen.mean(0), wanted - wanted.mean(0)
    # As many equations as pictures: often fewer than features.
    gram = centred @ centred.T
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
    weights = centred.T @ torch.linalg.solve(gram, targets)
    parts = (part.to(pictures) for part in (weights, seen.mean(0), wanted.mean(0)))
    return FactorReader(list(factors), *parts)


def _features(pictures: Tensor) -> Tensor:
    return F.avg_pool2d(pictures, 2).flatten(1)
