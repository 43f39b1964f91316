"""How the learning rate and beta go with the steps, counted from 1."""

import math

from vae_course.train.run import Run

BURDA_EPOCHS = [3**i for i in range(8)]  # Burda et al. 2015, Sec. 5


def total_steps(run: Run, steps_per_epoch: int) -> int:
    """--steps, or the steps of --epochs, or of all eight stages of burda."""
    if run.steps is not None:
        return run.steps
    return (run.epochs or sum(BURDA_EPOCHS)) * steps_per_epoch


def beta_at(run: Run, step: int) -> float:
    """A straight line to --beta, which is reached at step --warm-up-steps."""
    return run.beta * min(1.0, step / run.warm_up_steps) if run.warm_up_steps else run.beta


def learning_rate_at(run: Run, step: int, total: int, steps_per_epoch: int) -> float:
    if step < run.lr_warm_up:
        return run.lr * step / run.lr_warm_up
    epoch = (step - 1) // steps_per_epoch
    if run.schedule == "milestones":
        return run.lr * run.gamma ** sum(epoch >= end for end in run.milestones)
    if run.schedule == "burda":
        return run.lr * 10 ** (-_burda_stage(epoch) / 7)
    if run.schedule == "cosine":
        done = (step - run.lr_warm_up) / (total - run.lr_warm_up + 1)
        return run.lr * 0.5 * (1 + math.cos(math.pi * done))
    return run.lr


def _burda_stage(epoch: int) -> int:
    """Stage i holds the epochs (3^i - 1) / 2 to (3^(i+1) - 1) / 2, counted from 0."""
    last = len(BURDA_EPOCHS) - 1
    return next((i for i in range(last) if epoch < sum(BURDA_EPOCHS[: i + 1])), last)
