# %% [markdown]
r"""
# 10 · Faces with a transformer

The last network of this course is the largest: colour pictures of 64 × 64 pixels, attention over patches, and a $\sigma_x$ for every pixel. Nothing in the mathematics is new. So you can do what readers of a long training log seldom do: say beforehand which numbers must come out, and look.
"""

# %%
import json
import math
import os
import textwrap
from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.nn.functional import avg_pool2d, fold, unfold

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import DataNotFoundError, load_images
from vae_course.data.drawn.faces import NOISE, render_faces
from vae_course.evaluation import encode_all, estimate_elbo
from vae_course.evaluation.factor_reader import fit_reader
from vae_course.latents import great_circle, rescale, straight_line
from vae_course.models import VAE, TransformerVAE
from vae_course.objectives import kl_standard_normal, sample_posterior
from vae_course.plotting.architecture import transformer_figure
from vae_course.train.shipped import FOLDER, load_shipped
from vae_course.training import fit

seed = begin("10_faces")
faces = load_images("faces", n_train=1_500, n_test=300, seed=seed)
x, known = faces.test, faces.test_factors

# %% tags=["hide-input"]
plotting.tiles(
    faces.train[:20],
    10,
    width=6.8,
    caption="Drawn faces. Sixteen numbers make each of them, and we know these numbers.",
    alt="Twenty drawn portraits in two rows: skins from deep to light, black, brown, red, blond and "
    "white hair, short or long; some wear round glasses; some smile, some frown; heads turn a "
    "little to the left or right. A little grain lies over all of them.",
)

# %% [markdown]
r"""
**After this chapter you can**

- write a block of attention down, and say what each part of a transformer VAE is for;
- read two ratios of a trained model, and say what they presuppose before you accuse a loss;
- read a map of $\sigma_x$, and check it against what is known;
- put a smile on a face, and *measure* whether it arrived and what came with it;
- judge an interpolation by what it should have been.

Why drawn faces? Each of them is made from sixteen **factors**: the smile from −1 to 1, glasses or none, how far the head is turned, where the light comes from, colours. No photo tells you these numbers. Here we know them, so a claim such as "this direction in latent space is the smile" can be checked. The factors are independent of each other.

And each picture is taken with a **camera**. Its sensor adds Gaussian noise to every pixel, with a standard deviation of 0.02. So here the best $\sigma_x$ is known, too. A decoder that knew the sixteen factors would say the painted face, and 0.02 everywhere. On average over faces, no model can have a higher $\log p(x)$ than that one: it is a ceiling for every ELBO of this chapter.
"""

# %% tags=["hide-input"]
painted = render_faces(known)
claim("E[((x − painted) / 0.02)²]", ((x - painted) / NOISE).square().mean(), equals=1, within=0.004)
ceiling = -x[0].numel() * (math.log(NOISE * math.sqrt(2 * math.pi)) + 0.5)
best = torch.distributions.Normal(painted, NOISE).log_prob(x).flatten(1).sum(1)
print(f"No model of these faces gets beyond {ceiling:.0f} nats a face.")
claim("The painter's own log p(x), relative to it", best.mean() / ceiling, equals=1, within=1e-3)

# %% [markdown]
r"""
## A picture as a sequence

A **transformer** ([Vaswani et al. 2017](https://arxiv.org/abs/1706.03762)) works on a sequence of **tokens**, each a vector of the same width. So cut the picture into patches ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)), here of 8 × 8 pixels. The same linear map turns each patch into a token. We take the model that comes with this course, and look inside it before we ask what it can do.
"""

# %%
model, record, log = load_shipped("faces")
model.requires_grad_(False)
encoder = model.encoder

patches = unfold(x[:8], 8, stride=8)  # (8, 192, 64): the pixels of each patch
embed = encoder.embed
by_hand = patches.transpose(1, 2) @ embed.weight.flatten(1).T + embed.bias
tokens = embed(x[:8]).flatten(2).transpose(1, 2)

# %% tags=["hide-input"]
off = (tokens - by_hand).abs().max()
claim("Tokens minus one linear map of the patches, at most", off, at_most=1e-4)

# %% [markdown]
r"""
What follows is **attention**. Every token sends out a question $q$ and holds up a key $k$ and a value $v$, three linear maps of it. How well a question fits a key is their inner product. A softmax makes weights of it, which sum to 1, and the token takes over the mean of all values with these weights:

$$\text{attention} = \operatorname{softmax}\!\left(\frac{q\,k^\top}{\sqrt{w}}\right) v$$

Here $w$ is the length of $q$; without the root of it, long vectors would make the softmax all or nothing. Several **heads** do this side by side, each with its own part of the numbers. A **block** adds what came out to the token, and then a small network of two layers works on each token alone. That is all of it:
"""


# %%
def attention(tokens, layer):
    q, k, v = F.linear(tokens, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=2)
    by_head = (2, (layer.num_heads, -1))
    q, k, v = (part.unflatten(*by_head).transpose(1, 2) for part in (q, k, v))
    weights = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(3)
    return layer.out_proj((weights @ v).transpose(1, 2).flatten(2)), weights


def block_by_hand(tokens, block):
    tokens = tokens + attention(block.norm1(tokens), block.self_attn)[0]
    hidden = F.gelu(block.linear1(block.norm2(tokens)))  # each token alone
    return tokens + block.linear2(hidden)


one = encoder.blocks[0]
inside = torch.cat([encoder.summary.expand(8, 1, -1), tokens + encoder.positions], 1)
ours, torchs = block_by_hand(inside, one), one(inside)

# %% tags=["hide-input"]
off = ((ours - torchs).norm() / torchs.norm()).item()
claim("Our block against torch's: relative difference", off, at_most=1e-5)
rolled = one(inside.roll(1, 1)).roll(-1, 1)
claim(
    "Tokens in another order: the same, but for the order",
    ((rolled - torchs).norm() / torchs.norm()).item(),
    at_most=1e-5,
)

