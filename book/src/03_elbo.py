# %% [markdown]
r"""
# 3 · The ELBO, line by line

[Chapter 2](02_from_ae_to_vae.ipynb) gave you a loss with two terms and asked you to believe it. Here you derive it. Each line of the derivation is an equation between numbers, so you can run each line.

The whole chapter in one picture: the black curve is what we would like to climb, $\log p(x)$. We cannot compute it, in general. The coloured curves are bounds below it that we can compute, and each touches it somewhere.
"""

# %% tags=["hide-input"]
import math

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, importance_weighted_bounds
from vae_course.exact import LinearVAE, quadrature_bound
from vae_course.models import VAE
from vae_course.objectives import Gaussian, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("03_elbo")


# %% tags=["hide-input"]
def pixel_evidence(a, x=2.0):
    """log p(x) of one pixel with p(z) = N(0, 1) and p(x|z) = N(a z, 1), so p(x) = N(0, a² + 1)."""
    return Normal(0.0, (a**2 + 1) ** 0.5).log_prob(torch.as_tensor(x))


def pixel_bound(a, mean, log_std, x=2.0):
    """The ELBO of the same pixel for q(z|x) = N(mean, std²)."""
    squares = (x - a * mean) ** 2 + (a * log_std.exp()) ** 2
    kl = 0.5 * (log_std.exp() ** 2 + mean**2 - 1) - log_std
    return -0.5 * squares - 0.5 * math.log(2 * math.pi) - kl


def pixel_posterior(a, x=2.0):
    """Mean and log std of p(z|x)."""
    return a * x / (a**2 + 1), -0.5 * torch.log(torch.as_tensor(a**2 + 1.0))


made, (axes,) = plotting.figure(7, 3.2)
along = torch.linspace(-0.2, 4, 400)
axes.plot(along, pixel_evidence(along), color="black", lw=2, label=r"$\log p(x)$")
for a0, colour in zip((0.6, 1.0, math.sqrt(3)), plotting.COLOURS, strict=False):
    axes.plot(along, pixel_bound(along, *pixel_posterior(a0)), color=colour, lw=1.2)
    axes.plot(a0, pixel_evidence(torch.tensor(a0)), "o", color=colour)
axes.plot(along, pixel_bound(along, 0.0, torch.tensor(0.0)), "--", color=plotting.COLOURS[5])
axes.set(xlabel="$a$, the one weight of a decoder", ylabel="nats", ylim=(-4.5, -1.8))
axes.legend(loc="upper right")
plotting.show(
    made,
    caption="One pixel, one latent, a decoder with one weight a. Black: log p(x). Coloured: the ELBO for "
    "three encoders, each of which is right at its dot. Dashed: an encoder that says nothing.",
    alt="A black curve rises from minus 2.9 at zero to a maximum near 1.7 and falls slowly. Three coloured "
    "arches lie below it, each touching it at one dot; the third touches at the maximum. A dashed curve "
    "touches at zero and falls away.",
)

# %% [markdown]
r"""
**After this chapter you can**

- say what a VAE would like to maximise, why it cannot, and what it maximises instead;
- derive the bound in two ways, and name the exact size of what is lost;
- say what training changes through the decoder, and what through the encoder;
- tell how much a diagonal posterior costs;
- tighten the bound with importance weights, and estimate $\log p(x)$ of a trained VAE.

The VAE is due to [Kingma & Welling (2013)](https://arxiv.org/abs/1312.6114) and [Rezende, Mohamed & Wierstra (2014)](https://arxiv.org/abs/1401.4082). Some pages name [Blei, Kucukelbir & McAuliffe](https://arxiv.org/abs/1601.00670) instead. That is a fine review of variational inference, the older method behind it.
"""

# %% [markdown]
r"""
## What we want

In one sense a model is good if it finds real pictures likely. So we would like to choose the decoder's weights $\theta$ such that the average of $\log p_\theta(x)$ over the pictures is as large as possible. This is **maximum likelihood**. The number $p_\theta(x)$ is also called the **evidence** for the model. (Not every generative model has one. A generative adversarial network, or GAN, draws pictures and gives no density.)

For a latent variable model, the evidence of one picture is an integral over everything that could have made it:

$$p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz.$$

It runs over all $z$. That alone does not make it hard. Here is a model whose integral runs over all $z$, too. Its decoder is a matrix $W$ and an offset $b$: $p(x \mid z) = \mathcal{N}(Wz + b, \sigma_x^2 I)$. It is called the **linear VAE**, or probabilistic PCA. All its distributions are normal, so we know its $\log p(x)$ in closed form. We compare it with brute force: a sum over a grid of $z$. Far from the best $z$ a term can be smaller than any float can hold. So we keep logarithms $v_i$, and sum with `logsumexp`, which computes $\log \sum_i e^{v_i}$ safely.

A word on symbols: where it is clear which weights are meant, we write $p$ and $q$ without $\theta$ and $\phi$.
"""

# %%
small = LinearVAE(torch.randn(5, 2), torch.randn(5), variance=0.5)
picture = torch.randn(1, 5).double()

axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
places = torch.cartesian_prod(axis, axis)  # every z of the grid: (641 601, 2)
painted = places @ small.weight.double().T + small.bias
log_terms = Normal(painted, small.variance**0.5).log_prob(picture).sum(1)
log_terms += Normal(0, 1).log_prob(places).sum(1)
by_force = torch.logsumexp(log_terms, 0) + 2 * math.log(axis[1] - axis[0])

closed = small.log_marginal(picture).item()
claim("log p(x): closed form minus the sum", closed - by_force, equals=0, within=1e-8)

# %% [markdown]
r"""
What makes the integral hard is a decoder that is not linear. Then there is, in general, no formula. And a grid over ten latents with 100 points along each would have $10^{20}$ points.

So keep the linear VAE at hand. There we know all the answers. Whatever we derive for any decoder must come out right there.

## Why not draw from the prior?

The integral is an average, $p(x) = \mathbb{E}_{p(z)}[p(x \mid z)]$. So draw many $z$ from the prior, and average. This is correct on average. But how many draws do you need?

Most draws from the prior have nothing to do with your picture. The few that fit it carry nearly all the weight. If $n$ draws are averaged, the typical error of the average, relative to $p(x)$, is the standard deviation of one $p(x \mid z)$ relative to its mean, divided by $\sqrt n$. For the linear VAE both are known exactly (`draws_needed`). So for an error of 10 %, you need 100 times the variance of $p(x \mid z)$, relative to its squared mean.
"""


# %% tags=["hide-input"]
def typical(d, noise_variance=0.1):
    """A model with W = I, and of a thousand pictures drawn from it the one of median cost."""
    model = LinearVAE(torch.eye(d), torch.zeros(d), noise_variance)
    pictures = torch.randn(1001, d) * math.sqrt(1 + noise_variance)
    return model, pictures[model.draws_needed(pictures).argsort()[500]][None]


def relative_error(model, x, n, repeats=400):
    """The std of `repeats` estimates of p(x), relative to p(x), each from n prior draws."""
    z = torch.randn(repeats, n, x.shape[1])
    log_likelihood = Normal(z, model.variance**0.5).log_prob(x).sum(-1)  # (repeats, n)
    return (log_likelihood - model.log_marginal(x)).exp().mean(1).std()


# %%
needed, least, errors = {}, {}, {}
for latents in (1, 3, 5, 7, 10, 20):
    example, seen = typical(latents)
    identity = torch.eye(latents, dtype=torch.float64)
    prior = MultivariateNormal(torch.zeros(latents).double(), identity)
    needed[latents] = example.draws_needed(seen).item()
    least[latents] = 100 * math.expm1(kl_divergence(example.posterior(seen), prior))
    if latents <= 5:
        errors[latents] = relative_error(example, seen, round(needed[latents]))

# %% tags=["hide-input"]
worst = max(abs(error - 0.1) for error in errors.values())
claim("Relative error of that many draws, d = 1, 3, 5: furthest from 0.1", worst, at_most=0.03)
claim("Draws needed with 10 latents", needed[10], at_least=1e7, at_most=1e8)
claim(
    "Draws needed, in units of 100 (e^KL - 1), least",
    min(needed[latents] / least[latents] for latents in needed),
    at_least=1,
)
unused = LinearVAE(torch.cat([example.weight, torch.zeros(20, 30)], 1), example.bias, 0.1)
claim(
    "Thirty more latents that nobody uses: draws, relative",
    unused.draws_needed(seen) / needed[20],
    equals=1,
    within=1e-6,
)

made, (axes,) = plotting.figure(6, 3)
axes.semilogy(list(needed), list(needed.values()), "o-", label="needed")
axes.semilogy(list(needed), list(least.values()), "--", label=r"$100\,(e^{\mathrm{KL}} - 1)$")
axes.set(xlabel="latents $d$", ylabel="prior draws for 10 % error", xticks=[1, 5, 10, 15, 20])
axes.legend()
plotting.show(
    made,
    caption="What it costs to estimate p(x) from prior draws, for a picture of median cost: the price grows "
    "exponentially. Dashed: what the KL of the posterior from the prior alone asks for.",
    alt="Two nearly straight rising lines on a logarithmic axis. The solid one goes from two hundred draws "
    "with one latent, over tens of millions with ten, to more than ten trillion with twenty; the dashed one "
    "runs below it.",
)

