# %% [markdown]
r"""
# Exercises 5 · The reparameterization trick

These exercises go with [chapter 5](../05_reparameterization.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 70 minutes. No check takes more than a few seconds. [Solutions](../solutions/05_reparameterization.ipynb)
"""

# %%
import sympy
import torch

from vae_course.checks import reparameterization as check

# %% [markdown]
r"""
## Task 1: a draw that slopes pass through

**Aim:** write the line that lets an encoder learn.

`mean` and `log_std` are $\mu$ and $\log\sigma$, each `(batch, latent_dim)`. Return one draw $z$ from $\mathcal{N}(\mu, \sigma^2)$ for each latent of each picture: the same shape and the same dtype, and new at every call. Slopes must pass through it to both arguments. It must hold for any $\log\sigma$, so do not clamp.

<details><summary>Hint 1</summary>

Draw the noise first, from $\mathcal{N}(0, 1)$. It knows nothing of $\mu$ and $\sigma$. Then *compute* $z$.

</details>
<details><summary>Hint 2</summary>

Each latent of each picture needs its own noise: `torch.randn_like(mean)`. And the network gives $\log\sigma$, not $\sigma$.

</details>
"""


# %%
def draw(mean, log_std):
    ### BEGIN SOLUTION
    noise = torch.randn_like(mean)
    return mean + torch.exp(log_std) * noise
    ### END SOLUTION


# %%
check.draw(draw)

# %% [markdown]
r"""
## Task 2: the slope of an average

**Aim:** differentiate $\mathbb{E}[f(z)]$ along the path.

`mean` and `log_std` are $(d,)$ now, for one picture. You are given $N$ draws of the noise, `noise`, `(N, d)`, and a function `f` that turns $z$, `(N, d)`, into one number for each draw, `(N,)`. Return the slopes of the *average* of $f(\mu + \sigma\varepsilon)$ in `mean` and in `log_std`, each `(d,)`. With autograd or without.

<details><summary>Hint 1</summary>

With autograd: make copies of `mean` and `log_std` that require a gradient, `mean.clone().requires_grad_()`. Compute the average, and call `torch.autograd.grad(average, (mean, log_std))`.

</details>
<details><summary>Hint 2</summary>

By hand: the slopes of $z$ are 1 in $\mu$, and $\varepsilon$ in $\sigma$. How much does $\sigma$ change with $\log\sigma$?

</details>
"""


# %%
def slopes(f, mean, log_std, noise):
    ### BEGIN SOLUTION
    mean, log_std = mean.clone().requires_grad_(), log_std.clone().requires_grad_()
    z = mean + torch.exp(log_std) * noise  # (N, d)
    return torch.autograd.grad(f(z).mean(), (mean, log_std))
    ### END SOLUTION


# %%
check.slopes(slopes)

# %% [markdown]
r"""
## Task 3: without the slope of f

**Aim:** estimate the same slopes by the score.

The same arguments. Now return the score-function estimate of *every* draw, in `mean` and in `log_std`, each `(N, d)`: $f(z)$ times the slope of $\log q(z)$, where $z = \mu + \sigma\varepsilon$ counts as a plain number. No baseline.

<details><summary>Hint 1</summary>

For one latent, $\log q(z) = -\frac{(z - \mu)^2}{2\sigma^2} - \log\sigma + \text{const}$. Differentiate it in $\mu$ and in $\log\sigma$, with $z$ held fixed. Only then put in $z - \mu = \sigma\varepsilon$.

</details>
<details><summary>Hint 2</summary>

The slope in $\sigma$ is $(\varepsilon^2 - 1)/\sigma$. In $\log\sigma$ it has a factor $\sigma$ more. And `f(z)` is `(N,)`: `f(z)[:, None]` is `(N, 1)`, and fits `(N, d)`.

</details>
"""


# %%
def score(f, mean, log_std, noise):
    ### BEGIN SOLUTION
    std = torch.exp(log_std)
    value = f(mean + std * noise)[:, None]  # (N, 1)
    return value * noise / std, value * (noise**2 - 1)
    ### END SOLUTION


# %%
check.score(score)

