# %% [markdown]
"""
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

from vae_course import plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import active_units, digit_score, encode_all, estimate_elbo
from vae_course.models import VAE, Autoencoder
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("02_from_ae_to_vae")
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)

# %% [markdown]
"""
## Start from the end: how a picture is made

Forget the encoder for a moment. Say how a picture comes about.

1. Draw a **latent** vector $z$ of $d$ numbers from the **prior** $p(z) = \\mathcal{N}(0, I)$. That is $d$ independent standard normal numbers.
2. Send it through the **decoder**, a network with weights $\\theta$. It gives a mean picture $\\mu_\\theta(z)$.
3. Draw the picture $x$ from the **likelihood** $p_\\theta(x \\mid z) = \\mathcal{N}(\\mu_\\theta(z), \\sigma_x^2 I)$. So each pixel gets a little normal noise of standard deviation $\\sigma_x$.

This is a **latent variable model**. It defines a density over pictures, by adding up over all latent vectors:

$$p_\\theta(x) = \\int p_\\theta(x \\mid z)\\, p(z)\\, dz.$$

Step 3 looks like a nuisance. Why add noise? Because without it there is no density. A decoder alone maps $d$ numbers to a thin sheet in the space of all pictures. A real picture is almost never exactly on the sheet. Watch its log-density as the noise goes away, for the flattest sheet there is: a line in the plane, with the point 0.1 beside it.
"""

# %%
def log_density(noise_std):
    """log p(x) at x = (1, 0.1) when z ~ N(0, 1) and x ~ N((z, 0), noise_std²)."""
    along = torch.distributions.Normal(0.0, math.sqrt(1 + noise_std**2)).log_prob(torch.tensor(1.0))
    across = torch.distributions.Normal(0.0, noise_std).log_prob(torch.tensor(0.1))
    return (along + across).item()


for noise_std in (0.3, 0.1, 0.01, 0.001):
    print(f"noise {noise_std:5}: log p(x) = {log_density(noise_std):10.1f} nats")
claim("log p(x) beside the line, at noise 0.001", log_density(0.001), at_most=-1000)

# %% [markdown]
"""
Logarithms here are natural, so the unit is the **nat**. One nat is 1.44 bits.

The number $\\sigma_x$ says how far off a pixel may be before it costs much. We fix $\\sigma_x = 0.3$ on this page. Chapter 6 learns it.

## An encoder that answers with a distribution

Now bring the encoder back. For a given picture, which $z$ may have made it? Several, so the honest answer is a distribution. It is called the **posterior** $p_\\theta(z \\mid x)$. We cannot compute it, so the encoder, with weights $\\phi$, gives an approximation:

$$q_\\phi(z \\mid x) = \\mathcal{N}\\bigl(\\mu_\\phi(x), \\operatorname{diag} \\sigma_\\phi(x)^2\\bigr).$$

The encoder has two outputs per latent, a mean $\\mu_j$ and a $\\log \\sigma_j$. They are the *parameters* of a distribution over latent vectors. There is one such distribution per picture. It is not a distribution of pictures, and the outputs are not yet a code. The code is drawn:

$$z = \\mu_\\phi(x) + \\sigma_\\phi(x) \\odot \\varepsilon, \\qquad \\varepsilon \\sim \\mathcal{N}(0, I).$$

Why $\\log \\sigma$? A network output can be any number, and a standard deviation must be positive.

## Two terms, in nats

The loss of a VAE is minus the **evidence lower bound** (ELBO). Chapter 3 derives it. Here is what it says, for one picture:

$$\\operatorname{ELBO}(x) = \\underbrace{\\mathbb{E}_{q_\\phi(z \\mid x)}\\bigl[\\log p_\\theta(x \\mid z)\\bigr]}_{\\text{reconstruction}} - \\underbrace{\\operatorname{KL}\\bigl(q_\\phi(z \\mid x) \\,\\|\\, p(z)\\bigr)}_{\\text{distance from the prior}}$$

