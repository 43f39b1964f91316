# %% [markdown]
r"""
# 4 · The analytic KL, and a check that is blind

The second term of the loss fits in one line, and it is copied from page to page. It says what a posterior costs: nothing if it is the prior, and more, the farther away its mean is, and the narrower or wider it is than the prior.
"""

# %% tags=["hide-input"]
import math

import sympy as sp
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, split_mean_kl
from vae_course.exact import fit_linear_vae
from vae_course.latents import rescale
from vae_course.models import VAE
from vae_course.objectives import (
    Gaussian,
    gaussian_log_likelihood,
    kl_standard_normal,
    sample_posterior,
)
from vae_course.training import fit

seed = begin("04_analytic_kl")
prior = Normal(0.0, 1.0)

made, (bells, bowl) = plotting.figure(9, 3, columns=2)
bell_axis = torch.linspace(-3.5, 3.5, 300)
bells.fill_between(
    bell_axis, prior.log_prob(bell_axis).exp(), color="grey", alpha=0.3, lw=0, label="prior"
)
across, up = torch.linspace(-2.2, 2.2, 121), torch.linspace(-2, 1.2, 121)
prices = kl_divergence(Normal(across, up.exp()[:, None]), prior)
contours = bowl.contour(
    across, up, prices, [0.05, 0.25, 0.5, 1, 2, 3], colors="grey", linewidths=0.8
)
bowl.clabel(contours, fontsize=10, fmt="%g")
three = ((0.1, -0.1), (1.5, -0.2), (-1.0, -1.4))  # (μ, log σ)
for place, colour in zip(three, plotting.COLOURS, strict=False):
    bell = Normal(place[0], math.exp(place[1]))
    bells.plot(bell_axis, bell.log_prob(bell_axis).exp(), color=colour)
    bowl.plot(*place, "o", color=colour)
    price = f"{kl_divergence(bell, prior):.2f}"
    bowl.annotate(price, place, (6, 5), textcoords="offset points", color=colour)
bells.set(xlabel="$z$", ylabel="density")
bells.legend()
bowl.set(xlabel=r"$\mu$", ylabel=r"$\log \sigma$", title="KL in nats")
plotting.show(
    made,
    caption="Three posteriors of one latent, and what they cost. Left: their densities over the prior's. "
    "Right: the KL over μ and log σ, in nats, with the three as dots.",
    alt="Left, three bells over a grey one: one nearly on it, one moved to the right, one narrow and to the "
    "left. Right, closed contours around the lowest point, the origin; the dots stand at about 0.01, 1.2 "
    "and 1.4 nats.",
)

# %% [markdown]
r"""
**After this chapter you can**

- derive the KL between two normal distributions, step by step, with its constants;
- prove where its minimum is, and that there is no other;
- say which way round this KL is, and what the other way would do;
- say which checks tell a right formula from a wrong one, and which cannot;
- say what the term does to one posterior, and what to all of them together.

A computer algebra system derives the formula from the definition and the normal density. The result is not typed in. Then you see a popular check of it, and a wrong formula that passes.

## Why bother with a formula

The KL between the encoder's answer $q(z \mid x)$ and the prior $p(z)$ is an average over draws of $z$:

$$\operatorname{KL}(q \,\|\, p) = \mathbb{E}_{q}\bigl[\log q(z \mid x) - \log p(z)\bigr].$$

So you could draw one $z$ and use the bracket. That estimate is right on average, and for many distributions there is no formula. As an estimate of the KL it is noisy, and a formula is not.
"""

# %%
q = Normal(1.0, 0.5)
z_of_q = q.sample((100_000,))
single = q.log_prob(z_of_q) - prior.log_prob(z_of_q)  # each from one draw
found, by_formula = estimate(single), kl_divergence(q, prior).item()

# %% tags=["hide-input"]
five = 5 * found.standard_error
claim("One-draw estimates of the KL, on average", found.mean, equals=by_formula, within=five)
# With z = 1 + ε/2, log q - log p = ε/2 - 3 ε²/8 + constant: the variance is 1/4 + 2 · 9/64.
noise = math.sqrt(1 / 4 + 9 / 32) / by_formula
claim("Their std, relative to the KL", single.std() / by_formula, equals=noise, within=0.02)

# %% [markdown]
r"""
Does the formula make *training* less noisy, too? You might think so, and you can read it. But what is trained is the sum of both terms, and both use the same draw. Where the reconstruction is unlucky, the sampled KL is lucky: the noises can cancel. In a linear VAE with its exact posterior they cancel completely, since $\log w$ is then the same for every draw ([chapter 3](03_elbo.ipynb)). With the formula in place of the sampled KL, the noise of the reconstruction is left alone.
"""

