"""Kernels that are reached through files, not through TCP ports.

Jupyter picks a kernel's five ports before the kernel opens them. Where kernels start side by side,
one of them can find a port taken, and dies before its first cell.
"""

import tempfile
import uuid

import nbval.kernel
from jupyter_client import KernelManager
from traitlets.config import Config

FOLDER = tempfile.TemporaryDirectory(prefix="kernels-")


def by_files() -> Config:
    """The `config` of one nbclient.NotebookClient, or of one manager of a kernel."""
    place = f"{FOLDER.name}/{uuid.uuid4().hex[:12]}"  # a name for a socket is at most 100 long
    return Config({"KernelManager": {"transport": "ipc", "ip": place}})


class ByFiles(KernelManager):
    """The manager of such a kernel."""

    def __init__(self, **given):
        super().__init__(config=by_files(), **given)


def for_nbval() -> None:
    """From now on nbval starts kernels of this kind."""
    nbval.kernel.KernelManager = ByFiles
