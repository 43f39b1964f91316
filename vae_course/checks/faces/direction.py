"""Task 6: the direction of one factor where two go together."""

import torch
from torch import Tensor

from vae_course.checks.judging.check import check
from vae_course.checks.judging.inputs import fresh, normal
from vae_course.checks.judging.together import Given, Then


def faces(seed: int | None) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(codes, smiles, glasses): who wears glasses smiles more often, and both move the code."""
    g, cases = fresh(seed), []
    for latents, counts in ((3, (4, 9, 7, 3)), (5, (12, 2, 3, 8)), (1, (5, 3, 2, 6))):
        smiles = torch.tensor([0, 0, 1, 1]).repeat_interleave(torch.tensor(counts)).bool()
        glasses = torch.tensor([0, 1, 0, 1]).repeat_interleave(torch.tensor(counts)).bool()
        pulls = normal(g, 4, latents) + 3 * torch.tensor([[1.0], [-1.0], [0.7], [0.4]]).double()
        codes = normal(g, len(smiles), latents, scale=0.5) + pulls[0]
        codes = codes + smiles[:, None] * pulls[1] + glasses[:, None] * pulls[2]
        codes = codes + (smiles & glasses)[:, None] * pulls[3]
        order = torch.randperm(len(codes), generator=g)
        cases.append((codes[order], smiles[order], glasses[order]))
    return cases


def mean(codes, who):
    return codes[who].mean(0)


def plain(codes, smiles, glasses):
    return mean(codes, smiles) - mean(codes, ~smiles)


def within(codes, smiles, who):
    """The difference among `who`."""
    return mean(codes, smiles & who) - mean(codes, ~smiles & who)


def weighted(codes, smiles, glasses):
    share = glasses.double().mean()
    return share * within(codes, smiles, glasses) + (1 - share) * within(codes, smiles, ~glasses)


def without_product(codes, smiles, glasses):
    design = torch.stack([torch.ones_like(smiles), smiles, glasses], 1).to(codes)
    return torch.linalg.lstsq(design, codes).solution[1]


def sums(codes, smiles, glasses):
    def among(who):
        return codes[smiles & who].sum(0) - codes[~smiles & who].sum(0)

    return (among(glasses) + among(~glasses)) / 2


def from_all(codes, smiles, glasses):
    def among(who):
        return mean(codes, smiles & who) - mean(codes, who)

    return (among(glasses) + among(~glasses)) / 2


def medians(codes, smiles, glasses):
    def among(who):
        return codes[smiles & who].median(0).values - codes[~smiles & who].median(0).values

    return (among(glasses) + among(~glasses)) / 2


SLIPS = {
    "This is the difference of all who smile and all who do not. More of the one kind wear "
    "glasses, so glasses come along.": plain,
    "The sign is wrong: your direction takes a smile away.": Then(torch.neg),
    "The sign is wrong, and glasses come along.": lambda *case: -plain(*case),
    "You take the difference among those with glasses only. Both kinds count.": (
        lambda c, s, g: within(c, s, g)
    ),
    "You take the difference among those without glasses only. Both kinds count.": (
        lambda c, s, g: within(c, s, ~g)
    ),
    "The larger kind has the larger weight. Both kinds should count the same.": weighted,
    "This is a linear regression on smile and glasses. It weighs the two kinds by their numbers; "
    "here both should count the same.": without_product,
    "The two differences are added. Average them, or you ask for twice the smile.": (
        Then(lambda direction: 2 * direction)
    ),
    "The two differences are subtracted from one another. That is what glasses do to a smile.": (
        lambda c, s, g: within(c, s, g) - within(c, s, ~g)
    ),
    "This is the direction of glasses, among those who smile and those who do not.": (
        Given(lambda codes, smiles, glasses: (codes, glasses, smiles))
    ),
    "This is the direction of glasses.": lambda c, s, g: plain(c, g, s),
    "These are sums, not means: they grow with the number of faces.": sums,
    "You compare those who smile with all faces of their kind. Compare with those who do not.": (
        from_all
    ),
    "You normalised it. Its length says how much a smile is.": (
        Then(lambda direction: direction / direction.norm())
    ),
    "You compare faces that smile and wear glasses with those that do neither.": (
        lambda c, s, g: mean(c, s & g) - mean(c, ~s & ~g)
    ),
    "This is the mean of those who smile. A direction leads from those who do not to them.": (
        lambda c, s, g: mean(c, s)
    ),
    "You compare smiles without glasses with all who do not smile, among whom some wear them.": (
        lambda c, s, g: mean(c, s & ~g) - mean(c, ~s)
    ),
    "You compare smiles with glasses with all who do not smile, among whom some wear none.": (
        lambda c, s, g: mean(c, s & g) - mean(c, ~s)
    ),
    "You took the medians. The task asks for means.": medians,
    "You averaged over the latents, too. A direction has one number for each of them.": (
        Then(torch.mean)
    ),
    "This is one difference for each kind. Average the two.": (
        lambda c, s, g: torch.stack([within(c, s, ~g), within(c, s, g)])
    ),
    "This is the mean of those who smile, of both kinds. Subtract that of those who do not.": (
        lambda c, s, g: (mean(c, s & g) + mean(c, s & ~g)) / 2
    ),
    "You compare smiles without glasses with glasses without a smile.": (
        lambda c, s, g: mean(c, s & ~g) - mean(c, ~s & g)
    ),
    "You subtract the direction of glasses. That takes glasses off, however many came along.": (
        lambda c, s, g: plain(c, s, g) - plain(c, g, s)
    ),
}


@check(
    cases=faces,
    slips=SLIPS,
    praise="A smile, and nothing of the glasses that so often come with it here.",
)
def direction(codes: Tensor, smiles: Tensor, glasses: Tensor) -> Tensor:
    """A smile without glasses, (N, d) and (N,) bool twice -> (d,).

    Here: least squares on smile, glasses and their product, each -½ or ½.
    """
    s, g = smiles.to(codes) - 0.5, glasses.to(codes) - 0.5
    design = torch.stack([torch.ones_like(s), s, g, s * g], 1)
    return torch.linalg.lstsq(design, codes).solution[1]
