# %% [markdown]
r"""
# 7 · Posterior collapse

A detective story. Somebody trained a VAE on colour photographs, and it painted nearly the same smudge for all of them. They suspected the pictures, the decoder and the gradients, tested each, and ended with a loss multiplied by 6000. It helped, a little. You reopen the case, judge every test, and find the culprit. It is one word.
"""

# %% tags=["hide-input"]
import math
import warnings

import torch
from torch.nn.functional import avg_pool2d

from vae_course import plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import DataNotFoundError, load_images
from vae_course.doctor import examine
from vae_course.evaluation import active_units, encode_all, kl_per_latent, rate_distortion
from vae_course.exact import collapse
from vae_course.models import VAE, Autoencoder, mlp
from vae_course.objectives import kl_standard_normal, sample_posterior
from vae_course.training import fit

seed = begin("07_posterior_collapse")
digits = load_images("digits", n_train=2_000, n_test=500, seed=seed)
# 14 × 14 pixels, to save time
pictures, unseen, D = avg_pool2d(digits.train, 2), avg_pool2d(digits.test, 2), 14 * 14
mean_picture = pictures.mean(0, keepdim=True)
plotting.rows(
    {"the input": unseen[:10], "the smudge": mean_picture.expand(10, -1, -1, -1)},
    caption="Ten pictures, and ten times the average of two thousand. It is what the broken VAE of this "
    "chapter makes of each of them.",
    alt="Two rows of ten small pictures. Above, ten different ones. Below, ten times the same grey smudge.",
)

# %% [markdown]
r"""
**After this chapter you can**

- tell a collapsed VAE from a healthy one, and name a popular test that cannot;
- prove that with a mean over pixels, black 0 and white 1, the best VAE there is paints the mean picture, whatever the network;
- turn any weight on the loss into the noise it stands for, and say whether it is too small;
- let a doctor find such a mistake in your own code.

Which latents live when the loss is right, and what helps those that could, is the matter of [chapter 8](08_latents_that_live.ipynb).

## The case

Here is what they reported, in our words.

1. On CIFAR-10, photographs of 32 × 32 pixels in three colours, all outputs are very blurry.
2. With only 200, 100 or 25 pictures to learn, they are still blurry.
3. With two pictures, the output is the *average* of the two.
4. Two different inputs give the same output. So does pure noise.
5. The two latent vectors $z$, however, are not zero, and they differ. So the encoder works.
6. More layers in the decoder change nothing.
7. The reconstruction loss stays at 0.2. The KL starts at a few hundred and soon is 1 or 2. This contrast must be the reason.
8. With the reconstruction loss times 6000, the pictures become recognisable, and are still a bit blurry.

Item 7 holds a clue. A photograph has 3072 numbers. If 0.2 were the *sum* of their squared errors, the pictures would be as good as perfect. So it must be a **mean** over the pixels. Many losses in PyTorch take that mean unless you tell them not to.

Let us write this loss, with a weight $c$ in front of the first term, and look. They had $c = 1$. Our digits have 14 × 14 pixels, to save time.
"""


# %%
def error(model, x, z):
    # How wrong the decoded pictures are, as a mean over pixels: (batch,)
    if model.likelihood == "bernoulli":
        return -model.log_likelihood(x, z) / D  # binary cross-entropy (BCE)
    return (x - model.decode(z).mean).square().flatten(1).mean(1)


def mean_loss(c=1.0):
    def loss(model, x):
        posterior = model.encode(x)
        wrong = error(model, x, sample_posterior(*posterior))  # (batch,)
        kl = kl_standard_normal(*posterior)  # (batch,), summed over latents
        return {"loss": (c * wrong + kl).mean(), "error": wrong.mean()}

    return loss


# %% tags=["hide-input"]
def new(latent_dim=10, shape=(1, 14, 14), hidden=(64,), **options):
    torch.manual_seed(seed)
    return VAE(shape, latent_dim, hidden=hidden, **(options or {"std": "unit"}))


