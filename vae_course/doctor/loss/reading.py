"""How a loss is to be called: its order of arguments, and what it takes the spread for."""

from dataclasses import replace

from vae_course.doctor.advice import finding
from vae_course.doctor.loss.caller import Frame, Loss
from vae_course.doctor.loss.doubts import is_mixed
from vae_course.doctor.loss.order import DOCTORS, ROLES, SWAPS, order_by_names
from vae_course.doctor.loss.probe import POSTERIOR, LossLaw, probe_loss
from vae_course.doctor.patient import describe, in_short
from vae_course.doctor.report import Finding


def understand(
    loss: Loss, frame: Frame, positives: tuple[bool, ...] = (False,), batch_size: int | None = None
) -> tuple[LossLaw, list[Finding]]:
    """The law of a loss, read in the order in which most of it is understood.

    Its parameters' names decide first; where they say nothing, and where a term is not understood,
    pictures and reconstruction, mean and spread are tried the other way round. `positives`: it may
    want the spread as a positive number, exp(spread). Raises ValueError if no way works.
    """
    named = order_by_names(loss.loss)
    first = named or DOCTORS
    orders = [first, *(tuple(swap[role] for role in first) for swap in SWAPS)]
    best, failure = None, None
    for count in {2: None, batch_size or 2: None}:
        for order in orders:
            for positive in positives:
                try:
                    law = probe_loss(loss.read(order, positive), frame, count)
                except Exception as error:  # whatever somebody's loss may raise
                    failure = failure or error
                    continue
                if best is None or law.known > best.known:
                    best = law
            if best is not None and (best.known == 2 or best.probe.noisy):
                break
        if best is not None:
            kl = replace(best.kl, mixed=is_mixed(best, POSTERIOR))
            return replace(best, kl=kl), _judge_order(best.probe.loss.order, named)
    if isinstance(failure, ValueError) and "the loss" in str(failure):
        raise failure
    raise ValueError(_refusal(failure, frame)) from failure


def _judge_order(order: tuple[int, ...], named: tuple[int, ...] | None) -> list[Finding]:
    if order == DOCTORS:
        return []
    said = ", ".join(ROLES[role] for role in order)
    how = "by their names" if order == named else "because only so it is understood"
    severity = "error" if named == DOCTORS else "warning"
    evidence = (
        f"The order is swapped: examine calls loss({', '.join(ROLES)}); this loss wants ({said}), "
        f"{how}, and was examined so."
    )
    return [finding("arguments_swapped", severity, evidence)]


def _refusal(failure: Exception, frame: Frame) -> str:
    shapes = f"images (2, {', '.join(map(str, frame.picture))}), decoded {describe(frame.template)}"
    codes = f"a mean and a spread (2, {', '.join(map(str, frame.mean))})"
    return (
        f"the loss raised {in_short(failure)}; it was called as loss({', '.join(ROLES)}), in other "
        f"orders too, with {shapes}, and {codes}. If it is made for one batch size, say "
        "batch_size=...; if it wants something else, wrap it: "
        "loss=lambda x, decoded, mean, spread: yours(...)"
    )
