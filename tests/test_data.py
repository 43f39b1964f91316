import dataclasses
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_course.data import DamagedFileError, ImageSet, load_images
from vae_course.data import loading as data
from vae_course.data.drawn.digits import draw_digits
from vae_course.data.drawn.faces import draw_faces
from vae_course.data.stored.public_sets import Split

PORTRAITS = Path(__file__).parents[2] / "shared/data/CongressFaces/congress_faces.zip"


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch):
    monkeypatch.delenv("VAE_COURSE_DIGITS", raising=False)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    data._announce.cache_clear()


def check_form(images: ImageSet):
    for pictures, labels, factors in (
        (images.train, images.train_labels, images.train_factors),
        (images.test, images.test_labels, images.test_factors),
    ):
        assert pictures.dtype == torch.float32 and pictures.ndim == 4 and pictures.is_contiguous()
        assert 0 <= pictures.min() < pictures.max() <= 1
        assert labels is None or (labels.dtype, labels.shape) == (torch.int64, pictures.shape[:1])
        for values in (factors or {}).values():
            assert len(values) == len(pictures)


# ---- drawn digits


def test_digits_are_the_drawn_ones():
    images = load_images(n_train=30, n_test=10, seed=3)
    check_form(images)
    assert images.name == "digits" and images.train.shape == (30, 1, 28, 28)
    for split, pictures, labels, factors in (
        ("train", images.train, images.train_labels, images.train_factors),
        ("test", images.test, images.test_labels, images.test_factors),
    ):
        drawn, true_factors = draw_digits(len(pictures), seed=3, split=split)
        assert torch.equal(pictures, drawn)
        assert torch.equal(labels, true_factors["digit"])
        assert factors.keys() == true_factors.keys()


def test_digits_default_numbers(monkeypatch):
    asked = []

    def note(n, *, seed, split):
        asked.append((n, seed, split))
        return torch.zeros(1, 1, 28, 28), {"digit": torch.zeros(1, dtype=torch.int64)}

    monkeypatch.setattr(data, "draw_digits", note)
    load_images(seed=5)
    load_images(n_test=7)
    assert asked[:2] == [(20_000, 5, "train"), (2_000, 5, "test")]
    assert asked[2:] == [(20_000, 0, "train"), (7, 0, "test")]


