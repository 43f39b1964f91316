# %% [markdown]
r"""
# 1 · Autoencoders: compress, decompress, and then?

You have many pictures and no labels. What can you learn from the pictures alone?

One answer is a model that can *make* such pictures. This course builds one, the variational auto-encoder (VAE). It starts here, with its plain relative: the autoencoder.

**After this chapter you can**

- train an autoencoder and say what its bottleneck limits, and what it does not;
- look at a cloud of codes and see its gaps;
- measure whether a generated picture is a digit, not just look at it;
- explain why an autoencoder gives you no way to draw new pictures.

Every claim on this page is computed by the cell beside it. The book is not built when one of them fails.
"""

# %%
import math
from fractions import Fraction

import torch

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.evaluation.recognition import digit_score
from vae_course.latents import matched_gaussian
from vae_course.models import Autoencoder
from vae_course.training import fit

seed = begin("01_autoencoders")
digits = load_images("digits", n_train=10_000, n_test=2_000, seed=seed)

# %% [markdown]
r"""
## The pictures

We use hand-drawn digits of 28 × 28 grey pixels. By default a small program draws them, so this page needs no download. A pixel is a number between 0 (black) and 1 (white). One picture is called $x$. It has $D = 28 \cdot 28 = 784$ pixels.

You can run this page on the real MNIST digits, too. Set the environment variable `VAE_COURSE_DIGITS=mnist` first. Every claim below must hold on both.
"""

# %% tags=["hide-input"]
plotting.tiles(
    digits.train[:96],
    columns=16,
    caption="Ninety-six training pictures. No two are the same.",
    alt="A sheet of six rows of sixteen white handwritten digits on black, "
    "zero to nine in mixed order, varying in slant, size, pen width and shape.",
)

# %% [markdown]
r"""
## The idea in words

An autoencoder is two networks. The **encoder** turns a picture into a short list of numbers, its **code** $z$. The **decoder** turns the code back into a picture. The two are trained together to give back what came in.

The code is shorter than the picture. Here it has $d = 2$ to $20$ numbers in place of 784. This narrow place is called the **bottleneck**. To get through it, the networks must find out what the pictures have in common.

We write $e_\phi$ for the encoder, with weights $\phi$ (phi). We write $d_\theta$ for the decoder, with weights $\theta$ (theta). The loss for one picture is the squared difference, summed over the pixels:

$$\mathcal{L}(x) = \sum_{i=1}^{D} \bigl(x_i - \hat{x}_i\bigr)^2, \qquad \hat{x} = d_\theta(e_\phi(x)).$$

In code, the sum over pixels and the mean over the batch stand in two different places. Keep them apart. [Chapter 6](06_learned_variance.ipynb) shows what goes wrong when they get mixed up.
"""


# %%
def squared_error(model, x):
    per_picture = (x - model.reconstruct(x)).square().flatten(1).sum(1)  # (batch,)
    return per_picture.mean()


def train(latent_dim):
    torch.manual_seed(seed)
    model = Autoencoder((1, 28, 28), latent_dim, hidden=(128, 64))
    fit(model, squared_error, digits.train, epochs=10, lr=2e-3, seed=seed)
    return model.eval().requires_grad_(False)


autoencoders = {latent_dim: train(latent_dim) for latent_dim in (2, 4, 10, 20)}

# %% [markdown]
r"""
## More numbers, better pictures

How good are the reconstructions? We measure on test pictures, which the networks have not seen.

We need something to compare with. If both networks were linear, the best possible answer would be known. It is **principal component analysis** (PCA): keep the $d$ directions in which the pictures vary most. So PCA is what a straight-line encoder could reach. A curved one should do better, above all where every number counts.
"""


# %%
def pca_error(latent_dim):
    mean = digits.train.flatten(1).mean(0)
    directions = torch.linalg.svd(digits.train.flatten(1) - mean, full_matrices=False).Vh
    kept = directions[:latent_dim]  # (d, 784)
    centred = digits.test.flatten(1) - mean
    return (centred - centred @ kept.T @ kept).square().sum(1).mean().item()


errors = {size: squared_error(model, digits.test).item() for size, model in autoencoders.items()}
linear = {size: pca_error(size) for size in autoencoders}

for size in (2, 4, 10):
    claim(f"Error with {size} numbers, relative to PCA", errors[size] / linear[size], at_most=0.95)
claim("Error with 20 numbers, relative to 2", errors[20] / errors[2], at_most=0.7)

