"""Public sets, by torchvision's own classes, on tiny files of the original formats that these
tests write, and in addition on the original files where they are at hand."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import os
import pickle
import shutil
import socket
import sys
import tarfile
import threading
import time
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tqdm import tqdm

from vae_course.data import DamagedFileError, DataNotFoundError, load_images
from vae_course.data.stored import files as public_files
from vae_course.data.stored import folder as picture_folder
from vae_course.data.stored import public_sets
from vae_course.data.stored.torchvision_import import import_torchvision

datasets = import_torchvision().datasets
KINDS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def real_root(*files):
    """A folder with these original files, if this machine has one."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    roots = [beside, Path(os.environ.get("VAE_COURSE_DATA") or beside)]
    return next((root for root in roots if all((root / f).is_file() for f in files)), None)


REAL_MNIST = {
    name: real_root(*(f"{folder}/raw/{kind}-ubyte.gz" for kind in KINDS))
    for name, folder in CLASSES.items()
}
REAL_CIFAR = real_root(*(f"cifar-10-batches-py/{f}" for f in ("data_batch_1", "test_batch")))


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch, tmp_path_factory):
    for name in ("VAE_COURSE_DATA", "VAE_COURSE_DIGITS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("user")))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def no_network(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr(urllib.request, "urlopen", fail)


def md5(content):
    return hashlib.md5(content).hexdigest()


def snapshot(root):
    """Every file and folder below root, with what would show that it was touched."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_mode, path.is_file() and path.read_bytes())
        for path in [root, *root.rglob("*")]
    }


@contextlib.contextmanager
def not_to_be_written(root):
    """Nothing changes in `root`, which is read-only too (though that does not stop root users)."""
    for path in root.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(root)
    yield
    assert snapshot(root) == before
    for path in root.rglob("*"):
        path.chmod(0o755)


# ---- MNIST and Fashion-MNIST


class MnistFiles:
    """The four files of a set, packed and unpacked, as bytes."""

    def __init__(self, name, packed):
        self.name, self.folder = name, f"{CLASSES[name]}/raw"
        self.packed = packed
        self.unpacked = {f.removesuffix(".gz"): gzip.decompress(c) for f, c in packed.items()}

    def write(self, root, *, packed=(), unpacked=()):
        """Write the files of these numbers (0 to 3) and return root."""
        raw = root / self.folder
        raw.mkdir(parents=True, exist_ok=True)
        for numbers, files in ((packed, self.packed), (unpacked, self.unpacked)):
            for i in numbers:
                name = list(files)[i]
                (raw / name).write_bytes(files[name])
        return root

    def parsed(self, part):
        """Images and labels read by numpy alone."""
        images, labels = (
            np.frombuffer(self.unpacked[f"{part}-{kind}-ubyte"], np.uint8)
            for kind in ("images-idx3", "labels-idx1")
        )
        return images[16:].reshape(-1, 1, 28, 28), labels[8:].astype(np.int64)


def tiny_mnist(name, rng):
    def idx(array):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes(), mtime=0)

    contents = []
    for count in (50, 20):
        contents.append(idx(rng.integers(0, 256, (count, 28, 28), np.uint8)))
        contents.append(idx(rng.integers(0, 10, count, np.uint8)))
    names = [f"{kind}-ubyte.gz" for kind in KINDS]
    return MnistFiles(name, dict(zip(names, contents, strict=True)))


@functools.cache
def original_mnist(name):
    raw = REAL_MNIST[name] / CLASSES[name] / "raw"
    names = [f"{kind}-ubyte.gz" for kind in KINDS]
    return MnistFiles(name, {f: (raw / f).read_bytes() for f in names})


def known_to_torchvision(monkeypatch, files):
    """Let torchvision, and our table, take tiny files for the originals."""
    dataset = getattr(datasets, CLASSES[files.name])
    monkeypatch.setattr(dataset, "resources", [(f, md5(c)) for f, c in files.packed.items()])
    pairs = zip(files.packed.values(), files.unpacked.values(), strict=True)
    monkeypatch.setattr(public_sets, "UNPACKED_MD5", {md5(p): md5(u) for p, u in pairs})
    # no test may reach the real servers by accident
    monkeypatch.setattr(dataset, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture
def tiny(monkeypatch):
    files = tiny_mnist("mnist", np.random.default_rng(0))
    known_to_torchvision(monkeypatch, files)
    return files


TINY = [("tiny", name) for name in CLASSES]
ORIGINAL = [("original", "mnist")] * bool(REAL_MNIST["mnist"])


@pytest.fixture(params=TINY + ORIGINAL, ids="-".join)
def mnist_files(request, monkeypatch):
    kind, name = request.param
    if kind == "original":
        return original_mnist(name)
    files = tiny_mnist(name, np.random.default_rng(0))
    known_to_torchvision(monkeypatch, files)
    return files


def check_whole(files, images):
    for part, pictures, labels in (
        ("train", images.train, images.train_labels),
        ("t10k", images.test, images.test_labels),
    ):
        true_pictures, true_labels = files.parsed(part)
        assert pictures.dtype == torch.float32 and pictures.is_contiguous()
        assert labels.dtype == torch.int64
        assert pictures.min() == 0 and pictures.max() == 1
        assert np.array_equal((pictures * 255).round_().byte().numpy(), true_pictures)
        assert np.array_equal(labels.numpy(), true_labels)


# The originals are packed where they lie, and tried there, below.
FORMS = [(files, "packed") for files in TINY] + [(files, "unpacked") for files in TINY + ORIGINAL]


@pytest.mark.parametrize(
    "mnist_files, form",
    FORMS,
    indirect=["mnist_files"],
    ids=lambda v: v if str(v) == v else "-".join(v),
)
def test_mnist_from_a_folder_that_is_not_written(
    tmp_path, monkeypatch, no_network, mnist_files, form
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    root = mnist_files.write(tmp_path / "root", **{form: range(4)})
    with not_to_be_written(root):
        check_whole(mnist_files, load_images(mnist_files.name, root=root))
    assert list(temporary.iterdir()) == []  # what was unpacked is gone


@pytest.mark.parametrize("packed", [(0, 3), (0, 1, 2, 3)])
def test_mnist_of_which_some_files_are_unpacked(tmp_path, no_network, tiny, packed):
    root = tiny.write(tmp_path / "root", packed=packed, unpacked=(1, 2))
    with not_to_be_written(root):
        check_whole(tiny, load_images("mnist", root=root))


@pytest.mark.parametrize("name", [name for name, root in REAL_MNIST.items() if root] or ["tiny"])
def test_the_original_files_where_they_lie(tmp_path, monkeypatch, no_network, name):
    if name == "tiny":  # there are no originals on this machine
        name, files = "mnist", tiny_mnist("mnist", np.random.default_rng(1))
        known_to_torchvision(monkeypatch, files)
        root, sizes = files.write(tmp_path, packed=range(4)), (50, 20)
    else:
        files, root, sizes = (
            original_mnist(name),
            REAL_MNIST[name],
            public_sets.ORIGINAL_SIZES[name],
        )
    before = snapshot(root / files.folder)
    images = load_images(name, root=root)
    check_whole(files, images)
    assert (len(images.train), len(images.test)) == sizes
    assert snapshot(root / files.folder) == before


def test_labels_stay_with_their_images(tmp_path, mnist_files):
    root = mnist_files.write(tmp_path, packed=range(4))
    n = 30 if len(mnist_files.parsed("train")[0]) == 50 else 3000
    images = load_images(mnist_files.name, n_train=n, n_test=15, seed=5, root=root)
    for part, pictures, labels in (
        ("train", images.train, images.train_labels),
        ("t10k", images.test, images.test_labels),
    ):
        true_pictures, true_labels = mnist_files.parsed(part)
        label_of = dict(zip(map(bytes, true_pictures), true_labels, strict=True))
        chosen = (pictures * 255).round().byte().numpy()
        assert [label_of[bytes(picture)] for picture in chosen] == labels.tolist()
    assert (len(images.train), len(images.test)) == (n, 15)


def truncated(content):
    return content[: len(content) * 2 // 3]


def altered(content):
    """One pixel or label is different: nothing that a parser would notice."""
    place = len(content) - 9
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("harm", [truncated, altered])
@pytest.mark.parametrize("form", ["packed", "unpacked"])
@pytest.mark.parametrize("number", [0, 3])
def test_a_damaged_file_is_named_and_left_alone(
    tmp_path, no_network, mnist_files, form, harm, number
):
    root = mnist_files.write(tmp_path, **{form: range(4)})
    file = sorted((root / mnist_files.folder).iterdir())[number]
    file.write_bytes(harm(file.read_bytes()))
    with not_to_be_written(root), pytest.raises(DamagedFileError, match="[Dd]elete") as caught:
        load_images(mnist_files.name, root=root)
    assert str(file) in str(caught.value) and isinstance(caught.value, OSError)


def test_a_damaged_file_is_named_even_where_others_are_missing(tmp_path, no_network, tiny):
    root = tiny.write(tmp_path, packed=[1])
    file = root / tiny.folder / "train-labels-idx1-ubyte.gz"
    file.write_bytes(altered(file.read_bytes()))
    with pytest.raises(DamagedFileError, match="train-labels"):
        load_images("mnist", root=root)


def test_an_intact_packed_file_replaces_a_damaged_unpacked_one(tmp_path, no_network, tiny):
    """As torchvision leaves it when it is stopped while unpacking."""
    root = tiny.write(tmp_path, packed=range(4), unpacked=range(4))
    file = root / tiny.folder / "train-images-idx3-ubyte"
    file.write_bytes(truncated(file.read_bytes()))
    with not_to_be_written(root):
        check_whole(tiny, load_images("mnist", root=root))


def test_a_processed_file_of_old_torchvision_is_not_trusted(tmp_path, no_network, tiny):
    root = tiny.write(tmp_path, unpacked=range(4))
    (root / "MNIST" / "processed").mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(1, 28, 28), torch.zeros(1)), root / "MNIST" / "processed" / name)
    check_whole(tiny, load_images("mnist", root=root))


# ---- what is not found


@pytest.mark.parametrize("name", public_sets.ORIGINAL_SIZES)
def test_not_found_says_what_where_and_how_to_go_on(tmp_path, monkeypatch, no_network, name):
    monkeypatch.setenv("VAE_COURSE_DATA", str(tmp_path / "mine"))
    with pytest.raises(DataNotFoundError) as caught:
        load_images(name, download=False)
    text = str(caught.value)
    file = {"cifar10": "cifar-10-batches-py/data_batch_5", "celeba": "celeba/list_attr_celeba.txt"}
    expected = file.get(name) or f"{CLASSES[name]}/raw/t10k-labels-idx1-ubyte[.gz]"
    folders = [str(tmp_path / "mine"), str(public_files._cache_folder())]
    for words in (name, expected, *folders, "VAE_COURSE_DATA", 'load_images("digits")', "http"):
        assert words in text
    assert isinstance(caught.value, FileNotFoundError)
    assert not (tmp_path / "mine").exists()


def test_one_missing_file_is_missed(tmp_path, no_network, tiny):
    root = tiny.write(tmp_path, packed=(0, 1, 2))
    with not_to_be_written(root), pytest.raises(DataNotFoundError):
        load_images("mnist", root=root, download=False)


def test_the_advice_where_digits_means_mnist(tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("VAE_COURSE_DIGITS", "mnist")
    with pytest.raises(DataNotFoundError, match="unset VAE_COURSE_DIGITS"):
        load_images(root=tmp_path, download=False)


def test_roots_are_searched_in_order(tmp_path, monkeypatch, no_network, tiny):
    cache = tiny.write(public_files._cache_folder(), packed=range(4))
    assert len(load_images("mnist").train) == 50
    named = tmp_path / "named"
    monkeypatch.setenv("VAE_COURSE_DATA", str(named))
    assert public_files.search_roots() == [named, cache]
    assert len(load_images("mnist").train) == 50  # nothing in the first one yet
    tiny.write(named, packed=range(4))
    shutil.rmtree(cache)
    assert len(load_images("mnist").train) == 50
    with pytest.raises(DataNotFoundError) as caught:  # a given root is the only one
        load_images("mnist", root=tmp_path / "given", download=False)
    assert str(named) not in str(caught.value) and str(tmp_path / "given") in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "chosen/vae_course"),
        ("linux", None, "home/.cache/vae_course"),
        ("darwin", None, "home/Library/Caches/vae_course"),
        ("darwin", "XDG_CACHE_HOME", "chosen/vae_course"),
        ("win32", "LOCALAPPDATA", "chosen/vae_course"),
        ("win32", None, "home/AppData/Local/vae_course"),
    ],
)
def test_the_cache_folder(tmp_path, monkeypatch, platform, variable, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert public_files.search_roots() == [tmp_path / expected]


# ---- downloads


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class CutHandler(Handler):
    """Promises whole files, sends a half of each, and hangs up."""

    def copyfile(self, source, outputfile):
        content = source.read()
        outputfile.write(content[: len(content) // 2])


@contextlib.contextmanager
def served(folder, handler=Handler):
    """The address at which the files of `folder` are served."""
    handler = functools.partial(handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def silent():
    """The address of a server that accepts whoever calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.slow
def test_no_answer_is_reported_within_ten_seconds(tmp_path, monkeypatch, tiny):
    with silent() as mute:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [mute])
        start = time.monotonic()
        with pytest.raises(DataNotFoundError, match='load_images."digits"') as caught:
            load_images("mnist", root=tmp_path / "root")
        assert time.monotonic() - start < 10
    assert mute in str(caught.value) and caught.value.__cause__ is not None
    assert not (tmp_path / "root").exists()


