import math
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from vae_course.models import (
    LOWEST_LOG_STD,
    VAE,
    Autoencoder,
    ConvolutionalVAE,
    ObservationModel,
)
from vae_course.train.objective import NAMES, Objective

GREY, COLOUR = (1, 6, 5), (3, 4, 4)
OPTIONS = {
    "unit": {"std": "unit"},
    "said nothing": {},
    "number": {"std": 0.3},
    "shared": {"std": "shared"},
    "optimal": {"std": "optimal"},
    "per_pixel": {"std": "per_pixel"},
    "bernoulli": {"likelihood": "bernoulli"},
}
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
each_shape = pytest.mark.parametrize("shape", [GREY, COLOUR])


def small_vae(shape=GREY, latent_dim=3, **options):
    """A VAE whose biases and learned std are not at their starting values."""
    model = VAE(shape, latent_dim, hidden=(16, 12), **options)
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.05 * torch.randn_like(values))
    return model


def sure_of_its_codes(model):
    """The model with posteriors so narrow that every draw of z is the same."""
    with torch.no_grad():
        model.encoder[-1].weight[model.latent_dim :] = 0
        model.encoder[-1].bias[model.latent_dim :] = -40
    return model


def linear_sizes(network):
    return [
        (layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)
    ]


# ---- Shapes and layers


@each_shape
@pytest.mark.parametrize("batch", [1, 4])
def test_shapes_of_an_autoencoder(shape, batch):
    model, x = Autoencoder(shape, 3, hidden=(16,)), torch.rand(batch, *shape)
    assert model.encode(x).shape == (batch, 3)
    assert model.decode(torch.randn(batch, 3)).shape == (batch, *shape)
    assert model.reconstruct(x).shape == (batch, *shape)


@each_option
@each_shape
@pytest.mark.parametrize("batch", [1, 4])
def test_shapes_of_a_vae(shape, batch, options):
    model, x = small_vae(shape, **options), torch.rand(batch, *shape)
    posterior, likelihood = model.encode(x), model.decode(torch.randn(batch, 3))
    assert posterior.mean.shape == posterior.log_std.shape == (batch, 3)
    assert likelihood.mean.shape == (batch, *shape)
    assert [part.shape for part in model.elbo(x)] == [(batch,)] * 3
    assert model.log_likelihood(x, torch.randn(batch, 3)).shape == (batch,)
    assert model.reconstruct(x).shape == model.sample(batch).shape == (batch, *shape)


def test_shape_of_the_log_std():
    z = torch.randn(2, 3)
    assert small_vae(COLOUR, std="per_pixel").decode(z).log_std.shape == (2, *COLOUR)
    for std in ("unit", 0.3, "shared", "optimal"):
        assert small_vae(COLOUR, std=std).decode(z).log_std.shape == ()


def test_hidden_layers_are_mirrored():
    vae = VAE(COLOUR, 3, hidden=(20, 10))
    assert linear_sizes(vae.encoder) == [(48, 20), (20, 10), (10, 6)]
    assert linear_sizes(vae.decoder) == [(3, 10), (10, 20), (20, 48)]
    plain = Autoencoder(COLOUR, 3, hidden=(20, 10))
    assert linear_sizes(plain.encoder) == [(48, 20), (20, 10), (10, 3)]
    assert linear_sizes(plain.decoder) == [(3, 10), (10, 20), (20, 48)]


def test_only_hidden_layers_bend():
    flat, bent = Autoencoder(GREY, 3, hidden=()), Autoencoder(GREY, 3, hidden=(16,))
    x = torch.randn(50, *GREY)
    zero = torch.zeros_like(x)
    for model, is_flat in ((flat, True), (bent, False)):
        codes = model.encode(x) + model.encode(-x)
        assert torch.allclose(codes, 2 * model.encode(zero), atol=1e-5) == is_flat
        assert (model.encode(x) < 0).any() and (model.reconstruct(x) < 0).any()


def test_pixels_keep_their_places():
    model = Autoencoder(COLOUR, 48, hidden=())
    with torch.no_grad():
        for layer in (model.encoder[0], model.decoder[0]):
            layer.weight.copy_(torch.eye(48))
            layer.bias.zero_()
    x = torch.rand(2, *COLOUR)
    assert torch.equal(model.reconstruct(x), x)


