"""Each live figure driven by mouse and keyboard, its result compared with torch."""

import base64
import io
import math
import re
import statistics
from functools import cache

import pytest
import torch
from browser.live_pages import COLAB, JUPYTERLAB, as_page, eager
from PIL import Image
from torch.distributions import Categorical, Independent, Normal, kl_divergence
from torch.nn.functional import avg_pool2d, interpolate, mse_loss, pad

from vae_course import explorer
from vae_course.data.drawn.faces import render_faces, sample_factors
from vae_course.evaluation import laplacian_variance
from vae_course.evaluation.factor_reader import fit_reader
from vae_course.exact import LinearVAE, fit_linear_vae, fit_two_images
from vae_course.exact.rate_distortion import RateDistortion, linear_rate_distortion
from vae_course.explorer.smile import STOPS
from vae_course.models import VAE, Autoencoder, TransformerVAE

pytestmark = pytest.mark.slow

FAST = 8  # milliseconds of script for one move

OTHERS = {"another VAE": [RateDistortion(2.0, 1.5), RateDistortion(9.0, 0.4)]}
KINDS = ["plane", "bowl", "blur", "pair", "spread", "noise", "gap", "two humps"]
KINDS += ["calculator", "water", "average", "smile", "cures", "ladder"]

# The pixels of a canvas, from a copy: Chromium complains of canvases that are often read.
COPY = """
(canvas) => {
  const options = { willReadFrequently: true };
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", options);
  copy.drawImage(canvas, 0, 0);
  return Array.from(copy.getImageData(0, 0, canvas.width, canvas.height).data);
}
"""

# Where a line begins, in the units of its plot.
BOX = "p => ({ x: p.getBBox().x, y: p.getBBox().y })"

# The smallest type of a figure, in pixels of the screen: a plot's own unit may be drawn smaller.
SMALLEST_TYPE = """() => Math.min(...[...document.querySelectorAll(".lf-stage *")]
  .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => {
    const svg = e.closest("svg"), box = svg?.getBoundingClientRect();
    const scale = svg ? box.width / svg.viewBox.baseVal.width : 1;
    return scale * parseFloat(getComputedStyle(e).fontSize);
  }))"""

# Sixty moves of the first slider, and how long each took.
SWEEP = """
querySelector("input[type=range]") && Array.from({length: 60}, (_, i) => {
  const slider = root.querySelector("input[type=range]"), [low, high] = [+slider.min, +slider.max];
  slider.value = low + (high - low) * (i % 20) / 19;
  slider.dispatchEvent(new Event("input"));
  return root.explorer.lastMove;
})
"""


@pytest.fixture
def open_page(browser, tmp_path):
    """Open figures in a page; in the end there must be no error and no request to anywhere."""
    contexts, troubles = [], []

    def open_(*figures, text=None, **options):
        (tmp_path / "page.html").write_text(text or as_page(*figures), encoding="utf-8")
        contexts.append(
            browser.new_context(**({"viewport": {"width": 900, "height": 900}} | options))
        )
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda request: troubles.append(request.url))
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    own = (tmp_path / "page.html").as_uri()
    inside = (own, "data:", "blob:")
    assert [trouble for trouble in troubles if not trouble.startswith(inside)] == []


def ask(page, question, argument=None):
    """`root.explorer`, asked in JavaScript."""
    return page.locator(".course-live").first.evaluate(f"(root, a) => root.{question}", argument)


def state(page):
    return ask(page, "explorer.state()")


def painted(page, index):
    """The grey values on a canvas, row by row."""
    values = page.locator("canvas").nth(index).evaluate(COPY)
    return torch.tensor(values[::4])  # red, of red, green, blue and opacity


def drag(page, svg, start, end):
    """From and to parts of the width and the height of a plot."""
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


# ---- The latent plane


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    shape, size = (1, 28, 28), {"hidden": (128, 64)}  # as in chapters 1 and 2
    return {
        "autoencoder": eager(Autoencoder(shape, 2, **size)),
        "VAE": eager(VAE(shape, 2, std=0.3, **size)),
        "Bernoulli": eager(VAE(shape, 2, likelihood="bernoulli", **size)),
        "per pixel": eager(VAE(shape, 2, std="per_pixel", **size)),
    }


@cache
def pictures(n=300):
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.rand(n, 1, 28, 28, generator=generator), torch.arange(n) % 10


@cache
def blobs(n=300):
    """Smooth pictures, whose variances fall steeply: (n, 1, 28, 28)."""
    generator = torch.Generator().manual_seed(1)
    strength = torch.linspace(3, 0.1, 25).view(5, 5)
    coarse = strength * torch.randn(n, 1, 5, 5, generator=generator)
    return interpolate(coarse, (28, 28), mode="bicubic", align_corners=False).sigmoid()


@cache
def senders(n=120):
    """Pictures of 14 x 14 and their labels, as a VAE with two latents encodes them."""
    return avg_pool2d(blobs()[:n], 2), torch.arange(n) % 10


@cache
def narrow_vae():
    """Posteriors that some pictures share: means of variance 1, standard deviations about 0.2."""
    torch.manual_seed(3)
    vae = eager(VAE((1, 14, 14), 2, hidden=(32,), std=0.3))
    last, (mean, _) = vae.encoder[-1], vae.encode(senders()[0])
    last.weight.data[:2] /= mean.std(0)[:, None]
    last.bias.data[:2] = (last.bias.data[:2] - mean.mean(0)) / mean.std(0)
    last.bias.data[2:] = math.log(0.2)
    return vae


def smiling():
    """Three drawn faces and a transformer with random weights."""
    torch.manual_seed(0)
    shape = {"patch": 16, "width": 8, "depth": 1, "heads": 1}
    vae = TransformerVAE((3, 64, 64), 4, **shape).eval().requires_grad_(False)
    factors = sample_factors(3, seed=0, split="test")
    reader = fit_reader(render_faces(factors), factors)
    directions = {name: torch.randn(4) for name in STOPS}
    return explorer.asked_smile(vae, reader, torch.randn(3, 4), directions, factors, caption="c")


@cache
def answers():
    """A soft answer that leaves the range of greys, another, and one of sharp pictures: by name."""
    images = blobs()[:40]
    soft = 1.4 * avg_pool2d(images, 3, 1, 1) - 0.2
    return images, {"squared error": soft, "pooled edges": images**2, "one drawn": images.flip(0)}


def plane(models, *names):
    chosen = {name: models[name] for name in names}
    return explorer.latent_plane(chosen, *pictures(), caption="c")


@cache
def ladder():
    """A model, codes, three priors with their draws, and two directions that are no axes."""
    torch.manual_seed(4)
    vae, codes = eager(VAE((1, 14, 14), 4, hidden=(16,), std=0.3)), torch.randn(80, 4)
    rungs = {
        name: explorer.Rung(width * torch.randn(50, 4) + shift, nats, 0.02, unanimous, kinds)
        for name, width, shift, nats, unanimous, kinds in (
            ("N(0, I)", 1.0, 0.0, 0.0, 0.31, 7.9),
            ("full Gaussian", 0.5, 0.5, 1.32, 0.29, 9.8),
            ("flow", 1.5, -1.0, -0.4, 0.42, 9.9),
        )
    }
    return vae, codes, rungs, torch.linalg.qr(torch.randn(4, 4))[0][:, :2]


