# %% [markdown]
r"""
# Questions people ask

Forums, issue trackers and students ask the same questions about VAEs, year after year. Here they are. Each gets a short answer and a run, so that you need not believe it. Read them in any order. What people say stands here in our words, also between quotation marks.

**After this chapter you can**

- say how often a draw decodes to somebody else's picture, and why that is no argument against the squared error;
- read the tiny weights and odd factors of well-known programs;
- test any loss for a hidden mean, and any latent space for a collapse that is none;
- report a number that others can compare with theirs;
- get a digit on demand, and say what the ELBO is worth as an alarm.

## All questions

| You ask | In one line |
|---|---|
| <a href="#bob">Bob goes in. What if Alice comes out?</a> | It can happen, and the squared error makes it rare. |
| <a href="#alike">Do posteriors become more alike, the longer I train?</a> | No, they part. |
| <a href="#adversaries">Are encoder and decoder adversaries?</a> | No, both raise one number. |
| <a href="#sure">How sure of itself should the encoder be?</a> | As sure as the decoder is sensitive. |
| <a href="#rises">My KL rises. Is that a bug?</a> | Not while the ELBO rises. |
| <a href="#double">Sum or mean?</a> | Sum over pixels and latents. Double the batch to see what yours does. |
| <a href="#tiny">How can a weight on the KL be 0.000001? Or 0.00025?</a> | It is a scale of the noise in disguise. |
| <a href="#scale">What is 0.18215?</a> | One over the spread of the codes. |
| <a href="#places">My latents of shape 4 × 32 × 32 look collapsed. Are they?</a> | Add up before you judge. |
| <a href="#negative">My loss is negative. Is that a bug?</a> | No. |
| <a href="#report">Which number do I report, and what should it be?</a> | The test ELBO, above that of a linear VAE. |
| <a href="#threshold">Which threshold finds anomalies?</a> | None on the ELBO alone. |
| <a href="#demand">Can I get one digit on demand?</a> | Yes, even from a VAE that never saw a label. |
| <a href="#axes">Can I explain what my latents mean?</a> | Nothing in $p_\theta(x)$ makes the axes meaningful. |
| <a href="#nan">Why is my loss not a number?</a> | Some σ ran away. |
| <a href="#faster">Is it faster than diffusion or a GAN?</a> | Than the first. |
| Does a bottleneck compress? Why not sample from an autoencoder? | [Chapter 1](01_autoencoders.ipynb) |
| Sample or mean? Straight or spherical interpolation? How many latents? | [Chapter 2](02_from_ae_to_vae.ipynb) |
| Why is $p(x)$ hard to compute? What does the bound lose? | [Chapter 3](03_elbo.ipynb) |
| log σ or log σ²? Does the KL act on each picture or on all? | [Chapter 4](04_analytic_kl.ipynb) |
| Why no gradient through `sample()`? One draw of $z$, or many? | [Chapter 5](05_reparameterization.ipynb) |
| BCE or MSE? Which $\beta$? Which $\sigma_x$? | [Chapter 6](06_learned_variance.ipynb) |
| Why is my KL zero? Why do all my pictures look alike? | [Chapter 7](07_posterior_collapse.ipynb) |
| Which latents live? Does annealing help? What are free bits? | [Chapter 8](08_latents_that_live.ipynb) |
| Why are the pictures blurred? | [Chapter 9](09_blur.ipynb) |
| Do a critic, a perceptual loss or a codebook make them sharp? | [Chapter 12](12_sharper_pictures.ipynb), [and its second page](12b_richer_codes.ipynb) |
"""

# %% tags=["hide-input"]
import math

import torch
import torch.nn.functional as F
from torch.distributions import Laplace, Normal

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import (
    encode_all,
    estimate,
    importance_weighted_bounds,
    kl_per_latent,
    nearest_label_vote,
)
from vae_course.exact import fit_linear_vae, fit_two_images
from vae_course.latents import matched_gaussian
from vae_course.models import VAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("questions")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test, D = F.avg_pool2d(digits.train, 2), F.avg_pool2d(digits.test, 2), 196

# %% [markdown]
r"""
One small VAE will answer most questions. It has eight latents, and its decoder's $\sigma_x$ is the error that it makes ([chapter 6](06_learned_variance.ipynb)). The digits are shrunk to 14 × 14 pixels, so $D = 196$.
"""


# %%
def new(latent_dim=8, std="optimal", hidden=(128,)):
    torch.manual_seed(seed)
    return VAE((1, 14, 14), latent_dim, hidden=hidden, std=std)