# %% [markdown]
r"""
Two things in this cell were not explained yet. **Positions** are added to the tokens. Attention does not know where a token came from: it treats the tokens as a *set*. Shuffle the patches of a face, and without help the encoder gives the same code. So each token gets its place, as sines and cosines of its row and of its column, from fast to slow ones.

And one more token goes in first, the **summary**. It is learned, and belongs to no patch. After the blocks it has collected what it needs from all others, and a linear layer reads $\mu$ and $\log\sigma$ off it.
"""

# %%
shuffled = fold(patches[:, :, torch.randperm(64)], (64, 64), 8, stride=8)


def moved(model):
    codes = [model.encode(pictures).mean for pictures in (x[:8], shuffled)]
    return ((codes[0] - codes[1]).norm(dim=1) / codes[0].norm(dim=1)).mean()


# %% tags=["hide-input"]
claim("Shuffled patches: the code moves by, relative", moved(model), at_least=0.3)
placeless = deepcopy(model)
placeless.encoder.positions.zero_()
claim("... without positions", moved(placeless), at_most=1e-4)

# %% tags=["hide-input"]
seen = block_by_hand(inside, one)
looks = attention(encoder.blocks[1].norm1(seen), encoder.blocks[1].self_attn)[1][:, :, 0, 1:]
looks = looks.unflatten(2, (8, 8))  # (8, heads, 8, 8): what the summary looks at
light = F.interpolate(looks / looks.amax((2, 3), keepdim=True), scale_factor=8)
rows = {"face": x[:8]}
rows |= {f"head {h + 1}": x[:8] * (0.1 + 0.9 * light[:, h : h + 1]) for h in range(looks.shape[1])}
plotting.rows(
    rows,
    width=6.8,
    caption="Where the summary looks, in the last block of the encoder. Each head has a row; the "
    "brightest patch is the one that it takes most from.",
    alt="Five rows of eight pictures: faces, and below them the same nearly black but for a few bright "
    "squares. In the first head these lie on the wall at the right. In the second they lie at mouth and "
    "chin, in the third at an eye or a temple on the left, in the fourth at the jaw or the throat.",
)

# %% [markdown]
r"""
The decoder goes the other way. A linear map of $z$ is put at all 64 places, each with its position. Blocks of attention let the places agree on one face. Then each token becomes a patch of means and a patch of $\log \sigma_x$.
"""

# %% tags=["hide-input"]
transformer_figure(
    x[11],
    patch=8,
    caption="A transformer VAE. Left to right: patches become tokens, a summary token collects what "
    "they say, z is put at every place, tokens become patches of means and of σₓ.",
    alt="A row of boxes joined by arrows. A face cut into 64 squares; a column of tokens with one "
    "more on top, the summary; attention blocks; mean and log std; z; a column of tokens again, one "
    "for each place; attention blocks; a face made of patches, and a grey map of sigma.",
)

# %% [markdown]
r"""
What is each part for? Take it out, train again, and look at the ELBO. We did that with small models, on the same faces at 16 × 16 pixels and in patches of 4 × 4, each for 1 500 steps, from three seeds. (It takes some minutes, so the numbers come with the course. `tools/faces_parts.py` made them.)
"""

# %% tags=["hide-input"]
record_of_parts = json.loads((FOLDER / "faces_parts.json").read_text())["rows"]
base = {s: found["elbo"][0] for s, found in record_of_parts["all parts"].items()}
gained = {}
print(f"{'ELBO, against all parts [nats]':42s}" + "".join(f"   seed {s}" for s in base))
for row, found in record_of_parts.items():
    gained[row] = [found[s]["elbo"][0] - base[s] for s in base]
    print(f"{row:42s}" + "".join(f"{nats:+9.0f}" for nats in gained[row]))
claim("ELBO without positions, at most", max(gained["without positions"]), at_most=-500)
blind = max(found["kl"][0] for found in record_of_parts["without positions"].values())
claim("... KL", blind, at_most=0.1)
claim("ELBO of patches of 8 × 8, at most", max(gained["patches of 8 × 8"]), at_most=-100)
of_maps = min(gained["a map of z of its own at each place"])
claim("ELBO of a map of z for each place, at least", of_maps, at_least=50)
silent = min(gained["without attention (mean of all tokens)"])
claim("ELBO without any attention, at least", silent, at_least=20)

