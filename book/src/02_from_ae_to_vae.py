# %% [markdown]
r"""
# 2 · From autoencoder to variational auto-encoder

An autoencoder gives each picture a point. [Chapter 1](01_autoencoders.ipynb) ended with two things missing: the loss does not say what to draw, and there is no density over pictures. One idea gives you both. Each picture gets a *distribution*.
"""

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import torch
from sklearn.mixture import GaussianMixture
from torch.distributions import Normal

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate_elbo
from vae_course.evaluation.recognition import digit_score
from vae_course.latents import great_circle, matched_gaussian, rescale, straight_line
from vae_course.models import VAE, Autoencoder
from vae_course.objectives import kl_standard_normal
from vae_course.plotting.architecture import point_or_distribution_figure, vae_figure
from vae_course.training import fit

seed = begin("02_from_ae_to_vae")
digits = load_images("digits", n_train=8_000, n_test=2_000, seed=seed)
real_or_drawn_digits = digits.name != "fashion_mnist"
if not real_or_drawn_digits:
    print("Claims that are about digits alone are left out.")

point_or_distribution_figure(
    digits.train[:3],
    caption="The idea of this chapter, as a sketch. An autoencoder maps a picture to one code. "
    "A VAE maps it to a distribution over codes, and draws one from it.",
    alt="Left, arrows lead from three digits to three coloured points. Right, arrows lead from "
    "the same digits to three coloured ellipses, each with a handful of small points inside.",
)

# %% [markdown]
r"""
**After this chapter you can**

- write down the model, the encoder and the two terms of the loss, with the right signs and units;
- write a VAE in one screen of PyTorch, train it, and read its curves;
- draw new pictures, and tell a sample of the model from its mean;
- say what the prior hole is, what re-scaling mends, and what more latents buy;
- walk from one picture to another without leaving the latent space.

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
x = torch.tensor([1.0, 0.1])  # one step along the line, and 0.1 beside it
for noise in (0.3, 0.1, 0.01, 0.001):
    stds = torch.tensor([(1 + noise**2) ** 0.5, noise])  # along the line, across it
    log_p = Normal(0.0, stds).log_prob(x).sum()
    print(f"noise {noise:5}: log p(x) = {log_p:10.1f} nats")

# %% tags=["hide-input"]
claim("log p(x) beside the line, at noise 0.001", log_p, at_most=-1000)

# %% tags=["hide-input"]
made, (sheet, fall) = plotting.figure(9, 2.8, columns=2)
for step, (noise, colour) in enumerate(zip((0.3, 0.1, 0.03), plotting.COLOURS, strict=False)):
    own = torch.Generator().manual_seed(seed)
    places = torch.randn(300, 1, generator=own).expand(-1, 2) * torch.tensor([1.0, 0.0])
    places = places + noise * torch.randn(300, 2, generator=own)
    sheet.scatter(*places.T, s=4, color=colour, zorder=step, label=rf"$\sigma_x$ = {noise}")
sheet.plot(*x, "x", color="white", markersize=13, markeredgewidth=5, zorder=8)
sheet.plot(*x, "x", color="black", markersize=11, markeredgewidth=2, zorder=9)
sheet.set(xlim=(-2.5, 4.3), ylim=(-1, 1), xlabel="along the line", ylabel="across")
sheet.legend(fontsize=10, loc="center right", markerscale=2)
noises = torch.logspace(-2.5, 0.3, 100)
stds = torch.stack([(1 + noises**2).sqrt(), noises], 1)
fall.plot(noises, Normal(0.0, stds).log_prob(x).sum(1))
fall.set(xscale="log", ylim=(-25, 2), xlabel=r"$\sigma_x$", ylabel=r"$\log p(x)$ [nats]")
plotting.show(
    made,
    caption="Left: draws of a model whose sheet is a line, with three sizes of noise, and a picture x "
    "that is 0.1 beside the line (cross). Right: the log-density of that x over the noise.",
    alt="Left, clouds of points around a horizontal line, each thinner than the one before; the cross "
    "is just above the line, outside of the thinnest cloud. Right, a curve that rises steeply with "
    "the noise, is highest near 0.1, and falls slowly afterwards.",
)

# %% [markdown]
r"""
Logarithms here are natural, so the unit is the **nat**. One nat is 1.44 bits.

Can a log-density be *positive*? Yes, and on this page it often is. A density is no probability. It is a probability *per unit*, and our unit is the whole way from black to white. A pixel with $\sigma_x = 0.3$ has a density of $1/(0.3\sqrt{2\pi}) = 1.33$ at its mean, so 784 perfect pixels give $784 \log 1.33 = 223$ nats. Count in grey levels instead, 255 of them, and the log-density of every picture is $784 \log 255 = 4344$ nats lower. Differences stay the same, and they are what you compare.

