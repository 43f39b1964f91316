"""Task 3: a curved autoencoder: sizes, curvature, gradients, and whether it learns."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from vae_course.checks.judging.check import trial
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import kind, require, require_something, run

STEPS = 100
CURVED = 1e-3  # rounding gives 1e-6, an untrained tanh 1e-2


def built(answer: Callable, pixels: int, latent_dim: int, seed: int) -> tuple[nn.Module, nn.Module]:
    """`answer(pixels, latent_dim)`, from weights of this seed: an encoder and a decoder."""

    def build(pixels, latent_dim):
        torch.manual_seed(seed)
        return answer(pixels, latent_dim)

    build = build if callable(answer) else answer
    found = run(build, (pixels, latent_dim), ("pixels", "latent_dim"))
    require_something(found)
    two = isinstance(found, tuple | list) and len(found) == 2
    require(two, f"Return the encoder and the decoder, in a tuple. Yours is {kind(found)}.")
    for name, network in zip(("encoder", "decoder"), found, strict=True):
        is_module = isinstance(network, nn.Module)
        require(is_module, f"The {name} must be an nn.Module, but is {kind(network)}.")
        require(
            any(True for _ in network.parameters()),
            f"The {name} has no weights that an optimiser would find. Layers belong in "
            "nn.Sequential or nn.ModuleList, not in a list or in a function.",
        )
    return tuple(found)


def require_network(network: nn.Module, name: str, inputs: Tensor, width: int) -> Tensor:
    """The output (batch, width): finite, the same every time, each row from its own input, curved.

    In eval mode. `inputs` (even batch, …) should be far enough apart that a curve shows.
    """
    network.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        out = _output(network, name, inputs, width)
        first = _output(network, name, inputs[:1], width)
        require(torch.isfinite(out).all().item(), f"The {name} gives NaN or infinity.")
        require(
            torch.equal(network(inputs), network(inputs)),
            f"The {name} gives other numbers for the same input when it is called again, in eval "
            "mode, too. An autoencoder draws nothing.",
        )
        require(
            torch.allclose(out[:1], first, rtol=1e-3, atol=1e-5),
            f"The {name} gives an example other numbers when it comes in another batch. Which "
            "layer mixes the examples? Dimension 0 is the batch.",
        )
        require(
            out.std(0).max().item() > 0,
            f"The {name} gives the same numbers for every input, so they say nothing.",
        )
    require_bend(network, name, inputs)
    return out


def require_bend(network: nn.Module, name: str, inputs: Tensor, least: float = CURVED) -> None:
    """The middle of two inputs is not mapped to the middle of their outputs."""
    network.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        a, b = inputs.chunk(2)
        bend = network((a + b) / 2) - (network(a) + network(b)) / 2
        require(
            (bend.norm() > least * (network(a) - network(b)).norm()).item(),
            f"The {name} is linear on the numbers that it gets: it maps the middle of two inputs "
            "to the middle of their outputs. Linear layers in a row are one linear layer, unless "
            "something bends between.",
        )


def _output(network, name, inputs, width):
    out = run(network, (inputs,), (f"inputs of the {name}",))
    require(
        isinstance(out, Tensor) and out.shape == (len(inputs), width),
        f"From {tuple(inputs.shape)} the {name} makes "
        f"{tuple(out.shape) if isinstance(out, Tensor) else kind(out)}; "
        f"expected {(len(inputs), width)}.",
    )
    return out


def require_free_codes(encoder: nn.Module, inputs: Tensor, codes: Tensor) -> None:
    """`codes` (N, d) of N inputs, N much larger than d: none is cut off, or follows from others."""
    require(
        (codes == 0).double().mean().item() < 0.01,
        "Many codes are exactly 0. A ReLU at the very end of the encoder cuts off half of what a "
        "code could say.",
    )
    rank = torch.linalg.matrix_rank((codes - codes.mean(0)).double(), rtol=1e-4).item()
    require(
        rank == codes.shape[1],
        f"The code has {codes.shape[1]} numbers, but they vary in {rank} directions only: some "
        "follow from the others. Is there a softmax, or a layer that is narrower than the code?",
    )
    # With larger weights of either sign, codes leave any range that no last layer holds them in.
    wild = torch.cat([_with_weights(encoder, factor, inputs) for factor in (-30.0, 30.0)])
    require(
        wild.min().item() < -2 and wild.max().item() > 2,
        f"A code may be any number, but yours stay between {wild.min().item():.3g} and "
        f"{wild.max().item():.3g}, even with far larger weights. What does your encoder do at the "
        "very end?",
    )
    wilder = torch.cat([_with_weights(encoder, factor, inputs) for factor in (-300.0, 300.0)])
    require(
        wilder.min() < 1.5 * wild.min() and wilder.max() > 1.5 * wild.max(),
        "A code may be any number, but yours stop growing: they are cut off at "
        f"{wilder.min().item():.3g} or {wilder.max().item():.3g}. What does your encoder do at the "
        "very end?",
    )


def _with_weights(network: nn.Module, factor: float, inputs: Tensor) -> Tensor:
    """The output of a copy whose weights are multiplied."""
    network = deepcopy(network)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(factor)
        return network(inputs)


def require_gradients(encoder: nn.Module, decoder: nn.Module, x: Tensor) -> None:
    """A gradient of the squared error reaches every weight, every pixel and every code."""
    pixels = x.clone().requires_grad_()
    codes = encoder.train()(pixels)
    if codes.requires_grad:
        codes.retain_grad()
    loss = (x - decoder.train()(codes)).square().sum()
    if loss.requires_grad:
        loss.backward()
    for name, network in {"encoder": encoder, "decoder": decoder}.items():
        for weight, values in network.named_parameters():
            require(
                values.grad is not None and values.grad.any().item(),
                f"No gradient reaches `{weight}` of the {name}, so it would never be trained. Is "
                "it unused, frozen, or is something after it detached?",
            )
    for values, says in ((pixels, "pixels"), (codes, "numbers of a code")):
        used = torch.ones(1) if values.grad is None else values.grad.any(0)
        require(
            used.all().item(),
            f"Of {len(used)} {says}, only {used.sum().item()} make a difference to the result.",
        )


def error_left(encoder: nn.Module, decoder: nn.Module, x: Tensor) -> float:
    """The error after a short training, relative to that of the best constant picture."""
    weights = {*encoder.parameters(), *decoder.parameters()}  # once each, if some are shared
    optimizer = torch.optim.Adam(weights, lr=1e-2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (x - decoder(encoder(x))).square().sum(1).mean().backward()
        optimizer.step()
    with torch.no_grad():
        error = (x - decoder.eval()(encoder.eval()(x))).square().sum()
    return (error / (x - x.mean(0)).square().sum()).item()


@trial()
def nonlinear(answer: Callable, seed: int | None) -> str:
    """`answer(pixels, latent_dim)`: an encoder and a decoder, nonlinear modules, untrained.

    Tried on small pictures with pixels from 0 to 1, of a bump that moves, where a short training
    must beat the best constant picture.
    """
    g = fresh(seed)
    start = int(torch.randint(2**31, (1,), generator=g))
    for pixels, latent_dim in ((16, 3), (9, 1), (12, 2)):
        encoder, decoder = built(answer, pixels, latent_dim, start)
        x = normal(g, 128, pixels, scale=3.0).float()
        codes = require_network(encoder, "encoder", x, latent_dim)
        require_free_codes(encoder, x, codes)
        require_bend(encoder, "encoder", uniform(g, 256, pixels).float(), CURVED / 10)
        z = normal(g, 128, latent_dim, scale=3.0).float()
        require_network(decoder, "decoder", z, pixels)
        require_gradients(encoder, decoder, uniform(g, 64, pixels).float())
    place = uniform(g, 64, 1, high=pixels - 1.0)
    bumps = torch.exp(-0.2 * (torch.arange(pixels) - place) ** 2).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(start)  # for dropout
        left = error_left(encoder, decoder, bumps)
    require(
        left < 0.6,
        f"Sizes and gradients are right, but after a short training its error is {left:.0%} of "
        "that of a constant picture. Can its output reach every pixel value between 0 and 1, and "
        "are its hidden layers wide enough?",
    )
    return f"It learns: after a short training, {left:.0%} of a constant picture's error is left."
