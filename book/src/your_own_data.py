# %% [markdown]
r"""
# Your own data

You have a folder of pictures, or a table, and want a VAE of it. This page does both, from the files to new draws.

**After this page you can**

- say what becomes of the sizes and colours of your pictures;
- choose a network for a few hundred pictures, by a table and not by fashion;
- read curves, tell when training is finished, and mend draws that are broken;
- prepare a table: scales, logarithms, constant and integer columns, gaps;
- judge new draws by two distances, and know what they are good for.
"""

# %%
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.nn.functional import avg_pool2d

from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.doctor import examine
from vae_course.evaluation import encode_all, estimate_elbo
from vae_course.latents import rescale
from vae_course.models import VAE, ConvolutionalVAE, TransformerVAE
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal
from vae_course.training import fit

seed = begin("your_own_data")

# %% tags=["hide-input"]
import os
import tempfile
import time

from PIL import Image
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression

from vae_course import plotting
from vae_course.data import draw_faces
from vae_course.latents import matched_gaussian

# Your folder, if VAE_COURSE_PORTRAITS names one. Otherwise 600 drawn faces, saved in odd sizes.
folder = os.environ.get("VAE_COURSE_PORTRAITS") or tempfile.mkdtemp()
if not os.environ.get("VAE_COURSE_PORTRAITS"):
    drawn, _ = draw_faces(600, seed=seed, split="train")
    sizes = torch.randint(0, 60, (600, 2), generator=torch.Generator().manual_seed(seed)).tolist()
    for i, face in enumerate(drawn.mul(255).byte().permute(0, 2, 3, 1).numpy()):
        side, more = 70 + sizes[i][0], sizes[i][1]
        size = (side + more, side) if i % 2 else (side, side + more)  # wide or high
        canvas = Image.new("RGB", size, tuple(face[0, 0].tolist()))
        corner = ((size[0] - side) // 2, (size[1] - side) // 2)
        canvas.paste(Image.fromarray(face).resize((side, side)), corner)
        canvas.save(Path(folder, f"{i:03}.png"))

# %% tags=["hide-input"]
lying = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
made, axes = plotting.figure(9.5, 1.9, columns=8)
for axis, path in zip(axes, lying, strict=False):
    with Image.open(path) as picture:
        axis.imshow(picture.convert("RGB"))
        axis.set(title=f"{picture.width} × {picture.height}", xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
plotting.show(
    made,
    caption="The first eight files of the folder, as they lie there.",
    alt="Eight portraits side by side, some wide, some high, each with its width and height above it.",
)

# %% [markdown]
r"""
## A folder of pictures

Where `VAE_COURSE_PORTRAITS` names a folder of yours, this page takes it. Else it draws 600 faces and saves them in odd sizes, as real files would come.

`load_images` takes a path. It reads every picture in the folder and below it, and makes them all alike:

- **Size.** The shorter side is resized to 64 pixels, and of the longer side the centre is kept. So what stands at the rim of a wide picture is lost. If your motif is not in the middle, cut your pictures yourself.
- **Colour.** Each picture gets three channels. A grey one has three equal ones. Transparency is dropped.
- **Range.** Pixels become numbers from 0 to 1. Nothing else is done to them: no mean is taken off.

A tenth of the pictures, or as many as you ask for, is kept for the test. Never judge a model by pictures it has learned from, and with a few hundred of them less than ever.

To save time we go on with 32 × 32 pixels. Everything below works for 64 × 64, too, with four times the pixels.
"""

# %%
sixth = min(600, len(lying)) // 6  # for the test: 100, and 500 to train on
pictures = load_images(Path(folder), n_train=5 * sixth, n_test=sixth, seed=seed)
train, test = avg_pool2d(pictures.train, 2), avg_pool2d(pictures.test, 2)
shape = train.shape[1:]  # (3, 32, 32)

# %% tags=["hide-input"]
claim(
    "Channels, height and width", math.prod(pictures.train.shape[1:]), equals=3 * 64 * 64, within=0
)
with tempfile.TemporaryDirectory() as place:  # a grey, wide picture, its outer quarters black
    grey = Image.new("L", (200, 100), 0)
    grey.paste(200, (50, 0, 150, 100))
    for name in ("a.png", "b.png"):
        grey.save(Path(place, name))
    read = load_images(Path(place)).train[0]
claim("Grey: channels differ by at most", read.std(0).max(), at_most=1e-6)
claim(
    "What is left of the wide picture: mean",
    read[:, 2:-2, 2:-2].mean(),
    equals=200 / 255,
    within=1e-3,
)

# %% [markdown]
r"""
## Which network for 500 pictures?

Three networks of this course, each with 16 latents and one $\sigma_x$ that is the error the model makes (`std="optimal"`, [chapter 6](06_learned_variance.ipynb)). Each gets the same 200 steps.
"""


# %%
def loss(model, x):
    elbo = model.elbo(x)
    return {"loss": -elbo.total.mean(), "kl": elbo.kl.mean()}


models = {
    "fully connected": VAE(shape, 16, hidden=(256,)),
    "convolutional": ConvolutionalVAE(shape, 16, channels=(32, 64, 64)),
    "transformer": TransformerVAE(
        shape, 16, patch=8, width=96, depth=1, place_maps=True, std="optimal"
    ),
}
for model in models.values():
    fit(model, loss, train, steps=200, batch_size=50, seed=seed)

# %% tags=["hide-input"]
seconds, elbos = {}, {}
for name, model in models.items():
    start = time.perf_counter()
    for batch in train.split(50):
        loss(model, batch)["loss"].backward()
    model.zero_grad()
    seconds[name] = time.perf_counter() - start
print("                 weights   a step  test ELBO  train − test   RMSE  (mean picture)")
of_the_mean = (test - train.mean(0)).square().mean().sqrt()
for name, model in models.items():
    elbos[name] = estimate_elbo(model, test)["total"].mean
    gap = estimate_elbo(model, train)["total"].mean - elbos[name]
    weights = sum(values.numel() for values in model.parameters())
    rmse = (test - model.reconstruct(test)).square().mean().sqrt()
    times = seconds[name] / seconds["fully connected"]
    print(
        f"{name:16s}{weights:9d}{times:8.1f}×{elbos[name]:10.0f}{gap:13.0f}{rmse:9.3f}"
        f"{of_the_mean:12.3f}"
    )
    if name == "fully connected":
        claim("Fully connected: RMSE over the mean picture's", rmse / of_the_mean, at_most=0.9)
lead = elbos["fully connected"] - max(elbos["convolutional"], elbos["transformer"])
claim("Lead of the fully connected network after 200 steps, nats", lead, at_least=100)

# %% [markdown]
r"""
For a few hundred pictures that are all framed alike, begin with the **fully connected** network. It has the most weights, and still gets furthest in these steps. A likely reason: the faces all stand in the same place, and here each pixel has weights of its own. The others may pay when pictures are many, or large, or their motif moves. Mind that the steps are equal: the others are not finished, and the table cannot say who wins in the end.

## Train, and read the curves

So we train the first one on, and measure it every hundred steps, on training and on test pictures.
"""

# %%
model, history = models["fully connected"], []
for part in range(8):
    fit(model, loss, train, steps=100, batch_size=50, seed=seed + 1 + part)
    known, unseen = estimate_elbo(model, train), estimate_elbo(model, test)
    history.append((known["total"], unseen["total"], unseen["kl"], model.log_std.exp()))

# %% tags=["hide-input"]
made, axes = plotting.figure(9.5, 2.8, columns=3)
across = [300 + 100 * part for part in range(8)]
for axis, title in zip(axes, ("ELBO", "KL", "σ"), strict=True):
    axis.set(xlabel="step", title=title)
axes[0].plot(across, [one[0].mean for one in history], label="train")
axes[0].plot(across, [one[1].mean for one in history], label="test")
axes[0].legend()
axes[1].plot(across, [one[2].mean for one in history])
axes[2].plot(across, [one[3].item() for one in history])
plotting.show(
    made,
    caption="The ELBO on training and test pictures, the KL on test pictures, and σ, every hundred steps.",
    alt="Three plots. Two lines for the ELBO rise and grow flatter, the one for training above the one "
    "for test. The KL goes up and down by a few nats. Sigma falls and grows flatter.",
)

# %% [markdown]
r"""
How to read them:

- **Finished?** Training is finished when the *test* ELBO no longer rises. Here it still rises. That is the normal state of a VAE that was stopped for lack of patience.
- **By heart?** The distance between the two lines is what the model knows of its training pictures only. Where the test line turns down, stop. More pictures help then, or fewer hidden units.
- **σ** is the error of a pixel. It falls as long as the pictures get better, and each per cent of it is worth $D/100$ nats, so the ELBO follows it.
- **The KL may rise.** A smaller σ makes details worth their price, so more nats go through the latents. Bad news is a KL near 0 ([chapter 7](07_posterior_collapse.ipynb)).

Then let the doctor look. It finds nothing wrong with the loss. It notes that the codes miss the prior (`aggregate_misses_prior`), and that comes next.
"""


# %%
def full_loss(x, decoded, mean, log_std):
    kl = kl_standard_normal(mean, log_std)
    return (kl - gaussian_log_likelihood(x, decoded.mean, decoded.log_std)).mean()


model.eval()
report = examine(model.encode, model.decode, train, full_loss, test_images=test)
print("mistakes:", report.names, " notes:", report.notes)

# %% tags=["hide-input"]
found = {*report.names, *report.notes}
about_data = {"aggregate_misses_prior", "train_test_gap", "blur"}
claim("Findings besides the prior, the gap and blur", len(found - about_data), equals=0, within=0)
claim("Codes miss the prior", "aggregate_misses_prior" in found, equals=1, within=0)

# %% [markdown]
r"""
## New faces

A VAE draws from its prior, $\mathcal{N}(0, I)$. Do the codes of your pictures lie there? Three ways to draw, from the simplest on:

1. the prior, as the model is;
2. the prior, after **re-scaling** ([chapter 2](02_from_ae_to_vae.ipynb)): each latent is shifted and scaled so that the codes have mean 0 and variance 1, and the decoder undoes it. No picture's reconstruction changes;
3. a **mixture of Gaussians** fitted to the codes. After re-scaling the codes still need not look like one Gaussian. Ten Gaussians can follow their shape.
"""

# %%
torch.manual_seed(seed)
draws = {"prior": model.decode(torch.randn(500, 16)).mean.detach()}
found = rescale(model, train)
draws["re-scaled"] = model.decode(torch.randn(500, 16)).mean.detach()

mu, log_sigma = (part.repeat(4, 1) for part in encode_all(model, train))  # 4 draws each
codes = mu + log_sigma.exp() * torch.randn_like(mu)  # (2000, 16)
mixture = GaussianMixture(10, reg_covar=1e-3, random_state=seed).fit(codes.double())
z = torch.tensor(mixture.sample(500)[0], dtype=torch.float32)[torch.randperm(500)]
draws["mixture"] = model.decode(z).mean.detach()

# %% tags=["hide-input"]
print(f"re-scaling took {found.nats:.1f} nats off the KL")
q = encode_all(model, train)
second = (q.mean.square() + (2 * q.log_std).exp()).mean(0)
claim("After re-scaling: E[μ² + σ²] − 1, at most", (second - 1).abs().max(), at_most=1e-3)
plotting.rows(
    {"test": test[:10], "rebuilt": model.reconstruct(test[:10])}
    | {name: made[:10] for name, made in draws.items()},
    width=9,
    caption="Test pictures, their reconstructions, and ten draws of each kind.",
    alt="Five rows of ten small portraits. Reconstructions are softer than the pictures. Draws from the "
    "prior as it is are garish, with broken colours; after re-scaling they are whole faces with some "
    "grain and stains; from the mixture they are as clean as the reconstructions.",
)

# %% [markdown]
r"""
Look first. Then measure, in both directions:

- from each draw to the nearest training picture: are the draws *like* pictures?
- from each test picture to the nearest draw: do the draws *cover* what there is?

The unit of both is the distance from test pictures to their nearest training picture. One direction alone is easily cheated. Two cheats go in with the draws: the average of all pictures, five hundred times, and the training pictures themselves.
"""


# %%
def nearest(a, b):
    return torch.cdist(a.flatten(1), b.flatten(1)).amin(1).mean().item()


def like_and_cover(draws, train, test):
    unit = nearest(test, train)
    return nearest(draws, train) / unit, nearest(test, draws) / unit


draws |= {"average": train.mean(0).expand(500, *shape), "copies": train}
distances = {name: like_and_cover(made, train, test) for name, made in draws.items()}

# %% tags=["hide-input"]
single = model.decode(matched_gaussian(codes, torch.randn(500, 16))).mean.detach()
distances["one Gaussian"] = like_and_cover(single, train, test)
print("              like   cover")
for name, (like, cover) in distances.items():
    print(f"{name:13s}{like:5.2f}{cover:8.2f}")
claim("Draws from the mixture: like", distances["mixture"][0], at_least=0.5, at_most=1.5)
claim("Draws from the mixture: cover", distances["mixture"][1], at_most=1.5)
for name, at in (("like", 0), ("cover", 1)):
    better = distances["prior"][at] / distances["re-scaled"][at]
    claim(f"What re-scaling is worth: {name}, before / after", better, at_least=1.2)
last = distances["re-scaled"][0] / distances["mixture"][0]
claim("What the mixture is worth: like, before / after", last, at_least=1.03)
claim("The average picture: like", distances["average"][0], at_most=1.5)
apart = distances["average"][1] / distances["mixture"][1]
claim("... but covers worse than the mixture, by a factor of", apart, at_least=1.1)
claim("Copies: like, to rounding", distances["copies"][0], equals=0, within=0.01)

# %% [markdown]
r"""
The average picture passes the first test, and copies pass both. So a "like" below 1 is no praise. It can mean blur, or copies. Blur is the likelier one here: we draw means, and they look as soft as the reconstructions do ([chapter 9](09_blur.ipynb)). The last row is the simplest rival of the mixture, one Gaussian with the mean and the full covariance of the codes.

And real photographs? We gave this page two folders that do not come with the course, so no cell here can prove it. With 600 of the well-known Frey faces, 28 × 20 pixels of one man, the "like" of the mixture was 1.02 to 1.13 over three seeds. After re-scaling alone it was 1.58 to 1.76, and 7 to 8 as trained. With 500 portraits of different people it was 0.83, 0.99 and 2.3 in one run.

If you want a **density**, keep the prior and the re-scaled model: its ELBO is a bound on $\log p(x)$. If you want **pictures**, draw from the mixture. It is a new prior, and a better one by these two distances. What it is worth in nats is for a later chapter.

## A table

Now rows of numbers. The breast-cancer table of Wisconsin comes with scikit-learn: 569 patients, 30 columns that describe cells under the microscope, and one that says whether the tumour was benign. We read the file where the package has it.
"""

# %%
package = Path(find_spec("sklearn").submodule_search_locations[0])
file = package / "datasets/data/breast_cancer.csv"
rows = np.loadtxt(file, delimiter=",", skiprows=1)
rows = torch.tensor(rows, dtype=torch.float32)[torch.randperm(569)]
table, benign = rows[:, :30], rows[:, 30]

# %% tags=["hide-input"]
spread = table.std(0)
print(f"spread of a column: {spread.min():.4f} to {spread.max():.0f}")
claim("Largest spread over smallest", spread.max() / spread.min(), at_least=1e5)
areas = spread.square()[[3, 13, 23]].sum() / spread.square().sum()
claim("Share of all variance that three columns have, the areas", areas, at_least=0.98)

# %% [markdown]
r"""
A squared error of this table is almost only that of three columns, the areas. The other 27 count for next to nothing. That is the first of five preparations.

1. **Standardise.** Take off each column's mean, divide by its spread, both from training rows only.
2. **Logarithms** for columns that are positive and skewed. A Gaussian often fits them better then. It must be paid for in the density, and we do that below.
3. **A σ for each column.** Columns are not equally predictable. One number for all of them would let the noisy ones set the price for the exact ones.
4. **A floor for σ.** A constant column has no error at all, and a column of whole numbers can be hit exactly. Then σ falls to 0, and the density rises without end: each halving earns $\log 2$ nats that say nothing. Take constant columns out. For whole numbers, the floor is the rounding error, $1/\sqrt{12}$ of a unit, over the column's spread where that was divided out.
5. **Gaps.** A missing number (NaN) must not reach the network, nor the loss. Fill it with the mean, 0, and leave it out of the sum. Fill *before* you compute: NaN times 0 is NaN.

Here are the last three, in plain PyTorch.
"""


# %%
class TableVAE(nn.Module):
    def __init__(self, columns, latents=6, hidden=64, floor=0.05):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latents)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, columns)
        )
        self.log_std_x = nn.Parameter(torch.zeros(columns))  # one σ for each column
        self.floor = math.log(floor)

    def encode(self, x):
        return self.encoder(x.nan_to_num()).chunk(2, dim=1)  # μ and log σ

    def decode(self, z):
        return self.decoder(z), self.log_std_x.clamp(min=self.floor)

    def elbo(self, x):
        mean, log_std = self.encode(x)
        out, log_std_x = self.decode(mean + log_std.exp() * torch.randn_like(mean))
        error = (x.nan_to_num() - out) / log_std_x.exp()
        log_p = -0.5 * error**2 - log_std_x - 0.5 * math.log(2 * math.pi)
        log_p = torch.where(x.isnan(), 0.0, log_p).sum(1)  # over columns that are there
        kl = (0.5 * (mean**2 + (2 * log_std).exp() - 1) - log_std).sum(1)
        return log_p - kl  # (batch,)