The number $\sigma_x$ says how far off a pixel may be before it costs much. We fix $\sigma_x = 0.3$ for most of this page. [Chapter 6](06_learned_variance.ipynb) learns it.

## An encoder that answers with a distribution

Now bring the encoder back. For a given picture, which $z$ may have made it? Several, so the honest answer is a distribution. It is called the **posterior** $p_\theta(z \mid x)$. We cannot compute it, so the encoder, with weights $\phi$, gives an approximation:

$$q_\phi(z \mid x) = \mathcal{N}\bigl(\mu_\phi(x), \operatorname{diag} \sigma_\phi(x)^2\bigr).$$

The encoder has two outputs per latent, a mean $\mu_j$ and a $\log \sigma_j$. They are the *parameters* of a distribution over latent vectors. There is one such distribution per picture. It is not a distribution of pictures, and the outputs are not yet a code. The code is drawn:

$$z = \mu_\phi(x) + \sigma_\phi(x) \odot \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, I).$$

Here $\odot$ multiplies number by number. Why $\log \sigma$? A network output can be any number, and a standard deviation must be positive.

## Two terms, in nats

The loss of a VAE is minus the **evidence lower bound** (ELBO). [Chapter 3](03_elbo.ipynb) derives it. Here is what it says, for one picture:

$$
\begin{aligned}
\operatorname{ELBO}(x) ={}& \underbrace{\mathbb{E}_{q_\phi(z \mid x)}\bigl[\log p_\theta(x \mid z)\bigr]}_{\text{reconstruction}} \\
&- \underbrace{\operatorname{KL}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr)}_{\text{price of the code}}
\end{aligned}
$$

- **Reconstruction**: draw a code, decode it. How likely is the picture, on average over the draws? That average is what $\mathbb{E}_q$ stands for; one draw will do. Log-likelihoods of pixels add up, so this is a *sum* over pixels.
- **KL** (Kullback–Leibler divergence): how different is this picture's posterior from the prior? It is zero where the two are equal and positive elsewhere. It is no distance, since $\operatorname{KL}(q \| p)$ and $\operatorname{KL}(p \| q)$ differ. It adds up over the latents, $\operatorname{KL} = \sum_j \bigl[\tfrac12 (\sigma_j^2 + \mu_j^2 - 1) - \log \sigma_j\bigr]$. [Chapter 4](04_analytic_kl.ipynb) derives that.

Both terms are in nats per picture, so they can be compared. We minimise the mean of $-\operatorname{ELBO}$ over the batch.

## All of it, on one screen

Here is a whole VAE: the data, the networks, the loss, the training, and new pictures at the end. Copy it into an empty file, and it runs, where the course's package is installed: the digits come from there. Four more lines save a sheet of the new digits:

```python
import matplotlib.pyplot as plt

rows = pictures.detach().view(2, 12, 28, 28)
sheet = rows.transpose(1, 2).reshape(56, 336)
plt.imsave("new_digits.png", sheet, cmap="gray", vmin=0, vmax=1)
```
"""

# %%
import math

import torch
from torch import nn

from vae_course.data import load_images

x = load_images("digits", n_train=8_000).train.flatten(1)  # (8_000, 784)
sigma_x = 0.3


class PlainVAE(nn.Module):
    def __init__(self, d=10):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 128), nn.ReLU(),
            nn.Linear(128, 64), nn.ReLU(),
            nn.Linear(64, 2 * d),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(d, 64), nn.ReLU(),
            nn.Linear(64, 128), nn.ReLU(),
            nn.Linear(128, 784),
        )  # fmt: skip

    def loss(self, x):
        mean, log_std = self.encoder(x).chunk(2, dim=1)  # each (batch, d)
        z = mean + log_std.exp() * torch.randn_like(mean)
        error = (x - self.decoder(z)) / sigma_x
        log_p = -0.5 * error**2 - math.log(sigma_x) - 0.5 * math.log(2 * math.pi)
        kl = 0.5 * ((2 * log_std).exp() + mean**2 - 1) - log_std
        elbo = log_p.sum(1) - kl.sum(1)  # sums over pixels and over latents: (batch,)
        return -elbo.mean()  # the mean over the batch


vae = PlainVAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
for step in range(1_000):
    loss = vae.loss(x[torch.randint(len(x), (80,))])  # of 80 pictures at random
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 250 == 0:
        print(f"step {step}: ELBO {-loss.item():.1f} nats")

pictures = vae.decoder(torch.randn(24, 10))  # new ones, (24, 784)

# %% tags=["hide-input"]
plotting.tiles(
    pictures.view(-1, 1, 28, 28),
    columns=12,
    caption="Twenty-four new pictures, drawn by the VAE above: decoder means of draws from the prior.",
    alt="Two rows of twelve generated pictures. About half are digits, slightly blurred; the "
    "others are digit-like strokes that are broken, faint or between two digits.",
)

# %% [markdown]
r"""
Compare it with the autoencoder of chapter 1. Two of its lines have changed: the last layer of the encoder is twice as wide, and the code is drawn.

