# %% [markdown]
r"""
# 5 · The reparameterization trick

[Chapter 2](02_from_ae_to_vae.ipynb) drew its code as $z = \mu + \sigma \varepsilon$, and training worked. That line looks like a detail. It is how the encoder gets its gradient.
"""

# %% tags=["hide-input"]
import math
from functools import partial

import sympy as sp
import torch
from torch.distributions import Normal
from torch.nn.functional import avg_pool2d

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation import encode_all, estimate, estimate_elbo
from vae_course.exact import fit_linear_vae
from vae_course.models import VAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("05_reparameterization")
digits = load_images("digits", n_train=5_120, n_test=2_000, seed=seed)

nodes = {"p": (0, 0, "$\\phi$"), "q": (1, 0, "$\\mu, \\sigma$"), "z": (2, 0, "$z$")}
nodes |= {"f": (3, 0, "$f(z)$")}
figure, (left, right) = plotting.figure(9.5, 2.1, columns=2)
plotting.draw_graph(left, "$z$ is drawn", "z", "pq qz zf", "fz", **nodes)
left.text(1.5, -0.12, "×", color=plotting.COLOURS[5], fontsize=24, ha="center", va="center")
nodes |= {"e": (2, -0.85, "$\\varepsilon$")}
plotting.draw_graph(right, "$z$ is computed", "e", "pq qz zf ez", "fz zq qp", **nodes)
plotting.show(
    figure,
    caption="Solid: values. Dashed: slopes. A grey circle is random. Left, the slope ends at the "
    "random z. Right, the randomness has moved out to ε, and the way back to φ is free.",
    alt="Two chains of boxes: phi, then mu and sigma, then z, then f of z. On the left z is a grey "
    "circle, a dashed arrow from f ends at it, and a cross stands between z and mu. On the right z is "
    "a white box, a grey circle epsilon points to it, and dashed arrows lead from f back to phi.",
)

# %% [markdown]
r"""
**After this chapter you can**

- say why a gradient does not pass through a draw, and rewrite the draw so that it does;
- write the two classic estimators of the gradient, and check that both are right on average;
- work out how noisy each is, and name cases where the popular rule is wrong;
- train a VAE with either, and say what a baseline buys;
- decide when to spend on more draws, and when on more pictures;
- report an ELBO, and not a number that only looks like one.

In a hurry? Read the next two sections, then go on at *In a VAE*. The second estimator, in between, is for those who want to know what the trick saves you from, or who meet latents without slopes.

## Why the gradient stops at a draw

The encoder, with weights $\phi$, gives a mean $\mu$ and a standard deviation $\sigma$. A latent $z$ is drawn from $\mathcal{N}(\mu, \sigma^2)$. Something happens to it: call it $f(z)$. In a VAE, $f(z)$ is $\log p_\theta(x \mid z)$, with the decoder's weights $\theta$. We care about the average

$$F(\mu, \sigma) = \mathbb{E}_{z \sim \mathcal{N}(\mu, \sigma^2)}\bigl[f(z)\bigr].$$

To train the encoder we need the slopes of $F$ in $\mu$ and in $\sigma$. The chain rule takes them on to $\phi$. But look where $\mu$ and $\sigma$ stand. They are not inside $f$. They say *which $z$ come up*. And a $z$ that has come up is just a number. It does not say where it would be, had $\mu$ been a little larger.

PyTorch knows this. `sample()` returns such a number. `rsample()`, with the same random numbers, returns the same one, and remembers where it came from.
"""

# %%
mean = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
std = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

torch.manual_seed(seed)
cut = Normal(mean, std).sample()
torch.manual_seed(seed)
kept = Normal(mean, std).rsample()
print(cut, kept, sep="\n")

slope_mean, slope_std = torch.autograd.grad(kept, [mean, std])
noise = (kept - mean) / std

# %% tags=["hide-input"]
claim("The two draws differ by", kept - cut, equals=0, within=1e-9)
claim("rsample(): slope of z in the mean", slope_mean, equals=1, within=1e-9)
claim("rsample(): slope of z in the std, minus ε", slope_std - noise, equals=0, within=1e-9)

# %% [markdown]
r"""
So what does `rsample()` do? It draws a **noise** $\varepsilon$ from $\mathcal{N}(0, 1)$, and *computes*

$$z = \mu + \sigma \varepsilon.$$

The result has the same distribution. But now the randomness comes in from the side. For a given $\varepsilon$, $z$ is an ordinary function of $\mu$ and $\sigma$, with slopes 1 and $\varepsilon$. The cell has just found both. This is the **reparameterization trick**: the right half of the picture at the top. What becomes of a VAE if the program forgets $\varepsilon$, you can watch in your browser: [No noise in z](playground.ipynb).
"""

# %% tags=["hide-input"]
made, panels = plotting.figure(9, 2.5, columns=2, sharey=True)
means = torch.linspace(-1, 1, 81, dtype=torch.float64)[:, None]
own = torch.Generator().manual_seed(seed)
once = torch.randn(1, 50, generator=own, dtype=torch.float64)
anew = torch.randn(81, 50, generator=own, dtype=torch.float64)
for panel, eps_drawn, title in zip(panels, (anew, once), ("new draws", "the same ε"), strict=True):
    panel.plot(means, means**2 + 0.25, color="grey", linewidth=3, alpha=0.5)
    panel.plot(means, (means + 0.5 * eps_drawn).square().mean(1))
    panel.set(xlabel=r"$\mu$", title=title)