@pytest.fixture(scope="module")
def figures(models):
    """One of each kind."""
    images, _ = pictures()
    noisy = {std: eager(VAE((1, 28, 28), 4, hidden=(16,), std=std)) for std in (1.0, 0.1, 0.5)}
    return {
        "plane": plane(models, "autoencoder", "VAE"),
        "bowl": explorer.kl_bowl(),
        "blur": explorer.edge_blur(),
        "pair": explorer.two_images(*images[:2].clamp(0, 1), caption="c"),
        "spread": explorer.gradient_spread(),
        "noise": explorer.noise_slider(noisy, images.clamp(0, 1), caption="c"),
        "gap": explorer.elbo_gap(),
        "two humps": explorer.elbo_gap(humps=2),
        "calculator": explorer.loss_calculator(blobs(), caption="c"),
        "average": explorer.best_picture(narrow_vae(), *senders(), caption="c"),
        "cures": explorer.cures(*answers(), strength=1.2, std=0.3, caption="c"),
        "water": explorer.water_level(avg_pool2d(blobs(), 4), caption="c", others=OTHERS),
        "smile": smiling(),
        "ladder": explorer.prior_ladder(*ladder(), start="full Gaussian", caption="c"),
        "live VAE": explorer.playground(),
    }


def decoded_by_torch(model, z):
    """What torch makes of z (batch, 2): (batch, 784)."""
    decoded = model.decode(z)
    return (decoded if isinstance(model, Autoencoder) else decoded.mean).flatten(1)


def decoded_by_browser(page, z, index):
    """What the browser makes of it."""
    question = f"(root, all) => all.map(z => root.explorer.decode(z, {index}))"
    return torch.tensor(page.locator(".course-live").evaluate(question, z.tolist()))


@pytest.mark.parametrize("names", [("autoencoder", "VAE"), ("Bernoulli", "per pixel")])
def test_the_browsers_decoder_is_torchs(open_page, models, names, record_property):
    page = open_page(plane(models, *names))
    for index, name in enumerate(names):
        sliders = page.get_by_role("slider", name=f"of the {name}")
        low, high = (
            [float(sliders.nth(i).get_attribute(side)) for i in (0, 1)] for side in ("min", "max")
        )
        low, high = torch.tensor([low, high])
        z = low + (high - low) * torch.rand(25, 2)
        ours = decoded_by_browser(page, z, index)
        right = decoded_by_torch(models[name], z)
        worst = (ours - right).abs().max()
        assert worst < 2.1e-3  # half a step of a screen's greys
        assert right.std(0).max() > 0.03  # there was something to compare
        record_property("table", f"decoder of the {name}, browser against torch: {worst:.1e}")


def test_the_plane_answers_mouse_arrows_and_sliders(open_page, models):
    page = open_page(plane(models, "autoencoder", "VAE"))
    (first, before), svg = state(page), page.locator("svg").nth(1)
    drag(page, svg, (0.5, 0.5), (0.8, 0.2))
    same, after = state(page)
    assert same == first  # the other panel stays
    assert after["z"][0] > before["z"][0] and after["z"][1] > before["z"][1]
    assert page.evaluate("document.activeElement.getAttribute('role')") == "application"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    moved = state(page)[1]["z"]
    side = page.get_by_role("slider", name="z₁ of the VAE")
    width = float(side.get_attribute("max")) - float(side.get_attribute("min"))
    assert moved[0] == pytest.approx(after["z"][0] - 0.02 * width, rel=1e-5)
    assert moved[1] == pytest.approx(after["z"][1] - 0.1 * width, rel=1e-5)
    side.focus()
    page.keyboard.press("Home")
    assert state(page)[1]["z"][0] == pytest.approx(float(side.get_attribute("min")), abs=1e-6)
    page.keyboard.press("Tab")  # to the other slider
    page.keyboard.press("End")
    assert state(page)[1]["z"][1] > moved[1]


def test_the_picture_on_the_canvas_is_the_decoded_one(open_page, models):
    page = open_page(plane(models, "Bernoulli"))
    drag(page, page.locator("svg"), (0.5, 0.5), (0.3, 0.3))
    right = decoded_by_torch(models["Bernoulli"], torch.tensor([state(page)[0]["z"]]))[0] * 255
    assert (painted(page, 0) - right).abs().max() <= 1.04


def test_the_nearest_code_is_the_nearest(open_page, models):
    (images, labels), model = pictures(), models["autoencoder"]
    page = open_page(plane(models, "autoencoder"))
    drag(page, page.locator("svg"), (0.5, 0.5), (0.6, 0.4))
    (found,) = state(page)
    away = (model.encode(images) - torch.tensor(found["z"])).norm(dim=1)
    assert found["nearest"]["distance"] == pytest.approx(away.min().item(), abs=1e-3)
    label = labels[away.argmin()].item()
    text = f"Nearest code: {'an' if label == 8 else 'a'} {label},"
    assert text in page.locator(".lf-readout").text_content()


# ---- The bowl


def kl(mean, log_std):
    q = Normal(torch.tensor(mean, dtype=torch.float64), math.exp(log_std))
    return kl_divergence(q, Normal(0.0, 1.0)).item()


def test_the_bowl_shows_the_kl_and_the_slip(open_page):
    page = open_page(explorer.kl_bowl())
    for index in (0, 1):
        drag(page, page.locator("svg").nth(index), (0.5, 0.5), (0.3 + index / 4, 0.7))
        at = state(page)
        assert abs(at["mean"]) > 0.1 and at["logStd"] < -0.1
        assert at["kl"] == pytest.approx(kl(at["mean"], at["logStd"]), abs=1e-6)
        assert at["slip"] == pytest.approx(kl(at["mean"], at["logStd"] / 2), abs=1e-6)
    page.get_by_role("slider", name="log σ").focus()
    page.keyboard.press("Home")
    page.get_by_role("slider", name="μ", exact=True).fill("1")
    assert state(page) | {"kl": 0, "slip": 0} == {"mean": 1, "logStd": -2, "kl": 0, "slip": 0}
    assert f"KL {kl(1.0, -2.0):.2f} nats" in page.locator(".lf-readout").text_content()


def test_contours_lie_where_the_formula_has_their_level(open_page):
    page = open_page(explorer.kl_bowl())
    # The top of the contour of 0.5 nats, where the mean is 0, and its side, where log σ is.
    for index, half in enumerate((1, 0.5)):
        svg = page.locator("svg").nth(index)
        box = svg.locator("path.lf-plain").nth(2).evaluate(BOX)
        width, height, left, right, bottom, upper = 230, 220, 44, 10, 36, 8
        log_std = 1.5 - 3.5 * (box["y"] - upper) / (height - bottom - upper)
        assert kl(0.0, half * log_std) == pytest.approx(0.5, abs=0.02)
        mean = 4 * (box["x"] - left) / (width - left - right) - 2
        assert kl(mean, 0.0) == pytest.approx(0.5, abs=0.02)


def test_the_bell_beside_the_bowl_is_the_posterior(open_page):
    page = open_page(explorer.kl_bowl())
    page.get_by_role("slider", name="log σ").fill("0.5")
    page.get_by_role("slider", name="μ", exact=True).fill("1")
    line = page.get_by_role("group", name="Densities").locator("path.lf-curve").last
    box = line.evaluate(BOX)
    peak = 1.2 * (1 - (box["y"] - 8) / (220 - 36 - 8))
    normal = Normal(1.0, torch.tensor(0.5).exp())
    assert peak == pytest.approx(normal.log_prob(torch.tensor(1.0)).exp().item(), abs=0.01)
    slip = kl(1.0, 0.25)  # log σ where log σ² belongs
    assert f"slip {slip:.2f} nats" in page.locator(".lf-readout").text_content()


