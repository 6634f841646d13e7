"""Faces of voxels in an image: places computed by hand, hiding, and cameras in odd places."""

from __future__ import annotations

import numpy as np
import pytest

from bev.geometry.cameras import pix_T_cam
from bev.geometry.voxel_images import pixel_rays, visible_faces
from bev.geometry.voxel_rays import first_hits

FREE = 9
SHAPE = (20, 10, 8)
CENTRE = np.array([[50.0, 40.0]])


def camera(x: float, y: float, z: float) -> np.ndarray:
    """A pinhole at a place in voxel coordinates that looks along x; focal length 100, centre (50, 40)."""
    cam_T_voxels = np.array([[0.0, -1, 0, y], [0, 0, -1, z], [1, 0, 0, -x], [0, 0, 0, 1]])
    return pix_T_cam(np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])) @ cam_T_voxels


def scene(**voxels: tuple[int, int, int]) -> np.ndarray:
    """A grid with one voxel of each label; `label_3=(x, y, z)`."""
    grid = np.full(SHAPE, FREE, np.uint8)
    for name, place in voxels.items():
        grid[place] = int(name.removeprefix("label_"))
    return grid


@pytest.mark.parametrize("x", [0.5, -30.0])
def test_the_face_that_looks_at_the_camera(x: float) -> None:
    """Voxel (8, 5, 4) has its low face along x at 8; a camera in the grid and one before it see it at 8 - x."""
    seen = visible_faces(scene(label_3=(8, 5, 4)), FREE, camera(x, 5.5, 4.5), CENTRE)
    assert (seen.labels[0], seen.faces[0], seen.layers[0]) == (3, 0, 8)
    assert seen.depths[0] == pytest.approx(8 - x, rel=1e-6)


def test_each_face_by_the_direction_it_is_seen_from() -> None:
    """A camera that looks along +x, above and left of a voxel, sees its top (5) and its high end along y (3)."""
    voxels = scene(label_3=(10, 4, 2))
    pix_T_voxels = camera(2.0, 8.0, 6.0)
    for point, face, layer in (((10.5, 4.5, 3.0), 5, 3), ((10.5, 5.0, 2.5), 3, 5), ((10.0, 4.5, 2.5), 0, 10)):
        u, v, depth, _ = pix_T_voxels @ [*point, 1.0]
        seen = visible_faces(voxels, FREE, pix_T_voxels, np.array([[u / depth, v / depth]]))
        assert (seen.labels[0], seen.faces[0], seen.layers[0]) == (3, face, layer)
        assert seen.depths[0] == pytest.approx(depth, rel=1e-5)


def test_the_nearer_voxel_hides_the_farther() -> None:
    seen = visible_faces(scene(label_3=(12, 5, 4), label_2=(9, 5, 4)), FREE, camera(0.5, 5.5, 4.5), CENTRE)
    assert seen.labels[0] == 2


def test_a_camera_inside_of_voxels_looks_through_them() -> None:
    voxels = scene(label_1=(0, 5, 4), label_2=(1, 5, 4), label_3=(8, 5, 4))
    assert visible_faces(voxels, FREE, camera(0.5, 5.5, 4.5), CENTRE).labels[0] == 3


def test_rays_that_hit_nothing() -> None:
    voxels = scene(label_3=(8, 5, 4))
    for place in ((0.5, 2.5, 4.5), (-5.0, 5.5, 40.0), (30.0, 5.5, 4.5)):
        seen = visible_faces(voxels, FREE, camera(*place), CENTRE)
        assert seen.labels[0] == FREE
        assert np.isinf(seen.depths[0])


def test_labels_are_those_of_first_hits() -> None:
    generator = np.random.default_rng(0)
    voxels = np.where(generator.random(SHAPE) < 0.05, generator.integers(0, 5, SHAPE), FREE).astype(np.uint8)
    voxels[1, 5, 4] = FREE
    pix_T_voxels = camera(1.5, 5.5, 4.5)
    pixels = generator.uniform(0, [100, 80], (500, 2))
    eye, rays = pixel_rays(pix_T_voxels)
    np.testing.assert_allclose(eye, [1.5, 5.5, 4.5], atol=1e-12)
    directions = np.column_stack([pixels.astype(np.float32), np.ones(len(pixels))]) @ rays.T
    expected, _ = first_hits(voxels, FREE, eye[None], directions)
    found = visible_faces(voxels, FREE, pix_T_voxels, pixels, threads=3).labels
    assert len(np.unique(found)) == 6
    np.testing.assert_array_equal(found, expected[0])
