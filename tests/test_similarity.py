import numpy as np
import pytest
import torch

from vae_course.evaluation.similarity import amplitudes, ssim


def window_by_window(x, y):
    """SSIM of two (H, W) pictures from Wang et al. 2004, in NumPy, a loop over windows."""
    found = []
    for i in range(x.shape[0] - 6):
        for j in range(x.shape[1] - 6):
            p, q = x[i : i + 7, j : j + 7].ravel(), y[i : i + 7, j : j + 7].ravel()
            (var_p, both), (_, var_q) = np.cov(p, q, bias=True)
            top = (2 * p.mean() * q.mean() + 0.01**2) * (2 * both + 0.03**2)
            bottom = (p.mean() ** 2 + q.mean() ** 2 + 0.01**2) * (var_p + var_q + 0.03**2)
            found.append(top / bottom)
    return np.mean(found)


@pytest.mark.parametrize("shape", [(3, 1, 9, 9), (2, 3, 7, 12)])
def test_ssim_window_by_window(shape):
    x = torch.rand(shape).double()
    y = (x + 0.3 * torch.randn(shape).double()).clamp(0, 1)
    expected = [
        np.mean([window_by_window(*planes) for planes in zip(a.numpy(), b.numpy(), strict=True)])
        for a, b in zip(x, y, strict=True)
    ]
    assert ssim(x, y).tolist() == pytest.approx(expected, rel=1e-9)


def test_ssim_of_equal_inverted_and_broadcast_pictures():
    x = torch.rand(4, 1, 8, 8).double()
    assert torch.allclose(ssim(x, x), torch.ones(4).double())
    assert torch.allclose(ssim(x, 1 - x), ssim(1 - x, x)) and (ssim(x, 1 - x) < 0).all()
    assert torch.allclose(ssim(x, x[:1]), torch.cat([ssim(one[None], x[:1]) for one in x]))


def test_ssim_refuses_pictures_smaller_than_a_window():
    with pytest.raises(ValueError, match=r"7 x 7 pixels.*\(1, 1, 6, 9\)"):
        ssim(torch.zeros(1, 1, 6, 9), torch.zeros(1, 1, 6, 9))


def test_amplitudes_of_a_shift_and_their_sum_of_squares():
    x = torch.randn(2, 1, 6, 8).double()
    assert torch.allclose(amplitudes(x.roll((2, -3), (2, 3))), amplitudes(x))
    squares = [values.square().sum((1, 2, 3)) for values in (amplitudes(x), x)]
    assert torch.allclose(*squares)


def test_amplitudes_wave_by_wave():
    x = torch.randn(1, 1, 3, 4).double()
    rows, columns = np.mgrid[:3, :4]
    for u, v in np.ndindex(3, 4):
        wave = np.exp(-2j * np.pi * (u * rows / 3 + v * columns / 4))
        expected = abs((x[0, 0].numpy() * wave).sum()) / np.sqrt(12)
        assert amplitudes(x)[0, 0, u, v].item() == pytest.approx(expected)