# %%
digits = load_images("digits", n_train=2_000, n_test=500, seed=seed).train
flat = F.avg_pool2d(digits, 4).flatten(1).double()  # 49 pixels
linear = fit_linear_vae(flat, 4, variance=0.04)
exact_q = linear.posterior(flat[:1])
z_exact = exact_q.sample((20_000,))[:, 0]
painted = z_exact @ linear.weight.T + linear.bias
reconstruction = Normal(painted, linear.variance**0.5).log_prob(flat[0]).sum(1)
sampled_kl = exact_q.log_prob(z_exact) - prior.log_prob(z_exact).sum(1)

# %% tags=["hide-input"]
# The reconstruction is minus Σ (½ z² - ½ ε²) + constant, with z = m + s ε in each latent.
m, v = exact_q.mean[0], exact_q.variance[0]
known = (m.square() * v + (1 - v).square() / 2).sum().sqrt().item()
claim(
    "Exact posterior: std of reconstruction - formula",
    reconstruction.std(),
    equals=known,
    within=0.05 * known,
)
both = (reconstruction - sampled_kl).std()
claim("Exact posterior: std of reconstruction - sampled KL", both, equals=0, within=1e-6)

# %% [markdown]
r"""
So less noise in the loss is not what the formula is for. What it buys is exactness where you look at the KL itself, no need for a log-density of $q$ in the code, and something that can be checked. [Chapter 5](05_reparameterization.ipynb) measures the noise of the gradients, which is another question.

## The log-density, constants included

The latents of $q$ are independent, and so are those of the prior. The KL of independent things adds up. So one latent is enough: $q = \mathcal{N}(\mu, \sigma^2)$ against $p = \mathcal{N}(0, 1)$.

[SymPy](https://www.sympy.org) computes with symbols instead of numbers. We give it the normal density, and a way to tell that two formulas are the same: their difference must simplify to zero.
"""

# %%
z, mu = sp.symbols("z mu", real=True)
sigma = sp.symbols("sigma", positive=True)


def density(mean, std):
    return sp.exp(-(((z - mean) / std) ** 2) / 2) / (std * sp.sqrt(2 * sp.pi))


def same(first, second):
    """Are two formulas one? Then their difference simplifies to 0."""
    return sp.simplify(sp.expand_log(sp.sympify(first - second), force=True)) == 0


log_q = sp.expand_log(sp.log(density(mu, sigma)), force=True)
log_p = sp.expand_log(sp.log(density(0, 1)), force=True)
log_q

# %% [markdown]
r"""
Read it: $\log q = -\frac{1}{2}\log 2\pi - \log \sigma - \frac{(z - \mu)^2}{2\sigma^2}$. You can find it with $\log 2\pi$ in place of $\frac12 \log 2\pi$, as in the chapter on VAEs of [kvfrans/notes](https://github.com/kvfrans/notes), whose other derivations we will meet again. In the KL the slip cancels, if both densities have it. In a reported likelihood it costs 0.92 nats for *each pixel*. What catches it: a density must integrate to one.
"""

# %%
half_log = sp.log(2 * sp.pi) / 2
rest = -sp.log(sigma) - (z - mu) ** 2 / (2 * sigma**2)


def area(log_density):
    return sp.integrate(sp.exp(log_density), (z, -sp.oo, sp.oo))


right_area, slip_area = sp.simplify(area(-half_log + rest)), area(-2 * half_log + rest)

# %% tags=["hide-input"]
claim("The line above, read off: 1 if the same", same(log_q, -half_log + rest), equals=1, within=0)
claim("Area with ½ log 2π", right_area, equals=1, within=0)
claim("Area with log 2π", slip_area, equals=1 / math.sqrt(2 * math.pi), within=1e-9)

# %% tags=["hide-input"]
made, (bells,) = plotting.figure(5.6, 2.4)
for power, constant in ((0.5, r"with $\frac{1}{2} \log 2\pi$"), (1.0, r"with $\log 2\pi$")):
    height = (-(bell_axis**2) / 2).exp() / (2 * math.pi) ** power
    below = f"{constant}: area {torch.trapezoid(height, bell_axis):.2f}"
    bells.plot(bell_axis, height)
    bells.fill_between(bell_axis, height, alpha=0.25, lw=0, label=below)
bells.set(xlabel="$z$", ylim=(0, None))
bells.legend(fontsize=10, loc="upper right")
plotting.show(
    made,
    caption="The normal density at μ = 0, σ = 1, with either constant, and the area below it.",
    alt="Two bells around zero. The higher one has the area 1.00. The lower one has the same shape and "
    "the area 0.40.",
)

# %% [markdown]
r"""
The same formula is behind the other term of the loss. Set $\sigma = 1$ for a pixel: minus the log-density is half a squared error, plus a constant. "MSE is the case of unit variance" is true in this sense: with the ½, and as a *sum* over pixels. As a mean over pixels without the ½ it is another variance, and [chapter 6](06_learned_variance.ipynb) computes which.
"""

