import math

import numpy as np
import pytest
import torch

from vae_course.data.drawn import digits
from vae_course.data.drawn.digits import draw_digits, render_digits, sample_factors


@pytest.fixture(scope="module")
def train():
    return draw_digits(2000, seed=0, split="train")


@pytest.fixture(scope="module")
def test():
    return draw_digits(2000, seed=0, split="test")


def rows(factors, which):
    return {name: values[which] for name, values in factors.items()}


def plain(n, **changes):
    """Factors of n upright, undisturbed digits 1 without a flag: straight lines."""
    values = {"digit": 1, "style": 0, "scale": 1.0, "aspect": 1.0, "width": 2.5, **changes}
    return {
        name: torch.full_like(like, values.get(name, 0))
        for name, like in sample_factors(n, seed=0, split="train").items()
    }


def swept(factors, name, value):
    return {**factors, name: torch.full_like(factors[name], value)}


def centres(images):
    """Centre of mass (n,) in x and y."""
    ink, place = images.double(), torch.arange(28.0, dtype=torch.float64)
    mass = ink.sum((1, 2, 3))
    return (ink * place).sum((1, 2, 3)) / mass, (ink * place[:, None]).sum((1, 2, 3)) / mass


def lean(image):
    """Pixels to the right for each pixel down, of the line that fits the ink best."""
    y, x = torch.nonzero(image[0] > 0.5).double().T
    return (((x - x.mean()) * (y - y.mean())).sum() / ((y - y.mean()) ** 2).sum()).item()


def touches_border(images):
    frame = images.clone()
    frame[..., 1:-1, 1:-1] = 0
    return frame.amax((1, 2, 3)) > 0


# ---- what is drawn


def test_form(train):
    images, factors = train
    assert (images.dtype, images.shape) == (torch.float32, (2000, 1, 28, 28))
    assert images.is_contiguous() and images.min() == 0 and images.max() == 1
    assert factors.keys() == {
        *("digit", "style", "slant", "rotation", "scale", "aspect", "width"),
        *("shift_x", "shift_y", "wobble"),
    }
    for name, values in factors.items():
        assert values.dtype == (torch.int64 if name in ("digit", "style") else torch.float32)
        assert len(values) == 2000 and values.ndim == (3 if name == "wobble" else 1)


def test_every_digit_is_as_likely_and_every_style_occurs(train):
    counts = torch.zeros(10, 3)
    counts.index_put_((train[1]["digit"], train[1]["style"]), torch.ones(2000), accumulate=True)
    assert (counts.sum(1) - 200).abs().max() < 4 * math.sqrt(180)  # four standard deviations
    assert counts.min() > 10


def test_proportions_are_those_of_mnist(train):
    images = train[0][:, 0]
    height = (images.amax(2) > 0.5).sum(1).float()
    assert 18 < height.mean() < 20.5 and 0.1 < images.mean() < 0.15
    assert ((images > 0) & (images < 1)).float().mean() > 0.05  # soft edges


def test_no_digit_is_cut_by_the_border(train, test):
    images = torch.cat([train[0], test[0]])
    assert touches_border(images).float().mean() <= 0.005
    assert train[0][..., 1:-1, 1:-1].amax((1, 2, 3)).min() == 1


def test_a_class_is_a_class(train, test):
    """Ridge regression on pixels: MNIST's linear classifiers reach about 0.85."""
    x, new = (
        torch.nn.functional.pad(images.flatten(1).double(), (1, 0), value=1)
        for images, _ in (train, test)
    )
    target = torch.nn.functional.one_hot(train[1]["digit"], 10).double()
    weights = torch.linalg.solve(x.T @ x + 30 * torch.eye(785), x.T @ target)
    accuracy = ((new @ weights).argmax(1) == test[1]["digit"]).double().mean()
    assert 0.8 < accuracy < 0.97  # and yet no toy


# ---- the same numbers give the same digits


def test_the_first_rows_do_not_depend_on_how_many_follow(train):
    for n in (1, 7, 1999):
        for name, values in sample_factors(n, seed=0, split="train").items():
            assert torch.equal(values, train[1][name][:n]), name


def test_seed_and_split_decide(train, test):
    again, factors = draw_digits(50, seed=0, split="train")
    assert torch.equal(again, train[0][:50])
    for other in (sample_factors(50, seed=1, split="train"), rows(test[1], slice(50))):
        for name in factors:
            assert not torch.equal(other[name], factors[name]), name


def test_the_streams_of_the_factors_are_independent(train):
    numbers = torch.stack([v.double() for v in train[1].values() if v.ndim == 1])
    wobble = train[1]["wobble"][:, [0, 5, 10]].flatten(1).double().T
    correlation = torch.corrcoef(torch.cat([numbers, wobble])) - torch.eye(len(numbers) + 6)
    assert correlation.abs().max() < 5 / math.sqrt(2000)  # five standard deviations


