# %% [markdown]
r"""
# 6 · MSE or a learned variance

So far we set the decoder's standard deviation $\sigma_x$ by hand, or let the course's `VAE` take the best one, and never said why. Many programs do not mention it at all. They minimise "MSE plus KL". Yet a $\sigma_x$ is in there, and it decides how much of a picture the code may carry. Here is that loss, with a factor $c$ in front of the squared error and a factor $\beta$ in front of the KL. $D$ is the number of pixels; one in colour counts as three. What does such a loss expect a picture to look like?
"""

# %% tags=["hide-input"]
import math
from functools import partial

import sympy as sp
import torch
import torch.nn.functional as F
from sklearn.mixture import GaussianMixture
from torch.distributions import Bernoulli, Normal

from vae_course import explorer, models, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import active_units, encode_all, estimate, estimate_elbo
from vae_course.evaluation.recognition import digit_score
from vae_course.exact import fit_linear_vae, spectrum
from vae_course.latents import rescale
from vae_course.objectives import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_standard_normal,
    sample_posterior,
)
from vae_course.training import fit

seed = begin("06_learned_variance")
digits = load_images("digits", n_train=5_120, n_test=1_000, seed=seed)

explorer.loss_calculator(
    digits.train,
    caption="A loss, and what it expects to see in place of two pictures: the same with the noise that it "
    "stands for. Bars: how much the pictures vary along their main directions. The line is at "
    "σₓ²: a linear VAE has a use for the latents whose bars are higher. For a D of 3072 and 12288, the "
    "same pictures stand on a larger canvas in colour.",
)

# %% [markdown]
r"""
**After this chapter you can**

- read off the $\sigma_x$ that is hidden in any "MSE plus KL", from its sums, means and factors;
- say what tuning $\beta$ does to $\sigma_x$, and when the two are one knob;
- learn $\sigma_x$ with the right formula, and see from the number it reports whether it was;
- compare four decoders in one table, in nats;
- say what goes wrong with one $\sigma_x$ per pixel, and with a Bernoulli likelihood on grey pixels.

## What the MSE says about pixels

The likelihood of chapter 2 says: a picture is the decoder's mean $\mu_\theta(z)$, plus normal noise of standard deviation $\sigma_x$ on each pixel. The noise of one pixel does not depend on that of another, and $\sigma_x$ is the same for all. Write $x_i$ and $\mu_i$ for pixel $i$ of the picture and of the mean. SSE is the squared error $\sum_i (x_i - \mu_i)^2$, *summed* over the $D$ pixels. MSE is SSE$/D$, the *mean* over them. Then

$$\log p_\theta(x \mid z) = -\frac{\text{SSE}}{2 \sigma_x^2} - D \log \sigma_x - \frac{D}{2} \log 2\pi.$$

While $\sigma_x$ is fixed, the last two terms are constant. So the reconstruction term is the MSE, up to a factor ½, a *sum* over pixels, a $1/\sigma_x^2$, and a constant. Each of the four will matter.
"""

# %% tags=["hide-input"]
any_x, any_mean = torch.rand(2, 100, 784).double()
log_p = Normal(any_mean, 0.3).log_prob(any_x).sum(1)  # (100,)
constant = -784 * math.log(0.3) - 392 * math.log(2 * math.pi)
left_over = log_p - constant + (any_x - any_mean).square().sum(1) / (2 * 0.3**2)
claim("What the formula leaves unexplained, nats", left_over.abs().max(), at_most=1e-9)

# %% [markdown]
r"""
Pixels are then normally distributed with a diagonal covariance. Mind of what this is said: of $p_\theta(x \mid z)$, once $z$ is given. It is not said of pictures. In pictures neighbouring pixels go together, and the code is there to explain it.
"""

# %% tags=["hide-input"]
middle = digits.train[:, 0, 14, 13:15]  # two neighbours in each picture, (5120, 2)
claim("Correlation of two neighbours in the digits", torch.corrcoef(middle.T)[0, 1], at_least=0.6)

# %% [markdown]
r"""
## Sum or mean?

Now look at a typical program. It takes `F.mse_loss(mean, x)`, and that is a *mean* over pixels. Some multiply it by a number $c$, because the reconstructions were poor. The KL is summed over the $d$ latents, and averaged over the batch:

$$\text{loss} = c \cdot \text{MSE} + \operatorname{KL}.$$

Compare with minus the ELBO, $D \cdot \text{MSE}/(2\sigma_x^2) + \operatorname{KL} + \text{constant}$. The two are the same where $c = D/(2\sigma_x^2)$. So the program has a $\sigma_x$ after all:

$$\sigma_x^2 = \frac{D}{2c}, \qquad \text{and with a factor } \beta \text{ in front of the KL} \qquad \sigma_x^2 = \frac{\beta D}{2c}.$$

The figure at the top computes just this. Such a $\beta$ need not be written as one. A KL *averaged* over the $d$ latents has $\beta = 1/d$. A KL *summed* over a batch of $M$ pictures has $\beta = M$. And the common "MSE is the case of unit variance" needs $c = D/2$: with $c = 1$ it is false.

Do not believe the algebra. Two losses train the same model if their slopes are the same, in every weight of both networks, up to one common factor. (That is only another learning rate. Here it is $\beta$.) So we take the slopes of five home-made losses, as they stand in programs, and those of the ELBO with the $\sigma_x$ of the formula. The pictures are random: it must hold for any. For comparison we do the same with the $\sigma_x = 1$ that people read into these programs.
"""


# %%
def minus_elbo(model, x, beta=1.0):
    parts = model.elbo(x, beta=beta)
    std = model.log_std.exp()
    return {"loss": -parts.total.mean(), "kl": parts.kl.mean(), "std": std}


