# %% [markdown]
r"""
# 7 · Posterior collapse

A detective story. Somebody trained a VAE on colour photographs, and it painted nearly the same smudge for all of them. They suspected the pictures, the decoder and the gradients, tested each, and ended with a loss multiplied by 6000. It helped, a little. You reopen the case, judge every test, and find the culprit. It is one word.

**After this chapter you can**

- tell a collapsed VAE from a healthy one, and name a popular test that cannot;
- prove that with a mean over pixels the best VAE there is paints the mean picture, whatever the network;
- turn any weight on the loss into the noise it stands for, and say whether it is too small;
- predict which latents stay alive: for two pictures, and for a linear VAE latent by latent;
- say what KL annealing can change, and what it cannot.
"""

# %% tags=["hide-input"]
import math
import warnings

import torch
from torch.nn.functional import avg_pool2d

from vae_course import exact, explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import DataNotFoundError, load_images
from vae_course.doctor import examine
from vae_course.evaluation import active_units, encode_all, kl_per_latent, rate_distortion
from vae_course.exact import collapse
from vae_course.models import VAE, Autoencoder, mlp
from vae_course.objectives import kl_standard_normal, sample_posterior
from vae_course.training import fit

# %%
seed = begin("07_posterior_collapse")
digits = load_images("digits", n_train=2_000, n_test=500, seed=seed)
pictures, unseen, D = avg_pool2d(digits.train, 2), avg_pool2d(digits.test, 2), 14 * 14

# %% [markdown]
r"""
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

Item 7 holds a clue. A photograph has 3072 numbers. If 0.2 were the *sum* of their squared errors, the pictures would be perfect. So it must be a **mean** over the pixels. Many losses in PyTorch take that mean unless you tell them not to.

Let us write this loss, with a weight $c$ in front of the first term, and look. They had $c = 1$. We shrink the digits to 14 × 14 pixels, to save time.
"""


# %%
def error(model, x, z):
    # How wrong the decoded pictures are, as a mean over pixels: (batch,)
    if model.likelihood == "bernoulli":
        return -model.log_likelihood(x, z) / D  # binary cross-entropy (BCE)
    return (x - model.decode(z).mean).square().flatten(1).mean(1)


def mean_loss(c=1.0, betas=None):
    # c · error + β · KL, averaged over the batch; β is 1 unless `betas` gives one for each step.
    def loss(model, x):
        posterior = model.encode(x)
        wrong = error(model, x, sample_posterior(*posterior))  # (batch,)
        kl = kl_standard_normal(*posterior)  # (batch,), summed over latents
        beta = next(betas) if betas else 1.0
        return {"loss": (c * wrong + beta * kl).mean(), "error": wrong.mean(), "kl": kl.mean()}

    return loss


# %%
def new(latent_dim=10, shape=(1, 14, 14), hidden=(64,), **options):
    torch.manual_seed(seed)
    return VAE(shape, latent_dim, hidden=hidden, **(options or {"std": "unit"}))


