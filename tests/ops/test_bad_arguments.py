"""Each bad argument gives one error that says what is wrong, with what was expected and given."""

from __future__ import annotations

import pytest
import torch
from bev_ops import backends, functional, reference
from op_cases import random_bca, random_dcnv3, random_msda

BACKENDS = pytest.mark.parametrize("backend", [functional, reference], ids=["functional", "reference"])


@BACKENDS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_size": (3, 3, 3)}, "kernel_size must be one or two integers >= 1"),
        ({"stride": 0}, "stride must be one or two integers >= 1, got 0"),
        ({"padding": -1}, "padding must be one or two integers >= 0, got -1"),
        ({"groups": 4}, "input has 6 channels, which 4 groups cannot share"),
        ({"groups": 0}, "groups must be at least 1"),
        ({"kernel_size": 2, "remove_center": True}, r"remove_center needs an odd kernel, got \(2, 2\)"),
        ({"dilation": 4}, "smaller than the window"),
        ({"padding": 0}, r"offset must have shape \(1, 2, 3, 36\), got \(1, 4, 5, 36\)"),
    ],
)
def test_dcnv3_arguments(backend, change: dict, message: str):
    tensors, arguments = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    with pytest.raises(ValueError, match=message):
        backend.dcnv3(*tensors, **{**arguments, **change})


@BACKENDS
def test_dcnv3_tensors(backend):
    (input, offset, mask), arguments = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    with pytest.raises(ValueError, match=r"input must be \(N, H, W, C\), got shape \(4, 5, 6\)"):
        backend.dcnv3(input[0], offset, mask, **arguments)
    with pytest.raises(ValueError, match=r"mask must have shape \(1, 4, 5, 18\), got \(1, 4, 5, 9\)"):
        backend.dcnv3(input, offset, mask[..., :9], **arguments)
    with pytest.raises(ValueError, match="mask is on meta, input on cpu"):
        backend.dcnv3(input, offset, mask.to("meta"), **arguments)


def test_mixed_types():
    (input, offset, mask), arguments = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    with pytest.raises(ValueError, match=r"input torch.float64, offset torch.float32, mask torch.float64"):
        functional.dcnv3(input, offset.float(), mask, **arguments)
    with pytest.raises(ValueError, match=r"input torch.int64"):
        functional.dcnv3(input.long(), offset, mask, **arguments)


@BACKENDS
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 4), (2, 2)], r"spatial_shapes must be \(1, 2\) for 1 levels of sampling_locations"),
        ([(3, 5)], "12"),
        ([(-3, -4)], "positive"),
        (torch.tensor([[3, 5]]), "12"),
    ],
)
def test_msda_shapes(backend, shapes, message: str):
    value, locations, weights = random_msda(2, 3, 2, 4, [(3, 4)], 2)
    with pytest.raises((ValueError, RuntimeError), match=message):
        backend.ms_deform_attn(value, shapes, locations, weights)


@BACKENDS
def test_msda_tensors(backend):
    value, locations, weights = random_msda(2, 3, 2, 4, [(3, 4)], 2)
    with pytest.raises(ValueError, match=r"value must be \(B, S, H, D\)"):
        backend.ms_deform_attn(value[0], [(3, 4)], locations, weights)
    with pytest.raises(ValueError, match=r"sampling_locations must be \(B, Q, H, L, P, 2\)"):
        backend.ms_deform_attn(value, [(3, 4)], locations[..., 0], weights)
    with pytest.raises(ValueError, match="value is for 2 samples and 2 heads, sampling_locations for 1 and 2"):
        backend.ms_deform_attn(value, [(3, 4)], locations[:1], weights[:1])
    with pytest.raises(ValueError, match="attention_weights must have shape"):
        backend.ms_deform_attn(value, [(3, 4)], locations, weights[..., :1])


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_sizes_known_on_the_host_are_checked_on_all_devices(device: str):
    value, locations, weights = (tensor.to(device) for tensor in random_msda(2, 3, 2, 4, [(3, 4)], 2))
    for shapes in ([(3, 5)], [(-3, -4)]):
        with pytest.raises(ValueError, match=r"ms_deform_attn: spatial_shapes .* positive and sum to 12 pixels"):
            functional.ms_deform_attn(value, shapes, locations, weights)
    tensors, (_, _, points, visible) = random_bca([1, 2], 3, 2, 4, [(3, 4)], 4, 2)
    values, offsets, weights, points, visible = (tensor.to(device) for tensor in (*tensors, points, visible))
    with pytest.raises(ValueError, match=r"bev_cross_attention: spatial_shapes .* sum to 12 pixels"):
        functional.bev_cross_attention(values, [(9, 9)], [0, 1, 3], points, visible, offsets, weights)
    for splits in ([0, 2, 1], [1, 2, 3], [0, 4, 3]):
        with pytest.raises(ValueError, match="bev_cross_attention: splits must rise from 0 to 3"):
            functional.bev_cross_attention(values, [(3, 4)], splits, points, visible, offsets, weights)


COMPILED = pytest.mark.skipif(backends()["dcnv3"]["cpu"] != "compiled", reason="the operators are not compiled")


@COMPILED
def test_sizes_whose_products_overflow_are_refused():
    """In 64 bits these levels sum to 6 pixels, and these windows have no points."""
    most = 2**31 - 1
    shapes = torch.tensor([(9, 1908874354), *[(most, most)] * 4])
    assert shapes.prod(1).sum() == 6
    value, locations, weights = torch.ones(1, 6, 1, 4), torch.ones(1, 8, 1, 5, 1, 2), torch.ones(1, 8, 1, 5, 1)
    with pytest.raises(RuntimeError, match=r"spatial_shapes sum to .* pixels, but the values have 6"):
        torch.ops.bev_ops.ms_deform_attn(value, shapes, locations, weights)

    maps, none = torch.ones(1, 2, 2, 4), torch.zeros(0)
    whole = (2**32, 2**32, 1, 1, 0, 0, 2**32 + 1, 2**32 + 1)
    far = (2, 2, 1, 1, 2**62, 2**62, 1, 1)
    long = (2**16, 2**16, 1, 1, 2**15, 2**15, 2**16, 2**16)
    for window in (whole, far, long):
        with pytest.raises(RuntimeError, match=r"dcnv3: .* must be less than 2\^31"):
            torch.ops.bev_ops.dcnv3(maps, none, none, *window, 1, 1.0, False)
    wide = (2**16, 2**16, 1, 1, 2**16 - 1, 2**16 - 1, 1, 1)  # 2^32 windows of 2^32 points
    with pytest.raises(RuntimeError, match=r"dcnv3: more than 2\^63 elements"):
        torch.ops.bev_ops.dcnv3(torch.ones(1, 1, 1, 4), none, none, *wide, 1, 1.0, False)


@COMPILED
def test_direct_calls_of_the_operators_are_checked_too():
    """torch.ops bypasses the Python checks; the kernels never read out of bounds all the same."""
    (input, offset, mask), _ = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    with pytest.raises(RuntimeError, match="offset must have 720 elements, got 360"):
        torch.ops.bev_ops.dcnv3(input, offset[..., :18], mask, 3, 3, 1, 1, 1, 1, 1, 1, 2, 1.0, False)
    value, locations, weights = random_msda(2, 3, 2, 4, [(3, 4)], 2)
    with pytest.raises(RuntimeError, match="spatial_shapes sum to 15 pixels, but the values have 12"):
        torch.ops.bev_ops.ms_deform_attn(value, torch.tensor([[3, 5]]), locations, weights)