# %%
def fitted(rows, seed, steps=1_000):
    torch.manual_seed(seed)
    vae = TableVAE(rows.shape[1])
    fit(vae, lambda vae, x: -vae.elbo(x).mean(), rows, steps=steps, lr=4e-3, seed=seed)
    return vae


# %% tags=["hide-input"]
# The package agrees, for one σ: same weights, same noise.
one = VAE((30,), 6, hidden=(64,), std=0.5)
own = TableVAE(30)
own.encoder.load_state_dict(one.encoder.state_dict())
own.decoder.load_state_dict(one.decoder.state_dict())
own.log_std_x.data.fill_(math.log(0.5))
probe = torch.randn(5, 30)
torch.manual_seed(seed)
mine = own.elbo(probe)
torch.manual_seed(seed)
claim("ELBO here minus the package's", (mine - one.elbo(probe).total).abs().max(), at_most=1e-3)

# %% tags=["hide-input"]
made, panels = plotting.figure(9, 2.6, columns=2)
for column, panel in zip((3, 0), panels, strict=True):
    values = table[:, column]
    panel.hist(values, bins=40, color=plotting.COLOURS[0], alpha=0.7)
    panel.set(xlabel=("mean radius", "", "", "mean area")[column], ylabel="patients")
plotting.show(
    made,
    caption="Two of the thirty columns, in their own units. In a squared error, columns like the left one "
    "are nearly all that counts.",
    alt="Two histograms, both with a tail to the right. The left one, areas, runs from 150 to 2500. The "
    "right one, radii, runs from 7 to 28.",
)

