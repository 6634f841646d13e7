from __future__ import annotations

import numpy as np

from bev.evaluation.ray_benchmark import follow_ray
from bev.geometry.voxel_rays import first_hits, passed_voxels


def test_compiled_rays_are_those_followed_cell_by_cell() -> None:
    generator = np.random.default_rng(0)
    voxels = np.where(generator.random((12, 9, 7)) < 0.05, generator.integers(0, 17, (12, 9, 7)), 17).astype(np.uint8)
    origin = np.array([5.3, 4.6, 2.2])
    rays = generator.normal(size=(300, 3))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    labels, distances = first_hits(voxels, 17, origin, rays)
    followed = [follow_ray(voxels, 17, origin, ray) for ray in rays]
    assert [label for label, _ in followed] == labels[0].tolist()
    np.testing.assert_allclose([distance for _, distance in followed], distances[0], atol=1e-5)


def test_passed_voxels_stop_where_they_are_blocked() -> None:
    occupied = np.zeros((10, 3, 3), dtype=bool)
    occupied[5, 1, 1] = True
    ends = np.array([[9.5, 1.5, 1.5]])
    origin = np.array([0.5, 1.5, 1.5])
    assert passed_voxels(occupied, origin, ends, blocked=True)[:, 1, 1].tolist() == [True] * 6 + [False] * 4
    assert passed_voxels(occupied, origin, ends, blocked=False)[:, 1, 1].all()
