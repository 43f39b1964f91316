# %% [markdown]
r"""
# Exercises 12 · Sharper pictures

These exercises go with [chapter 12](../12_sharper_pictures.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 60 minutes. No check takes more than a few seconds. [Solutions](../solutions/12_sharper_pictures.ipynb)
"""

# %%
import torch
import torch.nn.functional as F

from vae_course.checks import sharper_pictures as check

# %% [markdown]
r"""
## Task 1: spread and gap

**Aim:** see what a perceptual loss holds against a blurry picture.

For each of $M$ draws of $z$ there are `weights` $w_i(z)$ of $N$ pictures, `(M, N)`, each row adding up to 1. `features` are $\varphi(x_i)$, `(N, F)`. `of_average` are the features of the average picture, $\varphi(\sum_i w_i x_i)$, `(M, F)`. Return two tensors `(M,)`:

- the spread $V = \sum_i w_i \lVert \varphi(x_i) - m \rVert^2$ around the mean feature $m = \sum_i w_i\, \varphi(x_i)$;
- the gap $G = \lVert m - \varphi(\sum_i w_i x_i) \rVert^2$.

<details><summary>Hint 1</summary>

`weights @ features` is $m$ for all $z$ at once, `(M, F)`.

</details>
<details><summary>Hint 2</summary>

A variance is the mean of the squares minus the square of the mean.

</details>
"""


# %%
def spread_and_gap(weights, features, of_average):
    ### BEGIN SOLUTION
    mean = weights @ features  # (M, F)
    spread = weights @ features.square().sum(1) - mean.square().sum(1)
    return spread, (mean - of_average).square().sum(1)
    ### END SOLUTION


# %%
check.spread_and_gap(spread_and_gap)

# %% [markdown]
r"""
## Task 2: a gradient that goes straight through

**Aim:** train an encoder whose output is rounded.

`y` comes from an encoder, `(batch, d)`. `levels` $L$ is an odd number. Bring $y$ between −1 and 1 with $\tanh$. Then replace it by the nearest of the $L$ evenly spaced values $-1, \dots, 1$: for $L = 5$ these are −1, −½, 0, ½ and 1. The gradient must be that of $\tanh$, as if nothing had been rounded.

<details><summary>Hint 1</summary>

Let $h = (L - 1)/2$. Then $h \tanh(y)$ lies between $-h$ and $h$, and whole numbers are the levels. Divide by $h$ afterwards.

</details>
<details><summary>Hint 2</summary>

`a + (b - a).detach()` has the value of `b` and the gradient of `a`.

</details>
"""


# %%
def quantize(y, levels):
    ### BEGIN SOLUTION
    half = (levels - 1) / 2
    smooth = half * torch.tanh(y)
    rounded = smooth + (smooth.round() - smooth).detach()
    return rounded / half
    ### END SOLUTION


# %%
check.quantize(quantize)

# %% [markdown]
r"""
## Task 3: the rate of a codebook

**Aim:** count what codes cost, under odds that have not seen them.

A code is a row of $d$ whole numbers from 0 to $L - 1$. `codes`, `(N, d)`, are those of training pictures, and `new`, `(batch, d)`, of others. `levels` is $L$. For each of the $d$ positions, count how often each level occurs in `codes`. Add 1 to each count, so that no level is impossible, and divide by the new total. Return $-\log p(k)$ of each code in `new`, if positions are independent: `(batch,)`, in nats.

<details><summary>Hint 1</summary>

`F.one_hot(codes, levels)` is `(N, d, levels)`. Its sum over the first dimension counts all positions at once. The total is $N + L$.

</details>
<details><summary>Hint 2</summary>

With a table `(d, levels)`, `table.gather(1, new.T)` looks up each level at its own position.

</details>
"""


# %%
def rate(codes, new, levels):
    ### BEGIN SOLUTION
    counts = F.one_hot(codes, levels).double().sum(0)  # (d, levels)
    odds = (counts + 1) / (len(codes) + levels)
    return -odds.log().gather(1, new.T).sum(0)
    ### END SOLUTION


# %%
check.rate(rate)

# %% [markdown]
r"""
## Task 4: two levels, two KLs

**Aim:** split the rate of a VAE with two levels.

For each picture, $q(z_2 \mid x)$ has `mean2` and `log_std2` ($\log\sigma$), `(batch, d2)`. For a draw of $z_2$, $q(z_1 \mid x, z_2)$ has `mean1` and `log_std1`, and the prior $p(z_1 \mid z_2)$ has `prior_mean` and `prior_log_std`, all `(batch, d1)`. The prior of $z_2$ is $\mathcal{N}(0, I)$. Return two tensors `(batch,)`: the KL on top, and the KL below. You may use `torch.distributions`.

<details><summary>Hint 1</summary>

On top it is the formula of [chapter 4](../04_analytic_kl.ipynb).

</details>
<details><summary>Hint 2</summary>

Below, measure $z_1$ in units of its prior: subtract its mean and divide by its $\sigma$. Then the prior is $\mathcal{N}(0, I)$, and no KL changes when you change the units.

</details>
"""


# %%
def two_levels(mean2, log_std2, mean1, log_std1, prior_mean, prior_log_std):
    ### BEGIN SOLUTION
    def standard(mean, log_std):
        return (0.5 * ((2 * log_std).exp() + mean.square() - 1) - log_std).sum(1)

    below = (mean1 - prior_mean) / prior_log_std.exp(), log_std1 - prior_log_std
    return standard(mean2, log_std2), standard(*below)
    ### END SOLUTION


# %%
check.two_levels(two_levels)

# %% [markdown]
r"""
## Task 5: who may look at whom

**Aim:** write the mask that makes a decoder autoregressive.

There are `pixels` pixels in a row. Each owns `each` hidden numbers, side by side: the first pixel owns the first `each` of them, and so on. The hidden numbers of a pixel may see the `window` pixels before it, or as many as there are, and neither itself nor a later one. Return the mask `(pixels * each, pixels)`: 1 where a hidden number may see a pixel, else 0.

<details><summary>Hint 1</summary>

`torch.arange(pixels).repeat_interleave(each)` says which pixel each hidden number belongs to.

</details>
<details><summary>Hint 2</summary>

How far back does each pixel lie, seen from each hidden number? That is a difference, `(pixels * each, pixels)`. It must be at least 1 and at most `window`.

</details>
"""


# %%
def mask(pixels, each, window):
    ### BEGIN SOLUTION
    place = torch.arange(pixels).repeat_interleave(each)
    back = place[:, None] - torch.arange(pixels)
    return ((back >= 1) & (back <= window)).float()
    ### END SOLUTION


# %%
check.mask(mask)
