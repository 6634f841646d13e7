from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign, roi_align
from torch import Tensor

ROIS = torch.tensor([[0, 4.0, 4.0, 20.0, 12.0], [1, 6.0, 10.0, 13.0, 29.0], [1, 8.0, 8.0, 9.0, 9.0]]).double()


def plain_roi_align(
    image: Tensor, rois: Tensor, size: tuple[int, int], scale: float, samples: int, aligned: bool
) -> Tensor:
    """Means of `samples` x `samples` bilinear samples per bin, for regions inside the image."""
    height, width = image.shape[-2:]
    shift = 0.5 if aligned else 0.0
    pooled = []
    for roi in rois:
        left, top, right, bottom = (roi[1:] * scale - shift).tolist()
        if not aligned:  # the older definition has no region smaller than a cell
            right, bottom = max(right, left + 1), max(bottom, top + 1)
        u = left + (torch.arange(size[1] * samples, dtype=rois.dtype) + 0.5) / (size[1] * samples) * (right - left)
        v = top + (torch.arange(size[0] * samples, dtype=rois.dtype) + 0.5) / (size[0] * samples) * (bottom - top)
        grid = torch.stack(torch.meshgrid(2 * u / (width - 1) - 1, 2 * v / (height - 1) - 1, indexing="xy"), -1)
        values = F.grid_sample(image[int(roi[0])][None], grid[None], align_corners=True)
        pooled.append(F.avg_pool2d(values[0], samples))
    return torch.stack(pooled)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("size", [(2, 3), (4, 1)])
def test_matches_the_definition_forward_and_backward(
    size: tuple[int, int], aligned: bool, rng: torch.Generator
) -> None:
    image = torch.rand(2, 3, 16, 14, dtype=torch.float64, generator=rng, requires_grad=True)
    output = RoIAlign(size, spatial_scale=0.5, sampling_ratio=2, aligned=aligned)(image, ROIS)
    expected = plain_roi_align(image, ROIS, size, 0.5, 2, aligned)
    torch.testing.assert_close(output, expected)

    cotangent = torch.rand(output.shape, dtype=torch.float64, generator=rng)
    (gradient,) = torch.autograd.grad(output, image, cotangent)
    (expected_gradient,) = torch.autograd.grad(expected, image, cotangent)
    torch.testing.assert_close(gradient, expected_gradient)


def test_gradcheck_with_adaptive_sampling(rng: torch.Generator) -> None:
    image = torch.rand(2, 1, 6, 5, dtype=torch.float64, generator=rng, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, ROIS, (2, 2), 0.2, 0, "avg", True), image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_reduced_precision_forward_and_backward(dtype: torch.dtype, rng: torch.Generator) -> None:
    image = torch.rand(2, 3, 16, 14, generator=rng)
    reduced = image.to(dtype).requires_grad_()
    layer = RoIAlign((2, 2), spatial_scale=0.5, sampling_ratio=2)
    output = layer(reduced, ROIS.to(dtype))
    output.sum().backward()
    assert output.dtype == reduced.grad.dtype == dtype
    torch.testing.assert_close(output.float(), layer(image, ROIS.float()), atol=0.02, rtol=0)


def test_no_regions(rng: torch.Generator) -> None:
    image = torch.rand(2, 3, 8, 8, generator=rng, requires_grad=True)
    output = RoIAlign((2, 2))(image, torch.zeros(0, 5))
    assert output.shape == (0, 3, 2, 2)
    output.sum().backward()
    assert not image.grad.any()


def test_max_pooling_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedError, match="pool_mode='max'"):
        RoIAlign((2, 2), pool_mode="max")(torch.zeros(2, 1, 8, 8), ROIS.float())