panels[0].set(ylabel="average of $z^2$")
plotting.show(
    made,
    caption="The average of f(z) = z² over 50 draws with σ = ½, as μ moves; grey: F. Left: new draws for "
    "each μ. Right: ε is drawn once, and z = μ + σε moves along.",
    alt="Two parabolas over μ, each beside a wide grey one. The left curve jumps up and down around the "
    "grey one. The right one is smooth, a little off, and has a slope everywhere.",
)

# %% [markdown]
r"""
## The first estimator: along the path

Now the average runs over the noise:

$$F(\mu, \sigma) = \mathbb{E}_{\varepsilon \sim \mathcal{N}(0, 1)}\bigl[f(\mu + \sigma \varepsilon)\bigr].$$

No parameter can change the distribution of $\varepsilon$. So the derivative may move inside the average, if $f$ has no jumps and does not grow too wildly. (Kinks do no harm: a network with ReLU has them, and a draw hits one with probability zero.) The chain rule brings the slopes 1 and $\varepsilon$:

$$\frac{\partial F}{\partial \mu} = \mathbb{E}\bigl[f'(z)\bigr], \qquad \frac{\partial F}{\partial \sigma} = \mathbb{E}\bigl[f'(z)\, \varepsilon\bigr].$$

Take one draw instead of the average. This is the **pathwise** estimator ([Kingma & Welling 2013](https://arxiv.org/abs/1312.6114), [Rezende et al. 2014](https://arxiv.org/abs/1401.4082)).

Let us test it where everything can be worked out: $f(z) = z^2$. The average of a polynomial needs only the moments $\mathbb{E}[\varepsilon^k]$. SymPy integrates them, and finds $F$ and its slopes.
"""

# %% tags=["hide-input"]
mu, eps, b = sp.symbols("mu epsilon b", real=True)
sigma = sp.Symbol("sigma", positive=True)
density = sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)
moments = [sp.integrate(eps**k * density, (eps, -sp.oo, sp.oo)) for k in range(7)]


def average(expression, symbol=eps, moments=moments):
    """E of a polynomial in a random symbol, ε unless told, from the moments of the symbol."""
    terms = sp.Poly(sp.expand(expression), symbol).terms()
    return sp.expand(sum(factor * moments[power] for (power,), factor in terms))


# %%
z = mu + sigma * eps
F = average(z**2)
exact = {"mean": sp.diff(F, mu), "std": sp.diff(F, sigma)}
print(f"F = {F}, slopes {exact['mean']} and {exact['std']}")
one_draw = {"mean": 2 * z, "std": 2 * z * eps}  # f'(z), and f'(z) ε

# %% tags=["hide-input"]
wrong = [name for name in exact if sp.expand(average(one_draw[name]) - exact[name]) != 0]
claim("Pathwise averages that are not the slope, of two", len(wrong), equals=0, within=0)

# %% [markdown]
r"""
## The second estimator: by the score

There is another way, and it needs no slope of $f$. Write the average as an integral over the density of $\mathcal{N}(\mu, \sigma^2)$. In a VAE that is $q_\phi(z \mid x)$ for one picture; here we write $q(z)$ for short. Only $q$ depends on $\mu$. Its slope is $\partial q = q\, \partial \log q$, by the chain rule for the logarithm. So

$$\frac{\partial F}{\partial \mu} = \int f(z)\, \frac{\partial q(z)}{\partial \mu}\, dz = \int f(z)\, \frac{\partial \log q(z)}{\partial \mu}\, q(z)\, dz = \mathbb{E}\Bigl[f(z)\, \frac{\partial \log q(z)}{\partial \mu}\Bigr].$$

That is an average over draws again. The slope of $\log q$ is called the **score**, and this is the **score-function** estimator, in reinforcement learning known as REINFORCE ([Williams 1992](https://doi.org/10.1007/BF00992696)). Read it like this: where $f$ came out large, make that $z$ more likely.

For a normal distribution the score is $(z - \mu)/\sigma^2 = \varepsilon/\sigma$ in $\mu$, and $(\varepsilon^2 - 1)/\sigma$ in $\sigma$.

Both estimators, for many draws at once:
"""


# %%
def pathwise(f, mean, std, noise):
    """One estimate of the slopes in mean and std for each draw: (N,), (N,)."""
    z = (mean + std * noise).requires_grad_()
    slope = torch.autograd.grad(f(z).sum(), z)[0]  # f'(z) of each draw
    return slope, slope * noise


def score_function(f, mean, std, noise):
    z = mean + std * noise  # only a draw: no slope is taken through it
    return f(z) * noise / std, f(z) * (noise**2 - 1) / std


# %% [markdown]
r"""
Are both right on average? Average 200 000 estimates, and compare with SymPy's slopes. How far off may they be? Five standard errors ([chapter 3](03_elbo.ipynb)).
"""

