# %% [markdown]
r"""
# Exercises 2 · From autoencoder to variational auto-encoder

These exercises go with [chapter 2](../02_from_ae_to_vae.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 70 minutes. No check takes more than a few seconds. [Solutions](../solutions/02_from_ae_to_vae.ipynb)
"""

# %%
import math

import torch

from vae_course.checks import from_ae_to_vae as check

# %% [markdown]
r"""
## Task 1: the ELBO, piece by piece

**Aim:** write both terms with the right sums, signs and constants.

The decoder has answered with a mean `picture`, of the shape of `x`, `(batch, C, H, W)`, and with one number $\log\sigma_x$, `log_std_x`. The encoder has given `mean` and `log_std`, `(batch, latent_dim)`. Return a tuple: the ELBO, the reconstruction $\log p_\theta(x \mid z)$, and the KL to $\mathcal{N}(0, I)$. Each is `(batch,)`, in nats per picture. All but `x` may come from networks, so gradients must reach them. It must hold for very small and very large $\sigma$, too: do not clamp, and add no small number.

<details><summary>Hint 1</summary>

The log density of one pixel has three parts: one with the squared error, one with $\sigma_x$ alone, and a constant. Write it down for one pixel first.

</details>
<details><summary>Hint 2</summary>

Each pixel adds $-\frac12 (x_i - \hat x_i)^2 / \sigma_x^2 - \log\sigma_x - \frac12\log 2\pi$, where $\hat x$ is `picture`.

</details>
<details><summary>Hint 3</summary>

Each latent costs $\frac12(\sigma_j^2 + \mu_j^2 - 1) - \log\sigma_j$, and $\sigma^2$ is $e^{2\log\sigma}$.

</details>
<details><summary>Hint 4</summary>

Sum over pixels, sum over latents, and leave the batch alone.

</details>
"""


# %%
def elbo(x, picture, log_std_x, mean, log_std):
    ### BEGIN SOLUTION
    squares = (x - picture) ** 2 * torch.exp(-2 * log_std_x)
    per_pixel = -0.5 * squares - log_std_x - 0.5 * math.log(2 * math.pi)
    reconstruction = per_pixel.flatten(1).sum(1)
    per_latent = 0.5 * (torch.exp(2 * log_std) + mean**2 - 1) - log_std
    kl = per_latent.sum(1)
    return reconstruction - kl, reconstruction, kl
    ### END SOLUTION


# %%
check.elbo(elbo)

# %% [markdown]
r"""
## Task 2: the training loss

**Aim:** put the whole step together: encode, draw, decode, compare.

`model.encode(x)` gives `mean` and `log_std` of the posterior of each picture. `model.decode(z)` gives `mean` and `log_std` of $p_\theta(x \mid z)$. Draw one $z$ for each picture, a new one at every call. Return the number that the optimiser should make small, a tensor of shape `()`, in nats per picture. Its gradient must reach the encoder along both ways: through the KL, and through $z$.

<details><summary>Hint 1</summary>

Write the draw as a function of $\mu$, $\sigma$ and noise $\varepsilon$ from $\mathcal{N}(0, I)$. Then gradients find a way through it.

</details>
<details><summary>Hint 2</summary>

Your `elbo` of task 1 gives the total for each picture. Now the mean over the batch, and think about the sign.

</details>
"""


# %%
def training_loss(model, x):
    ### BEGIN SOLUTION
    mean, log_std = model.encode(x)
    z = mean + torch.exp(log_std) * torch.randn_like(mean)
    decoded = model.decode(z)
    total, _, _ = elbo(x, decoded.mean, decoded.log_std, mean, log_std)
    return -total.mean()  # over the batch
    ### END SOLUTION


# %%
check.loss(training_loss)

# %% [markdown]
r"""
## Task 3: draw from the model

**Aim:** tell a sample of the model from its mean.

`decode(z)` takes `(n, latent_dim)` and gives `mean`, `(n, C, H, W)`, and `log_std`, one number. Return `n` draws from the model, $z \sim p(z)$ and then $x \sim p_\theta(x \mid z)$. Call `decode` once for each picture, or once for all. Keep the draws as they come: a pixel may leave [0, 1].

<details><summary>Hint 1</summary>

The prior is $\mathcal{N}(0, I)$: all numbers of all $z$ are independent.

</details>
<details><summary>Hint 2</summary>

"Mean plus noise": each pixel of each picture gets its own, with standard deviation $\sigma_x$.

</details>
"""


# %%
def sample(decode, latent_dim, n):
    ### BEGIN SOLUTION
    decoded = decode(torch.randn(n, latent_dim))
    noise = torch.randn_like(decoded.mean)
    return decoded.mean + torch.exp(decoded.log_std) * noise
    ### END SOLUTION


