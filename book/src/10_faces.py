# %% [markdown]
r"""
# 10 · Faces with a transformer

The last system of this course is the largest: colour pictures of 64 × 64 pixels, a network that attends over patches, and a $\sigma_x$ for every pixel. Nothing in the mathematics is new. So you can do what readers of a long training log seldom do: say beforehand which numbers must come out, and look.
"""

# %%
import math
import os
import textwrap
from copy import deepcopy
from pathlib import Path

import torch
from torch.nn.functional import avg_pool2d, fold, unfold

from vae_course import plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.data.drawn.faces import render_faces
from vae_course.evaluation import encode_all, estimate_elbo
from vae_course.evaluation.factor_reader import fit_reader
from vae_course.evaluation.sharpness import laplacian_variance
from vae_course.latents import matched_gaussian, rescale, straight_line
from vae_course.models import VAE, TransformerVAE
from vae_course.objectives import kl_standard_normal, sample_posterior
from vae_course.plotting.architecture import transformer_figure
from vae_course.train.shipped import load_shipped
from vae_course.training import fit

seed = begin("10_faces")
faces = load_images("faces", n_train=3_000, n_test=500, seed=seed)
known = faces.test_factors

# %% tags=["hide-input"]
plotting.tiles(
    faces.train[:30],
    10,
    width=9,
    caption="Drawn faces. Sixteen numbers make each of them, and we know these numbers.",
    alt="Thirty drawn portraits in three rows: skins from deep to light, black, brown, red, blond and "
    "white hair, short or long; some wear round glasses; some smile, some frown; heads turn a "
    "little to the left or right.",
)

# %% [markdown]
r"""
**After this chapter you can**

- say what each part of a transformer VAE is for, and show that it is;
- read two ratios of a trained model, and say what they presuppose before you accuse a loss;
- read a map of $\sigma_x$, and the difference between a mean and a sample;
- put a smile on a face, and *measure* whether it arrived;
- judge an interpolation by what it should have been.

Why drawn faces? Each of them is made from sixteen **factors**: the smile from −1 to 1, glasses or none, how far the head is turned, where the light comes from, colours. No photo tells you these numbers. Here we know them, so a claim such as "this direction in latent space is the smile" can be checked. The factors are independent of each other. (For your own pictures, see [Your own data](your_own_data.ipynb).)

## A picture as a sequence

A **transformer** ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)) works on a sequence of **tokens**, each a vector of the same width. So cut the picture into patches ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)), here of 8 × 8 pixels. The same linear map turns each patch into a token. Blocks of **attention** follow: in each, every token looks at all others and takes over what it finds useful.
"""

# %%
size = {"patch": 8, "width": 256, "depth": 4, "heads": 4}
source = TransformerVAE((3, 64, 64), latent_dim=64, std="per_pixel", **size)

x = faces.test[:8]
patches = unfold(x, 8, stride=8)  # (8, 192, 64): the pixels of each patch, one by one
by_hand = patches.transpose(1, 2) @ source.encoder.embed.weight.flatten(1).T
tokens = source.encoder.embed(x).flatten(2).transpose(1, 2)
tokens = tokens - source.encoder.embed.bias

# %% tags=["hide-input"]
w, pixels, d = 256, 8 * 8 * 3, 64
block = 12 * w**2 + 13 * w  # attention 4 w² + 4 w, two layers 8 w² + 5 w, two norms 4 w
encoder = (pixels + 1) * w + w + 4 * block + 2 * w + (w + 1) * 2 * d
decoder = (d + 1) * w + 4 * block + 2 * w + (w + 1) * 2 * pixels
parameters = sum(values.numel() for values in source.parameters())
claim("Parameters of the published size", parameters, equals=encoder + decoder, within=0)
off = (tokens - by_hand).abs().max()
claim("Tokens minus one linear map of the patches, at most", off, at_most=1e-5)

# %% [markdown]
r"""
Attention does not know where a token came from. It treats the tokens as a *set*. You can prove that, or shuffle the patches of a face and look: without help, the encoder gives the same code. So each token gets its place added to it, as sines and cosines of its row and of its column, from fast to slow ones. With these **positions** a shuffled face has another code.
"""

# %%
shuffled = fold(patches[:, :, torch.randperm(64)], (64, 64), 8, stride=8)


def moved(model):
    codes = [model.encode(pictures).mean for pictures in (x, shuffled)]
    return ((codes[0] - codes[1]).norm(dim=1) / codes[0].norm(dim=1)).mean()


