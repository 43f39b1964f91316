# %% [markdown]
r"""
# 3 · The ELBO, line by line

[Chapter 2](02_from_ae_to_vae.ipynb) gave you a loss with two terms and asked you to believe it. Here you derive it. Each line of the derivation is an equation between numbers, so you can run each line.

**After this chapter you can**

- say what a VAE would like to maximise, why it cannot, and what it maximises instead;
- derive the bound in two ways, and name the exact size of what is lost;
- say what training changes through the decoder, and what through the encoder;
- tell how much a diagonal posterior costs;
- tighten the bound with importance weights, and estimate $\log p(x)$ of a trained VAE.

The VAE is due to [Kingma & Welling (2013)](https://arxiv.org/abs/1312.6114) and [Rezende, Mohamed & Wierstra (2014)](https://arxiv.org/abs/1401.4082). Some pages name [Blei, Kucukelbir & McAuliffe](https://arxiv.org/abs/1601.00670) instead. That is a fine review of variational inference, the older method behind it.
"""

# %%
import math

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course import plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, importance_weighted_bounds
from vae_course.exact import LinearVAE, quadrature_bound
from vae_course.models import VAE
from vae_course.objectives import Gaussian, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("03_elbo")

# %% [markdown]
r"""
## What we want

A model is good if it finds real pictures likely. So we would like to choose the decoder's weights $\theta$ such that the average of $\log p_\theta(x)$ over the pictures is as large as possible. This is **maximum likelihood**. (Not every generative model works like this. A GAN has no likelihood at all.)

For a latent variable model, the density of one picture is an integral over everything that could have made it:

$$p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz.$$

"We cannot compute that, because it runs over all $z$", you will read. That is not the reason. Here is a model whose integral runs over all $z$, too. Its decoder is a matrix: $p(x \mid z) = \mathcal{N}(Wz + b, \sigma_x^2 I)$. It is called the **linear VAE**, or probabilistic PCA. All its distributions are normal, so we know its $\log p(x)$ in closed form. We compare it with brute force: a sum over a grid of $z$.
"""

# %%
small = LinearVAE(torch.randn(5, 2), torch.randn(5), variance=0.5)
x = torch.randn(1, 5).double()

axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
z = torch.cartesian_prod(axis, axis)  # (641 601, 2)
decoded = z @ small.weight.double().T + small.bias
log_prior = Normal(0, 1).log_prob(z).sum(1)
log_joint = Normal(decoded, small.variance**0.5).log_prob(x).sum(1) + log_prior
by_force = torch.logsumexp(log_joint, 0) + 2 * math.log(axis[1] - axis[0])

closed = small.log_marginal(x).item()
claim("log p(x): closed form minus the sum over all z", closed - by_force, equals=0, within=1e-8)

# %% [markdown]
r"""
What makes the integral hard is a decoder that is not linear. Then there is no formula, and a grid over ten latents with 100 points each would have $10^{20}$ points.

So keep the linear VAE at hand. It is the one place where we know all answers. Whatever we derive for any decoder must come out right there.

## Why not draw from the prior?

The integral is an average, $p(x) = \mathbb{E}_{p(z)}[p(x \mid z)]$. So draw many $z$ from the prior, and average. This is correct on average. But how many draws do you need?

Most draws from the prior have nothing to do with your picture. The few that fit it carry all the weight. The more latents, the rarer they are. For a linear VAE the number of draws for an error of 10 % is known exactly: it is 100 times the variance of $p(x \mid z)$ relative to its squared mean.
"""


# %%
def typical(d, noise_variance=0.1):
    """A model with W = I, and of a thousand pictures drawn from it the one of median cost."""
    model = LinearVAE(torch.eye(d), torch.zeros(d), noise_variance)
    pictures = torch.randn(1001, d) * math.sqrt(1 + noise_variance)
    return model, pictures[model.draws_needed(pictures).argsort()[500]]


def relative_error(model, x, n, repeats=400):
    """The std of `repeats` estimates of p(x), relative to p(x), each from n prior draws."""
    scale = model.log_marginal(x[None])
    estimates = [
        (Normal(torch.randn(n, len(x)), model.variance**0.5).log_prob(x).sum(1) - scale)
        .exp()
        .mean()
        for _ in range(repeats)
    ]
    return torch.stack(estimates).std()


needed = {}
for d in (1, 3, 5, 7, 10, 20):
    model, x = typical(d)
    needed[d] = model.draws_needed(x[None]).item()
    if d <= 5:
        error = relative_error(model, x, round(needed[d]))
        claim(f"{d} latent(s): relative error of that many", error, equals=0.1, within=0.03)
