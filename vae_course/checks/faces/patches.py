"""Task 1: pictures cut into patches."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Given

# (batch, C, H, W) and the patch. No two of these numbers are mixed up in all of them.
SIZES = (((3, 3, 4, 6), 2), ((2, 1, 9, 6), 3), ((2, 2, 4, 12), 4), ((4, 3, 5, 5), 5))


def pictures(seed: int | None) -> list[tuple[Tensor, int]]:
    g = fresh(seed)
    return [(normal(g, *shape), patch) for shape, patch in SIZES]


def grid(images, patch):
    """(batch, C, rows, patch, columns, patch)."""
    return images.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))


def ordered(*order: int) -> Callable:
    """The dimensions of `grid` in another order, in the right shape."""

    def cut(images, patch):
        return grid(images, patch).permute(order).reshape(patches.right(images, patch).shape)

    return cut


def far_apart(images, patch):
    parts = images.unflatten(3, (patch, -1)).unflatten(2, (patch, -1))  # (b, C, p, rows, p, cols)
    return parts.permute(0, 3, 5, 1, 2, 4).flatten(3).flatten(1, 2)


def shaped(reshape: Callable) -> Callable:
    return lambda images, patch: reshape(patches.right(images, patch), images, patch)


SLIPS = {
    "The numbers stand in the order in which they lie in memory: a `reshape` alone cuts rows of "
    "pixels, not squares. Split both axes, then permute.": (
        lambda x, p: x.reshape(patches.right(x, p).shape)
    ),
    "The patches run down the columns. Go along the first row of patches, then the next.": (
        ordered(0, 4, 2, 1, 3, 5)
    ),
    "Inside a patch, the channel changes fastest. First all of the first channel.": (
        ordered(0, 2, 4, 3, 5, 1)
    ),
    "Inside a patch, the channel stands between rows and columns. It comes first.": (
        ordered(0, 2, 4, 3, 1, 5)
    ),
    "Inside a patch, you go down the columns. Go along its rows.": ordered(0, 2, 4, 1, 5, 3),
    "Rows and columns are swapped, of patches and inside them: it is the mirrored picture.": (
        ordered(0, 4, 2, 1, 5, 3)
    ),
    "Inside a patch, the order is turned round: columns, rows, channels.": (
        ordered(0, 2, 4, 5, 3, 1)
    ),
    "The channels still stand before the patches, so that a token holds several places of one "
    "channel. `permute` comes before `reshape`.": ordered(0, 1, 2, 4, 3, 5),
    "You cut rightly, and then lay the rows of each patch side by side with its neighbours': the "
    "two sides of a patch must stand together.": ordered(0, 2, 1, 3, 4, 5),
    "Patches of several pictures are mixed: the batch must come first before you reshape.": (
        ordered(2, 4, 0, 1, 3, 5)
    ),
    "The pixels of a token lie far apart: you split an axis into patch × number. Neighbours stay "
    "together in number × patch.": far_apart,
    "Each channel has become a token of its own. A token holds all channels of its place.": (
        lambda x, p: grid(x, p).permute(0, 1, 2, 4, 3, 5).flatten(4).flatten(1, 3)
    ),
    "The last two dimensions are swapped: a token is a row.": (
        shaped(lambda cut, x, p: cut.transpose(1, 2))
    ),
    "The patch comes first, the picture second. It should be the other way round.": (
        shaped(lambda cut, x, p: cut.transpose(0, 1))
    ),
    "The numbers of a patch are not in one row yet: flatten channels, rows and columns.": (
        shaped(lambda cut, x, p: cut.unflatten(2, (-1, p, p)))
    ),
    "The patches are still a grid. A transformer takes one sequence for each picture.": (
        shaped(lambda cut, x, p: cut.unflatten(1, (-1, x.shape[3] // p)))
    ),
    "All pictures have become one sequence. Keep the batch.": (
        shaped(lambda cut, x, p: cut.flatten(0, 1))
    ),
    "The pictures stand on their heads. The first row of patches is the top.": (
        Given(lambda images, patch: (images.flip(2), patch))
    ),
    "The rows of patches run from right to left.": (
        Given(lambda images, patch: (images.flip(3), patch))
    ),
    "The patches stand in the opposite order: first the one on the top left.": (
        shaped(lambda cut, x, p: cut.flip(1))
    ),
    "The channels stand in the opposite order.": (
        Given(lambda images, patch: (images.flip(1), patch))
    ),
    "You averaged over the channels. Colours must stay.": (
        lambda x, p: patches.right(x.mean(1, keepdim=True), p)
    ),
    "The patches overlap. Each one begins where the last one ends.": (
        lambda x, p: F.unfold(x, p).transpose(1, 2)
    ),
    "You bring the channels to the end, and then only reshape: this cuts rows of pixels. Split "
    "both axes first.": lambda x, p: x.permute(0, 2, 3, 1).reshape(patches.right(x, p).shape),
}


@check(
    cases=pictures,
    slips=SLIPS,
    praise="A sequence of tokens, ready for a linear map. No pixel is lost, none is in two.",
)
def patches(images: Tensor, patch: int) -> Tensor:
    """(batch, C, H, W) -> (batch, patches, C·patch²), row by row. Here: slices, one by one."""
    height, width = images.shape[2:]
    corners = [(i, j) for i in range(0, height, patch) for j in range(0, width, patch)]
    cut = [images[:, :, i : i + patch, j : j + patch].flatten(1) for i, j in corners]
    return torch.stack(cut, 1)
