"""Run notebooks into the cache of the book, two at a time: python tools/execute.py NOTEBOOK…

`jupyter-book build` takes them from there, where by itself it would run one after the other. As in
a build, only those are run whose code is new. The first notebook comes first: name the longest one
there. An error is printed with its cell, and the others still run.
"""

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from kernels import by_files, forked

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "_build/.jupyter_cache"  # where Jupyter Book looks
COLOURS = re.compile(r"\x1b\[[\d;]*m")


def execute(paths: list[Path], folder: Path, *, timeout: int, at_once: int = 2) -> dict[Path, str]:
    """Run what the cache in `folder` does not have yet; returns path -> error, for those with one.

    A cell may take `timeout` seconds.
    """
    cache, failed = get_cache(folder), {}
    new = [path for path in paths if not _is_in(cache, path)]
    with ThreadPoolExecutor(at_once) as pool:  # a kernel is a process of its own
        running = {pool.submit(_run, path, timeout): path for path in new}
        for done in as_completed(running):
            path, result = running[done], done.result()
            print(f"{result.time:6.1f} s  {path.name}{' FAILED' * bool(result.err)}", flush=True)
            if result.err:
                failed[path] = COLOURS.sub("", f"{type(result.err).__name__}: {result.err}")
            else:
                took = {"execution_seconds": result.time}
                bundle = CacheBundleIn(result.nb, str(path), data=took)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return failed


def _is_in(cache, path):
    try:
        cache.match_cache_notebook(nbformat.read(path, as_version=4))
    except KeyError:
        return False
    return True


def _run(path, timeout):
    """As MyST-NB runs it: beside its file, with the same function."""
    notebook, folder = nbformat.read(path, as_version=4), str(path.parent)
    start = time.perf_counter()
    try:
        return single_nb_execution(notebook, folder, timeout, False, config=by_files())
    except Exception as error:  # no cell's error: a kernel that died, or did not start
        return ExecutionResult(notebook, folder, time.perf_counter() - start, error)


def main() -> int:
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    paths = [Path(name).resolve() for name in sys.argv[1:]]
    start = time.perf_counter()
    with forked():
        failed = execute(paths, CACHE, timeout=config["execute"]["timeout"])
    for path, error in failed.items():
        print(f"\n{path.relative_to(ROOT)} stopped:\n{error}")
    print(f"{len(paths)} notebooks, {len(failed)} failed, {time.perf_counter() - start:.0f} s")
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
