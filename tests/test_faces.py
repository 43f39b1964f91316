import math

import pytest
import torch

from vae_course.data.drawn import faces
from vae_course.data.drawn.faces import draw_faces, render_faces, sample_factors
from vae_course.data.drawn.portrait import Portrait

LIMITS = {
    **dict.fromkeys(("smile", "turn", "brow", "face_width", "light", "parting"), (-1, 1)),
    **dict.fromkeys(("shift_x", "shift_y"), (-1.5, 1.5)),
    **dict.fromkeys(("hair_length", "fringe", "skin", "hair_colour"), (0, 1)),
    **dict.fromkeys(("eye_colour", "clothes", "background"), (0, 1)),
}
FACTORS = {"glasses", *LIMITS}
MIRRORED = ("turn", "light", "parting", "shift_x")


@pytest.fixture(scope="module")
def train():
    return draw_faces(200, seed=0, split="train")


@pytest.fixture(scope="module")
def test():
    return draw_faces(100, seed=0, split="test")


def rows(factors, which):
    return {name: values[which] for name, values in factors.items()}


def plain(n, **changes):
    """Factors of n faces that look straight ahead: light skin, short black hair, no fringe."""
    values = {"skin": 1.0, "hair_colour": 0.15, "background": 0.5, "clothes": 0.9, **changes}
    return {
        name: torch.as_tensor(values.get(name, 0)).to(like.dtype).expand(n).clone()
        for name, like in sample_factors(n, seed=0, split="train").items()
    }


def sweep(name, n=9, **others):
    """Pictures of one plain face while one factor goes from its lowest to its highest value."""
    return render_faces(plain(n, **others, **{name: torch.linspace(*LIMITS[name], n)}))


def extremes(train):
    """The drawn factors, each pushed out to the nearer of its limits."""
    factors = dict(train[1])
    for name, (low, high) in LIMITS.items():
        factors[name] = torch.where(factors[name] < (low + high) / 2, low, high).float()
    return factors


def rises(values, at_least=0.0):
    return (values.diff() > at_least).all()


def brightness(images):
    return images.mean(1)


def lips(images):
    """How much redder than skin each pixel about the mouth is, 0 where it is not: (n, 18, 24)."""
    about = images[:, :, 34:52, 20:44]
    redness = about[:, 0] - (about[:, 1] + about[:, 2]) / 2
    return (redness - 0.27).clamp(min=0)


def centre(weights, dim):
    """Centre of mass along dimension 1 (rows) or 2 (columns), pixels: (n,)."""
    place = torch.arange(weights.shape[dim], dtype=weights.dtype)
    return (weights.sum(3 - dim) * place).sum(1) / weights.sum((1, 2))


# ---- what is drawn


def test_form(train):
    images, factors = train
    assert (images.dtype, images.shape) == (torch.float32, (200, 3, 64, 64))
    assert images.is_contiguous() and factors.keys() == FACTORS
    for name, values in factors.items():
        assert values.dtype == (torch.int64 if name == "glasses" else torch.float32)
        assert values.shape == (200,)


def test_every_pixel_is_a_colour_even_at_the_limits(train):
    for images in (render_faces(train[1]), render_faces(extremes(train))):
        assert 0.05 <= images.min() < 0.18 and 0.87 < images.max() <= 0.92 + 1e-6


def test_factors_fill_the_ranges_that_are_documented(train):
    for name, (low, high) in LIMITS.items():
        values, reach = train[1][name], high - low
        assert low <= values.min() < low + 0.15 * reach, name
        assert high - 0.15 * reach < values.max() <= high, name
    assert set(train[1]["glasses"].tolist()) == {0, 1}
    assert 0.3 < train[1]["glasses"].float().mean() < 0.5


def test_64_numbers_tell_nearly_all(train):
    """What a VAE with 64 latents is asked to do is possible: even 64 linear ones come close."""
    images = draw_faces(300, seed=1, split="train")[0].flatten(1)
    middle = images.mean(0)
    directions = torch.linalg.svd(images - middle, full_matrices=False).Vh[:64]
    new = train[0].flatten(1) - middle
    left = new - new @ directions.T @ directions
    assert left.square().sum() / new.square().sum() < 0.15