# ---- The edge


def test_the_blur_is_the_normal_distribution_function(open_page):
    page = open_page(explorer.edge_blur())
    slider = page.get_by_role("slider", name="τ")
    for tau in (0.05, 0.7, 3.0):
        slider.fill(str(tau))
        chance = Normal(0.0, torch.tensor(tau, dtype=torch.float64)).cdf
        places = [-5.0, -1.0, -0.02, 0.0, 0.3, 1.7, 4.0]
        for shape in ("edge", "stroke"):
            page.get_by_label(shape, exact=True).check()
            t = torch.tensor(places, dtype=torch.float64)
            right = chance(t) if shape == "edge" else chance(t + 1) - chance(t - 1)
            ours = [ask(page, "explorer.profile(a)", place) for place in places]
            assert ours == pytest.approx(right.tolist(), abs=1e-9)
            assert state(page) == {"tau": tau, "shape": shape}


def test_the_average_of_drawn_edges_is_the_blur(open_page):
    page = open_page(explorer.edge_blur())
    drawn = (torch.tensor([[-0.8], [0.0], [1.1]]) > 0.7 * torch.randn(200_000)).double().mean(1)
    ours = [ask(page, "explorer.profile(a)", place) for place in (-0.8, 0.0, 1.1)]
    assert ours == pytest.approx(drawn.tolist(), abs=5 * 0.5 / 200_000**0.5)


def test_an_edge_whose_place_is_known_is_sharp(open_page):
    page = open_page(explorer.edge_blur())
    page.get_by_role("slider", name="τ").focus()
    page.keyboard.press("Home")
    assert [ask(page, "explorer.profile(a)", t) for t in (-0.01, 0, 0.01)] == [0, 0.5, 1]
    assert "a step" in page.locator(".lf-readout").text_content()


# ---- Two pictures


def test_the_two_pictures_have_the_optimum_of_exact(open_page, figures):
    page = open_page(figures["pair"])
    for a in (0.7, 0.99, 1.01, 1.1, 1.25, 2, 3, 10):
        ours, best = ask(page, "explorer.best(a)", a), fit_two_images(a)
        assert ours["mean"] == pytest.approx(best.mean, abs=2e-4)
        assert ours["kl"] == pytest.approx(best.kl(), abs=1e-4)
        assert ours["distortion"] == pytest.approx(best.distortion(), abs=1e-4)


def test_outputs_pass_from_the_average_to_each_its_own(open_page, figures):
    page = open_page(figures["pair"])
    first, second = pictures()[0][:2].clamp(0, 1)
    distance = (first - second).norm().item()
    noise, far = (page.get_by_role("slider", name=name) for name in ("σₓ", "distance"))
    for key, share in (("End", 0), ("Home", 1)):
        noise.press(key)
        at = state(page)
        best = fit_two_images(distance / 2 / at["noise"])
        assert at["apart"] == pytest.approx(share, abs=1e-6)
        assert at["mixUp"] == pytest.approx(best.overlap(), abs=1e-4)
        half = share * (first - second) / 2
        right = (first + second) / 2 + half
        assert (painted(page, 2) - 255 * right.flatten()).abs().max() <= 0.51
    far.press("Home")
    at = state(page)
    assert at["distance"] == pytest.approx(0.1 * distance, rel=1e-6)
    best = fit_two_images(0.05 * distance / at["noise"])
    assert at["apart"] == pytest.approx(math.tanh((best.mean / best.std) ** 2), abs=1e-3)


def test_the_point_on_the_curve_can_be_dragged(open_page, figures):
    page = open_page(figures["pair"])
    svg, before = page.get_by_role("group", name="Outputs apart"), state(page)
    drag(page, svg, (0.3, 0.5), (0.5, 0.5))
    at, distance = state(page), before["distance"]
    assert at["distance"] == distance
    right = 0.6 * distance * (0.5 * 300 - 44) / (300 - 44 - 10)
    assert at["noise"] == pytest.approx(right, rel=0.02)
    page.keyboard.press("ArrowLeft")
    assert state(page)["noise"] == pytest.approx(right - 0.02 * 0.6 * distance, rel=0.02)


# ---- Estimators of a slope


def test_the_spread_of_the_estimators_is_exact(open_page, figures):
    page, noise = open_page(figures["spread"]), torch.randn(2_000_000).double()
    for chosen, f in enumerate((torch.square, lambda z: torch.cos(5 * z))):
        page.get_by_role("radio").nth(chosen).check()
        for std, mean in ((0.5, 1.0), (1.4, -0.6)):
            page.get_by_role("slider", name="σ").fill(str(std))
            page.get_by_role("slider", name="μ").fill(str(mean))
            at = state(page)
            assert (at["std"], at["mean"], at["f"]) == (std, mean, chosen)
            z = (mean + std * noise).requires_grad_()
            (slope,) = torch.autograd.grad(f(z).sum(), z)
            value = f(z).detach()
            kinds = [slope, value * noise / std, (value - at["baseline"]) * noise / std]
            for estimates, exact in zip(kinds, at["stds"], strict=True):
                assert exact == pytest.approx(estimates.std().item(), rel=0.02)
                five = 5 * exact / len(noise) ** 0.5
                assert estimates.mean().item() == pytest.approx(at["slope"], abs=five)
            around = [
                ((value - b) * noise / std).var() for b in (at["baseline"] - 1, at["baseline"] + 1)
            ]
            assert at["stds"][2] ** 2 < min(around)


def test_the_estimates_that_are_drawn_come_from_the_draws(open_page, figures):
    page = open_page(figures["spread"])
    noise = torch.tensor(ask(page, "explorer.noise()"), dtype=torch.float64)
    assert abs(noise.mean()) < 5 / 200**0.5 and 0.8 < noise.std() < 1.2
    ours = torch.tensor(ask(page, "explorer.estimates()"), dtype=torch.float64)
    z, at = 1 + 0.5 * noise, state(page)
    right = [2 * z, z**2 * noise / 0.5, (z**2 - at["baseline"]) * noise / 0.5]
    assert torch.allclose(ours, torch.stack(right))


# ---- Models along the curve


def test_the_slider_shows_each_model(open_page, figures):
    page, stops = open_page(figures["noise"]), figures["noise"].data["stops"]
    assert [stop["std"] for stop in stops] == [0.1, 0.5, 1.0]
    assert state(page)["std"] == 0.5
    for key, index in (("Home", 0), ("ArrowRight", 1), ("End", 2)):
        page.get_by_role("slider").press(key)
        at = state(page)
        assert at["index"] == index and at["std"] == stops[index]["std"]
        assert f"KL {at['rate']:.1f} nats" in page.locator(".lf-readout").text_content()
        packed = base64.b64decode(stops[index]["pictures"])
        right = torch.tensor(list(packed)).view(8, 28, 28).permute(1, 0, 2).flatten()
        assert (painted(page, 1) - right).abs().max() == 0


