# %% [markdown]
r"""
# Exercises 2 · From autoencoder to variational auto-encoder

These exercises go with [chapter 2](../02_from_ae_to_vae.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 100 minutes. No check takes more than a few seconds. [Solutions](../solutions/02_from_ae_to_vae.ipynb)
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

# %% [markdown]
r"""
## Task 8: re-scale the codes

**Aim:** give the cloud of codes the mean and the variance of the prior, and change no picture.

`mean` and `log_std`, `(N, latent_dim)`, are the posteriors of $N$ pictures. `weight`, `(units, latent_dim)`, and `bias`, `(units,)`, are the first layer of the decoder, which computes $Wz + b$. Return five things: the new `mean` and `log_std`, the new `weight` and `bias`, and by how many nats the mean KL to $\mathcal{N}(0, I)$ falls, one number. Afterwards each latent must have mean 0 and variance 1 under the aggregate posterior, and the layer must give for each new $z$ what it gave for the old one.

<details><summary>Hint 1</summary>

Your function of task 5 gives $m$ and $v$ of each latent. The new code is $z' = (z - m)/\sqrt v$.

</details>
<details><summary>Hint 2</summary>

Solve that for $z$ and put it into $Wz + b$. What multiplies $z'$, and what is left over?

</details>
<details><summary>Hint 3</summary>

The mean KL falls by $\frac12\sum_j (v_j + m_j^2 - 1 - \log v_j)$.

</details>
"""


# %%
def rescale(mean, log_std, weight, bias):
    ### BEGIN SOLUTION
    m, v = aggregate_moments(mean, log_std)
    new_mean = (mean - m) / v.sqrt()
    new_log_std = log_std - 0.5 * v.log()
    nats = 0.5 * (v + m**2 - 1 - v.log()).sum()
    return new_mean, new_log_std, weight * v.sqrt(), bias + weight @ m, nats
    ### END SOLUTION


# %%
check.rescale(rescale)

# %% [markdown]
r"""
## Task 9: the whole thing

**Aim:** write a VAE from an empty cell: networks, loss, loop, and look at its draws.

`x` is `(N, D)`: here 1 000 tiny "pictures" of six pixels, centred nowhere in particular. Train a VAE with `d` latents and the fixed noise `sigma_x`, and return the two networks: `encoder`, from `(batch, D)` to `(batch, 2 * d)`, all means before all $\log \sigma$; and `decoder`, from `(batch, d)` to `(batch, D)`, the mean of $p(x|z)$. Linear layers will do. You have a few seconds.

The check looks at what your VAE can do. The pictures are drawn so that the best ELBO is known, and yours must come near it. The posteriors must be as wide as the best ones, and draws from the prior must vary as the pictures do.

<details><summary>Hint 1</summary>

The screen of [chapter 2](../02_from_ae_to_vae.ipynb) has all the pieces. Which lines depend on 784, 10 and 0.3?

</details>
<details><summary>Hint 2</summary>

With networks this small you can take a larger learning rate, such as 0.02, let it fall to zero at the end, and take more than a thousand steps.

</details>
<details><summary>Hint 3</summary>

The check tells whether the posteriors are too narrow (what does the KL do?) or too wide (what does the reconstruction do?).

</details>
"""


# %%
def build(x, d, sigma_x):
    ### BEGIN SOLUTION
    encoder, decoder = torch.nn.Linear(x.shape[1], 2 * d), torch.nn.Linear(d, x.shape[1])
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=1500)
    for _ in range(1500):
        batch = x[torch.randint(len(x), (256,))]
        mean, log_std = encoder(batch).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        error = (batch - decoder(z)) ** 2 / (2 * sigma_x**2)  # log p, but for a constant
        kl = 0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std
        loss = (error.sum(1) + kl.sum(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return encoder, decoder
    ### END SOLUTION


# %%
check.build(build)
