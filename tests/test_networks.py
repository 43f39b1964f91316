"""The convolutional and the transformer VAE: what their networks see, and how large they are."""

import math

import pytest
import torch
from torch.distributions import Normal

from vae_course.models import LOWEST_LOG_STD, VAE, ConvolutionalVAE, PictureVAE, TransformerVAE
from vae_course.models.transformer import sincos_positions
from vae_course.objectives import sample_posterior

COLOUR, WIDE = (3, 16, 16), (1, 8, 24)
BUILDERS = {
    "convolutional": lambda shape, **o: ConvolutionalVAE(shape, 5, channels=(6, 8), **o),
    "transformer": lambda shape, **o: TransformerVAE(
        shape, 5, patch=4, width=16, depth=2, heads=2, **o
    ),
}
each_network = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
each_shape = pytest.mark.parametrize("shape", [COLOUR, WIDE])
OPTIONS = [{"std": "unit"}, {"std": "per_pixel"}, {"std": 0.3}, {"likelihood": "bernoulli"}]


def count(module):
    return sum(values.numel() for values in module.parameters())


# ---- Both


@each_network
@each_shape
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_shapes(build, shape, options):
    torch.manual_seed(0)
    model, x = build(shape, **options), torch.rand(4, *shape)
    posterior, decoded = model.encode(x), model.decode(torch.randn(4, 5))
    assert isinstance(model, PictureVAE)
    assert posterior.mean.shape == posterior.log_std.shape == (4, 5)
    assert decoded.mean.shape == model.sample(4).shape == model.reconstruct(x).shape == x.shape
    assert [part.shape for part in model.elbo(x, n_samples=2)] == [(4,)] * 3
    if options.get("std") == "per_pixel":
        assert decoded.log_std.shape == x.shape


@each_network
def test_every_parameter_learns_and_examples_do_not_mix(build):
    torch.manual_seed(0)
    model, x = build(COLOUR, std="per_pixel"), torch.rand(6, *COLOUR)
    model.elbo(x).total.mean().backward()
    assert all(values.grad.abs().sum() > 0 for values in model.parameters())
    alone = torch.cat([model.encode(one[None]).mean for one in x])
    assert torch.allclose(alone, model.encode(x).mean, atol=1e-5)


@each_network
def test_every_pixel_reaches_the_code_and_every_latent_each_pixel(build):
    torch.manual_seed(0)
    model = build(COLOUR, std="per_pixel")
    x = torch.rand(1, *COLOUR, requires_grad=True)
    model.encode(x).mean.square().sum().backward()
    assert (x.grad != 0).all()
    slopes = torch.autograd.functional.jacobian(lambda z: model.decode(z).mean, torch.randn(1, 5))
    assert (slopes[0, ..., 0, :] != 0).float().mean() > 0.99


@each_network
def test_the_log_std_is_bounded_below(build):
    model = build(COLOUR, std="per_pixel")
    with torch.no_grad():
        for values in model.decoder.parameters():
            values.mul_(1000)
    log_std = model.decode(10 * torch.randn(8, 5)).log_std
    assert log_std.isfinite().all() and log_std.min() >= LOWEST_LOG_STD
    assert log_std.min() < LOWEST_LOG_STD + 0.1 and log_std.max() > 0


@each_network
def test_the_bound_of_the_log_std_can_be_set(build):
    model = build(COLOUR, std="per_pixel", lowest_std=0.05)
    with torch.no_grad():
        for values in model.decoder.parameters():
            values.mul_(1000)
    std = model.decode(10 * torch.randn(8, 5)).log_std.exp()
    assert 0.05 * (1 - 1e-5) <= std.min() <= 0.051
    with pytest.raises(ValueError, match="lowest_std must be a positive number, but is 0"):
        build(COLOUR, lowest_std=0)


@each_network
def test_the_std_can_be_bounded_from_both_sides(build):
    torch.manual_seed(0)
    model = build(COLOUR, std="per_pixel", lowest_std=0.05, highest_std=0.2)
    gentle = model.decode(torch.randn(8, 5)).log_std
    assert ((gentle > math.log(0.05)) & (gentle < math.log(0.2))).all()
    with torch.no_grad():
        for values in model.decoder.parameters():
            values.mul_(1000)
    std = model.decode(10 * torch.randn(8, 5)).log_std.exp()
    assert std.min().item() == pytest.approx(0.05) and std.max().item() == pytest.approx(0.2)
    with pytest.raises(ValueError, match="lowest_std, 0.3, must be less than highest_std, 0.2"):
        build(COLOUR, lowest_std=0.3, highest_std=0.2)