def test_the_point_goes_to_the_nearest_model(open_page, figures):
    page = open_page(figures["noise"])
    dots = page.locator("svg .lf-dot")
    for index in (0, 2, 1):
        page.mouse.click(*middle_of(dots.nth(index)))
        assert state(page)["index"] == index
    for key, index in (("ArrowRight", 2), ("ArrowUp", 1), ("ArrowLeft", 0), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        assert state(page)["index"] == index


# ---- Cures for blur


@pytest.mark.parametrize("strength", [0, 0.35, 1.75])
def test_the_filter_is_torchs_in_pictures_and_numbers(open_page, figures, strength):
    page, (images, made) = open_page(figures["cures"]), answers()
    soft = made["squared error"]
    assert state(page)["name"] == "filter" and state(page)["strength"] == pytest.approx(1.2)
    page.get_by_role("slider", name="strength").fill(str(strength))
    at, around = state(page), avg_pool2d(soft, 3, 1, 1, count_include_pad=False)
    assert at["strength"] == pytest.approx(strength)
    right = torch.lerp(around, soft, 1.0 + strength)
    row = 255 * right[:8, 0].permute(1, 0, 2).flatten().clamp(0, 1)
    assert (painted(page, 1) - row).abs().max() <= 0.51
    error = mse_loss(right, images, reduction="sum").item() / 40
    assert at["error"] == pytest.approx(error, rel=1e-4)
    sharp = laplacian_variance(right).mean() / laplacian_variance(images).mean()
    assert at["sharpness"] == pytest.approx(sharp.item(), rel=1e-4)
    before = mse_loss(soft, images, reduction="sum").item() / 40
    nats = (error - before) / 0.18
    assert at["lost"] == pytest.approx(nats, rel=1e-3, abs=1e-3)
    told = page.locator(".lf-readout").text_content()
    assert f"filter, {strength:.2f} times" in told and f"{abs(nats):.1f} nats" in told


def test_a_cure_is_chosen_by_its_button_or_its_point(open_page, figures):
    page, (_, made) = open_page(figures["cures"]), answers()
    dots = page.locator("svg .lf-dot")
    for index, (name, answer) in enumerate(made.items()):
        page.get_by_label(name, exact=True).check()
        assert state(page)["name"] == name
        row = 255 * answer[:8, 0].permute(1, 0, 2).flatten().clamp(0, 1)
        assert (painted(page, 1) - row).abs().max() <= 0.51
        page.get_by_label("filter", exact=True).check()
        page.mouse.click(*middle_of(dots.nth(index)))
        at = state(page)  # where the filter is at strength 0, both are right
        assert at["name"] == name or (index, at["strength"]) == (0, 0)
        assert page.get_by_label(at["name"], exact=True).is_checked()
    page.keyboard.press("ArrowRight")  # on along the curve of the filter
    assert state(page)["name"] == "filter" and page.get_by_label("filter", exact=True).is_checked()


# ---- The gap of the bound


def test_the_bar_is_the_evidence_in_two_parts(open_page, figures):
    page = open_page(figures["gap"])
    right = Normal(0.0, 2**0.5).log_prob(torch.tensor(1.0)).item()
    true = Normal(0.5, 0.5**0.5)
    for mean, std in ((0.5, 0.2), (-1.3, 0.6), (0.5, 0.71)):
        page.get_by_role("slider", name="μ", exact=True).fill(str(mean))
        page.get_by_role("slider", name="σ").fill(str(std))
        at, gap = state(page), kl_divergence(Normal(mean, std), true).item()
        assert at["logP"] == pytest.approx(right, abs=1e-6)
        assert at["logP"] - at["bounds"][0] == pytest.approx(gap, abs=1e-5)
        assert f"Gap: {gap:.2f} nats" in page.locator(".lf-readout").text_content()
        elbo, _, lost = page.locator("svg").last.locator("g[clip-path] rect").all()
        share = min(gap / 3.5, 1)  # of the nats that are shown
        wide = [float(part.get_attribute("width")) for part in (elbo, lost)]
        assert wide[1] / sum(wide) == pytest.approx(share, abs=0.01)


def test_draws_close_the_gap_of_a_wide_q_and_not_of_one_that_misses_a_hump(open_page, figures):
    page = open_page(figures["two humps"])
    z = torch.linspace(-6, 6, 6001, dtype=torch.float64)

    def joint(z):
        return Normal(0.0, 1.0).log_prob(z) + Normal(z**2, 0.5).log_prob(torch.tensor(1.5))

    right = torch.trapezoid(joint(z).exp(), z).log().item()
    told = []
    for mean, std in ((1.1, 0.22), (0.0, 0.75), (-1.0, 1.3)):
        page.get_by_role("slider", name="μ", exact=True).fill(str(mean))
        page.get_by_role("slider", name="σ").fill(str(std))
        q = Normal(torch.tensor(mean, dtype=torch.float64), std)
        for stop, draws in ((0, 1), (3, 10), (6, 100)):
            page.get_by_role("slider", name="number K").fill(str(stop))
            at, drawn = state(page), q.sample((draws, 20_000))
            assert (at["draws"], at["logP"]) == (draws, pytest.approx(right, abs=1e-6))
            bounds = (joint(drawn) - q.log_prob(drawn)).logsumexp(0) - math.log(draws)
            five = 5 * bounds.std().item() / 20_000**0.5
            assert at["bounds"][stop] == pytest.approx(bounds.mean().item(), abs=five)
            assert f"Gap: {right - at['bounds'][stop]:.2f}" in page.locator(
                ".lf-readout"
            ).text_content().replace("−", "-")
            told.append(right - at["bounds"][stop])
    assert told[2] == pytest.approx(math.log(2), abs=0.02) and told[5] < 0.02


def test_the_top_of_q_is_dragged_and_moved_by_keys(open_page, figures):
    page = open_page(figures["two humps"])
    svg = page.get_by_role("group", name="q over the true")
    drag(page, svg, (0.6, 0.4), (0.5, 0.6))
    at, (x, y) = state(page), (0.5 * 300, 0.6 * 200)
    mean = 5 * (x - 44) / (300 - 44 - 10) - 2.5
    peak = 2.4 * (1 - (y - 8) / (200 - 36 - 8))
    assert at["mean"] == pytest.approx(mean, abs=0.03)
    assert at["std"] == pytest.approx(1 / (peak * math.sqrt(2 * math.pi)), rel=0.03)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    moved = state(page)
    assert moved["std"] < at["std"] and moved["mean"] == pytest.approx(at["mean"] - 0.1)


# ---- The noise that a loss stands for


def on_canvas(pixels, pictures):
    """The pictures as they stand on a canvas of so many pixels, colours included."""
    if pixels == 196:
        return avg_pool2d(pictures, 2)
    if pixels == 784:
        return pictures
    times = 1 if pixels == 3_072 else 2
    large = pictures.repeat_interleave(times, 2).repeat_interleave(times, 3)
    return pad(large, [2 * times] * 4).expand(-1, 3, -1, -1)


def slopes(model, loss):
    torch.manual_seed(2)  # the same draws of z
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss(), model.parameters())])


