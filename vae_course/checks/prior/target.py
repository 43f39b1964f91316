"""Task 4: where a point of flow matching is, and the velocity that the network shall say."""

import torch
from torch import Tensor
from torch.func import jvp

from vae_course.checks.judging.check import check, turned
from vae_course.checks.judging.inputs import fresh, normal, uniform
from vae_course.checks.judging.together import Given


def journeys(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(noise, z, t): t is (batch,), and batch may be as large as the number of latents."""
    g = fresh(seed)
    return [
        (normal(g, n, d), normal(g, n, d) + 2, uniform(g, n, low=0.1, high=0.9))
        for n, d in ((5, 3), (4, 4), (1, 2), (6, 1))
    ]


def both(noise, z, t, *, from_noise=1.0, to_code=1.0, column=True, power=1.0):
    t = (t[:, None] if column else t.expand(z.shape[::-1]).T[: len(z)]) ** power
    return (1 - t) * noise + t * z, to_code * z - from_noise * noise


slip = turned(both, lambda pair: pair)
SLIPS = {
    "You start at the code and end in noise. At t = 0 there shall be noise, at t = 1 the code.": (
        Given(lambda noise, z, t: (z, noise, t))
    ),
    "The place is mirrored: at t = 0 there shall be noise.": (
        lambda noise, z, t: (both(noise, z, 1 - t)[0], z - noise)
    ),
    "Your velocity is the way that is left, z - z_t. The network shall say the speed, which is the "
    "same all along.": lambda noise, z, t: (both(noise, z, t)[0], z - both(noise, z, t)[0]),
    "Your velocity is the code. Take off where the walk began.": slip(from_noise=0.0),
    "Your velocity is the noise, as a diffusion's network says it.": (
        lambda noise, z, t: (both(noise, z, t)[0], noise)
    ),
    "Your velocity is the way that is behind, z_t - ε. The network shall say the speed.": (
        lambda noise, z, t: (both(noise, z, t)[0], both(noise, z, t)[0] - noise)
    ),
    "You mix variances, as a diffusion does. Here the walk is a straight line.": (
        lambda noise, z, t: (
            (1 - t).sqrt()[:, None] * noise + t.sqrt()[:, None] * z,
            z - noise,
        )
    ),
    "Your velocity is divided by the time that has passed.": (
        lambda noise, z, t: (both(noise, z, t)[0], (z - noise) / t[:, None])
    ),
}


@check(
    cases=journeys,
    slips=SLIPS,
    results=("the place z_t", "the velocity"),
    praise="The loss is the squared error of a network that sees only z_t and t.",
)
def target(noise: Tensor, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Each (batch, d). Here: the slope of the place in t, by automatic differentiation."""

    def place(t):
        return torch.lerp(noise, z, t[:, None].expand_as(z))

    return jvp(place, (t,), (torch.ones_like(t),))
