# %% [markdown]
r"""
# 4 · The analytic KL, and a check that is blind

The second term of the loss fits in one line, and it is copied from page to page. In this chapter a computer algebra system derives it from the definition. Nothing is typed in. Then you see a popular check of that line, and a wrong line that passes it.

**After this chapter you can**

- derive the KL between two normal distributions, step by step, with its constants;
- prove where its minimum is, and that it is one;
- say which checks tell a right formula from a wrong one, and which cannot;
- say what the term does to one posterior, and what to all of them together.
"""

# %%
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
from vae_course.models import VAE
from vae_course.objectives import (
    Gaussian,
    gaussian_log_likelihood,
    kl_standard_normal,
    sample_posterior,
)
from vae_course.training import fit

seed = begin("04_analytic_kl")

# %% [markdown]
r"""
## Why bother with a formula

The KL between the encoder's answer $q(z \mid x)$ and the prior $p(z)$ is an average over draws of $z$:

$$\operatorname{KL}(q \,\|\, p) = \mathbb{E}_{q}\bigl[\log q(z \mid x) - \log p(z)\bigr].$$

So you could draw one $z$ and use the bracket. That estimate is right on average, and for many distributions it is all you can do. But it is noisy. Two normal distributions allow a formula, and a formula has no noise.
"""

# %%
q, prior = Normal(1.0, 0.5), Normal(0.0, 1.0)
z = q.sample((100_000,))
single = q.log_prob(z) - prior.log_prob(z)  # 100 000 estimates from one draw each
average, formula = estimate(single), kl_divergence(q, prior).item()
five = 5 * average.standard_error
claim("One-draw estimates, on average", average.mean, equals=formula, within=five)
claim("Their standard deviation, relative to the KL", single.std() / formula, at_least=0.5)

# %% [markdown]
r"""
## The log-density, constants included

The latents of $q$ are independent, and so are those of the prior. The KL of independent things adds up. So one latent is enough: $q = \mathcal{N}(\mu, \sigma^2)$ against $p = \mathcal{N}(0, 1)$.

[SymPy](https://www.sympy.org) computes with symbols instead of numbers. We give it the normal density, and a way to tell that two formulas are the same: their difference must simplify to zero.
"""

# %%
z, mu = sp.symbols("z mu", real=True)
sigma = sp.symbols("sigma", positive=True)


def density(mean, std):
    return sp.exp(-(((z - mean) / std) ** 2) / 2) / (std * sp.sqrt(2 * sp.pi))


def same(text, first, second):
    """Claim that two formulas are one: the difference simplifies to 0."""
    difference = sp.simplify(sp.expand_log(sp.sympify(first - second), force=True))
    value = difference if difference.is_number else math.nan
    claim(f"{text}: difference", value, equals=0, within=0)


log_q = sp.expand_log(sp.log(density(mu, sigma)), force=True)
log_p = sp.expand_log(sp.log(density(0, 1)), force=True)
log_q

# %% [markdown]
r"""
Read it: $\log q = -\frac{1}{2}\log 2\pi - \log \sigma - \frac{(z - \mu)^2}{2\sigma^2}$. You can find it with $\log 2\pi$ in place of $\frac12 \log 2\pi$. In the KL the slip cancels. In a reported likelihood it costs 0.92 nats for *each pixel*. What catches it: a density must integrate to one.
"""

# %%
half_log = sp.log(2 * sp.pi) / 2
rest = -sp.log(sigma) - (z - mu) ** 2 / (2 * sigma**2)
same("log q against -½ log 2π - log σ - (z - μ)² / 2σ²", log_q, -half_log + rest)


def area(log_density):
    return sp.integrate(sp.exp(log_density), (z, -sp.oo, sp.oo))


claim("Area with ½ log 2π", sp.simplify(area(-half_log + rest)), equals=1, within=0)
too_small = 1 / math.sqrt(2 * math.pi)
claim("Area with log 2π", area(-2 * half_log + rest), equals=too_small, within=1e-9)

# %% [markdown]
r"""
The same formula is behind the other term of the loss. Set $\sigma = 1$ for a pixel: what is left is half a squared error, plus a constant. "MSE is the case of unit variance" is true in this sense: with the ½, and as a *sum* over pixels. As a mean over pixels without the ½ it is another variance, and [chapter 6](06_learned_variance.ipynb) computes which.
"""