@pytest.mark.parametrize(
    "pixels, reduce, c, beta",
    [(784, "mean", 1, 1), (196, "sum", 0.5, 4), (3_072, "mean", 6_000, 1), (12_288, "sum", 2, 0.1)],
)
def test_the_noise_is_that_of_the_elbo_with_the_same_slopes(
    open_page, figures, pixels, reduce, c, beta
):
    page = open_page(figures["calculator"])
    page.get_by_label(str(pixels), exact=True).check()
    page.get_by_label(f"{reduce} over D").check()
    page.get_by_role("slider", name="c, the").fill(str(math.log10(c)))
    page.get_by_role("slider", name="β, the").fill(str(math.log10(beta)))
    at, x = state(page), on_canvas(pixels, blobs()[:20]).double()
    assert (at["pixels"], at["reduce"], at["c"], at["beta"]) == (pixels, reduce, c, beta)
    vae = VAE(x.shape[1:], 3, hidden=(4,), std=at["std"]).double()

    def theirs():
        mean, log_std = vae.encode(x)
        z, q = mean + log_std.exp() * torch.randn_like(mean), Normal(mean, log_std.exp())
        mean, kl = vae.decode(z).mean, kl_divergence(q, Normal(0.0, 1.0))
        squares = mse_loss(mean, x) if reduce == "mean" else mse_loss(mean, x, reduction="sum") / 20
        return c * squares + beta * kl.sum(1).mean()

    found = slopes(vae, theirs) / beta
    right = slopes(vae, lambda: -vae.elbo(x).total.mean())
    assert (found - right).norm() / right.norm() < 1e-6
    assert f"σₓ is {at['std']:.3g}" in page.locator(".lf-readout").text_content()


@pytest.mark.parametrize("pixels", [196, 784, 3_072, 12_288])
def test_as_many_latents_live_as_directions_vary_more_than_the_noise(open_page, figures, pixels):
    page = open_page(figures["calculator"])
    page.get_by_label(str(pixels), exact=True).check()
    page.get_by_label("sum over D").check()
    x = on_canvas(pixels, blobs()).flatten(1).double()
    variances = torch.linalg.svdvals(x - x.mean(0)).square() / len(x)
    seen = set()
    for power in (-1, 0, 1, 3):
        page.get_by_role("slider", name="c, the").fill(str(power))
        at = state(page)
        seen.add(living := (variances > at["variance"]).sum().item())
        assert at["living"] == living
        shown = page.locator(".lf-bars").first.get_attribute("d").count("Z")
        assert shown == min(living, 40)
    assert len(seen) >= 3


def test_a_latent_that_lives_raises_the_likelihood_and_another_does_not(open_page, figures):
    page = open_page(figures["calculator"])
    page.get_by_label("196", exact=True).check()
    page.get_by_role("slider", name="c, the").fill("2.2")
    at, x = state(page), on_canvas(196, blobs()).flatten(1).double()
    living, centre = at["living"], x.mean(0)
    assert 0 < living < 20
    directions = torch.linalg.svd(x - centre, full_matrices=False).Vh
    for j in range(living + 3):
        weak = 0.01 * at["std"] * directions[j, :, None]
        bounds = [
            LinearVAE(w, centre, at["variance"]).log_marginal(x).mean() for w in (weak, 0 * weak)
        ]
        assert (bounds[0] > bounds[1]) == (j < living)


@pytest.mark.parametrize("pixels", [196, 12_288])
def test_what_the_loss_expects_is_the_picture_and_noise_of_its_size(open_page, figures, pixels):
    page = open_page(figures["calculator"])
    noise = torch.tensor(ask(page, "explorer.noise()"))
    assert (
        Normal(0.0, 1.0).cdf(noise.sort().values).sub(torch.linspace(0, 1, len(noise))).abs().max()
        < 1.7 / len(noise) ** 0.5
    )  # Kolmogorov and Smirnov
    page.get_by_label(str(pixels), exact=True).check()
    page.get_by_role("slider", name="c, the").fill("4.5")
    std, x = state(page)["std"], on_canvas(pixels, blobs()[:2])
    assert 0.03 < std < 0.5
    noise = noise[: x.numel()].view(2, *x.shape[2:], x.shape[1])  # colours last
    for i in range(2):
        assert (painted(page, 2 * i) - 255 * x[i, 0].flatten()).abs().max() <= 1
        right = 255 * (x[i, 0] + std * noise[i, :, :, 0]).clamp(0, 1)
        assert (painted(page, 2 * i + 1) - right.flatten()).abs().max() <= 1


def test_the_line_of_the_noise_can_be_dragged(open_page, figures):
    page = open_page(figures["calculator"])
    svg = page.get_by_role("group", name="Variances")
    assert state(page)["variance"] == 392  # of the plain mean squared error
    drag(page, svg, (0.4, 0.3), (0.4, 0.6))
    power = 4 - 7 * (0.6 * 240 - 8) / (240 - 36 - 8)
    at = state(page)
    assert math.log10(at["variance"]) == pytest.approx(power, abs=0.05)
    assert at["variance"] == pytest.approx(392 / at["c"])
    page.keyboard.press("ArrowDown")
    assert state(page)["c"] == pytest.approx(at["c"] * 10**0.1, rel=0.05)
    assert "mean of squares" in page.locator(".lf-title").first.text_content()


def test_a_calculator_starts_where_it_is_told(open_page):
    page = open_page(
        explorer.loss_calculator(blobs(), caption="c", pixels=12_288, reduce="sum", c=3, beta=0.002)
    )
    at = state(page)
    assert (at["pixels"], at["reduce"], at["c"], at["beta"]) == (12_288, "sum", 3, 0.002)
    assert at["variance"] == pytest.approx(0.002 / 6)
    assert page.get_by_label("12288").is_checked() and page.get_by_label("sum over D").is_checked()


# ---- Water over the eigenvalues


@pytest.mark.parametrize("power", [-2.4, -1, -0.3, 0.5])
def test_the_water_makes_the_best_linear_vae(open_page, figures, power):
    page, x = open_page(figures["water"]), avg_pool2d(blobs(), 4).flatten(1).double()
    page.get_by_role("slider").fill(str(power))
    at = state(page)
    assert at["level"] == pytest.approx(10**power)
    best = fit_linear_vae(x, 49, at["level"])
    known, columns = linear_rate_distortion(best, x), best.weight.norm(dim=0)
    assert at["rate"] == pytest.approx(known.rate, rel=1e-4, abs=1e-6)
    assert at["distortion"] == pytest.approx(known.distortion, rel=1e-4)
    assert at["living"] == (columns > 1e-9).sum()
    assert page.locator(".lf-bars").first.get_attribute("d").count("Z") == at["living"]
    right = (best.posterior(x[:8]).mean @ best.weight.T + best.bias).view(8, 7, 7)
    right = 255 * right.permute(1, 0, 2).flatten().clamp(0, 1)
    assert (painted(page, 1) - right).abs().max() <= 2
    painters = painted(page, 2).view(7, 8, 7).permute(1, 0, 2).flatten(1) / 127.5 - 1
    for painter, column in zip(painters, best.weight.T, strict=False):
        if (length := column.norm()) > 0.1:
            assert painter.norm() / painters[0].norm() == pytest.approx(
                (length / columns[0]).item(), abs=0.03
            )
            assert (painter @ column.float()).abs() / painter.norm() / length > 0.99
        elif length == 0:
            assert painter.abs().max() < 0.01


