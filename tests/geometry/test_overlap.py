"""IoU on the ground; the official op's values are compared in tests/evaluation/waymo_let/test_pairs.py."""

from __future__ import annotations

import numpy as np
from shapely.geometry import Polygon

from bev.geometry.overlap import iou_matrix


def test_overlap_on_the_ground_against_shapely() -> None:
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(-2, 2, (40, 3)), rng.uniform(0.5, 5, (40, 3)), rng.uniform(-9, 9, (40, 1))], 1)

    def polygon(box: np.ndarray) -> Polygon:
        corners = box[3:5] / 2 * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        cosine, sine = np.cos(box[6]), np.sin(box[6])
        return Polygon(corners @ np.array([(cosine, sine), (-sine, cosine)]) + box[:2])

    first, second = boxes[:20], boxes[20:]
    centres = np.repeat(first[:, None, :3], len(second), axis=1)
    result = iou_matrix(first, centres, second, np.ones((20, 20), dtype=bool), planar=True)
    shared = np.array([[polygon(a).intersection(polygon(b)).area for b in second] for a in first])
    areas = (boxes[:, 3] * boxes[:, 4]).reshape(2, -1)
    np.testing.assert_allclose(result, shared / (areas[0][:, None] + areas[1] - shared), rtol=0, atol=1e-6)
    assert (shared > 0).mean() > 0.5


def test_pairs_that_are_not_wanted_are_zero() -> None:
    boxes = np.array([[0.0, 0, 0, 2, 2, 2, 0], [0.1, 0, 0, 2, 2, 2, 0]])
    wanted = np.array([[True, False], [False, True]])
    result = iou_matrix(boxes, np.repeat(boxes[:, None, :3], 2, axis=1), boxes, wanted)
    np.testing.assert_array_equal(result, np.eye(2, dtype=np.float32))