def test_a_name_server_that_hangs_does_not_hang_us(tmp_path, monkeypatch, tiny):
    released = threading.Event()

    def hang(*_, **__):
        released.wait(60)
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    monkeypatch.setattr(public_files, "ANSWER_WITHIN", 0.3)
    start = time.monotonic()
    with pytest.raises(DataNotFoundError, match="no answer"):
        load_images("mnist", root=tmp_path)
    released.set()
    assert time.monotonic() - start < 3


def test_a_refusal_is_reported_at_once(tmp_path, monkeypatch, tiny):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/", "http://127.0.0.1:9/b"])
    start = time.monotonic()
    with pytest.raises(DataNotFoundError, match="127.0.0.1:9"):
        load_images("mnist", root=tmp_path)
    assert time.monotonic() - start < 3


def test_mnist_is_downloaded_once_from_the_server_that_answers(tmp_path, monkeypatch, tiny):
    server_folder = tiny.write(tmp_path / "server", packed=range(4)) / tiny.folder
    before = socket.getdefaulttimeout()
    with silent() as mute, served(server_folder) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [mute, address])
        start = time.monotonic()
        check_whole(tiny, load_images("mnist", root=tmp_path / "new" / "root"))
        assert time.monotonic() - start < 5  # the first server was not waited for
    root = tmp_path / "new" / "root"
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    with not_to_be_written(root):
        check_whole(tiny, load_images("mnist", root=root))  # now without a server
    assert socket.getdefaulttimeout() == before


