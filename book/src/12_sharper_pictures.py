# %% [markdown]
r"""
# 12 · Sharper pictures

[Chapter 9](09_blur.ipynb) took blur apart. This chapter tries the cures. Here are those that leave the code alone and change the *answer*: a filter, a measure that sees edges, a critic. [The next page](12b_richer_codes.ipynb) changes the *code*: a codebook, two levels, a decoder that looks at neighbours. Each is a few lines. Each gains something, and each has a price that you can measure.
"""

# %% tags=["hide-input"]
import math
from copy import deepcopy
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal
from torch.optim.lr_scheduler import LinearLR

from vae_course import explorer, plotting
from vae_course.claims import begin, claim, summary
from vae_course.data import load_images
from vae_course.data.drawn.digits import as_numbers, plain_factors, render_digits
from vae_course.evaluation import encode_all, estimate, laplacian_variance, nearest_label_vote
from vae_course.exact.best_decoder import best_decoder
from vae_course.models import VAE, mlp
from vae_course.objectives import sample_posterior
from vae_course.training import fit

seed = begin("12_sharper_pictures")
digits = load_images("digits", n_train=4_000, n_test=1_000, seed=seed)
train, test = (F.avg_pool2d(part, 2) for part in (digits.train, digits.test))  # 14 × 14


def sharpness(pictures):
    return (laplacian_variance(pictures).mean() / laplacian_variance(test).mean()).item()


def error(x, other):  # squared, summed over pixels: (batch,)
    return (x - other).square().flatten(1).sum(1)


def sharpened(pictures, strength):  # away from the average of the neighbours
    soft = F.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)
    return pictures + strength * (pictures - soft)


def strength_for(pictures, wanted):  # sharpness is a + bs + cs² in the strength s
    a, one, two = (sharpness(sharpened(pictures, s)) for s in range(3))
    b, c = (4 * one - two - 3 * a) / 2, (two - 2 * one + a) / 2
    return (math.sqrt(b * b + 4 * c * (wanted - a)) - b) / (2 * c)


def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b]))[0, 1]


torch.manual_seed(seed)
vae = VAE((1, 14, 14), 4, hidden=(128,), std=0.3)
how = {"batch_size": 128, "seed": seed}
fit(vae, lambda m, x: -m.elbo(x).total.mean(), train, steps=400, lr=3e-3, **how)
vae.requires_grad_(False)
posterior, new_posterior = encode_all(vae, train), encode_all(vae, test)
z = sample_posterior(*new_posterior)  # of the test pictures
blurred = vae.decode(z).mean
filtered = sharpened(blurred, strength_for(blurred, 1.0))
plotting.rows(
    {"picture": test[:12], "VAE": blurred[:12], "VAE, then a filter": filtered[:12]},
    caption="Test digits, their reconstructions by a VAE with four latents, and these after a filter that "
    "moves each pixel away from the average of its neighbours.",
    alt="Three rows of twelve small digits. The second row is soft. The third is crisp, with dark rims, "
    "and shows the same shapes as the second, not those of the first.",
)

# %% [markdown]
r"""
The last row is as sharp as real digits, by the number of chapter 9. It took a filter that has never seen a digit. So sharpness alone is cheap, and this filter is the rival that each cure has to beat.

**After this chapter you can**

- say which features make a perceptual loss sharpen, before you train anything;
- train a decoder against a critic, and say what it invents;
- tell a picture that is sharp from one that is right, by known factors;
- place an answer in the plane of perception and distortion.

We hold the encoder fixed: four latents, $\sigma_x = 0.3$. So the rate stays as it is, to the last digit, and only the answer to $z$ changes. Each decoder gets two numbers of noise besides $z$. It can choose with them, if it likes.
"""


# %%
def answer(decoder, told):
    return decoder(torch.cat([told, torch.randn(len(told), 2)], 1))


def batch_of(rows):  # 196 pixels, then mean and log std of four latents
    x, mean, log_std = rows.split((196, 4, 4), 1)
    return sample_posterior(mean, log_std), x


# %% tags=["hide-input"]
variance = train.flatten(1).var(0).sum()  # the error of the average picture


def pixel_loss(decoder, rows, batch=batch_of):
    told, x = batch(rows)
    return error(x, answer(decoder, told)).mean() / variance


rows = torch.cat([train.flatten(1), *posterior], 1)
torch.manual_seed(seed)
plain = mlp([6, 256, 256, 196])
fit(plain, pixel_loss, rows, steps=400, lr=2e-3, **how)