# ---- Gradients


@each_option
@each_shape
def test_elbo_sends_gradients_everywhere(shape, options):
    model = small_vae(shape, **options)
    model.elbo(torch.rand(8, *shape)).total.mean().backward()
    last = model.encoder[-1].weight.grad
    assert (last[:3].abs().sum(1) > 0).all(), "the rows of the mean"
    assert (last[3:].abs().sum(1) > 0).all(), "the rows of the log std"
    assert all(values.grad.abs().sum() > 0 for values in model.parameters())


@each_option
def test_reconstruction_alone_sends_gradients_to_both_encoder_heads(options):
    model = small_vae(**options)
    model.elbo(torch.rand(8, *GREY)).reconstruction.mean().backward()
    assert (model.encoder[-1].weight.grad.abs().sum(1) > 0).all()


def test_kl_leaves_the_decoder_alone():
    model = small_vae()
    model.elbo(torch.rand(8, *GREY)).kl.mean().backward()
    assert all(values.grad is None for values in model.decoder.parameters())
    assert (model.encoder[-1].weight.grad.abs().sum(1) > 0).all()


def test_reconstruction_of_an_autoencoder_sends_gradients_everywhere():
    model, x = Autoencoder(GREY, 3, hidden=(16,)), torch.rand(8, *GREY)
    (x - model.reconstruct(x)).square().mean().backward()
    assert all(values.grad.abs().sum() > 0 for values in model.parameters())


# ---- The ELBO


def expected_log_prob(model, x, z, options):
    """log p(x|z) from torch.distributions and the decoder's raw output."""
    out = model.decoder(z)
    if options.get("likelihood") == "bernoulli":
        return Bernoulli(logits=out).log_prob(x.flatten(1)).sum(1)
    mean = out[:, : x[0].numel()]
    std = {
        "unit": lambda: 1.0,
        "shared": lambda: model.log_std.exp(),
        "optimal": lambda: (x.flatten(1) - mean).square().mean().sqrt(),
        "per_pixel": lambda: model.decode(z).log_std.flatten(1).exp(),
    }.get(options.get("std", "optimal"), lambda: options["std"])()
    return Normal(mean, std).log_prob(x.flatten(1)).sum(1)


@each_option
@each_shape
@pytest.mark.parametrize("n_samples", [1, 3])
def test_elbo_agrees_with_torch_distributions(shape, options, n_samples):
    model, x = small_vae(shape, **options), (torch.rand(4, *shape) > 0.5).float()
    mean, log_std = model.encoder(x.flatten(1))[:, :3], model.encoder(x.flatten(1))[:, 3:]
    torch.manual_seed(5)
    draws = [
        expected_log_prob(model, x, mean + log_std.exp() * torch.randn(4, 3), options)
        for _ in range(n_samples)
    ]
    torch.manual_seed(5)
    result = model.elbo(x, n_samples=n_samples, beta=2.5)
    kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0, 1)).sum(1)
    torch.testing.assert_close(result.kl, kl)
    torch.testing.assert_close(result.reconstruction, sum(draws) / n_samples)
    torch.testing.assert_close(result.total, sum(draws) / n_samples - 2.5 * kl)


def test_elbo_has_beta_one_and_one_sample_unless_told():
    model, x = small_vae(), torch.rand(4, *GREY)
    torch.manual_seed(5)
    default = model.elbo(x)
    torch.manual_seed(5)
    for part, expected in zip(default, model.elbo(x, n_samples=1, beta=1.0), strict=True):
        assert torch.equal(part, expected)


def test_more_samples_make_the_reconstruction_less_noisy():
    model, x = small_vae(std=0.1), torch.rand(1, *GREY).expand(2000, *GREY)
    spread = {n: model.elbo(x, n_samples=n).reconstruction.std().item() for n in (1, 16)}
    assert spread[1] / spread[16] == pytest.approx(4, rel=0.15)