claim("Draws needed with 10 latents", needed[10], at_least=1e7)

# %% tags=["hide-input"]
made, (axes,) = plotting.figure(6, 3)
axes.semilogy(list(needed), list(needed.values()), "o-")
axes.set(xlabel="latents $d$", ylabel="prior draws for 10 % error", xticks=[1, 5, 10, 15, 20])
plotting.show(
    made,
    caption="What it costs to estimate p(x) from prior draws: the price grows exponentially.",
    alt="A nearly straight rising line on a logarithmic axis: from two hundred draws with one latent, over "
    "tens of millions with ten, to more than a trillion with twenty.",
)

# %% [markdown]
r"""
## Draw where it matters

Draw from somewhere better, then, and correct for it. Let $q(z \mid x)$ be any density over $z$ that is nowhere zero. Then

$$p(x) = \int q(z \mid x)\, \frac{p(x \mid z)\, p(z)}{q(z \mid x)}\, dz = \mathbb{E}_{q(z \mid x)}[w(z)], \qquad w(z) = \frac{p(x \mid z)\, p(z)}{q(z \mid x)}.$$

This is **importance sampling**, and $w$ is the importance weight. What is the best $q$? The one for which $w$ does not vary. Bayes' rule, $p(z \mid x) = p(x \mid z)\, p(z) / p(x)$, says which one that is. If $q(z \mid x)$ is the posterior $p(z \mid x)$, then $w = p(x)$ for *every* $z$, and one draw is enough.

From here on: a random decoder, a random picture, and an encoder that is just as random. Nothing is trained.
"""

# %%
D, d = 10, 4
model = LinearVAE(torch.randn(D, d), torch.randn(D), variance=0.8)
x = torch.randn(1, D).double()
factor = 0.3 * torch.randn(d, d).double()
covariance = factor @ factor.T + 0.1 * torch.eye(d)
q = MultivariateNormal(0.3 * x @ torch.randn(D, d).double(), covariance)  # any encoder
posterior = model.posterior(x)  # the true one, known for the linear VAE


def log_joint(z):
    """log p(x|z) + log p(z) for draws z (N, 1, d): (N,)"""
    decoded = z @ model.weight.double().T + model.bias
    log_prior = Normal(0, 1).log_prob(z).sum(-1)[:, 0]
    return Normal(decoded, model.variance**0.5).log_prob(x).sum(-1)[:, 0] + log_prior


log_p = model.log_marginal(x).item()
z = posterior.sample((1000,))
log_w = log_joint(z) - posterior.log_prob(z)[:, 0]
claim("Posterior as q: log w minus log p(x), at most", (log_w - log_p).abs().max(), at_most=1e-9)

# %% [markdown]
r"""
Of course we do not have the posterior. To compute it we would need $p(x)$, which is what we are after. But an encoder can learn to come close.

## The derivation

**Line 1, Bayes' rule.** Solve it for $p(x)$ and take the logarithm:

$$\log p(x) = \log \frac{p(x \mid z)\, p(z)}{p(z \mid x)}.$$

Look closely: there is a $z$ on the right and none on the left. So the right side must be the same number for every $z$. Try a thousand.
"""

# %%
z = 3 * torch.randn(1000, 1, d).double()
line_1 = log_joint(z) - posterior.log_prob(z)[:, 0]
claim("Line 1: largest deviation over 1000 z", (line_1 - log_p).abs().max(), at_most=1e-9)

# %% [markdown]
r"""
**Line 2, multiply by one.** Put $q(z \mid x) / q(z \mid x)$ under the logarithm, and split:

$$\log p(x) = \underbrace{\log \frac{p(x \mid z)\, p(z)}{q(z \mid x)}}_{\log w(z)} + \log \frac{q(z \mid x)}{p(z \mid x)}.$$

Now both terms depend on $z$, but their sum still does not.
"""

# %%
log_w = log_joint(z) - q.log_prob(z)[:, 0]
log_ratio = (q.log_prob(z) - posterior.log_prob(z))[:, 0]
claim("Line 2: the first term alone varies by", log_w.max() - log_w.min(), at_least=1)
claim("Line 2: deviation of the sum", (log_w + log_ratio - log_p).abs().max(), at_most=1e-9)

