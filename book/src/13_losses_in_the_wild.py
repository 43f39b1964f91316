# %% [markdown]
r"""
# 13 · Losses in the wild

Here is a true story. A program of 2017 switches a mean off: `criterion.size_average = False`. So it adds a *sum* over pixels to the KL, as the ELBO says. Torch has changed since, and today that line has no effect. It raises no error and gives no warning. Not one character of the program is different, and it trains another loss.
"""

# %% tags=["hide-input"]
import math
from textwrap import fill

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import avg_pool2d

from vae_course import doctor, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.exact import spectrum
from vae_course.training import fit

seed = begin("13_losses_in_the_wild")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test = (avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14


def total(terms):
    return terms.flatten(1).sum(1)  # (batch,)


def kl(m, s):  # s is log σ²
    return total(m**2 + s.exp() - 1 - s) / 2


def cross(x, y):  # y is the chance of white
    return total(F.binary_cross_entropy(y, x, reduction="none"))


class Small(nn.Module):
    def __init__(self, d=16):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(196, 128), nn.ReLU())
        self.heads = nn.Linear(128, 2 * d)  # mean and log σ²
        layers = nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 196), nn.Sigmoid()
        self.decode = nn.Sequential(*layers, nn.Unflatten(1, (1, 14, 14)))

    def forward(self, x):
        m, s = self.heads(self.body(x)).chunk(2, 1)
        return self.decode(m + (s / 2).exp() * torch.randn_like(m)), m, s


def trained(loss):
    # The same network, digits, order of batches and first weights, whatever the loss is.
    torch.manual_seed(seed)
    model = Small()
    fit(model, lambda m, x: loss(x, *m(x)), train, steps=600, batch_size=128, lr=3e-3, seed=seed)
    return model.requires_grad_(False)


def draws(model, n=12):
    torch.manual_seed(seed)
    return model.decode(torch.randn(n, 16))


program = {
    "the sum, as of 2017": trained(lambda x, y, m, s: (cross(x, y) + kl(m, s)).sum()),
    "the mean, as of today": trained(
        lambda x, y, m, s: F.binary_cross_entropy(y, x) + kl(m, s).sum()
    ),
}
plotting.rows(
    {name: draws(model) for name, model in program.items()},
    caption="Draws from two small VAEs, trained on the same digits with the same random numbers. One loss "
    "sums over the pixels, the other takes their mean.",
    alt="Two rows of twelve small pictures. In the upper row many strokes can be seen, and some digits. In "
    "the lower row all twelve are the same grey blot.",
)

# %% tags=["hide-input"]
criterion = nn.BCELoss()
criterion.size_average = False
x, y = test[:4], 0.8 * test[:4] + 0.1
ratio = cross(x, y).sum() / criterion(y, x)
claim("Sum over what the switched criterion gives", ratio, equals=4 * 196, within=0.1)
spread = {name: draws(model, 200).var(0).mean().sqrt() for name, model in program.items()}
sums, means = spread.values()
claim("A pixel's σ from draw to draw, the mean over the sum", means / sums, at_most=0.4)

# %% [markdown]
r"""
You could not see this in the code. You *can* see it in the numbers that the loss returns. In every VAE's loss stand a noise $\sigma_x$ and a weight $\beta$, whether or not anybody wrote them down. In this chapter you read them off twenty-eight losses of code that many people use.

**After this chapter you can**

- read off a loss the $\sigma_x$ and the $\beta$ that it stands for, without reading its code;
- say before training whether any latent can pay;
- tell a choice from a slip, and repair the slip.

Most of what you will meet is right. It takes courage to publish code, and nobody finds the slips in code that nobody publishes. We wrote each loss anew in one line, with the sizes of its source, and copied none. We say first what is right, and what the authors say themselves.

## Two numbers are enough

A loss $\mathcal{L}$ gets pictures $x$, the decoder's answer $y$, and the encoder's $m$ and $s$ (a mean and a spread). Change $y$ alone, and see how much $\mathcal{L}$ grows for each unit of squared error. Call that $c$. Change $m$ alone, from 0 to 1 in each of $d$ latents. The KL grows by $d/2$ nats. How much $\mathcal{L}$ grows for each of them is $b$.

So this part of the loss is $c\,\lVert x - y\rVert^2 + b\,\mathrm{KL}$. Divide by $b$, which moves no minimum, and compare with the Gaussian's negative log-likelihood $\lVert x - y\rVert^2 / 2\sigma_x^2$:

$$\sigma_x^2 = \frac{b}{2c}.$$

Without a declared $\sigma_x$ there is no $\beta$ to be read: the two are one knob ([chapter 6](06_learned_variance.ipynb)). With a cross-entropy in place of the squares it is the other way round. A Bernoulli has no $\sigma_x$, so

$$\beta = \frac{b}{c}.$$

With absolute errors you get the scale $b/c$ of a Laplace distribution. And the trick is in what we do *not* ask: whether somebody wrote a sum or a mean, over what, and where a constant stands. All that is in $b$ and $c$.
"""


