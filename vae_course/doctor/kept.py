"""`Kept`: all that a function can be seen to reach, recorded, and put back as it was.

Reached is what is named: globals, closures, defaults, attributes, and what containers hold. Of
libraries only their objects are followed, not their global names.
"""

import io
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType

import torch
from torch import Tensor, nn

from vae_course.doctor.dice import LARGE, global_dice, own_state, set_back

MANY = 200_000  # objects looked at; who reaches more is warned
STREAMS = (sys.__stdin__, sys.__stdout__, sys.__stderr__)


class Kept:
    """The state behind some functions: modules' and objects' attributes, tensors, counters.

    `modules` are those that were found; `endless` names what cannot be put back (an iterator that
    is read, an open file). `copies` may be those of another `Kept` of the same moment: they are
    then not made twice.
    """

    def __init__(self, *functions: Callable | None, copies: dict[int, Tensor] | None = None):
        self.modules: list[nn.Module] = []
        self.endless: list[str] = []
        self.copies = {} if copies is None else copies
        self._records: list = []
        self._owned: set[int] = set()  # parameters and buffers, which are always copied
        self._walk([f for f in functions if f is not None])

    def restore(self, thorough: bool = False) -> None:
        """Put everything back. Tensors that count no new version are looked at if `thorough`."""
        for record in self._records:
            record(thorough)

    def _walk(self, waiting: list) -> None:
        seen: dict[int, object] = {}  # holds the objects, so that no number is used twice
        while waiting:
            thing = waiting.pop()
            if id(thing) in seen or isinstance(thing, str | bytes | int | float | complex):
                continue
            if len(seen) == MANY:
                self.endless.append(f"more than {MANY:,} objects")
                return
            seen[id(thing)] = thing
            waiting.extend(self._visit(thing))

    def _visit(self, thing) -> Iterator:
        """Record what can change in `thing`, and yield what it holds."""
        if isinstance(thing, nn.Module):
            self.modules.append(thing)
            parts = [*thing._parameters.values(), *thing._buffers.values()]
            self._owned |= {id(part) for part in parts}
            yield from (part for part in [*parts, *thing._modules.values()] if part is not None)
        if isinstance(thing, Tensor):
            yield from self._keep_tensor(thing)
        elif isinstance(thing, CellType):
            yield from self._keep_cell(thing)
        elif isinstance(thing, MethodType):
            yield from (thing.__self__, thing.__func__)
        elif isinstance(thing, FunctionType):
            yield from self._keep_function(thing)
        elif isinstance(thing, partial):
            yield from (thing.func, thing.args, thing.keywords)
        elif isinstance(thing, dict):
            self._records.append(_dictionary(thing))
            yield from list(thing.values())
        elif isinstance(thing, list | set | deque):
            self._records.append(_collection(thing))
            yield from list(thing)
        elif isinstance(thing, tuple | frozenset):
            yield from thing
        elif isinstance(thing, type):
            yield from self._keep_class(thing)
        elif isinstance(thing, property | classmethod | staticmethod):
            yield from (getattr(thing, name, None) for name in ("fget", "__func__"))
        elif not isinstance(thing, ModuleType):
            yield from self._keep_object(thing)

    def _keep_tensor(self, tensor: Tensor) -> Iterator:
        if isinstance(tensor, nn.parameter.UninitializedTensorMixin) or tensor.is_meta:
            return
        watched = id(tensor) not in self._owned and tensor.nbytes > LARGE
        self._records.append(_tensor(tensor, None if watched else self._copy(tensor)))
        if tensor.is_leaf and tensor.grad is not None:
            yield tensor.grad

    def _copy(self, tensor: Tensor) -> Tensor:
        if id(tensor) not in self.copies:
            self.copies[id(tensor)] = tensor.detach().clone()
        return self.copies[id(tensor)]

    def _keep_cell(self, cell: CellType) -> Iterator:
        try:
            content = cell.cell_contents
        except ValueError:  # a name that is not bound yet
            return

        def restore(thorough):
            if cell.cell_contents is not content:
                cell.cell_contents = content

        self._records.append(restore)
        yield content

    def _keep_function(self, function: FunctionType) -> Iterator:
        yield from function.__closure__ or ()
        yield from (function.__defaults__, function.__kwdefaults__, function.__dict__)
        if not _is_library(function.__globals__.get("__name__"), function.__globals__):
            yield from self._keep_names(function.__globals__, set(_names(function.__code__)))

    def _keep_names(self, space: dict, names: set[str]) -> Iterator:
        """The values of global names, and of the names looked up in the user's own modules."""
        chosen = names & space.keys()
        self._records.append(_dictionary(space, chosen))
        for value in [space[name] for name in chosen]:
            if not isinstance(value, ModuleType):
                yield value
            elif not _is_library(value.__name__, vars(value)):
                inner = names & vars(value).keys()
                self._records.append(_dictionary(vars(value), inner))
                yield from [vars(value)[name] for name in inner]

    def _keep_class(self, kind: type) -> Iterator:
        if _is_library(kind.__module__, vars(sys.modules.get(kind.__module__, sys))):
            return
        values = dict(vars(kind))
        plain = {k: v for k, v in values.items() if not k.startswith("__")}

        def restore(thorough):
            for name in set(vars(kind)) - set(values):
                delattr(kind, name)
            for name, value in plain.items():
                if vars(kind).get(name) is not value:
                    setattr(kind, name, value)

        self._records.append(restore)
        yield from plain.values()
        yield from (base for base in kind.__mro__[1:] if base is not object)

    def _keep_object(self, thing) -> Iterator:
        if isinstance(thing, io.IOBase) and thing not in STREAMS:
            self.endless.append("an open file")
        elif hasattr(thing, "__next__"):
            self.endless.append(f"an iterator ({type(thing).__name__})")
        if state := own_state(thing):
            self._records.append(state)
            return
        root = type(thing).__module__.partition(".")[0]
        if hasattr(thing, "__dict__") and root not in sys.stdlib_module_names:
            yield vars(thing)
        yield from self._slots(thing)
        yield type(thing)

    def _slots(self, thing) -> Iterator:
        """Attributes of a class that names them beforehand, in the user's own code."""
        if _is_library(type(thing).__module__, {}):
            return
        missing = object()
        for kind in type(thing).__mro__:
            slots = vars(kind).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                value = getattr(thing, name, missing)
                if value is not missing:
                    self._records.append(partial(set_back, thing, name, value))
                    yield value