def test_a_face_has_eyes(train):
    """White, and a dark pupil, on either side of the nose."""
    eyes = brightness(render_faces({**train[1], "turn": torch.zeros(200)}))[:, 25:37]
    for side in (eyes[..., 20:31], eyes[..., 33:44]):
        assert (side.amax((1, 2)) > 0.65).all() and (side.amin((1, 2)) < 0.3).all()


# ---- the same numbers give the same faces


def test_the_first_rows_do_not_depend_on_how_many_follow(train):
    for n in (1, 7, 199):
        for name, values in sample_factors(n, seed=0, split="train").items():
            assert torch.equal(values, train[1][name][:n]), name


def test_seed_and_split_decide(train, test):
    again, factors = draw_faces(50, seed=0, split="train")
    assert torch.equal(again, train[0][:50])
    for other in (sample_factors(50, seed=1, split="train"), rows(test[1], slice(50))):
        for name in factors:
            assert not torch.equal(other[name], factors[name]), name


def test_the_streams_of_the_factors_are_independent():
    numbers = torch.stack(
        [v.double() for v in sample_factors(5000, seed=0, split="train").values()]
    )
    correlation = torch.corrcoef(numbers) - torch.eye(len(numbers))
    assert correlation.abs().max() < 5 / math.sqrt(5000)  # five standard deviations


def test_no_two_images_are_equal(train, test):
    pictures = {image.numpy().tobytes() for image in torch.cat([train[0], test[0]])}
    assert len(pictures) == 300


def test_rendering_does_not_depend_on_the_batch(train, monkeypatch):
    factors = train[1]
    images = render_faces(factors)
    alone = torch.cat([render_faces(rows(factors, slice(i, i + 1))) for i in range(40)])
    assert torch.equal(alone, images[:40])
    assert torch.equal(render_faces(rows(factors, slice(None, None, 3))), images[::3])
    monkeypatch.setattr(faces, "CHUNK", 37)
    assert torch.equal(render_faces(rows(factors, slice(5, 155))), images[5:155])


def test_rendering_leaves_the_factors_and_the_random_state_alone(train):
    before = {name: values.clone() for name, values in train[1].items()}
    state = torch.get_rng_state()
    draw_faces(2, seed=0, split="train")
    render_faces(train[1])
    assert all(torch.equal(before[name], values) for name, values in train[1].items())
    assert torch.equal(state, torch.get_rng_state())


def test_windows_cut_nothing_off(train, monkeypatch):
    """Each part painted over the whole picture gives the same picture."""
    factors = extremes(train)
    images = render_faces(factors)
    monkeypatch.setattr(Portrait, "window", lambda self, *place: self)
    assert (render_faces(factors) - images).abs().max() < 1e-6


# ---- the camera


def test_the_noise_is_white_gaussian_and_of_the_std_that_is_said(train):
    """Against `torch.distributions`: moments, tails, and neighbours in space and colour."""
    noise = (train[0] - render_faces(train[1])) / 0.02
    few = noise.flatten()[::7].double()
    sure = 5 / len(few) ** 0.5  # five standard errors of a mean of unit variance
    assert few.mean().abs() < sure
    assert abs(few.square().mean() - 1) < 2**0.5 * sure
    for far in (1.0, 2.0, 3.0):
        share = 2 * torch.distributions.Normal(0, 1).cdf(torch.tensor(-far, dtype=torch.double))
        assert abs((few.abs() > far).double().mean() - share) < sure
    for dim in (0, 1, 2, 3):
        neighbours = noise.roll(1, dim).flatten()[::7].double() * few
        assert neighbours.mean().abs() < sure, dim


def test_no_noise_is_cut_off_even_at_the_limits(train):
    for images in (train[0], render_faces(extremes(train))):
        assert images.min() > 0 and images.max() < 1
    faint, strong = (draw_faces(20, seed=0, split="train", noise=n)[0] for n in (0.02, 0.2))
    assert faint.max() < 1 == strong.max() and strong.min() == 0  # [0, 1] holds all the same


def test_without_noise_a_picture_is_what_is_painted(train):
    images, factors = draw_faces(20, seed=0, split="train", noise=0)
    assert torch.equal(images, render_faces(factors))
    assert torch.equal(images, render_faces(rows(train[1], slice(20))))  # the same factors


def test_noise_follows_seed_split_and_face_alone(train, test):
    noise = train[0] - render_faces(train[1])
    again, factors = draw_faces(50, seed=0, split="train")
    assert torch.equal(again - render_faces(factors), noise[:50])
    unlike = [test[0] - render_faces(test[1]), noise[1:]]
    for other in unlike:
        pair = torch.stack([other[:50].flatten(), noise[:50].flatten()])
        assert torch.corrcoef(pair)[0, 1].abs() < 0.01  # 614 400 numbers: 8 standard errors