- **Reconstruction**: draw a code, decode it. How likely is the picture? Log-likelihoods of pixels add up, so this is a *sum* over pixels.
- **KL** (Kullback–Leibler divergence): how far is this picture's posterior from the prior? It adds up over the latents, $\\operatorname{KL} = \\sum_j \\frac12 (\\sigma_j^2 + \\mu_j^2 - 1) - \\log \\sigma_j$. Chapter 4 derives it.

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
"""
Two short functions do the work. Never trust such functions because they look right. Compare them with numbers from elsewhere: PyTorch's own distributions.
"""

# %%
one = torch.ones(1, 1)
claim("KL at mean 0 and log std 1", kl_standard_normal(0 * one, one), equals=2.194528, within=1e-5)

mean, log_std = torch.randn(5, 20), torch.randn(5, 20)
q, prior = torch.distributions.Normal(mean, log_std.exp()), torch.distributions.Normal(0, 1)
oracle = torch.distributions.kl_divergence(q, prior).sum(1)
claim("Relative error of the KL", ((kl_standard_normal(mean, log_std) - oracle) / oracle).abs().max(), at_most=1e-4)

x, picture = digits.test[:5], digits.test[5:10]
oracle = torch.distributions.Normal(picture, 0.3).log_prob(x).flatten(1).sum(1)
ours = gaussian_log_likelihood(x, picture, math.log(0.3))
claim("Error of the log-likelihood in nats", (ours - oracle).abs().max(), at_most=0.05)

# %% [markdown]
"""
Mind the sign between the terms. At least one well-known page prints "reconstruction **plus** KL" as the objective to maximise. Here is the check that catches it. Move the posterior mean far away from the prior and leave the pictures alone. A sane objective gets worse.
"""

# %%
def kl_at(distance):
    return kl_standard_normal(torch.full((1, 1), float(distance)), torch.zeros(1, 1)).item()


reconstruction = 0.0  # the same in both places
claim("Change of 'reconstruction - KL' on moving 100 away", (reconstruction - kl_at(100)) - (reconstruction - kl_at(0)), at_most=-1)
claim("Change of 'reconstruction + KL' on moving 100 away", (reconstruction + kl_at(100)) - (reconstruction + kl_at(0)), equals=5000, within=0.01)

# %% [markdown]
"""
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
figure, axes = plotting.figure(9.5, 2.8, columns=3)
labels = ("reconstruction", "kl", "posterior std")
for axis, name, label in zip(axes, labels, ("reconstruction [nats]", "KL [nats]", "mean posterior std"), strict=True):
    axis.plot(history[name])
    axis.set(xlabel="step", title=label)
axes[0].set_ylim(bottom=float(history["reconstruction"][30:].min()))
plotting.show(
    figure,
    caption="Training with ten latents: both terms, and the mean standard deviation of the posteriors.",
    alt="Three curves over training steps. Reconstruction rises steeply, then slowly. KL falls or "
    "starts near zero, then rises and levels off. The posterior standard deviation starts near one and falls.",
)

# %% [markdown]
"""
Look at the third curve. The encoder starts with $\\sigma \\approx 1$, which is the prior itself: it says nothing about the picture yet. Then the decoder learns to use the code, and being precise starts to pay. So $\\sigma$ **falls**.

You can find it told the other way round: "small at first, close to 1 later", as if the two networks fought like those of a GAN. There is no fight. Encoder and decoder minimise one and the same loss.
"""

# %%
claim("Posterior std at the first step", history["posterior std"][0], equals=1, within=0.15)
claim("Posterior std at the end", history.final("posterior std"), at_most=0.8)
claim("KL at the end, in nats", history.final("kl"), at_least=5)

# %% [markdown]
"""
## New pictures

