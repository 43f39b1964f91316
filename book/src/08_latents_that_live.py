# %% [markdown]
r"""
# 8 · Latents that live

[Chapter 7](07_posterior_collapse.ipynb) found a loss for which the best VAE uses no latent at all. With the right loss, which latents live, which do not, and what can you do about it? For a linear VAE the answer fits into one picture.
"""

# %% tags=["hide-input"]
import math

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from vae_course import exact, explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import active_units, encode_all, kl_per_latent, rate_distortion
from vae_course.models import VAE
from vae_course.objectives import kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("08_latents_that_live")
digits = load_images("digits", n_train=2_000, n_test=500, seed=seed)
pictures = avg_pool2d(digits.train, 2)  # 14 × 14
tiny = avg_pool2d(digits.train, 4)  # 7 × 7
eigenvalues, vectors = exact.spectrum(tiny.flatten(1))

made, (axes,) = plotting.figure(7.5, 2.8)
level = 0.3**2
above = eigenvalues[:25] > level
colours = [plotting.COLOURS[0] if lives else plotting.COLOURS[9] for lives in above]
axes.bar(range(1, 26), eigenvalues[:25], color=colours)
axes.axhline(level, color=plotting.COLOURS[5])
axes.text(25.5, level * 1.15, r"$\sigma_x^2$", color=plotting.COLOURS[5], ha="right")
axes.set(yscale="log", xlabel="direction in the space of pictures", ylabel="variance along it")
plotting.show(
    made,
    caption="How much digits of 7 × 7 pixels vary along each of their main directions (eigenvalues of the "
    "covariance). With σₓ = 0.3, a linear VAE spends a latent on each blue direction, and on no grey one.",
    alt="A bar chart on a logarithmic axis, falling from left to right. A horizontal line cuts it: the bars "
    "above are blue, those below grey.",
)

# %% [markdown]
r"""
**After this chapter you can**

- predict which latents stay alive: for two pictures, and for a linear VAE latent by latent;
- read a VAE as a point on a curve of rate and distortion;
- say what KL annealing can change, and what it cannot;
- say why a strong decoder switches its latents off, and what free bits cost.

## Two pictures, solved

With the sum over pixels in place, does a VAE always use its latents? No. It depends on $\sigma_x$, and for two pictures you can know exactly how.

Line 4 of [chapter 7's](07_posterior_collapse.ipynb) proof works with whole pictures in place of pixels. Let $\delta$ be what is painted minus the mean picture $\bar x$. Then $r = e^{\delta \cdot (x - \bar x) / \sigma_x^2 - \|\delta\|^2 / 2\sigma_x^2}$. Over the data, $\delta \cdot (x - \bar x)$ lies in an interval of width at most $\|\delta\|$ times the largest distance between two pictures. Hoeffding again:

> If no two pictures are further apart than $2\sigma_x$, collapse is the optimum, for every architecture. For *two* pictures, and any VAE that contains the linear one, the reverse holds as well: collapse is the optimum **if and only if** $\|x_1 - x_2\|^2 \le 4 \sigma_x^2$.

If the noise is as large as half their distance, telling them apart is not worth what it costs. (The reverse is proved in the next section. For two pictures, $\lambda_1$ is the square of half their distance.)

This also shows that the constant of chapter 7 cannot be improved. There, with $\sigma_x^2 = D/2c$ and pixels from an interval of width $u$, collapse was certain for $c\,u^2 \le 2$. Two flat pictures, one all 0 and one all $u$, are $u\sqrt D$ apart. By the theorem they collapse if and only if $u^2 D \le 4 \cdot D/2c$, that is $c\,u^2 \le 2$.

`fit_two_images` computes the best VAE with one latent for two pictures at a given half distance, in units of $\sigma_x$.
"""

# %%
halves = torch.linspace(0.5, 3.2, 55).tolist()
kls = [exact.fit_two_images(half).kl() for half in halves]

# %% tags=["hide-input"]
for c, least, most in ((1.9, 0, 1e-9), (2.1, 1e-4, 0.1)):
    half = math.sqrt(c / 2)  # of two flat pictures 1 apart, in units of σ_x, for any D
    found = exact.fit_two_images(half).kl()
    claim(f"Two flat pictures, c u² = {c}: best KL", found, at_least=least, at_most=most)
