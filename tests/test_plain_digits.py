import pytest
import torch

from vae_course.data.drawn.digits import as_numbers, plain_factors, render_digits, sample_factors


def test_named_factors_are_those_of_sample_factors_and_the_rest_is_constant():
    drawn = sample_factors(50, seed=3, split="test")
    plain = plain_factors(50, ("digit", "slant"), seed=3, split="test")
    assert plain.keys() == drawn.keys()
    for name, values in plain.items():
        assert values.dtype == drawn[name].dtype and values.shape == drawn[name].shape
        if name in ("digit", "slant"):
            assert torch.equal(values, drawn[name])
        else:
            assert (values == values[:1]).all()
    likeliest = {"rotation": 0.0, "scale": 1.0, "width": 2.7, "style": 0, "shift_x": 0.0}
    assert {name: round(plain[name][0].item(), 4) for name in likeliest} == likeliest
    assert (plain["wobble"] == 0).all()


def test_digits_of_one_kind_are_one_picture():
    factors = plain_factors(40, seed=0, split="train")
    pictures = render_digits(factors)
    assert len(pictures.unique(dim=0)) == len(factors["digit"].unique()) > 5


def test_an_unknown_factor_is_refused():
    with pytest.raises(ValueError, match=r"digit, style.*\['colour'\]"):
        plain_factors(3, ("digit", "colour"), seed=0, split="train")


def test_factors_as_numbers():
    factors = {
        "digit": torch.tensor([3, 0]),
        "rotation": torch.tensor([-0.25, 0.125]),
        "width": torch.tensor([3.9, 2.75]),
    }
    numbers = as_numbers(factors, ("digit", "rotation", "width"))
    digit = [[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    expected = torch.tensor([[*digit[0], -1, 1], [*digit[1], 0.5, 0]])
    assert numbers.dtype == torch.float32 and torch.allclose(numbers, expected, atol=1e-6)
    with pytest.raises(ValueError, match="digit or one of slant.*'wobble'"):
        as_numbers(factors, ("wobble",))
