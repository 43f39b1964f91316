# %% [markdown]
r"""
# Questions people ask

Forums, issue trackers and students ask the same questions about VAEs, year after year. Here they are. Each gets a short answer, and a run, so that you need not believe it. Read them in any order. Where a chapter says more, there is a link. What people say stands here in our words, also between quotation marks.

**After this chapter you can**

- say how often a draw decodes to somebody else's picture, and why that is no argument against the squared error;
- test any loss for a hidden mean, a hidden weight and a hidden unit;
- say why encoder and decoder do not fight, and how sure of itself the encoder should be;
- report a number that others can compare with theirs;
- name the first thing to check when a KL is zero or a loss is not a number.

## Where is my question?

| You ask | See |
|---|---|
| Does a bottleneck compress? Why not sample from an autoencoder? | [chapter 1](01_autoencoders.ipynb) |
| Is what papers show a sample, or a mean? | [chapter 2](02_from_ae_to_vae.ipynb) |
| Why is $p(x)$ hard to compute? What does the bound lose? | [chapter 3](03_elbo.ipynb) |
| Does the KL act on each picture or on all of them? Is my formula right? | [chapter 4](04_analytic_kl.ipynb) |
| Why can I not take the gradient through `sample()`? | [chapter 5](05_reparameterization.ipynb) |
| Which $\beta$? Which $\sigma_x$? One for each pixel? | [chapter 6](06_learned_variance.ipynb) |
| Why do all my pictures look alike? | [chapter 7](07_posterior_collapse.ipynb) |
| Which latents live? Does annealing help? What are free bits? | [chapter 8](08_latents_that_live.ipynb) |
| Why are the pictures blurred? | [chapter 9](09_blur.ipynb) |
"""

# %%
import math
from functools import partial
from unittest import mock

import sympy as sp
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, importance_weighted_bounds, kl_per_latent
from vae_course.evaluation.recognition import digit_score
from vae_course.exact import fit_linear_vae, fit_two_images, spectrum
from vae_course.latents import great_circle, straight_line
from vae_course.models import VAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("questions")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)

# %% [markdown]
r"""
One small VAE will answer most questions. It has eight latents, and its decoder's $\sigma_x$ is the error that it makes ([chapter 6](06_learned_variance.ipynb)). The digits are shrunk to 14 × 14 pixels, so $D = 196$.
"""

# %%
train, test, D = F.avg_pool2d(digits.train, 2), F.avg_pool2d(digits.test, 2), 196


def new(latent_dim=8, std="optimal", hidden=(128,)):
    torch.manual_seed(seed)
    return VAE((1, 14, 14), latent_dim, hidden=hidden, std=std)


def negative_elbo(model, x):
    total, _, kl = model.elbo(x)
    std = model.encode(x).log_std.exp().mean()
    return {"loss": -total.mean(), "kl": kl.mean(), "posterior std": std}


vae = new()
history = fit(vae, negative_elbo, train, epochs=12, lr=3e-3, seed=seed)
vae = vae.eval().requires_grad_(False)

# %% [markdown]
r"""
## Bob goes in. What if Alice comes out?

The encoder gives Bob a distribution, and $z$ is drawn from it. Perhaps this $z$ is one of Alice's, and the decoder paints Alice. Then the loss compares Alice with Bob, pixel by pixel. Is that not wrong?

It can happen. And the squared error is what makes it rare. Each time it happens, the loss pays for the whole distance between the two. So it is worth some KL to keep their $z$ apart. What comes out is as much like Bob as the code can afford. (The encoder stands in for the true posterior, the honest answer to "which $z$ may have made Bob?", which we cannot compute. [Chapter 3](03_elbo.ipynb) has more.)

For two pictures and one latent this can be computed. Let $a$ be half the distance of the two pictures, in units of $\sigma_x$. The best posteriors are $\mathcal{N}(\pm\mu, \sigma^2)$ with $\mu^2 + \sigma^2 = 1$ ([chapter 4](04_analytic_kl.ipynb)). The best decoder answers each $z$ with the average of the two, weighted by how likely each is. It paints the wrong one when $z$ falls on the wrong side of zero, with the chance $\Phi(-\mu/\sigma)$, where $\Phi$ is the normal distribution function.
"""