# %% [markdown]
r"""
## Task 4: how noisy, exactly

**Aim:** know both variances without a single draw.

One latent, and $f(z) = z^2$. One draw gives the estimate $2z$ along the path, or $z^2 \varepsilon / \sigma$ by the score, both for the slope in $\mu$. `mu` and `sigma` are SymPy symbols. Return the two variances, first the pathwise one, as a pair of expressions.

<details><summary>Hint 1</summary>

$\operatorname{Var}[g] = \mathbb{E}[g^2] - \mathbb{E}[g]^2$. With $z = \mu + \sigma\varepsilon$, both estimates are polynomials in $\varepsilon$.

</details>
<details><summary>Hint 2</summary>

$\mathbb{E}[\varepsilon^k]$ is 1, 0, 1, 0, 3, 0, 15 for $k$ = 0 to 6. `sympy.Poly(sympy.expand(g), e).terms()` lists the powers of `e` with their factors.

</details>
"""


# %%
def variances(mu, sigma):
    ### BEGIN SOLUTION
    e = sympy.Symbol("e", real=True)
    moments = (1, 0, 1, 0, 3, 0, 15)

    def average(g):
        terms = sympy.Poly(sympy.expand(g), e).terms()
        return sum(factor * moments[power] for (power,), factor in terms)

    z = mu + sigma * e
    return tuple(average(g**2) - average(g) ** 2 for g in (2 * z, z**2 * e / sigma))
    ### END SOLUTION


# %%
check.variances(variances)

# %% [markdown]
r"""
## Task 5: a loss that is only good for its slope

**Aim:** let an optimizer follow the score function, with a baseline that does no harm.

For each picture there are two or more draws. `reward` is $f(z)$ and `log_q` is $\log q(z)$ of every draw, both `(draws, batch)`. Return a loss, one number, to be *minimised*. It is an average over draws and pictures: its slope in an entry of `log_q` must be minus (reward minus baseline), divided by the number of entries. The baseline of a draw is the average reward of the *other* draws of the same picture. The reward depends on the decoder, but no slope may reach it from here.

<details><summary>Hint 1</summary>

The sum of the others is the sum of all, less one's own. How many others are there?

</details>
<details><summary>Hint 2</summary>

What counts as a plain number is detached: `(…).detach()`. That is the whole bracket, reward minus baseline.

</details>
"""


# %%
def surrogate(reward, log_q):
    ### BEGIN SOLUTION
    others = (reward.sum(0) - reward) / (len(reward) - 1)  # (draws, batch)
    return -((reward - others).detach() * log_q).mean(0).mean()  # over draws, then over pictures
    ### END SOLUTION


# %%
check.surrogate(surrogate)

# %% [markdown]
r"""
## Task 6: the best constant

**Aim:** find the baseline that leaves the least noise.

You have $N$ draws. `reward` is $f(z)$ of each, and `score` the slope of $\log q(z)$ in one parameter, both `(N,)`. The scores average to zero. Return the one number $b$ for which $(\text{reward} - b) \cdot \text{score}$ has the smallest variance over these draws. To four digits.

<details><summary>Hint 1</summary>

Because the scores average to zero, $b$ does not change the average. So it is enough to make the average *square* small. In $b$, that is a parabola.

</details>
<details><summary>Hint 2</summary>

Set the derivative in $b$ to zero: $\sum_n (\text{reward}_n - b)\, \text{score}_n^2 = 0$. Solve for $b$. It is an average of rewards with weights.

</details>
"""


# %%
def best_baseline(reward, score):
    ### BEGIN SOLUTION
    weights = score**2 / (score**2).sum()
    return (weights * reward).sum()
    ### END SOLUTION


# %%
check.best_baseline(best_baseline)

# %% [markdown]
r"""
## Task 7: a case against the rule

**Aim:** find a function of your own for which the popular rule is wrong.

"The pathwise estimator always has less variance." Write a function $f(z)$ of one latent, `(N,)` in, `(N,)` out, that is a counter-example *everywhere*. For every mean between −2 and 2, and every standard deviation between ½ and 2, the pathwise estimate of the slope in $\mu$ must have at least *ten times* the variance of the score function's, without a baseline. And both must be right on average, so $f$ may not jump. To let the check see it all, $f$ should not wiggle faster than $\sin(60z)$. There are many answers.

<details><summary>Hint 1</summary>

What does each estimator see of $f$: its values or its slope? Make one large, and keep the other small.

</details>
<details><summary>Hint 2</summary>

Chapter 5 has an example at one mean and one standard deviation. For a narrow $q$ it is not fast enough: the score function's variance grows like $1/\sigma^2$.

</details>
"""


# %%
def counter_example(z):
    ### BEGIN SOLUTION
    return torch.sin(30 * z)
    ### END SOLUTION


# %%
check.counter_example(counter_example)
