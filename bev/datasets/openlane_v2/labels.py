"""Lane topology of one frame: lanes, traffic elements, how they belong together, and what augmentations do to them.

Shapes: n lanes of P points, k traffic elements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bev.datasets.openlane_v2.classes import MIRRORED
from bev.geometry import transform_points

MIN_SIDE = 1.0
"""Boxes that a crop leaves narrower or lower than this are gone, pixels."""


@dataclass(frozen=True, eq=False)
class LaneLabels:
    """Annotation of one frame.

    Attributes:
        lanes: (n, P, 3) float32, centrelines in driving direction, metres in the bev frame.
        traffic_boxes: (k, 4) float32, left, top, right, bottom in pixels of the camera's image.
        traffic_attributes: (k,) int64, positions in `ATTRIBUTES`.
        topology_lclc: (n, n) bool, where the lane of the row leads into that of the column.
        topology_lcte: (n, k) bool, where the traffic element governs the lane.
        camera: The camera that the boxes are in.
        token: The annotated frame, split/segment/timestamp.
    """

    lanes: np.ndarray
    traffic_boxes: np.ndarray
    traffic_attributes: np.ndarray
    topology_lclc: np.ndarray
    topology_lcte: np.ndarray
    camera: str
    token: str = ""

    def transformed(self, aug_T_bev: np.ndarray) -> LaneLabels:
        """The labels in another frame of the ground.

        Flips leave driving directions and relations as they are.

        Args:
            aug_T_bev: (4, 4).
        """
        lanes = transform_points(self.lanes.astype(np.float64), aug_T_bev)
        return replace(self, lanes=lanes.astype(np.float32))

    def in_image(self, new_T_pix: np.ndarray, size: tuple[int, int]) -> LaneLabels:
        """The labels after the camera's image was resized, cropped or flipped.

        Boxes are cut at the image's border; those without anything left are dropped with their relations. In a mirrored
        image, a sign to the left is one to the right.

        Args:
            new_T_pix: (4, 4) as `image_affine` gives it.
            size: Height and width of the new image, pixels.
        """
        corners = self.traffic_boxes.reshape(-1, 2, 2).astype(np.float64) @ new_T_pix[:2, :2].T + new_T_pix[:2, 2]
        corners = np.sort(corners, axis=1).clip(0, size[::-1])
        kept = (corners[:, 1] - corners[:, 0] >= MIN_SIDE).all(axis=1)
        attributes = self.traffic_attributes[kept]
        if np.linalg.det(new_T_pix[:2, :2]) < 0:
            attributes = np.array(MIRRORED, dtype=np.int64)[attributes]
        return replace(
            self,
            traffic_boxes=corners[kept].reshape(-1, 4).astype(np.float32),
            traffic_attributes=attributes,
            topology_lcte=self.topology_lcte[:, kept],
        )
