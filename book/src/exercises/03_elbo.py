# %% [markdown]
r"""
# Exercises 3 · The ELBO, line by line

These exercises go with [chapter 3](../03_elbo.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 70 minutes. No check takes more than a few seconds. [Solutions](../solutions/03_elbo.ipynb)
"""

# %%
import math

import torch
from torch.distributions import MultivariateNormal, kl_divergence
from torch.nn.functional import logsigmoid

from vae_course.checks import elbo as check

# %% [markdown]
r"""
## Task 1: a Gaussian likelihood with all its constants

**Aim:** write a density, and not only a squared error.

`x` and `mean` are `(batch, pixels)`. `log_std` is $\log\sigma_x$, a tensor. It may hold one number for all, `()`, one for each picture, `(batch, 1)`, or one for each pixel, `(pixels,)` or `(batch, pixels)`. Return $\log \mathcal{N}(x;\, \mu, \sigma_x^2)$ in nats per picture, shape `(batch,)`. `mean` and `log_std` may come from a network, so gradients must reach them. Do not clamp, and add no small number: $\sigma$ may be $e^{-6}$ or $e^{20}$.

<details><summary>Hint 1</summary>

One pixel has the density $\frac{1}{\sigma_x\sqrt{2\pi}}\, e^{-(x-\mu)^2 / 2\sigma_x^2}$. Take its logarithm. Then add up the pixels.

</details>
<details><summary>Hint 2</summary>

Put all three terms together *before* you sum over dimension 1. Then a `log_std` of any shape is counted as often as it should be.

</details>
"""


# %%
def gaussian(x, mean, log_std):
    ### BEGIN SOLUTION
    distance = (x - mean) * torch.exp(-log_std)  # in units of the standard deviation
    per_pixel = -0.5 * distance**2 - log_std - 0.5 * math.log(2 * math.pi)  # (batch, pixels)
    return per_pixel.sum(1)
    ### END SOLUTION


# %%
check.gaussian(gaussian)

# %% [markdown]
r"""
## Task 2: a Bernoulli likelihood that does not break

**Aim:** stay finite where the decoder is certain.

Now a pixel is 0 or 1. The decoder gives logits $a$, and the chance of a 1 is $p = 1 / (1 + e^{-a})$. `x` and `logits` are `(batch, pixels)`. Return $\log p(x)$ in nats per picture, shape `(batch,)`. It must be right for logits of ±1000, too, and so must its gradient in the logits.

<details><summary>Hint 1</summary>

For one pixel it is $x \log p + (1 - x) \log (1 - p)$. At $a = 1000$ a float gives $1 - p = 0$, and you need its logarithm.

</details>
<details><summary>Hint 2</summary>

$1 - p$ is what you get for the logit $-a$. And `torch.nn.functional.logsigmoid` gives $\log p$ without going through $p$.

</details>
"""


# %%
def bernoulli(x, logits):
    ### BEGIN SOLUTION
    per_pixel = x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)  # (batch, pixels)
    return per_pixel.sum(1)
    ### END SOLUTION


# %%
check.bernoulli(bernoulli)

# %% [markdown]
r"""
## Task 3: the joint

**Aim:** compute the one thing that every bound in this chapter starts from.

You are given pictures `x`, `(batch, pixels)`, and $K$ draws for each, `z`, `(K, batch, latent_dim)`. `decode(z)` is the mean of a Gaussian likelihood, `(K, batch, pixels)`, and `log_std` is its $\log\sigma_x$, a number. The prior is $\mathcal{N}(0, I)$. Return $\log p(x \mid z) + \log p(z)$ in nats, shape `(K, batch)`. Gradients must reach `z`.

<details><summary>Hint 1</summary>

`torch.distributions.Normal(mean, std).log_prob(value)` broadcasts: `x` fits to all $K$ draws.

</details>
<details><summary>Hint 2</summary>

Pixels and latents both are the *last* dimension of their tensors. Sum over `-1`, each on its own.

</details>
"""


# %%
def log_joint(x, z, decode, log_std):
    ### BEGIN SOLUTION
    likelihood = torch.distributions.Normal(decode(z), math.exp(log_std)).log_prob(x)
    prior = torch.distributions.Normal(0, 1).log_prob(z)
    return likelihood.sum(-1) + prior.sum(-1)
    ### END SOLUTION


# %%
check.log_joint(log_joint)