def train(model, loss, images, steps, lr=4e-3, batch_size=128):
    # The last third of the steps is ten times smaller. That settles the weights.
    for rate, share in ((lr, steps - steps // 3), (lr / 10, steps // 3)):
        fit(model, loss, images, steps=share, lr=rate, seed=seed, batch_size=batch_size)
    return model.eval()


# %%
collapsed = new()
history = fit(collapsed, mean_loss(), pictures, steps=100, lr=1e-2, seed=seed)
train(collapsed, mean_loss(), pictures, 30)
healthy = train(new(), mean_loss(c=5_000), pictures, 250, lr=8e-3)  # another c

# %% [markdown]
r"""
For comparison we trained a second VAE. Its loss differs in one number, $c$, and we come to that.

The symptoms are all there. The loss gets stuck, at the error of one constant picture: the **mean picture**, the average of all training pictures. And that is what comes out, whatever goes in. Do it yourself, in your browser: in [One word: the mean over pixels](playground.ipynb) the latents die within seconds. Change *mean* to *sum*, and run on.
"""


# %% tags=["hide-input"]
def rms(difference):
    return difference.detach().square().mean().sqrt().item()


of_the_mean = rms(pictures - mean_picture) ** 2  # its error
inputs = torch.cat([unseen[:8], torch.rand(2, 1, 14, 14)])
same, outputs = collapsed.reconstruct(inputs), healthy.reconstruct(inputs)
from_prior, stuck = collapsed.sample(10, noise=False), history["error"][70:90].mean()
claim("Error after 80 steps, of the mean picture's", stuck / of_the_mean, equals=1, within=0.1)
claim("Outputs, from input to input: largest std", same.std(0).max(), at_most=0.01)
claim("... off the mean picture, RMS", rms(same - mean_picture), at_most=0.03)
claim("Decoded z ~ N(0, I), off the mean picture", rms(from_prior - mean_picture), at_most=0.03)
claim("Healthy: outputs, largest std", outputs.std(0).max(), at_least=0.1)

plotting.rows(
    {"input": inputs, "collapsed": same, "healthy": outputs},
    caption="Eight unseen pictures and two of pure noise, and what two VAEs make of them.",
    alt="Three rows of ten pictures. Above, eight digits and two squares of noise. In the middle, ten "
    "times the same grey smudge. Below, blurred digits, and for the noise something like digits.",
)

# %% [markdown]
r"""
## A test that proves nothing

They looked at the encoder's $z$: not zero, and different for different pictures. So they acquitted the encoder. Look at the test first.

An encoder that says nothing answers with the prior, $\mu_j = 0$ and $\sigma_j = 1$, for every picture. Then $z$ is *drawn* from $\mathcal{N}(0, I)$. Two draws differ, because they are draws. Their difference in one latent is normal with variance 2, and the mean of its absolute value is $2/\sqrt{\pi} = 1.128$. Let us measure the mean of $|z_j - z'_j|$ over pairs of pictures, for both VAEs.
"""


# %%
def mean_gap(z):
    return (z[:1000] - z[1000:]).abs().mean()  # over 1000 pairs, and over latents


models = {"Collapsed": collapsed, "Healthy": healthy}
posteriors = {name: encode_all(model, pictures) for name, model in models.items()}
gaps = {name: mean_gap(sample_posterior(*q)) for name, q in posteriors.items()}
print(*(f"{name:9} {gap:.2f}" for name, gap in gaps.items()), sep="\n")

# %% tags=["hide-input"]
known, standard_error = 2 / math.sqrt(math.pi), math.sqrt((2 - 4 / math.pi) / 10_000)
five = 5 * standard_error + 0.02  # of draws from the prior; and of a collapse that is not perfect
claim("Collapsed: z and z' differ by", gaps["Collapsed"], equals=known, within=five)
claim("Healthy: z and z' differ by", gaps["Healthy"], equals=known, within=0.35)

# %% [markdown]
r"""
The test says much the same of both, a number near 1. It has to: at the optimum the cloud of a healthy VAE's codes has mean 0 and second moment 1, too ([chapter 4](04_analytic_kl.ipynb)).

What does tell them apart? Take out the draw. Ask how much the *mean* $\mu_j$ varies from picture to picture, $\operatorname{Var}_x(\mu_j)$, and how large the KL of latent $j$ is. A latent is **collapsed** if its posterior is the prior for (nearly) every picture. Then both are zero.
"""

# %% tags=["hide-input"]
for name, bound in (("Collapsed", {"at_most": 0.01}), ("Healthy", {"at_least": 0.3})):
    claim(f"{name}: largest Var(μ_j)", posteriors[name].mean.var(0).max(), **bound)
    claim(f"{name}: largest KL_j, nats", kl_per_latent(models[name], pictures).max(), **bound)

# %% [markdown]
r"""
## The suspects

Now the others. Fewer pictures. Another loss, the cross-entropy (BCE), also as a mean over pixels. A deeper decoder. For each we measure the KL, count the active latents ([chapter 2](02_from_ae_to_vae.ipynb)), and compare the output with the mean picture of *its own* training set.
"""

# %% tags=["hide-input"]
suspects = {f"{n} pictures": (new(), pictures[:n]) for n in (200, 100, 25, 2)}
suspects["cross-entropy"] = new(likelihood="bernoulli"), pictures
suspects["deep decoder"] = new(), pictures
suspects["deep decoder"][0].decoder = mlp([10, 64, 64, 64, 64, 64, D])
worst = {"KL": 0.0, "active": 0, "off": 0.0}
print("                  KL  active  output off the mean picture, RMS")
for name, (model, images) in suspects.items():
    # Small sets are repeated, so that all have full batches.
    train(model, mean_loss(), images.repeat(2_000 // len(images), 1, 1, 1), 90, lr=2e-2)
    found = {
        "KL": kl_per_latent(model, images).sum().item(),
        "active": active_units(model, images),
        "off": rms(model.reconstruct(images) - images.mean(0)),
    }
    print(f"{name:14s} {found['KL']:.4f}  {found['active']:5d}  {found['off']:.3f}")
    worst = {key: max(worst[key], found[key]) for key in worst}
claim("Suspects: the largest KL, nats", worst["KL"], at_most=0.01)
claim("Suspects: most active latents", worst["active"], equals=0, within=0)
claim("Suspects: output off the mean picture, RMS, at most", worst["off"], at_most=0.1)

# %% tags=["hide-input"]
plotting.rows(
    {
        name: torch.cat([images[:2], images.mean(0, keepdim=True), model.reconstruct(images[:2])])
        for name, (model, images) in suspects.items()
    },
    width=4.2,
    caption="For each suspect: two of its training pictures, the mean of all of them, and what comes out "
    "for the two.",
    alt="Six rows of five pictures. In each row the first two are different digits, and the last three "
    "look alike: the same blurred mean picture.",
)

# %% [markdown]
r"""
None of them matters. So the deeper decoder did not help, and they concluded that it is not the decoder. That was right, and it was luck. Perhaps an even deeper one would have helped? A failed attempt proves nothing. You will see a proof in a minute.

What about the two pictures? The output is their average. Their explanation was that backpropagation averages the gradients over the batch. But every minibatch method averages gradients, and most of them learn. Take the same loop, the same two pictures, the same means over pixels and batch. Leave out the draw and the KL: a plain autoencoder.
"""


# %%
def averaged_error(model, x):
    return (x - model.reconstruct(x)).square().flatten(1).mean(1).mean()


pair, plain = pictures[:2], Autoencoder((1, 14, 14), 10, hidden=(64,))
train(plain, averaged_error, pair, 80)

# %% tags=["hide-input"]
left = averaged_error(plain, pair) / (pair - pair.mean(0)).square().mean()
claim("Autoencoder, two pictures: error in units of the average's", left, at_most=0.01)

# %% [markdown]
r"""
It learns both by heart. Averaged gradients are not to blame. If $z$ says nothing, then the best *constant* picture, the $a$ with the smallest $\sum_i \|x_i - a\|^2$, is the average. So the average is a symptom. The question is why $z$ says nothing.

## The theorem

Here is the answer, and it is stronger than any test of a suspect. (That the loss itself can be to blame, and not the way it is optimised, is also what [Dai et al. 2020](https://arxiv.org/abs/1912.10702) find, by other means.)

> Pixels between 0 and 1. The error is a **mean** over pixels, squared or cross-entropy. The KL is summed over latents, with a weight of 1 or more. Then no VAE has a lower loss than this one: the encoder says nothing, and the decoder paints the mean picture.

It does not matter how many pictures there are, how deep the networks, how many latents, or which optimiser. Collapse is not an accident on the way to the optimum. It *is* the optimum.

The proof has four lines. Let there be $N$ pictures $x_i$. Write $\ell(x, z)$ for the error of the picture $x$ when the decoder is given $z$, and $\bar\ell(x)$ for its error against the mean picture. The loss of picture $i$ is its error, averaged over draws of $z$, plus its KL: call it $\text{loss}_i$. The collapsed VAE has the loss $\bar\ell(x_i)$, as its KL is zero. A weight above 1 on the KL only makes every other VAE worse, so let it be 1.

**Line 1, the best encoder.** Jensen's inequality as in [chapter 3](03_elbo.ipynb), with $e^{-\ell}$ in place of the likelihood. Whatever $q$ the encoder gives,

$$\mathbb{E}_{q}[\ell(x, z)] + \operatorname{KL}(q \,\|\, p) \ \ge\ -\log \mathbb{E}_{p(z)}\bigl[e^{-\ell(x, z)}\bigr].$$

There is no encoder left on the right.

**Line 2, one painted picture at a time.** By how much can a VAE beat the mean picture, on average over the pictures? Line 1 bounds each $\text{loss}_i$. And the average of logarithms is at most the logarithm of the average. (In it, the average over pictures and that over $z$ may change places: the average of a sum is the sum of the averages.)

$$\frac1N \sum_i \bigl(\bar\ell(x_i) - \text{loss}_i\bigr) \ \le\ \frac1N \sum_i \log \mathbb{E}_{p(z)}[r_i(z)] \ \le\ \log \mathbb{E}_{p(z)}\Bigl[\frac1N \sum_i r_i(z)\Bigr],$$

with the ratios $r_i(z) = e^{\bar\ell(x_i) - \ell(x_i, z)}$.

So if $\frac1N \sum_i r_i \le 1$ for *every* picture that a decoder could paint, the gain is at most $\log 1 = 0$, and we are done.

**Line 3, one pixel at a time.** Here the word *mean* comes in. $\bar\ell - \ell$ is a mean over pixels. The exponential of a mean is a geometric mean, and that is at most the arithmetic mean: $r_i \le \frac1D \sum_k r_{ik}$, where $r_{ik}$ is the ratio for pixel $k$ alone.

**Line 4, one pixel.** Let a pixel have the values $x_i$ with mean $m$, and let the decoder paint $f$.

- *Cross-entropy.* (Where $m$ is 0 or 1, all $x$ are equal to it, and no $f$ does better: $r \le 1$.) Else $r = (f/m)^{x} \bigl((1-f)/(1-m)\bigr)^{1-x}$ is a weighted geometric mean, so $r \le x \frac fm + (1 - x)\frac{1-f}{1-m}$. Average over the pictures, where $x$ has the mean $m$: you get $f + (1 - f) = 1$.
- *Squares.* With $\delta = f - m$ we have $r = e^{2\delta(x - m) - \delta^2}$. How large can the average of $e^{2\delta(x - m)}$ be? **Hoeffding's lemma** ([Hoeffding 1963](https://doi.org/10.1080/01621459.1963.10500830)) says: a number $y$ with mean 0 from an interval of width $u$ has $\mathbb{E}\,e^{ty} \le e^{t^2 u^2 / 8}$. Here $t = 2\delta$ and $u = 1$. So the average of $r$ is at most $e^{\delta^2/2 - \delta^2} \le 1$. ∎

The lemma says in one picture: however $y$ is distributed, $\log \mathbb{E}\,e^{ty}$ stays below a parabola that only knows the width of the interval (left). On the right is what becomes of it, for a pixel that is black or white with even chances: the logarithm of the average of $r$, over what is painted. With the weight $c = 1$ it is below zero, and so it is up to $c = 2$. At $c = 4$ there is something to gain.
"""

# %% tags=["hide-input"]
made, (lemma, gain) = plotting.figure(9.5, 3.2, columns=2)
t = torch.linspace(-5, 5, 201, dtype=torch.float64)
for white, style in ((0.5, "-"), (0.2, "--"), (0.05, ":")):
    growth = (white * (t * (1 - white)).exp() + (1 - white) * (-t * white).exp()).log()
    lemma.plot(t, growth, style, label=f"white with chance {white}")
lemma.plot(t, t**2 / 8, color="black", lw=1, label="$t^2/8$")
lemma.set(xlabel="$t$", ylabel=r"$\log\, E\, e^{ty}$", ylim=(0, 3.2))
lemma.legend()
painted = torch.linspace(-0.2, 1.2, 281, dtype=torch.float64)
pixel, chances = torch.tensor([[0.0, 1.0]]).double(), torch.full((1, 2), 0.5).double()
for weight, style in ((1, "-"), (2, "--"), (4, ":")):
    nats = collapse.pixel_gain(collapse.squared_error, pixel, chances, painted, weight=weight)
    gain.plot(painted, nats[0], style, label=f"$c = {weight}$")
gain.axhline(0, color="black", lw=0.7)
gain.set(xlabel="painted grey $f$", ylabel="log of the average of $r$", ylim=(-1, 0.5))
gain.legend()
plotting.show(
    made,
    caption="Left: Hoeffding's lemma for pixels that are black or white, moved to mean 0. Right: what a "
    "decoder can gain by painting f in place of the mean, ½, for three weights c.",
    alt="Left, three curves with their lowest point at zero, all below a black parabola. Right, three curves "
    "that are zero at one half. The solid one falls to both sides, the dashed one is flat at its top and "
    "falls, the dotted one has two humps above zero.",
)

# %% [markdown]
r"""
Do not believe four lines. Run them. The theorem holds for any prior, so let it choose evenly among 60 codes. Then all averages are sums. Behind the codes are 20 training pictures known by heart, 20 blends, and 20 squares of noise. The encoder is random. For each line we take the smallest amount by which it holds. None may be below zero, but for rounding.
"""

# %% tags=["hide-input"]
mse, bce = collapse.squared_error, collapse.cross_entropy
x = pictures[:50].flatten(1).double()  # (50, D): these 50 are the whole data set
painted = torch.cat([x[:20], (x[:20] + x[20:40]) / 2, torch.rand(20, D)]).clamp(0.01, 0.99)
log_q = (3 * torch.randn(50, 60).double()).log_softmax(1)
for name, loss in (("Squares", mse), ("Cross-entropy", bce)):
    *lines, loses = collapse.slack_of_each_line(loss, x, painted, log_q)
    print(f"{name:13} slack of lines 1 to 4:", *(f"{slack:.1e}" for slack in lines))
    claim(f"{name}: smallest slack of the four lines", min(lines), at_least=-1e-12)
    claim(f"{name}: with its best encoder it loses by", loses, at_least=0)

# %% [markdown]
r"""
So much for 50 digits. A theorem must hold for *all* pixels. Here are 4000 random distributions of one pixel, half of them in black and white, and the largest average of $r$ over anything that might be painted. Its logarithm must not be above zero.

And where does the proof end? With a weight $c$ the exponent is $c\,\delta^2 (c u^2 / 2 - 1)$, so the proof needs $c\,u^2 \le 2$. Is that only the proof, or the truth? It is the truth: at $c = 2.2$ the black-or-white pixel has something to gain. On pixels from −1 to 1 we have $u = 2$, and the line breaks. (All squares are four times as large there, so it is the same as $c = 4$ on pixels from 0 to 1.) The average of $r$ is then $\cosh(2\delta)\, e^{-\delta^2}$. It is largest where $\delta = \tanh 2\delta$, that is at $\delta = 0.9575$, and its logarithm is 0.3265 there.
"""

# %% tags=["hide-input"]
values, chances = collapse.random_pixels(4_000)
inside, wide = torch.linspace(0.001, 0.999, 150).double(), torch.linspace(-2, 2, 401).double()
for name, loss, f in (("Cross-entropy", bce, inside), ("Squares", mse, wide)):
    most = collapse.pixel_gain(loss, values, chances, f).max()
    claim(f"{name}, 4000 pixels: largest log", most, at_most=1e-9)
most = collapse.pixel_gain(mse, values, chances, wide, weight=2).max()
claim("Squares, c = 2, 4000 pixels: largest log", most, at_most=1e-9)
black, even = torch.tensor([[0.0, 1.0]]).double(), torch.full((1, 2), 0.5).double()
most = collapse.pixel_gain(mse, black, even, wide, weight=2.2).max()
claim("Squares, c = 2.2: largest log", most, at_least=1e-3)
most = collapse.pixel_gain(mse, black, even, wide, weight=4).max()
claim("Squares, c = 4: largest log", most, equals=0.3265, within=2e-4)

# %% [markdown]
r"""
So the constant 2 cannot be raised. [Chapter 8](08_latents_that_live.ipynb) shows two flat pictures for which a VAE escapes just beyond this constant.

## The culprit

The word is *mean*. Take the sum over pixels instead, and line 3 has no geometric mean any more. Say, a decoder knows the 50 pictures by heart, and has a code for each. It pays $\log 50 = 3.9$ nats to be told which one it is. It saves the *summed* error of the mean picture, and that is more. With the mean over pixels there is less than 1 to save, the most that a mean error can be. So the same decoder loses, even with the encoder that is best for it.
"""

# %% tags=["hide-input"]
codes, constant = mse(x[:, None], x), mse(x, x.mean(0))  # (50, 50, D) and (50, D)
summed = (constant.sum(1) - collapse.best_loss(codes.sum(2))).mean()
averaged = (constant.mean(1) - collapse.best_loss(codes.mean(2))).mean()
claim("Sum over pixels: known by heart, the gain in nats", summed, at_least=1)
claim("Mean over pixels: the gain", averaged, at_least=-1, at_most=0)

# %% [markdown]
r"""
Why should it be the sum? Because the loss means something: it is minus the ELBO, in nats per picture. The KL is in nats, summed over the latents. The log-likelihood is in nats if it is summed over the pixels: minus $\frac{1}{2\sigma_x^2} \sum_k (x_k - \hat x_k)^2$, plus a constant, where $\hat x$ is the decoded picture. Compare that with $c$ times the mean:

$$\frac{c}{D} \sum_k (x_k - \hat x_k)^2 = \frac{1}{2 \sigma_x^2} \sum_k (x_k - \hat x_k)^2 \qquad \text{if} \qquad \sigma_x^2 = \frac{D}{2c}.$$

([Chapter 6](06_learned_variance.ipynb) checks it, and other home-made losses, by their slopes.) So every weight $c$ says "a pixel may be off by about $\sigma_x$". Read what they said.
"""

# %%
for c, n in ((1, 784), (1, 3072), (6000, 3072), (153_600, 3072)):
    print(f"c = {c}, {n} pixels: σ_x = {collapse.implied_std(c, n):.4g}")

# %% [markdown]
r"""
A pixel lies between 0 and 1, and the model was told that errors of 39 are normal. No wonder that it did not bother to look at the pictures. Times 6000, errors of 0.5 are normal. That is better, and it explains item 8.

How large should $c$ be? Let the model be honest: the error it is *told* should be the error it *makes*. Its mean squared error (MSE) should be $\sigma_x^2$, so

$$c = \frac{D}{2 \cdot \text{MSE}}.$$

For CIFAR-10, if the error per pixel can get down to 0.1, the MSE is 0.01 and $c$ is 153 600. So 6000 was 26 times too small, and the remaining blur was to be expected.

We do not know the error in advance. So ask the model, tell it, and train on. We begin with a fresh network and with the error that the collapsed one made.
"""


# %%
makes, cured = [rate_distortion.pixel_error(collapsed, pictures)], new()
for _ in range(4):
    c = D / (2 * makes[-1] ** 2)
    train(cured, mean_loss(c), pictures, 130, lr=8e-3)
    makes.append(rate_distortion.pixel_error(cured, pictures))
    print(f"c = {c:5.0f}: told {makes[-2]:.3f}, makes {makes[-1]:.3f}")

# %% tags=["hide-input"]
share = makes[0] / collapse.implied_std(1, D)
claim("c = 1: error it makes, in units of what it is told", share, at_most=0.1)
claim("In the end: makes, in units of told", makes[-1] / makes[-2], equals=1, within=0.15)

# %% tags=["hide-input"]
made, (steps,) = plotting.figure(5.6, 2.6)
told_then_made = [collapse.implied_std(1, D), *makes]
steps.plot(range(5), told_then_made[:5], "o--", label="told")
steps.plot(range(5), makes, "s-", label="makes")
steps.set(yscale="log", xticks=range(5), xlabel="round", ylabel="error per pixel")
steps.legend()
plotting.show(
    made,
    caption="The error that the VAE is told and the one that it makes. Round 0 is the collapsed one, with "
    "c = 1. From then on it is told what the last one made.",
    alt="Two lines over five rounds, on a logarithmic axis. In round 0 what is told is far above what is "
    "made. Afterwards both fall together and meet.",
)

# %% [markdown]
r"""
A VAE can find this $\sigma_x$ on its own while it trains. Chapter 6 does that.

Was the *contrast* the reason, then, 0.2 against hundreds? It points in the right direction, and it is not the criterion. In the healthy model a KL of many nats stands beside a mean error of about a hundredth. That is a stark contrast, and all is well. In the collapsed one the KL is *smaller* than the error. If size decided, you would pick the wrong patient. What counts is the unit: both terms in nats per picture.
"""

# %% tags=["hide-input"]
for name, bound in (("Collapsed", {"at_most": 1}), ("Healthy", {"at_least": 100})):
    rate, distortion = rate_distortion.measure(models[name], pictures)
    claim(f"{name}: KL, in units of the mean error", rate / (distortion / D), **bound)

# %% [markdown]
r"""
## Back to the scene

Nothing above needed a photograph. If CIFAR-10 is in the folder that `VAE_COURSE_DATA` names, here is the case itself. If not, patches of the same size stand in, cut out of four photographs. We train with $c = 1$ and with $c = 6000$, for some seconds only, and ask the second VAE which $c$ would fit the error that it makes.
"""

# %% tags=["hide-input"]
warnings.filterwarnings("ignore", message=".*training batches of cifar10")  # one will do
try:
    photos = load_images("cifar10", n_train=1_000, n_test=1, seed=seed, download=False).train
except DataNotFoundError:
    photos = load_images("photos", n_train=1_000, n_test=1, seed=seed).train
rebuilt = {"input": photos[:8]}
for c, hidden in ((1, 32), (6_000, 128)):
    model = train(new(32, photos.shape[1:], (hidden,)), mean_loss(c), photos, 150, lr=3e-3)
    rebuilt[f"$c = {c}$"] = outputs = model.reconstruct(photos[:8])
    spread = outputs.std(0).mean() / photos.std(0).mean()
    bound = {"at_most": 0.1} if c == 1 else {"at_least": 0.3}
    claim(f"c = {c}: std of the outputs, in units of the inputs'", spread, **bound)
asked = photos[0].numel() / (2 * rate_distortion.pixel_error(model, photos) ** 2)
claim("6000 is too small by a factor of", asked / 6_000, at_least=4)
wrong = (2 * photos - 2 * photos.mean(0)).square().mean()
claim("Mean picture's error, on pixels from -1 to 1", wrong, equals=0.25, within=0.03)

plotting.rows(
    rebuilt,
    caption="CIFAR-10 where it is present, else patches of photographs: eight of them, and what "
    "comes out.",
    alt="Three rows of eight pictures. Above, the inputs. In the middle, eight times the same picture "
    "without a motif. Below, eight different ones, blurred.",
)

# %% [markdown]
r"""
With $c = 1$ all outputs are nearly the same, though a few seconds do not take them all the way to the mean picture. With $c = 6000$ they differ, and are still blurry. The photographs are innocent: they only have more pixels than digits, so that one forgotten sum makes $\sigma_x$ still larger, 39 in place of 20.

And the 0.2 of item 7? On CIFAR-10, as on our patches, the error of the mean picture is 0.06. If pixels run from −1 to 1, it is four times as large, about 0.25. So their loss was stuck near the mean picture's error, probably on that scale. There our theorem promises nothing. But the linear VAE still tells you what happens. The mean picture's squared error is the sum of all eigenvalues, here a quarter of $D$. With $c = 1$, $\sigma_x^2$ is half of $D$. So no eigenvalue can be above $\sigma_x^2$, and no small step out of the collapsed state pays.

## Let the doctor find the culprit

You need no detective for each VAE. `examine` is a doctor for any of them. It calls the model's own functions, and looks at numbers, not at code. It wants to have the encoder, the decoder, pictures, and the loss: a function of the pictures, of what the decoder returned, and of the encoder's mean and spread.

Our patient is the collapsed VAE, with its loss as it was. Here it stands in one function. The first finding should be the cause, and not what follows from it.
"""


# %%
def reported_loss(x, decoded, mean, log_std):
    wrong = (x - decoded.mean).square().flatten(1).mean(1)  # (batch,)
    return (wrong + kl_standard_normal(mean, log_std)).mean()


report = examine(collapsed.encode, collapsed.decode, pictures, reported_loss)
report

# %% tags=["hide-input"]
claim("First finding: mean_for_sum", report.names[0] == "mean_for_sum", equals=1, within=0)
stands_for, known = report.measurements["σ that the loss stands for"], collapse.implied_std(1, D)
claim("σ that the loss stands for", stands_for, equals=known, within=0.01 * known)

# %% [markdown]
r"""
## What to take along

Case closed. The pictures, the decoder, the gradients and the optimiser are innocent. One `mean` in the loss told the model that a pixel may be off by 39. Where pixels run from 0 to 1, the mean picture is then the best answer there is.

Do not ask whether codes differ. Ask for $\operatorname{Var}_x(\mu_j)$ and $\operatorname{KL}_j$. Write the sum over pixels, so that both terms are in nats, and let $\sigma_x$ be the error that the model makes.

And if some latents still collapse? [Chapter 8](08_latents_that_live.ipynb) computes what they would have to be worth. Recognisable, and still a bit blurry: that is left of item 8. [Chapter 9](09_blur.ipynb) measures blur.

## Practise

[Exercises 7](exercises/07_posterior_collapse.ipynb) check what you write and name your mistake. Count active latents, find the number at which a loss stands still, and diagnose broken training scripts.

## The checks
"""

# %% tags=["hide-input"]
summary()
