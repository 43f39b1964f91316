import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course.latents import great_circle, rescale, straight_line
from vae_course.models import (
    VAE,
    Autoencoder,
    ConvolutionalVAE,
    PictureVAE,
    TransformerVAE,
)

# ---- Walks


def rotation(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


@pytest.mark.parametrize("degrees", [1, 30, 90, 150, 179])
def test_great_circle_is_a_rotation_at_even_speed(degrees):
    start = torch.tensor([0.6, -0.8], dtype=torch.float64)
    end = rotation(math.radians(degrees)) @ start
    walk = great_circle(start, end, 5)
    for step, point in enumerate(walk):
        turned = rotation(math.radians(degrees) * step / 4) @ start
        assert torch.allclose(point, turned, atol=1e-9)


def test_great_circle_keeps_the_length_and_meets_both_ends_of_every_pair():
    start, end = torch.nn.functional.normalize(torch.randn(2, 50, 64), dim=-1)
    walk = great_circle(start, end, 7)
    assert walk.shape == (7, 50, 64)
    assert torch.allclose(walk.norm(dim=-1), torch.ones(7, 50), atol=1e-5)
    assert torch.allclose(walk[0], start, atol=1e-5) and torch.allclose(walk[-1], end, atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 4, 4)])
def test_straight_line_is_lerp(shape):
    start, end = torch.randn(2, *shape)
    walk = straight_line(start, end, 5)
    assert walk.shape == (5, *shape)
    for t, point in zip((0, 0.25, 0.5, 0.75, 1), walk, strict=True):
        assert torch.allclose(point, torch.lerp(start, end, t), atol=1e-6)


@pytest.mark.parametrize("walk", [straight_line, great_circle])
def test_bad_walks_are_refused(walk):
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        walk(torch.randn(3), torch.randn(4), 5)
    with pytest.raises(ValueError, match="at least 2 steps.*got 1"):
        walk(torch.randn(3), torch.randn(3), 1)


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0])
def test_no_single_great_circle_between_points_on_a_line_through_the_origin(factor):
    start = torch.randn(6)
    with pytest.raises(ValueError, match="one line through the origin"):
        great_circle(start, factor * start, 5)


# ---- Codes that are re-scaled

SHAPE, LATENTS, PIXELS = (1, 8, 8), 3, 64


class TwoHeads(nn.Module):
    """An encoder as many write it: one layer for the mean, one for the log std."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(PIXELS, 9), nn.Tanh(), nn.Dropout(0.5))
        self.mean, self.log_std = nn.Linear(9, LATENTS), nn.Linear(9, LATENTS)

    def forward(self, x):
        h = self.body(x)
        return torch.cat([self.mean(h), self.log_std(h)], dim=1)


class Skipping(nn.Module):
    """A decoder that reads z twice, through `again` the second time."""

    def __init__(self, again):
        super().__init__()
        self.first, self.again = nn.Linear(LATENTS, 7), again
        self.last = nn.Linear(7, PIXELS)

    def forward(self, z):
        return self.last(self.first(z).relu() + self.again(z))


class Plain(nn.Module):
    """A VAE that knows nothing of this package."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(PIXELS, 2 * LATENTS), nn.Linear(LATENTS, PIXELS)

    def encode(self, x):
        return self.first(x.flatten(1)).chunk(2, dim=1)

    def decode(self, z):
        return self.last(z).unflatten(1, SHAPE)


def bring(encoder=None, decoder=None, **options):
    encoder = encoder or nn.Sequential(nn.Linear(PIXELS, 9), nn.ReLU(), nn.Linear(9, 2 * LATENTS))
    decoder = decoder or nn.Sequential(nn.Linear(LATENTS, 9), nn.ReLU(), nn.Linear(9, PIXELS))
    return PictureVAE(SHAPE, LATENTS, encoder, decoder, **options)


def transformer(**options):
    sizes = {"patch": 4, "width": 16, "depth": 1, "heads": 2}
    return TransformerVAE(SHAPE, LATENTS, **sizes, **options)


MODELS = {
    "fully connected": lambda: VAE(SHAPE, LATENTS, hidden=(12, 9), std="per_pixel"),
    "no hidden layer": lambda: VAE(SHAPE, LATENTS, hidden=(), std="optimal"),
    "Bernoulli": lambda: VAE(SHAPE, LATENTS, hidden=(12,), likelihood="bernoulli"),
    "convolutional": lambda: ConvolutionalVAE(SHAPE, LATENTS, channels=(3, 4), std=0.2),
    "transformer": lambda: transformer(std="per_pixel"),
    "transformer, a map a place": lambda: transformer(std=0.2, place_maps=True),
    "two heads": lambda: bring(TwoHeads(), std=0.3),
    "z read twice": lambda: bring(decoder=Skipping(nn.Linear(LATENTS, 7)), std=0.3),
    "plain PyTorch": Plain,
}