def test_a_proxy_is_used_where_one_is_set(tmp_path, monkeypatch, tiny):
    class Proxy(Handler):
        def translate_path(self, address):
            return super().translate_path(address.removeprefix("http://nowhere.invalid"))

    with served(tiny.write(tmp_path, packed=range(4)) / tiny.folder, Proxy) as address:
        monkeypatch.setenv("http_proxy", address)
        monkeypatch.setattr(urllib.request, "_opener", None)  # it knows the proxies of the past
        monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://nowhere.invalid/"])
        check_whole(tiny, load_images("mnist", root=tmp_path / "root"))


def test_download_into_the_first_folder_that_can_be_written(tmp_path, monkeypatch, tiny):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VAE_COURSE_DATA", str(tmp_path / "file" / "below"))
    with served(tiny.write(tmp_path, packed=range(4)) / tiny.folder) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        check_whole(tiny, load_images("mnist"))
        assert (public_files._cache_folder() / tiny.folder).is_dir()
        with pytest.raises(DataNotFoundError, match="can be written"):
            load_images("mnist", root=tmp_path / "file" / "below")


def test_a_download_leaves_files_that_are_there_alone(tmp_path, monkeypatch, tiny):
    root = tiny.write(tmp_path / "root", packed=[0], unpacked=[3])
    before = {path: value for path, value in snapshot(root).items() if path.is_file()}
    with served(tiny.write(tmp_path, packed=range(4)) / tiny.folder) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        check_whole(tiny, load_images("mnist", root=root))
    after = snapshot(root)
    assert len(before) == 2 and all(after[path] == value for path, value in before.items())


