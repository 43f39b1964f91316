"""How fast is training, and how fast can digits and faces be drawn? Measured in one run.

    python tools/bench.py [rounds]

On one thread and on two, for 60 000 random pictures of 28 x 28 pixels:

- `fit` on the VAE 784-400-20 with batches of 128, over the leanest loop that we can write by hand
  for the same network and loss (`lean`);
- `python -m vae_course.train` with the arguments of the row `cs236` of book/src/reference.yml
  (784-300-300-10, batches of 100, pixels drawn anew at each step), over the same;
- the loop of many tutorials (a Dataset that transforms one image at a time, a DataLoader, Adam)
  over `fit`.

The loops take turns in each round, so all see the same machine. A ratio is the median over rounds;
in brackets, the middle half of them. On a busy machine believe the ratios of a long run alone.
"""

import contextlib
import io
import itertools
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from reference import ROWS, read_rows
from reference_training import training_arguments
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from vae_course.data.drawn.digits import draw_digits
from vae_course.data.drawn.faces import draw_faces
from vae_course.data.stored.torchvision_import import import_torchvision
from vae_course.models import VAE, mlp
from vae_course.train.batches import Pictures
from vae_course.train.build import build_model
from vae_course.train.command_line import parser, settings_of
from vae_course.train.loop import Training
from vae_course.train.processes import launch
from vae_course.train.run import Run
from vae_course.training import fit

PICTURES, STEPS, ROUNDS = 60_000, 60, 15


def shuffled(images: Tensor, batch_size: int) -> Iterator[Tensor]:
    while True:
        for chosen in torch.randperm(len(images)).split(batch_size):
            yield images[chosen]


def lean(images: Tensor, hidden, activation: str, latents: int, batch_size: int, draw: bool):
    """Seconds per step of the leanest loop."""
    encoder = mlp([784, *hidden, 2 * latents], activation)
    decoder = mlp([latents, *reversed(hidden), 784], activation)
    return lean_steps(encoder, decoder, images, batch_size, draw, STEPS) / STEPS


def lean_steps(
    encoder: nn.Module,
    decoder: nn.Module,
    images: Tensor,
    batch_size: int,
    draw: bool,
    steps: int,
    lr_at: Callable[[int], float] = lambda step: 1e-3,
) -> float:
    """Nothing but the network, the loss in one number, and fused Adam: seconds for all steps."""
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, fused=True)
    start = time.perf_counter()
    for step, x in enumerate(itertools.islice(shuffled(images, batch_size), steps), 1):
        x = torch.bernoulli(x).flatten(1) if draw else x.flatten(1)
        mean, log_std = encoder(x).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        error = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
        kl = (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum()
        loss = (error + kl) / batch_size
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = lr_at(step)
        optimizer.step()
    return time.perf_counter() - start


def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


def new_model() -> VAE:
    return VAE((1, 28, 28), 20, hidden=(400,), likelihood="bernoulli")


def time_fit(images: Tensor) -> float:
    model = new_model()
    start = time.perf_counter()
    fit(model, negative_elbo, images, steps=STEPS, batch_size=128, device="cpu", progress=False)
    return (time.perf_counter() - start) / STEPS


def time_script(images: Tensor, run: Run) -> float:
    """The steps of the command, with their logs, without what comes before and after them."""
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        run = replace(run, steps=STEPS, out=out, accelerator="cpu", progress=False)
        pictures = Pictures(images, images[:100])
        training = Training(run, launch(run), build_model(run, (1, 28, 28)), pictures, None, "")
        training.begin()
        start = time.perf_counter()
        training.take_steps()
        return (time.perf_counter() - start) / STEPS


class OneAtATime(Dataset):
    """What torchvision's MNIST does: from array to PIL image to tensor, for every picture."""

    def __init__(self, images: Tensor):
        import_torchvision()
        from PIL import Image
        from torchvision.transforms import ToTensor

        self.pixels = (images[:, 0] * 255).to(torch.uint8).numpy()
        self.open, self.transform = Image.fromarray, ToTensor()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.open(self.pixels[index]))


def time_dataloader(dataset: Dataset) -> float:
    model = new_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = iter(DataLoader(dataset, batch_size=128, shuffle=True))
    start = time.perf_counter()
    for x in itertools.islice(loader, STEPS):
        loss = negative_elbo(model, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / STEPS


# Which loop is compared with which, and what is aimed at.
RATIOS = {
    "fit / lean": ("fit", "lean 784-400-20", "at most 1.10"),
    "script / lean": ("script", "lean 784-300-300-10", "at most 1.15"),
    "dataloader / fit": ("dataloader", "fit", "at least 2.5 on two threads"),
}


def measure(loops: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds per step of each loop in each round, without a first one that warms up."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    names = list(loops)
    for number in tqdm(range(rounds + 1), leave=False):
        # Another one goes first each time: what follows a pause may be faster.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            times[name].append(loops[name]())
    return {name: values[1:] for name, values in times.items()}


def show(times: dict[str, list[float]]) -> None:
    shown = (f"{name} {1e3 * statistics.median(values):.2f}" for name, values in times.items())
    print(f"ms a step: {', '.join(shown)}")
    for title, (one, other, aim) in RATIOS.items():
        ratios = [a / b for a, b in zip(times[one], times[other], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{title:17s} {middle:.2f} ({low:.2f} to {high:.2f}), aim: {aim}")


def time_drawing(draw, n: int) -> tuple[float, float]:
    """Seconds for n pictures, and by how many MiB the peak memory of the process grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    draw(n, seed=0, split="train")
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main(rounds: int) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    seconds, mebibytes = time_drawing(draw_digits, 20_000)
    print(f"20 000 drawn digits: {seconds:.1f} s (must: under 8), {mebibytes:.0f} MiB (under 1024)")
    seconds, mebibytes = time_drawing(draw_faces, 10_000)
    print(f"10 000 drawn faces: {seconds:.1f} s (must: under 15), {mebibytes:.0f} MiB (under 1024)")
    images = torch.rand(PICTURES, 1, 28, 28)
    dataset = OneAtATime(images)
    (row,) = (row for row in read_rows(ROWS) if row["row"] == "cs236")
    words = training_arguments(row, 0, "unused", None)
    run = Run(**settings_of(parser().parse_args(words)))
    loops = {
        "lean 784-400-20": lambda: lean(images, (400,), "relu", 20, 128, False),
        "fit": lambda: time_fit(images),
        "dataloader": lambda: time_dataloader(dataset),
        "lean 784-300-300-10": lambda: lean(images, (300, 300), "elu", 10, 100, True),
        "script": lambda: time_script(images, run),
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}, {rounds} rounds of {STEPS} steps")
        show(measure(loops, rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