def negative_elbo(model, x):
    total, likelihood, kl = model.elbo(x)
    return {"loss": -total.mean(), "kl": kl.mean(), "likelihood": likelihood.mean()}


vae = new()
history = fit(vae, negative_elbo, train, epochs=12, lr=3e-3, seed=seed)
vae = vae.eval().requires_grad_(False)

# %% [markdown]
r"""
<a id="bob"></a>

## Bob goes in. What if Alice comes out?

The encoder gives Bob a distribution, and $z$ is drawn from it. Perhaps this $z$ is one of Alice's, and the decoder paints Alice. Then the loss compares Alice with Bob, pixel by pixel. Is that not wrong?

It can happen. And the squared error is what makes it rare. Each time it happens, the loss pays for the whole distance between the two. So it is worth some KL to keep their $z$ apart.

For two pictures and one latent this can be computed. Let $a$ be half the distance of the two pictures, in units of $\sigma_x$. The best posteriors are $\mathcal{N}(\pm\mu, \sigma^2)$ with $\mu^2 + \sigma^2 = 1$ ([chapter 4](04_analytic_kl.ipynb)). The best decoder answers each $z$ with the average of the two, weighted by how likely each is. It paints the wrong one when $z$ falls on the wrong side of zero, with the chance $\Phi(-\mu/\sigma)$, where $\Phi$ is the normal distribution function.
"""

# %%
best = {a: fit_two_images(a) for a in (0.99, 2, 3, 10)}
print(*(f"a = {a:4}: {pair.overlap():.4f}" for a, pair in best.items()), sep="\n")

# %% tags=["hide-input"]
z = best[2].mean + best[2].std * torch.randn(100_000)  # Bob's
painted = 2 * torch.tanh(z * best[2].mean / best[2].std ** 2)  # Bob is at 2, Alice at -2
counted = estimate((painted < 0).double())
five = 5 * counted.standard_error
claim("a = 2: counted, minus the formula", counted.mean - best[2].overlap(), equals=0, within=five)
claim("a = 2: chance to paint Alice", best[2].overlap(), equals=0.03, within=0.005)
claim("a = 10: chance to paint Alice", best[10].overlap(), equals=5e-4, within=5e-5)
told = best[10].mutual_information()
claim("a = 10: what z tells, nats", told, equals=math.log(2), within=0.002)
between = torch.pdist(test.flatten(1)).median() / vae.log_std.exp()
claim("Two of our digits: a, median", between / 2, at_least=5)

# %% [markdown]
r"""
At $a = 2$ Alice comes out for Bob three times in a hundred, at $a = 10$ five times in ten thousand. In our VAE, half the distance of two digits is mostly more than $5\,\sigma_x$. And at $a \le 1$ the noise hides the difference, so it does not pay to tell them apart ([chapter 8](08_latents_that_live.ipynb)).

"More latent dimensions help", says one common answer. One latent was enough here. To tell two pictures apart, $z$ must carry $\log 2 = 0.69$ nats, and for that one dimension will do. "You are mixing it up with a GAN", says another. It is true that a plain GAN compares no output with an input. But a VAE does, and the question was about that.

[Chapter 8](08_latents_that_live.ipynb) has two pictures and the best VAE for them, solved in the page. Raise $\sigma_x$ there to half their distance: what comes out passes from each its own to the average of both.

<a id="alike"></a>

## Do posteriors become more alike, the longer I train?

"The KL pulls every posterior to the prior, so Bob's and Alice's become equal in the end." It is the other way round. At the start the encoder knows nothing, and the two *are* nearly equal. They part when the decoder has learned enough for it to pay. What follows the prior, more or less, is the mixture of all posteriors, and not each of them ([chapter 4](04_analytic_kl.ipynb)).

Let Bob be a 3 and Alice an 8, and choose $\sigma_x$ such that $a = 3$. We train, and follow the chance of a mix-up. The encoder gives each picture its own $\mu$ and $\sigma$. Halfway between the two means, the chance is $\Phi(-|\mu_\text{Bob} - \mu_\text{Alice}| / 2\sigma)$.
"""

# %%
pair = torch.stack([train[digits.train_labels == label][0] for label in (3, 8)])
couple = new(1, std=(pair[0] - pair[1]).norm().item() / 6, hidden=(32,))


def watched(model, x):
    mean, log_std = model.encode(pair)
    apart = (mean[0] - mean[1]).abs() / (2 * log_std.exp().mean())
    return negative_elbo(model, x) | {"mix-up": Normal(0.0, 1.0).cdf(-apart).mean()}


steps = fit(couple, watched, pair.repeat(64, 1, 1, 1), steps=400, lr=5e-3, seed=seed)