def test_water_and_curve_can_be_dragged(open_page, figures):
    page = open_page(figures["water"])
    assert state(page)["level"] == 1
    drag(page, page.get_by_role("group", name="Eigenvalues under"), (0.5, 0.3), (0.5, 0.6))
    power = 0.5 - 3 * (0.6 * 220 - 8) / (220 - 36 - 8)
    assert math.log10(state(page)["level"]) == pytest.approx(power, abs=0.02)
    page.keyboard.press("ArrowUp")
    assert math.log10(state(page)["level"]) == pytest.approx(power + 0.05, abs=0.02)
    total = avg_pool2d(blobs(), 4).flatten(1).var(0, correction=0).sum().item()
    drag(page, page.get_by_role("group", name="Rate against"), (0.8, 0.5), (0.5, 0.5))
    lost = 1.05 * total * (0.5 * 300 - 44) / (300 - 44 - 10)
    assert state(page)["distortion"] == pytest.approx(lost, rel=0.02)
    before = state(page)
    page.keyboard.press("ArrowRight")  # along the curve: more is lost
    after = state(page)
    assert after["distortion"] > before["distortion"] and after["rate"] < before["rate"]


def test_all_latents_drown_and_every_picture_comes_out_the_same(open_page, figures):
    page = open_page(figures["water"])
    page.get_by_role("slider").press("End")
    total = avg_pool2d(blobs(), 4).flatten(1).var(0, correction=0).sum().item()
    at = state(page)
    assert (at["living"], at["rate"]) == (0, 0)
    assert at["distortion"] == pytest.approx(total, rel=1e-5)
    sheet = painted(page, 1).view(7, 8, 7)
    assert (sheet == sheet[:, :1]).all()
    assert "all latents have drowned" in page.locator(".lf-readout").text_content()


def test_other_models_stand_where_they_were_measured(open_page, figures):
    page = open_page(figures["water"])
    plane = page.get_by_role("group", name="Rate against")
    total = avg_pool2d(blobs(), 4).flatten(1).var(0, correction=0).sum().item()
    dots = plane.locator(".lf-dot")
    assert dots.count() == 2
    for i, point in enumerate(OTHERS["another VAE"]):
        x = (float(dots.nth(i).get_attribute("cx")) - 44) / (300 - 44 - 10)
        assert 1.05 * total * x == pytest.approx(point.distortion, rel=1e-3)
        y = (220 - 36 - float(dots.nth(i).get_attribute("cy"))) / (220 - 36 - 8)
        page.get_by_role("slider").press("Home")
        assert 1.05 * state(page)["rate"] * y == pytest.approx(point.rate, rel=1e-3)
    assert plane.locator("text", has_text="another VAE").count() == 1


# ---- What may have sent z


@pytest.mark.parametrize("place", [None, (0.45, 0.4)])
def test_the_weights_are_the_probabilities_of_who_sent_z(open_page, figures, place):
    (images, labels), vae = senders(), narrow_vae()
    page = open_page(figures["average"])
    if place:
        drag(page, page.get_by_role("group", name="Plane"), (0.5, 0.5), place)
    at, (mean, log_std) = state(page), vae.encode(images)
    z = torch.tensor(at["z"], dtype=torch.float64)
    log_q = Independent(Normal(mean.double(), log_std.double().exp()), 1).log_prob(z)
    weights = Categorical(logits=log_q)
    assert at["number"] == pytest.approx(weights.entropy().exp().item(), rel=1e-3)
    assert 1.2 < at["number"] < 60
    largest = weights.probs.topk(6)
    assert at["weights"] == pytest.approx(largest.values.tolist(), abs=1e-3)
    assert weights.probs[at["largest"]].tolist() == pytest.approx(at["weights"], abs=1e-3)
    text = page.locator(".lf-readout").text_content()
    assert f"eᴴ = {at['number']:.1f} of 120" in text
    likeliest = torch.bincount(labels, weights.probs).max()
    assert f"{100 * likeliest:.0f} % a" in text
    first = images[at["largest"][0]].flatten()
    assert (painted(page, 0) - 255 * first).abs().max() <= 255 / 30 + 1  # four bits
    average = (weights.probs[:, None] * images.flatten(1).double()).sum(0)
    assert (painted(page, 6) - 255 * average).abs().max() <= 255 / 30 + 1
    assert (painted(page, 6) - 255 * average).abs().mean() <= 4
    decoded = vae.decode(z.float()[None]).mean.flatten()
    assert (painted(page, 7) - 255 * decoded.clamp(0, 1)).abs().max() <= 1.04


def test_rings_are_round_the_codes_and_as_wide_as_the_weights(open_page, figures):
    page = open_page(figures["average"])
    page.get_by_role("slider", name="z₁").fill("0.2")
    page.get_by_role("slider", name="z₂").fill("-0.4")
    at, codes = state(page), narrow_vae().encode(senders()[0]).mean
    assert at["z"] == pytest.approx([0.2, -0.4], abs=0.03)
    rings = page.locator("svg .lf-open")
    middle, half = figures["average"].data["middle"], figures["average"].data["half"]
    for ring, i, weight in zip(rings.all(), at["largest"], at["weights"], strict=True):
        x, y, r = (float(ring.get_attribute(name)) for name in ("cx", "cy", "r"))
        assert r == pytest.approx(2 + 14 * weight**0.5)
        inner = (x - 44) / (300 - 44 - 10), (270 - 36 - y) / (270 - 36 - 8)
        found = [m + half * (2 * share - 1) for m, share in zip(middle, inner, strict=True)]
        assert found == pytest.approx(codes[i].tolist(), abs=1e-2)
    shares = page.locator(".lf-share").all_text_contents()
    assert shares == [f"{100 * weight:.0f} %" for weight in at["weights"]]


def test_it_starts_where_it_is_most_in_doubt(open_page, figures):
    page = open_page(figures["average"])

    def doubt():  # of the label
        question = "(root) => root.querySelector('.lf-readout').textContent"
        text = page.locator(".course-live").evaluate(question)
        return max(int(share) for share in re.findall(r"(\d+) % a", text))

    first = doubt()
    for z in (-1.2, -0.8, 0.8, 1.2):
        page.get_by_role("slider", name="z₁").fill(str(z))
        assert doubt() >= first


# ---- A smile that is asked for


def sheet_of(figure):
    """Red values of each picture on the sheet, in its order: (60, 64 · 64)."""
    with Image.open(io.BytesIO(base64.b64decode(figure.data["sheet"]))) as sheet:
        red = torch.frombuffer(bytearray(sheet.convert("RGB").tobytes()), dtype=torch.uint8)[::3]
    return red.view(12, 64, 5, 64).permute(0, 2, 1, 3).reshape(60, -1).float()


def leans(page, mark):
    """The smile at which a mark of the dial stands, by its angle."""
    if mark == "needle":
        path = page.locator("svg path.lf-two").get_attribute("d")
        x, y = map(float, path.split("L")[1].split(","))
    else:
        ring = page.locator("svg .lf-open")
        x, y = (float(ring.get_attribute(name)) for name in ("cx", "cy"))
    return 1.25 * (1 - 2 * math.atan2(140 - y, x - 150) / math.pi)