# %% tags=["hide-input"]
toy = LinearVAE(torch.ones(1, 1), torch.zeros(1), variance=1.0)  # p(z) = N(0, 1), p(x|z) = N(z, 1)
at = torch.ones(1, 1).double()
guess, line = Normal(torch.tensor(0.9).double(), 0.5), torch.linspace(-1.2, 3, 300).double()
first = Normal(0, 1).log_prob(line) + Normal(line, 1).log_prob(at[0]) - guess.log_prob(line)
toy_log_p = toy.log_marginal(at).item()
made, (axes,) = plotting.figure(6, 3.4)
axes.fill_between(line, -4, -4 + guess.log_prob(line).exp(), alpha=0.25, color="grey", lw=0)
axes.plot(line, first, label=r"$\log w(z)$")
axes.plot(line, toy_log_p - first, "--", label=r"$\log q(z|x) / p(z|x)$")
axes.axhline(toy_log_p, color="black", label=r"sum: $\log p(x)$")
axes.set(xlabel="$z$", ylabel="nats", ylim=(-4, 3))
axes.legend(loc="upper right")
plotting.show(
    made,
    caption="Line 2 in one dimension. Both terms change with z; their sum is log p(x) everywhere. "
    "Grey: the density q(z|x), over which line 3 averages.",
    alt="A valley-shaped solid curve, its dashed mirror image as a hill, and a flat black line that is the sum "
    "of the two. A grey bell below them lies over the bottom of the valley.",
)

# %% [markdown]
r"""
**Line 3, average.** Take the expectation over $z \sim q(z \mid x)$. The left side is a constant, so it stays. The second term becomes a Kullback–Leibler divergence, by its definition $\operatorname{KL}(q \,\|\, p) = \mathbb{E}_q[\log q - \log p]$:

$$\log p(x) = \underbrace{\mathbb{E}_{q(z \mid x)}\left[\log \frac{p(x \mid z)\, p(z)}{q(z \mid x)}\right]}_{\operatorname{ELBO}(x)} + \underbrace{\operatorname{KL}\bigl(q(z \mid x) \,\|\, p(z \mid x)\bigr)}_{\text{gap}}.$$

**Line 4, split again.** A logarithm of a product is a sum of logarithms:

$$\operatorname{ELBO}(x) = \mathbb{E}_{q(z \mid x)}\bigl[\log p(x \mid z)\bigr] - \operatorname{KL}\bigl(q(z \mid x) \,\|\, p(z)\bigr).$$

These are the two terms of chapter 2. For the linear VAE all of them have closed forms, so line 3 must hold to rounding. And drawing from $q$ must agree with the closed forms, up to five standard errors.
"""

# %%
elbo, reconstruction, kl = model.elbo(x, q)  # closed forms
gap = kl_divergence(q, posterior)
claim("Line 3: ELBO + gap - log p(x)", elbo + gap - log_p, equals=0, within=1e-10)
claim("The gap of this random encoder, in nats", gap, at_least=0.01)

z = q.sample((100_000,))
drawn = estimate(log_joint(z) - q.log_prob(z)[:, 0])
five = 5 * drawn.standard_error
claim("Line 3: average log w over draws - ELBO", drawn.mean - elbo, equals=0, within=five)

log_prior = Normal(0, 1).log_prob(z).sum(-1)[:, 0]
both = {"reconstruction": log_joint(z), "KL to the prior": q.log_prob(z)[:, 0]}
for (name, logs), closed in zip(both.items(), (reconstruction, kl), strict=True):
    drawn = estimate(logs - log_prior)
    five = 5 * drawn.standard_error
    claim(f"Line 4: {name}, draws - closed form", drawn.mean - closed, equals=0, within=five)

# %% [markdown]
r"""
## Never below zero, and sometimes zero

The ELBO is a *lower bound* because the gap is never negative. The proof is one line. For every positive number $\log u \le u - 1$, so

$$-\operatorname{KL}(q \,\|\, p) = \mathbb{E}_q\Bigl[\log \frac{p}{q}\Bigr] \le \mathbb{E}_q\Bigl[\frac{p}{q} - 1\Bigr] = \int p\, dz - \int q\, dz = 0.$$

"The KL is strictly positive", says one of the pages this course was made from. Equality holds where $\log u = u - 1$. That is at $u = 1$ only: when $q$ *is* the true posterior. Then the gap is zero, and the bound is exact.
"""

# %%
exact_bound = model.elbo(x, posterior).total
claim("Gap at the true posterior: log p(x) - ELBO", log_p - exact_bound, equals=0, within=1e-10)