furthest = torch.pdist(pictures[:1000].flatten(1)).max() ** 2 / 196
claim("Digits: largest mean squared difference", furthest, at_most=0.7)

# %% [markdown]
r"""
Now train. We take two digits and three values of $\sigma_x$, such that half their distance is 0.8, 2 and 3 times that. A batch holds each picture 64 times, so that the draws of $z$ average out. Below the threshold the output must be the average. Above it, each picture must get its own.
"""


# %% tags=["hide-input"]
def rms(difference):
    return difference.detach().square().mean().sqrt().item()


def new(latent_dim=10, shape=(1, 14, 14), hidden=(64,), std=1.0):
    torch.manual_seed(seed)
    return VAE(shape, latent_dim, hidden=hidden, std=std)


def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


def train(model, loss, images, steps, lr=4e-3, batch_size=128):
    # The last third of the steps is ten times smaller. That settles the weights.
    for rate, share in ((lr, steps - steps // 3), (lr / 10, steps // 3)):
        fit(model, loss, images, steps=share, lr=rate, seed=seed, batch_size=batch_size)
    return model.eval()


# %%
pair = torch.stack([pictures[digits.train_labels == label][0] for label in (3, 7)])
average = pair.mean(0, keepdim=True).expand_as(pair)
two, shown = {}, [pair]
for half in (0.8, 2, 3):
    model = new(1, hidden=(32,), std=(pair[0] - average[0]).norm().item() / half)
    train(model, negative_elbo, pair.repeat(64, 1, 1, 1), 270, lr=1e-2)
    two[half] = kl_per_latent(model, pair).item()
    shown.append(model.reconstruct(pair))

# %% tags=["hide-input"]
unit = rms(pair - average)
for (half, found), outputs in zip(two.items(), shown[1:], strict=True):
    known = exact.fit_two_images(half).kl()
    claim(f"{half}: KL, nats", found, equals=known, within=0.15)
    near, far = (average, pair) if half < 1 else (pair, average)
    claim(f"{half}: off what is predicted", rms(outputs - near) / unit, at_most=0.3)
    claim(f"{half}: off the alternative", rms(outputs - far) / unit, at_least=0.7)

made, (axis, sheet) = plotting.figure(9.5, 3.2, columns=2, width_ratios=(1.4, 1))
axis.plot(halves, kls, label="exact optimum")
axis.plot(list(two), list(two.values()), "o", label="trained")
axis.set(xlabel=r"half distance, in $\sigma_x$", ylabel="KL in nats")
axis.legend()
plotting.draw_tiles(sheet, torch.stack(shown, 1).flatten(0, 1), 4, "the pair, then 0.8, 2, 3")
plotting.show(
    made,
    caption="Left: the KL that a VAE pays to tell two pictures apart. Right: two pictures, and "
    "what comes out at half distances of 0.8, 2 and 3.",
    alt="Left, a curve that is zero up to a half distance of one, has a corner there and rises to about "
    "0.9 nats at three; three trained points lie near it. Right, two digits above each other, then "
    "their average twice, then twice the two digits as they were.",
)

# %% [markdown]
r"""
Turn $\sigma_x$ by hand, and watch the two outputs meet at half the distance. ([Chapter 6](06_learned_variance.ipynb) has such a knob for many digits and ten latents. And a VAE that trains while you turn it: [Two pictures at the threshold](playground.ipynb).)
"""

# %% tags=["hide-input"]
explorer.two_images(*pair, caption="The best VAE for these two, solved in the page at each move.")

# %% [markdown]
r"""
## Latent by latent: the linear VAE

Collapse need not be total. Usually *some* latents are collapsed. For one model you can say which: the linear VAE of [chapter 3](03_elbo.ipynb), with $p(x \mid z) = \mathcal{N}(Wz + b, \sigma_x^2 I)$. Let the covariance of the pictures have the eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots$, as in PCA.

How does a latent begin to live? Let it point along eigenvector $j$ with a small strength $s$, and ask which way training pushes $s$. There are two slopes.

- The encoder says nothing yet: the slope of the ELBO in $s$ is $-s/\sigma_x^2$. *Shrink.* A decoder that listens to noise only makes errors.
- The encoder gives the best answer: the ELBO is $\log p(x)$, and its slope is $\frac{s}{s^2 + \sigma_x^2} \bigl( \frac{\lambda_j}{s^2 + \sigma_x^2} - 1 \bigr)$. For small $s$ this says *grow* if $\lambda_j > \sigma_x^2$, and else shrink.

It grows until $s^2 + \sigma_x^2 = \lambda_j$. So latent $j$ is active if and only if $\lambda_j > \sigma_x^2$, and at the optimum

$$\operatorname{KL}_j = \tfrac12 \log \frac{\lambda_j}{\sigma_x^2} \quad \text{if } \lambda_j > \sigma_x^2, \text{ else } 0$$

([Tipping & Bishop 1999](https://doi.org/10.1111/1467-9868.00196), [Lucas et al. 2019](https://arxiv.org/abs/1911.02469)). To test it, we make pictures whose eigenvalues we know: 1, 1/4, 1/16 and so on, along the first five eigenvectors of digits of 7 × 7 pixels. Then we train a `VAE` without hidden layers, by `fit` like any other, at three values of $\sigma_x^2$: above the first eigenvalue, and between the next ones. In brackets we print what was known before.
"""

# %%
strengths = 4.0 ** -torch.arange(5).double()
made = exact.source_with_spectrum(2_000, strengths, vectors[:, :5], torch.zeros(49))
made = made.float().reshape(-1, 1, 7, 7)

for variance, steps in ((2, 90), (1 / 2, 150), (1 / 8, 600)):
    model = new(4, (1, 7, 7), (), std=math.sqrt(variance))
    train(model, negative_elbo, made, steps, lr=4e-2, batch_size=1000)
    kl = kl_per_latent(model, made).sort(descending=True).values
    known = exact.optimal_kl(strengths, variance)[:4]
    alive = (strengths > variance).sum()
    name = f"Variance {variance}"
    print(name, *(f"{a:.3f} ({b:.3f})" for a, b in zip(kl, known, strict=True)))
    claim(f"{name}: active latents", active_units(model, made), equals=alive, within=0)
    claim(f"{name}: largest error of a KL_j", (kl - known).abs().max(), at_most=0.1)

# %% [markdown]
r"""
None, one, two: the latents come to life in order.

## Rate and distortion

Each $\sigma_x$ gives a trade: so many nats of KL for so much squared error. Call the mean KL the **rate** and the summed squared error of decoded draws the **distortion** ([Alemi et al. 2018](https://arxiv.org/abs/1711.00464)). Does the KL spoil the quality? Rate is traded for the distortion of reconstructions, and each VAE is one point in the plane of the two. A diffusion model is one, too. It is a VAE with many layers of latents, and its usual loss is such a bound with other weights on the terms ([Kingma et al. 2021](https://arxiv.org/abs/2107.00630)).

For pictures with a normal distribution Shannon knew the best curve. Pour water up to the level $h$ over the eigenvalues. What is under water is lost, what stands out is paid for:

$$\text{distortion} = \sum_j \min(h, \lambda_j), \qquad \text{rate} = \sum_j \max\Bigl(\tfrac12 \log \frac{\lambda_j}{h},\, 0\Bigr).$$

The best linear VAE is on it, with $h = \sigma_x^2$. Digits are not normally distributed, and a nonlinear VAE can make use of that.
"""


# %% tags=["hide-input"]
def over_curve(point):
    return point.rate / exact.gaussian_rate(eigenvalues, point.distortion)


straight, curved, bent = [], {}, []
for std in (0.15, 0.12):
    best = exact.fit_linear_vae(tiny.flatten(1), 30, std**2)
    straight.append(exact.linear_rate_distortion(best, tiny.flatten(1)))
    curved[std] = train(new(10, (1, 7, 7), (256,), std=std), negative_elbo, tiny, 450, lr=8e-3)
    bent.append(rate_distortion.measure(curved[std], tiny, n_samples=4))
    name = f"σ_x = {std}, rate over the curve's"
    claim(f"{name}, best linear VAE", over_curve(straight[-1]), equals=1, within=1e-6)
    claim(f"{name}, nonlinear", over_curve(bent[-1]), at_most=1)

# %% [markdown]
r"""
Here is the water. It stands at $\sigma_x^2 = 1$, the popular choice, and covers all eigenvalues of the digits. Bring the latents back, one after the other. On the logarithmic axis, what stands out of the water is $\log(\lambda_j / h)$, twice the $\operatorname{KL}_j$. So you see what each latent costs.
"""

# %% tags=["hide-input"]
explorer.water_level(
    tiny,
    others={"nonlinear VAE": bent},
    caption="The best linear VAE for digits of 7 × 7 pixels, at each σₓ². A latent paints with its column of "
    "W, which shrinks as the water rises; where it is grey, the latent changes nothing. The curve is "
    "Shannon's, with the linear VAE on it, and two nonlinear ones that were trained with σₓ = 0.15 and 0.12.",
)

# %% [markdown]
r"""
## Annealing: another way, the same optimum

A popular remedy is **KL annealing** ([Bowman et al. 2016](https://arxiv.org/abs/1511.06349)): put a weight $\beta$ on the KL, begin with $\beta = 0$, and raise it to 1. Can it cure the patient of chapter 7, with its mean over pixels ($c = 1$)? You know the answer before you run it. At the end $\beta = 1$, and the optimum is collapsed. Annealing changes the way. It does not change the optimum.
"""


# %%
def annealed_loss(c, betas):
    def loss(model, x):
        posterior = model.encode(x)
        decoded = model.decode(sample_posterior(*posterior)).mean
        error = (x - decoded).square().flatten(1).mean(1)  # mean over pixels: (batch,)
        kl = kl_standard_normal(*posterior)
        return {"loss": (c * error + next(betas) * kl).mean(), "kl": kl.mean()}

    return loss


def anneal(c, images, zero, rising, steps, *size):
    betas = [0.0] * zero + torch.linspace(0, 1, rising).tolist() + [1.0] * steps
    model = new(*size)
    loss = annealed_loss(c, iter(betas))
    return model, fit(model, loss, images, steps=steps, lr=4e-3, seed=seed)["kl"]


patient, kl = anneal(1, pictures, 50, 50, 220)

# %% tags=["hide-input"]
claim("c = 1, annealed: largest KL on the way", kl.max(), at_least=10)
claim("c = 1, annealed: KL at the end", kl_per_latent(patient, pictures).sum(), at_most=0.01)

# %% [markdown]
r"""
The KL rises to tens of nats and then falls to nothing. A high KL in the first steps promises nothing. (Watch it rise and fall: [Annealing, and the same end](playground.ipynb).)

So where could annealing help? Where the optimum is alive, and the straight way misses it. Here is such a case. Take 25 pictures of 5 × 5 pixels, each black but for one white pixel. The eigenvalues of their covariance are 1/25 (and one 0), and we choose $\sigma_x^2 = 1/20$, above all of them. So no *small* step out of the collapsed state pays, and the best linear VAE is collapsed. But a nonlinear VAE can take a *large* step. To say which picture it is costs about $\log 25 = 3.2$ nats. It saves nearly all of $\frac{1}{2\sigma_x^2} \cdot 0.96 = 9.6$ nats, where 0.96 is the squared error of the mean picture. So there are at most 6.4 nats to gain over the mean picture. We measure how many a VAE finds, in some hundred steps.
"""

# %%
dots = torch.eye(25).reshape(25, 1, 5, 5).repeat(5, 1, 1, 1)
kls, gain = {"digits, $c = 1$, annealed": kl}, {}
for name, zero, rising in (("plain", 0, 0), ("annealed", 80, 120)):
    model, kls[f"dots, {name}"] = anneal(250, dots, zero, rising, 340, 3, (1, 5, 5))
    rate, distortion = rate_distortion.measure(model, dots, n_samples=20)
    gain[name] = 10 * (0.96 - distortion) - rate
print(*(f"{name:8} {nats:5.2f} nats gained" for name, nats in gain.items()), sep="\n")

# %% tags=["hide-input"]
claim("Dots, plain: nats gained", gain["plain"], equals=0, within=0.3)
claim("Dots, annealed: nats gained", gain["annealed"], at_least=1, at_most=9.6 - math.log(25))

plotting.curves(
    kls,
    xlabel="step",
    caption="The KL in nats, with annealing and without.",
    alt="Three curves over training steps. Left, a rise to tens of nats in the first 50 steps, then a "
    "steep fall to zero. Middle, a small bump far below one nat that decays to zero. Right, a rise to "
    "three or four nats that stays there.",
)

# %% [markdown]
r"""
Plain training sits in a trap: small steps cost, so it stays with the mean picture. Annealing comes from the other side, from codes that are all different, and finds a better place, though not yet the best. That is what we have shown, for pictures made to show it. So eigenvalues tell you when collapse is *stable*. Only for a linear VAE do they tell you when it is *best*.

## A decoder that does not need you

So far latents died because $\sigma_x$ was large. In the literature, posterior collapse mostly means another death, first seen in models of text ([Bowman et al. 2016](https://arxiv.org/abs/1511.06349), [Chen et al. 2017](https://arxiv.org/abs/1611.02731)). There the decoder writes one letter after the other, and *looks at those it has written*. Such a decoder is called **autoregressive**. If it is strong enough, it models $p(x)$ alone. Then a nat of KL can at best save a nat elsewhere, and with a normal $q$ it mostly saves less. So $z$ has nothing to gain by speaking.

Watch it happen. The data are rows of twelve black or white pixels. The first is black or white with even chances, and each next one is like its neighbour with a chance of 0.9. That is all there is to know, so the best possible $\log p(x)$ is known, too: minus the **entropy** of these rows, the average of $-\log p(x)$ over them. It is $\log 2$ for the first pixel and 0.325 nats for each of the others.

The decoder turns $z$ into twelve logits. Then it may add something for pixels to the left that it sees: none, or one neighbour.
"""

# %%
flips = torch.rand(20_000, 12) < torch.tensor([0.5] + [0.1] * 11)
chain = flips.cumsum(1).remainder(2).float()  # (20 000, 12), 0 or 1


class ChainVAE(nn.Module):
    """Two latents, and a decoder that sees `reach` pixels to the left."""

    def __init__(self, reach):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))
        self.decoder = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 12))
        self.left = nn.Parameter(torch.zeros(12, 12))
        sees = torch.ones(12, 12).tril(-1).triu(-reach)  # row k: what pixel k may see
        self.register_buffer("sees", sees)

    def terms(self, x):
        """log p(x|z), (batch,), and the KL of each latent, (batch, 2); in nats."""
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        logits = self.decoder(z) + (2 * x - 1) @ (self.sees * self.left).T
        error = binary_cross_entropy_with_logits(logits, x, reduction="none")
        kl = 0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std
        return -error.sum(1), kl


