"""Pictures cut into patches: an oracle by slices, and orders that are easily mixed up."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.inputs import uniform

# (batch, C, H, W) and the patch. No two of these numbers are mixed up in all of them.
SIZES = (((3, 3, 4, 6), 2), ((2, 1, 9, 6), 3), ((2, 2, 4, 12), 4), ((4, 3, 5, 5), 5))


def cases(g: torch.Generator) -> list[tuple[Tensor, int]]:
    return [(uniform(g, *shape), patch) for shape, patch in SIZES]


def patches(images: Tensor, patch: int) -> Tensor:
    """The oracle: slices, one after the other, (batch, patches, C·patch²)."""
    height, width = images.shape[2:]
    corners = [(i, j) for i in range(0, height, patch) for j in range(0, width, patch)]
    cut = [images[:, :, i : i + patch, j : j + patch].flatten(1) for i, j in corners]
    return torch.stack(cut, 1)


def _grid(images, patch):
    """(batch, C, rows, patch, columns, patch)."""
    return images.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))


def _ordered(*order: int) -> Callable:
    """The dimensions of `_grid` in another order, in the right shape."""

    def cut(images, patch):
        return _grid(images, patch).permute(order).reshape(patches(images, patch).shape)

    return cut


def _far_apart(images, patch):
    parts = images.unflatten(3, (patch, -1)).unflatten(2, (patch, -1))  # (b, C, p, rows, p, cols)
    return parts.permute(0, 3, 5, 1, 2, 4).flatten(3).flatten(1, 2)


def _shaped(reshape: Callable) -> Callable:
    return lambda images, patch: reshape(patches(images, patch), images, patch)


MISTAKES = {
    "The numbers stand in the order in which they lie in memory: a `reshape` alone cuts rows of "
    "pixels, not squares. Split both axes, then permute.": (
        lambda x, p: x.reshape(patches(x, p).shape)
    ),
    "The patches run down the columns. Go along the first row of patches, then the next.": (
        _ordered(0, 4, 2, 1, 3, 5)
    ),
    "Inside a patch, the channel changes fastest. First all of the first channel.": (
        _ordered(0, 2, 4, 3, 5, 1)
    ),
    "Inside a patch, the channel stands between rows and columns. It comes first.": (
        _ordered(0, 2, 4, 3, 1, 5)
    ),
    "Inside a patch, you go down the columns. Go along its rows.": _ordered(0, 2, 4, 1, 5, 3),
    "Rows and columns are swapped, of patches and inside them: it is the mirrored picture.": (
        _ordered(0, 4, 2, 1, 5, 3)
    ),
    "Inside a patch, the order is turned round: columns, rows, channels.": (
        _ordered(0, 2, 4, 5, 3, 1)
    ),
    "The channels still stand before the patches, so that a token holds several places of one "
    "channel. `permute` comes before `reshape`.": _ordered(0, 1, 2, 4, 3, 5),
    "You cut rightly, and then lay the rows of each patch side by side with its neighbours': the "
    "two sides of a patch must stand together.": _ordered(0, 2, 1, 3, 4, 5),
    "Patches of several pictures are mixed: the batch must come first before you reshape.": (
        _ordered(2, 4, 0, 1, 3, 5)
    ),
    "The pixels of a token lie far apart: you split an axis into patch × number. Neighbours stay "
    "together in number × patch.": _far_apart,
    "Each channel has become a token of its own. A token holds all channels of its place.": (
        lambda x, p: _grid(x, p).permute(0, 1, 2, 4, 3, 5).flatten(4).flatten(1, 3)
    ),
    "The last two dimensions are swapped: a token is a row.": (
        _shaped(lambda cut, x, p: cut.transpose(1, 2))
    ),
    "The patch comes first, the picture second. It should be the other way round.": (
        _shaped(lambda cut, x, p: cut.transpose(0, 1))
    ),
    "The numbers of a patch are not in one row yet: flatten channels, rows and columns.": (
        _shaped(lambda cut, x, p: cut.unflatten(2, (-1, p, p)))
    ),
    "The patches are still a grid. A transformer takes one sequence for each picture.": (
        _shaped(lambda cut, x, p: cut.unflatten(1, (-1, x.shape[3] // p)))
    ),
    "All pictures have become one sequence. Keep the batch.": (
        _shaped(lambda cut, x, p: cut.flatten(0, 1))
    ),
    "You averaged over the channels. Colours must stay.": (
        lambda x, p: patches(x.mean(1, keepdim=True), p)
    ),
    "The patches overlap. Each one begins where the last one ends.": (
        lambda x, p: F.unfold(x, p).transpose(1, 2)
    ),
}