# %%
def squares(x, y):
    return total((x - y) ** 2)


def absolute(x, y):
    return total((x - y).abs())


def read(term, shape, d, loss, batch=1):
    x, y, far = torch.rand(3, 1, *shape).double().repeat_interleave(batch, 1)
    m, s = torch.zeros(batch, d).double(), torch.full((batch, d), 0.5).double()
    rise = loss(x, far, m, s) - loss(x, y, m, s)
    c = rise / (term(x, far) - term(x, y))[0]
    b = (loss(x, y, m + 1, s) - loss(x, y, m, s)) / (d / 2)
    return (b / (2 * c)).sqrt() if term is squares else b / c


# %% [markdown]
r"""
A batch of one example makes a sum and a mean over the batch the same, so that question waits. (`batch` repeats the example.) Try it on a digit, with three losses and many answers $y$: some noise on the digit, a little or a lot.
"""

# %% tags=["hide-input"]
THREE = {
    "sum of squares + KL": lambda x, y, m, s: (squares(x, y) + kl(m, s)).mean(),
    "mean of squares + 0.00025 KL": lambda x, y, m, s: F.mse_loss(y, x) + 0.00025 * kl(m, s).mean(),
    "mean of squares + KL": lambda x, y, m, s: F.mse_loss(y, x) + kl(m, s).mean(),
}
x, zero = test[:1].double(), torch.zeros(1, 16).double()
answers = [x + size * torch.randn_like(x) for size in torch.logspace(-2, 0, 25)]
errors = torch.cat([squares(x, y) for y in answers])
made, (axes,) = plotting.figure(6.5, 2.8)
for (name, loss), colour in zip(THREE.items(), (0, 9, 5), strict=True):
    b = (loss(x, x, zero + 1, zero) - loss(x, x, zero, zero)) / 8
    rises = torch.stack([loss(x, y, zero, zero) - loss(x, x, zero, zero) for y in answers])
    price, found = rises / b, read(squares, (1, 14, 14), 16, loss).item()
    each = price / errors
    claim(f"{name}: price, most over least", each.max() / each.min(), equals=1, within=1e-6)
    claim(f"{name}: its σ", found, equals=(errors / price / 2).sqrt().mean(), within=1e-6)
    label = f"{name}: $\\sigma_x$ = {found:.2g}"
    axes.plot(errors, price, ".", color=plotting.COLOURS[colour], label=label)
axes.set(xscale="log", yscale="log", xlabel="squared error, summed", ylabel="its price, nats of KL")
axes.set_ylim(2e-5, 1e8)
axes.legend(loc="upper left")
plotting.show(
    made,
    caption="What three losses charge for a squared error, in nats of KL, for 25 answers of a decoder each. The price of "
    "one unit of error is 1/2σₓ².",
    alt="A plot with two logarithmic axes. Three parallel rows of dots rise from left to right: the highest is that of "
    "the mean with a small weight, the lowest that of the mean with none.",
)
# fmt: off

# %% [markdown]
r"""
Whatever the answer is, a loss charges the same for each unit of error: $c/b$ nats of KL. The mean makes errors almost free.

## Twenty-eight losses

Each entry below holds the decoder's term, the size of a picture and the number of latents in the source, and the loss. A spread `s` is $\log\sigma^2$ where nothing else is said. Our formula for the KL wants that, so it gets `2 * s` where an encoder gives $\log\sigma$, and `2 * s.log()` where it gives $\sigma$ itself.
"""