# %% tags=["hide-input"]
x, decoded = torch.randn(2, 3, 100).double()
squares = (x - decoded).square().sum(1)
left = gaussian_log_likelihood(x, decoded, 0.0) + squares / 2
off = (left + 50 * math.log(2 * math.pi)).abs().max()  # 100 pixels
claim("Unit variance: log-likelihood + ½ SSE, off the constant by", off, at_most=1e-9)

# %% [markdown]
r"""
## Three expectations

Subtract the two log-densities. The constants $\frac12 \log 2\pi$ cancel, and the prior's minus turns into a plus:

$$\log q - \log p = -\log\sigma - \frac{(z-\mu)^2}{2\sigma^2} + \frac{z^2}{2}.$$

Now average each of the three terms over $q$. SymPy does the integrals.
"""


# %%
def average(f):
    """E f(z) for z ~ N(mu, sigma²)."""
    weighted = sp.expand(f * density(mu, sigma))
    return sp.simplify(sp.integrate(weighted, (z, -sp.oo, sp.oo)))


terms = (-sp.log(sigma), -((z - mu) ** 2) / (2 * sigma**2), z**2 / 2)
first, second, third = map(average, terms)
kl = sp.expand(first + second + third)
kl

# %% tags=["hide-input"]
steps = {
    "log q - log p is the sum of the three": same(log_q - log_p, sum(terms)),
    "E[(z - μ)²] = σ²": same(average((z - mu) ** 2), sigma**2),
    "E[z²] = μ² + σ²": same(average(z**2), mu**2 + sigma**2),
    "the second is -½": same(second, -sp.Rational(1, 2)),
    "the third is ½ (μ² + σ²)": same(third, (mu**2 + sigma**2) / 2),
    "the integral in one piece is the sum": same(average(log_q - log_p), kl),
}
claim(
    f"Of {len(steps)} steps, those that fail", len(steps) - sum(steps.values()), equals=0, within=0
)

# %% [markdown]
r"""
That is the formula, $\operatorname{KL} = \frac12(\sigma^2 + \mu^2 - 1) - \log \sigma$, and we did not type it in. Is it right? One of the steps above has integrated the definition in one piece, without our three terms. Two judges know nothing of our derivation at all:

- `torch.distributions` has its own formula;
- random draws know no formula at all.

The course's `kl_standard_normal` has to pass, too. It sums over latents. The mean over the batch is left to you.
"""

# %%
mean, log_std = torch.randn(2, 1000, 1).double()
judge = kl_divergence(Normal(mean, log_std.exp()), prior).sum(1)  # (1000,)
ours = sp.lambdify((mu, sigma), kl, "numpy")(mean.numpy(), log_std.exp().numpy())
narrow = Normal(0.7, 0.3)
z_narrow = narrow.sample((200_000,))
drawn = estimate(narrow.log_prob(z_narrow) - prior.log_prob(z_narrow))

# %% tags=["hide-input"]
from_torch = (torch.from_numpy(ours).sum(1) - judge, kl_standard_normal(mean, log_std) - judge)
furthest = max(values.abs().max() for values in from_torch)
claim("SymPy's formula and ours against torch, 1000 posteriors", furthest, at_most=1e-10)
expected = float(kl.subs({mu: 0.7, sigma: 0.3}))
claim("Draws at μ = 0.7, σ = 0.3", drawn.mean, equals=expected, within=5 * drawn.standard_error)

# %% [markdown]
r"""
## The minimum, with proof

A KL is zero only where the two distributions agree, at $\mu = 0$, $\sigma = 1$ (chapter 3). Does the formula know that? Set its gradient to zero, and look at the matrix of second derivatives, the **Hessian**.
"""

# %%
(minimum,) = sp.solve([sp.diff(kl, mu), sp.diff(kl, sigma)], [mu, sigma], dict=True)
hessian = sp.hessian(kl, (mu, sigma))
log_sigma = sp.symbols("log_sigma", real=True)
in_log = sp.simplify(sp.hessian(kl.subs(sigma, sp.exp(log_sigma)), (mu, log_sigma)))
print("Hessian in (μ, σ):    ", hessian.tolist())
print("Hessian in (μ, log σ):", in_log.tolist())

# %% tags=["hide-input"]
away = abs(minimum[mu]) + abs(minimum[sigma] - 1) + abs(kl.subs(minimum))
claim("Where the gradient is zero: |μ| + |σ - 1| + KL", away, equals=0, within=0)
bowls = [m[0, 1] == 0 and m[0, 0].is_positive and m[1, 1].is_positive for m in (hessian, in_log)]
claim("Hessians that are diagonal and positive everywhere, of two", sum(bowls), equals=2, within=0)