def test_faces_needle_and_ring_are_those_of_what_is_asked(open_page, figures):
    figure = figures["smile"]
    page, sheet, read = open_page(figure), sheet_of(figure), figure.data["read"]
    assert state(page)["asked"] == 0 and state(page)["now"] == list(figure.data["start"])
    page.wait_for_function(
        "document.querySelector('canvas').getContext('2d').getImageData(9, 9, 1, 1).data[3]"
    )
    smile, turn = (page.get_by_role("slider", name=name) for name in ("smile", "turn"))
    for keys, worn in (("Home End", 0), ("End Home", 1), ("ArrowLeft ArrowRight", 1)):
        for slider, key in zip((smile, turn), keys.split(), strict=True):
            slider.press(key)
        page.get_by_label("glasses", exact=True).nth(0).check() if worn else page.get_by_label(
            "no glasses"
        ).check()
        at = [int(slider.input_value()) for slider in (smile, turn)]
        assert state(page)["now"] == [*at, worn]
        place = 15 * worn + 5 * at[1] + at[0]
        for index, kind in enumerate(("decoded", "painted")):
            assert (painted(page, index) - sheet[30 * index + place]).abs().max() <= 3
            assert leans(page, ("needle", "ring")[index]) == pytest.approx(
                max(-1.25, min(read[kind][place], 1.25)), abs=2e-3
            )
            seen = f"{read[kind][place]:.2f}".replace("-", "−")
            assert f"{seen} {kind}" in page.locator(".lf-readout").text_content()
        asked = f"{STOPS['smile'][at[0]]:.1f}".replace("-", "−")
        assert f"smile {asked}," in page.locator(".lf-readout").text_content()


def test_on_a_phone_a_tap_on_the_slider_turns_the_head(on_a_phone, figures):
    page = on_a_phone(figures["smile"])
    before, slider = state(page), page.get_by_role("slider", name="turn")
    box = slider.bounding_box()
    other = 0.02 if before["now"][1] else 0.98
    page.touchscreen.tap(box["x"] + other * box["width"], box["y"] + box["height"] / 2)
    assert state(page)["now"] == [before["now"][0], 2 - before["now"][1], before["now"][2]]
    assert page.locator("canvas").first.is_visible()


# ---- The ladder of priors


def ringed(page):
    """Which picture on the sheet has the white frame, by the pixels of its frame."""
    cells = painted(page, 0).view(3, 16, 8, 16).permute(0, 2, 1, 3).reshape(24, 16, 16)
    (found,) = (cells[:, 0] == 255).all(1).nonzero().flatten().tolist()
    return found, cells[:, 1:-1, 1:-1].flatten(1).float() / 255


def points_of(page, kind):
    """The points of a path, in the numbers of the axes: (n, 2)."""
    path = page.locator(f"svg path.lf-dots.lf-{kind}").get_attribute("d")
    return torch.tensor(
        [[float(v) for v in xy] for xy in re.findall(r"M([\d.-]+),([\d.-]+)h0", path)]
    )


def test_each_prior_shows_its_draws_and_what_is_decoded(open_page, figures):
    page, (vae, codes, rungs, directions) = open_page(figures["ladder"]), ladder()
    assert state(page)["rung"] == "full Gaussian"  # where it starts
    grey = points_of(page, "soft")
    for name, rung in rungs.items():
        page.get_by_label(name, exact=True).check()
        picked, pictures = ringed(page)
        assert picked == state(page)["draw"] == 0
        right = vae.decode(rung.draws[:24]).mean.flatten(1).clamp(0, 1)
        assert (pictures - right).abs().max() <= 1 / 30 + 1 / 255
        # Codes and draws on one scale: the same linear map takes both to the screen.
        shown, there = points_of(page, "two"), torch.cat([codes, rung.draws]) @ directions
        seen = torch.cat([grey, shown])
        for axis in (0, 1):
            assert torch.corrcoef(torch.stack([seen[:, axis], there[:, axis]]))[0, 1].abs() > 0.9999
        text = page.locator(".lf-readout").text_content()
        nats = f"{rung.nats:+.2f}".replace("-", "−")
        first = "" if name == "N(0, I)" else " (N(0, I): 31 %)"
        share = f"{100 * rung.unanimous:.0f} % of draws unanimous{first}"
        assert text.startswith(f"{name}: {nats} ± 0.02 nats; {share}; ")
        assert f"{rung.kinds:.1f} kinds" in text


def test_a_draw_is_picked_by_keys_in_the_plane_and_among_the_pictures(open_page, figures):
    page, (_, _, rungs, directions) = open_page(figures["ladder"]), ladder()
    places = rungs["full Gaussian"].draws[:24] @ directions
    page.get_by_role("slider", name="draw").press("End")
    assert ringed(page)[0] == 23
    page.get_by_role("application").press("ArrowLeft")
    assert ringed(page)[0] == 22
    assert state(page)["place"] == pytest.approx(places[22].tolist(), abs=0.02)
    sheet = page.locator("canvas").first
    box = sheet.bounding_box()
    sheet.click(position={"x": 2.5 / 8 * box["width"], "y": 1.5 / 3 * box["height"]})
    assert ringed(page)[0] == 10
    svg = page.locator("svg")
    drag(page, svg, (0.5, 0.5), (0.9, 0.1))
    corner = places @ torch.tensor([1.0, 1.0])
    picked = state(page)["draw"]
    assert corner[picked] >= corner.sort().values[-4]  # one of those up and to the right


# ---- All of them


@pytest.mark.parametrize("kind", KINDS)
def test_a_moves_script_is_fast(open_page, figures, kind, record_property):
    page = open_page(figures[kind])
    times = ask(page, SWEEP)
    median, slowest = statistics.median(times[20:]), max(times[20:])
    text = f"a move of the figure {kind}: median {median:.2f} ms of script, slowest {slowest:.2f}"
    record_property("table", text)
    assert median < FAST


def test_without_scripts_and_in_print_stands_the_still(open_page, figures):
    page = open_page(*figures.values(), java_script_enabled=False)
    for live, still in zip(
        page.locator(".lf-stage").all(), page.locator(".lf-still").all(), strict=True
    ):
        assert still.is_visible() and not live.is_visible()
        assert still.get_attribute("alt")
    page = open_page(*figures.values())
    for media, seen in (("screen", True), ("print", False)):
        page.emulate_media(media=media)
        assert [live.is_visible() for live in page.locator(".lf-stage").all()] == [seen] * len(
            figures
        )
        assert [s.is_visible() for s in page.locator(".lf-still").all()] == [not seen] * len(
            figures
        )


# All within one task of the page, so that a slow machine makes no pause of its own.
MOVES = """(slider) => {
  const spoken = [...document.querySelectorAll('[aria-live="polite"]')].at(-1);
  const before = spoken.textContent, end = slider.value === slider.min;
  for (let k = 0; k < 8; k++) {
    end ? slider.stepUp() : slider.stepDown();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
  return [before, spoken.textContent];
}"""


def test_a_screen_reader_hears_the_state_once_moves_pause(open_page, figures):
    for figure in figures.values():
        page = open_page(figure)
        page.wait_for_timeout(700)
        before, while_it_moves = page.get_by_role("slider").last.evaluate(MOVES)
        assert while_it_moves == before
        shown = page.locator(".lf-readout").last.text_content()
        page.wait_for_function(
            "said => said && [...document.querySelectorAll('[aria-live=polite]')].at(-1)"
            ".textContent === said",
            arg=shown,
            timeout=5_000,
        )


