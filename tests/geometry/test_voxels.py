from __future__ import annotations

import pytest

from bev.errors import InputError
from bev.geometry.voxels import VoxelGrid


@pytest.mark.parametrize(
    ("bounds", "shape", "message"),
    [
        ((0.0, 0.0, 0.0, 1.0, 0.0, 1.0), (2, 2, 2), "three minima below three maxima"),
        ((0.0, 0.0, 0.0, 1.0, 1.0), (2, 2, 2), "three minima below three maxima"),
        ((0.0, 0.0, 0.0, 1.0, 1.0, 1.0), (2, 0, 2), "three positive numbers"),
        ((0.0, 0.0, 0.0, 1.0, 1.0, 1.0), (2, 2), "three positive numbers"),
    ],
)
def test_grids_without_extent_are_refused(bounds: tuple, shape: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        VoxelGrid(bounds, shape)


def test_voxels_are_as_large_as_they_must_be() -> None:
    assert VoxelGrid((-1.0, 0.0, 0.0, 1.0, 3.0, 1.0), (4, 3, 2)).voxel_size == (0.5, 1.0, 0.5)
