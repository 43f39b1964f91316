# %% [markdown]
r"""
# 2 · From autoencoder to variational auto-encoder

[Chapter 1](01_autoencoders.ipynb) ended with two things missing: a distribution over codes to draw from, and a density over pictures. One change gives you both.

**After this chapter you can**

- write down the model, the encoder and the two terms of the loss, with the right signs and units;
- train a VAE and read its three curves;
- draw new pictures, and tell a sample of the model from its mean;
- say what more latents buy, and what they do not;
- walk from one picture to another without leaving the latent space.
"""

# %%
import math

import torch
from torch.distributions import Normal, kl_divergence

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import active_units, encode_all, estimate_elbo
from vae_course.evaluation.recognition import digit_score
from vae_course.latents import great_circle, matched_gaussian, straight_line
from vae_course.models import VAE, Autoencoder
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("02_from_ae_to_vae")
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)

# %% [markdown]
r"""
## Start from the end: how a picture is made

Forget the encoder for a moment. Say how a picture comes about.

1. Draw a **latent** vector $z$ of $d$ numbers from the **prior** $p(z) = \mathcal{N}(0, I)$. That is $d$ independent standard normal numbers.
2. Send it through the **decoder**, a network with weights $\theta$. It gives a mean picture $\mu_\theta(z)$.
3. Draw the picture $x$ from the **likelihood** $p_\theta(x \mid z) = \mathcal{N}(\mu_\theta(z), \sigma_x^2 I)$. So each pixel gets a little normal noise of standard deviation $\sigma_x$.

This is a **latent variable model**. It defines a density over pictures, by adding up over all latent vectors:

$$p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz.$$

Step 3 looks like a nuisance. Why add noise? Because without it there is no density. A decoder alone maps $d$ numbers to a thin sheet in the space of all pictures. A real picture is almost never exactly on the sheet. Watch its log-density as the noise goes away, for the flattest sheet there is: a line in the plane, with the point 0.1 beside it.
"""


# %%
def log_density(noise_std):
    """log p(x) at x = (1, 0.1) when z ~ N(0, 1) and x ~ N((z, 0), noise_std²)."""
    x = torch.tensor([1.0, 0.1])
    stds = torch.tensor([math.sqrt(1 + noise_std**2), noise_std])  # along the line, across it
    return Normal(0.0, stds).log_prob(x).sum().item()


for noise_std in (0.3, 0.1, 0.01, 0.001):
    print(f"noise {noise_std:5}: log p(x) = {log_density(noise_std):10.1f} nats")
claim("log p(x) beside the line, at noise 0.001", log_density(0.001), at_most=-1000)

# %% [markdown]
r"""
Logarithms here are natural, so the unit is the **nat**. One nat is 1.44 bits.

The number $\sigma_x$ says how far off a pixel may be before it costs much. We fix $\sigma_x = 0.3$ on this page. [Chapter 6](06_learned_variance.ipynb) learns it, and shows what it then reports: the typical error of a pixel.

## An encoder that answers with a distribution

Now bring the encoder back. For a given picture, which $z$ may have made it? Several, so the honest answer is a distribution. It is called the **posterior** $p_\theta(z \mid x)$. We cannot compute it, so the encoder, with weights $\phi$, gives an approximation:

$$q_\phi(z \mid x) = \mathcal{N}\bigl(\mu_\phi(x), \operatorname{diag} \sigma_\phi(x)^2\bigr).$$

The encoder has two outputs per latent, a mean $\mu_j$ and a $\log \sigma_j$. They are the *parameters* of a distribution over latent vectors. There is one such distribution per picture. It is not a distribution of pictures, and the outputs are not yet a code. The code is drawn:

$$z = \mu_\phi(x) + \sigma_\phi(x) \odot \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, I).$$

Why $\log \sigma$? A network output can be any number, and a standard deviation must be positive.

## Two terms, in nats

The loss of a VAE is minus the **evidence lower bound** (ELBO). [Chapter 3](03_elbo.ipynb) derives it. Here is what it says, for one picture:

$$\operatorname{ELBO}(x) = \underbrace{\mathbb{E}_{q_\phi(z \mid x)}\bigl[\log p_\theta(x \mid z)\bigr]}_{\text{reconstruction}} - \underbrace{\operatorname{KL}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr)}_{\text{distance from the prior}}$$

- **Reconstruction**: draw a code, decode it. How likely is the picture? Log-likelihoods of pixels add up, so this is a *sum* over pixels.
- **KL** (Kullback–Leibler divergence): how far is this picture's posterior from the prior? It adds up over the latents, $\operatorname{KL} = \sum_j \frac12 (\sigma_j^2 + \mu_j^2 - 1) - \log \sigma_j$. [Chapter 4](04_analytic_kl.ipynb) derives it.

Both terms are in nats per picture, so they can be compared. We minimise the mean over the batch.
"""


