"""How fast is `fit`, and how fast can digits and faces be drawn? Measured in one run, interleaved.

    python tools/bench.py

For the VAE 784-400-20 at batch 128 and 512, on 60 000 random pictures:

- `fit`, in seconds per epoch;
- the matrix products of the same training step and nothing else: what no loop can beat;
- the loop of many tutorials: a Dataset that transforms one image at a time, a DataLoader, Adam.
"""

import os
import platform
import resource
import statistics
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from vae_course.data.drawn.digits import draw_digits
from vae_course.data.drawn.faces import draw_faces
from vae_course.data.stored.torchvision_import import import_torchvision
from vae_course.models import VAE
from vae_course.training import fit

PICTURES = 60_000
ROUNDS = 5


def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


def new_model() -> VAE:
    return VAE((1, 28, 28), 20, hidden=(400,), likelihood="bernoulli")


def time_fit(images: torch.Tensor, batch_size: int, steps: int) -> float:
    model = new_model()
    start = time.perf_counter()
    fit(model, negative_elbo, images, steps=steps, batch_size=batch_size, progress=False)
    return (time.perf_counter() - start) / steps


def time_products(batch_size: int, steps: int) -> float:
    """Per layer: the product with x, and backward those for the gradients of weight and input."""
    layers = [layer for layer in new_model().modules() if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach() for layer in layers]
    inputs = [torch.randn(batch_size, weight.shape[1]) for weight in weights]
    grads = [torch.randn(batch_size, weight.shape[0]) for weight in weights]
    start = time.perf_counter()
    for _ in range(steps):
        for index, (weight, x, grad) in enumerate(zip(weights, inputs, grads, strict=True)):
            x @ weight.T
            grad.T @ x
            if index:
                grad @ weight
    return (time.perf_counter() - start) / steps


class OneAtATime(Dataset):
    """What torchvision's MNIST does: from array to PIL image to tensor, for every picture."""

    def __init__(self, images: torch.Tensor):
        import_torchvision()
        from PIL import Image
        from torchvision.transforms import ToTensor

        self.pixels = (images[:, 0] * 255).to(torch.uint8).numpy()
        self.open, self.transform = Image.fromarray, ToTensor()

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(self.open(self.pixels[index]))


def time_dataloader(dataset: Dataset, batch_size: int, steps: int) -> float:
    model = new_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = iter(DataLoader(dataset, batch_size=batch_size, shuffle=True))
    start = time.perf_counter()
    for _ in range(steps):
        loss = negative_elbo(model, next(loader))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


def measure(batch_size: int, images: torch.Tensor, dataset: Dataset) -> dict[str, float]:
    """Median seconds per step of each loop; the rounds take turns, so all see the same machine."""
    steps = 60 * 128 // batch_size
    loops = {
        "fit": lambda: time_fit(images, batch_size, steps),
        "products": lambda: time_products(batch_size, steps),
        "dataloader": lambda: time_dataloader(dataset, batch_size, steps),
    }
    times = {name: [] for name in loops}
    for _ in range(ROUNDS + 1):
        for name, loop in loops.items():
            times[name].append(loop())
    return {name: statistics.median(values[1:]) for name, values in times.items()}  # first: warm-up


def time_drawing(draw, n: int) -> tuple[float, float]:
    """Seconds for n pictures, and by how many MiB the peak memory of the process grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    draw(n, seed=0, split="train")
    seconds = time.perf_counter() - start
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    seconds, mebibytes = time_drawing(draw_digits, 20_000)
    print(f"20 000 drawn digits: {seconds:.1f} s (must: under 8), {mebibytes:.0f} MiB (under 1024)")
    seconds, mebibytes = time_drawing(draw_faces, 10_000)
    print(f"10 000 drawn faces: {seconds:.1f} s (must: under 15), {mebibytes:.0f} MiB (under 1024)")
    images = torch.rand(PICTURES, 1, 28, 28)
    dataset = OneAtATime(images)
    print("batch   fit, s/epoch   fit / products (target ≤ 1.4)   dataloader / fit (target ≥ 2.5)")
    for batch_size in (128, 512):
        times = measure(batch_size, images, dataset)
        epoch = times["fit"] * PICTURES / batch_size
        over, gain = times["fit"] / times["products"], times["dataloader"] / times["fit"]
        print(f"{batch_size:5d}   {epoch:12.2f}   {over:29.2f}   {gain:31.2f}")


if __name__ == "__main__":
    main()
