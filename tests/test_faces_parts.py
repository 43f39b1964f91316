"""What the tool behind a table of chapter 10 takes out of a model, and the record that it left."""

import json
import math

import faces_parts
import pytest
import torch
from torch.nn.functional import unfold

from vae_course.models import TransformerVAE

Z = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def small(row):
    options, change = faces_parts.ROWS[row]
    torch.manual_seed(0)
    size = {"patch": 4, "width": 16, "depth": 2, "heads": 2}
    model = TransformerVAE((3, 16, 16), 4, std="optimal", **size | options).eval()
    change(model)
    return model.requires_grad_(False)


def patches(pictures, side=4):
    return unfold(pictures, side, stride=side)


def places_that_follow_one_token(model):
    """Which patches of a decoded picture change when one place gets another position."""
    before = patches(model.decode(Z).mean)
    model.decoder.positions[5] += torch.linspace(-1, 2, 16).roll(3)  # no constant: norms undo it
    return ((patches(model.decode(Z).mean) - before).abs().amax((0, 1)) > 1e-5).nonzero().flatten()


def test_without_positions_the_decoder_paints_one_patch_everywhere():
    decoded = patches(small("without positions").decode(Z).mean)
    assert torch.allclose(decoded, decoded[..., :1].expand_as(decoded), atol=1e-5)
    whole = patches(small("all parts").decode(Z).mean)
    assert (whole - whole[..., :1]).abs().max() > 0.01


@pytest.mark.parametrize("row", [row for row in faces_parts.ROWS if "without attention" in row])
def test_without_attention_no_place_hears_of_another(row):
    assert places_that_follow_one_token(small(row)).tolist() == [5]
    assert len(places_that_follow_one_token(small("all parts"))) == 16


def test_the_mean_of_tokens_forgets_their_order_once_positions_are_gone():
    model = small("mean of all tokens, no summary")
    x = torch.rand(2, 3, 16, 16)
    turned = x.unflatten(2, (4, 4)).flip(2).flatten(2, 3)  # rows of patches, upside down
    assert not torch.allclose(model.encode(x).mean, model.encode(turned).mean, atol=1e-4)
    model.encoder.positions.zero_()
    assert torch.allclose(model.encode(x).mean, model.encode(turned).mean, atol=1e-5)
    assert "summary" not in dict(model.encoder.named_parameters())


def test_what_was_zeroed_stays_zero_in_training():
    model = small("without attention in the decoder").requires_grad_(True)
    faces_parts.without_attention(model.decoder)
    faces_parts.fit(model, lambda m, x: -m.elbo(x).total.mean(), torch.rand(8, 3, 16, 16), steps=2)
    for block in model.decoder.blocks[:-1]:
        assert block.self_attn.out_proj.weight.abs().max() == 0
    assert model.encoder.blocks[0].self_attn.out_proj.weight.abs().max() > 0


def test_the_record_has_every_row():
    record = json.loads(faces_parts.RECORD.read_text())
    assert record["rows"].keys() == faces_parts.ROWS.keys()
    assert record["steps"] == sum(steps for _, steps in faces_parts.STAGES)
    (seeds,) = {tuple(found) for found in record["rows"].values()}
    assert record["command"] == f"python tools/faces_parts.py {' '.join(seeds)}"
    for found in record["rows"].values():
        for one in found.values():
            assert math.isfinite(one["elbo"][0]) and 0 < one["elbo"][1] < 100