```diff
-  nn.Linear(64, d)
+  nn.Linear(64, 2 * d)

-  z = encoder(x)
+  mean, log_std = encoder(x).chunk(2, dim=1)
+  z = mean + log_std.exp() * torch.randn_like(mean)
```

And the loss has one more term, the KL. The rest of it is the old one, in nats: `-log_p` is the squared error divided by $2\sigma_x^2$, plus a constant.

Here is one picture on its way.
"""

# %% tags=["hide-input"]
with torch.no_grad():
    one = digits.test[:1]
    where, log_std = vae.encoder(one.flatten(1)).chunk(2, dim=1)
    decoded = vae.decoder(where + log_std.exp() * torch.randn_like(where)).view(1, 28, 28)
vae_figure(
    one[0],
    decoded,
    decoded + sigma_x * torch.randn_like(decoded),
    caption="A test picture, the distribution that the encoder answers with, one draw of z, and the "
    "distribution that the decoder answers with: its mean, and one draw from it.",
    alt="From left to right: a digit; a box that narrows, the encoder; a box with mu and log sigma; "
    "a box with the draw of z; a box that widens, the decoder; the digit again, a little "
    "blurred; and the same under strong grainy noise.",
)

# %% [markdown]
r"""
From here on the course's package does the same with less to read. Never trust such a package because it looks right. Give it these weights and the same noise, and its loss must be the one above.
"""

# %%
package = VAE((1, 28, 28), 10, hidden=(128, 64), std=0.3).double()
package.encoder.load_state_dict(vae.encoder.state_dict())
package.decoder.load_state_dict(vae.decoder.state_dict())
package.log_std.fill_(math.log(sigma_x))  # as exact as above

batch = digits.test.double()
torch.manual_seed(1)
ours = vae.double().loss(batch.flatten(1))
torch.manual_seed(1)
difference = ours + package.elbo(batch).total.mean()
claim("Loss, this page minus the package", difference, equals=0, within=1e-5)

# %% [markdown]
r"""
Mind the sign between the terms. At least one well-known page prints "reconstruction **plus** KL" as the objective to maximise. Here is the check that catches it. Move the posterior mean far away from the prior and leave the pictures alone. A sane objective gets worse.
"""

# %%
near, far = kl_standard_normal(torch.tensor([[0.0], [100.0]]), torch.zeros(2, 1))
claim("Moving 100 away changes 'reconstruction - KL' by", near - far, at_most=-1)

# %% tags=["hide-input"]
claim("Moving 100 away changes 'reconstruction + KL' by", far - near, equals=5000, within=0.01)

# %% [markdown]
r"""
With the plus, running away to infinity is the best thing to do. With the minus, it costs 5 000 nats.

## Read the curves

