import base64
import io
import json
import math
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from vae_course import explorer, plotting
from vae_course.data.drawn.faces import render_faces, sample_factors
from vae_course.evaluation import active_units, kl_per_latent
from vae_course.evaluation.factor_reader import fit_reader
from vae_course.exact import fit_two_images, quadrature_bound
from vae_course.explorer import gap, network, packing, pair, plane, smile
from vae_course.models import VAE, Autoencoder
from vae_course.objectives import Gaussian

ROOT = Path(__file__).parents[1]
IMAGES = torch.rand(60, 1, 6, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(60) % 10
NASTY = 'a "quote" & </script><script>alert(1)</script> <!-- é'


def small(kind=Autoencoder, latent_dim=2, **options):
    return kind((1, 6, 5), latent_dim, hidden=(8,), **options).eval().requires_grad_(False)


def latent_plane(name="AE", caption="c"):
    return explorer.latent_plane({name: small()}, IMAGES, LABELS, caption=caption)


def best_picture(vae=None, images=IMAGES, labels=LABELS):
    return explorer.best_picture(vae or small(VAE), images, labels, caption="c")


def loss_calculator(images=None, **options):
    images = torch.rand(40, 1, 28, 28, generator=torch.Generator()) if images is None else images
    return explorer.loss_calculator(images, caption="c", **options)


def noise_slider(caption="c"):
    models = {std: small(VAE, 3, std=std) for std in (1.0, 0.1)}
    return explorer.noise_slider(models, IMAGES, caption=caption)


FACES = sample_factors(2, seed=0, split="test")
NAMES = list(FACES)
CODES = torch.stack([values.float() for values in FACES.values()], 1)  # a code is the factors
ONE_UNIT = {name: torch.eye(len(NAMES))[NAMES.index(name)] for name in smile.STOPS}


def factors_of(codes):
    factors = dict(zip(NAMES, codes.unbind(1), strict=True))
    return factors | {"glasses": factors["glasses"].round().long()}


class Painter:
    """A decoder that knows the factors, and smiles as it likes."""

    def __init__(self, likes):
        self.likes = likes

    def decode(self, codes):
        factors = factors_of(codes)
        return Gaussian(render_faces(factors | {"smile": self.likes(factors)}), torch.zeros(1))


def all_states(n=2):
    """Faces in every state of the figure, smiles fastest: factors of (states · n,)."""
    states = torch.cartesian_prod(*(torch.tensor(v).float() for v in smile.STOPS.values()))
    codes = CODES[:n].repeat(len(states), 1)
    for name, values in zip(smile.STOPS, states.T, strict=True):
        codes[:, NAMES.index(name)] = values.repeat_interleave(n)
    return factors_of(codes)


@cache
def exact_reader():
    """As many equations as unknowns: exact on these faces, whatever smile a painter likes."""
    likes = [like for like, _ in PAINTERS.values()]
    wear = [factors | {"smile": like(factors)} for like in likes for factors in [all_states()]]
    factors = {name: torch.cat([some[name] for some in wear]) for name in NAMES}
    return fit_reader(render_faces(factors), factors, ridge=1e-8)


def smiles_read(likes, directions=ONE_UNIT):
    """What the reader sees of a painter that is asked for each state."""
    return smile.in_every_state(Painter(likes), exact_reader(), CODES, directions, FACES)[1]


def asked_smile(likes=lambda factors: 0.6 * factors["smile"], directions=ONE_UNIT):
    return explorer.asked_smile(
        Painter(likes), exact_reader(), CODES, directions, FACES, caption="c"
    )


# What a painter does with the factors, and what must be seen for a smile and a turn.
PAINTERS = {
    "all": (lambda f: f["smile"], lambda smile, turn: smile),
    "60 %": (lambda f: 0.6 * f["smile"], lambda smile, turn: 0.6 * smile),
    "none": (lambda f: 0 * f["smile"], lambda smile, turn: 0),
    "a turn smiles": (
        lambda f: 0.5 * f["smile"] + 0.3 * f["turn"].abs(),
        lambda smile, turn: 0.5 * smile + (0.24 if turn else 0),
    ),
    "each its own": (
        lambda f: f["skin"] * f["smile"],
        lambda smile, turn: (FACES["skin"][0] + FACES["skin"][1]).item() / 2 * smile,
    ),
}

SOFT = F.interpolate(F.avg_pool2d(IMAGES, 2, 2), (6, 5)) + 0.05
CURES = {"soft": SOFT, "off": 1 - IMAGES, "as they are": IMAGES}


def cures(images=IMAGES, answers=CURES, strength=1.5, std=0.3):
    return explorer.cures(images, answers, strength=strength, std=std, caption="c")


def prior_ladder(start="wide", **options):
    g = torch.Generator().manual_seed(0)
    rungs = {
        name: explorer.Rung(width * torch.randn(40, 3, generator=g), nats, 0.02, 0.3, 7.9)
        for name, width, nats in (("narrow", 0.5, -0.2), ("wide", 2.0, 1.3))
    }
    codes = torch.randn(60, 3, generator=g)
    given = {
        "model": small(VAE, 3),
        "codes": codes,
        "rungs": rungs,
        "directions": torch.eye(3)[:, :2],
    }
    return explorer.prior_ladder(**given | options, start=start, caption="c")


EVERY = {
    "cures": cures,
    "prior_ladder": prior_ladder,
    "latent_plane": latent_plane,
    "loss_calculator": loss_calculator,
    "noise_slider": noise_slider,
    "best_picture": best_picture,
    "water_level": lambda: explorer.water_level(IMAGES, caption="c"),
    "two_images": lambda: explorer.two_images(*IMAGES[:2], caption="c"),
    "kl_bowl": explorer.kl_bowl,
    "edge_blur": explorer.edge_blur,
    "gradient_spread": explorer.gradient_spread,
    "elbo_gap": explorer.elbo_gap,
    "elbo_gap_of_two": lambda: explorer.elbo_gap(humps=2),
    "playground": explorer.playground,
    "asked_smile": asked_smile,
}


MAKE_NETWORKS = {
    "latent_plane",
    "noise_slider",
    "best_picture",
    "prior_ladder",
}  # which draws their weights


@pytest.fixture(scope="module", params=EVERY)
def figure(request):
    """Made once; the caller's random numbers stay as they are."""
    before = torch.get_rng_state()
    made = EVERY[request.param]()
    assert request.param in MAKE_NETWORKS or torch.equal(torch.get_rng_state(), before)
    return made


class Parts(HTMLParser):
    """Tags with their attributes, text by tag, and whether all that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], {}, []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data


# ---- The fragment


def test_a_fragment_asks_no_address(figure):
    text = re.sub(r'data:image/png;base64,[^"]+', "", figure._repr_html_())
    text = re.sub(r'"[A-Za-z0-9+/=]{40,}"', '""', text)  # packed numbers
    assert not re.findall(r"https?:|\bsrc=\"(?!\")|//[a-z]+\.|@import|url\((?!#)|import\(", text)


def test_a_fragment_is_one_closed_figure_with_one_script(figure):
    parts = Parts(figure._repr_html_())
    places = [attributes for tag, attributes in parts.tags if tag == "span"]
    assert places == [{"id": f"live-{place}"} for place in figure.places]
    names, attributes = zip(*(part for part in parts.tags if part[0] != "span"), strict=True)
    assert names == ("figure", "style", "div", "img", "figcaption", "script")
    assert attributes[2]["aria-label"] == figure.name
    assert "hidden" in attributes[2]  # nothing is promised where scripts are off
    assert attributes[3]["alt"] == figure.alt
    assert re.fullmatch(rf"Figure \d+\. {re.escape(figure.caption)}", parts.text["figcaption"])


def test_the_style_reaches_its_own_figure_only(figure):
    parts = Parts(figure._repr_html_())
    own = "#" + parts.tags[0][1]["id"]
    style = re.sub(r"@media[^{]*\{", "", parts.text["style"])
    selectors = re.findall(r"([^{}]+)\{", style)
    assert len(selectors) > 30
    assert all(own in part for selector in selectors for part in split(selector))


def split(selector):
    """At the commas that are in no bracket."""
    for _ in range(2):
        selector = re.sub(r"\([^()]*\)", "", selector)
    return selector.split(",")


def test_ids_are_new_each_time(figure):
    ids = [Parts(figure._repr_html_()).tags[0][1]["id"] for _ in range(3)]
    assert len(set(ids)) == 3


def test_a_fragment_weighs_little(figure):
    assert len(figure._repr_html_().encode()) < 150_000


def test_two_decoders_of_full_size_stay_below_300_kilobytes(record_property):
    images = torch.rand(2_000, 1, 28, 28)
    models = {
        name: Autoencoder((1, 28, 28), 2, hidden=(128, 64)).requires_grad_(False) for name in "ab"
    }
    made = explorer.latent_plane(models, images, torch.arange(2_000) % 10, caption="c")
    weight = len(made._repr_html_().encode())
    record_property("table", f"latent plane with two decoders: {weight / 1000:.0f} kB")
    assert weight < 300_000


def test_texts_from_outside_are_escaped():
    parts = Parts(latent_plane(name=NASTY, caption=NASTY)._repr_html_())
    assert [tag for tag, _ in parts.tags].count("script") == 1
    assert parts.text["figcaption"].endswith(f". {NASTY}")
    assert NASTY in parts.tags[3][1]["alt"]
    (name,) = re.findall(r'"name": ("[^\n]*?"), "codes"', parts.text["script"])
    assert json.loads(name) == NASTY


SIDES = r"\b(Left|Right|Middle),|[Oo]n the (left|right)"


def test_live_and_still_figures_are_counted_together(monkeypatch):
    monkeypatch.setattr(plotting.figures, "_numbers", {})
    made = explorer.kl_bowl()
    plotting.show(plotting.figure(1, 1)[0], caption="c", alt="a")
    for _ in range(2):  # it is shown where the notebook asks for its HTML
        assert Parts(made._repr_html_()).text["figcaption"].startswith("Figure 2. ")


def test_captions_name_panels_not_their_places(figure):
    """On a phone panels that stood side by side stand one below the other."""
    assert not re.search(SIDES, figure.caption)


def test_chapters_captions_of_live_figures_do_the_same():
    calls = re.compile(r"^explorer\.\w+\(\n.*?^\)", re.MULTILINE | re.DOTALL)
    chapters = [path.read_text("utf-8") for path in (ROOT / "book/src").glob("*.py")]
    found = [call for text in chapters for call in calls.findall(text)]
    assert len(found) >= 4
    assert [call for call in found if re.search(SIDES, call)] == []


@pytest.mark.parametrize("missing", ["name", "caption", "alt"])
def test_a_text_that_is_missing_is_an_error(missing):
    texts = {"name": "n", "caption": "c", "alt": "a"} | {missing: " "}
    still, _ = plotting.figure(2, 2)
    with pytest.raises(ValueError, match=f"needs a {missing}"):
        explorer.LiveFigure(kind="bowl", still=still, data={}, **texts)


def test_with_networks_at_hand_the_callers_random_numbers_stay_as_they_are():
    model, noisy = small(), {std: small(VAE, 3, std=std) for std in (1.0, 0.1)}
    vae, before = small(VAE), torch.get_rng_state()
    best_picture(vae)
    explorer.latent_plane({"AE": model}, IMAGES, LABELS, caption="c")
    explorer.noise_slider(noisy, IMAGES, caption="c")
    assert torch.equal(torch.get_rng_state(), before)


# ---- Packed numbers


def unpack(text, kind):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), kind).copy())


def test_floats_come_back_as_they_were():
    values = torch.randn(7, 3)
    assert torch.equal(unpack(packing.float32(values), "<f4").view(7, 3), values)


def test_grey_values_come_back_as_bytes():
    values = torch.tensor([[-0.5, 0.0, 0.2, 1.0, 3.0]])
    assert unpack(packing.bytes8(values), "u1").tolist() == [0, 0, 51, 255, 255]


def test_grey_values_come_back_with_four_bits():
    values = torch.tensor([[-0.5, 0.0, 1 / 15], [0.5, 1.0, 3.0], [0.7, 0.04, 0.2]])
    pairs = [divmod(byte, 16) for byte in base64.b64decode(packing.nibbles(values))]
    back = torch.tensor([half for pair in pairs for half in pair][:9]) / 15
    assert (back - values.flatten().clamp(0, 1)).abs().max() <= 1 / 30 + 1e-6


def whole(packed, rows):
    """The whole numbers in `packing.rows`, by Python's own big integers."""
    data, bits = base64.b64decode(packed["rows"]), packed["bits"]
    text = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
    inputs = (len(text) // sum(bits) if isinstance(bits, list) else len(text) // bits // rows) or 1
    numbers, at = [], 0
    for n in bits if isinstance(bits, list) else [bits] * rows:
        numbers.append([int(text[at + i * n :][:n], 2) - 2 ** (n - 1) for i in range(inputs)])
        at += n * inputs
    return torch.tensor(numbers)


@pytest.mark.parametrize("bits", [10, 13, 16])
def test_rows_are_right_to_their_last_bit(bits):
    rows = torch.randn(5, 40) * torch.tensor([[1e-6], [1.0], [50.0], [0.0], [3.0]])
    packed = packing.rows(rows, bits)
    back = whole(packed, 5) * unpack(packed["scale"], "<f4")[:, None].double()
    finest = rows.abs().amax(1, keepdim=True) / (2**bits - 2)
    assert ((back - rows).abs() <= 1.001 * finest).all()
    assert torch.allclose(packing.rounded(rows, bits).double(), back, rtol=1e-6)


def test_each_row_may_have_bits_of_its_own():
    rows, bits = torch.randn(4, 30), torch.tensor([2, 5, 16, 9])
    packed = packing.rows(rows, bits)
    assert len(base64.b64decode(packed["rows"])) == 30 * 32 / 8
    back = whole(packed, 4) * unpack(packed["scale"], "<f4")[:, None].double()
    finest = rows.abs().amax(1) / (2.0**bits - 2)
    assert ((back - rows).abs() <= 1.001 * finest[:, None]).all()
    assert torch.allclose(packing.rounded(rows, bits).double(), back, rtol=1e-6)


# ---- Decoders


def run(layers, z):
    """Packed layers, run here as live.js runs them there."""
    values = z.double()
    for layer in layers:
        if layer["kind"] != "linear":
            values = getattr(torch, layer["kind"])(values)
            continue
        weight = layer["weight"]
        if isinstance(weight, dict):
            scale = unpack(weight["scale"], "<f4")[:, None].double()
            matrix = whole(weight, len(scale)) * scale
        else:
            matrix = unpack(weight, "<f4").view(-1, layer["inputs"]).double()
        values = values @ matrix.T + unpack(layer["bias"], "<f4")
    return values


@pytest.mark.parametrize(
    "kind, options",
    [(Autoencoder, {}), (VAE, {"likelihood": "bernoulli"}), (VAE, {"std": "per_pixel"}), (VAE, {})],
)
def test_packed_layers_give_the_decoders_mean(kind, options):
    model, z = small(kind, **options), torch.randn(50, 2)
    decoded = model.decode(z)
    right = decoded if kind is Autoencoder else decoded.mean
    packed = network.pack(network.mean_decoder(model), z)
    assert (run(packed, z) - right.flatten(1)).abs().max() < 2.1e-3
    assert packed[0]["weight"]["bits"] <= 16


def test_weights_that_16_bits_would_spoil_have_32():
    layers = nn.Sequential(nn.Linear(2, 1), nn.Tanh(), nn.Linear(1, 3))
    layers[0].weight.data = torch.tensor([[1.0, 1e-5]])
    layers[0].bias.data.zero_()
    z = torch.tensor([[0.0, 2e4]])  # the small weight decides
    assert network.rounding_error(layers[:2], z, 16) > network.TOLERANCE
    packed = network.pack(layers, z)
    assert isinstance(packed[0]["weight"], str)
    assert (run(packed, z) - layers(z)).abs().max() < 1e-6


def test_hidden_units_that_never_speak_stay_at_home():
    layers = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    z = torch.rand(200, 2)
    layers[0].bias.data[1] = -100  # dead
    layers[2].bias.data[:] = torch.tensor([9.0, -100.0, -100.0, 9.0])
    packed = network.pack(layers, z)
    sizes = [(one["inputs"], len(unpack(one["bias"], "<f4"))) for one in packed[::2]]
    assert sizes[0][1] <= 2 and sizes[1][1] == 2 and sizes[2] == (2, 2)
    assert (run(packed, z) - layers(z)).abs().max() < 2.1e-3
    layers[2].bias.data[:] = -100
    packed = network.pack(layers, z)
    assert [one["inputs"] for one in packed[::2]][2] == 1
    assert torch.allclose(run(packed, z).float(), layers(z), atol=1e-6)


def test_a_layer_without_bias_and_nested_layers():
    layers = nn.Sequential(
        nn.Sequential(nn.Linear(2, 4, bias=False), nn.Tanh()), nn.Linear(4, 3), nn.Sigmoid()
    )
    z, flat = torch.randn(5, 2), nn.Sequential(*network.plain_layers(layers))
    assert torch.allclose(run(network.pack(flat, z), z).float(), layers(z), atol=2.1e-3)


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 3), nn.Dropout(), nn.BatchNorm1d(3)])
def test_a_layer_that_the_browser_does_not_know_is_an_error(layer):
    model = small()
    model.decoder.append(layer)
    with pytest.raises(ValueError, match=rf"cannot run {type(layer).__name__}.*Linear, ReLU"):
        explorer.latent_plane({"AE": model}, IMAGES, LABELS, caption="c")