# %%
bce, mse, l1 = F.binary_cross_entropy, F.mse_loss, F.l1_loss
std, log_std, log_var = ({"spread": name} for name in ("std", "log_std", "log_var"))
WILD = {
    "pytorch/examples": (cross, (1, 28, 28), 20, lambda x, y, m, s:
        (cross(x, y) + kl(m, s)).sum()),
    "Keras's blog": (cross, (784,), 2, lambda x, y, m, s:
        784 * bce(y, x) + kl(m, s).mean()),
    "Pyro": (cross, (1, 28, 28), 50, lambda x, y, m, s:
        (cross(x, y) + kl(m, 2 * s.log())).sum(), std),
    "wiseodd": (cross, (784,), 100, lambda x, y, m, s:
        cross(x, y).sum() / 64 + kl(m, s).mean()),
    "pythae": (squares, (1, 28, 28), 16, lambda x, y, m, s:
        (squares(x, y) / 2 + kl(m, s)).mean()),
    "world models": (squares, (3, 64, 64), 32, lambda x, y, m, s:
        squares(x, y).sum() + kl(m, 2 * s).sum(), log_std),
    "σ-VAE": (None, (3, 28, 28), 20, lambda x, y, m, s:
        x[0].numel() / 2 * mse(y, x).log() + kl(m, s).mean()),
    "BCQ": (squares, (6,), 12, lambda x, y, m, s:
        mse(y, x) + 0.5 * (kl(m, 2 * s.log()) / 12).mean(), std),
    "latent diffusion": (absolute, (3, 64, 64), 256, lambda x, y, m, s:
        (absolute(x, y) + 1e-6 * kl(m, s)).mean(), {"beta": 1e-6}),
    "capacity": (None, (1, 64, 64), 10, lambda x, y, m, s:
        cross(x, y).mean() + 1000 * (kl(m, s).mean() - 25).abs()),
}

# %%
WILD |= {
    "homework": (squares, (1, 28, 28), 2, lambda x, y, m, s:
        mse(y, x) + 1e-3 * kl(m, s).mean()),
    "Bolts": (squares, (3, 32, 32), 256, lambda x, y, m, s:
        mse(y, x) + 0.1 * (kl(m, s) / 256).mean()),
    "book, faces": (squares, (3, 32, 32), 200, lambda x, y, m, s:
        2000 * mse(y, x) + kl(m, s).mean()),
    "book, clothes": (cross, (1, 32, 32), 2, lambda x, y, m, s:
        500 * bce(y, x) + kl(m, s).mean()),
    "PyTorch-VAE": (squares, (3, 64, 64), 128, lambda x, y, m, s:
        mse(y, x) + 0.00025 * kl(m, s).mean()),
    "podgorskiy": (squares, (3, 128, 128), 512, lambda x, y, m, s:
        mse(y, x) + 0.1 * (kl(m, s) / 512).mean()),
}

# %%
WILD |= {
    "ACT": (absolute, (100, 14), 32, lambda x, y, m, s:
        l1(y, x) + 10 * kl(m, s).mean()),
    "flax's toy": (cross, (28, 28), 32, lambda x, y, m, s:
        bce(y, x) + 0.1 * (kl(m, 2 * s.log()) / 32).mean(), std),
    "fast.ai": (cross, (784,), 200, lambda x, y, m, s:
        bce(y, x) + (kl(m, s) / 200).mean()),
    "Keras's book": (cross, (1, 28, 28), 2, lambda x, y, m, s:
        bce(y, x) + 5e-4 * kl(m, s).mean()),
    "molecules": (cross, (120, 35), 292, lambda x, y, m, s:
        120 * bce(y, x) + (kl(m, s) / 292).mean()),
}

# %%
WILD |= {
    "PyTorch-VAE, 1": (squares, (3, 64, 64), 128, lambda x, y, m, s:
        mse(y, x) + kl(m, s).mean()),
    "WorldModels": (squares, (3, 64, 64), 32, lambda x, y, m, s:
        10 * mse(y, x) + (kl(m, s) / 32).mean()),
    "sksq96": (cross, (3, 64, 64), 32, lambda x, y, m, s:
        cross(x, y).sum() + (kl(m, s) / 32).mean()),
    "σ-VAE, mse": (squares, (3, 28, 28), 20, lambda x, y, m, s:
        mse(y, x) + kl(m, s).sum()),
    "bhpfelix, now": (cross, (3, 64, 64), 32, lambda x, y, m, s:
        bce(y, x) + kl(m, s).sum()),
    "avandekleut": (squares, (1, 28, 28), 2, lambda x, y, m, s:
        (squares(x, y) + total((2 * s).exp() + m**2 - s - 0.5)).sum(), log_std),
    "deepchem": (cross, (120, 35), 196, lambda x, y, m, s: (cross(x, y)
        + total(m**2 + s**2 - (s**2 + 1e-20).log() - 1) / 392).mean(), log_var),
}

