from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import DeformConv2d, ModulatedDeformConv2dPack, deform_conv2d
from mmcv.ops import modulated_deform_conv2d as modulated_conv2d
from torch import Tensor

from bev.compat.mmcv_ext.deform_conv import modulated_deform_conv_backward, modulated_deform_conv_forward

# Height and width differ in everything, so that exchanging them anywhere shows.
STRIDE, PADDING, DILATION, KERNEL = (2, 1), (1, 2), (1, 2), (3, 2)
BATCH, IN_CHANNELS, OUT_CHANNELS, GROUPS, DEFORM_GROUPS, HEIGHT, WIDTH = 2, 4, 6, 2, 2, 7, 6
OUT_HEIGHT, OUT_WIDTH = 4, 8


def plain_deform_conv(
    image: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Samples every kernel point with `grid_sample`, then multiplies by the weights, group by group."""
    columns = []
    for deform_group, channels in enumerate(image.chunk(DEFORM_GROUPS, 1)):
        points = []
        for point in range(KERNEL[0] * KERNEL[1]):
            index = deform_group * KERNEL[0] * KERNEL[1] + point
            samples = sample_point(channels, offset[:, 2 * index], offset[:, 2 * index + 1], point)
            points.append(samples if mask is None else samples * mask[:, index, None])
        columns.append(torch.stack(points, 2))
    grouped = torch.cat(columns, 1).view(BATCH, GROUPS, IN_CHANNELS // GROUPS, KERNEL[0] * KERNEL[1], -1)
    kernels = weight.view(GROUPS, OUT_CHANNELS // GROUPS, IN_CHANNELS // GROUPS, -1)
    output = torch.einsum("bgckn,gock->bgon", grouped, kernels).reshape(BATCH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH)
    return output if bias is None else output + bias[:, None, None]


def sample_point(channels: Tensor, dy: Tensor, dx: Tensor, point: int) -> Tensor:
    """Values at one kernel point moved by (dy, dx) pixels, zero outside of the image."""
    row, column = divmod(point, KERNEL[1])
    y = torch.arange(OUT_HEIGHT)[:, None] * STRIDE[0] - PADDING[0] + row * DILATION[0] + dy
    x = torch.arange(OUT_WIDTH)[None, :] * STRIDE[1] - PADDING[1] + column * DILATION[1] + dx
    grid = torch.stack([2 * x / (WIDTH - 1) - 1, 2 * y / (HEIGHT - 1) - 1], -1)
    return F.grid_sample(channels, grid, align_corners=True)


@pytest.fixture
def tensors(rng: torch.Generator) -> dict[str, Tensor]:
    points = DEFORM_GROUPS * KERNEL[0] * KERNEL[1]
    shapes = {
        "image": (BATCH, IN_CHANNELS, HEIGHT, WIDTH),
        "offset": (BATCH, 2 * points, OUT_HEIGHT, OUT_WIDTH),
        "weight": (OUT_CHANNELS, IN_CHANNELS // GROUPS, *KERNEL),
        "mask": (BATCH, points, OUT_HEIGHT, OUT_WIDTH),
        "bias": (OUT_CHANNELS,),
    }
    return {
        name: torch.randn(shape, dtype=torch.float64, generator=rng).requires_grad_() for name, shape in shapes.items()
    }


def assert_same_with_gradients(output: Tensor, expected: Tensor, inputs: list[Tensor]) -> None:
    torch.testing.assert_close(output, expected)
    cotangent = torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad(output, inputs, cotangent)
    for gradient, expected_gradient in zip(gradients, torch.autograd.grad(expected, inputs, cotangent), strict=True):
        torch.testing.assert_close(gradient, expected_gradient)


def test_v1_matches_plain_pytorch(tensors: dict[str, Tensor]) -> None:
    inputs = [tensors[name] for name in ("image", "offset", "weight")]
    output = deform_conv2d(*inputs, STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS)
    assert_same_with_gradients(output, plain_deform_conv(*inputs), inputs)


@pytest.mark.parametrize("with_bias", [True, False])
def test_v2_matches_plain_pytorch(with_bias: bool, tensors: dict[str, Tensor]) -> None:
    bias = tensors["bias"] if with_bias else None
    image, offset, weight, mask = (tensors[name] for name in ("image", "offset", "weight", "mask"))
    output = modulated_conv2d(image, offset, mask, weight, bias, STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS)
    expected = plain_deform_conv(image, offset, weight, mask, bias)
    assert_same_with_gradients(output, expected, [image, offset, weight, mask] + ([bias] if with_bias else []))


def test_v1_without_offsets_is_a_convolution(rng: torch.Generator) -> None:
    layer = DeformConv2d(4, 6, 3, padding=1, groups=2)
    image = torch.rand(2, 4, 5, 6, generator=rng)
    output = layer(image, torch.zeros(2, 18, 5, 6))
    torch.testing.assert_close(output, F.conv2d(image, layer.weight, padding=1, groups=2))


def test_v2_layer_learns_its_own_offsets(rng: torch.Generator) -> None:
    layer = ModulatedDeformConv2dPack(4, 6, 3, padding=1, deform_groups=2)
    image = torch.rand(2, 4, 5, 6, generator=rng)
    output = layer(image)
    # Its offsets start at zero and its masks at a half.
    torch.testing.assert_close(output, F.conv2d(image, layer.weight / 2, layer.bias, padding=1))
    output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_reduced_precision(dtype: torch.dtype, tensors: dict[str, Tensor]) -> None:
    image, offset, weight, mask, bias = (tensors[n].detach().to(dtype) for n in tensors)
    geometry = (STRIDE, PADDING, DILATION, GROUPS, DEFORM_GROUPS)
    weight.requires_grad_()
    output = modulated_conv2d(image, offset, mask, weight, bias, *geometry)
    output.sum().backward()
    assert output.dtype == weight.grad.dtype == dtype
    exact = plain_deform_conv(*(t.detach().double() for t in (image, offset, weight, mask, bias)))
    torch.testing.assert_close(output.detach().double(), exact, atol=0.05, rtol=0.02)


def test_stand_in_serves_empty_batches() -> None:
    # mmcv's layers refuse them, but a kernel should not depend on that.
    image, offset, mask = torch.zeros(0, 4, 5, 6), torch.zeros(0, 18, 5, 6), torch.zeros(0, 9, 5, 6)
    weight, bias, scratch = torch.rand(6, 4, 3, 3), torch.rand(6), torch.zeros(0)
    output = torch.zeros(0, 6, 5, 6)
    gradients = [torch.full_like(tensor, torch.nan) for tensor in (image, weight, bias, offset, mask)]
    geometry = {f"{name}_{axis}": 1 for name in ("stride", "pad", "dilation") for axis in "hw"}
    modulated_deform_conv_forward(
        image, weight, bias, scratch, offset, mask, output, scratch, with_bias=True, **geometry
    )
    modulated_deform_conv_backward(
        image, weight, bias, scratch, offset, mask, scratch, *gradients, output, with_bias=True, **geometry
    )
    assert not any(gradient.any() for gradient in gradients)
