"""`python -m vae_course.train`: read the settings, train, and say plainly what went wrong."""

import os
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from vae_course.train.batches import load_pictures
from vae_course.train.checkpoint import Checkpoint, export_model, read_checkpoint
from vae_course.train.command_line import parser, require_own_model, settings_of
from vae_course.train.loop import CHECKPOINT, train
from vae_course.train.outcome import training_pictures
from vae_course.train.processes import TrainingStopped
from vae_course.train.run import Run

# What --resume may change: how long, where and how fast, never what.
MAY_DIFFER = {
    *("steps", "epochs", "out", "accelerator", "devices", "nodes", "precision"),
    *("logger", "log_every", "save_every", "eval_every", "rescale", "progress"),
}


def main(argv: list[str] | None = None) -> int:
    """The exit status: 0, or 1 after a message that says what to do."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(argv)
    given = settings_of(arguments)
    try:
        if arguments.export:
            out = Path(given.get("out", Run.out))
            export(out / CHECKPOINT, arguments.export, given, arguments.prior)
        elif arguments.prior:
            raise ValueError("--prior goes with --export: it is fitted to a trained model")
        else:
            started = find_start(Path(given.get("out", Run.out)), arguments.resume)
            run = settings_to_train(given, started)
            train(run, started, shlex.join(["python", "-m", "vae_course.train", *argv]))
    except (TrainingStopped, ModuleNotFoundError, ValueError, OSError) as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("interrupted; --resume goes on from the last checkpoint")
    return 0


def export(checkpoint: Path, path: str, given: dict, prior: str | None = None) -> None:
    """Write the model, re-scaled on the run's own pictures unless the run or --no-rescale says no,
    with a `prior` if one is named.

    Raises as `read_checkpoint` does, and ValueError where the pictures are no longer there.
    """
    run = replace(read_checkpoint(checkpoint).run, **given)
    if not run.rescale:
        if prior:
            raise ValueError("--prior is fitted to re-scaled codes; leave --no-rescale out")
        return export_model(checkpoint, path)
    try:
        images = training_pictures(run, load_pictures(run).train)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{error}. Re-scaling needs the pictures of the run; --no-rescale exports without"
        ) from error
    nats = export_model(checkpoint, path, images, prior=prior)
    print(f"{path} is re-scaled by {len(images)} training pictures: the KL fell by {nats:.1f} nats")


def fail(message: str) -> int:
    """Every process fails alike; the one that started the others says so."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return 0
    print(f"error: {message}", file=sys.stderr)
    return 1


def find_start(out: Path, resume: bool) -> Checkpoint | None:
    """The checkpoint to go on from. Raises ValueError where --resume is missing, or pointless."""
    path = out / CHECKPOINT
    if path.exists() and not resume:
        raise ValueError(
            f"{out} already holds a run; --resume goes on with it, another --out starts anew"
        )
    if resume and not path.exists():
        raise ValueError(f"there is no {path} to resume; leave --resume out to start a run")
    return read_checkpoint(path) if resume else None


def settings_to_train(given: dict, started: Checkpoint | None) -> Run:
    """What is given and, when resuming, the run's own settings for the rest."""
    if started is None:
        run = Run(**given)
        require_own_model(run, given)
        return run
    before = asdict(started.run)
    changed = [n for n in given if given[n] != before[n] and n not in MAY_DIFFER]
    if changed:
        differences = "; ".join(
            f"--{name.replace('_', '-')} was {before[name]}, now {given[name]}" for name in changed
        )
        raise ValueError(f"a resumed run keeps its settings, but {differences}; use another --out")
    if "steps" in given or "epochs" in given:
        given = {"steps": None, "epochs": None} | given
    return replace(started.run, **given)


if __name__ == "__main__":
    sys.exit(main())