def test_elbo_of_the_exact_posterior_is_the_exact_log_likelihood():
    # x = W z + noise of std 0.5, with orthogonal columns in W: the posterior is diagonal.
    model, x = VAE((1, 1, 3), 2, hidden=(), std=0.5), torch.randn(6, 1, 1, 3)
    weight = torch.tensor([[1.5, 0.0], [0.0, -0.4], [0.0, 0.3]])
    variance = 1 / (1 + weight.square().sum(0) / 0.25)
    with torch.no_grad():
        model.decoder[0].weight.copy_(weight)
        model.decoder[0].bias.zero_()
        model.encoder[0].weight.zero_()
        model.encoder[0].weight[:2] = variance[:, None] * weight.T / 0.25
        model.encoder[0].bias[:2] = 0
        model.encoder[0].bias[2:] = 0.5 * variance.log()
    marginal = torch.distributions.MultivariateNormal(
        torch.zeros(3), weight @ weight.T + 0.25 * torch.eye(3)
    )
    draws = model.elbo(x.repeat(4000, 1, 1, 1)).total.view(4000, 6)
    error = draws.mean(0) - marginal.log_prob(x.flatten(1))
    assert (error.abs() < 5 * draws.std(0) / math.sqrt(4000)).all()
    assert draws.std(0).max() < 2


# ---- The decoder's std


@pytest.mark.parametrize(("std", "expected"), [("unit", 1.0), (0.3, 0.3), (2, 2.0)])
def test_a_fixed_std_is_used_and_not_learned(std, expected):
    model = small_vae(std=std)
    assert model.decode(torch.zeros(1, 3)).log_std.exp().item() == pytest.approx(expected)
    assert "log_std" not in dict(model.named_parameters())


def test_the_shared_std_learns_the_rmse():
    model, x = sure_of_its_codes(small_vae(std="shared")), torch.rand(50, *GREY)
    rmse = (x - model.reconstruct(x)).square().mean().sqrt().item()
    optimizer = torch.optim.LBFGS([model.log_std], line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = model.elbo(x).reconstruction.mean().neg()
        value.backward()
        return value

    optimizer.step(loss)
    assert model.log_std.exp().item() == pytest.approx(rmse, rel=1e-3)


def test_the_optimal_std_of_a_batch_beats_every_fixed_one():
    model, x = sure_of_its_codes(small_vae(std="optimal")), torch.rand(50, *GREY)
    result = model.elbo(x).reconstruction.sum().item()
    mean = model.reconstruct(x)
    rmse = (x - mean).square().mean().sqrt().item()
    for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2):
        assert Normal(mean, factor * rmse).log_prob(x).sum().item() < result
    assert Normal(mean, rmse).log_prob(x).sum().item() == pytest.approx(result, rel=1e-5)


def test_the_optimal_std_in_training_ignores_the_stored_one():
    model, x = sure_of_its_codes(small_vae(std="optimal")), torch.rand(5, *GREY)
    first = model.elbo(x).reconstruction
    model.log_std.fill_(3.0)
    torch.testing.assert_close(model.elbo(x).reconstruction, first)


def test_the_stored_optimal_std_converges_to_the_rmse():
    model, x = sure_of_its_codes(small_vae(std="optimal")), torch.rand(50, *GREY)
    rmse = (x - model.reconstruct(x)).square().mean().sqrt().item()
    start = model.log_std.item()
    model.elbo(x)
    assert start > model.log_std.item() > math.log(rmse) + 0.5 * (start - math.log(rmse))
    for _ in range(300):
        model.elbo(x)
    assert model.log_std.exp().item() == pytest.approx(rmse, rel=1e-3)


def test_the_stored_optimal_std_is_used_and_left_alone_in_eval_mode():
    model, x = sure_of_its_codes(small_vae(std="optimal")).eval(), torch.rand(5, *GREY)
    model.log_std.fill_(math.log(0.7))
    expected = Normal(model.reconstruct(x), 0.7).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(model.elbo(x).reconstruction, expected)
    assert model.log_std.item() == pytest.approx(math.log(0.7))


@pytest.mark.parametrize(("raw", "expected"), [(-1e4, LOWEST_LOG_STD), (-1.0, -1.0), (2.0, 2.0)])
def test_the_std_per_pixel_comes_from_the_second_half_and_is_bounded_below(raw, expected):
    model = VAE(COLOUR, 3, hidden=(16,), std="per_pixel")
    with torch.no_grad():
        model.decoder[-1].weight.zero_()
        model.decoder[-1].bias[:48] = torch.arange(48.0)
        model.decoder[-1].bias[48:] = raw
    mean, log_std = model.decode(torch.randn(2, 3))
    assert torch.equal(mean, torch.arange(48.0).reshape(COLOUR).expand(2, *COLOUR))
    assert (log_std >= LOWEST_LOG_STD).all()
    torch.testing.assert_close(log_std, torch.full((2, *COLOUR), expected), atol=0.01, rtol=0)