def pictures_of(decoder):
    return answer(decoder, z).detach().view_as(test)


def measure(pictures):
    vote = nearest_label_vote(pictures.clamp(0, 1), train, digits.train_labels)
    right = (vote.label == digits.test_labels).double().mean().item()
    return error(test, pictures).mean().item(), sharpness(pictures), right


def print_table(names):
    print(f"{'':30s}error  sharpness  right digit")
    for name in names:
        print("{:30s}{:5.2f}{:11.2f}{:13.2f}".format(name, *table[name]))


weights, best = best_decoder(z, posterior, train)
answers = {"squared error": pictures_of(plain), "best decoder $h^*$": best}
answers["one drawn"] = train[torch.multinomial(weights, 1)[:, 0]]
table = {name: measure(pictures) for name, pictures in answers.items()}

# %% [markdown]
r"""
## A measure that is not linear

Chapter 9 found a rule. Under the squared error a blurry average beats one sharp picture, two to one. For a *linear* filter of the pictures it is the same. It takes features that are not linear, and *then a sharp picture can win*. A **perceptual loss** compares features $\varphi$ (phi) of two pictures, not their pixels:

$$\lVert \varphi(x) - \varphi(\hat x) \rVert^2.$$

But which $\varphi$? Each layer of a network with ReLUs is not linear. Is that enough? You can find out before you train a decoder. For a given $z$ we know the probabilities $w_i(z)$ of the pictures that can have sent it, and their average $h^*(z)$. The average costs, in features,

$$\sum_i w_i \lVert \varphi(x_i) - \varphi(h^*) \rVert^2 = \underbrace{V}_{\text{spread}} + \underbrace{\Big\lVert \sum_i w_i\, \varphi(x_i) - \varphi\Big(\sum_i w_i\, x_i\Big) \Big\rVert^2}_{\text{gap } G},$$

where $V$ is the variance of the features around their mean. One drawn picture costs $2V$. The **gap** is what a feature *of* the average lacks of the average feature. It is 0 if $\varphi$ is linear, and that is the two to one: $2V / (V + G)$. Only the gap is a reason to be sharp.

Now five measures. The first is linear: differences of neighbours. The second and third are layers of a small network trained to name digits, without and with pooling. The fourth is that network before it has learned anything. The last is made by hand: split the differences by sign, *square* them, and average over windows of 4 × 4 pixels. So it says how much edge there is in each direction, and roughly where.
"""


# %%
def differences(x):
    down, right = F.pad(x, (0, 0, 0, 1)).diff(dim=2), F.pad(x, (0, 1)).diff(dim=3)
    return torch.cat([down, right], 1)


def pooled_edges(x):
    edges = differences(x)
    strength = torch.cat([edges, -edges], 1).relu().square()  # up, left, down, right
    return F.avg_pool2d(strength, 4, 2, 1)


# %% tags=["hide-input"]
def network(*, pool):
    shrink = nn.MaxPool2d(2) if pool else nn.Identity()
    first, second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), shrink, second, nn.ReLU(), shrink)


def naming_loss(classifier, rows):
    logits = classifier(rows[:, :-1].view(-1, 1, 14, 14))
    return F.cross_entropy(logits, rows[:, -1].long())


def learned(features):
    size = features(train[:1]).numel()
    classifier = nn.Sequential(features, nn.Flatten(), nn.Linear(size, 10))
    labelled = torch.cat([train.flatten(1), digits.train_labels[:, None].float()], 1)
    fit(classifier, naming_loss, labelled, steps=200, batch_size=64, lr=3e-3, seed=seed)
    right = (classifier(test).argmax(1) == digits.test_labels).double().mean()
    claim("The network names digits: share right", right, at_least=0.8)
    return features.requires_grad_(False)


torch.manual_seed(seed)
untrained = network(pool=True).requires_grad_(False)
features = {
    "differences": differences,
    "network, no pooling": learned(network(pool=False)),
    "network, pooling": learned(deepcopy(untrained).requires_grad_(True)),
    "the same, untrained": untrained,
    "pooled edges": pooled_edges,
}


# %%
def one_over_average(phi, some=300):
    each, of_average = phi(train).flatten(1), phi(best[:some]).flatten(1)
    mean = weights[:some] @ each
    spread = weights[:some] @ each.square().sum(1) - mean.square().sum(1)
    gap = (mean - of_average).square().sum(1)
    return (2 * spread.mean() / (spread + gap).mean()).item()


