"""Sources of random numbers: their states, read and put back."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch

LARGE = 2**26  # bytes; a larger array or tensor that belongs to no module is not copied


@contextmanager
def same_draws(seed: int = 0, device: torch.device | str = "cpu") -> Iterator[None]:
    """Whoever draws random numbers inside draws the same ones each time; outside nothing moved."""
    dice = global_dice()
    numpy = sys.modules.get("numpy")
    try:
        # torch.manual_seed asks every kind of accelerator, which takes longer than a loss.
        cpu = torch.device(device).type == "cpu"
        (torch.default_generator.manual_seed if cpu else torch.manual_seed)(seed)
        random.seed(seed)
        if numpy is not None:
            numpy.random.seed(seed)
        yield
    finally:
        for put_back in dice:
            put_back(True)


def global_dice() -> list[Callable]:
    """What puts the global random states back."""
    states = [state_of(torch.get_rng_state, torch.set_rng_state)]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states.append(state_of(torch.cuda.get_rng_state_all, torch.cuda.set_rng_state_all))
    states.append(state_of(random.getstate, random.setstate))
    if numpy := sys.modules.get("numpy"):
        states.append(state_of(numpy.random.get_state, numpy.random.set_state))
    return states


def state_of(read: Callable, write: Callable) -> Callable:
    value = read()
    return lambda thorough: write(value)


def own_state(thing) -> Callable | None:
    """For a source of random numbers, or a numpy array: what puts it back."""
    numpy = sys.modules.get("numpy")
    if isinstance(thing, torch.Generator):
        return state_of(thing.get_state, thing.set_state)
    if isinstance(thing, random.Random):
        return state_of(thing.getstate, thing.setstate)
    if numpy is None:
        return None
    if isinstance(thing, numpy.random.Generator):
        return partial(set_back, thing.bit_generator, "state", thing.bit_generator.state)
    if isinstance(thing, numpy.random.RandomState):
        return state_of(thing.get_state, thing.set_state)
    if isinstance(thing, numpy.ndarray) and thing.flags.writeable and thing.nbytes <= LARGE:
        return state_of(thing.copy, partial(thing.__setitem__, ...))
    return None


def set_back(thing, name: str, value, thorough: bool) -> None:
    setattr(thing, name, value)
