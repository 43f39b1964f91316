"""Checks of the exercises of chapter 8, why outputs are blurry."""

from collections.abc import Callable

import torch

from vae_course.checks.blur import averaged_edges, laplacians, linear_gains, posterior_averages
from vae_course.checks.judging.extremes import agree_safely
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.running import praise
from vae_course.checks.judging.verdict import agree


def sharpness(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(pictures)`: variance of each Laplacian without its rim, (batch, H, W) -> (batch,).

    Raises NotYet with the diagnosis of a wrong answer. The oracle is second differences.
    """
    mistakes = laplacians.SHARPNESS_MISTAKES
    agree(answer, laplacians.sharpness, laplacians.bowls(fresh(seed)), mistakes)
    praise("One number for each picture, whatever its height and width, and no invented borders.")


def edge(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(places, tau)`: brightness and slope of an edge at N(0, tau²), averaged; (n,) each.

    Raises NotYet. The oracle is Python's erfc and finite differences.
    """
    g = fresh(seed)
    spans = ((0.3, 0.7), (1.5, 2.0), (2.5, 4.0))
    taus = [uniform(g, 1, low=low, high=high).item() for low, high in spans]
    cases = [(tau * normal(g, n, scale=1.2), tau) for n, tau in zip((5, 1, 8), taus, strict=True)]
    agree(answer, averaged_edges.edge, cases, averaged_edges.MISTAKES)
    praise("A step has become a ramp. Its slope in the middle falls as τ grows.")


def best_picture(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(z, mean, log_std, pictures)`: Σ_i w_i(z) x_i for posteriors q(z|x_i), (M, pixels).

    z (M, d), mean and log_std (N, d), pictures (N, pixels). Raises NotYet. The oracle goes from
    picture to picture with torch.distributions; densities reach e^-1800 and e^900.
    """
    g = fresh(seed)
    agree_safely(
        "It is right for ordinary densities, but not for e^-1800 or e^900, which no float can "
        "hold. Then 0 is divided by 0, or infinity by infinity. Only ratios of densities matter: "
        "stay with logarithms until they are safe, and add no small number.",
        *(answer, posterior_averages.best_picture),
        *(posterior_averages.overlapping(g), posterior_averages.out_of_range(g)),
        posterior_averages.BEST_MISTAKES,
    )
    praise("No decoder has a smaller squared error for these posteriors, on these pictures.")


def pictures_behind(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(log_q)`: e^entropy of the pictures' probabilities, log q(z|x_i) (M, N) -> (M,).

    Raises NotYet. The oracle multiplies powers of the weights; some weights are exactly 0.
    """
    agree_safely(
        "It is right for ordinary densities, but not for e^-2000 or e^1000, or not for a picture "
        "whose weight is exactly 0. Such a picture adds nothing, but 0 times the logarithm of 0 is "
        "NaN.",
        *(answer, posterior_averages.effective_number),
        *posterior_averages.log_densities(fresh(seed)),
        posterior_averages.NUMBER_MISTAKES,
    )
    praise("1 when z gives its picture away, N when it tells nothing.")


def gain(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(eigenvalues, std)`: what a linear VAE multiplies each direction with, (n,) -> (n,).

    Raises NotYet. The oracle goes through the best weight, the posterior's mean and the decoder.
    """
    mild, rounded = linear_gains.cases(fresh(seed))
    agree_safely(
        "It is right where λ is well above 0, but not at 0 or just below it, where rounding puts "
        "the λ of a pixel that never changes. There you divide by 0, or two signs cancel. Decide "
        "first which directions pass.",
        *(answer, linear_gains.gain, mild, rounded, linear_gains.MISTAKES),
    )
    praise("Coarse shapes pass almost whole, fine detail is cut. Nothing is made larger.")


def noise_std(answer: Callable, *, seed: int | None = None) -> None:
    """`answer(samples, means)`: σ of the pixel noise, from pictures with other z in both sets.

    (batch, H, W), other numbers of them. Raises NotYet. σ is known; 4 % are allowed.
    """
    g = fresh(seed)
    # No one number, and no other spread of the pixels, is right for both.
    small, large = uniform(g, 1, low=6, high=9).item(), uniform(g, 1, low=13, high=20).item()
    cases = [
        laplacians.noisy_pictures(g, 20, 30, small, 0.4),
        laplacians.noisy_pictures(g, 16, 45, large, 0.9),
    ]
    known = {len(cases[0][0]): small, len(cases[1][0]): large}

    def right(samples, means):
        return torch.tensor(known[len(samples)], dtype=torch.float64)

    agree(answer, right, cases, laplacians.NOISE_MISTAKES, within=0.04)
    praise("You have read σ off the pictures. What looks sharp in a sample is largely noise.")