ratios = {name: one_over_average(phi) for name, phi in features.items()}

# %% tags=["hide-input"]
plotting.bars(
    ratios,
    plotting.COLOURS[:5],
    xlabel="what one drawn picture costs, over what the average costs",
    caption="The cost of a sharp picture under five measures, in units of the blurry average's. Below 1 the sharp picture wins.",
    alt="Five bars. Differences 2, the network without pooling nearly 2, with pooling about one and a half, the untrained one "
    "about 1, pooled edges below 1.",
)

# %% [markdown]
r"""
The network without pooling is nearly linear in this sense. Its ReLUs hardly matter: they say *where* an edge is, and the average of edges at many places is close to the edges of the average. Pooling forgets the place, and squaring makes one strong edge count for more than many weak ones. So a sharp edge, anywhere in the window, is closer to a sharp edge than a smear is.

Does the ratio tell what training does? Continue the decoder five times, each time with one of the measures on top of the pixels.
"""


# %%
def with_term(phi, batch=batch_of, images=train):
    scale = phi(images).flatten(1).var(0).sum()  # the average picture costs 1

    def loss(decoder, rows):
        told, x = batch(rows)
        made = answer(decoder, told)
        seen, shown = (phi(p.view(-1, 1, 14, 14)) for p in (x, made))
        return error(x, made).mean() / variance + error(seen, shown).mean() / scale

    return loss


# %% tags=["hide-input"]
for name, phi in features.items():
    decoder = deepcopy(plain)
    fit(decoder, with_term(phi), rows, steps=150, batch_size=64, lr=2e-3, seed=seed)
    answers[name] = pictures_of(decoder)
    table[name] = measure(answers[name])

soft = answers["squared error"]
strength = strength_for(soft, table["pooled edges"][1])
answers["filter, as sharp"] = sharpened(soft, strength)
table["filter, as sharp"] = measure(answers["filter, as sharp"])
shown = ["squared error", *features, "filter, as sharp", "one drawn"]
print_table(shown)
claim("One drawn over average, differences", ratios["differences"], equals=2, within=1e-3)
claim("... network, no pooling", ratios["network, no pooling"], at_least=1.7, at_most=2)
claim("... network, pooling", ratios["network, pooling"], at_least=1.2, at_most=1.85)
claim("... pooled edges", ratios["pooled edges"], at_most=1.1)
before = table["squared error"]
more = {name: row[1] / before[1] for name, row in table.items()}
name = "network, no pooling"
claim(f"Sharpness over squared error's: {name}", more[name], at_least=0.85, at_most=1.25)
claim(
    "Sharpness over squared error's: pooled edges", more["pooled edges"], at_least=1.8, at_most=4.5
)
less = table["the same, untrained"][1] - table["network, pooling"][1]
claim("Sharpness, untrained - trained network", less, at_least=0)
extra = table["pooled edges"][0] / table["differences"][0]
claim("Error, pooled edges over differences", extra, at_least=1.05, at_most=1.5)
dearer = (table["filter, as sharp"][0] - before[0]) / (table["pooled edges"][0] - before[0])
claim("What the filter pays, over what pooled edges pay", dearer, at_least=1.1)
same = table["pooled edges"][2] - table["differences"][2]
claim("Right digit, pooled edges - differences", same, equals=0, within=0.06)

plotting.rows(
    {"picture": test[:12]} | {name: answers[name][:12] for name in shown},
    caption="Test pictures and the answers to one draw of z each. From the second row on: squared error alone, with one "
    "of five measures on top, the filter, and a training picture drawn with the probabilities w.",
    alt="Eight rows of twelve digits. The rows for squared error, differences and the network without pooling look the "
    "same, soft. Pooling adds a little. With the untrained network strokes get firmer; with pooled edges they "
    "are crisp, as with the filter, which also has dark rims. The shapes are the same in all these rows. The last row "
    "has sharp digits that often differ from the first.",
)

