# %% [markdown]
r"""
# 1 · Autoencoders: compress, decompress, and then?

You have many pictures and no labels. What can you learn from the pictures alone? One answer is a model that can *make* such pictures. This course builds one, the variational auto-encoder (VAE). It starts here, with its plain relative: the autoencoder.
"""

# %% tags=["hide-input"]
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import torch
from sklearn.mixture import GaussianMixture
from torch import nn

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation.recognition import digit_score
from vae_course.latents import matched_gaussian
from vae_course.models import Autoencoder
from vae_course.plotting.architecture import hourglass_figure
from vae_course.training import fit

seed = begin("01_autoencoders")
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)
plotting.tiles(
    digits.train[:96],
    columns=24,
    caption="Ninety-six training pictures. No two are the same.",
    alt="A sheet of four rows of twenty-four white handwritten digits on black, "
    "zero to nine in mixed order, varying in slant, size, pen width and shape.",
)

# %% [markdown]
r"""
**After this chapter you can**

- write an autoencoder and its training in plain PyTorch, and say what its bottleneck limits;
- look at a cloud of codes and say why a normal distribution does not fit it;
- draw new pictures with an autoencoder, and measure whether they are digits;
- say what its loss leaves open, and so why a VAE is worth the trouble.

Each line with a tick is a claim: a cell computes it, and the book is not built when it fails.

## The idea in words

The pictures above show digits, in 28 × 28 grey pixels. They look written by hand, but a small program draws them, so this page needs no download. A pixel is a number between 0 (black) and 1 (white). One picture is called $x$. It has $D = 28 \cdot 28 = 784$ pixels.

An autoencoder is two networks. The **encoder** turns a picture into a short list of numbers, its **code** $z$. The **decoder** turns the code back into a picture. The two are trained together to give back what came in.

The code is shorter than the picture. Here it has $d = 2$ to $20$ numbers in place of 784. This narrow place is called the **bottleneck**. To get through it, the networks must find out what the pictures have in common.

We write $e_\phi$ for the encoder, with weights $\phi$ (phi), and $f_\theta$ for the decoder, with weights $\theta$ (theta). The loss for one picture is the squared difference, summed over the pixels:

$$\mathcal{L}(x) = \sum_{i=1}^{D} \bigl(x_i - \hat{x}_i\bigr)^2, \qquad \hat{x} = f_\theta(e_\phi(x)).$$

## All of it, in PyTorch

Here is the whole thing: two networks, a loss, a loop. The code has 20 numbers.
"""

# %%
x = digits.train.flatten(1)  # one picture in each row: (10_000, 784)

torch.manual_seed(seed)
encoder = nn.Sequential(
    nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 20)
)
decoder = nn.Sequential(
    nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 784)
)
weights = [*encoder.parameters(), *decoder.parameters()]
optimizer = torch.optim.Adam(weights, lr=2e-3)

for step in range(800):
    batch = x[torch.randint(len(x), (128,))]  # 128 pictures at random: (128, 784)
    squares = (batch - decoder(encoder(batch))) ** 2
    loss = squares.sum(1).mean()  # the sum over pixels, then the mean over the batch
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}: loss {loss.item():.1f}")

# %% [markdown]
r"""
Sum over pixels and mean over the batch: keep the two apart. [Chapter 6](06_learned_variance.ipynb) shows what goes wrong when they get mixed up. Now send a picture through that the networks have not seen.
"""

# %% tags=["hide-input"]
test = digits.test.flatten(1)
with torch.no_grad():
    test_codes = encoder(test)
    rebuilt = decoder(test_codes)
    errors = (test - rebuilt).square().sum(1)
    without_code = (test - x.mean(0)).square().sum(1).mean()

