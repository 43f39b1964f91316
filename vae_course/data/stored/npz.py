"""Pictures in a NumPy file of your own: an .npz archive with the arrays `train` and `test`."""

import math
import os
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_course.data.stored.files import DamagedFileError
from vae_course.data.stored.public_sets import Split


def is_array_file(name) -> bool:
    return isinstance(name, (str, os.PathLike)) and Path(name).suffix == ".npz"


def open_array_file(path: str | os.PathLike) -> tuple[Split, Split]:
    """Train and test half of an .npz file, without labels. Raises as `read_array` does."""
    halves = [read_array(path, key) for key in ("train", "test")]
    return tuple(Split(len(half), half.__getitem__) for half in halves)


def read_array(path: str | os.PathLike, key: str) -> Tensor:
    """The array `key` as uint8 (N, C, H, W) from 0 to 255.

    It may come as (N, C, H, W), (N, H, W) or, for square pictures, (N, pixels). Where no value
    is above 1, the pictures are black and white: 1 becomes 255.

    Raises ValueError for a file or an array that is not there, an array that is not uint8 or has
    another shape; DamagedFileError (an OSError) for a file that cannot be read.
    """
    path = Path(path).expanduser()
    array = _load(path, key)
    if array.dtype != np.uint8 or not len(array):
        raise ValueError(
            f"{key} in {path} must be pictures of type uint8 (0 to 255, or 0 and 1), not "
            f"{array.shape} of type {array.dtype}"
        )
    array = array.reshape(_picture_shape(path, key, array.shape))
    return torch.from_numpy(array * (255 if array.max() <= 1 else 1)).to(torch.uint8)


def _load(path: Path, key: str) -> np.ndarray:
    if not path.is_file():
        raise ValueError(f"there is no file {path}; load_images reads .npz files that exist")
    try:
        with np.load(path) as arrays:
            if key in arrays:
                return arrays[key]
            found = ", ".join(arrays)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DamagedFileError(
            f"{path} cannot be read as an .npz file ({error}). Replace it by an intact copy."
        ) from error
    raise ValueError(f"{path} needs an array {key!r}, but has {found or 'none'}")


def _picture_shape(path: Path, key: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    side = math.isqrt(shape[-1])
    if len(shape) == 4:
        return shape
    if len(shape) == 3:
        return shape[0], 1, *shape[1:]
    if len(shape) == 2 and side**2 == shape[1]:
        return shape[0], 1, side, side
    raise ValueError(
        f"{key} in {path} must be (N, C, H, W), (N, H, W) or (N, pixels) of squares, not {shape}"
    )
