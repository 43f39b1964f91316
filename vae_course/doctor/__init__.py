"""A reader's own VAE, examined: `examine(encode, decode, images, loss)` says what is wrong with it.

`check_loss(loss, x_shape, z_shape)` looks at a loss before there is a model,
`with watch(model) as seen:` at one step of a training loop, and
`python -m vae_course.doctor file.py:build` examines with an exit status.

The doctor calls functions and reads numbers, never code. `advice.ADVICE` lists what it can find.
It examines one Gaussian posterior against N(0, I), or against the `prior` that it is given: no
hierarchy of latents, no discrete codes, no importance-weighted bound. It refuses them when it meets
them; a prior that it was not given it cannot tell from a KL of a form that it does not know.
"""

from vae_course.doctor.check import check_loss
from vae_course.doctor.examination import examine
from vae_course.doctor.report import Finding, Report
from vae_course.doctor.watch import Seen, watch

__all__ = ["Finding", "Report", "Seen", "check_loss", "examine", "watch"]
