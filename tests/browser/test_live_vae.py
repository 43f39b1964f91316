"""The VAE that trains in the page: its arithmetic against torch, its stories, its behaviour."""

import gzip
import statistics
from functools import cache

import pytest
import torch
from browser.live_pages import as_page
from torch import nn
from torch.distributions import Normal, kl_divergence

from vae_course import explorer
from vae_course.explorer import live_vae
from vae_course.explorer.stories import KNOBS, STORIES
from vae_course.models import VAE
from vae_course.training import fit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live VAE")]

FIGURE = ".course-live"
WEIGHTS = ("w1", "b1", "w2", "b2", "w3", "b3", "w4", "b4", "logStd")

# A new model in the page, `steps` steps of Adam with given batches and noise, and what it has then.
LEARN = """(root, { latents, knobs, batches, noises, floor }) => {
  const model = root.explorer.laboratory().create(latents, 5), reports = [];
  if (floor) model.weights.b2.fill(-9, latents);
  model.weights.logStd[0] = -1.2;
  const copy = (numbers) => Object.fromEntries(
    Object.entries(numbers).map(([name, values]) => [name, Array.from(values)]));
  const before = copy(model.weights);
  batches.forEach((batch, i) => {
    reports.push(model.differentiate(batch, noises[i], knobs));
    model.adam();
  });
  return { before, after: copy(model.weights), slope: copy(model.slope), reports };
}"""

# The same model before and after it is re-scaled: slopes of one batch, momenta, averages.
RESCALE = """(root, knobs) => {
  const model = root.explorer.laboratory().create(2, 3), noise = new Float64Array(200).fill(0.3);
  for (let i = 0; i < 60; i++) model.step(knobs);
  const batch = Array.from({ length: 100 }, (_, i) => i), free = { ...knobs, kl: "off" };
  const look = () => {
    model.differentiate(batch, noise, free);
    return { ...model.evaluate(0, 600, knobs), slope: Array.from(model.slope.flat),
      momentum: Array.from(model.momentum.flat), square: Array.from(model.square.flat) };
  };
  const before = look();
  model.rescale(knobs);
  return [before, look()];
}"""

# Where the decoder's first layer is in `flat`, with two latents.
W3 = slice(196 * 64 + 64 + 4 * 64 + 4, 196 * 64 + 64 + 6 * 64 + 4)
B3 = slice(W3.stop, W3.stop + 64)


@pytest.fixture(scope="module")
def figure():
    return explorer.playground()


@pytest.fixture
def open_page(browser, figure, tmp_path):
    """The figure in a page; in the end there must be no error and no request to anywhere."""
    contexts, troubles = [], []

    def open_(head="", anchor="", **options):
        text = as_page(figure).replace("<head>", f"<head>{head}")
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        options = {"viewport": {"width": 900, "height": 900}} | options
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("request", lambda request: troubles.append(request.url))
        page.goto((tmp_path / "page.html").as_uri() + anchor)
        page.wait_for_function(f"document.querySelector('{FIGURE}').explorer.state().steps === 0")
        return page

    yield open_
    for context in contexts:
        context.close()
    fine = ("file:", "blob:", "data:")
    # A policy that forbids workers is reported by the browser, and only where there is one.
    bad = [text for text in troubles if not text.startswith(fine) and "worker-src" not in text]
    assert bad == []


@pytest.fixture(scope="module")
def ask(browser, figure):
    """Ask one figure, opened once, a question in JavaScript."""
    page = browser.new_page()
    page.set_content(as_page(figure))
    yield lambda question, argument=None: page.locator(FIGURE).evaluate(question, argument)
    page.close()


def state(page):
    return page.locator(FIGURE).evaluate("root => root.explorer.state()")


def wait(page, condition):
    page.wait_for_function(
        f"(() => {{ const s = document.querySelector('{FIGURE}').explorer.state();"
        f"return {condition}; }})()",
        timeout=120_000,
    )


# ---- Arithmetic

