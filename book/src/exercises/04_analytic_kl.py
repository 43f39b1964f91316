# %% [markdown]
r"""
# Exercises 4 · The analytic KL

These exercises go with [chapter 4](../04_analytic_kl.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 40 minutes. No check takes more than a few seconds. [Solutions](../solutions/04_analytic_kl.ipynb)
"""

# %%
import sympy
import torch

from vae_course.checks import analytic_kl as check

# %% [markdown]
r"""
## Task 1: the KL of a posterior

**Aim:** write the term that every VAE pays.

The encoder gives $\mu$ (`mean`) and $\log\sigma$ (`log_std`), each `(batch, latent_dim)`. Return $\operatorname{KL}(\mathcal{N}(\mu, \sigma^2) \,\|\, \mathcal{N}(0, I))$ in nats per example, shape `(batch,)`. Slopes must reach both arguments. It must hold for small $\sigma$, too: $\log\sigma = -9$, say. So do not clamp, and add no small number.

<details><summary>Hint 1</summary>

The KL is the average of $\log q(z) - \log p(z)$ over $q$. The latents are independent, so each pays for itself. Start with one.

</details>
<details><summary>Hint 2</summary>

For one latent, chapter 4 splits the average into three terms. It needs two averages under $q$: that of $(z - \mu)^2$ is $\sigma^2$, and that of $z^2$ is $\mu^2 + \sigma^2$.

</details>
<details><summary>Hint 3</summary>

Each latent costs $\frac12(\sigma^2 + \mu^2 - 1) - \log\sigma$. The network gives $s = \log\sigma$. What is $\sigma^2$ in $s$?

</details>
"""


# %%
def kl_to_prior(mean, log_std):
    ### BEGIN SOLUTION
    variance = torch.exp(2 * log_std)
    per_latent = 0.5 * (variance + mean**2 - 1) - log_std  # (batch, latent_dim)
    return per_latent.sum(1)
    ### END SOLUTION


# %%
check.kl(kl_to_prior)

# %% [markdown]
r"""
## Task 2: its slopes, by computer algebra

**Aim:** let SymPy differentiate, so that no sign gets lost.

`mu` and `sigma` are SymPy symbols. They stand for $\mu$ and for $\sigma$ itself, not for its logarithm. Write the KL of *one* latent with them, from $\mathcal{N}(\mu, \sigma^2)$ to $\mathcal{N}(0, 1)$. Return its derivatives in $\mu$ and in $\sigma$, as a pair of expressions.

<details><summary>Hint 1</summary>

`sympy.diff(expression, symbol)` differentiates. Write ½ as `sympy.Rational(1, 2)`.

</details>
<details><summary>Hint 2</summary>

It is the KL of task 1 before the sum over latents. With $\sigma$ itself as the symbol, the logarithm is `sympy.log(sigma)`.

</details>
"""


# %%
def slopes(mu, sigma):
    ### BEGIN SOLUTION
    kl = sympy.Rational(1, 2) * (sigma**2 + mu**2 - 1) - sympy.log(sigma)
    return sympy.diff(kl, mu), sympy.diff(kl, sigma)
    ### END SOLUTION


# %%
check.derivatives(slopes)

# %% [markdown]
r"""
## Task 3: its gradient, by hand

**Aim:** know what the KL does to the encoder's two outputs.

The network's output is $s = \log\sigma$, not $\sigma$. Return the slopes of task 1's KL, first in `mean`, then in `log_std`, each `(batch, latent_dim)`. Every example has its own: no average over the batch. No autograd this time.

<details><summary>Hint 1</summary>

Write the KL of one latent in $\mu$ and $s$: $\frac12(e^{2s} + \mu^2 - 1) - s$.

</details>
<details><summary>Hint 2</summary>

$\frac{d}{ds}\,\frac12 e^{2s} = e^{2s}$.

</details>
"""


# %%
def gradient(mean, log_std):
    ### BEGIN SOLUTION
    return mean, torch.exp(2 * log_std) - 1
    ### END SOLUTION


# %%
check.gradient(gradient)

# %% [markdown]
r"""
## Task 4: any two Gaussians

**Aim:** a KL for a prior that is not $\mathcal{N}(0, I)$.

Now $q = \mathcal{N}(\mu_q, \sigma_q^2)$ and $p = \mathcal{N}(\mu_p, \sigma_p^2)$, both with independent latents. `log_std_q` and `log_std_p` are $\log\sigma_q$ and $\log\sigma_p$. All four arguments are `(batch, latent_dim)`. Return $\operatorname{KL}(q\,\|\,p)$ in nats per example, shape `(batch,)`. A prior can be learned, so slopes must reach all four.

<details><summary>Hint 1</summary>

Measure everything in units of $p$: shift by $\mu_p$, divide by $\sigma_p$. Then each latent of $p$ becomes $\mathcal{N}(0, 1)$, and the KL does not change.

</details>
<details><summary>Hint 2</summary>

In these units $q$ has mean $(\mu_q - \mu_p)/\sigma_p$ and standard deviation $\sigma_q/\sigma_p$. Use your function of task 1.

</details>
"""


# %%
def kl_between(mean_q, log_std_q, mean_p, log_std_p):
    ### BEGIN SOLUTION
    # In units of p, the prior is N(0, I) again.
    return kl_to_prior((mean_q - mean_p) * torch.exp(-log_std_p), log_std_q - log_std_p)
    ### END SOLUTION


# %%
check.two_gaussians(kl_between)

# %% [markdown]
r"""
## Task 5: a test that is not blind

**Aim:** tell the right KL from the slip that has the same minimum.

You are given some `kl(mean, log_std)`, a function of two numbers (0-dimensional tensors) that returns one. Return its second derivatives at (0, 0), two numbers: $\partial^2/\partial\mu^2$, then $\partial^2/\partial(\log\sigma)^2$. Autograd or finite differences, as you like: three digits are enough.

<details><summary>Hint 1</summary>

A derivative tells how fast a function changes, and a second derivative how fast *that* changes. With values alone: $f''(0) \approx (f(h) - 2 f(0) + f(-h)) / h^2$, with $h = 10^{-3}$, in `float64`.

</details>
<details><summary>Hint 2</summary>

Or `torch.autograd.functional.hessian(kl, (zero, zero))`, and take the diagonal.

</details>
"""


# %%
def curvatures(kl):
    ### BEGIN SOLUTION
    h, zero = 1e-3, torch.zeros((), dtype=torch.float64)
    in_mean = (kl(zero + h, zero) - 2 * kl(zero, zero) + kl(zero - h, zero)) / h**2
    in_log_std = (kl(zero, zero + h) - 2 * kl(zero, zero) + kl(zero, zero - h)) / h**2
    return in_mean, in_log_std
    ### END SOLUTION


# %%
check.curvatures(curvatures)