# ---- Each figure


def test_the_plane_holds_nearly_all_codes():
    codes = torch.randn(2_000, 2) * torch.tensor([3.0, 0.5]) + torch.tensor([10.0, -4.0])
    middle, half = plane.region(codes)
    assert ((codes - middle).abs() <= half).all(1).float().mean() > 0.98
    assert half < 12


def test_nine_in_ten_codes_have_company():
    data = latent_plane().data["panels"][0]
    packed = data["codes"]
    codes = whole(packed, 2) * unpack(packed["scale"], "<f4")[:, None]
    apart = torch.cdist(codes.T, codes.T) + 1e9 * torch.eye(60)
    assert (apart.amin(1) <= data["reach"]).float().mean() == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    "model, images, labels, message",
    [
        (small(latent_dim=3), IMAGES, LABELS, "2 latents, but it has 3"),
        (small(), IMAGES.expand(-1, 3, -1, -1), LABELS, "grey pictures"),
        (small(), IMAGES, LABELS[:5], "one label"),
        (small(), IMAGES, LABELS + 1, "from 0 to 9"),
    ],
)
def test_what_does_not_fit_a_plane_is_an_error(model, images, labels, message):
    with pytest.raises(ValueError, match=message):
        explorer.latent_plane({"it": model}, images, labels, caption="c")