with torch.no_grad():
    claim("Shuffled patches: the code moves by, relative", moved(source), at_least=5e-3)
    positions = source.encoder.positions.clone()
    source.encoder.positions.zero_()
    claim("... without positions", moved(source), at_most=1e-4)
    source.encoder.positions.copy_(positions)

# %% [markdown]
r"""
One more token goes in first, the **summary**. It is learned, and belongs to no patch. After the blocks it has collected what it needs from all others, and a linear layer reads $\mu$ and $\log\sigma$ off it.

The decoder goes the other way. A linear map of $z$ is put at all 64 places, each with its position. Blocks of attention let the places agree on one face. Then each token becomes a patch of means and a patch of $\log \sigma_x$.
"""

# %% tags=["hide-input"]
transformer_figure(
    faces.test[11],
    patch=8,
    caption="A transformer VAE. Left to right: patches become tokens, a summary token collects what "
    "they say, z is put at every place, tokens become patches of means and of σₓ.",
    alt="A row of boxes joined by arrows. A face cut into 64 squares; a column of tokens with one "
    "more on top, the summary; attention blocks; mean and log std; z; a column of tokens again, one "
    "for each place; attention blocks; a face made of patches, and a grey map of sigma.",
)

# %% [markdown]
r"""
## A published loss, before and after

A page that many people learn from trains a model of exactly this size, on photos, with this loss (in our notation, `log_std` from the networks):

```python
reconstruction = 0.5 * (((x - mean) / exp(log_std)) ** 2 + log_std).sum()
kl = 0.5 * (exp(z_log_std) + z_mean**2 - 1 - z_log_std).sum() * 100
```

You have met all three of its slips. The first line lacks a 2 in front of `log_std`. The second takes $\log\sigma$ for $\log\sigma^2$, while the sampling line uses it as $\log\sigma$. And a factor $\beta = 100$ stands there without a word: the "KL" in its curves is 100 times what it says. What will they do? You can say so before you train.

**The first slip.** Per pixel the loss is $\frac12 (r^2 / \sigma_x^2 + \log \sigma_x)$, with $r^2$ the mean squared error there. Its minimum is at $\sigma_x^2 = 2r^2$. So $\sigma_x$ will be $\sqrt 2$ times the RMSE.

**The second.** Stretch latent $j$ by a factor $s$, and let the decoder undo it. Reconstructions stay as they are, so at the optimum the KL must not gain either. For the right KL the slope at $s = 1$ is $\mathbb{E}[\mu_j^2 + \sigma_j^2] - 1$, averaged over pictures. It must be 0. This is the **aggregate identity** of [chapter 4](04_analytic_kl.ipynb). For the slip the slope is $\frac12 \mathbb{E}[2\mu_j^2 + \sigma_j] - \frac12$. A latent that carries much has a small $\sigma_j$, so $\mathbb{E}[\mu_j^2]$ will be near ½.

Both hold for any $\beta$. We train a very small transformer, on faces of 16 × 16 pixels, so that it takes seconds. Its pictures have 16 times fewer pixels, so $\beta = 100 / 16$ does to it what 100 did to the large one.
"""

# %%
small = [avg_pool2d(part, 4) for part in (faces.train, faces.test)]


def right(model, x):
    elbo = model.elbo(x, beta=100 / 16)
    return {"loss": -elbo.total.mean(), "kl": elbo.kl.mean()}


def published(model, x):
    q = model.encode(x)
    mean, log_std = model.decode(sample_posterior(*q))
    per_pixel = 0.5 * (((x - mean) / log_std.exp()) ** 2 + log_std)
    kl = 0.5 * (q.log_std.exp() + q.mean**2 - 1 - q.log_std).sum(1) * (100 / 16)
    return {"loss": (per_pixel.flatten(1).sum(1) + kl).mean(), "kl": kl.mean()}


def train(loss):
    torch.manual_seed(seed)
    shape = {"patch": 4, "width": 32, "depth": 1, "heads": 2, "place_maps": True}
    model = TransformerVAE((3, 16, 16), 8, std="per_pixel", lowest_std=0.03, **shape)
    for lr, steps in ((4e-3, 500), (1e-3, 150)):
        options = {"steps": steps, "batch_size": 50, "lr": lr, "seed": seed}
        history = fit(model, loss, small[0], **options)
    return model.requires_grad_(False), history