def gradient(model, loss, x):
    """The slopes of a loss in all weights, with the same draws of z each time."""
    torch.manual_seed(seed)
    parts = torch.autograd.grad(loss(model, x)["loss"], list(model.parameters()))
    return torch.cat([part.flatten() for part in parts])


# %%
def home_made(model, x, c, reduce):
    posterior = model.encode(x)
    decoded = model.decode(sample_posterior(*posterior))
    kl = kl_standard_normal(*posterior)  # (batch,): summed over latents
    return {"loss": c * F.mse_loss(decoded.mean, x) + reduce(kl)}


# %% tags=["hide-input"]
colour, grey, M, d = (3, 32, 32), (1, 28, 28), 16, 20  # CIFAR-10, D = 3072; MNIST, D = 784
differ, differ_at_1 = [], []
for shape, c, reduce, beta in (
    (colour, 6000, torch.mean, 1),
    (colour, 1, torch.mean, 1),
    (grey, 1, torch.mean, 1),
    (grey, 1, lambda kl: kl.mean() / d, 1 / d),  # the KL averaged over latents
    (grey, 1, torch.sum, M),  # summed over the batch
):
    D, batch = math.prod(shape), torch.rand(M, *shape, dtype=torch.float64)
    hidden_std = math.sqrt(beta * D / (2 * c))
    vae = models.VAE(shape, d, hidden=(32,), std=hidden_std).double()
    theirs = gradient(vae, partial(home_made, c=c, reduce=reduce), batch)
    differ.append((theirs - beta * gradient(vae, minus_elbo, batch)).norm() / theirs.norm())
    vae.log_std.fill_(0)  # and with σ = 1: what is left over, whatever the common factor
    cosine = F.cosine_similarity(theirs, gradient(vae, minus_elbo, batch), dim=0)
    differ_at_1.append((1 - cosine**2).sqrt())
claim("Five losses, each with its σ: slopes differ by, at most", max(differ), at_most=1e-6)
claim("... with σ = 1 and any factor: by, at least", min(differ_at_1), at_least=0.01)

# %% [markdown]
r"""
Pixels run from 0 to 1. On CIFAR-10, with its $32 \times 32$ pixels in three colours, $D$ is 3072, and $c = 1$ is a $\sigma_x$ of 39. A decoder with $\sigma_x = 39$ says: "on a pixel I am wrong by 39, more or less". To such a decoder all pictures are the same.

You can also read $c$ as a budget. Take the largest error there can be: an all-black picture where all should be white. It costs $D/(2\sigma_x^2) = c$ nats. With $c = 1$ no picture in the world is worth more than *one nat* to the decoder. And a code costs nats.

The best linear VAE shows what follows. It uses a latent only if the pictures vary by more than $\sigma_x^2$ along it: if an eigenvalue of their covariance is larger than $\sigma_x^2$ ([Lucas et al. 2019](https://arxiv.org/abs/1911.02469)). A number between 0 and 1 has a variance of at most ¼. So all eigenvalues *together* are at most $D/4$. With $c = 1$, $\sigma_x^2$ is $D/2$, and no latent is used, whatever the pictures are.
"""

# %% tags=["hide-input"]
black, white = torch.zeros(1, 784).double(), torch.ones(1, 784).double()
log_std_at_1 = math.log(784 / 2) / 2  # log σ for c = 1
most, least = (gaussian_log_likelihood(white, at, log_std_at_1) for at in (white, black))
claim("All that a picture is worth at c = 1, nats", most - least, equals=1, within=1e-9)

# %% [markdown]
r"""
And a real one, with hidden layers? Train it with that one line as it stands: `F.mse_loss`, plus the KL.
"""

# %% tags=["hide-input"]
mean_picture = (digits.train - digits.train.mean(0)).square().mean().sqrt().item()  # its RMSE
QUICK = {"phases": ((3e-3, 120),), "hidden": 64}


def train(std, loss=minus_elbo, phases=((5e-3, 250), (1e-3, 120)), hidden=128):
    """A VAE with ten latents, trained with each learning rate for so many steps; its histories."""
    torch.manual_seed(seed)
    vae = models.VAE(grey, 10, hidden=(hidden,), std=std)
    if std == "shared":
        vae.log_std.data.fill_(math.log(mean_picture))
    options = {"batch_size": 64, "seed": seed}
    histories = [fit(vae, loss, digits.train, steps=n, lr=lr, **options) for lr, n in phases]
    return vae.eval().requires_grad_(False), histories


# %%
blob, _ = train(1.0, partial(home_made, c=1, reduce=torch.mean), **QUICK)

# %% tags=["hide-input"]
claim("Trained with c = 1: KL, nats", estimate_elbo(blob, digits.test)["kl"].mean, at_most=0.02)
used = active_units(blob, digits.test)
claim("Trained with c = 1: active latents of ten", used, equals=0, within=0)
varies = blob.reconstruct(digits.test).var(0).sum() / digits.test.var(0).sum()
claim("... its reconstructions vary, relative to the pictures", varies, at_most=0.01)

# %% tags=["hide-input"]
plotting.rows(
    {"test": digits.test[:10], "$c = 1$": blob.reconstruct(digits.test[:10])},
    caption="Test pictures, and what the VAE that was trained with c = 1 makes of them.",
    alt="Two rows of ten pictures. Above, ten digits. Below, ten times the same grey blob.",
)

