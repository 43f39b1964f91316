"""Notebooks run before the build: does the build find them, and is an error seen?"""

from pathlib import Path
from types import SimpleNamespace

import execute
import nbformat
import pytest
from jupyter_cache import get_cache
from myst_nb.core.execute.cache import NotebookClientCache

pytestmark = pytest.mark.slow


def write(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


class Unexpected(Exception):
    pass


def refuse(*_, **__):
    raise Unexpected


@pytest.fixture
def good(tmp_path):
    return write(tmp_path / "good.ipynb", "from pathlib import Path", "print(6 * 7, Path.cwd())")


def as_in_a_build(path, folder):
    """What MyST-NB makes of a notebook."""
    how = {"mode": "cache", "in_temp": False, "allow_errors": False, "timeout": 60}
    how["cache_path"] = str(folder)
    config = SimpleNamespace(**{f"execution_{name}": value for name, value in how.items()})
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClientCache(notebook, path, config, SimpleNamespace(info=print))
    client.start_client()
    return client.notebook.cells[-1].outputs[0].text


def test_the_build_finds_it(good, tmp_path, monkeypatch):
    assert execute.execute([good], tmp_path / "cache", timeout=60) == {}
    monkeypatch.setattr("myst_nb.core.execute.cache.single_nb_execution", refuse)
    text = as_in_a_build(good, tmp_path / "cache")
    assert text == f"42 {tmp_path}\n"  # in its folder
    with pytest.raises(Unexpected):
        as_in_a_build(write(good, "print(1)"), tmp_path / "cache")


def test_only_new_code_is_run(good, tmp_path, monkeypatch, capsys):
    execute.execute([good], tmp_path / "cache", timeout=60)
    assert "good.ipynb" in capsys.readouterr().out
    notebook = nbformat.read(good, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# New words"))
    nbformat.write(notebook, good)
    monkeypatch.setattr("execute.single_nb_execution", refuse)
    assert execute.execute([good], tmp_path / "cache", timeout=60) == {}
    assert capsys.readouterr().out == ""
    assert [*execute.execute([write(good, "2")], tmp_path / "cache", timeout=60)] == [good]


def test_an_error_is_told_with_its_cell_and_the_others_run(good, tmp_path, capsys):
    bad = write(tmp_path / "bad.ipynb", "wanted = 3", "assert wanted == 4, 'claimed'")
    (error,) = execute.execute([bad, good], tmp_path / "cache", timeout=60).values()
    assert "assert wanted == 4" in error and "AssertionError: claimed" in error
    assert "\x1b" not in error  # no colours
    cache = get_cache(tmp_path / "cache")
    assert [Path(record.uri).name for record in cache.list_cache_records()] == ["good.ipynb"]
    assert "bad.ipynb FAILED" in capsys.readouterr().out


def test_a_cell_that_does_not_end_is_an_error(tmp_path):
    path = write(tmp_path / "long.ipynb", "import time; time.sleep(60)")
    (error,) = execute.execute([path], tmp_path / "cache", timeout=1).values()
    assert error.startswith("CellTimeoutError")


def test_a_kernel_that_dies_is_an_error(tmp_path):
    path = write(tmp_path / "dead.ipynb", "import os; os._exit(1)")
    (error,) = execute.execute([path], tmp_path / "cache", timeout=60).values()
    assert error.startswith("DeadKernelError")
