"""Task 1: the squared error of each picture."""

from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal, uniform

# One picture, one channel, one row, one column; never all pictures as large as the batch.
PICTURES = ((1, 1, 3, 4), (4, 1, 2, 5), (5, 3, 1, 2), (2, 2, 6, 1))


def cases(seed: int | None) -> list[tuple[Tensor, Tensor]]:
    g = fresh(seed)
    return [(uniform(g, *size), normal(g, *size)) for size in PICTURES]


SLIPS = {
    "You averaged over the pixels. Every pixel counts in full.": (
        lambda x, r: (x - r).square().mean((1, 2, 3))
    ),
    "You averaged over everything: one number for the whole batch.": (
        lambda x, r: (x - r).square().mean()
    ),
    "This is the distance. The error is its square, so there is no root.": (
        lambda x, r: (x - r).flatten(1).norm(dim=1)
    ),
    "You take absolute differences. They must be squared.": (
        lambda x, r: (x - r).abs().sum((1, 2, 3))
    ),
    "You square the sum. Positive and negative differences cancel before they are squared.": (
        lambda x, r: (x - r).sum((1, 2, 3)).square()
    ),
    "Nothing is squared: positive and negative differences cancel.": (
        lambda x, r: (x - r).sum((1, 2, 3))
    ),
    "Nothing is squared: positive and negative differences cancel, and the order is reversed.": (
        lambda x, r: (r - x).sum((1, 2, 3))
    ),
    "This is the difference of the squares, not the square of the difference.": (
        lambda x, r: (x.square() - r.square()).sum((1, 2, 3))
    ),
    "A dimension is left over: channels count as pixels, too.": (
        lambda x, r: (x - r).square().sum((2, 3))
    ),
    "Height and width are two dimensions; you summed over one of them.": (
        lambda x, r: (x - r).square().sum(3)
    ),
    "Yours are single pixels: nothing is summed.": lambda x, r: (x - r).square(),
}


@check(
    cases=cases,
    slips=SLIPS,
    gradients=("reconstruction",),
    praise="One number per picture, right for every size tried, and its gradient is right, too.",
)
def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """(batch, C, H, W) twice -> the squared error of each picture, (batch,)."""
    # -log N(x; r, ½) is the squared distance and a constant.
    density = Normal(reconstruction, 0.5**0.5)
    return (density.log_prob(reconstruction) - density.log_prob(x)).sum((1, 2, 3))
