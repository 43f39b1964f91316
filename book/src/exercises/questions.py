# %% [markdown]
r"""
# Exercises · Questions people ask

These exercises go with [Questions people ask](../questions.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 90 minutes. No check takes more than a few seconds. The last task has many right answers. [Solutions](../solutions/questions.ipynb)
"""

# %%
import math

import torch

from vae_course.checks import questions as check

# %% [markdown]
r"""
## Task 1: from Bob to Alice in even angles

**Aim:** walk between two draws without leaving the place where draws are.

`start` and `end` are vectors, `(batch, latent_dim)`, of any lengths. `t` is a number from 0 to 1. Let $\omega$ be the angle between the two vectors of a pair. Return the point $\frac{\sin((1-t)\,\omega)}{\sin\omega}\, a + \frac{\sin(t\,\omega)}{\sin\omega}\, b$ on the way from $a$ (start) to $b$ (end), `(batch, latent_dim)`. Where both point the same way, return what this comes close to when $\omega$ goes to 0. (No two are opposite.)

<details><summary>Hint 1</summary>

$\cos\omega = a \cdot b \,/\, (\lVert a \rVert \lVert b \rVert)$. Rounding can put that a little above 1, and `acos` then gives NaN.

</details>
<details><summary>Hint 2</summary>

For small angles $\sin\omega \approx \omega$. What do the two weights come close to? `torch.where` chooses row by row. Keep the divisor away from 0 in the rows that are not chosen, too.

</details>
"""


# %%
def great_circle(start, end, t):
    ### BEGIN SOLUTION
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).unsqueeze(1)
    angle = torch.acos(cosine.clamp(-1, 1))  # (batch, 1)
    same_way = angle < 1e-6
    safe = torch.where(same_way, torch.ones_like(angle), angle)
    circle = (torch.sin((1 - t) * safe) * start + torch.sin(t * safe) * end) / torch.sin(safe)
    return torch.where(same_way, (1 - t) * start + t * end, circle)
    ### END SOLUTION


# %%
check.great_circle(great_circle)

# %% [markdown]
r"""
## Task 2: the number to report

**Aim:** say how good a model is, and how sure you are.

`elbo` holds the ELBO of test pictures in nats, with several draws of $z$ for each: `(draws, pictures)`. Pictures are independent of each other. Draws for one picture share that picture. Return the mean, and the standard error of this mean over pictures, as a pair of numbers.

<details><summary>Hint 1</summary>

Average the draws of a picture first. Then you have independent numbers, one for each picture.

</details>
<details><summary>Hint 2</summary>

The mean of $N$ independent numbers has the standard error $s / \sqrt N$, where $s$ is their standard deviation. `torch.std` divides by $N - 1$, which is right here.

</details>
"""


# %%
def report(elbo):
    ### BEGIN SOLUTION
    per_picture = elbo.mean(0)
    return per_picture.mean(), per_picture.std() / math.sqrt(len(per_picture))
    ### END SOLUTION


# %%
check.report(report)

# %% [markdown]
r"""
## Task 3: bits per dimension

**Aim:** make numbers comparable when pixels were scaled differently.

A paper counts grey in steps of 1, from 0 to 255, and reports **bits per dimension**: minus $\log_2$ of the density of a picture, divided by the number of its dimensions. Your model saw pixels divided by `scale`: 255, say. `elbo` is in nats per picture, `(batch,)`, for these scaled pixels. `shape` is the shape of a picture, `(C, H, W)`. Return bits per dimension for the unscaled pixels, `(batch,)`.

<details><summary>Hint 1</summary>

A picture has $D = C \cdot H \cdot W$ dimensions. A bit is $\log 2$ nats.

</details>
<details><summary>Hint 2</summary>

Stretch one pixel by a factor $k$, and its density falls by the factor $k$: the same chance is spread over $k$ times the width. Now do that to $D$ pixels, and take the logarithm.

</details>
"""


# %%
def bits_per_dimension(elbo, shape, scale):
    ### BEGIN SOLUTION
    dimensions = math.prod(shape)
    unscaled = elbo - dimensions * math.log(scale)  # nats per picture
    return -unscaled / (dimensions * math.log(2))
    ### END SOLUTION


# %%
check.bits_per_dimension(bits_per_dimension)

# %% [markdown]
r"""
## Task 4: Bob goes in, Alice comes out

**Aim:** compute how often a draw belongs to somebody else.

Bob's posterior is $\mathcal{N}(\mu_B, \sigma^2)$ and Alice's is $\mathcal{N}(\mu_A, \sigma^2)$: other means, the same $\sigma$. `bob` ($\mu_B$), `alice` ($\mu_A$) and `log_std` ($\log\sigma$) are `(batch, latent_dim)`, and each latent has its own $\sigma_j$. A $z$ is drawn from Bob's. Return the chance that its density is higher under Alice's, `(batch,)`: the exact value, not a count of draws.

<details><summary>Hint 1</summary>

One latent first. Alice's density is higher beyond the middle between the two means. How far is the middle from Bob, in units of $\sigma$? The chapter has the rest: $\Phi(-\mu/\sigma)$, for means $\pm\mu$.

</details>
<details><summary>Hint 2</summary>

With several latents, measure each of them in units of its $\sigma_j$. Then both posteriors are round, and only the straight line from Bob to Alice counts. $\Phi$ is `torch.special.ndtr`.

</details>
"""


