"""What a loss says about itself: its weights, turned into σ and β, and the slips in it."""

from dataclasses import dataclass

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.constants import constant_matches
from vae_course.doctor.loss.probe import LossLaw
from vae_course.doctor.report import Finding, number

SIMPLE = (0.5, 1, 2, 4)  # a half more or less is how formulas differ, not a chosen weight
FACTOR = 2  # a fixed σ further than this from the measured error counts as off


@dataclass(frozen=True)
class Scales:
    """The weights of a loss in the ELBO's own unit, nats summed over one example.

    `reconstruction` is 1 for a Bernoulli or Gaussian log-likelihood (σ = 1 if it is fixed), `kl`
    is 1 for the KL. `sigma` is the fixed σ (or, for absolute errors, Laplace's scale) if β is
    `beta`, None where there is none; `knob` is true where β and σ cannot be told apart.
    """

    reconstruction: float
    kl: float
    beta: float
    sigma: float | None
    knob: bool


def weigh(law: LossLaw, pixels: int, latents: int, meant: float) -> Scales | None:
    """The scales of a loss in which both terms were recognised, else None.

    A squared error c Σ(x - x̂)² with β_KL · KL is the Gaussian with σ² = β_KL / (2 c β).
    """
    term, kl = law.reconstruction, law.kl
    if law.known < 2 or min(term.weights[0], kl.weights[0]) <= 0:
        return None
    family, beta_kl = term.family, 2 * kl.weights[0]
    unit = family.unit(term.weights[0], pixels)
    sigma = family.sigma(unit)
    if sigma is None:
        return Scales(unit, beta_kl, beta_kl / unit, None, False)
    if constant_matches(law.constant, [family.normaliser(sigma, pixels)], law, latents):
        return Scales(unit, beta_kl, beta_kl, sigma, False)
    return Scales(unit, beta_kl, meant, family.sigma(unit * meant / beta_kl), True)


@dataclass(frozen=True)
class Weighed:
    """The weights of a loss beside what they are compared with.

    `error` is the measured RMSE (for absolute errors the mean absolute error); `meant` the β that
    the user declared; `noise` how far the weights may be off; `measured` is
    false where `error` is no more than the nearest that a model could make; `learned` is false in
    the first steps of training, while the error still falls.
    """

    scales: Scales
    pixels: int
    latents: int
    error: float | None
    meant: float
    noise: float = 0.0
    measured: bool = True
    learned: bool = True

    def _is(self, value: float, options: tuple[float, ...] = SIMPLE, within: float = 0.01) -> bool:
        within = max(within, 2 * self.noise)
        return any(abs(value / option - 1) < within for option in options)

    @property
    def as_meant(self) -> bool:
        sigma = self.scales.sigma
        fits = sigma is None or 1 / FACTOR <= sigma / self.error <= FACTOR
        return fits and self._is(self.scales.beta, (self.meant,), 0.05)

    @property
    def means(self) -> list[str]:
        """What a mean was taken over, where a sum belongs."""
        scales, d = self.scales, self.latents
        over_pixels = self._is(scales.reconstruction * self.pixels) and not self._is(
            scales.kl * self.pixels
        )
        over_latents = d > 2 and not self._is(scales.kl) and self._is(scales.kl * d)
        counted = ((over_pixels, f"{self.pixels} pixels"), (over_latents, f"{d} latents"))
        return [f"a mean over {what}" for taken, what in counted if taken]

    @property
    def beta_off(self) -> bool:
        """β is read from the loss, and is not the one that was meant."""
        return not self.scales.knob and not self._is(self.scales.beta, (self.meant,), 0.05)

    @property
    def counts_twice(self) -> bool:
        return not self.means and self.beta_off and self._is(self.scales.beta / self.meant, (2,))

    @property
    def chosen(self) -> bool:
        """Somebody set the KL's weight: it is no plain number, and the reconstruction's is one."""
        kl, reconstruction = self.scales.kl, self.scales.reconstruction
        over_latents = self.latents > 2 and self._is(kl * self.latents)
        declared = self._is(kl, (self.meant,))
        plain = self._is(kl) or declared or over_latents or self._is(kl * self.pixels)
        beside = self._is(reconstruction) or self._is(reconstruction * self.pixels)
        return not plain and (beside or not self.scales.knob)

    @property
    def unexplained(self) -> bool:
        return not self.counts_twice and (self.chosen or (self.beta_off and not self.means))

    def __str__(self) -> str:
        scales = self.scales
        beta, sigma = number(scales.beta), scales.sigma
        if sigma is None:
            return f"The KL counts β = {beta} times against the log-likelihood."
        if not scales.knob:
            return f"β = {beta}, σ = {number(sigma)}, {self._error}."
        other = number(scales.kl / scales.reconstruction)
        return (
            f"The weights stand for σ = {number(sigma)} with β = {beta}, or for σ = 1 with "
            f"β = {other}; {self._error}."
        )

    @property
    def _error(self) -> str:
        if self.measured:
            return f"the measured error is {number(self.error)}"
        return f"a model of pixels in 0..1 may err by {number(self.error)}"


RULES = (  # (finding, severity, whether it holds, what is said before the weights)
    ("mean_for_sum", "error", lambda w: w.means, lambda w: f"There is {' and '.join(w.means)}. "),
    ("kl_missing_half", "error", lambda w: w.counts_twice, lambda w: "It counts twice. "),
    ("unexplained_kl_weight", "warning", lambda w: w.unexplained, lambda w: ""),
)


def judge_weights(weighed: Weighed) -> list[Finding]:
    """Means for sums, a KL weight out of nowhere; if none of them, a fixed σ that is off."""
    if weighed.as_meant:
        return []
    found = [
        finding(name, severity, words(weighed) + str(weighed))
        for name, severity, holds, words in RULES
        if holds(weighed)
    ]
    # A declared weight below 1 % only keeps the codes in bounds: no ELBO is meant, and no σ.
    sigma = weighed.scales.sigma
    early = not weighed.learned and sigma is not None and sigma < weighed.error
    severity = "note" if weighed.meant < 0.01 or early else "warning"
    return found or [finding("sigma_not_rmse", severity, str(weighed))]