# %% [markdown]
r"""
What counts is not the number of latents but what the picture tells about them. Thirty more latents that the decoder ignores would cost nothing. The right measure is $\operatorname{KL}(p(z \mid x) \,\|\, p(z))$, of the true posterior from the prior: you need about $e^{\operatorname{KL}}$ draws or more, even for an error of 100 %. A posterior that is 16 nats away from the prior asks for nine million.

(The same number has another reading. To *send* somebody who knows the prior a draw $z$ from the posterior costs KL nats on balance, if you do it cleverly. This is called bits-back coding.)

## Draw where it matters

Draw from somewhere better, then, and correct for it. Let $q(z \mid x)$ be any density over $z$ that is nowhere zero. Then

$$p(x) = \int q(z \mid x)\, \frac{p(x \mid z)\, p(z)}{q(z \mid x)}\, dz = \mathbb{E}_{q(z \mid x)}[w(z)], \qquad w(z) = \frac{p(x \mid z)\, p(z)}{q(z \mid x)}.$$

This is **importance sampling**, and $w$ is the importance weight. What is the best $q$? The one for which $w$ does not vary. Bayes' rule, $p(z \mid x) = p(x \mid z)\, p(z) / p(x)$, says which one that is. If $q(z \mid x)$ is the posterior $p(z \mid x)$, then $w = p(x)$ for *every* $z$, and one draw is enough. Of course we do not have the posterior. To compute it we would need $p(x)$, which is what we are after. But an encoder can learn to come close.

For the derivation we take a random decoder, a random picture, and an encoder that is just as random. Nothing is trained.
"""

# %%
D, d = 10, 4
torch.manual_seed(seed)
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

# %% [markdown]
r"""
## The derivation

**Line 1, Bayes' rule.** Solve it for $p(x)$ and take the logarithm:

$$\log p(x) = \log \frac{p(x \mid z)\, p(z)}{p(z \mid x)}.$$

Look closely: there is a $z$ on the right and none on the left. So the right side must be the same number for every $z$. Try a thousand.
"""

# %%
z = 3 * torch.randn(1000, 1, d).double()
line_1 = log_joint(z) - posterior.log_prob(z)[:, 0]
deviation = (line_1 - log_p).abs().max()
claim("Line 1: largest deviation over 1000 z", deviation, at_most=1e-9)

# %% [markdown]
r"""
**Line 2, multiply by one.** Put $q(z \mid x) / q(z \mid x)$ under the logarithm, and split:

$$\log p(x) = \underbrace{\log \frac{p(x \mid z)\, p(z)}{q(z \mid x)}}_{\log w(z)} + \log \frac{q(z \mid x)}{p(z \mid x)}.$$

Now both terms depend on $z$. Their sum still does not: what one adds, the other takes away.
"""

# %%
log_w = log_joint(z) - q.log_prob(z)[:, 0]
claim("Line 2: log w alone varies by, nats", log_w.max() - log_w.min(), at_least=100)

# %% [markdown]
r"""
**Line 3, average.** Take the expectation over $z \sim q(z \mid x)$. The left side is a constant, so it stays. The second term becomes a Kullback–Leibler divergence, by its definition $\operatorname{KL}(q \,\|\, p) = \mathbb{E}_q[\log q - \log p]$:

$$\log p(x) = \underbrace{\mathbb{E}_{q(z \mid x)}\left[\log \frac{p(x \mid z)\, p(z)}{q(z \mid x)}\right]}_{\operatorname{ELBO}(x)} + \underbrace{\operatorname{KL}\bigl(q(z \mid x) \,\|\, p(z \mid x)\bigr)}_{\text{gap}}.$$

**Line 4, split again.** A logarithm of a product is a sum of logarithms:

$$\operatorname{ELBO}(x) = \mathbb{E}_{q(z \mid x)}\bigl[\log p(x \mid z)\bigr] - \operatorname{KL}\bigl(q(z \mid x) \,\|\, p(z)\bigr).$$

These are the two terms of chapter 2. For the linear VAE all of them have closed forms, so line 3 must hold to rounding. And drawing from $q$ must agree with the closed forms, up to five standard errors. (The **standard error** of an average of $n$ draws is their standard deviation divided by $\sqrt n$: how far the average typically is from what it estimates.)
"""

# %%
elbo, reconstruction, kl = model.elbo(x, q)  # closed forms
gap = kl_divergence(q, posterior)
claim("Line 3: ELBO + gap - log p(x)", elbo + gap - log_p, equals=0, within=1e-10)

z_of_q = q.sample((100_000,))
log_prior = Normal(0, 1).log_prob(z_of_q).sum(-1)[:, 0]
log_q = q.log_prob(z_of_q)[:, 0]
drawn = {
    "ELBO": (log_joint(z_of_q) - log_q, elbo),
    "reconstruction": (log_joint(z_of_q) - log_prior, reconstruction),
    "KL to the prior": (log_q - log_prior, kl),
}

# %% tags=["hide-input"]
apart = []
for values, exactly in drawn.values():
    average = estimate(values)
    apart.append(abs(average.mean - exactly) / average.standard_error)
claim("Draws from closed forms, furthest, in standard errors", max(apart), at_most=5)

# %% [markdown]
r"""
Try it by hand, with one latent and one pixel: $p(z) = \mathcal{N}(0, 1)$, $p(x \mid z) = \mathcal{N}(z, 1)$, $x = 1$. The $q$ below knows the best $z$, and is nearly sure of it. Its gap is twice that of the prior, which has not seen $x$ at all. To be too sure costs more than to know nothing.
"""

# %% tags=["hide-input"]
explorer.elbo_gap()