# %% [markdown]
r"""
Logarithms or not? Both ways end in a density of the *original* numbers. If $y = (\log x - m)/s$, then $p(x) = p(y) / (s\,x)$, so $\log(s\,x)$ is to be taken off the ELBO for each column. Without that the two could not be compared. Some columns hold zeros, so we add a hundredth of the mean first.
"""

# %%
logs = (table + 0.01 * table[:469].mean(0)).log()
on_test = {}
for name, columns, slope in (("raw", table, 0 * logs), ("logarithms", logs, logs)):
    mean, std = columns[:469].mean(0), columns[:469].std(0)
    standard = (columns - mean) / std
    nats = fitted(standard[:469], seed).elbo(standard[469:].repeat(20, 1)).view(20, -1)
    on_test[name] = (nats.mean(0) - (std.log() + slope[469:]).sum(1)).mean().item()

# %% tags=["hide-input"]
print(*(f"{name}: {nats:.1f} nats a row" for name, nats in on_test.items()), sep="\n")
gain = on_test["logarithms"] - on_test["raw"]
claim("What logarithms are worth on test rows, nats", gain, at_least=3)
known, unseen = standard[:469], standard[469:]
rival = torch.distributions.MultivariateNormal(known.mean(0), torch.cov(known.T))
whole = (rival.log_prob(unseen) - (std.log() + logs[469:]).sum(1)).mean().item()
lead = whole - on_test["logarithms"]
claim("One Gaussian for the whole table, over the VAE: nats", lead, at_least=3)