# %% [markdown]
r"""
Both Hessians are diagonal, with positive entries *everywhere*, not just at one point. So the function is a bowl without other dips: it is convex in either pair of parameters, and its one stationary point is the global minimum.

## Which way round

A KL is not a distance: $\operatorname{KL}(q \,\|\, p)$ and $\operatorname{KL}(p \,\|\, q)$ are two numbers. The difference matters when $q$ cannot become $p$. Let $p$ have two humps, and let $q$ be normal. Which $q$ is best?

- $\operatorname{KL}(q \,\|\, p)$ averages over $q$. Where $q$ has mass and $p$ has next to none, it pays dearly. Where $p$ has mass and $q$ has none, nothing is counted. So if the humps are far apart, the best $q$ sits in *one* of them. This is called **mode seeking**.
- $\operatorname{KL}(p \,\|\, q)$ averages over $p$. Now $q$ must be everywhere where $p$ is. The best normal $q$ has the mean and the variance of $p$, and it can be highest between the humps, where $p$ has little.

The gap of the ELBO is the first kind, $\operatorname{KL}(q \,\|\, p(z \mid x))$. That is why a diagonal $q$ is too narrow in chapter 3 rather than too wide.
"""

# %%
axis = torch.linspace(-6, 6, 2_401, dtype=torch.float64)
shares = torch.tensor([[0.6], [0.4]]).double()
centres = torch.tensor([[-1.8], [1.8]]).double()
log_target = (shares.log() + Normal(centres, 0.6).log_prob(axis)).logsumexp(0)
means, stds = torch.meshgrid(
    torch.arange(-3, 3.01, 0.05), torch.arange(0.3, 3, 0.05), indexing="ij"
)
guesses = Normal(means.reshape(-1, 1).double(), stds.reshape(-1, 1).double())
log_guess = guesses.log_prob(axis)  # (guesses, places)
q_to_p = torch.trapezoid(log_guess.exp() * (log_guess - log_target), axis)
p_to_q = torch.trapezoid(log_target.exp() * (log_target - log_guess), axis)

# %% tags=["hide-input"]
seeks, covers = (
    Normal(guesses.mean[i, 0], guesses.stddev[i, 0]) for i in (q_to_p.argmin(), p_to_q.argmin())
)
middle = 0.6 * -1.8 + 0.4 * 1.8
spread = math.sqrt(0.6**2 + 0.6 * 0.4 * 3.6**2)
claim("KL(q ‖ p): the best q is at", seeks.mean, equals=-1.8, within=0.1)
claim("... and its std, of a hump's 0.6", seeks.stddev / 0.6, at_least=0.9, at_most=1.1)
claim("KL(p ‖ q): the best q is at", covers.mean, equals=middle, within=0.05)
claim("... with the std of p", covers.stddev, equals=spread, within=0.05)

made, (axes,) = plotting.figure(6.5, 2.8)
axes.fill_between(axis, log_target.exp(), color="grey", alpha=0.3, lw=0, label="$p$")
axes.plot(axis, seeks.log_prob(axis).exp(), label=r"best for KL$(q \Vert p)$")
axes.plot(axis, covers.log_prob(axis).exp(), "--", label=r"best for KL$(p \Vert q)$")
axes.set(xlabel="$z$", ylabel="density")
axes.legend()
plotting.show(
    made,
    caption="A density with two humps, and the best normal distribution for each KL.",
    alt="A grey curve with a higher hump at the left and a lower one at the right. The solid bell lies over "
    "the left hump alone and is taller. The dashed bell is low and wide, and highest in the valley.",
)

# %% [markdown]
r"""
## A check that is blind

As a check of the formula, the notes just named verify that its minimum is at $\mu = 0$, $\sigma = 1$. Here is why this is not enough.

Many pages write the KL with the log-*variance* $s = \log \sigma^2$, as $\frac12(e^{s} + \mu^2 - 1 - s)$. That is right. Now let a network predict $\log \sigma$, draw $z$ with $\sigma = e^{\log \sigma}$, and feed $\log \sigma$ into the formula made for $\log \sigma^2$. When we read them, this slip stood in the code of these notes and in the PyTorch solution of a lab of [MIT's introduction to deep learning](https://github.com/MITDeepLearning/introtodeeplearning).
"""

# %%
s = sp.symbols("s", real=True)
with_log_variance = kl.subs(sigma, sp.exp(s / 2))
right = kl.subs(sigma, sp.exp(log_sigma))
slip = with_log_variance.subs(s, log_sigma)  # log σ where log σ² belongs

# %% tags=["hide-input"]
form = same(with_log_variance, (sp.exp(s) + mu**2 - 1 - s) / 2)
claim("The form for s = log σ²: 1 if the same", form, equals=1, within=0)
for name, formula in (("right", right), ("slip", slip)):
    (where,) = sp.solve([formula.diff(mu), formula.diff(log_sigma)], [mu, log_sigma], dict=True)
    value = abs(sp.simplify(formula.subs(where)))
    total = abs(where[mu]) + abs(where[log_sigma]) + value
    claim(f"{name}: its minimum, |μ| + |log σ| + value", total, equals=0, within=0)