# %% [markdown]
r"""
Read the table with the ratios beside it. Where the ratio is near 2, training changes nothing. The lower it is, the sharper the answers. Three things are worth a second look.

- *Learning* is not what sharpens. The network that has learned nothing does it better: learning to name digits means to overlook how they are drawn. Large networks trained on photographs, as in the perceptual losses that people use, keep much more. But do not take a sharp picture for a proof that the features understand it.
- Pooled edges are near to what our sharpness counts. So part of this win is by construction.
- The filter gets the same sharpness without any training. It only pays more for it, in squared error.

And the digit that is read off is right as often as before. No cure in this table adds information. How could it? $z$ is the same.

## A critic

Chapter 9 used a **critic** as a judge: a network that learns to tell answers from pictures. Now let the decoder see the judge's slope, and change until it is fooled. That is the **adversarial loss** ([Goodfellow et al. 2014](https://arxiv.org/abs/1406.2661)), here for a decoder ([Larsen et al. 2016](https://arxiv.org/abs/1512.09300)). Both take turns. The critic is shown what the decoder was told, too, so that it can see whether picture and $z$ fit. Its last term keeps it smooth at real pictures ([Mescheder et al. 2018](https://arxiv.org/abs/1801.04406)). Without one, such games are known to run in circles.
"""


# %%
def contest(batch, decoder, critic, *, pixels, steps, smooth=0.1):
    ours, theirs = (
        torch.optim.Adam(net.parameters(), 2e-3, (0.5, 0.99), fused=True)
        for net in (decoder, critic)
    )
    smaller = [LinearLR(adam, 1, 0, steps) for adam in (ours, theirs)]  # steps
    for _ in range(steps):
        told, x = batch()
        made, x = answer(decoder, told), x.requires_grad_()
        real, fake = (critic(torch.cat([told, p], 1)) for p in (x, made.detach()))
        slope = torch.autograd.grad(real.sum(), x, create_graph=True)[0].square().sum(1)
        loss = (F.softplus(-real) + F.softplus(fake)).mean() + smooth / 2 * slope.mean()
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        fooled = F.softplus(-critic(torch.cat([told, made], 1))).mean()
        loss = fooled + pixels * error(x.detach(), made).mean()
        ours.zero_grad()
        loss.backward()
        ours.step()
        for schedule in smaller:
            schedule.step()


# %% [markdown]
r"""
First where all is known: the edge of chapter 9 in a picture of 16 pixels in a row. The decoder is told its place up to an error of $\tau = 0.7$ pixels. Four answers can be written down: the best mean; the middle one, an edge exactly where it was told; one drawn; and the *stretched* one. It puts the edge at what it was told times a constant, so that its edges scatter over the picture as real ones do. We train three decoders: on pixels alone, on both, and on the critic alone.
"""

# %%
tau, pixel = 0.7, torch.arange(16.0) - 7.5


def edge(place):
    return (pixel - place[:, None] + 0.5).clamp(0, 1)


def edges(n):  # what the decoder is told, and an edge that is nearly there
    told = 0.5 * torch.randn(n, 1)
    return told, edge(told[:, 0] + tau * torch.randn(n))


# %% tags=["hide-input"]

place, x = edges(2_000)
shifts = Normal(0.0, tau).icdf((torch.arange(99) + 0.5) / 99)
mean = sum(edge(place[:, 0] + shift) for shift in shifts) / 99
edge_answers = {"best mean": mean, "the middle one": edge(place[:, 0])}
edge_answers["one drawn"] = edge(place[:, 0] + tau * torch.randn(2_000))
edge_answers["stretched"] = edge(place[:, 0] * math.hypot(0.5, tau) / 0.5)
pixels_only, seen = mlp([3, 64, 64, 16]), torch.cat(edges(20_000), 1)
on_pixels = partial(pixel_loss, batch=lambda rows: rows.split((1, 16), 1))
fit(pixels_only, on_pixels, seen, steps=500, lr=3e-3, seed=seed)
edge_answers["pixels"] = answer(pixels_only, place).detach()
for name, weight, steps in (("pixels and critic", 0.3, 400), ("critic", 0.0, 1_000)):
    decoder = mlp([3, 64, 64, 16])
    contest(lambda: edges(128), decoder, mlp([17, 64, 64, 1]), pixels=weight, steps=steps)
    edge_answers[name] = answer(decoder, place).detach()
again = answer(decoder, place).detach()  # the same told, other noise


def guess(judge, rows):
    return F.binary_cross_entropy_with_logits(judge(rows[:, :-1]), rows[:, -1:])


