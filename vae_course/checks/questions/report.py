"""Task 2: the number to report, and its standard error."""

import math
import statistics

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal


def tables(seed: int | None) -> list[tuple[Tensor]]:
    """ELBO (draws, pictures), of either sign: pictures differ, and draws differ for each."""
    g = fresh(seed)
    return [
        (normal(g, 1, pictures, scale=4.0) + normal(g, draws, pictures, scale=2.0) + level,)
        for draws, pictures, level in ((2, 3, -90), (4, 5, 110), (6, 2, -90), (3, 8, 0))
    ]


def mean_and(error, mean=lambda e: e.mean()):
    return lambda elbo: (mean(elbo), error(elbo))


def error(elbo: Tensor) -> Tensor:
    return elbo.mean(0).std() / math.sqrt(elbo.shape[1])


SLIPS = {
    "You count every draw as if it were one more picture. Draws of one picture share the picture: "
    "the error looks too small.": mean_and(lambda e: e.std() / math.sqrt(e.numel())),
    "The spread is one of averages over the draws, but you divide as if draws were pictures.": (
        mean_and(lambda e: e.mean(0).std() / math.sqrt(e.numel()))
    ),
    "The spread is that of single draws. Average the draws of a picture first.": (
        mean_and(lambda e: e.std() / math.sqrt(e.shape[1]))
    ),
    "You found an error for each draw, and averaged those. Average the draws of a picture first.": (
        mean_and(lambda e: e.std(1).mean() / math.sqrt(e.shape[1]))
    ),
    "Your spread runs over the draws. What is independent here, draws or pictures?": (
        mean_and(lambda e: e.mean(1).std() / math.sqrt(len(e)))
    ),
    "You add the spread of the draws. The averages of the pictures have it in them already.": (
        mean_and(lambda e: (error(e) ** 2 + e.var(0).mean() / e.numel()).sqrt())
    ),
    "N - 1 is counted twice: in the spread, and again where it becomes the error of a mean.": (
        mean_and(lambda e: e.mean(0).std() / math.sqrt(e.shape[1] - 1))
    ),
    "You use one draw of each picture, and throw the others away.": lambda e: (
        e[0].mean(),
        e[0].std() / math.sqrt(e.shape[1]),
    ),
    "This is the spread of the pictures. How uncertain is their mean?": (
        mean_and(lambda e: e.mean(0).std())
    ),
    "This is the spread of everything. How uncertain is the mean?": mean_and(lambda e: e.std()),
    "You divide the spread by the number of pictures: the error would fall too fast with it.": (
        mean_and(lambda e: e.mean(0).std() / e.shape[1])
    ),
    "This is the squared error of the mean.": mean_and(lambda e: error(e) ** 2),
    "This is a variance divided by a root. Take the standard deviation.": (
        mean_and(lambda e: e.mean(0).var() / math.sqrt(e.shape[1]))
    ),
    "You divide the squared deviations by N. They are taken around the mean of the same N numbers, "
    "so the spread comes out too small.": (
        mean_and(lambda e: e.mean(0).std(correction=0) / math.sqrt(e.shape[1]))
    ),
    "You report the best draw of each picture, which is no estimate of the ELBO.": lambda e: (
        e.max(0).values.mean(),
        e.max(0).values.std() / math.sqrt(e.shape[1]),
    ),
    "You average weights, not ELBOs: this is the bound with K draws, another number.": lambda e: (
        (e.logsumexp(0) - math.log(len(e))).mean(),
        (e.logsumexp(0) - math.log(len(e))).std() / math.sqrt(e.shape[1]),
    ),
    "You take the middle draw of each picture. The ELBO is a mean over draws.": lambda e: (
        e.median(0).values.mean(),
        e.median(0).values.std() / math.sqrt(e.shape[1]),
    ),
    "You report a median. Others report means.": mean_and(error, lambda e: e.median()),
    "You report the median picture. Others report means.": (
        mean_and(error, lambda e: e.mean(0).median())
    ),
    "You sum over the pictures. Report nats per picture.": (
        mean_and(error, lambda e: e.mean(0).sum())
    ),
    "You sum over the draws. Average them.": lambda e: (len(e) * e.mean(), len(e) * error(e)),
    "This is two standard errors.": mean_and(lambda e: 2 * error(e)),
    "This is 1.96 standard errors, half a 95 % interval. Report one.": (
        mean_and(lambda e: 1.96 * error(e))
    ),
    "Your spread is that of the draws of a picture. What is independent here, draws or pictures?": (
        mean_and(lambda e: e.std(0).mean() / math.sqrt(len(e)))
    ),
    "This is the spread of the draws of a picture. How uncertain is the mean over pictures?": (
        mean_and(lambda e: e.std(0).mean())
    ),
    "This is the spread of averages over pictures. What is independent here, draws or pictures?": (
        mean_and(lambda e: e.mean(1).std())
    ),
    "This is a squared error, and it counts every draw as one more picture.": (
        mean_and(lambda e: e.var() / e.numel())
    ),
    "In the mean you sum over the draws. Average them.": (
        mean_and(error, lambda e: e.sum() / e.shape[1])
    ),
}


@check(
    cases=tables,
    slips=SLIPS,
    results=("the mean", "the standard error"),
    praise="A number that others can compare with theirs, and how far to trust it.",
)
def report(elbo: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and its standard error over pictures, from (draws, pictures).

    Here: Python's statistics, picture by picture.
    """
    means = [statistics.fmean(draws) for draws in elbo.T.tolist()]
    pair = statistics.fmean(means), statistics.stdev(means) / math.sqrt(len(means))
    return tuple(torch.tensor(number, dtype=elbo.dtype) for number in pair)
