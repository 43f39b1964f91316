"""A process that has imported what the chapters import, and forks a kernel whenever it is asked.

A kernel that starts by itself spends about 3 s of CPU time on torch and Matplotlib before its first
own line, and `make test` needs fifty. kernels.py starts this file and writes orders to it, a line
of JSON each. Each gets one line back:

{"argv": [...], "cwd": "...", "env": {...}} -> the process number of a new kernel
{"status_of": number}                       -> how it ended, or null while it runs

It ends with its standard input, and all kernels with it.
"""

import gc
import json
import os
import signal
import sys


def import_what_is_heavy() -> None:
    """Nothing of the course: a kernel imports that for itself, as a reader's does."""
    # ipykernel sets it, too, but Matplotlib reads it when it is imported.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    # ipykernel reads it when it is imported: a kernel ends when this process is no more.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    import ipykernel.kernelapp  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import sklearn.mixture  # noqa: F401
    import torch._dynamo  # noqa: F401  the first optimizer of a process asks for it

    gc.collect()
    gc.freeze()  # or each kernel's first collection would copy all of it


def serve() -> dict | None:
    """Answer orders until there are no more. In a fork: the order that it is to carry out."""
    running = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "status_of" in order:
            answer = _status(order["status_of"], running)
        elif answer := os.fork():
            running.add(answer)
        else:
            return order
        print(json.dumps(answer), flush=True)
    for number in running:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)  # so that its CPU time is ours, which `make test` reports
    return None


def _status(number, running):
    done, status = os.waitpid(number, os.WNOHANG)
    if not done:
        return None
    running.remove(number)
    return os.waitstatus_to_exitcode(status)


def become_kernel(order: dict) -> None:
    """As `python -m ipykernel_launcher` would, in a session of its own."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)  # the answers are not for its prints
    os.environ.clear()
    os.environ.update(order["env"], JPY_PARENT_PID=str(os.getppid()))
    os.chdir(order["cwd"])
    sys.argv = order["argv"]
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    del sys.path[0]  # this folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    import_what_is_heavy()
    if mine := serve():
        become_kernel(mine)