# %% [markdown]
r"""
The minimum is in the same place with the same value. The check says "fine" to both. It is **blind** to this slip: a factor in front of the parameter moves no minimum that sits at zero.

What does see it? More than a place and a value of the minimum.

- **Curvature** there: the slip's bowl is four times too flat in $\log \sigma$.
- **One value** elsewhere: at $\mu = 0$, $\log \sigma = 1$ the KL is 2.19 nats, and the slip says 0.36.
- **Draws**, or `torch.distributions`: they know the value at any point.
"""

# %% tags=["hide-input"]
origin = {mu: 0, log_sigma: 0}
curvature = {
    name: sp.hessian(formula, (mu, log_sigma)).subs(origin)[1, 1]
    for name, formula in (("right", right), ("slip", slip))
}
claim("Curvature in log σ, right", curvature["right"], equals=2, within=0)
claim("Curvature in log σ, slip", curvature["slip"], equals=0.5, within=0)

wide = Normal(0.0, math.e)
z_wide = wide.sample((100_000,))
drawn_wide = estimate(wide.log_prob(z_wide) - prior.log_prob(z_wide))
claimed = {
    name: float(f.subs({mu: 0, log_sigma: 1})) for name, f in (("right", right), ("slip", slip))
}
mean_wide, its_error = drawn_wide
print(f"at log σ = 1: draws {mean_wide:.3f} ± {its_error:.3f}")
print(*(f"{name:5} formula {given:.3f}" for name, given in claimed.items()), sep="\n")
errors = {name: abs(given - mean_wide) / its_error for name, given in claimed.items()}
claim("right: standard errors from the draws", errors["right"], at_most=5)
claim("slip: standard errors from the draws", errors["slip"], at_least=50)

# %% tags=["hide-input"]
made, panels = plotting.figure(10, 3.2, columns=3)
levels = [0.05, 0.2, 0.5, 1, 2, 3]
for axes, (name, formula) in zip(panels, (("right", right), ("slip", slip)), strict=False):
    numeric = sp.lambdify((mu, log_sigma), formula, "numpy")
    heights = numeric(across.numpy()[None, :], up.numpy()[:, None])
    axes.contourf(across, up, heights, levels=[0, *levels], cmap="Blues", extend="max")
    lines = axes.contour(across, up, heights, levels=levels, colors="black", linewidths=0.7)
    axes.clabel(lines, fontsize=11, fmt="%g")
    axes.plot(0, 0, "o", color=plotting.COLOURS[5])
    axes.set(title=name, xlabel=r"$\mu$", ylabel=r"$\log \sigma$")
    style = "-" if name == "right" else "--"
    panels[2].plot(up, numeric(0, up.numpy()), style, label=name)
panels[2].set(title=r"cut at $\mu = 0$", xlabel=r"$\log \sigma$", ylabel="nats")
panels[2].legend()
plotting.show(
    made,
    caption="KL and slip over μ and log σ, contours in nats, and a cut. The minimum is the same.",
    alt="Two contour plots with their lowest point marked at the origin. Left, round contours that close in "
    "above and below. Middle, contours that run far up and down: the bowl is flat in log sigma. Right, both "
    "curves touch zero at zero; the dashed one rises much more slowly.",
)

# %% [markdown]
r"""
Feel the two bowls yourself. At the lowest point both numbers are zero. Now go straight up or down: the KL rises fast, the slip much less. Go sideways, and the two agree.
"""

# %% tags=["hide-input"]
explorer.kl_bowl()

# %% [markdown]
r"""
## A derivation with three wrong lines, run

Here are lines of the derivation in the same notes, as we read it, in our notation. It ends with the right formula.

1. The KL is said to be the sum of $\mathbb{E}[-\log\sigma]$, $\mathbb{E}[-\frac{(z - \mu)^2}{2\sigma^2}]$ and $\mathbb{E}[-\frac{z^2}{2}]$.
2. For the third one: $\sigma^2 = \mathbb{E}[z^2] - \mu$.
3. So $\mathbb{E}[-\frac{z^2}{2}] = \frac12(\sigma^2 + \mu^2)$.

Run each line.
"""

# %% tags=["hide-input"]
printed = average(-sp.log(sigma)) + average(terms[1]) + average(-(z**2) / 2)
claim("Line 1 at μ = 0, σ = 1: a 'KL' of", printed.subs({mu: 0, sigma: 1}), equals=-1, within=0)

line_2 = sp.simplify(average(z**2) - mu - sigma**2)
claim("Line 2 at μ = 2: the two sides differ by", line_2.subs(mu, 2), equals=2, within=0)
line_3 = sp.simplify(average(-(z**2) / 2) - (sigma**2 + mu**2) / 2)
claim("Line 3 at μ = 0, σ = 1: they differ by", line_3.subs({mu: 0, sigma: 1}), equals=-1, within=0)

