"""Kernels that are reached through files, and forked from one process.

Jupyter picks a kernel's five TCP ports before the kernel opens them. Where kernels start side by
side, one of them can find a port taken, and dies before its first cell.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import nbval.kernel
from jupyter_client import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets.config import Config

FOLDER = tempfile.TemporaryDirectory(prefix="kernels-")
SERVER = Path(__file__).with_name("fork_server.py")


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


class ForkServer:
    """The process that fork_server.py describes, started at the first order."""

    def __init__(self):
        self._process, self._one_at_a_time = None, threading.Lock()

    def ask(self, **order):
        with self._one_at_a_time:
            if self._process is None:
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
                self._process = subprocess.Popen([sys.executable, str(SERVER)], **pipes)
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{SERVER.name} ended; run it by itself to see why")
        return json.loads(answer)

    def close(self) -> None:
        """End it, and the kernels that still run."""
        if self._process:
            self._process.communicate()
            self._process = None


_server = ForkServer()


class Forked:
    """A kernel of the server's, with what jupyter_client asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], cwd: str, env: dict[str, str]):
        self.pid = _server.ask(argv=arguments, cwd=cwd, env=env)
        self.returncode = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = _server.ask(status_of=self.pid)
        return self.returncode

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.05)
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class ForkingProvisioner(LocalProvisioner):
    """Starts the kernels of this Python by a fork, and others as ever."""

    async def launch_kernel(self, cmd, **given):
        if cmd[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
            return await super().launch_kernel(cmd, **given)
        self.cwd = str(given.get("cwd") or Path.cwd())
        self.process = Forked(cmd[2:], self.cwd, given["env"])
        self.pid = self.pgid = self.process.pid  # it leads a session
        return self.connection_info


@contextmanager
def forked() -> Iterator[None]:
    """What starts kernels here gets forked ones, on Linux; elsewhere forking has its traps."""
    if sys.platform != "linux":
        yield
        return
    factory = KernelProvisionerFactory.instance()
    usual = factory.default_provisioner_name
    factory.provisioners["fork"] = EntryPoint("fork", f"{__name__}:ForkingProvisioner", "")
    factory.default_provisioner_name = "fork"
    try:
        yield
    finally:
        factory.default_provisioner_name = usual
        _server.close()