# %% tags=["hide-input"]
def chain_loss(model, x, floor=0.0):
    log_p, kl = model.terms(x)
    return kl.mean(0).clamp(min=floor).sum() - log_p.mean()


@torch.no_grad()
def trained_chain(reach, steps, floor=0.0):
    """(ELBO, KL of each latent), averaged over the rows, in nats."""
    torch.manual_seed(seed)
    model = ChainVAE(reach)
    with torch.enable_grad():
        for lr, n in ((1e-2, steps), (1e-3, 300)):
            loss = lambda m, x: chain_loss(m, x, floor)  # noqa: E731
            fit(model, loss, chain, steps=n, batch_size=256, lr=lr, seed=seed)
    log_p, kl = model.terms(chain.repeat(5, 1))
    return (log_p.mean() - kl.sum(1).mean()).item(), kl.mean(0)


known = -math.log(2) + 11 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1))
chains = {
    "sees nothing": trained_chain(0, 900),
    "sees one neighbour": trained_chain(1, 2_700),
    "one neighbour, free bits": trained_chain(1, 2_700, floor=0.5),
}
print(f"best possible log p(x): {known:.2f} nats")
for name, (bound, kl) in chains.items():
    print(f"{name:25s} ELBO {bound:6.2f}   KL of each latent {[round(k, 2) for k in kl.tolist()]}")