# %% [markdown]
r"""
Now read them all. And because two numbers are not everything, the [doctor](doctor.md) looks as well: `check_loss` calls a loss some hundred times with made-up numbers, and says what it finds.
"""

# %%
numbers, reports = {}, {}
for name, (term, shape, d, loss, *how) in WILD.items():
    numbers[name] = read(term, shape, d, loss).item() if term else None
    declared = how[0] if how else {}
    reports[name] = doctor.check_loss(loss, shape, (d,), **declared)

# %% tags=["hide-input"]
# fmt: on
FORM = {cross: "β = {:.3g}", squares: "σ = {:.3g}", absolute: "b/c = {:.3g}", None: "-"}


def told(report):
    found = [f.name for f in report.findings if f.severity != "note"]
    return ", ".join(found) if found else "nothing"


print(f"{'':18}{'pixels':>7}{'latents':>8}   {'it stands for':16}the doctor finds")
for name, (term, shape, d, *_) in WILD.items():
    number = FORM[term].format(numbers[name])
    print(f"{name:18}{math.prod(shape):>7}{d:>8}   {number:16}{told(reports[name])}")

# %% tags=["hide-input"]
BETA, SIGMA = "β, the KL's weight", "σ that the loss stands for"
ours = {
    name: numbers[name] for name in WILD if BETA in reports[name].measurements and numbers[name]
}
at_64 = read(*WILD["wiseodd"][:4], batch=64).item()
ours["wiseodd"] = at_64  # made for batches of 64
theirs = {name: reports[name].measurements for name in ours}
off = [abs(theirs[n][BETA] * theirs[n].get(SIGMA, 1) / ours[n] - 1) for n in ours]
claim("Losses with one number", len(off), equals=25, within=0)
claim("The doctor's number over ours, minus 1, at most", max(off), at_most=1e-6)
claim("wiseodd, at a batch of 64: β", at_64, equals=1, within=1e-9)

made, axes = plotting.figure(9, 4.2, columns=2)
for axis, kind, word in ((axes[0], squares, "$\\sigma_x$"), (axes[1], cross, "$\\beta$")):
    names = [n for n in ours if WILD[n][0] is kind]
    names.sort(key=ours.get, reverse=True)
    colours = [plotting.COLOURS[0 if reports[n].healthy else 5] for n in names]
    axis.scatter([ours[n] for n in names], range(len(names)), c=colours)
    axis.set_yticks(range(len(names)), names)
    axis.set(xscale="log", xlabel=word)
    axis.grid(axis="x", alpha=0.4)
axes[0].axvspan(0.05, 0.2, color="grey", alpha=0.25, linewidth=0)
axes[1].axvline(1, color="grey")
plotting.show(
    made,
    caption="Left, the σₓ of losses with squared errors; the grey band is what trained models err by, 0.05 to 0.2 a "
    "pixel. Right, the β of losses with a cross-entropy; the line is the ELBO. Orange: the doctor objects.",
    alt="Two panels of dots on logarithmic axes, one dot a program. On the left all lie right of the grey band, "
    "from 0.35 to 78. On the right four blue dots lie on the line, orange ones lie "
    "on both sides, from 0.03 to 12 288.",
)