# %% [markdown]
r"""
Every picture comes out as the same grey blob. If you meet one, look at this line first. Other networks, more pictures and longer training do not help: [chapter 7](07_posterior_collapse.ipynb) proves that the blob is the best that this loss allows.

One folk remedy is to multiply the MSE by 6000. The formula says what that is: on CIFAR-10, $\sigma_x = 0.506$. Pictures become recognisable. But an error of half the range, on each pixel, is still far more than a decoder makes. If yours is 0.1, the factor is $c = D/(2 \cdot 0.1^2) = 153\,600$. Who would have guessed that?

## Tuning β: the same knob again

Take the $\beta$ out of the loss:

$$\frac{\text{SSE}}{2\sigma_x^2} + \beta \operatorname{KL} = \beta \left( \frac{\text{SSE}}{2\beta\sigma_x^2} + \operatorname{KL} \right).$$

Only the product $\beta\sigma_x^2$ counts. So $(\beta, \sigma_x^2) = (5,\ 0.01)$ and $(1,\ 0.05)$ must train the *same* networks. The $\beta$ outside is only a learning rate, and Adam does not even see that: it divides each slope by its usual size. Here are both, with the same seed, and $(1,\ 0.01)$ for comparison.
"""

# %%
knobs = {}
for beta, variance in ((5, 0.01), (1, 0.05), (1, 0.01)):
    vae, _ = train(math.sqrt(variance), partial(minus_elbo, beta=beta), **QUICK)
    row = {name: part.mean for name, part in estimate_elbo(vae, digits.test).items()}
    knobs[beta, variance] = row | {"pictures": vae.reconstruct(digits.test)}
    found = f"KL {row['kl']:.3f}, ELBO {row['total']:.1f} nats"
    print(f"β = {beta}, σ² = {variance}: {found}")

# %% tags=["hide-input"]
narrow, same, other = knobs.values()
claim("KL of the pair, relative", narrow["kl"] / same["kl"], equals=1, within=0.01)
claim("KL of (1, 0.01), relative", other["kl"] / same["kl"], at_least=1.4)
between = [(row["pictures"] - same["pictures"]).norm() for row in (narrow, other)]
claim("Pictures of the pair apart, against (1, 0.01)", between[0] / between[1], at_most=0.01)
claim("ELBO of (1, 0.05) above (5, 0.01), nats", same["total"] - narrow["total"], at_least=200)

# %% [markdown]
r"""
The first two lines are one model: the same codes, the same pictures. Only what they *claim* differs. The first says that its pixels are right to $\pm 0.1$, which they are not. So its ELBO is hundreds of nats worse.

Find a good $\beta$ by trying, says the usual advice. Now you know what you would be looking for: a $\sigma_x$. Watch for a $\beta$ without a name, too. In [kvfrans/notes](https://github.com/kvfrans/notes) the KL (with the slip of chapter 4) is multiplied by 100, and the text does not say so. With a fixed $\sigma_x$ that is ten times the $\sigma_x$. What it does to a VAE you can watch in your browser: [β = 100](playground.ipynb). The product is then logged as "the KL", so the number in the plot is not in nats, and cannot be compared with anybody's. So leave $\beta$ at 1, and find $\sigma_x$. For that there is a formula.

## Let the pictures choose

If $\sigma_x$ is a parameter, $D \log \sigma_x$ is no constant any more. It is what keeps $\sigma_x$ from growing. Divide by $D$. Then minus the log-likelihood of a pixel is, on average and up to $\frac12 \log 2\pi$,

$$\log \sigma_x + \frac{\text{MSE}}{2\sigma_x^2}.$$

It rises without end for $\sigma_x \to 0$ and for $\sigma_x \to \infty$. Where is its minimum? And where is that of two slips, which stand side by side in the same notes? One has the ½ in front of everything, the other has lost it.
"""

# %% tags=["hide-input"]
s, mse = sp.symbols("sigma MSE", positive=True)
right = sp.log(s) + mse / (2 * s**2)
in_front, lost = (sp.log(s) + mse / s**2) / 2, sp.log(s) + mse / s**2
for formula, factor in ((right, 1), (in_front, 2), (lost, 2)):
    (lowest,) = sp.solve(formula.diff(s), s)  # exactly one
    claim(f"{formula}: lowest at σ² / MSE", lowest**2 / mse, equals=factor, within=0)

made, (axes,) = plotting.figure(6.5, 3)
k = torch.linspace(0.55, 3, 300)
curves = {"right": k.log() + 0.5 / k**2, "½ in front": 0.5 * (k.log() + k**-2)}
curves["½ lost"] = k.log() + k**-2
for (name, values), style in zip(curves.items(), ("-", "--", ":"), strict=True):
    (line,) = axes.plot(k, values, style, label=name)
    axes.plot(k[values.argmin()], values.min(), "o", color=line.get_color())
axes.set(xlabel=r"$\sigma_x$, in units of the RMSE", ylabel="nats per pixel", ylim=(0.2, 2.2))
axes.set_xticks([1, math.sqrt(2), 2, 3], ["1", r"$\sqrt{2}$", "2", "3"])
axes.legend()
plotting.show(
    made,
    caption="Minus the log-likelihood of a pixel over σₓ (without constants), and two slips. Dots: minima.",
    alt="Three curves that fall steeply at the left, have a minimum, and rise slowly. The solid one is lowest at "
    "1, the dashed and the dotted one at the root of two.",
)

# %% [markdown]
r"""
So the right $\sigma_x$ is the root of the mean squared error, the **RMSE**. It is not a hyperparameter. It is the typical error of a pixel, and you can *measure* it. So you need not even learn it. Compute it from the batch, and use it at once ([Rybkin et al. 2021](https://arxiv.org/abs/2006.13202)):
"""


# %%
def optimal(model, x):
    mean, log_std = model.encode(x)
    decoded = model.decode(sample_posterior(mean, log_std)).mean
    sigma_x = (x - decoded).square().mean().sqrt()  # the RMSE of this batch
    reconstruction = gaussian_log_likelihood(x, decoded, sigma_x.log())
    return {"loss": (kl_standard_normal(mean, log_std) - reconstruction).mean()}


