"""Broken VAEs with their diagnoses, and healthy ones: the losses as their authors wrote them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from doctor_patients import Net, as_std, as_var
from torch import nn
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from vae_course.models import VAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal

FOLLOWS = {"collapsed_latents", "decoder_ignores_z", "aggregate_misses_prior", "sigma_not_rmse"}


@dataclass(frozen=True)
class Case:
    """`says` must be found, and found first, and `also`; of the rest only `follows` may be."""

    name: str
    make: Callable
    loss: Callable
    says: str = ""
    follows: set = field(default_factory=lambda: FOLLOWS)
    prepare: Callable = lambda pictures: pictures
    options: dict = field(default_factory=dict)
    tells_loss: bool = True
    steps: int | None = None
    few: int | None = None
    also: set = field(default_factory=set)


def total(x):
    return x.flatten(1).sum(1)


def gaussian_nll(x, decoded):
    mean, log_std = decoded
    return -total(Normal(mean, log_std.exp()).log_prob(x))


def kl_std(mean, log_std):
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return total(kl_divergence(Normal(mean, log_std.exp()), prior))


def kl_var(mean, log_var):
    return kl_std(mean, 0.5 * log_var)


def plain(x, decoded, mean, log_std):
    return (gaussian_nll(x, decoded) + kl_std(mean, log_std)).mean()


def learned(**options):
    return lambda: Net(learns_std=True, **options)


def fixed(sigma, weight=1.0):
    def loss(x, decoded, mean, log_std):
        return (total((x - decoded) ** 2) / (2 * sigma**2) + weight * kl_std(mean, log_std)).mean()

    return loss


def binary(pictures):
    return (pictures > 0.3).float()


# ---- Slips


def kl_of_a_variance(x, decoded, mean, log_std):
    kl = 0.5 * (log_std.exp() + mean**2 - 1 - log_std)
    return (gaussian_nll(x, decoded) + total(kl)).mean()


def std_for_var_in_the_kl(x, decoded, mean, log_var):
    return (gaussian_nll(x, decoded) + kl_std(mean, log_var)).mean()


def log_std_without_its_two(x, decoded, mean, log_std):
    picture, log_sigma = decoded
    nll = 0.5 * ((x - picture) ** 2 / (2 * log_sigma).exp() + log_sigma)
    return (total(nll) + kl_std(mean, log_std)).mean()


def hundredfold_kl(x, decoded, mean, log_std):
    return (gaussian_nll(x, decoded) + 100 * kl_std(mean, log_std)).mean()


def three_slips_at_once(x, decoded, mean, log_std):
    """The KL of a variance, ×100, with σ out of balance: as published."""
    picture, log_sigma = decoded
    nll = 0.5 * ((x - picture) ** 2 / (2 * log_sigma).exp() + log_sigma)
    kl = 0.5 * (log_std.exp() + mean**2 - 1 - log_std)
    return total(nll).mean() + 100 * total(kl).mean()


def tenth_of_mean_kl(x, decoded, mean, log_std):
    return F.mse_loss(decoded, x) + 0.1 * (kl_std(mean, log_std) / mean.shape[1]).mean()


def mean_over_both(x, decoded, mean, log_var):
    kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).mean()
    return F.binary_cross_entropy_with_logits(decoded, x) + kl


def mean_over_pixels(x, decoded, mean, log_std):
    return F.mse_loss(decoded, x) + kl_std(mean, log_std).mean()


def mean_over_pixels_bernoulli(x, decoded, mean, log_std):
    return F.binary_cross_entropy(decoded, x) + kl_std(mean, log_std).mean()


def mean_over_latents(x, decoded, mean, log_std):
    return (gaussian_nll(x, decoded) + kl_std(mean, log_std) / mean.shape[1]).mean()


def small_kld_weight(x, decoded, mean, log_var):
    return F.mse_loss(decoded, x) + 0.025 * kl_var(mean, log_var).mean()


def bernoulli(x, decoded, mean, log_std):
    nll = F.binary_cross_entropy_with_logits(decoded, x, reduction="none")
    return (total(nll) + kl_std(mean, log_std)).mean()


def constant_too_large(x, decoded, mean, log_std):
    picture, log_sigma = decoded
    per_pixel = -0.5 * 49 * math.log(2 * math.pi) - log_sigma
    per_pixel = per_pixel - 0.5 * ((x - picture) / log_sigma.exp()) ** 2
    return (kl_std(mean, log_std) - total(per_pixel)).mean()


def kl_turned(x, decoded, mean, log_var):
    return (gaussian_nll(x, decoded) - 0.1 * kl_var(mean, log_var)).mean()


def log_turned(x, decoded, mean, log_std):
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1) + log_std
    return (gaussian_nll(x, decoded) + total(kl)).mean()


def kl_without_half(x, decoded, mean, log_std):
    kl = mean**2 + (2 * log_std).exp() - 1 - 2 * log_std
    return (gaussian_nll(x, decoded) + total(kl)).mean()


def half_of_the_log(x, decoded, mean, log_std):
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - log_std)
    return (gaussian_nll(x, decoded) + total(kl)).mean()


def no_kl(x, decoded, mean, log_std):
    return gaussian_nll(x, decoded).mean()


def no_reconstruction(x, decoded, mean, log_std):
    return kl_std(mean, log_std).mean()


def reconstruction_turned(x, decoded, mean, log_std):
    return (kl_std(mean, log_std) - 0.5 * total((x - decoded) ** 2)).mean()


def sum_and_mean(x, decoded, mean, log_std):
    nll = F.binary_cross_entropy_with_logits(decoded, x, reduction="none")
    return total(nll).mean() + kl_std(mean, log_std).sum()


def squares_of_sigmoid(x, decoded, mean, log_std):
    return (total((x - decoded) ** 2) / 0.02 + kl_std(mean, log_std)).mean()


def stuck(mean, log_std):
    return Normal(mean, log_std.exp()).sample()


def noiseless(mean, log_std):
    return mean + 0 * log_std


def full_var(mean, log_var):
    return mean + log_var.exp() * torch.randn_like(mean)


class Deaf(Net):
    def decode(self, z):
        return super().decode(0 * z)


class Sampling(Net):
    """encode hands out a sample in place of the mean."""

    def encode(self, x):
        mean, log_std = super().encode(x)
        return mean + 0.3 * torch.randn_like(mean), log_std


class NotANumber(Net):
    def encode(self, x):
        mean, log_std = super().encode(x)
        return mean, log_std / 0


STD, VAR = {"spread": "log_std"}, {"spread": "log_var"}

BROKEN = [
    Case("KL takes log σ for log σ², said", learned(), kl_of_a_variance,
         "log_std_as_log_var", options=STD),
    Case("KL takes log σ for log σ², not said", learned(), kl_of_a_variance,
         "log_std_as_log_var", steps=250),
    Case("KL takes log σ for log σ², loss not shown", learned(), kl_of_a_variance,
         "aggregate_misses_prior", options=STD, tells_loss=False, steps=250),
    Case("KL takes log σ² for log σ", learned(draw=as_var), std_for_var_in_the_kl,
         "log_var_as_log_std", options=VAR),
    Case("sampling takes log σ² for log σ", learned(draw=full_var), 
         lambda x, d, m, s: (gaussian_nll(x, d) + kl_var(m, s)).mean(),
         "log_var_as_log_std", options=VAR | {"sample": full_var}),
    Case("½(error²/σ² + log σ)", learned(), log_std_without_its_two, "log_std_missing_half"),
    Case("the same, loss not shown", learned(), log_std_without_its_two, "sigma_not_rmse",
         options=STD, tells_loss=False, steps=300),
    Case("KL × 100", learned(), hundredfold_kl, "unexplained_kl_weight"),
    Case("three slips at once", learned(), three_slips_at_once, "log_std_as_log_var",
         FOLLOWS | {"unexplained_kl_weight", "log_std_missing_half"}, options=STD),
    Case("mean MSE + 0.1 mean KL", Net, tenth_of_mean_kl, "mean_for_sum",
         FOLLOWS | {"unexplained_kl_weight"}),
    Case("mean over latents and pixels", lambda: Net(12, draw=as_var), mean_over_both,
         "mean_for_sum", prepare=binary, options=VAR),
    Case("mean MSE + KL", Net, mean_over_pixels, "mean_for_sum",
         also={"collapsed_latents", "decoder_ignores_z"}),
    Case("mean cross-entropy + KL", lambda: Net(last=torch.sigmoid), mean_over_pixels_bernoulli,
         "mean_for_sum", prepare=binary),
    Case("KL averaged over latents", learned(), mean_over_latents, "mean_for_sum"),
    Case("mean MSE + 0.025 KL", lambda: Net(draw=as_var), small_kld_weight, "mean_for_sum",
         FOLLOWS | {"unexplained_kl_weight"}, options=VAR),
    Case("Bernoulli on grey pixels", Net, bernoulli, "bernoulli_on_grey"),
    Case("constant D times too large", learned(), constant_too_large, "constant_wrong"),
    Case("test pictures in training", learned(), plain, "test_in_train"),
    Case("KL subtracted", learned(draw=as_var), kl_turned, "kl_wrong_sign", options=VAR, steps=30),
    Case("+ log σ in the KL", learned(), log_turned, "kl_wrong_sign", steps=60),
    Case("KL without its ½", learned(), kl_without_half, "kl_missing_half"),
    Case("½ on log σ too", learned(), half_of_the_log, "kl_missing_half"),
    Case("no KL", learned(), no_kl, "kl_missing"),
    Case("no reconstruction", Net, no_reconstruction, "reconstruction_missing", steps=30),
    Case("reconstruction subtracted", Net, reconstruction_turned, "reconstruction_wrong_sign",
         FOLLOWS, steps=20),
    Case("KL summed over the batch", Net, sum_and_mean, "batch_reductions_differ", prepare=binary),
    Case("σ = 1 for a squared error", Net, fixed(1.0), "sigma_not_rmse"),
    Case("pixels -1..1, Bernoulli", Net, bernoulli, "pixels_out_of_range",
         prepare=lambda x: 2 * x - 1, steps=60),
    Case("pixels 0..255, decoder ends in a sigmoid", lambda: Net(last=torch.sigmoid), fixed(20.0),
         "pixels_out_of_range", prepare=lambda x: 255 * x),
    Case("second sigmoid", lambda: Net(last=torch.sigmoid), bernoulli, "sigmoid_twice",
         prepare=binary),
    Case("decoder without z", Deaf, fixed(0.1), "decoder_without_z"),
    Case("sample without gradient", learned(draw=stuck), plain, "sample_not_reparameterized",
         options={"sample": stuck}),
    Case("sample without noise", learned(draw=noiseless), plain, "sample_without_noise",
         options={"sample": noiseless} | STD),
    Case("encode returns a sample", lambda: Sampling(learns_std=True), plain, "not_deterministic"),
    Case("not a number", NotANumber, fixed(0.1), "not_finite", steps=0),
    Case("50 pictures, long training", lambda: Net(8, learns_std=True), plain, "train_test_gap",
         few=50, steps=600),
    Case("an autoencoder, loss not shown", Net, fixed(0.1, 0.0), "aggregate_misses_prior",
         options=STD, tells_loss=False),
]  # fmt: skip


# ---- Healthy


class Flat(Net):
    """Pictures are rows of 49 numbers."""

    def __init__(self):
        super().__init__(learns_std=True)
        self.encoder[0] = nn.Identity()
        self.decoder[3] = nn.Identity()


class CourseVAE(VAE):
    def __init__(self):
        super().__init__((1, 7, 7), 4, hidden=(48,), std=0.1)

    def forward(self, x):
        mean, log_std = self.encode(x)
        return self.decode(as_std(mean, log_std)), mean, log_std


def course_loss(x, decoded, mean, log_std):
    return (kl_standard_normal(mean, log_std) - gaussian_log_likelihood(x, *decoded)).mean()


class Colour(nn.Module):
    """Colour pictures, latents (3, 1, 1), one σ for each channel."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(-3),
            nn.Linear(147, 48),
            nn.Tanh(),
            nn.Linear(48, 6),
            nn.Unflatten(-1, (6, 1, 1)),
        )
        self.decoder = nn.Sequential(
            nn.Flatten(-3),
            nn.Linear(3, 48),
            nn.Tanh(),
            nn.Linear(48, 147),
            nn.Unflatten(-1, (3, 7, 7)),
        )
        self.log_std = nn.Parameter(torch.full((1, 3, 1, 1), -1.5))

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=-3)

    def decode(self, z):
        return self.decoder(z), self.log_std

    def forward(self, x):
        posterior = self.encode(x)
        return self.decode(as_std(*posterior)), *posterior


