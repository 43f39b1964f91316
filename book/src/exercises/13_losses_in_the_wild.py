# %% [markdown]
r"""
# Exercises 13 · Losses in the wild

These exercises go with [chapter 13](../13_losses_in_the_wild.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 50 minutes. No check takes more than a few seconds. [Solutions](../solutions/13_losses_in_the_wild.ipynb)
"""

# %%
import math

import torch
import torch.nn.functional as F

from vae_course.checks import losses_in_the_wild as check

# %% [markdown]
r"""
## Task 1: a σ that nobody wrote down

**Aim:** read $\sigma_x$ off a loss with squared errors, without its code.

You get `loss(x, y, mean, log_var)`, which returns one number. `x` and the decoder's answer `y` have the shape `(batch, pixels)`, `mean` and `log_var` have `(batch, latents)`. It is a weight times squared errors, plus a weight times the KL to $\mathcal{N}(0, I)$, plus a constant. Somewhere in it are sums, means and a factor. Both terms treat the batch in the same way. Return the $\sigma_x$ for which it is a multiple of $-$ELBO, up to a constant.

<details><summary>Hint 1</summary>

Call it with inputs that you choose. Change `y` alone, and you see what squared error costs, $c$. Change `mean` alone, and you see what the KL costs, $b$. Take differences: they are free of the constant.

</details>
<details><summary>Hint 2</summary>

With `log_var` at 0, a mean that goes from 0 to 1 in all $d$ latents makes the KL $d/2$ nats larger. Then $\sigma_x^2 = b / 2c$. A batch of one example will do, and `torch.float64` helps.

</details>
"""


# %%
def std_behind(loss, pixels, latents):
    ### BEGIN SOLUTION
    x, y = torch.zeros(2, 1, pixels).double() + torch.tensor([0.2, 0.7])[:, None, None]
    zero = torch.zeros(1, latents).double()
    b = (loss(x, x, zero + 1, zero) - loss(x, x, zero, zero)) / (latents / 2)
    c = (loss(x, y, zero, zero) - loss(x, x, zero, zero)) / (x - y).square().sum()
    return (b / (2 * c)).sqrt()
    ### END SOLUTION


# %%
check.std_behind(std_behind)

# %% [markdown]
r"""
## Task 2: a β that nobody wrote down

**Aim:** the same for a cross-entropy, which has no $\sigma_x$.

Now the first term is a cross-entropy of `x` with the chances `y`, in place of squared errors. Return the $\beta$ for which the loss is a multiple of $-\log p(x \mid z) + \beta\,\mathrm{KL}$, up to a constant.

<details><summary>Hint 1</summary>

Only the unit is new. What is one nat of cross-entropy? `F.binary_cross_entropy(y, x, reduction="sum")` tells for any two inputs. Keep `y` away from 0 and 1.

</details>
<details><summary>Hint 2</summary>

For grey pixels the cross-entropy of `x` with itself is not 0. So here you need a difference of cross-entropies, too. Which of the two weights goes below?

</details>
"""


# %%
def weight_behind(loss, pixels, latents):
    ### BEGIN SOLUTION
    x, y = torch.zeros(2, 1, pixels).double() + torch.tensor([0.2, 0.7])[:, None, None]
    zero = torch.zeros(1, latents).double()
    near, far = (F.binary_cross_entropy(p, x, reduction="sum") for p in (x, y))
    b = (loss(x, x, zero + 1, zero) - loss(x, x, zero, zero)) / (latents / 2)
    c = (loss(x, y, zero, zero) - loss(x, x, zero, zero)) / (far - near)
    return b / c
    ### END SOLUTION


# %%
check.weight_behind(weight_behind)

# %% [markdown]
r"""
## A program to repair

Here is one as you may find it. The text beside it says: "a Gaussian decoder with the noise `std`, and the analytic KL". The encoder gives $\log\sigma$.
"""


# %%
def found(x, y, mean, log_std, std):
    error = F.mse_loss(y, x) / std
    kl = -0.5 * (1 + log_std - mean**2 - log_std.exp()).mean()
    return error + kl


# %% [markdown]
r"""
## Task 3: repair one

**Aim:** write a loss whose $\sigma_x$ is the one that was said.

Count the slips in `found`: there are five. Then write what the text says: $\lVert x - y\rVert^2 / 2\sigma_x^2 + \mathrm{KL}$ of each example, averaged over the batch. `x` and `y` are `(batch, C, H, W)`, `mean` and `log_std` are `(batch, latents)`. Leave out the constants.

<details><summary>Hint 1</summary>

What do the two `mean`s average over? `.flatten(1).sum(1)` gives one number for each example, and `.mean()` after it averages over the batch.

</details>
<details><summary>Hint 2</summary>

For the squares: a half, and a square of `std`. For the KL: where $\log\sigma^2$ belongs, $2 \log\sigma$ has to stand, twice.

</details>
"""


# %%
def repaired(x, y, mean, log_std, std):
    ### BEGIN SOLUTION
    squares = (x - y).square().flatten(1).sum(1) / (2 * std**2)
    kl = (0.5 * (mean**2 + torch.exp(2 * log_std) - 1) - log_std).sum(1)
    return (squares + kl).mean()
    ### END SOLUTION


# %%
check.repaired(repaired)

# %% [markdown]
r"""
## Task 4: one that passes

**Aim:** write $-$ELBO, with nothing left for the doctor to say.

Write `loss(x, y, mean, log_var)` for a Gaussian decoder with a $\sigma_x$ of *your* choice, between 0.01 and 0.5. It returns one number, in nats of one example, averaged over the batch, with all constants. `x` and `y` have the shape `(batch, ...)`, `mean` and `log_var` have `(batch, latents)`. The check reads your $\sigma_x$ off it, as you did in task 1, and compares the number with $-$ELBO. The doctor looks after that.

<details><summary>Hint 1</summary>

$-\log p(x \mid z)$ of one pixel is $(x - y)^2 / 2\sigma_x^2 + \log\sigma_x + \frac12\log 2\pi$. How often does the constant count?

</details>
<details><summary>Hint 2</summary>

`torch.distributions.Normal(y, 0.1).log_prob(x)` has all three terms, for each pixel. Then flatten, sum, and average last.

</details>
"""


# %%
def sound(x, y, mean, log_var):
    ### BEGIN SOLUTION
    std = 0.1
    nll = (x - y).square() / (2 * std**2) + math.log(std) + 0.5 * math.log(2 * math.pi)
    kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
    return (nll.flatten(1).sum(1) + kl.sum(1)).mean()
    ### END SOLUTION


# %%
check.sound(sound)

# %% [markdown]
r"""
Now the doctor. Then take the loss of a program of yours, and ask both: your functions, and the doctor.
"""

# %%
from vae_course import doctor

try:
    print(doctor.check_loss(sound, (1, 8, 8), (4,), spread="log_var"))
except ValueError as problem:  # it could not call your function
    print(problem, "Is task 4 written? Then run this cell again.", sep="\n")