# %% tags=["hide-input"]
untrained = models.VAE((1, 28, 28), 10, hidden=(64,), std="optimal").train()
lines, package = (gradient(untrained, loss, digits.train[:32]) for loss in (optimal, minus_elbo))
unlike = (lines - package).norm() / package.norm()
claim('These lines against std="optimal" of the package: slopes differ by', unlike, at_most=1e-4)

# %% [markdown]
r"""
That is all there is to `std="optimal"`. The slope through `sigma_x` is zero, as the likelihood is at its best there. (On pixels from −1 to 1 it is twice what it is on pixels from 0 to 1.) Either slip reports $\sqrt 2$ times as much.

What do the slips do to the networks? Write the $\sigma_x$ of a slip as $\sqrt2\, s$, and see what is left in terms of $s$. The slip that lost its ½ turns into the right loss:

$$\frac{\text{SSE}}{\sigma_x^2} + D \log \sigma_x + \operatorname{KL} = \frac{\text{SSE}}{2 s^2} + D \log s + \operatorname{KL} + \text{constant}.$$

So it trains the right networks. Only the $\sigma_x$ that it reports is wrong, and with it the noise in every sample. The slip with the ½ in front is not harmless:

$$\frac12 \left( \frac{\text{SSE}}{\sigma_x^2} + D \log \sigma_x \right) + \operatorname{KL} = \frac12 \left( \frac{\text{SSE}}{2 s^2} + D \log s + 2 \operatorname{KL} \right) + \text{constant}.$$

It is a hidden $\beta = 2$. And this time $\beta$ does make another model. Once $\sigma_x$ is learned the two are no longer one knob, since the term $D \log \sigma_x$ does not get the factor.
"""


# %%
def slip(model, x, front=0.5):
    posterior = model.encode(x)
    decoded = model.decode(sample_posterior(*posterior))
    per_pixel = ((x - decoded.mean) / decoded.log_std.exp()).square() + decoded.log_std
    reconstruction = front * per_pixel.flatten(1).sum(1)  # (batch,)
    return {"loss": (reconstruction + kl_standard_normal(*posterior)).mean()}


# %% tags=["hide-input"]
for name, front, beta in (("½ in front", 0.5, 2), ("½ lost", 1, 1)):
    vae = models.VAE(grey, d, hidden=(32,), std="shared").double()
    theirs = gradient(vae, partial(slip, front=front), digits.train[:M].double())
    vae.log_std.data -= math.log(2) / 2
    ours = gradient(vae, partial(minus_elbo, beta=beta), digits.train[:M].double()) / beta
    unlike = (theirs - ours).norm() / theirs.norm()
    claim(f"Slip, {name}, against β = {beta}: slopes differ by", unlike, at_most=1e-6)

# %% [markdown]
r"""
## The error of which reconstruction?

There are two. You can decode the posterior's mean, or a draw $z \sim q_\phi(z \mid x)$. The mean gives the smaller error, and it is the one that people report. But the ELBO averages over draws. So draws set $\sigma_x$.

The linear VAE of chapter 5, whose decoder is a matrix $W$ and an offset, shows it without any noise. Its best $\sigma_x^2$ is known: the mean of the eigenvalues that its $d$ latents leave out ([Tipping & Bishop 1999](https://doi.org/10.1111/1467-9868.00196)). Start anywhere and repeat: fit the model for the current $\sigma_x^2$, measure the squared error per pixel, make that the new $\sigma_x^2$. Where does this end? We use 1000 digits of 7 × 7 pixels, and ten latents.

Before you look, work it out. Let $\lambda_j$ be the eigenvalues, largest first. A latent in use has a column of $W$ with the squared length $\lambda_j - \sigma_x^2$, and posteriors with the variance $\sigma_x^2/\lambda_j$. So decoding the mean shrinks a picture along that column by the factor $1 - \sigma_x^2/\lambda_j$, and leaves an error of $\sigma_x^4/\lambda_j$. Draws add their spread, $(\lambda_j - \sigma_x^2)\,\sigma_x^2/\lambda_j$. Together that is just $\sigma_x^2$. At the end nothing changes any more, so

$$D\sigma_x^2 = d\,\sigma_x^2 + \sum_{j > d} \lambda_j \quad \text{(draws)}, \qquad D\sigma_x^2 = \sum_{j \le d} \frac{\sigma_x^4}{\lambda_j} + \sum_{j > d} \lambda_j \quad \text{(means)}.$$

The first gives the best $\sigma_x^2$. The second is a quadratic equation with a smaller solution.

And with a $\beta$? If it were still the same knob, $\sigma_x^2$ would shrink by $\beta$, and nothing else would change. But each latent now leaves $\beta\sigma_x^2$. So $\sigma_x^2$ *grows*, from the left-out sum over $D - d$ to the same over $D - \beta d$. At $\beta = 2$ that is a factor 39/29.
"""

# %% tags=["hide-input"]
flat = F.avg_pool2d(digits.train[:1000], 4).flatten(1).double()  # (1000, 49)
eigenvalues, _ = spectrum(flat)


def settle(drawn, beta=1):
    """Where σ² ← squared error per pixel ends, for drawn z or for posterior means."""
    variance = 1.0
    for _ in range(40):
        model = fit_linear_vae(flat, 10, variance=beta * variance)
        q = model.posterior(flat)
        sse = (flat - model.bias - q.mean @ model.weight.T).square().sum(1).mean()
        spread = (model.weight @ q.covariance_matrix[0] @ model.weight.T).trace()
        variance = (sse + drawn * spread).item() / 49  # per pixel
    return variance


left_out, steep = eigenvalues[10:].sum(), (1 / eigenvalues[:10]).sum()
best = left_out / (49 - 10)
low = (49 - (49**2 - 4 * steep * left_out).sqrt()) / (2 * steep)
drawn, means, doubled = settle(True), settle(False), settle(True, beta=2)
claim("σ² from draws, relative to the best", drawn / best, equals=1, within=1e-6)
claim("σ² from means, relative to the quadratic's solution", means / low, equals=1, within=1e-6)
claim("σ² from means, relative to the best", means / best, at_least=0.7, at_most=0.9)
claim("σ² at β = 2, relative to β = 1", doubled / drawn, equals=39 / 29, within=1e-6)