def test_the_noise_slider_reports_what_it_measured():
    models = {std: small(VAE, 3, std=std) for std in (1.0, 0.1)}
    stops = explorer.noise_slider(models, IMAGES, caption="c").data["stops"]
    assert [stop["std"] for stop in stops] == [0.1, 1.0]
    for stop in stops:
        model = models[stop["std"]]
        assert stop["rate"] == pytest.approx(kl_per_latent(model, IMAGES).sum().item(), rel=1e-5)
        assert stop["active"] == active_units(model, IMAGES)
        shown = model.reconstruct(IMAGES)[:8].clamp(0, 1).flatten() * 255
        assert (unpack(stop["pictures"], "u1") - shown).abs().max() <= 0.51
        z = torch.stack([model.encode(IMAGES).mean for _ in range(400)])
        z = z + model.encode(IMAGES).log_std.exp() * torch.randn_like(z)
        errors = (
            model.decode(z.flatten(0, 1)).mean.view(400, 60, 30) - IMAGES.view(60, 30)
        ).square()
        assert stop["distortion"] == pytest.approx(errors.sum(2).mean().item(), rel=0.1)


def test_what_does_not_fit_a_noise_slider_is_an_error():
    model = small(VAE, std=0.1)
    with pytest.raises(ValueError, match="at least 2 models, but got 1"):
        explorer.noise_slider({0.1: model}, IMAGES, caption="c")
    with pytest.raises(ValueError, match="grey"):
        explorer.noise_slider({0.1: model, 1.0: model}, IMAGES[0], caption="c")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"start": "full"}, "one of narrow, wide, but is 'full'"),
        ({"directions": torch.eye(3)}, r"\(3, 2\), but came as \(3, 3\)"),
        ({"rungs": {}}, "at least 2 rungs, but got 0"),
        ({"rungs": dict.fromkeys(["wide", "b"], explorer.Rung(torch.ones(5, 3), 0, 0, 0, 1))},
         "24 draws, but wide has fewer"),
        ({"model": VAE((3, 6, 5), 3, hidden=(8,))}, "grey pictures"),
    ],
)  # fmt: skip
def test_what_makes_no_ladder_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        prior_ladder(**options)


