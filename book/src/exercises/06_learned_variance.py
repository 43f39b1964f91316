# %% [markdown]
r"""
# Exercises 6 · MSE or a learned variance

These exercises go with [chapter 6](../06_learned_variance.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 70 minutes. No check takes more than a few seconds. [Solutions](../solutions/06_learned_variance.ipynb)
"""

# %%
import math

import sympy
import torch

from vae_course.checks import learned_variance as check

# %% [markdown]
r"""
## Task 1: a loss with which σ can be learned

**Aim:** write the term that "MSE" stands for, with nothing left out.

`x` and `mean` are pictures, `(batch, C, H, W)`. `log_std` is $\log\sigma_x$, one number for all pixels, a 0-dimensional tensor. Return minus the log-likelihood, $-\log \mathcal{N}(x;\, \mu, \sigma_x^2)$, in nats per picture, shape `(batch,)`. It is a loss: smaller is better, and it may be negative. Slopes must reach `mean` and `log_std`. It must hold for any $\log\sigma_x$, for $-9$ as well as for 4: do not clamp, and add no small number.

<details><summary>Hint 1</summary>

Minus the logarithm of a normal density has three terms: the squared error, $\log\sigma_x$, and a constant. Which of them have a ½?

</details>
<details><summary>Hint 2</summary>

Put all three together for each pixel. Then sum over dimensions 1, 2 and 3, so that each term counts once per pixel.

</details>
"""


# %%
def minus_log_likelihood(x, mean, log_std):
    ### BEGIN SOLUTION
    distance = (x - mean) * torch.exp(-log_std)  # in units of σ
    per_pixel = 0.5 * distance**2 + log_std + 0.5 * math.log(2 * math.pi)
    return per_pixel.flatten(1).sum(1)
    ### END SOLUTION


# %%
check.likelihood(minus_log_likelihood)

# %% [markdown]
r"""
## Task 2: what a formula makes of σ

**Aim:** test any loss that learns a variance, by algebra.

You are given a `loss`, a SymPy expression in the symbols `sigma` and `mse`. It is $a \log\sigma + b\, \text{MSE}/\sigma^2$ and perhaps a constant, with some $a$ and $b$ above zero. The right loss of a pixel is one of these. Two slips of the chapter are others. Return the $\sigma^2/\text{MSE}$ at which the loss is lowest, as SymPy finds it.

<details><summary>Hint 1</summary>

At the lowest point the derivative in `sigma` is zero. `loss.diff(sigma)` is the derivative, and `sympy.solve(expression, sigma)` gives a *list* of the places where an expression is zero.

</details>
<details><summary>Hint 2</summary>

Both symbols are declared positive, so the list has one entry. Square it, divide, and call `sympy.simplify`.

</details>
"""


# %%
def optimum(loss, sigma, mse):
    ### BEGIN SOLUTION
    (lowest,) = sympy.solve(loss.diff(sigma), sigma)
    return sympy.simplify(lowest**2 / mse)
    ### END SOLUTION


# %%
check.optimum(optimum)

# %% [markdown]
r"""
## Task 3: the best σ, and which reconstruction gives it

**Aim:** measure $\sigma_x$ in place of choosing it.

`x` are $N$ pictures, `(N, C, H, W)`. You have two kinds of reconstruction. `from_means`, of the same shape, are decoded posterior *means*. `from_draws`, `(K, N, C, H, W)`, are decoded *draws*, $K$ for each picture. Return the $\log\sigma_x$, one number for everything, with which the ELBO is highest. To four digits.

<details><summary>Hint 1</summary>

Which of the two does the ELBO ask for? Look at what stands under the expectation.

</details>
<details><summary>Hint 2</summary>

The best $\sigma_x$ is the root of the *mean* squared error, over draws, pictures and pixels together. First the mean over all, then the root, then the logarithm.

</details>
"""


# %%
def best_log_std(x, from_means, from_draws):
    ### BEGIN SOLUTION
    mse = (x - from_draws).square().mean()  # over draws, pictures and pixels
    return 0.5 * mse.log()
    ### END SOLUTION


# %%
check.best_std(best_log_std)

# %% [markdown]
r"""
## Task 4: the σ that hides in a program

**Aim:** read off $\sigma_x$ from sums, means and factors, and repair the factor.

A program minimises `c` · (squared errors) + `beta` · (KL), for pictures of $D$ = `pixels`, with $d$ = `latents` latents, in batches of $M$ = `batch` pictures. The squared errors are numbers $(x_i - \mu_i)^2$, `(batch, pixels)`. The KL is one number for each latent, `(batch, latents)`. The words `squares` and `kl` say what the program does with them:

| word | what it does | in code |
|---|---|---|
| `"mean"` | averages over everything, batch included | `.mean()` |
| `"sum"` | sums over everything, batch included | `.sum()` |
| `"example"` | sums over pixels or latents, averages over the batch | `.sum(1).mean()` |

Return two numbers, in a tuple: the $\sigma_x$ that hides in the program, and the `c` that it needs for $\sigma_x$ = `wanted`, with everything else as it is.

<details><summary>Hint 1</summary>

Rewrite both terms as sums over everything, with a factor in front. With `"mean"` the factor of the squares is $c / (DM)$. What is it for the other words, and for the KL?

</details>
<details><summary>Hint 2</summary>

Minus the ELBO has the factors $\frac{1}{2\sigma_x^2}$ and 1, up to one they share. So $2\sigma_x^2$ is the factor of the KL, divided by that of the squares. And since $\sigma_x^2$ goes with $1/c$, you have the new `c` at once.

</details>
"""