# %% tags=["hide-input"]
claim("Chance of a mix-up at the start", steps["mix-up"][0], at_least=0.35)
claim("... at the end", steps.final("mix-up"), equals=best[3].overlap(), within=0.01)

figure, (left, right) = plotting.figure(8.5, 3, columns=2)
line = torch.linspace(-2.5, 2.5, 400)
for a, colour in zip((0.99, 2, 10), plotting.COLOURS, strict=False):
    for sign, style in ((1, "-"), (-1, "--")):
        bell = Normal(sign * best[a].mean, best[a].std).log_prob(line).exp()
        left.plot(line, bell, style, color=colour, label=f"$a = {a}$" if sign > 0 else None)
left.set(xlabel="$z$", ylabel="density", title="best posteriors")
left.legend(loc="upper right", fontsize=10)
right.plot(steps["mix-up"], label="trained")
right.axhline(best[3].overlap(), linestyle="--", color="black", label="exact optimum")
right.set(xlabel="step", title="chance of a mix-up, $a = 3$")
right.legend()
plotting.show(
    figure,
    caption="Left: the best posteriors of Bob (solid) and Alice (dashed). "
    "Right: how often one would be painted for the other, during training.",
    alt="Left, bell curves over z. For a = 0.99 there is one wide bell at zero, solid and dashed on "
    "top of each other. For a = 2 there are two that overlap at zero, for a = 10 two narrow ones far "
    "apart. Right, a curve that starts near one half, falls steeply and then stays close to a dashed line near zero.",
)

# %% [markdown]
r"""
<a id="adversaries"></a>

## Are encoder and decoder adversaries?

You can read that they fight: the encoder wants its codes apart, the KL wants them together, "like generator and discriminator". There is no fight. A GAN has *one number that one network lowers and the other raises*. A VAE has one number that both raise, the ELBO.

So let them take turns. For fifty steps only the encoder learns, for fifty only the decoder, and so on. We print the test ELBO before each turn. Were one of the two an adversary, its turns would lower it.
"""

# %%
players, reached = new(std=0.3), []
for turn in range(7):
    reached.append(players.elbo(test).total.mean().item())
    players.encoder.requires_grad_(turn % 2 == 0)
    players.decoder.requires_grad_(turn % 2 == 1)
    fit(players, negative_elbo, train, steps=50, lr=3e-3, seed=seed)
print([round(nats) for nats in reached])

# %% tags=["hide-input"]
gained = torch.tensor(reached).diff()
claim("The encoder's turns: smallest gain, nats", gained[0::2].min(), at_least=0)
claim("The decoder's turns: smallest gain, nats", gained[1::2].min(), at_least=0)

# %% [markdown]
r"""
<a id="sure"></a>

## How sure of itself should the encoder be?

Let the decoded picture move by $J_j$ when $z_j$ moves by one ($J_j$ is a column of the decoder's Jacobian, $D$ numbers). Then noise of variance $\sigma_j^2$ on $z_j$ costs $\sigma_j^2 \lVert J_j \rVert^2 / 2\sigma_x^2$ in reconstruction, if the decoder is nearly straight over that width. The KL, with a weight $\beta$, costs $\beta\,(\sigma_j^2/2 - \log \sigma_j)$. The sum is lowest at

$$\sigma_j^2 = \frac{\beta}{\beta + \lVert J_j \rVert^2 / \sigma_x^2}.$$

An untrained decoder reacts little, so $\sigma_j$ is not far below 1. It learns to react, so $\sigma_j$ falls. (That $\sigma$ "starts small and grows to 1" is often said, and wrong: [chapter 2](02_from_ae_to_vae.ipynb).) And for $\beta \to 0$ it falls to zero: the VAE becomes an autoencoder. Here is the formula beside what our encoder has learned with $\beta = 1$.
"""


# %%
def formula(decoder, mean, std):
    jacobian = torch.func.vmap(torch.func.jacrev(decoder))(mean)  # (batch, D, 8)
    return (1 + jacobian.square().sum(1) / std**2).rsqrt()  # (batch, 8)


mean, log_std = encode_all(vae, test[:300])
predicted, std = formula(vae.decoder, mean, vae.log_std.exp()), log_std.exp()
print(f"formula {predicted.mean():.3f}, encoder {std.mean():.3f}")

# %% tags=["hide-input"]
claim(
    "σ over the formula's, geometric mean",
    (std / predicted).log().mean().exp(),
    equals=1,
    within=0.3,
)
fresh = new().eval()
unmoved = formula(fresh.decoder, fresh.encode(test[:300]).mean, torch.tensor(1.0))
claim(
    "Untrained decoder, σ_x = 1: the formula's σ", unmoved.detach().mean(), at_least=0.4, at_most=1
)
claim("Trained: the formula's σ", predicted.mean(), at_most=0.3)