Draw $z$ from the prior, decode. One pass of the decoder makes a picture. Be precise about what you show, though. The model says "mean **plus noise**". Papers and blogs show the means, and call them samples.
"""

# %%
torch.manual_seed(seed)
means = vaes[10].sample(2_000, noise=False)
torch.manual_seed(seed)
samples = vaes[10].sample(2_000)

claim("Std of the difference between samples and their means", (samples - means).std(), equals=0.3, within=0.005)
plotting.rows(
    {"mean of $p(x|z)$": means[:12], "sample of $p(x|z)$": samples[:12]},
    caption="The same twelve z, shown as the decoder's mean and as full samples of the model.",
    alt="Two rows of twelve generated digits. Above, smooth and slightly blurred. Below, the same "
    "digits under strong grainy noise.",
)

# %% [markdown]
"""
So a VAE's samples are not blurry. They are noisy. Their *means* are blurry, and chapter 8 measures why. From here on we show means, and say so.

## The latent plane

With two latents you can see the whole space. Left: where the encoder puts the test pictures. Right: what the decoder makes of each place. The places are chosen so that each of them is equally likely under the prior.
"""

# %%
plane = vaes[2]
posterior = encode_all(plane, digits.test)
figure, (cloud, sheet) = plotting.figure(9.5, 4.6, columns=2)
plotting.draw_codes(cloud, posterior.mean, digits.test_labels)
for radius in (1, 2):
    circle = torch.linspace(0, 2 * math.pi, 100)
    cloud.plot(radius * circle.cos(), radius * circle.sin(), "--", color="grey", linewidth=1)
quantiles = torch.distributions.Normal(0, 1).icdf((torch.arange(15) + 0.5) / 15)
grid = torch.cartesian_prod(-quantiles, quantiles).flip(1)  # (225, 2), top row first
plotting.draw_tiles(sheet, plane.decode(grid).mean, columns=15, title="the plane, decoded")
plotting.show(
    figure,
    caption="Left: posterior means of 2 000 test pictures, with circles of radius 1 and 2 around the "
    "prior's mean. Right: decoder means at evenly likely places.",
    alt="Left, coloured points of ten digits fill a round region centred at zero, mostly inside the "
    "circle of radius two, in neighbouring sectors with little empty space. Right, fifteen rows of "
    "fifteen digits that change smoothly from one to the next.",
)

# %% [markdown]
"""
The cloud is now round, centred and scaled like the prior. The KL term did that. But careful: it acts on *each* posterior, not on the cloud. No single posterior looks like $\\mathcal{N}(0, I)$. If each did, the code would say nothing about its picture. It is their mixture over all pictures, the **aggregate posterior**, that comes close to the prior. For each latent its mean is $\\mathbb{E}\\,\\mu_j$ and its second moment is $\\mathbb{E}[\\mu_j^2 + \\sigma_j^2]$.
"""

# %%
posterior_std = posterior.log_std.exp()
second_moment = (posterior.mean**2 + posterior_std**2).mean(0)  # (2,)
claim("Largest aggregate mean", posterior.mean.mean(0).abs().max(), at_most=0.8)
claim("Smallest aggregate second moment", second_moment.min(), at_least=0.5)
claim("Largest aggregate second moment", second_moment.max(), at_most=2)
claim("Typical std of a single posterior", posterior_std.mean(), at_most=0.3)

# %% [markdown]
"""
"The code space is continuous, because it is Gaussian", says another popular line. The plain autoencoder's space is just as continuous: its codes are real numbers, its decoder a continuous function. What you gained is *coverage*, and a decoder that must make sense everywhere within a posterior's reach, because codes are drawn from there.

What do the two axes mean? Nothing in particular. Rotate the plane, and let the decoder rotate it back. Prior and loss stay the same, so training cannot prefer one set of axes.

## 2, 4, 10 and 20 latents