def train(model, loss, images, steps, lr=4e-3, batch_size=128):
    # The last third of the steps is ten times smaller. That settles the weights.
    for rate, share in ((lr, steps - steps // 3), (lr / 10, steps // 3)):
        fit(model, loss, images, steps=share, lr=rate, seed=seed, batch_size=batch_size)
    return model.eval()


collapsed = new()
history = fit(collapsed, mean_loss(), pictures, steps=100, lr=1e-2, seed=seed)
train(collapsed, mean_loss(), pictures, 30)
healthy = train(new(), mean_loss(c=5_000), pictures, 250, lr=8e-3)  # the same, but for one number

# %% [markdown]
r"""
For comparison we trained a second VAE. It differs in one number, and we come to that.

The symptoms are all there. The loss gets stuck, at the error of one constant picture: the **mean picture**, the average of all training pictures. And that is what comes out, whatever goes in.
"""


# %%
def rms(difference):
    return difference.detach().square().mean().sqrt().item()


mean_picture = pictures.mean(0, keepdim=True)
of_the_mean = rms(pictures - mean_picture) ** 2  # its error
inputs = torch.cat([unseen[:8], torch.rand(2, 1, 14, 14)])
same, outputs = collapsed.reconstruct(inputs), healthy.reconstruct(inputs)
from_prior, stuck = collapsed.sample(10, noise=False), history["error"][70:90].mean()
claim("Error after 80 steps, of the mean picture's", stuck / of_the_mean, equals=1, within=0.1)
claim("Outputs, from input to input: largest std", same.std(0).max(), at_most=0.01)
claim("... off the mean picture, RMS", rms(same - mean_picture), at_most=0.03)
claim("Decoded z ~ N(0, I), off the mean picture", rms(from_prior - mean_picture), at_most=0.03)
claim("Healthy: outputs, largest std", outputs.std(0).max(), at_least=0.1)

# %% tags=["hide-input"]
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
    return (z[:1000] - z[1000:]).abs().mean()  # over 1000 pairs of pictures, and over latents


known, standard_error = 2 / math.sqrt(math.pi), math.sqrt((2 - 4 / math.pi) / 10_000)
drawn = mean_gap(torch.randn(2_000, 10))
claim("Two draws from the prior", drawn, equals=known, within=5 * standard_error)
models = {"Collapsed": collapsed, "Healthy": healthy}
posteriors = {name: encode_all(model, pictures) for name, model in models.items()}
for name, q in posteriors.items():
    claim(f"{name}: z and z' differ by", mean_gap(sample_posterior(*q)), equals=known, within=0.35)

# %% [markdown]
r"""
The test says nearly the same of both. It has to: in a healthy VAE, too, the cloud of all codes has mean 0 and second moment 1 ([chapter 4](04_analytic_kl.ipynb)).

What does tell them apart? Take out the draw. Ask how much the *mean* $\mu_j$ varies from picture to picture, $\operatorname{Var}_x(\mu_j)$, and how large the KL of latent $j$ is. A latent is **collapsed** if its posterior is the prior for (nearly) every picture. Then both are zero. "The signal from the picture is too weak or too noisy", you can read. This is what it means in numbers.
"""

# %%
for name, bound in (("Collapsed", {"at_most": 0.01}), ("Healthy", {"at_least": 0.3})):
    claim(f"{name}: largest Var(μ_j)", posteriors[name].mean.var(0).max(), **bound)
    claim(f"{name}: largest KL_j, nats", kl_per_latent(models[name], pictures).max(), **bound)

# %% [markdown]
r"""
## The suspects

Now the others. Fewer pictures. Another loss, the cross-entropy (BCE), also as a mean over pixels. A deeper decoder. For each we measure the KL, count the active latents ([chapter 2](02_from_ae_to_vae.ipynb)), and compare the output with the mean picture of *its own* training set.
"""

# %%
suspects = {f"{n} pictures": (new(), pictures[:n]) for n in (200, 100, 25, 2)}
suspects["cross-entropy"] = new(likelihood="bernoulli"), pictures
suspects["deep decoder"] = new(), pictures
suspects["deep decoder"][0].decoder = mlp([10, 64, 64, 64, 64, 64, D])
for name, (model, images) in suspects.items():
    # Small sets are repeated, so that all have full batches.
    train(model, mean_loss(), images.repeat(2_000 // len(images), 1, 1, 1), 90, lr=2e-2)
    off = rms(model.reconstruct(images) - images.mean(0))
    claim(f"{name}: KL", kl_per_latent(model, images).sum(), at_most=0.01)
    claim(f"{name}: active latents", active_units(model, images), equals=0, within=0)
    claim(f"{name}: output off the mean picture, RMS", off, at_most=0.1)

# %% [markdown]
r"""
None of them matters. So the deeper decoder did not help, and "then it is not the decoder" was the right conclusion. But it was luck. Perhaps an even deeper one would have helped? A failed attempt proves nothing. You will see a proof in a minute.

What about the two pictures? The output is their average. "That is because backpropagation averages the gradients over the batch", was the explanation. But every minibatch method averages gradients, and most of them learn. Take the same loop, the same two pictures, the same means over pixels and batch. Leave out the draw and the KL: a plain autoencoder.
"""


# %%
def averaged_error(model, x):
    return (x - model.reconstruct(x)).square().flatten(1).mean(1).mean()


pair, plain = pictures[:2], Autoencoder((1, 14, 14), 10, hidden=(64,))
train(plain, averaged_error, pair, 80)
left = averaged_error(plain, pair) / (pair - pair.mean(0)).square().mean()
claim("Autoencoder, two pictures: error in units of the average's", left, at_most=0.01)

# %% [markdown]
r"""
It learns both by heart. Averaged gradients are not to blame. If $z$ says nothing, then the best *constant* picture, the $a$ with the smallest $\sum_i \|x_i - a\|^2$, is the average. So the average is a symptom. The question is why $z$ says nothing.

## The theorem

Here is the answer, and it is stronger than any test of a suspect.

> Pixels between 0 and 1. The error is a **mean** over pixels, squared or cross-entropy. The KL is summed over latents, with a weight of 1 or more. Then no VAE has a lower loss than this one: the encoder says nothing, and the decoder paints the mean picture.

It does not matter how many pictures there are, how deep the networks, how many latents, or which optimiser. Collapse is not an accident on the way to the optimum. It *is* the optimum.

The proof has four lines. Let there be $N$ pictures $x_i$. Write $\ell(x, z)$ for the error of the picture $x$ when the decoder is given $z$, and $\bar\ell(x)$ for its error against the mean picture. The collapsed VAE has the loss $\frac1N \sum_i \bar\ell(x_i)$, as its KL is zero. A weight above 1 on the KL only makes every other VAE worse, so let it be 1.

**Line 1, the best encoder.** Jensen's inequality as in [chapter 3](03_elbo.ipynb), with $e^{-\ell}$ in place of the likelihood. Whatever $q$ the encoder gives,

$$\mathbb{E}_{q}[\ell(x, z)] + \operatorname{KL}(q \,\|\, p) \ \ge\ -\log \mathbb{E}_{p(z)}\bigl[e^{-\ell(x, z)}\bigr].$$

There is no encoder left on the right.

**Line 2, one painted picture at a time.** By how much can a VAE beat the mean picture? By line 1, and because the average of logarithms is at most the logarithm of the average,

$$\frac1N \sum_i \bigl(\bar\ell(x_i) - \text{loss}_i\bigr) \ \le\ \frac1N \sum_i \log \mathbb{E}_{p(z)}[r_i(z)] \ \le\ \log \mathbb{E}_{p(z)}\Bigl[\frac1N \sum_i r_i(z)\Bigr],$$

with the ratios $r_i(z) = e^{\bar\ell(x_i) - \ell(x_i, z)}$.

So if $\frac1N \sum_i r_i \le 1$ for *every* picture that a decoder could paint, the gain is at most $\log 1 = 0$, and we are done.

**Line 3, one pixel at a time.** Here the word *mean* comes in. $\bar\ell - \ell$ is a mean over pixels. The exponential of a mean is a geometric mean, and that is at most the arithmetic mean: $r_i \le \frac1D \sum_k r_{ik}$, where $r_{ik}$ is the ratio for pixel $k$ alone.

**Line 4, one pixel.** Let a pixel have the values $x_i$ with mean $m$, and let the decoder paint $f$.

- *Cross-entropy.* $r = (f/m)^{x} \bigl((1-f)/(1-m)\bigr)^{1-x}$ is a weighted geometric mean, so $r \le x \frac fm + (1 - x)\frac{1-f}{1-m}$. Average over the pictures, where $x$ has the mean $m$: you get $f + (1 - f) = 1$.
- *Squares.* With $\delta = f - m$ we have $r = e^{2\delta(x - m) - \delta^2}$. Hoeffding's lemma says: a number $y$ with mean 0 from an interval of width $u$ has $\mathbb{E}\,e^{ty} \le e^{t^2 u^2 / 8}$. Here $t = 2\delta$ and $u = 1$. So the average of $r$ is at most $e^{\delta^2/2 - \delta^2} \le 1$. ∎

Do not believe four lines. Run them. The theorem holds for any prior, so let it choose evenly among 60 codes. Then all averages are sums. Behind the codes are 20 training pictures known by heart, 20 blends, and 20 squares of noise. The encoder is random. For each line we take the smallest amount by which it holds. None may be below zero, but for rounding.
"""

# %%
mse, bce = collapse.squared_error, collapse.cross_entropy
x = pictures[:50].flatten(1).double()  # (50, D): these 50 are the whole data set
painted = torch.cat([x[:20], (x[:20] + x[20:40]) / 2, torch.rand(20, D)]).clamp(0.01, 0.99)
log_q = (3 * torch.randn(50, 60).double()).log_softmax(1)
for name, loss in (("Squares", mse), ("Cross-entropy", bce)):
    *lines, loses = collapse.slack_of_each_line(loss, x, painted, log_q)
    for number, slack in enumerate(lines, 1):
        claim(f"{name}, line {number}: smallest slack", slack, at_least=-1e-12)
    claim(f"{name}: with its best encoder it loses by", loses, at_least=0)

# %% [markdown]
r"""
So much for 50 digits. A theorem must hold for *all* pixels. Here are 4000 random distributions of one pixel, half of them in black and white, and the largest average of $r$ over anything that might be painted. Its logarithm must not be above zero.

And where does the proof end? With a weight $c$ the exponent is $c\,\delta^2 (c u^2 / 2 - 1)$, so the proof needs $c\,u^2 \le 2$. On pixels from −1 to 1 we have $u = 2$, and the line breaks. (All squares are four times as large there, so it is the same as $c = 4$ on pixels from 0 to 1.) Take a pixel that is −1 or 1 with even chances. The average of $r$ is $\cosh(2\delta)\, e^{-\delta^2}$. It is largest where $\delta = \tanh 2\delta$, that is at $\delta = 0.9575$, and its logarithm is 0.3265 there.
"""

# %%
values, chances = collapse.random_pixels(4_000)
inside, wide = torch.linspace(0.001, 0.999, 150).double(), torch.linspace(-2, 2, 401).double()
for name, loss, f in (("Cross-entropy", bce, inside), ("Squares", mse, wide)):
    most = collapse.pixel_gain(loss, values, chances, f).max()
    claim(f"{name}: largest log", most, at_most=1e-9)
black, even = torch.tensor([[0.0, 1.0]]).double(), torch.full((1, 2), 0.5).double()
most = collapse.pixel_gain(mse, black, even, wide, weight=4).max()
claim("Squares, c = 4: largest log", most, equals=0.3265, within=2e-4)

# %% [markdown]
r"""
This does not say that a VAE on such pixels escapes. It says that the theorem promises nothing there. We come back to it.

## The culprit

The word is *mean*. Take the sum over pixels instead, and line 3 has no geometric mean any more. Say, a decoder knows the 50 pictures by heart, and has a code for each. It pays $\log 50 = 3.9$ nats to be told which one it is. It saves the *summed* error of the mean picture, and that is more. With the mean over pixels, the same decoder loses. (Less than 1, which is the most that a mean error can be.)
"""

# %%
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
for c, n, known in ((1, 784, 19.8), (1, 3072, 39.19), (6000, 3072, 0.506), (153_600, 3072, 0.1)):
    told = collapse.implied_std(c, n)
    claim(f"c = {c}, {n} pixels: σ_x", told, equals=known, within=1e-3 * known)

# %% [markdown]
r"""
A pixel lies between 0 and 1, and the model was told that errors of 39 are normal. No wonder that it did not bother to look at the pictures. Times 6000, errors of 0.5 are normal. That is better, and it explains item 8.

How large should $c$ be? Let the model be honest: the error it is *told* should be the error it *makes*. Its mean squared error (MSE) should be $\sigma_x^2$, so

$$c = \frac{D}{2 \cdot \text{MSE}}.$$

For CIFAR-10, if the error per pixel can get down to 0.1, the MSE is 0.01 and $c$ is 153 600. So 6000 was 26 times too small, and the remaining blur was to be expected.

We do not know the error in advance. So ask the model, tell it, and train on. We begin with a fresh network and with the error that the collapsed one made.
"""


# %%
makes, cured = [rate_distortion.pixel_error(collapsed, pictures)], new()
claim(
    "c = 1: error it makes, in units of what it is told",
    makes[0] / collapse.implied_std(1, D),
    at_most=0.1,
)
for _ in range(4):
    c = D / (2 * makes[-1] ** 2)
    train(cured, mean_loss(c), pictures, 130, lr=8e-3)
    makes.append(rate_distortion.pixel_error(cured, pictures))
    print(f"c = {c:5.0f}: told {makes[-2]:.3f}, makes {makes[-1]:.3f}")
claim("In the end: makes, in units of told", makes[-1] / makes[-2], equals=1, within=0.15)

# %% [markdown]
r"""
A VAE can find this $\sigma_x$ on its own while it trains. Chapter 6 does that.

Was the *contrast* the reason, then, 0.2 against hundreds? It points in the right direction, and it is not the criterion. In the healthy model a KL of many nats stands beside a mean error of about a hundredth. That is a stark contrast, and all is well. In the collapsed one the KL is *smaller* than the error. If size decided, you would pick the wrong patient. What counts is the unit: both terms in nats per picture.
"""

# %%
for name, bound in (("Collapsed", {"at_most": 1}), ("Healthy", {"at_least": 100})):
    rate, distortion = rate_distortion.measure(models[name], pictures)
    claim(f"{name}: KL, in units of the mean error", rate / (distortion / D), **bound)

# %% [markdown]
r"""
## Two pictures, solved

With the sum in place, does a VAE always use its latents? No. It depends on $\sigma_x$, and for two pictures you can know exactly how.

Line 4 works with whole pictures in place of pixels. Let $\delta$ be what is painted minus the mean picture $\bar x$. Then $r = e^{\delta \cdot (x - \bar x) / \sigma_x^2 - \|\delta\|^2 / 2\sigma_x^2}$. Over the data, $\delta \cdot (x - \bar x)$ lies in an interval of width at most $\|\delta\|$ times the largest distance between two pictures. Hoeffding again:

> If no two pictures are further apart than $2\sigma_x$, collapse is the optimum, for every architecture. For *two* pictures the reverse holds as well: collapse is the optimum **if and only if** $\|x_1 - x_2\|^2 \le 4 \sigma_x^2$.

If the noise is as large as half their distance, telling them apart is not worth what it costs. (The reverse is proved in the next section. For two pictures, $\lambda_1$ is the square of half their distance.)

This also settles pixels from −1 to 1. In terms of $c$ it says: the mean squared difference of no two pictures may be above $2/c$. For our digits it is not, even on that scale. But two *opposite* pictures, one all −1 and one all 1, differ by 4. With $c = 1$ half their distance is $\sqrt 2\,\sigma_x$, and the best VAE tells them apart.

`fit_two_images` computes the best VAE with one latent for two pictures at a given half distance, in units of $\sigma_x$.
"""

# %%
furthest = torch.pdist(pictures[:1000].flatten(1)).max() ** 2 / D
claim("Digits from -1 to 1: largest mean squared difference", 4 * furthest, at_most=2)
best = {half: exact.fit_two_images(half) for half in (0.99, 1.01, 1.2, math.sqrt(2), 2, 3)}
for half, least, most in ((0.99, 0, 1e-9), (1.01, 1e-3, 0.1), (math.sqrt(2), 0.1, 1)):
    claim(f"Best KL at {half:.2f}", best[half].kl(), at_least=least, at_most=most)

# %% [markdown]
r"""
Now train. We take two digits and three values of $\sigma_x$, such that half their distance is 0.8, 2 and 3 times that. A batch holds each picture 64 times, so that the draws of $z$ average out. Below the threshold the output must be the average. Above it, each picture must get its own.
"""


# %%
def negative_elbo(model, x):
    return -model.elbo(x).total.mean()


pair = torch.stack([pictures[digits.train_labels == label][0] for label in (3, 7)])
average = pair.mean(0, keepdim=True).expand_as(pair)
unit, two, shown = rms(pair - average), {}, [pair]
for half, known in ((0.8, 0.0), (2, best[2].kl()), (3, best[3].kl())):
    model = new(1, hidden=(32,), std=(pair[0] - average[0]).norm().item() / half)
    train(model, negative_elbo, pair.repeat(64, 1, 1, 1), 270, lr=1e-2)
    two[half] = kl_per_latent(model, pair).item()
    shown.append(model.reconstruct(pair))
    near, far = (average, pair) if half < 1 else (pair, average)
    claim(f"{half}: KL, nats", two[half], equals=known, within=0.15)
    claim(f"{half}: off what is predicted", rms(shown[-1] - near) / unit, at_most=0.3)
    claim(f"{half}: off the alternative", rms(shown[-1] - far) / unit, at_least=0.7)

# %% tags=["hide-input"]
kls = {0.0: 0.0, 1.0: 0.0} | {half: fitted.kl() for half, fitted in best.items()}
made, (axis, sheet) = plotting.figure(9.5, 3.2, columns=2, width_ratios=(1.4, 1))
axis.plot(sorted(kls), [kls[half] for half in sorted(kls)], label="exact optimum")
axis.plot(list(two), list(two.values()), "o", label="trained")
axis.set(xlabel=r"half distance, in $\sigma_x$", ylabel="KL in nats")
axis.legend()
plotting.draw_tiles(sheet, torch.stack(shown, 1).flatten(0, 1), 4, "the pair, then 0.8, 2, 3")
plotting.show(
    made,
    caption="Left: the KL that a VAE pays to tell two pictures apart. Right: two pictures, and "
    "what comes out at half distances of 0.8, 2 and 3.",
    alt="Left, a curve that is zero up to a half distance of one, has a corner there and rises to about "
    "0.9 nats at three; three trained points lie near it. Right, two digits above each other, then "
    "their average twice, then twice the two digits as they were.",
)

# %% [markdown]
r"""
Turn $\sigma_x$ by hand, and watch the two outputs meet at half the distance. ([Chapter 6](06_learned_variance.ipynb) has such a knob for many digits and ten latents.)
"""

# %% tags=["hide-input"]
explorer.two_images(*pair, caption="The best VAE for these two, solved in the page at each move.")

# %% [markdown]
r"""
## Latent by latent: the linear VAE

Collapse need not be total. Usually *some* latents are collapsed. For one model you can say which: the linear VAE of [chapter 3](03_elbo.ipynb), with $p(x \mid z) = \mathcal{N}(Wz + b, \sigma_x^2 I)$. Let the covariance of the pictures have the eigenvalues $\lambda_1 \ge \lambda_2 \ge \dots$, as in PCA.

How does a latent begin to live? Let it point along eigenvector $j$ with a small strength $s$, and ask which way training pushes $s$. There are two slopes.

- The encoder says nothing yet: the slope of the ELBO in $s$ is $-s/\sigma_x^2$. *Shrink.* A decoder that listens to noise only makes errors.
- The encoder gives the best answer: the ELBO is $\log p(x)$, and its slope is $\frac{s}{s^2 + \sigma_x^2} \bigl( \frac{\lambda_j}{s^2 + \sigma_x^2} - 1 \bigr)$. For small $s$ this says *grow* if $\lambda_j > \sigma_x^2$, and else shrink.

It grows until $s^2 + \sigma_x^2 = \lambda_j$. So latent $j$ is active if and only if $\lambda_j > \sigma_x^2$, and at the optimum

$$\operatorname{KL}_j = \tfrac12 \log \frac{\lambda_j}{\sigma_x^2} \quad \text{if } \lambda_j > \sigma_x^2, \text{ else } 0$$

([Tipping & Bishop 1999](https://doi.org/10.1111/1467-9868.00196), [Lucas et al. 2019](https://arxiv.org/abs/1911.02469)). To test it, we make pictures whose eigenvalues we know: 1, 1/4, 1/16 and so on, along the first five eigenvectors of digits of 7 × 7 pixels. Then we train a `VAE` without hidden layers, by `fit` like any other, at three values of $\sigma_x^2$: above the first eigenvalue, and between the next ones. In brackets we print what was known before.
"""

# %%
tiny = avg_pool2d(digits.train, 4)
eigenvalues, vectors = exact.spectrum(tiny.flatten(1))
strengths, middle = 4.0 ** -torch.arange(5).double(), tiny.flatten(1).double().mean(0)
made = exact.source_with_spectrum(2_000, strengths, vectors[:, :5], middle)
made = made.float().reshape(-1, 1, 7, 7)

for variance, steps in ((2, 90), (1 / 2, 150), (1 / 8, 600)):
    model = new(4, (1, 7, 7), (), std=math.sqrt(variance))
    train(model, negative_elbo, made, steps, lr=4e-2, batch_size=1000)
    kl = kl_per_latent(model, made).sort(descending=True).values
    known, alive = exact.optimal_kl(strengths, variance)[:4], (strengths > variance).sum()
    name = f"Variance {variance}"
    print(name, *(f"{a:.3f} ({b:.3f})" for a, b in zip(kl, known, strict=True)))
    claim(f"{name}: active latents", active_units(model, made), equals=alive, within=0)
    claim(f"{name}: largest error of a KL_j", (kl - known).abs().max(), at_most=0.1)

# %% [markdown]
r"""
None, one, two: the latents come to life in order.

## Rate and distortion

Each $\sigma_x$ gives a trade: so many nats of KL for so much squared error. Call the mean KL the **rate** and the summed squared error of decoded draws the **distortion** ([Alemi et al. 2018](https://arxiv.org/abs/1711.00464)). "The KL deteriorates the quality", you can read, "and diffusion models have no such trade-off". More exactly: rate is traded for the distortion of reconstructions, and each VAE is one point on a curve. A diffusion model is on such a curve, too. It is a VAE with many layers of latents, and its usual loss is a bound like ours with other weights on the terms ([Kingma et al. 2021](https://arxiv.org/abs/2107.00630)).

For pictures with a normal distribution Shannon knew the best curve. Pour water up to the level $h$ over the eigenvalues. What is under water is lost, what stands out is paid for:

$$\text{distortion} = \sum_j \min(h, \lambda_j), \qquad \text{rate} = \sum_j \max\Bigl(\tfrac12 \log \frac{\lambda_j}{h},\, 0\Bigr).$$

The best linear VAE is on it, with $h = \sigma_x^2$. Digits are not normally distributed, and a nonlinear VAE can make use of that.
"""


# %%
def over_curve(point):
    return point.rate / exact.gaussian_rate(eigenvalues, point.distortion)


straight, curved, bent = [], {}, []
for std in (0.15, 0.12):
    best = exact.fit_linear_vae(tiny.flatten(1), 30, std**2)
    straight.append(exact.linear_rate_distortion(best, tiny.flatten(1)))
    curved[std] = train(new(10, (1, 7, 7), (256,), std=std), negative_elbo, tiny, 450, lr=8e-3)
    bent.append(rate_distortion.measure(curved[std], tiny, n_samples=4))
    name = f"σ_x = {std}, rate over the curve's"
    claim(f"{name}, best linear VAE", over_curve(straight[-1]), equals=1, within=1e-6)
    claim(f"{name}, nonlinear", over_curve(bent[-1]), at_most=1)

# %% tags=["hide-input"]
across = torch.linspace(0.2, 1.2, 60).tolist()
made, (axis,) = plotting.figure(6.5, 3.4)
axis.plot(across, [exact.gaussian_rate(eigenvalues, a) for a in across])
for points, marker in ((straight, "s"), (bent, "o")):
    axis.plot([p.distortion for p in points], [p.rate for p in points], marker)
axis.legend(["best for normal pictures (Shannon)", "best linear VAE", "nonlinear VAE"])
axis.set(xlabel="distortion: squared error per picture", ylabel="rate: KL in nats")
plotting.show(
    made,
    caption="Rate against distortion for digits of 7 × 7 pixels, at two values of σ_x.",
    alt="A falling convex curve. Two squares lie on it, two circles below it, a little to the right of "
    "the squares.",
)

# %% [markdown]
r"""
## Annealing: another way, the same optimum

A popular remedy is **KL annealing**: put a weight $\beta$ on the KL, begin with $\beta = 0$, and raise it to 1. Can it cure our patient? You know the answer before you run it. At the end $\beta = 1$, and the optimum is collapsed. Annealing changes the way. It does not change the optimum.
"""


# %%
def anneal(c, images, zero, rising, steps, *size):
    betas = [0.0] * zero + torch.linspace(0, 1, rising).tolist() + [1.0] * steps
    model, loss = new(*size), mean_loss(c, iter(betas))
    return model, fit(model, loss, images, steps=steps, lr=4e-3, seed=seed)["kl"]


patient, kl = anneal(1, pictures, 50, 50, 220)
claim("c = 1, annealed: largest KL on the way", kl.max(), at_least=10)
claim("c = 1, annealed: KL at the end", kl_per_latent(patient, pictures).sum(), at_most=0.01)

# %% [markdown]
r"""
The KL rises to tens of nats and then falls to nothing. A high KL in the first steps, as in item 7, promises nothing.

So where could annealing help? Where the optimum is alive, and the straight way misses it. Here is such a case. Take 25 pictures of 5 × 5 pixels, each black but for one white pixel. The eigenvalues of their covariance are 1/25 (and one 0), and we choose $\sigma_x^2 = 1/20$, above all of them. So no *small* step out of the collapsed state pays, and the best linear VAE is collapsed. But a nonlinear VAE can take a *large* step. To say which picture it is costs about $\log 25 = 3.2$ nats. It saves nearly all of $\frac{1}{2\sigma_x^2} \cdot 0.96 = 9.6$ nats, where 0.96 is the squared error of the mean picture. We measure the nats gained over the mean picture.
"""

# %%
dots = torch.eye(25).reshape(25, 1, 5, 5).repeat(5, 1, 1, 1)
kls, gain = {"digits, $c = 1$, annealed": kl}, {}
for name, zero, rising in (("plain", 0, 0), ("annealed", 80, 120)):
    model, kls[f"dots, {name}"] = anneal(250, dots, zero, rising, 340, 3, (1, 5, 5))
    rate, distortion = rate_distortion.measure(model, dots, n_samples=20)
    gain[name] = 10 * (0.96 - distortion) - rate
claim("Dots, plain: nats gained", gain["plain"], equals=0, within=0.3)
claim("Dots, annealed: nats gained", gain["annealed"], at_least=0.5)

# %% tags=["hide-input"]
plotting.curves(
    kls,
    xlabel="step",
    caption="The KL in nats, with annealing and without.",
    alt="Three curves over training steps. Left, a rise to tens of nats in the first 50 steps, then a "
    "steep fall to zero. Middle, a small bump far below one nat that decays to zero. Right, a rise to "
    "three or four nats that stays there.",
)

# %% [markdown]
r"""
Plain training sits in a trap: small steps cost, so it stays with the mean picture. Annealing comes from the other side, from codes that are all different, and finds the better optimum. That is what we have shown, for pictures made to show it. So eigenvalues tell you when collapse is *stable*. Only for a linear VAE do they tell you when it is *best*.

## No KL at all, and a KL of 100

What if you leave the KL out? "Then similar inputs go to different places, with zero variance", you can read. Half right. The variance does go to zero: nothing is left that pays for $\sigma_j > 0$, and the VAE becomes an autoencoder. But similar pictures still get similar codes, because the encoder is smooth.

The reconstructions do not suffer. The pictures drawn from the prior do, because nothing keeps the codes where the prior looks for them. We measure how far a drawn picture is from the nearest training picture, relative to how far reconstructions are.
"""


# %%
free, test = new(10, (1, 7, 7), (256,), std=0.12), avg_pool2d(digits.test, 4)
train(free, lambda model, x: -model.elbo(x, beta=0.0).total.mean(), tiny, 250)
mean, log_std = encode_all(free, test)
noise = log_std.exp().mean() / mean.std(0).mean()
claim("β = 0: std of a posterior, in units of the cloud's", noise, at_most=0.02)
similar = torch.cdist(test.flatten(1), test.flatten(1)).fill_diagonal_(math.inf).argmin(1)
near = (mean - mean[similar]).norm(dim=1).mean() / (mean - mean.roll(1, 0)).norm(dim=1).mean()
claim("β = 0: codes of similar pictures apart, in units of any two", near, at_most=0.7)


def astray(made):
    return torch.cdist(made.flatten(1), tiny.flatten(1)).amin(1).mean()


both = (free, curved[0.12])
ratios = [astray(vae.sample(500, noise=False)) / astray(vae.reconstruct(test)) for vae in both]
claim("Draws astray, β = 0 in units of β = 1", ratios[0] / ratios[1], at_least=1.2)

# %% [markdown]
r"""
The other extreme: a public notebook multiplies its KL by 100, without a word, and logs it like that. (Its KL is the slip of chapter 4, too.) Such a weight needs a name, $\beta$ ([Higgins et al. 2017](https://openreview.net/forum?id=Sy2fzU9gl)), because it is the same knob again. With $\sigma_x$ fixed, $\frac{1}{2\sigma_x^2}\text{error} + \beta \operatorname{KL}$ is $\beta$ times the loss for the variance $\beta \sigma_x^2$. So $\beta = 100$ makes $\sigma_x$ ten times as large. "Tune $\beta$" and "choose $\sigma_x$" are one advice, as long as $\sigma_x$ is not learned. And if $\beta \ne 1$, what you log is no ELBO for the $\sigma_x$ in your code.
"""


# %%
# `new` sets the seed: the same weights, the same draws of z
knobs = ((0.1, 100.0), (1.0, 1.0))
losses = [-new(std=std).elbo(pictures, beta=beta).total / beta for std, beta in knobs]
off = (losses[0] - losses[1]).std() / losses[1].std()
claim("β = 100 at σ_x = 0.1 and β = 1 at σ_x = 1: more than a constant apart by", off, at_most=1e-3)

# %% [markdown]
r"""
## Back to the scene

Nothing above needed a photograph. If CIFAR-10 is in the folder that `VAE_COURSE_DATA` names, here is the case itself. If not, patches of the same size stand in, cut out of four photographs. We train with $c = 1$ and with $c = 6000$, for some seconds only, and ask the second VAE which $c$ would fit the error that it makes.
"""

# %%
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

# %% tags=["hide-input"]
plotting.rows(
    rebuilt,
    caption="CIFAR-10 where it is present, else patches of photographs: eight of them, and what "
    "comes out.",
    alt="Three rows of eight pictures. Above, the inputs. In the middle, eight times the same picture "
    "without a motif. Below, eight different ones, blurred.",
)

# %% [markdown]
r"""
With $c = 1$ all outputs are the same, though a few seconds do not take them all the way to the mean picture. With $c = 6000$ they differ, and are still blurry. The photographs are innocent: they only have more pixels than digits, so that one forgotten sum makes $\sigma_x$ still larger, 39 in place of 20.

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
claim("First finding: mean_for_sum", report.names[0] == "mean_for_sum", equals=1, within=0)
stands_for, known = report.measurements["σ that the loss stands for"], collapse.implied_std(1, D)
claim("σ that the loss stands for", stands_for, equals=known, within=0.01 * known)
report

# %% [markdown]
r"""
## What to take along

Case closed. The pictures, the decoder, the gradients and the optimiser are innocent. One `mean` in the loss told the model that a pixel may be off by 39, and it did what was best for that loss.

Do not ask whether codes differ. Ask for $\operatorname{Var}_x(\mu_j)$ and $\operatorname{KL}_j$. Write the sum over pixels, so that both terms are in nats, and let $\sigma_x$ be the error that the model makes. And if some latents still collapse, compute what they would have to be worth before you call it a failure.

Recognisable, and still a bit blurry: that is left of item 8. [Chapter 8](08_blur.ipynb) measures blur.

## Practise

[Exercises 7](exercises/07_posterior_collapse.ipynb) check what you write and name your mistake. Count active latents, diagnose broken training scripts, predict the two-picture threshold before you run it, and design an annealing schedule.

## Summary
"""

# %% tags=["hide-input"]
summary()
