"""Public data sets, read by torchvision's own classes: find, verify, download, open.

A set is looked for in several folders ("roots"). No file is used before its md5 is compared with
the original's, and no file that is already there is ever changed, moved or deleted.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vae_course.data.stored.files import DataNotFoundError, download_into, intact, what_to_do
from vae_course.data.stored.folder import read_pictures
from vae_course.data.stored.torchvision_import import import_torchvision

ORIGINAL_SIZES = {  # pictures for train and for test
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "celeba": (162_770, 19_962),
}
CELEBA_CROP = 148  # pixels: the usual cut, the face without most of the background

# md5 of the files of MNIST and Fashion-MNIST, packed (which torchvision knows) -> unpacked
UNPACKED_MD5 = {
    "f68b3c2dcbeaaa9fbdd348bbdeb94873": "6bbc9ace898e44ae57da46a324031adb",
    "d53e105ee54ea40749a09fcbcd1e9432": "a25bea736e30d166cdddb491f175f624",
    "9fb629c4189551a2d022fa330f9573f3": "2646ac647ad5339dbf082846283269ea",
    "ec29112dd5afa0611ce80d1b7f02629c": "27ae3e4e09519cfbb04c329615203637",
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "25c81989df183df01b3e8a0aad5dffbe": "9018921c3c673c538a1fc5bad174d6f9",
    "bef4ecab320f06d8554ea6380940ec79": "8181f5470baa50b63fa0f6fddb340f0a",
    "bb300cfdad3c16e7a12a480ee83cd310": "15d484375f8d13e6eb1aabb0c3f46965",
}


class Split(NamedTuple):
    """Train or test half of a set, before it is decided which of its pictures are wanted."""

    count: int
    read: Callable[[Tensor], Tensor]  # indices (n,) -> uint8 (n, C, H, W)
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None


def open_public_set(name: str, roots: list[Path], *, download: bool) -> tuple[Split, Split]:
    """Train and test half of a set in `ORIGINAL_SIZES`, from the first of `roots` that has it.

    Raises DamagedFileError if a file is not the original, DataNotFoundError if no root has the
    set and it is not to be, or cannot be, downloaded into the first root that can be written.
    """
    source = _SOURCES[name]()
    for root in roots:
        if found := source.find(root):
            return source.open(root, found)
    if not download:
        raise DataNotFoundError(what_to_do(name, source, roots, "not asked for"))
    try:
        root = download_into(roots, source.folder, source.urls, source.download)
    except Exception as error:  # torchvision and what it calls raise nearly every kind
        raise DataNotFoundError(what_to_do(name, source, roots, error)) from error
    return open_public_set(name, [root], download=False)


class _Mnist:
    """MNIST or Fashion-MNIST: four files, each of which may be unpacked or still a .gz."""

    def __init__(self, name="MNIST"):
        self.dataset = getattr(import_torchvision().datasets, name)
        self.folder = f"{name}/raw"
        self.files = [f"{packed.removesuffix('.gz')}[.gz]" for packed, _ in self.dataset.resources]
        self.urls = [mirror + self.dataset.resources[0][0] for mirror in self.dataset.mirrors]
        self.origin = " or ".join(self.dataset.mirrors)

    def find(self, root):
        raw = root / self.folder
        found = [
            intact((raw / packed.removesuffix(".gz"), UNPACKED_MD5[md5]), (raw / packed, md5))
            for packed, md5 in self.dataset.resources
        ]
        return None if None in found else found

    def open(self, root, found):
        with tempfile.TemporaryDirectory() as temporary:  # since `root` may be read-only
            raw = Path(temporary, self.folder)
            raw.mkdir(parents=True)
            for file in found:
                _unpack_into(raw, file)
            return tuple(self._half(temporary, train) for train in (True, False))

    def _half(self, root, train):
        half = self.dataset(root, train=train)
        return Split(len(half), lambda chosen: half.data[chosen, None], half.targets)

    def download(self, root, url):
        # a class of the same name, since torchvision names the folder after the class
        mirror = {"mirrors": [url.rsplit("/", 1)[0] + "/"]}
        type(self.dataset.__name__, (self.dataset,), mirror)(root, download=True)


def _unpack_into(folder, file):
    if file.suffix == ".gz":
        import_torchvision().datasets.utils.extract_archive(file, folder)
    else:
        shutil.copyfile(file, folder / file.name)


class _Cifar10:
    """CIFAR-10, of which some of the five training batches may be missing."""

    folder = "cifar-10-batches-py"

    def __init__(self):
        self.dataset = import_torchvision().datasets.CIFAR10
        self.urls = [self.dataset.url]
        self.origin = f"{self.dataset.url} (to be unpacked)"
        self.files = [name for name, _ in self.dataset.train_list + self.dataset.test_list]
        self.files.append(self.dataset.meta["filename"])

    def find(self, root):
        """The training batches that are there, if all else is there too."""
        meta = [self.dataset.meta["filename"], self.dataset.meta["md5"]]
        needed = self._present(root, [*self.dataset.test_list, meta])
        batches = self._present(root, self.dataset.train_list)
        return batches if len(needed) == 2 else None

    def _present(self, root, files):
        return [file for file in files if intact((root / self.folder / file[0], file[1]))]

    def open(self, root, found):
        class Present(self.dataset):
            train_list = found

        train, test = (self._half(Present(root, train=train)) for train in (True, False))
        if len(found) < len(self.dataset.train_list):
            warnings.warn(
                f"{root / self.folder} holds {len(found)} of the {len(self.dataset.train_list)} "
                f"training batches of cifar10, that is {train.count} images.",
                stacklevel=4,  # whoever called load_images
            )
        return train, test

    def _half(self, half):
        images = torch.from_numpy(half.data).permute(0, 3, 1, 2)
        return Split(len(half), lambda chosen: images[chosen], torch.tensor(half.targets))

    def download(self, root, url):
        self.dataset(root, download=True)


class _CelebA:
    """CelebA: aligned faces, with 40 attributes (0 or 1) as factors."""

    folder = "celeba"
    urls = ["https://drive.google.com"]
    origin = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (unpack img_align_celeba.zip)"

    def __init__(self):
        self.dataset = import_torchvision().datasets.CelebA
        self.texts = [(name, md5) for _, md5, name in self.dataset.file_list if "txt" in name]
        self.files = [*(name for name, _ in self.texts), "img_align_celeba/"]

    def find(self, root):
        folder = root / self.folder
        found = [intact((folder / name, md5)) for name, md5 in self.texts]
        return found if (folder / "img_align_celeba").is_dir() and None not in found else None

    def open(self, root, found):
        return tuple(self._half(self.dataset(root, split)) for split in ("train", "test"))

    def _half(self, half):
        folder = Path(half.root, half.base_folder, "img_align_celeba")
        # strict=False: the header ends with a space, which torchvision takes for a 41st name
        factors = dict(zip(half.attr_names, half.attr.T, strict=False))

        def read(chosen):
            return read_pictures([folder / half.filename[i] for i in chosen], crop=CELEBA_CROP)

        return Split(len(half), read, None, factors)

    def download(self, root, url):
        self.dataset(root, download=True)


_SOURCES = {
    "mnist": _Mnist,
    "fashion_mnist": lambda: _Mnist("FashionMNIST"),
    "cifar10": _Cifar10,
    "celeba": _CelebA,
}
