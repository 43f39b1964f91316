"""Priors p(z) over codes, behind one small interface: `log_prob` and `sample`.

`StandardNormal` is the one that a VAE is trained with. The others are fitted to the codes of a
trained encoder, and gain nats of ELBO without touching a reconstruction: the mean KL is
I(x; z) + KL(q(z) ‖ p(z)), and only the second term knows the prior (Hoffman & Johnson 2016).
"""

import math
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torch.func import jacrev, vmap

from vae_course.objectives import (
    Gaussian,
    gaussian_log_likelihood,
    kl_standard_normal,
    sample_posterior,
)
from vae_course.training import fit


@runtime_checkable
class Prior(Protocol):
    """What `PictureVAE` asks of a prior, which is a module, too: it moves and is saved with it.

    A prior may have a third method, `kl(mean, log_std) -> (batch,)`, in nats: the KL of q(z|x) to
    it by a formula. Without one, the KL is averaged over the draws of z.
    """

    def log_prob(self, z: Tensor, /) -> Tensor:
        """log p(z): (batch, latent_dim) -> (batch,), nats."""
        ...

    def sample(self, n: int, /) -> Tensor:
        """`n` draws: (n, latent_dim)."""
        ...


def require_prior(prior: object) -> Prior:
    """`prior` itself. Raises TypeError for what is no module with these two methods."""
    if not (isinstance(prior, nn.Module) and isinstance(prior, Prior)):
        raise TypeError(
            "a prior is a torch module with log_prob(z) -> (batch,) and sample(n) -> "
            f"(n, latent_dim), such as GaussianMixture(8); but {prior!r} came"
        )
    return prior


