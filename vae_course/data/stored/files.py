"""The files of public sets: where they may be, whether they are intact, how they are fetched."""

import contextlib
import os
import queue
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from vae_course.data.stored.torchvision_import import import_torchvision

ANSWER_WITHIN = 6.0  # seconds, for a server to show that it is there
STALLED_AFTER = 30.0  # seconds without a byte, after which a download is given up


class DamagedFileError(OSError):
    """A file is there but truncated, altered or unreadable. The message names it."""


class DataNotFoundError(FileNotFoundError):
    """A public set is in none of the folders searched, and was not downloaded."""


def search_roots(root: str | os.PathLike | None = None) -> list[Path]:
    """The folders in which public sets are looked for, in this order: only `root`, if given; else
    the one that the environment variable VAE_COURSE_DATA names, and the user's cache folder."""
    if root is not None:
        return [Path(root).expanduser()]
    named = os.environ.get("VAE_COURSE_DATA")
    return ([Path(named).expanduser()] if named else []) + [_cache_folder()]


def _cache_folder():
    if sys.platform == "win32":
        usual, chosen = Path.home() / "AppData" / "Local", os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        usual, chosen = Path.home() / "Library" / "Caches", os.environ.get("XDG_CACHE_HOME")
    else:
        usual, chosen = Path.home() / ".cache", os.environ.get("XDG_CACHE_HOME")
    return Path(chosen or usual) / "vae_course"


def intact(*versions: tuple[Path, str]) -> Path | None:
    """The first of the `versions` (path, md5) of a file that has its md5; None if none is there.

    Raises DamagedFileError if there are some, but none as it should be.
    """
    check = import_torchvision().datasets.utils.check_integrity
    present = [(path, md5) for path, md5 in versions if path.is_file()]
    for path, md5 in present:
        if check(path, md5):
            return path
    if not present:
        return None
    raise DamagedFileError(
        f"{present[0][0]} is damaged: it was cut short or altered, since its md5 is not "
        f"{present[0][1]}. Delete it and load again, or put an intact copy in its place."
    )


def what_to_do(name: str, source, roots: list[Path], problem) -> str:
    """The text of a DataNotFoundError: what was looked for, where, and how to go on."""
    folders = "".join(f"\n  {root}" for root in roots)
    files = "".join(f"\n  {source.folder}/{file}" for file in source.files)
    unset = " (unset VAE_COURSE_DIGITS first)" if os.environ.get("VAE_COURSE_DIGITS") else ""
    return (
        f"{name} was not found. Searched the folders{folders}\nfor the files{files}\n"
        f"Download: {problem}.\nTo go on, get the files elsewhere, for example from\n"
        f"  {source.origin}\nand put them, in folders named as above, into one of the folders "
        "searched, or set the environment variable VAE_COURSE_DATA to the folder that you put "
        f'them in. Or use load_images("digits"), which needs no files{unset}.'
    )


def download_into(
    roots: list[Path], folder: str, urls: list[str], fetch: Callable[[str, str], None]
) -> Path:
    """Download `folder` into the first of `roots` that can be written, and return that root.

    `fetch(temporary, url)` writes `folder` into the path `temporary`, from the server of `url`,
    the first of `urls` to answer. Only when it is done are its files moved into place, so that an
    interrupted download leaves nothing behind; a file that is already there stays as it is.

    Raises ConnectionError if no url answers within `ANSWER_WITHIN` seconds, PermissionError if no
    root can be written, and whatever `fetch` raises.
    """
    url = _first_to_answer(urls)
    root, temporary = _temporary_folder_in(roots)
    with temporary as place, _giving_up_when_stalled():
        fetch(place, url)
        _move_missing(Path(place, folder), root / folder)
    return root


def _first_to_answer(urls):
    """The first url whose server answers. All are asked at once, in threads that nobody awaits,
    because a name that cannot be resolved may hang far longer than any timeout."""
    answers = queue.SimpleQueue()
    for url in urls:
        threading.Thread(target=_ask, args=(url, answers), daemon=True).start()
    until = time.monotonic() + ANSWER_WITHIN
    problems = []
    with contextlib.suppress(queue.Empty):
        for _ in urls:
            url, problem = answers.get(timeout=max(0.0, until - time.monotonic()))
            if problem is None:
                return url
            problems.append(f"{url}: {problem}")
    raise ConnectionError("; ".join(problems) or f"no answer from {urls} in {ANSWER_WITHIN:g} s")


def _ask(url, answers):
    try:
        request = urllib.request.Request(url, method="HEAD")
        urllib.request.urlopen(request, timeout=ANSWER_WITHIN).close()
        answers.put((url, None))
    except Exception as problem:
        answers.put((url, problem))


def _temporary_folder_in(roots):
    """A temporary folder inside the first root that can be written, so that moving is renaming."""
    for root in roots:
        with contextlib.suppress(OSError):
            root.mkdir(parents=True, exist_ok=True)
            return root, tempfile.TemporaryDirectory(dir=root, prefix=".download-")
    raise PermissionError("none of these folders can be written")


@contextlib.contextmanager
def _giving_up_when_stalled():
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_AFTER)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _move_missing(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for entry in source.iterdir():
        if entry.suffix != ".zip" and not (target / entry.name).exists():
            os.replace(entry, target / entry.name)
