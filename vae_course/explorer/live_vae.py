"""A VAE that trains in the page: its plane, pictures and terms while the reader turns knobs."""

import re
from dataclasses import asdict
from functools import cache

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from vae_course import plotting
from vae_course.data.drawn.digits import draw_digits
from vae_course.explorer.fragment import LiveFigure
from vae_course.explorer.stories import KNOBS, STORIES
from vae_course.models import VAE
from vae_course.training import fit

SEEN, HELD_OUT, SIDE, LEVELS = 600, 200, 14, 16
RUNS = "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of 1 to 46 black pixels


def playground(story: str = "healthy") -> LiveFigure:
    """A VAE with two latents that the reader trains on drawn digits, with all of `STORIES`.

    `story` is the one it opens with. It never starts by itself. Raises ValueError for a story that
    there is not.
    """
    if story not in STORIES:
        raise ValueError(f"story must be one of {list(STORIES)}, but is {story!r}")
    images, labels = pictures()
    return LiveFigure(
        kind="live_vae",
        name="A VAE to train",
        caption="A VAE with 64 hidden units on each side, in your browser: Run trains it on "
        f"{SEEN} drawn digits of {SIDE} × {SIDE} pixels. The terms are averages over {HELD_OUT} "
        "others. An ellipse is the posterior of one of them, one standard deviation wide each way.",
        alt="Posteriors of such a VAE after 600 steps, as small ellipses coloured and numbered by "
        "digit. They lie about the origin, each digit in a region of its own.",
        still=_still(),
        data={
            "pictures": {"text": pack(images), "levels": LEVELS, "width": SIDE, "seen": SEEN},
            "labels": "".join(map(str, labels[SEEN:].tolist())),
            "pair": "".join(map(str, labels[:2].tolist())),
            "knobs": KNOBS,
            "stories": {key: asdict(each) for key, each in STORIES.items()},
            "story": story,
        },
        places=tuple(address_of(key).removeprefix("live-") for key in STORIES),
        parts=("laboratory.js", "trainer.js", "live_vae.css"),
    )


def address_of(story: str) -> str:
    """What follows the # in the address of a page that is to open with this story."""
    return f"live-story-{story}"


@cache
def pictures() -> tuple[Tensor, Tensor]:
    """(SEEN + HELD_OUT, 1, SIDE, SIDE) in LEVELS grey values, and labels: a 3 and a 7 first."""
    # Drawn, whatever VAE_COURSE_DIGITS says: the stories were tried on these.
    train, seen_as = draw_digits(SEEN, seed=0, split="train")
    unseen, others = draw_digits(HELD_OUT, seed=0, split="test")
    first = [int((seen_as["digit"] == label).nonzero()[0]) for label in (3, 7)]
    order = first + [i for i in range(SEEN) if i not in first]
    images = torch.cat([train[order], unseen])
    labels = torch.cat([seen_as["digit"][order], others["digit"]])
    small = F.avg_pool2d(images, images.shape[-1] // SIDE)
    return (small * (LEVELS - 1)).round() / (LEVELS - 1), labels


def pack(images: Tensor) -> str:
    """Grey values as digits of base 16, and the many black ones as letters that count them."""
    values = "".join(f"{round(grey * (LEVELS - 1)):x}" for grey in images.flatten().tolist())
    return re.sub(f"0{{1,{len(RUNS)}}}", lambda found: RUNS[len(found[0]) - 1], values)


@cache
@torch.enable_grad()
def trained() -> VAE:
    """The story "healthy", trained with torch."""
    story, (images, _) = STORIES["healthy"], pictures()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = VAE((1, SIDE, SIDE), KNOBS["latents"], hidden=(64,), std=KNOBS["std"])

    def loss(model, x):
        return -model.elbo(x).total.mean()

    fit(model, loss, images[:SEEN], steps=story.steps, batch_size=100, lr=3e-3, progress=False)
    return model.eval()


@torch.no_grad()
def _still() -> Figure:
    (images, labels), some = pictures(), slice(SEEN, None, 3)
    made, (plane,) = plotting.figure(3.2, 3.2)
    posterior = trained().encode(images[some])
    plotting.draw_posteriors(plane, posterior.mean, posterior.log_std, labels[some])
    return made
