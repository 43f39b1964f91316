"""How a VAE behaves: latents, errors, sharpness, measured on pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.prior import draws_of, log_density
from vae_course.doctor.patient import Patient, Posterior
from vae_course.doctor.report import Finding, number

ACTIVE = 0.01  # Var_x(μ_j) above which a latent is used (Burda et al. 2015, Sec. 5.2)


@dataclass(frozen=True)
class OwnPrior:
    """The mean KL to it, nats a picture, and its mean and standard deviation in each latent."""

    kl: float
    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Behaviour:
    """What was measured. Latents are flattened to (N, d).

    `errors`: squared error at one draw of z, averaged over pixels, (N,); `shuffled`: the same
    with another picture's z. `reconstructions` are made from the posterior mean, (N, ...).
    `constant`: the decoder's output is one and the same. `scale` is its own output for σ, (N, ...)
    or None. `own` is None where the prior is N(0, I).
    """

    mean: Tensor
    std: Tensor
    errors: Tensor
    absolute: float
    shuffled: float
    reconstructions: Tensor
    constant: bool
    scale: Tensor | None
    own: OwnPrior | None = None

    @property
    def active(self) -> Tensor:
        """Which latents are used, (d,): their mean varies, absolutely or against its noise."""
        moves = self.mean.var(0)
        return (moves > ACTIVE) | (moves > 0.1 * self.std.square().mean(0))

    @property
    def rmse(self) -> float:
        """Root mean squared error of the decoder's mean at sampled z, per pixel."""
        return self.errors.mean().sqrt().item()

    @property
    def kl(self) -> Tensor:
        """KL to N(0, 1) of each latent, averaged over pictures: (d,), nats."""
        return (0.5 * (self.std**2 + self.mean**2 - 1) - self.std.log()).mean(0)

    @property
    def nats(self) -> float:
        """KL to the prior, averaged over pictures; by one draw each where it has no formula."""
        return self.kl.sum().item() if self.own is None else self.own.kl

    @property
    def placed(self) -> tuple[Tensor, Tensor]:
        """Means and standard deviations (N, d), in units of the prior's own."""
        if self.own is None:
            return self.mean, self.std
        return (self.mean - self.own.mean) / self.own.std, self.std / self.own.std


def observe(
    patient: Patient, pictures: Tensor, meaning: str, see: Callable, seed: int
) -> Behaviour:
    """Encode, sample and decode `pictures`. `see` turns the decoder's output into a picture."""
    posterior = patient.posterior(pictures)
    std = posterior.spread.exp() if meaning == "log_std" else (0.5 * posterior.spread).exp()
    noise = torch.randn(std.shape, generator=torch.Generator().manual_seed(seed)).to(std)
    z = posterior.mean + std * noise
    drawn = patient.picture(z)
    seen, other = see(drawn.point), see(patient.picture(z.roll(1, 0)).point)
    return Behaviour(
        mean=posterior.mean.reshape(len(pictures), -1),
        std=std.reshape(len(pictures), -1),
        errors=(pictures - seen).square().flatten(1).mean(1),
        absolute=(pictures - seen).abs().mean().item(),
        shuffled=(pictures - other).square().mean().item(),
        reconstructions=see(patient.picture(posterior.mean).point),
        constant=bool((drawn.point == drawn.point[:1]).all()),
        scale=drawn.scale,
        own=None if patient.prior is None else _own(patient.prior, posterior.mean, std, z),
    )


def _own(prior, mean: Tensor, std: Tensor, z: Tensor) -> OwnPrior:
    log_q = Normal(mean, std).log_prob(z).flatten(1).sum(1).double().cpu()
    gap = torch.cat([q - log_density(prior, part) for q, part in _parts(log_q, z)])
    drawn = draws_of(prior, 4000).to(mean)
    return OwnPrior(gap.mean().item(), drawn.mean(0), drawn.std(0))


def _parts(*tensors: Tensor, size: int = 500):
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)


def judge_latents(seen: Behaviour) -> list[Finding]:
    """Idle latents, and a decoder that paints one picture."""
    found, d = [], seen.mean.shape[1]
    active = int(seen.active.sum())
    if active < d:
        severity = "note" if active else "error"
        evidence = (
            f"{d - active} of {d} latents have a mean that hardly varies from picture to picture; "
            f"the KL is {number(seen.nats)} nats in all."
        )
        found.append(finding("collapsed_latents", severity, evidence))
    if seen.constant:
        evidence = "Its output is the same to the last digit for every z."
        return [*found, finding("decoder_without_z", "error", evidence)]
    ratio = seen.shuffled / seen.errors.mean().item()
    if ratio < 1.02:
        evidence = (
            f"With another picture's z the squared error is {number(ratio)} times that with its "
            "own."
        )
        found.append(finding("decoder_ignores_z", "error", evidence))
    return found


