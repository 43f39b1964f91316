"""How nbval runs the notebooks, several at a time."""

import kernels

kernels.for_nbval()