# %%
def negative_elbo(model, x):
    posterior = model.encode(x)  # mean and log_std, each (batch, latent_dim)
    z = sample_posterior(posterior.mean, posterior.log_std)
    likelihood = model.decode(z)
    reconstruction = gaussian_log_likelihood(x, likelihood.mean, likelihood.log_std)  # (batch,)
    kl = kl_standard_normal(posterior.mean, posterior.log_std)  # (batch,)
    return {
        "loss": -(reconstruction - kl).mean(),
        "reconstruction": reconstruction.mean(),
        "kl": kl.mean(),
        "posterior std": posterior.log_std.exp().mean(),
    }


# %% [markdown]
r"""
Two short functions do the work. Never trust such functions because they look right. Compare them with numbers from elsewhere: PyTorch's own distributions.
"""

# %%
one = torch.ones(1, 1)
claim("KL at mean 0 and log std 1", kl_standard_normal(0 * one, one), equals=2.194528, within=1e-5)

mean, log_std = torch.randn(2, 5, 20)
ours = kl_standard_normal(mean, log_std)
oracle = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
claim("Largest relative error of the KL", (ours / oracle - 1).abs().max(), at_most=1e-4)

x, picture = digits.test[:5], digits.test[5:10]
ours = gaussian_log_likelihood(x, picture, math.log(0.3))
oracle = Normal(picture, 0.3).log_prob(x).flatten(1).sum(1)
claim("Largest error of the log-likelihood", (ours - oracle).abs().max(), at_most=0.05)

# %% [markdown]
r"""
Mind the sign between the terms. At least one well-known page prints "reconstruction **plus** KL" as the objective to maximise. Here is the check that catches it. Move the posterior mean far away from the prior and leave the pictures alone. A sane objective gets worse.
"""


# %%
near, far = kl_standard_normal(torch.tensor([[0.0], [100.0]]), torch.zeros(2, 1))
claim("Moving 100 away changes 'reconstruction - KL' by", near - far, at_most=-1)
claim("Moving 100 away changes 'reconstruction + KL' by", far - near, equals=5000, within=0.01)

# %% [markdown]
r"""
With the plus, running away to infinity is the best thing to do. With the minus, it costs 5 000 nats.

## Train

The network is that of chapter 1. Two lines have changed: the encoder's last layer is twice as wide, and the code is drawn. For comparison we train one plain autoencoder, too.
"""


# %%
def train(model_class, loss, latent_dim, **options):
    torch.manual_seed(seed)
    model = model_class((1, 28, 28), latent_dim, hidden=(128, 64), **options)
    history = fit(model, loss, digits.train, epochs=10, lr=2e-3, seed=seed)
    return model.eval().requires_grad_(False), history


def squared_error(model, x):
    return (x - model.reconstruct(x)).square().flatten(1).sum(1).mean()


