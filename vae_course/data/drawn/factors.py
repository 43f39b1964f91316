"""What drawn sets share: a random stream for each factor, and the check of factors that come in."""

import numpy as np
import torch


def random_streams(names, n, *, seed, split):
    """A random stream for each factor, read row by row: no row depends on how many follow.

    Returns a dict of NumPy generators. Raises ValueError for n < 1, seed < 0 or an unknown split.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"expected {name} >= {least}, got {value}")
    if split not in ("train", "test"):
        raise ValueError(f"expected split 'train' or 'test', got {split!r}")
    seeds = np.random.SeedSequence([seed, int(split == "test")]).spawn(len(names))
    return dict(zip(names, map(np.random.default_rng, seeds), strict=True))


def checked_factors(factors, shapes: dict[str, tuple]) -> dict[str, np.ndarray]:
    """The factors named in `shapes` as arrays, each (n, *shape), n that of the first named.

    Raises ValueError for a factor that is missing or misshapen.
    """
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if name not in factors:
            raise ValueError(f"expected the factors {', '.join(shapes)}, got no {name}")
        expected, got = (len(factors[first]), *shape), tuple(factors[name].shape)
        if got != expected:
            raise ValueError(f"expected {name} of shape {expected} to go with {first}, got {got}")
    return {name: torch.as_tensor(factors[name]).cpu().numpy() for name in shapes}