# %% [markdown]
r"""
A KL of −1 cannot be (chapter 3). Line 1 has lost a sign: minus $\log p$ is *plus* $z^2/2$. Line 2 has $\mu$ for $\mu^2$. And line 3 loses a sign again, which repairs line 1. Two wrongs made a right, and a proofreader who checks only the last line sees nothing.

## One posterior, or all of them?

So far we looked at one $\mu$ and one $\sigma$. A VAE has a pair for each picture and latent, and minimises the *average* KL. What does that do to the whole cloud of codes?

There are two popular answers. One: each posterior is to become $\mathcal{N}(0, I)$, and then their mixture is $\mathcal{N}(0, I)$, too. The other: the term is for each picture on its own, and says nothing of all together. (To believe otherwise, say the same notes, is a common misconception.) Let us measure what is true.

Call the mixture of all posteriors $q(z) = \frac1N \sum_i q(z \mid x_i)$ the **aggregate posterior**. The average KL splits in two ([Hoffman & Johnson 2016](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf)):

$$\frac1N \sum_i \operatorname{KL}\bigl(q(z \mid x_i) \,\|\, p(z)\bigr) = \underbrace{I(x; z)}_{\text{what } z \text{ tells about } x} + \underbrace{\operatorname{KL}\bigl(q(z) \,\|\, p(z)\bigr)}_{\text{the cloud against the prior}}.$$

$I(x; z)$ is the **mutual information**: the average of $\log q(z \mid x_i) - \log q(z)$. First the split itself, for three posteriors in one dimension: the left side by the formula, the two on the right by numerical integration.
"""

# %%
pairs = torch.tensor([[-1.0, 0.2, 1.5], [0.3, 0.6, 0.2]]).double()[..., None]  # μ, σ
line = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
posteriors = Normal(*pairs).log_prob(line)  # (3, 20 001)
aggregate = posteriors.logsumexp(0) - math.log(3)


def integral(values):
    return torch.trapezoid(values, line)


average_kl = kl_standard_normal(pairs[0], pairs[1].log()).mean()
exact_information = integral(posteriors.exp() * (posteriors - aggregate)).mean()
exact_cloud = integral(aggregate.exp() * (aggregate - prior.log_prob(line)))
left_over = average_kl - exact_information - exact_cloud
claim("Average KL - (I + cloud)", left_over, equals=0, within=1e-9)

# %% tags=["hide-input"]
made, (bells,) = plotting.figure(6.5, 2.4)
bells.fill_between(line, prior.log_prob(line).exp(), color="grey", alpha=0.3, lw=0, label="$p(z)$")
for each in posteriors:
    bells.plot(line, each.exp() / 3, color=plotting.COLOURS[0], linewidth=0.9)
bells.plot(line, aggregate.exp(), color=plotting.COLOURS[5], label="$q(z)$")
bells.set(xlim=(-3.5, 3.5), xlabel="$z$", ylim=(0, None))
bells.legend()
plotting.show(
    made,
    caption="The three posteriors, each with a third of its height (thin), the aggregate posterior q(z) "
    "that they add up to, and the prior p(z).",
    alt="A wide grey bell, and three thin ones: two narrow and high at -1 and 1.5, one low between them. "
    "Their sum has two high humps, and a low middle where the grey bell is highest.",
)

# %% [markdown]
r"""
Now a trained VAE, one with the right KL and one with the slip. To train them to the very end in seconds, we shrink the digits to 7 × 7 pixels.
"""

# %%
small = flat.float().reshape(-1, 1, 7, 7)  # 2000 pictures


def slip_kl(mean, log_std):
    return (0.5 * (log_std.exp() + mean**2 - 1 - log_std)).sum(1)


def new_model():
    torch.manual_seed(seed)
    return VAE((1, 7, 7), 4, hidden=(64,), std=0.2)


def train(model, kl, steps, lr):
    def loss(model, x):
        posterior = model.encode(x)
        z = sample_posterior(*posterior)
        return (kl(*posterior) - model.log_likelihood(x, z)).mean()

    fit(model, loss, small, steps=steps, lr=lr, seed=seed)
    return encode_all(model, small)


models = {"right": new_model(), "slip": new_model()}
trained, early = {}, train(models["right"], kl_standard_normal, 150, 5e-3)
for name, kl_ in (("right", kl_standard_normal), ("slip", slip_kl)):
    train(models[name], kl_, 2_000, 5e-3)
    trained[name] = train(models[name], kl_, 800, 6e-4)  # small steps settle it

split = split_mean_kl(trained["right"], n_samples=8)
information, cloud = split.mutual_information, split.aggregate_kl
print(f"{split.mean_kl:.2f} nats = I {information.mean:.2f} + cloud {cloud.mean:.2f}")

# %% tags=["hide-input"]
claim("The cloud, in standard errors above 0", cloud.mean / cloud.standard_error, at_least=5)
claim("The cloud, as a share of the mean KL", cloud.mean / split.mean_kl, at_most=0.2)