trained = {d: train(VAE, negative_elbo, d, std=0.3) for d in (2, 4, 10, 20)}
vaes = {d: vae for d, (vae, history) in trained.items()}
autoencoder, _ = train(Autoencoder, squared_error, 20)

# %% tags=["hide-input"]
history = trained[10][1]
plotting.curves(
    {f"{name} [nats]": history[name][20:] for name in ("reconstruction", "kl")}
    | {"mean posterior std": history["posterior std"]},
    xlabel="step",
    caption="Training with ten latents: both terms after the first 20 steps, and the mean "
    "standard deviation of the posteriors.",
    alt="Three curves over training steps. Reconstruction rises steeply, then slowly. KL "
    "peaks early, drops, then rises and levels off. The posterior standard deviation starts near one and falls.",
)

# %% [markdown]
r"""
Look at the third curve. The encoder starts with $\sigma \approx 1$, which is the prior itself: it says nothing about the picture yet. Then the decoder learns to use the code, and being precise starts to pay. So $\sigma$ **falls**.

You can find it told the other way round: "small at first, close to 1 later", as if the two networks fought like those of a GAN. There is no fight. Encoder and decoder minimise one and the same loss.
"""

# %%
claim("Posterior std at the first step", history["posterior std"][0], equals=1, within=0.15)
claim("Posterior std at the end", history.final("posterior std"), at_most=0.8)
claim("KL at the end, in nats", history.final("kl"), at_least=5)

# %% [markdown]
r"""
## New pictures

Draw $z$ from the prior, decode. One pass of the decoder makes a picture. Be precise about what you show, though. The model says "mean **plus noise**". Papers and blogs show the means, and call them samples.
"""

# %%
torch.manual_seed(seed)
means = vaes[10].sample(2_000, noise=False)
torch.manual_seed(seed)
samples = vaes[10].sample(2_000)

claim(
    "Std of the difference between samples and their means",
    (samples - means).std(),
    equals=0.3,
    within=0.005,
)
plotting.rows(
    {"mean of $p(x|z)$": means[:12], "sample of $p(x|z)$": samples[:12]},
    caption="The same twelve z, shown as the decoder's mean and as full samples of the model.",
    alt="Two rows of twelve generated digits. Above, smooth and slightly blurred. Below, the same "
    "digits under strong grainy noise.",
)

# %% [markdown]
r"""
So a VAE's samples are not blurry. They are noisy. Their *means* are blurry, and [chapter 8](08_blur.ipynb) measures why. From here on we show means, and say so.

## The latent plane

With two latents you can see the whole space. Left: where the encoder puts the test pictures. Right: what the decoder makes of each place. The places are chosen so that each of them is equally likely under the prior.
"""

# %%
plane = vaes[2]
posterior = encode_all(plane, digits.test)
quantiles = Normal(0.0, 1.0).icdf((torch.arange(15) + 0.5) / 15)
grid = torch.cartesian_prod(-quantiles, quantiles).flip(1)  # (225, 2), top row first
plotting.latent_plane(
    posterior.mean,
    digits.test_labels,
    plane.decode(grid).mean,
    circles=(1, 2),
    caption="Left: posterior means of 2 000 test pictures, with circles of radius 1 and 2 "
    "around the prior's mean. Right: decoder means at evenly likely places.",
    alt="Left, coloured points of ten digits fill a round region centred at zero, mostly "
    "inside the circle of radius two, in neighbouring sectors with little empty space. "
    "Right, fifteen rows of fifteen digits that change smoothly from one to the next.",
)

# %% [markdown]
r"""
Now touch it. Drag the point, tap where it should go, or use the arrow keys or the sliders. Beside the VAE is an autoencoder with two numbers, the same networks and the same training. Walk slowly from digit to digit in both. Then walk out to the border, where few codes are.
"""

# %% tags=["hide-input"]
with torch.random.fork_rng():  # what follows draws the same numbers as without this figure
    flat, _ = train(Autoencoder, squared_error, 2)
