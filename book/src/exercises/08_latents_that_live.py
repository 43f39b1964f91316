# %% [markdown]
r"""
# Exercises 8 · Latents that live

These exercises go with [chapter 8](../08_latents_that_live.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 60 minutes. No check takes more than a few seconds. [Solutions](../solutions/08_latents_that_live.ipynb)
"""

# %%
import torch

from vae_course.checks import latents_that_live as check
from vae_course.data import load_images

# %% [markdown]
r"""
## Task 1: two pictures, predicted

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
## Task 2: which latents will live

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
## Task 3: the best trade

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
With tasks 2 and 3 you can say something about real pictures. For a thousand digits of the course, here is how many latents a linear VAE would use at some $\sigma_x$, and what it costs to have a part of the mean picture's squared error left. At the $\sigma_x$ of $c = 1$, which is 19.8, no latent is worth it.
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
    print("Write tasks 2 and 3 first, then run this cell again.")

# %% [markdown]
r"""
## Task 4: an annealing schedule

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

# %% [markdown]
r"""
## Task 5: free bits

**Aim:** keep a strong decoder from switching its latents off, and know what that does to the number you log.

`kl` holds the KL of every latent of every picture, `(batch, latent_dim)`, in nats. Free bits (chapter 8) charge a latent only for what it costs *on average over the batch* beyond `floor`: below the floor it costs the floor. Return the penalty of the batch, one number: the sum over latents. A latent below the floor must get no slope, and one above it the slope of the average KL.

<details><summary>Hint 1</summary>

Average first, then compare: each latent has one average over the batch, `(latent_dim,)`. The other order, comparing picture by picture, is another penalty.

</details>
<details><summary>Hint 2</summary>

`clamp(min=…)` takes the larger of a number and the floor, and its slope is 0 where the floor is larger.

</details>
"""


# %%
def free_bits(kl, floor):
    ### BEGIN SOLUTION
    return kl.mean(0).clamp(min=floor).sum()
    ### END SOLUTION


# %%
check.free_bits(free_bits)