def test_the_cures_stand_where_torch_measures_them():
    data = cures().data
    errors, sharp = zip(*data["points"], strict=True)
    assert data["names"] == list(CURES)
    for name, error in zip(CURES, errors, strict=True):
        right = F.mse_loss(CURES[name], IMAGES, reduction="sum") / 60
        assert error == pytest.approx(right.item(), rel=1e-5, abs=1e-9)
    # A picture turned into its negative has the same detail.
    assert sharp[1:] == pytest.approx((1, 1), rel=1e-5) and sharp[0] < 0.8
    assert data["nats"] == pytest.approx(1 / 0.18)


@pytest.mark.parametrize("strength", [0.0, 0.35, 1.5, 7.0])
def test_the_filters_curve_is_what_filtered_pictures_measure(strength):
    made = torch.stack([by_hand(picture, strength) for picture in SOFT[:, 0]])[:, None]
    again = {"soft": made, "as they are": IMAGES}
    (right, _), curve = cures(answers=again).data["points"], cures().data["curve"]
    ours = [a + b * strength + c * strength**2 for a, b, c in curve]
    assert ours == pytest.approx(right, rel=1e-4)


def by_hand(picture, strength):
    """Away from the average of what is at most one pixel off: loops, no pooling."""
    made = picture.clone()
    for row in range(6):
        for column in range(5):
            around = picture[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            made[row, column] += strength * (picture[row, column] - around.mean())
    return made


@pytest.mark.parametrize(
    "options, message",
    [
        ({"answers": {"soft": SOFT}}, "at least 2 answers, not 1"),
        ({"images": IMAGES[0]}, "grey pictures"),
        ({"answers": CURES | {"short": SOFT[:9]}}, r"short should be .* is \(9, 1, 6, 5\)"),
        ({"strength": 0.0}, "positive"),
        ({"std": -1.0}, "positive"),
    ],
)
def test_what_are_no_cures_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        cures(**options)


def test_the_distance_for_a_mean_is_the_one_whose_optimum_it_is():
    for half_distance in (1.1, 2.5):
        best = fit_two_images(half_distance)
        assert pair.distance_for(best.mean) == pytest.approx(half_distance, rel=1e-3)
    assert pair.distance_for(0.01) == pytest.approx(1, abs=1e-3)  # where collapse ends


def test_what_does_not_make_a_pair_is_an_error():
    with pytest.raises(ValueError, match="the same"):
        explorer.two_images(IMAGES[0], IMAGES[0], caption="c")
    with pytest.raises(ValueError, match="two grey pictures"):
        explorer.two_images(IMAGES[0], IMAGES[1, :, :3], caption="c")


@pytest.mark.parametrize("likes, right", PAINTERS.values(), ids=PAINTERS)
def test_the_smile_that_is_seen_is_the_mean_of_those_that_are_painted(likes, right):
    read = smiles_read(likes)
    states = [(turn, asked) for turn in smile.STOPS["turn"] for asked in smile.STOPS["smile"]] * 2
    seen = [right(asked, turn) for turn, asked in states]
    assert read["decoded"] == pytest.approx(seen, abs=5e-3)
    assert read["painted"] == pytest.approx([asked for _, asked in states], abs=5e-3)


def test_a_direction_moves_a_code_by_what_is_asked_beyond_what_is_there():
    halves = ONE_UNIT | {"smile": ONE_UNIT["smile"] / 2}
    read = smiles_read(lambda f: f["smile"], halves)["decoded"]
    have = FACES["smile"].mean().item()  # of which half stays
    right = [(have + asked) / 2 for asked in smile.STOPS["smile"]] * 6
    assert read == pytest.approx(right, abs=0.05)  # smiles that the reader does not know


@pytest.mark.parametrize("glasses, turn", [(0, 0), (1, 2)])
def test_it_starts_where_a_turn_brings_most_of_a_smile_along(glasses, turn):
    seen = {kind: torch.zeros(smile.SHAPE) for kind in ("decoded", "painted")}
    seen["decoded"][:, 1] = 2  # the head is straight
    seen["decoded"][:, :, -1] = -3  # a smile was asked for
    seen["painted"][glasses, turn, 2] = 0.5
    assert smile._most_apart(seen) == (glasses, turn, 2)
    seen["decoded"][1 - glasses, 2 - turn, 2] = 0.6
    assert smile._most_apart(seen) == (1 - glasses, 2 - turn, 2)


def test_the_sheet_shows_the_first_face_in_each_state_and_its_numbers():
    data = asked_smile(lambda f: -f["smile"]).data
    assert data["start"] in [(2, turn, worn) for turn in (0, 2) for worn in (0, 1)]
    right = [-asked for asked in smile.STOPS["smile"]] * 6
    assert data["read"]["decoded"] == pytest.approx(right, abs=5e-3)
    with Image.open(io.BytesIO(base64.b64decode(data["sheet"]))) as sheet:
        found = torch.from_numpy(np.array(sheet.convert("RGB"))) / 255
    factors = all_states(1)
    right = [render_faces(factors | {"smile": sign * factors["smile"]}) for sign in (-1, 1)]
    right = torch.cat(right).flatten(1)
    found = found.view(12, 64, 5, 64, 3).permute(0, 2, 4, 1, 3).flatten(0, 1).flatten(1)
    assert (found - right).abs().mean(1).max() < 0.02
    nearest = torch.cdist(found, right).argmin(1)  # who does not smile is there twice
    assert torch.equal(right[nearest], right)


def test_a_direction_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match="a direction is missing: turn"):
        asked_smile(directions={k: v for k, v in ONE_UNIT.items() if k != "turn"})