Now train with the package and write down, at every step, both terms and the mean $\sigma$ of the posteriors. A fourth curve counts the *directions* in which the posterior means of a batch spread. It is 1 if they all lie on a line, and 10 if they spread evenly in all ten latents. (With the eigenvalues $\lambda$ of their covariance, it is $(\sum \lambda)^2 / \sum \lambda^2$.)
"""


# %%
def negative_elbo(model, x):
    elbo, reconstruction, kl = (part.mean() for part in model.elbo(x))
    return {"loss": -elbo, "reconstruction": reconstruction, "KL": kl}


def new_vae(d, std=0.3, seed=seed):
    torch.manual_seed(seed)
    return VAE((1, 28, 28), d, hidden=(128, 64), std=std)


def train(model, loss=negative_elbo, steps=600, seed=seed):
    log = fit(model, loss, digits.train, steps=steps, batch_size=80, lr=2e-3, seed=seed)
    model.eval().requires_grad_(False)
    return log


# %% tags=["hide-input"]
def watched(model, x):
    mean, log_std = model.encode(x)
    spread = torch.linalg.eigvalsh(torch.cov(mean.detach().T))
    return negative_elbo(model, x) | {
        "posterior std": log_std.exp().mean(),
        "directions": spread.sum() ** 2 / spread.square().sum(),
    }


# %%
long_trained = new_vae(10)
history = train(long_trained, watched, steps=2_000)

# %% tags=["hide-input"]
names = ("reconstruction", "KL", "posterior std", "directions")
curves = {name: history[name].clone() for name in names}
curves["reconstruction"][:10] = torch.nan  # far below
plotting.two_spans(
    curves,
    200,
    xlabel="step",
    caption="Training with ten latents. Above, the first 200 steps; below, all 2 000. Both "
    "terms in nats, the first from step 10 on.",
    alt="Eight small plots of noisy curves. Above: the reconstruction rises; the KL shoots up "
    "within about thirty steps, drops to about half, and slowly rises again; the posterior "
    "standard deviation falls from one, comes up again and falls; the directions stay near one "
    "for about a hundred steps, then grow. Below: the reconstruction rises steeply, then ever more "
    "slowly; the KL levels off; the standard deviation stays about level; the directions level off.",
)

# %% tags=["hide-input"]
kl, std, directions = (history[name] for name in ("KL", "posterior std", "directions"))
smooth = kl.unfold(0, 5, 1).mean(1)  # smooth[i] is the mean over steps i to i + 4
peak = int(smooth[:50].argmax())
dip = peak + int(smooth[peak:300].argmin())

claim("Posterior std at the first step", std[0], equals=1, within=0.15)
claim("Posterior std at the end", history.final("posterior std"), at_most=0.8)
if real_or_drawn_digits:
    claim("KL at the dip, relative to the first peak", smooth[dip] / smooth[peak], at_most=0.95)
    rise = std[dip : dip + 5].mean() - std[peak : peak + 5].mean()
    claim("Posterior std, rise from the peak to the dip of the KL", rise, at_least=0.01)
    claim("Directions at the first peak", directions[peak : peak + 5].mean(), at_most=1.3)
    claim("Directions at the end", history.final("directions"), at_least=3)
    claim("KL at the end, relative to the dip", history.final("KL") / smooth[dip], at_least=1.5)
at = {step: -history["loss"][step - 100 : step].mean().item() for step in (450, 600, 1_500, 2_000)}

# %% [markdown]
r"""
The KL rises, dips, and rises again. Is that a bug? By itself it is none. Here is what happens.

- **At the start** $\sigma \approx 1$ and $\mu \approx 0$, which is the prior itself. The encoder says nothing about the picture, and the KL is near zero.
- **The first rise.** The decoder learns that a code helps, and being precise starts to pay: $\sigma$ falls, the KL rises. But look at the directions: there is one. The latents all say the same single thing about the picture, and each of them costs nats.
- **The dip.** Copies are dear and add little. The ELBO is better off when most of them go back to the prior. So the KL falls, and $\sigma$ rises.
- **The second rise.** Now the freed latents find new things to say, one after the other. The directions multiply, the pictures improve, and the KL pays for it.

So watch the *difference*, the ELBO. The KL may do as it likes, as long as each nat it takes brings more than a nat of reconstruction.

You can find the curve of $\sigma$ told the other way round: "small at first, close to 1 later", as if the two networks fought like those of a GAN (a model in which two networks play against each other). There is no fight. Encoder and decoder minimise one and the same loss.

**When is training finished?** Ask what the last quarter of it has brought. (The ELBO here is the mean over the last hundred training batches.)
"""

# %% tags=["hide-input"]
for steps in (600, 2_000):
    gain = at[steps] - at[0.75 * steps]
    print(f"after {steps} steps: ELBO {at[steps]:.1f}, last quarter {gain:+.1f}")
claim("ELBO, gain in the last quarter of 600 steps, nats", at[600] - at[450], at_least=5)
claim("... of 2 000 steps", gain, at_most=8)

# %% [markdown]
r"""
After 600 steps it is far from finished. After 2 000 the last quarter has still brought a few nats. If you want to know whether a change of your model brings two nats, train until the last quarter brings less than two. And measure on test pictures, since training pictures can be learned by heart: watch the two ELBOs part in your browser, with [25 pictures, by heart](playground.ipynb). To stay quick, the models that we train from here on get 600 steps.

## New pictures

Draw $z$ from the prior, decode. One pass of the decoder makes a picture. You can see them get clear while a small VAE trains in your browser: [A VAE that is well](playground.ipynb). Be precise about what you show, though. The model says "mean **plus noise**". Papers and blogs often show the means, and call them samples.
"""

# %%
torch.manual_seed(seed)
means = long_trained.sample(12, noise=False)
torch.manual_seed(seed)
samples = long_trained.sample(12)

# %% tags=["hide-input"]
plotting.rows(
    {"mean of $p(x|z)$": means, "sample of $p(x|z)$": samples},
    caption="The same twelve z, shown as the decoder's mean and as full samples of the model.",
    alt="Two rows of twelve generated pictures, most of them digits. Above, smooth and slightly "
    "blurred. Below, the same under strong grainy noise.",
)

# %% [markdown]
r"""
So a VAE's samples are not blurry. They are noisy. Their *means* are blurry, and [chapter 9](09_blur.ipynb) measures why. From here on we show means, and say so.

## A distribution for each picture