explorer.latent_plane(
    {"autoencoder": flat, "VAE": plane},
    digits.test,
    digits.test_labels,
    caption="Codes of 2 000 test pictures (of the VAE, the posterior means), and what each decoder "
    "makes of its point. Mind the scales: nothing told the autoencoder how far out to go.",
)

# %% [markdown]
r"""
The cloud is now round, centred and scaled like the prior. The KL term did that. But careful: it acts on *each* posterior, not on the cloud. No single posterior looks like $\mathcal{N}(0, I)$. If each did, the code would say nothing about its picture. It is their mixture over all pictures, the **aggregate posterior**, that comes close to the prior. For each latent its mean is $\mathbb{E}\,\mu_j$ and its second moment is $\mathbb{E}[\mu_j^2 + \sigma_j^2]$.
"""

# %%
ten = encode_all(vaes[10], digits.test)
means = ten.mean.mean(0)  # (10,)
moments = (ten.mean**2 + (2 * ten.log_std).exp()).mean(0)  # (10,)
claim("Aggregate means, root mean square", means.square().mean().sqrt(), at_most=0.4)
claim("Aggregate second moments, average", moments.mean(), equals=1, within=0.3)
claim("Typical std of one posterior, d = 2", posterior.log_std.exp().mean(), at_most=0.3)

# %% [markdown]
r"""
"The code space is continuous, because it is Gaussian", says another popular line. The plain autoencoder's space is just as continuous: its codes are real numbers, its decoder a continuous function. What you gained is *coverage*, and a decoder that must make sense everywhere within a posterior's reach, because codes are drawn from there.

Where posteriors overlap, the same $z$ may come from several pictures. The decoder cannot know which one, so it answers with a weighted average of them. Some call this "mixing of characteristics". What you see is blur. [Chapter 8](08_blur.ipynb) computes that average and compares it with the decoder.

What do the two axes mean? Nothing that you could count on. Rotate the plane, and let the decoder rotate it back. The prior is round, so $p_\theta(x)$ stays exactly the same: the likelihood of the data cannot tell one set of axes from another. (The encoder has a slight preference, because its $\sigma$ are parallel to the axes. Chapter 3 measures it.)

## 2, 4, 10 and 20 latents

How many latents do you need? We compare on test pictures. An **active** latent is one whose mean varies from picture to picture.
"""


# %%
def score(pictures):
    return digit_score(pictures, digits.train, digits.train_labels)


table = {}
for latent_dim, vae in vaes.items():
    parts = estimate_elbo(vae, digits.test, n_samples=5)
    row = {name: part.mean for name, part in parts.items()}
    row["error"] = squared_error(vae, digits.test).item()
    row["active"] = active_units(vae, digits.test)
    row["unanimous"], row["kinds"] = score(vae.sample(2_000, noise=False))
    table[latent_dim] = row

names = list(table[2])
print("latents " + "".join(f"{name:>16s}" for name in names))
for latent_dim, row in table.items():
    print(f"{latent_dim:7d} " + "".join(f"{row[name]:16.2f}" for name in names))

# %%
gain = {d: table[d]["total"] - table[2]["total"] for d in table}
claim("ELBO, 4 latents better than 2 by nats", gain[4], at_least=10)
claim("ELBO, 10 latents better than 2 by nats", gain[10], at_least=25)
claim(
    "Gain from 10 to 20, as a share of that from 2 to 10",
    (gain[20] - gain[10]) / gain[10],
    at_most=0.6,
)
error = table[20]["error"] / table[2]["error"]
claim("Reconstruction error, 20 latents relative to 2", error, at_most=0.8)
unanimous = table[20]["unanimous"] / table[4]["unanimous"]
claim("Unanimous prior pictures, 20 latents relative to 4", unanimous, at_most=1.15)

