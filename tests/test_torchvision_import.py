import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from vae_course.data.stored import torchvision_import
from vae_course.data.stored.torchvision_import import import_torchvision

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_real_import_in_a_fresh_process():
    """Drawn digits do without torchvision. After that it imports, even where a plain import has
    just failed half-way, and the parts that the course uses work."""
    code = """
        import sys
        import torch
        from vae_course.data import load_images
        from vae_course.data.stored.torchvision_import import import_torchvision

        load_images("digits", n_train=2, n_test=1)
        assert "torchvision" not in sys.modules
        try:
            import torchvision
        except RuntimeError:
            assert not hasattr(torch.ops.torchvision, "nms")
        torchvision = import_torchvision()
        assert import_torchvision() is torchvision
        assert hasattr(torch.ops.torchvision, "nms") and hasattr(torch.ops.torchvision, "qnms")
        picture = torchvision.transforms.Resize(4, antialias=True)(torch.rand(3, 8, 8))
        print(torchvision.datasets.MNIST.__name__, *picture.shape)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert result.stdout == "MNIST 3 4 4\n", result.stderr


class RecordedLibrary:
    """Stands for torch.library.Library, and notes what is declared instead of declaring it."""

    declared = []

    def __init__(self, namespace, kind):
        self.namespace = namespace

    def define(self, signature):
        self.declared.append(f"{self.namespace}::{signature.split('(')[0]}")


def torchvision_modules():
    return {name: sys.modules[name] for name in sys.modules if name.startswith("torchvision")}


@pytest.fixture
def pretend(tmp_path, monkeypatch):
    """Puts a torchvision of our own before the real one; afterwards all is as it was."""
    before = torchvision_modules()
    for name in before:
        del sys.modules[name]
    monkeypatch.setattr(torch.library, "Library", RecordedLibrary)
    monkeypatch.setattr(RecordedLibrary, "declared", [])
    monkeypatch.setattr(torchvision_import, "_declarations", [])
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "part.py").write_text("print('part')")
    yield (tmp_path / "torchvision" / "__init__.py").write_text
    for name in torchvision_modules():
        del sys.modules[name]
    sys.modules.update(before)


def test_where_the_import_works_nothing_is_declared(pretend):
    pretend("healthy = True")
    assert import_torchvision().healthy
    assert RecordedLibrary.declared == []


@pytest.mark.parametrize("error", ["RuntimeError('another trouble')", "ImportError('none here')"])
def test_other_errors_pass_through(pretend, error):
    pretend(f"raise {error}")
    with pytest.raises(Exception) as caught:
        import_torchvision()
    assert repr(caught.value) == error and caught.value.__context__ is None
    assert RecordedLibrary.declared == []


def test_missing_operators_are_declared_and_the_whole_package_imported_again(pretend, capsys):
    pretend(
        "import torch.library, torchvision.part\n"
        "if not torch.library.Library.declared:\n"
        "    raise RuntimeError('operator torchvision::nms does not exist')"
    )
    import_torchvision()
    assert capsys.readouterr().out == "part\npart\n"  # nothing half imported was kept
    assert RecordedLibrary.declared == ["torchvision::nms", "torchvision::qnms"]
    assert len(torchvision_import._declarations) == 1  # kept alive


def test_an_import_that_fails_again_is_not_tried_forever(pretend):
    pretend("raise RuntimeError('operator torchvision::nms does not exist')")
    with pytest.raises(RuntimeError, match="nms"):
        import_torchvision()