def images(n=50, seed=3):
    """Pictures with a mean that differs from pixel to pixel."""
    noise = torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))
    return torch.linspace(0, 1, PIXELS).view(SHAPE) + 0.3 * noise


def off(build, dtype):
    """A model with codes that lie elsewhere, and are as wide as they like, each its own way."""
    torch.manual_seed(7)
    model = build()
    layers = [part for part in model.modules() if isinstance(part, nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            if layer.bias is not None and layer.out_features in (LATENTS, 2 * LATENTS):
                layer.weight.mul_(3)
                layer.bias.copy_(torch.randn(len(layer.bias)))
    return model.to(dtype)


def described(model, x, seed=5):
    """Codes, what is decoded at a draw from them, and the KL from torch.distributions."""
    x, model = x.to(next(model.parameters())), copy.deepcopy(model).eval()
    with torch.no_grad():
        mean, log_std = model.encode(x)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed)).to(x)
        decoded = model.decode(mean + log_std.exp() * noise)
    decoded = tuple(decoded) if isinstance(decoded, tuple) else (decoded,)
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1).mean().item()
    return Normal(mean, log_std.exp()), decoded, kl


@pytest.mark.parametrize(
    ("dtype", "rounding"), [(torch.float32, 2e-5), (torch.float64, 1e-12)], ids=["32", "64"]
)
@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_rescaled_codes_fit_the_prior_and_decode_to_the_same(build, dtype, rounding):
    model, x = off(build, dtype), images().to(dtype)
    codes, decoded, kl = described(model, x)
    unseen = described(model, images(9, seed=4))
    found = rescale(model, x, batch_size=16)
    moved, again, lower = described(model, x)
    # E[μ] = 0 and E[μ² + σ²] = 1 on these pictures, and they were not before.
    assert moved.mean.mean(0).abs().max() < rounding
    second = (moved.mean.square() + moved.variance).mean(0)
    torch.testing.assert_close(second, torch.ones_like(second), rtol=0, atol=rounding)
    assert codes.mean.mean(0).abs().max() > 0.5
    # The decoder gives the same, for these pictures and for others.
    after = described(model, images(9, seed=4))
    for before, now in ((decoded, again), (unseen[1], after[1])):
        for one, other in zip(before, now, strict=True):
            torch.testing.assert_close(one, other, rtol=rounding, atol=rounding)
    # The KL falls by KL(N(m, diag v) ‖ N(0, I)), m and v those of draws from the codes.
    assert kl - lower == pytest.approx(found.nats, rel=50 * rounding) and found.nats > 0.1
    cloud = MultivariateNormal(found.mean, torch.diag(found.std**2))
    prior = MultivariateNormal(torch.zeros_like(found.mean), torch.eye(LATENTS, dtype=dtype))
    assert kl_divergence(cloud, prior).item() == pytest.approx(found.nats, rel=50 * rounding)
    draws = codes.sample((4_000,)).flatten(0, 1)
    assert ((found.mean - draws.mean(0)).abs() < 5 * found.std / len(draws) ** 0.5).all()
    torch.testing.assert_close(found.std, draws.std(0), rtol=0.01, atol=0)
    # Another time there is nothing left to do.
    assert rescale(model, x).nats == pytest.approx(0, abs=rounding)


def state_of(model):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    return weights, [part.training for part in model.modules()], torch.get_rng_state()


def assert_same_state(before, after, but=()):
    for name, value in before[0].items():
        assert torch.equal(value, after[0][name]) or name in but, name
    assert before[1] == after[1] and torch.equal(before[2], after[2])


def test_nothing_else_of_the_model_changes():
    model = off(MODELS["two heads"], torch.float32).train()
    model.decoder.eval()  # a mode of its own
    model.log_std.requires_grad_(False)
    before = state_of(model)
    grown = {name: (values.requires_grad, id(values)) for name, values in model.named_parameters()}
    rescale(model, images())
    assert_same_state(
        before,
        state_of(model),
        but=("encoder.mean.weight", "encoder.mean.bias", "encoder.log_std.bias")
        + ("decoder.0.weight", "decoder.0.bias"),
    )
    after = {name: (values.requires_grad, id(values)) for name, values in model.named_parameters()}
    assert after == grown and not any(len(part._forward_hooks) for part in model.modules())
    assert all(values.grad is None for values in model.parameters())


class Drawing(Plain):
    """Draws something in each pass, as a layer with noise does."""

    def encode(self, x):
        torch.rand(3)
        return super().encode(x)