claim("Test error, relative to the mean picture's", errors.mean() / without_code, at_most=0.6)
typical = errors.argsort()[len(errors) // 2]
hourglass_figure(
    digits.test[typical],
    test_codes[typical],
    rebuilt[typical].view(1, 28, 28),
    caption="A test picture, its code of 20 numbers as bars, and what the decoder makes of them. "
    "Half of the test pictures come out better than this one.",
    alt="From left to right: a digit, a box that narrows, twenty bars of various heights up "
    "and down, a box that widens, and nearly the same digit, a little blurred.",
)

# %% [markdown]
r"""
From here on the course's package does the same with less to read: `Autoencoder` has these layers, and `fit` has this loop, except that it takes each picture once before any comes again. With the same weights, the same pictures come out.
"""

# %%
package = Autoencoder((1, 28, 28), 20, hidden=(128, 64))
package.encoder.load_state_dict(encoder.state_dict())
package.decoder.load_state_dict(decoder.state_dict())
with torch.no_grad():
    difference = (package.reconstruct(digits.test).flatten(1) - rebuilt).abs().max()
claim("Package against this page: largest difference", difference, at_most=1e-6)


# %%
def squared_error(model, pictures):
    squares = (pictures - model.reconstruct(pictures)) ** 2
    return squares.flatten(1).sum(1).mean()


def train(d):
    torch.manual_seed(seed)
    model = Autoencoder((1, 28, 28), d, hidden=(128, 64))
    fit(model, squared_error, digits.train, steps=800, lr=2e-3, seed=seed)
    return model.eval().requires_grad_(False)


autoencoders = {d: train(d) for d in (2, 4, 10, 20)}

# %% [markdown]
r"""
## More numbers, better pictures

How good are the reconstructions? We measure on test pictures, and we need something to compare with. If both networks were linear, the best answer would be known. It is **principal component analysis** (PCA): keep the $d$ directions in which the pictures vary most. So PCA is what straight lines could reach. Curved networks should do better, above all where every number counts.
"""

# %% tags=["hide-input"]
mean, directions = x.mean(0), torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh
linear = {}
for d in autoencoders:
    there_and_back = (test - mean) @ directions[:d].T @ directions[:d]
    linear[d] = (test - mean - there_and_back).square().sum(1).mean().item()
errors = {d: squared_error(model, digits.test).item() for d, model in autoencoders.items()}

worst = max(errors[d] / linear[d] for d in (2, 4, 10))
claim("Error with 2, 4, 10 numbers, relative to PCA: worst", worst, at_most=0.95)
claim("Error with 20 numbers, relative to 2", errors[20] / errors[2], at_most=0.7)

first = digits.test[:12]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), width_ratios=(1, 1.7))
axes[0].plot(list(linear), list(linear.values()), "s--", label="PCA")
axes[0].plot(list(errors), list(errors.values()), "o-", label="autoencoder")
axes[0].set(xlabel="code size $d$", ylabel="squared error", ylim=(0, None), xticks=list(errors))
axes[0].legend()
sheet = torch.cat([first] + [m.reconstruct(first) for m in autoencoders.values()])
plotting.draw_tiles(axes[1], sheet, 12)
axes[1].set_yticks(
    [14 + 28 * row for row in range(5)], ["original", *(f"d = {d}" for d in autoencoders)]
)
axes[1].tick_params(left=False)
plotting.show(
    figure,
    caption="Left: error on test pictures against code size; PCA is the best linear encoder and "
    "decoder. Right: twelve test pictures through 2, 4, 10 and 20 numbers.",
    alt="Left, two falling curves over code sizes 2, 4, 10 and 20. The autoencoder's lies below "
    "that of PCA at 2, 4 and 10, and the two nearly meet at 20. Right, five rows of twelve "
    "digits. With two numbers several are blurred or another digit; with twenty they are close.",
)

# %% [markdown]
r"""
## What the bottleneck does not limit

"784 numbers become 2, so the picture is compressed 392 times." You can read sentences like this. It is not right. A real number has endlessly many digits, and there is room for a whole picture in *one* of them. Write the 784 grey values of a picture one after the other behind the point, as the digits of one number between 0 and 1 (to base 256, since there are 256 greys). Then read them back.
"""

# %%
grey = (digits.test[0] * 255).round().to(torch.uint8).flatten()
whole = int.from_bytes(bytes(grey.tolist()), "big")
one_number = Fraction(whole, 256**784)


