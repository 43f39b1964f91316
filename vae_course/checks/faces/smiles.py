"""The direction of one factor where two go together: an oracle, and slips with their names."""

import torch
from torch import Generator, Tensor

from vae_course.checks.judging.inputs import normal


def faces(g: Generator) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(codes, smiles, glasses): who wears glasses smiles more often, and both move the code."""
    cases = []
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


def direction(codes: Tensor, smiles: Tensor, glasses: Tensor) -> Tensor:
    """The oracle: least squares on smile, glasses and their product, each -½ or ½."""
    s, g = smiles.to(codes) - 0.5, glasses.to(codes) - 0.5
    design = torch.stack([torch.ones_like(s), s, g, s * g], 1)
    return torch.linalg.lstsq(design, codes).solution[1]


def _mean(codes, who):
    return codes[who].mean(0)


def _plain(codes, smiles, glasses):
    return _mean(codes, smiles) - _mean(codes, ~smiles)


def _within(codes, smiles, who):
    """The difference among `who`."""
    return _mean(codes, smiles & who) - _mean(codes, ~smiles & who)


def _weighted(codes, smiles, glasses):
    share = glasses.double().mean()
    return share * _within(codes, smiles, glasses) + (1 - share) * _within(codes, smiles, ~glasses)


def _without_product(codes, smiles, glasses):
    design = torch.stack([torch.ones_like(smiles), smiles, glasses], 1).to(codes)
    return torch.linalg.lstsq(design, codes).solution[1]


def _sums(codes, smiles, glasses):
    def among(who):
        return codes[smiles & who].sum(0) - codes[~smiles & who].sum(0)

    return (among(glasses) + among(~glasses)) / 2


def _from_all(codes, smiles, glasses):
    def among(who):
        return _mean(codes, smiles & who) - _mean(codes, who)

    return (among(glasses) + among(~glasses)) / 2


def _medians(codes, smiles, glasses):
    def among(who):
        return codes[smiles & who].median(0).values - codes[~smiles & who].median(0).values

    return (among(glasses) + among(~glasses)) / 2


MISTAKES = {
    "This is the difference of all who smile and all who do not. More of the one kind wear "
    "glasses, so glasses come along.": _plain,
    "The sign is wrong: your direction takes a smile away.": lambda *case: -direction(*case),
    "The sign is wrong, and glasses come along.": lambda *case: -_plain(*case),
    "You take the difference among those with glasses only. Both kinds count.": (
        lambda c, s, g: _within(c, s, g)
    ),
    "You take the difference among those without glasses only. Both kinds count.": (
        lambda c, s, g: _within(c, s, ~g)
    ),
    "The larger kind has the larger weight. Both kinds should count the same.": _weighted,
    "This is a linear regression on smile and glasses. It weighs the two kinds by their numbers; "
    "here both should count the same.": _without_product,
    "The two differences are added. Average them, or you ask for twice the smile.": (
        lambda *case: 2 * direction(*case)
    ),
    "The two differences are subtracted from one another. That is what glasses do to a smile.": (
        lambda c, s, g: _within(c, s, g) - _within(c, s, ~g)
    ),
    "This is the direction of glasses, among those who smile and those who do not.": (
        lambda c, s, g: direction(c, g, s)
    ),
    "This is the direction of glasses.": lambda c, s, g: _plain(c, g, s),
    "These are sums, not means: they grow with the number of faces.": _sums,
    "You compare those who smile with all faces of their kind. Compare with those who do not.": (
        _from_all
    ),
    "You normalised it. Its length says how much a smile is.": (
        lambda *case: direction(*case) / direction(*case).norm()
    ),
    "You compare faces that smile and wear glasses with those that do neither.": (
        lambda c, s, g: _mean(c, s & g) - _mean(c, ~s & ~g)
    ),
    "You took the medians. The task asks for means.": _medians,
    "You averaged over the latents, too. A direction has one number for each of them.": (
        lambda *case: direction(*case).mean()
    ),
    "This is one difference for each kind. Average the two.": (
        lambda c, s, g: torch.stack([_within(c, s, ~g), _within(c, s, g)])
    ),
}