# %% tags=["hide-input"]
toy = LinearVAE(torch.ones(1, 1), torch.zeros(1), variance=1.0)  # p(z) = N(0, 1), p(x|z) = N(z, 1)
at = torch.ones(1, 1).double()
toy_log_p = toy.log_marginal(at).item()
true = Normal(0.5, math.sqrt(0.5))  # its posterior
sure, unknowing = (kl_divergence(one, true) for one in (Normal(0.5, 0.2), Normal(0.0, 1.0)))
claim("Gap of a q that is too sure, over the prior's", sure / unknowing, equals=2, within=0.05)

# %% [markdown]
r"""
There is one more way to cut the ELBO. Keep $p(x \mid z)\, p(z) = p(x, z)$ together, and take out $q$. What is left of $q$ is its **entropy**, $H(q) = -\mathbb{E}_q[\log q]$, a measure of how spread out it is:

$$\operatorname{ELBO}(x) = \mathbb{E}_{q(z \mid x)}\bigl[\log p(x, z)\bigr] + H\bigl(q(z \mid x)\bigr).$$

The first term alone would shrink $q$ to a point, the best $z$ for this picture. The entropy keeps it open. For a normal distribution of independent latents with standard deviations $\sigma_j$ it is $\sum_j \log \sigma_j$ plus a constant: this is where the $-\log \sigma_j$ in the KL of chapter 2 comes from.
"""

# %% tags=["hide-input"]
squares = covariance.trace() + q.mean.square().sum()  # E_q ‖z‖²
joint = reconstruction - 0.5 * squares - 0.5 * d * math.log(2 * math.pi)  # E_q log p(x, z)
claim("E log p(x, z) + entropy - ELBO", joint + q.entropy() - elbo, equals=0, within=1e-9)

# %% [markdown]
r"""
## Never below zero, and sometimes zero

The ELBO is a *lower bound* because the gap is never negative. The proof is one line. For every positive number $u$ we have $\log u \le u - 1$, so

$$-\operatorname{KL}(q \,\|\, p) = \mathbb{E}_q\Bigl[\log \frac{p}{q}\Bigr] \le \mathbb{E}_q\Bigl[\frac{p}{q} - 1\Bigr] = \int p\, dz - \int q\, dz = 0.$$

Is it strictly positive, then? No. Equality holds where $\log u = u - 1$, and that is at $u = 1$ only: when $q$ *is* $p$. The gap has the true posterior for $p$. So when $q$ is the true posterior, the gap is zero, and the bound is exact.

And next to it? Take the posterior, and move only its mean $m$ by a small $\delta$. The gap is then $\frac12\, \delta^\top P\, \delta$, where $P$ is the inverse of the posterior's covariance, its **precision**. Here $P = I + W^\top W / \sigma_x^2$, and the $I$ comes from the prior. So a step of length 0.1, in any direction, opens a gap of at least $\frac12 \cdot 0.1^2 = 0.005$ nats.
"""

# %% tags=["hide-input"]
exact_bound = model.elbo(x, posterior).total
claim("Gap at the true posterior", log_p - exact_bound, equals=0, within=1e-10)

steps = torch.nn.functional.normalize(torch.randn(1000, d).double(), dim=1) / 10
next_to_it = MultivariateNormal(posterior.mean + steps, posterior.covariance_matrix)
gaps_there = log_p - model.elbo(x, next_to_it).total  # (1000,)
claim("Mean moved by 0.1: smallest gap of 1000 directions", gaps_there.min(), at_least=0.005)
quadratic = 0.5 * torch.einsum("ni,ij,nj->n", steps, posterior.precision_matrix[0], steps)
largest = (gaps_there - quadratic).abs().max()
claim("... off the quadratic form, at most", largest, at_most=1e-9)

# %% [markdown]
r"""
## The same bound from Jensen's inequality

There is a second way, and it is shorter. Start from importance sampling, $p(x) = \mathbb{E}_q[w]$. The logarithm bends downwards, so the logarithm of an average is at least the average of the logarithms:

$$\log p(x) = \log \mathbb{E}_q[w] \ge \mathbb{E}_q[\log w] = \operatorname{ELBO}(x).$$

This is **Jensen's inequality**. It is quick, but it does not tell you the size of the gap. The first derivation does. Both must lose the same: here for the model of the last figure, where a fine grid of $z$ gives both averages.
"""

# %% tags=["hide-input"]
guess, grid = Normal(torch.tensor(0.9).double(), 0.5), torch.linspace(-6, 8, 20_001).double()
its_log_q = guess.log_prob(grid)
its_log_w = Normal(0, 1).log_prob(grid) + Normal(grid, 1).log_prob(at[0]) - its_log_q
log_of_average = torch.trapezoid((its_log_q + its_log_w).exp(), grid).log()
average_of_logs = torch.trapezoid(its_log_q.exp() * its_log_w, grid)
lost = kl_divergence(guess, true)
jensen = log_of_average - average_of_logs
claim("Jensen's gap minus KL(q ‖ posterior)", jensen - lost, equals=0, within=1e-6)

