"""Known formulas for the terms of a loss, as features that a probe can weigh."""

import math

import torch
import torch.nn.functional as F


def kl_features(at):
    """Σμ², Σexp(2s), Σexp(s), Σs"""
    mean, s = at["mean"], at["spread"]
    terms = (mean**2, (2 * s).exp(), s.exp(), s)
    return [term.sum().item() for term in terms]


def _scale(at):
    """The decoder's scale, one a pixel."""
    scale, x = at["scale"], at["x"]
    return scale.reshape(x.shape) if scale.numel() == x.numel() else scale.expand(1, *x.shape)[0]


def _squares(at):
    return ((at["x"] - at["point"]) ** 2).sum().item()


def _with_scale(power):
    def features(at):
        scale = _scale(at)
        squares = (at["x"] - at["point"]) ** 2 * torch.exp(-power * scale)
        return [squares.sum().item(), scale.sum().item()]

    return features


def _cross_entropy(x, p):
    return F.binary_cross_entropy(p, x, reduction="sum").item()


# The first weight multiplies the error, the second (where there is one) Σ log std or Σ log var.
PICTURE_FAMILIES = {
    "squares": lambda at: [_squares(at)],
    "squares_of_logits": lambda at: [((at["x"] - at["point"].sigmoid()) ** 2).sum().item()],
    "absolute": lambda at: [(at["x"] - at["point"]).abs().sum().item()],
    "log_squares": lambda at: [math.log(_squares(at))],
    "bernoulli_logits": lambda at: [_cross_entropy(at["x"], at["point"].sigmoid())],
    "bernoulli_probabilities": lambda at: [_cross_entropy(at["x"], at["point"])],
    "gaussian_log_std": _with_scale(2.0),
    "gaussian_log_var": _with_scale(1.0),
}
GAUSSIAN = ("gaussian_log_std", "gaussian_log_var")
