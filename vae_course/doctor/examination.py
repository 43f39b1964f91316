"""`examine`: a reader's own VAE, whatever its code looks like, and what is wrong with it.

The doctor calls functions and reads numbers, never code. `advice.ADVICE` lists what it can find.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.doctor.advice import ORDER
from vae_course.doctor.behaviour import symptoms
from vae_course.doctor.behaviour.pictures import judge_overlap, judge_pictures
from vae_course.doctor.behaviour.sampling import probe_sampling
from vae_course.doctor.kept import Kept, undisturbed
from vae_course.doctor.loss.caller import Loss
from vae_course.doctor.loss.probe import probe_loss
from vae_course.doctor.loss.spread import POWERS, meaning_at_rest, read_spread
from vae_course.doctor.loss.weights import judge_loss
from vae_course.doctor.patient import Patient, read_picture
from vae_course.doctor.report import SEVERITIES, Finding, Report


def examine(
    encode: Callable,
    decode: Callable,
    images: Tensor,
    loss: Callable | None = None,
    *,
    test_images: Tensor | None = None,
    sample: Callable | None = None,
    spread: str | None = None,
    beta: float = 1.0,
    most: int = 2000,
    batch: int = 500,
    seed: int = 0,
) -> Report:
    """Examine a VAE: what its loss weighs, how its latents and outputs behave.

    encode  pictures (N, ...) -> (mean, spread), each (N, ...): the spread is log σ or log σ²
    decode  z -> the mean, or logits, of the size of the pictures; or a pair (mean, log σ or log σ²)
    images  training pictures (N, ...), float, N ≥ 50; `most` of them are looked at, by `seed`
    loss    loss(images, decoded, mean, spread) -> scalar or (batch,), to be minimised, where
            `decoded` is what decode returned; a dict's "loss" or a tuple's first entry is taken
    test_images  pictures that were not trained on
    sample  your line z = sample(mean, spread)
    spread  "log_std" or "log_var"; if it is not given it is found from named fields, from
            `sample`, or from the noise that training has settled on
    beta    the KL weight you mean to use
    most, batch  how many pictures are looked at, of each set, and how many at a time

    Nothing is changed: parameters, buffers, modes, gradients, counters and random states that your
    functions can be seen to reach are afterwards as before; a warning names what cannot be put
    back. Cost: each picture is encoded and decoded about ten times, the loss is called some
    hundred times on two made-up examples; memory holds the model twice and the `most` pictures
    about ten times.

    For the VAE of this course, whose answers have named fields:

        def loss(x, decoded, mean, log_std):
            return (kl_standard_normal(mean, log_std) - gaussian_log_likelihood(x, *decoded)).mean()

        examine(vae.encode, vae.decode, images, loss)

    The weights are read as σ and β in nats summed over a picture: c Σ(x - x̂)² + b KL is the
    Gaussian likelihood with σ² = b / 2c (Kingma & Welling 2013, App. C.2; Rybkin et al. 2021).

    Raises TypeError or ValueError for functions and pictures that do not fit together.
    """
    _require_arguments(images, test_images, spread, beta)
    test = None if test_images is None else _some(test_images, seed, most)
    twins = [] if test is None else judge_overlap(images, test)
    models = Kept(encode, decode, sample)
    judge = Kept(loss, copies=models.copies)
    with undisturbed(models, judge), torch.no_grad():
        patient = Patient(encode, decode, _some(images, seed, most), batch)
        if loss is not None:  # kept anew: its modules now rest
            loss = Loss(loss, Kept(loss, copies=models.copies))
        if broken := symptoms.judge_finite(patient):
            return _report(broken, {"pixels D": patient.pixels})
        law = None if loss is None else probe_loss(loss, patient)
        report = _examined(patient, loss, law, test, sample, spread, beta, seed)
        return _report([*twins, *report.findings], report.measurements)


def _examined(patient, loss, law, test, sample, spread, beta, seed) -> Report:
    posterior = patient.posterior(patient.pictures)
    sampled, found = None, []
    if sample is not None:
        sampled, found = probe_sampling(sample, posterior.mean.shape[1:])
    declared, trained = spread or posterior.meaning, None
    if loss is not None and not (declared or sampled):
        trained = meaning_at_rest(patient, posterior, loss, law)
    meaning, slips = read_spread(declared, sampled, law, trained)
    logits = _outputs_are_logits(patient, law, posterior)
    seen = symptoms.observe(patient, patient.pictures, meaning, logits, seed)
    found += slips + symptoms.judge_twice(patient, posterior) + _on_behaviour(patient, law, seen)
    found += judge_pictures(patient.pictures, seen, _is_bernoulli(patient, law))
    numbers = _measurements(patient, law, seen, meaning)
    if law is not None:
        on_loss, weights = judge_loss(law, patient, seen, beta)
        found, numbers = found + on_loss, numbers | weights
    if test is not None:
        tested = symptoms.observe(patient, test, meaning, logits, seed)
        found += symptoms.judge_gap(seen, tested)
        numbers["RMSE on test pictures"] = tested.rmse
    return _report(found, numbers)


def _outputs_are_logits(patient, law, posterior) -> bool:
    """Does the decoder's output need a sigmoid to be a picture?"""
    if law is not None and law.reconstruction.weights:
        return law.reconstruction.family.logits
    if read_picture(patient.template).meaning == "logits":
        return True
    point, x = patient.picture(posterior.mean).point, patient.pictures
    return (x - point.sigmoid()).square().mean().item() < 0.5 * (x - point).square().mean().item()