# %%
x, decoded = torch.randn(2, 3, 100).double()
squares = (x - decoded).square().sum(1)
left = gaussian_log_likelihood(x, decoded, 0.0) + squares / 2
constant = -50 * math.log(2 * math.pi)  # 100 pixels
claim("Unit variance: log-likelihood + ½ SSE", left.mean(), equals=constant, within=1e-9)
claim("... is the same for every picture, up to", left.max() - left.min(), at_most=1e-9)

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
    return sp.simplify(sp.integrate(sp.expand(f * density(mu, sigma)), (z, -sp.oo, sp.oo)))


terms = (-sp.log(sigma), -((z - mu) ** 2) / (2 * sigma**2), z**2 / 2)
same("log q - log p against the three terms", log_q - log_p, sum(terms))

same("E[(z - μ)²] against σ²", average((z - mu) ** 2), sigma**2)
same("E[z²] against μ² + σ²", average(z**2), mu**2 + sigma**2)
first, second, third = map(average, terms)
same("Second expectation against -½", second, -sp.Rational(1, 2))
same("Third expectation against ½ (μ² + σ²)", third, (mu**2 + sigma**2) / 2)
kl = sp.expand(first + second + third)
kl

# %% [markdown]
r"""
That is the formula, $\operatorname{KL} = \frac12(\sigma^2 + \mu^2 - 1) - \log \sigma$, and we did not type it in. Is it right? Three judges who do not know our derivation:

- SymPy integrates the definition in one piece;
- `torch.distributions` has its own formula;
- random draws know no formula at all.

The course's `kl_standard_normal` has to pass, too. It sums over latents. The mean over the batch is left to you.
"""

# %%
whole = average(log_q - log_p)
same("Sum of three against the integral in one piece", kl, whole)

mean, log_std = torch.randn(2, 1000, 1).double()
judge = kl_divergence(Normal(mean, log_std.exp()), prior).sum(1)  # (1000,)
ours = sp.lambdify((mu, sigma), kl, "numpy")(mean.numpy(), log_std.exp().numpy())
gap = (torch.from_numpy(ours).sum(1) - judge).abs().max()
claim("SymPy's formula against torch, 1000 posteriors", gap, at_most=1e-10)
gap = (kl_standard_normal(mean, log_std) - judge).abs().max()
claim("kl_standard_normal against torch", gap, at_most=1e-10)

at = Normal(0.7, 0.3)
draws = at.sample((200_000,))
drawn = estimate(at.log_prob(draws) - prior.log_prob(draws))
value = float(kl.subs({mu: 0.7, sigma: 0.3}))
claim("Draws at μ = 0.7, σ = 0.3", drawn.mean, equals=value, within=5 * drawn.standard_error)

# %% [markdown]
r"""
## The minimum, with proof

A KL is zero only where the two distributions agree, at $\mu = 0$, $\sigma = 1$ (chapter 3). Does the formula know that? Set its gradient to zero, and look at the matrix of second derivatives, the **Hessian**.
"""

# %%
stationary = sp.solve([sp.diff(kl, mu), sp.diff(kl, sigma)], [mu, sigma], dict=True)
(minimum,) = stationary  # exactly one
claim("μ where the gradient is zero", minimum[mu], equals=0, within=0)
claim("σ where the gradient is zero", minimum[sigma], equals=1, within=0)
claim("KL there", kl.subs(minimum), equals=0, within=0)

hessian = sp.hessian(kl, (mu, sigma))
log_sigma = sp.symbols("log_sigma", real=True)
in_log = sp.hessian(kl.subs(sigma, sp.exp(log_sigma)), (mu, log_sigma))
print("Hessian in (μ, σ):    ", hessian.tolist())
print("Hessian in (μ, log σ):", sp.simplify(in_log).tolist())
for name, matrix in (("σ", hessian), ("log σ", in_log)):
    off_diagonal = sp.simplify(matrix[0, 1])
    positive = all(sp.simplify(entry).is_positive for entry in matrix.diagonal())
    claim(f"In {name}: off the diagonal", off_diagonal, equals=0, within=0)
    claim(f"In {name}: curvature positive everywhere", positive, equals=1, within=0)

# %% [markdown]
r"""
Both Hessians are diagonal, with positive entries *everywhere*, not just at one point. So the function is a bowl without other dips: it is convex, and its one stationary point is the global minimum.

## A check that is blind

"To check the formula, verify that its minimum is at $\mu = 0$, $\sigma = 1$." You find this advice in courses and notes. Here is why it is not enough.

Many pages write the KL with the log-*variance* $s = \log \sigma^2$, as $\frac12(e^{s} + \mu^2 - 1 - s)$. That is right. Now let a network predict $\log \sigma$, draw $z$ with $\sigma = e^{\log \sigma}$, and feed $\log \sigma$ into the formula made for $\log \sigma^2$. This slip is in at least two well-known teaching repositories.
"""