OPTIONS = {
    "right": ({}, 2),
    "8 latents, β = 3": ({"beta": 3.0}, 8),
    "mean, 1 latent": ({"sum": False}, 1),
    "learned": ({"learned": True}, 2),
    "learned, mean": ({"learned": True, "sum": False}, 2),
    "slip": ({"kl": "slip"}, 2),
    "no KL": ({"kl": "off"}, 3),
    "no noise": ({"noise": False}, 2),
    "log σ at its lowest": ({}, 2),
}


def double(values):
    """A list as JavaScript's numbers are, which torch would otherwise round to 32 bits."""
    return torch.tensor(values, dtype=torch.float64)


@cache
def images():
    """Grey values to the last bit of a double, as the page has them."""
    steps = live_vae.LEVELS - 1
    return (live_vae.pictures()[0].flatten(1).double() * steps).round() / steps


def torch_loss(w, batch, noise, knobs, latents):
    """The loss with torch's distributions; w1, w3 and w4 are (inputs, outputs)."""
    x = images()[batch]
    hidden = torch.relu(x @ w["w1"].view(196, 64) + w["b1"])
    heads = hidden @ w["w2"].view(2 * latents, 64).T + w["b2"]
    mean, std = heads[:, :latents], heads[:, latents:].clamp(min=-7).exp()
    q, prior = Normal(mean, std), Normal(torch.zeros(()).double(), 1)
    z = mean + std * noise if knobs["noise"] else mean
    hidden = torch.relu(z @ w["w3"].view(latents, 64) + w["b3"])
    spread = w["logStd"].exp() if knobs["learned"] else knobs["std"]
    nll = -Normal(hidden @ w["w4"].view(64, 196) + w["b4"], spread).log_prob(x)
    taken = Normal(mean, std.sqrt()) if knobs["kl"] == "slip" else q
    beta = 0 if knobs["kl"] == "off" else knobs["beta"]
    over_pixels = nll.sum(1) if knobs["sum"] else nll.mean(1)
    return over_pixels.mean() + beta * kl_divergence(taken, prior).sum(1).mean()


@pytest.mark.parametrize("name", OPTIONS)
def test_loss_gradient_and_adam_are_torchs(ask, name, record_property):
    changes, latents = OPTIONS[name]
    knobs, floor = KNOBS | changes, name == "log σ at its lowest"
    batches = torch.randint(0, 600, (8, 20))
    noises = torch.randn(8, 20, latents, dtype=torch.float64)
    mine = ask(
        LEARN,
        {
            "latents": latents,
            "knobs": knobs,
            "batches": batches.tolist(),
            "noises": noises.flatten(1).tolist(),
            "floor": floor,
        },
    )
    w = {n: double(mine["before"][n]).requires_grad_() for n in WEIGHTS}
    optimizer, losses = torch.optim.Adam(w.values(), lr=3e-3), []
    for batch, noise in zip(batches, noises, strict=True):
        optimizer.zero_grad()
        loss = torch_loss(w, batch, noise, knobs, latents)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [r["loss"] for r in mine["reports"]] == pytest.approx(losses, rel=1e-9)
    worst = 0
    for n in WEIGHTS:
        if n == "logStd" and not knobs["learned"]:
            continue
        slope, after = double(mine["slope"][n]), double(mine["after"][n])
        worst = max(worst, ((slope - w[n].grad).norm() / w[n].grad.norm().clamp(min=1e-9)).item())
        assert torch.allclose(after, w[n].detach(), rtol=1e-5, atol=1e-7)
    assert worst < 1e-5
    record_property("table", f"live VAE, {name}: gradient off torch's by {worst:.0e} of its norm")