def coloured(pictures):
    return torch.cat([pictures, 0.7 * pictures, 0.4 * pictures], dim=-3)


def optimal(x, decoded, mean, log_std):
    nll = 0.5 * 49 * (x - decoded).square().mean().log()
    return {"loss": nll + kl_std(mean, log_std).mean()}


def compensated(x, decoded, mean, log_var):
    return F.mse_loss(decoded, x) + 2 * 0.1**2 / 49 * kl_var(mean, log_var).mean()


def elbo_with_variances(x, decoded, mean, log_var):
    """log σ² in both places, and to be maximised."""
    picture, log_variance = decoded
    log_likelihood = -0.5 * ((x - picture) ** 2 / log_variance.exp() + log_variance)
    return total(log_likelihood) - kl_var(mean, log_var)


def twice(x, decoded, mean, log_std):
    return (gaussian_nll(x, decoded) + 2 * kl_std(mean, log_std)).mean()


def summed_bernoulli(x, decoded, mean, log_var):
    nll = -Bernoulli(logits=decoded, validate_args=False).log_prob(x).sum()
    return nll - 0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())


def laplace(x, decoded, mean, log_std):
    nll = -Laplace(decoded, 0.06, validate_args=False).log_prob(x)
    return total(nll) + kl_std(mean, log_std)


