"""The pictures and random numbers of each step, the same for any number of processes.

Whatever is random belongs to the run and the step, not to a process: the order comes from
(seed, epoch), noise and binarized pixels from (seed, step), drawn on the CPU for the whole
global batch. A process takes its share. So nothing random has to be stored to resume.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_course.data import load_images
from vae_course.train.run import Run

ORDER, NOISE, PIXELS, TRAIN_PIXELS, TEST_PIXELS, TEST_NOISE = range(6)


def seed_of(seed: int, purpose: int, index: int = 0) -> int:
    """One number out of three; numpy's SeedSequence mixes them so that neighbours share nothing."""
    return int(np.random.SeedSequence((seed, purpose, index)).generate_state(1, np.uint64)[0])


def generator(seed: int, purpose: int, index: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(seed, purpose, index))


class Pictures(NamedTuple):
    """Each float32 (N, C, H, W) in [0, 1]."""

    train: Tensor
    test: Tensor


def load_pictures(run: Run) -> Pictures:
    """Raises ValueError for fewer pictures than a batch, and what load_images raises."""
    found = load_images(run.data, n_train=run.n_train, n_test=run.n_test, seed=run.data_seed)
    if len(found.train) < run.batch_size:
        raise ValueError(
            f"--batch-size {run.batch_size} is more than the {len(found.train)} pictures to train "
            f"on; choose a smaller one, or more pictures"
        )
    if len(found.test) < 2:
        raise ValueError("--n-test must be 2 or more: one picture has no standard error")
    return Pictures(*_binarized_once(run, found.train, found.test))


def load_pixel_weights(run: Run, image_shape: Sequence[int]) -> Tensor | None:
    """float32 (H, W), or None. Raises OSError for a file that cannot be read, else ValueError."""
    if run.pixel_weights is None:
        return None
    weights = torch.from_numpy(np.load(run.pixel_weights)).float()
    size = tuple(image_shape[-2:])
    if weights.shape != size or not (weights.isfinite() & (weights > 0)).all():
        raise ValueError(
            f"--pixel-weights {run.pixel_weights} must hold positive numbers {size}, as large as "
            f"the pictures, but holds {tuple(weights.shape)} from {weights.min():.3g} up"
        )
    return weights


def _binarized_once(run: Run, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    if run.binarize != "no":
        test = binarize(test, generator(run.data_seed, TEST_PIXELS))
    if run.binarize == "once":
        train = binarize(train, generator(run.data_seed, TRAIN_PIXELS))
    return train, test


def binarize(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each pixel 1 with its value as the probability, else 0."""
    return (torch.rand(images.shape, generator=generator) < images).to(images.dtype)


class Batches:
    """The global batch of each step, counted from 1.

    An epoch has as many full batches as there are; the pictures that are left over at its end
    are others in each epoch.
    """

    def __init__(self, images: Tensor, run: Run):
        self.images, self.run = images, run
        self.per_epoch = len(images) // run.batch_size
        self.epoch, self.order = None, None

    def share(self, step: int, rank: int, processes: int) -> tuple[Tensor, Tensor]:
        """Pictures (share, C, H, W) and noise (K, share, latent_dim) of process `rank`.

        K is --importance-samples.
        """
        size = self.run.batch_size // processes
        own = slice(rank * size, (rank + 1) * size)
        return self._pictures(step, own), self._noise(step)[:, own]

    def _pictures(self, step: int, own: slice) -> Tensor:
        epoch, position = divmod(step - 1, self.per_epoch)
        first = position * self.run.batch_size
        chosen = self._order_of(epoch)[first : first + self.run.batch_size]
        if self.run.binarize != "each-step":
            return self.images[chosen[own]]
        return binarize(self.images[chosen], generator(self.run.seed, PIXELS, step))[own]

    def _noise(self, step: int) -> Tensor:
        shape = (self.run.importance_samples, self.run.batch_size, self.run.latent_dim)
        return torch.randn(shape, generator=generator(self.run.seed, NOISE, step))

    def _order_of(self, epoch: int) -> Tensor:
        if epoch != self.epoch:
            order = torch.randperm(
                len(self.images), generator=generator(self.run.seed, ORDER, epoch)
            )
            self.epoch, self.order = epoch, order
        return self.order