# %% tags=["hide-input"]
made, (bend,) = plotting.figure(5.6, 2.8)
weight, two = torch.linspace(0.1, 3, 200), torch.tensor([0.2, 2.6])
bend.plot(weight, weight.log(), label=r"$\log w$")
bend.plot(two, two.log(), "o--", color=plotting.COLOURS[1])
middle = [two.mean()] * 2
bend.plot(middle, [two.log().mean(), two.mean().log()], color=plotting.COLOURS[5], linewidth=3)
bend.text(0.3, 0.6, "log of the average")
bend.text(1.5, -0.6, "average of the logs")
bend.set(xlabel="$w$", ylabel=r"$\log w$")
plotting.show(
    made,
    caption="Jensen's inequality for two equally likely weights (dots). The logarithm of their average "
    "is on the curve, the average of their logarithms on the dashed line. The bar is what is lost.",
    alt="A curve that rises and bends downwards, with two dots on it, joined by a dashed line below the "
    "curve. Halfway between the dots, an upright bar leads from the dashed line to the curve.",
)

# %% [markdown]
r"""
## Who maximises what

The ELBO has two sets of weights in it, $\theta$ in the decoder and $\phi$ in the encoder. Training moves both uphill. What does each of them achieve? Read line 3 as $\operatorname{ELBO} = \log p_\theta(x) - \text{gap}$.

**Over $\phi$**: $\log p_\theta(x)$ does not contain $\phi$. So the encoder can do one thing only: close the gap, and bring $q_\phi(z \mid x)$ closer to the posterior. The gradients of ELBO and gap must be equal and opposite.

**Over $\theta$**: the decoder may raise $\log p_\theta(x)$, which is what we want. Or it may *bend the posterior towards $q$*, which closes the gap as well. Where the gap is zero it is smallest, so its slope is zero, too, and ELBO and $\log p$ have the same slope in $\theta$. Elsewhere they usually differ.
"""

# %%
theta = model.weight.double().requires_grad_()
phi = q.mean.clone().requires_grad_()
moved, moved_q = model._replace(weight=theta), MultivariateNormal(phi, covariance)


def slope(value, parameter):
    return torch.autograd.grad(value.sum(), parameter, retain_graph=True)[0]


evidence, its_gap = moved.log_marginal(x), kl_divergence(moved_q, moved.posterior(x))
bound, tight = (moved.elbo(x, one).total for one in (moved_q, posterior))
uphill = slope(bound, phi) + slope(its_gap, phi)
elsewhere = slope(bound, theta) - slope(evidence, theta)
at_zero_gap = slope(tight, theta) - slope(evidence, theta)

# %% tags=["hide-input"]
claim("In φ: slope of the ELBO plus slope of the gap", uphill.abs().max(), at_most=1e-9)
claim("In θ: slopes of ELBO and log p differ by", elsewhere.abs().max(), at_least=0.1)
claim("... where q is the true posterior, by", at_zero_gap.abs().max(), at_most=1e-9)

# %% [markdown]
r"""
Now look at the picture at the top of this page again. There $\theta$ is one weight, $a$: $p(x \mid z) = \mathcal{N}(az, 1)$, with the pixel $x = 2$.

Choose $q$ as the posterior for today's $a$: a bound touches the black curve at $a$. Climb to the top of this bound: $\log p(x)$ has grown, at least as much. Choose $q$ anew, and so on. This is the **EM algorithm**, and the ELBO is what physicists call minus the free energy ([Neal & Hinton 1998](https://doi.org/10.1007/978-94-011-5014-9_12)). A VAE takes small steps in both at the same time, with one network in place of a fresh $q$ for each picture.
"""


# %%
def em_step(a, x=2.0):
    mean, variance = a * x / (a**2 + 1), 1 / (a**2 + 1)  # E: q is the posterior at a
    return x * mean / (mean**2 + variance)  # M: the best a for this q


path = [0.6]
for _ in range(40):
    path.append(em_step(path[-1]))
heights = torch.stack([pixel_evidence(torch.tensor(a).double()) for a in path])
claim("EM: where it ends", path[-1], equals=math.sqrt(3), within=1e-6)
claim("EM: least rise of log p(x) in a step", heights.diff().min(), at_least=-1e-12)

# %% [markdown]
r"""
The dashed curve is another story. Let the encoder say nothing: $q$ is the prior. At $a = 1$ the black curve rises to the right. The dashed one falls: the decoder is told to stop listening to $z$. If it obeyed for good, and the encoder found nothing left to say, this would be **posterior collapse**.

Does it obey? One slope is not a verdict, since the encoder has a slope of its own. So climb in all three numbers, $a$ and the mean and log σ of $q$, from there.
"""


# %%
def climb(x, steps=3000, rate=0.05):
    """Gradient ascent on the ELBO from a = 1 and q = p(z): the path of a."""
    place, way = torch.tensor([1.0, 0.0, 0.0], requires_grad=True), []
    for _ in range(steps):
        (slopes,) = torch.autograd.grad(pixel_bound(*place, x=x), place)
        place = (place + rate * slopes).detach().requires_grad_()
        way.append(place[0].item())
    return way