@pytest.mark.parametrize("noise", [-0.01, math.nan, math.inf])
def test_impossible_noise(noise):
    with pytest.raises(ValueError, match="noise .* from 0 up"):
        draw_faces(3, seed=0, split="train", noise=noise)


# ---- a factor does what its name says


def test_mirrored_factors_give_the_mirrored_face(train):
    mirrored = {k: -v if k in MIRRORED else v for k, v in train[1].items()}
    assert torch.allclose(render_faces(mirrored), render_faces(train[1]).flip(-1), atol=1e-4)


@pytest.mark.parametrize(("name", "dim"), [("shift_x", 3), ("shift_y", 2)])
def test_a_shift_moves_everything(train, name, dim):
    """By a pixel for each unit: all but the row or column that comes in at the border."""
    before, after = (
        render_faces({**train[1], name: torch.full((200,), value)}) for value in (-0.5, 0.5)
    )
    assert torch.allclose(after.narrow(dim, 1, 63), before.narrow(dim, 0, 63), atol=1e-4)


def test_every_step_of_every_factor_is_small():
    """A hundredth of its range moves no pixel far: there is nothing to jump to."""
    face = {"smile": 0.4, "turn": 0.2, "hair_length": 0.5, "fringe": 0.4, "light": 0.3}
    face |= {"parting": 0.3, "glasses": 1, "skin": 0.8, "hair_colour": 0.6, "eye_colour": 0.4}
    for name in LIMITS:
        others = {k: v for k, v in face.items() if k != name}
        steps = sweep(name, 101, **others).diff(dim=0).abs()
        assert steps.max() < 0.18, name
        assert steps.sum(0).max() > 0.2, name  # and yet the whole of it is seen


def test_glasses_change_only_what_is_near_the_eyes(train):
    without, with_ = (
        render_faces({**train[1], "glasses": torch.full((200,), worn)}) for worn in (0, 1)
    )
    change = (with_ - without).abs().amax((0, 1))
    assert change[:22].max() == 0 and change[39:].max() == 0
    assert change[:, :9].max() == 0 and change[:, 55:].max() == 0
    seen = ((with_ - without).abs().amax(1) > 0.1).sum((1, 2))
    assert seen.min() > 30  # pixels of the frame and of the glass, be skin and hair ever so dark


def test_a_smile_lifts_the_corners_of_the_mouth():
    """The red at the ends of the lips against that in the middle, seen from 32 places within a
    pixel, so that what is measured is not the grid of pixels."""
    smile, up, left = torch.meshgrid(
        torch.linspace(-1, 1, 9), torch.arange(8) / 8, torch.arange(4) / 4, indexing="ij"
    )
    factors = plain(288, smile=smile.ravel(), shift_y=up.ravel() - 0.5, shift_x=left.ravel() - 0.5)
    red = lips(render_faces(factors)).unflatten(0, (9, 32)).mean(1)
    corners = torch.cat([red[..., 6:8], red[..., 16:18]], dim=2)
    height = centre(red[..., 11:13], 1) - centre(corners, 1)  # rows count downwards
    assert rises(height, 0.2) and height[0] < -1.5 and height[-1] > 2


def test_only_a_broad_smile_shows_teeth():
    white = (sweep("smile")[:, :, 38:46, 28:36].amin(1) > 0.85).sum((1, 2))
    assert white[:6].max() == 0 and white[-1] >= 4


def test_a_turn_moves_the_features_further_than_the_head():
    images = sweep("turn")
    mouth = centre(lips(images), 2)
    head = centre((images - images[:, :, :1, :1]).abs().amax(1)[:, 4:40], 2)
    assert rises(mouth, 0.5) and mouth[-1] - mouth[0] > 6
    assert head[-1] - head[0] < 3


def test_the_side_that_turns_away_gets_narrower():
    """The dark of the two pairs of glasses' rims, from nose to temple, in columns."""
    worn, bare = (sweep("turn", 3, glasses=g) for g in (1, 0))
    rim = ((bare - worn).mean(1) > 0.1)[:, 27:35].any(1).float()
    first, last = rim.argmax(1), 63 - rim.flip(1).argmax(1)
    bridge = first[1] + last[1]
    assert bridge == 63  # straight ahead: symmetric
    wide = (last - first + 1).tolist()
    assert wide[0] < wide[1] and wide[2] < wide[1]


