"""The processes of a run, by Lightning Fabric: one per GPU, on one machine or several."""

from vae_course.train.run import Run


class TrainingStopped(RuntimeError):
    """Training cannot go on; the last good checkpoint is kept, and the message says the rest."""


def require_lightning() -> None:
    """Raises ModuleNotFoundError that says how to install it."""
    try:
        import lightning_fabric  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "training needs Lightning Fabric: pip install lightning-fabric tensorboard "
            "(or pip install '.[train]' in the course's folder)"
        ) from error


def launch(run: Run):
    """Start the other processes of the run, if any; all of them, this one too, go on from here."""
    from lightning_fabric import Fabric

    fabric = Fabric(
        accelerator=run.accelerator,
        devices=run.devices,
        num_nodes=run.nodes,
        strategy="ddp" if run.processes > 1 else "auto",
        precision=run.precision,
    )
    fabric.launch()
    return fabric


def in_process_zero(fabric, work, *arguments) -> None:
    """`work` in process 0 alone. Its failure is everyone's: nobody waits for one that stopped.

    Raises TrainingStopped, in every process, where `work` raises it or OSError.
    """
    failure = None
    if fabric.is_global_zero:
        try:
            work(*arguments)
        except OSError as error:
            failure = f"cannot write {error.filename or 'the records'}: {error.strerror or error}"
        except TrainingStopped as error:
            failure = str(error)
    failure = fabric.broadcast(failure)
    if failure:
        raise TrainingStopped(failure)