# %% [markdown]
r"""
Our few lines and the doctor agree on every number. Now one by one.

### Right, and what to know about it

- [pytorch/examples](https://github.com/pytorch/examples/tree/main/vae), the code that most others come from, and [Keras's blog](https://github.com/nathanhubens/Autoencoders): $\beta = 1$. The second multiplies a mean by 784, which is a sum. Their pixels are grey, and a cross-entropy is made for black and white ([an open issue](https://github.com/pytorch/examples/issues/460) says so).
- [Pyro](https://github.com/pyro-ppl/pyro/tree/dev/examples/vae): $\beta = 1$, with an encoder that gives $\sigma$ itself. You write two distributions, and the library sums.
- [wiseodd](https://github.com/wiseodd/generative-models): a sum over the batch, divided by 64, plus a mean. Right with batches of 64. The last batch of an epoch may be smaller.
- [pythae](https://github.com/clementchadebec/benchmark_VAE): the Gaussian to the letter, with $\sigma_x = 1$.
- [world models](https://github.com/ctallec/world-models): both terms summed, $\log\sigma$ in the KL *and* in the draw. No half before the squares makes $\sigma_x = 1/\sqrt 2$.
- [σ-VAE](https://github.com/orybkin/sigma-vae-pytorch): the best $\sigma_x$ of each batch, so that the error's logarithm is what counts. Nothing is left to choose. This is the remedy of [chapter 6](06_learned_variance.ipynb), from the people who proposed it ([Rybkin et al. 2021](https://arxiv.org/abs/2006.13202)).
- [BCQ](https://github.com/sfujim/BCQ): two means and a half, over 6 numbers (here) and twice as many latents. It comes to $\sigma_x = 0.35$, whatever the size, since both means shrink alike.
- [Latent diffusion](https://github.com/CompVis/latent-diffusion): absolute errors and $10^{-6}$. The authors say that the regularisation is slight, and why: it keeps the codes within bounds, and a second model learns their distribution. Declared as `beta=1e-6`, the doctor has nothing to say.
- [A capacity](https://github.com/1Konny/Beta-VAE) of 25 nats, $\gamma\,|\mathrm{KL} - C|$, from [Burgess et al. 2018](https://arxiv.org/abs/1804.03599): no single $\beta$, and the doctor says that. Our two numbers would mislead: below 25 nats $b$ is *negative*.

### A σ that nobody chose

- A university's homework calls minus the mean squared error $\log p(x \mid z)$, and weighs the KL by 0.001. The KL's formula is right. Together: $\sigma_x = 0.63$ for 784 pixels.
- [Lightning Bolts](https://github.com/Lightning-Universe/lightning-bolts): two means and 0.1 make 0.77. The authors mark the module as under review.
- [A book](https://github.com/davidADSP/Generative_Deep_Learning_2nd_Edition) that has taught many: for faces, 2 000 times a mean of squares, $\sigma_x = 0.88$. For clothes, its `BETA = 500` multiplies the *mean of the cross-entropy*. Over 1 024 pixels that is a $\beta$ of 2.05.
- [PyTorch-VAE](https://github.com/AntixK/PyTorch-VAE), a collection of two dozen models in one style: 0.00025, explained as a correction for the minibatch. What it does is $\sigma_x = 1.24$ for its 12 288 numbers. [Six issues](https://github.com/AntixK/PyTorch-VAE/issues/11) ask where it comes from.
- [podgorskiy](https://github.com/podgorskiy/VAE): two means and 0.1 again, for pixels from −1 to 1. $\sigma_x = 2.2$: more than from black to white.

A network's error here is about 0.1. A $\sigma_x$ above it says: I forgive more than I must. The doctor lets the first three pass, for a $\sigma_x$ below 1 *may* be meant. It can object when it sees the error of a model, below.

### A weight that nobody chose

- [ACT](https://github.com/tonyzhaozh/act), a robot's policy: a mean of absolute errors plus 10 KL, which is $b/c = 14\,000$. The authors say that a larger weight lets less through $z$. At work they set $z = 0$, so a latent that says little may be what they want.
- [flax's toy example](https://github.com/google/flax/tree/main/examples/nnx_toy_examples) is honest about its pixels: black and white. Two means and 0.1 are $\beta = 2.45$. The same two means in a [lesson of fast.ai](https://github.com/fastai/course22p2) are 784 / 200 = 3.92.
- [Keras's book](https://github.com/fchollet/deep-learning-with-python-notebooks/issues/120): $\beta = 0.39$. [Molecules](https://github.com/maxhodak/keras-molecules/issues/59): 0.12.

Any of these may give fine pictures. But the number that is logged is no bound on $\log p(x)$, and with another picture size, or another $d$, the same line is another loss.

### Slips

- [PyTorch-VAE with weight 1](https://github.com/AntixK/PyTorch-VAE/issues/95), and [WorldModels](https://github.com/AppliedDataSciencePartners/WorldModels/issues/12): a mean for a sum. $\sigma_x$ is 78, and 4.4. The second writes 10 in front, which was not enough: its KL went to zero, and a reader found out why.
- [sksq96](https://github.com/sksq96/pytorch-vae): a sum against a mean, over latents *and* over the batch. $\beta$ is 1/32 in a batch of one, and smaller in a larger one.
- σ-VAE's option for a plain error: the reverse, a mean against a sum. In the repository's [twin](https://github.com/orybkin/sigma-vae-tensorflow/issues/2) the author says that it is wrong, and kept to show it.
- [bhpfelix](https://github.com/bhpfelix/Variational-Autoencoder-PyTorch): the program from the top. It was right when it was written.
- [avandekleut](https://github.com/avandekleut/avandekleut.github.io): a lovely tutorial, much copied. Its KL, $\sigma^2 + \mu^2 - \log\sigma - \frac12$, lacks two halves. It is least at $\sigma = 0.71$.
- [deepchem](https://github.com/deepchem/deepchem/pull/4888): $\mu^2 + s^2 - \log s^2 - 1$. Right if $s$ is $\sigma$. The argument is called `logvar`, and a pull request mends it.

The last two treat $\mu$ rightly, and $b$ sees nothing but $\mu$. So a loss needs a third question: is the KL *least* at the prior?
"""

