# %% [markdown]
r"""
# 9 · Why outputs are blurry

Pictures from a VAE look soft. "VAEs are blurry", people say, and name one culprit: the KL, or the Gaussian, or the squared error. There are three causes. In this chapter you take them apart and measure each one by itself.

**After this chapter you can**

- put a number on sharpness, and say what that number cannot tell;
- name three causes of blur, and an experiment for each that changes nothing else;
- compute the best picture that any decoder could draw for a given encoder, and see how close a trained one comes;
- predict which frequencies a linear VAE loses;
- say what more latents, a smaller $\sigma_x$, more training and a perceptual loss will buy you.
"""

# %% tags=["hide-input"]
import math
from copy import deepcopy

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
from vae_course.exact import fit_linear_vae, optimal_kl, spectrum
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

# %%
seed = begin("09_blur")
digits = load_images("digits", n_train=5_000, n_test=2_000, seed=seed)
train, test = (F.avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14

# %% [markdown]
r"""
## A number for sharpness

Compare a pixel with its four neighbours: add them up, and subtract the pixel four times. This is the **Laplacian**. It is zero where the grey is flat, and also where it changes evenly. It is large at edges and at fine lines. Its variance over a picture is our number for sharpness.

Try it where we know the answer. An even ramp must give 0. Take **white noise**, where each pixel is drawn by itself with variance $s^2$. Five independent pixels enter with the weights 1, 1, 1, 1 and −4, so the Laplacian has the variance $(1 + 1 + 1 + 1 + 16)\, s^2 = 20\, s^2$.
"""


# %%
def sharpness(pictures):
    """Laplacian variance, relative to that of the test pictures."""
    return (laplacian_variance(pictures).mean() / detail).item()


def agrees(text, values, exactly):
    """Claim that the mean of the values is what it must be, within five standard errors."""
    found = estimate(values)
    claim(text, found.mean, equals=exactly, within=5 * found.standard_error)


detail = laplacian_variance(test).mean()
ramp = torch.linspace(0, 1, 14).expand(1, 1, 14, 14)
claim("Laplacian variance of a ramp", laplacian_variance(ramp), equals=0, within=1e-9)
noise = 0.1 * torch.randn_like(test)
agrees("Laplacian variance of noise, s = 0.1", laplacian_variance(noise), 0.2)
claim("Sharpness of blurred digits", sharpness(F.avg_pool2d(test, 3, 1, 1)), at_most=0.5)
claim("Sharpness of noisy digits, s = 0.3", sharpness(test + 3 * noise), at_least=2)

# %% [markdown]
r"""
So blur lowers the number, and noise raises it. It counts fine detail, *wanted or not*. A high number alone is no praise. Always look at the picture, too.

## A pixel that is black or white

Now the smallest case of blur. One pixel is 0 in half of the pictures and 1 in the other half, and $z$ does not say which. What should the decoder answer? We try every mean $m$, and for the Gaussian every $\sigma_x$. The cost is the negative log-likelihood (**NLL**), averaged over both cases.

You can read that the grey comes from the Gaussian, and that a Bernoulli likelihood is the remedy. Look.
"""

# %%
mean = torch.linspace(0.01, 0.99, 99).double()
std = torch.linspace(0.02, 2, 199).double()[:, None]
gaussian = -sum(Normal(mean, std).log_prob(torch.tensor(x)) for x in (0.0, 1.0)) / 2  # (199, 99)
bernoulli = -(mean.log() + (1 - mean).log()) / 2

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
tau, places = torch.tensor(0.7).double(), torch.linspace(-3, 3, 61).double()
u = tau * torch.randn(40_000, 1).double()
edges, ramp = (places > u).double().mean(0), Normal(0.0, tau).cdf(places)
error = (ramp * (1 - ramp) / len(u)).sqrt() + 1e-4
claim("Average edge - Φ, in standard errors", ((edges - ramp) / error).abs().max(), at_most=5)

middle = torch.zeros((), dtype=torch.float64, requires_grad=True)
(slope,) = torch.autograd.grad(Normal(0.0, tau).cdf(middle), middle)
closed = (1 / (tau * math.sqrt(2 * math.pi))).item()
claim("Slope of Φ in the middle", slope, equals=closed, within=1e-9)
for omega in (1, 2, 4):
    damped = (-((omega * tau) ** 2) / 2).exp().item()
    agrees(f"What is left of a wave, ω = {omega}", torch.cos(omega * u)[:, 0], damped)

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
def train_vae(vae, steps=300):
    def negative_elbo(model, x):
        return -model.elbo(x).total.mean()

    fit(vae, negative_elbo, train, steps=steps, batch_size=256, lr=3e-3, seed=seed)
    return vae


def new_vae(latent_dim, std):
    torch.manual_seed(seed)
    return train_vae(VAE((1, 14, 14), latent_dim, hidden=(128,), std=std))


vaes = {"2 latents": new_vae(2, 0.3)}

# %% [markdown]
r"""
Hold the encoder fixed. A $z$ arrives at the decoder. Which of the training pictures $x_1, \dots, x_N$ has sent it? Each was equally likely before. So by Bayes' rule picture $i$ has the probability

$$w_i(z) = \frac{q_\phi(z \mid x_i)}{\sum_k q_\phi(z \mid x_k)}.$$

Let $h$ be any decoder's mean. Under the Gaussian likelihood with a fixed $\sigma_x$, the best $h(z)$ has the smallest average squared error, and that is the average itself:

$$h^*(z) = \sum_i w_i(z)\, x_i.$$

Any other $h$ pays more, and we know how much. Expand the square around $h^*$. The mixed term averages to zero, so

$$\mathbb{E}\,\lVert x - h(z) \rVert^2 = \mathbb{E}\,\lVert x - h^*(z) \rVert^2 + \mathbb{E}\,\lVert h(z) - h^*(z) \rVert^2.$$

The first part belongs to the encoder: no decoder can remove it. The second is the decoder's own fault. Five thousand posteriors are few enough to compute all this exactly.
"""


# %%
def error(pictures, others):
    return (pictures - others).square().flatten(1).sum(1)  # (batch,)


posterior = encode_all(vaes["2 latents"], train)
sent = torch.randint(len(train), (1_500,))
x, z = train[sent], sample_posterior(*(part[sent] for part in posterior))
weights, best = best_decoder(z, posterior, train)
with torch.no_grad():
    decoded = vaes["2 latents"].decode(z).mean
agrees("The two sides differ by", error(x, decoded) - error(x, best) - error(decoded, best), 0)
fault = error(decoded, best).mean() / error(x, decoded).mean()
claim("Share of the error that is the decoder's fault", fault, at_most=0.15)
claim("Sharpness of the best decoder", sharpness(best), at_most=0.5)
claim("The trained one, relative to it", sharpness(decoded) / sharpness(best), at_least=0.6)

# %% [markdown]
r"""
The trained decoder is close to the best there can be, and the best there can be is blurry. With this encoder, a deeper decoder could gain that share of the error, and no more.

## Cause 1: too little information

How many pictures go into that average? The probabilities $w_i$ have an entropy $H$, and $e^H$ is the effective number of pictures among them. There is an exact relation. Before $z$ arrives, all $N$ pictures are possible: $\log N$ nats of doubt. Afterwards $H$ nats are left, on average. The difference is what $z$ tells about $x$, the mutual information of chapter 4:

$$I(x; z) = \log N - \mathbb{E}\,H, \qquad\text{so}\qquad e^{\mathbb{E} H} = N e^{-I(x; z)}.$$

And $I$ is at most the average KL. So the KL does limit the sharpness: with an average KL of $R$ nats, at least $N e^{-R}$ pictures share a $z$ (as a geometric mean over $z$).
"""

# %%
doubt = torch.special.entr(weights).sum(1)
split = split_mean_kl(posterior, n_samples=2)
information = split.mutual_information
print(f"KL {split.mean_kl:.2f}, I {information.mean:.2f}, log N {math.log(5_000):.2f} nats")
five = 5 * (estimate(doubt).standard_error + information.standard_error)
claim("Doubt left", doubt.mean(), equals=math.log(5_000) - information.mean, within=five)
claim("Pictures in one average", doubt.mean().exp(), at_least=20)

# %% [markdown]
r"""
## Cause 2: the answer is a mean

Too little information does not have to look blurry. Keep the encoder, keep every $z$. Only answer differently: draw *one* of the pictures with the probabilities $w_i(z)$, and show that one. It knows no more than $h^*$. But it is a real digit, as sharp as the data.

What does it cost? Given $z$, the true picture and the drawn one are independent, with the same distribution. The squared distance of two such draws is on average exactly *twice* that of one draw from their mean. So the squared error doubles ([Blau & Michaeli 2018](https://arxiv.org/abs/1711.06077) call this the perception–distortion trade-off). A decoder with a smooth mean and independent noise has no way to give this answer.
"""

# %%
drawn = train[torch.multinomial(weights, 1)[:, 0]]
agrees("Error of the drawn, minus twice the best", error(x, drawn) - 2 * error(x, best), 0)
relative = laplacian_variance(drawn) / laplacian_variance(train).mean()
agrees("Sharpness of the drawn, to training data", relative, 1)

# %% tags=["hide-input"]
plotting.rows(
    {
        "picture": x[:12],
        "best decoder $h^*$": best[:12],
        "trained decoder": decoded[:12],
        "one drawn": drawn[:12],
    },
    caption="Training pictures, and three answers to the same draws of z: the best decoder's, the "
    "trained decoder's mean, and one picture drawn with the probabilities w.",
    alt="Four rows of twelve digits. The first and the last are sharp, but the last often shows another "
    "digit or shape than the first. The two rows between them are soft and almost the same.",
)

# %% [markdown]
r"""
The second and the third row are blurry, and right on average. The last is sharp, and often wrong. You can read that the decoder mixes features where posteriors overlap. This is what it mixes: whole pictures, pixel by pixel.

## The same with a known factor

A doubt remains. Perhaps the network could not have drawn any better? Take pictures whose **factors** are known. Our drawn digits are computed from such numbers: which digit, slant, rotation, pen width. (So this part draws its own pictures, even when the chapter runs on MNIST.) We let only three factors vary: digit, rotation and slant. A network is told the digit and the rotation, and draws the picture. A second one, the same in all else, is told the slant, too.

For the first one the best answer is the average over slants. We compute it by drawing: 25 slants, evenly spread in probability, for each test picture.
"""


# %%
def draw(factors):
    return F.avg_pool2d(render_digits(factors), 2)


vary = ("digit", "rotation", "slant")
seen = plain_factors(3_000, vary, seed=seed, split="train")
new = plain_factors(200, vary, seed=seed, split="test")
slants = seen["slant"].quantile((torch.arange(25) + 0.5) / 25)
averaged = sum(draw(new | {"slant": slant.expand(200)}) for slant in slants) / 25


# %%
def pixel_error(network, rows):
    return error(network(rows[:, :-196]), rows[:, -196:]).mean()


pictures, answers = draw(new), {}
for name, told in {"not told": vary[:2], "told": vary}.items():
    torch.manual_seed(seed)
    numbers = as_numbers(seen, told)
    network = mlp([numbers.shape[1], 128, 128, 196])
    rows = torch.cat([numbers, draw(seen).flatten(1)], 1)  # what it is told, then the pixels
    fit(network, pixel_error, rows, steps=400, batch_size=256, lr=2e-3, seed=seed)
    answers[name] = network(as_numbers(new, told)).detach().view_as(pictures)

cost, fault = error(answers["not told"], pictures), error(answers["not told"], averaged)
agrees("Not told: the two sides differ by", cost - error(averaged, pictures) - fault, 0)
claim("Not told: share of the error that is its fault", fault.mean() / cost.mean(), at_most=0.1)
share = error(answers["told"], pictures).mean() / cost.mean()
claim("Told: error, relative to not told", share, at_most=0.25)
gain = sharpness(answers["told"]) / sharpness(averaged)
claim("Told: sharpness, relative to the average", gain, at_least=1.2)

# %% tags=["hide-input"]
show = new["slant"].argsort()[[*range(6), *range(-6, 0)]]  # those that lean least and most
plotting.rows(
    {"picture": pictures[show], "average over slants": averaged[show]}
    | {f"network, {name}": answer[show] for name, answer in answers.items()},
    caption="Digits that lean far to the left (first six) and to the right. The average over slants was computed by drawing. The network "
    "that is not told the slant has found the same picture.",
    alt="Four rows of twelve digits. First row sharp. In the second and third, alike, the middle of "
    "each digit is fairly sharp and its top and bottom are smeared sideways. Fourth row sharp again.",
)

# %% [markdown]
r"""
Here only the information has changed. Same network, same loss. One number more, and most of the blur is gone. So the likelihood does not blur what $z$ tells it. It blurs what $z$ leaves open.

## Which frequencies go first

For the linear VAE all of this has a closed form. Let $\lambda_j$ (lambda) be the variance of the pictures along the $j$-th principal direction. The best linear VAE spends $\frac12 \log(\lambda_j/\sigma_x^2)$ nats on that direction if $\lambda_j > \sigma_x^2$, and nothing otherwise. Its reconstruction, the decoder's mean at the posterior mean, is the picture with its distance from the mean picture multiplied, along each direction, by a **gain** of

$$1 - \frac{\sigma_x^2}{\lambda_j}, \qquad \text{or } 0 \text{ where } \lambda_j \le \sigma_x^2.$$

So large $\lambda_j$ pass, and small ones are cut. In pictures the large ones are the coarse shapes, and the small ones are the fine detail.
"""

# %%
flat, x = (part.flatten(1).double() for part in (train, test[:100]))
eigenvalues, directions = spectrum(flat)
center, linear_sharpness = flat.mean(0), {}
for std in (0.5, 0.3, 0.1, 0.03):
    linear = fit_linear_vae(flat, 196, std**2)  # as many latents as pixels
    rebuilt = linear.posterior(x).mean @ linear.weight.T + linear.bias
    gain = (1 - std**2 / eigenvalues).clamp(min=0)
    off = (rebuilt - center) @ directions - gain * ((x - center) @ directions)
    claim(f"σ = {std}: reconstruction - gain times picture", off.abs().max(), at_most=1e-6)
    linear_sharpness[std] = sharpness(rebuilt.view(-1, 1, 14, 14))
    print(f"    KL {optimal_kl(eigenvalues, std**2).sum():6.1f} nats, {linear_sharpness[std]:.3f}")

claim("Sharpness at σ = 0.03", linear_sharpness[0.03], at_least=0.75)

# %% [markdown]
r"""
This is the information limit with no network in the way: more nats, more detail.

It also explains the blurry VAE on CIFAR-10 of chapter 7. Its squared error is *averaged* over the pixels, next to a KL that is summed. That is a Gaussian with $\sigma_x^2 = D/2$ (chapter 6). CIFAR-10 has $D = 3\,072$, so $\sigma_x^2 = 1\,536$. But a pixel between 0 and 1 has a variance of at most ¼, so the $\lambda_j$ together are at most $D/4$. No direction has a gain above zero, *whatever the pictures*. What comes out is the mean picture. (Chapter 7 proves it for any network.) Multiply that squared error by 6 000, as some do, and $\sigma_x^2 = 3\,072 / 12\,000 = 0.256$. Now shapes come through. But the linear VAE still cuts every direction with a variance below 0.256.

## Samples are noisy, their means are blurry

Photographs have a famous rule: at $f$ cycles per picture, the variance of a wave is about proportional to $1/f^2$. So let us make pictures that have just this and nothing else, of $32 \times 32$ pixels with variance 1. Their principal directions are waves, and $\lambda$ is known. Take the linear VAE with $\sigma_x^2 = 0.2$. Then theory says how much power each frequency has

- in the data: $\lambda$;
- in reconstructions: $\lambda \cdot \text{gain}^2 = (\lambda - \sigma_x^2)^2 / \lambda$;
- in the *means* of samples: $\lambda - \sigma_x^2$;
- in full samples: $\sigma_x^2$ more than in their means. So it is $\lambda$ again, as far as $\lambda > \sigma_x^2$, and $\sigma_x^2$ beyond.

And the Laplacian multiplies a wave with angles $a$ and $b$ per pixel by $2\cos a + 2\cos b - 4$. So we know the sharpness of all four before we draw anything.
"""

# %%
lam = natural_power(32)
over = (lam - 0.2).clamp(min=0)
predicted = {"data": lam, "reconstructions": over**2 / lam.clamp(min=1e-9)}
predicted |= {"means of samples": over, "full samples": over + 0.2}

weight = linear_wave_vae(lam, 0.2).weight
x, z, noise = torch.randn(3, 300, 1024).double()
x, means = coloured(x, lam), z @ weight.T
precision = torch.eye(1024) + weight.T @ weight / 0.2  # of the posterior, chapter 3
rebuilt = torch.linalg.solve(precision, weight.T @ x.T / 0.2).T @ weight.T
made = {"data": x, "reconstructions": rebuilt, "means of samples": means}
made |= {"full samples": means + math.sqrt(0.2) * noise}
made = {name: pictures.view(-1, 1, 32, 32) for name, pictures in made.items()}

fine = {name: expected_laplacian_variance(power).item() for name, power in predicted.items()}
for name, pictures in made.items():
    ratio = laplacian_variance(pictures) / fine["data"]
    agrees(f"Sharpness, {name}", ratio, fine[name] / fine["data"])

# %% [markdown]
r"""
And the VAE with two latents? Draw the same $z$ with and without noise. The noise must add $20\,\sigma_x^2 = 1.8$ to the Laplacian variance.
"""

# %%
both = {}
for noise in (False, True):
    torch.manual_seed(seed)
    both[noise] = vaes["2 latents"].sample(2_000, noise=noise)
added = laplacian_variance(both[True]) - laplacian_variance(both[False])
agrees("VAE: Laplacian variance that noise adds", added, 1.8)
claim("VAE: sharpness of sample means", sharpness(both[False]), at_most=0.5)

# %% tags=["hide-input"]
figure, (left, right) = plotting.figure(9.5, 3.4, columns=2)
for (name, pictures), style in zip(made.items(), ("-", "--", ":", "-."), strict=True):
    at, power = power_by_frequency(pictures)
    left.loglog(at[1:], power[1:], "o", markersize=3)
    _, power = power_by_frequency(torch.fft.ifft2(predicted[name].sqrt() * 32)[None, None])
    left.loglog(at[1:], power[1:], style, color=left.lines[-1].get_color(), label=name)
shown = (test, vaes["2 latents"].reconstruct(test), *both.values())
for name, pictures, style in zip(made, shown, ("-", "--", ":", "-."), strict=True):
    at, power = power_by_frequency(pictures)
    right.semilogy(at, power, style, label=name)
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
A reconstruction by the linear VAE has 15 % of the sharpness of its picture, a full sample 110 %. And look at the right plot. A full sample of the VAE is not blurry at all. It has *more* fine detail than a digit, and the surplus is noise. Blurry is its mean. Most figures in papers and in this course show decoder means. That the samples are blurry is said of pictures that the model itself would never draw.

## Cause 3: the metric

In the end it is the metric, you can read: it does not see as we do. That is one cause of three. The conditional mean is the best answer *under the squared error*. Does the squared error see what you see? Move a digit by one pixel: you hardly notice. Blur it: you notice at once. Now count.

Next to the squared error we look at two other measures. **SSIM** ([Wang et al. 2004](https://doi.org/10.1109/TIP.2003.819861)) compares mean, contrast and pattern in small windows; 1 is the best. The other is a toy whose behaviour we know: the squared error between **amplitudes**. Take the Fourier transform of both pictures and keep how strong each wave is, but not where it is. A shift around the rim changes no amplitude.
"""


# %%
large = digits.test[:500].double()
changed = {"shifted": large.roll(1, dims=3), "blurred": F.avg_pool2d(large, 3, 1, 1)}
of_blur = error(large, changed["blurred"])
lost = (of_blur / error(large, 0)).sqrt()
changed["dimmed"] = large * (1 - lost[:, None, None, None])
for name, pictures in changed.items():
    toy = error(amplitudes(large), amplitudes(pictures))
    changed[name] = [v.mean().item() for v in (error(large, pictures), ssim(large, pictures), toy)]
    print("{}: squared error {:.1f}, SSIM {:.2f}, amplitudes {:.1f}".format(name, *changed[name]))

shift, blur, dim = changed.values()
claim("Squared error, shifted relative to blurred", shift[0] / blur[0], at_least=3)
claim("SSIM, dimmed - blurred", dim[1] - blur[1], at_least=0.02)

# %% [markdown]
r"""
The shift costs more than three times what the blur costs. The squared error prefers the blur by far, and so does the **PSNR**, the peak signal-to-noise ratio of many tables. For pixels from 0 to 1 it is $-10 \log_{10}$ of the squared error per pixel, in decibel. An error of 0.01 is 20 dB. That is another unit, and the same taste.

The dimmed picture was made to have the squared error of the blurred one. SSIM tells the two apart. But look at its number for the shift: it does not forgive one either. The toy does.

Now the experiment that changes only the metric. The place of a digit is not known: each shift by up to two pixels is equally likely. One answer is the average of the 25 pictures. The other is any one of them. Which is cheaper?
"""

# %%
steps = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
places = torch.stack([large[:40].roll(step, dims=(2, 3)) for step in steps])  # (25, 40, 1, 28, 28)
ratios = {}
for feature in (torch.clone, torch.diff, amplitudes):  # the pixels, the edges, the toy
    each, of_mean = feature(places), feature(places.mean(0))
    one = torch.stack([(each - other).square().mean() for other in each]).mean()
    ratios[feature.__name__] = one / (each - of_mean).square().mean()

claim("Pixels: one of them costs, relative to the average", ratios["clone"], equals=2, within=1e-9)
claim("Edges: the same", ratios["diff"], equals=2, within=1e-9)
claim("Amplitudes: the same", ratios["amplitudes"], equals=0, within=1e-9)

# %% [markdown]
r"""
Under the squared error the blurry average wins, two to one. Comparing edges, or any other *linear* filter of the pictures, does not help: the best answer is the average still. It takes a measure that is not linear. Then a sharp picture can win, as under the toy. This is what **perceptual losses** are made for: they compare nonlinear features, mostly layers of a trained network ([Johnson et al. 2016](https://arxiv.org/abs/1603.08155)).

The price: the loss is no longer an ELBO of this likelihood. In an ELBO stands $\log p_\theta(x \mid z)$, and a density must integrate to one over all $x$, whatever mean $m$ the decoder chooses. Take $e^{-\lVert x - m \rVert^2 / 2\sigma_x^2}$. Its integral is the same for every $m$, so one constant makes it a density.

Now take $e^{-10\,(1 - \text{SSIM})}$. SSIM is never below −1, so this is never below $e^{-20}$, and its integral over all pictures is infinite. Allow only pixels between 0 and 1, and it is finite. But then it depends on $m$: here, over all pictures of two grey halves, for an evenly grey $m$ and for one with an edge.
"""


# %%
grey = torch.linspace(0, 1, 61).double()
halves = torch.cartesian_prod(grey, grey)[:, [0, 0, 0, 0, 1, 1, 1]]  # (3 721, 7)
family = halves[:, None, None].expand(-1, 1, 7, 7)
even, edge = family[[1860]], family[[60]]  # both halves ½; black and white
integrals = [(-10 * (1 - ssim(family, m))).exp().mean().log() for m in (even, edge)]
claim("SSIM: log integrals differ by", (integrals[0] - integrals[1]).abs(), at_least=0.5)
claim("SSIM of an edge and its negative", ssim(edge, 1 - edge), at_least=-1, at_most=-0.9)

# %% [markdown]
r"""
No constant repairs that. (You could divide by an integral for each $m$, and have another likelihood. Nobody does.) So the number you get is no bound on $\log p_\theta(x)$, and a better number does not mean a better model of the data. It may still give you nicer pictures. Choose it for that, and do not call it an ELBO.

## What helps, and how far

Back to the VAE. Three pieces of advice: take more latents, take a smaller $\sigma_x$, train longer. We start from 10 latents and $\sigma_x = 0.3$. We take more or fewer latents, and train longer. At last we change $\sigma_x$, with many latents. For each model you see the KL, the PSNR and the sharpness for *test* pictures. For means of samples you see, as in chapter 1, the share that are digits: their ten nearest training pictures agree. It is relative to reconstructions, which have the same decoder.
"""

# %%
vaes |= {
    "10 latents": new_vae(10, 0.3),
    "40 latents": new_vae(40, 0.3),
}
vaes["10, 3 times longer"] = train_vae(deepcopy(vaes["10 latents"]), steps=600)
vaes["40, σ = 0.05"] = new_vae(40, 0.05)
sharp, digit = {}, {}
print("                      KL  PSNR sharpness  | samples: digits")
for name, vae in vaes.items():
    rebuilt, made = vae.reconstruct(test), vae.sample(2_000, noise=False)
    kl, psnr = vae.elbo(test).kl.mean(), -10 * (test - rebuilt).square().mean().log10()
    sharp[name] = sharpness(rebuilt)
    votes = [digit_score(p, train, digits.train_labels).unanimous for p in (made, rebuilt)]
    digit[name] = votes[0] / votes[1]
    print(f"{name:19s}{kl:5.1f}{psnr:6.1f}{sharp[name]:10.2f}  |{digit[name]:16.2f}")

# %%
base = sharp["10 latents"]
claim("Sharpness, 10 latents relative to 2", base / sharp["2 latents"], at_least=1.25)
claim("... 40 relative to 10", sharp["40 latents"] / base, at_most=1.25)
claim("... 3 times longer", sharp["10, 3 times longer"] / base, at_least=1.05, at_most=2)
claim("... 40 latents and σ = 0.05", sharp["40, σ = 0.05"] / base, at_least=1.25)
fewer = digit["40, σ = 0.05"] / digit["10 latents"]
claim("Sample means that are digits, 40 and σ = 0.05, relative", fewer, at_most=0.95)

# %% [markdown]
r"""
Read it line by line.

- **More latents** help as long as the model pays for them. From 10 to 40, at the same $\sigma_x$, little or nothing is gained. A *linear* VAE pays for the directions with $\lambda_j > \sigma_x^2$, and for no more. For a network that count is no guide.
- **Training longer** helps, up to the optimum for this $\sigma_x$. Encoder and decoder both get better, but the price of a nat stays as it was.
- **A smaller $\sigma_x$** buys information: look at the KL. Reconstructions get sharper. This row has not arrived after 300 steps: trained longer, its ELBO rises by far, and its reconstructions get sharper still. So read it as a direction, not as an end.
- But the samples pay for it. Fewer of their means are digits.

This last point answers a popular line: the KL spoils the quality, unlike in diffusion models. A weaker KL (a smaller $\sigma_x$ is just that, chapter 6) improves *reconstructions*, and fewer samples are digits. It trades rate for distortion. And diffusion models are no exception: they are VAEs with many layers of latents, trained on a reweighted ELBO ([Kingma & Gao 2023](https://arxiv.org/abs/2303.00848)).

One warning. We called $h^*$ the best decoder *for the training pictures*. With 40 latents and $\sigma_x = 0.05$ their posteriors hardly overlap, and $h^*$ gives back a single training picture, sharp and by heart. Is it still the best for *new* pictures?
"""

# %%
vae, x = vaes["40, σ = 0.05"].requires_grad_(False), test[:1_000]
z = sample_posterior(*vae.encode(x))
weights, best = best_decoder(z, encode_all(vae, train), train)
doubt = torch.special.entr(weights).sum(1).mean()
claim("Training pictures in one average, 40 latents", doubt.exp(), at_most=2)
by_heart = error(x, best).mean() / error(x, vae.decode(z).mean).mean()
claim("Error on new pictures, h* relative to the decoder", by_heart, at_least=1.5)

# %% [markdown]
r"""
It is not. The average that counts runs over all pictures that *could* have sent this $z$, and 5 000 are a thin sample of them. A smooth network fills in the rest, which is blur again, and is right to do so.

## What to take along

Blur is an average. The information in $z$ decides how many pictures go into it: $N e^{-I}$. The likelihood decides that it is a mean, and not a draw. The metric decides that the mean is the best answer. A Bernoulli changes none of this, and full samples are not blurry but noisy. A smaller $\sigma_x$ sharpens reconstructions at the cost of samples. A perceptual loss can give you sharp pictures, and takes the ELBO away.

## Practise

[Exercises 9](exercises/09_blur.ipynb) check what you write and name your mistake. Measure sharpness, blur an edge whose place is not known, write the best picture for a $z$, and read $\sigma_x$ off a decoder's pictures.

## The checks
"""

# %% tags=["hide-input"]
summary()