With two latents you can see the whole space. Each ellipse on the left is the posterior of one test picture: its centre is $\mu$, its half axes are $\sigma_1$ and $\sigma_2$. On the right is what the decoder makes of 225 places. Each stands for an equal share of the prior's draws, so they lie closer together in the middle.
"""

# %%
plane = new_vae(2)
train(plane)
posterior = encode_all(plane, digits.test)

# %% tags=["hide-input"]
quantiles = Normal(0.0, 1.0).icdf((torch.arange(15) + 0.5) / 15)
grid = torch.cartesian_prod(-quantiles, quantiles).flip(1)  # (225, 2), top row first
sheet = plane.decode(grid).mean

figure, (cloud, tiles) = plotting.figure(9.5, 4.6, columns=2)
plotting.draw_posteriors(cloud, *(part[:400] for part in posterior), digits.test_labels[:400])
for radius in (1, 2):
    cloud.add_patch(plt.Circle((0, 0), radius, fill=False, linestyle="--", color="grey"))
plotting.draw_tiles(tiles, sheet, 15, title="the plane, decoded")
plotting.show(
    figure,
    caption="Left: the posteriors of 400 test pictures, as ellipses of one standard deviation, with "
    "dashed circles of radius 1 and 2 around the prior's mean. Right: decoder means at "
    "places that each stand for an equal share of the prior.",
    alt="Left, some four hundred small ellipses in the colours of ten digits. They are far smaller "
    "than the dashed circles, crowd around the centre, and some lie outside of the larger circle. "
    "Right, fifteen rows of fifteen digits that change smoothly from one to the next.",
)

# %% [markdown]
r"""
The KL term acts on *each* posterior. Yet a typical one looks nothing like $\mathcal{N}(0, I)$: its ellipse is far smaller. If each looked like it, the code would say nothing about its picture. It is their mixture over all pictures, the **aggregate posterior** $q(z)$, that comes near the prior. For each latent its mean is $\mathbb{E}\,\mu_j$ and its second moment is $\mathbb{E}[\mu_j^2 + \sigma_j^2]$, averaged over the pictures. The prior has 0 and 1.
"""

# %% tags=["hide-input"]
centre = posterior.mean.mean(0)
second = (posterior.mean**2 + (2 * posterior.log_std).exp()).mean(0)
print("means", *(f"{m:5.2f}" for m in centre), "second moments", *(f"{m:5.2f}" for m in second))
claim("Plane: typical std of one posterior", posterior.log_std.exp().mean(), at_most=0.2)
most = 0.4 if real_or_drawn_digits else 0.6
claim("Plane: root mean square of the cloud's mean", centre.square().mean().sqrt(), at_most=most)
claim("Plane: smaller second moment", second.min(), at_least=0.8)
claim("Plane: larger second moment", second.max(), at_least=1.05, at_most=2.2)

# %% [markdown]
r"""
So the middle of the cloud lies within a fraction of a standard deviation of 0, and in one direction at least the cloud is wider than the prior. We come back to that.

Now touch it. Drag the point, tap where it should go, or use the arrow keys or the sliders. Open [the plane of chapter 1](01_autoencoders.ipynb), under "The cloud of codes", beside it: an autoencoder with two numbers and the same networks. The two look much alike. But nothing told the autoencoder how far out to go: its scale is an accident. The VAE's is near 1, because the KL asks for it.
"""

# %% tags=["hide-input"]
explorer.latent_plane(
    {"VAE": plane},
    digits.test,
    digits.test_labels,
    caption=f"Codes of {len(digits.test)} test pictures, the posterior means, and what the decoder makes of the "
    "point.",
)

# %% [markdown]
r"""
"The code space is continuous, because it is Gaussian", says another popular line. The plain autoencoder's space is just as continuous: its codes are real numbers, its decoder a continuous function. What the VAE adds is a decoder that must make sense everywhere within a posterior's reach, because codes are drawn from there.

Where posteriors overlap, the same $z$ may come from several pictures. The decoder cannot know which one, so it answers with a weighted average of them. Some call this "mixing of characteristics". What you see is blur. [Chapter 9](09_blur.ipynb) computes that average and compares it with the decoder.

What do the two axes mean? Nothing that you could count on. Rotate the plane, and let the decoder rotate it back. The prior is round, so $p_\theta(x)$ stays exactly the same. (The encoder has a slight preference, because its $\sigma$ are parallel to the axes. [Chapter 3](03_elbo.ipynb) measures it.)

## The same question as in chapter 1

Are they digits? Chapter 1 asked the ten nearest training pictures and counted *clear* digits. We ask again, with 20 numbers a picture, and let the rivals run: both kinds of normal distribution and the mixture over the codes of the autoencoder, and the VAE with its prior.

