"""A linear model whose loss is known in closed form, to judge a loss that draws z.

`answer(model, x)` -> the loss and its gradients in the encoder's two biases, as numbers.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vae_course.checks.judging.inputs import normal, uniform
from vae_course.checks.judging.running import kind, require, require_something
from vae_course.objectives import Gaussian

BATCH, PIXELS, LATENTS = 20_000, 6, 2
UNIT = 1000.0


class Probe:
    """encode and decode like those of `VAE`, for pictures (batch, 1, 2, 3), float64.

    `mean_bias` and `log_std` (LATENTS,) stand for the encoder's weights.
    """

    def __init__(self, g: torch.Generator):
        self.inwards = normal(g, PIXELS, LATENTS, scale=0.3)
        self.log_std_x = uniform(g, 1, low=-0.9, high=-0.6)[0]
        rows = torch.linalg.qr(normal(g, PIXELS, LATENTS)).Q
        self.weight = rows * uniform(g, LATENTS, low=0.9, high=1.2)
        self.bias = normal(g, PIXELS, scale=0.2) + 0.5
        self.mean_bias = self.log_std = None
        self.seen = []

    def encode(self, x: Tensor) -> Gaussian:
        mean = x.flatten(1) @ self.inwards + self.mean_bias
        return Gaussian(mean, self.log_std.expand_as(mean))

    def decode(self, z: Tensor) -> Gaussian:
        self.seen.append(z.detach().clone())
        picture = z @ self.weight.T + self.bias
        return Gaussian(picture.unflatten(1, (1, 2, 3)), self.log_std_x)

    def judge(self, answer: Callable, start: int) -> Callable:
        """(x, mean_bias, log_std) -> what `measure` gives for a learner's loss, if it may be so."""

        def judged(x, mean_bias, log_std):
            self.mean_bias, self.log_std, self.seen = mean_bias, log_std, []
            torch.manual_seed(start + 1)
            part = _number(answer(self, x[: len(x) // 4]))
            torch.manual_seed(start)
            found = self.measure(lambda *_: _number(answer(self, x)))(x, mean_bias, log_std)
            require(
                not 3.5 < found[0].item() * UNIT / part.item() < 4.5,
                "Four times as many pictures give four times the loss: you summed over the batch. "
                "The learning rate would depend on the batch size.",
            )
            require_draws([self.noise(z, x) for z in self.seen])
            return found

        return judged

    def noise(self, z: Tensor, x: Tensor) -> Tensor | None:
        """ε of what came to the decoder for x or for the first of x, if it is a draw for each."""
        mean, log_std = self.encode(x[: len(z)])
        fits = z.shape == mean.shape and len(z) in (len(x), len(x) // 4)
        return ((z - mean) * torch.exp(-log_std)).detach() if fits else None

    def measure(self, loss: Callable) -> Callable:
        """(x, mean_bias, log_std) -> the loss and what each bias gets of its gradient."""

        def measured(x, mean_bias, log_std):
            biases = [b.clone().requires_grad_() for b in (mean_bias, log_std)]
            self.mean_bias, self.log_std = biases
            value = loss(self, x)
            require(
                value.requires_grad,
                "No gradient reaches the encoder: something is detached (`.detach()`, `.item()`, "
                "`torch.no_grad()`), so nothing would be learned.",
            )
            slopes = torch.autograd.grad(value, biases, materialize_grads=True)
            # So small that a tolerance, absolute or relative, is an absolute one.
            return tuple(part / UNIT for part in (value.detach(), *slopes))

        return measured

    def terms(self, x: Tensor, *, noise: Callable = torch.exp) -> tuple[Tensor, Tensor]:
        """The exact reconstruction and KL of each picture, for z = mean + noise(log_std) ε."""
        mean, log_std = self.encode(x)
        std_x, weight = self.log_std_x.exp(), self.weight
        at_mean = Normal(mean @ weight.T + self.bias, std_x).log_prob(x.flatten(1)).sum(1)
        spread = (weight * noise(log_std[0])).square().sum() / (2 * std_x**2)
        kl = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
        return at_mean - spread, kl

    def mistakes(self) -> dict[str, Callable]:
        """What to say -> the loss of a learner who made this mistake, in expectation."""
        halves = {
            "This is the mean ELBO itself. An optimiser minimises: think about the sign.": (
                lambda rec, kl: (rec - kl).mean()
            ),
            "You add the KL to the reconstruction. Running away from the prior must cost.": (
                lambda rec, kl: -(rec + kl).mean()
            ),
            "One term has the wrong sign: your loss falls when the reconstruction gets worse.": (
                lambda rec, kl: (rec + kl).mean()
            ),
            "The KL is missing: this is the loss of an autoencoder with noisy codes.": (
                lambda rec, kl: -rec.mean()
            ),
            "The reconstruction is missing: this loss does not look at the pictures.": (
                lambda rec, kl: kl.mean()
            ),
            "You averaged the reconstruction over the pixels, but the KL over nothing.": (
                lambda rec, kl: -(rec / PIXELS - kl).mean()
            ),
            "You averaged the KL over the latents. It is a sum.": (
                lambda rec, kl: -(rec - kl / LATENTS).mean()
            ),
            "Both terms are averaged over dimensions. They are sums, in nats per picture.": (
                lambda rec, kl: -(rec / PIXELS - kl / LATENTS).mean()
            ),
            "No gradient comes back through z. Is it drawn by `sample`, or detached?": (
                lambda rec, kl: kl.mean() - rec.detach().mean()
            ),
            "The KL is detached: its gradient is missing.": (
                lambda rec, kl: kl.detach().mean() - rec.mean()
            ),
        }
        noises = {
            "You decode the posterior mean. The loss needs a draw from the posterior.": (
                lambda s: 0 * s
            ),
            "Your noise has the variance as its standard deviation.": lambda s: torch.exp(2 * s),
            "You use log_std as if it were the standard deviation.": lambda s: s,
            "Your noise is not scaled: z must spread as the posterior does.": lambda s: 1 + 0 * s,
            "You treat log σ as log σ² in the draw: your noise is too wide or too narrow.": (
                lambda s: torch.exp(s / 2)
            ),
        }
        return {
            says: self.measure(lambda _, x, loss=loss: loss(*self.terms(x)))
            for says, loss in halves.items()
        } | {
            says: self.measure(lambda _, x, noise=noise: _loss(*self.terms(x, noise=noise)))
            for says, noise in noises.items()
        }

    def right(self) -> Callable:
        """(x, mean_bias, log_std) -> the exact loss and gradients."""
        return self.measure(lambda _, x: _loss(*self.terms(x)))


def require_draws(noises: list[Tensor | None]) -> None:
    """The ε of two calls: of each picture, each latent and each call its own."""
    for noise in noises:
        if noise is None or not noise.std().item() > 1e-6:  # the loss itself tells what is wrong
            return
        require(
            noise.std(0).max().item() > 1e-6,
            "All pictures of a batch get the same noise. Each picture needs a draw of its own.",
        )
        require(
            noise.std(1).max().item() > 1e-6,
            "All latents of a picture get the same noise. In the posterior each has its own.",
        )
    head = [noise[:100] for noise in noises]
    require(
        len(head) < 2 or not torch.allclose(head[0], head[1]),
        "The same noise comes at every call: is a seed set inside your function? Training would "
        "see one draw for ever.",
    )


def _number(value) -> Tensor:
    require_something(value)
    require(isinstance(value, Tensor), f"Return a tensor, not {kind(value)}.")
    require(
        value.ndim == 0,
        "The loss is one number for the whole batch, that of an average picture; yours has shape "
        f"{tuple(value.shape)}.",
    )
    return value


def _loss(reconstruction, kl):
    return -(reconstruction - kl).mean()
