"""Pictures from .npz files, against arrays that the tests write."""

import numpy as np
import pytest
import torch

from vae_course.data import DamagedFileError, load_images
from vae_course.data.stored.npz import read_array

GREY = np.arange(5 * 16, dtype=np.uint8).reshape(5, 16) * 3


def saved(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


SHAPES = [((5, 16), (4, 4)), ((5, 2, 8), (2, 8)), ((5, 1, 8, 2), (8, 2))]


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_grey_pictures_keep_their_values_and_order(tmp_path, shape, size):
    path = saved(tmp_path, train=GREY.reshape(shape), test=GREY[:2].reshape(2, *shape[1:]))
    found = load_images(str(path))
    expected = torch.tensor(GREY / 255, dtype=torch.float32).reshape(5, 1, *size)
    torch.testing.assert_close(found.train, expected)
    torch.testing.assert_close(found.test, expected[:2])
    assert found.train_labels is None and found.train_factors is None and found.name == str(path)


def test_black_and_white_pictures_are_0_and_1(tmp_path):
    bits = (GREY > 100).astype(np.uint8)
    found = load_images(saved(tmp_path, train=bits, test=bits))
    assert torch.equal(found.train.flatten(1), torch.tensor(bits, dtype=torch.float32))


def test_a_part_is_drawn_by_seed(tmp_path):
    path = saved(tmp_path, train=GREY, test=GREY)
    parts = [load_images(path, n_train=3, seed=seed).train for seed in (0, 0, 1, 2)]
    assert len(parts[0]) == 3 and torch.equal(parts[0], parts[1])
    assert not all(torch.equal(parts[0], part) for part in parts[2:])
    with pytest.raises(ValueError, match="n_train must be .* 5, .* not 6"):
        load_images(path, n_train=6)


def test_any_array_of_the_file_can_be_read(tmp_path):
    colour = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 6), dtype=np.uint8)
    path = saved(tmp_path, valid=colour)
    assert torch.equal(read_array(path, "valid"), torch.tensor(colour))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (GREY / 255, "type uint8.*float64"),
        (GREY[:0], "type uint8"),
        (GREY[:, :15], r"\(N, pixels\) of squares, not \(5, 15\)"),
        (GREY[0], "of squares"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, array, says):
    with pytest.raises(ValueError, match=says):
        load_images(saved(tmp_path, train=array, test=array))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="no file .*own.npz"):
        load_images(tmp_path / "own.npz")
    with pytest.raises(ValueError, match="needs an array 'test', but has train"):
        load_images(saved(tmp_path, train=GREY))


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_file_cut_short(tmp_path, keep):
    path = saved(tmp_path, train=GREY, test=GREY)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFileError, match="own.npz cannot be read"):
        load_images(path)


def test_an_altered_file(tmp_path):
    path = saved(tmp_path, train=GREY, test=GREY)
    content = bytearray(path.read_bytes())
    content[content.index(GREY.tobytes()) + 7] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="own.npz cannot be read"):
        load_images(path)