# %%
def mix_up(bob, alice, log_std):
    ### BEGIN SOLUTION
    steps = (alice - bob) * torch.exp(-log_std)  # in units of σ
    half_way = steps.norm(dim=1) / 2
    return torch.special.ndtr(-half_way)
    ### END SOLUTION


# %%
check.mix_up(mix_up)

# %% [markdown]
r"""
## Task 5: the σ behind a weight

**Aim:** read any home-made loss as a likelihood.

Somebody trains with the loss "squared error + `weight` · KL". The KL is summed over latents, in nats. The squared error of a picture of `shape` `(C, H, W)` is averaged over its pixels where `averaged` is `True`, and summed where it is `False`. Return the $\sigma_x$ of the Gaussian likelihood that this loss stands for, one number.

<details><summary>Hint 1</summary>

Divide the loss by the weight. Now the KL stands alone, as in minus the ELBO. What stands in front of the squared error?

</details>
<details><summary>Hint 2</summary>

In minus the log-likelihood each pixel has $\frac{1}{2\sigma_x^2}(x - m)^2$, with mean $m$. Compare the factors of one pixel.

</details>
"""


# %%
def std_of_weight(weight, shape, averaged):
    ### BEGIN SOLUTION
    per_pixel = 1 / (weight * math.prod(shape)) if averaged else 1 / weight
    return math.sqrt(1 / (2 * per_pixel))
    ### END SOLUTION


# %%
check.std_of_weight(std_of_weight)

# %% [markdown]
r"""
## Task 6: do not read it, double it

**Aim:** find out what a loss does, without its source.

You are given some `loss(x, y)`, which turns two batches of pictures, `(batch, C, H, W)`, into one number. It adds up some error of single pixels. Does it sum or average over the pictures of the batch, and over the pixels of a picture? Return two words, each `"sum"` or `"mean"`: the batch first, then the pixels. `x` and `y` are pictures to try. Losses may be large, tiny or negative.

<details><summary>Hint 1</summary>

`x.repeat(2, 1, 1, 1)` holds every picture twice. What does a mean make of that, and what a sum?

</details>
<details><summary>Hint 2</summary>

Look at the *ratio* of the new loss to the old one. It is the same for large, tiny and negative losses.

</details>
"""


# %%
def reductions(loss, x, y):
    ### BEGIN SOLUTION
    words = []
    for copies in ((2, 1, 1, 1), (1, 1, 2, 1)):  # every picture twice, every pixel twice
        ratio = loss(x.repeat(copies), y.repeat(copies)) / loss(x, y)
        words.append("sum" if ratio > 1.5 else "mean")
    return tuple(words)
    ### END SOLUTION


# %%
check.reductions(reductions)

# %% [markdown]
r"""
## Task 7: a decoder in disguise

**Aim:** show that the likelihood cannot have made your axes meaningful.

You are given a decoder: `decode(z)` turns `(n, latent_dim)` into pictures. $z$ is drawn from $\mathcal{N}(0, I)$. Return another decoder, a function of `z`, for which

- all pictures are exactly as likely as before, when $z$ is drawn from $\mathcal{N}(0, I)$;
- no axis shows what an axis showed: the picture at two steps along a new axis is one that the old decoder makes at a $z$ at least 10 degrees away from each old axis, on either side.

`latent_dim` is 2 or more. The check gives your decoder `z` in `float64`. There are many right answers, and it accepts all of them.

<details><summary>Hint 1</summary>

$\mathcal{N}(0, I)$ is round. What can you do to $z$ before you hand it to `decode`, so that it stays $\mathcal{N}(0, I)$?

</details>
<details><summary>Hint 2</summary>

`torch.linalg.qr(torch.randn(d, d)).Q` turns by chance. Make it once, outside the function that you return, with `dtype=torch.float64`. Its entries are the cosines of the angles between new axes and old ones. If one is too close to ±1, draw again: with two latents that happens often.

</details>
"""


# %%
def disguise(decode, latent_dim):
    ### BEGIN SOLUTION
    turn = torch.eye(latent_dim)
    while turn.abs().max() > 0.95:  # an angle below 18 degrees
        turn = torch.linalg.qr(torch.randn(latent_dim, latent_dim, dtype=torch.float64)).Q
    return lambda z: decode(z @ turn)
    ### END SOLUTION


# %%
check.disguise(disguise)