# %% [markdown]
r"""
Both answers are half right.

The term is computed for each picture on its own, yes. But its average contains the KL of the *cloud* from the prior. So it does press the cloud towards the prior. It also presses on the information, and the reconstruction, which needs information, presses back.

And the posteriors do not look like the prior. If every one did, $I$ would be zero: the code would know nothing of the picture, and the best decoder would show one picture for all. That is total **posterior collapse**, not the aim. It is enough for $q(z) = p(z)$, but it is not necessary.

Why not? Take a model that is exactly right: $p(x)$ is how the pictures are distributed, and each $q(z \mid x)$ is the posterior $p(z \mid x)$. Then the aggregate is $\int p(z \mid x)\, p(x)\, dx = p(z)$, by the rule of total probability. It is the prior, however narrow the posteriors are. In the smallest example, $p(z) = \mathcal{N}(0, 1)$ and $p(x \mid z) = \mathcal{N}(z, 1)$: the pictures are $\mathcal{N}(0, 2)$, and each posterior is $\mathcal{N}(x/2, \frac12)$.
"""

# %%
pixel = torch.linspace(-16, 16, 4_001, dtype=torch.float64)
weights = Normal(0.0, 2**0.5).log_prob(pixel).exp()  # p(x)
places = torch.linspace(-4, 4, 81, dtype=torch.float64)
posterior = Normal(pixel / 2, 0.5**0.5).log_prob(places[:, None]).exp()
mixture = torch.trapezoid(posterior * weights, pixel)

# %% tags=["hide-input"]
apart = (mixture - prior.log_prob(places).exp()).abs().max()
claim("Right model: q(z) off p(z), where each posterior has variance ½", apart, at_most=1e-8)
all_q = linear.posterior(flat)
covariance = torch.cov(all_q.mean.T, correction=0) + all_q.covariance_matrix[0]
claim(
    "Linear VAE of the digits: largest variance of a posterior", all_q.variance.max(), at_most=0.5
)
distance = (covariance - torch.eye(4)).abs().max()
claim("... covariance of the cloud minus I", distance, equals=0, within=1e-9)
own = torch.randn(2000, 4).double() @ linear.weight.T + linear.bias
own_q = linear.posterior(own + linear.variance**0.5 * torch.randn_like(own))
of_digits, of_own = (
    split_mean_kl(Gaussian(one.mean.float(), one.stddev.log().float()), n_samples=16)
    for one in (all_q, own_q)
)
more = of_digits.aggregate_kl.mean - of_own.aggregate_kl.mean
claim("... its KL to the prior, above that of the model's own pictures", more, at_least=0.02)

# %% [markdown]
r"""
The linear VAE of the digits is not exactly right, since digits are not normally distributed. Its cloud has the mean and the covariance of the prior, to rounding. Its shape is another one, and the KL sees it.

## What training must end with

There is one more check, and it needs no look at the code. Take a latent $j$ and stretch it: $z_j \to a z_j + b$. The encoder can do that in its last layer, and the decoder can undo it in its first, so the reconstruction need not change. Only the KL does. So at the best weights no such stretch may help, and the slopes of the average KL in $a$ and $b$ are zero. SymPy takes them.
"""

# %%
a, b = sp.symbols("a b", real=True)
slopes = {}
for name, formula in (("right", right), ("slip", slip)):
    stretch = {mu: a * mu + b, log_sigma: log_sigma + sp.log(a)}
    stretched = formula.subs(stretch, simultaneous=True)
    slopes[name] = [sp.simplify(stretched.diff(c).subs({a: 1, b: 0})) for c in (a, b)]
    print(f"{name}: slope in a = {slopes[name][0]}, in b = {slopes[name][1]}")

# %% tags=["hide-input"]
sides = {
    "right": mu**2 + sp.exp(2 * log_sigma) - 1,
    "slip": mu**2 + sp.exp(log_sigma) / 2 - sp.Rational(1, 2),
}
agree = [same(slopes[n][0], sides[n]) and same(slopes[n][1], mu) for n in sides]
claim("Pairs of slopes as the text has them, of two", sum(agree), equals=2, within=0)

# %% [markdown]
r"""
So for the right KL, at the optimum, whatever the pictures and the weight of the term: averaged over pictures, $\mathbb{E}\,\mu_j = 0$ and $\mathbb{E}[\mu_j^2 + \sigma_j^2] = 1$ for each latent. These are the mean and the second moment of the cloud. The slip has another rule, $\mathbb{E}[\sigma_j + 2\mu_j^2] = 1$, and its cloud comes out too small. (See it in your browser: [The slip: log σ for log σ²](playground.ipynb).) Put $\mu_j^2 = (1 - \sigma_j)/2$ in: $\mathbb{E}[\mu_j^2 + \sigma_j^2] = \mathbb{E}[\frac12 - \frac12 \sigma_j + \sigma_j^2]$, and that is between $\frac{7}{16}$ and $\frac12$ as long as no $\sigma_j$ is above $\frac12$.
"""