(blind, blind_kl), (seeing, seeing_kl), (free, free_kl) = chains.values()
claim("Sees nothing: KL, nats", blind_kl.sum(), at_least=1)
claim("Sees nothing: ELBO below the best possible", known - blind, at_least=0.3)
claim("Sees one neighbour: KL, nats", seeing_kl.sum(), at_most=0.15)
claim("... ELBO below the best possible", known - seeing, equals=0, within=0.1)
claim("Free bits of ½ nat: largest KL_j off the floor", (free_kl - 0.5).abs().max(), at_most=0.1)
claim("... their price, nats", seeing - free, at_least=0.01, at_most=0.3)

# %% tags=["hide-input"]
plotting.bars(
    {
        f"{name}: {what}": round(value, 2) + 0.0  # and no -0.00
        for name, (bound, kl) in chains.items()
        for what, value in (("KL", kl.sum().item()), ("short of the best", known - bound))
    },
    [plotting.COLOURS[place] for place in (0, 1) * 3],
    xlabel="nats",
    caption="The three decoders of rows of pixels: what their latents say, and how far their ELBO is below "
    "the best possible log p(x).",
    alt="Six bars in pairs. The decoder that sees nothing has a large KL and is clearly short of the best. "
    "The one that sees a neighbour has nearly none of either. With free bits the KL is about one nat, and "
    "what is missing is small.",
)