def unpack(number):
    return torch.tensor(list(int(number * 256**784).to_bytes(784, "big")))


differ = (unpack(one_number) != grey).sum()
in_64_bits = unpack(Fraction(float(one_number)))
lost = (in_64_bits != grey)[grey > 0].double().mean()
claim("Pixels that differ after a code of one number", differ, equals=0, within=0)
claim("Pixels with ink that are lost in a number of 64 bits", lost, at_least=0.8)

# %% [markdown]
r"""
So a bottleneck bounds how many *dimensions* the code has. What bounds the bits is something else: how exact the numbers are. Those in your computer have 32 or 64 bits, and the second line shows how far that goes. But nothing in the *loss* asks for few bits. A VAE puts a price on information, in a unit called nats. That is one of the things the next chapter adds.

## The cloud of codes

With two numbers per picture you can draw every code as a point. Nobody told the encoder where to put the codes. Some regions are crowded, some digits overlap, and there are gaps.

Walk through the plane yourself. Drag the point, tap where it should go, or use the arrow keys or the sliders. The decoder that you have just trained runs in the page. Cross a gap: it answers there, too, often with something between digits. Nobody asked it to do better.

Could this cloud have been drawn from a normal distribution? Fit one to the training codes. Beside it fit a **mixture** of ten: ten normal distributions, each with a mean, a covariance and a weight of its own. Under the mixture, the codes of *test* pictures have a higher log-density.
"""

# %% tags=["hide-input"]
plane = autoencoders[2]
explorer.latent_plane(
    {"autoencoder": plane},
    digits.test,
    digits.test_labels,
    caption=f"Codes of {len(digits.test)} test pictures, and what the decoder makes of the point. A gap is a "
    "place that is further from all of them than nine in ten are from their neighbours.",
)


# %% tags=["hide-input"]
def better_than_one_normal(train_codes, test_codes):
    """Log-density of test codes under a mixture of ten, less that under one normal."""
    fits = [
        GaussianMixture(k, random_state=seed).fit(train_codes.double().numpy()) for k in (10, 1)
    ]
    return fits[0].score(test_codes.double().numpy()) - fits[1].score(test_codes.double().numpy())


cloud, control = plane.encode(digits.train), torch.randn(10_000, 2)
gain = better_than_one_normal(cloud, plane.encode(digits.test))
claim("Mixture over one normal, codes of the plane, nats", gain, at_least=0.06)
nothing = better_than_one_normal(control, torch.randn(2_000, 2))
claim("... normal draws in their place", nothing, equals=0, within=0.04)

# %% [markdown]
r"""
The second line is a cross-check: on a cloud that *is* normal, ten components gain next to nothing.

## Can it make new pictures?

Here is a tempting idea. Draw a random code, and decode it. From which distribution? There are three candidates.

- The naive choice is the **standard normal** distribution, $\mathcal{N}(0, I)$: mean 0, variance 1, no correlation.
- A fairer one is the **matched** normal distribution: it gets the mean and the covariance of the training codes.
- The cloud has several crowded places, with gaps between. A single normal distribution has one such place and no gap. A mixture of ten can follow them. Scikit-learn fits it to the training codes.
"""

# %%
wide = autoencoders[20]
codes = wide.encode(digits.train)
noise = torch.randn(2_000, 20)

mixture = GaussianMixture(10, random_state=seed).fit(codes.double().numpy())
drawn = torch.from_numpy(mixture.sample(2_000)[0]).float()
z_mixture = drawn[torch.randperm(len(drawn))]  # they came sorted

pictures = {
    "real": digits.test,
    "reconstructed": wide.reconstruct(digits.test),
    "N(0, I)": wide.decode(noise),
    "matched": wide.decode(matched_gaussian(codes, noise)),
    "mixture of 10": wide.decode(z_mixture),
}

# %% tags=["hide-input"]
plotting.rows(
    {name: batch[:14] for name, batch in pictures.items()},
    caption="Real pictures, their reconstructions, and decoded random codes of three kinds (d = 20).",
    alt="Five rows of fourteen pictures. Real digits and reconstructions are clear. Decoded draws "
    "from N(0, I) are mostly faint and smudged, those of the matched normal distribution are "
    "shapes between digits, and among those of the mixture most are digits.",
)

