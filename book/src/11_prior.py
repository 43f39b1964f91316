# %% [markdown]
r"""
# 11 · The prior's hole, and latent diffusion

A trained VAE reconstructs well, and draws badly. In this chapter you keep its encoder and its decoder, and learn only one thing anew, the prior. Draws get better, the bound on $\log p(x)$ rises, and you can say by how many nats. At the end of that road stands the system that makes most pictures today: latent diffusion.
"""

# %% tags=["hide-input"]
import math
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import digit_score, encode_all, estimate, nearest_label_vote
from vae_course.models import VAE, Autoencoder, Flow, FullGaussian, GaussianMixture, mlp
from vae_course.models.priors import Velocity
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.train.shipped import load_shipped
from vae_course.training import fit

seed = begin("11_prior")
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)
train, test = (F.avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14
d = 8  # latents


def new_vae(loss, epochs):
    torch.manual_seed(seed)
    made = VAE((1, 14, 14), d, hidden=(256,), std=0.1)
    fit(made, loss, train, epochs=epochs, batch_size=128, lr=2e-3, seed=seed)
    return made.requires_grad_(False)


vae = new_vae(lambda model, x: -model.elbo(x).total.mean(), 12)
plotting.rows(
    {
        "digits": test[:12],
        "reconstructed": vae.reconstruct(test[:12]),
        "drawn from $N(0, I)$": vae.sample(12, noise=False),
    },
    caption="Test digits, what a VAE with 8 latents makes of them, and what it makes of draws from its prior.",
    alt="Three rows of twelve digits. The first two show the same digits, the second a little softer. In "
    "the third row few can be read; most are mixtures of strokes.",
)

# %% [markdown]
r"""
**After this chapter you can**

- say in nats how much a better prior can gain, and prove that reconstructions pay nothing for it;
- climb a ladder of priors, from one number to a flow, and measure each rung on pictures that were not used to fit it;
- read a diffusion model as a VAE with many levels;
- read the first stage of latent diffusion as a likelihood, and say what its scale factor 0.18215 is;
- ask for one digit, and say how many nats the label is worth.

## The hole is a number

In [chapter 2](02_from_ae_to_vae.ipynb) you met the **prior hole**: codes of pictures and draws from the prior do not lie in the same places. Now we give it a number.

Encode all pictures, and draw one code for each. The distribution of these codes is the **aggregate posterior** $q(z)$, the average of $q(z \mid x)$ over pictures. Write the KL as an expectation over $z \sim q(z \mid x)$, subtract $\log q(z)$ and add it again. The average over pictures is then

$$\overline{\operatorname{KL}}\bigl(q(z \mid x) \,\|\, p(z)\bigr) = \underbrace{\mathbb{E} \log \frac{q(z \mid x)}{q(z)}}_{I(x;\, z)} + \underbrace{\mathbb{E} \log \frac{q(z)}{p(z)}}_{\operatorname{KL}(q(z) \,\|\, p(z))}$$

([Hoffman & Johnson 2016](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf), and [chapter 4](04_analytic_kl.ipynb)). The first term says how much the codes tell about the pictures. The prior does not occur in it. The second term is the hole. So take the same encoder and decoder, and another prior $p'$. The reconstruction term stays. The ELBO rises by

$$\operatorname{KL}(q \,\|\, p) - \operatorname{KL}(q \,\|\, p') = \mathbb{E}_{q(z)} \bigl[ \log p'(z) - \log p(z) \bigr].$$

To measure it you need codes of test pictures, and two densities. You do not need $q(z)$. And no prior gains more than the whole hole, $\operatorname{KL}(q \,\|\, p)$.

First where all is known: the best linear VAE ([chapter 8](08_latents_that_live.ipynb)), for data with a normal distribution. Along a direction with variance $\lambda$ its code has the mean $x \sqrt{\lambda - \sigma_x^2} / \lambda$ and the variance $\sigma_x^2 / \lambda$. All codes together are exactly $\mathcal{N}(0, 1)$. There is no hole, so we make one. Stretch each code by $s$, shift it by $m$, and let the decoder undo both. The hole must then be $\operatorname{KL}(\mathcal{N}(m, s^2) \,\|\, \mathcal{N}(0, 1))$, and $I$ what it was, $\frac12 \log (\lambda / \sigma_x^2)$.
"""

# %%
variances, noise = torch.tensor([2.0, 0.9]), 0.2  # λ of two directions, and σₓ²
x = variances.sqrt() * torch.randn(50_000, 2)
mean, std = x * (variances - noise).sqrt() / variances, (noise / variances).sqrt()
stretch, shift = torch.tensor([2.0, 0.5]), torch.tensor([1.0, -0.3])

q = Independent(Normal(stretch * mean + shift, stretch * std), 1)  # q(z|x), moved
aggregate = Independent(Normal(shift, stretch), 1)  # q(z), exactly
standard = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
z = q.sample()
fitted = MultivariateNormal(z.mean(0), z.T.cov())
nats = {
    "mean KL": kl_divergence(q, standard),
    "I(x; z)": q.log_prob(z) - aggregate.log_prob(z),
    "the hole": aggregate.log_prob(z) - standard.log_prob(z),
    "gain of a Gaussian": fitted.log_prob(z) - standard.log_prob(z),
}
print({name: round(values.mean().item(), 2) for name, values in nats.items()})


# %% tags=["hide-input"]
def agrees(text, values, exactly):
    # Claim that the mean of the values is what it must be, within five standard errors.
    found = estimate(values)
    claim(text, found.mean, equals=exactly, within=5 * found.standard_error)


due = {
    "I(x; z)": 0.5 * (variances / noise).log().sum(),
    "the hole": kl_divergence(aggregate, standard),
}
due["mean KL"], due["gain of a Gaussian"] = sum(due.values()), due["the hole"]
for name, values in nats.items():
    agrees(f"Linear VAE: {name}", values, due[name])

colours = [plotting.COLOURS[k] for k in (9, 0, 1, 2)]
plotting.bars(
    {name: values.mean().item() for name, values in nats.items()},
    colours,
    xlabel="nats",
    caption="The linear VAE with its codes moved. What the codes tell and the hole add up to the mean KL, "
    "and a Gaussian prior gains all of the hole.",
    alt="Four horizontal bars: mean KL 3.57, I(x; z) 1.9, the hole 1.67, gain of a Gaussian 1.67.",
)

# %% [markdown]
r"""
The Gaussian that was fitted to the codes gains the whole hole. Here it is the right family. For digits nobody tells us the right family. So we try several.

## The ladder

Each rung is a distribution over codes. Fit it to the codes of *training* pictures. Then measure what it gains on codes of *test* pictures, and decode draws from it. The first rungs are normal distributions:

1. $\mathcal{N}(0, I)$, where we start.
2. One scale $s$ for all latents: $\mathcal{N}(0, s^2 I)$.
3. A mean and a scale for each latent. This is re-scaling, from [chapter 2](02_from_ae_to_vae.ipynb).
4. Mean and covariance: the best Gaussian there is.
"""

# %%
q, q_test = encode_all(vae, train), encode_all(vae, test)
z, codes = sample_posterior(*q), sample_posterior(*q_test)


def gaussian_rungs(z):
    zero, eye = torch.zeros(z.shape[1]), torch.eye(z.shape[1])
    return {
        "N(0, I)": MultivariateNormal(zero, eye),
        "one scale": MultivariateNormal(zero, z.square().mean() * eye),
        "per latent": MultivariateNormal(z.mean(0), z.var(0).diag()),
        "full Gaussian": MultivariateNormal(z.mean(0), z.T.cov()),
    }


rungs = gaussian_rungs(z)


# %% tags=["hide-input"]
def timed(build, *how):
    torch.manual_seed(seed)
    start = time.perf_counter()
    return build(*how), time.perf_counter() - start


# %% [markdown]
r"""
Rung 5 is a **mixture of Gaussians**, a weighted sum of $K$ of them. You fit it in turns, by **expectation maximisation** ([Dempster et al. 1977](https://doi.org/10.1111/j.2517-6161.1977.tb01600.x)). First ask for each code how likely each component has made it. Then give each component the mean and covariance of the codes it has made. Each turn cannot lower the likelihood of its codes. We have more than one code per picture, so each turn gets a fresh draw.
"""


# %%
def fit_mixture(posterior, components, turns=12):
    z = sample_posterior(*posterior)
    means = z[torch.randperm(len(z))[:components]]  # to begin with
    shares = torch.full((components,), 1 / components)
    floor, spread = 1e-3 * z.var() * torch.eye(d), z.T.cov().expand(components, d, d)
    for _ in range(turns):
        z = sample_posterior(*posterior)
        parts = MultivariateNormal(means, spread + floor)
        who = (shares.log() + parts.log_prob(z[:, None])).softmax(1)  # (N, components)
        total = who.sum(0) + 1e-6
        shares, means = total / total.sum(), who.T @ z / total[:, None]
        off = z - means[:, None]  # (components, N, d)
        spread = (off * who.T[..., None]).mT @ off / total[:, None, None]
    parts = MultivariateNormal(means, spread + floor)
    return MixtureSameFamily(Categorical(shares), parts)


rungs["mixture of 10"], _ = timed(fit_mixture, q, 10)
rungs["mixture of 50"], seconds_mixture = timed(fit_mixture, q, 50)

# %% [markdown]
r"""
Rung 6 needs no family. Let noise *flow* to where the codes are. A network says with which velocity $v(z, t)$ a point moves at time $t$, from $t = 0$, where it is $\varepsilon \sim \mathcal{N}(0, I)$, to $t = 1$, where it shall be a code. How do you train such a network? Take a code $z$ and a noise $\varepsilon$, and walk from one to the other in a straight line, $z_t = (1 - t)\,\varepsilon + t\,z$. The velocity on this line is $z - \varepsilon$. Many lines cross at a place, so the network learns their average, and that is all it needs. Points which follow the average velocity have at each time the same distribution as the lines. This is **flow matching** ([Lipman et al. 2023](https://arxiv.org/abs/2210.02747)).
"""


# %%
def flow_matching(net, rows):  # a row is a posterior, mean and log σ
    z = sample_posterior(*rows.chunk(2, 1))
    noise, t = torch.randn_like(z), torch.rand(len(z), 1)
    return (net((1 - t) * noise + t * z, t) - (z - noise)).square().sum(1).mean()


def learn(loss, rows, steps=1000):
    torch.manual_seed(seed)
    net = Velocity(d)  # three layers of 128; t goes in as a few sines and cosines
    for lr, share in ((5e-3, steps * 2 // 3), (5e-4, steps // 3)):
        fit(net, loss, rows, steps=share, batch_size=128, lr=lr, seed=seed)
    return net.requires_grad_(False)


def follow(net, z, steps=25):  # the midpoint rule, from t = 0 to t = 1
    h = 1 / steps
    for t in torch.arange(steps) * h:
        t = t.expand(len(z), 1)
        middle = z + h / 2 * net(z, t)
        z = z + h * net(middle, t + h / 2)
    return z


velocity, seconds_flow = timed(learn, flow_matching, torch.cat(q, 1), 1500)

# %% tags=["hide-input"]
middles = torch.stack([z[digits.train_labels == label].mean(0) for label in range(10)])
wide = torch.linalg.eigh(middles.T.cov())[1][:, -2:]
clouds = {"$t = 0$": torch.randn(1_500, d)}
for title, stop in (("$t = 0.6$", 15), ("$t = 1$", 25)):
    moved = clouds["$t = 0$"]
    for k in range(stop):
        t = torch.full((len(moved), 1), k / 25)
        moved = moved + velocity(moved + velocity(moved, t) / 50, t + 1 / 50) / 25
    clouds[title] = moved
clouds["codes"] = z[:1_500]
made, places = plotting.figure(9.5, 2.6, columns=4)
for place, (title, cloud) in zip(places, clouds.items(), strict=True):
    place.scatter(*(cloud @ wide).T, s=2, color=plotting.COLOURS[title == "codes"])
    place.set(xlim=(-4, 4), ylim=(-4, 4), xticks=(), yticks=(), aspect="equal", title=title)
plotting.show(
    made,
    caption="Noise flows to where codes are, seen along the two directions in which the ten digits' middles "
    "differ most. Right, codes of training pictures.",
    alt="Four clouds of points. The first is round, the second round and smaller. The third has corners and "
    "thin places, much like the fourth, which shows codes.",
)

# %% [markdown]
r"""
And the density of a flow? While points move, a small volume around them grows at the rate $\operatorname{trace} \partial v / \partial z$, and the density falls as it grows ([Chen et al. 2018](https://arxiv.org/abs/1806.07366)). So walk back from a code to its noise, and add up the traces on the way. With 8 latents we can afford the exact trace, by automatic differentiation. `models.Flow` does that, around any velocity. `models.GaussianMixture` is the mixture from above. Either can be the prior of a VAE: `vae.prior = GaussianMixture(8).fit(q)`. Its `elbo` then takes the KL from draws of $z$, as there is no formula.
"""

# %% tags=["hide-input"]
flow = Flow(d)
flow.velocity = velocity
torch.manual_seed(seed)
start = torch.randn(200, d)
torch.manual_seed(seed)
off = (follow(velocity, start) - flow.sample(200)).abs().max()
claim("The page's flow and the package's, largest difference", off, at_most=1e-4)
rungs["flow"] = flow

packaged = GaussianMixture(d, 10).fit(q, steps=12)
off = packaged.log_prob(codes) - rungs["mixture of 10"].log_prob(codes)
claim("The page's mixture and the package's, nats apart", off.mean(), equals=0, within=0.25)


# %% tags=["hide-input"]
def score(pictures):
    return digit_score(pictures, train, digits.train_labels)


def draws(prior, n=1_500):
    torch.manual_seed(seed + 1)
    return prior.sample(n) if prior is flow else prior.sample((n,))


gains, scores, live, shown = {}, {}, {}, {"digits": test[12:24]}
print("prior             nats gained      unanimous  kinds")
for name, prior in rungs.items():
    some = codes[:600] if prior is flow else codes
    gains[name] = estimate(prior.log_prob(some) - rungs["N(0, I)"].log_prob(some))
    pictures = vae.decode(drawn := draws(prior)).mean
    scores[name], shown[name] = score(pictures), pictures[:12]
    live[name] = explorer.Rung(drawn, *gains[name], *scores[name][:2])
    print("{:16s}{:6.2f} ± {:.2f}".format(name, *gains[name]), end="")
    print("{:14.2f}{:9.1f}".format(*scores[name][:2]))
scores["reconstructed"] = score(vae.decode(codes).mean)
print("reconstructed{:30.2f}{:9.1f}".format(*scores["reconstructed"][:2]))
print(f"fitted in about {seconds_mixture:.1f} s (mixture of 50) and {seconds_flow:.1f} s (flow)")

# %% tags=["hide-input"]
points = Autoencoder((1, 14, 14), d, hidden=(256,))
torch.manual_seed(seed)


def squared_error(model, x):
    return (model.reconstruct(x) - x).square().flatten(1).sum(1).mean()


fit(points, squared_error, train, epochs=8, batch_size=128, lr=2e-3, seed=seed)
points.requires_grad_(False)
places = points.encode(train)
rival = fit_mixture((places, torch.full_like(places, -math.inf)), 50)  # log 0: no width
normal, mixed = (points.decode(draws(p)) for p in (rungs["N(0, I)"], rival))
rivals = {"normal": score(normal), "mixture": score(mixed)}
print("autoencoder, N(0, I)     {:18.2f}{:9.1f}".format(*rivals["normal"][:2]))
print("autoencoder, mixture of 50{:17.2f}{:9.1f}".format(*rivals["mixture"][:2]))

plotting.rows(
    {n: shown[n] for n in ("digits", "N(0, I)", "full Gaussian", "mixture of 50", "flow")}
    | {"rival": mixed[:12]},
    caption="Real digits, then means of the decoder for draws from four priors. The same VAE made them all. "
    "Last, the rival: a plain autoencoder with a mixture of 50 on its codes.",
    alt="Six rows of twelve. The first shows digits. In the second and third row few can be read. In the "
    "fourth, fifth and sixth most can.",
)

# %% tags=["hide-input"]
w = {name: gain.mean for name, gain in gains.items()}
claim("One scale gains, nats", w["one scale"], at_least=-0.1, at_most=0.1)
claim("A mean and a scale for each latent gain", w["per latent"], at_least=0.4)
claim("The full covariance gains, on top", w["full Gaussian"] - w["per latent"], at_least=0)
for name, least in {"mixture of 50": 1, "flow": 0.6}.items():
    claim(f"Gain over the full Gaussian, {name}", w[name] - w["full Gaussian"], at_least=least)

u = {name: one.unanimous for name, one in (scores | rivals).items()}
more = u["full Gaussian"] - u["N(0, I)"]
claim("Unanimous, full Gaussian minus N(0, I)", more, at_least=-0.15, at_most=0.05)
more = scores["full Gaussian"].kinds - scores["N(0, I)"].kinds
claim("Kinds, full Gaussian minus N(0, I)", more, at_least=0.6)
most = u["mixture of 50"]
claim("Unanimous, mixture of 50 minus N(0, I)", most - u["N(0, I)"], at_least=0.2)
claim("Unanimous, mixture of 50 over reconstructions", most / u["reconstructed"], at_least=0.8)
claim("Unanimous, mixture of 50 minus flow", most - u["flow"], at_least=0.05)
claim("Unanimous, rival minus mixture of 50", u["mixture"] - most, at_least=-0.15, at_most=0.15)

# %% tags=["hide-input"]
del live["mixture of 10"]
explorer.prior_ladder(
    vae,
    z,
    live,
    wide,
    start="full Gaussian",
    caption="Codes of training digits in grey, draws of a prior in colour, seen as in the figure of the flow. "
    "Choose a prior, and a draw. Where do the draws lie that are no digits?",
)

# %% [markdown]
r"""
Read the ladder slowly. There is a surprise on nearly every rung.

- **One scale gains nothing.** This VAE has trained long enough to set the overall scale of its codes by itself.
- **The Gaussian rungs gain nats, and draw no better.** They raise the number of kinds: digits which $\mathcal{N}(0, I)$ hardly reached now come up. But no more draws are clear digits. Codes of a three and of a seven are two clouds, and a normal distribution puts as much between them as on them. Go through its draws in the live figure: where do those lie that you cannot read?
- **The mixture closes most of the gap.** Its draws are almost as often clear as reconstructions, and nobody trained a VAE again.
- **The flow draws less well.** It must bend one cloud into ten, in a short training. Is it a matter of nats? We tried digits of 28 × 28 pixels with 16 latents and a longer training, twice. There the flow had one nat *more* than the mixture of 50, and still drew fewer clear digits. So nats and looks are two numbers, once more. An average log-density punishes a prior that *misses* a code. A draw punishes a prior that puts something where no code is.

And the last of the six rows of pictures? It is the rival: a plain autoencoder without any KL, its codes, and the same mixture. "An autoencoder cannot generate" is false. What it cannot do is tell you $\log p(x)$. Its codes have no width, so there is no ELBO, and no ladder of nats to climb. The VAE gives you both.

### The same ladder on faces

Now climb it with another model, the faces of [chapter 10](10_faces.ipynb): 32 latents, and pictures which nobody would cut into ten kinds. You need no training. Load the model, encode its faces, and fit.
"""

# %%
faces = load_images("faces", n_train=1_000, n_test=200, seed=seed)
face_vae = load_shipped("faces").model.requires_grad_(False)
q, q_test = encode_all(face_vae, faces.train), encode_all(face_vae, faces.test)


# %% tags=["hide-input"]
def nearest(pictures):  # training face: how far, and which
    return torch.cdist(pictures.flatten(1), faces.train.flatten(1)).min(1)


z, codes = sample_posterior(*q), sample_posterior(*q_test)
reach = nearest(faces.test).values.quantile(0.95)  # of real faces, 95 % are nearer than this
moments = (q.mean.square() + (2 * q.log_std).exp()).mean(0)
low, high = moments.aminmax()
print(f"E[μ² + σ²]: {moments.mean():.2f} on average, from {low:.2f} to {high:.2f}")
ladder = gaussian_rungs(z)
ladder["one face"] = MultivariateNormal(z.mean(0), 1e-4 * torch.eye(32))
for k in (5, 20):
    ladder[f"mixture of {k}"] = GaussianMixture(32, k).fit(q, seed=seed)
ladder["flow"] = Flow(32).fit(q, steps=1500, seed=seed)
start, better = ladder["N(0, I)"], ("per latent", "full Gaussian", "mixture of 5", "flow")
seen, new, near, different = {}, {}, {}, {}
face_rows = {"faces": faces.test[:9]}
print("prior             nats, new faces    seen faces  near  different")
for name, prior in ladder.items():
    torch.manual_seed(seed + 1)
    drawn = face_vae.decode(prior.sample(100 if hasattr(prior, "fit") else (100,)))
    away, which = nearest(drawn.sample())
    new[name] = estimate(prior.log_prob(codes) - start.log_prob(codes))
    seen[name] = (prior.log_prob(z) - start.log_prob(z)).mean().item()
    near[name], face_rows[name] = (away < reach).float().mean().item(), drawn.mean[:9]
    different[name] = len(which.unique()) / 100
    print("{:14s}{:11.2f} ± {:<8.2f}".format(name, *new[name]), end="")
    print(f"{seen[name]:11.2f}{near[name]:6.2f}{different[name]:9.2f}")
real = len(nearest(faces.test[:100]).indices.unique()) / 100
print(f"real faces{0.95:43.2f}{real:9.2f}")

# %% tags=["hide-input"]
plotting.rows(
    {name: face_rows[name] for name in ("faces", "N(0, I)", *better)},
    width=6.8,
    caption="Real faces, with the grain of their camera, then means of the decoder for draws from five "
    "priors. Rows two to four and the last start from the same noise.",
    alt="Six rows of nine faces. From N(0, I) six of nine are broken into blocks, three are whole. One "
    "scale and mean per latent: nine faces, many with ragged jaws and ghosts of glasses. Full Gaussian: "
    "the same with fewer of these. Mixture of 5, and flow: nine faces each, nearly clean.",
)

# %% tags=["hide-input"]
w = {name: gain.mean for name, gain in new.items()}
claim("Faces: E[μ² + σ²], mean over latents", moments.mean(), equals=1, within=0.2)
claim("... the largest of a latent, over the smallest", high / low, at_least=8)
claim("Faces: one scale gains, nats", w["one scale"], equals=0, within=0.2)
claim("... a mean and a scale for each latent", w["per latent"], at_least=6)
claim("... the full covariance, on top", w["full Gaussian"] - w["per latent"], at_least=9)
claim("... a mixture of 5, on top", w["mixture of 5"] - w["full Gaussian"], at_least=0.5)
claim("... a flow, on top of the mixture", w["flow"] - w["mixture of 5"], at_least=3)
more = w["mixture of 20"] - w["full Gaussian"]
claim("Faces: mixture of 20 minus full Gaussian, nats, new faces", more, at_most=-1)
claim("... seen faces", seen["mixture of 20"] - seen["full Gaussian"], at_least=5)
claim("... nats of one face, minus those of N(0, I)", w["one face"], at_most=-1_000)
claim("Draws near to faces: N(0, I)", near["N(0, I)"], at_most=0.25)
for name in better:
    claim(f"... {name}", near[name], at_least=0.75)
    claim(f"Different faces, of real ones' share: {name}", different[name] / real, at_least=0.7)
claim("... one face: near", near["one face"], at_least=0.95)
claim("... one face: different", different["one face"], at_most=0.1)

# %% [markdown]
r"""
How do you see whether a draw is a face? Take the distance to the nearest training face. 95 % of real new faces are nearer than a certain distance, and we count the draws which are, too. A prior that draws one good face again and again would pass this test, so count also how many different faces the draws are nearest to. The row *one face* is such a prior: all of its draws are near, all are alike, and in nats it is a catastrophe.

Compare with the digits.

- **One scale gains nothing, and tells you nothing.** The average of $\mathbb{E}[\mu^2 + \sigma^2]$ over latents is close to 1, as it should be. But it is an average. One latent lies off the middle, at more than 4, others at a quarter. No common factor can mend that.
- **Here re-scaling is the rung that draws.** A mean and a scale for each latent gain more than 7 nats, and broken blocks become faces. On digits the same rung gained one nat, and no clear digit. Faces have no kinds with gaps between them: their codes are one cloud. It only had another place and shape than the prior.
- **Then the nats come without a show.** Correlations between latents are worth 11 nats more, a mixture of 5 one to four on top, and a flow five to eight more. (On digits it drew less well than the mixture. Here the two draw alike.) The share of near draws cannot see it any more. Your eye can, a little: fewer torn jaws and ghosts of glasses.
- **More is not better.** A mixture of 20 has more than 11 000 numbers, fitted to the codes of 1 000 faces. On these it gains most of all, and on new ones less than a single Gaussian. So a rung is measured on codes that it was not fitted to. (We have no autoencoder of faces to put beside it. That rival is missing here.)

Whether you fit a prior is a choice, then, and it comes *after* training. For a model that you have trained it is one line, `vae.prior = GaussianMixture(8).fit(encode_all(vae, train))`.

## A diffusion is a VAE with many levels

You could go on, and give the codes codes of their own. A prior for $z$ can be a VAE over $z$! And its prior again a VAE. Take that to the end, and fix the encoders: each level is the level below, a little smaller, with a little noise,

$$z_k = \sqrt{a_k}\, z_{k-1} + \sqrt{1 - a_k}\; \varepsilon, \qquad z_0 = x.$$

This is a **diffusion model** ([Sohl-Dickstein et al. 2015](https://arxiv.org/abs/1503.03585), [Ho et al. 2020](https://arxiv.org/abs/2006.11239)). Nothing in its encoder is learned. After many levels $z_K$ is noise, whatever $x$ was. Only the decoders learn: from $z_k$, say what $z_{k-1}$ was. Its bound is the ELBO, with a term for each level:

$$\log p(x) \ge \mathbb{E} \log p(z_K) + \sum_k \mathbb{E} \log \frac{p(z_{k-1} \mid z_k)}{q(z_k \mid z_{k-1})}.$$

Try it where all is known. Let $x$ be normal, with variance 4. Then the best decoder of a level is a line and a standard deviation, and least squares finds both. So the whole model fits into one loop.
"""


# %%
def many_levels(x, levels):
    left = torch.linspace(0, 1.5, levels + 1).cos().square()  # of x², after each level
    z, elbo = x, 0
    for a in left[1:] / left[:-1]:
        encoder = Normal(a.sqrt() * z, (1 - a).sqrt())
        higher = encoder.sample()
        slope = (higher * z).mean() / higher.square().mean()  # least squares
        decoder = Normal(slope * higher, (z - slope * higher).std())
        elbo = elbo + decoder.log_prob(z) - encoder.log_prob(higher)
        z = higher
    return elbo + Normal(0.0, 1.0).log_prob(z)  # (N,), nats


x = 2 * torch.randn(50_000)
log_p = Normal(0.0, 2.0).log_prob(x)
bounds = {levels: many_levels(x, levels) for levels in (1, 2, 10, 100)}
print("log p(x)", round(log_p.mean().item(), 3))
print({levels: round(bound.mean().item(), 3) for levels, bound in bounds.items()})

# %% tags=["hide-input"]
last = 1 + 3 * math.cos(1.5) ** 2  # the variance of the highest level
hole = kl_divergence(Normal(0.0, math.sqrt(last)), Normal(0.0, 1.0)).item()
for levels, bound in bounds.items():
    by_fit = levels / len(x)  # two numbers a level, fitted to the data that they are measured on
    agrees(f"log p(x) minus the bound, {levels} levels", log_p - bound, hole - by_fit)
claim("The hole of the highest level, nats", hole, at_least=0, at_most=1e-4)
two_hills = torch.where(torch.rand(50_000) < 0.5, -2.0, 2.0) + 0.3 * torch.randn(50_000)
made, places = plotting.figure(9.5, 2, columns=4)
for axis, share in zip(places, (0, 0.3, 0.6, 1), strict=True):
    left = math.cos(1.5 * share) ** 2
    z_k = left**0.5 * two_hills + (1 - left) ** 0.5 * torch.randn(50_000)
    axis.hist(z_k.numpy(), bins=80, range=(-4, 4), density=True, color=plotting.COLOURS[0])
    grid = torch.linspace(-4, 4, 100)
    axis.plot(grid, Normal(0.0, 1.0).log_prob(grid).exp(), color=plotting.COLOURS[1])
    axis.set(title=f"level {100 * share:.0f} of 100", yticks=())
plotting.show(
    made,
    caption="A diffusion's encoder learns nothing: level by level, two hills become noise. The line is N(0, 1).",
    alt="Four histograms under the same bell curve. Two narrow hills; two wider hills that are nearer; "
    "one flat hill; the bell itself.",
)

# %% [markdown]
r"""
With any number of levels the bound is $\log p(x)$, but for the hole of the *highest* level, $\operatorname{KL}(q(z_K) \,\|\, \mathcal{N}(0, I))$, less than a ten-thousandth of a nat. That is what a diffusion does about the prior's hole: it never learns a prior. It destroys the codes until they fit one.

For other data the decoders must be more than lines. They get a network that sees $z_k$ and the level. And why so many levels? The step back, $p(z_{k-1} \mid z_k)$, has to be a normal distribution, and it is one only if the step is small.

Commonly the network predicts the noise $\varepsilon$ in $z_k$. Then each term of the bound is a squared error $\lVert \varepsilon - \hat\varepsilon \rVert^2$ times a number, and the usual loss leaves the numbers out ([Kingma et al. 2021](https://arxiv.org/abs/2107.00630)). It is an ELBO with other weights, such as you know from [chapter 6](06_learned_variance.ipynb).

## Latent diffusion

A diffusion over pixels is slow. Latent diffusion ([Rombach et al. 2022](https://arxiv.org/abs/2112.10752)) has two stages. The first is a VAE. The second is a diffusion over its codes: the top rung of our ladder. Here is the loss of the first stage, as their code has it, without the perceptual term ([chapter 9](09_blur.ipynb)):
"""


# %%
def first_stage_loss(model, x):
    q = model.encode(x)
    off = x - model.decode(sample_posterior(*q)).mean
    return (off.abs().flatten(1).sum(1) + 1e-6 * kl_standard_normal(*q)).mean()


first = new_vae(first_stage_loss, 7)
q, q_test = encode_all(first, train), encode_all(first, test)
code_std = q.mean.std()
kl = kl_standard_normal(*q).mean() / d
print(f"codes: std {code_std:.2f}, KL {kl:.1f} nats a latent")
print(f"posteriors: std {q.log_std.exp().median():.5f} (median)")

# %% [markdown]
r"""
Read it as [chapter 6](06_learned_variance.ipynb) reads losses. Divide by $10^{-6}$, so that the KL stands alone. What is left of the absolute error is $-\log$ of a Laplace density $\frac{1}{2b} e^{-|x - \hat x| / b}$, with $b = 10^{-6}$. So this is an ELBO, after all. It claims that no pixel is off by more than some millionths of the whole range. Nobody believes that. It says what the authors want: pay any number of nats for a better reconstruction.

The consequences are in the numbers above. The noise on a code is less than a hundredth of the spread of the codes. Each latent pays 5 nats or more. And nothing holds the scale of the codes: whatever their standard deviation is, it is an accident of the loss and the start. This is an autoencoder with a pinch of noise. Its draws from $\mathcal{N}(0, I)$ are as bad as those of the first VAE, and nobody minds, since nobody draws from it. The second stage is the prior.

### What 0.18215 is

You find this number in many programs. Codes are multiplied by it before the diffusion sees them, and divided by it afterwards. It is one over the standard deviation of that model's codes: **rung two of the ladder**, no more. Other models have other numbers, for the same reason. But rung two gained us nothing. Why do they need it? Because the diffusion has a scale built in: noise of variance 1. We train the same second stage three times, on codes with a standard deviation of 0.01, 1 and 30.
"""


# %%
def noised(z, t, noise):
    signal = (8 - 14 * t).sigmoid()  # log(signal / noise) falls evenly, from 8 to -6
    return signal.sqrt() * z + (1 - signal).sqrt() * noise


def denoising(net, z):
    noise, t = torch.randn_like(z), torch.rand(len(z), 1)
    return (net(noised(z, t, noise), t) - noise).square().sum(1).mean()


# %% tags=["hide-input"]
def generate(net, z, levels=50):  # from noise to codes, level by level
    for k in range(levels, 0, -1):
        here, below = (torch.tensor(8 - 14 * j / levels).sigmoid() for j in (k, k - 1))
        a = here / below
        noise = net(z, torch.full((len(z), 1), k / levels))
        z = (z - (1 - a) / (1 - here).sqrt() * noise) / a.sqrt()
        z = z + ((1 - below) / (1 - here) * (1 - a)).sqrt() * torch.randn_like(z)
    return z / torch.tensor(8.0).sigmoid().sqrt()


# %%
codes, codes_test = sample_posterior(*q), sample_posterior(*q_test)
diffusions = {std: learn(denoising, codes * std / code_std) for std in (0.01, 1, 30)}


# %% tags=["hide-input"]
def bound_of(net, z, draws=16):
    # The diffusion's ELBO with infinitely many levels (Kingma et al. 2021, Eq. 15), in nats.
    top, bottom = (torch.tensor(float(s)).sigmoid() for s in (-6, 8))
    kl = 0.5 * (top * z.square() - top - (1 - top).log()).sum(1)
    first = -0.5 * (2 * math.pi * math.e * (1 - bottom) / bottom).log() * z.shape[1]
    loss = 0
    for k in range(draws):
        t, noise = (k + torch.rand(len(z), 1)) / draws, torch.randn_like(z)
        error = (net(noised(z, t, noise), t) - noise).square().sum(1)
        loss = loss + 0.5 * 14 * error / draws
    return first - kl - loss


def best_guess(z, t):  # of the noise, where codes are normal with std 2
    signal = (8 - 14 * t).sigmoid()
    return (1 - signal).sqrt() * z / (4 * signal + 1 - signal)


x = 2 * torch.randn(20_000, 2)
gap = Normal(0.0, 2.0).log_prob(x).sum(1) - bound_of(best_guess, x)
agrees("log p(x) minus the bound in ε, best guess", gap, 0)

gaussian = FullGaussian(d).fit(q)
table, sheet = {}, {"reconstructed": first.reconstruct(test[:12])}
print("std seen   nats over a Gaussian   std made   unanimous  kinds")
for std, net in diffusions.items():
    factor = std / code_std
    nats = bound_of(net, codes_test * factor) + d * factor.log() - gaussian.log_prob(codes_test)
    torch.manual_seed(seed)
    made = generate(net, torch.randn(1_500, d))
    pictures = first.decode(made / factor).mean
    table[std] = estimate(nats).mean, (made.std() / std).item(), score(pictures)
    sheet[f"std {std}"] = pictures[:12]
    print(f"{std:8.2f}{table[std][0]:18.2f}{made.std():15.3g}", end="")
    print("{:12.2f}{:9.1f}".format(*table[std][2][:2]))
plain = score(first.decode(torch.randn(1_500, d)).mean)
rival = fit_mixture(q, 50)
rival_nats = (rival.log_prob(codes_test) - gaussian.log_prob(codes_test)).mean()
rival_score = score(first.decode(rival.sample((1_500,))).mean)
print(f"mixture{rival_nats:19.2f}{rival_score.unanimous:27.2f}{rival_score.kinds:9.1f}")
print("N(0, I){:46.2f}{:9.1f}".format(*plain[:2]))

claim("Noise on a code, relative to the codes", q.log_std.exp().median() / code_std, at_most=0.01)
claim("First stage: KL of a latent, nats", kl_standard_normal(*q).mean() / d, at_least=5)
claim("Diffusion, std 1 minus std 0.01, nats", table[1][0] - table[0.01][0], at_least=3)
claim("Diffusion, std 1 minus std 30, nats", table[1][0] - table[30][0], at_least=2)
claim("Std made over std seen, at 1", table[1][1], equals=1, within=0.1)
claim("... at 0.01", table[0.01][1], at_least=1.5)
claim("... at 30", table[30][1], at_most=0.9)
claim("Rival, minus diffusion at std 1: nats", rival_nats - table[1][0], at_least=0.1)
more = rival_score.unanimous - table[1][2].unanimous
claim("Rival, minus diffusion at std 1: unanimous", more, at_least=0.04)
claim("Kinds, std 1 minus std 30", table[1][2].kinds - table[30][2].kinds, at_least=1)
plotting.rows(
    sheet,
    caption="Reconstructions of the first stage, and draws of the same second stage that saw its codes at "
    "three scales.",
    alt="Four rows of twelve. Soft digits; then too bright, broken ones with specks; then digits of which "
    "some can be read; then dimmer ones, some of them alike.",
)

# %% [markdown]
r"""
All three second stages are the same network, trained equally long. Only the scale of the codes differs. At 0.01 the codes drown in the first trace of noise: the diffusion never sees them, and makes codes twice as wide as it should. At 30 the highest level is not yet noise, so the draws start in the wrong place, and come out too narrow and of fewer kinds. This is the hole of the *highest* level.

Is 1 the best scale, then? No. It is a safe one. (We have seen codes with a standard deviation of 5 do better.) And mind the size of this toy. The second stage trains for some seconds, and the rival of the ladder, a mixture of 50 on the same codes, beats it in nats and in looks (last line).

## One digit on demand

The codes of threes lie together, and those of sevens elsewhere. So give the label $y$ to the prior: a Gaussian $p(z \mid y)$ for each digit, fitted to its codes. Encoder and decoder stay as they are. What is the label worth, in nats? Without it, the prior is the even mixture $p(z) = \frac{1}{10} \sum_y p(z \mid y)$. By Bayes' rule

$$\mathbb{E} \log \frac{p(z \mid y)}{p(z)} = \log 10 + \mathbb{E} \log p(y \mid z) \le \log 10.$$

It is never more than $\log 10 = 2.30$ nats, all that a label can tell.
"""

# %%
q, q_test = encode_all(vae, train), encode_all(vae, test)
z, codes, y = sample_posterior(*q), sample_posterior(*q_test), digits.test_labels
of = [z[digits.train_labels == label] for label in range(10)]
told = MultivariateNormal(
    torch.stack([own.mean(0) for own in of]), torch.stack([own.T.cov() for own in of])
)
each = told.log_prob(codes[:, None])  # (N, 10)
label_in_prior = each[range(len(y)), y] - (each.logsumexp(1) - math.log(10))

# %% [markdown]
r"""
Or give it to encoder and decoder, and train. Then the code need not say which digit it is, only how it is written: slant, width, weight. This is a **conditional VAE** ([Sohn et al. 2015](https://papers.nips.cc/paper/5775)). For comparison the same networks are trained with the label blanked out.
"""


# %%
class Conditional(nn.Module):  # x and y side by side, (batch, 196 + 10)
    def __init__(self, sees_label, latents=16, std=0.3):
        super().__init__()
        self.sees_label, self.log_std = sees_label, math.log(std)
        self.encoder = mlp([206, 256, 2 * latents])
        self.decoder = mlp([latents + 10, 256, 196])

    def elbo(self, rows):
        x, y = rows[:, :196], rows[:, 196:] * self.sees_label
        q = self.encoder(torch.cat([x, y], 1)).chunk(2, 1)
        mean = self.decoder(torch.cat([sample_posterior(*q), y], 1))
        return gaussian_log_likelihood(x, mean, self.log_std) - kl_standard_normal(*q)


# %% tags=["hide-input"]
def rows(pictures, labels):
    return torch.cat([pictures.flatten(1), F.one_hot(labels, 10)], 1)


bounds = {}
for sees_label in (False, True):
    torch.manual_seed(seed)
    conditional = Conditional(sees_label)
    for lr, steps in ((2e-3, 500), (3e-4, 150)):
        both = rows(train, digits.train_labels)
        fit(conditional, lambda m, x: -m.elbo(x).mean(), both, steps=steps, lr=lr, seed=seed)
    bounds[sees_label] = conditional.requires_grad_(False).elbo(rows(test, y))
label_in_networks = bounds[True] - bounds[False]

# %% tags=["hide-input"]
asked = torch.arange(10).repeat_interleave(100)
torch.manual_seed(seed)
written = torch.randn(100, 16).repeat(10, 1)  # the same handwritings for each digit
mean = conditional.decoder(torch.cat([written, F.one_hot(asked, 10)], 1))
by = {"prior": vae.decode(told.sample((100,)).transpose(0, 1).flatten(0, 1)).mean}
by["networks"] = mean.unflatten(1, (1, 14, 14))
for name, nats in {"prior": label_in_prior, "networks": label_in_networks}.items():
    worth = estimate(nats)
    votes = nearest_label_vote(by[name].clamp(0, 1), train, digits.train_labels)
    arrives = (votes.label == asked).float().mean()
    print(f"label in the {name}: {worth.mean:.2f} ± {worth.standard_error:.2f} nats", end=", ")
    print(f"the digit asked for arrives in {arrives:.2f}")
    if name == "prior":
        claim("Label in the prior: nats", worth.mean, at_least=1.5, at_most=math.log(10))
        claim("Label in the prior: what was asked for arrives", arrives, at_least=0.7)
    else:
        claim("Label in the networks: nats", worth.mean, at_least=3)
        claim("Label in the networks: what was asked for arrives", arrives, at_least=0.85)
chance = (votes.label == asked[torch.randperm(1000)]).float().mean()
claim("A digit that was not asked for", chance, at_most=0.2)

plotting.tiles(
    torch.cat(
        [by[name].unflatten(0, (10, 100))[:, :2].transpose(0, 1).flatten(0, 1) for name in by]
    ),
    10,
    caption="The digits from 0 to 9 on demand. Two rows with the label in the prior, two with the label in "
    "encoder and decoder.",
    alt="Four rows, each from 0 to 9. In the first two, most digits are right and some are mixed up; in the "
    "last two, nearly all are right, and softer.",
)

# %% [markdown]
r"""
About 4 nats, where a label holds at most 2.3! Is that a contradiction? No. The limit holds for *one* model, with and without the label, and for the true $\log p$. Here two models were trained, and we compare two *bounds*. What is exact is this. Forget the label again, and the conditional model is a model of pictures with

$$\log \sum_y p(y)\, p(x \mid y) \ge \log p(y) + \log p(x \mid y) \ge -\log 10 + \text{conditional ELBO}.$$

So what is left after you take off $\log 10$ is a true gain: this model, *without* a label, has a larger bound than the plain one. The label has done for it what the ladder did. It took ten clouds out of the codes, and what is left fits $\mathcal{N}(0, I)$ better. We have not tested that this is the whole reason.

## What to take along

The prior's hole is $\operatorname{KL}(q(z) \,\|\, p(z))$. A better prior closes it after training, at no cost in reconstruction, and its gain is a difference of two log-densities. Nats and looks do not always agree. A plain autoencoder with the same prior draws as well, and has no $\log p(x)$. Latent diffusion is this ladder's top rung, on codes of a nearly noiseless VAE. Its scale factor is rung two, needed because a diffusion brings a scale of its own. And a diffusion is a VAE with many levels, whose highest hole is closed by destroying the code.

## Practise

[Exercises 11](exercises/11_prior.ipynb) check what you write and name your mistake. Compute what a prior gains, re-scale codes, find a scale factor, write the target of flow matching, and say what a label is worth.

## The checks
"""

# %% tags=["hide-input"]
left = label_in_networks.mean() - math.log(10)
claim("Conditional ELBO - log 10, minus the plain ELBO", left, at_least=0.5)
summary()