# %%
best = {a: fit_two_images(a) for a in (0.99, 2, 3, 10)}
for (a, fitted), known in zip(best.items(), (0.5, 0.031, 0.010, 5e-4), strict=True):
    claim(f"a = {a}: chance to paint Alice", fitted.overlap(), equals=known, within=known / 20)
z = best[2].mean + best[2].std * torch.randn(100_000)  # Bob's
painted = 2 * torch.tanh(z * best[2].mean / best[2].std ** 2)  # Bob is at 2, Alice at -2
counted = estimate((painted < 0).double())
five = 5 * counted.standard_error
claim("a = 2: counted, minus the formula", counted.mean - best[2].overlap(), equals=0, within=five)
claim("a = 10: KL, in nats", best[10].kl(), equals=1.234, within=5e-4)
claim("a = 10: what z tells, nats", best[10].mutual_information(), equals=0.692, within=5e-4)
price = (best[3].kl() + best[3].distortion()) / (3**2 / 2)
claim("a = 3: loss, relative to painting the average", price, at_most=0.5)
between = torch.pdist(test.flatten(1)).median() / vae.log_std.exp()
claim("Two of our digits: a, median", between / 2, at_least=5)

# %% [markdown]
r"""
At $a = 2$ Alice comes out for Bob three times in a hundred, at $a = 10$ five times in ten thousand. In our VAE, half the distance of two digits is more than $5\,\sigma_x$. And at $a \le 1$ the noise hides the difference, so it does not pay to tell them apart ([chapter 7](07_posterior_collapse.ipynb)).

"More latent dimensions help", says one common answer to this question. One latent was enough here. To tell two pictures apart, $z$ must carry $\log 2 = 0.69$ nats, and for that one dimension will do. "You are mixing it up with a GAN", says another. It is true that a plain GAN compares no output with an input. But a VAE does, and the question was about that.

Here are a 3 and an 8, and the best VAE for the two, solved in the page. Raise $\sigma_x$ to half their distance. What comes out passes from each its own to the average of both.
"""

# %% tags=["hide-input"]
bob, alice = (digits.test[digits.test_labels == label][0] for label in (3, 8))
explorer.two_images(
    bob,
    alice,
    caption="Above, what goes in and what comes out at each posterior's mean. Below, how far apart "
    "the outputs are, with a dashed line at half the distance, and the two posteriors.",
)

# %% [markdown]
r"""
## Do the posteriors not become more alike, the longer I train?

The KL makes latents follow the prior $\mathcal{N}(0, I)$. So Bob's and Alice's posteriors become equal in the end, you can read. It is the other way round. At the start the encoder knows nothing, and the two *are* nearly equal. They part when the decoder has learned enough for it to pay. What follows the prior, more or less, is the mixture of all posteriors, and not each of them ([chapter 4](04_analytic_kl.ipynb)).

"In the beginning $\mu$ and $\sigma$ are not good, later they are fine." This is what it means.

Let Bob be a 3 and Alice an 8, and choose $\sigma_x$ such that $a = 3$. We train, and follow the chance of a mix-up. The encoder gives each picture its own $\mu$ and $\sigma$. Halfway between the two means it is $\Phi(-|\mu_\text{Bob} - \mu_\text{Alice}| / 2\sigma)$.
"""

# %%
pair = torch.stack([train[digits.train_labels == label][0] for label in (3, 8)])
couple = new(1, std=(pair[0] - pair[1]).norm().item() / 6, hidden=(32,))


def watched(model, x):
    mean, log_std = model.encode(pair)
    apart = (mean[0] - mean[1]).abs() / (2 * log_std.exp().mean())
    return negative_elbo(model, x) | {"mix-up": Normal(0.0, 1.0).cdf(-apart).mean()}


steps = fit(couple, watched, pair.repeat(64, 1, 1, 1), steps=400, lr=5e-3, seed=seed)
claim("Chance of a mix-up at the start", steps["mix-up"][0], at_least=0.35)
claim("... at the end", steps.final("mix-up"), equals=best[3].overlap(), within=0.01)

