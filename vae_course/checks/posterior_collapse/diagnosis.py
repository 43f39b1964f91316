"""Task 3: training losses that are healthy or have one fault, and what an answer took for what."""

import math
from collections.abc import Callable

import torch
from torch import Generator
from torch.distributions import Normal

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, uniform
from vae_course.checks.judging.running import kind, require, require_something, run

# What a script would do if the name were right, and what this one does.
DENIED = {
    "pixel mean": "a script whose error doubles when a picture has every pixel twice",
    "batch sum": "a script whose KL stays as it is when the batch holds every picture twice",
    "detached": "a script in which either a slope does reach the encoder, or the decoder never "
    "sees what the encoder says",
    "prior draw": "a script whose z moves with the encoder's mean",
    "healthy": "a script that is ill. There is a fault that your tests do not see",
}
FAULTS = tuple(DENIED)

# From what to what σ is, for every fault: to both ends of what the task says, so that no price
# tells what is wrong unless it is compared with another of the same script.
STDS = ((0.02, 0.02), (0.05, 0.3), (0.3, 2.0), (4.0, 4.0))


def scripts(g: Generator) -> list[tuple[str, Callable]]:
    """One of each fault for each σ, in random order and in two styles: (fault, loss)."""
    made = [
        (fault, _script(fault, uniform(g, 1, low=low, high=high).item(), (number + shift) % 2))
        for shift, fault in enumerate(FAULTS)
        for number, (low, high) in enumerate(STDS)
    ]
    return [made[i] for i in torch.randperm(len(made), generator=g)]


def _script(fault: str, std: float, style: int) -> Callable:
    """loss(x, decode, mean, log_std), with the draw of z inside; `style` changes no result."""

    def loss(x, decode, mean, log_std):
        z = _draw(fault, mean, log_std, style)
        error = ((x - decode(z)) ** 2 / (2 * std**2)).flatten(1)
        if style:
            error = error + math.log(std) + 0.5 * math.log(2 * math.pi)
        error = error.mean(1) if fault == "pixel mean" else error.sum(1)
        kl = (0.5 * (torch.exp(2 * log_std) + mean**2 - 1) - log_std).sum(1)
        return error.mean() + (kl.sum() if fault == "batch sum" else kl.mean())

    return loss


def _draw(fault, mean, log_std, style):
    if fault == "prior draw":
        return torch.randn_like(mean) if style else Normal(0 * mean, 1 + 0 * mean).sample()
    if fault == "detached" and style:
        return Normal(mean, log_std.exp()).sample()
    z = mean + log_std.exp() * torch.randn_like(mean)
    return z.detach() if fault == "detached" else z


def _require_right(name, said, listed):
    wrong = any(s == name != fault for s, (fault, _) in zip(said, listed, strict=True))
    require(not wrong, f"You say {name!r} of {DENIED[name]}.")


@trial(
    praise="All twenty, four of them healthy. Your tests found by numbers what the eye overlooks."
)
def diagnosis(answer: Callable, seed: int | None = None) -> None:
    """`answer(loss)`: the name of the fault of a loss(x, decode, mean, log_std), of each script."""
    listed = scripts(fresh(seed))
    said = []
    for _, loss in listed:
        name = run(answer, (loss,), ("loss",))
        require_something(name)
        require(isinstance(name, str), f"Return a name, a string. Yours is {kind(name)}.")
        require(
            name in FAULTS,
            f"{name!r} is none of the five names: {', '.join(map(repr, FAULTS))}.",
        )
        said.append(name)
    require(
        len(set(said)) > 1,
        f"You say {said[0]!r} of every script. The check brings scripts of all kinds, in random "
        "order.",
    )
    for name in FAULTS[:-1]:
        _require_right(name, said, listed)
    _require_right("healthy", said, listed)