# %% [markdown]
r"""
The decoder that sees nothing needs its latents, and pays for them. The one that sees its neighbour reaches the best possible ELBO, with a KL near zero. (It comes down slowly: little is lost while $z$ still says something. So this one was trained three times as long.) Nothing is broken here. *As a density* this is the better model. But if you wanted a code of the picture, you have none.

What can you do? Weaken the decoder: let it see less. That is the cleanest way, and it is what decoders with independent pixels do anyway. Or change the loss. **Free bits** ([Kingma et al. 2016](https://arxiv.org/abs/1606.04934)) charge a latent only for what it costs beyond a floor, $\max(\text{floor}, \operatorname{KL}_j)$ with the KL averaged over the batch. Below the floor nothing pushes it down. With a floor of ½ nat, each latent ends at ½ nat, as the last line shows. Here that is cheap: what $z$ says, the decoder need not find out from the neighbour. But report the ELBO with the real KL. And do not expect too much. Free bits see to it that a latent *says* something. What it says is not for you to choose.

## No KL at all

What if you leave the KL out? Do similar inputs then go to different places, with zero variance? Half of it is true. The variance does go to zero: nothing is left that pays for $\sigma_j > 0$, and the VAE becomes an autoencoder. But similar pictures still get similar codes, because the encoder is smooth.

The pictures drawn from the prior suffer, because nothing keeps the codes where the prior looks for them. We measure how far a drawn picture is from the nearest training picture, relative to how far reconstructions are.
"""


