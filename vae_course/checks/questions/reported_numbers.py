"""Numbers for a report: oracles in Python numbers, and slips with their names."""

import math
import statistics

import torch
from torch import Tensor

from vae_course.checks.judging.inputs import normal, uniform


def tables(g: torch.Generator) -> list[tuple[Tensor]]:
    """ELBO (draws, pictures): pictures differ, and draws differ for each picture."""
    return [
        (normal(g, 1, pictures, scale=4.0) + normal(g, draws, pictures, scale=2.0) - 90,)
        for draws, pictures in ((2, 3), (4, 5), (6, 2), (3, 8))
    ]


def report(elbo: Tensor) -> tuple[Tensor, Tensor]:
    """The oracle: Python's statistics, picture by picture."""
    means = [statistics.fmean(draws) for draws in elbo.T.tolist()]
    pair = statistics.fmean(means), statistics.stdev(means) / math.sqrt(len(means))
    return tuple(torch.tensor(number, dtype=elbo.dtype) for number in pair)


def _mean_and(error, mean=lambda e: e.mean()):
    return lambda elbo: (mean(elbo), error(elbo))


def _error(elbo: Tensor) -> Tensor:
    return elbo.mean(0).std() / math.sqrt(elbo.shape[1])


REPORT_MISTAKES = {
    "You count every draw as if it were one more picture. Draws of one picture share the picture: "
    "the error looks too small.": _mean_and(lambda e: e.std() / math.sqrt(e.numel())),
    "The spread is one of averages over the draws, but you divide as if draws were pictures.": (
        _mean_and(lambda e: e.mean(0).std() / math.sqrt(e.numel()))
    ),
    "The spread is that of single draws. Average the draws of a picture first.": (
        _mean_and(lambda e: e.std() / math.sqrt(e.shape[1]))
    ),
    "You found an error for each draw, and averaged those. Average the draws of a picture first.": (
        _mean_and(lambda e: e.std(1).mean() / math.sqrt(e.shape[1]))
    ),
    "Your spread runs over the draws. What is independent here, draws or pictures?": (
        _mean_and(lambda e: e.mean(1).std() / math.sqrt(len(e)))
    ),
    "You add the spread of the draws. The averages of the pictures have it in them already.": (
        _mean_and(lambda e: (_error(e) ** 2 + e.var(0).mean() / e.numel()).sqrt())
    ),
    "N - 1 is counted twice: in the spread, and again where it becomes the error of a mean.": (
        _mean_and(lambda e: e.mean(0).std() / math.sqrt(e.shape[1] - 1))
    ),
    "You use one draw of each picture, and throw the others away.": lambda e: (
        e[0].mean(),
        e[0].std() / math.sqrt(e.shape[1]),
    ),
    "This is the spread of the pictures. How uncertain is their mean?": (
        _mean_and(lambda e: e.mean(0).std())
    ),
    "This is the spread of everything. How uncertain is the mean?": _mean_and(lambda e: e.std()),
    "You divide the spread by the number of pictures: the error would fall too fast with it.": (
        _mean_and(lambda e: e.mean(0).std() / e.shape[1])
    ),
    "This is the squared error of the mean.": _mean_and(lambda e: _error(e) ** 2),
    "This is a variance divided by a root. Take the standard deviation.": (
        _mean_and(lambda e: e.mean(0).var() / math.sqrt(e.shape[1]))
    ),
    "You divide the squared deviations by N. They are taken around the mean of the same N numbers, "
    "so the spread comes out too small.": (
        _mean_and(lambda e: e.mean(0).std(correction=0) / math.sqrt(e.shape[1]))
    ),
    "This is a loss. The ELBO goes out as it came in, larger is better.": (
        _mean_and(_error, lambda e: -e.mean())
    ),
    "You report the best draw of each picture, which is no estimate of the ELBO.": lambda e: (
        e.max(0).values.mean(),
        e.max(0).values.std() / math.sqrt(e.shape[1]),
    ),
    "You average weights, not ELBOs: this is the bound with K draws, another number.": lambda e: (
        (e.logsumexp(0) - math.log(len(e))).mean(),
        (e.logsumexp(0) - math.log(len(e))).std() / math.sqrt(e.shape[1]),
    ),
    "You sum over the pictures. Report nats per picture.": (
        _mean_and(_error, lambda e: e.mean(0).sum())
    ),
    "You sum over the draws. Average them.": lambda e: (len(e) * e.mean(), len(e) * _error(e)),
    "They stand in the wrong order: first the mean.": lambda e: (_error(e), e.mean()),
    "This is two standard errors.": _mean_and(lambda e: 2 * _error(e)),
    "This is 1.96 standard errors, half a 95 % interval. Report one.": (
        _mean_and(lambda e: 1.96 * _error(e))
    ),
}