# %% tags=["hide-input"]
plotting.bars(
    {
        "draws": drawn / best.item(),
        "means": means / best.item(),
        "draws, β = 2": doubled / best.item(),
    },
    [plotting.COLOURS[place] for place in (0, 1, 2)],
    xlabel=r"$\sigma_x^2$ in units of the best",
    caption="Where σₓ² ends if it follows the error of draws, the error of posterior means, and the error "
    "of draws with β = 2.",
    alt="Three bars. Draws end at 1.00. Means end clearly below it, draws with β = 2 clearly above.",
)

# %% [markdown]
r"""
## Four decoders

Now the digits in full size, and networks with a hidden layer. The course's `VAE` has four ways to set $\sigma_x$:

- `"unit"`: $\sigma_x = 1$. This is "MSE plus KL" with the ½ and the sum in place.
- `"shared"`: one learned number $\log \sigma_x$ for all pixels.
- `"optimal"`, which you get if you say nothing: no parameter. In each step $\sigma_x$ is the RMSE of the batch, and after training a moving average of it.
- `"per_pixel"`: the decoder gives a $\log \sigma_x$ for each pixel and each $z$.

A fifth model is `"shared"`, trained with the slip. One practical point: Adam moves $\log \sigma_x$ by about the learning rate a step. From $\sigma_x = 1$ it would still be on its way when we stop. So `train` starts it at the RMSE of the mean picture, which needs no code at all.

All five are compared on the same test pictures. Their ELBOs may be compared: all are bounds on $\log p_\theta(x)$ of the same $x$, in nats, with every constant in place. The columns $\sigma$ and RMSE are measured on training pictures, with drawn $z$: there the two should agree. For `per_pixel`, $\sigma$ is the root mean square over all pixels.
"""

# %%
vaes = {std: train(std) for std in ("unit", "shared", "optimal", "per_pixel")}
vaes["slip"] = train("shared", slip)


# %% tags=["hide-input"]
def std_and_rmse(vae, x):
    decoded = vae.decode(sample_posterior(*encode_all(vae, x)))
    return [v.square().mean().sqrt().item() for v in (decoded.log_std.exp(), x - decoded.mean)]


table = {}
print("             σ      RMSE    KL  active       ELBO")
for name, (vae, _) in vaes.items():
    std, rmse = std_and_rmse(vae, digits.train[:2000])
    total, _, kl = estimate_elbo(vae, digits.test, n_samples=4).values()
    table[name] = {"ratio": std / rmse, "rmse": rmse, "kl": kl.mean, "elbo": total.mean}
    active, elbo = active_units(vae, digits.test), f"{total.mean:7.1f} ± {total.standard_error:.1f}"
    print(f"{name:9s} {std:5.3f}    {rmse:.3f}  {kl.mean:5.1f} {active:6d}    {elbo}")

# %% tags=["hide-input"]
shared_row, unit_row, slip_row = table["shared"], table["unit"], table["slip"]
for name, factor in (("shared", 1), ("slip", math.sqrt(2))):  # optimal is set to its RMSE
    ratio = table[name]["ratio"] / factor
    claim(f"σ over RMSE, {name}, against {factor:.4g}", ratio, equals=1, within=0.05)
claim("KL, shared above unit, nats", shared_row["kl"] - unit_row["kl"], at_least=15)
claim("RMSE, shared relative to unit", shared_row["rmse"] / unit_row["rmse"], at_most=0.85)
claim("ELBO, shared above unit, nats", shared_row["elbo"] - unit_row["elbo"], at_least=800)
fewer = slip_row["kl"] / shared_row["kl"]
claim("KL, slip relative to shared", fewer, at_least=0.65, at_most=0.92)
others = max(row["elbo"] for name, row in table.items() if name != "per_pixel")
claim(
    "ELBO, per_pixel above the next best, nats", table["per_pixel"]["elbo"] - others, at_least=300
)

# %% [markdown]
r"""
Read the first column against the second. `shared` has learned the RMSE (`optimal` is set to it). The slip reports $\sqrt 2$ times its RMSE. So if your program learns a shared $\sigma_x$, log the RMSE beside it. Once training has settled, and if no clamp holds $\sigma_x$, their ratio tells you whether the formula is right.

`unit` is the popular one. It claims errors of 1 on pixels between 0 and 1, so it has little reason to use its code. And `per_pixel` has the best ELBO, with an RMSE above that of `shared`. We come back to it.

## The learned σ falls, and pictures get sharper

During training $\sigma_x$ falls, and the pictures do get sharper. Is the first the reason for the second? Two things are mixed up here.
"""

# %% tags=["hide-input"]
history = vaes["shared"][1][0]
plotting.curves(
    {"$\\sigma_x$": history["std"], "KL [nats]": history["kl"]},
    xlabel="step",
    caption="The first 250 steps of the shared σ, which starts at the RMSE of the mean picture.",
    alt="Two curves over 250 steps. Sigma rises for a few steps, then falls, steeply at first, to "
    "less than two thirds. The KL jumps up, drops, and then climbs slowly while sigma falls.",
)

# %% [markdown]
r"""
**It reports.** Take the trained `shared` model and turn $\sigma_x$ by hand. Not one pixel of the decoded means changes. Only the likelihood does, and it is best at the RMSE. With $\text{SSE} = D \cdot \text{RMSE}^2$ you can say how much. At its best the reconstruction term is $-\frac D2 \log(2\pi e\, \text{RMSE}^2)$. At $k$ times the RMSE it is less by $D \bigl(\log k + \frac12 (k^{-2} - 1)\bigr)$. Being too sure costs more than being too modest.
"""