# %%
s = torch.linspace(-2, 2, 401, dtype=torch.double)  # one latent
KLS = {
    "right, $s = \\log\\sigma^2$": (s.exp() - 1 - s) / 2,
    "avandekleut, $s = \\log\\sigma$": (2 * s).exp() - s - 0.5,
    "deepchem, $s = \\log\\sigma^2$": (s**2 - (s**2 + 1e-20).log() - 1) / 2,
}

# %% tags=["hide-input"]
made, (axes,) = plotting.figure(6.5, 2.8)
for (name, values), colour in zip(KLS.items(), (0, 9, 5), strict=True):
    axes.plot(s, values, color=plotting.COLOURS[colour], label=name)
axes.axvline(0, color="grey", linewidth=0.8)
axes.set(ylim=(-0.2, 3), xlabel="$s$, with $\\mu = 0$", ylabel="nats")
axes.legend()
right, blog, chemistry = KLS.values()
claim("The right KL is least at", s[right.argmin()], equals=0, within=1e-9)
claim("avandekleut's is least at", s[blog.argmin()], equals=-math.log(2) / 2, within=0.006)
claim("deepchem's is least at", s[chemistry.argmin()].abs(), equals=1, within=1e-9)
plotting.show(
    made,
    caption="Three terms that are called a KL, for one latent with mean 0. The grey line is where the prior is.",
    alt="Three curves. One has its lowest point, 0, on the grey line. One is lowest a little left of it. One rises "
    "without limit at the grey line, and is lowest on both sides of it.",
)

# %% [markdown]
r"""
The right one is least at $s = 0$, where $\sigma = 1$, and 0 there. The second is least at $\log\sigma = -0.35$. The third is least at −1 and at 1, and would be infinite at 0, but for the $10^{-20}$.

## Would it pass a wrong one?

A judge who never objects is no judge. So we break two right losses in five ways each, and ask the doctor again. One break cannot be seen in any value: a KL that is counted and gives no gradient.
"""

# %% tags=["hide-input"]
BROKEN = {
    "σ² counted twice": lambda m, s: total(m**2 + 2 * s.exp() - 1 - s) / 2,
    "log σ² with the wrong sign": lambda m, s: total(m**2 + s.exp() - 1 + s) / 2,
    "a mean over latents": lambda m, s: kl(m, s) / 16,
    "none": lambda m, s: 0 * kl(m, s),
    "no gradient": lambda m, s: kl(m, s).detach(),
}
RIGHT = {
    "cross-entropy": lambda kl: lambda x, y, m, s: (cross(x, y) + kl(m, s)).mean(),
    "squares": lambda kl: lambda x, y, m, s: (squares(x, y) / 0.08 + kl(m, s)).mean(),
}
passed = []
for term, whole in RIGHT.items():
    sound = doctor.check_loss(whole(kl), (1, 14, 14), (16,), spread="log_var")
    claim(f"{term}: findings on the right loss", told(sound) != "nothing", equals=0, within=0)
    for name, other in BROKEN.items():
        report = doctor.check_loss(whole(other), (1, 14, 14), (16,), spread="log_var")
        print(f"{term + ', ' + name:42}{told(report)}")
        if report.healthy:
            passed.append((term, name, report.measurements[SIGMA]))
