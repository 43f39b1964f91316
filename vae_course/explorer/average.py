"""Which pictures may have sent a z: the largest weights, the average of all, and the decoder's."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.exact.best_decoder import BestDecoder, best_decoder
from vae_course.explorer import network, packing
from vae_course.explorer.fragment import LiveFigure
from vae_course.explorer.plane import grid, region
from vae_course.models import VAE
from vae_course.objectives import Gaussian

SHOWN = 6  # pictures with the largest weights
NEAR = 1.5  # where it starts: z at most so far from the origin


@torch.no_grad()
def best_picture(vae: VAE, images: Tensor, labels: Tensor, *, caption: str) -> LiveFigure:
    """The best decoder's answer to a z, for grey `images` (N, 1, H, W), beside the trained one's.

    It starts where the `labels` (N,) of those that may have sent z differ most. Pixels travel with
    four bits. Raises ValueError without two latents, or for pictures that are not grey.
    """
    if vae.latent_dim != 2:
        raise ValueError(f"a plane needs 2 latents, but this VAE has {vae.latent_dim}")
    if images.ndim != 4 or images.shape[1] != 1 or len(labels) != len(images):
        raise ValueError(
            f"expected grey pictures (N, 1, H, W) and a label for each, but got "
            f"{tuple(images.shape)} and {len(labels)} labels"
        )
    posterior = vae.encode(images)
    middle, half = region(posterior.mean)
    everywhere = middle + half * grid(101)
    start = _start(posterior, images, labels)
    return LiveFigure(
        kind="average",
        name="The pictures that may have sent z, their average and the decoder's picture",
        caption=caption,
        alt="Codes of pictures as points in a plane, with a cross at z and rings around the codes "
        "of the pictures that most likely sent it. Beside it these pictures, the average of all "
        "with their weights, which is soft, and the decoder's picture, which is like it.",
        still=_still(vae, posterior, images, start),
        data={
            "pictures": packing.nibbles(images),
            "shape": list(images.shape[2:]),
            "labels": labels.tolist(),
            "codes": packing.rows(posterior.mean.T),
            "stds": packing.rows(posterior.log_std.exp().T),
            "middle": middle.tolist(),
            "half": half,
            "start": start.tolist(),
            "layers": network.pack(network.mean_decoder(vae), everywhere),
            "shown": SHOWN,
        },
    )


def _start(posterior: Gaussian, images: Tensor, labels: Tensor) -> Tensor:
    """The z (2,) near the origin that is most in doubt about the label."""
    z = NEAR * grid(41)
    z = z[z.norm(dim=1) <= NEAR]
    weights = best_decoder(z, posterior, images).weights
    kinds = torch.nn.functional.one_hot(labels.long()).to(weights)  # (N, kinds)
    return z[torch.special.entr(weights @ kinds).sum(1).argmax()]


def _still(vae: VAE, posterior: Gaussian, images: Tensor, z: Tensor) -> Figure:
    made, (cloud, sheet) = plotting.figure(9, 3.2, columns=2, width_ratios=(1, 1.9))
    found: BestDecoder = best_decoder(z[None], posterior, images)
    largest = found.weights[0].topk(SHOWN)
    cloud.plot(*posterior.mean.T, ".", color=plotting.COLOURS[9], markersize=3)
    sizes = 20 + 400 * largest.values
    rings = {"facecolors": "none", "edgecolors": plotting.COLOURS[5]}
    cloud.scatter(*posterior.mean[largest.indices].T, s=sizes, **rings)
    cloud.plot(*z, "x", color="black")
    cloud.set(xlabel="$z_1$", ylabel="$z_2$")
    decoded = vae.decode(z[None]).mean.view_as(found.mean)
    tiles = torch.cat([images[largest.indices], found.mean, decoded])
    plotting.draw_tiles(sheet, tiles, len(tiles), "largest weights, average, decoder")
    return made