def test_no_two_images_are_equal(train, test):
    pictures = {image.numpy().tobytes() for image in torch.cat([train[0], test[0]])}
    assert len(pictures) == 4000


def test_rendering_does_not_depend_on_threads(train):
    before = torch.get_num_threads()
    try:
        drawn = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            drawn.append(render_digits(train[1]))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*drawn) and torch.equal(drawn[0], train[0])


def test_rendering_does_not_depend_on_the_batch(train, monkeypatch):
    images, factors = train
    alone = torch.cat([render_digits(rows(factors, slice(i, i + 1))) for i in range(300)])
    assert torch.equal(alone, images[:300])
    assert torch.equal(render_digits(rows(factors, slice(None, None, 3))), images[::3])
    monkeypatch.setattr(digits, "CHUNK", 37)
    assert torch.equal(render_digits(rows(factors, slice(5, 405))), images[5:405])


def test_rendering_leaves_the_factors_alone(train):
    before = {name: values.clone() for name, values in train[1].items()}
    render_digits(train[1])
    assert all(torch.equal(before[name], values) for name, values in train[1].items())


# ---- ink is the distance to the pen's path, by another road


def written(factors, i, dots=400):
    """Dots along the path of digit i, as complex numbers x + iy: Hermite curves, rotated by a
    product of complex numbers."""
    f = {name: values[i].double().numpy() for name, values in factors.items()}
    text = digits.TEMPLATES[3 * int(f["digit"]) + int(f["style"])]
    strokes = [[complex(*map(float, p.split(","))) for p in s.split()] for s in text.split("|")]
    names = list(dict.fromkeys(p for stroke in strokes for p in stroke))
    sides = [p.real for p in names], [p.imag for p in names]
    middle = complex(*((min(side) + max(side)) / 2 for side in sides))
    t, path = np.linspace(0, 1, dots), []
    for stroke in strokes:
        z = [(p - middle) * 0.17 + complex(*f["wobble"][names.index(p)]) for p in stroke]
        slope = [(b - a) / 2 for a, b in zip([z[0], *z[:-1]], [*z[1:], z[-1]], strict=True)]
        for a, b, da, db in zip(z, z[1:], slope, slope[1:], strict=False):
            curve = (1 + 2 * t) * (1 - t) ** 2 * a + t**2 * (3 - 2 * t) * b
            path.append(curve + t * (1 - t) ** 2 * da - t**2 * (1 - t) * db)
    z = np.concatenate(path) * f["scale"]
    z = (z.real * f["aspect"] - f["slant"] * z.imag + 1j * z.imag) * np.exp(-1j * f["rotation"])
    return z + complex(f["shift_x"], f["shift_y"]) + 13.5 * (1 + 1j)


def ink_of_dots(dots, width):
    pixels = np.arange(28) + 1j * np.arange(28)[:, None]
    distance = np.abs(pixels[..., None] - dots).min(-1)
    return torch.from_numpy(np.clip(width / 2 + 0.5 - distance, 0, 1))


def test_ink_follows_the_curve(train):
    """The straight pieces stay within about 0.3 pixel of the curve, hence the ink too."""
    images, factors = train
    labels = 3 * factors["digit"] + factors["style"]
    for i in [torch.nonzero(labels == label)[0].item() for label in range(30)]:
        error = images[i, 0] - ink_of_dots(written(factors, i), factors["width"][i].item())
        assert error.abs().max() < 0.35 and error.abs().mean() < 0.01, i


def test_ink_is_the_distance_to_the_segments(train):
    """Against dots 0.01 pixel apart or less: at most 0.005 from the nearest, so 0.006 with
    rounding where the distance is small, and far less at the pen's edge."""
    images, factors = train
    x, y = digits._segments({name: values[:12].numpy() for name, values in factors.items()})
    t = np.linspace(0, 1, 501)[:, None]
    for i in range(12):
        z = x[..., i] + 1j * y[..., i]
        dots = (z[0] * (1 - t) + z[1] * t).ravel()
        assert np.abs(z[1] - z[0]).max() < 5
        error = images[i, 0] - ink_of_dots(dots, factors["width"][i].item())
        assert error.abs().max() < 0.006


def test_a_stroke_without_length_is_a_dot():
    image = render_digits(plain(1, scale=0.0, width=3.0))[0, 0]
    expected = ink_of_dots(np.array([13.5 + 13.5j]), 3.0)
    assert torch.allclose(image.double(), expected, atol=1e-6) and image.sum() > 4


# ---- a factor does what its name says