def test_pictures_that_fill_no_sheet_are_an_error():
    with pytest.raises(ValueError, match="7 pictures do not fill rows of 3"):
        packing.webp(torch.rand(7, 3, 8, 8), 3)


@pytest.mark.parametrize(
    "images, options, message",
    [
        (IMAGES, {}, r"\(N, 1, 28, 28\), but got \(60, 1, 6, 5\)"),
        (None, {"pixels": 100}, r"\[196, 784, 3072, 12288\].*got 100"),
        (None, {"reduce": "max"}, "a mean or a sum, but got 784 and 'max'"),
    ],
)
def test_what_no_calculator_can_take_is_an_error(images, options, message):
    with pytest.raises(ValueError, match=message):
        loss_calculator(images, **options)


@pytest.mark.parametrize(
    "images", [IMAGES[0], IMAGES.expand(-1, 2, -1, -1), torch.rand(9, 1, 9, 12)]
)
def test_what_no_water_covers_is_an_error(images):
    with pytest.raises(ValueError, match="at most 100 pixels, but got"):
        explorer.water_level(images, caption="c")


@pytest.mark.parametrize(
    "vae, images, labels, message",
    [
        (small(VAE, 3), IMAGES, LABELS, "2 latents, but this VAE has 3"),
        (None, IMAGES[0], LABELS, "grey pictures"),
        (None, IMAGES, LABELS[:9], "and 9 labels"),
    ],
)
def test_what_nothing_can_have_sent_is_an_error(vae, images, labels, message):
    with pytest.raises(ValueError, match=message):
        best_picture(vae, images, labels)


