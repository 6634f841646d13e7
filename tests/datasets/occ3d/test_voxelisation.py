"""Points and rays to labels, on a grid small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bev.datasets.occ3d import CLASSES, FREE
from bev.datasets.occ3d.aggregation import Cloud
from bev.datasets.occ3d.recording import KeyFrame, Track
from bev.datasets.occ3d.visibility import PinholeView
from bev.datasets.occ3d.voxelisation import label_key_frame
from bev.geometry import rotation_z
from bev.geometry.voxels import VoxelGrid

CAR, ROAD, TERRAIN, MANMADE = (CLASSES.index(n) for n in ("car", "driveable_surface", "terrain", "manmade"))
GRID = VoxelGrid((-5.0, -5.0, 0.0, 5.0, 5.0, 2.0), (10, 10, 2))
STILL = KeyFrame("token", 0.0, np.eye(4), ())


def cloud(points: list, labels: list, rays: list = (), objects: list = ()) -> Cloud:
    world = np.array(points, dtype=np.float32).reshape(-1, 3)
    lines = [(np.array(origin, dtype=float), np.array(ends, dtype=np.float32)) for origin, ends in rays]
    parts = [(np.array(own, dtype=np.float32), np.array(found, dtype=np.uint8)) for own, found in objects]
    return Cloud(world, np.array(labels, dtype=np.uint8), parts, lines)


def test_the_most_frequent_label_counts_and_standing_things_before_the_ground() -> None:
    points = [[0.5, 0.5, 0.5]] * 3 + [[1.5, 0.5, 0.5]] * 4 + [[2.5, 0.5, 0.5], [50, 0, 0]]
    labels = [ROAD, TERRAIN, TERRAIN, ROAD, ROAD, ROAD, MANMADE, ROAD, ROAD]
    found = label_key_frame(cloud(points, labels), STILL, (), grid=GRID).semantics
    assert [found[i, 5, 0] for i in (5, 6, 7)] == [TERRAIN, MANMADE, ROAD]
    assert (found != FREE).sum() == 3


def test_rays_tell_free_from_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    rays = [([-4.5, 0.5, 0.5], [[3.5, 0.5, 0.5]])]
    made = label_key_frame(cloud([[3.5, 0.5, 0.5]], [MANMADE], rays), STILL, (), grid=GRID)
    seen = np.zeros(GRID.shape, dtype=bool)
    seen[:9, 5, 0] = True  # up to the margin before the point, which ends in voxel 7, and the point's own voxel
    assert np.array_equal(made.mask_lidar, seen)
    assert (made.semantics[:8, 5, 0] == FREE).all()
    monkeypatch.setattr("bev.datasets.occ3d.voxelisation.CARVE_MARGIN", 2.6)
    wide = label_key_frame(cloud([[3.5, 0.5, 0.5]], [MANMADE], rays), STILL, (), grid=GRID)
    assert wide.mask_lidar[:, 5, 0].tolist() == [True] * 6 + [False] * 2 + [True, False]


def test_objects_stand_where_they_are_now() -> None:
    poses = np.array([[-2.0, 0, 1], [2.0, 0, 1]])
    turns = Rotation.from_euler("z", [[0.0], [np.pi / 2]])
    car = Track(CAR, np.array([3.2, 1.2, 2.0]), np.array([0.0, 1.0]), poses, turns)
    shape = [([[1.2, 0.2, -0.5]], [CAR])]
    rays = [([-4.5, 0.5, 0.5], [[4.5, 0.5, 0.5]])]
    then = label_key_frame(cloud([], [], rays, shape), STILL, (car,), grid=GRID)
    now = label_key_frame(cloud([], [], rays, shape), KeyFrame("t", 1.0, np.eye(4), ()), (car,), grid=GRID)
    assert np.argwhere(then.semantics == CAR).tolist() == [[4, 5, 0]]
    assert np.argwhere(now.semantics == CAR).tolist() == [[6, 6, 0]]
    # A ray of another time says nothing about the inside of a box: x from -3.6 to -0.4 m then, from 1.4 to 2.6 m now.
    assert np.flatnonzero(then.mask_lidar[:, 5, 0]).tolist() == [0, 4, 5, 6, 7, 8]
    assert np.flatnonzero(now.mask_lidar[:, 5, 0]).tolist() == [0, 1, 2, 3, 4, 5, 8]


def test_voxels_turn_with_ego() -> None:
    turned = KeyFrame("token", 0.0, rotation_z(np.pi / 2), ())
    found = label_key_frame(cloud([[0.5, 3.5, 0.5]], [ROAD]), turned, (), grid=GRID).semantics
    assert np.argwhere(found == ROAD).tolist() == [[8, 4, 0]]


def test_cameras_see_up_to_the_first_occupied_voxel() -> None:
    bev_T_camera = np.eye(4)
    bev_T_camera[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    bev_T_camera[:3, 3] = -4.5, 0.5, 0.5
    intrinsic = np.array([[100.0, 0, 0.5], [0, 100.0, 0.5], [0, 0, 1]])
    frame = KeyFrame("token", 0.0, np.eye(4), (PinholeView(bev_T_camera, intrinsic, 1, 1),))
    made = label_key_frame(cloud([[0.5, 0.5, 0.5]], [MANMADE]), frame, (), grid=GRID)
    assert made.mask_camera.sum() == 6
    assert made.mask_camera[:6, 5, 0].all()


def test_a_box_marks_the_voxels_whose_centres_it_holds() -> None:
    centre = np.array([[0.5, 0.5, 1.0]])
    box = Track(CAR, np.array([2.2, 1.0, 2.0]), np.zeros(1), centre, Rotation.from_euler("z", [[np.pi / 2]]))
    rays = [([0.5, -4.5, 0.5], [[0.5, 4.6, 0.5]])]
    made = label_key_frame(cloud([], [], rays, [(np.zeros((0, 3)), [])]), STILL, (box,), grid=GRID)
    assert made.mask_lidar[5, :, 0].tolist() == pytest.approx([1, 1, 1, 1, 0, 0, 0, 1, 1, 0])
