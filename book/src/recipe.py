# %% [markdown]
r"""
# The recipe

One sheet, to be printed on both sides (your browser's print command leaves out the checks). What to do, in the order in which you do it. Each number under a cell comes from its run. First the whole VAE, as in [chapter 2](02_from_ae_to_vae.ipynb), with one change: σ is learned.
"""

# %%
import math

import torch
from sklearn.mixture import GaussianMixture
from torch import nn

from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.latents import rescale

seed = begin("recipe")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test = digits.train.flatten(1), digits.test.flatten(1)  # (N, 784), from 0 to 1


# %%
class PlainVAE(nn.Module):
    def __init__(self, pixels, latents, spread, hidden=256):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latents)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, pixels)
        )
        self.log_std_x = nn.Parameter(spread.log())  # σ, learned; starts wide

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)  # μ and log σ of q(z|x)

    def decode(self, z):
        return self.decoder(z)

    def elbo(self, x):
        mean, log_std = self.encode(x)
        z = mean + log_std.exp() * torch.randn_like(mean)
        error = (x - self.decode(z)) / self.log_std_x.exp()
        log_p = -0.5 * error**2 - self.log_std_x - 0.5 * math.log(2 * math.pi)
        kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1) - log_std
        return log_p.sum(1) - kl.sum(1)  # over pixels, over latents: (batch,)


# %%
def trained(latents, epochs=12):
    torch.manual_seed(seed)
    vae = PlainVAE(784, latents, spread=train.std())
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(100):
            loss = -vae.elbo(batch).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return vae


vaes = {latents: trained(latents) for latents in (2, 16, 64)}
vae = vaes[16]

# %% tags=["hide-input"]
from vae_course import plotting

plotting.rows(
    {"test": digits.test[:12]}
    | {
        f"{latents} latents": one.decode(one.encode(test[:12])[0]).view(-1, 1, 28, 28)
        for latents, one in vaes.items()
    },
    caption="Twelve test digits, rebuilt by three VAEs that differ in their latents.",
    alt="Four rows of twelve digits. With two latents most come out blurred, and some as another digit. "
    "With 16 and 64 nearly all are the digit above, and sharper.",
)

# %% tags=["hide-input"]
import torch.nn.functional as F

from vae_course import plotting
from vae_course.doctor import examine
from vae_course.evaluation import active_units, digit_score
from vae_course.models import VAE
from vae_course.objectives import kl_standard_normal


def on_test(vae):
    with torch.no_grad():
        return vae.elbo(test.repeat(5, 1)).mean().item()


packaged = VAE((784,), 16, hidden=(256,), std=vae.log_std_x.exp().item())
packaged.encoder.load_state_dict(vae.encoder.state_dict())
packaged.decoder.load_state_dict(vae.decoder.state_dict())
torch.manual_seed(seed)
mine = vae.elbo(test)
torch.manual_seed(seed)
apart = (mine - packaged.elbo(test).total).abs().max()
claim("ELBO here minus the package's, at most", apart, at_most=0.01)
elbos = {latents: on_test(one) for latents, one in vaes.items()}
used = {latents: active_units(one, test) for latents, one in vaes.items()}
print("latents:  ", *(f"{latents:7d}" for latents in vaes))
print("test ELBO:", *(f"{elbo:7.1f}" for elbo in elbos.values()))
print("in use:   ", *(f"{count:7d}" for count in used.values()))
claim("Too few latents, 2 in place of 16: nats lost", elbos[16] - elbos[2], at_least=40)
share = (elbos[16] - elbos[64]) / (elbos[16] - elbos[2])
claim("Many, 64 in place of 16: lost, as a share of that", share, equals=0, within=0.35)

# %% [markdown]
r"""
## 1. Before you train

| your data | scale | likelihood | σ |
|---|---|---|---|
| black or white pixels, yes or no | 0 and 1 | Bernoulli | none |
| grey or colour pictures | 0 to 1 | Gaussian, summed over pixels | one, learned: it becomes the error of a pixel |
| columns of a table | logarithms where positive and skewed, then mean 0 and spread 1 | Gaussian | one for each column, learned, with a floor |

Let σ begin at the spread of the data: Adam moves log σ by about its learning rate in a step, so it needs long from far away. Sum over pixels and latents, mean over the batch only ([chapter 6](06_learned_variance.ipynb)). **How many latents?** Sixteen, then twice as many until the test ELBO stops rising. Above you see why: 2 in place of 16 costs far more than 64 either cost or gain. **Which network?** Fully connected for a few hundred examples in one frame ([your own data](your_own_data.ipynb)), convolutions or a transformer where examples are many, or motifs move.

## 2. While you train

Finished is where the ELBO on *test* examples no longer rises. Where it falls while the one on training examples rises, stop earlier. One per cent less error is $D/100$ nats for $D$ pixels, so a curve that looks flat can still climb. The KL may rise all the time: a smaller σ pays for more detail. The ELBO of a density may be above 0.

## 3. After you trained: re-scale

It costs nothing, changes no reconstruction, and takes nats off the KL: few here, more for the faces of [your own data](your_own_data.ipynb). It need not make draws better: compare the rows *before* and *after* below.

## 4. A density, or pictures?

| you want | take |
|---|---|
| a density, a bound on $\log p(x)$ | the re-scaled model with its prior $\mathcal{N}(0, I)$, and report the test ELBO with its error |
| new pictures | a mixture of Gaussians fitted to the codes ([chapter 11](11_prior.ipynb)); show the decoder's means, and say so |
| new rows of a table | the same, plus the noise σ |

Judge draws by looking, and by a measure in two directions ([your own data](your_own_data.ipynb)). Here it is the share of `clear` digits of [chapter 1](01_autoencoders.ipynb): draws that their nearest real digits agree about, no digit counted for more than its due.
"""

