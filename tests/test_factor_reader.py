import numpy as np
import pytest
import torch

from vae_course.evaluation.factor_reader import fit_reader


def pictures_of(factors, seed=0):
    """Pictures that depend on the factors by a random linear map."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(len(factors), 3 * 8 * 8, generator=generator)
    return (torch.stack(list(factors.values()), 1) @ maps).unflatten(1, (3, 8, 8))


def test_linear_factors_are_read_exactly_from_new_pictures():
    generator = torch.Generator().manual_seed(1)
    draw = {name: torch.randn(60, generator=generator) for name in ("smile", "turn")}
    pictures = pictures_of(draw)
    reader = fit_reader(pictures[:40], {k: v[:40] for k, v in draw.items()}, ridge=1e-7)
    found = reader.read(pictures[40:])
    assert list(found) == ["smile", "turn"]
    for name, values in draw.items():
        assert torch.allclose(found[name], values[40:], atol=1e-3)


@pytest.mark.parametrize("ridge", [1e-3, 0.3])
def test_weights_against_the_normal_equations(ridge):
    torch.manual_seed(0)
    pictures, factor = torch.rand(30, 1, 4, 4), torch.rand(30)
    seen = pictures.reshape(30, 2, 2, 2, 2).permute(0, 1, 3, 2, 4).double().numpy()
    seen = seen.reshape(30, 4, 4).mean(2)  # two by two pixels
    seen, target = seen - seen.mean(0), (factor.double() - factor.double().mean()).numpy()
    penalty = ridge * (seen**2).sum() / 30
    expected = np.linalg.solve(seen.T @ seen + penalty * np.eye(4), seen.T @ target)
    found = fit_reader(pictures, {"a": factor}, ridge=ridge).weights[:, 0]
    assert np.allclose(found, expected, atol=1e-4)


def test_whole_numbers_are_factors_too():
    glasses = torch.tensor([0, 1] * 10)
    pictures = pictures_of({"glasses": glasses.float()})
    assert torch.allclose(
        fit_reader(pictures, {"glasses": glasses}).read(pictures)["glasses"],
        glasses.float(),
        atol=0.01,
    )


def test_factors_must_be_one_number_a_picture():
    with pytest.raises(ValueError, match=r"one number of light for each of 5 .* got \(4,\)"):
        fit_reader(torch.rand(5, 1, 4, 4), {"light": torch.rand(4)})
