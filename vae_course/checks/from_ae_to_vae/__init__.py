"""Checks of the exercises of chapter 2, from autoencoder to variational auto-encoder."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.from_ae_to_vae.draws import (
    MANY,
    drawn,
    require_new,
    require_noise,
    require_prior,
    require_whole,
)
from vae_course.checks.from_ae_to_vae.elbo_terms import (
    ELBO_MISTAKES,
    MIXTURE_MISTAKES,
    elbo_pieces,
    mixture,
    weighted,
)
from vae_course.checks.from_ae_to_vae.kl_shares import SHARE_MISTAKES, fewest, with_shares
from vae_course.checks.from_ae_to_vae.linear_model import BATCH, LATENTS, UNIT, Probe
from vae_course.checks.from_ae_to_vae.reconstructions import (
    RECONSTRUCTION_MISTAKES,
    networks,
    reconstructed,
    steady,
)
from vae_course.checks.from_ae_to_vae.typical_latents import (
    curved_decoder,
    ink,
    require_ink,
    require_usual_length,
)
from vae_course.checks.judging.inputs import fresh, normal, posteriors, uniform
from vae_course.checks.judging.running import kind, praise, require, require_something, run
from vae_course.checks.judging.verdict import agree

MIXTURES = ((4, 1), (5, 2), (2, 6), (7, 3))  # of one posterior, a mixture is no mixture


def elbo(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(x, picture, log_std_x, mean, log_std)`: total, reconstruction, KL, (batch,) each.

    Raises NotYet with the diagnosis of a wrong answer. The oracle is torch.distributions.
    """
    g = fresh(seed)
    cases = []
    for mean, log_std in posteriors(seed):
        shape = (len(mean), 1 + len(mean) % 2, 3, 2)
        log_std_x = uniform(g, 1, low=-1.4, high=-0.5)[0]
        cases.append((uniform(g, *shape), normal(g, *shape), log_std_x, mean, log_std))
    agree(answer, elbo_pieces, cases, ELBO_MISTAKES)
    trained = ("picture", "log_std_x", "mean", "log_std")
    agree(weighted(answer), weighted(elbo_pieces), cases[-1:], gradients=trained)
    praise("Three numbers per picture, in nats, and all agree with torch.distributions.")


def loss(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(model, x)`: the training loss with one draw of z for each picture, a 0-dim tensor.

    Raises NotYet. The model is linear, so loss and gradients are known in closed form; 20 000
    pictures bring a right answer within a seventh of the tolerance.
    """
    g = fresh(seed)
    probe = Probe(g)
    x = uniform(g, BATCH, 1, 2, 3)
    case = x, normal(g, LATENTS, scale=0.5), uniform(g, LATENTS, low=-1.0, high=-0.8)
    start = int(torch.randint(2**31, (1,), generator=g))
    measured = probe.judge(answer, start) if callable(answer) else answer
    agree(measured, probe.right(), [case], probe.mistakes(), within=0.15 / UNIT)
    praise("Loss and gradients are those of the exact ELBO, up to the noise of the draws.")


def sample(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(decode, latent_dim, n)`: n draws from the model, noise included, (n, C, H, W).

    Raises NotYet. Judged by what came to the decoder and by what was added to its mean.
    """
    g = fresh(seed)
    drawn(answer, g, 4, 1)
    require_new(drawn(answer, g, 2, 5), drawn(answer, g, 2, 5))
    decode, z, pictures = drawn(answer, g, 3, MANY)
    require_prior(z)
    require_whole(pictures)
    decode_again = torch.sin(z.float() @ decode.weight).reshape(pictures.shape)
    require_noise(pictures - decode_again, z, decode.log_std)
    praise("z comes from the prior, and every pixel has its own noise, as wide as it should be.")


def reconstruct(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(encode, decode, x)`: the decoder's mean at the posterior mean, shape of x.

    Raises NotYet. Tried on random curved networks.
    """
    g = fresh(seed)
    cases = [networks(g, *size) for size in ((3, 2), (1, 3), (4, 1))]
    agree(steady(answer), reconstructed, cases, RECONSTRUCTION_MISTAKES)
    praise("The same picture every time: the decoder's mean at the posterior's mean.")


def aggregate(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std)`: mean and variance of each latent under q(z), (latent_dim,) each.

    Raises NotYet. The oracle is the mixture of torch.distributions.
    """
    agree(answer, mixture, posteriors(seed, MIXTURES), MIXTURE_MISTAKES)
    praise("Right: q(z) is wider than its posteriors, because their means lie apart.")


def latents_needed(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(mean, log_std, share)`: KL of each latent, (latent_dim,), and how few hold `share`.

    Raises NotYet. The oracle tries every subset of the latents.
    """
    agree(answer, fewest, with_shares(fresh(seed)), SHARE_MISTAKES)
    praise("No smaller set of latents holds that share: all of them were tried.")


def typical_and_bright(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(decode, latent_dim)`: a z, (latent_dim,), of usual length and with much ink.

    Raises NotYet. Any z will do whose length is that of nine in ten prior draws and whose picture
    has more ink than those of 95 in 100.
    """
    g = fresh(seed)
    start = int(torch.randint(2**31, (1,), generator=g))
    for latent_dim in (6, 10, 16, 24):
        decode = curved_decoder(g, latent_dim)

        def search(decode, latent_dim):
            torch.manual_seed(start)
            return answer(decode, latent_dim)

        names = ("decode", "latent_dim")
        z = run(search if callable(answer) else answer, (decode, latent_dim), names)
        require_something(z)
        require(isinstance(z, Tensor), f"Return z as a tensor, not {kind(z)}.")
        says = f"One z has the shape {(latent_dim,)}, but yours is {tuple(z.shape)}."
        require(z.shape == (latent_dim,), says)
        z = z.detach().float()
        require(torch.isfinite(z).all().item(), "Your z holds NaN or infinity.")
        prior = torch.randn(2000, latent_dim, generator=g)
        require_usual_length(z.norm().item(), prior.norm(dim=1))
        require_ink(ink(decode, z[None]).item(), ink(decode, prior))
    praise("A likely length, and more ink than 95 of 100 pictures: a place the prior reaches.")
