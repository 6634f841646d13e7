"""RayIoU: identities, a case computed by hand, and the compiled ray against a plain one."""

from __future__ import annotations

import numpy as np
import pytest

from bev.datasets.occ3d import CLASSES, FREE, GRID
from bev.errors import InputError
from bev.evaluation.ray_iou import LIDAR_ORIGIN, THRESHOLDS, count_rays, lidar_rays, ray_iou, ray_origins
from bev.geometry.voxel_rays import first_hits

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
def test_a_ceiling_that_is_some_voxels_too_high(offset: int, right: tuple[int, int, int]) -> None:
    """Of one ray straight up only the height counts: 0.4 m, 1.2 m, 2.4 m and 4.4 m are right within 1, 2 and 4 m."""
    distances = []
    for ceiling in (4, 4 + offset):
        voxels = np.full(GRID.shape, FREE, dtype=np.uint8)
        voxels[:, :, ceiling] = CAR
        labels, left = first_hits(voxels, FREE, GRID.to_voxels(np.zeros((1, 3))), np.array([[0.0, 0.0, 1.0]]))
        assert labels.tolist() == [[CAR]]
        distances.append(float(left[0, 0]) * GRID.voxel_size[2])
    assert distances[0] == pytest.approx(GRID.low[2] + 5 * 0.4)  # where the ray leaves the voxel
    error = distances[1] - distances[0]
    assert error == pytest.approx(0.4 * offset)
    assert tuple(int(error < limit) for limit in THRESHOLDS) == right


def test_one_voxel_offset_by_hand() -> None:
    """A wall one voxel thick ahead of the sensor, and one voxel farther away in the prediction.

    The depth of a ray is where it leaves the voxel that it hit: at the wall's back or through one of the voxel's other
    four faces, whichever comes first. All of it follows from the ray's slopes, without walking through voxels. Each ray
    counts in the truth if it meets the wall inside the grid, in the prediction if it meets that one, and as right if
    both depths differ by less than the threshold.
    """
    truth, prediction = (np.full(GRID.shape, FREE, dtype=np.uint8) for _ in range(2))
    truth[120], prediction[121] = CAR, CAR
    origin = np.array([[0.21, 0.22, 2.43]])
    start, rays = GRID.to_voxels(origin)[0], lidar_rays().astype(np.float64)
    rays = rays[rays[:, 0] > 1e-9]

    def meets(wall: int) -> tuple[np.ndarray, np.ndarray]:
        entry = start + rays * ((wall - start[0]) / rays[:, :1])
        hit = (entry[:, 1:] >= 0).all(1) & (entry[:, 1:] < GRID.shape[1:]).all(1)
        voxel = np.floor(entry[:, 1:])
        with np.errstate(divide="ignore"):
            sideways = np.where(rays[:, 1:] > 0, voxel + 1 - start[1:], voxel - start[1:]) / rays[:, 1:]
        back = (wall + 1 - start[0]) / rays[:, 0]
        return hit, np.minimum(back, np.where(rays[:, 1:] == 0, np.inf, sideways).min(axis=1)) * 0.4

    (in_truth, depth), (found, found_depth) = meets(120), meets(121)
    both = in_truth & found
    assert 0 < both.sum() < in_truth.sum()  # rays that pass above the farther wall count as missed
    result = ray_iou(prediction, truth, origin)
    for limit in THRESHOLDS:
        right = (both & (np.abs(depth - found_depth) < limit)).sum()
        expected = right / (in_truth.sum() + both.sum() - right)
        assert result[f"RayIoU@{limit:g}"] == pytest.approx(expected, abs=1e-12)
    assert 0.5 < result["RayIoU@1"] < result["RayIoU@2"]


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


def test_shapes_and_numbers_must_agree() -> None:
    labels = scene()
    with pytest.raises(InputError, match="prediction has shape"):
        count_rays(labels[:-1], labels, LIDAR_ORIGIN)
    with pytest.raises(InputError, match="not as many predictions"):
        ray_iou([labels], [labels, labels])
