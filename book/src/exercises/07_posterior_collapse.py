# %% [markdown]
r"""
# Exercises 7 · Posterior collapse

These exercises go with [chapter 7](../07_posterior_collapse.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 60 minutes. No check takes more than a few seconds. [Solutions](../solutions/07_posterior_collapse.ipynb)
"""

# %%
import math

import torch
from torch.nn.functional import binary_cross_entropy, mse_loss

from vae_course.checks import posterior_collapse as check

# %% [markdown]
r"""
## Task 1: which latents are in use?

**Aim:** tell a latent that carries something from one that does not.

An encoder gave $\mu$ and $\log\sigma$ for $N$ pictures: `mean` and `log_std`, each `(N, latent_dim)`. Return two things: the KL of each latent to $\mathcal{N}(0, 1)$, averaged over the pictures, `(latent_dim,)`, in nats; and the number of active latents, those whose mean has a variance above `threshold` from picture to picture.

<details><summary>Hint 1</summary>

Compute the KL of every latent of every picture first, `(N, latent_dim)`. Then decide which dimension to average.

</details>
<details><summary>Hint 2</summary>

A variance *over pictures* is `mean.var(0)`. The posterior's own $\sigma$ has no part in it: draws differ because they are drawn.

</details>
"""


# %%
def units(mean, log_std, threshold):
    ### BEGIN SOLUTION
    kl = 0.5 * (torch.exp(2 * log_std) + mean**2 - 1) - log_std  # (N, latent_dim)
    return kl.mean(0), (mean.var(0) > threshold).sum()
    ### END SOLUTION


# %%
check.units(units)

# %% [markdown]
r"""
## Task 2: the number at which a loss stands still

**Aim:** recognise a collapsed VAE from its training curve.

The decoder hears nothing from the encoder, so it paints one picture, whatever comes in. Let it be the best one. `x` are all the pictures, `(N, C, H, W)`: $N$ pictures of $C$ channels and $H \times W$ pixels between 0 and 1. Return three things: this picture, `(C, H, W)`; the squared error at which training stands still; and the binary cross-entropy at which it stands still. Both are *means* over pixels and pictures, as the program of the chapter logs them.

<details><summary>Hint 1</summary>

The decoder may choose each pixel on its own. For which number $a$ is the average of $(x_i - a)^2$ smallest? And for which $p$ the average of $-x_i \log p - (1 - x_i)\log(1 - p)$? Set a derivative to zero: it is the same number.

</details>
<details><summary>Hint 2</summary>

`mse_loss` and `binary_cross_entropy` take the mean by themselves. They want two tensors of the same shape: `picture.expand_as(x)`. The chances come first, then the pictures. Where a pixel is always black, `binary_cross_entropy` gives 0, and not NaN.

</details>
"""


# %%
def constant(x):
    ### BEGIN SOLUTION
    picture = x.mean(0)
    painted = picture.expand_as(x)
    return picture, mse_loss(painted, x), binary_cross_entropy(painted, x)
    ### END SOLUTION


# %%
check.constant(constant)

# %% [markdown]
r"""
## Four scripts that collapse

Here are four losses as you meet them in programs. Each gets pictures `x`, `(batch, pixels)`, a function `decode` from `z` to pictures, and what the encoder said, `mean` and `log_std`. Each draws `z` inside, and returns the number that is minimised. Each is wrong in one place. Find it by eye first.
"""


# %%
def kl_of(mean, log_std):
    return 0.5 * (torch.exp(2 * log_std) + mean**2 - 1) - log_std


def script_1(x, decode, mean, log_std):
    z = torch.distributions.Normal(mean, log_std.exp()).sample()
    error = (x - decode(z)).square().sum(1) / (2 * 0.3**2)
    return error.mean() + kl_of(mean, log_std).sum(1).mean()


def script_2(x, decode, mean, log_std):
    z = mean + log_std.exp() * torch.randn_like(mean)
    return mse_loss(decode(z), x) + kl_of(mean, log_std).sum(1).mean()


def script_3(x, decode, mean, log_std):
    z = torch.randn_like(mean)
    error = (x - decode(z)).square().sum(1) / (2 * 0.2**2)
    return error.mean() + kl_of(mean, log_std).sum(1).mean()


def script_4(x, decode, mean, log_std):
    z = mean + log_std.exp() * torch.randn_like(mean)
    error = (x - decode(z)).square().sum(1) / (2 * 0.5**2)
    return error.mean() + kl_of(mean, log_std).sum()