def test_the_still_of_the_spread_has_the_right_formulas():
    (axis,) = still_of(explorer.spread._still)
    noise = torch.randn(1_000_000, dtype=torch.float64)
    for line in axis.lines:
        std, shown = (values[-1] for values in line.get_data())  # σ = 2
        z = 1 + std * noise
        b = 1 + 3 * std**2 if "baseline" in line.get_label() else 0
        estimates = 2 * z if line.get_label() == "pathwise" else (z**2 - b) * noise / std
        assert shown == pytest.approx(estimates.std().item(), rel=0.02)


TWO_HUMPS = {"power": 2, "x": 1.5, "noise": 0.5}


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 0.2), (-1.5, 0.6), (2.0, 1.4)])
@pytest.mark.parametrize("draws", [1, 2, 3])
def test_bounds_without_draws_are_those_of_quadrature_in_as_many_dimensions(mean, std, draws):
    q = torch.distributions.Normal(mean, std)
    found = gap.bound(draws, q, power=1, x=1.0, noise=1.0)
    assert found == pytest.approx(quadrature_bound(1.0, draws, q, nodes=160), abs=1e-4)


@pytest.mark.parametrize("draws", [2, 10, 100])
@pytest.mark.parametrize(("mean", "std"), [(1.1, 0.22), (0.0, 0.75), (-0.5, 1.2)])
def test_bounds_without_draws_are_averages_of_many(mean, std, draws):
    generator = torch.Generator().manual_seed(0)
    z = mean + std * torch.randn(20_000, draws, generator=generator, dtype=torch.float64)
    unscaled = -(z**2 + (1.5 - z**2) ** 2 / 0.25 - ((z - mean) / std) ** 2) / 2
    log_w = unscaled - math.log(0.5 / std) - math.log(2 * math.pi) / 2
    drawn = log_w.logsumexp(1) - math.log(draws)
    found = gap.bound(draws, torch.distributions.Normal(mean, std), **TWO_HUMPS)
    assert found == pytest.approx(drawn.mean().item(), abs=5 * drawn.std().item() / 20_000**0.5)


