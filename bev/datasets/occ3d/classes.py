"""Occ3D-nuScenes (arXiv 2304.14365): grid, classes and colours, as in the CVPR 2023 occupancy challenge."""

from __future__ import annotations

from bev.geometry.voxels import VoxelGrid

CLASSES = (
    "others", "barrier", "bicycle", "bus", "car", "construction_vehicle", "motorcycle", "pedestrian", "traffic_cone",
    "trailer", "truck", "driveable_surface", "other_flat", "sidewalk", "terrain", "manmade", "vegetation", "free",
)  # fmt: skip
"""Names of the labels, in order."""

FREE = 17
"""Label of free space."""

UNKNOWN = 255
"""Label of voxels about which nothing is known, such as those that an augmentation brings in; never trained on."""

GRID = VoxelGrid(bounds=(-40.0, -40.0, -1.0, 40.0, 40.0, 5.4), shape=(200, 200, 16))
"""In the ego frame; voxels of 0.4 m."""

COLOURS = (
    (90, 90, 90), (255, 120, 50), (255, 192, 203), (255, 225, 25), (0, 150, 245), (0, 200, 200), (200, 180, 0),
    (240, 20, 40), (255, 240, 150), (135, 60, 0), (160, 32, 240), (205, 75, 205), (139, 137, 137), (110, 60, 110),
    (170, 220, 110), (210, 205, 190), (20, 150, 40),
)  # fmt: skip
"""RGB of every class but free space."""