# %% tags=["hide-input"]
figure, (left, right) = plotting.figure(8.5, 3, columns=2)
line = torch.linspace(-2.5, 2.5, 400)
for a, colour in zip((0.99, 2, 10), plotting.COLOURS, strict=False):
    for sign, style in ((1, "-"), (-1, "--")):
        bell = Normal(sign * best[a].mean, best[a].std).log_prob(line).exp()
        left.plot(line, bell, style, color=colour, label=f"$a = {a}$" if sign > 0 else None)
left.set(xlabel="$z$", ylabel="density", title="best posteriors")
left.legend(loc="upper right", fontsize=9)
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
## Are encoder and decoder adversaries?

You can read that they fight: the encoder wants its codes apart, the KL wants them together, "like generator and discriminator". There is no fight. A GAN has *one number that one network lowers and the other raises*. A VAE has one number that both lower.

Check it on an untrained VAE. Let only the encoder take a small step downhill, then only the decoder, then both. A small step of size $\eta$ lowers a loss by about $\eta \lVert g \rVert^2$, where $g$ is its slope in the weights that move. If one of the two were an adversary, its step would *raise* the loss. The simplest real game is $uv$, where $u$ goes down and $v$ goes up. Nobody wins: their distance from the balance at zero grows by $\sqrt{1 + \eta^2}$ with each step.
"""

# %%
fresh, eta = new(std=0.5).double(), 1e-6


def loss_now():
    torch.manual_seed(seed)  # the same draws of z each time
    return -fresh.elbo(train[:500].double()).total.mean()


for name, part in {"encoder": fresh.encoder, "decoder": fresh.decoder, "both": fresh}.items():
    weights, before = list(part.parameters()), loss_now()
    slopes = torch.autograd.grad(before, weights)
    for weight, slope in zip(weights, slopes, strict=True):
        weight.data -= eta * slope
    fallen = (before - loss_now()) / (eta * sum(slope.square().sum() for slope in slopes))
    claim(f"Step of {name}: the loss falls, in units of η‖g‖²", fallen, equals=1, within=0.05)

u, v = 1.0, 1.0
for _ in range(100):
    u, v = u - 0.1 * v, v + 0.1 * u
claim("A game: distance, squared", u**2 + v**2, equals=2 * 1.01**100, within=1e-9)

# %% [markdown]
r"""
## Does σ start small and grow to 1?