class StandardNormal(nn.Module):
    """N(0, I), with the closed-form KL."""

    origin: Tensor

    def __init__(self, latent_dim: int):
        super().__init__()
        # Knows device and dtype; nothing to save.
        self.register_buffer("origin", torch.zeros(latent_dim), persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        return gaussian_log_likelihood(z, torch.zeros_like(z), 0.0)

    def sample(self, n: int) -> Tensor:
        return torch.randn_like(self.origin.expand(n, -1))

    def kl(self, mean: Tensor, log_std: Tensor) -> Tensor:
        return kl_standard_normal(mean, log_std)


class FullGaussian(nn.Module):
    """N(mean, covariance), of the codes: the best Gaussian prior. Before `fit`, N(0, I)."""

    mean: Tensor
    scale_tril: Tensor

    def __init__(self, latent_dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("scale_tril", torch.eye(latent_dim))  # covariance = L Lᵀ

    @torch.no_grad()
    def fit(self, posterior: Gaussian, **_: Any) -> "FullGaussian":
        """To N posteriors (N, latent_dim), exactly: the moments of q(z) need no draws."""
        mean, std = posterior.mean.double(), posterior.log_std.double().exp()
        covariance = torch.cov(mean.T, correction=0) + torch.diag(std.square().mean(0))
        self.mean.copy_(mean.mean(0))
        self.scale_tril.copy_(torch.linalg.cholesky(covariance))
        return self

    @property
    def distribution(self) -> MultivariateNormal:
        return MultivariateNormal(self.mean, scale_tril=self.scale_tril)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.distribution.log_prob(z)

    def sample(self, n: int) -> Tensor:
        return self.distribution.sample((n,))


class GaussianMixture(nn.Module):
    """A weighted sum of `components` full Gaussians. Before `fit`, all of them are N(0, I)."""

    logits: Tensor
    means: Tensor
    scale_trils: Tensor

    def __init__(self, latent_dim: int, components: int = 50):
        super().__init__()
        self.register_buffer("logits", torch.zeros(components))
        self.register_buffer("means", torch.zeros(components, latent_dim))
        self.register_buffer("scale_trils", torch.eye(latent_dim).repeat(components, 1, 1))

    @torch.no_grad()
    def fit(
        self, posterior: Gaussian, *, steps: int = 20, ridge: float = 1e-3, seed: int = 0
    ) -> "GaussianMixture":
        """Expectation maximisation, with a fresh draw of all N codes at each step (Bishop 2006,
        Sec. 9.2). `ridge`, relative to the codes' mean variance, keeps covariances away from 0."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            z = sample_posterior(*posterior)
            covariance = torch.cov(z.T)
            floor = ridge * covariance.diagonal().mean() * torch.eye(z.shape[1]).to(z)
            self.means.copy_(z[torch.randperm(len(z))[: len(self.means)]])
            self.scale_trils.copy_(torch.linalg.cholesky(covariance + floor))
            for _ in range(steps):
                self._step(sample_posterior(*posterior), floor)
        return self

    def _step(self, z: Tensor, floor: Tensor) -> None:
        shares = self._joint(z).softmax(1)  # (N, components): which one has made z?
        total = shares.sum(0) + 1e-6
        self.means.copy_(shares.T @ z / total[:, None])
        off = z - self.means[:, None]  # (components, N, latent_dim)
        spread = (off * shares.T[..., None]).mT @ off / total[:, None, None]
        self.scale_trils.copy_(torch.linalg.cholesky(spread + floor))
        self.logits.copy_((total / total.sum()).log())

    def _joint(self, z: Tensor) -> Tensor:
        """log p(component, z): (N, latent_dim) -> (N, components)"""
        parts = MultivariateNormal(self.means, scale_tril=self.scale_trils)
        return self.logits.log_softmax(0) + parts.log_prob(z[:, None])

    def log_prob(self, z: Tensor) -> Tensor:
        return self._joint(z).logsumexp(1)

    def sample(self, n: int) -> Tensor:
        parts = MultivariateNormal(self.means, scale_tril=self.scale_trils)
        return MixtureSameFamily(Categorical(logits=self.logits), parts).sample((n,))


class Velocity(nn.Module):
    """Where z moves at time t, and how fast: (batch, d) and (batch, 1) -> (batch, d)."""

    def __init__(self, latent_dim: int, width: int = 128, depth: int = 3, bands: int = 4):
        super().__init__()
        self.bands = bands
        layers: list[nn.Module] = [nn.Linear(latent_dim + 2 * bands, width), nn.SiLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, latent_dim))

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        angles = t * (math.pi / 2) * 2.0 ** torch.arange(self.bands, device=t.device)
        return self.layers(torch.cat([z, angles.sin(), angles.cos()], 1))


def flow_matching_loss(velocity: nn.Module, codes: Tensor) -> Tensor:
    """E ‖velocity(z_t, t) - (z - ε)‖², z_t = (1 - t) ε + t z (Lipman et al. 2023): (batch,)

    `codes` z (batch, d); ε ~ N(0, I) and t ~ U(0, 1) are drawn here.
    """
    noise, t = torch.randn_like(codes), torch.rand_like(codes[:, :1])
    moving = (1 - t) * noise + t * codes
    return (velocity(moving, t) - (codes - noise)).square().sum(1)


class Flow(nn.Module):
    """Noise that flows to codes: dz/dt = velocity(z, t) from t = 0, N(0, I), to t = 1.

    It moves codes that a `FullGaussian` has made white, so their scale is of no matter. `steps` of
    the midpoint rule solve the equation (torch has no solver, and four lines need none). The
    density follows by the trace of the Jacobian (Chen et al. 2018, Eq. 8), taken exactly: at
    `latent_dim` times the cost of a step. `log_prob` can be differentiated.
    """

    def __init__(self, latent_dim: int, *, width: int = 128, depth: int = 3, steps: int = 25):
        super().__init__()
        self.gaussian, self.steps = FullGaussian(latent_dim), steps
        self.velocity = Velocity(latent_dim, width, depth)

    def fit(
        self, posterior: Gaussian, *, steps: int = 1500, lr: float = 5e-3, seed: int = 0
    ) -> "Flow":
        """By flow matching on draws from N posteriors (N, latent_dim); the last third of the steps
        are ten times smaller. Leaves the weights without gradients, as a fitted prior is used."""
        self.gaussian.fit(posterior)
        self.velocity.requires_grad_(True)

        def loss(velocity: nn.Module, batch: Tensor) -> Tensor:
            codes = sample_posterior(*batch.chunk(2, 1))
            return flow_matching_loss(velocity, self._white(codes)).mean()

        for rate, share in ((lr, steps - steps // 3), (lr / 10, steps // 3)):
            rows = torch.cat(posterior, 1)
            fit(self.velocity, loss, rows, steps=share, batch_size=256, lr=rate, seed=seed)
        self.velocity.requires_grad_(False)
        return self

    def _white(self, z: Tensor) -> Tensor:
        off = (z - self.gaussian.mean).mT
        return torch.linalg.solve_triangular(self.gaussian.scale_tril, off, upper=False).mT

    def log_prob(self, z: Tensor) -> Tensor:
        y, growth = self._white(z), z.new_zeros(len(z))
        h = 1 / self.steps
        for k in range(self.steps, 0, -1):  # from t = 1 back to 0
            middle = y - h / 2 * self.velocity(y, _time(y, k * h))
            slope, trace = self._with_trace(middle, _time(y, (k - 0.5) * h))
            y, growth = y - h * slope, growth + h * trace
        start = gaussian_log_likelihood(y, torch.zeros_like(y), 0.0)
        return start - growth - self.gaussian.scale_tril.diagonal().log().sum()

    def _with_trace(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """The velocity (batch, d), and the trace of its Jacobian (batch,)."""

        def of_one(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            moved = self.velocity(z[None], t[None])[0]
            return moved, moved

        jacobian, moved = vmap(jacrev(of_one, has_aux=True))(z, t)
        return moved, jacobian.diagonal(dim1=1, dim2=2).sum(1)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        mean, h = self.gaussian.mean, 1 / self.steps
        y = torch.randn(n, len(mean)).to(mean)
        for k in range(self.steps):
            middle = y + h / 2 * self.velocity(y, _time(y, k * h))
            y = y + h * self.velocity(middle, _time(y, (k + 0.5) * h))
        return mean + y @ self.gaussian.scale_tril.T


def _time(z: Tensor, t: float) -> Tensor:
    return z.new_full((len(z), 1), t)


# By the words of the command line.
PRIORS = {"gaussian": FullGaussian, "mixture": GaussianMixture, "flow": Flow}
