from __future__ import annotations

import pytest
import torch

from bev.geometry.grid import BEVGrid
from bev.models.attention import project_pillars, visible_pillars

GRID = BEVGrid((-8.0, -8.0, -2.0, 8.0, 8.0, 2.0), (4, 6))
PADDED = (24, 40)


def camera(yaw: float, focal: float = 20.0) -> torch.Tensor:
    """A camera at the origin that looks along (cos yaw, sin yaw, 0), image centre at (20, 12)."""
    yaw = torch.tensor(yaw)
    forward = torch.stack([yaw.cos(), yaw.sin(), torch.zeros(())])
    right = torch.stack([yaw.sin(), -yaw.cos(), torch.zeros(())])
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.stack([focal * right + 20 * forward, torch.tensor([0, 0, -focal]) + 12 * forward, forward])
    return matrix


@pytest.fixture
def rig() -> tuple[torch.Tensor, torch.Tensor]:
    """Two samples with two cameras each, all looking elsewhere; the last image is half padding."""
    matrices = torch.stack([torch.stack([camera(0.0), camera(2.0)]), torch.stack([camera(-1.5), camera(0.5)])])
    sizes = torch.tensor([[[24, 40], [24, 40]], [[24, 40], [24, 20]]])
    return matrices, sizes


def by_hand(matrices: torch.Tensor, sizes: torch.Tensor, mask: torch.Tensor) -> dict[tuple[int, int], dict[int, list]]:
    """(sample, camera) to the pillars that it sees, each with the fractions of its points; one point at a time."""
    points = GRID.pillar_points(2)
    seen: dict[tuple[int, int], dict[int, list]] = {}
    for b in range(2):
        for n in range(2):
            for q in range(24):
                pixels = [matrices[b, n] @ torch.cat([points[z, q], torch.ones(1)]) for z in range(2)]
                inside = [
                    p[2] > 1e-5 and 0 < p[0] / p[2] < sizes[b, n, 1] and 0 < p[1] / p[2] < sizes[b, n, 0]
                    for p in pixels
                ]
                if any(inside) and mask[b, n]:
                    depths = [p[2].clamp(min=1e-5) for p in pixels]
                    seen.setdefault((b, n), {})[q] = [
                        [p[0] / d / PADDED[1], p[1] / d / PADDED[0]] for p, d in zip(pixels, depths, strict=True)
                    ]
    return seen


@pytest.mark.parametrize("mask", [[[True, True], [True, True]], [[True, False], [True, True]]])
def test_matches_a_search_by_hand(rig, mask):
    mask = torch.tensor(mask)
    coordinates, visible = project_pillars(GRID.pillar_points(2), *rig, PADDED)
    seen = visible_pillars(coordinates, visible, mask)
    expected = by_hand(*rig, mask)
    assert len(expected) == int(mask.sum())

    assert seen.splits.tolist() == [0, int(mask[0].sum()), int(mask.sum())]
    for row, camera_index in enumerate(seen.cameras.tolist()):
        pillars = expected[camera_index // 2, camera_index % 2]
        assert seen.visible[row].nonzero().squeeze(1).tolist() == sorted(pillars)
        points = torch.tensor([pillars[q] for q in sorted(pillars)])
        torch.testing.assert_close(seen.reference_points[row][seen.visible[row]], points, atol=1e-4, rtol=1e-4)


def test_padding_is_not_seen_but_coordinates_refer_to_the_padded_image(rig):
    matrices, sizes = rig
    full = torch.tensor([24, 40]).expand(2, 2, 2)
    coordinates, visible = project_pillars(GRID.pillar_points(2), matrices, sizes, PADDED)
    coordinates_full, visible_full = project_pillars(GRID.pillar_points(2), matrices, full, PADDED)
    assert torch.equal(coordinates, coordinates_full)
    hidden = visible_full & ~visible
    assert hidden[1, 1].any()
    assert (coordinates[hidden][:, 0] >= 0.5).all()


def test_a_camera_that_sees_nothing_keeps_its_row():
    behind = camera(0.0)
    behind[2] = torch.tensor([0.0, 0.0, 0.0, -1.0])
    matrices = torch.stack([camera(0.0), behind])[None]
    coordinates, visible = project_pillars(GRID.pillar_points(2), matrices, torch.tensor([[[24, 40]] * 2]), PADDED)
    seen = visible_pillars(coordinates, visible, torch.ones(1, 2, dtype=torch.bool))
    assert seen.cameras.tolist() == [0, 1]
    assert seen.visible.any(1).tolist() == [True, False]


def test_no_camera_at_all():
    coordinates, visible = project_pillars(GRID.pillar_points(2), camera(0.0)[None, None], torch.ones(1, 1, 2), PADDED)
    seen = visible_pillars(coordinates, visible, torch.zeros(1, 1, dtype=torch.bool))
    assert seen.visible.shape == (0, 24)
    assert seen.splits.tolist() == [0, 0]


def test_matches_the_official_projection(golden_t1):
    import golden_bevformer

    grid = BEVGrid(golden_bevformer.BOUNDS, (20, 20))
    matrices = torch.from_numpy(golden_t1["in/lidar2img"])[None]
    points = grid.pillar_points(4)
    torch.testing.assert_close(grid.normalise(points), torch.from_numpy(golden_t1["enc/ref_3d"])[0], atol=1e-6, rtol=0)
    coordinates, visible = project_pillars(points, matrices, torch.tensor((96, 160)).expand(1, 6, 2), (96, 160))
    official = torch.from_numpy(golden_t1["enc/bev_mask"]).bool().transpose(0, 1)
    assert torch.equal(visible, official)
    expected = torch.from_numpy(golden_t1["enc/reference_points_cam"]).transpose(0, 1)
    torch.testing.assert_close(coordinates[official], expected[official], atol=1e-5, rtol=0)
    # Points behind a camera are divided by a tiny depth: only their being far outside matters.
    assert torch.equal(coordinates.abs() > 2, expected.abs() > 2)