# %%
s = sp.symbols("s", real=True)
with_log_variance = kl.subs(sigma, sp.exp(s / 2))
same("The form for s = log σ²", with_log_variance, (sp.exp(s) + mu**2 - 1 - s) / 2)

right = kl.subs(sigma, sp.exp(log_sigma))
slip = with_log_variance.subs(s, log_sigma)  # log σ where log σ² belongs
for name, formula in (("right", right), ("slip", slip)):
    (where,) = sp.solve([formula.diff(mu), formula.diff(log_sigma)], [mu, log_sigma], dict=True)
    away = abs(where[mu]) + abs(where[log_sigma])
    claim(f"{name}: its minimum is at |μ| + |log σ|", away, equals=0, within=0)
    claim(f"{name}: its value there", sp.simplify(formula.subs(where)), equals=0, within=0)

# %% [markdown]
r"""
The minimum is in the same place with the same value. The check says "fine" to both. It is **blind** to this slip: a factor in front of the parameter moves no minimum that sits at zero.

What does see it? Anything that looks away from the minimum.

- **Curvature**: the slip's bowl is four times too flat in $\log \sigma$.
- **One value**: at $\mu = 0$, $\log \sigma = 1$ the KL is 2.19 nats, and the slip says 0.36.
- **Draws**, or `torch.distributions`: they know the value at any point.
"""

# %%
origin = {mu: 0, log_sigma: 0}
curvature = {
    name: sp.hessian(formula, (mu, log_sigma)).subs(origin)[1, 1]
    for name, formula in (("right", right), ("slip", slip))
}
claim("Curvature in log σ, right", curvature["right"], equals=2, within=0)
claim("Curvature in log σ, slip", curvature["slip"], equals=0.5, within=0)

wide = Normal(0.0, math.e)
draws = wide.sample((100_000,))
drawn, five = estimate(wide.log_prob(draws) - prior.log_prob(draws)), {}
claimed = {
    name: float(f.subs({mu: 0, log_sigma: 1})) for name, f in (("right", right), ("slip", slip))
}
print(f"at log σ = 1: draws {drawn.mean:.3f} ± {drawn.standard_error:.3f}, formulas {claimed}")
errors = {name: abs(v - drawn.mean) / drawn.standard_error for name, v in claimed.items()}
claim("right: standard errors from the draws", errors["right"], at_most=5)
claim("slip: standard errors from the draws", errors["slip"], at_least=50)
claim("right, minus torch", claimed["right"] - kl_divergence(wide, prior), equals=0, within=1e-5)

# %% tags=["hide-input"]
made, panels = plotting.figure(10, 3.2, columns=3)
across, up = torch.linspace(-2, 2, 121), torch.linspace(-2, 1.2, 121)
levels = [0.05, 0.2, 0.5, 1, 2, 3]
for axes, (name, formula) in zip(panels, (("right", right), ("slip", slip)), strict=False):
    numeric = sp.lambdify((mu, log_sigma), formula, "numpy")
    grid = numeric(across.numpy()[None, :], up.numpy()[:, None])
    axes.contourf(across, up, grid, levels=[0, *levels], cmap="Blues", extend="max")
    lines = axes.contour(across, up, grid, levels=levels, colors="black", linewidths=0.7)
    axes.clabel(lines, fontsize=8, fmt="%g")
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
Feel the two bowls yourself. At the lowest point both numbers are zero. Now go straight up or down: the KL rises at once, the slip hardly stirs. Go sideways, and the two agree.
"""

# %% tags=["hide-input"]
explorer.kl_bowl()

# %% [markdown]
r"""
## A derivation with two errors, run as printed

Here are the lines of a published derivation, as they stand there. It has the right formula at its end.

1. The KL is said to be the sum of $\mathbb{E}[-\log\sigma]$, $\mathbb{E}[-\frac{(z - \mu)^2}{2\sigma^2}]$ and $\mathbb{E}[-\frac{z^2}{2}]$.
2. For the third one: $\sigma^2 = \mathbb{E}[z^2] - \mu$.
3. So $\mathbb{E}[-\frac{z^2}{2}] = \frac12(\sigma^2 + \mu^2)$.