# %% [markdown]
r"""
<a id="rises"></a>

## My KL rises. Is that a bug?

No. The KL is what $z$ costs, and a network that learns to use $z$ has more to pay for. It pays because it gets more than that back. Look at both terms, and at the loss: that is what must fall. If the KL rises and the *loss* rises, too, look for a wrong sign ([chapter 2](02_from_ae_to_vae.ipynb)).
"""

# %%
cost, benefit = (history[name].view(12, -1).mean(1) for name in ("kl", "likelihood"))
more, back = cost[-1] - cost[1], benefit[-1] - benefit[1]
print(f"from the second epoch to the last: KL +{more:.1f}, log p(x|z) +{back:.1f}")

# %% tags=["hide-input"]
claim("KL, last epoch minus the second, nats", more, at_least=2)
claim("Nats of log p(x|z) gained per nat of KL", back / more, at_least=3)
plotting.curves(
    {"KL": history["kl"], r"$\log\, p(x|z)$": history["likelihood"]},
    xlabel="step",
    caption="The two terms of the ELBO of our VAE, while it trains, in nats. Both rise.",
    alt="Two rising curves that flatten. The left one reaches some twenty nats, the right one begins "
    "far below zero and ends above a hundred.",
)

# %% [markdown]
r"""
<a id="double"></a>

## Sum or mean?

Sum over pixels and over latents, mean over the batch. Then the loss is in nats per picture, if the squared error has its factor $1/2\sigma_x^2$ ([chapter 6](06_learned_variance.ipynb)). A mean over pixels can switch a VAE off ([chapter 7](07_posterior_collapse.ipynb)).

What does *your* program do? Do not read it, double it. Give the reconstruction term a batch that holds every picture twice. Nothing may change. Then give it pictures of twice the size, each pixel twice. Now it must double. The same test works for the KL, with latents in place of pixels.
"""

# %%
x, y = torch.rand(2, 16, 1, 14, 14)
terms = {
    "sum, then mean": lambda x, y: (x - y).square().flatten(1).sum(1).mean(),
    "F.mse_loss": F.mse_loss,
    "F.mse_loss, 'sum'": lambda x, y: F.mse_loss(x, y, reduction="sum"),
}
twice = {"batch": (2, 1, 1, 1), "pixels": (1, 1, 2, 1)}
for name, term in terms.items():
    for what, copies in twice.items():
        factor = term(x.repeat(copies), y.repeat(copies)) / term(x, y)
        print(f"{name}: twice the {what}, {factor:.1f} times the loss")

# %% [markdown]
r"""
<a id="tiny"></a>

## How can a weight on the KL be 0.000001? Or 0.00025?

Divide the loss by that weight. Then the KL stands alone, as in the ELBO, and in front of the error you read what noise the loss believes in.

- "Mean squared error + 0.00025 · KL" stands in a much-used collection, for colour pictures of 64 × 64 pixels. A mean over $D$ pixels with the weight $\beta$ on the KL is $\sigma_x^2 = \beta D / 2$. So a pixel may be off by 1.24, and from black to white is 1. That is a *large* weight.
- "Sum of $|x - \hat x|$ + 0.000001 · KL" is the heart of the first stage of latent diffusion ([Rombach et al. 2022](https://arxiv.org/abs/2112.10752)), beside a perceptual and an adversarial term. The absolute error belongs to the **Laplace distribution**, whose density is $e^{-|x - m|/b} / 2b$. So here $b$ is one millionth: the loss believes that a pixel is off by $10^{-6}$.

The figure has the first of the two. Lower $\beta$ until the noise is no larger than the error that *your* decoder makes: that is the weight to take.
"""

# %% tags=["hide-input"]
explorer.loss_calculator(
    digits.train,
    pixels=12_288,
    beta=0.00025,
    caption="What 0.00025 stands for: two digits on a colour canvas of 64 × 64 pixels, and with the noise "
    "that the loss expects. Bars: how much these pictures vary along their main directions. A linear VAE "
    "has a use for the latents whose bars are above the line at σₓ².",
)

# %% [markdown]
r"""
Now we train our VAE with the second loss. How large is the error in truth, and what becomes of the codes?
"""


# %%
def first_stage(model, x):
    posterior = model.encode(x)
    decoded = model.decode(sample_posterior(*posterior)).mean
    wrong = (x - decoded).abs().flatten(1).sum(1)  # (batch,), summed over pixels
    return (wrong + 1e-6 * kl_standard_normal(*posterior)).mean()


