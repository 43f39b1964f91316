# %% [markdown]
r"""
# 9 · Why outputs are blurry

Pictures from a VAE look soft. "VAEs are blurry", people say, and name one culprit: the KL, or the Gaussian, or the squared error. There are three causes. In this chapter you take them apart and measure each one by itself.
"""

# %% tags=["hide-input"]
import math

import torch
import torch.nn.functional as F
from torch.distributions import Normal

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.data.drawn.digits import as_numbers, plain_factors, render_digits
from vae_course.evaluation import encode_all, estimate, split_mean_kl
from vae_course.evaluation.recognition import digit_score
from vae_course.evaluation.sharpness import laplacian_variance, power_by_frequency
from vae_course.evaluation.similarity import amplitudes, ssim
from vae_course.exact import fit_linear_vae, spectrum
from vae_course.exact.best_decoder import best_decoder
from vae_course.exact.waves import (
    coloured,
    expected_laplacian_variance,
    linear_wave_vae,
    natural_power,
)
from vae_course.models import VAE, mlp
from vae_course.objectives import sample_posterior
from vae_course.training import fit

seed = begin("09_blur")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test = (F.avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14


def agrees(text, values, exactly):
    # Claim that the mean of the values is what it must be, within five standard errors.
    found = estimate(values)
    claim(text, found.mean, equals=exactly, within=5 * found.standard_error)


detail = laplacian_variance(test).mean()
changed = {"digits": test, "blurred": F.avg_pool2d(test, 3, 1, 1)}
changed["with noise"] = test + 0.2 * torch.randn_like(test)
plotting.rows(
    {
        f"{name}: {laplacian_variance(pictures).mean() / detail:.1f}": pictures[:10]
        for name, pictures in changed.items()
    },
    caption="Ten digits, the same with each pixel averaged with its neighbours, and with noise. The number is "
    "how much fine detail they have, that of the digits being 1.",
    alt="Three rows of ten small digits: sharp, soft, and grainy.",
)

# %% [markdown]
r"""
**After this chapter you can**

- put a number on sharpness, and say what that number cannot tell;
- name three causes of blur, and an experiment for each that changes nothing else;
- compute the best picture that any decoder could draw for a given encoder, and place other answers beside it in the plane of perception and distortion;
- predict which frequencies a linear VAE loses;
- say what more latents, a smaller $\sigma_x$, more training and a perceptual loss will buy you.

## A number for sharpness

Compare a pixel with its four neighbours: add them up, and subtract the pixel four times. This is the **Laplacian**. It is zero where the grey is flat, and also where it changes evenly. It is large at edges and at fine lines. Its variance over a picture is our number for sharpness, and we give it relative to that of the test pictures.

Try it where we know the answer. An even ramp must give 0. Take **white noise**, where each pixel is drawn by itself with variance $s^2$. Five independent pixels enter with the weights 1, 1, 1, 1 and −4, so the Laplacian has the variance $(1 + 1 + 1 + 1 + 16)\, s^2 = 20\, s^2$.
"""


# %%
def sharpness(pictures):
    return (laplacian_variance(pictures).mean() / detail).item()


for name, pictures in changed.items():
    print(f"{name:10} {sharpness(pictures):.2f}")

# %% tags=["hide-input"]
ramp = torch.linspace(0, 1, 14).expand(1, 1, 14, 14)
claim("Laplacian variance of a ramp", laplacian_variance(ramp), equals=0, within=1e-9)
noise = 0.1 * torch.randn_like(test)
agrees("Laplacian variance of noise, s = 0.1", laplacian_variance(noise), 0.2)
claim("Sharpness of blurred digits", sharpness(changed["blurred"]), at_most=0.5)
claim("Sharpness of noisy digits", sharpness(changed["with noise"]), at_least=1.5)

# %% [markdown]
r"""
So blur lowers the number, and noise raises it. It counts fine detail, *wanted or not*. A high number alone is no praise. Always look at the picture, too.

## A pixel that is black or white

Now the smallest case of blur. One pixel is 0 in half of the pictures and 1 in the other half, and $z$ does not say which. What should the decoder answer? We try every mean $m$, and for the Gaussian every $\sigma_x$. The cost is the negative log-likelihood, averaged over both cases.

You can read that the grey comes from the Gaussian, and that a Bernoulli likelihood is the remedy. Look.
"""

# %%
mean = torch.linspace(0.01, 0.99, 99).double()
std = torch.linspace(0.02, 2, 199).double()[:, None]
black, white = (-Normal(mean, std).log_prob(torch.tensor(x)) for x in (0.0, 1.0))
gaussian = (black + white) / 2  # (199, 99)
bernoulli = -(mean.log() + (1 - mean).log()) / 2  # (99,)

# %% tags=["hide-input"]
row, column = divmod(gaussian.argmin().item(), len(mean))
claim("Gaussian: best mean", mean[column], equals=0.5, within=1e-6)
claim("Gaussian: best σ", std[row], equals=0.5, within=1e-6)
claim("Bernoulli: best mean", mean[bernoulli.argmin()], equals=0.5, within=1e-6)

# %% [markdown]
r"""
Grey, under both. The best answer of either is the average, given what $z$ tells: the **conditional mean**.

But a *sample* of a Bernoulli is black or white! Yes, but each pixel is drawn by itself. The likelihood is **factorised**: given $z$, it is a product over pixels. Suppose that two pixels agree in every picture. In samples they agree half of the time. That is not sharp. It is noise, salt and pepper in one case, grains in the other.

## An edge whose place is not known

From one pixel to many. An edge, black on the left and white on the right, stands at a place $u$. The decoder knows $u$ up to an error with standard deviation $\tau$ (tau). What is the average of all these edges? At the place $t$ it is the chance that $u < t$. For a normal distribution of $u$ this is

$$\Phi(t / \tau), \qquad \text{with the slope } \frac{1}{\tau \sqrt{2\pi}} \text{ in the middle,}$$

where $\Phi$ is the distribution function of $\mathcal{N}(0, 1)$. A step has become a ramp, about $2.5\,\tau$ wide.

And a fine pattern? Take a wave of frequency $\omega$ (omega) that moves along with the edge. The average of $\cos(\omega (t - u))$ over $u$ is $e^{-\omega^2\tau^2/2} \cos(\omega t)$. Coarse waves survive, fine waves are gone. This is a **low-pass filter**. Nobody put it in. Averaging over places *is* blurring.
"""

# %%
tau, places = 0.7, torch.linspace(-3, 3, 61).double()
u = tau * torch.randn(40_000, 1).double()
average = (places > u).double().mean(0)  # of 40 000 edges
waves = {omega: torch.cos(omega * u)[:, 0] for omega in (1, 2, 4)}  # at t = 0
print(*(f"ω = {omega}: {wave.mean():.3f}" for omega, wave in waves.items()), sep="\n")

# %% tags=["hide-input"]
ramp = Normal(0.0, tau).cdf(places)
error = (ramp * (1 - ramp) / len(u)).sqrt() + 1e-4
claim("Average edge - Φ, in standard errors", ((average - ramp) / error).abs().max(), at_most=5)
for omega, wave in waves.items():
    agrees(f"What is left of a wave, ω = {omega}", wave, math.exp(-((omega * tau) ** 2) / 2))

# %% [markdown]
r"""
Turn $\tau$ up slowly. Each of the pictures above is sharp, and stays sharp. Only their average blurs. Then take the stroke: it does not just get wider. It fades.
"""

# %% tags=["hide-input"]
explorer.edge_blur()

# %% [markdown]
r"""
## The best decoder for a given encoder

Now a real VAE. Two latents, $\sigma_x = 0.3$, digits of 14 × 14 pixels.
"""


# %%
def train_more(vae):
    def negative_elbo(model, x):
        return -model.elbo(x).total.mean()

    for lr, steps in ((5e-3, 300), (5e-4, 100)):
        fit(vae, negative_elbo, train, steps=steps, batch_size=128, lr=lr, seed=seed)
    return vae


def new_vae(latent_dim, std):
    torch.manual_seed(seed)
    return train_more(VAE((1, 14, 14), latent_dim, hidden=(128,), std=std))


two = new_vae(2, 0.3)

# %% [markdown]
r"""
Hold the encoder fixed. A $z$ arrives at the decoder. Which of the training pictures $x_1, \dots, x_N$ has sent it? Each was equally likely before. So by Bayes' rule picture $i$ has the probability

$$w_i(z) = \frac{q_\phi(z \mid x_i)}{\sum_k q_\phi(z \mid x_k)}.$$

Let $h$ be any decoder's mean. Under the Gaussian likelihood with a fixed $\sigma_x$, the best $h(z)$ has the smallest average squared error, and that is the average itself:

$$h^*(z) = \sum_i w_i(z)\, x_i.$$

Any other $h$ pays more, and we know how much. Expand the square around $h^*$. The mixed term averages to zero, so

$$\mathbb{E}\,\lVert x - h(z) \rVert^2 = \mathbb{E}\,\lVert x - h^*(z) \rVert^2 + \mathbb{E}\,\lVert h(z) - h^*(z) \rVert^2.$$

The first part belongs to the encoder: no decoder can remove it. The second is the decoder's own fault. Four thousand posteriors are few enough to compute all this exactly.
"""


# %%
def error(pictures, others):
    return (pictures - others).square().flatten(1).sum(1)  # (batch,)


posterior = encode_all(two, train)
sent = torch.randint(len(train), (1_500,))
x, z = train[sent], sample_posterior(*(part[sent] for part in posterior))
weights, best = best_decoder(z, posterior, train)
decoded = two.decode(z).mean.detach()
fault = error(decoded, best).mean() / error(x, decoded).mean()
print(f"share of the error that is the decoder's own fault: {fault:.2f}")

# %% tags=["hide-input"]
gap = error(x, decoded) - error(x, best) - error(decoded, best)
agrees("The two sides of the equation differ by", gap, 0)
claim("Share of the error that is the decoder's fault", fault, at_most=0.15)
near = sharpness(decoded) / sharpness(best)
claim("The trained one, relative to it", near, at_least=0.6, at_most=1.05)

# %% [markdown]
r"""
The trained decoder is close to the best there can be, and the best there can be is blurry. With this encoder, a deeper decoder could gain that share of the error, and no more.

## Cause 1: too little information

How many pictures go into that average? The probabilities $w_i$ have an entropy $H$, and $e^H$ is the effective number of pictures among them. There is an exact relation. Before $z$ arrives, all $N$ pictures are possible: $\log N$ nats of doubt. Afterwards $H$ nats are left, on average. The difference is what $z$ tells about $x$, the mutual information of [chapter 4](04_analytic_kl.ipynb):

$$I(x; z) = \log N - \mathbb{E}\,H, \qquad\text{so}\qquad e^{\mathbb{E} H} = N e^{-I(x; z)}.$$

And $I$ is at most the average KL, $R$ nats. So the KL does limit the sharpness: the average number of pictures behind a $z$ (a geometric mean) is at least $N e^{-R}$. It is a number about *these* $N$ pictures: with twice as many, twice as many share a $z$. And where $R$ exceeds $\log N$ it forbids nothing.
"""

# %%
doubt = torch.special.entr(weights).sum(1)  # (1500,), nats
behind = doubt.mean().exp()
split = split_mean_kl(posterior, n_samples=2)
least = len(train) * math.exp(-split.mean_kl)
print(f"KL {split.mean_kl:.2f}: at least {least:.0f} share a z, it is {behind:.0f}")

# %% tags=["hide-input"]
information = split.mutual_information
five = 5 * (estimate(doubt).standard_error + information.standard_error)
left = math.log(len(train)) - information.mean
claim("Doubt left", doubt.mean(), equals=left, within=five)
many = behind / least  # at least 1, but for the draws
claim("Pictures in one average, over the least number", many, at_least=math.exp(-five), at_most=10)

# %% [markdown]
r"""
Go through the plane yourself. It starts where it is least clear which digit has sent $z$. What the decoder paints there looks like no digit in particular, and yet it is close to the best answer. Then find a $z$ that few pictures can have sent: both get sharper. (Only 300 of the 4 000 training pictures travel with this page. With all of them, about thirteen times as many share a $z$.)
"""

# %% tags=["hide-input"]
explorer.best_picture(
    two,
    train[:300],
    digits.train_labels[:300],
    caption="Codes of 300 training pictures. Rings: the six that most likely sent z, the wider the likelier. "
    "Their pictures, with the weights w in percent. Then the best decoder's answer, the average of all 300 "
    "with their weights, and the trained decoder's. It was trained on more pictures than these.",
)

# %% [markdown]
r"""
## Cause 2: the answer is a mean

Too little information does not have to look blurry. Keep the encoder, keep every $z$. Only answer differently: draw *one* of the pictures with the probabilities $w_i(z)$, and show that one. It knows no more than $h^*$. But it is a real digit, as sharp as the data.

What does it cost? Given $z$, the true picture and the drawn one are independent, with the same distribution. The squared distance of two such draws is on average exactly *twice* that of one draw from their mean. So the squared error doubles. And there is a middle way: draw $k$ pictures, and show their average. Its error is $1 + 1/k$ times that of $h^*$, which is the average of infinitely many.
"""


# %%
def average_of(k):
    return train[torch.multinomial(weights, k, replacement=True)].mean(1)


answers = {f"{k} drawn": average_of(k) for k in (1, 2, 4, 16)}
answers |= {"best decoder $h^*$": best, "trained decoder": decoded}
missing = (detail - laplacian_variance(best).mean()) / 20  # a variance, see above
answers["$h^*$ and noise"] = best + missing.sqrt() * torch.randn_like(best)

# %% tags=["hide-input"]
for k in (1, 2, 4, 16):
    off = error(x, answers[f"{k} drawn"]) - (1 + 1 / k) * error(x, best)
    agrees(f"Error of {k} drawn, minus 1 + 1/{k} times the best", off, 0)
relative = laplacian_variance(answers["1 drawn"]) / laplacian_variance(train).mean()
agrees("Sharpness of one drawn, to training data", relative, 1)
claim("Sharpness of h* with noise", sharpness(answers["$h^*$ and noise"]), equals=1, within=0.05)

labels = digits.train_labels[sent]
other = 1 - (weights * (digits.train_labels == labels[:, None])).sum(1)
claim("One drawn shows another label than the picture: chance", other.mean(), at_least=0.15)

plotting.rows(
    {
        "picture": x[:12],
        "best decoder $h^*$": best[:12],
        "trained decoder": decoded[:12],
        "$h^*$ and noise": answers["$h^*$ and noise"][:12],
        "one drawn": answers["1 drawn"][:12],
    },
    caption="Training pictures, and four answers to the same draws of z: the best decoder's, the "
    "trained decoder's mean, the best with noise on top, and one picture drawn with the probabilities w.",
    alt="Five rows of twelve digits. The first and the last are sharp, but the last often shows another "
    "digit or shape than the first. The second and the third are soft and almost the same. The fourth is "
    "as soft as these, and grainy.",
)

# %% [markdown]
r"""
The second and the third row are blurry, and right on average. The last is sharp, and often wrong. You can read that the decoder mixes features where posteriors overlap. This is what it mixes: whole pictures, pixel by pixel.

Now put all answers into one plane. Across goes what they cost, the squared error. Up goes how they look. That is the plane of **perception and distortion** ([Blau & Michaeli 2018](https://arxiv.org/abs/1711.06077)). They measure perception by how far the *distribution* of answers is from that of pictures. One drawn has exactly the pictures' distribution, so nobody needs to pay more than twice.

How do you see such a distance? Let a small network, a **critic**, learn to tell answers from real pictures, and count how often it is right on new ones. If both have the same distribution, it can only toss a coin.
"""

# %%
real = train[torch.randint(len(train), (1_500,))]


def guess(critic, rows):  # 196 pixels, then 1 for a real picture
    return F.binary_cross_entropy_with_logits(critic(rows[:, :-1]), rows[:, -1:])


def critic_is_right(made):
    rows = [F.pad(p.flatten(1), (0, 1), value=y) for y, p in enumerate((made, real))]
    seen, unseen = torch.stack(rows).split((1_000, 500), dim=1)  # (2, 1000, 197), ...
    critic, unseen = mlp([196, 64, 1]), unseen.flatten(0, 1)
    fit(critic, guess, seen.flatten(0, 1), epochs=20, lr=3e-3, seed=seed)
    says_real = critic(unseen[:, :-1]) > 0
    return (says_real == (unseen[:, -1:] > 0)).double().mean().item()


least = error(x, best).mean()
cost = {name: (error(x, a).mean() / least).item() for name, a in answers.items()}
fine = {name: sharpness(answer) for name, answer in answers.items()}
right = {name: critic_is_right(answer) for name, answer in answers.items()}

# %% tags=["hide-input"]
path = ["best decoder $h^*$", "16 drawn", "4 drawn", "2 drawn", "1 drawn"]
claim("Critic is right, one drawn", right["1 drawn"], equals=0.5, within=0.08)
claim("... h*", right["best decoder $h^*$"], at_least=0.75)
claim("... more often of h* than of 2 drawn", right[path[0]] - right["2 drawn"], at_least=0.1)
noisy = right["$h^*$ and noise"] - right["2 drawn"]
claim("... more often of h* and noise than of 2 drawn", noisy, at_least=0.08)

figure, panels = plotting.figure(9.5, 3.4, columns=2)
for axis, height in zip(panels, (fine, right), strict=True):
    axis.plot(
        [cost[n] for n in path], [height[n] for n in path], "o-", label="$h^*$, 16, 4, 2, 1 drawn"
    )
    for name, mark in {"trained decoder": "s", "$h^*$ and noise": "^"}.items():
        axis.plot(cost[name], height[name], mark, label=name)
    axis.axhline(1 if height is fine else 0.5, color="black", ls="--", lw=1, label="real pictures")
    axis.set(xlabel="squared error, relative to $h^*$")
panels[0].set_ylabel("sharpness")
panels[1].set_ylabel("critic is right")
panels[0].legend()
plotting.show(
    figure,
    caption="What different answers to the same draws of z cost, and how they compare with pictures: left in "
    "sharpness, right by how often a critic tells them apart. At one half it only guesses.",
    alt="Two plots over the squared error from 1 to 2. Left, a line of five dots rises from the best decoder to "
    "one drawn, at twice the error, on the dashed line of real pictures. Right, the line falls from near one "
    "to the dashed line at one half. A square, the trained decoder, lies beside the "
    "first dot. A triangle, noise on top, lies on the dashed line left, and far above the line of dots right.",
)

# %% [markdown]
r"""
Nothing lies to the left of $h^*$. From there you can go on to one drawn, and each step costs. And you see how a number can be fooled: with noise, the best decoder is as *sharp* as the data at once, but the critic tells it more often than the average of two drawn, at a like price.

A decoder with a smooth mean and independent noise can only answer at this end. To move the whole curve to the left you need another $z$: more information.

## The same with a known factor

A doubt remains. Perhaps the network could not have drawn any better? Take pictures whose **factors** are known. Our drawn digits are computed from such numbers: which digit, slant, rotation, pen width. (So this part draws its own pictures, whatever set the chapter runs on.) We let only three factors vary: digit, rotation and slant. A network is told the digit and the rotation, and draws the picture. A second one, the same in all else, is told the slant, too.

For the first one the best answer is the average over slants. We compute it by drawing: 25 slants, evenly spread in probability, for each test picture.
"""


# %% tags=["hide-input"]
def draw(factors):
    return F.avg_pool2d(render_digits(factors), 2)


vary = ("digit", "rotation", "slant")
seen = plain_factors(3_000, vary, seed=seed, split="train")
new = plain_factors(200, vary, seed=seed, split="test")
slants = seen["slant"].quantile((torch.arange(25) + 0.5) / 25)
averaged = sum(draw(new | {"slant": slant.expand(200)}) for slant in slants) / 25
pictures, canvas = draw(new), draw(seen).flatten(1)


# %%
def pixel_error(network, rows):
    return error(network(rows[:, :-196]), rows[:, -196:]).mean()


told = {}
for name, factors in {"not told": vary[:2], "told": vary}.items():
    torch.manual_seed(seed)
    numbers = as_numbers(seen, factors)  # (3000, how many it is told)
    network = mlp([numbers.shape[1], 128, 128, 196])
    rows = torch.cat([numbers, canvas], 1)  # what it is told, then the pixels
    fit(network, pixel_error, rows, steps=400, batch_size=256, lr=2e-3, seed=seed)
    told[name] = network(as_numbers(new, factors)).detach().view_as(pictures)

# %% tags=["hide-input"]
lost, fault = error(told["not told"], pictures), error(told["not told"], averaged)
agrees("Not told: the two sides differ by", lost - error(averaged, pictures) - fault, 0)
claim("Not told: share of the error that is its fault", fault.mean() / lost.mean(), at_most=0.1)
share = error(told["told"], pictures).mean() / lost.mean()
claim("Told: error, relative to not told", share, at_most=0.25)
real_detail = laplacian_variance(pictures).mean()
for name, low, high in (("not told", 0.4, 0.75), ("told", 0.75, 1.05)):
    of_real = laplacian_variance(told[name]).mean() / real_detail
    claim(f"Sharpness of real ones, {name}", of_real, at_least=low, at_most=high)

show = new["slant"].argsort()[[*range(6), *range(-6, 0)]]  # those that lean least and most
plotting.rows(
    {"picture": pictures[show], "average over slants": averaged[show]}
    | {f"network, {name}": answer[show] for name, answer in told.items()},
    caption="Digits that lean far to the left (first six) and to the right. The average over slants was computed by drawing. The network "
    "that is not told the slant has found the same picture.",
    alt="Four rows of twelve digits. First row sharp. In the second and third, alike, the middle of "
    "each digit is fairly sharp and its top and bottom are smeared sideways. Fourth row sharp again.",
)

# %% [markdown]
r"""
Here only the information has changed. Same network, same loss. One number more, and most of the blur is gone. So the likelihood does not blur what $z$ tells it. It blurs what $z$ leaves open.

## Which frequencies go first

For the linear VAE all of this has a closed form ([chapter 8](08_latents_that_live.ipynb)). Let $\lambda_j$ (lambda) be the variance of the pictures along the $j$-th principal direction. The best linear VAE's reconstruction, the decoder's mean at the posterior mean, is the picture with its distance from the mean picture multiplied, along each direction, by a **gain** of

$$1 - \frac{\sigma_x^2}{\lambda_j}, \qquad \text{or } 0 \text{ where } \lambda_j \le \sigma_x^2.$$

So large $\lambda_j$ pass, and small ones are cut. In pictures the large ones are the coarse shapes, and the small ones are the fine detail. This is the information limit with no network in the way.
"""

# %%
flat, x = (part.flatten(1).double() for part in (train, test[:100]))
eigenvalues, directions = spectrum(flat)
for std in (0.5, 0.3, 0.1, 0.03):
    linear = fit_linear_vae(flat, 196, std**2)  # as many latents as pixels
    rebuilt = linear.posterior(x).mean @ linear.weight.T + linear.bias
    print(f"σ = {std}: sharpness {sharpness(rebuilt.view(-1, 1, 14, 14)):.2f}")

# %% tags=["hide-input"]
off = (rebuilt - flat.mean(0)) @ directions  # at the last σ
gain = (1 - std**2 / eigenvalues).clamp(min=0)
off = off - gain * ((x - flat.mean(0)) @ directions)
claim("Reconstruction - gain times picture", off.abs().max(), at_most=1e-6)
claim("Sharpness at σ = 0.03", sharpness(rebuilt.view(-1, 1, 14, 14)), at_least=0.75, at_most=1.25)

# %% [markdown]
r"""
## Samples are noisy, their means are blurry

Photographs have a famous rule: at $f$ cycles per picture, the variance of a wave is about proportional to $1/f^2$. So let us make pictures that have just this and nothing else, of $32 \times 32$ pixels with variance 1. Their principal directions are waves, and $\lambda$ is known. Take the linear VAE with $\sigma_x^2 = 0.2$. Then theory says how much power each frequency has

- in the data: $\lambda$;
- in reconstructions: $\lambda \cdot \text{gain}^2 = (\lambda - \sigma_x^2)^2 / \lambda$;
- in the *means* of samples: $\lambda - \sigma_x^2$;
- in full samples: $\sigma_x^2$ more than in their means. So it is $\lambda$ again, as far as $\lambda > \sigma_x^2$, and $\sigma_x^2$ beyond.

And the Laplacian multiplies a wave with angles $a$ and $b$ per pixel by $2\cos a + 2\cos b - 4$. So we know the sharpness of all four before we draw anything.
"""

# %%
lam = natural_power(32)  # (32, 32)
over = (lam - 0.2).clamp(min=0)
power = {"data": lam, "reconstructions": over**2 / lam.clamp(min=1e-9)}
power |= {"means of samples": over, "full samples": over + 0.2}
fine = {name: expected_laplacian_variance(p).item() for name, p in power.items()}
for name, value in fine.items():
    print(f"{name:16} {value / fine['data']:.2f}")

# %% [markdown]
r"""
A reconstruction by this linear VAE has 15 % of the sharpness of its picture, a full sample 110 %. (We have drawn 300 of each, and measured the same.)

And the VAE with two latents? Draw the same $z$ with and without noise. The noise must add $20\,\sigma_x^2 = 1.8$ to the Laplacian variance.
"""

# %% tags=["hide-input"]
weight = linear_wave_vae(lam, 0.2).weight
x, z, noise = torch.randn(3, 300, 1024).double()
x, means = coloured(x, lam), z @ weight.T
precision = torch.eye(1024) + weight.T @ weight / 0.2  # of the posterior, chapter 3
rebuilt = torch.linalg.solve(precision, weight.T @ x.T / 0.2).T @ weight.T
made = {"data": x, "reconstructions": rebuilt, "means of samples": means}
made |= {"full samples": means + math.sqrt(0.2) * noise}
made = {name: pictures.view(-1, 1, 32, 32) for name, pictures in made.items()}
for name, share in {"reconstructions": 0.15, "full samples": 1.1}.items():
    claim(f"{name}, relative to data", fine[name] / fine["data"], equals=share, within=0.01)
for name, pictures in made.items():
    ratio = laplacian_variance(pictures) / fine["data"]
    agrees(f"Sharpness, {name}", ratio, fine[name] / fine["data"])

both = {}
for noise in (False, True):
    torch.manual_seed(seed)
    both[noise] = two.sample(2_000, noise=noise)
added = laplacian_variance(both[True]) - laplacian_variance(both[False])
agrees("VAE: Laplacian variance that noise adds", added, 1.8)
claim("VAE: sharpness of sample means", sharpness(both[False]), at_most=0.5)

figure, (left, right) = plotting.figure(9.5, 3.4, columns=2)
for (name, pictures), style in zip(made.items(), ("-", "--", ":", "-."), strict=True):
    at, found = power_by_frequency(pictures)
    left.loglog(at[1:], found[1:], "o", markersize=3)
    _, found = power_by_frequency(torch.fft.ifft2(power[name].sqrt() * 32)[None, None])
    left.loglog(at[1:], found[1:], style, color=left.lines[-1].get_color(), label=name)
shown = (test, two.reconstruct(test), *both.values())
for name, pictures, style in zip(made, shown, ("-", "--", ":", "-."), strict=True):
    at, found = power_by_frequency(pictures)
    right.semilogy(at, found, style, label=name)
left.set(title="$1/f^2$ pictures, linear VAE", ylabel="power", ylim=(1e-5, None))
right.set(title="digits, VAE with 2 latents")
for axis in (left, right):
    axis.set_xlabel("cycles per picture")
right.legend()
plotting.show(
    figure,
    caption="Power by frequency. Left: predicted (lines) and measured (points). Right: measured, with "
    "the noise as a floor under the full samples.",
    alt="Two plots. Left, the data fall as a straight line on logarithmic axes, and full samples lie on "
    "it; sample means bend down from it at high frequencies, reconstructions even more. Right, "
    "reconstructions and sample means fall further and further below the data, by a factor of ten "
    "at the end, and full samples end in a flat floor ten times above the data.",
)

# %% [markdown]
r"""
Look at the right plot. A full sample of the VAE is not blurry at all. It has *more* fine detail than a digit, and the surplus is noise. Blurry is its mean. Most figures in papers and in this course show decoder means. That the samples are blurry is said of pictures that the model itself would never draw.

## Cause 3: the metric

In the end it is the metric, you can read: it does not see as we do. That is one cause of three. The conditional mean is the best answer *under the squared error*. Does the squared error see what you see? Move a digit by one pixel: you hardly notice. Blur it: you notice at once. Now count.

Next to the squared error we look at two other measures. **SSIM** ([Wang et al. 2004](https://doi.org/10.1109/TIP.2003.819861)) compares two pictures in small windows. Let $m_1$, $m_2$ be the means in a window, $v_1$, $v_2$ the variances and $v_{12}$ the covariance. Then it is the average over windows of

$$\frac{2\, m_1 m_2}{m_1^2 + m_2^2} \cdot \frac{2\, v_{12}}{v_1 + v_2},$$

with a small constant above and below each line, against 0/0. It is 1 for equal pictures. The other measure is a toy whose behaviour we know: the squared error between **amplitudes**. Take the Fourier transform of both pictures and keep how strong each wave is, but not where it is. A shift around the rim changes no amplitude.
"""

# %%
large = digits.test[:500].double()
changed = {"shifted": large.roll(1, dims=3), "blurred": F.avg_pool2d(large, 3, 1, 1)}
lost = (error(large, changed["blurred"]) / error(large, 0)).sqrt()
changed["dimmed"] = large * (1 - lost[:, None, None, None])  # by as much as blurred
measures = {}
for name, pictures in changed.items():
    toy = error(amplitudes(large), amplitudes(pictures))
    values = error(large, pictures), ssim(large, pictures), toy
    measures[name] = [value.mean().item() for value in values]
    print("{}: {:.1f}, SSIM {:.2f}, amplitudes {:.1f}".format(name, *measures[name]))

# %% tags=["hide-input"]
shift, blur, dim = measures.values()
claim("Squared error, shifted relative to blurred", shift[0] / blur[0], at_least=2.5)
claim("SSIM, dimmed - blurred", dim[1] - blur[1], at_least=0.02)
plotting.rows(
    {"digits": large[:10].float()} | {name: made[:10].float() for name, made in changed.items()},
    caption="Ten digits, shifted to the right by one pixel, blurred, and dimmed to the same squared error as blurred.",
    alt="Four rows of ten digits. The first two look the same. The third is soft, the fourth darker.",
)

# %% [markdown]
r"""
The shift costs at least two and a half times what the blur costs. The squared error prefers the blur by far, and so does the **PSNR**, the peak signal-to-noise ratio of many tables. For pixels from 0 to 1 it is $-10 \log_{10}$ of the squared error per pixel, in decibel. An error of 0.01 is 20 dB. That is another unit, and the same taste.

The dimmed picture was made to have the squared error of the blurred one. SSIM tells the two apart. But look at its number for the shift: it does not forgive one either. The toy does.

Now the experiment that changes only the metric. The place of a digit is not known: each shift by up to two pixels is equally likely. One answer is the average of the 25 pictures. The other is any one of them. Which is cheaper?
"""

# %% tags=["hide-input"]
moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
places = torch.stack([large[:40].roll(move, dims=(2, 3)) for move in moves])
ratios = {}
for feature in (torch.clone, torch.diff, amplitudes):  # the pixels, the edges, the toy
    each, of_mean = feature(places), feature(places.mean(0))  # (25, 40, ...), (40, ...)
    one = torch.stack([(each - other).square().mean() for other in each]).mean()
    ratios[feature.__name__] = (one / (each - of_mean).square().mean()).item()
print(*(f"{name:10} {ratio:.9f}" for name, ratio in ratios.items()), sep="\n")

# %% tags=["hide-input"]
claim("Edges: one of them costs, relative to the average", ratios["diff"], equals=2, within=1e-9)
claim("Amplitudes: the same", ratios["amplitudes"], equals=0, within=1e-9)

# %% [markdown]
r"""
Under the squared error the blurry average wins, two to one. Comparing edges, or any other *linear* filter of the pictures, does not help: the best answer is the average still. It takes a measure that is not linear. Then a sharp picture can win, as under the toy. This is what **perceptual losses** are made for: they compare nonlinear features, mostly layers of a trained network ([Johnson et al. 2016](https://arxiv.org/abs/1603.08155)).

The price: the loss is no longer an ELBO of this likelihood. In an ELBO stands $\log p_\theta(x \mid z)$, and a density must integrate to one over all $x$, whatever mean $m$ the decoder chooses. Take $e^{-\lVert x - m \rVert^2 / 2\sigma_x^2}$. Its integral is the same for every $m$, so one constant makes it a density.

Now take $e^{-10\,(1 - \text{SSIM})}$. SSIM is never below −1, so this is never below $e^{-20}$, and its integral over all pictures is infinite. Allow only pixels between 0 and 1, and it is finite. But then it depends on $m$: here, over all pictures of two grey halves, for an evenly grey $m$ and for one with an edge.
"""

# %% tags=["hide-input"]
grey = torch.linspace(0, 1, 61).double()
halves = torch.cartesian_prod(grey, grey)[:, [0, 0, 0, 0, 1, 1, 1]]  # (3 721, 7)
family = halves[:, None, None].expand(-1, 1, 7, 7)
even, edge = family[[1860]], family[[60]]  # both halves ½; black and white
integrals = [(-10 * (1 - ssim(family, m))).exp().mean().log() for m in (even, edge)]
claim("SSIM: log integrals differ by", (integrals[0] - integrals[1]).abs(), at_least=0.5)
claim("SSIM of an edge and its negative", ssim(edge, 1 - edge), at_least=-1, at_most=-0.9)

# %% [markdown]
r"""
No constant repairs that. So the number you get is no bound on $\log p_\theta(x)$, and a better number does not mean a better model of the data. It may still give you nicer pictures. Choose it for that, and do not call it an ELBO.

## What helps, and how far

Back to the VAE. Three pieces of advice: take more latents, take a smaller $\sigma_x$, train longer. We train four VAEs, look at them, and train each as long again. None has quite arrived even then, as the ELBO says. So for each comparison ask whether it comes out the same at both times. You see the PSNR and the sharpness of reconstructions of *test* pictures, and the share of **clear** digits ([chapter 1](01_autoencoders.ipynb)) among means of samples, relative to reconstructions.
"""


# %%
def measure(vae):
    rebuilt, made = vae.reconstruct(test), vae.sample(2_000, noise=False)
    total, _, kl = (term.mean().item() for term in vae.elbo(test))
    psnr = -10 * (test - rebuilt).square().mean().log10().item()
    new, old = (digit_score(p, train, digits.train_labels) for p in (made, rebuilt))
    return total, kl, psnr, sharpness(rebuilt), new.clear / old.clear


others = {"10": (10, 0.3), "40": (40, 0.3), "40, σ = 0.1": (40, 0.1)}
vaes = {"2": two} | {name: new_vae(*how) for name, how in others.items()}
once = {name: measure(vae) for name, vae in vaes.items()}
twice = {name: measure(train_more(vae)) for name, vae in vaes.items()}
print("latents       ELBO    KL  PSNR  sharpness      clear")
for name in vaes:
    for row in (once[name], twice[name]):
        print("{:12s}{:6.1f}{:6.1f}{:6.1f}{:11.2f}{:11.2f}".format(name, *row))

# %% tags=["hide-input"]
forty = {"once": {"at_least": 0.7, "at_most": 1}, "twice as long": {"at_least": 0.8, "at_most": 1}}
for when, rows in {"once": once, "twice as long": twice}.items():
    sharp = {name: row[3] for name, row in rows.items()}
    claim(f"Sharpness, 10 latents relative to 2, {when}", sharp["10"] / sharp["2"], at_least=1.1)
    claim(f"... 40 relative to 10, {when}", sharp["40"] / sharp["10"], **forty[when])
    more = sharp["40, σ = 0.1"] / sharp["40"]
    claim(f"... σ = 0.1 relative to 0.3, {when}", more, at_least=1.15)
fewer = twice["40, σ = 0.1"][4] / twice["40"][4]
claim("Clear, σ = 0.1 relative to 0.3, twice as long", fewer, at_most=0.9)
for name in vaes:
    longer = twice[name][3] / once[name][3]
    claim(f"Sharpness, twice as long, {name}", longer, at_least=1.0, at_most=1.6)

# %% [markdown]
r"""
Read it line by line.

- **More latents** help as long as the model pays for them. From 10 to 40, at the same $\sigma_x$, nothing is gained: 40 begin behind, and come within a fifth of 10. A *linear* VAE pays for the directions with $\lambda_j > \sigma_x^2$, and for no more. For a network that count is no guide.
- **Training longer** helps every row, and less and less: towards the optimum for this $\sigma_x$. The price of a nat stays as it was.
- **A smaller $\sigma_x$** buys information: look at the KL. Reconstructions get sharper, at both times.
- But the samples pay for it. After the longer training, fewer of their means are clear. (After the shorter one that is not yet so in every run.)

This last point answers a popular line: the KL spoils the quality, unlike in diffusion models. A weaker KL (a smaller $\sigma_x$ is just that, chapter 6) improves *reconstructions*, and fewer draws from $\mathcal{N}(0, I)$ come out as digits. It trades rate for distortion. (A prior that is fitted to the codes wins draws back: [chapter 11](11_prior.ipynb).) And diffusion models are no exception: they are VAEs with many layers of latents, trained on a reweighted ELBO ([Kingma & Gao 2023](https://arxiv.org/abs/2303.00848)).

One warning. We called $h^*$ the best decoder *for the training pictures*. With 40 latents and $\sigma_x = 0.1$ their posteriors hardly overlap, and $h^*$ gives back a single training picture, sharp and by heart. Is it still the best for *new* pictures?
"""

# %%
vae, x = vaes["40, σ = 0.1"].requires_grad_(False), test[:1_000]
z = sample_posterior(*vae.encode(x))
weights, best = best_decoder(z, encode_all(vae, train), train)
by_heart = error(x, best).mean() / error(x, vae.decode(z).mean).mean()
print(f"error of h* on new pictures, in units of the decoder's: {by_heart:.1f}")

# %% tags=["hide-input"]
doubt = torch.special.entr(weights).sum(1).mean()
claim("Training pictures in one average, 40 latents", doubt.exp(), at_most=2)
claim("Error on new pictures, h* relative to the decoder", by_heart, at_least=1.2)
plotting.rows(
    {"picture": x[:10], "$h^*$": best[:10], "decoder": vae.decode(z[:10]).mean}
    | {"samples, σ = 0.1": vae.sample(10, noise=False)}
    | {"samples, σ = 0.3": vaes["40"].sample(10, noise=False).detach()},
    caption="Test pictures, the best decoder's answer for the training set, and the trained decoder's. Below, means of "
    "samples with 40 latents at two values of σₓ.",
    alt="Five rows of ten. The first shows digits; the second sharp digits, mostly the same "
    "in other handwriting; the third the first row again, a little softer. In the fourth row hardly one can be "
    "read, in the last row some can.",
)

# %% [markdown]
r"""
It is not. The average that counts runs over all pictures that *could* have sent this $z$, and 4 000 are a thin sample of them. A smooth network fills in the rest, which is blur again, and is right to do so.

## What to take along

Blur is an average. The information in $z$ decides how many pictures go into it: $N e^{-I}$. The likelihood decides that it is a mean, and not a draw. The metric decides that the mean is the best answer. A Bernoulli changes none of this, and full samples are not blurry but noisy. Given $z$, one drawn picture is sharp, at twice the error. A smaller $\sigma_x$ sharpens reconstructions at the cost of draws from the prior. A perceptual loss can give you sharp pictures, and takes the ELBO away. [Chapter 12](12_sharper_pictures.ipynb) tries the cures, and counts what each costs.

## Practise

[Exercises 9](exercises/09_blur.ipynb) check what you write and name your mistake. Measure sharpness, blur an edge whose place is not known, write the best picture for a $z$, and read $\sigma_x$ off a decoder's pictures.

## The checks
"""

# %% tags=["hide-input"]
summary()