@pytest.mark.parametrize("kind", ["right", "slip"])
def test_rescaling_keeps_pictures_and_brings_the_codes_to_the_optimum(ask, kind):
    before, after = ask(RESCALE, KNOBS | {"kl": kind})
    for name in ("error", "errorDrawn", "nll"):
        assert after[name] == pytest.approx(before[name], rel=1e-9)
    for mean, square, sigma, variance in after["moments"]:
        assert mean == pytest.approx(0, abs=1e-9)
        rule = sigma + 2 * square if kind == "slip" else square + variance
        assert rule == pytest.approx(1, abs=1e-9)
    assert max(abs(m[0]) for m in before["moments"]) > 0.01
    # Without a KL the loss does not feel it, so slopes say by how much weights were scaled, and
    # Adam's memory of them must have gone the same way.
    old, new = (double(s["slope"]) for s in (before, after))
    for name, power in (("momentum", 1), ("square", 2)):
        kept, now = (double(s[name]) for s in (before, after))
        told = (old.abs() > 1e-6 * old.abs().max()) & (kept != 0)
        told[W3] = False
        ratio = (new / old)[told] ** power
        assert torch.allclose(now[told], kept[told] * ratio, rtol=1e-6, atol=1e-15)
        assert (ratio - 1).abs().max() > 0.05
    # The decoder's weights feel the shift as well, through its bias.
    for latent in (0, 1):
        row = slice(W3.start + 64 * latent, W3.start + 64 * (latent + 1))
        scale = torch.linalg.lstsq(torch.stack([old[row], old[B3]], 1), new[row][:, None]).solution
        kept, now = (double(s["momentum"]) for s in (before, after))
        moved = torch.stack([kept[row], kept[B3]], 1) @ scale
        assert torch.allclose(now[row], moved[:, 0], rtol=1e-6, atol=1e-12)


def test_a_picture_of_the_package_is_the_pages(ask):
    text = live_vae.pack(live_vae.pictures()[0])
    theirs = ask("root => Array.from(root.explorer.laboratory().images)")
    assert (double(theirs).view(800, 196) - images()).abs().max() < 1e-12
    assert len(text) < 50_000


# ---- Stories

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.weekly) for seed in range(2, 11))]


def measured(values, name):
    if name == "second":
        return max(values["second"])
    if name == "spoilt":
        return values["errorDrawn"] / values["error"]
    if name == "memorised":
        return values["seen"]["elbo"] - values["elbo"]
    return values[name]


def holds(values, story):
    def one(outcome):
        value = measured(values, outcome.measure)
        low, high = outcome.at_least, outcome.at_most
        return (low is None or value >= low) and (high is None or value <= high)

    return [one(outcome) for outcome in STORIES[story].outcomes]


@pytest.fixture(scope="module")
def told(ask):
    """What a story ends with, for a seed: told once."""

    @cache
    def tell(story, seed):
        return ask("(root, [s, n]) => root.explorer.train(s, n)", [story, seed])

    return tell


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("story", STORIES)
def test_a_story_ends_as_it_says_and_others_do_not(told, story, seed, record_property):
    ended = told(story, seed)
    assert all(holds(ended["values"], story))
    assert all(outcome["right"] for outcome in ended["outcomes"])
    if story != "healthy":
        rival = told("healthy", seed)["values"]
        assert not all(holds(rival, story))
        assert not all(holds(ended["values"], "healthy"))
    texts = " ".join(outcome["text"] for outcome in ended["outcomes"])
    record_property("table", f"{story}, seed {seed}: {texts}")


@pytest.mark.weekly
def test_a_thousand_steps_end_at_torchs_elbo(ask, record_property):
    seeds = range(10)
    question = "(root, n) => root.explorer.train('healthy', n, 1000).values.elbo"
    page, torchs = [ask(question, seed + 1) for seed in seeds], [elbo(seed) for seed in seeds]
    spread = statistics.stdev(page) + statistics.stdev(torchs)
    ours, theirs = statistics.mean(page), statistics.mean(torchs)
    record_property("table", f"ELBO after 1000 steps: page {ours:.1f}, torch {theirs:.1f}")
    assert abs(ours - theirs) < spread / 2