first = new(std=0.1)
fit(first, first_stage, train, epochs=5, lr=3e-3, seed=seed)
first = first.eval().requires_grad_(False)
mean, log_std = encode_all(first, train)
z = sample_posterior(mean, log_std)
off = (train - first.decode(z).mean).abs().mean()
print(f"mean |error| {off:.3f}")
print(f"std of all codes {z.std():.2f}, of one posterior {log_std.exp().mean():.4f}")

# %% tags=["hide-input"]
std = math.sqrt(0.00025 * 3 * 64 * 64 / 2)
claim("0.00025: the σ that it stands for", std, equals=1.24, within=0.005)
torch.manual_seed(seed)
loss = torch.cat([first_stage(first, one[None])[None] for one in test[:200]])
torch.manual_seed(seed)  # the same draws of z again
q = [first.encode(one[None]) for one in test[:200]]
draws = torch.cat([first.decode(sample_posterior(*each)).mean for each in q])
laplace = Laplace(draws, 1e-6).log_prob(test[:200]).flatten(1).sum(1)
left_over = 1e6 * loss + laplace - torch.cat([kl_standard_normal(*each) for each in q])
claim(
    "0.000001: loss / β + ELBO with Laplace varies, relative",
    left_over.std() / (1e6 * loss).std(),
    at_most=1e-4,
)
claim("The error it makes, in units of what it is told", off / 1e-6, at_least=1e4)
claim("One posterior's std, to that of all codes", log_std.exp().mean() / z.std(), at_most=0.05)

# %% [markdown]
r"""
It is told a millionth and is off by several hundredths. So this is no ELBO that anybody believes in: it is an autoencoder with a little noise on its codes, and the KL only keeps them from running away. A $b$ that fits the error would be the weight to take for a VAE. Here the choice is deliberate. Nobody draws $z$ from $\mathcal{N}(0, I)$: a second model learns where the codes are.

<a id="scale"></a>

## What is 0.18215?

A second model wants to see numbers of variance 1, and the codes of such a first stage have whatever spread they happen to have. So they are multiplied by one over their standard deviation. For the first stage of Stable Diffusion that was 0.18215. It is a property of *those* weights. Take the spread of yours: even another start of the same network has another. And a VAE with the weight 1 on its KL has no need of the number: its codes have a spread of about 1 ([chapter 4](04_analytic_kl.ipynb)). What the number does to the second model, in nats, is in [chapter 11](11_prior.ipynb).
"""

# %%
other = new(std=0.1)
other.encoder[-1].weight.data[:8] *= 8  # starts with means that are larger
fit(other, first_stage, train, epochs=5, lr=3e-3, seed=seed)
spread = {
    "first stage": z.std(),
    "started otherwise": sample_posterior(*encode_all(other, train)).std(),
}
spread["our VAE"] = sample_posterior(*encode_all(vae, train)).std()
print("\n".join(f"1 / {s:.2f} = {1 / s:.2f}, {name}" for name, s in spread.items()))

# %% tags=["hide-input"]
claim(
    "Spread of codes, started otherwise over first",
    spread["started otherwise"] / spread["first stage"],
    at_least=1.2,
)
claim("Spread of codes, our VAE", spread["our VAE"], equals=1, within=0.15)

# %% [markdown]
r"""
<a id="places"></a>

## My latents of shape 4 × 32 × 32 look collapsed. Are they?

Three things look like it. Noise comes out for $z \sim \mathcal{N}(0, I)$. That is the opposite of a collapse: the codes are *not* where the prior is (see the last two answers), and a decoder that had collapsed would paint the mean picture. Or $\sigma_j$ is nearly zero: the opposite again. Or the KL of each number is tiny, and its mean hardly varies. Then add up. There are 4 096 numbers.

How little can each of them say? Take our VAE's eight latents, add 4 088 that say nothing, and turn the whole space at random. The pictures come out as before, once it is turned back. Now look at one number at a time, and at all.
"""

# %%
mean = encode_all(vae, train).mean  # (4000, 8)
spread_out = mean @ torch.linalg.qr(torch.randn(4_096, 8)).Q.T  # (4000, 4096)
for name, codes in {"as they are": mean, "spread out": spread_out}.items():
    each = codes.var(0)
    print(f"{name}: largest Var(μ_j) {each.max():.4f}, all together {each.sum():.2f}")