bright, faint = climb(x=2.0), climb(x=0.5)

# %% tags=["hide-input"]
claim("x = 2: the lowest a on the way", min(bright), equals=0.88, within=0.01)
claim("x = 2: a at the end", bright[-1], equals=math.sqrt(3), within=1e-3)
claim("x = 0.5: a at the end", faint[-1], equals=0, within=1e-3)

# %% [markdown]
r"""
For the pixel $x = 2$, $a$ falls to 0.88. Then the encoder has learned to speak, and $a$ rises to where $\log p(x)$ is highest. For $x = 0.5$ it falls to zero and stays: collapse. And rightly so, as here $\log p(x)$ itself is highest at $a = 0$. [Chapter 8](08_latents_that_live.ipynb) tells the two cases apart.

## What a diagonal posterior costs

The encoder of chapter 2 gives each latent its own $\sigma_j$, and no correlations. Its $q$ is a normal distribution whose axes are parallel to those of the latent space. The true posterior need not be.

The decoder has a say in this. Turn the latent space by an angle and let $W$ turn back: $W \to W R$. As the prior is round, $p(x)$ stays exactly the same. The posterior turns, though, and a diagonal $q$ cannot turn with it.

What does that cost? Remember the precision matrix $P$, the inverse of the posterior's covariance. The best diagonal $q$ has the variances $1 / P_{jj}$ (Bishop 2006, section 10.1.2), and its gap is $\frac12 \log\bigl(\prod_j P_{jj} / \det P\bigr)$. Take two latents, and a $P$ with the eigenvalues 20 and 2. Turned by 45°, both $P_{jj}$ are their average, 11. The determinant stays 40. So the gap is $\frac12 \log(121 / 40) = 0.55$ nats. The variances of this $q$ are $1/11 = 0.09$, and those of the posterior are the average of $1/20$ and $1/2$: 0.275.
"""


# %% tags=["hide-input"]
def turned(angle, eigenvalues=(20.0, 2.0)):
    """A linear VAE of variance 1 whose covariance has these eigenvalues, W turned by `angle`."""
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    scales = (torch.tensor(eigenvalues, dtype=torch.float64) - 1).sqrt()
    return LinearVAE(torch.diag(scales) @ rotation, torch.zeros(2), 1.0)


# %%
pixels = torch.tensor([[2.0, 1.0]]).double()
angles = torch.linspace(0, math.pi / 2, 31).tolist()
models = [turned(angle) for angle in angles]
log_ps = torch.cat([m.log_marginal(pixels) for m in models])
best_elbos = [m.elbo(pixels, m.best_diagonal(pixels)).total for m in models]
gaps = log_ps - torch.cat(best_elbos)

tilted = models[15]  # 45°

# %% tags=["hide-input"]
claim("log p(x) varies over all angles by", log_ps.max() - log_ps.min(), at_most=1e-9)
claim("Best diagonal gap, not turned", gaps[0], equals=0, within=1e-9)
claim("Best diagonal gap at 45°", gaps[15], equals=0.5 * math.log(121 / 40), within=1e-9)
narrower = (tilted.best_diagonal(pixels).variance / tilted.posterior(pixels).variance)[0]
known = (1 / 11) / 0.275
claim("... its variances, over the posterior's", narrower.max(), equals=known, within=1e-9)

# %% tags=["hide-input"]
made, (ellipses, axes) = plotting.figure(8.5, 3.2, columns=2)
circle = torch.linspace(0, 2 * math.pi, 200).double()
outlines = (
    ("-", "true posterior", tilted.posterior(pixels)),
    ("--", "best diagonal $q$", tilted.best_diagonal(pixels)),
)
for style, label, ellipse in outlines:
    rim = torch.stack([circle.cos(), circle.sin()]).T @ ellipse.scale_tril.reshape(2, 2).T
    ellipses.plot(*(rim + ellipse.mean[0]).T, style, label=label)
ellipses.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="turned by 45°")
ellipses.legend(loc="upper left", bbox_to_anchor=(1, 1))
axes.plot([math.degrees(angle) for angle in angles], gaps)
axes.set(xlabel="angle in degrees", ylabel="gap in nats", xticks=[0, 30, 45, 60, 90])
plotting.show(
    made,
    caption="Left: the true posterior of a turned model, and the best q without correlations, one "
    "standard deviation. Right: what that costs at each angle.",
    alt="Left, a long tilted ellipse, and a small dashed circle around the same centre, a little wider than its waist. "
    "Right, a curve from zero at no rotation up to 0.55 nats at forty-five degrees and back to zero at ninety.",
)