def test_light_from_the_right_brightens_the_right():
    images = brightness(sweep("light"))[:, 8:44]
    right, left = images[..., 33:44].mean((1, 2)), images[..., 20:31].mean((1, 2))
    assert rises(right - left, 0.01)
    assert (right - left)[0] < -0.07 and (right - left)[-1] > 0.07
    assert (right - left)[4].abs() < 1e-4


def test_skin_goes_from_deep_to_light():
    images = sweep("skin")
    for place in ((40, 24), (20, 32), (54, 32)):  # cheek, forehead, neck
        assert rises(brightness(images)[:, place[0], place[1]], 0.02), place


def dark(images):
    return brightness(images) < 0.3


def test_hair_grows():
    beside = dark(sweep("hair_length"))[:, 28:58, 8:56]
    amount = beside.sum((1, 2))
    assert rises(amount, 4)
    lowest = (beside.any(2).float() * torch.arange(30)).amax(1)
    assert lowest[-1] - lowest[0] > 10


def test_a_fringe_covers_the_forehead():
    forehead = brightness(sweep("fringe"))[:, 8:23, 32]  # down the middle, above the brows
    assert rises(-forehead.sum(1), 0.1)
    covered = (forehead < 0.45).sum(1)
    assert covered[-1] - covered[0] in (5, 6, 7)


def test_the_parting_leaves_one_side_of_the_forehead_free():
    forehead = brightness(sweep("parting"))[:, 12:22]
    assert rises(forehead[..., 22:31].mean((1, 2)) - forehead[..., 33:42].mean((1, 2)), 0.01)


def test_brows_rise():
    brows = 0.6 - brightness(sweep("brow"))[:, 20:28, 22:42]
    assert rises(-centre(brows.clamp(min=0), 1), 0.1)


def test_a_wide_face_is_wide():
    images = sweep("face_width", 5)
    width = dark(images)[:, 20:30].any(1).float()  # from hair to hair
    width = 64 - width.argmax(1) - width.flip(1).argmax(1)
    assert (width.diff() >= 0).all() and width[-1] - width[0] in (4, 6)


@pytest.mark.parametrize(
    ("name", "place"),
    [("hair_colour", (12, 32)), ("clothes", (60, 32)), ("background", (30, 3))],
)
def test_a_colour_changes_its_own_part(name, place):
    images = sweep(name, 7)
    colours = images[(..., *place)]
    between = torch.cdist(colours, colours) + torch.eye(7)
    assert between.min() > 0.03
    others = {"clothes": (30, 3), "background": (60, 32), "hair_colour": (60, 32)}
    assert images[(..., *others[name])].diff(dim=0).abs().max() == 0


def test_eyes_go_from_brown_to_blue():
    iris = sweep("eye_colour")[:, :, 30:33, 23:29].mean((2, 3))
    blueness = (iris[:, 2] - iris[:, 0]) / iris.sum(1)
    assert rises(blueness) and blueness[-1] - blueness[0] > 0.2


# ---- errors


@pytest.mark.parametrize("n", [0, -3])
def test_too_few(n):
    for draw in (sample_factors, draw_faces):
        with pytest.raises(ValueError, match=rf"n >= 1.*{n}"):
            draw(n, seed=0, split="train")


def test_negative_seed():
    with pytest.raises(ValueError, match="seed >= 0.*-1"):
        draw_faces(3, seed=-1, split="train")


def test_unknown_split():
    with pytest.raises(ValueError, match="'train' or 'test'.*'valid'"):
        draw_faces(3, seed=0, split="valid")


@pytest.mark.parametrize("name", sorted(FACTORS))
def test_missing_factor(name):
    factors = plain(3)
    del factors[name]
    with pytest.raises(ValueError, match=f"no {name}$"):
        render_faces(factors)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_unequal_lengths(name):
    with pytest.raises(ValueError, match=rf"expected {name} .*\(3.*\(2"):
        render_faces({**plain(3), name: plain(2)[name]})


@pytest.mark.parametrize("worn", [2, -1])
def test_glasses_are_worn_or_not(worn):
    with pytest.raises(ValueError, match=f"glasses .*0 or 1.*{worn}"):
        render_faces(plain(2, glasses=worn))