models = {"right": train(right), "published": train(published)}

# %% tags=["hide-input"]
found = {}
print("            σ/RMSE  E[μ²+σ²]  E[2μ²+σ]   KL  reported")
for name, (model, history) in models.items():
    q = encode_all(model, small[0])
    mean, log_std = model.decode(sample_posterior(*q))
    ratio = (log_std.exp().square().mean() / (small[0] - mean).square().mean()).sqrt()
    used = q.mean.var(0) > q.mean.var(0).max() / 4
    identity = (q.mean**2 + (2 * q.log_std).exp()).mean(0)[used].mean()
    of_slip = (2 * q.mean**2 + q.log_std.exp()).mean(0)[used].mean()
    kl, logged = kl_standard_normal(*q).mean(), history.final("kl")
    found[name] = ratio, identity, of_slip, logged / kl
    print(f"{name:12s}{ratio:6.2f}{identity:10.2f}{of_slip:10.2f}{kl:5.1f}{logged:10.1f}")
for name, due in (("right", 1), ("published", math.sqrt(2))):
    claim(f"{name}: σ over RMSE, against {due:.3g}", found[name][0] / due, equals=1, within=0.12)
claim("right: E[μ² + σ²]", found["right"][1], equals=1, within=0.3)
claim("published: E[μ² + σ²]", found["published"][1], at_most=0.7)
claim("published: its own identity, E[2μ² + σ]", found["published"][2], equals=1, within=0.3)
claim("published: reported KL over the KL", found["published"][3], at_least=2)

# %% tags=["hide-input"]
made, (ratios,) = plotting.figure(6.2, 2.6)
predicted = {"right": {0: 1, 1: 1}, "published": {0: math.sqrt(2), 2: 1}}
for shift, (name, values) in zip((-0.1, 0.1), found.items(), strict=True):
    (dots,) = ratios.plot([k + shift for k in range(3)], values[:3], "o", label=name)
    for k, line in predicted[name].items():
        ratios.hlines(line, k + shift - 0.09, k + shift + 0.09, color=dots.get_color())
ratios.set(ylim=(0, None), xticks=range(3))
ratios.set_xticklabels(["σ / RMSE", "$E[\\mu^2 + \\sigma^2]$", "$E[2\\mu^2 + \\sigma]$"])
ratios.legend()
plotting.show(
    made,
    caption="What the two losses end with (dots), and what was said beforehand (short lines).",
    alt="Three pairs of dots. The dots of the right loss are near its lines at 1 for the first two ratios. "
    "Those of the published one are near the root of 2 for the first, and near 1 for the third.",
)

# %% [markdown]
r"""
Two ratios from a few hundred pictures, and the two losses are told apart. But mind what the ratios presuppose. Both are statements about an *optimum*. σ/RMSE is 1 only if no bound holds $\sigma_x$ and all pixels are counted. And $\mathbb{E}[\mu^2 + \sigma^2] = 1$ comes late where the KL is a small part of the loss ([chapter 4](04_analytic_kl.ipynb)): a right loss can be far from it for a very long time. So a ratio of 1.4 or ½ is a reason to read the code, and not yet a verdict. If you have the code, let the doctor (`vae_course.doctor`) probe the formulas by their values. That needs no training at all.

## Full size

Now full size. This model comes with the course. The script that trained it is part of the package, and you can do it again with the two commands that its record holds: the second starts from the weights of the first. On a GPU, add `--accelerator cuda`; on many, `--devices` and `--nodes`; `python -m vae_course.train --help` says the rest.

Two settings are worth a word. `--place-maps` gives each place a linear map of $z$ of its own, in place of one for all. It costs weights. When we tried both for some hundred steps, it learned faster. And $\sigma_x$ is bounded on both sides. Without a lower bound, the loss would be won on smooth walls, where drawn pictures have no noise at all. Without an upper bound, a decoder may say "I do not know" about eyes and mouths, at a low price, and hardly learn to draw them. You saw such dim blobs in [chapter 6](06_learned_variance.ipynb). So the first run was stopped when it had come to that, and the second one has both bounds.
"""

# %%
model, record, log = load_shipped("faces")
model.requires_grad_(False)
x, q = faces.test, encode_all(model, faces.test)
decoded = model.decode(q.mean)

# %% tags=["hide-input"]
runs = [*record["earlier"], record]
for run in runs:
    print(textwrap.fill(run["command"], 90), f"# {run['step']:,} steps", sep="\n")
