# %% [markdown]
r"""
# Exercises 7 · Posterior collapse

These exercises go with [chapter 7](../07_posterior_collapse.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 80 minutes. No check takes more than a few seconds. [Solutions](../solutions/07_posterior_collapse.ipynb)
"""

# %%
import torch
from torch.nn.functional import binary_cross_entropy, mse_loss

from vae_course.checks import posterior_collapse as check
from vae_course.data import load_images

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
## Task 4: two pictures, predicted

**Aim:** say what a VAE will do before you train it.

A VAE learns two pictures, `x1` and `x2`, `(C, H, W)` each. If the noise $\sigma_x$ is large, the best VAE paints their average. If it is small, it tells them apart. Return two numbers: the $\sigma_x$ at which the one turns into the other, and the $c$ at which it does so in a program that minimises $c \cdot \text{MSE} + \operatorname{KL}$, with the MSE as a mean over pixels.

<details><summary>Hint 1</summary>

The chapter has the condition, in terms of $\|x_1 - x_2\|^2$. Is this a sum or a mean over pixels?

</details>
<details><summary>Hint 2</summary>

$\sigma_x$ is half the distance. For $c$, use $\sigma_x^2 = D/(2c)$, where $D$ is the number of pixels: `x1.numel()`.

</details>
"""


# %%
def threshold(x1, x2):
    ### BEGIN SOLUTION
    std = (x1 - x2).norm() / 2
    return std, x1.numel() / (2 * std**2)
    ### END SOLUTION


# %%
check.two_pictures(threshold)

# %% [markdown]
r"""
## Task 5: which latents will live

**Aim:** predict a linear VAE latent by latent.

You have the `eigenvalues` of the pictures' covariance, in any order, a tensor `(n,)`. A linear VAE with `latent_dim` latents and $\sigma_x^2$ = `variance` is trained to its optimum. Return two things: how many latents are active, and the mean KL of each latent in nats, `(latent_dim,)`, largest first. There are never more latents than eigenvalues.

<details><summary>Hint 1</summary>

The model takes the largest eigenvalues. So sort first, `eigenvalues.sort(descending=True).values`, and keep `latent_dim` of them.

</details>
<details><summary>Hint 2</summary>

A latent with $\lambda_j \le \sigma_x^2$ is switched off. Its KL is exactly 0, and no formula with a logarithm should make it negative: `.clamp(min=0)`.

</details>
"""


# %%
def linear(eigenvalues, latent_dim, variance):
    ### BEGIN SOLUTION
    chosen = eigenvalues.sort(descending=True).values[:latent_dim]
    kl = (0.5 * (chosen / variance).log()).clamp(min=0)
    return (chosen > variance).sum(), kl
    ### END SOLUTION


# %%
check.linear(linear)

# %% [markdown]
r"""
## Task 6: the best trade

**Aim:** find a point on Shannon's curve.

The same eigenvalues. Now somebody wants a `distortion`: the squared error of a picture, summed over its pixels. Return the least rate with which normally distributed pictures can have it, in nats, one number, right to four digits. Some eigenvalues may be 0, and the distortion may be larger than all eigenvalues together. Then the mean picture will do.

<details><summary>Hint 1</summary>

The chapter has two formulas, both in terms of the water level $h$. The first gives you $h$. It cannot be solved in one line, but it rises with $h$: try a level, and look whether it is too high.

</details>
<details><summary>Hint 2</summary>

Bisection: begin with the interval from 0 to the largest eigenvalue. Take its middle as $h$, compute $\sum_j \min(h, \lambda_j)$, and keep the half in which the right level lies. After 100 halvings you have it. For the rate, `(eigenvalues / h).clamp(min=1).log()` is 0 for all that is under water.

</details>
"""


# %%
def rate(eigenvalues, distortion):
    ### BEGIN SOLUTION
    low, high = 0.0, eigenvalues.max().item()
    for _ in range(100):
        level = (low + high) / 2
        lost = eigenvalues.clamp(max=level).sum()
        low, high = (low, level) if lost > distortion else (level, high)
    return 0.5 * (eigenvalues / high).clamp(min=1).log().sum()
    ### END SOLUTION


# %%
check.rate(rate)

# %% [markdown]
r"""
With tasks 5 and 6 you can say something about real pictures. For a thousand digits of the course, here is how many latents a linear VAE would use at some $\sigma_x$, and what it costs to have a part of the mean picture's squared error left. At the $\sigma_x$ of $c = 1$, which is 19.8, no latent is worth it.
"""

# %%
digits = load_images("digits", n_train=1_000, n_test=1, seed=0).train.flatten(1).double()
eigenvalues = torch.linalg.eigvalsh(torch.cov(digits.T, correction=0)).clamp(min=0)
try:
    for std in (0.1, 0.5, 2, 19.8):
        count, kl = linear(eigenvalues, len(eigenvalues), std**2)
        print(f"σ = {std}: {int(count)} latents, {float(sum(kl)):.1f} nats")
    for share in (0.8, 0.4, 0.1):
        nats = rate(eigenvalues, share * eigenvalues.sum().item())
        print(f"{share:.0%} of the error: {float(nats):.1f} nats")
except NotImplementedError:
    print("Write tasks 5 and 6 first, then run this cell again.")

# %% [markdown]
r"""
## Task 7: an annealing schedule

**Aim:** write a β that frees the codes first, and ends where it should.

Return one $\beta$ for each of `steps` steps, a list or a tensor of this length; `steps` is at least 20. In the first tenth (`steps // 10` steps) $\beta$ is 0. In the last third (`steps // 3` steps) it is exactly 1, so that what you end up with is the ELBO. Between them it rises gently: it never falls, and no single step raises it by more than 4/`steps`. How it rises is up to you.

<details><summary>Hint 1</summary>

A straight line will do: count the steps of the two flat parts, and let the rest rise. Round so that the flat parts are rather longer than shorter.

</details>
<details><summary>Hint 2</summary>

Write $\beta$ as a straight line in the step $t$ that goes through 0 and 1 at the right places, and cut off what is below 0 or above 1.

</details>
"""


# %%
def schedule(steps):
    ### BEGIN SOLUTION
    t = torch.arange(steps) / steps
    return ((t - 0.1) / 0.5).clamp(0, 1)  # 0 until a tenth, 1 from six tenths on
    ### END SOLUTION


# %%
check.schedule(schedule)