HEALTHY = [
    Case("learned σ", learned(), plain),
    Case("log σ², sampling shown", learned(draw=as_var),
         lambda x, d, m, s: (gaussian_nll(x, d) + kl_var(m, s)).mean(), options={"sample": as_var}),
    Case("this course's VAE", CourseVAE, course_loss),
    Case("Bernoulli on black and white, summed over the batch", lambda: Net(5, draw=as_var),
         summed_bernoulli, prepare=binary, options=VAR),
    Case("optimal σ", lambda: Net(3, hidden=32), optimal),
    Case("mean MSE with the KL weight that makes it σ = 0.1", lambda: Net(draw=as_var),
         compensated, options=VAR),
    Case("fixed σ, 12 latents", lambda: Net(12), fixed(0.1)),
    Case("colour, latents (3, 1, 1), one σ a channel", Colour, plain, prepare=coloured, steps=600),
    Case("β = 2, declared", learned(), twice, options={"beta": 2.0}),
    Case("Laplace noise, a value per picture", Net, laplace),
    Case("an ELBO, log σ² in encoder and decoder", learned(draw=as_var, start=-4.0),
         elbo_with_variances),
    Case("flat pictures, loss not shown", Flat, plain, prepare=lambda x: x.flatten(-3),
         options=STD, tells_loss=False),
]  # fmt: skip