def test_the_std_per_pixel_is_bounded_whatever_the_code():
    model = small_vae(std="per_pixel")
    assert model.decode(1e4 * torch.randn(100, 3)).log_std.min() >= LOWEST_LOG_STD


@pytest.mark.parametrize("std", [0.3, "unit", "shared", "optimal", "per_pixel"])
def test_a_bernoulli_decoder_has_no_std(std):
    with pytest.raises(ValueError, match="std=.*Gaussian likelihood"):
        VAE(GREY, 2, likelihood="bernoulli", std=std)


# ---- Samples and reconstructions


@pytest.mark.parametrize(("noise", "variance"), [(True, 0.25), (False, 0.0)])
@pytest.mark.parametrize("std", [0.5, "shared", "optimal", "per_pixel"])
def test_samples_of_a_linear_model_have_its_mean_and_covariance(std, noise, variance):
    model = VAE((1, 1, 3), 2, hidden=(), std=std).eval()
    weight, bias = torch.tensor([[1.0, 0.0], [2.0, -1.0], [0.0, 0.5]]), torch.tensor([0.0, 5.0, -3])
    with torch.no_grad():
        model.decoder[0].weight.zero_()
        model.decoder[0].weight[:3] = weight
        model.decoder[0].bias[:3] = bias
        model.decoder[0].bias[3:] = math.log(0.5)
        model.log_std.fill_(math.log(0.5))
    x = model.sample(100_000, noise=noise).flatten(1)
    expected = weight @ weight.T + variance * torch.eye(3)
    torch.testing.assert_close(x.mean(0), bias, atol=0.04, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), expected, atol=0.12, rtol=0)


def test_bernoulli_samples_are_black_or_white_with_the_right_frequency():
    model = VAE(GREY, 2, hidden=(), likelihood="bernoulli")
    p = torch.linspace(0.05, 0.95, 30)
    with torch.no_grad():
        model.decoder[0].weight.zero_()
        model.decoder[0].bias.copy_(p.logit())
    x = model.sample(20_000).flatten(1)
    assert x.unique().tolist() == [0, 1]
    assert ((x.mean(0) - p).abs() < 5 * (p * (1 - p) / 20_000).sqrt()).all()
    torch.testing.assert_close(model.sample(2, noise=False).flatten(1), p.expand(2, 30))


@each_option
def test_samples_differ_and_are_noisy_unless_told(options):
    model = small_vae(**options)
    torch.manual_seed(3)
    default = model.sample(4)
    torch.manual_seed(3)
    assert torch.equal(model.sample(4, noise=True), default)
    torch.manual_seed(3)
    plain = model.sample(4, noise=False)
    assert not torch.equal(plain, default)
    assert len(plain.unique(dim=0)) == 4 and not plain.requires_grad


def test_reconstruction_is_decoder_mean_at_posterior_mean():
    model, x = VAE(COLOUR, 2, hidden=()), torch.rand(4, *COLOUR)
    (w_in, b_in), (w_out, b_out) = model.encoder[0].parameters(), model.decoder[0].parameters()
    expected = (x.flatten(1) @ w_in[:2].T + b_in[:2]) @ w_out.T + b_out
    torch.testing.assert_close(model.reconstruct(x), expected.detach().view(4, *COLOUR))


@each_option
def test_reconstruction_draws_nothing(options):
    model, x = small_vae(**options), torch.rand(4, *GREY)
    state = torch.get_rng_state()
    first = model.reconstruct(x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model.reconstruct(x), first) and not first.requires_grad


def test_a_bernoulli_reconstruction_is_a_probability():
    model, x = small_vae(likelihood="bernoulli"), torch.rand(4, *GREY)
    expected = torch.sigmoid(model.decoder(model.encoder(x.flatten(1))[:, :3]))
    torch.testing.assert_close(model.reconstruct(x).flatten(1), expected)


