"""The doctor and a prior that is not N(0, I): right losses pass, wrong ones are named."""

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from vae_course.doctor import check_loss, examine, watch
from vae_course.doctor.loss.prior import KlToPrior
from vae_course.models import VAE, FullGaussian, GaussianMixture
from vae_course.objectives import gaussian_log_likelihood, kl_standard_normal

LATENTS, PIXELS = 3, 25
MIDDLES = torch.tensor([[-2.0, 0.0, 1.0], [1.5, 1.0, -1.0]])
WIDTHS = torch.tensor([[0.7, 1.3, 0.5], [1.0, 0.4, 0.8]])
# Of torch alone: none of our formulas.
HILLS = MixtureSameFamily(
    Categorical(torch.tensor([0.3, 0.7])), Independent(Normal(MIDDLES, WIDTHS), 1)
)
WIDE = MultivariateNormal(torch.tensor([1.0, 0.0, -1.0]), torch.diag(torch.tensor([4.0, 0.5, 2.0])))
PLAIN = MultivariateNormal(torch.zeros(LATENTS), torch.eye(LATENTS))


class Wrapped(nn.Module):
    """A distribution as a prior of ours."""

    def __init__(self, distribution):
        super().__init__()
        self.log_prob, self.sample = distribution.log_prob, lambda n: distribution.sample((n,))


def by_draws(prior, meaning=1.0, weight=1.0, forget=(), noise=0.3):
    """squares / 2σ² + weight · KL, the KL by one draw of z for each example."""

    def loss(x, decoded, mean, spread):
        q = Normal(mean, (meaning * spread).exp())
        z = q.rsample()
        log_q = 0 if "log_q" in forget else q.log_prob(z).sum(1)
        log_p = 0 if "log_p" in forget else prior.log_prob(z)
        return ((x - decoded).square().sum(1) / (2 * noise**2) + weight * (log_q - log_p)).mean()

    return loss


def told(loss, prior=None, spread="log_std", **options):
    return check_loss(loss, (PIXELS,), (LATENTS,), spread=spread, prior=prior, **options)


@pytest.mark.parametrize("prior", [HILLS, Wrapped(WIDE)], ids=["torch's", "a module"])
def test_a_right_kl_by_draws_is_right(prior):
    report = told(by_draws(prior), prior)
    assert report.names == ()
    assert report.measurements["β, the KL's weight"] == pytest.approx(1, abs=0.1)


def test_a_right_kl_with_a_formula_is_right():
    def loss(x, decoded, mean, spread):
        q = MultivariateNormal(mean, scale_tril=torch.diag_embed(spread.exp()))
        wide = MultivariateNormal(WIDE.mean.to(mean), WIDE.covariance_matrix.to(mean))
        return (5 * (x - decoded).square().sum(1) + kl_divergence(q, wide)).mean()

    assert told(loss, WIDE).names == ()
    assert "kl_wrong_form" in told(loss).names  # the same loss, and no word of its prior


WRONG = {
    "to N(0, I), by its formula": lambda x, u, m, s: (
        (x - u).square().sum(1) / 2 + kl_standard_normal(m, s)
    ).mean(),
    "without log p": by_draws(HILLS, forget=["log_p"]),
    "another mixture": by_draws(
        MixtureSameFamily(HILLS.mixture_distribution, Independent(Normal(-MIDDLES, WIDTHS), 1))
    ),
}


@pytest.mark.parametrize("loss", WRONG.values(), ids=WRONG)
def test_a_wrong_kl_is_caught(loss):
    assert "kl_wrong_form" in told(loss, HILLS).names


def test_other_slips_are_told_from_a_wrong_form():
    assert "log_std_as_log_var" in told(by_draws(HILLS, meaning=0.5), HILLS).names
    weighed = told(by_draws(HILLS, weight=0.07, noise=1.0), HILLS).measurements
    assert weighed["σ that the loss stands for"] == pytest.approx(0.07**0.5, rel=0.05)
    assert "kl_wrong_sign" in told(by_draws(HILLS, weight=-1.0), HILLS).names


