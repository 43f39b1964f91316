"""`examine`: a reader's own VAE, whatever its code looks like, and what is wrong with it.

The doctor calls functions and reads numbers, never code. `advice.ADVICE` lists what it can find.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from vae_course.doctor.advice import ORDER
from vae_course.doctor.behaviour import symptoms
from vae_course.doctor.behaviour.inputs import judge_columns, judge_numbers, judge_scale_of_input
from vae_course.doctor.behaviour.pictures import judge_overlap, judge_pictures
from vae_course.doctor.behaviour.reach import decoder_reach, judge_encoder
from vae_course.doctor.behaviour.sampling import probe_sampling
from vae_course.doctor.kept import Kept, undisturbed
from vae_course.doctor.loss.caller import Frame, Loss
from vae_course.doctor.loss.doubts import judge_gain
from vae_course.doctor.loss.families import NONE, UNKNOWN, Rescaled
from vae_course.doctor.loss.prior import own_prior
from vae_course.doctor.loss.reading import understand
from vae_course.doctor.loss.spread import meaning_at_rest, read_spread
from vae_course.doctor.loss.terms import at_training_batch, judge_law, judge_use
from vae_course.doctor.patient import Patient, read_picture
from vae_course.doctor.report import SEVERITIES, Finding, Report

PLAIN = {"std": "log_std", "var": "log_var"}  # spreads that are no logarithms, and their logarithms
SPREADS = ("log_std", "log_var", *PLAIN)
CURES = {"torch.uint8": "images.float() / 255", "torch.bool": "images.float()"}
SYMPTOMS = (
    "collapsed_latents",
    "decoder_ignores_z",
    "aggregate_misses_prior",
    "sigma_not_rmse",
    "train_test_gap",
)
COLLAPSE = ("collapsed_latents", "decoder_ignores_z")
HARMLESS = (  # no cause of a collapse
    *COLLAPSE,
    "aggregate_misses_prior",
    "bernoulli_on_grey",
    "constant_wrong",
    "test_in_train",
    "train_test_gap",
    "not_deterministic",
)
CAUSES = frozenset(ORDER) - set(HARMLESS)


def examine(
    encode: Callable,
    decode: Callable,
    images: Tensor,
    loss: Callable | None = None,
    *,
    test_images: Tensor | None = None,
    sample: Callable | None = None,
    spread: str | None = None,
    beta: float | None = None,
    prior=None,
    batch_size: int | None = None,
    most: int = 2000,
    at_once: int = 500,
    gigabytes: float = 4.0,
    seed: int = 0,
) -> Report:
    """Examine a VAE: what its loss weighs, how its latents and outputs behave.

    encode  pictures (N, ...) -> (mean, spread), each (N, ...): the spread is log σ or log σ²
    decode  z -> the mean, or logits, of the size of the pictures; or a pair (mean, log σ or log σ²)
    images  training pictures (N, ...), float, N ≥ 50; `most` of them are looked at, by `seed`
    loss    loss(images, decoded, mean, spread) -> scalar or (batch,), to be minimised, where
            `decoded` is what decode returned; of a dict "loss" is taken, of a tuple the first
            entry if it is a sum of the others
    test_images  pictures that were not trained on
    sample  your line z = sample(mean, spread)
    spread  "log_std", "log_var", "std" or "var"; if it is not given it is found from named fields,
            from `sample`, or from the noise that training has settled on
    beta    the KL weight you mean to use; 1 if it is not given
    prior   p(z), if it is not N(0, I): with log_prob(z) -> (N,) and sample(n), as those of
            models.priors and torch.distributions; if it is not given, that of the object whose
            method encode is. The KL to it is then averaged over draws
    batch_size  the batch that you train with, if your loss holds it as a number
    most, at_once  how many pictures are looked at, of each set, and how many at a time
    gigabytes  fewer are looked at where 12 times their size would be more than that; at least 50

    Nothing is changed: parameters, buffers, modes, gradients, counters and random states that your
    functions can be seen to reach are afterwards as before; a warning names what cannot be put
    back. Cost: each picture is encoded and decoded about ten times, the loss is called some
    hundred times on two made-up examples; memory holds the model twice and the pictures that are
    looked at up to 12 times, and what your networks make of `at_once` pictures.

    For the VAE of this course, whose answers have named fields:

        def loss(x, decoded, mean, log_std):
            return (kl_standard_normal(mean, log_std) - gaussian_log_likelihood(x, *decoded)).mean()

        examine(vae.encode, vae.decode, images, loss)

    The weights are read as σ and β in nats summed over a picture: c Σ(x - x̂)² + b KL is the
    Gaussian likelihood with σ² = b / 2c (Kingma & Welling 2013, App. C.2; Rybkin et al. 2021).

    Raises TypeError or ValueError for functions and pictures that do not fit together.
    """
    _require_arguments(images, test_images, spread, beta)
    most = min(most, max(50, int(gigabytes * 2**30 / (12 * images[0].nbytes))))
    test = None if test_images is None else _some(test_images, seed, most)
    if broken := judge_numbers(images):
        return sorted_report(broken, {"pixels D": images[0].numel()})
    twins = [] if test is None else judge_overlap(images, test)
    owner = getattr(encode, "__self__", None)
    models = Kept(encode, decode, sample, prior)
    judge = Kept(loss, copies=models.copies)
    with undisturbed(models, judge), torch.no_grad():
        patient = Patient(encode, decode, _some(images, seed, most), at_once)
        if broken := symptoms.judge_finite(patient):
            raw = judge_scale_of_input(patient.pictures, works=False)
            return sorted_report([*raw, *broken], {"pixels D": patient.pixels})
        patient.prior = _own_prior(patient, prior, owner)
        law, on_loss = None, []
        declared = spread or patient.posterior(patient.pictures[:2]).meaning
        if loss is not None:  # kept anew: its modules now rest
            kept = Kept(loss, copies=models.copies)
            positives = _positives(patient, declared)
            law, on_loss = understand(Loss(loss, kept), _frame(patient), positives, batch_size)
            law, found = at_training_batch(law, batch_size)
            on_loss += found
            patient.positive = law.probe.loss.positive
        elif declared in PLAIN:
            patient.positive = True
        report = _examined(patient, law, test, sample, declared, beta, seed)
        return sorted_report([*twins, *on_loss, *report.findings], report.measurements)


def _positives(patient: Patient, declared: str | None) -> tuple[bool, ...]:
    """May the spread be σ or σ² itself, and may it be a logarithm?"""
    if declared is not None:
        return (declared in PLAIN,)
    return (
        (False, True) if bool((patient.posterior(patient.pictures).spread > 0).all()) else (False,)
    )


def _own_prior(patient: Patient, prior, owner):
    mean = patient.posterior(patient.pictures[:2]).mean
    return own_prior(prior, owner, mean.shape[1:], mean)


def _frame(patient: Patient) -> Frame:
    low, high = (part.item() for part in torch.aminmax(patient.pictures))
    mean = patient.posterior(patient.pictures[:2]).mean.shape[1:]
    picture = patient.pictures.shape[1:]
    device = patient.pictures.device
    return Frame(picture, mean, patient.template, device, low, high, patient.prior)


def _examined(patient, law, test, sample, declared, beta, seed) -> Report:
    posterior = patient.posterior(patient.pictures)
    sampled, found = None, []
    if sample is not None:
        draw = (lambda m, s: sample(m, s.exp())) if patient.positive else sample
        sampled, found = probe_sampling(draw, posterior.mean.shape[1:])
    declared, trained = PLAIN.get(declared, declared), None
    see = _see(patient, law, posterior)
    learned = _has_learned(patient, posterior, see)
    if law is not None and sample is None and learned:
        trained = meaning_at_rest(patient, posterior, law.probe.loss, law)
    meaning, slips = read_spread(declared, sampled, law, trained)
    seen = symptoms.observe(patient, patient.pictures, meaning, see, seed)
    on_loss = [] if law is None else judge_law(law)
    found += slips + on_loss + symptoms.judge_twice(patient, posterior)
    found += _on_scale(patient, law, seen, learned)
    found += _on_behaviour(patient, seen, _kl_is_right(law, slips + on_loss))
    found += judge_encoder(patient, posterior)
    found += _on_pictures(patient, law, seen, decoder_reach(patient, posterior, see))
    numbers = _measurements(patient, law, seen, f"{'exp of ' * patient.positive}{meaning}")
    if law is not None:
        on_use, weights = judge_use(law, patient, seen, 1.0 if beta is None else beta, learned)
        found += on_use + judge_gain(law, patient.pictures, seen.reconstructions)
        numbers |= weights
    found = _as_certain(found, law, _at_rest(patient, seen))
    if not learned:  # where the latents lie is then no more than a note
        found = [
            replace(f, severity="note") if f.name == "aggregate_misses_prior" else f for f in found
        ]
    if test is not None:
        tested = symptoms.observe(patient, test, meaning, see, seed)
        found += symptoms.judge_gap(seen, tested)
        numbers["RMSE on test pictures"] = tested.rmse
    return sorted_report(found, numbers)


def _has_learned(patient, posterior, see) -> bool:
    """A fifth of the pictures' variance is explained: training has left its first steps."""
    x = patient.pictures.float()
    left = (see(patient.picture(posterior.mean).point).float() - x).square().mean()
    return bool(left < 0.8 * x.var(0, unbiased=False).mean())


