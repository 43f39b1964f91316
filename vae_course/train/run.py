"""`Run`: every setting of a training run, once, with its help text."""

import json
import math
from argparse import BooleanOptionalAction
from dataclasses import asdict, dataclass, field, fields

from vae_course.models import LOWEST_STD, STDS

MODELS = ("mlp", "convolutional", "transformer")


def setting(default, group: str, text: str, **options):
    """A field; `options` are those of argparse."""
    return field(default=default, metadata={"group": group, "help": text, "options": options})


def std_or_number(text: str) -> str | float:
    return text if text in STDS else float(text)


@dataclass(frozen=True)
class Run:
    """Every setting of a run. Raises ValueError for values that make no sense."""

    data: str = setting(
        "digits",
        "pictures",
        "digits, faces, mnist_5k, photos, mnist, fashion_mnist, cifar10, celeba, or the path of a "
        "folder of pictures",
    )
    n_train: int | None = setting(
        None,
        "pictures",
        "pictures to train on; default: 20 000 digits or celeba, 10 000 faces, 5 000 photos, all "
        "of other sets, 90 %% of a folder",
        type=int,
    )
    n_test: int | None = setting(
        None,
        "pictures",
        "pictures to test on; default: 2 000 digits or celeba, 1 000 faces or photos, all "
        "of other sets, 10 %% of a folder",
        type=int,
    )
    data_seed: int = setting(0, "pictures", "picks the pictures, and the pixels of --binarize once")
    binarize: str = setting(
        "no",
        "pictures",
        "draw each pixel as 0 or 1 with its grey value as the probability: anew at each step, or "
        "once. Test pictures are drawn once in both cases",
        choices=("no", "each-step", "once"),
    )

    model: str = setting("mlp", "model", "the architecture", choices=MODELS)
    latent_dim: int = setting(20, "model", "latents")
    likelihood: str = setting(
        "gaussian", "model", "p(x|z) of a pixel", choices=("gaussian", "bernoulli")
    )
    std: str | float | None = setting(
        None,
        "model",
        "σ of a Gaussian p(x|z), in units of the pixels' range: optimal (the batch's RMSE), shared "
        "(one learned number), per_pixel (predicted), a number, or unit (1); default: optimal",
        type=std_or_number,
        metavar="{unit,shared,optimal,per_pixel,NUMBER}",
    )

    lowest_std: float = setting(
        LOWEST_STD, "model", "bound below σ of --std per_pixel, in units of the pixels' range"
    )
    highest_std: float | None = setting(
        None, "model", "the same from above; default: no bound", type=float
    )

    hidden: tuple[int, ...] = setting((512, 512), "mlp", "widths of the encoder's hidden layers")
    activation: str = setting("relu", "mlp", "between the layers", choices=("relu", "elu", "tanh"))
    channels: tuple[int, ...] = setting(
        (32, 64, 128), "convolutional", "channels of the encoder's layers"
    )
    patch: int = setting(8, "transformer", "side of a patch, in pixels")
    width: int = setting(256, "transformer", "numbers per token")
    depth: int = setting(4, "transformer", "blocks")
    heads: int = setting(4, "transformer", "attention heads per block")
    place_maps: bool = setting(
        False, "transformer", "a linear map of z of its own at each place", action="store_true"
    )

    init: str | None = setting(
        None, "training", "start from the weights of this checkpoint or exported model", type=str
    )
    steps: int | None = setting(None, "training", "how long to train, in batches", type=int)
    epochs: int | None = setting(
        None, "training", "how long to train, in passes over the pictures", type=int
    )
    batch_size: int = setting(128, "training", "pictures per step, over all processes together")
    importance_samples: int = setting(
        1,
        "training",
        "draws of z a picture. More than 1: train with the importance-weighted bound of so many "
        "draws (Burda et al. 2015)",
    )
    kl: str = setting(
        "formula",
        "training",
        "of the loss. draw: log q(z|x) - log p(z) at the draw of z, the formula's value with "
        "noise; for results that were found so",
        choices=("formula", "draw"),
    )
    pixel_weights: str | None = setting(
        None,
        "training",
        "an .npy file of numbers (H, W): how many times each pixel's log likelihood counts in the "
        "loss, to begin with what is small; without it all count once",
        type=str,
    )
    beta: float = setting(1.0, "training", "weight of the KL; 1 is the ELBO")
    warm_up_steps: int = setting(0, "training", "steps over which beta rises from 0")
    optimizer: str = setting(
        "adam",
        "training",
        "rmsprop: torch's, centred. Older, and noisier; for results that were found with it",
        choices=("adam", "rmsprop"),
    )
    lr: float = setting(1e-3, "training", "the learning rate, at its highest")
    schedule: str = setting(
        "constant",
        "training",
        "of the learning rate. cosine: falls towards 0 at the last step. milestones: times --gamma "
        "after each of --milestones. burda: 3^i epochs at lr·10^(-i/7) for i = 0..7, 3280 epochs "
        "in all (Burda et al. 2015)",
        choices=("constant", "cosine", "milestones", "burda"),
    )
    milestones: tuple[int, ...] = setting(
        (200, 350), "training", "epochs after which --schedule milestones lowers the learning rate"
    )
    gamma: float = setting(0.1, "training", "the factor by which it does")
    lr_warm_up: int = setting(
        0, "training", "steps over which the learning rate rises from 0; not with burda"
    )
    clip: float = setting(0.0, "training", "largest norm of the gradient; 0: no limit")
    seed: int = setting(0, "training", "of weights, order and noise")

    accelerator: str = setting(
        "auto", "machine", "what computes", choices=("auto", "cpu", "cuda", "mps")
    )
    devices: int = setting(1, "machine", "processes on this machine, one per GPU")
    nodes: int = setting(1, "machine", "machines; all must see --data and --out")
    precision: str = setting(
        "32-true",
        "machine",
        "of the networks; likelihoods and KL always have 32 bits or more",
        choices=("32-true", "bf16-mixed", "64-true"),
    )

    out: str = setting("run", "records", "folder for the checkpoint and the logs")
    save_every: int = setting(1000, "records", "steps between checkpoints")
    log_every: int = setting(50, "records", "steps between rows of log.csv")
    eval_every: int = setting(
        0, "records", "steps between measurements on the test pictures; 0: only at the end"
    )
    logger: str = setting(
        "csv",
        "records",
        "tensorboard: in addition to the CSV files",
        choices=("csv", "tensorboard"),
    )
    rescale: bool = setting(
        True,
        "records",
        "give the codes mean 0 and variance 1 over training pictures, in the model that --export "
        "writes; reconstructions stay, draws from the prior mostly get better",
        action=BooleanOptionalAction,
    )
    progress: bool = setting(True, "records", "no progress bar", action="store_false")

    def __post_init__(self):
        _require_choices(self)
        _require_numbers(self)
        if self.steps is not None and self.epochs is not None:
            raise ValueError(f"give --steps or --epochs, not both ({self.steps}, {self.epochs})")
        if self.steps is None and self.epochs is None and self.schedule != "burda":
            raise ValueError("give --steps or --epochs: how long to train")
        if self.schedule == "burda" and self.lr_warm_up:
            raise ValueError("--schedule burda has no warm-up; leave --lr-warm-up out")
        if self.importance_samples > 1:
            _require_plain_bound(self)
        if self.pixel_weights and (self.likelihood != "gaussian" or self.importance_samples > 1):
            raise ValueError(
                "--pixel-weights is for a Gaussian likelihood and --importance-samples 1, not "
                f"{self.likelihood} and {self.importance_samples}"
            )
        if self.batch_size % self.processes:
            raise ValueError(
                f"--batch-size {self.batch_size} cannot be shared evenly by {self.processes} "
                f"processes (--devices {self.devices}, --nodes {self.nodes}); choose a multiple"
            )

    @property
    def processes(self) -> int:
        return self.devices * self.nodes

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Run":
        """The inverse of `to_json`. Raises ValueError for settings that this version lacks."""
        values = json.loads(text)
        if unknown := set(values) - {one.name for one in fields(cls)}:
            raise ValueError(f"settings that this version does not know: {sorted(unknown)}")
        if values.get("likelihood") == "bernoulli":
            values["std"] = None  # older versions wrote "unit", and meant the same
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _require_choices(run: Run) -> None:
    for one in fields(run):
        choices = one.metadata["options"].get("choices")
        if choices and getattr(run, one.name) not in choices:
            raise ValueError(
                f"{one.name} must be one of {', '.join(choices)}, not {getattr(run, one.name)!r}"
            )


