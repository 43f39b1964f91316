"""log σ or log σ²: what the encoder's spread means, and who disagrees about it."""

import torch

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.caller import Loss
from vae_course.doctor.loss.kl import kl_meaning
from vae_course.doctor.loss.probe import LossLaw
from vae_course.doctor.patient import Patient, Posterior, quietly
from vae_course.doctor.report import Finding

POWERS = {"log_std": 1.0, "log_var": 0.5}  # std = exp(power · spread)
STRETCHES = torch.arange(-6, 7) / 5  # log of the factor by which all noise is stretched
NEAR, FAR = 0.3, 0.35


def read_spread(
    declared: str | None, sampled: str | None, law: LossLaw | None, trained: str | None
) -> tuple[str, list[Finding]]:
    """What the spread means when z is drawn, and who disagrees about it.

    `declared` by the user or by named fields, `sampled` by the sampling function, `trained` by
    `meaning_at_rest`: each "log_std", "log_var" or None.
    """
    kl = None if law is None else kl_meaning(law.kl)
    truth = declared or sampled or trained
    if truth is None:
        taken = kl or "log_var"  # what most public code uses
        return taken, [finding("spread_unknown", "note", f"It was taken for {taken}.")]
    found = []
    if declared and trained not in (None, declared) and kl == declared:
        evidence = (
            f"Training has settled on noise that is right for {trained}, but the spread is "
            f"{declared}: look at the sampling line."
        )
        found.append(finding(f"{declared}_as_{trained}", "warning", evidence))
    for who, said in (("The sampling function", sampled), ("The KL", kl)):
        if said not in (None, truth):
            evidence = f"{who} takes the spread for {said}, but it is {truth}."
            found.append(finding(f"{truth}_as_{said}", "error", evidence))
    return sampled or truth, found


def meaning_at_rest(patient: Patient, posterior: Posterior, loss: Loss, law: LossLaw) -> str | None:
    """What training took the spread for, or None if the loss does not show it.

    A trained encoder has found the noise that makes the loss least. So the loss must not fall when
    all noise is stretched, if the spread is read as it was in training; read in the other way, the
    best stretch is far from none. Both terms must be known to be weighed as they are.
    """
    kl, reconstruction = law.kl, law.reconstruction
    if law.known < 2 or law.probe.noisy or kl.batch_power != reconstruction.batch_power:
        return None
    try:
        best = {name: best_stretch(patient, posterior, loss, law, name) for name in POWERS}
    except (RuntimeError, ValueError):  # pixels that the loss refuses: another finding says so
        return None
    near, far = sorted(best, key=lambda name: abs(best[name]))
    return near if abs(best[near]) < NEAR and abs(best[far]) > FAR else None


def best_stretch(patient, posterior, loss, law, meaning) -> float:
    """log of the factor on all noise at which the loss is least, from -1.2 to 1.2."""
    pictures = patient.pictures[:500]
    mean, spread = (part[:500] for part in posterior[:2])
    power = POWERS[meaning]
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0)).to(mean)
    values = []
    for stretch in STRETCHES.tolist():
        stretched = spread + stretch / power
        decoded = quietly(patient.decode, mean + (power * stretched).exp() * noise)
        values.append(law.sign * loss(pictures, decoded, mean, stretched).mean().item())
    return STRETCHES[min(range(len(values)), key=values.__getitem__)].item()