There are two more candidates. Draws $z \sim q_\phi(z \mid x)$ of *test* pictures show what the decoder can do. And a mixture can be fitted to a VAE's codes as well.
"""

# %%
wide = new_vae(20)
train(wide)


def draw_posterior(model, pictures):
    mean, log_std = encode_all(model, pictures)
    return mean + log_std.exp() * torch.randn_like(mean)


def draw_mixture(codes):
    mixture = GaussianMixture(10, random_state=seed).fit(codes.double().numpy())
    z = torch.from_numpy(mixture.sample(2_000)[0]).float()
    return z[torch.randperm(len(z))]  # they came sorted


noise = torch.randn(2_000, 20)  # draws from the prior
candidates = {
    "its prior": noise,
    "mixture": draw_mixture(draw_posterior(wide, digits.train)),
    "q(z|x) of test": draw_posterior(wide, digits.test),
    "reconstructed": encode_all(wide, digits.test).mean,
}

# %% tags=["hide-input"]
torch.manual_seed(seed)
autoencoder = Autoencoder((1, 28, 28), 20, hidden=(128, 64))


def squared_error(model, x):
    return (x - model.reconstruct(x)).square().flatten(1).sum(1).mean()


train(autoencoder, squared_error)
codes = autoencoder.encode(digits.train)


def clear(pictures):
    return digit_score(pictures, digits.train, digits.train_labels).clear


kept = {
    "autoencoder: N(0, I)": clear(autoencoder.decode(noise)),
    "autoencoder: matched": clear(autoencoder.decode(matched_gaussian(codes, noise))),
    "autoencoder: mixture": clear(autoencoder.decode(draw_mixture(codes))),
}
kept |= {f"VAE: {name}": clear(wide.decode(z).mean) for name, z in candidates.items()}

plotting.bars(
    kept,
    [plotting.COLOURS[0 if name.startswith("VAE") else 1] for name in kept],
    xlabel="share of clear digits",
    caption="Clear digits among 2 000 pictures, with twenty numbers a picture.",
    alt="Seven bars. The mixtures reach much more than the normal distributions and the "
    "VAE's prior; draws of q and reconstructions reach most, and are nearly equal.",
)

# %% tags=["hide-input"]
prior, naive = kept["VAE: its prior"], kept["autoencoder: N(0, I)"]
mixture = min(kept["autoencoder: mixture"], kept["VAE: mixture"])
if real_or_drawn_digits:
    claim("Clear, VAE's prior over N(0, I) for the autoencoder", prior / naive, at_least=1.15)
    fair = prior / kept["autoencoder: matched"]
    claim("Clear, VAE's prior over the matched normal", fair, equals=1, within=0.25)
claim("Clear, VAE's prior over the lesser of the mixtures", prior / mixture, at_most=0.9)
reach = kept["VAE: q(z|x) of test"] / kept["VAE: reconstructed"]
claim("Clear, draws of q(z|x) over reconstructions", reach, at_least=0.85, at_most=1.1)

# %% [markdown]
r"""
The VAE's prior draws more clear digits than the same $\mathcal{N}(0, I)$ does for the autoencoder. It draws about as many as the normal distribution that was fitted to the autoencoder's codes, and you fitted nothing. But a mixture over codes does better still, for either model.

The decoder is not to blame. Codes drawn from the posteriors of test pictures decode about as well as their means. So it is *where* the prior's draws fall. The aggregate posterior is near the prior, not equal to it. Where they differ, you draw codes that the decoder hardly saw in training. This is called the **prior hole**.

So why a VAE, if a mixture repairs an autoencoder as well? Because of the other thing that was missing. The VAE has a density over pictures and a bound on it, in nats: you can compare models, and tell a likely picture from an unlikely one. And a mixture on *its* codes can be the prior of the same model: by as many nats as it gives the codes more log-density than $\mathcal{N}(0, I)$ does, on average, the bound rises.

## Re-scaling: a part of the hole, for free

Part of the hole is easy to mend. You have seen it in the plane: the cloud was wider than the prior, and its middle not quite at 0. For each latent, let $m$ and $v$ be the mean and the variance of the aggregate posterior. Replace

$$\mu_j \to \frac{\mu_j - m}{\sqrt v}, \qquad \sigma_j \to \frac{\sigma_j}{\sqrt v},$$

and let the first layer of the decoder undo it. Every reconstruction stays as it is. The mean KL falls by $\tfrac12 (v + m^2 - 1 - \log v)$ nats for each latent. That is the KL between $\mathcal{N}(m, v)$ and $\mathcal{N}(0, 1)$, so it is never negative. The function `rescale` does it in closed form, by changing the weights of two layers.