Run each line.
"""

# %%
printed = average(-sp.log(sigma)) + average(terms[1]) + average(-(z**2) / 2)
claim("Line 1 at μ = 0, σ = 1: a 'KL' of", printed.subs({mu: 0, sigma: 1}), equals=-1, within=0)

line_2 = sp.simplify(average(z**2) - mu - sigma**2)
claim("Line 2 at μ = 2: the two sides differ by", line_2.subs(mu, 2), at_least=1)
line_3 = sp.simplify(average(-(z**2) / 2) - (sigma**2 + mu**2) / 2)
claim("Line 3 at μ = 0, σ = 1: they differ by", line_3.subs({mu: 0, sigma: 1}), equals=-1, within=0)

# %% [markdown]
r"""
A KL of −1 cannot be (chapter 3). Line 1 has lost a sign: minus $\log p$ is *plus* $z^2/2$. Line 2 has $\mu$ for $\mu^2$. And line 3 loses a sign again, which repairs line 1. Two wrongs made a right, and a proofreader who checks only the last line sees nothing.

## One posterior, or all of them?

So far we looked at one $\mu$ and one $\sigma$. A VAE has a pair for each picture and latent, and minimises the *average* KL. What does that do to the whole cloud of codes?

One answer on the web: "If $p(z \mid x) = \mathcal{N}(0, I)$ for every $x$, then $p(z) = \mathcal{N}(0, I)$, so the prior fits". Another: "It is a misconception that the whole batch should look normal. The term is for each picture on its own". Let us measure what is true.