def test_an_image_set_is_frozen_and_says_what_it_holds():
    images = load_images(n_train=5, n_test=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.train = None
    assert "'digits'" in repr(images) and "(5, 1, 28, 28)" in repr(images)
    assert "slant" in repr(images) and len(repr(images)) < 300


# ---- drawn faces


def test_faces_are_the_drawn_ones(monkeypatch):
    monkeypatch.setenv("VAE_COURSE_DIGITS", "mnist")  # stands in for digits, and for nothing else
    images = load_images("faces", n_train=30, n_test=10, seed=3)
    check_form(images)
    assert images.name == "faces" and images.train.shape == (30, 3, 64, 64)
    assert images.train_labels is None and images.test_labels is None
    for split, pictures, factors in (
        ("train", images.train, images.train_factors),
        ("test", images.test, images.test_factors),
    ):
        drawn, true_factors = draw_faces(len(pictures), seed=3, split=split)
        assert torch.equal(pictures, drawn) and factors.keys() == true_factors.keys()
        assert all(torch.equal(factors[name], values) for name, values in true_factors.items())


def test_faces_default_numbers(monkeypatch):
    asked = []

    def note(n, *, seed, split):
        asked.append((n, seed, split))
        return torch.zeros(1, 3, 64, 64), {"smile": torch.zeros(1)}

    monkeypatch.setattr(data, "draw_faces", note)
    load_images("faces", seed=5)
    assert asked == [(10_000, 5, "train"), (1_000, 5, "test")]


@pytest.mark.parametrize("asked", [{"n_train": 0}, {"n_test": -1}, {"n_train": 2.5}])
def test_impossible_numbers_of_faces(asked):
    with pytest.raises(ValueError, match="whole number from 1 up, not"):
        load_images("faces", **asked)


# ---- a public set, here one that is made up, so that every picture tells its own index


def made_up_set(count, offset):
    index = torch.arange(count) + offset

    def read(chosen):
        at = index[chosen]
        return torch.stack([at % 256, at // 256], 1).to(torch.uint8)[:, None, None]

    return Split(count, read, labels=index * 10)


@pytest.fixture
def made_up(monkeypatch):
    """60 000 and 10 000 pictures of 1x1x2; returns what has been opened."""
    opened = []

    def open_public_set(name, roots, *, download):
        opened.append(name)
        return made_up_set(60_000, 0), made_up_set(10_000, 1000)

    monkeypatch.setattr(data, "open_public_set", open_public_set)
    return opened


def indices(pictures):
    low, high = (pictures * 255).round().long().flatten(1).T
    return low + 256 * high


@pytest.mark.parametrize(
    ("name", "n_train", "n_test"),
    [("mnist", 60_000, 10_000), ("fashion_mnist", 60_000, 10_000), ("celeba", 20_000, 2_000)],
)
def test_default_numbers_of_public_sets(made_up, name, n_train, n_test):
    images = load_images(name)
    assert (len(images.train), len(images.test), images.name) == (n_train, n_test, name)


def test_a_whole_set_keeps_its_order(made_up):
    images = load_images("mnist", n_test=10_000)
    assert torch.equal(indices(images.train), torch.arange(60_000))
    assert torch.equal(indices(images.test), torch.arange(10_000) + 1000)
    check_form(images)


def test_a_part_is_drawn_by_seed_from_all_of_its_own_half(made_up):
    images, again, other = (
        load_images("mnist", n_train=500, n_test=400, seed=seed) for seed in (0, 0, 1)
    )
    chosen, chosen_test = indices(images.train), indices(images.test)
    assert torch.equal(images.train, again.train) and torch.equal(images.test, again.test)
    assert len(set(chosen.tolist()) & set(indices(other.train).tolist())) < 50
    assert len(chosen.unique()) == 500 and len(chosen_test.unique()) == 400
    assert chosen.min() < 1000 and chosen.max() > 59_000  # not merely the first ones
    assert 1000 <= chosen_test.min() < 1200 and 10_800 < chosen_test.max() < 11_000
    assert torch.equal(images.train_labels, chosen * 10)
    assert torch.equal(images.test_labels, chosen_test * 10)


@pytest.mark.parametrize("name", ["digits", "mnist"])
def test_the_global_random_state_is_left_alone(made_up, name):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    load_images(name, n_train=5, n_test=5, seed=9)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    first = load_images(name, n_train=5, n_test=5, seed=9)
    torch.manual_seed(3)
    assert torch.equal(load_images(name, n_train=5, n_test=5, seed=9).train, first.train)


@pytest.mark.parametrize("argument", ["n_train", "n_test"])
@pytest.mark.parametrize("number", [0, -3, 2.5, 10.0, "20", True, 60_001])
def test_impossible_numbers_of_a_public_set(made_up, argument, number):
    available = 60_000 if argument == "n_train" else 10_000
    with pytest.raises(ValueError, match=f"^{argument} must be .* {available},.* mnist") as caught:
        load_images("mnist", **{argument: number})
    assert repr(number) in str(caught.value)
    assert not made_up  # told before anything was searched or downloaded


@pytest.mark.parametrize("number", [0, -3, 2.5, "20", True])
def test_impossible_numbers_of_digits(number):
    with pytest.raises(ValueError, match="^n_test must be a whole number from 1 up") as caught:
        load_images("digits", n_train=1, n_test=number)
    assert repr(number) in str(caught.value)


def test_more_than_the_files_hold_although_the_original_has_it(monkeypatch):
    few = made_up_set(6, 0), made_up_set(4, 0)
    monkeypatch.setattr(data, "open_public_set", lambda *_, **__: few)
    with pytest.raises(ValueError, match="n_train must be .* 6, .* mnist, not 7"):
        load_images("mnist", n_train=7)
    assert len(load_images("celeba").train) == 6  # the default number is no demand


def test_numbers_may_come_from_numpy(made_up):
    assert len(load_images("mnist", n_train=np.int64(3)).train) == 3


# ---- a public set in place of digits


@pytest.mark.parametrize("stand_in", ["mnist", "fashion_mnist"])
def test_a_public_set_stands_in_for_digits(made_up, monkeypatch, capsys, stand_in):
    monkeypatch.setenv("VAE_COURSE_DIGITS", stand_in)
    images = load_images()
    load_images("digits", n_train=10)
    assert made_up == [stand_in, stand_in]
    assert images.name == stand_in and images.train_factors is None
    assert (len(images.train), len(images.test)) == (20_000, 2_000)
    (line,) = capsys.readouterr().out.splitlines()  # one, for both
    assert stand_in in line and "VAE_COURSE_DIGITS" in line


def test_other_sets_have_no_stand_in(made_up, monkeypatch, capsys):
    monkeypatch.setenv("VAE_COURSE_DIGITS", "fashion_mnist")
    assert load_images("mnist").name == "mnist" and made_up == ["mnist"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["", "digits"])
def test_no_stand_in(made_up, monkeypatch, capsys, value):
    monkeypatch.setenv("VAE_COURSE_DIGITS", value)
    assert load_images(n_train=1, n_test=1).name == "digits"
    assert not made_up and capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["MNIST", "cifar10", "1"])
def test_a_stand_in_that_is_none(monkeypatch, value):
    monkeypatch.setenv("VAE_COURSE_DIGITS", value)
    with pytest.raises(ValueError, match=f"VAE_COURSE_DIGITS must be .*mnist.*{value!r}"):
        load_images()


# ---- names


@pytest.mark.parametrize("name", ["mnits", "MNIST", "", "no/such/folder", Path("mnist"), 3, None])
def test_an_unknown_name(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        load_images(name)
    for word in ("digits", "mnist", "fashion_mnist", "cifar10", "celeba", "folder", repr(name)):
        assert word in str(caught.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "faces.zip").write_bytes(b"")
    with pytest.raises(ValueError, match="neither a folder"):
        load_images(tmp_path / "faces.zip")


def test_a_folder_called_like_a_set_is_meant_by_a_path_only(made_up, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "mnist", 3)
    assert load_images(Path("mnist")).train.shape == (2, 3, 64, 64)
    assert load_images("mnist").train.shape == (60_000, 1, 1, 2)


# ---- folders of pictures


def grey_level(i):
    return i * 10


def write_pictures(folder, count, size=(80, 100)):
    """Plain grey pictures, of as many grey levels, so that each can be known again."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", size, (grey_level(i),) * 3).save(folder / f"{i:02}.png")
    return folder


def levels(pictures):
    return [round(value * 255) for value in pictures.mean((1, 2, 3)).tolist()]


def test_a_folder_is_split_nine_to_one(tmp_path):
    folder = write_pictures(tmp_path, 20)
    images = load_images(folder)
    check_form(images)
    assert images.train.shape == (18, 3, 64, 64) and images.test.shape == (2, 3, 64, 64)
    assert images.train_labels is None and images.train_factors is None
    both = levels(images.train) + levels(images.test)
    assert sorted(both) == [grey_level(i) for i in range(20)]  # each once: disjoint and complete
    assert both != sorted(both)
    assert torch.equal(images.train, load_images(str(folder)).train)
    assert levels(load_images(folder, seed=1).test) != levels(images.test)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ({"n_train": 5}, (5, 2)),
        ({"n_test": 5}, (15, 5)),
        ({"n_test": 1}, (18, 1)),
        ({"n_train": 19}, (19, 1)),
        ({"n_test": 19}, (1, 19)),
        ({"n_train": 12, "n_test": 8}, (12, 8)),
    ],
)
def test_chosen_numbers_of_a_folder(tmp_path, asked, given):
    images = load_images(write_pictures(tmp_path, 20), **asked)
    assert (len(images.train), len(images.test)) == given
    assert not set(levels(images.train)) & set(levels(images.test))


@pytest.mark.parametrize(
    "asked",
    [{"n_train": 0}, {"n_test": -1}, {"n_train": 20}, {"n_test": 21}, {"n_train": 1.5}]
    + [{"n_train": 12, "n_test": 9}],
)
def test_impossible_numbers_of_a_folder(tmp_path, asked):
    folder = write_pictures(tmp_path, 20)
    with pytest.raises(ValueError, match="must be .* 20,? ") as caught:
        load_images(folder, **asked)
    assert str(folder) in str(caught.value)
    for argument, number in asked.items():
        assert argument in str(caught.value) and str(number) in str(caught.value)


def test_only_chosen_pictures_are_read(tmp_path):
    folder = write_pictures(tmp_path, 20)
    images = load_images(folder, n_train=3, n_test=2, seed=4)
    kept = {*levels(images.train), *levels(images.test)}
    for i in range(20):
        if grey_level(i) not in kept:
            (folder / f"{i:02}.png").write_bytes(b"")
    assert torch.equal(load_images(folder, n_train=3, n_test=2, seed=4).train, images.train)


def test_what_counts_as_a_picture(tmp_path):
    """Below the folder, in any spelling of the extension, but no other and no hidden files."""
    write_pictures(tmp_path / "a" / "b", 1)
    write_pictures(tmp_path / "c", 1)
    Image.new("L", (70, 70), 100).save(tmp_path / "grey.JPEG")
    Image.new("RGBA", (70, 70), (50, 50, 50, 0)).save(tmp_path / "transparent.PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._grey.jpg").write_bytes(b"what macOS leaves")
    (tmp_path / "folder.png").mkdir()
    images = load_images(tmp_path)
    assert sorted(levels(images.train) + levels(images.test)) == [0, 0, 50, 100]


@pytest.mark.parametrize(("size", "middle"), [((40, 20), "wide"), ((20, 40), "high")])
def test_the_centre_of_the_longer_side_is_kept(tmp_path, size, middle):
    """A quarter of the longer side at each end is black, the middle is red."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    centre = (slice(None), slice(10, 30)) if middle == "wide" else (slice(10, 30), slice(None))
    picture[centre] = (255, 0, 0)
    for name in ("1.png", "2.png"):
        Image.fromarray(picture).save(tmp_path / name)
    kept = load_images(tmp_path).train[0]
    assert kept[1:].max() == 0 and kept[0, 3:-3, 3:-3].min() > 0.98


def test_shrinking_averages(tmp_path):
    """Stripes of one pixel become grey; without antialiasing they would stay or vanish."""
    stripes = np.zeros((512, 512), np.uint8)
    stripes[:, ::2] = 255
    for name in ("1.png", "2.png"):
        Image.fromarray(stripes).save(tmp_path / name)
    assert (load_images(tmp_path).train - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures(tmp_path, count):
    write_pictures(tmp_path, count)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path} holds {count} ") + ".*at least 2"):
        load_images(tmp_path)


@pytest.mark.parametrize("harm", ["cut", "no picture", "empty"])
def test_an_unreadable_picture_is_named(tmp_path, harm):
    folder = write_pictures(tmp_path, 4)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "02.png")
    content = (folder / "02.png").read_bytes()
    harmed = {"cut": content[: len(content) // 2], "no picture": b"text" * 50, "empty": b""}
    (folder / "02.png").write_bytes(harmed[harm])
    with pytest.raises(DamagedFileError, match="02.png") as caught:
        load_images(folder)
    assert isinstance(caught.value, OSError) and caught.value.__cause__ is not None


def portraits(folder):
    """814 real photographs where they are at hand, otherwise 60 small ones of noise."""
    if PORTRAITS.exists():
        zipfile.ZipFile(PORTRAITS).extractall(folder)
    else:
        noise = np.random.default_rng(0).integers(0, 256, (60, 122, 100, 3), np.uint8)
        for i, picture in enumerate(noise):
            Image.fromarray(picture).save(folder / f"{i}.jpg")
    return sorted(folder.glob("*.jpg"))


def test_photographs(tmp_path):
    paths = portraits(tmp_path)
    images = load_images(tmp_path)
    check_form(images)
    assert len(images.test) == round(len(paths) / 10)
    assert len(images.train) == len(paths) - len(images.test)
    assert images.train.flatten(1).unique(dim=0).shape[0] > 0.99 * len(images.train)
    # an independent reading of one of them: Pillow's own box-and-resize
    one = Image.open(paths[0]).convert("RGB")
    assert one.size == (100, 122)
    square = one.resize((64, 64), Image.Resampling.BILINEAR, box=(0, 11, 100, 111))
    expected = torch.tensor(np.array(square)).permute(2, 0, 1) / 255
    every = torch.cat([images.train, images.test])
    assert (every - expected).abs().mean((1, 2, 3)).min() < 0.02