def test_a_prior_that_is_the_standard_one_changes_no_verdict():
    loss = by_draws(PLAIN, forget=["log_q"])
    assert told(loss, Wrapped(PLAIN)).to_dict() == told(loss).to_dict()


def test_the_kl_to_a_prior_is_that_of_a_formula():
    torch.manual_seed(0)
    like = torch.zeros(())
    family = KlToPrior("", prior=WIDE, like=like, meaning="log_var")
    for _ in range(5):
        mean, log_var = torch.randn(LATENTS), torch.randn(LATENTS)
        q = MultivariateNormal(mean, log_var.exp().diag())
        found, error = family.averaged({"mean": mean, "spread": log_var})
        assert found == pytest.approx(kl_divergence(q, WIDE).item(), abs=error)


# ---- A whole model


@pytest.fixture
def model():
    """Untrained, with codes that lie about (1, …, 1)."""
    torch.manual_seed(0)
    made = VAE((PIXELS,), LATENTS, hidden=(16,), std=0.3)
    made.encoder[-1].bias.data[:LATENTS] += 1
    made.encoder[-1].weight.data[:LATENTS] *= 10
    made.encoder[-1].bias.data[LATENTS:] -= 1
    return made.requires_grad_(False)


IMAGES = torch.rand(300, PIXELS, generator=torch.Generator().manual_seed(0))


def loss_of(model):
    def loss(x, decoded, mean, log_std):
        q = Normal(mean, log_std.exp())
        z = q.rsample()
        kl = q.log_prob(z).sum(1) - model.prior.log_prob(z)
        return (kl - decoded.log_likelihood(x)).mean()

    return loss


@pytest.mark.parametrize("build", [FullGaussian, lambda d: GaussianMixture(d, 3)])
def test_a_model_with_a_fitted_prior_is_examined_by_it(model, build):
    before = examine(model.encode, model.decode, IMAGES)
    assert "aggregate_misses_prior" in before.names + before.notes
    model.prior = build(LATENTS).fit(model.encode(IMAGES))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    report = examine(model.encode, model.decode, IMAGES, loss_of(model))
    assert not {"kl_wrong_form", "kl_unknown", "aggregate_misses_prior"} & {
        *report.names,
        *report.notes,
    }
    assert report.measurements["E(μ² + σ²), latents in use"] == pytest.approx(1, abs=0.1)
    # The KL by torch's own sums, and many draws.
    mean, log_std = model.encode(IMAGES)
    q = Independent(Normal(mean, log_std.exp()), 1)
    z = q.sample((50,))
    nats = q.log_prob(z) - model.prior.log_prob(z.flatten(0, 1)).view(50, -1)
    assert report.measurements["KL, nats a picture"] == pytest.approx(nats.mean().item(), abs=0.3)
    assert report.measurements["KL, nats a picture"] < before.measurements["KL, nats a picture"]
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())

    def old(x, decoded, mean, log_std):  # forgot that the prior has changed
        return (kl_standard_normal(mean, log_std) - gaussian_log_likelihood(x, *decoded)).mean()

    assert "kl_wrong_form" in examine(model.encode, model.decode, IMAGES, old).names


def test_a_step_does_not_show_such_a_kl_and_says_so(model):
    model.prior = FullGaussian(LATENTS).fit(model.encode(IMAGES))
    model.requires_grad_(True)
    with watch(model) as seen:
        (-model.elbo(IMAGES[:64]).total.mean()).backward()
    with pytest.raises(ValueError, match=r"prior is not N\(0, I\).*examine"):
        seen.report()


def test_what_is_no_prior_is_an_error(model):
    with pytest.raises(TypeError, match="log_prob"):
        told(by_draws(HILLS), prior="a mixture")
    two = Normal(torch.zeros(LATENTS, 2), 1.0)
    with pytest.raises((ValueError, RuntimeError)):
        told(by_draws(HILLS), prior=Independent(two, 1))