claim("Broken losses that pass", len(passed), equals=1, within=0)
claim("squares, a mean over latents: its σ", passed[0][-1], equals=0.2 / 4, within=1e-6)

first = list(WILD)[:10]
claim(
    "Of the ten that are right, passed", sum(reports[n].healthy for n in first), equals=10, within=0
)
last = list(WILD)[-7:]
claim("Of the seven slips, passed", sum(reports[n].healthy for n in last), equals=0, within=0)
for name, slip in {"PyTorch-VAE, 1": "mean_for_sum", "avandekleut": "kl_missing_half"}.items():
    claim(f"{name}: named {slip}", slip in told(reports[name]), equals=1, within=0)

# %% [markdown]
r"""
Nine of ten are caught. The tenth *cannot* be: the squares had $\sigma_x = 0.2$, and a KL divided by 16 is the very same loss with $\sigma_x = 0.2 / \sqrt{16} = 0.05$. Nothing in its values tells the two apart. With squared errors and no constants, a wrong KL weight *is* a choice of $\sigma_x$. Only the model's error can say whether it was a good one.

## Six of them on the same digits

Now train. Six losses, one small network, the same 4 000 digits of 14 × 14 pixels, the same random numbers, 600 steps. The losses stay as they are, but $D = 196$ and $d = 16$ are new: so are the numbers they stand for.

Guess before you look. For which of them can a latent pay? You need one number of the data: how much the pictures vary along their main direction, $\lambda_1$. A linear VAE keeps a latent only if $\lambda_1 > \sigma_x^2$ ([chapter 8](08_latents_that_live.ipynb)).
"""

# %%
NAMES = "PyTorch-VAE, 1", "pythae", "homework", "σ-VAE", "latent diffusion"
models = {name: trained(WILD[name][3]) for name in NAMES}
models["pytorch/examples"] = program["the sum, as of 2017"]
largest = spectrum(train.flatten(1))[0][0].item()
print(f"λ₁ = {largest:.2f}: a linear VAE collapses above σ = {largest**0.5:.2f}")

# %% tags=["hide-input"]
measured, shown = {}, {}
for name, model in models.items():
    torch.manual_seed(seed)
    y, m, s = model(test)
    error = (test - y).square().mean().sqrt().item()
    active = (m.var(0) > 0.01).sum().item()
    moment = (m**2 + s.exp()).mean().item()
    measured[name] = kl(m, s).mean().item(), error, active, moment
    shown[name] = draws(model)
here = {n: read(WILD[n][0], (1, 14, 14), 16, WILD[n][3]).item() for n in models if WILD[n][0]}
print(f"{'':18}{'stands for':>16}{'rate':>8}{'RMSE':>8}{'active':>8}{'E(μ² + σ²)':>12}")
for name, (rate, error, active, moment) in measured.items():
    number = FORM[WILD[name][0]].format(here[name]) if name in here else f"σ = {error:.3g}"
    print(f"{name:18}{number:>16}{rate:8.2f}{error:8.3f}{active:8d}{moment:12.2f}")
plotting.rows(
    {"test pictures": test[:12]} | shown,
    caption="Above, test pictures. Below, twelve draws from each of the six.",
    alt="Seven rows of twelve. The first shows digits. In the rows of PyTorch-VAE with weight 1 and of pythae "
    "all pictures are one grey blot. The row of homework shows soft strokes, those of σ-VAE and "
    "pytorch/examples more of them, some like digits. In the row of latent diffusion strokes are dim and broken.",
)