How many latents do you need? We compare on test pictures. An **active** latent is one whose mean varies from picture to picture.
"""

# %%
table = {}
for latent_dim, vae in vaes.items():
    row = {name: part.mean for name, part in estimate_elbo(vae, digits.test, n_samples=5).items()}
    row["error"] = squared_error(vae, digits.test).item()
    row["active"] = active_units(vae, digits.test)
    row["unanimous"], row["kinds"] = digit_score(
        vae.sample(2_000, noise=False), digits.train, digits.train_labels
    )
    table[latent_dim] = row

names = list(table[2])
print("latents " + "".join(f"{name:>16s}" for name in names))
for latent_dim, row in table.items():
    print(f"{latent_dim:7d} " + "".join(f"{row[name]:16.2f}" for name in names))

# %%
gain = {d: table[d]["total"] - table[2]["total"] for d in table}
claim("ELBO, 4 latents better than 2 by nats", gain[4], at_least=10)
claim("ELBO, 10 latents better than 2 by nats", gain[10], at_least=25)
claim("Gain from 10 to 20, as a share of that from 2 to 10", (gain[20] - gain[10]) / gain[10], at_most=0.4)
claim("Reconstruction error, 20 latents against 2", table[20]["error"] / table[2]["error"], at_most=0.8)
claim("Unanimous prior samples, 20 latents against 4", table[20]["unanimous"] / table[4]["unanimous"], at_most=1)

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
"""
"More latents improve the quality" is half of the story. Reconstructions improve, until the model has as many latents as it can use. Then the ELBO stays flat. Pictures drawn from the prior do *not* improve: with more latents there are more places where no picture ever put its code.

The errors above are on pictures the model has not seen. That matters when you read "reconstruction error 0.026" somewhere. Ask: on which pictures, on which scale?
"""

# %%
def psnr(images):
    """Peak signal-to-noise ratio of the reconstructions in decibel; pixels run from 0 to 1."""
    per_pixel = (images - vaes[10].reconstruct(images)).square().mean().item()
    return -10 * math.log10(per_pixel)


print(f"train {psnr(digits.train):.2f} dB, test {psnr(digits.test):.2f} dB")
doubled = (2 * digits.test - 1) - (2 * vaes[10].reconstruct(digits.test) - 1)
plain = digits.test - vaes[10].reconstruct(digits.test)
claim("PSNR on training pictures above test pictures, dB", psnr(digits.train) - psnr(digits.test), at_least=0)
claim("Squared error on the scale -1 to 1, against 0 to 1", doubled.square().mean() / plain.square().mean(), equals=4, within=1e-3)

# %% [markdown]
"""
## The same question as in chapter 1

Are they digits? Chapter 1 asked the ten nearest training pictures. For each model we compare decoded random codes with reconstructions of real pictures. The autoencoder gets the matched Gaussian, its best chance.
"""

# %%
torch.manual_seed(seed)
codes = autoencoder.encode(digits.train)
scale = torch.linalg.cholesky(torch.cov(codes.T))
ae_random = autoencoder.decode(codes.mean(0) + torch.randn(2_000, 20) @ scale.T)
batches = {
    "AE": (autoencoder.reconstruct(digits.test), ae_random),
    "VAE": (vaes[20].reconstruct(digits.test), vaes[20].sample(2_000, noise=False)),
}
kept = {}
for name, pair in batches.items():
    real, random = (digit_score(batch, digits.train, digits.train_labels) for batch in pair)
    kept[name] = random.unanimous / real.unanimous
    print(f"{name:4s} unanimous: reconstructed {real.unanimous:.2f}, random {random.unanimous:.2f}, kinds {random.kinds:.1f}")

claim("Kept by random codes, VAE against AE", kept["VAE"] / kept["AE"], at_least=1.1)
claim("Kept by random codes, VAE", kept["VAE"], at_most=0.95)
claim("Kinds of digits from the VAE's prior", random.kinds, at_least=4)

# %% [markdown]
"""
The VAE keeps more, and not everything. Its aggregate posterior is near the prior, not equal to it. Where they differ, you draw codes that the decoder hardly saw in training. This is called the **prior hole**.

## Walk from one picture to another

