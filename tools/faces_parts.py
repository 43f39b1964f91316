"""What each part of a transformer VAE is for: take it out, train, and measure the ELBO.

    python tools/faces_parts.py 0 1

trains small models on drawn faces of 16 x 16 pixels, one for each row and each seed given, and adds
what it measured to vae_course/checkpoints/faces_parts.json, for chapter 10. Rows that are there
already are left as they are.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from vae_course.data import load_images
from vae_course.evaluation import estimate_elbo
from vae_course.models import TransformerVAE
from vae_course.models.transformer import Encoder
from vae_course.train.checkpoint import replace_file
from vae_course.training import fit

RECORD = Path(__file__).parent.parent / "vae_course/checkpoints/faces_parts.json"
SIZE = {"patch": 4, "width": 64, "depth": 2, "heads": 4}
LATENTS = 16
STAGES = ((2e-3, 1_200), (5e-4, 300))  # learning rate and steps, of Adam
BATCH = 16


class MeanOfTokens(Encoder):
    """Reads the code off the mean of all tokens; no summary token goes in."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(self.unflatten(x)).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.blocks(tokens).mean(1))


def without_positions(model: TransformerVAE) -> None:
    for network in (model.encoder, model.decoder):
        network.positions.zero_()


def without_summary(model: TransformerVAE) -> None:
    model.encoder.__class__ = MeanOfTokens
    del model.encoder.summary


def without_attention(network: nn.Module) -> None:
    """What attention adds to a token becomes 0, and stays it."""
    for block in network.blocks[:-1]:
        for weight in (block.self_attn.out_proj.weight, block.self_attn.out_proj.bias):
            nn.init.zeros_(weight).requires_grad_(False)


def without_any_attention(model: TransformerVAE) -> None:
    """The mean of the tokens is read: a summary that cannot attend would see nothing."""
    without_summary(model)
    for network in (model.encoder, model.decoder):
        without_attention(network)


ROWS: dict[str, tuple[dict, Callable[[TransformerVAE], object]]] = {
    "all parts": ({}, lambda model: None),
    "without positions": ({}, without_positions),
    "mean of all tokens, no summary": ({}, without_summary),
    "without attention in the decoder": ({}, lambda model: without_attention(model.decoder)),
    "without attention (mean of all tokens)": ({}, without_any_attention),
    "patches of 8 × 8": ({"patch": 8}, lambda model: None),
    "patches of 2 × 2": ({"patch": 2}, lambda model: None),
    "a map of z of its own at each place": ({"place_maps": True}, lambda model: None),
}


@cache
def small_faces() -> tuple[Tensor, Tensor]:
    faces = load_images("faces", n_train=4_000, n_test=500, seed=0)
    return avg_pool2d(faces.train, 4), avg_pool2d(faces.test, 4)


def measure(row: str, seed: int) -> dict:
    """ELBO and KL on test faces, nats per face, with standard errors; seconds of training."""
    train, test = small_faces()
    options, change = ROWS[row]
    torch.manual_seed(seed)
    model = TransformerVAE((3, 16, 16), LATENTS, std="optimal", **SIZE | options)
    change(model)
    start = time.process_time()
    for lr, steps in STAGES:
        settings = {"steps": steps, "batch_size": BATCH, "lr": lr, "seed": seed}
        fit(model, lambda m, x: -m.elbo(x).total.mean(), train, device="cpu", **settings)
    seconds = time.process_time() - start
    found = estimate_elbo(model.eval(), test, batch_size=100)
    trained = sum(values.numel() for values in model.parameters() if values.requires_grad)
    return {
        "elbo": found["total"],
        "kl": found["kl"],
        "weights": trained,
        "cpu_seconds": round(seconds, 1),
    }


def main(seeds: list[int]) -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"rows": {}}
    for seed in seeds:
        for row in ROWS:
            found = record["rows"].setdefault(row, {})
            if str(seed) in found:
                continue
            found[str(seed)] = measure(row, seed)
            print(row, seed, found[str(seed)], flush=True)
            record["command"] = "python tools/faces_parts.py " + " ".join(map(str, seeds))
            record |= {"steps": sum(steps for _, steps in STAGES), "batch_size": BATCH}
            record |= {"torch": torch.__version__, "size": SIZE, "latents": LATENTS}
            replace_file(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