def _at_rest(patient, seen) -> bool:
    """A collapsed model that has arrived: it paints the mean picture, and its KL is all but 0."""
    return seen.nats < 0.05 and seen.rmse < 1.01 * _flat_error(patient)


def _as_certain(found: list[Finding], law, at_rest: bool) -> list[Finding]:
    """A collapse without a cause is no more than a note: every training passes through one.

    Right models, too, paint one picture for their first hundred steps or so. Where the loss is not
    shown, or not understood, it is a warning once it rests there.
    """
    if any(f.severity != "note" and f.name in CAUSES for f in found):
        return found
    right = law is not None and law.known == 2
    words = " Early in training every model is like that: train on, and examine it again."
    severity = "warning" if at_rest and not right else "note"
    return [
        replace(f, severity=severity, evidence=f.evidence + words)
        if f.name in COLLAPSE and f.severity == "error"
        else f
        for f in found
    ]


def _see(patient, law, posterior) -> Callable:
    """What turns the decoder's output into a picture."""
    if law is not None and law.reconstruction.weights:
        return law.reconstruction.family.picture
    if read_picture(patient.template).meaning == "logits":
        return torch.sigmoid
    point, x = patient.picture(posterior.mean).point, patient.pictures
    if x.min() < 0 or x.max() > 1:
        return torch.Tensor.clone
    better = (x - point.sigmoid()).square().mean() < 0.5 * (x - point).square().mean()
    return torch.sigmoid if better else torch.Tensor.clone


