from __future__ import annotations

import math

import golden
import golden_bevformer as reference
import pytest
import torch

from bev.geometry.grid import BEVGrid
from bev.models.temporal import resample_bev
from bev.models.temporal.resampling import crop_bev

GRID = BEVGrid((-4.0, 0.0, -1.0, 6.0, 16.0, 1.0), (32, 40))


def blob(x: float, y: float) -> torch.Tensor:
    """A smooth hill of 1 m radius at (x, y) metres: (1, 1, H, W)."""
    distance = (GRID.cell_centres() - torch.tensor([x, y])).norm(dim=-1)
    return torch.exp(-distance.square())[None, None]


def peak(bev_map: torch.Tensor) -> torch.Tensor:
    """Centre of mass, metres."""
    weights = bev_map[..., None]
    return (weights * GRID.cell_centres()).sum((0, 1)) / weights.sum((0, 1))


@torch.no_grad()
def test_matches_the_official_augmentation(golden_t1):
    encoder = reference.build_part(reference.encoder_config(), "encoder.")
    matrices = torch.from_numpy(golden_t1["in/lidar2img"])[None]
    bev_map = reference.encode(encoder, reference.image_features(), matrices)
    old_T_new = torch.eye(4)
    old_T_new[:3, :3] = torch.from_numpy(golden_t1["in/bda_mat"])
    resampled = resample_bev(bev_map, encoder.grid, torch.linalg.inv(old_T_new)[None])
    golden.check(golden_t1, "eval/only_bev_bda", reference.as_tokens(resampled))


def test_a_hill_moves_as_a_point_does_on_an_asymmetric_grid():
    angle, scale = 0.3, 1.04
    matrix = torch.eye(4)
    matrix[:2, :2] = scale * torch.tensor(
        [[-math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]]  # mirrored x, then rotated
    )
    matrix[:2, 3] = torch.tensor([0.7, -0.4])
    moved = resample_bev(blob(-1.0, 7.0), GRID, matrix[None])
    expected = matrix[:2, :2] @ torch.tensor([-1.0, 7.0]) + matrix[:2, 3]
    torch.testing.assert_close(peak(moved[0, 0]), expected, atol=0.02, rtol=0)


def test_what_comes_from_outside_is_zero():
    matrix = torch.eye(4)
    matrix[0, 3] = 5.0
    moved = resample_bev(torch.ones(1, 2, 32, 40), GRID, matrix[None])
    assert (moved[..., :19] == 0).all()
    torch.testing.assert_close(moved[..., 21:], torch.ones(1, 2, 32, 19))


def test_identity_changes_no_bit_even_beside_a_sample_that_moves():
    bev_map = torch.randn(2, 3, 32, 40)
    assert resample_bev(bev_map, GRID, torch.eye(4).repeat(2, 1, 1)) is bev_map
    turned = torch.eye(4)
    turned[0, 0] = -1
    both = resample_bev(bev_map, GRID, torch.stack([torch.eye(4), turned]))
    assert torch.equal(both[0], bev_map[0])
    assert not torch.allclose(both[1], bev_map[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_are_those_of_the_values_and_not_of_their_places(dtype: torch.dtype) -> None:
    """On a map of 200 x 200 cells that says what each cell's column is, and with autocast or without."""
    grid, part = BEVGrid((-51.2, -51.2, -5, 51.2, 51.2, 3), (200, 200)), BEVGrid((-40, -40, -1, 40, 40, 5), (190, 190))
    columns = torch.arange(200.0).expand(1, 1, 200, 200).contiguous()
    turned = torch.eye(4)
    turned[:2, :2] = torch.tensor([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    expected, cropped = resample_bev(columns, grid, turned[None]), crop_bev(columns, grid, part)
    with torch.autocast("cpu", dtype):
        assert torch.equal(resample_bev(columns, grid, turned[None]), expected)
        assert torch.equal(crop_bev(columns, grid, part), cropped)
    assert torch.equal(resample_bev(columns.to(dtype), grid, turned[None]), expected.to(dtype))
    assert torch.equal(crop_bev(columns.to(dtype), grid, part), cropped.to(dtype))
