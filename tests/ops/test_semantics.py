"""What the operators mean, on inputs whose results are known without a second implementation."""

from __future__ import annotations

import pytest
import torch
from bev_ops import functional, reference
from op_cases import random_dcnv3, random_msda

BACKENDS = pytest.mark.parametrize("backend", [functional, reference], ids=["functional", "reference"])


@BACKENDS
def test_undisplaced_points_are_a_convolution(backend):
    """Padding, stride and dilation act per axis, as in conv2d; points run x-major."""
    window = {"kernel_size": (3, 2), "stride": (2, 1), "padding": (2, 1), "dilation": (1, 2)}
    (input, offset, _), arguments = random_dcnv3(2, (7, 6), 1, 3, **window)
    kernel = torch.arange(1.0, 7, dtype=torch.float64).view(3, 2)
    mask = kernel.T.flatten().expand(*offset.shape[:3], 6)
    output = backend.dcnv3(input, torch.zeros_like(offset), mask, **arguments)
    filters = kernel.expand(3, 1, 3, 2)
    pairs = {key: window[key] for key in ("stride", "padding", "dilation")}
    expected = torch.nn.functional.conv2d(input.permute(0, 3, 1, 2), filters, groups=3, **pairs).permute(0, 2, 3, 1)
    torch.testing.assert_close(output, expected)


@BACKENDS
def test_offsets_of_undisplaced_points_have_the_slope_to_the_right_and_below(backend):
    """Also where that leads from the padding, one pixel outside, to the first pixels."""
    (input, offset, mask), arguments = random_dcnv3(1, (4, 8), 1, 1, padding=1)
    offset = torch.zeros_like(offset).requires_grad_()
    backend.dcnv3(input, offset, mask, **arguments).sum().backward()
    padded = torch.nn.functional.pad(input[0, :, :, 0], (1, 2, 1, 2))
    slopes = torch.stack([padded.diff(dim=1)[:6, :10], padded.diff(dim=0)[:6, :10]], dim=-1)
    windows = slopes.unfold(0, 3, 1).unfold(1, 3, 1)  # (Ho, Wo, 2, 3 rows, 3 columns)
    expected = windows.permute(0, 1, 4, 3, 2).flatten(2, 3) * mask[0, ..., None]
    torch.testing.assert_close(offset.grad[0], expected.flatten(2))


@BACKENDS
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_dcnv3_bad_offsets_sample_outside(backend, bad: float):
    tensors, arguments = random_dcnv3(1, (4, 5), 2, 3, padding=1)
    input, offset, mask = tensors
    offset = torch.where(torch.arange(offset.shape[-1]) == 4, bad, offset).requires_grad_()  # point 2 of group 0
    output = backend.dcnv3(input, offset, mask, **arguments)
    without = mask.clone()
    without[..., 2] = 0
    expected = backend.dcnv3(input, offset.nan_to_num(0, 0, 0), without, **arguments)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert offset.grad[..., 4:6].eq(0).all()


@BACKENDS
def test_msda_nan_locations_sample_outside(backend):
    value, locations, weights = random_msda(1, 3, 2, 4, [(3, 4)], 2)
    locations[0, 1, 0, 0, 1, 0] = float("nan")
    locations.requires_grad_()
    output = backend.ms_deform_attn(value, [(3, 4)], locations, weights)
    without = weights.clone()
    without[0, 1, 0, 0, 1] = 0
    torch.testing.assert_close(output, backend.ms_deform_attn(value, [(3, 4)], locations.nan_to_num(0), without))
    output.sum().backward()
    assert locations.grad[0, 1, 0, 0, 1].eq(0).all()


@BACKENDS
def test_values_outside_the_footprint_do_not_matter(backend):
    """A NaN pixel reaches only the samples that touch it."""
    value = torch.zeros(1, 6, 1, 4)
    value[0, 5] = float("nan")
    locations = torch.tensor([[0.1, 0.1], [2.0, 2.0], [0.9, 0.9]]).view(1, 3, 1, 1, 1, 2)
    output = backend.ms_deform_attn(value, [(2, 3)], locations, torch.ones(1, 3, 1, 1, 1))
    assert output.isnan().all(-1).tolist() == [[False, False, True]]


@BACKENDS
def test_msda_locations_are_fractions_of_each_level(backend):
    """The middle of pixel (1, 2) of a 3 x 5 level, and of pixel (0, 1) of a 1 x 2 level."""
    value = torch.arange(17.0).view(1, 17, 1, 1)
    locations = torch.tensor([[2.5 / 5, 1.5 / 3], [1.5 / 2, 0.5]]).view(1, 1, 1, 2, 1, 2)
    shapes = torch.tensor([[3, 5], [1, 2]])
    output = backend.ms_deform_attn(value, shapes, locations, torch.tensor([1.0, 100.0]).view(1, 1, 1, 2, 1))
    assert output.item() == pytest.approx(7 + 100 * 16)


@BACKENDS
def test_empty_batch_and_no_queries(backend):
    tensors, arguments = random_dcnv3(0, (4, 5), 2, 3, padding=1)
    assert backend.dcnv3(*tensors, **arguments).shape == (0, 4, 5, 6)
    for batch, queries in ((0, 3), (2, 0)):
        tensors = [tensor.requires_grad_() for tensor in random_msda(batch, queries, 2, 4, [(3, 4)], 2)]
        output = backend.ms_deform_attn(tensors[0], [(3, 4)], *tensors[1:])
        assert output.shape == (batch, queries, 8)
        output.sum().backward()
        assert tensors[0].grad.eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_tensors_are_computed_with_in_float32(dtype: torch.dtype):
    tensors, arguments = random_dcnv3(1, (5, 6), 2, 8, torch.float32, padding=1)
    low = [tensor.to(dtype) for tensor in tensors]
    output = functional.dcnv3(*low, **arguments)
    assert output.dtype == dtype
    assert torch.equal(output, functional.dcnv3(*(tensor.float() for tensor in low), **arguments).to(dtype))


def test_autocast_keeps_float32():
    tensors, arguments = random_dcnv3(1, (5, 6), 2, 8, torch.float32, padding=1)
    expected = functional.dcnv3(*tensors, **arguments)
    with torch.autocast("cpu", torch.bfloat16):
        output = functional.dcnv3(*tensors, **arguments)
        mixed = functional.dcnv3(tensors[0].bfloat16(), *tensors[1:], **arguments)
    assert torch.equal(output, expected)
    assert mixed.dtype == torch.bfloat16