@each_network
@pytest.mark.parametrize("std", ["per_pixel", "unit"])
def test_elbo_against_torch_distributions_for_given_noise(build, std):
    torch.manual_seed(0)
    model, x = build(COLOUR, std=std), torch.rand(4, *COLOUR)
    noise = torch.randn(2, 4, 5)
    mean, log_std = model.encode(x)
    posterior = Normal(mean, log_std.exp())
    each = []
    for one in noise:
        decoded = model.decode(posterior.mean + posterior.stddev * one)
        each.append(Normal(decoded.mean, decoded.log_std.exp()).log_prob(x).flatten(1).sum(1))
    kl = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    found = model.elbo(x, n_samples=2, beta=3, noise=noise)
    expected = torch.stack(each).mean(0)
    assert torch.allclose(found.reconstruction, expected, rtol=1e-4)
    assert torch.allclose(found.total, expected - 3 * kl, rtol=1e-4)


def test_noise_replaces_the_draw():
    mean, noise = torch.randn(3, 2), torch.randn(3, 2)
    before = torch.get_rng_state()
    assert torch.equal(sample_posterior(mean, math.log(2), noise), mean + 2 * noise)
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(ValueError, match="noise must have the same shape|same shape"):
        sample_posterior(mean, 0.0, noise[:2])
    with pytest.raises(ValueError, match=r"noise must be \(1, 2, 3\)"):
        VAE((1, 4, 4), 3).elbo(torch.rand(2, 1, 4, 4), noise=torch.zeros(2, 3))


def test_activations():
    torch.manual_seed(0)
    x = torch.rand(3, 1, 4, 4)
    for name, function in {"elu": torch.nn.functional.elu, "tanh": torch.tanh}.items():
        model = VAE((1, 4, 4), 2, hidden=(7,), activation=name)
        first, _, last = model.encoder
        expected = last(function(first(x.flatten(1))))
        assert torch.equal(model.encode(x).mean, expected[:, :2])
    with pytest.raises(ValueError, match="relu.*'gelu'"):
        VAE((1, 4, 4), 2, activation="gelu")


# ---- Convolutional


def test_each_layer_halves_and_doubles():
    model = ConvolutionalVAE((3, 16, 24), 5, channels=(6, 8))
    sizes = []
    for layer in [*model.encoder, *model.decoder]:
        layer.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    model.reconstruct(torch.rand(1, 3, 16, 24))
    pictures = list(dict.fromkeys(size for size in sizes if len(size) == 3))
    assert pictures == [(3, 16, 24), (6, 8, 12), (8, 4, 6)]
    # Weights and biases of 4 x 4 filters, and of two linear layers.
    down = (3 * 16 + 1) * 6 + (6 * 16 + 1) * 8 + (8 * 24 + 1) * 10
    up = (5 + 1) * 8 * 24 + 8 * 16 * 6 + 6 + 6 * 16 * 3 + 3
    assert count(model) == down + up


@pytest.mark.parametrize("shape, channels", [((1, 28, 28), (4, 4, 4)), ((1, 6, 8), (4, 4))])
def test_pictures_that_cannot_be_halved_that_often(shape, channels):
    with pytest.raises(ValueError, match=f"multiples of {2 ** len(channels)}.*{shape[1]} x"):
        ConvolutionalVAE(shape, 2, channels=channels)
    with pytest.raises(ValueError, match="at least one layer"):
        ConvolutionalVAE(shape, 2, channels=())


@each_network
@pytest.mark.parametrize("shape", [(12,), (16, 16), (1, 1, 16, 16)])
def test_networks_that_look_at_pictures_need_pictures(build, shape):
    with pytest.raises(ValueError, match=r"shape must be \(channels, height, width\), but is"):
        build(shape)


# ---- Transformer


def test_the_sources_configuration():
    """Hidden 256, depth 4, heads 4, patch 8, 64 latents, 64 x 64 x 3: the defaults."""
    model = TransformerVAE((3, 64, 64), 64, std="per_pixel")
    w, patch, z = 256, 8 * 8 * 3, 64
    attention = 4 * w * w + 4 * w  # three maps in, one out, with biases
    hidden = 2 * 4 * w * w + 4 * w + w  # to four times the width and back
    block = attention + hidden + 2 * 2 * w  # two norms with scale and shift
    encoder = (patch + 1) * w + w + 4 * block + 2 * w + (w + 1) * 2 * z
    decoder = (z + 1) * w + 4 * block + 2 * w + (w + 1) * 2 * patch
    assert count(model.encoder) == encoder and count(model.decoder) == decoder
    assert count(model) == 6_516_992
    decoded = model.decode(torch.randn(2, 64))
    assert decoded.mean.shape == decoded.log_std.shape == (2, 3, 64, 64)
    assert model.encode(torch.rand(2, 3, 64, 64)).mean.shape == (2, 64)