def test_the_random_state_stays_even_if_the_model_draws():
    model, before = off(Drawing, torch.float32), torch.get_rng_state()
    rescale(model, images())
    assert torch.equal(before, torch.get_rng_state())


def test_batches_of_any_size_give_the_same():
    models = [off(MODELS["fully connected"], torch.float64) for _ in range(3)]
    found = [
        rescale(model, images().double(), batch_size=size)
        for model, size in zip(models, (1, 7, 1000), strict=True)
    ]
    for one, model in zip(found[1:], models[1:], strict=True):
        assert one.nats == pytest.approx(found[0].nats, rel=1e-12)
        for name, values in model.state_dict().items():
            torch.testing.assert_close(values, models[0].state_dict()[name], rtol=1e-9, atol=1e-9)


def bent(layer):
    return nn.Sequential(nn.Linear(PIXELS, 2 * LATENTS), layer)


def flat_latent():
    """The second latent has a mean that never changes, and a σ of exactly 0."""
    model = bring()
    with torch.no_grad():
        head = model.encoder[-1]
        head.weight[[1, LATENTS + 1]] = 0
        head.bias[LATENTS + 1] = -torch.inf
    return model


def shared_head():
    """The layer that gives the codes also reads them."""
    model = bring(nn.Linear(PIXELS, 2 * LATENTS))
    square = nn.Linear(2 * LATENTS, 2 * LATENTS)
    model.encoder = nn.Sequential(nn.Linear(PIXELS, 2 * LATENTS), square, square)
    return model


def tied_reader():
    """The decoder's first layer is also its second."""
    square = nn.Linear(LATENTS, LATENTS)
    return bring(decoder=nn.Sequential(square, nn.ReLU(), square, nn.Linear(LATENTS, PIXELS)))


class TwiceTheLogStd(PictureVAE):
    """The encoder speaks of log σ²."""

    def encode(self, x):
        mean, log_variance = super().encode(x)
        return type(super().encode(x))(mean, 0.5 * log_variance)


REFUSED = {
    "bent codes": (lambda: bring(bent(nn.Tanh())), "outputs, as they are, of linear layers"),
    "log variances": (
        lambda: TwiceTheLogStd(SHAPE, LATENTS, bring().encoder, bring().decoder),
        "outputs, as they are, of linear layers",
    ),
    "no bias in the encoder": (
        lambda: bring(nn.Linear(PIXELS, 2 * LATENTS, bias=False)),
        "with a bias",
    ),
    "no bias in the decoder": (
        lambda: bring(decoder=nn.Linear(LATENTS, PIXELS, bias=False)),
        "with a bias",
    ),
    "computed weights": (
        lambda: bring(
            decoder=nn.utils.parametrizations.weight_norm(nn.Linear(LATENTS, PIXELS)),
        ),
        "cannot be re-scaled",
    ),
    "bent before it is read": (
        lambda: bring(decoder=nn.Sequential(nn.Tanh(), nn.Linear(LATENTS, PIXELS))),
        "what reads z first in decode",
    ),
    "bent on another way": (
        lambda: bring(decoder=Skipping(nn.Sequential(nn.Tanh(), nn.Linear(LATENTS, 7)))),
        "would change what this model encodes or decodes",
    ),
    "a head that serves twice": (shared_head, "would change what this model"),
    "a reader that serves twice": (tied_reader, "would change what this model"),
    "a latent of no variance": (flat_latent, "latent 1 has mean .* and variance 0"),
    "a plain autoencoder": (
        lambda: Autoencoder(SHAPE, LATENTS, hidden=()),
        "gave a Tensor; a plain autoencoder",
    ),
}


@pytest.mark.parametrize(("build", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_rescaled_is_refused_and_left_as_it_was(build, says):
    model = off(build, torch.float32) if build is not flat_latent else build()
    before = state_of(model)
    with pytest.raises(ValueError, match=says):
        rescale(model, images())
    assert_same_state(before, state_of(model))
    assert not any(len(part._forward_hooks) for part in model.modules())


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="encode and decode.* not Linear and Tensor"):
        rescale(nn.Linear(3, 3), torch.rand(5, 3))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x.tolist(), "a tensor: not .* and list"),
        (lambda x: x[:1], "at least 2 images, but got 1"),
        (lambda x: x[:0], "at least 2 images, but got 0"),
        (lambda x: x.flatten(1), r"\(batch, 1, 8, 8\)"),
        (lambda x: x * math.nan, "latent 0 has mean nan"),
        (lambda x: x * 1e38, "latent 0 has mean"),
    ],
)
def test_images_that_say_nothing_of_the_codes_are_refused(change, says):
    model = off(bring, torch.float32)
    before = state_of(model)
    with pytest.raises(ValueError, match=says):
        rescale(model, change(images()))
    assert_same_state(before, state_of(model))