def elbo(seed):
    """Of pictures that were not seen, after a thousand steps with torch."""
    pictures, _ = live_vae.pictures()
    torch.manual_seed(seed)
    model = VAE((1, 14, 14), 2, hidden=(64,), std=KNOBS["std"])
    settings = {"steps": 1000, "batch_size": 100, "lr": 3e-3, "seed": seed, "progress": False}
    fit(model, lambda model, x: -model.elbo(x).total.mean(), pictures[:600], **settings)
    with torch.no_grad():
        unseen = pictures[600:].repeat(5, 1, 1, 1)
        return model.elbo(unseen).total.mean().item()


# ---- Behaviour


def test_run_by_keyboard_pause_step_and_arrive(open_page, record_property):
    page = open_page()
    assert state(page)["steps"] == 0 and not state(page)["going"]  # it never starts by itself
    page.get_by_role("combobox", name="Story").select_option(index=1)
    wait(page, "s.story === 'autoencoder' && s.steps === 0")
    page.get_by_role("button", name="Run").focus()
    page.keyboard.press("Space")
    wait(page, "s.steps > 10")
    page.keyboard.press("Space")  # the same button pauses
    wait(page, "!s.going")
    page.wait_for_timeout(150)
    paused = state(page)["steps"]
    assert 10 < paused < 300
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # one step
    wait(page, f"s.steps === {paused + 1}")
    page.get_by_role("button", name="Go on").or_(page.get_by_role("button", name="Run")).press(
        "Enter"
    )
    wait(page, "!s.going && s.steps === 300")
    at = state(page)
    assert at["where"] == "worker" and all(o["right"] for o in at["outcomes"])
    assert at["outcomes"][0]["text"] in page.locator(".lf-readout").text_content()
    page.wait_for_timeout(600)
    assert "✓ share" in page.locator(".lf-spoken").text_content()
    # The page itself only draws.
    last = page.locator(FIGURE).evaluate("root => root.explorer.lastMove")
    assert last < 30
    assert at["fastest"] <= 3.5
    text = f"live VAE: a step {at['fastest']:.1f} ms at best, a snapshot is drawn in {last:.1f} ms"
    record_property("table", text)


def test_one_word_kills_the_latents_and_another_wakes_them(open_page):
    page = open_page()
    word = page.get_by_role("combobox", name="Over pixels")
    word.select_option("mean")
    page.get_by_role("button", name="Run").click()
    wait(page, "s.steps > 100 && s.kl < 0.05 && s.active === 0")
    word.select_option("sum")
    wait(page, "!s.going && s.active === 2 && s.kl > 2")
    said = page.locator(".lf-readout").text_content()
    assert "2 of 2 latents active" in said and "✓" not in said  # this was no story


def test_a_seed_is_a_run_in_a_worker_and_in_the_page(open_page):
    """Where a policy forbids workers, the page trains, and arrives at the same codes."""
    policy = '<meta http-equiv="Content-Security-Policy" content="worker-src \'none\'">'
    means = []
    for head, where in (("", "worker"), (policy, "page")):
        page = open_page(head)
        page.get_by_role("combobox", name="Story").select_option(index=2)
        page.get_by_role("slider", name="seed").fill("2")
        page.get_by_role("button", name="Run").click()
        wait(page, "!s.going && s.steps === 150")
        assert state(page)["where"] == where
        means.append(state(page)["means"])
    page.get_by_role("slider", name="seed").fill("3")
    page.get_by_role("button", name="Run").click()
    wait(page, "!s.going && s.steps === 150")
    assert means[0] == means[1] and state(page)["means"] != means[0]


def test_an_address_opens_a_story(open_page):
    page = open_page(anchor=f"#{live_vae.address_of('beta')}")
    assert state(page)["story"] == "beta" and state(page)["knobs"]["beta"] == 100
    page.evaluate(f"location.hash = '{live_vae.address_of('two')}'")
    wait(page, "s.story === 'two' && s.steps === 0 && s.second.length === 1")
    clips = page.locator("clipPath").evaluate_all("all => all.map((each) => each.id)")
    assert len(set(clips)) == len(clips) == 2  # though the plane was drawn anew
    page.evaluate("location.hash = 'elsewhere'")
    page.wait_for_timeout(50)
    assert state(page)["story"] == "two"