def test_the_pen_is_as_wide_as_asked():
    for width in (1.5, 2.0, 3.5):  # a vertical line: every row across it holds the pen's width
        row = render_digits(plain(1, width=width))[0, 0, 14]
        assert row.sum().item() == pytest.approx(width, abs=1e-5)


def test_a_wider_pen_inks_more(train):
    factors = rows(train[1], slice(200))
    thin, thick = (render_digits(swept(factors, "width", w)) for w in (2.0, 2.3))
    assert (thick >= thin).all() and (thick.sum((1, 2, 3)) > thin.sum((1, 2, 3)) + 2).all()


@pytest.mark.parametrize("name, moved", [("shift_x", (3, 0)), ("shift_y", (0, 3))])
def test_a_shift_moves_the_digit(train, name, moved):
    factors = swept(rows(train[1], slice(200)), "scale", 0.8)
    before, after = (render_digits(swept(factors, name, s)) for s in (-1.5, 1.5))
    whole = ~(touches_border(before) | touches_border(after))
    assert whole.sum() > 150
    for a, b, pixels in zip(centres(before), centres(after), moved, strict=True):
        assert torch.allclose((b - a)[whole], torch.tensor(pixels, dtype=a.dtype), atol=1e-4)


def test_no_shift_puts_the_box_in_the_middle():
    x, y = centres(render_digits(plain(1)))
    assert x.item() == pytest.approx(13.5, abs=1e-5) and y.item() == pytest.approx(13.5, abs=1e-5)


@pytest.mark.parametrize("slant", [-0.3, 0.5])
def test_positive_slant_leans_right(slant):
    assert lean(render_digits(plain(1, slant=slant))[0]) == pytest.approx(-slant, abs=0.03)


@pytest.mark.parametrize("angle", [-0.2, 0.4])
def test_positive_rotation_is_counter_clockwise(angle):
    image = render_digits(plain(1, rotation=angle))[0]
    assert lean(image) == pytest.approx(math.tan(angle), abs=0.03)


def test_scale_and_aspect_stretch_the_digit():
    def extent(**changes):
        image = render_digits(plain(1, digit=0, **changes))[0, 0]
        return image.amax(1).sum().item(), image.amax(0).sum().item()  # rows, then columns

    (high, wide), pen = extent(), 2.5
    assert extent(scale=0.8) == pytest.approx(
        (pen + 0.8 * (high - pen), pen + 0.8 * (wide - pen)), abs=0.3
    )
    assert extent(aspect=1.3) == pytest.approx((high, pen + 1.3 * (wide - pen)), abs=0.3)


def test_two_hands_differ(train):
    """Wobble alone: the same 3 moves by a pixel here and there, yet stays about where it was."""
    threes = {**plain(2000, digit=3), "wobble": train[1]["wobble"]}
    steady = render_digits(plain(1, digit=3))
    share = (render_digits(threes) * steady).sum((1, 2, 3)) / steady.square().sum()
    assert 0.45 < share.mean() < 0.8
    wobble = train[1]["wobble"]
    assert wobble.std().item() == pytest.approx(digits.WOBBLE, rel=0.03)
    neighbours = (wobble[:, :-1] * wobble[:, 1:]).mean() / wobble.square().mean()
    assert neighbours.item() == pytest.approx(2 / 3, abs=0.03)


# ---- errors


@pytest.mark.parametrize("n", [0, -3])
def test_too_few(n):
    for draw in (sample_factors, draw_digits):
        with pytest.raises(ValueError, match=rf"n >= 1.*{n}"):
            draw(n, seed=0, split="train")


def test_negative_seed():
    with pytest.raises(ValueError, match="seed >= 0.*-1"):
        draw_digits(3, seed=-1, split="train")


def test_unknown_split():
    with pytest.raises(ValueError, match="'train' or 'test'.*'valid'"):
        draw_digits(3, seed=0, split="valid")


@pytest.mark.parametrize("name", sorted(digits.SHAPES))
def test_missing_factor(name):
    factors = plain(3)
    del factors[name]
    with pytest.raises(ValueError, match=f"no {name}$"):
        render_digits(factors)


@pytest.mark.parametrize("name", sorted(set(digits.SHAPES) - {"digit"}))
def test_unequal_lengths(name):
    with pytest.raises(ValueError, match=rf"expected {name} .*\(3.*\(2"):
        render_digits({**plain(3), name: plain(2)[name]})


def test_misshapen_wobble():
    with pytest.raises(ValueError, match=r"wobble .*\(3, 14, 2\).*\(3, 13, 2\)"):
        render_digits({**plain(3), "wobble": torch.zeros(3, 13, 2)})


@pytest.mark.parametrize("name, label", [("digit", 10), ("digit", -1), ("style", 3)])
def test_label_out_of_range(name, label):
    with pytest.raises(ValueError):
        render_digits(plain(2, **{name: label}))