# %% tags=["hide-input"]
rates, errors, active, moments = zip(*measured.values(), strict=True)
rate, error, active, moment = (
    dict(zip(measured, part, strict=True)) for part in (rates, errors, active, moments)
)
claim("PyTorch-VAE with weight 1: rate", rate["PyTorch-VAE, 1"], at_most=0.05)
claim("... active latents", active["PyTorch-VAE, 1"], equals=0, within=0)
claim("pythae's σ = 1: rate", rate["pythae"], at_most=0.5)
for more, less, least in (("homework", "pythae", 10), ("σ-VAE", "homework", 2)):
    claim(f"Rate, {more} over {less}", rate[more] / rate[less], at_least=least)
    claim(f"RMSE, {more} over {less}", error[more] / error[less], at_most=0.85)
claim("Rate, latent diffusion over σ-VAE", rate["latent diffusion"] / rate["σ-VAE"], at_least=2.5)
wide = error["latent diffusion"] / error["σ-VAE"]
claim("RMSE, latent diffusion over σ-VAE", wide, at_least=1.1)
claim("Latent diffusion: E(μ² + σ²)", moment["latent diffusion"], at_least=3)
for name in ("homework", "pytorch/examples"):
    claim(f"{name}: E(μ² + σ²)", moment[name], at_least=0.8, at_most=1.25)

# %% [markdown]
r"""
Read the table from the top.

- **$\sigma_x = 9.9$**: nothing in $z$. Each draw is the mean picture.
- **$\sigma_x = 1$**: every formula is right, and $z$ says next to nothing, as $\lambda_1$ foretold. It is no slip. It is a noise that is larger than what there is to say.
- **$\sigma_x = 0.31$**: digits appear, in draws, too. On 28 × 28 pixels the same line meant 0.63.
- **σ-VAE** found its $\sigma_x$ by itself. It has the smallest error of all.
- **$10^{-6}$**: five times the nats of σ-VAE or so, and yet a *larger* error: it is trained on absolute errors, and 600 steps are not enough for it. $\mathbb{E}(\mu^2 + \sigma^2)$ is far from 1. So $\mathcal{N}(0, I)$ is not where its codes are, and draws from it are poor. Its authors do not draw from it: first the codes are scaled, then a second model learns them ([chapter 11](11_prior.ipynb)).
- **pytorch/examples** has no $\sigma_x$, and its row cannot be put in this order. Its draws look like the homework's.

You could have said most of this before training, from two numbers and $\lambda_1$.

## With a model, the doctor says more

`check_loss` let the homework pass: a $\sigma_x$ below 1 may be somebody's choice. Show the doctor the trained model, and it compares $\sigma_x$ with the error that the model makes.
"""

# %%
model = models["homework"]
report = doctor.examine(
    lambda x: model.heads(model.body(x)).chunk(2, 1),
    model.decode,
    train,
    WILD["homework"][3],
    spread="log_var",
    most=1000,
)
print(report.findings[0].title)
print(fill(report.findings[0].evidence, 80))

# %% tags=["hide-input"]
claim("The homework, trained: healthy", report.healthy, equals=0, within=0)
claim("... its first finding", report.findings[0].name == "mean_for_sum", equals=1, within=0)

# %% [markdown]
r"""
## How to mend one

| You have | Write |
|---|---|
| a mean over pixels, or over latents | `.flatten(1).sum(1).mean()`: a sum over each example, a mean over the batch |
| squared errors without a $\sigma_x$ | the best one: $\frac{D}{2} \log$ of the mean squared error ([chapter 6](06_learned_variance.ipynb)) |
| a weight that you chose | the same weight, *declared*: in the text, in the table, in `beta=` |
| a KL by hand | a test of three lines: 0 at the prior, above 0 beside it, and equal to `torch.distributions.kl_divergence` |
| a flag of a library | a test of one line: the loss of a picture against its own negative |

The last line would have caught the program at the top.

## What to take along

A VAE's loss can be read without its code. Two differences give $b$ and $c$, and they give $\sigma_x = \sqrt{b/2c}$ or $\beta = b/c$. A mean is a weight that changes with the size of the picture. With squared errors a weight is a $\sigma_x$, and nothing tells a slip from a choice but the error of a model. A KL has to be least at the prior. And whoever publishes a loss should publish these two numbers with it.

## Practise

[Exercises 13](exercises/13_losses_in_the_wild.ipynb) check what you write and name your mistake. Read $\sigma_x$ and $\beta$ off losses, repair one, and write one that the doctor passes.

## The checks
"""

# %% tags=["hide-input"]
summary()