# %% tags=["hide-input"]
figure, (axis,) = plotting.figure(6, 3.2)
axis.plot(list(linear), list(linear.values()), "s--", label="PCA (the best linear encoder)")
axis.plot(list(errors), list(errors.values()), "o-", label="autoencoder")
axis.set(
    xlabel="code size $d$", ylabel="squared error per picture", ylim=(0, None), xticks=list(errors)
)
axis.legend()
plotting.show(
    figure,
    caption="Test error against code size. The autoencoder leads while the code is short.",
    alt="Two falling curves over code sizes 2, 4, 10 and 20. The autoencoder's lies below "
    "that of PCA at 2, 4 and 10, and the two nearly meet at 20.",
)

# %% tags=["hide-input"]
first = digits.test[:12]
plotting.rows(
    {"original": first}
    | {f"$d = {size}$": m.reconstruct(first) for size, m in autoencoders.items()},
    caption="Test pictures and their reconstructions through 2, 4, 10 and 20 numbers.",
    alt="Five rows of twelve digits: originals, then reconstructions. With two numbers several "
    "digits are blurred or turned into another digit; with twenty they are close to the originals.",
)

# %% [markdown]
r"""
## What the bottleneck does not limit

"784 numbers become 2, so the picture is compressed 392 times." You will read this often. It is not right. A real number has endlessly many digits, and there is room for a whole picture in *one* of them.

Here is the proof by example. We write the 784 grey values of a picture one after the other behind the point, as the digits of one number between 0 and 1. Then we read them back.
"""

# %%
grey_values = (digits.test[0] * 255).round().to(torch.uint8).flatten()
one_number = Fraction(int.from_bytes(bytes(grey_values.tolist()), "big"), 256**784)
back = torch.tensor(list(int(one_number * 256**784).to_bytes(784, "big")))

print(f"Behind the point, places 361 to 400: {int(one_number * 10**400) % 10**40:040d}")
claim(
    "Pixels that differ after a code of one number", (back != grey_values).sum(), equals=0, within=0
)

# %% [markdown]
r"""
So a bottleneck bounds how many *dimensions* the code has. It bounds no number of bits. What keeps an autoencoder from this trick is only that its networks are smooth, and smooth functions cannot unpack digits.

A VAE does put a price on information, in a unit called nats. That is one of the things the next chapter adds.

## The cloud of codes

With two numbers per picture you can draw every code as a point.
"""

# %%
plane = autoencoders[2]
codes = plane.encode(digits.test)  # (2000, 2)

low, high = codes.quantile(0.02, dim=0), codes.quantile(0.98, dim=0)
steps = torch.linspace(0, 1, 15)
grid = torch.cartesian_prod(1 - steps, steps).flip(1)  # (225, 2), top row first
plotting.latent_plane(
    codes,
    digits.test_labels,
    plane.decode(low + grid * (high - low)),
    caption="Left: codes of 2 000 test pictures, coloured and numbered by digit. "
    "Right: what the decoder makes of points spread evenly over that region.",
    alt="Left, a cloud of coloured points in rays and patches of uneven density, with "
    "empty wedges between them and digits on top of each other. Right, fifteen rows of "
    "fifteen decoded digits that change gradually, with unclear shapes in between.",
)

# %% [markdown]
r"""
Nobody told the encoder where to put the codes. Some regions are crowded, some digits overlap, and there are gaps.

Let us measure the gaps. For each test code, take the distance to the nearest training code. Nine in ten are below some distance $r$: that is how close real codes have company. Now draw points from a normal distribution with the mean and the covariance of the training codes. How many of *them* are more than $r$ from all training codes? If there were no gaps, it would be one in ten.
"""

# %%
train_codes = plane.encode(digits.train)
drawn = matched_gaussian(train_codes, torch.randn(2_000, 2))
to_nearest = {
    name: torch.cdist(points, train_codes).min(1).values
    for name, points in {"test codes": codes, "draws": drawn}.items()
}
company = to_nearest["test codes"].quantile(0.9)
in_gaps = (to_nearest["draws"] > company).double().mean()
claim("Share of draws in gaps (0.1 without gaps)", in_gaps, at_least=0.12)

# %% [markdown]
r"""
Walk through the plane yourself. Drag the point, tap where it should go, or use the arrow keys or the sliders. The decoder that you have just trained runs in the page. Cross a gap: it answers there, too, with something between digits. Nobody asked it to do better.
"""