# %% [markdown]
r"""
Two lessons. Where the posterior is tilted, the best diagonal $q$ is *narrower* than it in each latent, because it pays dearly for reaching to where the posterior is not. And while $p(x)$ cannot tell one set of axes from another, the ELBO of a diagonal encoder can: it likes axes in which the posterior is not tilted.

## A tighter bound: more draws

One more look at Jensen. The gap comes from the logarithm of *one* weight, which varies. The average of $K$ weights varies less. So take the average inside the logarithm ([Burda et al. 2015](https://arxiv.org/abs/1509.00519)):

$$L_K = \mathbb{E}_{z_1, \dots, z_K \sim q}\left[\log \frac1K \sum_{k=1}^{K} w(z_k)\right], \qquad L_1 = \operatorname{ELBO} \le L_2 \le \dots \le \log p(x).$$

Try it on the smallest example: $p(z) = \mathcal{N}(0, 1)$, $p(x \mid z) = \mathcal{N}(z, 1)$, $x = 1$, and a lazy encoder, $q = p(z)$. Numerical integration gives $L_1$ and $L_2$ without any draws.

And for large $K$? The average of $K$ weights is $p(x)\,(1 + \delta)$ with a small error $\delta$, whose variance is the relative variance of $w$ divided by $K$. As $\log(1 + \delta) \approx \delta - \delta^2/2$, and $\delta$ is zero on average, the gap is half that variance ([Domke & Sheldon 2018](https://arxiv.org/abs/1808.09034)). If $w$ has a finite variance, it falls like $1/K$.
"""

# %%
log_mean_w = {}
for K in (1, 2, 5, 10, 50):
    log_weights = Normal(torch.randn(K, 200_000), 1.0).log_prob(torch.tensor(1.0))
    log_mean_w[K] = log_weights.double().logsumexp(0) - math.log(K)  # (200 000,)


# %% tags=["hide-input"]
L = {K: estimate(values) for K, values in log_mean_w.items()}
lines = {f"L_{K}": found.mean for K, found in L.items()} | {"log p(x)": toy_log_p}
print(*(f"{name:8} {nats:.4f} nats" for name, nats in lines.items()), sep="\n")
for K in (1, 2):
    exact = quadrature_bound(1.0, K, Normal(0.0, 1.0))
    claim(f"L_{K} from draws", L[K].mean, equals=exact, within=5 * L[K].standard_error)
half_variance = toy.draws_needed(at, relative_error=1.0).item() / 2
# The gap is E[δ - log(1 + δ)], as δ is zero on average. That is far less noisy than -log(1 + δ).
log_ratio = log_mean_w[50] - toy_log_p
scaled = estimate(50 * (log_ratio.exp() - 1 - log_ratio))
claim(
    "K times the gap at K = 50, over half the variance of w",
    scaled.mean / half_variance,
    equals=1,
    within=0.03,
)

# %% [markdown]
r"""
Mind the order. Averaging many *logarithms* makes the estimate of the ELBO less noisy, and leaves the bound where it is. Averaging the *weights* first raises the bound.

By how much depends on $q$, and the best $q$ for one draw need not be the best for many. Below, $z$ and $-z$ paint the same pixel, so the posterior has two humps. The normal $q$ with the smallest gap sits on one of them. Its draws never see the other one, and so it goes on missing about $\log 2$, half of $p(x)$. A $q$ over both has twice the gap, and a hundred draws close it.
"""

# %% tags=["hide-input"]
explorer.elbo_gap(humps=2)


# %% tags=["hide-input"]
def log_two_humps(z):
    """log p(x, z) of one pixel, x = 1.5, whose decoder paints z²."""
    return Normal(0.0, 1.0).log_prob(z) + Normal(z**2, 0.5).log_prob(torch.tensor(1.5))


fine = torch.linspace(-5, 5, 1001, dtype=torch.float64)
dz = fine[1] - fine[0]
hump_log_p = log_two_humps(fine).logsumexp(0) + dz.log()


def gap_of(q, K, n=20_000):
    z = q.sample((K, n))
    average = (log_two_humps(z) - q.log_prob(z)).double().logsumexp(0) - math.log(K)
    return (hump_log_p - average.mean()).item()


on_one, over_both = Normal(1.1, 0.22), Normal(0.0, 0.75)
any_mean, any_std = torch.cartesian_prod(torch.linspace(0, 2, 41), torch.linspace(0.1, 1.5, 57)).T
any_log_q = Normal(any_mean[:, None], any_std[:, None]).log_prob(fine)  # (means · stds, z)
least = hump_log_p - (any_log_q.exp() * (log_two_humps(fine) - any_log_q)).sum(1).max() * dz
claim("Two humps: smallest gap of a normal q", least, at_least=math.log(2), at_most=0.75)
claim("... of the q on one hump, K = 1", gap_of(on_one, 1), equals=least, within=0.03)
claim("... K = 100", gap_of(on_one, 100), equals=math.log(2), within=0.03)
claim(
    "... of the q over both, K = 1, in those", gap_of(over_both, 1) / least, equals=2.1, within=0.2
)
claim("... K = 100", gap_of(over_both, 100), at_least=0.005, at_most=0.03)

# %% [markdown]
r"""
## The VAE of chapter 2

Now a decoder that is not linear. There $\log p(x)$ is unknown, but no $L_K$ is above it. We train the ten-latent VAE of chapter 2 for ten epochs and look at 200 test pictures.
"""