def second_moments(seen: Behaviour) -> Tensor:
    """E(μ_j² + σ_j²) of the latents in use: 1 each, at a stationary point of the right loss."""
    mean, std = seen.placed
    return (mean.square() + std.square()).mean(0)[seen.active]


def nats_by_rescaling(seen: Behaviour) -> float:
    """How much KL a new scale and origin of each latent in use would save, nats a picture.

    ½ Σ (v + m² - 1 - log v), with m the mean of μ and v the mean of (μ - m)² + σ²: the KL from
    N(m, v) to the prior. The decoder can undo the change, so that nothing else moves.
    """
    mean, std = (part.double()[:, seen.active] for part in seen.placed)
    m, v = mean.mean(0), mean.var(0, correction=0) + std.square().mean(0)
    return (0.5 * (v + m**2 - 1 - v.log())).sum().item()


def judge_aggregate(seen: Behaviour, kl_is_right: bool = False) -> list[Finding]:
    """Do the latents of all pictures together have the prior's first two moments?

    With a right KL they get there slowly, and can be put there: then it is no more than a note.
    """
    if not seen.active.any():
        return []
    second, first = second_moments(seen), seen.placed[0].mean(0)[seen.active].abs().max().item()
    average = second.mean().item()
    lowest, highest = second.min().item(), second.max().item()
    if 0.8 < average < 1.25 and lowest > 0.5 and highest < 2 and first < 0.3:
        return []
    # Training comes to rest slowly, from above. A KL that takes log σ for log σ² ends between 0.45
    # and 0.57.
    far = not 0.65 < average < 2.5 or lowest < 0.2 or highest > 5 or first > 1
    evidence = (
        f"Over the latents in use E(μ² + σ²) is {number(average)} on average, from "
        f"{number(lowest)} to {number(highest)}, and a mean lies {number(first)} from 0"
    )
    if seen.own is None:
        evidence += (
            f". A new scale and origin for each would save {number(nats_by_rescaling(seen))} nats "
            "of KL, with the same reconstructions."
        )
    else:
        evidence += ", in units of your prior's mean and standard deviation."
    severity = "warning" if far and not kl_is_right else "note"
    return [finding("aggregate_misses_prior", severity, evidence)]


def judge_untrained(patient: Patient, seen: Behaviour) -> list[Finding]:
    """Worse than the mean picture, and no use of z: nothing was learned yet."""
    mean_picture = patient.pictures.float().var(0, unbiased=False).mean().item()
    error = seen.errors.mean().item()
    if error < 1.05 * mean_picture or seen.shuffled > 1.2 * error:
        return []
    evidence = (
        f"Its squared error is {number(error / max(mean_picture, 1e-30))} times that of the mean "
        "picture, with any z."
    )
    return [finding("untrained", "note", evidence)]


def judge_scale(seen: Behaviour, meaning: str) -> list[Finding]:
    """The decoder's own σ against the error that it makes."""
    sigma = decoder_sigma(seen, meaning)
    if sigma is None or 0.75 < sigma / seen.rmse < 1.33:
        return []
    evidence = f"The decoder's σ is {number(sigma)}, the measured error {number(seen.rmse)}."
    return [finding("sigma_not_rmse", "warning", evidence)]


def decoder_sigma(seen: Behaviour, meaning: str) -> float | None:
    """The root mean square of the decoder's σ, or None if it returns none."""
    if seen.scale is None:
        return None
    return ((1 if meaning == "log_var" else 2) * seen.scale).exp().mean().sqrt().item()


def judge_gap(train: Behaviour, test: Behaviour) -> list[Finding]:
    """The squared error on new pictures against that on the training pictures."""
    a, b = train.errors.double(), test.errors.double()
    noise = (a.var() / len(a) + b.var() / len(b)).sqrt()
    if b.mean() < 1.25 * a.mean() or b.mean() - a.mean() < 5 * noise:
        return []
    evidence = (
        f"The squared error per pixel is {number(b.mean().item())} on test pictures and "
        f"{number(a.mean().item())} on training pictures."
    )
    return [finding("train_test_gap", "warning", evidence)]


def judge_twice(patient: Patient, first: Posterior) -> list[Finding]:
    """Does the encoder say the same of the same pictures?"""
    again = patient.posterior(patient.pictures)
    change, size = (x.float().abs().mean().item() for x in (again.mean - first.mean, first.mean))
    if change <= 1e-3 * size:
        return []
    evidence = f"Means change by {number(change)} on average; they are {number(size)} large."
    return [finding("not_deterministic", "warning", evidence)]


def judge_finite(patient: Patient) -> list[Finding]:
    """Numbers that are not finite: nothing else can be said then."""
    first = patient.posterior(patient.pictures)
    parts = {"encoder": (first.mean, first.spread), "decoder": (patient.picture(first.mean).point,)}
    for name, tensors in parts.items():
        bad = sum(int((~torch.isfinite(part)).sum()) for part in tensors)
        if bad:
            return [finding("not_finite", "error", f"{bad} numbers of the {name} are not finite.")]
    return []