# %% [markdown]
r"""
The logarithms win. And a rival wins over both: one Gaussian for the whole table of logarithms, thirty means and a full covariance, no network at all. (Its number is exact, while the VAE's is a bound. So a part of the lead may be the bound's gap.) It seems that a covariance holds most of what there is to find in 469 such rows. Run this rival on your own table *first*. A VAE may pay where rows are many, or columns hang together in curves.

## What a column's error means

Two more columns go in, to see what becomes of them: a constant one, and the diagnosis, 0 or 1.
"""

# %%
diagnosis = (benign - benign[:469].mean()) / benign[:469].std()
full = torch.cat([standard, torch.zeros(569, 1), diagnosis[:, None]], 1)  # (569, 32)
known, unseen = full[:469], full[469:]
vae = fitted(known, seed)
with torch.no_grad():
    out, log_std_x = vae.decode(vae.encode(unseen)[0])
    error = (unseen - out).square().mean(0).sqrt()  # one for each column

# %% tags=["hide-input"]
kinds = "radius texture perimeter area smoothness compactness concavity points symmetry fractal"
names = [f"{kind} ({of})" for of in ("mean", "error", "worst") for kind in kinds.split()]
names += ["constant", "diagnosis"]
with torch.no_grad():
    mu, log_sigma = vae.encode(known)
    drawn, _ = vae.decode(mu + log_sigma.exp() * torch.randn_like(mu))
