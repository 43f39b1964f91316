# %% [markdown]
r"""
# Exercises 11 · The prior's hole, and latent diffusion

These exercises go with [chapter 11](../11_prior.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 60 minutes. No check takes more than a few seconds. [Solutions](../solutions/11_prior.ipynb)
"""

# %%
import math

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course.checks import prior as check

# %% [markdown]
r"""
## Task 1: what a prior gains

**Aim:** measure a rung of the ladder, without knowing $q(z)$.

`codes` are draws of codes of test pictures, `(N, d)`. A Gaussian prior has the `mean`, `(d,)`, and the `covariance`, `(d, d)`. Return the nats of ELBO that it gains over $\mathcal{N}(0, I)$, averaged over the codes: one number.

<details><summary>Hint 1</summary>

The gain is an average of $\log p'(z) - \log p(z)$. Nothing else of the ELBO changes.

</details>
<details><summary>Hint 2</summary>

`MultivariateNormal(mean, covariance).log_prob(codes)` is the first. For the second, the same class with zeros and `torch.eye`, or a sum of `Normal(0, 1).log_prob` over latents.

</details>
"""


# %%
def gain(codes, mean, covariance):
    ### BEGIN SOLUTION
    fitted = MultivariateNormal(mean, covariance)
    standard = MultivariateNormal(torch.zeros_like(mean), torch.eye(len(mean)).to(mean))
    return (fitted.log_prob(codes) - standard.log_prob(codes)).mean()
    ### END SOLUTION


# %%
check.gain(gain)

# %% [markdown]
r"""
## Task 2: re-scale the codes

**Aim:** climb rung three without a new prior: move the codes, and let $\mathcal{N}(0, I)$ stay.

The posteriors of $N$ pictures have `mean` and `log_std` ($\log \sigma$), each `(N, d)`. For each latent let $m$ and $v$ be the mean and the variance of all codes together: draws from all the posteriors. Divide by $N$, as a mean does. Return the posteriors of codes that are shifted by $-m$ and then divided by $\sqrt v$: their mean and their $\log\sigma$, each `(N, d)`.

<details><summary>Hint 1</summary>

A code is $\mu + \sigma \varepsilon$. Its variance over pictures and noise has two parts.

</details>
<details><summary>Hint 2</summary>

$v = \operatorname{Var}(\mu) + \mathbb{E}[\sigma^2]$. What happens to $\log \sigma$ when you divide $\sigma$ by a number?

</details>
"""


# %%
def rescaled(mean, log_std):
    ### BEGIN SOLUTION
    variance = mean.var(0, correction=0) + (2 * log_std).exp().mean(0)
    return (mean - mean.mean(0)) / variance.sqrt(), log_std - 0.5 * variance.log()
    ### END SOLUTION


# %%
check.rescaled(rescaled)

# %% [markdown]
r"""
## Task 3: a scale factor

**Aim:** know where 0.18215 comes from, and compute yours.

The codes of a latent diffusion are small pictures, `(N, channels, height, width)`. Return the one number by which you must multiply all of them, so that all their numbers together have a standard deviation of 1.

<details><summary>Hint 1</summary>

Pictures, channels and places: it makes no difference where a number stands.

</details>
<details><summary>Hint 2</summary>

If you multiply numbers by $f$, their standard deviation gets $f$ times as large. `codes.std()` takes all numbers at once.

</details>
"""


# %%
def scale_factor(codes):
    ### BEGIN SOLUTION
    return 1 / codes.std()
    ### END SOLUTION


# %%
check.scale_factor(scale_factor)

# %% [markdown]
r"""
## Task 4: the target of flow matching

**Aim:** write the two lines on which a flow is trained.

You get `noise` and codes `z`, each `(batch, d)`, and times `t`, `(batch,)`. Each noise walks to its code in a straight line, at a constant speed. It starts at $t = 0$ and arrives at $t = 1$. Return where it is at the time `t`, and its velocity, each `(batch, d)`.

<details><summary>Hint 1</summary>

`t` has one number for each row. `t[:, None]` is a column.

</details>
<details><summary>Hint 2</summary>

The velocity is the slope of the place in $t$.

</details>
"""


# %%
def target(noise, z, t):
    ### BEGIN SOLUTION
    t = t[:, None]
    return (1 - t) * noise + t * z, z - noise
    ### END SOLUTION


# %%
check.target(target)

# %% [markdown]
r"""
## Task 5: what a label is worth

**Aim:** see how many nats a label gives to the prior, and why no more.

`log_p` holds $\log p(z \mid y)$ of $N$ codes under each of $K$ labels, `(N, K)`. `labels` are the true ones, `(N,)`, whole numbers. Without the label, the prior is the even mixture of all $K$. Return the nats that the label gains, averaged over codes: one number. It must also be right when every density is as small as $e^{-1800}$.

<details><summary>Hint 1</summary>

Even mixture: each label has the share $1/K$. Add up densities, not logarithms.

</details>
<details><summary>Hint 2</summary>

`log_p.logsumexp(1)` is the logarithm of the sum of densities, and safe. For the true label of each row, `log_p[torch.arange(N), labels]`.

</details>
"""


# %%
def label_gain(log_p, labels):
    ### BEGIN SOLUTION
    without = log_p.logsumexp(1) - math.log(log_p.shape[1])
    return (log_p[torch.arange(len(labels)), labels] - without).mean()
    ### END SOLUTION


# %%
check.label_gain(label_gain)

# %% [markdown]
r"""
## Task 6: the highest hole

**Aim:** know how many levels a diffusion needs, so that it needs no learned prior.

A diffusion goes up by $z_k = \sqrt{a_k}\, z_{k-1} + \sqrt{1 - a_k}\, \varepsilon$, from $z_0 = x$. Let $x$ be one number with the distribution $\mathcal{N}(0, \lambda)$. `a` are the $a_k$ of all levels, `(K,)`, and `variance` is $\lambda$. Return $\operatorname{KL}(q(z_K) \,\|\, \mathcal{N}(0, 1))$, one number in nats.

<details><summary>Hint 1</summary>

Every level is normal, with mean 0. What is its variance, given that of the level below?

</details>
<details><summary>Hint 2</summary>

Variances of independent parts add: $v_k = a_k v_{k-1} + 1 - a_k$. `kl_divergence` wants standard deviations.

</details>
"""


# %%
def highest_hole(a, variance):
    ### BEGIN SOLUTION
    v = torch.as_tensor(variance, dtype=a.dtype)
    for share in a:
        v = share * v + 1 - share
    return kl_divergence(Normal(torch.zeros_like(v), v.sqrt()), Normal(0.0, 1.0))
    ### END SOLUTION


# %%
check.highest_hole(highest_hole)