# %%
found = rescale(vae, train)
with torch.no_grad():
    mu, log_sigma = vae.encode(train)
    codes = mu + log_sigma.exp() * torch.randn_like(mu)
    mixture = GaussianMixture(50, reg_covar=1e-3, random_state=seed).fit(codes.double())
    z = torch.tensor(mixture.sample(1_000)[0], dtype=torch.float32)
    pictures = {
        "rebuilt": vae.decode(vae.encode(test)[0]),
        "prior, before": packaged.decode(torch.randn(1_000, 16)).mean,
        "prior, after": vae.decode(torch.randn(1_000, 16)),
        "mixture": vae.decode(z),
    }

# %% tags=["hide-input"]
print(f"re-scaling took {found.nats:.1f} nats off the KL, of", end=" ")
print(f"{kl_standard_normal(*packaged.encode(test)).mean():.1f}")
before, after = (kl_standard_normal(*one.encode(train)).mean() for one in (packaged, vae))
claim("... which is what the formula says, to", (before - after - found.nats).abs(), at_most=0.01)
scores = {
    name: digit_score(made.detach().unflatten(1, (1, 28, 28)), digits.train, digits.train_labels)
    for name, made in pictures.items()
}
for name, score in scores.items():
    print(f"{name:14s} {score}")
best = scores["mixture"].clear
reach = best / scores["rebuilt"].clear
claim("Mixture over reconstructions: clear", reach, at_least=0.7, at_most=1.15)
claim("Mixture, minus re-scaled prior: clear", best - scores["prior, after"].clear, at_least=0.1)
claim("Mixture: kinds of digits", scores["mixture"].kinds, at_least=9)
shown = pictures | {"mixture": pictures["mixture"][torch.randperm(1_000)]}  # they come sorted
plotting.rows(
    {name: made[:12].detach().unflatten(1, (1, 28, 28)) for name, made in shown.items()},
    width=9,
    caption="Twelve test digits rebuilt, and twelve draws of each kind.",
    alt="Four rows of twelve digits. Rebuilt digits are clear. Draws from the prior are partly digits and "
    "partly tangles, before and after re-scaling. Draws from the mixture are nearly all digits.",
)

# %% [markdown]
r"""
## 5. When something is wrong: ask the doctor

`examine(encode, decode, images, loss)` reads numbers, never code. Some of its findings, and what to do:

| the doctor says | do |
|---|---|
| `mean_for_sum` | sum over pixels: `.flatten(1).sum(1)`, then `.mean()` over the batch |
| `sigma_not_rmse` | learn σ, or set it to the error of a pixel |
| `unexplained_kl_weight` | take the factor off the KL, or call it β and mean it |
| `log_std_as_log_var` | σ is `exp(log_std)`, and σ² is `exp(2 * log_std)` |
| `bernoulli_on_grey` | a Gaussian with a learned σ |
| `collapsed_latents` | all idle: look for `mean_for_sum`, `sigma_not_rmse`, `unexplained_kl_weight` first; some idle: nothing, they are surplus |
| `train_test_gap` | stop earlier, more data, fewer hidden units |
| `aggregate_misses_prior` | re-scale; for pictures, fit a mixture |
"""


# %% tags=["hide-input"]
def squares(x, decoded):
    return (x - decoded).square()


var = (2 * vae.log_std_x).exp().item()
losses = {
    "right": lambda x, d, m, s: (
        squares(x, d).sum(1) / (2 * var) + kl_standard_normal(m, s)
    ).mean(),
    "mean_for_sum": lambda x, d, m, s: F.mse_loss(d, x) + kl_standard_normal(m, s).mean(),
    "sigma_not_rmse": lambda x, d, m, s: (squares(x, d).sum(1) + kl_standard_normal(m, s)).mean(),
    "log_std_as_log_var": lambda x, d, m, s: (
        squares(x, d).sum(1) / (2 * var) + 0.5 * (m**2 + s.exp() - 1 - s).sum(1)
    ).mean(),
}
for name, loss in losses.items():
    names = examine(vae.encode, vae.decode, train[:500], loss, spread="log_std").names
    print(f"{name:20s}", *names)
    if name == "right":
        claim(
            "The right loss is accused of the others' mistakes",
            len(set(names) & set(losses)),
            equals=0,
            within=0,
        )
    else:
        claim(f"{name}: found", name in names, equals=1, within=0)

# %% [markdown]
r"""
## The checks
"""

# %% tags=["hide-input"]
summary()