print("column                 σ   error   in its own unit")
for j in (0, 2, 3, 1, 14, 19, 30, 31):
    unit = f"{100 * error[j] * std[j]:.0f} %" if j < 30 else ""
    print(f"{names[j]:18s}{log_std_x[j].exp():6.2f}{error[j]:8.2f}{unit:>12s}")
ratio = (log_std_x.exp() / (known - drawn).square().mean(0).sqrt())[:30].median()
claim("σ over error on training rows, median of 30 columns", ratio, equals=1, within=0.15)
claim("σ of the constant column: at the floor", log_std_x[30].exp(), equals=0.05, within=1e-4)
claim(
    "Nats a row for the constant column", -log_std_x[30] - 0.5 * math.log(2 * math.pi), at_least=2
)
easy, hard = error[[0, 2, 3]].max(), error[[14, 19]].max()
claim("Hardest of two columns over the hardest of three sizes", hard / easy, at_least=2)

# %% [markdown]
r"""
Read it like this. In standardised columns 1 is the error of somebody who always says the mean. So 0.1 is an excellent column, and 0.8 one that the six latents leave mostly untold: either it is noise, or you need more latents. Times the column's spread, the error has its own unit again. For a logarithm that is a *relative* error, in per cent.

The constant column is at the floor, and earns two nats a row for nothing. Divide the floor by ten, and it earns $\log 10$ more. An ELBO with such a column can be made as large as you like. The diagnosis runs the same risk, since two values can be hit exactly: look at its σ. For yes or no, a Bernoulli likelihood is the better choice.

## Gaps

We blot out a tenth of all numbers at random, train on what is left, and let the VAE fill in test rows.
"""

