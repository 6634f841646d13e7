from __future__ import annotations

import numpy as np

from bev.evaluation.openlane.lanes import judge_lanes


def test_a_lane_is_found_at_the_thresholds_beyond_its_distance() -> None:
    detections, vertices = judge_lanes(np.array([[1.5, 9.0], [9.0, 0.2]]), np.array([0.4, 0.6]))
    assert detections.hits.tolist() == [[False, True], [True, True], [True, True]]
    assert detections.truths.tolist() == [2]
    assert [side.found.tolist() for side in vertices] == [[-1, 1], [0, 1], [0, 1]]
    assert [side.truths for side in vertices] == [2, 2, 2]