@pytest.mark.parametrize("fault", ["cut", "altered", "one missing"])
def test_a_failed_download_leaves_nothing(tmp_path, monkeypatch, tiny, fault):
    server_folder = tiny.write(tmp_path / "server", packed=range(4)) / tiny.folder
    last = server_folder / "t10k-labels-idx1-ubyte.gz"
    if fault == "altered":
        last.write_bytes(altered(last.read_bytes()))
    elif fault == "one missing":
        last.unlink()
    root = tmp_path / "root"
    root.mkdir()
    with served(server_folder, CutHandler if fault == "cut" else Handler) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        with pytest.raises(DataNotFoundError) as caught:
            load_images("mnist", root=root)
    assert isinstance(caught.value.__cause__, RuntimeError)  # torchvision's own
    assert list(root.rglob("*")) == []


def test_an_interrupted_download_leaves_nothing(tmp_path, monkeypatch, tiny):
    extract = datasets.mnist.download_and_extract_archive

    def interrupted(url, **keywords):
        extract(url, **keywords)
        if "t10k-images" in url:
            raise KeyboardInterrupt

    monkeypatch.setattr(datasets.mnist, "download_and_extract_archive", interrupted)
    root = tmp_path / "root"
    root.mkdir()
    with served(tiny.write(tmp_path, packed=range(4)) / tiny.folder) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        with pytest.raises(KeyboardInterrupt):
            load_images("mnist", root=root)
    assert list(root.rglob("*")) == []