# %% tags=["hide-input"]
torch.manual_seed(seed)
first = digits.test[:12]
plotting.rows(
    {"original": first}
    | {f"$d = {d}$, reconstructed": vae.reconstruct(first) for d, vae in vaes.items()}
    | {f"$d = {d}$, from the prior": vae.sample(12, noise=False) for d, vae in vaes.items()},
    caption="Reconstructions get better with more latents. Pictures drawn from the prior do not.",
    alt="Nine rows of twelve digits. Reconstructions with two latents are blurred and sometimes wrong; "
    "with ten and twenty they follow the originals. Prior means with two and four latents are mostly clean "
    "digits; with ten and twenty more of them are malformed.",
)

# %% [markdown]
r"""
"More latents improve the quality" is half of the story. Reconstructions improve, until the model has as many latents as it can use. Then the ELBO gains little more. Pictures drawn from the prior do *not* improve: with more latents there are more places where no picture ever put its code.

The errors above are on pictures the model has not seen. That matters. When you read "reconstruction error 0.026, not bad", ask two questions: on which pictures, and on which scale? On pixels from −1 to 1 the same pictures have four times the squared error of pixels from 0 to 1. And pictures a model was trained on tell you little. Here is a VAE that has seen only 500.
"""

# %%
few = digits.train[:500]
torch.manual_seed(seed)
small = VAE((1, 28, 28), 10, hidden=(128, 64), std=0.3)
fit(small, negative_elbo, few, steps=600, lr=2e-3, seed=seed)


def psnr(images):
    """Peak signal-to-noise ratio in decibel, for pixels from 0 to 1."""
    per_pixel = (images - small.reconstruct(images)).square().mean().item()
    return -10 * math.log10(per_pixel)


print(f"its own 500: {psnr(few):.2f} dB, test: {psnr(digits.test):.2f} dB")
claim("PSNR on its own pictures above test, dB", psnr(few) - psnr(digits.test), at_least=0.5)

# %% [markdown]
r"""
## The same question as in chapter 1

Are they digits? Chapter 1 asked the ten nearest training pictures. For each model we compare decoded random codes with reconstructions of real pictures. The autoencoder gets the matched Gaussian, its best chance.
"""

# %%
torch.manual_seed(seed)
codes = matched_gaussian(autoencoder.encode(digits.train), torch.randn(2_000, 20))
batches = {
    "AE": (autoencoder.reconstruct(digits.test), autoencoder.decode(codes)),
    "VAE": (vaes[20].reconstruct(digits.test), vaes[20].sample(2_000, noise=False)),
}
kept = {}
for name, (real, random) in batches.items():
    best, drawn = score(real), score(random)
    kept[name] = drawn.unanimous / best.unanimous
    print(f"{name:4s} reconstructed {best}")
    print(f"     random        {drawn}")

claim("Kept by random codes, VAE against AE", kept["VAE"] / kept["AE"], at_least=1.1)
claim("Kept by random codes, VAE", kept["VAE"], at_most=0.95)
claim("Kinds of digits from the VAE's prior", drawn.kinds, at_least=4)

# %% [markdown]
r"""
The VAE keeps more, and not everything. Its aggregate posterior is near the prior, not equal to it. Where they differ, you draw codes that the decoder hardly saw in training. This is called the **prior hole**.

## Walk from one picture to another

Take two test pictures. Fade one into the other, pixel by pixel: halfway you see two ghosts. Now do the same with their codes, and decode each step.
"""


# %%
start, end = (digits.test[digits.test_labels == label][0] for label in (3, 8))
z_start, z_end = encode_all(vaes[10], torch.stack([start, end])).mean
plotting.rows(
    {
        "pixels": straight_line(start, end, 9),
        "latents, straight": vaes[10].decode(straight_line(z_start, z_end, 9)).mean,
        "latents, circle": vaes[10].decode(great_circle(z_start, z_end, 9)).mean,
    },
    caption="From a three to an eight: in pixels, and in latents along a line and a great circle.",
    alt="Three rows of nine pictures. In the top row a three fades out while an eight fades in, both "
    "visible in the middle. In the two rows below, one stroke shape turns gradually into the other.",
)

