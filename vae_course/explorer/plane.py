"""The latent plane: move z over the codes, and the decoder runs in the page."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.explorer import network, packing
from vae_course.explorer.fragment import LiveFigure
from vae_course.models import VAE, Autoencoder


@torch.no_grad()
def latent_plane(
    models: dict[str, Autoencoder | VAE], images: Tensor, labels: Tensor, *, caption: str
) -> LiveFigure:
    """Codes of grey `images` (N, 1, H, W), one plane for each model, and the decoder at z.

    A VAE's codes are its posterior means. `labels` (N,) are whole numbers from 0 to 9.
    Raises ValueError for a model without two latents, for pictures that are not grey, and for
    layers that the browser cannot run.
    """
    _check(models, images, labels)
    panels = {name: _panel(name, model, images, labels) for name, model in models.items()}
    names = " and ".join(models)
    return LiveFigure(
        kind="plane",
        name=f"The latent plane of the {names}",
        caption=caption,
        alt="Codes of pictures as coloured points, numbered by class, and "
        f"pictures decoded at even steps over the plane, for: {names}.",
        still=_still(models, images, labels),
        data={
            "labels": labels.tolist(),
            "height": images.shape[2],
            "width": images.shape[3],
            "panels": list(panels.values()),
        },
    )


def codes_of(model: Autoencoder | VAE, images: Tensor) -> Tensor:
    """(N, C, H, W) -> codes (N, latent_dim); of a VAE, the posterior means."""
    encoded = model.encode(images)
    return encoded.mean if isinstance(model, VAE) else encoded


def _check(models: dict, images: Tensor, labels: Tensor) -> None:
    for name, model in models.items():
        if model.latent_dim != 2:
            raise ValueError(f"a plane needs 2 latents, but {name} has {model.latent_dim}")
    if images.ndim != 4 or images.shape[1] != 1:
        raise ValueError(f"expected grey pictures (N, 1, H, W), but got {tuple(images.shape)}")
    if len(labels) != len(images) or not 0 <= labels.min() <= labels.max() <= 9:
        raise ValueError("expected one label from 0 to 9 for each picture")


def _panel(name: str, model: Autoencoder | VAE, images: Tensor, labels: Tensor) -> dict:
    codes = codes_of(model, images)
    middle, half = region(codes)
    everywhere = middle + half * grid(101)  # dense enough that no unit lives between its points
    return {
        "name": name,
        "codes": packing.rows(codes.T),
        "middle": middle.tolist(),
        "half": half,
        "circles": [1, 2] if isinstance(model, VAE) else [],
        "reach": _company(codes),
        "layers": network.pack(network.mean_decoder(model), everywhere),
    }


def region(codes: Tensor) -> tuple[Tensor, float]:
    """The middle and half the side of a square that holds nearly all codes (N, 2)."""
    low, high = codes.quantile(0.005, dim=0), codes.quantile(0.995, dim=0)
    return (low + high) / 2, 0.55 * (high - low).max().item()


def _company(codes: Tensor) -> float:
    """The distance within which nine in ten codes (N, 2) have a neighbour."""
    return torch.cdist(codes, codes).fill_diagonal_(torch.inf).amin(1).quantile(0.9).item()


def grid(n: int) -> Tensor:
    """n · n points of the square from -1 to 1, top row first: (n², 2)."""
    steps = torch.linspace(-1, 1, n)
    return torch.cartesian_prod(-steps, steps).flip(1)


def _still(models: dict, images: Tensor, labels: Tensor) -> Figure:
    made, axes = plt.subplots(2, len(models), figsize=(2.8 * len(models), 4.8), squeeze=False)
    for (name, model), cloud, sheet in zip(models.items(), *axes, strict=True):
        codes = codes_of(model, images)
        middle, half = region(codes)
        plotting.draw_codes(cloud, codes[:400], labels[:400])
        cloud.set(title=name)
        pictures = network.mean_decoder(model)(middle + half * grid(6))
        plotting.draw_tiles(sheet, pictures.view(-1, *images.shape[1:]), 6)
    return made