# %% tags=["hide-input"]
claim(
    "Spread out: latents that count as active, Var(μ_j) > 0.01",
    (each > 0.01).sum(),
    equals=0,
    within=0,
)
claim("As they are: smallest Var(μ_j)", mean.var(0).min(), at_least=0.3)
bits = kl_per_latent(vae, test).sum()
claim("KL of a picture, over 4 096 numbers, nats", bits / 4_096, at_most=0.01)

# %% [markdown]
r"""
Not one of the numbers counts as active ([chapter 2](02_from_ae_to_vae.ipynb) draws the line at 0.01), and together they say what the eight said. So judge the *sum* of the KL, and one more thing: give the decoder another picture's code. If the output does not change, it has collapsed.

<a id="negative"></a>

## My loss is negative. Is that a bug?

No. A probability is at most 1, but a *density* has no upper limit. Where pixels fit to within a small $\sigma_x$, the density is large, its logarithm positive, and minus the ELBO negative. Even the sign depends on the unit. Count grey from 0 to 255 in place of 0 to 1, and the same model has a loss that is larger by $D \log 255$, here 1 086 nats. What must *not* be negative is a KL in closed form.

<a id="report"></a>

## Which number do I report, and what should it be?

Report the ELBO on *test* pictures, with fresh draws, in nats per picture, with a standard error over pictures. Say what the likelihood is, its $\sigma_x$, and the scale of the pixels. Do not report the training loss, a loss with a $\beta$ in it, or the ELBO at the posterior's mean ([chapter 5](05_reparameterization.ipynb)). If you report $\log p(x)$ by importance weights, say with how many ([chapter 3](03_elbo.ipynb)).

What should it be? No table can tell you for your pictures. But you can compute what a VAE must beat. Two models need no training at all: the mean picture with noise, and the best *linear* VAE with as many latents. Each gets its best $\sigma_x$.
"""

# %%
flat, smudge = train.flatten(1).double(), train.mean(0).expand_as(test)
rmse = (train - smudge[0]).square().mean().sqrt()
levels = {
    "mean picture": gaussian_log_likelihood(test, smudge, rmse.log()),
    "linear VAE": fit_linear_vae(flat, 8).log_marginal(test.flatten(1)),
    "VAE": vae.elbo(test, n_samples=10).total,
    "VAE, training pictures": vae.elbo(train, n_samples=10).total,
    "VAE, 50 weights": importance_weighted_bounds(vae, test, 50),
}
for name, values in levels.items():
    print("{:23s} {:7.1f} ± {:.1f} nats".format(name, *estimate(values)))

# %% tags=["hide-input"]
nothing, straight, ours, seen, weighted = (values.mean() for values in levels.values())
claim("Our loss, nats", -ours, at_most=-20)
in_255 = gaussian_log_likelihood(
    255 * test, 255 * vae.reconstruct(test), vae.log_std + math.log(255)
)
change = gaussian_log_likelihood(test, vae.reconstruct(test), vae.log_std) - in_255
claim("A loss on pixels from 0 to 255 is larger by, nats", change.mean(), equals=1086, within=0.5)
claim("Linear VAE above the mean picture, nats", straight - nothing, at_least=20)
claim("VAE above the linear VAE, nats", ours - straight, at_least=8)
claim("Training pictures above test, nats", seen - ours, at_least=0.5)
claim("50 weights above the ELBO, nats", weighted - ours, at_least=0.5)

# %% [markdown]
r"""
If yours is below the linear VAE after a proper training, look for a mistake. To compare with the literature you have to do as it did. For MNIST with pixels drawn as 0 or 1, two hidden layers of 200 and 50 latents, [Burda et al. (2015)](https://arxiv.org/abs/1509.00519) report $-86.8$ nats, with 5000 weights. A number on grey pixels compares with no such table.

<a id="threshold"></a>

## Which threshold finds anomalies?

"Call a picture odd if its ELBO is low." The threshold itself is easy: take the ELBO of *held-out* normal pictures and cut off their lowest 5 %. Then 5 % of normal pictures raise a false alarm, give or take. The trouble is what gets through. A density is not a measure of how normal a picture is. It is high wherever a picture is easy to predict, and nothing is easier than a black one ([Nalisnick et al. 2019](https://arxiv.org/abs/1810.09136)).
"""

# %%
held_out, fresh = test[:500], test[500:]
odd = {
    "fresh digits": fresh,
    "upside down": fresh.flip(2),
    "pixels shuffled": fresh.flatten(1)[:, torch.randperm(D)].view_as(fresh),
    "half as bright": fresh / 2,
    "black": 0 * fresh,
}
score = {name: vae.elbo(pictures, n_samples=10).total for name, pictures in odd.items()}
threshold = vae.elbo(held_out, n_samples=10).total.quantile(0.05)
caught = {name: (values < threshold).double().mean() for name, values in score.items()}
print("\n".join(f"{share:4.0%} of {name}" for name, share in caught.items()))