# %% tags=["hide-input"]
shared, thousand = vaes["shared"][0], digits.train[:1000]
decoded = shared.decode(sample_posterior(*encode_all(shared, thousand))).mean
its_rmse = (thousand - decoded).square().mean().sqrt()
top, furthest = -392 * math.log(2 * math.pi * math.e * its_rmse**2), 0
for times in (1, 2, 0.5):
    term = gaussian_log_likelihood(thousand, decoded, (times * its_rmse).log()).mean().item()
    less = 784 * (math.log(times) + (times**-2 - 1) / 2)
    print(f"σ = {times} · RMSE: reconstruction term {term:.1f} nats, less by {less:.1f}")
    furthest = max(furthest, abs(term - (top - less)))
claim("Three reconstruction terms, furthest from the formula, nats", furthest, at_most=0.05)
claim("σ at the end, relative to the start", shared.log_std.exp() / mean_picture, at_most=2 / 3)

# %% [markdown]
r"""
**It re-weights.** In the loss the squared error is divided by $2\sigma_x^2$. Let $\sigma_x$ fall to 60 %, and the error counts almost three times as much against the KL. That is a $\beta$ that sinks by itself. It is this second thing that can make pictures sharper: the code may carry more. In the table it carries far more nats at the learned $\sigma_x$ than at 1. Smaller errors then let $\sigma_x$ fall again. It ends where one more nat of code would save less than a nat of $\frac D2 \log \text{RMSE}^2$.

Turn the knob yourself. Each stop is a VAE that was trained with this $\sigma_x$. Follow the KL, and count the latents that are left.
"""

# %% tags=["hide-input"]
knob = {"phases": ((5e-3, 200), (1e-3, 60))}
explorer.noise_slider(
    {1.0: vaes["unit"][0]}
    | {std: train(std, **knob)[0] for std in (0.15, 0.3, 0.5, 0.7, 1.5, 2.5)},
    digits.test,
    caption="Test pictures, and what seven VAEs make of them, one for each σₓ. The curve is the "
    "price in nats against the squared error of decoded draws: many models, one curve.",
)

# %% [markdown]
r"""
## Means and samples

Here are the four decoders. Reconstructions, then pictures from the prior as papers show them, which are the decoder's *means*. Then the same again as full *samples* of the model, with the noise that it says is there.
"""

# %% tags=["hide-input"]
sheet = {"real": digits.test[:15]}
for name in ("unit", "shared", "optimal", "per_pixel"):
    vae, parts = vaes[name][0], [vaes[name][0].reconstruct(digits.test[:5])]
    for noise in (False, True):
        torch.manual_seed(seed)  # the same z
        parts.append(vae.sample(5, noise=noise))
    sheet[name] = torch.cat(parts)
plotting.rows(
    sheet,
    caption="Columns 1 to 5: test pictures, reconstructed (means). 6 to 10: from the prior, means. "
    "11 to 15: the same z, as samples. The top row is real.",
    alt="A row of real digits and four rows of one decoder each. Unit: blurred digits, then pure snow. "
    "Shared and optimal: clearer digits, several of those from the prior malformed, then the same "
    "with light grain. Per pixel: reconstructions are dim blobs, those from the prior harsh and grainy.",
    width=8,
)

# %% [markdown]
r"""
The samples say it most clearly. `unit` believes in snow, because it was told so. `shared` and `optimal` believe in digits under a little noise. But look at the means from the prior, too. Those of `unit` are blurred. Those of `shared` are sharper, and often malformed. A better density is not a better drawing: chapter 2 met the same with more latents.

So decide what you want. We count what share of new means is clearly one digit (`digit_score`, which favours blurred and empty pictures, so read the number of kinds beside it). First for draws from $\mathcal{N}(0, I)$. Then for draws from a mixture of ten normal distributions, fitted to the codes of the training pictures, as in [chapter 1](01_autoencoders.ipynb).
"""

# %% tags=["hide-input"]
drawings = {}
torch.manual_seed(seed)
for name in ("unit", "optimal"):
    vae = vaes[name][0]
    rescale(vae, digits.train)
    codes = sample_posterior(*encode_all(vae, digits.train)).double().numpy()
    mixture = GaussianMixture(10, random_state=seed).fit(codes)
    fitted = torch.from_numpy(mixture.sample(1_000)[0]).float()
    for prior, z in (("N(0, I)", torch.randn(1_000, 10)), ("mixture", fitted)):
        drawings[name, prior] = vae.decode(z).mean
    drawings[name, "codes"] = vae.reconstruct(digits.train[:1_000])
scores = {
    key: digit_score(means, digits.test, digits.test_labels) for key, means in drawings.items()
}
for (name, prior), score in scores.items():
    print(f"{name:8s} {prior:8s} {score}")
share = {key: score.unanimous for key, score in scores.items()}
clearer = share["optimal", "N(0, I)"] - share["unit", "N(0, I)"]
claim("N(0, I): clear digits, optimal minus unit", clearer, at_most=0.1)
for name in ("optimal", "unit"):
    clearer = share["optimal", "mixture"] - share[name, "N(0, I)"]
    claim(f"Clear digits, optimal with mixture above {name} with N(0, I)", clearer, at_least=0.05)
clearer = share["optimal", "mixture"] - share["unit", "mixture"]
claim("Mixtures: clear digits, optimal minus unit", clearer, at_least=-0.05)
more = scores["optimal", "mixture"].kinds - scores["unit", "mixture"].kinds
claim("Mixtures: kinds of digits, optimal minus unit", more, at_least=0.2)