# %% [markdown]
r"""
Without positions the decoder has the same token at each place. It paints one patch sixteen times, and the code is of no use to it: the KL is 0.01 nats. With patches of 8 × 8, four tokens have to do for a face. Patches of 2 × 2 took three times as long, and gained less than some changes that cost no time. A map of $z$ of its own at each place gained most of all.

And attention? The models *without* it are ahead, for each of the seeds. (All parts from another seed were a hundred nats lower, so do not read small numbers.) Our faces are all framed alike. Each place can learn its own part of the face from $z$, and need not ask the others. So "a transformer" is no magic word. It is built for pictures where things move about, for many more of them, and for much longer trainings. Take a part out of *your* network before you praise it.

## A published loss, before and after

A page that many people learn from trains a transformer of 6.5 million weights on photos, with this loss (in our notation, `log_std` from the networks):

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
def right(model, x):
    elbo = model.elbo(x, beta=100 / 16)
    return {"loss": -elbo.total.mean(), "kl": elbo.kl.mean()}


def published(model, x):
    q = model.encode(x)
    mean, log_std = model.decode(sample_posterior(*q))
    per_pixel = 0.5 * (((x - mean) / log_std.exp()) ** 2 + log_std)
    kl = 0.5 * (q.log_std.exp() + q.mean**2 - 1 - q.log_std).sum(1) * (100 / 16)
    return {"loss": (per_pixel.flatten(1).sum(1) + kl).mean(), "kl": kl.mean()}


def two_ratios(model, pictures):
    q = encode_all(model, pictures)
    mean, log_std = model.decode(sample_posterior(*q))
    ratio = log_std.exp().square().mean() / (pictures - mean).square().mean()
    used = q.mean.var(0) > q.mean.var(0).max() / 4  # latents that carry much
    moments = q.mean**2 + (2 * q.log_std).exp(), 2 * q.mean**2 + q.log_std.exp()
    return ratio.sqrt(), *(moment.mean(0)[used].mean() for moment in moments)


# %% tags=["hide-input"]
def train(loss, pictures):
    torch.manual_seed(seed)
    shape = {"patch": 4, "width": 32, "depth": 1, "heads": 2, "place_maps": True}
    model = TransformerVAE((3, 16, 16), 8, std="per_pixel", **shape)
    for lr, steps in ((4e-3, 340), (1e-3, 110)):
        options = {"steps": steps, "batch_size": 32, "lr": lr, "seed": seed}
        history = fit(model, loss, pictures, **options)
    return model.requires_grad_(False), history


small = {"faces": avg_pool2d(faces.train, 4)}
if portraits := os.environ.get("VAE_COURSE_PORTRAITS"):
    small["portraits"] = avg_pool2d(load_images(Path(portraits), n_test=1, seed=seed).train, 4)
losses, trained = {"right": right, "published": published}, {}
print("                        σ/RMSE  E[μ²+σ²]  E[2μ²+σ]   KL  reported")
for kind, pictures in small.items():
    for name, loss in losses.items():
        net, history = train(loss, pictures)
        ratios = two_ratios(net, pictures)
        kl, logged = kl_standard_normal(*encode_all(net, pictures)).mean(), history.final("kl")
        trained[kind, name] = *ratios, logged / kl
        numbers = f"{ratios[0]:6.2f}{ratios[1]:10.2f}{ratios[2]:10.2f}{kl:5.1f}{logged:10.1f}"
        print(f"{kind:10s}  {name:12s}{numbers}")
for kind in small:
    for name, due in (("right", 1), ("published", math.sqrt(2))):
        off = trained[kind, name][0] / due
        claim(f"{kind}, {name}: σ over RMSE, against {due:.3g}", off, equals=1, within=0.12)
    good, wrong = trained[kind, "right"], trained[kind, "published"]
    claim(f"{kind}, right: E[μ² + σ²]", good[1], at_least=0.75, at_most=1.3)
    claim(f"{kind}, published: E[μ² + σ²]", wrong[1], at_most=0.7)
    claim(f"{kind}, published: its own, E[2μ² + σ]", wrong[2], equals=1, within=0.3)
    claim(f"{kind}, published: reported KL over the KL", wrong[3], at_least=2)

# %% tags=["hide-input"]
made, (ratios,) = plotting.figure(6.2, 2.6)
predicted = {"right": {0: 1, 1: 1}, "published": {0: math.sqrt(2), 2: 1}}
for shift, name in zip((-0.1, 0.1), predicted, strict=True):
    (dots,) = ratios.plot(
        [k + shift for k in range(3)], trained["faces", name][:3], "o", label=name
    )
    for k, line in predicted[name].items():
        ratios.hlines(line, k + shift - 0.09, k + shift + 0.09, color=dots.get_color())
ratios.set(ylim=(0, None), xticks=range(3))
ratios.set_xticklabels(["σ / RMSE", "$E[\\mu^2 + \\sigma^2]$", "$E[2\\mu^2 + \\sigma]$"])
ratios.legend()
plotting.show(
    made,
    caption="What the two losses end with on faces (dots), and what was said beforehand (short lines).",
    alt="Three pairs of dots. The dots of the right loss are near its lines at 1 for the first two ratios. "
    "Those of the published one are near the root of 2 for the first, and near 1 for the third.",
)

# %% [markdown]
r"""
Two ratios from a few hundred pictures, and the two losses are told apart. And it is so on real pictures. This page takes portraits of yours, too, if `VAE_COURSE_PORTRAITS` names a folder of them. We gave it 733 photographs of members of Congress, in the public domain, which do not come with the course. The right loss ended at 1.01 and 0.92, the published one at 1.49 and 0.45.

But mind what the ratios presuppose. Both are statements about an *optimum*. σ/RMSE is 1 only if no bound holds $\sigma_x$, all pixels are counted, and the training has come to rest. And $\mathbb{E}[\mu^2 + \sigma^2] = 1$ comes late where the KL is a small part of the loss ([chapter 4](04_analytic_kl.ipynb)); free bits shift it, too. So a ratio of 1.4 or ½ is a reason to read the code, and not yet a verdict. If you have the code, let the doctor (`vae_course.doctor`) probe the formulas by their values. That needs no training at all.

## Full size

Now the model that comes with the course. The script that trained it is part of the package, and you can do it again with the commands that its record holds, `faces.json` in `vae_course/checkpoints`: fifteen runs, each from the weights of the one before. Here are the first and the last. On a GPU, add `--accelerator cuda`; `python -m vae_course.train --help` says the rest. The published size, 6.5 million weights in 4 blocks of width 256, would have taken four times as long a step, and we had two cores. So this is a smaller one, of 1.1 million, and nobody has trained the large one here.

Three settings are worth a word. `--place-maps` is the map of $z$ for each place, from the table above.