# %% tags=["hide-input"]
claim("False alarms among fresh digits", caught["fresh digits"], equals=0.05, within=0.06)
claim("Caught, pixels shuffled", caught["pixels shuffled"], at_least=0.8)
claim("Caught, half as bright", caught["half as bright"], at_most=0.02)
claim("Caught, black", caught["black"], equals=0, within=0)
above = (score["black"].mean() > score["fresh digits"]).double().mean()
claim("Digits with a lower ELBO than black", above, at_least=0.6)

low, high = score["fresh digits"].quantile(0.01).item(), score["half as bright"].max().item()
figure, (axis,) = plotting.figure(7.5, 2.8)
for name, style in (("fresh digits", "-"), ("upside down", "--"), ("half as bright", ":")):
    counts = torch.histc(score[name].float(), 40, low - 60, high + 10)
    axis.plot(torch.linspace(low - 60, high + 10, 40), counts, style, label=name)
axis.axvline(threshold, color="black", lw=1, label="threshold")
axis.axvline(score["black"].mean(), color="black", ls="-.", lw=1, label="black")
axis.set(xlabel="ELBO in nats", ylabel="pictures")
axis.legend(fontsize=10)
plotting.show(
    figure,
    caption="How the ELBO of 500 pictures is distributed. What lies left of the threshold raises an alarm.",
    alt="Three humps over the ELBO. The solid one of fresh digits lies right of a vertical line. The dashed "
    "one, upside down, lies on both sides of the line. The dotted one, half as bright, is narrow and furthest "
    "to the right. A second vertical line, the black picture, stands at the right end of the solid hump.",
)

# %% [markdown]
r"""
Shuffled pixels are caught. Digits at half their brightness are not, and the black picture has a higher ELBO than most digits. So before you trust such an alarm, make the anomalies that *you* fear, and count.

<a id="demand"></a>

## Can I get one digit on demand?

Yes, if you have labels, and without a new training. Encode the training pictures that show a 3, fit a normal distribution to their codes, and draw from that instead of from the prior. Is it a 3 that comes out? We ask the ten nearest test pictures, as in [chapter 1](01_autoencoders.ipynb), and ask them about reconstructions as well, which no draw can be expected to beat. (A label in the networks does better still: [chapter 11](11_prior.ipynb).)
"""

# %%
mean, labels = encode_all(vae, train).mean, digits.train_labels
asked, made = torch.arange(10).repeat_interleave(100), []
for label in range(10):
    codes = matched_gaussian(mean[labels == label], torch.randn(100, 8))
    made.append(vae.decode(codes).mean)
votes = nearest_label_vote(torch.cat(made), test, digits.test_labels)
rebuilt = nearest_label_vote(vae.reconstruct(train[:2_000]), test, digits.test_labels)
right = (votes.label == asked).double().mean()
of_rebuilt = (rebuilt.label == labels[:2_000]).double().mean()
print(f"the label asked for: {right:.2f}; rebuilt, the label put in: {of_rebuilt:.2f}")

# %% tags=["hide-input"]
claim(
    "On demand: right label, to that of reconstructions",
    right / of_rebuilt,
    at_least=0.85,
    at_most=1.1,
)
prior = nearest_label_vote(vae.sample(2_000, noise=False), test, digits.test_labels)
demand, rebuilt, prior = ((vote.share == 1).double().mean() for vote in (votes, rebuilt, prior))
claim("Unanimous, from the prior over rebuilt", prior / rebuilt, at_most=0.8)
claim("Unanimous, on demand over from the prior", demand / prior, at_least=1.2)
plotting.rows(
    {f"label {label}": made[label][:12] for label in (0, 2, 3, 7)},
    caption="Asked for by label: means of the decoder for draws from four normal distributions.",
    alt="Four rows of twelve small pictures. Within each row nearly all show the same digit, soft and in "
    "different shapes; a few cannot be read.",
)