others = MultivariateNormal(posterior.mean + torch.randn(1000, d), covariance)
claim("Smallest gap of 1000 other q", kl_divergence(others, posterior).min(), at_least=0.01)
u = torch.linspace(0.01, 5, 500, dtype=torch.float64)
claim("Largest log u - (u - 1), at u = 1", (u.log() - (u - 1)).max(), equals=0, within=1e-9)

# %% [markdown]
r"""
## The same bound from Jensen's inequality

There is a second way, and it is shorter. Start from importance sampling, $p(x) = \mathbb{E}_q[w]$. The logarithm bends downwards, so the logarithm of an average is at least the average of the logarithms:

$$\log p(x) = \log \mathbb{E}_q[w] \ge \mathbb{E}_q[\log w] = \operatorname{ELBO}(x).$$

This is **Jensen's inequality**. It is quick, but it does not tell you the size of the gap. The first derivation does.
"""

# %%
log_w = log_joint(z) - q.log_prob(z)[:, 0]
log_of_average = torch.logsumexp(log_w, 0) - math.log(len(log_w))
claim("log of the average - average of the logs", log_of_average - log_w.mean(), at_least=0)

# %% [markdown]
r"""
## Who maximises what

The ELBO has two sets of weights in it, $\theta$ in the decoder and $\phi$ in the encoder. Training moves both uphill. What does each of them achieve? Read line 3 as $\operatorname{ELBO} = \log p_\theta(x) - \text{gap}$.

**Over $\phi$**: $\log p_\theta(x)$ does not contain $\phi$. So the encoder can do one thing only: close the gap, and bring $q_\phi(z \mid x)$ closer to the posterior. The two gradients must be equal and opposite.

**Over $\theta$**: the decoder may raise $\log p_\theta(x)$, which is what we want. Or it may *bend the posterior towards $q$*, which closes the gap as well. Only where the gap is zero do ELBO and $\log p$ have the same slope in $\theta$.
"""

# %%
theta = model.weight.double().requires_grad_()
phi = q.mean.clone().requires_grad_()
moved, moved_q = model._replace(weight=theta), MultivariateNormal(phi, covariance)


def slope(value, parameter):
    return torch.autograd.grad(value.sum(), parameter, retain_graph=True)[0]


bound, evidence = moved.elbo(x, moved_q).total, moved.log_marginal(x)
gap = kl_divergence(moved_q, moved.posterior(x))
uphill = slope(bound, phi) + slope(gap, phi)
claim("In φ, slope of the ELBO plus slope of the gap", uphill.abs().max(), at_most=1e-9)
differ = (slope(bound, theta) - slope(evidence, theta)).abs().max()
claim("In θ, slopes of ELBO and log p differ by", differ, at_least=0.01)
tight = moved.elbo(x, posterior).total
differ = (slope(tight, theta) - slope(evidence, theta)).abs().max()
claim("The same where q is the true posterior", differ, at_most=1e-9)

# %% [markdown]
r"""
That second way out is not a detail. Take one pixel, one latent, $x = 2$ and $p(x \mid z) = \mathcal{N}(az, 1)$ with $a = 1$. The likelihood would grow with a larger $a$. But let the encoder say nothing, $q = p(z)$. Then the ELBO grows with a *smaller* $a$: the decoder is told to stop listening to $z$. This is how posterior collapse begins. [Chapter 7](07_posterior_collapse.ipynb) takes it up.
"""

# %%
a = torch.ones(1, 1).double().requires_grad_()
pixel, two = LinearVAE(a, torch.zeros(1), 1.0), torch.full((1, 1), 2.0).double()
prior = MultivariateNormal(torch.zeros(1, 1).double(), torch.eye(1).double())
claim("Slope of log p(x) in a", slope(pixel.log_marginal(two), a), equals=0.5, within=1e-9)
down = slope(pixel.elbo(two, prior).total, a)
claim("Slope of the ELBO in a where q = p(z)", down, equals=-1, within=1e-9)

# %% [markdown]
r"""
## What a diagonal posterior costs

The encoder of chapter 2 gives each latent its own $\sigma_j$, and no correlations. Its $q$ is a normal distribution whose axes are parallel to those of the latent space. The true posterior need not be.

The decoder has a say in this. Turn the latent space by an angle and let $W$ turn back: $W \to W R$. As the prior is round, $p(x)$ stays exactly the same. The posterior turns, though, and no diagonal $q$ can follow.
"""