def test_a_download_that_stalls_is_given_up(tmp_path, monkeypatch, tiny):
    released = threading.Event()

    class Stalling(Handler):
        def do_GET(self):
            released.wait(20)

    monkeypatch.setattr(public_files, "STALLED_AFTER", 0.3)
    start = time.monotonic()
    with served(tiny.write(tmp_path, packed=range(4)) / tiny.folder, Stalling) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        with pytest.raises(DataNotFoundError):
            load_images("mnist", root=tmp_path / "root")
        assert time.monotonic() - start < 10
        released.set()


# ---- CIFAR-10


@pytest.fixture
def tiny_cifar(monkeypatch, tmp_path):
    """A root with five batches of 8 pictures and a test batch of 6, known to torchvision."""
    folder = tmp_path / "root" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, md5((folder / name).read_bytes())]

    def batch(count):
        pixels = rng.integers(0, 256, (count, 3072), np.uint8)
        return {"data": pixels, "labels": rng.integers(0, 10, count).tolist()}

    cifar = datasets.CIFAR10
    batches = [write(f"data_batch_{i}", batch(8)) for i in range(1, 6)]
    monkeypatch.setattr(cifar, "train_list", batches)
    monkeypatch.setattr(cifar, "test_list", [write("test_batch", batch(6))])
    name, meta_md5 = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(cifar, "meta", {"filename": name, "key": "label_names", "md5": meta_md5})
    monkeypatch.setattr(cifar, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    return tmp_path / "root"


def parsed_cifar(root, *batches):
    contents = [
        pickle.loads((root / "cifar-10-batches-py" / name).read_bytes(), encoding="latin1")
        for name in batches
    ]
    pixels = np.concatenate([content["data"] for content in contents]).reshape(-1, 3, 32, 32)
    return pixels, sum((content["labels"] for content in contents), [])


def check_cifar(root, images, *batches):
    for pictures, labels, names in (
        (images.train, images.train_labels, batches),
        (images.test, images.test_labels, ["test_batch"]),
    ):
        true_pictures, true_labels = parsed_cifar(root, *names)
        assert pictures.is_contiguous() and pictures.dtype == torch.float32
        np.testing.assert_array_equal((pictures * 255).round().byte().numpy(), true_pictures)
        assert labels.dtype == torch.int64 and labels.tolist() == true_labels


def test_cifar10_whole(tiny_cifar, no_network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with not_to_be_written(tiny_cifar):
            images = load_images("cifar10", root=tiny_cifar)
    check_cifar(tiny_cifar, images, *(f"data_batch_{i}" for i in range(1, 6)))


def test_cifar10_with_some_of_its_batches(tiny_cifar, no_network):
    folder = tiny_cifar / "cifar-10-batches-py"
    for i in (1, 3, 4):
        (folder / f"data_batch_{i}").unlink()
    with pytest.warns(UserWarning) as caught:
        images = load_images("cifar10", root=tiny_cifar)
    check_cifar(tiny_cifar, images, "data_batch_2", "data_batch_5")
    (warning,) = caught
    assert "2 of the 5" in str(warning.message) and "16 images" in str(warning.message)
    assert warning.filename == __file__  # it points at the call of load_images
    with pytest.raises(ValueError, match="n_train must be .* 16, "), pytest.warns(UserWarning):
        load_images("cifar10", n_train=17, root=tiny_cifar)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
@pytest.mark.parametrize("harm", [truncated, altered])
def test_a_damaged_cifar_file_is_named(tiny_cifar, no_network, name, harm):
    file = tiny_cifar / "cifar-10-batches-py" / name
    file.write_bytes(harm(file.read_bytes()))
    with not_to_be_written(tiny_cifar), pytest.raises(DamagedFileError) as caught:
        load_images("cifar10", root=tiny_cifar)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("missing", [["test_batch"], ["batches.meta"], ["data_batch_*"]])
def test_what_cifar10_cannot_do_without(tiny_cifar, no_network, missing):
    for pattern in missing:
        for file in (tiny_cifar / "cifar-10-batches-py").glob(pattern):
            file.unlink()
    with pytest.raises(DataNotFoundError):
        load_images("cifar10", root=tiny_cifar, download=False)


def test_cifar10_is_downloaded(tiny_cifar, tmp_path, monkeypatch):
    (tmp_path / "server").mkdir()
    archive = tmp_path / "server" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tiny_cifar / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive.read_bytes()))
    with served(archive.parent) as address:
        monkeypatch.setattr(datasets.CIFAR10, "url", address + archive.name)
        images = load_images("cifar10", root=tmp_path / "new")
    check_cifar(tiny_cifar, images, *(f"data_batch_{i}" for i in range(1, 6)))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cifar-10-batches-py"]