# %% [markdown]
r"""
Chance would give a tenth. The other way is to give the label to encoder and decoder while they train. This is a **conditional VAE** ([Sohn et al. 2015](https://papers.nips.cc/paper/5775)). It is what you need when a label has many values, or is a number.

<a id="axes"></a>

## Can I explain what my latents mean?

"The latent space of a VAE is continuous and explainable." Continuous, yes, as the encoder is ([chapter 8](08_latents_that_live.ipynb) measures it). Explainable, no: nothing makes it so. The prior is round. Turn the latent space, and let the decoder turn it back: every picture is exactly as likely as before, but each axis now does something else ([Locatello et al. 2019](https://arxiv.org/abs/1811.12359)).

And the ELBO? Turn the encoder's means along. (Forget to, and the ELBO is ruined.) Its $\sigma_j$ cannot follow exactly: in a turned posterior, latents go together, and our encoder gives each latent a $\sigma_j$ by itself. So the ELBO does prefer some axes, a little ([Rolínek et al. 2019](https://arxiv.org/abs/1812.06775)). Here that is worth next to nothing, and it would be no meaning either.
"""

# %%
turn = torch.linalg.qr(torch.randn(8, 8)).Q  # the new decoder is decode(z @ turn)
mean, log_std = encode_all(vae, test)
precision = turn**2 @ (-2 * log_std).exp().T  # of each latent, given the others
turned = mean @ turn.T, -0.5 * precision.T.log()


def bound(posterior):
    z = sample_posterior(*posterior)
    return vae.log_likelihood(test, z @ turn) - kl_standard_normal(*posterior)


bounds = {"before": vae.elbo(test).total, "turned": bound(turned)}
bounds["only the decoder turned"] = bound((mean, log_std))
print(*(f"{who:23} {nats.mean():6.1f} nats" for who, nats in bounds.items()), sep="\n")

# %% tags=["hide-input"]
change = estimate(bounds["turned"] - bounds["before"])
five = 5 * change.standard_error
claim("ELBO, turned minus before", change.mean, at_least=-2 - five, at_most=five)
ruined = (bounds["before"] - bounds["only the decoder turned"]).mean()
claim("Only the decoder turned: nats lost", ruined, at_least=50)
walk = torch.linspace(-2.5, 2.5, 11)[:, None]
plotting.rows(
    {
        f"axis {j + 1}, {name}": vae.decode(walk * directions[j]).mean
        for j in (0, 1)
        for name, directions in {"before": torch.eye(8), "after": turn}.items()
    },
    caption="Walks along the first two axes, before the latent space is turned and after.",
    alt="Four rows of eleven small blurred digits. In each row a digit changes gradually from left to "
    "right. The middle picture is the same in all rows; the ends differ from row to row.",
)

# %% [markdown]
r"""
<a id="nan"></a>

## Why is my loss not a number?

Most often some $\sigma$ has run away. With 32-bit numbers $\sigma^2 = e^{2 \log \sigma}$ is infinite from $\log \sigma = 45$ on. Or $\sigma_x$ went to zero on a pixel that never changes ([chapter 6](06_learned_variance.ipynb)). The course's `fit` stops at that step and prints each term.

"Convergence is controlled by the model itself, and not by hyperparameters." It is not: $\sigma_x$, $\beta$ and the learning rate are left to you. Here are two epochs of the same network with two learning rates.
"""

# %%
after = {}
for lr in (0.003, 0.1):
    fit(hasty := new(), negative_elbo, train, epochs=2, lr=lr, seed=seed)
    after[lr] = hasty.eval().elbo(test).total.mean().item()
print(*(f"lr = {lr:5}: {nats:.1f} nats" for lr, nats in after.items()), sep="\n")

# %% tags=["hide-input"]
claim("Learning rate 0.1: nats below 0.003", after[0.003] - after[0.1], at_least=10)

# %% [markdown]
r"""
<a id="faster"></a>

## Is it faster than diffusion or a GAN?

A VAE makes a picture in one pass through its decoder. A diffusion model takes a pass for each step, tens to a thousand. A GAN takes one pass, too. So, with networks of one size, a VAE is faster than the first, and not faster than the second.

What does it give up? Its means are blurred ([chapter 9](09_blur.ipynb)). And where the codes are not spread quite like the prior, it decodes $z$ that it never saw: among draws from the prior, the neighbours agree less often than among reconstructions (the claims of <a href="#demand">one digit on demand</a>). What does it keep? An encoder, a bound on $\log p(x)$, and training without a game.

## What to take along

When you are in doubt, compute a case with a known answer: two pictures, a linear decoder, a batch that holds everything twice. Many questions on this page come down to a unit. A sum or a mean? Per number or per picture? From 0 to 1 or to 255? And a weight in a loss is a scale of the noise in disguise.

## Practise

[Exercises](exercises/questions.ipynb) check what you write and name your mistake. Walk along a great circle, report a number as it should be reported, find the $\sigma_x$ behind a weight, and unmask a decoder in disguise.

## The checks
"""

# %% tags=["hide-input"]
summary()