# %%
def turned(angle, eigenvalues=(20.0, 2.0)):
    """A linear VAE of variance 1 whose covariance has these eigenvalues, W turned by `angle`."""
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    scales = (torch.tensor(eigenvalues, dtype=torch.float64) - 1).sqrt()
    return LinearVAE(torch.diag(scales) @ rotation, torch.zeros(2), 1.0)


x = torch.tensor([[2.0, 1.0]]).double()
angles = torch.linspace(0, math.pi / 2, 31).tolist()
models = [turned(angle) for angle in angles]
gaps = [(m.log_marginal(x) - m.elbo(x, m.best_diagonal(x)).total).item() for m in models]

log_ps = torch.cat([m.log_marginal(x) for m in models])
claim("log p(x) varies over all angles by", log_ps.max() - log_ps.min(), at_most=1e-9)
claim("Best diagonal gap, not turned", gaps[0], equals=0, within=1e-9)
arithmetic, geometric = (20 + 2) / 2, math.sqrt(20 * 2)
forty_five = math.log(arithmetic / geometric)
claim("Best diagonal gap at 45°", gaps[15], equals=forty_five, within=1e-9)
tilted = models[15]
q_variance = tilted.best_diagonal(x).variance / tilted.posterior(x).variance
claim("... its variances, relative to the posterior's", q_variance.max(), at_most=0.5)

# %% tags=["hide-input"]
made, (ellipses, axes) = plotting.figure(8.5, 3.2, columns=2)
circle = torch.linspace(0, 2 * math.pi, 200).double()
both = {"true posterior": tilted.posterior(x), "best diagonal $q$": tilted.best_diagonal(x)}
for (label, q_), style in zip(both.items(), ("-", "--"), strict=True):
    rim = torch.stack([circle.cos(), circle.sin()]).T @ q_.scale_tril.reshape(2, 2).T
    ellipses.plot(*(rim + q_.mean[0]).T, style, label=label)
ellipses.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="turned by 45°")
ellipses.legend(loc="upper left", bbox_to_anchor=(1, 1))
axes.plot([math.degrees(angle) for angle in angles], gaps)
axes.set(xlabel="angle in degrees", ylabel="gap in nats", xticks=[0, 30, 45, 60, 90])
plotting.show(
    made,
    caption="Left: the true posterior of a turned model, and the best q without correlations, one "
    "standard deviation. Right: what that costs at each angle.",
    alt="Left, a long tilted ellipse, and a small dashed circle around the same centre that spans its waist. "
    "Right, a curve from zero at no rotation up to 0.55 nats at forty-five degrees and back to zero at ninety.",
)

# %% [markdown]
r"""
Two lessons. The best diagonal $q$ is *narrower* in each latent than the posterior, because it pays dearly for reaching to where the posterior is not. And while $p(x)$ cannot tell one set of axes from another, the ELBO of a diagonal encoder can: it likes axes in which the posterior is not tilted.

## A tighter bound: more draws

One more look at Jensen. The gap comes from the logarithm of *one* weight, which varies. The average of $K$ weights varies less. So take the average inside the logarithm ([Burda et al. 2015](https://arxiv.org/abs/1509.00519)):

$$L_K = \mathbb{E}_{z_1, \dots, z_K \sim q}\left[\log \frac1K \sum_{k=1}^{K} w(z_k)\right], \qquad L_1 = \operatorname{ELBO} \le L_2 \le \dots \le \log p(x).$$

Try it on the smallest example: $p(z) = \mathcal{N}(0, 1)$, $p(x \mid z) = \mathcal{N}(z, 1)$, $x = 1$, and a lazy encoder, $q = p(z)$. Numerical integration gives $L_1$ and $L_2$ exactly. For large $K$ theory says that the gap is half the relative variance of $w$, divided by $K$.
"""

# %%
bounds = {}
for K, repeats in ((1, 400_000), (2, 400_000), (5, 400_000), (10, 200_000), (50, 200_000)):
    log_w = Normal(torch.randn(K, repeats), 1.0).log_prob(torch.tensor(1.0))
    bounds[K] = estimate(log_w.double().logsumexp(0) - math.log(K))

for K in (1, 2):
    exact, five = quadrature_bound(1.0, K, Normal(0.0, 1.0)), 5 * bounds[K].standard_error
    claim(f"L_{K} from draws", bounds[K].mean, equals=exact, within=five)
half_variance = toy.draws_needed(at, relative_error=1.0).item() / 2
scaled, five = 50 * (toy_log_p - bounds[50].mean), 250 * bounds[50].standard_error
claim("K times the gap at K = 50", scaled, equals=half_variance, within=five + 0.01)
print({f"L_{K}": round(bound.mean, 4) for K, bound in bounds.items()}, f"log p {toy_log_p:.4f}")

