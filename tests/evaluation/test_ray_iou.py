"""RayIoU: identities, a case computed by hand, and the compiled ray against a plain one."""

from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, FREE, GRID
from bev.evaluation.ray_iou import LIDAR_ORIGIN, count_rays, lidar_rays, ray_iou, ray_origins
from bev.geometry.voxel_rays import first_hits, passed_voxels

CAR = CLASSES.index("car")


def scene() -> np.ndarray:
    voxels = np.full(GRID.shape, FREE, dtype=np.uint8)
    voxels[:, :, 2] = CLASSES.index("driveable_surface")
    voxels[130:140, 95:105, 3:7] = CAR
    voxels[20:40, 60:90, 3:12] = CLASSES.index("manmade")
    return voxels


def test_truth_against_itself_and_against_free_space() -> None:
    voxels = scene()
    assert ray_iou(voxels, voxels)["RayIoU"] == 1.0
    assert ray_iou(np.full_like(voxels, FREE), voxels)["RayIoU"] == 0.0
    assert ray_iou([voxels, voxels], [voxels, voxels], [LIDAR_ORIGIN, LIDAR_ORIGIN])["car"] == 1.0


@pytest.mark.parametrize(("offset", "right"), [(1, (1, 1, 1)), (3, (0, 1, 1)), (6, (0, 0, 1)), (11, (0, 0, 0))])
def test_a_wall_that_is_some_voxels_too_far(offset: int, right: tuple) -> None:
    """A closed box around the sensor, one voxel thick, that is larger by `offset` voxels in the prediction.

    A ray that meets a wall at an angle a to its normal is wrong by 0.4 m * offset / cos(a). Of the rays that meet the
    wall ahead, some have a = 0 and none of those counted here more than 10 degrees: the error is at least 0.4 * offset
    and at most 1.6 % more, so that either all of them are right at 1, 2 and 4 m, or none: 0.4, 1.2, 2.4 and 4.4 m.
    """
    narrow = np.deg2rad(10)
    rays = lidar_rays()
    ahead = rays[np.arccos(rays[:, 0]) < narrow]
    origin = GRID.to_voxels(np.array([[0.2, 0.2, 2.4]]))
    distances = []
    for wall in (120, 120 + offset):
        voxels = np.full(GRID.shape, FREE, dtype=np.uint8)
        voxels[wall] = CAR
        labels, distance = first_hits(voxels, FREE, origin, ahead)
        assert (labels == CAR).all()
        distances.append(distance * 0.4)
    error = np.abs(distances[1] - distances[0])
    assert error.min() == pytest.approx(0.4 * offset, rel=1e-3)
    for threshold, all_right in zip((1, 2, 4), right, strict=True):
        assert bool((error < threshold).all()) == bool(all_right)
        assert (error < threshold).all() or not (error < threshold).any()


def test_one_voxel_offset_by_hand() -> None:
    """Every ray looks at one wall 20 voxels high in front of it; the prediction has it one voxel farther away.

    From the middle of the grid the wall at x = 120 spans all y. A ray of azimuth a meets it at 0.4 m / cos(a) further
    in the prediction. It is right at 1 m if cos(a) * cos(pitch) > 0.4, and the wall is met only up to the ends of the
    grid; so the right rays can be counted without any voxel.
    """
    truth, prediction = (np.full(GRID.shape, FREE, dtype=np.uint8) for _ in range(2))
    truth[120], prediction[121] = CAR, CAR
    origin = np.array([[0.2, 0.2, 2.4]])
    start, rays = GRID.to_voxels(origin)[0], lidar_rays().astype(np.float64)
    ahead = rays[:, 0] > 0

    def meets(wall: int) -> np.ndarray:
        along = np.where(ahead, (wall - start[0]) / np.where(ahead, rays[:, 0], 1.0), np.inf)
        with np.errstate(invalid="ignore"):
            hit = start[1:] + rays[:, 1:] * along[:, None]
        return ahead & (hit >= 0).all(1) & (hit < GRID.shape[1:]).all(1)

    counted, found = meets(120), meets(121)
    right = counted & found & (0.4 / np.where(ahead, rays[:, 0], 1.0) < 1.0)
    expected = right.sum() / (counted.sum() + (counted & found).sum() - right.sum())
    value = ray_iou(prediction, truth, origin)["RayIoU@1"]
    assert value == pytest.approx(expected, abs=0.01)
    assert 0.5 < value < 1.0


def plain_first_hit(voxels: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> int:
    """Label of the first occupied voxel among finely spaced points."""
    points = origin + direction * np.arange(0, 300, 0.002)[:, None]
    index = np.floor(points).astype(int)
    index = index[((index >= 0) & (index < voxels.shape)).all(1)]
    labels = voxels[tuple(index.T)]
    occupied = labels[labels != FREE]
    return int(occupied[0]) if len(occupied) else FREE


def test_compiled_rays_agree_with_points_along_them() -> None:
    generator = np.random.default_rng(1)
    voxels = np.where(generator.random((30, 20, 10)) < 0.02, generator.integers(0, 17, (30, 20, 10)), FREE)
    voxels = voxels.astype(np.uint8)
    origin = np.array([15.3, 10.2, 5.1])
    directions = generator.normal(size=(100, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    labels, _ = first_hits(voxels, FREE, origin, directions)
    expected = [plain_first_hit(voxels, origin, direction) for direction in directions]
    assert (labels[0] == expected).mean() >= 0.98  # points 0.002 apart may step over a corner


def test_passed_voxels_stop_where_they_are_blocked() -> None:
    occupied = np.zeros((10, 3, 3), dtype=bool)
    occupied[5, 1, 1] = True
    ends = np.array([[9.5, 1.5, 1.5]])
    origin = np.array([0.5, 1.5, 1.5])
    assert passed_voxels(occupied, origin, ends, blocked=True)[:, 1, 1].tolist() == [True] * 6 + [False] * 4
    assert passed_voxels(occupied, origin, ends, blocked=False)[:, 1, 1].all()


def test_origins_are_the_lidar_along_the_drive() -> None:
    mount = np.eye(4)
    mount[:3, 3] = 0.9, 0.0, 1.8
    records = []
    for step in range(30):
        pose = np.eye(4)
        pose[0, 3] = 4.0 * step
        records.append(
            {
                "token": str(step),
                "scene_token": "s",
                "timestamp": step,
                "ego2global": pose,
                "lidar_points": {"lidar2ego": mount},
            }
        )
    origins = ray_origins(records)
    assert len(origins["15"]) == 8
    assert np.abs(origins["15"][:, 0]).max() < 39
    assert origins["0"][0] == pytest.approx([0.9, 0.0, 1.8])
    voxels = scene()
    assert count_rays(voxels, voxels, origins["15"]).truth.sum() > 10_000
