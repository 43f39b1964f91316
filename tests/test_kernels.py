"""A forked kernel is as one that starts by itself, but for what it need not import again."""

import json
import os
import sys

import kernels
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

pytestmark = pytest.mark.slow
LINUX = sys.platform == "linux"
ABOUT_ITSELF = """
import json, os, sys
import matplotlib
print(json.dumps({
    "folder": os.getcwd(),
    "wish": os.environ["WISH"],
    "path": sys.path,
    "module": __name__,
    "names": sorted(set(globals()) - {"matplotlib"}),
    "course": [name for name in sys.modules if name.startswith("vae_course")],
    "backend": matplotlib.get_backend(),
    "leads": os.getsid(0) == os.getpid(),
}))
print(os.getppid())
"""


def run(source, folder):
    """The lines that it prints."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    how = {"kernel_name": "python3", "config": kernels.by_files(), "timeout": 60}
    NotebookClient(notebook, **how).execute(cwd=str(folder))
    return notebook.cells[0].outputs[0].text.splitlines()


@pytest.fixture(scope="module")
def forking():
    with kernels.forked():
        yield


def test_a_forked_kernel_is_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("WISH", "first")
    by_itself, parent = run(ABOUT_ITSELF, tmp_path)
    assert int(parent) == os.getpid()
    with kernels.forked():
        monkeypatch.setenv("WISH", "second")
        forked, parent = run(ABOUT_ITSELF, tmp_path)
    assert json.loads(forked) == json.loads(by_itself) | {"wish": "second"}
    assert json.loads(forked)["folder"] == str(tmp_path)
    assert (int(parent) != os.getpid()) == LINUX


def test_torch_is_there_at_once(forking, tmp_path):
    source = "import time; t = time.process_time(); import torch; print(time.process_time() - t)"
    (seconds,) = run(source, tmp_path)
    assert (float(seconds) < 0.1) == LINUX  # about 1 by itself


def test_kernels_know_nothing_of_one_another(forking, tmp_path):
    run("import torch; torch.mine = 1; print(1)", tmp_path)
    assert run("import torch; print(hasattr(torch, 'mine'))", tmp_path) == ["False"]


def test_errors_and_ends_are_seen(forking, tmp_path):
    with pytest.raises(CellExecutionError, match="said"):
        run("raise ValueError('said')", tmp_path)
    with pytest.raises(DeadKernelError):
        run("import os; os._exit(3)", tmp_path)


def test_the_last_kernels_end_with_the_block(tmp_path):
    with kernels.forked():
        manager = kernels.ByFiles(kernel_name="python3")
        manager.start_kernel(cwd=str(tmp_path))
        number = manager.provisioner.pid
        os.kill(number, 0)  # it is there
    manager.cleanup_resources()
    if LINUX:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


def test_another_python_starts_by_itself(forking, tmp_path):
    manager = kernels.ByFiles(kernel_name="python3")
    manager.kernel_spec.argv = ["sleep", "60"]
    manager.start_kernel(cwd=str(tmp_path))
    try:
        assert not isinstance(manager.provisioner.process, kernels.Forked)
    finally:
        manager.shutdown_kernel(now=True)