PHONES = [{"width": 390, "height": 844}, {"width": 360, "height": 740}]
COLUMN = {"width": 718, "height": 900}  # in which a book has its text on a laptop
# Names and numbers of a plot that lie on one another, as far as their ink goes.
OVERLAPS = """() => [...document.querySelectorAll(".lf-stage svg")].flatMap((svg) => {
  const boxes = [...svg.querySelectorAll("text")].filter((e) => e.textContent.trim()).map((e) => {
    const { left, right, top, bottom, height } = e.getBoundingClientRect(), rim = 0.2 * height;
    const turned = e.getAttribute("transform")?.includes("rotate");
    return turned ? { e, left: left + rim / 4, right: right - rim / 4, top, bottom }
      : { e, left, right, top: top + rim, bottom: bottom - rim };
  });
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1.5 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1.5 &&
    !(a.e.matches(".lf-digit") && b.e.matches(".lf-digit"))) // classes may share a place
    .map((b) => [a.e.textContent, b.e.textContent].join(" / ")));
})"""
# Fillers, so that the page can scroll either way from where a figure is.
IN_THE_MIDDLE = """() => {
  document.body.style.padding = "2000px 16px";
  document.querySelector(".course-live").scrollIntoView({block: "center"});
}"""


@pytest.fixture
def on_a_phone(open_page):
    """A figure in the middle of a long page, on a screen that is touched."""

    def open_(figure, size=PHONES[0]):
        page = open_page(figure, viewport=size, has_touch=True, is_mobile=True)
        page.evaluate(IN_THE_MIDDLE)
        return page

    return open_


def middle_of(place):
    box = place.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("kind", ["plane", "bowl"])
@pytest.mark.parametrize("way", [(-35, -35), (35, 35), (-35, 35)], ids=str)
def test_a_finger_takes_the_point_along_and_the_page_stays(on_a_phone, figures, kind, way):
    page = on_a_phone(figures[kind])
    page.touchscreen.tap(*middle_of(page.locator("svg").first))  # room on all sides
    ring, scrolled = page.locator(".lf-handle .lf-ring").first, page.evaluate("scrollY")
    start = middle_of(ring)
    swipe(page, start, [a + b for a, b in zip(start, way, strict=True)])
    gone = [a - b for a, b in zip(middle_of(ring), start, strict=True)]
    assert gone == pytest.approx(way, abs=2)
    assert page.evaluate("scrollY") == scrolled


@pytest.mark.parametrize("kind, way", [("calculator", 30), ("water", 60), ("average", -30)])
def test_a_finger_takes_a_line_along_and_the_page_stays(on_a_phone, figures, kind, way):
    page = on_a_phone(figures[kind])
    ring, scrolled = page.locator(".lf-handle .lf-ring").first, page.evaluate("scrollY")
    x, y = middle_of(ring)
    swipe(page, (x, y), (x, y + way))
    assert middle_of(ring)[1] - y == pytest.approx(way, abs=3)
    assert page.evaluate("scrollY") == scrolled


def test_a_finger_beside_the_point_scrolls_the_page_and_a_tap_moves_the_point(on_a_phone, figures):
    page = on_a_phone(figures["plane"])
    (x, y), before = middle_of(page.locator("svg").first), state(page)
    beside = x + 40, y + 40
    for up in (-100, 100):
        scrolled = page.evaluate("scrollY")
        swipe(page, beside, (beside[0], beside[1] + up))
        assert page.evaluate("scrollY") - scrolled == pytest.approx(-up, abs=30)
        assert state(page) == before
    page.touchscreen.tap(*beside)
    page.wait_for_timeout(50)
    assert middle_of(page.locator(".lf-handle .lf-ring").first) == pytest.approx(beside, abs=2)


@pytest.mark.parametrize("size", PHONES, ids=lambda size: f"{size['width']} pixels")
@pytest.mark.parametrize("kind", [*KINDS, "live VAE"])
def test_on_a_phone_a_figure_and_its_controls_are_on_one_screen(on_a_phone, figures, kind, size):
    page = on_a_phone(figures[kind], size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    bars = 100  # of the browser and of the page
    assert page.locator(".lf-stage").bounding_box()["height"] <= size["height"] - bars
    assert page.evaluate(SMALLEST_TYPE) >= 10


@pytest.mark.parametrize("kind", [*KINDS, "live VAE"])
def test_lettering_can_be_read_and_lies_on_no_other(open_page, on_a_phone, figures, kind):
    for page in (open_page(figures[kind], viewport=COLUMN), on_a_phone(figures[kind])):
        assert page.evaluate(SMALLEST_TYPE) >= 10
        assert page.evaluate(OVERLAPS) == []


def swipe(page, start, end):
    client = page.context.new_cdp_session(page)
    for share in range(11):
        x, y = (a + (b - a) * share / 10 for a, b in zip(start, end, strict=True))
        kind = "touchMove" if share else "touchStart"
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        page.wait_for_timeout(16)
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    before = None
    while (now := page.evaluate("scrollY")) != before:  # the page glides on for a moment
        before = now
        page.wait_for_timeout(300)


def test_figures_run_in_jupyterlab_twice_over_and_in_colab(open_page, figures):
    page = open_page(text="<!doctype html><title>t</title><body></body>")
    for figure in figures.values():
        text = figure._repr_html_()
        page.evaluate(JUPYTERLAB, text)
        page.evaluate(JUPYTERLAB, text)  # a second view of the same output, with the same id
        page.evaluate(COLAB, "<!doctype html>" + text)
    live = page.locator(".course-live.lf-on")
    assert live.count() == 2 * len(figures)
    assert live.evaluate_all("all => all.every(one => one.explorer.state())")
    for frame in page.frames[1:]:
        frame.wait_for_selector(".course-live.lf-on .lf-stage")
        assert frame.evaluate("!!document.querySelector('.course-live').explorer.state()")


def test_no_globals(open_page, figures):
    empty = open_page(text="<!doctype html><title>t</title><body></body>")
    names = "Object.getOwnPropertyNames(window).filter(n => !/^live-|^\\d/.test(n)).sort()"
    assert open_page(*figures.values()).evaluate(names) == empty.evaluate(names)


@pytest.mark.parametrize(
    "mark, scheme, dark",
    [
        ("document.documentElement.dataset.theme = 'dark'", "light", True),  # the book
        ("document.documentElement.dataset.theme = 'light'", "dark", False),
        ("document.body.dataset.jpThemeLight = 'false'", "light", True),  # JupyterLab
        ("document.body.dataset.jpThemeLight = 'true'", "dark", False),
        ("document.documentElement.setAttribute('theme', 'dark')", "light", True),  # Colab
        ("0", "dark", True),
        ("0", "light", False),
    ],
)
def test_colours_follow_the_page_and_can_be_read(open_page, mark, scheme, dark):
    page = open_page(explorer.kl_bowl(), color_scheme=scheme)
    page.evaluate(mark)
    look = "([s, p]) => getComputedStyle(document.querySelector(s))[p]"
    paper = page.evaluate(look, [".course-live", "backgroundColor"])
    assert (luminance(paper) < 0.1) == dark
    for selector, part, least in (
        ("figcaption", "color", 4.5),
        (".lf-readout", "color", 4.5),
        ("svg text", "fill", 4.5),
        ("svg .lf-curve.lf-plain", "stroke", 3),
        ("svg .lf-curve.lf-two", "stroke", 3),
        ("svg .lf-handle .lf-ring", "stroke", 3),
    ):
        light, deep = sorted((luminance(paper), luminance(page.evaluate(look, [selector, part]))))[
            ::-1
        ]
        assert (light + 0.05) / (deep + 0.05) >= least, selector


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)" (WCAG 2.1)."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
