"""What a run says before its first step: which pictures it found, and what it will do."""

import sys
from pathlib import Path

from PIL import Image
from torch import Tensor, nn

from vae_course.data.stored.folder import SIZE, find_pictures
from vae_course.train.run import Run

LOOKED_AT = 1_000  # files whose sizes are read

STDS = {
    "optimal": "σ is the RMSE of each batch",
    "shared": "σ is one learned number",
    "per_pixel": "σ is predicted, for each pixel of each picture",
    "unit": "σ is 1",
}


def say_opening(run: Run, model: nn.Module, train: Tensor, test: Tensor, total: int) -> None:
    """To stdout; a warning to stderr."""
    colours, height, width = train.shape[1:]
    colour = {1: "grey", 3: "colour"}.get(colours, f"{colours} channels")
    print(
        f"{run.data}: {len(train)} pictures to train on, {len(test)} to test on, "
        f"{height} x {width} pixels, {colour}{_binarized(run)}."
    )
    if Path(run.data).is_dir():
        print(_what_became_of(Path(run.data)))
    weights = sum(values.numel() for values in model.parameters())
    print(f"Model: {run.model}, {run.latent_dim} latents, {weights:,} weights. {_likelihood(run)}.")
    epochs = total / (len(train) // run.batch_size)
    print(
        f"{total} steps of {run.batch_size} pictures, {epochs:.4g} epochs. All goes to {run.out}."
    )
    if run.std in ("unit", 1.0):
        print(
            "warning: σ = 1 says that a pixel may be off by its whole range, so most of each "
            "picture counts as noise; leave --std out, and σ is what fits",
            file=sys.stderr,
        )


def _binarized(run: Run) -> str:
    return {"no": "", "once": ", each pixel drawn as 0 or 1"}.get(
        run.binarize, ", each pixel drawn as 0 or 1 anew at each step"
    )


def _what_became_of(folder: Path) -> str:
    """Of the files: as `data.stored.folder` reads them."""
    sizes = []
    for path in find_pictures(folder)[:LOOKED_AT]:
        with Image.open(path) as picture:
            sizes.append(picture.size)
    (least, low), (most, high) = (tuple(map(edge, zip(*sizes, strict=True))) for edge in (min, max))
    found = f"{least} x {low}" if (least, low) == (most, high) else (
        f"{least} to {most} pixels wide and {low} to {high} high"
    )  # fmt: skip
    return (
        f"The files are {found}. Of each, the shorter side was made {SIZE} pixels long, what the "
        f"longer side has beyond {SIZE} was cut off at both ends, and grey became colour."
    )


def _likelihood(run: Run) -> str:
    if run.likelihood == "bernoulli":
        return "p(x|z) is Bernoulli"
    std = "optimal" if run.std is None else run.std
    return f"p(x|z) is Gaussian, and {STDS.get(std, f'σ is {std}')}"
