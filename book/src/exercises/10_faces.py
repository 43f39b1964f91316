# %% [markdown]
r"""
# Exercises 10 · Faces with a transformer

These exercises go with [chapter 10](../10_faces.ipynb). Each task is one function. Replace the line `raise NotImplementedError`, run the cell, then run the check below it. A wrong answer gets a diagnosis, and the hints open one by one.

About 80 minutes. No check takes more than a few seconds. [Solutions](../solutions/10_faces.ipynb)
"""

# %%
import torch
import torch.nn.functional as F

from vae_course.checks import faces as check

# %% [markdown]
r"""
## Task 1: a picture becomes a sequence

**Aim:** cut squares, not rows of pixels.

`images` are `(batch, C, H, W)`, and `patch` is a whole number $p$ that divides $H$ and $W$. Return the patches of $p \times p$ pixels, `(batch, number, C·p²)`. The patches come row by row, as you read a page. Inside a patch, first come all numbers of the first channel, then of the second, and so on. Each channel is read row by row, too.

<details><summary>Hint 1</summary>

Split both axes, $H$ into rows of patches and rows inside a patch, $W$ likewise: `images.unflatten(3, (-1, patch))` does it for $W$. Now there are six dimensions. Write down what each one counts.

</details>
<details><summary>Hint 2</summary>

Write down the six in the order in which they should change, the slowest first. `permute` brings them there. Only then flatten.

</details>
"""


# %%
def patches(images, patch):
    ### BEGIN SOLUTION
    split = images.unflatten(3, (-1, patch)).unflatten(
        2, (-1, patch)
    )  # (batch, C, rows, p, columns, p)
    return split.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    ### END SOLUTION


# %%
check.patches(patches)

# %% [markdown]
r"""
## Task 2: where a token came from

**Aim:** give each place of the grid an address that a network can read.

There are `rows` × `columns` places, counted from 0 and read row by row. `width` is a multiple of 4. There are `width / 4` frequencies, $f_i = 10000^{-i / (\text{width}/4)}$ for $i = 0, 1, \dots$ They are angles in radians, for one step. Return one row of numbers for each place, `(rows · columns, width)`: first $\sin(\text{row} \cdot f_i)$ for all $i$, then $\cos(\text{row} \cdot f_i)$ for all $i$, then the same for the column.

<details><summary>Hint 1</summary>

`torch.meshgrid(…, indexing="ij")` gives the row and the column of every place, as two grids. Flatten them. Or think of `//` and `%`.

</details>
<details><summary>Hint 2</summary>

`row[:, None] * frequencies` is `(places, width / 4)`. You need the sine and the cosine of this, and of the same for columns. `torch.cat` puts four parts side by side.

</details>
"""