# %%
def rules(mean, log_std):
    """Both sums, averaged over pictures: (latents,) each."""
    std = log_std.exp()
    return (mean**2 + std**2).mean(0), (std + 2 * mean**2).mean(0)


for name, codes in (("right, 150 steps", early), *trained.items()):
    moments, slip_rule = rules(*codes)
    print(f"{name:17s} E[μ² + σ²] = {[round(m, 2) for m in moments.tolist()]}")
    print(f"{'':17s} E[σ + 2μ²] = {[round(m, 2) for m in slip_rule.tolist()]}")

# %% tags=["hide-input"]
worst = {
    name: [(rule - 1).abs().max().item() for rule in rules(*codes)]
    for name, codes in (("early", early), *trained.items())
}
centred = max(codes.mean.mean(0).abs().max() for codes in trained.values())
claim("At the end: largest |E μ|, both models", centred, at_most=0.1)
claim("Right KL: E[μ² + σ²] from 1, worst latent", worst["right"][0], at_most=0.09)
slip_moments, _ = rules(*trained["slip"])
claim("Slip: E[μ² + σ²], smallest latent", slip_moments.min(), at_least=7 / 16 - 0.05)
claim("Slip: E[μ² + σ²], largest latent", slip_moments.max(), at_most=0.6)
claim("Slip: its own rule from 1, worst latent", worst["slip"][1], at_most=0.12)
claim("Right KL, 150 steps: E[μ² + σ²] from 1, worst latent", worst["early"][0], at_least=0.11)

# %% tags=["hide-input"]
made, panels = plotting.figure(9, 2.4, columns=2, sharey=True)
rows_of_codes = {"right,\n150 steps": early, "right": trained["right"], "slip": trained["slip"]}
for column, codes in enumerate(rows_of_codes.values()):
    for panel, values in zip(panels, rules(*codes), strict=True):
        panel.plot([column] * len(values), values, "o", color=plotting.COLOURS[column], alpha=0.7)
for panel, rule in zip(panels, (r"$E[\mu^2 + \sigma^2]$", r"$E[\sigma + 2\mu^2]$"), strict=True):
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set(title=rule, xticks=range(3), xticklabels=rows_of_codes, xlim=(-0.5, 2.5))
plotting.show(
    made,
    caption="Both rules for each of the four latents (dots): what the right KL ends with (left) and "
    "what the slip ends with (right). A rule that holds has its dots on the line.",
    alt="Two panels with three groups of four dots and a line at 1. Left, only the dots of the right KL "
    "after the whole training are on the line. Right, only those of the slip are.",
)

# %% [markdown]
r"""
Mind the first row. After 150 steps the model with the *right* KL is not near its rule yet. The stretch of the codes is settled late, as little depends on it. [Chapter 10](10_faces.ipynb) has a model with the right KL whose latents, after 100 000 steps, are still anything from ¼ to 5. So "not 1" does not convict a formula. And "1" does not acquit one: a collapsed latent has $\mu = 0$ and $\sigma = 1$, which fulfils both rules. To judge a formula, look at its value away from the minimum. That takes one line, and no training.

What the rule is good for is another thing. The best stretch is known in closed form, so there is no need to wait for it: subtract $\mathbb{E}\,\mu_j$, divide by the root of $\operatorname{Var} \mu_j + \mathbb{E}\,\sigma_j^2$, and let the decoder's first layer undo it. `latents.rescale` does this, in place. The reconstructions stay as they are, and the KL falls.
"""

# %%
model = new_model()
train(model, kl_standard_normal, 150, 5e-3)
before = kl_standard_normal(*encode_all(model, small)).mean()
rescaled = rescale(model, small)
after = kl_standard_normal(*encode_all(model, small)).mean()
print(f"KL {before:.3f} -> {after:.3f} nats")

# %% tags=["hide-input"]
moments, _ = rules(*encode_all(model, small))
claim("Re-scaled after 150 steps: E[μ² + σ²] from 1", (moments - 1).abs().max(), at_most=1e-4)
claim(
    "... and the KL falls by what was predicted", before - after, equals=rescaled.nats, within=1e-3
)
claim("... nats", rescaled.nats, at_least=0.01)

# %% [markdown]
r"""
## What to take along

The KL of one latent is $\frac12(\sigma^2 + \mu^2 - 1) - \log\sigma$. Its minimum proves little: check a value away from it, against something that does not share your derivation. The term works on each posterior *and* on the cloud. And the gap of the ELBO is a $\operatorname{KL}(q \,\|\, p)$, too, with the true posterior for $p$: that way round, a $q$ that cannot be right is rather too narrow than too wide.

Next, [chapter 5](05_reparameterization.ipynb): the other term has a draw in it. How does a gradient get through?

## Practise

[Exercises 4](exercises/04_analytic_kl.ipynb) check what you write and name your mistake. The KL and its gradient by computer algebra and by hand, the KL of any two Gaussians, and a test that is not blind.

## The checks
"""

# %% tags=["hide-input"]
summary()