# %%
holes = torch.rand_like(standard) < 0.1
gappy = standard.masked_fill(holes, math.nan)
filler = fitted(gappy[:469], seed)
with torch.no_grad():
    filled = filler.decode(filler.encode(gappy[469:])[0])[0]

# %% tags=["hide-input"]
neighbours = KNNImputer(n_neighbors=5).fit(gappy[:469]).transform(gappy[469:])
filled_in = {
    "VAE": filled,
    "mean": torch.zeros_like(filled),
    "neighbours": torch.tensor(neighbours),
}
errors = {
    name: (values - standard[469:])[holes[469:]].square().mean().sqrt().item()
    for name, values in filled_in.items()
}
print("error of what was filled in:", *(f"{name} {value:.2f}" for name, value in errors.items()))
claim("Filled in by the VAE, relative to the mean", errors["VAE"] / errors["mean"], at_most=0.75)
claim("... to five neighbours", errors["VAE"] / errors["neighbours"], equals=1, within=0.3)

# %% tags=["hide-input"]
made, panels = plotting.figure(9, 2.9, columns=2, sharey=True)
blank = holes[469:]
for panel, name in zip(panels, ("VAE", "neighbours"), strict=True):
    panel.plot(standard[469:][blank], filled_in[name][blank], ".", markersize=4, alpha=0.6)
    panel.plot((-3, 4), (-3, 4), color="black", linewidth=0.8)
    panel.set(title=f"{name}: error {errors[name]:.2f}", xlabel="what stood there")