Here we let $\sigma_x$ be learned, as [chapter 6](06_learned_variance.ipynb) will recommend. It gets smaller than 0.3, the codes get sharper, and the hole is easy to see.
"""

# %%
sharp = new_vae(20, std="optimal")
_ = train(sharp)


# %% tags=["hide-input"]
def now():
    kl = kl_standard_normal(*encode_all(sharp, digits.train)).mean()
    return kl, sharp.reconstruct(digits.test), sharp.decode(noise).mean


before = now()

# %%
found = rescale(sharp, digits.train)
far, std = found.mean.abs().max(), found.std
print(f"m to ±{far:.2f}, √v {std.min():.2f} to {std.max():.2f}: {found.nats:.2f} nats")

# %% tags=["hide-input"]
after = now()
best = sharp.decode(draw_mixture(draw_posterior(sharp, digits.train))).mean
plotting.rows(
    {"as trained": before[2][:14], "re-scaled": after[2][:14]}
    | {"mixture": best[:14], "reconstructed": after[1][:14]},
    caption="Decoder means: draws from the prior before and after re-scaling (of the same noise), "
    "draws from a mixture over the codes, and reconstructions of test pictures.",
    alt="Four rows of fourteen pictures. In the first, most are faint smudges. In the second they "
    "have full strokes, many of which are no digit. In the third most are digits, in the fourth all.",
)

# %% tags=["hide-input"]


def ink(pictures):
    return (pictures > 0.5).float().mean().item()


saved, change = before[0] - after[0], (after[1] - before[1]).abs().max()
claim("KL saved by re-scaling, minus the promise", saved - found.nats, equals=0, within=0.01)
claim("Re-scaling: largest change of a reconstructed pixel", change, at_most=1e-3)
moved = sharp.decode(noise / std).mean  # as if the means alone had been put right
inks = [ink(batch) / ink(after[1]) for batch in (before[2], after[2], moved)]
if real_or_drawn_digits:
    claim("Ink of the prior's pictures, as trained", inks[0], at_most=0.8)
    claim("Ink of the prior's pictures, re-scaled", inks[1], at_least=0.6, at_most=1.15)
    share = (inks[2] - inks[0]) / (inks[1] - inks[0])
    claim("... share of the gain that the means alone bring", share, at_least=0.5)
shares = [clear(batch) for batch in (before[2], after[2], best)]
claim("Clear, re-scaled over mixture", shares[1] / shares[2], at_most=0.7)
print("clear: as trained {:.2f}, re-scaled {:.2f}, mixture {:.2f}".format(*shares))

# %% [markdown]
r"""
As trained, the middle of the cloud is not at 0. So draws from the prior fall beside it, and come out faint. After re-scaling they have most of the ink that reconstructions have, and more than half of the gain comes from the means alone. Do it at the end of every training: it costs nothing.

But most of them are still no clear digits. Re-scaling sets the mean and the variance of each latent, and that is all it can do. It knows nothing of correlations between latents, nor of crowded places and gaps. The mixture does.

## 2, 4, 10 and 20 latents

How many latents do you need? One run can mislead you, so we train three each where it matters, with three seeds.
"""

# %%
trained = {2: [plane], 4: [], 10: [], 20: [wide]}
for d in (4, 10, 20):
    for s in range(seed + len(trained[d]), seed + 3):
        trained[d].append(new_vae(d, seed=s))
        train(trained[d][-1], seed=s)

# %% tags=["hide-input"]
elbos, clears = {}, {}
for d, models in trained.items():
    elbos[d] = torch.tensor([estimate_elbo(m, digits.test)["total"].mean for m in models])
    clears[d] = torch.tensor([clear(m.sample(1_000, noise=False)) for m in models])

figure, axes = plotting.figure(9, 2.9, columns=2)
for axis, values in zip(axes, (elbos, clears), strict=True):
    for d, found in values.items():
        axis.plot([str(d)] * len(found), found, "o", color=plotting.COLOURS[0], alpha=0.7)
axes[0].set(xlabel="latents", title="test ELBO [nats]")
axes[1].set(xlabel="latents", title="share of clear digits, from the prior", ylim=(0, None))
plotting.show(
    figure,
    caption="Each dot is one training, with three seeds for 4, 10 and 20 latents. Left: ELBO on test "
    "pictures. Right: clear digits among pictures drawn from the prior.",
    alt="Two plots over 2, 4, 10 and 20 latents. Left, the dots rise from 2 to 10; those of 20 are "
    "about as high as those of 10. Right, no such rise.",
)

# %% tags=["hide-input"]
for d in elbos:
    print(f"{d:2d} latents: ELBO", *(f"{value:5.1f}" for value in elbos[d]), end="; ")
    print("clear", *(f"{value:.2f}" for value in clears[d]))
gain = elbos[10].mean() - elbos[2].mean()
claim("ELBO, 4 latents better than 2 by nats", elbos[4].min() - elbos[2], at_least=8)
claim("ELBO, 10 latents better than 2 by nats", gain, at_least=30 if real_or_drawn_digits else 10)
more = (elbos[20].mean() - elbos[10].mean()) / gain
claim("ELBO, 20 over 10 as a share of 10 over 2", more, equals=0, within=0.4)
claim("Clear, 20 latents over 4", clears[20].mean() / clears[4].mean(), at_most=1)

# %% [markdown]
r"""
"More latents improve the quality" is half of the story. The ELBO gains much from 2 to 10. From 10 to 20 the change is small against that: compare it with how far the seeds of one column lie apart. (All these runs stopped after 600 steps, so this is no statement about the optimum.) And pictures drawn from the prior are *not* clearer with 20 latents than with 4.