def test_the_evidence_is_known_for_one_hump():
    right = torch.distributions.Normal(0.0, 1.25**0.5).log_prob(torch.tensor(0.7)).item()
    assert gap.evidence(1, 0.7, 0.5) == pytest.approx(right, abs=1e-6)


def test_no_normal_q_does_better_than_the_one_at_the_start():
    start, right = gap.TWO["start"], gap.evidence(**TWO_HUMPS)
    least = right - gap.bound(1, torch.distributions.Normal(*start), **TWO_HUMPS)
    for mean in torch.linspace(0, 2, 11).tolist():
        for std in torch.linspace(0.1, 1.2, 12).tolist():
            q = torch.distributions.Normal(mean, std)
            assert right - gap.bound(1, q, **TWO_HUMPS) > least - 5e-3


def test_a_posterior_has_one_hump_or_two():
    with pytest.raises(ValueError, match="1 or 2 humps, but humps is 3"):
        explorer.elbo_gap(3)


def still_of(draw):
    made = draw()
    plt.close(made)
    return made.axes


def test_the_still_of_the_bowl_has_the_right_formulas():
    for axis, half in zip(still_of(explorer.bowl._still), (1, 0.5), strict=True):
        level = axis.collections[0].get_paths()[3].vertices  # of 1 nat
        for mean, log_std in level[::20]:
            q = torch.distributions.Normal(float(mean), math.exp(half * log_std))
            right = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
            assert right.item() == pytest.approx(1, abs=0.01)