# %%
draws = torch.randn(200_000, dtype=torch.float64)
off = {}
for estimator in (pathwise, score_function):
    for name, values in zip(exact, estimator(torch.square, 1, 0.5, draws), strict=True):
        found = estimate(values)
        known = float(exact[name].subs({mu: 1, sigma: 0.5}))
        off[estimator.__name__, name] = abs(found.mean - known) / found.standard_error

# %% tags=["hide-input"]
claim("Slopes of both, furthest off, in standard errors", max(off.values()), at_most=5)

# %% [markdown]
r"""
## How noisy are they?

Both are right on average. But you do not train on an average. You train on a few draws, so it matters how much the estimates scatter.

There is a cheap way to help the score function. Take any constant $b$, and use $f(z) - b$ in place of $f(z)$. The score averages to zero, so the average stays as it was. Such a $b$ is called a **baseline**. Which one is best? SymPy writes the variance as a function of $b$, and finds where its slope is zero.
"""


# %% tags=["hide-input"]
def variance(expression):
    return sp.expand(average(expression**2) - average(expression) ** 2)


def best_baseline(varying):
    return sp.solve(sp.diff(varying, b), b)[0]


# %%
with_b = variance((z**2 - b) * eps / sigma)
best = best_baseline(with_b)
formulas = {
    "pathwise": variance(2 * z),
    "score": with_b.subs(b, 0),
    "score, best b": sp.expand(with_b.subs(b, best)),
}
print("best b:", best)
print(*(f"{name:13} {formula}" for name, formula in formulas.items()), sep="\n")

# %% [markdown]
r"""
Now measure. A variance is an average of squared deviations, so it has a standard error, too.
"""


# %% tags=["hide-input"]
def spread(estimates):
    """Their variance, (N,) or summed over the columns of (N, P), with its standard error."""
    squares = (estimates - estimates.mean(0)).square().reshape(len(estimates), -1)
    return estimate(squares.sum(1))


at_one = {mu: 1, sigma: 1}
measured = {
    "pathwise": pathwise(torch.square, 1, 1, draws)[0],
    "score": score_function(torch.square, 1, 1, draws)[0],
    "score, best b": score_function(lambda z: z**2 - float(best.subs(at_one)), 1, 1, draws)[0],
}
for name, values in measured.items():
    value, error = spread(values)
    known = formulas[name].subs(at_one)
    claim(f"Variance at μ = σ = 1, {name}", value, equals=known, within=5 * error)

# %% [markdown]
r"""
See it move. The noise $\varepsilon$ is drawn once. Turn $\sigma$, and each $z$ goes its own way: this is the trick. At a small $\sigma$ the pathwise estimates gather, and those by the score fly apart. (The function $\cos 5z$ is for the next section.)
"""

# %% tags=["hide-input"]
explorer.gradient_spread()

# %% [markdown]
r"""
At $\mu = \sigma = 1$ the variances were 4 along the path, 30 by the score, and 14 by the score with the best baseline. And this is one latent. Let there be $d$ of them, let $f(z) = \sum_j z_j^2$, and look at the slope in $\mu_1$. The pathwise estimator asks how $f$ changes along $z_1$, and the other latents drop out. The score function multiplies *all* of $f$ by the noise of the first latent. What the others add to $f$ is disturbance. A baseline takes its average away, but not its scatter.

We take $\mu = 0$ and $\sigma = 1$, and collect the others in $r = \sum_{j \ge 2} z_j^2$. SymPy finds the variances for any $d$: 4 for the pathwise estimator, $(d + 2)(d + 4)$ for the score, and $2(d + 2)$ for the score with the best baseline, $b = d + 2$.
"""

# %% tags=["hide-input"]
r, d = sp.symbols("r d", positive=True)
moments_of_r = [1, d - 1, (d - 1) * moments[4] + (d - 1) * (d - 2)]


def squared_score(shift):
    """E ((f(z) - shift) ε)², its average over ε and then over the other latents."""
    over_first = average(((eps**2 + r - shift) * eps) ** 2)
    return sp.factor(average(over_first, r, moments_of_r))


b_for_d = sp.solve(sp.diff(squared_score(b), b), b)[0]
growth = {
    "pathwise": variance(2 * eps),
    "score": squared_score(0),
    "score, best b": squared_score(b_for_d),
}
print(*(f"{name:13} {formula}" for name, formula in growth.items()), sep="\n")
in_text = {"pathwise": sp.Integer(4), "score": (d + 2) * (d + 4), "score, best b": 2 * (d + 2)}
agree = [sp.expand(growth[name] - in_text[name]) == 0 for name in growth]
claim("Formulas for any d that are as the text has them, of three", sum(agree), equals=3, within=0)

