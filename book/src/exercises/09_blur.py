# %% [markdown]
r"""
# Exercises 9 · Why outputs are blurry

These exercises go with [chapter 9](../09_blur.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 70 minutes. No check takes more than a few seconds. [Solutions](../solutions/09_blur.ipynb)
"""

# %%
import math

import torch
from torch.distributions import Normal

from vae_course.checks import blur as check

# %% [markdown]
r"""
## Task 1: a number for sharpness

**Aim:** measure fine detail, and let no border fool you.

`pictures` are grey, `(batch, height, width)`. The Laplacian of a pixel is the sum of its four neighbours, minus four times the pixel. Pixels at the rim lack a neighbour: leave them out. Return the variance of the Laplacian over the other pixels of each picture, shape `(batch,)`. Divide by their number, as a mean does (`correction=0`).

<details><summary>Hint 1</summary>

Slices do it: `pictures[:, 1:-1, 2:]` are the right neighbours of all pixels inside the rim.

</details>
<details><summary>Hint 2</summary>

Add up four such slices, and subtract the pixels inside the rim four times. What is left is `(batch, height - 2, width - 2)`. Now `flatten(1)`.

</details>
"""


# %%
def sharpness(pictures):
    ### BEGIN SOLUTION
    inside = pictures[:, 1:-1, 1:-1]
    up, down = pictures[:, :-2, 1:-1], pictures[:, 2:, 1:-1]
    left, right = pictures[:, 1:-1, :-2], pictures[:, 1:-1, 2:]
    laplacian = up + down + left + right - 4 * inside
    return laplacian.flatten(1).var(1, correction=0)
    ### END SOLUTION


# %%
check.sharpness(sharpness)

# %% [markdown]
r"""
## Task 2: an edge whose place is not known

**Aim:** see how uncertainty turns a step into a ramp.

A picture is black (0) left of an edge and white (1) right of it. The edge stands at a place $u$ with $u \sim \mathcal{N}(0, \tau^2)$. Take the average of all these pictures. Return its brightness at `places`, shape `(n,)`, and its slope there, `(n,)` as well: exact values, not averages of draws. `tau` is the number $\tau$.

<details><summary>Hint 1</summary>

The place $t$ is white in all pictures with $u < t$. So its brightness is a probability. `torch.distributions.Normal` has `cdf`.

</details>
<details><summary>Hint 2</summary>

The slope of a distribution function is the density. `log_prob` gives you its logarithm.

</details>
"""


# %%
def edge(places, tau):
    ### BEGIN SOLUTION
    place_of_edge = Normal(0.0, tau)
    return place_of_edge.cdf(places), place_of_edge.log_prob(places).exp()
    ### END SOLUTION


# %%
check.edge(edge)

# %% [markdown]
r"""
## Task 3: the best picture for a z

**Aim:** compute the blur that no decoder can avoid.

There are $N$ pictures `(N, pixels)`. Their posteriors $q(z \mid x_i)$ have `mean` and `log_std` ($\log\sigma$), each `(N, latent_dim)`. For draws `z`, `(M, latent_dim)`, return $\sum_i w_i(z)\, x_i$ with $w_i(z) = q(z \mid x_i) / \sum_k q(z \mid x_k)$, shape `(M, pixels)`. It must also be right when every density is as small as $e^{-1800}$ or as large as $e^{900}$, and when one is $e^{1800}$ times another.

<details><summary>Hint 1</summary>

First $\log q(z \mid x_i)$ for each pair, `(M, N)`. With `z[:, None]` all $z$ meet all posteriors. Which constants are the same for all pictures, and which are not?

</details>
<details><summary>Hint 2</summary>

Add the same number to all logarithms of one $z$: the weights stay as they are. `softmax` makes use of that.

</details>
"""


# %%
def best_picture(z, mean, log_std, pictures):
    ### BEGIN SOLUTION
    per_latent = Normal(mean, log_std.exp()).log_prob(z[:, None])  # (M, N, latent_dim)
    weights = per_latent.sum(2).softmax(1)  # (M, N), each row adds up to 1
    return weights @ pictures
    ### END SOLUTION


# %%
check.best_picture(best_picture)

# %% [markdown]
r"""
## Task 4: how many pictures are behind it?

**Aim:** turn doubt in nats into a number that you can picture.

You get `log_q`, the numbers $\log q(z \mid x_i)$ for $M$ draws and $N$ pictures, `(M, N)`. Return the effective number of pictures for each draw, $e^H$, shape `(M,)`. Here $H$ is the entropy of the weights $w_i(z)$, in nats. Some weights may be so small that a float holds 0.

<details><summary>Hint 1</summary>

$H = -\sum_i w_i \log w_i$. A weight of 0 adds nothing, because $w \log w$ goes to 0 with $w$. What does Python make of it?

</details>
<details><summary>Hint 2</summary>

`log_softmax` gives $\log w_i$ without passing through 0. Or look up `torch.special.entr`.

</details>
"""


# %%
def pictures_behind(log_q):
    ### BEGIN SOLUTION
    entropy = torch.special.entr(log_q.softmax(1)).sum(1)  # nats
    return entropy.exp()
    ### END SOLUTION


# %%
check.pictures_behind(pictures_behind)

# %% [markdown]
r"""
## Task 5: which directions pass

**Aim:** know what a linear VAE loses before you train it.

`eigenvalues` are the variances $\lambda_j$ of the pictures along their principal directions, `(n,)`. `std` is $\sigma_x$, a number. The best linear VAE multiplies each direction by a gain of $1 - \sigma_x^2 / \lambda_j$, or by 0 where $\lambda_j \le \sigma_x^2$. Return the gains, `(n,)`. A pixel that never changes has $\lambda = 0$, and rounding can make that $-10^{-17}$.

<details><summary>Hint 1</summary>

What is $1 - \sigma_x^2 / \lambda$ for a $\lambda$ just below 0? Clamping the result comes too late.

</details>
<details><summary>Hint 2</summary>

`torch.where(condition, a, b)` takes `a` where the condition holds, and `b` elsewhere.

</details>
"""


# %%
def gain(eigenvalues, std):
    ### BEGIN SOLUTION
    passes = eigenvalues > std**2
    return torch.where(passes, 1 - std**2 / eigenvalues, torch.zeros_like(eigenvalues))
    ### END SOLUTION


# %%
check.gain(gain)

# %% [markdown]
r"""
## Task 6: read σ off the pictures

**Aim:** tell noise from detail, with nothing but two sets of pictures.

Somebody shows you `samples`, full draws from $p_\theta(x \mid z)$, and `means`, means of the decoder. Both are grey from 0 to 255, `(batch, height, width)`. The $z$ are *not* the same in the two sets, and there are more samples than means. The likelihood is Gaussian with one $\sigma_x$ for all pixels. Return your estimate of $\sigma_x$, one number. It may be off by 4 %.

<details><summary>Hint 1</summary>

Noise of variance $\sigma_x^2$, drawn for each pixel on its own, adds $20\,\sigma_x^2$ to the variance of the Laplacian. Chapter 9 says why.

</details>
<details><summary>Hint 2</summary>

Your function of task 1, averaged over each set, sees the detail of the means in both. What is left in the difference?

</details>
"""


# %%
def noise_std(samples, means):
    ### BEGIN SOLUTION
    added = sharpness(samples).mean() - sharpness(means).mean()
    return math.sqrt(added / 20)
    ### END SOLUTION


# %%
check.noise_std(noise_std)