# %%
def positions(rows, columns, width):
    ### BEGIN SOLUTION
    frequencies = 10_000 ** (-torch.arange(width // 4) / (width // 4))
    place = torch.arange(rows * columns)
    row, column = (v[:, None] * frequencies for v in (place // columns, place % columns))
    return torch.cat([row.sin(), row.cos(), column.sin(), column.cos()], dim=1)
    ### END SOLUTION


# %%
check.positions(positions)

# %% [markdown]
r"""
## Task 3: a floor that does not trap

**Aim:** keep σ away from 0, and let it come back.

On pictures without noise, $\sigma_x$ would fall for ever, and the loss with it. So bound it. `raw` is what the network gives, of any shape. `lowest` is a number, the bound for $\log\sigma_x$. Return $\log\sigma_x$, of raw's shape:

- it is never below `lowest`;
- from 6 above the bound on it differs from `raw` by 0.01 at most, and from 6 below on, from `lowest`;
- it rises everywhere, even far below the bound, and it bends gently: the slope does not jump;
- `raw` may be 1000, or −1000.

There are many answers.

<details><summary>Hint 1</summary>

Do not think of σ. Think of the distance to the bound. Which function is next to 0 for a very negative distance, and next to the distance itself for a large one?

</details>
<details><summary>Hint 2</summary>

It is a soft version of ReLU, and `torch.nn.functional` has it. What do you have to subtract before, and add after?

</details>
"""


# %%
def bounded_log_std(raw, lowest):
    ### BEGIN SOLUTION
    return lowest + F.softplus(raw - lowest)
    ### END SOLUTION


# %%
check.bounded_log_std(bounded_log_std)

# %% [markdown]
r"""
## Task 4: two ratios

**Aim:** take the two measurements that tell a right loss from a wrong one.

`x` are pictures, `mean` and `log_std` what the decoder says of them ($\log\sigma_x$, one for each pixel), all `(batch, C, H, W)`. `q_mean` and `q_log_std` are the encoder's $\mu$ and $\log\sigma$, `(batch, latent_dim)`. Return two numbers. The first is $\sigma_x$ over RMSE: both are root mean squares, over all pixels of all pictures. The second is $\mathbb{E}[\mu_j^2 + \sigma_j^2]$, averaged over pictures and latents.

<details><summary>Hint 1</summary>

A root mean square: square first, then average, and take the root last. One for $\sigma_x$, one for the errors.

</details>
<details><summary>Hint 2</summary>

Both inputs with `log_std` in their names are $\log\sigma$. What do you have to write for $\sigma^2$?

</details>
"""


# %%
def two_ratios(x, mean, log_std, q_mean, q_log_std):
    ### BEGIN SOLUTION
    ratio = ((2 * log_std).exp().mean() / (x - mean).square().mean()).sqrt()
    return ratio, (q_mean**2 + (2 * q_log_std).exp()).mean()
    ### END SOLUTION


# %%
check.two_ratios(two_ratios)

# %% [markdown]
r"""
## Task 5: a loss that nobody shows you

**Aim:** say what is wrong in a program, from two numbers.

`ratio` is $\sigma_x$ over RMSE, and `moment` is $\mathbb{E}[\mu_j^2 + \sigma_j^2]$ over the latents that carry much, both of one trained model. Return the name of what is wrong:

| name | its loss |
|---|---|
| `"right"` | the ELBO |
| `"likelihood"` | in the likelihood of a pixel, the 2 in front of $\log\sigma_x$ is missing |
| `"kl"` | the KL takes $\log\sigma$ for $\log\sigma^2$ |
| `"both"` | both slips |
| `"unknown"` | something else |

A training never quite ends. So `ratio` may be off by up to 10 % of what the loss predicts, and `moment` by up to 20 %. What is farther off has another cause.

<details><summary>Hint 1</summary>

The chapter predicts four pairs of numbers: one `ratio` and one `moment` for each of the first four names. For the slip in the KL, the latents that carry much have a small $\sigma_j$. Neglect it.

</details>
<details><summary>Hint 2</summary>

Off by up to 10 %: `abs(ratio / predicted - 1) <= 0.1`. Four pairs and their names fit into a dictionary.

</details>
"""


# %%
def slip(ratio, moment):
    ### BEGIN SOLUTION
    predicted = {
        "right": (1, 1),
        "likelihood": (2**0.5, 1),
        "kl": (1, 0.5),
        "both": (2**0.5, 0.5),
    }
    for name, (first, second) in predicted.items():
        if abs(ratio / first - 1) <= 0.1 and abs(moment / second - 1) <= 0.2:
            return name
    return "unknown"
    ### END SOLUTION


# %%
check.slip(slip)

# %% [markdown]
r"""
## Task 6: a smile without glasses

**Aim:** find a direction where two things go together.

In the chapter, smiles and glasses are independent. In these faces they are not: more of those who smile wear glasses, or fewer. `codes` are the means of the posteriors, `(N, d)`. `smiles` and `glasses` are `True` or `False` for each face, `(N,)`. Return a direction for the smile, `(d,)`, that does not bring glasses along. Compare only faces that are alike in glasses: take the difference of two means (smile minus no smile) among those with glasses, and the same among those without. Average the two differences. Both count the same, however many faces are behind them.

<details><summary>Hint 1</summary>

`codes[smiles & glasses]` are the codes of those who do both, and `~` turns `True` into `False`.

</details>
<details><summary>Hint 2</summary>

There are four groups of faces, and four means, each `mean(0)`. Two of them count with a plus.

</details>
"""


# %%
def direction(codes, smiles, glasses):
    ### BEGIN SOLUTION
    differences = [
        codes[smiles & alike].mean(0) - codes[~smiles & alike].mean(0)
        for alike in (glasses, ~glasses)
    ]
    return sum(differences) / 2
    ### END SOLUTION


# %%
check.direction(direction)

# %% [markdown]
r"""
## Task 7: did it arrive?

**Aim:** replace a nice picture by three numbers.

You added a direction to the codes of many faces. A reader has read their factors, `before` and `after`, both `(faces, factors)`. `wanted` is the column of the factor that you wanted to change, and `asked` by how much. It may be negative: less smile, please. Return three numbers:

1. the mean change of the wanted factor, divided by what was asked;
2. the share of faces in which more than a third of what was asked arrived;
3. what else came: for each *other* factor the size of its mean change, divided by its standard deviation over the faces before (divide by $N - 1$, as torch does); of these, the largest.

<details><summary>Hint 1</summary>

Divide the changes of the wanted factor by `asked` first. Then 1 means "all of it", whichever sign `asked` has.

</details>
<details><summary>Hint 2</summary>

For the third: `.mean(0)` before `.abs()`. Set the entry of the wanted factor to 0 before you take the largest, or leave it out.

</details>
"""


# %%
def arrived(before, after, wanted, asked):
    ### BEGIN SOLUTION
    moved = after - before
    share = moved[:, wanted] / asked
    others = moved.mean(0).abs() / before.std(0)
    others[wanted] = 0
    return share.mean(), (share > 1 / 3).double().mean(), others.max()
    ### END SOLUTION


# %%
check.arrived(arrived)

# %% [markdown]
r"""
## Task 8: a head of attention

**Aim:** write down what a transformer does between tokens.

`q`, `k` and `v` are the questions, keys and values of all tokens, `(batch, tokens, width)` each. Each question is compared with all keys of its own picture, by inner products. Divide these by the root of the width. A softmax turns what a question found into weights, which sum to 1. The result is the mean of the values with these weights, `(batch, tokens, width)`. Write it with matrix products, without torch's own attention.

<details><summary>Hint 1</summary>

`q @ k.transpose(1, 2)` compares every question with every key, `(batch, tokens, tokens)`. What counts the rows of it, and what the columns?

</details>
<details><summary>Hint 2</summary>

The weights of one question stand in one row. So which axis does the softmax take? Then one more matrix product, with the values.

</details>
"""


# %%
def attention(q, k, v):
    ### BEGIN SOLUTION
    weights = (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).softmax(2)
    return weights @ v
    ### END SOLUTION


# %%
check.attention(attention)