**Bounds of $\sigma_x$.** The slope of the loss by a mean is $(\mu_\theta - x)/\sigma_x^2$. Where a decoder says a large $\sigma_x$, it hardly learns to draw. So it may say "I do not know" about eyes and mouths, at a low price, and never draw them ([Seitzer et al. 2022](https://arxiv.org/abs/2203.09168) describe it; you saw such dim blobs in [chapter 6](06_learned_variance.ipynb)). In the first five runs $\sigma_x$ was held between 0.02 and 0.03, nearly one number for all pixels. From the sixth on it is free: bounds of 0.01 and 0.5 are too wide to matter.

**Weights of pixels.** A smile and the colour of the eyes change few pixels, and a network learns first what changes many. After 20 000 steps, no linear map could read either of them off the codes. From then on mouths, eyes and brows counted up to 80 times (`--pixel-weights`, with files from `tools/faces_weights.py`). After 1 500 steps about half of the variance of the eyes' colour could be read off new codes, after 11 500 three fifths of the smile's. One run, the ninth, had no weights, and decoded smiles got smaller again. Weights like these do not move the best $\sigma_x$ of a pixel, since each has its own. But the loss is no longer the ELBO. All numbers and curves below are the ELBO's, with each pixel counted once.
"""

# %% tags=["hide-input"]
runs = [*record["earlier"], record]
for number, run in ((1, runs[0]), (len(runs), record)):
    print(textwrap.fill(f"# run {number}, {run['step']:,} steps: {run['command']}", 92))
hours, threads = sum(run["seconds"] for run in runs) / 3600, record["machine"]["threads"]
print(f"{record['parameters']:,} weights, {hours:.1f} hours on {threads} core, shared with others")
total, reconstruction, kl = estimate_elbo(model, x, batch_size=100).values()
for name, ours in (("elbo", total), ("kl", kl)):
    error = math.hypot(ours.standard_error, record["test"][f"{name}_se"])
    text = f"{name.upper()} of these test faces minus the record's"
    claim(text, ours.mean - record["test"][name], equals=0, within=5 * error)
print(f"ELBO {total.mean:.0f}, KL {kl.mean:.0f} nats a face; the ceiling is {ceiling:.0f}")
claim("ELBO, of the ceiling", total.mean / ceiling, at_least=0.85, at_most=1)

# %% tags=["hide-input"]
tested = {name: torch.tensor(values) for name, values in record["tested"].items()}
changes = torch.tensor([run["step"] for run in runs]).cumsum(0)[:-1].tolist()
made, axes = plotting.figure(10, 2.8, columns=3)
for axis, name, label in zip(
    axes, ("elbo", "reconstruction", "kl"), ("ELBO", "reconstruction", "KL"), strict=True
):
    train_ = log["reconstruction"] - log["kl"] if name == "elbo" else log[name]
    axis.plot(log["step"], train_, linewidth=0.6, label="training")
    axis.plot(tested["step"], tested[name], ".-", label="test")
    for change in changes:
        axis.axvline(change, color="grey", linestyle=":")
    axis.set(title=f"{label} [nats]", xlabel="step", xticks=[0, 50_000, 100_000])
    if name != "kl":
        axis.set(ylim=(0, 32_000))
axes[0].legend()
plotting.show(
    made,
    caption="The training of the shipped model, on training batches and on test faces. At each dotted "
    "line a new run begins.",
    alt="Three curves over some 100 000 steps. ELBO and reconstruction rise steeply and then slowly, with "
    "sudden dips from which they come back; the dots of the test faces lie on them. The KL rises to "
    "about 150, is near 165 from the third run to the fifth, and then between 135 and 155, by runs.",
)

# %% tags=["hide-input"]
made, (left, other) = plotting.figure(9, 2.8, columns=2)
for name, label in (("std", "$\\sigma_x$"), ("rmse", "RMSE")):
    left.plot(log["step"], log[name], label=label, linewidth=0.8)
left.axhline(NOISE, color="grey", linestyle="--")
left.set(xlabel="step", ylim=(0, 0.15))
left.legend()
other.plot(log["step"], log["posterior_std"], linewidth=0.8)
other.set(xlabel="step", ylim=(0, None), title="σ of the posterior, root mean square")
for axis in (left, other):
    for change in changes:
        axis.axvline(change, color="grey", linestyle=":")
plotting.show(
    made,
    caption="Left: σₓ and the RMSE, over pixels and batch, and dashed the noise of the camera. Bounds "
    "hold σₓ in the first five runs; then it is free, and meets the RMSE. Right: the standard deviation "
    "of the codes' posteriors.",
    alt="Left: sigma lies flat at 0.03 and then 0.025, while the RMSE falls from above 0.15 to 0.03. Past "
    "step 30 000 sigma leaps out of the picture, falls steeply, and from there on lies on the RMSE, in the "
    "end at 0.027; both stay above the dashed line at 0.02. Right: a curve that falls from 0.27 to 0.03 "
    "at once, and slowly to 0.01.",
)

# %% [markdown]
r"""
How good is it? The page above reports a mean squared error of 0.02597 and calls it "not bad". The number is for pixels from 0 to 1, on *training* pictures. As **PSNR**, $-10 \log_{10} \text{MSE}$, it is 15.9 dB. No number of this kind means much alone. Give it three neighbours: the error of the *mean picture*, which uses no $z$, the error on pictures that were not trained on, and the noise that nobody can predict.
"""

# %%
q = encode_all(model, x)
decoded = model.decode(q.mean)  # the picture to show
draw = model.decode(sample_posterior(*q))  # what the ELBO measures
std, error = draw.log_std.exp(), x - draw.mean

# %% tags=["hide-input"]
mse = (x - decoded.mean).square().mean()
no_code = (x - faces.train.mean(0)).square().mean()
fitted_to = load_images("faces", n_train=200, n_test=1).train  # it was trained on these
fitted = (fitted_to - model.reconstruct(fitted_to)).square().mean()
sizes = {"mean picture": no_code, "training": fitted, "test": mse, "noise": NOISE**2}
for name, value in sizes.items():
    print(f"{name:13s} MSE {value:.5f}, PSNR {-10 * math.log10(value):.1f} dB")
claim("Error beyond the noise, of the mean picture's", (mse - NOISE**2) / no_code, at_most=0.1)
claim("Test error over training error", mse / fitted, at_least=1, at_most=1.5)
ratio = (std.square().mean() / error.square().mean()).sqrt()
claim("The course's own model: σ over RMSE", ratio, equals=1, within=0.05)

# %% tags=["hide-input"]
plotting.rows(
    {"test": x[:9], "decoded": decoded.mean[:9], "painted": painted[:9]},
    width=6.8,
    caption="Test faces, what the decoder makes of their codes, and the paint behind the noise.",
    alt="Three rows of nine faces: with grain; decoded, smooth, with the same colours of hair, skin and "
    "eyes, a little softer about the mouth; painted.",
)

# %% [markdown]
r"""
What is lost on the way? We can measure it. A **reader**, a linear map from pixels to factors, is fitted on drawn faces. It never sees the VAE. Let it read each factor off the paint, and off what the decoder makes of the pictures. The slope on the true factor says how much of a true difference is seen. The quotient of the two is what was **kept**.
"""

# %%
learned = faces.train_factors
reader = fit_reader(render_faces(learned), learned)


def slopes(pictures):
    read, slope = reader.read(pictures), {}
    for name, true in known.items():
        centred = true.float() - true.float().mean()
        slope[name] = (read[name] * centred).mean() / centred.square().mean()
    return slope


on_paint, on_decoded = slopes(painted), slopes(decoded.mean)
kept = {name: on_decoded[name] / on_paint[name] for name in known}

# %% tags=["hide-input"]
print("              paint  decoded   kept")
for name in sorted(known, key=kept.get):
    print(f"{name:13s}{on_paint[name]:6.2f}{on_decoded[name]:9.2f}{kept[name]:7.2f}")
for name, least in {"eye_colour": 0.7, "smile": 0.8, "brow": 0.65}.items():
    claim(f"{name}: kept when encoded and decoded", kept[name], at_least=least, at_most=1.1)

# %% [markdown]
r"""
Large parts come through nearly whole: skin, hair, how the head is turned and where it stands. What is kept least is small, or a fine shape: the fringe and the parting of the hair, the colour of the eyes, the brows. The smile comes next. All of these were nearly unseen after the first two runs, when the large parts had long been there. No picture shows you that as clearly as the table, for you look at the large parts first, too.

## Where it is unsure

Each decoded face comes with a $\sigma_x$ for every pixel and colour. It is a map, and it says where the decoder expects to be wrong.
"""

# %% tags=["hide-input"]
plotting.rows(
    {"decoded": decoded.mean[:9], "$\\sigma_x$ × 8": 8 * decoded.log_std[:9].exp()},
    width=6.8,
    caption="The reconstructions again, and the map of σₓ of each, times 8, in each of the three "
    "colours.",
    alt="The nine decoded faces; below, on nearly black, thin light lines along hair and jaw, bright eyes "
    "and glasses, some of it orange, and bright spots beside the neck. Walls and clothes are dark, and "
    "some edges of the patches can be seen.",
)

# %% [markdown]
r"""
Is the map right? If it is, errors divided by $\sigma_x$ have a mean square of 1: over all pixels, and in any part of the face. Which pixels belong to which part? The program that draws the faces can tell: paint a face twice, with brown and with blue eyes, and see what changed.
"""


# %%
def touched(name, values, least=0.1):
    """Where the picture changes with this factor: (n, 1, 64, 64), True or False."""
    ends = [render_faces(some | {name: torch.full_like(some[name], v)}) for v in values]
    change = (ends[1] - ends[0]).abs().amax(1, keepdim=True)
    return (change > least).expand(-1, 3, -1, -1)


# %% tags=["hide-input"]
some = {name: values[:100] for name, values in known.items()}
worn = (some["glasses"] == 1)[:, None, None, None]
below = (torch.arange(64) >= 36)[:, None]  # a smile moves the lids, too
parts = {
    "eyes": touched("eye_colour", (0, 1)),
    "mouth": touched("smile", (-1, 1)) & below,
    "glasses": touched("glasses", (0, 1)) & worn,
    "hair line": touched("fringe", (0, 1)),
    "hair": touched("hair_colour", (0, 1)),
    "wall": touched("background", (0, 1), least=0.02),
}
calibration = (error / std).square()
claim("Mean of (error/σ)², all pixels", calibration.mean(), equals=1, within=0.1)
print("               σ   RMSE  (error/σ)²  share of the pixels")
for name, part in parts.items():
    inside, root = (v[:100][part].square().mean().sqrt() for v in (std, error))
    square, share = calibration[:100][part].mean(), part.float().mean()
    print(f"{name:11s}{inside:6.3f}{root:7.3f}{square:12.2f}{100 * share:14.1f} %")
    most = 1.4 if name == "hair line" else 1.2  # one line, never twice at the same place
    claim(f"{name}: mean of (error/σ)²", square, at_least=0.8, at_most=most)
wall, eyes = (std[:100][parts[name]].median() for name in ("wall", "eyes"))
claim("σ on the wall, against the camera's", wall / NOISE, equals=1, within=0.1)
claim("σ in the eyes, against the wall", eyes / wall, at_least=1.5)
rmse = error.square().mean().sqrt()
shared = torch.distributions.Normal(0, rmse).log_prob(error).flatten(1).sum(1).mean()
own = torch.distributions.Normal(0, std).log_prob(error).flatten(1).sum(1).mean()
claim("σ for each pixel instead of one for all: nats", own - shared, at_least=1_500)

# %% [markdown]
r"""
Read the table from the bottom. On the wall $\sigma_x$ is the noise of the camera, and no less: there is nothing else to be unsure of. It is larger wherever something is drawn finely, along the line of the hair, the frames of glasses, the mouth, and largest in the eyes. An edge that is off by a third of a pixel makes a large error. Nobody told the decoder of these parts; it learned the size of its own errors. Over all pixels, hair and wall it says that size within some percent. In eyes, mouth and glasses, on faces it has not seen, errors are about a tenth larger than it says, and along the hair line up to a quarter: it is surest of itself where it has seen least. The map is worth two thousand nats a face, against one $\sigma_x$ for all pixels.

A map of $\sigma_x$ is no map of what matters. It says where *this* decoder errs, and a better one has another map.

## New faces

So much for faces that go in. What about new ones? Draw $z$ from the prior, and decode. But ask the aggregate identity first. It says 1 for each latent. The mean over all latents is near it. But a mean hides much: one latent by one, it is anything from ¼ to 5. The loss is right. But the KL is one part in two hundred of it. The training has settled what a face looks like, and not yet where each latent has its middle and how wide it is. So the codes are not where the prior draws.

The scale is free, so it can be set in closed form: `latents.rescale` gives each latent mean 0 and second moment 1, and lets the first layer of the decoder undo it. No reconstruction changes, and the KL falls.
"""

# %%
torch.manual_seed(seed)
noise = torch.randn(150, model.latent_dim)
scaled = deepcopy(model)
saved = rescale(scaled, faces.train[:500])
before, after = model.decode(noise), scaled.decode(noise)

# %% tags=["hide-input"]
q_scaled = encode_all(scaled, x)
off = (scaled.decode(q_scaled.mean).mean - decoded.mean).abs().max()
claim("Re-scaled: reconstructions move by, at most", off, at_most=1e-3)
claim("... nats of KL saved, on training faces", saved.nats, at_least=2)
moments = [(c.mean**2 + (2 * c.log_std).exp()).mean(0) for c in (q, q_scaled)]
claim("As trained: E[μ² + σ²], mean over latents", moments[0].mean(), equals=1, within=0.25)
claim("... smallest of all latents", moments[0].min(), at_most=0.5)
claim("... largest", moments[0].max(), at_least=3)
name = "Re-scaled: E[μ² + σ²], test faces"
claim(f"{name}, mean over latents", moments[1].mean(), equals=1, within=0.1)
claim(f"{name}, farthest from 1", (moments[1] - 1).abs().max(), at_most=0.5)
off_middle = q_scaled.mean.mean(0).abs().max()
claim("Re-scaled: E[μ], test faces, largest of all latents", off_middle, at_most=0.25)


def nearest(pictures):  # distance to the nearest training face
    return torch.cdist(pictures.flatten(1), faces.train.flatten(1)).amin(1)


reach = nearest(x).quantile(0.95)  # farther away than this are 5 % of real faces
near = {}
for name, one in (("as trained", before), ("re-scaled", after)):
    near[name] = (nearest(one.sample()) < reach).float().mean()
    print(f"{name}: {100 * near[name]:.0f} % of draws nearer to a face than 95 % of real faces are")
claim("Draws near to faces: re-scaled", near["re-scaled"], at_least=0.8)
claim("... more than as trained, by", near["re-scaled"] - near["as trained"], at_least=0.5)

# %% tags=["hide-input"]
plotting.rows(
    {
        "as trained:\nmeans": before.mean[:9],
        "re-scaled:\nmeans": after.mean[:9],
        "re-scaled:\ndraws": after.sample()[:9],
        "more means": after.mean[9:18],
    },
    width=6.8,
    caption="Pictures from the prior, from the same z in the first three rows: means of the decoder, "
    "which is what papers show, and true draws of the model, with its σₓ.",
    alt="Four rows of nine pictures. As trained: faces in broken blocks, some hardly to be seen as faces. "
    "Re-scaled: whole faces, most with something wrong in them, such as ghosts of glasses or torn ends "
    "of hair. The same with grain. More of them, three torn at the jaw, one at the hair line, too.",
)

# %% [markdown]
r"""
As trained, some latents lie off the middle of the prior, some are far narrower than it, some far wider. Draws from the prior land where the decoder has never been, and break into blocks. After re-scaling they are faces: over five seeds of this page, about nine in ten lie nearer to a face than 95 % of real faces do. No weight was trained for it. True draws have the grain of the camera, as they should: the model has learned it.

They are no perfect faces yet. What is left between codes and prior, and what to do about it, is the subject of [chapter 11](11_prior.ipynb).

## A smile, and whether it arrived

Take the mean code of faces that smile, and subtract the mean code of those that do not. Add the difference to the code of a face, and decode. Everyone has seen such pictures. But did the smile *arrive*, and did anything else come with it? The reader knows. First its own exam, then five directions, each on test faces that lack the property.
"""

# %%
codes = encode_all(model, faces.train).mean
wanted = {  # it is there above the second number, and not below the first
    "smile": (0.0, 0.5),
    "glasses": (0.5, 0.5),
    "turn": (-0.3, 0.3),
    "hair_length": (0.3, 0.7),
    "light": (-0.4, 0.4),
}
directions = {}
for name, (low, high) in wanted.items():
    with_, without = codes[learned[name] > high], codes[learned[name] < low]
    directions[name] = with_.mean(0) - without.mean(0)


# %% tags=["hide-input"]
def changes_by(before, after):
    """How each factor's reading changes, on average over faces, in standard deviations."""
    pair = reader.read(before), reader.read(after)
    return {
        k: (pair[1][k] - pair[0][k]).mean().item() / known[k].float().std().item() for k in known
    }


exam, asked = reader.read(painted), {}  # of a factor: how far the two groups lie apart
print("             exam  kept  arrived  what else came, in std    painted")
for name, (low, high) in wanted.items():
    exam_ = torch.corrcoef(torch.stack([exam[name], known[name].float()]))[0, 1]
    values = learned[name].float()
    asked[name] = values[values > high].mean() - values[values < low].mean()
    lacking = (known[name] < low).nonzero().flatten()[:60]
    some_ = {k: v[lacking] for k, v in known.items()}
    start, more = q.mean[lacking], {name: (some_[name] + asked[name]).to(some_[name])}
    found = changes_by(model.decode(start).mean, model.decode(start + directions[name]).mean)
    true = changes_by(render_faces(some_), render_faces(some_ | more))
    arrived = found[name] * known[name].float().std() / asked[name]
    others = {k: found[k] for k in known if k != name}
    most = max(others, key=lambda k: abs(others[k]))
    told = f"{most} {others[most]:+.2f}"
    print(f"{name:12s}{exam_:5.2f}{kept[name]:6.2f}{arrived:9.2f}  {told:23s}{true[most]:+8.2f}")
    claim(f"Reader's exam: correlation for {name}", exam_, at_least=0.9)
    claim(f"{name}: arrived, of what was asked", arrived, at_least=0.7, at_most=1.2)
    claim(f"{name}: arrived minus kept", arrived - kept[name], equals=0, within=0.2)
    besides = max(abs(found[k] - true[k]) for k in others)
    claim(f"{name}: what came besides, in stds, at most", besides, at_most=0.8)

# %% tags=["hide-input"]
start = q.mean[(known["smile"] < 0) & (known["glasses"] == 0)][:8]
changed = {f"+ {name}": model.decode(start + d).mean for name, d in directions.items()}
plotting.rows(
    {"decoded": model.decode(start).mean} | changed,
    width=6.8,
    caption="Faces without smile and glasses, decoded, and with directions added to their codes.",
    alt="Six rows of eight faces: decoded; with a smile; with dark round glasses; "
    "turned to the right, a few with torn hair or a trace of glasses; with hair to the shoulders, dark "
    "specks at its ends; with light from the right. Skin, clothes and wall stay.",
)

# %% tags=["hide-input"]
per_unit = {name: directions[name] / asked[name] for name in ("smile", "turn", "glasses")}
plain = ((known["smile"] < 0) & (known["glasses"] == 0)).nonzero().flatten()[:20]
some = {name: values[plain] for name, values in known.items()}
live = explorer.asked_smile(
    model,
    reader,
    q.mean[plain],
    per_unit,
    some,
    caption="One drawn face with the smile, the turn and the glasses that you ask for: decoded from a "
    "moved code, and painted. The needle and the ring are what the reader sees on 20 such faces.",
)
live

# %% tags=["hide-input"]
for kind, least, most in (("decoded", 0.12, 0.6), ("painted", -0.2, 0.2)):
    left, ahead, right_ = torch.tensor(live.data["read"][kind]).view(2, 3, 5)[0, :, 2]
    besides = (left + right_) / 2 - ahead
    text = f"No smile asked, {kind}: seen on turned heads, minus straight ones"
    claim(text, besides, at_least=least, at_most=most)

# %% [markdown]
r"""
A direction gives you what the decoder can draw: of the smile as much arrives as is kept when you encode and decode a face, and not more. Glasses, hair, turn and light arrive nearly whole. What else comes along? In faces that were turned by their codes, the reader sees a quarter to a third of a standard deviation more of a fringe. In the same faces *painted* with the turn it sees next to none of it (last column), so it is no whim of the reader. Look at the hair in that row. All else that came is small. That was easy, for a reason that real photos lack: our factors are independent. In photos people with glasses are older, on average. Then the difference of two means is a direction of age, too.

Now ask for more than one of them. Turn the head above either way, and the needle moves although nobody asked for a smile; on the painted heads the ring stays where it was. The table did not show it: it turns heads from one side to the other, and there what comes and what goes cancel. A direction is one straight line for all faces, and the codes of turning heads do not lie on one.

## Halfway between two faces

"A VAE maximally compresses a picture, so its space is tighter than that of pixels." Not so: a VAE sits at *one point* of a curve that trades rate for distortion ([chapter 8](08_latents_that_live.ipynb)), and $\sigma_x$ or $\beta$ say at which. With a larger $\beta$ ours would spend fewer nats on a face, and draw it less well. The middle between two codes is good for another reason: the decoder was trained on codes in that region.

But how good? The usual figure shows a row of faces, and you say "nice". We know the factors, so we know what the middle *should be*. Take faces that look left, and the same faces looking right. Halfway, the head looks straight ahead. Four candidates: the mean of the two pictures, the decoded mean of the two codes, the middle of the great circle through them, and the walk of that page. Its weights are $t$ and $\sqrt{1 - t^2}$, so that its middle, $t = ½$, lies not in the middle: it is 30° from one end, if the ends are at a right angle, and a walk from a code to itself leaves it.
"""


# %%
def turned(turn):
    factors = {name: values[:100].clone() for name, values in known.items()}
    return render_faces(factors | {"turn": torch.full((100,), turn)})


start, middle, end = (turned(turn) for turn in (-0.8, 0.0, 0.8))
a, b = (encode_all(scaled, pictures).mean for pictures in (start, end))
candidates = {
    "pixels": (start + end) / 2,
    "straight": scaled.decode((a + b) / 2).mean,
    "great circle": scaled.decode(great_circle(a, b, 3)[1]).mean,
    "published": scaled.decode(0.5 * a + math.sqrt(0.75) * b).mean,
    "decoded truth": scaled.reconstruct(middle),
}
off = {k: (guess - middle).square().mean().item() for k, guess in candidates.items()}

# %% tags=["hide-input"]
for name, value in off.items():
    print(f"{name:14s} error {value:.5f}, relative to pixels {value / off['pixels']:.2f}")
claim("Straight middle: error, relative to pixels", off["straight"] / off["pixels"], at_most=0.85)
name, against = "error, relative to straight", {k: v / off["straight"] for k, v in off.items()}
claim(f"Great circle: {name}", against["great circle"], at_least=0.7, at_most=1.3)
claim(f"Published weights: {name}", against["published"], at_least=1.1)
claim("... relative to pixels", off["published"] / off["pixels"], at_least=0.8)
claim(f"Decoding the true middle: {name}", against["decoded truth"], at_most=0.4)

# %% tags=["hide-input"]
walks = {"pixels 3": straight_line(start[3], end[3], 9)}
for one in (3, 8):
    walks |= {
        f"straight {one}": scaled.decode(straight_line(a[one], b[one], 9)).mean,
        f"circle {one}": scaled.decode(great_circle(a[one], b[one], 9)).mean,
        f"truth {one}": torch.cat(
            [turned(t)[one : one + 1] for t in torch.linspace(-0.8, 0.8, 9).tolist()]
        ),
    }

plotting.rows(
    walks,
    width=6.8,
    caption="From left to right: blending pixels, codes on a straight line, codes on a great circle, and what it should be.",
    alt="Seven rows of nine faces with glasses that turn from left to right. Blended pixels show two faces "
    "in the middle, with four lenses. On the straight line and on the circle the ends are whole, and the "
    "glasses in the middle are doubled and blurred. The true turn is sharp throughout.",
)

# %% [markdown]
r"""
The middle of two codes is better than the mean of two pictures, and that is all. When the *true* middle is encoded and decoded, the error is several times smaller. So the decoder can draw these faces, and the straight line does not lead to their codes: glasses that move by ten pixels are doubled on the way, as in a blend. On a great circle it is the same. The walk with the published weights gains next to nothing over blending pixels.

## Real pictures

Drawn faces have known factors, and no secrets. Real pictures have both the other way round. In every clone are patches of four **photographs** (`load_images("photos")`, 32 × 32 pixels). If you set `VAE_COURSE_PORTRAITS` to a folder of portraits, this page takes them, too, and CelebA where you have it. A fully connected VAE with one $\sigma_x$, the error it makes (`std="optimal"`), trains for some seconds on each. (A $\sigma_x$ for each pixel needs longer: on 700 portraits such a VAE was after the same 300 steps still no better than the mean picture.) Do not expect beauty. Expect what must be true of any pictures: $\sigma$/RMSE near 1, here on pictures that were not trained on.
"""

# %% tags=["hide-input"]
few = {"n_train": 700, "n_test": 80, "seed": seed}
sets = {"photos": load_images("photos", n_train=3_000, n_test=80, seed=seed)}
if portraits:
    sets["portraits"] = load_images(Path(portraits), **few)
try:
    sets["celeba"] = load_images("celeba", download=False, **few)
except DataNotFoundError:
    print("CelebA is not here.")

shown = {}
print("            σ    RMSE  mean picture   KL")
for name, kind in sets.items():
    train_, test_ = (avg_pool2d(p, p.shape[-1] // 32) for p in (kind.train, kind.test))
    torch.manual_seed(seed)
    net = VAE(train_.shape[1:], 32, hidden=(256,), std="optimal")
    fit(net, lambda m, x: -m.elbo(x).total.mean(), train_, steps=300, batch_size=32, seed=seed)
    net.eval().requires_grad_(False)
    q_ = encode_all(net, test_)
    said = net.decode(sample_posterior(*q_))
    sigma, rmse = (
        said.log_std.exp().square().mean().sqrt(),
        (test_ - said.mean).square().mean().sqrt(),
    )
    flat = (test_ - train_.mean(0)).square().mean().sqrt()
    print(f"{name:10s}{sigma:6.3f}{rmse:8.3f}{flat:14.3f}{kl_standard_normal(*q_).mean():5.0f}")
    claim(f"{name}: σ over RMSE, new pictures", sigma / rmse, equals=1, within=0.3)
    claim(f"{name}: RMSE, relative to the mean picture's", rmse / flat, at_most=0.75)
    spread = flat.square() / no_code
    claim(f"Mean picture's error: {name}, relative to faces", spread, at_least=1.5)
    shown |= {name: test_[:10], "decoded": net.reconstruct(test_[:10])}

# %% tags=["hide-input"]
plotting.rows(
    shown,
    width=6.8,
    caption="Pictures that were not trained on, and what a VAE that trained for seconds makes of them.",
    alt="Ten patches of photographs, among them the rim of a plate, a spoon, fur and a dark sky. Below "
    "each, the same colours and the large shapes, blurred, under a fine grain of wrong colours.",
)

# %% [markdown]
r"""
## What to take along

A transformer VAE is a VAE. Attention, positions and the summary token are there for a reason that you can test. Two ratios, σ/RMSE and $\mathbb{E}[\mu^2 + \sigma^2]$, are 1 at the optimum of the right loss, and say little before it. A map of $\sigma_x$ is a report of errors, and can be audited part by part. The scale of the codes is free: re-scale before you draw. And where the factors are known, "it learned to smile" and "it interpolates" are numbers.

The numbers of other people's models, and of ours beside them, are on the page [How good are these models?](how_good.md).

## Practise

[Exercises 10](exercises/10_faces.ipynb) check what you write and name your mistake. Cut a picture into patches, write positions, bound a $\log \sigma_x$, tell a wrong loss by its two ratios, and measure a smile.

## The checks
"""

# %% tags=["hide-input"]
summary()