# %% [markdown]
r"""
- You want a **density**: to compare models, to compress, to weigh evidence. Take `optimal`, and look at the ELBO.
- You want **pictures**: take `optimal`, too, for its sharper means and its more kinds of digits. But do not draw from $\mathcal{N}(0, I)$. Fit a density to the codes, and draw from that. It costs a second, and no nat of reconstruction.

Hundreds of nats of density did not make the draws from $\mathcal{N}(0, I)$ clearer. The mixture does. (It helps `unit` as well, which then gives clear digits about as often or less, and of fewer kinds.)

## One σ per pixel

A learned variance makes the prediction more accurate, say [the same notes](https://github.com/kvfrans/notes), whose decoder has one for each pixel. Does it? Look at `per_pixel` again. Its ELBO is the best, and its reconstructions are poor. So where do its nats come from? We sort the pixels of the training pictures into three kinds: black in every picture, black in this one, and ink.
"""


# %% tags=["hide-input"]
def nats_by_kind(vae):
    """log p(x|z) of each kind of pixel, in nats per training picture."""
    x = digits.train[:2000]
    decoded = vae.decode(sample_posterior(*encode_all(vae, x)))
    per_pixel = Normal(decoded.mean, decoded.log_std.exp()).log_prob(x)
    never, ink = (digits.train.amax(0) == 0).expand_as(x), x > 0
    kinds = (never, ~never & ~ink, ink)
    return torch.stack([per_pixel[kind].sum() for kind in kinds]) / len(x)


nats = {name: nats_by_kind(vaes[name][0]) for name in ("shared", "per_pixel")}
for name, kinds in nats.items():
    print("{:9s}: never lit {:6.1f}, black here {:6.1f}, ink {:6.1f}".format(name, *kinds))
lead = nats["per_pixel"] - nats["shared"]
claim("Lead of per_pixel over shared, nats", lead.sum(), at_least=400)
from_black = lead[:2].sum() / lead.sum()
claim("Share of it from black pixels", from_black, at_least=0.9, at_most=1.15)
worse = table["per_pixel"]["rmse"] / shared_row["rmse"]
claim("RMSE, per_pixel over shared", worse, at_least=1.1)

# %% [markdown]
r"""
The lead is from pixels that are exactly 0, and next to nothing from the ink. The ink is drawn worse. Where the decoder says that it is unsure, a squared error is divided by a large $\sigma_x^2$, and hardly pulls on the mean any more ([Seitzer et al. 2022](https://arxiv.org/abs/2203.09168)).

Why black? A density has no upper limit. Where a pixel is surely black, the decoder may say so with a smaller and smaller $\sigma_x$. While the mean is right, every unit by which $\log \sigma_x$ falls earns one nat. On a pixel that never changes there is no end to it. So the highest likelihood is infinite, *whatever* the model does with the ink.

Someone must set an end. Our decoder is clamped, $\log \sigma_x \ge -6$. But then the clamp decides the ELBO. Move it in the trained model, and look at the pixels that are never lit (Fashion-MNIST has one or none, so there it is not measured):
"""

# %% tags=["hide-input"]
never_lit = int((digits.train.amax(0) == 0).sum())
trained, earned = vaes["per_pixel"][0], {}
usual = trained.observation
for floor in (-2.0, -3.0, -4.0, -6.0):
    trained.observation = models.observation.StdPerPixel(lowest_std=math.exp(floor))
    earned[floor] = nats_by_kind(trained)[0]
    print(f"log σ at least {floor}: {earned[floor]:6.1f} nats from {never_lit} pixels")
trained.observation = usual
if never_lit >= 20:
    per_step = (earned[-3] - earned[-2]) / never_lit
    claim("Clamp from -2 to -3, nats per pixel never lit", per_step, equals=1, within=0.05)
else:
    print("Too few pixels are black in every one of these pictures to measure it.")

# %% tags=["hide-input"]
unsure = trained.decode(encode_all(trained, digits.test[:8]).mean)
plotting.rows(
    {
        "test": digits.test[:8],
        "mean": unsure.mean,
        r"$\sigma_x$": unsure.log_std.exp() / unsure.log_std.exp().quantile(0.99),
    },
    caption="The decoder per_pixel: test pictures, their means, and the σₓ that it gives each pixel (the "
    "lighter, the larger).",
    alt="Three rows of eight pictures: digits, blurred reconstructions, and maps that are black at the "
    "border and light in the middle, where strokes may be.",
)

# %% [markdown]
r"""
So two models with different clamps cannot be compared. And the nats are not safe. One lit pixel where black was sure costs $\frac12 e^{12}$, 81 000 of them. Look at the standard error of `per_pixel` in the table.

What can you do instead?

- **Share.** One $\sigma_x$ for all pixels, learned or optimal, cannot run away: as long as there are errors anywhere, the RMSE is not zero.
- **Add noise of one grey level** to the training pictures: $u/256$, with $u$ uniform between 0 and 1. The pixels of a file are whole grey levels, so nothing is lost. And then no density can earn more than $\log 256 = 5.55$ nats a pixel, on average ([Theis et al. 2016](https://arxiv.org/abs/1511.01844)). A normal one earns at most $\log 256 - \frac12 \log \frac{\pi e}{6}$, with the standard deviation of that noise. A smaller $\sigma_x$ is *punished*.
"""

# %% tags=["hide-input"]
u = torch.rand(100_000, 1, dtype=torch.float64) / 256  # black pixels with noise
mean_u, log_std_u = torch.full_like(u, 1 / 512), -math.log(256 * math.sqrt(12))
right_std = estimate(gaussian_log_likelihood(u, mean_u, log_std_u))
limit, five = math.log(256) - 0.5 * math.log(math.pi * math.e / 6), 5 * right_std.standard_error
claim("A black pixel earns, nats", right_std.mean, equals=limit, within=five)
too_sure = estimate(gaussian_log_likelihood(u, mean_u, log_std_u - 3))
punished, five = limit + 3 + (1 - math.exp(6)) / 2, 5 * too_sure.standard_error
claim("... with log σ smaller by 3", too_sure.mean, equals=punished, within=five)