def test_the_original_cifar10(request):
    root = REAL_CIFAR or request.getfixturevalue("tiny_cifar")
    present = [f"data_batch_{i}" for i in range(1, 6)]
    present = [name for name in present if (root / "cifar-10-batches-py" / name).is_file()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images("cifar10", root=root)
    assert len(caught) == (len(present) < 5)
    check_cifar(root, images, *present)


# ---- CelebA

PARTS = [0] * 10 + [1] * 3 + [2] * 6  # train, validation, test


@pytest.fixture
def tiny_celeba(monkeypatch, tmp_path):
    """A root with 19 pictures of 178x218: inside the central 148x148 of a grey of their own, and
    white around it. Attribute k of picture i is bit k of i."""
    folder = tmp_path / "root" / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06}.jpg" for i in range(len(PARTS))]
    attributes = [f"attribute_{k}" for k in range(40)]
    for i, name in enumerate(names):
        picture = np.full((218, 178, 3), 255, np.uint8)
        picture[35:183, 15:163] = 10 * i
        Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=100)

    def text(rows, *header):
        lines = [
            f"{name}  {' '.join(map(str, row))}" for name, row in zip(names, rows, strict=True)
        ]
        return "\n".join([*header, *lines]) + "\n"

    signs = [[1 if i >> k & 1 else -1 for k in range(40)] for i in range(len(PARTS))]
    texts = {
        "list_attr_celeba.txt": text(signs, str(len(PARTS)), " ".join(attributes) + " "),
        "identity_CelebA.txt": text([[i] for i in range(len(PARTS))]),
        "list_bbox_celeba.txt": text([[0] * 4] * len(PARTS), "19", "image_id x y w h"),
        "list_landmarks_align_celeba.txt": text([[0] * 10] * len(PARTS), "19", "a b c d e"),
        "list_eval_partition.txt": text([[part] for part in PARTS]),
    }
    for name, content in texts.items():
        (folder / name).write_text(content)
    files = [("id", md5(content.encode()), name) for name, content in texts.items()]
    zipped = [("id", "0" * 32, "img_align_celeba.zip")]
    monkeypatch.setattr(datasets.CelebA, "file_list", zipped + files)
    return tmp_path / "root"


def numbers_of(pictures):
    """Which picture each one is, by its grey; it has to be that grey all over."""
    assert pictures.flatten(1).std(1).max() < 0.01  # nothing of the white border
    return [round(level * 25.5) for level in pictures.mean((1, 2, 3)).tolist()]