hours, threads = sum(run["seconds"] for run in runs) / 3600, record["machine"]["threads"]
print(f"{record['parameters']:,} weights, {hours:.1f} hours on {threads} busy core")
total, reconstruction, kl = estimate_elbo(model, x, batch_size=250).values()
for name, ours in (("elbo", total), ("kl", kl)):
    error = math.hypot(ours.standard_error, record["test"][f"{name}_se"])
    text = f"{name.upper()} of these test faces minus the record's"
    claim(text, ours.mean - record["test"][name], equals=0, within=5 * error)
print(f"ELBO {total.mean:.0f}, KL {kl.mean:.0f} nats a face")

# %% [markdown]
r"""
How good is it? The page above reports a mean squared error of 0.02597 and calls it "not bad". The number is for pixels from 0 to 1, on *training* pictures. As **PSNR**, $-10 \log_{10} \text{MSE}$, it is 15.9 dB. On the scale from −1 to 1 that the model was trained on, it would be four times as large. No number of this kind means much alone. Give it two neighbours: the error of the *mean picture*, which uses no $z$, and the error on pictures that were not trained on.
"""

# %% tags=["hide-input"]
mse = (x - decoded.mean).square().mean()
no_code = (x - faces.train.mean(0)).square().mean()
seen = load_images("faces", n_train=500, n_test=1).train  # it was trained on these
fitted = (seen - model.reconstruct(seen)).square().mean()
for name, value in {"mean picture": no_code, "training": fitted, "test": mse}.items():
    print(f"{name:13s} MSE {value:.5f}, PSNR {-10 * value.log10():.1f} dB")
claim("The published MSE as PSNR, dB", -10 * math.log10(0.02597), equals=15.86, within=0.005)
claim("The mean picture's error here, of the published one", no_code / 0.02597, at_most=0.95)
claim("Error left, of the mean picture's", mse / no_code, at_most=0.1)
claim("Test error over training error", mse / fitted, at_least=1, at_most=2)

# %% [markdown]
r"""
So much for faces that go in. What about new ones? Ask the aggregate identity first. It says 1, and this model is far from it: its codes fill only the inner part of the prior. Its loss is right. The short training has settled what a face looks like, and not yet the scale of the codes. So draws from the prior must land where no code has ever been.

There are two remedies, and neither changes a reconstruction. `latents.rescale` sets each latent to mean 0 and second moment 1, in closed form, and the KL falls. Or replace the prior: draw from a Gaussian with the mean and covariance of the *codes*. With it as the prior, the same encoder and decoder are a better model.
"""

# %%
torch.manual_seed(seed)
noise = torch.randn(100, model.latent_dim)
made = model.decode(noise)
matched = model.decode(matched_gaussian(q.mean, noise)).mean

scaled = deepcopy(model)
saved = rescale(scaled, faces.train[:1_000])
again = scaled.decode(noise).mean

# %% tags=["hide-input"]
identity = (q.mean**2 + (2 * q.log_std).exp()).mean(0)
claim("Shipped model: E[μ² + σ²], mean over latents", identity.mean(), at_most=0.75)
nearest = [torch.cdist(p.flatten(1), x.flatten(1)).amin(1).mean() for p in (made.mean, matched)]
closer = nearest[1] / nearest[0]
claim("Distance to the nearest face, matched over prior", closer, at_most=0.8)
closer = torch.cdist(again.flatten(1), x.flatten(1)).amin(1).mean() / nearest[0]
claim("Re-scaled: nats of KL saved on these training faces", saved.nats, at_least=5)
claim("Distance to the nearest face, re-scaled over prior", closer, at_most=0.8)

# %% tags=["hide-input"]
grains = made.mean + made.log_std.exp() * torch.randn_like(made.mean)
sheet = {"test": x, "decoded": decoded.mean, "$\\sigma_x$ × 8": 8 * decoded.log_std.exp()}
sheet |= {"prior: means": made.mean, "prior: samples": grains}
sheet |= {"re-scaled: means": again, "matched: means": matched}
plotting.rows(
    {name: row[:12] for name, row in sheet.items()},
    width=10,
    caption="Test faces, what the decoder makes of them, and where it is unsure. Then pictures from "
    "the prior: the decoder's means, which is what papers show, and true samples of the model. Last, "
    "means after re-scaling, and means from the Gaussian that fits the codes.",
    alt="Seven rows of twelve pictures. Faces; the same faces, softer, all eyes dark; flat grey maps with "
    "white patches at eyes, glasses and mouths; broken faces in coloured blocks; the same with grain; "
    "whole faces, some with ragged hair or ghosts of glasses; whole faces.",
)

