"""Pictures in files of their own: find them in a folder, read them as one tensor."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from vae_course.data.stored.files import DamagedFileError
from vae_course.data.stored.torchvision_import import import_torchvision

SIZE = 64  # height and width of every picture that is read
MANY = 500  # from here on reading takes long enough for a progress bar


def find_pictures(folder: Path) -> list[Path]:
    """All pictures in `folder` and below it, in the order of their paths.

    Raises ValueError if there are fewer than two, since train and test need one each.
    """
    extensions = import_torchvision().datasets.folder.IMG_EXTENSIONS
    pictures = [
        path
        for path in folder.rglob("*")
        # macOS hides notes about pictures in files such as ._face.jpg, which are no pictures
        if path.suffix.lower() in extensions and not path.name.startswith(".") and path.is_file()
    ]
    if len(pictures) < 2:
        raise ValueError(
            f"{folder} holds {len(pictures)} pictures ({', '.join(extensions)}), but at least 2 "
            "are needed: one for train, one for test."
        )
    return sorted(pictures, key=lambda path: path.relative_to(folder).as_posix())


def read_pictures(paths: Sequence[Path], *, crop: int | None = None) -> Tensor:
    """Read pictures in colour: uint8 (N, 3, 64, 64), in the order of `paths`.

    First the central `crop` x `crop` pixels are cut out, if asked for; then the shorter side is
    resized to 64, and the centre of the longer one kept.

    Raises DamagedFileError, which names the file, if one cannot be read.
    """
    transform = _to_square(crop)
    pictures = torch.empty(len(paths), 3, SIZE, SIZE, dtype=torch.uint8)
    shown = tqdm(paths, desc="pictures", leave=False) if len(paths) >= MANY else paths
    for i, path in enumerate(shown):  # TQDM_DISABLE=1 keeps the bar out of pages being built
        pictures[i] = _read(path, transform)
    return pictures


def _to_square(crop: int | None) -> Callable:
    transforms = import_torchvision().transforms
    return transforms.Compose(
        ([transforms.CenterCrop(crop)] if crop else [])
        + [
            transforms.Resize(SIZE, antialias=True),
            transforms.CenterCrop(SIZE),
            transforms.PILToTensor(),
        ]
    )


def _read(path: Path, transform: Callable) -> Tensor:
    load = import_torchvision().datasets.folder.default_loader
    try:
        return transform(load(path))
    # Pillow meets a broken file with OSError, SyntaxError, ValueError and others
    except Exception as error:
        raise DamagedFileError(
            f"{path} cannot be read as a picture ({error}). Replace it, or take it away."
        ) from error