def test_positions_one_by_one():
    found = sincos_positions((8, 12), 4, 16)
    assert found.shape == (2 * 3, 16)
    for row in range(2):
        for column in range(3):
            for i in range(4):
                f = 1 / 10_000 ** (i / 4)
                waves = [math.sin(row * f), math.cos(row * f)]
                waves += [math.sin(column * f), math.cos(column * f)]
                for part, value in enumerate(waves):
                    got = found[3 * row + column, 4 * part + i].item()
                    assert got == pytest.approx(value, abs=1e-6)


def test_tokens_are_patches_row_by_row():
    torch.manual_seed(0)
    encoder = BUILDERS["transformer"](WIDE).encoder
    seen = []
    encoder.blocks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.rand(2, *WIDE)
    encoder(x.flatten(1))
    (tokens,) = seen
    assert torch.equal(tokens[:, 0], encoder.summary.expand(2, -1))
    weight = encoder.embed.weight.flatten(1)
    for row in range(2):
        for column in range(6):
            patch = x[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)
            place = sincos_positions((8, 24), 4, 16)[6 * row + column]
            expected = patch @ weight.T + encoder.embed.bias + place
            assert torch.allclose(tokens[:, 1 + 6 * row + column], expected, atol=1e-5)


def test_the_code_is_read_from_the_summary_alone():
    torch.manual_seed(0)
    model, x = BUILDERS["transformer"](WIDE), torch.rand(2, *WIDE)
    before = model.encode(x).mean

    def keep(place):
        return lambda _, __, out: out * (torch.arange(13) == place)[:, None]

    for place, same in ((0, True), (1, False)):
        hook = model.encoder.blocks.register_forward_hook(keep(place))
        assert torch.equal(model.encode(x).mean, before) == same
        hook.remove()


def test_a_tokens_numbers_are_its_patch():
    torch.manual_seed(0)
    decoder = BUILDERS["transformer"](WIDE, std="per_pixel").decoder
    decoder.blocks.register_forward_hook(lambda _, __, out: out * (torch.arange(12) == 7)[:, None])
    with torch.no_grad():
        decoder.head.bias.zero_()
    mean, raw = decoder(torch.randn(1, 5)).unflatten(1, (2, *WIDE))[0].detach()
    for picture in (mean, raw):
        assert (picture[:, 4:8, 4:8] != 0).all()  # place 7: second row of patches, second column
        assert (picture != 0).sum() == 16


def test_blocks_start_from_weights_of_their_own_and_norm_first():
    model = TransformerVAE(COLOUR, 5, patch=4, width=16, depth=2, heads=2)
    first, second, _ = model.encoder.blocks
    assert not torch.equal(first.linear1.weight, second.linear1.weight)
    assert not torch.equal(first.self_attn.in_proj_weight, second.self_attn.in_proj_weight)
    tokens = torch.randn(2, 3, 16)
    with torch.no_grad():
        normed = first.norm1(tokens)
        after = tokens + first.self_attn(normed, normed, normed)[0]
        hidden = torch.nn.functional.gelu(first.linear1(first.norm2(after)))
        assert torch.allclose(first(tokens), after + first.linear2(hidden), atol=1e-5)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"patch": 5}, "patches of 5 x 5 do not fill pictures of 16 x 16"),
        ({"width": 18, "heads": 2}, "multiple of heads .2. and of 4.*is 18"),
        ({"width": 16, "heads": 3}, "multiple of heads .3."),
        ({"depth": 0}, "depth must be positive"),
        ({"width": (16,)}, "width must be positive"),
        ({"std": "learned"}, "std must be"),
        ({"likelihood": "bernoulli", "std": "per_pixel"}, "Bernoulli one has none"),
    ],
)
def test_transformers_that_cannot_be(options, said):
    with pytest.raises(ValueError, match=said):
        TransformerVAE(COLOUR, 5, **{"patch": 4, "width": 16, "heads": 2} | options)


def test_a_map_for_each_place():
    torch.manual_seed(0)
    model = TransformerVAE(COLOUR, 5, patch=4, width=16, depth=2, heads=2, place_maps=True)
    alike = TransformerVAE(COLOUR, 5, patch=4, width=16, depth=2, heads=2)
    assert count(model) - count(alike) == (16 - 1) * (5 + 1) * 16
    seen = []
    model.decoder.blocks.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    z = torch.randn(2, 5)
    assert model.decode(z).mean.shape == (2, *COLOUR)
    linear = model.decoder.spread[0]
    for place in range(16):
        rows = slice(16 * place, 16 * place + 16)
        expected = z @ linear.weight[rows].T + linear.bias[rows] + model.decoder.positions[place]
        assert torch.allclose(seen[0][:, place], expected, atol=1e-5)


@each_network
def test_without_a_word_the_std_is_optimal_and_a_bernoulli_needs_none(build):
    assert build(WIDE).std == "optimal" and VAE(WIDE, 5).std == "optimal"
    model = build(WIDE, likelihood="bernoulli")
    assert model.std is None
    assert model.decode(torch.randn(1, 5)).mean.shape == (1, *WIDE)
