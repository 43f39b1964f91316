"""How nbval runs the notebooks, several at a time."""

from contextlib import ExitStack

import kernels


def pytest_configure(config):
    kernels.for_nbval()
    until_the_end = ExitStack()
    until_the_end.enter_context(kernels.forked())
    config.add_cleanup(until_the_end.close)
