"""Training losses that are healthy, or have one fault; and what an answer took for what."""

import math
from collections.abc import Callable

import torch
from torch import Generator
from torch.distributions import Normal

from vae_course.checks.judging.inputs import uniform
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

# From what to what σ may be, for each fault in two scripts: wide apart, so that no price tells what
# is wrong unless it is compared with another of the same script.
STDS = {
    "pixel mean": ((0.02, 0.05), (0.3, 1.0)),
    "batch sum": ((0.1, 0.3), (1.5, 4.0)),
    "detached": ((0.1, 0.3), (1.5, 4.0)),
    "prior draw": ((0.1, 0.3), (1.5, 4.0)),
    "healthy": ((0.05, 0.2), (2.0, 4.0)),
}


def scripts(g: Generator) -> list[tuple[str, Callable]]:
    """Two of each kind, in random order, each with a noise of its own: (fault, loss)."""
    made = [
        (fault, _script(fault, uniform(g, 1, low=low, high=high).item(), style))
        for fault, spans in STDS.items()
        for style, (low, high) in enumerate(_mixed(spans, g))
    ]
    return [made[i] for i in torch.randperm(len(made), generator=g)]


def _mixed(spans: tuple, g: Generator) -> tuple:
    return spans if uniform(g, 1).item() < 0.5 else spans[::-1]


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


def require_diagnoses(answer: Callable, g: Generator) -> None:
    """The right name for each of the scripts."""
    listed = scripts(g)
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


def _require_right(name, said, listed):
    wrong = any(s == name != fault for s, (fault, _) in zip(said, listed, strict=True))
    require(not wrong, f"You say {name!r} of {DENIED[name]}.")
