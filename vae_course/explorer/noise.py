"""σ_x as a slider over models that were trained for it: what comes out, and what it costs."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.evaluation import active_units, rate_distortion
from vae_course.explorer import packing
from vae_course.explorer.fragment import LiveFigure
from vae_course.models import VAE

SHOWN = 8  # pictures in a row


def noise_slider(models: dict[float, VAE], images: Tensor, *, caption: str) -> LiveFigure:
    """Models by their σ_x, with reconstructions of the first few grey `images` (N, 1, H, W).

    KL, squared error and active latents are measured on all of them. The random numbers of the
    caller stay as they are. Raises ValueError for fewer than two models, and for colour.
    """
    if len(models) < 2:
        raise ValueError(f"a slider needs at least 2 models, but got {len(models)}")
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"expected grey pictures (N, 1, H, W), but got {tuple(images.shape)}")
    stops = [_stop(std, models[std], images) for std in sorted(models)]
    shown = images[:SHOWN]
    return LiveFigure(
        kind="noise",
        name="The decoder's noise against rate, distortion and reconstructions",
        caption=caption,
        alt="Rate, the KL in nats, against distortion, the squared error of a picture: a falling "
        f"curve through {len(stops)} models, whose σ_x grows from left to right.",
        still=_still(stops),
        data={
            "stops": stops,
            "inputs": packing.bytes8(shown),
            "shape": [len(shown), *shown.shape[2:]],
            "latents": models[stops[0]["std"]].latent_dim,
        },
    )


def _stop(std: float, model: VAE, images: Tensor) -> dict:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rate, distortion = rate_distortion.measure(model, images, n_samples=4)
    return {
        "std": std,
        "rate": rate,
        "distortion": distortion,
        "active": active_units(model, images),
        "pictures": packing.bytes8(model.reconstruct(images[:SHOWN])),
    }


def _still(stops: list[dict]) -> Figure:
    made, (axis,) = plotting.figure(6, 3.4)
    distortion, rate = ([stop[name] for stop in stops] for name in ("distortion", "rate"))
    axis.plot(distortion, rate, "o-")
    for stop in stops:
        place = stop["distortion"], stop["rate"]
        axis.annotate(f" {stop['std']:g}", place, va="bottom", fontsize=9)
    axis.set(xlabel="distortion: squared error of a picture", ylabel="rate: KL in nats")
    return made