# %% tags=["hide-input"]
explorer.latent_plane(
    {"autoencoder": plane},
    digits.test,
    digits.test_labels,
    caption="Codes of 2 000 test pictures, and what the decoder makes of the point. A gap is a place "
    "that is further from all of them than nine in ten are from their neighbours.",
)

# %% [markdown]
r"""
## Can it make new pictures?

Here is a tempting idea. Draw a random code from a normal distribution, and decode it.

Which normal distribution? The naive choice is the standard one, $\mathcal{N}(0, I)$: mean 0, variance 1, no correlation. A fairer choice is **matched**: give it the mean and the covariance of the training codes. Let us try both with $d = 20$.
"""

# %%
wide = autoencoders[20]
noise = torch.randn(2_000, 20)
train_codes = wide.encode(digits.train)
pictures = {
    "real": digits.test,
    "reconstructed": wide.reconstruct(digits.test),
    "matched": wide.decode(matched_gaussian(train_codes, noise)),
    "N(0, I)": wide.decode(noise),
}
plotting.rows(
    {name: batch[:12] for name, batch in pictures.items()},
    caption="Real pictures, their reconstructions, and decoded random codes of both kinds (d = 20).",
    alt="Four rows of twelve pictures. Real digits and reconstructions are clear. In the two rows "
    "of decoded random codes, most are smudged shapes between digits.",
)

# %% [markdown]
r"""
These are not digits. But "look at the picture" is no measurement. How would you *measure* whether a picture is a digit?

Ask the real pictures. Take the ten training pictures that are nearest to yours, pixel by pixel. If yours is a digit, those ten all show the same digit. If it is a blend of a 4 and a 7, the vote is split. We count the pictures for which the vote is unanimous. There is nothing to train, and the test pictures tell us the score of real digits.

A model could cheat: one perfect 1, drawn two thousand times. So we also count the **kinds** of digits in the votes, as exp of their entropy. Ten equally frequent digits give 10. The same digit every time gives 1.

One more care. Decoded pictures are smoother than real ones. So we compare decoded random codes with decoded *real* codes, not with real pictures. Same decoder, same blur. Only the codes differ.
"""


# %%
def score(batch):
    return digit_score(batch, digits.train, digits.train_labels)


scores = {name: score(batch) for name, batch in pictures.items()}
for name, value in scores.items():
    print(f"{name:15s} {value}")

reconstructed = scores["reconstructed"].unanimous
claim(
    "Unanimous, matched Gaussian against reconstructions",
    scores["matched"].unanimous / reconstructed,
    at_most=0.7,
)
claim(
    "Unanimous, N(0, I) against reconstructions",
    scores["N(0, I)"].unanimous / reconstructed,
    at_most=0.95,
)

# %% [markdown]
r"""
The decoder is not to blame. Given codes of real pictures it draws digits. It was never asked to do anything sensible *between* the codes.

You will read that such codes decode to "random noise". The pictures above say otherwise: they are smooth, and often a blend of digits. They lie off the set of digits, but they are far from noise. A noise picture has neighbouring pixels that do not match:
"""


# %%
def roughness(batch):
    """Mean squared step between neighbouring pixels, relative to the variance of the pixels."""
    steps = batch.diff(dim=3).square().mean()
    return (steps / batch.var()).item()


claim("Roughness of pure noise", roughness(torch.rand(500, 1, 28, 28)), equals=2, within=0.05)
claim("Roughness of decoded N(0, I) codes", roughness(pictures["N(0, I)"]), at_most=0.8)

# %% [markdown]
r"""
## Why no Gaussian can be right

Perhaps we only have not found the right normal distribution. There is a reason why looking for it is hopeless.

Take an autoencoder and any invertible function $g$. Let the encoder apply $g$ at its end, and let the decoder undo it at its start. The pictures that come out are the same. So the loss is the same, for every picture:

$$d_\theta\bigl(g^{-1}(g(e_\phi(x)))\bigr) = d_\theta(e_\phi(x)).$$

The loss cannot tell the two models apart. Yet the second one's codes are distributed differently. Run it with a stretch in random directions, and with a curved $g$.
"""

# %%
stretch = torch.linalg.qr(torch.randn(20, 20)).Q * torch.logspace(-1, 1, 20)  # by 0.1 to 10
remaps = {
    "as trained": (lambda z: z, lambda w: w),
    "stretched": (lambda z: z @ stretch, lambda w: w @ torch.linalg.inv(stretch)),
    "curved": (lambda z: torch.sinh(3 * z), lambda w: torch.asinh(w) / 3),
}