# %%
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)
torch.manual_seed(seed)
vae = VAE((1, 28, 28), 10, hidden=(128, 64), std=0.3)


def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


fit(vae, negative_elbo, digits.train, epochs=10, lr=2e-3, seed=seed)
vae.eval().requires_grad_(False)

few = digits.test[:200]
rising = {K: importance_weighted_bounds(vae, few, K) for K in (1, 10, 100, 1000)}

# %% tags=["hide-input"]
for K, values in rising.items():
    error = estimate(values).standard_error
    print(f"K = {K:4d}: {values.mean():8.2f} ± {error:.2f} nats")

gains = [rising[more] - rising[fewer] for fewer, more in ((1, 10), (10, 100), (100, 1000))]
certain = min(estimate(gain).mean / estimate(gain).standard_error for gain in gains)
claim("Gain of each tenfold K, the least certain, in standard errors", certain, at_least=3)

# %% tags=["hide-input"]
made, (axes,) = plotting.figure(5, 2.7)
axes.plot(list(rising), [values.mean() for values in rising.values()], "o-")
axes.set(xscale="log", xlabel="$K$", ylabel="nats")
plotting.show(
    made,
    caption="The bound of the VAE over the number K of draws, mean over 200 test pictures. Its log p(x) "
    "is not known.",
    alt="A rising curve over K on a logarithmic axis, steeper at first. It still climbs at its end.",
)

# %% [markdown]
r"""
The first line is the ELBO; its standard error is large because pictures differ. The gains are measured picture by picture, so they are much more certain. Many papers call such a last line, with $K = 5000$ or so, the log-likelihood. On average it is a lower bound still. Is it a good one?

That depends on $q$. The encoder answers for all pictures with one network. This is called **amortised** inference. It is fast, but for a given picture there may be a better $\mu$ and $\sigma$. Let us look for them, picture by picture, with the decoder fixed. Then draw $K = 1000$ samples from there.
"""

# %%
encoded = encode_all(vae, few)
refined = Gaussian(*(part.clone().requires_grad_() for part in encoded))
optimizer = torch.optim.Adam(refined, lr=0.02)
for _ in range(200):
    fit_term = vae.log_likelihood(few, sample_posterior(*refined))
    loss = (kl_standard_normal(*refined) - fit_term).mean()  # over 200 pictures
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

levels = {}
for name, answer in (("encoder", encoded), ("refined", refined)):
    for K, repeats in ((1, 200), (1000, 1)):
        total = torch.zeros(len(few))
        for _ in range(repeats):
            total += importance_weighted_bounds(vae, few, K, posterior=answer)
        levels[name, K] = total / repeats
        print(f"{name}, K = {K:4d}: {levels[name, K].mean():8.2f} nats")

# %% [markdown]
r"""
Compare the second line with the fourth. Both use a thousand draws and the same decoder, and the better $q$ finds more. So the encoder's $L_{1000}$ was still clearly *below* $\log p(x)$.

The gap of a VAE has two parts, with names ([Cremer, Li & Duvenaud 2018](https://arxiv.org/abs/1801.03558)). From the encoder's $q$ up to the best $q$ of the family (line one to line three) is the **amortisation gap**: one network answers for all. From there up to $\log p(x)$ is the **approximation gap**: no normal distribution whose axes are parallel to the latents' is the posterior. Of the gap that we can see, the first is the larger part. (How far $\log p(x)$ is above the last line, we do not know. That would add to the second.)
"""

# %% tags=["hide-input"]
found = estimate(levels["refined", 1000] - levels["encoder", 1000])
claim(
    "K = 1000, refined minus encoder, in standard errors",
    found.mean / found.standard_error,
    at_least=3,
)
amortisation = (levels["refined", 1] - levels["encoder", 1]).mean()
# log p(x) is above the last line, so the whole gap is at least this.
whole = (levels["refined", 1000] - levels["encoder", 1]).mean()
claim(
    "Amortisation gap, as a share of the gap that is seen",
    amortisation / whole,
    at_least=0.6,
    at_most=0.95,
)

# %% [markdown]
r"""
So read a "log-likelihood" in a table as the best lower bound that somebody could afford, and ask for $K$ and $q$.

## What to take along

The ELBO is $\log p_\theta(x)$ minus a gap, and the gap is $\operatorname{KL}(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x))$, exactly. The encoder can only close the gap. The decoder can also raise the likelihood.

Many derivations end here, with the sentence that this is what the code optimises. It is worth a check, every time: a mean where the sum over pixels belongs, or an unnamed weight on one term, and it is a different objective. [Chapter 6](06_learned_variance.ipynb) shows what such a line does. First, the two things this page took for granted: the closed form of the KL (chapter 4) and a gradient that goes through a random draw (chapter 5).

## Practise

[Exercises 3](exercises/03_elbo.ipynb) check what you write and name your mistake. Likelihoods with all their constants, an integral by brute force, the true posterior, what the bound loses, and the bound with $K$ draws.

## The checks
"""

# %% tags=["hide-input"]
summary()