Call the mixture of all posteriors $q(z) = \frac1N \sum_i q(z \mid x_i)$ the **aggregate posterior**. The average KL splits in two ([Hoffman & Johnson 2016](http://approximateinference.org/accepted/HoffmanJohnson2016.pdf)):

$$\frac1N \sum_i \operatorname{KL}\bigl(q(z \mid x_i) \,\|\, p(z)\bigr) = \underbrace{I(x; z)}_{\text{what } z \text{ tells about } x} + \underbrace{\operatorname{KL}\bigl(q(z) \,\|\, p(z)\bigr)}_{\text{the cloud against the prior}}.$$

$I(x; z)$ is the **mutual information**: the average of $\log q(z \mid x_i) - \log q(z)$. First the split itself, by numerical integration for three posteriors in one dimension.
"""

# %%
mean, std = torch.tensor([-1.0, 0.2, 1.5]).double(), torch.tensor([0.3, 0.6, 0.2]).double()
line = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
posteriors = Normal(mean[:, None], std[:, None]).log_prob(line)  # (3, 20 001)
aggregate = posteriors.logsumexp(0) - math.log(3)


def integral(values):
    return torch.trapezoid(values, line)


average_kl = integral(posteriors.exp() * (posteriors - prior.log_prob(line))).mean()
information = integral(posteriors.exp() * (posteriors - aggregate)).mean()
cloud = integral(aggregate.exp() * (aggregate - prior.log_prob(line)))
claim("Average KL - (I + cloud)", average_kl - information - cloud, equals=0, within=1e-9)

# %% [markdown]
r"""
Now a trained VAE, one with the right KL and one with the slip. To train them to the very end in seconds, we shrink the digits to 7 × 7 pixels.
"""

# %%
digits = load_images("digits", n_train=2_000, n_test=500, seed=seed)
small = F.avg_pool2d(digits.train, 4)  # (2000, 1, 7, 7)


def slip_kl(mean, log_std):
    return (0.5 * (log_std.exp() + mean**2 - 1 - log_std)).sum(1)


def train(kl):
    def loss(model, x):
        posterior = model.encode(x)
        z = sample_posterior(*posterior)
        return (kl(*posterior) - model.log_likelihood(x, z)).mean()

    torch.manual_seed(seed)
    vae = VAE((1, 7, 7), 4, hidden=(64,), std=0.2)
    for lr, steps in ((5e-3, 2_000), (6e-4, 800)):  # the small steps at the end settle it
        fit(vae, loss, small, steps=steps, lr=lr, seed=seed)
    return Gaussian(*encode_all(vae, small))


trained = {"right": train(kl_standard_normal), "slip": train(slip_kl)}
split = split_mean_kl(trained["right"], n_samples=8)
information, five = split.mutual_information.mean, 5 * split.mutual_information.standard_error
print(f"{split.mean_kl:.2f} nats = I {information:.2f} + cloud {split.aggregate_kl.mean:.2f}")
claim("The cloud against the prior, nats", split.aggregate_kl.mean, at_least=five)
claim("What z tells about the picture, nats", information, at_least=1)
claim("... which is at most log N", information, at_most=math.log(2_000) + five)

# %% [markdown]
r"""
Both answers from the web were half right.

The term is computed for each picture on its own, yes. But its average contains the distance of the *cloud* from the prior. So it does press the cloud towards the prior. It also presses on the information, which the reconstruction pays for.

And no single posterior looks like the prior. If every one did, $I$ would be zero: the code would know nothing of the picture, and the decoder would show one picture for all. That is total **posterior collapse**, not the aim. It is enough for $q(z) = p(z)$, but it is not necessary. The linear VAE shows it: its best posteriors are narrow, and their cloud is exactly the prior.
"""

# %%
everyone = Gaussian(torch.zeros(500, 4), torch.zeros(500, 4))
split = split_mean_kl(everyone)
claim("If each posterior is N(0, I), I is", split.mutual_information.mean, equals=0, within=1e-9)

flat = small.flatten(1).double()
linear = fit_linear_vae(flat, 4, variance=0.04)
best = linear.posterior(flat)
claim("Linear VAE: variance of one posterior", best.variance.max(), at_most=0.5)
cloud = torch.cov(best.mean.T, correction=0) + best.covariance_matrix[0]
distance = (cloud - torch.eye(4)).abs().max()
claim("Linear VAE: covariance of the cloud minus I", distance, equals=0, within=1e-9)

# %% [markdown]
r"""
## What training must end with

There is one more check, and it needs no look at the code. Take a latent $j$ and stretch it: $z_j \to a z_j + b$. The encoder can do that in its last layer, and the decoder can undo it in its first, so the reconstruction need not change. Only the KL does. At the end of training no such stretch may help. So the slopes of the average KL in $a$ and $b$ are zero. SymPy takes them.
"""

# %%
a, b = sp.symbols("a b", real=True)
for name, formula in (("right", right), ("slip", slip)):
    stretched = formula.subs({mu: a * mu + b, log_sigma: log_sigma + sp.log(a)}, simultaneous=True)
    slopes = [sp.simplify(stretched.diff(c).subs({a: 1, b: 0})) for c in (a, b)]
    print(f"{name}: slope in a = {slopes[0]}, in b = {slopes[1]}")
    sides = {
        "right": mu**2 + sp.exp(2 * log_sigma) - 1,
        "slip": mu**2 + sp.exp(log_sigma) / 2 - sp.Rational(1, 2),
    }
    same(f"{name}, slope in a", slopes[0], sides[name])
    same(f"{name}, slope in b", slopes[1], mu)

# %% [markdown]
r"""
So for the right KL, whatever the pictures and the weight of the term: averaged over pictures, $\mathbb{E}\,\mu_j = 0$ and $\mathbb{E}[\mu_j^2 + \sigma_j^2] = 1$ for each latent. These are the mean and the second moment of the cloud. The slip has another rule, $\mathbb{E}[\sigma_j + 2\mu_j^2] = 1$, and its cloud comes out too small.
"""

# %%
worst = {}
for name, (mean, log_std) in trained.items():
    std = log_std.exp()
    moments = (mean**2 + std**2).mean(0)  # (4,), over pictures
    slip_rule = (std + 2 * mean**2).mean(0)
    print(f"{name:5s} E[μ² + σ²] = {[round(m, 3) for m in moments.tolist()]}")
    print(f"      E[σ + 2μ²] = {[round(m, 3) for m in slip_rule.tolist()]}")
    claim(f"{name}: largest |E μ|", mean.mean(0).abs().max(), at_most=0.1)
    worst[name] = {"right": (moments - 1).abs().max(), "slip": (slip_rule - 1).abs().max()}

claim("Right KL: E[μ² + σ²] from 1, worst latent", worst["right"]["right"], at_most=0.1)
claim("Slip: E[μ² + σ²] from 1, worst latent", worst["slip"]["right"], at_least=0.3)
claim("Slip: its own rule from 1, worst latent", worst["slip"]["slip"], at_most=0.12)

# %% [markdown]
r"""
A trained model can be asked whether its KL was right. Take the codes, average $\mu_j^2 + \sigma_j^2$. About one half? Look for a $\log \sigma$ where a $\log \sigma^2$ belongs.

## What to take along

The KL of one latent is $\frac12(\sigma^2 + \mu^2 - 1) - \log\sigma$. Its minimum proves little: check a value away from it, against something that does not share your derivation. And the term works on each posterior *and* on the cloud.

Next, [chapter 5](05_reparameterization.ipynb): the other term has a draw in it. How does a gradient get through?

## Practise

[Exercises 4](exercises/04_analytic_kl.ipynb) check what you write and name your mistake. The KL and its gradient by computer algebra and by hand, the KL of any two Gaussians, and a test that is not blind.

## Summary
"""

# %% tags=["hide-input"]
summary()