@each_option
def test_state_dict_holds_all_of_a_vae(options):
    model, x = small_vae(**options), torch.rand(4, *GREY)
    model.elbo(x)  # moves the stored std of "optimal"
    twin = VAE(GREY, 3, hidden=(16, 12), **options)
    twin.load_state_dict(model.state_dict())
    results = []
    for each in (model.eval(), twin.eval()):
        torch.manual_seed(1)
        results.append(torch.stack(each.elbo(x)))
    assert torch.equal(*results)


# ---- Errors

BAD_SIZES = {
    "no pixels": ({"shape": (1, 0, 5)}, "shape"),
    "no size": ({"shape": ()}, r"shape.*\(columns,\), but is \(\)"),
    "one number": ({"shape": 12}, r"shape.*\(columns,\), but is 12"),
    "broken size": ({"shape": (1, 2.5, 5)}, "shape"),
    "no latents": ({"latent_dim": 0}, "latent_dim"),
    "half a latent": ({"latent_dim": 2.5}, "latent_dim"),
    "empty layer": ({"hidden": (16, 0)}, "hidden"),
    "negative layer": ({"hidden": (-3,)}, "hidden"),
}


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
@pytest.mark.parametrize(("change", "named"), BAD_SIZES.values(), ids=BAD_SIZES)
def test_sizes_must_be_positive_whole_numbers(kind, change, named):
    sizes = {"shape": GREY, "latent_dim": 2, "hidden": (16,)} | change
    with pytest.raises(ValueError, match=named):
        kind(**sizes)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"likelihood": "poisson"}, "likelihood .*gaussian or bernoulli.*'poisson'"),
        ({"likelihood": None}, "likelihood .*gaussian or bernoulli.*None"),
        ({"std": "fixed"}, "std .*'unit', 'shared', 'optimal', 'per_pixel'.*'fixed'"),
        *(({"std": std}, "std .*positive") for std in (0, -0.1, math.nan, math.inf)),
    ],
)
def test_unknown_options_are_refused_with_the_known_ones(options, named):
    with pytest.raises(ValueError, match=named):
        VAE(GREY, 2, **options)


@pytest.mark.parametrize("model", [Autoencoder(GREY, 2, hidden=()), VAE(GREY, 2, hidden=())])
@pytest.mark.parametrize("shape", [(4, 30), (1, 6, 5), (4, 1, 5, 6), (4, 3, 6, 5)])
def test_pictures_of_another_shape_are_refused(model, shape):
    for call in (model.encode, model.reconstruct):
        with pytest.raises(ValueError) as error:
            call(torch.rand(shape))
        assert "(batch, 1, 6, 5)" in str(error.value) and str(shape) in str(error.value)


@pytest.mark.parametrize("model", [Autoencoder(GREY, 2, hidden=()), VAE(GREY, 2, hidden=())])
@pytest.mark.parametrize("shape", [(4, 3), (2,), (4, 2, 1)])
def test_codes_of_another_shape_are_refused(model, shape):
    with pytest.raises(ValueError) as error:
        model.decode(torch.randn(shape))
    assert "(batch, 2)" in str(error.value) and str(shape) in str(error.value)


@pytest.mark.parametrize("n_samples", [0, -1])
def test_elbo_needs_a_sample(n_samples):
    with pytest.raises(ValueError, match=f"n_samples.*{n_samples}"):
        VAE(GREY, 2, hidden=()).elbo(torch.rand(4, *GREY), n_samples=n_samples)


def test_an_optimal_std_survives_a_perfect_reconstruction():
    model = VAE(GREY, 2, hidden=(), std="optimal")
    z, x = torch.zeros(4, 2), torch.rand(4, *GREY)
    model.log_likelihood(model.decode(z).mean.detach(), z)
    assert torch.isfinite(model.log_likelihood(x, z)).all() and model.log_std.isfinite()


@pytest.mark.parametrize("options", [{"hidden": 3}, {"std": [0.1]}])
def test_options_of_the_wrong_type_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        VAE(GREY, 2, **options)


# ---- Numbers of another kind, and tables