# %%
def hidden_std(c, beta, pixels, latents, batch, squares, kl, wanted):
    ### BEGIN SOLUTION
    def share(word, numbers):
        return {"mean": 1 / (numbers * batch), "sum": 1, "example": 1 / batch}[word]

    variance = beta * share(kl, latents) / (2 * c * share(squares, pixels))
    return math.sqrt(variance), c * variance / wanted**2
    ### END SOLUTION


# %%
check.hidden_std(hidden_std)

# %% [markdown]
r"""
## Task 5: back to nats

**Aim:** compare a program that was trained with $c$ and $\beta$ with one that was not.

A program minimised $c \cdot \text{MSE} + \beta \operatorname{KL}$. The MSE is a mean over the $D$ = `pixels` pixels. The KL is summed over latents, in nats. For $N$ test pictures it wrote down `mse` and `kl`, `(N,)` each, without their factors. Return the ELBO of these pictures, in nats, constants included, shape `(N,)`. Take the $\sigma_x$ that the program was trained for, with $\beta$ in it. The KL of an ELBO has no $\beta$.

<details><summary>Hint 1</summary>

$\sigma_x^2$ is the chapter's $\beta D/(2c)$. Task 4 gives it for `squares` = `kl` = `"example"`, if you sum the squares: $c \cdot \text{MSE}$ is $\frac cD$ times that sum.

</details>
<details><summary>Hint 2</summary>

Then it is the chapter's first formula, with SSE $= D \cdot$ MSE, less the KL. Divided by $2\sigma_x^2$, this SSE is $\frac{c}{\beta} \cdot$ MSE: why the $\beta$?

</details>
"""


# %%
def elbo(mse, kl, c, beta, pixels):
    ### BEGIN SOLUTION
    variance = beta * pixels / (2 * c)
    log_likelihood = -pixels * (mse / (2 * variance) + 0.5 * math.log(2 * math.pi * variance))
    return log_likelihood - kl
    ### END SOLUTION


# %%
check.weighted_loss(elbo)

# %% [markdown]
r"""
## Task 6: the floor under grey pixels

**Aim:** know below which value the binary cross-entropy cannot fall.

`x` are pictures with pixels from 0 to 1, `(N, C, H, W)`, grey ones among them, and also some that are exactly 0 or 1. A decoder may give each pixel whatever chance it likes. Return the smallest binary cross-entropy that any decoder can reach, in nats per picture, shape `(N,)`.

<details><summary>Hint 1</summary>

The cross-entropy of a pixel is $-x \log p - (1 - x) \log (1 - p)$. At which $p$ is it lowest?

</details>
<details><summary>Hint 2</summary>

For black pixels you need $0 \log 0 = 0$, and a float gives NaN. `torch.xlogy(x, y)` is $x \log y$, and 0 where $x$ is 0.

</details>
"""


# %%
def floor(x):
    ### BEGIN SOLUTION
    per_pixel = -torch.xlogy(x, x) - torch.xlogy(1 - x, 1 - x)
    return per_pixel.flatten(1).sum(1)
    ### END SOLUTION


# %%
check.floor(floor)

# %% [markdown]
r"""
## Task 7: what a constant pixel earns

**Aim:** see why a σ of its own for each pixel needs noise, and how noise sets an end.

A pixel is black in *every* picture, and the decoder has a $\sigma_x$ for it alone. `log_std` are several values of $\log\sigma_x$, `(N,)`. Return two tensors of shape `(N,)` in a tuple, in nats:

- the log-likelihood of this pixel, if the decoder paints exactly 0;
- the same, *averaged over the noise*, if the picture has `levels` grey levels, and $u$/`levels` was added to it, with $u$ uniform between 0 and 1. The decoder paints the middle of the noise.

<details><summary>Hint 1</summary>

In the first the squared error is 0, so only $\log\sigma_x$ and a constant are left.

</details>
<details><summary>Hint 2</summary>

In the second you need the average squared distance to the middle, which is a variance. A uniform number between 0 and 1 has the variance $\frac{1}{12}$. What becomes of it if the number is divided by `levels`?

</details>
"""


# %%
def constant_pixel(log_std, levels):
    ### BEGIN SOLUTION
    without = -log_std - 0.5 * math.log(2 * math.pi)
    variance = 1 / (12 * levels**2)  # of the noise
    return without, without - 0.5 * variance * torch.exp(-2 * log_std)
    ### END SOLUTION


# %%
check.constant_pixel(constant_pixel)