def _kl_is_right(law, found) -> bool:
    """Nothing speaks against the loss's term on the latents."""
    wrong = any(f.name.startswith(("kl_", "log_")) and f.severity != "note" for f in found)
    mixed = any(f.name == "examples_mixed" and f.severity == "error" for f in found)
    return law is not None and law.kl.family is not NONE and not (wrong or mixed)


def _on_pictures(patient, law, seen, reach) -> list[Finding]:
    family = UNKNOWN if law is None else law.reconstruction.family
    binary = family.binary or read_picture(patient.template).meaning == "logits"
    low, high = (family.low, family.high) if isinstance(family, Rescaled) else (0.0, 1.0)
    found = judge_pictures(patient.pictures, seen, reach, binary, low, high)
    if not any(f.name == "pixels_out_of_range" for f in found):
        works = isinstance(family, Rescaled) or seen.rmse < 0.9 * _flat_error(patient)
        found += judge_scale_of_input(patient.pictures, works)
    return found + judge_columns(patient.pictures)


def _flat_error(patient) -> float:
    """The RMSE of the mean picture."""
    return patient.pictures.float().var(0, unbiased=False).mean().sqrt().item()


def _on_behaviour(patient, seen, kl_is_right) -> list[Finding]:
    found = symptoms.judge_latents(seen) + symptoms.judge_aggregate(seen, kl_is_right)
    return found + symptoms.judge_untrained(patient, seen)


def _on_scale(patient, law, seen, learned: bool) -> list[Finding]:
    """The decoder's own σ; in the first steps of training it is still on its way."""
    if _scale_is_ignored(law):
        return []
    found = symptoms.judge_scale(seen, _scale_meaning(patient, law))
    return found if learned or law is None else [replace(f, severity="note") for f in found]


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
        "KL, nats a picture": seen.nats,
        "E(μ² + σ²), latents in use": moments.mean().item() if len(moments) else "none in use",
        "RMSE at sampled z": seen.rmse,
        "RMSE of the mean picture": _flat_error(patient),
        "spread read as": meaning,
    }
    if sigma is not None and not _scale_is_ignored(law):
        measured["decoder's σ"] = sigma
    return measured


def sorted_report(found: list[Finding], numbers: dict) -> Report:
    """Sorted from cause to consequence, notes last; one finding of each name, the gravest."""
    if any(f.name == "untrained" for f in found):  # then symptoms say nothing
        found = [replace(f, severity="note") if f.name in SYMPTOMS else f for f in found]
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
            cure = CURES.get(str(came), "torch.as_tensor(images).float()")
            raise TypeError(
                f"{name} must be a tensor of floats (N, ...), but came as {came}; give {cure}"
            )
        if pictures.ndim < 2 or len(pictures) < 50:
            raise ValueError(
                f"{name} must be (N, ...) with at least 50 pictures, but came as "
                f"{tuple(pictures.shape)}"
            )
    if spread not in (None, *SPREADS):
        raise ValueError(f"spread must be one of {', '.join(SPREADS)} or None, but is {spread!r}")
    if beta is not None and not beta > 0:
        raise ValueError(f"beta must be positive, but is {beta}")