# %% [markdown]
r"""
Now the end is in the data, and not in a constant of the program. It does not make a black pixel less rewarding than ink, though. For pictures like these, share.

## Bernoulli on grey pixels

There is another way around $\sigma_x$. Take the decoder's output for the chance $p$ of ink, and use the binary cross-entropy. For pixels that are 0 or 1 this is minus the log of a likelihood, the **Bernoulli** one. Our pixels are grey, and so are MNIST's. Two checks show that it is no likelihood for them.

First, look for its **floor**. If the decoder gives back exactly the picture, $p = x$, is the loss zero? For a grey pixel it is not. The loss is then the **entropy** of a yes or no with chance $x$: 0.69 nats at $x = 0.5$, and 0.50 at $x = 0.2$. No other $p$ does better.

Second, a density over grey values must integrate to 1 between 0 and 1, whatever $p$ is. This one integrates to ½ at $p = \frac12$, and to less at $p = 0.9$. So not even a constant can mend it.
"""

# %% tags=["hide-input"]
for level in (0.5, 0.2):
    itself, entropy = torch.full((1, 1), level), Bernoulli(level).entropy().item()
    lowest_loss = -bernoulli_log_likelihood(itself, torch.logit(itself))
    claim(f"Cross-entropy of {level} with itself", lowest_loss, equals=entropy, within=1e-4)
floors = -bernoulli_log_likelihood(digits.test, torch.logit(digits.test, eps=1e-6))
claim("Floor on these digits, nats per picture", floors.mean(), at_least=20)

x, p = sp.symbols("x p", positive=True)
cross_entropy = -x * sp.log(p) - (1 - x) * sp.log(1 - p)
(best_p,) = sp.solve(cross_entropy.diff(p), p)
claim("Cross-entropy is lowest at p - x =", best_p - x, equals=0, within=0)
for chance, its_area in ((0.5, 0.5), (0.9, 0.8 / math.log(9))):
    density = sp.exp(-cross_entropy.subs(p, sp.Rational(str(chance))))
    area = sp.integrate(sp.simplify(density), (x, 0, 1))
    claim(f"Area over all grey values at p = {chance}", area, equals=its_area, within=1e-9)

# %% [markdown]
r"""
The lowest point is at $p = x$, so training pulls to the right place, and the pictures look fine. That is why the habit lives on. But the number is no log-likelihood. It can be compared neither with a Gaussian's nor with a paper's. For that, make the pixels 0 or 1 first, or divide by the area, which depends on $p$ ([Loaiza-Ganem & Cunningham 2019](https://arxiv.org/abs/1907.06845)). And a *mean* over pixels does to this loss what it does to the MSE.

## SSIM, or features of a network?

With another loss, such as SSIM (an index of similarity, [chapter 9](09_blur.ipynb)) or a squared error of features from a trained network, pictures may look better. But ask the question of the last section. Is $e^{-\text{loss}}$, up to a constant, a density over pictures?

SSIM is bounded. So $e^{-\text{loss}}$ never falls below some number, and its integral over all pictures is infinite. A loss on *features* is blind to what the features do not see. If there is such a direction, $e^{-\text{loss}}$ never falls along it, and the integral is infinite again. The smallest example: averages over 4 × 4 pixels, and a checkerboard of ±1000.

If the features see everything, the integral may be finite. But it is not a constant: it changes with the decoder's output, and the loss leaves it out. The smallest example has one pixel and two features, $x$ and $\max(x, 0)$. Positive pixels count twice, so around a decoder's output of 5 the integral is smaller than around −5.
"""

# %% tags=["hide-input"]
checkerboard = 1000.0 * (-1) ** (torch.arange(28)[:, None] + torch.arange(28))
features = [F.avg_pool2d(picture, 4) for picture in (digits.test, digits.test + checkerboard)]
unseen = (features[0] - features[1]).square().flatten(1).sum(1)
claim("Feature loss of the checkerboard", unseen.max(), at_most=1e-4)

pixel = torch.linspace(-15, 15, 30_001, dtype=torch.float64)
for at, exactly in ((-5.0, math.sqrt(math.pi)), (5.0, math.sqrt(math.pi / 2))):
    loss = (pixel - at) ** 2 + (pixel.clamp(min=0) - max(at, 0.0)) ** 2
    integral = torch.trapezoid((-loss).exp(), pixel)
    claim(f"Two features: integral around {at:g}", integral, equals=exactly, within=1e-3)

# %% [markdown]
r"""
In both cases no one constant makes a density of it. There is no $\sigma_x$ to measure, no ELBO, and the weight of the KL is a matter of taste again.

## What to take along

There is a $\sigma_x$ in every Gaussian VAE. In "$c$ times the mean squared error plus $\beta$ times the KL", it is $\sigma_x^2 = \beta D/(2c)$. While $\sigma_x$ is fixed, $\beta$ is the same knob. So learn one shared $\sigma_x$, or compute it, and leave $\beta$ at 1. Check that it comes out as the RMSE of drawn reconstructions. For pictures, draw from a density that was fitted to the codes. Do not learn one for each pixel, unless something better than a clamp keeps it from falling.

A $\sigma_x$ that is far too large switches the code off. [Chapter 7](07_posterior_collapse.ipynb) is about that: how to see it, when it is the best that a model can do, and when it is an accident.

## Practise

[Exercises 6](exercises/06_learned_variance.ipynb) check what you write and name your mistake. A loss that can learn $\sigma_x$, the $\sigma_x$ that hides in a program, the floor under grey pixels, and what a constant pixel earns.

## The checks
"""

# %% tags=["hide-input"]
summary()
