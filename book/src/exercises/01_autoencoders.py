# %% [markdown]
r"""
# Exercises 1 · Autoencoders

These exercises go with [chapter 1](../01_autoencoders.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 60 minutes. No check takes more than a few seconds. [Solutions](../solutions/01_autoencoders.ipynb)
"""

# %%
import torch
from torch import nn

from vae_course.checks import autoencoders as check

# %% [markdown]
r"""
## Task 1: the error of each picture

**Aim:** keep the sum over pixels and the mean over the batch apart.

`x` and `reconstruction` are `(batch, C, H, W)`. Return the squared error of each picture, summed over its pixels: a tensor of shape `(batch,)`. A training loop will differentiate it.

<details><summary>Hint 1</summary>

The pixels of a picture are dimensions 1, 2 and 3. Channels count, too.

</details>
<details><summary>Hint 2</summary>

`.flatten(1)` makes one dimension of them.

</details>
"""


# %%
def squared_error(x, reconstruction):
    ### BEGIN SOLUTION
    return (x - reconstruction).square().flatten(1).sum(1)  # over pixels, not over the batch
    ### END SOLUTION


# %%
check.squared_error(squared_error)

# %% [markdown]
r"""
## Task 2: the best linear autoencoder

**Aim:** build the line that chapter 1 compares with.

`x` holds flat pictures, `(N, pixels)`. Return two functions. `encode` turns pictures `(batch, pixels)` into codes `(batch, latent_dim)`, and `decode` turns codes into pictures. Both are linear (a constant may be added). Among all such pairs, yours must have the smallest squared error on `x`. Training would only come near it. The exact answer is known.

The check compares your reconstructions of *new* pictures. It does not compare codes, since you may choose their axes.

<details><summary>Hint 1</summary>

This is PCA. The pictures vary around their mean. Keep the directions in which they vary most.

</details>
<details><summary>Hint 2</summary>

`torch.linalg.svd(a, full_matrices=False).Vh` has one direction in each row, the most important first.

</details>
<details><summary>Hint 3</summary>

The code of a picture says how far it goes in each direction, seen from the mean of `x`.

</details>
"""


# %%
def linear_autoencoder(x, latent_dim):
    ### BEGIN SOLUTION
    mean = x.mean(0)
    directions = torch.linalg.svd(x - mean, full_matrices=False).Vh[:latent_dim]  # (d, pixels)

    def encode(pictures):
        return (pictures - mean) @ directions.T

    def decode(codes):
        return codes @ directions + mean

    return encode, decode
    ### END SOLUTION


# %%
check.linear(linear_autoencoder)

# %% [markdown]
r"""
## Task 3: a curved one

**Aim:** build what a straight line cannot do.

Return an encoder and a decoder, two `nn.Module`s. The encoder maps `(batch, pixels)` to codes `(batch, latent_dim)`, the decoder maps them back. Both must be nonlinear, and each number of a code may be anything, negative or large. Use ordinary `float32` weights. They need not be trained: the check trains them for a moment on small pictures with pixels from 0 to 1.

There is no single right answer. The check looks at properties.

<details><summary>Hint 1</summary>

`nn.Sequential(nn.Linear(…), nn.ReLU(), nn.Linear(…))` is enough, once in each direction. About 32 hidden numbers will do.

</details>
<details><summary>Hint 2</summary>

What stands last in the encoder decides which numbers a code can be. A ReLU there would cut off half of them.

</details>
"""


# %%
def autoencoder(pixels, latent_dim):
    ### BEGIN SOLUTION
    encoder = nn.Sequential(nn.Linear(pixels, 32), nn.ReLU(), nn.Linear(32, latent_dim))
    decoder = nn.Sequential(nn.Linear(latent_dim, 32), nn.ReLU(), nn.Linear(32, pixels))
    return encoder, decoder
    ### END SOLUTION


# %%
check.nonlinear(autoencoder)

# %% [markdown]
r"""
## Task 4: other codes, the same pictures

**Aim:** see for yourself why the loss says nothing about the cloud of codes.

`encode` and `decode` are an autoencoder. `matrix` is an invertible $A$, `(latent_dim, latent_dim)`. Return a new `encode` and a new `decode`. The code of each picture must now be $A z$ where it was $z$. The reconstructions must stay as they are.

<details><summary>Hint 1</summary>

The new `decode` must first undo what the new `encode` did last.

</details>
<details><summary>Hint 2</summary>

In a batch each code is a *row*. Write $Az$ for one code, then transpose both sides.

</details>
"""


# %%
def remap(encode, decode, matrix):
    ### BEGIN SOLUTION
    inverse = torch.linalg.inv(matrix)

    def new_encode(x):
        return encode(x) @ matrix.T  # rows: (A z)ᵀ = zᵀ Aᵀ

    def new_decode(z):
        return decode(z @ inverse.T)

    return new_encode, new_decode
    ### END SOLUTION


# %%
check.remap(remap)

# %% [markdown]
r"""
## Task 5: from N(0, I) to the cloud

**Aim:** draw codes from the normal distribution that matches a cloud.

`codes` is `(N, latent_dim)`, with two latents or more. `noise` is `(n, latent_dim)`, drawn from $\mathcal{N}(0, I)$. Turn each row of noise into a draw from the normal distribution with the mean of the codes and their covariance, as `torch.cov(codes.T)` gives it: a tensor `(n, latent_dim)`. Draw nothing yourself.

<details><summary>Hint 1</summary>

If $\varepsilon$ has the covariance $I$, then $L\varepsilon$ has the covariance $LL^\top$. So you need an $L$ with $LL^\top = \Sigma$, for the covariance $\Sigma$ of the codes.

</details>
<details><summary>Hint 2</summary>

`torch.linalg.cholesky` gives one. Mind that each $\varepsilon$ is a row of `noise`.

</details>
"""


# %%
def matched_draws(codes, noise):
    ### BEGIN SOLUTION
    root = torch.linalg.cholesky(torch.cov(codes.T))
    return codes.mean(0) + noise @ root.T
    ### END SOLUTION


# %%
check.matched(matched_draws)

# %% [markdown]
r"""
## Task 6: how many draws are alone?

**Aim:** compare draws with a cloud beyond its mean and covariance. One in ten is alone where the draws are distributed as the codes are. More says that they are not: they may lie in gaps, or outside of the cloud.

Take the distance of each test code to the nearest training code. Nine in ten test codes are closer than some limit (the 0.9 quantile). Return the share of `draws` that are farther from all training codes than that. All three arguments are `(some number, latent_dim)`. The result is one number between 0 and 1.

<details><summary>Hint 1</summary>

`torch.cdist(a, b)` gives the distance from every row of `a` to every row of `b`.

</details>
<details><summary>Hint 2</summary>

`.min(1).values` keeps the nearest. Do it for the test codes, then for the draws.

</details>
<details><summary>Hint 3</summary>

`.quantile(0.9)` gives the limit, and the mean of a comparison, as a float, is a share.

</details>
"""


# %%
def share_in_gaps(train_codes, test_codes, draws):
    ### BEGIN SOLUTION
    company = torch.cdist(test_codes, train_codes).min(1).values.quantile(0.9)
    alone = torch.cdist(draws, train_codes).min(1).values > company
    return alone.double().mean()
    ### END SOLUTION


# %%
check.gaps(share_in_gaps)