def judge_is_right(made, real):  # as in chapter 9, a fresh critic, on pictures it has not seen
    labelled = [F.pad(p.flatten(1), (0, 1), value=y) for y, p in enumerate((made, real))]
    seen, unseen = torch.stack(labelled).split((len(made) * 7 // 10, len(made) * 3 // 10), dim=1)
    judge, unseen = mlp([seen.shape[2] - 1, 64, 1]), unseen.flatten(0, 1)
    fit(judge, guess, seen.flatten(0, 1), epochs=20, batch_size=256, lr=5e-3, seed=seed)
    says_real = judge(unseen[:, :-1]) > 0
    return (says_real == (unseen[:, -1:] > 0)).double().mean().item()


real = edges(2_000)
least = error(x, mean).mean()
cost = {name: (error(x, a).mean() / least).item() for name, a in edge_answers.items()}
right = {}
for name, a in edge_answers.items():
    right[name] = judge_is_right(torch.cat([place, a], 1), torch.cat(real, 1))
blindfold = judge_is_right(edge_answers["stretched"], real[1])  # not shown what was told

steep = {name: a.diff(dim=1).max(1).values.mean().item() for name, a in edge_answers.items()}
where = torch.linspace(-8, 8, 641)


def shown_at(pictures):  # the place of the nearest edge, from where it was told
    return where[torch.cdist(pictures, edge(where)).argmin(1)] - place[:, 0]


claim("One drawn: error, over the best mean's", cost["one drawn"], equals=2, within=0.2)
claim("One drawn: judge is right", right["one drawn"], equals=0.5, within=0.06)
claim("The middle one: error", cost["the middle one"], at_least=1.05, at_most=1.4)
claim("... judge is right", right["the middle one"], at_least=0.7)
claim("Best mean: judge is right", right["best mean"], at_least=0.75)
claim("Stretched: error", cost["stretched"], at_least=1.2, at_most=1.75)
claim("... judge is right", right["stretched"], at_least=0.7)
claim("... judge of pictures alone is right", blindfold, equals=0.5, within=0.06)
claim("Critic alone: error", cost["critic"], at_least=1.3, at_most=4)
claim("... steepest step, over pixels alone", steep["critic"] / steep["pixels"], at_least=1.2)
invented, true = shown_at(edge_answers["critic"]), shown_at(x)
claim("... spread of places, over the true one", invented.std() / true.std(), at_least=0.5)
claim("... correlation with the true place", correlation(invented, true), equals=0, within=0.12)
two = error(again, edge_answers["critic"]).mean() / 2 / least
claim("... two answers differ by, in units of one drawn's", two, at_least=0.2)

strips = {"picture": x.detach()} | edge_answers
strips = {name: 0.2 + 0.6 * a[:12, None, None].expand(-1, 1, 5, 16) for name, a in strips.items()}
plotting.show(
    plotting.draw_rows(strips),
    caption="Edges in pictures of 16 pixels (each row of pixels is the same), four answers that can be written down, and three "
    "trained decoders.",
    alt="Eight rows of twelve small pictures, dark left and light right. The best mean and pixels alone have soft edges, "
    "the middle one, one drawn, the stretched one and the critic crisp ones, at places that differ from the first row's.",
)

# %% tags=["hide-input"]
figure, panels = plotting.figure(9.5, 3.4, columns=2)
for axis, height in zip(panels, (steep, right), strict=True):
    for (name, paid), mark in zip(cost.items(), "osDXP^v", strict=True):
        axis.plot(paid, height[name], mark, label=name)
    level = x.detach().diff(dim=1).max(1).values.mean() if height is steep else 0.5
    axis.axhline(level, color="black", ls="--", lw=1, label="real pictures")
    label = "steepest step" if height is steep else "judge is right"
    axis.set(xlabel="squared error, relative to the best mean", ylabel=label)
panels[1].legend(fontsize=10.5)
plotting.show(
    figure,
    caption="Perception against distortion for the edges: what each answer costs, how steep its edge is (left), and how often "
    "a fresh critic, the judge, tells it from a real edge (right).",
    alt="Two plots over the squared error. Left, the best mean is lowest at error 1; the middle one is at the dashed line "
    "of real pictures; the stretched one, too, at error 1.4, and one drawn at 2; the trained ones rise with their error. Right, one drawn is "
    "at one half, all others far above.",
)

# %% [markdown]
r"""
With the critic alone the edges get steep, at a place of their own. These places spread nearly as the true ones do, and have nothing to do with them: the noise decides. This is *one drawn* in the plane, at about its price. With pixels on top you get something in between.

And look at the judge. It has seen none of the training, and tells the trained decoder's edges from real ones nearly every time. To fool *this* critic is not to fool *a* critic: the judge finds small grains that no picture has.

How much does it cost to look real? The best possible answers lie on a curve that begins at the best mean, and goes to more error where an answer has to look more like real pictures ([Blau & Michaeli 2018](https://arxiv.org/abs/1711.06077)). But it is not *one* curve. It depends on the **divergence**, which says how far the answers are from the pictures, and on what is compared. Our judge sees what the decoder was told. Only a draw from $p(x \mid z)$ satisfies it, at *exactly* twice the best error. A judge of pictures alone is satisfied by the stretched edges, which cost less: all of them together are edges as they should be, only each one is too far out. So twice is the most that it can cost to look real, and for a judge who sees less it may cost less. [Freirich et al. 2021](https://arxiv.org/abs/2107.02555) work out the whole curve for one divergence.

Can large networks and long training come closer to the curve? They can. Seconds do not.

Now digits. Continue the decoder against a critic, with pixels.
"""

# %%
critic, sharper = mlp([4 + 196, 256, 256, 1]), deepcopy(plain)


def random(rows, batch):
    return lambda: batch(rows[torch.randint(len(rows), (64,))])


weight = 1 / (3 * variance)
contest(random(rows, batch_of), sharper, critic, pixels=weight, steps=300, smooth=1)

# %% tags=["hide-input"]
answers["critic"] = pictures_of(sharper)
table["critic"] = measure(answers["critic"])
shown = ["squared error", "pooled edges", "critic", "filter, as sharp", "one drawn"]
print_table(shown)
claim("Sharpness, critic over squared error", table["critic"][1] / before[1], at_least=1.1)
name = "Error, critic over squared error"
claim(name, table["critic"][0] / before[0], at_least=1.02, at_most=1.5)
level = strength_for(soft, table["critic"][1])
cheap = error(test, sharpened(soft, level)).mean() / table["critic"][0]
claim("Error, filter at the critic's sharpness over critic", cheap, at_most=1)
claim("Right digit, critic - squared error", table["critic"][2] - before[2], equals=0, within=0.08)
real = train[torch.randperm(len(train))[:1_000]]
judged = {name: judge_is_right(answers[name], real) for name in shown}
print("judge is right:", {name: round(share, 2) for name, share in judged.items()})
for name in shown[:4]:
    claim(f"Judge is right: {name}", judged[name], at_least=0.85)
claim("Judge is right: one drawn", judged["one drawn"], equals=0.5, within=0.1)
plotting.rows(
    {"picture": test[:12]} | {name: answers[name][:12] for name in shown},
    caption="Test digits, and five answers to the same z.",
    alt="Six rows of twelve digits: sharp; soft; crisp; fairly crisp with grains; crisp with dark rims; sharp, but often "
    "others than in the first row.",
)

# %% [markdown]
r"""
The critic does not know what sharpness is, and raises it. It pays in squared error, as each of them must, and at its sharpness the filter would have paid less. The digit is right as often as before. And the judge is hardly ever fooled, except by one drawn.

## What density is lost

Neither the perceptual nor the adversarial term is a likelihood. But each answer can stand as the mean of a decoder $\mathcal{N}(\hat x, \sigma_x^2 I)$, and then it has one. The KL is the same for all of them, since the encoder is. So the ELBO falls by what $\log p_\theta(x \mid z)$ loses. With our $\sigma_x = 0.3$ that is the extra squared error over $2\sigma_x^2$: each unit costs $1 / 0.18 = 5.6$ nats. That $\sigma_x$ was not chosen for any of these decoders, so give each its own best one, too. Chapter 6 found it: $\sigma_x^2 = E / D$ for a mean error $E$ over $D = 196$ pixels, and then the density is $-\tfrac{D}{2} \log E$ and a constant.
"""

# %%
at_first = error(test, answers["squared error"])  # (1000,)


def nats_lost(pictures):
    return (error(test, pictures) - at_first) / (2 * 0.3**2)


away = torch.cdist(test.flatten(1), train.flatten(1)).square()  # (1000, 4000)
mixture = (weights.log() - away / (2 * 0.3**2)).logsumexp(1)  # log p(x | z) + constant

# %% tags=["hide-input"]
names = ("differences", "pooled edges", "critic", "filter, as sharp", "one drawn")
lost = {name: nats_lost(answers[name]) for name in names}
print(f"{'nats lost':24s}with σ = 0.3  each its own σ")
for name in names:
    own = 98 * math.log(table[name][0] / table["squared error"][0])
    print(f"{name:24s}{lost[name].mean():12.1f}{own:16.1f}")
more = -mixture - at_first / (2 * 0.3**2)
print(f"{'mixture of all draws':24s}{more.mean():12.1f}")
none = lost["differences"].mean()
claim("Nats lost: differences, the control", none, equals=0, within=1.5)
less = mixture + error(test, best) / (2 * 0.3**2)
for name, values in {
    "Nats lost: pooled edges": lost["pooled edges"],
    "Nats lost: critic": lost["critic"],
    "Nats lost: filter - edges": lost["filter, as sharp"] - lost["pooled edges"],
    "Nats lost: one drawn - filter": lost["one drawn"] - lost["filter, as sharp"],
    "Nats gained: mixture over best mean": less,
}.items():
    nats = estimate(values)
    claim(f"{name}, in standard errors", nats.mean / nats.standard_error, at_least=5)

# %% [markdown]
r"""
The control loses nothing: differences of neighbours are no reason to be sharp, and no reason to be off. The cures lose several nats, and the filter loses more than the pooled edges that are as sharp.

The last two lines belong together. One drawn picture, taken for a *mean*, is the worst answer of all. Now let the decoder be the **mixture** of all pictures that may have sent $z$, each with its probability $w_i$ and the same $\sigma_x$. It *gains* nats, and over the best mean, too. So a density has nothing against sharp pictures. It punishes the one sharp picture that is sure of itself. To gain, a decoder must give each of the sharp pictures its probability, and none of the cures does. On the next page one kind of decoder can.

## Is it the right slant?

A soft picture admits that it does not know. A sharp one looks sure. Of what? Take pictures with known factors again, as in chapter 9. A network is told digit and rotation, and *not* the slant. We train it with the squared error, and go on from there with pooled edges on top, or with a critic. One more network *is* told the slant. It is the control: it shows that a slant that is known can be read off. (This part draws its own pictures.)

Here we can draw all the pictures a network could have meant: the same digit and rotation, with 25 slants. So for each answer ask two things. How far is it from the nearest of these? And which slant does this nearest one have?
"""


# %% tags=["hide-input"]
def draw(factors):
    return F.avg_pool2d(render_digits(factors), 2)


vary = ("digit", "rotation", "slant")
seen = plain_factors(2_000, vary, seed=seed, split="train")
new = plain_factors(200, vary, seed=seed, split="test")
slants = seen["slant"].quantile((torch.arange(25) + 0.5) / 25)
family = torch.stack([draw(new | {"slant": slant.expand(200)}) for slant in slants])
pictures, canvas = draw(new), draw(seen)


def split(rows):
    return rows[:, 196:], rows[:, :196]


torch.manual_seed(seed)
how |= {"lr": 2e-3}
untold, all_told = (
    torch.cat([canvas.flatten(1), as_numbers(seen, v)], 1) for v in (vary[:2], vary)
)
drawer, informed = (mlp([r.shape[1] - 194, 128, 128, 196]) for r in (untold, all_told))
fit(drawer, partial(pixel_loss, batch=split), untold, steps=400, **how)
fit(informed, partial(pixel_loss, batch=split), all_told, steps=400, **how)
edgy, fooling = deepcopy(drawer), deepcopy(drawer)
fit(edgy, with_term(pooled_edges, split, canvas), untold, steps=200, **how)
critic = mlp([untold.shape[1], 128, 128, 1])
weight = 1 / (3 * canvas.flatten(1).var(0).sum())
contest(random(untold, split), fooling, critic, pixels=weight, steps=300, smooth=1)
made = {"squared error": drawer, "pooled edges": edgy, "critic": fooling}
made = {name: answer(net, as_numbers(new, vary[:2])) for name, net in made.items()}
made["told the slant"] = answer(informed, as_numbers(new, vary))
made = {name: pics.detach().view_as(pictures) for name, pics in made.items()}
far, slant_shown = {}, {}
as_sharp = strength_for(made["squared error"], sharpness(made["pooled edges"]))
made["filter, as sharp"] = sharpened(made["squared error"], as_sharp)
made["one drawn"] = family[torch.randint(25, (200,)), torch.arange(200)]
print(f"{'':18s}error  sharpness  to the nearest  slants shown  off the true slant")
for name, pics in made.items():
    off = (family - pics).square().flatten(2).sum(2)  # (25, 200)
    far[name], slant_shown[name] = off.min(0).values.mean(), slants[off.argmin(0)]
    miss = (slant_shown[name] - new["slant"]).square().mean().sqrt()
    row = error(pictures, pics).mean(), sharpness(pics), far[name], slant_shown[name].std(), miss
    print("{:18s}{:5.2f}{:11.2f}{:16.2f}{:14.3f}{:20.3f}".format(name, *row))
spread = new["slant"].std()
for name in ("squared error", "pooled edges"):
    claim(f"Slants shown, relative to that: {name}", slant_shown[name].std() / spread, at_most=0.35)
nearer = {name: far["pooled edges"] / far[name] for name in far}
claim("Distance to the nearest, edges over squared error", nearer["squared error"], at_most=0.8)
claim("... edges over the filter", nearer["filter, as sharp"], at_most=0.9)
like = {name: correlation(slant, new["slant"]) for name, slant in slant_shown.items()}
for name in ("pooled edges", "critic"):
    claim(f"Slant shown and true slant, correlation: {name}", like[name], equals=0, within=0.35)
claim("... told the slant, the control", like["told the slant"], at_least=0.8)
show = new["slant"].argsort()[[*range(5), *range(-5, 0)]]
plotting.rows(
    {"picture": pictures[show]} | {name: pics[show] for name, pics in made.items()},
    caption="Digits that lean far to the left (first five) and far to the right, and what networks draw that "
    "are not told the slant, with one exception.",
    alt="Seven rows of ten digits. First row: leaning left, then right. Second row: upright, with soft tops and "
    "feet. Third: upright and crisp. Fourth, the critic's: upright, firm, with grains. Fifth, told the slant: like the first. "
    "Sixth, the filter's: upright and crisp, with dark rims. Last: crisp, each with a slant of its own.",
)

# %% [markdown]
r"""
With pooled edges the picture comes nearer to a real one. The filter does a part of that. The critic's picture has firmer strokes, and grains that no picture has, so it is hardly nearer, if at all. Now look at *which* real one is nearest. With pooled edges, and with the filter, it is always about the *middle* slant. The critic's slants scatter more, and they have as little to do with the true ones. So each picture shows one slant, looks sure of it, and knows nothing about it. The control shows the true one, within a few hundredths.

There are two ways to be sharp without knowing: to show the middle, as pooled edges do, or to draw, as the critic did with the edges when no pixels held it back. Either invents. The soft answer was the only one that told you.

## Perception against distortion

For the pictures of this page, too, each answer is a point: what it costs, and how it looks. Here they are, with the filter at any strength. It starts as sharp as pooled edges. Before you touch it: which of the answers would you have taken for the best?
"""

# %% tags=["hide-input"]
in_plane = {name: answers[name] for name in shown if not name.startswith("filter")}
explorer.cures(
    test,
    in_plane,
    strength=strength,
    std=0.3,
    caption="Answers to the same z, by how sharp they are and what they cost. The dashed curve is the filter, from strength 0 at the "
    "squared error's point. Nats are what log p(x | z) loses, with a noise of 0.3, against the squared error's answer.",
)

# %% [markdown]
r"""
The filter goes as high as you like, also beyond real digits, and to the right all the way. The pooled edges stand to the left of its curve at the same height: that distance is what training bought. The critic's point lies to the *right* of the curve: at its sharpness the filter costs less. Sharpness is not what the critic asked for. One drawn is far to the right.

Sharpness is one property of pictures, and the judge looks at all of them: for the judge all these answers were easy to tell, except for one drawn. This judge sees pictures alone. The curve of the best possible answers begins at $h^*$, and for this judge ends at one drawn or before it. These small networks are far above it.


## What to take along

A filter can be sharp, so ask what a cure gains beside it. A perceptual loss sharpens by its gap: pooling makes one, training need not. It shows you the middle of what it does not know. A critic that nothing holds back draws what it does not know, and a fresh judge still tells. Neither adds a nat: the KL is as it was, and each single answer that is sharper loses density. Only the right mixture of sharp answers gains some.

What adds nats, or spends them otherwise, is another code: [on the next page](12b_richer_codes.ipynb).

## Practise

[Exercises 12](exercises/12_sharper_pictures.ipynb) check what you write and name your mistake. Task 1 goes with this page: the spread and the gap of features.

## The checks
"""

# %% tags=["hide-input"]
summary()