panels[0].set(ylabel="what was filled in")
plotting.show(
    made,
    caption="The numbers of test rows that were blotted out, against what was filled in, in standardised "
    "columns. On the line it is right.",
    alt="Two clouds of dots along a rising line, about equally wide.",
)

# %% [markdown]
r"""
So a VAE fills gaps from what the other columns say, about as well as the mean of five similar patients does. That is a strong and much simpler rival. Try it first.

## New rows, and what they are good for

The same three steps as for faces: re-scale, fit a mixture, draw. One thing differs. For a table you want *rows*, not means: add the noise, $x = \mu_\theta(z) + \sigma_x \odot \varepsilon$. Without it every column is too tidy.
"""

# %%
torch.manual_seed(seed)
rescale(vae, known)
with torch.no_grad():
    mu, log_sigma = vae.encode(known)
    codes = torch.cat([mu + log_sigma.exp() * torch.randn_like(mu) for _ in range(4)])
    mixture = GaussianMixture(5, reg_covar=1e-3, random_state=seed).fit(codes.double())
    z = torch.tensor(mixture.sample(469)[0], dtype=torch.float32)
    means, log_std_x = vae.decode(z)
    new = means + log_std_x.exp() * torch.randn_like(means)


# %% tags=["hide-input"]
def accuracy(rows):
    # Learn the diagnosis from these rows, then tell it for real test rows.
    model = LogisticRegression(C=0.1, max_iter=2_000).fit(rows[:, :30], rows[:, 31] > 0)
    return model.score(unseen[:, :30], unseen[:, 31] > 0)


gaussian = torch.distributions.MultivariateNormal(
    known.mean(0), torch.cov(known.T) + 1e-4 * torch.eye(32)
).sample((469,))
shuffled = torch.stack([column[torch.randperm(469)] for column in known.T], 1)
kinds = {"VAE": new, "VAE, means": means, "one Gaussian": gaussian, "shuffled": shuffled}
print("                like   cover   spread   accuracy of a classifier")
for name, rows in (kinds | {"copies": known}).items():
    wide = (rows.std(0) / known.std(0))[:30].mean()
    distances[name] = like, cover = like_and_cover(rows, known, unseen)
    print(f"{name:14s}{like:6.2f}{cover:8.2f}{wide:9.2f}{accuracy(rows):10.2f}")
claim("New rows: like", distances["VAE"][0], at_least=0.7, at_most=1.5)
claim("New rows: cover", distances["VAE"][1], at_most=1.5)
claim("Columns shuffled, each by itself: like", distances["shuffled"][0], at_least=1.6)
claim("Accuracy, learned from new rows", accuracy(new), at_least=0.88)
claim("... learned from shuffled ones", accuracy(shuffled), at_most=0.85)

# %% [markdown]
r"""
New rows are about as near to real ones as real ones are to each other. And a classifier that has seen only new rows tells the diagnosis of real patients nearly as well as one that learned from real rows (*copies*). Rows whose columns were shuffled fail both tests. The one Gaussian passes them, too: here again the simple rival is good.

So draws are good for trying a program, for a lecture, for handing on a table's *shape*. They are not good for three things. They hold no knowledge about patients that the table lacked, so do not count on a better classifier. They are not anonymous by themselves: a model may have learned rows by heart, which a "like" far below 1 can show, and need not. And what is rare in the table may be missing in them.

## What to take along

- Look at what the loader makes of your files before you train.
- A few hundred pictures in one frame: begin with a fully connected network, σ optimal, and stop where the test ELBO stops rising.
- Re-scale, it costs nothing. For pictures, draw from a mixture fitted to the codes.
- A table: standardise, logarithms, a σ for each column with a floor, gaps out of the sum. And one Gaussian as the rival.
- Judge draws by two distances, and put a cheat beside them.

All of it on one sheet: [The recipe](recipe.ipynb).

## The checks
"""

# %% tags=["hide-input"]
summary()