# %% [markdown]
r"""
## Where it is unsure

The third row is $\sigma_x$. It is high where details are small, at eyes, glasses and mouths. At nine of ten values it lies on its lower bound, 0.05, which is more than the error there: so σ/RMSE is well above 1 for this model, and no fault of its loss. Where it is free, it *reports* the size of the errors. So compare it with them: average both over the test faces, pixel by pixel. And where $\sigma_x$ lies inside its bounds of 0.05 and 0.1, errors divided by it must have a mean square near 1.

That pictures get sharper because σ falls is half of the truth ([chapter 6](06_learned_variance.ipynb)). Here are both, over the whole training. The one follows the other.
"""

# %%
draw = model.decode(sample_posterior(*q))
std, error = draw.log_std.exp(), x - draw.mean

# %% tags=["hide-input"]
map_std, map_error = (v.square().mean((0, 1)).sqrt().flatten() for v in (std, error))
together = torch.corrcoef(torch.stack([map_std, map_error]))[0, 1]
claim("Correlation of both maps, pixel by pixel", together, at_least=0.75)
free = (std > 0.055) & (std < 0.09)
inside = (error / std)[free].square().mean()
claim("Mean of (error/σ)² inside the bounds", inside, equals=1, within=0.35)
claim("Share of σ at its lower bound", (std < 0.0505).float().mean(), at_least=0.8)
ratio = std.square().mean().sqrt() / error.square().mean().sqrt()
claim("σ over RMSE, with these bounds", ratio, at_least=1.3, at_most=2.3)
first, last = (log["std"][part].mean() for part in (slice(1), slice(-10, None)))
claim("σ at the end of the training, of the first", last / first, at_most=0.3)

# %% tags=["hide-input"]
drawing, (axis, other) = plotting.figure(9, 3, columns=2)
for name, label in (("std", "$\\sigma_x$"), ("rmse", "RMSE")):
    axis.plot(log["step"], log[name], label=label)
axis.set(xlabel="step", ylim=(0, 0.2))
axis.legend()
other.plot(log["step"], log["kl"])
other.set(xlabel="step", title="KL [nats]")
plotting.show(
    drawing,
    caption="The training of the shipped model: σₓ (root mean square over pixels) falls with the "
    "RMSE, as far as its lower bound lets it, while the KL rises. Where the second run begins, with an "
    "upper bound, it makes a step.",
    alt="Two curves, sigma and RMSE, fall together, steeply at first; sigma levels off above 0.05, the "
    "RMSE goes on below it. Beside them the KL rises quickly, then slowly.",
)

# %% [markdown]
r"""
## A smile, and whether it arrived

Take the mean code of faces that smile, and subtract the mean code of those that do not. Add the difference to the code of a face, and decode. Everyone has seen such pictures. But did the smile *arrive*, and did anything else come with it?

We can measure it. A **reader**, a linear map from pixels to factors, is fitted on drawn faces. It never sees the VAE. First the reader's own exam, then the operation, for the smile and for glasses, on test faces that have neither.
"""

# %%
reader = fit_reader(faces.train, faces.train_factors)
exam = reader.read(x)
for name in ("smile", "glasses", "turn", "light"):
    r = torch.corrcoef(torch.stack([exam[name], known[name].float()]))[0, 1]
    claim(f"Reader's exam: correlation for {name}", r, at_least=0.95)

# %%
codes = encode_all(model, faces.train[:1_500]).mean
learned = {name: values[:1_500] for name, values in faces.train_factors.items()}
with_ = {"smile": learned["smile"] > 0.5, "glasses": learned["glasses"] == 1}
without = {"smile": learned["smile"] < 0, "glasses": learned["glasses"] == 0}
directions = {}
for name in with_:
    directions[name] = codes[with_[name]].mean(0) - codes[without[name]].mean(0)

