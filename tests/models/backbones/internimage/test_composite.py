"""Two InternImages in a row: as two alone while the connections are zero, and the published sum when they are not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bev.models.backbones import CompositeInternImage, InternImage

NANO = dict(channels=16, depths=(1, 2, 1, 1), groups=(1, 2, 4, 8), layer_scale=None)
SIZE = (70, 100)  # maps of 18 x 25, 9 x 13, 5 x 7, 3 x 4: halves are rounded up


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def composite(**settings) -> CompositeInternImage:
    torch.manual_seed(0)
    return CompositeInternImage("t", **NANO, **settings).eval()


def alone(model: CompositeInternImage, index: int) -> InternImage:
    """One of the two backbones by itself, with the assisting one's stem."""
    single = InternImage("t", out_indices=(1, 2, 3), **NANO).eval()
    own = dict(model.cb_modules[index].state_dict())
    stem = {key: value for key, value in model.cb_modules[0].state_dict().items() if key.startswith("patch_embed.")}
    single.load_state_dict({**{key: value for key, value in own.items() if not key.startswith("gamma")}, **stem})
    return single


@torch.no_grad()
def test_with_zero_connections_it_is_two_backbones_behind_one_stem(images):
    model = composite()
    for index, maps in enumerate(model.forward_both(images)):
        for found, expected in zip(maps, alone(model, index)(images), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert [tuple(each.shape) for each in model(images)] == [(2, 32, 9, 13), (2, 64, 5, 7), (2, 128, 3, 4)]
    assert model.out_channels == (32, 64, 128)


@torch.no_grad()
def test_connections_add_this_and_all_later_stages(images):
    model = composite()
    assisting, lead = model.cb_modules
    for stage in range(4):
        getattr(lead, f"gamma{stage}").uniform_(0.5, 1.5)
    stem = assisting.patch_embed(images)
    maps = [each.permute(0, 3, 1, 2) for each in assisting.forward_stages(images)]
    x, expected = stem, []
    for stage in range(4):
        fed = maps[stage].clone()
        for later in range(stage + 1, 4):
            projected = model.cb_linears[stage][later - stage](maps[later])
            fed += F.interpolate(projected, size=fed.shape[-2:], mode="nearest")
        x = x + getattr(lead, f"gamma{stage}") * fed.permute(0, 2, 3, 1)
        x = lead.levels[stage](x)
        expected.append(x.permute(0, 3, 1, 2))
        x = lead.levels[stage].downsample(x) if stage < 3 else x
    for found, wanted in zip(model(images), expected[1:], strict=True):
        torch.testing.assert_close(found, wanted)


def test_keys_are_those_of_the_official_release():
    keys = set(composite().state_dict())
    assert not any(key.startswith("cb_modules.1.patch_embed") for key in keys)
    assert {f"cb_modules.1.gamma{stage}" for stage in range(4)} <= keys
    linears = {key for key in keys if key.startswith("cb_linears.")}
    pairs = ("0.1", "0.2", "0.3", "1.1", "1.2", "2.1")  # stage, and how many stages later
    assert linears == {f"cb_linears.{pair}.{part}" for pair in pairs for part in ("weight", "bias")}


def test_every_parameter_learns(images):
    model = composite(out_indices=(1, 2)).train()
    with torch.no_grad():
        for stage in range(3):
            getattr(model.cb_modules[1], f"gamma{stage}").fill_(0.1)
    sum(each.square().mean() for each in model(images)).backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_checkpointing_changes_no_gradient(images):
    gradients = []
    for with_cp in (False, True):
        model = composite(with_cp=with_cp)
        sum(each.square().mean() for each in model(images)).backward()
        gradients.append(model.cb_modules[0].patch_embed.conv1.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_unknown_stages_are_refused():
    with pytest.raises(ValueError, match="out_indices"):
        composite(out_indices=(1, 4))