# %% [markdown]
r"""
The last row looks best. But "look at the picture" is no measurement. How would you *measure* whether a picture is a digit?

Ask the real pictures. Take the ten training pictures that are nearest to yours, pixel by pixel. If yours is a good digit, those ten mostly show the same digit. If it is a blend of a 4 and a 7, the vote is split. So we count the pictures with a **unanimous** vote. There is nothing to train, and the test pictures tell us the score of real digits.

A model could cheat, and not only by drawing one perfect 1 two thousand times. The vote favours faint pictures, too: nearest to an all-black one are pictures with the least ink, here ten ones, and that is unanimous. So each digit counts only up to its share among the real pictures, about a tenth. The result is the share of **clear** digits.
"""


# %%
def clear(batch):
    return digit_score(batch, digits.train, digits.train_labels).clear


scores = {name: clear(batch) for name, batch in pictures.items()}
for name, score in scores.items():
    print(f"{name:14} {score:.2f}")

# %% tags=["hide-input"]
best = scores["reconstructed"]
single = max(scores["N(0, I)"], scores["matched"]) / best
claim("Clear, better of the normal distributions against reconstructions", single, at_most=0.7)
kept = scores["mixture of 10"] / best
claim("Clear, mixture against reconstructions", kept, at_least=0.6, at_most=0.98)

black = digit_score(torch.zeros(100, 1, 28, 28), digits.train, digits.train_labels)
if digits.name == "digits":
    claim("Black pictures: unanimous", black.unanimous, equals=1, within=0)
else:
    print(f"What is nearest to black depends on the set. Here unanimous: {black.unanimous:.0f}")

with torch.no_grad():
    own = wide.encode(digits.test)
new, seen = (torch.cdist(z, codes).amin(1).median() for z in (z_mixture, own))
claim("Mixture: distance to the nearest training code, of test codes'", new / seen, at_least=1)

# %% [markdown]
r"""
So you *can* draw digits with an autoencoder. Its decoder is not to blame when it fails: given good codes, it draws digits. And the mixture does not just repeat what it has seen. Its draws are typically farther from the training codes than the codes of test pictures are.

You can read that random codes decode to "random noise". The picture above says otherwise. Noise has neighbouring pixels that do not match. Take the mean squared step between neighbours, relative to the variance of the pixels.
"""

# %% tags=["hide-input"]


def roughness(batch):
    return (batch.diff(dim=3).square().mean() / batch.var()).item()


rough = {name: roughness(batch) for name, batch in pictures.items()}
noise_pictures = torch.rand(500, 1, 28, 28)
claim("Roughness of pure noise", roughness(noise_pictures), equals=2, within=0.05)
claim("Roughness of decoded N(0, I) codes", rough["N(0, I)"], at_most=0.8)
print(
    f"Roughness of real pictures: {rough['real']:.2f}, reconstructed: {rough['reconstructed']:.2f}"
)

# %% [markdown]
r"""
Noise has 2. Decoded random codes have far less, closer to real pictures than to noise. They are off the set of digits, but noise they are not.

## What the loss does not say

Why did $\mathcal{N}(0, I)$ fail? Because nothing in the training mentions it. Take an autoencoder and multiply every code by ten. Let the decoder divide by ten first. The pictures that come out are the same, so the loss is the same. The same holds for any invertible function $g$:

$$f_\theta\bigl(g^{-1}(g(e_\phi(x)))\bigr) = f_\theta(e_\phi(x)).$$

The loss cannot tell such models apart. Yet their codes can be distributed quite differently, and then a fixed $\mathcal{N}(0, I)$ gives different pictures.
"""

# %%
losses, naive = {}, {}
for scale in (0.1, 1, 10):
    rebuilt = wide.decode(scale * wide.encode(digits.test) / scale)
    losses[scale] = (digits.test - rebuilt).square().flatten(1).sum(1).mean().item()
    naive[scale] = wide.decode(noise / scale)
    score = clear(naive[scale])
    print(f"codes times {scale:3}: loss {losses[scale]:.2f}, clear {score:.2f}")

