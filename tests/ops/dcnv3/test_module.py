"""The DCNv3 layer: official names, initialisation, and what it computes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from bev_ops.modules import DCNv3
from torch import nn


@pytest.mark.parametrize(
    ("variant", "arguments"),
    [
        ("t", {"channels": 64, "group": 4}),
        ("h", {"channels": 320, "group": 10, "dw_kernel_size": 5, "center_feature_scale": True}),
    ],
)
def test_parameters_are_the_official_ones(goldens: Path, variant: str, arguments: dict):
    keys = json.loads((goldens / f"internimage_{variant}_cls" / "keys.json").read_text())
    prefix = "levels.0.blocks.0.dcn."
    official = {key.removeprefix(prefix): shape for key, shape in keys.items() if key.startswith(prefix)}
    own = {key: list(value.shape) for key, value in DCNv3(**arguments).state_dict().items()}
    assert list(own.items()) == list(official.items())


def test_starts_as_an_average_over_the_window():
    torch.manual_seed(0)
    layer = DCNv3(8, group=2)
    x = torch.randn(2, 5, 6, 8)
    projected = layer.input_proj(x).permute(0, 3, 1, 2)
    mean = torch.nn.functional.avg_pool2d(projected, 3, stride=1, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(layer(x), layer.output_proj(mean))


def test_gate_mixes_the_projected_input_in():
    """An open gate (group 0) gives the projected input, a closed one (group 1) what was sampled."""
    torch.manual_seed(0)
    layer = DCNv3(8, group=2, center_feature_scale=True)
    plain = DCNv3(8, group=2)
    torch.nn.init.eye_(layer.output_proj.weight)
    plain.load_state_dict({key: value for key, value in layer.state_dict().items() if "center" not in key})
    layer.center_feature_scale_proj_bias.data = torch.tensor([50.0, -50.0])
    x = torch.randn(1, 4, 5, 8)
    output = layer(x)
    torch.testing.assert_close(output[..., :4], layer.input_proj(x)[..., :4])
    torch.testing.assert_close(output[..., 4:], plain(x)[..., 4:])
    assert not torch.allclose(output[..., :4], plain(x)[..., :4])


@pytest.mark.parametrize("norm", ["LN", "BN"])
def test_options(norm: str):
    torch.manual_seed(0)
    layer = DCNv3(8, kernel_size=5, pad=2, stride=2, group=2, norm_layer=norm, act_layer="ReLU", remove_center=True)
    x = torch.randn(2, 7, 8, 8, requires_grad=True)
    output = layer(x)
    assert output.shape == (2, 4, 4, 8)
    output.sum().backward()
    assert x.grad.abs().sum() > 0
    assert layer.mask.out_features == 2 * 24


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 9, "group": 2}, "2 groups don't divide 9 channels"),
        ({"channels": 8, "dw_kernel_size": 4}, "dw_kernel_size must be odd"),
        ({"channels": 8, "norm_layer": "GN"}, "norm_layer must be 'LN' or 'BN', got 'GN'"),
        ({"channels": 8, "act_layer": "Mish"}, "act_layer must be one of GELU, ReLU, SiLU"),
        ({"channels": 8, "stride": 2, "center_feature_scale": True}, "center_feature_scale needs stride 1"),
    ],
)
def test_bad_arguments(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        DCNv3(**arguments)


def test_without_softmax_it_starts_as_the_same_average_and_weights_are_unbounded():
    torch.manual_seed(0)
    layer = DCNv3(8, group=2)
    free = DCNv3(8, group=2, softmax=False)
    assert free.state_dict().keys() == layer.state_dict().keys()
    state = layer.state_dict()
    free.load_state_dict({name: free.mask.bias if name == "mask.bias" else state[name] for name in state})
    x = torch.randn(2, 5, 6, 8)
    torch.testing.assert_close(free(x), layer(x))
    with torch.no_grad():
        free.output_proj.bias.zero_()
        before = free(x)
        free.mask.bias.mul_(3)
        torch.testing.assert_close(free(x), 3 * before)


@pytest.mark.parametrize("grad", [False, True])
def test_hooks_of_all_parts_are_called(grad: bool):
    torch.manual_seed(0)
    layer, x = DCNv3(8, group=2), torch.randn(2, 5, 6, 8)
    with torch.set_grad_enabled(grad):
        expected = layer(x)
        called = []
        for name, part in layer.named_modules():
            part.register_forward_hook(lambda *_, name=name: called.append(name))
        torch.testing.assert_close(layer(x), expected)
    assert set(called) == {name for name, _ in layer.named_modules()}


@pytest.mark.parametrize(
    "replace",
    [
        lambda layer: layer.dw_conv.__setitem__(2, nn.GELU("tanh")),
        lambda layer: layer.dw_conv[1].__setitem__(1, nn.LayerNorm(8, bias=False)),
        lambda layer: layer.dw_conv[1].__setitem__(1, nn.LayerNorm(8, elementwise_affine=False)),
        lambda layer: layer.dw_conv[1].__setitem__(1, nn.LayerNorm((6, 8))),
        lambda layer: setattr(layer.dw_conv[2], "forward", lambda x: x + 1),
        lambda layer: setattr(layer.dw_conv, "forward", lambda x: x.permute(0, 2, 3, 1)),
    ],
    ids=["tanh", "no bias", "not affine", "two axes", "own activation", "own convolution"],
)
def test_inference_does_what_training_does(replace):
    """Parts may be replaced by others that the fused functions don't know."""
    torch.manual_seed(0)
    layer = DCNv3(8, group=2)
    nn.init.normal_(layer.dw_conv[0].weight)
    replace(layer)
    x = 3 * torch.randn(2, 5, 6, 8)
    expected = layer._feature(x)
    with torch.no_grad():
        assert torch.equal(layer._feature(x), expected)