# %% [markdown]
r"""
Two ghosts cover more paper than one digit. So we count the pixels that have ink on them, halfway, over a thousand pairs. The ends are reconstructions in both cases, so the blur is the same.
"""


# %%
def inked(images):
    return (images > 0.1).float().mean().item()


a, b = digits.test[:1000], digits.test[1000:]
ends = vaes[10].reconstruct(a), vaes[10].reconstruct(b)
at_the_ends = inked(torch.cat(ends))
codes = [encode_all(vaes[10], batch).mean for batch in (a, b)]
in_pixels = inked((ends[0] + ends[1]) / 2)
in_latents = inked(vaes[10].decode((codes[0] + codes[1]) / 2).mean)
claim("Ink halfway in pixels, against the ends", in_pixels / at_the_ends, at_least=1.06)
claim("Ink halfway in latents, against the ends", in_latents / at_the_ends, at_most=1.04)

# %% [markdown]
r"""
Straight or along a circle? It depends on what is at the ends. Draws from the prior in $d$ dimensions are *not* near the centre, where the density is highest. Almost all lie close to a sphere of radius $\sqrt d$. Halfway between two of them, a straight line cuts through the inside of the sphere, where hardly any draws are. A great circle stays on it. So circles suit prior draws.

Posterior means have no such rule, and a straight line suits them well.

One more recipe is around: weights $t$ and $\sqrt{1 - t^2}$. It keeps the norm for independent draws. But it is lopsided: halfway, at $t = \frac12$, the angle is 30° from one end instead of 45°. And a walk from a point to itself leaves the point.
"""

# %%
d = 64
a, b = torch.randn(2, 2_000, d)
log_ratio = math.lgamma((d + 1) / 2) - math.lgamma(d / 2)
radius = math.sqrt(2) * math.exp(log_ratio)  # the exact mean norm of a draw
straight, circle = (walk(a, b, 3)[1].norm(dim=1) for walk in (straight_line, great_circle))

claim("Mean norm of prior draws, d = 64", a.norm(dim=1).mean(), equals=radius, within=0.1)
claim("Share of draws in the inner half", (a.norm(dim=1) < radius / 2).sum() / 2_000, at_most=1e-3)
claim("Halfway, straight", straight.mean(), equals=radius / math.sqrt(2), within=0.1)
claim("Halfway, circle", circle.mean(), equals=radius, within=0.1)


# %%
def lopsided(a, b, t):
    return t * a + math.sqrt(1 - t**2) * b


east, north = torch.eye(2)
angle = torch.rad2deg(torch.acos(lopsided(east, north, 0.5) @ north))
claim("Degrees from one end at t = 1/2", angle, equals=30, within=1e-3)
stayed = lopsided(east, east, math.sqrt(0.5)).norm()
claim("From a point to itself, at t = 0.707: norm", stayed, equals=math.sqrt(2), within=1e-3)

# %% [markdown]
r"""
## What to take along

You now have a generative model. The KL term keeps the codes where the prior will look for them, and pays for it in reconstruction. Where the balance lies depends on $\sigma_x$: one setting gives one point on a curve of rate against distortion, not "the" best compression. Why exactly these two terms? [Chapter 1](01_autoencoders.ipynb) asked for a density $p(x)$, and the ELBO is a bound on its logarithm. That is [chapter 3](03_elbo.ipynb).

## Practise

[Exercises 2](exercises/02_from_ae_to_vae.ipynb) check what you write and name your mistake. Put the ELBO together from its pieces, draw from a model, look at the aggregate posterior, and find out how many latents a model needs.

## Summary
"""

# %% tags=["hide-input"]
summary()