# %%
check.sample(sample)

# %% [markdown]
r"""
## Task 4: reconstruct

**Aim:** show one picture for one picture, with nothing left to chance.

`encode(x)` gives `mean` and `log_std` of the posterior, `decode(z)` gives `mean` and `log_std` of the likelihood. Return the decoder's mean at the posterior mean, of the shape of `x`.

<details><summary>Hint 1</summary>

No noise in $z$, and none in the picture.

</details>
<details><summary>Hint 2</summary>

Both networks answer with a distribution. You need `.mean` twice.

</details>
"""


# %%
def reconstruct(encode, decode, x):
    ### BEGIN SOLUTION
    return decode(encode(x).mean).mean
    ### END SOLUTION


# %%
check.reconstruct(reconstruct)

# %% [markdown]
r"""
## Task 5: the aggregate posterior

**Aim:** find out what the KL term does to the cloud, and what it does to each posterior.

`mean` and `log_std`, `(N, latent_dim)`, are the posteriors of $N$ pictures. The aggregate posterior $q(z)$ is their even mixture. Return the mean and the variance of each latent under $q(z)$, as a tuple, each `(latent_dim,)`. $N$ is 2 or more.

<details><summary>Hint 1</summary>

To draw from a mixture, pick a picture, then draw from its posterior. So $\mathbb{E}\,z_j$ and $\mathbb{E}\,z_j^2$ are averages over the pictures.

</details>
<details><summary>Hint 2</summary>

For one picture, $\mathbb{E}\,z_j^2 = \mu_j^2 + \sigma_j^2$. A variance is the second moment less the squared mean.

</details>
"""


# %%
def aggregate_moments(mean, log_std):
    ### BEGIN SOLUTION
    center = mean.mean(0)  # over pictures
    second = (mean**2 + torch.exp(2 * log_std)).mean(0)
    return center, second - center**2
    ### END SOLUTION


# %%
check.aggregate(aggregate_moments)

# %% [markdown]
r"""
## Task 6: how many latents does it need?

**Aim:** see which latents carry something.

Return two things, in a tuple: the KL of each latent to $\mathcal{N}(0, 1)$, averaged over the pictures, `(latent_dim,)`; and the smallest number of latents that together hold at least `share` of its sum over the latents. `share` is between 0 and 1.

<details><summary>Hint 1</summary>

The KL of a single latent has no sum over $j$. The mean is over dimension 0.

</details>
<details><summary>Hint 2</summary>

Begin with the latent that holds most. `.sort(descending=True).values.cumsum(0)` adds up.

</details>
<details><summary>Hint 3</summary>

Count the partial sums that do not reach the share yet. One more latent does.

</details>
"""


# %%
def latents_needed(mean, log_std, share):
    ### BEGIN SOLUTION
    kl = (0.5 * (torch.exp(2 * log_std) + mean**2 - 1) - log_std).mean(0)  # (latent_dim,)
    held = kl.sort(descending=True).values.cumsum(0)
    return kl, (held < share * kl.sum()).sum() + 1
    ### END SOLUTION


# %%
check.latents_needed(latents_needed)

# %% [markdown]
r"""
## Task 7: much ink, from a likely place

**Aim:** search the latent space where the prior's draws are.

`decode(z)` takes `(n, latent_dim)` and gives pictures as `.mean`, `(n, C, H, W)`. The *ink* of a picture is the sum of its pixels. Find one $z$, a tensor of shape `(latent_dim,)`, with two properties. Its length $\|z\|$ is between the 5 % and the 95 % quantile of the lengths of prior draws. And its picture has more ink than at least 95 in 100 pictures of prior draws.

There are many right answers, and many ways to find one.

<details><summary>Hint 1</summary>

Draws from the prior lie close to a sphere of radius $\sqrt d$. A $z$ near the centre is not like them.

</details>
<details><summary>Hint 2</summary>

Draw some thousand $z$ and put them all on that sphere. Which of them has most ink?

</details>
<details><summary>Hint 3</summary>

Or climb: gradient ascent on the ink, with the length set back after each step.

</details>
"""


# %%
def bright_and_likely(decode, latent_dim):
    ### BEGIN SOLUTION
    z = torch.randn(5000, latent_dim)
    z = math.sqrt(latent_dim) * z / z.norm(dim=1, keepdim=True)  # on the sphere
    ink = decode(z).mean.flatten(1).sum(1)
    return z[ink.argmax()]
    ### END SOLUTION


# %%
check.typical_and_bright(bright_and_likely)