# %% [markdown]
r"""
## Task 3: a doctor of your own

**Aim:** find such faults by numbers, in programs that you have not read.

Write a function that is given one `loss(x, decode, mean, log_std)` and returns the name of its fault:

| name | what is wrong |
|---|---|
| `"pixel mean"` | the error is a mean over pixels, and not a sum |
| `"batch sum"` | the KL is a sum over the batch, and not a mean |
| `"detached"` | `decode` sees a draw from the encoder's posterior, but no slope leads back |
| `"prior draw"` | `decode` sees draws from the prior, whatever the encoder says |
| `"healthy"` | nothing |

The check brings scripts of its own, in random order. Each has a $\sigma_x$ of its own, anything from 0.02 to 4, that you do not know. Some have constants, and none has two faults. You choose the pictures, the `decode` and the posterior, of any size. Try it on the four above first.

<details><summary>Hint 1</summary>

Ask one question at a time, with inputs that leave only one answer. For the draw: put the mean at 100, with a small $\sigma$, and let `decode` be a function that keeps the `z` it was given in a list. Where is `z`? Does `z.requires_grad` hold? (`mean` must require a gradient itself.)

</details>
<details><summary>Hint 2</summary>

For the error: let `decode` paint black, for any `z`. A white picture against a black one gives a *difference* of two losses in which the KL and the constants drop out. What happens to it when the pictures have twice as many pixels? For the KL: again black, on black pictures, with the mean at 3 and at 0. What happens to the difference when the batch is twice as large?

</details>
"""


# %%
def diagnosis(loss):
    ### BEGIN SOLUTION
    def black(pixels):
        return lambda z: torch.zeros(len(z), pixels)

    # What does the decoder see?
    seen = []
    far = torch.full((2, 3), 100.0, requires_grad=True)
    narrow = torch.full((2, 3), -3.0)
    loss(
        torch.zeros(2, 4), lambda z: seen.append(z) or 0 * z.sum() + torch.zeros(2, 4), far, narrow
    )
    if (seen[0] - 100).abs().max() > 10:
        return "prior draw"
    if not seen[0].requires_grad:
        return "detached"

    def price_of_error(pixels):
        unit = torch.zeros(2, 3), torch.zeros(2, 3)  # the prior: no KL
        x = torch.ones(2, pixels)
        return loss(x, black(pixels), *unit) - loss(0 * x, black(pixels), *unit)

    if price_of_error(20) < 1.5 * price_of_error(10):  # a sum would have doubled
        return "pixel mean"

    def price_of_code(batch):
        x, zero = torch.zeros(batch, 4), torch.zeros(batch, 3)
        return loss(x, black(4), zero + 3, zero) - loss(x, black(4), zero, zero)

    if price_of_code(20) > 1.5 * price_of_code(10):  # a mean would have stayed
        return "batch sum"
    return "healthy"
    ### END SOLUTION


# %%
check.diagnosis(diagnosis)

# %% [markdown]
r"""
## Task 4: what a decoder can gain

**Aim:** see the theorem of the chapter hold, and stop holding.

One pixel has the values `x` in $N$ pictures, `(N,)`, each between 0 and 1, with the mean $m$. The error is `c` times its square. A decoder paints the greys `f`, `(F,)`. Return the logarithm of the average over the pictures of $r = e^{c(x - m)^2 - c(x - f)^2}$, for each $f$: `(F,)`. Where it is above 0, painting $f$ instead of $m$ may pay. Large `c` must not overflow.

<details><summary>Hint 1</summary>

The exponent first, for each picture and each grey, `(N, F)`. What is averaged is $r$, not its logarithm.

</details>
<details><summary>Hint 2</summary>

`torch.logsumexp(exponent, 0)` is the logarithm of a sum of exponentials. From a sum to an average it is one more term.

</details>
"""


# %%
def gain(x, f, c):
    ### BEGIN SOLUTION
    x = x[:, None]
    exponent = c * (x - x.mean()) ** 2 - c * (x - f) ** 2
    return torch.logsumexp(exponent, 0) - math.log(len(x))
    ### END SOLUTION


# %%
check.gain(gain)

# %% [markdown]
r"""
Try it: a pixel that is black or white with even chances, at the weights 1, 2 and 4. The theorem promises that the first two never get above 0.
"""

# %%
pixel, painted = torch.tensor([0.0, 1.0]).double(), torch.linspace(0, 1, 101).double()
try:
    for c in (1, 2, 4):
        print(f"c = {c}: largest gain {float(max(gain(pixel, painted, c))):.4f} nats")
except NotImplementedError:
    print("Write task 4 first, then run this cell again.")