"At first the encoder uses a small variance, later one close to 1." The reverse. How sure should the encoder be of latent $j$? Let the decoded picture move by $J_j$ when $z_j$ moves by one ($J_j$ is a column of the decoder's Jacobian, $D$ numbers). Then noise of variance $\sigma_j^2$ on $z_j$ costs $\sigma_j^2 \lVert J_j \rVert^2 / 2\sigma_x^2$ in reconstruction, if the decoder is nearly straight over that width. The KL wants $\sigma_j = 1$. SymPy finds the balance:

$$\sigma_j^2 = \frac{1}{1 + \lVert J_j \rVert^2 / \sigma_x^2}.$$

An untrained decoder hardly reacts, so $\sigma_j = 1$. It learns to react, so $\sigma_j$ *falls*. And without the KL, at weight $\beta = 0$, it falls to zero, and the VAE becomes an autoencoder.
"""

# %%
s, J, noise, beta = sp.symbols("sigma J sigma_x beta", positive=True)
cost = s**2 * J**2 / (2 * noise**2) + beta * (s**2 / 2 - sp.log(s))
(lowest,) = sp.solve(cost.diff(s), s)
formula = 1 / (1 + J**2 / noise**2)
claim("Balance minus formula", sp.simplify(lowest.subs(beta, 1) ** 2 - formula), equals=0, within=0)
claim("... at β → 0", sp.limit(lowest, beta, 0), equals=0, within=0)

mean, log_std = encode_all(vae, test[:300])
jacobian = torch.func.vmap(torch.func.jacrev(vae.decoder))(mean)  # (300, 196, 8)
predicted = (1 + jacobian.square().sum(1) / vae.log_std.exp() ** 2).rsqrt()  # (300, 8)
ratio = (log_std.exp() / predicted).log().mean().exp()
claim("Trained: σ over the formula's, geometric mean", ratio, equals=1, within=0.3)
claim("Mean σ at the first step", history["posterior std"][0], equals=1, within=0.25)
claim("... at the end", history.final("posterior std"), at_most=0.4)

# %% [markdown]
r"""
## One z per picture, or many?

In training, one. It is right on average, and more pictures are a better use of your time than more draws ([chapter 5](05_reparameterization.ipynb)). For measuring, the same: the average does not change with the number of draws, and its standard error hardly does. Pictures differ more than draws do. So the way to a more certain number is more test pictures.
"""

# %%
one, ten = (vae.elbo(test, n_samples=n).total for n in (1, 10))
difference = estimate(one - ten)  # picture by picture
claim("1 draw minus 10, nats", difference.mean, equals=0, within=5 * difference.standard_error)
errors = [estimate(values).standard_error for values in (one, ten, one[:250])]
claim("Standard error, 10 draws relative to 1", errors[1] / errors[0], at_least=0.8)
claim("... a quarter of the pictures", errors[2] / errors[0], equals=2, within=0.4)

# %% [markdown]
r"""
## Sum or mean?

Sum over pixels and over latents, mean over the batch. Then the loss is in nats per picture. The first term is the squared error only up to a factor $1/2\sigma_x^2$ and a constant ([chapter 6](06_learned_variance.ipynb)), and a mean over pixels can switch a VAE off ([chapter 7](07_posterior_collapse.ipynb)).

What does *your* program do? Do not read it, double it. Give the reconstruction term a batch that holds every picture twice. Nothing may change. Then give it pictures of twice the size, each pixel twice. Now it must double. The same test works for the KL, with latents in place of pixels.

(Why a sum at all? Given $z$, the decoder takes pixels as independent and normal, with one $\sigma_x$ for all. Log-likelihoods of independent things add up. It does not say that the pixels of a picture are independent.)
"""

# %%
x, y = torch.rand(2, 16, 1, 14, 14)
terms = {
    "sum, then mean": (lambda x, y: (x - y).square().flatten(1).sum(1).mean(), 1, 2),
    "F.mse_loss": (F.mse_loss, 1, 1),
    "F.mse_loss, 'sum'": (partial(F.mse_loss, reduction="sum"), 2, 2),
    "KL": (lambda x, y: kl_standard_normal(x, y).mean(), 1, 2),
    "KL, mean of all": (lambda x, y: (kl_standard_normal(x, y) / x[0].numel()).mean(), 1, 1),
}
for name, (term, batch, size) in terms.items():
    for change, copies, known in (("batch", (2, 1, 1, 1), batch), ("pixels", (1, 1, 2, 1), size)):
        factor = term(x.repeat(copies), y.repeat(copies)) / term(x, y)
        claim(f"{name}: twice the {change}", factor, equals=known, within=1e-3)

# %% [markdown]
r"""
## Why is there a 0.00025 in front of the KL?

Because the other term is a mean. "Mean squared error + 0.00025 · KL" stands in a much-used collection, for colour pictures of 64 × 64 pixels, and its users keep asking for the reason. Divide by that weight: it is KL plus $c = 4\,000$ times the mean over $D$ pixels, and such a $c$ stands for

$$\sigma_x^2 = \frac{D}{2c}.$$

So it says that a pixel may be off by 1.24, and from black to white is 1. Check the formula without training. If it is right, then the home-made loss and $1/c$ times minus the ELBO with this $\sigma_x$ differ by a constant. Pictures and weights are random here: it must hold for any. And any $\beta$ can be read like this ([chapter 6](06_learned_variance.ipynb)).
"""

# %%
weight, shape = 0.00025, (3, 64, 64)
std = math.sqrt(weight * math.prod(shape) / 2)
other, x = VAE(shape, 5, hidden=(8,), std=std).double(), torch.rand(16, *shape).double()
q = other.encode(x)
torch.manual_seed(seed)
error = (x - other.decode(sample_posterior(*q)).mean).square().flatten(1).mean(1)
torch.manual_seed(seed)  # the same draws of z again
left_over = error + weight * kl_standard_normal(*q) + weight * other.elbo(x).total
claim("Home-made loss + ELBO / c varies, relative", left_over.std() / error.std(), at_most=1e-6)

# %% [markdown]
r"""
## log σ, log σ² or softplus?

Any of them. A network's output can be any number, and $\sigma$ must be positive. Use one and the same reading in the draw and in the KL: the famous slip is $\log\sigma$ in one and $\log\sigma^2$ in the other ([chapter 4](04_analytic_kl.ipynb)). Names of variables lie, so ask the program. Fix the output, draw many $z$, and compare their standard deviation with the $\sigma$ that the KL takes. They differ by a factor, if there is a slip.

Two small differences remain. With an output of 0, as at the start, the first two give $\sigma = 1$, the prior, and no KL. Softplus gives $\sigma = \log 2$. And for large outputs the exponentials explode, while softplus grows slowly. You will meet that below, where a loss is not a number.
"""

# %%
softplus = F.softplus(torch.zeros(1, 1)).log()
claim(
    "Softplus at output 0: KL, nats",
    kl_standard_normal(0 * softplus, softplus),
    equals=0.1067,
    within=1e-4,
)

output = torch.full((100_000, 1), 0.7)
drawn = sample_posterior(0 * output, output)  # this program draws with log σ. And its KL?
for name, in_kl, known in (("right", output, 1.0), ("slip", output / 2, math.exp(0.35))):
    ratio, five = drawn.std() / in_kl[0].exp(), 5 * known / math.sqrt(200_000)
    claim(f"Std of the draws over the KL's σ, {name}", ratio, equals=known, within=five)

# %% [markdown]
r"""
## BCE or MSE?

For pixels that are 0 or 1: BCE (binary cross-entropy), which is a Bernoulli likelihood. For grey pixels it is no likelihood, and its value compares with nothing ([chapter 6](06_learned_variance.ipynb)). "But BCE gives better digits!" Perhaps it does, and not because it is BCE. Both losses are lowest at the same place, the mean $m$ of the pixel. There BCE has the curvature $1/(m(1 - m))$, and the Gaussian's squared error has $1/\sigma_x^2$. So near the optimum BCE acts like a Gaussian with $\sigma_x = \sqrt{m(1-m)}$. That is at most ½, and less for pixels that are nearly black. The half squared error, summed, has $\sigma_x = 1$. Who compares the two compares two $\sigma_x$.

SSIM or features of a network? Pictures may look better, but then there is no ELBO any more (chapter 6 again).
"""

# %%
m, p = sp.symbols("m p", positive=True)
bce = -m * sp.log(p) - (1 - m) * sp.log(1 - p)  # averaged over a pixel of mean m
mse = ((p - m) ** 2 + m * (1 - m)) / (2 * noise**2)  # the same, for a pixel that is 0 or 1
for name, loss in (("BCE", bce), ("MSE", mse)):
    (lowest,) = sp.solve(loss.diff(p), p)
    claim(f"{name}: lowest at p - m", sp.simplify(lowest - m), equals=0, within=0)
bent = [sp.simplify(loss.diff(p, 2).subs(p, m)) for loss in (bce, mse)]
(same,) = sp.solve(bent[0] - bent[1], noise**2)
claim("Same curvature at σ_x² - m (1 - m)", sp.simplify(same - m * (1 - m)), equals=0, within=0)

# %% [markdown]
r"""
## How many latents?

More than you need. A latent that does not pay switches itself off: its posterior becomes the prior, and it costs nothing. So look at the KL of each. If all are at work, try more. If some are idle, you have enough. But more latents do not make better *samples* ([chapter 2](02_from_ae_to_vae.ipynb)).

For the linear VAE you can count in advance: as many as eigenvalues of the pictures' covariance above $\sigma_x^2$ ([chapter 8](08_latents_that_live.ipynb)). We take $\sigma_x = 0.25$. Half of that number loses nats. With twice as many nothing is gained, and if you force the idle ones to move the picture, the likelihood falls.
"""

# %%
flat, variance = train.flatten(1).double(), 0.25**2
eigenvalues, vectors = spectrum(flat)
useful = int((eigenvalues > variance).sum())
half, enough, twice = (fit_linear_vae(flat, d, variance) for d in (useful // 2, useful, 2 * useful))
moving = torch.cat([enough.weight, 0.1 * vectors[:, useful : 2 * useful]], 1)
forced = enough._replace(weight=moving)
half, level, twice, forced = (m.log_marginal(flat).mean() for m in (half, enough, twice, forced))
print(f"{useful} useful latents")
claim("Half as many: nats lost", level - half, at_least=0.5)
claim("Twice as many: nats gained", twice - level, equals=0, within=1e-8)
claim("... with the idle ones forced to move", forced - level, at_most=-0.05)
claim("Our VAE: smallest KL of a latent", kl_per_latent(vae, test).min(), at_least=0.3)

# %% [markdown]
r"""
## My loss is negative. Is that a bug?

No. A probability is at most 1, but a *density* has no upper limit. Where pixels fit to within a small $\sigma_x$, the density is large, its logarithm positive, and minus the ELBO negative. Even the sign depends on the unit. Count grey from 0 to 255 in place of 0 to 1, and the same model has a loss that is larger by $D \log 255$.

What must *not* be negative is a KL in closed form. One draw of $\log q(z \mid x) - \log p(z)$ may be, only its average may not.
"""

# %%
q, untrained = encode_all(vae, test), encode_all(new(), test)
mean, log_std = vae.decode(q.mean)
grey = (gaussian_log_likelihood(k * test, k * mean, log_std + math.log(k)) for k in (1, 255))
shift = torch.stack(list(grey)).diff(dim=0).mean()
claim("Loss, nats", -one.mean(), at_most=-20)
claim("... changes by, from 0 to 255", -shift, equals=D * math.log(255), within=0.1)
z = sample_posterior(*untrained)
ratio = gaussian_log_likelihood(z, *untrained) - gaussian_log_likelihood(z, 0 * z, 0.0)
claim("Untrained: log q - log p below 0, share", (ratio < 0).double().mean(), at_least=0.1)

# %% [markdown]
r"""
## Which number do I report? And what should it be?

Report the ELBO on *test* pictures, with fresh draws, in nats per picture, with a standard error. Say what the likelihood is, its $\sigma_x$, and the scale of the pixels. Do not report the training loss, or a loss with a $\beta$ in it, or the ELBO at the posterior's mean ([chapter 5](05_reparameterization.ipynb)). If you report $\log p(x)$ by importance weights, say with how many ([chapter 3](03_elbo.ipynb)).

What should it be? No table can tell you for your pictures. But you can compute what a VAE must beat. Two models need no training at all: the mean picture with noise, and the best *linear* VAE with as many latents. Each gets its best $\sigma_x$.
"""

# %%
mean, rmse = train.mean(0), (train - train.mean(0)).square().mean().sqrt()
levels = {
    "mean picture": gaussian_log_likelihood(test, mean.expand_as(test), rmse.log()),
    "linear VAE": fit_linear_vae(flat, 8).log_marginal(test.flatten(1)),
    "VAE": ten,
    "VAE, training pictures": vae.elbo(train, n_samples=10).total,
    "VAE, 50 weights": importance_weighted_bounds(vae, test, 50),
}
for name, values in levels.items():
    print("{:23s} {:7.1f} ± {:.1f} nats".format(name, *estimate(values)))
nothing, straight, ours, seen, weighted = (values.mean() for values in levels.values())
claim("Linear VAE above the mean picture, nats", straight - nothing, at_least=20)
claim("VAE above the linear VAE, nats", ours - straight, at_least=8)
claim("Training pictures above test, nats", seen - ours, at_least=0.5)
claim("50 weights above the ELBO, nats", weighted - ours, at_least=0.5)

# %% [markdown]
r"""
If yours is below the linear VAE, look for a mistake. To compare with the literature you have to do as it did. For MNIST with pixels drawn as 0 or 1, two hidden layers of 200 and 50 latents, [Burda et al. (2015)](https://arxiv.org/abs/1509.00519) report $-86.8$ nats, with 5000 weights. A number on grey pixels compares with no such table.

## Why is my KL zero? Why is my loss not a number?

**Zero.** First print it alone, in nats, summed over the latents. A mean over latents or a small weight makes it look like zero. Then ask what $\sigma_x$ your loss stands for. If it is too large, zero is the best answer, and no other network helps ([chapter 7](07_posterior_collapse.ipynb)). With a weight $c$ on the *mean* squared error, $\sigma_x^2 = D/2c$. A linear VAE wakes up where $\sigma_x^2$ falls below the largest eigenvalue $\lambda_1$, at $c = D/2\lambda_1$. You can compute that before you train. `vae_course.doctor` asks such questions of any VAE, yours included: `examine(encode, decode, images, loss)` wants your functions and says what it finds.

**Not a number.** Most often some $\sigma$ has run away. With 32-bit numbers $\sigma^2 = e^{2 \log \sigma}$ is infinite from $\log \sigma = 45$ on. Or $\sigma_x$ went to zero on a pixel that never changes ([chapter 6](06_learned_variance.ipynb)). The course's `fit` stops at that step and prints each term.

"Convergence is controlled automatically, as the two terms keep each other in balance." They do not: $\sigma_x$, $\beta$ and the learning rate are left to you. Two epochs at a learning rate of 0.1 leave our VAE below the *linear* one.
"""

# %%
smallest = D / (2 * eigenvalues[0])
claim("c that wakes a linear VAE (1 is usual)", smallest, at_least=20)
for share, known in ((0.99, 0.0), (1.01, math.log(1.01) / 2)):
    q = fit_linear_vae(flat, 8, D / (2 * share * smallest)).posterior(flat)
    kl = kl_standard_normal(q.mean, q.variance.log() / 2).mean()
    claim(f"KL at {share} of that, nats", kl, equals=known, within=1e-5)

broken, hasty, stopped = new(), new(), ""
broken.encoder[-1].bias.data[8:] = 50  # log σ
try:
    fit(broken, negative_elbo, train, steps=5, seed=seed)
except FloatingPointError as error:
    stopped = str(error)
print(stopped)
claim("Stopped, and named the KL (1 = yes)", "kl = inf" in stopped, equals=1, within=0)
fit(hasty, negative_elbo, train, epochs=2, lr=0.1, seed=seed)
elbo = hasty.eval().elbo(test).total.mean()
claim("Learning rate 0.1: nats below the linear VAE", straight - elbo, at_least=5)

# %% [markdown]
r"""
## Can I explain what my latents mean?

"The latent space of a VAE is continuous and explainable." Continuous, yes: similar pictures get similar posteriors, since the encoder is smooth. Explainable, no: nothing makes it so. The prior is round. Turn the latent space, and let the decoder turn it back: every picture is exactly as likely as before, but each axis now does something else. So the likelihood cannot have made the axes meaningful ([Locatello et al. 2019](https://arxiv.org/abs/1811.12359)). Here are both halves.
"""

# %%
codes, pixels = encode_all(vae, test).mean, test.flatten(1)
nearest = torch.cdist(pixels, pixels).fill_diagonal_(math.inf).argmin(1)
near, any_two = ((codes - codes[i]).norm(dim=1).mean() for i in (nearest, nearest.roll(1)))
claim("Codes of similar pictures apart, relative to any two", near / any_two, at_most=0.75)

turn = torch.linalg.qr(torch.randn(8, 8)).Q
axes = {"before": torch.eye(8), "after": turn.T}
before, after, origin = (vae.decode(2 * at).mean for at in (*axes.values(), torch.zeros(1, 8)))
moved = (after - before).square().mean() / (before - origin).square().mean()
claim("What the axes show, changed by", moved.sqrt(), at_least=0.5)

# %% tags=["hide-input"]
walk = torch.linspace(-2.5, 2.5, 11)[:, None]
plotting.rows(
    {
        f"axis {j + 1}, {name}": vae.decode(walk * directions[j]).mean
        for j in (0, 1)
        for name, directions in axes.items()
    },
    caption="Walks along the first two axes, before the latent space is turned and after.",
    alt="Four rows of eleven small blurred digits. In each row a digit changes gradually from left to "
    "right. The middle picture is the same in all rows; the ends differ from row to row.",
)

# %% [markdown]
r"""
## Straight or spherical interpolation?

Along a great circle, if there are many latents: between draws from the prior, and between posterior means as well. [Chapter 2](02_from_ae_to_vae.ipynb) counts the clear digits halfway. `vae_course.latents` has both walks. Draws lie near a sphere of radius $\sqrt d$, and the middle of a straight line does not. How bad is that? Ask how many draws lie as far inside as that middle: with $d = 64$ practically none, with $d = 2$ a third. In the plane you need not care.

Beware of the weights $t$ and $\sqrt{1 - t^2}$. From Bob to Alice is not the way back from Alice to Bob: the two middles differ by $(\sqrt 3 - 1)/2$ of the distance. And on the way from Bob to Bob you meet $\sqrt 2$ times Bob.
"""

# %%
a, b = torch.randn(2, 4_000, 64)
norms = {"ends": a, "straight": straight_line(a, b, 3)[1], "circle": great_circle(a, b, 3)[1]}
for (name, points), known in zip(norms.items(), (7.97, 5.63, 7.99), strict=True):
    norm, error = estimate(points.norm(dim=1))
    claim(f"Norm, d = 64, {name}", norm, equals=known, within=5 * error + 0.005)  # rounded
for d, known, five in ((2, 1 - math.exp(-math.pi / 8), 0.045), (64, 2e-4, 2e-3)):
    middle = straight_line(*torch.randn(2, 4_000, d), 3)[1].norm(dim=1).mean()
    inside = (torch.randn(4_000, d).norm(dim=1) <= middle).double().mean()
    claim(f"Draws inside a straight middle, d = {d}", inside, equals=known, within=five)

# %% [markdown]
r"""
## Is it faster than diffusion or a GAN? What does it give up?

A VAE makes a picture in one pass through its decoder. A diffusion model takes a pass for each step, tens to a thousand. A GAN takes one pass, too. So, with networks of one size, a VAE is faster than the first, and not faster than the second.

What does it give up? Its means are blurred ([chapter 9](09_blur.ipynb)). And where the codes are not spread quite like the prior, it decodes $z$ that it never saw. What does it keep? An encoder, a bound on $\log p(x)$, and training without a game. Diffusion models are no other species, either. They are VAEs with many layers of latents and an encoder that only adds noise ([Kingma et al. 2021](https://arxiv.org/abs/2107.00630)), and their usual loss is a re-weighted ELBO ([Kingma & Gao 2023](https://arxiv.org/abs/2303.00848)).
"""

# %%
drawn, rebuilt = vae.sample(1_000, noise=False), vae.reconstruct(test)
drawn, rebuilt = (digit_score(x, train, digits.train_labels) for x in (drawn, rebuilt))
claim("Clear digits, prior over rebuilt", drawn.unanimous / rebuilt.unanimous, at_most=0.9)

# %% [markdown]
r"""
## Will these pages still run next year?

Much teaching material rots. Data sets move, libraries change, a wrong solution stays wrong for years. So here the digits are drawn by a program, and no download can fail. The version of every package is locked in `requirements.txt`, and where torch is already there, as in Colab, installing the course leaves it alone. And each notebook runs at every change, with its claims: when a page has become wrong, the build fails. The first point you can check yourself. Forbid all connections, and load the digits again.
"""

# %%
with mock.patch("socket.socket.connect", side_effect=OSError("no network")) as connect:
    again = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
claim("Connections tried", connect.call_count, equals=0, within=0)
claim("Pixels that differ", (again.train != digits.train).sum(), equals=0, within=0)

# %% [markdown]
r"""
## What to take along

When you are in doubt, compute a case with a known answer: two pictures, a linear decoder, a batch that holds everything twice. Many questions on this page come down to a unit. A sum or a mean? $\sigma$ or $\sigma^2$? From 0 to 1 or to 255? And a weight in a loss is a $\sigma_x$ in disguise.

## Practise

[Exercises](exercises/questions.ipynb) check what you write and name your mistake. Walk along a great circle, report a number as it should be reported, find the $\sigma_x$ behind a weight, and unmask a decoder in disguise.

## The checks
"""

# %% tags=["hide-input"]
summary()
