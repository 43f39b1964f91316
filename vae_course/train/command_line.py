"""The command line, built from `Run`: one option per setting."""

import argparse
from dataclasses import fields

from vae_course.models.priors import PRIORS
from vae_course.train.run import MODELS, Run

DESCRIPTION = """\
Train a VAE on one CPU, one GPU, or many GPUs and machines, and get the same result.

Pictures from a folder may have any size and colours. Each becomes 64 x 64 pixels in colour: the
shorter side is resized to 64, and what the longer side has beyond is cut off at both ends. Sets
and arrays (.npz) keep their sizes. Pixels go from 0 to 1, and so does σ.

--out holds checkpoint.safetensors (weights and the optimizer's moments), log.csv (training, per
step), eval.csv (test pictures), run.json (settings, machine, seconds), and at the end sheet.png:
test pictures, reconstructions, and draws before and after re-scaling. A killed run goes on with
--resume, to the same weights. Likelihoods, KL and losses are in nats per picture: summed over
pixels or latents, then averaged over the global batch."""

EXAMPLES = """\
examples:
  a laptop, two minutes:
    python -m vae_course.train --steps 2000 --out runs/digits

  one GPU, in bfloat16; then what it learned in one small file:
    python -m vae_course.train --data celeba --n-train 160000 --model transformer \\
        --latent-dim 64 --std per_pixel --epochs 50 --batch-size 256 --schedule cosine \\
        --lr-warm-up 1000 --clip 1 --accelerator cuda --precision bf16-mixed --out runs/celeba
    python -m vae_course.train --out runs/celeba --export celeba.safetensors

  two machines of 8 GPUs; the same line on both, NODE_RANK=1 on the second:
    MASTER_ADDR=10.0.0.1 MASTER_PORT=29500 NODE_RANK=0 python -m vae_course.train \\
        --data celeba --model transformer --epochs 50 --batch-size 1024 \\
        --accelerator cuda --devices 8 --nodes 2 --precision bf16-mixed --out /shared/celeba

In Python: from vae_course.train import load_model; model = load_model("celeba.safetensors")"""


def parser() -> argparse.ArgumentParser:
    """Only what is given lands in the namespace, so that --resume knows what was left out."""
    result = argparse.ArgumentParser(
        "python -m vae_course.train",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    groups = {}
    for one in fields(Run):
        group = one.metadata["group"]
        if group not in groups:
            only = f" (only --model {group})" if group in MODELS else ""
            groups[group] = result.add_argument_group(group + only)
        _add(groups[group], one)
    groups["records"].add_argument(
        "--resume",
        action="store_true",
        default=False,
        help="go on from the checkpoint in --out. Settings left out are those of the run; --steps "
        "or --epochs may grow (a cosine then ends later), machine and records may change",
    )
    groups["records"].add_argument(
        "--export",
        default=None,
        metavar="FILE",
        help="do not train: write the weights alone of the run in --out, for load_model, re-scaled "
        "unless --no-rescale is given",
    )
    groups["records"].add_argument(
        "--prior",
        default=None,
        choices=list(PRIORS),
        help="with --export: fit this prior to the codes, and write it, too. mixture: of 50 "
        "Gaussians, which draws best; reconstructions stay (default: N(0, I))",
    )
    return result


def _add(group, one) -> None:
    options = dict(one.metadata["options"])
    name = one.name.replace("_", "-")
    if one.default is True and options["action"] == "store_false":
        name = f"no-{name}"
    if one.type is not bool and "choices" not in options:
        options.setdefault("type", _type_of(one.default))
        options.setdefault("metavar", options["type"].__name__.upper())
    if isinstance(one.default, tuple):
        options["nargs"] = "+"
    group.add_argument(f"--{name}", dest=one.name, help=_help(one), **options)


def _type_of(default):
    return type(default[0]) if isinstance(default, tuple) else type(default)


def _help(one) -> str:
    text = one.metadata["help"]
    if one.default is None or one.type is bool:
        return text
    default = one.default
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    return f"{text} (default: {shown})"


def settings_of(arguments: argparse.Namespace) -> dict:
    """What was given, as arguments of `Run`."""
    given = {k: v for k, v in vars(arguments).items() if k not in ("resume", "export", "prior")}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}


def require_own_model(run: Run, given: dict) -> None:
    """ValueError for a setting of another model or schedule: it would have no effect."""
    for name in {"milestones", "gamma"} & given.keys():
        if run.schedule != "milestones":
            raise ValueError(f"--{name} is for --schedule milestones, but this is {run.schedule}")
    for one in fields(Run):
        group = one.metadata["group"]
        if one.name in given and group in MODELS and group != run.model:
            raise ValueError(f"--{one.name} is for --model {group}, but this is {run.model}")
