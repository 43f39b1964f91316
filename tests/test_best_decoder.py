import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_course.exact.best_decoder import best_decoder
from vae_course.objectives import Gaussian


def example(n=7, latents=3):
    posterior = Gaussian(
        torch.randn(n, latents).double(), 0.5 * torch.randn(n, latents).double() - 0.5
    )
    return posterior, torch.rand(n, 2, 3, 4).double()


def test_weights_against_torch_distributions():
    posterior, pictures = example()
    z = torch.randn(50, 3).double()
    each = Independent(Normal(posterior.mean, posterior.log_std.exp()), 1)
    aggregate = MixtureSameFamily(Categorical(torch.ones(7)), each)
    expected = (each.log_prob(z[:, None]) - aggregate.log_prob(z)[:, None]).exp() / 7
    assert torch.allclose(best_decoder(z, posterior, pictures).weights, expected)


def test_mean_adds_up_pictures_one_by_one():
    posterior, pictures = example()
    weights, mean = best_decoder(torch.randn(5, 3).double(), posterior, pictures)
    for row, picture in zip(weights, mean, strict=True):
        assert torch.allclose(picture, sum(w * x for w, x in zip(row, pictures, strict=True)))


def test_no_other_answer_has_a_smaller_error_over_draws():
    # One latent, cut into cells: the average of the pictures that sent a z of the cell is best.
    posterior = Gaussian(
        torch.tensor([[-1.0], [0.0], [1.5]]), torch.tensor([[-0.5], [-1.0], [0.0]])
    )
    pictures = torch.tensor([0.0, 1.0, 5.0]).view(3, 1, 1, 1)
    sent = torch.randint(3, (400_000,))
    z = posterior.mean[sent] + posterior.log_std[sent].exp() * torch.randn(400_000, 1)
    for low in (-2.0, -0.5, 0.2, 1.0):
        inside = ((z >= low) & (z < low + 0.1))[:, 0]
        found = pictures[sent[inside]].mean()
        middle = torch.tensor([[low + 0.05]])
        assert best_decoder(middle, posterior, pictures).mean.item() == pytest.approx(
            found.item(), abs=0.15
        )


def test_posteriors_far_apart_give_back_their_own_picture():
    mean = torch.arange(4.0)[:, None] * 100
    pictures = torch.rand(4, 1, 2, 2)
    found = best_decoder(mean, Gaussian(mean, torch.zeros(4, 1)), pictures)
    assert torch.equal(found.weights, torch.eye(4)) and torch.equal(found.mean, pictures)


def test_equal_posteriors_give_the_mean_picture():
    pictures = torch.rand(4, 1, 2, 2)
    found = best_decoder(torch.randn(3, 2), Gaussian(torch.ones(4, 2), torch.zeros(1)), pictures)
    assert torch.allclose(found.mean, pictures.mean(0).expand(3, 1, 2, 2))


def test_numbers_that_do_not_fit_are_refused():
    posterior, pictures = example()
    with pytest.raises(ValueError, match=r"7 pictures, but z is \(5, 2\)"):
        best_decoder(torch.zeros(5, 2), posterior, pictures)
    with pytest.raises(ValueError, match=r"6 pictures.*posteriors are \(7, 3\)"):
        best_decoder(torch.zeros(5, 3), posterior, pictures[:6])
