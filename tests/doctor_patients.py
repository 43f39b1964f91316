"""VAEs for the doctor's tests: small, quickly trained, five seeds at a time."""

import copy
from functools import cache, wraps

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Distribution
from torch.func import functional_call, stack_module_state, vmap

from vae_course.data import load_images

SEEDS = 5
N_TRAIN, N_TEST = 600, 300


@cache
def pictures():
    """Training and test digits for each seed, (SEEDS, N, 1, 7, 7) in [0, 1]."""
    loaded = load_images("digits", n_train=SEEDS * N_TRAIN, n_test=SEEDS * N_TEST, seed=0)
    small = (F.avg_pool2d(x, 4) for x in (loaded.train, loaded.test))
    return tuple(x.unflatten(0, (SEEDS, -1)) for x in small)


def as_std(mean, spread):
    return mean + spread.exp() * torch.randn_like(mean)


def as_var(mean, spread):
    return mean + (0.5 * spread).exp() * torch.randn_like(mean)


class Net(nn.Module):
    """49 pixels, `latents` latents, one hidden layer each way."""

    def __init__(
        self, latents=4, *, draw=as_std, last=None, learns_std=False, start=-1.0, hidden=48
    ):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(-3), nn.Linear(49, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latents)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 49),
            nn.Unflatten(-1, (1, 7, 7)),
        )
        self.last, self.draw = last or (lambda out: out), draw
        self.log_std = nn.Parameter(torch.tensor(start)) if learns_std else None

    def encode(self, x):
        return tuple(self.encoder(x).chunk(2, dim=-1))

    def decode(self, z):
        mean = self.last(self.decoder(z))
        return mean if self.log_std is None else (mean, self.log_std)

    def forward(self, x):
        posterior = self.encode(x)
        return self.decode(self.draw(*posterior)), *posterior


def unquestioned(function):
    """`function` while torch.distributions does not check values, which vmap cannot answer."""

    @wraps(function)
    def call(*arguments):
        before = Distribution._validate_args
        Distribution.set_default_validate_args(False)
        try:
            return function(*arguments)
        finally:
            Distribution.set_default_validate_args(before)

    return call


def train(make, loss, images, *, steps=300, batch=64, lr=8e-3):
    """Five models, trained side by side on images (SEEDS, N, ...) with their own noise."""
    torch.manual_seed(0)
    models = [make() for _ in range(SEEDS)]
    weights, buffers = stack_module_state(models)
    shell = copy.deepcopy(models[0])

    def one(weights, buffers, x):
        return loss(x, *functional_call(shell, (weights, buffers), (x,)))

    losses = unquestioned(vmap(one, randomness="different"))
    optimizer = torch.optim.Adam(weights.values(), lr=lr, betas=(0.9, 0.99), fused=True)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, 3 * (1 - step / steps))
        chosen = torch.randint(images.shape[1], (batch,))
        total = losses(weights, buffers, images[:, chosen]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    for i, model in enumerate(models):
        model.load_state_dict({k: v[i].detach() for k, v in weights.items()}, strict=False)
    return [model.eval() for model in models]