# %% tags=["hide-input"]
change = max(abs(losses[scale] / losses[1] - 1) for scale in (0.1, 10))
claim("Codes times 0.1 and 10: change of the loss, relative", change, at_most=1e-4)
contrast = naive[0.1].std() / naive[10].std()
claim("Contrast of N(0, I) pictures, codes times 0.1 over times 10", contrast, at_least=2)
moved = wide.decode(matched_gaussian(10 * codes, noise) / 10) - pictures["matched"]
claim("Matched draws, codes times 10: largest change of a pixel", moved.abs().max(), at_most=0.01)
plotting.rows(
    {f"codes times {scale}": batch[:14] for scale, batch in naive.items()},
    caption="Three models with the same loss, and what N(0, I) over their codes gives.",
    alt="Three rows of fourteen pictures. In the first, harsh white scribbles. In the second, "
    "smudged shapes, some like digits. In the third all fourteen are nearly the same faint smudge.",
)

# %% [markdown]
r"""
Three models, one loss, three different sets of pictures. What a *fixed* $\mathcal{N}(0, I)$ gives is an accident of the model you happened to train. Train some in your browser, each with another seed, and count the draws that fall in a gap: [An autoencoder and its gaps](playground.ipynb). The matched distribution follows a change of scale, and would follow any linear $g$. It would not follow a curved one. Exercise 1 lets you try.

Note which distribution this is about: the one of the *codes*. You can also read that "the image distribution differs from a Gaussian". That is true of all pictures, and beside the point.

So this is the first thing missing. The loss does not say what to draw. The mixture repaired that afterwards, with a second model that the first one knows nothing of.

## Is it at least a likelihood?

A last tempting sentence: "training an autoencoder maximises the likelihood of the data". Let us see what it maximises. Say that the decoder's output is the mean of a normal distribution with variance 1 for each pixel. Then

$$-\tfrac12 \mathcal{L}(x) - \tfrac{D}{2} \log 2\pi = \log p_\theta\bigl(x \mid z = e_\phi(x)\bigr).$$

This is the density of $x$ given *its own* code. Is that a density over pictures? A density must integrate to 1. Take the simplest autoencoder there is: pictures of one pixel, $e(x) = x$, $f(z) = z$. It reconstructs perfectly, so $p(x \mid z = x) = 1/\sqrt{2\pi}$ for every $x$. Integrate that from $-a$ to $a$.
"""


# %%
def total_probability(a):
    x = torch.linspace(-a, a, 100_001, dtype=torch.float64)
    given_own_code = torch.distributions.Normal(x, 1.0).log_prob(x).exp()
    return torch.trapezoid(given_own_code, x)


for a in (10, 100):
    found, right = total_probability(a), 2 * a / math.sqrt(2 * math.pi)
    claim(f"Integral from -{a} to {a}, not 1", found, equals=right, within=1e-6)

# %% [markdown]
r"""
It grows without end. This autoencoder gives every $x$ the highest score, noise included. A likelihood $p(x)$ cannot do that: what it gives to one picture it must take from another.

## What is missing

- The **loss does not say what to draw**. You can find out afterwards, with a second model over the codes.
- There is **no density over pictures**, $p(x)$. So you cannot say how likely a picture is, or which of two models describes the test pictures better. The mixture alone does not help: it is a density over codes, not over pictures.

An autoencoder learns a map. A VAE learns a **distribution**: one loss for both the pictures and the codes, and a bound on $\log p(x)$, in nats. [Chapter 2](02_from_ae_to_vae.ipynb) changes two lines of the networks and adds one term to the loss.

## Practise

[Exercises 1](exercises/01_autoencoders.ipynb) check what you write and name your mistake. Write the best linear autoencoder and a curved one, re-map the codes without changing a picture, and draw codes that match a cloud.

## The checks
"""

# %% tags=["hide-input"]
summary()