@contextmanager
def undisturbed(models: Kept, judge: Kept) -> Iterator[None]:
    """Modules of `models` rest in eval mode; afterwards they, the loss and all dice are as before.

    Warns before anything is called, if something is reached that cannot be put back.
    """
    if endless := sorted({*models.endless, *judge.endless}):
        warnings.warn(
            f"your functions use {', '.join(endless)}: the examination calls them some hundred "
            "times and cannot put that back; give it functions that do not",
            stacklevel=4,
        )
    modes = [(module, module.training) for module in models.modules]
    dice = global_dice()
    try:
        for module in models.modules:
            module.eval()
        yield
    finally:
        for module, mode in modes:
            if module.training != mode:
                module.training = mode
        for kept in (judge, models):
            kept.restore(thorough=True)
        for put_back in dice:
            put_back(True)


def _dictionary(space: dict, names: set[str] | None = None) -> Callable:
    """Puts the entries of a dictionary back, or only those of some names."""
    before = {k: space[k] for k in (space.keys() if names is None else names)}

    def restore(thorough):
        if names is not None:
            space.update({k: v for k, v in before.items() if space.get(k) is not v})
        elif len(space) != len(before) or any(
            key not in space or space[key] is not value for key, value in before.items()
        ):
            space.clear()
            space.update(before)

    return restore


def _collection(thing: list | set | deque) -> Callable:
    before = list(thing)

    def restore(thorough):
        now = list(thing)
        if len(now) != len(before) or any(a is not b for a, b in zip(now, before, strict=True)):
            thing.clear()
            (thing.update if isinstance(thing, set) else thing.extend)(before)

    return restore


def _tensor(tensor: Tensor, copy: Tensor | None) -> Callable:
    """Puts a tensor's numbers, its gradient and its wish for one back."""
    leaf = tensor.is_leaf
    wishes, slope = tensor.requires_grad, tensor.grad if leaf else None
    version = [_version(tensor)]

    def restore(thorough):
        if version[0] != _version(tensor) or (thorough and not _same(tensor, copy)):
            if copy is None:
                warnings.warn("a large tensor was changed by your own function", stacklevel=2)
            else:
                with torch.no_grad():
                    tensor.data.copy_(copy)
            version[0] = _version(tensor)
        if leaf and tensor.requires_grad != wishes:
            tensor.requires_grad_(wishes)
        if leaf and tensor.grad is not slope:
            tensor.grad = slope

    return restore


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _same(tensor: Tensor, copy: Tensor | None) -> bool:
    return copy is None or torch.equal(tensor.detach(), copy)


def _names(code) -> Iterator[str]:
    """The names that a function's code, and the functions defined in it, look up."""
    yield from code.co_names
    for part in code.co_consts:
        if hasattr(part, "co_names"):
            yield from _names(part)


def _is_library(module: str | None, space: dict) -> bool:
    root = (module or "").partition(".")[0]
    file = space.get("__file__") or getattr(sys.modules.get(module or ""), "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    return root == "torch" or installed or root in sys.stdlib_module_names