# %% tags=["hide-input"]
plain = q.mean[(known["smile"] < 0) & (known["glasses"] == 0)]
before = reader.read(model.decode(plain).mean)
for name in with_:
    values = learned[name].float()
    asked = values[with_[name]].mean() - values[without[name]].mean()
    after = reader.read(model.decode(plain + directions[name]).mean)
    moved = {k: after[k] - before[k] for k in after}
    share = moved[name].mean() / asked
    centred = known[name].float() - known[name].float().mean()
    kept = (reader.read(decoded.mean)[name] * centred).mean() / centred.square().mean()
    claim(f"{name}: kept when a face is encoded and decoded", kept, at_least=0.3, at_most=1.05)
    claim(f"{name}: arrived minus kept", share - kept, equals=0, within=0.2)
    claim(f"{name}: arrived, of what was asked", share, at_least=0.35, at_most=1.2)
    share = (moved[name] > asked / 3).double().mean()
    claim(f"{name}: share of faces where a third of it did", share, at_least=0.7)
    others = [moved[k].mean().abs() / known[k].float().std() for k in moved if k != name]
    claim(f"{name}: what else came, at most, in stds", max(others), at_most=0.35)

# %% tags=["hide-input"]
start = plain[:10]
both = start + sum(directions.values())
plotting.rows(
    {"decoded": model.decode(start).mean}
    | {f"+ {name}": model.decode(start + d).mean for name, d in directions.items()}
    | {"+ both": model.decode(both).mean},
    width=9,
    caption="Faces without smile and glasses, decoded, and with directions added to their codes.",
    alt="Four rows of ten faces. The same ten people throughout: a little soft, with lifted "
    "corners of the mouth, with dark round glasses, with both.",
)

# %% [markdown]
r"""
The glasses arrived. Of the smile you get a part, and it is about the part that is left when you only encode and decode a face. So the direction is right, and the decoder draws smiles too small: it has not learned mouths well. A figure alone would not have told you. Nothing else came along, and that was easy, for a reason that real photos lack: our factors are independent. In photos people with glasses are older, on average. Then the difference of two means is a direction of age, too, and the last claim would fail.

## Halfway between two faces

"A VAE maximally compresses a picture, so its space is tighter than that of pixels." Not so: a VAE sits at *one point* of a curve that trades rate for distortion ([chapter 8](08_latents_that_live.ipynb)), and $\sigma_x$ or $\beta$ say at which. With a larger $\beta$ ours would spend fewer nats on a face, and draw it less well. The middle between two codes is good for another reason: the decoder was trained on codes in that region.

But how good? The usual figure shows a row of faces, and you say "nice". We know the factors, so we know what the middle *should be*. Take faces that look left, and the same faces looking right. Halfway, the head looks straight ahead. Three candidates: the mean of the two pictures, the decoded mean of the two codes, and the walk of that page. Its weights are $t$ and $\sqrt{1 - t^2}$, so that its middle, $t = ½$, lies not in the middle: it is 30° from one end, if the ends are at a right angle, and a walk from a code to itself leaves it.
"""


# %%
def turned(turn):
    factors = {name: values[:200].clone() for name, values in known.items()}
    return render_faces(factors | {"turn": torch.full((200,), turn)})


start, middle, end = (turned(turn) for turn in (-0.8, 0.0, 0.8))
a, b = (encode_all(model, pictures).mean for pictures in (start, end))
candidates = {
    "pixels": (start + end) / 2,
    "codes": model.decode((a + b) / 2).mean,
    "published": model.decode(0.5 * a + math.sqrt(0.75) * b).mean,
    "decoded truth": model.reconstruct(middle),
}
error = {name: (guess - middle).square().mean() for name, guess in candidates.items()}
print("  ".join(f"{name} {value:.5f}" for name, value in error.items()))

# %% tags=["hide-input"]
blend, codes_, theirs, best = (error[name] for name in candidates)
claim("Middle of codes: error, relative to pixels", codes_ / blend, at_most=0.6)
claim("... relative to decoding the true middle", codes_ / best, at_most=3.5)
claim("Published weights: error, relative to codes", theirs / codes_, at_least=1.1)
angle = math.degrees(math.atan2(0.5, math.sqrt(0.75)))
claim("Published weights at t = ½: angle from one end", angle, equals=30, within=1e-9)
stretch = max(t + math.sqrt(1 - t**2) for t in torch.linspace(0, 1, 1001).tolist())
claim("... from a code to itself: longest, relative", stretch, equals=math.sqrt(2), within=1e-5)