def test_celeba(tiny_celeba, no_network):
    with not_to_be_written(tiny_celeba):
        images = load_images("celeba", root=tiny_celeba)
    assert images.train.shape == (10, 3, 64, 64) and images.test.shape == (6, 3, 64, 64)
    assert images.train.dtype == torch.float32 and images.train_labels is None
    assert numbers_of(images.train) == [*range(10)] and numbers_of(images.test) == [*range(13, 19)]
    assert list(images.test_factors) == [f"attribute_{k}" for k in range(40)]
    for k, values in enumerate(images.test_factors.values()):
        assert values.dtype == torch.int64
        assert values.tolist() == [i >> k & 1 for i in range(13, 19)]


def test_only_the_chosen_faces_are_read(tiny_celeba, no_network):
    images = load_images("celeba", n_train=4, n_test=2, seed=3, root=tiny_celeba)
    chosen = numbers_of(images.train)
    assert [int(value) for value in images.train_factors["attribute_0"]] == [i & 1 for i in chosen]
    for i in set(range(19)) - {*chosen, *numbers_of(images.test)}:
        (tiny_celeba / "celeba" / "img_align_celeba" / f"{i + 1:06}.jpg").unlink()
    again = load_images("celeba", n_train=4, n_test=2, seed=3, root=tiny_celeba)
    assert torch.equal(again.train, images.train)


def test_many_pictures_show_a_passing_progress_bar(tiny_celeba, monkeypatch, capsys):
    load_images("celeba", root=tiny_celeba)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(picture_folder, "MANY", 6)
    # `make test` sets TQDM_DISABLE, which the bar heeds.
    monkeypatch.setattr(picture_folder, "tqdm", functools.partial(tqdm, disable=False))
    load_images("celeba", root=tiny_celeba)
    shown = capsys.readouterr().err
    assert "0/10" in shown and shown.endswith(" \r")  # wiped out at the end


def test_damaged_celeba_files_are_named(tiny_celeba, no_network):
    picture = tiny_celeba / "celeba" / "img_align_celeba" / "000002.jpg"
    picture.write_bytes(truncated(picture.read_bytes()))
    with pytest.raises(DamagedFileError, match="000002.jpg"):
        load_images("celeba", root=tiny_celeba)
    text = tiny_celeba / "celeba" / "list_attr_celeba.txt"
    text.write_text(text.read_text().replace("-1", " 1", 1))
    with pytest.raises(DamagedFileError, match="list_attr_celeba.txt"):
        load_images("celeba", root=tiny_celeba)


def test_celeba_without_pictures_is_missing(tiny_celeba, no_network):
    shutil.rmtree(tiny_celeba / "celeba" / "img_align_celeba")
    with pytest.raises(DataNotFoundError, match="img_align_celeba"):
        load_images("celeba", root=tiny_celeba, download=False)


def test_a_refused_download_of_celeba(tmp_path, monkeypatch):
    """Google Drive often refuses; then there is a way by hand."""

    def refuse(file_id, root, *_):
        Path(root).mkdir(parents=True)
        (Path(root) / "half").write_text("half of a file")
        raise RuntimeError("quota exceeded")

    monkeypatch.setattr(datasets.celeba, "download_file_from_google_drive", refuse)
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server") as address:
        monkeypatch.setattr(public_sets._CelebA, "urls", [address])
        with pytest.raises(DataNotFoundError, match="quota exceeded") as caught:
            load_images("celeba", root=tmp_path / "root")
    assert "mmlab.ie.cuhk.edu.hk" in str(caught.value) and "img_align_celeba.zip" in str(
        caught.value
    )
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert list((tmp_path / "root").iterdir()) == []


def test_celeba_is_downloaded(tiny_celeba, tmp_path, monkeypatch):
    """With Google Drive replaced by the tiny files, zipped."""
    folder = tiny_celeba / "celeba"
    shutil.make_archive(str(folder / "img_align_celeba"), "zip", folder, "img_align_celeba")

    def fetch(file_id, root, filename, md5):
        Path(root).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / filename, Path(root) / filename)

    monkeypatch.setattr(datasets.celeba, "download_file_from_google_drive", fetch)
    with served(tiny_celeba) as address:
        monkeypatch.setattr(public_sets._CelebA, "urls", [address])
        images = load_images("celeba", root=tmp_path / "new")
    assert torch.equal(images.train, load_images("celeba", root=tiny_celeba).train)
    assert not (tmp_path / "new" / "celeba" / "img_align_celeba.zip").exists()  # 1.4 GB