## Walk from one picture to another

Take two test pictures. Fade one into the other, pixel by pixel: halfway you see two ghosts. Now do the same with their codes, and decode each step. Straight, or along a great circle around the origin?
"""

# %% tags=["hide-input"]
vae, pictures = long_trained, digits.test
codes = encode_all(vae, pictures).mean


error = (vae.reconstruct(pictures) - pictures).square().flatten(1).sum(1)
a, b = (torch.where(digits.test_labels == d, error, torch.inf).argmin() for d in (3, 8))
walks = {
    "pixels": straight_line(pictures[a], pictures[b], 9),
    "latents, straight": vae.decode(straight_line(codes[a], codes[b], 9)).mean,
    "latents, circle": vae.decode(great_circle(codes[a], codes[b], 9)).mean,
}
plotting.rows(
    walks,
    caption="From a three to an eight, the two best reconstructed of the test set: in pixels, and in "
    "latents along a line and a great circle.",
    alt="Three rows of nine pictures. In the top row a three fades out while an eight fades in, both "
    "visible in the middle. In the two rows below, one stroke shape turns gradually into the other.",
)

# %% [markdown]
r"""
One pair proves nothing. So take all test pictures in pairs, stop halfway, and count clear digits. (The pixels that are faded here are those of reconstructions, so that all three rivals come out of the decoder.)
"""

# %%
left, right = codes.split(len(codes) // 2)
straight, circle = (walk(left, right, 3)[1] for walk in (straight_line, great_circle))

# %% tags=["hide-input"]
in_pixels = torch.stack(vae.decode(codes).mean.split(len(codes) // 2)).mean(0)
halfway = {
    "pixels": clear(in_pixels),
    "latents, straight": clear(vae.decode(straight).mean),
    "latents, circle": clear(vae.decode(circle).mean),
}
print(*(f"{name}: {share:.2f}" for name, share in halfway.items()), sep="\n")
of_pixels, of_straight, of_circle = halfway.values()
claim("Clear halfway, circle over straight", of_circle / of_straight, at_least=1.05)
claim("Clear halfway, circle over pixels", of_circle / of_pixels, at_least=1.05)
norms = codes.norm(dim=1)
inside = (norms < straight.norm(dim=1).median()).double().mean()
claim("Posterior means nearer to the centre than a straight middle", inside, at_most=0.25)
inside = (norms < circle.norm(dim=1).median()).double().mean()
claim("... than the middle of a circle", inside, at_least=0.3, at_most=0.7)

# %% [markdown]
r"""
The circle wins. Why? In many dimensions hardly any draw of $\mathcal{N}(0, I)$ is near the centre, although the density is highest there. Almost all lie close to a sphere of radius $\sqrt d$. A straight line between two of them cuts through the inside, where the decoder has seen little; a great circle stays about at the length of its ends. You can read that posterior means are another matter, and a straight line suits them. But the KL has made their cloud resemble the prior's, so what holds for the one holds for the other: few posterior means are as near to the centre as the middle of a straight walk.

## What to take along

- A VAE is an autoencoder whose code is drawn, plus a price for the code. Forty lines do it.
- Watch the ELBO. The KL alone may rise, dip and rise. Finished is when the last quarter brings less than you care for.
- The prior's draws are as good as the cloud of codes resembles the prior. Re-scale at the end of training, and know that it does not mend everything.
- Where the balance of the two terms lies depends on $\sigma_x$, which we chose. [Chapter 6](06_learned_variance.ipynb) is about that.

Why exactly these two terms? [Chapter 1](01_autoencoders.ipynb) asked for a density $p(x)$, and the ELBO is a bound on its logarithm. That is [chapter 3](03_elbo.ipynb).

## Practise

[Exercises 2](exercises/02_from_ae_to_vae.ipynb) check what you write and name your mistake. Put the ELBO together from its pieces, draw from a model, look at the aggregate posterior, re-scale the codes, and build the whole thing.

## The checks
"""

# %% tags=["hide-input"]
summary()