# %% tags=["hide-input"]
truth = [turned(t)[3:4] for t in torch.linspace(-0.8, 0.8, 9).tolist()]
walks = {
    "pixels": straight_line(start[3], end[3], 9),
    "codes": model.decode(straight_line(a[3], b[3], 9)).mean,
    "truth": torch.cat(truth),
}
plotting.rows(
    walks,
    width=9,
    caption="From left to right: blending pixels, blending codes, and what it should be.",
    alt="Three rows of nine faces. In the first row the middle shows two faces at once, with four eyes. "
    "In the second the head turns, a little soft. The third is the same turn, drawn.",
)

# %% [markdown]
r"""
## Sharpness, and real pictures

One number is left, sharpness from [chapter 9](09_blur.ipynb). Means are softer than faces, samples of the model rougher.

And all of it once more on other pictures: on patches of four photographs, and on your portraits, if you set `VAE_COURSE_PORTRAITS` to a folder of them. The same fully connected VAE is trained for some seconds on each, at 32 × 32 pixels and with one shared $\sigma_x$. Do not expect beauty. Expect σ/RMSE to be near 1, on any pictures. (A little above it, if anything: this $\sigma_x$ follows the error of the last batches, and the error falls.) And do not take the last column for praise: after so few steps it counts grain, too ([chapter 9](09_blur.ipynb)). And the blur of CIFAR-10, well known from a page that averaged its loss over pixels, is no property of CIFAR-10: that loss has a $\sigma_x$ of $\sqrt{1536} \approx 39$ built in, for pixels between 0 and 1.
"""

# %% tags=["hide-input"]
pictures = {"decoded": decoded.mean, "means": matched, "samples": grains}
detail = laplacian_variance(x).mean()
sharp = {name: (laplacian_variance(p).mean() / detail).item() for name, p in pictures.items()}
print("sharpness:", "  ".join(f"{name} {value:.2f}" for name, value in sharp.items()))
claim("Sharpness of decoded faces", sharp["decoded"], at_most=0.9)
claim("... of samples of the model", sharp["samples"], at_least=1.5)
claim(
    "σ_x behind an MSE averaged over 3072 pixels", math.sqrt(3072 / 2), equals=39.19, within=0.005
)

# %% tags=["hide-input"]
few = {"n_train": 700, "n_test": 80, "seed": seed}
sets = {"faces": faces, "photos": load_images("photos", **few)}
if portraits := os.environ.get("VAE_COURSE_PORTRAITS"):
    sets["portraits"] = load_images(Path(portraits), **few)

print("            σ    RMSE  mean picture   KL  sharpness")
for name, kind in sets.items():
    parts = kind.train[:700], kind.test[:80]
    train_, test_ = (avg_pool2d(part, part.shape[-1] // 32) for part in parts)  # 32 × 32 pixels
    net = VAE(train_.shape[1:], 32, hidden=(256,), std="optimal")
    fit(net, lambda m, x: -m.elbo(x).total.mean(), train_, steps=250, batch_size=32, progress=False)
    q_, mean_picture = encode_all(net, train_), (train_ - train_.mean(0)).square().mean().sqrt()
    rmse = (train_ - net.decode(sample_posterior(*q_)).mean.detach()).square().mean().sqrt()
    soft = laplacian_variance(net.reconstruct(test_)).mean() / laplacian_variance(test_).mean()
    std, kl = net.log_std.exp(), kl_standard_normal(*q_).mean()
    print(f"{name:10s}{std:6.3f}{rmse:8.3f}{mean_picture:14.3f}{kl:5.0f}{soft:11.2f}")
    claim(f"{name}: σ over RMSE", std / rmse, equals=1, within=0.1)
    claim(f"{name}: RMSE, relative to the mean picture's", rmse / mean_picture, at_most=0.9)

# %% [markdown]
r"""
## What to take along

A transformer VAE is a VAE. Positions and the summary token are there for a reason that you can test. Two ratios, σ/RMSE and $\mathbb{E}[\mu^2 + \sigma^2]$, are 1 at the optimum of the right loss, and say little before it. A map of $\sigma_x$ is a report of errors. And where the factors are known, "it learned to smile" and "it interpolates" are numbers.

The numbers of other people's models, and of ours beside them, are on the page [How good are these models?](how_good.md).

## Practise

[Exercises 10](exercises/10_faces.ipynb) check what you write and name your mistake. Cut a picture into patches, write positions, bound a $\log \sigma_x$, tell a wrong loss by its two ratios, and measure a smile.

## The checks
"""

# %% tags=["hide-input"]
summary()