over_d = {name: {} for name in growth}
for size in (1, 10, 100):
    latents = torch.randn(2_000_000 // max(size, 10), size, dtype=torch.float64)
    f, first = latents.square().sum(1), latents[:, 0]
    over_d["pathwise"][size], over_d["score"][size] = spread(2 * first), spread(f * first)
    over_d["score, best b"][size] = spread((f - size - 2) * first)
apart = [
    abs(over_d[name][size].mean - formula.subs(d, size)) / over_d[name][size].standard_error
    for name, formula in growth.items()
    for size in (1, 10, 100)
]
claim("Nine variances, furthest from their formulas, in standard errors", max(apart), at_most=5)

# %% [markdown]
r"""
With 100 latents, the score function has 52 times the variance that it has to have, for want of a baseline. And with the best one it still has 51 times the variance of the pathwise estimator.

## Does the pathwise estimator always have less variance?

It is often said so. Here is the check (after [Mohamed et al. 2020](https://arxiv.org/abs/1906.10652)). Take a function that wiggles, $f(z) = \cos(\omega z)$, at $\mu = 0$ and $\sigma = 1$. Its slope is up to $\omega$, and changes sign from one wiggle to the next. The pathwise estimator sees these large slopes. The score function sees only the values of $f$, which are never beyond 1.
"""

# %% tags=["hide-input"]
omega, a = sp.symbols("omega a", positive=True)
wave = sp.integrate(sp.cos(a * eps) * density, (eps, -sp.oo, sp.oo))  # E cos(aε)

# At μ = 0 both estimates average to zero, so the variance is the average square. In it,
# sin² = (1 - cos 2ωε) / 2 and cos² = (1 + cos 2ωε) / 2, and -ε² cos(aε) is a second derivative.
wiggle = {
    "pathwise": omega**2 * (1 - wave.subs(a, 2 * omega)) / 2,
    "score": (1 - sp.diff(wave, a, 2).subs(a, 2 * omega)) / 2,
}
print(f"E cos(aε) = {wave}", *(f"Var {name}: {wiggle[name]}" for name in wiggle), sep="\n")
over_omega, apart = {name: {} for name in wiggle}, []
for speed in (0.5, 1, 10):
    for name, estimator in {"pathwise": pathwise, "score": score_function}.items():
        estimates = estimator(lambda z, w=speed: torch.cos(w * z), 0, 1, draws)[0]
        over_omega[name][speed] = value, error = spread(estimates)
        known = wiggle[name].subs(omega, speed)
        apart.append(abs(value - known) / error)
        if speed == 10:
            claim(f"Variance, ω = {speed}, {name}", value, equals=known, within=5 * error)
claim("All six, furthest from their formulas, in standard errors", max(apart), at_most=5)

# %% tags=["hide-input"]
figure, panels = plotting.figure(9.5, 3.2, columns=2)
speeds = torch.logspace(-0.5, 1.1, 60).tolist()
sides = ((growth, over_d, d, range(1, 101)), (wiggle, over_omega, omega, speeds))
for axis, (curves, points, symbol, along) in zip(panels, sides, strict=True):
    for (name, formula), marker in zip(curves.items(), "^os", strict=False):
        (line,) = axis.plot(along, [float(formula.subs(symbol, at)) for at in along], label=name)
        heights = [point.mean for point in points[name].values()]
        axis.plot(list(points[name]), heights, marker, color=line.get_color())
    axis.set(xscale="log", yscale="log", ylabel="variance")
    axis.legend()
panels[0].set(xlabel="number of latents $d$", title="$f(z) = z_1^2 + \\dots + z_d^2$")
panels[1].set(xlabel="$\\omega$", title="$f(z) = \\cos(\\omega z)$")
plotting.show(
    figure,
    caption="Variance of one estimate of the slope in the (first) mean, for both functions. Lines: "
    "closed forms. Points: measured.",
    alt="Two plots on logarithmic axes, with measured points on the lines. Left, over 1 to 100 latents, "
    "the score function's variance climbs from 15 to ten thousand, with the best baseline from 6 to two "
    "hundred, and the pathwise one stays at 4. Right, over omega, the pathwise one rises steeply. Near one "
    "it crosses the line of the score function, which dips there and then stays at one half.",
)

# %% [markdown]
r"""
At $\omega = 10$ it is 50 against ½, the other way round. So "less variance" is a rule of thumb, not a theorem. You can rely on it where $f$ bends little over the width of $q$.

What if $f$ has a step? Let $f(z)$ be 1 where $z > 0$, and 0 elsewhere. Its slope is zero everywhere, but at one point. So the pathwise estimate is zero for every draw. Yet $F$ is the chance that $z > 0$, and it grows with $\mu$. There the derivative may *not* move inside the average.
"""

# %% tags=["hide-input"]
location = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
chance = Normal(0.0, 1.0).cdf(location / 2)  # that z > 0, for μ = 1 and σ = 2
(true_slope,) = torch.autograd.grad(chance, location)

flat = pathwise(lambda z: (1 + torch.sign(z)) / 2, 1, 2, draws)[0]
by_score = estimate(score_function(lambda z: (z > 0).double(), 1, 2, draws)[0])
five = 5 * by_score.standard_error
claim("Step: largest pathwise estimate", flat.abs().max(), equals=0, within=0)
claim("Step: score function", by_score.mean, equals=true_slope.item(), within=five)

# %% [markdown]
r"""
So which latents can be reparameterized? Those whose draw can be written as a continuous function of its parameters and of a noise that knows nothing of them: normal, Laplace, logistic and uniform directly, Gamma and Dirichlet with more effort (`rsample` in PyTorch says which). A *discrete* latent jumps, like the step. Three ways out are common: the score function with a good baseline; a soft draw that becomes a hard one by and by (Gumbel-softmax, [Jang et al. 2017](https://arxiv.org/abs/1611.01144)); or no draw at all and a slope that is simply passed through, as in the VQ-VAE ([van den Oord et al. 2017](https://arxiv.org/abs/1711.00937)).

## In a VAE

The function `sample_posterior` is the trick, with one $\varepsilon$ for each latent. Given the same random numbers, it returns what PyTorch's `rsample()` returns.
"""

# %% tags=["hide-input"]
some_means, some_log_stds = torch.randn(2, 5, 32)
torch.manual_seed(seed)
ours = sample_posterior(some_means, some_log_stds)
torch.manual_seed(seed)
of_torch = Normal(some_means, some_log_stds.exp()).rsample()
claim("sample_posterior against rsample", (ours - of_torch).abs().max(), at_most=1e-6)

# %% [markdown]
r"""
Now train a small VAE with each estimator, for 300 steps. Call $\log p_\theta(x \mid z)$ the **reward** of a draw. Only the slope of its average in $\phi$ is in question. The KL has a closed form, without a draw. And $\theta$ stands inside the reward, so its slope gets through in any case.

For the score function we need a loss whose *slope* in $\phi$ is minus the estimate. For one picture that is

$$-\bigl(\log p_\theta(x \mid z) - b\bigr)\, \log q_\phi(z \mid x),$$

where the bracket and $z$ are detached, so that they count as plain numbers. Only the slope of this loss has a meaning, not its value. It is called a **surrogate**.

And the baseline $b$? It must not depend on this $z$. So take the average reward of *others*, and leave this one out. We try two kinds. A **batch baseline** averages over the other pictures of the batch. An **own baseline** needs two draws of each picture, and uses the reward of the other draw ([Kool et al. 2019](https://wouterkool.github.io/publication/buy-4-samples-free-baseline/)). It costs a second pass through the decoder.
"""


# %%
def pathwise_loss(model, x, draws=1):
    elbo = model.elbo(x, n_samples=draws).total  # z from sample_posterior
    return {"loss": -elbo.mean(), "elbo": elbo.mean()}


def score_loss(model, x, draws=1):
    posterior = model.encode(x)
    codes = [sample_posterior(*posterior).detach() for _ in range(draws)]
    reward = torch.stack([model.log_likelihood(x, z) for z in codes])  # (draws, batch)
    log_q = torch.stack([gaussian_log_likelihood(z, *posterior) for z in codes])

    others = 0 if draws > 1 else 1  # other draws of the picture, or else other pictures
    count = reward.shape[others] - 1
    baseline = (reward.sum(others, keepdim=True) - reward) / count
    surrogate = (reward - baseline).detach() * log_q  # (draws, batch)

    elbo = reward.mean(0) - kl_standard_normal(*posterior)  # mean over draws: (batch,)
    return {"loss": -(elbo + surrogate.mean(0)).mean(), "elbo": elbo.mean()}


# %%
losses = {
    "pathwise": pathwise_loss,
    "score, batch b": score_loss,
    "score, own b": partial(score_loss, draws=2),
}
models, histories, elbos = {}, {}, {}
for name, loss in losses.items():
    torch.manual_seed(seed)
    models[name] = VAE((1, 28, 28), 32, hidden=(64,), std=0.3)
    history = fit(models[name], loss, digits.train, steps=300, lr=1e-3, seed=seed)
    histories[name] = history["elbo"]
    elbos[name] = estimate_elbo(models[name], digits.test, n_samples=3)["total"].mean
    print(f"{name:14s} test ELBO {elbos[name]:6.1f} nats")

# %% tags=["hide-input"]
behind = {name: elbos["pathwise"] - elbos[name] for name in losses}
claim("Nats behind, score, batch b", behind["score, batch b"], at_least=40, at_most=120)
claim("Nats behind, score, own b", behind["score, own b"], at_least=8, at_most=45)
closed = 1 - behind["score, own b"] / behind["score, batch b"]
claim("Share of the gap that the own baseline closes", closed, at_least=0.4, at_most=0.9)

# %% tags=["hide-input"]
figure, (axis,) = plotting.figure(6.5, 3.4)
for name, colour in zip(losses, plotting.COLOURS, strict=False):
    smooth = histories[name].unflatten(0, (-1, 10)).mean(1)  # over ten steps
    axis.plot(torch.arange(len(smooth)) * 10 + 5, smooth, label=name, color=colour)
axis.set(xlabel="step", ylabel="ELBO of the batch [nats]", ylim=(-300, 70))
axis.legend(loc="lower right")
plotting.show(
    figure,
    caption="The same VAE with 32 latents, trained with three estimators of the encoder's slope. "
    "Averages over ten steps.",
    alt="Three curves that rise together and steeply in the first 60 steps, to about minus 60 nats. "
    "Then they part. The pathwise one climbs highest, the score function with its own baseline "
    "follows with a delay, and the one with a batch baseline hardly rises any more.",
)

# %% [markdown]
r"""
Same model, same pictures, same number of steps. The pathwise estimator wins, though the one with its own baseline gets twice the draws. But about half of the batch baseline's gap, or more, is closed by a better baseline (and the second draw that it needs). So beware of a comparison that does not name its baseline.

Is it the noise? Hold a trained model and one batch fixed, and draw again and again. How much do the slopes in the encoder's weights scatter? We add up the variances over all the weights, and divide by the pathwise sum.
"""


# %%
def gradient(model, loss, x, weights):
    """The slope of the loss of one batch, as one long vector."""
    parts = torch.autograd.grad(loss(model, x)["loss"], weights)
    return torch.cat([part.flatten() for part in parts])


model, variances = models["pathwise"], {}
encoder_weights = list(model.encoder.parameters())
batch = digits.train[:128]
for name, loss in losses.items():
    samples = [gradient(model, loss, batch, encoder_weights) for _ in range(60)]
    variances[name] = spread(torch.stack(samples)).mean

# %% tags=["hide-input"]
ratios = {name: value / variances["pathwise"] for name, value in variances.items()}
claim("Variance ratio, score, batch b", ratios["score, batch b"], at_least=300, at_most=5_000)
claim("Variance ratio, score, own b", ratios["score, own b"], at_least=8, at_most=60)
with torch.no_grad():
    codes = (sample_posterior(*model.encode(batch)) for _ in range(30))
    rewards = torch.stack([model.log_likelihood(batch, z) for z in codes])
unlike = rewards.mean(0).std() / rewards.std(0).mean()  # over pictures, over draws
claim("Spread of rewards from picture to picture, over that of draws", unlike, at_least=3)

# %% [markdown]
r"""
A batch baseline is poor because rewards differ from picture to picture, far more than from draw to draw.

Are all three right on average? A sign or a `detach` in the wrong place need not show in a variance. So take one picture, a thousand copies of it in a batch, and the slope in the encoder's last bias: 64 numbers. The three must agree within their standard errors. The last claim makes sure that there is something to agree on.
"""

# %% tags=["hide-input"]
copies = digits.test[:1].expand(1_000, -1, -1, -1)
centres = {}  # mean slopes and their squared standard errors
for name, loss in losses.items():
    in_bias = torch.stack(
        [gradient(model, loss, copies, [model.encoder[-1].bias]) for _ in range(40)]
    )
    centres[name] = in_bias.mean(0), in_bias.var(0) / len(in_bias)

path_slope, path_error = centres.pop("pathwise")
for name, (its_slope, its_error) in centres.items():
    distance = (its_slope - path_slope) / (its_error + path_error).sqrt()
    claim(f"{name}, standard errors off, RMS", distance.square().mean().sqrt(), at_most=1.5)
    clear = (path_slope.abs() / its_error.sqrt()).max()
    claim(f"Largest slope, in standard errors of {name}", clear, at_least=15)

# %% [markdown]
r"""
## The KL: by formula, by draws, or neither

The KL has a formula. [Chapter 4](04_analytic_kl.ipynb) showed that it can leave the loss noisier. What about the slopes? Here are three ways to write the ELBO of one draw $z = \mu + \sigma\varepsilon$:

1. **formula**: $\log p(x \mid z)$ minus the analytic KL;
2. **sampled**: $\log p(x \mid z) + \log p(z) - \log q(z \mid x)$, all three by the draw;
3. **path**: the same, but with $\mu$ and $\sigma$ *inside* $\log q(z \mid x)$ detached. Slopes come along the path of $z$ alone. What is dropped is the score of $q$, which averages to zero. So the third is right on average, too ([Roeder et al. 2017](https://arxiv.org/abs/1703.09194)).

Measure how the slopes in $\mu$ and $\log\sigma$ scatter from draw to draw. Once for the trained model. And once for a linear VAE with its exact posterior, where $\log w$ is the same for every $z$, so that its slope along the path is zero.
"""


# %%
def elbo_of_draw(kind, log_likelihood, x, mean, log_std):
    z = sample_posterior(mean, log_std)
    if kind == "formula":
        return log_likelihood(x, z) - kl_standard_normal(mean, log_std)
    q = (mean.detach(), log_std.detach()) if kind == "path" else (mean, log_std)
    log_prior = gaussian_log_likelihood(z, torch.zeros_like(z), 0.0)
    return log_likelihood(x, z) + log_prior - gaussian_log_likelihood(z, *q)


def slopes_of(kind, log_likelihood, x, posterior, repeats=300):
    """Slopes in (mean, log_std) of each picture and draw: (repeats, batch, 2 d)."""
    slopes = []
    for _ in range(repeats):
        parts = [part.detach().clone().requires_grad_() for part in posterior]
        total = elbo_of_draw(kind, log_likelihood, x, *parts).sum()
        slopes.append(torch.cat(torch.autograd.grad(total, parts), 1))
    return torch.stack(slopes)


# %% tags=["hide-input"]
pixels = avg_pool2d(digits.train, 2).flatten(1)
exact_vae = fit_linear_vae(pixels, latent_dim=8, variance=0.03)


def linear_likelihood(x, z):
    decoded = z @ exact_vae.weight.T + exact_vae.bias
    return gaussian_log_likelihood(x, decoded, 0.5 * math.log(exact_vae.variance))


few, flat_few = digits.test[:64], avg_pool2d(digits.test[:64], 2).flatten(1).double()
true = exact_vae.posterior(flat_few)  # its covariance is diagonal for these axes
exact_q = true.mean, true.stddev.log()
settings = {
    "trained": (model.log_likelihood, few, encode_all(model, few)),
    "exact": (linear_likelihood, flat_few, exact_q),
}
scatter, average_slopes = {}, {}
for where, setting in settings.items():
    for kind in ("formula", "sampled", "path"):
        by_draw = slopes_of(kind, *setting)
        scatter[where, kind] = by_draw.var(0).sum(1).mean().item()  # over draws, sum, over pictures
        average_slopes[where, kind] = by_draw.mean(0), by_draw.var(0) / len(by_draw)
    print(
        f"{where:7}",
        *(f"  {kind} {scatter[where, kind]:7.2f}" for kind in ("formula", "sampled", "path")),
    )

(one, its), (other, others) = (average_slopes["trained", kind] for kind in ("formula", "path"))
rms = ((one - other) / (its + others).sqrt()).square().mean().sqrt()
claim("Path against formula, on average: standard errors off, RMS", rms, at_most=1.5)
for kind, least, most in (("sampled", 0.95, 1.4), ("path", 0.5, 0.95)):
    over_formula = scatter["trained", kind] / scatter["trained", "formula"]
    claim(f"Trained: variance, {kind} over formula", over_formula, at_least=least, at_most=most)
# With the formula, the slope is (s - 1/s) ε in the mean m of a latent, and
# (1 - s²)(1 - ε²) + s m ε in the logarithm of its standard deviation s.
m, s = true.mean, true.stddev
known = ((1 / s - s).square() + 2 * (1 - s**2).square() + (s * m).square()).sum(1).mean().item()
with_formula = scatter["exact", "formula"]
claim("Exact posterior: variance, formula", with_formula, equals=known, within=known / 20)
claim("Exact posterior: variance, path", scatter["exact", "path"], equals=0, within=1e-9)

# %% [markdown]
r"""
For the trained model, the formula and the sampled KL are about equally noisy. Dropping the score of $q$ does gain something, though nothing is computed but draws. And at the exact posterior it leaves no noise at all. The course uses the formula all the same, for it is one line, and it is what you meet elsewhere.

## Is one draw per picture enough?

You can read that one draw per picture is enough, because the trick has low variance. Kingma and Welling wrote something a little different: one draw, as long as the batch is large, $M = 100$ pictures. One draw is right on average, and so is any other number $K$ of them. The question is where to spend: on more draws of the same pictures, or on more pictures?

The slope of a batch scatters for two reasons: which pictures are in it, and which $z$ were drawn. Let $V_\text{pictures}$ be the variance, from picture to picture, of a picture's average slope. Let $V_\text{draws}$ be the variance from draw to draw, averaged over the pictures. Then, by the law of total variance,

$$\operatorname{Var} = \frac{V_\text{pictures} + V_\text{draws} / K}{M}.$$

More draws shrink one part. More pictures shrink both, because each new picture brings its own draw.

Measure it for the slopes in *all* weights of the model, with 256 pictures as the whole data set. Batches of 16 pictures with one draw and with eight give you both parts. The formula must then predict the other batches.
"""

# %% tags=["hide-input"]
batch_variance, pool = {}, digits.train[:256]
all_weights = list(model.parameters())
for M, K in ((16, 1), (16, 8), (32, 2), (72, 1), (128, 1)):
    with_K = partial(pathwise_loss, draws=K)
    batches = [pool[torch.randint(len(pool), (M,))] for _ in range(150)]
    by_batch = torch.stack([gradient(model, with_K, x, all_weights) for x in batches])
    batch_variance[M, K] = spread(by_batch)

one_draw_16, eight_draws_16 = (batch_variance[16, K].mean for K in (1, 8))
V_draws = 16 * (one_draw_16 - eight_draws_16) * 8 / 7
V_pictures = 16 * one_draw_16 - V_draws
print(f"V_pictures {V_pictures:.0f}, V_draws {V_draws:.0f}")

# %% tags=["hide-input"]
uncertain = max(v.standard_error / v.mean for v in batch_variance.values())
for M, K in ((32, 2), (128, 1)):
    ratio = batch_variance[M, K].mean * M / (V_pictures + V_draws / K)
    claim(f"Variance, M = {M}, K = {K}: found / predicted", ratio, equals=1, within=8 * uncertain)

more_pictures = one_draw_16 / batch_variance[128, 1].mean
claim("8 times the pictures divide it by", more_pictures, at_least=6, at_most=10)
more_draws = one_draw_16 / eight_draws_16
claim("8 times the draws divide it by", more_draws, at_least=1.5, at_most=4)
equal_cost = eight_draws_16 / batch_variance[72, 1].mean
claim("144 passes: 16 pictures with 8 draws, over 72 with one", equal_cost, at_least=1.3, at_most=3)

# %% tags=["hide-input"]
made, (spent,) = plotting.figure(5.8, 2.9)
sizes = torch.logspace(math.log10(16), math.log10(128), 50)
spent.plot(2 * sizes, (V_pictures + V_draws) / sizes, label="more pictures, one draw")
more = torch.linspace(1, 15, 50)
spent.plot(
    16 * (1 + more), (V_pictures + V_draws / more) / 16, "--", label="16 pictures, more draws"
)
for (M, K), found in batch_variance.items():
    on_it = K == 1 or M == 16
    spent.plot(M * (1 + K), found.mean, "o", color="black" if on_it else "grey")
spent.set(
    xscale="log", yscale="log", xlabel="passes through encoder and decoder", ylabel="variance"
)
spent.legend(fontsize=10)
plotting.show(
    made,
    caption="The variance of a batch's slope over its cost: what the formula says (curves) and what was "
    "measured (dots; grey: 32 pictures with two draws).",
    alt="Two falling curves from one point. The solid one, more pictures, falls in a straight line. The "
    "dashed one, more draws, soon flattens. The dots are close to the curves.",
)

# %% [markdown]
r"""
Eight times the pictures divide the variance by about eight. Eight times the draws divide it by two or three.

What does it cost? Eight draws of 16 pictures are 16 passes through the encoder and 128 through the decoder, 144 in all. The same 144 passes buy 72 pictures with one draw each. Those have less noise. (A pass through this decoder costs about as much as one through the encoder: they have nearly the same number of weights.) So draw once, and take more pictures, as long as you have them.

## At the end: draw, or take the mean?

Training is over, and you want to report the ELBO. A tempting shortcut skips the draw. It decodes the posterior's mean, and calls

$$\log p_\theta\bigl(x \mid z = \mu_\phi(x)\bigr) - \operatorname{KL}$$

the ELBO. The number even comes out better. That should make you suspicious.

Check it where $\log p(x)$ is known, with a **linear VAE**. Its decoder is $Wz + \bar x$: the best offset is the mean picture $\bar x$. Its noise has the variance $\sigma_x^2$. The best encoder gives the exact posterior, with a mean $m(x)$ and one covariance $S$ for all pictures. Then the ELBO *is* $\log p(x)$. And a draw has, on average, a larger squared error than the mean:

$$\mathbb{E}\,\lVert x - Wz - \bar x \rVert^2 = \lVert x - W m(x) - \bar x \rVert^2 + \operatorname{tr}(W S W^\top).$$

The shortcut leaves out the last term. So it must be too large by $\operatorname{tr}(W S W^\top) / 2\sigma_x^2$, on every single picture. We halve the digits to 14 × 14 pixels, so that it runs fast.
"""

# %%
train_pixels = avg_pool2d(digits.train, 2).flatten(1)
x = avg_pool2d(digits.test, 2).flatten(1)
linear = fit_linear_vae(train_pixels, latent_dim=10)
exact_posterior, log_p = linear.posterior(x), linear.log_marginal(x)
elbo = linear.elbo(x, exact_posterior)

decoded = exact_posterior.mean @ linear.weight.T + linear.bias
log_sigma_x = 0.5 * math.log(linear.variance)
above = gaussian_log_likelihood(x.double(), decoded, log_sigma_x) - elbo.kl - log_p
S = exact_posterior.covariance_matrix[0]  # the same for every picture
left_out = (linear.weight @ S @ linear.weight.T).trace() / (2 * linear.variance)


# %% tags=["hide-input"]
relative = (elbo.total / log_p - 1).abs().max()
claim("ELBO against log p(x), largest relative difference", relative, at_most=1e-6)
claim("Shortcut above log p(x), smallest", above.min(), equals=left_out, within=1e-6)
claim("Shortcut above log p(x), largest", above.max(), equals=left_out, within=1e-6)
claim("... per latent, nats", left_out / 10, at_least=0.4, at_most=0.5)

# %% [markdown]
r"""
So the shortcut lies *above* $\log p(x)$. It is no lower bound. It promises nats that are not there, almost half a nat for each latent.

And the VAE that you trained?
"""

# %%
model.requires_grad_(False)
posterior = encode_all(model, digits.test)
at_mean = model.log_likelihood(digits.test, posterior.mean)
shortcut = at_mean - kl_standard_normal(*posterior)
too_much = (shortcut - model.elbo(digits.test, n_samples=20).total).mean()

# %% tags=["hide-input"]
claim("Shortcut minus ELBO, 32 latents, nats", too_much, at_least=8, at_most=16)

# %% [markdown]
r"""
So for an ELBO, average over draws: `estimate_elbo` does, and gives you a standard error. For a reconstruction to look at, the mean is a good choice, because its squared error is smaller. `reconstruct` takes it. Say which of the two you took.

## What to take along

Compute $z = \mu + \sigma\varepsilon$, and the gradient passes. Both estimators are right on average, where $f$ has no jumps. Where it has, only the score function is. The pathwise one is quiet where $f$ bends little over the width of $q$, and it stays quiet with many latents. The score function needs no slope of $f$, and it stands or falls with its baseline. In training, draw once and take more pictures. In a report, draw, and do not take the mean.

## Practise

[Exercises 5](exercises/05_reparameterization.ipynb) check what you write and name your mistake. A draw that slopes pass through, the score function and its best baseline, and a case where the rule of thumb fails.

## The checks
"""

# %% tags=["hide-input"]
summary()
