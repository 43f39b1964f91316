"""Where mouths, eyes and brows of drawn faces are, for `vae_course.train --pixel-weights`.

    python tools/faces_weights.py eyes_and_mouth.npy 16 8 4

writes (64, 64) numbers. A pixel that no smile, no colour of the eyes and no raised brow changes
counts once; the one that a smile changes in the most faces counts 16 times more, and so on.

For the model of chapter 10 the numbers were 8 8 0, then 16 8 0 (eyes_and_mouth_2.npy), 24 6 6 (_3),
16 2 12 (_4), 40 3 25 (_5), 40 12 40 (_6), 12 2 4 (_7), 20 10 60 (_8), 12 4 14 (_9), 16 12 80 (_10),
12 4 20 (_11) and 9 3 3 (_12).
"""

import sys
from functools import cache

import numpy as np
import torch

from vae_course.data.drawn.faces import render_faces, sample_factors

CHANGED = 0.1  # in units of the pixels' range
LOWEST = {"smile": -1.0, "eye_colour": 0.0, "brow": -1.0}


def weights(mouth: float, eyes: float, brows: float) -> torch.Tensor:
    """(64, 64), from 1 up."""
    found = torch.ones(64, 64)
    for name, more in {"smile": mouth, "eye_colour": eyes, "brow": brows}.items():
        share = touched(name)
        found += more * share / share.max()
    return found


@cache
def touched(name: str) -> torch.Tensor:
    """The share of faces in which a pixel differs between the ends of a factor, (64, 64)."""
    faces = sample_factors(400, seed=0, split="train")
    lowest, highest = (torch.full_like(faces[name], value) for value in (LOWEST[name], 1))
    ends = [render_faces(faces | {name: value}) for value in (lowest, highest)]
    return ((ends[1] - ends[0]).abs().amax(1) > CHANGED).float().mean(0)


if __name__ == "__main__":
    np.save(sys.argv[1], weights(*map(float, sys.argv[2:])).numpy())