def _is_bernoulli(patient, law) -> bool:
    binary = law is not None and law.reconstruction.family.binary
    return binary or read_picture(patient.template).meaning == "logits"


def _on_behaviour(patient, law, seen) -> list[Finding]:
    found = symptoms.judge_latents(seen) + symptoms.judge_aggregate(seen)
    if not _scale_is_ignored(law):
        found += symptoms.judge_scale(seen, _scale_meaning(patient, law))
    return found


def _scale_is_ignored(law) -> bool:
    """The loss takes no notice of the σ that the decoder returns."""
    return law is not None and law.reconstruction.family.scale is None


def _scale_meaning(patient, law) -> str:
    read = law.reconstruction.family.scale if law else None
    return read or read_picture(patient.template).meaning or "log_std"


def _measurements(patient, law, seen, meaning) -> dict[str, float | str]:
    sigma = symptoms.decoder_sigma(seen, _scale_meaning(patient, law))
    moments = symptoms.second_moments(seen)
    measured = {
        "pixels D": patient.pixels,
        "latents d": seen.mean.shape[1],
        "latents in use": int(seen.active.sum()),
        "KL, nats a picture": seen.kl.sum().item(),
        "E(μ² + σ²), latents in use": moments.mean().item() if len(moments) else "none in use",
        "RMSE at sampled z": seen.rmse,
        "RMSE of the mean picture": patient.pictures.var(0, unbiased=False).mean().sqrt().item(),
        "spread read as": meaning,
    }
    if sigma is not None and not _scale_is_ignored(law):
        measured["decoder's σ"] = sigma
    return measured


def _report(found: list[Finding], numbers: dict) -> Report:
    """Sorted from cause to consequence, notes last; one finding of each name, the gravest."""
    gravest = sorted(found, key=lambda f: SEVERITIES.index(f.severity), reverse=True)
    unique = {f.name: f for f in gravest}.values()
    order = sorted(unique, key=lambda f: (f.severity == "note", ORDER.index(f.name)))
    return Report(tuple(order), numbers)


def _some(images: Tensor, seed: int, most: int) -> Tensor:
    if len(images) <= most:
        return images.detach()
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:most]
    return images[chosen.to(images.device)].detach()


def _require_arguments(images, test_images, spread, beta) -> None:
    for name, pictures in {"images": images, "test_images": test_images}.items():
        if pictures is None and name == "test_images":
            continue
        if not isinstance(pictures, Tensor) or not pictures.is_floating_point():
            came = pictures.dtype if isinstance(pictures, Tensor) else type(pictures).__name__
            raise TypeError(f"{name} must be a tensor of floats (N, ...), but came as {came}")
        if pictures.ndim < 2 or len(pictures) < 50:
            raise ValueError(
                f"{name} must be (N, ...) with at least 50 pictures, but came as "
                f"{tuple(pictures.shape)}"
            )
    if spread not in (None, *POWERS):
        raise ValueError(f"spread must be 'log_std', 'log_var' or None, but is {spread!r}")
    if not beta > 0:
        raise ValueError(f"beta must be positive, but is {beta}")
