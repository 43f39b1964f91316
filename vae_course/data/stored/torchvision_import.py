"""Import torchvision, also where its compiled operators do not fit the installed torch.

On the package index torchvision is built for CUDA. Beside a CPU build of torch its compiled part
cannot be loaded, and `import torchvision` stops at "operator torchvision::nms does not exist": it
describes two operators that nobody has declared. This course uses neither (they belong to object
detection); it is enough to declare them, without an implementation, and to import again.
"""

import sys

import torch

_SYMPTOM = "operator torchvision::nms does not exist"
_MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declarations = []  # a declaration lives only as long as its Library object


def import_torchvision():
    """The module `torchvision`, with `datasets` and `transforms` imported.

    Where the import works by itself nothing is changed. Every error but the one described above
    passes through untouched.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if _SYMPTOM not in str(error):
            raise
        _forget_half_imported()
        _declare_missing_operators()
        import torchvision
    return torchvision


def _forget_half_imported():
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]


def _declare_missing_operators():
    library = torch.library.Library("torchvision", "DEF")
    for signature in _MISSING:
        library.define(signature)
    _declarations.append(library)