# %% [markdown]
r"""
Mind the order. Averaging many *logarithms* makes the estimate of the ELBO less noisy, and leaves the bound where it is. Averaging the *weights* first raises the bound.

## The VAE of chapter 2

Now a decoder that is not linear. There $\log p(x)$ is unknown, but it is above every $L_K$. We train the ten-latent VAE of chapter 2 and look at 200 test pictures.
"""

# %%
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)
torch.manual_seed(seed)
vae = VAE((1, 28, 28), 10, hidden=(128, 64), std=0.3)
fit(vae, lambda model, x: -model.elbo(x).total.mean(), digits.train, epochs=10, lr=2e-3, seed=seed)
vae.eval().requires_grad_(False)

few = digits.test[:200]
rising = {K: importance_weighted_bounds(vae, few, K) for K in (1, 10, 100, 1000)}
for K, values in rising.items():
    print(f"K = {K:4d}: {values.mean():8.2f} ± {estimate(values).standard_error:.2f} nats")
for fewer, more in ((1, 10), (10, 100), (100, 1000)):
    gain = rising[more] - rising[fewer]  # the same pictures: their differences cancel
    claim(f"Gain from K = {fewer} to {more}, in nats", gain.mean(), at_least=0)

# %% [markdown]
r"""
The first line is the ELBO; its standard error is large because pictures differ. The gains are measured picture by picture, so they are much more certain. In papers the last line, with $K = 5000$ or so, is called "the log-likelihood". It is a lower bound still. Is it a good one?

That depends on $q$. The encoder answers for all pictures with one network. This is called **amortised** inference. It is fast, but for a given picture there may be a better $\mu$ and $\sigma$. Let us look for them, picture by picture, with the decoder fixed. Then draw $K = 1000$ samples from there.
"""

# %%
encoded = encode_all(vae, few)
refined = Gaussian(*(part.clone().requires_grad_() for part in encoded))
optimizer = torch.optim.Adam(refined, lr=0.02)
for _ in range(200):
    z = sample_posterior(*refined)
    elbo = vae.log_likelihood(few, z) - kl_standard_normal(*refined)  # (200,)
    optimizer.zero_grad()
    (-elbo.mean()).backward()
    optimizer.step()

levels = {}
for name, q in (("encoder", encoded), ("refined", refined)):
    for K, repeats in ((1, 200), (1000, 1)):
        bounds = [importance_weighted_bounds(vae, few, K, posterior=q) for _ in range(repeats)]
        levels[name, K] = torch.stack(bounds).mean(0).mean()  # over repeats, then over pictures
        print(f"{name}, K = {K:4d}: {levels[name, K]:8.2f} nats")

# %% [markdown]
r"""
Look at the second line and the third. One draw from a better $q$ beats a thousand draws from the encoder's. So $L_{1000}$ of the encoder was *not* close to $\log p(x)$. Part of the gap was the encoder's fault, and part of it is the price of the family: the true posterior is not a normal distribution with parallel axes.
"""

# %%
one_draw = levels["refined", 1]
claim("Refined, 1 draw, minus encoder, 1000", one_draw - levels["encoder", 1000], at_least=0)
gap = levels["refined", 1000] - levels["encoder", 1]  # or more: log p(x) may be higher
share = (one_draw - levels["encoder", 1]) / gap
claim("Share of the gap that is the encoder's", share, at_least=0.2, at_most=0.98)

# %% [markdown]
r"""
So read "log-likelihood" in a table as "the best lower bound we could afford", and ask for $K$ and $q$.

## What to take along

The ELBO is $\log p_\theta(x)$ minus a gap, and the gap is $\operatorname{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$, exactly. The encoder can only close the gap. The decoder can also raise the likelihood.

"And this is the objective that the code optimises", the derivation usually ends. It is worth a check, every time: a mean where the sum over pixels belongs, or an unnamed weight on one term, and it is a different objective. [Chapter 6](06_learned_variance.ipynb) shows what such a line does. First, the two things this page took for granted: the closed form of the KL (chapter 4) and a gradient that goes through a random draw (chapter 5).

## Practise

[Exercises 3](exercises/03_elbo.ipynb) check what you write and name your mistake. Likelihoods with all their constants, an integral by brute force, the true posterior, what the bound loses, and the bound with $K$ draws.

## Summary
"""

# %% tags=["hide-input"]
summary()