@pytest.mark.parametrize("kind", [Autoencoder, VAE, partial(ConvolutionalVAE, channels=(2,))])
def test_bytes_are_refused_with_what_to_do(kind):
    model = kind((1, 6, 4), 2)
    for images in (torch.zeros(4, 1, 6, 4, dtype=torch.uint8), torch.zeros(4, 1, 6, 4).long()):
        for call in (model.encode, model.reconstruct):
            with pytest.raises(TypeError, match=rf"came as {images.dtype}.*float\(\) / 255"):
                call(images)


@pytest.mark.parametrize("kind", [Autoencoder, VAE, partial(ConvolutionalVAE, channels=(2,))])
def test_a_double_model_takes_double_pictures_and_no_others(kind):
    model, x = kind((1, 6, 4), 2), torch.rand(4, 1, 6, 4)
    with pytest.raises(TypeError, match="float64, but the model's weights are torch.float32"):
        model.encode(x.double())
    with pytest.raises(TypeError, match="float32, but the model's weights are torch.float64"):
        model.double().encode(x)
    assert model.reconstruct(x.double()).dtype == torch.float64
    if not isinstance(model, Autoencoder):
        assert all(part.dtype == torch.float64 for part in model.elbo(x.double()))
        assert model.sample(3).dtype == model.sample(3, noise=False).dtype == torch.float64


@each_option
def test_a_model_of_16_bits_sums_in_32(options):
    model, x = small_vae(**options).bfloat16().eval(), torch.rand(4, *GREY).round().bfloat16()
    assert [part.dtype for part in model.elbo(x)] == [torch.float32] * 3
    assert model.sample(2).dtype == torch.bfloat16


@each_option
def test_a_table_is_as_good_as_a_picture(options):
    torch.manual_seed(0)
    table = small_vae((12,), **options)
    torch.manual_seed(0)
    picture = small_vae((1, 3, 4), **options)
    rows, noise = torch.rand(5, 12).round(), torch.randn(1, 5, 3)
    for one, other in zip(
        table.elbo(rows, noise=noise),
        picture.elbo(rows.view(5, 1, 3, 4), noise=noise),
        strict=True,
    ):
        assert torch.equal(one, other)
    assert table.sample(2).shape == (2, 12) and table.reconstruct(rows).shape == (5, 12)
    with pytest.raises(ValueError, match=r"expected pictures \(batch, 12\), but got \(12,\)"):
        table.encode(rows[0])


def test_an_autoencoder_of_a_table():
    model = Autoencoder((12,), 3, hidden=(5,))
    assert model.reconstruct(torch.rand(4, 12)).shape == (4, 12)


# ---- A likelihood of one's own


class LaplaceDistribution(NamedTuple):
    mean: torch.Tensor
    scale: torch.Tensor

    @property
    def variance(self):
        return 2 * self.scale.square()

    def log_likelihood(self, x):
        return Laplace(self.mean, self.scale).log_prob(x).flatten(1).sum(1)

    def sample(self):
        return Laplace(self.mean, self.scale).sample()


class LaplacePixels(ObservationModel):
    likelihood, starting_log_std = "laplace", math.log(0.2)

    def decoded(self, outputs, shape, log_std):
        mean = outputs.unflatten(1, shape)
        return LaplaceDistribution(mean, log_std.exp().expand_as(mean))


@pytest.mark.parametrize("build", [small_vae, partial(ConvolutionalVAE, channels=(2,))])
def test_a_likelihood_of_ones_own_is_one_class(build):
    model, x = build((1, 6, 4), 3, likelihood=LaplacePixels()), torch.rand(4, 1, 6, 4)
    noise = torch.randn(1, 4, 3)
    mean, log_std = model.encode(x)
    decoded = model.decode(mean + log_std.exp() * noise[0])
    expected = Laplace(decoded.mean, 0.2).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(model.elbo(x, noise=noise).reconstruction, expected)
    assert (model.likelihood, model.std) == ("laplace", None)
    assert model.sample(2).shape == (2, 1, 6, 4)
    report = dict(zip(NAMES, Objective(model)(x, noise, 1.0), strict=True))
    torch.testing.assert_close(report["reconstruction"], expected.mean())
    assert report["variance"].item() == pytest.approx(2 * 0.2**2)
    with pytest.raises(ValueError, match="std='shared' is for a Gaussian"):
        build((1, 6, 4), 3, likelihood=LaplacePixels(), std="shared")