Take two test pictures. Fade one into the other, pixel by pixel: halfway you see two ghosts. Now do the same with their codes, and decode each step.
"""

# %%
def fade(a, b, steps=9):
    t = torch.linspace(0, 1, steps).view(-1, *[1] * a.ndim)
    return (1 - t) * a + t * b


def great_circle(a, b, steps=9):
    """From a to b at even angles: weights sin((1-t)ω) / sin ω and sin(tω) / sin ω (Shoemake 1985)."""
    omega = torch.acos(torch.nn.functional.cosine_similarity(a, b, dim=0))
    t = torch.linspace(0, 1, steps)[:, None]
    return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / torch.sin(omega)


start, end = (digits.test[digits.test_labels == label][0] for label in (3, 8))
z_start, z_end = encode_all(vaes[10], torch.stack([start, end])).mean
plotting.rows(
    {
        "pixels": fade(start, end),
        "latents, straight": vaes[10].decode(fade(z_start, z_end)).mean,
        "latents, circle": vaes[10].decode(great_circle(z_start, z_end)).mean,
    },
    caption="From a three to an eight: in pixels, and in latents along a line and a great circle.",
    alt="Three rows of nine pictures. In the top row a three fades out while an eight fades in, both "
    "visible in the middle. In the two rows below, one stroke shape turns gradually into the other.",
)

# %% [markdown]
"""
Two ghosts cover more paper than one digit. So we count the pixels that have ink on them, halfway, over a thousand pairs. The ends are reconstructions in both cases, so the blur is the same.
"""

# %%
def inked(images):
    return (images > 0.1).float().mean().item()


a, b = digits.test[:1000], digits.test[1000:]
ends = vaes[10].reconstruct(a), vaes[10].reconstruct(b)
at_the_ends = 0.5 * (inked(ends[0]) + inked(ends[1]))
halfway = 0.5 * (encode_all(vaes[10], a).mean + encode_all(vaes[10], b).mean)
claim("Inked pixels halfway in pixels, against the ends", inked(0.5 * (ends[0] + ends[1])) / at_the_ends, at_least=1.06)
claim("Inked pixels halfway in latents, against the ends", inked(vaes[10].decode(halfway).mean) / at_the_ends, at_most=1.04)

# %% [markdown]
"""
Straight or along a circle? It depends on what is at the ends. Draws from the prior in $d$ dimensions are *not* near the centre, where the density is highest. Almost all lie close to a sphere of radius $\\sqrt d$. Halfway between two of them, a straight line cuts through the inside of the sphere, where hardly any draws are. A great circle stays on it. So circles suit prior draws.

Posterior means have no such rule, and a straight line suits them well.

One more recipe is around: weights $t$ and $\\sqrt{1 - t^2}$. It keeps the norm for independent draws. But it is lopsided: halfway, at $t = \\frac12$, the angle is 30° from one end instead of 45°. And a walk from a point to itself leaves the point.
"""

# %%
d = 64
pairs = torch.randn(2, 2_000, d)
straight = pairs.mean(0).norm(dim=1).mean()
circle = torch.stack([great_circle(*pair, steps=3)[1] for pair in pairs.unbind(1)]).norm(dim=1).mean()
expected = math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))

claim("Mean norm of prior draws, d = 64", pairs.norm(dim=2).mean(), equals=expected, within=0.08)
claim("Halfway on the straight line", straight, equals=expected / math.sqrt(2), within=0.08)
claim("Halfway on the circle", circle, equals=expected, within=0.1)
claim("Share of prior draws within half that radius", (pairs.norm(dim=2) < expected / 2).double().mean(), at_most=1e-3)
t = math.sqrt(0.5)
claim("Factor by which t, sqrt(1 - t²) moves a point from itself", t + math.sqrt(1 - t**2), equals=math.sqrt(2), within=1e-9)
claim("Angle from one end at t = 1/2, degrees", math.degrees(math.asin(0.5)), equals=30, within=1e-9)

# %% [markdown]
"""
## What to take along

You now have a generative model. The KL term keeps the codes where the prior will look for them, and pays for it in reconstruction. Where the balance lies depends on $\\sigma_x$: one setting gives one point on a curve of rate against distortion, not "the" best compression. Why exactly these two terms? [Chapter 1](01_autoencoders.ipynb) asked for a density $p(x)$, and the ELBO is a bound on its logarithm. That is chapter 3.

## Summary
"""

# %% tags=["hide-input"]
summary()