def _require_plain_bound(run: Run) -> None:
    """The importance-weighted bound has no KL to weigh, and one p(x|z) for all its draws."""
    if run.kl != "formula":
        raise ValueError(
            f"--kl {run.kl} is for --importance-samples 1, not {run.importance_samples}: the bound "
            "of several draws has no KL of its own"
        )
    if run.beta != 1 or run.warm_up_steps:
        raise ValueError(
            f"--importance-samples {run.importance_samples} needs --beta 1 without "
            "--warm-up-steps: this bound has no KL of its own"
        )
    if run.likelihood == "gaussian" and run.std in (None, "optimal"):
        raise ValueError(
            f"--importance-samples {run.importance_samples} needs a σ that does not come from the "
            "batch; choose --std shared, per_pixel or a number, or --likelihood bernoulli"
        )


MAY_BE_ZERO = {"data_seed", "seed", "beta", "warm_up_steps", "lr_warm_up", "clip", "eval_every"}


def _require_numbers(run: Run) -> None:
    """Every number is finite and positive, or 0 where that means something."""
    for one in fields(run):
        value = getattr(run, one.name)
        for number in value if isinstance(value, tuple) else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            least = "0 or more" if one.name in MAY_BE_ZERO else "more than 0"
            if not math.isfinite(number) or number < 0 or (number == 0 and least != "0 or more"):
                option = one.name.replace("_", "-")
                raise ValueError(f"--{option} must be {least}, not {number}")
