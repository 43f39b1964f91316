"""A decoder of fully connected layers, packed for the browser."""

import torch
from torch import Tensor, nn

from vae_course.explorer import packing
from vae_course.models import VAE, Autoencoder

# What live.js can compute between linear layers.
ACTIVATIONS = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}

# A pixel may be off by this much in the browser: half a step of a screen with 256 greys.
TOLERANCE = 2e-3


def mean_decoder(model: Autoencoder | VAE) -> nn.Sequential:
    """The layers from z (batch, latent_dim) to the decoder's mean, flat (batch, pixels)."""
    layers = plain_layers(model.decoder)
    if isinstance(model, VAE) and model.std == "per_pixel":
        layers[-1] = _first_half(layers[-1])  # the rest is the log std
    if isinstance(model, VAE) and model.likelihood == "bernoulli":
        layers.append(nn.Sigmoid())
    return nn.Sequential(*layers)


def plain_layers(module: nn.Module) -> list[nn.Module]:
    """The layers of a module in order, for a browser to run.

    Raises ValueError for a layer that the browser does not know.
    """
    if isinstance(module, nn.Sequential):
        return [layer for child in module for layer in plain_layers(child)]
    if not isinstance(module, (nn.Linear, *ACTIVATIONS)):
        known = ", ".join(["Linear", *(kind.__name__ for kind in ACTIVATIONS)])
        raise ValueError(
            f"the browser cannot run {type(module).__name__}: it knows {known}, in nn.Sequential. "
            "For another decoder, show pictures that are decoded beforehand (`plotting.rows`)"
        )
    return [module]


def pack(layers: nn.Sequential, z: Tensor) -> list[dict]:
    """Layers for live.js, with the fewest units and bits that keep all pixels at `z` (batch, d)."""
    layers = without_dead_units(layers, z)
    at = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear))
    few = (bits for bits in range(10, 17) if rounding_error(layers[:at], z, bits) < TOLERANCE / 20)
    bits = next(few, 32)
    packed = [_pack_layer(layer, bits) for layer in layers[:at]]
    packed.append(_pack_last(layers[at], *_both(layers[:at], z, bits)))
    return packed + [_pack_layer(layer, 32) for layer in layers[at + 1 :]]


@torch.no_grad()
def without_dead_units(layers: nn.Sequential, z: Tensor) -> nn.Sequential:
    """The layers without those hidden units that a ReLU keeps at 0 at all `z` (batch, d)."""
    kept, values = list(layers), z
    for i, layer in enumerate(layers):
        values = layer(values)
        around = kept[i - 1 : i + 2 : 2]
        if isinstance(layer, nn.ReLU) and [type(one) for one in around] == [nn.Linear] * 2:
            alive = (values > 0).any(0)
            alive[0] |= not alive.any()  # a layer has one unit at least
            before, after = around
            kept[i - 1] = _linear(before.weight[alive], _bias(before)[alive])
            kept[i + 1] = _linear(after.weight[:, alive], _bias(after))
    return nn.Sequential(*kept)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    # No numbers are drawn for weights that are replaced at once.
    made = nn.utils.skip_init(nn.Linear, *reversed(weight.shape), dtype=weight.dtype)
    made.weight.data, made.bias.data = weight.detach().clone(), bias.detach().clone()
    return made


def rounding_error(layers: nn.Sequential, z: Tensor, bits: int) -> float:
    """The largest change of an output at `z` (batch, d) when the weights have so many bits.

    In units of the largest output.
    """
    exact, rounded = _both(layers, z, bits)
    return ((exact - rounded).abs().max() / exact.abs().max().clamp(min=1e-30)).item()


@torch.no_grad()
def _both(layers: nn.Sequential, z: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """The outputs at `z` (batch, d), and those when the weights have so many bits."""
    exact = rounded = z.double()
    for layer in layers:
        if not isinstance(layer, nn.Linear):
            exact, rounded = layer(exact), layer(rounded)
            continue
        weight, bias = layer.weight.double(), _bias(layer).double()
        exact = exact @ weight.T + bias
        coarse = packing.rounded(weight, bits) if bits <= 16 else weight
        rounded = rounded @ coarse.T + bias
    return exact, rounded


@torch.no_grad()
def _pack_last(layer: nn.Linear, exact: Tensor, rounded: Tensor) -> dict:
    """The last layer, whose inputs should be `exact` and are `rounded`, each (batch, in).

    A pixel's row has the fewest bits that keep it within the tolerance, once its bias has put the
    errors around 0.
    """
    weight, bias = layer.weight.double(), _bias(layer).double()
    bits, middle = torch.full((len(weight),), 32), torch.zeros_like(bias)
    for each in range(4, 17):
        left = (bits == 32).nonzero()[:, 0]
        coarse = packing.rounded(weight[left], each)
        errors = rounded @ coarse.T - exact @ weight[left].T  # (batch, rows that are left)
        low, high = errors.amin(0), errors.amax(0)
        good = (high - low) / 2 < TOLERANCE
        bits[left[good]], middle[left[good]] = each, ((low + high) / 2)[good]
    packed = _pack_layer(layer, 32 if (bits == 32).any() else bits)
    return packed | {"bias": packing.float32((bias - middle).float())}


def _pack_layer(layer: nn.Module, bits: int | Tensor) -> dict:
    if not isinstance(layer, nn.Linear):
        return {"kind": ACTIVATIONS[type(layer)]}
    whole = isinstance(bits, Tensor) or bits <= 16
    weight = packing.rows(layer.weight, bits) if whole else packing.float32(layer.weight)
    bias = packing.float32(_bias(layer))
    return {"kind": "linear", "inputs": layer.in_features, "weight": weight, "bias": bias}


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias


def _first_half(layer: nn.Linear) -> nn.Linear:
    return _linear(layer.weight.chunk(2)[0], layer.bias.chunk(2)[0])