def test_out_of_sight_it_rests(open_page):
    page = open_page()
    page.evaluate("document.body.style.paddingBottom = '4000px'")
    page.get_by_role("button", name="Run").click()
    wait(page, "s.steps > 5")
    page.evaluate("scrollTo(0, 3000)")
    wait(page, "s.away && !s.going")
    page.wait_for_timeout(200)
    rested = state(page)["steps"]
    page.wait_for_timeout(200)
    assert state(page)["steps"] == rested < 600
    page.evaluate("scrollTo(0, 0)")
    wait(page, f"s.steps > {rested}")


PHONE = {"has_touch": True, "is_mobile": True}


def test_a_finger_tells_a_story(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("combobox", name="KL").select_option(index=2)
    page.get_by_role("button", name="Run").tap()
    wait(page, "s.steps > 20 && s.knobs.kl === 'off'")
    page.get_by_role("button", name="Pause").tap()
    wait(page, "!s.going")
    page.get_by_text("More knobs").tap()
    slider = page.get_by_role("slider", name="β")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    wait(page, "s.knobs.beta > 20")


def test_each_story_is_on_one_screen_of_a_small_phone(open_page):
    page, longest = open_page(viewport={"width": 360, "height": 740}, **PHONE), "noise"

    def height():
        page.wait_for_timeout(50)
        return page.locator(".lf-stage").bounding_box()["height"]

    page.evaluate("document.body.style.padding = '0 16px'")
    choose, heights = page.get_by_role("combobox", name="Story"), {}
    for story in [*(name for name in STORIES if name != longest), longest]:
        choose.select_option(index=list(STORIES).index(story))
        wait(page, f"s.story === '{story}' && s.steps === 0")
        heights[story] = height()
    page.get_by_role("button", name="Run").tap()
    wait(page, "!s.going && s.steps === 300")
    heights[f"{longest}, told"] = height()
    assert max(heights.values()) <= 740 - 100, heights  # bars of the browser and of the page


def test_a_restart_leaves_nothing_of_the_run_before(open_page):
    page = open_page()
    page.get_by_role("button", name="Run").click()
    wait(page, "s.steps > 5")
    seen = page.evaluate(
        f"""async () => {{ const root = document.querySelector('{FIGURE}'), seen = [];
        [...root.querySelectorAll('button')].find((b) => b.textContent === 'Restart').click();
        new MutationObserver(() => seen.push(root.explorer.state().steps))
          .observe(root.querySelector('.lf-readout'), {{ childList: true }});
        await new Promise((done) => setTimeout(done, 500));
        return [...seen, root.explorer.state().steps]; }}"""
    )
    assert set(seen) == {0} and not state(page)["going"]


def test_reduced_motion_is_shown_twice_a_second(open_page):
    page = open_page(reduced_motion="reduce")
    page.evaluate(
        f"""() => {{ window.seen = new Set(); const root = document.querySelector('{FIGURE}');
        new MutationObserver(() => window.seen.add(root.explorer.state().steps))
          .observe(root.querySelector('.lf-numbers'), {{ subtree: true, childList: true }}); }}"""
    )
    page.get_by_role("button", name="Run").click()
    page.wait_for_timeout(1300)
    assert page.evaluate("window.seen.size") <= 4


def test_its_weight(figure, record_property):
    sent = len(gzip.compress(figure._repr_html_().encode(), 6))
    record_property("table", f"live VAE: {sent / 1e3:.1f} kB as sent, with data and still")
    assert sent <= 60_000


def test_a_story_that_there_is_not():
    with pytest.raises(ValueError, match="one of .*healthy.*, but is 'x'"):
        explorer.playground("x")


def test_the_still_is_a_trained_model():
    model = live_vae.trained()
    assert isinstance(model.encoder[0], nn.Linear) and model.encoder[0].out_features == 64
    with torch.no_grad():
        unseen = live_vae.pictures()[0][600:]
        assert model.elbo(unseen).total.mean() > 38
