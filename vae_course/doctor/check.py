"""`check_loss`: what a loss says about itself, before there is a model."""

from collections.abc import Callable, Sequence

import torch

from vae_course.doctor.examination import PLAIN, sorted_report
from vae_course.doctor.kept import Kept, undisturbed
from vae_course.doctor.loss.caller import Frame, Loss
from vae_course.doctor.loss.doubts import judge_gain
from vae_course.doctor.loss.prior import own_prior
from vae_course.doctor.loss.reading import understand
from vae_course.doctor.loss.spread import read_spread
from vae_course.doctor.loss.terms import at_training_batch, judge_law, weights_of
from vae_course.doctor.loss.weights import Weighed, judge_weights
from vae_course.doctor.report import Report

ERRORS = 0.01, 0.5  # what a decoder of pixels in 0..1 may be off by


def check_loss(
    loss: Callable,
    x_shape: Sequence[int],
    z_shape: Sequence[int],
    *,
    decoded=None,
    spread: str | None = None,
    beta: float = 1.0,
    prior=None,
    batch_size: int | None = None,
) -> Report:
    """Check a loss on made-up numbers, in about a second and without a model.

    x_shape, z_shape  of one picture and of one mean, without the batch: (1, 28, 28) and (16,)
    decoded  what decode would return for two pictures, if it is not one tensor of their shape:
             (torch.zeros(2, 1, 28, 28), torch.zeros(())) for a mean and a log σ
    loss, spread, beta, prior, batch_size  as in `examine`

    It sees terms that are missing, wrong, averaged or without gradient, and weights that no pixels
    between 0 and 1 can mean. What needs a model (a fixed σ against the error, collapse, the range
    of the pictures) it does not see. Raises ValueError for a loss that it cannot call.
    """
    kept = Kept(loss, prior)
    x_shape, z_shape = torch.Size(x_shape), torch.Size(z_shape)
    template = torch.zeros(2, *x_shape) if decoded is None else decoded
    prior = own_prior(prior, None, z_shape, torch.zeros(()))
    frame = Frame(x_shape, z_shape, template, torch.device("cpu"), prior=prior)
    with undisturbed(Kept(), kept), torch.no_grad():
        positives = (False, True) if spread is None else (spread in PLAIN,)
        law, found = understand(Loss(loss, kept), frame, positives, batch_size)
        law, at_size = at_training_batch(law, batch_size)
        meaning, slips = read_spread(PLAIN.get(spread, spread), None, law, None)
        found += at_size + slips + judge_law(law)
        scales, numbers = weights_of(law, beta)
        if scales is not None:
            error = None if scales.sigma is None else min(max(scales.sigma, ERRORS[0]), ERRORS[1])
            sizes = frame.pixels, frame.latents
            weighed = Weighed(scales, *sizes, error, beta, law.kl.noise, measured=False)
            found += judge_weights(weighed)
        pictures = torch.rand(32, *x_shape, generator=torch.Generator().manual_seed(0))
        found += judge_gain(law, pictures, pictures)
    sizes = {"pixels D": frame.pixels, "latents d": frame.latents, "spread read as": meaning}
    return sorted_report(found, sizes | numbers)