def spread(z):
    """The variance of the codes, summed over their 20 numbers, relative to the real codes."""
    return (z.var(0).sum() / train_codes.var(0).sum()).item()


def examine(g, undo):
    rebuilt = wide.decode(undo(g(wide.encode(digits.test))))
    loss = (digits.test - rebuilt).square().flatten(1).sum(1).mean().item()
    return loss, undo(noise), undo(matched_gaussian(g(train_codes), noise))


# %%
results = {name: examine(g, undo) for name, (g, undo) in remaps.items()}
for name, (loss, naive, fair) in results.items():
    print(f"{name}: loss {loss:.4f}")
    for kind, z in {"N(0, I)": naive, "matched": fair}.items():
        print(f"    {kind}: spread {spread(z):6.3f}, {score(wide.decode(z))}")

original = results["as trained"][0]
for name, (loss, _, fair) in results.items():
    claim(f"Loss, {name}, against as trained", loss / original, equals=1, within=1e-3)
    if name != "curved":
        claim(f"Spread of matched draws, {name}", spread(fair), equals=1, within=0.1)
    else:
        claim(f"Spread of matched draws, {name}", spread(fair), at_least=1.2)

# %% tags=["hide-input"]
plotting.rows(
    {
        f"{name}, {kind}": wide.decode(results[name][index][:10])
        for name in results
        for index, kind in ((1, "N(0, I)"), (2, "matched"))
    },
    caption="Three models with the same loss, and the pictures that a Gaussian over their codes gives.",
    alt="Six rows of ten pictures, two rows for each model. Most are smudged shapes between "
    "digits, for the stretched N(0, I) and the curved matched draws with harsh contrast. "
    "For the curved N(0, I) all ten are faint.",
)

# %% [markdown]
r"""
Three models, one loss, and three different distributions of codes. What a fixed $\mathcal{N}(0, I)$ gives is an accident of the model you happened to train. Matching the mean and the covariance follows a stretch, but not a curve.

The curved model shows why we count kinds. Its $\mathcal{N}(0, I)$ falls into one small spot of the code space. Out come faint smudges, all alike. Their nearest neighbours agree, and they agree on the same digit every time.

Note which distribution is the problem. It is the one of the *codes*. You will also read that "the image distribution differs from a Gaussian". That is true of all pictures, and beside the point.

## Is it at least a likelihood?

A last tempting sentence: "training an autoencoder maximises the likelihood of the data". Let us see what it maximises. Say that the decoder's output is the mean of a normal distribution with variance 1 for each pixel. Then

$$-\tfrac12 \mathcal{L}(x) - \tfrac{D}{2} \log 2\pi = \log p_\theta\bigl(x \mid z = e_\phi(x)\bigr).$$

This is the density of $x$ given *its own* code. Is that a density over pictures? A density must integrate to 1. Take the simplest autoencoder there is: pictures of one pixel, $e(x) = x$, $d(z) = z$. It reconstructs perfectly, so $p(x \mid z = x) = 1/\sqrt{2\pi}$ for every $x$. Integrate that from $-L$ to $L$.
"""


# %%
def total_probability(limit):
    x = torch.linspace(-limit, limit, 100_001, dtype=torch.float64)
    given_own_code = torch.distributions.Normal(x, 1.0).log_prob(x).exp()
    return torch.trapezoid(given_own_code, x).item()


for limit in (10, 100):
    expected = 2 * limit / math.sqrt(2 * math.pi)
    claim(
        f"Integral from -{limit} to {limit}, not 1",
        total_probability(limit),
        equals=expected,
        within=1e-6,
    )

# %% [markdown]
r"""
It grows without end. This autoencoder gives every $x$ the highest score, noise included. A likelihood $p(x)$ cannot do that: what it gives to one picture it must take from another.

## What is missing

Two things, and they are the same thing.

- There is no distribution over codes, so you do not know what to draw.
- There is no density over pictures, so you do not know what is likely.

An autoencoder learns a map. What you want is a **distribution**. [Chapter 2](02_from_ae_to_vae.ipynb) changes two lines to get one.

## Practise

[Exercises 1](exercises/01_autoencoders.ipynb) check what you write and name your mistake. Write the best linear autoencoder and a curved one, re-map the codes without changing a picture, and count how many draws land in gaps.

## Summary
"""

# %% tags=["hide-input"]
summary()
