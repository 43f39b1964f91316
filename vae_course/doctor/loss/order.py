"""In which order a loss wants its arguments: from their names."""

import inspect
from collections.abc import Callable

ROLES = ("pictures", "decoded", "mean", "spread")
DOCTORS = (0, 1, 2, 3)
SWAPS = ((1, 0, 2, 3), (0, 1, 3, 2), (1, 0, 3, 2))

_NAMES = (  # written without underscores; what widely read code calls them
    "x y image images img imgs data input inputs target targets picture pictures original orig "
    "real batch truth xtrue ytrue xbatch xin origx xs xorig label groundtruth",
    "reconx recon recons reconstruction reconstructed reconstructions xhat xrecon xreconst "
    "reconstx output outputs out pred preds ypred decoded decode dec xprime xtilde generated xout "
    "logits probs xbar recx xrec r d u p decx xdec decoderoutput yhat fake imgrec imgout xr",
    "mu mean means m zmean zmu mus meanz loc qmu qmean muz qm zm",
    "logvar logvars logsigma logstd logscale logs s sigma std var zlogvar logvariance logsigma2 "
    "logsigmasq zlogsigma zlogstd scale sd spread lv logv sigma2 stddev variance zvar qlogvar "
    "logvarz lnvar lnsigma sigmas zlogvariance logsd logsigmasquared zsigma zstd",
)
NAMES = tuple(set(words.split()) for words in _NAMES)


def order_by_names(loss: Callable) -> tuple[int, ...] | None:
    """Which role each parameter has, or None where the names do not say it.

    Raises TypeError where the loss cannot be called with four arguments.
    """
    try:
        parameters = list(inspect.signature(loss).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if len(placed) < 4 or len(needed) > 4:
        raise TypeError(
            "loss must take (images, decoded, mean, spread), but takes "
            f"({', '.join(p.name for p in parameters)}); wrap it: "
            "loss=lambda x, decoded, mean, spread: yours(...)"
        )
    roles = [_role(p.name) for p in placed[:4]]
    return (
        tuple(roles) if sorted(role for role in roles if role is not None) == [0, 1, 2, 3] else None
    )


def _role(name: str) -> int | None:
    plain = name.lower().replace("_", "")
    return next((i for i, names in enumerate(NAMES) if plain in names), None)
