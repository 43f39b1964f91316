"""The weights of a loss, read from the gradients of one step.

What reaches the mean directly, and not through z, comes from the term on the posterior: for a KL
of weight w it is w μ. What reaches the output comes from the reconstruction: for c Σ(x - x̂)² it is
2c (x̂ - x). So two gradients of an ordinary step say what the loss weighs, whatever its code.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_course.doctor.loss.families import KL, NONE, PICTURE_FAMILIES, UNKNOWN, Family
from vae_course.doctor.loss.probe import Term
from vae_course.doctor.watch.draws import Draw
from vae_course.doctor.watch.made import SHAPES, SMOOTH
from vae_course.doctor.watch.trace import Trace

FITS = 2e-3  # largest relative residual of a formula that fits; rounding adds to it
ROUNDING = 3e-6  # float32, added up over a network
PICTURE = {family.name: family for family in PICTURE_FAMILIES}


@dataclass(frozen=True)
class Weights:
    """The two terms as one step weighs them, summed over its batch.

    `output` is what the decoder returned and the formula is made for, `sigma` the σ that the
    error was divided by, where that learns. `mixed`: words, where the term binds averages alone.
    `meaning` of the spread in the sampling line. `repels`: the term drives σ away from 1.
    """

    kl: Term
    reconstruction: Term
    output: Tensor | None
    output_by: str
    sigma: float | None
    mixed: str
    meaning: str | None
    repels: bool


def read_weights(trace: Trace, draw: Draw) -> Weights:
    meaning, _ = meaning_of(draw)
    kl, mixed, repels = _read_kl(trace, draw, meaning)
    reconstruction, output, by, sigma = _read_reconstruction(trace, kl)
    return Weights(kl, reconstruction, output, by, sigma, mixed, meaning, repels)


def meaning_of(draw: Draw) -> tuple[str | None, float]:
    """What the sampling line takes the spread for, and a factor on the noise besides.

    "log_std" or "log_var"; None where the spread is no logarithm, or the factor is not 1.
    """
    if draw.by_spread is None:
        return None, abs(draw.factor)
    log_std = draw.std.reshape(-1).double().log()
    spread = draw.spread.detach().reshape(-1).double()
    for name, power in (("log_std", 1.0), ("log_var", 0.5)):
        rest = log_std - power * spread
        middle = rest.median()
        if (rest - middle).abs().median() < 1e-4 and spread.std() > 1e-3:
            factor = middle.exp().item()
            return (name if abs(factor - 1) < 1e-3 else None), factor
    return None, 1.0


def _read_kl(trace: Trace, draw: Draw, meaning: str | None) -> tuple[Term, str, bool]:
    """The term on the posterior; how it mixes the batch, if so; does it drive σ from 1."""
    mean = _flat(draw.mean)
    total = trace.gradient(draw.mean)
    direct = total - trace.gradient(draw.z)
    slack = FITS + ROUNDING * _norm(total) / max(_norm(direct), 1e-30)
    spread = _spread_slope(trace, draw, meaning)
    if not direct.any() and (spread is None or spread.small):
        return Term(NONE, (), 0.0, 0), "", False
    mixed = _mixing(direct, draw)
    if slack > 0.2:  # too small a weight to be read beside the rest
        return Term(UNKNOWN, (), 0.0, 0), "", False
    weight, off = _fit(direct, mean)
    if off < slack:
        rest = _right(weight, meaning) if spread is None else spread.weights(slack)
        if rest is not None:
            return Term(KL, (weight / 2, *rest), 0.0, 0), "", False
        return Term(UNKNOWN, (), 0.0, 0), "", weight > 0 and spread.repels
    elif draw.std is not None and draw.std.numel() == len(mean):
        noise = (_flat(draw.z) - mean) / _flat(draw.std)
        weight, off = _fit(direct, noise / _flat(draw.std))
        if off < max(slack, 0.01):  # log q(z|x) at a draw: its slope is noise over σ
            return Term(KL, (weight / 2, *_right(weight, meaning)), 0.0, 0), "", False
    return Term(UNKNOWN, (), 0.0, 0), mixed, False


def _right(weight: float, meaning: str | None) -> tuple[float, float, float]:
    """The weights of exp(2s), exp(s) and s in a KL whose mean has weight `weight`."""
    if meaning == "log_var":
        return 0.0, weight / 2, -weight / 2
    return weight / 2, 0.0, -weight


@dataclass(frozen=True)
class SpreadSlope:
    """The direct slope in s, where s is the spread if it is a logarithm, else log σ."""

    slope: Tensor
    s: Tensor
    small: bool

    @property
    def repels(self) -> bool:
        """A descent step brings more than a tenth of all σ further from 1, as no KL does."""
        moved = self.s.abs() > 0.01
        away = self.slope * self.s < 0
        return bool(moved.any() and away[moved].double().mean() > 0.1)

    def weights(self, slack: float) -> tuple[float, float, float] | None:
        """Of exp(2s), exp(s) and s, if one of the two forms fits."""
        forms = []
        for power in (2, 1):
            design = torch.stack([power * (power * self.s).exp(), torch.ones_like(self.s)], 1)
            solved = torch.linalg.lstsq(design, self.slope[:, None], driver="gelsd").solution
            off = _norm(self.slope - (design @ solved)[:, 0]) / max(_norm(self.slope), 1e-30)
            forms.append((off, power, solved[:, 0].tolist()))
        off, power, (exponential, log) = min(forms)
        if off > max(slack, 5e-3):
            return None
        return (exponential, 0.0, log) if power == 2 else (0.0, exponential, log)


def _spread_slope(trace: Trace, draw: Draw, meaning: str | None) -> SpreadSlope | None:
    if draw.by_spread is None:
        return None
    by, std, spread = _flat(draw.by_spread), _flat(draw.std), _flat(draw.spread)
    total = trace.gradient(draw.spread)
    direct = total - trace.gradient(draw.z) * _flat(draw.z_by_spread)
    small = _norm(direct) < ROUNDING * _norm(total) or not direct.any()
    rate = by * abs(draw.factor) / std  # d log σ / d spread
    usable = rate.abs() > 1e-3
    if meaning is not None:
        return SpreadSlope(direct, spread, small)
    return SpreadSlope(direct[usable] / rate[usable], std[usable].log(), small)


def _mixing(slope: Tensor, draw: Draw) -> str:
    """One slope for all examples though their means differ, or slopes that add up to nothing."""
    rows, means = slope.reshape(len(draw.mean), -1), _flat(draw.mean).reshape(len(draw.mean), -1)
    differs = (means - means.mean(0)).norm() > 1e-2 * means.norm()
    if len(rows) < 4 or not slope.any() or not differs:
        return ""
    if (rows - rows.mean(0)).norm() < 1e-4 * rows.norm():
        return "All examples of the batch got one and the same gradient from it."
    if rows.sum(0).norm() < 1e-5 * rows.norm() and means.mean(0).norm() > 1e-2 * means.norm():
        return "Its gradients add up to 0 over the batch: all means may move together for nothing."
    return ""


def _read_reconstruction(trace: Trace, kl: Term) -> tuple[Term, Tensor | None, str, float | None]:
    """The term on the output, the output, the call that made it, and σ if that is learned."""
    if trace.meeting is None:
        return Term(UNKNOWN, (), 0.0, 0), None, "", None
    x = _flat(trace.meeting.target)
    found = []
    for stage in trace.meeting.outputs:
        u, slope = _flat(stage.tensor), trace.gradient(stage.tensor)
        if not slope.any() or len(u) != len(x):
            continue
        fits = {family: _fit(slope, feature) for family, feature in _features(u, x).items()}
        found += [(off, weight, family, stage, None, 0) for family, (weight, off) in fits.items()]
        for scale in (step for part in trace.scales[:4] for step in part.back(SHAPES | SMOOTH)):
            for power in (1, 2, -1, -2):
                feature, std = _scaled_error(u, x, scale.tensor, power)
                if feature is not None:
                    weight, off = _fit(slope, feature)
                    seen = _has_its_slope(trace, scale.tensor, power, weight, u - x)
                    found.append((off, weight, PICTURE["gaussian_log_std"], stage, std, seen))
    good = [one for one in found if one[0] < 2 * FITS]
    if not good:
        first = trace.meeting.outputs[0]
        silent = all(not trace.gradient(s.tensor).any() for s in trace.meeting.outputs)
        return Term(NONE if silent else UNKNOWN, (), 0.0, 0), first.tensor, first.name, None
    chosen = _most_plausible(good, kl)
    if chosen is None:
        return Term(UNKNOWN, (), 0.0, 0), good[0][3].tensor, good[0][3].name, None
    _, weight, family, stage, std, _ = chosen
    weights = (weight, 2 * weight) if family.scale else (weight,)
    return Term(family, weights, 0.0, 0), stage.tensor, stage.name, std


def _most_plausible(good: list, kl: Term):
    """A learned σ before a fixed one; of the ways to read one number, that with the KL's weight.

    None where σ is one learned number and no way to read it gives the weight of the KL.
    """
    learned = [one for one in good if one[2].scale]
    if not learned:
        return min(good, key=lambda one: one[0])
    sure = max(one[5] for one in learned)
    if sure:  # what the slope in σ speaks against is out
        learned = [one for one in learned if one[5] == sure]
        if max(one[1] for one in learned) < 1.01 * min(one[1] for one in learned):
            return min(learned, key=lambda one: one[0])
    beta = 2 * kl.weights[0] if kl.weights else 1.0
    best = min(learned, key=lambda one: abs(math.log(abs(2 * one[1] / beta) + 1e-30)))
    if abs(2 * best[1] / beta - 1) < 0.01:
        return best
    one_number = any(not one[2].scale for one in good)  # a plain squared error fits as well
    return None if one_number else min(learned, key=lambda one: one[0])


def _features(u: Tensor, x: Tensor) -> dict[Family, Tensor]:
    """The slope in the output, for weight 1, of each formula."""
    p, inside = u.sigmoid(), u.clamp(1e-7, 1 - 1e-7)
    features = {
        PICTURE["squares"]: 2 * (u - x),
        PICTURE["absolute"]: (u - x).sign(),
        PICTURE["bernoulli_logits"]: p - x,
        PICTURE["squares_of_logits"]: 2 * (p - x) * p * (1 - p),
    }
    if u.min() >= 0 and u.max() <= 1:
        features[PICTURE["bernoulli_probabilities"]] = (inside - x) / (inside * (1 - inside))
    return features


def _has_its_slope(trace: Trace, scale: Tensor, power: int, weight: float, error: Tensor) -> int:
    """Is the slope in a learned number t what weight · (Σ error² t^power - log t^power) gives it?

    2 for yes, 1 if it is that of the squares, as where the logarithm is taken of another tensor.
    """
    if scale.numel() != 1:
        return 0
    t, slope = scale.item(), trace.gradient(scale).sum().item()
    squares = weight * power * t ** (power - 1) * error.square().sum().item()
    log = weight * power * len(error) / t
    near = [abs(slope - wanted) < 1e-4 * abs(squares) for wanted in (squares, squares - log)]
    return 2 if near[1] else int(near[0])


def _scaled_error(u, x, scale: Tensor, power: int) -> tuple[Tensor | None, float]:
    """(x̂ - x) / σ² and the mean σ, where the learned `scale` is 1/σ², 1/σ, σ or σ² in turn."""
    values = scale.detach().double().cpu()
    if values.numel() not in (1, len(u)):
        try:
            values = values.expand(len(u) // values.numel(), *values.shape)
        except RuntimeError:
            return None, 0.0
    values = values.reshape(-1)
    if not (values > 0).all():
        return None, 0.0
    precision = values**power
    return 2 * (u - x) * precision, precision.rsqrt().mean().item()


def _fit(slope: Tensor, feature: Tensor) -> tuple[float, float]:
    """The weight of a feature, and how far the slope is from it, relative to its size."""
    size = feature.square().sum()
    if not size > 0 or not slope.any():
        return 0.0, math.inf
    weight = (slope * feature).sum() / size
    return weight.item(), (_norm(slope - weight * feature) / _norm(slope))


def _flat(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).double().cpu()


def _norm(values: Tensor) -> float:
    return values.norm().item()