def densities(g: torch.Generator) -> list[tuple]:
    """(elbo, shape, scale): nats of pictures whose pixels were divided by `scale`."""
    cases = []
    for batch, shape, scale in (
        (4, (3, 4, 5), 255.0),
        (1, (1, 8, 7), 127.5),
        (3, (2, 6, 1), 15.0),
        (2, (3, 2, 2), 1.0),
    ):
        per_pixel = uniform(g, batch, low=-1.0, high=2.5)
        cases.append((per_pixel * math.prod(shape), shape, scale))
    return cases


def bits(elbo: Tensor, shape: tuple, scale: float) -> Tensor:
    """The oracle: a flat density with that many nats is so many grey values wide."""
    widths = [math.exp(-nats / math.prod(shape)) * scale for nats in elbo.tolist()]
    return torch.tensor([math.log2(width) for width in widths], dtype=elbo.dtype)


def _bits(*, size=math.prod, grey=math.log, sign=-1.0, base=2.0):
    def of(elbo, shape, scale):
        return (sign * elbo / size(shape) + grey(scale)) / math.log(base)

    return of


BITS_MISTAKES = {
    "This is in nats, not in bits.": _bits(base=math.e),
    "You multiply where nats become bits: fewer bits than nats?": (
        lambda e, d, s: _bits()(e, d, s) * math.log(2) ** 2
    ),
    "Your logarithm has base 10. A bit is one of two.": _bits(base=10.0),
    "You ignore the scale: a density depends on the unit in which grey is counted.": (
        _bits(grey=lambda scale: 0.0)
    ),
    "The scale has the wrong sign: a density over a wider range of numbers is lower.": (
        _bits(grey=lambda scale: -math.log(scale))
    ),
    "You forget the channels: each of them has a number of its own.": (
        _bits(size=lambda shape: math.prod(shape[1:]))
    ),
    "The ELBO has the wrong sign: likely pictures take few bits.": _bits(sign=1.0),
    "Likely pictures take few bits: yours is minus that, and the scale has not its sign.": (
        lambda e, d, s: (e / math.prod(d) - math.log(s)) / math.log(2)
    ),
    "This is for the whole picture. Divide by the number of dimensions.": (
        lambda e, d, s: _bits()(e, d, s) * math.prod(d)
    ),
    "The scale enters once a picture. It stretches each dimension.": (
        lambda e, d, s: (-e + math.log(s)) / math.prod(d) / math.log(2)
    ),
    "The scale enters D times a dimension. It stretches each dimension once.": (
        lambda e, d, s: (-e / math.prod(d) + math.prod(d) * math.log(s)) / math.log(2)
    ),
    "The ELBO is not divided by the number of dimensions, the scale is counted for one.": (
        lambda e, d, s: (-e + math.log(s)) / math.log(2)
    ),
    "You add nats of the scale to bits.": lambda e, d, s: (
        _bits(grey=lambda v: 0.0)(e, d, s) + math.log(s)
    ),
    "You divide by the scale itself. In a logarithm a factor is added.": (
        lambda e, d, s: -e / math.prod(d) / math.log(2) / s
    ),
    "You multiply by the scale itself. In a logarithm a factor is added.": (
        lambda e, d, s: -e / math.prod(d) / math.log(2) * s
    ),
    "The scale is taken as 255, whatever it is.": _bits(grey=lambda v: math.log(255)),
    "The scale is taken as 256, whatever it is.": _bits(grey=lambda v: math.log(256)),
}