# %%
free, test = new(10, (1, 7, 7), (256,), std=0.12), avg_pool2d(digits.test, 4)
train(free, lambda model, x: -model.elbo(x, beta=0.0).total.mean(), tiny, 250)

# %% tags=["hide-input"]
mean, log_std = encode_all(free, test)
noise = log_std.exp().mean() / mean.std(0).mean()
claim("β = 0: std of a posterior, in units of the cloud's", noise, at_most=0.02)
similar = torch.cdist(test.flatten(1), test.flatten(1)).fill_diagonal_(math.inf).argmin(1)
near = (mean - mean[similar]).norm(dim=1).mean() / (mean - mean.roll(1, 0)).norm(dim=1).mean()
claim("β = 0: codes of similar pictures apart, in units of any two", near, at_most=0.7)


def astray(made):
    return torch.cdist(made.flatten(1), tiny.flatten(1)).amin(1).mean()


both = (free, curved[0.12])
ratios = [astray(vae.sample(500, noise=False)) / astray(vae.reconstruct(test)) for vae in both]
claim("Draws astray, β = 0 in units of β = 1", ratios[0] / ratios[1], at_least=1.2)

# %% [markdown]
r"""
(The other extreme, a large weight on the KL ([Higgins et al. 2017](https://openreview.net/forum?id=Sy2fzU9gl)), is the same knob as a large $\sigma_x$: [chapter 6](06_learned_variance.ipynb).)

## What to take along

Two pictures are told apart if half their distance is more than $\sigma_x$. A latent of a linear VAE lives if its eigenvalue is more than $\sigma_x^2$, and costs ½ log of the ratio. A nonlinear VAE can do better, and for it eigenvalues say only whether collapse is stable. Annealing changes the way, not the optimum. A decoder that looks at its own output may need no latents, and then the optimum has none.

So before you call a dead latent a failure, ask what it would have to be worth.

## Practise

[Exercises 8](exercises/08_latents_that_live.ipynb) check what you write and name your mistake. Predict the two-picture threshold before you run it, say which latents will live, find a point on Shannon's curve, design an annealing schedule, and write free bits.

## The checks
"""

# %% tags=["hide-input"]
summary()