# %% [markdown]
r"""
## Task 4: the integral, with one latent

**Aim:** get $\log p(x)$ by brute force, where brute force still works.

With one latent, $\log p(x) = \log \int p(x, z)\, dz$ is a sum over a grid. You are given a function `log_joint(z)`: `(N,)` in, `(N,)` out, `float64`, for one picture. All that matters lies between $z = -8$ and $z = 8$, and nothing is narrower than 0.1. Return $\log p(x)$, to six digits. Beware: some joints are as small as $e^{-2000}$.

<details><summary>Hint 1</summary>

Take a thousand evenly spaced points. Each stands for a strip, and a strip has a height *and* a width.

</details>
<details><summary>Hint 2</summary>

`torch.logsumexp(values, 0)` is $\log \sum e^{v}$, and never computes an $e^{v}$ that a float cannot hold.

</details>
"""


# %%
def log_evidence(log_joint):
    ### BEGIN SOLUTION
    z = torch.linspace(-8, 8, 1001, dtype=torch.float64)
    width = (z[1] - z[0]).item()
    return torch.logsumexp(log_joint(z), 0) + math.log(width)
    ### END SOLUTION


# %%
check.evidence(log_evidence)

# %% [markdown]
r"""
## Task 5: the true posterior

**Aim:** know what the encoder should say, in the one model where it can be known.

The linear VAE has the likelihood $p(x \mid z) = \mathcal{N}(Wz + b,\, \sigma_x^2 I)$. You are given `x`, `(batch, pixels)`, `weight` $= W$, `(pixels, d)`, `bias` $= b$, and the number `variance` $= \sigma_x^2$. Return the mean of $p(z \mid x)$, `(batch, d)`, and its covariance, `(d, d)`.

<details><summary>Hint 1</summary>

Write down $\log p(x \mid z) + \log p(z)$ and look at $z$ only. It is a parabola, so the posterior is normal. Minus its second derivative is the *precision*, the inverse of the covariance. Both terms contribute.

</details>
<details><summary>Hint 2</summary>

The precision is $I + W^\top W / \sigma_x^2$. The mean is the $z$ at the top: set the first derivative to zero.

</details>
"""


# %%
def posterior(x, weight, bias, variance):
    ### BEGIN SOLUTION
    latents = weight.shape[1]
    precision = torch.eye(latents, dtype=x.dtype) + weight.T @ weight / variance
    covariance = torch.linalg.inv(precision)
    return (x - bias) @ weight @ covariance / variance, covariance
    ### END SOLUTION


# %%
check.posterior(posterior)

# %% [markdown]
r"""
## Task 6: what the bound loses

**Aim:** compute the gap without the ELBO.

The same model, and an encoder that says $q(z \mid x) = \mathcal{N}(\mu, \sigma^2)$ with `mean` and `log_std`, both `(batch, d)`. Return two tensors of shape `(batch,)`: $\log p(x)$, and the gap $\log p(x) - \operatorname{ELBO}$. The check computes the ELBO in its other form, reconstruction minus KL to the prior. So the two must meet.

<details><summary>Hint 1</summary>

$x$ is a sum of normal things: $x = Wz + b + \text{noise}$. So it is normal. What are its mean and its covariance?

</details>
<details><summary>Hint 2</summary>

The gap is the KL from $q$ to the true posterior, line 3 of the derivation. `kl_divergence` knows it for two `MultivariateNormal`. The covariance of $q$ is `torch.diag_embed(…)` of its variances.

</details>
"""


# %%
def evidence_and_gap(x, weight, bias, variance, mean, log_std):
    ### BEGIN SOLUTION
    noise = variance * torch.eye(len(weight), dtype=x.dtype)
    log_p = MultivariateNormal(bias, weight @ weight.T + noise).log_prob(x)
    q = MultivariateNormal(mean, torch.diag_embed(torch.exp(2 * log_std)))
    return log_p, kl_divergence(q, MultivariateNormal(*posterior(x, weight, bias, variance)))
    ### END SOLUTION


# %%
check.gap(evidence_and_gap)

# %% [markdown]
r"""
## Task 7: the bound with K draws

**Aim:** average weights that no float can hold.

For each picture you have $K$ log weights, $\log w(z_k) = \log p(x, z_k) - \log q(z_k \mid x)$, in `log_w`, `(K, batch)`. Return $\log \frac1K \sum_k w(z_k)$, shape `(batch,)`. Log weights of −2000 are usual for pictures, and two pictures of a batch may differ by hundreds. Gradients must reach `log_w`.

<details><summary>Hint 1</summary>

Which dimension are the draws? And is it the logarithm of an average, or the average of logarithms?

</details>
<details><summary>Hint 2</summary>

`torch.logsumexp` again gives the logarithm of the sum. An average is the sum divided by $K$: what happens to that factor under the logarithm?

</details>
"""


# %%
def bound(log_w):
    ### BEGIN SOLUTION
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))
    ### END SOLUTION


# %%
check.bound(bound)
