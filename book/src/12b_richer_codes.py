# %% [markdown]
r"""
# 12b · Richer codes

[The page before](12_sharper_pictures.ipynb) kept the encoder and changed the answer to $z$. Now $z$ itself changes: words from a codebook, two levels, or neighbours that say half of it. At the end stands the autoencoder of latent diffusion, as a sum of parts that you have seen.
"""

# %% tags=["hide-input"]
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence

from vae_course import plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, laplacian_variance, nearest_label_vote
from vae_course.exact.best_decoder import best_decoder
from vae_course.models import VAE, mlp
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("12b_richer_codes")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test = (F.avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14
detail = laplacian_variance(test).mean()


def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


def new_vae(latent_dim):
    torch.manual_seed(seed)
    vae = VAE((1, 14, 14), latent_dim, hidden=(128,), std=0.3)
    fit(vae, negative_elbo, train, steps=500, batch_size=128, lr=3e-3, seed=seed)
    return vae.requires_grad_(False)


def error(x, other):  # squared, summed over pixels: (batch,)
    return (x - other).square().flatten(1).sum(1)


def vote(pictures):
    return nearest_label_vote(pictures.clamp(0, 1), train, digits.train_labels)


def unanimous(pictures):
    return (vote(pictures).share == 1).double().mean().item()


def measure(pictures):
    right = (vote(pictures).label == digits.test_labels).double().mean().item()
    fine = (laplacian_variance(pictures).mean() / detail).item()
    return error(test, pictures).mean().item(), fine, unanimous(pictures), right


four, sixteen = new_vae(4), new_vae(16)
elbo = {name: vae.elbo(test) for name, vae in {"four": four, "sixteen": sixteen}.items()}
z4, z16 = (sample_posterior(*vae.encode(test)) for vae in (four, sixteen))
rebuilt = {"VAE, 4 latents": four.decode(z4).mean, "VAE, 16 latents": sixteen.decode(z16).mean}
plotting.rows(
    {"picture": test[:12]} | {name: pictures[:12] for name, pictures in rebuilt.items()},
    caption="Test digits, and their reconstructions by VAEs with 4 and with 16 latents, both with σₓ = 0.3.",
    alt="Three rows of twelve small digits. The second row is soft and often another digit, the third less soft and mostly right.",
)

# %% [markdown]
r"""
More latents carry more nats, and the pictures are both sharper and more often right. That is the direction of this page: *more nats*, or the same nats *better spent*.

**After this page you can**

- build a codebook, send a gradient through it, and count its nats;
- say what each of two levels of latents carries, and why the data do not care;
- say what a decoder that sees neighbours leaves to $z$;
- read the loss of latent diffusion's autoencoder as a sum.

## A codebook

In a **VQ-VAE** ([van den Oord et al. 2017](https://arxiv.org/abs/1711.00937)) $z$ is a row of words from a finite **codebook**. "No more Gaussian, no more blur", you can read. The smallest way to build one is **finite scalar quantization**, FSQ ([Mentzer et al. 2023](https://arxiv.org/abs/2309.15505)): let each of 8 numbers be between −2 and 2, and round it. That makes 5 levels each, and $5^8$ codes.

Rounding has no slope: it is flat, with jumps. The remedy is the **straight-through** gradient ([Bengio et al. 2013](https://arxiv.org/abs/1308.3432)): round on the way forward, and on the way back pretend that you had not.
"""


# %%
class Codebook(nn.Module):
    straight_through = True

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = mlp([196, 128, 8]), mlp([8, 128, 196])

    def code(self, x):  # (batch, 8), each -2, -1, 0, 1 or 2
        y = 2 * self.encoder(x.flatten(1)).tanh()
        return y + (y.round() - y).detach() if self.straight_through else y.round()

    def forward(self, x):
        return self.decoder(self.code(x) / 2).view_as(x)


# %% tags=["hide-input"]
books = {}
for name, straight in {"straight through": True, "no slope": False}.items():
    torch.manual_seed(seed)
    books[name] = Codebook()
    books[name].straight_through = straight
    fit(books[name], lambda m, x: error(x, m(x)).mean(), train, steps=500, lr=2e-3, seed=seed)
    books[name].requires_grad_(False)
    print(f"{name}: error {error(test, books[name](test)).mean():.2f}")

# %% [markdown]
r"""
Without the trick the encoder stays as it was at the start, and the decoder makes the best of it.

Now the **rate**. How many nats does a code cost? At most $8 \log 5 = 12.9$, if all codes are taken for equally likely. With better odds it costs less: the average of $-\log p(k)$ over the codes $k$ of new pictures. The odds are a **prior**, fitted to the codes after training. We take two: each number by itself, by how often it occurs; and each number given those before it, by a small network. The second is **autoregressive**, and you can draw from it.
"""


# %% tags=["hide-input"]
class CodePrior(nn.Module):
    def __init__(self):
        super().__init__()
        self.nets = nn.ModuleList(mlp([1 + 5 * j, 32, 5]) for j in range(8))

    def logits(self, j, k):  # of number j, given k (batch, 8), of which it sees the first j
        before = F.one_hot(k[:, :j].long(), 5).float().flatten(1)
        return self.nets[j](F.pad(before, (1, 0), value=1))

    def nats(self, k):  # -log p(k): (batch,)
        each = [
            F.cross_entropy(self.logits(j, k), k[:, j].long(), reduction="none") for j in range(8)
        ]
        return torch.stack(each).sum(0)

    def sample(self, n):
        k = torch.zeros(n, 0)
        for j in range(8):
            k = torch.cat([k, torch.multinomial(self.logits(j, k).softmax(1), 1)], 1)
        return k


book = books["straight through"]
k, new_k = book.code(train) + 2, book.code(test) + 2  # 0 to 4
torch.manual_seed(seed)
prior = CodePrior()
fit(prior, lambda net, k: net.nats(k).mean(), k, steps=200, batch_size=256, lr=5e-3, seed=seed)

# %%
often = F.one_hot(k.long(), 5).double().mean(0)  # (8, 5)
nats = {"equal": 8 * math.log(5)}
nats["each by itself"] = -often.log().gather(1, new_k.T.long()).sum(0)
nats["autoregressive"] = prior.requires_grad_(False).nats(new_k)
rates = {name: torch.as_tensor(value).mean().item() for name, value in nats.items()}

# %% tags=["hide-input"]
rebuilt["codebook"] = book(test)
rates |= {
    f"VAE, {n} latents": elbo[name].kl.mean().item() for name, n in (("four", 4), ("sixteen", 16))
}
rates["codebook"] = rates["autoregressive"]
found = {name: measure(pictures) for name, pictures in rebuilt.items()}

apart = torch.stack([torch.multinomial(often[j], 1_000, replacement=True) for j in range(8)], 1)
drawn = {"equal": torch.randint(5, (1_000, 8)), "each by itself": apart}
drawn["autoregressive"] = prior.sample(1_000)
drawn = {name: book.decoder((k - 2).float() / 2).view(-1, 1, 14, 14) for name, k in drawn.items()}
clear = {name: unanimous(pictures) for name, pictures in drawn.items()}
print("nats:", {name: round(rates[name], 2) for name in drawn})
print("unanimous:", {name: round(share, 2) for name, share in clear.items()})
for name, (e, s, *_) in found.items():
    print(f"{name:16s} {rates[name]:5.2f} nats, error {e:.2f}, sharpness {s:.2f}")

off = found["codebook"][0]
untaught = error(test, books["no slope"](test)).mean() / off
claim("Error, no slope over straight through", untaught, at_least=1.15)
claim("Nats, equal - each by itself", rates["equal"] - rates["each by itself"], at_least=0.1)
difference = estimate(nats["each by itself"] - nats["autoregressive"])
claim("Nats, each by itself - autoregressive", difference.mean, at_least=0.2)
claim("... in standard errors", difference.mean / difference.standard_error, at_least=5)
better = clear["autoregressive"] - clear["each by itself"]
claim("Unanimous draws, autoregressive - each by itself", better, at_least=0.04)
claim(
    "Error, codebook over VAE of 16", off / found["VAE, 16 latents"][0], at_least=0.8, at_most=1.15
)
alike = found["codebook"][1] / found["VAE, 16 latents"][1]
claim("Sharpness, codebook over VAE of 16", alike, at_least=0.8, at_most=1.35)
spent = rates["codebook"] - rates["VAE, 16 latents"]
claim("Nats, codebook - VAE of 16", spent, at_least=0.3, at_most=5)

plotting.rows(
    {"picture": test[:12]}
    | {name: pictures[:12] for name, pictures in rebuilt.items()}
    | {f"drawn: {name}": pictures[:12] for name, pictures in drawn.items()},
    caption="Test digits and reconstructions by three models; and pictures of codes drawn from three priors over the codebook.",
    alt="Seven rows of twelve digits. The second is soft; the third and fourth are less soft, alike, and closer to the first. "
    "In the fifth and sixth most are blends; in the last more can be read.",
)

# %% [markdown]
r"""
A codebook is not sharp because it is discrete. At about the same error it is about as sharp as a Gaussian VAE, and needs a few more nats, with its best prior. (Neither was tuned, and the VAE's prior is still $\mathcal{N}(0, I)$. A real sender of VAE codes would need a trick to reach that rate.) What it does bring: codes that you can count, and a prior over them that is easy to fit. Draws live by that prior.

The words of a VQ-VAE are vectors that are learned, and each code takes the nearest. That needs two more terms in the loss and care that all words get used. The gradient and the rate are the ones above.

## Two levels

Let $z_1$ have a prior that depends on another latent: $z_2 \sim \mathcal{N}(0, I)$, then $z_1 \sim p(z_1 \mid z_2)$, then $x$. The KL falls into two parts, one for each level:

$$\mathrm{KL}\big(q(z_2 \mid x) \,\Vert\, p(z_2)\big) + \mathbb{E}_{q(z_2 \mid x)}\, \mathrm{KL}\big(q(z_1 \mid x, z_2) \,\Vert\, p(z_1 \mid z_2)\big).$$

What does each level carry? Take the smallest case, one number per level and all linear:

$$z_1 = a\, z_2 + \sqrt{1 - a^2}\, \varepsilon, \qquad x = \sqrt{\lambda - \sigma_x^2}\; z_1 + \sigma_x\, \varepsilon'.$$

Then $z_1$ has variance 1 and $x$ variance $\lambda$, whatever $a$ is. With the exact posterior the KLs are pieces of information: together $\tfrac12 \log(\lambda / \sigma_x^2)$, and the top level gets

$$I(x; z_2) = -\tfrac12 \log\Big(1 - a^2\, \frac{\lambda - \sigma_x^2}{\lambda}\Big).$$
"""

# %%
lam, var = 1.0, 0.1
w = math.sqrt(lam - var)
x = math.sqrt(lam) * torch.randn(20_000).double()
levels = {}
for a in (0.0, 0.3, 0.6, 0.9, 0.99):
    top = Normal(a * w * x / lam, math.sqrt(1 - (a * w) ** 2 / lam))  # q(z2 | x)
    z2 = top.sample()
    below = Normal(a * z2, math.sqrt(1 - a**2))  # p(z1 | z2)
    v = 1 / (1 / (1 - a**2) + w**2 / var)
    low = Normal(v * (a * z2 / (1 - a**2) + w * x / var), math.sqrt(v))  # q(z1 | x, z2)
    log_x = Normal(w * low.sample(), math.sqrt(var)).log_prob(x)
    kls = kl_divergence(top, Normal(0.0, 1.0)), kl_divergence(low, below)
    levels[a] = *kls, log_x - kls[0] - kls[1]
    print(
        f"a = {a}: "
        + "top {:.2f}, below {:.2f}, ELBO {:.3f}".format(*(t.mean() for t in levels[a]))
    )

# %% tags=["hide-input"]
evidence = Normal(0.0, math.sqrt(lam)).log_prob(x).mean()
for a, (on_top, below, bound) in levels.items():
    information = -0.5 * math.log(1 - (a * w) ** 2 / lam)
    five = 5 * estimate(on_top).standard_error + 1e-9
    claim(f"a = {a}: KL on top", on_top.mean(), equals=information, within=five)
    five = 5 * estimate(on_top + below).standard_error
    total = 0.5 * math.log(lam / var)
    claim(f"a = {a}: both", (on_top + below).mean(), equals=total, within=five)
    five = 5 * estimate(bound).standard_error
    claim(f"a = {a}: ELBO", bound.mean(), equals=evidence.item(), within=five)

# %% [markdown]
r"""
The ELBO is the same for every $a$, and equal to $\log p(x)$: so the data cannot tell which $a$ is right. All can be on the lower level, or nearly all on the top. *What a level carries* is settled by how you build and train, and not by the pictures.

Now digits, with four latents on top and twelve below, against one level of sixteen. The two KLs are on the page above, in code:
"""


# %%
pair = nn.ModuleDict(
    {"to top": mlp([196, 128, 8]), "to low": mlp([196 + 4, 128, 24])}
    | {"prior": mlp([4, 64, 24]), "decoder": mlp([4 + 12, 128, 196])}
)


def normal(network, inputs):
    mean, log_std = network(torch.cat(inputs, 1)).chunk(2, 1)
    return Normal(mean, log_std.exp())


def terms(pair, x):  # both KLs and the reconstruction term, each (batch,)
    top = normal(pair["to top"], [x])  # q(z2 | x)
    z2 = top.rsample()
    low, prior = normal(pair["to low"], [x, z2]), normal(pair["prior"], [z2])
    decoded = pair["decoder"](torch.cat([z2, low.rsample()], 1))
    kl2, kl1 = kl_divergence(top, Normal(0.0, 1.0)), kl_divergence(low, prior)
    return kl2.sum(1), kl1.sum(1), gaussian_log_likelihood(x, decoded, math.log(0.3))


# %% tags=["hide-input"]
def two_level_loss(pair, x):
    kl2, kl1, reconstruction = terms(pair, x)
    return (kl2 + kl1 - reconstruction).mean()


def shown_through(levels, x):  # with one level, z1 is drawn from its prior
    z2 = normal(pair["to top"], [x]).sample()
    low = normal(pair["to low"], [x, z2]) if levels == 2 else normal(pair["prior"], [z2])
    return pair["decoder"](torch.cat([z2, low.sample()], 1)).view(-1, 1, 14, 14)


how = {"steps": 500, "batch_size": 128, "lr": 3e-3, "seed": seed}
fit(pair, two_level_loss, train.flatten(1), **how)
pair.requires_grad_(False)
kl2, kl1, reconstruction = terms(pair, test.flatten(1))
print(
    f"top {kl2.mean():.2f}, below {kl1.mean():.2f} nats; one level {rates['VAE, 16 latents']:.2f}"
)
rates["two levels"] = (kl2 + kl1).mean().item()
parts = {"both levels": shown_through(2, test.flatten(1))}
parts |= {f"top only, draw {i}": shown_through(1, test.flatten(1)) for i in (1, 2)}
found["two levels"] = measure(parts["both levels"])
alone = measure(parts["top only, draw 1"])
gain = (reconstruction - kl2 - kl1 - elbo["sixteen"].total).mean()
print(f"ELBO, two levels - one: {gain:.2f}")
claim("ELBO, two levels - one", gain, at_least=-2, at_most=2.5)
claim("Nats on top", kl2.mean(), at_least=1)
claim("Nats below", kl1.mean(), at_least=2)
claim("Error, top only over both levels", alone[0] / found["two levels"][0], at_least=1.3)
claim("Right digit, both levels - top only", found["two levels"][3] - alone[3], at_least=0.1)
claim("Right digit, top only (a guess: 0.1)", alone[3], at_least=0.15)
plotting.rows(
    {"picture": test[:12]} | {name: pictures[:12] for name, pictures in parts.items()},
    caption="Test digits; reconstructions through both levels; and twice the top level of each picture, with the "
    "lower level drawn from its prior.",
    alt="Four rows of twelve digits. The second is like the first, softer. The third and fourth differ from each other and "
    "from the first; some keep the digit, more only its rough shape.",
)

# %% [markdown]
r"""
The top level alone keeps something of the digit, and draws the rest anew. That is what "coarse to fine" looks like when nothing forces it. And the ELBO is within two nats or so of that of one level: in five hundred steps, little is gained. Levels pay where they are many and the pictures large ([Vahdat & Kautz 2020](https://arxiv.org/abs/2007.03898), [Child 2021](https://arxiv.org/abs/2011.10650)). Each level has a prior that depends on those above it: it is a better prior, as a diffusion is, which has a thousand of them.

## A decoder that looks at neighbours

The last cure goes to the second cause of chapter 9: given $z$, each pixel was drawn by itself, so a full sample is noisy. Let each pixel be drawn *given those before it*:

$$p_\theta(x \mid z) = \prod_i p_\theta(x_i \mid x_{<i}, z).$$

This is an **autoregressive** decoder, as in PixelVAE ([Gulrajani et al. 2017](https://arxiv.org/abs/1611.05013)). One network computes all factors at once, if a mask cuts each connection from a pixel to itself or to later ones ([Germain et al. 2015](https://arxiv.org/abs/1502.03509)). We take black and white digits of 7 × 7 pixels, so that a full sample *is* a picture. Each pixel has four hidden numbers that see the `window` pixels before it.
"""


# %%
def logits(model, x, z):  # of each pixel, from the pixels before it and z
    seen = model["see"].weight * model.before  # zero where it must not look
    hidden = F.linear(x, seen, model["see"].bias)
    if "hear" in model:
        hidden = hidden + model["hear"](z)
    return F.linear(hidden.relu(), model["out"].weight * model.own, model["out"].bias)


def masks(window):
    place = torch.arange(49).repeat_interleave(4)  # of 196 hidden numbers
    back = place[:, None] - torch.arange(49)  # how far back each pixel lies: (196, 49)
    return ((back > 0) & (back <= window)).float(), (back == 0).float().T


# %% tags=["hide-input"]
small, small_test = ((F.avg_pool2d(p, 2) > 0.3).float().flatten(1) for p in (train, test))


def neighbours(window, latents=4):
    model = nn.ModuleDict({"see": nn.Linear(49, 196), "out": nn.Linear(196, 49)})
    model.before, model.own = masks(window)
    if latents:
        model["encoder"], model["hear"] = mlp([49, 64, 2 * latents]), mlp([latents, 64, 196])
    return model


def two_terms(model, x):  # reconstruction term and KL, each (batch,)
    zero = torch.zeros(len(x), 2)
    mean, log_std = (model["encoder"](x) if "encoder" in model else zero).chunk(2, 1)
    logit = logits(model, x, sample_posterior(mean, log_std))
    log_x = -F.binary_cross_entropy_with_logits(logit, x, reduction="none")
    return log_x.sum(1), kl_standard_normal(mean, log_std)


def drawn_from(model, n):  # pixel by pixel
    x, z = torch.zeros(n, 49), torch.randn(n, 4)
    for i in range(49):
        x[:, i] = torch.bernoulli(logits(model, x, z)[:, i].sigmoid())
    return x


def neighbours_loss(model, x):
    log_x, kl = two_terms(model, x)
    return (kl - log_x).mean()


strong = {}
for name, how in {"0": (0,), "8": (8,), "all": (49,), "all, no z": (49, 0)}.items():
    torch.manual_seed(seed)
    strong[name] = neighbours(*how)
    for lr, steps in ((5e-3, 500), (5e-4, 150)):
        fit(strong[name], neighbours_loss, small, steps=steps, batch_size=128, lr=lr, seed=seed)
    strong[name].requires_grad_(False)


draws = {name: drawn_from(model, 14) for name, model in strong.items()}
bounds, carried = {}, {}
print("pixels seen    ELBO    KL")
for name, model in strong.items():
    log_x, kl = two_terms(model, small_test)
    bounds[name], carried[name] = log_x - kl, kl.mean().item()
    print(f"{name:10s}{bounds[name].mean():9.2f}{carried[name]:6.2f}")
claim("KL, sees 0 - sees all", carried["0"] - carried["all"], at_least=0.3)
claim("KL, sees 8 - sees all", carried["8"] - carried["all"], at_least=0.05)
claim("KL, sees all", carried["all"], at_least=0.02)
more = estimate(bounds["all"] - bounds["0"])
claim("ELBO, sees all - sees 0, in standard errors", more.mean / more.standard_error, at_least=5)
without = (bounds["all"] - bounds["all, no z"]).mean()
claim("ELBO, sees all: with z - without", without, at_least=-0.7, at_most=0.5)
plotting.rows(
    {"test digits": small_test[:14].view(-1, 1, 7, 7)}
    | {f"sees {name}": x[:14].view(-1, 1, 7, 7) for name, x in draws.items()},
    caption="Digits of 7 × 7 black and white pixels, and full samples, no means, of four models that see 0, 8, and all pixels "
    "before the one they draw; the last has no z at all.",
    alt="Five rows of fourteen coarse digits, all with ragged strokes and some single dots. In the last row a few more of them can be "
    "read.",
)

# %% [markdown]
r"""
With all earlier pixels in sight the ELBO is better than with none, and $z$ carries less. Of the samples the eye sees little difference at this size: half a nat is not much to look at. That is the price: a decoder that can draw without $z$ will. Whatever $z$ says costs nats, and whatever the neighbours say is free. In the limit, where the decoder alone can be $p(x)$, the best KL is 0, which is [posterior collapse](07_posterior_collapse.ipynb) in the literature's main sense ([Bowman et al. 2016](https://arxiv.org/abs/1511.06349), [Chen et al. 2017](https://arxiv.org/abs/1611.02731)).

We have *not* seen that limit. In these runs the KL stays above 0, and with or without $z$ the ELBO is about the same. None has quite arrived.

## Everything in one plane
"""

# %% tags=["hide-input"]
figure, panels = plotting.figure(9.5, 3.6, columns=2)
weights, _ = best_decoder(z4, encode_all(four, train), train)
found["4 latents, one drawn"] = measure(train[torch.multinomial(weights, 1)[:, 0]])
rates["4 latents, one drawn"] = rates["VAE, 4 latents"]
for axis, column in zip(panels, (0, 1), strict=True):
    for (name, row), mark in zip(found.items(), "ov^X*", strict=True):
        axis.plot(rates[name], row[column], mark, label=name)
    axis.set(xlabel="rate, nats")
panels[0].set_ylabel("squared error")
panels[1].set_ylabel("sharpness, digits 1")
panels[0].legend(fontsize=10.5)
claim(
    "Error, 16 latents over 4",
    found["VAE, 16 latents"][0] / found["VAE, 4 latents"][0],
    at_most=0.9,
)
claim(
    "Sharpness, 16 latents over 4",
    found["VAE, 16 latents"][1] / found["VAE, 4 latents"][1],
    at_least=1.02,
)
plotting.show(
    figure,
    caption="Rate, squared error (left) and sharpness (right, that of digits is 1) of the models of this page. The star has the "
    "encoder of the point below or above it.",
    alt="Two plots over the rate, from about 6 to 12 nats. Left, the errors of the models fall with the rate; one drawn stands at "
    "nearly twice the error of four latents. Right, sharpness rises slowly with the rate; one drawn stands far above all.",
)

# %% [markdown]
r"""
Two directions. *More nats* move you to the right: less error, and sharper because more is known. *Another answer* moves you straight up: sharper, more error, nothing known that was not known before. The star is one drawn; pooled edges and the critic of the page before lie on the same vertical.

## Latent diffusion's autoencoder, as a sum

The first stage of latent diffusion ([Rombach et al. 2022](https://arxiv.org/abs/2112.10752)) minimises

$$\underbrace{\lVert x - \hat x \rVert_1}_{\text{pixels}} + \underbrace{\lVert \varphi(x) - \varphi(\hat x) \rVert^2}_{\text{perceptual}} + \underbrace{w \cdot \text{critic}}_{\text{adversarial}} + \underbrace{10^{-6}\, \mathrm{KL}}_{\text{or a codebook}}.$$

You have seen each part, or its small brother.

| part | what it does | where |
|---|---|---|
| many latents, a tiny KL | a rate so high that little is left open, so that there is little to invent | more nats, above |
| absolute error | a Laplace likelihood: the best answer is a *median*, which is as unsure as a mean | [chapter 6](06_learned_variance.ipynb) |
| perceptual term | **LPIPS** ([Zhang et al. 2018](https://arxiv.org/abs/1801.03924)): the features are layers of a network trained on photographs, pooled several times, so that they have a gap. Each position's features are brought to length 1, and each channel has a weight that was fitted to what people find alike | [pooled edges](12_sharper_pictures.ipynb) |
| critic | a **patch critic** ([Isola et al. 2017](https://arxiv.org/abs/1611.07004)): a convolutional network that says *real* or not for each patch, and not for the whole picture. So it asks for texture, and leaves the layout to the other terms. It invents where $z$ is silent | [second cure](12_sharper_pictures.ipynb) |
| weight $w$ | an **adaptive weight** ([Esser et al. 2021](https://arxiv.org/abs/2012.09841)): at each step the length of the other terms' gradient at the decoder's last layer, over that of the critic's, times a constant. So both pull about equally hard, whatever their units | new |
| codebook in place of the KL | codes that can be counted | above |
| a diffusion in $z$ | the prior, fitted afterwards | [chapter 11](11_prior.ipynb) |

So the pictures are sharp because of the rate first, and of the answer second. And the loss as a whole is no ELBO of any decoder. It is a recipe for a good *code*, and the density is learned in the second stage, over codes.

## What to take along

A codebook counts nats, and is no sharper. Two levels share a sum that the data fix, and a split that they do not. A decoder that looks at neighbours leaves $z$ less to say. Another answer makes a picture sharp, and only more nats make it sharp *and* right.

## Practise

[Exercises 12](exercises/12_sharper_pictures.ipynb) check what you write and name your mistake. With this page go the straight-through gradient, the rate of a codebook, the KL of two levels, and a mask.

## The checks
"""

# %% tags=["hide-input"]
summary()
